"""Smooth little pictures of classes that look alike, in the way of portraits."""

from numbers import Integral, Real

import numpy as np
from sklearn.utils._param_validation import Interval, validate_params

from sklcnn.datasets.base import draw_entropy, stream
from sklcnn.datasets.images.arrays import check_input_shape

__all__ = ["make_blob_images"]

_WIDTHS = (0.05, 0.15)  # of the blobs, in parts of the shorter side
_CONTRASTS = (0.15, 0.4)  # of the blobs, in parts of the range from black to white


@validate_params(
    {
        "n_samples": [Interval(Integral, 1, None, closed="left")],
        "n_classes": [Interval(Integral, 2, None, closed="left")],
        "n_blobs": [Interval(Integral, 1, None, closed="left")],
        "jitter": [Interval(Real, 0, None, closed="left")],
        "lighting": [Interval(Real, 0, None, closed="left")],
        "noise": [Interval(Real, 0, None, closed="left")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_blob_images(
    *,
    n_samples: int = 400,
    n_classes: int = 40,
    input_shape: tuple[int, int] = (32, 32),
    n_blobs: int = 6,
    jitter: float = 1.0,
    lighting: float = 0.2,
    noise: float = 0.05,
    random_state: int | np.random.RandomState | None = None,
):
    r"""Generate smooth gray images: each class is an arrangement of bright and dark blobs.

    On a gray of 0.5, a class has ``n_blobs`` Gaussian bumps with places, widths, brightness and
    sign of its own. A sample moves each of them a little, lights the scene from a random side, and
    adds noise. Like aligned portraits, of which many persons have few pictures each, its classes
    differ in smooth structures at known places. It is no model of faces.

    Parameters
    ----------
    n_samples : int, default=400
        Number of images. Classes are balanced, as far as the number allows, and shuffled.
    n_classes : int, default=40
        Number of classes.
    input_shape : tuple of (height, width), default=(32, 32)
        Shape of one image.
    n_blobs : int, default=6
        Blobs per class.
    jitter : float, default=1.0
        Standard deviation, in pixels along each axis, of the place of each blob in each image.
    lighting : float, default=0.2
        Standard deviation of the slopes of the light, a plane over the image: of the difference of
        brightness from top to bottom and from left to right.
    noise : float, default=0.05
        Standard deviation of the noise per pixel.
    random_state : int, RandomState instance or None, default=None
        Source of the classes and, from streams independent of it, of the images.

    Returns
    -------
    X : ndarray of shape (n_samples, height * width)
        The images, clipped to brightness from 0 to 1.
    y : ndarray of shape (n_samples,)
        The classes, from 0.

    See Also
    --------
    sklearn.datasets.fetch_olivetti_faces : Real portraits of 40 persons, to download.

    Examples
    --------
    >>> from sklcnn.datasets.images import make_blob_images
    >>> X, y = make_blob_images(n_samples=6, n_classes=3, input_shape=(16, 12), random_state=0)
    >>> X.shape
    (6, 192)
    >>> y
    array([2, 0, 2, 1, 0, 1])
    """
    height, width = _check_sides(input_shape)
    entropy = draw_entropy(random_state)
    y = stream(entropy, "labels").permutation(np.arange(n_samples) % n_classes)
    centers, widths, contrasts = _draw_classes(
        n_classes, n_blobs, (height, width), stream(entropy, "classes")
    )
    moves = stream(entropy, "jitter").standard_normal((n_samples, n_blobs, 2))
    centers = centers[y] + jitter * moves  # (n_samples, n_blobs, 2)
    X = 0.5 + _draw_blobs(centers, widths[y], contrasts[y], (height, width))
    X += lighting * _draw_light(n_samples, (height, width), stream(entropy, "lighting"))
    X += noise * stream(entropy, "noise").standard_normal(X.shape)
    return X.reshape(n_samples, -1).clip(0, 1), y


def _check_sides(input_shape):
    if not np.iterable(input_shape) or len(tuple(input_shape)) != 2:
        raise ValueError(f"input_shape={input_shape!r} must be (height, width).")
    return check_input_shape(input_shape)[1:]


def _draw_classes(n_classes, n_blobs, sides, rng):
    """Centers (n_classes, n_blobs, 2), and widths and contrasts (n_classes, n_blobs), of blobs."""
    shape = (n_classes, n_blobs)
    centers = rng.uniform(0.15, 0.85, (*shape, 2)) * np.subtract(sides, 1)
    widths = rng.uniform(*_WIDTHS, shape) * min(sides)
    contrasts = rng.uniform(*_CONTRASTS, shape) * rng.choice([-1, 1], shape)
    return centers, widths, contrasts


def _draw_blobs(centers, widths, contrasts, sides):
    """Sums of Gaussian bumps, (n_samples, height, width): each a product of two profiles."""
    rows, columns = (
        np.exp(-(((np.arange(side) - centers[..., axis, None]) / widths[..., None]) ** 2) / 2)
        for axis, side in enumerate(sides)
    )  # (n_samples, n_blobs, height), (n_samples, n_blobs, width)
    return (contrasts[..., None] * rows).swapaxes(1, 2) @ columns


def _draw_light(n_samples, sides, rng):
    """Planes of mean zero, (n_samples, height, width), with standard normal slopes."""
    down, right = rng.standard_normal((2, n_samples, 1, 1))
    rows, columns = (np.linspace(-0.5, 0.5, side) if side > 1 else np.zeros(1) for side in sides)
    return down * rows[:, None] + right * columns
