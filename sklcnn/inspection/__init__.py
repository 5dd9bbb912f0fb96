"""Read a fitted network: its filters, its exact risk on a law, the curvature of its loss."""

from sklcnn.inspection.curvature import (
    HessianSpectrum,
    TraceEstimate,
    hessian_spectrum,
    hessian_trace,
    sharpness,
)
from sklcnn.inspection.filters import alignment
from sklcnn.inspection.geometry import (
    HalfspaceDepth,
    PatchGeometry,
    PatchSpectrum,
    exact_halfspace_depth,
    halfspace_depth,
    patch_geometry,
    patch_spectrum,
    pca_elbow,
)
from sklcnn.inspection.risks import PopulationRisk, population_risk
from sklcnn.inspection.selectivity import fisher_selectivity, patch_clusters
from sklcnn.inspection.stability import StabilityReport, stability_report, training_loss

__all__ = [
    "StabilityReport",
    "stability_report",
    "training_loss",
    "PopulationRisk",
    "alignment",
    "population_risk",
    "HessianSpectrum",
    "TraceEstimate",
    "hessian_spectrum",
    "hessian_trace",
    "sharpness",
    "HalfspaceDepth",
    "PatchGeometry",
    "PatchSpectrum",
    "exact_halfspace_depth",
    "halfspace_depth",
    "patch_geometry",
    "patch_spectrum",
    "pca_elbow",
    "fisher_selectivity",
    "patch_clusters",
]
