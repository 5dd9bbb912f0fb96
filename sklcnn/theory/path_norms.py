r"""Path norms of two-layer ReLU networks, plain and weighted by where the inputs lie.

The networks are :math:`f(x) = \sum_k v_k \frac1J \sum_l \phi(\langle w_k, x^{(l)} \rangle + b_k)
+ \beta` with :math:`\phi(z) = \max(z, 0)` and patches :math:`x^{(l)}`; a fully connected network
has one patch, the input. Nothing here depends on whether the loss is halved.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .arguments import check_finite
from .half_spaces import (
    check_inputs,
    check_outer_weights,
    check_unit_inputs,
    check_units,
    half_space_means,
)

__all__ = ["activation_rates", "path_norm", "weight_function", "weighted_path_norm"]


def weight_function(
    inputs: ArrayLike, directions: ArrayLike, thresholds: ArrayLike
) -> NDArray[np.float64]:
    r"""Return how strongly stability holds back a ReLU with that direction and threshold.

    For *X* uniform over the inputs, a direction *u* and a threshold *t* it is

    .. math:: \tilde g(u, t) = P(u^\top X > t)^2 \, E[u^\top X - t \mid u^\top X > t] \,
              \sqrt{1 + \|E[X \mid u^\top X > t]\|^2}, \qquad
              g(u, t) = \min\{\tilde g(u, t), \tilde g(-u, -t)\} .

    A ReLU that is active on few inputs, or on all but few, has a small weight: large learning
    rates hardly limit it.

    Parameters
    ----------
    inputs : array-like of shape (n_inputs, n_features) or (n_samples, n_patches, patch_size)
        Training inputs of a fully connected network. For shared filters, the patches of all
        training inputs, which are pooled.
    directions : array-like of shape (n_units, n_features)
        Unit vectors *u*.
    thresholds : float or array-like of shape (n_units,)
        Thresholds *t*, in units of the inputs.

    Returns
    -------
    weights : ndarray of shape (n_units,)
        At least 0; exactly 0 if no input, or no input but those on the boundary, is on one side.

    Raises
    ------
    ValueError
        If the shapes do not fit, a number is not finite, or a direction has not norm 1.

    See Also
    --------
    weighted_path_norm : The path norm with these weights.

    Notes
    -----
    Published [1]_ for full inputs, where the formula follows from Proposition E.4. The version for
    pooled patches is our derivation. On the uniform ball in *d* dimensions *g*
    falls like :math:`(1 - |t|)^{d + 2}` at the boundary (published), on *m* of *d* coordinates of
    the uniform sphere like :math:`(1 - |t|)^d` (our derivation).

    It takes four multiplications of (n_inputs, n_features) by (n_features, n_units) matrices, in
    blocks: memory does not grow with the product of n_inputs and n_units.

    References
    ----------
    .. [1] Liang, Qiao, Wang, Parhi, "Stable Minima of ReLU Neural Networks Suffer from the Curse
       of Dimensionality", NeurIPS 2025, arXiv:2506.20779.

    Examples
    --------
    >>> import numpy as np
    >>> from sklcnn.theory import weight_function
    >>> X = np.array([[-1.0, 0.0], [0.0, 0.0], [1.0, 0.0], [2.0, 0.0]])
    >>> weight_function(X, [[1.0, 0.0], [1.0, 0.0]], [0.0, 1.5]).round(4)
    array([0.0884, 0.0699])
    """
    x, u = check_inputs(inputs), check_finite("directions", directions)
    _check_directions(u, x.shape[1])
    t = check_finite("thresholds", thresholds)
    if t.shape not in ((), (len(u),)):
        raise ValueError(
            f"thresholds must be a number or have shape ({len(u)},), one for each direction, got "
            f"{t.shape}."
        )
    return _scaled_weights(x, u, np.broadcast_to(-t, len(u)))


def weighted_path_norm(
    inner_weights: ArrayLike, biases: ArrayLike, outer_weights: ArrayLike, inputs: ArrayLike
) -> float:
    r"""Return the path norm weighted by the weight function, which stability bounds.

    .. math:: \sum_k |v_k| \, \|w_k\| \, g(w_k / \|w_k\|, -b_k / \|w_k\|)

    for units :math:`\phi(\langle w_k, x \rangle + b_k)`: in the sign convention of our networks
    the threshold of a unit is *minus* its bias over the norm of its weights.

    Parameters
    ----------
    inner_weights : array-like of shape (n_filters, patch_size)
        Weights :math:`w_k` of the units of a fully connected network or of shared filters.
    biases : array-like of shape (n_filters,)
        Biases :math:`b_k`, added to the inner products.
    outer_weights : array-like of shape (n_filters,)
        Weights :math:`v_k` of the output, read from the *mean* over the patches.
    inputs : array-like of shape (n_inputs, patch_size) or (n_samples, n_patches, patch_size)
        Training inputs, or the patches of all of them, which are pooled.

    Returns
    -------
    norm : float
        At least 0.

    Raises
    ------
    ValueError
        If the shapes do not fit or a number is not finite. There is no such norm for filters that
        are not shared.

    See Also
    --------
    sklcnn.theory.path_norm_bound : Its bound by the sharpness.
    sklcnn.theory.gauss_newton_bound : The curvature it takes.
    path_norm : Without the weight.

    Notes
    -----
    A unit without weights costs nothing, nor does a unit whose threshold exceeds the norm of
    all inputs in absolute value: it is constant, or affine, on the inputs. The norm does not change
    when weights and bias of a unit are multiplied by a number and its outer weight is divided
    by it.

    Published [1]_ for fully connected networks, our derivation for shared filters.

    References
    ----------
    .. [1] Liang, Qiao, Wang, Parhi, "Stable Minima of ReLU Neural Networks Suffer from the Curse
       of Dimensionality", NeurIPS 2025, arXiv:2506.20779, Theorem 3.2.

    Examples
    --------
    >>> from sklcnn.theory import weighted_path_norm
    >>> X = [[-1.0, 0.0], [0.0, 0.0], [1.0, 0.0], [2.0, 0.0]]
    >>> round(weighted_path_norm([[2.0, 0.0], [2.0, 0.0]], [0.0, -3.0], [1.0, -3.0], X), 4)
    0.596
    """
    w, b = check_units(inner_weights, biases)
    v = check_outer_weights(outer_weights, w)
    return float(np.abs(v) @ _scaled_weights(check_unit_inputs(inputs, w), w, b))


def path_norm(inner_weights: ArrayLike, outer_weights: ArrayLike) -> float:
    r"""Return the plain path norm, the sum of the outer weights times the norms of the inner ones.

    It is :math:`\sum_k |v_k| \, \|w_k\|`, and for filters that are not shared, whose responses are
    averaged over the patches, :math:`\sum_k |v_k| \frac1J \sum_l \|w_{l,k}\|` (the latter is our
    definition). Biases do not count.

    Parameters
    ----------
    inner_weights : array-like of shape (n_filters, patch_size), or with n_patches in front
        Weights of a fully connected network or of shared filters, or of filters of each patch.
    outer_weights : array-like of shape (n_filters,)
        Weights of the output, read from the mean over the patches.

    Returns
    -------
    norm : float
        At least 0. The weighted path norm is at most this times the largest of the weights.

    Raises
    ------
    ValueError
        If the shapes do not fit or a number is not finite.

    See Also
    --------
    weighted_path_norm : Weighted by where the inputs lie.

    Examples
    --------
    >>> from sklcnn.theory import path_norm
    >>> path_norm([[3.0, 4.0], [0.0, 1.0]], [2.0, -1.0])
    11.0
    """
    biases = np.zeros(np.shape(inner_weights)[:-1])
    w, _ = check_units(inner_weights, biases, unshared=True)
    v = check_outer_weights(outer_weights, w)
    norms = np.linalg.norm(w, axis=-1)  # (..., n_filters)
    return float(np.abs(v) @ norms.reshape(-1, len(v)).mean(axis=0))


def activation_rates(
    inner_weights: ArrayLike, biases: ArrayLike, inputs: ArrayLike
) -> NDArray[np.float64]:
    r"""Return the share of inputs, or of patches, on which each unit is active.

    A unit is active where :math:`\langle w, x \rangle + b > 0`. For shared filters the share is
    that of all pairs of a sample and a patch, for filters that are not shared that of the samples.

    Parameters
    ----------
    inner_weights : array-like of shape (n_filters, patch_size), or with n_patches in front
        Weights of a fully connected network or of shared filters, or of filters of each patch.
    biases : array-like of shape (n_filters,) or (n_patches, n_filters)
        Biases, added to the inner products.
    inputs : array-like of shape (n_inputs, patch_size) or (n_samples, n_patches, patch_size)
        Inputs, or the patches of all of them. The filters of a patch see that patch, so that they
        need the second shape.

    Returns
    -------
    rates : ndarray of shape (n_filters,) or (n_patches, n_filters)
        From 0 to 1; a unit that is active nowhere is dead.

    Raises
    ------
    ValueError
        If the shapes do not fit or a number is not finite.

    Examples
    --------
    >>> from sklcnn.theory import activation_rates
    >>> activation_rates([[1.0], [-1.0]], [0.5, -0.5], [[-1.0], [0.0], [1.0], [2.0]])
    array([0.75, 0.25])
    """
    w, b = check_units(inner_weights, biases, unshared=True)
    x = check_unit_inputs(inputs, w)
    if w.ndim == 2:
        return half_space_means(x, w, b).share
    return np.array([half_space_means(*patch).share for patch in zip(x, w, b, strict=True)])


def _scaled_weights(inputs, weights, biases):
    """The norm of each weight vector times the weight function of the unit, (n_units,).

    A unit without weights is active on all inputs or on none, so that one of the sides is zero.
    """
    above = half_space_means(inputs, weights, biases)
    below = half_space_means(inputs, -weights, -biases)
    return np.minimum(above.activation * above.slope, below.activation * below.slope)


def _check_directions(directions, n_features):
    """Say what is wrong with the unit vectors."""
    if directions.ndim != 2 or directions.shape[1] != n_features:
        raise ValueError(
            f"directions must have shape (n_units, {n_features}), got {directions.shape}."
        )
    norms = np.linalg.norm(directions, axis=1)
    if not np.allclose(norms, 1, rtol=0, atol=1e-5):  # float32 may have normalized them
        worst = norms[np.abs(norms - 1).argmax()]
        raise ValueError(f"directions must have norm 1, got one of norm {worst:.6g}.")
