"""What a study of patch schemes will do: on which images, with which patches and seeds."""

from dataclasses import dataclass
from numbers import Integral

import joblib
import numpy as np
from numpy.typing import NDArray

from sklcnn import __version__
from sklcnn.datasets.base import draw_entropy, stream
from sklcnn.patches import PATCH_SCHEMES, image_patches
from sklcnn.studies.patch_geometry.images import channels_first
from sklcnn.studies.tables import InvalidInputError

__all__ = ["FULL_IMAGE", "PatchPlan", "make_patch_plan"]

FULL_IMAGE = "full_image"  # one patch of all features
_SCHEMES = (*PATCH_SCHEMES, FULL_IMAGE)
_MOST_FEATURES = 4096  # of a full image, whose covariance has the square of it
_AT_ONCE = 1000  # images, when their spread is computed


@dataclass(frozen=True, eq=False)
class PatchPlan:
    """Images and patches that were found to fit each other."""

    name: str
    X: NDArray  # (n_samples, n_features), as it is stored
    input_shape: tuple[int, ...]
    offset: NDArray[np.float64]  # (n_features,), means of the channels
    scale: NDArray[np.float64]  # (n_features,), standard deviations of the channels
    patch_side: int
    schemes: tuple[str, ...]
    left_out: dict[str, str]  # schemes that do not fit the images, and why
    seeds: tuple[int, ...]
    sampling: dict[str, int]  # n_directions, n_reference, n_queries

    @property
    def reference(self):
        """The scheme that the others are compared with."""
        return "conv" if "conv" in self.schemes else self.schemes[0]

    def tasks(self):
        """Return pairs of scheme and seed, by a name that says what they are about."""
        images = joblib.hash((__version__, self.X, self.input_shape))
        what = images, self.patch_side, self.sampling
        pairs = [(scheme, seed) for seed in self.seeds for scheme in self.schemes]
        return {joblib.hash((*what, *pair)): pair for pair in pairs}

    def patches(self, scheme, seed):
        """Return the patches of a scheme, (n_patches, patch_size)."""
        if scheme == FULL_IMAGE:
            return np.arange(self.X.shape[1])[np.newaxis]
        return _image_patches(scheme, self.input_shape, self.patch_side, seed)


def make_patch_plan(
    X,
    *,
    input_shape=None,
    schemes=None,
    patch_side=None,
    n_samples=None,
    n_seeds=5,
    n_directions=512,
    n_reference=50_000,
    n_queries=10_000,
    random_state=0,
    name="images",
):
    """Check everything that was asked for; the parameters are those of ``patch_study``.

    Returns
    -------
    plan : PatchPlan
        What to do.
    """
    X, shape = _check_images(X, input_shape)
    sampling = {"n_directions": n_directions, "n_reference": n_reference, "n_queries": n_queries}
    _check_count("n_seeds", n_seeds)
    _check_count("n_directions", n_directions, least=2)  # for a word on convergence
    _check_count("n_reference", n_reference)
    _check_count("n_queries", n_queries)
    entropy = draw_entropy(random_state)
    X = _take_some(X, n_samples, entropy)
    chosen = _check_schemes(schemes)
    side = _choose_side(shape, chosen) if patch_side is None else patch_side
    fitting, left_out = _sort_out(chosen, shape, side)
    _check_left_out(schemes, chosen, left_out, shape, side)
    offset, scale = _standardize(X, shape)
    return PatchPlan(
        name, X, shape, offset, scale, side, fitting, left_out, _seeds(entropy, n_seeds), sampling
    )


def _check_images(X, input_shape):
    """Images of shape (n_samples, n_features) without a copy, and the shape of one."""
    X = channels_first(np.asarray(X), input_shape)
    shape = X.shape[1:] if input_shape is None and X.ndim > 2 else input_shape
    if shape is None:
        raise InvalidInputError("input_shape", "is needed for flat images, such as 28 28")
    shape = tuple(shape)
    if len(shape) not in (2, 3) or not all(isinstance(s, Integral) and s > 0 for s in shape):
        text = "must be HEIGHT WIDTH or CHANNELS HEIGHT WIDTH, all positive"
        raise InvalidInputError("input_shape", f"{' '.join(map(str, shape))} {text}")
    if X.dtype.kind not in "buif":
        raise InvalidInputError("X", f"entries are not real numbers but {X.dtype}")
    if X.ndim < 2 or len(X) < 2 or X[0].size != np.prod(shape):
        raise InvalidInputError(
            "X", f"shape {X.shape}; needed are two or more images of {_text(shape)}"
        )
    return X.reshape(len(X), -1), tuple(int(side) for side in shape)


def _text(shape):
    """Write 3 x 32 x 32."""
    return " x ".join(map(str, shape))


def _check_count(parameter, value, least=1):
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise InvalidInputError(parameter, f"{value!r} is not a whole number of at least {least}")


def _take_some(X, n_samples, entropy):
    """Draw images without replacement, in their order."""
    if n_samples is None:
        return X
    _check_count("n_samples", n_samples, least=2)
    if n_samples > len(X):
        raise InvalidInputError("n_samples", f"{n_samples} is more than the {len(X)} images")
    return X[np.sort(stream(entropy, "images").permutation(len(X))[:n_samples])]


def _check_schemes(schemes):
    if schemes is None:
        return _SCHEMES
    chosen = tuple(dict.fromkeys(schemes))
    if strangers := [scheme for scheme in chosen if scheme not in _SCHEMES]:
        known = ", ".join(_SCHEMES)
        raise InvalidInputError("schemes", f"'{strangers[0]}' is none of {known}")
    if not set(chosen) - {FULL_IMAGE}:
        raise InvalidInputError("schemes", "at least one scheme of patches is needed")
    return chosen


def _choose_side(shape, schemes):
    """Return the side nearest to an eighth of the image that most schemes fit."""
    shorter = min(shape[-2:])
    wanted = max(2, shorter / 8)
    counts = {}
    for side in sorted(range(2, max(2, shorter // 4) + 1), key=lambda side: abs(side - wanted)):
        _, left_out = _sort_out(schemes, shape, side)
        counts[side] = "conv" in left_out, len(left_out.keys() - {FULL_IMAGE})
        if not any(counts[side]):
            break
    return min(counts, key=counts.__getitem__)


def _sort_out(schemes, shape, side):
    """Return schemes that fit an image, and the others with the reason."""
    left_out = {}
    for scheme in schemes:
        try:
            if scheme != FULL_IMAGE:
                _image_patches(scheme, shape, side, 0)
            elif np.prod(shape) > _MOST_FEATURES:
                left_out[scheme] = f"it has more than {_MOST_FEATURES:,} features"
        except ValueError as error:
            left_out[scheme] = str(error).rstrip(".")
    return tuple(scheme for scheme in schemes if scheme not in left_out), left_out


def _check_left_out(asked, chosen, left_out, shape, side):
    """Refuse to leave out what was asked for, or what the others are compared with."""
    missing = [scheme for scheme in left_out if asked is not None or scheme == "conv"]
    if missing == [FULL_IMAGE]:
        raise InvalidInputError("schemes", f"{FULL_IMAGE}: {left_out[FULL_IMAGE]}")
    if missing:
        sides = [s for s in range(1, min(shape[-2:]) + 1) if not _sort_out(missing, shape, s)[1]]
        advice = f"sides that fit: {', '.join(map(str, sides))}" if sides else "no side does"
        does_not = f"{side!r} does not fit images of {_text(shape)} under {missing[0]}"
        raise InvalidInputError("patch_side", f"{does_not}; {advice}")


def _image_patches(scheme, shape, side, seed):
    """Patches in steps of half a side."""
    return image_patches(scheme, shape, patch_side=side, random_state=seed)


def _seeds(entropy, n_seeds):
    """The first ones of many are the same as those of few."""
    return tuple(np.random.SeedSequence(entropy).generate_state(n_seeds).tolist())


def _standardize(X, shape):
    """Mean and standard deviation of the channel of each feature, (n_features,) each."""
    n_channels = shape[0] if len(shape) == 3 else 1
    images = X.reshape(len(X), n_channels, -1)
    means = images.mean(axis=(0, 2), dtype=float)
    pieces = np.array_split(images, -(-len(images) // _AT_ONCE))
    squares = sum(((piece - means[:, np.newaxis]) ** 2).sum(axis=(0, 2)) for piece in pieces)
    deviations = np.sqrt(squares / (images.size / n_channels))
    if not np.isfinite(deviations).all():
        raise InvalidInputError("X", "holds NaN or infinity; leave such images out")
    if not deviations.any():
        raise InvalidInputError(
            "X", "all pixels of a channel are equal: without variance nothing to see"
        )
    deviations[deviations == 0] = 1.0  # a blank channel stays blank
    n_pixels = images.shape[2]
    return np.repeat(means, n_pixels), np.repeat(deviations, n_pixels)
