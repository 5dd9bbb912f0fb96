"""The norms that linear networks put on their predictors, by name, and the weights they cost."""

import numpy as np
from numpy.typing import ArrayLike

from ..arguments import check_choice, check_count, check_finite
from .group_norms import GroupNorm
from .kernel_width import KernelWidthNorm
from .spectra import check_input_shape, fourier_coordinates, plain_coordinates

__all__ = [
    "ARCHITECTURES",
    "check_coef",
    "check_depth",
    "check_kernel_size",
    "coef_norm",
    "coordinates_of",
    "find_norm",
    "weight_penalty",
]

_NORMS = ["l2", "l1", "fourier_l1", "bridge", "fourier_bridge", "kernel_width"]
_ROUNDING = 1e-14  # of the largest amplitude

# Networks whose weights a norm counts, with kernels as wide as the input.
ARCHITECTURES = {"full": "l2", "diagonal": "bridge", "convolutional": "fourier_bridge"}


def coef_norm(
    coef: ArrayLike,
    norm: str = "l2",
    *,
    depth: int = 2,
    input_shape: tuple[int, ...] | None = None,
    kernel_size: int | tuple[int, ...] | None = None,
) -> float:
    r"""Return the norm of a linear predictor that training a linear network makes small.

    =================  ========================================================================
    norm               of the coefficients :math:`\beta`
    =================  ========================================================================
    "l2"               :math:`(\sum_j \beta_j^2)^{1/2}`: full networks of any depth
    "l1"               :math:`\sum_j |\beta_j|`: diagonal networks of depth 2
    "fourier_l1"       :math:`\sum_d |\hat\beta_d|`: convolutional networks of depth 2
    "bridge"           :math:`(\sum_j |\beta_j|^p)^{1/p}`, *p* = 2 / depth: diagonal networks
    "fourier_bridge"   :math:`(\sum_d |\hat\beta_d|^p)^{1/p}`: convolutional networks
    "kernel_width"     between "fourier_l1", for kernels as wide as the input, and the root of
                       n_features times "l2", for kernels of width 1: two-layer networks
    =================  ========================================================================

    Divide the smallest margin of a predictor by it to get the normalized margin. For the norms
    that are convex that is the distance of the closest sample from the decision boundary in the
    dual norm: how large a perturbation the predictor stands, for "fourier_l1" in the largest
    amplitude of its spectrum.

    Parameters
    ----------
    coef : array-like of shape (n_features,)
        Coefficients :math:`\beta`; :math:`\hat\beta` is their unitary discrete Fourier transform.
    norm : {"l2", "l1", "fourier_l1", "bridge", "fourier_bridge", "kernel_width"}, default="l2"
        Which norm.
    depth : int, default=2
        Layers *L* of the network. It matters for the bridges alone, which from depth 3 on are no
        norms: they are not convex.
    input_shape : tuple of int, default=None
        (length,) or (height, width) of the input, for the norms of a spectrum; None for one axis.
    kernel_size : int or tuple of int, default=None
        Width of the kernels of "kernel_width", one number or one for each axis; None for the whole
        input.

    Returns
    -------
    norm : float
        At least 0.

    Raises
    ------
    ValueError
        If a name is unknown, a number not finite, the depth below 1 or not 2 where it must be, or
        a kernel wider than the input.

    See Also
    --------
    weight_penalty : The squared weights that it costs.
    sklcnn.theory.max_margin : Predictors of least norm.

    Notes
    -----
    "kernel_width" is found by minimizing over kernels, to about eight digits. With two axes as many
    channels are assumed as it takes; with one axis, one is enough. Amplitudes below 1e-14 of the
    largest are taken for rounding errors, which would count at great depth.

    References
    ----------
    .. [1] Gunasekar, Lee, Soudry, Srebro, "Implicit Bias of Gradient Descent on Linear
       Convolutional Networks", NeurIPS 2018, arXiv:1806.00468.
    .. [2] Jagadeesan, Razenshteyn, Gunasekar, "Inductive Bias of Multi-Channel Linear Convolutional
       Networks with Bounded Weight Norm", COLT 2022, arXiv:2102.12238.

    Examples
    --------
    >>> from sklcnn.theory import coef_norm
    >>> wave = [1.0, 0.0, -1.0, 0.0]
    >>> {norm: round(coef_norm(wave, norm), 3) for norm in ("l2", "l1", "fourier_l1")}
    {'l2': 1.414, 'l1': 2.0, 'fourier_l1': 2.0}
    """
    beta = check_coef(coef)
    found = find_norm(norm, depth, input_shape, kernel_size, len(beta))
    return float(found.slope(coordinates_of(beta, found)).norm) if beta.any() else 0.0


def weight_penalty(
    coef: ArrayLike,
    architecture: str = "full",
    *,
    depth: int = 2,
    input_shape: tuple[int, ...] | None = None,
    kernel_size: int | tuple[int, ...] | None = None,
) -> float:
    r"""Return the least sum of squared weights of a linear network with a given predictor.

    It is *L* times the power 2 / *L* of a norm of the predictor, for *L* layers: "l2" for full
    networks, "bridge" for diagonal ones, "fourier_bridge" for convolutional ones, and
    "kernel_width" if the kernels of a convolutional network are narrower than the input.

    Parameters
    ----------
    coef : array-like of shape (n_features,)
        Coefficients of the predictor.
    architecture : {"full", "diagonal", "convolutional"}, default="full"
        What the layers are; see `end_to_end_coef`.
    depth : int, default=2
        Number of layers *L*.
    input_shape : tuple of int, default=None
        (length,) or (height, width) of the input of a convolutional network; None for one axis.
    kernel_size : int or tuple of int, default=None
        Width of the kernels of a convolutional network of depth 2, one number or one for each axis;
        None for the whole input.

    Returns
    -------
    penalty : float
        At least 0.

    Raises
    ------
    ValueError
        If a name is unknown, a number not finite, the depth below 1, a kernel wider than the
        input, or a narrow one in a network whose depth is not 2: no formula is known.

    See Also
    --------
    balanced_layers : Weights that attain it.
    coef_norm : The norm.

    Notes
    -----
    Our derivation: at the minimum all layers have the same singular values, or amplitudes.

    Examples
    --------
    >>> from sklcnn.theory import weight_penalty
    >>> round(weight_penalty([3.0, 4.0], depth=2), 3)
    10.0
    >>> round(weight_penalty([8.0, 1.0], "diagonal", depth=3), 3)
    15.0
    """
    beta = check_coef(coef)
    check_choice("architecture", architecture, list(ARCHITECTURES))
    shape = check_input_shape(input_shape, len(beta))
    norm = ARCHITECTURES[architecture]
    if architecture == "convolutional" and check_kernel_size(kernel_size, shape) != shape:
        norm = "kernel_width"
    value = coef_norm(beta, norm, depth=depth, input_shape=shape, kernel_size=kernel_size)
    return float(depth * value ** (2 / depth))


def find_norm(norm, depth, input_shape, kernel_size, n_features):
    """The norm of a name, or what is wrong with the name or with the numbers that go with it."""
    check_choice("norm", norm, _NORMS)
    depth, shape = check_depth(depth), check_input_shape(input_shape, n_features)
    width = check_kernel_size(kernel_size, shape)
    if depth != 2 and norm in ("l1", "fourier_l1", "kernel_width"):
        other = {"l1": "bridge", "fourier_l1": "fourier_bridge"}.get(norm)
        advice = f"; norm={other!r} has any depth" if other else ", for want of a formula"
        raise ValueError(f"depth must be 2 for norm={norm!r}, got {depth}{advice}.")
    if norm == "kernel_width":
        return KernelWidthNorm(shape, width)
    fourier = norm.startswith("fourier")
    power = {"l2": 2.0, "l1": 1.0, "fourier_l1": 1.0}.get(norm, 2 / depth)
    return GroupNorm(
        fourier_coordinates(shape) if fourier else plain_coordinates(n_features), power
    )


def coordinates_of(coef, norm):
    """Coordinates of a predictor without what rounding leaves in them: high powers would see it."""
    return norm.truncate(norm.coordinates.forward(coef), _ROUNDING)


def check_depth(depth):
    """Return a number of layers, or say that it is none."""
    return int(check_count("depth", depth))


def check_kernel_size(kernel_size, input_shape):
    """Return the width of kernels along every axis, or say that they are too wide."""
    if kernel_size is None:
        return input_shape
    sizes = check_count("kernel_size", kernel_size).astype(int)
    if sizes.ndim > 1 or sizes.size not in (1, len(input_shape)) or (sizes > input_shape).any():
        raise ValueError(
            f"kernel_size must be one width, or one for each axis, of at most {input_shape}, got "
            f"{kernel_size}."
        )
    return tuple(np.broadcast_to(sizes, len(input_shape)).tolist())


def check_coef(coef):
    """Return the coefficients of one predictor as a float array, or say what is wrong with them."""
    coef = check_finite("coef", coef)
    if coef.ndim != 1 or not coef.size:
        raise ValueError(f"coef must have shape (n_features,), got {coef.shape}.")
    return coef
