"""Products with the curvature of a network of one hidden layer, written by hand.

Between the kinks of a piecewise linear activation with slopes *D*, patches *P*, filters *F*,
pooled responses *r* = pool(phi(F P)), outputs V r + c and the slope *g* of the loss in the outputs,
a change of the parameters changes

    r by dr = pool(D dF P),  the outputs by V dr + dV r + dc,  g by dg = H_L (V dr + dV r + dc)

and so the gradient, (D unpool(V' g)) P' in the filters and g r' in the readout, by

    (D unpool(V' dg + dV' g)) P'  and  dg r' + g dr' .

Without the terms in *g* this is the product with the Gauss-Newton matrix. It passes over the hidden
layer as often as a training step does, a third as often as autograd; ``curvature`` remains the
definition, which the tests hold this file against.
"""

import torch
from torch.autograd import grad

from sklcnn.nn.networks import PatchNetwork

__all__ = ["ShallowProduct", "is_shallow"]


def is_shallow(network):
    """Whether the products by hand are those of the network."""
    return (
        isinstance(network, PatchNetwork)
        and network.activation in ("relu", "identity")
        and network.pooling != "max"
        and network.lender is None
    )


class ShallowProduct:
    """The curvature of the mean loss over some samples; a call multiplies it.

    Shapes: b blocks, f filters, s patches sharing filters, n samples.

    Parameters
    ----------
    network : PatchNetwork
        One for which ``is_shallow`` holds.
    patches : Tensor of shape (b, n_rows, s * n)
        Inputs, as ``network.cut`` returns them.
    loss : callable
        Takes outputs, (n, n_outputs), and returns a number.
    gauss_newton : bool
        Whether to leave out the part that vanishes with the slope of the loss.
    """

    @torch.no_grad()
    def __init__(self, network, patches, loss, gauss_newton):
        self._network, self._patches = network, patches
        self._names = [name for name, _ in network.named_parameters()]
        n_blocks, _, n_sharing = network.blocks
        hidden = network.filters() @ patches
        self._slopes = (hidden > 0).to(hidden) if network.activation == "relu" else None
        if self._slopes is not None:
            hidden *= self._slopes
        self._space = hidden  # is used again by every product
        self._places = (n_blocks, -1, n_sharing, patches.shape[-1] // n_sharing)
        self._responses = self._pool(hidden).clone()  # (n_responses, n)
        self._ends = self._read_out(self._responses).requires_grad_()
        with torch.enable_grad():
            (self._bend,) = grad(loss(self._ends), self._ends, create_graph=True)
        self._slope = None if gauss_newton else self._bend.detach().mT  # (n_outputs, n)

    @torch.no_grad()
    def __call__(self, parts):
        """Multiply tensors of the shapes of the parameters; return others like them."""
        change = dict(zip(self._names, parts, strict=True))
        filters = torch.cat([change["bias"][..., None], change["weight"]], dim=-1)
        hidden = torch.bmm(filters, self._patches, out=self._space)  # (b, f, s * n)
        if self._slopes is not None:
            hidden *= self._slopes
        responses = self._pool(hidden)
        if self._network.pooling is None and self._slope is not None:
            responses = responses.clone()  # else it lies in the space that is used again
        outputs = self._read_out(responses, change)
        slope = self._bend_by(outputs).mT  # (n_outputs, n)
        product = {"weight": self._pull_back(slope, change)}
        product["bias"], product["weight"] = product["weight"][..., 0], product["weight"][..., 1:]
        if self._network.readout == "linear":
            product["readout_bias"] = slope.sum(dim=-1)
            product["readout_weight"] = slope @ self._responses.mT
            if self._slope is not None:
                product["readout_weight"] += self._slope @ responses.mT
        return [product[name] for name in self._names]

    def _pool(self, hidden):
        """Pool (b, f, s * n) to (n_responses, n)."""
        if self._network.pooling is None:
            return hidden.reshape(-1, self._places[-1])
        total = hidden.view(self._places_of(hidden)).sum(dim=(0, 2))
        return total / self._n_patches if self._network.pooling == "mean" else total

    def _places_of(self, hidden):
        return self._places[0], hidden.shape[1], *self._places[2:]

    @property
    def _n_patches(self):
        return self._places[0] * self._places[2]

    def _read_out(self, responses, change=None):
        """Return outputs, (n, n_outputs), or how they change with responses and readout."""
        if self._network.readout == "sum":
            return responses.sum(dim=0)[:, None]
        outputs = (self._network.readout_weight @ responses).mT
        if change is None:
            return outputs + self._network.readout_bias
        return outputs + (change["readout_weight"] @ self._responses).mT + change["readout_bias"]

    def _bend_by(self, outputs):
        """Return how the slope of the loss changes with the outputs, (n, n_outputs)."""
        if not self._bend.requires_grad:
            return torch.zeros_like(outputs)
        with torch.enable_grad():
            product = torch.sum(self._bend * outputs)
        return grad(product, self._ends, retain_graph=True)[0]

    def _pull_back(self, slope, change):
        """Return the change of the gradient in filters and biases, (b, f, n_rows)."""
        if self._network.readout == "sum":
            slope = slope.expand(len(self._responses), -1)
        else:
            slope = self._network.readout_weight.mT @ slope
            if self._slope is not None:
                slope = slope + change["readout_weight"].mT @ self._slope
        hidden = self._space.view(self._places_of(self._space))
        if self._network.pooling is None:
            slope = slope.reshape(hidden.shape)
        else:
            slope = slope / (self._n_patches if self._network.pooling == "mean" else 1)
            slope = slope[None, :, None]  # broadcasts to (b, f, s, n)
        if self._slopes is None:
            hidden.copy_(slope)
        else:
            torch.mul(self._slopes.view(hidden.shape), slope, out=hidden)
        return torch.bmm(self._space, self._patches.mT)
