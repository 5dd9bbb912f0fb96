"""Losses of one sample, for any leading axes, and their gradients.

``outputs`` and ``target`` have shape (..., n_samples, n_outputs), the loss (..., n_samples).
Classifiers code their labels as -1 and +1: one output for two classes, one output a class for more.
Losses other than the log-loss treat several classes one against the rest and average over outputs.
"""

import torch
import torch.nn.functional as F
from torch import nn

__all__ = ["LOSSES", "MeanLoss"]


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


class MeanLoss(nn.Module):
    """Mean loss over samples, (...) for outputs of shape (..., n_samples, n_outputs).

    Parameters
    ----------
    loss : {"log_loss", "squared_error", "hinge", "exponential"}
        Loss of one sample.
    """

    def __init__(self, loss):
        super().__init__()
        self.loss = loss

    def forward(self, outputs, target, weight=None):
        """Return the weighted mean over samples."""
        return _mean(LOSSES[self.loss](outputs, target), weight)

    def with_slope(self, outputs, target, weight=None):
        """Return the mean loss and its gradient to the outputs."""
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
