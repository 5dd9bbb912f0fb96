"""The law of a signal of few frequencies: its spectrum, its rule, and exact errors of others."""

import copy
import pickle

import numpy as np
import pytest
from scipy.stats import chisquare, kstest, multivariate_normal, norm, uniform
from sklearn.base import clone, is_classifier
from sklearn.model_selection import cross_val_score

from sklcnn import LinearNetworkClassifier
from sklcnn.datasets import RotatedLaw, SparseSpectrum
from sklcnn.theory import bayes_error

LAWS = [
    SparseSpectrum(random_state=0),
    SparseSpectrum((9,), 4, 3.0, 1.5, random_state=1),
    SparseSpectrum((4, 6), 3, 2.0, random_state=2),
    SparseSpectrum([5, 3], 7, random_state=3),
    SparseSpectrum((1, 8), 3, 2.0, random_state=4),
]
each_law = pytest.mark.parametrize("law", LAWS, ids=repr)


# --- the signal ----------------------------------------------------------------------------------


@each_law
def test_signal_oracle_spectrum_has_the_frequencies_and_no_other(law):
    spectrum = np.abs(np.fft.fftn(law.signal.reshape(law.input_shape), norm="ortho"))
    places = law.frequencies.reshape(law.n_frequencies, -1)
    stated = {tuple(place) for place in places.tolist()}
    negatives = {tuple(place) for place in (-places % law.input_shape).tolist()}
    assert len(stated) == law.n_frequencies
    assert not stated & negatives
    alive = spectrum > 1e-12
    assert {tuple(place) for place in np.argwhere(alive).tolist()} == stated | negatives
    amplitude = law.signal_norm / (2 * law.n_frequencies) ** 0.5
    np.testing.assert_allclose(spectrum[alive], amplitude, rtol=1e-12)


@each_law
def test_signal_closed_form_norm(law):
    assert law.signal.shape == (np.prod(law.input_shape),)
    assert np.linalg.norm(law.signal) == pytest.approx(law.signal_norm, rel=1e-13)
    doubled = clone(law).set_params(signal_norm=2 * law.signal_norm)
    np.testing.assert_allclose(doubled.signal, 2 * law.signal, rtol=1e-13)


@each_law
def test_frequencies_contract_sorted_halves(law):
    assert law.frequencies.dtype.kind == "i"
    n_axes = len(law.input_shape)
    shape = (law.n_frequencies,) if n_axes == 1 else (law.n_frequencies, 2)
    assert law.frequencies.shape == shape
    places = law.frequencies.reshape(law.n_frequencies, n_axes).tolist()
    assert places == sorted(places)
    negatives = (-np.array(places) % law.input_shape).tolist()
    assert all(place < negative for place, negative in zip(places, negatives, strict=True))


def test_frequencies_closed_form_all_pairs_of_small_inputs():
    # Counted by hand: without the constant and the Nyquist frequency, and one of each pair.
    np.testing.assert_array_equal(SparseSpectrum((8,), 3).frequencies, [1, 2, 3])
    np.testing.assert_array_equal(SparseSpectrum((7,), 3).frequencies, [1, 2, 3])
    np.testing.assert_array_equal(SparseSpectrum((2, 4), 2).frequencies, [[0, 1], [1, 1]])
    np.testing.assert_array_equal(
        SparseSpectrum((3, 3), 4).frequencies, [[0, 1], [1, 0], [1, 1], [1, 2]]
    )


def test_random_state_closed_form_frequencies_and_phases_are_uniform():
    laws = [SparseSpectrum((16,), random_state=seed) for seed in range(400)]
    counts = np.bincount(np.ravel([law.frequencies for law in laws]), minlength=8)
    assert counts[0] == 0
    assert chisquare(counts[1:]).pvalue > 1e-3
    spectra = np.array([np.fft.rfft(law.signal)[law.frequencies] for law in laws])
    turns = np.angle(spectra) / (2 * np.pi) % 1  # (n_laws, 2)
    assert kstest(turns[:, 0], uniform.cdf).pvalue > 1e-3
    assert kstest((turns[:, 1] - turns[:, 0]) % 1, uniform.cdf).pvalue > 1e-3


# --- samples and their rule ----------------------------------------------------------------------


@each_law
def test_sample_closed_form_noise_is_standard_normal(law):
    X, y = law.sample(400, random_state=1)
    noise = (X - np.outer(y, law.signal)) / law.noise
    assert kstest(noise.ravel(), norm.cdf).pvalue > 1e-3
    n_features = X.shape[1]
    covariance = noise.T @ noise / len(X) - np.eye(n_features)
    assert np.abs(covariance).max() < 6 * (2 / len(X)) ** 0.5  # six standard errors of a variance
    assert set(y) == {-1, 1}
    assert abs(y.mean()) < 4 / len(y) ** 0.5


@each_law
def test_decision_function_oracle_two_normal_densities(law):
    X, _ = law.sample(50, random_state=1)
    log_positive, log_negative = (
        multivariate_normal(sign * law.signal, law.noise**2).logpdf(X) for sign in (1, -1)
    )
    log_odds = log_positive - log_negative
    np.testing.assert_allclose(law.decision_function(X), log_odds, rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(law.predict(X), np.where(log_odds > 0, 1, -1))
    proba = np.exp(np.column_stack([log_negative, log_positive]))
    proba /= proba.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(law.predict_proba(X), proba, rtol=1e-8, atol=1e-12)


@each_law
def test_bayes_error_oracle_dynamic_signal_without_places(law):
    # One patch of one place, which is known: the same two normal densities in other coordinates.
    expected = bayes_error(1, law.noise / law.signal_norm)
    assert law.bayes_error() == pytest.approx(expected, rel=1e-10)
    assert expected == pytest.approx(norm.sf(law.signal_norm / law.noise), rel=1e-10)


@each_law
def test_bayes_error_oracle_simulation(law):
    n, error = 20_000, law.bayes_error()
    X, y = law.sample(n, random_state=5)
    assert abs(1 - law.score(X, y) - error) < 4 * (error * (1 - error) / n) ** 0.5
    doubt = law.predict_proba(X).min(axis=1)  # a second formula: the mean posterior of the loser
    assert abs(doubt.mean() - error) < 4 * doubt.std() / n**0.5


# --- exact errors of linear predictors -----------------------------------------------------------


def some_predictors(law, n_predictors=6):
    """Signals with noise: from the best rule to a guess, (n_predictors, n_features)."""
    noise = np.random.default_rng(0).standard_normal((n_predictors, len(law.signal)))
    size = np.linspace(0, 1, n_predictors)[:, None] * law.signal_norm
    return (1 - size / size.max()) * law.signal + size * noise


@each_law
def test_test_error_oracle_simulation(law):
    n, predictors = 20_000, some_predictors(law)
    X, y = law.sample(n, random_state=6)
    wrong = (y[:, None] * (X @ predictors.T) <= 0).mean(axis=0)
    errors = law.test_error(predictors)
    assert errors.shape == (6,)
    assert (np.abs(wrong - errors) < 4 * (errors * (1 - errors) / n) ** 0.5).all()
    assert np.ptp(errors) > 0.1


@each_law
def test_test_error_closed_form_normal_score(law):
    for coef in some_predictors(law):
        score = norm(loc=law.signal @ coef, scale=law.noise * np.sqrt(coef @ coef))
        assert law.test_error(coef) == pytest.approx(score.cdf(0), rel=1e-9)


@each_law
def test_test_error_oracle_none_is_below_the_bayes_error(law):
    rng, best = np.random.default_rng(1), law.bayes_error()
    for size in (1e-3, 0.1, 10):
        others = law.signal + size * rng.standard_normal((200, len(law.signal)))
        assert (law.test_error(others) > best).all()
    assert law.test_error(law.signal) == best


def test_test_error_invariance_scale_and_sign():
    law = LAWS[1]
    coef = np.random.default_rng(2).standard_normal(9)
    for scale in (1e-250, 1e-3, 1e250):
        assert law.test_error(scale * coef) == pytest.approx(law.test_error(coef), rel=1e-12)
    assert law.test_error(-coef) == pytest.approx(1 - law.test_error(coef), rel=1e-12)
    assert law.test_error(np.zeros(9)) == 0.5


def test_test_error_contract_rows_one_by_one():
    law = LAWS[2]
    predictors = some_predictors(law)
    errors = law.test_error(predictors)
    np.testing.assert_allclose(errors, [law.test_error(row) for row in predictors], rtol=1e-12)
    assert isinstance(law.test_error(predictors[0]), float)
    X, y = law.sample(10, random_state=0)
    network = LinearNetworkClassifier("full", 1, max_iter=50, random_state=0).fit(X, y)
    assert law.test_error(network.coef_).shape == (1,)
    assert law.test_error(network.coef_)[0] == law.test_error(network.direction_[-1])


def test_noise_limit_none():
    law = SparseSpectrum((16,), noise=0.0, random_state=0)
    X, y = law.sample(20, random_state=0)
    np.testing.assert_array_equal(X, np.outer(y, law.signal))
    np.testing.assert_array_equal(law.decision_function(X), y * np.inf)
    assert law.score(X, y) == 1
    assert law.bayes_error() == 0
    errors = law.test_error([law.signal, -law.signal, np.zeros(16)])
    np.testing.assert_array_equal(errors, [0, 1, 0.5])


def test_noise_limit_nothing_to_learn_in_much_of_it():
    assert SparseSpectrum(noise=1e9, random_state=0).bayes_error() == pytest.approx(0.5, abs=1e-8)


def test_test_error_limit_mean_of_many_samples():
    law = LAWS[0]
    X, y = law.sample(100_000, random_state=0)
    assert law.test_error(y @ X) == pytest.approx(law.bayes_error(), rel=1e-2)
    X, y = law.sample(8, random_state=0)
    assert law.test_error(y @ X) > 2 * law.bayes_error()


# --- randomness and scikit-learn -----------------------------------------------------------------


@each_law
def test_sample_invariance_smaller_sample_is_a_prefix(law):
    few, many = law.sample(13, random_state=5), law.sample(60, random_state=5)
    np.testing.assert_array_equal(few[0], many[0][:13])
    np.testing.assert_array_equal(few[1], many[1][:13])


@pytest.mark.parametrize("make_state", [lambda: None, lambda: np.random.RandomState(0)])
def test_random_state_contract_law_agrees_with_itself(make_state):
    law = SparseSpectrum(random_state=make_state())
    signal, frequencies = law.signal, law.frequencies
    law.sample(5, random_state=law.random_state)  # a shared RandomState advances here
    for twin in (law, clone(law), copy.deepcopy(law), pickle.loads(pickle.dumps(law))):
        np.testing.assert_array_equal(twin.signal, signal)
        np.testing.assert_array_equal(twin.frequencies, frequencies)


def test_random_state_contract_seeds():
    same, again, other = (SparseSpectrum(random_state=seed).signal for seed in (3, 3, 4))
    np.testing.assert_array_equal(same, again)
    assert (same != other).any()
    law = SparseSpectrum(random_state=0)
    X, _ = law.sample(40, random_state=4)
    np.testing.assert_array_equal(law.sample(40, random_state=4)[0], X)
    assert (law.sample(40, random_state=6)[0] != X).any()
    assert (law.sample(40)[0] != law.sample(40)[0]).any()
    before = np.random.get_state()
    clone(law).sample(40)
    np.testing.assert_array_equal(before[1], np.random.get_state()[1])


def test_random_state_contract_signal_is_a_copy():
    law = SparseSpectrum(random_state=0)
    before = law.signal
    law.signal[:] = 0
    np.testing.assert_array_equal(law.signal, before)


@each_law
def test_sklearn_contract_fit_learns_nothing(law):
    law = clone(law)
    X, y = law.sample(90, random_state=1)
    before = law.decision_function(X)
    assert law.fit(X, y) is law
    assert law.n_features_in_ == X.shape[1]
    np.testing.assert_array_equal(law.decision_function(X), before)
    np.testing.assert_array_equal(law.sample(90, random_state=1)[0], X)
    assert is_classifier(law)
    assert repr(clone(law)) == repr(law)
    np.testing.assert_array_equal(law.classes_, [-1, 1])
    assert cross_val_score(law, X, y, cv=3).mean() > 0.8


def test_rotation_invariance_error_stays():
    law = SparseSpectrum((16,), random_state=0)
    rotated = RotatedLaw(law, random_state=1)
    X, y = rotated.sample(2000, random_state=2)
    assert rotated.bayes_error() == law.bayes_error()
    plain, labels = law.sample(2000, random_state=2)
    np.testing.assert_array_equal(y, labels)
    assert rotated.score(X, y) == law.score(plain, labels)


# --- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("law", "message"),
    [
        (SparseSpectrum((4,), 2), r"n_frequencies=2 .* input_shape=\(4,\), which has 1 of them"),
        (SparseSpectrum((2, 2), 1), r"n_frequencies=1 .* input_shape=\(2, 2\), which has 0"),
        (SparseSpectrum((3, 3), 5), r"n_frequencies=5 .* which has 4 of them: take fewer"),
        (SparseSpectrum(n_frequencies=0), "'n_frequencies' .* Got 0"),
        (SparseSpectrum(n_frequencies=1.5), r"'n_frequencies' .* Got 1\.5"),
        (SparseSpectrum(signal_norm=0), "'signal_norm' .* Got 0"),
        (SparseSpectrum(signal_norm=np.inf), "'signal_norm' .* Got inf"),
        (SparseSpectrum(noise=-1.0), r"'noise' .* Got -1\.0"),
        (SparseSpectrum(noise=np.nan), "'noise' .* Got nan"),
        (SparseSpectrum(64), "'input_shape' parameter of SparseSpectrum .* Got 64"),
        (SparseSpectrum(()), r"input_shape=\(\) must be \(length,\) or \(height, width\)"),
        (SparseSpectrum((3, 8, 8)), r"input_shape=\(3, 8, 8\) must be"),
        (SparseSpectrum((8, 0)), r"input_shape=\(8, 0\) must be .* positive whole numbers"),
        (SparseSpectrum((8.0,)), r"input_shape=\(8\.0,\) must be"),
        (SparseSpectrum(random_state="seed"), "'random_state' .* Got 'seed'"),
    ],
)
def test_bad_input_contract_parameters(law, message):
    X, y = np.ones((4, 64)), np.array([-1, 1, -1, 1])
    for use in (
        lambda: law.sample(3),
        lambda: law.predict(X),
        lambda: law.fit(X, y),
        lambda: law.signal,
        lambda: law.frequencies,
        lambda: law.bayes_error(),
        lambda: law.test_error(np.ones(64)),
    ):
        with pytest.raises(ValueError, match=message):
            use()


def test_bad_input_contract_coefficients():
    law = SparseSpectrum((8,), random_state=0)
    message = r"coef must have shape \(8,\) or \(n_predictors, 8\), got \(7,\)"
    with pytest.raises(ValueError, match=message):
        law.test_error(np.ones(7))
    with pytest.raises(ValueError, match=r"coef .* got \(8, 1\)"):
        law.test_error(np.ones((8, 1)))
    with pytest.raises(ValueError, match="Input coef contains NaN"):
        law.test_error([np.nan] * 8)
    with pytest.raises(ValueError, match="dim 3"):
        law.test_error(np.ones((1, 1, 8)))


def test_bad_input_contract_data():
    law = SparseSpectrum((8,), random_state=0)
    X, _ = law.sample(5, random_state=0)
    with pytest.raises(ValueError, match=r"X has 7 features, but samples of Sparse.* have 8"):
        law.predict(X[:, :7])
    with pytest.raises(ValueError, match=r"y has the labels \[0, 1\], but .* are -1 and \+1"):
        law.fit(X, [0, 1, 1, 0, 1])
    with pytest.raises(ValueError, match=r"'n_samples' parameter of \w+\.sample .* Got 0"):
        law.sample(0)
