"""The gradient of the mean loss: written by hand where most training happens, else autograd's.

A step of a small network, or of a stack of them, is bound by passes over the hidden layer and by
the overhead of single operations. Written by hand it makes half of the passes, in place, and keeps
no graph. :meth:`PatchNetwork.respond` stays the definition, which the tests hold this file against.
"""

import torch

from sklcnn.nn.networks import PatchNetwork

__all__ = ["Workspace", "loss_and_gradients"]

# Products of a few filters are faster from the other side if the filters fill whole registers.
REGISTER = 16


class Workspace:
    """Memory for the hidden layer, kept from step to step: pages fresh from the system are slow."""

    def __init__(self):
        self._tensors = {}

    def empty(self, name, shape, like):
        """Return a tensor of a shape, of the type and on the device of another one."""
        key = (name, *shape)
        if key not in self._tensors:
            self._tensors[key] = like.new_empty(shape)
        return self._tensors[key]


def loss_and_gradients(network, mean_loss, patches, target, weight=None, space=None):
    """Return the mean loss of a network over samples, its outputs, and the gradients.

    Parameters
    ----------
    network : Module
        With ``respond``; its parameters may have a leading axis of members.
    mean_loss : MeanLoss
        What is differentiated.
    patches : Tensor of shape (..., n_blocks, n_rows, n_sharing * n_samples)
        Inputs, as ``network.cut`` returns them.
    target : Tensor of shape (..., n_samples, n_outputs)
        Coded targets.
    weight : Tensor of shape (..., n_samples) or None, default=None
        Weights of the samples.
    space : Workspace or None, default=None
        Memory to use again, None for fresh memory.

    Returns
    -------
    loss : Tensor of shape (...)
        One value for each member.
    outputs : Tensor of shape (..., n_samples, n_outputs)
        Of the network.
    gradients : list of Tensor
        In the order and the shapes of ``network.parameters()``.
    """
    if isinstance(network, PatchNetwork) and _is_written(network):
        with torch.no_grad():
            return _by_hand(network, mean_loss, patches, target, weight, space or Workspace())
    outputs = network.respond(patches)
    loss = mean_loss(outputs, target, weight)
    gradients = torch.autograd.grad(loss, list(network.parameters()), torch.ones_like(loss))
    return loss.detach(), outputs.detach(), list(gradients)


def _is_written(network):
    """Whether the gradient by hand is that of the network."""
    return network.activation in ACTIVATIONS and network.pooling != "max" and network.lender is None


def _by_hand(network, mean_loss, patches, target, weight, space):
    """Forth and back. Shapes: m members, b blocks, s patches sharing filters, n samples."""
    n_sharing = network.blocks[2]
    n_samples = patches.shape[-1] // n_sharing
    columns = patches.reshape(-1, *patches.shape[-2:])  # (m * b, n_rows, s * n)
    filters = network.filters().reshape(len(columns), -1, patches.shape[-2])
    shape = (len(columns), filters.shape[1], columns.shape[2])
    hidden = torch.bmm(filters, columns, out=space.empty("hidden", shape, columns))
    places = hidden.view(-1, patches.shape[-3], filters.shape[1], n_sharing, n_samples)
    activate, slope_of = ACTIVATIONS[network.activation]
    kept = activate(places, network, space)
    responses = _pool(places, network.pooling)  # (m, n_responses, n)
    outputs = _read_out(responses, network)  # (m, n_outputs, n)

    answer = outputs.mT.reshape(*patches.shape[:-3], n_samples, -1)
    loss, slope = mean_loss.with_slope(answer, target, weight)  # slope: the gradient of the loss
    slope = slope.reshape(len(outputs), n_samples, -1).mT  # (m, n_outputs, n), to the outputs

    gradients = {}
    if network.readout == "linear":
        gradients["readout_bias"] = slope.sum(dim=-1)
        gradients["readout_weight"] = torch.bmm(slope, responses.mT)
        shape = (len(slope), responses.shape[1], n_samples)
        out = space.empty("responses", shape, slope)
        slope = torch.bmm(_readout_matrix(network).mT, slope, out=out)
    slope = _unpool(slope, places, network.pooling)  # broadcasts to (m, b, n_filters, s, n)
    slope = slope_of(slope, kept, gradients, space)
    product = _product(slope.reshape(hidden.shape), columns)  # (m * b, n_filters, n_rows)
    if "threshold" not in gradients:
        gradients["bias"], product = product[..., 0], product[..., 1:]
    gradients["weight"] = product
    named = network.named_parameters()
    return loss, answer, [gradients[name].reshape(value.shape) for name, value in named]


def _pool(places, pooling):
    if pooling is None:
        return places.flatten(1, 3)
    total = places.sum(dim=(1, 3))
    return total if pooling == "sum" else total.div_(places.shape[1] * places.shape[3])


def _unpool(slope, places, pooling):
    """Take the gradient to pooled responses back to the responses, broadcast."""
    if pooling is None:
        return slope.expand(-1, places[0].numel() // slope.shape[-1], -1).view_as(places)
    if pooling == "mean":
        slope = slope / (places.shape[1] * places.shape[3])
    return slope[:, None, :, None, :]


def _readout_matrix(network):
    weight = network.readout_weight
    return weight.reshape(-1, *weight.shape[-2:])  # (m, n_outputs, n_responses)


def _read_out(responses, network):
    if network.readout == "sum":
        return responses.sum(dim=1, keepdim=True)
    matrix = _readout_matrix(network)
    return torch.baddbmm(network.readout_bias.reshape(len(matrix), -1, 1), matrix, responses)


def _product(slope, columns):
    """``slope @ columns.mT``: the gradient to the filters."""
    if slope.shape[1] % REGISTER == 0:
        return torch.bmm(columns, slope.mT).mT
    return torch.bmm(slope, columns.mT)


# Activations in place, with what they keep for the gradient; the gradient to what went in.


def _relu(z, network, space):
    return z.relu_()


def _relu_slope(slope, out, gradients, space):
    return _threshold_backward(slope, out, space)


def _threshold_backward(slope, out, space):
    """Let the gradient through where a response is positive."""
    fits = slope.shape == out.shape and slope.is_contiguous()
    target = slope if fits else space.empty("slope", out.shape, out)
    backward = torch.ops.aten.threshold_backward.grad_input
    return backward(slope.expand_as(out), out, 0, grad_input=target)


def _tanh(z, network, space):
    return z.tanh_()


def _tanh_slope(slope, out, gradients, space):
    return out.square_().neg_().add_(1).mul_(slope)


def _identity(z, network, space):
    return z


def _identity_slope(slope, out, gradients, space):
    return out.copy_(slope)


def _soft_threshold(z, network, space):
    threshold = network.threshold.reshape(-1, 1, 1, 1, 1)
    sides = space.empty("sides", (2, *z.shape), z)
    torch.sub(z, threshold, out=sides[0])
    torch.sub(-threshold, z, out=sides[1])
    torch.sub(*sides.relu_(), out=z)
    return sides


def _soft_threshold_slope(slope, sides, gradients, space):
    slopes = _threshold_backward(slope, sides, space)
    upper, lower = slopes.sum(dim=(2, 3, 4, 5))
    gradients["threshold"] = lower - upper
    return slopes[0].add_(slopes[1])


ACTIVATIONS = {
    "relu": (_relu, _relu_slope),
    "tanh": (_tanh, _tanh_slope),
    "identity": (_identity, _identity_slope),
    "soft_threshold": (_soft_threshold, _soft_threshold_slope),
}
