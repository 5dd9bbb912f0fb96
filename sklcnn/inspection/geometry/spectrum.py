"""How flat a cloud of patches is: eigenvalues of its covariance, and how many of them count."""

from dataclasses import dataclass
from numbers import Real

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sklcnn.inspection.geometry.cloud import PatchCloud, check_working_memory

__all__ = ["PatchSpectrum", "patch_spectrum", "pca_elbow", "spectrum_of_cloud"]

_ROUNDING = 1e-12  # a share that misses its goal by so little, relative, has reached it


@dataclass(frozen=True)
class PatchSpectrum:
    """Principal components of a cloud of patches, as `patch_spectrum` returns them.

    Attributes
    ----------
    eigenvalues : ndarray of shape (patch_size,)
        Variances along the principal components, from the largest to the smallest.
    mean : ndarray of shape (patch_size,)
        The mean patch.
    n_patches : int
        Number of patches in the cloud, over all samples.

    Examples
    --------
    >>> import numpy as np
    >>> from sklcnn.inspection import PatchSpectrum
    >>> spectrum = PatchSpectrum(np.array([6.0, 3.0, 1.0]), np.zeros(3), n_patches=100)
    >>> spectrum.trace, spectrum.top_share, spectrum.elbow(0.9)
    (10.0, 0.6, 2)
    >>> round(spectrum.participation_ratio, 3), round(spectrum.effective_rank, 3)
    (2.174, 2.455)
    """

    eigenvalues: NDArray[np.float64]
    mean: NDArray[np.float64]
    n_patches: int

    @property
    def trace(self) -> float:
        """Total variance: the sum of the eigenvalues."""
        return float(self.eigenvalues.sum())

    @property
    def shares(self) -> NDArray[np.float64]:
        """Share of each component in the total variance, (patch_size,)."""
        return self.eigenvalues / self.eigenvalues.sum()

    @property
    def cumulative_shares(self) -> NDArray[np.float64]:
        """Share of the first component, of the first two, and so on, (patch_size,)."""
        return np.cumsum(self.eigenvalues) / self.eigenvalues.sum()

    @property
    def top_share(self) -> float:
        """Share of the first component."""
        return float(self.shares[0])

    @property
    def participation_ratio(self) -> float:
        """Effective dimension by squares: (sum of eigenvalues)² / sum of their squares."""
        return float(1 / (self.shares**2).sum())

    @property
    def effective_rank(self) -> float:
        """Effective dimension by entropy: the exponential of the Shannon entropy of the shares."""
        shares = self.shares[self.shares > 0]
        return float(np.exp(-(shares * np.log(shares)).sum()))

    def elbow(self, share: float = 0.9) -> int:
        """Return how many components hold this share of the variance, see `pca_elbow`.

        Parameters
        ----------
        share : float, default=0.9
            Above 0, at most 1.

        Returns
        -------
        n_components : int
            The smallest such number.
        """
        return pca_elbow(self.eigenvalues, share)


def patch_spectrum(
    X: ArrayLike,
    patch_indices: ArrayLike | None = None,
    *,
    offset: ArrayLike = 0.0,
    scale: ArrayLike = 1.0,
    working_memory: float = 128,
) -> PatchSpectrum:
    """Return the principal components of the patches of all samples, pooled into one cloud.

    The covariance is that of centered patches with one over the number of patches minus one.
    Patches are cut out piece by piece and never held together: the means and the products of
    deviations of the pieces are merged in double precision [1]_, which loses nothing to a large
    mean.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Samples, of any real dtype; further axes are raveled.
    patch_indices : array-like of shape (n_patches, patch_size) or None, default=None
        The features that each patch sees, in an order that means the same in all patches. None
        makes every sample one patch.
    offset, scale : float or array-like of shape (n_features,), default=0 and 1
        The patches are those of ``(X - offset) / scale``, computed piece by piece as well: bytes
        may stay bytes.
    working_memory : float, default=128
        Memory for pieces in MiB, besides X and a few matrices of shape (patch_size, patch_size).
        Patches of one sample are always cut out together.

    Returns
    -------
    spectrum : PatchSpectrum
        Eigenvalues, from which trace, shares, elbow and effective dimensions follow.

    Raises
    ------
    ValueError
        If there are fewer than two patches, all are equal, entries of ``patch_indices`` are masked,
        X holds NaN or infinity, or another argument is none.

    References
    ----------
    .. [1] Chan, Golub, LeVeque, "Algorithms for computing the sample variance: analysis and
       recommendations", The American Statistician 37(3), 1983.

    Examples
    --------
    >>> from sklcnn.datasets import load_digit_images
    >>> from sklcnn.inspection import patch_spectrum
    >>> from sklcnn.patches import sliding_windows
    >>> X = load_digit_images().data
    >>> spectrum = patch_spectrum(X, sliding_windows((8, 8), 3))
    >>> spectrum.n_patches, spectrum.eigenvalues.shape, spectrum.elbow()
    (64692, (9,), 6)
    """
    n_bytes = check_working_memory(working_memory)
    return spectrum_of_cloud(PatchCloud(X, patch_indices, offset, scale), n_bytes)


def pca_elbow(eigenvalues: ArrayLike, share: float = 0.9) -> int:
    """Return the smallest number of components that hold a share of the variance.

    Parameters
    ----------
    eigenvalues : array-like of shape (n_components,)
        Variances along all components, none negative, in any order.
    share : float, default=0.9
        Above 0, at most 1.

    Returns
    -------
    n_components : int
        How many of the largest eigenvalues add up to at least this share of all.

    Raises
    ------
    ValueError
        If the eigenvalues are no variances, all are zero, or the share is none.

    Examples
    --------
    >>> from sklcnn.inspection import pca_elbow
    >>> pca_elbow([6, 3, 1]), pca_elbow([6, 3, 1], share=0.95)
    (2, 3)
    """
    values = np.asarray(eigenvalues, dtype=float)
    _check_elbow(values, share)
    held = np.cumsum(np.sort(values)[::-1])
    return int((held < share * values.sum() * (1 - _ROUNDING)).sum()) + 1


def spectrum_of_cloud(cloud, n_bytes):
    """Return the spectrum of a `PatchCloud`, with pieces in so many bytes."""
    if len(cloud) < 2:
        raise ValueError(
            "X and patch_indices give one patch: a covariance needs two, so pass more samples."
        )
    mean, products = _moments(cloud.pieces(n_bytes / 4), cloud.patch_size)
    if not np.isfinite(products).all():
        raise ValueError("X holds NaN or infinity in a patch: impute or drop such samples.")
    eigenvalues = np.linalg.eigvalsh(products / (len(cloud) - 1))[::-1]
    eigenvalues = np.maximum(eigenvalues, 0)  # rounding may leave a tiny negative one
    if eigenvalues.sum() <= (16 * np.finfo(float).eps * np.linalg.norm(mean)) ** 2:
        raise ValueError("X has patches that are all equal: without variance there is no spectrum.")
    return PatchSpectrum(eigenvalues, mean, len(cloud))


def _check_elbow(eigenvalues, share):
    fits = eigenvalues.ndim == 1 and (np.isfinite(eigenvalues) & (eigenvalues >= 0)).all()
    if not fits or not eigenvalues.any():
        raise ValueError(
            f"eigenvalues={eigenvalues} must have shape (n_components,), be finite and "
            "nonnegative, and not all be zero."
        )
    if not isinstance(share, Real) or not 0 < share <= 1:
        raise ValueError(f"share={share!r} must be above 0 and at most 1.")


def _moments(pieces, patch_size):
    """Mean (patch_size,) of all patches, and sum of products of their deviations from it."""
    count, mean, products = 0, np.zeros(patch_size), np.zeros((patch_size, patch_size))
    for patches in pieces:
        n_new, own_mean = len(patches), patches.mean(axis=0)
        patches -= own_mean  # the piece is ours: no second copy
        step = own_mean - mean
        products += patches.T @ patches
        products += np.outer(step, step) * (count * n_new / (count + n_new))
        count += n_new
        mean += step * (n_new / count)
    return mean, products
