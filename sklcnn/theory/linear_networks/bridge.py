"""Stationary points of the bridge penalties of deep networks, by reweighted support vectors."""

import numpy as np

from .svm import PrimalDual, solve_svm

__all__ = ["reweight"]

_FLOOR = 1e-9  # of the largest amplitude: what falls to it cannot come back
_ZERO = 1e-7  # of the largest amplitude: what is smaller at the end is taken for zero
_MAX_ROUNDS = 1000
_SETTLED = 1e-14


def reweight(signed, coordinates, power, amplitudes):
    """Coordinates where the sum of powers of the amplitudes is stationary, with smallest margin 1.

    A sum of squares weighted by the amplitudes to the power - 2 touches the penalty where they are
    right; its minimizer is a support vector machine on scaled coordinates, and gives the next
    amplitudes. The dual coefficients are those of the sum of powers, but for a constant.
    """
    solution = _iterate(signed, coordinates, power, amplitudes)
    final = coordinates.amplitudes(solution.coef)
    alive = final > _ZERO * final.max()
    return _iterate(signed, coordinates, power, np.where(alive, final, 0), floor=0.0)


def _iterate(signed, coordinates, power, amplitudes, floor=_FLOOR):
    """Repeat until the amplitudes settle."""
    amplitudes = amplitudes / amplitudes.max()
    for _ in range(_MAX_ROUNDS):
        scales = np.maximum(amplitudes, floor)[coordinates.group] ** (1 - power / 2)
        coef, dual_coef = solve_svm(signed * scales)
        last, amplitudes = amplitudes, coordinates.amplitudes(coef * scales)
        amplitudes = amplitudes / amplitudes.max()
        if np.abs(amplitudes - last).max() < _SETTLED:
            break
    return PrimalDual(coef * scales, dual_coef)
