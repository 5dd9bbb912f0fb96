"""Where signals may be: the features that a place covers, and sets of distinct places."""

from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

__all__ = ["Templates", "draw_places", "log_symmetric", "make_templates"]


@dataclass(frozen=True)
class Templates:
    """What a sample looks like without noise: patterns at places."""

    support: np.ndarray  # (n_places, length), the features that a place covers
    values: np.ndarray  # (n_patterns, n_places, length), what a pattern adds to them
    overlap: bool  # whether places share features


def make_templates(patterns, sizes, placement, places):
    """Put patterns of shape (n_patterns, length) at the given places.

    A shorter place shows the first entries of a pattern, scaled to the norm of the whole, so that
    all places are equally visible.
    """
    support, lengths = _find_supports(sizes, placement)
    support, lengths = support[places], lengths[places]
    inside = np.arange(support.shape[1]) < lengths[:, None]  # (n_places, length)
    values = np.where(inside, patterns[:, None], 0.0)  # (n_patterns, n_places, length)
    seen = np.linalg.norm(values, axis=2, keepdims=True)
    if not seen.all():
        place = np.argwhere(seen == 0)[0, 1]
        raise ValueError(
            f"signal is zero in its first {lengths[place]} entries, which are all that place "
            f"{places[place]} can show: make one of them nonzero, or its patch_size larger."
        )
    whole = np.linalg.norm(patterns[:, None], axis=2, keepdims=True)
    return Templates(support, values * (whole / seen), overlap=placement == "pixel")


def _find_supports(sizes, placement):
    """Features of every place, (n_places, length), and how many of them it has, (n_places,).

    Where a place has fewer features, its first one fills up the row.
    """
    offsets = np.arange(sizes.max())
    if placement == "pixel":
        n_features = sizes.sum()
        support = (np.arange(n_features)[:, None] + offsets) % n_features
        return support, np.full(n_features, len(offsets))
    starts = np.cumsum(sizes) - sizes
    return starts[:, None] + np.where(offsets < sizes[:, None], offsets, 0), sizes


def log_symmetric(log_terms, order):
    """Return the logarithm of an elementary symmetric polynomial: a sum over sets of places.

    The polynomial of order *r* adds, over all sets of *r* places, the product of their terms. All
    terms are positive, so that nothing cancels.

    Parameters
    ----------
    log_terms : ndarray of shape (n_samples, n_places, ...)
        Logarithms of the terms.
    order : int
        Size of the sets, at least 1.

    Returns
    -------
    log_polynomial : ndarray of shape (n_samples, ...)
    """
    if order == 1:
        return logsumexp(log_terms, axis=1)
    terms = np.moveaxis(log_terms, 1, 0)  # (n_places, n_samples, ...)
    sums = np.full((order + 1, *terms.shape[1:]), -np.inf)
    sums[0] = 0
    for term in terms:
        sums[1:] = np.logaddexp(sums[1:], sums[:-1] + term)
    return sums[order]


def draw_places(rng, prior, n_samples, n_signals):
    """Draw sets of distinct places: independent draws from the prior, given that none repeats.

    Parameters
    ----------
    rng : numpy.random.Generator
    prior : ndarray of shape (n_places,)
        Probability of each place for a single signal.
    n_samples, n_signals : int

    Returns
    -------
    places : ndarray of shape (n_samples, n_signals)
        In ascending order.
    """
    log_prior = np.log(prior)
    rest = _suffix_polynomials(log_prior, n_signals)
    uniform = rng.random((n_samples, len(prior)))
    taken = np.zeros(uniform.shape, dtype=bool)
    missing = np.full(n_samples, n_signals)
    for place, log_weight in enumerate(log_prior):
        wanted = np.maximum(missing, 1)
        log_share = log_weight + rest[place + 1, wanted - 1] - rest[place, wanted]
        taken[:, place] = (missing > 0) & (uniform[:, place] < np.exp(log_share))
        missing -= taken[:, place]
    return np.nonzero(taken)[1].reshape(n_samples, n_signals)


def _suffix_polynomials(log_terms, order):
    """Symmetric polynomials of all orders of the terms from each on, (n_places + 1, order + 1)."""
    sums = np.full((len(log_terms) + 1, order + 1), -np.inf)
    sums[:, 0] = 0
    for place in reversed(range(len(log_terms))):
        after = sums[place + 1]
        sums[place, 1:] = np.logaddexp(after[1:], after[:-1] + log_terms[place])
    return sums
