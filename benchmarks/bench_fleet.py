"""How much faster do many fits train in a fleet than one by one, in processes, or elsewhere?

Three pieces of work, on the same data, with the same architecture and the same number of gradient
steps. Peers take turns in one run; figures are medians over turns of the seconds and of the ratio
to the fleet within a turn. Peers in processes have two warm workers of one thread each.

* A: ``learning_curve`` on the Dynamic Signal Distribution (10 patches of 20 features), sizes 50 to
  1000, 20 splits, 200 full-batch epochs; each family, as in the literature (soft threshold, sum
  readout) and as in practice (16 ReLU filters, linear readout)
* B: ``GridSearchCV`` on digits, 5 folds x 40 candidates, 100 hidden units, mini-batch Adam
* C: 2,000 fits of 100 samples, 200 full-batch epochs

Peers: the same estimator one by one ("loop") and in processes ("processes"), skorch around a plain
torch module in processes ("skorch"), ``MLPClassifier`` in processes ("mlp", FCN only). JAX is raced
by ``bench_stacks.py``.

With ``--memory``, also the time per fit and the peak memory of 10 to 10,000 fits.

Run: ``python benchmarks/bench_fleet.py [--turns 3] [--works ABC] [--peers ...] [--threads 2]
[--memory] [--small]``
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass

os.environ["PYTHONWARNINGS"] = "ignore::UserWarning"  # MLPClassifier's; workers inherit it

import joblib
import numpy as np
import torch
from peers import RATE, STEPS, make_mlp, make_mlp_digits, make_skorch, make_skorch_digits
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, ShuffleSplit, learning_curve

import sklcnn
from sklcnn import CNNClassifier, FCNClassifier, LCNClassifier
from sklcnn.datasets import make_dsd

N_CORES = 2
FAMILIES = {"FCN": FCNClassifier, "LCN": LCNClassifier, "CNN": CNNClassifier}
ARCHITECTURES = ("paper", "practical")
PEERS = ("loop", "processes", "skorch", "mlp")
N_SCORED = 100  # of the fits of work C


@dataclass(frozen=True)
class Scale:
    """How much work."""

    sizes: tuple = (50, 100, 200, 500, 1000)
    n_splits: int = 20
    n_folds: int = 5
    n_rates: int = 5
    epochs: int = 30
    n_fits: int = 2000
    counts: tuple = (10, 100, 1000, 10_000)


SMALL = Scale((20, 50), 3, 2, 1, 2, 20, (10, 50))


@dataclass(frozen=True)
class Way:
    """A way to do a piece of work."""

    kind: str  # of CONTEXTS
    work: Callable
    score: Callable = np.asarray  # the scores of what the work returns, after the clock
    share: float = 1.0  # of the whole work; seconds are scaled


def processes():
    return joblib.parallel_config("loky", n_jobs=N_CORES, inner_max_num_threads=1)


CONTEXTS = {
    "loop": lambda: joblib.parallel_config("sequential"),
    "processes": processes,
    "fleet": sklcnn.fleet,
    "direct": nullcontext,
}


# networks and data


def n_filters(family, architecture):
    if architecture == "practical":
        return 16
    return 10 if family == "FCN" else 1


def make_network(family, architecture, seed=0, device="cpu"):
    """Return the estimator of works A and C."""
    local = {} if family == "FCN" else {"patch_size": 20, "stride": 20}
    if architecture == "paper":
        local |= {"activation": "soft_threshold", "readout": "sum"}
        local |= {} if family == "FCN" else {"pooling": "sum"}
    return FAMILIES[family](
        n_filters(family, architecture),
        **local,
        solver="gd",
        learning_rate_init=RATE,
        max_iter=STEPS,
        alpha=0.0,
        tol=None,
        device=device,
        random_state=seed,
    )


def draw(n_samples, seed):
    """Inputs in the precision that all peers train in, labels -1 and +1."""
    X, y = make_dsd(n_samples=n_samples, n_patches=10, patch_size=20, noise=0.25, random_state=seed)
    return X.astype(np.float32), y


def positive(y):
    """Labels as skorch's binary classifier wants them."""
    return (y > 0).astype(np.float32)


def data_a(scale):
    """Data of work A, and its splits."""
    n_train = max(scale.sizes)
    splits = ShuffleSplit(scale.n_splits, train_size=n_train, test_size=250, random_state=0)
    return *draw(n_train + 250, 0), splits


# the three works


def curve(scale, network, X, y, splits):
    """Test scores of a learning curve, (n_sizes,)."""
    scores = learning_curve(network, X, y, train_sizes=list(scale.sizes), cv=splits)[2]
    return scores.mean(axis=1)


def ways_a(scale, family, architecture):
    X, y, splits = data_a(scale)
    ours = make_network(family, architecture)
    stock = make_skorch(family, n_filters(family, architecture), architecture == "paper")
    ways = {
        kind: Way(kind, lambda: curve(scale, ours, X, y, splits))
        for kind in ("fleet", "loop", "processes")
    }
    ways["skorch"] = Way("processes", lambda: curve(scale, stock, X, positive(y), splits))
    if (family, architecture) == ("FCN", "practical"):
        ways["mlp"] = Way("processes", lambda: curve(scale, make_mlp(), X, y, splits))
    return ways


def make_grid(scale, rate="learning_rate_init", alpha="alpha", seed="random_state", batch=1):
    """The candidates of work B under the names of a peer; batch is what divides its penalty."""
    return {
        rate: np.geomspace(0.001, 0.03, scale.n_rates).tolist(),
        alpha: [value / batch for value in (0.0, 1e-4, 1e-3, 1e-2)],
        seed: [0, 1],
    }


def search(scale, network, grid):
    """Mean test scores of a grid search on digits, (n_candidates,)."""
    X, y = load_digits(return_X_y=True)
    X = (X / 16).astype(np.float32)
    return (
        GridSearchCV(network, grid, cv=scale.n_folds, refit=False)
        .fit(X, y)
        .cv_results_["mean_test_score"]
    )


def make_digits_network(scale, device="cpu"):
    return FCNClassifier(100, batch_size=200, max_iter=scale.epochs, tol=None, device=device)


def ways_b(scale):
    ours, stock = make_digits_network(scale), make_skorch_digits(scale.epochs)
    theirs = make_grid(scale, "lr", "optimizer__weight_decay", "module__seed", batch=200)
    mlp = make_mlp_digits(scale.epochs)
    ways = {
        kind: Way(kind, lambda: search(scale, ours, make_grid(scale)))
        for kind in ("fleet", "loop", "processes")
    }
    ways["skorch"] = Way("processes", lambda: search(scale, stock, theirs))
    ways["mlp"] = Way("processes", lambda: search(scale, mlp, make_grid(scale)))
    return ways


def fit_all(estimators, Xs, ys):
    """Fit each estimator to its data, by whatever joblib is told."""
    return joblib.Parallel()(
        joblib.delayed(fit)(*task) for task in zip(estimators, Xs, ys, strict=True)
    )


def fit(estimator, X, y):
    return estimator.fit(X, y)


def score_some(fitted, labels=np.asarray):
    """Scores of the first fits, each on further samples of its own law."""
    scores = []
    for seed, network in enumerate(fitted[:N_SCORED]):
        X, y = draw(600, seed)  # of which the first 100 have trained
        scores.append(network.score(X[100:], labels(y[100:])))
    return np.array(scores)


def ways_c(scale, family, architecture, n_stock):
    """Fits of 100 samples; skorch does the first few of them."""
    seeds = range(scale.n_fits)
    Xs, ys = zip(*(draw(100, seed) for seed in seeds), strict=True)
    ours, again, theirs = (  # what is sent to processes stays unfitted, and small
        [make_network(family, architecture, seed) for seed in seeds] for _ in range(3)
    )
    options = (n_filters(family, architecture), architecture == "paper")
    stock = [make_skorch(family, *options, seed) for seed in seeds[:n_stock]]
    labels = [positive(y) for y in ys[: len(stock)]]
    ways = {
        "fleet": Way("direct", lambda: sklcnn.fit_many(ours, Xs, ys), score_some),
        "loop": Way("loop", lambda: fit_all(again, Xs, ys), score_some),
        "processes": Way("processes", lambda: fit_all(theirs, Xs, ys), score_some),
        "skorch": Way(
            "processes",
            lambda: fit_all(stock, Xs[: len(stock)], labels),
            lambda fitted: score_some(fitted, positive),
            len(stock) / scale.n_fits,
        ),
    }
    if (family, architecture) == ("FCN", "practical"):
        mlps = [make_mlp(seed) for seed in seeds]
        ways["mlp"] = Way("processes", lambda: fit_all(mlps, Xs, ys), score_some)
    return ways


# the race


def warm_up():
    """Start the worker processes, if they are not there, and return their numbers of threads."""
    with processes():
        return joblib.Parallel(batch_size=1)(joblib.delayed(warm_up_task)() for _ in range(4))


def warm_up_task():
    X, y = draw(20, 0)
    make_network("CNN", "paper").set_params(max_iter=2).fit(X, y)
    make_skorch("CNN", 1, True).set_params(max_epochs=2).fit(X, positive(y))
    make_mlp().set_params(max_iter=2).fit(X, y)
    time.sleep(0.1)  # so that no worker does the task of another one
    return torch.get_num_threads()


def timed(way, n_threads):
    """Seconds and result of a piece of work; torch has so many threads in the fleet, else one."""
    torch.set_num_threads(n_threads if way.kind in ("fleet", "direct") else 1)
    if way.kind == "processes":
        warm_up()
    with CONTEXTS[way.kind]():
        begin = time.perf_counter()
        result = way.work()
        return (time.perf_counter() - begin) / way.share, result


def compete(ways, arguments):
    """Let ways take turns: seconds of each, and the scores of the last turn."""
    seconds = {name: [] for name in ways}
    scores = {}
    for turn in range(arguments.turns):
        for name, way in ways.items():
            took, result = timed(way, arguments.threads)
            seconds[name].append(took)
            if turn == arguments.turns - 1:
                scores[name] = way.score(result)
    return seconds, scores


def ratio(seconds, reference):
    """Median over turns of the ratio within a turn."""
    return statistics.median(a / b for a, b in zip(seconds, reference, strict=True))


def race(title, ways, arguments):
    """Print a line for each way, and return the ratios to the fleet."""
    ways = {name: way for name, way in ways.items() if name in ("fleet", *arguments.peers)}
    seconds, scores = compete(ways, arguments)
    ratios = {name: ratio(times, seconds["fleet"]) for name, times in seconds.items()}
    for name, times in seconds.items():
        print(
            f"{title:16} {name:10}{statistics.median(times):10.2f}{ratios[name]:10.2f}"
            f"{scores[name].mean():12.4f}"
        )
    if "loop" in scores:
        gap = np.abs(scores["fleet"] - scores["loop"]).max()
        print(f"{title:16} largest difference of scores, fleet and loop: {gap:.4f}")
    sys.stdout.flush()
    return ratios


def geometric_mean(values):
    return float(np.exp(np.mean(np.log(values))))


def print_means(title, rows):
    """Geometric means of ratios over rows, for the ways that all rows have."""
    for name in rows[0]:
        if name != "fleet" and all(name in row for row in rows):
            mean = geometric_mean([row[name] for row in rows])
            print(f"{title:16} {name:10}{'mean':>10}{mean:10.2f}")


def run_works(scale, arguments):
    """Races of works A, B and C."""
    print("work             way          seconds   x fleet  mean score")
    if "A" in arguments.works:
        for architecture in ARCHITECTURES:
            rows = [
                race(f"A {architecture} {family}", ways_a(scale, family, architecture), arguments)
                for family in FAMILIES
            ]
            print_means(f"A {architecture}", rows)
    if "B" in arguments.works:
        race("B", ways_b(scale), arguments)
    if "C" in arguments.works:
        n_stock = min(arguments.skorch_fits, scale.n_fits)
        for architecture, family in (("paper", "CNN"), ("practical", "CNN"), ("practical", "FCN")):
            ways = ways_c(scale, family, architecture, n_stock)
            race(f"C {architecture} {family}", ways, arguments)
        if "skorch" in arguments.peers and n_stock < scale.n_fits:
            print(f"C: skorch did {n_stock} of the {scale.n_fits} fits, and its time is scaled")


# memory


def clock(function):
    begin = time.perf_counter()
    result = function()
    return time.perf_counter() - begin, result


def draw_fit_score(seed):
    """A fit of work C that leaves nothing behind but its score."""
    X, y = draw(100, seed)
    return make_network("CNN", "paper", seed).fit(X, y).score(X, y)


def count(n_fits, n_threads):
    """Print the seconds of some fits and the peak memory of this process in MB."""
    torch.set_num_threads(n_threads)
    begin = time.perf_counter()
    with sklcnn.fleet():
        joblib.Parallel()(joblib.delayed(draw_fit_score)(seed) for seed in range(n_fits))
    print(time.perf_counter() - begin, peak_memory())


def peak_memory():
    """Peak resident memory of this process in MB.

    Linux lets a process inherit ``ru_maxrss`` from the one that has started it, but not VmHWM.
    """
    try:
        with open("/proc/self/status") as status:
            peak = next(line for line in status if line.startswith("VmHWM"))
        return int(peak.split()[1]) / 2**10
    except (OSError, StopIteration):
        unit = 2**20 if sys.platform == "darwin" else 2**10
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def run_memory(scale, n_threads):
    """Cost of more and more fits, each number in a process of its own."""
    drawing = clock(lambda: [draw(100, seed) for seed in range(100)])[0] * 10
    print(f"\nwork C, drawing of data included ({drawing:.2f} ms a fit) and scoring")
    print("    fits   ms per fit   peak MB   above import")
    for n_fits in (0, *scale.counts):
        command = [sys.executable, __file__, "--count", str(n_fits), "--threads", str(n_threads)]
        answer = subprocess.run(command, check=True, capture_output=True, text=True)
        took, peak = map(float, answer.stdout.split())
        if n_fits == 0:
            base = peak
        each = f"{1e3 * took / n_fits:.2f}" if n_fits else "-"
        print(f"{n_fits:8}{each:>13}{peak:10.0f}{peak - base:15.0f}", flush=True)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--works", default="ABC")
    parser.add_argument("--peers", nargs="*", default=PEERS, choices=PEERS)
    parser.add_argument("--skorch-fits", type=int, default=500, help="of work C, scaled")
    parser.add_argument("--threads", type=int, default=N_CORES, help="of torch in the fleet")
    parser.add_argument("--memory", action="store_true", help="also 10 to 10,000 fits")
    parser.add_argument("--small", action="store_true", help="a quick check that all of it runs")
    parser.add_argument("--count", type=int, help=argparse.SUPPRESS)
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    if arguments.count is not None:
        count(arguments.count, arguments.threads)
        return
    warnings.simplefilter("ignore", UserWarning)
    scale = SMALL if arguments.small else Scale()
    n_theirs = max(warm_up())
    print(f"{arguments.turns} turns; threads: fleet {arguments.threads}, each worker {n_theirs}")
    run_works(scale, arguments)
    if arguments.memory:
        run_memory(scale, arguments.threads)


if __name__ == "__main__":
    main()
