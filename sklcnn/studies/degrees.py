"""The plane between FCN, LCN and CNN: how much locality, how much weight sharing, and what for?"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.random import RandomState
from numpy.typing import ArrayLike

from sklcnn.plotting import DegreesDisplay
from sklcnn.studies.checkpoints import stream_remembered
from sklcnn.studies.curves import sample_efficiency
from sklcnn.studies.degrees_plan import LEARNING_RATES, make_degrees_plan
from sklcnn.studies.fits import stream_fits
from sklcnn.studies.intervals import t_interval
from sklcnn.training.progress import FitProgress

__all__ = ["EFFECTS", "DegreesOfSharing", "carry_out", "degrees_of_sharing"]

# What is compared at every patch size: with the ingredient, and without it.
EFFECTS = {
    "locality, nothing shared": ("LCN", "FCN"),
    "locality, all shared": ("CNN", "FCN"),
    "sharing": ("CNN", "LCN"),
}


@dataclass(frozen=True, eq=False)
class DegreesOfSharing:
    """Accuracy over the plane of locality and weight sharing.

    :func:`sklcnn.studies.degrees_of_sharing` makes it.

    Parameters
    ----------
    name : str
        Of the data.
    table : pandas.DataFrame
        One row per cell and size: ``patch_size``, ``n_groups``, ``n``, ``mean`` test accuracy over
        the repeats with its 95 % interval ``low`` and ``high``, ``repeats``, and of the networks
        ``n_patches``, ``n_filters``, ``n_hidden``, ``n_parameters``, ``learning_rate`` and the
        held-out accuracy ``validation`` with which that was chosen.
    effects : pandas.DataFrame
        What locality and sharing are worth at each patch size and n: ``difference`` of the
        accuracies with 95 % interval, and the sample-efficiency ``factor`` with its own.
    results : pandas.DataFrame
        One row per fit.
    settings : dict
        How it was found.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklcnn.studies import degrees_of_sharing
    >>> X, y = load_digits(n_class=2, return_X_y=True)
    >>> options = {"patch_sizes": [4], "stride": 4, "sizes": [20], "repeats": 2, "n_steps": 10}
    >>> found = degrees_of_sharing(X, y, input_shape=(8, 8), n_hidden=16, **options)
    >>> found.table[["patch_size", "n_groups", "n_patches", "n_filters"]].values.tolist()
    [[4, 1, 4, 4], [4, 4, 4, 4], [8, 1, 1, 16]]
    """

    name: str
    table: pd.DataFrame
    effects: pd.DataFrame
    results: pd.DataFrame = field(repr=False)
    settings: dict = field(repr=False)

    def plot(self, axes: Sequence | None = None) -> DegreesDisplay:
        """Draw one map of the plane for each n, and curves at the largest.

        Parameters
        ----------
        axes : sequence of matplotlib.axes.Axes or None, default=None
            Where to draw: one for each n and one more; None makes a figure.

        Returns
        -------
        display : sklcnn.plotting.DegreesDisplay
            The picture.
        """
        return self.display().plot(axes)

    def display(self) -> DegreesDisplay:
        """Return what ``plot`` draws, not drawn yet.

        Returns
        -------
        display : sklcnn.plotting.DegreesDisplay
            Holds the arrays.
        """
        n_patches = self.table.groupby("patch_size").n_patches.first()
        counts = self.settings["group_counts"]
        means, halves = {}, {}
        for n, rows in self.table.groupby("n"):
            means[n] = _grid(rows, "mean", n_patches, counts)
            halves[n] = _grid(rows, "high", n_patches, counts) - means[n]
        return DegreesDisplay(
            n_patches.index,
            counts,
            means,
            n_patches=n_patches,
            half_widths=halves,
            interval="95 % interval",
            title=self.name,
        )


def degrees_of_sharing(
    X: ArrayLike,
    y: ArrayLike,
    *,
    X_test: ArrayLike | None = None,
    y_test: ArrayLike | None = None,
    input_shape: tuple[int, ...] | None = None,
    patch_sizes: Sequence[int] | None = None,
    stride: int = 1,
    group_counts: Sequence[int] | None = None,
    grouping: str = "regions",
    n_hidden: int = 576,
    learning_rates: Sequence[float] = LEARNING_RATES,
    n_steps: int = 500,
    sizes: Sequence[int] | None = None,
    repeats: int = 5,
    random_state: int | RandomState | None = 0,
    device: str = "auto",
    n_jobs: int | None = None,
    checkpoint: str | Path | None = None,
    name: str = "data",
    verbose: bool = False,
) -> DegreesOfSharing:
    """Measure accuracy over the plane of locality and weight sharing.

    A network with one hidden layer has a *patch size*, how much of the input a unit sees, and a
    *number of groups*, how many sets of filters its patches have. One group is full sharing, the
    convolutional network (CNN); a group for each patch is none, the locally connected one (LCN);
    a patch of the whole input is the fully connected one (FCN), which has one patch and so nothing
    to share. Networks everywhere between are trained on growing samples and scored on one test set.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features) or (n_samples, *input_shape)
        Features.
    y : array-like of shape (n_samples,)
        Class labels.
    X_test, y_test : array-like or None, default=None
        Test samples; None cuts a stratified 30 % (at most 5,000) off X and y.
    input_shape : tuple of int or None, default=None
        ``(length,)``, ``(height, width)`` or ``(channels, height, width)`` of one sample; None is
        the shape of X without its first axis.
    patch_sizes : sequence of int or None, default=None
        Lengths of a window, or sides of a square one; None is the powers of two. The whole input is
        always added.
    stride : int, default=1
        Step between windows; smaller windows stand side by side.
    group_counts : sequence of int or None, default=None
        Numbers of groups; None is 1, 4 and 16. Full sharing (1) and none (a group for each patch)
        are always added, and a patch size leaves out numbers into which its windows cannot be
        grouped.
    grouping : {"regions", "tiled", "rows", "columns", "random"}, default="regions"
        Which patches share filters between the two extremes: those that lie together or apart, see
        :func:`sklcnn.patches.region_groups`, :func:`~sklcnn.patches.tiled_groups`,
        :func:`~sklcnn.patches.stripe_groups` and :func:`~sklcnn.patches.random_groups`.
    n_hidden : int, default=576
        Hidden units of every network, up to rounding: filters times patches.
    learning_rates : sequence of float, default=(0.0005, 0.002, 0.008, 0.032)
        Candidates.
    n_steps : int, default=500
        Gradient steps of every fit.
    sizes : sequence of int or None, default=None
        Training sizes; None spaces up to seven evenly on a logarithmic axis.
    repeats : int, default=5
        Training samples drawn per size. Within a repeat larger samples contain the smaller ones and
        all networks see the same.
    random_state : int, RandomState instance or None, default=0
        Same value, same results, whatever ``n_jobs``.
    device : str, default="auto"
        Where the networks are trained.
    n_jobs : int or None, default=None
        Stacks of fits that train side by side, in joblib's sense.
    checkpoint : str, path or None, default=None
        A file in which finished fits are kept. A study that finds it there goes on with it, also
        with more repeats, sizes or cells than before; fits that agree in everything are not redone.
    name : str, default="data"
        Name of the data, for titles.
    verbose : bool, default=False
        Whether to show a progress bar on standard error.

    Returns
    -------
    found : DegreesOfSharing
        With ``table``, ``effects`` and ``plot()``.

    Raises
    ------
    InvalidInputError
        A ValueError that names the parameter.

    See Also
    --------
    sklcnn.compare : Four networks, on any data; with pooling, and with permuted features.

    Notes
    -----
    *What is held constant* is the number of hidden units, and with it the number of weights behind
    them and the number of numbers that a network makes of an input. Two networks then differ only
    in which inputs a unit sees and which units have the same weights. With a constant number of
    filters an FCN would be a tiny network and small patches would make a huge one; with a constant
    number of parameters sharing would be paid out in units, and what is measured would be both at
    once. So the numbers of parameters differ; the table has them. Networks do not pool.

    *Training*: Adam steps on batches of 64, at least 5 epochs, features centered and scaled by one
    number each. For every cell the learning rate is that with the best mean accuracy on a quarter
    of the training samples, over two draws of the rest at the smallest, a middle and the largest
    size; the test set has no part in it.

    *Intervals* are those of Student's t over the repeats, paired for differences. They know the
    spread over training samples and initial weights, not that over test sets, and near the size of
    the pool, where training sets overlap, they are too narrow.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklcnn.studies import degrees_of_sharing
    >>> X, y = load_digits(n_class=2, return_X_y=True)
    >>> options = {"patch_sizes": [4], "stride": 4, "sizes": [20], "repeats": 2, "n_steps": 10}
    >>> found = degrees_of_sharing(X, y, input_shape=(8, 8), n_hidden=16, **options)
    >>> list(found.effects.effect)
    ['locality, nothing shared', 'locality, all shared', 'sharing']
    """
    plan = make_degrees_plan(
        X,
        y,
        X_test=X_test,
        y_test=y_test,
        input_shape=input_shape,
        patch_sizes=patch_sizes,
        stride=stride,
        group_counts=group_counts,
        grouping=grouping,
        n_hidden=n_hidden,
        learning_rates=learning_rates,
        n_steps=n_steps,
        sizes=sizes,
        repeats=repeats,
        random_state=random_state,
        device=device,
        name=name,
    )
    with FitProgress(plan.n_fits, enabled=verbose) as progress:
        return carry_out(plan, progress, n_jobs, checkpoint)


def carry_out(plan, progress, n_jobs=None, checkpoint=None):
    """Do what a plan says.

    Parameters
    ----------
    plan : DegreesPlan
        What to do.
    progress : FitProgress
        Is told of every fit.
    n_jobs : int or None, default=None
        Stacks that train side by side.
    checkpoint : str, path or None, default=None
        File of finished fits.

    Returns
    -------
    found : DegreesOfSharing
        What was found.
    """
    name = plan.samples.name
    stream = partial(stream_remembered, stream=partial(stream_fits, n_jobs=n_jobs), path=checkpoint)
    progress.stage(f"{name}: learning rates")
    validation = {}
    for outcome in stream(plan.search_tasks()):
        progress.advance()
        cell, rate, n, draw = outcome.key
        validation.setdefault(cell, {}).setdefault(rate, {})[n, draw] = outcome.score
    chosen = {cell: _choose(by_rate) for cell, by_rate in validation.items()}
    progress.stage(f"{name}: test accuracy")
    rates = {cell: rate for cell, (rate, _) in chosen.items()}
    outcomes = []
    for outcome in stream(plan.score_tasks(rates)):
        progress.advance()
        outcomes.append(outcome)
    return _summarize(plan, chosen, outcomes)


def _choose(by_rate):
    """Return the rate with the best mean held-out accuracy, the lowest of equals, and the mean."""
    means = {
        rate: np.mean([scores[key] for key in sorted(scores)]) for rate, scores in by_rate.items()
    }
    rate = min(rate for rate, mean in means.items() if mean == max(means.values()))
    return rate, float(means[rate])


def _summarize(plan, chosen, outcomes):
    """Turn fits into tables."""
    cells = {cell.key: cell for cell in plan.cells}
    rows = [_row(plan.samples, cells, chosen, outcome) for outcome in outcomes]
    order = ["patch_size", "n_groups", "n", "repeat"]
    results = pd.DataFrame(rows).sort_values(order, ignore_index=True)
    cells_of = ["data", "patch_size", "n_groups", "n_patches", "n_filters", "n_hidden"]
    cells_of += ["n_parameters", "learning_rate", "validation", "n"]
    table = results.groupby(cells_of, sort=False)["score"].apply(_interval).unstack().reset_index()
    table.insert(len(table.columns), "repeats", plan.samples.n_repeats)
    table.columns.name = None
    _, counts = np.unique(plan.samples.y[plan.samples.test], return_counts=True)
    effects = _effects(plan, results, floor=counts.max() / counts.sum())
    samples = plan.samples
    settings = plan.settings | {
        "n_test": len(samples.test),
        "n_pool": len(samples.pool),
        "repeats": samples.n_repeats,
        "sizes": samples.sizes,
        "search_sizes": samples.search_sizes,
        "learning_rates": plan.learning_rates,
        "n_fits": plan.n_fits,
    }
    return DegreesOfSharing(samples.name, table, effects, results, settings)


def _row(samples, cells, chosen, outcome):
    """Return one fit as a row: its cell, its network, its score."""
    key, n, repeat = outcome.key
    cell = cells[key]
    rate, validation = chosen[key]
    return {
        "data": samples.name,
        "patch_size": cell.patch_size,
        "n_groups": cell.n_groups,
        "n_patches": cell.n_patches,
        "n_filters": cell.network.n_filters,
        "n_hidden": cell.network.n_filters * cell.n_patches,
        "n_parameters": outcome.n_parameters,
        "learning_rate": rate,
        "validation": validation,
        "n": n,
        "repeat": repeat,
        "seed": samples.fit_seed(n, repeat),
        "score": outcome.score,
        "seconds": outcome.seconds,
    }


def _interval(values):
    """Mean over repeats, (n_repeats,), with its interval."""
    return pd.Series(t_interval(values), ["mean", "low", "high"])


def _effects(plan, results, floor):
    """Return what each ingredient is worth, at every patch size and n."""
    scores = {
        key: rows.pivot(index="n", columns="repeat", values="score")  # (n_sizes, n_repeats)
        for key, rows in results.groupby(["patch_size", "n_groups"])
    }
    n_patches = {cell.patch_size: cell.n_patches for cell in plan.cells}
    whole = max(n_patches)
    rows = []
    for effect, pair in EFFECTS.items():
        for size in (size for size, number in n_patches.items() if number > 1):
            corners = {"FCN": (whole, 1), "LCN": (size, n_patches[size]), "CNN": (size, 1)}
            labels = {"data": plan.samples.name, "effect": effect, "patch_size": size}
            rows += _compare(labels, *(scores[corners[family]] for family in pair), floor)
    return pd.DataFrame(rows)


def _compare(labels, scores, scores_without, floor):
    """Return a row for each n: difference of two accuracies and factor of their samples."""
    factors = sample_efficiency(scores.index, scores, scores_without, floor=floor)
    rows = []
    for factor in factors:
        change = _interval(scores.loc[factor.n] - scores_without.loc[factor.n])
        difference = {"difference": change["mean"], "low": change["low"], "high": change["high"]}
        known = asdict(factor)
        ends = {"factor_low": known["low"], "factor_high": known["high"]}
        known = {name: known[name] for name in ("factor", "censored", "effect")}
        known["verdict"] = known.pop("effect")
        rows.append(labels | {"n": factor.n} | difference | known | ends)
    return rows


def _grid(rows, column, n_patches, counts):
    """Lay cells out: a row for each patch size, a column for each count and one for no sharing."""
    known = rows.set_index(["patch_size", "n_groups"])[column].to_dict()
    return np.array(
        [
            [known.get((size, count), np.nan) if count < number else np.nan for count in counts]
            + [known[size, number]]
            for size, number in n_patches.items()
        ]
    )  # (n_patch_sizes, n_counts + 1)
