"""Fitted networks as inspections take them: checked, with their samples and their patches."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sklcnn.estimators.base import AbstractNetwork

__all__ = ["check_network", "cut_patches", "encode_samples"]


def check_network(estimator, lacking=None):
    """Raise an error unless the estimator is a fitted network.

    Parameters
    ----------
    estimator : estimator
        Of any kind.
    lacking : str or None, default=None
        What is asked of the network and others do not have, for the message.

    Raises
    ------
    NotFittedError
        If it is not fitted.
    ValueError
        If it is no network.
    """
    check_is_fitted(estimator)
    if not isinstance(estimator, AbstractNetwork):
        flaw = f" is of class {type(estimator).__name__}, which is no network of sklcnn"
        if lacking is not None:
            flaw = f"={estimator!r} has no {lacking}"
        raise ValueError(
            f"estimator{flaw}; hand over a fitted network, of a pipeline its last step."
        )


def encode_samples(estimator, X, y, sample_weight=None):
    """Return samples as the training of a network sees them.

    Parameters
    ----------
    estimator : fitted network
        Checked already.
    X : array-like of shape (n_samples, n_features)
        Inputs.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Labels or targets.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights; those of ``class_weight`` are added.

    Returns
    -------
    samples : Samples
        With the arrays ``X``, ``target`` and ``weight``; the last may be None.

    Raises
    ------
    ValueError
        If the samples do not fit the network.
    """
    return estimator._encode(estimator._check_samples(X, y, sample_weight, reset=False))


def cut_patches(X, patch_indices):
    """Return what filters see of each sample, with zeros where an index is masked.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        The samples.
    patch_indices : ndarray or masked array of shape (n_patches, patch_size)
        The features that each patch sees.

    Returns
    -------
    patches : ndarray of shape (n_samples, n_patches, patch_size)
        A copy, of the type of X.
    """
    patches = X[:, np.ma.filled(patch_indices, 0)]
    if np.ma.is_masked(patch_indices):
        patches[:, np.ma.getmaskarray(patch_indices)] = 0
    return patches
