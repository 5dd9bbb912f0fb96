"""Many searches for a sample complexity, side by side in processes."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from joblib import delayed, parallel_config
from sklearn.exceptions import ConvergenceWarning

from sklcnn.studies.sample_complexity import SampleComplexity, sample_complexity
from sklcnn.studies.streams import side_by_side, stream

__all__ = ["Search", "run_searches", "search_row"]


@dataclass(frozen=True)
class Search:
    """One search to be done."""

    labels: Mapping[str, Any]  # columns that name it in a table
    estimator: Any
    law: Any
    options: Mapping[str, Any] = field(default_factory=dict)  # of sample_complexity
    cost: float = 1.0  # expected time, in any unit


def run_searches(searches, progress, n_jobs=None):
    """Yield every search with what it found, in any order; the costly ones begin.

    Parameters
    ----------
    searches : list of Search
        What to do.
    progress : FitProgress
        Counts cost, which gives an estimate of the time left.
    n_jobs : int or None, default=None
        Processes side by side, in joblib's sense, each on one core. None does one search after the
        other, on all cores.

    Yields
    ------
    search : Search
        One of them.
    found : SampleComplexity
        What it found.
    """
    ordered = sorted(searches, key=lambda search: -search.cost)
    with parallel_config("loky", inner_max_num_threads=1):
        calls = (delayed(_run)(search) for search in ordered)
        for search, found in stream(calls, side_by_side(n_jobs), n_jobs):
            progress.advance(search.cost)
            yield search, found


def _run(search) -> tuple[Search, SampleComplexity]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # peers train as long as they are told
        return search, sample_complexity(search.estimator, search.law, **search.options)


def search_row(labels, found):
    """Return a row for a table: labels, number of samples, interval, and how it was found."""
    return dict(labels) | {
        "n_samples": found.n_samples,
        "low": found.low,
        "high": found.high,
        "censored": found.censored,
        "metric": found.metric,
        "target": found.target,
        "optimum": found.optimum,
        "selection": found.selection,
        "n_max": int(found.results["n"].max()),
        "repeats": found.settings["repeats"],
        "n_fits": found.settings["n_fits"],
    }
