"""Many trainings side by side, halted at milestones to be measured."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from numpy.typing import ArrayLike

from sklcnn.estimators.base import AbstractNetwork
from sklcnn.inspection.stability import training_loss
from sklcnn.training import GradientDescent, Samples, Trained, fleet, make_solver, train_one
from sklcnn.training.progress import FitProgress

__all__ = ["follow_training"]

# Steps of one leg at most: their losses come as lists, which are let go unless they are to be kept.
MOST_STEPS = 10_000
OWN_COLUMNS = ("run", "step", "loss")


def follow_training(
    estimators: Sequence[AbstractNetwork],
    Xs: Sequence[ArrayLike],
    ys: Sequence[ArrayLike],
    measure: Callable[[AbstractNetwork, int, int], Mapping[str, Any]],
    *,
    n_steps: int,
    every: int | None = None,
    per_decade: int = 5,
    on_error: str = "nan",
    keep_loss_curves: bool = True,
    verbose: bool = False,
) -> pd.DataFrame:
    """Train many networks by gradient descent, and measure all of them at milestones.

    The networks train in a fleet, from milestone to milestone by warm starts. Full-batch gradient
    descent has no memory, so that the trajectory is that of one fit of ``n_steps``, up to the
    rounding of sums.

    Parameters
    ----------
    estimators : sequence of networks
        Trained in place. The solver must be gradient descent without momentum, with ``tol=None``,
        ``early_stopping=False`` and no ``callbacks``; ``max_iter`` does not matter. Training begins
        anew unless ``warm_start=True`` and the network is fitted.
    Xs, ys : sequences of arrays
        Data of each estimator.
    measure : callable
        ``measure(estimator, run, step)`` is called with the network as it is after so many steps
        and returns a mapping from names of columns to values.
    n_steps : int
        Steps after which all training ends; the last milestone.
    every : int or None, default=None
        Steps between milestones; None spaces them evenly in the logarithm of the step.
    per_decade : int, default=5
        Milestones in each factor of ten of the steps, if ``every`` is None.
    on_error : {"nan", "raise"}, default="nan"
        What becomes of a training that diverges: a last row with an infinite loss and no measures,
        at the milestone that it does not reach; or a ValueError, when the others have reached that
        milestone.
    keep_loss_curves : bool, default=True
        Whether the networks keep the loss of every step in ``loss_curve_``; a million of them take
        32 MB. With False they keep those of some last steps only, while ``n_iter_`` counts all.
    verbose : bool, default=False
        Whether to show a progress bar on standard error.

    Returns
    -------
    trajectories : DataFrame
        One row for each network and milestone, by run and step. Columns: ``run``, the position of
        the estimator; ``step``, the number of steps taken, beginning with 0, the initial network;
        ``loss``, the training loss after these steps, see `sklcnn.inspection.training_loss`; and
        whatever was measured. A network that is within ``loss_tol`` or ``gradient_tol`` of its
        solver has its last row there.

    Raises
    ------
    ValueError
        If the sequences differ in length, an estimator cannot be continued without a difference, an
        argument cannot be used, data do not fit, or, if asked for, a training diverges.

    See Also
    --------
    sklcnn.training.SharpnessRecorder : Records the sharpness of a single fit.
    sklcnn.fit_many : Trains many estimators without a halt.

    Notes
    -----
    A network that diverges is left as it was at some earlier step. Losses in ``loss_curve_`` are
    those *before* each step: ``loss`` after step *t* is entry *t* of the curve if training goes on.

    Examples
    --------
    >>> import sklcnn
    >>> from sklcnn.datasets import make_sphere
    >>> from sklcnn.studies import follow_training
    >>> X, y = make_sphere(n_samples=50, n_features=10, random_state=0)
    >>> networks = [
    ...     sklcnn.FCNRegressor(8, solver="gd", learning_rate_init=rate, tol=None, random_state=0)
    ...     for rate in (0.01, 0.1)
    ... ]
    >>> def measure(network, run, step):
    ...     return {"sharpness": sklcnn.sharpness(network, X, y)}
    >>> table = follow_training(networks, [X, X], [y, y], measure, n_steps=40, every=20)
    >>> table[["run", "step"]].to_numpy().tolist()
    [[0, 0], [0, 20], [0, 40], [1, 0], [1, 20], [1, 40]]
    """
    runs = _check_runs(estimators, Xs, ys)
    milestones = _list_milestones(n_steps, every, per_decade)
    if on_error not in ("nan", "raise"):
        raise ValueError(f"on_error={on_error!r} must be 'nan' or 'raise'.")
    work = len(runs) * milestones[-1]
    with FitProgress(work, enabled=verbose, counted=False) as progress:
        progress.stage("training")
        _side_by_side(_Run.begin, runs)
        rows = [_measure(run, measure, 0) for run in runs]
        for begin, end in pairwise(milestones):
            started = _go_on(runs, end - begin, keep_loss_curves)
            rows += [_measure(run, measure, end) for run in started if run.is_news]
            if on_error == "raise":
                _raise_first_error(started, end)
            progress.advance(len(runs) * (end - begin))
    return pd.DataFrame(rows).sort_values(["run", "step"], kind="stable", ignore_index=True)


@dataclass
class _Run:
    """One training, and where it stands."""

    position: int
    estimator: AbstractNetwork
    X: ArrayLike
    y: ArrayLike
    samples: Samples | None = None  # X and y as training takes them
    step: int = 0
    n_epochs: int = 0  # a step each, but for one that ends at a tolerance
    n_earlier: int = 0  # epochs of a training before this one
    losses: list[float] = field(default_factory=list)  # of every epoch, or of the last ones
    going: bool = True
    error: ValueError | None = None  # that has ended it
    is_news: bool = True  # whether anything has happened since the last milestone

    def begin(self):
        """Draw the initial weights: a fit without a step."""
        network = self.estimator
        network._validate_params()
        start = "warm" if network.warm_start and hasattr(network, "module_") else "fresh"
        self.samples = network._check_samples(self.X, self.y, None, reset=start == "fresh")
        job = network._prepare(self.samples, None, start, max_iter=1)
        module = job.module.to(job.device)
        no_state = [{} for _ in module.parameters()]
        nothing = Trained(module, [], [], False, 0.0, job.shuffle_state, no_state)
        network._finish(job, nothing, start)
        self.losses = network.loss_curve_
        self.n_earlier = len(self.losses)

    def go_on(self, n_steps):
        """Take some steps by a warm start, unless training diverges."""
        network = self.estimator
        job = network._prepare(self.samples, None, "warm", max_iter=n_steps)
        try:
            trained = train_one(job)
        except ValueError as error:
            self.going, self.error = False, error
            return
        network._finish(job, trained, "warm")
        self.going = not trained.stopped

    def take_note(self, keep_loss_curves):
        """Put the losses of a leg behind the earlier ones, and the record back in its place."""
        new = self.estimator.loss_curve_
        self.n_epochs += len(new)
        at_tolerance = not self.going and self.error is None
        self.step = self.n_epochs - at_tolerance
        if keep_loss_curves:
            self.losses += new  # in place
        else:
            self.losses = new or self.losses
        self.estimator.loss_curve_ = self.losses
        self.estimator.n_iter_ = self.n_earlier + self.n_epochs

    def training_loss(self):
        """Return the loss after the last step; one that is no number ends the training."""
        if self.error is None:
            loss = training_loss(self.estimator, self.X, self.y)
            if np.isfinite(loss):
                return loss
            self.error = ValueError(
                f"The training loss became {loss}: training diverged. Try a smaller "
                f"learning_rate_init than {self.estimator.learning_rate_init}, or clip_norm in the "
                "solver."
            )
        self.going = False
        return np.inf


def _go_on(runs, n_steps, keep_loss_curves):
    """Train on whatever is still going, and return it."""
    started = [run for run in runs if run.going]
    steps = [run.step for run in started]
    for begin in range(0, n_steps, MOST_STEPS):
        going = [run for run in started if run.going]
        for run in going:
            run.estimator.loss_curve_ = []  # or every leg would copy the whole of it
        try:
            _side_by_side(_Run.go_on, going, min(MOST_STEPS, n_steps - begin))
        finally:  # an interrupt leaves whole records too
            for run in going:
                run.take_note(keep_loss_curves)
    for run, step in zip(started, steps, strict=True):
        run.is_news = run.step > step or run.error is not None
    return started


def _side_by_side(method, runs, *arguments):
    """Call a method of every run, in a fleet."""
    with fleet():
        Parallel()(delayed(method)(run, *arguments) for run in runs)


def _measure(run, measure, end):
    """Return the row of a run at its present step; one that has diverged has no measures."""
    loss = run.training_loss()
    if run.error is not None:
        return {"run": run.position, "step": end, "loss": loss}
    measured = measure(run.estimator, run.position, run.step)
    if not isinstance(measured, Mapping) or set(measured) & set(OWN_COLUMNS):
        raise ValueError(
            f"measure={measure!r} must return a mapping from names of columns to values, none of "
            f"them called {', '.join(OWN_COLUMNS)}; got {measured!r}."
        )
    return {"run": run.position, "step": run.step, "loss": loss, **measured}


def _raise_first_error(runs, end):
    for run in runs:
        if run.error is not None:
            place = f"estimators[{run.position}], between steps {run.step} and {end}"
            raise ValueError(f"{place}: {run.error}") from run.error


def _list_milestones(n_steps, every, per_decade):
    """Return the steps at which to halt, from 0 to ``n_steps``."""
    for name, value in (("n_steps", n_steps), ("every", every), ("per_decade", per_decade)):
        if name == "every" and value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
            raise ValueError(f"{name}={value!r} must be an integer of at least 1.")
    milestones = [0]
    while milestones[-1] < n_steps:
        step = milestones[-1]
        following = step + every if every else max(step + 1, round(step * 10 ** (1 / per_decade)))
        milestones.append(min(int(following), int(n_steps)))
    return milestones


def _check_runs(estimators, Xs, ys):
    """Return the runs, or say what is wrong with the estimators."""
    lengths = [len(part) for part in (estimators, Xs, ys)]
    if len(set(lengths)) > 1 or not lengths[0]:
        raise ValueError(
            "estimators, Xs and ys must be equally long and not empty, got lengths "
            f"{', '.join(map(str, lengths))}."
        )
    for position, estimator in enumerate(estimators):
        if any(estimator is other for other in estimators[:position]):
            raise ValueError(
                f"estimators[{position}] occurs twice, but each is trained in place: use clones."
            )
        _check_estimator(f"estimators[{position}]", estimator)
    return [_Run(*parts) for parts in zip(range(lengths[0]), estimators, Xs, ys, strict=True)]


def _check_estimator(place, estimator):
    """Refuse what a warm start would not go on with as if nothing had happened."""
    if not isinstance(estimator, AbstractNetwork):
        raise ValueError(f"{place} is {estimator!r}, which is no network of sklcnn.")
    solver = make_solver(estimator.solver)
    if not isinstance(solver, GradientDescent) or solver.momentum:
        raise ValueError(
            f"{place} has solver={estimator.solver!r}, whose memory would be lost at every "
            "milestone: use GradientDescent(momentum=0.0), also called 'gd'."
        )
    watched = estimator.callbacks or getattr(estimator, "_skl_callbacks", None)
    for name, value, wanted in (
        ("tol", estimator.tol, None),
        ("early_stopping", estimator.early_stopping, False),
        ("callbacks", watched or None, None),
    ):
        if value != wanted:
            raise ValueError(
                f"{place} has {name}={value!r}, which would begin anew at every milestone: use "
                f"{name}={wanted}."
            )
