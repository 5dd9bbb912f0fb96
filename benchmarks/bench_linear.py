"""How soon is the direction of a linear network known, and to how many digits?

Four normal samples with twelve features, networks of one and of two layers in each architecture.
The reference is `sklcnn.theory.max_margin` in the norm of the network. Samples are drawn under two
conditions: "gap", that the dual gap is at least 0.3 in the norms of two layers; and "quick", that
there the error falls at least like the margin to the power of -0.3
(`sklcnn.theory.convergence_power`, of which the dual gap is a part) and that a coefficient that is
left out wakes up at least with the power 0.5, as `sklcnn study linear` draws them. Sides:

* loop: plain PyTorch, as a user would write it, autograd and constant steps on the mean exponential
  loss, one network after the other, from the weights of the estimators. Before the race the losses
  of its first 50 steps are compared with those of ``step="constant"``.
* constant: the same steps by `LinearNetworkClassifier`, all networks in one fleet.
* loss_scaled, prox_linear: its other steps, also in one fleet; the latter end at margins of 1e9.
* polished: the program of the norm with the samples alone that prox-linear training has brought
  within a tenth of its smallest margin, and with those that then fall short, until none does.

For each architecture and depth: how many directions are closer than 1e-2, and than 1e-8; median and
worst distance; median margin. Times are seconds for all networks of a side, medians over turns in
which sides follow each other, and ratios to prox_linear within a turn.

Run: ``python benchmarks/bench_linear.py [--draws 8] [--turns 3] [--steps 10000]
[--evaluations 2000] [--threads 2]``
"""

import argparse
import statistics
import time
import warnings

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning

import sklcnn
from sklcnn import LinearNetworkClassifier
from sklcnn.studies.linear.samples import find_samples
from sklcnn.theory import max_margin

N_SAMPLES, N_FEATURES = 4, 12
LEAST_GAP, LEAST_POWER, LEAST_WAKING, NEAR = 0.3, 0.3, 0.5, 1.1
RATE = 0.1
NORMS = {
    ("full", 1): "l2",
    ("full", 2): "l2",
    ("convolutional", 1): "l2",
    ("convolutional", 2): "fourier_l1",
    ("diagonal", 1): "l2",
    ("diagonal", 2): "l1",
}


def draw_samples(condition, n_draws):
    """Return samples under a condition."""
    found, seed = [], 0
    while len(found) < n_draws:
        if condition == "quick":
            options = {"min_power": LEAST_POWER, "min_waking": LEAST_WAKING}
            drawn = find_samples(seed, N_SAMPLES, (N_FEATURES,), **options)
            found.append((drawn.X, drawn.y))
        else:
            y = np.where(np.arange(N_SAMPLES) % 2, -1, 1)
            X = np.random.default_rng([7, seed]).standard_normal((N_SAMPLES, N_FEATURES))
            if all(max_margin(X, y, norm).delta >= LEAST_GAP for norm in ("l1", "fourier_l1")):
                found.append((X, y))
        seed += 1
    return found


def make(step, max_iter, draws, **parameters):
    """Return one network for each cell and each draw, with their samples."""
    fits = [(cell, number, samples) for cell in NORMS for number, samples in enumerate(draws)]
    networks = [
        LinearNetworkClassifier(
            *cell, step=step, max_iter=max_iter, device="cpu", random_state=number, **parameters
        )
        for cell, number, _ in fits
    ]
    X, y = zip(*(samples for *_, samples in fits), strict=True)
    return networks, X, y


def initial_layers(network, X, y):
    """Return the weights that a network starts from."""
    start = LinearNetworkClassifier(**network.get_params())
    return start.set_params(step="loss_scaled", max_iter=1).fit(X, y).layers_


def product(architecture, layers):
    """Multiply layers, in PyTorch."""
    coef, *others = layers[::-1]
    for layer in others:
        if architecture == "full":
            coef = layer @ coef
        elif architecture == "diagonal":
            coef = layer * coef
        else:
            spectra = torch.fft.rfft(layer, norm="ortho") * torch.fft.rfft(coef, norm="ortho")
            coef = torch.fft.irfft(spectra, n=len(coef), norm="ortho")
    return coef


def loop(network, X, y, layers, n_steps):
    """Train by hand; return the predictor and the losses."""
    X, y = torch.from_numpy(X), torch.from_numpy(y)
    layers = [torch.tensor(layer, requires_grad=True) for layer in layers]
    optimizer, losses = torch.optim.SGD(layers, lr=RATE), []
    for _ in range(n_steps):
        optimizer.zero_grad()
        loss = torch.exp(-y * (X @ product(network.architecture, layers))).mean()
        loss.backward()
        losses.append(loss.item())
        optimizer.step()
    return product(network.architecture, layers).detach().numpy(), np.array(losses)


def train(step, max_iter, draws, **parameters):
    """Return predictors and margins of all networks of a step."""
    networks, X, y = make(step, max_iter, draws, **parameters)
    sklcnn.fit_many(networks, X, y)
    return [network.coef_[0] for network in networks]


def polish(coefs, draws):
    """Solve with the samples that are next to the margin, and with those that fall short then."""
    networks, Xs, ys = make("prox_linear", 1, draws)
    polished = []
    for network, X, y, coef in zip(networks, Xs, ys, coefs, strict=True):
        margins = X @ coef * y
        held, norm = margins < NEAR * margins.min(), NORMS[network.architecture, network.depth]
        short = held
        while short.any():
            held = held | short
            best = max_margin(X[held], y[held], norm).coef
            short = ~held & (X @ best * y < 1 - 1e-9)
        polished.append(best)
    return polished


def same_work(draws):
    """Say how far apart the losses of the loop and of the estimator are."""
    networks, X, y = make("constant", 50, draws[:1], learning_rate_init=RATE)
    apart = 0.0
    for network, own, labels in zip(networks, X, y, strict=True):
        _, losses = loop(network, own, labels, initial_layers(network, own, labels), 50)
        curve = np.exp(network.fit(own, labels).loss_curve_)
        apart = max(apart, np.abs(curve / losses - 1).max())
    return apart


def report(name, coefs, draws):
    """Print how near predictors are to their references, a line for each cell."""
    _, X, y = make("constant", 1, draws)
    cells = [cell for cell in NORMS for _ in draws]
    for cell, norm in NORMS.items():
        errors, margins = [], []
        for own, samples, labels, coef in zip(cells, X, y, coefs, strict=True):
            if own == cell:
                best = max_margin(samples, labels, norm).coef
                unit = coef / np.linalg.norm(coef)
                errors.append(np.linalg.norm(unit - best / np.linalg.norm(best)))
                margins.append((samples @ coef * labels).min())
        near, exact = (sum(error < bound for error in errors) for bound in (1e-2, 1e-8))
        print(
            f"{name:12} {cell[0]:>13} {cell[1]}  {near:3}/{len(errors)} {exact:3}/{len(errors)}"
            f"  {np.median(errors):8.1e}  {max(errors):8.1e}  {np.median(margins):9.3g}"
        )


def main():
    """Run all sides."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--draws", type=int, default=8, help="data sets (default: 8)")
    add("--turns", type=int, default=3, help="repeats of the race (default: 3)")
    add("--steps", type=int, default=10_000, help="constant steps (default: 10000)")
    add("--evaluations", type=int, default=2000, help="of loss_scaled (default: 2000)")
    add("--threads", type=int, default=2, help="threads of torch (default: 2)")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    warnings.simplefilter("ignore", ConvergenceWarning)  # one step does not separate

    for condition in ("gap", "quick"):
        race(condition, draw_samples(condition, arguments.draws), arguments)


def race(condition, draws, arguments):
    """Run all sides on the same samples."""
    print(f"\ncondition {condition}: {len(draws)} draws")
    print(f"losses of loop and constant differ by {same_work(draws):.1e}")
    constant = {"learning_rate_init": RATE}
    sides = {
        "loop": lambda: run_loops(draws, arguments.steps),
        "constant": lambda: train("constant", arguments.steps, draws, **constant),
        "loss_scaled": lambda: train("loss_scaled", arguments.evaluations, draws),
        "prox_linear": lambda: train("prox_linear", 1000, draws),
        "polished": lambda: polish(coefs["prox_linear"], draws),
    }
    coefs, seconds = {}, {name: [] for name in sides}
    for _ in range(arguments.turns):
        for name, run in sides.items():
            began = time.perf_counter()
            coefs[name] = run()
            seconds[name].append(time.perf_counter() - began)
    print("\nside          architecture depth  <1e-2  <1e-8   median     worst     margin")
    for name, found in coefs.items():
        report(name, found, draws)
    print(f"\nseconds for {len(NORMS) * len(draws)} networks, and ratio to prox_linear")
    for name, own in seconds.items():
        ratios = [one / other for one, other in zip(own, seconds["prox_linear"], strict=True)]
        print(f"{name:12} {statistics.median(own):8.2f} {statistics.median(ratios):8.2f}")


def run_loops(draws, n_steps):
    """Train all networks by hand, one after the other."""
    networks, X, y = make("constant", 1, draws)
    starts = map(initial_layers, networks, X, y)
    fits = zip(networks, X, y, starts, strict=True)
    return [loop(*fit, n_steps)[0] for fit in fits]


if __name__ == "__main__":
    main()
