"""
A signal is harder to read the more places it may hide in
=========================================================

The Dynamic Signal Distribution (DSD) puts one signed signal into one of many patches, at a random
place, and noise everywhere. What do such data look like, and how well can anyone read them?
"""

# %%
# The signal is a short wave, so that the eye can follow it. We draw six samples, and ask the law
# for the places too, which a learner does not get to see.

import matplotlib.pyplot as plt
import numpy as np

from sklcnn.datasets import DynamicSignal
from sklcnn.theory import bayes_error

N_PATCHES, PATCH_SIZE = 10, 20
COLORS = {-1: "#D55E00", 1: "#0072B2"}  # safe for color-blind readers
time = np.arange(PATCH_SIZE)
wave = np.sin(np.pi * (time + 0.5) / PATCH_SIZE) * np.sin(2 * np.pi * time / 8)
law = DynamicSignal(
    N_PATCHES, PATCH_SIZE, noise=0.1, signal=wave / np.linalg.norm(wave), random_state=0
)
X, y, location = law.sample(6, random_state=0, return_location=True)

# %%
# The best rule scores every patch by its inner product with the signal and weighs the scores
# against each other. Its error depends on two numbers alone, the noise and the number of patches.
# An integral gives it for every noise; a simulation checks it here and there (for a single patch
# there is nothing to simulate: its error is a tail of the normal distribution).

patches = (1, 10, 20, 100)
noise = np.linspace(0.1, 1, 91)
noise_checked = np.linspace(0.1, 1, 10)
errors = {k: bayes_error(k, noise) for k in patches}
simulated = {k: bayes_error(k, noise_checked, method="simulation") for k in patches[1:]}

# %%
# Left the samples, with the patch of the signal in color; right the error of the best rule.

figure, (left, right) = plt.subplots(
    1, 2, figsize=(10.5, 4.3), width_ratios=(1.45, 1), layout="constrained"
)
for row, (x, sign, place) in enumerate(zip(X, y, location, strict=True)):
    inside = PATCH_SIZE * place + time
    left.plot(x - 1.4 * row, color="0.6", linewidth=0.8)
    left.plot(inside, x[inside] - 1.4 * row, color=COLORS[sign], linewidth=2)
    left.text(X.shape[1] + 3, -1.4 * row, f"$y = {sign:+d}$", color=COLORS[sign], va="center")
left.set(xlim=(-0.5, X.shape[1] - 0.5), xticks=np.arange(N_PATCHES + 1) * PATCH_SIZE - 0.5)
left.set(xticklabels=np.arange(N_PATCHES + 1) * PATCH_SIZE, yticks=[])
left.grid(axis="x", color="0.85", linewidth=0.8)
left.set(xlabel="feature (grid: edges of the patches)", title="Six samples, noise 0.1")
left.spines[["left", "top", "right"]].set_visible(False)

shades = plt.colormaps["viridis"](np.linspace(0.75, 0, len(patches)))
for k, shade in zip(patches, shades, strict=True):
    right.plot(noise, errors[k], color=shade)
    if k in simulated:
        right.plot(noise_checked, simulated[k], "o", color=shade, markersize=4.5)
    name = f"{k} patches" if k > 1 else "1 patch"
    right.annotate(name, (1.03, errors[k][-1]), color=shade, va="center", annotation_clip=False)
right.axhline(0.5, color="0.6", linewidth=0.8, linestyle=":")
right.text(0.1, 0.49, "chance", color="0.4", va="top")
right.set(xlim=(0.08, 1.01), ylim=(-0.005, 0.52), ylabel="error of the best rule")
right.set(xlabel="noise per feature / length of the signal")
right.set_title("Lines: integral; dots: simulation")
right.spines[["top", "right"]].set_visible(False)
plt.show()

# %%
# Among 100 patches, the error at a noise of 0.25 is that of a signal in plain sight at a noise of
# 0.64: the more places there are, the larger the largest score of pure noise. The best rule knows
# the signal, though. What it costs to *learn* it, and how much less it costs a network that looks
# patch by patch, is the subject of the other examples.
