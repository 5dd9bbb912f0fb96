"""Networks without activations: their layers multiply to one linear predictor.

The layers of one architecture make the same predictors as those of another; gradient descent on
them does not choose the same. A class says how its layers multiply, and what a gradient flow on
them conserves.
"""

import copy
import math
from abc import abstractmethod
from itertools import pairwise

import torch
from torch import nn

__all__ = [
    "LINEAR_NETWORKS",
    "AbstractLinearNetwork",
    "ConvolutionalLinearNetwork",
    "DiagonalLinearNetwork",
    "FullLinearNetwork",
]


class AbstractLinearNetwork(nn.Module):
    """Layers whose product is a linear predictor: x -> <x, coef>, without an intercept.

    The parameters are the layers, from the input to the output, and may carry leading axes in front
    of their documented shapes. Each entry of the initial predictor has the variance
    ``init_scale ** (2 * depth)``, whatever the architecture.
    """

    def _add_layers(self, shapes, scales, generator, init_scale, dtype):
        """Add layers, Gaussian with a standard deviation each; they may be drawn later."""
        for number, (shape, scale) in enumerate(zip(shapes, scales, strict=True), start=1):
            values = torch.empty(shape, dtype=torch.float64)
            if generator is not None:
                values.normal_(generator=generator).mul_(init_scale * scale)
            self.register_parameter(f"weight_{number}", nn.Parameter(values.to(dtype)))

    @property
    def layers(self):
        """The parameters, from the input to the output."""
        return list(self.parameters())

    @property
    def layout(self):
        """What two networks have in common if their parameters may be stacked."""
        return type(self), self.input_shape

    @property
    def footprint(self):
        """Entries that a sample fills: of the input, and of the output."""
        return math.prod(self.input_shape), 1

    def with_parameters(self, tensors):
        """Return a network of the same layout whose parameters are other tensors, by name."""
        other = copy.copy(self)
        other._parameters = {
            name: nn.Parameter(tensor.detach()) for name, tensor in tensors.items()
        }
        return other

    @abstractmethod
    def coef(self):
        """Return the product of the layers, (..., n_features)."""

    @abstractmethod
    def conserved(self):
        """Return what a gradient flow keeps: arrays, one for each pair of neighboring layers.

        They have the leading axes of the parameters in front. Finite steps change them by as much
        as they leave the flow.
        """

    def extend(self, X):
        """Return X: no columns are added."""
        return X

    def cut(self, X):
        """Return X: the layers see all of it."""
        return X

    def respond(self, X):
        """Map X, (..., n_samples, n_features), to outputs, (..., n_samples, 1)."""
        return X @ self.coef()[..., None]

    def forward(self, X):
        """Map X, (..., n_samples, n_features), to outputs, (..., n_samples, 1)."""
        return self.respond(X)


class FullLinearNetwork(AbstractLinearNetwork):
    r"""Fully connected layers: :math:`\beta = W_1 W_2 \cdots W_L`, the last one a vector.

    Hidden layers are as wide as the input: matrices of shape (n_features, n_features), then a
    vector of shape (n_features,).

    Parameters
    ----------
    input_shape : tuple of int
        Shape of a sample.
    depth : int, default=2
        Layers *L*, the output included.
    generator : torch.Generator or None, default=None
        Source of the initial weights; None leaves them uninitialized for a ``load_state_dict``.
    init_scale : float, default=1.0
        Factor on the initial weights of every layer.
    dtype : torch.dtype, default=torch.float64
        Of all parameters.

    Examples
    --------
    >>> import torch
    >>> from sklcnn.nn import FullLinearNetwork
    >>> network = FullLinearNetwork((8,), depth=3, generator=torch.Generator())
    >>> [tuple(layer.shape) for layer in network.layers], network.coef().shape
    ([(8, 8), (8, 8), (8,)], torch.Size([8]))
    """

    def __init__(
        self, input_shape, depth=2, *, generator=None, init_scale=1.0, dtype=torch.float64
    ):
        super().__init__()
        self.input_shape = tuple(input_shape)
        width = math.prod(self.input_shape)
        shapes = [(width, width)] * (depth - 1) + [(width,)]
        scales = [width**-0.5] * (depth - 1) + [1.0]
        self._add_layers(shapes, scales, generator, init_scale, dtype)

    def coef(self):
        """Return the product of the layers, (..., n_features)."""
        *matrices, product = self.layers
        for matrix in reversed(matrices):
            product = (matrix @ product[..., None]).squeeze(-1)
        return product

    def conserved(self):
        r"""Return :math:`W_{l+1} W_{l+1}^T - W_l^T W_l`, (..., n_features, n_features) each."""
        *matrices, vector = self.layers
        matrices = [*matrices, vector[..., None]]
        return [upper @ upper.mT - lower.mT @ lower for lower, upper in pairwise(matrices)]


class DiagonalLinearNetwork(AbstractLinearNetwork):
    r"""Layers that multiply entry by entry: :math:`\beta = w_1 \odot w_2 \odot \cdots \odot w_L`.

    All are vectors of shape (n_features,).

    Parameters
    ----------
    input_shape : tuple of int
        Shape of a sample.
    depth : int, default=2
        Layers *L*, the output included.
    generator : torch.Generator or None, default=None
        Source of the initial weights; None leaves them uninitialized for a ``load_state_dict``.
    init_scale : float, default=1.0
        Factor on the initial weights of every layer.
    dtype : torch.dtype, default=torch.float64
        Of all parameters.

    Examples
    --------
    >>> import torch
    >>> from sklcnn.nn import DiagonalLinearNetwork
    >>> network = DiagonalLinearNetwork((8,), depth=3, generator=torch.Generator())
    >>> network(torch.zeros(5, 8, dtype=torch.float64)).shape
    torch.Size([5, 1])
    """

    def __init__(
        self, input_shape, depth=2, *, generator=None, init_scale=1.0, dtype=torch.float64
    ):
        super().__init__()
        self.input_shape = tuple(input_shape)
        shapes = [(math.prod(self.input_shape),)] * depth
        self._add_layers(shapes, [1.0] * depth, generator, init_scale, dtype)

    def coef(self):
        """Return the product of the layers, (..., n_features)."""
        product, *others = self.layers
        for layer in others:
            product = product * layer
        return product

    def conserved(self):
        """Return the differences of the squares of neighboring layers, (..., n_features) each."""
        return [upper.square() - lower.square() for lower, upper in pairwise(self.layers)]


class ConvolutionalLinearNetwork(AbstractLinearNetwork):
    r"""Circular convolutions of a signal or an image, and an output layer of all positions.

    .. math:: h_l[i] = \frac{1}{\sqrt D} \sum_k w_l[k] \, h_{l - 1}[i + k],
              \qquad f(x) = \langle h_{L - 1}, w_L \rangle

    for *D* features, with positions that wrap around and sums over the channels below. It is the
    cross-correlation of convolutional layers, which does not flip kernels. In the unitary discrete
    Fourier transform the layers multiply frequency by frequency.

    The layers are kernels of shape (n_channels, 1, \*kernel_size), then (n_channels, n_channels,
    \*kernel_size), and an output layer of shape (n_channels, \*input_shape).

    Parameters
    ----------
    input_shape : tuple of int
        (length,) or (height, width).
    depth : int, default=2
        Layers *L*, the output included.
    kernel_size : tuple of int or None, default=None
        Of the kernels, along each axis; None for those of the input.
    n_channels : int, default=1
        Of each hidden layer.
    generator : torch.Generator or None, default=None
        Source of the initial weights; None leaves them uninitialized for a ``load_state_dict``.
    init_scale : float, default=1.0
        Factor on the initial weights of every layer.
    dtype : torch.dtype, default=torch.float64
        Of all parameters.

    References
    ----------
    .. [1] Gunasekar, Lee, Soudry, Srebro, "Implicit Bias of Gradient Descent on Linear
       Convolutional Networks", NeurIPS 2018, arXiv:1806.00468.

    Examples
    --------
    >>> import torch
    >>> from sklcnn.nn import ConvolutionalLinearNetwork
    >>> generator = torch.Generator()
    >>> network = ConvolutionalLinearNetwork((4, 6), kernel_size=(3, 3), generator=generator)
    >>> [tuple(layer.shape) for layer in network.layers], network.coef().shape
    ([(1, 1, 3, 3), (1, 4, 6)], torch.Size([24]))
    """

    def __init__(
        self,
        input_shape,
        depth=2,
        kernel_size=None,
        n_channels=1,
        *,
        generator=None,
        init_scale=1.0,
        dtype=torch.float64,
    ):
        super().__init__()
        self.input_shape = tuple(input_shape)
        self.kernel_size = self.input_shape if kernel_size is None else tuple(kernel_size)
        below = [1, *[n_channels] * (depth - 1)]  # channels under each layer
        shapes = [(n_channels, lower, *self.kernel_size) for lower in below[:-1]]
        shapes.append((below[-1], *self.input_shape))
        n_taps = n_channels * math.prod(self.kernel_size)
        scales = [math.sqrt(math.prod(self.input_shape) / n_taps)] * (depth - 1) + [1.0]
        self._add_layers(shapes, scales, generator, init_scale, dtype)

    @property
    def _axes(self):
        return tuple(range(-len(self.input_shape), 0))

    def _spectrum(self, layer):
        """Return the transform of a layer, padded with zeros, at half of the frequencies."""
        return torch.fft.rfftn(layer, s=self.input_shape, dim=self._axes, norm="ortho")

    def coef(self):
        """Return the product of the layers, (..., n_features)."""
        *kernels, output = self.layers
        product = self._spectrum(output)  # (..., n_channels, *frequencies)
        channels = -1 - len(self.input_shape)
        for kernel in reversed(kernels):
            product = self._spectrum(kernel) * product.unsqueeze(channels)
            product = product.sum(dim=channels - 1)  # (..., channels below, *frequencies)
        coef = torch.fft.irfftn(product, s=self.input_shape, dim=self._axes, norm="ortho")
        return coef.flatten(channels)

    def conserved(self):
        r"""Return what couples channels above a layer, less what couples them below.

        With kernels as wide as the input, one matrix for each frequency, :math:`\hat W_{l+1}^*
        \hat W_{l+1} - \hat W_l \hat W_l^*` of shape (..., n_frequencies, n_channels, n_channels);
        for narrow kernels one matrix, the sum over their taps in the place of frequencies.
        """
        *kernels, output = self.layers
        output = output.unsqueeze(-2 - len(self.input_shape))  # one channel above
        grams = [self._grams(layer) for layer in (*kernels, output)]
        return [upper[1] - lower[0] for lower, upper in pairwise(grams)]

    def _grams(self, layer):
        """Return the products of a layer with itself, summed over channels below, and above."""
        wide = self.kernel_size == self.input_shape
        taps = self._spectrum(layer) if wide else layer
        matrices = taps.flatten(-len(self.input_shape)).movedim(-1, -3)
        above, below = matrices @ matrices.mH, matrices.mH @ matrices
        return (above, below) if wide else (above.sum(dim=-3), below.sum(dim=-3))


LINEAR_NETWORKS = {
    "full": FullLinearNetwork,
    "diagonal": DiagonalLinearNetwork,
    "convolutional": ConvolutionalLinearNetwork,
}
