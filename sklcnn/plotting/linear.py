"""Directions of linear networks: errors over margins, spectra, scales and kernel widths."""

from typing import Any

import numpy as np
import pandas as pd

from .curves import shade
from .panels import number_axis, png_of, take_axes
from .styles import FAMILY_STYLES

__all__ = ["LinearDisplay", "linear_png"]

_LOOKS = {"full": "FCN", "convolutional": "CNN", "diagonal": "LCN"}  # colours by family
_SHOWN = {"full": "coef", "convolutional": "amplitude", "diagonal": "coef"}
_SIZE = (12.0, 10.5)


class LinearDisplay:
    """Linear networks on their way to the predictors of theory, and where they have come to.

    First row: distance of the direction from its reference over the smallest margin, a panel for
    each architecture, a shade for each depth, a line for each seed. Second row: coefficients, or
    amplitudes of the spectrum of convolutional networks, at the end, of the first seed; bars are
    the reference at the largest depth. Third row: that distance at one margin by the scale of the
    initial weights, and margins by the width of the kernels.

    Parameters
    ----------
    curves : DataFrame
        Columns ``architecture``, ``depth``, ``seed``, ``margin`` and ``error``.
    spectra : DataFrame
        Columns ``architecture``, ``depth``, ``seed``, ``place``, ``coef``, ``amplitude``,
        ``reference_coef`` and ``reference_amplitude``.
    scales : DataFrame
        Columns ``architecture``, ``init_scale`` and ``error``.
    kernel_widths : DataFrame
        Columns ``kernel_size``, ``own_share``, and ``l2_share`` and ``fourier_l1_share``, also of
        the reference (``reference_l2_share``, ...).
    scale_margin : float or None, default=None
        Margin of the panel of scales, for its title.

    Attributes
    ----------
    panels_ : list of str
        Names of the panels.
    axes_ : dict of str to matplotlib.axes.Axes
        The axes of each panel, after ``plot``.
    figure_ : matplotlib.figure.Figure
        The figure, after ``plot``.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> from sklcnn.studies import linear_study
    >>> small = {"n_features": 6, "n_samples": 2, "depths": (1,), "n_seeds": 1}
    >>> found = linear_study(**small, scales=(0.1,), kernel_sizes=(1,), max_iter=100)
    >>> found.plot().panels_[-2:]
    ['scales', 'kernel widths']
    """

    def __init__(
        self,
        curves: pd.DataFrame,
        spectra: pd.DataFrame,
        scales: pd.DataFrame,
        kernel_widths: pd.DataFrame,
        *,
        scale_margin: float | None = None,
    ):
        self.curves = curves
        self.spectra = spectra
        self.scales = scales
        self.kernel_widths = kernel_widths
        self.scale_margin = scale_margin
        names = list(dict.fromkeys(curves["architecture"]))
        if strangers := [name for name in names if name not in _LOOKS]:
            raise ValueError(
                f"curves has the architecture {strangers[0]!r}: known are {', '.join(_LOOKS)}."
            )
        self._names = names
        self.panels_ = [f"{name}, {what}" for what in ("error", "predictor") for name in names]
        self.panels_ += ["scales", "kernel widths"]

    def plot(self, axes: Any = None) -> "LinearDisplay":
        """Draw all panels.

        Parameters
        ----------
        axes : sequence of matplotlib.axes.Axes or None, default=None
            Where to draw, one for each of ``panels_``; None makes a figure.

        Returns
        -------
        display : LinearDisplay
            The display itself.
        """
        if axes is None:
            import matplotlib.pyplot as plt

            return self._plot_on(plt.figure(figsize=_SIZE, layout="constrained"))
        taken = take_axes(axes, self.panels_, None)
        self.figure_ = taken[0].figure
        return self._plot_panels(dict(zip(self.panels_, taken, strict=True)))

    def _plot_on(self, figure):
        """Draw on an empty figure of three rows."""
        self.figure_ = figure
        rows = figure.subfigures(3, 1)
        counts = (len(self._names), len(self._names), 2)
        axes = [
            ax
            for row, count in zip(rows, counts, strict=True)
            for ax in row.subplots(1, count, squeeze=False)[0]
        ]
        return self._plot_panels(dict(zip(self.panels_, axes, strict=True)))

    def _plot_panels(self, axes):
        self.axes_ = axes
        for name in self._names:
            self._plot_errors(axes[f"{name}, error"], name)
            self._plot_predictor(axes[f"{name}, predictor"], name)
        self._plot_scales(axes["scales"])
        self._plot_widths(axes["kernel widths"])
        for ax in axes.values():
            ax.grid(alpha=0.25, lw=0.6)
            ax.spines[["top", "right"]].set_visible(False)
        return self

    def _color(self, name, depth=None):
        """Of an architecture, darker with depth."""
        color = FAMILY_STYLES[_LOOKS[name]].color
        depths = sorted(self.curves["depth"].unique())
        return color if depth is None else shade(color, depths.index(depth), len(depths))

    def _plot_errors(self, ax, name):
        rows = self.curves[(self.curves["architecture"] == name) & (self.curves["margin"] > 0)]
        for (depth, _), line in rows.groupby(["depth", "seed"], sort=False):
            label = f"depth {depth}" if f"depth {depth}" not in _labels(ax) else None
            ax.plot(line["margin"], line["error"], color=self._color(name, depth), label=label)
        ax.set(xscale="log", yscale="log", xlabel="smallest margin", title=name)
        ax.set_ylabel("distance from the reference")
        ax.legend(frameon=False, fontsize="small")

    def _plot_predictor(self, ax, name):
        rows, column = self.spectra[self.spectra["architecture"] == name], _SHOWN[name]
        rows = rows[rows["seed"] == rows["seed"].iloc[0]]
        if column == "amplitude":  # the other half is the same
            rows = rows[rows["place"] <= (rows["place"].max() + 1) // 2]
        marker = FAMILY_STYLES[_LOOKS[name]].marker
        for depth, line in rows.groupby("depth"):
            look = {"color": self._color(name, depth), "marker": marker, "ms": 4, "lw": 0.8}
            ax.plot(line["place"], line[column], label=f"depth {depth}", **look)
        ax.bar(line["place"], line[f"reference_{column}"], color="0.85", zorder=0)
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.set_xlabel("frequency" if column == "amplitude" else "feature")
        ax.set_ylabel("amplitude of the spectrum" if column == "amplitude" else "coefficient")

    def _plot_scales(self, ax):
        for name, rows in self.scales.groupby("architecture", sort=False):
            middle = rows.groupby("init_scale")["error"].median()
            marker = FAMILY_STYLES[_LOOKS[name]].marker
            look = {"color": self._color(name), "marker": marker}
            ax.plot(middle.index, middle, label=name, **look)
            ax.plot(rows["init_scale"], rows["error"], ls="", alpha=0.4, ms=3, **look)
        at = "" if self.scale_margin is None else f" at margin {self.scale_margin:g}"
        ax.set(xscale="log", yscale="log", xlabel="scale of the initial weights")
        ax.set_ylabel("distance from the reference")
        ax.set_title(f"depth 2{at}: median and seeds", fontsize="medium")
        number_axis(ax.xaxis, np.sort(self.scales["init_scale"].unique()))
        ax.legend(frameon=False, fontsize="small")

    def _plot_widths(self, ax):
        means = self.kernel_widths.groupby("kernel_size").median(numeric_only=True)
        for norm, name in (("l2", "full"), ("fourier_l1", "convolutional")):
            look = {"color": self._color(name)}
            ax.plot(means.index, means[f"reference_{norm}_share"], ls="--", **look)
            marker = FAMILY_STYLES[_LOOKS[name]].marker
            label = f"in {norm.replace('_', ' ')}"
            ax.plot(means.index, means[f"{norm}_share"], ls="", marker=marker, label=label, **look)
        own = {"color": "0.3", "marker": "x", "ls": "", "label": "in the norm of its width"}
        ax.plot(means.index, means["own_share"], **own)
        ax.set(xscale="log", xlabel="width of the kernels", ylabel="share of the largest margin")
        ax.set_title("convolutional, depth 2; dashed: in theory", fontsize="medium")
        number_axis(ax.xaxis, means.index.to_numpy())
        ax.legend(frameon=False, fontsize="small")


def _labels(ax):
    """Labels of the lines that were drawn."""
    return [line.get_label() for line in ax.get_lines()]


def linear_png(display, dpi=150):
    """Draw a display in a figure of its own and return the picture as PNG.

    Parameters
    ----------
    display : LinearDisplay
        What is drawn.
    dpi : int, default=150
        Resolution in dots per inch.

    Returns
    -------
    png : bytes
        Content of a PNG file.
    """
    from matplotlib.figure import Figure  # not pyplot: nothing is shown, no state is kept

    figure = Figure(figsize=_SIZE, layout="constrained")
    display._plot_on(figure)
    return png_of(figure, dpi)
