"""
Sharing is a bet that a pattern means the same everywhere
=========================================================

Whoever shares filters bets that all places need the same ones, and whoever pools bets that it does
not matter where they fire. What if a bet is lost? Three tasks of one make, signals with a template
in one of eight places, have a different answer each.
"""

# %%
# In the first task the class is *which* of two templates is there, at whatever place. In the second
# there is one template, and the class is *where* it lies, left or right. In the third every place
# has a template of its own, and the class is its *sign*. Templates have length one and are at right
# angles to each other; the noise per feature is 0.25.

import matplotlib.pyplot as plt
import numpy as np

import sklcnn
from sklcnn import CNNClassifier, FCNClassifier, LCNClassifier
from sklcnn.datasets import make_translated_templates
from sklcnn.plotting import FAMILY_STYLES

N_PLACES, SIZE, REPEATS = 8, 8, 6
SAMPLES = [32, 64, 128, 256, 512, 1024]
law = {"n_samples": SAMPLES[-1] + 4000, "n_features": N_PLACES * SIZE, "template_size": SIZE}
law |= {"noise": 0.25, "positions": np.arange(N_PLACES) * SIZE, "return_positions": True}
which, where, sign = [], [], []
for repeat in range(REPEATS):
    templates, _ = np.linalg.qr(np.random.default_rng(repeat).standard_normal((SIZE, SIZE)))
    X, y, _ = make_translated_templates(templates=templates[:2], random_state=repeat, **law)
    which.append((X, y))
    X, _, start = make_translated_templates(templates=templates[[0, 0]], random_state=repeat, **law)
    where.append((X, start < N_PLACES * SIZE // 2))
    X, y, start = make_translated_templates(templates=0 * templates[:2], random_state=repeat, **law)
    place = start // SIZE  # nothing but noise so far
    patches = X.reshape(-1, N_PLACES, SIZE)
    patches[np.arange(len(y)), place] += templates[place] * (2 * y - 1)[:, None]
    sign.append((X, y))
tasks = {"Which template?": which, "Where is the template?": where}
tasks["Which sign? A template for each place"] = sign

# %%
# Both local networks have eight filters for each place, so that a shared filter could be spent on
# every place; the fully connected one has as many units. All train in one fleet.

training = {"learning_rate_init": 0.01, "max_iter": 60, "tol": None}
windows = {"n_filters": 8, "patch_size": SIZE, "stride": SIZE} | training
kinds = {
    "FCN": (FCNClassifier, training | {"n_filters": 8 * N_PLACES}),
    "LCN": (LCNClassifier, windows),
    "CNN": (CNNClassifier, windows),
    "pooled CNN": (CNNClassifier, windows | {"pooling": "max"}),
}
cases = [
    (kind(**options, random_state=repeat), *draws[repeat], n_samples)
    for draws in tasks.values()
    for kind, options in kinds.values()
    for n_samples in SAMPLES
    for repeat in range(REPEATS)
]
sklcnn.fit_many(
    [network for network, *_ in cases],
    [X[:n_samples] for _, X, _, n_samples in cases],
    [y[:n_samples] for _, _, y, n_samples in cases],
)
errors = [1 - network.score(X[SAMPLES[-1] :], y[SAMPLES[-1] :]) for network, X, y, _ in cases]
errors = np.reshape(errors, (len(tasks), len(kinds), len(SAMPLES), REPEATS))

print("test error at     ", *(f"{n:5}" for n in SAMPLES), " samples")
for task, curves in zip(tasks, errors.mean(axis=-1), strict=True):
    print(task)
    for name, curve in zip(kinds, curves, strict=True):
        print(f"    {name:14}", *(f"{error:.3f}" for error in curve))

# %%
# Bands are 95 % intervals of the mean (2.6 standard errors).

figure, axes = plt.subplots(1, 3, figsize=(11, 4), sharey=True, layout="constrained")
for ax, task, curves in zip(axes, tasks, errors, strict=True):
    for (name, style), scores in zip(FAMILY_STYLES.items(), curves, strict=True):
        mean = scores.mean(axis=1)
        reach = 2.6 * scores.std(axis=1, ddof=1) / REPEATS**0.5
        look = {"color": style.color, "marker": style.marker, "markeredgecolor": "white"}
        ax.plot(SAMPLES, mean, label=name, markersize=7, **look)
        look = {"color": style.color, "alpha": 0.15, "linewidth": 0}
        ax.fill_between(SAMPLES, mean - reach, mean + reach, **look)
    ax.axhline(0.5, color="0.4", linestyle=":", linewidth=1, zorder=0)
    ax.set(xscale="log", yscale="log", xlabel="training samples")
    ax.set_title(task, fontsize="medium")
    ax.set_xticks(SAMPLES, SAMPLES)
    ax.set_yticks([0.01, 0.02, 0.05, 0.1, 0.2, 0.5], ["1 %", "2 %", "5 %", "10 %", "20 %", "50 %"])
    ax.minorticks_off()
    ax.grid(alpha=0.25)
    ax.spines[["top", "right"]].set_visible(False)
axes[0].set(ylabel="test error", ylim=(0.008, 0.6))
axes[2].legend(frameon=False, loc="lower left")
plt.show()

# %%
# *Which template?* Both bets are won. Sharing halves the error of the LCN from 512 samples on, and
# pooling is worth more than another factor of two in samples, most of all where samples are few.
#
# *Where is it?* The bet on pooling is lost at once: to the pooled network left and right are the
# same, and it stays at chance. Sharing still pays, for the same filter is needed everywhere; that
# places matter is the business of the readout, which has a weight for each of them. Class
# information in the position speaks against pooling, not against sharing.
#
# *Which sign, with a template for each place?* Now sharing hurts: with 1024 samples the CNN makes
# 12 % errors and the LCN 7 %. A filter of the LCN learns the template of its place, a shared one is
# pulled by eight templates at once. More filters do not mend it: with 32 in the place of 8 the CNN
# still makes 10 %. With up to 256 samples the FCN is best, and only a little better with 1024:
# it is close to the best linear rule, which makes 8 % (``sklcnn.theory.linear_error(8, 0.25)``).
#
# The places are known here and do not overlap, and the templates are at right angles; on images
# neither holds. At few samples the pooled network is a matter of luck, as its wide band says.
