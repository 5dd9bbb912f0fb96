"""Networks of several hidden layers, or of one whose responses are pooled locally."""

import copy

import torch
from torch import nn

from sklcnn.nn.layers import ConvolutionLayer, PatchLayer, draw_parameters, new_parameter

__all__ = ["DeepNetwork"]


class DeepNetwork(nn.Module):
    """Hidden layers of filters over patches, each of the map below, and a readout.

    Parameters
    ----------
    plans : list of LayerPlan
        Hidden layers, from the input upwards. Where all of them are windows that share their
        filters, they are computed as ordinary convolutions, else by gathering patches.
    n_outputs : int
        Outputs of the network.
    input_shape : tuple of three int
        (channels, height, width) of a sample.
    activation : {"relu", "soft_threshold", "identity", "tanh", "gelu"}, default="relu"
        Of all hidden layers; ``soft_threshold`` has one learned threshold for each.
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
    Responses reach the readout raveled as (channels, height, width) in every network. Parameters
    may carry one leading axis of members, or none.

    Examples
    --------
    >>> import torch
    >>> from sklcnn.nn import DeepNetwork
    >>> from sklcnn.patches import sharing_groups, sliding_windows
    >>> from sklcnn.patches.layers import LayerPlan
    >>> first = sliding_windows((8,), patch_size=3)
    >>> second = sliding_windows((4, 1, 6), patch_size=3)
    >>> plans = [LayerPlan(4, first, sharing_groups(6)), LayerPlan(5, second, sharing_groups(4))]
    >>> network = DeepNetwork(plans, 2, (1, 1, 8), generator=torch.Generator())
    >>> network(torch.zeros(7, 8)).shape
    torch.Size([7, 2])
    """

    def __init__(
        self,
        plans,
        n_outputs,
        input_shape,
        *,
        activation="relu",
        readout="linear",
        generator=None,
        init_scale=1.0,
        dtype=torch.float32,
    ):
        super().__init__()
        self.input_shape, self.readout = tuple(input_shape), readout
        self.activation = activation
        self.convolutional = all(plan.windows and plan.n_groups == 1 for plan in plans)
        kind = ConvolutionLayer if self.convolutional else PatchLayer
        self.layers = nn.ModuleList(kind(plan, activation, dtype) for plan in plans)
        if readout == "linear":
            channels, height, width = plans[-1].output_shape
            self.readout_weight = new_parameter((n_outputs, channels * height * width), dtype)
            self.readout_bias = new_parameter((n_outputs,), dtype)
        if generator is not None:
            draw_parameters(self, activation, generator, init_scale)

    @property
    def hidden_layers(self):
        """Whatever holds filters, from the input upwards."""
        return list(self.layers)

    @property
    def response_order(self):
        """Where the responses raveled as (channels, height, width) lie: in this very order."""
        return slice(None)

    @property
    def layout(self):
        """What two networks have in common if their parameters may be stacked."""
        return self.input_shape, self.readout, *(layer.layout for layer in self.layers)

    @property
    def footprint(self):
        """Entries that a sample fills: of cut patches, and of responses, in all layers."""
        inputs, responses = zip(*(layer.footprint for layer in self.layers), strict=True)
        n_features = torch.Size(self.input_shape).numel() if self.convolutional else 0
        return n_features + sum(inputs), sum(responses)

    def with_parameters(self, tensors):
        """Return a network of the same layout whose parameters are other tensors, by name."""
        kept = {id(buffer): buffer for buffer in self.buffers()}
        for name, parameter in self.named_parameters():
            kept[id(parameter)] = nn.Parameter(tensors[name].detach())
        return copy.deepcopy(self, kept)

    def extend(self, X):
        """Put the columns that the first layer needs in front of the features."""
        return X if self.convolutional else self.layers[0].extend(X)

    def cut(self, X):
        """Bring extended X, (..., n_samples, n_columns), into the form of the first layer."""
        if not self.convolutional:
            return self.layers[0].cut(X)
        images = X.unflatten(-1, self.input_shape).movedim(-3, -1)  # (..., n, height, width, c)
        members = images.dim() - 4
        return images.movedim(0, -2).flatten(-2).contiguous() if members else images.contiguous()

    def respond(self, patches):
        """Map what ``cut`` returns to outputs, (..., n_samples, n_outputs)."""
        first, *others = self.layers
        maps = first(patches) if self.convolutional else first.respond(patches)
        for layer in others:
            maps = layer(maps)
        responses = self._ravel(maps) if self.convolutional else maps.mT
        if self.readout == "sum":
            return responses.sum(dim=-1, keepdim=True)
        return responses @ self.readout_weight.mT + self.readout_bias[..., None, :]

    def _ravel(self, maps):
        """Bring maps of channels last to (..., n_samples, n_responses)."""
        members = self.layers[0].weight.shape[:-3]
        channels = maps.shape[-1] // members.numel()
        split = maps.reshape(*maps.shape[:-1], members.numel(), channels)
        raveled = split.permute(3, 0, 4, 1, 2).flatten(2)  # (members, n_samples, n_responses)
        return raveled.reshape(*members, *raveled.shape[1:])

    def forward(self, X):
        """Map X, (..., n_samples, n_features), to outputs, (..., n_samples, n_outputs)."""
        return self.respond(self.cut(self.extend(X)))
