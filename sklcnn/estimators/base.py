"""What all networks share: prepare a job, train it, keep what was learned.

``fit`` reads like the way of the data: *prepare* turns (X, y) into a job, *train* turns jobs into
trained modules, *finish* stores the fitted attributes. A task (classifier, regressor) supplies
``_check_y``, ``_encode`` and ``_stratify``; a family supplies ``_plan``.
"""

import copy
import warnings
from numbers import Integral, Real
from typing import Self

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, _fit_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from sklcnn.estimators.layers import check_input_shape
from sklcnn.estimators.reports import CallbackSupportMixin, FitReport
from sklcnn.nn import ACTIVATIONS, DeepNetwork, PatchNetwork
from sklcnn.training import (
    SOLVERS,
    Job,
    Samples,
    Translation,
    make_net,
    make_solver,
    make_stack,
    outputs,
    resolve_device,
    train_one,
)

__all__ = ["AbstractNetwork"]

# Steps without improvement that "auto" waits for at least: the first ones may overshoot, and come
# back after more than ten.
MIN_PATIENCE = 50


class AbstractNetwork(CallbackSupportMixin, BaseEstimator):
    """Hidden layers of filters over patches, trained by gradient steps."""

    _doc_link_module = "sklcnn"
    _doc_link_template = (
        "https://sklcnn.readthedocs.io/en/stable/generated/sklcnn.{estimator_name}.html"
    )

    _parameter_constraints = {
        "n_filters": [Interval(Integral, 1, None, closed="left"), tuple],
        "activation": [StrOptions({*ACTIVATIONS, "soft_threshold"})],
        "readout": [StrOptions({"linear", "sum"})],
        "init_scale": [Interval(Real, 0, None, closed="left")],
        "solver": [StrOptions(set(SOLVERS)), BaseEstimator],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "augment_shift": [Interval(Integral, 0, None, closed="left")],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left"), None],
        "n_iter_no_change": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "warm_start": ["boolean"],
        "callbacks": [list, tuple, None],
        "device": [str],
        "dtype": [StrOptions({"float32", "float64"})],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def _store(self, parameters):
        """Keep the arguments of the constructor, unchanged."""
        for name in self._get_param_names():
            setattr(self, name, parameters[name])

    def _random(self):
        """Return the source of all seeds; without ``random_state`` it is not the global one."""
        if self.random_state is None:
            return np.random.RandomState()
        return check_random_state(self.random_state)

    def __sklearn_is_fitted__(self):
        return hasattr(self, "module_")

    def __getstate__(self):
        """Pickle from the CPU, so that a machine without the device can load."""
        state = dict(super().__getstate__())
        if "module_" in state and _device_of(state["module_"]).type != "cpu":
            state["module_"] = copy.deepcopy(state["module_"]).cpu()
            state["_solver_state"] = _to_cpu(state["_solver_state"])
        return state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        X_val: ArrayLike | None = None,
        y_val: ArrayLike | None = None,
        sample_weight_val: ArrayLike | None = None,
    ) -> Self:
        """Train the network.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training inputs; with ``input_shape`` also of shape (n_samples, \\*input_shape).
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Labels of any type, or targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples in the loss; a weight of zero removes the sample.
        X_val : array-like of shape (n_validation, n_features), default=None
            Validation inputs. They fill ``validation_loss_curve_`` and, with
            ``early_stopping=True``, decide when to stop; all of X then trains.
        y_val : array-like of shape (n_validation,) or (n_validation, n_outputs), default=None
            Validation labels or targets.
        sample_weight_val : array-like of shape (n_validation,), default=None
            Weights of the validation samples.

        Returns
        -------
        self : object
            The fitted network.

        Raises
        ------
        ValueError
            If a parameter or the data cannot be used, or if training diverges.
        """
        start = "warm" if self.warm_start and hasattr(self, "module_") else "fresh"
        samples = self._check_samples(X, y, sample_weight, reset=start == "fresh")
        validation = None
        if X_val is not None:
            validation = self._check_samples(X_val, y_val, sample_weight_val, reset=False)
        elif self.early_stopping:
            samples, validation = self._split(samples)
        return self._train(samples, validation, start, max_iter=self.max_iter, tol=self.tol)

    def _fit_epoch(self, X, y, sample_weight, classes=None):
        """Train for one epoch, from where the last call left off."""
        if make_solver(self.solver).n_steps is not None:
            raise ValueError(
                f"solver={self.solver!r} takes its steps all at once and cannot go on: use fit, or "
                "another solver."
            )
        start = "resume" if hasattr(self, "module_") else "fresh"
        samples = self._check_samples(X, y, sample_weight, start == "fresh", classes)
        return self._train(samples, None, start, max_iter=1, tol=None, early_stopping=False)

    def _train(self, samples, validation, start, **limits):
        """Prepare a job, train it, finish."""
        report = FitReport(self, samples.X, samples.target, limits["max_iter"])
        job = self._prepare(samples, validation, start, epoch_hook=report.epoch_hook, **limits)
        trained = train_one(job)
        report.end(trained.module)
        return self._finish(job, trained, start)

    # prepare

    def _check_samples(self, X, y, sample_weight, reset, classes=None):
        """Validate X, y and weights; samples of weight zero are removed."""
        X, y = validate_data(
            self, self._ravel(X), y, reset=reset, dtype=self.dtype, **self._y_rules
        )
        weight = None
        if sample_weight is not None:
            weight = _check_sample_weight(
                sample_weight, X, dtype=np.float64, ensure_non_negative=True
            )
            if not weight.any():
                raise ValueError("sample_weight is zero for every sample; one must be positive.")
            X, y, weight = X[weight > 0], y[weight > 0], weight[weight > 0]
        y = self._check_y(y, reset, classes)
        return Samples(X, y, self._weigh(y, weight))

    def _ravel(self, X):
        """Flatten the trailing axes of X if they are those of ``input_shape``."""
        shape = getattr(X, "shape", ())
        if self.input_shape is None or len(shape) <= 2:
            return X
        if tuple(shape[1:]) != tuple(self.input_shape):
            raise ValueError(
                f"X has shape {tuple(shape)}; its trailing axes must equal "
                f"input_shape={tuple(self.input_shape)}, or X must be two-dimensional."
            )
        return np.reshape(X, (len(X), -1))

    def _weigh(self, y, weight):
        """Return the weights of the samples in the loss, None if they are all alike."""
        return weight

    def _split(self, samples):
        """Hold out a fraction of the samples for early stopping."""
        rows = np.arange(len(samples.X))
        train_rows, validation_rows = train_test_split(
            rows,
            test_size=self.validation_fraction,
            random_state=self._random(),
            stratify=self._stratify(samples.target),
        )
        return tuple(
            Samples(
                samples.X[part],
                samples.target[part],
                None if samples.weight is None else samples.weight[part],
            )
            for part in (train_rows, validation_rows)
        )

    def _prepare(self, samples, validation, start, **limits):
        """Return the job: a seeded module (or the one trained so far) and coded samples."""
        samples = self._encode(samples)
        validation = None if validation is None else self._encode(validation)
        if start == "fresh":
            seeds = self._random().randint(2**31 - 1, size=2)
            init, shuffle = (torch.Generator().manual_seed(int(seed)) for seed in seeds)
            module = self._build(samples.target.shape[1], init)
            shuffle_state = shuffle.get_state()
        else:
            module, shuffle_state = copy.deepcopy(self.module_), self._shuffle_state
        return self._job(
            module,
            n_train=len(samples),
            samples=samples,
            validation=validation,
            shuffle_state=shuffle_state,
            solver_state=self._solver_state if start == "resume" else None,
            **limits,
        )

    def _build(self, n_outputs, generator):
        """Plan the hidden layers and draw the initial weights."""
        if self.readout == "sum" and n_outputs > 1:
            raise ValueError(
                f"readout='sum' gives one output, but {n_outputs} are needed; use readout='linear'."
            )
        self._plans = self._plan(self.n_features_in_)
        return self._assemble(
            n_outputs,
            activation=self.activation,
            readout=self.readout,
            generator=generator,
            init_scale=self.init_scale,
            dtype=getattr(torch, self.dtype),
        )

    def _assemble(self, n_outputs, **options):
        """Return the module of the planned layers; one of them has the faster gradient."""
        first = self._plans[0]
        if len(self._plans) == 1 and first.pool_size is None:
            layer = first.patch_indices, first.filter_groups, first.n_filters
            return PatchNetwork(*layer, n_outputs, pooling=first.pooling, **options)
        return DeepNetwork(self._plans, n_outputs, self._image_shape(), **options)

    def _image_shape(self):
        """Return (channels, height, width) of a sample."""
        return check_input_shape(self.input_shape, self.n_features_in_)

    def _translation(self):
        """Return how training samples are shifted, None if they are not."""
        if not self.augment_shift:
            return None
        shape = self._image_shape()
        if self.augment_shift >= min((side for side in shape[1:] if side > 1), default=1):
            raise ValueError(
                f"augment_shift={self.augment_shift} would shift a sample of height {shape[1]} and "
                f"width {shape[2]} out of sight; it must be smaller than both (an axis of length "
                "one is not shifted)."
            )
        return Translation(shape, self.augment_shift)

    def _job(self, module, n_train, **training):
        """Return a job with the parameters of this estimator."""
        solver = make_solver(self.solver).settle(module)
        batch_size = min(200, n_train) if self.batch_size == "auto" else self.batch_size
        batch_size = n_train if solver.full_batch else batch_size
        parameters = {
            "loss": self.loss,
            "learning_rate": self.learning_rate_init,
            "alpha": self.alpha,
            "batch_size": batch_size,
            "tol": self.tol,
            "n_iter_no_change": self._patience(-(-n_train // batch_size)),
            "early_stopping": self.early_stopping,
            "max_iter": self.max_iter,
            "translation": self._translation(),
            "device": resolve_device(self.device),
            "callbacks": tuple(self.callbacks or ()),
            "verbose": int(self.verbose),
        }
        if solver.n_steps is not None:
            training |= {"max_iter": solver.n_steps, "tol": None}
        return Job(module=module, solver=solver, **(parameters | training))

    def _patience(self, n_batches):
        """Return the epochs without improvement that are waited for."""
        if self.n_iter_no_change != "auto":
            return self.n_iter_no_change
        return max(10, -(-MIN_PATIENCE // n_batches))

    # finish

    def _finish(self, job, trained, start):
        """Store what was learned."""
        fresh = start == "fresh"
        earlier = ([], []) if fresh else (self.loss_curve_, self.validation_loss_curve_)
        self.module_ = trained.module
        self.loss_curve_ = earlier[0] + trained.train_loss
        self.validation_loss_curve_ = earlier[1] + trained.validation_loss
        self.n_iter_ = len(self.loss_curve_)
        self._present_layers()
        self._shuffle_state, self._solver_state = trained.shuffle_state, trained.solver_state
        self.n_train_ = len(job.samples)
        self.fit_seconds_ = trained.seconds + (0.0 if fresh else self.fit_seconds_)
        if job.tol is not None and not trained.stopped:
            warnings.warn(
                f"Training reached max_iter={self.max_iter} epochs and the loss still fell by more "
                "than tol; raise max_iter, or set tol=None to train for a fixed number of epochs.",
                ConvergenceWarning,
                stacklevel=4,
            )
        return self

    def _present_layers(self):
        """Show connectivity, sharing and filters: arrays, or lists of them if there are layers."""
        self.n_parameters_ = sum(parameter.numel() for parameter in self.module_.parameters())
        filters = [
            self._present_filters(layer.weight.detach().cpu().numpy().copy())
            for layer in self.module_.hidden_layers
        ]
        patches = [plan.patch_indices for plan in self._plans]
        groups = [plan.filter_groups for plan in self._plans]
        if len(filters) == 1:
            (filters,), (patches,), (groups,) = filters, patches, groups
        self.filters_, self.patch_indices_, self.filter_groups_ = filters, patches, groups

    @property
    def net_(self):
        """A working skorch net around ``module_``; its predictions are the network's outputs."""
        check_is_fitted(self)
        job = self._job(
            self.module_,
            n_train=self.n_train_,
            samples=None,
            validation=None,
            shuffle_state=self._shuffle_state,
        )
        net = make_net(make_stack([job])).initialize()
        net.optimizer_.load_state(self._solver_state)
        for epoch, loss in enumerate(self.loss_curve_):
            net.history.new_epoch()
            net.history.record("train_loss", loss)
            if self.validation_loss_curve_:
                net.history.record("valid_loss", self.validation_loss_curve_[epoch])
        return net

    def _outputs(self, X):
        """Validate X and return the outputs of the network, (n_samples, n_outputs)."""
        check_is_fitted(self)
        X = validate_data(self, self._ravel(X), reset=False, dtype=np.float64)
        return outputs(self.module_, X)


def _device_of(module):
    return next(module.parameters()).device


def _to_cpu(state):
    """Copy an optimizer's state dict to the CPU."""
    if isinstance(state, torch.Tensor):
        return state.cpu()
    if isinstance(state, dict):
        return {key: _to_cpu(value) for key, value in state.items()}
    if isinstance(state, list):
        return [_to_cpu(value) for value in state]
    return state
