"""Images as rows of a matrix: loaders, fetchers, and laws of pictures made on purpose."""

from sklcnn.datasets.images.archives import load_npz_images
from sklcnn.datasets.images.blobs import make_blob_images
from sklcnn.datasets.images.digits import load_digit_images
from sklcnn.datasets.images.folders import load_image_folder
from sklcnn.datasets.images.openml import fetch_cifar10, fetch_mnist
from sklcnn.datasets.images.placing import place_on_background
from sklcnn.datasets.images.teacher import LocalTeacher
from sklcnn.datasets.images.templates import make_translated_templates
from sklcnn.datasets.images.translations import translate_images

__all__ = [
    "LocalTeacher",
    "fetch_cifar10",
    "fetch_mnist",
    "load_digit_images",
    "load_image_folder",
    "load_npz_images",
    "make_blob_images",
    "make_translated_templates",
    "place_on_background",
    "translate_images",
]
