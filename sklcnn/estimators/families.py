"""Where the three families differ: which features a patch sees, which patches share filters."""

from functools import lru_cache
from numbers import Integral

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from sklcnn.patches import all_features, check_patch_indices, sharing_groups, sliding_windows

__all__ = ["Convolutional", "FullyConnected", "LocallyConnected"]


@lru_cache(maxsize=64)
def _windows(shape, patch_size, stride, padding):
    """Keep the windows of the last shapes: hundreds of small fits share them."""
    return sliding_windows(shape, patch_size, stride, padding=padding)


class FullyConnected:
    """One patch of all features."""

    pooling = None
    input_shape = None

    def _connect(self, n_features):
        """Return (patch_indices, filter_groups)."""
        return all_features(n_features), np.zeros(1, dtype=np.int64)

    def _present_filters(self, weight):
        return weight  # (1, n_filters, n_features)


class AbstractLocal:
    """Patches of a signal or an image; a family supplies ``_share``."""

    _local_constraints = {
        "patch_size": [Interval(Integral, 1, None, closed="left"), tuple],
        "stride": [Interval(Integral, 1, None, closed="left"), tuple],
        "pooling": [StrOptions({"mean", "sum", "max"}), None],
        "input_shape": [tuple, list, None],
        "padding": [StrOptions({"valid", "circular"})],
        "patch_indices": ["array-like", None],
    }

    def _connect(self, n_features):
        """Return (patch_indices, filter_groups)."""
        if self.patch_indices is not None:
            patches = check_patch_indices(self.patch_indices, n_features)
        else:
            shape = self._check_input_shape(n_features)
            patches = _windows(shape, self.patch_size, self.stride, self.padding).copy()
        return patches, self._share(len(patches))

    def _check_input_shape(self, n_features):
        shape = (n_features,) if self.input_shape is None else tuple(self.input_shape)
        if np.prod(shape) != n_features:
            raise ValueError(
                f"input_shape={shape} holds {np.prod(shape)} features, but X has {n_features}."
            )
        return shape


class LocallyConnected(AbstractLocal):
    """Patches with filters of their own, or shared within groups."""

    def _share(self, n_patches):
        return sharing_groups(n_patches, self.filter_groups)

    def _present_filters(self, weight):
        return weight  # (n_groups, n_filters, patch_size)


class Convolutional(AbstractLocal):
    """Patches that all share their filters."""

    def _share(self, n_patches):
        return sharing_groups(n_patches, 1)

    def _present_filters(self, weight):
        return weight[0]  # (n_filters, patch_size)
