"""Where linear networks go: three architectures, their depths, scales and kernels, in one fleet."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
from numpy.random import RandomState

from sklcnn.plotting.linear import LinearDisplay
from sklcnn.studies.linear.measures import (
    curve_rows,
    kernel_width_rows,
    margin_table,
    run_row,
    scale_rows,
    spectrum_rows,
)
from sklcnn.studies.linear.plan import make_linear_plan, norm_of
from sklcnn.theory import max_margin
from sklcnn.training import fit_many
from sklcnn.training.progress import FitProgress

__all__ = ["LinearStudy", "carry_out", "linear_study"]


@dataclass(frozen=True, eq=False)
class LinearStudy:
    """What linear networks have come to; :func:`sklcnn.studies.linear_study` makes it.

    Parameters
    ----------
    runs : pandas.DataFrame
        One row for each ``architecture``, ``depth`` and ``seed``: the ``norm`` of theory, the
        ``margin`` reached, and the ``error``, the distance of the direction from its reference;
        numbers of `sklcnn.theory.Stationarity` after training (``trained_residual``, ...) and
        after polishing (``polished_residual``, ...); ``polished_error``; ``norm_value`` of the
        polished predictor, and ``best_norm``, the least that is known.
    margins : pandas.DataFrame
        Normalised ``margin`` of each network in each ``norm``, median over the seeds; ``own`` if
        theory has this norm for the network, ``wins`` if it is then the largest.
    curves : pandas.DataFrame
        ``error``, ``balance`` and ``alignment`` over ``margin`` and ``iteration``.
    spectra : pandas.DataFrame
        Coefficients and amplitudes of spectra of the last directions and of their references.
    scales : pandas.DataFrame
        Errors of two-layer networks at the stated margin, by ``init_scale``.
    kernel_widths : pandas.DataFrame
        Two-layer convolutional networks by ``kernel_size``: ``norm_value`` of the reference, and
        margins of network and reference as shares of the largest ones.
    settings : dict
        How it was found; ``draw`` is the number of the samples, whose gaps are ``deltas``.

    Examples
    --------
    >>> from sklcnn.studies import linear_study
    >>> small = {"n_features": 6, "n_samples": 2, "depths": (1, 2), "n_seeds": 1}
    >>> found = linear_study(**small, scales=(0.1,), kernel_sizes=(1,), max_iter=300)
    >>> found.runs[["architecture", "depth", "norm"]].values.tolist()[-2:]
    [['diagonal', 1, 'l2'], ['diagonal', 2, 'l1']]
    """

    runs: pd.DataFrame
    margins: pd.DataFrame
    curves: pd.DataFrame = field(repr=False)
    spectra: pd.DataFrame = field(repr=False)
    scales: pd.DataFrame = field(repr=False)
    kernel_widths: pd.DataFrame = field(repr=False)
    settings: dict[str, Any] = field(repr=False)

    def plot(self, axes: Sequence | None = None) -> LinearDisplay:
        """Draw errors, spectra, scales and kernel widths.

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
        margin = self.settings["scale_margin"]
        return LinearDisplay(
            self.curves, self.spectra, self.scales, self.kernel_widths, scale_margin=margin
        )


def linear_study(
    *,
    n_features: int = 16,
    n_samples: int = 5,
    depths: Sequence[int] = (1, 2, 3, 4),
    n_seeds: int = 3,
    scales: Sequence[float] = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0),
    kernel_sizes: Sequence[int] | None = None,
    init_scale: float = 0.1,
    max_iter: int = 2000,
    scale_margin: float = 100.0,
    min_delta: float = 0.3,
    random_state: int | RandomState | None = 0,
    verbose: bool = False,
) -> LinearStudy:
    """Train linear networks on the same samples, and compare them with predictors of theory.

    Theory says that the direction of the predictor depends on the architecture alone, or on little
    else [1]_: see `sklcnn.LinearNetworkClassifier`.

    Parameters
    ----------
    n_features, n_samples : int, default=16 and 5
        Of standard normal samples, whose labels alternate.
    depths : sequence of int, default=(1, 2, 3, 4)
        Layers of the networks.
    n_seeds : int, default=3
        Initial weights of every network.
    scales : sequence of float, default=(0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
        Scales of the initial weights of two-layer networks.
    kernel_sizes : sequence of int or None, default=None
        Widths of the kernels of two-layer convolutional networks; None for the powers of two and
        the width of the input.
    init_scale : float, default=0.1
        Scale of the initial weights elsewhere.
    max_iter : int, default=2000
        Evaluations of the gradient in each training.
    scale_margin : float, default=100.0
        Margin at which networks of different scales are compared.
    min_delta : float, default=0.3
        Samples are drawn until the dual gap is as large in "l1" and "fourier_l1"; see
        `sklcnn.theory.MaxMargin`.
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
    *Reference.* The solution of largest margin for convex norms; for depths from 3 on, the
    stationary point that is found from the direction of the network.

    *Polishing.* For a convex norm the program is solved again with those samples alone that the
    certificate of the trained network puts on the margin: that gives the reference if training has
    found the right ones. For depths from 3 on it is the search for that stationary point.

    *Slow modes.* At depth 2 a coefficient that has to vanish does so like the margin to the power
    of minus its dual gap, and one that is needed but was small may wake up as slowly. A dual gap of
    0.3 alone does not promise small errors at margins of some thousands.

    References
    ----------
    .. [1] Gunasekar, Lee, Soudry, Srebro, "Implicit Bias of Gradient Descent on Linear
       Convolutional Networks", NeurIPS 2018, arXiv:1806.00468.

    Examples
    --------
    >>> from sklcnn.studies import linear_study
    >>> small = {"n_features": 6, "n_samples": 2, "depths": (1,), "n_seeds": 1}
    >>> found = linear_study(**small, scales=(0.1,), kernel_sizes=(1,), max_iter=300)
    >>> bool(found.runs.error.max() < 0.01)
    True
    """
    plan = make_linear_plan(
        n_features=n_features,
        n_samples=n_samples,
        depths=depths,
        n_seeds=n_seeds,
        scales=scales,
        kernel_sizes=kernel_sizes,
        init_scale=init_scale,
        max_iter=max_iter,
        scale_margin=scale_margin,
        min_delta=min_delta,
        random_state=random_state,
    )
    return carry_out(plan, verbose)


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
    with FitProgress(1, enabled=verbose, counted=False) as progress:
        progress.stage("training")
        trained = _train(plan)
        progress.advance()
    main = {network: trained[network] for network in plan.networks()}
    curves, spectra = [], []
    for network, fitted in main.items():
        reference = _reference(plan, network, fitted)
        curves.append(curve_rows(plan, network, fitted, reference))
        spectra.append(spectrum_rows(network, fitted.direction_[-1], reference))
    deltas = {
        norm.name: solution.delta
        for norm, solution in plan.references.items()
        if norm.name in ("l1", "fourier_l1")
    }
    return LinearStudy(
        runs=pd.DataFrame([run_row(plan, *item) for item in main.items()]),
        margins=margin_table(plan, main),
        curves=pd.concat(curves, ignore_index=True),
        spectra=pd.concat(spectra, ignore_index=True),
        scales=pd.DataFrame([scale_rows(plan, n, trained[n]) for n in plan.scaled_networks()]),
        kernel_widths=pd.DataFrame(
            [kernel_width_rows(plan, n, trained[n]) for n in plan.narrow_networks()]
        ),
        settings=plan.settings | {"deltas": deltas},
    )


def _train(plan):
    """Train all networks of the study in one fleet, those that two parts need once."""
    networks = [*plan.networks(), *plan.scaled_networks(), *plan.narrow_networks()]
    networks = list(dict.fromkeys(networks))
    estimators = [network.estimator(plan.settings["max_iter"]) for network in networks]
    n_fits = len(networks)
    fitted = fit_many(estimators, [plan.X] * n_fits, [plan.y] * n_fits)
    return dict(zip(networks, fitted, strict=True))


def _reference(plan, network, fitted):
    """Predictor that a network is compared with; NaN if it has no sign of one."""
    norm = norm_of(network)
    if norm.is_convex:
        return plan.references[norm].coef
    return max_margin(plan.X, plan.y, **norm.arguments, start=fitted.direction_[-1]).coef
