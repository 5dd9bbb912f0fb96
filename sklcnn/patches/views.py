"""Connectivity of a signal: windows, blocks and random subsets of its features.

The strategies of [1]_, each a function that returns an index array. Its dense sliding windows are
``sliding_windows((n_features,), patch_size)``. Several strategies leave features unseen;
`patch_coverage` says how many are seen, `patch_overlap` how much the patches have in common.

References
----------
.. [1] Liang, Singh, Parhi, Cloninger, Wang, "The inductive bias of convolutional neural networks:
   locality and weight sharing reshape implicit regularization", arXiv 2603.04807.
"""

from numbers import Integral

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "disjoint_blocks",
    "fixed_patches",
    "hierarchical_windows",
    "overlapping_windows",
    "random_partition",
    "random_stream",
    "random_subsets",
    "random_windows",
]


def overlapping_windows(
    n_features: int, patch_size: int, stride: int | None = None, *, rest: str = "error"
) -> NDArray[np.int64]:
    """Return windows of which neighbors share half of their features.

    With ``stride=1`` they are the literature's dense sliding windows. What sets them apart from
    `sliding_windows` is the choice of what becomes of trailing features.

    Parameters
    ----------
    n_features : int
        Number of features (*d* in [1]_).
    patch_size : int
        Features of a window (*m*).
    stride : int or None, default=None
        Step between neighboring windows, at most ``patch_size``. None is half a window,
        ``max(1, patch_size // 2)``.
    rest : {"error", "drop", "mask"}, default="error"
        What becomes of trailing features that no whole window reaches. ``"error"``: a ValueError.
        ``"drop"``: no patch sees them, as in the code of [1]_. ``"mask"``: one more window sees
        them; its entries beyond the end are masked.

    Returns
    -------
    patch_indices : ndarray of shape (n_patches, patch_size)
        ``(n_features - patch_size) // stride + 1`` windows, or one more with ``rest="mask"``, then
        a :class:`numpy.ma.MaskedArray`.

    Raises
    ------
    ValueError
        If a window is larger than the signal, if the stride is larger than a window, or if features
        are left and ``rest="error"``.

    References
    ----------
    .. [1] Liang, Singh, Parhi, Cloninger, Wang, "The inductive bias of convolutional neural
       networks: locality and weight sharing reshape implicit regularization", arXiv 2603.04807.

    Examples
    --------
    >>> from sklcnn.patches import overlapping_windows
    >>> overlapping_windows(8, 4)
    array([[0, 1, 2, 3],
           [2, 3, 4, 5],
           [4, 5, 6, 7]])
    >>> print(overlapping_windows(7, 4, rest="mask"))
    [[0 1 2 3]
     [2 3 4 5]
     [4 5 6 --]]
    """
    _check_sizes(n_features, patch_size)
    _check_rest(rest)
    stride = _half(patch_size) if stride is None else stride
    _check_count("stride", stride, patch_size, f"patch_size={patch_size}")
    n_windows, left = divmod(n_features - patch_size, stride)
    if left and rest == "error":
        fitting = [
            step for step in range(1, patch_size + 1) if (n_features - patch_size) % step == 0
        ]
        raise ValueError(
            f"patch_size={patch_size} with stride={stride} leaves the last {left} of "
            f"n_features={n_features} unseen; stride={' or '.join(map(str, fitting[-3:]))} covers "
            "all of them, rest='mask' adds a window for them, and rest='drop' leaves them out."
        )
    n_windows += 2 if left and rest == "mask" else 1
    return _windows(np.arange(n_windows) * stride, patch_size, n_features)


def disjoint_blocks(n_features: int, patch_size: int, *, rest: str = "error") -> NDArray[np.int64]:
    """Return consecutive blocks of features.

    Parameters
    ----------
    n_features : int
        Number of features.
    patch_size : int
        Features of a block.
    rest : {"error", "drop", "mask"}, default="error"
        What becomes of trailing features that fill no block. ``"error"``: a ValueError.
        ``"drop"``: no patch sees them, as in the code of arXiv 2603.04807. ``"mask"``: a last block
        holds them, its other entries are masked.

    Returns
    -------
    patch_indices : ndarray of shape (n_patches, patch_size)
        ``n_features // patch_size`` blocks, or one more with ``rest="mask"``, then a
        :class:`numpy.ma.MaskedArray`.

    Raises
    ------
    ValueError
        If a block is larger than the signal, or if features are left and ``rest="error"``.

    Examples
    --------
    >>> from sklcnn.patches import disjoint_blocks
    >>> print(disjoint_blocks(5, 2, rest="mask"))
    [[0 1]
     [2 3]
     [4 --]]
    """
    _check_sizes(n_features, patch_size)
    _check_rest(rest)
    n_blocks, left = divmod(n_features, patch_size)
    if left and rest == "error":
        raise ValueError(
            f"patch_size={patch_size} leaves the last {left} of n_features={n_features} unseen, as "
            "it does not divide them; rest='mask' adds a block for them, and rest='drop' leaves "
            "them out."
        )
    n_blocks += bool(left) and rest == "mask"
    return _windows(np.arange(n_blocks) * patch_size, patch_size, n_features)


def hierarchical_windows(
    n_features: int, patch_size: int, n_scales: int = 3, *, rest: str = "error"
) -> NDArray[np.int64]:
    """Return disjoint blocks of several scales, each twice as long as those before.

    Blocks of scale *s* = 0, 1, ... hold ``patch_size * 2 ** s`` features. As rows of one array they
    have the length of the longest; entries that a shorter block lacks are masked. (The code of
    arXiv 2603.04807 fills them with -1, which numpy reads as the last feature.)

    Parameters
    ----------
    n_features : int
        Number of features.
    patch_size : int
        Features of the shortest blocks.
    n_scales : int, default=3
        Number of scales.
    rest : {"error", "drop", "mask"}, default="error"
        What becomes of trailing features that fill no block. ``"error"``: a ValueError, if no scale
        sees them. ``"drop"``: they are left out. ``"mask"``: at each scale a last, shorter block
        sees them.

    Returns
    -------
    patch_indices : MaskedArray of shape (n_patches, patch_size * 2 ** (n_scales - 1))
        Blocks of the first scale come first. An ndarray if nothing is masked.

    Raises
    ------
    ValueError
        If a block of the last scale is larger than the signal, or if features are left and
        ``rest="error"``.

    Examples
    --------
    >>> from sklcnn.patches import hierarchical_windows
    >>> print(hierarchical_windows(4, 1, n_scales=2))
    [[0 --]
     [1 --]
     [2 --]
     [3 --]
     [0 1]
     [2 3]]
    """
    _check_sizes(n_features, patch_size)
    most = int(n_features // patch_size).bit_length()  # 2 ** (most - 1) blocks still fit
    _check_count("n_scales", n_scales, most, f"patch_size={patch_size}, n_features={n_features}")
    blocks = [disjoint_blocks(n_features, patch_size, rest=rest)]
    # The shortest blocks reach farthest: with rest='error' they have seen all by now.
    rest = "drop" if rest == "error" else rest
    for scale in range(1, n_scales):
        blocks.append(disjoint_blocks(n_features, patch_size * 2**scale, rest=rest))
    return _stack(blocks)


def random_subsets(
    n_features: int,
    patch_size: int,
    n_patches: int | None = None,
    random_state: int | np.random.RandomState | None = None,
) -> NDArray[np.int64]:
    """Return patches that are independent random subsets of the features.

    Patches may overlap, and some features may be seen by none, see `patch_coverage`: a feature is
    unseen with probability ``(1 - patch_size / n_features) ** n_patches``.

    Parameters
    ----------
    n_features : int
        Number of features.
    patch_size : int
        Features of a patch, all different and in ascending order.
    n_patches : int or None, default=None
        Number of patches. None is as many as `overlapping_windows` has with ``rest="drop"``.
    random_state : int, RandomState instance or None, default=None
        Same value, same patches.

    Returns
    -------
    patch_indices : ndarray of shape (n_patches, patch_size)
        The patches.

    Raises
    ------
    ValueError
        If a patch is larger than the signal, or if there is no patch.

    Examples
    --------
    >>> from sklcnn.patches import random_subsets
    >>> random_subsets(100, 10, random_state=0).shape
    (19, 10)
    """
    _check_sizes(n_features, patch_size)
    n_patches = _count_patches(n_features, patch_size, n_patches)
    random = random_stream(random_state)
    return np.sort([random.permutation(n_features)[:patch_size] for _ in range(n_patches)], axis=1)


def random_windows(
    n_features: int,
    patch_size: int,
    n_patches: int | None = None,
    random_state: int | np.random.RandomState | None = None,
) -> NDArray[np.int64]:
    """Return windows at random places, which overlap as chance has it.

    The literature's random overlap. Starts are independent and uniform, so that features near the
    ends are seen less often, and some features may be seen by no window, see `patch_coverage`.

    Parameters
    ----------
    n_features : int
        Number of features.
    patch_size : int
        Features of a window.
    n_patches : int or None, default=None
        Number of windows. None is as many as `overlapping_windows` has with ``rest="drop"``.
    random_state : int, RandomState instance or None, default=None
        Same value, same patches.

    Returns
    -------
    patch_indices : ndarray of shape (n_patches, patch_size)
        The windows, in the order of the draw.

    Raises
    ------
    ValueError
        If a window is larger than the signal, or if there is no window.

    Examples
    --------
    >>> from sklcnn.patches import random_windows
    >>> random_windows(100, 10, n_patches=4, random_state=0).shape
    (4, 10)
    """
    _check_sizes(n_features, patch_size)
    n_patches = _count_patches(n_features, patch_size, n_patches)
    starts = random_stream(random_state).randint(n_features - patch_size + 1, size=n_patches)
    return _windows(starts, patch_size, n_features)


def fixed_patches(
    n_features: int,
    patch_size: int,
    n_patches: int,
    random_state: int | np.random.RandomState | None = None,
) -> NDArray[np.int64]:
    """Return disjoint patches over features that are drawn once.

    ``n_patches * patch_size`` different features are drawn, put in ascending order, and cut into
    patches; the other features are seen by none.

    Parameters
    ----------
    n_features : int
        Number of features.
    patch_size : int
        Features of a patch.
    n_patches : int
        Number of patches, at most ``n_features // patch_size``.
    random_state : int, RandomState instance or None, default=None
        Same value, same patches.

    Returns
    -------
    patch_indices : ndarray of shape (n_patches, patch_size)
        The patches.

    Raises
    ------
    ValueError
        If a patch is larger than the signal, or if there are not enough features.

    Examples
    --------
    >>> from sklcnn.patches import fixed_patches, patch_coverage
    >>> patches = fixed_patches(200, 10, n_patches=10, random_state=0)
    >>> patch_coverage(patches, 200)
    0.5
    """
    _check_sizes(n_features, patch_size)
    most = n_features // patch_size
    _check_count("n_patches", n_patches, most, f"patch_size={patch_size}, n_features={n_features}")
    drawn = random_stream(random_state).permutation(n_features)[: n_patches * patch_size]
    return np.sort(drawn).reshape(n_patches, patch_size)


def random_partition(
    n_features: int,
    patch_size: int,
    random_state: int | np.random.RandomState | None = None,
) -> NDArray[np.int64]:
    """Return patches that part the features at random: every one is seen exactly once.

    Parameters
    ----------
    n_features : int
        Number of features.
    patch_size : int
        Features of a patch, in random order; must divide ``n_features``.
    random_state : int, RandomState instance or None, default=None
        Same value, same patches.

    Returns
    -------
    patch_indices : ndarray of shape (n_features // patch_size, patch_size)
        A permutation of the features, cut into rows.

    Raises
    ------
    ValueError
        If ``patch_size`` does not divide ``n_features``.

    Examples
    --------
    >>> import numpy as np
    >>> from sklcnn.patches import random_partition
    >>> np.sort(random_partition(6, 2, random_state=0), axis=None)
    array([0, 1, 2, 3, 4, 5])
    """
    _check_sizes(n_features, patch_size)
    if n_features % patch_size:
        raise ValueError(
            f"patch_size={patch_size} must divide n_features={n_features}, as each is to be seen "
            "exactly once; fixed_patches leaves some out."
        )
    return random_stream(random_state).permutation(n_features).reshape(-1, patch_size)


def random_stream(random_state: int | np.random.RandomState | None) -> np.random.RandomState:
    """Return the generator to draw from, never numpy's global one.

    Parameters
    ----------
    random_state : int, RandomState instance or None
        An int starts a new generator, None one that cannot be repeated.

    Returns
    -------
    random : RandomState
        The instance itself, if one is given.

    Raises
    ------
    ValueError
        If it is none of these.

    Examples
    --------
    >>> from sklcnn.patches.views import random_stream
    >>> random_stream(0).randint(10)
    5
    """
    if isinstance(random_state, np.random.RandomState):
        return random_state
    try:
        return np.random.RandomState(random_state)
    except (TypeError, ValueError):
        raise ValueError(
            f"random_state={random_state!r} must be an int between 0 and 2**32 - 1, a RandomState "
            "instance or None."
        ) from None


def _half(patch_size):
    return max(1, patch_size // 2)


def _windows(starts, patch_size, n_features):
    """Return windows from ``starts`` on, masked beyond the end, (n_windows, patch_size)."""
    patches = starts[:, None] + np.arange(patch_size)
    outside = patches >= n_features
    if not outside.any():
        return patches
    return np.ma.array(np.where(outside, 0, patches), mask=outside)


def _stack(blocks):
    """Put patches of different sizes below each other, masked where the shorter ones end."""
    shape = sum(map(len, blocks)), blocks[-1].shape[1]
    patches = np.ma.masked_all(shape, dtype=np.int64)
    patches.data[...] = 0
    above = 0
    for block in blocks:
        patches[above : above + len(block), : block.shape[1]] = block
        above += len(block)
    return patches if np.ma.is_masked(patches) else patches.data


def _count_patches(n_features, patch_size, n_patches):
    if n_patches is None:
        return (n_features - patch_size) // _half(patch_size) + 1
    if isinstance(n_patches, bool) or not isinstance(n_patches, Integral) or n_patches < 1:
        raise ValueError(f"n_patches={n_patches!r} must be an int of at least 1, or None.")
    return n_patches


def _check_sizes(n_features, patch_size):
    if isinstance(n_features, bool) or not isinstance(n_features, Integral) or n_features < 1:
        raise ValueError(f"n_features={n_features!r} must be an int of at least 1.")
    _check_count("patch_size", patch_size, n_features, f"n_features={n_features}")


def _check_count(parameter, value, most, what):
    if isinstance(value, bool) or not isinstance(value, Integral) or not 1 <= value <= most:
        raise ValueError(f"{parameter}={value!r} must be an int from 1 to {most}, for {what}.")


def _check_rest(rest):
    if rest not in ("error", "drop", "mask"):
        raise ValueError(f"rest={rest!r} must be 'error', 'drop' or 'mask'.")
