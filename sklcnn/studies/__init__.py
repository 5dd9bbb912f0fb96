"""Experiments on estimators, each one function with one result object."""

from sklcnn.studies.compare import Comparison, compare

__all__ = ["Comparison", "compare"]
