"""How the output and the gradients are computed.

Samples lie on the last axis: patches are then strided views with long runs, and
one position is one product of its filters with (taps, samples). Positions go by in blocks whose
columns stay in the cache: gathered into a small buffer, multiplied in one batched product, and
forgotten. The backward pass gathers them again, which costs less than to keep them, so that a layer
remembers nothing but its input.

Shapes in the comments: C channels, O filters, P positions, G groups, T taps = C / G * kernel
entries, N samples; P' positions in a block, and B = P' * G matrices.
"""

import math
import operator
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["Windows", "as_matrices", "gradients", "output"]

# Entries of the buffer of one block: on a CPU 1 MB of float32, half of a common second-level cache
# (a quarter of that or four times as much is up to a fifth slower at some shapes and hardly faster
# at any); elsewhere as much as keeps the device busy.
CPU_BLOCK, BLOCK = 2**18, 2**26


class Windows(NamedTuple):
    """Where the windows of a layer lie; one entry for each spatial axis."""

    kernel_size: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]  # zeros before and after
    groups: int
    positions: tuple[int, ...]  # the output size

    @property
    def tile(self) -> bool:
        """Whether the windows lie side by side, without gaps."""
        return self.stride == self.kernel_size and all(
            kernel == 1 or dilation == 1
            for kernel, dilation in zip(self.kernel_size, self.dilation, strict=True)
        )

    @property
    def overlap(self) -> bool:
        """Whether an entry of the input can be in several windows."""
        spans = zip(self.kernel_size, self.dilation, self.stride, strict=True)
        return any(dilation * (kernel - 1) >= stride for kernel, dilation, stride in spans)


class _Block(NamedTuple):
    """Some rows of positions, along the first axis, and where they lie if all axes are one."""

    rows: slice
    places: slice  # of the positions
    matrices: slice  # of the positions and groups


def output(x: Tensor, weight: Tensor, bias: Tensor | None, windows: Windows) -> Tensor:
    """Return the output, (N, O, *positions); see :func:`~.product.multiply`."""
    n_filters, n_samples = weight.shape[len(windows.positions)], x.shape[0]
    filters = as_matrices(weight, windows)  # (P * G, O / G, T)
    patches = _patches(_padded(_samples_last(x), windows), windows)
    out = x.new_empty(n_filters, math.prod(windows.positions), n_samples)  # (O, P, N)
    columns_space, product_space = _spaces(filters, x, windows)
    for rows, places, matrices in _blocks(filters, n_samples, windows):
        columns = _gathered(patches[rows], columns_space)  # (B, T, N)
        space = product_space[: columns.shape[0]]
        product = torch.bmm(filters[matrices], columns, out=space)  # (B, O / G, N)
        target = out[:, places].transpose(0, 1)  # (P', O, N)
        target.copy_(product.view(target.shape))
    out = _samples_first(out, (n_filters, *windows.positions))
    return out if bias is None else out.add_(bias)


def gradients(
    x: Tensor, weight: Tensor, slope: Tensor, windows: Windows, to_x: bool, to_weight: bool
) -> tuple[Tensor | None, Tensor | None]:
    """Return the gradients to input and weight; None for what is not wanted."""
    n_samples = x.shape[0]
    filters = as_matrices(weight, windows)  # (P * G, O / G, T)
    slopes = _samples_last(slope).flatten(1, -2).transpose(0, 1)  # (P, O, N)
    if to_weight:
        patches = _patches(_padded(_samples_last(x), windows), windows)
        of_filters = torch.empty_like(filters)
    if to_x:
        size = zip(x.shape[2:], windows.padding, strict=True)
        total = slopes.new_zeros(x.shape[1], *[n + sum(pad) for n, pad in size], n_samples)
    space, _ = _spaces(filters, x, windows)
    for rows, places, matrices in _blocks(filters, n_samples, windows):
        block = slopes[places]  # (P', O, N)
        if windows.groups > 1:
            n_matrices = block.shape[0] * windows.groups
            block = block.reshape(n_matrices, filters.shape[1], n_samples)  # (B, O / G, N)
        if to_weight:
            columns = _gathered(patches[rows], space)
            torch.bmm(block, columns.mT, out=of_filters[matrices])
        if to_x:
            columns = torch.bmm(filters[matrices].mT, block, out=space[: block.shape[0]])
            _scatter(columns, total, rows, windows)
    return (
        _samples_first(_cropped(total, windows), x.shape[1:]) if to_x else None,
        of_filters.view(weight.shape) if to_weight else None,
    )


def _samples_last(x: Tensor) -> Tensor:
    """Turn the samples to the last axis; as a matrix, since torch turns those much faster."""
    n_samples = x.shape[0]
    return x.flatten(1).t().contiguous().view(*x.shape[1:], n_samples)


def _samples_first(x: Tensor, shape: Sequence[int]) -> Tensor:
    """Turn the samples to the first axis; the others get a shape."""
    n_samples = x.shape[-1]
    return x.flatten(0, -2).t().contiguous().view(n_samples, *shape)


def _padded(signal: Tensor, windows: Windows) -> Tensor:
    """Put zeros around (C, *size, N)."""
    flat = [width for pair in reversed(windows.padding) for width in pair]
    return F.pad(signal, (0, 0, *flat)) if any(flat) else signal


def _cropped(signal: Tensor, windows: Windows) -> Tensor:
    """Take the padding off again."""
    for axis, (before, after) in enumerate(windows.padding, start=1):
        if before or after:
            signal = signal.narrow(axis, before, signal.shape[axis] - before - after)
    return signal


def _patches(signal: Tensor, windows: Windows) -> Tensor:
    """View a signal, (C, *padded size, N), as (*positions, G, C / G, *kernel_size, N)."""
    channel, *along, sample = signal.stride()
    n_channels = signal.shape[0] // windows.groups
    steps = map(operator.mul, along, windows.stride)
    taps = map(operator.mul, along, windows.dilation)
    size = (windows.groups, n_channels, *windows.kernel_size, signal.shape[-1])
    strides = (*steps, n_channels * channel, channel, *taps, sample)
    return signal.as_strided((*windows.positions, *size), strides)


def as_matrices(weight: Tensor, windows: Windows) -> Tensor:
    """View (*positions, O, C / G, *kernel_size) as (P * G, O / G, T)."""
    n_filters = weight.shape[len(windows.positions)] // windows.groups
    return weight.reshape(math.prod(windows.positions) * windows.groups, n_filters, -1)


def _blocks(filters: Tensor, n_samples: int, windows: Windows) -> list[_Block]:
    """Cut the first axis of positions so that columns and products of a block are small."""
    n_rows, n_places = windows.positions[0], math.prod(windows.positions[1:])
    step, n_matrices = _block_size(filters, n_samples, windows), n_places * windows.groups
    spans = [(start, min(start + step, n_rows)) for start in range(0, n_rows, step)]
    return [
        _Block(*(slice(start * unit, stop * unit) for unit in (1, n_places, n_matrices)))
        for start, stop in spans
    ]


def _block_size(filters: Tensor, n_samples: int, windows: Windows) -> int:
    """Rows of positions of a block."""
    n_rows = windows.positions[0]
    n_entries = filters.shape[0] // n_rows * max(filters.shape[1:]) * n_samples
    limit = CPU_BLOCK if filters.device.type == "cpu" else BLOCK
    return min(n_rows, max(1, limit // max(1, n_entries)))


def _spaces(filters: Tensor, x: Tensor, windows: Windows) -> tuple[Tensor, Tensor]:
    """Memory for the columns, (B, T, N), and for the products, (B, O / G, N), of a block."""
    n_rows = _block_size(filters, x.shape[0], windows)
    n_matrices = filters.shape[0] // windows.positions[0] * n_rows
    columns = x.new_empty(n_matrices, filters.shape[2], x.shape[0])
    return columns, x.new_empty(n_matrices, filters.shape[1], x.shape[0])


def _gathered(patches: Tensor, space: Tensor) -> Tensor:
    """Copy the patches of a block into columns, (B, T, N); one axis of taps needs no copy."""
    if math.prod(patches.shape[1:-2]) == 1:
        return patches.reshape(patches.shape[0], *patches.shape[-2:])
    n_axes = (patches.ndim - 3) // 2
    columns = space[: math.prod(patches.shape[: n_axes + 1])]
    columns.view(patches.shape).copy_(patches)
    return columns


def _scatter(columns: Tensor, signal: Tensor, rows: slice, windows: Windows) -> None:
    """Add columns of a block, (B, T, N), to where they have been gathered from."""
    targets = _patches(signal, windows)[rows]
    columns = columns.view(targets.shape)
    if not windows.overlap:
        targets.copy_(columns)
        return
    # Windows overlap, but no two of them in the same tap.
    n_axes = len(windows.kernel_size)
    for target, column in zip(_taps(targets, n_axes), _taps(columns, n_axes), strict=True):
        target.add_(column)


def _taps(patches: Tensor, n_axes: int) -> list[Tensor]:
    """Views of (..., *kernel_size, N), one for each entry of the kernel."""
    views = [patches]
    for axis in range(n_axes, 0, -1):
        views = [view for each in views for view in each.unbind(-1 - axis)]
    return views
