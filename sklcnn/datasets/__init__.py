"""Laws of data: they draw (X, y) and know their own best rule."""

from .detection import PatternDetection, ReplacedPatch
from .dynamic_signal import DynamicSignal, make_dsd, make_ssd
from .images import (
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
from .sphere import SphereTeacher, make_sphere
from .symmetry import ChannelNorm, LinearConvolution, LocalPairs, QuadraticHalves

__all__ = [
    "ChannelNorm",
    "DynamicSignal",
    "KPattern",
    "LinearConvolution",
    "LocalPairs",
    "PatternDetection",
    "QuadraticHalves",
    "ReplacedPatch",
    "RotatedLaw",
    "SignedOneHot",
    "SphereTeacher",
    "Textures",
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
