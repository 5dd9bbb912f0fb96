"""Small images on larger backgrounds."""

from numbers import Integral, Real

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_array

from sklcnn.datasets.base import draw_entropy, stream
from sklcnn.datasets.images.arrays import check_input_shape, unravel_images

__all__ = ["place_on_background"]

# Where the image lies in the free space: 0 at the top or left, 1 at the bottom or right.
_FIXED = {
    "top-left": (0.0, 0.0),
    "top-right": (0.0, 1.0),
    "bottom-left": (1.0, 0.0),
    "bottom-right": (1.0, 1.0),
    "center": (0.5, 0.5),
}
_DRAWN = ("corner", "random")


def place_on_background(
    X: ArrayLike,
    input_shape: tuple[int, ...],
    *,
    background_shape: tuple[int, int],
    position: str | tuple[int, int] = "random",
    background: float | ArrayLike | None = None,
    return_positions: bool = False,
    random_state: int | np.random.RandomState | None = None,
):
    """Paste every image onto a larger background, at a fixed or at a random position.

    It makes the data of [1]_, on which a sparse signal hides in much noise, from any images: there,
    16 x 16 pixels on 32 x 32 for CIFAR-10, and 28 x 28 on 42 x 42 for MNIST. The image replaces the
    background where it lies, it is not added to it.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features) or (n_samples, *input_shape)
        The images.
    input_shape : tuple of int
        Shape of one image, (height, width) or (channels, height, width).
    background_shape : tuple of (height, width)
        Size of the background, at least that of the images. Both have the same channels.
    position : str or tuple of (row, column), default="random"
        Where the images go: "top-left", "top-right", "bottom-left", "bottom-right" or "center" for
        all; "corner" draws one of the four corners for each, "random" any position inside; a pair
        is the place of the upper left pixel of all.
    background : float, array-like or None, default=None
        What is around the image. None is black (zeros), a number the standard deviation of Gaussian
        noise of mean zero in every pixel. An array holds other images: if they have the size of the
        background, each image gets one of them at random; if they have the size of the images, it
        gets a mosaic of them, drawn independently. Multiply the array by a number to weaken them.
    return_positions : bool, default=False
        Whether to return the positions too.
    random_state : int, RandomState instance or None, default=None
        Source of positions and, from a stream independent of it, of backgrounds.

    Returns
    -------
    X : ndarray of shape (n_samples, channels * background height * background width)
        The images on their backgrounds. Their ``input_shape`` is ``background_shape``, after the
        channels if there are any.
    positions : ndarray of shape (n_samples, 2)
        Row and column of the upper left pixel of each image. Only if ``return_positions=True``.

    See Also
    --------
    translate_images : Images that move on their own background.
    DynamicSignal : A signal at a random place in noise, with its Bayes rule.

    Notes
    -----
    ``background`` is a standard deviation. In the published code of [1]_ it enters squared.

    References
    ----------
    .. [1] Karp, Winston, Li, Singh, "Local Signal Adaptivity: Provable Feature Learning in Neural
       Networks Beyond Kernels", NeurIPS 2021.

    Examples
    --------
    >>> from sklcnn.datasets.images import place_on_background
    >>> X = place_on_background(
    ...     [[1, 2, 3, 4]], (2, 2), background_shape=(3, 4), position="bottom-right"
    ... )
    >>> X.reshape(3, 4)
    array([[0, 0, 0, 0],
           [0, 0, 1, 2],
           [0, 0, 3, 4]])
    """
    images = unravel_images(X, input_shape)
    sides = _check_background_shape(background_shape, images.shape[2:])
    entropy = draw_entropy(random_state)
    free = np.subtract(sides, images.shape[2:])
    positions = _choose_positions(position, free, len(images), stream(entropy, "positions"))
    canvas = _draw_background(background, images, sides, stream(entropy, "background"))
    _paste(canvas, images, positions)
    canvas = canvas.reshape(len(canvas), -1)
    return (canvas, positions) if return_positions else canvas


def _check_background_shape(background_shape, sides):
    if not np.iterable(background_shape) or len(tuple(background_shape)) != 2:
        raise ValueError(f"background_shape={background_shape!r} must be (height, width).")
    _, *found = check_input_shape(background_shape, "background_shape")
    if found[0] < sides[0] or found[1] < sides[1]:
        raise ValueError(
            f"background_shape={tuple(found)} is smaller than the images of {sides[0]} x "
            f"{sides[1]} pixels: it must be at least as large."
        )
    return tuple(found)


def _choose_positions(position, free, n_samples, rng):
    """Rows and columns of the upper left pixels, (n_samples, 2); ``free`` are the last ones."""
    if not isinstance(position, str):
        pair = tuple(position) if np.iterable(position) else (position,)
        are_counts = all(isinstance(place, Integral) for place in pair)
        if len(pair) != 2 or not are_counts or np.any(np.less(pair, 0) | np.greater(pair, free)):
            raise ValueError(
                f"position={position!r} must be (row, column) of the upper left pixel, from (0, 0) "
                f"to ({free[0]}, {free[1]}), where the image lies inside."
            )
        return np.tile(pair, (n_samples, 1))
    if position in _FIXED:
        return np.tile((free * _FIXED[position]).astype(int), (n_samples, 1))
    if position not in _DRAWN:
        known = ", ".join(map(repr, (*_FIXED, *_DRAWN)))
        raise ValueError(f"position={position!r} must be one of {known}, or (row, column).")
    if position == "corner":
        return rng.integers(2, size=(n_samples, 2)) * free
    return rng.integers(free + 1, size=(n_samples, 2))


def _draw_background(background, images, sides, rng):
    """Backgrounds of shape (n_samples, channels, height, width), images still to be pasted."""
    shape = (*images.shape[:2], *sides)
    if background is None:
        return np.zeros(shape, dtype=images.dtype)
    if np.ndim(background) == 0:
        if not isinstance(background, Real) or not 0 <= background < np.inf:
            raise ValueError(
                f"background={background!r} must be None, a standard deviation of at least 0, or "
                "an array of images."
            )
        kind = np.result_type(images.dtype, np.float32)  # a float even if the pixels are counts
        noise = rng.standard_normal(shape, dtype=kind if kind.itemsize <= 8 else np.float64)
        return noise * kind.type(background)
    background = check_array(
        background, dtype="numeric", allow_nd=True, input_name="background"
    )  # (n_others, ...)
    others, tiles = _check_others(background, images, sides)
    return _assemble(others, tiles, sides, images, rng)


def _check_others(background, images, sides):
    """Other images, (n_others, channels, height, width), and how many make one background."""
    channels, height, width = images.shape[1:]
    for shape in (sides, (height, width)):
        forms = (channels * shape[0] * shape[1],), (channels, *shape), shape
        if background.shape[1:] in forms[: 3 if channels == 1 else 2]:
            tiles = -(-sides[0] // shape[0]), -(-sides[1] // shape[1])  # rounded up
            return background.reshape(-1, channels, *shape), tiles
    raise ValueError(
        f"background has shape {background.shape}: it must hold images with the features of X, "
        f"{channels * height * width}, or of the background, {channels * np.prod(sides)}."
    )


def _assemble(others, tiles, sides, images, rng):
    """A mosaic of randomly drawn images behind each image, cut to the size of the background."""
    n_rows, n_columns = tiles
    chosen = others[rng.integers(len(others), size=(len(images), n_rows, n_columns))]
    mosaic = np.moveaxis(chosen, 3, 1)  # (n_samples, channels, n_rows, n_columns, height, width)
    mosaic = mosaic.swapaxes(3, 4)  # (n_samples, channels, n_rows, height, n_columns, width)
    n_samples, channels, _, height, _, width = mosaic.shape
    canvas = mosaic.reshape(n_samples, channels, n_rows * height, n_columns * width)
    return canvas[:, :, : sides[0], : sides[1]].astype(np.result_type(images, others))


def _paste(canvas, images, positions):
    """Write images of shape (n_samples, channels, height, width) into the canvas."""
    height, width = images.shape[2:]
    rows = positions[:, 0, None, None] + np.arange(height)[:, None]  # (n_samples, height, 1)
    columns = positions[:, 1, None, None] + np.arange(width)  # (n_samples, 1, width)
    samples = np.arange(len(images))[:, None, None]
    canvas[samples, :, rows, columns] = np.moveaxis(images, 1, 3)
