"""What the study below the edge of stability says: sentences, tables and files."""

from sklcnn.plotting import stability_png
from sklcnn.studies.pages import StudyReport, TextTable
from sklcnn.studies.stability.means import at_end, means
from sklcnn.studies.stability.sentences import (
    bound_sentences,
    flat_sentences,
    images_sentences,
    sphere_sentences,
)
from sklcnn.studies.stability.wording import interval_text, number_text

__all__ = ["make_report", "statements", "text_tables"]

TABLES = ("results", "trajectories", "slopes", "dimension_slopes", "patch_slopes", "certificates")
PARTS = {"sphere": "sphere", "flat": "patch-wise sphere", "images": "images"}
NAMES = {"n_features": "features", "patch_size": "patch", "n_samples": "n"}
WORDS = {"n": "n", "d": "the number of features d", "m": "the patch size m"}


def make_report(study):
    """Return what the study tells.

    Parameters
    ----------
    study : StabilityStudy
        What was found.

    Returns
    -------
    report : StudyReport
        Tables, picture and page.
    """
    tables = {name: getattr(study, name) for name in TABLES}
    return StudyReport(
        title="Does the edge of stability help networks that see small patches?",
        lead="Gradient descent with a large constant rate keeps networks flat. On the sphere "
        "flatness is to hold back networks with shared filters on small patches, but not fully "
        "connected ones; where every patch has norm 1 it holds back neither (arXiv 2603.04807). "
        "Excess risk is shown beside the variance of the target, which is that of a constant "
        "predictor; intervals are 95 % over repeats.",
        tables={name: table if len(table) else None for name, table in tables.items()},
        picture="stability",
        png=stability_png(study.display()),
        statements=statements(study),
        text_tables=text_tables(study),
    )


def statements(study):
    """Return what held and what did not, part by part.

    Parameters
    ----------
    study : StabilityStudy
        What was found.

    Returns
    -------
    sentences : list of str
        With numbers and 95 % intervals over repeats; what they cannot tell is called undecided.
    """
    ends = at_end(study.trajectories)
    way = means(study.trajectories[study.trajectories["part"] == "flat"])
    rows = {part: ends[ends["part"] == part] for part in PARTS}
    return [
        *sphere_sentences(study, rows["sphere"]),
        *flat_sentences(study, way, rows["flat"]),
        *images_sentences(study, rows["images"]),
        *bound_sentences(study.trajectories),
    ]


def text_tables(study):
    """Return the tables of the study, ready to be shown.

    Parameters
    ----------
    study : StabilityStudy
        What was found.

    Returns
    -------
    tables : list of TextTable
        For each part the averages after the last step; the slopes; the way of the networks that
        are followed; and the explicit flat interpolators.
    """
    averages, ends = means(study.trajectories), at_end(study.trajectories)
    tables = []
    for part, name in PARTS.items():
        rows = averages[averages["part"] == part]
        if not len(rows):
            continue
        own = ends[ends["part"] == part]
        tables += [_gap_table(name, own), _training_table(name, own)]
        if part == "sphere":
            tables += _slope_tables(study)
        else:
            tables += [_way_table(name, *one) for one in rows.groupby("network", sort=False)]
    if len(study.certificates):
        tables.append(_certificate_table(study.certificates))
    return tables


def _gap_table(name, rows):
    texts = [
        (
            *_labels_of(row, "n_features", "patch_size", "n_samples"),
            *(_text(row, quantity) for quantity in ("gap", "excess", "relative_excess")),
        )
        for _, row in rows.iterrows()
    ]
    header = ("network", "features", "patch", "n", "gap", "excess", "excess / variance")
    return TextTable(f"{name}: gap and excess after the last step", header, texts)


def _training_table(name, rows):
    header = (
        *("network", "features", "patch", "filters", "parameters", "n", "repeats"),
        *("training loss", "sharpness / edge"),
    )
    counts = ("n_features", "patch_size", "n_filters", "n_parameters", "n_samples", "repeats")
    texts = [
        (*_labels_of(row, *counts), number_text(row["loss"]), _text(row, "relative_sharpness", 3))
        for _, row in rows.iterrows()
    ]
    return TextTable(f"{name}: training after the last step", header, texts)


def _labels_of(row, *names):
    """Write the network and some whole numbers of a row."""
    return (row["network"], *(f"{int(row[name]):,}" for name in names))


def _text(row, name, digits=2):
    """Write a mean of a row with its interval, briefly."""
    return interval_text(*(row[name + end] for end in ("", "_low", "_high")), digits)


def _slope_tables(study):
    """Slopes over n, over the dimension, and over the patch size."""
    kinds = (
        (study.slopes, "n", ("n_features", "patch_size")),
        (study.dimension_slopes, "d", ("n_samples",)),
        (study.patch_slopes, "m", ("n_features", "n_samples")),
    )
    return [_slope_table(*kind) for kind in kinds if len(kind[0])]


def _slope_table(slopes, symbol, labels):
    theory = ("theory",) if "theory" in slopes else ()
    names = (NAMES[label] for label in labels)
    header = ("network", "quantity", *names, f"from {symbol}", "to", "slope", *theory)
    rows = [
        (
            *(row["network"], row["quantity"].replace("relative_excess", "excess / variance")),
            *(f"{row[label]:,}" for label in (*labels, f"{symbol}_min", f"{symbol}_max")),
            interval_text(row["slope"], row["low"], row["high"]),
            *(number_text(row[name]) for name in theory),
        )
        for _, row in slopes.iterrows()
    ]
    title = f"sphere: slopes of logarithms over the logarithm of {WORDS[symbol]}"
    return TextTable(title, header, rows)


def _way_table(name, network, rows):
    """All milestones of one network."""
    header = (
        *("steps", "training loss", "clean training error", "excess", "excess / variance"),
        *("sharpness / edge", "active on", "never active"),
    )
    quantities = ("loss", "clean_train_error", "excess", "relative_excess", "relative_sharpness")
    rows = rows.sort_values("step")
    texts = [
        (
            f"{row['step']:,}",
            *(number_text(row[quantity]) for quantity in quantities),
            *(f"{100 * row[share]:.3g} %" for share in ("mean_activation_rate", "dead_share")),
        )
        for _, row in rows.iterrows()
    ]
    return TextTable(f"{name}: the way of the {network}", header, texts)


def _certificate_table(found):
    header = (
        *("repeat", "n", "training loss", "sharpness", "bound", "edge"),
        *("largest stable rate", "excess", "excess / variance"),
    )
    names = (
        *("loss", "sharpness", "sharpness_bound", "threshold"),
        *("largest_stable_rate", "excess", "relative_excess"),
    )
    rows = [
        (str(row["repeat"]), f"{row['n_samples']:,}", *(number_text(row[name]) for name in names))
        for _, row in found.iterrows()
    ]
    return TextTable("patch-wise sphere: explicit flat interpolators", header, rows)
