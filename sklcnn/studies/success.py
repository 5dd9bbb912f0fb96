"""Probability of success over n: a monotone curve through trials, and where it crosses one half.

Single trials are not monotone in n: a network may reach a target with 30 samples and miss it with
40 others. So success is counted at several n in several repeats, an increasing curve is fitted to
the shares in log n, and n at one half is read off; repeats are resampled for its interval.
"""

from dataclasses import dataclass

import numpy as np
from sklearn.isotonic import isotonic_regression

__all__ = ["Crossing", "find_crossing", "resample_crossings", "success_curve"]

HALF = 0.5


@dataclass(frozen=True)
class Crossing:
    """Where the probability of success crosses one half."""

    n_samples: float  # infinite if it never does
    low: float  # of the interval
    high: float  # infinite where the largest n tried is not enough
    censored: str  # "": n was found; "above": the largest n is not enough; "below": the smallest is


def success_curve(successes):
    """Return the probability of success at every n, which does not fall.

    Parameters
    ----------
    successes : ndarray of bool of shape (n_repeats, n_sizes)
        Trials, in the order of n.

    Returns
    -------
    probabilities : ndarray of shape (n_sizes,)
        Isotonic regression of the shares of successes.
    """
    return isotonic_regression(np.mean(successes, axis=0), y_min=0, y_max=1)


def find_crossing(sizes, successes, *, confidence=0.95, n_resamples=2000, random_state=0):
    """Return n at which success is as likely as not, with a bootstrap interval over repeats.

    The interval holds the two sizes around the crossing, which nothing tells apart.

    Parameters
    ----------
    sizes : ndarray of shape (n_sizes,)
        Increasing n.
    successes : ndarray of bool of shape (n_repeats, n_sizes)
        Trials.
    confidence : float, default=0.95
        Of the percentile interval.
    n_resamples : int, default=2000
        Draws of as many repeats with replacement.
    random_state : int, default=0
        Seed of the draws.

    Returns
    -------
    crossing : Crossing
        Censored where the sizes do not reach far enough.
    """
    n = _crossing(sizes, successes)
    found = resample_crossings(sizes, successes, n_resamples, random_state)
    tail = (1 - confidence) / 2
    low, high = np.quantile(found, [tail, 1 - tail], method="inverted_cdf")
    below = success_curve(successes)[0] >= HALF
    if np.isfinite(n) and not below:  # no interval is narrower than the grid
        low, high = min(low, sizes[sizes < n].max()), max(high, sizes[sizes >= n].min())
    censored = "below" if below else "above" if np.isinf(n) else ""
    return Crossing(n, float(low), float(high), censored)


def resample_crossings(sizes, successes, n_resamples=2000, random_state=0):
    """Return n at one half for resampled repeats, (n_resamples,); infinite where it is never.

    Parameters
    ----------
    sizes : ndarray of shape (n_sizes,)
        Increasing n.
    successes : ndarray of bool of shape (n_repeats, n_sizes)
        Trials.
    n_resamples : int, default=2000
        Draws of as many repeats with replacement.
    random_state : int, default=0
        Seed of the draws.

    Returns
    -------
    crossings : ndarray of shape (n_resamples,)
        In the order of the draws.
    """
    rng = np.random.default_rng(random_state)
    n_repeats = len(successes)
    draws = np.sort(rng.integers(n_repeats, size=(n_resamples, n_repeats)), axis=1)
    distinct, places = np.unique(draws, axis=0, return_inverse=True)
    found = np.array([_crossing(sizes, successes[draw]) for draw in distinct])
    return found[places.ravel()]


def _crossing(sizes, successes):
    """Interpolate the curve in log n; the smallest n if it suffices, infinity if none does."""
    curve = success_curve(successes)
    if curve[0] >= HALF:
        return float(sizes[0])
    if curve[-1] < HALF:
        return np.inf
    right = int(np.argmax(curve >= HALF))
    share = (HALF - curve[right - 1]) / (curve[right] - curve[right - 1])
    logs = np.log(sizes[right - 1 : right + 1])
    return float(np.exp(logs[0] + share * (logs[1] - logs[0])))
