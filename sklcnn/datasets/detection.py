"""Tasks in which one patch tells the label, and the others distract from it."""

from numbers import Integral, Real

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval

from sklcnn.datasets.base import stream
from sklcnn.datasets.known_rule import AbstractPlacedSign
from sklcnn.datasets.rotations import draw_rotations

__all__ = ["PatternDetection", "ReplacedPatch"]


class PatternDetection(AbstractPlacedSign):
    r"""Law of patches with orthonormal patterns, one of which tells the label.

    There are two discriminative patterns, :math:`p_{+1}` and :math:`p_{-1}`, and further spurious
    ones. A sample has :math:`p_y` in one patch, at random, and in every other patch a spurious
    pattern, drawn uniformly and independently of the label. All patterns are orthogonal to each
    other and of unit length: rows of a random orthogonal matrix, drawn once for all samples.

    Parameters
    ----------
    n_patches : int, default=10
        Number of patches.
    patch_size : int, default=20
        Features per patch, at least the number of patterns.
    n_spurious : int, default=None
        Number of spurious patterns. None takes all that are left, ``patch_size - 2``.
    random_state : int, RandomState instance or None, default=None
        Source of the patterns. An int gives the same ones always; otherwise they are drawn on first
        use and then kept by this law, its copies and its clones.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
        The labels, -1 and +1.
    n_features_in_ : int
        Number of features seen by `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features seen by `fit`, if they all are strings.

    See Also
    --------
    ReplacedPatch : A signal and its opposite, among noise.

    Notes
    -----
    For a convolutional network with max pooling, gradient descent one layer after the other needs a
    number of samples linear in the dimension, although the network could shatter exponentially many
    points; the bound for fully connected networks is a far larger power of the dimension.

    References
    ----------
    .. [1] Brutzkus, Globerson, "An Optimization and Generalization Analysis for Max-Pooling
       Networks", UAI 2021, arXiv:2002.09781.

    Examples
    --------
    >>> from sklcnn.datasets.detection import PatternDetection
    >>> law = PatternDetection(n_patches=3, patch_size=4, random_state=0)
    >>> negative, positive = law.true_patterns[:2]
    >>> X, y = law.sample(5, random_state=1)
    >>> (X.reshape(5, 3, 4) @ positive).max(axis=1).round(6) == (y == 1)
    array([ True,  True,  True,  True,  True])
    """

    _parameter_constraints = {
        "n_patches": [Interval(Integral, 1, None, closed="left")],
        "patch_size": [Interval(Integral, 3, None, closed="left")],
        "n_spurious": [Interval(Integral, 1, None, closed="left"), None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_patches: int = 10,
        patch_size: int = 20,
        *,
        n_spurious: int | None = None,
        random_state: int | np.random.RandomState | None = None,
    ):
        self.n_patches = n_patches
        self.patch_size = patch_size
        self.n_spurious = n_spurious
        self.random_state = random_state

    @property
    def true_patterns(self) -> NDArray[np.float64]:
        """The patterns, of shape (2 + n_spurious, patch_size): the same on every access.

        First those of the labels -1 and +1, then the spurious ones.
        """
        self._check_parameters()
        (orthogonal,) = draw_rotations(self._law_stream("patterns"), 1, self.patch_size)
        return orthogonal[: 2 + self._n_spurious()]

    def _width(self):
        return self.n_patches * self.patch_size

    def _n_places(self):
        return self.n_patches

    def _draw_input(self, y, place, entropy):
        shape = len(y), self.n_patches
        pattern = 2 + stream(entropy, "spurious").integers(self._n_spurious(), size=shape)
        pattern[np.arange(len(y)), place] = (y + 1) // 2
        patches = self.true_patterns[pattern]  # (n_samples, n_patches, patch_size)
        return patches.reshape(len(y), -1)  # (n_samples, n_features)

    def _score(self, X):
        patches = X.reshape(len(X), self.n_patches, self.patch_size)
        matches = (patches @ self.true_patterns[:2].T).max(axis=1)  # (n_samples, 2)
        return matches[:, 1] - matches[:, 0]

    def _n_spurious(self):
        return self.patch_size - 2 if self.n_spurious is None else self.n_spurious

    def _check_parameters(self):
        super()._check_parameters()
        if self._n_spurious() > self.patch_size - 2:
            raise ValueError(
                f"n_spurious={self.n_spurious} patterns and two discriminative ones cannot all be "
                f"orthogonal in patch_size={self.patch_size} features: at most "
                f"{self.patch_size - 2} would do."
            )


class ReplacedPatch(AbstractPlacedSign):
    r"""Law of a signed signal that replaces a random patch of noise.

    .. math:: x^{(t)} = y\, w^*, \qquad x^{(j)} \sim N(0, \sigma^2 I) \text{ for } j \ne t,

    with *y* and *t* uniform and every entry of :math:`w^*` equal to :math:`1 / \sqrt d`; in a
    `RotatedLaw` with ``rotation="shared"`` the signal has a random direction instead.

    It is the predecessor of the Dynamic Signal Distribution: there the
    noise is in every patch, here the patch with the signal has none. So the label can be known for
    sure, however strong the noise: the rule looks for the patch that is the signal or its opposite.

    Parameters
    ----------
    n_patches : int, default=100
        Number of patches (*k* in the paper).
    patch_size : int, default=10
        Features per patch (*d*).
    noise : float, default=None
        Standard deviation of the noise per feature (*sigma*). None takes that of the study,
        :math:`\ln(k) / \sqrt k`.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
        The labels, -1 and +1.
    n_features_in_ : int
        Number of features seen by `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features seen by `fit`, if they all are strings.

    See Also
    --------
    sklcnn.datasets.DynamicSignal : Noise in every patch, and a Bayes error above zero.

    Notes
    -----
    At the noise of the study a linear rule fails, as :math:`\sigma \sqrt k = \ln k` grows, while
    a threshold above :math:`\sigma \sqrt{2 \ln k}`, the size of the largest noise, separates the
    signal from it. A convolutional network trained by stochastic gradient descent learns to
    threshold; its neural tangent kernel cannot.

    References
    ----------
    .. [1] Karp, Winston, Li, Singh, "Local Signal Adaptivity: Provable Feature Learning in Neural
       Networks Beyond Kernels", NeurIPS 2021.

    Examples
    --------
    >>> from sklcnn.datasets.detection import ReplacedPatch
    >>> law = ReplacedPatch(n_patches=4, patch_size=1, noise=0.1)
    >>> X, y = law.sample(3, random_state=0)
    >>> X.round(2)
    array([[ 0.06,  0.01, -0.05, -1.  ],
           [-0.02,  0.17,  0.15,  1.  ],
           [ 0.02,  0.13,  1.  , -0.18]])
    >>> y
    array([-1,  1,  1])
    """

    _parameter_constraints = {
        "n_patches": [Interval(Integral, 1, None, closed="left")],
        "patch_size": [Interval(Integral, 1, None, closed="left")],
        "noise": [Interval(Real, 0, None, closed="left"), None],
    }

    def __init__(self, n_patches: int = 100, patch_size: int = 10, noise: float | None = None):
        self.n_patches = n_patches
        self.patch_size = patch_size
        self.noise = noise

    @property
    def true_signal(self) -> NDArray[np.float64]:
        """The signal of the law, of shape (patch_size,) and unit length."""
        self._check_parameters()
        return np.full(self.patch_size, self.patch_size**-0.5)

    @property
    def true_noise(self) -> float:
        """The standard deviation of the noise in the patches without the signal."""
        self._check_parameters()
        if self.noise is None:
            return float(np.log(self.n_patches) / np.sqrt(self.n_patches))
        return float(self.noise)

    def _width(self):
        return self.n_patches * self.patch_size

    def _n_places(self):
        return self.n_patches

    def _draw_input(self, y, place, entropy):
        shape = len(y), self.n_patches, self.patch_size
        patches = self.true_noise * stream(entropy, "noise").standard_normal(shape)
        patches[np.arange(len(y)), place] = np.outer(y, self.true_signal)
        return patches.reshape(len(y), -1)  # (n_samples, n_features)

    def _score(self, X):
        patches = X.reshape(len(X), self.n_patches, self.patch_size)
        from_opposite, from_signal = (
            np.linalg.norm(patches - target, axis=2).min(axis=1)
            for target in (-self.true_signal, self.true_signal)
        )
        return from_opposite - from_signal
