"""Locally connected layers of one, two and three axes."""

import math
from typing import Any, ClassVar, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sklcnn.nn.locally_connected.functional import apply_windows
from sklcnn.nn.locally_connected.geometry import (
    BiasKind,
    Padding,
    PaddingMode,
    Sizes,
    as_sizes,
    check_channels,
    check_padding_mode,
    check_reach,
    find_windows,
    padding_widths,
)
from sklcnn.nn.locally_connected.product import TILED

__all__ = ["LocallyConnected1d", "LocallyConnected2d", "LocallyConnected3d"]

PARAMETERS = """out_channels : int
        Filters of each position, which are the channels of the output.{input_size}
    kernel_size : {sizes}
        Size of the windows.
    stride : {sizes}, default=1
        Step from window to window.
    padding : {sizes} or {{"valid", "same"}}, default=0
        Added on both sides of each axis. ``"same"`` keeps the size and needs a stride of 1; of an
        odd number the larger half comes last, as in torch.
    dilation : {sizes}, default=1
        Step from entry to entry of a window.
    groups : int, default=1
        Channels and filters fall into so many groups; a filter sees the channels of its own.
    bias : bool or "channel", default=True
        True for one at each position of each channel, ``"channel"`` for one of each channel as a
        convolution has it, False for none.
    padding_mode : {{"zeros", "reflect", "replicate", "circular"}}, default="zeros"
        What is added.
    device : torch.device, str or None, default=None
        Of the parameters.
    dtype : torch.dtype or None, default=None
        Of the parameters."""

DOCUMENTATION = """{summary}

    Each position of the output has filters of its own, otherwise all is as in
    :class:`torch.nn.{convolution}`: the arguments, the input, with or without a batch, and the
    initial distribution of the filters of each position.

    Parameters
    ----------
    in_channels : int
        Channels of the input.
    {parameters}

    Attributes
    ----------
    weight : Parameter of shape (*output_size, out_channels, in_channels / groups, *kernel_size)
        ``{entry}`` is the weight of a convolution, for that position.
    bias : Parameter of shape (out_channels, *output_size) or (out_channels,), or None
        One for each position, or for each channel.
    output_size : tuple of int
        Positions along each axis.

    Raises
    ------
    ValueError
        For arguments that do not fit each other, and for an input of another size.

    See Also
    --------
    LazyLocallyConnected{n_axes}d : Learns the size of the input at the first call.
    connect_locally : The layer as a function.

    Notes
    -----
    With P positions there are P * out_channels * in_channels / groups * prod(kernel_size) weights:
    P times those of the convolution. For the backward pass the layer keeps the input, as the
    convolution does, and no patches. Either pass needs room for one more copy of the input and of
    the output, and for a block of patches whose size is fixed (1 MB on a CPU). Where
    the windows tile an input of at most {tiled} entries, a copy of it is kept too.

    Derivatives of any order, :func:`torch.func.vmap`, autocast and :func:`torch.compile` work;
    forward-mode derivatives do not.

    References
    ----------
    .. [1] Ott, Linstead, LaHaye, Baldi, "Learning in the machine: To share or not to share?",
       Neural Networks 126, 2020.
    .. [2] d'Ascoli, Sagun, Bruna, Biroli, "Finding the Needle in the Haystack with Convolutions: on
       the benefits of architectural bias", NeurIPS 2019, arXiv:1906.06766.

    Examples
    --------
    >>> import torch
    >>> from sklcnn.nn import LocallyConnected{n_axes}d
    >>> layer = LocallyConnected{n_axes}d({call})
    >>> layer(torch.zeros({input})).shape
    torch.Size({output})
    >>> tuple(layer.weight.shape)
    {weight}
    """

# Arguments that a convolution has too.
SHARED = ("kernel_size", "stride", "padding", "dilation", "groups", "padding_mode")

INPUT_SIZE = """
    input_size : {sizes}
        Size of the input, which decides how many positions there are."""


class _LocallyConnected(nn.Module):
    """What the layers have in common: all but the number of axes."""

    n_axes: ClassVar[int]
    convolution: ClassVar[type[nn.Module]]

    weight: nn.Parameter
    bias: nn.Parameter | None

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        input_size: Sizes,
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
        super().__init__()
        name, n_axes = type(self).__name__, self.n_axes
        self.in_channels: int | None = in_channels
        self.out_channels = out_channels
        self.input_size: tuple[int, ...] | None = None
        self.output_size: tuple[int, ...] | None = None
        self.kernel_size = as_sizes(name, "kernel_size", kernel_size, n_axes)
        self.stride = as_sizes(name, "stride", stride, n_axes)
        self.dilation = as_sizes(name, "dilation", dilation, n_axes)
        self._widths = padding_widths(name, padding, self.kernel_size, self.stride, self.dilation)
        named = isinstance(padding, str)
        self.padding = padding if named else tuple(before for before, _ in self._widths)
        self.groups = groups
        self.bias_per = _bias_per(name, bias)
        self.padding_mode = padding_mode
        check_padding_mode(name, padding_mode)
        self._make_parameters(in_channels, input_size, {"device": device, "dtype": dtype})
        self.reset_parameters()

    def _make_parameters(self, in_channels: int, input_size: Sizes, options: Any) -> None:
        sizes = as_sizes(type(self).__name__, "input_size", input_size, self.n_axes)
        weight_shape, bias_shape = self._settle(in_channels, sizes)
        self.weight = nn.Parameter(torch.empty(weight_shape, **options))
        bias = None if bias_shape is None else nn.Parameter(torch.empty(bias_shape, **options))
        self.register_parameter("bias", bias)

    def _settle(
        self, in_channels: int, input_size: tuple[int, ...]
    ) -> tuple[tuple[int, ...], tuple[int, ...] | None]:
        """Fix what depends on the input, and return the shapes of weight and bias."""
        name = type(self).__name__
        check_channels(name, in_channels, self.out_channels, self.groups)
        places = (self.kernel_size, self.stride, self.dilation, self._widths)
        windows = find_windows(name, input_size, *places, self.groups)
        check_reach(name, self.padding_mode, input_size, self._widths)
        if self.padding_mode != "zeros":  # padded before
            windows = windows._replace(padding=((0, 0),) * self.n_axes)
        self.in_channels, self.input_size = in_channels, input_size
        self.output_size, self._windows = windows.positions, windows
        bank = (self.out_channels, in_channels // self.groups, *self.kernel_size)
        if self.bias_per is None:
            return (*windows.positions, *bank), None
        along = windows.positions if self.bias_per == "position" else ()
        return (*windows.positions, *bank), (self.out_channels, *along)

    def reset_parameters(self) -> None:
        """Draw all parameters as torch draws those of a convolution.

        The bound comes from the inputs of one filter. (``torch.nn.init`` would take the positions,
        the leading axes of the weight, for channels.)
        """
        bound = 1 / math.sqrt(math.prod(self.weight.shape[self.n_axes + 1 :]))
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        """Return the output: ``(n_samples, out_channels, *output_size)``, or without samples."""
        self._check_input(x)
        if self.padding_mode != "zeros":
            flat = [width for pair in reversed(self._widths) for width in pair]
            x = F.pad(x, flat, mode=self.padding_mode)
        return apply_windows(x, self.weight, self.bias, self._windows)

    def _check_input(self, x: Tensor) -> None:
        expected = (self.in_channels, *(self.input_size or ()))
        if x.ndim - self.n_axes not in (1, 2) or x.shape[-self.n_axes - 1 :] != expected:
            sizes = ", ".join(map(str, expected))
            raise ValueError(
                f"{type(self).__name__}: the input has shape {tuple(x.shape)}, but the layer was"
                f" made for (n_samples, {sizes}) or ({sizes}), channels first"
            )

    def extra_repr(self) -> str:
        """Describe the layer by what differs from the defaults."""
        parts = [f"{self.in_channels}, {self.out_channels}", f"input_size={self.input_size}"]
        parts += [f"kernel_size={self.kernel_size}", f"stride={self.stride}"]
        plain = {"padding": (0,) * self.n_axes, "dilation": (1,) * self.n_axes, "groups": 1}
        for name, default in (plain | {"padding_mode": "zeros"}).items():
            if getattr(self, name) != default:
                parts.append(f"{name}={getattr(self, name)}")
        if self.bias_per != "position":
            parts.append(f"bias={self.bias_per or False}")
        return ", ".join(parts)

    @classmethod
    def from_conv(cls, conv: nn.Module, input_size: Sizes, *, bias: BiasKind = True) -> Self:
        """Embed a convolution: return the layer that computes the same, a copy at each position.

        Parameters
        ----------
        conv : torch.nn.Conv1d, torch.nn.Conv2d or torch.nn.Conv3d
            Of as many axes as the layer. It stays as it is.
        input_size : int or tuple of int
            Size of the input.
        bias : True or "channel", default=True
            Whether each position or each channel gets a copy of the bias, if there is one.

        Returns
        -------
        layer : LocallyConnected1d, LocallyConnected2d or LocallyConnected3d
            On the same device and of the same type, with parameters of its own.
        """
        cls = getattr(cls, "cls_to_become", None) or cls  # a lazy class has nothing left to learn
        if not isinstance(conv, cls.convolution):
            wanted = f"torch.nn.{cls.convolution.__name__}"
            raise ValueError(f"{cls.__name__}.from_conv: conv={conv!r} must be a {wanted}")
        given: Any = conv
        layer = nn.utils.skip_init(
            cls,
            given.in_channels,
            given.out_channels,
            input_size,
            **{name: getattr(given, name) for name in SHARED},
            bias=given.bias is not None and bias,
            device=given.weight.device,
            dtype=given.weight.dtype,
        )
        with torch.no_grad():
            layer.weight.copy_(given.weight)  # to all positions
            if layer.bias is not None:
                layer.bias.copy_(given.bias.view(-1, *(1,) * (layer.bias.ndim - 1)))
        return layer.train(conv.training)

    @torch.no_grad()
    def to_conv(self) -> nn.Module:
        """Average over the positions: return the convolution that is nearest to the layer.

        Returns
        -------
        conv : torch.nn.Conv1d, torch.nn.Conv2d or torch.nn.Conv3d
            Its weight and bias are the means of those of the positions, which is nearest in squared
            distance. It undoes ``from_conv``.
        """
        conv: Any = nn.utils.skip_init(
            self.convolution,
            self.in_channels,
            self.out_channels,
            **{name: getattr(self, name) for name in SHARED},
            bias=self.bias is not None,
            device=self.weight.device,
            dtype=self.weight.dtype,
        )
        conv.weight.copy_(self.weight.flatten(0, self.n_axes - 1).mean(dim=0))
        if self.bias is not None:
            conv.bias.copy_(self.bias.reshape(self.out_channels, -1).mean(dim=1))
        return conv.train(self.training)

    @torch.no_grad()
    def weight_sharing_gap(self) -> float:
        r"""Measure how far the filters of the positions have drifted from each other.

        .. math:: \Big( \sum_p \| w_p - \bar w \|^2 \Big/ \sum_p \| w_p \|^2 \Big)^{1/2}

        with the filters :math:`w_p` of position p and their mean over positions :math:`\bar w`,
        which is the weight of ``to_conv``. The biases do not count.

        Returns
        -------
        gap : float
            From 0, all positions share their weights, to 1, they have nothing in common.
            Independent filters, as a new layer has them, have about 1 - 1 / (2 P) for P positions;
            zeros have 0.

        Notes
        -----
        It tells whether training keeps or leaves the convolution that a layer started from
        (d'Ascoli et al., 2019), and whether free weights approach one, which they do under strong
        translation of the data (Ott et al., 2020); see the references of the class.
        """
        weight = self.weight.flatten(0, self.n_axes - 1).double()
        total = weight.norm()
        drift = (weight - weight.mean(dim=0)).norm()
        return 0.0 if total == 0 else float(drift / total)


def _bias_per(layer: str, bias: BiasKind) -> str | None:
    if bias is True or bias is False:
        return "position" if bias else None
    if bias == "channel":
        return "channel"
    raise ValueError(f"{layer}: bias={bias!r} must be True, False or 'channel'")


def _documentation(n_axes: int, **entries: str) -> str:
    sizes = "int" if n_axes == 1 else "int or tuple of int"
    parameters = PARAMETERS.format(sizes=sizes, input_size=INPUT_SIZE.format(sizes=sizes))
    return DOCUMENTATION.format(
        n_axes=n_axes,
        convolution=f"Conv{n_axes}d",
        parameters=parameters,
        tiled=f"{TILED:,}",
        **entries,
    )


class LocallyConnected1d(_LocallyConnected):
    n_axes, convolution = 1, nn.Conv1d
    __doc__ = _documentation(
        1,
        summary="Convolution of a signal without weight sharing.",
        entry="weight[i]",
        call="3, 8, input_size=20, kernel_size=5",
        input="4, 3, 20",
        output="[4, 8, 16]",
        weight="(16, 8, 3, 5)",
    )


class LocallyConnected2d(_LocallyConnected):
    n_axes, convolution = 2, nn.Conv2d
    __doc__ = _documentation(
        2,
        summary="Convolution of an image without weight sharing.",
        entry="weight[i, j]",
        call="3, 8, input_size=(32, 24), kernel_size=3, padding=1",
        input="4, 3, 32, 24",
        output="[4, 8, 32, 24]",
        weight="(32, 24, 8, 3, 3, 3)",
    )


class LocallyConnected3d(_LocallyConnected):
    n_axes, convolution = 3, nn.Conv3d
    __doc__ = _documentation(
        3,
        summary="Convolution of a volume without weight sharing.",
        entry="weight[i, j, k]",
        call="1, 2, input_size=8, kernel_size=4, stride=2",
        input="4, 1, 8, 8, 8",
        output="[4, 2, 3, 3, 3]",
        weight="(3, 3, 3, 2, 1, 4, 4, 4)",
    )
