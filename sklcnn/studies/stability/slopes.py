"""How fast a quantity grows or falls: slopes in logarithms, with intervals over repeats."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from sklcnn.studies.intervals import t_interval

__all__ = ["fit_slopes"]


def fit_slopes(
    results: pd.DataFrame, quantities: Sequence[str], over: str, within: Sequence[str]
) -> pd.DataFrame:
    """Fit lines through the logarithms of quantities, one for each repeat.

    Parameters
    ----------
    results : DataFrame
        One row a run, with the columns ``repeat``, ``over``, ``within`` and the quantities.
    quantities : sequence of str
        What grows or falls.
    over : str
        Over what, such as "n_samples".
    within : sequence of str
        What is the same for all points of a line.

    Returns
    -------
    slopes : DataFrame
        One row for each quantity and combination of ``within`` with at least two values of
        ``over``: ``within``, ``quantity``; the mean ``slope`` over repeats of the least-squares
        lines through *all* values of ``over``, with the ends ``low`` and ``high`` of its 95 %
        t-interval, NaN for fewer than two repeats; ``repeats``; and the range, ``{over}_min`` and
        ``{over}_max``. A repeat in which the quantity is missing, zero or infinite somewhere has no
        line.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklcnn.studies.stability.slopes import fit_slopes
    >>> table = pd.DataFrame({"repeat": 0, "network": "CNN", "n": [10, 100], "gap": [1, 0.1]})
    >>> fit_slopes(table, ["gap"], "n", ["network"]).slope.round(6).tolist()
    [-1.0]
    """
    rows = []
    for key, runs in results.groupby(list(within), sort=False):
        if runs[over].nunique() < 2:
            continue
        for quantity in quantities:
            table = runs.pivot(index=over, columns="repeat", values=quantity)
            rows.append(
                dict(zip(within, key, strict=True))
                | {"quantity": quantity}
                | _fit(table.index.to_numpy(dtype=float), table.to_numpy(dtype=float))
                | {f"{over}_min": table.index.min(), f"{over}_max": table.index.max()}
            )
    ends = ["slope", "low", "high", "repeats", f"{over}_min", f"{over}_max"]
    return pd.DataFrame(rows, columns=[*within, "quantity", *ends])


def _fit(sizes, values):
    """Return the mean slope of the columns of values, (n_sizes, n_repeats), and its interval."""
    whole = (np.isfinite(values) & (values > 0)).all(axis=0)
    x = np.log(sizes) - np.log(sizes).mean()
    slopes = x @ np.log(values[:, whole]) / (x @ x)  # (n_whole,)
    slope, low, high = t_interval(slopes)
    return {"slope": slope, "low": low, "high": high, "repeats": len(slopes)}
