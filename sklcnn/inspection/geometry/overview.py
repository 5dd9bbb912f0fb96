"""Spectrum and depth of the patches of one connectivity, in one record."""

from dataclasses import dataclass
from numbers import Integral

import numpy as np
from numpy.typing import ArrayLike

from sklcnn.datasets.base import draw_entropy, stream
from sklcnn.inspection.geometry.cloud import PatchCloud, check_working_memory
from sklcnn.inspection.geometry.depth import HalfspaceDepth, check_directions, depth_by_directions
from sklcnn.inspection.geometry.spectrum import PatchSpectrum, spectrum_of_cloud

__all__ = ["PatchGeometry", "patch_geometry"]


@dataclass(frozen=True)
class PatchGeometry:
    """Geometry of a cloud of patches, as `patch_geometry` returns it.

    Attributes
    ----------
    spectrum : PatchSpectrum
        Principal components of all patches.
    depth : HalfspaceDepth
        Depth of some patches, the queries, in others, the reference.
    patch_size : int
        Features of a patch: the dimension of the cloud.

    Examples
    --------
    >>> import numpy as np
    >>> from sklcnn.inspection import HalfspaceDepth, PatchGeometry, PatchSpectrum
    >>> spectrum = PatchSpectrum(np.array([3.0, 1.0]), np.zeros(2), n_patches=4)
    >>> depth = HalfspaceDepth(np.array([0.1, 0.3]), np.array([1]), np.array([0.2]), n_reference=10)
    >>> PatchGeometry(spectrum, depth, patch_size=2).summary()["mean_depth"]
    0.2
    """

    spectrum: PatchSpectrum
    depth: HalfspaceDepth
    patch_size: int

    def summary(self, share: float = 0.9) -> dict[str, float]:
        """Return the numbers of a table row.

        Parameters
        ----------
        share : float, default=0.9
            Share of the variance for the elbow.

        Returns
        -------
        numbers : dict of str to float
            Size and number of patches, trace, share of the first component, elbow, both effective
            dimensions, mean depth, and by how much the last directions lowered it.
        """
        return {
            "patch_size": self.patch_size,
            "n_patches": self.spectrum.n_patches,
            "trace": self.spectrum.trace,
            "top_share": self.spectrum.top_share,
            "elbow": self.spectrum.elbow(share),
            "participation_ratio": self.spectrum.participation_ratio,
            "effective_rank": self.spectrum.effective_rank,
            "mean_depth": self.depth.mean,
            "last_drop": self.depth.last_drop,
        }


def patch_geometry(
    X: ArrayLike,
    patch_indices: ArrayLike | None = None,
    *,
    offset: ArrayLike = 0.0,
    scale: ArrayLike = 1.0,
    n_reference: int = 200_000,
    n_queries: int = 20_000,
    n_directions: int = 512,
    working_memory: float = 128,
    random_state: int | np.random.RandomState | None = None,
) -> PatchGeometry:
    """Return spectrum and half-space depth of the patches that a connectivity cuts out of samples.

    The patches of all samples are one cloud of points. Where it is flat (a few components hold its
    variance) and deep (many of its points have much of it on every side), gradient descent at a
    large learning rate is held back from fitting single patches; a cloud of shallow points leaves
    it free [1]_.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Samples, of any real dtype; further axes are raveled.
    patch_indices : array-like of shape (n_patches, patch_size) or None, default=None
        The features that each patch sees, in an order that means the same in all patches. None
        makes every sample one patch.
    offset, scale : float or array-like of shape (n_features,), default=0 and 1
        The patches are those of ``(X - offset) / scale``.
    n_reference, n_queries : int, default=200_000 and 20_000
        Patches drawn for the depth: the cloud, and the points in question, none in both. At most
        half of all patches are queries, and at most the rest is reference.
    n_directions : int, default=512
        Random directions for the depth, see `halfspace_depth`. Patches of one size get the same
        ones for the same seed.
    working_memory : float, default=128
        Memory for pieces in MiB, besides X, the queries, and a few matrices of shape (patch_size,
        patch_size). Patches of one sample, and the projections of the reference on one direction,
        always have to fit.
    random_state : int, RandomState instance or None, default=None
        Seed of the draws and, independently, of the directions.

    Returns
    -------
    geometry : PatchGeometry
        Spectrum of all patches, depth of those drawn.

    Raises
    ------
    ValueError
        If there are fewer than two patches, all are equal, entries of ``patch_indices`` are masked,
        X holds NaN or infinity, or another argument is none.

    Notes
    -----
    Random directions bound the depth from above, and the more loosely the higher the dimension: the
    means of patches of different sizes are no fair comparison, whatever ``last_drop`` says.

    References
    ----------
    .. [1] Liang, Cloninger, Parhi, Wang, "Generalization below the edge of stability: the role of
       data geometry", ICLR 2026, arXiv:2510.18120.

    Examples
    --------
    >>> from sklcnn.datasets import load_digit_images
    >>> from sklcnn.inspection import patch_geometry
    >>> from sklcnn.patches import sliding_windows
    >>> X = load_digit_images().data
    >>> patches = sliding_windows((8, 8), 3)
    >>> geometry = patch_geometry(X, patches, n_queries=1000, n_directions=64, random_state=0)
    >>> geometry.spectrum.elbow(), round(geometry.depth.mean, 2)
    (6, 0.01)
    """
    _check_counts(n_reference=n_reference, n_queries=n_queries)
    check_directions(n_directions)
    n_bytes = check_working_memory(working_memory)
    entropy = draw_entropy(random_state)
    cloud = PatchCloud(X, patch_indices, offset, scale)
    spectrum = spectrum_of_cloud(cloud, n_bytes)
    queries, reference = _draw_places(len(cloud), n_queries, n_reference, entropy)

    def project(directions):
        return cloud.project(reference, directions, n_bytes / 2)

    depth = depth_by_directions(
        cloud.take(queries, n_bytes / 2),
        project,
        len(reference),
        n_directions,
        n_bytes / 2,
        entropy,
    )
    return PatchGeometry(spectrum, depth, cloud.patch_size)


def _check_counts(**counts):
    for name, count in counts.items():
        if not isinstance(count, Integral) or count < 1:
            raise ValueError(f"{name}={count!r} must be an integer of at least 1.")


def _draw_places(n_patches, n_queries, n_reference, entropy):
    """Places of queries and of reference in the cloud, no place twice, each sorted."""
    n_queries = min(n_queries, n_patches // 2)
    n_reference = min(n_reference, n_patches - n_queries)
    places = _draw_distinct(stream(entropy, "patches"), n_patches, n_queries + n_reference)
    return np.sort(places[:n_queries]), np.sort(places[n_queries:])


def _draw_distinct(random, n_patches, n_places):
    """Uniform without replacement, in memory of the order of ``n_places``."""
    if n_places > n_patches // 2:
        return random.permutation(n_patches)[:n_places]
    found = np.empty(0, dtype=np.int64)
    while len(found) < n_places:
        more = random.integers(n_patches, size=n_places)
        found = np.union1d(found, more)
    return random.permutation(found)[:n_places]
