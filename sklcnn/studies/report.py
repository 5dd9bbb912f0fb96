"""What a comparison says in text: its tables, its page, its files."""

import base64
from html import escape

import numpy as np
import pandas as pd

from sklcnn import __version__
from sklcnn.plotting import FAMILY_STYLES, stack_png
from sklcnn.studies.pages import TextTable, fill, frame, table_html
from sklcnn.studies.verdicts import factor_text, interval_text

__all__ = ["report_html", "save", "save_unfinished", "text_tables"]


def save(directory, comparisons):
    """Write the files of a finished study: the table first, then the picture and the report.

    Parameters
    ----------
    directory : ResultDirectory
        Where.
    comparisons : list of Comparison
        One per data set.
    """
    directory.write("results.csv", _csv([comparison.results for comparison in comparisons]))
    png = stack_png([comparison.display() for comparison in comparisons])
    directory.write("curves.png", png)
    directory.write("report.html", report_html(comparisons, png, __version__).encode())


def save_unfinished(directory, comparisons, results):
    """Write the table of an interrupted study; no picture of an earlier one is left beside it.

    Parameters
    ----------
    directory : ResultDirectory
        Where.
    comparisons : list of Comparison
        Those that were finished.
    results : pandas.DataFrame or None
        Finished fits of the one that was not.

    Returns
    -------
    n_rows : int
        Number of fits in the table.
    """
    frames = [comparison.results for comparison in comparisons]
    frames += [] if results is None else [results]
    directory.save({"results.csv": _csv(frames), "curves.png": None, "report.html": None})
    return sum(map(len, frames))


def _csv(frames):
    """Join tables that are not empty, or keep the header of an empty one."""
    filled = [frame for frame in frames if len(frame)] or frames[:1]
    return pd.concat(filled).to_csv(index=False).encode()


def text_tables(comparison):
    """Return the tables of a comparison, ready to be shown.

    Parameters
    ----------
    comparison : Comparison
        What was found.

    Returns
    -------
    tables : list of TextTable
        Networks, then accuracies and factors on the data, then both with permuted features.
    """
    name = comparison.name
    tables = [_network_table(comparison.networks, name)]
    for control, title in (("original", name), ("permuted", f"{name}, features permuted")):
        tables.append(_accuracy_table(comparison.table, control, title))
        tables.append(_factor_table(comparison.factors, control, title))
    return tables


def report_html(comparisons, png, version):
    """Return the report as one HTML page.

    Parameters
    ----------
    comparisons : list of Comparison
        One per data set.
    png : bytes
        The picture, which is embedded.
    version : str
        Version of the package.

    Returns
    -------
    html : str
        The page.
    """
    names = ", ".join(comparison.name for comparison in comparisons)
    body = fill(
        "compare.html",
        png=base64.b64encode(png).decode(),
        verdicts="".join(map(_verdict_html, comparisons)),
        details="".join(map(_detail_html, comparisons)),
    )
    return frame(f"sklcnn compare: {names}", body, version, "Every fit is a row of results.csv.")


def _network_table(networks, name):
    header = ("network", "filters", "parameters", "learning rate", "rate if permuted")
    rows = [
        (family, str(filters), f"{parameters:,}", f"{rate:g}", f"{permuted:g}")
        for _, family, filters, parameters, rate, permuted in networks.itertuples(index=False)
    ]
    return TextTable(f"{name}: the networks", header, rows)


def _accuracy_table(table, control, title):
    chosen = table[table.control == control]
    families = list(dict.fromkeys(chosen.family))
    spreads = chosen["std"].where(chosen.family.isin(FAMILY_STYLES))  # none for the majority class
    cells = {
        (row.n, row.family): _score_text(row.mean, spread)
        for row, spread in zip(chosen.itertuples(), spreads, strict=True)
    }
    return _table(f"{title}: test accuracy", families, cells)


def _factor_table(factors, control, title):
    chosen = factors[factors.control == control]
    ingredients = list(dict.fromkeys(chosen.ingredient))
    cells = {(row.n, row.ingredient): _factor_cell(row) for row in chosen.itertuples()}
    return _table(f"{title}: sample-efficiency factor and 95 % interval", ingredients, cells)


def _table(title, columns, cells):
    """Lay out cells, keyed by (n, column), with a row per n."""
    sizes = sorted({n for n, _ in cells})
    rows = [(f"{n:,}", *(cells[n, column] for column in columns)) for n in sizes]
    return TextTable(title, ("n", *columns), rows)


def _score_text(mean, std):
    return f"{mean:.3f}" if np.isnan(std) else f"{mean:.3f} ± {std:.3f}"


def _factor_cell(factor):
    interval = interval_text(factor)
    return f"{factor_text(factor)} ({interval})" if interval else factor_text(factor)


def _verdict_html(comparison):
    sentences = [*comparison.verdicts.values(), comparison.control]
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)
    return f"<h3>{escape(comparison.name)}</h3><ul>{items}</ul>"


def _detail_html(comparison):
    tables = "".join(map(table_html, text_tables(comparison)))
    title = f"<h2>{escape(comparison.name)}: all numbers</h2>"
    return f"<section>{title}{_protocol_html(comparison)}{tables}</section>"


def _protocol_html(comparison):
    """Say what was done, with its numbers."""
    done = comparison.settings
    shape = " × ".join(map(str, done["input_shape"]))
    search = ", ".join(f"{n:,}" for n in done["search_sizes"])
    return (
        f"<p>Input {shape}, windows of {done['patch_size']} with stride {done['stride']}: "
        f"{done['n_patches']} patches. {done['n_test']:,} test samples, never used for anything "
        f"else; {done['n_pool']:,} samples to train on, {done['repeats']} draws of each size. "
        f"{done['n_fits']:,} fits, after {done['n_search_fits']:,} that chose learning rates at "
        f"n = {search} on {done['n_validation']:,} validation samples.</p>"
    )
