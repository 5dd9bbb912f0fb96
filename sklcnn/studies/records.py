"""Results that are remembered in files, so that a study that was interrupted can go on.

Small results that come one by one are lines of one file, which :func:`stream_records` appends to. A
result that is a table, and may come from another process, has a file of its own, see
:func:`remember_table`: processes that finish at once do not write into each other's lines.
"""

import json
from pathlib import Path

import pandas as pd

__all__ = ["remember_table", "stream_records"]


def _to_json(name, record):
    if "name" in record:
        raise ValueError(f"record {name!r} has a key 'name', which is that of its task.")
    return json.dumps({"name": name} | record)


def _from_json(line):
    record = json.loads(line)
    return record.pop("name"), record


def stream_records(tasks, stream, path=None, *, to_line=_to_json, from_line=_from_json):
    """Yield the record of every task: from a file if it is there, else of doing it.

    Parameters
    ----------
    tasks : dict of str to object
        What to do, by a name that says all that the record depends on, such as a hash of it.
    stream : callable
        Takes some of the tasks and yields pairs of a name and a record.
    path : str, path-like or None, default=None
        Where records are kept, one line each, written as soon as they are there. None keeps none.
    to_line, from_line : callable
        Turn a name and a record into a line without its end, and back. By default a record is a
        dict of what JSON knows.

    Yields
    ------
    name : str
        Of a task.
    record : dict, or what ``from_line`` returns
        What came of it, in any order.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from sklcnn.studies.records import stream_records
    >>> def square(tasks):
    ...     print("doing", *tasks)
    ...     yield from ((name, {"square": number**2}) for name, number in tasks.items())
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "squares.jsonl")
    ...     _ = dict(stream_records({"two": 2}, square, path))
    ...     print(dict(stream_records({"two": 2, "three": 3}, square, path)))
    doing two
    doing three
    {'two': {'square': 4}, 'three': {'square': 9}}
    """
    if path is None:
        yield from stream(tasks)
        return
    known = dict(map(from_line, _read_lines(Path(path))))
    for name in tasks.keys() & known.keys():
        yield name, known[name]
    missing = {name: task for name, task in tasks.items() if name not in known}
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with Path(path).open("a", encoding="utf-8", newline="") as file:
        for name, record in stream(missing):
            file.write(to_line(name, record) + "\n")
            file.flush()
            yield name, record


def _read_lines(path):
    """Return the lines of a file, if there is one; drop one that was cut off, there too."""
    if not path.exists():
        return []
    text = path.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        path.write_text(whole, encoding="utf-8")
    return whole.splitlines()


def remember_table(path, make):
    """Return a table: from a file if it is there, else of making it.

    Parameters
    ----------
    path : str or path-like
        The file, whose name says all that the table depends on. It is written whole or not at all.
    make : callable
        Returns the table.

    Returns
    -------
    table : pandas.DataFrame
        As CSV gives it back.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import pandas as pd
    >>> from sklcnn.studies.records import remember_table
    >>> def make():
    ...     print("making")
    ...     return pd.DataFrame({"square": [4, 9]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "squares.csv")
    ...     print([remember_table(path, make).square.tolist() for _ in range(2)])
    making
    [[4, 9], [4, 9]]
    """
    path = Path(path)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        make().to_csv(part, index=False)
        part.replace(path)
    return pd.read_csv(path)  # the same table whether it was made now or before
