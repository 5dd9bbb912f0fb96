"""Say why training diverged: the sharpness at the start, and the learning rates it allows."""

import numpy as np
import torch

from sklcnn.nn.curvature import Hessian
from sklcnn.nn.eigenvalues import lanczos
from sklcnn.nn.losses import MeanLoss

__all__ = ["describe_divergence", "keep_start"]

# Of the search for the sharpness: two digits are shown, and it runs once for a fit that is lost.
TOL = 1e-2
MAX_PRODUCTS = 100
# Losses that are twice differentiable. The hinge has no curvature of its own.
SMOOTH_LOSSES = ("squared_error", "log_loss", "exponential")


def keep_start(stack):
    """Return the initial parameters of the jobs of a stack, by name, as far as they are needed.

    A single job trains its module in place, so that they are copied; the modules of jobs that train
    in a stack stay as they are.

    Parameters
    ----------
    stack : Stack
        About to be trained.

    Returns
    -------
    starts : list of dict of Tensor, or of None
        One for each job.
    """
    jobs = stack.jobs
    starts = [dict(job.module.named_parameters()) if _has_threshold(job) else None for job in jobs]
    if not stack.stacked and starts[0] is not None:
        starts = [{name: value.detach().clone() for name, value in starts[0].items()}]
    return starts


def describe_divergence(job, loss, epoch, start):
    """Return the words for a training loss that is no number any more.

    Parameters
    ----------
    job : Job
        What was trained.
    loss : float
        Infinite or NaN.
    epoch : int
        The one in which it was met.
    start : dict of Tensor or None
        Initial parameters, if they tell which learning rates are stable.

    Returns
    -------
    message : str
        Names the learning rate and, for full-batch gradient descent, the largest one that is stable
        at the start.
    """
    message = f"The training loss became {loss} in epoch {epoch}: training diverged. "
    sharpness = None if start is None else _measure(job, start)
    if sharpness is not None:
        rate, formula = job.solver.stable_learning_rate(sharpness)
        penalty = ", with the penalty," if job.alpha else ""
        message += (
            f"The sharpness at the start{penalty} was {sharpness:.3g}, so that gradient descent is "
            f"stable there for learning rates below {rate:.2g} ({formula}). "
        )
    return message + (
        f"Try a smaller learning_rate_init than {job.learning_rate}, or clip_norm in the solver."
    )


def _has_threshold(job):
    """Whether the sharpness of the samples' loss says which learning rates are stable."""
    known = job.solver.stable_learning_rate(1.0) is not None
    return known and job.loss in SMOOTH_LOSSES and job.translation is None and bool(job.samples)


def _measure(job, start):
    """Return the largest curvature of what is minimized, None if there is no positive one."""
    start = {name: value.to(job.device) for name, value in start.items()}
    try:
        module = job.module.with_parameters(start).to(job.device)
        samples = job.samples
        mean_loss = MeanLoss(job.loss, job.logarithm)
        hessian = Hessian(module, mean_loss, samples.X, samples.target, samples.weight)
        penalty = _penalty(job, start, hessian)
        pairs = lanczos(
            lambda vector: hessian(vector) + penalty * vector,
            hessian.size,
            tol=TOL,
            max_products=MAX_PRODUCTS,
            dtype=hessian.dtype,
            device=hessian.device,
        )
    except (ValueError, RuntimeError):  # a product that is not finite, or does not fit the memory
        return None
    sharpness = float(pairs.eigenvalues[0])
    return sharpness if np.isfinite(sharpness) and sharpness > 0 else None


def _penalty(job, start, hessian):
    """Return the second derivatives of the penalty, (size,): it curves along the weights only."""
    samples = job.samples
    total = len(samples) if samples.weight is None else float(np.sum(samples.weight))
    parts = [
        torch.full((value.numel(),), job.alpha / total if "weight" in name else 0.0)
        for name, value in start.items()
    ]
    return torch.cat(parts).to(hessian.device, hessian.dtype)
