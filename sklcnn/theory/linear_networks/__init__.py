"""Predictors of largest margin in the norms of linear networks, and their certificates."""

from .certificates import Stationarity, stationarity
from .layers import balanced_layers, end_to_end_coef
from .penalties import coef_norm, weight_penalty
from .separability import check_separable
from .solutions import MaxMargin, max_margin, stationary_points
from .spectra import fourier_coef

__all__ = [
    "MaxMargin",
    "Stationarity",
    "balanced_layers",
    "check_separable",
    "coef_norm",
    "end_to_end_coef",
    "fourier_coef",
    "max_margin",
    "stationarity",
    "stationary_points",
    "weight_penalty",
]
