"""What a study of linear networks will do: on which samples, with which networks."""

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np

from sklcnn.datasets.base import draw_entropy
from sklcnn.estimators import LinearNetworkClassifier
from sklcnn.studies.linear.samples import Norm, find_samples
from sklcnn.studies.tables import InvalidInputError
from sklcnn.theory import MaxMargin, max_margin

__all__ = [
    "ARCHITECTURES",
    "STEPS",
    "LinearPlan",
    "Network",
    "check_counts",
    "make_linear_plan",
    "norm_of",
]

ARCHITECTURES = ("full", "convolutional", "diagonal")
STEPS = ("loss_scaled", "prox_linear")  # gradient descent, and the flow that it follows
_BRIDGES = {"convolutional": "fourier_bridge", "diagonal": "bridge"}
_CONVEX = {"convolutional": "fourier_l1", "diagonal": "l1"}


class Network(NamedTuple):
    """A network that is to be trained."""

    architecture: str
    depth: int
    input_shape: tuple[int, ...]
    kernel_size: int | None  # None for that of the input
    init_scale: float
    seed: int
    step: str
    max_iter: int
    target_margin: float | None

    def estimator(self):
        """The network, not trained."""
        parameters = self._asdict()
        seed = parameters.pop("seed")
        return LinearNetworkClassifier(**parameters, device="cpu", random_state=seed)


@dataclass(frozen=True, eq=False)
class LinearPlan:
    """Samples, and the networks that are to be trained on them."""

    X: np.ndarray  # (n_samples, n_features)
    y: np.ndarray  # (n_samples,), -1 and 1
    input_shape: tuple[int, ...]
    references: dict[Norm, MaxMargin]  # of the convex norms
    depths: tuple[int, ...]
    scales: tuple[float, ...]
    kernel_sizes: tuple[int, ...]
    seeds: tuple[int, ...]
    draws: tuple[int, ...]  # of the signals of the last part
    settings: dict[str, Any]

    def networks(self):
        """Return networks of every architecture and depth, for the main part of the study."""
        return [
            self._network(architecture, depth, seed, step)
            for architecture in ARCHITECTURES
            for depth in self.depths
            for step in STEPS
            for seed in self.seeds
        ]

    def scaled_networks(self):
        """Return networks of two layers with other initial weights, up to the stated margin."""
        changes = {"target_margin": self.settings["scale_margin"]}
        return [
            self._network(architecture, 2, seed, **changes, init_scale=scale)
            for architecture in ARCHITECTURES
            for scale in self.scales
            for seed in self.seeds
        ]

    def narrow_networks(self):
        """Return convolutional networks of two layers, one for each width of their kernels."""
        return [
            self._network("convolutional", 2, seed, kernel_size=size)
            for size in self.kernel_sizes
            for seed in self.seeds
        ]

    def descent_of(self, network):
        """Return the network that gradient descent takes along the path of a flow."""
        return self._network(network.architecture, network.depth, network.seed, "loss_scaled")

    def _network(self, architecture, depth, seed, step="prox_linear", **changes):
        settings = self.settings
        follows_flow = step == "prox_linear"
        parts = {"input_shape": self.input_shape, "kernel_size": None}
        parts |= {"init_scale": settings["init_scale"], "max_iter": settings["max_iter"]}
        parts["target_margin"] = settings["target_margin"] if follows_flow else None
        return Network(architecture, depth, seed=seed, step=step, **parts | changes)


def norm_of(network):
    """Return the norm that theory has for a network."""
    shape, size = network.input_shape, network.kernel_size
    if size is not None:
        return Norm("kernel_width", shape, kernel_size=size)
    if network.depth == 1 or network.architecture == "full":
        return Norm("l2", shape)
    if network.depth == 2:
        return Norm(_CONVEX[network.architecture], shape)
    return Norm(_BRIDGES[network.architecture], shape, network.depth)


def make_linear_plan(
    *,
    input_shape=12,
    n_samples=4,
    depths=(1, 2, 3, 4),
    n_seeds=3,
    scales=(0.01, 0.03, 0.1, 0.3, 1.0, 3.0),
    kernel_sizes=None,
    init_scale=0.1,
    max_iter=2000,
    target_margin=1e8,
    scale_margin=100.0,
    min_power=0.3,
    min_waking=0.5,
    signal_shape=128,
    sizes=(4, 8, 16, 32, 64, 128),
    n_draws=6,
    random_state=0,
):
    """Check everything that was asked for; the parameters are those of ``linear_study``.

    Returns
    -------
    plan : LinearPlan
        What to do.
    """
    shape = _check_shape("input_shape", input_shape)
    signal_shape = _check_shape("signal_shape", signal_shape)
    check_counts("sizes", sizes, least=2, most=int(np.prod(signal_shape)))
    check_counts("n_draws", [n_draws])
    check_counts("n_samples", [n_samples], least=2)
    check_counts("depths", depths)
    check_counts("n_seeds", [n_seeds])
    check_counts("max_iter", [max_iter])
    _check_positive("scales", scales)
    for name, value in (("init_scale", init_scale), ("target_margin", target_margin)):
        _check_positive(name, [value])
    _check_positive("scale_margin", [scale_margin])
    if not 0 <= min_power < 1:
        raise InvalidInputError("min_power", f"{min_power!r} is not from 0 to below 1")
    if not 0 <= min_waking < np.inf:
        raise InvalidInputError("min_waking", f"{min_waking!r} is not a number of at least 0")
    if kernel_sizes is None:
        kernel_sizes = [2**n for n in range(min(shape)) if 2**n < min(shape)] + [min(shape)]
    check_counts("kernel_sizes", kernel_sizes, most=min(shape))
    entropy = draw_entropy(random_state)
    found = find_samples(entropy, n_samples, shape, min_power, min_waking)
    widths = [Norm("kernel_width", shape, kernel_size=size) for size in kernel_sizes]
    solutions = {norm: max_margin(found.X, found.y, **norm.arguments) for norm in widths}
    settings = {"init_scale": init_scale, "max_iter": max_iter, "target_margin": target_margin}
    settings |= {"scale_margin": scale_margin, "min_power": min_power, "min_waking": min_waking}
    settings |= {"input_shape": shape, "n_samples": n_samples, "draw": found.draw}
    settings |= {"powers": found.powers, "wakings": found.wakings}
    settings |= {"signal_shape": signal_shape, "sizes": tuple(sorted(set(sizes)))}
    settings |= {"n_draws": n_draws, "attacked_size": sorted(set(sizes))[len(set(sizes)) // 2]}
    return LinearPlan(
        X=found.X,
        y=found.y,
        input_shape=shape,
        references=found.references | solutions,
        depths=tuple(sorted(set(depths))),
        scales=tuple(sorted(set(scales))),
        kernel_sizes=tuple(sorted(set(kernel_sizes))),
        seeds=_seeds(entropy, n_seeds),
        draws=_seeds(entropy, n_draws),
        settings=settings,
    )


def _seeds(entropy, number):
    return tuple(np.random.SeedSequence(entropy).generate_state(number).tolist())


def _check_shape(parameter, asked):
    """Return the shape of a signal or of an image as a tuple."""
    shape = tuple(asked) if isinstance(asked, Sequence) else (asked,)
    check_counts(parameter, shape, least=2 if len(shape) == 1 else 1)
    if len(shape) > 2 or np.prod(shape) < 2:
        raise InvalidInputError(
            parameter,
            f"{asked!r} is not the length of a signal, or height and width of an image, with "
            "at least 2 features in all",
        )
    return shape


def check_counts(parameter, values, least=1, most=np.inf):
    """Raise InvalidInputError for what is not a whole number in range, naming the parameter."""
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
