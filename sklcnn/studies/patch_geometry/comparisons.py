"""One row for each scheme out of one for each scheme and seed, and what noise allows to say."""

import numpy as np
import pandas as pd

from sklcnn.studies.intervals import t_interval

__all__ = ["CONVERGED", "OTHER_DIMENSION", "summarize"]

CONVERGED = 0.01  # at most so much may the last doubling of the directions lower a mean depth
OTHER_DIMENSION = "another dimension"  # instead of a verdict
_LEVEL = 0.95
_UNCOMPARED = dict.fromkeys(("depth_ratio", "ratio_low", "ratio_high", "half_ratio"), np.nan)
_MEANS = ("coverage", "trace", "top_share", "participation_ratio", "effective_rank")


def summarize(results, convergence, reference):
    """Return a row for each scheme.

    Parameters
    ----------
    results : pandas.DataFrame
        A row for each scheme and seed.
    convergence : pandas.DataFrame
        The mean depth of each after so many directions.
    reference : str
        The scheme that the others are compared with.

    Returns
    -------
    table : pandas.DataFrame
        See :class:`sklcnn.studies.PatchStudy`.
    """
    depths = _by_directions(convergence)
    groups = results.groupby("scheme", sort=False)
    sizes = groups.patch_size.first()
    elbows = groups.elbow.agg(["min", "max"])
    n_comparisons = (sizes == sizes[reference]).sum() - 1
    rows = []
    for scheme, found in groups:
        row = _describe(scheme, found) | _depth(depths[scheme])
        if sizes[scheme] != sizes[reference]:
            row |= _UNCOMPARED | dict.fromkeys(("elbow_verdict", "depth_verdict"), OTHER_DIMENSION)
        elif scheme == reference:
            row |= _UNCOMPARED | dict.fromkeys(("elbow_verdict", "depth_verdict"), "reference")
        else:
            row |= _compare_elbows(*elbows.loc[scheme], *elbows.loc[reference])
            row |= _compare_depths(depths[scheme], depths[reference], n_comparisons)
        rows.append(row)
    return pd.DataFrame(rows)


def _by_directions(convergence):
    """Mean depths of each scheme, rows of seeds and columns of numbers of directions."""
    return {
        scheme: rows.pivot(index="seed", columns="n_directions", values="mean_depth")
        for scheme, rows in convergence.groupby("scheme", sort=False)
    }


def _describe(scheme, found):
    """Spectrum of a scheme, and its spread where the scheme is random."""
    first = found.iloc[0]
    row = {"scheme": scheme, "patch_size": first.patch_size}
    row |= {"n_patches": first.n_patches, "seeds": len(found)}
    row |= {name: found[name].mean() for name in _MEANS}
    elbow = found.elbow
    return row | {
        "elbow": elbow.median(),
        "elbow_low": elbow.min(),
        "elbow_high": elbow.max(),
    }


def _depth(depths):
    """Mean depth with its interval over seeds, and whether more directions would lower it."""
    steps = depths.columns.to_numpy()
    mean, low, high = t_interval(depths[steps[-1]], level=_LEVEL)
    before, last = depths[steps[-2]].mean(), depths[steps[-1]].mean()
    with np.errstate(invalid="ignore", divide="ignore"):
        drop = 1 - (last / before) ** (1 / np.log2(steps[-1] / steps[-2]))  # of a whole doubling
    return {
        "mean_depth": mean,
        "depth_low": low,
        "depth_high": high,
        "last_drop": drop,
        "converged": not drop > CONVERGED,  # a bound of zero has no drop, NaN, and falls no more
    }


def _compare_elbows(low, high, reference_low, reference_high):
    verdict = "same"
    if low > reference_high or high < reference_low:
        verdict = "higher" if low > reference_high else "lower"
    return {"elbow_verdict": verdict}


def _compare_depths(depths, reference, n_comparisons):
    """Ratio of mean depths, paired by seed; all intervals hold together."""
    steps = depths.columns.to_numpy()
    with np.errstate(invalid="ignore", divide="ignore"):  # depths of zero have no ratio
        logs = np.log(depths) - np.log(reference)
        half = np.exp(logs[steps[-2]].mean())
        last, level = logs[steps[-1]], 1 - (1 - _LEVEL) / n_comparisons
        known = last.notna().all()  # or some seeds alone would decide
        ratio, low, high = np.exp(t_interval(last, level=level) if known else (np.nan,) * 3)
    verdict = "within noise"
    if not np.isfinite([low, high]).all():
        verdict = "unknown"
    elif low > 1 or high < 1:
        verdict = "deeper" if low > 1 else "shallower"
    return {
        "depth_ratio": ratio,
        "ratio_low": low,
        "ratio_high": high,
        "half_ratio": half,
        "depth_verdict": verdict,
    }
