"""Connectivity of windows that slide over a signal or an image."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["sliding_windows"]


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
