r"""
The implicit bias of linear networks
====================================

A network without activations has a linear predictor, however many layers it has. Five samples with
sixteen features are separated by many linear predictors. Which one does gradient descent find, and
what do the layers have to do with it?
"""

# %%
# Three ways to multiply layers: as matrices, by circular convolution, entry by entry. One to three
# layers each, all on the same samples, in one fleet.

import matplotlib.pyplot as plt
import numpy as np

import sklcnn
from sklcnn import LinearNetworkClassifier
from sklcnn.plotting import FAMILY_STYLES
from sklcnn.theory import coef_norm, fourier_coef, max_margin

rng = np.random.default_rng([0, 5])
X, y = rng.standard_normal((5, 16)), np.array([1, -1, 1, -1, 1])
styles = {"full": "FCN", "convolutional": "CNN", "diagonal": "LCN"}
cells = [(name, depth) for name in styles for depth in (1, 2, 3)]
networks = [LinearNetworkClassifier(*cell, max_iter=800, random_state=0) for cell in cells]
sklcnn.fit_many(networks, [X] * len(networks), [y] * len(networks))
directions = {cell: net.direction_[-1] for cell, net in zip(cells, networks, strict=True)}

# %%
# Theory says: the largest margin in the Euclidean norm for full networks of any depth, in the l1
# norm of the spectrum for two convolutional layers, in that of the coefficients for two diagonal
# ones. So each should have the largest margin when it is measured by its own norm.

print(f"{'network':>16}  {'l2':>6}  {'l1':>6}  {'fourier l1':>10}  smallest margin reached")
for (name, depth), net in zip(cells, networks, strict=True):
    direction = directions[name, depth]
    margin = (X @ direction * y).min()
    margins = [margin / coef_norm(direction, norm) for norm in ("l2", "l1", "fourier_l1")]
    print(f"{name:>14} {depth}  {margins[0]:6.3f}  {margins[1]:6.3f}  {margins[2]:10.3f}", end="  ")
    print(f"{net.margin_[-1]:.3g}")
largest = [max_margin(X, y, norm).margin for norm in ("l2", "l1", "fourier_l1")]
print(f"{'largest':>16}  {largest[0]:6.3f}  {largest[1]:6.3f}  {largest[2]:10.3f}")

# %%
# Networks of three convolutional or diagonal layers have small margins in all of these norms:
# theirs are others, and of those they only reach a stationary point.
#
# The spectra of the nine predictors; the coefficients of the diagonal ones, which have no relation
# to frequencies. Gray bars are the predictors of theory: for three layers, where it has no single
# one, the stationary point next to what training has found.


def reference(name, depth):
    if name == "full" or depth == 1:
        return max_margin(X, y).coef
    norm = {"convolutional": "fourier_bridge", "diagonal": "bridge"}[name]
    return max_margin(X, y, norm, depth=depth, start=directions[name, depth]).coef


def shown(name, coef):
    coef = coef / np.linalg.norm(coef)
    return np.abs(coef) if name == "diagonal" else np.abs(fourier_coef(coef))[:9]


figure, axes = plt.subplots(3, 3, figsize=(10, 7.5), sharey=True, layout="constrained")
for ax, cell in zip(axes.T.ravel(), cells, strict=True):
    best = reference(*cell)
    theory, values = shown(cell[0], best), shown(cell[0], directions[cell])
    style = FAMILY_STYLES[styles[cell[0]]]
    ax.bar(range(len(theory)), theory, color="0.85", label="theory")
    look = {"color": style.color, "marker": style.marker, "linestyle": "", "label": "trained"}
    ax.plot(values, **look)
    distance = np.linalg.norm(directions[cell] - best / np.linalg.norm(best))
    ax.set_title(f"{cell[0]}, depth {cell[1]}: off by {distance:.1g}", fontsize=10)
    ax.set_xlabel("feature" if cell[0] == "diagonal" else "frequency")
    ax.locator_params(axis="x", integer=True)
    ax.spines[["top", "right"]].set_visible(False)
for ax in axes[:, 0]:
    ax.set_ylabel("amplitude")
axes[0, 0].legend(frameon=False)
plt.show()

# %%
# Full networks find the same predictor at every depth. Convolutional ones concentrate on few
# frequencies and diagonal ones on few features, and the more so the deeper they are: one bias, in
# two bases.
#
# Where it fails: two layers are slow. A coefficient that has to vanish does so like a small power
# of the margin, and one that is needed can wake up as late: that of feature 12 is still asleep.
# Of three layers theory only says that they come to a stationary point: another seed finds another
# one. ``sklcnn study linear`` has seeds, certificates, scales of the initial weights and narrow
# kernels.
