"""
On centered digits a convolutional network saves a third of the samples
=======================================================================

Handwritten digits are the favorite of convolutional networks. But scikit-learn's have 8 x 8 pixels
and lie in the middle of their images. How many samples does a convolutional network save here, and
which ingredient saves them?
"""

# %%
# Four networks of one hidden layer. Locality: units of the LCN and the CNN see windows of 5 x 5
# pixels, and maxima over 2 x 2 places halve the map. Sharing: those of the CNN use the same filters
# everywhere. Scikit-learn's own network is the control for the fully connected one.

import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import t
from sklearn.model_selection import ShuffleSplit, learning_curve
from sklearn.neural_network import MLPClassifier

import sklcnn
from sklcnn import CNNClassifier, FCNClassifier, LCNClassifier
from sklcnn.datasets import load_digit_images
from sklcnn.plotting import ESTIMATOR_STYLES
from sklcnn.studies import sample_efficiency

digits = load_digit_images()
training = {"learning_rate_init": 0.01, "max_iter": 30, "tol": None, "random_state": 0}
windows = {"n_filters": 16, "patch_size": 5, "padding": "same", "pooling": "max", "pool_size": 2}
windows |= {"input_shape": digits.input_shape}
networks = {
    "MLP": MLPClassifier(100, learning_rate_init=0.01, max_iter=1000, random_state=0),
    "FCN": FCNClassifier(n_filters=100, **training),
    "LCN": LCNClassifier(**windows, **training),
    "CNN": CNNClassifier(**windows, **training),
}

# %%
# Scikit-learn's own function for learning curves, untouched. Inside ``fleet`` the 30 fits of each
# of our networks train in stacks; those of scikit-learn's run as always.

sizes = np.array([25, 50, 100, 200, 400, 800])
splits = ShuffleSplit(n_splits=5, train_size=800, test_size=900, random_state=0)
scores = {}
with sklcnn.fleet():
    for name, network in networks.items():
        _, _, scores[name] = learning_curve(
            network, digits.data, digits.target, train_sizes=sizes, cv=splits
        )  # (n_sizes, n_splits)

# %%
# A saving is read off sideways: if the fully connected network reaches with n' samples the accuracy
# that another has with n, that one is worth n' / n. The interval comes from resampled splits.

factors = {
    name: sample_efficiency(sizes, scores[name], scores["FCN"]) for name in ("LCN", "CNN", "MLP")
}
print("samples  ", *(f"{n:5}" for n in sizes))
for name, score in scores.items():
    print(f"error {name}", *(f"{error:.3f}" for error in 1 - score.mean(axis=1)))
print("\nworth of   at n = 50, 100, 200, 400, with 95 % intervals")
for name, row in factors.items():
    print(f"{name}      ", *(f"{f.factor:6.2f} [{f.low:.2f}, {f.high:.2f}]" for f in row[1:5]))

# %%
# Left the test errors with their 95 % intervals over five splits, right the savings. At n = 800 all
# curves end, and at n = 25 luck decides: there is nothing to read off.

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
for shift, (name, score) in zip((0.955, 0.985, 1.015, 1.045), scores.items(), strict=True):
    style, error = ESTIMATOR_STYLES[name], 1 - score
    reach = t.ppf(0.975, 4) * error.std(axis=1, ddof=1) / 5**0.5
    look = {"color": style.color, "marker": style.marker, "markeredgecolor": "white"}
    look |= {"markersize": 7, "capsize": 2}
    left.errorbar(sizes * shift, error.mean(axis=1), reach, label=name, **look)
    if name in factors:
        middle, low, high = np.array([(f.factor, f.low, f.high) for f in factors[name][1:5]]).T
        ends = [middle - low, np.minimum(high, 9) - middle]
        right.errorbar(sizes[1:5] * shift, middle, ends, linestyle="none", **look)
left.set(yscale="log", ylabel="test error", title="Digits of 8 x 8 pixels")
left.set_yticks([0.02, 0.05, 0.1, 0.2, 0.3], ["2 %", "5 %", "10 %", "20 %", "30 %"])
left.legend(frameon=False)
right.axhline(1, color="0.4", linewidth=1, zorder=0)
right.set(yscale="log", ylim=(0.4, 4), ylabel="samples the FCN needs / samples n")
right.set_yticks([0.5, 1, 1.5, 2, 3, 4], ["0.5", "1", "1.5", "2", "3", "4"])
right.set_title("What each network is worth")
for ax, shown in ((left, sizes), (right, sizes[1:5])):
    ax.set(xscale="log", xlabel="training samples n")
    ax.set_xticks(shown, shown)
    ax.minorticks_off()
    ax.grid(alpha=0.25)
    ax.spines[["top", "right"]].set_visible(False)
plt.show()

# %%
# Every sample of the convolutional network is worth 1.3 to 1.8 of a fully connected one: it does
# with 100 what the other does with 150, and saves about a third. Five splits are few: the interval
# excludes 1 at 100 and 400 samples, not at 50 and 200. Locality without sharing is worth 1.0 to
# 1.3, and its interval excludes 1 at 400 samples only. Our fully connected network and that of
# scikit-learn cannot be told apart, as it should be.
#
# This is far from the factors of ten elsewhere in this gallery, where a pattern may be anywhere.
# These digits lie in the middle of few pixels, so that a network has no need to recognize the same
# stroke in many places. The savings are read off pairs of networks on the same splits, and so their
# intervals are narrower than those at the left suggest; test sets of the five splits overlap, which
# makes them a little too narrow. At 800 samples LCN and CNN differ by less than their intervals.
