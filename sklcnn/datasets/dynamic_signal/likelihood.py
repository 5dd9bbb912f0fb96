"""Maximum likelihood for a signal in noise at a hidden place, by expectation maximization (EM)."""

from dataclasses import dataclass

import numpy as np

__all__ = ["SignalEstimate", "estimate_signal"]

_MAX_ITER = 1000
_TOL = 1e-8  # gain of the log-likelihood per sample; far below what a sample can tell
_NOISE_FLOOR = 1e-6  # of the root mean square of X: without noise the likelihood has no maximum


@dataclass(frozen=True)
class SignalEstimate:
    """Where the likelihood is largest, and the way there."""

    signal: np.ndarray  # (patch_size,)
    noise: float
    log_likelihoods: np.ndarray  # (n_iter,), mean per sample, never falling


@dataclass(frozen=True)
class _Data:
    """What EM needs to know of the samples."""

    candidates: np.ndarray  # (n_samples, n_candidates, patch_size), signal with sign +1 in one each
    power: float  # mean over samples of the squared norm of all features
    n_features: int
    log_weights: np.ndarray | float = 0.0  # (n_candidates,), of the places, zero if all are alike


def estimate_signal(patches, places, log_weights=0.0):
    """Estimate signal and noise when one of the ``places`` holds signal + noise, the rest noise.

    EM climbs from several starts, and the highest summit is kept. Where only one place is allowed,
    every start is one step from the maximum, which has a closed form.

    Parameters
    ----------
    patches : ndarray of shape (n_samples, n_patches, patch_size)
        Samples multiplied by their label, so that the signal has sign +1.
    places : slice
        The patches among which the signal may be.
    log_weights : ndarray of shape (n_places,) or 0, default=0
        Logarithms of the probabilities of these places over their mean.

    Returns
    -------
    estimate : SignalEstimate
    """
    n_samples, n_patches, patch_size = patches.shape
    power = np.einsum("nkd,nkd->", patches, patches) / n_samples
    data = _Data(patches[:, places], power, n_patches * patch_size, log_weights)
    return max(
        (_climb(data, start) for start in _starts(data.candidates)),
        key=lambda estimate: estimate.log_likelihoods[-1],
    )


def _starts(candidates):
    """First guesses of the signal, each of shape (patch_size,).

    Summed over places, the mean of the candidates is an unbiased guess: the one for large noise.
    Their main axis is better while the noise is small, and with few samples the signal is found in
    the patches that stand out.
    """
    mean = candidates.mean(axis=0).sum(axis=0)  # (patch_size,)
    rows = candidates.reshape(-1, candidates.shape[-1])
    powers, axes = np.linalg.eigh(rows.T @ rows / len(candidates))
    main = axes[:, -1] * np.sqrt(powers[-1] - powers.mean())
    norms = np.square(candidates).sum(axis=-1)  # (n_samples, n_candidates)
    samples = np.argsort(norms.max(axis=1))[-3:]
    strongest = candidates[samples, norms[samples].argmax(axis=1)]  # (3, patch_size)
    return [mean, np.copysign(1, main @ mean) * main, *strongest]


def _climb(data, signal):
    """Repeat EM steps until the likelihood stands still."""
    variance = data.power / data.n_features  # as if all were noise: few places are excluded early
    floor = max(_NOISE_FLOOR**2 * variance, np.finfo(float).tiny)
    variance, log_likelihoods = max(variance, floor), []
    for _ in range(_MAX_ITER):
        value, signal, variance = _em_step(data, signal, variance, floor)
        log_likelihoods.append(value)
        if len(log_likelihoods) > 1 and value - log_likelihoods[-2] < _TOL:
            break
    return SignalEstimate(signal, float(np.sqrt(variance)), np.array(log_likelihoods))


def _em_step(data, signal, variance, floor):
    """Return the log-likelihood of the guess, and the next guess."""
    n_samples, n_places, patch_size = data.candidates.shape
    scores = data.candidates @ signal / variance + data.log_weights  # (n_samples, n_places)
    top = scores.max(axis=1, keepdims=True)
    share = np.exp(scores - top)
    total = share.sum(axis=1, keepdims=True)
    share /= total  # probability of each place given the guess

    gain = np.mean(top + np.log(total)) - np.log(n_places) - signal @ signal / (2 * variance)
    noise_only = data.power / variance + data.n_features * np.log(2 * np.pi * variance)
    signal = share.ravel() @ data.candidates.reshape(-1, patch_size) / n_samples  # (patch_size,)
    variance = max((data.power - signal @ signal) / data.n_features, floor)
    return gain - noise_only / 2, signal, variance
