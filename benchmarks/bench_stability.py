"""What do training at the edge of stability, and the sharpness there, cost?

The peer is a plain PyTorch loop of the same network, as a user would write it: a linear layer over
patches that were cut beforehand, ReLU, mean over the patches, autograd, ``clip_grad_norm_``,
``torch.optim.SGD``. It starts from the same weights, and the losses of both sides are compared in
float64 before the race. Sides take turns in one process; figures are medians over turns, of
milliseconds for each full-batch step and of the ratio to our time within a turn. Our time is that
of ``fit``, checks and cutting of patches included.

* A, the flat run: inputs whose 8 patches of 10 features are on unit spheres, 512 samples, 1,024
  shared filters, rate 0.2, clipping at 100, 50,000 steps, which are projected from the time of a
  step; ``--full`` takes them all and prints where the run ends. "clean" is the error on the
  training inputs against the target without noise, "excess" the same on new inputs, "variance" the
  variance of that target; the edge is 2 / rate for the mean of squares without one half.
* B, regression on images: 3 x 3 windows of 3 x 32 x 32 random pixels (900 patches of 27), 1,024
  images and 1,024 shared filters, clipping at 2, 5,000 steps; on a CPU a part of it, see the
  options. Time and memory do not depend on the pixels.
* C, sharpness on the flat run, at the initial network, after 500 and after 5,000 steps: ours, in
  both precisions, against 20 steps of the power iteration from random normal vectors, with one
  Rayleigh quotient afterwards and no look at convergence, as published code does it, by autograd in
  float32. Errors are relative to ARPACK (``scipy.sparse.linalg.eigsh``, tolerance 1e-10), on
  products by autograd in float64 that share no line with ours; medians and worst over 5 starts.
  Times also in units of our training step.
* D, the time of ``sklcnn study stability --quick``, if there is such a command.

Memory is what three steps, from arrays in main memory on, add at their peak: on a CPU to the
resident set of a fresh process, after a pass of a single sample, on a GPU to the allocated memory.

Run: ``python benchmarks/bench_stability.py [--works ABCD] [--device cpu] [--threads 2] [--turns 5]
[--images 128] [--filters 128] [--full] [--quick]``
"""

import argparse
import copy
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import astuple, dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from scipy.sparse.linalg import LinearOperator, eigsh
from torch import nn

import sklcnn
from sklcnn import CNNRegressor
from sklcnn.datasets import PatchwiseSphereTeacher
from sklcnn.inspection import stability_report
from sklcnn.theory import stability_threshold
from sklcnn.training import GradientDescent

N_STARTS = 5  # of a search for the sharpness
N_PACE = 30  # training steps whose time is the unit of a search


@dataclass(frozen=True)
class Work:
    """Full-batch gradient descent of a network of shared filters."""

    kind: str  # "flat" or "images"
    n_samples: int
    n_filters: int
    clip_norm: float
    n_steps: int  # of the published run
    learning_rate: float = 0.2

    @property
    def title(self):
        n_patches = 8 if self.kind == "flat" else 900
        return f"{self.kind} {self.n_samples} x {n_patches} x {self.n_filters}"


FLAT = Work("flat", 512, 1024, 100.0, 50_000)
IMAGES = Work("images", 1024, 1024, 2.0, 5000)
SMALL = {"flat": Work("flat", 64, 32, 100.0, 2000), "images": Work("images", 8, 16, 2.0, 50)}
MILESTONES = (500, 1000, 2000, 5000, 10_000, 20_000, 30_000, 50_000)
STAGES = (0, 500, 5000)  # of work C


# the two sides


def draw(work):
    """Inputs, (n_samples, n_features), and targets."""
    if work.kind == "flat":
        return make_law().sample(work.n_samples, random_state=0)
    rng = np.random.RandomState(0)
    return rng.randn(work.n_samples, 3 * 32 * 32), rng.randn(work.n_samples)


def make_law():
    return PatchwiseSphereTeacher(n_patches=8, patch_size=10, n_filters=50, random_state=0)


def make_ours(work, device, dtype="float32"):
    """Our network, which every call of ``fit`` trains on."""
    flat = {"patch_size": 10, "stride": 10}
    images = {"patch_size": 3, "input_shape": (3, 32, 32)}
    return CNNRegressor(
        work.n_filters,
        **(flat if work.kind == "flat" else images),
        pooling="mean",
        solver=GradientDescent(clip_norm=work.clip_norm),
        learning_rate_init=work.learning_rate,
        alpha=0.0,
        tol=None,
        max_iter=1,
        warm_start=True,
        device=str(device),
        dtype=dtype,
        random_state=0,
    )


class Plain(nn.Module):
    """The same network as a user would write it."""

    def __init__(self, patch_size, n_filters):
        super().__init__()
        self.hidden = nn.Linear(patch_size, n_filters)
        self.readout = nn.Linear(n_filters, 1)

    def forward(self, patches):
        """Map (n_samples, n_patches, patch_size) to (n_samples,)."""
        responses = torch.relu(self.hidden(patches)).mean(dim=1)
        return self.readout(responses).squeeze(-1)


class PlainLoop:
    """The loop of a user, with the weights of one of our networks."""

    def __init__(self, work, network, X, y, device, dtype=torch.float32):
        self.work = work
        self.patches = cut(work, torch.as_tensor(X, dtype=dtype, device=device))
        self.y = torch.as_tensor(y, dtype=dtype, device=device)
        self.model = Plain(self.patches.shape[-1], work.n_filters).to(device, dtype)
        copy_weights(network.module_, self.model)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=work.learning_rate)

    def loss(self):
        return nn.functional.mse_loss(self.model(self.patches), self.y)

    def train(self, n_steps):
        """Take steps, and return the loss before each of them."""
        losses = []
        for _ in range(n_steps):
            self.optimizer.zero_grad()
            loss = self.loss()
            loss.backward()
            nn.utils.clip_grad_norm_(self.model.parameters(), self.work.clip_norm)
            self.optimizer.step()
            losses.append(loss.detach())
        return torch.stack(losses).tolist()


def cut(work, X):
    """Cut the patches of all samples, (n_samples, n_patches, patch_size)."""
    if work.kind == "flat":
        return X.view(len(X), 8, 10)
    return nn.functional.unfold(X.view(len(X), 3, 32, 32), 3).mT.contiguous()


@torch.no_grad()
def copy_weights(network, plain):
    plain.hidden.weight.copy_(network.weight[0])
    plain.hidden.bias.copy_(network.bias[0])
    plain.readout.weight.copy_(network.readout_weight)
    plain.readout.bias.copy_(network.readout_bias)


def train_ours(network, X, y, n_steps):
    """Take steps from where the network is, and return the loss before each of them."""
    return network.set_params(max_iter=n_steps).fit(X, y).loss_curve_[-n_steps:]


def check(work, device):
    """Print how far the losses of 20 steps in float64 are apart, relative to them."""
    some = Work(work.kind, min(work.n_samples, 64), work.n_filters, work.clip_norm, 20)
    X, y = draw(some)
    network = make_ours(some, device, "float64").fit(X, y)
    loop = PlainLoop(some, network, X, y, device, torch.float64)
    ours, theirs = np.array(train_ours(network, X, y, 20)), np.array(loop.train(20))
    gap = np.abs(ours / theirs - 1).max()
    assert gap < 1e-6, f"{work.title}: losses differ by {gap:.1e}"
    print(f"{work.title}: same losses in float64, 20 steps: they differ by {gap:.0e}")


# speed


def seconds(function, device):
    synchronize(device)
    begin = time.perf_counter()
    function()
    synchronize(device)
    return time.perf_counter() - begin


def synchronize(device):
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def race(work, arguments):
    """Print milliseconds of a step on both sides."""
    check(work, arguments.device)
    X, y = draw(work)
    network = make_ours(work, arguments.device).fit(X, y)
    loop = PlainLoop(work, network, X, y, arguments.device)
    sides = {"ours": lambda n: train_ours(network, X, y, n), "plain": loop.train}
    counts = {name: calibrate(train, arguments) for name, train in sides.items()}
    taken = {name: [] for name in sides}
    for _ in range(arguments.turns):
        for name, train in sides.items():
            n_steps = counts[name]
            took = seconds(lambda train=train, n=n_steps: train(n), arguments.device)
            taken[name].append(took / n_steps)
    pairs = zip(taken["plain"], taken["ours"], strict=True)
    ratio = statistics.median(plain / ours for plain, ours in pairs)
    ours, plain = (statistics.median(taken[name]) for name in sides)
    steps = f"{work.n_steps:,} steps"
    print(f"{'':32}{'ours ms':>9}{'plain ms':>10}{'x ours':>8}    {steps}, projected")
    print(f"{work.title:32}{1e3 * ours:9.2f}{1e3 * plain:10.2f}{ratio:8.2f}", end="")
    print(f"    {work.n_steps * ours:.0f} s, plain {work.n_steps * plain:.0f} s", flush=True)


def calibrate(train, arguments):
    """Warm up, and return the number of steps that take about a second."""
    train(2)
    took = seconds(lambda: train(5), arguments.device) / 5
    return max(3, min(1000, int(arguments.seconds / took)))


# memory


def print_memory(work, arguments):
    peaks = [measure_memory(work, side, arguments) for side in ("ours", "plain")]
    print(f"{'':32}{'ours MB':>9}{'plain MB':>10}{'x ours':>8}")
    ratio = peaks[1] / peaks[0]
    print(f"{work.title:32}{peaks[0]:9.0f}{peaks[1]:10.0f}{ratio:8.1f}", flush=True)


def measure_memory(work, side, arguments):
    """Return the peak of a side in MB; on a CPU it runs in a process of its own."""
    if arguments.device.type == "cuda":
        return count_on_gpu(work, side, arguments.device)
    values = map(str, astuple(work))
    command = [sys.executable, __file__, "--count", side, *values]
    command += ["--threads", str(arguments.threads)]
    answer = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(answer.stdout)


def three_steps(work, side, X, y, network, device):
    """Take three steps on a side, from arrays on."""
    if side == "plain":
        PlainLoop(work, network, X, y, device).train(3)
    else:
        train_ours(network, X, y, 3)


def count_on_gpu(work, side, device):
    X, y = draw(work)
    network = make_ours(work, device).fit(X[:1], y[:1])
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    three_steps(work, side, X, y, network, device)
    return (torch.cuda.max_memory_allocated(device) - before) / 2**20


def count_on_cpu(side, values):
    """Print the peak of a side above what was there before, in MB."""
    kinds = (str, int, int, float, int, float)
    work = Work(*(kind(value) for kind, value in zip(kinds, values, strict=True)))
    device, (X, y) = torch.device("cpu"), draw(work)
    network = make_ours(work, device).fit(X[:1], y[:1])
    three_steps(work, side, X[:1], y[:1], network, device)  # libraries take what they need
    before = resident("VmRSS")
    three_steps(work, side, X, y, network, device)
    print(resident("VmHWM") - before)


def resident(field):
    """VmRSS, now, or VmHWM, at its peak, of this process in MB."""
    with open("/proc/self/status") as status:
        return int(next(line for line in status if line.startswith(field)).split()[1]) / 2**10


# the whole flat run


def run_full(work, arguments):
    """Take all steps, and print what the network is like on the way and at the end."""
    law = make_law()
    X, y, clean = law.sample(work.n_samples, random_state=0, return_clean=True)
    X_test, _, clean_test = law.sample(10_000, random_state=1, return_clean=True)
    network, took = make_ours(work, arguments.device), 0.0
    print(f"\n{work.title}, all steps; variance {law.target_variance():.2f}")
    print("   step   seconds      loss     clean    excess  sharpness / edge  activation")
    for step, after in pairwise((0, *(m for m in MILESTONES if m <= work.n_steps))):
        n_steps = after - step
        took += seconds(lambda n=n_steps: train_ours(network, X, y, n), arguments.device)
        report = stability_report(network, X, y)
        loss, error, excess = (
            np.mean((network.predict(inputs) - targets) ** 2)
            for inputs, targets in ((X, y), (X, clean), (X_test, clean_test))
        )
        share = report.sharpness / stability_threshold(work.learning_rate)
        print(f"{after:7}{took:10.1f}{loss:10.1e}{error:10.4f}{excess:10.4f}", end="")
        print(f"{share:18.4f}{report.activation_rates.mean():12.1%}", flush=True)


# sharpness


def run_sharpness(work, stages, arguments):
    """Print time and error of the sharpness at stages of the flat run."""
    X, y = draw(work)
    network = make_ours(work, arguments.device)
    start_only(network, X, y)
    print("\nsharpness on the flat run                      ms    steps   error  (worst)")
    for stage, n_steps in zip(stages, np.diff(stages, prepend=0).tolist(), strict=True):
        if n_steps:
            train_ours(network, X, y, n_steps)
        reference = find_reference(work, network, X, y, arguments.device)
        print(f"after {stage} steps it is {reference:.6f}")
        step = partial(train_ours, copy.deepcopy(network), X, y, N_PACE)
        for name, find in ways(work, network, X, y, arguments.device).items():
            print_way(name, find, reference, step, arguments)


def start_only(network, X, y):
    """Fit without moving: the rate is next to nothing in this one step."""
    rate = network.learning_rate_init
    network.set_params(max_iter=1, learning_rate_init=1e-30).fit(X, y)
    network.set_params(learning_rate_init=rate)


def ways(work, network, X, y, device):
    """The contestants: functions of a seed that return a sharpness."""
    found = {
        f"ours, {dtype}": lambda seed, dtype=dtype: sklcnn.sharpness(
            network, X, y, dtype=dtype, random_state=seed
        )
        for dtype in ("float64", "float32")
    }
    loop = PlainLoop(work, network, X, y, device)
    return found | {"power iteration, 20 steps": lambda seed: iterate(loop, seed)}


def print_way(name, find, reference, train, arguments):
    """Print medians of time and error over starts, and the worst error.

    Some steps of training are taken next to each search, as the unit of its time.
    """
    values, taken, in_steps = [], [], []
    for seed in range(N_STARTS):
        pace = seconds(train, arguments.device) / N_PACE
        taken.append(seconds(lambda seed=seed: values.append(find(seed)), arguments.device))
        in_steps.append(taken[-1] / pace)
    errors = [abs(value / reference - 1) for value in values]
    print(f"   {name:33}{1e3 * statistics.median(taken):13.1f}", end="")
    print(f"{statistics.median(in_steps):9.1f}", end="")
    print(f"{statistics.median(errors):10.1e}{max(errors):9.1e}", flush=True)


def multiplier(loop):
    """Products with the Hessian of a plain loop by autograd, and its number of parameters."""
    parameters = list(loop.model.parameters())
    slopes = torch.autograd.grad(loop.loss(), parameters, create_graph=True)
    slopes = torch.cat([slope.flatten() for slope in slopes])

    def multiply(vector):
        product = torch.autograd.grad(slopes @ vector, parameters, retain_graph=True)
        return torch.cat([part.flatten() for part in product])

    return multiply, len(slopes)


def iterate(loop, seed):
    """The sharpness as published code finds it: 20 steps of the power iteration."""
    multiply, size = multiplier(loop)
    torch.manual_seed(seed)
    vector = torch.randn(size, device=loop.y.device)
    vector /= vector.norm()
    for _ in range(20):
        product = multiply(vector)
        vector = product / product.norm()
    return (vector @ multiply(vector)).item()


def find_reference(work, network, X, y, device):
    """The largest eigenvalue by ARPACK, in float64."""
    loop = PlainLoop(work, network, X, y, device, torch.float64)
    multiply, size = multiplier(loop)

    def product(vector):
        vector = torch.as_tensor(vector.ravel(), device=device)
        return multiply(vector).cpu().numpy()

    hessian = LinearOperator((size, size), matvec=product, dtype=np.float64)
    start = np.random.RandomState(0).randn(size)
    return eigsh(hessian, k=1, which="LA", tol=1e-10, v0=start, return_eigenvectors=False)[0]


# the command


def run_study(arguments):
    """Print the time of the quick study."""
    environment = os.environ | {"OMP_NUM_THREADS": str(arguments.threads)}
    command = shutil.which("sklcnn", path=str(Path(sys.executable).parent)) or "sklcnn"
    study = [command, "study", "stability"]
    if not works([*study, "--help"]):
        print("\nthere is no command sklcnn study stability: work D is left out")
        return
    with tempfile.TemporaryDirectory() as folder:
        took = []
        for turn in range(1 if arguments.quick else 3):
            out = str(Path(folder, str(turn)))
            begin = time.perf_counter()
            command = [*study, "--quick", "--out", out]
            subprocess.run(command, check=True, capture_output=True, env=environment)
            took.append(time.perf_counter() - begin)
    print(f"\nsklcnn study stability --quick: {statistics.median(took):.0f} s ({len(took)} turns)")


def works(command):
    try:
        return subprocess.run(command, capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--works", default="ABCD")
    parser.add_argument("--device", type=torch.device, default=torch.device("cpu"))
    parser.add_argument("--threads", type=int, default=2, help="of torch, on a CPU")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="of a turn of one side, about")
    parser.add_argument("--images", type=int, help="samples of work B; 128 on a CPU, else 1,024")
    parser.add_argument("--filters", type=int, help="of work B; 128 on a CPU, else 1,024")
    parser.add_argument("--full", action="store_true", help="take all 50,000 steps of work A")
    parser.add_argument("--quick", action="store_true", help="a quick check that all of it runs")
    parser.add_argument("--count", nargs=7, help=argparse.SUPPRESS)
    return parser.parse_args()


def choose_works(arguments):
    """Return the flat run and the regression on images, of a size that the device bears."""
    if arguments.quick:
        return SMALL["flat"], SMALL["images"]
    size = 1024 if arguments.device.type == "cuda" else 128
    n_samples, n_filters = arguments.images or size, arguments.filters or size
    return FLAT, replace(IMAGES, n_samples=n_samples, n_filters=n_filters)


def run_flat(work, arguments):
    """Works A and C."""
    if "A" in arguments.works:
        race(work, arguments)
        print_memory(work, arguments)
    if arguments.full:
        run_full(work, arguments)
    if "C" in arguments.works:
        run_sharpness(work, (0, 50, 200) if arguments.quick else STAGES, arguments)


def run_images(work, arguments):
    """Work B."""
    share = work.n_samples * work.n_filters / (IMAGES.n_samples * IMAGES.n_filters)
    print(f"\nof the published regression on images, {share:.1%} of the arithmetic")
    race(work, arguments)
    print_memory(work, arguments)


def main():
    arguments = parse_arguments()
    torch.set_num_threads(arguments.threads)
    if arguments.count:
        count_on_cpu(arguments.count[0], arguments.count[1:])
        return
    if arguments.quick:
        arguments.turns, arguments.seconds = 2, 0.1
    flat, images = choose_works(arguments)
    print(f"torch {torch.__version__}, {arguments.device}, {arguments.threads} thread(s)")
    if {"A", "C"} & set(arguments.works) or arguments.full:
        run_flat(flat, arguments)
    if "B" in arguments.works:
        run_images(images, arguments)
    if "D" in arguments.works:
        run_study(arguments)


if __name__ == "__main__":
    main()
