"""Data from outside: files that a user hands in, and the checks that every study makes."""

import csv
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

__all__ = ["InvalidInputError", "Table", "check_features", "check_labels", "read_table"]

SEVERAL_VALUES = 20  # more distinct numbers than this, and few samples of each: not classes


class InvalidInputError(ValueError):
    """An input that a study cannot use, with the name of the parameter that holds it.

    Parameters
    ----------
    parameter : str
        Name of the parameter, or of the file.
    message : str
        What is wrong with it and what would do, in one line.
    """

    def __init__(self, parameter, message):
        super().__init__(f"{parameter}: {message}")
        self.parameter = parameter
        self.message = message


@dataclass(frozen=True)
class Table:
    """What a file holds; X has one axis per side of the input, columns names the features."""

    name: str
    X: np.ndarray  # (n_samples, n_features) or (n_samples, *input_shape)
    y: np.ndarray  # (n_samples,)
    target: str  # name of y
    columns: tuple[str, ...] | None = None  # None where features have no names


def read_table(path, target=None):
    """Read features and labels from a CSV, Parquet or NPZ file.

    Parameters
    ----------
    path : str or path-like
        A ``.csv`` file with a header line, a ``.parquet`` file, or an ``.npz`` file that holds
        arrays ``X`` and ``y``.
    target : str or None, default=None
        Column of the labels; None is the last one. For CSV and Parquet.

    Returns
    -------
    table : Table
        Its name is the file's, without folder and suffix.

    Raises
    ------
    InvalidInputError
        If the file cannot be read as such; the message names the file or the column.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from sklcnn.studies.tables import read_table
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "fruit.csv")
    ...     _ = path.write_text("a,b,kind\\n1,2,apple\\n3,4,pear\\n")
    ...     table = read_table(path)
    >>> table.name, table.columns, table.X.shape, table.y.tolist()
    ('fruit', ('a', 'b'), (2, 2), ['apple', 'pear'])
    """
    path = Path(path)
    readers = {".csv": _read_csv, ".parquet": _read_parquet, ".npz": _read_npz}
    if path.is_dir():
        raise InvalidInputError(str(path), "is a directory, not a file")
    if not path.exists():
        raise InvalidInputError(str(path), "no such file")
    if path.suffix.lower() not in readers:
        known = ", ".join(readers)
        raise InvalidInputError(
            str(path), f"unknown kind of file '{path.suffix}'; known are {known}"
        )
    try:
        if path.stat().st_size == 0:
            raise InvalidInputError(str(path), "the file is empty")
        return readers[path.suffix.lower()](path, target)
    except InvalidInputError:
        raise
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise InvalidInputError(str(path), f"cannot be read ({_reason(error)})") from error


def check_features(X, columns=None):
    """Return X as a finite float32 matrix.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features) or (n_samples, *input_shape)
        Features; further axes are raveled.
    columns : sequence of str or None, default=None
        Names of the features, for messages.

    Returns
    -------
    X : ndarray of shape (n_samples, n_features), dtype float32
        The same features.

    Raises
    ------
    InvalidInputError
        If an entry is not a finite number; the message tells the first one's place.
    """
    X = np.asarray(X)
    if X.ndim < 2 or X.size == 0:
        raise InvalidInputError("X", f"shape {X.shape}; needed are samples and features")
    if X.dtype.kind not in "biufO":
        raise InvalidInputError("X", f"entries are not real numbers but {X.dtype}")
    if X.dtype == object:
        try:
            X = X.astype(float)
        except (TypeError, ValueError) as error:
            raise InvalidInputError("X", f"entries are not all numbers ({error})") from None
    X = X.reshape(len(X), -1)  # (n_samples, n_features)
    with np.errstate(over="ignore"):  # what float32 cannot hold is reported as not finite
        single = X.astype(np.float32)
    bad = np.argwhere(~np.isfinite(single))
    if len(bad):
        row, column = bad[0]
        where = f"column '{columns[column]}'" if columns else f"column {column + 1}"
        what = _describe(X[row, column])
        raise InvalidInputError("X", f"{what} at row {row + 1}, {where} ({len(bad)} in all)")
    return single


def check_labels(y, n_samples, least):
    """Return y as a vector of class labels with enough samples of every class.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Labels of any type.
    n_samples : int
        Number of rows of X.
    least : int
        Samples that every class must have.

    Returns
    -------
    y : ndarray of shape (n_samples,)
        The labels.

    Raises
    ------
    InvalidInputError
        If they do not fit X, some are missing, or they are no classes that can be learned.
    """
    y = np.asarray(y)
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1:
        raise InvalidInputError("y", f"shape {y.shape}; needed is one label per sample")
    if len(y) != n_samples:
        raise InvalidInputError("y", f"{len(y)} labels for {n_samples} samples in X")
    missing = np.flatnonzero(_is_missing(y))
    if len(missing):
        raise InvalidInputError("y", f"the label is missing at row {missing[0] + 1}")
    if y.dtype == object:
        y = _plain(y)
    classes, counts = np.unique(y, return_counts=True)
    if _looks_continuous(y, counts):
        raise InvalidInputError(
            "y",
            f"{len(classes)} different numbers look like a regression target; "
            "this study compares classifiers",
        )
    if len(classes) < 2:
        raise InvalidInputError("y", f"only one class, {classes[0]!s}; at least two are needed")
    if counts.min() < least:
        rarest = counts.argmin()
        raise InvalidInputError(
            "y",
            f"class {classes[rarest]!s} has too few samples, {counts[rarest]}; "
            f"every class needs at least {least}",
        )
    return y


def _reason(error):
    """First line of what an error says."""
    said = getattr(error, "strerror", None) or str(error).strip() or type(error).__name__
    return said.splitlines()[0]


def _describe(number):
    """Say what is wrong with an entry that is not finite in single precision."""
    if np.isnan(number):
        return "NaN"
    return "infinity" if np.isinf(number) else f"{number:g}, too large for single precision,"


def _read_csv(path, target):
    import pandas as pd

    with path.open(encoding="utf-8-sig", newline="") as lines:
        header = next(csv.reader(lines, skipinitialspace=True), [])
    _check_header(path, header)
    frame = pd.read_csv(path, encoding="utf-8-sig", skipinitialspace=True, low_memory=False)
    if not isinstance(frame.index, pd.RangeIndex):  # pandas took surplus entries for row names
        raise InvalidInputError(str(path), "the rows have more entries than the first line")
    return _split(path, frame, target)


def _read_parquet(path, target):
    try:
        import pyarrow  # noqa: F401  (pandas would name two engines that could be installed)
    except ImportError:
        message = "reading Parquet needs pyarrow: pip install pyarrow"
        raise InvalidInputError(str(path), message) from None
    import pandas as pd

    return _split(path, pd.read_parquet(path), target)


def _read_npz(path, target):
    if target is not None:
        raise InvalidInputError("target", "has no meaning for an NPZ file: its labels are y")
    if not zipfile.is_zipfile(path):
        raise InvalidInputError(str(path), "is not an NPZ file, as numpy.savez writes them")
    with np.load(path, allow_pickle=False) as arrays:
        for key in ("X", "y"):
            if key not in arrays.files:
                held = ", ".join(arrays.files) or "nothing"
                raise InvalidInputError(str(path), f"lacks the array '{key}'; it holds {held}")
        try:
            return Table(path.stem, arrays["X"], arrays["y"], "y")
        except ValueError:
            message = "holds an array of Python objects; store numbers or text"
            raise InvalidInputError(str(path), message) from None


def _check_header(path, header):
    """Refuse a first line that holds data, and a column of row numbers."""
    if len(header) < 2:
        only = f"only one column, '{header[0]}'" if header else "the first line is empty"
        raise InvalidInputError(str(path), f"{only}; columns are separated by commas")
    if "" in header:
        raise InvalidInputError(
            str(path),
            f"column {header.index('') + 1} has no name; if it holds row numbers, leave it out",
        )
    numbers = [_number(name) for name in header]
    counting = [float(i) for i in range(len(header))]
    if None not in numbers and numbers != counting:
        raise InvalidInputError(str(path), "the first line holds numbers; add a line of names")


def _number(text):
    try:
        return float(text)
    except ValueError:
        return None


def _split(path, frame, target):
    """Cut a data frame into features and labels."""
    names = [str(name) for name in frame.columns]
    frame.columns = names
    if frame.empty:
        raise InvalidInputError(str(path), "the file holds no samples")
    if len(names) < 2:
        raise InvalidInputError(str(path), "needs a column of labels and at least one of features")
    target = names[-1] if target is None else target
    if target not in names:
        raise InvalidInputError(
            "target", f"{path} has no column '{target}'; it has {_enumerate(names)}"
        )
    features = frame.drop(columns=target)
    words = [name for name in features if features[name].dtype.kind not in "biuf"]
    if words:
        raise InvalidInputError(
            str(path),
            f"feature columns that are not numeric: {_enumerate(words)} (labels: '{target}')",
        )
    labels = frame[target].astype(object)
    return Table(
        name=path.stem,
        X=features.to_numpy(dtype=float, na_value=np.nan),
        y=labels.where(labels.notna(), None).to_numpy(),
        target=target,
        columns=tuple(features.columns),
    )


def _enumerate(names, most=5):
    """Quote the first names of a list."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(f"'{name}'" for name in names[:most]) + more


def _is_missing(y):
    """Mark None and NaN (which differs from itself), and infinite numbers."""
    if y.dtype.kind == "f":
        return ~np.isfinite(y)
    if y.dtype == object:
        return np.array([label is None or bool(label != label) for label in y])
    return np.zeros(len(y), dtype=bool)


def _plain(y):
    """Give labels of mixed Python types one type that can be sorted."""
    kinds = {type(label) for label in y}
    return np.array(y.tolist()) if len(kinds) == 1 else np.array([str(label) for label in y])


def _looks_continuous(y, counts):
    if y.dtype.kind not in "iuf":
        return False
    fractions = y.dtype.kind == "f" and bool(np.any(y != np.round(y)))
    many = len(counts) > SEVERAL_VALUES
    return many and (fractions or len(y) < 5 * len(counts))
