"""Linear networks: errors over margins, spectra, scales, kernels, and what they are good for."""

from typing import Any

import numpy as np
import pandas as pd

from .curves import shade
from .panels import number_axis, png_of, take_axes
from .styles import FAMILY_STYLES

__all__ = ["LinearDisplay", "linear_png"]

_LOOKS = {"full": "FCN", "convolutional": "CNN", "diagonal": "LCN"}  # colors by family
_SHOWN = {"full": "coef", "convolutional": "amplitude", "diagonal": "coef"}
_SIZE = (12.0, 14.0)
_LEAST = 1e-9  # distance that is shown
_NORMS = {  # of coefficients, and what perturbations of the dual norm are
    "l2": "Euclidean norm of the perturbation",
    "l1": "largest change of a feature",
    "fourier_l1": "largest change of a frequency",
}
_RULES = {"support vector machine": "--", "mean": ":", "Bayes rule": "-"}


class LinearDisplay:
    """Linear networks on their way to the predictors of theory, and where they have come to.

    First row: distance of the direction from its reference over the smallest margin, a panel for
    each architecture, a shade for each depth, a line for each seed of the gradient flow, dots for
    gradient descent. Second row: coefficients, or amplitudes of the spectrum of convolutional
    networks, where the flow of the first seed ends; bars are the reference at depth 2. Third row:
    that distance at one margin by the scale of the initial weights, margins by the width of the
    kernels, and test errors on another law over the number of samples. Last row: errors there on
    samples that are perturbed as badly as can be. Bands hold all draws. A depth has the same shade
    of the color of its architecture in all panels, and distances below 1e-9 are drawn there.

    Parameters
    ----------
    curves : DataFrame
        Columns ``architecture``, ``depth``, ``step``, ``seed``, ``margin`` and ``error``.
    spectra : DataFrame
        Columns ``architecture``, ``depth``, ``step``, ``seed``, ``place``, ``index``, ``mirrored``,
        ``coef``, ``amplitude``, ``reference_coef`` and ``reference_amplitude``.
    scales : DataFrame
        Columns ``architecture``, ``init_scale`` and ``error``.
    kernel_widths : DataFrame
        Columns ``kernel_size``, ``own_share``, and ``l2_share`` and ``fourier_l1_share``, also of
        the reference (``reference_l2_share``, ...).
    learning : DataFrame
        Columns ``network``, ``architecture``, ``depth``, ``n_samples``, ``test_error``.
    robustness : DataFrame
        Columns ``network``, ``norm``, ``radius`` and ``error``.
    scale_margin : float or None, default=None
        Margin of the panel of scales, for its title.
    attacked_size : int or None, default=None
        Number of training samples of the last row, for its titles.

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
    >>> small = {"input_shape": 6, "n_samples": 2, "depths": (1,), "n_seeds": 1, "max_iter": 100}
    >>> small |= {"scales": (0.1,), "kernel_sizes": (1,), "sizes": (4,), "signal_shape": 16}
    >>> linear_study(**small, n_draws=1).plot().panels_[-3:]
    ['attack l2', 'attack l1', 'attack fourier_l1']
    """

    def __init__(
        self,
        curves: pd.DataFrame,
        spectra: pd.DataFrame,
        scales: pd.DataFrame,
        kernel_widths: pd.DataFrame,
        learning: pd.DataFrame,
        robustness: pd.DataFrame,
        *,
        scale_margin: float | None = None,
        attacked_size: int | None = None,
    ):
        self.curves = curves
        self.spectra = spectra
        self.scales = scales
        self.kernel_widths = kernel_widths
        self.learning = learning
        self.robustness = robustness
        self.scale_margin = scale_margin
        self.attacked_size = attacked_size
        names = list(dict.fromkeys(curves["architecture"]))
        if strangers := [name for name in names if name not in _LOOKS]:
            raise ValueError(
                f"curves has the architecture {strangers[0]!r}: known are {', '.join(_LOOKS)}."
            )
        self._names = names
        depths = pd.concat([curves["depth"], learning["depth"].dropna()]) if len(learning) else []
        self._depths = sorted({2, *depths})  # of networks on their own law, and on the other
        self.panels_ = [f"{name}, {what}" for what in ("error", "predictor") for name in names]
        self.panels_ += ["scales", "kernel widths", "learning"]
        self.panels_ += [f"attack {norm}" for norm in dict.fromkeys(robustness["norm"])]

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
        """Draw on an empty figure of four rows."""
        self.figure_ = figure
        counts = (
            len(self._names),
            len(self._names),
            3,
            len(self.panels_) - 3 - 2 * len(self._names),
        )
        rows = figure.subfigures(len(counts), 1)
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
        self._plot_learning(axes["learning"])
        for norm, rows in self.robustness.groupby("norm", sort=False):
            self._plot_attack(axes[f"attack {norm}"], norm, rows)
        for ax in axes.values():
            ax.grid(alpha=0.25, lw=0.6)
            ax.spines[["top", "right"]].set_visible(False)
        return self

    def _color(self, name, depth=2):
        """Of an architecture, darker with depth."""
        color = FAMILY_STYLES[_LOOKS[name]].color
        return shade(color, self._depths.index(depth), len(self._depths))

    def _plot_errors(self, ax, name):
        rows = self.curves[(self.curves["architecture"] == name) & (self.curves["margin"] > 0)]
        for (depth, step, _), line in rows.groupby(["depth", "step", "seed"], sort=False):
            flow = step == "prox_linear"
            label = f"depth {depth}" if flow and f"depth {depth}" not in _labels(ax) else None
            look = {"lw": 1.2} if flow else {"ls": "", "marker": ".", "ms": 5, "mew": 0}
            shown = line["error"].clip(lower=_LEAST)
            ax.plot(line["margin"], shown, color=self._color(name, depth), label=label, **look)
        ax.set(xscale="log", yscale="log", xlabel="smallest margin")
        flows = self.curves[self.curves["step"] == "prox_linear"]
        ax.set(xlim=(0.03, 3 * max(1, flows["margin"].max())), ylim=(_LEAST / 2, 3))
        ax.set_title(f"{name}: gradient flow, descent (dots)", fontsize="medium")
        ax.set_ylabel("distance (drawn: 1e-9 or more)")
        ax.legend(frameon=False, fontsize="small", loc="lower left")

    def _plot_predictor(self, ax, name):
        rows, column = self.spectra[self.spectra["architecture"] == name], _SHOWN[name]
        rows = rows[(rows["seed"] == rows["seed"].iloc[0]) & (rows["step"] == "prox_linear")]
        if column == "amplitude":
            rows = rows[~rows["mirrored"]]
        marker = FAMILY_STYLES[_LOOKS[name]].marker
        lines = dict(list(rows.groupby("depth")))
        for depth, line in lines.items():
            look = {"color": self._color(name, depth), "marker": marker, "ms": 4, "lw": 0.8}
            ax.plot(np.arange(len(line)), line[column], label=f"depth {depth}", **look)
        best = lines.get(2, line)
        ax.bar(np.arange(len(best)), best[f"reference_{column}"], color="0.85", zorder=0)
        _name_places(ax, best["index"])
        ax.set_title(f"in the end; bars: theory, depth {best['depth'].iloc[0]}", fontsize="medium")
        if name == self._names[0]:  # where there is room
            ax.legend(frameon=False, fontsize="x-small", loc="upper center")
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

    def _plot_learning(self, ax):
        for network, rows in self.learning.groupby("network", sort=False):
            self._plot_mean(ax, rows, "n_samples", "test_error", network)
        ax.set(xscale="log", yscale="log", xlabel="training samples", ylabel="test error")
        ax.set_title("sparse spectra in noise: mean, range", fontsize="medium")
        number_axis(ax.xaxis, np.sort(self.learning["n_samples"].unique()))
        ax.legend(frameon=False, fontsize="x-small", ncols=2, loc="lower left")
        low, high = ax.get_ylim()
        ax.set_ylim(low * (low / high) ** 0.45, high)  # room for the legend

    def _plot_attack(self, ax, norm, rows):
        for network, line in rows.groupby("network", sort=False):
            self._plot_mean(ax, line, "radius", "error", network, marker="")
        ax.set(xlabel=_NORMS.get(norm, norm), ylabel="error under attack", ylim=(0, 0.8))
        of = "" if self.attacked_size is None else f", n = {self.attacked_size}"
        ax.set_title(f"attack in the dual of {norm.replace('_', ' ')}{of}", fontsize="medium")
        if norm == self.robustness["norm"].iloc[0]:
            ax.legend(frameon=False, fontsize="x-small", loc="upper left")

    def _plot_mean(self, ax, rows, x, y, network, **changes):
        """Mean over draws, and for networks the range of all of them."""
        found = rows.groupby(x)[y].agg(["mean", "min", "max"])
        look = self._look(network) | changes
        ax.plot(found.index, found["mean"], label=network, **look)
        if network not in _RULES:
            ax.fill_between(
                found.index, found["min"], found["max"], color=look["color"], alpha=0.1, lw=0
            )

    def _look(self, network):
        """Color, marker and line of a network or rule, such as "diagonal 2"."""
        if network in _RULES:
            return {"color": "0.2", "ls": _RULES[network], "lw": 1.2, "marker": ""}
        name, depth = network.split()
        color, marker = self._color(name, int(depth)), FAMILY_STYLES[_LOOKS[name]].marker
        return {"color": color, "marker": marker, "ms": 4, "lw": 1.4}


def _name_places(ax, names):
    """Write a text at each place, if a whole number does not say as much."""
    if names.str.contains(",").any():
        look = {"rotation": 90, "fontsize": "x-small"}
        ax.set_xticks(np.arange(len(names)), labels=names, **look)
    else:
        ax.xaxis.get_major_locator().set_params(integer=True)


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
