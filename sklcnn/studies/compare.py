"""The comparison: locality, sharing, translation invariance, and what each is worth in samples."""

import time
from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.random import RandomState
from numpy.typing import ArrayLike
from pandas import DataFrame
from sklearn.dummy import DummyClassifier

from sklcnn.studies.comparison import BASELINE, Comparison, results_frame, summarize
from sklcnn.studies.fits import stream_fits
from sklcnn.studies.plan import make_plan
from sklcnn.training.progress import FitProgress

__all__ = ["Comparison", "InterruptedStudyError", "carry_out", "compare"]

HARDLY = 0.005  # difference of the accuracy that does not decide for a higher learning rate


class InterruptedStudyError(KeyboardInterrupt):
    """Ctrl-C during a study; carries the finished fits.

    Parameters
    ----------
    results : pandas.DataFrame
        One row per finished fit.
    """

    def __init__(self, results: DataFrame):
        super().__init__("interrupted")
        self.results = results


def compare(
    X: ArrayLike,
    y: ArrayLike,
    *,
    input_shape: tuple[int, ...] | None = None,
    patch_size: int = 3,
    stride: int = 1,
    n_filters: int = 16,
    n_steps: int | None = None,
    sizes: Sequence[int] | None = None,
    repeats: int = 5,
    random_state: int | RandomState | None = 0,
    device: str = "auto",
    n_jobs: int | None = None,
    fleet: bool = True,
    name: str = "data",
    verbose: bool = False,
) -> Comparison:
    """Compare four networks on your data: what are locality, sharing and invariance worth?

    The networks differ by one ingredient at a time: fully connected (FCN); locally connected (LCN:
    adds locality); convolutional without pooling (CNN: adds sharing); convolutional with global
    mean pooling (pooled CNN: adds translation invariance). Each is trained on growing samples and
    scored on one fixed test set. The *sample-efficiency factor* of an ingredient at n tells how
    many times more samples the network without it needs to be as good as the network with it is
    at n.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features) or (n_samples, *input_shape)
        Features.
    y : array-like of shape (n_samples,)
        Class labels.
    input_shape : tuple of int or None, default=None
        ``(length,)``, ``(height, width)`` or ``(channels, height, width)`` of one sample; None is
        the shape of X without its first axis.
    patch_size : int, default=3
        Length of a window of the local networks, or side of a square one.
    stride : int, default=1
        Step between windows.
    n_filters : int, default=16
        Filters per window. The FCN gets as many hidden units as the LCN has, at most 256.
    n_steps : int or None, default=None
        Gradient steps of every fit; None is 250. Slow learners, pooled networks above all, may need
        more: where their curves rise with it, they were cut short.
    sizes : sequence of int or None, default=None
        Training sizes; None spaces up to seven evenly on a logarithmic axis.
    repeats : int, default=5
        Training samples drawn per size. Within a repeat larger samples contain the smaller ones and
        all networks see the same.
    random_state : int, RandomState instance or None, default=0
        Same value, same results, whatever ``n_jobs``.
    device : str, default="auto"
        Where the networks are trained.
    n_jobs : int or None, default=None
        Stacks of fits, or without the fleet fits, that train side by side, in joblib's sense.
    fleet : bool, default=True
        Whether fits train in stacks, see :func:`sklcnn.fleet`; else one by one, in as many
        processes as ``n_jobs`` says.
    name : str, default="data"
        Name of the data, for titles.
    verbose : bool, default=False
        Whether to show a progress bar on standard error.

    Returns
    -------
    comparison : Comparison
        With ``table``, ``factors``, ``verdicts`` and ``plot()``.

    Raises
    ------
    InvalidInputError
        A ValueError that names the parameter.

    Notes
    -----
    *Samples.* A stratified 30 % (at most 5,000) is the test set. Training sets are stratified
    prefixes of random orders of the rest; near its size they overlap, which makes intervals too
    narrow.

    *Training.* Every fit makes 250 Adam steps on batches of 64, and at least 5 epochs. All features
    are centered and scaled by one number each, taken from the training set, so they should share a
    unit, as pixels do. The learning rate is chosen for each network out of 0.004, 0.02 and 0.1: the
    lowest whose mean accuracy at three sizes is within 0.005 of the best, on a quarter of the
    training samples; the test set has no part in it. The search is repeated for the permuted
    features.

    *Controls.* All of it is repeated with the features permuted in one fixed way, which takes
    locality and sharing their meaning and must not matter to the FCN. The majority class is the
    floor.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> import sklcnn
    >>> X, y = load_digits(n_class=2, return_X_y=True)
    >>> found = sklcnn.compare(X, y, input_shape=(8, 8), sizes=[20], repeats=1)
    >>> sorted(found.table.columns)
    ['control', 'data', 'family', 'mean', 'n', 'repeats', 'std']
    """
    plan = make_plan(
        X,
        y,
        input_shape=input_shape,
        patch_size=patch_size,
        stride=stride,
        n_filters=n_filters,
        n_steps=n_steps,
        sizes=sizes,
        repeats=repeats,
        random_state=random_state,
        device=device,
        name=name,
        columns=list(X.columns) if hasattr(X, "columns") else None,
    )
    with FitProgress(plan.n_fits, enabled=verbose) as progress:
        return carry_out(plan, progress, n_jobs, fleet)


def carry_out(plan, progress, n_jobs=None, fleet=True):
    """Do what a plan says.

    Parameters
    ----------
    plan : Plan
        What to do.
    progress : FitProgress
        Is told of every fit.
    n_jobs : int or None, default=None
        Stacks, or without the fleet fits, that train side by side.
    fleet : bool, default=True
        Whether fits train in stacks.

    Returns
    -------
    comparison : Comparison
        What was found.

    Raises
    ------
    InterruptedStudyError
        On Ctrl-C, with the fits that were finished.
    """
    rows, parameters = [], {}
    stream = partial(stream_fits, n_jobs=n_jobs, fleet=fleet)
    try:
        rates = _search(plan, stream, progress)
        rows += _baseline_rows(plan)
        progress.stage(f"{plan.name}: learning curves")
        for outcome in stream(plan.curve_tasks(rates)):
            progress.advance()
            control, family, n, repeat = outcome.key
            parameters[family] = outcome.n_parameters
            rows.append(_row(plan, family, control, n, repeat, outcome.score, outcome.seconds))
    except KeyboardInterrupt:
        raise InterruptedStudyError(results_frame(rows)) from None
    return summarize(plan, results_frame(rows), rates, parameters)


def _search(plan, stream, progress):
    """Return the learning rate of each (control, family)."""
    progress.stage(f"{plan.name}: learning rates")
    scores = {}
    for outcome in stream(plan.search_tasks()):
        progress.advance()
        control, family, rate, n = outcome.key
        scores.setdefault((control, family), {}).setdefault(rate, {})[n] = outcome.score
    return {pair: _choose(by_rate) for pair, by_rate in scores.items()}


def _choose(scores):
    """Choose the lowest rate whose mean score over the sizes is as good as the best.

    Of rates that make hardly a difference the lowest gives the quietest training.
    """
    means = {rate: np.mean([by_n[n] for n in sorted(by_n)]) for rate, by_n in scores.items()}
    return min(rate for rate, mean in means.items() if mean >= max(means.values()) - HARDLY)


def _baseline_rows(plan):
    """Score the majority class of every training set."""
    rows = []
    for repeat, n, train in plan.training_sets():
        start = time.perf_counter()
        dummy = DummyClassifier(strategy="most_frequent").fit(train[:, None], plan.y[train])
        seconds = time.perf_counter() - start
        score = dummy.score(plan.test[:, None], plan.y[plan.test])
        rows.append(_row(plan, BASELINE, "original", n, repeat, score, seconds))
    return rows


def _row(plan, family, control, n, repeat, score, seconds):
    seed = plan.fit_seed(n, repeat)
    return (plan.name, family, control, n, repeat, seed, score, seconds)
