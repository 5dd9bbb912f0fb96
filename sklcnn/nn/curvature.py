"""Curvature of the mean loss of a network: matrices that can do one thing, multiply a vector.

With outputs *f* of the network, a mean loss *L* of them and its Hessian :math:`H_L` in the outputs,

.. math:: \\nabla^2 L = J^T H_L J + \\sum_o \\frac{\\partial L}{\\partial f_o} \\nabla^2 f_o ,
          \\qquad J = \\partial f / \\partial \\theta .

The first part is the Gauss-Newton matrix, which has no negative eigenvalue; the second vanishes
with the residuals.
"""

from abc import abstractmethod

import torch
from torch.autograd import grad
from torch.overrides import TorchFunctionMode

from sklcnn.nn.shallow_products import ShallowProduct, is_shallow

__all__ = ["AbstractCurvature", "GaussNewton", "Hessian"]

# Entries of cut patches and of responses in a chunk (64 MB in float64); a product holds some eight
# times as much.
CHUNK_ENTRIES = 2**23


class AbstractCurvature:
    """A symmetric matrix over all parameters, raveled in the order of ``module.parameters()``.

    Parameters
    ----------
    module : Module
        A network with ``extend``, ``cut``, ``respond`` and ``with_parameters``; it is copied.
    mean_loss : callable
        Takes outputs, targets and weights and returns their mean loss, as ``MeanLoss`` does.
    X : array or Tensor of shape (n_samples, n_features)
        Inputs.
    target : array or Tensor of shape (n_samples, n_outputs)
        Coded targets.
    weight : array or Tensor of shape (n_samples,) or None, default=None
        Positive weights of the samples.
    dtype : torch.dtype, default=torch.float64
        Of the computation. Devices without float64 leave it to the CPU.
    chunk_size : int or None, default=None
        Samples that are looked at together, None for as many as fit into a few hundred MB. A single
        chunk is differentiated once, several of them anew for every product.
    """

    def __init__(
        self, module, mean_loss, X, target, weight=None, *, dtype=torch.float64, chunk_size=None
    ):
        device = next(module.parameters()).device
        self.device = torch.device("cpu") if device.type == "mps" else device
        self.dtype = dtype
        # Cloned: training goes on in place, while a chunk may stay differentiated.
        copies = {
            name: value.detach().to(self.device, dtype, copy=True)
            for name, value in module.named_parameters()
        }
        self._module = module.with_parameters(copies).to(self.device)
        self._parameters = list(self._module.parameters())
        self._mean_loss = mean_loss
        self._X, self._target = self._tensor(X), self._tensor(target)
        self._weight = None if weight is None else self._tensor(weight)
        footprint = sum(module.footprint)
        self._chunk_size = chunk_size or max(1, CHUNK_ENTRIES // footprint)
        self._kept = None

    def _tensor(self, array):
        return torch.as_tensor(array).to(self.device, self.dtype)

    @property
    def size(self):
        """Number of rows: of parameters."""
        return sum(parameter.numel() for parameter in self._parameters)

    def __call__(self, vector):
        """Multiply a Tensor of shape (size,)."""
        parts = self._unravel(vector.to(self.device, self.dtype))
        total = torch.zeros(self.size, dtype=self.dtype, device=self.device)
        with torch.enable_grad():
            if len(self._X) <= self._chunk_size:
                if self._kept is None:
                    self._kept = self._differentiate(*next(self._chunks()))
                return self._add(total, self._kept(parts))
            for chunk in self._chunks():
                self._add(total, self._differentiate(*chunk)(parts))
        return total

    def count_kinks(self):
        """Return how many arguments of a ReLU are zero, where it has no derivative."""
        with torch.no_grad(), _KinkCounter() as counter:
            for patches, loss in self._chunks():
                loss(self._module.respond(patches))
        return counter.n_kinks

    def _chunks(self):
        """Yield cut patches, and the share of the mean loss that a function of outputs takes."""
        for begin in range(0, len(self._X), self._chunk_size):
            rows = slice(begin, begin + self._chunk_size)
            patches = self._module.cut(self._module.extend(self._X[rows]))
            yield patches, self._share_of_loss(rows)

    def _share_of_loss(self, rows):
        target = self._target[rows]
        if self._weight is None:
            share = len(target) / len(self._target)
            return lambda outputs: share * self._mean_loss(outputs, target)
        weight = self._weight[rows]
        share = weight.sum() / self._weight.sum()
        return lambda outputs: share * self._mean_loss(outputs, target, weight)

    def _unravel(self, vector):
        parts = vector.split([parameter.numel() for parameter in self._parameters])
        return [
            part.reshape(parameter.shape)
            for part, parameter in zip(parts, self._parameters, strict=True)
        ]

    @staticmethod
    def _add(total, parts):
        return total.add_(torch.cat([part.flatten() for part in parts]))

    def _differentiate(self, patches, loss):
        """Return a function that multiplies tensors of the shapes of the parameters."""
        if is_shallow(self._module):
            return ShallowProduct(self._module, patches, loss, self._is_gauss_newton)
        return self._by_autograd(patches, loss)

    @abstractmethod
    def _by_autograd(self, patches, loss):
        """Return the same function, by differentiating twice."""


class Hessian(AbstractCurvature):
    """Hessian of the mean loss over samples; a call multiplies it by a vector.

    The product is the gradient of the product of the gradient with the vector; for one hidden layer
    of ReLUs it is written by hand.

    Parameters
    ----------
    module : Module
        A network with ``extend``, ``cut``, ``respond`` and ``with_parameters``; it is copied.
    mean_loss : callable
        Takes outputs, targets and weights and returns their mean loss, as ``MeanLoss`` does.
    X : array or Tensor of shape (n_samples, n_features)
        Inputs.
    target : array or Tensor of shape (n_samples, n_outputs)
        Coded targets.
    weight : array or Tensor of shape (n_samples,) or None, default=None
        Positive weights of the samples.
    dtype : torch.dtype, default=torch.float64
        Of the computation. Devices without float64 leave it to the CPU.
    chunk_size : int or None, default=None
        Samples that are looked at together, None for as many as fit into a few hundred MB. A single
        chunk is differentiated once, several of them anew for every product.

    Notes
    -----
    At a kink (of a ReLU, of the hinge, of a maximum) there is no second derivative; the product is
    then that of a function that goes on as torch differentiates it, a ReLU at zero as a constant.

    Examples
    --------
    >>> import torch
    >>> from sklcnn.nn import PatchNetwork
    >>> from sklcnn.nn.curvature import Hessian
    >>> from sklcnn.nn.losses import MeanLoss
    >>> network = PatchNetwork(
    ...     [[0]], [0], 1, 1, activation="identity", readout="sum", generator=torch.Generator()
    ... )
    >>> X = torch.tensor([[1.0], [3.0]])  # the network is w x + b
    >>> hessian = Hessian(network, MeanLoss("squared_error"), X, torch.zeros(2, 1))
    >>> torch.stack([hessian(row) for row in torch.eye(2)])
    tensor([[10.,  4.],
            [ 4.,  2.]], dtype=torch.float64)
    """

    _is_gauss_newton = False

    def _by_autograd(self, patches, loss):
        value = loss(self._module.respond(patches))
        slopes = grad(value, self._parameters, create_graph=True, materialize_grads=True)

        def multiply(parts):
            return _pull(slopes, parts, self._parameters)

        return multiply


class GaussNewton(AbstractCurvature):
    """Gauss-Newton part of the Hessian of the mean loss; a call multiplies it by a vector.

    The Hessian minus this matrix is the part that vanishes with the slope of the loss in the
    outputs.

    Parameters
    ----------
    module : Module
        A network with ``extend``, ``cut``, ``respond`` and ``with_parameters``; it is copied.
    mean_loss : callable
        Takes outputs, targets and weights and returns their mean loss, as ``MeanLoss`` does.
    X : array or Tensor of shape (n_samples, n_features)
        Inputs.
    target : array or Tensor of shape (n_samples, n_outputs)
        Coded targets.
    weight : array or Tensor of shape (n_samples,) or None, default=None
        Positive weights of the samples.
    dtype : torch.dtype, default=torch.float64
        Of the computation. Devices without float64 leave it to the CPU.
    chunk_size : int or None, default=None
        Samples that are looked at together, None for as many as fit into a few hundred MB. A single
        chunk is differentiated once, several of them anew for every product.

    Examples
    --------
    >>> import torch
    >>> from sklcnn.nn import PatchNetwork
    >>> from sklcnn.nn.curvature import GaussNewton
    >>> from sklcnn.nn.losses import MeanLoss
    >>> network = PatchNetwork([[0, 1]], [0], 3, 1, generator=torch.Generator())
    >>> X = torch.ones(4, 2)
    >>> matrix = GaussNewton(network, MeanLoss("squared_error"), X, torch.zeros(4, 1))
    >>> direction = torch.zeros(matrix.size)
    >>> direction[-1] = 1  # the bias of the readout: the squared error curves by 2
    >>> matrix(direction)[-1].item()
    2.0
    """

    _is_gauss_newton = True

    def _by_autograd(self, patches, loss):
        outputs = self._module.respond(patches)
        dual = torch.zeros_like(outputs, requires_grad=True)
        value = torch.sum(outputs * dual)
        pulled = grad(value, self._parameters, create_graph=True, materialize_grads=True)
        ends = outputs.detach().requires_grad_()
        slope = grad(loss(ends), ends, create_graph=True)

        def multiply(parts):
            change = _pull(pulled, parts, [dual])  # (n_samples, n_outputs), J v
            change = _pull(slope, change, [ends])  # H_L J v
            return _pull([outputs], change, self._parameters)

        return multiply


def _pull(functions, vectors, arguments):
    """Multiply vectors by the transposed Jacobian of functions, which may be constant."""
    pairs = zip(functions, vectors, strict=True)
    # As a sum, not by grad_outputs: to check their shapes torch imports a computer algebra system.
    products = [torch.sum(function * vector) for function, vector in pairs]
    products = [product for product in products if product.requires_grad]
    if not products:
        return [torch.zeros_like(argument) for argument in arguments]
    return grad(sum(products), arguments, retain_graph=True, materialize_grads=True)


class _KinkCounter(TorchFunctionMode):
    """Counts the zeros that a ReLU is handed."""

    def __init__(self):
        super().__init__()
        self.n_kinks = 0

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func is torch.relu:
            self.n_kinks += int(torch.count_nonzero(args[0] == 0))
        return func(*args, **(kwargs or {}))
