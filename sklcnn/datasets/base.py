"""What all laws of data share: how their randomness is drawn.

A law has random constants, such as its signal, and it draws samples. Each of these draws has a
random stream of its own, named by its purpose, so that no two ever share their numbers: the same
seed may be handed to a law and to its `sample`.
"""

from abc import abstractmethod
from numbers import Integral

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_array, check_random_state
from sklearn.utils.validation import validate_data

__all__ = ["AbstractLaw", "draw_entropy", "stream"]


def draw_entropy(random_state):
    """Return what `stream` starts from: an int itself, or numbers drawn from a RandomState.

    None takes fresh entropy from the operating system: numpy's global generator is not touched.
    """
    if random_state is None:
        return np.random.SeedSequence().entropy
    if isinstance(random_state, Integral):
        return int(random_state)
    return check_random_state(random_state).randint(2**32, size=4, dtype=np.uint32).tolist()


def stream(entropy, purpose):
    """Return the generator for one purpose: independent of those for all other purposes."""
    seeds = np.random.SeedSequence(entropy, spawn_key=tuple(purpose.encode()))
    return np.random.default_rng(seeds)


class AbstractLaw(BaseEstimator):
    """A law of data whose random constants are a function of its parameters.

    Unless ``random_state`` is an int, its entropy is drawn on first use and then kept, so that all
    methods of a law, its copies and its clones agree on the constants. A law predicts before it is
    fitted; a fitted one has ``noise_``.
    """

    _doc_link_module = "sklcnn"
    _doc_link_template = (
        "https://sklcnn.readthedocs.io/en/stable/generated/sklcnn.datasets.{estimator_name}.html"
    )

    @abstractmethod
    def _check_width(self, X):
        """Raise ValueError unless X has as many features as the law."""

    def _check_samples(self, X):
        if self._is_fitted():
            X = validate_data(self, X, dtype=np.float64, reset=False)
        else:
            X = check_array(X, dtype=np.float64, estimator=self)
        self._check_width(X)
        return X

    def _is_fitted(self):
        return hasattr(self, "noise_")

    def _law_stream(self, purpose):
        """Return the generator of a random constant: the same numbers on every call."""
        return stream(self._law_entropy(), purpose)

    def _law_entropy(self):
        if isinstance(self.random_state, Integral):
            return draw_entropy(self.random_state)
        state, entropy = getattr(self, "_kept_entropy", (None, None))
        if entropy is None or state is not self.random_state:
            entropy = draw_entropy(self.random_state)
            self._kept_entropy = self.random_state, entropy
        return entropy

    def __sklearn_clone__(self):
        twin = super().__sklearn_clone__()
        if not isinstance(self.random_state, Integral):
            twin._kept_entropy = twin.random_state, self._law_entropy()
        return twin

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        return tags
