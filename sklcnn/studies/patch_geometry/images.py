"""Images without labels, as the study takes them."""

import zipfile
from pathlib import Path

import numpy as np

from sklcnn.datasets import load_digit_images
from sklcnn.studies.tables import InvalidInputError

__all__ = ["channels_first", "digit_images", "read_images"]

_KEYS = ("x_train", "train_images", "images_train", "x", "images", "data")
_CHANNELS = (1, 3, 4)  # gray, color, color and opacity


def digit_images():
    """Return scikit-learn's handwritten digits.

    Returns
    -------
    images : dict
        Arguments of :func:`sklcnn.studies.patch_study`.
    """
    digits = load_digit_images(dtype="uint8")
    return {"name": "digits", "X": digits.data, "input_shape": digits.input_shape}


def read_images(path, input_shape=None):
    """Read images from an NPZ file; labels are not needed.

    Parameters
    ----------
    path : str or path-like
        The file. It holds images as ``X_train``, ``X``, ``images`` or the like, of shape
        (n_samples, height, width), (n_samples, channels, height, width) or (n_samples, height,
        width, channels); or flat. Training images go before all others.
    input_shape : tuple of int or None, default=None
        Shape of one flat image, (height, width) or (channels, height, width).

    Returns
    -------
    images : dict
        Arguments of :func:`sklcnn.studies.patch_study`.

    Raises
    ------
    InvalidInputError
        If the file cannot be read as such.
    """
    X = channels_first(_read_array(Path(path)), input_shape)
    if input_shape is None and X.ndim in (3, 4):
        input_shape = X.shape[1:]
    return {"name": Path(path).stem, "X": X, "input_shape": input_shape}


def channels_first(X, input_shape=None):
    """Return images with the axis of their channels before those of their pixels.

    Parameters
    ----------
    X : ndarray
        The images.
    input_shape : tuple of int or None, default=None
        Shape of one image, where it is known.

    Returns
    -------
    X : ndarray
        The same. Images of shape (n_samples, height, width, channels) are told by their 1, 3 or 4
        channels, which are fewer than the pixels of a side, and come as (n_samples, channels,
        height, width); unless ``input_shape`` says something else.
    """
    if X.ndim != 4 or X.shape[3] not in _CHANNELS or X.shape[3] >= min(X.shape[1:3]):
        return X
    moved = np.moveaxis(X, 3, 1)
    return moved if input_shape is None or tuple(input_shape) == moved.shape[1:] else X


def _read_array(path):
    """Return the images of the file as they are stored."""
    if path.is_dir() or not path.exists():
        what = "is a directory, not a file" if path.is_dir() else "no such file"
        raise InvalidInputError(str(path), what)
    if not zipfile.is_zipfile(path):
        raise InvalidInputError(str(path), "is not an NPZ file, as numpy.savez writes them")
    with np.load(path, allow_pickle=False) as arrays:
        names = {name.lower(): name for name in arrays.files}
        key = next((key for key in _KEYS if key in names), None)
        if key is None:
            held = ", ".join(arrays.files) or "nothing"
            raise InvalidInputError(
                str(path), f"holds no images as X_train, X or images; it holds {held}"
            )
        try:
            return arrays[names[key]]
        except (OSError, ValueError, zipfile.BadZipFile) as error:
            said = str(error).splitlines()[0]
            message = f"the array '{names[key]}' cannot be read ({said})"
            raise InvalidInputError(str(path), message) from None
