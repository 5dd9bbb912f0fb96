"""Geometry of patches, a row for each scheme: elbow, effective dimension, and depth with noise."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .panels import check_array, check_grid, number_log_axis, png_of, take_axes
from .styles import GRAY

__all__ = ["PatchSchemesDisplay", "schemes_png"]

_PANEL, _ROW, _FRAME = 3.6, 0.3, 1.5  # widths and heights in inches
_PANELS = ("elbow", "effective dimension", "mean depth")
_BAR = 1.6  # width of an interval in points
_TRAIL = 4  # so many numbers of directions are shown, the last ones
_FEWER = {"color": "0.75", "lw": 1, "marker": ".", "ms": 5}
# Paul Tol's muted scheme, as in PatchGeometryDisplay; the markers serve print.
_LOOKS = {
    "deeper": {"color": "#332288", "marker": ">"},
    "within noise": {"color": "#000000", "marker": "o"},
    "shallower": {"color": "#CC6677", "marker": "<"},
}
_OTHER = {"color": GRAY, "marker": "o"}  # what is compared with nothing


class PatchSchemesDisplay:
    """Elbow, effective dimension and mean depth of patches, a row for each scheme.

    Depths are upper bounds that fall with the number of random directions: small dots show the mean
    after fewer of them, the last ones doublings apart, and a row of dots that still moves says that
    the depth has not converged.

    Parameters
    ----------
    names : sequence of str
        The schemes, from top to bottom.
    elbows : array-like of shape (3, n_schemes)
        The least, the median and the greatest elbow over seeds.
    dimensions : array-like of shape (n_schemes,)
        Effective dimensions.
    n_directions : array-like of shape (n_steps,)
        Numbers of directions, increasing.
    mean_depths : array-like of shape (n_schemes, n_steps)
        Mean depth of each after so many. Where it is NaN the verdict is written instead.
    intervals : array-like of shape (2, n_schemes) or None, default=None
        Ends of the intervals of the last mean depths; NaN where there is none.
    interval : str, default="95 % interval"
        What they are, for the legend.
    verdicts : sequence of str or None, default=None
        For each scheme "deeper", "shallower" or "within noise"; all others are drawn in gray.
    reference : str or None, default=None
        The scheme whose values are drawn as lines through all rows.
    title : str, default=""
        Title of the figure that ``plot`` makes.

    Attributes
    ----------
    axes_ : ndarray of shape (3,)
        The axes, after ``plot``.
    figure_ : matplotlib.figure.Figure
        The figure, after ``plot``.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> from sklcnn.plotting.schemes import PatchSchemesDisplay
    >>> display = PatchSchemesDisplay(
    ...     ["conv", "shuffled"],
    ...     [[4, 40], [4, 41], [4, 41]],
    ...     [1.8, 12],
    ...     [64, 128],
    ...     [[0.06, 0.05], [0.03, 0.02]],
    ...     verdicts=["reference", "shallower"],
    ...     reference="conv",
    ... )
    >>> [axes.get_xlabel() for axes in display.plot().axes_]
    ['components for 90 % variance', 'effective dimension', 'mean depth (upper bound)']
    """

    def __init__(
        self,
        names: Sequence[str],
        elbows: ArrayLike,
        dimensions: ArrayLike,
        n_directions: ArrayLike,
        mean_depths: ArrayLike,
        *,
        intervals: ArrayLike | None = None,
        interval: str = "95 % interval",
        verdicts: Sequence[str] | None = None,
        reference: str | None = None,
        title: str = "",
    ):
        self.names = list(names)
        n_schemes = len(self.names)
        self.n_directions = check_grid("n_directions", n_directions)
        each = "one number for each scheme"
        self.elbows = check_array("elbows", elbows, (3, n_schemes), each)
        self.dimensions = check_array("dimensions", dimensions, (n_schemes,), each)
        shape = n_schemes, len(self.n_directions)
        self.mean_depths = check_array("mean_depths", mean_depths, shape, "schemes and directions")
        blank = np.full((2, n_schemes), np.nan)
        ends = blank if intervals is None else intervals
        self.intervals = check_array("intervals", ends, (2, n_schemes), each)
        self.interval = interval
        self.verdicts = [""] * n_schemes if verdicts is None else list(verdicts)
        if len(self.verdicts) != n_schemes:
            raise ValueError(
                f"verdicts has {len(self.verdicts)} words for {n_schemes} names: one each."
            )
        if reference is not None and reference not in self.names:
            raise ValueError(
                f"reference={reference!r} must be one of {', '.join(map(str, self.names))}."
            )
        self.reference = reference
        self.title = title

    def plot(self, axes: Any = None) -> "PatchSchemesDisplay":
        """Draw the three panels.

        Parameters
        ----------
        axes : sequence of matplotlib.axes.Axes or None, default=None
            Where to draw, three of them; None makes a figure.

        Returns
        -------
        display : PatchSchemesDisplay
            The display itself.
        """
        self.axes_ = take_axes(axes, _PANELS, self._size(), sharey=True)
        self._draw(outside=axes is None)
        return self

    def _size(self):
        """Of a figure, in inches."""
        return _PANEL * len(_PANELS) + 1, _ROW * len(self.names) + _FRAME

    def _draw(self, outside):
        self.figure_ = self.axes_[0].figure
        elbow, dimension, depth = self.axes_
        rows = np.arange(len(self.names))
        elbow.hlines(rows, self.elbows[0], self.elbows[2], color=GRAY, lw=_BAR)
        elbow.plot(self.elbows[1], rows, "o", color=GRAY, ms=6)
        dimension.plot(self.dimensions, rows, "o", color=GRAY, ms=6)
        for row in rows:
            self._plot_depth(depth, row)
        self._draw_reference()
        self._dress()
        self._explain(outside)

    def _plot_depth(self, ax, row):
        """Depth with its interval, and where it was after fewer directions."""
        trail, look = self.mean_depths[row, -_TRAIL:], _LOOKS.get(self.verdicts[row], _OTHER)
        if np.isnan(trail[-1]):
            place = {"transform": ax.get_yaxis_transform(), "va": "center"}
            words = {"color": GRAY, "fontsize": "small", "style": "italic"}
            ax.text(0.02, row, self.verdicts[row], **place, **words)
            return
        ax.plot(trail, np.full(len(trail), row), **_FEWER)
        ax.hlines(row, *self.intervals[:, row], color=look["color"], lw=_BAR, zorder=2)
        ax.plot(trail[-1], row, ls="none", ms=6, zorder=3, **look)

    def _draw_reference(self):
        if self.reference is None:
            return
        row = self.names.index(self.reference)
        values = self.elbows[1, row], self.dimensions[row], self.mean_depths[row, -1]
        for ax, value in zip(self.axes_, values, strict=True):
            ax.axvline(value, color=GRAY, lw=0.9, zorder=0)

    def _dress(self):
        labels = "components for 90 % variance", "effective dimension", "mean depth (upper bound)"
        for ax, label in zip(self.axes_, labels, strict=True):
            ax.set(xscale="log", xlabel=label)
            ax.margins(x=0.1)
            ax.autoscale_view(scaley=False)
            number_log_axis(ax.xaxis)
            ax.grid(axis="y", alpha=0.25, lw=0.6)
            ax.spines[["top", "right"]].set_visible(False)
        texts = [str(name).replace("_", " ") for name in self.names]
        self.axes_[0].set_yticks(np.arange(len(texts)), texts)
        self.axes_[0].set_ylim(len(texts) - 0.5, -0.5)

    def _explain(self, outside):
        """Legend of verdicts that occur, of the reference and of the trail."""
        ax = self.axes_[-1]
        compared = {verdict: f"{verdict} than {self.reference}" for verdict in _LOOKS}
        compared["within noise"] = "within noise"
        handles = [
            ax.plot([], [], ls="none", ms=6, label=label, **_LOOKS[verdict])[0]
            for verdict, label in compared.items()
            if verdict in self.verdicts
        ]
        if self.reference is not None:
            handles += ax.plot([], [], lw=0.9, ms=6, label=self.reference, **_OTHER)
        if np.isfinite(self.intervals).any():
            handles += ax.plot([], [], color="#000000", lw=_BAR, label=self.interval)
        if counts := ", ".join(f"{count:g}" for count in self.n_directions[-_TRAIL:-1]):
            handles += ax.plot([], [], label=f"after {counts} directions", **_FEWER)
        look = {"handles": handles, "frameon": False, "fontsize": "small"}
        if not outside:
            ax.legend(loc="best", **look)
            return
        if self.title:
            self.figure_.suptitle(self.title)
        self.figure_.legend(loc="outside lower center", ncols=len(handles), **look)


def schemes_png(display, dpi=150):
    """Draw a display in a figure of its own and return the picture as PNG.

    Parameters
    ----------
    display : PatchSchemesDisplay
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
    display.axes_ = figure.subplots(1, len(_PANELS), sharey=True)
    display._draw(outside=True)
    return png_of(figure, dpi)
