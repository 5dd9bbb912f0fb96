"""Calls side by side, whose results come as soon as they are there, and Ctrl-C in good order."""

import contextlib
import signal
import threading
import warnings
from multiprocessing import resource_tracker

from joblib import Parallel, effective_n_jobs

__all__ = ["side_by_side", "stream"]


def stream(calls, context, n_jobs=None, **options):
    """Yield the result of every call, in any order.

    When the generator is closed, or an interrupt passes through it, running calls are abandoned
    and worker processes are ended.

    Parameters
    ----------
    calls : iterable of joblib.delayed calls
        What to do.
    context : context manager
        Is open while tasks start.
    n_jobs : int or None, default=None
        In joblib's sense.
    **options
        Of :class:`joblib.Parallel`.

    Yields
    ------
    result : object
        Of one call.
    """
    with contextlib.ExitStack() as stack:
        with context:  # tasks start here
            parallel = Parallel(n_jobs=n_jobs, return_as="generator_unordered", **options)
            results = parallel(calls)
            stack.callback(_abandon, results)
        # "yield from" would close the stream itself, and let joblib warn.
        for result in results:  # noqa: UP028
            yield result


def _abandon(results):
    """Close a stream; joblib warns of results that nobody has fetched."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*tasks which were still being processed")
        warnings.filterwarnings("ignore", message=".*tasks have been successfully executed")
        results.close()


def side_by_side(n_jobs):
    """Return the context in which processes start, if ``n_jobs`` asks for any."""
    return _interrupts_held_back() if effective_n_jobs(n_jobs) > 1 else contextlib.nullcontext()


@contextlib.contextmanager
def _interrupts_held_back():
    """Let processes that start meanwhile ignore Ctrl-C, which a terminal sends to all of them.

    They inherit the blocked signal; the parent gets it at the end and ends them in good order.
    """
    if not hasattr(signal, "pthread_sigmask") or (
        threading.current_thread() is not threading.main_thread()
    ):
        yield
        return
    resource_tracker.ensure_running()  # it unblocks the signal when it starts, so not in between
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
