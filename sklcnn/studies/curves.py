"""Learning curves: nested stratified samples, and what one curve is worth in samples of another."""

from dataclasses import dataclass

import numpy as np
from scipy import stats
from sklearn.isotonic import isotonic_regression
from sklearn.utils import check_random_state

__all__ = ["Factor", "log_sizes", "nested_order", "sample_efficiency"]


def nested_order(y, random_state=None):
    """Return an order of the samples whose every prefix is stratified.

    Within a class the order is random. The classes are interleaved by Sainte-Laguë's rule, which
    seats a parliament in proportion to the votes and never takes a seat back when it grows: larger
    prefixes contain the smaller ones. Every class gets its first seat before any gets a second.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Class labels.
    random_state : int, RandomState instance or None, default=None
        Same value, same order.

    Returns
    -------
    order : ndarray of shape (n_samples,)
        Indices of the samples; the first n of them are the training set of size n.

    Examples
    --------
    >>> import numpy as np
    >>> from sklcnn.studies.curves import nested_order
    >>> y = np.array(["a", "a", "a", "a", "b", "b"])
    >>> [int(np.sum(y[nested_order(y, 0)[:n]] == "a")) for n in (2, 3, 6)]
    [1, 2, 4]
    """
    rng = check_random_state(random_state)
    _, codes = np.unique(y, return_inverse=True)
    shuffled = rng.permutation(len(codes))
    turn = np.empty(len(codes))  # when a sample enters, as a share of its class
    for code in range(codes.max() + 1):
        members = shuffled[codes[shuffled] == code]
        turn[members] = (np.arange(len(members)) + 0.5) / len(members)
        turn[members[0]] = -1.0
    return shuffled[np.argsort(turn[shuffled], kind="stable")]  # ties: in shuffled order


def log_sizes(smallest, largest, n_sizes=7):
    """Return training sizes that are evenly spaced on a logarithmic axis.

    Parameters
    ----------
    smallest, largest : int
        The ends; both are among the sizes.
    n_sizes : int, default=7
        Number of sizes; fewer where rounding makes two of them equal.

    Returns
    -------
    sizes : tuple of int
        Increasing; the inner ones have two significant digits.

    Examples
    --------
    >>> from sklcnn.studies.curves import log_sizes
    >>> log_sizes(20, 1257, 5)
    (20, 56, 160, 450, 1257)
    """
    inner = {int(float(f"{n:.1e}")) for n in np.geomspace(smallest, largest, n_sizes)[1:-1]}
    return tuple(sorted({smallest, largest} | {n for n in inner if smallest < n < largest}))


@dataclass(frozen=True)
class Factor:
    """How many times more samples it takes to reach the same accuracy without an ingredient."""

    n: int  # samples of the network with the ingredient
    factor: float  # a bound where censored, NaN where neither network learns
    low: float  # 0: no lower bound within the sizes
    high: float  # infinite: no upper bound within the sizes
    censored: str  # "", "more" (than factor), "less" (than factor) or "neither learns"
    effect: str  # "helps", "hurts", "unclear" or "neither learns"


def sample_efficiency(
    sizes,
    scores_with,
    scores_without,
    *,
    floor=0.0,
    tolerance=0.002,
    level=0.95,
    n_bootstrap=2000,
    random_state=0,
):
    """Return, at every size n, how many samples an ingredient is worth.

    The factor at n is n' / n, where the network *without* the ingredient reaches with n' samples
    the mean accuracy that the network *with* it reaches with n. Both curves are made monotone by
    isotonic regression and read between the sizes by linear interpolation of the accuracy over
    log n. Networks that are equally good at n have factor 1, however flat their curves are.

    Parameters
    ----------
    sizes : array-like of shape (n_sizes,)
        Increasing numbers of training samples.
    scores_with, scores_without : array-like of shape (n_sizes, n_repeats)
        Test accuracies of the networks with and without the ingredient; a column is one repeat,
        in which both saw the same samples.
    floor : float, default=0.0
        Accuracy up to which nothing was learned.
    tolerance : float, default=0.002
        Accuracies that differ by no more than this count as equal: a factor is 1 where the two
        networks are, and an accuracy is reached where it is missed by no more.
    level : float, default=0.95
        Coverage of the interval. It is read off a bootstrap over the repeats, with percentiles
        expanded for their small number [1]_, and covers all sizes within the tolerance. One repeat
        gives no interval.
    n_bootstrap : int, default=2000
        Number of bootstrap samples.
    random_state : int, RandomState instance or None, default=0
        Of the bootstrap.

    Returns
    -------
    factors : list of Factor
        One per size, with the fields ``n``, ``factor``, the interval from ``low`` to ``high``,
        ``censored`` where the factor is a bound ("more" or "less"), and ``effect``, in a word.

    Notes
    -----
    The bootstrap knows the spread over training sets and initial weights, not over test sets.

    References
    ----------
    .. [1] T. Hesterberg, "What teachers should know about the bootstrap", The American
       Statistician 69(4), 2015, arXiv:1411.5279, section 3.2.

    Examples
    --------
    >>> import numpy as np
    >>> from sklcnn.studies import sample_efficiency
    >>> sizes = np.array([100, 200, 400, 800, 1600])
    >>> scores = 1 - sizes[:, None] ** -0.5 * np.ones(3)
    >>> factors = sample_efficiency(sizes, 1 - (1 - scores) / 2, scores, tolerance=0.0)
    >>> [round(f.factor, 2) for f in factors], [f.censored for f in factors]
    ([4.0, 4.0, 4.0, 2.0, 1.0], ['', '', '', 'more', 'more'])
    """
    pair = np.asarray(scores_with), np.asarray(scores_without)
    n_repeats = pair[0].shape[1]
    x = np.log(np.asarray(sizes, dtype=float))
    points = _points(x, pair, tolerance)
    drawn = check_random_state(random_state).randint(n_repeats, size=(n_bootstrap, n_repeats))
    low, high = _interval(x, pair, drawn, tolerance, (1 - level) / 2)
    best = np.maximum(*(scores.mean(axis=1) for scores in pair))
    return [
        _factor(int(n), x, i, points[i], low[i], high[i])
        if best[i] > floor
        else Factor(int(n), np.nan, np.nan, np.nan, "neither learns", "neither learns")
        for i, n in enumerate(sizes)
    ]


def _points(x, pair, tolerance):
    """Log n' at every size, for the mean over all repeats."""
    everyone = np.arange(pair[0].shape[1])[np.newaxis]
    exact = np.clip(x, *_reach(x, pair, everyone, 0.0)[0])
    roughly = np.clip(x, *_reach(x, pair, everyone, tolerance)[0])
    return np.where((roughly == x) | np.isinf(exact), roughly, exact)


def _interval(x, pair, drawn, tolerance, tail):
    """Ends of log n' at every size, over bootstrap draws of repeats, (n_draws, n_repeats)."""
    n_repeats = drawn.shape[1]
    if n_repeats == 1:
        return np.full(len(x), -np.inf), np.full(len(x), np.inf)
    # Few repeats make few different draws.
    draws, copies = np.unique(np.sort(drawn, axis=1), axis=0, return_inverse=True)
    bounds = _reach(x, pair, draws, tolerance)[copies]  # (n_draws, 2, n_sizes)
    spread = stats.t.ppf(tail, n_repeats - 1) * np.sqrt(n_repeats / (n_repeats - 1))
    expanded = stats.norm.cdf(spread)
    low = np.quantile(bounds[:, 0], expanded, axis=0, method="lower")
    high = np.quantile(bounds[:, 1], 1 - expanded, axis=0, method="higher")
    return low, high


def _reach(x, pair, draws, tolerance):
    """First and last log n' at every size, for each draw of repeats, (n_draws, 2, n_sizes)."""
    with_, without = (scores[:, draws].mean(axis=2).T for scores in pair)  # (n_draws, n_sizes)
    return np.array(
        [
            _sizes_reaching(x, _monotone(without[i]), _monotone(with_[i]), tolerance)
            for i in range(len(draws))
        ]
    )


def _monotone(curve):
    return isotonic_regression(curve, increasing=True)


def _sizes_reaching(x, curve, targets, tolerance):
    """First and last x at which a rising curve equals each target, to a tolerance.

    Infinite ends where the equality may go on beyond the sizes; both plus infinity where the
    target lies above the curve, both minus infinity where it lies below.
    """
    first = np.array([_crossing(x, curve, t - tolerance, "left") for t in targets])
    last = np.array([_crossing(x, curve, t + tolerance, "right") for t in targets])
    return first, last


def _crossing(x, curve, level, side):
    """Where a rising curve comes to a level ("left") or leaves it ("right")."""
    after = np.searchsorted(curve, level, side=side)
    if after == 0:
        return -np.inf
    if after == len(x):
        return np.inf
    step = (level - curve[after - 1]) / (curve[after] - curve[after - 1])
    return x[after - 1] + step * (x[after] - x[after - 1])


def _factor(n, x, i, point, low, high):
    """Turn sizes on the log axis into a factor; what lies beyond the sizes becomes a bound."""
    censored = "more" if point > x[-1] else "less" if point < x[0] else ""
    effect = "helps" if low > x[i] else "hurts" if high < x[i] else "unclear"
    within = np.clip([point, low, high], x[0], x[-1])
    factor, lowest, highest = np.exp(within - x[i])
    return Factor(
        n=n,
        factor=float(factor),
        low=0.0 if np.isneginf(low) else float(lowest),
        high=np.inf if np.isposinf(high) else float(highest),
        censored=censored,
        effect=effect,
    )
