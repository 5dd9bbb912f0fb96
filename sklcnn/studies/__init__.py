"""Experiments on estimators, each one function with one result object."""

from sklcnn.studies.beyond import Beyond, beyond
from sklcnn.studies.compare import Comparison, compare
from sklcnn.studies.curves import sample_efficiency
from sklcnn.studies.degrees import DegreesOfSharing, degrees_of_sharing
from sklcnn.studies.dsd import DsdPlan, DsdStudy, dsd_study
from sklcnn.studies.linear import LinearStudy, linear_study
from sklcnn.studies.patch_geometry import PatchStudy, patch_study
from sklcnn.studies.sample_complexity import SampleComplexity, sample_complexity
from sklcnn.studies.stability import (
    FlatRun,
    ImageRegression,
    SphereSweep,
    StabilityStudy,
    stability_study,
)
from sklcnn.studies.trajectories import follow_training

__all__ = [
    "Beyond",
    "Comparison",
    "DegreesOfSharing",
    "DsdPlan",
    "DsdStudy",
    "FlatRun",
    "ImageRegression",
    "LinearStudy",
    "PatchStudy",
    "SampleComplexity",
    "SphereSweep",
    "StabilityStudy",
    "beyond",
    "compare",
    "degrees_of_sharing",
    "dsd_study",
    "follow_training",
    "linear_study",
    "patch_study",
    "sample_complexity",
    "sample_efficiency",
    "stability_study",
]
