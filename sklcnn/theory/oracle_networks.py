"""The oracle network of the Dynamic Signal Distribution: all filters equal the signal.

It knows the signal and has to choose its threshold alone. What a trained soft-threshold network
can reach is measured against it.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize_scalar

from .arguments import check_choice, check_law
from .threshold_errors import threshold_network_error
from .threshold_networks import Responses, excess_squared_risk

__all__ = ["oracle_error", "oracle_squared_risk", "oracle_threshold"]


def oracle_threshold(
    n_patches: ArrayLike, noise: ArrayLike, *, criterion: str = "squared_risk"
) -> float | NDArray[np.float64]:
    r"""Return the best threshold of the network whose filters all equal the signal.

    The network is :math:`f(x) = \sum_t \phi_b(\langle w^*, x^{(t)} \rangle)` with a signal
    :math:`w^*` of unit length. The threshold is the minimizer over :math:`b \ge 0`.

    Parameters
    ----------
    n_patches : int or array-like of int
        Number of patches, at least 1; broadcast against `noise`.
    noise : float or array-like of float
        Standard deviation of the noise per feature, in units of the length of the signal; at
        least 0.
    criterion : {"squared_risk", "error"}, default="squared_risk"
        What the threshold is best for. Classification wants a larger one than regression.

    Returns
    -------
    threshold : float or ndarray
        In units of the length of the signal, in the broadcast shape of the arguments. Where the
        minimum is flat, one of many that are equally good.

    Raises
    ------
    ValueError
        If `n_patches` is not a positive integer, `noise` is negative or not finite, or `criterion`
        is unknown.

    See Also
    --------
    oracle_squared_risk : The squared risk there.
    oracle_error : The zero-one error at the best threshold for it.

    Examples
    --------
    >>> from sklcnn.theory import oracle_threshold
    >>> oracle_threshold(20, [0.1, 0.2, 0.3]).round(2)
    array([0.14, 0.28, 0.43])
    >>> oracle_threshold(20, [0.2, 0.3], criterion="error").round(2)
    array([0.42, 0.53])
    """
    check_choice("criterion", criterion, list(_CRITERIA))
    return _minimum(n_patches, noise, _CRITERIA[criterion])[0]


def oracle_squared_risk(n_patches: ArrayLike, noise: ArrayLike) -> float | NDArray[np.float64]:
    """Return the squared risk of the network whose filters all equal the signal.

    The threshold is the best one, that of `oracle_threshold`.

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
    bayes_squared_risk : Squared risk of the best regression.
    threshold_network_squared_risk : The same for any filters and threshold.

    Examples
    --------
    >>> from sklcnn.theory import bayes_squared_risk, oracle_squared_risk
    >>> oracle_squared_risk(20, [0.1, 0.2, 0.3]).round(4)
    array([0.0408, 0.1631, 0.3601])
    >>> bayes_squared_risk(20, [0.1, 0.2, 0.3]).round(4)
    array([0.    , 0.0087, 0.2031])
    """
    return 1 + _minimum(n_patches, noise, _CRITERIA["squared_risk"])[1]


def oracle_error(n_patches: ArrayLike, noise: ArrayLike) -> float | NDArray[np.float64]:
    """Return the zero-one error of the network whose filters all equal the signal.

    The threshold is the best one for this error, which is that of `oracle_threshold` with
    ``criterion="error"``.

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
        Probability of a wrong label, right to about 1e-8, in the broadcast shape of the arguments.

    Raises
    ------
    ValueError
        If `n_patches` is not a positive integer, or `noise` is negative or not finite.

    See Also
    --------
    bayes_error : Error of the best classifier.
    threshold_network_error : The same for any filters and threshold.

    Examples
    --------
    >>> from sklcnn.theory import bayes_error, oracle_error
    >>> oracle_error(20, [0.2, 0.3]).round(4)
    array([0.0035, 0.0758])
    >>> bayes_error(20, [0.2, 0.3]).round(4)
    array([0.0028, 0.0694])
    """
    return _minimum(n_patches, noise, _CRITERIA["error"])[1]


def _minimum(n_patches, noise, criterion):
    """Return minimizer and minimum of a criterion over the threshold, in broadcast shape."""
    n_patches, noise = check_law(n_patches, noise)
    search = np.vectorize(_minimum_over_threshold, otypes=[float, float], excluded={2})
    threshold, value = search(n_patches, noise, criterion)
    return threshold[()], value[()]


def _minimum_over_threshold(n_patches, noise, criterion):
    """Best of a grid of thresholds, refined between its neighbors, for scalars."""
    objective, largest, n_grid = criterion
    grid = np.linspace(0, largest(n_patches, noise), n_grid)
    values = objective(n_patches, noise, grid)
    best = int(values.argmin())
    bounds = grid[max(best - 1, 0)], grid[min(best + 1, n_grid - 1)]
    found = minimize_scalar(
        lambda threshold: float(objective(n_patches, noise, np.asarray(threshold))),
        bounds=bounds,
        method="bounded",
        options={"xatol": 1e-7 * grid[-1]},
    )
    if found.fun < values[best]:
        return found.x, found.fun
    return grid[best], values[best]


def _excess_squared_risk(n_patches, noise, threshold):
    """Squared risk less 1, which keeps its digits where the noise leaves little to be gained."""
    one = np.ones(1)
    return excess_squared_risk(Responses(one, noise * one, threshold, n_patches))


def _error(n_patches, noise, threshold):
    return threshold_network_error([[1.0]], threshold, [1.0], noise, n_patches=int(n_patches))


def _largest_for_squared_risk(n_patches, noise):
    """A threshold above the best one: the noise's maximum for little noise.

    For much noise a response is worth noise^2 log n_patches before it tells more than it costs;
    beyond 37 standard deviations there is nothing left.
    """
    spread = noise * (2 + np.sqrt(2 * np.log(n_patches)))
    return 1 + min(spread + noise**2 * (3 + 2 * np.log(n_patches)), 37 * noise)


def _largest_for_error(n_patches, noise):
    """A threshold above the best one: the largest score of pure noise, and more than the signal."""
    return 1 + noise * np.sqrt(2 * np.log(n_patches))


_CRITERIA = {
    "squared_risk": (_excess_squared_risk, _largest_for_squared_risk, 400),
    "error": (_error, _largest_for_error, 40),
}
