"""How much of the features patches see, and how much of it in common."""

import numpy as np
from numpy.typing import ArrayLike

from .indices import check_patch_indices

__all__ = ["patch_coverage", "patch_overlap"]

PAIRS_AT_ONCE = 2**22  # overlaps of patches that are held at a time: 16 MiB


def patch_overlap(patch_indices: ArrayLike) -> float:
    """Return how much the patches have in common, as the mean Jaccard index of all pairs.

    The index of two patches is the number of features that both see, over the number that at least
    one sees: 0 for disjoint patches, 1 for equal ones. Masked entries see nothing.

    Parameters
    ----------
    patch_indices : array-like of shape (n_patches, patch_size)
        The features that each patch sees; may be masked.

    Returns
    -------
    overlap : float
        Mean over the ``n_patches * (n_patches - 1) / 2`` pairs, between 0 and 1.

    Raises
    ------
    ValueError
        If there are fewer than two patches, or no valid ones.

    Notes
    -----
    All pairs are counted by one matrix product, whose factor has a number for each patch and each
    feature that is seen: a tenth of a second for 1,000 patches of 3,072 features.

    Examples
    --------
    >>> from sklcnn.patches import patch_overlap
    >>> patch_overlap([[0, 1, 2], [1, 2, 3]])  # both see two features of four
    0.5
    """
    highest = np.max(np.ma.getdata(patch_indices), initial=0)
    patches = check_patch_indices(patch_indices, int(highest) + 1)
    if len(patches) < 2:
        raise ValueError("patch_indices has one patch; an overlap needs at least two.")
    seen = _membership(patches)
    sizes = seen.sum(axis=1)
    step = max(1, PAIRS_AT_ONCE // len(seen))
    total = 0.0
    for start in range(0, len(seen), step):
        shared = seen[start : start + step] @ seen.T  # (step, n_patches), exact below 2**24
        either = sizes[start : start + step, None] + sizes - shared
        total += np.divide(shared, either, dtype=np.float64).sum()
    return float((total - len(seen)) / (len(seen) * (len(seen) - 1)))  # without each with itself


def patch_coverage(patch_indices: ArrayLike, n_features: int) -> float:
    """Return the share of features that at least one patch sees.

    Parameters
    ----------
    patch_indices : array-like of shape (n_patches, patch_size)
        The features that each patch sees; masked entries see nothing.
    n_features : int
        Number of features.

    Returns
    -------
    coverage : float
        Between 0 and 1, where nothing is left out.

    Raises
    ------
    ValueError
        If the patches are no valid ones for so many features.

    Examples
    --------
    >>> from sklcnn.patches import disjoint_blocks, patch_coverage
    >>> patch_coverage(disjoint_blocks(5, 2, rest="drop"), 5)
    0.8
    """
    patches = np.ma.asarray(check_patch_indices(patch_indices, n_features))
    return len(np.unique(patches.compressed())) / n_features


def _membership(patches):
    """Return which patch sees which of the features that are seen at all, as 0.0 and 1.0."""
    entries = np.ma.asarray(patches)
    rows = np.nonzero(~np.ma.getmaskarray(entries))[0]
    features, columns = np.unique(entries.compressed(), return_inverse=True)
    seen = np.zeros((len(entries), len(features)), dtype=np.float32)
    seen[rows, columns] = 1  # features that a patch names twice count once
    return seen
