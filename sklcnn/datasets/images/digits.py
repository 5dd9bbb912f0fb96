"""Scikit-learn's handwritten digits, in the form of all our images."""

from numpy.typing import DTypeLike
from sklearn.datasets import load_digits

from sklcnn.datasets.images.bundles import bundle_images

__all__ = ["load_digit_images"]


def load_digit_images(*, dtype: DTypeLike = "float32", return_X_y: bool = False):
    """Load the 1797 handwritten digits of 8 x 8 pixels that come with scikit-learn.

    Parameters
    ----------
    dtype : {"float32", "float64", "uint8"}, default="float32"
        Type of the pixels. Floats are brightness from 0 to 1, "uint8" keeps the stored counts from
        0 to 16.
    return_X_y : bool, default=False
        Whether to return only ``(data, target)``.

    Returns
    -------
    images : `sklearn.utils.Bunch`
        With the fields

        data : ndarray of shape (1797, 64)
            The images, row after row.
        target : ndarray of shape (1797,)
            The digits, as integers.
        target_names : ndarray of shape (10,)
            The digits, as text.
        input_shape : tuple of int
            Shape of one image, (8, 8): the ``input_shape`` of a network.
        DESCR : str
            The description of the data.
    (data, target) : tuple
        Only if ``return_X_y=True``.

    See Also
    --------
    sklearn.datasets.load_digits : The same data with counts from 0 to 16.
    fetch_mnist : Larger digits, and 70,000 of them.

    Examples
    --------
    >>> from sklcnn.datasets.images import load_digit_images
    >>> digits = load_digit_images()
    >>> digits.data.shape, digits.input_shape
    ((1797, 64), (8, 8))
    >>> float(digits.data.max())
    1.0
    """
    digits = load_digits()
    return bundle_images(
        digits.images.astype("uint8"),
        digits.target,
        [str(name) for name in digits.target_names],
        dtype=dtype,
        return_X_y=return_X_y,
        white=16,
        DESCR=digits.DESCR,
    )
