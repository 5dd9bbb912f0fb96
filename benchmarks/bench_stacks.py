"""How fast do stacks train, against JAX and against the machine itself?

The stacks are those of works A and C of ``bench_fleet.py``, timed with ``sklcnn.fit_many`` ("fit")
and in their training alone ("trn"). JAX (``pip install sklcnn[benchmark]``; left out without it)
trains the same networks from the same weights by ``jit(vmap(fit))``, the loop over steps inside and
compiled before the clock starts: as it stands ("vmap"), and in the best of several ways to cut the
stack for cache and threads ("best"). Ratios are its time to that of the fleet.

The second table gives the fractions of the machine's own matrix product and memory copy, measured
in the same run, that training reaches.

Run: ``python benchmarks/bench_stacks.py [--turns 3] [--threads 2] [--small]``
"""

import argparse
import os
import statistics
import warnings
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import numpy as np
import torch
from bench_fleet import (
    ARCHITECTURES,
    FAMILIES,
    N_CORES,
    SMALL,
    Scale,
    clock,
    data_a,
    draw,
    geometric_mean,
    make_network,
    n_filters,
    ratio,
)
from peers import STEPS, JaxFit
from sklearn.base import clone

import sklcnn
from sklcnn.training import train

JAX_CUTS = ((None, 1), (None, 2), (1, 2), (8, 2), (64, 1), (64, 2))  # (chunk, threads)


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
    with_jax = jax_available()
    if not with_jax:
        print("jax cannot be imported and is left out (pip install sklcnn[benchmark])")
    print("milliseconds per fit, stacks of JAX arranged and on its device before the clock starts")
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


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--threads", type=int, default=N_CORES, help="of torch in the fleet")
    parser.add_argument("--small", action="store_true", help="a quick check that all of it runs")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", UserWarning)
    run_stacks(SMALL if arguments.small else Scale(), arguments)


if __name__ == "__main__":
    main()
