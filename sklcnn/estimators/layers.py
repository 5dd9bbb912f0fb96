"""From the parameters of an estimator to plans of its hidden layers."""

from functools import lru_cache
from numbers import Integral

import numpy as np

from sklcnn.patches import all_features, check_patch_indices, sharing_groups, sliding_windows
from sklcnn.patches.layers import LayerPlan
from sklcnn.patches.windows import channels_first, window_axes

__all__ = ["plan_dense_layers", "plan_local_layers"]

WORDS = ("max", "mean", "sum")


def plan_dense_layers(n_filters, n_features):
    """Return the hidden layers of a fully connected network.

    Parameters
    ----------
    n_filters : int or tuple of int
        Units of each hidden layer.
    n_features : int
        Of the input.

    Returns
    -------
    plans : list of LayerPlan
        From the input upwards.
    """
    widths = _widths(n_filters)
    no_sharing = np.zeros(1, dtype=np.int64)
    sides = [n_features, *widths[:-1]]
    return [
        LayerPlan(width, all_features(side), no_sharing)
        for width, side in zip(widths, sides, strict=True)
    ]


def plan_local_layers(network, n_features, groups):
    """Return the hidden layers of a locally connected or convolutional network.

    Parameters
    ----------
    network : estimator
        With its parameters.
    n_features : int
        Of the input.
    groups : None, int, array-like, or tuple with one of these for each hidden layer
        Degree of weight sharing.

    Returns
    -------
    plans : list of LayerPlan
        From the input upwards.

    Raises
    ------
    ValueError
        If a tuple has not one entry for each hidden layer, or if a layer does not fit the map that
        reaches it; names the layer and the sizes.
    """
    widths = _widths(network.n_filters)
    columns = {
        name: _per_layer(name, getattr(network, name), widths, least=1)
        for name in ("patch_size", "stride")
    }
    pools = _pools(network.pooling, network.pool_size, widths)
    groups = _groups_per_layer(groups, widths)
    shape = check_input_shape(network.input_shape, n_features)
    if network.patch_indices is not None:
        return [_given_layer(network, n_features, widths, pools, groups)]
    plans = []
    for number, width in enumerate(widths):
        place = f"Hidden layer {number + 1} of {len(widths)}" if len(widths) > 1 else ""
        window = (columns["patch_size"][number], columns["stride"][number], network.padding)
        if number > 0:
            _check_room(place, shape, window[0], network.padding)
        try:
            axes, patches = _windows(shape, *window)
            sharing = sharing_groups(len(patches), groups[number])
        except ValueError as error:
            if not place:
                raise
            size = " x ".join(map(str, shape))
            raise ValueError(f"{place}, on a map of {size}: {error}") from None
        plans.append(LayerPlan(width, patches.copy(), sharing, axes, *pools[number]))
        shape = plans[-1].output_shape
    return plans


def check_input_shape(input_shape, n_features):
    """Return the input as (channels, height, width).

    Parameters
    ----------
    input_shape : tuple of int or None
        None is a signal of one channel.
    n_features : int
        What it must hold.

    Returns
    -------
    shape : tuple of three int
        (channels, height, width).

    Raises
    ------
    ValueError
        If it holds another number of features.
    """
    if input_shape is None:
        return 1, 1, n_features
    if np.prod(input_shape) != n_features:
        raise ValueError(
            f"input_shape={tuple(input_shape)} holds {np.prod(input_shape)} features, but X has "
            f"{n_features}."
        )
    return channels_first(input_shape)


@lru_cache(maxsize=64)
def _windows(shape, patch_size, stride, padding):
    """Keep the windows of the last shapes: hundreds of small fits share them."""
    axes = window_axes(shape, patch_size, stride, padding)
    return axes, sliding_windows(shape, patch_size, stride, padding=padding)


def _widths(n_filters):
    widths = n_filters if isinstance(n_filters, tuple) else (n_filters,)
    if not widths:
        raise ValueError("n_filters=() names no hidden layer; give an int or a tuple of them.")
    for width in widths:
        _check_count("n_filters", width, n_filters, least=1)
    return widths


def _per_layer(name, value, widths, least):
    """Return one value for each hidden layer."""
    if not isinstance(value, tuple):
        return (value,) * len(widths)
    _check_length(name, value, widths)
    for entry in value:
        _check_count(name, entry, value, least)
    return value


def _check_length(name, value, widths):
    if len(value) != len(widths):
        raise ValueError(
            f"{name}={value} has {len(value)} entries, but n_filters={_show(widths)} has "
            f"{_count(len(widths))}; give one entry for each, or a single value for all."
        )


def _show(widths):
    return widths if len(widths) > 1 else widths[0]


def _count(depth):
    return f"{depth} hidden layers" if depth > 1 else "one hidden layer"


def _check_count(name, entry, value, least):
    if isinstance(entry, bool) or not isinstance(entry, Integral) or entry < least:
        raise ValueError(f"{name}={value!r} holds {entry!r}; entries must be ints >= {least}.")


def _pools(pooling, pool_size, widths):
    """Return (pooling, pool_size) of every layer; only the last may pool over all positions."""
    given = isinstance(pooling, tuple)
    words = _words(pooling, widths)
    if isinstance(pool_size, tuple):
        _check_length("pool_size", pool_size, widths)
        sizes = pool_size
    else:
        sizes = (pool_size,) * len(widths)
    for size in sizes:
        if size is not None:
            _check_count("pool_size", size, pool_size, least=2)
    if pooling is None and pool_size is not None:
        raise ValueError(
            f"pool_size={pool_size} needs pooling='max', 'mean' or 'sum', but pooling=None."
        )
    pools = []
    for number, (word, size) in enumerate(zip(words, sizes, strict=True)):
        inner = number < len(widths) - 1
        if inner and word is not None and size is None and given:
            raise ValueError(
                f"pooling={pooling} with pool_size={pool_size} pools hidden layer {number + 1} of "
                f"{len(widths)} over all positions, which leaves nothing to the next one; give its "
                "pool_size, the side of the windows to pool, or pooling=None for this layer."
            )
        pools.append((None, None) if word is None or (inner and size is None) else (word, size))
    if isinstance(pool_size, tuple):
        _check_pool_sizes(words, pool_size, pooling)
    return pools


def _check_pool_sizes(words, pool_size, pooling):
    for number, (word, size) in enumerate(zip(words, pool_size, strict=True), start=1):
        if word is None and size is not None:
            raise ValueError(
                f"pool_size={pool_size} has a side for hidden layer {number}, which "
                f"pooling={pooling} does not pool."
            )


def _words(pooling, widths):
    if not isinstance(pooling, tuple):
        return (pooling,) * len(widths)
    _check_length("pooling", pooling, widths)
    if any(word not in (*WORDS, None) for word in pooling):
        raise ValueError(f"pooling={pooling} must hold 'max', 'mean', 'sum' or None only.")
    return pooling


def _groups_per_layer(groups, widths):
    if len(widths) == 1:
        alone = isinstance(groups, tuple) and len(groups) == 1
        return groups if alone else (groups,)
    if isinstance(groups, tuple):
        _check_length("filter_groups", groups, widths)
        return groups
    if np.ndim(groups) > 0:
        raise ValueError(
            f"filter_groups is one array, but n_filters={widths} has {_count(len(widths))}; give a "
            "tuple with an int, an array or None for each of them."
        )
    return (groups,) * len(widths)


def _check_room(place, shape, patch_size, padding):
    """Refuse a depth at which the map has shrunk to less than a window."""
    channels, *sides = shape
    longest = max(sides)
    if padding == "valid" and patch_size > min(side for side in sides if side > 1 or longest == 1):
        size = " x ".join(map(str, (channels, *sides)))
        raise ValueError(
            f"{place}: patch_size={patch_size} is larger than the map that reaches it "
            f"(channels x height x width: {size}); use fewer hidden layers, smaller windows, less "
            "pooling, or padding='same'."
        )


def _given_layer(network, n_features, widths, pools, groups):
    """Return the only layer of a network whose connectivity is given outright."""
    if len(widths) > 1 or network.pool_size is not None:
        raise ValueError(
            "patch_indices says what one hidden layer sees, without a grid of positions; it allows "
            f"neither several hidden layers nor pool_size (n_filters={network.n_filters}, "
            f"pool_size={network.pool_size})."
        )
    patches = check_patch_indices(network.patch_indices, n_features)
    return LayerPlan(widths[0], patches, sharing_groups(len(patches), groups[0]), None, *pools[0])
