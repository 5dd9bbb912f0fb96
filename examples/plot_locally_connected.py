"""
Freed weights leave the convolution where position matters
==========================================================

A convolution sits inside a bigger network: the locally connected layer, with a copy of its filters
at each position. What becomes of the copies when they are free to differ? We train a convolution,
embed it, and train on, in a plain torch loop: once on a task that is the same at all positions, and
once on one that is not.
"""

# %%
# Images of noise. The target compares how much they vary along one axis and along the other: all
# over the image in the first task, and the other way round in the lower half in the second.

import matplotlib.pyplot as plt
import torch
from torch import nn

from sklcnn.nn import LocallyConnected2d

SIZE, N_SAMPLES, N_FILTERS, SWITCH, EPOCHS, SEED = 10, 4000, 8, 25, 50, 0
TASKS = {"same everywhere": 1.0, "differs by position": -1.0}


def draw(lower, generator):
    """Images (n, 1, SIZE, SIZE) and targets (n,) of variance one; ``lower``: sign down there."""
    X = torch.randn(N_SAMPLES, 1, SIZE, SIZE, generator=generator)
    across = (X[:, 0, 1:-1, 2:] - X[:, 0, 1:-1, :-2]).square()
    down = (X[:, 0, 2:, 1:-1] - X[:, 0, :-2, 1:-1]).square()
    contrast = across - down  # (n, SIZE - 2, SIZE - 2)
    contrast[:, contrast.shape[1] // 2 :] *= lower
    target = contrast.mean(dim=(1, 2))
    return X, target / target.std()


# %%
# Eight filters, squared, and a linear readout of their means over the positions: only the filters
# can tell one place from another.


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Conv2d(1, N_FILTERS, 3)
        self.readout = nn.Linear(N_FILTERS, 1)

    def forward(self, X):
        return self.readout(self.layer(X).square().mean(dim=(2, 3))).squeeze(1)


def train_epoch(network, X, y, layer_rate, generator):
    """Stochastic gradient descent on the squared error."""
    layer = {"params": network.layer.parameters(), "lr": layer_rate}
    optimizer = torch.optim.SGD([layer, {"params": network.readout.parameters()}], lr=0.02)
    for rows in torch.randperm(len(X), generator=generator).split(50):
        optimizer.zero_grad()
        (network(X[rows]) - y[rows]).square().mean().backward()
        optimizer.step()


# %%
# After 25 epochs ``from_conv`` puts the layer in the place of the convolution: outputs stay as they
# are, and the loop goes on. The gradient is now shared out among the copies, at 64 positions, so
# they get a larger learning rate: half of 64 times that of the convolution.


def follow(lower):
    """Error on new images, and weight sharing gap, after each epoch."""
    generator = torch.Generator().manual_seed(SEED)
    X, y = draw(lower, generator)
    X_test, y_test = draw(lower, generator)
    torch.manual_seed(SEED)  # for the initial weights
    network, errors, gaps = Network(), [], []
    for epoch in range(EPOCHS):
        if epoch == SWITCH:
            network.layer = LocallyConnected2d.from_conv(network.layer, SIZE)
        train_epoch(network, X, y, 0.02 if epoch < SWITCH else 32 * 0.02, generator)
        with torch.no_grad():
            errors.append(float((network(X_test) - y_test).square().mean()))
        gaps.append(0.0 if epoch < SWITCH else network.layer.weight_sharing_gap())
    return errors, gaps


found = {name: follow(lower) for name, lower in TASKS.items()}
for name, (errors, gaps) in found.items():
    print(f"{name:20} error {errors[SWITCH - 1]:.3f} -> {errors[-1]:.3f}, gap {gaps[-1]:.2f}")

# %%
# The error, in units of the variance of the target, and the gap. The line marks the embedding.

figure, axes = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
epochs = range(1, EPOCHS + 1)
LOOKS = {"same everywhere": ("#0072B2", "o"), "differs by position": ("#D55E00", "s")}
for name, (errors, gaps) in found.items():
    color, marker = LOOKS[name]
    look = {"color": color, "marker": marker, "markersize": 3.5, "label": name}
    axes[0].plot(epochs, errors, **look)
    axes[1].plot(epochs, gaps, **look)
axes[0].set(yscale="log", ylabel="mean squared error on new images", xlabel="epoch")
axes[1].set(ylim=(-0.02, 1), ylabel="weight sharing gap", xlabel="epoch")
for ax in axes:
    ax.axvline(SWITCH + 0.5, color="0.6", linewidth=1, linestyle="--")
    ax.spines[["top", "right"]].set_visible(False)
axes[1].text(SWITCH, 0.95, "convolution", ha="right", color="0.4")
axes[1].text(SWITCH + 1, 0.95, "weights freed", ha="left", color="0.4")
axes[1].legend(frameon=False, loc="center left")
figure.suptitle("Freed weights leave the convolution where position matters")
plt.show()

# %%
# Where position matters, the convolution explains nothing: over the whole image, the halves cancel.
# Once the weights are free the copies part and the error falls. Where it does not matter they stay
# close together. (The error falls there as well, mostly because the step is halved: a convolution
# that is trained on with half the step gets to about 0.01.)
#
# The gap does not stay at zero there: copies also follow the noise of their own share of the data,
# and with fewer images they drift further. So a gap should be read against that of a task without
# positions, not against zero. And freedom has its price: 64 times the weights of the convolution.
