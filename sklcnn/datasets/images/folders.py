"""Images in folders, one for each class."""

from numbers import Integral
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike

from sklcnn.datasets.images.bundles import bundle_images, check_dtype, check_subset

__all__ = ["load_image_folder"]

_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")
_GREY_MODES = ("1", "L", "LA")  # Pillow's names of pixels that have no color
_DEEP_MODES = ("I", "F")  # the beginnings of its names of pixels with more than 8 bits


def load_image_folder(
    path: str | PathLike[str],
    *,
    subset: str = "all",
    size: int | tuple[int, int] | None = None,
    grayscale: bool | None = None,
    dtype: DTypeLike = "float32",
    return_X_y: bool = False,
):
    """Load image files from a folder that has one subfolder per class.

    Parameters
    ----------
    path : str or path-like
        The folder. The names of its subfolders are the classes, the PNG, JPEG, BMP and WebP files
        in them, at any depth, the images. Or it has subfolders ``train`` and ``test``, and these
        have the classes.
    subset : {"train", "test", "all"}, default="all"
        Which images, if there are ``train`` and ``test``; "all" is one after the other.
    size : int or tuple of (height, width), default=None
        What to resize all images to; an int makes squares. None needs files of equal size.
    grayscale : bool, default=None
        Whether images are gray. None is gray if all files are, and color otherwise.
    dtype : {"float32", "float64", "uint8"}, default="float32"
        Type of the pixels. Floats are brightness from 0 to 1, "uint8" counts from 0 to 255.
    return_X_y : bool, default=False
        Whether to return only ``(data, target)``.

    Returns
    -------
    images : `sklearn.utils.Bunch`
        With the fields

        data : ndarray of shape (n_samples, n_features)
            The images in the order of their file names, class after class: row after row if gray,
            else the red plane, the green one and the blue one.
        target : ndarray of shape (n_samples,)
            The classes, from 0.
        target_names : ndarray of shape (n_classes,)
            The names of the subfolders in alphabetical order.
        input_shape : tuple of int
            Shape of one image, (height, width) or (3, height, width): the ``input_shape`` of a
            network.
        filenames : ndarray of shape (n_samples,)
            The files.
    (data, target) : tuple
        Only if ``return_X_y=True``.

    Raises
    ------
    ValueError
        If the folder has no such form or a file cannot be read; the message names it.

    See Also
    --------
    load_npz_images : Images in one NPZ file.
    sklearn.datasets.load_files : The same for texts.

    Notes
    -----
    Opacity is dropped. Resizing is bicubic and does not keep the ratio of the sides. All images are
    in memory at once, in 8 bits, before they become floats.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np
    >>> from PIL import Image
    >>> from sklcnn.datasets.images import load_image_folder
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name, brightness in [("day", 255), ("night", 0)]:
    ...         pathlib.Path(folder, name).mkdir()
    ...         pixels = np.full((8, 10), brightness, dtype=np.uint8)
    ...         Image.fromarray(pixels).save(pathlib.Path(folder, name, "1.png"))
    ...     sky = load_image_folder(folder)
    >>> sky.data.shape, sky.input_shape, sky.target_names.tolist()
    ((2, 80), (8, 10), ['day', 'night'])
    >>> sky.data.mean(axis=1), sky.target
    (array([1., 0.], dtype=float32), array([0, 1]))
    """
    check_subset(subset)
    check_dtype(dtype)
    sides = _check_size(size)
    classes, files, target = _list_files(Path(path), subset)
    if grayscale is None:
        grayscale = all(_mode(file) in _GREY_MODES for file in files)
    images = [_read(file, sides, grayscale) for file in files]
    _check_equal(files, images)
    return bundle_images(
        np.stack(images),
        target,
        classes,
        dtype=dtype,
        return_X_y=return_X_y,
        filenames=np.array([str(file) for file in files]),
    )


def _check_size(size):
    """Return (height, width), or None to keep the sizes of the files."""
    if size is None:
        return None
    sides = (size, size) if isinstance(size, Integral) else tuple(size)
    if len(sides) != 2 or not all(isinstance(side, Integral) and side >= 1 for side in sides):
        raise ValueError(f"size={size!r} must be a whole number or (height, width), at least 1.")
    return sides


def _list_files(path, subset):
    """Names of the classes, the files, and the class of each file as an integer."""
    if not path.is_dir():
        raise FileNotFoundError(f"{path}: no such folder.")
    parts = _find_parts(path, subset)
    classes = sorted({folder.name for part in parts for folder in _subfolders(part)})
    if not classes:
        raise ValueError(f"{path} has no subfolders: put the images of each class into one.")
    files, target = [], []
    for part in parts:
        for folder in _subfolders(part):
            found = _image_files(folder)
            files += found
            target += [classes.index(folder.name)] * len(found)
    return classes, files, np.array(target)


def _find_parts(path, subset):
    """Folders that have the classes as subfolders."""
    names = {folder.name for folder in _subfolders(path)}
    if {"train", "test"} <= names:
        return [path / part for part in ("train", "test") if subset in ("all", part)]
    if subset != "all":
        raise ValueError(
            f"{path} has no subfolders train and test, which subset={subset!r} needs: use 'all'."
        )
    return [path]


def _subfolders(path):
    return sorted(
        folder for folder in path.iterdir() if folder.is_dir() and not folder.name.startswith(".")
    )


def _image_files(folder):
    files = [file for file in folder.rglob("*") if file.suffix.lower() in _SUFFIXES]
    files = sorted(file for file in files if not file.name.startswith("."))
    if not files:
        raise ValueError(
            f"{folder} holds no images: known are files that end in {', '.join(_SUFFIXES)}."
        )
    return files


def _mode(file):
    """Pillow's name for the kind of pixels, for which only the header is read."""
    from PIL import Image  # here, so that only image files need Pillow

    try:
        with Image.open(file) as image:
            return image.mode
    except OSError as error:
        raise ValueError(f"{file} cannot be read as an image: {error}.") from error


def _read(file, sides, grayscale):
    """Pixels of a file, (height, width) or (3, height, width), upright."""
    from PIL import Image, ImageOps

    try:
        with Image.open(file) as image:
            if image.mode.startswith(_DEEP_MODES):
                raise ValueError(
                    f"{file} has pixels of more than 8 bits (mode {image.mode}): convert them to 8 "
                    "bits, or store the images as floats in an NPZ file."
                )
            upright = ImageOps.exif_transpose(image).convert("L" if grayscale else "RGB")
    except (OSError, SyntaxError) as error:  # Pillow's word for broken PNG files
        raise ValueError(f"{file} cannot be read as an image: {error}.") from error
    if sides is not None:
        upright = upright.resize(sides[::-1], Image.Resampling.BICUBIC)
    pixels = np.asarray(upright)  # (height, width) or (height, width, 3)
    return pixels if grayscale else np.moveaxis(pixels, 2, 0)  # (3, height, width)


def _check_equal(files, images):
    for file, image in zip(files, images, strict=True):
        if image.shape != images[0].shape:
            raise ValueError(
                f"{file} has {_sides(image)} pixels, but {files[0]} has {_sides(images[0])}: give "
                "a size to resize all images to."
            )


def _sides(image):
    return " x ".join(map(str, image.shape[-2:]))
