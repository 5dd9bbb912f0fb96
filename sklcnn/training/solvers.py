"""Solvers: how gradients become steps.

A solver is a small scikit-learn object that holds parameters, so that ``solver__momentum`` can be
searched over; ``Stepper`` is the torch optimizer that carries one out. Every update is
element-wise, which keeps many nets in one stack independent.
"""

import copy

import torch
from sklearn.base import BaseEstimator

from sklcnn.nn import PatchNetwork
from sklcnn.nn.gradients import loss_and_gradients
from sklcnn.theory import stability_threshold, two_step_constants
from sklcnn.training.operations import add_scaled, is_zero, mix, scale, shift

__all__ = [
    "SGD",
    "SOLVERS",
    "AbstractSolver",
    "Adam",
    "GradientDescent",
    "TwoStep",
    "make_solver",
]

PROJECTIONS = (None, "unit_ball", "unit_sphere")
AT_LEAST_ZERO = (
    "bias_learning_rate",
    "first_threshold",
    "second_threshold",
    "loss_tol",
    "gradient_tol",
)


class AbstractSolver(BaseEstimator):
    """Parameters of an update rule; ``update`` turns gradients into new parameters in place.

    In a stack the parameters called ``numbers`` may be tensors (n_members,).
    """

    full_batch = False
    n_steps: int | None = None  # None: as many as the estimator says
    numbers: tuple[str, ...] = ()
    clip_norm: float | None = None
    bias_learning_rate: float | None = None
    loss_tol: float | None = None
    gradient_tol: float | None = None

    @property
    def kind(self):
        """What members of one stack must have in common."""
        values = vars(self).items()
        rest = (repr(value) for name, value in values if name not in self.numbers)
        return type(self), *(getattr(self, name) is None for name in self.numbers), *rest

    @property
    def has_tolerances(self):
        """Whether training may end at a loss or at a gradient."""
        return self.loss_tol is not None or self.gradient_tol is not None

    def stable_learning_rate(self, sharpness):
        """Return the learning rate below which a minimum of that sharpness is stable.

        Returns
        -------
        rate, formula : (float, str) or None
            The number, and where it comes from; None if sharpness does not say.
        """
        return None

    def settle(self, network):
        """Return the solver with all its numbers, those that depend on the network included."""
        return self

    def place(self, threshold, state):
        """Put the threshold of soft thresholds where a schedule wants it after a step."""

    def attempt(self, parameters, states):
        """Take a step on trial, before the loss is evaluated."""

    def evaluate(self, states, network, mean_loss, inputs, target, weight, space):
        """Return mean loss, outputs and gradients, as `sklcnn.nn.gradients` does."""
        return loss_and_gradients(network, mean_loss, inputs, target, weight, space)

    def judge(self, parameters, gradients, states, learning_rate, loss):
        """Keep the step on trial or take it back; return the loss of what is left."""
        return loss

    def check(self):
        """Raise ValueError for a parameter out of range, naming it."""
        if self.projection not in PROJECTIONS:
            raise ValueError(
                f"projection={self.projection!r} of {self!r} must be one of {PROJECTIONS}."
            )
        for name in ("clip_norm", "first_rate", "second_rate"):
            value = getattr(self, name, None)
            if value is not None and not value > 0:
                raise ValueError(f"{name}={value} of {self!r} must be positive or None.")
        for name in AT_LEAST_ZERO:
            value = getattr(self, name, None)
            if value is not None and not value >= 0:
                raise ValueError(f"{name}={value} of {self!r} must be at least 0 or None.")
        for name in ("momentum", "beta_1", "beta_2"):
            if not 0 <= getattr(self, name, 0) < 1:
                raise ValueError(f"{name}={getattr(self, name)} of {self!r} must lie in [0, 1).")


class GradientDescent(AbstractSolver):
    """Full-batch gradient descent.

    Parameters
    ----------
    momentum : float, default=0.0
        Heavy-ball momentum in [0, 1).
    projection : {None, "unit_ball", "unit_sphere"}, default=None
        Where every filter is projected after each step (Euclidean norm).
    clip_norm : float or None, default=None
        Largest Euclidean norm of the gradient of all parameters together; None does not clip.
    bias_learning_rate : float or None, default=None
        Size of the steps of biases and thresholds; None is that of the weights, 0 leaves them where
        they start. A scheduler that
        changes the rate of the weights changes this one by the same factor.
    min_threshold : float or None, default=None
        Where the threshold of soft thresholds is held from below after each step; 0 keeps them a
        shrinkage.
    loss_tol : float or None, default=None
        Training ends where the training loss, without the penalty, is at most this. None, here and
        below, does not ask.
    gradient_tol : float or None, default=None
        Training ends where the gradient of all parameters together, of the loss with its penalty
        and not clipped, has at most this Euclidean norm.

    Notes
    -----
    Loss and gradient of an epoch are those before its step. Where one of them is within its
    tolerance the step is not taken: the fitted network is the one that was found to be there, and
    its loss the last of ``loss_curve_``. An initial network that is there already stays as it is,
    after one epoch. With ``early_stopping`` the weights of the best epoch are kept all the same.

    Whichever comes first ends training: a tolerance, ``tol`` of the estimator (None asks for
    neither patience nor improvement) or ``max_iter``.

    Examples
    --------
    >>> from sklcnn.training import GradientDescent
    >>> GradientDescent(projection="unit_ball")
    GradientDescent(projection='unit_ball')

    Until the training set is interpolated:

    >>> import sklcnn
    >>> from sklcnn.datasets import make_sphere
    >>> X, y = make_sphere(n_samples=20, n_features=10, random_state=0)
    >>> solver = GradientDescent(loss_tol=1e-4)
    >>> network = sklcnn.FCNRegressor(50, solver=solver, tol=None, max_iter=5000, random_state=0)
    >>> _ = network.set_params(learning_rate_init=0.1).fit(X, y)
    >>> network.loss_curve_[-2] > 1e-4 >= network.loss_curve_[-1]
    True
    """

    full_batch = True
    numbers = ("momentum", "clip_norm", "bias_learning_rate", "loss_tol", "gradient_tol")

    def __init__(
        self,
        momentum: float = 0.0,
        *,
        projection: str | None = None,
        clip_norm: float | None = None,
        bias_learning_rate: float | None = None,
        min_threshold: float | None = None,
        loss_tol: float | None = None,
        gradient_tol: float | None = None,
    ) -> None:
        self.momentum = momentum
        self.projection = projection
        self.clip_norm = clip_norm
        self.bias_learning_rate = bias_learning_rate
        self.min_threshold = min_threshold
        self.loss_tol = loss_tol
        self.gradient_tol = gradient_tol

    def update(self, parameters, gradients, states, learning_rate):
        """Take one step."""
        _momentum_step(parameters, gradients, states, learning_rate, self.momentum, nesterov=False)

    def stable_learning_rate(self, sharpness):
        """Return 2 / sharpness, more with momentum, if it holds for all parameters alike."""
        if self.projection is not None or self.bias_learning_rate is not None:
            return None
        formula = "2 (1 + momentum) / sharpness" if self.momentum else "2 / sharpness"
        # The threshold of the sharpness at a learning rate, read the other way round.
        return stability_threshold(sharpness, self.momentum), formula

    def place(self, threshold, state):
        """Hold the threshold from below."""
        if self.min_threshold is not None:
            threshold.clamp_min_(self.min_threshold)


class SGD(AbstractSolver):
    """Mini-batch stochastic gradient descent with momentum.

    Parameters
    ----------
    momentum : float, default=0.9
        Momentum in [0, 1).
    nesterov : bool, default=True
        Whether to use Nesterov's momentum.
    projection : {None, "unit_ball", "unit_sphere"}, default=None
        Where every filter is projected after each step (Euclidean norm).
    clip_norm : float or None, default=None
        Largest Euclidean norm of the gradient of all parameters together; None does not clip.

    Examples
    --------
    >>> from sklcnn.training import SGD
    >>> SGD(momentum=0.5).nesterov
    True
    """

    numbers = ("momentum", "clip_norm")

    def __init__(
        self,
        momentum: float = 0.9,
        *,
        nesterov: bool = True,
        projection: str | None = None,
        clip_norm: float | None = None,
    ) -> None:
        self.momentum = momentum
        self.nesterov = nesterov
        self.projection = projection
        self.clip_norm = clip_norm

    def update(self, parameters, gradients, states, learning_rate):
        """Take one step."""
        _momentum_step(parameters, gradients, states, learning_rate, self.momentum, self.nesterov)


class Adam(AbstractSolver):
    """Adam on mini-batches.

    Parameters
    ----------
    beta_1 : float, default=0.9
        Decay of the mean of the gradients, in [0, 1).
    beta_2 : float, default=0.999
        Decay of the mean of their squares, in [0, 1).
    epsilon : float, default=1e-8
        Added to the root of the second moment.
    projection : {None, "unit_ball", "unit_sphere"}, default=None
        Where every filter is projected after each step (Euclidean norm).
    clip_norm : float or None, default=None
        Largest Euclidean norm of the gradient of all parameters together; None does not clip.

    References
    ----------
    .. [1] Kingma, Ba, "Adam: A Method for Stochastic Optimization", arXiv 1412.6980, Algorithm 1.

    Examples
    --------
    >>> from sklcnn.training import Adam
    >>> Adam(beta_1=0.8).get_params()["beta_1"]
    0.8
    """

    numbers = ("beta_1", "beta_2", "epsilon", "clip_norm")

    def __init__(
        self,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        *,
        epsilon: float = 1e-8,
        projection: str | None = None,
        clip_norm: float | None = None,
    ) -> None:
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.projection = projection
        self.clip_norm = clip_norm

    def update(self, parameters, gradients, states, learning_rate):
        """Take one step."""
        for state, gradient in zip(states, gradients, strict=True):
            if not state:
                state.update(step=0, mean=torch.zeros_like(gradient))
                state["square"] = torch.zeros_like(gradient)
            state["step"] += 1
        means = [state["mean"] for state in states]
        squares = [state["square"] for state in states]
        step = states[0]["step"]
        mix(means, gradients, self.beta_1)
        mix(squares, torch._foreach_mul(gradients, gradients), self.beta_2)
        roots = torch._foreach_sqrt(squares)
        scale(roots, (1 - self.beta_2**step) ** -0.5)
        shift(roots, self.epsilon)
        steps = torch._foreach_div(means, roots)
        add_scaled(parameters, steps, -learning_rate / (1 - self.beta_1**step))


class TwoStep(AbstractSolver):
    r"""Two large steps of full-batch gradient descent with thresholds set by schedule.

    From small weights and a threshold of zero, where the network is linear: a step of size
    ``first_rate`` along the gradient; every filter is projected to the unit sphere; the threshold
    is set to ``first_threshold``, above the noise of a patch and below the signal. A step of size
    ``second_rate``, which outweighs the first; projection; ``second_threshold``. The rule commutes
    with rotations of patches and permutations of them, so that it is an equivariant algorithm.

    It is made for networks of soft thresholds that are added up (``readout="sum"``), such as
    `sklcnn.dsd_network`, and sets ``learning_rate_init``, ``max_iter`` and ``tol`` itself.

    Parameters
    ----------
    first_rate : float or None, default=None
        Size of the first step; None is the constant of the paper, for this and the other numbers.
    second_rate : float or None, default=None
        Size of the second step.
    first_threshold : float or None, default=None
        Threshold during the second step, at least 0.
    second_threshold : float or None, default=None
        Threshold afterwards, at least 0.
    projection : {None, "unit_ball", "unit_sphere"}, default="unit_sphere"
        Where every filter is projected after each step (Euclidean norm).

    See Also
    --------
    sklcnn.theory.two_step_constants : The literal constants.

    Notes
    -----
    The literal constants are asymptotic: in networks of ordinary size their thresholds shut out no
    noise, and what comes out is a linear classifier. With ``loss="log_loss"`` it is a good one.
    With the squared loss it is the opposite of one: filters of unit length are longer than those
    of the best linear network, so that the second gradient points back, and its step turns them
    round. In practice thresholds are searched over on held-out data, for example
    ``{"solver__first_threshold": [0, noise, 2 * noise, 3 * noise]}``, which a fleet trains in one
    stack; a threshold that shuts out the noise works with either loss.

    References
    ----------
    .. [1] Lahoti, Karp, Winston, Singh, Li, "Role of Locality and Weight Sharing in Image-Based
       Tasks", ICLR 2024, arXiv:2403.15707: the algorithm of the upper bounds.

    Examples
    --------
    >>> import sklcnn
    >>> from sklcnn.datasets import DynamicSignal
    >>> from sklcnn.training import TwoStep
    >>> law = DynamicSignal(n_patches=20, patch_size=20, noise=0.1, random_state=0)
    >>> X, y = law.sample(300, random_state=1)
    >>> solver = TwoStep(first_threshold=0.3, second_threshold=0.15)
    >>> network = sklcnn.dsd_network("lcn", 20, 20, solver=solver, random_state=0).fit(X, y)
    >>> sklcnn.alignment(network, law).mean().round(2)
    np.float64(0.99)
    """

    full_batch = True
    n_steps = 2
    numbers = ("first_rate", "second_rate", "first_threshold", "second_threshold")

    def __init__(
        self,
        first_rate: float | None = None,
        second_rate: float | None = None,
        *,
        first_threshold: float | None = None,
        second_threshold: float | None = None,
        projection: str | None = "unit_sphere",
    ) -> None:
        self.first_rate = first_rate
        self.second_rate = second_rate
        self.first_threshold = first_threshold
        self.second_threshold = second_threshold
        self.projection = projection

    def settle(self, network):
        """Fill in the constants of the paper; the network must be one that they are made for."""
        if not isinstance(network, PatchNetwork):
            raise ValueError(
                f"solver={self!r} is made for one hidden layer without pool_size; use another "
                "solver for deeper networks."
            )
        if network.readout != "sum":
            raise ValueError(
                f"solver={self!r} moves filters only and needs readout='sum', but the readout is "
                f"{network.readout!r}."
            )
        if network.activation != "soft_threshold":
            raise ValueError(
                f"solver={self!r} sets the threshold of activation='soft_threshold', but the "
                f"activation is {network.activation!r}."
            )
        open_numbers = [name for name in self.numbers if getattr(self, name) is None]
        if not open_numbers:
            return self
        n_blocks, patch_size, n_sharing = network.blocks
        n_patches = n_blocks * n_sharing
        if n_patches == 1:
            raise ValueError(
                f"solver={self!r} has constants for locally connected and convolutional networks "
                f"only; a fully connected one needs numbers for {', '.join(open_numbers)}."
            )
        family = "cnn" if len(network.weight) == 1 else "lcn"
        constants = two_step_constants(family, n_patches, patch_size)
        literal = dict(
            zip(self.numbers, (*constants.learning_rates, *constants.thresholds), strict=True)
        )
        settled = copy.copy(self)
        return settled.set_params(**{name: literal[name] for name in open_numbers})

    def update(self, parameters, gradients, states, learning_rate):
        """Take the next of the two steps."""
        for state in states:
            state["step"] = state.get("step", 0) + 1
        first = states[0]["step"] == 1
        add_scaled(parameters, gradients, -(self.first_rate if first else self.second_rate))

    def place(self, threshold, state):
        """Set the threshold."""
        first = state["step"] == 1
        value = self.first_threshold if first else self.second_threshold
        threshold.copy_(torch.as_tensor(value, dtype=threshold.dtype))


def _momentum_step(parameters, gradients, states, learning_rate, momentum, nesterov):
    """Heavy-ball or Nesterov step; the velocity is the decayed sum of the gradients."""
    if not is_zero(momentum):
        for state, gradient in zip(states, gradients, strict=True):
            if not state:
                state["velocity"] = torch.zeros_like(gradient)
        velocities = [state["velocity"] for state in states]
        scale(velocities, momentum)
        torch._foreach_add_(velocities, gradients)
        if nesterov:
            add_scaled(gradients, velocities, momentum)
        else:
            gradients = velocities
    add_scaled(parameters, gradients, -learning_rate)


SOLVERS = {"gd": GradientDescent, "sgd": SGD, "adam": Adam, "two_step": TwoStep}


def make_solver(solver):
    """Return the solver object that a name stands for, or the object itself, checked."""
    solver = SOLVERS[solver]() if isinstance(solver, str) and solver in SOLVERS else solver
    if not isinstance(solver, AbstractSolver):
        raise ValueError(
            f"solver={solver!r} must be one of {sorted(SOLVERS)} or a solver object, such as "
            "GradientDescent(momentum=0.5)."
        )
    solver.check()
    return solver
