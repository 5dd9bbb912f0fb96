"""The one door to skorch: a stack of jobs in, trained modules out.

skorch's training loop runs with its hooks and callbacks, over data that stay on the device: no
DataLoader, no hidden validation split, no default callbacks, one host synchronisation an epoch. One
net and a stack of nets run through the same lines.
"""

import time

import numpy as np
import torch
from skorch import NeuralNet
from skorch.callbacks import PrintLog
from skorch.helper import predefined_split
from skorch.utils import TeeGenerator

from sklcnn.nn.gradients import Workspace
from sklcnn.nn.losses import MeanLoss
from sklcnn.training.batches import Batches, chunk_size
from sklcnn.training.callbacks import EpochHook, Stopping, StopTraining, Tolerances
from sklcnn.training.divergence import describe_divergence, keep_start
from sklcnn.training.history import EpochHistory, LossCurves, Snapshots
from sklcnn.training.jobs import Samples, Trained
from sklcnn.training.stepper import Stepper

__all__ = ["Trainer", "make_net"]

# A stack is compacted when no more than this share of its members still trains.
COMPACT_SHARE = 0.75


def make_net(stack, cancelled=None):
    """Return the skorch net of a stack, not initialized."""
    job = stack.jobs[0]
    callbacks = list(job.callbacks)
    if job.early_stopping or any(member.tol is not None for member in stack.jobs):
        callbacks.append(Stopping(stack.jobs))
    if job.solver.has_tolerances:
        callbacks.append(Tolerances(stack.jobs))
    if job.epoch_hook is not None:
        callbacks.append(EpochHook(job.epoch_hook))
    if job.verbose:
        callbacks.append(PrintLog())
    return Trainer(
        stack.module,
        stack=stack,
        cancelled=cancelled,
        lr=stack.numbers("learning_rate"),
        max_epochs=max(member.max_iter for member in stack.jobs),
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
        An initialized network with ``cut`` and ``respond``, or a stack of them.
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
        self.history_ = EpochHistory()
        self.keeps_history_ = True

    def run(self, samples):
        """Train to the end and return the outcome of every member."""
        # A row for every epoch of a long training is kept only if somebody looks at it.
        self.keeps_history_ = bool(self.stack.jobs[0].callbacks or self.stack.jobs[0].verbose)
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
        self.began_ = time.perf_counter()
        self.members_ = np.arange(len(self.stack.jobs))  # of the stack, by their number
        self.alive_ = np.ones(len(self.members_), dtype=bool)  # which of these still train
        self.curves_ = {prefix: LossCurves(len(self.members_)) for prefix in ("train", "valid")}
        self.last_losses_ = {}  # of the members that are left, (n_members,)
        self.starts_ = keep_start(self.stack)
        found = [watcher for _, watcher in self.callbacks_ if isinstance(watcher, Tolerances)]
        self.tolerances_ = found[0] if found else None
        self.max_iters_ = np.array([job.max_iter for job in self.stack.jobs])
        self.ends_ = set(self.max_iters_.tolist())
        self.outcomes_ = [None] * len(self.members_)
        self.snapshots_ = Snapshots(self.stack.jobs)
        self.snapshots_.take(0, self.members_, self.module_)

    def keep(self, places):
        """Keep the weights that members have now, (n_members,) bool, to leave with."""
        rows = self._rows(places)
        for kept, now in zip(self.stack.kept.parameters(), self.module_.parameters(), strict=True):
            kept.data[rows] = now.data[rows]

    def _rows(self, places):
        """Return where the parameters of members lie."""
        return torch.from_numpy(np.flatnonzero(places)) if self.stack.stacked else ...

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
            train_loss=self.curves_["train"].of(number),
            validation_loss=self.curves_["valid"].of(number),
            snapshots=self.snapshots_.of(number, row is not None),
            stopped=stopped,
            seconds=(time.perf_counter() - self.began_) / len(self.stack.jobs),
            shuffle_state=self.generators_[place].get_state(),
            solver_state=self.optimizer_.state_of(row),
        )

    def on_epoch_begin(self, net, **kwargs):
        """Open a row of history; take members that have ended out of the stack."""
        self._retire_at_max_iter()
        if self.keeps_history_:
            super().on_epoch_begin(net, **kwargs)
        if self.cancelled is not None and self.cancelled():
            raise RuntimeError("training was given up, as the call that it belongs to has ended")
        if np.count_nonzero(self.alive_) <= COMPACT_SHARE * len(self.alive_):
            self._compact()

    def on_epoch_end(self, net, **kwargs):
        """Copy the weights, if any member wants them after this epoch."""
        self.snapshots_.take(len(self.curves_["train"]), self.members_, self.module_)

    def _retire_at_max_iter(self):
        n_epochs = len(self.curves_["train"])
        if n_epochs not in self.ends_:
            return
        places = self.alive_ & (self.max_iters_[self.members_] == n_epochs)
        for place in np.flatnonzero(places):
            self._finish(place, stopped=False)
        self._leave(places)

    def _compact(self):
        """Take members that have ended out of the stack; every family keeps as many siblings."""
        alive = self.alive_.reshape(-1, self.n_siblings_)
        families, n_siblings = np.flatnonzero(alive.any(axis=1)), int(alive.sum(axis=1).max())
        first = np.argsort(~alive[families], axis=1, kind="stable")[:, :n_siblings]
        keep = (families[:, None] * self.n_siblings_ + np.sort(first, axis=1)).ravel()
        if len(keep) > COMPACT_SHARE * len(self.alive_):
            return
        self.n_siblings_ = n_siblings
        rows = torch.from_numpy(keep).to(self.device)
        self.optimizer_.keep(rows)
        for module in {self.module_, self.stack.kept}:
            for parameter in module.parameters():
                parameter.data, parameter.grad = parameter.data[rows], None
        for batches in self.batches_:
            batches.keep(rows)
        self.space_ = Workspace()
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
        job = self.stack.jobs[0]
        self.criterion_ = MeanLoss(job.loss, job.logarithm)
        return self

    def initialize_optimizer(self, *args, **kwargs):
        """Build the optimizer of the solver, and the generators that shuffle mini-batches."""
        self.optimizer_ = Stepper(
            self.module_,
            [job.solver for job in self.stack.jobs],
            self.lr,
            self.stack.numbers("alpha"),
            self.stack.stacked,
        )
        self.n_siblings_ = self.stack.n_siblings
        self.generators_ = []
        for place, job in enumerate(self.stack.jobs):
            eldest = place - place % self.n_siblings_
            state = job.shuffle_state
            if place > eldest and torch.equal(state, self.stack.jobs[eldest].shuffle_state):
                generator = self.generators_[eldest]  # siblings draw one order together
            else:
                generator = torch.Generator()
                generator.set_state(state)
            self.generators_.append(generator)
        self.batches_ = []
        self.space_ = Workspace()
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
            batches = Batches(self.module_, dataset, chunk_size(self.module_))
        else:
            translation = self.stack.jobs[0].translation
            batches = Batches(self.module_, dataset, self.batch_size, self._draw_order, translation)
        self.batches_.append(batches)
        return batches

    def _draw_order(self, n_samples):
        """Return a new order of the samples, and new shifts if they are to be translated.

        Shapes: (n_samples,) and (n_samples, 2), with an axis of inputs in front in a stack.
        """
        draws = []
        for place in range(0, len(self.members_), self.n_siblings_):
            job = self.stack.jobs[self.members_[place]]
            own = len(job.samples) if self.stack.stacked else n_samples
            draws.append(_draw(own, n_samples, self.generators_[place], job.translation))
        if not self.stack.stacked:
            return draws[0]
        orders, shifts = zip(*draws, strict=True)
        return torch.stack(orders), None if shifts[0] is None else torch.stack(shifts)

    def infer(self, x, **fit_params):
        """Respond to cut patches."""
        return self.module_.respond(x)

    def get_loss(self, y_pred, y_true, *args, **kwargs):
        """Return the mean loss, one value for each member."""
        return self.criterion_(y_pred, *y_true)

    def train_step(self, batch, **fit_params):
        """Take one step on a batch."""
        inputs, (target, weight) = batch
        self.optimizer_.attempt()
        loss, y_pred = self.optimizer_.evaluate(
            self.module_, self.criterion_, inputs, target, weight, self.space_
        )
        loss = self.optimizer_.judge(loss)
        if self.callbacks_:
            named = TeeGenerator(self.get_all_learnable_params())
            self.notify("on_grad_computed", named_parameters=named, batch=batch, training=True)
        self.optimizer_.batch_weight = _batch_weight(target, weight)
        if self.tolerances_ is None:
            self.optimizer_.step()
        else:
            loss = self._step_unless_done(loss)
        return {"loss": loss, "y_pred": y_pred}

    def _step_unless_done(self, loss):
        """Take a step, but not with members that are within a tolerance; return the fetched loss.

        It is fetched before the step in the place of after it, and the norms with it.
        """
        fetched = []

        def hold(norms):
            both = (loss[None] if norms is None else torch.stack([loss, norms])).cpu()
            fetched.extend(both)
            numbers = both.reshape(len(both), -1).double().numpy()
            done = self.tolerances_.compare(self.members_, self.alive_, *numbers)
            return self._rows(done) if done.any() else None

        self.optimizer_.step(hold=hold)
        return fetched[0]

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
            if self.callbacks_:
                self.notify("on_batch_begin", batch=batch, training=training)
            step = step_fn(batch, **fit_params)
            losses.append(step["loss"])
            weights.append(_batch_weight(*batch[1]))
            if self.callbacks_:
                self.notify("on_batch_end", batch=batch, training=training, **step)
        self._record(prefix, _weighted_mean(losses, weights).cpu().numpy())

    def _record(self, prefix, losses):
        """Keep the losses of an epoch; members whose loss is no number any more have failed."""
        if self.keeps_history_:
            self.history.record(f"{prefix}_loss", losses if self.stack.stacked else float(losses))
        self.last_losses_[prefix] = np.atleast_1d(losses)
        self.curves_[prefix].append(self.members_, losses)
        if prefix == "train" and not np.isfinite(losses).all():
            self._fail(self.alive_ & ~np.isfinite(losses))

    def _fail(self, places):
        """End members whose loss is no number any more."""
        epoch = len(self.curves_["train"])
        for place in np.flatnonzero(places):
            number, loss = self.members_[place], float(self.last_losses_["train"][place])
            job, start = self.stack.jobs[number], self.starts_[number]
            self.outcomes_[number] = ValueError(describe_divergence(job, loss, epoch, start))
        self._leave(places)

    def on_batch_begin(self, net, **kwargs):
        """Keep no record of single batches."""


def _draw(own, n_samples, generator, translation):
    """Draw an order of a member's own samples, which padding follows, and their shifts."""
    order = torch.cat([torch.randperm(own, generator=generator), torch.arange(own, n_samples)])
    if translation is None:
        return order, None
    shifts = translation.draw(own, generator)
    return order, torch.cat([shifts, shifts.new_zeros(n_samples - own, 2)])


def _batch_weight(target, weight):
    """Total weight of a batch: its number of samples unless they are weighted."""
    return target.shape[-2] if weight is None else weight.sum(dim=-1)


def _weighted_mean(losses, weights):
    """Mean over batches, one value for each member."""
    if len(losses) == 1:
        return losses[0]
    total = sum(weight * loss for weight, loss in zip(weights, losses, strict=True))
    return total / sum(weights)
