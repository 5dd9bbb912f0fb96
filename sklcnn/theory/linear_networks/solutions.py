"""Predictors of largest margin in the norms of linear networks, with their certificates."""

from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arguments import check_choice, check_count, check_finite
from .certificates import stationarity_residual
from .cones import solve_conic
from .group_norms import GroupNorm
from .kernel_width import KernelWidthNorm
from .l1 import has_one_solution
from .penalties import find_norm
from .separability import check_signed, signed_samples
from .svm import solve_svm

__all__ = ["MaxMargin", "max_margin", "stationary_points"]

_SUPPORT = 1e-9  # of the largest amplitude, below which one is zero
_SPREAD = 2.0  # of the logarithm of random first amplitudes: few dominate, as in trained networks
_SAME = 1e-6  # distance of predictors of norm 1 that are one


class MaxMargin(NamedTuple):
    """A predictor of least norm with margins of at least 1, and the proof that it is one.

    Parameters
    ----------
    coef : ndarray of shape (n_features,)
        Coefficients; the smallest margin is 1.
    dual_coef : ndarray of shape (n_samples,)
        Multipliers of the samples, at least 0, zero off the margin. Their sum is the norm, and the
        sum of the signed samples weighted by them has dual norm 1 (for norms that are not convex:
        is the gradient of the norm).
    norm_value : float
        Norm of the coefficients.
    margin : float
        Largest margin of a predictor of norm 1, which is one over the norm.
    duality_gap : float
        By which share at most the margin falls short of the optimum; NaN for norms that are not
        convex.
    residual : float
        Relative distance of the gradient of the norm from the weighted sum of the samples.
    unique : bool or None
        Whether it is the only solution; None where it is not known, as for norms that are not
        convex.
    delta : float
        How far the dual vector stays below 1 where the coefficients, or their spectrum, vanish. The
        smaller, the slower gradient descent lets them vanish. NaN for norms other than "l1" and
        "fourier_l1", and where nothing vanishes.
    support : ndarray of shape (n_features,)
        Whether a coefficient, or a frequency for the norms of a spectrum, is not zero.

    Examples
    --------
    >>> from sklcnn.theory import max_margin
    >>> solution = max_margin([[2.0, 1.0]], [1], "l1")
    >>> solution.coef, solution.margin, solution.delta
    (array([0.5, 0. ]), 2.0, 0.5)
    """

    coef: NDArray[np.float64]
    dual_coef: NDArray[np.float64]
    norm_value: float
    margin: float
    duality_gap: float
    residual: float
    unique: bool | None
    delta: float
    support: NDArray[np.bool_]


def max_margin(
    X: ArrayLike,
    y: ArrayLike,
    norm: str = "l2",
    *,
    depth: int = 2,
    input_shape: tuple[int, ...] | None = None,
    kernel_size: int | tuple[int, ...] | None = None,
    start: ArrayLike | None = None,
    n_starts: int = 1,
    random_state: int | np.random.Generator | None = None,
    solver: str = "scipy",
) -> MaxMargin:
    r"""Return the linear predictor of least norm whose margins are at least 1.

    .. math:: \min_\beta \|\beta\| \quad \text{such that} \quad y_i \langle x_i, \beta \rangle
              \ge 1

    Gradient descent on separable data and the exponential loss turns the predictor of a linear
    network into this direction: of full networks for "l2", of diagonal ones of depth 2 for "l1", of
    convolutional ones of depth 2, with kernels as wide as the input, for "fourier_l1". Deeper ones
    come to a stationary point of a bridge.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Samples.
    y : array-like of shape (n_samples,)
        Labels, -1 or 1. One of them alone is fine. There is no intercept.
    norm : {"l2", "l1", "fourier_l1", "bridge", "fourier_bridge", "kernel_width"}, default="l2"
        Which norm; see `coef_norm`.
    depth : int, default=2
        Layers of the network, for the bridges. From depth 3 on there are many stationary points,
        and the best one that was found is returned.
    input_shape : tuple of int, default=None
        (length,) or (height, width) of the input, for the norms of a spectrum; None for one axis.
    kernel_size : int or tuple of int, default=None
        Width of the kernels of "kernel_width"; None for the whole input.
    start : array-like of shape (n_features,), default=None
        Predictor near which a stationary point of a bridge is looked for, such as one that was
        trained; what is zero in it, or in its spectrum, remains zero. None for the solution of
        "l2". Norms that are convex need no start and take no notice of it.
    n_starts : int, default=1
        Starts of the search in all; those after the first are random.
    random_state : int, Generator or None, default=None
        Seeds the random starts.
    solver : {"scipy", "clarabel"}, default="scipy"
        Who solves the programs of "fourier_l1" and "kernel_width": methods of our own, or an
        interior-point method for cones, which needs the extra packages of
        ``pip install "sklcnn[linear]"``.

    Returns
    -------
    solution : MaxMargin
        Fields ``coef``, ``dual_coef``, ``norm_value``, ``margin``, ``duality_gap``, ``residual``,
        ``unique``, ``delta`` and ``support``.

    Raises
    ------
    ValueError
        If no hyperplane through the origin separates the samples (with a proof), a shape does not
        fit, a number is not finite, or an argument is not one of those above.
    ImportError
        If the solver is not installed.

    See Also
    --------
    stationary_points : All that were found, for depths from 3 on.
    stationarity : Certificates for any direction.

    Notes
    -----
    "l2" is exact: non-negative least squares. "l1" is a linear program. "fourier_l1" is solved in
    its dual, "kernel_width" over the kernels, the bridges by support vector machines on reweighted
    coordinates, which may leave the neighborhood of a start that is a saddle. Expect duality gaps
    of 1e-12, for "kernel_width" 1e-8. Where the solution is not unique, one of them is returned.

    The limits of gradient descent are published [1]_ under assumptions on its convergence; the
    methods are our derivation.

    References
    ----------
    .. [1] Gunasekar, Lee, Soudry, Srebro, "Implicit Bias of Gradient Descent on Linear
       Convolutional Networks", NeurIPS 2018, arXiv:1806.00468.

    Examples
    --------
    >>> from sklcnn.theory import max_margin
    >>> for norm in ("l2", "l1", "fourier_l1"):
    ...     print(max_margin([[3.0, 1.0, 0.0, 0.0]], [1], norm).coef.round(3))
    [0.3 0.1 0.  0. ]
    [0.333 0.    0.    0.   ]
    [0.25 0.25 0.25 0.25]
    """
    check_choice("solver", solver, ["scipy", "clarabel"])
    problem = _pose(X, y, norm, depth, input_shape, kernel_size)
    if not problem.norm.is_convex:
        return _search(problem, start, n_starts, random_state)[0]
    conic = solver == "clarabel" and norm in ("fourier_l1", "kernel_width")
    solve = partial(solve_conic, norm=problem.norm) if conic else problem.norm.solve
    return _certify(problem, solve(problem.samples))


def stationary_points(
    X: ArrayLike,
    y: ArrayLike,
    norm: str = "fourier_bridge",
    *,
    depth: int = 3,
    input_shape: tuple[int, ...] | None = None,
    start: ArrayLike | None = None,
    n_starts: int = 20,
    random_state: int | np.random.Generator | None = None,
) -> list[MaxMargin]:
    r"""Return the distinct stationary points of a bridge that are found from several starts.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Samples.
    y : array-like of shape (n_samples,)
        Labels, -1 or 1. One of them alone is fine. There is no intercept.
    norm : {"bridge", "fourier_bridge"}, default="fourier_bridge"
        Of the coefficients or of their spectrum; see `coef_norm`.
    depth : int, default=3
        Layers of the network, at least 3: up to 2 the norms are convex.
    input_shape : tuple of int, default=None
        (length,) or (height, width) of the input, for the norm of a spectrum; None for one axis.
    start : array-like of shape (n_features,), default=None
        Predictor of the first start; None for the solution of "l2".
    n_starts : int, default=20
        Starts in all; those after the first are random.
    random_state : int, Generator or None, default=None
        Seeds the random starts.

    Returns
    -------
    points : list of MaxMargin
        In the order of their norms, the best one first. Predictors of norm 1 that differ by less
        than 1e-6 count as one.

    Raises
    ------
    ValueError
        As `max_margin`, and if the depth is below 3 or the norm another.

    See Also
    --------
    sklcnn.theory.max_margin : The best of them, or a convex norm.

    Notes
    -----
    Reweighting is repelled by saddles, of which there are many more. No number of starts proves
    that the best minimum is among those found.

    Examples
    --------
    >>> from sklcnn.theory import stationary_points
    >>> points = stationary_points([[2.0, 1.0, 0.5]], [1], "bridge", random_state=0)
    >>> for point in points:
    ...     print(point.coef, round(point.norm_value, 3))
    [0.5 0.  0. ] 0.5
    [0. 1. 0.] 1.0
    """
    problem = _pose(X, y, norm, depth, input_shape, None)
    if problem.norm.is_convex:
        raise ValueError(
            "norm and depth must be 'bridge' or 'fourier_bridge' and at least 3, got "
            f"{norm!r} and {depth}: the norm is convex, and max_margin gives its solution."
        )
    return _search(problem, start, n_starts, random_state)


class _Problem(NamedTuple):
    """Signed samples, and the norm, in the coordinates of which they are given."""

    norm: GroupNorm | KernelWidthNorm
    samples: np.ndarray  # (n_samples, n_features)


def _pose(X, y, norm, depth, input_shape, kernel_size):
    """The problem behind the arguments, or what is wrong with them."""
    signed = signed_samples(X, y)
    found = find_norm(norm, depth, input_shape, kernel_size, signed.shape[1])
    check_signed(signed)
    return _Problem(found, found.coordinates.forward(signed))


def _certify(problem, solution):
    """The record of a solution, scaled to smallest margin 1 on both sides of the duality."""
    norm, samples = problem
    point = solution.coef / (samples @ solution.coef).min()
    slope = norm.slope(point)
    multipliers = np.maximum(solution.dual_coef, 0)
    if norm.is_convex:
        multipliers = multipliers / norm.dual(multipliers @ samples)
        gap = max(0.0, 1 - float(multipliers.sum() / slope.norm))
    else:
        multipliers, gap = multipliers * (slope.norm / multipliers.sum()), np.nan
    amplitudes = norm.coordinates.amplitudes(point)
    alive = amplitudes > _SUPPORT * amplitudes.max()
    unique, delta = _uniqueness(problem, multipliers, alive)
    return MaxMargin(
        coef=norm.coordinates.backward(point),
        dual_coef=multipliers,
        norm_value=float(slope.norm),
        margin=float(1 / slope.norm),
        duality_gap=gap,
        residual=stationarity_residual(samples, multipliers, slope),
        unique=unique,
        delta=delta,
        support=alive[norm.coordinates.group],
    )


def _uniqueness(problem, multipliers, alive):
    """Whether a solution is the only one, and how far the dual vector is below 1 elsewhere."""
    norm, samples = problem
    power = norm.power if isinstance(norm, GroupNorm) else np.nan
    if power != 1:
        return (True if power == 2 else None), np.nan
    amplitudes = norm.coordinates.amplitudes(multipliers @ samples)
    delta = np.nan if alive.all() else 1 - float(amplitudes[~alive].max())
    return has_one_solution(samples, norm.coordinates, multipliers), delta


def _search(problem, start, n_starts, random_state):
    """Distinct stationary points from a start and random ones, in the order of their norms."""
    norm, samples = problem
    first = solve_svm(samples).coef if start is None else _check_start(start, problem)
    spread = np.random.default_rng(random_state)
    starts = [norm.coordinates.amplitudes(first)]
    for _ in range(int(check_count("n_starts", n_starts)) - 1):
        starts.append(np.exp(_SPREAD * spread.standard_normal(len(starts[0]))))
    points = [_certify(problem, norm.solve(samples, amplitudes)) for amplitudes in starts]
    return _drop_repeated(sorted(points, key=lambda point: point.norm_value))


def _check_start(start, problem):
    """Coordinates of a start, or what is wrong with it."""
    start, n_features = check_finite("start", start), problem.samples.shape[1]
    if start.shape != (n_features,) or not start.any():
        raise ValueError(
            f"start must have shape ({n_features},) and not be zero, got shape "
            f"{start.shape}{'' if start.any() else ' of zeros'}."
        )
    return problem.norm.coordinates.forward(start)


def _drop_repeated(points):
    """Points whose directions differ from all before them."""
    kept, directions = [], []
    for point in points:
        direction = point.coef / np.linalg.norm(point.coef)
        if all(np.linalg.norm(direction - other) > _SAME for other in directions):
            kept.append(point)
            directions.append(direction)
    return kept
