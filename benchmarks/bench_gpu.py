"""How much faster do many fits train in a fleet than one after another, all on one GPU?

First the parity with the CPU: in float64, the largest difference of weights. Then works A to C of
``bench_fleet.py`` on the device:

* fleet: scikit-learn's functions inside ``sklcnn.fleet()``, scoring included
* skorch: stock skorch around a plain torch module, ``device="cuda"``, one fit after another
* by hand: the loop that a researcher writes, tensors on the device before the clock starts

The peers do a sample of the fits without scoring, and their time is scaled to all fits. They start
from the same weights as the fleet; "gap" is the largest difference of outputs between the loop by
hand and the fleet after training (not for work B, where mini-batches are shuffled otherwise).

Run: ``python benchmarks/bench_gpu.py [--turns 3] [--works ABC] [--small]``
"""

import argparse
import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from bench_fleet import (
    ARCHITECTURES,
    FAMILIES,
    SMALL,
    Scale,
    clock,
    curve,
    data_a,
    draw,
    make_digits_network,
    make_grid,
    make_network,
    n_filters,
    positive,
    search,
)
from peers import RATE, STEPS, Network, fit_by_hand, make_skorch, make_skorch_digits
from sklearn.datasets import load_digits

import sklcnn

N_SAMPLED = 10  # fits of work C by the peers


@dataclass(frozen=True)
class Fit:
    """One fit by each peer, and the same one by the fleet's estimator."""

    stock: Callable
    hand: Callable
    ours: Callable | None  # estimator and data
    X: torch.Tensor


def to(device, array):
    return torch.as_tensor(array, device=device)


def synchronize(device):
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)


# parity


def parity(family, architecture, solver, device):
    """Largest difference of weights between a fleet on the CPU and on the device, in float64."""
    options = {"solver": solver, "learning_rate_init": 0.02, "dtype": "float64", "max_iter": 50}
    data = [draw(200, seed) for seed in range(4)]
    fitted = []
    for place in ("cpu", device):
        networks = [
            make_network(family, architecture, seed, place).set_params(**options)
            for seed in range(4)
        ]
        fitted.append(sklcnn.fit_many(networks, *zip(*data, strict=True)))
    return max(largest_difference(*pair) for pair in zip(*fitted, strict=True))


def largest_difference(one, other):
    """Largest difference of any parameter of two fitted networks."""
    pairs = zip(one.module_.parameters(), other.module_.parameters(), strict=True)
    return max((a.detach().cpu() - b.detach().cpu()).abs().max().item() for a, b in pairs)


def run_parity(device):
    print("float64, 4 fits in a stack, 50 epochs: largest difference of weights to the CPU")
    for solver in ("gd", "adam"):
        for architecture in ARCHITECTURES:
            gaps = [parity(family, architecture, solver, device) for family in FAMILIES]
            cells = "".join(
                f"   {name} {gap:.1e}" for name, gap in zip(FAMILIES, gaps, strict=True)
            )
            print(f"{solver:6}{architecture:10}{cells}", flush=True)


# the works


def descent(family, architecture, seed, X, y, device):
    """One fit of work A or C."""
    options = (family, n_filters(family, architecture), architecture == "paper", seed)
    inputs, target = to(device, X), to(device, positive(y))

    def hand():
        network = Network(*options[:3], seed=seed).to(device)
        return fit_by_hand(network, inputs, target, RATE, STEPS)

    return Fit(
        lambda: make_skorch(*options, device).fit(X, positive(y)),
        hand,
        lambda: (make_network(family, architecture, seed, device), X, y),
        inputs,
    )


def work_a(scale, family, architecture, device):
    """The whole work in a fleet, one fit of each size for the peers, the number of fits."""
    X, y, splits = data_a(scale)
    network = make_network(family, architecture, device=device)
    rows = next(splits.split(X))[0]
    fits = [descent(family, architecture, 0, X[rows[:n]], y[rows[:n]], device) for n in scale.sizes]
    work = in_fleet(lambda: curve(scale, network, X, y, splits))
    return work, fits, scale.n_splits * len(scale.sizes)


def work_b(scale, device):
    """The whole work in a fleet, a fit of each learning rate for the peers, the number of fits."""
    X, y = load_digits(return_X_y=True)
    X = (X / 16).astype(np.float32)
    n_train = len(X) * (scale.n_folds - 1) // scale.n_folds
    grid = make_grid(scale)
    fits = [
        adam(scale, rate, X[:n_train], y[:n_train], device) for rate in grid["learning_rate_init"]
    ]
    n_fits = scale.n_folds * int(np.prod([len(values) for values in grid.values()]))
    network = make_digits_network(scale, device)
    return in_fleet(lambda: search(scale, network, grid)), fits, n_fits


def adam(scale, rate, X, y, device):
    """One fit of work B."""
    inputs, target = to(device, X), to(device, y)

    def hand():
        network = Network("FCN", 100, n_features=64, n_outputs=10).to(device)
        options = {"batch_size": 200, "adam": True, "decay": 1e-4 / 200}
        return fit_by_hand(network, inputs, target, rate, scale.epochs, **options)

    stock = make_skorch_digits(scale.epochs, device)
    stock.set_params(lr=rate, optimizer__weight_decay=1e-4 / 200)
    return Fit(lambda: stock.fit(X, y), hand, None, inputs)


def work_c(scale, family, architecture, device):
    """The whole work in a fleet, the first few fits for the peers, the number of fits."""
    seeds = range(scale.n_fits)
    Xs, ys = zip(*(draw(100, seed) for seed in seeds), strict=True)
    fits = [
        descent(family, architecture, seed, Xs[seed], ys[seed], device)
        for seed in seeds[:N_SAMPLED]
    ]

    networks = [make_network(family, architecture, seed, device) for seed in seeds]
    return lambda: sklcnn.fit_many(networks, Xs, ys), fits, scale.n_fits


def in_fleet(work):
    """The same work, in a fleet."""

    def run():
        with sklcnn.fleet():
            return work()

    return run


# the race


def one_by_one(functions, device):
    """Seconds of a call of each function, and what they return."""

    def run():
        results = [function() for function in functions]
        synchronize(device)
        return results

    return clock(run)


def output_gap(fits, trained):
    """Largest difference of outputs between loops by hand and the fleet."""
    if fits[0].ours is None:
        return float("nan")
    networks, Xs, ys = zip(*(fit.ours() for fit in fits), strict=True)
    sklcnn.fit_many(networks, Xs, ys)
    with torch.no_grad():
        answers = [net(fit.X).cpu().numpy() for net, fit in zip(trained, fits, strict=True)]
    pairs = zip(networks, Xs, answers, strict=True)
    return max(np.abs(ours.decision_function(X) - answer).max() for ours, X, answer in pairs)


def race(title, work, fits, n_fits, turns, device):
    """Let the three ways take turns, after a warm-up of each, and print a line."""
    fits[0].stock(), fits[0].hand(), work()
    seconds = {"fleet": [], "skorch": [], "hand": []}
    for _ in range(turns):
        seconds["fleet"].append(one_by_one([work], device)[0])
        took, _ = one_by_one([fit.stock for fit in fits], device)
        seconds["skorch"].append(took * n_fits / len(fits))
        took, trained = one_by_one([fit.hand for fit in fits], device)
        seconds["hand"].append(took * n_fits / len(fits))
    line = "".join(f"{statistics.median(times):11.2f}" for times in seconds.values())
    for peer in ("skorch", "hand"):
        pairs = zip(seconds[peer], seconds["fleet"], strict=True)
        line += f"{statistics.median(a / b for a, b in pairs):15.1f}"
    gap = output_gap(fits, trained)
    print(f"{title:16}{n_fits:6}{len(fits):9}{line}{gap:10.1e}", flush=True)


def run_works(scale, works, turns, device):
    print("\nwork              fits  sampled    fleet s   skorch s  by hand s", end="")
    print("   skorch/fleet  by hand/fleet       gap")
    if "A" in works:
        for architecture in ARCHITECTURES:
            for family in FAMILIES:
                parts = work_a(scale, family, architecture, device)
                race(f"A {architecture} {family}", *parts, turns, device)
    if "B" in works:
        race("B", *work_b(scale, device), turns, device)
    if "C" in works:
        for architecture in ARCHITECTURES:
            parts = work_c(scale, "CNN", architecture, device)
            race(f"C {architecture} CNN", *parts, turns, device)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--works", default="ABC")
    parser.add_argument("--small", action="store_true", help="a quick check that all of it runs")
    parser.add_argument("--device", default="cuda", help=argparse.SUPPRESS)
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    if arguments.device.startswith("cuda") and not torch.cuda.is_available():
        sys.exit("bench_gpu.py needs a CUDA device, and torch finds none.")
    cuda = arguments.device.startswith("cuda")
    name = torch.cuda.get_device_name(arguments.device) if cuda else arguments.device
    print(f"{name}, torch {torch.__version__}, medians of {arguments.turns} turns")
    scale = SMALL if arguments.small else Scale()
    run_parity(arguments.device)
    run_works(scale, arguments.works, arguments.turns, arguments.device)


if __name__ == "__main__":
    main()
