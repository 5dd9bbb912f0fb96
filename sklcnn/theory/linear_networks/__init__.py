"""Predictors of largest margin in the norms of linear networks, and their certificates."""

from .certificates import Stationarity, stationarity
from .layers import balanced_layers, end_to_end_coef
from .penalties import coef_norm, weight_penalty
from .robustness import adversarial_perturbation, robust_error, robust_radius
from .separability import check_separable
from .slow_modes import ConvergencePower, convergence_power
from .solutions import MaxMargin, max_margin, stationary_points
from .spectra import fourier_coef

__all__ = [
    "ConvergencePower",
    "MaxMargin",
    "Stationarity",
    "adversarial_perturbation",
    "balanced_layers",
    "check_separable",
    "coef_norm",
    "convergence_power",
    "end_to_end_coef",
    "fourier_coef",
    "max_margin",
    "robust_error",
    "robust_radius",
    "stationarity",
    "stationary_points",
    "weight_penalty",
]
