"""Runs of gradient descent, their trajectories, and those that are remembered in a file."""

import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from functools import partial
from numbers import Integral, Real
from pathlib import Path
from typing import Any, ClassVar

import joblib
import numpy as np
import pandas as pd

from sklcnn import __version__
from sklcnn.estimators import CNNRegressor, FCNRegressor, LCNRegressor
from sklcnn.estimators.base import AbstractNetwork
from sklcnn.inspection import stability_report
from sklcnn.studies.records import remember_table
from sklcnn.studies.tables import InvalidInputError
from sklcnn.studies.trajectories import follow_training
from sklcnn.studies.trials import make_seeds
from sklcnn.theory import generalization_gap, stability_threshold
from sklcnn.training import GradientDescent

__all__ = ["LABELS", "MEASURES", "AbstractPart", "Run", "Samples", "follow"]

LABELS = ("part", "network", "n_features", "patch_size", "n_filters", "n_samples", "repeat")
"""Columns that name a run. ``patch_size`` counts features of a patch, for an FCN all of them."""

MEASURES = (
    "clean_train_error",
    "excess",
    "gap",
    "target_variance",
    "sharpness",
    "threshold",
    "path_norm",
    "weighted_path_norm",
    "path_norm_bound",
    "bound_holds",
    "mean_activation_rate",
    "dead_share",
    "n_parameters",
)
"""Columns of a trajectory besides the labels of its run, ``step`` and ``loss``.

``bound_holds`` is 1, 0, or NaN where there is no bound.
"""

FAMILIES = {"FCN": FCNRegressor, "LCN": LCNRegressor, "CNN": CNNRegressor}

COUNTS = ("n_filters", "teacher_filters", "n_steps", "per_decade", "repeats")  # of every part
TINY = np.nextafter(0, 1)

# What `Run.cost` is made of, in multiplications: measured on a CPU.
PER_ACTIVATION = 40
PER_STEP = 2_000_000


@dataclass(frozen=True, eq=False)
class Samples:
    """Training and test samples of one law, with the targets without noise."""

    X: np.ndarray = field(repr=False)  # (n_samples, n_features)
    y: np.ndarray = field(repr=False)  # (n_samples,), with noise
    clean: np.ndarray = field(repr=False)  # (n_samples,)
    X_test: np.ndarray = field(repr=False)  # (n_test, n_features)
    clean_test: np.ndarray = field(repr=False)  # (n_test,)
    noise: float  # standard deviation
    target_variance: float  # of the target without noise under the law

    def first(self, n_samples):
        """Return the same with the first training samples only."""
        rows = slice(n_samples)
        parts = self.X[rows], self.y[rows], self.clean[rows]
        return Samples(*parts, self.X_test, self.clean_test, self.noise, self.target_variance)


@dataclass(frozen=True, eq=False)
class Run:
    """One training: a network, its samples, and what to call it."""

    labels: Mapping[str, Any]  # LABELS: value
    estimator: AbstractNetwork  # not fitted, seeded; full-batch gradient descent
    samples: Samples
    n_patches: int = 1

    @property
    def cost(self):
        """Expected time of a step, in any unit."""
        labels = self.labels
        n_activations = labels["n_samples"] * labels["n_filters"] * self.n_patches
        return PER_STEP + n_activations * (labels["patch_size"] + PER_ACTIVATION)


class AbstractPart(ABC):
    """Settings of some trainings: the fields of a frozen dataclass."""

    name: ClassVar[str]
    n_filters: int
    learning_rate: float
    clip_norm: float | None  # of gradients
    n_steps: int  # of gradient descent
    per_decade: int  # milestones in each factor of ten of the steps
    repeats: int
    random_state: int
    device: str

    @abstractmethod
    def check(self) -> None:
        """Raise ValueError for settings that cannot be used, naming one and what would do."""

    @abstractmethod
    def groups(self) -> Iterator[list[Run]]:
        """Yield lists of runs, each to be trained in one fleet and remembered in one file.

        Yields
        ------
        group : list of Run
            With the same number of steps.
        """

    def certificates(self) -> pd.DataFrame:
        """Return what is known without training: nothing, in most parts.

        Returns
        -------
        certificates : DataFrame
            One row each.
        """
        return pd.DataFrame()

    def settings(self) -> dict[str, Any]:
        """Return the settings, but for arrays.

        Returns
        -------
        settings : dict
            By name.
        """
        values = {one.name: getattr(self, one.name) for one in fields(self)}  # type: ignore[arg-type]
        return {name: value for name, value in values.items() if not isinstance(value, np.ndarray)}

    def _check_numbers(self, counts):
        """Raise InvalidInputError for a field that is no number of its kind, or holds one."""
        for name in (*counts, *COUNTS):
            self._check_number(name, Integral, 1, "a whole number of at least 1")
        self._check_number("noise", Real, 0, "a number of at least 0")
        self._check_number("learning_rate", Real, TINY, "a number above 0")
        if self.clip_norm is not None:
            self._check_number("clip_norm", Real, TINY, "a number above 0, or None")
        make_seeds(self.random_state, self.repeats)

    def _check_number(self, name, kind, least, words):
        """Check a field; several numbers are for fields whose default is a tuple."""
        value = getattr(self, name)
        several = isinstance(getattr(type(self), name), tuple)
        if several and not isinstance(value, (tuple, list)):
            raise InvalidInputError(name, f"{value!r} must be a tuple; ({value!r},) would do.")
        for one in value if several else (value,):
            is_number = isinstance(one, kind) and not isinstance(one, bool)
            if not is_number or not least <= one < np.inf:
                must = f"holds {one!r}, but each must" if several else f"{one!r} must"
                raise InvalidInputError(name, f"{must} be {words}.")

    def _make_network(self, family, random_state, **local):
        """Return a regressor that full-batch gradient descent will train, without penalty.

        LCN and CNN take the mean over their patches, whose geometry is ``local``.
        """
        if family != "FCN":
            local["pooling"] = "mean"
        return FAMILIES[family](
            self.n_filters,
            solver=GradientDescent(clip_norm=self.clip_norm),
            learning_rate_init=self.learning_rate,
            alpha=0.0,
            tol=None,
            random_state=random_state,
            device=self.device,
            **local,
        )

    def _label(self, *values):
        """Return the labels of a run; ``values`` are those of all but the part."""
        return dict(zip(LABELS, (self.name, *values), strict=True))


def follow(group, *, n_steps, per_decade=2, tol=1e-2, checkpoint=None):
    """Train the runs of a group in one fleet, and measure them at milestones.

    Parameters
    ----------
    group : list of Run
        With the same names of labels.
    n_steps : int
        Steps of gradient descent.
    per_decade : int, default=2
        Milestones in each factor of ten of the steps.
    tol : float, default=1e-2
        Relative error of the sharpness.
    checkpoint : str, path-like or None, default=None
        Directory of trajectories that are finished. A group is recognized by all that makes its
        numbers, and read from there; else it is written there when it is finished.

    Returns
    -------
    trajectories : DataFrame
        One row for each run and milestone, step 0 among them: labels, ``step``, ``loss`` and the
        columns of ``MEASURES``. A run that diverges ends with an infinite loss.
    """
    options = {"n_steps": n_steps, "per_decade": per_decade, "tol": tol}
    if checkpoint is None:
        return _train(group, **options)
    name = joblib.hash((__version__, *options.values(), [_identify(run) for run in group]))
    return remember_table(Path(checkpoint, f"{name}.csv"), partial(_train, group, **options))


def _train(group, n_steps, per_decade, tol):
    """Return the trajectories of runs that are trained now."""
    trajectories = follow_training(
        [run.estimator for run in group],
        [run.samples.X for run in group],
        [run.samples.y for run in group],
        lambda network, number, step: _measure(network, group[number].samples, tol),
        n_steps=n_steps,
        per_decade=per_decade,
        keep_loss_curves=False,
    )
    labels = pd.DataFrame([dict(run.labels) for run in group])
    # Where all runs diverge at once, some measures are in no row.
    trajectories = trajectories.reindex(columns=["run", "step", "loss", *MEASURES])
    return labels.join(trajectories.set_index("run"), how="right").reset_index(drop=True)


def _identify(run):
    """Return what makes the numbers of a run.

    Arrays are hashed one by one: the hash of several together would depend on which of them are the
    same object.
    """
    samples = [joblib.hash(getattr(run.samples, one.name)) for one in fields(run.samples)]
    network = type(run.estimator).__name__, run.estimator.get_params()
    return [joblib.hash(part) for part in (*network, dict(run.labels))] + samples


def _measure(network, samples, tol):
    """Return ``MEASURES`` of a network as it is now."""
    X, y = samples.X, samples.y
    on_train, on_test = network.predict(X), network.predict(samples.X_test)
    excess = float(np.mean((on_test - samples.clean_test) ** 2))
    with warnings.catch_warnings():
        # Known of networks that share nothing, and said once in the documentation of the study.
        warnings.filterwarnings("ignore", message="The bound of the weighted path norm is stated")
        report = stability_report(network, X, y, tol=tol)
    rates = np.asarray(report.activation_rates)
    return {
        "clean_train_error": float(np.mean((on_train - samples.clean) ** 2)),
        "excess": excess,
        "gap": float(generalization_gap(excess, samples.noise, report.train_loss)),
        "target_variance": samples.target_variance,
        "sharpness": report.sharpness,
        "threshold": float(stability_threshold(network.learning_rate_init)),
        "path_norm": report.path_norm,
        "weighted_path_norm": report.weighted_path_norm,
        "path_norm_bound": report.path_norm_bound,
        "bound_holds": np.nan if report.holds is None else float(report.holds),
        "mean_activation_rate": float(rates.mean()),
        "dead_share": float((rates == 0).mean()),
        "n_parameters": network.n_parameters_,
    }
