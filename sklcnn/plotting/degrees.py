"""Accuracy over the plane of locality and weight sharing."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .panels import check_array, check_grid, png_of, take_axes
from .styles import FAMILY_STYLES, GRAY

__all__ = ["DegreesDisplay", "degrees_png"]

_PANEL, _ROW, _MARGIN = 3.7, 0.5, 1.5  # width of a panel, height of a row and around, in inches


class DegreesDisplay:
    """Accuracy as a map of patch size and number of groups, one for each n, and as curves.

    The left column of a map is the convolutional network (all patches share their filters), the
    right one the locally connected network (none do), and the patch of the whole input, whose row
    is one cell, the fully connected network. Cells that do not exist are gray. The last panel shows
    the columns of the largest n as curves over the patch size.

    Parameters
    ----------
    patch_sizes : array-like of shape (n_patch_sizes,)
        Increasing; the last is the whole input.
    group_counts : sequence of int
        Numbers of groups, increasing.
    accuracies : dict of int to array-like of shape (n_patch_sizes, n_group_counts + 1)
        For each number of training samples, NaN where there is no such network. The last column is
        that without sharing, whatever the number of patches.
    n_patches : array-like of shape (n_patch_sizes,) or None, default=None
        Numbers of patches, written beside the patch sizes.
    half_widths : dict of int to array-like like accuracies or None, default=None
        Of the intervals.
    interval : str, default="interval"
        What they are, such as "95 % interval", for the legend.
    title : str, default=""
        Title of the figure that ``plot`` makes.

    Attributes
    ----------
    axes_ : ndarray of shape (n_sizes + 1,)
        The axes, after ``plot``.
    figure_ : matplotlib.figure.Figure
        The figure, after ``plot``.
    meshes_ : dict of int to matplotlib.collections.QuadMesh
        The map of each n, after ``plot``.
    lines_ : list of matplotlib.lines.Line2D
        The curve of each column, after ``plot``.
    colorbar_ : matplotlib.colorbar.Colorbar
        The color bar that the maps share, after ``plot``.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> from sklcnn.plotting import DegreesDisplay
    >>> accuracies = {100: [[0.7, 0.8, 0.75], [0.7, 0.9, 0.8], [None, None, 0.6]]}
    >>> display = DegreesDisplay([3, 5, 8], [1, 4], accuracies).plot()
    >>> [ax.get_title() for ax in display.axes_]
    ['n = 100', 'by patch size, n = 100']
    """

    def __init__(
        self,
        patch_sizes: ArrayLike,
        group_counts: Sequence[int],
        accuracies: Mapping[int, ArrayLike],
        *,
        n_patches: ArrayLike | None = None,
        half_widths: Mapping[int, ArrayLike] | None = None,
        interval: str = "interval",
        title: str = "",
    ):
        self.patch_sizes = check_grid("patch_sizes", patch_sizes).astype(int)
        self.group_counts = check_grid("group_counts", group_counts).astype(int)
        if not accuracies:
            raise ValueError(f"accuracies is {accuracies!r}: it must hold at least one map.")
        self.accuracies = self._check("accuracies", accuracies)
        self.half_widths = self._check("half_widths", half_widths or {})
        if strangers := sorted(self.half_widths.keys() - self.accuracies.keys()):
            raise ValueError(f"half_widths has n = {strangers[0]}, of which there is no map.")
        self.n_patches = None
        if n_patches is not None:
            shape, meaning = self.patch_sizes.shape, "one number for each of patch_sizes"
            self.n_patches = check_array("n_patches", n_patches, shape, meaning).astype(int)
        self.interval = interval
        self.title = title
        if not np.isfinite(np.concatenate(list(self.accuracies.values()))).any():
            raise ValueError(f"accuracies is {accuracies!r}: it holds no number to be shown.")

    def plot(self, axes: Any = None) -> "DegreesDisplay":
        """Draw the maps and the curves.

        Parameters
        ----------
        axes : sequence of matplotlib.axes.Axes or None, default=None
            Where to draw, one for each map and one for the curves; None makes a figure.

        Returns
        -------
        display : DegreesDisplay
            The display itself.
        """
        names = [*(f"n = {n:,}" for n in self.accuracies), "curves"]
        self.axes_ = take_axes(axes, names, self._size())
        self.figure_ = self.axes_[0].figure
        self.meshes_: dict[int, Any] = {}
        low, high = self._limits()
        for ax, n in zip(self.axes_, self.accuracies, strict=False):
            self._plot_map(ax, n, low, high)
        self.axes_[0].set_yticks(np.arange(len(self.patch_sizes)) + 0.5, self._row_labels())
        self.axes_[0].set_ylabel(self._ylabel())
        self._plot_curves(self.axes_[-1])
        maps = list(self.axes_[:-1])
        self.colorbar_ = self.figure_.colorbar(self.meshes_[n], ax=maps, pad=0.02)
        self.colorbar_.set_label("test accuracy")
        if axes is None and self.title:
            self.figure_.suptitle(self.title)
        return self

    def _size(self):
        """Of a figure, in inches."""
        width = _PANEL * (len(self.accuracies) + 1) + 2.0
        return width, max(_ROW * len(self.patch_sizes) + _MARGIN, 3.6)

    def _check(self, parameter, maps):
        """Arrays (n_patch_sizes, n_group_counts + 1), increasing in n."""
        shape = len(self.patch_sizes), len(self.group_counts) + 1
        meaning = "(n_patch_sizes, n_group_counts + 1), the last column without sharing"
        return {n: check_array(f"{parameter}[{n}]", maps[n], shape, meaning) for n in sorted(maps)}

    def _limits(self):
        """Ends of the colors, the same in all maps."""
        values = np.concatenate(list(self.accuracies.values()))
        return np.nanmin(values), np.nanmax(values)

    def _plot_map(self, ax, n, low, high):
        """One map; the row of the whole input is one cell."""
        values = self.accuracies[n].copy()
        values[-1] = values[-1, -1]
        ax.set_facecolor("0.85")  # of cells that do not exist
        self.meshes_[n] = ax.pcolormesh(
            np.ma.masked_invalid(values), cmap="viridis", vmin=low, vmax=high, rasterized=True
        )
        middle = low + 0.6 * (high - low)
        for row, column in np.argwhere(np.isfinite(values)):
            is_whole = row == len(values) - 1
            if is_whole and column:
                continue
            x = values.shape[1] / 2 if is_whole else column + 0.5
            color = "black" if values[row, column] > middle else "white"
            text = self._text(n, row, -1 if is_whole else column)
            ax.text(x, row + 0.5, text, color=color, ha="center", va="center", fontsize=7.5)
        self._dress(ax, n)

    def _text(self, n, row, column):
        """Write accuracy and half width of its interval."""
        text = f"{self.accuracies[n][row, column]:.3f}"
        if n in self.half_widths and np.isfinite(self.half_widths[n][row, column]):
            text += f"\n± {self.half_widths[n][row, column]:.3f}"
        return text

    def _dress(self, ax, n):
        ax.set(title=f"n = {n:,}", xlabel="groups of patches that share filters")
        counts = [str(count) for count in self.group_counts]
        if self.group_counts[0] == 1:
            counts[0] = "1\nCNN"
        ax.set_xticks(np.arange(len(counts) + 1) + 0.5, [*counts, "no sharing\nLCN"])
        ax.set_yticks([])  # the first map numbers the rows of all
        ax.invert_yaxis()
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)

    def _row_labels(self):
        """Patch sizes, with the number of patches where it is known."""
        numbers = [""] * len(self.patch_sizes)
        if self.n_patches is not None:
            numbers = [f" ({number})" for number in self.n_patches]
        labels = [f"{size}{number}" for size, number in zip(self.patch_sizes, numbers, strict=True)]
        return [*labels[:-1], f"FCN: {labels[-1]}"]

    def _ylabel(self):
        return "patch size" + ("" if self.n_patches is None else " (number of patches)")

    def _plot_curves(self, ax):
        """The columns of the largest n over the patch size."""
        n = max(self.accuracies)
        x, values = np.arange(len(self.patch_sizes)), self.accuracies[n].copy()
        values[-1] = values[-1, -1]  # all curves end in the same network
        halves = self.half_widths.get(n, np.full_like(values, np.nan))
        self.lines_ = []
        looks = list(self._looks())
        aside = np.linspace(-0.12, 0.12, len(looks))  # so that intervals do not hide each other
        for column, (label, style) in enumerate(looks):
            there = np.flatnonzero(np.isfinite(values[:, column]))
            places = x[there] + np.where(there < x[-1], aside[column], 0)
            (line,) = ax.plot(places, values[there, column], label=label, **style)
            self.lines_.append(line)
            ends = values[there, column] + halves[there, column] * np.array([[-1], [1]])
            ax.vlines(places[:-1], *ends[:, :-1], color=line.get_color(), lw=1.2)
        self._plot_fcn(ax, x[-1], values[-1, -1], halves[-1, -1])
        self._dress_curves(ax, n)

    def _plot_fcn(self, ax, x, accuracy, half):
        """The point in which all curves end."""
        fcn = FAMILY_STYLES["FCN"]
        ax.vlines(x, accuracy - half, accuracy + half, color=fcn.color, lw=1.2)
        look = {"color": fcn.color, "marker": fcn.marker, "ls": "none", "ms": 8, "zorder": 4}
        ax.plot(x, accuracy, label="FCN", **look)

    def _looks(self):
        """Label and style of every column."""
        cnn, lcn = FAMILY_STYLES["CNN"], FAMILY_STYLES["LCN"]
        between = np.linspace(0.35, 0.75, max(len(self.group_counts), 2))
        for place, count in enumerate(self.group_counts):
            if count == 1:
                yield "1 group (CNN)", {"color": cnn.color, "marker": cnn.marker, "ms": 6}
            else:
                gray = str(between[place])
                yield f"{count} groups", {"color": gray, "ls": "--", "marker": ".", "lw": 1}
        yield "no sharing (LCN)", {"color": lcn.color, "marker": lcn.marker, "ms": 6}

    def _dress_curves(self, ax, n):
        ax.set(title=f"by patch size, n = {n:,}", ylabel="test accuracy", xlabel="patch size")
        ax.set_xticks(np.arange(len(self.patch_sizes)), self.patch_sizes)
        ax.grid(alpha=0.25, lw=0.6)
        ax.spines[["top", "right"]].set_visible(False)
        if n in self.half_widths:
            ax.plot([], [], color=GRAY, lw=1.2, label=self.interval)
        ax.legend(frameon=False, fontsize="small", loc="upper left", bbox_to_anchor=(1, 1))


def degrees_png(displays, dpi=150):
    """Draw displays below each other and return the picture as PNG.

    Parameters
    ----------
    displays : list of DegreesDisplay
        One per row.
    dpi : int, default=150
        Resolution in dots per inch.

    Returns
    -------
    png : bytes
        Content of a PNG file.
    """
    from matplotlib.figure import Figure  # not pyplot: nothing is shown, no state is kept

    sizes = [display._size() for display in displays]
    heights = [height for _, height in sizes]
    figure = Figure((max(width for width, _ in sizes), sum(heights)), layout="constrained")
    parts = figure.subfigures(len(displays), 1, squeeze=False, height_ratios=heights)[:, 0]
    for display, part in zip(displays, parts, strict=True):
        display.plot(part.subplots(1, len(display.accuracies) + 1, squeeze=False)[0])
        part.suptitle(display.title)
    return png_of(figure, dpi)
