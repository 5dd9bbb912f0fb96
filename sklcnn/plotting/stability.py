"""Gap, excess and sharpness of networks below the edge of stability."""

from typing import Any

import numpy as np
import pandas as pd

from .curves import draw_curve, draw_level, look_of, scale_axes, shade
from .panels import png_of, take_axes
from .styles import FAMILY_STYLES, GRAY

__all__ = ["StabilityDisplay", "stability_png"]

_PANEL, _ROW, _LEGEND = 4.0, 3.7, 1.9  # width of a panel, height of a row, width of its legend
_TITLES = {
    "sphere": "Uniform sphere: regression with noise",
    "flat": "Patch-wise sphere: one network with shared filters, trained on noisy targets",
    "images": "Images with a local teacher: regression with noise",
}
_PANELS = {
    "sphere": ("gap", "relative_excess", "patch_size", "relative_sharpness"),
    "flat": ("loss", "excess", "relative_sharpness", "mean_activation_rate"),
    "images": ("loss", "excess", "relative_sharpness"),
}
_CONFIGURATION = ["part", "network", "n_features", "patch_size", "n_samples"]
# Quantities of one network have other colors than the families; also of Okabe and Ito.
_CNN, _TEST, _TRAIN, _DEAD = FAMILY_STYLES["CNN"].color, "#D55E00", "#56B4E9", "#000000"
_FLAT = {  # column, color and name of each curve
    "loss": [("loss", _CNN, None)],
    "excess": [
        ("excess", _TEST, "on test inputs: excess risk"),
        ("clean_train_error", _TRAIN, "on training inputs"),
    ],
    "relative_sharpness": [("relative_sharpness", _CNN, None)],
    "mean_activation_rate": [
        ("mean_activation_rate", _CNN, "of patches, on which a filter is active"),
        ("dead_share", _DEAD, "of filters, that are never active"),
    ],
}


class StabilityDisplay:
    """Networks trained below the edge of stability, one row of panels for each part of the study.

    On the sphere: generalization gap and relative excess over the number of samples at the end of
    training, the gap of the CNN by patch size, and the sharpness on its way to the edge of
    stability at the largest number of samples. On the patch-wise sphere: how one network learns
    noise by heart below that edge. On images: loss, excess and sharpness over the steps. Bands are
    intervals over repeats; panels for which nothing was measured are left out.

    Parameters
    ----------
    averages : DataFrame
        One row for each ``part`` ("sphere", "flat" or "images"), ``network``, ``n_features``,
        ``patch_size``, ``n_samples`` and ``step``, and any of the columns ``loss``,
        ``clean_train_error``, ``excess``, ``relative_excess`` (over the variance of the target),
        ``gap``, ``target_variance``, ``relative_sharpness`` (over the edge of stability),
        ``mean_activation_rate`` and ``dead_share``. Ends of their intervals have the same name
        with ``_low`` and ``_high``; with a column ``repeats``, those of fewer than three are left
        out, which would fill the picture. Networks have the colors of ``FAMILY_STYLES``, darker in
        higher dimension; with a comma in their name, as in "CNN, matched", they are dashed.
    slopes : DataFrame or None, default=None
        Columns ``network``, ``quantity``, ``n_features``, ``patch_size`` and ``theory``: slopes of
        the logarithm of the gap over that of the number of samples, for guides through the mean of
        their curve. Theory has no constants.
    certificates : DataFrame or None, default=None
        Columns ``sharpness``, ``threshold`` and ``excess`` of explicit flat interpolators on the
        patch-wise sphere.
    noise : float or None, default=None
        Standard deviation of the noise on the patch-wise sphere.
    interval : str, default="95 % interval"
        What the bands are, for the legend.
    title : str, default=""
        Title of the figure that ``plot`` makes.

    Attributes
    ----------
    panels_ : list of tuple of two str
        Part and quantity of each panel.
    axes_ : dict of tuple of two str to matplotlib.axes.Axes
        The axes of each panel, after ``plot``.
    theory_ : list of matplotlib.lines.Line2D
        The slopes of theory, after ``plot``.
    figure_ : matplotlib.figure.Figure
        The figure, after ``plot``.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> import pandas as pd
    >>> from sklcnn.plotting import StabilityDisplay
    >>> names = {"part": "images", "network": "CNN", "n_features": 64, "patch_size": 9}
    >>> rows = [names | {"n_samples": 100, "step": 0, "loss": 2, "excess": 1}]
    >>> rows += [names | {"n_samples": 100, "step": 9, "loss": 1, "excess": 0.2}]
    >>> StabilityDisplay(pd.DataFrame(rows)).plot().panels_
    [('images', 'loss'), ('images', 'excess')]
    """

    def __init__(
        self,
        averages: pd.DataFrame,
        *,
        slopes: pd.DataFrame | None = None,
        certificates: pd.DataFrame | None = None,
        noise: float | None = None,
        interval: str = "95 % interval",
        title: str = "",
    ):
        self.averages = _check_averages(averages)
        self.slopes = slopes
        self.certificates = certificates
        self.noise = noise
        self.interval = interval
        self.title = title
        self.panels_ = [
            (part, name) for part in _PANELS for name in _PANELS[part] if self._has(part, name)
        ]
        if not self.panels_:
            raise ValueError("averages holds no number that any panel could show.")

    def plot(self, axes: Any = None) -> "StabilityDisplay":
        """Draw all panels.

        Parameters
        ----------
        axes : sequence of matplotlib.axes.Axes or None, default=None
            Where to draw, one for each of ``panels_``; None makes a figure.

        Returns
        -------
        display : StabilityDisplay
            The display itself.
        """
        if axes is None:
            import matplotlib.pyplot as plt

            return self._plot_on(plt.figure(figsize=self._size(), layout="constrained"))
        taken = take_axes(axes, [f"{part} {name}" for part, name in self.panels_], None)
        self.figure_ = taken[0].figure
        return self._plot_panels(dict(zip(self.panels_, taken, strict=True)), outside=False)

    def _has(self, part, name):
        """Whether there is something to show in a panel."""
        rows = self._rows(part)
        if name == "patch_size":
            return len(self._other_patches()) > 0
        return name in rows and rows[name].notna().any()

    def _size(self):
        """Of a figure, in inches."""
        parts = [part for part, _ in self.panels_]
        widest = max(parts.count(part) for part in parts)
        return _PANEL * widest + _LEGEND, _ROW * len(set(parts)) + 0.4 * bool(self.title)

    def _plot_on(self, figure):
        """Draw on an empty figure, a row for each part."""
        parts = list(dict.fromkeys(part for part, _ in self.panels_))
        rows = figure.subfigures(len(parts), 1, squeeze=False)[:, 0]
        axes = {}
        for part, row in zip(parts, rows, strict=True):
            panels = [panel for panel in self.panels_ if panel[0] == part]
            row.suptitle(_TITLES[part])
            axes |= dict(zip(panels, row.subplots(1, len(panels), squeeze=False)[0], strict=True))
        if self.title:
            figure.suptitle(self.title, fontweight="bold")
        self.figure_ = figure
        return self._plot_panels(axes, outside=True)

    def _plot_panels(self, axes, outside):
        self.axes_ = axes
        self.theory_: list[Any] = []
        drawings = {"sphere": self._plot_sphere, "flat": self._plot_flat}
        for (part, name), ax in axes.items():
            drawings.get(part, self._plot_images)(ax, name)
            ax.grid(alpha=0.25, lw=0.6)
            ax.spines[["top", "right"]].set_visible(False)
        for part in ("sphere", "images"):
            row = [ax for panel, ax in axes.items() if panel[0] == part]
            if row:
                self._explain(part, row[-1 if outside else 0], outside)
        return self

    def _rows(self, part):
        return self.averages[self.averages["part"] == part]

    # the sphere

    def _plot_sphere(self, ax, name):
        rows = self._rows("sphere")
        rows = rows[_has_main_patch(rows)]
        if name == "patch_size":
            self._plot_patch_sizes(ax)
        elif name == "relative_sharpness":
            largest = rows["n_samples"].max()
            _draw_steps(ax, rows[rows["n_samples"] == largest], name, self._look)
            draw_level(ax, 1, "edge of stability")
            ax.set_title(f"on the way, {largest:,} samples", fontsize="medium")
            scale_axes(ax, name)
        else:
            self._plot_ends(ax, name, _at_end(rows))

    def _plot_ends(self, ax, name, rows):
        """Gap or excess over the number of samples, one curve for each network and dimension."""
        for key, curve in rows.groupby(["network", "n_features"], sort=False):
            draw_curve(ax, curve, "n_samples", name, self._look(*key))
            if name == "gap":
                self._draw_theory(ax, curve, self._look(*key)["color"])
        if name == "relative_excess":
            draw_level(ax, 1, "constant predictor")
        ax.set_title(f"after {rows['step'].max():,} steps", fontsize="medium")
        scale_axes(ax, name, rows["n_samples"].unique())

    def _plot_patch_sizes(self, ax):
        rows = self._other_patches()
        sizes = sorted(rows["patch_size"].unique())
        for place, size in enumerate(sizes):
            look = look_of("CNN", place, len(sizes)) | {"label": f"patches of {size:g}"}
            draw_curve(ax, rows[rows["patch_size"] == size], "n_samples", "gap", look)
        ax.legend(frameon=False, fontsize="small")
        ax.set_title(f"CNN, {rows['n_features'].iloc[0]:,} features", fontsize="medium")
        scale_axes(ax, "gap", rows["n_samples"].unique())

    def _other_patches(self):
        """Rows after the last step of the CNN, in the dimension with most patch sizes."""
        rows = self._rows("sphere")
        if "gap" not in rows:
            return rows[:0]
        rows = _at_end(rows[(rows["network"] == "CNN") & rows["gap"].notna()])
        counts = rows.groupby("n_features")["patch_size"].nunique()
        if not len(counts) or counts.max() < 2:
            return rows[:0]
        return rows[rows["n_features"] == counts.idxmax()]

    def _look(self, network, n_features):
        """Color, marker and dashes of a network on the sphere."""
        dimensions = sorted(self._rows("sphere")["n_features"].unique())
        return look_of(network, dimensions.index(n_features), len(dimensions))

    def _draw_theory(self, ax, curve, color):
        """Line of the slope that theory has, through the mean of the curve."""
        names = ["network", "n_features", "patch_size"]
        known = curve[curve["gap"] > 0]
        if self.slopes is None or len(known) < 2:
            return
        own = self.slopes[self.slopes["quantity"] == "gap"]
        slopes = own.loc[(own[names] == known[names].iloc[0]).all(axis=1), "theory"]
        if not (slopes < 0).any():  # none, or no guarantee
            return
        x = np.log(known["n_samples"].to_numpy(dtype=float))
        line = np.log(known["gap"]).mean() + slopes.iloc[0] * (x - x.mean())
        look = {"color": color, "ls": ":", "lw": 1.6, "zorder": 1.5}
        self.theory_ += ax.plot(np.exp(x), np.exp(line), **look)

    # the patch-wise sphere, and images

    def _plot_flat(self, ax, name):
        rows = self._rows("flat")
        for column, color, label in _FLAT[name]:
            if column in rows:
                ls = "--" if column == "dead_share" else "-"
                draw_curve(ax, rows, "step", column, {"color": color, "label": label, "ls": ls})
        if name == "excess":
            draw_level(ax, _variance(rows), "variance of the target")
            if self.noise:
                draw_level(ax, self.noise**2, "variance of the noise", at_left=True)
        elif name == "relative_sharpness":
            draw_level(ax, 1, "edge of stability")
        self._draw_certificates(ax, rows["step"].max(), name)
        if ax.get_legend_handles_labels()[0]:
            ax.legend(frameon=False, fontsize="small")
        scale_axes(ax, name)

    def _draw_certificates(self, ax, step, name):
        """Explicit flat interpolators, at the last step."""
        found = self.certificates
        if found is None or not len(found) or name not in ("excess", "relative_sharpness"):
            return
        values = found["excess"]
        if name == "relative_sharpness":
            values = found["sharpness"] / found["threshold"]
        look = {"color": _DEAD, "mec": "white", "ms": 9, "zorder": 4, "clip_on": False}
        ax.plot(np.full(len(found), step), values, "X", label="explicit flat interpolator", **look)

    def _plot_images(self, ax, name):
        rows = self._rows("images")
        _draw_steps(ax, rows, name, lambda network, _: look_of(network, 0, 1))
        if name == "excess":
            draw_level(ax, _variance(rows), "variance of the target")
        elif name == "relative_sharpness":
            draw_level(ax, 1, "edge of stability")
        scale_axes(ax, name)

    def _explain(self, part, ax, outside):
        """Legend of a row: networks, dimensions and what else its curves have in common."""
        from matplotlib.lines import Line2D
        from matplotlib.patches import Patch

        rows = self._rows(part)
        marker = {} if part == "sphere" else {"marker": ""}
        handles: list[Any] = [
            Line2D([], [], label=network, **look_of(network, 0, 1) | marker)
            for network in dict.fromkeys(rows["network"])
        ]
        dimensions = sorted(rows["n_features"].unique())
        if part == "sphere" and len(dimensions) > 1:
            for place, dimension in enumerate(dimensions):
                color = shade("0.5", place, len(dimensions))
                handles.append(Line2D([], [], color=color, lw=4, label=f"{dimension:,} features"))
        if part == "sphere" and self.theory_:
            handles.append(Line2D([], [], color=GRAY, ls=":", lw=1.6, label="slope in theory"))
        if len(ax.collections):
            handles.append(Patch(color=GRAY, alpha=0.3, lw=0, label=self.interval))
        place_of = {"loc": "upper left", "bbox_to_anchor": (1.02, 1)} if outside else {}
        ax.legend(handles=handles, frameon=False, fontsize="small", **place_of)


def _check_averages(averages):
    """Refuse a table without the columns that say what a row is."""
    needed = [*_CONFIGURATION, "step"]
    if missing := [name for name in needed if name not in averages]:
        raise ValueError(
            f"averages has the columns {', '.join(map(str, averages))}: it lacks '{missing[0]}'."
        )
    if strangers := sorted(set(averages["part"]) - set(_PANELS)):
        raise ValueError(
            f"averages has the part {strangers[0]!r}: parts must be among {', '.join(_PANELS)}."
        )
    return averages


def _variance(rows):
    """Of the target, or NaN."""
    return rows["target_variance"].mean() if "target_variance" in rows else np.nan


def _at_end(rows):
    """Rows after the last step."""
    return rows[rows["step"] == rows["step"].max()]


def _has_main_patch(rows):
    """Mark all rows but those with a patch size that fewer networks and dimensions have."""
    local = rows["patch_size"] < rows["n_features"]
    pairs = rows[local].drop_duplicates(["network", "n_features", "patch_size"])
    return ~local | rows["patch_size"].isin(pairs["patch_size"].mode()[:1])


def _draw_steps(ax, rows, name, look):
    """One curve over the steps for each network and dimension."""
    for key, curve in rows.groupby(["network", "n_features"], sort=False):
        draw_curve(ax, curve, "step", name, look(*key) | {"marker": ""})


def stability_png(display, dpi=150):
    """Draw a display in a figure of its own and return the picture as PNG.

    Parameters
    ----------
    display : StabilityDisplay
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
    display._plot_on(figure)
    return png_of(figure, dpi)
