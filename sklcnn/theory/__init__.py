"""Closed forms: numbers in, numbers out."""

from .connected_networks import NetworkRisks, connected_network_risks
from .dynamic_signal import bayes_error, bayes_squared_risk, log_odds
from .flat_interpolators import FlatInterpolator, flat_interpolator
from .gauss_newton import gauss_newton_bound
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
    "FlatInterpolator",
    "NetworkRisks",
    "TwoStepConstants",
    "activation_rates",
    "bayes_error",
    "bayes_squared_risk",
    "connected_network_risks",
    "critical_noise",
    "flat_interpolator",
    "gap_exponent",
    "gauss_newton_bound",
    "generalization_gap",
    "linear_error",
    "linear_squared_risk",
    "log_odds",
    "max_rule_error",
    "oracle_error",
    "oracle_squared_risk",
    "oracle_threshold",
    "path_norm",
    "path_norm_bound",
    "predicted_cosine",
    "sample_complexity_rate",
    "soft_threshold_moments",
    "stability_threshold",
    "threshold_network_error",
    "threshold_network_squared_risk",
    "two_step_constants",
    "weight_function",
    "weighted_path_norm",
]
