"""The three families as regressors."""

from collections.abc import Sequence
from numbers import Integral
from typing import Self

from numpy.random import RandomState
from numpy.typing import ArrayLike, NDArray
from sklearn.base import RegressorMixin, _fit_context
from sklearn.utils._param_validation import Interval, StrOptions

from sklcnn.estimators.base import AbstractNetwork
from sklcnn.estimators.documentation import document
from sklcnn.estimators.families import (
    AbstractLocal,
    Convolutional,
    FullyConnected,
    LocallyConnected,
)
from sklcnn.training import AbstractSolver, Samples

__all__ = ["CNNRegressor", "FCNRegressor", "LCNRegressor"]


class AbstractRegressor(RegressorMixin, AbstractNetwork):
    """Numbers in, numbers out: one output a column of y."""

    _y_rules = {"multi_output": True, "y_numeric": True}
    _parameter_constraints = {
        **AbstractNetwork._parameter_constraints,
        "loss": [StrOptions({"squared_error"})],
    }

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Train for one epoch, from where the last call left off.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training inputs.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples in the loss.

        Returns
        -------
        self : object
            The network, trained a little longer.
        """
        return self._fit_epoch(X, y, sample_weight)

    def _check_y(self, y, reset, classes):
        """Remember the shape of y, or check that it is the same."""
        shape = y.shape[1:]
        if reset:
            self._target_shape = shape
        elif shape != self._target_shape:
            raise ValueError(
                f"y has trailing shape {shape}, but the network was fitted with "
                f"{self._target_shape}."
            )
        return y

    def _stratify(self, y):
        return None

    def _encode(self, samples):
        target = samples.target.reshape(len(samples.target), -1)  # (n_samples, n_outputs)
        return Samples(samples.X, target, samples.weight)

    def predict(self, X: ArrayLike) -> NDArray:
        """Return the predicted targets.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Of the shape that ``fit`` was given.
        """
        predictions = self._outputs(X)
        return predictions.reshape(len(predictions), *self._target_shape)


@document(n_filters=100, learning_rate_init=0.002, filters="(1, n_filters, n_features)")
class FCNRegressor(FullyConnected, AbstractRegressor):
    """Fully connected network for regression.

    Every hidden unit sees all features: a multilayer perceptron. (In the
    time-series literature the letters FCN also stand for *fully convolutional*; here they do not.)

    Parameters
    ----------
    <start>
    <shape>
    <network>
    <regressor_loss>
    <training>
    <rest>

    Attributes
    ----------
    <attributes>

    See Also
    --------
    LCNRegressor : Adds locality.
    CNNRegressor : Adds locality and weight sharing.

    Examples
    --------
    >>> from sklcnn import FCNRegressor
    >>> from sklcnn.datasets import make_dsd
    >>> X, y = make_dsd(n_samples=100, n_patches=10, patch_size=20, random_state=0)
    >>> network = FCNRegressor(random_state=0).fit(X, y)
    >>> network.filters_.shape
    (1, 100, 200)
    """

    _parameter_constraints = {
        **AbstractRegressor._parameter_constraints,
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
        loss: str = "squared_error",
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
        warm_start: bool = False,
        callbacks: Sequence | None = None,
        device: str = "auto",
        dtype: str = "float32",
        random_state: int | RandomState | None = None,
        verbose: int = 0,
    ) -> None:
        self._store(locals())


@document(n_filters=16, learning_rate_init=0.002, filters="(n_groups, n_filters, patch_size)")
class LCNRegressor(LocallyConnected, AbstractRegressor):
    """Locally connected network for regression.

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
    <regressor_loss>
    <training>
    <rest>

    Attributes
    ----------
    <attributes>

    See Also
    --------
    FCNRegressor : Without locality.
    CNNRegressor : Adds weight sharing.

    Examples
    --------
    >>> from sklcnn import LCNRegressor
    >>> from sklcnn.datasets import make_dsd
    >>> X, y = make_dsd(n_samples=100, n_patches=10, patch_size=20, random_state=0)
    >>> network = LCNRegressor(patch_size=20, stride=20, max_iter=500, random_state=0).fit(X, y)
    >>> network.filters_.shape
    (10, 16, 20)
    """

    _looser = FCNRegressor
    _parameter_constraints = {
        **AbstractRegressor._parameter_constraints,
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
        loss: str = "squared_error",
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
        warm_start: bool = False,
        callbacks: Sequence | None = None,
        device: str = "auto",
        dtype: str = "float32",
        random_state: int | RandomState | None = None,
        verbose: int = 0,
    ) -> None:
        self._store(locals())


@document(n_filters=16, learning_rate_init=0.002, filters="(n_filters, patch_size)")
class CNNRegressor(Convolutional, AbstractRegressor):
    """Convolutional network for regression.

    Every hidden unit sees one patch of the input, and all patches share their filters.

    Parameters
    ----------
    <start>
    <local>
    <pooling>
    <shape>
    <padding>
    <network>
    <regressor_loss>
    <training>
    <rest>

    Attributes
    ----------
    <attributes>

    See Also
    --------
    LCNRegressor : Without weight sharing.
    FCNRegressor : Without locality and weight sharing.

    Examples
    --------
    >>> from sklcnn import CNNRegressor
    >>> from sklcnn.datasets import make_dsd
    >>> X, y = make_dsd(n_samples=100, n_patches=10, patch_size=20, random_state=0)
    >>> network = CNNRegressor(patch_size=20, stride=20, max_iter=500, random_state=0).fit(X, y)
    >>> network.filters_.shape
    (16, 20)
    """

    _looser = LCNRegressor
    _parameter_constraints = {
        **AbstractRegressor._parameter_constraints,
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
        loss: str = "squared_error",
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
        warm_start: bool = False,
        callbacks: Sequence | None = None,
        device: str = "auto",
        dtype: str = "float32",
        random_state: int | RandomState | None = None,
        verbose: int = 0,
    ) -> None:
        self._store(locals())
