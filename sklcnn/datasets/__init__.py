"""Laws of data: they draw (X, y) and know their own best rule."""

from .cone_clusters import ConeClusters
from .detection import PatternDetection, ReplacedPatch
from .dynamic_signal import DynamicSignal, make_dsd, make_ssd
from .images import (
    LocalTeacher,
    fetch_cifar10,
    fetch_mnist,
    load_digit_images,
    load_image_folder,
    load_npz_images,
    make_blob_images,
    make_translated_templates,
    place_on_background,
    translate_images,
)
from .patterns import KPattern, SignedOneHot, Textures
from .rotations import RotatedLaw
from .sparse_spectrum import SparseSpectrum
from .sphere import (
    BallMixtureTeacher,
    BallTeacher,
    BetaTeacher,
    IdenticalPatchesTeacher,
    PatchwiseSphereTeacher,
    SphereTeacher,
    make_sphere,
)
from .symmetry import ChannelNorm, LinearConvolution, LocalPairs, QuadraticHalves
from .vocabulary import Vocabulary

__all__ = [
    "BallMixtureTeacher",
    "BallTeacher",
    "BetaTeacher",
    "ChannelNorm",
    "ConeClusters",
    "DynamicSignal",
    "IdenticalPatchesTeacher",
    "KPattern",
    "LinearConvolution",
    "LocalPairs",
    "LocalTeacher",
    "PatternDetection",
    "PatchwiseSphereTeacher",
    "QuadraticHalves",
    "ReplacedPatch",
    "RotatedLaw",
    "SignedOneHot",
    "SparseSpectrum",
    "SphereTeacher",
    "Textures",
    "Vocabulary",
    "fetch_cifar10",
    "fetch_mnist",
    "load_digit_images",
    "load_image_folder",
    "load_npz_images",
    "make_blob_images",
    "make_dsd",
    "make_sphere",
    "make_ssd",
    "make_translated_templates",
    "place_on_background",
    "translate_images",
]
