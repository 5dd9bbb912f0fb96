"""
Small patches pay only if they share
====================================

A convolutional network (CNN) differs from a fully connected one (FCN) in two ways at once: its
units see a small patch, and all patches have the same filters. Which of the two is it worth having?
Both can be had by degrees: the *patch size* goes from one feature to the whole input, and the
number of *groups* of patches that share their filters from one, the CNN, to a group for each patch,
the locally connected network (LCN). We train networks all over that plane.
"""

# %%
# The law hides a signal of eight features in one of eight places; the rest is noise. A network that
# knew the law would look at patches of eight features, with one filter for all of them.

import matplotlib.pyplot as plt
import numpy as np

from sklcnn.datasets import make_dsd
from sklcnn.patches import region_groups, tiled_groups, window_grid
from sklcnn.studies import degrees_of_sharing

X, y = make_dsd(n_samples=4000, n_patches=8, patch_size=8, noise=0.25, random_state=0)

# %%
# Sharing by degrees is an array: the group of each patch. Patches that lie together may share their
# filters, or patches that lie apart, as in tiled convolutional networks.

grid = window_grid((64,), patch_size=8, stride=8)
print("grid of windows:", grid)
print("two regions:    ", region_groups(grid, 2))
print("a tile of two:  ", tiled_groups(grid, 2))

# %%
# One call trains the plane. All networks have 64 hidden units and learning rates that were chosen
# on held-out samples, and in one repeat they see the same samples.

found = degrees_of_sharing(
    X,
    y,
    patch_sizes=[2, 4, 8, 16],
    stride=64,  # clipped to the patch size: windows stand side by side
    group_counts=[1, 2],
    n_hidden=64,
    learning_rates=[0.008, 0.032],
    n_steps=200,
    sizes=[150, 600],
    repeats=5,
    name="signal of 8 features in one of 8 places",
)
columns = ["effect", "patch_size", "n", "difference", "low", "high"]
print(found.effects[columns].round(3).to_string(index=False))

# %%
# Maps of the plane at two numbers of samples, and the columns of the second map as curves. The row
# at the bottom is the FCN: one patch has nothing to share.

display = found.plot()
plt.show()

# %%
# With 600 samples the LCN (right column) is nowhere better than the FCN, whatever its patch size:
# small patches alone buy nothing, for each filter sees the signal in a few of the samples only. The
# CNN (left column) is better by several points at the right patch size, and two groups lie in
# between.

best = int(np.nanargmax(display.accuracies[600][:, 0]))
print(f"best patch size of the CNN with 600 samples: {display.patch_sizes[best]}")

# %%
# The patch size has to fit as well. Smaller patches see a part of the signal, and larger ones
# several places at once. And it takes samples: with 150 of them sharing makes up for what small
# patches cost, and little more, at the right patch size only.
#
# Nothing of this is a law of nature. On scikit-learn's digits nearly the whole plane is flat, since
# what matters there is where a stroke lies; the user guide has that map, and one of natural images.
# And windows that stand side by side suit a signal that never lies across two of them: where it may
# begin anywhere, they have to overlap.
