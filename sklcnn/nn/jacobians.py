"""The gradient of every sample's loss on a linear network, where a mean is not enough."""

import torch

from sklcnn.nn.losses import LOGARITHMS

__all__ = ["log_losses_and_jacobians"]


def log_losses_and_jacobians(network, mean_loss, inputs, target, weight=None):
    """Return logarithms of the losses of all samples, the outputs, and the gradients of each.

    Parameters
    ----------
    network : AbstractLinearNetwork
        Its parameters may have a leading axis of members.
    mean_loss : MeanLoss
        Of which the logarithms are those of the terms: it is the logarithm of the sum of their
        exponentials. With one output, "log_loss" or "exponential".
    inputs : Tensor of shape (..., n_samples, n_features)
        Samples.
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
    coef = network.coef()
    outputs = (inputs @ coef.detach()[..., None]).requires_grad_()
    losses = LOGARITHMS[mean_loss.loss](outputs, target)
    (slopes,) = torch.autograd.grad(losses.sum(), outputs)
    pulls = (slopes * inputs).movedim(-2, 0)  # on the coefficients, (n_samples, ..., n_features)
    rows = torch.autograd.grad(coef, list(network.parameters()), pulls, is_grads_batched=True)
    weight = torch.ones_like(losses) if weight is None else weight
    shares = (weight / weight.sum(dim=-1, keepdim=True)).log()
    members = losses.dim() - 1
    jacobians = [row.movedim(0, members) for row in rows]
    return losses.detach() + shares, outputs.detach(), jacobians
