"""Linear networks as a classifier: what training makes of layers that could be one."""

import warnings
from collections.abc import Sequence
from dataclasses import replace
from numbers import Integral, Real
from typing import NamedTuple

import numpy as np
import torch
from numpy.random import RandomState
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.metaestimators import available_if

from sklcnn.estimators.classifiers import AbstractClassifier
from sklcnn.nn.gradients import loss_and_gradients
from sklcnn.nn.linear import LINEAR_NETWORKS, ConvolutionalLinearNetwork, FullLinearNetwork
from sklcnn.nn.losses import LOGARITHMS, MeanLoss
from sklcnn.theory import check_separable, fourier_coef
from sklcnn.theory.linear_networks.penalties import check_kernel_size
from sklcnn.theory.linear_networks.spectra import check_input_shape
from sklcnn.training import (
    BacktrackingDescent,
    GradientDescent,
    NormalizedDescent,
    ProxLinearDescent,
)

__all__ = ["LinearNetworkClassifier"]

# By step: the solver, and whether it goes down the logarithm of the mean loss or the loss itself.
STEPS = {
    "loss_scaled": (BacktrackingDescent, True),
    "prox_linear": (ProxLinearDescent, True),
    "normalized": (NormalizedDescent, True),
    "constant": (GradientDescent, False),
}
RECORDS_PER_DECADE = 10
RECORDED_STEP = 10  # and its multiples, of prox-linear steps, whose margins grow exponentially
# Where prox-linear steps end by themselves: far before shares of samples are lost to rounding.
LARGEST_MARGIN = 1e9


def _trains_in_parts(network):
    """Say that it does not: a step is judged only when the next one is due."""
    raise AttributeError(f"{type(network).__name__} has no partial_fit; use fit with a max_iter.")


class LinearNetworkClassifier(AbstractClassifier):
    r"""Linear network for binary classification: layers without activations, no intercept.

    However many layers it has, its predictor is linear, :math:`f(x) = \langle x, \beta \rangle`,
    and on separable data many predictors have no training error. Gradient descent goes to that of
    largest margin in a norm that the architecture chooses [1]_: the Euclidean norm for full layers
    of any depth, and for two layers :math:`\ell_1` of the coefficients if they are diagonal, of
    their discrete Fourier transform if they are convolutional, with one channel and kernels as wide
    as the input. With *L* > 2 layers the latter two come to a stationary point of
    :math:`\ell_{2/L}`, which one depends on the initial weights, and its margin may be far from the
    largest.

    Parameters
    ----------
    architecture : {"full", "convolutional", "diagonal"}, default="full"
        How layers multiply: as matrices, by circular convolution, or entry by entry. Hidden layers
        are as wide as the input.
    depth : int, default=2
        Number of layers *L*, the output layer included; 1 is plain linear classification.
    kernel_size : int or tuple of int, default=None
        Width of the kernels of convolutional layers, or their widths along the axes of
        ``input_shape``; None for that of the input. The output layer is as wide as the input.
    n_channels : int, default=1
        Channels of each hidden convolutional layer.
    input_shape : tuple of int, default=None
        Shape of one sample: ``(length,)`` or ``(height, width)``; None is a signal. Convolution is
        circular in every axis. X has one row a sample, raveled in C order, or these trailing axes.
    loss : {"exponential", "log_loss"}, default="exponential"
        Loss on labels coded as -1 and +1.
    init_scale : float, default=0.1
        Scale of the initial layers: entries of the initial predictor have the standard deviation
        ``init_scale ** depth``. Small values come closer to the limits above, but wake up late;
        from depth 2 on, zero would never move.
    step : {"loss_scaled", "prox_linear", "constant", "normalized"}, default="loss_scaled"
        "loss_scaled": gradient steps that lower the logarithm of the loss by a number that is
        adapted, and are taken back where they leave the gradient flow
        (:class:`~sklcnn.training.BacktrackingDescent`); margins grow like their number.
        "prox_linear": implicit steps along the same flow, each of which needs the gradients of all
        samples one by one (:class:`~sklcnn.training.ProxLinearDescent`); margins grow
        exponentially. "constant": plain steps on the loss; margins grow like the logarithm of their
        number. "normalized": steps of constant length
        (:class:`~sklcnn.training.NormalizedDescent`).
    learning_rate_init : float, default=0.1
        How much the first loss-scaled step lowers the logarithm of the loss; the length of
        prox-linear steps as a share of the weights, which is shortened where that is too long; the
        rate of constant steps; the length of normalized ones.
    max_iter : int, default=1000
        Largest number of evaluations of loss and gradient; a step that is taken back has cost one.
    target_margin : float, default=None
        Training ends where the loss proves that every sample has at least this margin
        :math:`y f(x)`; None trains for ``max_iter`` steps, prox-linear ones to a margin of 1e9 at
        most. From 1e13 on float64 loses how samples share the loss.
    device : str, default="auto"
        "auto" (CUDA if there is one), "cpu", "cuda" or "cuda:1".
    random_state : int, RandomState instance or None, default=None
        Seeds the initial weights. Same value, same result; the global generators of numpy and torch
        are not touched.
    verbose : int, default=0
        Whether to print a line a step.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
        Labels, sorted.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, if X has string column names.
    coef_ : ndarray of shape (1, n_features)
        The predictor :math:`\beta`, the product of all layers.
    layers_ : list of ndarray
        From the input to the output. Full: matrices of shape (n_features, n_features) and a
        vector. Diagonal: vectors. Convolutional: kernels of the shape of ``kernel_size`` and an
        output layer of that of ``input_shape``; with several channels (n_channels, channels below)
        stands in front of the first and (n_channels,) of the last.
    fourier_coef_ : ndarray of shape (n_features,)
        Unitary discrete Fourier transform of ``coef_``, raveled.
    record_iters_ : ndarray of shape (n_records,)
        Epochs after which training was looked at: 0, which is the start, then about ten a decade,
        of prox-linear steps every tenth besides, and the last.
    margin_ : ndarray of shape (n_records,)
        Smallest margin of a training sample then.
    direction_ : ndarray of shape (n_records, n_features)
        Predictor then, scaled to Euclidean norm one.
    balance_ : ndarray of shape (n_records,)
        How far training has left the gradient flow: the largest change, since the start, of what a
        flow conserves between two neighboring layers (Frobenius norm), over the largest squared
        norm of a layer then.
    alignment_ : ndarray of shape (n_records,)
        One minus the cosine between all weights and the negative gradient; zero at a stationary
        point of the margin.
    singular_ratio_ : ndarray of shape (depth - 1,)
        Second singular value of each matrix over the first; zero if it has rank one. None unless
        layers are full.
    layer_alignment_ : ndarray of shape (depth - 1,)
        Cosine between the first singular directions in which two neighboring layers meet. None
        unless layers are full.
    module_ : torch.nn.Module
        The trained network.
    net_ : skorch.NeuralNet
        A working skorch net around ``module_``.
    loss_curve_ : list of float
        Logarithm of the mean training loss at every epoch, for all ``step``; with loss-scaled and
        prox-linear steps at the weights that are left, so that it never rises by more than
        rounding.
    validation_loss_curve_ : list of float
        The same on validation samples; empty without them.
    n_iter_ : int
        Epochs trained: evaluations of loss and gradient.
    n_train_ : int
        Samples trained on.
    n_parameters_ : int
        Trained parameters.
    fit_seconds_ : float
        Seconds of training; in a fleet, its share of those of the stack.

    See Also
    --------
    sklcnn.FCNClassifier : With activations and intercepts.

    Notes
    -----
    There is no intercept: add a constant column, or center the data. Samples that no hyperplane
    through the origin separates are refused with ``target_margin``, which no training would reach.
    Without, they are fitted as well as the loss allows, with a
    :class:`~sklearn.exceptions.ConvergenceWarning` that holds the proof.

    Everything is computed in float64, and on the logarithm of the loss, so that margins of
    thousands neither overflow nor vanish. Directions converge like one over the margin at best, and
    often far slower (:func:`~sklcnn.theory.convergence_power`): compare networks at equal margins.

    References
    ----------
    .. [1] Gunasekar, Lee, Soudry, Srebro, "Implicit Bias of Gradient Descent on Linear
       Convolutional Networks", NeurIPS 2018, arXiv:1806.00468.

    Examples
    --------
    >>> from sklcnn import LinearNetworkClassifier
    >>> X, y = [[2.0, 1.0], [-2.0, -1.0]], [1, -1]
    >>> for architecture in ("full", "diagonal"):
    ...     network = LinearNetworkClassifier(architecture, target_margin=1e5, random_state=0)
    ...     print(network.fit(X, y).direction_[-1].round(1))
    [0.9 0.4]
    [1. 0.]
    """

    _parameter_constraints = {
        "architecture": [StrOptions(set(LINEAR_NETWORKS))],
        "depth": [Interval(Integral, 1, None, closed="left")],
        "kernel_size": [Interval(Integral, 1, None, closed="left"), tuple, list, None],
        "n_channels": [Interval(Integral, 1, None, closed="left")],
        "input_shape": [tuple, list, None],
        "loss": [StrOptions(set(LOGARITHMS))],
        "init_scale": [Interval(Real, 0, None, closed="left")],
        "step": [StrOptions(set(STEPS))],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "target_margin": [Interval(Real, 0, None, closed="neither"), None],
        "device": [str],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    # What other networks take as parameters.
    solver, alpha, batch_size, tol, n_iter_no_change = "gd", 0.0, "auto", None, 1
    augment_shift, early_stopping, warm_start = 0, False, False
    class_weight, callbacks, dtype = None, None, "float64"

    def __init__(
        self,
        architecture: str = "full",
        depth: int = 2,
        *,
        kernel_size: int | Sequence[int] | None = None,
        n_channels: int = 1,
        input_shape: Sequence[int] | None = None,
        loss: str = "exponential",
        init_scale: float = 0.1,
        step: str = "loss_scaled",
        learning_rate_init: float = 0.1,
        max_iter: int = 1000,
        target_margin: float | None = None,
        device: str = "auto",
        random_state: int | RandomState | None = None,
        verbose: int = 0,
    ) -> None:
        self._store(locals())

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags

    partial_fit = available_if(_trains_in_parts)(AbstractClassifier.partial_fit)

    # prepare

    def _check_y(self, y, reset, classes):
        y = super()._check_y(y, reset, classes)
        if len(self.classes_) > 2:
            raise ValueError(
                "Only binary classification is supported. The type of the target is multiclass: y "
                f"holds {len(self.classes_)} classes. Wrap the classifier in OneVsRestClassifier."
            )
        return y

    def _prepare(self, samples, validation, start, **limits):
        job = super()._prepare(samples, validation, start, **limits)
        if self.target_margin is not None:
            check_separable(job.samples.X, job.samples.target[:, 0])
        return job

    def _build(self, n_outputs, generator):
        """Draw the initial layers."""
        if self.init_scale == 0 and self.depth > 1:
            raise ValueError(
                f"init_scale=0 with depth={self.depth} is a network of zeros, whose gradient is "
                "zero and which never moves; use a positive init_scale."
            )
        shape = check_input_shape(self.input_shape, self.n_features_in_)
        network = LINEAR_NETWORKS[self.architecture]
        seeded = {"generator": generator, "init_scale": self.init_scale}
        return network(shape, self.depth, **self._kernels(network, shape), **seeded)

    def _kernels(self, network, shape):
        """Return what only convolutional layers have."""
        if network is ConvolutionalLinearNetwork:
            kernel_size = check_kernel_size(self.kernel_size, shape)
            return {"kernel_size": kernel_size, "n_channels": self.n_channels}
        if self.kernel_size is not None or self.n_channels != 1:
            raise ValueError(
                f"kernel_size={self.kernel_size} and n_channels={self.n_channels} are for "
                f"architecture='convolutional'; leave them out with {self.architecture!r}."
            )
        return {}

    def _job(self, module, n_train, **training):
        """Return a job with the parameters of this estimator."""
        solver, logarithm = STEPS[self.step]
        snapshots = self._record_epochs(training.get("max_iter", self.max_iter))
        job = super()._job(module, n_train, logarithm=logarithm, snapshots=snapshots, **training)
        return replace(job, solver=solver(loss_tol=self._loss_tol(job.samples, logarithm)))

    def _record_epochs(self, max_iter):
        """Return the start, and the epochs that are looked at besides the last."""
        exponents = np.arange(RECORDS_PER_DECADE * np.log10(max_iter) + 1) / RECORDS_PER_DECADE
        epochs = np.rint(10**exponents).astype(int)
        if self.step == "prox_linear":
            epochs = np.append(epochs, np.arange(RECORDED_STEP, max_iter + 1, RECORDED_STEP))
        return 0, *np.unique(epochs[epochs <= max_iter]).tolist()

    def _loss_tol(self, samples, logarithm):
        """Return the loss at and below which every sample has the target margin.

        A mean is at least the share of a sample times its loss.
        """
        margin = self.target_margin
        if margin is None and self.step == "prox_linear":
            margin = LARGEST_MARGIN
        if margin is None or samples is None:
            return None
        weight = np.ones(len(samples)) if samples.weight is None else samples.weight
        margin = torch.tensor([[margin]], dtype=torch.float64)
        largest = LOGARITHMS[self.loss](margin, 1.0).item() + np.log(weight.min() / weight.sum())
        return largest if logarithm else np.exp(largest)

    # finish

    def _finish(self, job, trained, start):
        super()._finish(job, trained, start)
        self._solver_state = [{} for _ in self.module_.parameters()]  # it never goes on
        if not job.logarithm:
            self.loss_curve_ = _logarithms(self.loss_curve_)
            self.validation_loss_curve_ = _logarithms(self.validation_loss_curve_)
        self._record(job, trained)
        self._warn_unless_separated(job)
        return self

    def _present_layers(self):
        """Show the layers and their product as arrays."""
        self.n_parameters_ = sum(parameter.numel() for parameter in self.module_.parameters())
        layers = [layer.detach().cpu().numpy().copy() for layer in self.module_.layers]
        if isinstance(self.module_, ConvolutionalLinearNetwork) and self.n_channels == 1:
            n_axes = len(self.module_.input_shape)
            layers = [layer.reshape(layer.shape[-n_axes:]) for layer in layers]
        self.layers_ = layers
        with torch.no_grad():
            self.coef_ = self.module_.coef().cpu().numpy()[None]  # (1, n_features)
        self.fourier_coef_ = fourier_coef(self.coef_[0], self.module_.input_shape)
        self.singular_ratio_ = self.layer_alignment_ = None
        if isinstance(self.module_, FullLinearNetwork):
            self.singular_ratio_, self.layer_alignment_ = _rank_one(layers)

    def _record(self, job, trained):
        """Look at the weights along training."""
        final = dict(trained.module.named_parameters())
        weights = {**trained.snapshots, self.n_iter_: final}
        self.record_iters_ = np.array(sorted(weights))
        samples = job.samples.to(next(trained.module.parameters()).device, torch.float64)
        networks = [trained.module.with_parameters(weights[epoch]) for epoch in sorted(weights)]
        start = networks[0].conserved()
        mean_loss = MeanLoss(self.loss, logarithm=True)
        looks = [_look(network, start, samples, mean_loss) for network in networks]
        self.margin_, self.direction_, self.balance_, self.alignment_ = map(
            np.array, zip(*looks, strict=True)
        )

    def _warn_unless_separated(self, job):
        """Say so if samples are on the wrong side, or short of the target."""
        margin, target = self.margin_[-1], self.target_margin or 0.0
        if margin > 0 and margin >= target:
            return
        message = (
            f"The smallest margin after max_iter={self.max_iter} steps is {margin:.3g}, which "
            f"falls short of {target:.3g}; raise max_iter."
        )
        try:
            check_separable(job.samples.X, job.samples.target[:, 0])
        except ValueError as proof:
            message = f"The fit is one of samples that it cannot separate. {proof}"
        warnings.warn(message, ConvergenceWarning, stacklevel=5)


class _Look(NamedTuple):
    """What is recorded of a network."""

    margin: float
    direction: np.ndarray  # (n_features,)
    balance: float
    alignment: float


def _logarithms(losses):
    with np.errstate(divide="ignore"):
        return np.log(losses).tolist()


def _look(network, start, samples, mean_loss):
    """Measure a network on its training samples, and what it has not conserved since the start."""
    parts = samples.X, samples.target, samples.weight
    _, outputs, gradients = loss_and_gradients(network, mean_loss, *parts)
    with torch.no_grad():
        layers, coef = network.layers, network.coef().cpu().numpy()
        changes = [
            (now - then).norm() for now, then in zip(network.conserved(), start, strict=True)
        ]
        sizes = [layer.square().sum() for layer in layers]
        slope = sum(gradient.square().sum() for gradient in gradients)
        products = [-(a * b).sum() for a, b in zip(layers, gradients, strict=True)]
        cosine = sum(products) / (sum(sizes) * slope).sqrt()
        return _Look(
            margin=(outputs * samples.target).min().item(),
            direction=coef / (np.linalg.norm(coef) or 1.0),
            balance=(max(changes) / max(sizes)).item() if changes else 0.0,
            alignment=1 - cosine.item(),
        )


def _rank_one(layers):
    """Return how near to rank one matrices are, and how they are aligned, (depth - 1,) each."""
    *matrices, vector = layers
    lefts, sizes, rights = zip(*map(np.linalg.svd, [*matrices, vector[:, None]]), strict=True)
    ratios = [size[1] / size[0] if len(size) > 1 else 0.0 for size in sizes[:-1]]
    cosines = [abs(right[0] @ left[:, 0]) for right, left in zip(rights, lefts[1:], strict=False)]
    return np.array(ratios), np.array(cosines)
