"""Fits that are remembered in a file, so that a study that was interrupted can go on."""

import csv
from pathlib import Path

import joblib

from sklcnn import __version__
from sklcnn.studies.fits import Outcome

__all__ = ["stream_remembered"]


def stream_remembered(tasks, stream, path=None):
    """Yield the outcome of every task: from a file if it is there, else of a fit.

    Parameters
    ----------
    tasks : iterable of FitTask
        What to fit.
    stream : callable
        Takes tasks and yields their outcomes, such as ``stream_fits``.
    path : str, path-like or None, default=None
        Where outcomes are kept, one line each, written as soon as they are there. A task is
        recognised by its estimator, its data, its rows and the version of the package, whatever
        else has changed. None keeps none.

    Yields
    ------
    outcome : Outcome
        Of one task, in any order.
    """
    if path is None:
        yield from stream(tasks)
        return
    known, hashes = _read(path), {}
    missing = {}
    for task in tasks:
        name = _identify(task, hashes)
        if name in known:
            yield Outcome(task.key, *known[name])
        else:
            missing[task.key] = name, task
    with Path(path).open("a", newline="", encoding="utf-8") as file:
        for outcome in stream([task for _, task in missing.values()]):
            numbers = outcome.score, outcome.seconds, outcome.n_parameters
            csv.writer(file, lineterminator="\n").writerow([missing[outcome.key][0], *numbers])
            file.flush()
            yield outcome


def _read(path):
    """Map names of fits to score, seconds and number of parameters; drop a line cut off."""
    if not Path(path).exists():
        return {}
    text = Path(path).read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        Path(path).write_text(whole, encoding="utf-8")
    return {
        name: (float(score), float(seconds), int(n_parameters))
        for name, score, seconds, n_parameters in csv.reader(whole.splitlines())
    }


def _identify(task, hashes):
    """Return a name for a fit; ``hashes`` keeps those of the data, which many tasks share."""
    for array in (task.X, task.y):
        if id(array) not in hashes:
            hashes[id(array)] = joblib.hash(array)
    data = hashes[id(task.X)], hashes[id(task.y)], task.train, task.test
    return joblib.hash((__version__, type(task.estimator), task.estimator.get_params(), *data))
