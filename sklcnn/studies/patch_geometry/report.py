"""What a study of patch schemes says: sentences, tables and files."""

import numpy as np

from sklcnn.plotting.schemes import schemes_png
from sklcnn.studies.pages import StudyReport, TextTable
from sklcnn.studies.patch_geometry.comparisons import CONVERGED, OTHER_DIMENSION

__all__ = ["QUICK", "make_report", "statements", "text_tables"]

# In small, to see that it runs.
QUICK = {"n_directions": 64, "n_reference": 5_000, "n_queries": 1_000}


def make_report(found):
    """Return what the study tells.

    Parameters
    ----------
    found : PatchStudy
        What was found.

    Returns
    -------
    report : StudyReport
        Tables, picture and page.
    """
    return StudyReport(
        title="How flat and how deep are the patches of images?",
        lead=f"Patches of {found.settings['patch_text']} of {found.settings['n_samples']:,} "
        "images, each channel with mean 0 and variance 1, as a cloud of points: how many principal "
        "components hold 90 % of the variance (elbow), and how deep points lie by random "
        "half-spaces. Large learning rates keep networks from fitting single patches where the "
        "cloud is flat and deep (arXiv 2510.18120, 2603.04807).",
        tables={"results": found.results, "convergence": found.convergence, "summary": found.table},
        picture="schemes",
        png=schemes_png(found.display()),
        statements=statements(found),
        text_tables=text_tables(found),
    )


def statements(found):
    """Return what differs from the reference by more than noise, and what has not converged.

    Parameters
    ----------
    found : PatchStudy
        What was found.

    Returns
    -------
    sentences : list of str
        On elbows, depths, their convergence, the full image, and schemes that were left out.
    """
    table = found.table.set_index("scheme")
    compared = table[table.depth_verdict != OTHER_DIMENSION]
    reference = found.settings["reference"]
    sentences = [
        _elbows(compared, reference),
        *_depths(compared, reference, found.settings),
        _convergence(compared),
        *_halves(compared, reference, found.settings),
        *(_other_dimension(row) for row in table.drop(compared.index).itertuples()),
        *(f"{scheme} is left out: {reason}." for scheme, reason in found.left_out.items()),
    ]
    return [f"{found.name}: {sentence}" for sentence in sentences]


def _elbows(table, reference):
    """Say which schemes need as many components as the reference."""
    own = _elbow_text(table.loc[reference])
    rows = table.drop(reference)
    parts = [f"the elbow of {reference} is {own}"]
    for verdict in ("same", "higher", "lower"):
        chosen = rows[rows.elbow_verdict == verdict]
        names = [f"{scheme} ({_elbow_text(row)})" for scheme, row in chosen.iterrows()]
        if names:
            parts.append(f"{verdict} with {', '.join(names)}")
    return f"{'; '.join(parts)}."


def _elbow_text(row):
    """Write 4, or 38 to 41 where seeds differ."""
    low, high = int(row.elbow_low), int(row.elbow_high)
    return f"{low}" if low == high else f"{low} to {high}"


def _depths(table, reference, settings):
    """Say which schemes are deeper or shallower than the reference beyond noise, and which not."""
    rows = table.drop(reference)
    n_seeds, n_directions = settings["n_seeds"], settings["n_directions"]
    for verdict in ("deeper", "shallower"):
        chosen = rows[rows.depth_verdict == verdict]
        names = [f"{scheme} ({_ratio_text(row)})" for scheme, row in chosen.iterrows()]
        if names:
            yield (
                f"patches are {verdict} than those of {reference} in {', '.join(names)}: ratios of "
                f"mean depths by {n_directions} directions, 95 % intervals over {n_seeds} seeds "
                "that hold together."
            )
    within = rows[rows.depth_verdict == "within noise"]
    if len(within):
        names = [f"{scheme} ({_ratio_text(row)})" for scheme, row in within.iterrows()]
        yield f"no difference in depth beyond noise: {', '.join(names)}."
    if (rows.depth_verdict == "unknown").any():
        names = rows.index[rows.depth_verdict == "unknown"]
        why = "a single seed knows no noise" if n_seeds == 1 else "a depth is zero"
        yield f"no comparison of depths with {', '.join(names)}: {why}."


def _ratio_text(row):
    return f"{row.depth_ratio:.3f} [{row.ratio_low:.3f}, {row.ratio_high:.3f}]"


def _convergence(table):
    """Say whose depths would fall on with more directions."""
    moving = table[~table.converged]
    if not len(moving):
        return (
            "all mean depths have converged: the last doubling of the directions lowers them by at "
            f"most {_share(CONVERGED)}."
        )
    names = "any scheme" if len(moving) == len(table) else ", ".join(moving.index)
    return (
        f"depths have not converged for {names}: the last doubling of the directions still lowered "
        f"them by {_span(moving.last_drop)}; they are upper bounds."
    )


def _span(shares):
    low, high = _share(shares.min()), _share(shares.max())
    return low if low == high else f"{low} to {high}"


def _share(value):
    return f"{100 * value:.2g} %"


def _halves(table, reference, settings):
    """Say how much the ratios owe to the number of directions."""
    rows = table.drop(reference)
    change = (rows.half_ratio / rows.depth_ratio - 1).abs()
    if not np.isfinite(change).any():
        return
    most = change.idxmax()
    row = rows.loc[most]
    yield (
        f"ratios are those of bounds: with half of the {settings['n_directions']} directions that "
        f"of {most} would be {row.half_ratio:.3g} and not {row.depth_ratio:.3g}, the largest "
        "change of all."
    )


def _other_dimension(row):
    return (
        f"{row.Index} has {row.patch_size:,} features, elbow {_elbow_text(row)} and mean depth "
        f"{row.mean_depth:.3g}; a bound by random directions is looser in more dimensions, so it "
        "is not compared."
    )


def text_tables(found):
    """Return the tables of the study, ready to be shown.

    Parameters
    ----------
    found : PatchStudy
        What was found.

    Returns
    -------
    tables : list of TextTable
        How flat the patches are, and how deep.
    """
    return [_flatness_table(found), _depth_table(found)]


def _flatness_table(found):
    header = ("scheme", "patches", "covered", "trace", "first", "elbow", "participation", "rank")
    rows = [
        (
            row.scheme,
            f"{row.n_patches:,}",
            f"{row.coverage:.2f}",
            f"{row.trace:,.1f}",
            f"{row.top_share:.3f}",
            _elbow_text(row),
            f"{row.participation_ratio:.2f}",
            f"{row.effective_rank:.2f}",
        )
        for row in found.table.itertuples()
    ]
    title = f"{found.name}, patches of {found.settings['patch_text']}: principal components"
    return TextTable(title, header, rows)


def _depth_table(found):
    header = ("scheme", "mean depth", "drop", "converged", "ratio", "verdict")
    rows = [
        (
            row.scheme,
            _depth_text(row),
            f"-{_share(row.last_drop)}" if np.isfinite(row.last_drop) else "",
            "yes" if row.converged else "no",
            _ratio_text(row) if np.isfinite(row.ratio_low) else "",
            row.depth_verdict,
        )
        for row in found.table.itertuples()
    ]
    settings = found.settings
    title = (
        f"{found.name}: half-space depth, {settings['n_directions']} directions, "
        f"{settings['n_seeds']} seeds; drop by the last doubling"
    )
    return TextTable(title, header, rows)


def _depth_text(row):
    half = row.depth_high - row.mean_depth
    return f"{row.mean_depth:.4f} ± {half:.4f}" if np.isfinite(half) else f"{row.mean_depth:.4f}"
