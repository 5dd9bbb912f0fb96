"""Connectivity and weight sharing as integer arrays.

A network family is two integer arrays. *Connectivity* (``patch_indices``) says which features each
patch sees, *sharing* (``filter_groups``) which patches use the same filters:

=================  ==================================  ===========================
family             ``patch_indices``                   ``filter_groups``
=================  ==================================  ===========================
fully connected    one patch of all features           ``[0]``
locally connected  ``(n_patches, patch_size)``         ``0 .. n_patches - 1``
convolutional      ``(n_patches, patch_size)``         all ``0``
in between         ``(n_patches, patch_size)``         any grouping of the patches
=================  ==================================  ===========================

Everything here is numpy: ``X[:, patch_indices]`` are the patches, of shape (n_samples, n_patches,
patch_size).
"""

from .groups import (
    random_groups,
    region_groups,
    sharing_groups,
    stripe_groups,
    tiled_groups,
    window_grid,
)
from .indices import all_features, check_patch_indices
from .measures import patch_coverage, patch_overlap
from .schemes import PATCH_SCHEMES, image_patches
from .views import (
    disjoint_blocks,
    fixed_patches,
    hierarchical_windows,
    overlapping_windows,
    random_partition,
    random_subsets,
    random_windows,
)
from .windows import sliding_windows

__all__ = [
    "PATCH_SCHEMES",
    "all_features",
    "check_patch_indices",
    "disjoint_blocks",
    "fixed_patches",
    "hierarchical_windows",
    "image_patches",
    "overlapping_windows",
    "patch_coverage",
    "patch_overlap",
    "random_groups",
    "random_partition",
    "random_subsets",
    "random_windows",
    "region_groups",
    "sharing_groups",
    "sliding_windows",
    "stripe_groups",
    "tiled_groups",
    "window_grid",
]
