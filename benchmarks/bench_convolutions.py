"""How should convolutional networks train together: in a loop, grouped, or unfolded?

A step (forward, loss, backward) of members that train side by side, on one thread:

- "loop": member after member, each an ordinary convolution with the channels last;
- "grouped": all members in one convolution, a group of channels each: what the fleet does, as far
  as its limit of memory goes ("fits": how many members that is);
- "unfolded": patches are gathered and multiplied, members along the batch of one matrix product.

Milliseconds for each member, and the time of the loop as a multiple of that of the others: above 1
stacking pays. Medians over turns that take the ways by turns.

Run: ``python benchmarks/bench_convolutions.py [--turns 7]``
"""

import argparse
import copy
import statistics
import time

import numpy as np
import torch
from torch import nn

from sklcnn.estimators.layers import plan_local_layers
from sklcnn.nn import DeepNetwork
from sklcnn.nn.gradients import loss_and_gradients
from sklcnn.nn.layers import PatchLayer, draw_parameters
from sklcnn.nn.losses import MeanLoss
from sklcnn.training.stacks import CACHE_BYTES

BATCH = 64
N_CLASSES = 10
# (name, input_shape, n_filters, patch_size, members)
SHAPES = (
    ("signal of 100", (1, 1, 100), (8, 16), 5, (4, 16)),
    ("digits, 8 x 8", (1, 8, 8), (16, 32), 3, (4, 16)),
    ("28 x 28", (1, 28, 28), (8, 16), 3, (2, 8)),
    ("32 x 32, 3 channels", (3, 32, 32), (16, 32), 3, (2, 4)),
    ("32 x 32, wide", (3, 32, 32), (32, 64), 3, (2, 4)),
)


class Unfolded(DeepNetwork):
    """The same network of gathered patches."""

    def __init__(self, plans, n_outputs, input_shape):
        super().__init__(plans, n_outputs, input_shape)
        self.convolutional = False
        self.layers = nn.ModuleList(PatchLayer(plan, "relu", torch.float32) for plan in plans)
        draw_parameters(self, "relu", torch.Generator(), 1.0)


def make_plans(input_shape, n_filters, patch_size):
    """Two hidden layers, each followed by maxima over windows of two."""

    class Parameters:
        pooling, pool_size, padding, stride, patch_indices = "max", 2, "same", 1, None

    Parameters.n_filters, Parameters.patch_size = n_filters, patch_size
    Parameters.input_shape = input_shape
    return plan_local_layers(Parameters, int(np.prod(input_shape)), 1)


def stack(network, n_members):
    """Many copies as one."""
    many = copy.deepcopy(network)
    for parameter in many.parameters():
        parameter.data = torch.stack([parameter.data] * n_members)
    return many


def stepper(network, n_members, n_features):
    """A function that takes one step of all members."""
    lead = () if n_members is None else (n_members,)
    generator = torch.Generator().manual_seed(0)
    X = torch.randn(*lead, BATCH, n_features, generator=generator)
    target = torch.randn(*lead, BATCH, N_CLASSES, generator=generator).sign()
    loss = MeanLoss("squared_error")
    return lambda: loss_and_gradients(network, loss, network.cut(network.extend(X)), target)


def time_all(steps, turns):
    """Median seconds of each function, taken by turns."""
    for step in steps:
        step()
    seconds = [[] for _ in steps]
    for _ in range(turns):
        for own, step in zip(seconds, steps, strict=True):
            begin = time.perf_counter()
            step()
            own.append(time.perf_counter() - begin)
    return [statistics.median(own) for own in seconds]


def report(name, input_shape, n_filters, patch_size, members, turns):
    """Print the rows of one shape."""
    plans = make_plans(input_shape, n_filters, patch_size)
    n_features = int(np.prod(input_shape))
    options = (plans, N_CLASSES, input_shape)
    convolution = DeepNetwork(*options, generator=torch.Generator())
    unfolded = Unfolded(*options)
    inputs, responses = convolution.footprint
    fits = max(1, CACHE_BYTES // (4 * BATCH * (inputs + 2 * responses)))
    for n_members in members:
        single = stepper(convolution, None, n_features)
        steps = (
            lambda single=single, n_members=n_members: [single() for _ in range(n_members)],
            stepper(stack(convolution, n_members), n_members, n_features),
            stepper(stack(unfolded, n_members), n_members, n_features),
        )
        loop, grouped, gathered = (1000 * s / n_members for s in time_all(steps, turns))
        print(
            f"{name:20} {n_members:8d} {fits:6d} {loop:8.2f} {grouped:8.2f} {gathered:9.2f}"
            f" {loop / grouped:11.2f} {loop / gathered:12.2f}"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=7)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(
        f"{'shape':20} {'members':>8} {'fits':>6} {'loop':>8} {'grouped':>8} {'unfolded':>9}"
        f" {'by grouped':>11} {'by unfolded':>12}"
    )
    for shape in SHAPES:
        report(*shape, arguments.turns)


if __name__ == "__main__":
    main()
