"""From what training has found to the exact predictor, and what training has not yet found."""

from typing import NamedTuple

import numpy as np

from sklcnn.theory import MaxMargin, max_margin

__all__ = ["DIAGNOSIS", "Polished", "diagnose", "polish"]

DIAGNOSIS = ("n_asleep", "waking_exponent", "n_lingering", "lingering_gap")
_ASLEEP = 0.5  # of its amplitude in the solution, below which a coefficient has not woken up
_GONE = 1e-3  # of the largest amplitude, below which one has vanished
_SHORT = 1e-9  # of a margin, by which a sample that was left out may fall short of 1


class Polished(NamedTuple):
    """An exact predictor, and how often the problem was solved for it."""

    solution: MaxMargin
    rounds: int


def polish(plan, norm, direction, trained):
    """Solve again from what training has found.

    For a convex norm that is which samples the certificate of the network puts on the margin: the
    others are left out. Those whose margin is then below 1 are added, until there is none. The
    solution is that of all samples, since it has least norm with fewer constraints. For other norms
    it is the direction, from which a stationary point is looked for.

    Parameters
    ----------
    plan : LinearPlan
        With the samples.
    norm : Norm
        That of theory.
    direction : ndarray of shape (n_features,)
        Of the trained network.
    trained : Stationarity
        Its certificate.

    Returns
    -------
    polished : Polished or None
        One round if training has found the right samples; None if the network does not separate.
    """
    if trained.margin <= 0:
        return None
    if not norm.is_convex:
        return Polished(max_margin(plan.X, plan.y, **norm.arguments, start=direction), 1)
    return _add_samples(plan.X, plan.y, norm, trained.dual_coef > 0)


def _add_samples(X, y, norm, held):
    """Solve with those samples that are held, and hold more until the others have margin 1."""
    rounds = 0
    while True:
        rounds += 1
        solution = max_margin(X[held], y[held], **norm.arguments)
        short = ~held & (X @ solution.coef * y < 1 - _SHORT)
        if not short.any():
            return Polished(solution, rounds)
        held = held | short


def diagnose(plan, norm, direction, trained):
    """Say which coefficients of a two-layer network still sleep, and which linger.

    Along the gradient flow a coefficient, or frequency, grows like the margin to the power of its
    dual vector over that of those which are awake.

    Parameters
    ----------
    plan : LinearPlan
        With the samples and the solutions.
    norm : Norm
        "l1" or "fourier_l1".
    direction : ndarray of shape (n_features,)
        Of the trained network.
    trained : Stationarity
        Its certificate, whose multipliers make its dual vector.

    Returns
    -------
    row : dict
        ``n_asleep``, how many have less than half of their amplitude in the solution;
        ``waking_exponent``, with which the quickest of them grows over those that are awake;
        ``n_lingering``, how many are above a thousandth of the largest that have to vanish;
        ``lingering_gap``, the least dual gap of them, which is minus their exponent when all is
        awake that has to be. NaN if there is none.
    """
    solution, coordinates = plan.references[norm], norm.coordinates
    signed = plan.X * plan.y[:, None]

    def amplitudes(signal):
        """One for each group of coordinates, (n_groups,)."""
        return coordinates.amplitudes(coordinates.forward(signal))

    now = amplitudes(direction / np.linalg.norm(direction))
    then = amplitudes(solution.coef / np.linalg.norm(solution.coef))
    needed = np.zeros(len(now), dtype=bool)
    needed[coordinates.group[solution.support]] = True
    asleep = needed & (now < _ASLEEP * then)
    lingering = ~needed & (now > _GONE * now.max())
    dual = amplitudes(trained.dual_coef @ signed)
    exponents = dual[asleep] / dual[np.argmax(now)] - 1
    gaps = 1 - amplitudes(solution.dual_coef @ signed)[lingering]
    found = (
        len(exponents),
        exponents.max() if len(exponents) else np.nan,
        len(gaps),
        gaps.min() if len(gaps) else np.nan,
    )
    return dict(zip(DIAGNOSIS, found, strict=True))
