"""How much faster do many fits train in a fleet than in processes?

Three pieces of work, each by the same estimator in one process after another, in two processes
(``n_jobs=2`` of joblib's loky backend, warmed up, one thread each), and in a fleet. The ways take
turns; figures are medians over turns, and ratios are medians of the ratios within a turn.

* A: ``learning_curve`` on the Dynamic Signal Distribution (10 patches of 20 features), sizes 50 to
  1000, 20 splits, 200 full-batch epochs, for each family
* B: ``GridSearchCV`` on digits, 5 folds x 40 candidates, mini-batch Adam, 30 epochs
* C: 2,000 fits of 100 samples, 200 full-batch epochs

Run: ``python benchmarks/bench_fleet.py [--turns 3] [--works ABC]``
"""

import argparse
import os
import resource
import statistics
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import joblib
import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, ShuffleSplit, learning_curve

import sklcnn
from sklcnn import CNNClassifier, FCNClassifier, LCNClassifier
from sklcnn.datasets import make_dsd

LOCAL = {"n_filters": 16, "patch_size": 20, "stride": 20}
DESCENT = {"solver": "gd", "learning_rate_init": 0.1, "max_iter": 200, "tol": None, "device": "cpu"}
FAMILIES = {
    "FCN": FCNClassifier(16, **DESCENT, random_state=0),
    "LCN": LCNClassifier(**LOCAL, **DESCENT, random_state=0),
    "CNN": CNNClassifier(**LOCAL, **DESCENT, random_state=0),
}


def work_a(network):
    """Return the test scores of a learning curve."""
    X, y = make_dsd(n_samples=1250, noise=0.25, random_state=0)
    splits = ShuffleSplit(20, train_size=1000, test_size=250, random_state=0)
    return learning_curve(network, X, y, train_sizes=[50, 100, 200, 500, 1000], cv=splits)[2]


def work_b():
    """Return the scores of a grid search."""
    X, y = load_digits(return_X_y=True)
    network = FCNClassifier(100, max_iter=30, tol=None, device="cpu")
    grid = {
        "learning_rate_init": np.geomspace(0.001, 0.03, 5),
        "alpha": [0.0, 1e-4, 1e-3, 1e-2],
        "random_state": [0, 1],
    }
    return (
        GridSearchCV(network, grid, cv=5, refit=False).fit(X / 16, y).cv_results_["mean_test_score"]
    )


def fit_and_score(seed):
    """Fit a network to 100 samples of its own."""
    X, y = make_dsd(n_samples=100, noise=0.25, random_state=seed)
    return CNNClassifier(**LOCAL, **DESCENT, random_state=seed).fit(X, y).score(X, y)


def work_c(n_fits=2000):
    """Return the training scores of many small fits."""
    return joblib.Parallel()(joblib.delayed(fit_and_score)(seed) for seed in range(n_fits))


def timed(context, work):
    """Seconds and result of a piece of work inside a context."""
    with context():
        begin = time.perf_counter()
        result = work()
        return time.perf_counter() - begin, np.asarray(result)


def processes():
    return joblib.parallel_config("loky", n_jobs=2, inner_max_num_threads=1)


def alone():
    return joblib.parallel_config("sequential")


def race(name, work, turns):
    """Let the three ways take turns and print medians."""
    ways = {"one by one": alone, "processes": processes, "fleet": sklcnn.fleet}
    seconds = {way: [] for way in ways}
    for _ in range(turns):
        results = {}
        for way, context in ways.items():
            took, results[way] = timed(context, work)
            seconds[way].append(took)
        gap = np.abs(results["fleet"] - results["one by one"]).max()
    medians = [statistics.median(times) for times in seconds.values()]
    ratios = [
        statistics.median(a / b for a, b in zip(seconds[way], seconds["fleet"], strict=True))
        for way in ("one by one", "processes")
    ]
    print(
        f"{name:8}" + "".join(f"{median:11.2f} s" for median in medians) + f"{ratios[0]:12.1f}"
        f"{ratios[1]:12.1f}{gap:20.3f}",
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--works", default="ABC")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    timed(processes, lambda: work_c(2))  # start the processes
    print("work     one by one    processes        fleet   x one by one   x processes   score gap")
    if "A" in arguments.works:
        for family, network in FAMILIES.items():
            race(f"A {family}", lambda network=network: work_a(network), arguments.turns)
    if "B" in arguments.works:
        race("B", work_b, arguments.turns)
    if "C" in arguments.works:
        race("C", work_c, arguments.turns)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    print(f"largest memory of this process: {peak:.0f} MB")


if __name__ == "__main__":
    main()
