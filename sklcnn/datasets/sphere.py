"""Inputs on the unit sphere with a teacher of shared local filters.

The law: Liang, Singh, Parhi, Cloninger, Wang, "The Inductive Bias of Convolutional Neural Networks:
Locality and Weight Sharing Reshape Implicit Regularization", 2026, arXiv:2603.04807.
"""

from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import RegressorMixin
from sklearn.linear_model import LinearRegression
from sklearn.utils._param_validation import Interval, validate_params
from sklearn.utils.validation import validate_data

from sklcnn.datasets.base import AbstractLaw, draw_entropy, stream

__all__ = ["SphereTeacher", "Teacher", "make_sphere"]


@dataclass(frozen=True)
class Teacher:
    """The random constants of a `SphereTeacher`."""

    filters: NDArray[np.float64]  # (n_filters, patch_size), w in the paper
    thresholds: NDArray[np.float64]  # (n_filters,), b
    readout: NDArray[np.float64]  # (n_filters,), v
    intercept: float  # beta


class SphereTeacher(RegressorMixin, AbstractLaw):
    r"""Law of inputs on the unit sphere whose target is a teacher network plus noise.

    Inputs are uniform on the unit sphere. The target is

    .. math:: y = f^*(x) + \sigma z, \qquad f^*(x) = \beta + \sum_k v_k \frac{1}{J} \sum_{l=1}^{J}
              \max\bigl(\langle w_k, x^{(l)} \rangle - b_k, 0\bigr), \qquad z \sim N(0, 1),

    where :math:`x^{(1)}, \dots, x^{(J)}` are consecutive patches, and *v* and *W* are standard
    normal, *b* is uniform on (-1/2, 1/2), *beta* uniform on (-1, 1): drawn once, for all samples.

    The law is a regressor as well. Before `fit` it predicts the regression function :math:`f^*`,
    the best prediction in squared error. `fit` keeps the filters and their thresholds, and learns
    readout, intercept and noise by least squares: the limit of what a learner who knew the filters
    could do. Only the predictions change: `sample`, `teacher` and `bayes_error` always speak of the
    law of the parameters.

    Parameters
    ----------
    n_features : int, default=100
        Dimension of the inputs (*d* in the paper), a multiple of ``patch_size``.
    patch_size : int, default=10
        Features per patch (*m* in the paper).
    n_filters : int, default=20
        Filters of the teacher (*K*).
    noise : float, default=1.0
        Standard deviation of the noise on the target (*sigma*).
    random_state : int, RandomState instance or None, default=None
        Source of the teacher. An int gives the same teacher always; otherwise it is drawn on first
        use and then kept by this law, its copies and its clones.

    Attributes
    ----------
    coef_ : ndarray of shape (n_filters,)
        Estimated readout.
    intercept_ : float
        Estimated intercept.
    noise_ : float
        Estimated noise, from the unbiased estimate of its variance; NaN if as many numbers were
        estimated as there are samples, as no residual is left then.
    n_features_in_ : int
        Number of features seen by `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features seen by `fit`, if they all are strings.

    See Also
    --------
    make_sphere : The same samples from a function.

    Notes
    -----
    Teacher, inputs and noise come from independent random streams. The same seed may therefore
    serve the law and its samples, and the first rows of a sample are those of a smaller sample with
    the same seed.

    The variance of :math:`f^*` falls fast with the dimension (about 0.06 at the defaults, where the
    noise has variance 1): compare an excess risk with it before speaking of learning.

    References
    ----------
    .. [1] Liang, Singh, Parhi, Cloninger, Wang, "The Inductive Bias of Convolutional Neural
       Networks: Locality and Weight Sharing Reshape Implicit Regularization", 2026,
       arXiv:2603.04807.

    Examples
    --------
    >>> from sklcnn.datasets import SphereTeacher
    >>> law = SphereTeacher(n_features=20, patch_size=5, n_filters=4, noise=0.5, random_state=0)
    >>> X, y = law.sample(1000, random_state=1)
    >>> X.shape, y.shape
    ((1000, 20), (1000,))
    >>> round(law.fit(X, y).noise_, 3), law.bayes_error()
    (0.5, 0.25)
    """

    _parameter_constraints = {
        "n_features": [Interval(Integral, 1, None, closed="left")],
        "patch_size": [Interval(Integral, 1, None, closed="left")],
        "n_filters": [Interval(Integral, 1, None, closed="left")],
        "noise": [Interval(Real, 0, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_features: int = 100,
        patch_size: int = 10,
        n_filters: int = 20,
        noise: float = 1.0,
        *,
        random_state: int | np.random.RandomState | None = None,
    ):
        self.n_features = n_features
        self.patch_size = patch_size
        self.n_filters = n_filters
        self.noise = noise
        self.random_state = random_state

    @property
    def teacher(self) -> Teacher:
        """The teacher of the law, the same on every access.

        A record with ``filters`` of shape (n_filters, patch_size), ``thresholds`` and ``readout``
        of shape (n_filters,), and ``intercept``.
        """
        self._check_parameters()
        rng = self._law_stream("teacher")
        return Teacher(
            filters=rng.standard_normal((self.n_filters, self.patch_size)),
            thresholds=rng.uniform(-0.5, 0.5, self.n_filters),
            readout=rng.standard_normal(self.n_filters),
            intercept=rng.uniform(-1, 1),
        )

    @validate_params(
        {
            "n_samples": [Interval(Integral, 1, None, closed="left")],
            "random_state": ["random_state"],
            "return_clean": ["boolean"],
        },
        prefer_skip_nested_validation=False,
    )
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
            The inputs, each of unit length.
        y : ndarray of shape (n_samples,)
            The targets.
        clean : ndarray of shape (n_samples,)
            The targets without noise. Only if ``return_clean=True``.
        """
        teacher, entropy = self.teacher, draw_entropy(random_state)
        X = stream(entropy, "input").standard_normal((n_samples, self.n_features))
        X /= np.linalg.norm(X, axis=1, keepdims=True)
        clean = self._activations(X) @ teacher.readout + teacher.intercept
        y = clean + self.noise * stream(entropy, "noise").standard_normal(n_samples)
        return (X, y, clean) if return_clean else (X, y)

    def fit(self, X: ArrayLike, y: ArrayLike) -> "SphereTeacher":
        """Estimate readout, intercept and noise by least squares on the filters of the teacher.

        With fewer samples than numbers to estimate, the readout is the one of least norm.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The inputs.
        y : array-like of shape (n_samples,)
            The targets.

        Returns
        -------
        self : SphereTeacher
            The fitted law.
        """
        self._check_parameters()
        X, y = validate_data(self, X, y, dtype=np.float64, y_numeric=True)
        self._check_width(X)
        activations = self._activations(X)
        line = LinearRegression().fit(activations, y)
        residual = y - line.predict(activations)
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
        self._check_parameters()
        activations = self._activations(self._check_samples(X))
        if self._is_fitted():
            return activations @ self.coef_ + self.intercept_
        teacher = self.teacher
        return activations @ teacher.readout + teacher.intercept

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

    def _activations(self, X):
        """Mean over patches of the teacher's hidden units, of shape (n_samples, n_filters)."""
        teacher = self.teacher
        patches = X.reshape(len(X), -1, self.patch_size)  # (n_samples, n_patches, patch_size)
        hidden = patches @ teacher.filters.T - teacher.thresholds
        return np.maximum(hidden, 0).mean(axis=1)

    def _check_parameters(self):
        self._validate_params()
        if self.n_features % self.patch_size:
            below = self.n_features // self.patch_size * self.patch_size
            raise ValueError(
                f"n_features={self.n_features} is no multiple of patch_size={self.patch_size}: "
                f"some features would be in no patch. {below or self.patch_size} or "
                f"{below + self.patch_size} features would do."
            )

    def _check_width(self, X):
        if X.shape[1] != self.n_features:
            raise ValueError(
                f"X has {X.shape[1]} features, but the law has n_features={self.n_features}: they "
                "must be equal."
            )


def make_sphere(
    *,
    n_samples: int = 100,
    n_features: int = 100,
    patch_size: int = 10,
    n_filters: int = 20,
    noise: float = 1.0,
    random_state: int | np.random.RandomState | None = None,
):
    """Generate inputs on the unit sphere with targets from a teacher of shared local filters.

    Parameters
    ----------
    n_samples : int, default=100
        Number of samples.
    n_features : int, default=100
        Dimension of the inputs, a multiple of ``patch_size``.
    patch_size : int, default=10
        Features per patch.
    n_filters : int, default=20
        Filters of the teacher.
    noise : float, default=1.0
        Standard deviation of the noise on the target.
    random_state : int, RandomState instance or None, default=None
        Source of the teacher and, from streams independent of it, of inputs and noise.

    Returns
    -------
    X : ndarray of shape (n_samples, n_features)
        The inputs, each of unit length.
    y : ndarray of shape (n_samples,)
        The targets.

    See Also
    --------
    SphereTeacher : The law itself, for more samples of one teacher and for the best prediction.

    References
    ----------
    .. [1] Liang, Singh, Parhi, Cloninger, Wang, "The Inductive Bias of Convolutional Neural
       Networks: Locality and Weight Sharing Reshape Implicit Regularization", 2026,
       arXiv:2603.04807.

    Examples
    --------
    >>> from sklcnn.datasets import make_sphere
    >>> X, y = make_sphere(n_samples=5, n_features=20, random_state=0)
    >>> X.shape, y.shape
    ((5, 20), (5,))
    >>> (X**2).sum(axis=1).round(6)
    array([1., 1., 1., 1., 1.])
    """
    law = SphereTeacher(n_features, patch_size, n_filters, noise, random_state=random_state)
    return law.sample(n_samples, random_state=random_state)
