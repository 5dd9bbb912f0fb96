"""Test error over the noise and the number of training samples."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .panels import check_array, check_grid, check_intervals, check_names, number_axis, take_axes
from .styles import styles_of

__all__ = ["PhaseDisplay"]

_PANEL = (3.4, 3.5)  # of one family, in inches
_DASHES = ("--", "-.", ":")


class PhaseDisplay:
    """Test error as a heat map over noise and training samples, one panel for each family.

    The colors share one scale from zero to the error of a guess; cells that were not measured are
    gray. Where there are repeats the mean is shown, and cells whose mean is doubtful have a dot.

    Parameters
    ----------
    noises : array-like of shape (n_noises,)
        Standard deviations of the noise, for a signal of norm one; increasing.
    sizes : array-like of shape (n_sizes,)
        Numbers of training samples, increasing.
    errors : dict of str to array-like of shape (n_sizes, n_noises, n_repeats)
        Test error of each family, NaN where nothing was measured; the axis of repeats may be
        missing.
    needed : dict of str to array-like of shape (n_noises,) or None, default=None
        Samples that each family needs at each noise, drawn as a curve; NaN where unknown.
    low, high : dict of str to array-like of shape (n_noises,) or None, default=None
        Ends of the interval around ``needed``.
    critical_noise : dict of str to float or None, default=None
        Noises at which theory expects a change, drawn as vertical lines in all panels if they lie
        in them; the keys are their names in the legend.
    levels : sequence of float, default=()
        Errors at which contour lines are drawn.
    chance : float, default=0.5
        Error of a guess, upper end of the colors.
    doubtful : float, default=0.02
        Cells whose standard error over the repeats is larger have a dot.
    interval : str, default="interval"
        What ``low`` and ``high`` are, such as "95 % interval", for the legend.
    title : str, default=""
        Title of the figure that ``plot`` makes.

    Attributes
    ----------
    axes_ : ndarray of shape (n_families,)
        The axes, after ``plot``.
    figure_ : matplotlib.figure.Figure
        The figure, after ``plot``.
    meshes_ : dict of str to matplotlib.collections.QuadMesh
        The heat map of each family, after ``plot``.
    colorbar_ : matplotlib.colorbar.Colorbar
        The color bar that the panels share, after ``plot``.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> from sklcnn.plotting import PhaseDisplay
    >>> errors = {"LCN": [[0.1, 0.4], [0.0, 0.3]], "CNN": [[0.0, 0.3], [0.0, 0.2]]}
    >>> display = PhaseDisplay([0.1, 0.4], [100, 1000], errors).plot()
    >>> [ax.get_title() for ax in display.axes_], display.colorbar_.ax.get_ylabel()
    (['LCN', 'CNN'], 'test error')
    """

    def __init__(
        self,
        noises: ArrayLike,
        sizes: ArrayLike,
        errors: Mapping[str, ArrayLike],
        *,
        needed: Mapping[str, ArrayLike] | None = None,
        low: Mapping[str, ArrayLike] | None = None,
        high: Mapping[str, ArrayLike] | None = None,
        critical_noise: Mapping[str, float] | None = None,
        levels: Sequence[float] = (),
        chance: float = 0.5,
        doubtful: float = 0.02,
        interval: str = "interval",
        title: str = "",
    ):
        self.noises = check_grid("noises", noises, zero_allowed=True)
        self.sizes = check_grid("sizes", sizes)
        if not errors:
            raise ValueError(f"errors is {errors!r}: it must hold at least one family.")
        self.errors = {name: self._check_errors(name, values) for name, values in errors.items()}
        self.needed = self._check_curves("needed", needed or {}, errors)
        self.low = self._check_curves("low", low or {}, self.needed)
        self.high = self._check_curves("high", high or {}, self.needed)
        self.critical_noise = dict(critical_noise or {})
        self.levels = sorted(levels)
        self.chance = chance
        self.doubtful = doubtful
        self.interval = interval
        self.title = title
        check_intervals(self.needed, self.low, self.high)
        if self.levels and min(self.noises.size, self.sizes.size) < 2:
            raise ValueError(
                f"levels is {levels}, but contour lines need at least two noises and two sizes."
            )

    def plot(self, axes: Any = None) -> "PhaseDisplay":
        """Draw one heat map for each family.

        Parameters
        ----------
        axes : matplotlib.axes.Axes, sequence of them or None, default=None
            Where to draw, one for each family; None makes a figure.

        Returns
        -------
        display : PhaseDisplay
            The display itself.
        """
        names = list(self.errors)
        size = (_PANEL[0] * len(names) + 0.8, _PANEL[1])
        self.axes_ = take_axes(axes, names, size, sharex=True, sharey=True)
        self.figure_ = self.axes_[0].figure
        self.meshes_: dict[str, Any] = {}
        for ax, (name, style) in zip(self.axes_, styles_of(names).items(), strict=True):
            self._plot_errors(ax, name)
            self._plot_contours(ax, name)
            self._plot_critical_noise(ax)
            self._plot_needed(ax, name, style)
            self._dress(ax, name)
        self.axes_[0].set_ylabel("training samples")
        self._add_colorbar()
        self._explain(outside=axes is None)
        return self

    def _check_errors(self, name, values):
        """Errors of shape (n_sizes, n_noises, n_repeats)."""
        values = np.asarray(values, dtype=float)
        shape = (self.sizes.size, self.noises.size)
        if values.ndim not in (2, 3) or values.shape[:2] != shape or not values.size:
            raise ValueError(
                f"errors[{name!r}] has shape {values.shape}: it must have shape {shape}, "
                "(n_sizes, n_noises), with or without a last axis of repeats."
            )
        return values.reshape(*shape, -1)

    def _check_curves(self, parameter, curves, known):
        """Arrays (n_noises,) of known families."""
        check_names(parameter, curves, known)
        meaning = "one number for each of noises"
        return {
            name: check_array(f"{parameter}[{name!r}]", values, self.noises.shape, meaning)
            for name, values in curves.items()
        }

    def _plot_errors(self, ax, name):
        """Heat map with its cells around the noises and the sizes."""
        means = self.errors[name].mean(axis=2)  # (n_sizes, n_noises)
        ax.set_yscale("log")
        ax.set_facecolor("0.8")  # of cells without a number
        self.meshes_[name] = ax.pcolormesh(
            _edges(self.noises),
            np.exp(_edges(np.log(self.sizes))),
            np.ma.masked_invalid(means),
            cmap="viridis",
            vmin=0,
            vmax=self.chance,
            rasterized=True,
        )
        rows, columns = np.nonzero(_standard_error(self.errors[name]) > self.doubtful)
        if rows.size:
            label = f"standard error above {self.doubtful:g}"
            look = {"color": "white", "mec": "black", "mew": 0.4, "ls": "none", "ms": 3}
            ax.plot(self.noises[columns], self.sizes[rows], "o", label=label, **look)

    def _plot_contours(self, ax, name):
        """Contour lines at the levels that this family crosses."""
        from matplotlib.colors import to_rgb

        means = self.errors[name].mean(axis=2)
        low, high = np.nanmin(means, initial=np.inf), np.nanmax(means, initial=-np.inf)
        levels = [level for level in self.levels if low < level < high]
        if not levels:
            return
        # White is hard to see on the yellow end of the colors, black on the blue one.
        colors = ["white" if level < 0.6 * self.chance else "black" for level in levels]
        lines = ax.contour(
            self.noises,
            self.sizes,
            np.ma.masked_invalid(means),
            levels,
            colors=colors,
            linewidths=1,
        )
        for text in ax.clabel(lines, fmt="%g", fontsize=8, zorder=3):
            text.set_rotation(0)  # upright ones may come out upside down
            text.set_path_effects(
                _rim(2, "white" if sum(to_rgb(text.get_color())) < 1 else "black")
            )

    def _plot_critical_noise(self, ax):
        for i, (label, noise) in enumerate(self.critical_noise.items()):
            if _edges(self.noises)[0] <= noise <= _edges(self.noises)[-1]:
                ax.axvline(noise, label=label, ls=_DASHES[i % len(_DASHES)], **_outlined(1.5))

    def _plot_needed(self, ax, name, style):
        if name not in self.needed:
            return
        needed = self.needed[name]
        if name in self.low:
            ax.vlines(self.noises, self.low[name], self.high[name], zorder=3, **_outlined(1.5))
        look = {"marker": style.marker, "ms": 6, "mec": "black", "mew": 0.7, "mfc": style.color}
        ax.plot(self.noises, needed, zorder=4, **look, **_outlined(1.8))
        label = "samples needed" + (f", {self.interval}" if name in self.low else "")
        ax.plot([], [], label=label, **look | {"marker": "o", "mfc": "0.6"}, **_outlined(1.8))

    def _dress(self, ax, name):
        ax.set(title=name, xlabel="noise (standard deviation)")
        ax.set_xlim(_edges(self.noises)[[0, -1]])
        ax.set_ylim(np.exp(_edges(np.log(self.sizes))[[0, -1]]))
        number_axis(ax.yaxis, self.sizes)

    def _add_colorbar(self):
        beyond = any(np.nanmax(mesh.get_array()) > self.chance for mesh in self.meshes_.values())
        mesh = next(iter(self.meshes_.values()))
        self.colorbar_ = self.figure_.colorbar(
            mesh,
            ax=list(self.axes_),
            label="test error",
            extend="max" if beyond else "neither",
            pad=0.02,
        )

    def _explain(self, outside):
        """Legend of what lies over the heat maps, each thing once."""
        entries = {}
        for ax in self.axes_:
            for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
                entries.setdefault(label, handle)
        if outside and self.title:
            self.figure_.suptitle(self.title)
        if not entries:
            return
        look = {"fontsize": "small", "facecolor": "0.85", "edgecolor": "none"}
        if outside:
            look |= {"loc": "outside lower center", "ncols": len(entries)}
        home = self.figure_ if outside else self.axes_[-1]
        home.legend(entries.values(), entries.keys(), **look)


def _edges(centers):
    """Borders (n + 1,) of cells around n increasing numbers; a single cell has width one."""
    if centers.size == 1:
        return centers[0] + np.array([-0.5, 0.5])
    middles = (centers[1:] + centers[:-1]) / 2
    first, last = 2 * centers[0] - middles[0], 2 * centers[-1] - middles[-1]
    return np.concatenate([[first], middles, [last]])


def _standard_error(errors):
    """Standard error of the mean over repeats (n_sizes, n_noises); zero of a single repeat."""
    n_repeats = errors.shape[2]
    if n_repeats == 1:
        return np.zeros(errors.shape[:2])
    return errors.std(axis=2, ddof=1) / np.sqrt(n_repeats)


def _outlined(width):
    """White with a black rim: seen on every color of the heat map."""
    return {"color": "white", "linewidth": width, "path_effects": _rim(width + 1.6, "black")}


def _rim(width, color):
    from matplotlib import patheffects

    return [patheffects.withStroke(linewidth=width, foreground=color)]
