"""
Shared filters find the signal first
====================================

What do the hidden units look at? In the networks of the sample-complexity literature (soft
thresholds, added up) every filter can be laid over the true signal. We train the three families on
the same 80 samples of the Dynamic Signal Distribution, and then on 500.
"""

# %%
# The law hides a short wave in one of ten patches of noise.

import matplotlib.pyplot as plt
import numpy as np

import sklcnn
from sklcnn.datasets import DynamicSignal
from sklcnn.plotting import FilterDisplay

N_PATCHES, PATCH_SIZE = 10, 20
time = np.arange(PATCH_SIZE)
wave = np.sin(np.pi * (time + 0.5) / PATCH_SIZE) * np.sin(2 * np.pi * time / 8)
law = DynamicSignal(
    N_PATCHES, PATCH_SIZE, noise=0.15, signal=wave / np.linalg.norm(wave), random_state=0
)
X, y = law.sample(500, random_state=1)
X_test, y_test = law.sample(10_000, random_state=2)

# %%
# The CNN has one filter, the LCN one a patch, and the FCN as many units as there are patches. A
# filter is as good as its cosine with the signal; a unit of the FCN, which sees all patches, as
# good as its best cosine with the signal in one of them.

fitted = {
    n_samples: {
        family: sklcnn.dsd_network(family.lower(), N_PATCHES, PATCH_SIZE, random_state=0).fit(
            X[:n_samples], y[:n_samples]
        )
        for family in ("FCN", "LCN", "CNN")
    }
    for n_samples in (80, 500)
}
print("samples  network  median cosine  test error")
for n_samples, networks in fitted.items():
    for family, network in networks.items():
        cosines = sklcnn.alignment(network, law)
        best = cosines.max(axis=1) if family == "FCN" else cosines
        error = 1 - network.score(X_test, y_test)
        print(f"{n_samples:7}  {family:7}  {np.median(best):13.2f}  {error:10.3f}")

# %%
# 80 samples. One curve for each filter, of length one like the signal; of a unit of the FCN its
# best patch, to the scale of the whole unit.

filters = {family: network.filters_ for family, network in fitted[80].items()}
FilterDisplay(law.true_signal, filters, title="80 samples").plot()
plt.show()

# %%
# All 80 samples speak to the one filter of the CNN, about 8 to each filter of the LCN, which have
# only just begun to look like the signal. The ten units of the FCN lie on top of each other: from a
# small start they all learn the same, a linear rule that spreads its weight over all patches. Would
# more samples help?

filters = {family: network.filters_ for family, network in fitted[500].items()}
FilterDisplay(law.true_signal, filters, title="500 samples").plot()
plt.show()

# %%
# The filters of the LCN have found the signal, each on its own, with six times the samples that the
# CNN had. The FCN has less noise but still ten copies of a linear rule: samples do not turn its
# units into detectors of a signal in one place.
