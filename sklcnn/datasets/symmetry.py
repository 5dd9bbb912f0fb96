"""Tasks with Gaussian inputs that tell networks apart by their symmetries.

What a learner cannot see, it has to pay for: one that is equivariant under rotations of all
features does not know which features belong together, one that is equivariant under another
rotation in every patch does not know that the patches are alike.
"""

from numbers import Integral, Real

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval, StrOptions

from sklcnn.datasets.known_rule import AbstractLabeledInput, AbstractRegressionFunction
from sklcnn.patches import sliding_windows

__all__ = ["ChannelNorm", "LinearConvolution", "LocalPairs", "QuadraticHalves"]


class QuadraticHalves(AbstractLabeledInput):
    r"""Law of Gaussian inputs labeled by which of their halves is longer.

    .. math:: x \sim N(0, I_D), \qquad
              y = \mathrm{sign}\Bigl(\sum_{i \le D/2} x_i^2 - \sum_{i > D/2} x_i^2\Bigr).

    Parameters
    ----------
    n_features : int, default=20
        Dimension of the inputs (*D*), an even number.

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
    ChannelNorm : The same question about two channels of an image.
    LocalPairs : A regression with the same square form in every pair of features.

    Notes
    -----
    A learner that is equivariant under rotations, such as a fully connected network trained by
    gradient descent from a Gaussian start, needs of the order of :math:`D^2` samples for a constant
    error. A convolutional network that squares, pools and compares needs
    :math:`O((\log(1/\epsilon) + \log(1/\delta)) / \epsilon)`, whatever *D*.

    References
    ----------
    .. [1] Li, Zhang, Arora, "Why Are Convolutional Nets More Sample-Efficient than Fully-Connected
       Nets?", ICLR 2021, arXiv:2010.08515.

    Examples
    --------
    >>> from sklcnn.datasets.symmetry import QuadraticHalves
    >>> law = QuadraticHalves(n_features=4)
    >>> X, y = law.sample(3, random_state=0)
    >>> (X**2).round(1)
    array([[0.3, 0.8, 0.3, 1.3],
           [1.4, 0.2, 2.5, 0.3],
           [2.8, 2.2, 1.2, 0.1]])
    >>> y
    array([-1, -1,  1])
    >>> law.bayes_error()
    0.0
    """

    _parameter_constraints = {"n_features": [Interval(Integral, 2, None, closed="left")]}

    def __init__(self, n_features: int = 20):
        self.n_features = n_features

    def _width(self):
        return self.n_features

    def _draw_input(self, n_samples, rng):
        return rng.standard_normal((n_samples, self.n_features))

    def _score(self, X):
        first, second = np.split(X**2, 2, axis=1)  # each (n_samples, n_features / 2)
        return first.sum(axis=1) - second.sum(axis=1)

    def _check_parameters(self):
        super()._check_parameters()
        if self.n_features % 2:
            raise ValueError(
                f"n_features={self.n_features} is odd and has no halves: {self.n_features - 1} or "
                f"{self.n_features + 1} features would do."
            )


class ChannelNorm(AbstractLabeledInput):
    r"""Law of Gaussian images labeled by which of their first two channels is longer.

    .. math:: x \sim N(0, I), \qquad
              y = \mathrm{sign}\bigl(\|x_{\text{channel } 1}\| - \|x_{\text{channel } 2}\|\bigr).

    Further channels are noise. The paper's labels 0 and 1 are -1 and +1 here.

    Parameters
    ----------
    input_shape : tuple of int, default=(3, 32, 32)
        ``(channels, height, width)`` or ``(channels, length)``, of at least two channels. A sample
        is the raveled image, channel after channel.

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
    QuadraticHalves : The same question about the halves of a signal.

    Notes
    -----
    With two channels it is `QuadraticHalves`, for which the separation is proven. With three, it is
    the task of the experiments in [1]_: there the convolutional networks stay above the fully
    connected ones at all sample sizes from 100 to a million.

    References
    ----------
    .. [1] Li, Zhang, Arora, "Why Are Convolutional Nets More Sample-Efficient than Fully-Connected
       Nets?", ICLR 2021, arXiv:2010.08515, Figure 1.

    Examples
    --------
    >>> from sklcnn.datasets.symmetry import ChannelNorm
    >>> law = ChannelNorm(input_shape=(3, 8, 8))
    >>> X, y = law.sample(100, random_state=0)
    >>> X.shape
    (100, 192)
    >>> first, second, _ = (X.reshape(100, 3, 64) ** 2).sum(axis=2).T
    >>> (y == 1).tolist() == (first > second).tolist()
    True
    """

    _parameter_constraints = {"input_shape": [tuple]}

    def __init__(self, input_shape: tuple[int, ...] = (3, 32, 32)):
        self.input_shape = input_shape

    def _width(self):
        return int(np.prod(self.input_shape))

    def _draw_input(self, n_samples, rng):
        return rng.standard_normal((n_samples, self._width()))

    def _score(self, X):
        channels = X.reshape(len(X), self.input_shape[0], -1)  # (n_samples, n_channels, n_pixels)
        norms = np.linalg.norm(channels[:, :2], axis=2)
        return norms[:, 0] - norms[:, 1]

    def _check_parameters(self):
        super()._check_parameters()
        shape = self.input_shape
        are_sizes = all(isinstance(side, Integral) and side >= 1 for side in shape)
        if not (are_sizes and len(shape) in (2, 3) and shape[0] >= 2):
            raise ValueError(
                f"input_shape={shape} must be (channels, height, width) or (channels, length): "
                "positive whole numbers, with at least 2 channels to compare."
            )


class LocalPairs(AbstractRegressionFunction):
    r"""Law of Gaussian inputs whose target adds up a square form of every pair of features.

    .. math:: x \sim N(0, I_{2D}), \qquad
              y = D^{-1/2} \sum_{j=1}^{D} \tau_j \bigl(x_{2j-1}^2 - x_{2j}^2\bigr) + \sigma z,
              \qquad \tau_j = \pm 1.

    With equal signs one filter serves all pairs; with random ones it has to be learned pair by
    pair. The target has mean 0 and, without noise, variance 4.

    Parameters
    ----------
    n_pairs : int, default=20
        Number of pairs of neighboring features (*D*).
    noise : float, default=0.0
        Standard deviation of the noise on the target (*sigma*).
    signs : {"equal", "random"}, default="equal"
        Whether all :math:`\tau_j` are +1, or drawn once for all samples.
    random_state : int, RandomState instance or None, default=None
        Source of random signs. An int gives the same signs always; otherwise they are drawn on
        first use and then kept by this law, its copies and its clones.

    Attributes
    ----------
    n_features_in_ : int
        Number of features seen by `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features seen by `fit`, if they all are strings.

    Notes
    -----
    It stands in for the targets of [1]_, which prove such a separation for deep networks:
    :math:`\tilde O(\log^2 D)` samples for convolutional networks against :math:`\Omega(D)` for
    locally connected ones, and :math:`\tilde O(D)` for those against :math:`\Omega(D^2)` for fully
    connected ones. Here swaps inside a pair flip its sign: a learner that is equivariant under them
    has *D* signs to find, a rotation-equivariant one a square form of the order of :math:`D^2`
    numbers, a convolutional one a few numbers in all.

    References
    ----------
    .. [1] Wang, Wu, "Theoretical Analysis of the Inductive Biases in Deep Convolutional Networks",
       NeurIPS 2023, arXiv:2305.08404.

    Examples
    --------
    >>> from sklcnn.datasets.symmetry import LocalPairs
    >>> LocalPairs(n_pairs=1).predict([[3.0, 2.0]])
    array([5.])
    >>> law = LocalPairs(n_pairs=4, noise=0.5, signs="random", random_state=0)
    >>> law.true_signs
    array([ 1,  1,  1, -1])
    >>> X, y = law.sample(100, random_state=1)
    >>> X.shape, law.bayes_error()
    ((100, 8), 0.25)
    """

    _parameter_constraints = {
        "n_pairs": [Interval(Integral, 1, None, closed="left")],
        "noise": [Interval(Real, 0, None, closed="left")],
        "signs": [StrOptions({"equal", "random"})],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_pairs: int = 20,
        noise: float = 0.0,
        *,
        signs: str = "equal",
        random_state: int | np.random.RandomState | None = None,
    ):
        self.n_pairs = n_pairs
        self.noise = noise
        self.signs = signs
        self.random_state = random_state

    @property
    def true_signs(self) -> NDArray[np.int64]:
        """The sign of each pair, -1 or +1, of shape (n_pairs,): the same on every access."""
        self._check_parameters()
        if self.signs == "equal":
            return np.ones(self.n_pairs, dtype=np.int64)
        return 2 * self._law_stream("signs").integers(2, size=self.n_pairs) - 1

    def _width(self):
        return 2 * self.n_pairs

    def _regression_function(self, X):
        pairs = X.reshape(len(X), self.n_pairs, 2)  # (n_samples, n_pairs, 2)
        forms = pairs[:, :, 0] ** 2 - pairs[:, :, 1] ** 2
        return forms @ self.true_signs / np.sqrt(self.n_pairs)


class LinearConvolution(AbstractRegressionFunction):
    r"""Law of Gaussian inputs whose target is a linear convolutional network plus noise.

    With :math:`P_l x` the window of ``patch_size`` features at place *l*, the target is one of

    .. math:: F_1(x) = \sum_l \langle w, P_l x \rangle, \qquad
              F_2(x) = \sum_l a_l \langle w, P_l x \rangle,

    plus :math:`\sigma z`, where :math:`x \sim N(0, I)` and :math:`z \sim N(0, 1)`. Filter *w* and
    readout *a* are uniform on their unit spheres, drawn once for all samples. Both forms are linear
    in *x*: ``coef`` are their coefficients.

    Parameters
    ----------
    n_features : int, default=64
        Dimension of the inputs (*d* in the paper).
    patch_size : int, default=8
        Length of the filter (*m*).
    stride : int, default=1
        Step between neighboring windows (*s*). The windows must cover all features.
    noise : float, default=1.0
        Standard deviation of the noise on the target (*sigma*).
    readout : {"sum", "weighted"}, default="sum"
        Which form: :math:`F_1`, in which all windows count the same, or :math:`F_2`.
    random_state : int, RandomState instance or None, default=None
        Source of filter and readout. An int gives the same ones always; otherwise they are drawn on
        first use and then kept by this law, its copies and its clones.

    Attributes
    ----------
    n_features_in_ : int
        Number of features seen by `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features seen by `fit`, if they all are strings.

    Notes
    -----
    With *r* windows, the error of prediction (root mean square, without the noise) from *n* samples
    is of the order of :math:`\sqrt{\sigma^2 m / n}` for :math:`F_1`, which no estimator improves,
    and at most of :math:`\sqrt{\sigma^2 (r m / s + m) / n}` up to logarithms for :math:`F_2`, with
    lower bound :math:`\sqrt{\sigma^2 (r + m) / n}`. Least squares on the features needs of the
    order of :math:`d / \epsilon^2` samples for an error :math:`\epsilon`.

    References
    ----------
    .. [1] Du, Wang, Zhai, Balakrishnan, Salakhutdinov, Singh, "How Many Samples are Needed to
       Estimate a Convolutional Neural Network?", NeurIPS 2018, arXiv:1805.07883.

    Examples
    --------
    >>> from sklcnn.datasets.symmetry import LinearConvolution
    >>> law = LinearConvolution(n_features=6, patch_size=2, stride=2, noise=0.1, random_state=0)
    >>> law.coef.round(2)
    array([ 0.22, -0.97,  0.22, -0.97,  0.22, -0.97])
    >>> X, y = law.sample(1000, random_state=1)
    >>> round(law.score(X, y), 3), round(law.bayes_error(), 3)
    (0.997, 0.01)
    """

    _parameter_constraints = {
        "n_features": [Interval(Integral, 1, None, closed="left")],
        "patch_size": [Interval(Integral, 1, None, closed="left")],
        "stride": [Interval(Integral, 1, None, closed="left")],
        "noise": [Interval(Real, 0, None, closed="left")],
        "readout": [StrOptions({"sum", "weighted"})],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_features: int = 64,
        patch_size: int = 8,
        stride: int = 1,
        noise: float = 1.0,
        *,
        readout: str = "sum",
        random_state: int | np.random.RandomState | None = None,
    ):
        self.n_features = n_features
        self.patch_size = patch_size
        self.stride = stride
        self.noise = noise
        self.readout = readout
        self.random_state = random_state

    @property
    def true_filter(self) -> NDArray[np.float64]:
        """The filter, of shape (patch_size,) and unit length: the same on every access."""
        self._check_parameters()
        return _draw_direction(self._law_stream("filter"), self.patch_size)

    @property
    def true_readout(self) -> NDArray[np.float64]:
        """The weight of each window, of shape (n_windows,): all one for ``readout="sum"``."""
        self._check_parameters()
        n_windows = len(self._windows())
        if self.readout == "sum":
            return np.ones(n_windows)
        return _draw_direction(self._law_stream("readout"), n_windows)

    @property
    def coef(self) -> NDArray[np.float64]:
        """The target as a linear function of the input: its coefficients, shape (n_features,)."""
        coef = np.zeros(self.n_features)
        # Windows overlap: a feature gathers the weights of all that it is in.
        np.add.at(coef, self._windows(), np.outer(self.true_readout, self.true_filter))
        return coef

    def _width(self):
        return self.n_features

    def _regression_function(self, X):
        return X @ self.coef

    def _windows(self):
        return sliding_windows((self.n_features,), self.patch_size, self.stride)

    def _check_parameters(self):
        super()._check_parameters()
        if self.patch_size > self.n_features:
            raise ValueError(
                f"patch_size={self.patch_size} is larger than n_features={self.n_features}: a "
                "window cannot be longer than the input."
            )
        self._windows()  # refuses windows that leave features unseen


def _draw_direction(rng, size):
    """Draw a point of the unit sphere, uniformly, of shape (size,)."""
    direction = rng.standard_normal(size)
    return direction / np.linalg.norm(direction)
