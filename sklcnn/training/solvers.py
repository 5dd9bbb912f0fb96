"""Solvers: how gradients become steps.

A solver is a small scikit-learn object that holds parameters, so that ``solver__momentum`` can be
searched over. :class:`Stepper` is the torch optimizer that carries one out: decay, clip, step,
project. Every update is element-wise, which keeps many nets in one stack independent.
"""

import copy
import inspect

import numpy as np
import torch
from sklearn.base import BaseEstimator

from sklcnn.theory import two_step_constants

__all__ = [
    "SGD",
    "SOLVERS",
    "AbstractSolver",
    "Adam",
    "GradientDescent",
    "Stepper",
    "TwoStep",
    "make_solver",
]

PROJECTIONS = (None, "unit_ball", "unit_sphere")


class AbstractSolver(BaseEstimator):
    """Parameters of an update rule; ``update`` turns gradients into new parameters in place.

    In a stack the parameters called ``numbers`` may be tensors (n_members,).
    """

    full_batch = False
    n_steps: int | None = None  # None: as many as the estimator says
    numbers: tuple[str, ...] = ()
    clip_norm: float | None = None
    bias_learning_rate: float | None = None

    @property
    def kind(self):
        """What members of one stack must have in common."""
        values = vars(self).items()
        rest = (repr(value) for name, value in values if name not in self.numbers)
        return type(self), self.clip_norm is None, self.bias_learning_rate is None, *rest

    def settle(self, network):
        """Return the solver with all its numbers, those that depend on the network included."""
        return self

    def place(self, threshold, state):
        """Put the threshold of soft thresholds where a schedule wants it after a step."""

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
        for name in ("bias_learning_rate", "first_threshold", "second_threshold"):
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

    Examples
    --------
    >>> from sklcnn.training import GradientDescent
    >>> GradientDescent(projection="unit_ball")
    GradientDescent(projection='unit_ball')
    """

    full_batch = True
    numbers = ("momentum", "clip_norm", "bias_learning_rate")

    def __init__(
        self,
        momentum: float = 0.0,
        *,
        projection: str | None = None,
        clip_norm: float | None = None,
        bias_learning_rate: float | None = None,
        min_threshold: float | None = None,
    ) -> None:
        self.momentum = momentum
        self.projection = projection
        self.clip_norm = clip_norm
        self.bias_learning_rate = bias_learning_rate
        self.min_threshold = min_threshold

    def update(self, parameters, gradients, states, learning_rate):
        """Take one step."""
        _momentum_step(parameters, gradients, states, learning_rate, self.momentum, nesterov=False)

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
        _mix(means, gradients, self.beta_1)
        _mix(squares, torch._foreach_mul(gradients, gradients), self.beta_2)
        roots = torch._foreach_sqrt(squares)
        _scale(roots, (1 - self.beta_2**step) ** -0.5)
        _shift(roots, self.epsilon)
        steps = torch._foreach_div(means, roots)
        _add_scaled(parameters, steps, -learning_rate / (1 - self.beta_1**step))


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
        _add_scaled(parameters, gradients, -(self.first_rate if first else self.second_rate))

    def place(self, threshold, state):
        """Set the threshold."""
        first = state["step"] == 1
        value = self.first_threshold if first else self.second_threshold
        threshold.copy_(torch.as_tensor(value, dtype=threshold.dtype))


def _momentum_step(parameters, gradients, states, learning_rate, momentum, nesterov):
    """Heavy-ball or Nesterov step; the velocity is the decayed sum of the gradients."""
    if not _is_zero(momentum):
        for state, gradient in zip(states, gradients, strict=True):
            if not state:
                state["velocity"] = torch.zeros_like(gradient)
        velocities = [state["velocity"] for state in states]
        _scale(velocities, momentum)
        torch._foreach_add_(velocities, gradients)
        if nesterov:
            _add_scaled(gradients, velocities, momentum)
        else:
            gradients = velocities
    _add_scaled(parameters, gradients, -learning_rate)


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


class Stepper(torch.optim.Optimizer):
    """The torch optimizer of a solver: decay, clip, step, project.

    Parameters
    ----------
    module : Module
        Its parameters are trained. Those with "weight" in their name decay, the one called
        "weight" holds the filters that a projection constrains, one along each last axis.
    solvers : list of solvers
        The update rule of every member, alike in all but numbers.
    learning_rate : float or array of shape (n_members,)
        Size of a step; schedulers may change it in ``param_groups``.
    decay : float or array of shape (n_members,)
        The gradient of ``decay / 2 * ||weights||^2`` is added to that of the loss, with the
        number of samples of the batch divided out (``batch_weight``).
    stacked : bool, default=False
        Whether the first axis of every parameter is that of members.
    """

    def __init__(self, module, solvers, learning_rate, decay=0.0, stacked=False):
        named = dict(module.named_parameters())
        defaults = {"lr": self._number(learning_rate, module)}
        inspect.unwrap(torch.optim.Optimizer.__init__)(self, list(named.values()), defaults)
        self._solver, self._stacked = copy.copy(solvers[0]), stacked
        for name in self._solver.numbers:
            values = [getattr(solver, name) for solver in solvers]
            if len(set(values)) > 1:
                setattr(self._solver, name, self._number(np.array(values), module))
        self._decay = self._number(decay, module)
        self._bias_ratio = 1.0  # rate of the biases over that of the weights
        if self._solver.bias_learning_rate is not None:
            self._bias_ratio = self._solver.bias_learning_rate / defaults["lr"]
        self._trained = list(named.values())
        self._decayed = [p for name, p in named.items() if "weight" in name]
        self._filters, self._threshold = named.get("weight"), named.get("threshold")
        self._biases = [p for name, p in named.items() if "weight" not in name]
        self.batch_weight = 1.0

    # What torch wraps around these imports its compiler, two seconds, to keep it away from them.
    add_param_group = inspect.unwrap(torch.optim.Optimizer.add_param_group)

    def zero_grad(self, set_to_none=True):
        """Forget the gradients."""
        for parameter in self._trained:
            parameter.grad = None

    @torch.no_grad()
    def step(self, closure=None):
        """Take one step with the gradients at hand."""
        gradients = [parameter.grad for parameter in self._trained]
        if not _is_zero(self._decay):
            decay = self._decay / self.batch_weight
            _add_scaled([p.grad for p in self._decayed], self._decayed, decay)
        if self._solver.clip_norm is not None:
            self._clip(gradients)
        if self._solver.bias_learning_rate is not None:
            _scale([bias.grad for bias in self._biases], self._bias_ratio)
        states = [self.state[parameter] for parameter in self._trained]
        self._solver.update(self._trained, gradients, states, self.param_groups[0]["lr"])
        if self._solver.projection is not None:
            self._project()
        if self._threshold is not None:
            self._solver.place(self._threshold, states[0])

    # torch would wrap every step in a profiler region, a tenth of the time of a small one.
    step.hooked = True  # type: ignore[attr-defined]

    def state_of(self, row):
        """Return the state of one member of a stack, or of the only one (``row=None``)."""
        return [
            {
                name: value[row] if row is not None and torch.is_tensor(value) else value
                for name, value in self.state[parameter].items()
            }
            for parameter in self._trained
        ]

    def load_state(self, states):
        """Go on from what ``state_of`` has returned."""
        for parameter, state in zip(self._trained, states, strict=True):
            for name, value in state.items():
                self.state[parameter][name] = value.clone() if torch.is_tensor(value) else value

    def keep(self, rows):
        """Forget the other members of the stack; their parameters leave elsewhere."""
        for parameter in self._trained:
            for name, value in self.state[parameter].items():
                if torch.is_tensor(value):
                    self.state[parameter][name] = value[rows]
        for name in self._solver.numbers:
            setattr(self._solver, name, _take(getattr(self._solver, name), rows))
        group = self.param_groups[0]
        group["lr"], self._decay = _take(group["lr"], rows), _take(self._decay, rows)
        self._bias_ratio = _take(self._bias_ratio, rows)

    @staticmethod
    def _number(value, module):
        """Put one number for each member beside the parameters."""
        if np.isscalar(value):
            return value
        return torch.as_tensor(value).to(next(module.parameters()))

    def _clip(self, gradients):
        """Scale the gradient of every member down to the largest norm."""
        first = 1 if self._stacked else 0
        squares = sum(g.square().flatten(first).sum(dim=-1) for g in gradients)
        scale = (self._solver.clip_norm / (squares.sqrt() + 1e-6)).clamp_max(1.0)
        for gradient in gradients:
            gradient.mul_(_beside(scale, gradient))

    def _project(self):
        """Scale every filter into the unit ball, or onto the unit sphere."""
        norms = self._filters.norm(dim=-1, keepdim=True)
        if self._solver.projection == "unit_ball":
            norms = norms.clamp_min(1.0)
        # A filter of zeros has no direction: it stays where it is.
        self._filters.div_(torch.where(norms > 0, norms, 1.0))


def _take(number, rows):
    return number[rows] if torch.is_tensor(number) else number


def _is_zero(number):
    return not torch.is_tensor(number) and number == 0


def _beside(number, tensor):
    """Give one number for each member the trailing axes of a tensor."""
    return number.reshape(-1, *[1] * (tensor.dim() - 1)) if number.dim() else number


# Operations in place, by one number, or by a tensor of one number for each member.


def _add_scaled(targets, terms, factor):
    """Add ``factor * term``."""
    if torch.is_tensor(factor):
        for target, term in zip(targets, terms, strict=True):
            target.addcmul_(term, _beside(factor, term))
    else:
        torch._foreach_add_(targets, terms, alpha=factor)


def _mix(targets, terms, keep):
    """Move to ``keep * target + (1 - keep) * term``."""
    if torch.is_tensor(keep):
        for target, term in zip(targets, terms, strict=True):
            target.lerp_(term, _beside(1 - keep, term))
    else:
        torch._foreach_lerp_(targets, terms, 1 - keep)


def _scale(targets, factor):
    """Multiply."""
    if torch.is_tensor(factor):
        factor = [_beside(factor, target) for target in targets]
    torch._foreach_mul_(targets, factor)


def _shift(targets, term):
    """Add the number itself."""
    if torch.is_tensor(term):
        term = [_beside(term, target) for target in targets]
    torch._foreach_add_(targets, term)
