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

__all__ = ["SGD", "AbstractSolver", "Adam", "GradientDescent", "Stepper", "make_solver"]

PROJECTIONS = (None, "unit_ball", "unit_sphere")


class AbstractSolver(BaseEstimator):
    """Parameters of an update rule; ``update`` turns gradients into new parameters in place.

    In a stack the parameters called ``numbers`` may be tensors (n_members,).
    """

    full_batch = False
    numbers: tuple[str, ...] = ()

    @property
    def kind(self):
        """What members of one stack must have in common."""
        values = vars(self).items()
        rest = (repr(value) for name, value in values if name not in self.numbers)
        return type(self), self.clip_norm is None, *rest

    def check(self):
        """Raise ValueError for a parameter out of range, naming it."""
        if self.projection not in PROJECTIONS:
            raise ValueError(
                f"projection={self.projection!r} of {self!r} must be one of {PROJECTIONS}."
            )
        if self.clip_norm is not None and not self.clip_norm > 0:
            raise ValueError(f"clip_norm={self.clip_norm} of {self!r} must be positive or None.")
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

    Examples
    --------
    >>> from sklcnn.training import GradientDescent
    >>> GradientDescent(projection="unit_ball")
    GradientDescent(projection='unit_ball')
    """

    full_batch = True
    numbers = ("momentum", "clip_norm")

    def __init__(
        self,
        momentum: float = 0.0,
        *,
        projection: str | None = None,
        clip_norm: float | None = None,
    ) -> None:
        self.momentum = momentum
        self.projection = projection
        self.clip_norm = clip_norm

    def update(self, parameters, gradients, states, learning_rate):
        """Take one step."""
        _momentum_step(parameters, gradients, states, learning_rate, self.momentum, nesterov=False)


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


SOLVERS = {"gd": GradientDescent, "sgd": SGD, "adam": Adam}


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
        self._trained = list(named.values())
        self._decayed = [p for name, p in named.items() if "weight" in name]
        self._filters = named.get("weight")
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
        states = [self.state[parameter] for parameter in self._trained]
        self._solver.update(self._trained, gradients, states, self.param_groups[0]["lr"])
        if self._solver.projection is not None:
            self._project()

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
