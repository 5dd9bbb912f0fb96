"""Learned filters laid over the signal that they should have found."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .panels import take_axes
from .styles import styles_of

__all__ = ["FilterDisplay"]

_PANEL = (3.4, 3.3)  # of one panel of curves, in inches
_ROW = (8.6, 1.4)  # of one row of images, in inches
_MOST_LINES = 12  # more filters are summed up by their mean and a band
_BAND = (10, 90)  # percentiles
_MOST_IMAGES = 8
_GAP = 0.25  # between images, as a share of their width


class FilterDisplay:
    """Learned filters of network families against the signal: did the units find it?

    One panel for each family. Filters and signal are scaled to norm one, and each filter is judged
    by its cosine with the signal. Up to twelve filters are drawn one by one; of more the mean and
    the band from the 10th to the 90th percentile. With ``shape`` they are drawn as images.

    Parameters
    ----------
    signal : array-like of shape (patch_size,)
        The true signal.
    filters : dict of str to array-like of shape (..., n_weights)
        Filters of each family as estimators store them in ``filters_``; all leading axes count
        filters. ``n_weights`` is ``patch_size`` or, for the units of a fully connected network,
        ``n_patches * patch_size``.
    shape : tuple of two ints or None, default=None
        Height and width of a signal that is an image.
    signed : bool, default=True
        False where the sign of a filter means nothing, as with a trained readout: then filters are
        turned towards the signal first.
    title : str, default=""
        Title of the figure that ``plot`` makes.

    Attributes
    ----------
    axes_ : ndarray of shape (n_families,)
        The axes, after ``plot``.
    figure_ : matplotlib.figure.Figure
        The figure, after ``plot``.
    cosines_ : dict of str to ndarray of shape (n_filters,)
        Cosine of each filter with the signal.
    matched_ : dict of str to ndarray of shape (n_filters, patch_size)
        The part of each filter, scaled to norm one as a whole, that is laid over the signal.

    Notes
    -----
    A unit of a fully connected network has found the signal if it looks like the signal in one
    patch and like nothing elsewhere. So its best patch is shown, but scaled by the norm of the
    *whole* unit, and the cosine is that of the whole unit with the signal put into that patch. A
    unit that spreads over k patches evenly, as a linear rule does, reaches 1 / sqrt(k) only, the
    dotted line. The choice of the best patch flatters noise little; it would flatter it much if
    every patch were scaled to norm one by itself.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> from sklcnn.plotting import FilterDisplay
    >>> filters = {"FCN": [[0, 0, 3, 4], [3, 4, 3, 4]], "CNN": [[0.3, 0.4]]}
    >>> display = FilterDisplay([0.6, 0.8], filters).plot()
    >>> display.cosines_["FCN"].round(3), display.cosines_["CNN"].round(3)
    (array([1.   , 0.707]), array([1.]))
    """

    def __init__(
        self,
        signal: ArrayLike,
        filters: Mapping[str, ArrayLike],
        *,
        shape: tuple[int, int] | None = None,
        signed: bool = True,
        title: str = "",
    ):
        self.signal = _check_signal(signal, shape)
        if not filters:
            raise ValueError(f"filters is {filters!r}: it must hold at least one family.")
        self.filters = {
            name: _check_filters(name, values, self.signal.size) for name, values in filters.items()
        }
        self.shape = shape
        self.signed = signed
        self.title = title
        self.matched_, self.cosines_ = {}, {}
        for name, values in self.filters.items():
            self.matched_[name], self.cosines_[name] = _match(values, self.signal, signed)

    def plot(self, axes: Any = None) -> "FilterDisplay":
        """Draw one panel for each family.

        Parameters
        ----------
        axes : matplotlib.axes.Axes, sequence of them or None, default=None
            Where to draw, one for each family; None makes a figure.

        Returns
        -------
        display : FilterDisplay
            The display itself.
        """
        names = list(self.filters)
        if self.shape is None:
            size = (_PANEL[0] * len(names), _PANEL[1])
            self.axes_ = take_axes(axes, names, size, sharey=True)
        else:
            size = (_ROW[0], _ROW[1] * len(names))
            self.axes_ = take_axes(axes, names, size, stacked=True)
        self.figure_ = self.axes_[0].figure
        if axes is None and self.title:
            self.figure_.suptitle(self.title)
        if self.shape is None:
            self._plot_curves()
        else:
            self._plot_images()
        return self

    # --- signals with one axis -------------------------------------------------------------------

    def _plot_curves(self):
        features = np.arange(self.signal.size)
        for ax, (name, style) in zip(self.axes_, styles_of(self.filters).items(), strict=True):
            ax.axhline(0, color="0.8", lw=0.8, zorder=0)
            ax.plot(features, _unit(self.signal), color="black", lw=3.5, label="signal", zorder=1)
            if len(self.matched_[name]) <= _MOST_LINES:
                self._plot_lines(ax, name, style)
            else:
                self._plot_band(ax, name, style)
            ax.set_title(self._headline(name), fontsize="medium")
            ax.set(xlabel="feature of the patch")
            ax.xaxis.get_major_locator().set_params(integer=True)
            ax.spines[["top", "right"]].set_visible(False)
            self._plot_even_spread(ax, name)
            # Below: filters may be anywhere.
            place = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.2), "ncols": 2}
            tight = {"handlelength": 1.4, "handletextpad": 0.5, "columnspacing": 1.0}
            ax.legend(frameon=False, fontsize="small", **place, **tight)
        self.axes_[0].set_ylabel("weight (norm of filter 1)")

    def _plot_lines(self, ax, name, style):
        label = self._part(name)
        width = 1.0 if len(self.matched_[name]) > 3 else 1.6
        for values in self.matched_[name]:
            ax.plot(values, color=style.color, lw=width, alpha=0.9, label=label, zorder=3)
            label = None  # one entry for all

    def _plot_even_spread(self, ax, name):
        """What a unit looks like that spreads over its patches evenly, as a linear rule does."""
        n_patches = self.filters[name].shape[1] // self.signal.size
        if n_patches > 1:
            label = f"signal / √{n_patches}: even spread"
            values = _unit(self.signal) / np.sqrt(n_patches)
            ax.plot(values, color="black", ls=":", lw=1.6, label=label, zorder=4)

    def _plot_band(self, ax, name, style):
        matched = self.matched_[name]
        part = self._part(name)
        features = np.arange(self.signal.size)
        band = np.percentile(matched, _BAND, axis=0)  # (2, patch_size)
        label = f"{_BAND[0]} to {_BAND[1]} % quantiles"
        ax.fill_between(
            features, *band, color=style.color, alpha=0.25, lw=0, label=label, zorder=0.5
        )
        ax.plot(matched.mean(axis=0), color=style.color, lw=1.8, label=f"mean {part}", zorder=3)

    # --- signals that are images -----------------------------------------------------------------

    def _plot_images(self):
        height, width = self.shape
        chosen = {name: self._from_best_to_worst(name) for name in self.filters}
        rows = {name: self.matched_[name][which] for name, which in chosen.items()}
        most = max(np.abs(values).max() for values in [_unit(self.signal), *rows.values()])
        n_columns = 1 + max(map(len, rows.values()))
        for ax, name in zip(self.axes_, self.filters, strict=True):
            lefts = width * (1 + _GAP) * np.arange(1 + len(rows[name]))
            lefts[1:] += width * _GAP  # the signal stands apart
            for left, values in zip(lefts, [_unit(self.signal), *rows[name]], strict=True):
                image = self._draw_image(ax, values, left, most)
            cosines = [f"{cosine:.2f}" for cosine in self.cosines_[name][chosen[name]]]
            ax.set_xticks(lefts + width / 2, ["signal", *cosines])
            ax.set(xlim=(-1, width * (1 + _GAP) * (n_columns + 0.2)), ylim=(height, 0), yticks=[])
            ax.tick_params(length=0)
            ax.spines[:].set_visible(False)
            headline = self._headline(name, len(rows[name])).replace("\n", ": ")
            ax.set_title(headline, fontsize="medium", loc="left")
        self.axes_[-1].set_xlabel("cosine with the signal")
        look = {"label": "weight (norm of filter 1)", "aspect": 30, "shrink": 0.9, "pad": 0.02}
        self.figure_.colorbar(image, ax=list(self.axes_), **look)

    def _draw_image(self, ax, values, left, most):
        from matplotlib.patches import Rectangle

        height, width = self.shape
        image = ax.imshow(
            values.reshape(self.shape),
            extent=(left, left + width, height, 0),
            cmap="RdBu_r",  # diverging, and safe for color-blind readers
            vmin=-most,
            vmax=most,
        )
        frame = {"fill": False, "edgecolor": "0.3", "lw": 0.8, "clip_on": False}
        ax.add_patch(Rectangle((left, 0), width, height, **frame))
        return image

    def _from_best_to_worst(self, name):
        """Places of at most so many filters, evenly spread over the ranks of their cosines."""
        order = np.argsort(-self.cosines_[name], kind="stable")
        ranks = np.linspace(0, len(order) - 1, min(len(order), _MOST_IMAGES)).round().astype(int)
        return order[ranks]

    # --- words -----------------------------------------------------------------------------------

    def _part(self, name):
        """What of a filter is shown."""
        is_part = self.filters[name].shape[1] > self.signal.size
        return "best patch of a unit" if is_part else "filter"

    def _headline(self, name, n_shown=None):
        cosines = self.cosines_[name]
        noun = "unit" if self.filters[name].shape[1] > self.signal.size else "filter"
        if len(cosines) == 1:
            return f"{name}, 1 {noun}\ncosine {cosines[0]:.2f}"
        count = f"{len(cosines):,} {noun}s"
        if n_shown is not None and n_shown < len(cosines):
            count = f"{n_shown} of {count}"
        best, median = cosines.max(), np.median(cosines)
        return f"{name}, {count}\ncosine best {best:.2f}, median {median:.2f}"


def _check_signal(signal, shape):
    """Signal as floats of shape (patch_size,)."""
    signal = np.asarray(signal, dtype=float)
    if shape is not None and (len(shape) != 2 or np.prod(shape) != signal.size):
        raise ValueError(
            f"shape is {shape!r}, but signal has {signal.size} entries: it must be a height and a "
            "width whose product is that number."
        )
    signal = signal.ravel() if shape is not None else signal
    if signal.ndim != 1 or not signal.size or not np.isfinite(signal).all() or not signal.any():
        raise ValueError(
            f"signal has shape {signal.shape}: it must have shape (patch_size,), be finite and not "
            "zero. For an image give its shape too."
        )
    return signal


def _check_filters(name, filters, patch_size):
    """Filters as floats of shape (n_filters, n_weights)."""
    filters = np.asarray(filters, dtype=float)
    n_weights = filters.shape[-1] if filters.ndim else 0
    if not filters.size or n_weights % patch_size:
        raise ValueError(
            f"filters[{name!r}] has shape {filters.shape}: its last axis must be the signal's "
            f"{patch_size} entries or a multiple of them, and it must hold at least one filter."
        )
    if not np.isfinite(filters).all():
        raise ValueError(f"filters[{name!r}] holds NaN or infinity: its weights must be finite.")
    return filters.reshape(-1, n_weights)


def _unit(vectors):
    """Scale to norm one along the last axis; zero stays zero."""
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.where(norms == 0, 1, norms)


def _match(filters, signal, signed):
    """Best patch of each filter (n_filters, patch_size), and its cosine (n_filters,)."""
    patches = _unit(filters).reshape(len(filters), -1, signal.size)
    cosines = patches @ _unit(signal)  # (n_filters, n_patches)
    best = np.argmax(cosines if signed else np.abs(cosines), axis=1)
    rows = np.arange(len(filters))
    matched, cosines = patches[rows, best], cosines[rows, best]
    if signed:
        return matched, cosines
    signs = np.where(cosines < 0, -1.0, 1.0)
    return signs[:, np.newaxis] * matched, signs * cosines
