r"""Sample complexities and the two-step method of the theorems on the Dynamic Signal Distribution.

The theorems are those of Lahoti, Karp, Winston, Singh, Li, "Role of Locality and Weight Sharing in
Image-Based Tasks: A Sample Complexity Separation between CNNs, LCNs, and FCNs", ICLR 2024,
arXiv:2403.15707. Families: "fcn" is fully connected, "lcn" locally connected, "cnn" convolutional.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .arguments import check_choice, check_count, check_noise

__all__ = ["TwoStepConstants", "predicted_cosine", "sample_complexity_rate", "two_step_constants"]


def _gradient_method(k, d):
    """What the gradient method needs for one filter: (k + d) log(k d)."""
    return (k + d) * np.log(k * d)


_RATES = {
    ("fcn", "lower"): lambda k, d: k**2 * d,
    ("lcn", "lower"): lambda k, d: k * d,
    ("lcn", "upper"): lambda k, d: k * _gradient_method(k, d),
    ("cnn", "upper"): _gradient_method,
}

# Variance of the noise in a filter, relative to its signal, times n_samples / noise^2.
_COSINES = {
    ("fcn", 1): lambda k, d: k**2 * d,
    ("lcn", 1): lambda k, d: k**2 * d,
    ("lcn", 2): lambda k, d: k * d,
    ("cnn", 1): lambda k, d: k * d,
    ("cnn", 2): lambda k, d: d,
}


def sample_complexity_rate(
    family: str, n_patches: ArrayLike, patch_size: ArrayLike, noise: ArrayLike, bound: str
) -> float | NDArray[np.float64]:
    r"""Return the rate of a theorem on how many samples a family needs.

    It is the expression inside the O or the Omega for reaching a constant risk: right up to a
    factor that nobody states, so that slopes and ratios mean something and values do not.

    Parameters
    ----------
    family : {"fcn", "lcn", "cnn"}
        Fully connected, locally connected or convolutional.
    n_patches : int or array-like of int
        Number of patches *k*; the numbers are broadcast against each other.
    patch_size : int or array-like of int
        Features per patch *d*.
    noise : float or array-like of float
        Standard deviation of the noise per feature :math:`\sigma`, at least 0.
    bound : {"lower", "upper"}
        Samples without which no algorithm of a class succeeds, or with which one algorithm does.

    Returns
    -------
    rate : float or ndarray
        Number of samples up to a factor, in the broadcast shape of the numbers.

    Raises
    ------
    ValueError
        If there is no such theorem (the message lists those that exist), or a number is out of its
        range.

    See Also
    --------
    predicted_cosine : The steps of the algorithm of the upper bounds.

    Notes
    -----
    ====== ====== ========================================= =====================================
    family bound  rate                                      holds for
    ====== ====== ========================================= =====================================
    fcn    lower  :math:`\sigma^2 k^2 d`                    equivariant under all rotations, final
                                                            threshold of at least 0.01, (*), (**)
    lcn    lower  :math:`\sigma^2 k d`                      equivariant under rotations in patches
                                                            and permutations of patches
    lcn    upper  :math:`\sigma^2 k (k + d) \ln(kd)`        two-step gradient descent, (*), (**)
    cnn    upper  :math:`\sigma^2 (k + d) \ln(kd)`          two-step gradient descent, (*)
    ====== ====== ========================================= =====================================

    (*) noise of order :math:`1/\sqrt k`, up to logarithms, or smaller; (**) *k* at most of order
    :math:`e^{d}`. Gradient descent from a Gaussian start is equivariant under all rotations.

    The powers of *k* and *d* are published; the factors :math:`\sigma^2`, the single logarithm and
    the conditions are from second-hand accounts of the theorems.

    References
    ----------
    .. [1] Lahoti, Karp, Winston, Singh, Li, "Role of Locality and Weight Sharing in Image-Based
       Tasks", ICLR 2024, arXiv:2403.15707. The fully connected bound is its Theorem 6.1.

    Examples
    --------
    >>> from sklcnn.theory import sample_complexity_rate
    >>> sample_complexity_rate("fcn", [10, 20], 20, 0.1, "lower").round(1)
    array([20., 80.])
    >>> sample_complexity_rate("cnn", [10, 20], 20, 0.1, "upper").round(1)
    array([1.6, 2.4])
    """
    check_choice("family", family, ["fcn", "lcn", "cnn"])
    check_choice("bound", bound, ["lower", "upper"])
    _check_known(f"{bound} bound for family={family!r}", (family, bound), _RATES)
    k, d = check_count("n_patches", n_patches), check_count("patch_size", patch_size)
    return (check_noise(noise) ** 2 * _RATES[family, bound](k, d))[()]


def predicted_cosine(
    family: str,
    n_patches: ArrayLike,
    patch_size: ArrayLike,
    noise: ArrayLike,
    n_samples: ArrayLike,
    *,
    step: int = 1,
) -> float | NDArray[np.float64]:
    r"""Return how well the filters should point to the signal after a step of the two-step method.

    It is the cosine between a filter and the signal after one large gradient step from almost
    zero, for a signal of unit length and filters that forget where they started.

    Parameters
    ----------
    family : {"fcn", "lcn", "cnn"}
        Fully connected, locally connected or convolutional.
    n_patches : int or array-like of int
        Number of patches *k*; the numbers are broadcast against each other.
    patch_size : int or array-like of int
        Features per patch *d*.
    noise : float or array-like of float
        Standard deviation of the noise per feature, in units of the length of the signal; at
        least 0.
    n_samples : int or array-like of int
        Number of samples *n* in the step.
    step : {1, 2}, default=1
        The first step, of a linear network; or the second one, on samples of its own, of a network
        whose threshold shuts out the patches without a signal and lets those with it through.

    Returns
    -------
    cosine : float or ndarray
        From 0 to 1, in the broadcast shape of the numbers. It is a ratio of root mean squares, off
        the mean cosine by about one per cent in problems of ordinary size.

    Raises
    ------
    ValueError
        If there is no prediction for the family and the step, or a number is out of its range.

    See Also
    --------
    two_step_constants : Learning rates and thresholds of the method.

    Notes
    -----
    *First step.* From almost zero the negative gradient of any usual loss is the mean of y x, times
    a constant. The filter of a patch gets :math:`w^*/k` and noise of standard deviation
    :math:`\sigma / \sqrt n` per feature; a shared filter gets the sum over the patches. Hence

    .. math:: \text{lcn: } (1 + \sigma^2 k^2 d / n)^{-1/2}, \qquad
              \text{cnn: } (1 + \sigma^2 k d / n)^{-1/2} .

    The units of a fully connected network all get the same gradient, the mean of y x in all *k d*
    features. What is returned for it is *not* a cosine with a signal in one place, but that
    of the common filter and :math:`\sum_t \mu_t / \sqrt k`, the signal in all places at once: the
    best linear classifier. It is :math:`(1 + \sigma^2 k^2 d / n)^{-1/2}`, for
    :math:`\sigma^2 k d` well above 1; otherwise it is too high, as the places of the signal are
    not hit equally often.

    *Second step.* Only the n / k samples with their signal in a patch speak to its filter; a shared
    filter listens to one patch of each sample:

    .. math:: \text{lcn: } (1 + \sigma^2 k d / n)^{-1/2}, \qquad
              \text{cnn: } (1 + \sigma^2 d / n)^{-1/2} .

    There is none for the fully connected network: its units stay the same.

    Examples
    --------
    >>> from sklcnn.theory import predicted_cosine
    >>> predicted_cosine("lcn", 20, 20, 0.2, [400, 1600]).round(3)
    array([0.745, 0.913])
    >>> predicted_cosine("lcn", 20, 20, 0.2, [400, 1600], step=2).round(3)
    array([0.981, 0.995])
    """
    check_choice("family", family, ["fcn", "lcn", "cnn"])
    _check_known(f"prediction for family={family!r} and step={step!r}", (family, step), _COSINES)
    k, d = check_count("n_patches", n_patches), check_count("patch_size", patch_size)
    n = check_count("n_samples", n_samples)
    return (1 / np.sqrt(1 + check_noise(noise) ** 2 * _COSINES[family, step](k, d) / n))[()]


class TwoStepConstants(NamedTuple):
    """Constants of the two-step gradient method of the upper bounds.

    Parameters
    ----------
    learning_rates : tuple of two floats
        Learning rates of the first and the second step.
    thresholds : tuple of two floats
        Thresholds set after the first step (the second one is taken with it) and after the second
        one (the network predicts with it). The first step is taken with threshold 0.
    initial_std : float
        Standard deviation of the initial weights.

    Examples
    --------
    >>> from sklcnn.theory import TwoStepConstants
    >>> TwoStepConstants((1.0, 1000.0), (0.02, 1e-4), 1e-3).thresholds
    (0.02, 0.0001)
    """

    learning_rates: tuple[float, float]
    thresholds: tuple[float, float]
    initial_std: float


def two_step_constants(family: str, n_patches: int, patch_size: int) -> TwoStepConstants:
    r"""Return the literal constants of the two-step gradient method of the upper bounds.

    Every filter starts from :math:`N(0, I / (100 k^2 d^2))`. After each of the two steps it is
    projected to the unit sphere, and the threshold is set, not learned.

    Parameters
    ----------
    family : {"lcn", "cnn"}
        Locally connected or convolutional.
    n_patches : int
        Number of patches *k*.
    patch_size : int
        Features per patch *d*.

    Returns
    -------
    constants : TwoStepConstants
        Fields ``learning_rates``, ``thresholds`` and ``initial_std``.

    Raises
    ------
    ValueError
        If there is no such theorem for the family, or a number is not a positive integer.

    See Also
    --------
    predicted_cosine : What the two steps do to the filters.

    Notes
    -----
    The learning rates are 1 and :math:`1000 k` (lcn) or 1000 (cnn, whose gradient is *k* times
    larger), the thresholds :math:`\frac1{32} \sqrt{(k + d) \ln(kd) / (kd)}` and 0.0001, and the
    standard deviation is :math:`1 / (10 k d)`.

    All of it is second-hand: the constants of the locally connected network are from accounts of
    the proof (two agree on the last threshold), where the variance is given by its inverse and the
    projection is called optional; those of the convolutional network are only said to be analogous,
    and are inferred here from the ratio of the gradients.

    The constants are asymptotic. At *k* = *d* = 20 the first threshold of 0.024 shuts out no noise
    that is not below 0.005 itself; in practice, take a few times the noise. And since the
    initial weights are tiny, a positive threshold in the first step would make its gradient
    exactly zero.

    References
    ----------
    .. [1] Lahoti, Karp, Winston, Singh, Li, "Role of Locality and Weight Sharing in Image-Based
       Tasks", ICLR 2024, arXiv:2403.15707.

    Examples
    --------
    >>> from sklcnn.theory import two_step_constants
    >>> constants = two_step_constants("lcn", n_patches=20, patch_size=20)
    >>> constants.learning_rates, constants.initial_std
    ((1.0, 20000.0), 0.00025)
    >>> round(constants.thresholds[0], 4)
    0.0242
    """
    check_choice("family", family, ["lcn", "cnn"])
    k = float(check_count("n_patches", n_patches))
    d = float(check_count("patch_size", patch_size))
    last_rate = 1000 * k if family == "lcn" else 1000.0
    first_threshold = float(np.sqrt(_gradient_method(k, d) / (k * d)) / 32)
    return TwoStepConstants((1.0, last_rate), (first_threshold, 1e-4), 1 / (10 * k * d))


def _check_known(what, key, table):
    """Say which theorems there are if this is none of them."""
    if key not in table:
        known = ", ".join(f"{family} {which}" for family, which in table)
        raise ValueError(f"There is no {what}; there are: {known}.")
