"""Many networks as one: jobs that agree in everything but numbers train in one stack.

A stack is a module whose parameters have a leading axis of members. Data, seed, the numbers of the
solver, penalty and the moment of stopping are each member's own; what else differs makes another
stack. A stack of one has no leading axis: it is the ordinary fit. Members that train on the same
samples in the same order, such as the candidates of a grid search on one fold, are *siblings*: they
stand in a row and share one copy of their inputs.
"""

import copy
import math
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import nn

from sklcnn.nn.gradients import takes_siblings
from sklcnn.training.jobs import Job, Samples

__all__ = ["Stack", "group_jobs", "is_large", "make_stack", "n_siblings", "spread"]

# Members whose numbers of samples differ are padded by samples of weight zero, up to this share.
MAX_PADDING = 0.25
# Padding below this size costs less than the overhead of another stack's step, about 0.2 ms.
MIN_PADDING_BYTES = 4 * 2**20
# Threads that train smaller stacks than this side by side keep the interpreter from each other.
LARGE_BYTES = 6 * 2**20
# What one step touches should stay in the cache: beyond it stacking gains nothing on a CPU.
CACHE_BYTES = 32 * 2**20
# On a GPU a stack fills this share of the free memory.
GPU_SHARE = 0.25


@dataclass
class Stack:
    """Jobs as one module and one set of samples, on the device."""

    jobs: list[Job]
    module: nn.Module
    samples: Samples | None
    validation: Samples | None
    kept: nn.Module  # what members leave with: the module itself, or its weights of the best epoch
    n_siblings: int = 1  # members in a row that share their inputs

    @property
    def stacked(self):
        """Whether parameters have an axis of members."""
        return len(self.jobs) > 1

    def numbers(self, name):
        """Return a number of every job: a float if all are equal, else an array (n_members,)."""
        values = [getattr(job, name) for job in self.jobs]
        return values[0] if len(set(values)) == 1 else np.array(values)

    def unstack(self, number, weights, row):
        """Return the module of one member, with the weights in one row of a stacked module."""
        if row is None:
            self.module.load_state_dict(weights.state_dict())
            return self.module
        rows = {name: value[row].clone() for name, value in weights.named_parameters()}
        return self.jobs[number].module.with_parameters(rows)


def group_jobs(jobs, memory=None, n_threads=1):
    """Return lists of positions of jobs, each to be trained in one stack.

    Parameters
    ----------
    jobs : list of Job
        In any order.
    memory : int or None, default=None
        Largest size of a stack in bytes, None for what suits the device.
    n_threads : int, default=1
        Large stacks are cut so that as many threads have one each.

    Returns
    -------
    groups : list of lists of int
        Every position once.
    """
    chunks = []
    for group in _collect(range(len(jobs)), lambda position: jobs[position].common or position):
        for families in _collect(_siblings(group, jobs, memory), len):
            families.sort(key=lambda family: len(jobs[family[0]].samples))
            chunks += _chunks(families, jobs, memory, n_threads)
    return chunks


def _collect(entries, key):
    """Return lists of the entries that have the same key."""
    found: dict[Any, list[Any]] = {}
    for entry in entries:
        found.setdefault(key(entry), []).append(entry)
    return list(found.values())


def _siblings(group, jobs, memory=None):
    """Return families: lists of positions whose samples, in the order that they come, are equal.

    A few siblings among many strangers gain less than a stack of their own costs: they stay alone.
    """
    families = []
    for alike in _collect(group, lambda position: jobs[position].sample_key):
        if len(alike) == 1 or not takes_siblings(jobs[alike[0]].module):
            families += [[position] for position in alike]
        else:
            families += _collect(alike, lambda position: jobs[position].samples.digest)
    if 2 * sum(len(family) for family in families if len(family) > 1) < len(group):
        return [[position] for position in group]
    return [
        part for family in families for part in _cut(family, _max_siblings(jobs[family[0]], memory))
    ]


def spread(stacks):
    """Let stacks of jobs take turns on the GPUs, unless one of them was named."""
    n_gpus = torch.cuda.device_count()
    return [
        [_on_gpu(job, number % n_gpus) if n_gpus > 1 else job for job in jobs]
        for number, jobs in enumerate(stacks)
    ]


def _on_gpu(job, index):
    if job.device.type != "cuda" or job.device.index is not None:
        return job
    return replace(job, device=torch.device("cuda", index))


def make_stack(jobs):
    """Return the stack of some jobs; a single one keeps its module and its shapes."""
    job = jobs[0]
    dtype = next(job.module.parameters()).dtype
    siblings = 1
    if len(jobs) == 1:
        module, samples, validation = job.module, job.samples, job.validation
    else:
        siblings = n_siblings(jobs)
        module = _stack_modules([job.module for job in jobs])
        samples = _stack_samples([job.samples for job in jobs], siblings)
        validation = job.validation and _stack_samples([job.validation for job in jobs])
    return Stack(
        list(jobs),
        module,
        samples and samples.to(job.device, dtype),
        validation and validation.to(job.device, dtype),
        copy.deepcopy(module) if job.early_stopping else module,
        siblings,
    )


def n_siblings(jobs):
    """Return how many jobs in a row share their samples, all along; 1 if that is not so."""
    families = _siblings(range(len(jobs)), jobs)
    size = len(families[0])
    rows = list(range(len(jobs)))
    return size if families == [rows[i : i + size] for i in range(0, len(rows), size)] else 1


def _chunks(families, jobs, memory, n_threads):
    """Cut families, sorted by number of samples, where padding or memory would be wasted."""
    runs, padding = [[families[0]]], 0
    for family in families[1:]:
        run, job = runs[-1], jobs[family[0]]
        shortest, longest = len(jobs[run[0][0]].samples), len(job.samples)
        size = _sample_bytes(job, len(family))
        padding += len(run) * (longest - len(jobs[run[-1][0]].samples)) * size
        if longest > (1 + MAX_PADDING) * shortest and padding > MIN_PADDING_BYTES:
            runs.append([])
            padding = 0
        runs[-1].append(family)
    parts = [part for run in runs for part in _cut(run, _most(run, jobs, memory, n_threads))]
    return [[position for family in part for position in family] for part in parts]


def _most(run, jobs, memory, n_threads):
    """Families that fit a stack; fewer if each thread then has a large stack of its own."""
    longest = jobs[run[-1][0]]
    size = _step_bytes(longest, len(run[-1]))
    most = max(1, int(_room(longest, memory) // size))
    if longest.device.type == "cpu":
        n_large = min(n_threads, len(run) * size // LARGE_BYTES)
        most = min(most, -(-len(run) // max(1, n_large)))
    return most


def _cut(entries, most):
    """Cut a list into as few parts of about equal length as keep within a length."""
    n_parts = -(-len(entries) // most)
    bounds = [len(entries) * part // n_parts for part in range(n_parts + 1)]
    return [entries[begin:end] for begin, end in pairwise(bounds)]


def is_large(jobs):
    """Whether a step of a stack takes long enough for a thread, or several, of its own."""
    longest = max(jobs, key=lambda job: len(job.samples))
    siblings = n_siblings(jobs)
    size = len(jobs) // siblings * _step_bytes(longest, siblings)
    return longest.device.type == "cpu" and size >= LARGE_BYTES


def _sample_bytes(job, siblings=1):
    """Size of what a step touches for each sample: cut patches, responses and their gradient."""
    inputs, responses = job.module.footprint
    return (inputs + 2 * siblings * responses) * _element_size(job)


def _step_bytes(job, siblings=1):
    """Size of what a step of some siblings touches."""
    n_parameters = sum(parameter.numel() for parameter in job.module.parameters())
    parameters = 4 * n_parameters * _element_size(job)
    batch_size = min(job.batch_size, len(job.samples))
    return batch_size * _sample_bytes(job, siblings) + siblings * parameters


def _element_size(job):
    return next(job.module.parameters()).element_size()


def _room(job, memory):
    """Size of a step that fits the cache, or a share of the free memory of a GPU, or the budget."""
    if job.device.type == "cuda":
        return (memory or int(GPU_SHARE * torch.cuda.mem_get_info(job.device)[0])) // 4
    return min(CACHE_BYTES, (memory or math.inf) // 4)


def _max_siblings(job, memory):
    """Siblings that fit the room beside the inputs that they share, at least one."""
    alone = _step_bytes(job)
    each = _step_bytes(job, 2) - alone
    return max(1, int((_room(job, memory) - alone) // each) + 1)


def _stack_modules(modules):
    stack = copy.deepcopy(modules[0])
    members = [dict(module.named_parameters()) for module in modules]
    for name, parameter in stack.named_parameters():
        parameter.data = torch.stack([member[name].data for member in members])
    return stack


def _stack_samples(members, siblings=1):
    """Stack the samples of all members; the shorter ones end in samples of weight zero.

    Siblings share a row of inputs.
    """
    n_samples = max(map(len, members))
    alike = all(member.weight is None and len(member) == n_samples for member in members)
    return Samples(
        np.stack([_pad(member.X, n_samples) for member in members[::siblings]]),
        np.stack([_pad(member.target, n_samples) for member in members]),
        None if alike else np.stack([_pad(_weight(member), n_samples) for member in members]),
    )


def _weight(samples):
    return np.ones(len(samples)) if samples.weight is None else samples.weight


def _pad(array, n_samples):
    width = [(0, n_samples - len(array)), *[(0, 0)] * (array.ndim - 1)]
    return np.pad(array, width) if width[0][1] else array
