"""What a comparison will do: networks, samples and sizes, all checked before it starts."""

from dataclasses import dataclass
from itertools import product
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.utils import check_random_state

from sklcnn.estimators import CNNClassifier, FCNClassifier, LCNClassifier
from sklcnn.patches import sliding_windows
from sklcnn.studies.curves import log_sizes, nested_order
from sklcnn.studies.fits import FitTask
from sklcnn.studies.tables import InvalidInputError, check_features, check_labels
from sklcnn.training import resolve_device

__all__ = ["INGREDIENTS", "Ingredient", "Plan", "make_plan", "n_epochs"]

LEARNING_RATES = (0.004, 0.02, 0.1)
BATCH_SIZE = 64
N_STEPS = 250  # gradient steps of a fit, whatever its size ...
MIN_EPOCHS = 5  # ... and no sample is seen less often than this
MAX_HIDDEN = 256  # of the fully connected network
TEST_SHARE, MAX_TEST = 0.3, 5000
VALIDATION_SHARE, MAX_VALIDATION = 0.25, 2000
MIN_PER_CLASS = 4  # one for the test, one for the validation, two to train on


@dataclass(frozen=True)
class Ingredient:
    """An inductive bias, as the step from one network to the next."""

    name: str
    family: str  # has it
    without: str  # lacks it, and is equal otherwise


INGREDIENTS = (
    Ingredient("locality", "LCN", "FCN"),
    Ingredient("sharing", "CNN", "LCN"),
    Ingredient("translation invariance", "pooled CNN", "CNN"),
)


@dataclass(frozen=True)
class Plan:
    """A comparison that can be carried out."""

    name: str
    views: dict[str, np.ndarray]  # control -> X, (n_samples, n_features)
    y: np.ndarray  # class codes, (n_samples,)
    networks: dict[str, Any]  # family -> estimator
    sizes: tuple[int, ...]
    n_repeats: int
    n_steps: int | None  # of every fit; None: N_STEPS
    seed: int
    test: np.ndarray  # rows of the fixed test set
    pool: np.ndarray  # all other rows
    validation: np.ndarray  # rows of the pool on which learning rates are compared
    geometry: dict[str, Any]  # input_shape, patch_size, stride, n_patches

    @property
    def search_sizes(self):
        """Sizes at which learning rates are compared: the smallest, a middle and the largest."""
        most = len(self.pool) - len(self.validation)
        chosen = self.sizes[0], self.sizes[len(self.sizes) // 2], self.sizes[-1]
        return tuple(sorted({min(n, most) for n in chosen}))

    @property
    def n_fits(self):
        """Fits of networks, search included."""
        n_networks = len(self.networks) * len(self.views)
        n_search = len(LEARNING_RATES) * len(self.search_sizes)
        return n_networks * (n_search + len(self.sizes) * self.n_repeats)

    def search_tasks(self):
        """Return the fits of the learning-rate search; keys are (control, family, rate, n)."""
        fitting = np.setdiff1d(self.pool, self.validation)
        order = fitting[nested_order(self.y[fitting], self.fit_seed(0, 0))]
        return [
            self._task((control, family, rate, n), order[:n], self.validation, rate, 0)
            for n, family, control, rate in product(
                self.search_sizes[::-1], self.networks, self.views, LEARNING_RATES
            )
        ]

    def curve_tasks(self, rates):
        """Return the fits of the learning curves; keys are (control, family, n, repeat).

        ``rates`` maps (control, family) to a learning rate. In one repeat all networks see the same
        samples, and larger sizes contain the smaller ones.
        """
        return [
            self._task((*pair, n, repeat), train, self.test, rates[pair], repeat)
            for repeat, n, train in self.training_sets()
            for pair in product(self.views, self.networks)
        ]

    def training_sets(self):
        """Yield (repeat, n, rows) of every training set, large ones first."""
        for repeat in range(self.n_repeats):
            order = self.pool[nested_order(self.y[self.pool], self.fit_seed(0, repeat))]
            for n in self.sizes[::-1]:
                yield repeat, n, order[:n]

    def fit_seed(self, n, repeat):
        """Return the seed of all networks of one size and repeat; size 0 draws the samples."""
        return int(np.random.SeedSequence([self.seed, repeat, n]).generate_state(1)[0] >> 1)

    def _task(self, key, train, test, rate, repeat):
        control, family = key[:2]
        network = clone(self.networks[family]).set_params(
            learning_rate_init=rate,
            max_iter=n_epochs(len(train), self.n_steps),
            random_state=self.fit_seed(len(train), repeat),
        )
        return FitTask(key, network, self.views[control], self.y, train, test)


def n_epochs(n, n_steps=None):
    """Epochs that make up the same number of gradient steps for every training size."""
    n_steps = N_STEPS if n_steps is None else n_steps
    return max(MIN_EPOCHS, round(n_steps / np.ceil(n / BATCH_SIZE)))


def make_plan(
    X,
    y,
    *,
    input_shape=None,
    patch_size=3,
    stride=1,
    n_filters=16,
    n_steps=None,
    sizes=None,
    repeats=5,
    random_state=0,
    device="auto",
    name="data",
    columns=None,
):
    """Check everything that a comparison is given and lay out what it will do.

    Parameters
    ----------
    X, y, input_shape, patch_size, stride, n_filters, n_steps
        As in :func:`sklcnn.compare`.
    sizes, repeats, random_state, device, name
        As there, too.
    columns : sequence of str or None, default=None
        Names of the features, for messages.

    Returns
    -------
    plan : Plan
        What to do.

    Raises
    ------
    InvalidInputError
        If something cannot be; the error names the parameter.
    """
    for parameter, value in (("patch_size", patch_size), ("stride", stride)):
        _check_count(parameter, value)
    _check_count("repeats", repeats)
    _check_count("n_filters", n_filters)
    if n_steps is not None:
        _check_count("n_steps", n_steps)
    _check_device(device)
    if input_shape is None and np.ndim(X) > 2:
        if np.ndim(X) > 4:
            raise InvalidInputError("X", f"shape {np.shape(X)}; at most three axes after the first")
        input_shape = np.shape(X)[1:]
    X = check_features(X, columns)
    _, y = np.unique(check_labels(y, len(X), MIN_PER_CLASS), return_inverse=True)
    geometry = _check_geometry(X.shape[1], input_shape, patch_size, stride)

    seed = int(check_random_state(random_state).randint(2**31 - 1))
    rng = check_random_state(seed)
    test, pool = _cut(np.arange(len(y)), y, TEST_SHARE, MAX_TEST, rng)
    validation, _ = _cut(pool, y, VALIDATION_SHARE, MAX_VALIDATION, rng)
    return Plan(
        name=name,
        views={"original": X, "permuted": X[:, rng.permutation(X.shape[1])]},
        y=y,
        networks=_networks(geometry, n_filters, device),
        sizes=_check_sizes(sizes, len(pool), y.max() + 1),
        n_repeats=repeats,
        n_steps=n_steps,
        seed=seed,
        test=test,
        pool=pool,
        validation=validation,
        geometry=geometry,
    )


def _networks(geometry, n_filters, device):
    """The four networks; each adds one ingredient to the one before."""
    common = {"batch_size": BATCH_SIZE, "tol": None, "device": device}
    common["input_shape"] = geometry["input_shape"]
    windows = {key: geometry[key] for key in ("patch_size", "stride")}
    hidden = min(MAX_HIDDEN, n_filters * geometry["n_patches"])
    return {
        "FCN": FCNClassifier(hidden, **common),
        "LCN": LCNClassifier(n_filters, **windows, **common),
        "CNN": CNNClassifier(n_filters, **windows, **common),
        "pooled CNN": CNNClassifier(n_filters, pooling="mean", **windows, **common),
    }


def _cut(rows, y, share, most, rng):
    """Cut a stratified share, at most so many rows, off some rows; return it and the rest."""
    order = rows[nested_order(y[rows], rng)]
    n_cut = max(len(np.unique(y)), min(round(share * len(rows)), most))
    return np.sort(order[:n_cut]), np.sort(order[n_cut:])


def _check_count(parameter, value):
    if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
        raise InvalidInputError(parameter, f"{value} is not a positive whole number")


def _check_device(device):
    try:
        resolve_device(device)
    except ValueError:
        known = "auto, cpu, cuda, cuda:1 and mps"
        message = f"'{device}' is not available here; known are {known}"
        raise InvalidInputError("device", message) from None


def _check_geometry(n_features, input_shape, patch_size, stride):
    """Return the windows' geometry if they fit the input and see all of it."""
    shape = (n_features,) if input_shape is None else tuple(np.atleast_1d(input_shape).tolist())
    if len(shape) > 3:
        raise InvalidInputError("input_shape", f"{shape} has more than three sides")
    for side in shape:
        _check_count("input_shape", side)
    size = " x ".join(map(str, shape))
    if np.prod(shape) != n_features:
        raise InvalidInputError(
            "input_shape", f"{size} makes {np.prod(shape)} features, but the data have {n_features}"
        )
    sides = [side for side in shape[-2:] if side > 1] or [1]
    if patch_size > min(sides):
        raise InvalidInputError("patch_size", f"{patch_size} is larger than the input, {size}")
    try:
        n_patches = len(sliding_windows(shape, patch_size, stride))
    except ValueError:
        fitting = [s for s in range(1, patch_size + 1) if _covers(shape, patch_size, s)]
        raise InvalidInputError(
            "stride",
            f"{stride} leaves features of the input, {size}, unseen by windows of {patch_size}; "
            f"{' or '.join(map(str, fitting[-3:]))} would not",
        ) from None
    return {
        "input_shape": shape,
        "patch_size": patch_size,
        "stride": stride,
        "n_patches": n_patches,
    }


def _covers(shape, patch_size, stride):
    try:
        sliding_windows(shape, patch_size, stride)
    except ValueError:
        return False
    return True


def _check_sizes(sizes, n_pool, n_classes):
    """Return increasing training sizes that the data can fill."""
    if sizes is None:
        largest = round(0.8 * n_pool)  # so that repeats at the largest size differ
        smallest = max(n_classes, min(max(20, 2 * n_classes), largest // 4))
        doublings = np.log2(largest / smallest)
        return log_sizes(smallest, largest, int(np.clip(round(doublings) + 1, 2, 7)))
    sizes = np.atleast_1d(sizes).tolist()
    if not sizes:
        raise InvalidInputError("sizes", "no size is given")
    for n in sizes:
        _check_count("sizes", n)
    if max(sizes) > n_pool:
        raise InvalidInputError(
            "sizes",
            f"{max(sizes)} training samples are more than the data hold; besides the test set at "
            f"most {n_pool} are left",
        )
    if min(sizes) < n_classes:
        raise InvalidInputError(
            "sizes", f"a training set of {min(sizes)} cannot hold all {n_classes} classes"
        )
    return tuple(sorted(set(sizes)))
