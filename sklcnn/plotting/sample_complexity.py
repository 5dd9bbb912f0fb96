"""Samples that each estimator needs, against the size of the problem."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .panels import (
    check_array,
    check_grid,
    check_intervals,
    check_names,
    number_axis,
    number_log_axis,
    take_axes,
)
from .styles import GRAY, styles_of

__all__ = ["SampleComplexityDisplay"]

_SIZE = (7.2, 4.2)  # in inches, the legend at the right included
_ARROW = 17  # length in points of the arrow of a lower bound


class SampleComplexityDisplay:
    """Samples needed against the size of the problem, one curve for each estimator.

    Both axes are logarithmic, so that a power law is a straight line and its exponent the slope.
    A search that ended before the estimator reached its target knows a lower bound only: an open
    marker with an arrow, to which no curve is drawn. Dashed lines have the slope that theory
    predicts; theory has no constants, so they pass through the geometric mean of their curve.

    Parameters
    ----------
    sizes : array-like of shape (n_sizes,)
        What varies: number of patches, patch size or noise; positive and increasing.
    needed : dict of str to array-like of shape (n_sizes,)
        Samples needed by each estimator, positive, NaN where nothing was measured. The names of
        ``ESTIMATOR_STYLES`` have their colors and markers, other names are gray.
    low, high : dict of str to array-like of shape (n_sizes,) or None, default=None
        Ends of the interval around ``needed``; an infinite ``high`` is drawn as an arrow, NaN where
        there is no interval.
    censored : dict of str to array-like of shape (n_sizes,) or None, default=None
        True where ``needed`` is only a lower bound.
    slopes : dict of str to float or None, default=None
        Exponent that theory predicts for each estimator; None where it predicts none.
    fitted : dict of str to tuple of three floats or None, default=None
        Fitted exponent of each estimator with the ends of its interval, for the legend.
    xlabel : str, default="number of patches"
        What ``sizes`` is, with its unit if it has one.
    ylabel : str, default="training samples needed"
        What ``needed`` is.
    interval : str, default="interval"
        What ``low`` and ``high`` are, such as "95 % interval", for the legend.
    title : str, default=""
        Title of the figure.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        The axes, after ``plot``.
    figure_ : matplotlib.figure.Figure
        The figure, after ``plot``.
    lines_ : dict of str to matplotlib.lines.Line2D
        The curve of each estimator, NaN at lower bounds, after ``plot``.
    bounds_ : dict of str to matplotlib.lines.Line2D
        The lower bounds of each estimator that has some, after ``plot``.
    theory_ : dict of str to matplotlib.lines.Line2D
        The line of each predicted slope, after ``plot``.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> from sklcnn.plotting import SampleComplexityDisplay
    >>> needed = {"LCN": [150, 540, 860], "CNN": [15, 30, 41]}
    >>> display = SampleComplexityDisplay([10, 20, 30], needed, slopes={"LCN": 2, "CNN": 1})
    >>> [text.get_text() for text in display.plot().ax_.get_legend().get_texts()]
    ['LCN', 'theory: slope 2', 'CNN', 'theory: slope 1']
    """

    def __init__(
        self,
        sizes: ArrayLike,
        needed: Mapping[str, ArrayLike],
        *,
        low: Mapping[str, ArrayLike] | None = None,
        high: Mapping[str, ArrayLike] | None = None,
        censored: Mapping[str, ArrayLike] | None = None,
        slopes: Mapping[str, float | None] | None = None,
        fitted: Mapping[str, tuple[float, float, float]] | None = None,
        xlabel: str = "number of patches",
        ylabel: str = "training samples needed",
        interval: str = "interval",
        title: str = "",
    ):
        self.sizes = check_grid("sizes", sizes)
        if not needed:
            raise ValueError(f"needed is {needed!r}: it must hold at least one curve.")
        self.needed = self._check_curves("needed", needed, needed)
        self.low = self._check_curves("low", low or {}, needed)
        self.high = self._check_curves("high", high or {}, needed)
        self.censored = {
            name: values == 1
            for name, values in self._check_curves("censored", censored or {}, needed).items()
        }
        self.slopes = dict(slopes or {})
        self.fitted = {name: tuple(values) for name, values in (fitted or {}).items()}
        self.xlabel = xlabel
        self.ylabel = ylabel
        self.interval = interval
        self.title = title
        self._check_together()

    def plot(self, ax: Any = None) -> "SampleComplexityDisplay":
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib.axes.Axes or None, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        display : SampleComplexityDisplay
            The display itself.
        """
        (self.ax_,) = take_axes(ax, ["samples needed"], _SIZE)
        self.figure_ = self.ax_.figure
        self.lines_: dict[str, Any] = {}
        self.bounds_: dict[str, Any] = {}
        self.theory_: dict[str, Any] = {}
        self.ax_.set(xscale="log", yscale="log", title=self.title)
        self.ax_.set(xlabel=self.xlabel, ylabel=self.ylabel)
        for name, style in styles_of(self.needed).items():
            self._plot_curve(name, style)
            self._plot_bounds(name, style)
            self._plot_theory(name, style)
        self._dress()
        self._explain(outside=ax is None)
        return self

    def _check_curves(self, parameter, curves, known):
        """Arrays (n_sizes,) of known estimators."""
        check_names(parameter, curves, known)
        meaning = "one number for each of sizes"
        return {
            name: check_array(f"{parameter}[{name!r}]", values, self.sizes.shape, meaning)
            for name, values in curves.items()
        }

    def _check_together(self):
        """Refuse arrays that contradict each other or the logarithmic axis."""
        check_names("slopes", self.slopes, self.needed)
        check_names("fitted", self.fitted, self.needed)
        check_intervals(self.needed, self.low, self.high)
        for name, values in self.needed.items():
            if np.isposinf(values).any():
                raise ValueError(
                    f"needed[{name!r}] holds an infinity: give the largest number of samples "
                    "that was tried and mark it as censored."
                )
        for name, values in self.fitted.items():
            if len(values) != 3:
                raise ValueError(
                    f"fitted[{name!r}] is {values}: it must be the exponent and the two ends of "
                    "its interval."
                )

    def _is_bound(self, name):
        """Where only a lower bound is known, of shape (n_sizes,)."""
        return self.censored.get(name, np.zeros(self.sizes.shape, dtype=bool))

    def _label(self, name):
        if name not in self.fitted:
            return name
        exponent, low, high = self.fitted[name]
        return f"{name}: exponent {exponent:.2f} [{low:.2f}, {high:.2f}]"

    def _plot_curve(self, name, style):
        """Curve through what was measured, with intervals."""
        needed = self.needed[name]
        bound = self._is_bound(name)
        (self.lines_[name],) = self.ax_.plot(
            self.sizes,
            np.where(bound, np.nan, needed),
            color=style.color,
            marker=style.marker,
            ms=7,
            mec="white",
            mew=0.7,
            lw=1.6,
            label=self._label(name),
            zorder=3,
        )
        if name not in self.low:
            return
        low, high = self.low[name], self.high[name]
        top = np.where(bound | np.isposinf(high), needed, high)
        reach = np.array([needed - low, top - needed])  # (2, n_sizes)
        look = {"color": style.color, "elinewidth": 1.2, "capsize": 3, "zorder": 2.5}
        self.ax_.errorbar(self.sizes, needed, reach, fmt="none", **look)

    def _plot_bounds(self, name, style):
        """Open markers at lower bounds; arrows there and at open intervals."""
        bound = self._is_bound(name)
        if bound.any():
            (self.bounds_[name],) = self.ax_.plot(
                self.sizes[bound],
                self.needed[name][bound],
                color=style.color,
                marker=style.marker,
                ls="none",
                ms=7,
                mfc="white",
                mew=1.5,
                zorder=4,
            )
        is_open = bound | np.isposinf(self.high.get(name, self.needed[name]))
        for x, y in zip(self.sizes[is_open], self.needed[name][is_open], strict=True):
            self.ax_.annotate(
                "",
                (x, y),
                (0, _ARROW),
                textcoords="offset points",
                arrowprops={"arrowstyle": "<-", "color": style.color, "lw": 1.4, "shrinkB": 3},
                zorder=3.5,
            )

    def _plot_theory(self, name, style):
        """Line of the predicted slope through the geometric mean of what was measured."""
        slope = self.slopes.get(name)
        measured = ~self._is_bound(name) & np.isfinite(self.needed[name])
        if slope is None or not measured.any():
            return
        x = np.log(self.sizes)
        y = np.log(self.needed[name][measured]).mean() + slope * (x - x[measured].mean())
        (self.theory_[name],) = self.ax_.plot(
            self.sizes,
            np.exp(y),
            color=style.color,
            ls=(0, (5, 3)),
            lw=1.1,
            alpha=0.8,
            label=f"theory: slope {slope:g}",
            zorder=1.5,
        )

    def _dress(self):
        """Numbers and grid on both axes, room for the arrows."""
        low, high = self.ax_.dataLim.min, self.ax_.dataLim.max  # (x, y)
        wide = np.where(high < 2 * low, np.sqrt(2), 1.0)  # a factor of two at least
        self.ax_.update_datalim([low / wide, high * wide])
        self.ax_.margins(x=0.06, y=0.1)
        self.ax_.autoscale_view()
        number_axis(self.ax_.xaxis, self.sizes)
        number_log_axis(self.ax_.yaxis)
        self.ax_.grid(alpha=0.25, lw=0.6)
        self.ax_.spines[["top", "right"]].set_visible(False)

    def _explain(self, outside):
        """Legend, with one entry for all intervals and one for all lower bounds."""
        if self.low:
            look = {"color": GRAY, "marker": "|", "ms": 11, "mew": 1.2, "ls": "none"}
            self.ax_.plot([], [], label=self.interval, **look)
        if self.bounds_:
            look = {"color": GRAY, "marker": "o", "ms": 7, "mew": 1.5, "mfc": "white", "ls": "none"}
            self.ax_.plot([], [], label="lower bound: target not reached", **look)
        place = {"loc": "upper left", "bbox_to_anchor": (1.01, 1.0)} if outside else {"loc": "best"}
        self.ax_.legend(frameon=False, fontsize="small", **place)
