"""The Dynamic Signal Distribution (DSD) and its static relative (SSD).

The law: Lahoti, Karp, Winston, Singh, Li, "Role of Locality and Weight Sharing in Image-Based
Tasks: A Sample Complexity Separation between CNNs, LCNs, and FCNs", ICLR 2024, arXiv:2403.15707.
"""

from numbers import Integral, Real

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit
from sklearn.base import ClassifierMixin
from sklearn.utils import check_array
from sklearn.utils._param_validation import Interval, validate_params
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from sklcnn.datasets.base import AbstractLaw, draw_entropy, stream
from sklcnn.datasets.maximum_likelihood import estimate_signal
from sklcnn.theory import bayes_error, log_odds

__all__ = ["DynamicSignal", "make_dsd", "make_ssd"]


class DynamicSignal(ClassifierMixin, AbstractLaw):
    r"""Law of a signed signal at a random place in Gaussian noise.

    A sample is a row of ``n_patches`` patches of ``patch_size`` features each,

    .. math:: x^{(j)} = 1[j = t]\, y\, w^* + \sigma z^{(j)}, \qquad z^{(j)} \sim N(0, I),

    with label *y* uniform on {-1, +1} and place *t* uniform on the patches (the DSD), or with one
    place for all samples (the SSD, if ``static`` or ``location`` say so). Every patch is noisy, the
    one with the signal included.

    The law is a classifier as well. Before `fit` it predicts by the Bayes rule, the best rule there
    is. `fit` forgets signal and noise and estimates them by maximum likelihood, which then predict:
    the statistical limit, to put beside other classifiers in a learning curve. Only the predictions
    change: `sample`, `true_signal` and `bayes_error` always speak of the law of the parameters.

    Parameters
    ----------
    n_patches : int, default=10
        Number of patches (*k* in the paper).
    patch_size : int, default=20
        Features per patch (*d* in the paper).
    noise : float, default=0.1
        Standard deviation of the noise per feature (*sigma*). Without noise the Bayes rule is its
        limit: the sign of the score that is largest in absolute value.
    signal : array-like of shape (patch_size,), default=None
        The signal (:math:`w^*`), of any length but zero. None draws it uniformly from the unit
        sphere.
    static : bool, default=False
        Whether the place is the same for all samples: ``location``, or 0 if that is None.
    location : int, default=None
        The place for all samples, from 0 to ``n_patches - 1``; an int implies ``static``.
    random_state : int, RandomState instance or None, default=None
        Source of the signal. An int gives the same signal always; otherwise it is drawn on first
        use and then kept by this law, its copies and its clones.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
        Labels seen by `fit`, sorted; the second one takes the part of +1.
    signal_ : ndarray of shape (patch_size,)
        Estimated signal.
    noise_ : float
        Estimated standard deviation of the noise.
    log_likelihood_curve_ : ndarray of shape (n_iter_,)
        Mean log-likelihood of a sample given its label, before each iteration. It never falls.
    n_iter_ : int
        Iterations of expectation maximisation.
    n_features_in_ : int
        Number of features seen by `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features seen by `fit`, if they all are strings.

    See Also
    --------
    make_dsd : The same samples from a function.
    sklcnn.theory.bayes_error : Error of the Bayes rule.

    Notes
    -----
    The signal, and the labels, places and noise of a sample come from independent random streams.
    The same seed may therefore serve the law and its samples, and the first rows of a sample are
    those of a smaller sample with the same seed.

    References
    ----------
    .. [1] Lahoti, Karp, Winston, Singh, Li, "Role of Locality and Weight Sharing in Image-Based
       Tasks", ICLR 2024, arXiv:2403.15707. The Bayes rule is derived from the definition there.

    Examples
    --------
    >>> from sklcnn.datasets import DynamicSignal
    >>> law = DynamicSignal(n_patches=10, patch_size=20, noise=0.25, random_state=0)
    >>> X, y = law.sample(10_000, random_state=2)
    >>> X.shape, y[:5]
    ((10000, 200), array([ 1,  1, -1,  1, -1]))
    >>> round(law.score(X, y), 3), round(1 - law.bayes_error(), 3)
    (0.986, 0.986)
    >>> round(law.fit(X[:50], y[:50]).score(X, y), 3)  # learned from 50 samples
    0.985
    """

    _parameter_constraints = {
        "n_patches": [Interval(Integral, 1, None, closed="left")],
        "patch_size": [Interval(Integral, 1, None, closed="left")],
        "noise": [Interval(Real, 0, None, closed="left")],
        "signal": ["array-like", None],
        "static": ["boolean"],
        "location": [Interval(Integral, 0, None, closed="left"), None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_patches: int = 10,
        patch_size: int = 20,
        noise: float = 0.1,
        *,
        signal: ArrayLike | None = None,
        static: bool = False,
        location: int | None = None,
        random_state: int | np.random.RandomState | None = None,
    ):
        self.n_patches = n_patches
        self.patch_size = patch_size
        self.noise = noise
        self.signal = signal
        self.static = static
        self.location = location
        self.random_state = random_state

    @property
    def true_signal(self) -> NDArray[np.float64]:
        """The signal of the law, of shape (patch_size,), whether given or drawn.

        It is the same on every access, and not what `fit` estimates: that is ``signal_``.
        """
        self._check_parameters()
        if self.signal is None:
            direction = self._law_stream("signal").standard_normal(self.patch_size)
            return direction / np.linalg.norm(direction)
        return _check_signal(self.signal, self.patch_size)

    @validate_params(
        {
            "n_samples": [Interval(Integral, 1, None, closed="left")],
            "random_state": ["random_state"],
            "return_location": ["boolean"],
        },
        prefer_skip_nested_validation=False,
    )
    def sample(
        self,
        n_samples: int,
        *,
        random_state: int | np.random.RandomState | None = None,
        return_location: bool = False,
    ):
        """Draw samples from the law.

        Parameters
        ----------
        n_samples : int
            Number of samples.
        random_state : int, RandomState instance or None, default=None
            Source of the samples, apart from that of the signal. None draws other samples on every
            call; the same int draws the same samples.
        return_location : bool, default=False
            Whether to return the places of the signal too.

        Returns
        -------
        X : ndarray of shape (n_samples, n_patches * patch_size)
            The samples, patch after patch.
        y : ndarray of shape (n_samples,)
            The labels, -1 or +1.
        location : ndarray of shape (n_samples,)
            The patch that holds the signal. Only if ``return_location=True``.
        """
        signal = self.true_signal
        entropy = draw_entropy(random_state)
        shape = n_samples, self.n_patches, self.patch_size
        y = 2 * stream(entropy, "label").integers(2, size=n_samples) - 1
        candidates = np.arange(self.n_patches)[self._places()]
        location = stream(entropy, "location").choice(candidates, size=n_samples)
        patches = self.noise * stream(entropy, "noise").standard_normal(shape)
        patches[np.arange(n_samples), location] += np.outer(y, signal)
        X = patches.reshape(n_samples, -1)  # (n_samples, n_patches * patch_size)
        return (X, y, location) if return_location else (X, y)

    def fit(self, X: ArrayLike, y: ArrayLike) -> "DynamicSignal":
        """Estimate signal and noise by maximum likelihood; the predictions then use them.

        The place is hidden, so the likelihood is climbed by expectation maximisation, from several
        starts. Where the place is known the estimates have a closed form.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_patches * patch_size)
            The samples, patch after patch.
        y : array-like of shape (n_samples,)
            Two labels of any type; the second one in sorted order takes the part of +1.

        Returns
        -------
        self : DynamicSignal
            The fitted law.
        """
        self._check_parameters()
        X, y = validate_data(self, X, y, dtype=np.float64)
        self._check_width(X)
        self.classes_, sign = _encode_signs(y)
        patches = self._to_patches(X * sign[:, None])
        estimate = estimate_signal(patches, self._places())
        self.signal_, self.noise_ = estimate.signal, estimate.noise
        self.log_likelihood_curve_ = estimate.log_likelihoods
        self.n_iter_ = len(estimate.log_likelihoods)
        return self

    def decision_function(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the log-odds of the second class (before `fit`: of +1).

        Parameters
        ----------
        X : array-like of shape (n_samples, n_patches * patch_size)
            The samples, patch after patch.

        Returns
        -------
        log_odds : ndarray of shape (n_samples,)
            Positive where the second class is the more probable one; infinite without noise.
        """
        self._check_parameters()
        signal, noise = self._signal_and_noise()
        patches = self._to_patches(self._check_samples(X))[:, self._places()]
        return log_odds(patches @ signal, noise)

    def predict(self, X: ArrayLike) -> NDArray:
        """Return the more probable label of each sample: the Bayes rule.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_patches * patch_size)
            The samples, patch after patch.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            Labels as in `fit`; before it, -1 or +1.
        """
        classes = self.classes_ if self._is_fitted() else np.array([-1, 1])
        return classes[(self.decision_function(X) > 0).astype(int)]

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the posterior probabilities of the two labels.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_patches * patch_size)
            The samples, patch after patch.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, 2)
            In the order of ``classes_``; before `fit`, of -1 and +1.
        """
        odds = self.decision_function(X)
        return expit(np.column_stack([-odds, odds]))

    def bayes_error(
        self, *, method: str = "quadrature", random_state: int | np.random.Generator = 0
    ) -> float:
        """Return the error of the Bayes rule of the law: no classifier has a smaller one.

        Parameters
        ----------
        method : {"quadrature", "simulation"}, default="quadrature"
            Which of two independent formulas to use, see `sklcnn.theory.bayes_error`.
        random_state : int or numpy.random.Generator, default=0
            Source of the simulation's draws.

        Returns
        -------
        error : float
            Probability of a wrong label.
        """
        relative_noise = self.noise / np.linalg.norm(self.true_signal)
        n_places = len(range(self.n_patches)[self._places()])
        return float(
            bayes_error(n_places, relative_noise, method=method, random_state=random_state)
        )

    def _places(self):
        """The patches that may hold the signal."""
        if self.location is None and not self.static:
            return slice(None)
        place = self.location or 0
        return slice(place, place + 1)

    def _signal_and_noise(self):
        if self._is_fitted():
            return self.signal_, self.noise_
        return self.true_signal, self.noise

    def _to_patches(self, X):
        return X.reshape(len(X), self.n_patches, self.patch_size)

    def _check_parameters(self):
        self._validate_params()
        if self.location is not None and self.location >= self.n_patches:
            raise ValueError(
                f"location={self.location} is no patch: with n_patches={self.n_patches} it must "
                f"be from 0 to {self.n_patches - 1}."
            )
        if self.signal is not None:
            _check_signal(self.signal, self.patch_size)

    def _check_width(self, X):
        n_features = self.n_patches * self.patch_size
        if X.shape[1] != n_features:
            raise ValueError(
                f"X has {X.shape[1]} features, but n_patches={self.n_patches} times "
                f"patch_size={self.patch_size} makes {n_features}: the product must be the number "
                "of features."
            )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags


def _check_signal(signal, patch_size):
    """Return the signal as a float array, or say what is wrong with it."""
    signal = check_array(signal, ensure_2d=False, dtype=np.float64, copy=True, input_name="signal")
    if signal.shape != (patch_size,):
        raise ValueError(
            f"signal has shape {signal.shape}, but patch_size={patch_size}: it must have shape "
            f"({patch_size},)."
        )
    if not signal.any():
        raise ValueError("signal is zero: no rule can see it. It must have a length.")
    return signal


def _encode_signs(y):
    """Return the two labels of y, and y with -1 for the first and +1 for the second."""
    check_classification_targets(y)
    classes, index = np.unique(y, return_inverse=True)
    if len(classes) > 2:
        raise ValueError(
            "Only binary classification is supported: a signal has two signs, but y has "
            f"{len(classes)} classes."
        )
    if len(classes) < 2:
        raise ValueError(f"y has one class only, {classes.tolist()[0]!r}: two are needed.")
    return classes, 2 * index - 1


def make_dsd(
    *,
    n_samples: int = 100,
    n_patches: int = 10,
    patch_size: int = 20,
    noise: float = 0.1,
    signal: ArrayLike | None = None,
    return_location: bool = False,
    random_state: int | np.random.RandomState | None = None,
):
    """Generate samples of the Dynamic Signal Distribution: a signal at a random place, in noise.

    Parameters
    ----------
    n_samples : int, default=100
        Number of samples.
    n_patches : int, default=10
        Number of patches; one of them, at random, holds the signal.
    patch_size : int, default=20
        Features per patch.
    noise : float, default=0.1
        Standard deviation of the noise per feature.
    signal : array-like of shape (patch_size,), default=None
        The signal. None draws it uniformly from the unit sphere.
    return_location : bool, default=False
        Whether to return the places of the signal too.
    random_state : int, RandomState instance or None, default=None
        Source of the signal and, from streams independent of it, of the samples.

    Returns
    -------
    X : ndarray of shape (n_samples, n_patches * patch_size)
        The samples, patch after patch.
    y : ndarray of shape (n_samples,)
        The sign of the signal, -1 or +1.
    location : ndarray of shape (n_samples,)
        The patch that holds the signal. Only if ``return_location=True``.

    See Also
    --------
    DynamicSignal : The law itself, for more samples with the same signal and for the best rule.

    Notes
    -----
    For an int it returns ``DynamicSignal(..., random_state=random_state)`` and of it
    ``sample(n_samples, random_state=random_state)``.

    References
    ----------
    .. [1] Lahoti, Karp, Winston, Singh, Li, "Role of Locality and Weight Sharing in Image-Based
       Tasks", ICLR 2024, arXiv:2403.15707.

    Examples
    --------
    >>> from sklcnn.datasets import make_dsd
    >>> X, y, location = make_dsd(n_samples=5, return_location=True, random_state=0)
    >>> X.shape
    (5, 200)
    >>> y
    array([-1,  1,  1,  1, -1])
    >>> location
    array([7, 8, 5, 9, 1])
    """
    law = DynamicSignal(n_patches, patch_size, noise, signal=signal, random_state=random_state)
    return law.sample(n_samples, random_state=random_state, return_location=return_location)


def make_ssd(
    *,
    n_samples: int = 100,
    n_patches: int = 10,
    patch_size: int = 20,
    noise: float = 0.1,
    signal: ArrayLike | None = None,
    location: int = 0,
    return_location: bool = False,
    random_state: int | np.random.RandomState | None = None,
):
    """Generate samples of the Static Signal Distribution: a signal at a known place, in noise.

    Parameters
    ----------
    n_samples : int, default=100
        Number of samples.
    n_patches : int, default=10
        Number of patches.
    patch_size : int, default=20
        Features per patch.
    noise : float, default=0.1
        Standard deviation of the noise per feature.
    signal : array-like of shape (patch_size,), default=None
        The signal. None draws it uniformly from the unit sphere.
    location : int, default=0
        The patch that holds the signal in all samples, from 0 to ``n_patches - 1``.
    return_location : bool, default=False
        Whether to return the places of the signal too, as `make_dsd` does.
    random_state : int, RandomState instance or None, default=None
        Source of the signal and, from streams independent of it, of the samples.

    Returns
    -------
    X : ndarray of shape (n_samples, n_patches * patch_size)
        The samples, patch after patch.
    y : ndarray of shape (n_samples,)
        The sign of the signal, -1 or +1.
    location : ndarray of shape (n_samples,)
        The patch that holds the signal. Only if ``return_location=True``.

    See Also
    --------
    make_dsd : The same with a random place in every sample.

    References
    ----------
    .. [1] Lahoti, Karp, Winston, Singh, Li, "Role of Locality and Weight Sharing in Image-Based
       Tasks", ICLR 2024, arXiv:2403.15707.

    Examples
    --------
    >>> from sklcnn.datasets import make_ssd
    >>> X, y = make_ssd(n_samples=5, patch_size=1, location=3, signal=[1.0], random_state=0)
    >>> X.round(1)[:, 3] * y
    array([1. , 1. , 0.9, 1.1, 1.2])
    """
    law = DynamicSignal(
        n_patches, patch_size, noise, signal=signal, location=location, random_state=random_state
    )
    return law.sample(n_samples, random_state=random_state, return_location=return_location)
