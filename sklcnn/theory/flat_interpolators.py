"""Flat networks that interpolate any targets: certificates that stability can mean little."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .arguments import check_finite
from .stability import loss_factor

__all__ = ["FlatInterpolator", "flat_interpolator"]


class FlatInterpolator(NamedTuple):
    """A two-layer ReLU network that interpolates, and a bound of its sharpness.

    Parameters
    ----------
    inner_weights : ndarray of shape (n_samples, patch_size)
        Shared filters, one for each sample.
    biases : ndarray of shape (n_samples,)
        Biases, added to the inner products.
    outer_weights : ndarray of shape (n_samples,)
        Weights of the output, read from the mean over the patches: -1, 0 or 1. The output bias is
        zero.
    sharpness_bound : float
        Upper bound of the largest eigenvalue of the Hessian of the training loss.

    Examples
    --------
    >>> import numpy as np
    >>> from sklcnn.theory import FlatInterpolator
    >>> FlatInterpolator(np.eye(2), np.zeros(2), np.ones(2), 1.5).sharpness_bound
    1.5
    """

    inner_weights: NDArray[np.float64]
    biases: NDArray[np.float64]
    outer_weights: NDArray[np.float64]
    sharpness_bound: float


def flat_interpolator(
    patches: ArrayLike, targets: ArrayLike, *, convention: str = "mse"
) -> FlatInterpolator:
    r"""Return a network with shared filters that interpolates any targets and is flat.

    On patches of norm 1 the first patch of each sample gets a filter of its own, active on nothing
    else: direction :math:`u_i = z_i`, threshold :math:`t_i` halfway between 1 and the
    largest inner product of :math:`z_i` with another patch, and length :math:`J |y_i| / (1 -
    t_i)`. Even pure noise is so fitted below the edge of stability: there is no rate.

    Parameters
    ----------
    patches : array-like of shape (n_samples, n_patches, patch_size)
        Patches of norm 1, as of the patch-wise sphere. With one patch they are the inputs of a
        fully connected network on the sphere.
    targets : array-like of shape (n_samples,)
        Any numbers *y*.
    convention : {"mse", "half"}, default="mse"
        Whose sharpness is bounded: that of the mean squared error as in code, or of half of it as
        in theory.

    Returns
    -------
    network : FlatInterpolator
        Fields ``inner_weights``, ``biases``, ``outer_weights`` and ``sharpness_bound``.

    Raises
    ------
    ValueError
        If the shapes do not fit, a number is not finite, patches have not norm 1, or the first
        patch of a sample occurs again.

    See Also
    --------
    sklcnn.theory.stability_threshold : What the sharpness is compared with.

    Notes
    -----
    Our derivation. Residuals vanish, so that the Hessian is the Gauss-Newton matrix; no two
    samples share an active filter, so that its nonzero eigenvalues are those of
    :math:`\frac1n (1 1^\top + \mathrm{diag}(y_i^2 + 2 / J^2))`, the filter of a
    target of zero is dead. Hence, for half the squared error,

    .. math:: \lambda \le 1 + \frac1n \Big(\max_i y_i^2 + \frac{2}{J^2}\Big) ,

    and twice that for the mean squared error. The weights, not the sharpness, grow when patches
    come close to each other: if two are almost equal, rounding errors grow like :math:`1 / (1 -
    t_i)`.

    Examples
    --------
    >>> import numpy as np
    >>> from sklcnn.theory import flat_interpolator
    >>> angles = np.array([[0.0, 2.0], [1.0, 3.0], [4.0, 5.0]])
    >>> patches = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    >>> network = flat_interpolator(patches, [1.0, -2.0, 0.5])
    >>> responses = np.maximum(patches @ network.inner_weights.T + network.biases, 0)
    >>> (responses.mean(axis=1) @ network.outer_weights).round(6)
    array([ 1. , -2. ,  0.5])
    >>> network.sharpness_bound
    5.0
    """
    factor = loss_factor(convention)
    z, y = _check_patches(patches), check_finite("targets", targets)
    n_samples, n_patches, _ = z.shape
    if y.shape != (n_samples,):
        raise ValueError(f"targets must have shape ({n_samples},), got {y.shape}.")
    centers = z[:, 0]
    norms = np.einsum("im,im->i", centers, centers)  # 1 up to rounding
    thresholds = (norms + _nearest_products(centers, z)) / 2
    lengths = n_patches * np.abs(y) / (norms - thresholds)
    biases = np.where(lengths > 0, -lengths * thresholds, -1.0)  # no filter stays at its kink
    bound = factor * (1 + ((y**2).max() + 2 / n_patches**2) / n_samples)
    return FlatInterpolator(lengths[:, None] * centers, biases, np.sign(y), float(bound))


def _nearest_products(centers, patches):
    """Largest inner product of each first patch with any other patch, (n_samples,)."""
    n_samples, n_patches, _ = patches.shape
    nearest = np.full(n_samples, -1.0)
    for position in range(n_patches):
        products = centers @ patches[:, position].T  # (n_samples, n_samples)
        if position == 0:
            np.fill_diagonal(products, -1.0)
        nearest = np.maximum(nearest, products.max(axis=1))
    if (nearest > 1 - 1e-12).any():
        raise ValueError(
            "patches must not repeat the first patch of a sample, but that of sample "
            f"{nearest.argmax()} occurs again: no filter can tell the two apart."
        )
    return nearest


def _check_patches(patches):
    """Return the patches as a float array, or say what is wrong with them."""
    patches = check_finite("patches", patches)
    if patches.ndim != 3 or not patches.size:
        raise ValueError(
            "patches must have shape (n_samples, n_patches, patch_size) and not be empty, got "
            f"shape {patches.shape}."
        )
    norms = np.linalg.norm(patches, axis=-1)
    if not np.allclose(norms, 1, rtol=0, atol=1e-9):
        raise ValueError(
            "patches must have norm 1, since one of smaller norm may lie in the convex hull of the "
            f"others; got norms from {norms.min():.6g} to {norms.max():.6g}."
        )
    return patches
