"""The layer without its parameters."""

from typing import Any

import torch
from torch import Tensor

from sklcnn.nn.locally_connected.arithmetic import Windows
from sklcnn.nn.locally_connected.geometry import (
    Padding,
    Sizes,
    as_sizes,
    find_windows,
    padding_widths,
)
from sklcnn.nn.locally_connected.product import multiply

__all__ = ["apply_windows", "connect_locally"]

NAME = "connect_locally"


def connect_locally(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sizes = 1,
    padding: Padding = 0,
    dilation: Sizes = 1,
    groups: int = 1,
) -> Tensor:
    r"""Convolve with filters that differ from position to position.

    What :func:`torch.nn.functional.conv1d`, ``conv2d`` and ``conv3d`` do with one bank of filters;
    the axes of the weight say which.

    Parameters
    ----------
    x : Tensor of shape (n_samples, n_channels, \*size) or (n_channels, \*size)
        Input.
    weight : Tensor of shape (\*positions, n_filters, n_channels / groups, \*kernel_size)
        ``weight[i, j]`` is the weight of a convolution, for the position (i, j) of the output.
    bias : Tensor of shape (n_filters, \*positions) or (n_filters,), or None, default=None
        One for each position and filter, or for each filter.
    stride, padding, dilation, groups : default=1, 0, 1, 1
        As for a convolution; ``padding`` may be ``"valid"`` or ``"same"``.

    Returns
    -------
    out : Tensor of shape (n_samples, n_filters, \*positions) or (n_filters, \*positions)
        Contiguous.

    Raises
    ------
    ValueError
        For shapes that do not fit each other.

    Examples
    --------
    >>> import torch
    >>> from sklcnn.nn import connect_locally
    >>> x, weight = torch.ones(2, 3, 8), torch.ones(6, 4, 3, 3)
    >>> connect_locally(x, weight).shape
    torch.Size([2, 4, 6])
    """
    n_axes = weight.ndim // 2 - 1
    if n_axes not in (1, 2, 3) or weight.ndim % 2:
        raise ValueError(f"{NAME}: weight has {weight.ndim} axes, not 4, 6 or 8")
    if x.ndim not in (n_axes + 1, n_axes + 2):
        raise ValueError(
            f"{NAME}: an input of shape {tuple(x.shape)} does not fit a weight of {n_axes} axes"
        )
    kernel_size = tuple(weight.shape[n_axes + 2 :])
    strides = as_sizes(NAME, "stride", stride, n_axes)
    dilations = as_sizes(NAME, "dilation", dilation, n_axes)
    widths = padding_widths(NAME, padding, kernel_size, strides, dilations)
    size = tuple(x.shape[-n_axes:])
    windows = find_windows(NAME, size, kernel_size, strides, dilations, widths, groups)
    _check_shapes(x, weight, bias, windows)
    return apply_windows(x, weight, bias, windows)


def _check_shapes(x: Tensor, weight: Tensor, bias: Tensor | None, windows: Windows) -> None:
    positions, n_axes = windows.positions, len(windows.positions)
    n_filters, n_channels = weight.shape[n_axes : n_axes + 2]
    if tuple(weight.shape[:n_axes]) != positions:
        raise ValueError(
            f"{NAME}: weight of shape {tuple(weight.shape)} must begin with the positions"
            f" {positions} of an input of size {tuple(x.shape[-n_axes:])}"
        )
    as_sizes(NAME, "groups", windows.groups, 1)
    if n_channels * windows.groups != x.shape[-n_axes - 1] or n_filters % windows.groups:
        raise ValueError(
            f"{NAME}: weight of shape {tuple(weight.shape)} does not fit the"
            f" {x.shape[-n_axes - 1]} channels of the input in {windows.groups} groups"
        )
    if bias is not None and tuple(bias.shape) not in ((n_filters,), (n_filters, *positions)):
        raise ValueError(
            f"{NAME}: bias of shape {tuple(bias.shape)} must be {(n_filters,)} or"
            f" {(n_filters, *positions)}"
        )


def apply_windows(x: Tensor, weight: Tensor, bias: Tensor | None, windows: Windows) -> Tensor:
    """Multiply what fits; the batch may be missing and autocast on."""
    if x.is_complex() or weight.is_complex():
        raise ValueError(f"{NAME}: complex numbers are not supported, {x.dtype}, {weight.dtype}")
    n_axes = len(windows.positions)
    if bias is not None and bias.ndim == 1:
        bias = bias.view(-1, *(1,) * n_axes)
    device = x.device.type
    if torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device):
        x, weight, bias = _autocast(x), _autocast(weight), _autocast(bias)
    if x.dtype != weight.dtype:
        raise ValueError(f"{NAME}: the input is {x.dtype}, but the weight is {weight.dtype}")
    if x.ndim == n_axes + 1:
        return multiply(x.unsqueeze(0), weight, bias, windows).squeeze(0)
    return multiply(x, weight, bias, windows)


def _autocast(tensor: Any) -> Any:
    """Cast as torch casts the input of a convolution, which is all but float64."""
    if tensor is None or not tensor.is_floating_point() or tensor.dtype == torch.float64:
        return tensor
    return tensor.to(torch.get_autocast_dtype(tensor.device.type))
