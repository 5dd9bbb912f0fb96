"""How fast and how large is a locally connected layer, against what one would use instead?

One forward and one backward pass, to the input and to the parameters, at shapes of signals, digits
and small images, on so many cores as there are threads. Contestants take turns in one run; figures
are medians over turns, of milliseconds and of the ratio to the layer within a turn:

* snippet: what people copy: unfold, multiply by the broadcast weight, sum
* flax: ``flax.linen.ConvLocal``, compiled and warm (left out if it cannot be imported)
* masked: a linear layer whose weight is multiplied by a mask
* conv: the convolution of the same shape, with the same arithmetic and shared weights

Outputs and gradients are compared before the race, except those of the convolution. A contestant
that would need more than a few GB at a shape is left out there. "of peak" is the share of the speed
of a large matrix product, measured in the same run.

Memory is the peak of the resident set of a fresh process during three passes, above what it was
before them and after a pass of a single sample; inputs and parameters were there, gradients were
not.

Run: ``python benchmarks/bench_locally_connected.py [--turns 5] [--threads 1] [--quick]``
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from math import prod

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from sklcnn.nn import locally_connected as lc

LAYERS = {1: lc.LocallyConnected1d, 2: lc.LocallyConnected2d}
CONVOLUTIONS = {1: nn.Conv1d, 2: nn.Conv2d}
MAX_ENTRIES = 2**28  # of the largest array of a contestant: 1 GB of float32


@dataclass(frozen=True)
class Shape:
    """A batch and a layer."""

    title: str
    n_samples: int
    in_channels: int
    out_channels: int
    size: tuple
    kernel: int
    stride: int = 1
    padding: int = 0

    @property
    def positions(self):
        ends = (length + 2 * self.padding - self.kernel for length in self.size)
        return tuple(end // self.stride + 1 for end in ends)

    @property
    def taps(self):
        return self.in_channels * self.kernel ** len(self.size)

    @property
    def multiplications(self):
        """Of the forward pass; the backward pass has twice as many."""
        return self.n_samples * prod(self.positions) * self.out_channels * self.taps


SHAPES = [
    Shape("signal 200, blocks of 20", 32, 1, 16, (200,), 20, 20),
    Shape("signal 200, k 5", 32, 1, 16, (200,), 5),
    Shape("signal 500, k 5, 16 ch", 64, 16, 16, (500,), 5),
    Shape("signal 1000, k 9", 128, 1, 16, (1000,), 9),
    Shape("28 x 28, k 3", 64, 1, 16, (28, 28), 3),
    Shape("28 x 28, blocks of 4", 128, 1, 16, (28, 28), 4, 4),
    Shape("28 x 28, k 5", 128, 1, 32, (28, 28), 5),
    Shape("32 x 32, k 3, 3 ch", 32, 3, 16, (32, 32), 3),
    Shape("32 x 32, k 3, 3 ch, pad", 128, 3, 32, (32, 32), 3, 1, 1),
    Shape("32 x 32, k 5, 16 ch, s 2", 64, 16, 32, (32, 32), 5, 2, 2),
    Shape("32 x 32, k 3, 16 ch", 64, 16, 16, (32, 32), 3),
    Shape("32 x 32, k 3, 64 ch", 32, 64, 64, (32, 32), 3),
]
QUICK = [SHAPES[i] for i in (0, 1, 4, 7)]
MEMORY = [SHAPES[i] for i in (3, 6, 8, 10)]


# The contestants: each returns a function without arguments that makes both passes once.


def make_data(shape):
    """Layer, input and slope of the output."""
    torch.manual_seed(0)
    n_axes = len(shape.size)
    places = (shape.kernel, shape.stride, shape.padding)
    layer = LAYERS[n_axes](shape.in_channels, shape.out_channels, shape.size, *places)
    x = torch.randn(shape.n_samples, shape.in_channels, *shape.size, requires_grad=True)
    return layer, x, torch.randn(shape.n_samples, shape.out_channels, *shape.positions)


def both_passes(function, x, parameters, slope):
    def run():
        out = function(x)
        return out, *torch.autograd.grad(out, (x, *parameters), slope)

    return run


def make_layer(shape):
    layer, x, slope = make_data(shape)
    return both_passes(layer, x, (layer.weight, layer.bias), slope)


def make_snippet(shape):
    if shape.multiplications > MAX_ENTRIES:
        return None
    layer, x, slope = make_data(shape)
    n_axes = len(shape.size)
    weight = layer.weight.detach().movedim(n_axes, 0).movedim(-n_axes - 1, 1)  # (O, C, *P, *K)
    weight = weight.flatten(-n_axes)[None].contiguous().requires_grad_()

    def snippet(x):
        x = F.pad(x, (shape.padding,) * 2 * n_axes)
        for axis in range(n_axes):
            x = x.unfold(2 + axis, shape.kernel, shape.stride)
        x = x.contiguous().view(*x.shape[: 2 + n_axes], -1)  # (N, C, *P, K)
        return (x[:, None] * weight).sum([2, -1]) + layer.bias

    return both_passes(snippet, x, (weight, layer.bias), slope)


def make_masked(shape):
    n_outputs = shape.out_channels * prod(shape.positions)
    n_inputs = shape.in_channels * prod(shape.size)
    if n_outputs * n_inputs > MAX_ENTRIES // 4:  # weight, mask, product and two gradients
        return None
    layer, x, slope = make_data(shape)
    basis = torch.eye(n_inputs).view(n_inputs, *x.shape[1:])
    with torch.no_grad():
        dense = (layer(basis) - layer.bias).flatten(1).t().contiguous()  # (outputs, inputs)
        ones = lc.connect_locally(
            basis, torch.ones_like(layer.weight), None, shape.stride, shape.padding
        )
    mask = (ones.flatten(1).t() > 0.5).float()
    dense = (dense * mask).requires_grad_()

    def masked(x):
        out = F.linear(x.flatten(1), dense * mask, layer.bias.flatten())
        return out.view_as(slope)

    return both_passes(masked, x, (dense, layer.bias), slope)


def make_conv(shape):
    layer, x, slope = make_data(shape)
    conv = layer.to_conv()
    return both_passes(conv, x, (conv.weight, conv.bias), slope)


def make_flax(shape):
    try:
        import jax
        from flax import linen
    except ImportError:
        return None
    layer, x, slope = make_data(shape)
    n_axes = len(shape.size)
    module = linen.ConvLocal(
        shape.out_channels,
        (shape.kernel,) * n_axes,
        strides=(shape.stride,) * n_axes,
        padding=[(shape.padding, shape.padding)] * n_axes,
    )
    kernel = layer.weight.detach().flatten(n_axes + 1).mT  # (*P, T, O)
    arrays = {"kernel": kernel, "bias": layer.bias.detach().movedim(0, -1)}
    arrays = {"params": arrays, "x": x.detach().movedim(1, -1), "slope": slope.movedim(1, -1)}
    arrays = jax.tree.map(lambda tensor: jax.numpy.asarray(tensor.numpy()), arrays)

    @jax.jit
    def step(arrays):
        def respond(params, x):
            return module.apply({"params": params}, x)

        out, backward = jax.vjp(respond, arrays["params"], arrays["x"])
        return out, *backward(arrays["slope"])

    def run():
        out, params, of_x = jax.block_until_ready(step(arrays))
        return out, of_x, params["kernel"], params["bias"]

    return run


MAKERS = {
    "layer": make_layer,
    "snippet": make_snippet,
    "flax": make_flax,
    "masked": make_masked,
    "conv": make_conv,
}


def check(name, found, reference):
    """Compare outputs and gradients to the input, whose order of axes differs in flax."""
    for ours, theirs in zip(reference[:2], found[:2], strict=True):
        if name == "flax":
            theirs = torch.from_numpy(np.array(theirs)).movedim(-1, 1)
        error = (theirs - ours).detach().abs().max() / ours.detach().abs().max()
        assert error < 1e-4, f"{name}: {error:.1e}"


# speed


def seconds(function):
    begin = time.perf_counter()
    function()
    return time.perf_counter() - begin


def peak_rate():
    """GFLOP/s of a large matrix product."""
    a = torch.randn(1024, 1024)
    return 2 * 1024**3 / statistics.median(seconds(lambda: a @ a) for _ in range(15)) / 1e9


def race(shape, turns):
    """Print the line of one shape, and return the ratios."""
    runs = {name: run for name, make in MAKERS.items() if (run := make(shape)) is not None}
    reference = runs["layer"]()
    for name, run in runs.items():
        found = run()  # also compiles and warms
        if name != "conv":
            check(name, found, reference)
        repeats = max(1, min(30, int(0.02 / seconds(run))))
        runs[name] = repeated(run, repeats)
    taken = {name: [] for name in runs}
    rates = []
    for _ in range(turns):
        rates.append(peak_rate())
        for name, run in runs.items():
            taken[name].append(run())
    ratios = {
        name: statistics.median(a / b for a, b in zip(times, taken["layer"], strict=True))
        for name, times in taken.items()
    }
    took = statistics.median(taken["layer"])
    flops = 6 * shape.multiplications / took / 1e9
    cells = "".join(f"{ratios[name]:9.2f}" if name in ratios else " " * 8 + "-" for name in PEERS)
    share = flops / statistics.median(rates)
    batch = f"{shape.n_samples} x {shape.in_channels} > {shape.out_channels}"
    print(f"{shape.title:26}{batch:>14}{1e3 * took:9.2f}{cells}{share:9.0%}", flush=True)
    return ratios


PEERS = [name for name in MAKERS if name != "layer"]


def repeated(run, repeats):
    """Seconds of a pass; a short one is repeated, after one that warms the caches again."""

    def timed():
        if repeats > 1:
            run()
        begin = time.perf_counter()
        for _ in range(repeats):
            run()
        return (time.perf_counter() - begin) / repeats

    return timed


# memory


def resident(field):
    """VmRSS, now, or VmHWM, at its peak, of this process in MB."""
    with open("/proc/self/status") as status:
        return int(next(line for line in status if line.startswith(field)).split()[1]) / 2**10


def count_memory(name, shape):
    """Print the peak of a contestant above its start."""
    run = MAKERS[name](shape)
    if run is None:
        print("nan")
        return
    MAKERS[name](replace(shape, n_samples=1))()  # libraries take what they need, once and for all
    before = resident("VmRSS")
    for _ in range(3):
        run()
    print(resident("VmHWM") - before)


def run_memory(shapes):
    print("\nMB          ", "".join(f"{name:>9}" for name in MEASURED), "  snippet / layer")
    for shape in shapes:
        peaks = {}
        for name in MEASURED:
            command = [sys.executable, __file__, "--count", name, str(SHAPES.index(shape))]
            answer = subprocess.run(command, check=True, capture_output=True, text=True)
            peaks[name] = float(answer.stdout)
        cells = "".join(f"{peak:9.0f}" for peak in peaks.values())
        print(f"{shape.title:26}{cells}{peaks['snippet'] / peaks['layer']:9.1f}", flush=True)


MEASURED = ("layer", "snippet", "flax", "conv")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="a quick check that all of it runs")
    parser.add_argument("--count", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.count:
        count_memory(arguments.count[0], SHAPES[int(arguments.count[1])])
        return
    if hasattr(os, "sched_setaffinity"):  # binds JAX too
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: arguments.threads])
    print(f"torch {torch.__version__}, {arguments.threads} thread(s), matrix product", end=" ")
    print(f"{peak_rate():.0f} GFLOP/s; times the layer's, forward and backward")
    names = "".join(f"{name:>9}" for name in PEERS)
    print(f"{'shape':26}{'batch':>14}{'layer ms':>9}{names}  of peak")
    for shape in QUICK if arguments.quick else SHAPES:
        race(shape, 3 if arguments.quick else arguments.turns)
    run_memory(MEMORY[:1] if arguments.quick else MEMORY)


if __name__ == "__main__":
    main()
