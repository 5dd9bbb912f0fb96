r"""
Flat minima learn noise by heart with neurons that see few samples
==================================================================

Gradient descent with rate :math:`\eta` can only settle where the sharpness of the loss is below
:math:`2 / \eta`: a large rate enforces a flat minimum. Does a flat minimum of a fully connected
network keep away from noise? The network can *shatter* instead: each of its neurons moves out to
the edge of the data, sees a few samples there, and serves their noise at hardly any sharpness.
"""

# %%
# A linear target on the uniform ball in ten dimensions, under noise of variance 1. The variance of
# the target itself is only 1/12: whoever predicts a constant has this excess risk.

import matplotlib.pyplot as plt
import numpy as np

import sklcnn
from sklcnn import FCNRegressor
from sklcnn.datasets import BallTeacher
from sklcnn.inspection import stability_report
from sklcnn.theory import stability_threshold
from sklcnn.training import GradientDescent

N_SAMPLES, SEEDS = 128, (0, 1)
law = BallTeacher(n_features=10, target="linear", noise=1.0, random_state=0)
samples = {seed: law.sample(N_SAMPLES, random_state=seed, return_clean=True) for seed in SEEDS}
X_test, _, clean_test = law.sample(4000, random_state=len(SEEDS), return_clean=True)

# %%
# Three trainings on each sample, all without a stop: a large rate, a small one, and the small one
# with weight decay. The loss is the plain mean of squares, so that 0.45 is the 0.9 of a loss with
# one half in front. Training divides ``alpha`` by the number of samples: 0.1 for each sample is
# what optimizers call a weight decay of 0.1.

TRAININGS = {
    "large rate": {"learning_rate_init": 0.45, "alpha": 0.0},
    "small rate": {"learning_rate_init": 0.05, "alpha": 0.0},
    "small rate, decay": {"learning_rate_init": 0.05, "alpha": 0.1 * N_SAMPLES},
}
networks = {
    (name, seed): FCNRegressor(
        256,
        solver=GradientDescent(clip_norm=2.0),
        tol=None,
        max_iter=4000,
        random_state=seed,
        **options,
    )
    for seed in SEEDS
    for name, options in TRAININGS.items()
}
Xs, ys = zip(*(samples[seed][:2] for _, seed in networks), strict=True)
sklcnn.fit_many(list(networks.values()), Xs, ys)

# %%
# The activation rate of a neuron is the share of the training samples on which it is active. The
# errors are those of the target without noise, on the training inputs and on new ones. A network
# that has learned the noise by heart has a training loss of 0 and, on the training inputs, an error
# of about the variance of the noise.

rates = {}
print("training           seed  sharpness  edge  activation  loss   clean error  excess risk")
for (name, seed), network in networks.items():
    X, y, clean = samples[seed]
    report = stability_report(network, X, y)
    rates[name, seed] = report.activation_rates
    fitted, predicted = network.predict(X), network.predict(X_test)
    print(f"{name:18}{seed:5}{report.sharpness:11.2f}", end="")
    print(f"{stability_threshold(network.learning_rate_init):6.1f}", end="")
    print(f"{rates[name, seed].mean():12.1%}{np.mean((fitted - y) ** 2):6.2f}", end="")
    print(f"{np.mean((fitted - clean) ** 2):14.2f}", end="")
    print(f"{np.mean((predicted - clean_test) ** 2):13.3f}")
print(f"\na constant has an excess risk of {law.target_variance():.3f}")

# %%
# Left, the activation rates of all neurons. Right, the function of the first seed on the line
# through the center of the ball along which the target changes.

COLORS = dict(zip(TRAININGS, ("#0072B2", "#D55E00", "0.45"), strict=True))
steps = np.linspace(-1, 1, 201)
line = steps[:, None] * law.teacher.readout  # (n_steps, n_features)
figure, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
for name, color in COLORS.items():
    found = np.concatenate([rates[name, seed] for seed in SEEDS])
    bins = np.linspace(0, 1, 26)
    axes[0].hist(found, bins, histtype="stepfilled", color=color, alpha=0.2)
    axes[0].hist(found, bins, histtype="step", color=color, label=name)
    axes[1].plot(steps, networks[name, 0].predict(line), color=color)
axes[1].plot(steps, law.predict(line), color="black", linestyle="--", linewidth=1, label="target")
axes[0].set(xlabel="share of samples a neuron is active on", ylabel="neurons, two seeds")
axes[1].set(xlabel="place on the line; the center is 0", ylabel="output")
axes[1].set_xticks([-1, -0.5, 0, 0.5, 1])
for ax in axes:
    ax.legend(frameon=False)
    ax.grid(alpha=0.25)
    ax.spines[["top", "right"]].set_visible(False)
plt.show()

# %%
# One more look at the large rate: how many neurons are silent on all samples after ten steps, for
# three lengths at which gradients are clipped? Training above used the first.

X, y, _ = samples[0]
print("\nclip   silent after ten steps")
for clip_norm in (2.0, 10.0, 50.0):
    beginning = FCNRegressor(256, tol=None, max_iter=10, random_state=0, **TRAININGS["large rate"])
    beginning.set_params(solver=GradientDescent(clip_norm=clip_norm)).fit(X, y)
    silent = stability_report(beginning, X, y).activation_rates == 0
    print(f"{clip_norm:4g}{silent.mean():12.0%}")

# %%
# The large rate ends on its edge, at a ninth of the sharpness of the small one, and has learned the
# noise all the same. Flatness bought next to nothing: on new inputs both are many times worse than
# a constant. What it changed are the neurons. Each is active on one sample in seven instead of
# every second one, and they have left the center of the ball, where the function is flat. Weight
# decay ends at a sharpness like that of the large rate and leaves the noise alone, with neurons
# that are active on most samples: what helps is the small norm and not the flat minimum.
#
# Where it fails: on one of the two samples decay is hardly better than a constant, as it must
# shrink signal and noise alike. And not everything that looks shattered is a matter of minima. The
# sharpness at the start is far above the edge of the large rate, and its first steps overshoot.
# With long steps, the last line of the table, most neurons are thrown out of the data for good
# before there is any minimum to speak of; with short ones, as above, none of them is.
