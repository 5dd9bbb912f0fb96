"""What the study beyond the paper says: sentences, tables and files."""

import numpy as np

from sklcnn.plotting import ratio_png
from sklcnn.studies.pages import StudyReport, TextTable
from sklcnn.studies.variants import FAMILIES

__all__ = ["make_report", "statements", "text_tables"]

VERDICTS = ("persists", "shrinks", "vanishes", "reverses", "undecided")


def make_report(found):
    """Return what the study tells.

    Parameters
    ----------
    found : Beyond
        What was found.

    Returns
    -------
    report : StudyReport
        Tables, picture and page.
    """
    return StudyReport(
        title="What does the separation of CNN, LCN and FCN rest on?",
        lead="One assumption of the theorems on the Dynamic Signal Distribution (arXiv 2403.15707) "
        "is changed at a time: how many times the samples does one family then need of the other?",
        tables={"results": found.results, "ratios": found.table},
        picture="ratios",
        png=ratio_png(found.display()),
        statements=statements(found),
        text_tables=text_tables(found),
    )


def statements(found):
    """Return in which variants each ratio persists, shrinks, vanishes, or else.

    Parameters
    ----------
    found : Beyond
        What was found.

    Returns
    -------
    sentences : list of str
        One for each ratio and verdict that occurs.
    """
    sentences = []
    for name, rows in found.table.groupby("name", sort=False):
        for verdict in VERDICTS:
            variants = list(rows.variant[rows.verdict == verdict])
            if variants:
                sentences.append(f"{name} {verdict} in {len(variants)}: {'; '.join(variants)}.")
    return sentences


def text_tables(found):
    """Return the tables of the study, ready to be shown.

    Parameters
    ----------
    found : Beyond
        What was found.

    Returns
    -------
    tables : list of TextTable
        Samples needed, then ratios and verdicts.
    """
    needed = {(row.variant, row.estimator): _needed_text(row) for row in found.results.itertuples()}
    ratios = {(row.variant, row.name): row for row in found.table.itertuples(index=False)}
    variants = list(dict.fromkeys(found.results.variant))
    names = list(dict.fromkeys(found.table.name))
    numbers = [(v, *(needed.get((v, family), "") for family in FAMILIES)) for v in variants]
    verdicts = [
        (v, *(text for name in names for text in _ratio_texts(ratios.get((v, name)))))
        for v in variants
    ]
    header = [part for name in names for part in (name, "")]
    return [
        TextTable("samples needed", ("variant", *FAMILIES), numbers),
        TextTable("ratios with 95 % interval, and verdicts", ("variant", *header), verdicts),
    ]


def _needed_text(row):
    if row.censored == "above":
        return f"> {row.n_max:,}"
    if row.censored == "below":
        return f"<= {row.n_samples:.0f}"
    return f"{row.n_samples:,.0f}"


def _ratio_texts(row):
    """Return a ratio with its interval, and its verdict."""
    if row is None:
        return "", ""
    if row.censored == "unknown":
        return "unknown", row.verdict
    high = "∞" if np.isinf(row.high) else f"{row.high:.2g}"
    bound = {"more": "> ", "less": "< "}.get(row.censored, "")
    return f"{bound}{row.ratio:.2g} [{row.low:.2g}, {high}]", row.verdict
