"""The gap of a constant predictor: what the chance of a sample alone makes of it."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from sklcnn.studies.stability.runs import Run
from sklcnn.theory import generalization_gap

__all__ = ["constant_gaps", "floor_shares"]


def constant_gaps(runs: Iterable[Run]) -> pd.DataFrame:
    r"""Measure the gap of the mean of the training targets, on the samples of each run.

    The gap takes the variance of the noise from the law, and the training loss from a sample. Even
    a constant has a gap therefore, which falls with n although nothing is learned: for normal
    targets it is the absolute value of a deviation of :math:`(\sigma^2 + v) \sqrt{2 / n}`, where
    v is the variance of the target without noise.

    Parameters
    ----------
    runs : iterable of Run
        Need not be trained.

    Returns
    -------
    gaps : DataFrame
        One row a run: its labels and ``constant_gap``.
    """
    return pd.DataFrame(
        [dict(run.labels) | {"constant_gap": _constant_gap(run.samples)} for run in runs]
    )


def _constant_gap(samples):
    excess = np.mean((samples.y.mean() - samples.clean_test) ** 2)
    return float(generalization_gap(float(excess), samples.noise, float(samples.y.var())))


def floor_shares(results: pd.DataFrame, over: str, within: Sequence[str]) -> pd.DataFrame:
    """Count the gaps of a line that are not above those of a constant predictor.

    Parameters
    ----------
    results : DataFrame
        One row a run, with the columns ``repeat``, ``gap``, ``constant_gap``, ``over`` and
        ``within``.
    over : str
        Over what the lines are, such as "n_samples".
    within : sequence of str
        What is the same for all points of a line.

    Returns
    -------
    shares : DataFrame
        One row for each combination of ``within``, with ``floor_share``, among the gaps of those
        repeats that have a line (see `sklcnn.studies.stability.slopes.fit_slopes`); NaN if none
        has.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklcnn.studies.stability.floor import floor_shares
    >>> table = pd.DataFrame({"repeat": 0, "network": "CNN", "n": [10, 100], "gap": [1, 0.1]})
    >>> floor_shares(table.assign(constant_gap=0.5), "n", ["network"]).values.tolist()
    [['CNN', 0.5]]
    """
    rows = []
    for key, runs in results.groupby(list(within), sort=False):
        usable = np.isfinite(runs["gap"]) & (runs["gap"] > 0)
        whole = usable.groupby(runs["repeat"]).transform("sum") == runs[over].nunique()
        low = (runs["gap"] <= runs["constant_gap"])[whole]
        rows.append(dict(zip(within, key, strict=True)) | {"floor_share": low.mean()})
    return pd.DataFrame(rows, columns=[*within, "floor_share"])
