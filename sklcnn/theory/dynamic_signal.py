r"""The best rules of the Dynamic Signal Distribution (DSD): Bayes classifier and regression.

A sample is ``n_patches`` patches of Gaussian noise, one of which, at a hidden place, also carries
``y * signal``. All that the label depends on is one score a patch, its inner product with the
signal: for a signal of unit length, N(y, noise^2) in the hidden place and N(0, noise^2) elsewhere.
So the functions below know two numbers, ``n_patches`` (*k* in the paper) and ``noise`` (*sigma*).
For a signal of another length, hand them the noise divided by that length.

The law is that of Lahoti, Karp, Winston, Singh, Li, "Role of Locality and Weight Sharing in
Image-Based Tasks: A Sample Complexity Separation between CNNs, LCNs, and FCNs", ICLR 2024,
arXiv:2403.15707; the formulas are derived from its definition.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import logsumexp, ndtr

from .arguments import check_law, check_noise

__all__ = ["bayes_error", "bayes_squared_risk", "log_odds"]

# Below this noise, the first term of the expansions for small noise is enough: the others are less
# than n_patches * 3e-13 of it, and the cost of the quadratures grows like noise^-4.
_SMALL_NOISE = 1 / 18


def bayes_error(
    n_patches: ArrayLike,
    noise: ArrayLike,
    *,
    method: str = "quadrature",
    n_draws: int = 20_000,
    random_state: int | np.random.Generator = 0,
) -> float | NDArray[np.float64]:
    r"""Return the error of the best classifier of the Dynamic Signal Distribution.

    The best classifier is the sign of `log_odds`. Its error depends on the number of patches and
    on the noise alone, not on the size of the patches. Two independent formulas give it.

    Parameters
    ----------
    n_patches : int or array-like of int
        Number of patches, at least 1; broadcast against `noise`.
    noise : float or array-like of float
        Standard deviation of the noise per feature, in units of the length of the signal; at
        least 0.
    method : {"quadrature", "simulation"}, default="quadrature"
        "quadrature" is good to nine digits, for rare errors too. "simulation" averages random
        draws and is good to one per cent; it is there to check the other one.
    n_draws : int, default=20_000
        Draws per entry of the simulation, whose relative error falls like ``n_draws ** -0.5``.
    random_state : int or numpy.random.Generator, default=0
        Source of the simulation's draws. An int gives every entry the same draws, so that an
        array of arguments returns what its entries return one by one.

    Returns
    -------
    error : float or ndarray
        Probability of a wrong label, from 0 to 1/2, in the broadcast shape of the arguments.

    Raises
    ------
    ValueError
        If `n_patches` is not a positive integer, `noise` is negative or not finite, `n_draws` is
        not positive, or `method` is unknown.

    See Also
    --------
    bayes_squared_risk : Squared risk of the best regression.
    linear_error : Error of the best linear classifier.
    max_rule_error : Error of the rule that looks at the largest score alone.

    Notes
    -----
    Let :math:`a = 1/\sigma`, :math:`g` be standard normal and :math:`Q` its upper tail.

    *Quadrature.* The error is one half less half the total variation between the classes. In
    terms of :math:`p(\tau) = 1 - E\,e^{i\tau\sinh(ag)}`, and with the same identity for a single
    patch subtracted so that nothing cancels, it is

    .. math:: Q(a) + \frac{e^{-a^2/2}}{\pi} \int_0^\infty
              \Bigl[p - \frac{1 - (1 - p)^k}{k}\Bigr] \frac{d\tau}{\tau^2} .

    Moving the contour of :math:`g` into the complex plane frees :math:`p` of oscillations; both
    integrals are then trapezoidal sums that converge geometrically.

    *Simulation.* For y = 1 the rule errs if and only if the sinh of the score in the hidden place
    (over the variance) is below :math:`-S`, where :math:`S = \sum_{t<k} \sinh(a g_t)` comes from
    the other places. Hence the error is :math:`E\,Q(a + \operatorname{arsinh}(S)/a)`. Half of the
    draws have one patch moved to where rare errors happen, and are weighted accordingly; every
    draw stands for its negative too.

    Special cases: :math:`Q(a)` for one patch, :math:`Q(a/\sqrt 2)` for two, and about
    :math:`(k - 1)\,Q(a/\sqrt 2)` for small noise.

    References
    ----------
    .. [1] Lahoti, Karp, Winston, Singh, Li, "Role of Locality and Weight Sharing in Image-Based
       Tasks", ICLR 2024, arXiv:2403.15707: the law. The formulas are derived from its definition.

    Examples
    --------
    >>> from sklcnn.theory import bayes_error
    >>> bayes_error([[1], [10], [100]], [0.25, 0.5]).round(4)
    array([[0.    , 0.0228],
           [0.0143, 0.2118],
           [0.0597, 0.3639]])
    """
    n_patches, noise = check_law(n_patches, noise)
    if n_draws < 1:
        raise ValueError(f"n_draws must be at least 1, got {n_draws}.")
    if method == "quadrature":
        error = np.vectorize(_error_by_quadrature, otypes=[float])
        return error(n_patches, noise)[()]
    if method == "simulation":
        error = np.vectorize(_error_by_simulation, otypes=[float], excluded={2, 3})
        return error(n_patches, noise, n_draws, random_state)[()]
    raise ValueError(f"method must be 'quadrature' or 'simulation', got {method!r}.")


def bayes_squared_risk(n_patches: ArrayLike, noise: ArrayLike) -> float | NDArray[np.float64]:
    r"""Return the squared risk of the best regression on the Dynamic Signal Distribution.

    The best regression is the posterior mean of the label, :math:`E[y|x] = \tanh(L(x) / 2)` with
    the log-odds *L* of `log_odds`. No predictor has a smaller mean squared error than its
    :math:`E(y - E[y|x])^2 = 1 - E \tanh^2(L / 2)`.

    Parameters
    ----------
    n_patches : int or array-like of int
        Number of patches, at least 1; broadcast against `noise`.
    noise : float or array-like of float
        Standard deviation of the noise per feature, in units of the length of the signal; at
        least 0.

    Returns
    -------
    risk : float or ndarray
        Mean squared error, from 0 to 1, in the broadcast shape of the arguments. Good to nine
        digits, for small risks too.

    Raises
    ------
    ValueError
        If `n_patches` is not a positive integer, or `noise` is negative or not finite.

    See Also
    --------
    bayes_error : Error of the best classifier.
    linear_squared_risk : Squared risk of the best linear regression.

    Notes
    -----
    Let :math:`a = 1/\sigma`, :math:`g_t` be standard normal, :math:`u_t = a g_t`, and *S* and *C*
    the sums of :math:`\sinh u_t` and :math:`\cosh u_t` over all *k* patches. By definition the
    risk is :math:`e^{-a^2/2} E[(C^2 - S^2) / C] / k`. The products of two different sinh average
    to zero, as *C* does not see the signs; and :math:`1/C = \int_0^\infty e^{-\lambda C} d\lambda`
    makes the patches independent. With :math:`\psi(\lambda) = E\,e^{-\lambda\cosh(ag)}` there
    remains

    .. math:: e^{-a^2/2} \int_0^\infty
              \bigl[\psi^k + (k - 1)\,\psi'^2\,\psi^{k-2}\bigr] d\lambda .

    Nothing oscillates or cancels. Special cases: one patch has the risk
    :math:`e^{-a^2/2} E\operatorname{sech}(ag)`, two patches have that of one patch with
    :math:`\sqrt 2` times the noise, and for small noise it is about *k* - 1 times as much as that.

    Examples
    --------
    >>> from sklcnn.theory import bayes_squared_risk
    >>> bayes_squared_risk(20, [0.1, 0.2, 0.3, 0.5]).round(4)
    array([0.    , 0.0087, 0.2031, 0.7014])
    """
    n_patches, noise = check_law(n_patches, noise)
    return np.vectorize(_squared_risk_by_quadrature, otypes=[float])(n_patches, noise)[()]


def log_odds(scores: ArrayLike, noise: float) -> NDArray[np.float64]:
    r"""Return the log-odds of label +1 against -1, given the score of every patch.

    .. math:: L(s) = \log \sum_t e^{s_t/\sigma^2} - \log \sum_t e^{-s_t/\sigma^2},
       \qquad \operatorname{sign} L = \operatorname{sign} \sum_t \sinh(s_t/\sigma^2).

    Parameters
    ----------
    scores : array-like of shape (..., n_patches)
        Inner product of each patch with the signal. If the place is known, that patch alone.
    noise : float
        Standard deviation of the noise per feature, at least 0.

    Returns
    -------
    log_odds : ndarray of shape (...)
        In the limit ``noise=0``, plus or minus infinity with the sign of the score that is largest
        in absolute value, or 0 if two of opposite signs tie.

    Raises
    ------
    ValueError
        If `noise` is negative or not finite.

    Examples
    --------
    >>> from sklcnn.theory import log_odds
    >>> log_odds([[0.9, 0.1, -0.2], [0.3, 0.1, -0.8]], noise=0.5).round(2)
    array([ 2.58, -1.66])
    """
    check_noise(noise)
    scores = np.asarray(scores, dtype=float)
    if noise == 0:
        margin = scores.max(axis=-1) + scores.min(axis=-1)
        return np.where(margin == 0, 0.0, np.copysign(np.inf, margin))
    return logsumexp(scores / noise**2, axis=-1) - logsumexp(-scores / noise**2, axis=-1)


def _error_by_quadrature(n_patches, noise):
    """Bayes error by the integral over the characteristic function, for scalars."""
    if noise == 0:
        return 0.0
    a = 1 / noise
    if n_patches == 1:
        return ndtr(-a)
    if noise < _SMALL_NOISE:
        return (n_patches - 1) * ndtr(-a / np.sqrt(2))
    log_tau, step, p = _characteristic_gap(noise)
    weights = np.exp(-log_tau - a**2 / 2) * step / np.pi  # d tau / tau^2 = d log_tau / tau
    return ndtr(-a) + weights @ _lost_to_repetition(p, n_patches)


@lru_cache(maxsize=256)
def _characteristic_gap(noise):
    """Return a grid of log tau, its step, and p = 1 - E exp(i tau sinh(g / noise)) on it.

    The contour is g + i angle / a with a = 1 / noise. At angle pi / 2 the integrand does not
    oscillate, but its weights cancel by a factor exp(angle^2 / (2 a^2)): hence smaller angles at
    large noise. The ranges leave out less than 1e-15 of the integrals, and halving both steps
    changes `bayes_error` by less than 1e-10 of its value.
    """
    a = 1 / noise
    angle, g_step, step = min(np.pi / 2, a), min(0.3, 0.3 / a), 0.25
    g = np.arange(0, a + 12, g_step)
    weights = np.exp(-((g + 1j * angle / a) ** 2) / 2) * g_step * np.sqrt(2 / np.pi)
    weights[0] /= 2  # every other node also stands for its mirror image -g, the conjugate
    log_tau = np.arange(-(a**2 / 2 + 9 * a + 15), 38 - a**2 / 4 - np.log(min(a, 1)), step)
    up = np.minimum(log_tau[:, None] + a * g, 300)  # exp(-exp(300)) is 0 already
    down = log_tau[:, None] - a * g
    exponent = 0.5j * (np.exp(up + 1j * angle) - np.exp(down - 1j * angle))  # i tau sinh(...)
    return log_tau, step, -(np.expm1(exponent) @ weights).real


def _lost_to_repetition(p, k):
    """Return p - (1 - (1 - p)^k) / k without cancellation: where k p is small, by its series."""
    series = (k - 1) * p**2 / 2 * (1 - (k - 2) * p / 3 * (1 - (k - 3) * p / 4))
    small = np.minimum(p, 0.5)
    power = np.where(p < 0.5, np.expm1(k * np.log1p(-small)), (1 - p) ** k - 1)
    return np.where(k * p < 1e-3, series, p + power / k)


def _squared_risk_by_quadrature(n_patches, noise):
    """Bayes squared risk by the integral over lambda, for scalars."""
    if noise == 0:
        return 0.0
    if n_patches > 1 and noise < _SMALL_NOISE:
        return (n_patches - 1) * _squared_risk_of_one_patch(noise * np.sqrt(2))
    if n_patches == 1:
        return _squared_risk_of_one_patch(noise)
    weights, psi, slope = _laplace_transforms(noise)
    return weights @ (psi**n_patches + (n_patches - 1) * slope**2 * psi ** (n_patches - 2))


def _squared_risk_of_one_patch(noise):
    """E sech^2(L/2) for a known place: exp(-a^2/2) E sech(a g), a smooth trapezoidal sum.

    The integrand has poles at a g = i pi / 2, hence a step that is small against 1 / a too.
    """
    a = 1 / noise
    g = np.arange(0, 40, 0.25) * min(1, noise)
    exponent = -(g**2) / 2 - a * g - np.log1p(np.exp(-2 * a * g)) - a**2 / 2
    terms = 2 * np.exp(exponent)  # the law of g times sech
    return np.sqrt(2 / np.pi) * (terms.sum() - terms[0] / 2) * g[1]


@lru_cache(maxsize=256)
def _laplace_transforms(noise):
    """Return weights over lambda, and psi = E exp(-lambda cosh(a g)) and -psi' there.

    Weights are those of a trapezoidal sum in log lambda, times exp(-a^2/2). Both integrands are
    analytic in a strip of half width pi / 2 around the real log lambda and a g, so that the steps
    below leave a relative error of about exp(-pi^2 / step), less than 1e-15.
    """
    a, step = 1 / noise, 0.25
    g_step = min(0.3, 0.25 / a)
    g = np.arange(0, a + 12, g_step)
    weights = np.exp(-(g**2) / 2) * g_step * np.sqrt(2 / np.pi)
    weights[0] /= 2  # every other node also stands for its mirror image -g
    # Beyond these ends the integral has less than 1e-15 of its value; exp(-exp(6.6)) is 0.
    log_lambda = np.arange(-(a**2 / 2 + 9 * a + 40), 6.6, step)
    cosh = np.cosh(a * g)
    decay = np.exp(-np.exp(log_lambda)[:, None] * cosh)  # (n_lambda, n_g)
    return step * np.exp(log_lambda - a**2 / 2), decay @ weights, decay @ (cosh * weights)


def _error_by_simulation(n_patches, noise, n_draws, random_state):
    """Bayes error by importance sampling, for scalars."""
    if noise == 0:
        return 0.0
    if n_patches == 1:
        return ndtr(-1 / noise)
    rng = np.random.default_rng(random_state)
    n_others, n_pairs = int(n_patches) - 1, -(-n_draws // 2)
    chunk = max(1, 2**20 // n_others)  # bounds the memory
    sizes = [min(chunk, n_pairs - start) for start in range(0, n_pairs, chunk)]
    return sum(_weighted_errors(rng, size, n_others, 1 / noise) for size in sizes) / (2 * n_pairs)


def _weighted_errors(rng, n_pairs, n_others, a):
    """Add up the error given the other patches over n_pairs plain and n_pairs moved draws.

    A rare error needs two scores half way: that of the signal, and one other one against it. The
    first is integrated in closed form, the second is proposed by moving one g by a / 2. Every draw
    stands for its negative too. As half of the draws are plain, no weight exceeds 2.
    """
    g = rng.standard_normal((2 * n_pairs, n_others))
    g[:n_pairs, 0] -= a / 2
    # Density of moved draws, whichever patch and sign, over that of plain ones.
    cosh = np.logaddexp(a * g / 2, -a * g / 2)  # log of 2 cosh
    log_ratio = logsumexp(cosh, axis=1) - a**2 / 8 - np.log(2 * n_others)
    weights = np.exp(-np.logaddexp(0, log_ratio))  # (2 * n_pairs,), half of the weight
    shift = _arsinh_of_sinh_sum(a * g) / a
    return weights @ (ndtr(-a - shift) + ndtr(-a + shift))


def _arsinh_of_sinh_sum(u):
    """Return arsinh(sum_t sinh(u_t)) over the last axis, without overflow."""
    top = np.abs(u).max(axis=-1)
    shift = top[..., None]
    total = (np.exp(u - shift) - np.exp(-u - shift)).sum(axis=-1) / 2
    return np.sign(total) * (top + np.log(np.abs(total) + np.hypot(total, np.exp(-top))))
