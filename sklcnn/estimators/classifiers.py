"""The three families as classifiers."""

from collections.abc import Sequence
from numbers import Integral
from typing import Self

import numpy as np
from numpy.random import RandomState
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, log_expit, log_softmax, softmax
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets

from sklcnn.estimators.base import AbstractNetwork
from sklcnn.estimators.documentation import document
from sklcnn.estimators.families import (
    AbstractLocal,
    Convolutional,
    FullyConnected,
    LocallyConnected,
)
from sklcnn.nn import LOSSES
from sklcnn.training import AbstractSolver, Samples

__all__ = ["CNNClassifier", "FCNClassifier", "LCNClassifier"]


def _has_probabilities(network):
    """Say whether the loss models probabilities; the hinge does not."""
    if network.loss == "hinge":
        raise AttributeError("loss='hinge' gives no probabilities; use loss='log_loss'.")
    return True


class AbstractClassifier(ClassifierMixin, AbstractNetwork):
    """Labels in, labels out: the only place that knows how classes are coded."""

    _y_rules: dict[str, bool] = {}
    _parameter_constraints = {
        **AbstractNetwork._parameter_constraints,
        "loss": [StrOptions(set(LOSSES))],
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Train for one epoch, from where the last call left off.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training inputs.
        y : array-like of shape (n_samples,)
            Labels.
        classes : array-like of shape (n_classes,), default=None
            All labels that will ever come; needed at the first call.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples in the loss.

        Returns
        -------
        self : object
            The network, trained a little longer.

        Raises
        ------
        ValueError
            If ``classes`` is missing at the first call or changes later.
        """
        if classes is None and not hasattr(self, "module_"):
            raise ValueError("classes must be given at the first call of partial_fit.")
        return self._fit_epoch(X, y, sample_weight, classes)

    def _check_y(self, y, reset, classes):
        """Learn the classes, or check that no label is new."""
        check_classification_targets(y)
        if reset:
            self.classes_ = np.unique(y if classes is None else classes)
            if len(self.classes_) < 2:
                raise ValueError(
                    f"y holds one class only ({self.classes_.item()!r}); a classifier needs at "
                    "least two classes."
                )
        elif classes is not None and not np.array_equal(np.unique(classes), self.classes_):
            raise ValueError(
                f"classes={classes!r} differ from those of the first call: {self.classes_!r}."
            )
        learned_from_y = reset and classes is None
        new = [] if learned_from_y else np.setdiff1d(y, self.classes_)
        if len(new):
            raise ValueError(f"y holds the labels {new}, which are not among {self.classes_}.")
        return y

    def _weigh(self, y, weight):
        if self.class_weight is None:
            return weight
        by_class = compute_sample_weight(self.class_weight, y)
        return by_class if weight is None else by_class * weight

    def _stratify(self, y):
        return y

    def _encode(self, samples):
        """Code labels as -1 and +1: one column for two classes, one a class for more."""
        codes = np.searchsorted(self.classes_, samples.target)
        columns = [1] if len(self.classes_) == 2 else np.arange(len(self.classes_))
        target = np.where(codes[:, np.newaxis] == columns, 1.0, -1.0)  # (n_samples, n_outputs)
        return Samples(samples.X, target, samples.weight)

    def decision_function(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the outputs of the network.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        decision : ndarray of shape (n_samples,) or (n_samples, n_classes)
            One column a class; for two classes only that of the second, positive where the second
            class is predicted.
        """
        decision = self._outputs(X)
        return decision[:, 0] if decision.shape[1] == 1 else decision

    def predict(self, X: ArrayLike) -> NDArray:
        """Return the most likely labels.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            Labels, of the type that ``fit`` was given.
        """
        decision = self.decision_function(X)
        codes = (decision > 0).astype(int) if decision.ndim == 1 else decision.argmax(axis=1)
        return self.classes_[codes]

    @available_if(_has_probabilities)
    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the probabilities of the classes.

        The log-loss models them. From the exponential loss they follow as ``sigmoid(2 f)``,
        normalized over several classes; from the squared error as the probabilities closest to
        ``(1 + f) / 2``.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            Each row sums to one.
        """
        return self._probabilities(self._outputs(X))

    @available_if(_has_probabilities)
    def predict_log_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the logarithms of the probabilities of the classes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        log_probabilities : ndarray of shape (n_samples, n_classes)
            Without loss of precision for the log-loss.
        """
        decision = self._outputs(X)
        if self.loss != "log_loss":
            with np.errstate(divide="ignore"):
                return np.log(self._probabilities(decision))
        if decision.shape[1] == 1:
            return np.hstack([log_expit(-decision), log_expit(decision)])
        return log_softmax(decision, axis=1)

    def _probabilities(self, decision):
        """Link outputs, (n_samples, n_outputs), to probabilities, (n_samples, n_classes)."""
        if self.loss == "log_loss" and decision.shape[1] > 1:
            return softmax(decision, axis=1)
        if self.loss == "squared_error":
            return _project_to_simplex((1 + _one_per_class(decision)) / 2)
        odds = 2 * decision if self.loss == "exponential" else decision
        positive = expit(odds)
        if positive.shape[1] == 1:
            return np.hstack([expit(-odds), positive])  # 1 - positive would round to zero
        return positive / positive.sum(axis=1, keepdims=True)


def _one_per_class(decision):
    """Give the first of two classes the opposite output of the second."""
    return np.hstack([-decision, decision]) if decision.shape[1] == 1 else decision


def _project_to_simplex(scores):
    """Return the closest rows that are non-negative and sum to one, (n_samples, n_classes)."""
    falling = -np.sort(-scores, axis=1)
    shifts = (np.cumsum(falling, axis=1) - 1) / np.arange(1, scores.shape[1] + 1)
    n_positive = (falling > shifts).sum(axis=1, keepdims=True)
    return np.maximum(scores - np.take_along_axis(shifts, n_positive - 1, axis=1), 0)


@document(n_filters=100, learning_rate_init=0.002, filters="(1, n_filters, n_features)")
class FCNClassifier(FullyConnected, AbstractClassifier):
    """Fully connected network for classification.

    Every hidden unit sees all features: a multilayer perceptron. (In the
    time-series literature the letters FCN also stand for *fully convolutional*; here they do not.)

    Parameters
    ----------
    <start>
    <shape>
    <network>
    <classifier_loss>
    <training>
    <class_weight>
    <rest>

    Attributes
    ----------
    <classes>
    <attributes>

    See Also
    --------
    LCNClassifier : Adds locality.
    CNNClassifier : Adds locality and weight sharing.

    Examples
    --------
    >>> from sklcnn import FCNClassifier
    >>> from sklcnn.datasets import make_dsd
    >>> X, y = make_dsd(n_samples=100, n_patches=10, patch_size=20, random_state=0)
    >>> network = FCNClassifier(random_state=0).fit(X, y)
    >>> network.filters_.shape
    (1, 100, 200)
    """

    _parameter_constraints = {
        **AbstractClassifier._parameter_constraints,
        **FullyConnected._dense_constraints,
    }

    def __init__(
        self,
        n_filters: int | tuple[int, ...] = 100,
        *,
        input_shape: tuple[int, ...] | None = None,
        activation: str = "relu",
        readout: str = "linear",
        init_scale: float = 1.0,
        loss: str = "log_loss",
        solver: str | AbstractSolver = "adam",
        learning_rate_init: float = 0.002,
        max_iter: int = 200,
        batch_size: int | str = "auto",
        augment_shift: int = 0,
        alpha: float = 0.0001,
        tol: float | None = 1e-4,
        n_iter_no_change: int | str = "auto",
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        class_weight: dict | str | None = None,
        warm_start: bool = False,
        callbacks: Sequence | None = None,
        device: str = "auto",
        dtype: str = "float32",
        random_state: int | RandomState | None = None,
        verbose: int = 0,
    ) -> None:
        self._store(locals())


@document(n_filters=16, learning_rate_init=0.002, filters="(n_groups, n_filters, patch_size)")
class LCNClassifier(LocallyConnected, AbstractClassifier):
    """Locally connected network for classification.

    Every hidden unit sees one patch of the input, and no two patches share their filters (or those
    of one group do, see ``filter_groups``).

    Parameters
    ----------
    <start>
    <local>
    <pooling>
    <shape>
    <padding>
    <groups>
    <network>
    <classifier_loss>
    <training>
    <class_weight>
    <rest>

    Attributes
    ----------
    <classes>
    <attributes>

    See Also
    --------
    FCNClassifier : Without locality.
    CNNClassifier : Adds weight sharing.

    Examples
    --------
    >>> from sklcnn import LCNClassifier
    >>> from sklcnn.datasets import make_dsd
    >>> X, y = make_dsd(n_samples=100, n_patches=10, patch_size=20, random_state=0)
    >>> network = LCNClassifier(patch_size=20, stride=20, max_iter=500, random_state=0).fit(X, y)
    >>> network.filters_.shape
    (10, 16, 20)
    """

    _looser = FCNClassifier
    _parameter_constraints = {
        **AbstractClassifier._parameter_constraints,
        **AbstractLocal._local_constraints,
        "filter_groups": [Interval(Integral, 1, None, closed="left"), "array-like", None],
    }

    def __init__(
        self,
        n_filters: int | tuple[int, ...] = 16,
        patch_size: int | tuple[int, ...] = 3,
        stride: int | tuple[int, ...] = 1,
        *,
        pooling: str | tuple[str | None, ...] | None = None,
        pool_size: int | tuple[int | None, ...] | None = None,
        input_shape: tuple[int, ...] | None = None,
        padding: str | int = "valid",
        patch_indices: ArrayLike | None = None,
        filter_groups: int | ArrayLike | tuple[int | ArrayLike | None, ...] | None = None,
        activation: str = "relu",
        readout: str = "linear",
        init_scale: float = 1.0,
        loss: str = "log_loss",
        solver: str | AbstractSolver = "adam",
        learning_rate_init: float = 0.002,
        max_iter: int = 200,
        batch_size: int | str = "auto",
        augment_shift: int = 0,
        alpha: float = 0.0001,
        tol: float | None = 1e-4,
        n_iter_no_change: int | str = "auto",
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        class_weight: dict | str | None = None,
        warm_start: bool = False,
        callbacks: Sequence | None = None,
        device: str = "auto",
        dtype: str = "float32",
        random_state: int | RandomState | None = None,
        verbose: int = 0,
    ) -> None:
        self._store(locals())


@document(n_filters=16, learning_rate_init=0.002, filters="(n_filters, patch_size)")
class CNNClassifier(Convolutional, AbstractClassifier):
    """Convolutional network for classification.

    Every hidden unit sees one patch of the input, and all patches share their filters.

    Parameters
    ----------
    <start>
    <local>
    <pooling>
    <shape>
    <padding>
    <network>
    <classifier_loss>
    <training>
    <class_weight>
    <rest>

    Attributes
    ----------
    <classes>
    <attributes>

    See Also
    --------
    LCNClassifier : Without weight sharing.
    FCNClassifier : Without locality and weight sharing.

    Examples
    --------
    >>> from sklcnn import CNNClassifier
    >>> from sklcnn.datasets import make_dsd
    >>> X, y = make_dsd(n_samples=100, n_patches=10, patch_size=20, random_state=0)
    >>> network = CNNClassifier(patch_size=20, stride=20, max_iter=500, random_state=0).fit(X, y)
    >>> network.filters_.shape
    (16, 20)
    """

    _looser = LCNClassifier
    _parameter_constraints = {
        **AbstractClassifier._parameter_constraints,
        **AbstractLocal._local_constraints,
    }

    def __init__(
        self,
        n_filters: int | tuple[int, ...] = 16,
        patch_size: int | tuple[int, ...] = 3,
        stride: int | tuple[int, ...] = 1,
        *,
        pooling: str | tuple[str | None, ...] | None = None,
        pool_size: int | tuple[int | None, ...] | None = None,
        input_shape: tuple[int, ...] | None = None,
        padding: str | int = "valid",
        patch_indices: ArrayLike | None = None,
        activation: str = "relu",
        readout: str = "linear",
        init_scale: float = 1.0,
        loss: str = "log_loss",
        solver: str | AbstractSolver = "adam",
        learning_rate_init: float = 0.002,
        max_iter: int = 200,
        batch_size: int | str = "auto",
        augment_shift: int = 0,
        alpha: float = 0.0001,
        tol: float | None = 1e-4,
        n_iter_no_change: int | str = "auto",
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        class_weight: dict | str | None = None,
        warm_start: bool = False,
        callbacks: Sequence | None = None,
        device: str = "auto",
        dtype: str = "float32",
        random_state: int | RandomState | None = None,
        verbose: int = 0,
    ) -> None:
        self._store(locals())
