"""What the laws share whose best rule is a formula: nothing about it has to be learned."""

from abc import abstractmethod
from numbers import Integral

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin, RegressorMixin, is_regressor
from sklearn.utils._param_validation import Interval, validate_parameter_constraints
from sklearn.utils.validation import validate_data

from sklcnn.datasets.base import AbstractLaw, draw_entropy, stream

__all__ = [
    "AbstractLabeledInput",
    "AbstractPlacedSign",
    "AbstractRegressionFunction",
    "AbstractSignRule",
]


class AbstractKnownRule(AbstractLaw):
    """A law that predicts by its best rule, before `fit` and after it.

    Inputs, labels and noise of a sample come from independent random streams, so that the first
    rows of a sample are those of a smaller sample with the same seed.
    """

    # Of a law without random constants, which has no such parameter.
    random_state: int | np.random.RandomState | None = 0

    _sample_constraints = {
        "n_samples": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    @abstractmethod
    def _width(self):
        """Return the number of features, a function of checked parameters."""

    @abstractmethod
    def _draw(self, n_samples, entropy):
        """Return X of shape (n_samples, n_features) and y of shape (n_samples,)."""

    def sample(
        self, n_samples: int, *, random_state: int | np.random.RandomState | None = None
    ) -> tuple[NDArray[np.float64], NDArray]:
        """Draw samples from the law.

        Parameters
        ----------
        n_samples : int
            Number of samples.
        random_state : int, RandomState instance or None, default=None
            Source of the samples, apart from that of the law's own constants. None draws other
            samples on every call; the same int draws the same samples.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features)
            The samples.
        y : ndarray of shape (n_samples,)
            The labels, -1 or +1, or the targets of a regression.
        """
        self._check_parameters()
        validate_parameter_constraints(
            self._sample_constraints,
            {"n_samples": n_samples, "random_state": random_state},
            caller_name=f"{type(self).__name__}.sample",
        )
        return self._draw(n_samples, draw_entropy(random_state))

    def fit(self, X: ArrayLike, y: ArrayLike):
        """Check the samples and learn nothing: the best rule is known.

        It is here for the tools of scikit-learn, which fit before they score.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The samples.
        y : array-like of shape (n_samples,)
            The labels, -1 or +1, or the targets of a regression.

        Returns
        -------
        self : object
            The law.
        """
        self._check_parameters()
        X, y = validate_data(self, X, y, dtype=np.float64, y_numeric=is_regressor(self))
        self._check_width(X)
        self._check_target(y)
        self.is_fitted_ = True
        return self

    def _is_fitted(self):
        return hasattr(self, "is_fitted_")

    def _check_parameters(self):
        self._validate_params()

    def _check_target(self, y):
        """Raise ValueError if no sample of the law has such a y."""

    def _check_width(self, X):
        if X.shape[1] != self._width():
            law = " ".join(repr(self).split())  # a long one has line breaks
            raise ValueError(
                f"X has {X.shape[1]} features, but samples of {law} have {self._width()}: they "
                "must be equal."
            )


class AbstractSignRule(ClassifierMixin, AbstractKnownRule):
    """A law of two labels whose best rule is the sign of a score.

    Here the input determines the label; a law with noise says otherwise for itself.
    """

    @abstractmethod
    def _score(self, X):
        """Return the score of each row of X; its sign is the label."""

    @property
    def classes_(self) -> NDArray[np.int64]:
        """The labels, -1 and +1, of shape (2,)."""
        return np.array([-1, 1])

    def decision_function(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the score whose sign is the label.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The samples.

        Returns
        -------
        score : ndarray of shape (n_samples,)
            Positive where the label is +1. It is no log-odds: those would be infinite.
        """
        self._check_parameters()
        return self._score(self._check_samples(X))

    def predict(self, X: ArrayLike) -> NDArray[np.int64]:
        """Return the label of each sample: the Bayes rule.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The samples.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            The labels, -1 or +1.
        """
        return _sign(self.decision_function(X))

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the posterior probabilities of the two labels: zero and one.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The samples.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, 2)
            Of -1 and +1; one half each where the score is zero, which no sample has.
        """
        sign = np.sign(self.decision_function(X))
        return (1 + np.column_stack([-sign, sign])) / 2

    def bayes_error(self) -> float:
        """Return the error of the Bayes rule: none, as the input determines the label.

        Returns
        -------
        error : float
            Probability of a wrong label, 0.
        """
        self._check_parameters()
        return 0.0

    def _check_target(self, y):
        labels = np.unique(y)
        if not np.isin(labels, self.classes_).all():
            raise ValueError(
                f"y has the labels {labels.tolist()}, but those of {type(self).__name__} are -1 "
                "and +1."
            )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags


class AbstractLabeledInput(AbstractSignRule):
    """A law that draws the input first, and labels it by the rule."""

    @abstractmethod
    def _draw_input(self, n_samples, rng):
        """Return X of shape (n_samples, n_features)."""

    def _draw(self, n_samples, entropy):
        X = self._draw_input(n_samples, stream(entropy, "input"))
        return X, _sign(self._score(X))


class AbstractPlacedSign(AbstractSignRule):
    """A law that draws label and place first, both uniformly, and the input given them."""

    @abstractmethod
    def _n_places(self):
        """Return how many places there are."""

    @abstractmethod
    def _draw_input(self, y, place, entropy):
        """Return X of shape (n_samples, n_features)."""

    def _draw(self, n_samples, entropy):
        y = 2 * stream(entropy, "label").integers(2, size=n_samples) - 1
        place = stream(entropy, "location").integers(self._n_places(), size=n_samples)
        return self._draw_input(y, place, entropy), y


class AbstractRegressionFunction(RegressorMixin, AbstractKnownRule):
    """A law of a function of standard normal inputs, plus normal noise of size ``noise``."""

    noise: float

    @abstractmethod
    def _regression_function(self, X):
        """Return the expected target of each row of X."""

    def _draw(self, n_samples, entropy):
        X = stream(entropy, "input").standard_normal((n_samples, self._width()))
        noise = self.noise * stream(entropy, "noise").standard_normal(n_samples)
        return X, self._regression_function(X) + noise

    def predict(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the regression function, the best prediction in squared error.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The samples.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            The targets without noise.
        """
        self._check_parameters()
        return self._regression_function(self._check_samples(X))

    def bayes_error(self) -> float:
        """Return the expected squared error of the best prediction: the variance of the noise.

        Returns
        -------
        error : float
            Mean squared error.
        """
        self._check_parameters()
        return float(self.noise**2)


def _sign(score):
    """Return +1 where the score is positive, else -1: no label is 0."""
    return np.where(score > 0, 1, -1)
