"""The one door to skorch: jobs in, trained modules out.

skorch's training loop runs with its hooks and callbacks, over data that stay on the device: no
DataLoader, no hidden validation split, no default callbacks, one host synchronisation an epoch. One
net and a stack of nets run through the same lines.
"""

import copy
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import torch
from joblib import cpu_count
from skorch import NeuralNet
from skorch.callbacks import PrintLog
from skorch.helper import predefined_split
from skorch.utils import TeeGenerator
from torch import nn

from sklcnn.nn.losses import LOSSES
from sklcnn.training.callbacks import EpochHook, Stopping, StopTraining
from sklcnn.training.jobs import Samples, Trained
from sklcnn.training.solvers import Stepper
from sklcnn.training.stacks import group_jobs, make_stack

__all__ = ["Trainer", "make_net", "outputs", "resolve_device", "train"]

# Largest number of patch entries that prediction holds at once (64 MB in float32).
CHUNK_ENTRIES = 2**24
# A stack is compacted when no more than this share of its members still trains.
COMPACT_SHARE = 0.75


def train(jobs, cancelled=None):
    """Train every job; those that agree in everything but numbers train in one stack.

    Parameters
    ----------
    jobs : list of Job
        Each module may be trained in place.
    cancelled : callable or None, default=None
        Asked at every epoch; training is given up when it returns True.

    Returns
    -------
    outcomes : list of Trained or Exception
        In the order of the jobs. A job that fails has the exception that it met, a ValueError that
        names the learning rate if its loss became infinite or NaN; the others are not touched.
    """
    groups = group_jobs(jobs)

    def train_group(group):
        return _train([jobs[position] for position in group], cancelled)

    outcomes = [None] * len(jobs)
    for group, found in zip(groups, _map(train_group, groups, jobs), strict=True):
        for position, outcome in zip(group, found, strict=True):
            outcomes[position] = outcome
    return outcomes


def _map(function, groups, jobs):
    """Train groups side by side, one core each, if there are several and no GPU does it all."""
    n_threads = min(len(groups), cpu_count())
    if n_threads == 1 or any(job.device.type != "cpu" for job in jobs):
        return map(function, groups)
    return _map_threads(function, groups, n_threads)


def _map_threads(function, groups, n_threads):
    def on_one_core(group):
        torch.set_num_threads(1)
        return function(group)

    before = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(n_threads) as pool:
            yield from pool.map(on_one_core, groups)
    finally:
        torch.set_num_threads(before)


def _train(jobs, cancelled):
    """Train jobs in one stack, or one by one if the stack as a whole cannot be trained."""
    try:
        stack = make_stack(jobs)
        net = make_net(stack, cancelled).initialize()
        if jobs[0].solver_state is not None:
            net.optimizer_.load_state(jobs[0].solver_state)
        with _denormals_flushed():
            return net.run(stack.samples)
    except Exception as error:
        if len(jobs) == 1:
            return [error]
        return [outcome for job in jobs for outcome in _train([job], cancelled)]


@contextmanager
def _denormals_flushed():
    """Round numbers below the normal range to zero: processors are many times slower on them.

    Moments of Adam and outputs of saturated losses pass through that range. The setting belongs to
    the thread, and is left as it was found.
    """
    tiny = torch.tensor(torch.finfo(torch.float32).tiny)
    before = (tiny / 2).item() == 0
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)


def make_net(stack, cancelled=None):
    """Return the skorch net of a stack, not initialized."""
    job = stack.jobs[0]
    callbacks = list(job.callbacks)
    if job.tol is not None or job.early_stopping:
        callbacks.append(Stopping(stack.jobs))
    if job.epoch_hook is not None:
        callbacks.append(EpochHook(job.epoch_hook))
    if job.verbose:
        callbacks.append(PrintLog())
    return Trainer(
        stack.module,
        stack=stack,
        cancelled=cancelled,
        lr=stack.numbers("learning_rate"),
        max_epochs=job.max_iter,
        batch_size=max(job.batch_size for job in stack.jobs),
        train_split=None if stack.validation is None else predefined_split(stack.validation),
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
        An initialised network with ``cut`` and ``respond``, or a stack of them.
    stack : Stack
        The jobs that the module stands for.
    cancelled : callable or None, default=None
        Asked at every epoch; training is given up when it returns True.
    **kwargs
        Those of ``skorch.NeuralNet``.
    """

    def __init__(self, module, *, stack, cancelled=None, **kwargs):
        super().__init__(module, criterion=MeanLoss, **kwargs)
        self.stack = stack
        self.cancelled = cancelled

    def run(self, samples):
        """Train to the end and return the outcome of every member."""
        self.notify("on_train_begin", X=samples, y=None)
        stopped = True
        try:
            self.fit_loop(samples)
            stopped = False
        except StopTraining:
            pass
        finally:
            self.notify("on_train_end", X=samples, y=None)
        for place in np.flatnonzero(self.alive_):
            self._finish(place, stopped)
        return self.outcomes_

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        """Count the members in."""
        self.members_ = np.arange(len(self.stack.jobs))  # of the stack, by their number
        self.alive_ = np.ones(len(self.members_), dtype=bool)  # which of these still train
        self.curves_ = [{"train": [], "valid": []} for _ in self.members_]
        self.outcomes_ = [None] * len(self.members_)

    def keep(self, places):
        """Keep the weights that members have now, (n_members,) bool, to leave with."""
        rows = torch.from_numpy(np.flatnonzero(places)) if self.stack.stacked else ...
        for kept, now in zip(self.stack.kept.parameters(), self.module_.parameters(), strict=True):
            kept.data[rows] = now.data[rows]

    def retire(self, places):
        """End the training of members, (n_members,) bool."""
        for place in np.flatnonzero(places & self.alive_):
            self._finish(place, stopped=True)
        self._leave(places)

    def _leave(self, places):
        self.alive_ &= ~places
        if not self.alive_.any():
            raise StopTraining

    def _finish(self, place, stopped):
        """Keep what one member has learned."""
        number = self.members_[place]
        row = place if self.stack.stacked else None
        self.outcomes_[number] = Trained(
            module=self.stack.unstack(number, self.stack.kept, row),
            train_loss=self.curves_[number]["train"],
            validation_loss=self.curves_[number]["valid"],
            stopped=stopped,
            shuffle_state=self.generators_[place].get_state(),
            solver_state=self.optimizer_.state_of(row),
        )

    def on_epoch_begin(self, net, **kwargs):
        """Open a row of history; take members that have ended out of the stack."""
        super().on_epoch_begin(net, **kwargs)
        if self.cancelled is not None and self.cancelled():
            raise RuntimeError("training was given up, as the call that it belongs to has ended")
        if self.stack.stacked and self.alive_.mean() <= COMPACT_SHARE:
            self._compact()

    def _compact(self):
        keep = np.flatnonzero(self.alive_)
        rows = torch.from_numpy(keep).to(self.device)
        self.optimizer_.keep(rows)
        for module in {self.module_, self.stack.kept}:
            for parameter in module.parameters():
                parameter.data, parameter.grad = parameter.data[rows], None
        for batches in self.batches_:
            batches.keep(rows)
        self.members_, self.alive_ = self.members_[keep], self.alive_[keep]
        self.generators_ = [self.generators_[place] for place in keep]

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
        self.criterion_ = MeanLoss(self.stack.jobs[0].loss)
        return self

    def initialize_optimizer(self, *args, **kwargs):
        """Build the optimizer of the solver, and the generators that shuffle mini-batches."""
        self.optimizer_ = Stepper(
            self.module_,
            self.stack.jobs[0].solver,
            self.lr,
            self.stack.numbers("alpha"),
            self.stack.stacked,
        )
        self.generators_ = [torch.Generator() for _ in self.stack.jobs]
        for generator, job in zip(self.generators_, self.stack.jobs, strict=True):
            generator.set_state(job.shuffle_state)
        self.batches_ = []
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
        if not training:
            batches = Batches(self.module_, dataset, _chunk_size(self.module_))
        else:
            batches = Batches(self.module_, dataset, self.batch_size, self._draw_order)
        self.batches_.append(batches)
        return batches

    def _draw_order(self, n_samples):
        """Return a new order of the samples, (n_samples,) or (n_members, n_samples)."""
        orders = []
        for number, generator in zip(self.members_, self.generators_, strict=True):
            own = len(self.stack.jobs[number].samples) if self.stack.stacked else n_samples
            order = torch.randperm(own, generator=generator)
            orders.append(torch.cat([order, torch.arange(own, n_samples)]))
        return torch.stack(orders) if self.stack.stacked else orders[0]

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
        """Run one epoch; its mean losses are fetched from the device once, at the end."""
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
        losses = _weighted_mean(losses, weights).tolist()
        self.history.record(f"{prefix}_loss", losses)
        losses = np.atleast_1d(losses)
        for place in np.flatnonzero(self.alive_):
            self.curves_[self.members_[place]][prefix].append(float(losses[place]))
        if training and not np.isfinite(losses).all():
            self._fail(self.alive_ & ~np.isfinite(losses))

    def _fail(self, places):
        """End members whose loss is no number any more."""
        for number in self.members_[places]:
            losses = self.curves_[number]["train"]
            self.outcomes_[number] = ValueError(
                f"The training loss became {losses[-1]} in epoch {len(losses)}: training diverged. "
                f"Try a smaller learning_rate_init than {self.stack.jobs[number].learning_rate}, "
                "or clip_norm in the solver."
            )
        self._leave(places)

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
    draw_order : callable or None, default=None
        Takes the number of samples and returns their order in an epoch, (n_samples,) or for each
        member its own; None keeps the order of the samples.
    """

    def __init__(self, module, samples, batch_size, draw_order=None):
        self.module, self.samples = module, samples
        self.batch_size, self.draw_order = batch_size, draw_order
        self._whole = self._batch(samples) if len(samples) <= batch_size else None

    def __len__(self):
        return -(-len(self.samples) // self.batch_size)

    def __iter__(self):
        if self._whole is not None:
            yield self._whole
            return
        n_samples = len(self.samples)
        order = torch.arange(n_samples) if self.draw_order is None else self.draw_order(n_samples)
        for rows in order.to(self.samples.X.device).split(self.batch_size, dim=-1):
            yield self._batch(self.samples.take(rows))

    def keep(self, members):
        """Forget the other members of the stack."""
        self.samples = self.samples.keep(members)
        if self._whole is not None:
            self._whole = self._batch(self.samples)

    def _batch(self, samples):
        return self.module.cut(samples.X), (samples.target, samples.weight)


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
