r"""The norm that two-layer convolutional networks with narrow kernels put on their predictors.

Let :math:`a_d^2` be the squared absolute values of the spectra of the kernels at frequency *d*,
summed over the channels. The output layers of least norm with the predictor :math:`\beta` have
squared norm :math:`\sum_d |\hat\beta_d|^2 / a_d^2`; the norm is the least value of half of this
plus half the squared norm of the kernels. Both are convex in the Gram matrix of the kernels, summed
over the channels: a semidefinite program, which is solved here in its factors. With as many
channels as are taken a local minimum is generically global; the duality gap proves it.
"""

from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize

from .group_norms import Slope
from .spectra import fourier_coef, fourier_coordinates
from .svm import PrimalDual, solve_svm

__all__ = ["KernelWidthNorm"]

_OPTIONS = {"maxiter": 5000, "maxfun": 10000, "maxcor": 30, "ftol": 0.0, "gtol": 1e-13}
_N_ROUNDS = 2  # the second one forgets the curvatures along the way


class KernelWidthNorm(NamedTuple):
    """Half the least sum of squared weights of a convolutional layer and an output layer."""

    input_shape: tuple[int, ...]
    kernel_size: tuple[int, ...]

    @property
    def is_convex(self):
        """Whether it is a norm: it is."""
        return True

    @property
    def coordinates(self):
        """Real coordinates of the spectrum, by conjugate pairs."""
        return fourier_coordinates(self.input_shape)

    @property
    def n_taps(self):
        """Weights of a kernel."""
        return int(np.prod(self.kernel_size))

    def slope(self, coordinates):
        """Norm and gradient of a predictor with these coordinates."""
        kernels = self.kernels(coordinates)
        energy = _energy(kernels, self)
        gradient = np.divide(coordinates, energy, out=np.zeros_like(coordinates), where=energy > 0)
        ratio = np.sqrt((kernels**2).sum() / (gradient @ coordinates))
        return Slope(ratio * (gradient @ coordinates), ratio * gradient, np.sqrt(energy / ratio))

    def dual(self, coordinates):
        """Dual norm: root of the top eigenvalue of the autocorrelations within a kernel."""
        power = _per_frequency(coordinates**2, self.coordinates).reshape(self.input_shape)
        correlations = np.fft.fftn(power).real / power.size
        grid = np.stack([axis.ravel() for axis in np.indices(self.kernel_size)])
        lags = (grid[:, :, None] - grid[:, None, :]) % np.reshape(self.input_shape, (-1, 1, 1))
        return np.sqrt(np.linalg.eigvalsh(correlations[tuple(lags)])[-1])

    def truncate(self, coordinates, tol):
        """Coordinates as they are: the gradient is smooth where they vanish."""
        return coordinates

    def kernels(self, coordinates):
        """Kernels whose output layers have the same norm, (n_channels, n_taps)."""
        powers, there = coordinates**2, coordinates != 0
        scale = powers.sum()

        def output_energy(energy):
            ratios = np.divide(powers / scale, energy, out=np.zeros_like(powers), where=there)
            return ratios.sum(), np.divide(ratios, energy, out=np.zeros_like(powers), where=there)

        return scale**0.25 * self._minimize(output_energy)

    def solve(self, signed):
        """Coordinates of least norm with smallest margin 1.

        For given kernels it is a support vector machine on scaled coordinates; its least squared
        norm is differentiated in the kernels as if its solution stood still.
        """
        scale = np.sqrt((signed**2).sum(axis=1).max())

        def output_energy(energy):
            coef = solve_svm(signed / scale * np.sqrt(energy)).coef
            shares = np.divide(coef**2, energy, out=np.zeros_like(coef), where=energy > 0)
            return coef @ coef, shares

        amplitudes = np.sqrt(_energy(self._minimize(output_energy), self))
        coef, dual_coef = solve_svm(signed / scale * amplitudes)
        return PrimalDual(coef * amplitudes / scale, dual_coef / scale)

    def _minimize(self, output_energy):
        """Kernels with least squared norm plus energy of the output, (n_channels, n_taps)."""
        taps = np.indices(self.kernel_size).reshape(len(self.kernel_size), -1)
        n_taps, groups = self.n_taps, self.coordinates
        n_lags = (np.prod(2 * np.array(self.kernel_size) - 1) + 1) // 2
        n_channels = min(n_taps, int(np.ceil(np.sqrt(2 * n_lags))) + 1)

        def objective(flat):
            kernels = flat.reshape(n_channels, n_taps)
            spectra = _spectra(kernels, self)
            value, slope = output_energy((np.abs(spectra) ** 2).sum(axis=0))
            pulled = _per_frequency(slope, groups) * spectra
            grid = pulled.reshape(n_channels, *self.input_shape)
            axes = tuple(range(1, grid.ndim))
            back = np.fft.ifftn(grid, axes=axes, norm="ortho").real[(slice(None), *taps)]
            return flat @ flat + value, 2 * (flat - back.ravel())

        flat = np.random.default_rng(0).standard_normal(n_channels * n_taps) / np.sqrt(n_taps)
        for _ in range(_N_ROUNDS):
            flat = minimize(objective, flat, jac=True, method="L-BFGS-B", options=_OPTIONS).x
        return flat.reshape(n_channels, n_taps)


def _energy(kernels, norm):
    """Squared absolute values of the spectra, summed over the channels, (n_features,)."""
    return (np.abs(_spectra(kernels, norm)) ** 2).sum(axis=0)


def _spectra(kernels, norm):
    """Unitary transforms of kernels in the corner of the input, (n_channels, n_features)."""
    padded = np.zeros((len(kernels), *norm.input_shape))
    corner = tuple(slice(size) for size in norm.kernel_size)
    padded[(slice(None), *corner)] = kernels.reshape(-1, *norm.kernel_size)
    return fourier_coef(padded.reshape(len(kernels), -1), norm.input_shape)


def _per_frequency(values, groups):
    """Means over the coordinates of each frequency, written at all of them, (n_features,)."""
    return (np.bincount(groups.group, values) / groups.multiplicity)[groups.group]
