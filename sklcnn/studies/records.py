"""Results that are remembered in a file, so that a study that was interrupted can go on."""

import json
from pathlib import Path

__all__ = ["stream_records"]


def stream_records(tasks, stream, path=None):
    """Yield the record of every task: from a file if it is there, else of doing it.

    Parameters
    ----------
    tasks : dict of str to object
        What to do, by a name that says all that the record depends on, such as a hash of it.
    stream : callable
        Takes some of the tasks and yields pairs of a name and a record: a dict of what JSON knows.
    path : str, path-like or None, default=None
        Where records are kept, one line each, written as soon as they are there. None keeps none.

    Yields
    ------
    name : str
        Of a task.
    record : dict
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
    known = _read(Path(path))
    for name in tasks.keys() & known.keys():
        yield name, known[name]
    missing = {name: task for name, task in tasks.items() if name not in known}
    if not missing:
        return
    with Path(path).open("a", encoding="utf-8") as file:
        for name, record in stream(missing):
            file.write(json.dumps({"name": name} | record) + "\n")
            file.flush()
            yield name, record


def _read(path):
    """Map names to records; drop a line that was cut off."""
    if not path.exists():
        return {}
    text = path.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        path.write_text(whole, encoding="utf-8")
    records = [json.loads(line) for line in whole.splitlines()]
    return {record.pop("name"): record for record in records}
