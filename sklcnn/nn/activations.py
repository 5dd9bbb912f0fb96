"""Element-wise activations."""

import torch
import torch.nn.functional as F

__all__ = ["ACTIVATIONS", "soft_threshold"]


def soft_threshold(z, threshold):
    """Shrink towards zero: ``sign(z) * max(|z| - threshold, 0)``.

    Written as ReLU(z - b) - ReLU(-z - b), which is the literature's local signal adaptivity (LSA)
    activation and is defined for a negative threshold b too (there it is no longer a shrinkage).

    Parameters
    ----------
    z : Tensor
        Any shape.
    threshold : Tensor or float
        Broadcast against ``z``.

    Returns
    -------
    shrunk : Tensor
        Same shape as ``z``.

    References
    ----------
    .. [1] Karp, Winston, Li, Singh, "Local Signal Adaptivity: Provable Feature Learning in Neural
       Networks Beyond Kernels", NeurIPS 2021.

    Examples
    --------
    >>> import torch
    >>> from sklcnn.nn import soft_threshold
    >>> soft_threshold(torch.tensor([-3.0, 0.5, 2.0]), 1.0)
    tensor([-2.,  0.,  1.])
    """
    return torch.relu(z - threshold) - torch.relu(-z - threshold)


def _identity(z):
    return z


ACTIVATIONS = {
    "relu": torch.relu,
    "identity": _identity,
    "tanh": torch.tanh,
    "gelu": F.gelu,
}
"""Activations that follow an additive bias; ``soft_threshold`` has a learned threshold instead."""
