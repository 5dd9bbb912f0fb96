"""The network of one hidden layer: patches, filters, activation, pooling, readout."""

import copy

import numpy as np
import torch
from torch import nn

from sklcnn.nn.layers import AbstractPatches, draw_parameters, new_parameter

__all__ = ["PatchNetwork"]


class PatchNetwork(AbstractPatches):
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
        Source of the initial weights; None leaves them uninitialized for a ``load_state_dict``.
    init_scale : float, default=1.0
        Factor on the initial filters.
    dtype : torch.dtype, default=torch.float32
        Of all parameters.

    Notes
    -----
    Parameters may carry leading axes in front of the documented shapes; every line is written for
    trailing axes.

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
        self.pooling, self.readout = pooling, readout
        n_groups = int(np.max(filter_groups)) + 1
        self._add_filters(n_groups, n_filters, patch_size, activation, dtype)
        self._by_group = self._lay_out(patch_indices, filter_groups)
        if readout == "linear":
            n_responses = n_filters * (n_patches if pooling is None else 1)
            self.readout_weight = new_parameter((n_outputs, n_responses), dtype)
            self.readout_bias = new_parameter((n_outputs,), dtype)
        if generator is not None:
            draw_parameters(self, activation, generator, init_scale)

    @property
    def hidden_layers(self):
        """Whatever holds filters, from the input upwards: this network itself."""
        return [self]

    @property
    def response_order(self):
        """Where the responses raveled as (filters, positions) lie among those that are read out."""
        n_blocks, _, n_sharing = self.blocks
        n_filters = self.weight.shape[-2]
        if self.pooling is not None:
            return np.arange(n_filters)
        places = np.arange(n_blocks * n_filters * n_sharing)
        places = places.reshape(n_blocks, n_filters, n_sharing).swapaxes(0, 1)
        return places.reshape(n_filters, -1)[:, np.argsort(self._by_group)].ravel()

    @property
    def layout(self):
        """What two networks have in common if their parameters may be stacked."""
        return *self._connections, self.pooling, self.readout

    def with_parameters(self, tensors):
        """Return a network of the same layout whose parameters are other tensors, by name."""
        other = copy.copy(self)
        other._parameters = {
            name: nn.Parameter(tensor.detach()) for name, tensor in tensors.items()
        }
        other._buffers = dict(self._buffers)
        return other

    def respond(self, patches):
        """Map cut patches to outputs, (..., n_samples, n_outputs)."""
        hidden = self._hidden(patches)  # (..., n_blocks, n_filters, n_columns)
        pooled = self._pool(hidden, patches)  # (..., n_responses, n_samples)
        if self.readout == "sum":
            return pooled.sum(dim=-2)[..., None]  # (..., n_samples, 1)
        return (self.readout_weight @ pooled).mT + self.readout_bias[..., None, :]

    def forward(self, X):
        """Map X, (..., n_samples, n_features), to outputs, (..., n_samples, n_outputs)."""
        return self.respond(self.cut(self.extend(X)))

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
