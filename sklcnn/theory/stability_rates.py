r"""How fast the generalization gap of stable networks falls, as exponents of the sample size."""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .arguments import check_count, check_finite

__all__ = ["gap_exponent"]


def _beta_upper(d, alpha):
    """Balance the mass e^alpha of a shell against the depth form with weight e^(d + 2 alpha)."""
    return alpha * (d + 3) / (2 * (d**2 + 4 * alpha * d + 3 * alpha))


def _minimax(d):
    """The general form would give 1 in one dimension."""
    return np.where(d == 1, 0.5, 2 / (d + 1))


def _shared_sphere(d, m):
    """Balance the mass e^((d - m)/2) of a shell of patches against e^(-d) n^(-1/2)."""
    return (d - m) / (2 * (3 * d - m))


_EXPONENTS: dict[tuple[str, str, str], Callable] = {
    ("fcn", "ball", "upper"): lambda d: 1 / (2 * d + 4),
    ("fcn", "ball", "lower"): lambda d: 2 / (d + 1),
    ("fcn", "ball", "minimax"): _minimax,
    ("fcn", "ball", "low_norm"): lambda d: 0 * d + 0.25,
    ("fcn", "ball_mixture", "upper"): lambda d: 1 / (2 * d + 4),
    ("fcn", "beta", "upper"): _beta_upper,
    ("fcn", "beta", "lower"): lambda d, alpha: 2 * alpha / (d - 1 + 2 * alpha),
    ("fcn", "sphere", "upper"): lambda d: 0 * d,
    ("cnn", "sphere", "upper"): _shared_sphere,
    ("cnn", "patch_wise_sphere", "upper"): lambda d: 0 * d,
}


def gap_exponent(
    family: str,
    law: str,
    n_features: ArrayLike,
    bound: str = "upper",
    *,
    patch_size: ArrayLike | None = None,
    alpha: ArrayLike | None = None,
) -> float | NDArray[np.float64]:
    r"""Return the exponent of the sample size in a bound of the generalization gap.

    The gap of stable two-layer ReLU networks falls like :math:`n^{-e}` with the exponent *e* that
    is returned, up to logarithms and a factor that depends on learning rate, targets and
    dimension. Slopes of measured gaps are to be compared with :math:`-e`.

    Parameters
    ----------
    family : {"fcn", "cnn"}
        Fully connected, or with shared filters and average pooling.
    law : {"ball", "ball_mixture", "beta", "sphere", "patch_wise_sphere"}
        Law of the inputs: uniform ball; balls on affine subspaces; isotropic with
        :math:`P(\|X\| \ge 1 - s) = s^\alpha`; uniform sphere; independent uniform spheres for all
        patches.
    n_features : int or array-like of int
        Dimension *d* of the inputs, of a ball mixture that of the subspaces. The numbers are
        broadcast against each other.
    bound : {"upper", "lower", "minimax", "low_norm"}, default="upper"
        What holds for all stable networks; what some stable network does not beat; what no
        estimator beats, in mean squared error to the regression function; what holds for
        networks of small norm, as with weight decay.
    patch_size : int or array-like of int, default=None
        Features *m* of a patch, below *d*; for shared filters on the sphere, and only there.
    alpha : float or array-like of float, default=None
        Exponent :math:`\alpha` of the Beta family, above 0, and for it only. Large: most inputs
        are close to the center; towards 0: the sphere.

    Returns
    -------
    exponent : float or ndarray
        At least 0, where 0 means no guarantee; in the broadcast shape of the numbers.

    Raises
    ------
    ValueError
        If there is no such bound (the message lists those that exist), a number it needs is missing
        or out of its range, or it is given a number that it does not have.

    Notes
    -----
    ====== ================= ======== ======================================== =====================
    family law               bound    exponent                                 reliability
    ====== ================= ======== ======================================== =====================
    fcn    ball              upper    :math:`1/(2d + 4)`                       published [1]_
    fcn    ball              lower    :math:`2/(d + 1)`                        published [1]_
    fcn    ball              minimax  :math:`2/(d + 1)`; 1/2 if *d* = 1        published [1]_
    fcn    ball              low_norm 1/4                                      published [1]_
    fcn    ball_mixture      upper    :math:`1/(2d + 4)`                       inferred [2]_
    fcn    beta              upper    :math:`\frac{\alpha (d + 3)}{2 (d^2 +    inferred [2]_ (*)
                                      4\alpha d + 3\alpha)}`
    fcn    beta              lower    :math:`2\alpha / (d - 1 + 2\alpha)`      inferred [2]_
    fcn    sphere            upper    0: flat networks interpolate             our derivation
    cnn    sphere            upper    :math:`(d - m) / (2 (3d - m))`           our derivation
    cnn    patch_wise_sphere upper    0: flat networks interpolate             our derivation
    ====== ================= ======== ======================================== =====================

    "Inferred" is from second-hand accounts; (*) our derivation gives the same. For shared filters
    on the sphere, published [3]_ is :math:`1/6 - O(m/d)`, and our derivation agrees with it. At
    :math:`\alpha = 1` the Beta family has the upper exponent :math:`1/(2d + 2)`, the ball one of
    :math:`1/(2d + 4)`: the proof for the ball stops where the empirical weight function is lost
    in its own fluctuations. The exponents are the same for both conventions of the squared error.

    References
    ----------
    .. [1] Liang, Qiao, Wang, Parhi, "Stable Minima of ReLU Neural Networks Suffer from the Curse
       of Dimensionality", NeurIPS 2025, arXiv:2506.20779, Theorems 3.5 to 3.7.
    .. [2] Liang, Cloninger, Parhi, Wang, "Generalization Below the Edge of Stability: The Role of
       Data Geometry", ICLR 2026, arXiv:2510.18120.
    .. [3] Liang, Singh, Parhi, Cloninger, Wang, "The Inductive Bias of Convolutional Neural
       Networks: Locality and Weight Sharing Reshape Implicit Regularization", arXiv:2603.04807.

    Examples
    --------
    >>> from sklcnn.theory import gap_exponent
    >>> gap_exponent("cnn", "sphere", [50, 100, 200, 400], patch_size=10).round(3)
    array([0.143, 0.155, 0.161, 0.164])
    >>> gap_exponent("fcn", "ball", [1, 2, 5]).round(3)
    array([0.167, 0.125, 0.071])
    """
    key = (family, law, bound)
    if key not in _EXPONENTS:
        known = ", ".join(" ".join(words) for words in _EXPONENTS)
        raise ValueError(
            f"There is no {bound} bound for family={family!r} and law={law!r}; there are: {known}."
        )
    d = check_count("n_features", n_features)
    numbers = [d]
    if _takes("patch_size", patch_size, key, key == ("cnn", "sphere", "upper")):
        numbers.append(_check_patch_size(patch_size, d))
    if _takes("alpha", alpha, key, law == "beta"):
        numbers.append(_check_alpha(alpha))
    return np.asarray(_EXPONENTS[key](*numbers))[()]


def _takes(name, value, key, needed):
    """Whether the bound has this number; say so if it is missing or idle."""
    if needed != (value is not None):
        is_missing = "needs" if needed else "does not have"
        raise ValueError(f"The bound {' '.join(key)} {is_missing} {name}, got {name}={value}.")
    return needed


def _check_patch_size(patch_size, d):
    """Return the patch size as a float array, or say that patches are too large."""
    patch_size = check_count("patch_size", patch_size)
    if not (patch_size < d).all():
        raise ValueError(f"patch_size must be below n_features={d}, got {patch_size}.")
    return patch_size


def _check_alpha(alpha):
    """Return the exponents of the Beta family as a float array, or say what is wrong with them."""
    alpha = check_finite("alpha", alpha)
    if not (alpha > 0).all():
        raise ValueError(f"alpha must be above 0, got {alpha}.")
    return alpha
