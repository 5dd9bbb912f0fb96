"""Samples of the Dynamic and the Static Signal Distribution from a function."""

import numpy as np
from numpy.typing import ArrayLike

from sklcnn.datasets.dynamic_signal.law import DynamicSignal

__all__ = ["make_dsd", "make_ssd"]


def make_dsd(
    *,
    n_samples: int = 100,
    n_patches: int = 10,
    patch_size: int = 20,
    noise: float = 0.1,
    signal: ArrayLike | None = None,
    return_location: bool = False,
    random_state: int | np.random.RandomState | None = None,
):
    """Generate samples of the Dynamic Signal Distribution: a signal at a random place, in noise.

    Parameters
    ----------
    n_samples : int, default=100
        Number of samples.
    n_patches : int, default=10
        Number of patches; one of them, at random, holds the signal.
    patch_size : int, default=20
        Features per patch.
    noise : float, default=0.1
        Standard deviation of the noise per feature.
    signal : array-like of shape (patch_size,), default=None
        The signal. None draws it uniformly from the unit sphere.
    return_location : bool, default=False
        Whether to return the places of the signal too.
    random_state : int, RandomState instance or None, default=None
        Source of the signal and, from streams independent of it, of the samples.

    Returns
    -------
    X : ndarray of shape (n_samples, n_patches * patch_size)
        The samples, patch after patch.
    y : ndarray of shape (n_samples,)
        The sign of the signal, -1 or +1.
    location : ndarray of shape (n_samples,)
        The patch that holds the signal. Only if ``return_location=True``.

    See Also
    --------
    DynamicSignal : The law itself, for more samples with the same signal and for the best rule.

    Notes
    -----
    For an int it returns ``DynamicSignal(..., random_state=random_state)`` and of it
    ``sample(n_samples, random_state=random_state)``.

    References
    ----------
    .. [1] Lahoti, Karp, Winston, Singh, Li, "Role of Locality and Weight Sharing in Image-Based
       Tasks", ICLR 2024, arXiv:2403.15707.

    Examples
    --------
    >>> from sklcnn.datasets import make_dsd
    >>> X, y, location = make_dsd(n_samples=5, return_location=True, random_state=0)
    >>> X.shape
    (5, 200)
    >>> y
    array([-1,  1,  1,  1, -1])
    >>> location
    array([7, 8, 5, 9, 1])
    """
    law = DynamicSignal(n_patches, patch_size, noise, signal=signal, random_state=random_state)
    return law.sample(n_samples, random_state=random_state, return_location=return_location)


def make_ssd(
    *,
    n_samples: int = 100,
    n_patches: int = 10,
    patch_size: int = 20,
    noise: float = 0.1,
    signal: ArrayLike | None = None,
    location: int = 0,
    return_location: bool = False,
    random_state: int | np.random.RandomState | None = None,
):
    """Generate samples of the Static Signal Distribution: a signal at a known place, in noise.

    Parameters
    ----------
    n_samples : int, default=100
        Number of samples.
    n_patches : int, default=10
        Number of patches.
    patch_size : int, default=20
        Features per patch.
    noise : float, default=0.1
        Standard deviation of the noise per feature.
    signal : array-like of shape (patch_size,), default=None
        The signal. None draws it uniformly from the unit sphere.
    location : int, default=0
        The patch that holds the signal in all samples, from 0 to ``n_patches - 1``.
    return_location : bool, default=False
        Whether to return the places of the signal too, as `make_dsd` does.
    random_state : int, RandomState instance or None, default=None
        Source of the signal and, from streams independent of it, of the samples.

    Returns
    -------
    X : ndarray of shape (n_samples, n_patches * patch_size)
        The samples, patch after patch.
    y : ndarray of shape (n_samples,)
        The sign of the signal, -1 or +1.
    location : ndarray of shape (n_samples,)
        The patch that holds the signal. Only if ``return_location=True``.

    See Also
    --------
    make_dsd : The same with a random place in every sample.

    References
    ----------
    .. [1] Lahoti, Karp, Winston, Singh, Li, "Role of Locality and Weight Sharing in Image-Based
       Tasks", ICLR 2024, arXiv:2403.15707.

    Examples
    --------
    >>> from sklcnn.datasets import make_ssd
    >>> X, y = make_ssd(n_samples=5, patch_size=1, location=3, signal=[1.0], random_state=0)
    >>> X.round(1)[:, 3] * y
    array([1. , 1. , 0.9, 1.1, 1.2])
    """
    law = DynamicSignal(
        n_patches, patch_size, noise, signal=signal, location=location, random_state=random_state
    )
    return law.sample(n_samples, random_state=random_state, return_location=return_location)
