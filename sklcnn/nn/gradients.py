"""The gradient of the mean loss: written by hand where most training happens, else autograd's.

A step of a small network, or of a stack of them, is bound by passes over the hidden layer and by
the overhead of single operations. Written by hand it makes half of the passes, in place, and keeps
no graph. :meth:`PatchNetwork.respond` stays the definition, which the tests hold this file against.
"""

import torch

from sklcnn.nn.networks import PatchNetwork

__all__ = ["Workspace", "loss_and_gradients", "takes_siblings"]

# Products of a few filters are faster from the other side if the filters fill whole registers.
REGISTER = 16
# A hidden layer of more entries than this is passed through in parts, so that memory is bounded. Of
# fewer samples than a register holds, sums over patches take three times as long.
PART_ENTRIES = {"cpu": 2**23, "cuda": 2**29}


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
        Inputs, as ``network.cut`` returns them. Where ``takes_siblings`` says so, the leading axis
        may be shorter than that of the parameters by a factor: so many members in a row then look
        at the same inputs.
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
            return _in_parts(network, mean_loss, patches, target, weight, space or Workspace())
    outputs = network.respond(patches)
    loss = mean_loss(outputs, target, weight)
    gradients = torch.autograd.grad(loss, list(network.parameters()), torch.ones_like(loss))
    return loss.detach(), outputs.detach(), list(gradients)


def takes_siblings(network):
    """Whether members of a stack may share their inputs: one product then serves them all."""
    return isinstance(network, PatchNetwork) and _is_written(network)


def _is_written(network):
    """Whether the gradient by hand is that of the network."""
    return network.activation in ACTIVATIONS and network.pooling != "max" and network.lender is None


def _in_parts(network, mean_loss, patches, target, weight, space):
    """Forth and back, a part of the samples after the other if the hidden layer is large."""
    n_sharing = network.blocks[2]
    n_samples = patches.shape[-1] // n_sharing
    entries = network.weight.shape[:-3].numel() * network.footprint[1]  # of one sample
    largest = PART_ENTRIES.get(patches.device.type, PART_ENTRIES["cuda"])
    n_rows = max(largest // entries // REGISTER, 1) * REGISTER  # samples of a part
    if n_samples <= n_rows:
        return _by_hand(network, mean_loss, patches, target, weight, space)
    places, parts = patches.unflatten(-1, (n_sharing, n_samples)), []
    for begin in range(0, n_samples, n_rows):
        rows = slice(begin, begin + n_rows)
        columns = space.empty("part", places[..., rows].shape, patches).copy_(places[..., rows])
        total, own = columns.shape[-1], None
        if weight is not None:
            own = weight[..., rows]
            total = own.sum(dim=-1)
            # A member of which a stack has only padding here has a share of 0, and no mean.
            own = torch.where(total[..., None] > 0, own, torch.ones_like(own))
        samples = columns.flatten(-2), target[..., rows, :], own
        parts.append((total, *_by_hand(network, mean_loss, *samples, space)))
    return _join(parts)


def _join(parts):
    """Join (weight, mean loss, outputs, gradients) of parts to those of all samples."""
    weights, losses, outputs, gradients = zip(*parts, strict=True)
    shares = [weight / sum(weights) for weight in weights]
    loss = sum(share * part for share, part in zip(shares, losses, strict=True))
    total = [torch.zeros_like(gradient) for gradient in gradients[0]]
    for share, part in zip(shares, gradients, strict=True):
        for entire, gradient in zip(total, part, strict=True):
            entire += gradient * (share if isinstance(share, float) else _beside(share, gradient))
    return loss, torch.cat(outputs, dim=-2), total


def _beside(share, gradient):
    """Give the share of every member, (n_members,), the axes of a gradient."""
    return share.reshape(*share.shape, *[1] * (gradient.dim() - share.dim()))


def _by_hand(network, mean_loss, patches, target, weight, space):
    """Forth and back.

    Shapes: m members are d inputs times i siblings that share them; b blocks, f filters, s patches
    sharing filters, n samples.
    """
    n_blocks, _, n_sharing = network.blocks
    n_samples = patches.shape[-1] // n_sharing
    columns = patches.reshape(-1, *patches.shape[-2:])  # (d * b, n_rows, s * n)
    filters = network.filters()
    members, (n_filters, n_rows) = filters.shape[:-3], filters.shape[-2:]
    grid = (len(columns) // n_blocks, -1, n_blocks, n_filters, n_rows)  # (d, i, b, f, n_rows)
    filters = filters.reshape(grid).transpose(1, 2).reshape(len(columns), -1, n_rows)
    shape = (*filters.shape[:2], columns.shape[2])
    hidden = torch.bmm(filters, columns, out=space.empty("hidden", shape, columns))
    places = hidden.view(-1, n_blocks, shape[1] // n_filters, n_filters, n_sharing, n_samples)
    activate, slope_of = ACTIVATIONS[network.activation]
    kept = activate(places, network, space)
    responses = _pool(places, network.pooling)  # (m, n_responses, n)
    outputs = _read_out(responses, network)  # (m, n_outputs, n)

    answer = outputs.mT.reshape(*members, n_samples, -1)
    loss, slope = mean_loss.with_slope(answer, target, weight)  # slope: the gradient of the loss
    slope = slope.reshape(len(outputs), n_samples, -1).mT  # (m, n_outputs, n), to the outputs

    gradients = {}
    if network.readout == "linear":
        gradients["readout_bias"] = slope.sum(dim=-1)
        gradients["readout_weight"] = torch.bmm(slope, responses.mT)
        shape = (len(slope), responses.shape[1], n_samples)
        out = space.empty("responses", shape, slope)
        slope = torch.bmm(_readout_matrix(network).mT, slope, out=out)
    slope = _unpool(slope, places, network.pooling)  # broadcasts to (d, b, i, f, s, n)
    slope = slope_of(slope, kept, gradients, space)
    product = _product(slope.reshape(hidden.shape), columns)  # (d * b, i * f, n_rows)
    product = product.reshape(-1, n_blocks, places.shape[2], n_filters, n_rows).transpose(1, 2)
    if "threshold" not in gradients:
        gradients["bias"], product = product[..., 0], product[..., 1:]
    gradients["weight"] = product
    named = network.named_parameters()
    return loss, answer, [gradients[name].reshape(value.shape) for name, value in named]


def _pool(places, pooling):
    if pooling is None:
        return places.transpose(1, 2).flatten(0, 1).flatten(1, 3)
    total = places.sum(dim=(1, 4)).flatten(0, 1)
    return total if pooling == "sum" else total.div_(places.shape[1] * places.shape[4])


def _unpool(slope, places, pooling):
    """Take the gradient to pooled responses back to the responses, broadcast."""
    n_inputs, n_blocks, n_siblings, n_filters, n_sharing, n_samples = places.shape
    if pooling is None and slope.shape[1] > 1:
        shape = (n_inputs, n_siblings, n_blocks, n_filters, n_sharing, n_samples)
        return slope.view(shape).transpose(1, 2)
    if pooling == "mean":
        slope = slope / (n_blocks * n_sharing)
    return slope.reshape(n_inputs, 1, n_siblings, -1, 1, n_samples)


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
    """Take away what lies within the threshold; twice that is added if the threshold is negative.

    Whether any is negative is asked on a CPU only, where the answer saves passes and costs little:
    on a GPU every step would wait for it.
    """
    threshold = network.threshold.reshape(len(z), 1, -1, 1, 1, 1)
    size, negative = threshold.abs(), threshold < 0
    inner = torch.maximum(z, -size, out=space.empty("inner", z.shape, z))
    torch.minimum(inner, size, out=inner)
    z.sub_(inner)  # what lies beyond the threshold
    if z.device.type == "cpu" and not negative.any():
        return z, None
    beyond = torch.sign(z, out=space.empty("beyond", z.shape, z))
    z.add_(inner.mul_(2 * negative))
    return beyond, negative


def _soft_threshold_slope(slope, kept, gradients, space):
    sides, negative = kept
    sides.sign_()  # 0 within the threshold, else the sign
    total = _sum_to(sides, slope.shape) * slope
    gradients["threshold"] = total.sum(dim=(1, 3, 4, 5)).neg_()  # (d, i)
    factor = sides.abs_()
    if negative is not None:
        factor = torch.where(negative, 2 - factor, factor)
    return factor.mul_(slope)


def _sum_to(tensor, shape):
    """Sum over the axes that are of length one in a shape."""
    ones = [dim for dim, length in enumerate(shape) if length == 1]
    return tensor.sum(dim=ones, keepdim=True) if ones else tensor


ACTIVATIONS = {
    "relu": (_relu, _relu_slope),
    "tanh": (_tanh, _tanh_slope),
    "identity": (_identity, _identity_slope),
    "soft_threshold": (_soft_threshold, _soft_threshold_slope),
}
