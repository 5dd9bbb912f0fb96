"""The geometry of patches as a cloud of points: how flat it is, and how deep its points lie."""

from sklcnn.inspection.geometry.depth import (
    HalfspaceDepth,
    exact_halfspace_depth,
    halfspace_depth,
)
from sklcnn.inspection.geometry.overview import PatchGeometry, patch_geometry
from sklcnn.inspection.geometry.spectrum import PatchSpectrum, patch_spectrum, pca_elbow

__all__ = [
    "HalfspaceDepth",
    "PatchGeometry",
    "PatchSpectrum",
    "exact_halfspace_depth",
    "halfspace_depth",
    "patch_geometry",
    "patch_spectrum",
    "pca_elbow",
]
