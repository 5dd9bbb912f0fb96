"""What all laws share whose target is a teacher plus noise."""

from abc import abstractmethod
from numbers import Integral, Real

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import RegressorMixin
from sklearn.linear_model import LinearRegression
from sklearn.utils import check_array
from sklearn.utils._param_validation import (
    Interval,
    StrOptions,
    validate_parameter_constraints,
)
from sklearn.utils.validation import validate_data

from sklcnn.datasets.base import AbstractLaw, draw_entropy, stream
from sklcnn.datasets.sphere.teachers import LinearTeacher, Teacher
from sklcnn.patches import all_features, disjoint_blocks

__all__ = ["AbstractBlockTeacher", "AbstractTeacher", "AbstractTeacherLaw"]


class AbstractTeacher(RegressorMixin, AbstractLaw):
    """Law of a target given the input: a teacher plus normal noise of size ``noise``."""

    noise: float

    @abstractmethod
    def _input_shape(self):
        """Return the shape of one input, a function of checked parameters."""

    @abstractmethod
    def _views(self):
        """Return the patches that the teacher averages over, (n_patches, patch_size)."""

    @abstractmethod
    def _draw_teacher(self, rng):
        """Return the teacher, a function of checked parameters and of the stream ``rng``."""

    @property
    def teacher(self) -> Teacher | LinearTeacher:
        """The teacher of the law, the same on every access.

        A record with ``filters`` of shape (n_filters, patch_size), ``thresholds`` and ``readout``
        of shape (n_filters,), and ``intercept``; of a linear target with ``readout`` of shape
        (n_features,) and ``intercept`` only.
        """
        self._check_parameters()
        return self._draw_teacher(self._law_stream("teacher"))

    @property
    def patch_indices(self) -> NDArray[np.int64]:
        """The patches that the teacher averages over, of shape (n_patches, patch_size).

        Any estimator with local filters takes them as its ``patch_indices``. A linear target has a
        single patch of all features.
        """
        self._check_parameters()
        return self._views()

    def fit(self, X: ArrayLike, y: ArrayLike):
        """Estimate readout, intercept and noise by least squares on the features of the teacher.

        These are its hidden units, averaged over patches, or the inputs if the target is linear.
        With fewer samples than numbers to estimate, the readout is the one of least norm.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The inputs.
        y : array-like of shape (n_samples,)
            The targets.

        Returns
        -------
        self : object
            The fitted law.
        """
        self._check_parameters()
        X, y = validate_data(self, self._as_rows(X), y, dtype="numeric", y_numeric=True)
        self._check_width(X)
        features = self.teacher.features(X, self._views())
        line = LinearRegression().fit(features, y)
        residual = y - line.predict(features)
        degrees = len(residual) - line.rank_ - 1
        self.coef_, self.intercept_ = line.coef_, float(line.intercept_)
        self.noise_ = float(np.sqrt(residual @ residual / degrees)) if degrees > 0 else np.nan
        return self

    def predict(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the regression function: that of the teacher, after `fit` the estimated one.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The inputs.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            The expected targets.
        """
        X = self._check_inputs(X)
        if not self._is_fitted():
            return self._regression_function(X)
        return self._combine(X, self.teacher, self.coef_, self.intercept_)

    def _regression_function(self, X):
        """The function of the teacher at the rows of X, whether the law is fitted or not."""
        teacher = self.teacher
        return self._combine(X, teacher, teacher.readout, teacher.intercept)

    def _combine(self, X, teacher, readout, intercept):
        """Add up the features of the teacher, for each row as if it were the only one.

        A product by BLAS rounds in an order that depends on the number of rows.
        """
        features = teacher.features(X, self._views())
        return np.einsum("nk,k->n", features, readout) + intercept

    def _add_noise(self, clean, entropy):
        return clean + self.noise * stream(entropy, "noise").standard_normal(len(clean))

    def _check_inputs(self, X):
        """Return X as a matrix of its own type of number: a copy of many images is large."""
        self._check_parameters()
        X = self._as_rows(X)
        if self._is_fitted():
            X = validate_data(self, X, dtype="numeric", reset=False)
        else:
            X = check_array(X, dtype="numeric", estimator=self)
        self._check_width(X)
        return X

    def _as_rows(self, X):
        """Return X with every sample raveled, if it has more than two axes."""
        shape = X.shape if hasattr(X, "shape") else np.asarray(X).shape
        if len(shape) <= 2:
            return X
        input_shape = self._input_shape()
        if shape[1:] != input_shape:
            width, sides = np.prod(input_shape), ", ".join(map(str, input_shape))
            raise ValueError(
                f"X has shape {shape}, but one input has shape {input_shape}: X must have shape "
                f"(n_samples, {width}) or (n_samples, {sides})."
            )
        return np.reshape(X, (shape[0], -1))

    def _check_width(self, X):
        width = np.prod(self._input_shape())
        if X.shape[1] != width:
            raise ValueError(
                f"X has {X.shape[1]} features, but the law has n_features={width}: they must be "
                "equal."
            )

    def _check_parameters(self):
        self._validate_params()

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.regressor_tags.poor_score = True  # on data of another law
        return tags


class AbstractTeacherLaw(AbstractTeacher):
    """Law of input and target.

    Inputs, teacher and noise come from independent random streams.
    """

    n_filters: int
    patch_size: int

    _sample_constraints = {
        "n_samples": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
        "return_clean": ["boolean"],
    }

    @abstractmethod
    def _width(self):
        """Return the number of features, a function of checked parameters."""

    @abstractmethod
    def _draw_inputs(self, n_samples, entropy):
        """Return X of shape (n_samples, n_features)."""

    @abstractmethod
    def _target_variance_in_closed_form(self):
        """Return the variance of the teacher's function, or None if no formula is known."""

    def sample(
        self,
        n_samples: int,
        *,
        random_state: int | np.random.RandomState | None = None,
        return_clean: bool = False,
    ):
        """Draw samples from the law.

        Parameters
        ----------
        n_samples : int
            Number of samples.
        random_state : int, RandomState instance or None, default=None
            Source of the samples, apart from that of the teacher. None draws other samples on every
            call; the same int draws the same samples.
        return_clean : bool, default=False
            Whether to return the targets without noise too.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features)
            The inputs.
        y : ndarray of shape (n_samples,)
            The targets.
        clean : ndarray of shape (n_samples,)
            The targets without noise. Only if ``return_clean=True``.
        """
        self._check_parameters()
        arguments = {
            "n_samples": n_samples,
            "random_state": random_state,
            "return_clean": return_clean,
        }
        caller = f"{type(self).__name__}.sample"
        validate_parameter_constraints(self._sample_constraints, arguments, caller_name=caller)
        entropy = draw_entropy(random_state)
        X = self._draw_inputs(n_samples, entropy)
        clean = self._regression_function(X)
        y = self._add_noise(clean, entropy)
        return (X, y, clean) if return_clean else (X, y)

    def bayes_error(self, *, method: str = "closed_form", random_state: int = 0) -> float:
        """Return the expected squared error of the best prediction: the variance of the noise.

        Parameters
        ----------
        method : {"closed_form", "simulation"}, default="closed_form"
            "simulation" measures it on 20,000 samples, to one per cent.
        random_state : int, RandomState instance or None, default=0
            Source of the simulation's samples.

        Returns
        -------
        error : float
            Mean squared error.
        """
        if method == "closed_form":
            self._check_parameters()
            return float(self.noise**2)
        if method == "simulation":
            _, y, clean = self.sample(20_000, random_state=random_state, return_clean=True)
            return float(np.mean((y - clean) ** 2))
        raise ValueError(f"method must be 'closed_form' or 'simulation', got {method!r}.")

    def target_variance(self, *, random_state: int | np.random.RandomState | None = 0) -> float:
        r"""Return the variance of the regression function: the excess risk of the best constant.

        An excess risk below it is learning, one above it is worse than to predict the mean.

        Parameters
        ----------
        random_state : int, RandomState instance or None, default=0
            Source of the simulation's inputs.

        Returns
        -------
        variance : float
            Variance of :math:`f^*` under the law of the inputs. In closed form if the target is
            linear; else from 100,000 inputs, with a relative standard error of
            :math:`\sqrt{(\kappa - 1) / 100{,}000}` where :math:`\kappa` is the kurtosis of
            :math:`f^*(x)`: 0.45 per cent at the kurtosis of a normal distribution, 3.
        """
        self._check_parameters()
        known = self._target_variance_in_closed_form()
        if known is not None:
            return float(known)
        # In parts, so that memory stays bounded in any dimension.
        parts = stream(draw_entropy(random_state), "variance").integers(2**32, size=(20, 4))
        values = [
            self._regression_function(self._draw_inputs(5000, entropy))
            for entropy in parts.tolist()
        ]
        return float(np.var(values))

    def _input_shape(self):
        return (self._width(),)

    def _draw_filters(self, rng):
        return Teacher(
            filters=rng.standard_normal((self.n_filters, self.patch_size)),
            thresholds=rng.uniform(-0.5, 0.5, self.n_filters),
            readout=rng.standard_normal(self.n_filters),
            intercept=rng.uniform(-1, 1),
        )


class AbstractBlockTeacher(AbstractTeacherLaw):
    """Law whose teacher is linear, or has filters over consecutive blocks of features."""

    n_features: int
    target: str

    _parameter_constraints = {
        "n_features": [Interval(Integral, 1, None, closed="left")],
        "patch_size": [Interval(Integral, 1, None, closed="left")],
        "n_filters": [Interval(Integral, 1, None, closed="left")],
        "noise": [Interval(Real, 0, None, closed="left")],
        "target": [StrOptions({"filters", "linear"})],
        "random_state": ["random_state"],
    }

    @abstractmethod
    def _linear_variance(self, direction):
        """Return the variance of the inner product of an input with ``direction``."""

    def _width(self):
        return self.n_features

    def _views(self):
        if self.target == "linear":
            return all_features(self.n_features)
        return disjoint_blocks(self.n_features, self.patch_size)

    def _draw_teacher(self, rng):
        if self.target == "filters":
            return self._draw_filters(rng)
        direction = rng.standard_normal(self.n_features)
        return LinearTeacher(direction / np.linalg.norm(direction))

    def _target_variance_in_closed_form(self):
        if self.target == "linear":
            return self._linear_variance(self.teacher.readout)
        return None

    def _check_parameters(self):
        super()._check_parameters()
        if self.target == "filters" and self.n_features % self.patch_size:
            below = self.n_features // self.patch_size * self.patch_size
            raise ValueError(
                f"n_features={self.n_features} is no multiple of patch_size={self.patch_size}: "
                f"some features would be in no patch. {below or self.patch_size} or "
                f"{below + self.patch_size} features would do."
            )
