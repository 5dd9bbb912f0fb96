"""Experiments on estimators, each one function with one result object."""

from sklcnn.studies.beyond import Beyond, beyond
from sklcnn.studies.compare import Comparison, compare
from sklcnn.studies.dsd import DsdPlan, DsdStudy, dsd_study
from sklcnn.studies.sample_complexity import SampleComplexity, sample_complexity

__all__ = [
    "Beyond",
    "Comparison",
    "DsdPlan",
    "DsdStudy",
    "SampleComplexity",
    "beyond",
    "compare",
    "dsd_study",
    "sample_complexity",
]
