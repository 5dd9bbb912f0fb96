"""The study ``stability``: what gradient descent at the edge of stability generalizes to."""

from sklcnn.studies.stability.flat import FlatRun
from sklcnn.studies.stability.images import ImageRegression
from sklcnn.studies.stability.sphere import SphereSweep
from sklcnn.studies.stability.study import StabilityStudy, check_parts, stability_study

__all__ = [
    "FlatRun",
    "ImageRegression",
    "SphereSweep",
    "StabilityStudy",
    "check_parts",
    "stability_study",
]
