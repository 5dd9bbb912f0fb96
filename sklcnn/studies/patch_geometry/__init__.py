"""The geometry of an image's patches under twelve schemes, with its spread over seeds."""

from sklcnn.studies.patch_geometry.study import PatchStudy, patch_study

__all__ = ["PatchStudy", "patch_study"]
