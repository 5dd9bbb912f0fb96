"""The risk of a fitted network on a law: in closed form where there is one, else on samples."""

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_regressor
from sklearn.utils.validation import check_is_fitted

from sklcnn.datasets import DynamicSignal
from sklcnn.datasets.base import stream
from sklcnn.estimators.base import AbstractNetwork
from sklcnn.nn import PatchNetwork
from sklcnn.theory import (
    connected_network_risks,
    threshold_network_error,
    threshold_network_squared_risk,
)

__all__ = ["METRICS", "PopulationRisk", "empirical_risk", "population_risk"]

METRICS = ("squared_risk", "error")
# Draws for a fully connected network: cheap, as they have no more dimensions than it has units.
MIN_DRAWS = 100_000


def population_risk(
    estimator: Any, law: Any, metric: str = "error", *, n_test: int = 20_000, random_state: int = 0
) -> float:
    """Return the risk of a fitted estimator on a law, over all samples that the law could draw.

    Networks of soft thresholds with unit readout on the Dynamic Signal Distribution have closed
    forms (a fully connected one is simulated in as many dimensions as it has units); for anything
    else the risk is an average over samples.

    Parameters
    ----------
    estimator : fitted estimator
        A classifier, or a regressor.
    law : law of sklcnn.datasets
        Draws the samples.
    metric : {"error", "squared_risk"}, default="error"
        Probability of a wrong label (of a regressor: of a wrong sign, where 0 is half an error), or
        the mean of ``(y - f(x)) ** 2``, where *f* is the output of a network that was trained on
        the squared loss, the prediction of a regressor, and ``2 P(y = 1 | x) - 1`` of any other
        classifier. Except for the error of a classifier and the squared risk of a regressor, labels
        must be -1 and +1.
    n_test : int, default=20_000
        Samples, where they are needed. The simulation takes as many draws, but at least 100,000.
    random_state : int, default=0
        Their seed, and that of the simulation. Samples that the law draws with the same seed are
        other ones.

    Returns
    -------
    risk : float
        Its standard error is that of an average over the samples, or zero for a closed form.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    ValueError
        If metric or ``n_test`` is none, the estimator has no method for the metric, or it was
        fitted to another number of features or to other labels than those of the law.

    Examples
    --------
    >>> import sklcnn
    >>> from sklcnn.datasets import DynamicSignal
    >>> from sklcnn.inspection import population_risk
    >>> law = DynamicSignal(n_patches=10, patch_size=20, noise=0.1, random_state=0)
    >>> X, y = law.sample(100, random_state=0)
    >>> network = sklcnn.dsd_network("cnn", 10, 20, random_state=0).fit(X, y)
    >>> round(population_risk(network, law, "squared_risk"), 2)  # the best is 0.033
    0.04
    """
    return float(PopulationRisk(law, metric, n_test, random_state)([estimator])[0])


class PopulationRisk:
    """The risk on one law of many estimators, which are tested on the same samples.

    Parameters
    ----------
    law : law of sklcnn.datasets
        Draws the samples.
    metric : {"error", "squared_risk"}
        As in `population_risk`.
    n_test : int, default=20_000
        Samples, where they are needed; drawn once.
    random_state : int, default=0
        Their seed.

    Examples
    --------
    >>> import sklcnn
    >>> from sklcnn.datasets import DynamicSignal
    >>> from sklcnn.inspection import PopulationRisk
    >>> law = DynamicSignal(n_patches=10, patch_size=20, noise=0.1, random_state=0)
    >>> X, y = law.sample(100, random_state=0)
    >>> networks = [sklcnn.dsd_network(family, 10, 20, random_state=0) for family in ("lcn", "cnn")]
    >>> PopulationRisk(law, "squared_risk")([network.fit(X, y) for network in networks]).round(2)
    array([0.11, 0.04])
    """

    def __init__(self, law, metric, n_test=20_000, random_state=0):
        if metric not in METRICS:
            raise ValueError(f"metric={metric!r} must be one of {METRICS}.")
        if not isinstance(n_test, Integral) or n_test < 1:
            raise ValueError(f"n_test={n_test!r} must be an integer of at least 1.")
        self.law, self.metric, self.n_test = law, metric, n_test
        self.random_state = random_state
        self._sample = None

    def __call__(self, estimators: Sequence) -> NDArray[np.float64]:
        """Return the risk of each estimator, (n_estimators,)."""
        for estimator in estimators:
            check_is_fitted(estimator)
        return np.array([self._risk(estimator) for estimator in estimators])

    def _risk(self, estimator):
        if not (_is_dsd(self.law) and _adds_soft_thresholds(estimator, self.metric)):
            return self._risk_on_samples(estimator)
        _check_labels(estimator, (-1, 1), self.metric)
        n_patches, patch_size = self.law.n_patches, self.law.patch_size
        features = np.arange(n_patches * patch_size)
        one_filter = estimator.module_.weight.shape[1] == 1
        if one_filter and np.array_equal(estimator.patch_indices_, features.reshape(n_patches, -1)):
            return self._risk_of_local(estimator)
        if np.array_equal(estimator.patch_indices_, features[None]):
            return self._risk_of_connected(estimator)
        return self._risk_on_samples(estimator)

    def _risk_of_connected(self, estimator):
        """Risk of units that see all patches."""
        network, law = estimator.module_, self.law
        risks = connected_network_risks(
            _weight(network).reshape(-1, estimator.n_features_in_),
            network.threshold.item(),
            law.true_signal,
            law.noise,
            n_draws=max(self.n_test, MIN_DRAWS),
            random_state=self.random_state,
        )
        return getattr(risks, self.metric)

    def _risk_of_local(self, estimator):
        """Risk of one filter a patch, shared or not."""
        network, law = estimator.module_, self.law
        filters = _weight(network)[:, 0]  # (n_groups, patch_size)
        if len(filters) > 1:
            filters = filters[estimator.filter_groups_]  # (n_patches, patch_size)
        risk = threshold_network_error if self.metric == "error" else threshold_network_squared_risk
        threshold = network.threshold.item()
        return risk(filters, threshold, law.true_signal, law.noise, n_patches=law.n_patches)

    def _risk_on_samples(self, estimator):
        X, y = self._draw()
        n_features = getattr(estimator, "n_features_in_", X.shape[1])
        if n_features != X.shape[1]:
            raise ValueError(
                f"estimator was fitted to {n_features} features, but the samples of law={self.law} "
                f"have {X.shape[1]}: the two must be equal."
            )
        return empirical_risk(estimator, X, y, self.metric)

    def _draw(self):
        if self._sample is None:
            # A seed derived from theirs: training samples often have the same one, and would be
            # the first of these.
            seed = int(stream(int(self.random_state), "population risk").integers(2**32))
            self._sample = self.law.sample(int(self.n_test), random_state=seed)
        return self._sample


def empirical_risk(estimator, X, y, metric):
    """Return the risk of a fitted estimator on samples, see `population_risk` for the metrics."""
    _check_labels(estimator, y, metric)
    if metric == "squared_risk":
        return np.mean((y - _answers(estimator, X)) ** 2)
    predicted = estimator.predict(X)
    if is_regressor(estimator):
        return np.mean(np.where(predicted == 0, 0.5, np.sign(predicted) != y))
    return np.mean(predicted != y)


def _is_dsd(law):
    return isinstance(law, DynamicSignal) and law.is_dsd


def _adds_soft_thresholds(estimator, metric):
    """Whether the output is a plain sum of soft thresholds, and what the metric looks at."""
    network = getattr(estimator, "module_", None)
    if not (isinstance(estimator, AbstractNetwork) and isinstance(network, PatchNetwork)):
        return False
    sums = network.readout == "sum" and network.pooling in (None, "sum")
    looks_at_output = metric == "error" or estimator.loss == "squared_error"
    return network.activation == "soft_threshold" and sums and looks_at_output


def _weight(network):
    return network.weight.detach().cpu().numpy().astype(np.float64)


def _check_labels(estimator, y, metric):
    """Raise ValueError where labels, estimator and metric do not go together."""
    signs = np.isin(y, (-1, 1)).all()
    if not signs and is_regressor(estimator) == (metric == "error"):
        other = "squared_risk" if metric == "error" else "error"
        raise ValueError(
            f"metric={metric!r} of {type(estimator).__name__} needs labels -1 and +1, but those of "
            f"the law are others, such as {np.asarray(y)[0]!r}; use metric={other!r}."
        )
    known = list(getattr(estimator, "classes_", (-1, 1)))
    if signs and not set(np.unique(y)) <= set(known):
        raise ValueError(
            f"estimator was fitted to the labels {known}, but the law draws -1 and +1: fit it to "
            "these."
        )


def _answers(estimator, X):
    """Return what an estimator takes for the mean of y, (n_samples,)."""
    if is_regressor(estimator):
        return estimator.predict(X)
    if isinstance(estimator, AbstractNetwork) and estimator.loss == "squared_error":
        return estimator.decision_function(X)
    if not hasattr(estimator, "predict_proba"):
        raise ValueError(
            f"metric='squared_risk' needs predict_proba, which {type(estimator).__name__} does not "
            "have; use metric='error'."
        )
    if len(estimator.classes_) != 2:
        raise ValueError(
            f"metric='squared_risk' needs a classifier of two classes; {type(estimator).__name__} "
            f"has seen {len(estimator.classes_)}."
        )
    return 2 * estimator.predict_proba(X)[:, 1] - 1
