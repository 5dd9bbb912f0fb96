"""From the layers of a linear network to its predictor, and back at the least weights."""

from collections.abc import Sequence
from functools import reduce
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arguments import check_choice, check_finite
from .kernel_width import KernelWidthNorm
from .penalties import ARCHITECTURES, check_coef, check_depth, check_kernel_size
from .spectra import check_input_shape, fourier_coef, invert_spectrum

__all__ = ["balanced_layers", "end_to_end_coef"]


def end_to_end_coef(
    layers: Sequence[ArrayLike],
    architecture: str = "full",
    *,
    input_shape: tuple[int, ...] | None = None,
) -> NDArray[np.float64]:
    r"""Return the coefficients of the linear predictor that the layers make together.

    Full layers are multiplied as matrices, diagonal ones entry by entry. Convolutional ones are

    .. math:: h_l[i] = \frac{1}{\sqrt D} \sum_k w_l[k] \, h_{l - 1}[i + k]

    with positions that wrap around in an input of *D* features, and an output layer
    :math:`\langle w_L, h_{L - 1} \rangle`. In the unitary discrete Fourier transform they are
    multiplied frequency by frequency.

    Parameters
    ----------
    layers : sequence of array-like
        From the input to the output. For "full", matrices of shape (n_features, n_hidden) and so
        on, the last a vector or a matrix with one column; for "diagonal", vectors of shape
        (n_features,). For "convolutional", kernels of the shape of `kernel_size`, or with
        (n_out_channels, n_in_channels) in front, and an output layer of shape `input_shape`, or
        with n_channels in front.
    architecture : {"full", "diagonal", "convolutional"}, default="full"
        What the layers are.
    input_shape : tuple of int, default=None
        (length,) or (height, width) of the input of a convolutional network; None for one axis, as
        long as the output layer.

    Returns
    -------
    coef : ndarray of shape (n_features,)
        The predictor is ``X @ coef``.

    Raises
    ------
    ValueError
        If a number is not finite or the shapes do not fit.

    See Also
    --------
    balanced_layers : Layers for a predictor.

    Notes
    -----
    Published [1]_ with the root of *D*, without which the kernels of libraries are larger. They are
    not flipped. The order of the layers does not matter when there is one channel.

    References
    ----------
    .. [1] Gunasekar, Lee, Soudry, Srebro, "Implicit Bias of Gradient Descent on Linear
       Convolutional Networks", NeurIPS 2018, arXiv:1806.00468.

    Examples
    --------
    >>> from sklcnn.theory import end_to_end_coef
    >>> end_to_end_coef([[2.0, 0.0, 0.0, 0.0], [1.0, 2.0, 3.0, 4.0]], "convolutional")
    array([1., 2., 3., 4.])
    >>> end_to_end_coef([[1.0, 2.0], [3.0, 4.0]], "diagonal")
    array([3., 8.])
    """
    check_choice("architecture", architecture, list(ARCHITECTURES))
    arrays = [check_finite(f"layers[{i}]", layer) for i, layer in enumerate(layers)]
    if not arrays:
        raise ValueError("layers must hold at least one layer, got none.")
    if architecture == "convolutional":
        return _convolve(arrays, input_shape)
    return _multiply(arrays, architecture)


def balanced_layers(
    coef: ArrayLike,
    architecture: str = "full",
    *,
    depth: int = 2,
    input_shape: tuple[int, ...] | None = None,
    kernel_size: int | tuple[int, ...] | None = None,
) -> list[NDArray[np.float64]]:
    r"""Return layers of least squared weights with a given predictor.

    Full layers have one hidden unit, and all layers have the same norm. Diagonal ones have equal
    absolute values entry by entry, convolutional ones frequency by frequency:
    :math:`|\hat w_l[d]| = |\hat\beta_d|^{1 / L}` for *L* layers. Signs and phases are left to the
    output layer, so that the other spectra are real and at least 0.

    Parameters
    ----------
    coef : array-like of shape (n_features,)
        Coefficients :math:`\beta` of the predictor.
    architecture : {"full", "diagonal", "convolutional"}, default="full"
        What the layers are.
    depth : int, default=2
        Number of layers.
    input_shape : tuple of int, default=None
        (length,) or (height, width) of the input of a convolutional network; None for one axis.
    kernel_size : int or tuple of int, default=None
        Width of the kernels of a convolutional network of depth 2, one number or one for each axis;
        None for the whole input. Narrow kernels come in several channels.

    Returns
    -------
    layers : list of ndarray
        From the input to the output, as `end_to_end_coef` takes them.

    Raises
    ------
    ValueError
        If a name is unknown, a number not finite, the depth below 1, a kernel wider than the
        input, or a narrow one in a network whose depth is not 2.

    See Also
    --------
    weight_penalty : The sum of their squares.
    end_to_end_coef : From layers to the predictor.

    Notes
    -----
    Our derivation; for narrow kernels a numerical minimum, as in `coef_norm`.

    Examples
    --------
    >>> from sklcnn.theory import balanced_layers
    >>> for layer in balanced_layers([8.0, -1.0], "diagonal", depth=3):
    ...     print(layer)
    [2. 1.]
    [2. 1.]
    [ 2. -1.]
    """
    check_choice("architecture", architecture, list(ARCHITECTURES))
    beta, depth = check_coef(coef), check_depth(depth)
    shape = check_input_shape(input_shape, len(beta))
    if architecture == "full":
        return _balance_full(beta, depth)
    if architecture == "diagonal":
        return _balance(beta, depth)
    width = check_kernel_size(kernel_size, shape)
    if width != shape:
        return _balance_narrow(beta, depth, KernelWidthNorm(shape, width))
    spectra = _balance(fourier_coef(beta, shape), depth)
    return [invert_spectrum(spectrum, shape).reshape(shape) for spectrum in spectra]


def _multiply(layers, architecture):
    """Product of matrices, or of entries, as a vector."""
    shapes = [layer.shape for layer in layers]
    if architecture == "diagonal":
        fit = len(set(shapes)) == 1 and len(shapes[0]) == 1
    else:
        fit = all(len(shape) == 2 for shape in shapes[:-1])
        fit = (
            fit and all(a[1] == b[0] for a, b in pairwise(shapes)) and shapes[-1][1:] in ((), (1,))
        )
    if not fit:
        raise ValueError(f"layers must fit each other and have one output, got shapes {shapes}.")
    return reduce(np.multiply if architecture == "diagonal" else np.matmul, layers).reshape(-1)


def _convolve(layers, input_shape):
    """Predictor of convolutional layers and an output layer, (n_features,)."""
    *kernels, output = layers
    shape = output.shape[-1:] if input_shape is None else tuple(np.atleast_1d(input_shape).tolist())
    if not shape or output.ndim - len(shape) not in (0, 1) or output.shape[-len(shape) :] != shape:
        raise ValueError(
            f"The output layer must have the input_shape {shape}, or n_channels in front of it, "
            f"got shape {output.shape}."
        )
    spectrum = fourier_coef(output.reshape(-1, np.prod(shape)), shape)  # (n_channels, n_features)
    for kernel in reversed(kernels):
        spectrum = np.einsum("oid,od->id", _kernel_spectra(kernel, shape, len(spectrum)), spectrum)
    if len(spectrum) != 1:
        raise ValueError(f"The first layer must have one input channel, got {len(spectrum)}.")
    return invert_spectrum(spectrum[0], shape)


def _kernel_spectra(kernel, shape, n_out):
    """Unitary transforms of a layer's kernels, (n_out_channels, n_in_channels, n_features)."""
    n_axes = len(shape)
    sizes = kernel.shape[-n_axes:]
    grid = kernel if kernel.ndim == n_axes + 2 else kernel[None, None]
    if grid.ndim != n_axes + 2 or any(np.greater(sizes, shape)) or len(grid) != n_out:
        raise ValueError(
            f"A convolutional layer before one with {n_out} channels must have a kernel no wider "
            f"than {shape}, with ({n_out}, n_in_channels) in front, or nothing if both are 1; got "
            f"shape {kernel.shape}."
        )
    padded = np.zeros((*grid.shape[:2], *shape))
    padded[(..., *(slice(size) for size in sizes))] = grid
    return fourier_coef(padded.reshape(*grid.shape[:2], -1), shape)


def _balance_full(coef, depth):
    """Matrices of rank one and equal norm, the last a vector."""
    if depth == 1:
        return [coef]
    size = np.linalg.norm(coef)
    root = size ** (1 / depth)
    first = coef * (root / size if size else 0)
    middle = [np.full((1, 1), root) for _ in range(depth - 2)]
    return [first[:, None], *middle, np.array([root])]


def _balance(entries, depth):
    """Factors of equal absolute values whose product the entries are."""
    sizes = np.abs(entries)
    roots = sizes ** (1 / depth)
    signs = np.divide(entries, sizes, out=np.zeros_like(entries), where=sizes > 0)
    return [*(roots.astype(entries.dtype) for _ in range(depth - 1)), roots * signs]


def _balance_narrow(coef, depth, norm):
    """Kernels of least weights, in channels, and their output layers."""
    if depth != 2:
        raise ValueError(f"depth must be 2 for kernels narrower than the input, got {depth}.")
    shape = norm.input_shape
    taps = (
        norm.kernels(norm.coordinates.forward(coef)) if coef.any() else np.zeros((1, norm.n_taps))
    )
    kernels = taps.reshape(-1, 1, *norm.kernel_size)
    spectra = _kernel_spectra(kernels, shape, len(kernels))[:, 0]  # (n_channels, n_features)
    energy = (np.abs(spectra) ** 2).sum(axis=0)
    shares = np.divide(spectra.conj(), energy, out=np.zeros_like(spectra), where=energy > 0)
    outputs = invert_spectrum(shares * fourier_coef(coef, shape), shape)
    return [kernels, outputs.reshape(-1, *shape)]
