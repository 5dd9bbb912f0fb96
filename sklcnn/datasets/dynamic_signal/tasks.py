"""What a label may say about signals: its draw, and its likelihood from those of single places."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.special import logsumexp

from sklcnn.datasets.base import stream
from sklcnn.datasets.dynamic_signal.places import log_symmetric

__all__ = [
    "TASKS",
    "AbstractTask",
    "flip_error",
    "flip_labels",
    "flip_log_odds",
    "flip_log_posterior",
    "make_task",
]


class AbstractTask(ABC):
    """Labels that speak of the patterns at ``n_signals`` distinct places of a sample.

    Patterns are what the places may hold, such as a signal and its negative. All labels are equally
    probable, and patterns and places are independent.
    """

    name: ClassVar[str]
    n_signals: int

    @property
    @abstractmethod
    def classes(self):
        """The labels, of shape (n_classes,)."""

    @abstractmethod
    def patterns(self, signals):
        """Make the patterns, of shape (n_patterns, length), from the rows of ``signals``."""

    @abstractmethod
    def draw(self, entropy, n_samples):
        """Draw the class indices, (n_samples,), and the pattern indices, (n_samples, n_signals).

        Index -1 is no pattern: noise alone.
        """

    @abstractmethod
    def log_likelihoods(self, log_ratios, log_prior):
        """Return the log-likelihood of each class, up to a number that all classes share.

        Parameters
        ----------
        log_ratios : ndarray of shape (n_samples, n_places, n_patterns)
            Of each pattern at each place against noise alone. Those of a set of places add up.
        log_prior : ndarray of shape (n_places,)
            Logarithms of the probabilities of the places.

        Returns
        -------
        log_likelihoods : ndarray of shape (n_samples, n_classes)
        """


@dataclass(frozen=True)
class _Sign(AbstractTask):
    """The sign of the signal, the same at all its places."""

    name = "sign"
    n_signals: int
    classes = np.array([-1, 1])

    def patterns(self, signals):
        return np.concatenate([-signals, signals])

    def draw(self, entropy, n_samples):
        index = stream(entropy, "label").integers(2, size=n_samples)
        return index, np.tile(index[:, None], self.n_signals)

    def log_likelihoods(self, log_ratios, log_prior):
        return log_symmetric(log_ratios + log_prior[:, None], self.n_signals)


@dataclass(frozen=True)
class _Type(AbstractTask):
    """Which of several signals it is, the same at all its places."""

    name = "type"
    n_signals: int
    n_types: int

    @property
    def classes(self):
        return np.arange(self.n_types)

    def patterns(self, signals):
        return signals

    def draw(self, entropy, n_samples):
        index = stream(entropy, "label").integers(self.n_types, size=n_samples)
        return index, np.tile(index[:, None], self.n_signals)

    def log_likelihoods(self, log_ratios, log_prior):
        return log_symmetric(log_ratios + log_prior[:, None], self.n_signals)


@dataclass(frozen=True)
class _Detection(AbstractTask):
    """Whether there is a signal, +1, or noise alone, -1."""

    name = "detection"
    n_signals: int
    classes = np.array([-1, 1])

    def patterns(self, signals):
        return signals

    def draw(self, entropy, n_samples):
        index = stream(entropy, "label").integers(2, size=n_samples)
        return index, np.tile(index[:, None] - 1, self.n_signals)

    def log_likelihoods(self, log_ratios, log_prior):
        total = log_symmetric(log_ratios[:, :, 0] + log_prior, self.n_signals)
        total -= log_symmetric(log_prior[None], self.n_signals)  # a mean over sets of places
        return np.column_stack([np.zeros(len(total)), total])


@dataclass(frozen=True)
class _Xor(AbstractTask):
    """The product of the independent signs of two signals."""

    name = "xor"
    n_signals = 2
    classes = np.array([-1, 1])

    def patterns(self, signals):
        return np.concatenate([-signals, signals])

    def draw(self, entropy, n_samples):
        pattern = stream(entropy, "sign").integers(2, size=(n_samples, 2))
        return (pattern[:, 0] == pattern[:, 1]).astype(int), pattern

    def log_likelihoods(self, log_ratios, log_prior):
        terms = log_ratios + log_prior[:, None]
        before = np.logaddexp.accumulate(terms[:, :-1], axis=1)  # the first place of a pair
        equal, unequal = terms[:, 1:] + before, terms[:, 1:] + before[..., ::-1]
        return np.column_stack([logsumexp(pairs, axis=(1, 2)) for pairs in (unequal, equal)])


TASKS = ("sign", "xor", "type", "detection")


def make_task(name, n_signals, n_types):
    """Return the task of that name."""
    if name == "xor":
        return _Xor()
    if name == "type":
        return _Type(n_signals, n_types)
    return {"sign": _Sign, "detection": _Detection}[name](n_signals)


def flip_labels(entropy, index, n_classes, label_noise):
    """Move class indices to another class, all others alike, with probability ``label_noise``."""
    if label_noise == 0:
        return index
    flipped = stream(entropy, "flip").random(len(index)) < label_noise
    step = stream(entropy, "flipped label").integers(1, n_classes, size=len(index))
    return (index + flipped * step) % n_classes


def flip_error(error, n_classes, label_noise):
    """Return the Bayes error of flipped labels, given that of the labels before."""
    return label_noise + (1 - label_noise * n_classes / (n_classes - 1)) * error


def flip_log_odds(log_odds, label_noise):
    """Return the log-odds of flipped labels, given those of the two labels before."""
    if label_noise == 0:
        return log_odds
    kept, loser = 1 - label_noise, np.exp(-np.abs(log_odds))
    odds = (kept + label_noise * loser) / (kept * loser + label_noise)
    return np.copysign(np.log(odds), log_odds)


def flip_log_posterior(log_posterior, label_noise):
    """Return the log-posterior of flipped labels; the classes are on the last axis."""
    if label_noise == 0:
        return log_posterior
    others = label_noise / (log_posterior.shape[-1] - 1)
    return np.log(others + (1 - label_noise - others) * np.exp(log_posterior))
