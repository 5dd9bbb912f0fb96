"""What stability says of a fitted network: its sharpness, its path norms, and the bound."""

import warnings
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import is_classifier

from sklcnn.estimators.base import AbstractNetwork
from sklcnn.inspection.curvature import hessian_spectrum
from sklcnn.inspection.networks import check_network, cut_patches, encode_samples
from sklcnn.nn import PatchNetwork
from sklcnn.nn.losses import MeanLoss
from sklcnn.theory import (
    activation_rates,
    gauss_newton_bound,
    path_norm,
    path_norm_bound,
    weighted_path_norm,
)
from sklcnn.training import outputs

__all__ = ["StabilityReport", "stability_report", "training_loss"]

# Relative rounding error of a sharpness; a network of dead units meets the bound with equality.
ROUNDING = 1e-9


class StabilityReport(NamedTuple):
    """What stability says of a network of one hidden ReLU layer, on its training data.

    Parameters
    ----------
    sharpness : float
        Largest eigenvalue of the Hessian of the mean squared error, without one half.
    residual : float
        Somewhere within this distance of the sharpness there is an eigenvalue. What the search
        returns is never too large.
    train_loss : float
        Mean squared error on the training data, without one half.
    path_norm : float
        Sum of outer weights times norms of inner weights.
    weighted_path_norm : float
        The same, weighted by where the training inputs lie; for shared filters, the patches of all
        of them. NaN for filters that are not shared, of which no bound is stated.
    path_norm_bound : float
        Upper bound of the weighted path norm by sharpness and training loss; NaN as above.
    holds : bool or None
        Whether the weighted path norm is within the bound, as theory says it is; the sharpness is
        granted its residual. None where there is no bound, and where the search for the sharpness
        has not converged, as the residual is then no small part of it.
    gauss_newton_bound : float
        Lower bound of the largest eigenvalue of the Gauss-Newton matrix, which at an interpolating
        network is the sharpness. NaN for filters that are shared within several groups.
    radius : float
        Largest norm of a training input, or of a patch.
    activation_rates : ndarray of shape (n_filters,) or (n_patches, n_filters)
        Share of inputs, or for shared filters of patches, on which each filter is active; for
        filters that are not shared the share of inputs for each patch.

    Examples
    --------
    >>> import numpy as np
    >>> from sklcnn.inspection import StabilityReport
    >>> rates = np.array([0.5, 0.25])
    >>> report = StabilityReport(9.8, 0.01, 0.2, 30.0, 1.5, 3.0, True, 6.0, 1.0, rates)
    >>> report.path_norm_bound - report.weighted_path_norm
    1.5
    """

    sharpness: float
    residual: float
    train_loss: float
    path_norm: float
    weighted_path_norm: float
    path_norm_bound: float
    holds: bool | None
    gauss_newton_bound: float
    radius: float
    activation_rates: NDArray[np.float64]


def stability_report(
    estimator: AbstractNetwork,
    X: ArrayLike,
    y: ArrayLike,
    *,
    tol: float = 1e-3,
    max_products: int = 1000,
    random_state: int = 0,
) -> StabilityReport:
    r"""Return sharpness, path norms and the bound between them, for a fitted network.

    Gradient descent with a large learning rate ends where the sharpness is below 2 /
    ``learning_rate_init``; the sharpness bounds the weighted path norm. The bound belongs to a
    point of the parameter space and not to a minimum, so that it can be evaluated at any time in
    training.

    Parameters
    ----------
    estimator : fitted regressor
        With one hidden layer, ``activation="relu"``, ``readout="linear"``, one output, and
        ``pooling="mean"`` unless there is a single patch, as in a fully connected network.
    X : array-like of shape (n_samples, n_features)
        Inputs that it was trained on, all with the same weight.
    y : array-like of shape (n_samples,)
        Their targets.
    tol : float, default=1e-3
        Relative error at which the search for the sharpness ends.
    max_products : int, default=1000
        Products with the Hessian after which it ends in any case, with a warning.
    random_state : int, default=0
        Seed of the vector that it starts from.

    Returns
    -------
    report : StabilityReport
        All in the units of the mean squared error, without one half.

    Raises
    ------
    NotFittedError
        If the network is not fitted.
    ValueError
        If the theory has no statement about the network, if X or y do not fit it, if its parameters
        are not finite, or if an argument cannot be used.

    Warns
    -----
    ConvergenceWarning
        If the search ended before the tolerance was reached; it names the residual, and ``holds``
        is None.
    UserWarning
        If the network stands at a kink of a ReLU, where there is no Hessian; or if its filters are
        not shared: then there is no weighted path norm, and no bound of it.

    See Also
    --------
    sklcnn.sharpness : The sharpness of any network and loss.
    sklcnn.theory.path_norm_bound : The bound, and where it comes from.
    sklcnn.theory.weighted_path_norm : What is bounded.

    Notes
    -----
    Units of the mean squared error *without* the half are twice those of theory: with the sharpness
    :math:`\lambda` and the loss *L* reported here the bound is :math:`\lambda / 4 - 1 / 2 + (R + 1)
    \sqrt L`. It is published for fully connected networks [1]_ and our derivation for shared
    filters, with patches in the place of inputs and *R* the largest norm of either.

    Inner weights of masked entries of ``patch_indices`` see nothing and count as zero.

    Besides the sharpness it takes eight products of a (n_samples * n_patches, patch_size) by a
    (patch_size, n_filters) matrix, in blocks; what is held are the patches, not the responses.

    References
    ----------
    .. [1] Liang, Qiao, Wang, Parhi, "Stable Minima of ReLU Neural Networks Suffer from the Curse
       of Dimensionality", NeurIPS 2025, arXiv:2506.20779.

    Examples
    --------
    >>> import sklcnn
    >>> from sklcnn.datasets import make_sphere
    >>> from sklcnn.inspection import stability_report
    >>> X, y = make_sphere(n_samples=50, n_features=10, random_state=0)
    >>> network = sklcnn.FCNRegressor(8, solver="gd", tol=None, random_state=0).fit(X, y)
    >>> report = stability_report(network, X, y)
    >>> report.weighted_path_norm < report.path_norm_bound, report.holds
    (True, True)
    """
    _check_statement(estimator)
    search: dict[str, Any] = {"tol": tol, "max_products": max_products}
    spectrum = hessian_spectrum(estimator, X, y, 1, random_state=random_state, **search)
    sharpness, residual = float(spectrum.eigenvalues[0]), float(spectrum.residuals[0])
    loss = training_loss(estimator, X, y)
    # (n_samples, n_patches, patch_size)
    patches = cut_patches(encode_samples(estimator, X, y).X, estimator.patch_indices_)
    inner, biases, outer = _read_units(estimator)
    radius = float(np.sqrt(np.einsum("slm,slm->sl", patches, patches, dtype=float).max()))
    norm = bound = np.nan
    holds = None
    if inner.ndim == 2:
        norm = weighted_path_norm(inner, biases, outer, patches)
        bound = float(path_norm_bound(sharpness, loss, radius))
        if spectrum.converged:
            granted = sharpness + residual + ROUNDING * abs(sharpness)
            holds = bool(norm <= path_norm_bound(granted, loss, radius))
    return StabilityReport(
        sharpness=sharpness,
        residual=residual,
        train_loss=loss,
        path_norm=path_norm(inner, outer),
        weighted_path_norm=norm,
        path_norm_bound=bound,
        holds=holds,
        gauss_newton_bound=_bound_curvature(estimator, inner, biases, outer, patches),
        radius=radius,
        activation_rates=activation_rates(inner, biases, patches),
    )


def training_loss(estimator: AbstractNetwork, X: ArrayLike, y: ArrayLike) -> float:
    """Return the loss that training minimizes, at the parameters that the network has now.

    The last entry of ``loss_curve_`` belongs to the parameters before the last step.

    Parameters
    ----------
    estimator : fitted network
        A classifier or a regressor.
    X : array-like of shape (n_samples, n_features)
        Inputs.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Their labels or targets.

    Returns
    -------
    loss : float
        Mean over samples, with the weights of ``class_weight`` and without the penalty of
        ``alpha``; the squared error is not halved. Computed in float64; infinite or NaN where
        training has diverged.

    Raises
    ------
    NotFittedError
        If the network is not fitted.
    ValueError
        If the estimator is no network, or X or y do not fit it.

    Examples
    --------
    >>> import sklcnn
    >>> from sklcnn.datasets import make_sphere
    >>> from sklcnn.inspection import training_loss
    >>> X, y = make_sphere(n_samples=50, n_features=10, random_state=0)
    >>> network = sklcnn.FCNRegressor(8, solver="gd", tol=None, random_state=0).fit(X, y)
    >>> bool(training_loss(network, X, y) < network.loss_curve_[-1])
    True
    """
    check_network(estimator)
    samples = encode_samples(estimator, X, y)
    target = torch.as_tensor(samples.target, dtype=torch.float64)
    weight = samples.weight
    if weight is not None:
        weight = torch.as_tensor(weight, dtype=torch.float64)
    found = torch.from_numpy(outputs(estimator.module_, samples.X))
    return MeanLoss(estimator.loss)(found, target, weight).item()


def _read_units(estimator):
    """Return inner weights, biases and outer weights in float64.

    Shared filters come as (n_filters, patch_size), all others as those of each patch.
    """
    network = estimator.module_
    parameters = (network.weight, network.bias, network.readout_weight[0])
    inner, biases, outer = (value.detach().double().cpu().numpy() for value in parameters)
    blind = np.ma.getmaskarray(estimator.patch_indices_)  # (n_patches, patch_size)
    if len(inner) == 1:
        return np.where(blind.all(axis=0), 0, inner[0]), biases[0], outer
    groups = estimator.filter_groups_
    return np.where(blind[:, None], 0, inner[groups]), biases[groups], outer


def _bound_curvature(estimator, inner, biases, outer, patches):
    """Return the bound of the Gauss-Newton matrix, and warn where a bound is missing."""
    groups = estimator.filter_groups_
    n_groups = len(np.unique(groups))
    if n_groups == 1:
        return gauss_newton_bound(inner, biases, outer, patches)
    partly = n_groups < len(groups)
    sharing = f"shared within {n_groups} groups of patches" if partly else "not shared"
    lost = ["weighted_path_norm", "path_norm_bound", *["gauss_newton_bound"] * partly]
    warnings.warn(
        f"The bound of the weighted path norm is stated for filters that all patches share, but "
        f"these are {sharing}: {', '.join(lost)} are NaN and holds is None.",
        UserWarning,
        stacklevel=3,
    )
    return np.nan if partly else gauss_newton_bound(inner, biases, outer, patches)


def _check_statement(estimator):
    """Raise ValueError for a network that the theory says nothing about."""
    check_network(estimator)
    for flawed, reason, remedy in _flaws(estimator):
        if flawed:
            raise ValueError(f"estimator, a {type(estimator).__name__}, {reason}; {remedy}.")


def _flaws(estimator):
    """Yield what may be wrong: whether it is, in words, and what would do."""
    squared = "the bound is stated for the squared error only: use a regressor"
    yield is_classifier(estimator), "is a classifier", squared
    yield estimator.loss != "squared_error", f"has loss={estimator.loss!r}", squared
    network = estimator.module_
    one_layer = "the bound is stated for one hidden layer that is pooled over all patches"
    given = {name: estimator.get_params().get(name) for name in ("n_filters", "pool_size")}
    layers = ", ".join(f"{name}={value!r}" for name, value in given.items() if value is not None)
    deep = f"has several layers or a pool_size ({layers})"
    yield not isinstance(network, PatchNetwork), deep, one_layer
    relu = "the bound is stated for ReLUs: use activation='relu'"
    yield network.activation != "relu", f"has activation={network.activation!r}", relu
    bias = "the bound needs the output bias of readout='linear'"
    yield network.readout != "linear", f"has readout={network.readout!r}", bias
    n_outputs = len(network.readout_weight)
    yield n_outputs > 1, f"has {n_outputs} outputs", "the bound is stated for one: fit them apart"
    several = len(estimator.patch_indices_) > 1
    mean = "the bound is stated for the mean over the patches: use pooling='mean'"
    yield several and network.pooling != "mean", f"has pooling={network.pooling!r}", mean
