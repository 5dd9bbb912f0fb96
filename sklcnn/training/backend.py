"""The joblib backend "fleet": every fit of a parallel call trains in one stack.

Each task of a parallel call runs in a thread. When a network's ``fit`` reaches its training, it
leaves its job at the rendezvous and waits. When no task of the call can go on without an outcome,
the jobs that lie there are trained, in as few stacks as they allow, and all tasks go on. Tasks know
nothing of each other; estimators that are not ours just run in their threads.
"""

import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch
from joblib import Parallel, delayed, parallel_config, register_parallel_backend
from joblib.parallel import ParallelBackendBase, get_active_backend

from sklcnn.training.rendezvous import FleetOptions, Rendezvous
from sklcnn.training.running import train

__all__ = ["FleetBackend", "fit_many", "fleet", "train_one"]

# Threads of a call, and so the largest number of jobs that can meet. They sleep nearly always.
MAX_TASKS = 256

_here = threading.local()  # .rendezvous: where the task of this thread meets the others


def train_one(job):
    """Train a job: with the others of the fleet that this thread belongs to, or alone.

    Parameters
    ----------
    job : Job
        What to train.

    Returns
    -------
    trained : Trained
        The trained module and its record.

    Raises
    ------
    Exception
        That which ended the training of this job, whatever became of the others.
    """
    rendezvous = getattr(_here, "rendezvous", None)
    outcome = train([job])[0] if rendezvous is None else rendezvous.meet(job)
    if isinstance(outcome, BaseException):
        raise outcome
    return outcome


@contextmanager
def fleet(memory=None, *, n_jobs=None, backend=None, progress=False):
    """Train the fits of every joblib call inside, scikit-learn's for instance, in stacks.

    The same as ``joblib.parallel_config("fleet")``. Results are those of the fits one by one, up to
    the rounding of sums. Fits of networks that agree in architecture, loss and kind of solver, and
    about in their number of samples, share a stack; all other fits run as they would. Inside a
    fleet, one without parameters of its own is that fleet.

    Parameters
    ----------
    memory : int, str or None, default=None
        Bytes, or a text such as "500MB" or "2GB": fits whose data fill it are trained before more
        are prepared, and no stack is larger. None is a quarter of the memory of the machine; a
        stack is then as large as the cache of a CPU allows, or a quarter of what is free on a GPU.
    n_jobs : int or None, default=None
        Train as many stacks side by side, in joblib's sense. None trains them one after the other
        in this process, each on all cores of torch, or on the GPU.
    backend : str or None, default=None
        The joblib backend that trains stacks side by side, such as "loky", "dask" or "ray"; None
        is "loky" where ``n_jobs`` is given. With several GPUs stacks take turns on them.
    progress : bool, default=False
        Whether to show a bar of the fits of the current call on standard error.

    Yields
    ------
    None

    Raises
    ------
    ValueError
        If a parameter cannot be used.

    Examples
    --------
    >>> import sklcnn
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.model_selection import cross_val_score
    >>> X, y = load_digits(return_X_y=True)
    >>> network = sklcnn.FCNClassifier(16, max_iter=5, tol=None, random_state=0)
    >>> with sklcnn.fleet():
    ...     cross_val_score(network, X, y, cv=5).shape
    (5,)
    """
    options = FleetOptions(memory, n_jobs, backend, progress)
    if options == FleetOptions() and isinstance(get_active_backend()[0], FleetBackend):
        yield  # the fleet around this one, with its options
        return
    with parallel_config("fleet", n_jobs=MAX_TASKS, options=options):
        yield


def fit_many(estimators, Xs, ys, sample_weights=None):
    """Fit many estimators, each to data of its own, in a fleet.

    Parameters
    ----------
    estimators : sequence of estimators
        Networks, or anything with ``fit``, such as a pipeline that ends in a network; each is
        fitted in place.
    Xs, ys : sequences of arrays
        Data of each estimator.
    sample_weights : sequence of arrays or None, default=None
        Weights of the samples of each estimator; None, or an entry that is None, for no weights.

    Returns
    -------
    estimators : list of estimators
        The same ones, fitted.

    Raises
    ------
    ValueError
        If the sequences differ in length.
    Exception
        The first one that a fit has raised, after all other fits have ended.

    Examples
    --------
    >>> import sklcnn
    >>> from sklcnn.datasets import make_dsd
    >>> sizes = [50, 100, 200]
    >>> Xs, ys = zip(*(make_dsd(n_samples=n, random_state=0) for n in sizes))
    >>> networks = [sklcnn.FCNClassifier(4, max_iter=5, tol=None) for n in sizes]
    >>> [network.n_train_ for network in sklcnn.fit_many(networks, Xs, ys)]
    [50, 100, 200]
    """
    if sample_weights is None:
        sample_weights = [None] * len(estimators)
    lengths = [len(part) for part in (estimators, Xs, ys, sample_weights)]
    if len(set(lengths)) > 1:
        raise ValueError(
            "estimators, Xs, ys and sample_weights must be equally long, got lengths "
            f"{', '.join(map(str, lengths))}."
        )
    with fleet():
        failures = Parallel()(
            delayed(_failure_of_fit)(*task)
            for task in zip(estimators, Xs, ys, sample_weights, strict=True)
        )
    for failure in failures:
        if failure is not None:
            raise failure
    return list(estimators)


def _failure_of_fit(estimator, X, y, sample_weight):
    """Fit an estimator and return the exception that it has raised, if any."""
    weights = {} if sample_weight is None else {"sample_weight": sample_weight}
    try:
        estimator.fit(X, y, **weights)
    except Exception as error:
        return error
    return None


class FleetBackend(ParallelBackendBase):
    """Runs tasks in threads that meet where they train.

    Parameters
    ----------
    nesting_level : int or None, default=None
        Depth of parallel calls.
    options : FleetOptions or None, default=None
        Those of ``sklcnn.fleet``; a call inside another one uses the options of that one.
    """

    supports_retrieve_callback = True
    supports_sharedmem = True
    uses_threads = True
    default_n_jobs = MAX_TASKS

    def __init__(self, nesting_level=None, options=None, **kwargs):
        super().__init__(nesting_level=nesting_level, **kwargs)
        self._options = options or FleetOptions()
        self._pool = None

    def effective_n_jobs(self, n_jobs):
        """Return the number of tasks that may meet: whatever is asked for, as many as possible."""
        if n_jobs == 0:
            raise ValueError("n_jobs == 0 in Parallel has no meaning")
        return MAX_TASKS

    def configure(self, n_jobs=1, parallel=None, **kwargs):
        """Prepare a call."""
        self.parallel = parallel
        return self.effective_n_jobs(n_jobs)

    def start_call(self):
        """Begin a call; a task that makes one waits for it and is not busy meanwhile."""
        self._outer = getattr(_here, "rendezvous", None)
        if self._outer is not None:
            self._outer.leave()
        self._meeting = self._outer or Rendezvous(self._options)
        if self._outer is None:
            self._meeting.begin()

    def stop_call(self):
        """End a call."""
        if self._outer is None:
            self._meeting.end()
            torch.set_num_threads(self._meeting.n_threads)  # that new threads have again
        else:
            self._outer.enter()
            self._outer = None

    def submit(self, func, callback=None):
        """Run a task in a thread."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(MAX_TASKS, "fleet", initializer=_leave_interrupts)
        future = self._pool.submit(self._run, func, self._meeting)
        if callback is not None:
            future.add_done_callback(callback)
        return future

    @staticmethod
    def _run(func, rendezvous):
        _here.rendezvous = rendezvous
        torch.set_num_threads(1)
        rendezvous.enter()
        try:
            return func()
        finally:
            rendezvous.leave()
            _here.rendezvous = None

    def retrieve_result_callback(self, out):
        """Return the result of a task, or raise what it has raised."""
        return out.result()

    def terminate(self):
        """Let the threads go."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None

    def abort_everything(self, ensure_ready=True):
        """Cancel what waits and what trains."""
        self._meeting.cancel()
        self.terminate()
        if ensure_ready:
            self._meeting.end()
            self._meeting = Rendezvous(self._options)

    def get_nested_backend(self):
        """Let calls inside a task meet at the same rendezvous."""
        return FleetBackend(nesting_level=(self.nesting_level or 0) + 1), MAX_TASKS


def _leave_interrupts():
    """Leave Ctrl-C to the main thread, and let processes that this thread starts not hear of it.

    A terminal sends it to all of them; they are ended when the call that they work for is.
    """
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})


register_parallel_backend("fleet", FleetBackend)
