"""Many networks as one: jobs that agree in everything but numbers train in one stack.

A stack is a module whose parameters have a leading axis of members. Data, seed, the numbers of the
solver, penalty and the moment of stopping are each member's own; what else differs makes another
stack. A stack of one has no leading axis: it is the ordinary fit.
"""

import copy
import math
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import nn

from sklcnn.training.jobs import Job, Samples

__all__ = ["Stack", "group_jobs", "is_large", "make_stack", "spread"]

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
    groups: dict[Any, list[int]] = {}
    for position, job in enumerate(jobs):
        groups.setdefault(job.common or position, []).append(position)
    chunks = []
    for group in groups.values():
        group.sort(key=lambda position: len(jobs[position].samples))
        chunks += _chunks(group, jobs, memory, n_threads)
    return chunks


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
    if len(jobs) == 1:
        module, samples, validation = job.module, job.samples, job.validation
    else:
        module = _stack_modules([job.module for job in jobs])
        samples = _stack_samples([job.samples for job in jobs])
        validation = job.validation and _stack_samples([job.validation for job in jobs])
    return Stack(
        list(jobs),
        module,
        samples and samples.to(job.device, dtype),
        validation and validation.to(job.device, dtype),
        copy.deepcopy(module) if job.early_stopping else module,
    )


def _chunks(group, jobs, memory, n_threads):
    """Cut positions, sorted by number of samples, where padding or memory would be wasted."""
    runs, padding = [[group[0]]], 0
    for position in group[1:]:
        run, job = runs[-1], jobs[position]
        shortest, longest = len(jobs[run[0]].samples), len(job.samples)
        padding += len(run) * (longest - len(jobs[run[-1]].samples)) * _sample_bytes(job)
        if longest > (1 + MAX_PADDING) * shortest and padding > MIN_PADDING_BYTES:
            runs.append([])
            padding = 0
        runs[-1].append(position)
    return [chunk for run in runs for chunk in _cut_evenly(run, jobs[run[-1]], memory, n_threads)]


def _cut_evenly(run, longest, memory, n_threads):
    """Cut positions into as few parts as fit, or one for each thread if they stay large enough."""
    n_parts = -(-len(run) // _max_members(longest, memory))
    if longest.device.type == "cpu":
        n_large = len(run) * _step_bytes(longest) // LARGE_BYTES
        n_parts = max(n_parts, min(n_threads, n_large))
    bounds = [len(run) * part // n_parts for part in range(n_parts + 1)]
    return [run[begin:end] for begin, end in pairwise(bounds)]


def is_large(jobs):
    """Whether a step of a stack takes long enough for a thread, or several, of its own."""
    longest = max(jobs, key=lambda job: len(job.samples))
    return longest.device.type == "cpu" and len(jobs) * _step_bytes(longest) >= LARGE_BYTES


def _sample_bytes(job):
    """Size of what a step touches for each sample: cut patches, responses and their gradient."""
    module = job.module
    n_blocks, patch_size, n_sharing = module.blocks
    entries = n_blocks * n_sharing * (patch_size + 1 + 2 * module.weight.shape[-2])
    return entries * module.weight.element_size()


def _step_bytes(job):
    """Size of what a step of one member touches."""
    n_parameters = sum(parameter.numel() for parameter in job.module.parameters())
    parameters = 4 * n_parameters * job.module.weight.element_size()
    return min(job.batch_size, len(job.samples)) * _sample_bytes(job) + parameters


def _max_members(job, memory):
    """Members whose step fits the cache, or a share of the free memory of a GPU, or the budget."""
    size = _step_bytes(job)
    if job.device.type == "cuda":
        room = memory or int(GPU_SHARE * torch.cuda.mem_get_info(job.device)[0])
        return max(1, room // (4 * size))
    return max(1, int(min(CACHE_BYTES // size, (memory or math.inf) // (4 * size))))


def _stack_modules(modules):
    stack = copy.deepcopy(modules[0])
    members = [dict(module.named_parameters()) for module in modules]
    for name, parameter in stack.named_parameters():
        parameter.data = torch.stack([member[name].data for member in members])
    return stack


def _stack_samples(members):
    """Stack the samples of all members; the shorter ones end in samples of weight zero."""
    n_samples = max(map(len, members))
    alike = all(member.weight is None and len(member) == n_samples for member in members)
    return Samples(
        np.stack([_pad(member.X, n_samples) for member in members]),
        np.stack([_pad(member.target, n_samples) for member in members]),
        None if alike else np.stack([_pad(_weight(member), n_samples) for member in members]),
    )


def _weight(samples):
    return np.ones(len(samples)) if samples.weight is None else samples.weight


def _pad(array, n_samples):
    width = [(0, n_samples - len(array)), *[(0, 0)] * (array.ndim - 1)]
    return np.pad(array, width) if width[0][1] else array
