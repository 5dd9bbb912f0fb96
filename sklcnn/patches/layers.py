"""What a hidden layer of a network looks at, and the map that it hands on."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sklcnn.patches.windows import WindowAxis

__all__ = ["LayerPlan"]


@dataclass(frozen=True, eq=False)
class LayerPlan:
    """One hidden layer: its filters, connectivity and sharing, and how its responses are pooled.

    Parameters
    ----------
    n_filters : int
        Filters over each patch.
    patch_indices : ndarray of shape (n_patches, patch_size)
        Connectivity: features of the layer below, raveled as (channels, height, width).
    filter_groups : ndarray of shape (n_patches,)
        Sharing.
    windows : tuple of two WindowAxis or None, default=None
        Windows along height and width that make the same connectivity; None if it is given
        outright.
    pooling : {"max", "mean", "sum"} or None, default=None
        How responses are pooled.
    pool_size : int or None, default=None
        Side of the windows that are pooled, which do not overlap; the last ones along an axis are
        smaller if the side does not divide it. None pools over all positions.

    Examples
    --------
    >>> from sklcnn.patches import sharing_groups, sliding_windows
    >>> from sklcnn.patches.layers import LayerPlan
    >>> from sklcnn.patches.windows import window_axes
    >>> axes = window_axes((3, 9, 9), 3, 1, "same")
    >>> patches = sliding_windows((3, 9, 9), 3, padding="same")
    >>> LayerPlan(16, patches, sharing_groups(81, 1), axes, "max", 2).output_shape
    (16, 5, 5)
    """

    n_filters: int
    patch_indices: NDArray[np.int64]
    filter_groups: NDArray[np.int64]
    windows: tuple[WindowAxis, WindowAxis] | None = None
    pooling: str | None = None
    pool_size: int | None = None

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of positions; a row if connectivity is given outright."""
        if self.windows is None:
            return 1, len(self.patch_indices)
        rows, columns = self.windows
        return rows.n_windows, columns.n_windows

    @property
    def pool_sides(self) -> tuple[int, int]:
        """Sides of the windows that are pooled, at most those of the grid; 1 without pooling."""
        rows, columns = self.grid
        if self.pooling is None:
            return 1, 1
        if self.pool_size is None:
            return rows, columns
        return min(self.pool_size, rows), min(self.pool_size, columns)

    @property
    def output_shape(self) -> tuple[int, int, int]:
        """The map that is handed on: (channels, height, width)."""
        height, width = (
            -(-side // pool) for side, pool in zip(self.grid, self.pool_sides, strict=True)
        )
        return self.n_filters, height, width

    @property
    def n_groups(self) -> int:
        """Number of groups of patches that share their filters."""
        return int(self.filter_groups.max()) + 1
