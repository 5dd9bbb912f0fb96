"""skorch callbacks that end or watch training."""

import numpy as np
from skorch.callbacks import Callback

__all__ = ["EpochHook", "Stopping", "StopTraining"]


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
        losses = np.atleast_1d(net.history[-1]["valid_loss" if early_stopping else "train_loss"])
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
