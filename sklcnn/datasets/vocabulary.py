"""Words of a vocabulary at random places in noise: the target is the word itself."""

from numbers import Integral, Real

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.distance import cdist
from scipy.special import logsumexp, softmax
from sklearn.base import RegressorMixin
from sklearn.utils._param_validation import (
    Interval,
    StrOptions,
    validate_parameter_constraints,
    validate_params,
)
from sklearn.utils.validation import validate_data

from sklcnn.datasets.base import AbstractLaw, draw_entropy, stream

__all__ = ["Vocabulary"]

_CHUNK = 2**22  # numbers of X that a simulation holds at a time
_MAX_ITER = 1000
_TOL = 1e-10  # relative change of the variance at which its estimation ends
_NOISE_FLOOR = 1e-6  # of the root mean square of X: without noise the likelihood has no maximum

_SIMULATION = {
    "method": [StrOptions({"simulation"})],
    "n_draws": [Interval(Integral, 1, None, closed="left")],
    "random_state": ["random_state"],
}


class Vocabulary(RegressorMixin, AbstractLaw):
    r"""Law of a random word at a random place in noise; the target is the word.

    The vocabulary is *c* unit vectors :math:`f_1, \dots, f_c`. A sample has one of them, *i*, in
    one of its patches, *j*, both uniform:

    .. math:: x^{(j)} = f_i + \sigma z^{(j)}, \qquad x^{(l)} = \sigma z^{(l)} \text{ for } l \ne j,
              \qquad y = f_i, \qquad z \sim N(0, I).

    The patches part the features at random: neighbors in a patch are anywhere in the input. Words
    and patches are drawn once, for all samples.

    The law is a regressor as well. Before `fit` it predicts the regression function, which is the
    mean of the words under their posterior probabilities,

    .. math:: f^*(x) = \sum_i p_i(x) f_i, \qquad
              p_i(x) \propto \sum_j \exp(\langle x^{(j)}, f_i \rangle / \sigma^2) .

    `fit` keeps the patches, and learns words and noise by maximum likelihood: the limit of what a
    learner who knew the patches could do. Only the predictions change: `sample` and `bayes_error`
    always speak of the law of the parameters.

    Parameters
    ----------
    n_patches : int, default=50
        Number of patches (*J* in the paper).
    patch_size : int, default=10
        Features per patch, and entries of a word (*m*).
    n_words : int, default=2
        Size of the vocabulary (*c*).
    noise : float, default=None
        Standard deviation of the noise per feature (*sigma*). None takes that of the study,
        :math:`1 / \sqrt{J m}`: all the noise of a sample is about as long as a word.
    random_state : int, RandomState instance or None, default=None
        Source of words and patches. An int gives the same ones always; otherwise they are drawn on
        first use and then kept by this law, its copies and its clones.

    Attributes
    ----------
    words_ : ndarray of shape (n_seen_words, patch_size)
        The distinct targets seen by `fit`.
    noise_ : float
        Estimated noise.
    n_features_in_ : int
        Number of features seen by `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features seen by `fit`, if they all are strings.

    See Also
    --------
    sklcnn.datasets.DynamicSignal : One signal, and its sign as the label.

    Notes
    -----
    Words, places and noise of a sample come from independent random streams, apart from those of
    the law. The same seed may therefore serve both, and the first rows of a sample are those of a
    smaller sample with the same seed.

    At the noise of the study the word can be known almost for sure: one patch of noise is shorter
    than the distance of two words, by a factor of the order of :math:`\sqrt J`. All of the
    variance of the targets is then variance of the regression function.

    References
    ----------
    .. [1] Liang, Singh, Parhi, Cloninger, Wang, "The Inductive Bias of Convolutional Neural
       Networks: Locality and Weight Sharing Reshape Implicit Regularization", 2026,
       arXiv:2603.04807.

    Examples
    --------
    >>> from sklcnn.datasets import Vocabulary
    >>> law = Vocabulary(n_patches=6, patch_size=4, n_words=3, random_state=0)
    >>> X, y = law.sample(200, random_state=1)
    >>> X.shape, y.shape, law.patch_indices.shape
    ((200, 24), (200, 4), (6, 4))
    >>> round(law.target_variance(), 2), round(law.bayes_error(), 2)
    (0.19, 0.02)
    """

    _parameter_constraints = {
        "n_patches": [Interval(Integral, 1, None, closed="left")],
        "patch_size": [Interval(Integral, 2, None, closed="left")],
        "n_words": [Interval(Integral, 1, None, closed="left")],
        "noise": [Interval(Real, 0, None, closed="neither"), None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_patches: int = 50,
        patch_size: int = 10,
        n_words: int = 2,
        noise: float | None = None,
        *,
        random_state: int | np.random.RandomState | None = None,
    ):
        self.n_patches = n_patches
        self.patch_size = patch_size
        self.n_words = n_words
        self.noise = noise
        self.random_state = random_state

    @property
    def true_words(self) -> NDArray[np.float64]:
        """The words, of shape (n_words, patch_size) and unit length: the same on every access."""
        self._validate_params()
        shape = self.n_words, self.patch_size
        directions = self._law_stream("words").standard_normal(shape)
        return directions / np.linalg.norm(directions, axis=1, keepdims=True)

    @property
    def true_noise(self) -> float:
        """The standard deviation of the noise."""
        self._validate_params()
        if self.noise is None:
            return float(self._width() ** -0.5)
        return float(self.noise)

    @property
    def patch_indices(self) -> NDArray[np.int64]:
        """The features of each patch, of shape (n_patches, patch_size); each is in one patch.

        Row *l* lists them in the order of the entries of a word; ``patch_indices`` of a network
        takes them as they are.
        """
        self._validate_params()
        order = self._law_stream("patches").permutation(self._width())
        return order.reshape(self.n_patches, self.patch_size)

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
            Source of the samples, apart from that of words and patches. None draws other samples on
            every call; the same int draws the same samples.
        return_clean : bool, default=False
            Whether to return the regression function too.

        Returns
        -------
        X : ndarray of shape (n_samples, n_patches * patch_size)
            The samples.
        y : ndarray of shape (n_samples, patch_size)
            The words, without noise.
        clean : ndarray of shape (n_samples, patch_size)
            What can be known of them: the expected word given X. Only if ``return_clean=True``.
        """
        X, y = self._draw(n_samples, self._generators(draw_entropy(random_state)))
        if not return_clean:
            return X, y
        words = self.true_words
        return X, y, self._expected_word(X, words, self.true_noise)

    def fit(self, X: ArrayLike, y: ArrayLike) -> "Vocabulary":
        """Learn words and noise by maximum likelihood.

        The words are the distinct targets, as those have no noise. The places are hidden, so the
        noise is estimated by expectation maximization.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_patches * patch_size)
            The samples.
        y : array-like of shape (n_samples, patch_size)
            The words, at most ``n_words`` distinct ones.

        Returns
        -------
        self : Vocabulary
            The fitted law.
        """
        self._validate_params()
        samples, words = validate_data(
            self, X, y, dtype=np.float64, multi_output=True, y_numeric=True
        )
        self._check_width(samples)
        words = words.astype(np.float64)
        self.words_ = self._distinct_words(words)
        matches = np.einsum("njm,nm->nj", samples[:, self.patch_indices], words)
        self.noise_ = _estimate_noise(samples, matches - _half_squares(words)[:, np.newaxis])
        return self

    def predict(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the expected words: by the law, after `fit` by the estimates.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_patches * patch_size)
            The samples.

        Returns
        -------
        y : ndarray of shape (n_samples, patch_size)
            Means of the words under their posterior probabilities.
        """
        self._validate_params()
        X = self._check_samples(X)
        words, noise = self.true_words, self.true_noise
        if self._is_fitted():
            words, noise = self.words_, self.noise_
        return self._expected_word(X, words, noise)

    def bayes_error(
        self,
        *,
        method: str = "simulation",
        n_draws: int = 20_000,
        random_state: int | np.random.RandomState | None = 0,
    ) -> float:
        r"""Return the expected squared error of the best prediction, :math:`E \|y - f^*(x)\|^2`.

        Parameters
        ----------
        method : {"simulation"}, default="simulation"
            The mean over samples of the error expected given X: the variance of the word under
            its posterior probabilities.
        n_draws : int, default=20_000
            Samples. The standard error is at most ``(error * (1 - error) / n_draws) ** 0.5``,
            0.0036 at the default.
        random_state : int, RandomState instance or None, default=0
            Their source.

        Returns
        -------
        error : float
            Sum over the outputs, from 0 to 1.
        """
        arguments = {"method": method, "n_draws": n_draws, "random_state": random_state}
        name = f"{type(self).__name__}.bayes_error"
        validate_parameter_constraints(_SIMULATION, arguments, caller_name=name)
        return self._simulate_error(n_draws, draw_entropy(random_state))

    def target_variance(
        self, *, n_draws: int = 20_000, random_state: int | np.random.RandomState | None = 0
    ) -> float:
        r"""Return the variance of the regression function, :math:`E \|f^*(x) - E f^*\|^2`.

        It is the excess risk of the best constant prediction, the mean of the words: an excess risk
        below it is learning. Computed is the variance of the targets, which is known, less the
        simulated `bayes_error`.

        Parameters
        ----------
        n_draws : int, default=20_000
            Samples, with the standard error of `bayes_error`.
        random_state : int, RandomState instance or None, default=0
            Their source.

        Returns
        -------
        variance : float
            Sum over the outputs.
        """
        error = self.bayes_error(n_draws=n_draws, random_state=random_state)
        return float(_squared_distances(self.true_words).mean() / 2) - error

    def _simulate_error(self, n_draws, entropy):
        """Mean over samples of the variance of the word given X, in bounded memory."""
        words, noise = self.true_words, self.true_noise
        distances = _squared_distances(words)
        generators, total = self._generators(entropy), 0.0
        step = max(1, _CHUNK // self._width())
        for start in range(0, n_draws, step):
            X, _ = self._draw(min(step, n_draws - start), generators)
            share = self._posterior(X, words, noise)
            total += np.sum(share @ distances * share) / 2
        return float(total / n_draws)

    def _generators(self, entropy):
        return {name: stream(entropy, name) for name in ("word", "location", "noise")}

    def _draw(self, n_samples, generators):
        """Draw the next X, (n_samples, n_features), and y, (n_samples, patch_size)."""
        y = self.true_words[generators["word"].integers(self.n_words, size=n_samples)]
        place = generators["location"].integers(self.n_patches, size=n_samples)
        shape = n_samples, self.n_patches, self.patch_size
        patches = self.true_noise * generators["noise"].standard_normal(shape)
        patches[np.arange(n_samples), place] += y
        X = np.empty((n_samples, self._width()))
        X[:, self.patch_indices] = patches
        return X, y

    def _expected_word(self, X, words, noise):
        # Not a product by BLAS, which rounds in an order that depends on the number of rows.
        return np.einsum("nw,wm->nm", self._posterior(X, words, noise), words)

    def _posterior(self, X, words, noise):
        """Return the probabilities of the words given X, (n_samples, n_words)."""
        scores = X[:, self.patch_indices] @ words.T - _half_squares(words)
        scores -= scores.max(axis=(1, 2), keepdims=True)
        with np.errstate(over="ignore"):  # for however little noise, the largest score is zero
            scores = scores / noise / noise
        log_evidence = logsumexp(scores, axis=1)  # (n_samples, n_words)
        return softmax(log_evidence, axis=1)

    def _distinct_words(self, y):
        if y.shape[1:] != (self.patch_size,):
            raise ValueError(
                f"y has shape {y.shape}, but targets are words of patch_size={self.patch_size} "
                f"entries: it must have shape (n_samples, {self.patch_size})."
            )
        words = np.unique(y, axis=0)
        if len(words) > self.n_words:
            raise ValueError(
                f"y has {len(words)} distinct rows, but the law has n_words={self.n_words}: more "
                "cannot be words of it."
            )
        return words

    def _width(self):
        return self.n_patches * self.patch_size

    def _check_width(self, X):
        if X.shape[1] != self._width():
            raise ValueError(
                f"X has {X.shape[1]} features, but n_patches={self.n_patches} times "
                f"patch_size={self.patch_size} makes {self._width()}: the product must be the "
                "number of features."
            )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = False
        return tags


def _squared_distances(words):
    return cdist(words, words, "sqeuclidean")  # (n_words, n_words)


def _half_squares(words):
    return np.sum(words**2, axis=1) / 2


def _estimate_noise(X, scores):
    """Climb the likelihood of the noise when the place is hidden.

    A sample whose word is in patch *j* has noise of squared norm ``X @ X - 2 * scores[j]``.
    """
    power = np.mean(X**2)
    floor = max(_NOISE_FLOOR**2 * power, np.finfo(float).tiny)
    variance = max(power, floor)  # as if all were noise: few places are excluded early
    for _ in range(_MAX_ITER):
        before = variance
        share = softmax(scores / variance, axis=1)  # probability of each place given the guess
        signal = 2 * np.sum(share * scores) / X.size
        variance = max(power - signal, floor)
        if abs(variance - before) < _TOL * before:
            break
    return float(np.sqrt(variance))
