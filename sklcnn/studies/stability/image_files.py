"""Images from a file, as the study takes them."""

import zipfile
from pathlib import Path

import numpy as np

from sklcnn.studies.patch_geometry.images import read_images
from sklcnn.studies.tables import InvalidInputError

__all__ = ["read_image_file"]


def read_image_file(path, input_shape=None):
    """Read training images, and test images if the file has some.

    Parameters
    ----------
    path : str or path-like
        An ``.npz`` file, see :func:`sklcnn.studies.patch_geometry.images.read_images`; test images
        are called ``X_test`` and are laid out as the others.
    input_shape : tuple of int or None, default=None
        Shape of one flat image, (height, width) or (channels, height, width).

    Returns
    -------
    fields : dict
        Of :class:`sklcnn.studies.ImageRegression`.

    Raises
    ------
    InvalidInputError
        If the file cannot be read as such.
    """
    found = read_images(path, input_shape)
    fields = {"X": found["X"], "input_shape": found["input_shape"], "data": found["name"]}
    test = _read_test(Path(path))
    if test is not None and test.ndim == 4 and test.shape[1:] != found["X"].shape[1:]:
        test = np.moveaxis(test, 3, 1)  # (n_test, channels, height, width), as in read_images
    return fields | {"X_test": test}


def _read_test(path):
    """Return the test images as they are stored, or None."""
    with np.load(path, allow_pickle=False) as arrays:
        names = {name.lower(): name for name in arrays.files}
        if "x_test" not in names:
            return None
        try:
            return arrays[names["x_test"]]
        except (OSError, ValueError, zipfile.BadZipFile) as error:
            said = str(error).splitlines()[0]
            message = f"the array '{names['x_test']}' cannot be read ({said})"
            raise InvalidInputError(str(path), message) from None
