"""Fits that are remembered in a file, so that a study that was interrupted can go on."""

from dataclasses import replace

import joblib

from sklcnn import __version__
from sklcnn.studies.fits import Outcome
from sklcnn.studies.records import stream_records

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
        Where outcomes are kept, see :func:`sklcnn.studies.records.stream_records`; each is a line
        of a CSV file. A task is recognized by its estimator, its data, its rows and the version of
        the package, whatever else has changed. None keeps none.

    Yields
    ------
    outcome : Outcome
        Of one task, in any order.
    """
    if path is None:
        yield from stream(tasks)
        return
    named, hashes = {}, {}
    for task in tasks:
        named.setdefault(_identify(task, hashes), []).append(task)

    def fit(missing):
        first = {name: equals[0] for name, equals in missing.items()}
        names = {task.key: name for name, task in first.items()}
        for outcome in stream(list(first.values())):
            yield names[outcome.key], outcome

    for name, outcome in stream_records(named, fit, path, to_line=_to_csv, from_line=_from_csv):
        for task in named[name]:
            yield replace(outcome, key=task.key)


def _to_csv(name, outcome):
    return f"{name},{outcome.score},{outcome.seconds},{outcome.n_parameters}"


def _from_csv(line):
    name, score, seconds, n_parameters = line.split(",")
    return name, Outcome(name, float(score), float(seconds), int(n_parameters))


def _identify(task, hashes):
    """Return a name for a fit; ``hashes`` keeps those of the data, which many tasks share."""
    for array in (task.X, task.y):
        if id(array) not in hashes:
            hashes[id(array)] = joblib.hash(array)
    data = hashes[id(task.X)], hashes[id(task.y)], task.train, task.test
    return joblib.hash((__version__, type(task.estimator), task.estimator.get_params(), *data))
