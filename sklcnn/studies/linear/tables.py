"""The numbers of a study of linear networks, as tables to be read."""

import numpy as np

from sklcnn.studies.pages import TextTable

__all__ = [
    "RESIDUAL",
    "STEP_WORDS",
    "TRAINED",
    "come_to_the_same",
    "counts_text",
    "is_best",
    "text_tables",
]

STEP_WORDS = {"loss_scaled": "descent", "prox_linear": "flow"}
TRAINED, RESIDUAL = 1e-2, 1e-6  # what is asked of errors by training alone, and of residuals


def counts_text(words):
    """Return for example "2 minimum, 1 undecided"."""
    return ", ".join(f"{count} {word}" for word, count in words.value_counts().items())


def is_best(runs):
    """Return which of the runs have come to the best stationary point that is known."""
    return runs["norm_value"] <= runs["best_norm"] * (1 + RESIDUAL)


def come_to_the_same(runs):
    """Return whether descent and flow come to a predictor of the same norm.

    Parameters
    ----------
    runs : DataFrame
        Of one architecture.

    Returns
    -------
    same : Series of bool
        By depth and seed; False where one of them does not separate.
    """
    pairs = runs.groupby(["depth", "seed"])["norm_value"].agg(["min", "max", "count"])
    equal = pairs["max"] <= pairs["min"] * (1 + RESIDUAL)
    return equal & (pairs["count"] == len(STEP_WORDS))


def text_tables(study):
    """Return the tables of the study, ready to be shown.

    Parameters
    ----------
    study : LinearStudy
        What was found.

    Returns
    -------
    tables : list of TextTable
        Normalized margins, training, polishing, scales, kernel widths, test errors and sizes of
        perturbations; those without rows are left out.
    """
    tables = [
        _margin_table(study.margins),
        _trained_table(study.runs),
        _deep_table(study.runs),
        _polished_table(study.runs),
        _scale_table(study),
        _width_table(study),
        _learning_table(study.learning),
        _robustness_table(study),
    ]
    return [table for table in tables if table.rows]


def _margin_table(margins):
    norms = list(dict.fromkeys(margins["norm"]))
    rows = []
    for (architecture, depth), cells in margins.groupby(["architecture", "depth"], sort=False):
        by_norm = cells.set_index("norm")
        texts = [_margin_text(by_norm.loc[norm]) for norm in norms]
        rows.append((f"{architecture} {depth}", *texts))
    title = "normalized margins, medians; ( ) own norm, * and larger than of all other networks, "
    title += "= as large"
    return TextTable(title, ("network", *norms), rows)


def _margin_text(cell):
    """Write (0.512) * for a network that wins its own column, (0.512) = for one that ties."""
    text = f"{cell['margin']:.4f}"
    sign = " *" * bool(cell["wins"]) + " =" * bool(cell["ties"])
    return f"({text}){sign}" if cell["own"] else text


def _trained_table(runs):
    """What training alone has come to where theory has one solution."""
    header = ("network", "by", "margin", "near", "error", "apart", "power", "theory")
    header += ("gap", "residual")
    rows = [
        (
            *names,
            f"{own['margin'].min():.1e}",
            f"{(own['error'] < TRAINED).sum()} of {len(own)}",
            *_worst(own, "error", "apart"),
            _power_text(own),
            f"{own['limit_power'].iloc[0]:.2f}",
            *_worst(own, "trained_duality_gap", "trained_residual"),
        )
        for names, own in _kinds(runs[~runs["norm"].str.contains("bridge")])
    ]
    title = (
        f"training alone, one solution: the worst of all seeds (near: error below {TRAINED:g}; "
        "apart: descent from flow; power: from the least to the largest)"
    )
    return TextTable(title, header, rows)


def _power_text(own):
    """Extremes of the measured powers, for example "0.50-0.64"; a dash if there are none."""
    if own["power"].isna().all():
        return "-"
    low, high = f"{own['power'].min():.2f}", f"{own['power'].max():.2f}"
    return low if low == high else f"{low}-{high}"


def _deep_table(runs):
    """What training alone has come to where theory has stationary points."""
    header = ("network", "by", "margin", "error", "apart", "residual", "kind")
    rows = [
        (
            *names,
            f"{own['margin'].min():.1e}",
            *_worst(own, "error", "apart", "trained_residual"),
            counts_text(own["trained_second_order"]),
        )
        for names, own in _kinds(runs[runs["norm"].str.contains("bridge")])
    ]
    title = "training alone, deeper: the worst of all seeds (error: to a stationary point near by)"
    return TextTable(title, header, rows)


def _polished_table(runs):
    header = ("network", "norm", "by", "error", "residual", "rounds", "kind", "best known")
    rows = [
        (
            names[0],
            own["norm"].iloc[0],
            names[1],
            *_worst(
                own.assign(polished_error=_distance(own)), "polished_error", "polished_residual"
            ),
            f"{own['polish_rounds'].max():.0f}",
            counts_text(own["polished_second_order"]),
            f"{is_best(own).sum()} of {len(own)}",
        )
        for names, own in _kinds(runs)
    ]
    return TextTable("after polishing: the worst of all seeds", header, rows)


def _distance(own):
    """Distances after polishing; none from a reference that is itself what was polished."""
    return own["polished_error"].where(~own["norm"].str.contains("bridge"))


def _kinds(runs):
    """Yield the names of a network and of its training, and its runs."""
    keys = ["architecture", "depth", "step"]
    for (architecture, depth, step), own in runs.groupby(keys, sort=False):
        yield (f"{architecture} {depth}", STEP_WORDS[step]), own


def _worst(own, *names):
    """Largest numbers; a dash where there is none."""
    largest = [own[name].max() for name in names]
    return [f"{number:.1e}" if np.isfinite(number) else "-" for number in largest]


def _scale_table(study):
    middle = study.scales.groupby(["architecture", "init_scale"], sort=False)["error"].median()
    middle = middle.unstack()
    header = ("network", *(f"scale {scale:g}" for scale in middle.columns))
    rows = [(f"{name} 2", *(f"{error:.4f}" for error in row)) for name, row in middle.iterrows()]
    margin = study.settings["scale_margin"]
    return TextTable(f"errors at margin {margin:g} by initial scale, medians", header, rows)


def _width_table(study):
    header = ("width", "norm", "margin", "error", "share in own norm", "in l2", "in fourier l1")
    means = study.kernel_widths.groupby("kernel_size").median(numeric_only=True)
    rows = [
        (
            f"{size}",
            f"{row.norm_value:.4f}",
            f"{row.margin:.1e}",
            f"{row.error:.1e}",
            f"{row.own_share:.4f}",
            f"{row.l2_share:.4f}",
            f"{row.fourier_l1_share:.4f}",
        )
        for size, row in means.iterrows()
    ]
    return TextTable("two-layer convolutional networks by kernel width, medians", header, rows)


def _learning_table(learning):
    means = learning.groupby(["network", "n_samples"], sort=False)["test_error"].mean().unstack()
    header = ("network", *(f"n = {size}" for size in means.columns))
    rows = [(name, *(f"{error:.4f}" for error in row)) for name, row in means.iterrows()]
    return TextTable("test errors on signals of sparse spectrum in noise, means", header, rows)


def _robustness_table(study):
    means = study.robustness.groupby(["network", "norm"], sort=False)["median_radius"].mean()
    means = means.unstack()
    header = ("network", *(f"dual of {norm}" for norm in means.columns))
    rows = [(name, *(f"{size:.4f}" for size in row)) for name, row in means.iterrows()]
    size = study.settings["attacked_size"]
    title = f"perturbation that makes every other test sample wrong, n = {size}, means"
    return TextTable(title, header, rows)
