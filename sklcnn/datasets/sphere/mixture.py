"""Inputs in balls of low dimension, in a space of a high one."""

from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval

from sklcnn.datasets.base import stream
from sklcnn.datasets.sphere.directions import draw_ball
from sklcnn.datasets.sphere.law import AbstractBlockTeacher

__all__ = ["BallMixtureTeacher", "Subspaces"]


@dataclass(frozen=True)
class Subspaces:
    """The affine subspaces that hold the balls of a `BallMixtureTeacher`."""

    centers: NDArray[np.float64]  # (n_balls, n_features), orthogonal to their subspace
    bases: NDArray[np.float64]  # (n_balls, ball_dimension, n_features), orthonormal rows


class BallMixtureTeacher(AbstractBlockTeacher):
    r"""Law of inputs in low-dimensional unit balls; the target is a teacher plus noise.

    Each input is in one of ``n_balls`` balls, chosen uniformly, and uniform in it. A ball is the
    unit ball, around its center, of an affine subspace of ``ball_dimension`` dimensions, whose
    directions are uniform (Haar) and whose center is at distance ``offset`` from the origin, in a
    uniform direction orthogonal to the subspace. At the default offset, 0, the subspaces are linear
    and all inputs are in the unit ball; in general they are in the ball of radius
    :math:`\sqrt{1 + \mathtt{offset}^2}`. The subspaces are drawn once, for all samples.

    Teacher, target, predictions and `fit` are those of `SphereTeacher`.

    Parameters
    ----------
    n_features : int, default=100
        Dimension of the inputs (*d* in the paper), a multiple of ``patch_size`` unless the target
        is linear.
    n_balls : int, default=20
        Number of balls (*J*).
    ball_dimension : int, default=1
        Dimension of the balls (*m*), at most ``n_features``. At 1 they are segments of lines.
    patch_size : int, default=10
        Features per patch. Of no effect if the target is linear.
    n_filters : int, default=20
        Filters of the teacher. Of no effect if the target is linear.
    noise : float, default=1.0
        Standard deviation of the noise on the target (*sigma*).
    offset : float, default=0.0
        Distance of the subspaces from the origin. Above 0 it needs a dimension outside the balls.
    target : {"filters", "linear"}, default="filters"
        The teacher: a network of shared local filters, or a linear function of unit slope in a
        direction that is uniform on the sphere.
    random_state : int, RandomState instance or None, default=None
        Source of teacher and subspaces, from independent streams. An int gives the same ones
        always; otherwise they are drawn on first use and then kept by this law, its copies and its
        clones.

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
    BallTeacher : A single ball of all dimensions.
    sklcnn.theory.gap_exponent : The rates of this law depend on ``ball_dimension`` only.

    Notes
    -----
    The paper's law has unit balls of affine subspaces; where they lie is our choice.

    References
    ----------
    .. [1] Liang, Cloninger, Parhi, Wang, "Generalization Below the Edge of Stability: The Role of
       Data Geometry", ICLR 2026, arXiv:2510.18120.

    Examples
    --------
    >>> import numpy as np
    >>> from sklcnn.datasets import BallMixtureTeacher
    >>> law = BallMixtureTeacher(n_features=50, n_balls=3, ball_dimension=2, random_state=0)
    >>> X, y = law.sample(100, random_state=1)
    >>> X.shape, int(np.linalg.matrix_rank(X))
    ((100, 50), 6)
    >>> law.subspaces.bases.shape
    (3, 2, 50)
    """

    _parameter_constraints = {
        **AbstractBlockTeacher._parameter_constraints,
        "n_balls": [Interval(Integral, 1, None, closed="left")],
        "ball_dimension": [Interval(Integral, 1, None, closed="left")],
        "offset": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        n_features: int = 100,
        n_balls: int = 20,
        ball_dimension: int = 1,
        patch_size: int = 10,
        n_filters: int = 20,
        noise: float = 1.0,
        *,
        offset: float = 0.0,
        target: str = "filters",
        random_state: int | np.random.RandomState | None = None,
    ):
        self.n_features = n_features
        self.n_balls = n_balls
        self.ball_dimension = ball_dimension
        self.patch_size = patch_size
        self.n_filters = n_filters
        self.noise = noise
        self.offset = offset
        self.target = target
        self.random_state = random_state

    @property
    def subspaces(self) -> Subspaces:
        """The subspaces of the balls, the same on every access.

        A record with ``centers`` of shape (n_balls, n_features), and ``bases`` of shape (n_balls,
        ball_dimension, n_features), whose rows are orthonormal.
        """
        self._check_parameters()
        shape = self.n_balls, self.n_features, self.ball_dimension
        directions, _ = np.linalg.qr(self._law_stream("subspaces").standard_normal(shape))
        bases = directions.swapaxes(1, 2)  # (n_balls, ball_dimension, n_features)
        return Subspaces(self._draw_centers(bases), bases)

    def _draw_centers(self, bases):
        if self.offset == 0:
            return np.zeros((self.n_balls, self.n_features))
        normal = self._law_stream("centers").standard_normal((self.n_balls, self.n_features, 1))
        outside = (normal - bases.swapaxes(1, 2) @ (bases @ normal))[:, :, 0]
        return self.offset * outside / np.linalg.norm(outside, axis=1, keepdims=True)

    def _draw_inputs(self, n_samples, entropy):
        subspaces = self.subspaces
        chosen = stream(entropy, "ball").integers(self.n_balls, size=n_samples)
        points = draw_ball(n_samples, self.ball_dimension, entropy)
        X = subspaces.centers[chosen]
        for ball, basis in enumerate(subspaces.bases):
            # A product by BLAS would round in an order that depends on the number of rows.
            X[chosen == ball] += np.einsum("nk,kf->nf", points[chosen == ball], basis)
        return X

    def _linear_variance(self, direction):
        # Between the balls, by their centers, and within: a feature of a ball has 1 / (k + 2).
        subspaces = self.subspaces
        within = (subspaces.bases @ direction) ** 2 / (self.ball_dimension + 2)
        return np.var(subspaces.centers @ direction) + within.sum() / self.n_balls

    def _check_parameters(self):
        super()._check_parameters()
        most = self.n_features - (self.offset > 0)
        if self.ball_dimension > most:
            raise ValueError(
                f"ball_dimension={self.ball_dimension} is too large for n_features="
                f"{self.n_features} and offset={self.offset}: it must be at most {most}."
            )
