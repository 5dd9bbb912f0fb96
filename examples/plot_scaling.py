"""
Without sharing, every patch costs extra
========================================

More patches make a hidden signal harder to learn. How much harder depends on the network: theory
lets the samples that a convolutional network (CNN) needs grow about like the number of patches k,
those of a locally connected one (LCN), which learns the same filter again in every patch, about
like its square. Is that what one measures?
"""

# %%
# The setting of the paper in small: patches of 20 features, noise 0.1, and as target the squared
# risk of the best network of this kind plus 0.03. With six patches or fewer a linear rule would do,
# which is another story. For each number of patches a search tries n on a grid, in repeats with
# signals of their own, and returns the n at which half of them succeed. The CNN, quick to train and
# more a matter of luck, gets ten repeats instead of four.

import matplotlib.pyplot as plt
import numpy as np

import sklcnn
from sklcnn.datasets import DynamicSignal
from sklcnn.plotting import SampleComplexityDisplay
from sklcnn.theory import sample_complexity_rate

PATCH_SIZE, NOISE, N_PATCHES = 20, 0.1, [8, 12, 20]
REPEATS = {"LCN": 4, "CNN": 10}


def search(family, n_patches):
    return sklcnn.sample_complexity(
        sklcnn.dsd_network(family.lower(), n_patches, PATCH_SIZE),
        DynamicSignal(n_patches, PATCH_SIZE, NOISE),
        metric="squared_risk",
        repeats=REPEATS[family],
        n_max=640,
        n_per_octave=2,
    )


found = {family: [search(family, k) for k in N_PATCHES] for family in REPEATS}

# %%
# The rates of the theorems are k (k + d) ln(kd) for the LCN and (k + d) ln(kd) for the CNN, with d
# features in a patch. Here k is not large beside d, so that we are not yet where only the highest
# power counts: the slope to compare with is that of the rate over the same numbers of patches.


def slope(needed):
    return np.polyfit(np.log(N_PATCHES), np.log(needed), 1)[0]


needed = {family: [result.n_samples for result in row] for family, row in found.items()}
theory = {
    family: slope(sample_complexity_rate(family.lower(), N_PATCHES, PATCH_SIZE, NOISE, "upper"))
    for family in found
}
for family, numbers in needed.items():
    print(f"{family}: measured slope {slope(numbers):.2f}, slope of the rate {theory[family]:.2f}")

# %%
# Both axes are logarithmic: a power law is a straight line and its exponent the slope. The rates
# have no constants, so only the slopes of the dashed lines mean something, not their heights.

display = SampleComplexityDisplay(
    N_PATCHES,
    needed,
    low={family: [result.low for result in row] for family, row in found.items()},
    high={family: [result.high for result in row] for family, row in found.items()},
    slopes={family: round(value, 2) for family, value in theory.items()},
    interval="95 % interval",
    title="Samples needed to come within 0.03 of the best squared risk",
)
display.plot()
plt.show()

# %%
# With every patch the LCN falls behind: at 8 patches it needs about seven times as many samples as
# the CNN, at 20 patches almost twenty times. Its slope is that of the rate to within a tenth. The
# intervals of the CNN would also allow for hardly any growth, or for twice as much: it takes more
# repeats and more numbers of patches to pin down its exponent. ``sklcnn study dsd`` runs the whole
# protocol of the paper, with sweeps over the number and the size of patches, learning rates chosen
# from a grid and intervals for the exponents.
