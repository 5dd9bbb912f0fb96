"""Jobs in, outcomes out: which train together, and side by side."""

from concurrent.futures import ThreadPoolExecutor
from itertools import repeat

import torch
from joblib import delayed

from sklcnn.training.devices import denormals_flushed, threads
from sklcnn.training.stacks import group_jobs, is_large, make_stack, spread
from sklcnn.training.trainer import make_net

__all__ = ["train", "train_stacks"]


def train(jobs):
    """Train every job; those that agree in everything but numbers train in one stack.

    Parameters
    ----------
    jobs : list of Job
        Each module may be trained in place.

    Returns
    -------
    outcomes : list of Trained or Exception
        In the order of the jobs. A job that fails has the exception that it met, a ValueError that
        names the learning rate if its loss became infinite or NaN; the others are not touched.
    """
    n_threads = torch.get_num_threads()
    groups = group_jobs(jobs, n_threads=n_threads)
    stacks = [[jobs[position] for position in group] for group in groups]
    outcomes = [None] * len(jobs)
    for group, found in zip(groups, train_stacks(stacks, n_threads), strict=True):
        for position, outcome in zip(group, found, strict=True):
            outcomes[position] = outcome
    return outcomes


def train_stacks(stacks, n_threads, cancelled=None, workers=None):
    """Train stacks and yield what came of each.

    Parameters
    ----------
    stacks : list of lists of Job
        Jobs that may share a stack.
    n_threads : int
        Cores to use. Several stacks train side by side, one core each: threads of one stack wait
        for each other at every step, and badly so on a busy machine.
    cancelled : callable or None, default=None
        Asked at every epoch; training is given up when it returns True.
    workers : joblib.Parallel or None, default=None
        Trains stacks side by side and generates what it returns; None trains them here.

    Yields
    ------
    outcomes : list of Trained or Exception
        Of one stack.
    """
    stacks = spread(stacks)
    if workers is not None:
        yield from workers(delayed(_train)(stack, None) for stack in stacks)
        return

    def train_on(stack, n_cores):
        with threads(n_cores):
            return _train(stack, cancelled)

    small = [len(stack) > 1 and not is_large(stack) for stack in stacks]
    if any(small) or min(n_threads, len(stacks)) == 1:
        yield from map(train_on, stacks, (1 if is_small else n_threads for is_small in small))
    else:
        with ThreadPoolExecutor(min(n_threads, len(stacks))) as pool:
            yield from pool.map(train_on, stacks, repeat(1))


def _train(jobs, cancelled):
    """Train jobs in one stack, or one by one if the stack as a whole cannot be trained."""
    try:
        stack = make_stack(jobs)
        net = make_net(stack, cancelled).initialize()
        if jobs[0].solver_state is not None:
            net.optimizer_.load_state(jobs[0].solver_state)
        with denormals_flushed():
            return net.run(stack.samples)
    except Exception as error:
        if len(jobs) == 1:
            return [error]
        return [outcome for job in jobs for outcome in _train([job], cancelled)]
