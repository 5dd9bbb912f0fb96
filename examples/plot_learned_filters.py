"""
Shared filters find the signal first
====================================

What do the hidden units look at? In the networks of the sample-complexity literature (soft
threshold, plain sum over units) every filter can be laid over the true signal. We train the three
families on the same 80 samples of the Dynamic Signal Distribution.
"""

# %%
# The law, and one training set.

import matplotlib.pyplot as plt
import numpy as np

from sklcnn import CNNClassifier, FCNClassifier, LCNClassifier
from sklcnn.datasets import DynamicSignal
from sklcnn.plotting import FAMILY_STYLES
from sklcnn.training import GradientDescent

N_PATCHES, PATCH_SIZE = 10, 20
law = DynamicSignal(n_patches=N_PATCHES, patch_size=PATCH_SIZE, noise=0.15, random_state=0)
X, y = law.sample(80, random_state=1)
X_test, y_test = law.sample(10_000, random_state=2)
signal = law.true_signal

# %%
# One filter a patch, unit readout, filters kept in the unit ball. The fully connected network gets
# as many hidden units as there are patches.

paper = {
    "activation": "soft_threshold",
    "readout": "sum",
    "loss": "squared_error",
    "solver": GradientDescent(projection="unit_ball"),
    "max_iter": 600,
    "tol": None,
    "alpha": 0.0,
    "random_state": 0,
}
local = {"n_filters": 1, "patch_size": PATCH_SIZE, "stride": PATCH_SIZE, "pooling": "sum"}
networks = {
    "FCN": FCNClassifier(N_PATCHES, learning_rate_init=0.1, **paper),
    "LCN": LCNClassifier(**local, learning_rate_init=0.1, **paper),
    "CNN": CNNClassifier(**local, learning_rate_init=0.03, **paper),
}
for network in networks.values():
    network.fit(X, y)

# %%
# A filter is as good as its cosine with the signal. A hidden unit of the fully connected network is
# read patch by patch.

figure, axes = plt.subplots(1, 3, figsize=(10, 3), sharey=True, layout="constrained")
for ax, (name, network) in zip(axes, networks.items(), strict=True):
    filters = network.filters_.reshape(-1, PATCH_SIZE)
    filters = filters / np.linalg.norm(filters, axis=1, keepdims=True)
    cosines = filters @ signal / np.linalg.norm(signal)
    opacity = {1: 1.0, N_PATCHES: 0.6}.get(len(filters), 0.1)
    ax.plot(filters.T, color=FAMILY_STYLES[name].color, alpha=opacity, linewidth=1.5)
    ax.plot(signal, color="black", linewidth=1.5, linestyle="--", label="signal")
    error = 1 - network.score(X_test, y_test)
    ax.set_title(f"{name}: median cosine {np.median(cosines):.2f}, error {error:.3f}", fontsize=11)
    ax.set_xlabel("feature of the patch")
axes[0].set_ylabel("filter, unit norm")
axes[0].legend(frameon=False)
plt.show()

# %%
# All 80 samples speak to the one filter of the convolutional network; about 8 to each filter of the
# locally connected one, which stay near their random start; and a unit of the fully connected
# network, read patch by patch, is mostly noise: together its units are a linear rule. With some
# hundred samples more the locally connected filters find the signal too.
