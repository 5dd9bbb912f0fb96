"""Samples on which two-layer networks are quick, and the norms whose solutions they have."""

from collections import Counter
from typing import NamedTuple

import numpy as np

from sklcnn.studies.tables import InvalidInputError
from sklcnn.theory import ConvergencePower, MaxMargin, convergence_power, max_margin
from sklcnn.theory.linear_networks.penalties import find_norm

__all__ = ["Norm", "Sampled", "find_samples", "waking_gap"]

_MOST_DRAWS = 6000


class Norm(NamedTuple):
    """A norm of predictors, as the functions of `sklcnn.theory` take it."""

    name: str
    input_shape: tuple[int, ...]
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
        sizes = {"input_shape": self.input_shape, "kernel_size": self.kernel_size}
        return {"norm": self.name, "depth": self.depth} | sizes

    @property
    def coordinates(self):
        """Coefficients or frequencies, in the groups that the norm takes together."""
        return find_norm(**self.arguments, n_features=int(np.prod(self.input_shape))).coordinates


class Sampled(NamedTuple):
    """Samples, the solutions on them, and the numbers that say how quick networks are."""

    draw: int
    X: np.ndarray  # (n_samples, n_features)
    y: np.ndarray  # (n_samples,), -1 and 1
    references: dict[Norm, MaxMargin]
    powers: dict[str, ConvergencePower]  # by the name of the norm
    wakings: dict[str, float]


def find_samples(entropy, n_samples, input_shape, min_power, min_waking):
    """Return the first draw of standard normal samples on which networks are quick enough.

    The label of a normal sample means nothing, since its negative is as likely: they alternate.

    Parameters
    ----------
    entropy : int
        Seeds the draws.
    n_samples : int
        Number of samples.
    input_shape : tuple of int
        (length,) or (height, width).
    min_power, min_waking : float
        Least power of convergence and least waking gap, in "l1" and in "fourier_l1".

    Returns
    -------
    found : Sampled
        With the solutions for "l2", "l1" and "fourier_l1".

    Raises
    ------
    InvalidInputError
        If no draw is quick enough; it names the first condition that none of them meets.
    """
    y = np.where(np.arange(n_samples) % 2, -1, 1)
    size = (n_samples, int(np.prod(input_shape)))
    failed = Counter()  # draws by the parameter whose condition they fail first
    for draw in range(_MOST_DRAWS):
        X = np.random.default_rng([entropy, draw]).standard_normal(size)
        found = _solve(draw, X, y, input_shape, min_power, min_waking)
        if isinstance(found, Sampled):
            return found
        failed[found] += 1
    raise _no_samples(failed, size, min_power, min_waking)


def _no_samples(failed, size, min_power, min_waking):
    """Return the error that names the first condition that no draw meets."""
    text = f"of {_MOST_DRAWS:,} draws of {size[0]} samples with {size[1]} features "
    separable = _MOST_DRAWS - failed["n_samples"]
    if not separable:
        return InvalidInputError("n_samples", text + "none is separable; fewer samples may do")
    text += f"{separable:,} are separable, " if failed["n_samples"] else "all are separable, "
    powerful, power = separable - failed["min_power"], f"powers of at least {min_power:g}"
    if not powerful:
        return InvalidInputError("min_power", f"{text}none has {power}; a smaller number may do")
    text += f"{powerful:,} of them have {power}, none of those has waking gaps of at least "
    return InvalidInputError("min_waking", f"{text}{min_waking:g}; a smaller number may do")


def _solve(draw, X, y, input_shape, min_power, min_waking):
    """Solutions and numbers, or the parameter whose condition fails; the cheapest come first."""
    norms = [Norm("l1", input_shape), Norm("fourier_l1", input_shape)]
    references, powers, wakings = {}, {}, {}
    for norm in norms:
        try:
            references[norm] = max_margin(X, y, **norm.arguments)
        except ValueError:  # not separable
            return "n_samples"
        found = {"input_shape": input_shape, "solution": references[norm]}
        powers[norm.name] = convergence_power(X, y, norm.name, **found)
        if powers[norm.name].power < min_power:
            return "min_power"
    for norm in norms:
        wakings[norm.name] = waking_gap(X, y, norm, references[norm])
        if wakings[norm.name] < min_waking:
            return "min_waking"
    plain = Norm("l2", input_shape)
    references[plain] = max_margin(X, y, **plain.arguments)
    return Sampled(draw, X, y, references, powers, wakings)


def waking_gap(X, y, norm, solution):
    """Return by how much the dual vector exceeds 1 at a coefficient that is left out, at least.

    One coefficient of the solution, or one frequency, is held at zero, and the problem is solved
    again: the dual vector is at most 1 elsewhere, and above 1 there. A two-layer network in which
    all but this one are awake wakes it up like the margin to the power of that excess.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Samples.
    y : ndarray of shape (n_samples,)
        Labels, -1 or 1.
    norm : Norm
        "l1" or "fourier_l1".
    solution : MaxMargin
        In this norm.

    Returns
    -------
    gap : float
        Least excess; infinite if no predictor does without any of them.
    """
    coordinates = norm.coordinates
    samples = coordinates.forward(X * y[:, None])  # (n_samples, n_features)
    needed = np.unique(coordinates.group[solution.support])
    return min(_excess(samples, coordinates, group, norm) for group in needed)


def _excess(samples, coordinates, group, norm):
    """Amplitude of the dual vector at a group that is left out, less 1."""
    without = np.where(coordinates.group == group, 0, samples)
    ones = np.ones(len(samples))
    try:
        solution = max_margin(coordinates.backward(without), ones, **norm.arguments)
    except ValueError:  # not separable
        return np.inf
    return float(coordinates.amplitudes(solution.dual_coef @ samples)[group] - 1)
