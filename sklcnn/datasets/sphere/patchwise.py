"""Inputs all of whose patches are on a sphere: no patch is inside the others' convex hull.

The laws: Liang, Singh, Parhi, Cloninger, Wang, "The Inductive Bias of Convolutional Neural
Networks: Locality and Weight Sharing Reshape Implicit Regularization", 2026, arXiv:2603.04807.
"""

from numbers import Integral, Real

import numpy as np
from sklearn.utils._param_validation import Interval

from sklcnn.datasets.base import stream
from sklcnn.datasets.sphere.directions import draw_directions
from sklcnn.datasets.sphere.law import AbstractTeacherLaw
from sklcnn.patches import disjoint_blocks, random_subsets

__all__ = ["IdenticalPatchesTeacher", "PatchwiseSphereTeacher"]


class AbstractPatchTeacher(AbstractTeacherLaw):
    """Law of inputs that are made of patches, whose teacher has filters."""

    n_patches: int

    _parameter_constraints = {
        "n_patches": [Interval(Integral, 1, None, closed="left")],
        "patch_size": [Interval(Integral, 1, None, closed="left")],
        "n_filters": [Interval(Integral, 1, None, closed="left")],
        "noise": [Interval(Real, 0, None, closed="left")],
        "random_state": ["random_state"],
    }

    @property
    def n_features(self) -> int:
        """Dimension of the inputs, ``n_patches * patch_size``."""
        return self.n_patches * self.patch_size

    def _width(self):
        return self.n_features

    def _draw_teacher(self, rng):
        return self._draw_filters(rng)

    def _target_variance_in_closed_form(self):
        return None


class PatchwiseSphereTeacher(AbstractPatchTeacher):
    r"""Law of inputs each of whose patches is on a unit sphere; the target is a teacher plus noise.

    The patches of an input are independent and uniform on the unit sphere of ``patch_size``
    dimensions. Target, predictions and `fit` are those of `SphereTeacher`, with the patches of the
    teacher those of the inputs.

    It is the law on which shared filters do not help [1]_: no patch is in the convex hull of the
    others, so that a filter can single it out, and there are networks that interpolate the noise
    and are hardly sharper than one without any active unit.

    Parameters
    ----------
    n_patches : int, default=8
        Number of patches (*J* in the paper).
    patch_size : int, default=10
        Features per patch (*m*).
    n_filters : int, default=50
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
        Estimated noise; NaN if no residual is left to estimate it from.
    n_features_in_ : int
        Number of features seen by `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features seen by `fit`, if they all are strings.

    See Also
    --------
    SphereTeacher : Inputs of unit length, with patches of random length.
    sklcnn.theory.flat_interpolator : The flat network that interpolates.

    References
    ----------
    .. [1] Liang, Singh, Parhi, Cloninger, Wang, "The Inductive Bias of Convolutional Neural
       Networks: Locality and Weight Sharing Reshape Implicit Regularization", 2026,
       arXiv:2603.04807.

    Examples
    --------
    >>> from sklcnn.datasets import PatchwiseSphereTeacher
    >>> law = PatchwiseSphereTeacher(n_patches=2, patch_size=3, random_state=0)
    >>> X, y = law.sample(100, random_state=1)
    >>> X.shape
    (100, 6)
    >>> (X[:2].reshape(2, 2, 3) ** 2).sum(axis=2).round(6)
    array([[1., 1.],
           [1., 1.]])
    """

    def __init__(
        self,
        n_patches: int = 8,
        patch_size: int = 10,
        n_filters: int = 50,
        noise: float = 1.0,
        *,
        random_state: int | np.random.RandomState | None = None,
    ):
        self.n_patches = n_patches
        self.patch_size = patch_size
        self.n_filters = n_filters
        self.noise = noise
        self.random_state = random_state

    def _views(self):
        return disjoint_blocks(self.n_features, self.patch_size)

    def _draw_inputs(self, n_samples, entropy):
        shape = n_samples, self.n_patches, self.patch_size
        return draw_directions(stream(entropy, "input"), *shape).reshape(n_samples, -1)


class IdenticalPatchesTeacher(AbstractPatchTeacher):
    r"""Law of inputs whose patches are all the same, seen in random views as well.

    An input is one vector, uniform on the unit sphere of ``patch_size`` dimensions, repeated
    ``n_patches`` times. The teacher of `SphereTeacher` averages over these patches and over
    ``n_random_views`` more views, each a random subset of ``patch_size`` features, so that with
    their number the views leave the sphere. The views are drawn once; `patch_indices` hands them to
    the student.

    Parameters
    ----------
    n_patches : int, default=10
        How often the vector is repeated (*J* in the paper).
    patch_size : int, default=9
        Features of the vector, and of every view (*m*).
    n_random_views : int, default=20
        Number of random views (*R*), 0 or more.
    n_filters : int, default=50
        Filters of the teacher (*K*).
    noise : float, default=1.0
        Standard deviation of the noise on the target (*sigma*).
    random_state : int, RandomState instance or None, default=None
        Source of teacher and views, from independent streams. An int gives the same ones always;
        otherwise they are drawn on first use and then kept by this law, its copies and its clones.

    Attributes
    ----------
    coef_ : ndarray of shape (n_filters,)
        Estimated readout.
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
    PatchwiseSphereTeacher : Patches that are independent of each other.

    Notes
    -----
    The first views of a law are those of a law with fewer, with the same seed.

    References
    ----------
    .. [1] Liang, Singh, Parhi, Cloninger, Wang, "The Inductive Bias of Convolutional Neural
       Networks: Locality and Weight Sharing Reshape Implicit Regularization", 2026,
       arXiv:2603.04807.

    Examples
    --------
    >>> from sklcnn.datasets import IdenticalPatchesTeacher
    >>> law = IdenticalPatchesTeacher(2, patch_size=3, n_random_views=1, random_state=0)
    >>> law.patch_indices
    array([[0, 1, 2],
           [3, 4, 5],
           [1, 2, 5]])
    >>> X, y = law.sample(100, random_state=1)
    >>> X.shape, bool((X[:, :3] == X[:, 3:]).all())
    ((100, 6), True)
    """

    _parameter_constraints = {
        **AbstractPatchTeacher._parameter_constraints,
        "n_random_views": [Interval(Integral, 0, None, closed="left")],
    }

    def __init__(
        self,
        n_patches: int = 10,
        patch_size: int = 9,
        n_random_views: int = 20,
        n_filters: int = 50,
        noise: float = 1.0,
        *,
        random_state: int | np.random.RandomState | None = None,
    ):
        self.n_patches = n_patches
        self.patch_size = patch_size
        self.n_random_views = n_random_views
        self.n_filters = n_filters
        self.noise = noise
        self.random_state = random_state

    def _views(self):
        blocks = disjoint_blocks(self.n_features, self.patch_size)
        if self.n_random_views == 0:
            return blocks
        seed = int(self._law_stream("views").integers(2**32))
        views = random_subsets(self.n_features, self.patch_size, self.n_random_views, seed)
        return np.concatenate([blocks, views])

    def _draw_inputs(self, n_samples, entropy):
        vectors = draw_directions(stream(entropy, "input"), n_samples, self.patch_size)
        return np.tile(vectors, self.n_patches)
