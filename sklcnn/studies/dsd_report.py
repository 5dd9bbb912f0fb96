"""What the Dynamic Signal Distribution study says: sentences, tables, pictures, files."""

import numpy as np

from sklcnn.inspection.filters import MISALIGNED
from sklcnn.plotting import SampleComplexityDisplay, row_png
from sklcnn.studies.pages import StudyReport, TextTable
from sklcnn.theory import bayes_error, linear_error, linear_squared_risk, oracle_squared_risk

__all__ = ["displays", "make_report", "statements", "text_tables"]

TITLES = {"patches": "over the number of patches", "size": "over the size of a patch"}
METRICS = {"squared_risk": "population squared risk", "error": "zero-one error"}


def make_report(study):
    """Return what the study tells.

    Parameters
    ----------
    study : DsdStudy
        What was found.

    Returns
    -------
    report : StudyReport
        Tables, picture and page.
    """
    pictures = displays(study)
    return StudyReport(
        title="How many samples do CNN, LCN and FCN need?",
        lead="A signal of either sign at a random place in noise (Dynamic Signal Distribution, "
        "arXiv 2403.15707): samples at which half of all repeats reach the target.",
        tables={"first": study.first, "results": study.table, "trials": study.trials},
        picture="samples_needed",
        png=row_png(pictures) if pictures else None,
        statements=statements(study),
        text_tables=text_tables(study),
    )


def displays(study):
    """Return one display for each experiment and metric that has searches.

    Parameters
    ----------
    study : DsdStudy
        What was found.

    Returns
    -------
    displays : list of SampleComplexityDisplay
        Not drawn yet.
    """
    groups = study.table.groupby(["experiment", "metric"], sort=False)
    return [_display(study, *key, rows) for key, rows in groups]


def _display(study, experiment, metric, rows):
    along = "n_patches" if experiment == "patches" else "patch_size"
    sizes = np.unique(rows[along])
    columns = rows.assign(needed=np.where(rows.censored == "above", rows.n_max, rows.n_samples))
    columns["censored"] = columns.censored == "above"
    curves = {
        column: {
            name: own.set_index(along)[column].reindex(sizes).to_numpy(dtype=float)
            for name, own in columns.groupby("estimator", sort=False)
        }
        for column in ("needed", "low", "high", "censored")
    }
    for name, needed in curves["needed"].items():
        curves["low"][name] = np.fmin(curves["low"][name], needed)
        curves["high"][name] = np.fmax(curves["high"][name], needed)
    slopes = study.exponents.query("experiment == @experiment and metric == @metric")
    slopes = slopes.set_index("estimator")
    return SampleComplexityDisplay(
        sizes,
        curves["needed"],
        low=curves["low"],
        high=curves["high"],
        censored=curves["censored"],
        slopes={
            name: _known(row.lower_bound if name == "FCN" else row.upper_bound)
            for name, row in slopes.iterrows()
        },
        fitted={name: (row.exponent, row.low, row.high) for name, row in slopes.iterrows()},
        xlabel="number of patches" if experiment == "patches" else "features of a patch",
        interval="95 % interval",
        title=f"{METRICS[metric]} <= best + {study.plan.tolerance:g}",
    )


def _known(number):
    return None if np.isnan(number) else round(float(number), 2)


def statements(study):
    """Return what was found, beside what the paper says, as sentences.

    Parameters
    ----------
    study : DsdStudy
        What was found.

    Returns
    -------
    sentences : list of str
        Each holds for the numbers of this study alone.
    """
    return [*_on_ratios(study.ratios), *_on_exponents(study.exponents), *_on_first(study)]


def _on_ratios(ratios):
    for metric, rows in _distinct(ratios).groupby("metric", sort=False):
        text = (
            f"LCN / CNN on the {METRICS[metric]}: {rows.ratio.min():.1f} to {rows.ratio.max():.1f} "
            "times the samples"
        )
        if metric == "squared_risk":  # the paper's
            inside = ((rows.ratio >= 10) & (rows.ratio <= 20)).sum()
            text += (
                f"; between 10 and 20, as the paper reports, in {inside} of {len(rows)} settings"
            )
        yield f"{text}."


def _distinct(ratios):
    """Drop the second of two rows of one setting, which both sweeps may hold."""
    return ratios.drop_duplicates(["n_patches", "patch_size", "metric"])


def _on_exponents(exponents):
    for row in exponents.itertuples():
        bounds = _bounds_text(row)
        if bounds:
            yield (
                f"{row.estimator} {TITLES[row.experiment]}, {METRICS[row.metric]}: exponent "
                f"{row.exponent:.2f} [{row.low:.2f}, {row.high:.2f}]; the theorems' bounds grow at "
                f"these sizes with {bounds}."
            )


def _bounds_text(row):
    """Say the exponents of the theorems' bounds, and whether the interval holds them."""
    texts = []
    for kind, exponent in (("lower", row.lower_bound), ("upper", row.upper_bound)):
        if not np.isnan(exponent):
            held = "in" if row.low <= exponent <= row.high else "not in"
            texts.append(f"{exponent:.2f} ({kind}; {held} the interval)")
    return " and ".join(texts)


def _on_first(study):
    if not len(study.first):
        return
    yield _on_stalling(study)
    first = study.first.set_index("estimator")
    for family in ("CNN", "LCN", "FCN"):
        best = first.loc[[family], "alignment"]
        lost = int((best < MISALIGNED).sum())
        failed = f"; below {MISALIGNED} (the signal is not found) in {lost}" if lost else ""
        yield (
            f"Best cosine of a filter of the {family} with the signal: {best.mean():.2f} in "
            f"{len(best)} repeats{failed}."
        )


def _on_stalling(study):
    """Say whether the FCN is where a linear rule is, and what that is worth."""
    plan, point = study.plan, (study.plan.n_patches, study.plan.noise)
    fcn = study.first.query("estimator == 'FCN'")[["squared_risk", "error"]].mean()
    linear, oracle = linear_squared_risk(*point), oracle_squared_risk(*point)
    stalls = 0.7 * linear <= fcn.squared_risk <= 1.6 * linear
    wrong = linear_error(*point)
    enough = wrong <= bayes_error(*point) + plan.tolerance
    return (
        f"With {plan.n_first} samples the FCN's squared risk, {fcn.squared_risk:.3f}, "
        f"{'stalls near' if stalls else 'is not near'} that of the best linear rule, {linear:.3f} "
        f"(best network: {oracle:.3f})"
        f"{': its units all learn the same sum over patches' if stalls else ''}. "
        f"That rule errs in {wrong:.2g} of all cases, which is "
        f"{'enough' if enough else 'not enough'} for the zero-one error; the FCN errs in "
        f"{fcn.error:.2g}."
    )


def text_tables(study):
    """Return the tables of the study, ready to be shown.

    Parameters
    ----------
    study : DsdStudy
        What was found.

    Returns
    -------
    tables : list of TextTable
        First experiment, samples needed, ratios, exponents; those that are not empty.
    """
    tables = [_first_table(study), *_needed_tables(study), _ratio_table(study.ratios)]
    return [table for table in [*tables, _exponent_table(study.exponents)] if table.rows]


def _first_table(study):
    plan = study.plan
    groups = study.first.groupby("estimator", sort=False)
    numbers = ("squared_risk", "error", "alignment", "median_alignment", "threshold")
    rows = [
        (name, *(_spread(own[column]) for column in numbers if column in own))
        for name, own in groups
    ]
    if rows:
        k, noise = plan.n_patches, plan.noise
        best_linear = (f"{linear_squared_risk(k, noise):.4f}", f"{linear_error(k, noise):.2g}")
        oracle = (f"{oracle_squared_risk(k, noise):.4f}", f"{bayes_error(k, noise):.2g} (Bayes)")
        rows += [("best linear rule", *best_linear, "", "", ""), ("best", *oracle, "", "", "")]
    title = (
        f"(i) {plan.n_patches} patches of {plan.patch_size}, noise {plan.noise:g}, "
        f"{plan.n_first} samples: mean ± std over {plan.repeats} repeats"
    )
    header = ("estimator", "squared risk", "error", "best cosine", "median cosine", "threshold")
    return TextTable(title, header, rows)


def _needed_tables(study):
    for (experiment, metric), own in study.table.groupby(["experiment", "metric"], sort=False):
        names = list(dict.fromkeys(own.estimator))
        cells = {
            (row.n_patches, row.patch_size, row.estimator): _needed_text(row)
            for row in own.itertuples()
        }
        points = list(dict.fromkeys(zip(own.n_patches, own.patch_size, strict=True)))
        rows = [(f"{k} x {d}", *(cells.get((k, d, name), "") for name in names)) for k, d in points]
        title = (
            f"samples needed {TITLES[experiment]}: {METRICS[metric]} at most "
            f"{study.plan.tolerance:g} above the best, learning rates chosen on the "
            f"{'test metric' if study.plan.selection == 'test' else 'validation samples'}"
        )
        yield TextTable(title, ("patches x size", *names), rows)


def _ratio_table(ratios):
    rows = [
        (
            f"{row.n_patches} x {row.patch_size}",
            METRICS[row.metric],
            f"{row.ratio:.1f} [{row.low:.1f}, {row.high:.1f}]",
        )
        for row in _distinct(ratios).itertuples()
    ]
    title = "LCN / CNN: how many times the samples, with 95 % interval"
    return TextTable(title, ("patches x size", "metric", "ratio"), rows)


def _exponent_table(exponents):
    rows = [
        (
            row.estimator,
            TITLES[row.experiment],
            METRICS[row.metric],
            f"{row.exponent:.2f} [{row.low:.2f}, {row.high:.2f}]",
            *("" if np.isnan(x) else f"{x:.2f}" for x in (row.lower_bound, row.upper_bound)),
        )
        for row in exponents.itertuples()
    ]
    title = "log-log exponents with 95 % interval, beside those of the theorems' bounds"
    header = ("estimator", "sweep", "metric", "exponent", "lower bound", "upper bound")
    return TextTable(title, header, rows)


def _needed_text(row):
    if row.censored == "above":
        return f"> {row.n_max:,}"
    if row.censored == "below":
        return f"<= {row.n_samples:.0f}"
    high = "∞" if np.isinf(row.high) else f"{row.high:.0f}"
    return f"{row.n_samples:.0f} [{row.low:.0f}, {high}]"


def _spread(values):
    if values.isna().all():
        return ""
    spread = f" ± {values.std():.4f}" if values.count() > 1 else ""
    return f"{values.mean():.4f}{spread}"
