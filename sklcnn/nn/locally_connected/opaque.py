"""The arithmetic as two operators that ``torch.compile`` does not look into.

Traced, its loop over blocks would fill a graph with hundreds of nodes, which take a minute to
compile and run no faster.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from sklcnn.nn.locally_connected.arithmetic import Windows, gradients, output

__all__ = ["opaque_gradients", "opaque_output"]


def opaque_output(x: Tensor, weight: Tensor, bias: Tensor | None, windows: Windows) -> Tensor:
    """See :func:`~.arithmetic.output`."""
    return _output(x, weight, bias, _pack(windows))


def opaque_gradients(
    x: Tensor, weight: Tensor, slope: Tensor, windows: Windows, to_x: bool, to_weight: bool
) -> tuple[Tensor | None, Tensor | None]:
    """See :func:`~.arithmetic.gradients`."""
    of_x, of_weight = _gradients(x, weight, slope, _pack(windows), to_x, to_weight)
    return of_x if to_x else None, of_weight if to_weight else None


# Operators take lists of numbers, and return tensors only: an empty one stands for None.


def _pack(windows: Windows) -> list[int]:
    before, after = zip(*windows.padding, strict=True)
    lists = (windows.kernel_size, windows.stride, windows.dilation, windows.positions)
    return [windows.groups, *(entry for entries in (*lists, before, after) for entry in entries)]


def _unpack(packed: Sequence[int]) -> Windows:
    groups, *rest = packed
    n_axes = len(rest) // 6
    lists = [tuple(rest[i : i + n_axes]) for i in range(0, len(rest), n_axes)]
    kernel_size, stride, dilation, positions, before, after = lists
    padding = tuple(zip(before, after, strict=True))
    return Windows(kernel_size, stride, dilation, padding, groups, positions)


@torch.library.custom_op("sklcnn::locally_connected", mutates_args=())
def _output(x: Tensor, weight: Tensor, bias: Tensor | None, packed: Sequence[int]) -> Tensor:
    return output(x, weight, bias, _unpack(packed))


@_output.register_fake
def _(x: Tensor, weight: Tensor, bias: Tensor | None, packed: Sequence[int]) -> Tensor:
    positions = _unpack(packed).positions
    return x.new_empty(x.shape[0], weight.shape[len(positions)], *positions)


@torch.library.custom_op("sklcnn::locally_connected_gradients", mutates_args=())
def _gradients(
    x: Tensor, weight: Tensor, slope: Tensor, packed: Sequence[int], to_x: bool, to_weight: bool
) -> tuple[Tensor, Tensor]:
    found = gradients(x, weight, slope, _unpack(packed), to_x, to_weight)
    of_x, of_weight = (x.new_empty(0) if tensor is None else tensor for tensor in found)
    return of_x, of_weight


@_gradients.register_fake
def _(
    x: Tensor, weight: Tensor, slope: Tensor, packed: Sequence[int], to_x: bool, to_weight: bool
) -> tuple[Tensor, Tensor]:
    of_x = x.new_empty(x.shape) if to_x else x.new_empty(0)
    return of_x, weight.new_empty(weight.shape) if to_weight else x.new_empty(0)
