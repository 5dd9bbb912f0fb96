"""Hidden layers: filters over patches, whatever is shared, and ordinary convolutions."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from sklcnn.nn.activations import ACTIVATIONS, soft_threshold

__all__ = [
    "AbstractFilters",
    "AbstractPatches",
    "ConvolutionLayer",
    "PatchLayer",
    "draw_parameters",
    "new_parameter",
]


def new_parameter(shape, dtype):
    """Return a parameter that is not initialized."""
    return nn.Parameter(torch.empty(shape, dtype=dtype))


@torch.no_grad()
def draw_parameters(module, activation, generator, init_scale):
    """Draw Gaussian weights of variance 1 / fan-in (2 / fan-in before a ReLU), zero biases."""
    gain = init_scale * (math.sqrt(2) if activation in ("relu", "gelu") else 1.0)
    for name, parameter in module.named_parameters():
        if "weight" not in name:
            parameter.zero_()
            continue
        scale = (1.0 if name == "readout_weight" else gain) / math.sqrt(parameter.shape[-1])
        # Drawn in float64 on the CPU, so that dtype and device do not change the start.
        draw = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        parameter.copy_(draw * scale)


class AbstractFilters(nn.Module):
    """Filters, with their biases or their threshold.

    ``weight`` has shape (n_groups, n_filters, patch_size); leading axes may stand in front.
    """

    def _add_filters(self, n_groups, n_filters, patch_size, activation, dtype):
        self.activation = activation
        self.weight = new_parameter((n_groups, n_filters, patch_size), dtype)
        if self._has_bias:
            self.bias = new_parameter((n_groups, n_filters), dtype)
        else:
            self.threshold = new_parameter((), dtype)

    @property
    def _has_bias(self):
        return self.activation != "soft_threshold"

    def _activate(self, hidden, threshold_shape):
        """Apply the activation; a threshold (...) is reshaped to stand beside the responses."""
        if self._has_bias:
            return ACTIVATIONS[self.activation](hidden)
        return soft_threshold(hidden, self.threshold.reshape(threshold_shape))


class AbstractPatches(AbstractFilters):
    """Filters over patches given by index arrays.

    Samples lie on the last axis: ``cut`` gathers the patches of all groups into (n_groups, n_rows,
    group size * n_samples), so that a layer is one batched matrix product whatever is shared. The
    ``patch_size`` rows of a patch follow a row of ones for the bias, if there is one.
    """

    def _lay_out(self, patch_indices, filter_groups):
        """Order the patches by group; groups of unequal size borrow a copy of the filters each."""
        filter_groups = np.asarray(filter_groups)
        sizes = np.bincount(filter_groups)
        by_group = np.argsort(filter_groups, kind="stable")  # (n_patches,)
        equal = bool((sizes == sizes[0]).all())
        n_blocks = len(sizes) if equal else len(filter_groups)
        # Features come behind a column of zeros, for masked entries, and one of ones: see extend.
        self._n_extra = self._has_bias + bool(np.ma.is_masked(patch_indices))
        patches = np.ma.filled(np.ma.asarray(patch_indices) + self._n_extra, 0)
        blocks = patches[by_group].reshape(n_blocks, -1, patches.shape[1])
        blocks = blocks.swapaxes(1, 2).astype(np.int64)  # (n_blocks, patch_size, n_sharing)
        self.blocks = blocks.shape
        if self._has_bias:
            ones = [(0, 0), (1, 0), (0, 0)]
            blocks = np.pad(blocks, ones, constant_values=self._n_extra - 1)
        rows = torch.from_numpy(blocks.ravel())
        self.register_buffer("rows", rows, persistent=False)
        lender = None if equal else torch.from_numpy(filter_groups[by_group].astype(np.int64))
        self.register_buffer("lender", lender, persistent=False)
        self._in_order = np.array_equal(rows.numpy(), np.arange(len(rows)))
        return by_group

    @property
    def _connections(self):
        """What two layers have in common if their parameters may be stacked."""
        lender = None if self.lender is None else tuple(self.lender.tolist())
        return self.activation, self.blocks, self.rows.cpu().numpy().tobytes(), lender

    @property
    def footprint(self):
        """Entries that a sample fills: of its cut patches, and of the responses to them."""
        n_blocks, _, n_sharing = self.blocks
        return len(self.rows), n_blocks * n_sharing * self.weight.shape[-2]

    def extend(self, X):
        """Put columns of zeros and ones, as far as they are needed, in front of the features."""
        if self._has_bias:
            X = F.pad(X, (1, 0), value=1.0)
        return X if self._n_extra == self._has_bias else F.pad(X, (1, 0))

    def cut(self, X):
        """Gather the patches of extended X, (..., n_samples, n_columns), with the samples last."""
        return self._gather(X.mT)

    def _gather(self, columns):
        """Gather patches from columns of samples, (..., n_columns, n_samples)."""
        n_blocks, _, n_sharing = self.blocks
        in_order = self._in_order and len(self.rows) == columns.shape[-2]
        patches = columns if in_order else columns.index_select(-2, self.rows)
        shape = *columns.shape[:-2], n_blocks, -1, n_sharing * columns.shape[-1]
        return patches.reshape(shape)

    def filters(self):
        """Return the factor of the cut patches, (..., n_blocks, n_filters, n_rows)."""
        weight = self._lent(self.weight, -3)
        if not self._has_bias:
            return weight
        return torch.cat([self._lent(self.bias, -2)[..., None], weight], dim=-1)

    def _lent(self, parameter, dim):
        return parameter if self.lender is None else parameter.index_select(dim, self.lender)

    def _hidden(self, patches):
        """Respond to cut patches, (..., n_blocks, n_filters, n_sharing * n_samples)."""
        hidden = self.filters() @ patches
        return self._activate(hidden, (*hidden.shape[:-3], 1, 1, 1))


class PatchLayer(AbstractPatches):
    """A hidden layer of filters over patches of a map, whatever is shared.

    Parameters
    ----------
    plan : LayerPlan
        Connectivity, sharing, number of filters, pooling.
    activation : {"relu", "soft_threshold", "identity", "tanh", "gelu"}
        Of the responses.
    dtype : torch.dtype
        Of all parameters.
    """

    def __init__(self, plan, activation, dtype):
        super().__init__()
        patch_size = plan.patch_indices.shape[1]
        self._add_filters(plan.n_groups, plan.n_filters, patch_size, activation, dtype)
        by_group = self._lay_out(plan.patch_indices, plan.filter_groups)
        self.grid, self.pooling, self.pool_sides = plan.grid, plan.pooling, plan.pool_sides
        sorted_already = np.array_equal(by_group, np.arange(len(by_group)))
        order = None if sorted_already else torch.from_numpy(np.argsort(by_group))
        self.register_buffer("order", order, persistent=False)  # of the positions among the sorted

    @property
    def layout(self):
        """What two layers have in common if their parameters may be stacked."""
        return *self._connections, self.grid, self.pooling, self.pool_sides

    def forward(self, maps):
        """Map (..., n_features, n_samples) to (..., n_filters * n_positions, n_samples)."""
        return self.respond(self._gather(self._extend_rows(maps)))

    def _extend_rows(self, maps):
        shape = *maps.shape[:-2], 1, maps.shape[-1]
        ones = [maps.new_ones(shape)] if self._has_bias else []
        zeros = [] if self._n_extra == self._has_bias else [maps.new_zeros(shape)]
        return torch.cat([*zeros, *ones, maps], dim=-2)

    def respond(self, patches):
        """Map cut patches to what the next layer sees, raveled as (channels, height, width)."""
        hidden = self._hidden(patches)
        shape = *hidden.shape[:-1], self.blocks[2], -1
        maps = hidden.reshape(shape).transpose(-4, -3)  # (..., n_filters, n_blocks, n_sharing, n)
        maps = maps.flatten(-3, -2)  # (..., n_filters, n_positions, n_samples), sorted by group
        if self.order is not None:
            maps = maps.index_select(-2, self.order)
        if self.pooling is not None:
            maps = _pool(maps.unflatten(-2, self.grid), self.pooling, self.pool_sides)
            maps = maps.flatten(-3, -2)
        return maps.flatten(-3, -2)


def _pool(maps, pooling, sides):
    """Pool windows of (..., height, width, n_samples) that do not overlap."""
    size = maps.shape[-3:-1]
    short = [-length % side for length, side in zip(size, sides, strict=True)]
    filling = -math.inf if pooling == "max" else 0.0
    if any(short):
        maps = F.pad(maps, (0, 0, 0, short[1], 0, short[0]), value=filling)
    windows = maps.unflatten(-2, (-1, sides[1])).unflatten(-4, (-1, sides[0]))
    if pooling == "max":
        return windows.amax(dim=(-4, -2))
    total = windows.sum(dim=(-4, -2))
    if pooling == "sum":
        return total
    lengths = [
        (length - side * torch.arange(n_windows, device=maps.device)).clamp_max(side)
        for length, side, n_windows in zip(size, sides, total.shape[-3:-1], strict=True)
    ]
    return total / (lengths[0][:, None, None] * lengths[1][:, None])


class ConvolutionLayer(AbstractFilters):
    """A hidden layer of windows that all share their filters: an ordinary convolution.

    Members of a stack lie among the channels, so that one grouped convolution serves them all.

    Parameters
    ----------
    plan : LayerPlan
        With windows; sharing is complete.
    activation : {"relu", "soft_threshold", "identity", "tanh", "gelu"}
        Of the responses.
    dtype : torch.dtype
        Of all parameters.
    """

    def __init__(self, plan, activation, dtype):
        super().__init__()
        patch_size = plan.patch_indices.shape[1]
        self._add_filters(1, plan.n_filters, patch_size, activation, dtype)
        rows, columns = self.windows = plan.windows
        self.pooling, self.pool_sides = plan.pooling, plan.pool_sides
        self.kernel = (patch_size // (rows.window * columns.window), rows.window, columns.window)
        self._pads = (columns.before, columns.after, rows.before, rows.after)
        self.footprint = (0, int(np.prod([plan.n_filters, *plan.grid])))

    @property
    def layout(self):
        """What two layers have in common if their parameters may be stacked."""
        return self.activation, self.kernel, self.windows, self.pooling, self.pool_sides

    def forward(self, maps):
        """Map (n_samples, height, width, members * channels) to the next such map."""
        members = self.weight.shape[:-3].numel()
        maps = self._pad(maps.permute(0, 3, 1, 2))
        kernels = self.weight.reshape(-1, *self.kernel)
        bias = self.bias.flatten() if self._has_bias else None
        strides = tuple(axis.stride for axis in self.windows)
        hidden = F.conv2d(maps, kernels, bias, strides, groups=members)
        if not self._has_bias:
            hidden = hidden.unflatten(1, (members, -1))
        hidden = self._activate(hidden, (members, 1, 1, 1))
        if not self._has_bias:
            hidden = hidden.flatten(1, 2)
        return _pool_images(hidden, self.pooling, self.pool_sides).permute(0, 2, 3, 1).contiguous()

    def _pad(self, images):
        if not any(self._pads):
            return images
        circular = any(axis.circular for axis in self.windows)
        return F.pad(images, self._pads, mode="circular" if circular else "constant")


def _pool_images(images, pooling, sides):
    """Pool windows of (n_samples, channels, height, width) that do not overlap."""
    if pooling is None:
        return images
    if pooling == "max":
        return F.max_pool2d(images, sides, ceil_mode=True)
    divisor = 1 if pooling == "sum" else None
    return F.avg_pool2d(
        images, sides, ceil_mode=True, count_include_pad=False, divisor_override=divisor
    )
