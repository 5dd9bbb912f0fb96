"""Tasks in which a few features tell the label: a sign, a texture, a parity."""

from numbers import Integral

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval

from sklcnn.datasets.known_rule import AbstractLabeledInput, AbstractPlacedSign

__all__ = ["KPattern", "SignedOneHot", "Textures"]


class SignedOneHot(AbstractPlacedSign):
    r"""Law of a sign at a random place, in zeros.

    .. math:: x = y\, e_i, \qquad y \sim \mathrm{Unif}\{-1, +1\}, \quad i \sim \mathrm{Unif}.

    The label is the sum of the features.

    Parameters
    ----------
    n_features : int, default=20
        Dimension of the inputs (*D*).

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
    sklcnn.datasets.DynamicSignal : A signal of several features at a random place, in noise.

    Notes
    -----
    A rotation-equivariant learner knows nothing about a place that it has not seen: from fewer than
    :math:`D / 2` samples its error is at least 1/4. One filter of one feature, shared by all
    places, needs a single sample.

    References
    ----------
    .. [1] Li, Zhang, Arora, "Why Are Convolutional Nets More Sample-Efficient than Fully-Connected
       Nets?", ICLR 2021, arXiv:2010.08515.

    Examples
    --------
    >>> from sklcnn.datasets.patterns import SignedOneHot
    >>> X, y = SignedOneHot(n_features=5).sample(3, random_state=0)
    >>> X
    array([[ 0.,  0.,  0., -1.,  0.],
           [ 0.,  0.,  0.,  0.,  1.],
           [ 0.,  0.,  1.,  0.,  0.]])
    >>> y
    array([-1,  1,  1])
    """

    _parameter_constraints = {"n_features": [Interval(Integral, 1, None, closed="left")]}

    def __init__(self, n_features: int = 20):
        self.n_features = n_features

    def _width(self):
        return self.n_features

    def _n_places(self):
        return self.n_features

    def _draw_input(self, y, place, entropy):
        X = np.zeros((len(y), self.n_features))
        X[np.arange(len(y)), place] = y
        return X

    def _score(self, X):
        return X.sum(axis=1)


class Textures(AbstractPlacedSign):
    r"""Law of two ones at a random place, which are neighbors or have one feature between them.

    .. math:: x = e_i + e_{i+2} \text{ if } y = +1, \qquad x = e_i + e_{i+1} \text{ if } y = -1,

    with *y* and *i* uniform, and indices modulo ``n_features``.

    Parameters
    ----------
    n_features : int, default=20
        Dimension of the inputs (*D*), at least 4: on fewer, the two textures are the same.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
        The labels, -1 and +1.
    n_features_in_ : int
        Number of features seen by `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features seen by `fit`, if they all are strings.

    Notes
    -----
    A learner that is equivariant under permutations of the features, such as a fully connected
    network trained by Adam, does not know who is whose neighbor: it needs at least :math:`D / 10`
    samples for error 1/4. A convolutional network needs
    :math:`\log_2(1/\delta) + 2`, to be right with probability :math:`1 - \delta`.

    References
    ----------
    .. [1] Li, Zhang, Arora, "Why Are Convolutional Nets More Sample-Efficient than Fully-Connected
       Nets?", ICLR 2021, arXiv:2010.08515.

    Examples
    --------
    >>> from sklcnn.datasets.patterns import Textures
    >>> X, y = Textures(n_features=6).sample(3, random_state=0)
    >>> X
    array([[0., 0., 0., 0., 1., 1.],
           [0., 1., 0., 0., 0., 1.],
           [0., 0., 0., 1., 0., 1.]])
    >>> y
    array([-1,  1,  1])
    """

    _parameter_constraints = {"n_features": [Interval(Integral, 4, None, closed="left")]}

    def __init__(self, n_features: int = 20):
        self.n_features = n_features

    def _width(self):
        return self.n_features

    def _n_places(self):
        return self.n_features

    def _draw_input(self, y, place, entropy):
        rows, step = np.arange(len(y)), np.where(y > 0, 2, 1)
        X = np.zeros((len(y), self.n_features))
        X[rows, place] = 1
        X[rows, (place + step) % self.n_features] = 1
        return X

    def _score(self, X):
        between = (X * np.roll(X, -2, axis=1)).sum(axis=1)
        return between - (X * np.roll(X, -1, axis=1)).sum(axis=1)


class KPattern(AbstractLabeledInput):
    r"""Law of random bits labeled by the parity of a few of them, next to each other.

    .. math:: x \sim \mathrm{Unif}\{-1, +1\}^N, \qquad y = \prod_{i \in I} x_i, \qquad |I| = k.

    Of the functions of *k* consecutive bits, parity is the hard one: no fewer than *k* bits say
    anything about it. As a control, ``scattered`` bits make the same task without locality.

    Parameters
    ----------
    n_features : int, default=20
        Number of bits (*N*).
    pattern_size : int, default=4
        Number of bits that matter (*k*).
    scattered : bool, default=False
        Whether the bits that matter are spread, no two of them neighbors, instead of consecutive.
    random_state : int, RandomState instance or None, default=None
        Source of the bits that matter. An int gives the same ones always; otherwise they are drawn
        on first use and then kept by this law, its copies and its clones.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
        The labels, -1 and +1.
    n_features_in_ : int
        Number of features seen by `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features seen by `fit`, if they all are strings.

    Notes
    -----
    A convolutional network learns :math:`k = \log N` consecutive bits in polynomial time by
    gradient descent, while the first gradient of a fully connected network vanishes faster than any
    power of *N*. A locally connected network learns them as well: here sharing brings nothing,
    locality everything.

    References
    ----------
    .. [1] Malach, Shalev-Shwartz, "Computational Separation Between Convolutional and
       Fully-Connected Networks", ICLR 2021, arXiv:2010.01369.

    Examples
    --------
    >>> from sklcnn.datasets.patterns import KPattern
    >>> law = KPattern(n_features=10, pattern_size=3, random_state=0)
    >>> law.true_indices
    array([4, 5, 6])
    >>> X, y = law.sample(100, random_state=1)
    >>> bool((y == X[:, law.true_indices].prod(axis=1)).all())
    True
    >>> KPattern(n_features=10, pattern_size=3, scattered=True, random_state=0).true_indices
    array([1, 4, 9])
    """

    _parameter_constraints = {
        "n_features": [Interval(Integral, 1, None, closed="left")],
        "pattern_size": [Interval(Integral, 1, None, closed="left")],
        "scattered": ["boolean"],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_features: int = 20,
        pattern_size: int = 4,
        *,
        scattered: bool = False,
        random_state: int | np.random.RandomState | None = None,
    ):
        self.n_features = n_features
        self.pattern_size = pattern_size
        self.scattered = scattered
        self.random_state = random_state

    @property
    def true_indices(self) -> NDArray[np.int64]:
        """The bits that matter, sorted, of shape (pattern_size,): the same on every access."""
        self._check_parameters()
        rng, in_turn = self._law_stream("indices"), np.arange(self.pattern_size)
        n_gaps = self.n_features - self._least_width()
        if self.scattered:
            # A set without neighbors is any set of a shorter range, pulled apart by one a step.
            chosen = rng.choice(n_gaps + self.pattern_size, self.pattern_size, replace=False)
            return np.sort(chosen) + in_turn
        return rng.integers(n_gaps + 1) + in_turn

    def _width(self):
        return self.n_features

    def _draw_input(self, n_samples, rng):
        return 2.0 * rng.integers(2, size=(n_samples, self.n_features)) - 1

    def _score(self, X):
        return X[:, self.true_indices].prod(axis=1)

    def _least_width(self):
        return 2 * self.pattern_size - 1 if self.scattered else self.pattern_size

    def _check_parameters(self):
        super()._check_parameters()
        if self.n_features < self._least_width():
            raise ValueError(
                f"pattern_size={self.pattern_size} with scattered={self.scattered} needs "
                f"n_features of {self._least_width()} or more, got n_features={self.n_features}."
            )
