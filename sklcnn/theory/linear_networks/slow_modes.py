"""How fast the direction of a linear network comes to its limit, in powers of the margin."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import orth

from ..arguments import check_choice
from .penalties import check_depth, find_norm
from .separability import signed_samples
from .solutions import MaxMargin, max_margin

__all__ = ["ConvergencePower", "convergence_power"]

_ZERO = 1e-9  # of the largest, below which a multiplier or an amplitude is zero
_SAME = 1e-6  # relative error of the margin and the norm of a solution


class ConvergencePower(NamedTuple):
    """Powers of one over the margin with which errors of the direction fall in the end.

    Parameters
    ----------
    power : float
        Of the whole error: the least of the other two and 1, from 0 to 1.
    vanishing : float
        Of what has to vanish; infinite if nothing has to.
    sharing : float
        Of the shares that what remains has in the predictor; infinite if equal margins leave it no
        freedom.

    Examples
    --------
    >>> from sklcnn.theory import ConvergencePower
    >>> error, modes = 1e-2, ConvergencePower(power=0.4, vanishing=0.5, sharing=0.4)
    >>> round(error * 1000**-modes.power, 5)  # once the margin is 1000 times as large
    0.00063
    """

    power: float
    vanishing: float
    sharing: float


def convergence_power(
    X: ArrayLike,
    y: ArrayLike,
    norm: str = "l2",
    *,
    depth: int | None = None,
    input_shape: tuple[int, ...] | None = None,
    solution: MaxMargin | None = None,
) -> ConvergencePower:
    r"""Return the power of the margin with which a linear network comes to its limit.

    As its smallest margin grows, the direction of the predictor comes to that of `max_margin`. Its
    distance falls like the margin to the power of minus ``power`` in the end. With a power of 0.1
    a margin of 1e8 is worth no more than one digit: choose other samples to see a limit.

    ==================  ===========================  ==============================================
    norm                ``vanishing``                ``sharing``
    ==================  ===========================  ==============================================
    "l2", full          one over the depth, of what  infinite
                        no support vector spans
    "l1", diagonal      the dual gap ``delta``       infinite
    "fourier_l1",       the dual gap ``delta``       at most 1: the frequencies that are needed have
    convolutional                                    to agree on their amplitudes
    ==================  ===========================  ==============================================

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Samples.
    y : array-like of shape (n_samples,)
        Labels, -1 or 1. One of them alone is fine. There is no intercept.
    norm : {"l2", "l1", "fourier_l1"}, default="l2"
        Which norm the network makes small.
    depth : int, default=None
        Layers of the network: any number for "l2", two for the others. None for the fewest, which
        is one for "l2".
    input_shape : tuple of int, default=None
        (length,) or (height, width) of the input, for "fourier_l1"; None for one axis.
    solution : MaxMargin, default=None
        What `max_margin` returned for these samples and this norm; None to ask it.

    Returns
    -------
    powers : ConvergencePower
        Fields ``power``, ``vanishing`` and ``sharing``. The power is 0 where the solution is not
        unique: which one training comes to is then up to its start.

    Raises
    ------
    ValueError
        As `max_margin`, and if the solution is not one of these samples.

    See Also
    --------
    sklcnn.theory.max_margin : The limit, and the dual gap.
    sklcnn.LinearNetworkClassifier : Training that gets to margins at which powers are seen.

    Notes
    -----
    Derived here, not published. At large margins the loss is felt by the samples with a multiplier
    alone, the support vectors, and it keeps their margins equal. A frequency, or a coefficient, at
    which the dual vector has amplitude *a* then grows like the margin to the power of *a*, and *a*
    is 1 where the predictor lives and at most 1 - ``delta`` elsewhere.

    Where it lives, let the amplitudes change by factors :math:`1 + \rho_d` and the phases by
    :math:`\theta_d`. Phases alone are pulled back with power 1, amplitudes alone not at all. Equal
    margins couple them: only changes that no support vector sees are free, and the direction slides
    along these, downhill on the norm, with the weights :math:`|\hat\beta_d|`. Its slowest power is
    the least share that phases have in such a change:

    .. math:: \text{sharing} = \min_{\rho, \theta} \frac{\sum_d |\hat\beta_d| \theta_d^2}
              {\sum_d |\hat\beta_d| (\rho_d^2 + \theta_d^2)}

    Coefficients, and frequencies that are their own negatives, have signs in the place of phases:
    among them alone nothing is free if the solution is unique. Samples on the margin without a
    multiplier do not count: training leaves them off it, where we measured.

    In a full network of *L* layers the part of the first one that no support vector sees stays as
    it is, and is multiplied by layers that grow like the margin to the power of 1 - 1 / *L*.

    These are powers of the end. A needed frequency that starts too small has to wake up first, a
    slow part that starts small is seen late, and of powers below 0.1 a margin of 1e9 often shows
    nothing yet. They are for one channel and kernels as wide as the input.

    Examples
    --------
    >>> import numpy as np
    >>> from sklcnn.theory import convergence_power
    >>> X, y = [[1.0, 0.0, 0.0, 3.0, 2.0], [0.0, 2.0, -1.0, 0.0, 2.0]], [1, -1]
    >>> for norm in ("l2", "l1", "fourier_l1"):
    ...     print(norm, *np.round(convergence_power(X, y, norm), 3))
    l2 1.0 1.0 inf
    l1 0.5 0.5 inf
    fourier_l1 0.315 0.387 0.315
    """
    check_choice("norm", norm, ["l2", "l1", "fourier_l1"])
    signed, fewest = signed_samples(X, y), 1 if norm == "l2" else 2
    depth = fewest if depth is None else check_depth(depth)
    found = find_norm(norm, depth, input_shape, None, signed.shape[1])
    if solution is None:
        solution = max_margin(X, y, norm, input_shape=input_shape)
    point = _check_solution(solution, signed, found)
    held = signed[solution.dual_coef > _ZERO * solution.dual_coef.max()]
    if norm == "l2":
        spans = np.linalg.matrix_rank(held) == signed.shape[1]
        vanishing, sharing = np.inf if spans else 1 / depth, np.inf
    else:
        vanishing = np.inf if np.isnan(solution.delta) else max(0.0, solution.delta)
        sharing = _share_of_phases(found.coordinates.forward(held), point, found.coordinates)
    return ConvergencePower(min(1.0, vanishing, sharing), vanishing, sharing)


def _check_solution(solution, signed, norm):
    """Coordinates of a solution, or what is wrong with it."""
    n_samples, n_features = signed.shape
    if solution.coef.shape == (n_features,) and solution.dual_coef.shape == (n_samples,):
        point, margin = norm.coordinates.forward(solution.coef), (signed @ solution.coef).min()
        found, stated = [margin, norm.slope(point).norm], [1, solution.norm_value]
        if np.allclose(found, stated, rtol=_SAME, atol=0):
            return point
    raise ValueError(
        "solution must be what max_margin returns for the same X, y, norm and input_shape, got "
        f"another with norm_value={solution.norm_value}; leave it out to have it computed."
    )


def _share_of_phases(rows, point, coordinates):
    """Least share that phases have in changes of the point that no row sees.

    In weighted coordinates, the squared cosine of the largest angle between the directions in which
    amplitudes change and the span of the rows.
    """
    amplitudes = coordinates.amplitudes(point)
    needed = np.flatnonzero(amplitudes > _ZERO * amplitudes.max())
    members = coordinates.group[:, None] == needed  # (n_features, n_needed)
    inside = members.any(axis=1)
    weight = np.sqrt(amplitudes[coordinates.group[inside]])
    span = orth((rows[:, inside] * weight).T)  # (n_inside, rank)
    if span.shape[1] == len(span):
        return np.inf
    if span.shape[1] < len(needed):
        return 0.0
    radial = members[inside] * point[inside, None]
    radial = radial / np.linalg.norm(radial, axis=0)
    return float(np.linalg.svd(radial.T @ span, compute_uv=False).min() ** 2)
