"""The same programs for a general interior-point solver: the only place that needs cvxpy."""

import warnings

import numpy as np

from .group_norms import GroupNorm
from .l1 import solve_group_l1
from .spectra import fourier_coef
from .svm import PrimalDual

__all__ = ["solve_conic"]

_TOLERANCES = {"tol_gap_abs": 1e-10, "tol_gap_rel": 1e-10, "tol_feas": 1e-10}


def solve_conic(samples, norm):
    """Coordinates of least norm with smallest margin 1, by Clarabel."""
    if isinstance(norm, GroupNorm):
        return solve_group_l1(samples, norm.coordinates, _maximize_dual)
    scale = np.sqrt((samples**2).sum(axis=1).max())
    coef, dual_coef = _solve_kernel_width(samples / scale, norm)
    return PrimalDual(coef / scale, dual_coef / scale)


def _maximize_dual(signed, coordinates):
    """Weights of the samples, by a program of second-order cones, (n_samples,)."""
    cvxpy = _import_cvxpy()
    weights = cvxpy.Variable(len(signed), nonneg=True)
    target = signed.T @ weights
    bounds = np.sqrt(coordinates.multiplicity)
    discs = [
        cvxpy.norm(target[np.flatnonzero(coordinates.group == group)]) <= bound
        for group, bound in enumerate(bounds)
    ]
    _run(cvxpy.Problem(cvxpy.Maximize(cvxpy.sum(weights)), discs))
    return weights.value


def _solve_kernel_width(signed, norm):
    """Least norm over predictors and Gram matrices of the kernels, a semidefinite program."""
    cvxpy = _import_cvxpy()
    n_taps, groups = norm.n_taps, norm.coordinates
    gram, coef = cvxpy.Variable((n_taps, n_taps), PSD=True), cvxpy.Variable(signed.shape[1])
    waves = _tap_spectra(norm)  # (n_taps, n_features)
    energies = []
    for group in range(len(groups.multiplicity)):
        members = np.flatnonzero(groups.group == group)
        wave = waves[:, members[0]]
        product = np.outer(wave, wave.conj()).real
        energy = cvxpy.sum(cvxpy.multiply(product, gram))
        energies.append(cvxpy.quad_over_lin(coef[members], energy))
    margins = signed @ coef >= 1
    _run(cvxpy.Problem(cvxpy.Minimize((cvxpy.trace(gram) + sum(energies)) / 2), [margins]))
    return coef.value, margins.dual_value


def _tap_spectra(norm):
    """Unitary transform of a unit impulse at each place of a kernel, (n_taps, n_features)."""
    n_features = int(np.prod(norm.input_shape))
    corner = tuple(slice(size) for size in norm.kernel_size)
    places = np.arange(n_features).reshape(norm.input_shape)[corner].ravel()
    return fourier_coef(np.eye(n_features)[places], norm.input_shape)


def _run(problem):
    """Solve to the digits that the solver can give: how many, the duality gap will tell."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Solution may be inaccurate")
        problem.solve(solver="CLARABEL", **_TOLERANCES)
    if problem.status not in ("optimal", "optimal_inaccurate"):
        raise RuntimeError(f"The solver Clarabel did not find an optimum: {problem.status}.")


def _import_cvxpy():
    """The package, or how to get it."""
    try:
        import cvxpy
    except ImportError as error:
        raise ImportError(
            'solver="clarabel" needs cvxpy and clarabel: pip install "sklcnn[linear]". '
            'solver="scipy" needs neither.'
        ) from error
    return cvxpy
