r"""How large a perturbation a linear predictor stands, in the norms dual to those of its networks.

By duality :math:`\max \langle \delta, \beta \rangle = r \|\beta\|` over perturbations
:math:`\delta` of dual norm *r*, and the gradient of the norm, times *r*, attains it: a norm that
training makes small is a kind of perturbation that it makes harmless.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arguments import check_finite, check_std
from .penalties import check_coef, coordinates_of, find_norm
from .separability import signed_samples

__all__ = ["adversarial_perturbation", "robust_error", "robust_radius"]


def robust_radius(
    coef: ArrayLike,
    X: ArrayLike,
    y: ArrayLike,
    norm: str = "l2",
    *,
    depth: int = 2,
    input_shape: tuple[int, ...] | None = None,
    kernel_size: int | tuple[int, ...] | None = None,
    intercept: float = 0.0,
) -> NDArray[np.float64]:
    r"""Return the size of the smallest perturbation of each sample that makes a predictor err.

    It is the distance of the sample from the decision boundary in the dual norm,

    .. math:: r_i = \frac{y_i (\langle x_i, \beta \rangle + b)}{\|\beta\|}

    ==============  =================================================================
    norm            size of a perturbation :math:`\delta`
    ==============  =================================================================
    "l2"            :math:`(\sum_j \delta_j^2)^{1/2}`
    "l1"            :math:`\max_j |\delta_j|`, of the features
    "fourier_l1"    :math:`\max_d |\hat\delta_d|`, of the unitary Fourier transform
    "kernel_width"  largest singular value of the matrix of all windows of that
                    width, around the circle, over the root of the number of features
    ==============  =================================================================

    The smallest one of the training samples is the normalized margin. So the predictor that stands
    the largest perturbation of all training samples is that of `max_margin`, and gradient descent
    on a linear network of two layers goes there: for the perturbations of "l2" if layers are full,
    of "l1" if they are diagonal, of "fourier_l1" if they are convolutional [1]_. Of new samples
    that promises nothing.

    Parameters
    ----------
    coef : array-like of shape (n_features,)
        Coefficients :math:`\beta` of the predictor.
    X : array-like of shape (n_samples, n_features)
        Samples.
    y : array-like of shape (n_samples,)
        Labels, -1 or 1.
    norm : {"l2", "l1", "fourier_l1", "bridge", "fourier_bridge", "kernel_width"}, default="l2"
        Norm of the coefficients whose dual measures perturbations; see `coef_norm`.
    depth : int, default=2
        Layers of the network, for the bridges: at most 2, where they are convex.
    input_shape : tuple of int, default=None
        (length,) or (height, width) of the input, for the norms of a spectrum; None for one axis.
    kernel_size : int or tuple of int, default=None
        Width of the kernels of "kernel_width"; None for the whole input.
    intercept : float, default=0.0
        Intercept *b* of the predictor; linear networks have none.

    Returns
    -------
    radius : ndarray of shape (n_samples,)
        Negative for samples that are on the wrong side already: as large a perturbation brings
        them back.

    Raises
    ------
    ValueError
        If the coefficients are zero, the norm is not convex, a shape does not fit, a number is not
        finite, or an argument is not one of those above.

    See Also
    --------
    adversarial_perturbation : The perturbation.
    sklcnn.theory.max_margin : Predictors of largest radius.

    References
    ----------
    .. [1] Faghri, Gowal, Vasconcelos, Fleet, Pedregosa, Le Roux, "Bridging the Gap Between
       Adversarial Robustness and Optimization Bias", 2021, arXiv:2102.08868.

    Examples
    --------
    >>> from sklcnn.theory import robust_radius
    >>> for norm in ("l2", "l1", "fourier_l1"):
    ...     print(robust_radius([3.0, 4.0], [[5.0, 0.0], [0.0, 5.0]], [1, -1], norm).round(2))
    [ 3. -4.]
    [ 2.14 -2.86]
    [ 2.65 -3.54]
    """
    signed, beta = signed_samples(X, y), check_coef(coef)
    if len(beta) != signed.shape[1]:
        raise ValueError(
            f"coef must have shape ({signed.shape[1]},), one for each feature of X, got "
            f"{beta.shape}."
        )
    offset = check_finite("intercept", intercept)
    if offset.ndim:
        raise ValueError(f"intercept must be one number, got shape {offset.shape}.")
    largest = np.abs(beta).max() or 1.0  # radii do not depend on the scale, squares would
    beta, offset = beta / largest, offset / largest
    slope, _ = _slope(beta, norm, depth, input_shape, kernel_size)
    return (signed @ beta + np.asarray(y, dtype=float) * offset) / slope.norm


def adversarial_perturbation(
    coef: ArrayLike,
    radius: ArrayLike = 1.0,
    norm: str = "l2",
    *,
    depth: int = 2,
    input_shape: tuple[int, ...] | None = None,
    kernel_size: int | tuple[int, ...] | None = None,
) -> NDArray[np.float64]:
    r"""Return the perturbation of given size that lowers the margins of a predictor most.

    It lowers the margin of every sample of label 1 by `radius` times the norm of the coefficients;
    its negative does so for label -1. It points against the coefficients for "l2", has the opposite
    of their signs for "l1", and the opposite of the phases of their spectrum, all amplitudes alike,
    for "fourier_l1".

    Parameters
    ----------
    coef : array-like of shape (n_features,)
        Coefficients of the predictor.
    radius : float or array-like, default=1.0
        Size in the dual norm; see `robust_radius`. A negative one raises margins.
    norm : {"l2", "l1", "fourier_l1", "bridge", "fourier_bridge", "kernel_width"}, default="l2"
        Norm of the coefficients whose dual measures perturbations; see `coef_norm`.
    depth : int, default=2
        Layers of the network, for the bridges: at most 2, where they are convex.
    input_shape : tuple of int, default=None
        (length,) or (height, width) of the input, for the norms of a spectrum; None for one axis.
    kernel_size : int or tuple of int, default=None
        Width of the kernels of "kernel_width"; None for the whole input.

    Returns
    -------
    perturbation : ndarray of shape (n_features,)
        To be added to a sample; one row for each radius, (..., n_features), if there are several.

    Raises
    ------
    ValueError
        If the coefficients are zero, the norm is not convex, a number is not finite, or an argument
        is not one of those above.

    See Also
    --------
    robust_radius : How large it must be.

    Notes
    -----
    Where coefficients, or their spectrum, are zero, a perturbation has no effect, and this one is
    zero for "l1" and "fourier_l1": one of many that are as bad.

    Examples
    --------
    >>> from sklcnn.theory import adversarial_perturbation
    >>> coef = [3.0, 4.0, 1.0, 2.0]
    >>> for norm in ("l2", "l1", "fourier_l1"):
    ...     print(adversarial_perturbation(coef, 2.0, norm).round(2))
    [-1.1  -1.46 -0.37 -0.73]
    [-2. -2. -2. -2.]
    [-1.41 -3.41  1.41 -0.59]
    """
    sizes = check_finite("radius", radius)
    beta = check_coef(coef)
    beta = beta / (np.abs(beta).max() or 1.0)
    slope, coordinates = _slope(beta, norm, depth, input_shape, kernel_size)
    return -np.multiply.outer(sizes, coordinates.backward(slope.gradient))  # (..., n_features)


def robust_error(
    coef: ArrayLike,
    X: ArrayLike,
    y: ArrayLike,
    radii: ArrayLike,
    norm: str = "l2",
    *,
    depth: int = 2,
    input_shape: tuple[int, ...] | None = None,
    kernel_size: int | tuple[int, ...] | None = None,
    intercept: float = 0.0,
) -> NDArray[np.float64]:
    """Return the share of samples on which perturbations of given sizes make a predictor err.

    Parameters
    ----------
    coef : array-like of shape (n_features,)
        Coefficients of the predictor.
    X : array-like of shape (n_samples, n_features)
        Samples.
    y : array-like of shape (n_samples,)
        Labels, -1 or 1.
    radii : float or array-like
        Sizes of perturbations in the dual norm, at least 0; see `robust_radius`. At 0 it is the
        error.
    norm : {"l2", "l1", "fourier_l1", "bridge", "fourier_bridge", "kernel_width"}, default="l2"
        Norm of the coefficients whose dual measures perturbations; see `coef_norm`.
    depth : int, default=2
        Layers of the network, for the bridges: at most 2, where they are convex.
    input_shape : tuple of int, default=None
        (length,) or (height, width) of the input, for the norms of a spectrum; None for one axis.
    kernel_size : int or tuple of int, default=None
        Width of the kernels of "kernel_width"; None for the whole input.
    intercept : float, default=0.0
        Intercept of the predictor; linear networks have none.

    Returns
    -------
    error : ndarray
        From 0 to 1, in the shape of `radii`. Samples that reach the boundary count.

    Raises
    ------
    ValueError
        If a radius is negative, and as `robust_radius`.

    See Also
    --------
    robust_radius : The size at which a sample is lost.

    Examples
    --------
    >>> from sklcnn.theory import robust_error
    >>> robust_error([1.0, 0.0], [[2.0, 0.0], [-1.0, 0.0]], [1, -1], [0.0, 1.0, 2.0])
    array([0. , 0.5, 1. ])
    """
    sizes = check_std("radii", radii)
    stood = robust_radius(
        coef,
        X,
        y,
        norm,
        depth=depth,
        input_shape=input_shape,
        kernel_size=kernel_size,
        intercept=intercept,
    )
    return (stood <= sizes[..., None]).mean(axis=-1)


def _slope(coef, norm, depth, input_shape, kernel_size):
    """Slope of a convex norm at coefficients, and its coordinates, or why there is none."""
    found = find_norm(norm, depth, input_shape, kernel_size, len(coef))
    if not found.is_convex:
        hull = {"bridge": "; use norm='l1', which is that of its convex hull"}.get(norm, "")
        raise ValueError(
            f"norm must be convex to have a dual in which perturbations are measured, got {norm!r} "
            f"with depth={depth}, which is convex for depths 1 and 2 alone{hull}."
        )
    if not coef.any():
        raise ValueError("coef must not be zero: such a predictor has no decision boundary.")
    return found.slope(coordinates_of(coef, found)), found.coordinates
