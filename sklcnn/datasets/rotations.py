"""Rotated laws: what a learner that is blind to the rotation has to be good at, all at once."""

from dataclasses import dataclass
from functools import lru_cache
from numbers import Integral

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.utils import get_tags
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import validate_data

from sklcnn.datasets.base import AbstractLaw, stream

__all__ = ["RotatedLaw", "draw_rotations"]


@dataclass(frozen=True)
class _Rotation:
    """An orthogonal map: patches change places, then each is rotated by its block."""

    blocks: NDArray[np.float64]  # (n_patches or 1, patch_size, patch_size); one block serves all
    order: NDArray[np.int64]  # (n_patches,), from where each patch comes

    def apply(self, X):
        """Return U x for every row x of X."""
        patches = self._to_patches(X)[self.order]
        return self._to_rows(patches @ self.blocks.transpose(0, 2, 1))

    def undo(self, X):
        """Return U^T x for every row x of X."""
        patches = self._to_patches(X) @ self.blocks
        return self._to_rows(patches[np.argsort(self.order)])

    def _to_patches(self, X):
        shape = len(X), len(self.order), self.blocks.shape[2]
        return X.reshape(shape).swapaxes(0, 1)  # (n_patches, n_samples, patch_size)

    def _to_rows(self, patches):
        return patches.swapaxes(0, 1).reshape(patches.shape[1], -1)  # (n_samples, n_features)


def draw_rotations(rng, n_rotations, size):
    """Draw uniform (Haar) elements of the orthogonal group, of shape (n_rotations, size, size)."""
    orthogonal, triangle = np.linalg.qr(rng.standard_normal((n_rotations, size, size)))
    # With the signs that make the factorization unique, the orthogonal factor is uniform.
    signs = np.sign(np.diagonal(triangle, axis1=1, axis2=2))
    return orthogonal * signs[:, None, :]


@lru_cache(maxsize=4)
def _draw_rotation(entropy, kind, n_patches, patch_size):
    """Draw the rotation of a law. Remembered, as it costs as much as a sample or more."""
    n_blocks = n_patches if kind == "block" else 1
    blocks = draw_rotations(stream(entropy, "rotation"), n_blocks, patch_size)
    blocks.flags.writeable = False  # the memory is shared
    order = np.arange(n_patches)
    if kind == "block":
        order = stream(entropy, "order").permutation(n_patches)
    return _Rotation(blocks, order)


def _law_has(method):
    return available_if(lambda rotated: hasattr(rotated.law, method))


class RotatedLaw(AbstractLaw):
    r"""Law whose inputs are those of another law, rotated.

    If :math:`(x, y)` follows the law, :math:`(Ux, y)` follows the rotated law. Its Bayes rule is
    that of the law on :math:`U^\top x`, with the same error. *U* is drawn once for all samples,
    uniformly from one of three groups, each the symmetry of a family of networks:

    - ``"global"``: all rotations and reflections of the features. Fully connected networks trained
      by (stochastic) gradient descent from a Gaussian start learn a law and its rotations equally
      well.
    - ``"block"``: another rotation in every patch, and a permutation of the patches: the symmetry
      of locally connected networks.
    - ``"shared"``: the same rotation in every patch: a symmetry of convolutional networks.

    Parameters
    ----------
    law : estimator
        Any law of data: a scikit-learn object with methods ``sample`` and ``predict``.
    rotation : {"global", "block", "shared"}, default="global"
        The group that the rotation is drawn from.
    patch_size : int, default=None
        Features per patch, for "block" and "shared". None takes the ``patch_size`` of the law.
    random_state : int, RandomState instance or None, default=None
        Source of the rotation. An int gives the same rotation always; otherwise it is drawn on
        first use and then kept by this law, its copies and its clones.

    Attributes
    ----------
    law_ : object
        The law, fitted by `fit` on the samples rotated back.
    classes_ : ndarray of shape (2,)
        The labels, if the law has them.
    n_features_in_ : int
        Number of features seen by `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features seen by `fit`, if they all are strings.

    Notes
    -----
    A learner that is equivariant under the group has the same error on the law and on each of its
    rotations. So its error is at least the least mean error over the rotations that any learner
    reaches: that is the lever of the lower bounds. To compare scores on the law and on the rotated
    law shows which symmetry a learner has.

    A global rotation holds ``n_features`` squared numbers; the last few rotations are kept in
    memory.

    References
    ----------
    .. [1] Li, Zhang, Arora, "Why Are Convolutional Nets More Sample-Efficient than Fully-Connected
       Nets?", ICLR 2021, arXiv:2010.08515, Definition 3.2 and Theorem C.1.
    .. [2] Lahoti, Karp, Winston, Singh, Li, "Role of Locality and Weight Sharing in Image-Based
       Tasks", ICLR 2024, arXiv:2403.15707.

    Examples
    --------
    >>> from sklcnn.datasets import DynamicSignal
    >>> from sklcnn.datasets.rotations import RotatedLaw
    >>> law = DynamicSignal(n_patches=2, patch_size=2, random_state=0)
    >>> rotated = RotatedLaw(law, rotation="shared", random_state=1)
    >>> rotated.matrix.round(2) + 0.0
    array([[ 0.01,  1.  ,  0.  ,  0.  ],
           [-1.  ,  0.01,  0.  ,  0.  ],
           [ 0.  ,  0.  ,  0.01,  1.  ],
           [ 0.  ,  0.  , -1.  ,  0.01]])
    >>> X, y = rotated.sample(100, random_state=2)
    >>> rotated.score(X, y), law.score(X @ rotated.matrix, y)
    (1.0, 1.0)
    """

    _parameter_constraints = {
        "law": [HasMethods(["sample", "predict"])],
        "rotation": [StrOptions({"global", "block", "shared"})],
        "patch_size": [Interval(Integral, 1, None, closed="left"), None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        law,
        rotation: str = "global",
        *,
        patch_size: int | None = None,
        random_state: int | np.random.RandomState | None = None,
    ):
        self.law = law
        self.rotation = rotation
        self.patch_size = patch_size
        self.random_state = random_state

    @property
    def matrix(self) -> NDArray[np.float64]:
        """The rotation *U*, of shape (n_features, n_features): the same on every access."""
        return self._rotation().apply(np.eye(self._width())).T

    @property
    def classes_(self) -> NDArray:
        """The labels of the law."""
        return self._rule().classes_

    def sample(
        self, n_samples: int, *, random_state: int | np.random.RandomState | None = None
    ) -> tuple[NDArray[np.float64], NDArray]:
        """Draw samples from the rotated law: those of the law with the same seed, rotated.

        Parameters
        ----------
        n_samples : int
            Number of samples.
        random_state : int, RandomState instance or None, default=None
            Source of the samples, apart from that of the rotation. None draws other samples on
            every call; the same int draws the same samples.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features)
            The samples.
        y : ndarray of shape (n_samples,)
            The labels or targets.
        """
        rotation = self._rotation()
        X, y = self.law.sample(n_samples, random_state=random_state)
        return rotation.apply(X), y

    def fit(self, X: ArrayLike, y: ArrayLike) -> "RotatedLaw":
        """Fit the law on the samples rotated back: the rotation is known, not learned.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The samples.
        y : array-like of shape (n_samples,)
            The labels or targets.

        Returns
        -------
        self : RotatedLaw
            The fitted law.
        """
        rotation = self._rotation()
        X, y = validate_data(self, X, y, dtype=np.float64)
        self._check_width(X)
        self.law_ = clone(self.law).fit(rotation.undo(X), y)
        return self

    def predict(self, X: ArrayLike) -> NDArray:
        """Return the prediction of the law on the samples rotated back.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The samples.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            Labels or targets: by the best rule, or after `fit` by the fitted law.
        """
        return self._rule().predict(self._rotate_back(X))

    @_law_has("decision_function")
    def decision_function(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the decision function of the law on the samples rotated back.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The samples.

        Returns
        -------
        score : ndarray of shape (n_samples,)
            Positive where the second class is predicted.
        """
        return self._rule().decision_function(self._rotate_back(X))

    @_law_has("predict_proba")
    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the posterior probabilities of the labels, by the law on samples rotated back.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The samples.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, 2)
            In the order of ``classes_``.
        """
        return self._rule().predict_proba(self._rotate_back(X))

    @_law_has("score")
    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return the score of the law on the samples rotated back.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The samples.
        y : array-like of shape (n_samples,)
            The labels or targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each sample.

        Returns
        -------
        score : float
            Accuracy, or the coefficient of determination of a regression.
        """
        return self._rule().score(self._rotate_back(X), y, sample_weight=sample_weight)

    @_law_has("bayes_error")
    def bayes_error(self) -> float:
        """Return the error of the best rule: that of the law, as a rotation loses nothing.

        Returns
        -------
        error : float
            Probability of a wrong label, or the mean squared error of a regression.
        """
        self._check_parameters()
        return self.law.bayes_error()

    def _rule(self):
        """The fitted law, else one that predicts by the best rule even if ``law`` was fitted."""
        self._check_parameters()
        return self.law_ if self._is_fitted() else clone(self.law)

    def _rotate_back(self, X):
        rotation = self._rotation()
        return rotation.undo(self._check_samples(X))

    def _rotation(self):
        self._check_parameters()
        patch_size = self._block_size()
        entropy = self._law_entropy()
        if not isinstance(entropy, int):
            entropy = tuple(entropy)  # what is remembered must be hashable
        return _draw_rotation(entropy, self.rotation, self._width() // patch_size, patch_size)

    def _block_size(self):
        if self.rotation == "global":
            return self._width()
        return self.patch_size or getattr(self.law, "patch_size", None)

    def _width(self):
        return self.law.sample(1, random_state=0)[0].shape[1]

    def _is_fitted(self):
        return hasattr(self, "law_")

    def _check_parameters(self):
        self._validate_params()
        if isinstance(self.law, type):
            name = self.law.__name__
            raise ValueError(f"law={name} is a class, not a law: {name}() would do.")
        width, size = self._width(), self._block_size()
        name = type(self.law).__name__
        if size is None:
            raise ValueError(
                f"patch_size=None, but {name} has none of its own: rotation={self.rotation!r} "
                f"needs a divisor of the {width} features."
            )
        if width % size:
            raise ValueError(
                f"patch_size={size} does not divide the {width} features of {name}: "
                f"rotation={self.rotation!r} needs a divisor."
            )

    def _check_width(self, X):
        if X.shape[1] != self._width():
            raise ValueError(
                f"X has {X.shape[1]} features, but samples of {type(self.law).__name__} have "
                f"{self._width()}: they must be equal."
            )

    def __sklearn_tags__(self):
        tags, inner = super().__sklearn_tags__(), get_tags(self.law)
        tags.estimator_type = inner.estimator_type
        tags.classifier_tags = inner.classifier_tags
        tags.regressor_tags = inner.regressor_tags
        tags.target_tags = inner.target_tags
        return tags
