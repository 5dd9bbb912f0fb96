"""The sphere with a teacher as a function."""

import numpy as np

from sklcnn.datasets.sphere.isotropic import SphereTeacher

__all__ = ["make_sphere"]


def make_sphere(
    *,
    n_samples: int = 100,
    n_features: int = 100,
    patch_size: int = 10,
    n_filters: int = 20,
    noise: float = 1.0,
    target: str = "filters",
    return_clean: bool = False,
    random_state: int | np.random.RandomState | None = None,
):
    """Generate inputs on the unit sphere with targets from a teacher, plus noise.

    Parameters
    ----------
    n_samples : int, default=100
        Number of samples.
    n_features : int, default=100
        Dimension of the inputs, a multiple of ``patch_size`` unless the target is linear.
    patch_size : int, default=10
        Features per patch. Of no effect if the target is linear.
    n_filters : int, default=20
        Filters of the teacher. Of no effect if the target is linear.
    noise : float, default=1.0
        Standard deviation of the noise on the target.
    target : {"filters", "linear"}, default="filters"
        The teacher: a network of shared local filters, or a linear function.
    return_clean : bool, default=False
        Whether to return the targets without noise too.
    random_state : int, RandomState instance or None, default=None
        Source of the teacher and, from streams independent of it, of inputs and noise.

    Returns
    -------
    X : ndarray of shape (n_samples, n_features)
        The inputs, each of unit length.
    y : ndarray of shape (n_samples,)
        The targets.
    clean : ndarray of shape (n_samples,)
        The targets without noise. Only if ``return_clean=True``.

    See Also
    --------
    SphereTeacher : The law itself, for more samples of one teacher and for the best prediction.

    References
    ----------
    .. [1] Liang, Singh, Parhi, Cloninger, Wang, "The Inductive Bias of Convolutional Neural
       Networks: Locality and Weight Sharing Reshape Implicit Regularization", 2026,
       arXiv:2603.04807.

    Examples
    --------
    >>> from sklcnn.datasets import make_sphere
    >>> X, y = make_sphere(n_samples=5, n_features=20, random_state=0)
    >>> X.shape, y.shape
    ((5, 20), (5,))
    >>> (X**2).sum(axis=1).round(6)
    array([1., 1., 1., 1., 1.])
    """
    law = SphereTeacher(
        n_features, patch_size, n_filters, noise, target=target, random_state=random_state
    )
    return law.sample(n_samples, random_state=random_state, return_clean=return_clean)
