"""The laws and learners beyond the Dynamic Signal Distribution paper, each a small record."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC
from sklearn.utils.validation import check_is_fitted, validate_data

from sklcnn.datasets import DynamicSignal
from sklcnn.estimators import CNNClassifier, FCNClassifier, LCNClassifier, dsd_network
from sklcnn.training import Adam

__all__ = ["SampleProjection", "Variant", "make_variants"]

FAMILIES = ("FCN", "LCN", "CNN")
N_FILTERS = 16  # of the networks with pooling
ALL = 100_000  # samples in a mini-batch: more than there are
ADAM_RATES = (0.001, 0.01, 0.1)
PENALTIES = (0.01, 0.1, 1.0, 10.0)


@dataclass(frozen=True)
class Variant:
    """One question beyond the paper: a law, and networks that try to learn it."""

    name: str
    question: str
    law: DynamicSignal
    networks: Mapping[str, Any]  # by family; one that is missing is that of the reference
    grids: Mapping[str, Mapping] = field(default_factory=dict)  # candidates, by family
    reference: str = "paper"  # the variant that differs in what is asked only


class SampleProjection(TransformerMixin, BaseEstimator):
    """Project samples on random mixtures of the training samples.

    A random projection that depends on the data: directions in which the samples spread are more
    probable. It knows samples by their inner products only, and so commutes with rotations.

    Parameters
    ----------
    n_components : int, default=100
        Number of mixtures.
    random_state : int, default=0
        Seed of their weights, which are Gaussian.

    Attributes
    ----------
    components_ : ndarray of shape (n_components, n_features)
        The mixtures, scaled so that norms are kept on average by white samples.
    n_features_in_ : int
        Number of features.

    Examples
    --------
    >>> import numpy as np
    >>> from sklcnn.studies.variants import SampleProjection
    >>> SampleProjection(2).fit_transform(np.eye(3)).shape
    (3, 2)
    """

    def __init__(self, n_components=100, *, random_state=0):
        self.n_components = n_components
        self.random_state = random_state

    def fit(self, X, y=None):
        """Draw the mixtures."""
        X = validate_data(self, X, dtype=np.float64)
        rng = np.random.default_rng(self.random_state)
        mixtures = rng.standard_normal((self.n_components, len(X))) @ X
        norm = np.linalg.norm(X) * np.sqrt(self.n_components / X.shape[1])
        self.components_ = mixtures / (norm or 1.0)
        return self

    def transform(self, X):
        """Return the inner products with the mixtures, (n_samples, n_components)."""
        check_is_fitted(self)
        return validate_data(self, X, dtype=np.float64, reset=False) @ self.components_.T


def make_variants(
    n_patches: int = 10, patch_size: int = 20, noise: float = 0.2
) -> dict[str, Variant]:
    """Return all variants of the Dynamic Signal Distribution and of its learners.

    Parameters
    ----------
    n_patches, patch_size : int, default=10 and 20
        Of the laws: at least 2 patches of at least 4 features.
    noise : float, default=0.2
        Standard deviation of the noise per feature, on average over patches.

    Returns
    -------
    variants : dict of str to Variant
        By name. "paper" and "max pooling" are what others are compared with.

    Raises
    ------
    ValueError
        If there are fewer patches or features, or no noise.

    Examples
    --------
    >>> from sklcnn.studies.variants import make_variants
    >>> make_variants()["xor"].question
    'the product of the signs of two signals, noise halved'
    """
    _check_size(n_patches, patch_size, noise)
    size = (n_patches, patch_size, noise)
    variants = [*_laws(*size), *_architectures(*size), *_tasks(*size), *_learners(*size)]
    return {variant.name: variant for variant in variants}


def _check_size(n_patches, patch_size, noise):
    for name, size, least in (("n_patches", n_patches, 2), ("patch_size", patch_size, 4)):
        if not isinstance(size, Integral) or size < least:
            raise ValueError(f"{name}={size!r} must be an integer of at least {least}.")
    if not noise > 0:
        raise ValueError(f"noise={noise!r} must be positive.")


# the paper's networks on other laws


def _laws(n_patches, patch_size, noise):
    uneven = np.linspace(0.5, 1.5, n_patches) * noise
    prior = np.full(n_patches, 0.5 / (n_patches - 1))
    prior[0] = 0.5
    sizes = np.where(np.arange(n_patches) % 2, patch_size + patch_size // 2, patch_size // 2)
    changes = {
        "paper": ("the law and the networks of the paper", {}),
        "two signals": (
            "two signals of one sign, noise doubled",
            {"n_signals": 2, "noise": 2 * noise},
        ),
        "correlated noise": ("noise that neighboring patches share", {"correlation": 0.7}),
        "noise per patch": (
            "noise that grows threefold from the first patch to the last",
            {"noise": uneven},
        ),
        "heavy-tailed noise": ("noise of Student's t law", {"noise_law": "student_t"}),
        "two-point noise": ("noise of two values", {"noise_law": "rademacher"}),
        "unequal places": ("one place that holds half of all signals", {"location_prior": prior}),
        "fixed place": ("a place that never changes (SSD)", {"static": True}),
        "label noise": ("one label in ten is wrong", {"label_noise": 0.1}),
    }
    for name, (question, change) in changes.items():
        law = DynamicSignal(n_patches, patch_size, noise).set_params(**change)
        yield Variant(name, question, law, _paper_networks(n_patches, patch_size))
    law = DynamicSignal(n_patches, sizes, noise)
    networks = _paper_networks(n_patches, patch_size, patch_indices=_windows(sizes))
    yield Variant("unequal patches", "patches of unequal size", law, networks)


def _paper_networks(n_patches, patch_size, patch_indices=None, **parameters):
    networks = {
        family: dsd_network(family.lower(), n_patches, patch_size, **parameters)
        for family in FAMILIES
    }
    if patch_indices is not None:
        for family in ("LCN", "CNN"):
            networks[family].set_params(patch_indices=patch_indices, input_shape=None)
    return networks


def _windows(sizes):
    """A window as long as the largest patch at the start of every patch, around the end."""
    starts = np.cumsum(sizes) - sizes
    return (starts[:, None] + np.arange(sizes.max())) % sizes.sum()


# other architectures


def _architectures(n_patches, patch_size, noise):
    law = DynamicSignal(n_patches, patch_size, noise)
    averaged, pooled = (_pooled_networks(n_patches, patch_size, pooling=p) for p in ("mean", "max"))
    wide = _pooled_networks(n_patches, patch_size, 4 * N_FILTERS)
    yield Variant("ReLU", "ReLUs and mean pooling, trained by Adam", law, averaged)
    yield Variant("max pooling", "ReLUs and max pooling, trained by Adam", law, pooled)
    yield Variant("wider", "four times the filters", law, wide, reference="max pooling")
    deep = _pooled_networks(n_patches, patch_size)
    deep["FCN"].set_params(n_filters=(N_FILTERS * n_patches, N_FILTERS))
    for family in ("LCN", "CNN"):
        deep[family].set_params(
            n_filters=(N_FILTERS, N_FILTERS), patch_size=(patch_size, 2), stride=(patch_size, 1)
        )
    question = "a second hidden layer, which sees pairs of patches"
    yield Variant("deeper", question, law, deep, reference="max pooling")


def _pooled_networks(n_patches, patch_size, n_filters=N_FILTERS, pooling="max", **parameters):
    """Networks of ReLUs; the FCN has as many units as the LCN."""
    training = {"learning_rate_init": 0.01, "max_iter": 200, "tol": None, "batch_size": ALL}
    window = {"patch_size": patch_size, "stride": patch_size, "pooling": pooling} | parameters
    return {
        "FCN": FCNClassifier(n_filters * n_patches, **training),
        "LCN": LCNClassifier(n_filters, **window, **training),
        "CNN": CNNClassifier(n_filters, **window, **training),
    }


# labels and places that are beyond one layer of soft thresholds, added up


def _tasks(n_patches, patch_size, noise):
    networks = _pooled_networks(n_patches, patch_size)
    dense = _pooled_networks(n_patches, patch_size, stride=1, padding="circular")
    rows = (
        (
            "four types",
            "four types of signals to tell apart",
            {"task": "type", "n_types": 4},
            networks,
        ),
        ("detection", "is there a signal at all?", {"task": "detection"}, networks),
        (
            "xor",
            "the product of the signs of two signals, noise halved",
            {"task": "xor", "noise": noise / 2},
            networks,
        ),
        (
            "any pixel",
            "a signal that may begin at every feature",
            {"placement": "pixel"},
            dense,
        ),
    )
    for name, question, change, nets in rows:
        law = DynamicSignal(n_patches, patch_size, noise).set_params(**change)
        yield Variant(name, question, law, nets, reference="max pooling")


# other learners


def _learners(n_patches, patch_size, noise):
    size = (n_patches, patch_size, noise)
    dense, sparse = DynamicSignal(*size), DynamicSignal(*size, signal=np.eye(patch_size)[0])
    solver = Adam(projection="unit_ball")
    adam = _paper_networks(n_patches, patch_size, solver=solver, batch_size=ALL)
    grids = {family: {"learning_rate_init": list(ADAM_RATES)} for family in FAMILIES}
    penalized = {"FCN": LinearSVC(penalty="l1", dual=False, fit_intercept=False, max_iter=10_000)}
    strengths = {"FCN": {"C": list(PENALTIES)}}
    yield Variant("Adam", "Adam, whose steps depend on the axes", dense, adam, grids)
    yield Variant("Adam, sparse signal", "Adam, and a signal of one feature", sparse, adam, grids)
    yield Variant("l1", "a linear rule with an l1 penalty", dense, penalized, strengths)
    yield Variant(
        "l1, sparse signal", "that rule, and a signal of one feature", sparse, penalized, strengths
    )
    for name, question, projection in (
        (
            "random mixtures",
            "a projection on random mixtures of the samples",
            SampleProjection(n_patches * patch_size // 2),
        ),
        ("principal components", "as many principal components as patches", PCA(n_patches)),
    ):
        network = dsd_network("fcn", n_patches, patch_size, random_state=0)
        yield Variant(name, question, dense, {"FCN": make_pipeline(projection, network)})
