"""What a study of linear networks says: sentences and tables."""

from sklcnn.plotting import linear_png
from sklcnn.studies.pages import StudyReport, TextTable

__all__ = ["QUICK", "make_report", "statements", "text_tables"]

# In small, to see that it runs.
QUICK = {
    "n_seeds": 1,
    "max_iter": 300,
    "scales": (0.1, 1.0),
    "kernel_sizes": (1,),
    "scale_margin": 10.0,
}
TRAINED, POLISHED, RESIDUAL = 1e-2, 1e-8, 1e-6  # what is asked of errors and residuals


TABLES = ("runs", "margins", "curves", "spectra", "scales", "kernel_widths")


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
        "samples, and robustness, where the signal is simple in the same sense.",
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
        On the samples, convex norms, margins, deep networks, scales and kernels.
    """
    runs = study.runs
    convex = runs[~runs["norm"].str.contains("bridge")]
    deep = runs[runs["norm"].str.contains("bridge")]
    return [
        _samples(study.settings),
        *(_convex(*item, study) for item in convex.groupby(["architecture", "depth"], sort=False)),
        _columns(study.margins),
        *(_deep(*item) for item in deep.groupby(["architecture", "depth"], sort=False)),
        *_scales(study),
        _widths(study.kernel_widths),
    ]


def _samples(settings):
    deltas = settings["deltas"]
    return (
        f"The samples are draw {settings['draw']} of the seed: {settings['n_samples']} with "
        f"{settings['n_features']} features; the dual gap is {deltas['l1']:.2f} in l1 and "
        f"{deltas['fourier_l1']:.2f} in fourier_l1."
    )


def _convex(key, rows, study):
    """Say how near networks come to the one solution."""
    near, exact = (rows["error"] < TRAINED).sum(), (rows["polished_error"] < POLISHED).sum()
    norm = rows["norm"].iloc[0]
    sentence = (
        f"{key[0]}, depth {key[1]}: the direction is {_range(rows['error'])} from the largest "
        f"margin in {norm} at margins of {_range(rows['margin'])} by training alone, below "
        f"{TRAINED:g} in {near} of {len(rows)}; after polishing below {POLISHED:g} in {exact} of "
        f"{len(rows)}."
    )
    delta = study.settings["deltas"].get(norm)
    if near < len(rows) and delta is not None:
        slow = rows["margin"].median() ** -delta
        sentence += (
            f" What has to vanish is slow: the margin to the power of -{delta:.2f} is {slow:.2g}."
        )
    return sentence


def _columns(margins):
    """Say who has the largest margin in its own norm."""
    own = margins[margins["own"] & (margins["depth"] <= 2)]
    beaten = own[~own["wins"]]
    if not len(own):
        return "No network has a depth of at most 2, where theory has one solution."
    if not len(beaten):
        return "Every network of depth at most 2 has the largest margin in the norm of its theory."
    names = [f"{row.architecture} depth {row.depth} in {row.norm}" for row in beaten.itertuples()]
    return f"Beaten in the norm of its own theory: {', '.join(names)}."


def _deep(key, rows):
    """Say what deep networks have come to."""
    exact = (rows["polished_residual"] < RESIDUAL).sum()
    best = (rows["norm_value"] <= rows["best_norm"] * (1 + RESIDUAL)).sum()
    return (
        f"{key[0]}, depth {key[1]}: by training alone the residual is "
        f"{_range(rows['trained_residual'])} ({_counts(rows['trained_second_order'])}) and the "
        f"stationary point {_range(rows['error'])} away; after polishing the residual is below "
        f"{RESIDUAL:g} in {exact} of {len(rows)} ({_counts(rows['polished_second_order'])}), and "
        f"{best} are the best one that is known."
    )


def _scales(study):
    """Say at which scale networks come nearest."""
    margin = study.settings["scale_margin"]
    for name, rows in study.scales.groupby("architecture", sort=False):
        middle = rows.groupby("init_scale")["error"].median().dropna()
        if not len(middle):
            yield f"{name}, depth 2: no network reached margin {margin:g}."
            continue
        best, last = middle.idxmin(), middle.index[-1]
        yield (
            f"{name}, depth 2, at margin {margin:g}: nearest at scale {best:g} (median distance "
            f"{middle[best]:.2g}), and {middle[last]:.2g} away at scale {last:g}."
        )


def _widths(table):
    """Say whether narrow kernels lie between the two norms."""
    means = table.groupby("kernel_size").median(numeric_only=True)
    parts = [
        f"width {size} {row.l2_share:.3f} in l2, {row.fourier_l1_share:.3f} in fourier_l1, "
        f"{row.own_share:.3f} in its own"
        for size, row in means.iterrows()
    ]
    return f"Shares of the largest margins by kernels: {'; '.join(parts)}."


def _range(values):
    low, high = f"{values.min():.2g}", f"{values.max():.2g}"
    return low if low == high else f"{low} to {high}"


def _counts(words):
    return ", ".join(f"{count} {word}" for word, count in words.value_counts().items())


def text_tables(study):
    """Return the tables of the study, ready to be shown.

    Parameters
    ----------
    study : LinearStudy
        What was found.

    Returns
    -------
    tables : list of TextTable
        Normalised margins, certificates and kernel widths.
    """
    return [_margin_table(study.margins), _run_table(study.runs), _width_table(study)]


def _margin_table(margins):
    norms = list(dict.fromkeys(margins["norm"]))
    rows = []
    for (architecture, depth), cells in margins.groupby(["architecture", "depth"], sort=False):
        by_norm = cells.set_index("norm")
        texts = [_margin_text(by_norm.loc[norm]) for norm in norms]
        rows.append((f"{architecture} {depth}", *texts))
    title = "normalised margins, medians; ( ) own norm, * and larger than of all other networks"
    return TextTable(title, ("network", *norms), rows)


def _margin_text(cell):
    """Write (0.512) * for a network that wins its own column."""
    text = f"{cell['margin']:.4f}"
    return f"({text}){' *' * bool(cell['wins'])}" if cell["own"] else text


def _run_table(runs):
    header = ("network", "norm", "margin", "error", "gap", "residual")
    header += ("polished error", "residual", "kind")
    rows = []
    for (architecture, depth), own in runs.groupby(["architecture", "depth"], sort=False):
        names = ("error", "trained_duality_gap", "trained_residual")
        names += ("polished_error", "polished_residual")
        rows.append(
            (
                f"{architecture} {depth}",
                own["norm"].iloc[0],
                f"{own['margin'].min():,.0f}",
                *(f"{own[name].max():.1e}" for name in names),
                _counts(own["polished_second_order"]),
            )
        )
    return TextTable("after training, and after polishing: the worst of all seeds", header, rows)


def _width_table(study):
    header = ("width", "norm", "margin", "error", "share in own norm", "in l2", "in fourier l1")
    means = study.kernel_widths.groupby("kernel_size").median(numeric_only=True)
    rows = [
        (
            f"{size}",
            f"{row.norm_value:.4f}",
            f"{row.margin:,.0f}",
            f"{row.error:.1e}",
            f"{row.own_share:.4f}",
            f"{row.l2_share:.4f}",
            f"{row.fourier_l1_share:.4f}",
        )
        for size, row in means.iterrows()
    ]
    return TextTable("two-layer convolutional networks by kernel width, medians", header, rows)
