"""Trials: which repeats reach a target at which n, and the search that chooses every n."""

from contextlib import nullcontext
from numbers import Integral

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import clone

from sklcnn.inspection import PopulationRisk
from sklcnn.inspection.risks import empirical_risk
from sklcnn.training import fleet as sklcnn_fleet

__all__ = ["Trials", "fit_all", "make_seeds", "search", "size_grid"]

FIRST_OCTAVES = 3  # of sizes that are tried together at the start


def size_grid(n_min, n_max, n_per_octave):
    """Return whole numbers on a logarithmic grid with both ends, (n_sizes,)."""
    for name, value in (("n_min", n_min), ("n_max", n_max), ("n_per_octave", n_per_octave)):
        _check_whole(name, value)
    if not 2 <= n_min <= n_max:
        raise ValueError(f"n_min={n_min} must be at least 2 and at most n_max={n_max}.")
    if n_per_octave < 1:
        raise ValueError(f"n_per_octave={n_per_octave} must be at least 1.")
    steps = np.arange(int(np.log2(n_max / n_min) * n_per_octave) + 1)
    return np.unique([*np.rint(n_min * 2 ** (steps / n_per_octave)), n_max]).astype(int)


def _check_whole(name, value):
    if not isinstance(value, Integral):
        raise ValueError(f"{name}={value!r} must be a whole number.")


def make_seeds(random_state, repeats):
    """Return independent seeds for law, sample, test sample and fits of every repeat."""
    _check_whole("repeats", repeats)
    _check_whole("random_state", random_state)
    if repeats < 1:
        raise ValueError(f"repeats={repeats} must be at least 1.")
    if random_state < 0:
        raise ValueError(f"random_state={random_state} must not be negative.")
    sequences = np.random.SeedSequence(random_state).spawn(repeats)
    return [[int(seed) for seed in sequence.generate_state(4) >> 1] for sequence in sequences]


def search(trials, n_per_octave):
    """Try octaves upwards until one is enough; then fill the region of doubt.

    There, only candidates are tried that were chosen at the sizes around.
    """
    last = len(trials.sizes) - 1
    octaves = sorted({*range(0, last + 1, n_per_octave), last})
    done = min(FIRST_OCTAVES, len(octaves))
    trials.run(octaves[:done])
    while done < len(octaves) and not _is_enough(trials, octaves[done - 1]):
        trials.run([octaves[done]])
        done += 1
    tried = sorted(trials.successes)
    shares = [trials.share(index) for index in tried]
    n_hopeless = next((place for place, share in enumerate(shares) if share > 0), len(tried))
    n_doubtful = max((place + 1 for place, share in enumerate(shares) if share < 1), default=0)
    begin, end = tried[max(n_hopeless - 1, 0)], tried[min(n_doubtful, len(tried) - 1)]
    between = [index for index in range(begin, end) if index not in trials.successes]
    if between:
        around = [trials.chosen[index] for index in tried if begin <= index <= end]
        trials.run(between, set().union(*around))


def _is_enough(trials, index):
    """Whether all repeats succeed at a size, and again at the next one of the grid."""
    if trials.share(index) < 1 or index + 1 == len(trials.sizes):
        return False
    if index + 1 not in trials.successes:
        trials.run([index + 1], trials.chosen[index])
    return trials.share(index + 1) == 1


class Trials:
    """Fits of all candidates in all repeats at some sizes, and what came of them.

    Parameters
    ----------
    plan : Plan
        What is asked for.
    sizes : ndarray of int of shape (n_sizes,)
        The grid of n.
    held_out : float
        Share of n that chooses between candidates; 0 lets the metric itself choose.
    seeds : list of lists of int
        Of law, sample, test sample and fits, for every repeat.
    n_test : int
        Test samples.
    fit_all : callable
        Takes triples of estimator, X and y and returns each estimator fitted, or its exception.
    watch : callable or None, default=None
        Takes a chosen estimator and its law and returns more columns for its row, as a dict.
    """

    def __init__(self, plan, sizes, held_out, seeds, n_test, fit_all, watch=None):
        self.plan, self.sizes, self.fit_all, self.watch = plan, sizes, fit_all, watch
        self.held_out = held_out if len(plan.grid) > 1 else 0.0
        candidates = [clone(plan.estimator).set_params(**parameters) for parameters in plan.grid]
        self.candidates = [[_seeded(one, seed) for one in candidates] for *_, seed in seeds]
        laws = [_seeded(plan.law, seed) for seed, _, _, _ in seeds]
        kind = "error" if plan.metric == "excess_error" else plan.metric
        self.risks = [
            PopulationRisk(law, kind, n_test, seed)
            for law, (_, _, seed, _) in zip(laws, seeds, strict=True)
        ]
        self.samples = [
            law.sample(int(sizes[-1]), random_state=seed)
            for law, (_, seed, _, _) in zip(laws, seeds, strict=True)
        ]
        self.excess = _bayes_error_of(laws[0]) if plan.metric == "excess_error" else 0.0
        self.successes = {}  # (n_repeats,) of each place in the grid that was tried
        self.chosen = {}  # the set of candidates that were chosen there
        self.rows, self.n_fits = [], 0
        self.error, self.n_scored = None, 0  # the first of what failed; number of what did not

    def share(self, index):
        """Return the share of successes at a size."""
        return np.mean(self.successes[index])

    def table(self):
        """Return the sizes tried, in order, and successes (n_repeats, n_sizes)."""
        order = sorted(self.successes)
        return self.sizes[order], np.array([self.successes[index] for index in order]).T

    def run(self, indices, candidates=None):
        """Try sizes, given by their places in the grid, with some or all of the candidates."""
        candidates = range(len(self.plan.grid)) if candidates is None else sorted(candidates)
        cells = [(repeat, int(self.sizes[i])) for i in indices for repeat in range(len(self.risks))]
        held_out = [max(1, round(self.held_out * n)) if self.held_out else 0 for _, n in cells]
        fits = self._fit(
            [
                (repeat, n - held, candidate)
                for (repeat, n), held in zip(cells, held_out, strict=True)
                for candidate in candidates
            ]
        )
        rows = [fits[i : i + len(candidates)] for i in range(0, len(fits), len(candidates))]
        seconds = [sum(getattr(fit, "fit_seconds_", np.nan) for fit in row) for row in rows]
        if self.held_out:
            chosen = [
                candidates[np.argmin([self._validate(fit, repeat, n - held, n) for fit in row])]
                for (repeat, n), held, row in zip(cells, held_out, rows, strict=True)
            ]
            last = self._fit([(*cell, best) for cell, best in zip(cells, chosen, strict=True)])
            risks = [self._risk(fit, repeat) for fit, (repeat, _) in zip(last, cells, strict=True)]
        else:
            scores = [
                [self._risk(fit, repeat) for fit in row]
                for row, (repeat, _) in zip(rows, cells, strict=True)
            ]
            best, risks = np.argmin(scores, axis=1), np.min(scores, axis=1)
            last = [row[place] for row, place in zip(rows, best, strict=True)]
            chosen = [candidates[place] for place in best]
        if not self.n_scored:
            raise self.error
        success = np.asarray(risks) <= self.plan.target
        for index, row in zip(indices, success.reshape(len(indices), -1), strict=True):
            self.successes[index] = row
        repeats = len(self.risks)
        for place, index in enumerate(indices):
            self.chosen[index] = set(chosen[place * repeats : (place + 1) * repeats])
        for row in zip(cells, last, chosen, risks, success, seconds, strict=True):
            self._record(*row)

    def _fit(self, keys):
        """Fit candidates to the first samples of repeats; keys are (repeat, n, candidate)."""
        tasks = []
        for repeat, n, candidate in keys:
            X, y = self.samples[repeat]
            tasks.append((clone(self.candidates[repeat][candidate]), X[:n], y[:n]))
        fits = self.fit_all(tasks)
        self.n_fits += len(fits)
        failed = [fit for fit in fits if isinstance(fit, Exception)]
        self.error = self.error or next(iter(failed), None)
        return fits

    def _validate(self, fit, repeat, begin, end):
        """Return the metric on held-out samples, infinity for a fit that failed."""
        X, y = (part[begin:end] for part in self.samples[repeat])
        return self._score(fit, lambda: empirical_risk(fit, X, y, self.risks[repeat].metric))

    def _risk(self, fit, repeat):
        """Return the metric of the population, infinity for a fit that failed."""
        return self._score(fit, lambda: self.risks[repeat]([fit])[0] - self.excess)

    def _score(self, fit, measure):
        """Return a risk; infinity for what failed or diverged, lest NaN win a comparison."""
        if isinstance(fit, Exception):
            return np.inf
        try:
            risk = measure()
        except ValueError as error:  # of neighbors that are more than samples, for example
            self.error = self.error or error
            return np.inf
        self.n_scored += 1
        return np.inf if np.isnan(risk) else float(risk)

    def _record(self, cell, fit, chosen, risk, success, seconds):
        """Keep one trial."""
        repeat, n = cell
        row = {"n": n, "repeat": repeat, "risk": risk, "success": bool(success)}
        row |= {"seconds": seconds} | self.plan.grid[chosen]
        if self.watch is not None and not isinstance(fit, Exception):
            row |= self.watch(fit, self.risks[repeat].law)
        self.rows.append(row)


def _bayes_error_of(law):
    """Return the Bayes error of a law, or say that it has none."""
    if not hasattr(law, "bayes_error"):
        raise ValueError(f"metric='excess_error' needs a law with bayes_error, but law={law!r}.")
    return law.bayes_error()


def _seeded(estimator, seed):
    """Return a clone that draws what it has to from a seed, unless it has one."""
    twin = clone(estimator)
    if "random_state" in twin.get_params() and twin.random_state is None:
        twin.set_params(random_state=seed)
    return twin


def fit_all(tasks, progress, n_jobs, fleet):
    """Return estimators fitted to their samples, in a fleet or one by one, or what they raised."""
    progress.expect(len(tasks))
    progress.stage("sample complexity")
    context = sklcnn_fleet(n_jobs=n_jobs) if fleet else nullcontext()
    fits = []
    with context:
        parallel = Parallel(n_jobs=None if fleet else n_jobs, return_as="generator")
        for fit in parallel(delayed(_fit_or_fail)(*task) for task in tasks):
            progress.advance()
            fits.append(fit)
    return fits


def _fit_or_fail(estimator, X, y):
    try:
        return estimator.fit(X, y)
    except ValueError as error:  # of one class only, or divergence: this fit does not succeed
        return error
