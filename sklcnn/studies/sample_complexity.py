"""How many samples does an estimator need to be nearly as good as possible?"""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from functools import partial
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.model_selection import ParameterGrid

from sklcnn.datasets import DynamicSignal
from sklcnn.inspection import PopulationRisk
from sklcnn.inspection.risks import empirical_risk
from sklcnn.studies.success import find_crossing, success_curve
from sklcnn.theory import bayes_squared_risk, oracle_squared_risk
from sklcnn.training import fleet as sklcnn_fleet
from sklcnn.training.progress import FitProgress

__all__ = ["SampleComplexity", "sample_complexity"]

METRICS = ("squared_risk", "error", "excess_error")
SELECTIONS = ("validation", "test")
FIRST_OCTAVES = 3  # of sizes that are tried together at the start


@dataclass(frozen=True, eq=False)
class SampleComplexity:
    """How many samples an estimator needs; :func:`sklcnn.sample_complexity` makes it.

    Parameters
    ----------
    n_samples : float
        Samples at which the target is reached in half of all cases; infinite if those tried were
        not enough.
    low, high : float
        Ends of the bootstrap interval; ``high`` is infinite where it is open.
    censored : {"", "above", "below"}
        Whether the true number is above the largest, or not above the smallest, n tried.
    target : float
        What had to be reached.
    optimum : float
        What the best rule reaches, NaN if that is not known.
    metric : str
        Of the target.
    selection : str
        What chose between the candidates of a grid.
    curve : pandas.DataFrame
        Columns ``n``, ``share`` of successes and the fitted ``probability``.
    results : pandas.DataFrame
        One row per repeat and n: ``risk`` of the chosen candidate, ``success``, its parameters,
        ``seconds`` of training of all candidates.
    settings : dict
        How it was found.

    Examples
    --------
    >>> import sklcnn
    >>> from sklcnn.datasets import DynamicSignal
    >>> law = DynamicSignal(n_patches=5, patch_size=4, noise=0.1)
    >>> found = sklcnn.sample_complexity(law, law, metric="error", n_max=64, repeats=2)
    >>> list(found.curve.columns)
    ['n', 'share', 'probability']
    """

    n_samples: float
    low: float
    high: float
    censored: str
    target: float
    optimum: float
    metric: str
    selection: str
    curve: pd.DataFrame = field(repr=False)
    results: pd.DataFrame = field(repr=False)
    settings: dict = field(repr=False)

    @property
    def trials(self) -> tuple[NDArray, NDArray]:
        """Sizes (n_sizes,) and whether each repeat succeeded, (n_repeats, n_sizes)."""
        table = self.results.pivot(index="repeat", columns="n", values="success")
        return table.columns.to_numpy(), table.to_numpy(dtype=bool)

    def __str__(self):
        bound = {"": "", "above": "more than ", "below": "at most "}[self.censored]
        sizes = self.curve["n"]
        number = {"": self.n_samples, "above": sizes.max(), "below": sizes.min()}[self.censored]
        chosen = " chosen on the test metric" if self.selection == "test" else ""
        return (
            f"{bound}{number:,.0f} samples [{self.low:,.0f}, {self.high:,.0f}] for {self.metric} "
            f"<= {self.target:.3g} (best {self.optimum:.3g}){chosen}"
        )


def sample_complexity(
    estimator: Any,
    law: Any,
    target: float | None = None,
    *,
    metric: str = "error",
    tolerance: float = 0.03,
    param_grid: Mapping | Sequence[Mapping] | None = None,
    selection: str = "validation",
    validation_fraction: float = 0.2,
    n_min: int = 8,
    n_max: int = 1000,
    n_per_octave: int = 4,
    repeats: int = 5,
    confidence: float = 0.95,
    n_test: int = 20_000,
    random_state: int = 0,
    n_jobs: int | None = None,
    fleet: bool = True,
    verbose: bool = False,
) -> SampleComplexity:
    """Find the least number of samples with which a trained estimator reaches a target.

    Every repeat draws a law of its own (a fresh signal, unless the law was given one) and trains on
    the first n of one sample. Success at one n does not imply success at a larger one, so sizes on
    a logarithmic grid are tried in all repeats, an increasing curve of the probability of success
    is fitted, and n at one half is reported with a bootstrap interval. Octaves are tried upwards
    until all repeats succeed at one, and at the next size of the grid; the region between the last
    n without success and the first with success only is then filled, with those candidates that
    were chosen around it.

    Parameters
    ----------
    estimator : estimator
        A network of this package or any other classifier or regressor with labels -1 and +1, or
        the law itself, which learns by maximum likelihood.
    law : law of sklcnn.datasets
        Draws the samples.
    target : float or None, default=None
        Value of the metric to be reached; None is the best possible one plus ``tolerance``.
    metric : {"error", "squared_risk", "excess_error"}, default="error"
        Of the population, see :func:`sklcnn.inspection.population_risk`; "excess_error" is the
        error less that of the Bayes rule.
    tolerance : float, default=0.03
        Distance of the target from the optimum: the Bayes error; for the squared risk of a network
        of soft thresholds the risk of the best such network, of other estimators that of the best
        regression.
    param_grid : dict, list of dicts or None, default=None
        Candidates, as in :class:`~sklearn.model_selection.GridSearchCV`. None is the estimator.
    selection : {"validation", "test"}, default="validation"
        What chooses a candidate: the last ``validation_fraction`` of the n samples, after which the
        chosen one is trained on all n; or the metric itself, as in the paper, which is optimistic.
    validation_fraction : float, default=0.2
        Of the samples.
    n_min, n_max : int, default=8 and 1000
        Range of the search.
    n_per_octave : int, default=4
        Sizes per doubling of n where the search is fine.
    repeats : int, default=5
        Laws and samples.
    confidence : float, default=0.95
        Of the interval.
    n_test : int, default=20_000
        Test samples where the metric has no closed form.
    random_state : int, default=0
        Seed of everything.
    n_jobs : int or None, default=None
        Stacks, or without the fleet fits, that train side by side, in joblib's sense.
    fleet : bool, default=True
        Whether fits train in stacks.
    verbose : bool, default=False
        Whether to show a progress bar on standard error.

    Returns
    -------
    found : SampleComplexity
        The number, its interval, the curve of success and every trial.

    Raises
    ------
    ValueError
        If the target is below the optimum, sizes or repeats make no sense, a name is unknown, the
        estimator lacks a method that the metric needs, or every fit or prediction fails.

    References
    ----------
    .. [1] Lahoti, Karp, Winston, Singh, Li, "Role of Locality and Weight Sharing in Image-Based
       Tasks", ICLR 2024, arXiv:2403.15707: samples needed for the optimal loss plus 0.03. The
       curve of success and its interval are ours.

    Examples
    --------
    >>> import sklcnn
    >>> from sklcnn.datasets import DynamicSignal
    >>> law = DynamicSignal(n_patches=5, patch_size=4, noise=0.1)
    >>> network = sklcnn.dsd_network("cnn", 5, 4)
    >>> found = sklcnn.sample_complexity(network, law, metric="squared_risk", repeats=2, n_max=64)
    >>> found.censored in ("", "below")
    True
    """
    plan = make_plan(estimator, law, target, metric, tolerance, param_grid, selection)
    if not 0 < validation_fraction < 1:
        raise ValueError(f"validation_fraction={validation_fraction} must lie between 0 and 1.")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence={confidence} must lie between 0 and 1.")
    sizes = size_grid(n_min, n_max, n_per_octave)
    with FitProgress(0, enabled=verbose) as progress:
        trials = Trials(
            plan,
            sizes,
            held_out=validation_fraction if selection == "validation" else 0.0,
            seeds=make_seeds(random_state, repeats),
            n_test=n_test,
            fit_all=partial(fit_all, progress=progress, n_jobs=n_jobs, fleet=fleet),
        )
        _search(trials, n_per_octave)
    sizes, successes = trials.table()
    crossing = find_crossing(sizes, successes, confidence=confidence, random_state=random_state)
    curve = {
        "n": sizes,
        "share": successes.mean(axis=0),
        "probability": success_curve(successes),
    }
    return SampleComplexity(
        **asdict(crossing),
        target=plan.target,
        optimum=plan.optimum,
        metric=metric,
        selection=selection,
        curve=pd.DataFrame(curve),
        results=pd.DataFrame(trials.rows).sort_values(["n", "repeat"], ignore_index=True),
        settings={
            "repeats": repeats,
            "n_candidates": len(plan.grid),
            "n_fits": trials.n_fits,
            "confidence": confidence,
            "random_state": random_state,
        },
    )


# what is asked for


@dataclass(frozen=True)
class Plan:
    """What is asked for, checked."""

    estimator: Any
    law: Any
    grid: list[dict]
    metric: str
    target: float
    optimum: float


def make_plan(estimator, law, target, metric, tolerance, param_grid, selection):
    if metric not in METRICS:
        raise ValueError(f"metric={metric!r} must be one of {METRICS}.")
    if selection not in SELECTIONS:
        raise ValueError(f"selection={selection!r} must be one of {SELECTIONS}.")
    if not hasattr(law, "sample"):
        raise ValueError(f"law={law!r} must draw samples, as those of sklcnn.datasets do.")
    optimum = _optimum(estimator, law, metric)
    if target is None:
        if np.isnan(optimum):
            raise ValueError(
                f"target=None needs the best {metric} of the law, which is not known for {law!r}; "
                "give a number."
            )
        if not tolerance > 0:
            raise ValueError(f"tolerance={tolerance} must be positive: no target is the optimum.")
        target = optimum + tolerance
    if not target > optimum and not np.isnan(optimum):
        raise ValueError(
            f"target={target} is out of reach: the optimum is {optimum:.4g}; it must be larger."
        )
    grid = list(ParameterGrid(param_grid)) if param_grid is not None else [{}]
    return Plan(estimator, law, grid, metric, float(target), optimum)


def _optimum(estimator, law, metric):
    """Return the best possible value of the metric, NaN if it is not known."""
    if metric == "excess_error":
        return 0.0
    if metric == "error":
        return law.bayes_error() if hasattr(law, "bayes_error") else np.nan
    if not (isinstance(law, DynamicSignal) and law.is_dsd):
        return np.nan
    noise = law.noise / np.linalg.norm(law.true_signal)
    if getattr(estimator, "activation", None) == "soft_threshold":
        return float(oracle_squared_risk(law.n_patches, noise))
    return float(bayes_squared_risk(law.n_patches, noise))


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


# what is done


def _search(trials, n_per_octave):
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
        except ValueError as error:  # of neighbours that are more than samples, for example
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
