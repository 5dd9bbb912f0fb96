"""What goes into training and what comes out."""

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import nn

from sklcnn.training.translation import Translation

__all__ = ["Job", "Samples", "Trained"]


@dataclass(frozen=True)
class Samples:
    """Inputs, coded targets and weights of some samples, as arrays or tensors.

    Samples lie on axis -2 of X and target and on axis -1 of weight; members of a stack in front. X
    may have a row for so many members at once: siblings, which look at the same inputs.
    """

    X: Any  # (..., n_samples, n_features)
    target: Any  # (..., n_samples, n_outputs)
    weight: Any = None  # (..., n_samples), None: all one

    def __len__(self):
        return self.X.shape[-2]

    def to(self, device, dtype):
        """Return the same samples as tensors on a device."""
        return self._map(lambda array: _as_tensor(array, device, dtype))

    @cached_property
    def digest(self):
        """Digest of the inputs: equal for equal inputs."""
        return hashlib.sha1(np.ascontiguousarray(self.X), usedforsecurity=False).digest()

    def part(self, begin, end):
        """Return the samples from one number to another."""
        target = None if self.target is None else self.target[..., begin:end, :]
        weight = None if self.weight is None else self.weight[..., begin:end]
        return Samples(self.X[..., begin:end, :], target, weight)

    def take(self, rows):
        """Return the samples at rows (n_rows,), or at rows of each row of X (n_inputs, n_rows)."""
        if rows.dim() == 1:
            return self._map(lambda tensor: tensor.index_select(0, rows))

        def select(tensor):
            own = rows.repeat_interleave(len(tensor) // len(rows), dim=0)
            own = own + len(self) * torch.arange(len(tensor), device=rows.device)[:, None]
            return tensor.flatten(0, 1).index_select(0, own.flatten()).unflatten(0, own.shape)

        return self._map(select)

    def keep(self, members):
        """Return the samples of some members of a stack, as many siblings of each."""

        def select(tensor):
            own = members // (len(self.target) // len(tensor))
            return tensor[torch.unique_consecutive(own)]

        return self._map(select)

    def _map(self, function):
        parts = (self.X, self.target, self.weight)
        return Samples(*(None if part is None else function(part) for part in parts))


@dataclass(frozen=True)
class Job:
    """Everything that training one network needs; labels and estimators are not part of it."""

    module: nn.Module  # already seeded
    samples: Samples
    validation: Samples | None
    loss: str
    solver: Any
    learning_rate: float
    alpha: float
    batch_size: int
    max_iter: int
    tol: float | None
    n_iter_no_change: int
    early_stopping: bool
    device: torch.device
    shuffle_state: torch.Tensor  # state of the generator that shuffles mini-batches
    solver_state: dict | None = None  # of an earlier training that this one continues
    logarithm: bool = False  # whether that of the mean loss is minimized, on all samples at once
    snapshots: tuple[int, ...] = ()  # epochs after which the weights are copied; 0 is the start
    translation: Translation | None = None  # of the training samples, drawn anew in every epoch
    callbacks: tuple = ()
    epoch_hook: Any = None
    verbose: int = 0

    @cached_property
    def common(self):
        """What must be equal within a stack; None for a job that must train alone.

        A callback watches one net, and a training that is resumed has a past of its own.
        """
        if self.callbacks or self.epoch_hook or self.verbose or self.solver_state:
            return None
        n_batches = -(-len(self.samples) // self.batch_size)
        return (
            self.module.layout,
            tuple((name, p.shape, p.dtype) for name, p in self.module.named_parameters()),
            (self.loss, self.logarithm, self.solver.kind, self.early_stopping, self.device),
            (n_batches, self.batch_size if n_batches > 1 else None, self.translation),
            self.samples.X.shape[1],
            None if self.validation is None else len(self.validation),
        )

    @cached_property
    def sample_key(self):
        """What siblings have in common besides ``common`` and the digest of their inputs."""
        samples = self.samples
        parts = [samples.target.tobytes()]
        if samples.weight is not None:
            parts.append(samples.weight.tobytes())
        if len(samples) > self.batch_size or self.translation:
            parts.append(self.shuffle_state.numpy().tobytes())
        return samples.X.shape, tuple(parts)

    @cached_property
    def n_bytes(self):
        """Memory that the job fills while it waits: its samples, twice, for those of the caller."""
        parts = (self.samples, self.validation)
        return 2 * sum(part.X.nbytes + part.target.nbytes for part in parts if part is not None)


@dataclass(frozen=True)
class Trained:
    """A trained module and the record of its training."""

    module: nn.Module
    train_loss: list  # one value per epoch
    validation_loss: list  # one value per epoch, empty without validation samples
    stopped: bool  # whether training ended before max_iter
    seconds: float  # of training; of a stack, the share of this member
    shuffle_state: torch.Tensor = field(repr=False)
    solver_state: dict = field(repr=False)
    # Weights after the epochs that the job names, by epoch and name.
    snapshots: dict[int, dict[str, torch.Tensor]] = field(default_factory=dict, repr=False)


def _as_tensor(array, device, dtype):
    if isinstance(array, torch.Tensor):
        return array
    return torch.tensor(np.ascontiguousarray(array), dtype=dtype, device=device)
