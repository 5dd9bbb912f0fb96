"""Fully connected, locally connected and convolutional networks as scikit-learn estimators.

Public names are imported on first use: ``import sklcnn`` itself loads neither torch nor
matplotlib.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import datasets as datasets
    from . import estimators as estimators
    from . import inspection as inspection
    from . import nn as nn
    from . import patches as patches
    from . import plotting as plotting
    from . import studies as studies
    from . import theory as theory
    from . import training as training
    from .estimators import (
        CNNClassifier,
        CNNRegressor,
        FCNClassifier,
        FCNRegressor,
        LCNClassifier,
        LCNRegressor,
        LinearNetworkClassifier,
        dsd_network,
        match_parameters,
    )
    from .inspection import alignment, sharpness
    from .studies import compare, sample_complexity
    from .training import fit_many, fleet

__version__ = "0.1.0"

__all__ = [
    "FCNClassifier",
    "LCNClassifier",
    "CNNClassifier",
    "FCNRegressor",
    "LCNRegressor",
    "CNNRegressor",
    "LinearNetworkClassifier",
    "dsd_network",
    "match_parameters",
    "fleet",
    "fit_many",
    "compare",
    "sample_complexity",
    "alignment",
    "sharpness",
]

_HOMES = dict.fromkeys(__all__, "estimators") | {
    "fleet": "training",
    "fit_many": "training",
    "compare": "studies",
    "sample_complexity": "studies",
    "alignment": "inspection",
    "sharpness": "inspection",
}
_ROOMS = (
    "datasets",
    "estimators",
    "inspection",
    "nn",
    "patches",
    "plotting",
    "studies",
    "theory",
    "training",
)


def __getattr__(name: str) -> Any:
    """Import a public name or a subpackage on first use."""
    if name in _HOMES:
        value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    elif name in _ROOMS:
        value = import_module(f"{__name__}.{name}")
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value  # the next access finds it without this function
    return value


def __dir__() -> list[str]:
    return sorted({*__all__, *_ROOMS, "__version__"})
