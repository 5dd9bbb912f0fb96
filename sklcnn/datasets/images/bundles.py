"""What every loader of images returns: flat images in one range of values, and their shape."""

import numpy as np
from sklearn.utils import Bunch

__all__ = ["bundle_images", "check_dtype", "check_subset"]

_DTYPES = ("float32", "float64", "uint8")
_SUBSETS = ("train", "test", "all")


def check_dtype(dtype):
    """Return the numpy dtype of the pixels to hand out, or say which there are."""
    try:
        found = np.dtype(dtype)
    except TypeError:
        found = None
    if dtype is None or found is None or found.name not in _DTYPES:
        raise ValueError(f"dtype={dtype!r} must be one of {', '.join(map(repr, _DTYPES))}.")
    return found


def check_subset(subset):
    """Return which part of the data to hand out, or say which there are."""
    if subset not in _SUBSETS:
        raise ValueError(f"subset={subset!r} must be one of {', '.join(map(repr, _SUBSETS))}.")
    return subset


def bundle_images(images, target, target_names, *, dtype, return_X_y, white=255, **more):
    """Return images of shape (n_samples, *input_shape) as a Bunch, or as the pair (X, y).

    Whole numbers from 0 to ``white`` become brightness from 0 to 1, unless ``dtype`` is uint8.
    """
    data = _scale(images, check_dtype(dtype), white).reshape(len(images), -1)
    if return_X_y:
        return data, target
    return Bunch(
        data=data,
        target=target,
        target_names=np.asarray(target_names),
        input_shape=tuple(images.shape[1:]),
        **more,
    )


def _scale(pixels, dtype, white):
    if pixels.dtype.kind == "f":
        if dtype == np.uint8:
            raise ValueError(
                "dtype='uint8' needs pixels stored as whole numbers, but they are stored as "
                f"{pixels.dtype}: use 'float32' or 'float64'."
            )
        return pixels.astype(dtype, copy=False)
    if pixels.dtype == bool or dtype == np.uint8:
        return pixels.astype(dtype, copy=False)
    return np.divide(pixels, dtype.type(white), dtype=dtype)
