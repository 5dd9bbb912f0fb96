"""Experiments on estimators, each one function with one result object."""

from sklcnn.studies.beyond import Beyond, beyond
from sklcnn.studies.compare import Comparison, compare
from sklcnn.studies.curves import sample_efficiency
from sklcnn.studies.degrees import DegreesOfSharing, degrees_of_sharing
from sklcnn.studies.dsd import DsdPlan, DsdStudy, dsd_study
from sklcnn.studies.sample_complexity import SampleComplexity, sample_complexity

__all__ = [
    "Beyond",
    "Comparison",
    "DegreesOfSharing",
    "DsdPlan",
    "DsdStudy",
    "SampleComplexity",
    "beyond",
    "compare",
    "degrees_of_sharing",
    "dsd_study",
    "sample_complexity",
    "sample_efficiency",
]
