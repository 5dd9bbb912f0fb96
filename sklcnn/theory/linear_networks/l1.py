"""Least sums of amplitudes: a linear program for coefficients, a smooth dual for spectra."""

import numpy as np
from scipy.optimize import linprog, minimize

from .svm import PrimalDual, solve_svm

__all__ = ["has_one_solution", "solve_group_l1", "solve_l1"]

_CONTACT = 1e-5  # below the bound, at which the first solution of the dual counts as touching it
_CONTACT_AFTER_POLISHING = 1e-7
_POSITIVE = 1e-9  # of the largest, below which a dual coefficient or an amplitude is zero
_MISSED = 1e-9  # shortage of a margin that is more than rounding
_N_POLISHING_STEPS = 20


def solve_l1(signed):
    """Coefficients of least l1 norm with ``signed @ coef >= 1``, by linear programming."""
    scale = np.abs(signed).max()
    n_samples, n_features = signed.shape
    program = linprog(
        np.ones(2 * n_features),
        A_ub=np.hstack([-signed, signed]) / scale,
        b_ub=-np.ones(n_samples),
    )
    _check_solved(program)
    positive, negative = program.x.reshape(2, n_features)
    return PrimalDual((positive - negative) / scale, -program.ineqlin.marginals / scale)


def solve_group_l1(signed, coordinates, maximize_dual=None):
    """Coordinates with least sum of amplitudes over the spectrum, and smallest margin 1.

    Few samples matter: those that the support vector machine stands on come first, and those whose
    margins the solution then misses join them.
    """
    scale = np.sqrt((signed**2).sum(axis=1).max())
    signed = signed / scale
    chosen = solve_svm(signed).dual_coef > 0
    while True:
        coef, weights = _solve_chosen(signed[chosen], coordinates, maximize_dual or _maximize_dual)
        missed = (signed @ coef < 1 - _MISSED) & ~chosen
        if not missed.any():
            break
        chosen |= missed
    dual_coef = np.zeros(len(signed))
    dual_coef[chosen] = weights
    return PrimalDual(coef / scale, dual_coef / scale)


def _solve_chosen(signed, coordinates, maximize_dual):
    """The same for samples that all matter.

    The dual is to maximize the sum of the weights while no amplitude of the weighted sum of the
    samples exceeds 1: few variables and smooth constraints. Where the bound is touched, that sum
    has the phases of the solution, whose amplitudes are found by a linear program. Newton steps on
    both sides at once give the last digits.
    """
    dual_coef = np.maximum(maximize_dual(signed, coordinates), 0)
    dual_coef = dual_coef / coordinates.amplitudes(dual_coef @ signed).max()
    contact, phases = _contacts(dual_coef @ signed, coordinates, _CONTACT)
    amplitudes = np.zeros(len(contact))
    amplitudes[contact] = _solve_amplitudes(
        _waves(signed, phases, coordinates, contact), coordinates.multiplicity[contact]
    )
    first = PrimalDual(amplitudes[coordinates.group] * phases, dual_coef)
    polished = _polish(signed, coordinates, amplitudes, dual_coef)
    return min(polished, first, key=lambda solution: _gap(signed, coordinates, solution))


def has_one_solution(signed, coordinates, dual_coef):
    """Whether the minimizer is unique; None if rounding hides it.

    With a solution of the dual, all minimizers have its phases, live where it touches the bound,
    and have margin 1 where it has weight: a polytope in the amplitudes. It is a single point if
    the equations have full rank, or else if a generic linear function is constant on it.
    """
    target = dual_coef @ signed
    contact, phases = _contacts(target, coordinates, _CONTACT_AFTER_POLISHING)
    waves = _waves(signed, phases, coordinates, contact)
    on_margin = dual_coef > _POSITIVE * dual_coef.max()
    if np.linalg.matrix_rank(waves[on_margin]) == contact.sum():
        return True
    slope = np.random.default_rng(0).uniform(1, 2, contact.sum())
    ends = [
        linprog(
            sign * slope,
            A_ub=-waves[~on_margin] if (~on_margin).any() else None,
            b_ub=-np.ones(np.sum(~on_margin)) if (~on_margin).any() else None,
            A_eq=waves[on_margin],
            b_eq=np.ones(on_margin.sum()),
        )
        for sign in (1, -1)
    ]
    if any(end.status != 0 for end in ends):
        return None
    return bool(-ends[1].fun - ends[0].fun <= 1e-6 * ends[0].fun)


def _maximize_dual(signed, coordinates):
    """Weights of the samples to about seven digits, (n_samples,)."""
    multiplicity, group = coordinates.multiplicity, coordinates.group
    order = np.argsort(group, kind="stable")
    starts = np.searchsorted(group[order], np.arange(len(multiplicity)))

    def slack(dual_coef):
        return 1 - np.bincount(group, (dual_coef @ signed) ** 2) / multiplicity  # (n_groups,)

    def slack_slopes(dual_coef):
        products = ((dual_coef @ signed) * signed)[:, order]
        return -2 * np.add.reduceat(products, starts, axis=1).T / multiplicity[:, None]

    start = solve_svm(signed).dual_coef
    return minimize(
        lambda dual_coef: (-dual_coef.sum(), -np.ones_like(dual_coef)),
        start / coordinates.amplitudes(start @ signed).max(),
        jac=True,
        bounds=[(0, None)] * len(signed),
        constraints={"type": "ineq", "fun": slack, "jac": slack_slopes},
        method="SLSQP",
        options={"ftol": 1e-14, "maxiter": 500},
    ).x


def _contacts(target, coordinates, tolerance):
    """Which amplitudes of a dual vector touch the bound 1, and its phases there."""
    amplitudes = coordinates.amplitudes(target)
    contact = amplitudes >= 1 - tolerance
    scales = np.where(contact, amplitudes, 1)[coordinates.group]
    return contact, np.where(contact[coordinates.group], target / scales, 0)


def _waves(signed, phases, coordinates, contact):
    """Margins of unit amplitudes with these phases, (n_samples, n_contacts)."""
    return (signed * phases) @ _members(coordinates, contact)


def _members(coordinates, chosen):
    """One column of zeros and ones for each chosen group, (n_features, n_chosen)."""
    return (coordinates.group[:, None] == np.flatnonzero(chosen)).astype(float)


def _solve_amplitudes(waves, multiplicity):
    """Amplitudes with least sum over the spectrum and margins of at least 1, (n_contacts,)."""
    program = linprog(multiplicity, A_ub=-waves, b_ub=-np.ones(len(waves)))
    _check_solved(program)
    return program.x


def _polish(signed, coordinates, amplitudes, dual_coef):
    """Solution of the equations on the active set, by Newton's method from a good start.

    Unknown are the weights of the samples on the margin and the amplitudes that are not zero; the
    dual vector has amplitude 1 there, and those margins are 1.
    """
    chosen = amplitudes > _POSITIVE * amplitudes.max()
    active = dual_coef > _POSITIVE * dual_coef.max()
    inside = chosen[coordinates.group]
    members = _members(coordinates, chosen)[inside]  # (n_inside, n_chosen)
    means = members / coordinates.multiplicity[chosen]
    rows = signed[active][:, inside]  # (n_active, n_inside)
    weights, sizes = dual_coef[active], amplitudes[chosen]
    for _ in range(_N_POLISHING_STEPS):
        target = weights @ rows
        waves = (rows * target) @ members
        errors = np.r_[target**2 @ means - 1, waves @ sizes - 1]
        if np.abs(errors).max() < 1e-15:
            break
        slopes = np.block(
            [
                [2 * ((rows * target) @ means).T, np.zeros((len(sizes), len(sizes)))],
                [(rows * (members @ sizes)) @ rows.T, waves],
            ]
        )
        step = np.linalg.lstsq(slopes, errors, rcond=None)[0]
        weights, sizes = weights - step[: len(weights)], sizes - step[len(weights) :]
    polished = np.zeros_like(dual_coef), np.zeros_like(amplitudes)
    polished[0][active], polished[1][chosen] = weights, sizes
    return PrimalDual(polished[1][coordinates.group] * (polished[0] @ signed), polished[0])


def _gap(signed, coordinates, solution):
    """Relative duality gap once both sides are made feasible, infinite if they cannot be."""
    margin, dual_coef = (signed @ solution.coef).min(), np.maximum(solution.dual_coef, 0)
    bound = coordinates.amplitudes(dual_coef @ signed).max()
    if not (margin > 0 and bound > 0):
        return np.inf
    norm = coordinates.multiplicity @ coordinates.amplitudes(solution.coef)
    return 1 - dual_coef.sum() / bound / (norm / margin)


def _check_solved(program):
    """Say that a linear program has no solution: the checks at the door exclude it."""
    if program.status != 0:
        raise RuntimeError(f"The linear program was not solved: {program.message}")
