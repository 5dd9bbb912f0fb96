"""Connectivity of windows that slide over a signal or an image."""

from dataclasses import dataclass
from numbers import Integral

import numpy as np
from numpy.typing import NDArray

__all__ = ["WindowAxis", "channels_first", "sliding_windows", "window_axes"]


def sliding_windows(
    input_shape: tuple[int, ...],
    patch_size: int,
    stride: int = 1,
    *,
    padding: str | int = "valid",
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
        Step between neighboring windows, along each axis.
    padding : {"valid", "same", "circular"} or int, default="valid"
        ``"valid"`` keeps the windows inside the input. ``"same"`` centers a window at every
        ``stride``-th feature and lets it see zeros outside. ``"circular"`` wraps the windows around
        the ends. An int lets them see so many zeros beyond each end. An axis of length one is never
        padded.

    Returns
    -------
    patch_indices : ndarray of shape (n_patches, channels * window entries)
        The features that each window sees. Entries outside the input are masked: the array is then
        a :class:`numpy.ma.MaskedArray`.

    Raises
    ------
    ValueError
        If the windows leave features unseen, as nothing is dropped in silence, or if some see
        nothing but padding.

    Examples
    --------
    >>> from sklcnn.patches import sliding_windows
    >>> sliding_windows((6,), patch_size=2, stride=2)
    array([[0, 1],
           [2, 3],
           [4, 5]])
    >>> sliding_windows((3, 8, 8), patch_size=3).shape
    (36, 27)
    >>> print(sliding_windows((3,), patch_size=3, padding="same"))
    [[-- 0 1]
     [0 1 2]
     [1 2 --]]
    """
    shape = channels_first(input_shape)
    axes = window_axes(shape, patch_size, stride, padding)
    rows, columns = (axis.positions for axis in axes)  # (n_rows, height), (n_columns, width)
    outside = [axis.outside for axis in axes]
    plane = np.arange(np.prod(shape)).reshape(shape)
    patches = plane[:, rows[:, None, :, None], columns[None, :, None, :]]
    patches = np.moveaxis(patches, 0, 2)  # (n_rows, n_columns, channels, patch height, patch width)
    patches = patches.reshape(len(rows) * len(columns), -1)  # (n_patches, patch entries)
    if not any(axis.any() for axis in outside):
        return patches
    mask = outside[0][:, None, None, :, None] | outside[1][None, :, None, None, :]
    mask = np.broadcast_to(mask, (len(rows), len(columns), shape[0], *mask.shape[3:]))
    mask = mask.reshape(patches.shape)
    return np.ma.array(np.where(mask, 0, patches), mask=mask)


def channels_first(input_shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Read an input shape as (channels, height, width).

    Parameters
    ----------
    input_shape : tuple of int
        As in `sliding_windows`.

    Returns
    -------
    shape : tuple of three int
        A signal has height one.

    Raises
    ------
    ValueError
        If it has no or more than three axes, or an empty one.

    Examples
    --------
    >>> from sklcnn.patches.windows import channels_first
    >>> channels_first((100,))
    (1, 1, 100)
    """
    shape = tuple(int(side) for side in np.atleast_1d(input_shape))
    if not 1 <= len(shape) <= 3 or min(shape) < 1:
        raise ValueError(
            f"input_shape={input_shape} must be (length,), (height, width) or (channels, height, "
            "width), all at least 1."
        )
    channels, *sides = shape if len(shape) == 3 else (1, *shape)
    height, width = (1, *sides) if len(sides) == 1 else sides
    return channels, height, width


@dataclass(frozen=True)
class WindowAxis:
    """Windows along one axis of an input.

    Parameters
    ----------
    side : int
        Length of the axis.
    window : int
        Length of a window.
    stride : int
        Step between windows.
    before, after : int
        What is added at both ends.
    circular : bool
        Whether that is the other end of the input, not zeros.
    """

    side: int
    window: int
    stride: int
    before: int
    after: int
    circular: bool = False

    @property
    def n_windows(self) -> int:
        """Number of windows; not positive if none fits."""
        return (self.before + self.side + self.after - self.window) // self.stride + 1

    @property
    def positions(self) -> NDArray[np.int64]:
        """Positions that the windows see, modulo the side, (n_windows, window)."""
        return self._steps % self.side

    @property
    def outside(self) -> NDArray[np.bool_]:
        """Which of them are zeros beyond the ends, (n_windows, window)."""
        steps = self._steps
        return ((steps < 0) | (steps >= self.side)) & (not self.circular)

    @property
    def _steps(self):
        starts = np.arange(self.n_windows) * self.stride - self.before
        return starts[:, None] + np.arange(self.window)

    def covers(self) -> bool:
        """Whether every position is seen."""
        return len(np.unique(self.positions[~self.outside])) == self.side


def window_axes(
    shape: tuple[int, int, int], patch_size: int, stride: int, padding: str | int
) -> tuple[WindowAxis, WindowAxis]:
    """Return the windows along height and width.

    Parameters
    ----------
    shape : tuple of three int
        (channels, height, width).
    patch_size, stride, padding
        As in `sliding_windows`.

    Returns
    -------
    axes : tuple of two WindowAxis
        Rows and columns.

    Raises
    ------
    ValueError
        If the windows leave features unseen or see nothing but padding, or if the padding is
        unknown.

    Examples
    --------
    >>> from sklcnn.patches.windows import window_axes
    >>> [axis.n_windows for axis in window_axes((3, 32, 32), 5, 2, "same")]
    [16, 16]
    """
    rows, columns = (_make_axis(side, patch_size, stride, padding) for side in shape[1:])
    if not (rows.covers() and columns.covers()):
        raise ValueError(_unseen_message(shape[1:], patch_size, stride, padding))
    return rows, columns


def _make_axis(side, patch_size, stride, padding):
    window = min(patch_size, side)
    if side == 1 or padding == "valid":
        return WindowAxis(side, window, stride, 0, 0)
    if padding == "circular":
        return WindowAxis(side, window, stride, 0, window - 1, circular=True)
    if padding == "same":
        before, n_windows = (window - 1) // 2, -(-side // stride)
        after = max(0, (n_windows - 1) * stride + window - side - before)
        return WindowAxis(side, window, stride, before, after)
    if isinstance(padding, Integral) and padding >= 0:
        if padding >= patch_size:
            raise ValueError(
                f"padding={padding} must be smaller than patch_size={patch_size}: the outermost "
                "windows would see zeros only."
            )
        window = min(patch_size, side + 2 * padding)
        return WindowAxis(side, window, stride, int(padding), int(padding))
    raise ValueError(
        f"padding={padding!r} must be 'valid', 'same', 'circular' or an int of at least 0."
    )


def _unseen_message(sides, patch_size, stride, padding):
    """Say what would cover an input whose windows leave features unseen."""

    def covers(step, padding):
        return all(_make_axis(side, patch_size, step, padding).covers() for side in sides)

    fitting = [step for step in range(1, patch_size + 1) if covers(step, padding)]
    strides = " or ".join(map(str, fitting[-3:]))
    words = [word for word in ("same", "circular") if padding == "valid" and covers(stride, word)]
    advice = f"stride={strides} covers all of them"
    if words:
        advice += f", and so {'does' if len(words) == 1 else 'do'} "
        advice += " and ".join(f"padding={word!r}" for word in words)
    size = " x ".join(map(str, sides if sides[0] > 1 else sides[1:]))
    return (
        f"patch_size={patch_size} with stride={stride} leaves features of the input ({size}) "
        f"unseen; {advice}."
    )
