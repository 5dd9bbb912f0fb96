r"""
On the sphere patches see points of depth where whole inputs do not
===================================================================

Points on a sphere have no depth: a half-space can cut a single one off, and a flat fully connected
network can so learn the noise of each. A patch of such a point lies *inside* a ball, among others:
a network of shared local filters can hardly single it out. Does its generalization gap fall with
the number of samples, where that of the fully connected network does not? And has it then learned?
"""

# %%
# Uniform inputs on spheres in 20 and in 80 dimensions, a teacher with filters on ten features,
# noise of variance one. Both networks have 32 filters and are trained by full-batch gradient
# descent at the edge of stability.

import matplotlib.pyplot as plt

from sklcnn.studies import SphereSweep, stability_study

sweep = SphereSweep(
    networks=("FCN", "CNN"),
    dimensions=(20, 80),
    compared_dimension=20,
    patch_sizes=(),
    sizes=(32, 128, 512),
    n_filters=32,
    n_steps=1000,
    per_decade=1,
    n_test=1000,
    repeats=4,
)
study = stability_study([sweep])

# %%
# The *gap* is the distance between the error on new samples and on the training samples. Left is
# the gap, and in the middle what one would like to know: how far the network is from the teacher,
# divided by the variance of the teacher. Above one, the mean of all targets is a better
# prediction.

study.plot()
plt.show()

# %%
# The slopes of the gap over the samples, in logarithms, with 95 % intervals over four teachers
# with samples of their own, beside the exponent that theory guarantees.

gaps = study.slopes[study.slopes.quantity == "gap"]
print(
    gaps[["network", "n_features", "slope", "low", "high", "theory"]]
    .round(2)
    .to_string(index=False)
)

# %%
# What was measured, at the largest sample: training loss, gap, excess risk, and its share of the
# variance of the teacher.

largest = study.results[study.results.n_samples == 512]
columns = ["loss", "gap", "excess", "relative_excess", "sharpness"]
print(largest.groupby(["network", "n_features"])[columns].mean().round(2).to_string())

# %%
# The gap of the convolutional network falls with the samples in both dimensions. That of the fully
# connected network does not in 80 dimensions: it has learned most of the noise, and is more than
# six times as far from the teacher as a constant. In 20 dimensions its gap falls too: 32 units
# cannot single out each of 512 points.
#
# But a small gap is no sign of learning. A constant has one too, from the noise of the sample,
# about :math:`\sqrt{2 / n}`: .06 at 512 samples, which is where the convolutional network is in 80
# dimensions. What it predicts there is hardly better than a constant, since there is little to
# learn: the variance of this teacher falls with the dimension, and the noise has variance one. In
# 20 dimensions it has learned three quarters of the teacher.
#
# Where it fails: after 1,000 steps no network has settled, and the gap of the convolutional one
# still grows. It also has fewer parameters, and a locally connected network is not shown: sharing
# and locality are not told apart. ``sklcnn study stability --parts sphere`` trains for ten times as
# long, with all three families, more dimensions, patch sizes and samples, and says how much the gap
# has changed at the end.
