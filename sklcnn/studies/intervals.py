"""How sure a mean over repeats is."""

import numpy as np
from scipy.special import stdtrit

__all__ = ["t_interval"]


def t_interval(values, *, level=0.95, logarithmic=False):
    """Return a mean and the ends of its interval by Student's t.

    Parameters
    ----------
    values : ndarray of shape (n_repeats,)
        NaN are left out.
    level : float, default=0.95
        How sure the interval is.
    logarithmic : bool, default=False
        Whether to average logarithms: a geometric mean. It is 0 if a value is 0, without an
        interval, since that of the logarithms has no ends; and NaN if one is negative.

    Returns
    -------
    mean, low, high : float
        The ends are NaN for fewer than two values.

    Examples
    --------
    >>> import numpy as np
    >>> from sklcnn.studies.intervals import t_interval
    >>> mean, low, high = t_interval(np.array([1.0, 4.0]), logarithmic=True)
    >>> mean
    2.0
    >>> round(low * high, 6)
    4.0
    """
    values = np.asarray(values, dtype=float)
    values = values[~np.isnan(values)]
    if not len(values):
        return (np.nan,) * 3
    if logarithmic:
        if (values <= 0).any():
            return (np.nan if (values < 0).any() else 0.0, np.nan, np.nan)
        return tuple(float(np.exp(end)) for end in t_interval(np.log(values), level=level))
    mean = float(values.mean())
    if len(values) < 2:
        return mean, np.nan, np.nan
    error = values.std(ddof=1) / np.sqrt(len(values))
    half = float(stdtrit(len(values) - 1, (1 + level) / 2) * error)
    return mean, mean - half, mean + half
