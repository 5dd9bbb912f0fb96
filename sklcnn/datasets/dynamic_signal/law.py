"""The Dynamic Signal Distribution (DSD), its static relative (SSD), and their extensions.

The law: Lahoti, Karp, Winston, Singh, Li, "Role of Locality and Weight Sharing in Image-Based
Tasks: A Sample Complexity Separation between CNNs, LCNs, and FCNs", ICLR 2024, arXiv:2403.15707.
"""

from numbers import Integral, Real

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, log_softmax
from sklearn.base import ClassifierMixin
from sklearn.utils._param_validation import Interval, StrOptions, validate_params
from sklearn.utils.validation import validate_data

from sklcnn.datasets.base import AbstractLaw, draw_entropy
from sklcnn.datasets.dynamic_signal.checks import (
    check_correlation,
    check_fittable,
    check_location_prior,
    check_noise,
    check_patch_sizes,
    check_signal,
    check_together,
    encode_signs,
)
from sklcnn.datasets.dynamic_signal.likelihood import estimate_signal
from sklcnn.datasets.dynamic_signal.model import SignalModel
from sklcnn.datasets.dynamic_signal.noise import NOISE_LAWS, Noise
from sklcnn.datasets.dynamic_signal.places import make_templates
from sklcnn.datasets.dynamic_signal.tasks import (
    TASKS,
    flip_error,
    flip_labels,
    flip_log_odds,
    flip_log_posterior,
    make_task,
)
from sklcnn.theory import bayes_error, log_odds

__all__ = ["DynamicSignal"]


class DynamicSignal(ClassifierMixin, AbstractLaw):
    r"""Law of a signed signal at a random place in Gaussian noise, and its extensions.

    A sample is a row of ``n_patches`` patches of ``patch_size`` features each,

    .. math:: x^{(j)} = 1[j = t]\, y\, w^* + \sigma z^{(j)}, \qquad z^{(j)} \sim N(0, I),

    with label *y* uniform on {-1, +1} and place *t* uniform on the patches (the DSD), or with one
    place for all samples (the SSD, if ``static`` or ``location`` say so). Every patch is noisy, the
    one with the signal included.

    Keyword parameters change one part of it at a time: what the label says (``task``,
    ``label_noise``), how many signals there are and where (``n_signals``, ``location_prior``,
    ``placement``, unequal patches), and the noise (``noise_law``, ``correlation``, one ``noise``
    per patch). They combine, unless the Bayes rule would be out of reach, and each combination
    knows its own.

    The law is a classifier as well. Before `fit` it predicts by the Bayes rule, the best rule there
    is. `fit` forgets signal and noise and estimates them by maximum likelihood, which then predict:
    the statistical limit, to put beside other classifiers in a learning curve. Only the predictions
    change: `sample`, `true_signal` and `bayes_error` always speak of the law of the parameters.

    Parameters
    ----------
    n_patches : int, default=10
        Number of patches (*k* in the paper).
    patch_size : int or array-like of shape (n_patches,), default=20
        Features per patch (*d* in the paper). Where sizes differ, the signal has as many entries as
        the largest patch, and a smaller one shows the first of them, scaled to the norm of the
        whole: all places are equally visible.
    noise : float or array-like of shape (n_patches,), default=0.1
        Standard deviation of the noise per feature (*sigma*), or one for each patch. Without noise
        the Bayes rule is its limit: the sign of the score that is largest in absolute value.
        Extended laws can be sampled without noise, but do not predict then.
    signal : array-like of shape (patch_size,) or (n_types, patch_size), default=None
        The signal (:math:`w^*`), of any length but zero; one row per type for ``task="type"``. None
        draws it uniformly from the unit sphere, or orthonormal types.
    static : bool, default=False
        Whether the place is the same for all samples: ``location``, or 0 if that is None.
    location : int, default=None
        The place for all samples, counted from 0; an int implies ``static``.
    task : {"sign", "xor", "type", "detection"}, default="sign"
        What the label says. "sign": the sign of the signal. "xor": the product of the independent
        signs of two signals at distinct places; it is uncorrelated with every feature, and
        independent of every single patch. "type": which of ``n_types`` signals it is, from 0 to
        ``n_types - 1``. "detection": +1 if there is a signal, always of positive sign, and -1 if
        there is noise alone.
    n_types : int, default=2
        Number of types; for ``task="type"`` only.
    n_signals : int, default=1
        Number of distinct places that carry the signal, with the same sign or type.
    noise_law : {"gaussian", "laplace", "student_t", "rademacher"}, default="gaussian"
        Law of the noise of a feature, always of standard deviation ``noise``. "student_t" has 5
        degrees of freedom, "rademacher" is plus or minus ``noise``.
    correlation : float or array-like of shape (n_patches, n_patches), default=0.0
        Correlation of the noise between patches, feature by feature. A number *r* between -1 and 1
        makes :math:`r^{|i-j|}` of it, as in an autoregressive process.
    location_prior : array-like of shape (n_places,), default=None
        Probabilities of the places. None makes all alike. A set of several places has a probability
        proportional to the product of theirs.
    placement : {"patch", "pixel"}, default="patch"
        Where the signal may be: in one of the patches, or, at every cyclic shift by single
        features, in one of ``n_patches * patch_size`` places.
    label_noise : float, default=0.0
        Probability, up to 1/2, that the label is another one: of several, each alike.
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
        Iterations of expectation maximization.
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

    *The Bayes rule.* Let :math:`\ell_{tc}` be the log-likelihood ratio of pattern *c* (a sign or a
    type of the signal) in place *t* against noise alone. It is
    :math:`\langle m, C^{-1} x \rangle - \langle m, C^{-1} m \rangle / 2` for Gaussian noise of
    covariance *C* and mean *m*, and a sum over features for other noise. With the probabilities
    :math:`\pi_t` of the places, the likelihood of *r* signals with pattern *c* is the elementary
    symmetric polynomial :math:`e_r` of the :math:`\pi_t \exp \ell_{tc}`, for which the ratios of
    different places must add up: hence several signals need independent patches. The tasks
    compare such polynomials with each other, with that of noise alone, or, for "xor", sums over
    pairs of places with equal and with unequal signs. All of it is computed from logarithms of
    positive terms.

    References
    ----------
    .. [1] Lahoti, Karp, Winston, Singh, Li, "Role of Locality and Weight Sharing in Image-Based
       Tasks", ICLR 2024, arXiv:2403.15707. The Bayes rule is derived from the definition there;
       several signals are named there as an open question.

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

    Two signals whose signs must be multiplied, in heavy-tailed noise:

    >>> law = DynamicSignal(noise=0.4, task="xor", noise_law="student_t", random_state=0)
    >>> X, y, location = law.sample(10_000, random_state=2, return_location=True)
    >>> X.shape, location.shape
    ((10000, 200), (10000, 2))
    >>> round(law.score(X, y), 2), round(1 - law.bayes_error(), 2)
    (0.84, 0.84)
    """

    _parameter_constraints = {
        "n_patches": [Interval(Integral, 1, None, closed="left")],
        "patch_size": [Interval(Integral, 1, None, closed="left"), "array-like"],
        "noise": ["array-like", Interval(Real, 0, None, closed="left")],
        "signal": ["array-like", None],
        "static": ["boolean"],
        "location": [Interval(Integral, 0, None, closed="left"), None],
        "task": [StrOptions({*TASKS})],
        "n_types": [Interval(Integral, 2, None, closed="left")],
        "n_signals": [Interval(Integral, 1, None, closed="left")],
        "noise_law": [StrOptions({*NOISE_LAWS})],
        "correlation": ["array-like", Interval(Real, -1, 1, closed="neither")],
        "location_prior": ["array-like", None],
        "placement": [StrOptions({"patch", "pixel"})],
        "label_noise": [Interval(Real, 0, 0.5, closed="both")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_patches: int = 10,
        patch_size: int | ArrayLike = 20,
        noise: float | ArrayLike = 0.1,
        *,
        signal: ArrayLike | None = None,
        static: bool = False,
        location: int | None = None,
        task: str = "sign",
        n_types: int = 2,
        n_signals: int = 1,
        noise_law: str = "gaussian",
        correlation: float | ArrayLike = 0.0,
        location_prior: ArrayLike | None = None,
        placement: str = "patch",
        label_noise: float = 0.0,
        random_state: int | np.random.RandomState | None = None,
    ):
        self.n_patches = n_patches
        self.patch_size = patch_size
        self.noise = noise
        self.signal = signal
        self.static = static
        self.location = location
        self.task = task
        self.n_types = n_types
        self.n_signals = n_signals
        self.noise_law = noise_law
        self.correlation = correlation
        self.location_prior = location_prior
        self.placement = placement
        self.label_noise = label_noise
        self.random_state = random_state

    @property
    def true_signal(self) -> NDArray[np.float64]:
        """The signal of the law, of shape (patch_size,), whether given or drawn.

        For ``task="type"`` it has shape (n_types, patch_size). It is the same on every access, and
        not what `fit` estimates: that is ``signal_``.
        """
        self._check_parameters()
        shape = self._signal_shape()
        if self.signal is not None:
            return check_signal(self.signal, shape)
        directions = self._law_stream("signal").standard_normal(shape)
        if self.task == "type":
            return _orthonormalize(directions)
        return directions / np.linalg.norm(directions)

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
        X : ndarray of shape (n_samples, n_features)
            The samples, patch after patch.
        y : ndarray of shape (n_samples,)
            The labels: -1 or +1, or for ``task="type"`` from 0 to ``n_types - 1``.
        location : ndarray of shape (n_samples,) or (n_samples, n_signals)
            The place that holds the signal, -1 if none does. Of several signals (two for
            ``task="xor"``) the places in ascending order. Only if ``return_location=True``.
        """
        model, entropy = self._model(self.true_signal, self.noise), draw_entropy(random_state)
        X, index, location = model.draw(entropy, n_samples)
        classes = model.task.classes
        y = classes[flip_labels(entropy, index, len(classes), self.label_noise)]
        location = location[:, 0] if model.task.n_signals == 1 else location
        return (X, y, location) if return_location else (X, y)

    def fit(self, X: ArrayLike, y: ArrayLike) -> "DynamicSignal":
        """Estimate signal and noise by maximum likelihood; the predictions then use them.

        The place is hidden, so the likelihood is climbed by expectation maximization, from several
        starts. Where the place is known the estimates have a closed form. Of the extensions, `fit`
        knows ``location_prior`` and refuses the others.

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
        check_fittable(self)
        X, y = validate_data(self, X, y, dtype=np.float64)
        self._check_width(X)
        self.classes_, sign = encode_signs(y)
        patches = self._to_patches(X * sign[:, None])
        estimate = estimate_signal(patches, self._places(), self._log_weights())
        self.signal_, self.noise_ = estimate.signal, estimate.noise
        self.log_likelihood_curve_ = estimate.log_likelihoods
        self.n_iter_ = len(estimate.log_likelihoods)
        return self

    def decision_function(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the log-odds of the second class (before `fit`: of +1).

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The samples, patch after patch.

        Returns
        -------
        log_odds : ndarray of shape (n_samples,)
            Positive where the second class is the more probable one; infinite without noise. With
            three types or more, the logarithms of their posterior probabilities, of shape
            (n_samples, n_types).
        """
        self._check_parameters()
        signal, noise = self._signal_and_noise()
        X = self._check_samples(X)
        if self._is_plain():
            scores = self._to_patches(X)[:, self._places()] @ signal
            return flip_log_odds(log_odds(scores, noise), self.label_noise)
        log_likelihoods = self._predictive_model(signal, noise).log_likelihoods(X)
        if log_likelihoods.shape[1] == 2:
            return flip_log_odds(log_likelihoods[:, 1] - log_likelihoods[:, 0], self.label_noise)
        return flip_log_posterior(log_softmax(log_likelihoods, axis=1), self.label_noise)

    def predict(self, X: ArrayLike) -> NDArray:
        """Return the most probable label of each sample: the Bayes rule.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The samples, patch after patch.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            Labels as in `fit`; before it, as in `sample`.
        """
        decision = self.decision_function(X)
        classes = self.classes_ if self._is_fitted() else self._task().classes
        return classes[(decision > 0).astype(int) if decision.ndim == 1 else decision.argmax(1)]

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the posterior probabilities of the labels.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The samples, patch after patch.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            In the order of ``classes_``; before `fit`, of the labels of `sample`, ascending.
        """
        decision = self.decision_function(X)
        if decision.ndim == 2:
            return np.exp(decision)
        return expit(np.column_stack([-decision, decision]))

    def bayes_error(
        self,
        *,
        method: str = "auto",
        n_draws: int = 20_000,
        random_state: int | np.random.Generator = 0,
    ) -> float:
        """Return the error of the Bayes rule of the law: no classifier has a smaller one.

        Parameters
        ----------
        method : {"auto", "quadrature", "simulation"}, default="auto"
            "quadrature" is exact, but not for all extensions: for a label that is the sign of one
            signal in equal and independent Gaussian noise at equally probable places, and for a
            sign or a detection in Gaussian noise at known places. "simulation" is the mean over
            samples of 1 less the largest posterior probability; for the law of the paper see
            `sklcnn.theory.bayes_error`. "auto" takes "quadrature" where it can.
        n_draws : int, default=20_000
            Draws of the simulation. With ``n_classes`` labels, the standard error of a mean over
            samples is at most ``(error * (1 - 1 / n_classes - error) / n_draws) ** 0.5``.
        random_state : int or numpy.random.Generator, default=0
            Source of the simulation's draws.

        Returns
        -------
        error : float
            Probability of a wrong label.
        """
        self._check_parameters()
        _check_simulation(method, n_draws)
        equivalent = self._find_equivalent()
        if equivalent is not None:
            method = "quadrature" if method == "auto" else method
            error = bayes_error(
                *equivalent, method=method, n_draws=n_draws, random_state=random_state
            )
        elif method == "quadrature":
            raise ValueError(
                "method='quadrature' does not know this law: use 'simulation' or 'auto'."
            )
        else:
            model = self._predictive_model(self.true_signal, self.noise)
            error = model.simulate_bayes_error(n_draws, random_state)
        return float(flip_error(error, len(self._task().classes), self.label_noise))

    def _find_equivalent(self):
        """Patches and noise of the law of the paper with the same Bayes error, or None."""
        if not self._is_plain():
            return self._predictive_model(self.true_signal, self.noise).find_equivalent()
        n_places = len(range(self.n_patches)[self._places()])
        return n_places, self.noise / np.linalg.norm(self.true_signal)

    @property
    def is_dsd(self) -> bool:
        """Whether this is the paper's Dynamic Signal Distribution, without any extension."""
        static = self.static or self.location is not None
        return self._is_plain() and not static and self.label_noise == 0

    def _is_plain(self):
        """Whether the law is that of the paper, but for label noise."""
        return (
            (self.task, self.n_signals, self.noise_law) == ("sign", 1, "gaussian")
            and self.placement == "patch"
            and self.location_prior is None
            and np.ndim(self.noise) == np.ndim(self.patch_size) == 0
            and check_correlation(self.correlation, self.n_patches) is None
        )

    def _predictive_model(self, signal, noise):
        if not np.all(noise):
            raise ValueError(
                f"noise={noise!r} must be positive here: of the extensions, only label_noise has a "
                "Bayes rule without noise. Make it small instead."
            )
        return self._model(signal, noise)

    def _model(self, signal, noise):
        """The law with these constants in place of its own."""
        task, sizes = self._task(), self._sizes()
        places = np.flatnonzero(self._location_prior())
        deviation = np.repeat(check_noise(noise, self.n_patches), sizes)
        correlation = check_correlation(self.correlation, self.n_patches)
        return SignalModel(
            task=task,
            noise=Noise(self.noise_law, deviation, correlation),
            templates=make_templates(
                task.patterns(np.atleast_2d(signal)), sizes, self.placement, places
            ),
            places=places,
            prior=self._location_prior()[places],
        )

    def _location_prior(self):
        """Probabilities of all places, (n_places,)."""
        n_places = self._sizes().sum() if self.placement == "pixel" else self.n_patches
        if self.location_prior is not None:
            return check_location_prior(self.location_prior, n_places)
        prior = np.zeros(n_places)
        prior[self._places()] = 1
        return prior / prior.sum()

    def _log_weights(self):
        """What `estimate_signal` is to add to the scores of the places."""
        if self.location_prior is None:
            return 0.0
        with np.errstate(divide="ignore"):
            return np.log(self._location_prior() * self.n_patches)

    def _places(self):
        """The places that may hold the signal, as far as static and location know."""
        if self.location is None and not self.static:
            return slice(None)
        place = self.location or 0
        return slice(place, place + 1)

    def _task(self):
        return make_task(self.task, self.n_signals, self.n_types)

    def _sizes(self):
        return check_patch_sizes(self.patch_size, self.n_patches)

    def _signal_shape(self):
        length = int(self._sizes().max())
        return (self.n_types, length) if self.task == "type" else (length,)

    def _signal_and_noise(self):
        if self._is_fitted():
            return self.signal_, self.noise_
        return self.true_signal, self.noise

    def _to_patches(self, X):
        return X.reshape(len(X), self.n_patches, -1)

    def _check_parameters(self):
        self._validate_params()
        check_noise(self.noise, self.n_patches)
        check_together(self)
        if self.signal is not None:
            check_signal(self.signal, self._signal_shape())

    def _check_width(self, X):
        n_features = self._sizes().sum()
        if X.shape[1] == n_features:
            return
        if np.ndim(self.patch_size) > 0:
            raise ValueError(
                f"X has {X.shape[1]} features, but patch_size={self.patch_size} adds up to "
                f"{n_features}: the sum must be the number of features."
            )
        raise ValueError(
            f"X has {X.shape[1]} features, but n_patches={self.n_patches} times "
            f"patch_size={self.patch_size} makes {n_features}: the product must be the number "
            "of features."
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags


def _orthonormalize(directions):
    """Return orthonormal rows that span what the given ones do, uniform if those are Gaussian."""
    columns, triangle = np.linalg.qr(directions.T)
    return (columns * np.sign(np.diag(triangle))).T


def _check_simulation(method, n_draws):
    if method not in ("auto", "quadrature", "simulation"):
        raise ValueError(f"method must be 'auto', 'quadrature' or 'simulation', got {method!r}.")
    if n_draws < 1:
        raise ValueError(f"n_draws must be at least 1, got {n_draws}.")
