"""Inputs without a preferred direction: on the sphere, in the ball, and between the two.

The sphere: Liang, Singh, Parhi, Cloninger, Wang, "The Inductive Bias of Convolutional Neural
Networks: Locality and Weight Sharing Reshape Implicit Regularization", 2026, arXiv:2603.04807.
"""

from abc import abstractmethod
from numbers import Real

import numpy as np
from sklearn.utils._param_validation import Interval

from sklcnn.datasets.base import stream
from sklcnn.datasets.sphere.directions import draw_ball, draw_directions
from sklcnn.datasets.sphere.law import AbstractBlockTeacher

__all__ = ["BallTeacher", "BetaTeacher", "SphereTeacher"]


class AbstractIsotropicTeacher(AbstractBlockTeacher):
    """Law of inputs whose distribution no rotation changes."""

    @abstractmethod
    def _mean_squared_radius(self):
        """Return the expected squared length of an input."""

    def _linear_variance(self, direction):
        # By symmetry all features have the same variance, and no two are correlated.
        return self._mean_squared_radius() / self.n_features * (direction @ direction)


class SphereTeacher(AbstractIsotropicTeacher):
    r"""Law of inputs on the unit sphere whose target is a teacher plus noise.

    Inputs are uniform on the unit sphere. The target is

    .. math:: y = f^*(x) + \sigma z, \qquad f^*(x) = \beta + \sum_k v_k \frac{1}{J} \sum_{l=1}^{J}
              \max\bigl(\langle w_k, x^{(l)} \rangle - b_k, 0\bigr), \qquad z \sim N(0, 1),

    where :math:`x^{(1)}, \dots, x^{(J)}` are consecutive patches, and *v* and *W* are standard
    normal, *b* is uniform on (-1/2, 1/2), *beta* uniform on (-1, 1): drawn once, for all samples.
    With ``target="linear"`` it is :math:`f^*(x) = \langle w, x \rangle` instead, with *w* uniform
    on the unit sphere [2]_.

    The law is a regressor as well. Before `fit` it predicts the regression function :math:`f^*`,
    the best prediction in squared error. `fit` keeps the filters and their thresholds, and learns
    readout, intercept and noise by least squares: the limit of what a learner who knew the filters
    could do. For a linear target it is least squares on the inputs. Only the predictions change:
    `sample`, `teacher` and `bayes_error` always speak of the law of the parameters.

    Parameters
    ----------
    n_features : int, default=100
        Dimension of the inputs (*d* in the paper), a multiple of ``patch_size`` unless the target
        is linear.
    patch_size : int, default=10
        Features per patch (*m* in the paper). Of no effect if the target is linear.
    n_filters : int, default=20
        Filters of the teacher (*K*). Of no effect if the target is linear.
    noise : float, default=1.0
        Standard deviation of the noise on the target (*sigma*).
    target : {"filters", "linear"}, default="filters"
        The teacher: a network of shared local filters, or a linear function.
    random_state : int, RandomState instance or None, default=None
        Source of the teacher. An int gives the same teacher always; otherwise it is drawn on first
        use and then kept by this law, its copies and its clones.

    Attributes
    ----------
    coef_ : ndarray of shape (n_filters,)
        Estimated readout; (n_features,) if the target is linear.
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
    BallTeacher : Inputs in the ball, not on its surface only.
    PatchwiseSphereTeacher : Every patch on a sphere of its own.

    Notes
    -----
    Teacher, inputs and noise come from independent random streams. The same seed may therefore
    serve the law and its samples, and the first rows of a sample are those of a smaller sample with
    the same seed.

    The variance of :math:`f^*`, `target_variance`, falls fast with the dimension: at the defaults,
    where the noise has variance 1, it is 0.06 for the median teacher; 1/d for a linear target.
    Compare an excess risk with it before speaking of learning. The squared length of a patch
    follows the law :math:`\mathrm{Beta}(m/2, (d - m)/2)`.

    References
    ----------
    .. [1] Liang, Singh, Parhi, Cloninger, Wang, "The Inductive Bias of Convolutional Neural
       Networks: Locality and Weight Sharing Reshape Implicit Regularization", 2026,
       arXiv:2603.04807.
    .. [2] Liang, Qiao, Wang, Parhi, "Stable Minima of ReLU Neural Networks Suffer from the Curse
       of Dimensionality", NeurIPS 2025, arXiv:2506.20779.

    Examples
    --------
    >>> from sklcnn.datasets import SphereTeacher
    >>> law = SphereTeacher(n_features=20, patch_size=5, n_filters=4, noise=0.5, random_state=0)
    >>> X, y = law.sample(1000, random_state=1)
    >>> X.shape, y.shape
    ((1000, 20), (1000,))
    >>> round(law.fit(X, y).noise_, 3), law.bayes_error()
    (0.5, 0.25)
    >>> law.patch_indices.shape
    (4, 5)
    """

    def __init__(
        self,
        n_features: int = 100,
        patch_size: int = 10,
        n_filters: int = 20,
        noise: float = 1.0,
        *,
        target: str = "filters",
        random_state: int | np.random.RandomState | None = None,
    ):
        self.n_features = n_features
        self.patch_size = patch_size
        self.n_filters = n_filters
        self.noise = noise
        self.target = target
        self.random_state = random_state

    def _draw_inputs(self, n_samples, entropy):
        return draw_directions(stream(entropy, "input"), n_samples, self.n_features)

    def _mean_squared_radius(self):
        return 1


class BallTeacher(AbstractIsotropicTeacher):
    r"""Law of inputs in the unit ball whose target is a teacher plus noise.

    Inputs are uniform in the unit ball; teacher, target, predictions and `fit` are those of
    `SphereTeacher`. With ``target="linear"`` it is the law of the experiments of [1]_, on which the
    error of stable networks suffers from the dimension.

    Parameters
    ----------
    n_features : int, default=100
        Dimension of the inputs (*d* in the paper), a multiple of ``patch_size`` unless the target
        is linear.
    patch_size : int, default=10
        Features per patch. Of no effect if the target is linear.
    n_filters : int, default=20
        Filters of the teacher. Of no effect if the target is linear.
    noise : float, default=1.0
        Standard deviation of the noise on the target (*sigma*).
    target : {"filters", "linear"}, default="filters"
        The teacher: a network of shared local filters, or a linear function of unit slope in a
        direction that is uniform on the sphere.
    random_state : int, RandomState instance or None, default=None
        Source of the teacher. An int gives the same teacher always; otherwise it is drawn on first
        use and then kept by this law, its copies and its clones.

    Attributes
    ----------
    coef_ : ndarray of shape (n_filters,)
        Estimated readout; (n_features,) if the target is linear.
    intercept_ : float
        Estimated intercept.
    noise_ : float
        Estimated noise; NaN if no residual is left to estimate it from.
    n_features_in_ : int
        Number of features seen by `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features seen by `fit`, if they all are strings.

    See Also
    --------
    SphereTeacher : Inputs on the surface of the ball; has the definition of the teacher.
    BetaTeacher : Inputs in the ball that are more or less close to its surface.

    Notes
    -----
    The mean squared length of an input is :math:`d / (d + 2)`, so that a linear target has variance
    :math:`1 / (d + 2)`.

    References
    ----------
    .. [1] Liang, Qiao, Wang, Parhi, "Stable Minima of ReLU Neural Networks Suffer from the Curse
       of Dimensionality", NeurIPS 2025, arXiv:2506.20779.

    Examples
    --------
    >>> from sklcnn.datasets import BallTeacher
    >>> law = BallTeacher(n_features=3, target="linear", random_state=0)
    >>> X, y = law.sample(1000, random_state=1)
    >>> X.shape, bool(((X**2).sum(axis=1) <= 1).all())
    ((1000, 3), True)
    >>> round(law.target_variance(), 3)
    0.2
    """

    def __init__(
        self,
        n_features: int = 100,
        patch_size: int = 10,
        n_filters: int = 20,
        noise: float = 1.0,
        *,
        target: str = "filters",
        random_state: int | np.random.RandomState | None = None,
    ):
        self.n_features = n_features
        self.patch_size = patch_size
        self.n_filters = n_filters
        self.noise = noise
        self.target = target
        self.random_state = random_state

    def _draw_inputs(self, n_samples, entropy):
        return draw_ball(n_samples, self.n_features, entropy)

    def _mean_squared_radius(self):
        return self.n_features / (self.n_features + 2)


class BetaTeacher(AbstractIsotropicTeacher):
    r"""Law of inputs more or less close to the unit sphere; the target is a teacher plus noise.

    Inputs are isotropic, in the unit ball, with

    .. math:: P(\|x\| \ge 1 - s) = s^\alpha, \qquad \text{that is,} \qquad
              1 - \|x\| \sim \mathrm{Beta}(\alpha, 1).

    Small :math:`\alpha` puts the mass at the sphere, large :math:`\alpha` at the center. Teacher,
    target, predictions and `fit` are those of `SphereTeacher`.

    Parameters
    ----------
    n_features : int, default=100
        Dimension of the inputs (*d* in the paper), a multiple of ``patch_size`` unless the target
        is linear.
    alpha : float, default=1.0
        Exponent of the mass near the sphere, above 0. At 1 it is that of the ball.
    patch_size : int, default=10
        Features per patch. Of no effect if the target is linear.
    n_filters : int, default=20
        Filters of the teacher. Of no effect if the target is linear.
    noise : float, default=1.0
        Standard deviation of the noise on the target (*sigma*).
    target : {"filters", "linear"}, default="filters"
        The teacher: a network of shared local filters, or a linear function of unit slope in a
        direction that is uniform on the sphere.
    random_state : int, RandomState instance or None, default=None
        Source of the teacher. An int gives the same teacher always; otherwise it is drawn on first
        use and then kept by this law, its copies and its clones.

    Attributes
    ----------
    coef_ : ndarray of shape (n_filters,)
        Estimated readout; (n_features,) if the target is linear.
    intercept_ : float
        Estimated intercept.
    noise_ : float
        Estimated noise; NaN if no residual is left to estimate it from.
    n_features_in_ : int
        Number of features seen by `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features seen by `fit`, if they all are strings.

    See Also
    --------
    SphereTeacher : The limit of small ``alpha``; has the definition of the teacher.
    sklcnn.theory.gap_exponent : The rates of this family.

    Notes
    -----
    Inputs are :math:`h(R) U`, with *R* uniform on (0, 1), *U* uniform on the sphere and
    :math:`h(r) = 1 - (1 - r)^{1/\alpha}`. The mean squared length is
    :math:`2 / ((\alpha + 1)(\alpha + 2))`; a linear target has *1/d* of it as its variance.

    At ``alpha=1`` the length of an input is uniform: it is the uniform ball in one dimension only.
    In others it has the ball's exponent of the mass near the sphere, and more mass at the center.

    References
    ----------
    .. [1] Liang, Cloninger, Parhi, Wang, "Generalization Below the Edge of Stability: The Role of
       Data Geometry", ICLR 2026, arXiv:2510.18120.

    Examples
    --------
    >>> from sklcnn.datasets import BetaTeacher
    >>> law = BetaTeacher(n_features=20, alpha=0.5, random_state=0)
    >>> X, y = law.sample(10_000, random_state=1)
    >>> round(float(((X**2).sum(axis=1) >= 0.9**2).mean()), 1), round(0.1**0.5, 1)
    (0.3, 0.3)
    """

    _parameter_constraints = {
        **AbstractIsotropicTeacher._parameter_constraints,
        "alpha": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(
        self,
        n_features: int = 100,
        alpha: float = 1.0,
        patch_size: int = 10,
        n_filters: int = 20,
        noise: float = 1.0,
        *,
        target: str = "filters",
        random_state: int | np.random.RandomState | None = None,
    ):
        self.n_features = n_features
        self.alpha = alpha
        self.patch_size = patch_size
        self.n_filters = n_filters
        self.noise = noise
        self.target = target
        self.random_state = random_state

    def _draw_inputs(self, n_samples, entropy):
        directions = draw_directions(stream(entropy, "input"), n_samples, self.n_features)
        quantiles = stream(entropy, "radius").random(n_samples)
        radii = -np.expm1(np.log1p(-quantiles) / self.alpha)  # exact near the center too
        return directions * radii[:, np.newaxis]

    def _mean_squared_radius(self):
        return 2 / ((self.alpha + 1) * (self.alpha + 2))
