"""Patches in narrow cones: one patch is from the cone of the label, the others are background."""

from functools import lru_cache
from numbers import Integral, Real

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import eigh_tridiagonal
from scipy.special import gammaln, log_ndtr, logsumexp, softmax
from sklearn.base import ClassifierMixin
from sklearn.utils._param_validation import (
    Interval,
    StrOptions,
    validate_parameter_constraints,
    validate_params,
)

from sklcnn.datasets.base import draw_entropy, stream
from sklcnn.datasets.known_rule import AbstractKnownRule

__all__ = ["ConeClusters"]

_CHUNK = 2**20  # numbers of X that are looked at together
_N_NODES = 48  # leave a relative error of 3e-10 for patches of two features, 1e-12 from five on

_SIMULATION = {
    "method": [StrOptions({"simulation"})],
    "n_draws": [Interval(Integral, 1, None, closed="left")],
    "random_state": ["random_state"],
}


class ConeClusters(ClassifierMixin, AbstractKnownRule):
    r"""Law of directions around a few centers, one patch of which tells the label.

    There are *c* + 1 centers :math:`u_0, \dots, u_c`, uniform on the unit sphere and drawn once for
    all samples. A patch from the cone of :math:`u_k` is a direction near it,

    .. math:: x^{(l)} = \frac{u_k + s z}{\|u_k + s z\|}, \qquad z \sim N(0, I) .

    In a sample one patch, at random, is from one of the first *c* cones, also at random; all others
    are from the last cone, the background. The label is the number of that one cone, from 0 on, or
    it is random: then there is nothing to learn from the patches, only to remember.

    Parameters
    ----------
    n_patches : int, default=50
        Number of patches (*J* in the paper).
    patch_size : int, default=10
        Features per patch (*m*), at least 2.
    n_classes : int, default=5
        Number of labels, and of cones besides the background (*c*).
    spread : float, default=0.1
        Standard deviation of each coordinate around the center (*s*), before normalization.
    labels : {"signal", "random"}, default="signal"
        Whether the label is the cone, or uniform whatever the patches are.
    random_state : int, RandomState instance or None, default=None
        Source of the centers. An int gives the same ones always; otherwise they are drawn on first
        use and then kept by this law, its copies and its clones.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, from 0 to ``n_classes - 1``.
    n_features_in_ : int
        Number of features seen by `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features seen by `fit`, if they all are strings.

    See Also
    --------
    sklcnn.datasets.PatternDetection : One pattern a class, without spread.
    sklcnn.inspection.fisher_selectivity : How well filters tell the cones apart.

    Notes
    -----
    A patch from the cone of *u* has a projected normal distribution. Its density, with respect to
    the surface of the sphere, depends on the patch *z* by :math:`a = \langle z, u \rangle / s`
    only, up to factors that all cones have in common:

    .. math:: p(z) \propto I(a) = \int_0^\infty t^{m-1} e^{a t - t^2 / 2} \, dt, \qquad
              P(y = k \mid x) \propto \sum_l I(a_{kl}) / I(a_{cl}),

    where :math:`a_{kl}` belongs to cone *k* and patch *l*, and *c* is the background. The rule
    looks at the directions of patches alone, so that their lengths do not matter.

    Cones, places, noise and random labels of a sample come from independent random streams, apart
    from that of the centers: the patches are the same for both kinds of labels, and the first rows
    of a sample are those of a smaller sample with the same seed.

    References
    ----------
    .. [1] Liang, Singh, Parhi, Cloninger, Wang, "The Inductive Bias of Convolutional Neural
       Networks: Locality and Weight Sharing Reshape Implicit Regularization", 2026,
       arXiv:2603.04807. The Bayes rule is our derivation.
    .. [2] Mardia, Jupp, "Directional Statistics", 2000.

    Examples
    --------
    >>> from sklcnn.datasets import ConeClusters
    >>> law = ConeClusters(n_patches=6, patch_size=3, n_classes=4, spread=0.5, random_state=0)
    >>> X, y, cones = law.sample(500, random_state=1, return_cones=True)
    >>> X.shape, cones[0].tolist(), y[0].item()  # 4 is the background
    ((500, 18), [4, 4, 4, 4, 4, 0], 0)
    >>> law.predict_proba(X).shape, round(law.bayes_error(), 2)
    ((500, 4), 0.38)
    """

    _parameter_constraints = {
        "n_patches": [Interval(Integral, 1, None, closed="left")],
        "patch_size": [Interval(Integral, 2, None, closed="left")],
        "n_classes": [Interval(Integral, 2, None, closed="left")],
        "spread": [Interval(Real, 0, None, closed="neither")],
        "labels": [StrOptions({"signal", "random"})],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_patches: int = 50,
        patch_size: int = 10,
        n_classes: int = 5,
        spread: float = 0.1,
        labels: str = "signal",
        *,
        random_state: int | np.random.RandomState | None = None,
    ):
        self.n_patches = n_patches
        self.patch_size = patch_size
        self.n_classes = n_classes
        self.spread = spread
        self.labels = labels
        self.random_state = random_state

    @property
    def classes_(self) -> NDArray[np.int64]:
        """The labels, from 0 to ``n_classes - 1``, of shape (n_classes,)."""
        return np.arange(self.n_classes)

    @property
    def true_centers(self) -> NDArray[np.float64]:
        """The centers, of shape (n_classes + 1, patch_size) and unit length, background last.

        They are the same on every access.
        """
        self._check_parameters()
        shape = self.n_classes + 1, self.patch_size
        return _normalize(self._law_stream("centers").standard_normal(shape))

    @validate_params(
        {
            "n_samples": [Interval(Integral, 1, None, closed="left")],
            "random_state": ["random_state"],
            "return_cones": ["boolean"],
        },
        prefer_skip_nested_validation=False,
    )
    def sample(
        self,
        n_samples: int,
        *,
        random_state: int | np.random.RandomState | None = None,
        return_cones: bool = False,
    ):
        """Draw samples from the law.

        Parameters
        ----------
        n_samples : int
            Number of samples.
        random_state : int, RandomState instance or None, default=None
            Source of the samples, apart from that of the centers. None draws other samples on every
            call; the same int draws the same samples.
        return_cones : bool, default=False
            Whether to return the cones of the patches too.

        Returns
        -------
        X : ndarray of shape (n_samples, n_patches * patch_size)
            The samples, patch after patch, each patch of unit length.
        y : ndarray of shape (n_samples,)
            The labels, from 0 to ``n_classes - 1``.
        cones : ndarray of shape (n_samples, n_patches)
            The cone of each patch, ``n_classes`` for the background. Only if ``return_cones=True``.
        """
        sample = self._draw(n_samples, draw_entropy(random_state))
        return sample if return_cones else sample[:2]

    def fit(self, X: ArrayLike, y: ArrayLike) -> "ConeClusters":
        """Check the samples and learn nothing: the best rule is known.

        It is here for the tools of scikit-learn, which fit before they score.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_patches * patch_size)
            The samples, patch after patch.
        y : array-like of shape (n_samples,)
            The labels, from 0 to ``n_classes - 1``.

        Returns
        -------
        self : ConeClusters
            The law.
        """
        return super().fit(X, y)

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the posterior probabilities of the labels.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_patches * patch_size)
            The samples, patch after patch. A patch of zeros tells nothing.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            In the order of ``classes_``; all alike for random labels.
        """
        self._check_parameters()
        samples, step = self._check_samples(X), max(1, _CHUNK // self._width())
        n_samples = len(samples)
        if self.labels == "random":
            return np.full((n_samples, self.n_classes), 1 / self.n_classes)
        starts = range(0, n_samples, step)
        return np.concatenate([self._posterior(samples[i : i + step]) for i in starts])

    def predict(self, X: ArrayLike) -> NDArray[np.int64]:
        """Return the most probable label of each sample: the Bayes rule.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_patches * patch_size)
            The samples, patch after patch.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            The labels, from 0 to ``n_classes - 1``; 0 always for random labels, of which none is
            better than another.
        """
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def bayes_error(
        self,
        *,
        method: str = "simulation",
        n_draws: int = 20_000,
        random_state: int | np.random.RandomState | None = 0,
    ) -> float:
        """Return the error of the Bayes rule of the law: no classifier has a smaller one.

        Parameters
        ----------
        method : {"simulation"}, default="simulation"
            The mean over samples of 1 less the largest posterior probability. For random labels
            that is ``1 - 1 / n_classes`` for each, and none is drawn.
        n_draws : int, default=20_000
            Samples. The standard error is at most
            ``(error * (1 - 1 / n_classes - error) / n_draws) ** 0.5``.
        random_state : int, RandomState instance or None, default=0
            Their source.

        Returns
        -------
        error : float
            Probability of a wrong label.
        """
        self._check_parameters()
        arguments = {"method": method, "n_draws": n_draws, "random_state": random_state}
        name = f"{type(self).__name__}.bayes_error"
        validate_parameter_constraints(_SIMULATION, arguments, caller_name=name)
        if self.labels == "random":
            return 1 - 1 / self.n_classes
        return self._simulate(_chance_of_others, n_draws, draw_entropy(random_state))

    def target_variance(
        self, *, n_draws: int = 20_000, random_state: int | np.random.RandomState | None = 0
    ) -> float:
        r"""Return the variance of the posterior, :math:`\sum_k E (P(y = k \mid x) - 1 / c)^2`.

        It is the excess of the frequencies of the labels over `predict_proba` in squared error, on
        labels in one-hot coding: what a network trained on the squared error can learn.

        Parameters
        ----------
        n_draws : int, default=20_000
            Samples. The standard error is at most
            ``(variance * (1 - 1 / n_classes - variance) / n_draws) ** 0.5``, 0.0028 for five
            classes at the default.
        random_state : int, RandomState instance or None, default=0
            Their source.

        Returns
        -------
        variance : float
            Sum over the labels, from 0 to ``1 - 1 / n_classes``; 0 for random labels.
        """
        self._check_parameters()
        arguments = {"n_draws": n_draws, "random_state": random_state}
        name = f"{type(self).__name__}.target_variance"
        constraints = {key: _SIMULATION[key] for key in arguments}
        validate_parameter_constraints(constraints, arguments, caller_name=name)
        if self.labels == "random":
            return 0.0
        frequency, entropy = 1 / self.n_classes, draw_entropy(random_state)
        return self._simulate(lambda p: np.sum((p - frequency) ** 2, axis=1), n_draws, entropy)

    def _simulate(self, quantity, n_draws, entropy):
        """Mean over samples of a quantity of the posterior, in bounded memory."""
        generators, total = self._generators(entropy), 0.0
        step = max(1, _CHUNK // self._width())
        for start in range(0, n_draws, step):
            X, *_ = self._draw_next(min(step, n_draws - start), generators)
            total += quantity(self._posterior(X)).sum()
        return float(total / n_draws)

    def _draw(self, n_samples, entropy):
        return self._draw_next(n_samples, self._generators(entropy))

    def _generators(self, entropy):
        purposes = ("cone", "location", "noise", "random label")
        return {purpose: stream(entropy, purpose) for purpose in purposes}

    def _draw_next(self, n_samples, generators):
        """Draw the next X, y and cones of the generators."""
        cone, random_label = (
            generators[purpose].integers(self.n_classes, size=n_samples)
            for purpose in ("cone", "random label")
        )
        place = generators["location"].integers(self.n_patches, size=n_samples)
        cones = np.full((n_samples, self.n_patches), self.n_classes)
        cones[np.arange(n_samples), place] = cone
        noise = generators["noise"].standard_normal((*cones.shape, self.patch_size))
        patches = _normalize(self.true_centers[cones] + self.spread * noise)
        y = cone if self.labels == "signal" else random_label
        return patches.reshape(n_samples, -1), y, cones

    def _posterior(self, X):
        """Return the probabilities of the cones given X, (n_samples, n_classes)."""
        patches = _normalize(X.reshape(len(X), self.n_patches, self.patch_size))
        cosines = patches @ self.true_centers.T  # (n_samples, n_patches, n_classes + 1)
        log_densities = _log_radial_integral(cosines / self.spread, self.patch_size)
        log_ratios = log_densities[..., :-1] - log_densities[..., -1:]
        return softmax(logsumexp(log_ratios, axis=1), axis=1)

    def _check_target(self, y):
        if not np.isin(y, self.classes_).all():
            raise ValueError(
                f"y has the labels {np.unique(y).tolist()}, but those of the law are 0 to "
                f"n_classes - 1 = {self.n_classes - 1}."
            )

    def _width(self):
        return self.n_patches * self.patch_size


def _chance_of_others(posterior):
    """Add up all but the largest: one less that is 0 where all others are below 1e-16."""
    return np.sort(posterior, axis=1)[:, :-1].sum(axis=1)


def _normalize(vectors):
    """Return the vectors over their norms; zero stays zero."""
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.where(norms > 0, norms, 1)


def _log_radial_integral(a, patch_size):
    r"""Return the logarithm of :math:`I(a) = \int_0^\infty t^{m-1} e^{a t - t^2 / 2} \, dt`.

    Two formulas: the recursion subtracts if *a* is negative, the quadrature needs ever more nodes
    if it is positive.
    """
    a = np.asarray(a, dtype=float)
    result, negative = np.empty_like(a), a < 0
    result[negative] = _integrate_by_quadrature(a[negative], patch_size - 1)
    result[~negative] = _integrate_by_recursion(a[~negative], patch_size - 1)
    return result


def _integrate_by_recursion(a, power):
    r"""Integrate by parts from power to power: :math:`I_k = a I_{k-1} + (k-1) I_{k-2}`."""
    total = a**2 / 2 + log_ndtr(a) + np.log(2 * np.pi) / 2  # log I_0
    ratio = a + np.exp(-total)  # I_1 / I_0
    total = total + np.log(ratio)
    for k in range(2, power + 1):
        ratio = a + (k - 1) / ratio  # I_k / I_{k-1}
        total += np.log(ratio)
    return total


def _integrate_by_quadrature(a, power):
    r"""Integrate by a Gauss-Laguerre rule whose weight peaks where the integrand does.

    That is at *p*, with :math:`p + |a| = b = k / p`. In :math:`\tau = b t` the integrand is
    :math:`\tau^k e^{-\tau}` times :math:`e^{-(\tau / b - p)^2 / 2}`, up to a factor.
    """
    rate = (np.sqrt(a**2 + 4 * power) - a) / 2
    peak = power / rate
    total = np.zeros_like(a)
    for node, weight in zip(*_laguerre_rule(power), strict=True):
        total += weight * np.exp(-((node / rate - peak) ** 2) / 2)
    return np.log(total) + peak**2 / 2 + gammaln(power + 1) - (power + 1) * np.log(rate)


@lru_cache
def _laguerre_rule(power):
    """Nodes and weights for the Gamma distribution of shape ``power + 1``, by Golub and Welsch.

    That of scipy overflows for a power above 170.
    """
    k = np.arange(_N_NODES)
    nodes, vectors = eigh_tridiagonal(2 * k + power + 1.0, np.sqrt(k[1:] * (k[1:] + power)))
    return nodes, vectors[0] ** 2
