"""The one table of colors and markers: an estimator looks the same in every figure."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import cycle

__all__ = ["ESTIMATOR_STYLES", "FAMILY_STYLES", "GRAY", "styles_of"]

GRAY = "0.45"  # of what belongs to no estimator: guides, notes, legend entries that serve all


@dataclass(frozen=True)
class _Style:
    """How one estimator looks in every figure."""

    color: str
    marker: str


# Okabe and Ito's palette, which color-blind readers can tell apart; the markers serve print.
FAMILY_STYLES = {
    "FCN": _Style("#0072B2", "o"),
    "LCN": _Style("#E69F00", "s"),
    "CNN": _Style("#009E73", "^"),
    "pooled CNN": _Style("#CC79A7", "D"),
}
# What the families are measured against is black or gray.
ESTIMATOR_STYLES = FAMILY_STYLES | {
    "linear": _Style("#606060", "v"),
    "MLP": _Style("#9A9A9A", "P"),
    "maximum likelihood": _Style("#000000", "X"),
}
_SPARE = tuple(_Style("#7D7D7D", marker) for marker in "<>dph*8")


def styles_of(names: Iterable[str]) -> dict[str, _Style]:
    """Look of each name: from the table, or gray with a marker that the table does not use."""
    spare = cycle(_SPARE)
    return {name: ESTIMATOR_STYLES.get(name) or next(spare) for name in names}
