"""What displays share: they take axes, check what they are handed, and number logarithmic axes."""

import io
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "check_array",
    "check_grid",
    "check_intervals",
    "check_names",
    "number_axis",
    "number_log_axis",
    "png_of",
    "row_png",
    "take_axes",
]

_MOST_NUMBERS = 10  # on one axis


def take_axes(axes, names: Sequence[str], figsize, *, stacked: bool = False, **subplots) -> NDArray:
    """Return one axes for each name, of shape (n_names,): those given, or those of a new figure."""
    if axes is None:
        import matplotlib.pyplot as plt

        shape = (len(names), 1) if stacked else (1, len(names))
        _, axes = plt.subplots(*shape, figsize=figsize, layout="constrained", **subplots)
    taken = np.atleast_1d(np.asarray(axes, dtype=object)).ravel()
    if len(taken) != len(names):
        raise ValueError(
            f"axes holds {len(taken)} axes, but {len(names)} are needed: one for each of "
            f"{', '.join(names)}."
        )
    return taken


def check_array(parameter: str, values: ArrayLike, shape: tuple[int, ...], meaning: str) -> NDArray:
    """Return ``values`` as floats of this shape; ``meaning`` says what the shape counts."""
    array = np.asarray(values, dtype=float)
    if array.shape != shape:
        raise ValueError(
            f"{parameter} has shape {array.shape}: it must have shape {shape}, {meaning}."
        )
    return array


def check_grid(parameter: str, values: ArrayLike, *, zero_allowed: bool = False) -> NDArray:
    """Return the values of an axis as floats: some, increasing, and positive where log-scaled."""
    grid = np.asarray(values, dtype=float)
    fits = grid.ndim == 1 and grid.size and np.isfinite(grid).all() and (np.diff(grid) > 0).all()
    if not fits or grid[0] < 0 or (grid[0] == 0 and not zero_allowed):
        sign = "nonnegative" if zero_allowed else "positive"
        raise ValueError(
            f"{parameter} is {values!r}: it must hold one or more {sign} numbers in increasing "
            "order."
        )
    return grid


def check_names(parameter: str, names: Iterable[str], known: Mapping) -> None:
    """Refuse names that no curve or panel has."""
    if strangers := [name for name in names if name not in known]:
        raise ValueError(
            f"{parameter} names {strangers[0]!r}, which is not there: its keys must be among "
            f"{', '.join(known)}."
        )


def _check_positive(parameter: str, values: NDArray) -> None:
    """Refuse what a logarithmic axis cannot show; NaN passes."""
    if (values <= 0).any():
        raise ValueError(f"{parameter} is {values}: on a logarithmic axis it must be positive.")


def check_intervals(
    needed: Mapping[str, NDArray], low: Mapping[str, NDArray], high: Mapping[str, NDArray]
) -> None:
    """Refuse numbers of samples that are not positive or leave their interval."""
    if odd := sorted(set(low) ^ set(high)):
        raise ValueError(f"{odd[0]!r} has only one of low and high: an interval needs both.")
    for name, values in needed.items():
        _check_positive(f"needed[{name!r}]", values)
    for name, bottom in low.items():
        _check_positive(f"low[{name!r}]", bottom)
        if (bottom > needed[name]).any() or (needed[name] > high[name]).any():
            raise ValueError(
                f"needed[{name!r}] leaves its interval: low <= needed <= high must hold, got "
                f"{bottom}, {needed[name]} and {high[name]}."
            )


def number_axis(axis, values: NDArray) -> None:
    """Write the values themselves on a logarithmic axis if they are few, else round numbers."""
    if len(values) <= _MOST_NUMBERS:
        axis.set_ticks(values, labels=[_number(value) for value in values])
        axis.set_ticks([], minor=True)
    else:
        number_log_axis(axis)


def number_log_axis(axis) -> None:
    """Write 1, 2 and 5 times the powers of ten, as plain numbers."""
    from matplotlib.ticker import LogLocator, NullFormatter

    low, high = axis.get_view_interval()
    decades = np.log10(high / low)
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if decades < 2.5 else (1,)))
    axis.set_major_formatter(lambda value, _: _number(value))
    axis.set_minor_formatter(NullFormatter())


def _number(value):
    """Write 0.05, 20 or 10,000."""
    return f"{value:,.10g}"


def row_png(displays, width=6.2, height=4.6, dpi=150):
    """Draw displays side by side and return the picture as PNG.

    Parameters
    ----------
    displays : list of displays
        Each is drawn by ``plot(ax)``.
    width, height : float, default=6.2 and 4.6
        Of each, in inches.
    dpi : int, default=150
        Resolution in dots per inch.

    Returns
    -------
    png : bytes
        Content of a PNG file.
    """
    from matplotlib.figure import Figure  # not pyplot: nothing is shown, no state is kept

    figure = Figure(figsize=(width * len(displays), height), layout="constrained")
    for display, ax in zip(
        displays, figure.subplots(1, len(displays), squeeze=False)[0], strict=True
    ):
        display.plot(ax)
    return png_of(figure, dpi)


def png_of(figure, dpi):
    """Return a figure as the content of a PNG file."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi)
    return buffer.getvalue()
