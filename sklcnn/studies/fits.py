"""Many fits as a stream: each is one estimator, one training set, one score."""

import contextlib
import time
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
from joblib import cpu_count, delayed
from sklearn.base import clone
from threadpoolctl import threadpool_limits

from sklcnn.studies.streams import side_by_side, stream
from sklcnn.training import fleet as sklcnn_fleet
from sklcnn.training import resolve_device

__all__ = ["FitTask", "Outcome", "default_jobs", "stream_fits"]


@dataclass(frozen=True)
class FitTask:
    """One fit to be done: train on some rows, score on others."""

    key: Hashable  # names the fit in the stream
    estimator: Any  # not fitted, seeded
    X: np.ndarray  # (n_samples, n_features)
    y: np.ndarray  # (n_samples,)
    train: np.ndarray  # rows to train on
    test: np.ndarray  # rows to score on


@dataclass(frozen=True)
class Outcome:
    """What came of a fit."""

    key: Hashable
    score: float
    seconds: float  # of training, in a stack its share
    n_parameters: int


def default_jobs(device):
    """Return how many fits to run at once where nobody says.

    Parameters
    ----------
    device : str
        Where networks are trained.

    Returns
    -------
    n_jobs : int
        The number of cores, at most 8, since every worker loads its own torch; one on a GPU, which
        processes would only share.
    """
    return min(cpu_count(), 8) if resolve_device(device).type == "cpu" else 1


def stream_fits(tasks, n_jobs=None, fleet=True):
    """Yield the outcome of every task as soon as it is there, in any order.

    Parameters
    ----------
    tasks : iterable of FitTask
        What to fit.
    n_jobs : int or None, default=None
        Number of stacks, or without the fleet of fits, that train side by side, in joblib's sense.
    fleet : bool, default=True
        Whether the fits train in stacks. Without, each fit runs on one thread, in processes if
        ``n_jobs`` asks for them; an enclosing ``joblib.parallel_config`` chooses the backend.

    Yields
    ------
    outcome : Outcome
        Of one task.

    Notes
    -----
    The scores of both ways agree up to the rounding of sums. When the generator is closed, or an
    interrupt passes through it, running fits are abandoned and worker processes are ended.
    """
    if fleet:
        context = sklcnn_fleet(n_jobs=None if n_jobs == 1 else n_jobs)
        n_jobs = None  # that of the context
    else:
        context = side_by_side(n_jobs)
    calls = (delayed(_fit_and_score)(task, fleet) for task in tasks)
    yield from stream(calls, context, n_jobs, max_nbytes="100K")


def _fit_and_score(task, fleet):
    """Do one task. Its data are centered and scaled by one mean and one deviation for all features.

    A scale per feature would undo what filters share between positions.
    """
    X_train = task.X[task.train]
    center, scale = X_train.mean(dtype=float), X_train.std(dtype=float) or 1.0
    estimator = clone(task.estimator)
    with contextlib.nullcontext() if fleet else threadpool_limits(1):
        begin = time.perf_counter()
        estimator.fit((X_train - center) / scale, task.y[task.train])
        seconds = time.perf_counter() - begin
        score = estimator.score((task.X[task.test] - center) / scale, task.y[task.test])
    # A network knows its own time; in a fleet it has waited for others too.
    seconds = getattr(estimator, "fit_seconds_", seconds)
    return Outcome(task.key, float(score), seconds, getattr(estimator, "n_parameters_", 0))
