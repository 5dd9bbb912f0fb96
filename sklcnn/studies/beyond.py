"""Does the separation of FCN, LCN and CNN outlive the assumptions under which it was proved?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from inspect import signature
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone

from sklcnn.datasets import DynamicSignal
from sklcnn.plotting import RatioDisplay
from sklcnn.studies.searches import Search, run_searches, search_row
from sklcnn.studies.trials import make_seeds, size_grid
from sklcnn.studies.variants import FAMILIES, Variant, make_variants
from sklcnn.training.progress import FitProgress

__all__ = ["RATIOS", "Beyond", "beyond", "find_ratio", "find_verdict"]

RATIOS = {"LCN/CNN": ("LCN", "CNN"), "FCN/LCN": ("FCN", "LCN")}
QUICK = {"n_patches": 5, "patch_size": 5, "repeats": 2, "n_max": 256}  # to see that it runs
COSTS = {"FCN": 6.0, "LCN": 3.0, "CNN": 1.0}


@dataclass(frozen=True, eq=False)
class Beyond:
    """What becomes of the separation; :func:`sklcnn.studies.beyond` makes it.

    Parameters
    ----------
    table : pandas.DataFrame
        One row per variant and ratio: ``ratio`` of the samples needed, its interval ``low`` and
        ``high``, ``censored`` ("", "more" or "less" where it is a bound, "unknown"), the same of
        the reference, and the ``verdict``.
    results : pandas.DataFrame
        One row per search: samples needed, interval, target.
    settings : dict
        How it was found.

    Examples
    --------
    >>> from sklcnn.studies.beyond import beyond
    >>> found = beyond(["fixed place"], n_patches=4, patch_size=4, repeats=2, n_max=32)
    >>> list(found.table.variant.unique())
    ['paper', 'fixed place']
    """

    table: pd.DataFrame
    results: pd.DataFrame = field(repr=False)
    settings: dict = field(repr=False)

    def plot(self, axes: Sequence | None = None) -> RatioDisplay:
        """Draw the ratios of all variants beside those of their references.

        Parameters
        ----------
        axes : sequence of two matplotlib.axes.Axes or None, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        display : sklcnn.plotting.RatioDisplay
            The picture.
        """
        return self.display().plot(axes)

    def display(self) -> RatioDisplay:
        """Return what ``plot`` draws, not drawn yet.

        Returns
        -------
        display : sklcnn.plotting.RatioDisplay
            Holds the arrays.
        """
        names = list(self.table.variant.unique())
        table = self.table.set_index(["name", "variant"])
        rows = {name: table.loc[name].reindex(names).fillna({"censored": ""}) for name in RATIOS}
        columns = ("ratio", "low", "high", "censored", "reference_ratio")
        ratios, low, high, censored, reference = (
            {name: part[column].to_numpy() for name, part in rows.items()} for column in columns
        )
        return RatioDisplay(
            names, ratios, low=low, high=high, censored=censored, reference=reference
        )


def beyond(
    variants: Sequence[str] | None = None,
    *,
    n_patches: int = 10,
    patch_size: int = 20,
    noise: float = 0.2,
    tolerance: float = 0.2,
    repeats: int = 5,
    n_min: int = 4,
    n_max: int = 2048,
    n_per_octave: int = 3,
    n_jobs: int | None = None,
    random_state: int = 0,
    verbose: bool = False,
) -> Beyond:
    """Measure whether the separation of FCN, LCN and CNN persists on other laws and learners.

    For every variant the samples that each family needs are searched for, and their ratios
    compared with those of a reference, from which the variant differs in what is asked only: the
    paper's law and networks, or, where these cannot learn the law at all, that law with networks
    of ReLUs and max pooling.

    Parameters
    ----------
    variants : sequence of str or None, default=None
        Names, see ``sklcnn.studies.variants.make_variants``; None is all. References are added.
    n_patches, patch_size : int, default=10 and 20
        Of the laws.
    noise : float, default=0.2
        Standard deviation of the noise per feature.
    tolerance : float, default=0.2
        The error to be reached lies this part of the way from that of the Bayes rule to chance, so
        that laws with more classes or with wrong labels have a target that means the same.
    repeats : int, default=5
        Laws and samples.
    n_min, n_max : int, default=4 and 2048
        Range of the searches.
    n_per_octave : int, default=3
        Sizes per doubling of n where a search is fine.
    n_jobs : int or None, default=None
        Searches side by side, in processes of one core each, in joblib's sense.
    random_state : int, default=0
        Seed of everything.
    verbose : bool, default=False
        Whether to show a progress bar on standard error.

    Returns
    -------
    found : Beyond
        Ratios, verdicts and what they rest on.

    Raises
    ------
    ValueError
        If a variant is unknown or a size makes no sense.

    Notes
    -----
    The interval of a ratio is made of those of the two numbers, whose distances from the estimates
    are added in squares on the log scale, as for independent numbers; families share the samples,
    so that it is rather too wide. A number beyond the range of the search makes the ratio a bound
    and leaves its interval open, and so does an interval that reaches the smallest n.
    ``sklcnn.studies.beyond.find_verdict`` states the rule of the verdicts.

    Examples
    --------
    >>> from sklcnn.studies.beyond import beyond
    >>> found = beyond(["fixed place"], n_patches=4, patch_size=4, repeats=2, n_max=32)
    >>> found.table.shape, found.results.shape[0]
    ((4, 12), 6)
    """
    options = {
        "repeats": repeats,
        "n_min": n_min,
        "n_max": n_max,
        "n_per_octave": n_per_octave,
        "random_state": random_state,
    }
    settings = {"n_patches": n_patches, "patch_size": patch_size, "noise": noise}
    settings |= {"tolerance": tolerance} | options
    chosen = check_beyond(variants=variants, **settings)
    searches = [search for variant in chosen for search in _searches(variant, tolerance, options)]
    work = sum(search.cost for search in searches)
    with FitProgress(work, enabled=verbose, counted=False) as progress:
        progress.stage("samples needed")
        rows = [
            search_row(search.labels, found)
            for search, found in run_searches(searches, progress, n_jobs)
        ]
    results = _order(rows, chosen)
    return Beyond(_compare(results, chosen, n_min), results, settings)


# the searches


def check_beyond(**given) -> list[Variant]:
    """Return the variants that arguments of `beyond` ask for, or raise ValueError."""
    defaults = {name: one.default for name, one in signature(beyond).parameters.items()}
    asked = SimpleNamespace(**(defaults | given))
    if not 0 < asked.tolerance < 1:
        raise ValueError(f"tolerance={asked.tolerance} must lie between 0 and 1.")
    size_grid(asked.n_min, asked.n_max, asked.n_per_octave)
    make_seeds(asked.random_state, asked.repeats)
    law = asked.n_patches, asked.patch_size, asked.noise
    DynamicSignal(*law).bayes_error()
    return _choose(asked.variants, make_variants(*law))


def _choose(names, known):
    """Return the variants and their references, in the order of the table."""
    wanted = set(known) if names is None else set(names)
    if unknown := sorted(wanted - set(known)):
        raise ValueError(
            f"variants holds {unknown[0]!r}, which is unknown: it may hold {'; '.join(known)}."
        )
    if not wanted:
        raise ValueError(f"variants={names!r} is empty: name one, or give None for all.")
    while more := {known[name].reference for name in wanted} - wanted:
        wanted |= more
    return [variant for name, variant in known.items() if name in wanted]


def _searches(variant, tolerance, options):
    """One search for each family of a variant."""
    target = _target(variant.law, tolerance, options["random_state"])
    return [
        Search(
            {"variant": variant.name, "estimator": family},
            estimator,
            variant.law,
            options | {"target": target, "param_grid": variant.grids.get(family)},
            cost=COSTS[family] * (10 if variant.law.placement == "pixel" else 1),
        )
        for family, estimator in variant.networks.items()
    ]


def _target(law, tolerance, random_state):
    """Return the error that lies a part of the way from the Bayes rule to chance."""
    best = clone(law).set_params(random_state=random_state).bayes_error()
    chance = 1 - 1 / (law.n_types if law.task == "type" else 2)
    return best + tolerance * (chance - best)


def _order(rows, variants):
    """Return a table of rows in the order of variants and families."""
    names = [variant.name for variant in variants]
    rows = sorted(rows, key=lambda r: (names.index(r["variant"]), FAMILIES.index(r["estimator"])))
    return pd.DataFrame(rows)


# what they say


def _compare(results, variants, n_min):
    """Return one row for every variant and ratio, with that of the reference and a verdict.

    There is none for a ratio of two families that are those of the reference.
    """
    numbers = {(row["variant"], row["estimator"]): row for row in results.to_dict("records")}
    found = {}
    for variant in variants:
        for name, families in RATIOS.items():
            rows = [
                numbers.get((variant.name, family)) or numbers[variant.reference, family]
                for family in families
            ]
            found[variant.name, name] = find_ratio(*rows, n_min)
    return pd.DataFrame(
        [
            _row(variant, name, found[variant.name, name], found[variant.reference, name])
            for variant in variants
            for name, families in RATIOS.items()
            if any(family in variant.networks for family in families)
        ]
    )


def _row(variant, name, ratio, reference):
    own = variant.name == variant.reference
    ends = (ratio["low"], ratio["high"], reference["low"], reference["high"])
    return {
        "variant": variant.name,
        "question": variant.question,
        "name": name,
        **ratio,
        "reference": variant.reference,
        **{f"reference_{key}": reference[key] for key in ("ratio", "low", "high")},
        "verdict": "" if own else find_verdict(*ends),
    }


def find_ratio(more: Mapping[str, Any], fewer: Mapping[str, Any], n_min: float) -> dict:
    """Return the ratio of two numbers of samples with an interval.

    Parameters
    ----------
    more, fewer : dict
        Numerator and denominator: ``n_samples``, ``low``, ``high``, ``censored`` ("", "above" or
        "below") and ``n_max``, the largest n that was tried.
    n_min : float
        The smallest n that was tried.

    Returns
    -------
    ratio : dict
        ``ratio``, ``low``, ``high``, and ``censored``: "more" or "less" where the ratio is a lower
        or an upper bound, "unknown" where it is neither and therefore NaN.

    Examples
    --------
    >>> from sklcnn.studies.beyond import find_ratio
    >>> lcn = {"n_samples": 200, "low": 100, "high": 400, "censored": "", "n_max": 800}
    >>> cnn = {"n_samples": 20, "low": 20, "high": 20, "censored": "", "n_max": 40}
    >>> find_ratio(lcn, cnn, n_min=4)
    {'ratio': 10.0, 'low': 5.0, 'high': 20.0, 'censored': ''}
    """
    (top, top_low, top_high), (base, base_low, base_high) = _span(more, n_min), _span(fewer, n_min)
    bounds = {_bound(more["censored"], "more", "less"), _bound(fewer["censored"], "less", "more")}
    bounds -= {""}
    ratio = top / base
    with np.errstate(divide="ignore"):
        down = np.hypot(np.log(np.divide(top, top_low)), np.log(np.divide(base_high, base)))
        up = np.hypot(np.log(np.divide(top_high, top)), np.log(np.divide(base, base_low)))
    return {
        "ratio": ratio if len(bounds) < 2 else np.nan,
        "low": float(ratio * np.exp(-down)),
        "high": float(ratio * np.exp(up)),
        "censored": "unknown" if len(bounds) == 2 else "".join(bounds),
    }


def _bound(censored, above, below):
    return {"": "", "above": above, "below": below}[censored]


def _span(found, n_min):
    """Return a number of samples and its ends, open where the range of the search ends."""
    if found["censored"] == "above":
        return found["n_max"], min(found["low"], found["n_max"]), np.inf
    low = 0.0 if found["low"] <= n_min else found["low"]
    return found["n_samples"], low, found["high"]


def find_verdict(low: float, high: float, reference_low: float, reference_high: float) -> str:
    """Say what became of a separation, from the intervals of a ratio and of its reference.

    Parameters
    ----------
    low, high : float
        Interval of the ratio; 0 and infinity are open ends.
    reference_low, reference_high : float
        Interval of the ratio of the reference.

    Returns
    -------
    verdict : str
        "persists": the interval lies above 1 and not below that of the reference; "shrinks": above
        1, and below that of the reference; "vanishes": it contains 1, and lies below that of the
        reference; "reverses": it lies below 1; "undecided": both 1 and the reference are possible,
        the ratio has no upper end and might be smaller than the reference, or the reference itself
        may be 1.

    Examples
    --------
    >>> from sklcnn.studies.beyond import find_verdict
    >>> find_verdict(8, 12, 7, 15), find_verdict(2, 5, 7, 15), find_verdict(0.8, 5, 7, 15)
    ('persists', 'shrinks', 'vanishes')
    """
    if reference_low <= 1 <= reference_high:
        return "undecided"
    if high < 1:
        return "reverses"
    if high < reference_low:
        return "vanishes" if low <= 1 else "shrinks"
    known = np.isfinite(high) or low >= reference_low
    return "persists" if low > 1 and known else "undecided"
