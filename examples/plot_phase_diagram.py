"""
Three maps of what can be learned
=================================

A signal drowns in two ways: the noise is too strong, or the samples are too few. Where are the
borders, and how does the network move them? We train the three families at every noise and every
number of samples and draw the test error as a map.
"""

# %%
# Eight noises, seven numbers of samples, three families and three repeats make 504 networks. Each
# repeat has a signal of its own, and of one sample a network gets the first n.

import matplotlib.pyplot as plt
import numpy as np

import sklcnn
from sklcnn.datasets import DynamicSignal
from sklcnn.plotting import PhaseDisplay
from sklcnn.theory import critical_noise, linear_error

N_PATCHES = PATCH_SIZE = 10
NOISES = [0.05, 0.12, 0.19, 0.26, 0.33, 0.4, 0.47, 0.54]
SIZES = [16, 32, 64, 128, 256, 512, 1024]
STEPS = {"FCN": 50, "LCN": 200, "CNN": 200}  # the FCN stops early: later on it fits the noise

networks, Xs, ys, tests = [], [], [], []
for noise in NOISES:
    for repeat in range(3):
        law = DynamicSignal(N_PATCHES, PATCH_SIZE, noise, random_state=repeat)
        X, y = law.sample(SIZES[-1], random_state=10 + repeat)
        test = law.sample(5000, random_state=20 + repeat)
        for family, steps in STEPS.items():
            for n_samples in SIZES:
                network = sklcnn.dsd_network(family.lower(), N_PATCHES, PATCH_SIZE)
                networks.append(network.set_params(max_iter=steps, random_state=repeat))
                Xs.append(X[:n_samples])
                ys.append(y[:n_samples])
                tests.append(test)

# %%
# One call trains them all in a fleet: networks of one kind in stacks, in seconds.

sklcnn.fit_many(networks, Xs, ys)
errors = [1 - network.score(*test) for network, test in zip(networks, tests, strict=True)]
errors = np.reshape(errors, (len(NOISES), 3, len(STEPS), len(SIZES)))
means = dict(zip(STEPS, np.moveaxis(errors.mean(axis=1), 1, 0), strict=True))

print(f"test error at noise {NOISES[3]}")
print("samples", *(f"{n:5}" for n in SIZES))
for family, mean in means.items():
    print(f"{family:7}", *(f"{error:.3f}" for error in mean[3]))

# %%
# Two noises matter. From 1 / sqrt(k) on, the noise of all k patches together outweighs the signal:
# a linear rule, which has to listen to all of them, makes 16 % errors there however many samples it
# has. At the critical noise, 1 / sqrt(2 ln k), the largest of k scores of pure noise is as large as
# that of the signal, which gets lost even for a rule that knows it.

print(
    f"error of the best linear rule at 1 / sqrt(k): {linear_error(N_PATCHES, N_PATCHES**-0.5):.3f}"
)
display = PhaseDisplay(
    NOISES,
    SIZES,
    {family: errors[:, :, i].transpose(2, 0, 1) for i, family in enumerate(STEPS)},
    critical_noise={
        "1 / sqrt(k), limit of linear rules": N_PATCHES**-0.5,
        "critical noise, limit of all rules": critical_noise(N_PATCHES),
    },
    levels=(0.05, 0.1, 0.2, 0.3),
    title=f"{N_PATCHES} patches of {PATCH_SIZE} features, three repeats",
)
display.plot()
plt.show()

# %%
# Three maps with three kinds of border. Left of 1 / sqrt(k) the lines of the FCN turn upright: more
# samples hardly help, for it is a linear rule, and such a rule can do little better. With few
# samples the map of the LCN is the same; from about 128 samples on, its filters find the signal,
# and its lines lean over to the right. The CNN is there with a tenth of the samples: at noise 0.26
# its 64 samples are worth about 500 of the LCN, and more than any number of the FCN. Its lines end
# upright too, but where the best rule stands: at the critical noise that one makes 19 % errors.
#
# The maps are small: few patches, three repeats (a dot marks means that are uncertain by more than
# 0.02), and one learning rate for all noises. ``sklcnn study dsd`` takes more care, at one noise.
