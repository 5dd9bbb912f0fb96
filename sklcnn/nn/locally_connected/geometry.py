"""What a layer is told about its windows, checked: every mistake is a ValueError that names it."""

import operator
from collections.abc import Sequence
from typing import Any, Literal, get_args

from sklcnn.nn.locally_connected.arithmetic import Windows

__all__ = [
    "BiasKind",
    "Padding",
    "PaddingMode",
    "Sizes",
    "as_sizes",
    "check_channels",
    "check_padding_mode",
    "check_reach",
    "find_windows",
    "padding_widths",
]

Sizes = int | Sequence[int]
Padding = Sizes | Literal["valid", "same"]
PaddingMode = Literal["zeros", "reflect", "replicate", "circular"]
BiasKind = bool | Literal["channel"]


def as_sizes(layer: str, name: str, value: Any, n_axes: int, minimum: int = 1) -> tuple[int, ...]:
    """Return one integer for each axis, from one for all or a sequence of them."""
    entries = tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else None
    if entries is not None and len(entries) != n_axes:
        raise ValueError(f"{layer}: {name}={value!r} has {len(entries)} entries, not {n_axes}")
    try:
        sizes = tuple(operator.index(entry) for entry in entries or (value,) * n_axes)
    except TypeError:
        sizes = ()
    if not sizes or min(sizes) < minimum:
        raise ValueError(
            f"{layer}: {name}={value!r} must be an integer, or {n_axes}, of at least {minimum}"
        )
    return sizes


def check_channels(layer: str, in_channels: int | None, out_channels: int, groups: int) -> None:
    """Check that channels are positive and that groups divide them; None is not known yet."""
    as_sizes(layer, "groups", groups, 1)
    for name, channels in (("in_channels", in_channels), ("out_channels", out_channels)):
        if channels is None:
            continue
        as_sizes(layer, name, channels, 1)
        if channels % groups:
            raise ValueError(f"{layer}: groups={groups} must divide {name}={channels}")


def padding_widths(
    layer: str,
    padding: Any,
    kernel_size: tuple[int, ...],
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
) -> tuple[tuple[int, int], ...]:
    """Return the padding before and after each axis; "same" puts the odd one after, as torch."""
    if not isinstance(padding, str):
        widths = as_sizes(layer, "padding", padding, len(kernel_size), minimum=0)
        return tuple((width, width) for width in widths)
    if padding == "valid":
        return ((0, 0),) * len(kernel_size)
    if padding != "same":
        raise ValueError(f"{layer}: padding={padding!r} must be 'valid', 'same' or integers")
    if any(step != 1 for step in stride):
        raise ValueError(f"{layer}: padding='same' needs a stride of 1, not stride={stride}")
    totals = [step * (taps - 1) for step, taps in zip(dilation, kernel_size, strict=True)]
    return tuple((total // 2, total - total // 2) for total in totals)


def find_windows(
    layer: str,
    input_size: tuple[int, ...],
    kernel_size: tuple[int, ...],
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
    widths: tuple[tuple[int, int], ...],
    groups: int,
) -> Windows:
    """Return the windows of an input; there must be at least one along each axis."""
    padded = [length + sum(pair) for length, pair in zip(input_size, widths, strict=True)]
    spans = [step * (taps - 1) + 1 for step, taps in zip(dilation, kernel_size, strict=True)]
    if any(span > length for span, length in zip(spans, padded, strict=True)):
        raise ValueError(
            f"{layer}: kernel_size={kernel_size} with dilation={dilation} spans {tuple(spans)},"
            f" more than the input of size {tuple(input_size)}, {tuple(padded)} with its padding"
        )
    positions = tuple(
        (length - span) // step + 1
        for length, span, step in zip(padded, spans, stride, strict=True)
    )
    return Windows(kernel_size, stride, dilation, widths, groups, positions)


def check_padding_mode(layer: str, mode: str) -> None:
    """Check that a padding mode is known."""
    if mode not in get_args(PaddingMode):
        known = get_args(PaddingMode)
        raise ValueError(f"{layer}: padding_mode={mode!r} must be one of {known}")


def check_reach(
    layer: str, mode: str, input_size: tuple[int, ...], widths: tuple[tuple[int, int], ...]
) -> None:
    """Check that an input is large enough to be padded with itself."""
    # A reflection leaves out the border itself; a circle goes round once at most.
    spare = {"reflect": 1, "circular": 0}.get(mode)
    if spare is None:
        return
    if any(max(pair) > length - spare for pair, length in zip(widths, input_size, strict=True)):
        raise ValueError(
            f"{layer}: padding {widths} is too wide for padding_mode={mode!r} of an input of size"
            f" {tuple(input_size)}"
        )
