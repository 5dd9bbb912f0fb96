"""What the parameters and labels of a law of signals may be, one by one and together."""

import numpy as np
from scipy.linalg import toeplitz
from sklearn.utils import check_array
from sklearn.utils.multiclass import check_classification_targets

__all__ = [
    "check_correlation",
    "check_fittable",
    "check_location_prior",
    "check_noise",
    "check_patch_sizes",
    "check_signal",
    "check_together",
    "encode_signs",
]


def check_patch_sizes(patch_size, n_patches):
    """Return the sizes of all patches, of shape (n_patches,), or say what is wrong with them."""
    sizes = np.atleast_1d(np.asarray(patch_size))
    if np.ndim(patch_size) == 0:
        return np.repeat(sizes, n_patches)
    if sizes.shape != (n_patches,):
        raise ValueError(
            f"patch_size has shape {sizes.shape}, but n_patches={n_patches}: it must be an int or "
            f"{n_patches} of them."
        )
    if sizes.dtype.kind not in "iu" or sizes.min() < 1:
        raise ValueError(f"patch_size={patch_size!r} must hold integers of at least 1.")
    return sizes


def check_location_prior(location_prior, n_places):
    """Return the probabilities of the places as floats, or say what is wrong with them."""
    prior = check_array(
        location_prior, ensure_2d=False, dtype=np.float64, input_name="location_prior"
    )
    if prior.shape != (n_places,):
        raise ValueError(
            f"location_prior has shape {prior.shape}, but there are {n_places} places: it must "
            f"have shape ({n_places},)."
        )
    if prior.min() < 0 or not np.isclose(prior.sum(), 1, rtol=0, atol=1e-8):
        raise ValueError(
            f"location_prior has minimum {prior.min():g} and sum {prior.sum():g}: it must be of "
            "probabilities, none negative, that add up to 1."
        )
    return prior / prior.sum()


def check_noise(noise, n_patches):
    """Return the standard deviations of all patches, or say what is wrong with them."""
    if np.ndim(noise) == 0:
        return np.full(n_patches, float(noise))
    noise = check_array(noise, ensure_2d=False, dtype=np.float64, input_name="noise")
    if noise.shape != (n_patches,):
        raise ValueError(
            f"noise has shape {noise.shape}, but n_patches={n_patches}: it must be a number or "
            f"have shape ({n_patches},)."
        )
    if noise.min() < 0:
        raise ValueError(f"noise has an entry {noise.min():g}: it must be at least 0.")
    return noise


def check_correlation(correlation, n_patches):
    """Return the correlation matrix of the patches, or None if they are independent."""
    if np.ndim(correlation) == 0:
        if correlation == 0:
            return None
        correlation = toeplitz(float(correlation) ** np.arange(n_patches))  # autoregressive
    matrix = check_array(correlation, dtype=np.float64, input_name="correlation")
    if matrix.shape != (n_patches, n_patches):
        raise ValueError(
            f"correlation has shape {matrix.shape}, but n_patches={n_patches}: it must be a number "
            f"or have shape ({n_patches}, {n_patches})."
        )
    is_correlation = np.allclose(matrix, matrix.T) and np.allclose(np.diag(matrix), 1)
    if not is_correlation or np.linalg.eigvalsh(matrix)[0] < 1e-12:
        raise ValueError(
            "correlation is no correlation matrix: it must be symmetric, with ones on the "
            "diagonal, and positive definite."
        )
    return None if np.array_equal(matrix, np.eye(n_patches)) else matrix


def check_signal(signal, shape):
    """Return the signal, or one a row, as a float array, or say what is wrong with it."""
    signal = check_array(
        signal, ensure_2d=False, allow_nd=True, dtype=np.float64, copy=True, input_name="signal"
    )
    if signal.shape != shape:
        sizes = f"patch_size={shape[-1]}" if len(shape) == 1 else "n_types, patch_size"
        raise ValueError(
            f"signal has shape {signal.shape}, but {sizes}: it must have shape {shape}."
        )
    if not signal.any(axis=-1).all():
        raise ValueError("signal is zero: no rule can see it. It must have a length.")
    return signal


def check_together(law):
    """Refuse parameters of a `DynamicSignal` that are right one by one, but not together."""
    for applies, message in _conflicts(law):
        if applies:
            raise ValueError(message)


def _conflicts(law):
    """Pairs of a condition and what to say if it holds."""
    sizes = check_patch_sizes(law.patch_size, law.n_patches)
    n_places = int(sizes.sum()) if law.placement == "pixel" else law.n_patches
    possible = n_places
    if law.location_prior is not None:
        possible = np.count_nonzero(check_location_prior(law.location_prior, n_places))
    is_correlated = check_correlation(law.correlation, law.n_patches) is not None
    is_unequal, is_pixel = np.ptp(sizes) > 0, law.placement == "pixel"
    is_static = law.static or law.location is not None
    n_signals = 2 if law.task == "xor" else law.n_signals
    signals = "task='xor'" if law.task == "xor" else f"n_signals={law.n_signals}"
    correlation = "a matrix as correlation"
    if np.ndim(law.correlation) == 0:
        correlation = f"correlation={law.correlation!r}"
    yield (
        law.location is not None and law.location >= n_places,
        f"location={law.location} is no {'place' if is_pixel else 'patch'}: with "
        f"n_patches={law.n_patches} it must be from 0 to {n_places - 1}.",
    )
    yield (
        law.task == "xor" and law.n_signals != 1,
        f"n_signals={law.n_signals} does not go with task='xor', which always has two signals: "
        "leave it at 1.",
    )
    yield (
        is_static and law.location_prior is not None,
        "location_prior does not go with static or location, which fix the place: give one only.",
    )
    yield (
        is_static and n_signals > 1,
        f"{signals} needs several places, but static or location fix one: leave them alone, or "
        "give location_prior.",
    )
    yield (
        n_signals > possible,
        f"{signals} needs {n_signals} distinct places, but there are {possible}: take fewer "
        "signals or more places.",
    )
    yield (
        n_signals > 1 and is_pixel,
        f"{signals} does not go with placement='pixel', where signals could overlap: use 'patch'.",
    )
    yield (
        n_signals > 1 and is_correlated,
        f"{signals} does not go with {correlation}, under which the evidence of several places "
        "does not add up: use 0.",
    )
    yield (
        is_correlated and law.noise_law != "gaussian",
        f"{correlation} does not go with noise_law={law.noise_law!r}: use 'gaussian'.",
    )
    yield (
        is_correlated and is_pixel,
        f"{correlation} does not go with placement='pixel': use 'patch'.",
    )
    yield (
        is_correlated and is_unequal,
        f"{correlation} needs patches of one size, got patch_size={law.patch_size!r}.",
    )
    yield (
        is_pixel and is_unequal,
        f"placement='pixel' needs patches of one size, got patch_size={law.patch_size!r}.",
    )
    yield (
        law.task == "type" and law.signal is None and law.n_types > sizes.max(),
        f"n_types={law.n_types} orthonormal signals do not fit into patch_size={sizes.max()}: "
        f"take {sizes.max()} types at most, or give the signals.",
    )


# The values that maximum likelihood is for.
_FITTABLE = {
    "task": "sign",
    "n_signals": 1,
    "noise_law": "gaussian",
    "placement": "patch",
    "label_noise": 0,
}


def check_fittable(law):
    """Refuse to fit the extensions of a `DynamicSignal` that maximum likelihood is not made for."""
    for name, value in _FITTABLE.items():
        if getattr(law, name) != value:
            raise ValueError(
                f"fit does not know {name}={getattr(law, name)!r}: it needs {value!r}. Without "
                "fit, the law predicts by its Bayes rule."
            )
    if check_correlation(law.correlation, law.n_patches) is not None:
        raise ValueError("fit does not know correlation: it needs 0.0.")
    if np.ndim(law.noise) > 0:
        raise ValueError("fit estimates one noise for all patches: noise must be a number.")
    if np.ptp(check_patch_sizes(law.patch_size, law.n_patches)) > 0:
        raise ValueError(f"fit needs patches of one size, got patch_size={law.patch_size!r}.")


def encode_signs(y):
    """Return the two labels of y, and y with -1 for the first and +1 for the second."""
    check_classification_targets(y)
    classes, index = np.unique(y, return_inverse=True)
    if len(classes) > 2:
        raise ValueError(
            "Only binary classification is supported: a signal has two signs, but y has "
            f"{len(classes)} classes."
        )
    if len(classes) < 2:
        raise ValueError(f"y has one class only, {classes.tolist()[0]!r}: two are needed.")
    return classes, 2 * index - 1
