"""Means over repeats, with intervals."""

import numpy as np

from sklcnn.studies.intervals import t_interval
from sklcnn.studies.stability.runs import LABELS

__all__ = ["CONFIGURATION", "QUANTITIES", "at_end", "means"]

CONFIGURATION = tuple(name for name in LABELS if name != "repeat")
"""Columns that name what is repeated."""

POSITIVE = (
    *("loss", "clean_train_error", "excess", "gap", "target_variance", "relative_excess"),
    *("sharpness", "relative_sharpness", "path_norm"),
)
SHARES = ("mean_activation_rate", "dead_share")
QUANTITIES = POSITIVE + SHARES
"""What is averaged: besides measures, excess over variance and sharpness over its threshold."""


def means(trajectories):
    """Average the runs that differ in their repeat only.

    Parameters
    ----------
    trajectories : DataFrame
        Rows of `sklcnn.studies.stability.runs.follow`.

    Returns
    -------
    averages : DataFrame
        One row for each configuration and step: the columns of ``CONFIGURATION``, ``step``,
        ``threshold``, ``n_parameters``, ``repeats`` (those that have not diverged) and for each of
        ``QUANTITIES`` its mean and, with the endings ``_low`` and ``_high``, its 95 % t-interval,
        NaN for a single run. Means of shares are arithmetic, all others geometric: their intervals
        are those of the mean logarithm, as slopes are slopes of logarithms.
    """
    measured = trajectories[np.isfinite(trajectories["loss"])]
    ratios = {
        "relative_excess": measured["excess"] / measured["target_variance"],
        "relative_sharpness": measured["sharpness"] / measured["threshold"],
    }
    names = [*CONFIGURATION, "step"]
    groups = measured.assign(**ratios).groupby(names, dropna=False, sort=False)
    averages = groups[["threshold", "n_parameters"]].first().assign(repeats=groups.size())
    intervals = [
        t_interval(values.to_numpy(dtype=float), logarithmic=name in POSITIVE)
        for name in QUANTITIES
        for _, values in groups[name]
    ]
    ends = np.reshape(intervals, (len(QUANTITIES), len(averages), 3))
    for name, columns in zip(QUANTITIES, ends, strict=True):
        averages[[name, f"{name}_low", f"{name}_high"]] = columns
    return averages.reset_index()


def at_end(trajectories):
    """Average the runs after the last step of their part.

    Parameters
    ----------
    trajectories : DataFrame
        See `means`.

    Returns
    -------
    averages : DataFrame
        One row for each configuration, but for those of which all runs have diverged.
    """
    last = trajectories.groupby("part")["step"].transform("max")
    return means(trajectories[trajectories["step"] == last])
