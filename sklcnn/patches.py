"""Connectivity and weight sharing as integer arrays.

A network family is two integer arrays. *Connectivity* (``patch_indices``) says which features each
patch sees, *sharing* (``filter_groups``) which patches use the same filters:

=================  ==================================  ===========================
family             ``patch_indices``                   ``filter_groups``
=================  ==================================  ===========================
fully connected    one patch of all features           ``[0]``
locally connected  ``(n_patches, patch_size)``         ``0 .. n_patches - 1``
convolutional      ``(n_patches, patch_size)``         all ``0``
in between         ``(n_patches, patch_size)``         any grouping of the patches
=================  ==================================  ===========================

Everything here is numpy: ``X[:, patch_indices]`` are the patches, of shape (n_samples, n_patches,
patch_size).
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["all_features", "check_patch_indices", "sharing_groups", "sliding_windows"]


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


def sliding_windows(
    input_shape: tuple[int, ...], patch_size: int, stride: int = 1, *, padding: str = "valid"
) -> NDArray[np.int64]:
    """Return the patches that a window sees when it slides over a signal or an image.

    Features are the raveled input (C order). A window spans all channels; its entries are ordered
    channel first, so that a filter is the raveled weight of an ordinary convolution.

    Parameters
    ----------
    input_shape : tuple of int
        ``(length,)``, ``(height, width)`` or ``(channels, height, width)``. A signal of several
        channels is an image of height one: ``(channels, 1, length)``.
    patch_size : int
        Length of the window, or side of the square window; clipped to the input along each axis.
    stride : int, default=1
        Step between neighbouring windows, along each axis.
    padding : {"valid", "circular"}, default="valid"
        ``"valid"`` keeps the windows inside the input, ``"circular"`` wraps them around its ends.

    Returns
    -------
    patch_indices : ndarray of shape (n_patches, channels * window entries)
        The features that each window sees.

    Raises
    ------
    ValueError
        If the windows leave features unseen: nothing is dropped in silence.

    Examples
    --------
    >>> from sklcnn.patches import sliding_windows
    >>> sliding_windows((6,), patch_size=2, stride=2)
    array([[0, 1],
           [2, 3],
           [4, 5]])
    >>> sliding_windows((3, 8, 8), patch_size=3).shape
    (36, 27)
    """
    channels, *sides = _channels_first(input_shape)
    windows = [_axis_windows(side, patch_size, stride, padding) for side in sides]
    if any(window is None for window in windows):
        raise ValueError(_unseen_message(sides, patch_size, stride, padding))
    rows, columns = windows  # (n_rows, patch height), (n_columns, patch width)
    plane = np.arange(np.prod([channels, *sides])).reshape(channels, *sides)
    patches = plane[:, rows[:, None, :, None], columns[None, :, None, :]]
    patches = np.moveaxis(patches, 0, 2)  # (n_rows, n_columns, channels, patch height, patch width)
    return patches.reshape(len(rows) * len(columns), -1)  # (n_patches, patch entries)


def sharing_groups(n_patches: int, groups: int | ArrayLike | None = None) -> NDArray[np.int64]:
    """Return the group of each patch: patches of one group use the same filters.

    Parameters
    ----------
    n_patches : int
        Number of patches.
    groups : None, int or array-like of shape (n_patches,), default=None
        None: no sharing, every patch has its own filters. An int: that many contiguous groups of
        nearly equal size (1 is full sharing). An array: any grouping, by any integer labels.

    Returns
    -------
    filter_groups : ndarray of shape (n_patches,)
        Group of each patch, numbered ``0 .. n_groups - 1``.

    Raises
    ------
    ValueError
        If an int is not between 1 and ``n_patches``, or an array does not name a group per patch.

    Examples
    --------
    >>> from sklcnn.patches import sharing_groups
    >>> sharing_groups(6, 2)
    array([0, 0, 0, 1, 1, 1])
    """
    if groups is None:
        return np.arange(n_patches)
    groups = np.asarray(groups)
    if groups.ndim == 0:
        if not 1 <= groups <= n_patches:
            raise ValueError(
                f"filter_groups={groups} must lie between 1 (all patches share their filters) and "
                f"n_patches={n_patches} (none do)."
            )
        return np.arange(n_patches) * int(groups) // n_patches
    if groups.shape != (n_patches,):
        raise ValueError(
            f"filter_groups has shape {groups.shape}; it must name one group for each of the "
            f"{n_patches} patches, shape ({n_patches},)."
        )
    return np.unique(groups, return_inverse=True)[1]


def check_patch_indices(patch_indices: ArrayLike, n_features: int) -> NDArray[np.int64]:
    """Return ``patch_indices`` as an integer array whose entries are valid features.

    Parameters
    ----------
    patch_indices : array-like of shape (n_patches, patch_size)
        The features that each patch sees.
    n_features : int
        Number of features.

    Returns
    -------
    patch_indices : ndarray of shape (n_patches, patch_size), dtype int64
        The same connectivity.

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
    patches = np.asarray(patch_indices)
    if patches.ndim != 2 or patches.size == 0 or not np.issubdtype(patches.dtype, np.integer):
        raise ValueError(
            "patch_indices must be an integer array of shape (n_patches, patch_size), got "
            f"dtype {patches.dtype} and shape {patches.shape}."
        )
    if patches.min() < 0 or patches.max() >= n_features:
        raise ValueError(
            f"patch_indices names features {patches.min()} to {patches.max()}; X has features 0 to "
            f"{n_features - 1}."
        )
    return patches.astype(np.int64)


def _channels_first(input_shape):
    """Read an input shape as (channels, height, width)."""
    shape = tuple(int(side) for side in np.atleast_1d(input_shape))
    if not 1 <= len(shape) <= 3 or min(shape) < 1:
        raise ValueError(
            f"input_shape={input_shape} must be (length,), (height, width) or (channels, height, "
            "width), all at least 1."
        )
    channels, *sides = shape if len(shape) == 3 else (1, *shape)
    return (channels, 1, *sides) if len(sides) == 1 else (channels, *sides)


def _axis_windows(side, patch_size, stride, padding):
    """Positions that the windows see along one axis, (n_windows, window), or None with a gap."""
    window = min(patch_size, side)
    last = side - 1 if padding == "circular" else side - window
    starts = np.arange(0, last + 1, stride)
    positions = (starts[:, None] + np.arange(window)) % side  # (n_windows, window)
    return positions if len(np.unique(positions)) == side else None


def _unseen_message(sides, patch_size, stride, padding):
    """Say which stride or padding would cover an input whose windows leave features unseen."""
    fitting = [
        step
        for step in range(1, patch_size + 1)
        if all(_axis_windows(side, patch_size, step, padding) is not None for side in sides)
    ]
    strides = " or ".join(map(str, fitting[-3:]))
    advice = f"stride={strides} covers all of them"
    if padding == "valid" and stride <= patch_size:
        advice += ", and so does padding='circular'"
    size = " x ".join(map(str, sides if sides[0] > 1 else sides[1:]))
    return (
        f"patch_size={patch_size} with stride={stride} leaves features of the input ({size}) "
        f"unseen; {advice}."
    )
