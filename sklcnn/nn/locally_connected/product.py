"""The product of patches with the filters of their positions, and its derivatives.

Everything comes from one trilinear form: the sum over samples, positions, filters and taps of
``slope * weight * tap of the patch``. The output is its derivative by the slope, the two gradients
are those by the weight and by the input. So :class:`_Product` and :class:`_Gradients` differentiate
into each other, as often as one likes.
"""

import inspect
import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import Function

from sklcnn.nn.locally_connected.arithmetic import Windows, as_matrices, gradients, output
from sklcnn.nn.locally_connected.opaque import opaque_gradients, opaque_output

__all__ = ["multiply"]

# Entries of an input up to which windows that tile it are cut by a reshape: a third of the overhead
# of blocks, but a reshape turns several axes at once, which is slow for large arrays.
TILED = 2**18


def multiply(x: Tensor, weight: Tensor, bias: Tensor | None, windows: Windows) -> Tensor:
    r"""Return the output, (n_samples, n_filters, \*positions).

    Parameters
    ----------
    x : Tensor of shape (n_samples, n_channels, \*size)
        Input.
    weight : Tensor of shape (\*positions, n_filters, n_channels / groups, \*kernel_size)
        Filters of every position.
    bias : Tensor of shape (n_filters, \*positions) or (n_filters, 1, ..., 1), or None
        Added to the output.
    windows : Windows
        Their geometry.
    """
    if windows.tile and x.numel() <= TILED:
        filters = as_matrices(weight, windows)
        return _TileProduct.apply(_tiles(x, windows), filters, bias, windows)
    return _Product.apply(x, weight, bias, windows)


# Small layers whose windows tile the input: all patches in one piece.


def _tiles(x: Tensor, windows: Windows) -> Tensor:
    """Cut the input into columns, (P * G, T, N), by a reshape; torch differentiates it."""
    counts, kernels = windows.positions, windows.kernel_size
    ends = zip(counts, kernels, x.shape[2:], windows.padding, strict=True)
    widths = [(pad[0], count * kernel - size - pad[0]) for count, kernel, size, pad in ends]
    if any(map(any, widths)):  # what no window reaches is cut off
        x = F.pad(x, [width for pair in reversed(widths) for width in pair])
    tiles = [length for pair in zip(counts, kernels, strict=True) for length in pair]
    x = x.reshape(x.shape[0], windows.groups, x.shape[1] // windows.groups, *tiles)
    axes = range(3, x.ndim)
    patches = x.permute(*axes[::2], 1, 2, *axes[1::2], 0)  # (*P, G, C / G, *kernel_size, N)
    n_taps = x.shape[2] * math.prod(kernels)
    return patches.reshape(math.prod(counts) * windows.groups, n_taps, x.shape[0])


class _TileProduct(Function):
    """The product of columns, (P * G, T, N), with filters, (P * G, O / G, T), and bias.

    It exists since torch would turn three axes at once, much slower than those of a matrix.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(columns: Tensor, filters: Tensor, bias: Tensor | None, windows: Windows) -> Tensor:
        n_samples, n_filters = columns.shape[-1], windows.groups * filters.shape[1]
        n_places = math.prod(windows.positions)
        product = torch.bmm(filters, columns).view(n_places, n_filters, n_samples)  # (P, O, N)
        matrix = product.transpose(0, 1).flatten(0, 1)  # (O * P, N)
        out = matrix.t().contiguous().view(n_samples, n_filters, *windows.positions)
        return out if bias is None else out + bias

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        columns, filters, bias, ctx.windows = inputs
        ctx.save_for_backward(columns, filters)
        ctx.bias_shape = None if bias is None else bias.shape

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> Any:
        columns, filters = ctx.saved_tensors
        n_samples, n_filters = slope.shape[:2]
        n_places = math.prod(ctx.windows.positions)
        matrix = slope.flatten(1).t().contiguous()  # (O * P, N)
        slopes = matrix.view(n_filters, n_places, n_samples).transpose(0, 1)  # (P, O, N)
        slopes = slopes.reshape(*filters.shape[:2], n_samples)  # (P * G, O / G, N)
        to_columns, to_filters, to_bias, _ = ctx.needs_input_grad
        return (
            torch.bmm(filters.mT, slopes) if to_columns else None,
            torch.bmm(slopes, columns.mT) if to_filters else None,
            slope.sum(0).sum_to_size(ctx.bias_shape) if to_bias else None,
            None,
        )


# All others.


class _Product(Function):
    @staticmethod
    def forward(x: Tensor, weight: Tensor, bias: Tensor | None, windows: Windows) -> Tensor:
        compute = opaque_output if torch.compiler.is_compiling() else output
        return compute(x, weight, bias, windows)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        x, weight, bias, ctx.windows = inputs
        ctx.save_for_backward(x, weight)
        ctx.bias_shape = None if bias is None else bias.shape

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> Any:
        x, weight = ctx.saved_tensors
        to_x, to_weight, to_bias, _ = ctx.needs_input_grad
        of_x = of_weight = of_bias = None
        if to_x or to_weight:
            of_x, of_weight = _Gradients.apply(x, weight, slope, ctx.windows, to_x, to_weight)
        if to_bias:
            of_bias = slope.sum(0).sum_to_size(ctx.bias_shape)
        return of_x, of_weight, of_bias, None

    @staticmethod
    def vmap(info: Any, in_dims: Any, x: Any, weight: Any, bias: Any, windows: Windows) -> Any:
        count = info.batch_size
        x = _leading(x, in_dims[0], count)  # (count, n_samples, n_channels, ...)
        if in_dims[1] is None:  # one filter bank for all: more samples
            out = multiply(x.flatten(0, 1), weight, None, windows).unflatten(0, (count, -1))
        else:  # a filter bank for each: more groups
            filters = _into_groups(_leading(weight, in_dims[1], count), len(windows.positions))
            more = windows._replace(groups=count * windows.groups)
            out = _out_of_groups(multiply(_into_groups(x, 1), filters, None, more), 1, count)
        if bias is not None:
            out = out + _leading(bias, in_dims[2], count).unsqueeze(1)
        return out, 0


class _Gradients(Function):
    """Gradients to input and filters; None for what nobody asks for."""

    @staticmethod
    def forward(
        x: Tensor, weight: Tensor, slope: Tensor, windows: Windows, to_x: bool, to_weight: bool
    ) -> tuple[Tensor | None, Tensor | None]:
        compute = opaque_gradients if torch.compiler.is_compiling() else gradients
        return compute(x, weight, slope, windows, to_x, to_weight)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        x, weight, slope, ctx.windows, _, _ = inputs
        ctx.save_for_backward(x, weight, slope)
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx: Any, x_slope: Tensor | None, weight_slope: Tensor | None) -> Any:
        """The form is linear in each factor: put the slope in the place of its factor."""
        x, weight, slope = ctx.saved_tensors
        windows = ctx.windows
        to_x = ctx.needs_input_grad[0] and weight_slope is not None
        to_weight = ctx.needs_input_grad[1] and x_slope is not None
        of_x = of_weight = of_slope = None
        if to_x or to_weight:
            first = x if x_slope is None else x_slope
            second = weight if weight_slope is None else weight_slope
            of_x, of_weight = _Gradients.apply(first, second, slope, windows, to_x, to_weight)
        if ctx.needs_input_grad[2]:
            terms = [(x_slope, weight), (x, weight_slope)]
            products = [
                multiply(first, second, None, windows)
                for first, second in terms
                if first is not None and second is not None
            ]
            of_slope = sum(products[1:], products[0]) if products else None
        return of_x, of_weight, of_slope, None, None, None

    @staticmethod
    def vmap(
        info: Any,
        in_dims: Any,
        x: Any,
        weight: Any,
        slope: Any,
        windows: Windows,
        to_x: bool,
        to_weight: bool,
    ) -> Any:
        count, n_axes = info.batch_size, len(windows.positions)
        factors = [
            _into_groups(_leading(factor, dim, count), axis)
            for factor, dim, axis in zip(
                (x, weight, slope), in_dims[:3], (1, n_axes, 1), strict=True
            )
        ]
        more = windows._replace(groups=count * windows.groups)
        of_x, of_weight = _Gradients.apply(*factors, more, to_x, to_weight)
        of_x = _out_of_groups(of_x, 1, count) if to_x else None
        of_weight = _out_of_groups(of_weight, n_axes, count) if to_weight else None
        return (of_x, of_weight), (0 if to_x else None, 0 if to_weight else None)


def _leading(tensor: Tensor, dim: int | None, count: int) -> Tensor:
    """Move the mapped axis of a tensor to the front, or make one."""
    return tensor.expand(count, *tensor.shape) if dim is None else tensor.movedim(dim, 0)


def _into_groups(tensor: Tensor, axis: int) -> Tensor:
    """Merge the leading axis into a later one, counted without the leading one."""
    return tensor.movedim(0, axis).flatten(axis, axis + 1)


def _out_of_groups(tensor: Tensor, axis: int, count: int) -> Tensor:
    return tensor.unflatten(axis, (count, -1)).movedim(axis, 0)


# torch asks for these signatures at every call, and finds them slowly unless they are kept.
for _kind in (_TileProduct, _Product, _Gradients):
    _forward: Any = _kind.forward
    _forward.__signature__ = inspect.signature(_forward)
