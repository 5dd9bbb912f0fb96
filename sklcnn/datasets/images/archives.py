"""Images in NPZ files, under the names that people give them."""

import zipfile
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike

from sklcnn.datasets.images.arrays import check_input_shape
from sklcnn.datasets.images.bundles import bundle_images, check_dtype, check_subset

__all__ = ["load_npz_images"]

_IMAGES = ("x", "images", "data")
_LABELS = ("y", "labels", "label", "target", "targets")
_NAMES = ("classes", "class_names", "target_names", "label_names")
_PATTERNS = {"all": ("{}",), "train": ("{}_train", "train_{}"), "test": ("{}_test", "test_{}")}
_CHANNELS = (1, 3, 4)  # gray, color, color and opacity


def load_npz_images(
    path: str | PathLike[str],
    *,
    subset: str = "all",
    input_shape: tuple[int, ...] | None = None,
    channel_axis: str = "auto",
    dtype: DTypeLike = "float32",
    return_X_y: bool = False,
):
    """Load images and labels from an NPZ file, as `numpy.savez` writes them.

    Parameters
    ----------
    path : str or path-like
        The file. It holds images as ``X``, ``images`` or ``data`` and labels as ``y``, ``labels``
        or ``target``; or a training and a test set of these, as ``X_train`` or ``train_images`` and
        so on. Upper and lower case are alike. ``classes`` or ``target_names``, if there, name the
        classes.
    subset : {"train", "test", "all"}, default="all"
        Which images, if the file holds a training and a test set; "all" is one after the other.
    input_shape : tuple of int, default=None
        Shape of one image, (height, width) or (channels, height, width). Needed for images that are
        stored flat.
    channel_axis : {"auto", "first", "last"}, default="auto"
        Where images of three axes have their channels. "auto" looks for the axis of 1, 3 or 4.
    dtype : {"float32", "float64", "uint8"}, default="float32"
        Type of the pixels. Whole numbers, which must be from 0 to 255, become brightness from 0 to
        1 as floats and stay what they are as "uint8"; floats keep their values.
    return_X_y : bool, default=False
        Whether to return only ``(data, target)``.

    Returns
    -------
    images : `sklearn.utils.Bunch`
        With the fields

        data : ndarray of shape (n_samples, n_features)
            The images, channel after channel, row after row.
        target : ndarray of shape (n_samples,)
            The labels as they are stored.
        target_names : ndarray of shape (n_classes,)
            Names of the classes; without any in the file, the sorted labels.
        input_shape : tuple of int
            Shape of one image: the ``input_shape`` of a network.
    (data, target) : tuple
        Only if ``return_X_y=True``.

    Raises
    ------
    ValueError
        If the file is no NPZ file or does not hold images with labels; the message names the file
        and the array.

    See Also
    --------
    load_image_folder : Images in files of their own.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np
    >>> from sklcnn.datasets.images import load_npz_images
    >>> photographs = np.zeros((6, 32, 32, 3), dtype=np.uint8)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "pets.npz")
    ...     np.savez(path, X=photographs, y=[0, 1, 0, 1, 0, 1], classes=["cat", "dog"])
    ...     pets = load_npz_images(path)
    >>> pets.data.shape, pets.input_shape
    ((6, 3072), (3, 32, 32))
    >>> pets.target_names[pets.target[:2]]
    array(['cat', 'dog'], dtype='<U3')
    """
    check_subset(subset)
    check_dtype(dtype)
    if channel_axis not in ("auto", "first", "last"):
        raise ValueError(f"channel_axis={channel_axis!r} must be 'auto', 'first' or 'last'.")
    path = Path(path)
    arrays = _read(path)
    images, labels = [], []
    for image_key, label_key in _choose(path, arrays, subset):
        images.append(_orient(path, image_key, arrays[image_key], input_shape, channel_axis))
        labels.append(_flatten_labels(path, label_key, arrays[label_key], len(images[-1])))
    _check_alike(path, images)
    target = np.concatenate(labels)
    return bundle_images(
        np.concatenate(images),
        target,
        _find_names(path, arrays, target),
        dtype=dtype,
        return_X_y=return_X_y,
    )


def _read(path):
    """Return the file's arrays by name; they are read on access."""
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file.")
    if not path.is_file() or not zipfile.is_zipfile(path):
        raise ValueError(f"{path} is no NPZ file, as numpy.savez writes them.")
    return _Arrays(path)


class _Arrays:
    """Arrays of an NPZ file by their names in lower case, each read when it is asked for."""

    def __init__(self, path):
        self.path = path
        with np.load(path, allow_pickle=False) as archive:
            self.names = {name.lower(): name for name in archive.files}

    def __contains__(self, key):
        return key in self.names

    def __getitem__(self, key):
        try:
            with np.load(self.path, allow_pickle=False) as archive:
                return archive[self.names[key]]
        except (ValueError, zipfile.BadZipFile) as error:
            raise ValueError(
                f"{self.path}: the array '{self.names[key]}' cannot be read ({error}). Store "
                "numbers or text, not Python objects."
            ) from error


def _choose(path, arrays, subset):
    """Pairs of keys of images and labels to hand out."""
    parts = {part: _find_pair(path, arrays, part) for part in _PATTERNS}
    if subset != "all":
        chosen = [parts[subset]]
    elif parts["all"]:
        chosen = [parts["all"]]
    else:
        chosen = [parts[part] for part in ("train", "test") if parts[part]]
    if not chosen or None in chosen:
        held = ", ".join(arrays.names.values()) or "nothing"
        ending = "" if subset == "all" else f"_{subset}"
        raise ValueError(
            f"{path} holds no images for subset={subset!r}. Needed are X{ending} and y{ending}, "
            f"or images{ending} and labels{ending}; it holds {held}."
        )
    return chosen


def _find_pair(path, arrays, part):
    """Keys of the images and labels of a part, None if it has no images."""
    images = _find(arrays, part, _IMAGES)
    if images is None:
        return None
    labels = _find(arrays, part, _LABELS)
    if labels is None:
        wanted = " or ".join(_PATTERNS[part][0].format(word) for word in ("y", "labels", "target"))
        raise ValueError(
            f"{path} holds images '{arrays.names[images]}' without labels: store them as {wanted}."
        )
    return images, labels


def _find(arrays, part, words):
    keys = (pattern.format(word) for pattern in _PATTERNS[part] for word in words)
    return next((key for key in keys if key in arrays), None)


def _orient(path, key, images, input_shape, channel_axis):
    """Images of shape (n_samples, height, width) or (n_samples, channels, height, width)."""
    what = f"{path}: the array '{key}' of shape {images.shape}"
    _check_pixels(what, images)
    if images.ndim == 4:
        images = _channels_first(what, images, channel_axis)
    if input_shape is not None:
        return _reshape(what, images, input_shape)
    if images.ndim == 2:
        raise ValueError(f"{what} holds flat images: give their input_shape, such as (28, 28).")
    return images


def _check_pixels(what, images):
    if images.ndim not in (2, 3, 4) or images.size == 0:
        raise ValueError(
            f"{what} does not hold images. Shapes that would do are (n_samples, height, width), "
            "(n_samples, channels, height, width) and (n_samples, height, width, channels)."
        )
    if images.dtype.kind not in "biuf":
        raise ValueError(f"{what} holds {images.dtype}: pixels must be numbers.")
    if images.dtype.kind in "iu" and (images.min() < 0 or images.max() > 255):
        raise ValueError(
            f"{what} holds whole numbers from {images.min()} to {images.max()}: they must be from "
            "0 to 255. Store other ranges as floats."
        )


def _channels_first(what, images, channel_axis):
    if channel_axis == "auto":
        places = {"first": images.shape[1], "last": images.shape[3]}
        found = [place for place, size in places.items() if size in _CHANNELS]
        if len(found) != 1:
            raise ValueError(
                f"{what} has channels on its second or on its last axis: say which by "
                "channel_axis='first' or channel_axis='last'."
            )
        channel_axis = found[0]
    if channel_axis == "last":
        images = np.moveaxis(images, 3, 1)  # (n_samples, channels, height, width)
    return images[:, 0] if images.shape[1] == 1 else images


def _reshape(what, images, input_shape):
    channels, *sides = check_input_shape(input_shape)
    shape = (channels, *sides) if channels > 1 else tuple(sides)
    if images.shape[1:] not in ((np.prod(shape),), shape):
        raise ValueError(
            f"{what} does not fit input_shape={tuple(input_shape)}, which has {np.prod(shape)} "
            "pixels in all."
        )
    return images.reshape(len(images), *shape)


def _check_alike(path, images):
    """Refuse training and test images that do not go into one array."""
    if len({(stack.shape[1:], stack.dtype.kind in "iu") for stack in images}) > 1:
        train, test = (f"{stack.dtype} of shape {stack.shape[1:]}" for stack in images)
        raise ValueError(
            f"{path}: training images are {train}, test images {test}: they must be alike, or load "
            "one subset at a time."
        )


def _flatten_labels(path, key, labels, n_samples):
    """Labels of shape (n_samples,), also if they are stored as a column."""
    if labels.shape not in ((n_samples,), (n_samples, 1)):
        raise ValueError(
            f"{path}: the array '{key}' has shape {labels.shape}, but there are {n_samples} "
            f"images: it must have shape ({n_samples},), one label each."
        )
    return labels.ravel()


def _find_names(path, arrays, target):
    """Names of the classes, which must cover all labels."""
    key = next((key for key in _NAMES if key in arrays), None)
    if key is None:
        return np.unique(target)
    names = arrays[key]
    labels = np.unique(target)
    known = np.arange(len(names)) if labels.dtype.kind in "biu" else names
    strange = np.setdiff1d(labels, known)
    if len(strange):
        raise ValueError(
            f"{path}: the label {strange[0]!r} is none of the {len(names)} classes that '{key}' "
            "names. Whole-number labels count the classes from 0."
        )
    return names
