"""Weight sharing: which patches use the same filters."""

from numbers import Integral

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .windows import channels_first, window_axes

__all__ = [
    "random_groups",
    "region_groups",
    "sharing_groups",
    "stripe_groups",
    "tiled_groups",
    "window_grid",
]


def sharing_groups(n_patches: int, groups: int | ArrayLike | None = None) -> NDArray[np.int64]:
    """Return the group of each patch: patches of one group use the same filters.

    Parameters
    ----------
    n_patches : int
        Number of patches.
    groups : None, int or array-like of shape (n_patches,), default=None
        None: no sharing, every patch has its own filters. An int: that many contiguous groups of
        nearly equal size (1 is full sharing). An array: any grouping, by any labels.

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
        if not np.issubdtype(groups.dtype, np.integer) or not 1 <= groups <= n_patches:
            raise ValueError(
                f"filter_groups={groups} must be a whole number and lie between 1 (all patches "
                f"share their filters) and n_patches={n_patches} (none do)."
            )
        return np.arange(n_patches) * int(groups) // n_patches
    if groups.shape != (n_patches,):
        raise ValueError(
            f"filter_groups has shape {groups.shape}; it must name one group for each of the "
            f"{n_patches} patches, shape ({n_patches},)."
        )
    return np.unique(groups, return_inverse=True)[1]


def window_grid(
    input_shape: tuple[int, ...],
    patch_size: int,
    stride: int = 1,
    *,
    padding: str | int = "valid",
) -> tuple[int, int]:
    """Return how many windows stand below and beside each other.

    Parameters
    ----------
    input_shape : tuple of int
        ``(length,)``, ``(height, width)`` or ``(channels, height, width)``.
    patch_size : int
        Length of the window, or side of the square window; clipped to the input along each axis.
    stride : int, default=1
        Step between neighboring windows, along each axis.
    padding : {"valid", "same", "circular"} or int, default="valid"
        As in :func:`sliding_windows`, which makes the patches.

    Returns
    -------
    grid_shape : tuple of int
        ``(n_rows, n_columns)`` of the windows, whose patches are in C order; a signal has one row.

    Raises
    ------
    ValueError
        If the windows leave features unseen, or see nothing but padding.

    Examples
    --------
    >>> from sklcnn.patches import window_grid
    >>> window_grid((3, 8, 10), patch_size=3)
    (6, 8)
    """
    rows, columns = window_axes(channels_first(input_shape), patch_size, stride, padding)
    return rows.n_windows, columns.n_windows


def region_groups(grid_shape: tuple[int, int], n_groups: int) -> NDArray[np.int64]:
    """Return groups of patches that lie together: filters are shared within a region.

    The grid is cut into ``n_groups`` rectangles, whose sides differ by one window at most; of all
    cuts that give so many, the one whose rectangles are closest to squares. The field calls it
    local sharing, or local convolution [1]_ [2]_. (Tiled convolution is something else, see
    :func:`tiled_groups`.)

    Parameters
    ----------
    grid_shape : tuple of int
        ``(n_rows, n_columns)`` of the windows, see :func:`window_grid`.
    n_groups : int
        Number of regions: 1 is full sharing, ``n_rows * n_columns`` none.

    Returns
    -------
    filter_groups : ndarray of shape (n_rows * n_columns,)
        Group of each patch, numbered row by row of regions.

    Raises
    ------
    ValueError
        If the grid cannot be cut into so many rectangles.

    References
    ----------
    .. [1] Huang, Lee, Learned-Miller, "Learning hierarchical representations for face verification
       with convolutional deep belief networks", CVPR 2012.
    .. [2] Sun, Wang, Tang, "Deep learning face representation from predicting 10,000 classes",
       CVPR 2014.

    Examples
    --------
    >>> from sklcnn.patches import region_groups
    >>> region_groups((4, 4), 4).reshape(4, 4)
    array([[0, 0, 1, 1],
           [0, 0, 1, 1],
           [2, 2, 3, 3],
           [2, 2, 3, 3]])
    """
    n_rows, n_columns = _check_grid_shape(grid_shape)
    below, beside = _cut(n_rows, n_columns, n_groups)
    return _combine(sharing_groups(n_rows, below), sharing_groups(n_columns, beside), beside)


def tiled_groups(grid_shape: tuple[int, int], n_groups: int) -> NDArray[np.int64]:
    """Return groups of patches that lie apart: a tile of filters is repeated over the grid.

    Neighboring windows have filters of their own, and windows one tile apart share theirs, as in
    tiled convolutional networks [1]_. The tile has ``n_groups`` windows and is as close to a square
    as the grid allows.

    Parameters
    ----------
    grid_shape : tuple of int
        ``(n_rows, n_columns)`` of the windows, see :func:`window_grid`.
    n_groups : int
        Windows of the tile: 1 is full sharing, ``n_rows * n_columns`` none.

    Returns
    -------
    filter_groups : ndarray of shape (n_rows * n_columns,)
        Group of each patch: its place in the tile, row by row.

    Raises
    ------
    ValueError
        If no tile of so many windows fits the grid.

    References
    ----------
    .. [1] Le, Ngiam, Chen, Chia, Koh, Ng, "Tiled convolutional neural networks", NIPS 2010.

    Examples
    --------
    >>> from sklcnn.patches import tiled_groups
    >>> tiled_groups((4, 4), 4).reshape(4, 4)
    array([[0, 1, 0, 1],
           [2, 3, 2, 3],
           [0, 1, 0, 1],
           [2, 3, 2, 3]])
    """
    n_rows, n_columns = _check_grid_shape(grid_shape)
    below, beside = _cut(n_rows, n_columns, n_groups)
    return _combine(np.arange(n_rows) % below, np.arange(n_columns) % beside, beside)


def stripe_groups(
    grid_shape: tuple[int, int], n_groups: int, *, axis: str = "rows"
) -> NDArray[np.int64]:
    """Return groups of patches in stripes: filters are shared along one axis of the grid.

    Parameters
    ----------
    grid_shape : tuple of int
        ``(n_rows, n_columns)`` of the windows, see :func:`window_grid`.
    n_groups : int
        Number of stripes, whose breadths differ by one window at most.
    axis : {"rows", "columns"}, default="rows"
        What a stripe is made of: whole rows, for patterns that move sideways, or whole columns.

    Returns
    -------
    filter_groups : ndarray of shape (n_rows * n_columns,)
        Group of each patch.

    Raises
    ------
    ValueError
        If there are fewer rows, or columns, than stripes, or the axis is unknown.

    Examples
    --------
    >>> from sklcnn.patches import stripe_groups
    >>> stripe_groups((2, 3), 2).reshape(2, 3)
    array([[0, 0, 0],
           [1, 1, 1]])
    """
    n_rows, n_columns = _check_grid_shape(grid_shape)
    if axis not in ("rows", "columns"):
        raise ValueError(f"axis={axis!r} must be 'rows' or 'columns'.")
    most = n_rows if axis == "rows" else n_columns
    _check_count("n_groups", n_groups, most, f"the {axis} of a grid of {n_rows} x {n_columns}")
    stripes = sharing_groups(most, n_groups)
    rows, columns = np.indices((n_rows, n_columns))
    return stripes[(rows if axis == "rows" else columns).ravel()]


def random_groups(
    n_patches: int, n_groups: int, random_state: int | np.random.RandomState | None = None
) -> NDArray[np.int64]:
    """Return random groups of equal size: sharing that knows nothing of where patches lie.

    Parameters
    ----------
    n_patches : int
        Number of patches.
    n_groups : int
        Number of groups. Their sizes differ by one at most, and not at all if ``n_groups`` divides
        ``n_patches``.
    random_state : int, RandomState instance or None, default=None
        Same value, same groups.

    Returns
    -------
    filter_groups : ndarray of shape (n_patches,)
        Group of each patch.

    Raises
    ------
    ValueError
        If ``n_groups`` does not lie between 1 and ``n_patches``.

    Examples
    --------
    >>> import numpy as np
    >>> from sklcnn.patches import random_groups
    >>> np.bincount(random_groups(6, 3, random_state=0))
    array([2, 2, 2])
    """
    _check_count("n_groups", n_groups, n_patches, f"n_patches={n_patches}")
    groups = sharing_groups(n_patches, n_groups)
    if isinstance(random_state, np.random.RandomState):
        return random_state.permutation(groups)
    return np.random.RandomState(random_state).permutation(groups)


def _combine(rows, columns, n_columns):
    """Number pairs of a group of rows and one of columns, (n_rows * n_columns,)."""
    return (rows[:, None] * n_columns + columns).ravel()


def _cut(n_rows, n_columns, n_groups):
    """Return into how many parts to cut rows and columns so that the parts are nearly square."""
    size = f"a grid of {n_rows} x {n_columns} windows"
    _check_count("n_groups", n_groups, n_rows * n_columns, size)
    cuts = _cuts(n_rows, n_columns)
    if n_groups not in cuts:
        fewer = max(number for number in cuts if number < n_groups)
        more = min(number for number in cuts if number > n_groups)
        raise ValueError(
            f"n_groups={n_groups} is no product of a number up to {n_rows} and one up to "
            f"{n_columns}, so that {size} cannot be cut into so many rectangles; {fewer} or {more} "
            "would do."
        )
    return cuts[n_groups]


def _cuts(n_rows, n_columns):
    """Map each possible number of rectangles to its best cut."""
    cuts: dict[int, tuple[int, int]] = {}
    for below in range(1, n_rows + 1):
        for beside in range(1, n_columns + 1):
            best = cuts.get(below * beside)
            if best is None or _oblong(n_rows, n_columns, below, beside) < _oblong(
                n_rows, n_columns, *best
            ):
                cuts[below * beside] = below, beside
    return cuts


def _oblong(n_rows, n_columns, below, beside):
    """How far the rectangles of a cut are from squares."""
    return abs(np.log((n_rows / below) / (n_columns / beside)))


def _check_grid_shape(grid_shape):
    shape = tuple(np.atleast_1d(grid_shape).tolist())
    if len(shape) != 2 or not all(isinstance(side, int) and side >= 1 for side in shape):
        raise ValueError(
            f"grid_shape={grid_shape!r} must be (n_rows, n_columns) of the windows, both at least "
            "1; a signal has one row."
        )
    return shape


def _check_count(parameter, value, most, what):
    if isinstance(value, bool) or not isinstance(value, Integral) or not 1 <= value <= most:
        raise ValueError(f"{parameter}={value!r} must lie between 1 and {most}, for {what}.")
