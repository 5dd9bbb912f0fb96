r"""Risks of fully connected soft-threshold networks on the Dynamic Signal Distribution.

Filters that see all patches answer with normal variables that depend on each other, so that there
is no closed form. But a sample enters the network through its answers alone: as many normal
variables as there are filters, drawn without a sample of the law.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .arguments import check_count, check_finite, check_noise

__all__ = ["NetworkRisks", "connected_network_risks"]


class NetworkRisks(NamedTuple):
    """Two population risks of the same networks.

    Parameters
    ----------
    squared_risk : float or ndarray
        Mean squared error against the label -1 or +1.
    error : float or ndarray
        Probability of a wrong sign, where an output of 0 is half an error.

    Examples
    --------
    >>> from sklcnn.theory import NetworkRisks
    >>> squared_risk, error = NetworkRisks(0.25, 0.1)
    >>> error
    0.1
    """

    squared_risk: float | NDArray[np.float64]
    error: float | NDArray[np.float64]


def connected_network_risks(
    filters: ArrayLike,
    threshold: ArrayLike,
    signal: ArrayLike,
    noise: ArrayLike,
    *,
    n_draws: int = 100_000,
    random_state: int | np.random.Generator = 0,
) -> NetworkRisks:
    r"""Return the population risks of fully connected soft-threshold networks on the DSD.

    The network is :math:`f(x) = \sum_i \phi_b(\langle w_i, x \rangle)` with unit readout and
    filters that see all patches. Its risks are averages over random answers of the filters.

    Parameters
    ----------
    filters : array-like of shape (..., n_filters, n_patches * patch_size)
        Filters over all patches, patch after patch. Leading axes are networks.
    threshold : float or array-like of shape (...)
        The threshold *b* of the activation; broadcast against the leading axes of `filters`.
    signal : array-like of shape (patch_size,)
        The signal of the law, of any length. Its size tells the number of patches.
    noise : float or array-like of shape (...)
        Standard deviation of the noise per feature, at least 0.
    n_draws : int, default=100_000
        Draws per network, rounded up to the same even number in every place. The standard error
        of the zero-one error *p* is at most ``(p / n_draws) ** 0.5``.
    random_state : int or numpy.random.Generator, default=0
        Source of the draws. An int gives every network the same draws, so that differences
        between similar networks are seen better than the networks themselves.

    Returns
    -------
    risks : NetworkRisks
        Fields ``squared_risk`` and ``error``, floats or arrays of shape (...).

    Raises
    ------
    ValueError
        If shapes do not fit each other, a number is not finite, `noise` is negative or `n_draws`
        is no positive integer.

    See Also
    --------
    threshold_network_squared_risk : Networks with one filter a patch, in closed form.
    threshold_network_error : Their zero-one error.

    Notes
    -----
    Let *W* hold the filters in its rows and :math:`\mu_t` be the signal in place *t*. Given the
    place and y = 1, the answers are :math:`z \sim N(W\mu_t, \sigma^2 W W^\top)`: exact, whatever
    the number of features. The other label needs no draws, as *f* is odd. Every place gets the
    same number of draws, and every draw of the noise stands for its negative too.

    Examples
    --------
    >>> import numpy as np
    >>> from sklcnn.theory import connected_network_risks
    >>> signal = np.array([0.6, 0.8])
    >>> filters = np.kron(np.eye(20), signal)  # (20, 40): the convolutional network, written out
    >>> risks = connected_network_risks(filters, [0.0, 0.28], signal, noise=0.2)
    >>> risks.squared_risk.round(2)  # exact: 0.8, 0.163
    array([0.8 , 0.16])
    >>> risks.error.round(2)  # exact: 0.132, 0.0084
    array([0.13, 0.01])
    """
    check_count("n_draws", n_draws)
    risks_of_network = np.vectorize(
        _risks_of_network, signature="(i,j),(),(d),()->(),()", excluded={4, 5}, otypes="dd"
    )
    filters, signal = _check_filters(filters, signal)
    threshold, noise = check_finite("threshold", threshold), check_noise(noise)
    risks = risks_of_network(filters, threshold, signal, noise, n_draws, random_state)
    return NetworkRisks(*(risk[()] for risk in risks))


def _check_filters(filters, signal):
    """Return filters and signal as float arrays, or say what is wrong with them."""
    filters, signal = check_finite("filters", filters), check_finite("signal", signal)
    if filters.ndim < 2 or signal.ndim != 1 or not signal.size or filters.shape[-1] % signal.size:
        raise ValueError(
            f"filters of shape {filters.shape} and a signal of shape {signal.shape} do not fit: "
            "they must have shapes (..., n_filters, n_patches * patch_size) and (patch_size,)."
        )
    return filters, signal


def _risks_of_network(filters, threshold, signal, noise, n_draws, random_state):
    """Squared risk and error of one network."""
    rng = np.random.default_rng(random_state)
    means = (filters.reshape(len(filters), -1, len(signal)) @ signal).T  # (n_patches, n_filters)
    # W = U S V', and V' times standard normal features is standard normal, in any rank.
    left, scale, _ = np.linalg.svd(filters, full_matrices=False)
    factor = noise * scale[:, None] * left.T  # (rank, n_filters)
    n_pairs = -(-n_draws // (2 * len(means)))
    squared, wrong = 0.0, 0.0
    for mean in means:
        for size in _chunks(n_pairs, 2**20 // len(filters) + 1):
            draws = rng.standard_normal((size, len(factor))) @ factor  # (size, n_filters)
            for answers in (mean + draws, mean - draws):
                outputs = _soft_threshold(answers, threshold).sum(axis=-1)
                squared += ((1 - outputs) ** 2).sum()
                wrong += (outputs < 0).sum() + (outputs == 0).sum() / 2
    n_outputs = 2 * n_pairs * len(means)
    return squared / n_outputs, wrong / n_outputs


def _chunks(total, largest):
    """Sizes that add up to the total, which bounds the memory."""
    return [min(largest, total - start) for start in range(0, total, largest)]


def _soft_threshold(z, threshold):
    return np.maximum(z - threshold, 0) - np.maximum(-z - threshold, 0)
