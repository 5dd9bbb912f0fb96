"""Closed forms: numbers in, numbers out."""

from .dynamic_signal import bayes_error, linear_error, log_odds

__all__ = ["bayes_error", "linear_error", "log_odds"]
