"""The hard-margin support vector machine through the origin, exact and without iterations.

Everything here takes signed samples: rows that are to have a positive product with the solution.
"""

from typing import NamedTuple

import numpy as np
from scipy.optimize import nnls

__all__ = ["PrimalDual", "nearest_combination", "solve_svm"]


class PrimalDual(NamedTuple):
    """Coefficients with smallest margin 1, and what the samples contribute."""

    coef: np.ndarray  # (n_features,)
    dual_coef: np.ndarray  # (n_samples,) at least 0


def nearest_combination(signed):
    """Weights of the convex combination of the rows that is nearest to the origin, (n_samples,).

    Least-distance programming of Lawson and Hanson: the solution of non-negative least squares with
    a row of ones below the samples, divided by its sum.
    """
    triangle = _triangle(signed)
    ones = np.ones((1, len(signed)))
    weights, _ = nnls(np.vstack([triangle, ones]), np.r_[np.zeros(len(triangle)), 1.0])
    return weights / weights.sum()


def solve_svm(signed):
    """Coefficients of least norm with ``signed @ coef >= 1``, if there are any.

    The dual coefficients are those of half the squared norm: ``coef = signed.T @ dual_coef``.
    """
    scale = np.sqrt((signed**2).sum(axis=1).max())
    weights = nearest_combination(signed / scale)
    coef, dual_coef = _solve_active(signed / scale, weights)
    return PrimalDual(coef / scale, dual_coef / scale**2)


def _solve_active(signed, weights):
    """Solution whose margins are exactly 1 on the samples with a positive weight.

    Non-negative least squares squares the condition number in some versions of scipy; this step
    restores the digits. It is not taken if it loses the sign of a weight or a margin.
    """
    nearest = signed.T @ weights
    square = nearest @ nearest
    coarse = PrimalDual(nearest / square, weights / square)
    active = weights > 0
    coef = np.linalg.lstsq(signed[active], np.ones(active.sum()), rcond=None)[0]
    dual_coef = np.zeros(len(signed))
    dual_coef[active] = np.linalg.lstsq(signed[active].T, coef, rcond=None)[0]
    fine = PrimalDual(coef, dual_coef)
    return fine if _violation(signed, fine) <= _violation(signed, coarse) else coarse


def _violation(signed, solution):
    """Largest shortage of a margin or, relatively, of a dual coefficient."""
    dual_coef = solution.dual_coef
    return max(1 - (signed @ solution.coef).min(), -dual_coef.min() / np.abs(dual_coef).max())


def _triangle(signed):
    """A matrix with at most n_samples rows and the Gram matrix of the samples."""
    n_samples, n_features = signed.shape
    return np.linalg.qr(signed.T, mode="r") if n_samples < n_features else signed.T
