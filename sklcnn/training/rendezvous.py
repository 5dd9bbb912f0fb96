"""Where the tasks of a fleet leave their jobs and wait until all of them are trained together."""

import os
import re
import threading
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker
from numbers import Integral

import torch
from joblib import Parallel, cpu_count, parallel_config

from sklcnn.training.progress import FitProgress
from sklcnn.training.running import train_stacks
from sklcnn.training.stacks import group_jobs, is_large

__all__ = ["FleetOptions", "Rendezvous"]

# How long the last task to arrive waits for new ones: a call hands out its tasks one by one.
PATIENCE = 0.01  # seconds
# Jobs that wait may fill this share of the memory of the machine.
MEMORY_SHARE = 0.25
UNITS = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


@dataclass(frozen=True)
class FleetOptions:
    """What ``sklcnn.fleet`` was asked for, checked."""

    memory: int | str | None = None
    n_jobs: int | None = None
    backend: str | None = None
    progress: bool = False

    def __post_init__(self):
        object.__setattr__(self, "memory", _bytes(self.memory))
        if self.n_jobs is not None and (not isinstance(self.n_jobs, Integral) or self.n_jobs == 0):
            raise ValueError(
                f"n_jobs={self.n_jobs!r} must be a whole number other than 0, or None."
            )
        if self.backend == "fleet":
            raise ValueError("backend='fleet' cannot train the stacks of a fleet; try 'loky'.")
        self.workers()  # raises if the backend does not exist

    @property
    def held_bytes(self):
        """Memory that waiting jobs may fill."""
        return self.memory or int(MEMORY_SHARE * _memory_of_the_machine())

    def workers(self):
        """Return the joblib call that trains stacks side by side, and its backend, or two None."""
        if self.n_jobs is None and self.backend is None:
            return None, None
        n_jobs = -1 if self.n_jobs is None else self.n_jobs
        resource_tracker.ensure_running()  # it lets Ctrl-C through when it starts: not later
        with parallel_config(self.backend or "loky", n_jobs=n_jobs) as config:
            # joblib starts no processes in a thread unless the call is the outermost one. The task
            # whose thread this is does nothing but wait, and loky does not fork.
            config["backend"].nesting_level = 0
            return Parallel(return_as="generator"), config["backend"]


class Rendezvous:
    """Where the tasks of a fleet leave their jobs.

    A task is *busy* unless it waits for an outcome or for a call of its own. Only as many busy
    tasks run at a time as there are cores: hundreds of threads that want the interpreter at once
    take twice as long. Jobs are trained when no task is busy, or when those that wait fill the
    memory; then whoever brought the last one keeps its core meanwhile, so that no new task starts.
    """

    def __init__(self, options):
        self.options = options
        self.n_threads = torch.get_num_threads()  # of the caller; tasks have one each
        self._held_bytes = options.held_bytes
        self._change = threading.Condition()
        self._cores = threading.Semaphore(cpu_count())
        self._training = threading.Lock()
        self._busy = 0
        self._arrivals = 0
        self._waiting = []  # of (job, outcome box)
        self._cancelled = False
        self._workplace = None  # the joblib backend that trains, if it is another one
        self._progress = FitProgress(0, enabled=options.progress)

    def begin(self):
        """Show the bar."""
        self._progress.__enter__()
        self._progress.stage("training")

    def end(self):
        """Take the bar away."""
        self._progress.__exit__()

    def enter(self):
        """Count a busy task, and let it go on when a core is free."""
        with self._change:
            self._busy += 1
            self._arrivals += 1
        self._cores.acquire()

    def leave(self):
        """Count one busy task less; the last one wakes a waiting task to train what lies here."""
        self._cores.release()
        with self._change:
            self._busy -= 1
            if self._busy == 0:
                self._change.notify()

    def cancel(self):
        """Let every waiting task raise, and no training begin or go on."""
        with self._change:
            self._cancelled = True
            self._change.notify_all()
        if self._workplace is not None:
            with suppress(Exception):  # it may have ended in this moment
                self._workplace.abort_everything(ensure_ready=False)

    def meet(self, job):
        """Leave a job, wait until it is trained, and return what came of it."""
        hash(job.common)  # a job that cannot be compared with others fails here, alone
        box = []
        with self._change:
            self._waiting.append((job, box))
            self._arrivals += 1
        self._progress.expect(1)
        while self._is_full() and not box:
            with self._training:
                if self._is_full():
                    self._train()
        if not box:
            self._wait(box)
        return box[0]

    def _is_full(self):
        with self._change:
            held = sum(job.n_bytes for job, _ in self._waiting)
            return held > self._held_bytes and not self._cancelled

    def _wait(self, box):
        """Wait without a core for an outcome."""
        self._cores.release()
        try:
            with self._change:
                self._busy -= 1
                try:
                    while not box:
                        self._wait_or_train()
                finally:
                    self._busy += 1
        finally:
            self._cores.acquire()

    def _wait_or_train(self):
        """Train the jobs that lie here if no busy task could bring another one, else wait."""
        if self._cancelled:
            raise RuntimeError("the parallel call that this fit belongs to has ended")
        if self._busy or not self._waiting:
            self._change.wait()
            return
        arrivals = self._arrivals
        self._change.wait(PATIENCE)
        nobody_came = arrivals == self._arrivals and self._busy == 0
        if nobody_came and self._waiting and not self._cancelled:
            self._change.release()
            try:
                with self._training:
                    self._train()
            finally:
                self._change.acquire()

    def _train(self):
        """Train jobs that lie here, and hand out what came of them."""
        workers, self._workplace = self.options.workers()
        with self._change:
            jobs = [job for job, _ in self._waiting]
            if not jobs:  # another task was first
                return
            groups = group_jobs(jobs, self.options.memory, self.n_threads)
            if workers is None:
                groups = self._next(groups, jobs)
            stacks = [[self._waiting[position] for position in group] for group in groups]
            taken = {position for group in groups for position in group}
            self._waiting = [w for number, w in enumerate(self._waiting) if number not in taken]
        jobs = [[job for job, _ in stack] for stack in stacks]
        try:
            found = train_stacks(jobs, self.n_threads, lambda: self._cancelled, workers)
            found = found if workers else list(found)
            for stack, outcomes in zip(stacks, found, strict=True):
                self._hand_out(stack, outcomes)
        except BaseException as error:  # everybody who waits must hear of it
            for stack in stacks:
                self._hand_out(stack, [error] * len(stack))
        finally:
            self._workplace = None

    def _next(self, groups, jobs):
        """Choose what to train in this process: a small stack, or a large one for every core.

        It begins with the job that has waited longest. All of it is handed out at once, since tasks
        that go on would keep the interpreter from the training that still goes on.
        """
        groups = sorted(groups, key=min)
        large = [group for group in groups if is_large([jobs[position] for position in group])]
        return large[: self.n_threads] if groups[0] in large else groups[:1]

    def _hand_out(self, stack, outcomes):
        self._progress.advance(len(stack))
        with self._change:
            for (_, box), outcome in zip(stack, outcomes, strict=True):
                box.append(outcome)  # the first one counts
            self._change.notify_all()


def _bytes(memory):
    """Read a size such as 2e9 or "500MB"; None stays None."""
    if memory is None:
        return None
    number, unit = memory, "B"
    if isinstance(memory, str):
        found = re.fullmatch(r"\s*([\d.]+)\s*([kmgt]?b)\s*", memory, re.IGNORECASE)
        number, unit = found.groups() if found else ("0", "B")
    try:
        size = int(float(number) * UNITS[unit.upper()])
    except (TypeError, ValueError, OverflowError):
        size = 0
    if size <= 0:
        raise ValueError(
            f"memory={memory!r} must be a positive number of bytes, or a text such as '500MB' or "
            "'2GB', or None."
        )
    return size


def _memory_of_the_machine():
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):  # not on this system
        return 8 * 10**9
