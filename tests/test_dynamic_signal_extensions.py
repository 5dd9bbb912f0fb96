"""The extensions of the Dynamic Signal Distribution: their samples and their Bayes rules."""

import pickle
from itertools import combinations, product

import numpy as np
import pytest
from scipy.stats import kurtosis, laplace, multivariate_normal, norm, t
from sklearn.base import clone

from sklcnn.datasets import DynamicSignal
from sklcnn.datasets.dynamic_signal.places import draw_places, log_symmetric
from sklcnn.theory import bayes_error

PRIOR = [0.5, 0.3, 0.0, 0.2]
MATRIX = [[1, 0.6, -0.3], [0.6, 1, 0.2], [-0.3, 0.2, 1]]

# Small enough to sum over every configuration; together they use every extension, and most pairs.
LAWS = {
    "several": {"n_patches": 4, "n_signals": 2, "noise": 0.9},
    "several-prior": {"n_patches": 4, "n_signals": 2, "location_prior": PRIOR, "noise": 0.6},
    "several-everywhere": {"n_patches": 3, "n_signals": 3, "noise": 1.2},
    "prior": {"n_patches": 4, "location_prior": PRIOR},
    "pixel": {"n_patches": 3, "placement": "pixel"},
    "pixel-prior": {"n_patches": 2, "placement": "pixel", "location_prior": [*PRIOR, 0, 0]},
    "pixel-place": {"n_patches": 3, "placement": "pixel", "location": 8, "noise": [0.8, 1, 2]},
    "unequal-noise": {"n_patches": 3, "noise": [0.3, 0.8, 1.5]},
    "unequal-noise-place": {"n_patches": 3, "noise": [0.3, 0.8, 1.5], "location": 1},
    "unequal-patches": {"n_patches": 3, "patch_size": (2, 4, 1)},
    "laplace": {"n_patches": 3, "noise_law": "laplace"},
    "laplace-pixel": {"n_patches": 3, "noise_law": "laplace", "placement": "pixel"},
    "student": {"n_patches": 3, "noise_law": "student_t", "noise": [0.5, 0.9, 0.9]},
    "rademacher": {
        "n_patches": 3,
        "patch_size": 2,
        "noise_law": "rademacher",
        "noise": 0.5,
        "signal": [1, -1],
    },
    "autoregressive": {"n_patches": 4, "correlation": 0.7},
    "correlated": {"n_patches": 3, "correlation": MATRIX, "noise": [0.5, 0.9, 0.9]},
    "correlated-place": {"n_patches": 3, "correlation": MATRIX, "location": 2},
    "label-noise": {"n_patches": 3, "label_noise": 0.2},
    "label-noise-several": {"n_patches": 3, "n_signals": 2, "label_noise": 0.1, "noise": 1.0},
    "xor": {"n_patches": 4, "task": "xor", "noise": 0.6},
    "xor-prior": {"n_patches": 4, "task": "xor", "location_prior": PRIOR, "noise": 0.5},
    "xor-laplace": {"n_patches": 3, "task": "xor", "noise_law": "laplace", "label_noise": 0.05},
    "types": {"n_patches": 3, "task": "type", "n_types": 3, "noise": 0.5},
    "types-noisy": {"n_patches": 3, "task": "type", "n_types": 3, "label_noise": 0.3, "noise": 0.5},
    "types-several": {"n_patches": 3, "task": "type", "n_signals": 2, "correlation": 0.0},
    "types-correlated": {"n_patches": 3, "task": "type", "n_types": 3, "correlation": -0.5},
    "detection": {"n_patches": 3, "task": "detection"},
    "detection-several": {"n_patches": 4, "task": "detection", "n_signals": 3},
    "detection-place": {"n_patches": 3, "task": "detection", "static": True, "noise": 0.4},
    "detection-pixel": {"n_patches": 2, "task": "detection", "placement": "pixel"},
}
every_law = pytest.mark.parametrize("name", LAWS)


def make_law(name):
    settings = {"patch_size": 3, "noise": 0.7, "random_state": 0}
    return DynamicSignal(**{**settings, **LAWS[name]})


# --- brute force: the definition, configuration by configuration ---------------------------------


def mean_of_pattern(law, pattern, place):
    """A pattern at a place, (n_features,)."""
    if law.placement == "pixel":
        rest = np.zeros((law.n_patches - 1) * law.patch_size)
        return np.roll(np.concatenate([pattern, rest]), place)
    blocks = [np.zeros(size) for size in np.broadcast_to(law.patch_size, law.n_patches)]
    shown = pattern[: len(blocks[place])]
    if shown.any():
        blocks[place] = shown * np.linalg.norm(pattern) / np.linalg.norm(shown)
    return np.concatenate(blocks)


def patterns_of_classes(law):
    """For each class, the equally probable choices of patterns, one a signal."""
    w, r = law.true_signal, law.n_signals
    if law.task == "sign":
        return [[(-w,) * r], [(w,) * r]]
    if law.task == "type":
        return [[(signal,) * r] for signal in w]
    if law.task == "detection":
        return [[(0 * w,) * r], [(w,) * r]]
    return [[(-w, w), (w, -w)], [(w, w), (-w, -w)]]


def density(law, residual):
    """Density of the noise at a residual of shape (n_samples, n_features)."""
    sizes = np.broadcast_to(law.patch_size, law.n_patches)
    scale = np.repeat(np.broadcast_to(law.noise, law.n_patches), sizes)
    if law.noise_law == "laplace":
        return laplace(scale=scale / 2**0.5).pdf(residual).prod(axis=1)
    if law.noise_law == "student_t":
        return t(5, scale=scale * 0.6**0.5).pdf(residual).prod(axis=1)
    if law.noise_law == "rademacher":
        return np.isclose(np.abs(residual), scale).all(axis=1) * 0.5 ** len(scale)
    correlation = np.eye(len(scale))
    if np.any(law.correlation):
        k = np.arange(law.n_patches)
        matrix = law.correlation
        matrix = matrix if np.ndim(matrix) else matrix ** np.abs(k[:, None] - k)
        correlation = np.kron(matrix, np.eye(sizes[0]))
    return multivariate_normal(cov=scale[:, None] * correlation * scale).pdf(residual)


def brute_posterior(law, X):
    """Posterior probabilities of the classes, (n_samples, n_classes)."""
    n_places = X.shape[1] if law.placement == "pixel" else law.n_patches
    prior = np.full(n_places, 1.0) if law.location_prior is None else law.location_prior
    if law.static or law.location is not None:
        prior = np.eye(n_places)[law.location or 0]
    likelihoods = []
    for choices in patterns_of_classes(law):
        total = 0
        for patterns in choices:
            for places in combinations(range(n_places), len(patterns)):
                pairs = zip(patterns, places, strict=True)
                mean = sum(mean_of_pattern(law, pattern, place) for pattern, place in pairs)
                total = total + np.prod(np.take(prior, places)) * density(law, X - mean)
        likelihoods.append(total / len(choices))
    clean = np.array(likelihoods).T / np.sum(likelihoods, axis=0)[:, None]
    others = law.label_noise / (clean.shape[1] - 1)
    return (1 - law.label_noise) * clean + others * (1 - clean)


@every_law
def test_predict_proba_oracle_sum_over_configurations(name):
    law = make_law(name)
    X, _ = law.sample(40, random_state=1)
    expected = brute_posterior(law, X)
    probabilities = law.predict_proba(X)
    np.testing.assert_allclose(probabilities, expected, rtol=1e-8, atol=1e-12)
    labels = np.arange(expected.shape[1]) if law.task == "type" else np.array([-1, 1])
    decided = np.ptp(expected, axis=1) > 1e-9  # ties are broken by rounding
    np.testing.assert_array_equal(law.predict(X)[decided], labels[expected.argmax(1)][decided])
    decision = law.decision_function(X)
    if expected.shape[1] == 2:
        np.testing.assert_array_equal(decision > 0, law.predict(X) == labels[1])
    else:
        np.testing.assert_allclose(decision, np.log(expected), atol=1e-8)


@every_law
def test_bayes_error_oracle_error_rate(name):
    # The two are independent: posteriors or closed forms here, labels of fresh samples there.
    law, n, n_draws = make_law(name), 10_000, 10_000
    X, y = law.sample(n, random_state=1)
    error = law.bayes_error(n_draws=n_draws)
    n_classes = law.n_types if law.task == "type" else 2
    variance = error * (1 - error) / n + error * (1 - 1 / n_classes - error) / n_draws
    assert abs(1 - law.score(X, y) - error) < 4 * variance**0.5
    assert 0.01 < error < 1 - 1 / n_classes  # else the test above says little


@every_law
def test_bayes_error_oracle_simulation(name):
    # Where there is a closed form, the posteriors must agree with it.
    law = make_law(name)
    model = law._predictive_model(law.true_signal, law.noise)
    if model.find_equivalent() is None:
        with pytest.raises(ValueError, match="method='quadrature' does not know this law"):
            law.bayes_error(method="quadrature")
        return
    clean = clone(law).set_params(label_noise=0)
    exact = clean.bayes_error(method="quadrature")
    simulated = model.simulate_bayes_error(20_000, random_state=0)
    assert abs(simulated - exact) < 4 * (exact * (0.5 - exact) / 20_000) ** 0.5


def test_bayes_error_contract_which_laws_have_a_closed_form():
    exact = {name for name in LAWS if make_law(name)._find_equivalent() is not None}
    assert exact == {
        "several-everywhere",
        "pixel-place",
        "unequal-noise-place",
        "unequal-patches",
        "correlated-place",
        "label-noise",
        "detection-place",
    }


# --- closed forms and limits ---------------------------------------------------------------------


def test_bayes_error_closed_form_known_places():
    w = np.array([1.0, 2.0, 2.0])  # norm 3
    law = DynamicSignal(5, 3, 2.0, signal=w, n_signals=5)
    assert law.bayes_error() == pytest.approx(norm.sf(3 * 5**0.5 / 2))
    law = DynamicSignal(5, 3, 2.0, signal=w, task="detection", location=4)
    assert law.bayes_error() == pytest.approx(norm.sf(3 / 4))
    law = DynamicSignal(2, 3, 2.0, signal=w, correlation=0.6, static=True)
    assert law.bayes_error() == pytest.approx(norm.sf(3 / 2 / (1 - 0.36) ** 0.5))


def test_bayes_error_closed_form_xor_at_known_places():
    law = DynamicSignal(2, 4, 0.8, task="xor", random_state=0)
    one = norm.sf(1 / 0.8)  # each sign is read alone, and both or none must be wrong
    expected = 2 * one * (1 - one)
    error = law.bayes_error(n_draws=40_000)
    assert abs(error - expected) < 4 * (expected * (0.5 - expected) / 40_000) ** 0.5


def test_bayes_error_closed_form_two_types_at_a_known_place():
    law = DynamicSignal(3, 4, 0.8, task="type", location=1, random_state=0)
    expected = norm.sf(1 / (0.8 * 2**0.5))
    error = law.bayes_error(n_draws=40_000)
    assert abs(error - expected) < 4 * (expected * (0.5 - expected) / 40_000) ** 0.5


@pytest.mark.parametrize("p", [0.0, 0.1, 0.5])
def test_bayes_error_closed_form_label_noise(p):
    law = DynamicSignal(10, 5, 0.4, label_noise=p, random_state=0)
    assert law.bayes_error() == pytest.approx(p + (1 - 2 * p) * bayes_error(10, 0.4))
    types = DynamicSignal(3, 4, 0.5, task="type", n_types=4, random_state=0)
    clean = types.bayes_error()
    expected = p + (1 - p - p / 3) * clean
    assert types.set_params(label_noise=p).bayes_error() == pytest.approx(expected)


def test_bayes_error_limit_unequal_patches_are_as_good_as_equal_ones():
    law = DynamicSignal(3, (2, 5, 9), 0.5, random_state=0)
    assert law.bayes_error() == pytest.approx(
        DynamicSignal(3, 5, 0.5, random_state=0).bayes_error()
    )


def test_decision_function_closed_form_detection():
    law = DynamicSignal(6, 4, 0.5, task="detection", random_state=0)
    X, _ = law.sample(50, random_state=1)
    scores = X.reshape(50, 6, 4) @ law.true_signal
    ratio = np.exp(scores / 0.25 - 1 / 0.5).mean(axis=1)
    np.testing.assert_allclose(law.decision_function(X), np.log(ratio), atol=1e-12)


def test_decision_function_closed_form_types():
    law = DynamicSignal(6, 4, 0.5, task="type", n_types=4, random_state=0)
    X, _ = law.sample(50, random_state=1)
    scores = X.reshape(50, 6, 4) @ law.true_signal.T
    likelihood = np.exp(scores / 0.25).sum(axis=1)
    expected = likelihood / likelihood.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(law.predict_proba(X), expected)


@pytest.mark.parametrize(
    "parameters",
    [
        {"correlation": np.eye(4)},
        {"correlation": 0},
        {"location_prior": [0.25] * 4},
        {"n_signals": 1},
        {"noise": [0.6] * 4},
        {"patch_size": (3, 3, 3, 3)},
        {"label_noise": 0},
    ],
    ids=str,
)
def test_limit_neutral_extension_is_the_law_of_the_paper(parameters):
    law = DynamicSignal(4, 3, 0.6, random_state=0)
    twin = clone(law).set_params(**parameters)
    for left, right in zip(
        law.sample(30, random_state=1, return_location=True),
        twin.sample(30, random_state=1, return_location=True),
        strict=True,
    ):
        np.testing.assert_array_equal(left, right)
    X, _ = law.sample(30, random_state=1)
    np.testing.assert_allclose(twin.decision_function(X), law.decision_function(X), atol=1e-12)
    assert twin.bayes_error() == pytest.approx(law.bayes_error(), rel=1e-9)
    assert twin.bayes_error(method="quadrature") == twin.bayes_error()


def test_limit_pixels_are_patches_of_size_one():
    law = DynamicSignal(6, 1, 0.5, signal=[2.0])
    twin = clone(law).set_params(placement="pixel")
    X, _ = law.sample(30, random_state=1)
    np.testing.assert_array_equal(twin.sample(30, random_state=1)[0], X)
    np.testing.assert_allclose(twin.decision_function(X), law.decision_function(X), atol=1e-12)


def test_limit_certain_prior_is_a_fixed_place():
    law = DynamicSignal(3, 2, 0.8, location_prior=[0, 1, 0], random_state=0)
    twin = DynamicSignal(3, 2, 0.8, location=1, random_state=0)
    X, y, location = law.sample(50, random_state=1, return_location=True)
    assert (location == 1).all()
    np.testing.assert_allclose(law.decision_function(X), twin.decision_function(X), atol=1e-12)
    assert law.bayes_error() == pytest.approx(twin.bayes_error())
    np.testing.assert_allclose(law.fit(X, y).signal_, twin.fit(X, y).signal_)
    np.testing.assert_allclose(law.predict_proba(X), twin.predict_proba(X))


def test_limit_two_opposite_types_are_a_sign():
    w = np.array([0.6, 0.8])
    types = DynamicSignal(5, 2, 0.7, task="type", signal=[-w, w], n_signals=2)
    law = DynamicSignal(5, 2, 0.7, signal=w, n_signals=2)
    X, y = law.sample(50, random_state=1)
    np.testing.assert_allclose(types.predict_proba(X), law.predict_proba(X))
    X_types, y_types = types.sample(50, random_state=1)
    np.testing.assert_array_equal(X_types, X)
    np.testing.assert_array_equal(2 * y_types - 1, y)


@pytest.mark.parametrize(
    "parameters",
    [
        {"n_signals": 3},
        {"task": "xor"},
        {"task": "type", "n_types": 3},
        {"task": "detection", "n_signals": 2},
        {"correlation": 0.5},
        {"location_prior": np.arange(20) / 190},
        {"noise_law": "laplace"},
        {"noise_law": "student_t"},
        {"noise_law": "rademacher"},
        {"placement": "pixel"},
    ],
    ids=str,
)
def test_predict_limit_tiny_noise_is_finite(parameters):
    law = DynamicSignal(20, 3, 1e-4, random_state=0, **parameters)
    X, y = law.sample(100, random_state=1)
    assert law.score(X, y) == 1
    decision = law.decision_function(X)
    assert not np.isnan(decision).any()
    assert np.isfinite(decision).all()
    np.testing.assert_allclose(law.predict_proba(X).sum(axis=1), 1)
    assert law.bayes_error(n_draws=100) < 1e-12


def test_predict_limit_label_noise_without_noise():
    law = DynamicSignal(4, 3, 0, label_noise=0.25, random_state=0)
    X, y = law.sample(100, random_state=1)
    np.testing.assert_array_equal(np.sort(law.predict_proba(X), axis=1), [[0.25, 0.75]] * 100)
    assert law.bayes_error() == 0.25
    assert 0.1 < 1 - law.score(X, y) < 0.4


def test_predict_limit_half_label_noise_knows_nothing():
    law = DynamicSignal(4, 3, 0.3, label_noise=0.5, random_state=0)
    X, _ = law.sample(20, random_state=1)
    np.testing.assert_allclose(law.predict_proba(X), 0.5)
    assert law.bayes_error() == 0.5


def test_predict_oracle_rademacher_reads_what_noise_cannot_make():
    # Noise alone is +-1/4, so that a patch off these values gives itself away.
    law = DynamicSignal(50, 4, 0.25, noise_law="rademacher", random_state=0)
    X, y = law.sample(200, random_state=1)
    assert law.score(X, y) == 1
    assert law.score(X.astype(np.float32), y) == 1  # rounding must not look impossible
    assert law.bayes_error() == 0
    assert 1 - DynamicSignal(50, 4, 0.25, random_state=0).score(X, y) > 0.01


# --- the Bayes rule against others ---------------------------------------------------------------


@pytest.mark.parametrize(
    "parameters",
    [
        {"n_signals": 3, "noise": 0.8},
        {"location_prior": np.arange(10) ** 2 / 285, "noise": 0.5},
        {"noise": np.linspace(0.1, 1, 10)},
        {"correlation": 0.9, "noise": 0.6},
        {"noise_law": "laplace", "noise": 0.5},
        {"noise_law": "student_t", "noise": 0.5},
    ],
    ids=str,
)
def test_predict_oracle_beats_the_rule_of_the_paper(parameters):
    law = DynamicSignal(**{"n_patches": 10, "patch_size": 5, "random_state": 0, **parameters})
    plain = DynamicSignal(10, 5, np.mean(law.noise), random_state=0)
    X, y = law.sample(10_000, random_state=1)
    gain = (law.predict(X) == y) * 1.0 - (plain.predict(X) == y)
    assert gain.mean() > 4 * gain.std() / 100


def test_xor_closed_form_no_linear_and_no_single_patch_cue():
    law = DynamicSignal(4, 3, 0.3, task="xor", random_state=0)
    n = 40_000
    X, y = law.sample(n, random_state=1)
    scores = X.reshape(n, 4, 3) @ law.true_signal
    assert abs(y.mean()) < 4.5 / n**0.5
    for cue in (X, scores, scores**2, np.sign(scores)):
        product_with_label = y[:, None] * (cue - cue.mean(axis=0))
        mean, deviation = product_with_label.mean(axis=0), product_with_label.std(axis=0)
        assert (np.abs(mean) < 4.5 * deviation / n**0.5).all()
    pairs = sum(scores[:, i] * scores[:, j] for i, j in combinations(range(4), 2))
    assert (np.sign(pairs) == y).mean() > 0.8  # the cue there is
    assert law.score(X, y) > 0.96


def test_xor_closed_form_half_space_is_right_three_times_of_four():
    # Uncorrelated is not independent: a sum of two marks the pairs of positive signs.
    law = DynamicSignal(4, 3, 0.01, task="xor", random_state=0)
    n = 10_000
    X, y = law.sample(n, random_state=1)
    total = (X.reshape(n, 4, 3) @ law.true_signal).sum(axis=1)
    assert abs(((total > 1) == (y > 0)).mean() - 0.75) < 4 * (0.75 * 0.25 / n) ** 0.5
    assert law.score(X, y) == 1


# --- samples -------------------------------------------------------------------------------------


@every_law
def test_sample_invariance_smaller_sample_is_a_prefix(name):
    law = make_law(name)
    for few, many in zip(
        law.sample(7, random_state=5, return_location=True),
        law.sample(50, random_state=5, return_location=True),
        strict=True,
    ):
        np.testing.assert_allclose(few, many[:7], rtol=1e-14)


@every_law
def test_sample_closed_form_residual_is_noise(name):
    # Less the signal at the returned places, what is left is noise: scaled, it has variance 1.
    law = make_law(name).set_params(label_noise=0)
    n = 10_000
    X, y, location = law.sample(n, random_state=1, return_location=True)
    silent, _ = clone(law).set_params(noise=0).sample(n, random_state=1)
    means = np.array(
        [
            [mean_of_pattern(law, pattern, place) for place in range(location.max() + 1)]
            for pattern in np.atleast_2d(law.true_signal)
        ]
    )  # (n_types, n_places, n_features)
    for row in range(20):
        at = np.atleast_1d(location[row])
        if law.task == "xor":
            signs = product([-1, 1], repeat=2)
            choices = [
                a * means[0, at[0]] + b * means[0, at[1]] for a, b in signs if a * b == y[row]
            ]
        elif law.task == "type":
            choices = [means[y[row], at].sum(axis=0)]
        elif at[0] < 0:
            assert y[row] == -1
            choices = [0 * X[row]]
        else:
            choices = [y[row] * means[0, at].sum(axis=0)]
        assert any(np.allclose(silent[row], choice) for choice in choices)
    sizes = np.broadcast_to(law.patch_size, law.n_patches)
    noise = (X - silent) / np.repeat(np.broadcast_to(law.noise, law.n_patches), sizes)
    assert (np.abs(noise.mean(axis=0)) < 4.5 / n**0.5).all()
    tails = {"gaussian": 0, "laplace": 3, "student_t": 6, "rademacher": -2}[law.noise_law]
    # Twice as wide for Student's t: the tails of its squares are heavy for a mean of 10,000.
    width = 9 if law.noise_law == "student_t" else 4.5
    bound = max(width * ((2 + tails) / n) ** 0.5, 1e-9)
    assert (np.abs((noise**2).mean(axis=0) - 1) < bound).all()


@pytest.mark.parametrize(
    ("noise_law", "excess"), [("gaussian", 0), ("laplace", 3), ("rademacher", -2)]
)
def test_sample_closed_form_tails(noise_law, excess):
    law = DynamicSignal(1, 1, 0.5, signal=[1.0], noise_law=noise_law)
    X, y = law.sample(100_000, random_state=0)
    assert kurtosis(X[:, 0] - y) == pytest.approx(excess, abs=0.3)  # 4 standard errors for laplace


def test_sample_oracle_student_t_quantiles():
    law = DynamicSignal(1, 1, 0.5, signal=[1.0], noise_law="student_t")
    X, y = law.sample(100_000, random_state=0)
    share = t(5, scale=0.5 * 0.6**0.5).cdf(X[:, 0] - y)
    assert np.abs(np.sort(share) - np.linspace(0, 1, 100_000)).max() < 2 / 100_000**0.5


@pytest.mark.parametrize("correlation", [0.7, -0.4, MATRIX])
def test_sample_closed_form_correlation(correlation):
    law = DynamicSignal(3, 2, [1, 2, 3], correlation=correlation, random_state=0)
    n = 40_000
    X, _ = law.sample(n, random_state=1)
    noise = X - clone(law).set_params(noise=0).sample(n, random_state=1)[0]
    if np.ndim(correlation) == 0:
        r = correlation
        correlation = [[1, r, r**2], [r, 1, r], [r**2, r, 1]]
    expected = np.kron(correlation, np.eye(2))
    assert (np.abs(np.corrcoef(noise.T) - expected) < 4.5 / n**0.5).all()
    np.testing.assert_allclose(noise.std(axis=0), [1, 1, 2, 2, 3, 3], rtol=0.02)


def test_sample_closed_form_label_noise():
    n = 20_000
    for law in (
        DynamicSignal(2, 3, 0.1, label_noise=0.3, random_state=0),
        DynamicSignal(2, 3, 0.1, task="type", n_types=3, label_noise=0.3, random_state=0),
    ):
        X, noisy = law.sample(n, random_state=1)
        X_clean, clean = clone(law).set_params(label_noise=0).sample(n, random_state=1)
        np.testing.assert_array_equal(X, X_clean)
        assert abs((noisy != clean).mean() - 0.3) < 4 * (0.21 / n) ** 0.5
        assert set(noisy) == set(clean)
    moved = (noisy - clean)[noisy != clean] % 3
    assert abs((moved == 1).mean() - 0.5) < 4 * 0.5 / len(moved) ** 0.5


def test_sample_closed_form_mean_of_several_signals():
    law = DynamicSignal(5, 3, 0.5, n_signals=2, random_state=0)
    n = 20_000
    X, y, location = law.sample(n, random_state=1, return_location=True)
    assert location.shape == (n, 2)
    assert (location[:, 0] < location[:, 1]).all()
    mean = (y[:, None] * X).mean(axis=0)
    assert (np.abs(mean - np.tile(law.true_signal, 5) * 2 / 5) < 4.5 * (0.5 / n) ** 0.5).all()


def test_sample_contract_shape_of_locations():
    for name in LAWS:
        law = make_law(name)
        X, y, location = law.sample(6, random_state=0, return_location=True)
        n_signals = 2 if law.task == "xor" else law.n_signals
        assert location.shape == ((6,) if n_signals == 1 else (6, n_signals))
        assert X.shape == (6, np.sum(np.broadcast_to(law.patch_size, law.n_patches)))
        assert y.shape == (6,)


@pytest.mark.parametrize("n_signals", [1, 2, 3])
def test_draw_places_oracle_sets(n_signals):
    prior, n = np.array([0.4, 0.1, 0.2, 0.3]), 40_000
    places = draw_places(np.random.default_rng(0), prior, n, n_signals)
    sets = list(combinations(range(4), n_signals))
    weights = np.array([prior[list(chosen)].prod() for chosen in sets])
    for chosen, share in zip(sets, weights / weights.sum(), strict=True):
        drawn = (places == chosen).all(axis=1).mean()
        assert abs(drawn - share) < 4.5 * (share * (1 - share) / n) ** 0.5


@pytest.mark.parametrize("order", [1, 2, 3, 6])
def test_log_symmetric_oracle_polynomial(order):
    terms = np.random.default_rng(0).exponential(size=(5, 6))
    # The coefficients of the polynomial with the roots -terms.
    expected = [np.poly(-row)[order] for row in terms]
    np.testing.assert_allclose(log_symmetric(np.log(terms), order), np.log(expected))
    shifted = log_symmetric(np.log(terms) + 1e4, order)  # far beyond the range of exp
    np.testing.assert_allclose(shifted, np.log(expected) + order * 1e4)


def test_true_signal_closed_form_types_are_orthonormal():
    signals = [
        DynamicSignal(patch_size=3, task="type", random_state=seed).true_signal
        for seed in range(300)
    ]
    np.testing.assert_allclose(signals @ np.swapaxes(signals, 1, 2), [np.eye(2)] * 300, atol=1e-12)
    assert (np.abs(np.mean(signals, axis=0)) < 4.5 / (3 * 300) ** 0.5).all()  # uniform


def test_randomness_contract_copies_agree():
    law = DynamicSignal(4, 5, 0.3, task="type", n_types=3)
    X, y = law.sample(50)
    for twin in (clone(law), pickle.loads(pickle.dumps(law))):
        np.testing.assert_array_equal(twin.true_signal, law.true_signal)
        np.testing.assert_array_equal(twin.decision_function(X), law.decision_function(X))
    assert set(y) <= {0, 1, 2}


def test_bayes_error_contract_seed():
    law = DynamicSignal(4, 3, 0.5, task="xor", random_state=0)
    assert law.bayes_error(n_draws=500) == law.bayes_error(n_draws=500, random_state=0)
    assert law.bayes_error(n_draws=500) != law.bayes_error(n_draws=500, random_state=1)
    rng = np.random.default_rng(3)
    assert law.bayes_error(n_draws=500, random_state=rng) != law.bayes_error(
        n_draws=500, random_state=rng
    )


def test_chunks_invariance(monkeypatch):
    law = DynamicSignal(4, 3, 0.5, task="xor", random_state=0)
    X, _ = law.sample(100, random_state=1)
    whole, odds = law.bayes_error(), law.decision_function(X)
    monkeypatch.setattr("sklcnn.datasets.dynamic_signal.model._CHUNK", 12 * 7)
    np.testing.assert_allclose(law.decision_function(X), odds, rtol=1e-12)
    parts = law.bayes_error(n_draws=2000)
    assert abs(parts - whole) < 4 * (whole * (0.5 - whole) * (1 / 2000 + 1 / 20_000)) ** 0.5


# --- fit -----------------------------------------------------------------------------------------


def test_fit_oracle_likelihood_with_a_prior():
    law = DynamicSignal(4, 3, 0.8, location_prior=PRIOR, random_state=0)
    X, y = law.sample(80, random_state=1)
    law.fit(X, y)

    def log_likelihood(signal, noise):
        twin = clone(law).set_params(signal=signal)
        means = [mean_of_pattern(twin, signal, place) for place in range(4)]
        densities = [
            prior * multivariate_normal(mean, noise**2).pdf(y[:, None] * X)
            for prior, mean in zip(PRIOR, means, strict=True)
        ]
        return np.log(np.sum(densities, axis=0)).mean()

    summit = log_likelihood(law.signal_, law.noise_)
    assert summit == pytest.approx(law.log_likelihood_curve_[-1], abs=1e-6)
    assert (np.diff(law.log_likelihood_curve_) > -1e-10).all()
    assert summit >= log_likelihood(law.true_signal, law.noise)
    rng = np.random.default_rng(0)
    for _ in range(20):
        moved = law.signal_ + 0.05 * rng.standard_normal(3)
        assert log_likelihood(moved, law.noise_ * np.exp(0.05 * rng.standard_normal())) <= summit
    twin = clone(law).set_params(signal=law.signal_, noise=law.noise_)
    np.testing.assert_allclose(law.predict_proba(X), twin.predict_proba(X))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"task": "xor"}, "fit does not know task='xor': it needs 'sign'"),
        ({"n_signals": 2}, "fit does not know n_signals=2"),
        ({"noise_law": "laplace"}, "fit does not know noise_law='laplace'"),
        ({"placement": "pixel"}, "fit does not know placement='pixel'"),
        ({"label_noise": 0.1}, r"fit does not know label_noise=0\.1"),
        ({"correlation": 0.1}, "fit does not know correlation"),
        ({"noise": [1, 2, 3]}, "noise must be a number"),
        ({"patch_size": (1, 1, 4)}, r"fit needs patches of one size, got patch_size=\(1, 1, 4\)"),
    ],
)
def test_fit_contract_refuses_other_extensions(parameters, message):
    law = DynamicSignal(**{"n_patches": 3, "patch_size": 2, "random_state": 0, **parameters})
    X, y = law.sample(20, random_state=1)
    with pytest.raises(ValueError, match=message):
        law.fit(X, y)
    assert law.predict(X).shape == (20,)


# --- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"task": "guess"}, "'task' parameter .* Got 'guess'"),
        ({"n_types": 1}, "'n_types' .* Got 1"),
        ({"n_signals": 0}, "'n_signals' .* Got 0"),
        ({"noise_law": "cauchy"}, "'noise_law' .* Got 'cauchy'"),
        ({"placement": "voxel"}, "'placement' .* Got 'voxel'"),
        ({"label_noise": 0.6}, r"'label_noise' .* Got 0\.6"),
        ({"correlation": 1.0}, r"'correlation' .* Got 1\.0"),
        ({"correlation": np.eye(2)}, r"correlation has shape \(2, 2\), but n_patches=3"),
        ({"correlation": np.ones((3, 3))}, "correlation is no correlation matrix"),
        ({"correlation": np.triu(np.ones((3, 3)))}, "correlation is no correlation matrix"),
        ({"noise": [1, 2]}, r"noise has shape \(2,\), but n_patches=3"),
        ({"noise": [1, 2, -3]}, "noise has an entry -3"),
        ({"patch_size": (1, 2)}, r"patch_size has shape \(2,\), but n_patches=3"),
        ({"patch_size": (1, 2, 0)}, r"patch_size=\(1, 2, 0\) must hold integers of at least 1"),
        ({"location_prior": [0.5, 0.5]}, r"location_prior has shape \(2,\), but there are 3"),
        ({"location_prior": [0.5, 0.5, 0.5]}, r"location_prior has minimum 0\.5 and sum 1\.5"),
        ({"location_prior": [1.5, -0.5, 0]}, r"location_prior has minimum -0\.5"),
        ({"location_prior": [1, 0, 0], "location": 0}, "location_prior does not go with static"),
        ({"location": 6, "placement": "pixel"}, "location=6 is no place: .* from 0 to 5"),
        ({"task": "xor", "n_signals": 2}, "n_signals=2 does not go with task='xor'"),
        ({"task": "xor", "static": True}, "task='xor' needs several places, but static"),
        ({"n_signals": 2, "location": 1}, "n_signals=2 needs several places"),
        ({"n_signals": 4}, "n_signals=4 needs 4 distinct places, but there are 3"),
        ({"n_signals": 2, "location_prior": [0, 1, 0]}, "but there are 1"),
        ({"n_signals": 2, "placement": "pixel"}, "n_signals=2 does not go with placement='pixel'"),
        ({"task": "xor", "correlation": 0.5}, r"task='xor' does not go with correlation=0\.5"),
        ({"correlation": 0.5, "noise_law": "laplace"}, "does not go with noise_law='laplace'"),
        ({"correlation": 0.5, "placement": "pixel"}, "does not go with placement='pixel'"),
        ({"correlation": 0.5, "patch_size": (1, 1, 4)}, "needs patches of one size"),
        ({"placement": "pixel", "patch_size": (1, 1, 4)}, "needs patches of one size"),
        ({"task": "type", "n_types": 3}, "n_types=3 orthonormal signals do not fit"),
        ({"task": "type", "signal": [1, 2]}, r"signal has shape \(2,\).* shape \(2, 2\)"),
        ({"task": "type", "signal": [[1, 2], [0, 0]]}, "signal is zero"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_bad_input_contract_parameters(parameters, message):
    law = DynamicSignal(**{"n_patches": 3, "patch_size": 2, **parameters})
    X, y = np.ones((4, 6)), np.array([0, 1, 0, 1])
    for use in (
        lambda: law.sample(3),
        lambda: law.predict(X),
        lambda: law.fit(X, y),
        lambda: law.bayes_error(),
    ):
        with pytest.raises(ValueError, match=message):
            use()


def test_bad_input_contract_no_noise_no_rule():
    law = DynamicSignal(3, 2, 0, task="xor", random_state=0)
    X, _ = law.sample(5, random_state=0)  # samples there are
    for use in (lambda: law.predict(X), lambda: law.bayes_error()):
        with pytest.raises(ValueError, match="noise=0 must be positive here"):
            use()


def test_bad_input_contract_signal_hidden_from_a_small_patch():
    law = DynamicSignal(2, (1, 2), signal=[0, 1])
    with pytest.raises(ValueError, match=r"signal is zero in its first 1 entries, .* place 0"):
        law.sample(3)


def test_bad_input_contract_width():
    with pytest.raises(ValueError, match=r"X has 5 features, but patch_size=\(1, 2\) adds up to 3"):
        DynamicSignal(2, (1, 2), 0.5).predict(np.ones((4, 5)))
    with pytest.raises(ValueError, match="n_draws must be at least 1, got 0"):
        DynamicSignal(task="xor").bayes_error(n_draws=0)
