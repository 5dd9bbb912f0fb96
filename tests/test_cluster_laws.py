"""Vocabulary and cone clusters: their samples, and their Bayes rules by integrals and by sums."""

import copy
import pickle
from itertools import product

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import minimize_scalar
from scipy.special import expit, gamma, gammaln, logsumexp
from scipy.stats import chi2_contingency, chisquare, kstest, multivariate_normal, norm
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.model_selection import cross_val_score
from sklearn.utils import estimator_checks
from sklearn.utils.validation import check_is_fitted

from sklcnn.datasets import ConeClusters, Vocabulary
from sklcnn.datasets.cone_clusters import _log_radial_integral
from sklcnn.patches import random_partition

LAWS = [Vocabulary, ConeClusters]
each_law = pytest.mark.parametrize("law_class", LAWS)


# --- vocabulary: samples -------------------------------------------------------------------------


def test_vocabulary_closed_form_samples():
    n, law = 20_000, Vocabulary(5, 4, 3, 0.2, random_state=0)
    X, y = law.sample(n, random_state=1)
    np.testing.assert_allclose(np.linalg.norm(law.true_words, axis=1), 1)
    is_word = (y[:, np.newaxis] == law.true_words).all(axis=2)  # (n_samples, n_words)
    assert (is_word.sum(axis=1) == 1).all()
    assert chisquare(is_word.sum(axis=0)).pvalue > 1e-3
    patches = X[:, law.patch_indices]
    # The mean of a patch is that of the words over the number of patches, the covariance sums up.
    mean = law.true_words.mean(axis=0) / 5
    second = 0.04 * np.eye(4) + law.true_words.T @ law.true_words / 3 / 5
    for place in range(5):
        patch = patches[:, place]
        products = patch[:, :, np.newaxis] * patch[:, np.newaxis]
        for values, expected in [(patch, mean), (products, second)]:
            errors = np.abs(values.mean(axis=0) - expected) / values.std(axis=0)
            assert errors.max() < 4.5 / n**0.5


def test_vocabulary_closed_form_places_and_noise():
    # With little noise the place is where the word is.
    n, law = 20_000, Vocabulary(5, 4, 3, 0.05, random_state=0)
    X, y = law.sample(n, random_state=1)
    patches = X[:, law.patch_indices]
    place = np.einsum("njm,nm->nj", patches, y).argmax(axis=1)
    assert chisquare(np.bincount(place, minlength=5)).pvalue > 1e-3
    patches[np.arange(n), place] -= y
    assert kstest(patches.ravel()[:50_000], norm(0, 0.05).cdf).pvalue > 1e-3
    correlations = np.corrcoef(patches.reshape(n, -1), rowvar=False)[np.triu_indices(20, k=1)]
    assert np.abs(correlations).max() < 5 / n**0.5


def test_vocabulary_contract_patches_part_the_features():
    law = Vocabulary(random_state=3)
    np.testing.assert_array_equal(np.sort(law.patch_indices, axis=None), np.arange(500))
    assert law.patch_indices.shape == random_partition(500, 10).shape
    assert (law.patch_indices != Vocabulary(random_state=4).patch_indices).any()
    assert (np.diff(law.patch_indices) != 1).any()  # not blocks


def test_vocabulary_closed_form_noise_of_the_study():
    law = Vocabulary(n_patches=50, patch_size=10)
    assert law.true_noise**2 == pytest.approx(1 / 500)
    assert Vocabulary(noise=0.3).true_noise == 0.3


# --- vocabulary: the regression function ---------------------------------------------------------


def vocabulary_posterior(law, x):
    """Posterior of the words by Bayes' formula, from densities in all dimensions at once."""
    evidence = np.zeros(law.n_words)
    covariance = law.true_noise**2 * np.eye(len(x))
    for word, place in product(range(law.n_words), range(law.n_patches)):
        mean = np.zeros(len(x))
        mean[law.patch_indices[place]] = law.true_words[word]
        evidence[word] += multivariate_normal.pdf(x, mean, covariance)
    return evidence / evidence.sum()


@pytest.mark.parametrize("noise", [0.3, 0.7, 2.0])
def test_vocabulary_oracle_posterior_mean(noise):
    law = Vocabulary(3, 2, 4, noise, random_state=0)
    X, _, clean = law.sample(20, random_state=1, return_clean=True)
    expected = [vocabulary_posterior(law, x) @ law.true_words for x in X]
    np.testing.assert_allclose(law.predict(X), expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(clean, law.predict(X))


def test_vocabulary_oracle_no_perturbed_rule_is_better():
    law = Vocabulary(6, 4, 3, 0.5, random_state=0)
    X, y, clean = law.sample(20_000, random_state=1, return_clean=True)
    words = law.true_words
    nearest = words[(clean @ words.T).argmax(axis=1)]
    others = {
        "constant": np.broadcast_to(words.mean(axis=0), y.shape),
        "most probable word": nearest,
        "less noise": clone(law).set_params(noise=0.4).predict(X),
        "more noise": clone(law).set_params(noise=0.65).predict(X),
        "shrunk": 0.9 * clean + 0.1 * words.mean(axis=0),
        "stretched": 1.1 * clean - 0.1 * words.mean(axis=0),
    }
    for name, other in others.items():
        gain = np.sum((y - other) ** 2 - (y - clean) ** 2, axis=1)
        assert gain.mean() > 4 * gain.std() / len(gain) ** 0.5, name


def test_vocabulary_closed_form_error_of_one_patch_and_two_words():
    # The log-odds of two words at distance D are N(+-D^2 / 2 s^2, D^2 / s^2): one integral.
    law = Vocabulary(1, 3, 2, 0.6, random_state=1)
    square = np.sum((law.true_words[0] - law.true_words[1]) ** 2)
    mean, deviation = square / 0.72, (square / 0.36) ** 0.5

    def integrand(t):
        return norm.pdf(t, mean, deviation) * expit(t) * expit(-t)

    exact = square * quad(integrand, mean - 12 * deviation, mean + 12 * deviation)[0]
    margin = 4 * (exact * (1 - exact) / 20_000) ** 0.5
    assert law.bayes_error() == pytest.approx(exact, abs=margin)
    assert 0.1 < exact < 0.5


def test_vocabulary_oracle_error_and_variance_on_samples():
    law = Vocabulary(6, 4, 3, 0.5, random_state=0)
    _, y, clean = law.sample(20_000, random_state=5, return_clean=True)
    errors = np.sum((y - clean) ** 2, axis=1)
    margin = 4 * 2**0.5 * errors.std() / 20_000**0.5
    assert law.bayes_error() == pytest.approx(errors.mean(), abs=margin)
    deviations = np.sum((clean - law.true_words.mean(axis=0)) ** 2, axis=1)
    assert law.target_variance() == pytest.approx(deviations.mean(), abs=margin)
    total = 1 - np.sum(law.true_words.mean(axis=0) ** 2)  # of the targets
    assert law.target_variance() + law.bayes_error() == pytest.approx(total)


def test_vocabulary_limit_of_little_and_much_noise():
    law = Vocabulary(6, 4, 3, random_state=0)
    total = 1 - np.sum(law.true_words.mean(axis=0) ** 2)
    little, much = (clone(law).set_params(noise=noise) for noise in (1e-200, 1e4))
    X, y = little.sample(50, random_state=0)
    np.testing.assert_array_equal(little.predict(X), y)
    assert little.bayes_error(n_draws=1000) == 0
    assert little.target_variance(n_draws=1000) == pytest.approx(total)
    assert much.bayes_error(n_draws=1000) == pytest.approx(total, rel=1e-6)
    assert much.target_variance(n_draws=1000) == pytest.approx(0, abs=1e-6)


def test_vocabulary_limit_of_one_word():
    law = Vocabulary(4, 3, 1, 1.0, random_state=0)
    X, y = law.sample(10, random_state=0)
    np.testing.assert_allclose(law.predict(X), y)
    assert law.bayes_error(n_draws=100) == 0


def test_vocabulary_invariance_order_of_patches():
    law = Vocabulary(6, 4, 3, 0.5, random_state=0)
    X, _ = law.sample(20, random_state=1)
    shuffled = np.empty_like(X)
    shuffled[:, law.patch_indices] = X[:, law.patch_indices[[3, 5, 0, 1, 2, 4]]]
    np.testing.assert_allclose(law.predict(shuffled), law.predict(X))


def test_vocabulary_invariance_simulation_in_pieces(monkeypatch):
    law = Vocabulary(6, 4, 3, 0.5, random_state=0)
    whole = law.bayes_error(n_draws=1000)
    monkeypatch.setattr("sklcnn.datasets.vocabulary._CHUNK", 24 * 7)
    assert law.bayes_error(n_draws=1000) == pytest.approx(whole, rel=1e-12)


# --- vocabulary: fit -----------------------------------------------------------------------------


def test_vocabulary_fit_oracle_maximum_likelihood():
    law = Vocabulary(4, 3, 3, 0.6, random_state=0)
    X, y = law.sample(60, random_state=1)
    fitted = clone(law).fit(X, y)

    def cost(noise):
        total = 0.0
        for x, f in zip(X, y, strict=True):
            means = np.zeros((4, 12))
            for place, features in enumerate(law.patch_indices):
                means[place, features] = f
            total -= logsumexp(norm.logpdf(x, means, noise).sum(axis=1))
        return total

    best = minimize_scalar(cost, bounds=(0.1, 3), method="bounded", options={"xatol": 1e-8}).x
    assert fitted.noise_ == pytest.approx(best, rel=1e-6)
    np.testing.assert_array_equal(fitted.words_, law.true_words[np.lexsort(law.true_words.T[::-1])])


def test_vocabulary_fit_limit_of_many_samples():
    law = Vocabulary(6, 4, 3, 0.5, random_state=0)
    X, y = law.sample(5000, random_state=1)
    fitted = clone(law).fit(X, y)
    # Knowing the places, the relative standard error would be that of 24 * 5000 squares.
    assert fitted.noise_ == pytest.approx(0.5, rel=5 * (1 / 2 / 24 / 5000) ** 0.5)
    X, _, clean = law.sample(500, random_state=2, return_clean=True)
    np.testing.assert_allclose(fitted.predict(X), clean, atol=0.03)


def test_vocabulary_fit_contract_words_not_seen():
    law = Vocabulary(6, 4, 3, 0.2, random_state=0)
    X, y = law.sample(200, random_state=1)
    keep = (y != law.true_words[2]).any(axis=1)
    fitted = clone(law).fit(X[keep], y[keep])
    assert fitted.words_.shape == (2, 4)
    errors = np.sum((fitted.predict(X) - y) ** 2, axis=1)
    assert errors[keep].max() < errors[~keep].min()


def test_vocabulary_fit_contract_only_predictions_change():
    law = Vocabulary(6, 4, 3, 0.5, random_state=0)
    X, y = law.sample(30, random_state=1)
    before, error = law.predict(X), law.bayes_error(n_draws=100)
    assert (law.fit(X, y).predict(X) != before).any()
    np.testing.assert_array_equal(law.sample(30, random_state=1)[0], X)
    assert law.bayes_error(n_draws=100) == error


def test_vocabulary_fit_limit_without_noise():
    law = Vocabulary(4, 3, 2, 1e-200, random_state=0)
    X, y = law.sample(20, random_state=1)
    np.testing.assert_array_equal(law.fit(X, y).predict(X), y)


# --- cones: the density of a patch ---------------------------------------------------------------


def radial_integral(a, patch_size):
    """The logarithm of the integral by adaptive quadrature, scaled by the peak of the integrand."""
    power = patch_size - 1
    peak = (a + (a**2 + 4 * power) ** 0.5) / 2
    width = (1 + power / peak**2) ** -0.5

    def exponent(t):
        return power * np.log(t) + a * t - t**2 / 2

    low, high = max(peak - 40 * width, 0), peak + 40 * width
    scaled = quad(
        lambda t: np.exp(exponent(t) - exponent(peak)) if t > 0 else 0.0,
        low,
        high,
        points=[peak],
        limit=200,
        epsabs=0,
        epsrel=1e-11,
    )[0]
    return exponent(peak) + np.log(scaled)


@pytest.mark.parametrize("patch_size", [2, 3, 4, 10, 31, 200])
def test_radial_integral_oracle_adaptive_quadrature(patch_size):
    a = np.array([-300, -40, -7, -2, -0.6, -0.01, 0, 0.01, 0.6, 2, 7, 40, 300])
    expected = [radial_integral(value, patch_size) for value in a]
    # 3e-10 is the error of the rule for two features; rtol is about the rounding of a^2 / 2.
    np.testing.assert_allclose(_log_radial_integral(a, patch_size), expected, 1e-13, 1e-9)


@pytest.mark.parametrize("patch_size", [2, 3, 10, 300])
def test_radial_integral_closed_form_at_zero(patch_size):
    expected = (patch_size / 2 - 1) * np.log(2) + gammaln(patch_size / 2)
    for a in (0.0, -1e-12):
        assert _log_radial_integral(a, patch_size) == pytest.approx(expected, rel=1e-14, abs=1e-9)


def test_radial_integral_closed_form_two_features():
    a = np.linspace(-3, 5, 30)
    expected = 1 + a * norm.cdf(a) / norm.pdf(a)
    np.testing.assert_allclose(np.exp(_log_radial_integral(a, 2)), expected, rtol=1e-9)


@pytest.mark.parametrize("patch_size", [2, 10])
def test_radial_integral_limit_far_out(patch_size):
    a = 1e5
    behind = gammaln(patch_size) - patch_size * np.log(a)
    ahead = a**2 / 2 + (patch_size - 1) * np.log(a) + np.log(2 * np.pi) / 2
    assert _log_radial_integral(-a, patch_size) == pytest.approx(behind, abs=1e-7)
    assert _log_radial_integral(a, patch_size) == pytest.approx(ahead, rel=1e-14)


def cosine_density(cosine, patch_size, spread):
    """Density of the cosine of a patch with its center: that on the sphere times the circle's."""
    on_sphere = np.exp(
        _log_radial_integral(cosine / spread, patch_size)
        - patch_size / 2 * np.log(2 * np.pi)
        - 1 / (2 * spread**2)
    )
    area = 2 * np.pi ** ((patch_size - 1) / 2) / gamma((patch_size - 1) / 2)
    return area * on_sphere * (1 - cosine**2) ** ((patch_size - 3) / 2)


@pytest.mark.parametrize("patch_size", [2, 3, 10])
@pytest.mark.parametrize("spread", [0.1, 0.5, 3.0])
def test_density_closed_form_adds_up_to_one(patch_size, spread):
    def integrand(angle):
        return cosine_density(np.cos(angle), patch_size, spread) * np.sin(angle)

    assert quad(integrand, 0, np.pi, points=[spread], limit=200)[0] == pytest.approx(1, rel=1e-8)


@pytest.mark.parametrize(("patch_size", "spread"), [(2, 0.5), (3, 1.0), (10, 0.1), (10, 0.6)])
def test_density_oracle_samples(patch_size, spread):
    law = ConeClusters(4, patch_size, 2, spread, random_state=0)
    X, _, cones = law.sample(1500, random_state=1, return_cones=True)
    patches = X.reshape(-1, 4, patch_size)
    angles = np.linspace(0, np.pi, 4001)
    middle = (angles[1:] + angles[:-1]) / 2
    density = cosine_density(np.cos(middle), patch_size, spread) * np.sin(middle)
    cdf = np.concatenate([[0], np.cumsum(density) * np.diff(angles)])
    for cone, center in enumerate(law.true_centers):
        seen = np.arccos(np.clip(patches[cones == cone] @ center, -1, 1))
        assert kstest(seen, lambda angle: np.interp(angle, angles, cdf)).pvalue > 1e-3


# --- cones: samples ------------------------------------------------------------------------------


def test_cones_closed_form_samples():
    n, law = 20_000, ConeClusters(4, 3, 5, 0.2, random_state=0)
    X, y, cones = law.sample(n, random_state=1, return_cones=True)
    assert law.true_centers.shape == (6, 3)
    np.testing.assert_allclose(np.linalg.norm(law.true_centers, axis=1), 1)
    np.testing.assert_allclose(np.linalg.norm(X.reshape(n, 4, 3), axis=2), 1)
    assert ((cones != 5).sum(axis=1) == 1).all()
    np.testing.assert_array_equal(cones.min(axis=1), y)
    place = cones.argmin(axis=1)
    assert chisquare(np.bincount(y, minlength=5)).pvalue > 1e-3
    assert chisquare(np.bincount(place, minlength=4)).pvalue > 1e-3
    assert chi2_contingency(np.histogram2d(y, place, (5, 4))[0]).pvalue > 1e-3


def test_cones_closed_form_centers_are_uniform():
    centers = ConeClusters(1, 3, 5000, random_state=0).true_centers
    assert kstest(centers.ravel(), lambda height: (1 + height) / 2).pvalue > 1e-3  # Archimedes


def test_cones_contract_random_labels_of_the_same_patches():
    n, law = 20_000, ConeClusters(4, 3, 5, labels="random", random_state=0)
    X, y, cones = law.sample(n, random_state=1, return_cones=True)
    twin = clone(law).set_params(labels="signal")
    np.testing.assert_array_equal(twin.sample(n, random_state=1)[0], X)
    assert chisquare(np.bincount(y, minlength=5)).pvalue > 1e-3
    assert chi2_contingency(np.histogram2d(y, cones.min(axis=1), (5, 5))[0]).pvalue > 1e-3


def test_cones_closed_form_random_labels_cannot_be_known():
    law = ConeClusters(4, 3, 5, labels="random", random_state=0)
    X, y = law.sample(20_000, random_state=1)
    np.testing.assert_array_equal(law.predict_proba(X), 0.2)
    assert law.bayes_error() == 0.8
    assert 1 - law.score(X, y) == pytest.approx(0.8, abs=4 * 0.4 / 20_000**0.5)


# --- cones: the Bayes rule -----------------------------------------------------------------------


def cone_posterior(law, x):
    """Posterior by Bayes' formula: products of the densities of all patches, all by quadrature."""
    patches = x.reshape(law.n_patches, law.patch_size)
    log_density = np.array(
        [
            [radial_integral(z @ u / law.spread, law.patch_size) for u in law.true_centers]
            for z in patches
        ]
    )
    evidence = np.zeros(law.n_classes)
    for cone, place in product(range(law.n_classes), range(law.n_patches)):
        assignment = np.full(law.n_patches, law.n_classes)
        assignment[place] = cone
        evidence[cone] += np.exp(log_density[np.arange(law.n_patches), assignment].sum())
    return evidence / evidence.sum()


@pytest.mark.parametrize(("patch_size", "spread"), [(2, 0.4), (3, 0.7), (5, 0.3), (5, 2.0)])
def test_cones_oracle_posterior(patch_size, spread):
    law = ConeClusters(3, patch_size, 4, spread, random_state=0)
    X, _ = law.sample(15, random_state=1)
    expected = np.array([cone_posterior(law, x) for x in X])
    np.testing.assert_allclose(law.predict_proba(X), expected, rtol=1e-8)
    np.testing.assert_array_equal(law.predict(X), expected.argmax(axis=1))


def test_cones_oracle_posterior_is_calibrated():
    # Given X, y - p has mean zero: no function of X may correlate with it.
    law = ConeClusters(10, 5, 4, 0.4, random_state=0)
    X, y = law.sample(8_000, random_state=1)
    p = law.predict_proba(X)
    surprise = np.eye(4)[y] - p
    functions = [np.ones(len(X)), p[:, 0], p.max(axis=1), X[:, 3], X.max(axis=1)]
    for function in functions:
        score = surprise * function[:, np.newaxis]
        assert (np.abs(score.mean(axis=0)) < 4 * score.std(axis=0) / len(X) ** 0.5).all()


def test_cones_oracle_no_perturbed_rule_is_better():
    law = ConeClusters(10, 5, 4, 0.4, random_state=0)
    X, y = law.sample(8_000, random_state=1)
    rows = np.arange(len(y))
    best = -np.log(law.predict_proba(X)[rows, y])
    patches = X.reshape(-1, 10, 5)
    cosines = patches @ law.true_centers.T
    # As if the density of a direction were exp(cosine / s^2), the von Mises-Fisher law.
    mises = logsumexp((cosines[..., :-1] - cosines[..., -1:]) / 0.4**2, axis=1)
    nearest = np.exp(5 * cosines[..., :-1].max(axis=1))
    others = {
        "less spread": clone(law).set_params(spread=0.34).predict_proba(X),
        "more spread": clone(law).set_params(spread=0.47).predict_proba(X),
        "another law of directions": np.exp(mises),
        "no background": nearest,
        "constant": np.full((len(y), 4), 0.25),
    }
    for name, other in others.items():
        loss = -np.log((other / other.sum(axis=1, keepdims=True))[rows, y])
        gain = loss - best
        assert gain.mean() > 4 * gain.std() / len(gain) ** 0.5, name


def test_cones_closed_form_error_of_one_patch_on_the_circle():
    law = ConeClusters(1, 2, 3, 0.7, random_state=0)
    angles = np.linspace(0, 2 * np.pi, 4001)[1:]
    circle = np.column_stack([np.cos(angles), np.sin(angles)])
    a = circle @ law.true_centers[:3].T / 0.7  # the last one is of the background: there is none
    densities = (1 + a * norm.cdf(a) / norm.pdf(a)) * np.exp(-1 / (2 * 0.49)) / (2 * np.pi)
    np.testing.assert_allclose(densities.mean(axis=0) * 2 * np.pi, 1, rtol=1e-9)
    exact = 1 - densities.max(axis=1).mean() * 2 * np.pi / 3
    margin = 4 * (exact * (2 / 3 - exact) / 20_000) ** 0.5
    assert law.bayes_error() == pytest.approx(exact, abs=margin)
    assert 0.1 < exact < 0.6


def test_cones_oracle_variance_on_samples():
    # Where the posterior is calibrated, its expected square is that of the probability of y.
    law = ConeClusters(5, 5, 4, 0.4, random_state=0)
    X, y = law.sample(20_000, random_state=7)
    right = law.predict_proba(X)[np.arange(len(y)), y]
    variance = law.target_variance()
    margin = 4 * (right.var() + variance * (0.75 - variance)) ** 0.5 / 20_000**0.5
    assert variance == pytest.approx(right.mean() - 0.25, abs=margin)
    assert 0.1 < variance < 0.6
    # The excess, in squared error on one-hot labels, of frequencies over the best prediction.
    errors = np.sum((np.eye(4)[y] - law.predict_proba(X)) ** 2, axis=1)
    margin = 4 * (errors.var() + variance * (0.75 - variance)) ** 0.5 / 20_000**0.5
    assert 0.75 - variance == pytest.approx(errors.mean(), abs=margin)


def test_cones_limit_variance():
    law = ConeClusters(5, 5, 4, 1e-3, random_state=0)
    assert law.target_variance(n_draws=500) == pytest.approx(0.75)
    assert law.set_params(spread=1e3).target_variance(n_draws=500) < 1e-4
    assert law.set_params(labels="random", spread=1e-3).target_variance() == 0
    with pytest.raises(ValueError, match=r"'n_draws' .* Got 0"):
        law.target_variance(n_draws=0)


def test_vocabulary_invariance_smaller_sample_is_a_prefix():
    law = Vocabulary(6, 25, 12, 0.5, random_state=0)
    many = law.sample(1024, random_state=1, return_clean=True)
    for n_samples in (1, 37, 50, 512):
        few = law.sample(n_samples, random_state=1, return_clean=True)
        for one, other in zip(few, many, strict=True):
            np.testing.assert_array_equal(one, other[:n_samples])


def test_cones_oracle_error_on_samples():
    law = ConeClusters(5, 5, 4, 0.4, random_state=0)
    X, y = law.sample(20_000, random_state=7)
    error = law.bayes_error()
    assert 1 - law.score(X, y) == pytest.approx(error, abs=4 * (2 * error / 20_000) ** 0.5)
    assert 0.1 < error < 0.5


def test_cones_limit_of_narrow_and_wide():
    law = ConeClusters(5, 4, 3, random_state=0)
    narrow, wide = (clone(law).set_params(spread=spread) for spread in (1e-5, 1e4))
    X, y = narrow.sample(200, random_state=0)
    np.testing.assert_array_equal(narrow.predict(X), y)
    assert narrow.bayes_error(n_draws=1000) < 1e-12
    assert wide.bayes_error(n_draws=1000) == pytest.approx(2 / 3, abs=1e-3)


def test_cones_limit_of_large_patches():
    law = ConeClusters(3, 400, 2, 0.1, random_state=0)
    X, y = law.sample(50, random_state=1)
    assert np.isfinite(law.predict_proba(X)).all()
    np.testing.assert_array_equal(law.predict(X), y)


def test_cones_invariance_order_and_length_of_patches():
    law = ConeClusters(6, 4, 3, 0.5, random_state=0)
    X, _ = law.sample(20, random_state=1)
    p = law.predict_proba(X)
    shuffled = X.reshape(20, 6, 4)[:, [3, 5, 0, 1, 2, 4]].reshape(20, 24)
    np.testing.assert_allclose(law.predict_proba(shuffled), p)
    np.testing.assert_allclose(law.predict_proba(X * np.repeat([1, 2, 3, 1, 0.1, 9], 4)), p)
    np.testing.assert_allclose(law.predict_proba(np.zeros((1, 24))), 1 / 3)


def test_cones_invariance_computation_in_pieces(monkeypatch):
    law = ConeClusters(6, 4, 3, 0.5, random_state=0)
    X, _ = law.sample(100, random_state=1)
    error, p = law.bayes_error(n_draws=1000), law.predict_proba(X)
    monkeypatch.setattr("sklcnn.datasets.cone_clusters._CHUNK", 24 * 7)
    assert law.bayes_error(n_draws=1000) == pytest.approx(error, rel=1e-12)
    np.testing.assert_allclose(law.predict_proba(X), p)


def test_cones_fit_contract_learns_nothing():
    law = ConeClusters(6, 4, 3, 0.5, random_state=0)
    X, y = law.sample(50, random_state=1)
    before = law.predict_proba(X)
    np.testing.assert_array_equal(law.fit(X, y).predict_proba(X), before)


# --- both: randomness ----------------------------------------------------------------------------


def constants(law):
    if isinstance(law, Vocabulary):
        return [law.true_words, law.patch_indices]
    return [law.true_centers]


@each_law
def test_sample_invariance_smaller_sample_is_a_prefix(law_class):
    law = law_class(4, 3, random_state=0)
    few, many = (law.sample(n, random_state=5) for n in (13, 100))
    for short, long in zip(few, many, strict=True):
        np.testing.assert_array_equal(short, long[:13])


@each_law
def test_random_state_contract_same_seed_same_data(law_class):
    law, twin, other = (law_class(4, 3, random_state=seed) for seed in (7, 7, 8))
    for ours, theirs in zip(constants(law), constants(twin), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert (constants(law)[0] != constants(other)[0]).all()
    X, again = law.sample(20, random_state=7)[0], twin.sample(20, random_state=7)[0]
    np.testing.assert_array_equal(X, again)
    assert (law.sample(20, random_state=8)[0] != X).all()
    assert (law.sample(20)[0] != law.sample(20)[0]).all()
    assert law.bayes_error(n_draws=50) == twin.bayes_error(n_draws=50)


@each_law
@pytest.mark.parametrize("make_state", [lambda: None, lambda: np.random.RandomState(0)])
def test_random_state_contract_law_agrees_with_itself(law_class, make_state):
    law = law_class(4, 3, random_state=make_state())
    X, _ = law.sample(20, random_state=law.random_state)
    expected = law.predict(X)
    for twin in (law, clone(law), copy.deepcopy(law), pickle.loads(pickle.dumps(law))):
        np.testing.assert_array_equal(twin.predict(X), expected)


@each_law
def test_random_state_contract_global_state_untouched(law_class):
    before = np.random.get_state()
    law = law_class(4, 3)
    law.fit(*law.sample(30)).predict(law.sample(3)[0])
    law.bayes_error(n_draws=100)
    after = np.random.get_state()
    assert before[2:] == after[2:]
    np.testing.assert_array_equal(before[1], after[1])


# --- both: scikit-learn --------------------------------------------------------------------------

# Those of scikit-learn's checks that bring no data; the others have numbers of features of theirs.
CHECKS = [
    estimator_checks.check_estimator_cloneable,
    estimator_checks.check_estimator_repr,
    estimator_checks.check_estimator_tags_renamed,
    estimator_checks.check_get_params_invariance,
    estimator_checks.check_mixin_order,
    estimator_checks.check_no_attributes_set_in_init,
    estimator_checks.check_parameters_default_constructible,
    estimator_checks.check_set_params,
    estimator_checks.check_valid_tag_types,
]


@each_law
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_sklearn_contract_checks(law_class, check):
    check(law_class.__name__, law_class())


def test_sklearn_contract_model_selection():
    cones = ConeClusters(6, 4, 3, 0.3, random_state=0)
    X, y = cones.sample(300, random_state=1)
    assert is_classifier(cones)
    assert cross_val_score(cones, X, y).mean() == pytest.approx(cones.score(X, y))
    vocabulary = Vocabulary(6, 4, 3, random_state=0)
    X, y = vocabulary.sample(300, random_state=1)
    assert is_regressor(vocabulary)
    scores = cross_val_score(vocabulary, X, y)
    assert scores.mean() == pytest.approx(vocabulary.score(X, y), abs=0.05)
    for law in (cones, vocabulary):
        check_is_fitted(law)  # needs no fit


# --- both: bad input -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("law", "message"),
    [
        (Vocabulary(n_patches=0), r"'n_patches' .* in the range \[1, inf\). Got 0"),
        (Vocabulary(patch_size=1), r"'patch_size' .* in the range \[2, inf\). Got 1"),
        (Vocabulary(n_words=0), r"'n_words' .* in the range \[1, inf\). Got 0"),
        (Vocabulary(noise=0.0), r"'noise' .* in the range \(0\.0, inf\).* Got 0"),
        (ConeClusters(patch_size=1), r"'patch_size' .* in the range \[2, inf\). Got 1"),
        (ConeClusters(n_classes=1), r"'n_classes' .* in the range \[2, inf\). Got 1"),
        (ConeClusters(spread=0.0), r"'spread' .* in the range \(0\.0, inf\). Got 0"),
        (ConeClusters(labels="none"), r"'labels' .* Got 'none'"),
    ],
)
def test_bad_input_contract_parameters(law, message):
    X = np.ones((4, 500))
    for use in (
        lambda: law.sample(3),
        lambda: law.predict(X),
        lambda: law.fit(X, np.arange(4)),
        lambda: law.bayes_error(),
    ):
        with pytest.raises(ValueError, match=message):
            use()


@each_law
def test_bad_input_contract_data(law_class):
    law, name = law_class(4, 3), law_class.__name__
    with pytest.raises(ValueError, match="X has 7 features, but"):
        law.predict(np.ones((4, 7)))
    with pytest.raises(ValueError, match="contains NaN"):
        law.predict(np.full((4, 12), np.nan))
    with pytest.raises(ValueError, match=rf"'n_samples' parameter of {name}\.sample"):
        law.sample(0)
    with pytest.raises(ValueError, match=rf"'method' parameter of {name}\.bayes_error .* 'guess'"):
        law.bayes_error(method="guess")
    with pytest.raises(ValueError, match=rf"'n_draws' parameter of {name}\.bayes_error"):
        law.bayes_error(n_draws=0)


def test_bad_input_contract_targets():
    law = Vocabulary(4, 3, 2, random_state=0)
    X, y = law.sample(30, random_state=1)
    with pytest.raises(ValueError, match=r"y has shape \(30,\).* must have shape \(n_samples, 3\)"):
        law.fit(X, y[:, 0])
    with pytest.raises(ValueError, match=r"y has 30 distinct rows, but the law has n_words=2"):
        law.fit(X, y + np.arange(30)[:, np.newaxis])
    law = ConeClusters(4, 3, 2, random_state=0)
    X, y = law.sample(30, random_state=1)
    with pytest.raises(ValueError, match=r"y has the labels \[1, 2\], .* 0 to n_classes - 1 = 1"):
        law.fit(X, y + 1)
