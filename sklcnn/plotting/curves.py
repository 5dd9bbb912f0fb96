"""Curves of networks over samples or steps: how they look, their bands, levels and scales."""

import numpy as np

from .panels import number_axis, number_log_axis
from .styles import GRAY, styles_of

__all__ = ["draw_curve", "draw_level", "look_of", "scale_axes", "shade"]

_WORDS = {
    "gap": "generalization gap",
    "relative_excess": "excess risk / variance of the target",
    "relative_sharpness": "sharpness / edge of stability",
    "loss": "training loss (mean squared error)",
    "excess": "mean squared error to the clean target",
    "mean_activation_rate": "share",
    "n_samples": "training samples",
    "step": "steps of gradient descent",
}
_DASHES = (0, (4, 2))
_LEAST, _ROOM = 1.05, 3  # factors around the curves: what they have, what bands may take
_FEW_DECADES = 1e4  # of an axis with plain numbers
_FEWEST = 3  # repeats of an interval that does not fill the picture


def look_of(network, place, n_places):
    """Color, marker and dashes of a network, darker the higher its place."""
    family, _, other = network.partition(",")
    style = styles_of([family])[family]
    look = {"color": shade(style.color, place, n_places), "marker": style.marker}
    return look | ({"ls": _DASHES, "mfc": "white"} if other else {})


def shade(color, place, n_places):
    """Blend a color with white or black: light in the first place, dark in the last."""
    from matplotlib.colors import to_rgb

    depth = 2 * place / (n_places - 1) - 1 if n_places > 1 else 0  # from -1 to 1
    target, share = (1.0, -0.55 * depth) if depth < 0 else (0.0, 0.55 * depth)
    return tuple((1 - share) * value + share * target for value in to_rgb(color))


def draw_curve(ax, rows, x, name, look):
    """Line and band."""
    rows = rows.sort_values(x)
    ax.plot(rows[x], rows[name], **({"lw": 1.6, "ms": 6, "mew": 0.8} | look))
    if f"{name}_low" not in rows:
        return
    rows = rows[rows.get("repeats", _FEWEST) >= _FEWEST]
    if rows[f"{name}_low"].notna().any():
        low, high = rows[f"{name}_low"], rows[f"{name}_high"]
        ax.fill_between(rows[x], low, high, color=look["color"], alpha=0.1, lw=0)


def draw_level(ax, level, text, *, at_left=False):
    """Horizontal line with its name."""
    if not np.isfinite(level):
        return
    ax.axhline(level, color=GRAY, lw=1, ls="--", zorder=1, gid="level")
    x, side = (0.02, "left") if at_left else (0.99, "right")
    look = {"color": GRAY, "fontsize": "small", "ha": side, "va": "bottom", "zorder": 1.5}
    look["bbox"] = {"facecolor": "white", "alpha": 0.6, "lw": 0, "pad": 0.5}
    ax.text(x, level, text, transform=ax.get_yaxis_transform(), **look)


def scale_axes(ax, name, sizes=None):
    """Scales, numbers and names of both axes, when all is drawn; over steps if without sizes."""
    ax.set_ylabel(_WORDS[name])
    if sizes is not None:
        ax.set(xscale="log", xlabel=_WORDS["n_samples"])
        number_axis(ax.xaxis, np.sort(sizes))
    else:
        ax.set_xscale("symlog", linthresh=1)  # step 0 has a place
        ax.xaxis.set_major_formatter(lambda value, _: f"{value:,g}")
        ax.set(xlim=(0, None), xlabel=_WORDS["step"])
    if name == "mean_activation_rate":
        ax.set_ylim(0)
        return
    ax.set_yscale("log")
    shown = np.concatenate([line.get_ydata() for line in ax.get_lines()])
    shown = shown[shown > 0]
    low, high = ax.get_ylim()
    if len(shown):  # wide bands leave the picture
        low = min(max(low, shown.min() / _ROOM), shown.min() / _LEAST)
        high = max(min(high, shown.max() * _ROOM), shown.max() * _LEAST)
        ax.set_ylim(low, high)
    if high < _FEW_DECADES * low:
        number_log_axis(ax.yaxis)
