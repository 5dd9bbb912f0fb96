"""What the functions of this room accept: checked once at their doors, not in their numerics."""

import numpy as np

__all__ = ["check_choice", "check_count", "check_finite", "check_law", "check_noise", "check_std"]


def check_law(n_patches, noise):
    """Return number of patches and noise as float arrays, or say what is wrong with them."""
    return check_count("n_patches", n_patches), check_noise(noise)


def check_count(name, value):
    """Return positive integers as a float array, or say that they are none."""
    value = np.asarray(value, dtype=float)
    if not np.all((value >= 1) & (value == np.floor(value)) & np.isfinite(value)):
        raise ValueError(f"{name} must be an integer of at least 1, got {value}.")
    return value


def check_noise(noise):
    """Return the noise as a float array, or say what is wrong with it."""
    return check_std("noise", noise)


def check_std(name, value):
    """Return standard deviations as a float array, or say what is wrong with them."""
    value = np.asarray(value, dtype=float)
    if not np.all((value >= 0) & np.isfinite(value)):
        raise ValueError(f"{name} must be finite and at least 0, got {value}.")
    return value


def check_finite(name, value):
    """Return numbers as a float array, or say that they are infinite or missing."""
    value = np.asarray(value, dtype=float)
    if not np.isfinite(value).all():
        raise ValueError(f"{name} must be finite, got {value}.")
    return value


def check_choice(name, value, choices):
    """Say which words are known if this one is not."""
    if value not in choices:
        known = " or ".join(map(repr, choices))
        raise ValueError(f"{name} must be {known}, got {value!r}.")
