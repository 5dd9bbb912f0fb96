"""Clouds of patches: how flat they are and how deep their points lie, scheme by scheme."""

from collections.abc import Mapping
from itertools import cycle
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .panels import check_grid, check_names, number_log_axis, png_of, take_axes
from .styles import GRAY

__all__ = ["PatchGeometryDisplay", "geometry_png"]

_PANEL, _HEIGHT = 4.6, 4.2  # of one panel, in inches
_LEGEND_ROW = 0.24  # in inches
_LEGEND_COLUMNS = 3
_LEAST_SHARE = 1e-3  # of queries, where the depth profile leaves the picture
_ROUNDING = 1e-12
# Paul Tol's muted scheme, which color-blind readers can tell apart; it keeps clear of the colors
# of the network families. Dashes serve print: nine colors and four dashes give 36 pairs.
_COLORS = (
    *("#332288", "#CC6677", "#117733", "#88CCEE", "#882255"),
    *("#DDCC77", "#44AA99", "#AA4499", "#999933"),
)
_DASHES = ("-", "--", ":", "-.")


class PatchGeometryDisplay:
    """Spectrum and half-space depth of patches, of several connectivities in one picture.

    On the left the share of variance that the first components hold, with a dot at the elbow: the
    first number of components that hold the share asked for. Next to it the depth profile, the
    share of patches that lie at least so deep; the area under it is the mean depth. If it is
    handed, a third panel shows how the mean depth fell with the number of random directions: the
    depth is an upper bound, and a curve that still falls says that it is not a tight one.

    Parameters
    ----------
    cumulative_shares : dict of str to array-like of shape (patch_size,)
        For each scheme, the share of variance of the first component, the first two, and so on.
    depths : dict of str to array-like of shape (n_queries,)
        For each scheme, depths of some patches, between 0 and 1/2.
    n_directions, mean_depths : dict of str to array-like of shape (n_steps,) or None, default=None
        Numbers of directions, and the mean depth after so many.
    share : float, default=0.9
        Share of variance for the elbow.
    title : str, default=""
        Title of the figure that ``plot`` makes.

    Attributes
    ----------
    axes_ : ndarray of shape (n_panels,)
        The axes, after ``plot``.
    figure_ : matplotlib.figure.Figure
        The figure, after ``plot``.
    elbows_ : dict of str to int
        Elbow of each scheme.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> from sklcnn.plotting import PatchGeometryDisplay
    >>> shares = {"windows": [0.7, 0.95, 1.0], "shuffled": [0.4, 0.7, 1.0]}
    >>> depths = {"windows": [0.1, 0.3], "shuffled": [0.0, 0.1]}
    >>> PatchGeometryDisplay(shares, depths).plot().elbows_
    {'windows': 2, 'shuffled': 3}
    """

    def __init__(
        self,
        cumulative_shares: Mapping[str, ArrayLike],
        depths: Mapping[str, ArrayLike],
        *,
        n_directions: Mapping[str, ArrayLike] | None = None,
        mean_depths: Mapping[str, ArrayLike] | None = None,
        share: float = 0.9,
        title: str = "",
    ):
        if not cumulative_shares or set(cumulative_shares) != set(depths):
            raise ValueError(
                f"cumulative_shares names {list(cumulative_shares)} and depths {list(depths)}: "
                "both must name the same schemes, at least one."
            )
        if not 0 < share <= 1:
            raise ValueError(f"share={share!r} must be above 0 and at most 1.")
        self.cumulative_shares = {
            name: _check_shares(name, values) for name, values in cumulative_shares.items()
        }
        self.depths = {name: _check_depths(name, depths[name]) for name in cumulative_shares}
        self.n_directions, self.mean_depths = _check_convergence(
            n_directions or {}, mean_depths or {}, self.depths
        )
        self.share = share
        self.title = title
        self.elbows_ = {
            name: int((values < share - _ROUNDING).sum()) + 1
            for name, values in self.cumulative_shares.items()
        }

    @classmethod
    def from_geometries(
        cls,
        geometries: Mapping[str, Any],
        *,
        convergence: bool = True,
        share: float = 0.9,
        title: str = "",
    ) -> "PatchGeometryDisplay":
        """Take the arrays out of results of `sklcnn.inspection.patch_geometry`.

        Parameters
        ----------
        geometries : dict of str to PatchGeometry
            One for each scheme.
        convergence : bool, default=True
            Whether to show how the mean depth fell with the number of directions.
        share : float, default=0.9
            Share of variance for the elbow.
        title : str, default=""
            Title of the figure that ``plot`` makes.

        Returns
        -------
        display : PatchGeometryDisplay
            Not yet drawn.
        """
        found = geometries.items() if convergence else ()
        return cls(
            {name: geometry.spectrum.cumulative_shares for name, geometry in geometries.items()},
            {name: geometry.depth.depths for name, geometry in geometries.items()},
            n_directions={name: geometry.depth.n_directions for name, geometry in found},
            mean_depths={name: geometry.depth.mean_depths for name, geometry in found},
            share=share,
            title=title,
        )

    def plot(self, axes: Any = None) -> "PatchGeometryDisplay":
        """Draw a panel for the spectrum, one for the depth, and one for convergence if handed.

        Parameters
        ----------
        axes : sequence of matplotlib.axes.Axes or None, default=None
            Where to draw, one for each panel; None makes a figure.

        Returns
        -------
        display : PatchGeometryDisplay
            The display itself.
        """
        self.axes_ = take_axes(axes, self._panels(), self._size())
        self._draw(outside=axes is None)
        return self

    def _panels(self):
        return ["spectrum", "depth", *(["convergence"] if self.n_directions else [])]

    def _size(self):
        """Of a figure, in inches."""
        rows = -(-len(self.depths) // _LEGEND_COLUMNS)
        return _PANEL * len(self._panels()), _HEIGHT + _LEGEND_ROW * rows

    def _draw(self, outside):
        self.figure_ = self.axes_[0].figure
        looks = zip(cycle(_COLORS), cycle(_DASHES), strict=False)
        for name, (color, dashes) in zip(self.depths, looks, strict=False):
            look = {"color": color, "ls": dashes, "lw": 1.8}
            self._plot_spectrum(self.axes_[0], name, look)
            self._plot_depths(self.axes_[1], name, look)
            if name in self.n_directions:
                counts, means = self.n_directions[name], self.mean_depths[name]
                self.axes_[2].plot(counts, means, marker=".", **look)
        self._dress()
        self._explain(outside)

    def _plot_spectrum(self, ax, name, look):
        shares, elbow = self.cumulative_shares[name], self.elbows_[name]
        ax.plot(np.arange(1, len(shares) + 1), shares, label=self._label(name), **look)
        ax.plot(elbow, shares[elbow - 1], "o", color=look["color"], ms=7, mec="white", zorder=3)

    def _plot_depths(self, ax, name, look):
        """Share of queries at least so deep: a step down just after the depth of each."""
        values, counts = np.unique(self.depths[name], return_counts=True)
        deeper = 1 - np.cumsum(counts) / counts.sum()  # than each value
        levels = np.concatenate([[0], values])
        ax.step(levels, np.concatenate([[1], deeper]), where="post", **look)

    def _dress(self):
        spectrum, profile, *rest = self.axes_
        spectrum.axhline(self.share, color=GRAY, lw=0.9, zorder=0)
        look = {"color": GRAY, "fontsize": "small", "va": "bottom"}
        place = spectrum.get_yaxis_transform()
        spectrum.text(0.01, self.share, f"{100 * self.share:g} %", transform=place, **look)
        spectrum.set(
            xscale="log", ylim=(0, 1.03), xlabel="components", ylabel="cumulative share of variance"
        )
        profile.set(
            yscale="log",
            ylim=(_LEAST_SHARE, 1.3),
            xlabel="depth",
            ylabel="share of patches at least so deep",
        )
        profile.set_xlim(left=0)
        for ax in rest:
            ax.set(xscale="log", xlabel="random directions", ylabel="mean depth (upper bound)")
            ax.set_ylim(bottom=0)
        for ax in (spectrum, *rest):
            number_log_axis(ax.xaxis)
        for ax in self.axes_:
            ax.spines[["top", "right"]].set_visible(False)

    def _label(self, name):
        elbow, mean = self.elbows_[name], self.depths[name].mean()
        return f"{name}: elbow {elbow}, mean depth {mean:.2g}"

    def _explain(self, outside):
        handles, labels = self.axes_[0].get_legend_handles_labels()
        look = {"frameon": False, "fontsize": "small", "handlelength": 2.6}
        if not outside:
            self.axes_[0].legend(handles, labels, loc="lower right", **look)
            return
        if self.title:
            self.figure_.suptitle(self.title)
        place = {"loc": "outside lower center", "ncols": min(len(labels), _LEGEND_COLUMNS)}
        self.figure_.legend(handles, labels, **place, **look)


def geometry_png(display, dpi=150):
    """Draw a display in a figure of its own and return the picture as PNG.

    Parameters
    ----------
    display : PatchGeometryDisplay
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
    display.axes_ = figure.subplots(1, len(display._panels()), squeeze=False)[0]
    display._draw(outside=True)
    return png_of(figure, dpi)


def _check_shares(name, values) -> NDArray[np.float64]:
    """Cumulative shares: rising to one."""
    shares = np.asarray(values, dtype=float)
    rises = shares.ndim == 1 and shares.size and (np.diff(shares, prepend=0) >= -_ROUNDING).all()
    if not rises or not abs(shares[-1] - 1) < 1e-6:
        raise ValueError(
            f"cumulative_shares[{name!r}] is {values!r}: it must have shape (patch_size,) and rise "
            "from above 0 to 1."
        )
    return shares


def _check_depths(name, values) -> NDArray[np.float64]:
    depths = np.asarray(values, dtype=float)
    if depths.ndim != 1 or not depths.size or not ((depths >= 0) & (depths <= 0.5)).all():
        raise ValueError(
            f"depths[{name!r}] has shape {depths.shape}: it must have shape (n_queries,) and lie "
            "between 0 and 1/2."
        )
    return depths


def _check_convergence(n_directions, mean_depths, known):
    """Numbers of directions and mean depths of the same schemes and shapes."""
    check_names("n_directions", n_directions, known)
    check_names("mean_depths", mean_depths, known)
    if odd := sorted(set(n_directions) ^ set(mean_depths)):
        raise ValueError(f"{odd[0]!r} has only one of n_directions and mean_depths: give both.")
    counts = {
        name: check_grid(f"n_directions[{name!r}]", values) for name, values in n_directions.items()
    }
    means = {name: np.asarray(values, dtype=float) for name, values in mean_depths.items()}
    for name, values in means.items():
        if values.shape != counts[name].shape:
            raise ValueError(
                f"mean_depths[{name!r}] has shape {values.shape}: it must have shape "
                f"{counts[name].shape}, one number for each of n_directions."
            )
    return counts, means
