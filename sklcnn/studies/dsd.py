"""The Dynamic Signal Distribution study: samples needed by CNN, LCN and FCN, and by others."""

import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

from sklcnn.datasets import DynamicSignal
from sklcnn.estimators import dsd_network
from sklcnn.inspection import PopulationRisk, alignment
from sklcnn.plotting import SampleComplexityDisplay
from sklcnn.studies.dsd_report import displays
from sklcnn.studies.sample_complexity import make_plan
from sklcnn.studies.searches import Search, run_searches, search_row
from sklcnn.studies.success import resample_crossings
from sklcnn.studies.trials import Trials, fit_all, make_seeds, size_grid
from sklcnn.theory import sample_complexity_rate
from sklcnn.training.progress import FitProgress

__all__ = ["EXPERIMENTS", "DsdPlan", "DsdStudy", "dsd_study"]

EXPERIMENTS = ("first", "patches", "size")
FAMILIES = ("FCN", "LCN", "CNN")
METRICS = ("squared_risk", "error")
THEOREMS = (("FCN", "lower"), ("LCN", "lower"), ("LCN", "upper"), ("CNN", "upper"))
OTHERS = ("linear", "MLP", "maximum likelihood")
# The published grid; the rates of weights times n_patches for the LCN, 10 / n_patches for the FCN.
WEIGHT_RATES = (1e-1, 1e-2, 1e-3)
BIAS_RATES = (1e-2, 1e-3, 1e-4)
N_RESAMPLES = 2000

LABELS = ("experiment", "estimator", "n_patches", "patch_size", "metric")
FIRST_COLUMNS = [
    "estimator",
    "repeat",
    "n",
    "squared_risk",
    "error",
    "alignment",
    "median_alignment",
    "threshold",
]
TABLE_COLUMNS = [
    *LABELS,
    "n_samples",
    "low",
    "high",
    "censored",
    "target",
    "optimum",
    "selection",
    "n_max",
    "repeats",
    "n_fits",
]
EXPONENT_COLUMNS = [
    "experiment",
    "estimator",
    "metric",
    "exponent",
    "low",
    "high",
    "lower_bound",
    "upper_bound",
]
RATIO_COLUMNS = ["experiment", "n_patches", "patch_size", "metric", "ratio", "low", "high"]


@dataclass(frozen=True)
class DsdPlan:
    """What the study does; the defaults are the paper's protocol.

    Parameters
    ----------
    experiments : tuple of {"first", "patches", "size"}
        (i) all families at one size and n; (ii) over n_patches; (iii) over patch_size.
    n_patches, patch_size : int
        Of the first experiment; the second is at this patch_size.
    sweep_patches, sweep_sizes : tuple of int
        Number of patches in the second experiment, sizes of a patch in the third.
    fixed_patches : int
        Number of patches in the third experiment.
    noise : float
        Standard deviation of the noise per feature.
    tolerance : float
        Distance of the target from the optimum.
    repeats : int
        Signals and samples.
    n_first : int
        Samples in the first experiment.
    n_min, n_max : int
        Range of n of the searches; those of the FCN go on to twice as many.
    n_per_octave : int
        Sizes per doubling of n.
    metrics : tuple of {"squared_risk", "error"}
        Targets of the searches: the paper's, for CNN and LCN, and the zero-one error, for all
        estimators over n_patches (with the squared risk of the FCN at the smallest of them).
    others : tuple of {"linear", "MLP", "maximum likelihood"}
        Baselines.
    selection : {"test", "validation"}
        What chooses learning rates; the paper: the test metric.
    random_state : int
        Seed of everything.

    Examples
    --------
    >>> from sklcnn.studies import DsdPlan
    >>> DsdPlan().sweep_patches
    (10, 15, 20, 25, 30)
    """

    experiments: tuple[str, ...] = EXPERIMENTS
    n_patches: int = 10
    patch_size: int = 20
    sweep_patches: tuple[int, ...] = (10, 15, 20, 25, 30)
    sweep_sizes: tuple[int, ...] = (10, 15, 20, 25, 30)
    fixed_patches: int = 20
    noise: float = 0.1
    tolerance: float = 0.03
    repeats: int = 5
    n_first: int = 1000
    n_min: int = 4
    n_max: int = 1000
    n_per_octave: int = 4
    metrics: tuple[str, ...] = METRICS
    others: tuple[str, ...] = OTHERS
    selection: str = "test"
    random_state: int = 0

    @classmethod
    def quick(cls, **changes):
        """Return the study in small: to see that it runs, not to measure."""
        small = {
            "n_patches": 5,
            "patch_size": 10,
            "sweep_patches": (8, 12),
            "sweep_sizes": (5, 10),
            "fixed_patches": 5,
            "repeats": 3,
            "n_first": 200,
            "n_max": 200,
            "n_per_octave": 2,
            "others": ("linear", "maximum likelihood"),
        }
        return cls(**(small | changes))


@dataclass(frozen=True, eq=False)
class DsdStudy:
    """What the study found; :func:`sklcnn.studies.dsd_study` makes it.

    Parameters
    ----------
    plan : DsdPlan
        What was done.
    first : pandas.DataFrame
        One row per estimator and repeat of the first experiment: ``squared_risk``, ``error`` and,
        of networks, ``alignment`` (the best absolute cosine) and ``threshold``.
    table : pandas.DataFrame
        One row per search: samples needed, interval, target.
    exponents : pandas.DataFrame
        Log-log slopes with intervals beside those of the theorems' lower and upper bounds at the
        same sizes.
    ratios : pandas.DataFrame
        Samples that the LCN needs for every one of the CNN, with intervals.
    trials : pandas.DataFrame
        One row per search, repeat and n.

    Examples
    --------
    >>> from sklcnn.studies import DsdPlan, dsd_study
    >>> plan = DsdPlan.quick(experiments=("first",), others=(), n_first=50, repeats=2)
    >>> sorted(set(dsd_study(plan).first.estimator))
    ['CNN', 'FCN', 'LCN']
    """

    plan: DsdPlan
    first: pd.DataFrame = field(repr=False)
    table: pd.DataFrame = field(repr=False)
    exponents: pd.DataFrame = field(repr=False)
    ratios: pd.DataFrame = field(repr=False)
    trials: pd.DataFrame = field(repr=False)

    def plot(self, axes: Sequence | None = None) -> list[SampleComplexityDisplay]:
        """Draw the samples needed, one picture for each experiment and metric.

        Parameters
        ----------
        axes : sequence of matplotlib.axes.Axes or None, default=None
            Where to draw, as many as there are pictures; None makes a figure for each.

        Returns
        -------
        displays : list of SampleComplexityDisplay
            The pictures, none without searches.
        """
        drawn = displays(self)
        places = [None] * len(drawn) if axes is None else axes
        return [display.plot(ax) for display, ax in zip(drawn, places, strict=True)]


def dsd_study(
    plan: DsdPlan | None = None, *, n_jobs: int | None = None, verbose: bool = False
) -> DsdStudy:
    """Measure how many samples CNN, LCN, FCN and others need on the Dynamic Signal Distribution.

    CNN and LCN are searched on the population squared risk, with the paper's grid of rates, target
    (optimum plus 0.03) and sizes. The FCN stalls there at the risk of the best linear rule; on the
    zero-one error all estimators are searched.

    Parameters
    ----------
    plan : DsdPlan or None, default=None
        What to do; None is the paper's protocol.
    n_jobs : int or None, default=None
        Searches side by side, in processes of one core each, in joblib's sense.
    verbose : bool, default=False
        Whether to show a progress bar on standard error.

    Returns
    -------
    study : DsdStudy
        Tables of what was found.

    Raises
    ------
    ValueError
        If an experiment or a baseline is unknown, or a size makes no sense.

    References
    ----------
    .. [1] Lahoti, Karp, Winston, Singh, Li, "Role of Locality and Weight Sharing in Image-Based
       Tasks", ICLR 2024, arXiv:2403.15707: protocol, networks and rates.

    Examples
    --------
    >>> from sklcnn.studies import DsdPlan, dsd_study
    >>> plan = DsdPlan.quick(experiments=("patches",), sweep_patches=(4,), others=(), repeats=2)
    >>> list(dsd_study(plan).ratios.columns)[:3]
    ['experiment', 'n_patches', 'patch_size']
    """
    plan = plan or DsdPlan()
    check_plan(plan)
    searches = {_what(labels): _search(plan, labels) for labels in _labels(plan)}
    work = sum(search.cost for search in searches.values())
    with FitProgress(work, enabled=verbose, counted=False) as progress:
        progress.stage("all estimators at one n")
        first = _first(plan)
        progress.stage("samples needed")
        pairs = run_searches(list(searches.values()), progress, n_jobs)
        found = {_what(search.labels): one for search, one in pairs}
    rows = [(labels, found[_what(labels)]) for labels in sorted(_labels(plan), key=_rank)]
    draws = {
        tuple(labels.values()): _draws(one, _what(labels))
        for labels, one in rows
        if not one.censored
    }
    trials = [one.results.assign(**labels) for labels, one in rows]
    return DsdStudy(
        plan=plan,
        first=first,
        table=pd.DataFrame([search_row(*row) for row in rows], columns=TABLE_COLUMNS),
        exponents=pd.DataFrame(_exponents(draws, plan), columns=EXPONENT_COLUMNS),
        ratios=pd.DataFrame(_ratios(draws), columns=RATIO_COLUMNS),
        trials=pd.concat(trials, ignore_index=True) if trials else pd.DataFrame(columns=LABELS),
    )


def check_plan(plan):
    """Raise ValueError for a plan that cannot be carried out, naming what is wrong."""
    for name, known in (
        ("experiments", EXPERIMENTS),
        ("metrics", METRICS),
        ("others", OTHERS),
    ):
        unknown = [value for value in getattr(plan, name) if value not in known]
        if unknown:
            raise ValueError(f"{name} holds {unknown}: it may hold {', '.join(known)}.")
    for name in ("sweep_patches", "sweep_sizes"):
        sizes = getattr(plan, name)
        if not sizes or len(set(sizes)) < len(sizes):
            raise ValueError(f"{name}={sizes} must hold at least one size, each once.")
    if plan.n_first < 2:
        raise ValueError(f"n_first={plan.n_first} must be at least 2.")
    size_grid(plan.n_min, plan.n_max, plan.n_per_octave)
    make_seeds(plan.random_state, plan.repeats)
    for _, n_patches, patch_size in [("", plan.n_patches, plan.patch_size), *_sweeps(plan)]:
        law = DynamicSignal(n_patches, patch_size, plan.noise)
        make_plan(law, law, None, "error", plan.tolerance, None, plan.selection)


# the searches


def _sweeps(plan):
    """Return (experiment, n_patches, patch_size) of every point; one in both counts in both."""
    sweeps = {
        "patches": [(k, plan.patch_size) for k in plan.sweep_patches],
        "size": [(plan.fixed_patches, d) for d in plan.sweep_sizes],
    }
    return [(name, *point) for name in sweeps if name in plan.experiments for point in sweeps[name]]


def _labels(plan):
    """Name every search of the second and third experiment."""
    return [
        dict(zip(LABELS, (experiment, name, n_patches, patch_size, metric), strict=True))
        for experiment, n_patches, patch_size in _sweeps(plan)
        for name, metric in _wanted(plan, experiment, n_patches)
    ]


def _what(labels):
    """Return the labels but for the experiment: a search that is in both is done once."""
    return tuple(labels.values())[1:]


def _wanted(plan, experiment, n_patches):
    """Return (estimator, metric) of the searches at a point of a sweep."""
    wanted = []
    if "squared_risk" in plan.metrics:
        wanted += [("CNN", "squared_risk"), ("LCN", "squared_risk")]
    if "error" in plan.metrics and experiment == "patches":
        wanted += [(name, "error") for name in (*FAMILIES[::-1], *plan.others)]
        if n_patches == min(plan.sweep_patches):
            wanted.append(("FCN", "squared_risk"))  # one that stalls shows as much as five
    return wanted


def _search(plan, labels):
    name, n_patches, patch_size = (labels[key] for key in LABELS[1:4])
    options = {
        "metric": labels["metric"],
        "tolerance": plan.tolerance,
        "param_grid": _grid(name, n_patches),
        "selection": plan.selection,
        "n_min": plan.n_min,
        "n_max": plan.n_max * (2 if name == "FCN" else 1),
        "n_per_octave": plan.n_per_octave,
        "repeats": plan.repeats,
        "random_state": plan.random_state,
    }
    law = DynamicSignal(n_patches, patch_size, plan.noise)
    estimator = _estimator(name, law)
    return Search(labels, estimator, law, options, cost=_cost(name, n_patches, patch_size))


def _estimator(name, law):
    if name in FAMILIES:
        return dsd_network(name.lower(), law.n_patches, law.patch_size)
    if name == "linear":
        return LogisticRegression(fit_intercept=False, max_iter=1000)
    if name == "MLP":
        return MLPClassifier(max_iter=100)
    return law


def _grid(name, n_patches):
    """Return the candidates of an estimator."""
    factors = {"CNN": 1.0, "LCN": n_patches, "FCN": 10 / n_patches}
    if name in factors:
        rates = [rate * factors[name] for rate in WEIGHT_RATES]
        bias_rates = BIAS_RATES[1:2] if name == "FCN" else BIAS_RATES
        return {"learning_rate_init": rates, "solver__bias_learning_rate": bias_rates}
    return {"C": [0.001, 0.01, 0.1, 1.0]} if name == "linear" else None


def _cost(name, n_patches, patch_size):
    """Expected seconds on one core, to order searches and to tell the time left."""
    size = n_patches * patch_size / 400
    return {
        "CNN": 3 + 2 * size,
        "LCN": 16 * size**1.5,
        "FCN": 14 * size**1.5,
        "linear": 3 * size,
        "MLP": 30 * size**0.5,
        "maximum likelihood": 2 * size,
    }[name]


# the first experiment


def _first(plan):
    """All estimators at one size and n: risk, error and alignment, one row per repeat."""
    if "first" not in plan.experiments:
        return pd.DataFrame(columns=FIRST_COLUMNS)
    law = DynamicSignal(plan.n_patches, plan.patch_size, plan.noise)
    quiet = partial(fit_all, progress=FitProgress(0, enabled=False), n_jobs=None, fleet=True)
    rows = []
    for name in (*FAMILIES, *plan.others):
        estimator, grid = _estimator(name, law), _grid(name, plan.n_patches)
        trials = Trials(
            make_plan(estimator, law, np.inf, "squared_risk", 0.0, grid, plan.selection),
            np.array([plan.n_first]),
            held_out=0.2 if plan.selection == "validation" else 0.0,
            seeds=make_seeds(plan.random_state, plan.repeats),
            n_test=20_000,
            fit_all=quiet,
            watch=_watch,
        )
        trials.run([0])
        rows += [{"estimator": name, "squared_risk": row.pop("risk")} | row for row in trials.rows]
    return pd.DataFrame(rows, columns=FIRST_COLUMNS)


def _watch(fit, law):
    """Return what else is of interest in a fitted estimator."""
    row = {"error": PopulationRisk(law, "error")([fit])[0]}
    if hasattr(fit, "module_"):
        cosines = np.abs(alignment(fit, law))
        row |= {"alignment": cosines.max(), "threshold": fit.module_.threshold.item()}
        row["median_alignment"] = np.median(cosines.max(axis=-1))
    return row


# what they say


def _rank(labels):
    """Order rows by experiment, metric, size and estimator."""
    experiment, name, n_patches, patch_size, metric = labels.values()
    names = (*FAMILIES[::-1], *OTHERS)
    by_metric = metric != "squared_risk"
    return EXPERIMENTS.index(experiment), by_metric, names.index(name), n_patches, patch_size


def _draws(found, key):
    """Return n at one half and its bootstrap draws, (1 + n_resamples,), by a seed of its own."""
    seed = zlib.crc32(repr(key).encode())
    return np.array([found.n_samples, *resample_crossings(*found.trials, N_RESAMPLES, seed)])


def _interval(draws):
    """Return the estimate and the ends of the 95 % interval of its draws."""
    known = draws[1:][~np.isnan(draws[1:])]
    low, high = np.quantile(known, [0.025, 0.975], method="inverted_cdf")
    return float(draws[0]), float(low), float(high)


def _exponents(draws, plan):
    """Log-log slopes of curves of which every point was found, with those of the rates."""
    n_points = Counter(experiment for experiment, *_ in _sweeps(plan))
    curves = {}
    for (experiment, name, *point, metric), values in draws.items():
        curves.setdefault((experiment, name, metric), {})[tuple(point)] = values
    rows = []
    for (experiment, name, metric), curve in curves.items():
        points, values = np.array(list(curve)), np.array(list(curve.values()))
        if len(points) < max(2, n_points[experiment]):
            continue
        along = points[:, 0 if experiment == "patches" else 1]
        slopes = _slope(along, values)  # (1 + n_resamples,)
        theory = [
            _slope(along, np.array([_rate(name, *point, plan.noise, bound) for point in curve]))
            for bound in ("lower", "upper")
        ]
        rows.append((experiment, name, metric, *_interval(slopes), *theory))
    return rows


def _slope(sizes, needed):
    """Return least-squares slopes of log needed, (n_sizes, ...), on log sizes."""
    x = np.log(sizes) - np.log(sizes).mean()
    with np.errstate(invalid="ignore"):
        return x @ np.log(needed) / (x @ x)  # infinite or NaN where a draw has no end


def _rate(name, n_patches, patch_size, noise, bound):
    """Return the rate of the theorem about a family, NaN if there is none."""
    if (name, bound) not in THEOREMS:
        return np.nan
    return sample_complexity_rate(name.lower(), n_patches, patch_size, noise, bound)


def _ratios(draws):
    """Samples of the LCN for every one of the CNN."""
    rows = []
    for (experiment, name, *point, metric), values in draws.items():
        partner = draws.get((experiment, "CNN", *point, metric))
        if name == "LCN" and partner is not None:
            with np.errstate(invalid="ignore"):
                ratio = values / partner  # not paired: wide if the two vary together
            rows.append((experiment, *point, metric, *_interval(ratio)))
    return rows
