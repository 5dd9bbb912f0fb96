"""How close a direction is to least norm, or to stationarity, without a reference."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import null_space
from scipy.optimize import nnls

from ..arguments import check_std
from .penalties import check_coef, coordinates_of, find_norm
from .separability import signed_samples

__all__ = ["Stationarity", "stationarity"]

_TEMPERATURES = 10.0 ** np.arange(-1, 7)  # inverse ones, of softmax weights that bound the optimum
_ACTIVE = 1e-6  # of the largest, below which a multiplier is zero
_ON_MARGIN = 1e-6  # slack below which a sample stands on the margin
_FIRST_ORDER = 1e-3  # residual or slackness above which curvature has no meaning
_FLAT = 1e-6  # curvature that is as good as none
_OPTIMAL = 1e-6  # duality gap that proves a minimum of a convex norm


class Stationarity(NamedTuple):
    """How far a direction is from a solution, in numbers that vanish at one and nowhere else.

    Parameters
    ----------
    margin : float
        Smallest margin over the norm of the direction; negative if it does not separate.
    duality_gap : float
        By which share at most that margin falls short of the largest one, from 0 to 1; NaN for
        norms that are not convex.
    residual : float
        Relative distance of the layers from a positive combination of the gradients of the
        margins, from 0 to 1.
    slackness : float
        Mean of margin - 1 under the multipliers, after scaling to smallest margin 1.
    alignment : float
        1 minus the cosine between the layers and the negative gradient of the exponential loss.
    second_order : str
        "minimum", "saddle" or "undecided".
    min_curvature : float
        Least curvature of the penalty along the directions that keep the margins of the support
        vectors and the zeros, in units in which bending a phase has curvature 1: from *p* - 1 to 1,
        infinite if there is no such direction; NaN for convex norms.
    dual_coef : ndarray of shape (n_samples,)
        Multipliers of the scaled direction, at least 0.

    Examples
    --------
    >>> import numpy as np
    >>> from sklcnn.theory import Stationarity
    >>> Stationarity(0.5, 0.0, 0.0, 0.0, 0.0, "minimum", np.nan, np.ones(2)).second_order
    'minimum'
    """

    margin: float
    duality_gap: float
    residual: float
    slackness: float
    alignment: float
    second_order: str
    min_curvature: float
    dual_coef: NDArray[np.float64]


def stationarity(
    direction: ArrayLike,
    X: ArrayLike,
    y: ArrayLike,
    norm: str = "l2",
    *,
    depth: int = 2,
    input_shape: tuple[int, ...] | None = None,
    kernel_size: int | tuple[int, ...] | None = None,
    tol: float = 1e-6,
) -> Stationarity:
    r"""Certify how close a direction is to one of least norm with margins of at least 1.

    Multipliers :math:`a_i \ge 0` and a direction :math:`\beta` of smallest margin 1 are
    stationary if :math:`z = \sum_i a_i y_i x_i` is the gradient of the norm where :math:`\beta` is
    not zero, and :math:`a_i > 0` on the margin only. For convex norms they are optimal if also the
    dual norm of *z* is 1 and :math:`\sum_i a_i` equals the norm.

    Parameters
    ----------
    direction : array-like of shape (n_features,)
        Coefficients of a predictor. Its length matters for the alignment alone.
    X : array-like of shape (n_samples, n_features)
        Samples.
    y : array-like of shape (n_samples,)
        Labels, -1 or 1.
    norm : {"l2", "l1", "fourier_l1", "bridge", "fourier_bridge", "kernel_width"}, default="l2"
        Which norm; see `coef_norm`.
    depth : int, default=2
        Layers of the network, for the bridges.
    input_shape : tuple of int, default=None
        (length,) or (height, width) of the input, for the norms of a spectrum; None for one axis.
    kernel_size : int or tuple of int, default=None
        Width of the kernels of "kernel_width"; None for the whole input.
    tol : float, default=1e-6
        Amplitudes below this share of the largest count as zero, for all norms but "l2" and
        "kernel_width": the gradients of the others are singular there.

    Returns
    -------
    certificate : Stationarity
        Fields ``margin``, ``duality_gap``, ``residual``, ``slackness``, ``alignment``,
        ``second_order``, ``min_curvature`` and ``dual_coef``. A direction that does not separate
        the samples has duality gap and residual 1 and slackness NaN.

    Raises
    ------
    ValueError
        If the direction is zero, a shape does not fit, a number is not finite, or an argument is
        not one of those above.

    See Also
    --------
    sklcnn.theory.max_margin : Solutions with their certificates.

    Notes
    -----
    Any multipliers prove a duality gap: the best ones of a non-negative least squares fit and of
    softmax weights at several temperatures are taken. The fit makes squared residual and squared
    slackness small together, so that it needs no rule for which samples stand on the margin; one
    that is better on both can exist for none.

    The residual is that of the weights of balanced layers, relative to their norm: the errors of
    *z* are weighted so that those of small amplitudes count little. The alignment has the same
    layers, and the weights that the exponential loss gives to the samples for `direction` as it is:
    it falls to 0 along training, and means nothing for rescaled directions. For "l2" both are
    those of a single layer.

    For depths above 2 every support on which the restricted problem is stationary gives a
    stationary point. Along *h* the curvature of the penalty is :math:`\sum_d p |\hat\beta_d|^{p -
    2} [(p - 1) h_r^2 + h_t^2]` with radial and tangential parts and *p* = 2 / depth: a minimum if
    it is positive, a saddle if it is negative somewhere, even with all samples on the margin held
    there. "undecided" if neither, or if residual or slackness exceeds 1e-3. For a convex norm
    "minimum" is a duality gap of at most 1e-6.

    Residual and curvature are our derivation from the stationarity of the weights [1]_.

    References
    ----------
    .. [1] Gunasekar, Lee, Soudry, Srebro, "Implicit Bias of Gradient Descent on Linear
       Convolutional Networks", NeurIPS 2018, arXiv:1806.00468.

    Examples
    --------
    >>> from sklcnn.theory import stationarity
    >>> X, y = [[2.0, 1.0]], [1]
    >>> for direction in ([1.0, 0.0], [0.0, 1.0], [1.0, 1.0]):
    ...     certificate = stationarity(direction, X, y, "l1")
    ...     print(f"{certificate.duality_gap:.2f} {certificate.residual:.2f}")
    0.00 0.00
    0.50 0.00
    0.25 0.32
    >>> stationarity([0.25, 1.0], X, y, "bridge", depth=4).second_order
    'saddle'
    """
    signed, coef, tol = signed_samples(X, y), check_coef(direction), float(check_std("tol", tol))
    if len(coef) != signed.shape[1] or not coef.any():
        raise ValueError(
            f"direction must have shape ({signed.shape[1]},) and not be zero, got shape "
            f"{coef.shape}{'' if coef.any() else ' of zeros'}."
        )
    found = find_norm(norm, depth, input_shape, kernel_size, len(coef))
    samples, point = found.coordinates.forward(signed), coordinates_of(coef, found)
    margin = float((samples @ point).min() / found.slope(point).norm)
    alignment = _misalignment(samples, point, found)
    if margin <= 0:
        gap, nowhere = (1.0 if found.is_convex else np.nan), np.zeros(len(samples))
        return Stationarity(margin, gap, 1.0, np.nan, alignment, "undecided", np.nan, nowhere)
    point = _scale(samples, point, found, tol)
    slope = found.slope(point)
    multipliers = _fit_multipliers(samples, point, slope)
    residual = stationarity_residual(samples, multipliers, slope)
    slackness = float(multipliers @ (samples @ point - 1) / multipliers.sum())
    gap, order, curvature = np.nan, "undecided", np.nan
    if found.is_convex:
        gap = _bound_gap(samples, point, slope.norm, found, multipliers)
        order = "minimum" if gap <= _OPTIMAL else order
    elif max(residual, slackness) <= _FIRST_ORDER:
        order, curvature = _second_order(samples, point, slope, found, multipliers)
    return Stationarity(margin, gap, residual, slackness, alignment, order, curvature, multipliers)


def stationarity_residual(samples, multipliers, slope):
    """Weighted distance of the combination of the samples from the gradient, relative to it."""
    errors = slope.weight * (multipliers @ samples - slope.gradient)
    return float(np.linalg.norm(errors) / np.sqrt(slope.norm))


def _scale(samples, point, norm, tol):
    """The point with smallest margin 1, without small amplitudes if it separates without them."""
    sparse = norm.truncate(point, tol)
    margin = (samples @ sparse).min()
    return sparse / margin if margin > 0 else point / (samples @ point).min()


def _fit_multipliers(samples, point, slope):
    """Multipliers with least sum of squared residual and squared slackness, (n_samples,)."""
    slack = samples @ point - 1
    system = np.vstack([(samples * slope.weight).T / np.sqrt(slope.norm), slack / slope.norm])
    target = np.r_[slope.weight * slope.gradient / np.sqrt(slope.norm), 0.0]
    if len(target) > len(slack) + 1:  # the same squares in fewer rows
        triangle = np.linalg.qr(np.column_stack([system, target]), mode="r")
        system, target = triangle[:, :-1], triangle[:, -1]
    return nnls(system, target)[0]


def _bound_gap(samples, point, value, norm, multipliers):
    """Least duality gap that the multipliers or softmax weights prove, from 0 to 1."""
    excess = samples @ point - 1  # at least 0
    softmax = np.exp(-_TEMPERATURES[:, None] * excess)  # (n_temperatures, n_samples)
    ratios = [a.sum() / norm.dual(a @ samples) for a in (multipliers, *softmax)]
    return float(np.clip(1 - max(ratios) / value, 0, 1))


def _misalignment(samples, point, norm):
    """1 minus the cosine of balanced layers and the negative gradient of the exponential loss."""
    slope, margins = norm.slope(point), samples @ point
    weights = np.exp(margins.min() - margins)
    pulled, layers = slope.weight * (weights @ samples), slope.weight * slope.gradient
    size = np.linalg.norm(pulled) * np.linalg.norm(layers)
    return float(1 - pulled @ layers / size) if size else 1.0


def _second_order(samples, point, slope, norm, multipliers):
    """Whether a stationary point is a minimum or a saddle, and its least curvature."""
    held = multipliers > _ACTIVE * multipliers.max()
    on_margin = held | (samples @ point - 1 <= _ON_MARGIN)
    least, safe = (_curvature(samples[rows], point, slope, norm) for rows in (held, on_margin))
    if least > _FLAT:
        return "minimum", least
    return ("saddle" if safe < -_FLAT else "undecided"), least


def _curvature(rows, point, slope, norm):
    """Least curvature in the weights of the layers, over directions that the rows do not see.

    In these units the curvature is 1 - (2 - p) |radial part|^2 for directions of norm 1.
    """
    inside = np.flatnonzero(point)
    free = null_space(rows[:, inside] * slope.weight[inside])  # (n_inside, n_free)
    if not free.shape[1]:
        return np.inf
    numbers, group = np.unique(norm.coordinates.group[inside], return_inverse=True)
    radial = np.zeros((len(numbers), len(inside)))
    radial[group, np.arange(len(inside))] = point[inside]
    radial /= np.linalg.norm(radial, axis=1, keepdims=True)
    return float(1 - (2 - norm.power) * np.linalg.norm(radial @ free, ord=2) ** 2)
