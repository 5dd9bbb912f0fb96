"""MNIST and CIFAR-10, downloaded once from OpenML."""

from dataclasses import dataclass
from urllib.error import URLError

import numpy as np
from numpy.typing import DTypeLike
from sklearn.datasets import fetch_openml

from sklcnn.datasets.images.bundles import bundle_images, check_dtype, check_subset

__all__ = ["fetch_cifar10", "fetch_mnist"]


@dataclass(frozen=True)
class _Source:
    """Where a data set lies and how its file is laid out: training images first."""

    name: str
    data_id: int
    input_shape: tuple[int, ...]
    n_samples: int
    n_train: int
    target_names: tuple[str, ...]


_MNIST = _Source("MNIST", 554, (28, 28), 70_000, 60_000, tuple("0123456789"))
_CIFAR10 = _Source(
    "CIFAR-10",
    40927,
    (3, 32, 32),
    60_000,
    50_000,
    (
        "airplane",
        "automobile",
        "bird",
        "cat",
        "deer",
        "dog",
        "frog",
        "horse",
        "ship",
        "truck",
    ),
)


def fetch_mnist(
    *,
    subset: str = "train",
    data_home: str | None = None,
    dtype: DTypeLike = "float32",
    return_X_y: bool = False,
    n_retries: int = 3,
    delay: float = 1.0,
):
    """Load MNIST, 70,000 handwritten digits of 28 x 28 pixels, from the cache or from OpenML.

    Parameters
    ----------
    subset : {"train", "test", "all"}, default="train"
        The 60,000 training images, the 10,000 test images, or both, in this order.
    data_home : str or path-like, default=None
        Folder of the cache. None is scikit-learn's, see `sklearn.datasets.get_data_home`.
    dtype : {"float32", "float64", "uint8"}, default="float32"
        Type of the pixels. Floats are brightness from 0 to 1, "uint8" keeps the stored counts from
        0 to 255 in a quarter of the memory of "float32".
    return_X_y : bool, default=False
        Whether to return only ``(data, target)``.
    n_retries : int, default=3
        How often to try again after a failed download.
    delay : float, default=1.0
        Seconds between these tries.

    Returns
    -------
    images : `sklearn.utils.Bunch`
        With the fields

        data : ndarray of shape (n_samples, 784)
            The images, row after row.
        target : ndarray of shape (n_samples,)
            The digits, as integers.
        target_names : ndarray of shape (10,)
            The digits, as text.
        input_shape : tuple of int
            Shape of one image, (28, 28): the ``input_shape`` of a network.
        DESCR : str
            OpenML's description of the data.
    (data, target) : tuple
        Only if ``return_X_y=True``.

    Raises
    ------
    OSError
        If the data are not in the cache and OpenML cannot be reached.

    See Also
    --------
    load_digit_images : Smaller digits that need no download.

    Notes
    -----
    The first call downloads about 125 MB of text, which the cache keeps compressed; every call
    reads that text, which takes some seconds. In memory, all images are 55 MB as "uint8" and 220 MB
    as "float32".

    References
    ----------
    .. [1] LeCun, Bottou, Bengio, Haffner, "Gradient-Based Learning Applied to Document
       Recognition", Proceedings of the IEEE 86(11), 1998.

    Examples
    --------
    >>> from sklcnn.datasets.images import fetch_mnist
    >>> mnist = fetch_mnist(subset="test")  # doctest: +SKIP
    >>> mnist.data.shape, mnist.input_shape  # doctest: +SKIP
    ((10000, 784), (28, 28))
    """
    return _fetch(_MNIST, subset, data_home, dtype, return_X_y, n_retries, delay)


def fetch_cifar10(
    *,
    subset: str = "train",
    data_home: str | None = None,
    dtype: DTypeLike = "float32",
    return_X_y: bool = False,
    n_retries: int = 3,
    delay: float = 1.0,
):
    """Load CIFAR-10, 60,000 color photographs of 32 x 32 pixels, from the cache or from OpenML.

    Parameters
    ----------
    subset : {"train", "test", "all"}, default="train"
        The 50,000 training images, the 10,000 test images, or both, in this order.
    data_home : str or path-like, default=None
        Folder of the cache. None is scikit-learn's, see `sklearn.datasets.get_data_home`.
    dtype : {"float32", "float64", "uint8"}, default="float32"
        Type of the pixels. Floats are brightness from 0 to 1, "uint8" keeps the stored counts from
        0 to 255 in a quarter of the memory of "float32".
    return_X_y : bool, default=False
        Whether to return only ``(data, target)``.
    n_retries : int, default=3
        How often to try again after a failed download.
    delay : float, default=1.0
        Seconds between these tries.

    Returns
    -------
    images : `sklearn.utils.Bunch`
        With the fields

        data : ndarray of shape (n_samples, 3072)
            The images: the red plane row after row, then the green one, then the blue one.
        target : ndarray of shape (n_samples,)
            The classes, from 0 to 9.
        target_names : ndarray of shape (10,)
            Their names, so that ``target_names[target]`` are names.
        input_shape : tuple of int
            Shape of one image, (3, 32, 32): the ``input_shape`` of a network.
        DESCR : str
            OpenML's description of the data.
    (data, target) : tuple
        Only if ``return_X_y=True``.

    Raises
    ------
    OSError
        If the data are not in the cache and OpenML cannot be reached.

    Notes
    -----
    The first call downloads about 0.7 GB of text, which the cache keeps compressed; every call
    reads that text, which takes about half a minute and 0.7 GB of memory. In memory, all images are
    184 MB as "uint8" and 737 MB as "float32". To have them faster, save those that you need as
    "uint8" in an NPZ file, and read that with `load_npz_images`.

    References
    ----------
    .. [1] Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", technical report,
       University of Toronto, 2009.

    Examples
    --------
    >>> from sklcnn.datasets.images import fetch_cifar10
    >>> cifar = fetch_cifar10(subset="test", dtype="uint8")  # doctest: +SKIP
    >>> cifar.data.shape, cifar.input_shape  # doctest: +SKIP
    ((10000, 3072), (3, 32, 32))
    """
    return _fetch(_CIFAR10, subset, data_home, dtype, return_X_y, n_retries, delay)


def _fetch(source, subset, data_home, dtype, return_X_y, n_retries, delay):
    check_subset(subset)
    check_dtype(dtype)  # before the download
    stored = _download(source, data_home, n_retries, delay)
    _check_stored(source, stored.data)
    rows = {"train": slice(source.n_train), "test": slice(source.n_train, None), "all": slice(None)}
    chosen = rows[subset]
    return bundle_images(
        stored.data[chosen].reshape(-1, *source.input_shape),
        _encode(source, stored.target[chosen]),
        source.target_names,
        dtype=dtype,
        return_X_y=return_X_y,
        DESCR=stored.DESCR,
    )


def _download(source, data_home, n_retries, delay):
    """Return OpenML's data, read with the types that they need.

    Pixels are read as uint8, an eighth of the memory of int64. Labels are read as text: pandas from
    3.0 on turns categories that look like numbers into numbers, which scikit-learn's parser does
    not expect.
    """
    n_features = int(np.prod(source.input_shape))
    types = dict.fromkeys(range(n_features), "uint8") | {n_features: "str"}
    try:
        return fetch_openml(
            data_id=source.data_id,
            data_home=data_home,
            as_frame=False,
            parser="pandas",
            n_retries=n_retries,
            delay=delay,
            read_csv_kwargs={"dtype": types},
        )
    except (URLError, TimeoutError) as error:
        raise OSError(
            f"{source.name} is not in the cache, and OpenML (data_id={source.data_id}) cannot be "
            f"reached: {error}. Call once with access to the internet, or set data_home to a "
            "folder that holds the data."
        ) from error


def _check_stored(source, data):
    """Refuse a file that was changed since, where the first rows may not be the training set."""
    expected = source.n_samples, int(np.prod(source.input_shape))
    if data.shape != expected:
        raise ValueError(
            f"OpenML's file of {source.name} (data_id={source.data_id}) has shape {data.shape}, "
            f"but {expected} was expected. It may have changed: use sklearn.datasets.fetch_openml."
        )


def _encode(source, labels):
    """Classes as integers, whether the file holds their numbers or their names."""
    labels = [str(label).strip("'") for label in labels]
    codes = {str(code): code for code in range(len(source.target_names))}
    if not set(labels) <= set(codes):
        codes = {name: code for code, name in enumerate(source.target_names)}
    try:
        return np.array([codes[label] for label in labels], dtype=np.int64)
    except KeyError as error:
        raise ValueError(
            f"OpenML's file of {source.name} (data_id={source.data_id}) holds the unknown label "
            f"{error}; known are {', '.join(codes)}. Use sklearn.datasets.fetch_openml."
        ) from None
