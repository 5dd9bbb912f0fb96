r"""Simple rules for the Dynamic Signal Distribution: linear ones, and the largest score alone.

They stand on either side of the noise that makes the problem interesting. Well below
``n_patches ** -0.5`` a linear rule is nearly as good as any; above `critical_noise` no rule is
good; between the two one has to look at patches one by one.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from .arguments import check_count, check_law

__all__ = ["critical_noise", "linear_error", "linear_squared_risk", "max_rule_error"]


def linear_error(n_patches: ArrayLike, noise: ArrayLike) -> float | NDArray[np.float64]:
    r"""Return the error of the best linear classifier of the Dynamic Signal Distribution.

    The best linear classifier adds the scores of all patches, and so the noise of all patches:
    its error is :math:`Q(1 / (\sigma \sqrt k))`, with the upper tail :math:`Q` of the normal law.

    Parameters
    ----------
    n_patches : int or array-like of int
        Number of patches, at least 1; broadcast against `noise`.
    noise : float or array-like of float
        Standard deviation of the noise per feature, in units of the length of the signal; at
        least 0.

    Returns
    -------
    error : float or ndarray
        Probability of a wrong label, from 0 to 1/2, in the broadcast shape of the arguments.

    Raises
    ------
    ValueError
        If `n_patches` is not a positive integer, or `noise` is negative or not finite.

    See Also
    --------
    linear_squared_risk : Squared risk of the best linear regression.
    bayes_error : Error of the best of all classifiers.

    Notes
    -----
    It is about as good as the best rule while the noise is well below ``n_patches ** -0.5``, and
    hardly better than chance well above.

    Examples
    --------
    >>> from sklcnn.theory import linear_error
    >>> linear_error(20, [0.1, 0.2, 0.5]).round(3)
    array([0.013, 0.132, 0.327])
    """
    k, sigma = check_law(n_patches, noise)
    with np.errstate(divide="ignore"):
        return ndtr(-1 / (sigma * np.sqrt(k)))


def linear_squared_risk(n_patches: ArrayLike, noise: ArrayLike) -> float | NDArray[np.float64]:
    r"""Return the squared risk of the best linear regression on the Dynamic Signal Distribution.

    The best linear predictor is the sum of the scores of all patches times
    :math:`1 / (1 + k\sigma^2)`; its mean squared error is :math:`k\sigma^2 / (1 + k\sigma^2)`.

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
        Mean squared error, from 0 to 1, in the broadcast shape of the arguments.

    Raises
    ------
    ValueError
        If `n_patches` is not a positive integer, or `noise` is negative or not finite.

    See Also
    --------
    linear_error : Error of the best linear classifier.
    bayes_squared_risk : Squared risk of the best of all regressions.

    Examples
    --------
    >>> from sklcnn.theory import linear_squared_risk
    >>> linear_squared_risk(20, [0.1, 0.2, 0.5]).round(3)
    array([0.167, 0.444, 0.833])
    """
    k, sigma = check_law(n_patches, noise)
    return (k * sigma**2 / (1 + k * sigma**2))[()]


def max_rule_error(n_patches: ArrayLike, noise: ArrayLike) -> float | NDArray[np.float64]:
    r"""Return the error of the rule that takes the sign of the largest score.

    Of the scores of all patches, their inner products with the signal, the rule looks at the one
    that is largest in absolute value. It is close to the best rule while the noise is small.

    Parameters
    ----------
    n_patches : int or array-like of int
        Number of patches, at least 1; broadcast against `noise`.
    noise : float or array-like of float
        Standard deviation of the noise per feature, in units of the length of the signal; at
        least 0.

    Returns
    -------
    error : float or ndarray
        Probability of a wrong label, from 0 to 1/2, in the broadcast shape of the arguments. Good
        to nine digits, for rare errors too.

    Raises
    ------
    ValueError
        If `n_patches` is not a positive integer, or `noise` is negative or not finite.

    See Also
    --------
    bayes_error : Error of the best classifier, within five per cent of it for noise up to 0.3.
    linear_error : Error of the best linear classifier.

    Notes
    -----
    Let *v* be the score in the hidden place over the noise :math:`\sigma`, and *q(v)* the
    probability that one of the *k* - 1 other scores exceeds it in absolute value. Where one does
    its sign is a fair coin; where none does the rule errs if *v* has the wrong sign. For y = 1
    that makes

    .. math:: \int_0^\infty \Bigl[\varphi(v + 1/\sigma)\Bigl(1 - \frac{q(v)}2\Bigr)
              + \varphi(v - 1/\sigma)\,\frac{q(v)}2\Bigr] dv,
              \qquad q(v) = 1 - (2\Phi(v) - 1)^{k-1} .

    Examples
    --------
    >>> from sklcnn.theory import bayes_error, max_rule_error
    >>> max_rule_error(20, [0.2, 0.3, 0.5]).round(4)
    array([0.0029, 0.0708, 0.2748])
    >>> bayes_error(20, [0.2, 0.3, 0.5]).round(4)
    array([0.0028, 0.0694, 0.2646])
    """
    n_patches, noise = check_law(n_patches, noise)
    return np.vectorize(_max_rule_error, otypes=[float])(n_patches, noise)[()]


def critical_noise(n_patches: ArrayLike) -> float | NDArray[np.float64]:
    r"""Return the noise at which the Dynamic Signal Distribution turns unlearnable.

    At :math:`\sigma_c = 1 / \sqrt{2 \ln k}` the largest of *k* scores of pure noise is about as
    large as the score of the signal. For many patches, the error of the best rule tends to 0 for
    noise below any fixed share of it, and to chance above.

    Parameters
    ----------
    n_patches : int or array-like of int
        Number of patches, at least 1.

    Returns
    -------
    noise : float or ndarray
        Standard deviation of the noise per feature, in units of the length of the signal; infinite
        for one patch, where no place has to be found.

    Raises
    ------
    ValueError
        If `n_patches` is not a positive integer.

    See Also
    --------
    bayes_error : Error of the best classifier at any noise.

    Notes
    -----
    The transition is slow: at their critical noises of 0.41 and 0.27, the best errors for twenty
    and for a thousand patches are both 0.19.

    Examples
    --------
    >>> from sklcnn.theory import critical_noise
    >>> critical_noise([1, 20, 1000]).round(3)
    array([  inf, 0.409, 0.269])
    """
    n_patches = check_count("n_patches", n_patches)
    with np.errstate(divide="ignore"):
        return (1 / np.sqrt(2 * np.log(n_patches)))[()]


def _max_rule_error(n_patches, noise):
    """Error of the rule of the largest score by composite Gauss quadrature, for scalars."""
    if noise == 0:
        return 0.0
    a = 1 / noise
    if n_patches == 1:
        return ndtr(-a)
    # Rare errors happen half way, at a / 2; beyond a = 80 they are less than the smallest float.
    v, weights = _gauss_panels(0, min(a, 80) + 14, panel=0.5)
    exceeded = -np.expm1((n_patches - 1) * np.log1p(-2 * ndtr(-v)))
    weights = weights / np.sqrt(2 * np.pi)
    wrong_sign = np.exp(-((v + a) ** 2) / 2) * (1 - exceeded / 2)
    return weights @ (wrong_sign + np.exp(-((v - a) ** 2) / 2) * exceeded / 2)


def _gauss_panels(start, stop, panel):
    """Return nodes and weights of the Gauss rule of 16 nodes on panels of about that width."""
    nodes, weights = np.polynomial.legendre.leggauss(16)
    edges = np.linspace(start, stop, int(np.ceil((stop - start) / panel)) + 1)
    half = (edges[1:] - edges[:-1])[:, None] / 2  # (n_panels, 1)
    return (edges[:-1, None] + half * (1 + nodes)).ravel(), (half * weights).ravel()
