"""The same images, each moved by a few pixels."""

from numbers import Integral

import numpy as np
from numpy.typing import ArrayLike

from sklcnn.datasets.base import draw_entropy, stream
from sklcnn.datasets.images.arrays import unravel_images

__all__ = ["translate_images"]

_BORDERS = ("zero", "edge", "wrap")


def translate_images(
    X: ArrayLike,
    input_shape: tuple[int, ...],
    *,
    max_shift: int | tuple[int, int],
    border: str = "zero",
    return_shifts: bool = False,
    random_state: int | np.random.RandomState | None = None,
):
    """Move every image by a random whole number of pixels along each axis.

    The shifts are uniform on the integers from ``-max_shift`` to ``max_shift``, independent of each
    other and of the image. All channels of an image move together.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features) or (n_samples, *input_shape)
        The images, or signals of one axis.
    input_shape : tuple of int
        Shape of one image: (length,), (height, width) or (channels, height, width).
    max_shift : int or tuple of (int, int)
        Largest shift in pixels, or largest vertical and largest horizontal shift. A signal of one
        axis moves horizontally.
    border : {"zero", "edge", "wrap"}, default="zero"
        What comes in at the border: zeros, copies of the pixels there, or what went out at the
        opposite border.
    return_shifts : bool, default=False
        Whether to return the shifts too.
    random_state : int, RandomState instance or None, default=None
        Source of the shifts.

    Returns
    -------
    X : ndarray of shape (n_samples, n_features)
        The moved images, of the same dtype.
    shifts : ndarray of shape (n_samples, 2)
        How far each image went down and to the right. Only if ``return_shifts=True``.

    See Also
    --------
    place_on_background : Small images at random places of a larger one.

    References
    ----------
    .. [1] Ott, Linstead, LaHaye, Baldi, "Learning in the Machine: To Share or Not to Share?",
       Neural Networks 126, 2020: networks without weight sharing learn from translated images what
       convolutional ones know.

    Examples
    --------
    >>> from sklcnn.datasets.images import translate_images
    >>> X = [[1, 2, 3, 4], [1, 2, 3, 4]]
    >>> X, shifts = translate_images(X, (4,), max_shift=2, return_shifts=True, random_state=1)
    >>> X
    array([[2, 3, 4, 0],
           [0, 0, 1, 2]])
    >>> shifts
    array([[ 0, -1],
           [ 0,  2]])
    """
    images = unravel_images(X, input_shape)
    largest = _check_shift(max_shift, images.shape[2:], border)
    rng = stream(draw_entropy(random_state), "shifts")
    shifts = rng.integers(-largest, largest + 1, size=(len(images), 2))
    moved = _translate(images, shifts, border).reshape(len(images), -1)
    return (moved, shifts) if return_shifts else moved


def _check_shift(max_shift, sides, border):
    """Largest shifts along both axes, of shape (2,)."""
    if border not in _BORDERS:
        raise ValueError(f"border={border!r} must be one of {', '.join(map(repr, _BORDERS))}.")
    pair = tuple(max_shift) if np.iterable(max_shift) else (max_shift, max_shift)
    if len(pair) != 2 or not all(isinstance(shift, Integral) and shift >= 0 for shift in pair):
        raise ValueError(
            f"max_shift={max_shift!r} must be a whole number of pixels, or (vertical, horizontal), "
            "none negative."
        )
    if sides[0] == 1 and not np.iterable(max_shift):
        pair = (0, max_shift)  # the one row of a signal stays
    if border == "zero" and any(shift >= side for shift, side in zip(pair, sides, strict=True)):
        raise ValueError(
            f"max_shift={max_shift!r} can push an image of {sides[0]} x {sides[1]} pixels out of "
            "sight: it must be smaller than the sides, or use border='wrap'."
        )
    return np.array(pair)


def _translate(images, shifts, border):
    """Move images of shape (n_samples, channels, height, width) by shifts, (n_samples, 2)."""
    rows, rows_seen = _sources(images.shape[2], shifts[:, 0], border)
    columns, columns_seen = _sources(images.shape[3], shifts[:, 1], border)
    moved = np.take_along_axis(images, rows[:, None, :, None], axis=2)
    moved = np.take_along_axis(moved, columns[:, None, None, :], axis=3)
    seen = rows_seen[:, None, :, None] & columns_seen[:, None, None, :]
    return np.where(seen, moved, moved.dtype.type(0))


def _sources(side, shifts, border):
    """Where the pixels along one axis come from, and which come from inside, (n_samples, side)."""
    sources = np.arange(side) - shifts[:, None]
    if border == "wrap":
        return sources % side, np.ones(sources.shape, dtype=bool)
    clipped = sources.clip(0, side - 1)
    return clipped, (clipped == sources) | (border == "edge")
