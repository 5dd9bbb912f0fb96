"""Resident samples, cut into patches batch by batch, for training and for prediction."""

import torch

from sklcnn.training.jobs import Samples

__all__ = ["Batches", "chunk_size", "outputs"]

# Largest number of patch entries that prediction holds at once (64 MB in float32).
CHUNK_ENTRIES = 2**24


class Batches:
    """Iterate over ``(patches, (target, weight))``; full batches are cut once, others anew.

    Parameters
    ----------
    module : Module
        Cuts the patches.
    samples : Samples
        Tensors on the device of the module.
    batch_size : int
        Samples in a batch; the last one may be smaller.
    draw_order : callable or None, default=None
        Takes the number of samples and returns their order in an epoch, (n_samples,) or one for
        each row of inputs, and their shifts, (..., n_samples, 2); None keeps the samples as they
        are.
    translation : Translation or None, default=None
        Shifts the samples of every batch.
    """

    def __init__(self, module, samples, batch_size, draw_order=None, translation=None):
        self.module, self.translation = module, translation
        self.samples = samples if translation else self._extend(samples)
        self.batch_size, self.draw_order = batch_size, draw_order
        self._cut_whole()

    def __len__(self):
        return -(-len(self.samples) // self.batch_size)

    def __iter__(self):
        if self._whole is not None:
            yield self._whole
            return
        n_samples = len(self.samples)
        if self.draw_order is None:
            for begin in range(0, n_samples, self.batch_size):
                yield self._batch(self.samples.part(begin, begin + self.batch_size))
            return
        order, shifts = self.draw_order(n_samples)
        rows = order.to(self.samples.X.device).split(self.batch_size, dim=-1)
        if self.translation is None:
            yield from (self._batch(self.samples.take(some)) for some in rows)
            return
        for some, own in zip(rows, shifts.split(self.batch_size, dim=-2), strict=True):
            samples = self.samples.take(some)
            X = self.translation.apply(samples.X, own)
            yield self._batch(self._extend(Samples(X, samples.target, samples.weight)))

    def keep(self, members):
        """Forget the other members of the stack."""
        self.samples = self.samples.keep(members)
        self._cut_whole()

    def _cut_whole(self):
        self._whole = None
        if len(self.samples) <= self.batch_size and self.translation is None:
            patches, rest = self._batch(self.samples)
            self._whole = patches.contiguous(), rest

    def _extend(self, samples):
        return Samples(self.module.extend(samples.X), samples.target, samples.weight)

    def _batch(self, samples):
        return self.module.cut(samples.X), (samples.target, samples.weight)


def outputs(module, X):
    """Return the outputs of a module for an array, computed in float64.

    In double precision a prediction does not depend, to any digit that matters, on the samples that
    it is computed together with. Devices without float64 leave the work to the CPU.

    Parameters
    ----------
    module : Module
        Is left as it is.
    X : ndarray of shape (n_samples, n_features)
        Inputs.

    Returns
    -------
    outputs : ndarray of shape (n_samples, n_outputs), dtype float64
        One row a sample.
    """
    device = next(module.parameters()).device
    device = torch.device("cpu") if device.type == "mps" else device
    doubles = {name: value.to(device, torch.float64) for name, value in module.named_parameters()}
    module = module.with_parameters(doubles).to(device)
    batches = Batches(module, Samples(X, None).to(device, torch.float64), chunk_size(module))
    with torch.no_grad():
        return torch.cat([module.respond(patches) for patches, _ in batches]).cpu().numpy()


def chunk_size(module):
    """Samples whose cut patches fill a chunk."""
    return max(1, CHUNK_ENTRIES // sum(module.footprint))
