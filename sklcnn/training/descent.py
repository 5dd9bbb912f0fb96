"""Descents whose steps have a length of their own making, for losses that have no minimum.

On separable data the loss of a network falls for ever, and its gradient with it: steps of a
constant rate come to rest long before the network has found its direction. These go on.
"""

import torch

from sklcnn.training.operations import add_scaled, beside
from sklcnn.training.solvers import AbstractSolver

__all__ = ["BacktrackingDescent", "NormalizedDescent"]

# A step is good if the loss has fallen by what the gradient says, up to this share of it. Wider
# tolerances buy no speed, and let the gradient jump from sample to sample.
TOLERANCE = 0.1
GROWTH, SHRINKAGE = 1.1, 0.5  # of the fall that is aimed at, after a good and after a bad step
LARGEST_FALL = 1e9
# Of the squared norm of the gradient: what turns less does not turn, but is rounded.
ROUNDING = 1e-12


class AbstractDescent(AbstractSolver):
    """Full-batch descent that may end at a loss, of either sign."""

    full_batch = True
    numbers = ("loss_tol",)
    projection = None

    def __init__(self, loss_tol: float | None = None) -> None:
        self.loss_tol = loss_tol

    def check(self):
        """Accept any loss: a logarithm has either sign."""


class BacktrackingDescent(AbstractDescent):
    r"""Gradient descent by steps that lower the loss by a given number, and keep to the flow.

    The step :math:`-c \, g / \|g\|^2` along the gradient *g* lowers the loss by *c* as far as the
    loss is linear along it. If it falls by a tenth less than that, or a tenth more, the step is
    taken back and *c* halved; after a good one *c* grows by a tenth. Bounding the curvature along
    steps from both sides keeps them on the path of the gradient flow, also where it leaves a saddle
    and a step that is far too long would still lower the loss. A good step also halves *c* if it
    turns the gradient back against the turn before: some direction across the path then overshoots.

    Made for the logarithm of a mean loss that falls exponentially: it then falls for ever, at a
    rate that need not fade. The learning rate is the first *c*. A penalty is no part of the loss
    that is lowered.

    Parameters
    ----------
    loss_tol : float or None, default=None
        Training ends where the training loss is at most this; None does not ask.

    Notes
    -----
    An epoch evaluates loss and gradient once, at the end of a step that is on trial. Losses and
    weights at the end of every epoch are those of the last good step, so that losses never rise,
    and no step leaves training that has not been evaluated. A step that is taken back has cost its
    epoch.

    Steps are as long as their tests allow, and after some dozens of them the last digits of a sum
    decide when *c* is halved. Trainings that differ by rounding, alone and in a fleet, then grow at
    slightly different times; they go the same way.

    Examples
    --------
    >>> from sklcnn.training import BacktrackingDescent
    >>> BacktrackingDescent(loss_tol=-100.0)
    BacktrackingDescent(loss_tol=-100.0)
    """

    def attempt(self, parameters, states):
        """Take a step from where the last good one led."""
        if states[0]:
            fall, slope = states[0]["fall"], states[0]["slope"]
            rate = torch.where(slope > 0, fall / slope, 0.0)
            add_scaled(parameters, [state["gradient"] for state in states], -rate)

    def judge(self, parameters, gradients, states, learning_rate, loss):
        """Keep the step or take it back; return the loss of what is left."""
        first = states[0]
        if not first:
            self._begin(parameters, gradients, states, learning_rate, loss)
            return loss
        error = (first["loss"] - loss) / first["fall"] - 1
        good = error.abs() <= TOLERANCE  # False for a loss that is no number
        calm = good & ~self._wobbles(gradients, states, loss, good)
        fall = torch.where(calm, first["fall"] * GROWTH, first["fall"] * SHRINKAGE)
        first["fall"] = fall.clamp_(torch.finfo(loss.dtype).tiny, LARGEST_FALL)
        for name, now in (("loss", loss), ("slope", _squared_norms(gradients, loss))):
            first[name] = torch.where(good, now, first[name])
        for state, parameter, gradient in zip(states, parameters, gradients, strict=True):
            kept = beside(good, parameter)
            state["gradient"] = torch.where(kept, gradient, state["gradient"])
            state["weights"] = torch.where(kept, parameter, state["weights"])
            parameter.copy_(state["weights"])
        return first["loss"]

    @staticmethod
    def _wobbles(gradients, states, loss, good):
        """Whether the gradient turns back from where the last step turned it."""
        turns = [
            gradient - state["gradient"] for gradient, state in zip(gradients, states, strict=True)
        ]
        back = _products(turns, [state["turn"] for state in states], loss) < 0
        for state, turn in zip(states, turns, strict=True):
            state["turn"] = torch.where(beside(good, turn), turn, state["turn"])
        return back & (_products(turns, turns, loss) > ROUNDING * states[0]["slope"])

    def update(self, parameters, gradients, states, learning_rate):
        """Stay: a step is taken on trial."""

    @staticmethod
    def _begin(parameters, gradients, states, learning_rate, loss):
        rate = torch.as_tensor(learning_rate, dtype=loss.dtype, device=loss.device)
        slope = _squared_norms(gradients, loss)
        states[0].update(loss=loss, fall=rate.expand_as(loss).clone(), slope=slope)
        for state, parameter, gradient in zip(states, parameters, gradients, strict=True):
            state.update(weights=parameter.clone(), gradient=gradient.clone())
            state["turn"] = torch.zeros_like(gradient)


class NormalizedDescent(AbstractDescent):
    """Gradient descent by steps of constant length, the learning rate.

    Parameters
    ----------
    loss_tol : float or None, default=None
        Training ends where the training loss is at most this; None does not ask.

    References
    ----------
    .. [1] Nacson, Lee, Gunasekar, Savarese, Srebro, Soudry, "Convergence of Gradient Descent on
       Separable Data", AISTATS 2019, arXiv:1803.01905.

    Examples
    --------
    >>> from sklcnn.training import NormalizedDescent
    >>> NormalizedDescent().full_batch
    True
    """

    def judge(self, parameters, gradients, states, learning_rate, loss):
        """Keep the loss; measure the gradient for the step."""
        states[0]["norm"] = _squared_norms(gradients, loss).sqrt()
        return loss

    def update(self, parameters, gradients, states, learning_rate):
        """Take one step; a gradient of zero has no direction."""
        norm = states[0]["norm"]
        add_scaled(parameters, gradients, -torch.where(norm > 0, learning_rate / norm, 0.0))


def _squared_norms(gradients, loss):
    """Sum of squares of all gradients, one for each member as the loss has."""
    return _products(gradients, gradients, loss)


def _products(lefts, rights, loss):
    """Scalar products over all parameters, one for each member as the loss has."""
    pairs = zip(lefts, rights, strict=True)
    return sum((left * right).flatten(loss.dim()).sum(dim=-1) for left, right in pairs)
