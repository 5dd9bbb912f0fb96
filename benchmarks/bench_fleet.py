"""How much faster do many fits train in a fleet than one by one, in processes, or elsewhere?

Three pieces of work, on the same data, with the same architecture and the same number of gradient
steps. Peers take turns in one run; figures are medians over turns of the seconds and of the ratio
to the fleet within a turn. Peers in processes have two warm workers of one thread each.

* A: ``learning_curve`` on the Dynamic Signal Distribution (10 patches of 20 features), sizes 50 to
  1000, 20 splits, 200 full-batch epochs; each family, as in the literature (soft threshold, sum
  readout) and as in practice (16 ReLU filters, linear readout)
* B: ``GridSearchCV`` on digits, 5 folds x 40 candidates, 100 hidden units, mini-batch Adam
* C: 2,000 fits of 100 samples, 200 full-batch epochs
* S: the stacks of works A and C alone, against JAX (``pip install sklcnn[benchmark]``; compile
  time excluded): ``jit(vmap(fit))`` and the best of several ways to cut the stack for cache and
  threads ("vmap", "best"; ratios of their time to that of ``fit_many``, "fit", and of its training
  alone, "trn"); and against the machine's own matrix product and memory copy

Peers: the same estimator one by one ("loop") and in processes ("processes"), skorch around a plain
torch module in processes ("skorch"), ``MLPClassifier`` in processes ("mlp", FCN only), "jax".

With ``--memory``, also the time per fit and the peak memory of 10 to 10,000 fits.

Run: ``python benchmarks/bench_fleet.py [--turns 3] [--works ABCS] [--peers ...] [--threads 2]
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
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import pairwise

os.environ["PYTHONWARNINGS"] = "ignore::UserWarning"  # MLPClassifier's; workers inherit it
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import joblib
import numpy as np
import torch
from peers import RATE, STEPS, JaxFit, make_mlp, make_mlp_digits, make_skorch, make_skorch_digits
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, ShuffleSplit, learning_curve

import sklcnn
from sklcnn import CNNClassifier, FCNClassifier, LCNClassifier
from sklcnn.datasets import make_dsd
from sklcnn.training import train

N_CORES = 2
FAMILIES = {"FCN": FCNClassifier, "LCN": LCNClassifier, "CNN": CNNClassifier}
ARCHITECTURES = ("paper", "practical")
PEERS = ("loop", "processes", "skorch", "mlp", "jax")
JAX_CUTS = ((None, 1), (None, 2), (1, 2), (8, 2), (64, 1), (64, 2))  # (chunk, threads)
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


# stacks alone


def prepare(network, X, y):
    """The job that ``fit`` would train."""
    samples = network._check_samples(X, y, None, reset=True)
    limits = {"max_iter": network.max_iter, "tol": network.tol}
    return network._prepare(samples, None, "fresh", **limits)


def stacks_a(scale, family, architecture):
    """For each size of work A, its networks and their training sets."""
    X, y, splits = data_a(scale)
    parts = [rows for rows, _ in splits.split(X)]
    for n_samples in scale.sizes:
        networks = [make_network(family, architecture) for _ in parts]
        rows = np.array([part[:n_samples] for part in parts])
        yield networks, X[rows], y[rows]


def stack_c(scale):
    """The networks of work C and their training sets."""
    seeds = range(scale.n_fits)
    Xs, ys = zip(*(draw(100, seed) for seed in seeds), strict=True)
    return [make_network("CNN", "paper", seed) for seed in seeds], np.stack(Xs), np.stack(ys)


def clock(function):
    begin = time.perf_counter()
    result = function()
    return time.perf_counter() - begin, result


def jax_available():
    try:
        import jax  # noqa: F401
    except ImportError:
        return False
    return True


def jax_stack(networks, Xs, ys, family, architecture):
    """What JAX trains: initial weights by name, arranged inputs, targets."""
    modules = [
        prepare(clone(network), X, y).module for network, X, y in zip(networks, Xs, ys, strict=True)
    ]
    weights = {
        name: np.stack([module.get_parameter(name).detach().numpy() for module in modules])
        for name, _ in modules[0].named_parameters()
    }
    columns = JaxFit(family, architecture == "paper").arrange(Xs)
    return weights, columns, ys.astype(np.float32)


def jax_runs(stack, family, architecture):
    """A compiled and warm function for each way to cut the stack."""
    import jax

    n_members = len(stack[1])
    runs = {}
    for chunk, n_threads in JAX_CUTS:
        if chunk is None or chunk * n_threads < n_members:
            program = JaxFit(family, architecture == "paper").program(chunk)
            bounds = np.linspace(0, n_members, n_threads + 1).astype(int)
            parts = [
                jax.tree.map(lambda value, a=a, b=b: jax.numpy.asarray(value[a:b]), stack)
                for a, b in pairwise(bounds)
            ]
            runs[chunk, n_threads] = jax_run(program, parts)
            runs[chunk, n_threads]()
    return runs


def jax_run(program, parts):
    """A function that trains the parts of a stack at once, each in a thread."""
    import jax

    def run():
        with ThreadPoolExecutor(len(parts)) as pool:
            return list(pool.map(lambda part: jax.block_until_ready(program(*part)), parts))

    return run


def stack_ways(stack, family, architecture, with_jax):
    """Functions that train a stack, each returns seconds and what was trained."""
    networks, Xs, ys = stack

    def ours():
        fresh = list(map(clone, networks))
        return clock(lambda: sklcnn.fit_many(fresh, Xs, ys))

    def alone():
        jobs = [prepare(clone(n), X, y) for n, X, y in zip(networks, Xs, ys, strict=True)]
        return clock(lambda: train(jobs))

    ways = {"fit_many": ours, "train": alone}
    if with_jax:
        runs = jax_runs(jax_stack(*stack, family, architecture), family, architecture)
        best = min(runs, key=lambda cut: clock(runs[cut])[0])
        ways["vmap"] = lambda: clock(runs[None, 1])
        ways["best"] = lambda: clock(runs[best])
    return ways


def race_stack(title, stack, family, architecture, arguments, with_jax):
    """Print the line of one stack, and return its medians and ratios."""
    torch.set_num_threads(arguments.threads)
    n_fits, n_samples = stack[1].shape[:2]
    ways = stack_ways(stack, family, architecture, with_jax)
    seconds = {name: [] for name in ways}
    for _ in range(arguments.turns):
        trained = {}
        for name, way in ways.items():
            took, trained[name] = way()
            seconds[name].append(took)
    line = f"{title:16}{n_samples:6}{n_fits:6}"
    line += "".join(f"{1e3 * statistics.median(t) / n_fits:10.2f}" for t in seconds.values())
    ratios = {}
    if with_jax:
        pairs = [(peer, way) for peer in ("vmap", "best") for way in ("fit_many", "train")]
        ratios = {pair: ratio(seconds[pair[0]], seconds[pair[1]]) for pair in pairs}
        line += "".join(f"{value:10.2f}" for value in ratios.values())
        line += f"{weight_gap(trained['vmap'][0], trained['train']):12.1e}"
    print(line, flush=True)
    return statistics.median(seconds["train"]) / n_fits, ratios


def weight_gap(theirs, ours):
    """Largest difference of the filters."""
    weights = np.stack([outcome.module.weight.detach().numpy() for outcome in ours])
    return np.abs(np.asarray(theirs["weight"]) - weights).max()


def run_stacks(scale, arguments):
    """Stacks of works A and C alone, against JAX and against the machine."""
    with_jax = "jax" in arguments.peers and jax_available()
    if "jax" in arguments.peers and not with_jax:
        print("jax cannot be imported and is left out (pip install sklcnn[benchmark])")
    print(
        "\nmilliseconds per fit, stacks of JAX arranged and on its device before the clock starts"
    )
    line = "stack                n  fits  fit_many     train"
    columns = "  jax vmap  jax best  vmap/fit  vmap/trn  best/fit  best/trn  weight gap"
    print(line + (columns if with_jax else ""))
    roofs = []
    for architecture in ARCHITECTURES:
        ratios = []
        for family in FAMILIES:
            for stack in stacks_a(scale, family, architecture):
                title = f"A {architecture} {family}"
                found = race_stack(title, stack, family, architecture, arguments, with_jax)
                ratios.append(found[1])
                if stack[1].shape[1] in (min(scale.sizes), max(scale.sizes)):
                    roofs.append((family, architecture, stack[1].shape[1], found[0]))
        if with_jax:
            means = [geometric_mean([row[pair] for row in ratios]) for pair in ratios[0]]
            cells = "".join(f"{mean:10.2f}" for mean in means)
            print(f"{f'A {architecture} mean':68}{cells}")
    race_stack("C paper CNN", stack_c(scale), "CNN", "paper", arguments, with_jax)
    print_roofs(roofs)


def machine_peaks():
    """Matrix product in GFLOP/s and memory copy in GB/s, reading and writing, of this machine."""
    torch.set_num_threads(N_CORES)
    a = torch.randn(2048, 2048)
    source = torch.randn(2**24)
    target = torch.empty_like(source)
    product = min(clock(lambda: a @ a)[0] for _ in range(10))
    copy = min(clock(lambda: target.copy_(source))[0] for _ in range(10))
    return 2 * 2048**3 / product / 1e9, 2 * source.nbytes / copy / 1e9


def print_roofs(roofs):
    """The arithmetic of both products of a step, and the bytes of the patches that they read."""
    flops, bandwidth = machine_peaks()
    print(
        f"\nmatrix product {flops:.0f} GFLOP/s, copy of 64 MB {bandwidth:.1f} GB/s (read + write)"
    )
    print("training alone: forward and weight-gradient products, patches read twice a step")
    print("stack                n   GFLOP/s   of peak      GB/s   of copy")
    for family, architecture, n_samples, seconds in roofs:
        n_patches, patch_size = (1, 200) if family == "FCN" else (10, 20)
        entries = n_patches * patch_size * n_samples * STEPS
        rate = 4 * n_filters(family, architecture) * entries / seconds / 1e9
        read = 2 * 4 * entries / seconds / 1e9
        print(
            f"{f'A {architecture} {family}':16}{n_samples:6}{rate:10.1f}{rate / flops:10.0%}"
            f"{read:10.1f}{read / bandwidth:10.0%}"
        )


# memory


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
    parser.add_argument("--works", default="ABCS")
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
    if set(arguments.works) & set("ABC"):
        run_works(scale, arguments)
    if "S" in arguments.works:
        run_stacks(scale, arguments)
    if arguments.memory:
        run_memory(scale, arguments.threads)


if __name__ == "__main__":
    main()
