"""Population risks of soft-threshold networks against integrals, simulation and limits."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import minimize_scalar
from scipy.stats import norm

from sklcnn.theory import (
    bayes_error,
    bayes_squared_risk,
    connected_network_risks,
    linear_error,
    oracle_error,
    oracle_squared_risk,
    oracle_threshold,
    soft_threshold_moments,
    threshold_errors,
    threshold_network_error,
    threshold_network_squared_risk,
)

N_PATCHES, PATCH_SIZE = 6, 3
SIGNAL = np.array([0.9, -0.6, 0.5])  # its length is not 1


def soft_threshold(z, threshold):
    return np.maximum(z - threshold, 0) - np.maximum(-z - threshold, 0)


def draw_filters(*shape, seed=0):
    """Filters that see the signal more or less."""
    rng = np.random.default_rng(seed)
    return 0.7 * SIGNAL + 0.4 * rng.standard_normal((*shape, PATCH_SIZE))


def draw_samples(n_samples, noise, n_patches=N_PATCHES):
    """Samples of the law with both labels, patch after patch; a plain second implementation."""
    rng = np.random.default_rng(1)
    y = rng.choice([-1, 1], n_samples)
    patches = noise * rng.standard_normal((n_samples, n_patches, PATCH_SIZE))
    patches[np.arange(n_samples), rng.integers(n_patches, size=n_samples)] += y[:, None] * SIGNAL
    return patches, y


def assert_mean(samples, expected):
    """Within four standard errors."""
    margin = 4 * samples.std() / len(samples) ** 0.5
    assert abs(samples.mean() - expected) < margin


def score(outputs, y):
    """Squared errors and zero-one errors, with half an error for 0."""
    return (y - outputs) ** 2, (1 - np.sign(y * outputs)) / 2


# --- moments -------------------------------------------------------------------------------------


@pytest.mark.parametrize("threshold", [-1.3, -0.2, 0.0, 0.4, 1.5])
@pytest.mark.parametrize(("mean", "std"), [(0.0, 0.3), (0.7, 0.2), (-1.1, 2.0)])
def test_moments_oracle_integral(mean, std, threshold):
    def moment(power):
        def integrand(z):
            return soft_threshold(z, threshold) ** power * norm.pdf(z, mean, std)

        ends = sorted([mean - 10 * std, -abs(threshold), abs(threshold), mean + 10 * std])
        return sum(quad(integrand, *pair, epsabs=1e-12)[0] for pair in pairwise(ends))

    first, second = soft_threshold_moments(mean, std, threshold)
    assert first == pytest.approx(moment(1), abs=1e-10)
    assert second == pytest.approx(moment(2), abs=1e-10)


def test_moments_limit_constant():
    mean, threshold = np.linspace(-2, 2, 9)[:, None], np.array([-1.0, 0.0, 0.5])
    value = soft_threshold(mean, threshold)
    for std in (0.0, 1e-12):
        first, second = soft_threshold_moments(mean, std, threshold)
        np.testing.assert_allclose(first, value, atol=1e-11)
        np.testing.assert_allclose(second, value**2, atol=1e-11)


def test_moments_closed_form_linear():
    mean = np.array([-1.0, 0.0, 3.0])
    first, second = soft_threshold_moments(mean, 0.5, 0.0)
    np.testing.assert_allclose(first, mean, atol=1e-15)
    np.testing.assert_allclose(second, mean**2 + 0.25)


def test_moments_limit_far_tail():
    # Twelve standard deviations: the terms of the second moment cancel, but not to below 0.
    first, second = soft_threshold_moments(0.0, 1.0, [6.0, 12.0, 40.0])
    tail, _ = quad(lambda z: 2 * (z - 6) ** 2 * norm.pdf(z), 6, 20, epsabs=0)
    assert second[0] == pytest.approx(tail, rel=1e-6)
    assert (second >= 0).all()
    assert not first.any()


def test_moments_contract():
    first, second = soft_threshold_moments([[0.0], [1.0]], 0.1, [0.1, 0.2, 0.3])
    assert first.shape == second.shape == (2, 3)
    assert np.ndim(soft_threshold_moments(0, 1, 0)[0]) == 0
    with pytest.raises(ValueError, match=r"std must be finite and at least 0, got -1"):
        soft_threshold_moments(0, -1, 0)
    with pytest.raises(ValueError, match="threshold must be finite, got nan"):
        soft_threshold_moments(0, 1, np.nan)


# --- one filter a patch --------------------------------------------------------------------------


@pytest.mark.parametrize("noise", [0.25, 0.8])
@pytest.mark.parametrize("threshold", [-0.3, 0.0, 0.3, 0.7])
def test_locally_connected_oracle_simulation(threshold, noise):
    filters = draw_filters(N_PATCHES)
    patches, y = draw_samples(100_000, noise)
    outputs = soft_threshold(np.einsum("ntd,td->nt", patches, filters), threshold).sum(axis=1)
    squared, wrong = score(outputs, y)
    assert_mean(squared, threshold_network_squared_risk(filters, threshold, SIGNAL, noise))
    assert_mean(wrong, threshold_network_error(filters, threshold, SIGNAL, noise))


@pytest.mark.parametrize("threshold", [0.2, 0.9])
def test_convolutional_oracle_simulation(threshold):
    filters = draw_filters(1)
    patches, y = draw_samples(100_000, 0.4)
    squared, wrong = score(soft_threshold(patches @ filters[0], threshold).sum(axis=1), y)
    arguments = filters, threshold, SIGNAL, 0.4
    assert_mean(squared, threshold_network_squared_risk(*arguments, n_patches=N_PATCHES))
    assert_mean(wrong, threshold_network_error(*arguments, n_patches=N_PATCHES))


@pytest.mark.parametrize("threshold", [-0.5, -0.1, 0.0, 0.2, 1.0])
def test_error_oracle_convolution_two_patches(threshold):
    # P(f < 0) + P(f = 0) / 2 given both places in turn, by an integral over the first answer.
    overlap, std = np.array([0.8, 0.3]), np.array([0.4, 0.25])

    def expected_sign(answer, mean, spread):
        # f has the sign of the second answer plus the first output; soft_threshold is monotone.
        edge = abs(threshold) if answer == 0 else 0
        limit = _inverse(-answer, threshold)
        if answer == 0 and threshold > 0:
            return norm.sf(edge, mean, spread) - norm.cdf(-edge, mean, spread)
        return 1 - 2 * norm.cdf(limit, mean, spread)

    def given(means):
        def integrand(z):
            sign = expected_sign(soft_threshold(z, threshold), means[1], std[1])
            return sign * norm.pdf(z, means[0], std[0])

        ends = [-6.0, -abs(threshold), abs(threshold), 6.0]
        return sum(quad(integrand, *pair, limit=200)[0] for pair in pairwise(ends))

    expected = (1 - (given([0.8, 0.0]) + given([0.0, 0.3])) / 2) / 2
    filters, noise = _filters_with(overlap, std)
    found = threshold_network_error(filters, threshold, [1.0, 0.0], noise)
    assert found == pytest.approx(expected, abs=1e-6 if threshold >= 0 else 1e-5)


def _inverse(output, threshold):
    """What the activation maps to a non-zero output."""
    if threshold >= 0 or abs(output) > 2 * abs(threshold):
        return output + np.sign(output) * threshold
    return output / 2


def _filters_with(overlap, std, noise=0.2):
    """Filters of two features that have these overlaps with (1, 0) and this noise."""
    return np.stack([overlap, np.sqrt((std / noise) ** 2 - overlap**2)], axis=1), noise


@pytest.mark.parametrize(("n_patches", "noise"), [(1, 0.7), (2, 0.3), (20, 0.2), (300, 1.0)])
def test_error_and_risk_closed_form_linear(n_patches, noise):
    arguments = [[1.0]], 0.0, [1.0], noise
    error = threshold_network_error(*arguments, n_patches=n_patches)
    assert error == pytest.approx(linear_error(n_patches, noise), abs=1e-7)
    risk = threshold_network_squared_risk(*arguments, n_patches=n_patches)
    assert risk == pytest.approx(n_patches * noise**2)


def test_error_closed_form_linear_filters_of_all_lengths():
    # Without a threshold f is normal, with mean c_t and the standard deviation of all the noise.
    overlap, scale = np.array([3e-3, 0.2, 1.0, -0.05]), np.array([1e-2, 0.5, 1.2, 0.1])
    filters, noise = _filters_with(overlap, 0.3 * scale, 0.3)
    expected = norm.sf(overlap / 0.3 / np.linalg.norm(scale)).mean()
    found = threshold_network_error(filters, 0.0, [1.0, 0.0], noise)
    assert found == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize("threshold", [-2.0, -0.3, 0.5, 2.0])
def test_error_closed_form_one_patch(threshold):
    below, above = norm.cdf([-max(threshold, 0), max(threshold, 0)], 1, 0.6)
    found = threshold_network_error([[1.0]], threshold, [1.0], 0.6)
    assert found == pytest.approx((below + above) / 2, abs=1e-5 if threshold < 0 else 1e-12)


def test_error_limit_no_noise():
    # Of the outputs 0.7, -0.1 and 0, with the signal in each place.
    filters = np.array([[1.0], [-0.4], [0.2]])
    assert threshold_network_error(filters, 0.3, [1.0], 0.0) == pytest.approx((0 + 1 + 0.5) / 3)
    small = threshold_network_error(filters, 0.3, [1.0], 1e-7)
    assert small == pytest.approx((0 + 1 + 0.5) / 3, abs=1e-7)
    risk = threshold_network_squared_risk(filters, 0.3, [1.0], 0.0)
    assert risk == pytest.approx((0.3**2 + 1.1**2 + 1) / 3)


def test_error_limit_large_threshold_and_no_filters():
    assert threshold_network_error([[1.0]], 50.0, [1.0], 0.3, n_patches=4) == 0.5
    assert threshold_network_error(np.zeros((4, 2)), 0.1, [1.0, 0.0], 0.3) == 0.5
    assert threshold_network_squared_risk(np.zeros((4, 2)), -0.1, [1.0, 0.0], 0.3) == 1


def test_error_limit_tiny_threshold():
    filters = draw_filters(N_PATCHES)
    linear = threshold_network_error(filters, 0.0, SIGNAL, 0.5)
    for threshold in (-1e-9, -1e-20, 1e-20, 1e-9):
        found = threshold_network_error(filters, threshold, SIGNAL, 0.5)
        assert found == pytest.approx(linear, abs=1e-7)


def test_error_invariance_finer_grid(monkeypatch):
    # Filters of very different lengths; and many patches, where large thresholds leave long tails.
    filters = draw_filters(20, N_PATCHES) * np.logspace(-2, 0, N_PATCHES)[:, None]
    threshold = np.linspace(0, 1, 20)

    def errors():
        unshared = threshold_network_error(filters, threshold, SIGNAL, 0.3)
        shared = threshold_network_error([[1.0]], threshold, [1.0], 0.3, n_patches=1000)
        return np.stack([unshared, shared])

    coarse = errors()
    for name, factor in {"_FIRST_PHASE": 0.1, "_LAST_PHASE": 4, "_PHASE_STEP": 0.4}.items():
        monkeypatch.setattr(threshold_errors, name, factor * getattr(threshold_errors, name))
    np.testing.assert_allclose(coarse, errors(), atol=2e-8, rtol=0)


@pytest.mark.parametrize("risk", [threshold_network_squared_risk, threshold_network_error])
def test_invariance_shared_filter_equals_equal_filters(risk):
    shared = draw_filters(1)
    tied = np.repeat(shared, N_PATCHES, axis=0)
    one = risk(shared, 0.3, SIGNAL, 0.4, n_patches=N_PATCHES)
    assert one == pytest.approx(risk(tied, 0.3, SIGNAL, 0.4), abs=1e-9)


@pytest.mark.parametrize("risk", [threshold_network_squared_risk, threshold_network_error])
def test_invariance_rotations_and_permutations(risk):
    rng = np.random.default_rng(3)
    rotation, _ = np.linalg.qr(rng.standard_normal((PATCH_SIZE, PATCH_SIZE)))
    filters = draw_filters(N_PATCHES)
    moved = filters[rng.permutation(N_PATCHES)] @ rotation
    before, after = risk(filters, 0.3, SIGNAL, 0.4), risk(moved, 0.3, SIGNAL @ rotation, 0.4)
    assert before == pytest.approx(after, abs=1e-9)


@pytest.mark.parametrize("risk", [threshold_network_squared_risk, threshold_network_error])
def test_contract_stacks_equal_single_networks(risk):
    filters, threshold = draw_filters(4, 3, N_PATCHES), np.array([0.0, 0.2, 0.5])
    risks = risk(filters, threshold, SIGNAL, 0.4)
    assert risks.shape == (4, 3)
    assert np.ndim(risk(filters[2, 1], 0.2, SIGNAL, 0.4)) == 0
    assert risks[2, 1] == pytest.approx(risk(filters[2, 1], 0.2, SIGNAL, 0.4), abs=1e-14)
    assert risk(filters[0, 0], threshold, SIGNAL, 0.4).shape == (3,)


@pytest.mark.parametrize("risk", [threshold_network_squared_risk, threshold_network_error])
def test_contract_bad_arguments(risk):
    filters = draw_filters(N_PATCHES)
    with pytest.raises(ValueError, match=r"filters of shape \(6, 3\) and a signal of shape \(2,\)"):
        risk(filters, 0.1, SIGNAL[:2], 0.4)
    with pytest.raises(ValueError, match="n_patches=7, but there are filters for 6"):
        risk(filters, 0.1, SIGNAL, 0.4, n_patches=7)
    with pytest.raises(ValueError, match="noise must be finite and at least 0, got -1"):
        risk(filters, 0.1, SIGNAL, -1)
    with pytest.raises(ValueError, match="filters must be finite"):
        risk(filters * np.nan, 0.1, SIGNAL, 0.4)


# --- filters over all patches --------------------------------------------------------------------


@pytest.mark.parametrize("threshold", [0.0, 0.4])
def test_connected_oracle_closed_form(threshold):
    # One filter a patch, written into a fully connected network: blocks on the diagonal.
    filters = draw_filters(N_PATCHES)
    written_out = np.zeros((N_PATCHES, N_PATCHES, PATCH_SIZE))
    written_out[np.arange(N_PATCHES), np.arange(N_PATCHES)] = filters
    found = connected_network_risks(written_out.reshape(N_PATCHES, -1), threshold, SIGNAL, 0.4)
    expected = threshold_network_squared_risk(filters, threshold, SIGNAL, 0.4)
    assert found.squared_risk == pytest.approx(expected, rel=0.02)
    error = threshold_network_error(filters, threshold, SIGNAL, 0.4)
    assert abs(found.error - error) < 4 * (error / 1e5) ** 0.5


@pytest.mark.parametrize("n_filters", [2, 30])
def test_connected_oracle_simulation(n_filters):
    # More filters than the 18 features too, where their answers are linearly dependent.
    filters = np.random.default_rng(5).standard_normal((n_filters, N_PATCHES * PATCH_SIZE))
    filters = 0.3 * filters / n_filters**0.5 + np.tile(SIGNAL, N_PATCHES) / n_filters
    patches, y = draw_samples(100_000, 0.5)
    outputs = soft_threshold(patches.reshape(len(y), -1) @ filters.T, 0.02).sum(axis=1)
    squared, wrong = score(outputs, y)
    found = connected_network_risks(filters, 0.02, SIGNAL, 0.5, random_state=1)
    # Twice the margin of one sample, as both sides are random.
    assert abs(squared.mean() - found.squared_risk) < 6 * squared.std() / 1e5**0.5
    assert abs(wrong.mean() - found.error) < 6 * wrong.std() / 1e5**0.5


def test_connected_limit_equal_units_are_linear():
    # All filters the best linear one: the answers have rank 1, and the sign is that of the sum.
    filters = np.tile(np.ones(20), (8, 1))
    _, error = connected_network_risks(filters, 0.0, [1.0], 0.3)
    assert abs(error - linear_error(20, 0.3)) < 4 * (error / 1e5) ** 0.5


def test_connected_contract():
    filters = np.random.default_rng(0).standard_normal((2, 5, 4, N_PATCHES * PATCH_SIZE))
    risks = connected_network_risks(filters, np.zeros(5), SIGNAL, 0.3, n_draws=1000)
    assert risks.squared_risk.shape == risks.error.shape == (2, 5)
    single = connected_network_risks(filters[1, 3], 0.0, SIGNAL, 0.3, n_draws=1000)
    assert single.error == risks.error[1, 3]
    other = connected_network_risks(filters, 0.0, SIGNAL, 0.3, n_draws=1000, random_state=1)
    assert (other.squared_risk != risks.squared_risk).all()
    with pytest.raises(
        ValueError, match=r"filters of shape \(4, 17\) and a signal of shape \(3,\)"
    ):
        connected_network_risks(filters[0, 0, :, 1:], 0.0, SIGNAL, 0.3)
    with pytest.raises(ValueError, match="n_draws must be an integer of at least 1, got 0"):
        connected_network_risks(filters, 0.0, SIGNAL, 0.3, n_draws=0)


# --- the oracle network --------------------------------------------------------------------------

TABLE_PATCHES = np.array([[10], [20], [30]])
TABLE_NOISES = [0.1, 0.15, 0.2, 0.25, 0.3]


def test_oracle_squared_risk_oracle_table():
    expected = [
        [0.0329, 0.0740, 0.1315, 0.2052, 0.2926],
        [0.0408, 0.0918, 0.1631, 0.2541, 0.3601],
        [0.0457, 0.1028, 0.1827, 0.2842, 0.4009],
    ]
    found = oracle_squared_risk(TABLE_PATCHES, TABLE_NOISES)
    np.testing.assert_allclose(found, expected, atol=1.1e-4)


def test_oracle_threshold_oracle_table():
    expected = [
        [0.115, 0.17, 0.23, 0.285, 0.345],
        [0.14, 0.21, 0.28, 0.35, 0.425],
        [0.155, 0.23, 0.31, 0.385, 0.475],
    ]
    found = oracle_threshold(TABLE_PATCHES, TABLE_NOISES)
    np.testing.assert_allclose(found, expected, atol=2.6e-3)  # a grid of 0.005


def test_oracle_error_oracle_table():
    expected = [[0.0020, 0.017, 0.051], [0.0036, 0.0274, 0.075], [0.0048, 0.0352, 0.093]]
    found = oracle_error(TABLE_PATCHES, TABLE_NOISES[2:])
    # From a simulation that is good to 3 %, and two digits given, which are good to another 2.5 %.
    np.testing.assert_allclose(found, expected, rtol=0.055)


@pytest.mark.parametrize(("n_patches", "noise"), [(10, 0.25), (20, 0.4)])
def test_oracle_error_oracle_simulation(n_patches, noise):
    threshold = oracle_threshold(n_patches, noise, criterion="error")
    scores = noise * np.random.default_rng(0).standard_normal((200_000, n_patches))
    scores[:, 0] += 1
    _, wrong = score(soft_threshold(scores, threshold).sum(axis=1), 1)
    assert_mean(wrong, oracle_error(n_patches, noise))


@pytest.mark.parametrize(("n_patches", "noise"), [(1, 0.8), (3, 0.2), (20, 0.5), (200, 0.15)])
def test_oracle_squared_risk_oracle_scipy(n_patches, noise):
    # Minimized over a sum of integrals instead of closed forms.
    def moment(mean, threshold, power):
        def integrand(z):
            return soft_threshold(z, threshold) ** power * norm.pdf(z, mean, noise)

        below = quad(integrand, mean - 9 * noise, -threshold, epsabs=1e-12)[0]
        return below + quad(integrand, threshold, mean + 9 * noise, epsabs=1e-12)[0]

    def risk(b):
        return 1 - 2 * moment(1, b, 1) + moment(1, b, 2) + (n_patches - 1) * moment(0, b, 2)

    best = minimize_scalar(risk, bounds=(0, 1), method="bounded", options={"xatol": 1e-6})
    assert oracle_squared_risk(n_patches, noise) == pytest.approx(best.fun, abs=1e-9)
    assert oracle_threshold(n_patches, noise) == pytest.approx(best.x, abs=1e-4)


@pytest.mark.parametrize("criterion", ["squared_risk", "error"])
def test_oracle_threshold_is_the_best_of_many(criterion):
    for n_patches, noise in [(2, 0.4), (20, 0.25), (20, 1.0), (500, 0.3)]:
        grid = np.linspace(0, 2 + 5 * noise, 60)
        arguments = [[1.0]], grid, [1.0], noise
        if criterion == "error":
            risks = threshold_network_error(*arguments, n_patches=n_patches)
            least = oracle_error(n_patches, noise)
        else:
            risks = threshold_network_squared_risk(*arguments, n_patches=n_patches)
            least = oracle_squared_risk(n_patches, noise)
        assert least <= risks.min() + 1e-9
        best = grid[risks.argmin()]
        found = oracle_threshold(n_patches, noise, criterion=criterion)
        assert abs(found - best) <= grid[1] or risks.min() - least < 1e-5


def test_oracle_limits():
    assert oracle_squared_risk(10, 0.0) == oracle_error(10, 0.0) == oracle_threshold(10, 0.0) == 0
    # One patch and little noise: no threshold is best, and the risk is that of the noise.
    assert oracle_squared_risk(1, 0.01) == pytest.approx(1e-4)
    assert oracle_error(1, 0.6) == pytest.approx(bayes_error(1, 0.6), abs=1e-8)
    assert oracle_error(2, 0.6) == pytest.approx(bayes_error(2, 0.6), abs=1e-7)  # linear too
    np.testing.assert_allclose(oracle_squared_risk(20, [3.0, 30.0, 1e4]), 1, atol=1e-4)


def test_oracle_invariance_never_better_than_bayes():
    noise = [0.15, 0.3, 0.6]
    assert (
        oracle_squared_risk(TABLE_PATCHES, noise) > bayes_squared_risk(TABLE_PATCHES, noise)
    ).all()
    error, least = oracle_error(TABLE_PATCHES, noise), bayes_error(TABLE_PATCHES, noise)
    assert (error > least - 1e-8).all()
    assert (error < linear_error(TABLE_PATCHES, noise)).all()


def test_oracle_contract_bad_arguments():
    with pytest.raises(ValueError, match="criterion must be 'squared_risk' or 'error', got 'risk'"):
        oracle_threshold(10, 0.1, criterion="risk")
    with pytest.raises(ValueError, match="n_patches must be"):
        oracle_error(0, 0.1)
