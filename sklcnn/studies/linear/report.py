"""What a study of linear networks says: sentences, tables and files."""

import numpy as np

from sklcnn.plotting import linear_png
from sklcnn.studies.linear.consequences import samples_saved
from sklcnn.studies.linear.tables import (
    RESIDUAL,
    STEP_WORDS,
    TRAINED,
    come_to_the_same,
    counts_text,
    is_best,
    text_tables,
)
from sklcnn.studies.pages import StudyReport

__all__ = ["QUICK", "make_report", "statements", "text_tables"]

# In small, to see that it runs.
QUICK = {
    "input_shape": 8,
    "n_seeds": 1,
    "max_iter": 300,
    "scales": (0.1, 1.0),
    "scale_margin": 10.0,
    "signal_shape": 32,
    "sizes": (4, 8, 16),
    "n_draws": 2,
}
POLISHED = 1e-8  # what is asked of errors of polished networks
POWER = 0.05  # what is asked of differences of powers
TABLES = (
    "runs",
    "margins",
    "curves",
    "spectra",
    "scales",
    "kernel_widths",
    "learning",
    "robustness",
)


def make_report(study):
    """Return what the study tells.

    Parameters
    ----------
    study : LinearStudy
        What was found.

    Returns
    -------
    report : StudyReport
        Tables, picture and page.
    """
    return StudyReport(
        title="Which margin do linear networks make large?",
        lead="Networks without activations have linear predictors, but gradient descent takes them "
        "to different ones (arXiv 1806.00468): full networks of any depth to the largest margin in "
        "l2, convolutional ones of two layers in the l1 norm of the spectrum, diagonal ones in "
        "that of the coefficients, deeper ones to stationary points of bridges. That is worth "
        "samples where the signal is simple in the same sense. Against perturbations it is best on "
        "the training samples; on new ones it promises nothing.",
        tables={name: getattr(study, name) for name in TABLES},
        picture="linear",
        png=linear_png(study.display()),
        statements=statements(study),
        text_tables=text_tables(study),
    )


def statements(study):
    """Return what held and what did not.

    Parameters
    ----------
    study : LinearStudy
        What was found.

    Returns
    -------
    sentences : list of str
        On margins, convex norms, what is slow, powers of convergence, deep networks, scales,
        kernels, test errors, attacks and samples.
    """
    runs = study.runs
    is_deep = runs["norm"].str.contains("bridge")
    return [
        _margins(study.margins),
        _trained(runs[~is_deep]),
        _polished(runs[~is_deep]),
        *_slow(runs[runs["norm"].isin(["l1", "fourier_l1"])]),
        _powers(runs[~is_deep]),
        *(_deep(*item) for item in runs[is_deep].groupby("architecture", sort=False)),
        _scales(study),
        _widths(study.kernel_widths),
        _learning(study.learning),
        _attacks(study),
        _samples(study.settings),
    ]


def _margins(margins):
    """Say who has the largest margin in which norm."""
    own = margins[margins["own"]]
    is_deep = own["norm"].str.contains("bridge")
    convex, deep = own[~is_deep], own[is_deep]
    parts = []
    for norm, cells in convex.groupby("norm", sort=False):
        others = margins[(margins["norm"] == norm) & ~margins["own"]]["margin"]
        most = f"{'' if parts else 'others at most '}{others.max():.3g}"
        rest = most if len(others) else "there are no others"
        parts.append(f"{_range(cells['margin'], 3)} in {norm} ({rest})")
    sentence = (
        f"{convex['wins'].sum()} of {len(convex)} networks whose theory has one solution have the "
        f"largest median margin in its norm: {', '.join(parts)}"
    )
    for word, rows in (("tied", convex["ties"]), ("beaten", ~convex["wins"] & ~convex["ties"])):
        named = [f"{_name(row)} in {row.norm}" for row in convex[rows].itertuples()]
        sentence += f"; {word}: {', '.join(named)}" if named else ""
    if len(deep):
        sentence += f"; {deep['wins'].sum()} of {len(deep)} deeper ones have it in their bridge"
    return f"{sentence}."


def _trained(runs):
    """Say how near training alone comes to the one solution."""
    parts = []
    for step in reversed(STEP_WORDS):  # the flow first
        rows = runs[runs["step"] == step]
        near = f"{(rows['error'] < TRAINED).sum()} of {len(rows)} by {STEP_WORDS[step]}"
        lost = rows["error"].isna().sum()
        said = [f"{lost} do not separate"] if lost else []
        if lost < len(rows):
            worst = rows.loc[rows["error"].idxmax()]
            said.insert(0, f"worst: {worst.error:.2g}, {_name(worst)} at margin {worst.margin:.2g}")
        parts.append(f"{near} ({'; '.join(said)})")
    return f"Training alone takes them to a distance below {TRAINED:g} in {', '.join(parts)}."


def _polished(runs):
    """Say how near they are once the problem is solved with the samples that training found."""
    exact, once = (runs["polished_error"] < POLISHED).sum(), (runs["polish_rounds"] == 1).sum()
    rounds = runs["polish_rounds"].max()
    most = f", at most {rounds:.0f}" if rounds > 1 else ""
    return (
        f"After polishing the distance is below {POLISHED:g} in {exact} of {len(runs)}, in {once} "
        f"after one round{most}."
    )


def _slow(runs):
    """Say what two-layer networks that are not there yet are waiting for, a sentence a step."""
    for step, rows in runs.groupby("step", sort=False):
        parts = []
        for architecture, own in rows.groupby("architecture", sort=False):
            short = own[~(own["error"] < TRAINED)]
            if len(short):
                parts.append(f"{len(short)} of {len(own)} {architecture} ({_reasons(short)})")
        if parts:
            yield (
                f"Two layers short of {TRAINED:g} by {STEP_WORDS[step]}, and why (with powers of "
                f"the margin): {', '.join(parts)}."
            )


def _reasons(short):
    """Say why, with counts and powers of the margin."""
    separate = short[short["error"].notna()]
    asleep = separate[separate["n_asleep"] > 0]
    lingering = separate[separate["n_lingering"] > 0]
    others = len(separate) - len(asleep.index.union(lingering.index))
    what = []
    if len(separate) < len(short):
        what.append(f"{len(short) - len(separate)} do not separate")
    if len(asleep):
        power = _range(asleep["waking_exponent"])
        what.append(f"what is needed sleeps in {len(asleep)}, power {power}")
    if len(lingering):
        power = _range(-lingering["lingering_gap"])
        what.append(f"what must vanish lingers in {len(lingering)}, power {power}")
    if others:
        what.append(f"shares still change in {others}")
    return "; ".join(what)


def _powers(runs):
    """Say which powers of convergence are those of theory, and how far off the others are."""
    flow = runs[runs["step"] == "prox_linear"]
    off = (flow["power"] - flow["limit_power"]).abs()
    if not off.notna().any():
        return "No power of convergence was measured."
    most = off.groupby(flow["norm"], sort=False).max().dropna()
    worst, unknown = flow.loc[off.idxmax()], off.isna().sum()
    return (
        "At the end of the flow the power of the margin with which the distance falls is within "
        f"{POWER:g} of theory in {(off <= POWER).sum()} of {off.notna().sum()} "
        f"{f'({unknown} not measured) ' if unknown else ''}(largest difference: "
        f"{', '.join(f'{size:.2g} in {norm}' for norm, size in most.items())}; {_name(worst)} has "
        f"{worst.power:.2g} instead of {worst.limit_power:.2g})."
    )


def _deep(architecture, rows):
    """Say what deep networks of one architecture have come to."""
    residuals = [
        f"{_range(own['trained_residual'])} by {STEP_WORDS[step]}"
        for step, own in rows.groupby("step", sort=False)
    ]
    depths = " and ".join(map(str, rows["depth"].unique()))
    exact, same = (rows["polished_residual"] < RESIDUAL).sum(), come_to_the_same(rows)
    return (
        f"{architecture}, depth {depths}: residuals {', '.join(residuals)}; polished, {exact} "
        f"of {len(rows)} are below {RESIDUAL:g} ({counts_text(rows['polished_second_order'])}), "
        f"{is_best(rows).sum()} are the best point known; descent and flow come to the same one in "
        f"{same.sum()} of {len(same)} pairs."
    )


def _scales(study):
    """Say at which scales networks come nearest."""
    parts = []
    for name, rows in study.scales.groupby("architecture", sort=False):
        middle = rows.groupby("init_scale")["error"].median().dropna()
        if not len(middle):
            parts.append(f"{name} not there")
            continue
        best, worst = middle.idxmin(), middle.idxmax()
        parts.append(
            f"{name} {middle[best]:.2g} (scale {best:g}) to {middle[worst]:.2g} ({worst:g})"
        )
    return (
        f"Two layers at margin {study.settings['scale_margin']:g}, median distances from the best "
        f"to the worst scale of initial weights: {', '.join(parts)}."
    )


def _widths(table):
    """Say how kernels lie between the two norms."""
    means = table.groupby("kernel_size").median(numeric_only=True)
    first, last = means.iloc[0], means.iloc[-1]
    return (
        f"From kernels of width {means.index[0]} to {means.index[-1]}, median shares of the "
        f"largest margin go from {first.l2_share:.3f} to {last.l2_share:.3f} in l2 and from "
        f"{first.fourier_l1_share:.3f} to {last.fourier_l1_share:.3f} in fourier_l1; in their own "
        f"norms they are {means.own_share.min():.4f} at least."
    )


def _learning(learning):
    """Say which test errors networks have, and how many samples two layers save."""
    size = learning["n_samples"].max()
    means = learning[learning["n_samples"] == size].groupby("network")["test_error"].mean()
    saved = samples_saved(learning).iloc[-1]
    bound = f"{saved.bound} " if saved.bound else ""
    reached = f"reaches with {bound}{saved.factor:.2g} times fewer ({saved.low:.2g} to "
    reached += f"{saved.high:.2g})"
    if saved.bound == "at most":
        reached = "does not reach"
    rest = {name: name for name in ("convolutional 3", "diagonal 2", "mean", "Bayes rule")}
    rest["mean"] = "the mean of samples"
    others = [f"{words} in {means[name]:.4f}" for name, words in rest.items()]
    return (
        f"Signals of sparse spectrum, {size} samples: convolutional 2 errs in "
        f"{means['convolutional 2']:.4f}, convolutional 1 in {means['convolutional 1']:.4f}, which "
        f"the former {reached}; {', '.join(others)}."
    )


def _attacks(study):
    """Say who stands the largest perturbations."""
    middle = study.robustness.groupby(["norm", "network"], sort=False)["median_radius"].mean()
    parts = []
    for norm, sizes in middle.groupby("norm", sort=False):
        sizes = sizes.droplevel("norm")
        rule, svm = sizes.pop("Bayes rule"), sizes["support vector machine"]
        best = sizes.idxmax()
        parts.append(f"dual of {norm}, {sizes[best]:.3g} by {best} ({svm:.3g}, {rule:.3g})")
    return (
        f"Largest perturbations after {study.settings['attacked_size']} samples until half of the "
        f"test samples are wrong (support vector machine, Bayes rule): {'; '.join(parts)}."
    )


def _samples(settings):
    """Say on which samples, and how they were chosen."""
    powers, wakings = settings["powers"], settings["wakings"]
    shape = " x ".join(map(str, settings["input_shape"]))
    parts = []
    for norm, found in powers.items():
        numbers = {"dual gap": found.vanishing, "waking gap": wakings[norm]}
        numbers |= {"power of shares": found.sharing}
        finite = [f"{name} {number:.2f}" for name, number in numbers.items() if np.isfinite(number)]
        parts.append(f"{norm}: {', '.join(finite)}")
    return (
        f"The samples, {settings['n_samples']} with {shape} features, are draw {settings['draw']} "
        f"of the seed, the first with powers of at least {settings['min_power']:g} and waking gaps "
        f"of at least {settings['min_waking']:g} ({'; '.join(parts)})."
    )


def _name(row):
    return f"{row.architecture} {row.depth}"


def _range(values, digits=2):
    if not np.isfinite(values).any():
        return "unknown"
    low, high = f"{values.min():.{digits}g}", f"{values.max():.{digits}g}"
    return low if low == high else f"{low} to {high}"
