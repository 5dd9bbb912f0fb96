"""How good are the networks on images and signals, against each other and ``MLPClassifier``?

Two tables, each with the accuracy on test samples (mean and standard deviation over seeds), the
seconds of one fit, and the trained parameters. A seed draws the training and test samples (not of
``--images``, which come with a test set), the initial weights and the mini-batches.

* Equal budget: on one data set every network sees the same inputs, centered and scaled by one mean
  and one deviation of the training set, and makes the same number of Adam steps on mini-batches of
  32. The learning rate of each is the best of three on a quarter of the training set of the first
  seed (of its first 2,000 samples; of fewer than 1,000, on three such quarters). A row with shifts
  takes that of the row without.
* First try: at most 500 training samples, default parameters, raw inputs as they come out of the
  loaders (brightness from 0 to 1). The local networks are told ``input_shape``, and two hidden
  layers are asked for by ``n_filters``.

Data: scikit-learn's digits; 40 classes of smooth small pictures with 5 training images each
("blobs"), and the same moved by up to four pixels ("moved"); signals that hold one of four
templates at any place ("templates"); with ``--images`` an NPZ file of color images.

Run: ``python benchmarks/bench_accuracy.py [--seeds 5] [--images FILE.npz] [--data ...] [--quick]``
"""

import argparse
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, StratifiedShuffleSplit, train_test_split
from sklearn.neural_network import MLPClassifier

import sklcnn
from sklcnn import CNNClassifier, FCNClassifier, LCNClassifier
from sklcnn.datasets import (
    load_digit_images,
    load_npz_images,
    make_blob_images,
    make_translated_templates,
    translate_images,
)

RATES = (0.0005, 0.002, 0.008)
N_SEARCHED = 2000  # training samples that the search for a rate sees, at most
BATCH_SIZE = 32
N_FIRST = 500  # training samples of the first try, at most
HALVES = {"padding": "same", "pooling": "max", "pool_size": 2}  # the map, after every layer


@dataclass(frozen=True)
class Sample:
    """A training and a test set."""

    X_train: np.ndarray
    y_train: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray

    @property
    def standardized(self):
        """The same, centered and scaled by one mean and one deviation for all features."""
        mean, deviation = self.X_train.mean(), self.X_train.std()
        X_train, X_test = ((X - mean) / deviation for X in (self.X_train, self.X_test))
        return Sample(X_train, self.y_train, X_test, self.y_test)

    def first(self, n_train):
        """The same with fewer training samples."""
        return Sample(self.X_train[:n_train], self.y_train[:n_train], self.X_test, self.y_test)


@dataclass(frozen=True)
class Task:
    """Data, and what the networks are told about them."""

    draw: Callable  # from a seed to a Sample
    input_shape: tuple
    epochs: int
    shift: int  # of the rows with shifts
    lcn: dict  # what the local networks are like; an LCN has filters of its own at every place
    cnn: dict


# data


def split(X, y, n_train, seed):
    """Split samples into a stratified training set of a given size and a test set."""
    X_train, X_test, y_train, y_test = train_test_split(
        X.astype(np.float32), y, train_size=n_train, stratify=y, random_state=seed
    )
    return Sample(X_train, y_train, X_test, y_test)


def draw_digits(seed):
    return split(*load_digit_images(return_X_y=True), 1347, seed)


def draw_blobs(seed):
    return split(*make_blob_images(n_samples=1200, n_classes=40, random_state=seed), 200, seed)


def draw_moved(seed):
    X, y = make_blob_images(n_samples=1200, n_classes=40, random_state=seed)
    moved = translate_images(X, (32, 32), max_shift=4, border="edge", random_state=seed)
    return split(moved, y, 200, seed)


def draw_templates(seed):
    templates = np.random.default_rng(0).standard_normal((4, 12))
    templates /= np.linalg.norm(templates, axis=1, keepdims=True)
    signals = {"n_features": 100, "template_size": 12, "n_classes": 4, "noise": 0.2}
    signals["templates"] = templates
    return split(
        *make_translated_templates(n_samples=3000, **signals, random_state=seed), 1000, seed
    )


@lru_cache
def read_images(path):
    train, test = (load_npz_images(path, subset=subset) for subset in ("train", "test"))
    return Sample(train.data, train.target, test.data, test.target), train.input_shape


def make_tasks(path):
    """All data sets by name."""
    narrow, wide = {"n_filters": (8, 16), **HALVES}, {"n_filters": (16, 32), **HALVES}
    windows = {"n_filters": 16, "patch_size": 8, "stride": 4}
    signals = {"patch_size": (9, 3), "pool_size": (2, None)}
    tasks = {
        "digits": Task(draw_digits, (8, 8), 30, 1, narrow, wide),
        "blobs": Task(draw_blobs, (32, 32), 60, 2, windows, narrow | {"patch_size": 5}),
        "moved": Task(
            draw_moved, (32, 32), 60, 4, windows, wide | {"patch_size": 5, "pool_size": (2, 4)}
        ),
        "templates": Task(draw_templates, (100,), 30, 4, narrow | signals, wide | signals),
    }
    if path is not None:
        sample, shape = read_images(path)
        coarse = narrow | {"patch_size": (5, 3), "stride": (2, 1)}
        deep = {"n_filters": (16, 32, 64), **HALVES}
        tasks["images"] = Task(lambda seed: sample, shape, 15, 2, coarse, deep)
    return tasks


# networks


def equal_budget(task):
    """Networks by name; those with shifts name the one whose learning rate they take."""
    common = {"batch_size": BATCH_SIZE, "max_iter": task.epochs}
    ours = {**common, "tol": None}
    shape = {"input_shape": task.input_shape}
    shifts = {"augment_shift": task.shift}
    mlp = MLPClassifier(100, n_iter_no_change=task.epochs, **common)
    cnn = CNNClassifier(**task.cnn, **shape, **ours)
    return {
        "MLP 100": (mlp, None),
        "FCN 100": (FCNClassifier(100, **ours), None),
        "FCN 100-50": (FCNClassifier((100, 50), **ours), None),
        "LCN": (LCNClassifier(**task.lcn, **shape, **ours), None),
        "CNN": (cnn, None),
        "FCN 100 shifts": (FCNClassifier(100, **shape, **shifts, **ours), "FCN 100"),
        "CNN shifts": (clone(cnn).set_params(**shifts), "CNN"),
    }


def first_try(task):
    """Networks by name, with default parameters."""
    shape = {"input_shape": task.input_shape}
    return {
        "MLP": MLPClassifier(),
        "FCN": FCNClassifier(),
        "FCN 100-50": FCNClassifier((100, 50)),
        "LCN": LCNClassifier(**shape),
        "CNN": CNNClassifier(**shape),
        "CNN 16-32": CNNClassifier((16, 32), **shape),
    }


# the two tables


def choose_rate(network, sample):
    """The best of a few learning rates on held-out training samples."""
    n_splits = 3 if len(sample.X_train) < 1000 else 1
    splits = StratifiedShuffleSplit(n_splits, test_size=0.25, random_state=0)
    search = GridSearchCV(
        clone(network).set_params(random_state=0),
        {"learning_rate_init": RATES},
        cv=splits,
        refit=False,
    )
    with sklcnn.fleet():
        search.fit(sample.X_train, sample.y_train)
    return search.best_params_["learning_rate_init"]


def fit_seeds(network, samples):
    """Test accuracy and seconds of a fit for every seed, and the parameters of the last network."""
    accuracies, seconds = [], []
    for seed, sample in enumerate(samples):
        fitted = clone(network).set_params(random_state=seed)
        begin = time.perf_counter()
        fitted.fit(sample.X_train, sample.y_train)
        seconds.append(time.perf_counter() - begin)
        accuracies.append(fitted.score(sample.X_test, sample.y_test))
    return accuracies, seconds, count_parameters(fitted)


def count_parameters(network):
    if isinstance(network, MLPClassifier):
        return sum(part.size for part in network.coefs_ + network.intercepts_)
    return network.n_parameters_


def pick(networks, only):
    return [(name, network) for name, network in networks.items() if only is None or name in only]


def print_row(data, name, found, rate):
    accuracies, seconds, n_parameters = found
    accuracy, deviation = 100 * np.mean(accuracies), 100 * np.std(accuracies, ddof=1)
    print(
        f"{data:11}{name:17}{accuracy:8.1f} ±{deviation:5.1f}{np.median(seconds):9.1f}"
        f"{n_parameters:12,}{rate:8}",
        flush=True,
    )


def print_head(title):
    print(f"\n{title}\ndata       network          accuracy, %    s/fit  parameters    rate")


def run_equal_budget(tasks, n_seeds, only=None):
    print_head("Equal budget: standardized inputs, the same steps, the learning rate chosen")
    for data, task in tasks.items():
        samples = [task.draw(seed).standardized for seed in range(n_seeds)]
        steps = task.epochs * -(-len(samples[0].X_train) // BATCH_SIZE)
        print(f"{data}: {len(samples[0].X_train)} training samples, {steps} steps")
        rates = {}
        for name, (network, model) in pick(equal_budget(task), only):
            rates[name] = (
                rates[model] if model else choose_rate(network, samples[0].first(N_SEARCHED))
            )
            network.set_params(learning_rate_init=rates[name])
            print_row(data, name, fit_seeds(network, samples), rates[name])


def run_first_try(tasks, n_seeds, only=None):
    print_head("First try: raw inputs, default parameters")
    for data, task in tasks.items():
        samples = [task.draw(seed).first(N_FIRST) for seed in range(n_seeds)]
        print(f"{data}: {len(samples[0].X_train)} training samples")
        for name, network in pick(first_try(task), only):
            rate = network.learning_rate_init
            print_row(data, name, fit_seeds(network, samples), rate)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--images", metavar="FILE.npz", help="color images, training and test set")
    parser.add_argument("--data", nargs="+", help="only these data sets")
    parser.add_argument("--networks", nargs="+", help="only these, with the row without shifts")
    parser.add_argument("--tables", nargs="+", default=["budget", "first"], help="only these")
    parser.add_argument("--quick", action="store_true", help="a quick check that all of it runs")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", UserWarning)  # that fits end before they converge
    tasks = make_tasks(arguments.images)
    tasks = {name: tasks[name] for name in arguments.data or tasks}
    if arguments.quick:
        tasks = {name: replace(task, epochs=2) for name, task in tasks.items()}
    n_seeds = 2 if arguments.quick else arguments.seeds
    if "budget" in arguments.tables:
        run_equal_budget(tasks, n_seeds, arguments.networks)
    if "first" in arguments.tables:
        run_first_try(tasks, n_seeds, arguments.networks)


if __name__ == "__main__":
    main()
