"""Connectivity given outright, and that of a fully connected network."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["all_features", "check_patch_indices"]


def all_features(n_features: int) -> NDArray[np.int64]:
    """Return the connectivity of a fully connected network: one patch that sees everything.

    Parameters
    ----------
    n_features : int
        Number of features.

    Returns
    -------
    patch_indices : ndarray of shape (1, n_features)
        The single patch.

    Examples
    --------
    >>> from sklcnn.patches import all_features
    >>> all_features(4)
    array([[0, 1, 2, 3]])
    """
    return np.arange(n_features)[np.newaxis]  # (1, n_features)


def check_patch_indices(patch_indices: ArrayLike, n_features: int) -> NDArray[np.int64]:
    """Return ``patch_indices`` as an integer array whose entries are valid features.

    Parameters
    ----------
    patch_indices : array-like of shape (n_patches, patch_size)
        The features that each patch sees; masked entries of a :class:`numpy.ma.MaskedArray` see
        nothing.
    n_features : int
        Number of features.

    Returns
    -------
    patch_indices : ndarray of shape (n_patches, patch_size), dtype int64
        The same connectivity; a masked array if some entries are masked.

    Raises
    ------
    ValueError
        If the array is not two-dimensional, not integer, empty, or names a feature that X lacks.

    Examples
    --------
    >>> from sklcnn.patches import check_patch_indices
    >>> check_patch_indices([[0, 2], [1, 3]], n_features=4).shape
    (2, 2)
    """
    patches: np.ma.MaskedArray = np.ma.asarray(patch_indices)
    if patches.ndim != 2 or patches.size == 0 or not np.issubdtype(patches.dtype, np.integer):
        raise ValueError(
            "patch_indices must be an integer array of shape (n_patches, patch_size), got "
            f"dtype {patches.dtype} and shape {patches.shape}."
        )
    if np.ma.getmaskarray(patches).all(axis=1).any():
        raise ValueError("patch_indices has a patch whose entries are all masked: it sees nothing.")
    if patches.min() < 0 or patches.max() >= n_features:
        raise ValueError(
            f"patch_indices names features {patches.min()} to {patches.max()}; X has features 0 to "
            f"{n_features - 1}."
        )
    indices = patches.filled(0).astype(np.int64)
    if not np.ma.is_masked(patches):
        return indices
    return np.ma.MaskedArray(indices, mask=patches.mask.copy())
