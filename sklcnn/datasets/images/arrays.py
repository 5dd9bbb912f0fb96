"""Rows of a matrix as stacks of planes, and back."""

from numbers import Integral

import numpy as np
from sklearn.utils import check_array

__all__ = ["check_input_shape", "unravel_images"]


def check_input_shape(input_shape, name="input_shape"):
    """Return (channels, height, width); a signal of one axis has height 1.

    Parameters
    ----------
    input_shape : int or tuple of int
        A length, (length,), (height, width) or (channels, height, width).
    name : str, default="input_shape"
        What the parameter is called.
    """
    shape = tuple(input_shape) if np.iterable(input_shape) else (input_shape,)
    are_sizes = all(isinstance(side, Integral) and side >= 1 for side in shape)
    if not are_sizes or not 1 <= len(shape) <= 3:
        raise ValueError(
            f"{name}={input_shape!r} must be (length,), (height, width) or (channels, height, "
            "width), whole numbers of at least 1."
        )
    shape = tuple(int(side) for side in shape)
    return (1,) * (3 - len(shape)) + shape


def unravel_images(X, input_shape, name="X"):
    """Return X as an array of shape (n_samples, channels, height, width), of its own dtype.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features) or (n_samples, *input_shape)
        The images.
    input_shape : tuple of int
        Shape of one of them.
    name : str, default="X"
        What the array is called.
    """
    planes = check_input_shape(input_shape)
    X = check_array(X, dtype="numeric", allow_nd=True, input_name=name)
    sides = tuple(input_shape) if np.iterable(input_shape) else (input_shape,)
    if X.shape[1:] not in ((np.prod(sides),), sides):
        raise ValueError(
            f"{name} has shape {X.shape}, but input_shape={input_shape!r}: it must have shape "
            f"(n_samples, {np.prod(sides)}) or {('n_samples', *sides)}.".replace("'", "")
        )
    return X.reshape(len(X), *planes)
