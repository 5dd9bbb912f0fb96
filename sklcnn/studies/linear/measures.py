"""Tables of what became of linear networks: errors, certificates, margins in all norms."""

import numpy as np
import pandas as pd

from sklcnn.studies.linear.plan import norm_of
from sklcnn.studies.linear.polishing import DIAGNOSIS, diagnose, polish
from sklcnn.studies.linear.samples import Norm
from sklcnn.theory import (
    coef_norm,
    convergence_power,
    fourier_coef,
    max_margin,
    stationarity,
    stationary_points,
)
from sklcnn.theory.linear_networks.spectra import fourier_coordinates

__all__ = ["direction_error", "measure_networks", "path_distance"]

_TIED = 1e-6  # relative difference of margins that are the same
_N_STARTS = 20  # of the search for the best stationary point
_CERTIFICATE = ("duality_gap", "residual", "slackness", "second_order", "min_curvature")
_NUMBERS = ("error", "polished_error", "polish_rounds", "norm_value", "best_norm", *DIAGNOSIS)
_NOTHING = dict.fromkeys(  # is known of a network that does not separate
    [*_NUMBERS, *(f"{when}_{name}" for when in ("trained", "polished") for name in _CERTIFICATE)],
    np.nan,
) | {"trained_second_order": "undecided", "polished_second_order": "undecided"}


def measure_networks(plan, trained):
    """Make the tables of where networks go.

    Parameters
    ----------
    plan : LinearPlan
        With the samples and the solutions.
    trained : dict of Network to LinearNetworkClassifier
        All its networks.

    Returns
    -------
    tables : dict of str to DataFrame
        By the names that they have in a LinearStudy.
    """
    main = {network: trained[network] for network in plan.networks()}
    runs, curves, spectra = [], [], []
    for network, fitted in main.items():
        reference = _reference(plan, network, fitted)
        twin = trained[plan.descent_of(network)]
        apart = np.nan if twin is fitted else path_distance(twin, fitted)
        row = run_row(plan, network, fitted) | {"apart": apart}
        runs.append(row | _powers(plan, network, fitted))
        curves.append(curve_rows(network, fitted, reference))
        spectra.append(spectrum_rows(network, fitted.direction_[-1], reference))
    flows = {network: fitted for network, fitted in main.items() if network.step == "prox_linear"}
    scaled = [scale_row(plan, n, trained[n]) for n in plan.scaled_networks()]
    narrow = [kernel_width_row(plan, n, trained[n]) for n in plan.narrow_networks()]
    return {
        "runs": pd.DataFrame(runs),
        "margins": margin_table(plan, flows),
        "curves": pd.concat(curves, ignore_index=True),
        "spectra": pd.concat(spectra, ignore_index=True),
        "scales": pd.DataFrame(scaled),
        "kernel_widths": pd.DataFrame(narrow),
    }


def _reference(plan, network, fitted):
    """Predictor that a network is compared with; NaN if it has no sign of one."""
    norm = norm_of(network)
    if norm.is_convex:
        return plan.references[norm].coef
    return max_margin(plan.X, plan.y, **norm.arguments, start=fitted.direction_[-1]).coef


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
    row = _names(network) | {"norm": norm.label, "n_iter": fitted.n_iter_}
    row["margin"] = float(fitted.margin_[-1])
    polished = polish(plan, norm, direction, trained)
    if polished is None:  # it does not separate
        return row | _NOTHING
    solution = polished.solution
    reference = plan.references[norm] if norm.is_convex else solution
    after = stationarity(solution.coef, plan.X, plan.y, **norm.arguments)
    row |= {"error": direction_error(direction, reference.coef)}
    row |= {f"trained_{name}": getattr(trained, name) for name in _CERTIFICATE}
    row["polished_error"] = direction_error(solution.coef, reference.coef)
    row |= {"polish_rounds": polished.rounds}
    row |= {f"polished_{name}": getattr(after, name) for name in _CERTIFICATE}
    row |= {"norm_value": solution.norm_value, "best_norm": _best_norm(plan, norm, solution)}
    return row | (diagnose(plan, norm, direction, trained) if norm.name.endswith("l1") else {})


def _names(network):
    """What tells networks of the main part of the study apart."""
    return {name: getattr(network, name) for name in ("architecture", "depth", "step", "seed")}


def _best_norm(plan, norm, polished):
    """Least norm of a stationary point that is known."""
    if norm.is_convex:
        return plan.references[norm].norm_value
    options = {"depth": norm.depth, "input_shape": norm.input_shape}
    options |= {"n_starts": _N_STARTS, "random_state": 0}
    best = stationary_points(plan.X, plan.y, norm.name, **options)[0]
    return min(best.norm_value, polished.norm_value)


def _powers(plan, network, fitted):
    """Power of one over the margin with which an error falls, seen and in theory."""
    norm, power = norm_of(network), np.nan
    if not norm.is_convex:
        return {"power": power, "limit_power": np.nan}
    reference, margins = plan.references[norm], fitted.margin_[-2:]
    errors = [direction_error(direction, reference.coef) for direction in fitted.direction_[-2:]]
    if 0 < margins[0] < margins[-1] and min(errors) > 0:
        power = float(np.log(errors[0] / errors[1]) / np.log(margins[1] / margins[0]))
    options = {"depth": network.depth, "input_shape": norm.input_shape, "solution": reference}
    limit = convergence_power(plan.X, plan.y, norm.name, **options)
    return {"power": power, "limit_power": limit.power}


def path_distance(descent, flow):
    """Return how far gradient descent is from the flow at equal margins, at most.

    Parameters
    ----------
    descent, flow : LinearNetworkClassifier
        The same network, trained in both ways.

    Returns
    -------
    distance : float
        Of directions, at those margins from 1 on that both have been recorded at or between; NaN
        if there is none.
    """
    rising = descent.margin_ > np.maximum.accumulate(np.r_[0, descent.margin_])[:-1]
    margins, directions = descent.margin_[rising], descent.direction_[rising]
    low, high = max([1, *margins[:1]]), max([0, *margins[-1:]])
    shared = (flow.margin_ >= low) & (flow.margin_ <= high)
    if not shared.any():
        return np.nan
    at = np.log(flow.margin_[shared])
    between = [np.interp(at, np.log(margins), column) for column in directions.T]
    pairs = zip(np.transpose(between), flow.direction_[shared], strict=True)
    return max(direction_error(*pair) for pair in pairs)


def curve_rows(network, fitted, reference):
    """Return the way of a network to its reference, a row for each record of training."""
    errors = [direction_error(direction, reference) for direction in fitted.direction_]
    columns = {"iteration": fitted.record_iters_, "margin": fitted.margin_, "error": errors}
    columns |= {"balance": fitted.balance_, "alignment": fitted.alignment_}
    return pd.DataFrame(_names(network) | columns)


def spectrum_rows(network, direction, reference):
    """Return coefficients and amplitudes of the spectrum of a direction and of its reference.

    Places are those of the raveled input; ``index`` is the same for each axis, as a text, and
    ``mirrored`` says whether the frequency there is the negative of one before.
    """
    shape = network.input_shape
    coef, own = direction / np.linalg.norm(direction), reference / np.linalg.norm(reference)
    groups = fourier_coordinates(shape).group
    mirrored = np.ones(len(coef), dtype=bool)
    mirrored[np.unique(groups, return_index=True)[1]] = False
    columns = {
        "place": np.arange(len(coef)),
        "index": [",".join(map(str, index)) for index in np.ndindex(*shape)],
        "mirrored": mirrored,
        "coef": coef,
        "amplitude": np.abs(fourier_coef(coef, shape)),
        "reference_coef": own,
        "reference_amplitude": np.abs(fourier_coef(own, shape)),
    }
    return pd.DataFrame(_names(network) | columns)


def margin_table(plan, trained):
    """Return normalized margins of all networks in all norms, medians over their seeds.

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
        those of all networks for which theory has another; ``ties``, whether it is as large as the
        largest of them, up to a millionth.
    """
    signed, rows = plan.X * plan.y[:, None], []
    plain = [Norm(name, plan.input_shape) for name in ("l2", "l1", "fourier_l1")]
    norms = dict.fromkeys([*plain, *map(norm_of, trained)])
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
    ahead = margins["margin"] - rival
    ties = margins["own"] & (ahead.abs() <= _TIED * rival.abs())
    return margins.assign(wins=margins["own"] & ~(ahead <= 0) & ~ties, ties=ties)


def scale_row(plan, network, fitted):
    """Return the error of a network when its training ended at the stated margin."""
    row = {"architecture": network.architecture, "init_scale": network.init_scale}
    row |= {"seed": network.seed, "margin": np.nan, "error": np.nan}
    if fitted.margin_[-1] >= network.target_margin:
        reference = plan.references[norm_of(network)].coef
        row["margin"] = float(fitted.margin_[-1])
        row["error"] = direction_error(fitted.direction_[-1], reference)
    return row


def kernel_width_row(plan, network, fitted):
    """Return margins of a narrow network, and of its reference, as shares of the largest ones."""
    norm = norm_of(network)
    reference, direction = plan.references[norm], fitted.direction_[-1]
    row = {"kernel_size": network.kernel_size, "seed": network.seed}
    row |= {"margin": float(fitted.margin_[-1]), "norm_value": reference.norm_value}
    row["error"] = direction_error(direction, reference.coef)
    row["own_share"] = _share(plan, direction, norm)
    for name in ("l2", "fourier_l1"):
        other = Norm(name, plan.input_shape)
        row[f"{name}_share"] = _share(plan, direction, other)
        row[f"reference_{name}_share"] = _share(plan, reference.coef, other)
    return row


def _share(plan, coef, norm):
    """Normalized margin of a predictor over the largest one in a convex norm."""
    least = (plan.X @ coef * plan.y).min()
    return least / coef_norm(coef, **norm.arguments) / plan.references[norm].margin
