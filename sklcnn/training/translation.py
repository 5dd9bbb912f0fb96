"""Random translations of training samples, drawn anew in every epoch."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

__all__ = ["Translation"]


@dataclass(frozen=True)
class Translation:
    """Shift signals or images by whole features; what comes in from outside is zero.

    Parameters
    ----------
    shape : tuple of three int
        (channels, height, width) of a sample; an axis of length one is not shifted.
    max_shift : int
        Largest shift along height and along width, in either direction.
    """

    shape: tuple[int, int, int]
    max_shift: int

    @property
    def _margins(self):
        return [self.max_shift if side > 1 else 0 for side in self.shape[1:]]

    def draw(self, n_samples, generator):
        """Draw shifts along height and width, uniform and independent, (n_samples, 2)."""
        columns = [
            torch.randint(-margin, margin + 1, (n_samples,), generator=generator)
            for margin in self._margins
        ]
        return torch.stack(columns, dim=-1)

    def apply(self, X, shifts):
        """Shift samples, (..., n_samples, n_features), by (..., n_samples, 2)."""
        (rows, columns), (height, width) = self._margins, self.shape[1:]
        images = F.pad(X.unflatten(-1, self.shape), (columns, columns, rows, rows))
        padded = self.shape[0], height + 2 * rows, width + 2 * columns
        numbers = np.arange(np.prod(padded)).reshape(padded)[:, rows:, columns:]
        window = torch.from_numpy(numbers[:, :height, :width].ravel()).to(X.device)
        offsets = shifts[..., 0] * padded[2] + shifts[..., 1]  # (..., n_samples)
        offsets = offsets.to(X.device).expand(X.shape[:-1])
        return images.flatten(-3).gather(-1, window - offsets[..., None])
