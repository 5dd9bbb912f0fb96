"""What training records of every epoch, at a cost that does not grow with their number."""

import numpy as np
from skorch.history import History

__all__ = ["EpochHistory", "LossCurves", "Snapshots"]


class EpochHistory(History):
    """The history of skorch, which looks at some epochs without a copy of all of them.

    skorch's own copies the list of its rows whenever it is asked or told something: training then
    takes a time that is quadratic in its epochs.

    Examples
    --------
    >>> from sklcnn.training.history import EpochHistory
    >>> history = EpochHistory()
    >>> for loss in (0.5, 0.25, 0.125):
    ...     history.new_epoch()
    ...     history.record("train_loss", loss)
    >>> history[-1, "train_loss"], history[1:, "train_loss"]
    (0.125, [0.25, 0.125])
    """

    def new_epoch(self):
        """Open the row of an epoch; single batches leave no record."""
        # One tuple for all: an empty list would weigh a quarter of the row.
        self.append({"batches": ()})

    def __getitem__(self, index):
        """Return rows, or what they hold, by epochs and keys as in skorch."""
        epochs, *keys = index if isinstance(index, tuple) else (index,)
        if not isinstance(epochs, (int, slice)):
            return super().__getitem__(index)
        rows = list.__getitem__(self, epochs)
        if not keys:
            return rows
        if isinstance(epochs, int):
            return History([rows])[(0, *keys)]
        return History(rows)[(slice(None), *keys)]


class LossCurves:
    """Losses of all members at every epoch, in an array that doubles when it is full.

    Parameters
    ----------
    n_members : int
        Networks that are trained together.

    Examples
    --------
    >>> from sklcnn.training.history import LossCurves
    >>> curves = LossCurves(2)
    >>> curves.append([0, 1], [0.5, 0.75])
    >>> curves.append([1], [0.25])
    >>> len(curves), curves.of(1)
    (2, [0.75, 0.25])
    """

    def __init__(self, n_members):
        self._losses = np.full((16, n_members), np.nan)  # (n_epochs at most, n_members)
        self._n_epochs = 0

    def __len__(self):
        return self._n_epochs

    def append(self, members, losses):
        """Add an epoch: the losses of some members; those that have left have none."""
        if self._n_epochs == len(self._losses):
            self._losses = np.concatenate([self._losses, np.full_like(self._losses, np.nan)])
        self._losses[self._n_epochs, members] = losses
        self._n_epochs += 1

    def of(self, member):
        """Return the losses of one member, a list of float."""
        return self._losses[: self._n_epochs, member].tolist()


class Snapshots:
    """Copies of the weights of all members after some epochs.

    Parameters
    ----------
    jobs : list of Job
        One for each member, with the epochs that it asks for. Copies are of the whole stack; a
        member leaves with those that are its own.
    """

    def __init__(self, jobs):
        self._asked = [frozenset(job.snapshots) for job in jobs]
        self._epochs = frozenset().union(*self._asked)
        self._taken = {}  # by epoch: members of the stack, weights by name

    def take(self, epoch, members, module):
        """Copy the weights of the members that train, if any of all asks for this epoch."""
        if epoch in self._epochs:
            named = module.named_parameters()
            weights = {name: value.detach().clone() for name, value in named}
            self._taken[epoch] = members, weights

    def of(self, member, stacked):
        """Return the weights of one member by epoch and name."""
        own = {}
        for epoch in sorted(self._asked[member] & self._taken.keys()):
            members, weights = self._taken[epoch]
            row = int(np.flatnonzero(members == member)[0]) if stacked else ...
            own[epoch] = {name: value[row].clone() for name, value in weights.items()}
        return own
