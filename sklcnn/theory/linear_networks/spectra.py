r"""Real orthonormal coordinates, in groups, on which the penalties of linear networks are sums.

A penalty of the coefficients has one coordinate in each group. One of the discrete Fourier
transform has two where a frequency and its negative are different, since a real signal has complex
conjugates there.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arguments import check_finite

__all__ = [
    "Coordinates",
    "check_input_shape",
    "fourier_coef",
    "fourier_coordinates",
    "invert_spectrum",
    "plain_coordinates",
]


class Coordinates(NamedTuple):
    """Orthonormal coordinates of signals, and which of them a penalty takes together."""

    input_shape: tuple[int, ...]  # of the signals that are transformed; () to leave them alone
    group: np.ndarray  # (n_features,) number of the group that a coordinate is in
    multiplicity: np.ndarray  # (n_groups,) how many entries of the spectrum have its amplitude

    def forward(self, signals):
        """Coordinates of signals, (..., n_features)."""
        if not self.input_shape:
            return signals
        spectrum, partner = fourier_coef(signals, self.input_shape), _partners(self.input_shape)
        return _where(
            partner,
            spectrum.real,
            np.sqrt(2) * spectrum.real,
            np.sqrt(2) * spectrum[..., partner].imag,
        )

    def backward(self, coordinates):
        """Signals with these coordinates, (..., n_features)."""
        if not self.input_shape:
            return coordinates
        partner = _partners(self.input_shape)
        pair = (coordinates + 1j * coordinates[..., partner]) / np.sqrt(2)
        swapped = (coordinates[..., partner] - 1j * coordinates) / np.sqrt(2)
        return invert_spectrum(_where(partner, coordinates, pair, swapped), self.input_shape)

    def amplitudes(self, coordinates):
        """Absolute value of the entry of the spectrum that a group stands for, (n_groups,)."""
        squares = np.bincount(self.group, coordinates**2, len(self.multiplicity))
        return np.sqrt(squares / self.multiplicity)


def plain_coordinates(n_features):
    """Coefficients as they are, each a group."""
    return Coordinates((), np.arange(n_features), np.ones(n_features))


def fourier_coordinates(input_shape):
    """Real and imaginary parts of the unitary transform, grouped by conjugate pairs.

    The real part, times the root of two, stands at the frequency that comes first in the order of
    the transform, the imaginary part at its negative.
    """
    partner = _partners(input_shape)
    first = np.minimum(partner, np.arange(len(partner)))
    _, group, multiplicity = np.unique(first, return_inverse=True, return_counts=True)
    return Coordinates(input_shape, group, multiplicity.astype(float))


def fourier_coef(
    coef: ArrayLike, input_shape: tuple[int, ...] | None = None
) -> NDArray[np.complex128]:
    r"""Return the unitary discrete Fourier transform of the predictor of a linear network.

    It is circular along every axis of the input,

    .. math:: \hat\beta_d = \frac{1}{\sqrt D} \sum_j \beta_j \, e^{-2 \pi i \langle j, d \rangle}

    with *D* features, positions *j* and frequencies *d* in cycles per input.

    Parameters
    ----------
    coef : array-like of shape (..., n_features)
        Coefficients of predictors, or any other real signals.
    input_shape : tuple of int, default=None
        (length,) or (height, width) of the signals, which are raveled; None for a signal with one
        axis.

    Returns
    -------
    spectrum : ndarray of shape (..., n_features)
        Complex; raveled in the order of :func:`numpy.fft.fftn`. Reshape it to `input_shape` to see
        the two axes of an image.

    Raises
    ------
    ValueError
        If a number is not finite or the shape does not fit.

    Examples
    --------
    >>> from sklcnn.theory import fourier_coef
    >>> fourier_coef([1.0, 1.0, 1.0, 1.0]).real
    array([2., 0., 0., 0.])
    """
    signals = check_finite("coef", coef)
    if not signals.size or not signals.ndim:
        raise ValueError(f"coef must have shape (..., n_features), got {signals.shape}.")
    shape = check_input_shape(input_shape, signals.shape[-1])
    axes = tuple(range(-len(shape), 0))
    grid = signals.reshape(*signals.shape[:-1], *shape)
    return np.fft.fftn(grid, axes=axes, norm="ortho").reshape(signals.shape)


def check_input_shape(input_shape, n_features):
    """Return the shape of a signal as a tuple, or say what is wrong with it."""
    shape = (n_features,) if input_shape is None else tuple(np.atleast_1d(input_shape).tolist())
    if len(shape) not in (1, 2) or np.prod(shape) != n_features:
        raise ValueError(
            f"input_shape must be (length,) or (height, width) with {n_features} features in all, "
            f"got {input_shape}."
        )
    return shape


def invert_spectrum(spectrum, shape):
    """Real signals with these spectra, (..., n_features)."""
    axes = tuple(range(-len(shape), 0))
    grid = spectrum.reshape(*spectrum.shape[:-1], *shape)
    return np.fft.ifftn(grid, axes=axes, norm="ortho").real.reshape(spectrum.shape)


def _partners(shape):
    """Where the negative of each frequency stands, (n_features,)."""
    negatives = [-np.arange(length) % length for length in shape]
    return np.arange(np.prod(shape)).reshape(shape)[np.ix_(*negatives)].ravel()


def _where(partner, alone, first, second):
    """Entries at frequencies that are their own negatives, first and second of their pairs."""
    order = np.arange(len(partner))
    return np.where(partner == order, alone, np.where(order < partner, first, second))
