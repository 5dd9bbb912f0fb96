"""The gradient of every sample's loss, where a mean is not enough."""

import torch

from sklcnn.nn.losses import LOGARITHMS

__all__ = ["log_losses_and_jacobians"]


def log_losses_and_jacobians(network, mean_loss, inputs, target, weight=None):
    """Return logarithms of the losses of all samples, the outputs, and the gradients of each.

    Parameters
    ----------
    network : Module
        With ``respond``; its parameters may have a leading axis of members.
    mean_loss : MeanLoss
        Of which the logarithms are those of the terms: it is the logarithm of the sum of their
        exponentials. With one output, "log_loss" or "exponential".
    inputs : Tensor
        As ``network.cut`` returns them.
    target : Tensor of shape (..., n_samples, 1)
        Coded targets.
    weight : Tensor of shape (..., n_samples) or None, default=None
        Weights of the samples.

    Returns
    -------
    logarithms : Tensor of shape (..., n_samples)
        Minus infinity for samples of weight zero.
    outputs : Tensor of shape (..., n_samples, 1)
        Of the network.
    jacobians : list of Tensor
        For every parameter its gradients, (..., n_samples, *shape), those of samples of weight zero
        as if they had another one.
    """
    outputs = network.respond(inputs)
    losses = LOGARITHMS[mean_loss.loss](outputs, target)
    n_samples = losses.shape[-1]
    each = torch.eye(n_samples, dtype=losses.dtype, device=losses.device)
    each = each.reshape(n_samples, *[1] * (losses.dim() - 1), n_samples)
    rows = torch.autograd.grad(
        losses,
        list(network.parameters()),
        each.expand(n_samples, *losses.shape),
        is_grads_batched=True,
    )
    weight = torch.ones_like(losses) if weight is None else weight
    shares = (weight / weight.sum(dim=-1, keepdim=True)).log()
    members = losses.dim() - 1
    jacobians = [row.movedim(0, members) for row in rows]
    return losses.detach() + shares, outputs.detach(), jacobians
