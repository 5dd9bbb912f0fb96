"""Figures: classes that hold arrays and draw them. They know no model and train nothing."""

from .comparison import ComparisonDisplay
from .comparison import stack_png as stack_png
from .degrees import DegreesDisplay
from .degrees import degrees_png as degrees_png
from .filters import FilterDisplay
from .geometry import PatchGeometryDisplay
from .geometry import geometry_png as geometry_png
from .linear import LinearDisplay
from .linear import linear_png as linear_png
from .panels import row_png as row_png
from .phase import PhaseDisplay
from .ratios import RatioDisplay
from .ratios import ratio_png as ratio_png
from .sample_complexity import SampleComplexityDisplay
from .schemes import PatchSchemesDisplay
from .schemes import schemes_png as schemes_png
from .stability import StabilityDisplay
from .stability import stability_png as stability_png
from .styles import ESTIMATOR_STYLES, FAMILY_STYLES

__all__ = [
    "FAMILY_STYLES",
    "ESTIMATOR_STYLES",
    "ComparisonDisplay",
    "SampleComplexityDisplay",
    "FilterDisplay",
    "PhaseDisplay",
    "RatioDisplay",
    "DegreesDisplay",
    "PatchGeometryDisplay",
    "PatchSchemesDisplay",
    "StabilityDisplay",
    "LinearDisplay",
]
