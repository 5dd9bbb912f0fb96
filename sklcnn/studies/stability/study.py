"""Below the edge of stability: gap, excess and sharpness of FCN, LCN and CNN."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from joblib import delayed, parallel_config

from sklcnn.plotting import StabilityDisplay
from sklcnn.studies.stability.floor import constant_gaps, floor_shares
from sklcnn.studies.stability.means import means
from sklcnn.studies.stability.runs import LABELS, AbstractPart, Run, follow
from sklcnn.studies.stability.slopes import fit_slopes
from sklcnn.studies.streams import side_by_side, stream
from sklcnn.theory import gap_exponent
from sklcnn.training.progress import FitProgress

__all__ = ["StabilityStudy", "stability_study"]

SLOPES = ["network", "quantity", "n_features", "patch_size", "slope", "low", "high", "repeats"]
DIMENSION_SLOPES = ["network", "quantity", "n_samples", "slope", "low", "high", "repeats"]
PATCH_SLOPES = ["network", "quantity", "n_features", *DIMENSION_SLOPES[2:]]


@dataclass(frozen=True, eq=False)
class StabilityStudy:
    """What the study found; :func:`sklcnn.studies.stability_study` makes it.

    Parameters
    ----------
    trajectories : pandas.DataFrame
        One row for each run and milestone: the labels ``part``, ``network``, ``n_features``,
        ``patch_size``, ``n_filters``, ``n_samples`` and ``repeat``; ``step``; training ``loss``;
        ``clean_train_error``, ``excess``, ``gap``, ``target_variance``, ``sharpness`` and its
        ``threshold``, path norms, ``bound_holds``, ``mean_activation_rate``, ``dead_share`` and
        ``n_parameters``. A run that has diverged ends with an infinite loss.
    results : pandas.DataFrame
        The last row of each run, with ``relative_excess``, the excess over the variance of the
        target, which is 1 for the best constant prediction; ``gap_before``, the gap at the
        milestone before; ``gap_change``, by how much it has changed since, as a share of the gap:
        small if training has settled; and ``constant_gap``, the gap of the mean of the training
        targets on the same samples, which is the chance of the sample and not learning.
    slopes : pandas.DataFrame
        Slopes of gap and excess over n on the sphere, in logarithms: one row for each ``network``,
        ``quantity``, ``n_features`` and ``patch_size``, with a 95 % interval ``low`` to ``high``
        over ``repeats``, the range ``n_min`` to ``n_max``; ``slope_before``, that of the gap at the
        milestone before, for the same reason as ``gap_change``; ``floor_share``, the share of the
        gaps in the fit that are not above the ``constant_gap`` of their run; and the slope of
        ``theory``, of its guarantee for the gap. NaN where there is none.
    dimension_slopes : pandas.DataFrame
        The same over the dimension, at each n, with the range ``d_min`` to ``d_max``; of
        ``relative_excess`` too.
    patch_slopes : pandas.DataFrame
        The same over the patch size of CNNs that have learned the same samples, with the range
        ``m_min`` to ``m_max``.
    certificates : pandas.DataFrame
        Explicit flat networks, see ``FlatRun.certificates``; empty without that part.
    settings : dict
        Fields of each part, by its name.

    Examples
    --------
    >>> from sklcnn.studies import SphereSweep, stability_study
    >>> small = {"networks": ("CNN",), "dimensions": (20,), "sizes": (10, 20), "n_test": 100}
    >>> part = SphereSweep.quick(**small, patch_sizes=(), n_steps=10)
    >>> found = stability_study([part])
    >>> found.slopes[["network", "quantity", "n_min", "n_max"]].values.tolist()
    [['CNN', 'gap', 10, 20], ['CNN', 'excess', 10, 20]]
    """

    trajectories: pd.DataFrame = field(repr=False)
    results: pd.DataFrame = field(repr=False)
    slopes: pd.DataFrame
    dimension_slopes: pd.DataFrame = field(repr=False)
    patch_slopes: pd.DataFrame = field(repr=False)
    certificates: pd.DataFrame = field(repr=False)
    settings: dict[str, Any] = field(repr=False)

    def plot(self, axes: Sequence | None = None) -> StabilityDisplay:
        """Draw gaps, excess and sharpness.

        Parameters
        ----------
        axes : sequence of matplotlib.axes.Axes or None, default=None
            Where to draw, one for each of the panels of the display; None makes a figure.

        Returns
        -------
        display : sklcnn.plotting.StabilityDisplay
            The picture.
        """
        return self.display().plot(axes)

    def display(self) -> StabilityDisplay:
        """Return what ``plot`` draws, not drawn yet.

        Returns
        -------
        display : sklcnn.plotting.StabilityDisplay
            Holds the tables.
        """
        flat = self.settings.get("flat")
        return StabilityDisplay(
            means(self.trajectories),
            slopes=self.slopes,
            certificates=self.certificates if len(self.certificates) else None,
            noise=flat and flat["noise"],
        )


def stability_study(
    parts: Sequence[AbstractPart],
    *,
    n_jobs: int | None = None,
    checkpoint: str | Path | None = None,
    verbose: bool = False,
) -> StabilityStudy:
    """Train networks at the edge of stability, and measure how well they generalize.

    Parameters
    ----------
    parts : sequence of SphereSweep, FlatRun or ImageRegression
        What to do, each kind once at most.
    n_jobs : int or None, default=None
        Groups of trainings side by side, in processes of one core each, in joblib's sense. None
        does one after the other, on all cores or on the GPU.
    checkpoint : str, path or None, default=None
        Directory in which finished groups are kept. A study that finds them there goes on with
        them, also with more networks or dimensions than before. On the sphere a group holds all
        repeats, so that another number of them trains anew; more sizes may.
    verbose : bool, default=False
        Whether to show a progress bar on standard error.

    Returns
    -------
    study : StabilityStudy
        Tables of what was found.

    Raises
    ------
    ValueError
        If a part cannot be carried out, or occurs twice; before anything is trained.

    Notes
    -----
    All networks start from normal weights of variance 2 / fan-in, those of the output 1 / fan-in,
    and zero biases. The loss is the mean squared error without one half: the edge of stability at
    learning rate 0.2 is at 10. The generalization gap is :math:`|\\text{excess} + \\sigma^2 -
    \\text{training loss}|`. Path norms are bounded for FCN and CNN; of filters that are not shared
    no bound is stated, and ``weighted_path_norm`` is NaN.

    Training ends after a number of steps, not where it has settled: see ``gap_change``. Networks
    that learn the noise slowly, such as those with few parameters for many samples, then have a
    small gap for this reason alone. No gap is known better than up to the chance of its sample: a
    constant has one of about the variance of the noisy targets times :math:`\\sqrt{2 / n}`, see
    ``constant_gap``.

    At the edge of stability rounding errors grow, and the order of sums may differ from run to run:
    with the same seed the first steps agree to all digits that matter, the last ones on average.

    References
    ----------
    .. [1] Liang, Singh, Parhi, Cloninger, Wang, "The Inductive Bias of Convolutional Neural
       Networks: Locality and Weight Sharing Reshape Implicit Regularization", arXiv:2603.04807.

    Examples
    --------
    >>> from sklcnn.studies import FlatRun, stability_study
    >>> part = FlatRun.quick(n_filters=16, n_samples=8, n_test=100, n_steps=10, repeats=1)
    >>> found = stability_study([part])
    >>> found.results[["network", "step"]].values.tolist()
    [['CNN', 10]]
    """
    check_parts(parts)
    with FitProgress(0, enabled=verbose, counted=False) as progress:
        progress.stage("samples and certificates")
        certificates = [part.certificates() for part in parts]
        calls = [_Call(part, group) for part in parts for group in part.groups()]
        progress.expect(sum(call.cost for call in calls))
        progress.stage("training")
        trajectories = _follow_all(calls, progress, n_jobs, checkpoint)
    runs = [run for call in calls for run in call.group]
    results = _summarize(trajectories, constant_gaps(runs))
    sphere = results[results["part"] == "sphere"]
    return StabilityStudy(
        trajectories=trajectories,
        results=results,
        slopes=_slopes(sphere),
        dimension_slopes=_dimension_slopes(sphere),
        patch_slopes=_patch_slopes(sphere),
        certificates=pd.concat(certificates, ignore_index=True),
        settings={part.name: part.settings() for part in parts},
    )


def check_parts(parts: Sequence[AbstractPart]) -> None:
    """Raise ValueError for parts that cannot be carried out, naming what is wrong."""
    names = [part.name for part in parts]
    if not names or len(set(names)) < len(names):
        raise ValueError(
            f"parts has the parts {', '.join(names) or 'none'}: there must be one at least, and of "
            "each kind one at most."
        )
    for part in parts:
        part.check()


class _Call(NamedTuple):
    """A group of runs that is to be followed."""

    part: AbstractPart
    group: list[Run]

    @property
    def cost(self):
        return self.part.n_steps * sum(run.cost for run in self.group)

    def __call__(self, number, checkpoint):
        options = {"n_steps": self.part.n_steps, "per_decade": self.part.per_decade}
        return number, follow(self.group, **options, checkpoint=checkpoint)


def _follow_all(calls, progress, n_jobs, checkpoint):
    """Return the trajectories of all groups, in their order; the costly ones begin."""
    order = sorted(range(len(calls)), key=lambda number: -calls[number].cost)
    found = {}
    with parallel_config("loky", inner_max_num_threads=1):
        tasks = (delayed(calls[number])(number, checkpoint) for number in order)
        for number, trajectories in stream(tasks, side_by_side(n_jobs), n_jobs):
            found[number] = trajectories
            progress.advance(calls[number].cost)
    return pd.concat([found[number] for number in range(len(calls))], ignore_index=True)


def _summarize(trajectories, constants):
    """Return the last row of each run, with what follows from its way there."""
    runs = trajectories.groupby(list(LABELS), sort=False)
    results = runs.tail(1).reset_index(drop=True)
    before = runs.nth(-2)[[*LABELS, "gap"]].rename(columns={"gap": "gap_before"})
    results = results.merge(before, how="left", on=list(LABELS), validate="one_to_one")
    results["relative_excess"] = results["excess"] / results["target_variance"]
    results["gap_change"] = (results["gap"] - results["gap_before"]) / results["gap"]
    return results.merge(constants, how="left", on=list(LABELS), validate="one_to_one")


def _slopes(results):
    """Slopes over n on the sphere, beside those of the milestone before, floor and theory."""
    within = ["network", "n_features", "patch_size"]
    found = fit_slopes(results, ["gap", "excess"], "n_samples", within)
    found = found.rename(columns={"n_samples_min": "n_min", "n_samples_max": "n_max"})
    before = fit_slopes(results, ["gap_before"], "n_samples", within).assign(quantity="gap")
    before = before.rename(columns={"slope": "slope_before"})[[*within, "quantity", "slope_before"]]
    found = found.merge(before, how="left", on=[*within, "quantity"])
    shares = floor_shares(results, "n_samples", within).assign(quantity="gap")
    found = found.merge(shares, how="left", on=[*within, "quantity"])
    theory = [_theory(row) for row in found.itertuples()]
    ends = ["n_min", "n_max", "slope_before", "floor_share"]
    return found[[*SLOPES, *ends]].assign(theory=np.array(theory, dtype=float))


def _theory(row):
    """Return minus the exponent of the guarantee for the gap, NaN if there is none."""
    family = row.network.partition(",")[0]
    if row.quantity != "gap" or family == "LCN":
        return np.nan
    if family == "FCN":
        return 0.0 - gap_exponent("fcn", "sphere", row.n_features)
    return 0.0 - gap_exponent("cnn", "sphere", row.n_features, patch_size=row.patch_size)


def _dimension_slopes(results):
    """Slopes over the dimension; of local networks, those of one patch size at all dimensions."""
    n_dimensions = results["n_features"].nunique()
    whole = results["patch_size"].where(results["patch_size"] != results["n_features"], 0)
    rows = results.assign(width=whole)
    alike = rows.groupby(["network", "width"])["n_features"].transform("nunique")
    found = fit_slopes(
        rows[alike == n_dimensions],
        ["gap", "excess", "relative_excess"],
        "n_features",
        ["network", "n_samples"],
    )
    found = found.rename(columns={"n_features_min": "d_min", "n_features_max": "d_max"})
    return found[[*DIMENSION_SLOPES, "d_min", "d_max"]]


def _patch_slopes(results):
    """Slopes over the patch size of the CNN."""
    found = fit_slopes(
        results[results["network"] == "CNN"],
        ["gap", "excess"],
        "patch_size",
        ["network", "n_features", "n_samples"],
    ).rename(columns={"patch_size_min": "m_min", "patch_size_max": "m_max"})
    return found[[*PATCH_SLOPES, "m_min", "m_max"]]
