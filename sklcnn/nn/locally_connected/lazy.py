"""Locally connected layers that learn the size of their input at the first call."""

from typing import Any

import torch
from torch import Tensor
from torch.nn.modules.lazy import LazyModuleMixin
from torch.nn.parameter import UninitializedParameter, is_lazy

from sklcnn.nn.locally_connected.geometry import (
    BiasKind,
    Padding,
    PaddingMode,
    Sizes,
    check_channels,
)
from sklcnn.nn.locally_connected.layers import (
    PARAMETERS,
    LocallyConnected1d,
    LocallyConnected2d,
    LocallyConnected3d,
)

__all__ = ["LazyLocallyConnected1d", "LazyLocallyConnected2d", "LazyLocallyConnected3d"]

DOCUMENTATION = """{summary}

    A :class:`LocallyConnected{n_axes}d`, which it becomes at the first call, whose ``in_channels``
    and ``input_size`` are those of the first input.

    Parameters
    ----------
    {parameters}

    See Also
    --------
    LocallyConnected{n_axes}d : What it becomes; all else is described there.

    Examples
    --------
    >>> import torch
    >>> from sklcnn.nn import LazyLocallyConnected{n_axes}d
    >>> layer = LazyLocallyConnected{n_axes}d(8, kernel_size=3)
    >>> layer(torch.zeros({input})).shape
    torch.Size({output})
    >>> layer
    {layer}
    """


class _LazyLocallyConnected(LazyModuleMixin):
    """What the lazy layers have in common; a locally connected layer follows it."""

    def __init__(
        self,
        out_channels: int,
        kernel_size: Sizes,
        stride: Sizes = 1,
        padding: Padding = 0,
        dilation: Sizes = 1,
        groups: int = 1,
        bias: BiasKind = True,
        padding_mode: PaddingMode = "zeros",
        device: Any = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        places = (kernel_size, stride, padding, dilation, groups, bias, padding_mode)
        super().__init__(None, out_channels, None, *places, device, dtype)  # type: ignore[misc]

    def _make_parameters(self: Any, in_channels: None, input_size: None, options: Any) -> None:
        check_channels(type(self).__name__, None, self.out_channels, self.groups)
        self.weight = UninitializedParameter(**options)
        bias = None if self.bias_per is None else UninitializedParameter(**options)
        self.register_parameter("bias", bias)

    def reset_parameters(self: Any) -> None:
        """Draw all parameters once their shapes are known."""
        if not self.has_uninitialized_params():
            super().reset_parameters()  # type: ignore[misc]

    def initialize_parameters(self: Any, x: Tensor) -> None:
        """Learn the size of the input, and make the parameters unless a state has been loaded."""
        if self.input_size is not None:
            return
        name, n_axes = type(self).__name__, self.n_axes
        if x.ndim - n_axes not in (1, 2):
            raise ValueError(
                f"{name}: the input has shape {tuple(x.shape)}, not {n_axes + 1} or {n_axes + 2}"
                " axes: samples if there is a batch, channels, and the axes of the layer"
            )
        channels, *size = x.shape[-n_axes - 1 :]
        shapes = self._settle(channels, tuple(size))
        fresh = self.has_uninitialized_params()
        for parameter, shape in zip((self.weight, self.bias), shapes, strict=True):
            if parameter is not None and is_lazy(parameter):
                parameter.materialize(shape)
            elif parameter is not None and parameter.shape != shape:
                self.input_size = None
                raise ValueError(
                    f"{name}: an input of shape {tuple(x.shape)} needs a parameter of shape"
                    f" {shape}, but the state that was loaded has {tuple(parameter.shape)}"
                )
        if fresh:
            self.reset_parameters()


def _documentation(n_axes: int, **entries: str) -> str:
    sizes = "int" if n_axes == 1 else "int or tuple of int"
    parameters = PARAMETERS.format(sizes=sizes, input_size="")
    return DOCUMENTATION.format(n_axes=n_axes, parameters=parameters, **entries)


class LazyLocallyConnected1d(_LazyLocallyConnected, LocallyConnected1d):  # type: ignore[misc]
    cls_to_become = LocallyConnected1d
    __doc__ = _documentation(
        1,
        summary="Convolution of a signal without weight sharing, its size learnt from the input.",
        input="4, 3, 20",
        output="[4, 8, 18]",
        layer="LocallyConnected1d(3, 8, input_size=(20,), kernel_size=(3,), stride=(1,))",
    )


class LazyLocallyConnected2d(_LazyLocallyConnected, LocallyConnected2d):  # type: ignore[misc]
    cls_to_become = LocallyConnected2d
    __doc__ = _documentation(
        2,
        summary="Convolution of an image without weight sharing, its size learnt from the input.",
        input="4, 3, 10, 12",
        output="[4, 8, 8, 10]",
        layer="LocallyConnected2d(3, 8, input_size=(10, 12), kernel_size=(3, 3), stride=(1, 1))",
    )


class LazyLocallyConnected3d(_LazyLocallyConnected, LocallyConnected3d):  # type: ignore[misc]
    cls_to_become = LocallyConnected3d
    __doc__ = _documentation(
        3,
        summary="Convolution of a volume without weight sharing, its size learnt from the input.",
        input="2, 1, 4, 5, 6",
        output="[2, 8, 2, 3, 4]",
        layer="LocallyConnected3d(1, 8, input_size=(4, 5, 6), kernel_size=(3, 3, 3), "
        "stride=(1, 1, 1))",
    )
