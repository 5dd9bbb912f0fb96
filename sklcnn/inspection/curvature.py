"""Curvature of the training loss at a fitted network."""

import warnings
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.exceptions import ConvergenceWarning

from sklcnn.estimators.base import AbstractNetwork
from sklcnn.inspection.networks import check_network, encode_samples
from sklcnn.nn.curvature import GaussNewton, Hessian
from sklcnn.nn.eigenvalues import TraceEstimate, estimate_trace, lanczos
from sklcnn.nn.losses import MeanLoss

__all__ = ["HessianSpectrum", "TraceEstimate", "hessian_spectrum", "hessian_trace", "sharpness"]

# Factor on the loss that training minimizes.
CONVENTIONS = {"mean": 1.0, "half": 0.5}
MATRICES = {"hessian": Hessian, "gauss_newton": GaussNewton}
DTYPES = ("float32", "float64")


@dataclass(frozen=True)
class HessianSpectrum:
    """The largest eigenvalues of the Hessian of a training loss, the largest first.

    Attributes
    ----------
    eigenvalues : ndarray of shape (k,)
        With their sign.
    residuals : ndarray of shape (k,)
        Norm of what is left of the equation of each eigenvector: somewhere within this distance of
        each value there is an eigenvalue.
    gauss_newton : ndarray of shape (k,)
        What the Gauss-Newton part contributes to each eigenvalue, never negative; the rest of it
        vanishes where the network fits its targets.
    vectors : ndarray of shape (k, n_parameters)
        Eigenvectors of norm one, raveled in the order of ``module_.parameters()``.
    n_products : int
        Products of the matrix with a vector that were needed; each costs a few training steps.
    converged : bool
        Whether the residuals are within the tolerance.

    Examples
    --------
    >>> import sklcnn
    >>> from sklcnn.datasets import make_sphere
    >>> from sklcnn.inspection import hessian_spectrum
    >>> X, y = make_sphere(n_samples=50, n_features=10, random_state=0)
    >>> network = sklcnn.FCNRegressor(8, solver="gd", tol=None, random_state=0).fit(X, y)
    >>> spectrum = hessian_spectrum(network, X, y, k=3)
    >>> rest = spectrum.eigenvalues - spectrum.gauss_newton  # vanishes with the residuals
    >>> rest.shape
    (3,)
    """

    eigenvalues: NDArray[np.float64]
    residuals: NDArray[np.float64]
    gauss_newton: NDArray[np.float64]
    vectors: NDArray[np.float64]
    n_products: int
    converged: bool


def sharpness(
    estimator: AbstractNetwork,
    X: ArrayLike,
    y: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    convention: str = "mean",
    matrix: str = "hessian",
    tol: float = 1e-3,
    max_products: int = 300,
    dtype: str = "float64",
    random_state: int = 0,
) -> float:
    """Return the largest eigenvalue of the Hessian of the training loss.

    The loss is the one that training minimizes, a mean over samples: for ``loss="squared_error"``
    the plain mean squared error, without one half, also over the outputs if there are several.
    Gradient descent of that loss is stable up to a sharpness of 2 / ``learning_rate_init``.

    Parameters
    ----------
    estimator : fitted network
        A classifier or a regressor.
    X : array-like of shape (n_samples, n_features)
        Inputs that it was trained on.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Their labels or targets.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the samples in the loss; those of ``class_weight`` are added by themselves.
    convention : {"mean", "half"}, default="mean"
        ``"half"`` gives the sharpness of half the mean squared error, which is half as large: the
        convention of much of the theory. Only for ``loss="squared_error"``.
    matrix : {"hessian", "gauss_newton"}, default="hessian"
        ``"gauss_newton"`` leaves out the part of the Hessian that vanishes with the residuals.
    tol : float, default=1e-3
        Relative error at which the search ends. It bounds the distance to an eigenvalue; the value
        is usually far closer.
    max_products : int, default=300
        Products with the matrix after which the search ends in any case, with a warning.
    dtype : {"float64", "float32"}, default="float64"
        Precision of the computation, whatever the network was trained in.
    random_state : int, default=0
        Seed of the vector that the search starts from.

    Returns
    -------
    sharpness : float
        With its sign: negative where the loss curves downwards in all directions.

    Raises
    ------
    NotFittedError
        If the network is not fitted.
    ValueError
        If the estimator is no network, X or y do not fit it, its parameters are not finite, or an
        argument is none of the above.

    Warns
    -----
    ConvergenceWarning
        If the search ended before the tolerance was reached; it names the residual.
    UserWarning
        If the network stands at a kink of its activation, where there is no Hessian; the value
        belongs to the side on which the units in question stay inactive.

    See Also
    --------
    sklcnn.inspection.hessian_spectrum : More eigenvalues, with errors and Gauss-Newton parts.

    Notes
    -----
    The penalty is left out. With ``alpha`` training adds :math:`\\alpha / 2n` times the squared
    norm of the weights (not of biases and thresholds), *n* being the total weight of the samples
    of a batch, which raises the sharpness by at most :math:`\\alpha / n`.

    The search is a Lanczos iteration [1]_ on products with the Hessian, which are exact, computed
    over chunks of samples. An eigenvalue of larger absolute value but negative sign is not taken
    for the sharpness, as it would be by a power iteration.

    References
    ----------
    .. [1] Golub, Van Loan, "Matrix Computations", 4th edition, 2013, chapter 10.
    .. [2] Cohen, Kaur, Li, Kolter, Talwalkar, "Gradient Descent on Neural Networks Typically Occurs
       at the Edge of Stability", ICLR 2021, arXiv:2103.00065.

    Examples
    --------
    >>> import sklcnn
    >>> from sklcnn.datasets import make_sphere
    >>> from sklcnn.inspection import sharpness
    >>> X, y = make_sphere(n_samples=50, n_features=10, random_state=0)
    >>> network = sklcnn.FCNRegressor(8, solver="gd", tol=None, random_state=0).fit(X, y)
    >>> full, half = (sharpness(network, X, y, convention=name) for name in ("mean", "half"))
    >>> round(full / half, 6)
    2.0
    """
    factor = _check_convention(estimator, convention)
    operator, _ = _make_operator(estimator, X, y, sample_weight, matrix, dtype)
    pairs = _find_eigenpairs(operator, 1, tol, max_products, random_state)
    return factor * float(pairs.eigenvalues[0])


def hessian_spectrum(
    estimator: AbstractNetwork,
    X: ArrayLike,
    y: ArrayLike,
    k: int = 5,
    *,
    sample_weight: ArrayLike | None = None,
    convention: str = "mean",
    matrix: str = "hessian",
    tol: float = 1e-3,
    max_products: int = 1000,
    dtype: str = "float64",
    random_state: int = 0,
) -> HessianSpectrum:
    """Return the largest eigenvalues of the Hessian of the training loss, and their split.

    The Hessian is the Gauss-Newton matrix, which the slopes of the outputs make, plus a part that
    vanishes with the residuals; the record says what the first contributes to each eigenvalue.

    Parameters
    ----------
    estimator : fitted network
        A classifier or a regressor.
    X : array-like of shape (n_samples, n_features)
        Inputs that it was trained on.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Their labels or targets.
    k : int, default=5
        Eigenvalues. One of a multiplicity above *k* takes all the places.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the samples in the loss; those of ``class_weight`` are added by themselves.
    convention : {"mean", "half"}, default="mean"
        As in `sharpness`.
    matrix : {"hessian", "gauss_newton"}, default="hessian"
        Whose eigenvalues.
    tol : float, default=1e-3
        Largest residual at which the search ends, relative to the largest eigenvalue.
    max_products : int, default=1000
        Products with the matrix after which the search ends in any case, with a warning.
    dtype : {"float64", "float32"}, default="float64"
        Precision of the computation, whatever the network was trained in.
    random_state : int, default=0
        Seed of the vectors that the search starts from.

    Returns
    -------
    spectrum : HessianSpectrum
        Eigenvalues, residuals, split, vectors.

    Raises
    ------
    NotFittedError
        If the network is not fitted.
    ValueError
        If the estimator is no network, X or y do not fit it, its parameters are not finite, or an
        argument is none of the above.

    Warns
    -----
    ConvergenceWarning
        If the search ended before the tolerance was reached; it names the residual.
    UserWarning
        If the network stands at a kink of its activation, see `sharpness`.

    Examples
    --------
    >>> import sklcnn
    >>> from sklcnn.datasets import make_sphere
    >>> from sklcnn.inspection import hessian_spectrum
    >>> X, y = make_sphere(n_samples=50, n_features=10, random_state=0)
    >>> network = sklcnn.FCNRegressor(8, solver="gd", tol=None, random_state=0).fit(X, y)
    >>> spectrum = hessian_spectrum(network, X, y, k=3)
    >>> spectrum.vectors.shape, spectrum.converged
    ((3, 97), True)
    """
    factor = _check_convention(estimator, convention)
    operator, gauss_newton = _make_operator(estimator, X, y, sample_weight, matrix, dtype)
    _check_integer("k", k, 1, operator.size, "the number of parameters")
    pairs = _find_eigenpairs(operator, int(k), tol, max_products, random_state)
    parts = [torch.sum(vector * gauss_newton(vector)).item() for vector in pairs.vectors]
    return HessianSpectrum(
        factor * pairs.eigenvalues,
        factor * pairs.residuals,
        factor * np.array(parts),
        pairs.vectors.double().cpu().numpy(),
        pairs.n_products,
        pairs.converged,
    )


def hessian_trace(
    estimator: AbstractNetwork,
    X: ArrayLike,
    y: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    convention: str = "mean",
    matrix: str = "hessian",
    n_draws: int = 30,
    dtype: str = "float64",
    random_state: int = 0,
) -> TraceEstimate:
    """Estimate the trace of the Hessian of the training loss, by Hutchinson's random signs.

    Parameters
    ----------
    estimator : fitted network
        A classifier or a regressor.
    X : array-like of shape (n_samples, n_features)
        Inputs that it was trained on.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Their labels or targets.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the samples in the loss; those of ``class_weight`` are added by themselves.
    convention : {"mean", "half"}, default="mean"
        As in `sharpness`.
    matrix : {"hessian", "gauss_newton"}, default="hessian"
        Whose trace.
    n_draws : int, default=30
        Random vectors, each of them one product; the standard error falls with their square root.
    dtype : {"float64", "float32"}, default="float64"
        Precision of the computation, whatever the network was trained in.
    random_state : int, default=0
        Seed of the signs.

    Returns
    -------
    trace : TraceEstimate
        With the fields ``value``, ``standard_error`` and ``n_draws``.

    Raises
    ------
    NotFittedError
        If the network is not fitted.
    ValueError
        If the estimator is no network, X or y do not fit it, its parameters are not finite, or an
        argument is none of the above.

    Warns
    -----
    UserWarning
        If the network stands at a kink of its activation, see `sharpness`.

    Examples
    --------
    >>> import sklcnn
    >>> from sklcnn.datasets import make_sphere
    >>> from sklcnn.inspection import hessian_trace
    >>> X, y = make_sphere(n_samples=50, n_features=10, random_state=0)
    >>> network = sklcnn.FCNRegressor(8, solver="gd", tol=None, random_state=0).fit(X, y)
    >>> hessian_trace(network, X, y, n_draws=10).n_draws
    10
    """
    factor = _check_convention(estimator, convention)
    _check_integer("n_draws", n_draws, 1)
    operator, _ = _make_operator(estimator, X, y, sample_weight, matrix, dtype)
    trace = estimate_trace(
        operator,
        operator.size,
        n_draws=int(n_draws),
        generator=_generator(random_state),
        dtype=operator.dtype,
        device=operator.device,
    )
    return TraceEstimate(factor * trace.value, factor * trace.standard_error, trace.n_draws)


def _check_convention(estimator, convention):
    """Check the estimator too, whose loss decides; return the factor on that loss."""
    check_network(estimator, lacking="training loss that could be differentiated")
    _check_choice("convention", convention, CONVENTIONS)
    if convention == "half" and estimator.loss != "squared_error":
        raise ValueError(
            f"convention='half' is about the squared error, but the network minimizes "
            f"loss={estimator.loss!r}; use convention='mean'."
        )
    return CONVENTIONS[convention]


def _make_operator(estimator, X, y, sample_weight, matrix, dtype):
    """Return the matrix in question and the Gauss-Newton part, both of the mean loss."""
    _check_choice("matrix", matrix, MATRICES)
    _check_choice("dtype", dtype, DTYPES)
    if not all(torch.isfinite(value).all() for value in estimator.module_.parameters()):
        raise ValueError(
            f"estimator={estimator!r} has parameters that are not finite, so its loss has no "
            "curvature: train it with a smaller learning_rate_init."
        )
    samples = encode_samples(estimator, X, y, sample_weight)
    parts = (samples.X, samples.target, samples.weight)
    loss, kind = MeanLoss(estimator.loss), {"dtype": getattr(torch, dtype)}
    operator = MATRICES[matrix](estimator.module_, loss, *parts, **kind)
    _warn_of_kinks(operator)
    if matrix == "gauss_newton":
        return operator, operator
    return operator, GaussNewton(estimator.module_, loss, *parts, **kind)


def _warn_of_kinks(operator):
    n_kinks = operator.count_kinks()
    if n_kinks:
        warnings.warn(
            f"The loss has no Hessian here: {n_kinks} arguments of a ReLU (or of a soft threshold "
            "or a hinge) are exactly zero. Returned is the curvature with these units inactive.",
            UserWarning,
            stacklevel=4,
        )


def _find_eigenpairs(operator, k, tol, max_products, random_state):
    """Search for eigenvalues, and warn if the search did not end well."""
    if not (isinstance(tol, Real) and 0 < tol < 1):
        raise ValueError(f"tol={tol!r} must be a number between 0 and 1, such as 1e-3.")
    _check_integer("max_products", max_products, 1)
    pairs = lanczos(
        operator,
        operator.size,
        k=k,
        tol=tol,
        max_products=max_products,
        generator=_generator(random_state),
        dtype=operator.dtype,
        device=operator.device,
    )
    if not pairs.converged:
        largest = np.abs(pairs.eigenvalues).max()
        warnings.warn(
            f"The search for eigenvalues ended after {pairs.n_products} products at a residual of "
            f"{pairs.residuals.max():.2g}, which is more than tol={tol:g} times {largest:.3g}; "
            "raise max_products, or tol.",
            ConvergenceWarning,
            stacklevel=3,
        )
    return pairs


def _generator(random_state):
    _check_integer("random_state", random_state, 0)
    return torch.Generator().manual_seed(int(random_state))


def _check_choice(name: str, value: Any, choices: Any) -> None:
    if not (isinstance(value, str) and value in choices):
        raise ValueError(f"{name}={value!r} must be one of {tuple(choices)}.")


def _check_integer(name, value, least, most=None, meaning=""):
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    if not whole or value < least or (most is not None and value > most):
        end = f"of at least {least}" if most is None else f"from {least} to {most}, {meaning}"
        raise ValueError(f"{name}={value!r} must be an integer {end}.")
