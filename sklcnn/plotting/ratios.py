"""Ratios of samples needed, variant by variant, against those of a reference."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .panels import check_array, check_names, number_log_axis, png_of, take_axes
from .styles import GRAY, styles_of

__all__ = ["RatioDisplay", "ratio_png"]

_WIDTH, _ROW, _MARGIN = 3.6, 0.27, 1.4  # of a panel, of a variant, of titles and axes, in inches
_STUB = 1.35  # length of an arrow that stands for an open end, as a factor
_CENSORED = ("", "more", "less", "unknown")


class RatioDisplay:
    """How many times more samples one family needs than another, for many variants of a problem.

    One panel for each ratio and one row for each variant. Dots have intervals; where a ratio is
    only a bound the dot is hollow, and an arrow stands for an interval without an end. A gray step
    behind each row is the ratio of what the variant is to be compared with, the thin line is 1:
    both families need the same.

    Parameters
    ----------
    names : sequence of str
        The variants, from top to bottom.
    ratios : dict of str to array-like of shape (n_variants,)
        One panel each; positive, NaN where nothing is known. What stands behind the slash of a
        name such as "LCN/CNN" gives the color.
    low, high : dict of str to array-like of shape (n_variants,) or None, default=None
        Ends of the interval; 0 and infinity are open ends.
    censored : dict of str to array-like of str of shape (n_variants,) or None, default=None
        "more" where the ratio is a lower bound, "less" where it is an upper one, "unknown" where it
        is neither, "" elsewhere.
    reference : dict of str to array-like of shape (n_variants,) or None, default=None
        The ratio to compare each with, NaN where there is none.
    xlabel : str, default="ratio of training samples needed"
        What the ratios are of.
    title : str, default=""
        Title of the figure that ``plot`` makes.

    Attributes
    ----------
    axes_ : ndarray of shape (n_ratios,)
        The axes, after ``plot``.
    figure_ : matplotlib.figure.Figure
        The figure, after ``plot``.
    dots_ : dict of str to tuple of two matplotlib.lines.Line2D
        Dots that are known and dots that are bounds in each panel, after ``plot``.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> from sklcnn.plotting import RatioDisplay
    >>> ratios = {"LCN/CNN": [10, 2], "FCN/LCN": [3, 4]}
    >>> display = RatioDisplay(["paper", "heavy tails"], ratios).plot()
    >>> [ax.get_title() for ax in display.axes_]
    ['LCN/CNN', 'FCN/LCN']
    """

    def __init__(
        self,
        names: Sequence[str],
        ratios: Mapping[str, ArrayLike],
        *,
        low: Mapping[str, ArrayLike] | None = None,
        high: Mapping[str, ArrayLike] | None = None,
        censored: Mapping[str, ArrayLike] | None = None,
        reference: Mapping[str, ArrayLike] | None = None,
        xlabel: str = "ratio of training samples needed",
        title: str = "",
    ):
        if not len(names) or not ratios:
            raise ValueError(f"names={names!r} and ratios={ratios!r} must hold at least one each.")
        self.names = list(names)
        self.ratios = self._check("ratios", ratios, ratios)
        self.low = self._check("low", low or {}, ratios)
        self.high = self._check("high", high or {}, ratios)
        self.reference = self._check("reference", reference or {}, ratios)
        self.censored = self._check_censored(censored or {})
        self.xlabel = xlabel
        self.title = title
        self._check_together()

    def plot(self, axes: Any = None) -> "RatioDisplay":
        """Draw one panel for each ratio.

        Parameters
        ----------
        axes : matplotlib.axes.Axes, sequence of them or None, default=None
            Where to draw, one for each ratio; None makes a figure.

        Returns
        -------
        display : RatioDisplay
            The display itself.
        """
        self.axes_ = take_axes(axes, list(self.ratios), self._size(), sharey=True)
        self._draw(outside=axes is None)
        return self

    def _size(self):
        """Of a figure, in inches."""
        return _WIDTH * len(self.ratios) + 1.4, _ROW * len(self.names) + _MARGIN

    def _draw(self, outside):
        self.figure_ = self.axes_[0].figure
        self.dots_: dict[str, tuple] = {}
        styles = styles_of(name.rpartition("/")[2] for name in self.ratios)
        for ax, name in zip(self.axes_, self.ratios, strict=True):
            style = styles[name.rpartition("/")[2]]
            self._plot_reference(ax, name)
            self._plot_intervals(ax, name, style)
            self._plot_dots(ax, name, style)
            self._dress(ax, name)
        self._explain(outside)

    def _check(self, parameter, values, known) -> dict[str, NDArray]:
        """Arrays (n_variants,) of known ratios, positive but for open ends."""
        check_names(parameter, values, known)
        least = 0 if parameter == "low" else np.finfo(float).tiny
        arrays = {}
        for name, array in values.items():
            label, meaning = f"{parameter}[{name!r}]", "one number for each of names"
            arrays[name] = check_array(label, array, (len(self.names),), meaning)
            if (arrays[name] < least).any():
                raise ValueError(f"{label} is {array}: on a logarithmic axis it must be positive.")
        return arrays

    def _check_censored(self, censored):
        check_names("censored", censored, self.ratios)
        words = {name: np.asarray(values, dtype=object) for name, values in censored.items()}
        for name, values in words.items():
            if values.shape != (len(self.names),) or not np.isin(values, _CENSORED).all():
                raise ValueError(
                    f"censored[{name!r}] is {values}: it must hold one of {_CENSORED} for each of "
                    "names."
                )
        return words

    def _check_together(self):
        """Refuse intervals with one end, and dots outside of theirs."""
        if odd := sorted(set(self.low) ^ set(self.high)):
            raise ValueError(f"{odd[0]!r} has only one of low and high: an interval needs both.")
        for name, low in self.low.items():
            ratio, high = self.ratios[name], self.high[name]
            if (ratio < low).any() or (ratio > high).any():
                raise ValueError(
                    f"ratios[{name!r}] leaves its interval: low <= ratio <= high must hold, got "
                    f"{low}, {ratio} and {high}."
                )

    def _is_bound(self, name):
        """Where only a bound is known, (n_variants,)."""
        return np.isin(self._words(name), ("more", "less"))

    def _words(self, name):
        return self.censored.get(name, np.full(len(self.names), "", dtype=object))

    def _plot_reference(self, ax, name):
        """A step behind every row, and a line at one."""
        ax.axvline(1, color=GRAY, lw=0.9)
        reference = self.reference.get(name)
        if reference is None:
            return
        rows = np.arange(len(self.names))
        ax.vlines(reference, rows - 0.5, rows + 0.5, color="0.78", lw=5, zorder=1)

    def _plot_intervals(self, ax, name, style):
        if name not in self.low:
            return
        rows = np.flatnonzero(np.isfinite(self.ratios[name]))
        ratio, low, high = (d[name][rows] for d in (self.ratios, self.low, self.high))
        below, above = low == 0, np.isposinf(high)
        low, high = np.where(below, ratio / _STUB, low), np.where(above, ratio * _STUB, high)
        ax.hlines(rows, low, high, color=style.color, lw=1.6, zorder=2)
        for end, is_open, tip in ((low, below, "<"), (high, above, ">")):
            ax.plot(end[is_open], rows[is_open], tip, color=style.color, ms=4.5, zorder=2)

    def _plot_dots(self, ax, name, style):
        rows, ratio, bound = np.arange(len(self.names)), self.ratios[name], self._is_bound(name)
        look = {"color": style.color, "marker": style.marker, "ls": "none", "ms": 7, "zorder": 3}
        (known,) = ax.plot(ratio[~bound], rows[~bound], mec="white", mew=0.7, **look)
        (bounds,) = ax.plot(ratio[bound], rows[bound], mfc="white", mew=1.5, **look)
        self.dots_[name] = (known, bounds)
        for row in np.flatnonzero(self._words(name) == "unknown"):
            ax.text(1, row, " unknown", color=GRAY, va="center", fontsize="small", style="italic")

    def _dress(self, ax, name):
        ax.set(xscale="log", title=name, xlabel=self.xlabel)
        ax.set_yticks(np.arange(len(self.names)), self.names)
        ax.set_ylim(len(self.names) - 0.5, -0.5)
        ax.margins(x=0.08)
        ax.autoscale_view(scaley=False)
        number_log_axis(ax.xaxis)
        ax.grid(axis="y", alpha=0.25, lw=0.6)
        ax.spines[["top", "right"]].set_visible(False)

    def _explain(self, outside):
        """Legend of what lies in all panels."""
        ax = self.axes_[-1]
        handles = [ax.plot([], [], color=GRAY, lw=0.9, label="1: both need the same")[0]]
        if self.reference:
            handles += ax.plot([], [], color="0.78", lw=5, label="ratio of the reference")
        if any(self._is_bound(name).any() for name in self.ratios):
            look = {"color": GRAY, "marker": "o", "ms": 7, "mew": 1.5, "mfc": "white", "ls": "none"}
            handles += ax.plot([], [], label="bound: the search ended", **look)
        if outside:
            if self.title:
                self.figure_.suptitle(self.title)
            place = {"loc": "outside lower center", "ncols": len(handles)}
            self.figure_.legend(handles=handles, frameon=False, fontsize="small", **place)
        else:
            ax.legend(handles=handles, frameon=False, fontsize="small", loc="best")


def ratio_png(display, dpi=150):
    """Draw a display in a figure of its own and return the picture as PNG.

    Parameters
    ----------
    display : RatioDisplay
        What is drawn.
    dpi : int, default=150
        Resolution in dots per inch.

    Returns
    -------
    png : bytes
        Content of a PNG file.
    """
    from matplotlib.figure import Figure  # not pyplot: nothing is shown, no state is kept

    figure = Figure(figsize=display._size(), layout="constrained")
    display.axes_ = figure.subplots(1, len(display.ratios), sharey=True, squeeze=False)[0]
    display._draw(outside=True)
    return png_of(figure, dpi)
