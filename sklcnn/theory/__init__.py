"""Closed forms: numbers in, numbers out."""

from .connected_networks import NetworkRisks, connected_network_risks
from .dynamic_signal import bayes_error, bayes_squared_risk, log_odds
from .flat_interpolators import FlatInterpolator, flat_interpolator
from .gauss_newton import gauss_newton_bound
from .linear_networks import (
    ConvergencePower,
    MaxMargin,
    Stationarity,
    adversarial_perturbation,
    balanced_layers,
    check_separable,
    coef_norm,
    convergence_power,
    end_to_end_coef,
    fourier_coef,
    max_margin,
    robust_error,
    robust_radius,
    stationarity,
    stationary_points,
    weight_penalty,
)
from .oracle_networks import oracle_error, oracle_squared_risk, oracle_threshold
from .path_norms import activation_rates, path_norm, weight_function, weighted_path_norm
from .rates import (
    TwoStepConstants,
    predicted_cosine,
    sample_complexity_rate,
    two_step_constants,
)
from .simple_rules import critical_noise, linear_error, linear_squared_risk, max_rule_error
from .stability import generalization_gap, path_norm_bound, stability_threshold
from .stability_rates import gap_exponent
from .threshold_errors import threshold_network_error
from .threshold_networks import soft_threshold_moments, threshold_network_squared_risk

__all__ = [
    "ConvergencePower",
    "FlatInterpolator",
    "MaxMargin",
    "NetworkRisks",
    "Stationarity",
    "TwoStepConstants",
    "activation_rates",
    "adversarial_perturbation",
    "balanced_layers",
    "bayes_error",
    "bayes_squared_risk",
    "check_separable",
    "coef_norm",
    "connected_network_risks",
    "convergence_power",
    "critical_noise",
    "end_to_end_coef",
    "flat_interpolator",
    "fourier_coef",
    "gap_exponent",
    "gauss_newton_bound",
    "generalization_gap",
    "linear_error",
    "linear_squared_risk",
    "log_odds",
    "max_margin",
    "max_rule_error",
    "oracle_error",
    "oracle_squared_risk",
    "oracle_threshold",
    "path_norm",
    "path_norm_bound",
    "predicted_cosine",
    "robust_error",
    "robust_radius",
    "sample_complexity_rate",
    "soft_threshold_moments",
    "stability_threshold",
    "stationarity",
    "stationary_points",
    "threshold_network_error",
    "threshold_network_squared_risk",
    "two_step_constants",
    "weight_function",
    "weight_penalty",
    "weighted_path_norm",
]
