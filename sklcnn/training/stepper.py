"""The torch optimizer that carries a solver out: decay, clip, step, project."""

import copy
import inspect

import numpy as np
import torch

from sklcnn.training.operations import add_scaled, beside, is_zero, scale, take

__all__ = ["Stepper"]


class Stepper(torch.optim.Optimizer):
    """The torch optimizer of a solver: decay, clip, step, project.

    Parameters
    ----------
    module : Module
        Its parameters are trained. Those with "weight" in their name decay; those called "weight"
        hold the filters of a layer that a projection constrains, one along each last axis.
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
        self._filters = _called(named, "weight")
        self._thresholds = _called(named, "threshold")
        self._biases = [p for name, p in named.items() if "weight" not in name]
        self.batch_weight = 1.0

    # What torch wraps around these imports its compiler, two seconds, to keep it away from them.
    add_param_group = inspect.unwrap(torch.optim.Optimizer.add_param_group)

    def zero_grad(self, set_to_none=True):
        """Forget the gradients."""
        for parameter in self._trained:
            parameter.grad = None

    @torch.no_grad()
    def attempt(self):
        """Take a step on trial, if the solver does so, before the loss is evaluated."""
        self._solver.attempt(self._trained, self._states())

    def evaluate(self, network, mean_loss, inputs, target, weight, space):
        """Return mean loss and outputs of a network; its parameters get their gradients."""
        samples = inputs, target, weight
        found = self._solver.evaluate(self._states(), network, mean_loss, *samples, space)
        loss, outputs, gradients = found
        for parameter, gradient in zip(self._trained, gradients, strict=True):
            parameter.grad = gradient
        return loss, outputs

    @torch.no_grad()
    def judge(self, loss):
        """Keep the step on trial or take it back, with the loss and the gradients at hand.

        Returns the loss, (n_members,) or that of the only one, at the parameters that are left.
        """
        gradients = [parameter.grad for parameter in self._trained]
        rate = self.param_groups[0]["lr"]
        return self._solver.judge(self._trained, gradients, self._states(), rate, loss)

    @torch.no_grad()
    def step(self, closure=None, *, hold=None):
        """Take one step with the gradients at hand.

        ``hold`` may keep members where they are: it takes the norms of the gradients, before they
        are clipped (None without ``gradient_tol``), and returns the rows of such members, None if
        there are none.
        """
        gradients = [parameter.grad for parameter in self._trained]
        if not is_zero(self._decay):
            decay = self._decay / self.batch_weight
            add_scaled([p.grad for p in self._decayed], self._decayed, decay)
        clips, asks = self._solver.clip_norm is not None, self._solver.gradient_tol is not None
        norms = self._norms(gradients) if clips or asks else None
        rows = None if hold is None else hold(norms if asks else None)
        held = [] if rows is None else [parameter[rows].clone() for parameter in self._trained]
        if clips:
            self._clip(gradients, norms)
        if self._solver.bias_learning_rate is not None:
            scale([bias.grad for bias in self._biases], self._bias_ratio)
        states = self._states()
        self._solver.update(self._trained, gradients, states, self.param_groups[0]["lr"])
        if self._solver.projection is not None:
            self._project()
        for threshold in self._thresholds:
            self._solver.place(threshold, states[0])
        for parameter, values in zip(self._trained, held, strict=False):
            parameter[rows] = values

    # torch would wrap every step in a profiler region, a tenth of the time of a small one.
    step.hooked = True  # type: ignore[attr-defined]

    def _states(self):
        return [self.state[parameter] for parameter in self._trained]

    def state_of(self, row):
        """Return the state of one member of a stack, or of the only one (``row=None``)."""
        return [
            {
                # Copied: the others go on in the same tensor.
                name: value[row].clone() if row is not None and torch.is_tensor(value) else value
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
            setattr(self._solver, name, take(getattr(self._solver, name), rows))
        group = self.param_groups[0]
        group["lr"], self._decay = take(group["lr"], rows), take(self._decay, rows)
        self._bias_ratio = take(self._bias_ratio, rows)

    @staticmethod
    def _number(value, module):
        """Put one number for each member beside the parameters."""
        if np.isscalar(value):
            return value
        return torch.as_tensor(value).to(next(module.parameters()))

    def _norms(self, gradients):
        """Return the norm of the gradient of every member, (n_members,), or of the only one."""
        first = 1 if self._stacked else 0
        return sum(g.square().flatten(first).sum(dim=-1) for g in gradients).sqrt()

    def _clip(self, gradients, norms):
        """Scale the gradient of every member down to the largest norm."""
        factor = (self._solver.clip_norm / (norms + 1e-6)).clamp_max(1.0)
        for gradient in gradients:
            gradient.mul_(beside(factor, gradient))

    def _project(self):
        """Scale every filter into the unit ball, or onto the unit sphere."""
        for filters in self._filters:
            norms = filters.norm(dim=-1, keepdim=True)
            if self._solver.projection == "unit_ball":
                norms = norms.clamp_min(1.0)
            # A filter of zeros has no direction: it stays where it is.
            filters.div_(torch.where(norms > 0, norms, 1.0))


def _called(named, name):
    """Return the parameters of a name, one for each hidden layer."""
    return [value for path, value in named.items() if path.rpartition(".")[2] == name]
