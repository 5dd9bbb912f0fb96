r"""
Sharpness climbs to the edge of stability while there is something to learn
===========================================================================

Gradient descent with rate :math:`\eta` is stable where the largest eigenvalue of the Hessian of
the loss, its *sharpness*, is below :math:`2 / \eta`. The theory of generalization below this edge
takes for granted that training ends near it. Does it, for all three families and for each rate?
"""

# %%
# Noise on the target of a teacher, 64 samples on the sphere in 40 dimensions: every network can
# learn the noise by heart. The local ones see patches of eight features and average over them.

import matplotlib.pyplot as plt
import numpy as np

import sklcnn
from sklcnn import CNNRegressor, FCNRegressor, LCNRegressor
from sklcnn.datasets import make_sphere
from sklcnn.plotting import FAMILY_STYLES
from sklcnn.theory import stability_threshold
from sklcnn.training import GradientDescent, SharpnessRecorder

X, y = make_sphere(n_samples=64, n_features=40, patch_size=8, noise=1.0, random_state=0)
local = {"patch_size": 8, "stride": 8, "pooling": "mean"}
networks = {
    "FCN": FCNRegressor(64),
    "LCN": LCNRegressor(64, **local),
    "CNN": CNNRegressor(64, **local),
}
RATES, SEEDS, N_STEPS = (0.4, 0.1), range(2), 2500

# %%
# Full-batch gradient descent on the mean squared error, without penalty. A callback records the
# sharpness, more often at the beginning. Its loss is the one that is minimized, the plain mean of
# squares without one half, so that the edge is at 2 divided by ``learning_rate_init``.

curves, losses = {}, {}
for rate in RATES:
    for name, network in networks.items():
        for seed in SEEDS:
            recorder = SharpnessRecorder(per_decade=8)
            network.set_params(
                solver=GradientDescent(clip_norm=50.0),
                learning_rate_init=rate,
                alpha=0.0,
                tol=None,
                max_iter=N_STEPS,
                callbacks=[recorder],
                random_state=seed,
            ).fit(X, y)
            curves.setdefault((rate, name), []).append(recorder.sharpness_)
            losses.setdefault((rate, name), []).append(network.loss_curve_[-1])
epochs = recorder.epochs_

print("rate   edge  network  last sharpness    last loss   at the last step, two seeds")
for (rate, name), runs in curves.items():
    last = [run[-1] for run in runs]
    print(f"{rate:4}  {stability_threshold(rate):5.1f}  {name:7}", end="  ")
    print(f"{min(last):5.2f} to {max(last):5.2f}    {np.mean(losses[rate, name]):.1e}")

# %%
# One panel for each rate, one line for each seed. Dashed is the edge.

figure, axes = plt.subplots(1, 2, figsize=(9, 4), sharey=True, layout="constrained")
for ax, rate in zip(axes, RATES, strict=True):
    edge = stability_threshold(rate)
    for name in networks:
        style = FAMILY_STYLES[name]
        for seed, run in zip(SEEDS, curves[rate, name], strict=True):
            look = {"color": style.color, "marker": style.marker, "markersize": 3, "linewidth": 1}
            ax.plot(epochs[1:], run[1:], label=name if seed == 0 else None, **look)
    ax.axhline(edge, color="0.3", linestyle="--", linewidth=1)
    ax.text(1, edge * 1.06, f"edge: 2 / rate = {edge:g}", color="0.3")
    ax.set(xscale="log", yscale="log", xlabel="steps of gradient descent", title=f"rate {rate}")
    ax.set_yticks([3, 5, 10, 20], ["3", "5", "10", "20"])
    ax.minorticks_off()
    ax.grid(alpha=0.25)
    ax.spines[["top", "right"]].set_visible(False)
axes[0].set_ylabel("sharpness of the mean squared error")
axes[1].legend(frameon=False, loc="lower right")
plt.show()

# %%
# The number that training ends with is asked of a fitted network by :func:`sklcnn.sharpness`.

print(f"\nthe last network once more: {sklcnn.sharpness(network, X, y):.2f}")

# %%
# With the large rate all networks overshoot the edge and settle on it, within two percent of 5,
# whatever their family. With the small one only the convolutional network gets there: its shared
# filters learn the noise more slowly, and its loss still falls. The other two have learned the
# noise by heart, with losses below 0.001, before they reach the edge, and nothing drives their
# sharpness up any more. So the edge is a limit that training need not reach, and a network that
# ends below it is held back by less than the bounds of the theory allow for.
#
# Where it fails: this is a smooth view of a rough thing. Between two records the sharpness swings
# around the edge, and two seeds on one sample say nothing about its spread.
