r"""What a stable learning rate implies: thresholds, and bounds by the sharpness.

Two conventions meet here. Theory has half the squared error, :math:`\frac{1}{2n} \sum_i (f(x_i) -
y_i)^2`, code the mean squared error without the half: its sharpness is twice that of theory, and
a learning rate of code is worth twice as much in theory. ``convention`` says which one is meant:
"half" or "mse".
"""

import warnings

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .arguments import check_choice, check_finite, check_noise, check_std

__all__ = ["generalization_gap", "loss_factor", "path_norm_bound", "stability_threshold"]


def loss_factor(convention):
    """Return how many halves of the squared error the loss is, or say what is known."""
    check_choice("convention", convention, ["mse", "half"])
    return 2.0 if convention == "mse" else 1.0


def stability_threshold(
    learning_rate: ArrayLike, momentum: ArrayLike = 0.0, *, nesterov: bool = False
) -> float | NDArray[np.float64]:
    r"""Return the curvature above which full-batch gradient descent diverges.

    On a quadratic with curvature :math:`\lambda`, gradient descent converges if
    :math:`0 < \lambda < 2 / \eta`. The threshold belongs to the loss that is minimized, halved or
    not: compare it with the sharpness of that same loss.

    Parameters
    ----------
    learning_rate : float or array-like of float
        Learning rate :math:`\eta`, constant, above 0; broadcast against `momentum`.
    momentum : float or array-like of float, default=0.0
        Share :math:`\beta` of the last step that is taken again, at least 0 and below 1, without
        dampening.
    nesterov : bool, default=False
        Whether the gradient is taken at the point where the momentum leads.

    Returns
    -------
    threshold : float or ndarray
        Largest stable curvature, in the broadcast shape of the arguments.

    Raises
    ------
    ValueError
        If a learning rate is not positive and finite, or a momentum is not in [0, 1).

    See Also
    --------
    path_norm_bound : What a sharpness below the threshold implies.

    Notes
    -----
    Along an eigenvector the heavy ball is :math:`x_{t+1} = (1 + \beta - \eta\lambda) x_t - \beta
    x_{t-1}`. The roots of :math:`z^2 - (1 + \beta - \eta\lambda) z + \beta` leave the unit
    circle at :math:`z = -1`, where :math:`\eta\lambda = 2 (1 + \beta)`. Nesterov's
    :math:`x_{t+1} = (1 - \eta\lambda) ((1 + \beta) x_t - \beta x_{t-1})` leaves it where
    :math:`\eta\lambda = 2 (1 + \beta) / (1 + 2\beta)`: momentum raises the threshold of the first
    and lowers that of the second.

    Clipped gradients do not change it where they are small; an adaptive method has another one.

    Examples
    --------
    >>> from sklcnn.theory import stability_threshold
    >>> stability_threshold([0.2, 0.4])
    array([10.,  5.])
    >>> float(round(stability_threshold(0.2, 0.9), 6))
    19.0
    """
    eta, beta = check_finite("learning_rate", learning_rate), check_std("momentum", momentum)
    if not (eta > 0).all():
        raise ValueError(f"learning_rate must be above 0, got {eta}.")
    if not (beta < 1).all():
        raise ValueError(f"momentum must be below 1, got {beta}.")
    return (2 * (1 + beta) / eta / (1 + 2 * beta if nesterov else 1))[()]


def path_norm_bound(
    sharpness: ArrayLike, mean_loss: ArrayLike, radius: ArrayLike, *, convention: str = "mse"
) -> float | NDArray[np.float64]:
    r"""Return the bound of the weighted path norm by sharpness and loss.

    Half the squared error *L* with sharpness :math:`\lambda` has, on inputs of norm at most *R*,

    .. math:: \text{weighted path norm} \le \lambda / 2 - 1 / 2 + (R + 1) \sqrt{2 L} ,

    the mean squared error :math:`\lambda / 4 - 1 / 2 + (R + 1) \sqrt{\text{MSE}}`. It holds at
    any time in training at which the loss is twice differentiable.

    Parameters
    ----------
    sharpness : float or array-like of float
        Largest eigenvalue :math:`\lambda` of the Hessian of the mean training loss over all
        parameters, the output bias among them. With :math:`2 / \eta` in its place the bound is that
        of all stable minima. The numbers are broadcast against each other.
    mean_loss : float or array-like of float
        Mean training loss at the same parameters and in the same convention, at least 0.
    radius : float or array-like of float
        Largest norm of a training input, for shared filters largest norm of a patch. Norms may
        differ: the largest one counts.
    convention : {"mse", "half"}, default="mse"
        Mean squared error as in code, or half of it as in theory: what both `sharpness` and
        `mean_loss` belong to. The bound is stated for no other loss.

    Returns
    -------
    bound : float or ndarray
        In the broadcast shape of the arguments; NaN, with a warning, where sharpness or loss is not
        finite, as at a point where the loss is not smooth or after divergence.

    Raises
    ------
    ValueError
        If the convention is unknown, a loss is negative, or a radius is negative or not finite.

    See Also
    --------
    weighted_path_norm : What is bounded.
    stability_threshold : What the sharpness stays below.

    Notes
    -----
    Published ([1]_, Theorem 3.2, and Corollary 3.3 for stable minima) for fully connected networks
    and half the squared error; the units of the mean squared error and the version for shared
    filters, with patches in the place of inputs, are our derivation. In the proof the residual part
    of the Hessian is at most :math:`\sqrt{1 + R^2} \sqrt{2L}`, of which half remains, so that the
    last term is generous.

    References
    ----------
    .. [1] Liang, Qiao, Wang, Parhi, "Stable Minima of ReLU Neural Networks Suffer from the Curse
       of Dimensionality", NeurIPS 2025, arXiv:2506.20779.

    Examples
    --------
    >>> from sklcnn.theory import path_norm_bound
    >>> float(path_norm_bound(10, 0, radius=1))  # the edge at learning rate 0.2
    2.0
    >>> float(path_norm_bound(5, 0, radius=1, convention="half"))  # the same in theory's units
    2.0
    """
    factor = loss_factor(convention)
    curvature, loss = np.asarray(sharpness, dtype=float), np.asarray(mean_loss, dtype=float)
    reach = check_std("radius", radius) + 1
    if (loss < 0).any():
        raise ValueError(f"mean_loss must be at least 0, got {loss}.")
    defined = np.isfinite(curvature) & np.isfinite(loss)
    if not defined.all():
        warnings.warn(
            "The bound is NaN where sharpness or mean_loss is not finite: the loss has no Hessian "
            "there, or training has diverged.",
            RuntimeWarning,
            stacklevel=2,
        )
    curvature, loss = (np.where(defined, a, np.nan) for a in (curvature, loss))
    return (curvature / (2 * factor) - 0.5 + reach * np.sqrt(2 * loss / factor))[()]


def generalization_gap(
    excess_risk: ArrayLike, noise: ArrayLike, train_error: ArrayLike
) -> float | NDArray[np.float64]:
    r"""Return the generalization gap, the distance between population and training error.

    It is :math:`|\text{excess} + \sigma^2 - \text{train}|`: the mean squared error on new samples
    with noisy targets is the excess risk and the variance of the noise, and from it the mean
    squared error on the training set, on its noisy targets, is subtracted.

    Parameters
    ----------
    excess_risk : float or array-like of float
        Mean of :math:`(f - f^*)^2` over new inputs, for the noiseless target :math:`f^*`; at
        least 0. The numbers are broadcast against each other.
    noise : float or array-like of float
        Standard deviation :math:`\sigma` of the noise of the targets, at least 0.
    train_error : float or array-like of float
        Mean squared error on the training set, at least 0 and *not* halved.

    Returns
    -------
    gap : float or ndarray
        At least 0, in units of the squared target.

    Raises
    ------
    ValueError
        If a number is negative or not finite.

    Notes
    -----
    A small gap is no sign of learning: the constant predictor has one. Report the excess risk
    beside the variance of the target.

    Examples
    --------
    >>> from sklcnn.theory import generalization_gap
    >>> float(round(generalization_gap(0.1289, 1.0, 0.8873), 4))
    0.2416
    """
    excess, sigma = check_std("excess_risk", excess_risk), check_noise(noise)
    return np.abs(excess + sigma**2 - check_std("train_error", train_error))[()]
