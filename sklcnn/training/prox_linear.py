r"""The prox-linear method: the gradient flow in steps whose length grows with the margin.

Explicit steps lower the logarithm of an exponential loss by a bounded number, so that margins grow
like their number: samples on the margin would otherwise leave each other's balance. Implicit steps
keep this balance, and may be as long as the network is about linear in its weights: margins then
grow by a factor a step.
"""

import torch

from sklcnn.nn.jacobians import log_losses_and_jacobians
from sklcnn.nn.linear import AbstractLinearNetwork
from sklcnn.training.descent import SHRINKAGE, TOLERANCE, AbstractDescent
from sklcnn.training.operations import beside

__all__ = ["ProxLinearDescent", "weights_after_step"]

GROWTH = 1.1  # of the length, after a good step
# Of the logarithms that the loss is made of: what falls less has not fallen.
ROUNDING = 16 * torch.finfo(torch.float64).eps

# Of Newton's method for the weights of the samples.
LEAST_WEIGHT = 1e-200  # what is less could not come back
LARGEST_FALL, LARGEST_RISE = -20.0, 2.0  # of the logarithm of a weight in one step
COOLING, COLD = 100.0, 1.0  # of temperatures
MOST_STEPS = 200  # at one temperature
PRECISE, COARSE = 1e-9, 1e-6  # at the last temperature, and relative to each before
LACK = 1e3  # of such a precision: how far a weight of almost nothing may be from rising


class ProxLinearDescent(AbstractDescent):
    r"""Implicit steps along the gradient flow of linear networks, for the logarithm of their loss.

    The logarithm of a mean loss that falls exponentially is a log-sum-exp over samples. A step goes
    to the minimum of :math:`\log \sum_i e^{\ell_i(w) + \nabla \ell_i(w) \cdot \delta} +
    \|\delta\|^2 / (2 \eta)`: the network is linear along it, the loss is not. That is the
    prox-linear method [1]_, and to first order an implicit Euler step of the gradient flow. The
    rate :math:`\eta` is such that a gradient step would be as long as a share of all weights, or in
    a single layer would lower the loss by that share, if this is more. If the loss falls by a tenth
    less than in that model, or a tenth more, the step is taken back and the share is halved; after
    a good one it grows by a tenth, up to the learning rate.

    Parameters
    ----------
    loss_tol : float or None, default=None
        Training ends where the training loss is at most this; None does not ask.

    Notes
    -----
    An epoch evaluates the losses of all samples and their gradients once, which takes memory for
    some three times as many copies of the weights as there are samples, and solves some dozens of
    systems with an equation for each sample. How far a training leaves the gradient flow is
    proportional to its learning rate. As with `BacktrackingDescent` losses and weights at the end
    of every epoch are those of the last good step.

    References
    ----------
    .. [1] Drusvyatskiy, Paquette, "Efficiency of minimizing compositions of convex functions and
       smooth maps", Mathematical Programming 2019, arXiv:1605.00125.

    Examples
    --------
    >>> from sklcnn.training import ProxLinearDescent
    >>> ProxLinearDescent(loss_tol=-1e6)
    ProxLinearDescent(loss_tol=-1000000.0)
    """

    def evaluate(self, states, network, mean_loss, inputs, target, weight, space):
        """Return mean loss, outputs and gradients; keep those of all samples for the judgement."""
        if not isinstance(network, AbstractLinearNetwork):
            raise ValueError(
                f"solver={self!r} is for linear networks (LinearNetworkClassifier), not for a "
                f"{type(network).__name__}; use 'gd' there."
            )
        samples = inputs, target, weight
        logarithms, outputs, jacobians = log_losses_and_jacobians(network, mean_loss, *samples)
        states[0]["trial_logarithms"] = logarithms
        for state, jacobian in zip(states, jacobians, strict=True):
            state["trial_jacobian"] = jacobian
        shares = logarithms.softmax(dim=-1)
        gradients = [_average(jacobian, shares) for jacobian in jacobians]
        return logarithms.logsumexp(dim=-1), outputs, gradients

    def attempt(self, parameters, states):
        """Take a step from where the last good one led."""
        for parameter, state in zip(parameters, states, strict=True):
            if "step" in state:
                parameter += state["step"]

    def judge(self, parameters, gradients, states, learning_rate, loss):
        """Keep the step or take it back; return the loss of what is left."""
        first = states[0]
        largest = torch.as_tensor(learning_rate, dtype=loss.dtype, device=loss.device)
        if "loss" not in first:
            first["length"] = largest.expand_as(loss).clone()
            good = torch.ones_like(loss, dtype=torch.bool)
        else:
            fall = first["loss"] - loss
            slack = TOLERANCE * first["fall"] + ROUNDING * (1 + loss.abs())
            good = (fall - first["fall"]).abs() <= slack  # False for a loss that is no number
            longer = torch.minimum(first["length"] * GROWTH, largest)
            first["length"] = torch.where(good, longer, first["length"] * SHRINKAGE)
        _keep(first, good, loss=loss, logarithms=first.pop("trial_logarithms"))
        for state, parameter in zip(states, parameters, strict=True):
            _keep(state, good, weights=parameter, jacobian=state.pop("trial_jacobian"))
            parameter.copy_(state["weights"])
        self._aim(states)
        return first["loss"]

    def update(self, parameters, gradients, states, learning_rate):
        """Stay: a step is taken on trial."""

    @staticmethod
    def _aim(states):
        """Prepare the next step."""
        first, jacobians = states[0], [state["jacobian"] for state in states]
        logarithms, loss = first["logarithms"], first["loss"]
        flat = [jacobian.flatten(logarithms.dim()) for jacobian in jacobians]
        gram = sum(rows @ rows.mT for rows in flat)  # (..., n_samples, n_samples)
        shares = logarithms.softmax(dim=-1)
        slope = (shares[..., None, :] @ gram @ shares[..., None])[..., 0, 0].sqrt()
        sizes = [state["weights"].square().flatten(loss.dim()).sum(dim=-1) for state in states]
        size = sum(sizes).sqrt()
        if len(states) == 1:  # one layer is as linear at zero as anywhere, and may pass it
            size = torch.maximum(size, 1 / slope)
        length = first["length"] * size
        rate = torch.where(slope > 0, length / slope, 0.0)
        weights = weights_after_step(logarithms, gram, rate)
        falls = rate[..., None] * (gram @ weights[..., None]).squeeze(-1)
        first["fall"] = loss - (logarithms - falls).logsumexp(dim=-1)
        for state, jacobian in zip(states, jacobians, strict=True):
            step = _average(jacobian, weights)
            state["step"] = -beside(rate, step) * step


def weights_after_step(logarithms, gram, rate):
    r"""Return the share that each sample has in the loss after the step that these shares cause.

    They solve :math:`a = \mathrm{softmax}(\ell - \eta K a)`, which is the optimum of a convex
    program over the simplex: ``(a @ gram @ a) * rate / 2 - a @ logarithms`` less the entropy of
    *a*. It is solved by Newton's method, for entropies at a high temperature first.

    Parameters
    ----------
    logarithms : Tensor of shape (..., n_samples)
        Logarithms of the losses; minus infinity for samples that do not count.
    gram : Tensor of shape (..., n_samples, n_samples)
        Scalar products of their gradients.
    rate : Tensor of shape (...)
        Of the step.

    Returns
    -------
    weights : Tensor of shape (..., n_samples)
        At least 0, of sum 1; uniform if logarithms or products are no numbers.
    """
    gram = rate[..., None, None] * gram
    known = gram.isfinite().all(dim=-1).all(dim=-1) & (logarithms < torch.inf).all(dim=-1)
    logarithms = torch.where(known[..., None], logarithms, 0.0)  # others fail by their loss
    gram = torch.where(known[..., None, None], gram, 0.0)
    counts = logarithms > -torch.inf
    logarithms = torch.where(counts, logarithms, 0.0)
    scale = 1 + gram.abs().amax(dim=(-2, -1)) + logarithms.abs().amax(dim=-1)
    weights = torch.where(counts, 1 / counts.sum(dim=-1, keepdim=True), 0.0).to(logarithms)
    temperature = (scale / COOLING).clamp_min(COLD)
    while True:
        cold = temperature == COLD
        tolerance = torch.where(cold, PRECISE, COARSE * temperature) + ROUNDING * scale
        weights = _balance(weights, logarithms, gram, temperature, tolerance)
        if cold.all():
            return weights
        temperature = (temperature / COOLING).clamp_min(COLD)


def _balance(weights, logarithms, gram, temperature, tolerance):
    """Solve for weights at a temperature, which is a factor on their logarithms, from others."""
    heat, counts = temperature[..., None], weights > 0
    for _ in range(MOST_STEPS):
        logs = weights.clamp_min(LEAST_WEIGHT).log()
        gradient = (gram @ weights[..., None]).squeeze(-1) - logarithms + heat * logs
        gradient = gradient - (weights * gradient).sum(dim=-1, keepdim=True)
        off = (weights * gradient.abs()).sum(dim=-1)
        lack = torch.where(counts, -gradient, 0.0).amax(dim=-1)
        if ((off <= tolerance) & (lack <= torch.maximum(temperature, LACK * tolerance))).all():
            break
        change = _newton_change(weights, gradient, gram, heat)
        weights = weights * change.clamp(LARGEST_FALL, LARGEST_RISE).exp()
        weights = torch.where(counts, weights.clamp_min(LEAST_WEIGHT), 0.0)
        weights = weights / weights.sum(dim=-1, keepdim=True)
    return weights


def _newton_change(weights, gradient, gram, heat):
    """Change of the logarithms of weights by a step of Newton's method that keeps their sum."""
    roots = weights.sqrt()
    matrix = roots[..., :, None] * gram * roots[..., None, :]
    matrix = matrix + torch.diag_embed(heat.expand_as(roots))
    sides = torch.stack([roots * gradient, roots], dim=-1)
    by_gradient, by_one = torch.linalg.solve(matrix, sides).unbind(dim=-1)
    total = (roots * by_one).sum(dim=-1, keepdim=True)
    multiplier = (roots * by_gradient).sum(dim=-1, keepdim=True) / total
    return (multiplier * by_one - by_gradient) / torch.where(roots > 0, roots, 1.0)


def _average(jacobian, shares):
    """Sum over samples, weighted by their shares, of (..., n_samples, *shape)."""
    members = shares.dim() - 1
    total = shares[..., None, :] @ jacobian.flatten(members + 1)
    return total.reshape(*shares.shape[:-1], *jacobian.shape[members + 1 :])


def _keep(state, good, **found):
    """Take over what was found by the members whose step was good."""
    for name, now in found.items():
        before = state.get(name, now)
        state[name] = torch.where(beside(good, now), now, before)
