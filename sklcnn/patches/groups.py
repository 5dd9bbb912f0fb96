"""Weight sharing: which patches use the same filters."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["sharing_groups"]


def sharing_groups(n_patches: int, groups: int | ArrayLike | None = None) -> NDArray[np.int64]:
    """Return the group of each patch: patches of one group use the same filters.

    Parameters
    ----------
    n_patches : int
        Number of patches.
    groups : None, int or array-like of shape (n_patches,), default=None
        None: no sharing, every patch has its own filters. An int: that many contiguous groups of
        nearly equal size (1 is full sharing). An array: any grouping, by any integer labels.

    Returns
    -------
    filter_groups : ndarray of shape (n_patches,)
        Group of each patch, numbered ``0 .. n_groups - 1``.

    Raises
    ------
    ValueError
        If an int is not between 1 and ``n_patches``, or an array does not name a group per patch.

    Examples
    --------
    >>> from sklcnn.patches import sharing_groups
    >>> sharing_groups(6, 2)
    array([0, 0, 0, 1, 1, 1])
    """
    if groups is None:
        return np.arange(n_patches)
    groups = np.asarray(groups)
    if groups.ndim == 0:
        if not 1 <= groups <= n_patches:
            raise ValueError(
                f"filter_groups={groups} must lie between 1 (all patches share their filters) and "
                f"n_patches={n_patches} (none do)."
            )
        return np.arange(n_patches) * int(groups) // n_patches
    if groups.shape != (n_patches,):
        raise ValueError(
            f"filter_groups has shape {groups.shape}; it must name one group for each of the "
            f"{n_patches} patches, shape ({n_patches},)."
        )
    return np.unique(groups, return_inverse=True)[1]
