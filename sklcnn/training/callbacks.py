"""skorch callbacks that end or watch training."""

import numpy as np
from skorch.callbacks import Callback

__all__ = ["EpochHook", "Stopping", "StopTraining", "Tolerances"]


class StopTraining(Exception):
    """Raised by a callback to end training; what has been learned so far is kept."""


class Stopping(Callback):
    """End the training of every member whose loss has not improved for a while.

    Parameters
    ----------
    jobs : list of Job
        One for each member. ``tol`` is the least improvement over the best loss so far that counts,
        None counts every epoch as one; training ends after more than ``n_iter_no_change`` epochs in
        a row without an improvement. With ``early_stopping`` the validation loss is watched, and
        the weights of its best epoch are kept.
    """

    def __init__(self, jobs):
        self.jobs = jobs

    def on_train_begin(self, net, **kwargs):
        """Forget what an earlier training saw."""
        n_members = len(self.jobs)
        self.tol_ = np.array([-np.inf if job.tol is None else job.tol for job in self.jobs])
        self.patience_ = np.array([job.n_iter_no_change for job in self.jobs])
        self.best_losses_ = np.full(n_members, np.inf)
        self.epochs_waited_ = np.zeros(n_members, dtype=int)

    def on_epoch_end(self, net, **kwargs):
        """Compare the losses of this epoch with the best."""
        early_stopping = self.jobs[0].early_stopping
        losses = net.last_losses_["valid" if early_stopping else "train"]
        numbers = net.members_
        improved = losses <= self.best_losses_[numbers] - self.tol_[numbers]
        self.epochs_waited_[numbers] = np.where(improved, 0, self.epochs_waited_[numbers] + 1)
        better = losses < self.best_losses_[numbers]
        self.best_losses_[numbers[better]] = losses[better]
        if early_stopping and better.any():
            net.keep(better)
        done = self.epochs_waited_[numbers] > self.patience_[numbers]
        if done.any():
            net.retire(done)


class Tolerances(Callback):
    """End the training of every member whose loss or gradient is within its solver's tolerance.

    Parameters
    ----------
    jobs : list of Job
        One for each member. ``loss_tol`` and ``gradient_tol`` of their solvers are compared with
        the loss and the norm of the gradient before the step of an epoch.
    """

    def __init__(self, jobs):
        self.jobs = jobs

    def on_train_begin(self, net, **kwargs):
        """Forget what an earlier training saw."""
        self.loss_tol_ = self._of_solvers("loss_tol")
        self.gradient_tol_ = self._of_solvers("gradient_tol")
        self.done_ = np.zeros(len(self.jobs), dtype=bool)

    def compare(self, members, alive, losses, norms=None):
        """Return which members, by their number, are done with this epoch, (n_members,) bool."""
        self.done_ = losses <= self.loss_tol_[members]
        if norms is not None:
            self.done_ |= norms <= self.gradient_tol_[members]
        self.done_ &= alive
        return self.done_

    def on_epoch_end(self, net, **kwargs):
        """Let members go that are done."""
        if self.done_.any():
            net.retire(self.done_)

    def _of_solvers(self, name):
        values = [getattr(job.solver, name) for job in self.jobs]
        return np.array([-np.inf if value is None else value for value in values])


class EpochHook(Callback):
    """Call a function after every epoch; training ends when it returns True.

    Parameters
    ----------
    function : callable
        Takes the module being trained.
    """

    def __init__(self, function):
        self.function = function

    def on_epoch_end(self, net, **kwargs):
        """Call the function."""
        if self.function(net.module_):
            raise StopTraining
