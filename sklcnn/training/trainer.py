"""The one door to skorch: jobs in, trained modules out.

skorch's training loop runs with its hooks and callbacks, over data that stay on the device: no
DataLoader, no hidden validation split, no default callbacks, one host synchronisation an epoch.
"""

import copy
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from skorch import NeuralNet
from skorch.callbacks import PrintLog
from skorch.helper import predefined_split
from skorch.utils import TeeGenerator
from torch import nn

from sklcnn.nn.losses import LOSSES
from sklcnn.training.callbacks import EpochHook, Stopping, StopTraining
from sklcnn.training.solvers import Stepper

__all__ = ["Job", "Samples", "Trained", "Trainer", "make_net", "outputs", "resolve_device", "train"]

# Largest number of patch entries that prediction holds at once (64 MB in float32).
CHUNK_ENTRIES = 2**24


@dataclass(frozen=True)
class Samples:
    """Inputs, coded targets and weights of some samples, as arrays or tensors.

    Samples lie on axis -2 of X and target and on axis -1 of weight.
    """

    X: Any  # (..., n_samples, n_features)
    target: Any  # (..., n_samples, n_outputs)
    weight: Any = None  # (..., n_samples), None: all one

    def __len__(self):
        return self.X.shape[-2]

    def to(self, device, dtype):
        """Return the same samples as tensors on a device."""

        def move(array):
            if array is None or isinstance(array, torch.Tensor):
                return array
            return torch.tensor(np.ascontiguousarray(array), dtype=dtype, device=device)

        return Samples(move(self.X), move(self.target), move(self.weight))


@dataclass(frozen=True)
class Job:
    """Everything that training one network needs; labels and estimators are not part of it."""

    module: nn.Module  # already seeded
    samples: Samples
    validation: Samples | None
    loss: str
    solver: Any
    learning_rate: float
    alpha: float
    batch_size: int
    max_iter: int
    tol: float | None
    n_iter_no_change: int
    early_stopping: bool
    device: torch.device
    shuffle_state: torch.Tensor  # state of the generator that shuffles mini-batches
    solver_state: dict | None = None  # of an earlier training that this one continues
    callbacks: tuple = ()
    epoch_hook: Any = None
    verbose: int = 0


@dataclass(frozen=True)
class Trained:
    """A trained module and the record of its training."""

    module: nn.Module
    train_loss: list  # one value per epoch
    validation_loss: list  # one value per epoch, empty without validation samples
    stopped: bool  # whether training ended before max_iter
    shuffle_state: torch.Tensor = field(repr=False)
    solver_state: dict = field(repr=False)


def train(jobs):
    """Train every job.

    Parameters
    ----------
    jobs : list of Job
        Each module is trained in place.

    Returns
    -------
    trained : list of Trained
        In the order of the jobs.

    Raises
    ------
    ValueError
        If a loss becomes infinite or NaN; the message names the learning rate.
    """
    return [_train_one(job) for job in jobs]


def _train_one(job):
    dtype = next(job.module.parameters()).dtype
    samples = job.samples.to(job.device, dtype)
    validation = None if job.validation is None else job.validation.to(job.device, dtype)
    net = make_net(job, validation).initialize()
    if job.solver_state is not None:
        net.optimizer_.load_state_dict(job.solver_state)
    stopped = net.run(samples)
    return Trained(
        module=net.module_,
        train_loss=[row["train_loss"] for row in net.history],
        validation_loss=[row["valid_loss"] for row in net.history if "valid_loss" in row],
        stopped=stopped,
        shuffle_state=net.shuffle_generator.get_state(),
        solver_state=net.optimizer_.state_dict(),
    )


def make_net(job, validation=None):
    """Return the skorch net of a job, not initialized."""
    callbacks = list(job.callbacks)
    if job.tol is not None or job.early_stopping:
        callbacks.append(Stopping(job.tol, job.n_iter_no_change, job.early_stopping))
    if job.epoch_hook is not None:
        callbacks.append(EpochHook(job.epoch_hook))
    if job.verbose:
        callbacks.append(PrintLog())
    generator = torch.Generator()
    generator.set_state(job.shuffle_state)
    return Trainer(
        job.module,
        loss=job.loss,
        solver=job.solver,
        alpha=job.alpha,
        shuffle_generator=generator,
        lr=job.learning_rate,
        max_epochs=job.max_iter,
        batch_size=job.batch_size,
        train_split=None if validation is None else predefined_split(validation),
        callbacks=callbacks,
        device=str(job.device),
        verbose=job.verbose,
    )


class Trainer(NeuralNet):
    """A skorch net over resident samples.

    It is an ordinary ``skorch.NeuralNet`` whose ``predict`` returns the outputs of the network.

    Parameters
    ----------
    module : Module
        An initialised network with ``cut`` and ``respond``.
    loss : {"log_loss", "squared_error", "hinge", "exponential"}
        Loss of one sample; the (weighted) mean over samples is minimised.
    solver : GradientDescent, SGD or Adam
        Update rule.
    alpha : float
        Strength of the L2 penalty.
    shuffle_generator : torch.Generator
        Source of the order of mini-batches.
    **kwargs
        Those of ``skorch.NeuralNet``.
    """

    def __init__(self, module, *, loss, solver, alpha=0.0, shuffle_generator=None, **kwargs):
        super().__init__(module, criterion=MeanLoss, **kwargs)
        self.loss = loss
        self.solver = solver
        self.alpha = alpha
        self.shuffle_generator = shuffle_generator

    def run(self, samples):
        """Train to the end and return whether a callback ended it early."""
        self.notify("on_train_begin", X=samples, y=None)
        try:
            self.fit_loop(samples)
            return False
        except StopTraining:
            return True
        finally:
            self.notify("on_train_end", X=samples, y=None)

    def notify(self, method_name, **kwargs):
        """Tell the callbacks; skorch's own ask for the end of training by KeyboardInterrupt."""
        getattr(self, method_name)(self, **kwargs)
        for _, callback in self.callbacks_:
            try:
                getattr(callback, method_name)(self, **kwargs)
            except KeyboardInterrupt as request:
                raise StopTraining from request

    @property
    def _default_callbacks(self):
        return []

    def initialize_criterion(self, reason=None):
        """Build the loss by its name."""
        self.criterion_ = MeanLoss(self.loss)
        return self

    def initialize_optimizer(self, *args, **kwargs):
        """Build the optimizer of the solver."""
        self.optimizer_ = Stepper(self.module_, self.solver, self.lr, self.alpha)
        return self

    def get_dataset(self, X, y=None):
        """Put samples on the device, once."""
        if not isinstance(X, Samples):
            X = Samples(X, y)
        parameter = next(self.module_.parameters())
        return X.to(parameter.device, parameter.dtype)

    def get_split_datasets(self, X, y=None, **fit_params):
        """Train on all samples; validate on those that were handed over, if any."""
        dataset = self.get_dataset(X, y)
        return self.train_split(dataset) if self.train_split else (dataset, None)

    def get_iterator(self, dataset, training=False):
        """Iterate over patches cut from resident samples."""
        if training:
            return Batches(self.module_, dataset, self.batch_size, self.shuffle_generator)
        return Batches(self.module_, dataset, _chunk_size(self.module_))

    def infer(self, x, **fit_params):
        """Respond to cut patches."""
        return self.module_.respond(x)

    def get_loss(self, y_pred, y_true, *args, **kwargs):
        """Return the mean loss, one value for each member."""
        return self.criterion_(y_pred, *y_true)

    def train_step(self, batch, **fit_params):
        """Take one step on a batch."""
        inputs, (target, weight) = batch
        self.optimizer_.zero_grad()
        y_pred = self.infer(inputs)
        loss = self.criterion_(y_pred, target, weight)
        loss.backward(torch.ones_like(loss))
        self.notify(
            "on_grad_computed",
            named_parameters=TeeGenerator(self.get_all_learnable_params()),
            batch=batch,
            training=True,
        )
        self.optimizer_.batch_weight = _batch_weight(target, weight)
        self.optimizer_.step()
        return {"loss": loss.detach(), "y_pred": y_pred.detach()}

    def validation_step(self, batch, **fit_params):
        """Evaluate the loss on a batch."""
        inputs, (target, weight) = batch
        with torch.no_grad():
            y_pred = self.infer(inputs)
            return {"loss": self.criterion_(y_pred, target, weight), "y_pred": y_pred}

    def run_single_epoch(self, iterator, training, prefix, step_fn, **fit_params):
        """Run one epoch; its mean loss is fetched from the device once, at the end."""
        if iterator is None:
            return
        if self.module_.training != training:
            self._set_training(training)
        losses, weights = [], []
        for batch in iterator:
            self.notify("on_batch_begin", batch=batch, training=training)
            step = step_fn(batch, **fit_params)
            losses.append(step["loss"])
            weights.append(_batch_weight(*batch[1]))
            self.notify("on_batch_end", batch=batch, training=training, **step)
        loss = _weighted_mean(losses, weights).tolist()
        if not np.isfinite(loss).all() and training:
            raise ValueError(
                f"The training loss became {loss} in epoch {len(self.history)}: training diverged. "
                f"Try a smaller learning_rate_init than {self.lr}, or clip_norm in the solver."
            )
        self.history.record(f"{prefix}_loss", loss)

    def on_batch_begin(self, net, **kwargs):
        """Keep no record of single batches."""


class MeanLoss(nn.Module):
    """Mean loss over samples, (..., ) for outputs of shape (..., n_samples, n_outputs)."""

    def __init__(self, loss):
        super().__init__()
        self.of_samples = LOSSES[loss]

    def forward(self, outputs, target, weight=None):
        """Return the weighted mean over samples."""
        losses = self.of_samples(outputs, target)  # (..., n_samples)
        if weight is None:
            return losses.mean(dim=-1)
        return (losses * weight).sum(dim=-1) / weight.sum(dim=-1)


class Batches:
    """Iterate over ``(patches, (target, weight))``; full batches are cut once, others anew.

    Parameters
    ----------
    module : Module
        Cuts the patches.
    samples : Samples
        Tensors on the device of the module.
    batch_size : int
        Samples in a batch; the last one may be smaller.
    generator : torch.Generator or None, default=None
        Draws a new order for every epoch; None keeps the order of the samples.
    """

    def __init__(self, module, samples, batch_size, generator=None):
        self.module, self.samples = module, samples
        self.batch_size, self.generator = batch_size, generator
        whole = len(samples) <= batch_size
        self._whole = self._batch(slice(None)) if whole else None

    def __len__(self):
        return -(-len(self.samples) // self.batch_size)

    def __iter__(self):
        if self._whole is not None:
            yield self._whole
            return
        n_samples = len(self.samples)
        if self.generator is None:
            order = torch.arange(n_samples)
        else:
            order = torch.randperm(n_samples, generator=self.generator)
        for rows in order.to(self.samples.X.device).split(self.batch_size):
            yield self._batch(rows)

    def _batch(self, rows):
        samples = self.samples
        weight = None if samples.weight is None else samples.weight[..., rows]
        target = None if samples.target is None else samples.target[..., rows, :]
        return self.module.cut(samples.X[..., rows, :]), (target, weight)


def outputs(module, X):
    """Return the outputs of a module for an array, computed in float64.

    In double precision a prediction does not depend, to any digit that matters, on the samples that
    it is computed together with. Devices without float64 leave the work to the CPU.

    Parameters
    ----------
    module : Module
        Is left as it is.
    X : ndarray of shape (n_samples, n_features)
        Inputs.

    Returns
    -------
    outputs : ndarray of shape (n_samples, n_outputs), dtype float64
        One row a sample.
    """
    device = next(module.parameters()).device
    device = torch.device("cpu") if device.type == "mps" else device
    module = copy.deepcopy(module).to(device, torch.float64).eval()
    batches = Batches(module, Samples(X, None).to(device, torch.float64), _chunk_size(module))
    with torch.no_grad():
        return torch.cat([module.respond(patches) for patches, _ in batches]).cpu().numpy()


def resolve_device(device):
    """Return the torch device that a name stands for.

    Parameters
    ----------
    device : str
        "auto" is CUDA if there is one, else the CPU.

    Returns
    -------
    device : torch.device
        An available device.

    Raises
    ------
    ValueError
        If the name is not a device, or the device is not available here.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.empty(0, device=device)
        return torch.device(device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(
            f"device={device!r} is not available ({reason}); use 'auto', 'cpu', 'cuda', 'cuda:1' "
            "or 'mps'."
        ) from error


def _chunk_size(module):
    """Samples whose cut patches fill a chunk."""
    return max(1, CHUNK_ENTRIES // int(np.prod(module.blocks)))


def _batch_weight(target, weight):
    """Total weight of a batch: its number of samples unless they are weighted."""
    return target.shape[-2] if weight is None else weight.sum(dim=-1)


def _weighted_mean(losses, weights):
    """Mean over batches, one value for each member."""
    if len(losses) == 1:
        return losses[0]
    total = sum(weight * loss for weight, loss in zip(weights, losses, strict=True))
    return total / sum(weights)
