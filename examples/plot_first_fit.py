"""
Three inductive biases, one data set
====================================

Does a network profit from seeing the input patch by patch, and from using the same filters
everywhere? Four networks that differ by one ingredient at a time answer on the Dynamic Signal
Distribution: a signed signal hides in one of ten patches of Gaussian noise.
"""

# %%
# The law draws the data and knows the best rule there is, so we know how far every network is from
# what is possible at all.

import matplotlib.pyplot as plt
import numpy as np

from sklcnn import CNNClassifier, FCNClassifier, LCNClassifier
from sklcnn.datasets import DynamicSignal
from sklcnn.plotting import FAMILY_STYLES

law = DynamicSignal(n_patches=10, patch_size=20, noise=0.25, random_state=0)
X, y = law.sample(400, random_state=1)
X_test, y_test = law.sample(10_000, random_state=2)

# %%
# One line a network. The fully connected one sees all 200 features at once; the others see patches
# of 20 features. Pooling over the patches makes the last one blind to where the signal lies.

patches = {"n_filters": 16, "patch_size": 20, "stride": 20}
common = {"learning_rate_init": 0.01, "max_iter": 100, "tol": None, "random_state": 0}
networks = {
    "FCN": FCNClassifier(n_filters=160, **common),
    "LCN": LCNClassifier(**patches, **common),
    "CNN": CNNClassifier(**patches, **common),
    "pooled CNN": CNNClassifier(pooling="mean", **patches, **common),
}

# %%
# They are scikit-learn classifiers: ``fit``, ``score``. Five training sets of 400 samples show how
# much of a difference is luck.

accuracy = {name: [] for name in networks}
for repeat in range(5):
    X, y = law.sample(400, random_state=10 + repeat)
    for name, network in networks.items():
        accuracy[name].append(network.fit(X, y).score(X_test, y_test))

print("network      parameters   test accuracy")
for name, network in networks.items():
    mean, std = np.mean(accuracy[name]), np.std(accuracy[name], ddof=1)
    print(f"{name:11} {network.n_parameters_:11}   {mean:.3f} +/- {std:.3f}")
print(f"best rule                 {1 - law.bayes_error():.3f}")

# %%
# The same as a picture: a dot for each training set, a bar for the mean.

figure, ax = plt.subplots(figsize=(6, 3.5), layout="constrained")
for column, (name, scores) in enumerate(accuracy.items()):
    style = FAMILY_STYLES[name]
    ax.plot(np.full(5, column), scores, style.marker, color=style.color, alpha=0.6)
    ax.hlines(np.mean(scores), column - 0.25, column + 0.25, color=style.color, linewidth=3)
ax.axhline(1 - law.bayes_error(), color="0.4", linestyle="--", label="best rule")
ax.set(xticks=range(4), xticklabels=accuracy, ylabel="test accuracy", ylim=(0.7, 1.0))
ax.set_title("400 samples, signal in one of 10 patches, noise 0.25")
ax.legend(loc="upper left", frameon=False)
plt.show()

# %%
# Sharing filters and pooling over places pay; locality alone does not. Cut into patches but with a
# filter bank for each, the network has to learn the same signal ten times over, from a tenth of the
# samples each time. With many more samples it would overtake the fully connected network, which
# stays with a linear rule.
