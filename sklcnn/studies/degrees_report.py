"""What a study of the plane between FCN, LCN and CNN says: data, sentences, tables and files."""

import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.datasets import load_digits

from sklcnn.datasets import make_dsd
from sklcnn.plotting import degrees_png
from sklcnn.studies.curves import Factor
from sklcnn.studies.pages import StudyReport, TextTable
from sklcnn.studies.tables import InvalidInputError, read_table
from sklcnn.studies.verdicts import factor_text, interval_text

__all__ = ["QUICK", "embedded_data", "make_report", "read_data", "statements", "text_tables"]

# In small, to see that it runs; for data of any kind.
QUICK = {"repeats": 2, "n_steps": 60, "learning_rates": (0.008, 0.032)}


def embedded_data(quick=False):
    """Return the arguments of the study for scikit-learn's digits and for the DSD.

    Parameters
    ----------
    quick : bool, default=False
        Whether to leave out most sizes and cells.

    Returns
    -------
    data : list of dict
        Arguments of :func:`sklcnn.studies.degrees_of_sharing`.

    Examples
    --------
    >>> from sklcnn.studies.degrees_report import embedded_data
    >>> [data["name"] for data in embedded_data()]
    ['digits', 'DSD']
    """
    images, digits = load_digits(return_X_y=True)
    signals, signs = make_dsd(
        n_samples=10_000, n_patches=10, patch_size=20, noise=0.25, random_state=0
    )
    for_digits = {"name": "digits", "X": images, "y": digits, "input_shape": (8, 8)}
    for_digits |= {"patch_sizes": (1, 2, 3, 4, 5, 6), "sizes": (50, 200, 800)}
    for_signals = {"name": "DSD", "X": signals, "y": signs, "stride": 200, "n_hidden": 400}
    for_signals |= {"patch_sizes": (1, 5, 10, 20, 40, 100), "sizes": (100, 400, 1600)}
    for_signals |= {"group_counts": (1, 2, 5), "learning_rates": (0.002, 0.008, 0.032, 0.128)}
    if quick:
        for_digits |= {"patch_sizes": (1, 3), "sizes": (50, 200), "group_counts": (1, 4)}
        for_signals |= {"patch_sizes": (5, 20), "sizes": (100, 400), "group_counts": (1, 5)}
        del for_signals["learning_rates"]
    return [for_digits, for_signals]


def read_data(path):
    """Read samples, with a test set of their own if the file has one.

    Parameters
    ----------
    path : str or path-like
        An ``.npz`` file that holds ``X_train``, ``y_train``, ``X_test`` and ``y_test``, or ``X``
        and ``y``; or a table, see :func:`sklcnn.studies.tables.read_table`.

    Returns
    -------
    data : dict
        Arguments of :func:`sklcnn.studies.degrees_of_sharing`.

    Raises
    ------
    InvalidInputError
        If the file cannot be read as such.
    """
    names = "X_train", "y_train", "X_test", "y_test"
    if zipfile.is_zipfile(path) and Path(path).suffix.lower() == ".npz":
        with np.load(path, allow_pickle=False) as arrays:
            if "X_train" in arrays.files:
                if missing := [name for name in names if name not in arrays.files]:
                    raise InvalidInputError(str(path), f"lacks the array '{missing[0]}'")
                X, y, X_test, y_test = (arrays[name] for name in names)
                parts = {"X": X, "y": y, "X_test": X_test, "y_test": y_test}
                return {"name": Path(path).stem} | parts
    table = read_table(path)
    return {"name": table.name, "X": table.X, "y": table.y}


def make_report(found):
    """Return what the study tells.

    Parameters
    ----------
    found : list of DegreesOfSharing
        One per data set.

    Returns
    -------
    report : StudyReport
        Tables, picture and page.
    """
    names = {"results": "results", "accuracy": "table", "effects": "effects"}
    return StudyReport(
        title="How much locality, how much weight sharing?",
        lead="Networks with one hidden layer between fully connected, locally connected and "
        "convolutional, all with as many hidden units: test accuracy by patch size and by the "
        "number of groups of patches that share filters, mean and 95 % interval over repeats.",
        tables={
            file: pd.concat([getattr(one, name) for one in found]) for file, name in names.items()
        },
        picture="degrees",
        png=degrees_png([one.display() for one in found]),
        statements=statements(found),
        text_tables=text_tables(found),
    )


def statements(found):
    """Return what locality and sharing are worth, at the smallest and the largest n of each data.

    Patch sizes are those with the best held-out accuracy, which the test set has no part in.

    Parameters
    ----------
    found : list of DegreesOfSharing
        One per data set.

    Returns
    -------
    sentences : list of str
        Two or three for each n.
    """
    return [sentence for one in found for sentence in _statements(one)]


def _statements(found):
    """Sentences of one data set."""
    best = _best_patch_sizes(found.table)
    sizes = sorted({found.table.n.min(), found.table.n.max()})
    sentences = [sentence for n in sizes for sentence in _statements_at(found, best, n)]
    return [*sentences, _rates_at_the_ends(found)]


def _rates_at_the_ends(found):
    """Say how many networks might have wanted another learning rate than the study offers."""
    chosen = found.table.drop_duplicates(["patch_size", "n_groups"]).learning_rate
    low, high = (int((chosen == end(found.settings["learning_rates"])).sum()) for end in (min, max))
    return (
        f"{found.name}: of {len(chosen)} networks {low} chose the lowest learning rate and {high} "
        "the highest; others than those offered might suit them better."
    )


def _best_patch_sizes(table):
    """Return the patch sizes of LCN and CNN with the best held-out accuracy."""
    local = table[table.n_patches > 1]
    columns = {"LCN": local[local.n_groups == local.n_patches], "CNN": local[local.n_groups == 1]}
    return {
        family: int(rows.patch_size[rows.validation.idxmax()]) for family, rows in columns.items()
    }


def _statements_at(found, best, n):
    rows = found.effects[found.effects.n == n].set_index(["effect", "patch_size"])
    begin = f"{found.name}, n = {n:,}:"

    def worth(effect, size):
        return _worth(rows.loc[(effect, size)])

    yield (
        f"{begin} without sharing, patches of {best['LCN']} change the accuracy of the FCN by "
        f"{worth('locality, nothing shared', best['LCN'])}."
    )
    yield (
        f"{begin} with filters that all patches share, patches of {best['CNN']} change it by "
        f"{worth('locality, all shared', best['CNN'])}."
    )
    for size in sorted(set(best.values())):
        yield f"{begin} at patches of {size}, sharing adds {worth('sharing', size)}."
    yield f"{begin} {_between(found.table[found.table.n == n])}"


def _between(table):
    """Say which network held-out samples would choose."""
    row = table.loc[table.validation.idxmax()]
    network = f"patches of {row.patch_size} in {row.n_groups} groups of {row.n_patches} patches"
    if row.n_patches == 1:
        network = "the fully connected network"
    elif row.n_groups in (1, row.n_patches):
        network = f"the {'CNN' if row.n_groups == 1 else 'LCN'} with patches of {row.patch_size}"
    return f"held-out samples choose {network}, test accuracy {row['mean']:.3f}."


def _worth(row):
    """Write a difference in points and a factor of samples, with their intervals."""
    interval = interval_text(_factor_of(row))
    factor = factor_text(_factor_of(row)) + (f" ({interval})" if interval else "")
    return f"{_points(row)}; sample-efficiency factor {factor}"


def _points(row):
    """Write a difference of accuracies in points."""
    points = f"{100 * row.difference:+.1f} points"
    if np.isfinite(row.low):
        points += f" [{100 * row.low:+.1f}, {100 * row.high:+.1f}]"
    return points


def _factor_of(row):
    """Return the sample-efficiency factor of a row of effects."""
    ends = row.factor_low, row.factor_high
    return Factor(row.n, row.factor, *ends, row.censored, row.verdict)


def text_tables(found):
    """Return the tables of the study, ready to be shown.

    Parameters
    ----------
    found : list of DegreesOfSharing
        One per data set.

    Returns
    -------
    tables : list of TextTable
        For each data set the accuracies at each n, the networks, and the effects.
    """
    return [table for one in found for table in _tables(one)]


def _tables(found):
    tables = [_accuracy_table(found, n) for n in sorted(found.table.n.unique())]
    return [*tables, _network_table(found), _effect_table(found)]


def _accuracy_table(found, n):
    """Accuracy by patch size and number of groups."""
    counts = found.settings["group_counts"]
    header = ("patch size", *(_count_text(count) for count in counts), "no sharing (LCN)")
    chosen = found.table[found.table.n == n]
    cells = {(row.patch_size, row.n_groups): _score(row) for row in chosen.itertuples()}
    rows = []
    for size, number in chosen.groupby("patch_size").n_patches.first().items():
        label = f"{size} (FCN)" if number == 1 else f"{size} ({number} patches)"
        partial = [cells.get((size, count), "") if count < number else "" for count in counts]
        rows.append((label, *partial, cells[size, number]))
    return TextTable(f"{found.name}, n = {n:,}: test accuracy", header, rows)


def _count_text(count):
    return "1 group (CNN)" if count == 1 else f"{count} groups"


def _score(row):
    half = row.high - row.mean
    return f"{row.mean:.3f} ± {half:.3f}" if np.isfinite(half) else f"{row.mean:.3f}"


def _network_table(found):
    header = ("patch size", "groups", "filters", "hidden units", "parameters", "learning rate")
    names = ["patch_size", "n_groups", "n_filters", "n_hidden", "n_parameters", "learning_rate"]
    rows = [
        (str(size), str(groups), str(filters), str(hidden), f"{parameters:,}", f"{rate:g}")
        for size, groups, filters, hidden, parameters, rate in found.table[names]
        .drop_duplicates()
        .itertuples(index=False)
    ]
    return TextTable(f"{found.name}: the networks", header, rows)


def _effect_table(found):
    header = ("effect", "patch size", "n", "difference", "factor", "interval")
    rows = []
    for row in found.effects.itertuples(index=False):
        factor = _factor_of(row)
        texts = _points(row), factor_text(factor), interval_text(factor)
        rows.append((row.effect, str(row.patch_size), f"{row.n:,}", *texts))
    title = f"{found.name}: accuracy with less without, and sample-efficiency factor"
    return TextTable(title, header, rows)
