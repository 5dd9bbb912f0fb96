"""The patches of many samples as one cloud of points, cut out piece by piece."""

from numbers import Real

import numpy as np

from sklcnn.patches import all_features, check_patch_indices

__all__ = ["PatchCloud", "check_working_memory"]

_FLOAT = 8  # bytes
_COPIES = 5  # of the size of the patches at work when they are cut out: features, values, ...


class PatchCloud:
    """All patches of all samples; only the piece that is looked at exists as floats.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Samples; further axes are raveled.
    patch_indices : array-like of shape (n_patches, patch_size) or None
        The features that each patch sees, none of them masked; None for one patch of all.
    offset, scale : float or array-like of shape (n_features,)
        A patch shows ``(X - offset) / scale``.
    """

    def __init__(self, X, patch_indices, offset=0.0, scale=1.0):
        self.X = _check_samples(X)
        n_features = self.X.shape[1]
        self.patch_indices = _check_patches(patch_indices, n_features)
        self.n_patches, self.patch_size = self.patch_indices.shape
        self.offset = _check_feature_values("offset", offset, n_features)
        self.scale = _check_feature_values("scale", scale, n_features)
        if not self.scale.all():
            raise ValueError("scale holds a zero: features are divided by it, so none may be.")

    def __len__(self):
        return len(self.X) * self.n_patches

    def pieces(self, n_bytes):
        """Yield all patches, (n, patch_size), those of a sample together, at least one sample."""
        step = max(1, int(n_bytes / (_FLOAT * self.patch_indices.size)))
        for start in range(0, len(self.X), step):
            samples = (self.X[start : start + step] - self.offset) / self.scale
            yield samples[:, self.patch_indices].reshape(-1, self.patch_size)

    def take(self, places, n_bytes):
        """Return the patches at these places of the cloud, (n_places, patch_size)."""
        patches = np.empty((len(places), self.patch_size))
        for piece in self._slices(len(places), n_bytes):
            patches[piece] = self._cut(places[piece])
        return patches

    def project(self, places, directions, n_bytes):
        """Return the inner products of some patches with directions, (n_directions, n_places)."""
        products = np.empty((len(directions), len(places)))
        for piece in self._slices(len(places), n_bytes):
            products[:, piece] = directions @ self._cut(places[piece]).T
        return products

    def _slices(self, n_places, n_bytes):
        """Pieces of the places whose patches are cut out together."""
        step = max(1, int(n_bytes / (_FLOAT * _COPIES * self.patch_size)))
        return [slice(start, start + step) for start in range(0, n_places, step)]

    def _cut(self, places):
        """Patches at these places, all at once."""
        samples, patches = np.divmod(places, self.n_patches)
        features = self.patch_indices[patches]  # (n_places, patch_size)
        values = self.X[samples[:, np.newaxis], features]
        return (values - self.offset[features]) / self.scale[features]


def check_working_memory(working_memory):
    """Return so many mebibytes in bytes."""
    if not isinstance(working_memory, Real) or not working_memory > 0:
        raise ValueError(
            f"working_memory={working_memory!r} must be a positive number of mebibytes."
        )
    return working_memory * 2**20


def _check_samples(X):
    """Numbers of shape (n_samples, n_features), without a copy where X is an array."""
    X = np.asarray(X)
    if X.ndim < 2 or not X.size or X.dtype.kind not in "buif":
        raise ValueError(
            f"X has shape {X.shape} and dtype {X.dtype}: it must hold real numbers, in shape "
            "(n_samples, n_features)."
        )
    return X.reshape(len(X), -1)


def _check_patches(patch_indices, n_features):
    """Connectivity without masked entries."""
    if patch_indices is None:
        return all_features(n_features)
    patches = check_patch_indices(patch_indices, n_features)
    if np.ma.isMaskedArray(patches):
        masked = np.ma.getmaskarray(patches).any(axis=1).sum()
        raise ValueError(
            f"patch_indices has masked entries in {masked} of {len(patches)} patches: what they "
            "lack has no covariance and no depth. Pass the patches that are whole, or those of "
            "each size by themselves."
        )
    return patches


def _check_feature_values(parameter, values, n_features):
    """Finite floats of shape (n_features,)."""
    array = np.asarray(values, dtype=float)
    if array.shape not in {(), (n_features,)} or not np.isfinite(array).all():
        raise ValueError(
            f"{parameter} has shape {array.shape}: it must be a finite number, or one for each of "
            f"the {n_features} features."
        )
    return np.broadcast_to(array, (n_features,))
