"""Inputs on spheres and in balls, with a teacher: a network of shared local filters, or linear."""

from sklcnn.datasets.sphere.generators import make_sphere
from sklcnn.datasets.sphere.isotropic import BallTeacher, BetaTeacher, SphereTeacher
from sklcnn.datasets.sphere.mixture import BallMixtureTeacher
from sklcnn.datasets.sphere.patchwise import IdenticalPatchesTeacher, PatchwiseSphereTeacher

__all__ = [
    "BallMixtureTeacher",
    "BallTeacher",
    "BetaTeacher",
    "IdenticalPatchesTeacher",
    "PatchwiseSphereTeacher",
    "SphereTeacher",
    "make_sphere",
]
