"""What a comparison found: fits in, factors and sentences out."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

import numpy as np
import pandas as pd

from sklcnn.plotting import ComparisonDisplay
from sklcnn.studies.curves import Factor, sample_efficiency
from sklcnn.studies.intervals import t_interval
from sklcnn.studies.plan import INGREDIENTS
from sklcnn.studies.verdicts import control_sentence, verdict_sentence

__all__ = ["BASELINE", "Comparison", "results_frame", "summarize"]

BASELINE = "majority class"
FAMILIES = (INGREDIENTS[0].without, *(ingredient.family for ingredient in INGREDIENTS))
RESULT_COLUMNS = ["data", "family", "control", "n", "repeat", "seed", "score", "seconds"]


@dataclass(frozen=True, eq=False)
class Comparison:
    """What a comparison found; :func:`sklcnn.compare` makes it.

    Parameters
    ----------
    name : str
        Of the data.
    verdicts : dict of str to str
        One sentence for each ingredient.
    control : str
        One sentence on whether the fully connected network noticed that its features were permuted.
    table : pandas.DataFrame
        Mean and standard deviation of the test accuracy over the repeats; one row per control,
        family and size.
    factors : pandas.DataFrame
        Sample-efficiency factors with their intervals, one row per ingredient, control and size;
        ``n``, ``factor``, ``low``, ``high``, ``censored`` and ``effect``.
    networks : pandas.DataFrame
        Parameters and learning rates, one row per family.
    results : pandas.DataFrame
        One row per fit.
    settings : dict
        Numbers of samples and fits, geometry and training rule.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> import sklcnn
    >>> X, y = load_digits(n_class=2, return_X_y=True)
    >>> found = sklcnn.compare(X, y, input_shape=(8, 8), sizes=[20], repeats=1)
    >>> list(found.verdicts)
    ['locality', 'sharing', 'translation invariance']
    """

    name: str
    verdicts: dict[str, str]
    control: str
    table: pd.DataFrame = field(repr=False)
    factors: pd.DataFrame = field(repr=False)
    networks: pd.DataFrame = field(repr=False)
    results: pd.DataFrame = field(repr=False)
    settings: dict = field(repr=False)

    def plot(self, axes: Sequence | None = None) -> ComparisonDisplay:
        """Draw the learning curves and the factors.

        Parameters
        ----------
        axes : sequence of three matplotlib.axes.Axes or None, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        display : ComparisonDisplay
            The three panels.
        """
        return self.display().plot(axes)

    def display(self) -> ComparisonDisplay:
        """Return what ``plot`` draws, not drawn yet.

        Returns
        -------
        display : ComparisonDisplay
            Holds the arrays.
        """
        original, permuted = (_score_arrays(self.results, c) for c in ("original", "permuted"))
        baseline = original.pop(BASELINE).mean(axis=1)
        factors = self.factors[self.factors.control == "original"]
        worth = {
            ingredient.name: {"family": ingredient.family}
            | factors[factors.ingredient == ingredient.name].to_dict("list")
            for ingredient in INGREDIENTS
        }
        sizes = np.unique(self.results.n)
        return ComparisonDisplay(sizes, original, permuted, baseline, worth, title=self.name)


def results_frame(rows):
    """Put rows that came in any order into the order of the families.

    Parameters
    ----------
    rows : list of tuple
        Entries in the order of the columns.

    Returns
    -------
    results : pandas.DataFrame
        One row per fit.
    """
    frame = pd.DataFrame(rows, columns=RESULT_COLUMNS)
    rank = {family: i for i, family in enumerate([*FAMILIES, BASELINE])}
    return frame.sort_values(
        ["control", "family", "n", "repeat"],
        key=lambda column: column.map(rank) if column.name == "family" else column,
        ignore_index=True,
    )


def summarize(plan, results, rates, parameters):
    """Turn fits into factors and sentences.

    Parameters
    ----------
    plan : Plan
        What was done.
    results : pandas.DataFrame
        One row per fit.
    rates : dict of (str, str) to float
        Learning rate of each (control, family).
    parameters : dict of str to int
        Number of parameters of each family.

    Returns
    -------
    comparison : Comparison
        What was found.
    """
    scores = {control: _score_arrays(results, control) for control in plan.views}
    found = {
        (ingredient.name, control): sample_efficiency(
            plan.sizes,
            scores[control][ingredient.family],
            scores[control][ingredient.without],
            floor=_floor(scores["original"][BASELINE], len(plan.test)),
            random_state=plan.seed,
        )
        for ingredient in INGREDIENTS
        for control in plan.views
    }
    return Comparison(
        name=plan.name,
        verdicts={
            i.name: verdict_sentence(i.name, found[i.name, "original"], found[i.name, "permuted"])
            for i in INGREDIENTS
        },
        control=_control_verdict(scores["permuted"]["FCN"] - scores["original"]["FCN"]),
        table=_table(results),
        factors=_factor_frame(plan.name, found),
        networks=_network_frame(plan, rates, parameters),
        results=results,
        settings=_settings(plan),
    )


def _score_arrays(results, control):
    """Scores by family, each of shape (n_sizes, n_repeats)."""
    chosen = results[results.control == control]
    return {
        family: fits.pivot(index="n", columns="repeat", values="score").to_numpy()
        for family, fits in chosen.groupby("family", sort=False)
    }


def _floor(baseline, n_test):
    """Accuracy that the majority class may reach by luck: two standard errors above its own."""
    share = float(np.max(baseline))
    return share + 2 * np.sqrt(share * (1 - share) / n_test)


def _control_verdict(change):
    """Judge the change of the FCN's scores, (n_sizes, n_repeats), by a t interval over repeats."""
    mean, low, high = t_interval(change.mean(axis=0))
    if np.isnan(low):  # of a single repeat
        low, high = -np.inf, np.inf
    return control_sentence(mean, low, high, float(np.abs(change.mean(axis=1)).max()))


def _table(results):
    """Mean and standard deviation over the repeats."""
    groups = results.groupby(["data", "control", "family", "n"], sort=False)["score"]
    return groups.agg(mean="mean", std="std", repeats="size").reset_index()


def _factor_frame(name, found):
    rows = [
        {"data": name, "ingredient": ingredient, "control": control} | asdict(factor)
        for (ingredient, control), factors in found.items()
        for factor in factors
    ]
    columns = ["data", "ingredient", "control", *Factor.__dataclass_fields__]
    return pd.DataFrame(rows, columns=columns)


def _network_frame(plan, rates, parameters):
    rows = [
        {
            "data": plan.name,
            "family": family,
            "filters": network.n_filters,
            "parameters": parameters[family],
            "learning_rate": rates["original", family],
            "learning_rate_permuted": rates["permuted", family],
        }
        for family, network in plan.networks.items()
    ]
    return pd.DataFrame(rows)


def _settings(plan):
    n_curve = len(plan.networks) * len(plan.views) * len(plan.sizes) * plan.n_repeats
    return {
        **plan.geometry,
        "n_test": len(plan.test),
        "n_pool": len(plan.pool),
        "n_validation": len(plan.validation),
        "repeats": plan.n_repeats,
        "search_sizes": plan.search_sizes,
        "n_search_fits": plan.n_fits - n_curve,
        "n_fits": n_curve,
    }
