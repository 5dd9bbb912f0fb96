"""
Locality and weight sharing save samples
========================================

How many samples does a network need before it is nearly as good as the best rule there is? On the
Dynamic Signal Distribution a signed signal hides in one of ten patches of Gaussian noise. We count
for a network that knows nothing about patches, for one that looks patch by patch, and for one that
also uses the same filter everywhere; and for a linear rule beside them.
"""

# %%
# One law. Its best rule makes almost no errors, and the best linear rule 1.8 %. The target is the
# error of the best rule plus 0.03, which all of them can reach.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LogisticRegression

import sklcnn
from sklcnn.datasets import DynamicSignal
from sklcnn.plotting import ESTIMATOR_STYLES
from sklcnn.theory import linear_error

law = DynamicSignal(n_patches=10, patch_size=20, noise=0.15)
print(f"error of the best rule {law.bayes_error():.5f}, linear {linear_error(10, 0.15):.4f}")

# %%
# The networks of the paper: soft thresholds added up, one filter a patch (LCN), one for all patches
# (CNN), or ten units that see everything (FCN). They stop after 30 or after 200 steps of gradient
# descent, whatever is better on a held-out fifth of the samples: without the choice, the FCN would
# fit the noise. The linear rule chooses its regularization in the same way.

networks = {name: sklcnn.dsd_network(name.lower(), 10, 20) for name in ("CNN", "LCN", "FCN")}
steps, strengths = {"max_iter": [30, 200]}, {"C": [0.001, 0.01, 0.1]}
contestants = {name: (network, steps) for name, network in networks.items()}
contestants["linear"] = LogisticRegression(fit_intercept=False), strengths

# %%
# Success is a matter of luck near the limit, and not even monotone in the number of samples. So
# each n is tried with six signals and samples of their own. A curve that cannot fall goes through
# the shares of successes, and where it crosses one half is the number that we want. Resampled
# repeats give its 95 % interval.

found = {
    name: sklcnn.sample_complexity(
        estimator, law, param_grid=grid, repeats=6, n_max=1024, n_per_octave=4
    )
    for name, (estimator, grid) in contestants.items()
}
for name, result in found.items():
    print(f"{name:7} {result}")

# %%
# Left what happened at each n, right what it amounts to.

figure, (left, right) = plt.subplots(
    1, 2, figsize=(10, 4), width_ratios=(1.5, 1), layout="constrained"
)
for row, (name, result) in enumerate(found.items()):
    style, curve = ESTIMATOR_STYLES[name], result.curve
    left.plot(curve["n"], curve["probability"], color=style.color, linewidth=2, zorder=2)
    look = {"color": style.color, "markersize": 7, "markeredgecolor": "white"}
    left.plot(curve["n"], curve["share"], style.marker, label=name, zorder=3, **look)
    right.hlines(row, result.low, result.high, color=style.color, linewidth=9, alpha=0.35)
    right.plot(result.n_samples, row, style.marker, **look)
    right.annotate(f"{result.n_samples:.0f}", (result.n_samples, row - 0.17), ha="center")
left.axhline(0.5, color="0.5", linestyle=":", zorder=1)
left.set(ylabel="share of repeats that reach the target", ylim=(-0.04, 1.04))
left.set_title("Markers: six repeats each; lines: fitted curve", fontsize="medium")
left.legend(frameon=False, loc="lower right")
right.set(yticks=np.arange(len(found)), yticklabels=found, ylim=(len(found) - 0.5, -0.6))
right.set_title("Needed for success in one half, 95 % interval", fontsize="medium")
for ax in (left, right):
    ax.set(xscale="log", xlabel="training samples", xlim=(6.5, 1300))
    ax.set_xticks([10, 30, 100, 300, 1000], ["10", "30", "100", "300", "1,000"])
    ax.minorticks_off()
    ax.grid(alpha=0.25)
    ax.spines[["top", "right"]].set_visible(False)
plt.show()

# %%
# Two savings. To look patch by patch (LCN) halves the number of samples, to share the filter (CNN)
# divides what is left by ten, the number of patches: all of its samples speak to its one filter. To
# see everything (FCN) buys nothing: that network needs as many samples as a linear rule, because it
# has become one. Its curve stays below one, since for one sample of six the held-out fifth chose
# too many steps at the largest n.
#
# This is a small study: six repeats, one law, two candidates. Where all repeats agree, the interval
# is no wider than the grid of n, and too narrow. ``sklcnn study dsd`` does the full one.
