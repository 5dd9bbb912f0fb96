"""Learning curves of network families, and what each ingredient is worth."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from .panels import png_of
from .styles import FAMILY_STYLES, GRAY

__all__ = ["ComparisonDisplay", "stack_png"]

_SIZE = (12.0, 4.1)  # of a row of three panels, in inches
_STUB = 1.4  # length of an arrow that stands for an open end, as a factor


class ComparisonDisplay:
    """Learning curves of network families and what each ingredient is worth in samples.

    Three panels: test accuracy against the number of training samples, the same with permuted
    features, and the sample-efficiency factor of each ingredient.

    Parameters
    ----------
    sizes : array-like of shape (n_sizes,)
        Numbers of training samples.
    scores : dict of str to array-like of shape (n_sizes, n_repeats)
        Test accuracies of each family; the keys are those of ``FAMILY_STYLES``.
    permuted_scores : dict of str to array-like of shape (n_sizes, n_repeats)
        The same with permuted features.
    baseline : array-like of shape (n_sizes,)
        Accuracy of the majority class.
    factors : dict of str to dict of str to array-like of shape (n_sizes,)
        For each ingredient the name of its ``family`` (a str) and arrays ``factor``, ``low``,
        ``high`` and ``censored`` ("", "more", "less" or "neither learns").
    title : str, default=""
        Name of the data.

    Attributes
    ----------
    axes_ : ndarray of shape (3,)
        The axes, after ``plot``.
    figure_ : matplotlib.figure.Figure
        The figure, after ``plot``.
    lines_ : dict of str to list
        The curves of each family in the first and the second panel, after ``plot``.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> from sklcnn.plotting import ComparisonDisplay
    >>> scores = {"FCN": [[0.6, 0.7], [0.8, 0.8]], "LCN": [[0.7, 0.7], [0.9, 0.9]]}
    >>> worth = dict(family="LCN", factor=[1.5, 1.0], low=[1.2, 1.0], high=[1.8, float("inf")])
    >>> worth["censored"] = ["", "more"]
    >>> display = ComparisonDisplay([50, 100], scores, scores, [0.5, 0.5], {"locality": worth})
    >>> [ax.get_xlabel() for ax in display.plot().axes_]
    ['training samples', 'training samples', 'training samples n']
    """

    def __init__(
        self,
        sizes: ArrayLike,
        scores: dict[str, ArrayLike],
        permuted_scores: dict[str, ArrayLike],
        baseline: ArrayLike,
        factors: dict[str, dict],
        *,
        title: str = "",
    ):
        self.sizes = sizes
        self.scores = scores
        self.permuted_scores = permuted_scores
        self.baseline = baseline
        self.factors = factors
        self.title = title

    def plot(self, axes: Sequence | None = None) -> "ComparisonDisplay":
        """Draw the three panels.

        Parameters
        ----------
        axes : sequence of three matplotlib.axes.Axes or None, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        display : ComparisonDisplay
            The display itself.
        """
        if axes is None:
            import matplotlib.pyplot as plt

            _, axes = plt.subplots(1, 3, figsize=_SIZE, layout="constrained")
        self.axes_ = np.asarray(axes)
        self.figure_ = self.axes_[0].figure
        self.lines_: dict[str, list] = {}
        self._plot_curves(self.axes_[0], self.scores, self.title)
        self._plot_curves(self.axes_[1], self.permuted_scores, f"{self.title}, features permuted")
        self.axes_[0].legend(frameon=False, fontsize="small", loc="best")
        self._plot_factors(self.axes_[2])
        return self

    def _plot_curves(self, ax, scores, title):
        """Mean and spread of every family's accuracy."""
        for family, values in scores.items():
            style = FAMILY_STYLES[family]
            values = np.asarray(values)
            band = _band(values)
            ax.fill_between(self.sizes, *band, color=style.color, alpha=0.18, lw=0, zorder=1)
            (line,) = ax.plot(
                self.sizes,
                values.mean(axis=1),
                color=style.color,
                marker=style.marker,
                ms=5,
                lw=1.6,
                label=family,
            )
            self.lines_.setdefault(family, []).append(line)
        bottom, top, near = self._accuracy_range()
        label = "majority class" if near else f"majority class, {np.max(self.baseline):.2f} (below)"
        ax.plot(self.sizes, self.baseline, color=GRAY, ls=":", lw=1.4, label=label)
        ax.set(title=title, xlabel="training samples", ylabel="test accuracy", ylim=(bottom, top))
        self._number_sizes(ax)

    def _plot_factors(self, ax):
        """Points with intervals; hollow points and arrows where the sizes give only a bound."""
        ax.axhline(1.0, color=GRAY, lw=1)
        dodges = np.linspace(-1, 1, len(self.factors)) if len(self.factors) > 1 else [0.0]
        for dodge, (ingredient, worth) in zip(dodges, self.factors.items(), strict=True):
            self._plot_ingredient(ax, ingredient, worth, np.asarray(self.sizes) * 1.07**dodge)
        ax.set_yscale("log", base=2)
        low, high = np.log2(ax.dataLim.intervaly)
        ax.set_ylim(2.0 ** min(-2.0, np.floor(low)), 2.0 ** max(2.0, np.ceil(high)))
        ax.yaxis.set_major_formatter(lambda value, _: f"{value:g}" if value >= 1 else _part(value))
        ax.set(
            title=f"{self.title}: worth of each ingredient",
            xlabel="training samples n",
            ylabel="sample-efficiency factor",
        )
        for text, at, align in (("helps", 0.97, "top"), ("hurts", 0.03, "bottom")):
            ax.text(0.015, at, text, transform=ax.transAxes, va=align, color=GRAY, style="italic")
        ax.legend(
            loc="upper center",
            bbox_to_anchor=(0.5, -0.3),  # below: points may be anywhere
            ncols=len(self.factors),
            frameon=False,
            fontsize="small",
            handletextpad=0.2,
            columnspacing=1.0,
        )
        self._number_sizes(ax)

    def _plot_ingredient(self, ax, ingredient, worth, x):
        style = FAMILY_STYLES[worth["family"]]
        factor, low, high = (np.asarray(worth[k], dtype=float) for k in ("factor", "low", "high"))
        bound = np.isin(worth["censored"], ["more", "less"])
        look = {"color": style.color, "marker": style.marker, "ls": "none", "ms": 6}
        ax.plot(x[~bound], factor[~bound], label=ingredient, zorder=3, **look)
        ax.plot(x[bound], factor[bound], mfc="white", mew=1.4, zorder=3, **look)
        below, above = low == 0, np.isposinf(high)
        low = np.where(below, np.minimum(factor, high) / _STUB, low)
        high = np.where(above, np.maximum(factor, low) * _STUB, high)
        ax.vlines(x, low, high, color=style.color, lw=1.5)
        for end, is_open, tip in ((low, below, "v"), (high, above, "^")):
            ax.plot(x[is_open], end[is_open], color=style.color, marker=tip, ls="none", ms=4)

    def _number_sizes(self, ax):
        """Write the training sizes on a logarithmic axis."""
        ax.set_xscale("log")
        ax.set_xticks(self.sizes, [f"{size:,}" for size in self.sizes], rotation=45)
        ax.minorticks_off()
        ax.grid(alpha=0.25, lw=0.6)
        ax.spines[["top", "right"]].set_visible(False)

    def _accuracy_range(self):
        """Range of the bands in both panels, and whether the baseline lies in or near it."""
        arrays = [np.asarray(v) for s in (self.scores, self.permuted_scores) for v in s.values()]
        bands = [_band(values) for values in arrays]
        lowest, highest = np.min([low for low, _ in bands]), np.max([high for _, high in bands])
        span = max(highest - lowest, 0.02)
        near = lowest - np.min(self.baseline) < 0.5 * span
        bottom = min(lowest, np.min(self.baseline)) if near else lowest
        return bottom - 0.05 * span, highest + 0.05 * span, near


def _band(values):
    """One standard deviation around the mean over repeats, for values (n_sizes, n_repeats)."""
    mean = values.mean(axis=1)
    spread = values.std(axis=1, ddof=min(1, values.shape[1] - 1))
    return mean - spread, mean + spread


def stack_png(displays, dpi=150):
    """Draw displays below each other and return the picture as PNG.

    Parameters
    ----------
    displays : list of ComparisonDisplay
        One per row.
    dpi : int, default=150
        Resolution in dots per inch.

    Returns
    -------
    png : bytes
        Content of a PNG file.
    """
    from matplotlib.figure import Figure  # not pyplot: nothing is shown, no state is kept

    width, height = _SIZE
    figure = Figure(figsize=(width, height * len(displays)), layout="constrained")
    figure.get_layout_engine().set(h_pad=0.1, w_pad=0.08)
    rows = figure.subplots(len(displays), 3, squeeze=False)
    for display, axes in zip(displays, rows, strict=True):
        display.plot(axes)
    return png_of(figure, dpi)


def _part(value):
    """Write a number below one as a fraction."""
    return f"1/{1 / value:g}"
