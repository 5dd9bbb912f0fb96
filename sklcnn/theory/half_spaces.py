"""Where the units of a two-layer network are active: means over half-spaces of the inputs."""

from typing import NamedTuple

import numpy as np

from .arguments import check_finite

__all__ = [
    "HalfSpaceMeans",
    "check_inputs",
    "check_outer_weights",
    "check_unit_inputs",
    "check_units",
    "half_space_means",
]

_N_ROWS, _N_UNITS = 256, 512  # of a block: 1 MB of pre-activations, which stays in the cache


class HalfSpaceMeans(NamedTuple):
    """Means over all inputs, where inputs outside a unit's half-space count as zero.

    With the event A that the unit is active: E[pre-activation; A], P(A) and E[X; A].
    """

    activation: np.ndarray  # (n_units,)
    share: np.ndarray  # (n_units,)
    center: np.ndarray  # (n_units, n_features)

    @property
    def slope(self):
        """P(A) sqrt(1 + |E[X | A]|^2), which is zero where nothing is active, (n_units,)."""
        return np.sqrt(self.share**2 + (self.center**2).sum(axis=-1))


def half_space_means(inputs, weights, biases):
    """Average over the inputs at which <w, x> + b > 0, for every unit (w, b).

    Memory is bounded by blocks of inputs and units, whatever the number of either.
    """
    n_units, n_features = weights.shape
    units = np.column_stack([weights, biases])
    activation, sums = np.zeros(n_units), np.zeros((n_units, n_features + 1))
    for rows in _blocks(len(inputs), _N_ROWS):
        block = np.column_stack([inputs[rows], np.ones(len(inputs[rows]))])  # floats from here on
        for some in _blocks(n_units, _N_UNITS):
            responses = block @ units[some].T  # (n_rows, n_block_units)
            active = np.greater(responses, 0, out=np.empty_like(responses), casting="unsafe")
            sums[some] += active.T @ block
            activation[some] += np.einsum("nk,nk->k", responses, active)
    means = sums / len(inputs)
    return HalfSpaceMeans(activation / len(inputs), means[:, -1], means[:, :-1])


def _blocks(length, size):
    """Slices of at most ``size`` that cover a length."""
    return [slice(start, start + size) for start in range(0, length, size)]


def check_inputs(inputs):
    """Return inputs or pooled patches as the rows of an array, or say what is wrong with them."""
    inputs = np.asarray(inputs)
    if inputs.ndim not in (2, 3) or not inputs.size:
        raise ValueError(
            "inputs must have shape (n_samples, n_features) or (n_samples, n_patches, patch_size) "
            f"and not be empty, got shape {inputs.shape}."
        )
    if not np.isfinite(inputs).all():
        raise ValueError("inputs must be finite, got NaN or infinity among them.")
    return inputs.reshape(-1, inputs.shape[-1])


def check_units(inner_weights, biases, *, unshared=False):
    """Return the units of a hidden layer as float arrays, or say what is wrong with them."""
    inner_weights = check_finite("inner_weights", inner_weights)
    biases = check_finite("biases", biases)
    shapes = "(n_filters, patch_size)"
    if unshared:
        shapes += " or (n_patches, n_filters, patch_size)"
    if inner_weights.ndim not in ((2, 3) if unshared else (2,)):
        raise ValueError(f"inner_weights must have shape {shapes}, got {inner_weights.shape}.")
    if biases.shape != inner_weights.shape[:-1]:
        raise ValueError(
            f"biases must have shape {inner_weights.shape[:-1]}, one for each of the "
            f"inner_weights, got {biases.shape}."
        )
    return inner_weights, biases


def check_outer_weights(outer_weights, inner_weights):
    """Return the weights of the only output as a float array, or say what is wrong with them."""
    outer_weights = check_finite("outer_weights", outer_weights)
    n_filters = inner_weights.shape[-2]
    if outer_weights.shape != (n_filters,):
        raise ValueError(
            f"outer_weights must have shape ({n_filters},), one for each filter of a network with "
            f"one output, got {outer_weights.shape}."
        )
    return outer_weights


def check_unit_inputs(inputs, inner_weights):
    """Return what each layer of units sees: (n_inputs, patch_size), or that for every patch."""
    rows = check_inputs(inputs)
    patch_size = inner_weights.shape[-1]
    if rows.shape[-1] != patch_size:
        raise ValueError(
            f"inputs must have {patch_size} features on the last axis, as many as the units have "
            f"weights, got {rows.shape[-1]}; hand over patches if the units see patches."
        )
    if inner_weights.ndim == 2:
        return rows
    n_patches = len(inner_weights)
    if np.ndim(inputs) != 3 or np.shape(inputs)[1] != n_patches:
        raise ValueError(
            f"inputs must have shape (n_samples, {n_patches}, {patch_size}) for unshared filters, "
            f"got {np.shape(inputs)}."
        )
    return np.swapaxes(np.asarray(inputs), 0, 1)  # (n_patches, n_samples, patch_size)
