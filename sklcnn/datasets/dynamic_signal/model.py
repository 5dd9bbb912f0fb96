"""A law of signals in noise with all its constants: its draws, its likelihoods, its Bayes error."""

from dataclasses import dataclass

import numpy as np
from scipy.special import log_softmax
from sklearn.utils import gen_batches

from sklcnn.datasets.base import stream
from sklcnn.datasets.dynamic_signal.noise import Noise
from sklcnn.datasets.dynamic_signal.places import Templates, draw_places
from sklcnn.datasets.dynamic_signal.tasks import AbstractTask

__all__ = ["SignalModel"]

_CHUNK = 2**18  # numbers in a table at a time: they fit into the cache of a processor


@dataclass(frozen=True)
class SignalModel:
    """Patterns at random places in noise.

    The task says which patterns and what the label makes of them, the noise how much a sample
    speaks for a pattern at a place: a table, from which the task makes likelihoods of the classes.
    """

    task: AbstractTask
    noise: Noise
    templates: Templates  # of the possible places
    places: np.ndarray  # (n_possible,), their numbers among all places
    prior: np.ndarray  # (n_possible,), their probabilities, none of them 0

    def draw(self, entropy, n_samples):
        """Draw samples, (n_samples, n_features), class indices, (n_samples,), and locations.

        Locations have shape (n_samples, n_signals); -1 is no place.
        """
        index, pattern = self.task.draw(entropy, n_samples)
        chosen = self._draw_places(stream(entropy, "location"), n_samples)
        X = self.noise.draw(stream(entropy, "noise"), n_samples)
        shown = pattern >= 0
        row, place, kind = np.nonzero(shown)[0], chosen[shown], pattern[shown]
        features = self.templates.support[place]  # (n_shown, length), padded, hence add.at
        np.add.at(X, (row[:, None], features), self.templates.values[kind, place])
        return X, index, np.where(shown, self.places[chosen], -1)

    def log_likelihoods(self, X):
        """Return the log-likelihoods of the classes, (n_samples, n_classes).

        What all classes of a sample share is left out. Noise of deviation 0 has no likelihoods.
        """
        log_prior, chunks = np.log(self.prior), []
        for batch in self._batches(len(X)):
            log_ratios = self.noise.log_ratios(X[batch], self.templates)
            chunks.append(self.task.log_likelihoods(log_ratios, log_prior))
        return np.concatenate(chunks)

    def find_equivalent(self):
        """Return the patches and noise of the paper's law with the same Bayes error, or None."""
        if self.noise.law != "gaussian" or self.task.name not in ("sign", "detection"):
            return None
        distances = self.noise.distances(self.templates)[0]  # (n_possible,)
        if self.task.n_signals == len(self.places):  # all that is hidden is the label
            factor = 2 if self.task.name == "detection" else 1
            return 1, factor / np.linalg.norm(distances)
        is_alike = np.ptp(distances) <= 1e-12 * distances[0] and np.ptp(self.prior) <= 1e-12
        if self.task.name == "sign" and self.task.n_signals == 1 and is_alike and self.is_disjoint:
            return len(self.places), 1 / distances[0]
        return None

    def simulate_bayes_error(self, n_draws, random_state):
        """Return the mean of 1 less the largest posterior over samples."""
        rng, total = np.random.default_rng(random_state), 0.0
        for batch in self._batches(n_draws):
            entropy = rng.integers(2**32, size=4).tolist()
            X, _, _ = self.draw(entropy, batch.stop - batch.start)
            log_posterior = log_softmax(self.log_likelihoods(X), axis=1)
            total -= np.expm1(log_posterior.max(axis=1)).sum()
        return total / n_draws

    @property
    def is_disjoint(self):
        """Whether the scores of different places are independent."""
        return self.noise.correlation is None and not self.templates.overlap

    def _batches(self, n_samples):
        width = max(len(self.noise.deviation), self.templates.values[..., 0].size)
        return gen_batches(n_samples, max(1, _CHUNK // width))

    def _draw_places(self, rng, n_samples):
        """Draw indices into the possible places, of shape (n_samples, n_signals)."""
        if self.task.n_signals > 1:
            return draw_places(rng, self.prior, n_samples, self.task.n_signals)
        weights = None if np.ptp(self.prior) == 0 else self.prior
        return rng.choice(len(self.places), size=n_samples, p=weights)[:, None]
