"""The laws of noise: how it is drawn, and how much it speaks for a pattern at a place."""

from dataclasses import dataclass

import numpy as np

__all__ = ["NOISE_LAWS", "Noise"]

_DEGREES = 5  # of freedom of Student's t: the least integer with a finite fourth moment
_IMPOSSIBLE = 1e4  # stands for -log 0, so that samples from outside the law get an answer too
_ROUNDING = 1e-6  # relative; single precision is enough to tell the two values of a sign


def _gaussian_ratio(x, mean):
    return mean * (x - mean / 2)


def _laplace_ratio(x, mean):
    return np.sqrt(2) * (np.abs(x) - np.abs(x - mean))


def _student_t_ratio(x, mean):
    def energy(x):
        return np.log1p(x**2 / (_DEGREES - 2))  # of variance 1

    return (_DEGREES + 1) / 2 * (energy(x) - energy(x - mean))


def _rademacher_ratio(x, mean):
    def is_impossible(x):
        return np.abs(np.abs(x) - 1) > _ROUNDING * (1 + np.abs(mean))

    return _IMPOSSIBLE * (is_impossible(x) * 1.0 - is_impossible(x - mean))


# Of noise with standard deviation 1: how to draw it, and log p(x - mean) - log p(x).
NOISE_LAWS = {
    "gaussian": (lambda rng, shape: rng.standard_normal(shape), _gaussian_ratio),
    "laplace": (lambda rng, shape: rng.laplace(scale=0.5**0.5, size=shape), _laplace_ratio),
    "student_t": (
        lambda rng, shape: rng.standard_t(_DEGREES, shape) * (1 - 2 / _DEGREES) ** 0.5,
        _student_t_ratio,
    ),
    "rademacher": (lambda rng, shape: 2.0 * rng.integers(2, size=shape) - 1, _rademacher_ratio),
}


@dataclass(frozen=True)
class Noise:
    """Additive noise of one law, independent but for Gaussian noise correlated between patches.

    Correlated patches have as many features each. Feature *i* of a patch is correlated with feature
    *i* of the others.
    """

    law: str  # a key of NOISE_LAWS
    deviation: np.ndarray  # (n_features,), standard deviations
    correlation: np.ndarray | None = None  # (n_patches, n_patches)

    def draw(self, rng, n_samples):
        """Draw noise of shape (n_samples, n_features)."""
        noise = NOISE_LAWS[self.law][0](rng, (n_samples, len(self.deviation)))
        if self.correlation is not None:
            noise = _mix_patches(np.linalg.cholesky(self.correlation), noise)
        return self.deviation * noise

    def log_ratios(self, X, templates):
        """Return the log-likelihood ratios of each pattern at each place against noise alone.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
        templates : Templates
            The patterns. Where the noise is correlated, each of them must lie in one patch.

        Returns
        -------
        log_ratios : ndarray of shape (n_samples, n_places, n_patterns)
        """
        X, means = self._standardize(X), self._relative_means(templates)
        ratio = NOISE_LAWS[self.law][1]
        n_patterns, n_places, _ = means.shape
        table = np.zeros((len(X), n_places, n_patterns))
        for features, mean in zip(templates.support.T, np.moveaxis(means, 2, 0), strict=True):
            table += ratio(X[:, features, None], mean.T)  # one feature of every place at a time
        return table

    def distances(self, templates):
        """Norms of the patterns in units of the noise, of shape (n_patterns, n_places).

        For Gaussian noise, the error between a pattern and noise alone is Q(distance / 2).
        """
        return np.linalg.norm(self._relative_means(templates), axis=2)

    def _relative_means(self, templates):
        return templates.values / self._unexplained_deviation()[templates.support]

    def _standardize(self, X):
        """Divide by the deviation; of correlated noise, leave only what other patches cannot say.

        With the inverse P of the correlation, the ratio of a Gaussian pattern m in patch t is
        m (P x)_t - m^2 P_tt / 2: that of independent noise for (P x)_t / sqrt(P_tt) and a
        pattern longer by sqrt(P_tt).
        """
        X = X / self.deviation
        if self.correlation is None:
            return X
        precision = np.linalg.inv(self.correlation)
        return _mix_patches(precision / np.sqrt(np.diag(precision))[:, None], X)

    def _unexplained_deviation(self):
        """Standard deviation of a feature given all others, of shape (n_features,)."""
        if self.correlation is None:
            return self.deviation
        precision = np.diag(np.linalg.inv(self.correlation))
        return self.deviation / np.sqrt(np.repeat(precision, len(self.deviation) // len(precision)))


def _mix_patches(matrix, X):
    """Multiply the patches of X by a matrix of shape (n_patches, n_patches)."""
    return (matrix @ X.reshape(len(X), len(matrix), -1)).reshape(X.shape)
