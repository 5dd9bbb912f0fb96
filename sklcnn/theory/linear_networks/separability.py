"""Whether a hyperplane through the origin separates the samples, and the proof if none does."""

import numpy as np
from numpy.typing import ArrayLike

from ..arguments import check_finite
from .svm import nearest_combination, solve_svm

__all__ = ["check_separable", "check_signed", "signed_samples"]

_ROUNDING = 1e-13  # norm, of combinations of samples of norm 1, that is none
_N_SHOWN = 6  # samples of a certificate that are written out


def check_separable(X: ArrayLike, y: ArrayLike) -> None:
    r"""Raise an error, with its proof, if no hyperplane through the origin separates the samples.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Samples.
    y : array-like of shape (n_samples,)
        Labels, -1 or 1. One of them alone is fine: its samples must lie on one side of a
        hyperplane.

    Raises
    ------
    ValueError
        If the samples are not separable, the labels are others, there are no samples or features,
        or a number is not finite.

    Notes
    -----
    By Gordan's theorem either a *w* has :math:`y_i \langle x_i, w \rangle > 0` for all *i*, or
    weights :math:`u_i \ge 0`, not all zero, have :math:`\sum_i u_i y_i x_i = 0`. The message gives
    such weights, for samples scaled to norm 1, and the norm of the sum, which is zero up to
    rounding.

    Examples
    --------
    >>> from sklcnn.theory import check_separable
    >>> check_separable([[1.0, 0.0], [1.0, 1.0]], [1, -1])
    >>> try:
    ...     check_separable([[1.0, 0.0], [2.0, 0.0]], [1, -1])
    ... except ValueError as error:
    ...     print(str(error).rpartition(": ")[2])
    0.5 of sample 0, 0.5 of sample 1. Add a constant column if an offset is meant.
    """
    check_signed(signed_samples(X, y))


def check_signed(signed):
    """Say why the rows do not lie on one side of a hyperplane through the origin."""
    norms = np.linalg.norm(signed, axis=1)
    units = signed / np.where(norms > 0, norms, 1)[:, None]
    weights = nearest_combination(units)
    nearest = units.T @ weights
    distance = np.linalg.norm(nearest)
    if distance > _ROUNDING and (units @ solve_svm(units).coef).min() > 0.5:  # 1, or at most 0
        return
    shown = np.argsort(-weights, kind="stable")[: min(_N_SHOWN, np.count_nonzero(weights))]
    parts = ", ".join(f"{weights[i]:.4g} of sample {i}" for i in shown)
    rest = np.count_nonzero(weights) - len(shown)
    raise ValueError(
        "X and y must be separable by a hyperplane through the origin, but the signed samples "
        f"y * X, scaled to norm 1, have a convex combination of norm {distance:.2g}: {parts}"
        f"{f' and {rest} more' if rest else ''}. Add a constant column if an offset is meant."
    )


def signed_samples(X, y):
    """Return samples times labels as a float array, or say what is wrong with them."""
    X, y = check_finite("X", X), check_finite("y", y)
    if X.ndim != 2 or not X.size:
        raise ValueError(
            f"X must have shape (n_samples, n_features) with at least one of each, got {X.shape}."
        )
    if y.shape != (len(X),):
        raise ValueError(
            f"y must have shape ({len(X)},), one label for each sample, got {y.shape}."
        )
    if not np.isin(y, [-1, 1]).all():
        raise ValueError(f"y must hold the labels -1 and 1, got {np.unique(y)}.")
    return X * y[:, None]
