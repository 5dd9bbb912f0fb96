"""The joblib backend "fleet": every fit of a parallel call trains in one stack.

Each task of a parallel call runs in a thread. When a network's ``fit`` reaches its training, it
leaves its job at the rendezvous and waits. When no task of the call can go on without an outcome,
the jobs that lie there are trained, in as few stacks as they allow, and all tasks go on. Tasks know
nothing of each other; estimators that are not ours just run in their threads.
"""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from joblib import Parallel, cpu_count, delayed, parallel_config, register_parallel_backend
from joblib.parallel import ParallelBackendBase

from sklcnn.training.trainer import train

__all__ = ["FleetBackend", "fit_many", "fleet", "train_one"]

# Threads of a call, and so the largest number of jobs that can meet. They sleep nearly always.
MAX_TASKS = 256
# How long the last task to arrive waits for new ones: a call hands out its tasks one by one.
PATIENCE = 0.01  # seconds

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
def fleet():
    """Train the fits of every joblib call inside, scikit-learn's for instance, in stacks.

    The same as ``joblib.parallel_config("fleet")``. Results are those of the fits one by one, up to
    the rounding of sums. Fits of networks that agree in architecture, loss, solver and number of
    epochs, and about in their number of samples, share a stack; all other fits run as they would.

    Yields
    ------
    None

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
    with parallel_config("fleet", n_jobs=MAX_TASKS):
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


class Rendezvous:
    """Where the tasks of a fleet leave their jobs.

    A task is *busy* unless it waits for an outcome or for a call of its own.
    """

    def __init__(self):
        self._change = threading.Condition()
        self._cores = threading.Semaphore(cpu_count())  # for busy tasks, see enter
        self._busy = 0
        self._arrivals = 0
        self._waiting = []  # of (job, outcome box)
        self._cancelled = False

    def enter(self):
        """Count a busy task, and let it go on when a core is free.

        Hundreds of threads that want the interpreter at once take twice as long.
        """
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

    def meet(self, job):
        """Leave a job, wait until it is trained, and return what came of it."""
        box = []
        self._cores.release()
        try:
            with self._change:
                self._waiting.append((job, box))
                self._arrivals += 1
                self._busy -= 1
                try:
                    while not box:
                        self._wait_or_train()
                finally:
                    self._busy += 1
        finally:
            self._cores.acquire()
        return box[0]

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
            jobs, self._waiting = self._waiting, []
            self._train(jobs)

    def _train(self, jobs):
        """Train jobs without holding the lock, and hand out what came of them."""
        self._change.release()
        try:
            outcomes = train([job for job, _ in jobs], lambda: self._cancelled)
        except BaseException as error:  # everybody who waits must hear of it
            outcomes = [error] * len(jobs)
        finally:
            self._change.acquire()
        for (_, box), outcome in zip(jobs, outcomes, strict=True):
            box.append(outcome)
        self._change.notify_all()


class FleetBackend(ParallelBackendBase):
    """Runs tasks in threads that meet where they train.

    Parameters
    ----------
    nesting_level : int or None, default=None
        Depth of parallel calls.
    rendezvous : Rendezvous or None, default=None
        That of the call around this one.
    """

    supports_retrieve_callback = True
    supports_sharedmem = True
    uses_threads = True
    default_n_jobs = MAX_TASKS

    def __init__(self, nesting_level=None, rendezvous=None, **kwargs):
        super().__init__(nesting_level=nesting_level, **kwargs)
        self._rendezvous = rendezvous
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
        self._meeting = self._outer or Rendezvous()

    def stop_call(self):
        """End a call."""
        if self._outer is not None:
            self._outer.enter()
            self._outer = None

    def submit(self, func, callback=None):
        """Run a task in a thread."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(MAX_TASKS, thread_name_prefix="fleet")
        future = self._pool.submit(self._run, func, self._meeting)
        if callback is not None:
            future.add_done_callback(callback)
        return future

    @staticmethod
    def _run(func, rendezvous):
        _here.rendezvous = rendezvous
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
            self._meeting = Rendezvous()

    def get_nested_backend(self):
        """Let calls inside a task meet at the same rendezvous."""
        return FleetBackend(nesting_level=(self.nesting_level or 0) + 1), MAX_TASKS


register_parallel_backend("fleet", FleetBackend)
