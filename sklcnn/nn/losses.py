"""Losses of one sample, for any leading axes, and their gradients.

``outputs`` and ``target`` have shape (..., n_samples, n_outputs), the loss (..., n_samples).
Classifiers code their labels as -1 and +1: one output for two classes, one output a class for more.
Losses other than the log-loss treat several classes one against the rest and average over outputs.

Margins of thousands take losses below the smallest number. Of losses that fall exponentially the
logarithm can be had without them, for one output.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn

__all__ = ["LOGARITHMS", "LOSSES", "MeanLoss"]

# Of a shortfall: below, the logistic loss is its exponential to all digits of a float64.
FAR = -30.0


def log_loss(outputs, target):
    """Logistic loss of one output, cross-entropy of the softmax of several."""
    if outputs.shape[-1] == 1:
        # Beyond the threshold softplus is the identity, to all digits of a float64.
        return F.softplus(-target * outputs, threshold=40).squeeze(-1)
    return torch.logsumexp(outputs, dim=-1) - (outputs * (target > 0)).sum(dim=-1)


def _log_loss_with_slope(outputs, target):
    if outputs.shape[-1] == 1:
        short = -target * outputs
        losses = F.softplus(short, threshold=40).squeeze(-1)
        return losses, short.sigmoid_().mul_(target).neg_()
    true = (target > 0).to(outputs)
    total = torch.logsumexp(outputs, dim=-1)
    losses = total - (outputs * true).sum(dim=-1)
    return losses, (outputs - total[..., None]).exp_().sub_(true)


def squared_error(outputs, target):
    """Plain squared error, without a factor of one half."""
    return _over_outputs((outputs - target).square())


def _squared_error_with_slope(outputs, target):
    error = outputs - target
    return _over_outputs(error.square()), error.mul_(2 / outputs.shape[-1])


def hinge(outputs, target):
    """Distance by which the margin falls short of one."""
    return _over_outputs(torch.relu(1 - target * outputs))


def _hinge_with_slope(outputs, target):
    short = torch.relu(1 - target * outputs)
    return _over_outputs(short), (short > 0) * target / -outputs.shape[-1]


def exponential(outputs, target):
    """Exponential of the negative margin."""
    return _over_outputs(torch.exp(-target * outputs))


def _exponential_with_slope(outputs, target):
    losses = torch.exp(-target * outputs)
    return _over_outputs(losses), losses * target / -outputs.shape[-1]


def _over_outputs(losses):
    """Mean over outputs; of a single one without a pass."""
    return losses.squeeze(-1) if losses.shape[-1] == 1 else losses.mean(dim=-1)


LOSSES = {
    "log_loss": log_loss,
    "squared_error": squared_error,
    "hinge": hinge,
    "exponential": exponential,
}
WITH_SLOPES = {
    "log_loss": _log_loss_with_slope,
    "squared_error": _squared_error_with_slope,
    "hinge": _hinge_with_slope,
    "exponential": _exponential_with_slope,
}
"""The same losses, with their gradients to the outputs, (..., n_samples, n_outputs)."""


def _log_of_log_loss(outputs, target):
    """Logarithm of the logistic loss."""
    short = (-target * outputs).squeeze(-1)
    near = torch.log(F.softplus(short.clamp_min(FAR), threshold=40))
    far = short.clamp_max(FAR)
    return torch.where(short > FAR, near, far - far.exp() / 2)


def _log_of_exponential(outputs, target):
    """Logarithm of the exponential of the negative margin."""
    return (-target * outputs).squeeze(-1)


LOGARITHMS = {"log_loss": _log_of_log_loss, "exponential": _log_of_exponential}
"""Logarithms of the losses of one output."""


class MeanLoss(nn.Module):
    """Mean loss over samples, (...) for outputs of shape (..., n_samples, n_outputs).

    Parameters
    ----------
    loss : {"log_loss", "squared_error", "hinge", "exponential"}
        Loss of one sample.
    logarithm : bool, default=False
        Whether to return the logarithm of the mean; of a single output, "log_loss" or
        "exponential". It neither overflows nor underflows.
    """

    def __init__(self, loss, logarithm=False):
        super().__init__()
        self.loss, self.logarithm = loss, logarithm

    def forward(self, outputs, target, weight=None):
        """Return the weighted mean over samples, or its logarithm."""
        if self.logarithm:
            return _log_mean(LOGARITHMS[self.loss](outputs, target), weight)
        return _mean(LOSSES[self.loss](outputs, target), weight)

    def with_slope(self, outputs, target, weight=None):
        """Return the mean loss and its gradient to the outputs."""
        if self.logarithm:
            raise NotImplementedError("the gradient of the logarithm is left to autograd")
        losses, slope = WITH_SLOPES[self.loss](outputs, target)
        if weight is None:
            slope /= outputs.shape[-2]
        else:
            slope *= (weight / weight.sum(dim=-1, keepdim=True))[..., None]
        return _mean(losses, weight), slope


def _mean(losses, weight):
    """Mean over samples, (...) for losses of shape (..., n_samples)."""
    if weight is None:
        return losses.mean(dim=-1)
    return (losses * weight).sum(dim=-1) / weight.sum(dim=-1)


def _log_mean(logarithms, weight):
    """Logarithm of the mean over samples of losses that are given by theirs."""
    if weight is None:
        return torch.logsumexp(logarithms, dim=-1) - math.log(logarithms.shape[-1])
    return torch.logsumexp(logarithms + weight.log(), dim=-1) - weight.sum(dim=-1).log()
