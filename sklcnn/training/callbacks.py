"""skorch callbacks that end or watch training."""

import copy

from skorch.callbacks import Callback

__all__ = ["EpochHook", "Stopping", "StopTraining"]


class StopTraining(Exception):
    """Raised by a callback to end training; what has been learned so far is kept."""


class Stopping(Callback):
    """End training when a loss has not improved for a while.

    Parameters
    ----------
    tol : float or None
        Least improvement over the best loss so far that counts; None never ends training.
    n_iter_no_change : int
        Training ends after more than this many epochs in a row without an improvement.
    early_stopping : bool, default=False
        Whether to watch the validation loss and to end with the weights of its best epoch; else
        the training loss is watched and the last weights are kept.
    """

    def __init__(self, tol, n_iter_no_change, early_stopping=False):
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.early_stopping = early_stopping

    def on_train_begin(self, net, **kwargs):
        """Forget what an earlier training saw."""
        self.best_loss_ = float("inf")
        self.epochs_waited_ = 0
        self.best_weights_ = None

    def on_epoch_end(self, net, **kwargs):
        """Compare the loss of this epoch with the best."""
        loss = net.history[-1]["valid_loss" if self.early_stopping else "train_loss"]
        improved = self.tol is None or loss <= self.best_loss_ - self.tol
        self.epochs_waited_ = 0 if improved else self.epochs_waited_ + 1
        if loss < self.best_loss_:
            self.best_loss_ = loss
            if self.early_stopping:
                self.best_weights_ = copy.deepcopy(net.module_.state_dict())
        if self.epochs_waited_ > self.n_iter_no_change:
            raise StopTraining

    def on_train_end(self, net, **kwargs):
        """Restore the weights of the best epoch if they were kept."""
        if self.best_weights_ is not None:
            net.module_.load_state_dict(self.best_weights_)


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
