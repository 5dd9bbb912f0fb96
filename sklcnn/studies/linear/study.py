"""Where linear networks go: three architectures, their depths, scales and kernels; what for."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
from numpy.random import RandomState

from sklcnn.plotting.linear import LinearDisplay
from sklcnn.studies.linear.consequences import (
    NETWORKS,
    learning_rows,
    robustness_rows,
    train_predictors,
)
from sklcnn.studies.linear.measures import measure_networks
from sklcnn.studies.linear.plan import make_linear_plan
from sklcnn.studies.linear.training import train_networks
from sklcnn.training.progress import FitProgress

__all__ = ["LinearStudy", "carry_out", "linear_study", "prepare"]

_CONSEQUENCES_ITER = 300  # evaluations, after which test errors hardly change


@dataclass(frozen=True, eq=False)
class LinearStudy:
    """What linear networks have come to; :func:`sklcnn.studies.linear_study` makes it.

    Parameters
    ----------
    runs : pandas.DataFrame
        One row for each ``architecture``, ``depth``, ``step`` and ``seed``: the ``norm`` of theory,
        the ``margin`` reached, and the ``error``, the distance of the direction from its reference;
        numbers of `sklcnn.theory.Stationarity` after training (``trained_residual``, ...) and
        after polishing (``polished_residual``, ...); ``polished_error``; ``polish_rounds``, how
        often the problem was solved for that, 1 if training had found the right samples;
        ``norm_value`` of the polished predictor, and ``best_norm``, the least that is known.
        ``apart`` is the largest distance, from margin 1 on, of the direction of the gradient flow
        from that of gradient descent at the same margin. ``power`` is that of one over the margin
        with which the error has fallen between the last two records, ``limit_power`` that of
        `sklcnn.theory.convergence_power`, for the convex norms. For "l1" and "fourier_l1" also what
        has not come to an end: ``n_asleep`` coefficients, or frequencies, that have less than half
        of their amplitude in the reference, and the ``waking_exponent`` of the margin with which
        the quickest of them grows; ``n_lingering`` others above a thousandth of the largest, which
        have to vanish, and their least dual gap, ``lingering_gap``.
    margins : pandas.DataFrame
        Normalized ``margin`` of each network in each ``norm`` at the end of the flow, median over
        the seeds; ``own`` if theory has this norm for the network, ``wins`` if it is then the
        largest, ``ties`` if another network has the same, up to a millionth.
    curves : pandas.DataFrame
        ``error``, ``balance`` and ``alignment`` over ``margin`` and ``iteration``.
    spectra : pandas.DataFrame
        Coefficients and amplitudes of spectra of the last directions and of their references.
        ``place`` is that in the raveled input, ``index`` the one along each axis; ``mirrored``
        frequencies are negatives of others.
    scales : pandas.DataFrame
        Errors of two-layer networks at the stated margin, by ``init_scale``.
    kernel_widths : pandas.DataFrame
        Two-layer convolutional networks by ``kernel_size``: ``norm_value`` of the reference, and
        margins of network and reference as shares of the largest ones.
    learning : pandas.DataFrame
        On signals of sparse spectrum in noise: the exact ``test_error`` of each ``network`` and
        rule by ``n_samples`` and ``seed``, beside the ``bayes_error``.
    robustness : pandas.DataFrame
        The exact ``error`` of those trained on ``attacked_size`` samples, under the worst
        perturbation of size ``radius`` in the dual of each ``norm``; ``median_radius`` makes it one
        half.
    settings : dict
        How it was found; ``draw`` is the number of the samples, whose powers of convergence are
        ``powers`` and waking gaps ``wakings``.

    Examples
    --------
    >>> from sklcnn.studies import linear_study
    >>> small = {"input_shape": 6, "n_samples": 2, "depths": (2,), "n_seeds": 1, "max_iter": 300}
    >>> small |= {"scales": (0.1,), "kernel_sizes": (1,), "sizes": (4,), "signal_shape": 16}
    >>> found = linear_study(**small, n_draws=1)
    >>> found.runs[["architecture", "step", "norm"]].values.tolist()[-2:]
    [['diagonal', 'loss_scaled', 'l1'], ['diagonal', 'prox_linear', 'l1']]
    """

    runs: pd.DataFrame
    margins: pd.DataFrame
    curves: pd.DataFrame = field(repr=False)
    spectra: pd.DataFrame = field(repr=False)
    scales: pd.DataFrame = field(repr=False)
    kernel_widths: pd.DataFrame = field(repr=False)
    learning: pd.DataFrame = field(repr=False)
    robustness: pd.DataFrame = field(repr=False)
    settings: dict[str, Any] = field(repr=False)

    def plot(self, axes: Sequence | None = None) -> LinearDisplay:
        """Draw all tables but the margins.

        Parameters
        ----------
        axes : sequence of matplotlib.axes.Axes or None, default=None
            Where to draw, one for each of the panels of the display; None makes a figure.

        Returns
        -------
        display : sklcnn.plotting.LinearDisplay
            The picture.
        """
        return self.display().plot(axes)

    def display(self) -> LinearDisplay:
        """Return what ``plot`` draws, not drawn yet.

        Returns
        -------
        display : sklcnn.plotting.LinearDisplay
            Holds the tables.
        """
        tables = (self.curves, self.spectra, self.scales, self.kernel_widths)
        names = ("scale_margin", "attacked_size")
        stated = {name: self.settings[name] for name in names}
        return LinearDisplay(*tables, self.learning, self.robustness, **stated)


def linear_study(
    *,
    input_shape: int | Sequence[int] = 12,
    n_samples: int = 4,
    depths: Sequence[int] = (1, 2, 3, 4),
    n_seeds: int = 3,
    scales: Sequence[float] = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0),
    kernel_sizes: Sequence[int] | None = None,
    init_scale: float = 0.1,
    max_iter: int = 2000,
    target_margin: float = 1e8,
    scale_margin: float = 100.0,
    min_power: float = 0.3,
    min_waking: float = 0.5,
    signal_shape: int | Sequence[int] = 128,
    sizes: Sequence[int] = (4, 8, 16, 32, 64, 128),
    n_draws: int = 6,
    random_state: int | RandomState | None = 0,
    verbose: bool = False,
) -> LinearStudy:
    """Train linear networks on the same samples, and compare them with predictors of theory.

    Theory says that the direction of the predictor depends on the architecture alone, or on little
    else [1]_: see `sklcnn.LinearNetworkClassifier`.

    Parameters
    ----------
    input_shape : int or tuple of int, default=12
        Length of a signal, or (height, width) of an image.
    n_samples : int, default=4
        Number of standard normal samples, whose labels alternate.
    depths : sequence of int, default=(1, 2, 3, 4)
        Layers of the networks.
    n_seeds : int, default=3
        Initial weights of every network.
    scales : sequence of float, default=(0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
        Scales of the initial weights of two-layer networks.
    kernel_sizes : sequence of int or None, default=None
        Widths of the kernels of two-layer convolutional networks, along every axis; None for the
        powers of two and the width of the input.
    init_scale : float, default=0.1
        Scale of the initial weights elsewhere.
    max_iter : int, default=2000
        Evaluations of the gradient in each training, at most.
    target_margin : float, default=1e8
        Margin at which the gradient flow is left.
    scale_margin : float, default=100.0
        Margin at which networks of different scales are compared.
    min_power, min_waking : float, default=0.3 and 0.5
        Samples are drawn until the power of convergence, of which the dual gap is a part, and the
        waking gap are as large in "l1" and "fourier_l1"; see Notes.
    signal_shape : int or tuple of int, default=128
        Shape of the samples of :class:`sklcnn.datasets.SparseSpectrum` on which consequences are
        measured.
    sizes : sequence of int, default=(4, 8, 16, 32, 64, 128)
        Numbers of training samples there, at most that of the features; the middle one is used for
        attacks.
    n_draws : int, default=6
        Draws of signal and samples there.
    random_state : int, RandomState instance or None, default=0
        Same value, same samples and initial weights.
    verbose : bool, default=False
        Whether to show progress on standard error.

    Returns
    -------
    study : LinearStudy
        Tables of what was found.

    Raises
    ------
    InvalidInputError
        A ValueError that names the parameter.

    See Also
    --------
    sklcnn.theory.max_margin : The references.

    Notes
    -----
    *Training.* The networks of the main part are trained twice: by gradient descent for
    ``max_iter`` evaluations, ``step="loss_scaled"``, and along the gradient flow to the target
    margin, ``step="prox_linear"``. All other networks follow the flow, but those on signals of
    sparse spectrum, which are trained by gradient descent.

    *Reference.* The solution of largest margin for convex norms; for depths from 3 on, the
    stationary point that is found from the direction of the network.

    *Polishing.* For a convex norm the problem is solved again with those samples alone that the
    certificate of the trained network puts on the margin; samples that then fall short of margin 1
    are added and it is solved once more, until there is none. So it cannot miss the reference, and
    the number of rounds says whether training had found the right samples. For depths from 3 on
    polishing is the search for that stationary point.

    *Slow modes.* In the end the error falls like the margin to the power of minus that of
    `sklcnn.theory.convergence_power`: at depth 2 the *dual gap* of what has to vanish, or the power
    with which frequencies change their shares. But what is needed and small has to wake up first,
    and grows like the margin to the power by which its dual vector exceeds 1. The *waking gap* is
    the least such excess where all but one coefficient of the solution, or frequency, are awake. A
    network may come by others than these on its way, so that large numbers promise little: the
    study says of each network what is asleep or lingers.

    References
    ----------
    .. [1] Gunasekar, Lee, Soudry, Srebro, "Implicit Bias of Gradient Descent on Linear
       Convolutional Networks", NeurIPS 2018, arXiv:1806.00468.

    Examples
    --------
    >>> from sklcnn.studies import linear_study
    >>> small = {"input_shape": 6, "n_samples": 2, "depths": (1,), "n_seeds": 1, "max_iter": 300}
    >>> small |= {"scales": (0.1,), "kernel_sizes": (1,), "sizes": (4,), "signal_shape": 16}
    >>> found = linear_study(**small, n_draws=1)
    >>> bool(found.runs.error.max() < 0.01)
    True
    """
    plan = prepare(
        verbose,
        input_shape=input_shape,
        n_samples=n_samples,
        depths=depths,
        n_seeds=n_seeds,
        scales=scales,
        kernel_sizes=kernel_sizes,
        init_scale=init_scale,
        max_iter=max_iter,
        target_margin=target_margin,
        scale_margin=scale_margin,
        min_power=min_power,
        min_waking=min_waking,
        signal_shape=signal_shape,
        sizes=sizes,
        n_draws=n_draws,
        random_state=random_state,
    )
    return carry_out(plan, verbose)


def prepare(verbose=False, **asked):
    """Check what was asked for, and look for samples.

    Parameters
    ----------
    verbose : bool, default=False
        Whether to show that this goes on.
    **asked
        Parameters of `linear_study`.

    Returns
    -------
    plan : LinearPlan
        What to do.
    """
    with FitProgress(1, enabled=verbose, counted=False) as progress:
        progress.stage("looking for samples")
        return make_linear_plan(**asked)


def carry_out(plan, verbose=False):
    """Do what a plan says.

    Parameters
    ----------
    plan : LinearPlan
        What to do.
    verbose : bool, default=False
        Whether to show progress.

    Returns
    -------
    study : LinearStudy
        What was found.
    """
    networks = [*plan.networks(), *plan.scaled_networks(), *plan.narrow_networks()]
    networks = list(dict.fromkeys(networks))  # what two parts have in common is trained once
    n_fits = len(networks) + len(NETWORKS) * len(plan.settings["sizes"]) * len(plan.draws)
    with FitProgress(n_fits, enabled=verbose) as progress:
        progress.stage("training")
        trained = train_networks(plan, networks, progress)
        progress.stage("signals of sparse spectrum")
        tables = _consequences(plan)
        progress.advance(n_fits - len(networks))
        progress.stage("certificates and polishing")
        return LinearStudy(**measure_networks(plan, trained), **tables, settings=plan.settings)


def _consequences(plan):
    """Make the tables of what the bias is good for."""
    settings = plan.settings
    predictors = train_predictors(
        input_shape=settings["signal_shape"],
        sizes=settings["sizes"],
        seeds=plan.draws,
        max_iter=_CONSEQUENCES_ITER,
    )
    learning = learning_rows(predictors)
    robustness = robustness_rows(predictors, n_samples=settings["attacked_size"])
    return {"learning": learning, "robustness": robustness}
