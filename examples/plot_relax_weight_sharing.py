"""
Start as a convolutional network, go on as a dense one
======================================================

A convolutional network is a locally connected one whose filters are equal, and that is a fully
connected one with many zeros. So a network may start as the first and go on as one of the others.
Do the constraints help if they are lifted later, and does training then undo them?
"""

# %%
# The data are scikit-learn's digits at random places of a canvas of 12 x 12 pixels. Five draws of
# places and of 900 training samples show what is luck.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import train_test_split

import sklcnn
from sklcnn import CNNClassifier, FCNClassifier, LCNClassifier
from sklcnn.datasets import load_digit_images, place_on_background
from sklcnn.plotting import FAMILY_STYLES

SEEDS, CANVAS, EVERY, RELAXED, EPOCHS = range(5), (12, 12), 3, 12, 36
digits, y = load_digit_images(return_X_y=True)
splits = []
for seed in SEEDS:
    X = place_on_background(digits, (8, 8), background_shape=CANVAS, random_state=seed)
    splits.append(train_test_split(X, y, train_size=900, stratify=y, random_state=seed))

# %%
# Two layers with windows of 4 x 4 and 3 x 3 pixels. The fully connected network gets as many units
# as the convolutional one has at all its places together: 10 x 25 and 20 x 9.

training = {"solver": "sgd", "learning_rate_init": 0.1, "batch_size": 100, "tol": None}
training |= {"input_shape": CANVAS, "warm_start": True, "max_iter": EVERY}
windows = {"n_filters": (10, 20), "patch_size": (4, 3), "stride": (2, 1)}
networks = {
    "FCN": [FCNClassifier((250, 180), random_state=seed, **training) for seed in SEEDS],
    "LCN": [LCNClassifier(random_state=seed, **windows, **training) for seed in SEEDS],
    "CNN": [CNNClassifier(random_state=seed, **windows, **training) for seed in SEEDS],
}

# %%
# Every three epochs we look at all networks. After twelve, ``relax`` turns each CNN into an LCN of
# the same function, and that one into an FCN; all go on training. We also look at the first layer:
# what part of its filters (in norm) is not common to all places, and what part of its dense weights
# lies where there were zeros?

epochs = np.arange(EVERY, EPOCHS + 1, EVERY)
accuracy, outside = {}, []
apart = {"LCN": [], "CNN, then LCN": []}
for epoch in epochs:
    for name, group in networks.items():
        sklcnn.fit_many(group, [split[0] for split in splits], [split[2] for split in splits])
        scores = [net.score(split[1], split[3]) for net, split in zip(group, splits, strict=True)]
        accuracy.setdefault(name, []).append(scores)
    if epoch == RELAXED:
        networks["CNN, then LCN"] = [network.relax() for network in networks["CNN"]]
        networks["CNN, then FCN"] = [network.relax() for network in networks["CNN, then LCN"]]
        accuracy |= {name: [accuracy["CNN"][-1]] for name in ("CNN, then LCN", "CNN, then FCN")}
        was_zero = np.array([network.filters_[0] == 0 for network in networks["CNN, then FCN"]])
    if epoch >= RELAXED:
        for name, parts in apart.items():
            filters = np.array([network.filters_[0] for network in networks[name]])
            own = filters - filters.mean(axis=1, keepdims=True)  # (seeds, places, filters, pixels)
            parts.append(np.sqrt((own**2).sum((1, 2, 3)) / (filters**2).sum((1, 2, 3))))
        dense = np.array([network.filters_[0] for network in networks["CNN, then FCN"]])
        outside.append(np.sqrt((dense**2 * was_zero).sum((1, 2, 3)) / (dense**2).sum((1, 2, 3))))

print("network         parameters  test accuracy, with its standard error")
for name, scores in accuracy.items():
    mean, error = np.mean(scores[-1]), np.std(scores[-1], ddof=1) / len(SEEDS) ** 0.5
    print(f"{name:14} {networks[name][0].n_parameters_:11}  {mean:.3f} +/- {error:.3f}")
for name, parts in (apart | {"CNN, then FCN": outside}).items():
    print(f"{name:14} drifted by {np.mean(parts[-1]):.3f}")

# %%
# Bands are 95 % intervals of the mean (2.8 standard errors); dashed are the relaxed networks.

figure, (left, right) = plt.subplots(
    1, 2, figsize=(10, 4.2), width_ratios=(1.5, 1), layout="constrained"
)
for name, scores in accuracy.items():
    style, look = FAMILY_STYLES[name[-3:]], {"markersize": 7, "markeredgecolor": "white"}
    if "then" in name:
        look = {"markersize": 7, "markerfacecolor": "white", "linestyle": "--"}
    mean = np.mean(scores, axis=1)
    reach = 2.8 * np.std(scores, axis=1, ddof=1) / len(SEEDS) ** 0.5
    x = epochs[-len(scores) :]
    left.plot(x, mean, label=name, color=style.color, marker=style.marker, **look)
    left.fill_between(x, mean - reach, mean + reach, color=style.color, alpha=0.15, linewidth=0)
left.axvline(RELAXED, color="0.5", linestyle=":")
left.text(RELAXED + 0.3, 0.27, "relaxed", color="0.4")
left.set(xlabel="epochs", ylabel="test accuracy", xticks=epochs, ylim=(0.25, 0.85))
left.set_title("Digits at random places")
left.legend(frameon=False, loc="lower right")
for label, parts, family in (
    ("LCN: filters not in common", apart["CNN, then LCN"], "LCN"),
    ("FCN: weights outside the windows", outside, "FCN"),
):
    style = FAMILY_STYLES[family]
    look = {"color": style.color, "marker": style.marker, "markerfacecolor": "white"}
    reach = 2.8 * np.std(parts, axis=1, ddof=1) / len(SEEDS) ** 0.5
    x = epochs[epochs >= RELAXED]
    right.errorbar(x, np.mean(parts, axis=1), reach, label=label, linestyle="--", **look)
right.set(xlabel="epochs", ylabel="part of the norm of the first layer", xticks=x)
right.set(ylim=(0, None), title="How far the relaxed networks drift")
right.legend(frameon=False, loc="lower right")
for ax in (left, right):
    ax.grid(alpha=0.25)
    ax.spines[["top", "right"]].set_visible(False)
plt.show()

# %%
# The relaxed networks start from what the CNN knows and end better than those that were never
# shared: the LCN at 0.80 and not 0.74, the FCN at 0.82 and not 0.77. The dense one even beats the
# CNN (0.79) that it comes from. And it hardly uses its freedom: 5 % of the norm of the relaxed
# filters is not common to all places, and 6 % of the norm of the dense weights lies outside the
# windows. Filters that were never shared have nothing in common: 98 % of their norm is their own,
# as it would be of random ones.
#
# Where it fails: to free the sharing alone gains nothing that can be told from luck (0.80 against
# 0.79). And the time matters. With ``RELAXED = 3`` the CNN has not yet found its place, and the
# dense network ends at 0.79, no better than the CNN; with 24 it ends at 0.81. Momentum starts anew
# with every call of ``fit``, and one learning rate serves all; a rate for each might bring them
# closer. The idea is that of d'Ascoli et al. (arXiv:1906.06766), who relax at many times, with
# deeper networks on CIFAR-10.
