"""What a study of linear networks will do: on which samples, with which networks."""

from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np

from sklcnn.datasets.base import draw_entropy
from sklcnn.estimators import LinearNetworkClassifier
from sklcnn.studies.tables import InvalidInputError
from sklcnn.theory import MaxMargin, max_margin

__all__ = ["ARCHITECTURES", "LinearPlan", "Network", "Norm", "make_linear_plan", "norm_of"]

ARCHITECTURES = ("full", "convolutional", "diagonal")
_MOST_DRAWS = 3000
_BRIDGES = {"convolutional": "fourier_bridge", "diagonal": "bridge"}
_CONVEX = {"convolutional": "fourier_l1", "diagonal": "l1"}


class Norm(NamedTuple):
    """A norm of predictors, as the functions of `sklcnn.theory` take it."""

    name: str
    depth: int = 2
    kernel_size: int | None = None

    @property
    def label(self):
        """For example "fourier_l1", or "bridge 3" at depth 3."""
        return f"{self.name} {self.depth}" if self.name.endswith("bridge") else self.name

    @property
    def is_convex(self):
        """Whether one solution is all there is to find."""
        return not self.name.endswith("bridge")

    @property
    def arguments(self):
        """Of the functions of `sklcnn.theory`."""
        return {"norm": self.name, "depth": self.depth, "kernel_size": self.kernel_size}


class Network(NamedTuple):
    """A network that is to be trained."""

    architecture: str
    depth: int
    kernel_size: int | None  # None for that of the input
    init_scale: float
    seed: int

    def estimator(self, max_iter):
        """The network, not trained."""
        return LinearNetworkClassifier(
            self.architecture,
            self.depth,
            kernel_size=self.kernel_size,
            init_scale=self.init_scale,
            max_iter=max_iter,
            device="cpu",
            random_state=self.seed,
        )


@dataclass(frozen=True, eq=False)
class LinearPlan:
    """Samples, and the networks that are to be trained on them."""

    X: np.ndarray  # (n_samples, n_features)
    y: np.ndarray  # (n_samples,), -1 and 1
    references: dict[Norm, MaxMargin]  # of the convex norms
    depths: tuple[int, ...]
    scales: tuple[float, ...]
    kernel_sizes: tuple[int, ...]
    seeds: tuple[int, ...]
    settings: dict[str, Any]

    def networks(self):
        """Return networks of every architecture and depth, for the main part of the study."""
        scale = self.settings["init_scale"]
        return [
            Network(architecture, depth, None, scale, seed)
            for architecture in ARCHITECTURES
            for depth in self.depths
            for seed in self.seeds
        ]

    def scaled_networks(self):
        """Return networks of two layers with other initial weights."""
        return [
            Network(architecture, 2, None, scale, seed)
            for architecture in ARCHITECTURES
            for scale in self.scales
            for seed in self.seeds
        ]

    def narrow_networks(self):
        """Return convolutional networks of two layers, one for each width of their kernels."""
        scale = self.settings["init_scale"]
        return [
            Network("convolutional", 2, size, scale, seed)
            for size in self.kernel_sizes
            for seed in self.seeds
        ]


def norm_of(network):
    """Return the norm that theory has for a network."""
    if network.kernel_size is not None:
        return Norm("kernel_width", kernel_size=network.kernel_size)
    if network.depth == 1 or network.architecture == "full":
        return Norm("l2")
    if network.depth == 2:
        return Norm(_CONVEX[network.architecture])
    return Norm(_BRIDGES[network.architecture], network.depth)


def make_linear_plan(
    *,
    n_features=16,
    n_samples=5,
    depths=(1, 2, 3, 4),
    n_seeds=3,
    scales=(0.01, 0.03, 0.1, 0.3, 1.0, 3.0),
    kernel_sizes=None,
    init_scale=0.1,
    max_iter=2000,
    scale_margin=100.0,
    min_delta=0.3,
    random_state=0,
):
    """Check everything that was asked for; the parameters are those of ``linear_study``.

    Returns
    -------
    plan : LinearPlan
        What to do.
    """
    _check_counts("n_features", [n_features], least=2)
    _check_counts("n_samples", [n_samples], least=2)
    _check_counts("depths", depths)
    _check_counts("n_seeds", [n_seeds])
    _check_counts("max_iter", [max_iter])
    _check_positive("scales", scales)
    _check_positive("init_scale", [init_scale])
    _check_positive("scale_margin", [scale_margin])
    if not 0 <= min_delta < 1:
        raise InvalidInputError("min_delta", f"{min_delta!r} is not from 0 to below 1")
    if kernel_sizes is None:
        kernel_sizes = [2**n for n in range(n_features) if 2**n < n_features] + [n_features]
    _check_counts("kernel_sizes", kernel_sizes, most=n_features)
    entropy = draw_entropy(random_state)
    draw, X, y, references = _find_samples(entropy, n_samples, n_features, min_delta)
    for size in kernel_sizes:
        norm = Norm("kernel_width", kernel_size=size)
        references[norm] = max_margin(X, y, **norm.arguments)
    settings = {"init_scale": init_scale, "max_iter": max_iter, "scale_margin": scale_margin}
    settings |= {"draw": draw, "min_delta": min_delta, "n_features": n_features}
    settings |= {"n_samples": n_samples, "depths": tuple(sorted(set(depths)))}
    return LinearPlan(
        X=X,
        y=y,
        references=references,
        depths=settings["depths"],
        scales=tuple(sorted(set(scales))),
        kernel_sizes=tuple(sorted(set(kernel_sizes))),
        seeds=tuple(np.random.SeedSequence(entropy).generate_state(n_seeds).tolist()),
        settings=settings,
    )


def _find_samples(entropy, n_samples, n_features, min_delta):
    """Return the first draw whose dual gaps are large enough, and the solutions on it.

    The label of a normal sample means nothing, since its negative is as likely: they alternate.
    """
    y = np.where(np.arange(n_samples) % 2, -1, 1)
    for draw in range(_MOST_DRAWS):
        X = np.random.default_rng([entropy, draw]).standard_normal((n_samples, n_features))
        references = _solve(X, y, min_delta)
        if references is not None:
            return draw, X, y, references
    raise InvalidInputError(
        "n_samples",
        f"none of {_MOST_DRAWS:,} draws of {n_samples} samples with {n_features} features is "
        f"separable with dual gaps of at least {min_delta:g}; fewer samples may be",
    )


def _solve(X, y, min_delta):
    """Solutions of the convex norms, or None if a dual gap is too small."""
    references = {}
    for name in ("l1", "fourier_l1"):  # the cheaper one first
        try:
            solution = max_margin(X, y, name)
        except ValueError:  # not separable
            return None
        if not solution.delta >= min_delta:  # NaN if nothing vanishes
            return None
        references[Norm(name)] = solution
    return references | {Norm("l2"): max_margin(X, y, "l2")}


def _check_counts(parameter, values, least=1, most=np.inf):
    for value in values:
        whole = isinstance(value, Integral) and not isinstance(value, bool)
        if not whole or not least <= value <= most:
            ends = f"of at least {least}" if most == np.inf else f"from {least} to {most}"
            raise InvalidInputError(parameter, f"{value!r} is not a whole number {ends}")
    if not len(values):
        raise InvalidInputError(parameter, "at least one is needed")


def _check_positive(parameter, values):
    for value in values:
        if not isinstance(value, Real) or not 0 < value < np.inf:
            raise InvalidInputError(parameter, f"{value!r} is not a positive number")
    if not len(values):
        raise InvalidInputError(parameter, "at least one is needed")
