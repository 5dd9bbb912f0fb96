"""How much curvature a two-layer ReLU network has at least, from its weights and inputs."""

import numpy as np
from numpy.typing import ArrayLike

from .half_spaces import check_outer_weights, check_unit_inputs, check_units, half_space_means
from .stability import loss_factor

__all__ = ["gauss_newton_bound"]


def gauss_newton_bound(
    inner_weights: ArrayLike,
    biases: ArrayLike,
    outer_weights: ArrayLike,
    inputs: ArrayLike,
    *,
    convention: str = "mse",
) -> float:
    r"""Return a lower bound of the largest eigenvalue of the Gauss-Newton matrix.

    The Gauss-Newton matrix is the Hessian of a squared error without its residual part. At an
    interpolating network, where residuals vanish, it is the Hessian, and the bound is one of the
    sharpness.

    Parameters
    ----------
    inner_weights : array-like of shape (n_filters, patch_size), or with n_patches in front
        Weights of a fully connected network or of shared filters; or of filters of each patch.
    biases : array-like of shape (n_filters,) or (n_patches, n_filters)
        Biases, added to the inner products.
    outer_weights : array-like of shape (n_filters,)
        Weights *v* of the output, read from the mean over the patches. The network also has an
        output bias.
    inputs : array-like of shape (n_inputs, patch_size) or (n_samples, n_patches, patch_size)
        Training inputs, or the patches of all of them. The filters of a patch see that patch, so
        that they need the second shape.
    convention : {"mse", "half"}, default="mse"
        Mean squared error as in code, or half of it as in theory, which has half the eigenvalues.

    Returns
    -------
    bound : float
        At least 2 for the mean squared error, 1 for half of it: the output bias has that.

    Raises
    ------
    ValueError
        If the shapes do not fit, a number is not finite, or the convention is unknown.

    See Also
    --------
    sklcnn.theory.weighted_path_norm : With the smaller of the weights of both sides.

    Notes
    -----
    In the units of half the squared error the bound is, for a fully connected network (published,
    [1]_) and for shared filters on the pooled patches (our derivation),

    .. math:: 1 + 2 \sum_k |v_k| \, \|w_k\| \, \tilde g(w_k / \|w_k\|, -b_k / \|w_k\|)

    with the one-sided weight of `weight_function`. For filters of each of *J* patches it is (our
    derivation)

    .. math:: 1 + \sum_k \Big[ \Big(\frac1J \sum_l a_{l,k}\Big)^2 + \frac{v_k^2}{J^2}
              \sum_l p_{l,k}^2 (1 + \|E[z \mid \text{active}]\|^2) \Big]

    with the mean activation *a* and the share of active inputs *p*. This is the squared norm of
    the mean gradient of the network; the first one follows from it by
    :math:`a^2 + b^2 \ge 2ab`.

    References
    ----------
    .. [1] Liang, Qiao, Wang, Parhi, "Stable Minima of ReLU Neural Networks Suffer from the Curse
       of Dimensionality", NeurIPS 2025, arXiv:2506.20779, proof of Theorem 3.2.

    Examples
    --------
    >>> from sklcnn.theory import gauss_newton_bound
    >>> X = [[-1.0], [0.0], [1.0], [2.0]]
    >>> gauss_newton_bound([[1.0]], [-5.0], [3.0], X)  # a dead unit
    2.0
    >>> round(gauss_newton_bound([[1.0]], [0.0], [3.0], X, convention="half"), 4)
    5.0562
    """
    factor = loss_factor(convention)
    w, b = check_units(inner_weights, biases, unshared=True)
    v = check_outer_weights(outer_weights, w)
    bound = _shared_bound if w.ndim == 2 else _unshared_bound
    return float(factor * bound(w, b, v, check_unit_inputs(inputs, w)))


def _shared_bound(inner_weights, biases, outer_weights, inputs):
    """Twice the product of the two parts of the gradient of each filter."""
    means = half_space_means(inputs, inner_weights, biases)
    return 1 + 2 * np.abs(outer_weights) @ (means.activation * means.slope)


def _unshared_bound(inner_weights, biases, outer_weights, inputs):
    """Squared norm of the mean gradient: output bias, outer weights, filters."""
    patches = [half_space_means(*p) for p in zip(inputs, inner_weights, biases, strict=True)]
    activation = np.mean([means.activation for means in patches], axis=0)  # (n_filters,)
    slopes = np.mean([means.slope**2 for means in patches], axis=0) / len(patches)
    return 1 + (activation**2 + outer_weights**2 * slopes).sum()
