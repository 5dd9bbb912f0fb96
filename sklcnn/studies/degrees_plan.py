"""What a study of the plane between FCN, LCN and CNN will do: cells, networks and fits."""

from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
from sklearn.base import clone

from sklcnn.estimators import LCNClassifier
from sklcnn.patches import (
    random_groups,
    region_groups,
    sharing_groups,
    stripe_groups,
    tiled_groups,
    window_grid,
)
from sklcnn.studies.curves import nested_order
from sklcnn.studies.fits import FitTask
from sklcnn.studies.plan import (
    BATCH_SIZE,
    MAX_VALIDATION,
    VALIDATION_SHARE,
    Plan,
    make_plan,
    n_epochs,
)
from sklcnn.studies.tables import InvalidInputError

__all__ = ["GROUPINGS", "LEARNING_RATES", "Cell", "DegreesPlan", "make_degrees_plan"]

GROUP_COUNTS = (1, 4, 16)
LEARNING_RATES = (0.0005, 0.002, 0.008, 0.032)
N_SEARCHES = 2  # draws of training samples on which learning rates are compared
GROUPINGS = {
    "regions": lambda grid, n_groups, seed: region_groups(grid, n_groups),
    "tiled": lambda grid, n_groups, seed: tiled_groups(grid, n_groups),
    "rows": lambda grid, n_groups, seed: stripe_groups(grid, n_groups, axis="rows"),
    "columns": lambda grid, n_groups, seed: stripe_groups(grid, n_groups, axis="columns"),
    "random": lambda grid, n_groups, seed: random_groups(int(np.prod(grid)), n_groups, seed),
}


@dataclass(frozen=True)
class Cell:
    """One network of the plane."""

    patch_size: int
    n_groups: int
    n_patches: int
    network: Any  # not fitted

    @property
    def key(self):
        """What tells it from the other cells."""
        return self.patch_size, self.n_groups


@dataclass(frozen=True)
class DegreesPlan:
    """A study that can be carried out."""

    samples: Plan  # samples, sizes, seeds
    cells: tuple[Cell, ...]
    learning_rates: tuple[float, ...]
    settings: dict[str, Any]

    @property
    def n_fits(self):
        """Fits of networks, search included."""
        n_search = N_SEARCHES * len(self.learning_rates) * len(self.samples.search_sizes)
        return len(self.cells) * (n_search + len(self.samples.sizes) * self.samples.n_repeats)

    def search_tasks(self):
        """Return the fits of the learning-rate search; keys are (cell, rate, n, draw)."""
        samples = self.samples
        fitting = np.setdiff1d(samples.pool, samples.validation)
        orders = [
            fitting[nested_order(samples.y[fitting], samples.fit_seed(0, draw))]
            for draw in range(N_SEARCHES)
        ]
        choices = product(self.cells, self.learning_rates, samples.search_sizes, range(N_SEARCHES))
        return [
            self._task(
                (cell.key, rate, n, draw), cell, orders[draw][:n], samples.validation, rate, draw
            )
            for cell, rate, n, draw in choices
        ]

    def score_tasks(self, rates):
        """Return the fits that are scored on the test set; keys are (cell, n, repeat).

        ``rates`` maps cells to learning rates. In one repeat all networks see the same samples, and
        larger sizes contain the smaller ones.
        """
        sets = list(self.samples.training_sets())
        return [
            self._task(
                (cell.key, n, repeat), cell, train, self.samples.test, rates[cell.key], repeat
            )
            for cell, (repeat, n, train) in product(self.cells, sets)
        ]

    def _task(self, key, cell, train, test, rate, repeat):
        network = clone(cell.network).set_params(
            learning_rate_init=rate,
            max_iter=n_epochs(len(train), self.samples.n_steps),
            random_state=self.samples.fit_seed(len(train), repeat),
        )
        return FitTask(key, network, self.samples.views["original"], self.samples.y, train, test)


def make_degrees_plan(
    X,
    y,
    *,
    X_test=None,
    y_test=None,
    input_shape=None,
    patch_sizes=None,
    stride=1,
    group_counts=None,
    grouping="regions",
    n_hidden=576,
    learning_rates=LEARNING_RATES,
    n_steps=500,
    sizes=None,
    repeats=5,
    random_state=0,
    device="auto",
    name="data",
):
    """Check everything that the study is given and lay out what it will do.

    Parameters
    ----------
    X, y, X_test, y_test, input_shape, patch_sizes, stride, group_counts, grouping, n_hidden
        As in :func:`sklcnn.studies.degrees_of_sharing`.
    learning_rates, n_steps, sizes, repeats, random_state, device, name
        As there, too.

    Returns
    -------
    plan : DegreesPlan
        What to do.

    Raises
    ------
    InvalidInputError
        If something cannot be; the error names the parameter.
    """
    n_train = len(X)
    X, y = _join(X, y, X_test, y_test)
    options = {"n_steps": n_steps, "repeats": repeats, "random_state": random_state}
    options |= {"device": device, "name": name, "input_shape": input_shape}
    drawn = sizes if X_test is None else None  # those of a given split are checked against it
    samples = make_plan(X, y, patch_size=1, sizes=drawn, **options)
    samples = replace(samples, views={"original": samples.views["original"]}, networks={})
    if X_test is not None:
        samples = _split(samples, n_train, sizes)
    settings = {"input_shape": samples.geometry["input_shape"], "grouping": grouping}
    (settings["stride"],) = _check_counts("stride", (stride,))
    (settings["n_hidden"],) = _check_counts("n_hidden", (n_hidden,))
    if grouping not in GROUPINGS:
        raise InvalidInputError("grouping", f"'{grouping}' is none of {', '.join(GROUPINGS)}")
    counts = GROUP_COUNTS if group_counts is None else group_counts
    settings["group_counts"] = _check_counts("group_counts", (1, *counts))
    cells = [
        cell
        for patch_size in _check_patch_sizes(patch_sizes, max(settings["input_shape"][-2:]))
        for cell in _cells(patch_size, settings, samples.seed, device)
    ]
    settings["group_counts"] = _check_used(group_counts, settings, cells)
    return DegreesPlan(samples, tuple(cells), _check_rates(learning_rates), settings)


def _check_used(asked, settings, cells):
    """Return the numbers of groups that some patch size has; those asked for must be there."""
    there = {cell.n_groups for cell in cells if cell.n_groups < cell.n_patches}
    if asked is not None and (missing := sorted({*asked} - there - {1})):
        message = f"no patch size has windows that can be put into {missing[0]} "
        raise InvalidInputError("group_counts", message + settings["grouping"])
    return tuple(count for count in settings["group_counts"] if count in there)


def _join(X, y, X_test, y_test):
    """Put training and test samples below each other."""
    if (X_test is None) != (y_test is None):
        raise InvalidInputError("X_test", "needs y_test, and y_test needs it")
    if X_test is None:
        return X, y
    parts = np.asarray(X), np.asarray(X_test)
    if parts[0].shape[1:] != parts[1].shape[1:]:
        message = f"samples of shape {parts[1].shape[1:]}, but those of X are {parts[0].shape[1:]}"
        raise InvalidInputError("X_test", message)
    return np.concatenate(parts), np.concatenate([np.asarray(y), np.asarray(y_test)])


def _split(samples, n_train, sizes):
    """Let the last rows be the test set, in the place of a random share."""
    pool, test = np.split(np.arange(len(samples.y)), [n_train])
    order = pool[nested_order(samples.y[pool], samples.fit_seed(0, 0))]
    validation = np.sort(order[: min(round(VALIDATION_SHARE * n_train), MAX_VALIDATION)])
    if sizes is None:
        sizes = [n for n in samples.sizes if n <= n_train] or [n_train]
    sizes = _check_counts("sizes", sizes)
    least, most = int(samples.y.max()) + 1, n_train
    if not sizes or sizes[0] < least or sizes[-1] > most:
        message = f"{sizes} must lie between the number of classes, {least}, and that of X, {most}"
        raise InvalidInputError("sizes", message)
    return replace(samples, pool=pool, test=test, validation=validation, sizes=sizes)


def _check_counts(parameter, values):
    """Return positive whole numbers, in increasing order and each once."""
    for value in values:
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
            raise InvalidInputError(parameter, f"{value} is not a positive whole number")
    return tuple(sorted({int(value) for value in values}))


def _check_patch_sizes(patch_sizes, longest):
    """Return patch sizes that end with the whole input, which is the fully connected network."""
    if patch_sizes is None:
        patch_sizes = [2**power for power in range(longest.bit_length()) if 2**power < longest]
    patch_sizes = _check_counts("patch_sizes", (*patch_sizes, longest))
    if patch_sizes[-1] > longest:
        message = f"{patch_sizes[-1]} is larger than the input, {longest}"
        raise InvalidInputError("patch_sizes", message)
    if len(patch_sizes) < 2:
        raise InvalidInputError("patch_sizes", "needs one that is smaller than the input")
    return patch_sizes


def _check_rates(rates):
    if not len(rates) or not all(np.isfinite(rate) and rate > 0 for rate in rates):
        raise InvalidInputError("learning_rates", f"{rates} are not positive numbers")
    return tuple(sorted({float(rate) for rate in rates}))


def _cells(patch_size, settings, seed, device):
    """Return the networks of one patch size, from full sharing to none."""
    stride = min(settings["stride"], patch_size)
    window = {"input_shape": settings["input_shape"], "patch_size": patch_size, "stride": stride}
    try:
        grid = window_grid(**window)
    except ValueError as error:
        raise InvalidInputError("stride", str(error)) from None
    n_patches, n_hidden = int(np.prod(grid)), settings["n_hidden"]
    if n_patches > n_hidden:
        message = f"{n_hidden} is fewer than one for each of {n_patches} windows of {patch_size}"
        raise InvalidInputError("n_hidden", message)
    network = LCNClassifier(
        round(n_hidden / n_patches), **window, batch_size=BATCH_SIZE, tol=None, device=device
    )
    return [
        Cell(patch_size, n_groups, n_patches, clone(network).set_params(filter_groups=groups))
        for n_groups, groups in _groups(grid, settings, seed)
    ]


def _groups(grid, settings, seed):
    """Yield numbers of groups and the groups themselves, those that the grid allows."""
    n_patches = int(np.prod(grid))
    for n_groups in settings["group_counts"]:
        if n_groups < n_patches:
            try:
                yield n_groups, GROUPINGS[settings["grouping"]](grid, n_groups, seed)
            except ValueError:
                continue  # this grid cannot be cut into so many
    yield n_patches, sharing_groups(n_patches)
