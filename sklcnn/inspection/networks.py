"""Fitted networks as inspections of their filters take them: checked, and with their patches."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sklcnn.estimators.base import AbstractNetwork

__all__ = ["check_network", "cut_patches"]


def check_network(estimator):
    """Raise an error unless the estimator is a fitted network.

    Parameters
    ----------
    estimator : estimator
        Of any kind.

    Raises
    ------
    NotFittedError
        If it is not fitted.
    ValueError
        If it is no network.
    """
    check_is_fitted(estimator)
    if not isinstance(estimator, AbstractNetwork):
        raise ValueError(
            f"estimator is of class {type(estimator).__name__}, which is no network of sklcnn; "
            "hand over a fitted one, of a pipeline its last step."
        )


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
