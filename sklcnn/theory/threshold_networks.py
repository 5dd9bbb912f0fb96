r"""Squared risk of soft-threshold networks on the Dynamic Signal Distribution, in closed form.

The networks are those of the theory: one filter a patch, the activation
:math:`\phi_b(z) = \max(z - b, 0) - \max(-z - b, 0)`, sum pooling and unit readout,

.. math:: f(x) = \sum_t \phi_b(\langle w_t, x^{(t)} \rangle) ,

with filters of their own (locally connected) or the same in all patches (convolutional). What a
filter sees in its patch is normal; all that matters of it is its overlap
:math:`c_t = \langle w_t, w^* \rangle` with the signal and the standard deviation
:math:`\tau_t = \sigma \lVert w_t \rVert` of its noise.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from .arguments import check_count, check_finite, check_noise, check_std

__all__ = ["soft_threshold_moments", "threshold_network_squared_risk"]


def soft_threshold_moments(
    mean: ArrayLike, std: ArrayLike, threshold: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    r"""Return the first two moments of a soft-thresholded normal variable.

    For :math:`z \sim N(\mu, \tau^2)` they are :math:`E\,\phi_b(z)` and :math:`E\,\phi_b(z)^2`
    with :math:`\phi_b(z) = \max(z - b, 0) - \max(-z - b, 0)`.

    Parameters
    ----------
    mean : float or array-like of float
        Mean of the variable; broadcast against the other two.
    std : float or array-like of float
        Its standard deviation, at least 0, where 0 stands for a constant.
    threshold : float or array-like of float
        The threshold *b*. Below 0 the activation is no longer a shrinkage, but still defined.

    Returns
    -------
    first : float or ndarray
        Mean of the activation, in the broadcast shape of the arguments.
    second : float or ndarray
        Mean of its square.

    Raises
    ------
    ValueError
        If an argument is not finite, or `std` is negative.

    See Also
    --------
    sklcnn.nn.soft_threshold : The activation.

    Notes
    -----
    With :math:`r_1, r_2` the moments of a rectified normal variable, for :math:`b \ge 0`

    .. math:: E\,\phi_b = r_1(\mu - b) - r_1(-\mu - b), \qquad
              E\,\phi_b^2 = r_2(\mu - b) + r_2(-\mu - b) .

    The first one holds for all *b*. For a negative threshold the second one follows from
    :math:`\phi_{-b}(z) = 2z - \phi_b(z)` and Stein's lemma,
    :math:`E\,z\phi_b = \mu E\,\phi_b + \tau^2 P(|z| > b)`.

    Examples
    --------
    >>> from sklcnn.theory import soft_threshold_moments
    >>> first, second = soft_threshold_moments([0.0, 1.0], std=0.2, threshold=0.3)
    >>> first.round(4), second.round(4)
    (array([0. , 0.7]), array([0.0018, 0.53  ]))
    """
    first, second = _moments(
        check_finite("mean", mean), check_std("std", std), check_finite("threshold", threshold)
    )
    return first[()], second[()]


def threshold_network_squared_risk(
    filters: ArrayLike,
    threshold: ArrayLike,
    signal: ArrayLike,
    noise: ArrayLike,
    *,
    n_patches: int | None = None,
) -> float | NDArray[np.float64]:
    r"""Return the population squared risk of soft-threshold networks on the DSD.

    It is :math:`E(y - f(x))^2` over the Dynamic Signal Distribution, in closed form, for the
    network :math:`f(x) = \sum_t \phi_b(\langle w_t, x^{(t)} \rangle)`.

    Parameters
    ----------
    filters : array-like of shape (..., n_patches, patch_size)
        One filter a patch for a locally connected network, or shape (..., 1, patch_size) for a
        convolutional one. Leading axes are networks.
    threshold : float or array-like of shape (...)
        The threshold *b* of the activation; broadcast against the leading axes of `filters`.
    signal : array-like of shape (patch_size,)
        The signal of the law, of any length.
    noise : float or array-like of shape (...)
        Standard deviation of the noise per feature, at least 0.
    n_patches : int, default=None
        Number of patches. None takes that of `filters`, and has to be replaced for a filter that
        is shared.

    Returns
    -------
    risk : float or ndarray of shape (...)
        Mean squared error, one for each network.

    Raises
    ------
    ValueError
        If shapes do not fit each other, a number is not finite or `noise` is negative.

    See Also
    --------
    threshold_network_error : Zero-one error of the same networks.
    oracle_squared_risk : The smallest risk if all filters equal the signal.

    Notes
    -----
    Let :math:`m_t, q_t` be the `soft_threshold_moments` at mean :math:`c_t` and standard deviation
    :math:`\tau_t`, and :math:`q^0_t` the second moment at mean 0. As the activation is odd,
    patches without the signal have mean 0, and all products of different patches vanish:

    .. math:: 1 + \frac1k \sum_t (q_t - 2 m_t - q^0_t) + \sum_t q^0_t .

    Examples
    --------
    >>> import numpy as np
    >>> from sklcnn.theory import threshold_network_squared_risk
    >>> signal = np.array([0.6, 0.8])
    >>> filters = np.stack([signal, 0.9 * signal])[:, None]  # two convolutional networks
    >>> threshold_network_squared_risk(filters, 0.2, signal, 0.1, n_patches=20).round(4)
    array([0.0522, 0.099 ])
    """
    rows = network_responses(filters, threshold, signal, noise, n_patches)
    return 1 + excess_squared_risk(rows)


class Responses(NamedTuple):
    """What a network of one filter a patch answers with: all that its risks depend on."""

    overlap: NDArray[np.float64]  # (..., n_rows): inner products of filters and signal
    std: NDArray[np.float64]  # (..., n_rows): of the noise behind the filters
    threshold: NDArray[np.float64]  # (...)
    n_patches: int  # n_rows, or more than the one row of a shared filter


def network_responses(filters, threshold, signal, noise, n_patches):
    """Return the responses of networks, or say what is wrong with them."""
    filters, signal = check_finite("filters", filters), check_finite("signal", signal)
    if filters.ndim < 2 or signal.ndim != 1 or filters.shape[-1] != len(signal):
        raise ValueError(
            f"filters of shape {filters.shape} and a signal of shape {signal.shape} do not fit: "
            "they must have shapes (..., n_patches, patch_size) and (patch_size,)."
        )
    n_rows = filters.shape[-2]
    n_patches = int(check_count("n_patches", n_rows if n_patches is None else n_patches))
    if n_rows not in (1, n_patches):
        raise ValueError(
            f"n_patches={n_patches}, but there are filters for {n_rows}: there must be one for "
            "each patch, or a single one for all."
        )
    std = check_noise(noise)[..., None] * np.linalg.norm(filters, axis=-1)  # (..., n_rows)
    return Responses(filters @ signal, std, check_finite("threshold", threshold), n_patches)


def excess_squared_risk(responses):
    """Return the squared risk less that of the network that is 0, of shape (...)."""
    overlap, std, threshold, n_patches = responses
    threshold = threshold[..., None]
    first, second = _moments(overlap, std, threshold)
    _, second_of_noise = _moments(0.0, std, threshold)
    # Means over patches; they count a shared filter, which has one row, as often as its patches.
    per_patch = second - 2 * first + (n_patches - 1) * second_of_noise
    return per_patch.mean(axis=-1)


def _moments(mean, std, threshold):
    """Moments of the soft threshold, of any sign, of a normal variable."""
    edge = np.abs(threshold)
    up, up_squared, up_probability = _rectified(mean - edge, std)
    down, down_squared, down_probability = _rectified(-mean - edge, std)
    first, second = up - down, up_squared + down_squared
    product = mean * first + std**2 * (up_probability + down_probability)  # E z phi, by Stein
    reflected = 4 * (mean**2 + std**2 - product) + second  # E (2 z - phi)^2
    negative = np.asarray(threshold) < 0
    return np.where(negative, 2 * mean - first, first), np.where(negative, reflected, second)


def _rectified(mean, std):
    """Moments of max(z, 0) for z ~ N(mean, std^2), and the probability of z > 0."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ratio = np.where(std > 0, mean / std, np.copysign(np.inf, mean))
        density = np.exp(-(ratio**2) / 2) / np.sqrt(2 * np.pi)
    probability = ndtr(ratio)
    first = mean * probability + std * density
    second = (mean**2 + std**2) * probability + mean * std * density
    return np.maximum(first, 0), np.maximum(second, 0), probability  # rounding in the far tail
