r"""
What a narrow kernel changes
============================

Two convolutional layers with kernels as wide as the signal look for few frequencies; with kernels
of width one they are a support vector machine. What do the widths between find, and do more
channels make up for narrow kernels?
"""

# %%
# Theory has a norm for each width (Jagadeesan, Razenshteyn and Gunasekar, ``arXiv:2102.12238``):
# half the least sum of squared weights with which a network makes a predictor. It leads from the
# Euclidean norm, up to a factor, to the l1 norm of the spectrum, and channels do not matter to it.
# Five signals of 32 values, smooth as most signals are: their amplitudes fall like one over the
# frequency. Networks of one and of four channels are trained to margins of 1e8.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

import sklcnn
from sklcnn import LinearNetworkClassifier
from sklcnn.plotting import FAMILY_STYLES
from sklcnn.theory import coef_norm, fourier_coef, max_margin

rng = np.random.default_rng(2)
spectra = np.fft.rfft(rng.standard_normal((5, 32))) / np.arange(1, 18)
X, y = np.fft.irfft(spectra), np.array([1, -1, 1, -1, 1])
X /= X.std()
WIDTHS, CHANNELS = (1, 2, 4, 8, 16, 32), (1, 4)


def train(X, y, kernels, input_shape):
    options = {"input_shape": input_shape, "random_state": 0, "max_iter": 300}
    options |= {"step": "prox_linear", "target_margin": 1e8}
    networks = {
        (kernel, n_channels): LinearNetworkClassifier(
            "convolutional", kernel_size=kernel, n_channels=n_channels, **options
        )
        for kernel in kernels
        for n_channels in CHANNELS
    }
    sklcnn.fit_many(list(networks.values()), [X] * len(networks), [y] * len(networks))
    return networks


def solve(X, y, kernels, input_shape):
    shape = {"input_shape": input_shape}
    return {
        kernel: max_margin(X, y, "kernel_width", kernel_size=kernel, **shape) for kernel in kernels
    }


networks = train(X, y, WIDTHS, (32,))
theory = solve(X, y, WIDTHS, (32,))

# %%
# Margins in three norms, as shares of the largest ones that any predictor has. The last columns
# are the distance of directions from theory, and the power of the margin with which it falls beyond
# a margin of 1e4. Theory has this power too. Near the solution both layers are driven by one sum of
# samples, that of the support vectors. The matrix of its shifts, as many as the kernel is wide, has
# a largest singular value, whose kernel remains; one with a share :math:`\sigma` of it falls behind
# like the margin to the power of :math:`-(1 - \sigma) / 2`. The slowest one is shown; at full width
# several share the largest.


def shares(coef, X, y, kernel, input_shape, best):
    """Normalized margins in l2, fourier l1 and the norm of the width, over the largest ones."""
    shape, margin = {"input_shape": input_shape}, (X @ coef * y).min()
    norms = [coef_norm(coef, norm, **shape) for norm in ("l2", "fourier_l1")]
    norms.append(coef_norm(coef, "kernel_width", kernel_size=kernel, **shape))
    return margin / np.array(norms) / best[kernel]


def largest_margins(X, y, theory, input_shape):
    plain = [max_margin(X, y, n, input_shape=input_shape).margin for n in ("l2", "fourier_l1")]
    return {kernel: [*plain, solution.margin] for kernel, solution in theory.items()}


def distances(network, coef):
    return np.linalg.norm(network.direction_ - coef / np.linalg.norm(coef), axis=1)


def power_of(network, coef):
    late = network.margin_ > 1e4
    return np.polyfit(np.log(network.margin_[late]), np.log(distances(network, coef)[late]), 1)[0]


def predicted_power(solution, width):
    pull = (solution.dual_coef * y) @ X
    shifts = np.array([np.roll(pull, shift) for shift in range(width)])
    sizes = np.append(np.linalg.svd(shifts, compute_uv=False), 0)
    return (sizes[1] / sizes[0] - 1) / 2


best = largest_margins(X, y, theory, (32,))
in_theory = [shares(theory[width].coef, X, y, width, (32,), best) for width in WIDTHS]
trained = {
    key: shares(network.direction_[-1], X, y, key[0], (32,), best)
    for key, network in networks.items()
}
print("                 in l2          in fourier l1   in its own")
print("width channels   theory trained theory trained  trained     distance  power  predicted")
for (width, n_channels), network in networks.items():
    coef, found = theory[width].coef, trained[width, n_channels]
    said = in_theory[WIDTHS.index(width)]
    print(f"{width:5} {n_channels:8}   {said[0]:6.3f} {found[0]:6.3f}", end="  ")
    print(f"{said[1]:6.3f} {found[1]:6.3f}   {found[2]:7.4f}", end="     ")
    print(f"{distances(network, coef)[-1]:7.1e}  {power_of(network, coef):6.3f}", end="  ")
    print(f"{predicted_power(theory[width], width):6.3f}" if width < 32 else "")

# %%
# Lines are theory, markers are networks, hollow ones of four channels. Below, spectra.

figure = plt.figure(figsize=(10, 7), layout="constrained")
axes = figure.subplot_mosaic(
    [["shares"] * 4, [1, 4, 16, 32]],
    height_ratios=(1.2, 1),
    per_subplot_kw={"shares": {"xscale": "log"}},
)
looks = {"in l2": "FCN", "in fourier l1": "CNN", "in the norm of the width": "LCN"}
ax = axes["shares"]
for column, (label, family) in enumerate(looks.items()):
    style = FAMILY_STYLES[family]
    ax.plot(WIDTHS, np.array(in_theory)[:, column], color=style.color, linewidth=1, label=label)
    for n_channels, fill in zip(CHANNELS, (style.color, "none"), strict=True):
        values = [trained[width, n_channels][column] for width in WIDTHS]
        look = {"color": style.color, "marker": style.marker, "markerfacecolor": fill}
        ax.plot(WIDTHS, values, linestyle="", markersize=5 + 2 * n_channels**0.5, **look)
ax.set_xticks(WIDTHS, [str(width) for width in WIDTHS])
ax.minorticks_off()
ax.set(xlabel="width of the kernels", ylabel="share of the largest margin", ylim=(0.6, 1.02))
ax.legend(frameon=False, ncols=3, loc="lower center")
for width in (1, 4, 16, 32):
    ax, style = axes[width], FAMILY_STYLES["CNN"]
    coef = theory[width].coef / np.linalg.norm(theory[width].coef)
    ax.bar(range(17), np.abs(fourier_coef(coef))[:17], color="0.85", label="theory")
    for n_channels, fill in zip(CHANNELS, (style.color, "none"), strict=True):
        values = np.abs(fourier_coef(networks[width, n_channels].direction_[-1]))[:17]
        look = {"color": style.color, "marker": style.marker, "markerfacecolor": fill}
        size = {"markersize": 3 + 2 * n_channels**0.5, "linestyle": ""}
        ax.plot(values, label=f"{n_channels} channel{'s' * (n_channels > 1)}", **look, **size)
    ax.set(title=f"width {width}", xlabel="frequency", ylim=(0, 0.9))
axes[1].set_ylabel("amplitude")
axes[32].legend(frameon=False)
for ax in axes.values():
    ax.spines[["top", "right"]].set_visible(False)
plt.show()

# %%
# The same on images: threes and eights of 8 x 8 pixels, five of each, and convolution that is
# circular along both axes. Whether a width pays is a question of its own: for it, the predictors
# of theory are tested on 25 draws of ten digits.

images, digits = load_digits(return_X_y=True)
images = images[np.isin(digits, [3, 8])] / 16
labels = np.where(digits[np.isin(digits, [3, 8])] == 3, -1, 1)
SIZES = ((1, 1), (3, 3), (8, 8))


def draw(rng):
    return np.concatenate([rng.permutation(np.flatnonzero(labels == side))[:5] for side in (-1, 1)])


def test_errors(taken):
    rest = np.delete(np.arange(len(labels)), taken)
    solutions = solve(images[taken], labels[taken], SIZES, (8, 8)).values()
    return [np.mean(images[rest] @ one.coef * labels[rest] <= 0) for one in solutions]


draws = [draw(np.random.default_rng(seed)) for seed in range(25)]
X, y = images[draws[0]], labels[draws[0]]
networks, theory = train(X, y, SIZES, (8, 8)), solve(X, y, SIZES, (8, 8))
best, errors = largest_margins(X, y, theory, (8, 8)), np.array([test_errors(one) for one in draws])

print("\n kernel  channels   in l2  in fourier l1  in its own  distance from theory")
for (size, n_channels), network in networks.items():
    found = shares(network.direction_[-1], X, y, size, (8, 8), best)
    print(f"{size[0]:3} x {size[1]} {n_channels:8}   {found[0]:7.3f} {found[1]:9.3f}", end="")
    print(f"{found[2]:15.4f} {distances(network, theory[size].coef)[-1]:12.1e}")
print("\n kernel  test error of theory   minus that of 1 x 1")
for size, values in zip(SIZES, errors.T, strict=True):
    change = values - errors[:, 0]
    print(f"{size[0]:3} x {size[1]}  {values.mean():12.3f}", end="         ")
    print(f"{change.mean():6.3f} +- {change.std(ddof=1) / len(draws) ** 0.5:.3f}")

# %%
# Predictors of the networks of one channel, above as images and below as spectra, with frequency
# zero in the middle.

figure, axes = plt.subplots(2, 3, figsize=(8, 5.5), layout="constrained")
for column, size in zip(axes.T, SIZES, strict=True):
    coef = networks[size, 1].direction_[-1]
    amplitudes = np.abs(np.fft.fftshift(fourier_coef(coef, (8, 8)).reshape(8, 8)))
    image = column[0].imshow(coef.reshape(8, 8), cmap="PuOr", vmin=-0.4, vmax=0.4)
    look = {"cmap": "Greys", "vmin": 0, "vmax": 0.7, "extent": (-4.5, 3.5, 3.5, -4.5)}
    spectrum = column[1].imshow(amplitudes, **look)
    column[1].set_xlabel("frequency")
    column[0].set_title(f"kernels of {size[0]} x {size[1]}")
    column[0].set(xticks=[], yticks=[])
figure.colorbar(image, ax=axes[0], label="coefficient")
figure.colorbar(spectrum, ax=axes[1], label="amplitude of the spectrum")
axes[1, 0].set_ylabel("frequency")
plt.show()

# %%
# Width one is the support vector machine: its spectrum is as wide as that of the samples, and its
# images are made of single pixels. A wider kernel is a filter in front of it. Four weights are
# enough to cut off the upper half of all frequencies, 3 x 3 weights leave smooth strokes, and a
# kernel as wide as the input leaves four frequencies of the signals and little more than two waves
# of the images. The margin in the l1 norm of the spectrum grows with the width, at the cost of that
# in l2, which is smallest at width 8 here and not at full width. Up to width 8 networks agree with
# theory in all three margins within one percent, with one channel as with four.
#
# Where it fails: at width 16 the second singular value is within four percent of the first, the
# error falls like the margin to the power of -0.02 at best, and at a margin of 1e8 it has hardly
# begun to. Networks then fall three to four percent short of the largest margin, and channels seem
# to matter, but only because they start elsewhere. At full width the margin is right to a
# thousandth, and the spectrum is not: the last of its frequencies is still too small. At width 8
# the slowest part is so small that the error still falls faster than predicted. These signals are a
# good case: those of white noise have singular values that are closer. Nor need theory's choice be
# a good one: on these digits kernels of 3 x 3 do as well as the support vector machine, and those
# of 8 x 8 worse.
