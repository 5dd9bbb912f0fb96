"""The one network of the package: patches, filters, activation, pooling, readout."""

import copy
import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from sklcnn.nn.activations import ACTIVATIONS, soft_threshold

__all__ = ["PatchNetwork"]


class PatchNetwork(nn.Module):
    r"""One hidden layer of filters over patches of the input.

    .. math:: f(x) = \mathrm{readout}\big(\mathrm{pool}_l\; \phi(\langle w_{g(l), k}, x^{(l)}
              \rangle + b_{g(l), k})\big)

    with patch :math:`x^{(l)}` = ``x[patch_indices[l]]`` and group :math:`g(l)` =
    ``filter_groups[l]``. One patch of all features is the fully connected network, one group for
    all patches the convolutional one.

    Parameters
    ----------
    patch_indices : array of int of shape (n_patches, patch_size)
        Connectivity: the features that each patch sees.
    filter_groups : array of int of shape (n_patches,)
        Sharing: patches of one group use the same filters.
    n_filters : int
        Filters of each group.
    n_outputs : int
        Outputs of the network.
    activation : {"relu", "soft_threshold", "identity", "tanh", "gelu"}, default="relu"
        ``soft_threshold`` has one learned threshold for the whole network, starting at zero, in the
        place of a bias for each filter.
    pooling : {"mean", "sum", "max"} or None, default=None
        Over the patches; None keeps every position.
    readout : {"linear", "sum"}, default="linear"
        ``"sum"`` adds all responses with unit weights and has no parameters.
    generator : torch.Generator or None, default=None
        Source of the initial weights; None leaves them uninitialised for a ``load_state_dict``.
    init_scale : float, default=1.0
        Factor on the initial filters.
    dtype : torch.dtype, default=torch.float32
        Of all parameters.

    Notes
    -----
    Samples lie on the last axis inside the network: ``cut`` gathers the patches of all groups into
    (n_groups, n_rows, group size * n_samples), so that a layer is one batched matrix product
    whatever is shared. The ``patch_size`` rows of a patch follow a row of ones for the bias, if
    there is one. Parameters may carry leading axes in front of the documented shapes; every line is
    written for trailing axes.

    Examples
    --------
    >>> import torch
    >>> from sklcnn.nn import PatchNetwork
    >>> from sklcnn.patches import sharing_groups, sliding_windows
    >>> patches = sliding_windows((8, 8), patch_size=3)
    >>> groups = sharing_groups(len(patches), 1)
    >>> network = PatchNetwork(patches, groups, 16, 10, generator=torch.Generator())
    >>> network(torch.zeros(5, 64)).shape
    torch.Size([5, 10])
    """

    def __init__(
        self,
        patch_indices,
        filter_groups,
        n_filters,
        n_outputs,
        *,
        activation="relu",
        pooling=None,
        readout="linear",
        generator=None,
        init_scale=1.0,
        dtype=torch.float32,
    ):
        super().__init__()
        n_patches, patch_size = np.shape(patch_indices)
        n_groups = int(np.max(filter_groups)) + 1
        self.activation, self.pooling, self.readout = activation, pooling, readout
        self._lay_out(np.asarray(patch_indices), np.asarray(filter_groups), n_groups)

        self.weight = _parameter((n_groups, n_filters, patch_size), dtype)
        if activation == "soft_threshold":
            self.threshold = _parameter((), dtype)
        else:
            self.bias = _parameter((n_groups, n_filters), dtype)
        if readout == "linear":
            n_responses = n_filters * (n_patches if pooling is None else 1)
            self.readout_weight = _parameter((n_outputs, n_responses), dtype)
            self.readout_bias = _parameter((n_outputs,), dtype)
        if generator is not None:
            self.reset_parameters(generator, init_scale)

    def _lay_out(self, patch_indices, filter_groups, n_groups):
        """Order the patches by group; groups of unequal size borrow a copy of the filters each."""
        sizes = np.bincount(filter_groups, minlength=n_groups)
        by_group = np.argsort(filter_groups, kind="stable")  # (n_patches,)
        equal = bool((sizes == sizes[0]).all())
        n_blocks = n_groups if equal else len(filter_groups)
        blocks = patch_indices[by_group].reshape(n_blocks, -1, patch_indices.shape[1])
        blocks = blocks.swapaxes(1, 2).astype(np.int64)  # (n_blocks, patch_size, n_sharing)
        self.blocks = blocks.shape
        if self._has_bias:  # for a column of ones in front of the features, see extend
            blocks = np.pad(blocks + 1, [(0, 0), (1, 0), (0, 0)])
        rows = torch.from_numpy(blocks.ravel())
        self.register_buffer("rows", rows, persistent=False)
        lender = None if equal else torch.from_numpy(filter_groups[by_group].astype(np.int64))
        self.register_buffer("lender", lender, persistent=False)
        self._in_order = np.array_equal(rows.numpy(), np.arange(len(rows)))

    @property
    def layout(self):
        """What two networks have in common if their parameters may be stacked."""
        lender = None if self.lender is None else tuple(self.lender.tolist())
        kinds = (self.activation, self.pooling, self.readout)
        return (*kinds, self.blocks, self.rows.cpu().numpy().tobytes(), lender)

    @torch.no_grad()
    def reset_parameters(self, generator, init_scale=1.0):
        """Draw Gaussian weights of variance 1 / fan-in (2 / fan-in before a ReLU), zero biases."""
        gain = init_scale * (math.sqrt(2) if self.activation in ("relu", "gelu") else 1.0)
        for name, parameter in self.named_parameters():
            if "weight" not in name:
                parameter.zero_()
                continue
            scale = (gain if name == "weight" else 1.0) / math.sqrt(parameter.shape[-1])
            # Drawn in float64 on the CPU, so that dtype and device do not change the start.
            draw = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            parameter.copy_(draw * scale)

    def with_parameters(self, tensors):
        """Return a network of the same layout whose parameters are other tensors, by name."""
        other = copy.copy(self)
        other._parameters = {
            name: nn.Parameter(tensor.detach()) for name, tensor in tensors.items()
        }
        other._buffers = dict(self._buffers)
        return other

    @property
    def _has_bias(self):
        return self.activation != "soft_threshold"

    def extend(self, X):
        """Put a column of ones for the biases, if there are any, in front of the features."""
        return F.pad(X, (1, 0), value=1.0) if self._has_bias else X

    def cut(self, X):
        """Gather the patches of extended X, (..., n_samples, n_columns), with the samples last."""
        n_blocks, _, n_sharing = self.blocks
        columns = X.mT  # (..., n_columns, n_samples)
        in_order = self._in_order and len(self.rows) == columns.shape[-2]
        patches = columns if in_order else columns.index_select(-2, self.rows)
        return patches.reshape(*X.shape[:-2], n_blocks, -1, n_sharing * X.shape[-2])

    def filters(self):
        """Return the factor of the cut patches, (..., n_blocks, n_filters, n_rows)."""
        weight = self._lent(self.weight, -3)
        if not self._has_bias:
            return weight
        return torch.cat([self._lent(self.bias, -2)[..., None], weight], dim=-1)

    def respond(self, patches):
        """Map cut patches to outputs, (..., n_samples, n_outputs)."""
        hidden = self.filters() @ patches  # (..., n_blocks, n_filters, n_columns)
        if self.activation == "soft_threshold":
            hidden = soft_threshold(hidden, self.threshold[..., None, None, None])
        else:
            hidden = ACTIVATIONS[self.activation](hidden)
        pooled = self._pool(hidden, patches)  # (..., n_responses, n_samples)
        if self.readout == "sum":
            return pooled.sum(dim=-2)[..., None]  # (..., n_samples, 1)
        return (self.readout_weight @ pooled).mT + self.readout_bias[..., None, :]

    def forward(self, X):
        """Map X, (..., n_samples, n_features), to outputs, (..., n_samples, n_outputs)."""
        return self.respond(self.cut(self.extend(X)))

    def _lent(self, parameter, dim):
        return parameter if self.lender is None else parameter.index_select(dim, self.lender)

    def _pool(self, hidden, patches):
        """Pool over patches, or keep every position: (..., n_responses, n_samples)."""
        n_blocks, _, n_sharing = self.blocks
        members, n_samples = patches.shape[:-3], patches.shape[-1] // n_sharing
        if self.pooling is None:
            return hidden.reshape(*members, -1, n_samples)
        hidden = hidden.reshape(*members, n_blocks, -1, n_sharing, n_samples)
        if self.pooling == "max":
            return hidden.amax(dim=(-4, -2))
        reduce = torch.mean if self.pooling == "mean" else torch.sum
        return reduce(hidden, dim=(-4, -2))


def _parameter(shape, dtype):
    return nn.Parameter(torch.empty(shape, dtype=dtype))
