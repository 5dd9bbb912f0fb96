"""Teachers: functions with random constants that a law adds noise to.

A teacher is linear in its features, which are known functions of the input: a law that is fitted
keeps the features and learns what they are multiplied with.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["LinearTeacher", "Teacher", "average_activations"]

# Numbers that are held at once, whatever the number of samples: they fit a processor's cache.
_CHUNK_ENTRIES = 2**18


@dataclass(frozen=True)
class Teacher:
    """A network of shared local filters: ReLU units, averaged over patches."""

    filters: NDArray[np.float64]  # (n_filters, patch_size), w in the paper
    thresholds: NDArray[np.float64]  # (n_filters,), b
    readout: NDArray[np.float64]  # (n_filters,), v
    intercept: float  # beta

    def features(self, X, patch_indices):
        """Mean over patches of the hidden units, of shape (n_samples, n_filters)."""
        return average_activations(X, patch_indices, self.filters, self.thresholds)


@dataclass(frozen=True)
class LinearTeacher:
    """A linear function of the input."""

    readout: NDArray[np.float64]  # (n_features,), of unit length, w in the paper
    intercept: float = 0.0

    def features(self, X, patch_indices):
        """The inputs themselves, of shape (n_samples, n_features)."""
        return X.astype(np.float64, copy=False)


def average_activations(X, patch_indices, filters, thresholds):
    """Mean over patches of ``max(<filter, patch> - threshold, 0)``, (n_samples, n_filters).

    Samples are taken in chunks, so that memory does not grow with them. The arithmetic is that of
    X in single precision or better; the means are returned in double precision.
    """
    kind = np.result_type(X.dtype, np.float32)  # holds every number of X
    filters, thresholds = filters.astype(kind), thresholds.astype(kind)[:, np.newaxis]
    entries = np.ascontiguousarray(patch_indices.T)  # (patch_size, n_patches)
    step = max(1, _CHUNK_ENTRIES // (entries.shape[1] * max(filters.shape)))
    means = np.empty((len(X), len(filters)))
    for start in range(0, len(X), step):
        rows = slice(start, start + step)
        patches = np.take(X[rows].astype(kind, copy=False), entries, axis=1)
        hidden = filters @ patches - thresholds  # (n_rows, n_filters, n_patches)
        means[rows] = np.maximum(hidden, 0, out=hidden).mean(axis=2)
    return means
