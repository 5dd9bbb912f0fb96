"""What the filters of a fitted network found."""

import numpy as np
from numpy.typing import NDArray

from sklcnn.datasets import DynamicSignal
from sklcnn.estimators.base import AbstractNetwork
from sklcnn.estimators.families import FullyConnected
from sklcnn.inspection.networks import check_network

__all__ = ["MISALIGNED", "alignment"]

# A filter whose cosine with the signal is smaller in absolute value counts as not having found it.
MISALIGNED = 0.25


def alignment(estimator: AbstractNetwork, law: DynamicSignal) -> NDArray[np.float64]:
    """Return the cosine of every learned filter with the signal.

    Parameters
    ----------
    estimator : fitted network
        A fully connected, locally connected or convolutional one; of several hidden layers the one
        that sees the input counts.
    law : DynamicSignal
        Its signal is the one in question. It must have one signal and patches of one size; any
        other law with ``true_signal``, ``n_patches`` and ``patch_size`` does too.

    Returns
    -------
    cosines : ndarray of shape (n_filters,), (n_groups, n_filters) or (n_filters, n_patches)
        For a convolutional network, for a locally connected one, and for a fully connected one, a
        unit of which is compared with the signal placed in each of the patches. A filter of zeros
        has cosine 0.

    Raises
    ------
    NotFittedError
        If the network is not fitted.
    ValueError
        If the estimator has no filters, the law no single signal, or the filters are not of the
        size of a patch, or of all patches.

    Notes
    -----
    The squared cosines of a fully connected unit add up to 1 at most: a unit that points to all
    *k* places at once has :math:`1 / \\sqrt k` in each.

    References
    ----------
    .. [1] Lahoti, Karp, Winston, Singh, Li, "Role of Locality and Weight Sharing in Image-Based
       Tasks", ICLR 2024, arXiv:2403.15707.

    Examples
    --------
    >>> import sklcnn
    >>> from sklcnn.datasets import DynamicSignal
    >>> law = DynamicSignal(n_patches=10, patch_size=20, noise=0.1, random_state=0)
    >>> X, y = law.sample(100, random_state=0)
    >>> network = sklcnn.dsd_network("cnn", 10, 20, random_state=0).fit(X, y)
    >>> sklcnn.alignment(network, law).round(1)
    array([1.])
    """
    signal = _signal_of(law)
    filters, patches = _first_layer(estimator)  # (n_groups or none, n_filters, filter_size)
    n_patches, patch_size = law.n_patches, len(signal)
    n_features, filter_size = n_patches * patch_size, filters.shape[-1]
    if filter_size == patch_size and not isinstance(estimator, FullyConnected):
        return _ratio(filters @ signal, np.linalg.norm(filters, axis=-1), signal)
    if np.array_equal(np.sort(patches), np.arange(n_features)[None]):
        order = np.argsort(patches[0])
        units = filters.reshape(-1, n_features)[:, order]
        products = units.reshape(-1, n_patches, patch_size) @ signal  # (n_filters, n_patches)
        return _ratio(products, np.linalg.norm(units, axis=-1)[:, None], signal)
    raise ValueError(
        f"estimator has filters of {filter_size} features, but the law has "
        f"patch_size={patch_size} and n_patches={n_patches}: filters of {patch_size} features, or "
        f"of one patch of all {n_features}, can be compared with its signal."
    )


def _signal_of(law):
    """Return the only signal, (patch_size,), or say that there is none or that there are more."""
    signal = getattr(law, "true_signal", None)
    if np.ndim(signal) != 1 or len(np.unique(getattr(law, "patch_size", ()))) != 1:
        raise ValueError(
            f"law={law!r} does not have one signal of the size of all patches, as alignment needs; "
            "a DynamicSignal with an integer patch_size and task='sign', 'xor' or 'detection' does."
        )
    return signal


def _first_layer(estimator):
    """Return filters and connectivity of the hidden layer that sees the input."""
    check_network(estimator, lacking="filters")
    filters, patches = estimator.filters_, estimator.patch_indices_
    if isinstance(filters, list):
        filters, patches = filters[0], patches[0]
    return filters.astype(np.float64), patches


def _ratio(products, norms, signal):
    return products / np.where(norms > 0, norms * np.linalg.norm(signal), 1.0)
