"""What the fleet is measured against: the same networks in plain torch, skorch and JAX.

Every peer starts from the very weights that the estimators of this package draw from the same seed,
in the layout that is fastest for it, and takes the same steps.
"""

import math

import numpy as np
import skorch
import torch
import torch.nn.functional as F
from sklearn.neural_network import MLPClassifier
from torch import nn

PATCH_SIZE = 20
STEPS, RATE = 200, 0.1  # of works A and C


def draw(shape, gain, generator):
    """Gaussian weights of variance gain² / fan-in, in the stream of the estimators."""
    weights = torch.randn(shape, generator=generator, dtype=torch.float64)
    return (weights * gain / math.sqrt(shape[-1])).float()


class Network(nn.Module):
    """One hidden layer and its readout, in the form that is fastest for the family.

    The paper's network has one learned threshold and adds all responses up; the practical one has
    biases, ReLU and a linear readout.
    """

    def __init__(self, family, n_filters, paper=False, n_features=200, n_outputs=1, seed=0):
        super().__init__()
        self.family, self.paper = family, paper
        patch_size = n_features if family == "FCN" else PATCH_SIZE
        self.n_patches = n_features // patch_size
        self.hidden = self._hidden(n_filters, patch_size)
        if paper:
            self.threshold = nn.Parameter(torch.zeros(()))
        else:
            self.readout = nn.Linear(n_filters * self.n_patches, n_outputs)
        init = np.random.RandomState(seed).randint(2**31 - 1, size=2)[0]
        self._reset(n_filters, patch_size, torch.Generator().manual_seed(int(init)))

    def _hidden(self, n_filters, patch_size):
        if self.family == "LCN":
            return Local(self.n_patches, patch_size, n_filters, bias=not self.paper)
        return nn.Linear(patch_size, n_filters, bias=not self.paper)

    @torch.no_grad()
    def _reset(self, n_filters, patch_size, generator):
        n_groups = self.n_patches if self.family == "LCN" else 1
        gain = 1.0 if self.paper else math.sqrt(2)
        weight = draw((n_groups, n_filters, patch_size), gain, generator)
        self.hidden.weight.copy_(weight.mT if self.family == "LCN" else weight[0])
        if self.paper:
            return
        self.hidden.bias.zero_()
        weight = draw(tuple(self.readout.weight.shape), 1.0, generator)
        if self.family == "CNN":  # here responses of one patch lie together
            weight = weight.unflatten(1, (n_filters, -1)).mT.flatten(1)
        self.readout.weight.copy_(weight)
        self.readout.bias.zero_()

    def arrange(self, X):
        """Cut the patches: FCN (n, features), CNN (n, patches, p), LCN (patches, n, p)."""
        if self.family == "FCN":
            return X
        patches = X.reshape(len(X), self.n_patches, PATCH_SIZE)
        return patches if self.family == "CNN" else patches.transpose(0, 1).contiguous()

    def respond(self, inputs):
        """Map arranged inputs to outputs, (n,) or (n, n_outputs)."""
        z = self.hidden(inputs)
        if self.paper:
            z = torch.relu(z - self.threshold) - torch.relu(-z - self.threshold)
            return z.sum(dim=(0, 2) if self.family == "LCN" else tuple(range(1, z.dim())))
        z = torch.relu(z)
        return self.readout((z.transpose(0, 1) if self.family == "LCN" else z).flatten(1)).squeeze()

    def forward(self, X):
        """Map samples on the first axis to outputs."""
        return self.respond(self.arrange(X))


class Local(nn.Module):
    """A linear layer for each patch: (patches, n, p) to (patches, n, filters)."""

    def __init__(self, n_patches, patch_size, n_filters, bias):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(n_patches, patch_size, n_filters))
        self.bias = nn.Parameter(torch.empty(n_patches, 1, n_filters)) if bias else None

    def forward(self, patches):
        if self.bias is None:
            return torch.bmm(patches, self.weight)
        return torch.baddbmm(self.bias, patches, self.weight)


def make_skorch(family, n_filters, paper, seed=0, device="cpu"):
    """Stock skorch for works A and C: full-batch gradient descent on two classes."""
    return skorch.NeuralNetBinaryClassifier(
        Network,
        module__family=family,
        module__n_filters=n_filters,
        module__paper=paper,
        module__seed=seed,
        optimizer=torch.optim.SGD,
        lr=RATE,
        max_epochs=STEPS,
        batch_size=-1,
        train_split=None,
        verbose=0,
        device=device,
    )


def make_skorch_digits(epochs, device="cpu"):
    """Stock skorch for work B: mini-batch Adam on ten classes."""
    return skorch.NeuralNetClassifier(
        Network,
        module__family="FCN",
        module__n_filters=100,
        module__n_features=64,
        module__n_outputs=10,
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        max_epochs=epochs,
        batch_size=200,
        iterator_train__shuffle=True,
        train_split=None,
        verbose=0,
        device=device,
    )


def make_mlp(seed=0):
    """scikit-learn's network for works A and C; the batch is clipped to the training set."""
    return MLPClassifier(
        (16,),
        solver="sgd",
        learning_rate_init=RATE,
        momentum=0.0,
        nesterovs_momentum=False,
        alpha=0.0,
        batch_size=1000,
        shuffle=False,
        max_iter=STEPS,
        n_iter_no_change=STEPS,
        tol=0.0,
        random_state=seed,
    )


def make_mlp_digits(epochs):
    """scikit-learn's network for work B."""
    return MLPClassifier((100,), batch_size=200, max_iter=epochs, n_iter_no_change=epochs, tol=0.0)


def fit_by_hand(network, X, y, rate, epochs, batch_size=None, adam=False, decay=0.0):
    """The loop that a researcher writes; X and y are tensors on the device of the network."""
    kind = torch.optim.Adam if adam else torch.optim.SGD
    optimizer = kind(network.parameters(), lr=rate, weight_decay=decay)
    loss_of = F.binary_cross_entropy_with_logits if y.is_floating_point() else F.cross_entropy
    whole = [(network.arrange(X), y)]
    for _ in range(epochs):
        batches = whole if batch_size is None else shuffled(network, X, y, batch_size)
        for inputs, target in batches:
            optimizer.zero_grad()
            loss_of(network.respond(inputs), target).backward()
            optimizer.step()
    return network


def shuffled(network, X, y, batch_size):
    """Mini-batches of one epoch."""
    for rows in torch.randperm(len(X), device=X.device).split(batch_size):
        yield network.arrange(X[rows]), y[rows]


class JaxFit:
    """``jit(vmap(fit))`` of full-batch gradient descent, samples on the last axis.

    Parameters are named and shaped as those of the package's networks. Besides the plain
    ``vmap`` over all members, a stack can be mapped in chunks that fit the cache
    (``lax.map(fit, batch_size=chunk)``), in several threads at once.
    """

    def __init__(self, family, paper):
        self.family, self.paper = family, paper

    def arrange(self, X):
        """(members, n, features) to (members, blocks, rows, patches sharing filters * n)."""
        n_members, n_samples, n_features = X.shape
        if self.family == "FCN":
            return np.ascontiguousarray(X.swapaxes(1, 2)[:, None])
        patches = X.reshape(n_members, n_samples, n_features // PATCH_SIZE, PATCH_SIZE)
        if self.family == "LCN":
            return np.ascontiguousarray(patches.transpose(0, 2, 3, 1))
        columns = np.ascontiguousarray(patches.transpose(0, 3, 2, 1))
        return columns.reshape(n_members, 1, PATCH_SIZE, -1)

    def respond(self, weights, columns, n_samples):
        """Outputs of one member, (n,)."""
        import jax

        z = weights["weight"] @ columns  # (blocks, filters, patches sharing filters * n)
        if not self.paper:
            z = jax.nn.relu(z + weights["bias"][..., None]).reshape(-1, n_samples)
            return weights["readout_weight"][0] @ z + weights["readout_bias"]
        z = jax.nn.relu(z - weights["threshold"]) - jax.nn.relu(-z - weights["threshold"])
        return z.reshape(-1, n_samples).sum(0)

    def fit(self, weights, columns, target):
        """Train one member; target is -1 or +1."""
        import jax

        def loss(weights):
            answer = self.respond(weights, columns, len(target))
            return jax.nn.softplus(-target * answer).mean()

        def step(_, weights):
            gradient = jax.grad(loss)(weights)
            return jax.tree.map(lambda value, slope: value - RATE * slope, weights, gradient)

        return jax.lax.fori_loop(0, STEPS, step, weights)

    def program(self, chunk=None):
        """The compiled function of a stack; chunk None is the plain ``vmap``."""
        import jax

        if chunk is None:
            return jax.jit(jax.vmap(self.fit))

        def mapped(*stack):
            return jax.lax.map(lambda member: self.fit(*member), stack, batch_size=chunk)

        return jax.jit(mapped)
