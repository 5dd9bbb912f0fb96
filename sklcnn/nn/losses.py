"""Losses of one sample, for any leading axes.

``outputs`` and ``target`` have shape (..., n_samples, n_outputs), the loss (..., n_samples).
Classifiers code their labels as -1 and +1: one output for two classes, one output a class for more.
Losses other than the log-loss treat several classes one against the rest and average over outputs.
"""

import torch
import torch.nn.functional as F

__all__ = ["LOSSES"]


def log_loss(outputs, target):
    """Logistic loss of one output, cross-entropy of the softmax of several."""
    if outputs.shape[-1] == 1:
        # Beyond the threshold softplus is the identity, to all digits of a float64.
        return F.softplus(-target * outputs, threshold=40).squeeze(-1)
    return torch.logsumexp(outputs, dim=-1) - (outputs * (target > 0)).sum(dim=-1)


def squared_error(outputs, target):
    """Plain squared error, without a factor of one half."""
    return (outputs - target).square().mean(dim=-1)


def hinge(outputs, target):
    """Distance by which the margin falls short of one."""
    return torch.relu(1 - target * outputs).mean(dim=-1)


def exponential(outputs, target):
    """Exponential of the negative margin."""
    return torch.exp(-target * outputs).mean(dim=-1)


LOSSES = {
    "log_loss": log_loss,
    "squared_error": squared_error,
    "hinge": hinge,
    "exponential": exponential,
}
