"""Tables of what became of linear networks: errors, certificates, margins in all norms."""

import numpy as np
import pandas as pd

from sklcnn.studies.linear.plan import Norm, norm_of
from sklcnn.theory import coef_norm, fourier_coef, max_margin, stationarity, stationary_points

__all__ = [
    "curve_rows",
    "direction_error",
    "kernel_width_rows",
    "margin_table",
    "run_row",
    "scale_rows",
    "spectrum_rows",
]

_N_STARTS = 20  # of the search for the best stationary point
_CERTIFICATE = ("duality_gap", "residual", "slackness", "second_order", "min_curvature")
_NUMBERS = ("error", "polished_error", "norm_value", "best_norm")
_NOTHING = dict.fromkeys(  # is known of a network that does not separate
    [*_NUMBERS, *(f"{when}_{name}" for when in ("trained", "polished") for name in _CERTIFICATE)],
    np.nan,
) | {"trained_second_order": "undecided", "polished_second_order": "undecided"}


def direction_error(coef, other):
    """Return the distance of two predictors that are scaled to norm 1."""
    return float(np.linalg.norm(coef / np.linalg.norm(coef) - other / np.linalg.norm(other)))


def run_row(plan, network, fitted):
    """Return what a trained network has come to, before and after polishing.

    Parameters
    ----------
    plan : LinearPlan
        With the samples and the solutions.
    network : Network
        What was trained.
    fitted : LinearNetworkClassifier
        The result.

    Returns
    -------
    row : dict
        Of the table ``runs``.
    """
    norm, direction = norm_of(network), fitted.direction_[-1]
    trained = stationarity(direction, plan.X, plan.y, **norm.arguments)
    row = {"architecture": network.architecture, "depth": network.depth, "seed": network.seed}
    row |= {"norm": norm.label, "n_iter": fitted.n_iter_, "margin": float(fitted.margin_[-1])}
    polished = _polish(plan, norm, direction, trained)
    if polished is None:  # it does not separate
        return row | _NOTHING
    reference = plan.references[norm] if norm.is_convex else polished
    after = stationarity(polished.coef, plan.X, plan.y, **norm.arguments)
    row |= {"error": direction_error(direction, reference.coef)}
    row |= {f"trained_{name}": getattr(trained, name) for name in _CERTIFICATE}
    row["polished_error"] = direction_error(polished.coef, reference.coef)
    row |= {f"polished_{name}": getattr(after, name) for name in _CERTIFICATE}
    return row | {"norm_value": polished.norm_value, "best_norm": _best_norm(plan, norm, polished)}


def _polish(plan, norm, direction, trained):
    """Solve again from what training has found.

    For a convex norm that is which samples the certificate of the network puts on the margin: the
    others are left out. Otherwise it is the direction, from which a stationary point is looked for.
    """
    if trained.margin <= 0:
        return None
    if not norm.is_convex:
        return max_margin(plan.X, plan.y, **norm.arguments, start=direction)
    held = trained.dual_coef > 0
    return max_margin(plan.X[held], plan.y[held], **norm.arguments)


def _best_norm(plan, norm, polished):
    """Least norm of a stationary point that is known."""
    if norm.is_convex:
        return plan.references[norm].norm_value
    options = {"n_starts": _N_STARTS, "random_state": 0}
    best = stationary_points(plan.X, plan.y, norm.name, depth=norm.depth, **options)[0]
    return min(best.norm_value, polished.norm_value)


def curve_rows(plan, network, fitted, reference):
    """Return the way of a network to its reference, a row for each record of training."""
    errors = [direction_error(direction, reference) for direction in fitted.direction_]
    return pd.DataFrame(
        {
            "architecture": network.architecture,
            "depth": network.depth,
            "seed": network.seed,
            "iteration": fitted.record_iters_,
            "margin": fitted.margin_,
            "error": errors,
            "balance": fitted.balance_,
            "alignment": fitted.alignment_,
        }
    )


def spectrum_rows(network, direction, reference):
    """Return coefficients and amplitudes of the spectrum of a direction and of its reference."""
    coef, own = direction / np.linalg.norm(direction), reference / np.linalg.norm(reference)
    return pd.DataFrame(
        {
            "architecture": network.architecture,
            "depth": network.depth,
            "seed": network.seed,
            "place": np.arange(len(coef)),
            "coef": coef,
            "amplitude": np.abs(fourier_coef(coef)),
            "reference_coef": own,
            "reference_amplitude": np.abs(fourier_coef(own)),
        }
    )


def margin_table(plan, trained):
    """Return normalised margins of all networks in all norms, medians over their seeds.

    Parameters
    ----------
    plan : LinearPlan
        With the samples.
    trained : dict of Network to LinearNetworkClassifier
        The main part of the study.

    Returns
    -------
    margins : DataFrame
        One row for each ``architecture``, ``depth`` and ``norm``: ``margin``; ``own``, whether
        theory has this norm for the network; ``wins``, whether its margin there is larger than
        those of all networks for which theory has another.
    """
    signed, rows = plan.X * plan.y[:, None], []
    norms = dict.fromkeys([Norm("l2"), Norm("l1"), Norm("fourier_l1"), *map(norm_of, trained)])
    for network, fitted in trained.items():
        coef = fitted.direction_[-1]
        for norm in norms:
            row = {"architecture": network.architecture, "depth": network.depth}
            row |= {"norm": norm.label, "own": norm_of(network) == norm}
            least = (signed @ coef).min()
            rows.append(row | {"margin": least / coef_norm(coef, **norm.arguments)})
    keys = ["architecture", "depth", "norm", "own"]
    margins = pd.DataFrame(rows).groupby(keys, sort=False)["margin"].median().reset_index()
    best = margins[~margins["own"]].groupby("norm")["margin"].max()
    rival = margins["norm"].map(best)  # NaN if all networks share the norm
    return margins.assign(wins=margins["own"] & ~(margins["margin"] <= rival))


def scale_rows(plan, network, fitted):
    """Return the error of a network where it first has the stated margin."""
    reached = np.flatnonzero(fitted.margin_ >= plan.settings["scale_margin"])
    row = {"architecture": network.architecture, "init_scale": network.init_scale}
    row |= {"seed": network.seed, "margin": np.nan, "error": np.nan}
    if len(reached):
        reference = plan.references[norm_of(network)].coef
        row["margin"] = float(fitted.margin_[reached[0]])
        row["error"] = direction_error(fitted.direction_[reached[0]], reference)
    return row


def kernel_width_rows(plan, network, fitted):
    """Return margins of a narrow network, and of its reference, as shares of the largest ones."""
    norm = norm_of(network)
    reference, direction = plan.references[norm], fitted.direction_[-1]
    row = {"kernel_size": network.kernel_size, "seed": network.seed}
    row |= {"margin": float(fitted.margin_[-1]), "norm_value": reference.norm_value}
    row["error"] = direction_error(direction, reference.coef)
    row["own_share"] = _share(plan, direction, norm)
    for other in (Norm("l2"), Norm("fourier_l1")):
        row[f"{other.name}_share"] = _share(plan, direction, other)
        row[f"reference_{other.name}_share"] = _share(plan, reference.coef, other)
    return row


def _share(plan, coef, norm):
    """Normalised margin of a predictor over the largest one in a convex norm."""
    least = (plan.X @ coef * plan.y).min()
    return least / coef_norm(coef, **norm.arguments) / plan.references[norm].margin
