"""Closed forms: numbers in, numbers out."""

from .connected_networks import NetworkRisks, connected_network_risks
from .dynamic_signal import bayes_error, bayes_squared_risk, log_odds
from .oracle_networks import oracle_error, oracle_squared_risk, oracle_threshold
from .rates import (
    TwoStepConstants,
    predicted_cosine,
    sample_complexity_rate,
    two_step_constants,
)
from .simple_rules import critical_noise, linear_error, linear_squared_risk, max_rule_error
from .threshold_errors import threshold_network_error
from .threshold_networks import soft_threshold_moments, threshold_network_squared_risk

__all__ = [
    "NetworkRisks",
    "TwoStepConstants",
    "bayes_error",
    "bayes_squared_risk",
    "connected_network_risks",
    "critical_noise",
    "linear_error",
    "linear_squared_risk",
    "log_odds",
    "max_rule_error",
    "oracle_error",
    "oracle_squared_risk",
    "oracle_threshold",
    "predicted_cosine",
    "sample_complexity_rate",
    "soft_threshold_moments",
    "threshold_network_error",
    "threshold_network_squared_risk",
    "two_step_constants",
]
