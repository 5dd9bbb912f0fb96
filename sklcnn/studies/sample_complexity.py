"""How many samples does an estimator need to be nearly as good as possible?"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import ParameterGrid

from sklcnn.datasets import DynamicSignal
from sklcnn.studies.success import find_crossing, success_curve
from sklcnn.studies.trials import Trials, fit_all, make_seeds, search, size_grid
from sklcnn.theory import bayes_squared_risk, oracle_squared_risk
from sklcnn.training.progress import FitProgress

__all__ = ["SampleComplexity", "sample_complexity"]

METRICS = ("squared_risk", "error", "excess_error")
SELECTIONS = ("validation", "test")


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
        search(trials, n_per_octave)
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
    """Return the plan, or raise ValueError for what cannot be asked."""
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
