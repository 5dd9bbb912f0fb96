"""Sums of powers of amplitudes: what networks with layers as wide as the input penalize."""

from typing import NamedTuple

import numpy as np

from .bridge import reweight
from .l1 import solve_group_l1, solve_l1
from .spectra import Coordinates
from .svm import solve_svm

__all__ = ["GroupNorm", "Slope"]


class Slope(NamedTuple):
    """A norm, its gradient, and the weights in which a network's layers feel an error of it.

    In coordinates; the weighted gradient has as its squared norm the norm of the predictor.
    """

    norm: float
    gradient: np.ndarray  # (n_features,)
    weight: np.ndarray  # (n_features,)


class GroupNorm(NamedTuple):
    """Root of the sum of powers of the amplitudes: a norm for powers from 1 on."""

    coordinates: Coordinates
    power: float

    @property
    def is_convex(self):
        """Whether the triangle inequality holds."""
        return self.power >= 1

    def slope(self, coordinates):
        """Norm and gradient of a predictor with these coordinates; zero where they are zero."""
        amplitudes = self.coordinates.amplitudes(coordinates)
        total = self.coordinates.multiplicity @ amplitudes**self.power
        spread = amplitudes[self.coordinates.group]
        shares = np.divide(coordinates, spread, out=np.zeros_like(spread), where=spread > 0)
        factor = total ** (1 / self.power - 1)
        powers = np.power(spread, self.power - 1, out=np.zeros_like(spread), where=spread > 0)
        return Slope(
            factor * total, factor * powers * shares, spread ** (1 - self.power / 2) / factor**0.5
        )

    def dual(self, coordinates):
        """Dual norm, for the powers 1 and 2."""
        amplitudes = self.coordinates.amplitudes(coordinates)
        if self.power == 1:
            return amplitudes.max()
        return np.sqrt(self.coordinates.multiplicity @ amplitudes**2)

    def truncate(self, coordinates, tol):
        """Coordinates without small amplitudes, where the gradient is singular at zero."""
        amplitudes = self.coordinates.amplitudes(coordinates)
        small = (amplitudes < tol * amplitudes.max()) & (self.power < 2)
        return np.where(small[self.coordinates.group], 0, coordinates)

    def solve(self, signed, amplitudes=None):
        """Coordinates with smallest margin 1 whose norm is least, or stationary for powers below 1.

        Amplitudes are where the search for a stationary point starts.
        """
        if self.power == 2:
            return solve_svm(signed)
        if self.power < 1:
            return reweight(signed, self.coordinates, self.power, amplitudes)
        if len(self.coordinates.multiplicity) == signed.shape[1]:
            return solve_l1(signed)
        return solve_group_l1(signed, self.coordinates)
