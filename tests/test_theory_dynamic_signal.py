"""The best rules of the Dynamic Signal Distribution against integrals, simulation and tables."""

from fractions import Fraction

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import expit
from scipy.stats import norm

from sklcnn.theory import (
    bayes_error,
    bayes_squared_risk,
    dynamic_signal,
    linear_squared_risk,
    log_odds,
)

NOISES = [0.02, 0.05, 0.0556, 0.1, 0.2, 0.35, 0.6, 0.7, 1.0, 3.0, 100.0]


# --- Bayes error ---------------------------------------------------------------------------------


@pytest.mark.parametrize("noise", NOISES)
def test_bayes_error_closed_form_one_and_two_patches(noise):
    # Two patches: arsinh(sinh(u)) = u, so that the simulation's expectation is a normal tail.
    np.testing.assert_allclose(bayes_error(1, noise), norm.sf(1 / noise), rtol=1e-12)
    np.testing.assert_allclose(bayes_error(2, noise), norm.sf(1 / noise / 2**0.5), rtol=1e-10)


@pytest.mark.parametrize("noise", [0.06, 0.1, 0.2, 0.5, 0.7, 1.0, 2.0, 10.0])
def test_bayes_error_oracle_double_integral(noise):
    # Three patches: E Q(a + arsinh(S)/a) over two normal variables, S the sum of their two sinh.
    # In sum and difference, S = 2 sinh(a s / sqrt 2) cosh(a d / sqrt 2) jumps at s = 0 alone.
    a = 1 / noise
    nodes, weights = np.polynomial.legendre.leggauss(400)
    s, d = 7 * (nodes + 1), np.arange(-25, 25, 0.02)  # the normal law beyond 14 is nothing
    log_sinh = np.log(2 * np.sinh(a * s / 2**0.5))[:, None] + np.log(np.cosh(a * d / 2**0.5))
    arsinh = np.where(
        log_sinh > 30, log_sinh + np.log(2), np.arcsinh(np.exp(log_sinh.clip(None, 30)))
    )
    both_signs = norm.sf(a + arsinh / a) + norm.sf(a - arsinh / a)
    expected = (7 * weights * norm.pdf(s)) @ both_signs @ (0.02 * norm.pdf(d))
    np.testing.assert_allclose(bayes_error(3, noise), expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("n_patches", "noise", "expected"),
    [
        (10, 0.5, 0.211846),
        (20, 0.5, 0.264641),
        (20, 1.0, 0.406667),
        (100, 1.0, 0.457182),
        (20, 0.4, 0.180306),
        (1, 1.0, 0.158655),
    ],
)
def test_bayes_error_oracle_plain_quadrature(n_patches, noise, expected):
    # Six digits of an integral over cos(tau sinh(a g)) on the real line, without rotation.
    assert bayes_error(n_patches, noise) == pytest.approx(expected, abs=1e-6)


def test_bayes_error_oracle_table():
    # Rows n_patches, columns noise; the digits given, from quadrature, importance sampling (1 %)
    # and, for a thousand patches, from plain simulation (2 %).
    noise = [0.1, 0.2, 0.25, 0.3, 0.4, 0.5, 1.0]
    table = {
        1: [7.6e-24, 2.9e-7, 3.2e-5, 4.3e-4, 0.0062, 0.0228, 0.1587],
        10: [6.9e-12, 0.00154, 0.0143, 0.0456, 0.1340, 0.2118, 0.3710],
        20: [1.5e-11, 0.00285, 0.0238, 0.0694, 0.1803, 0.2646, 0.4067],
        30: [2.2e-11, 0.00396, 0.0310, 0.0856, 0.2075, 0.2930, 0.4231],
        100: [7.6e-11, 0.0094, 0.0597, 0.1415, 0.2843, 0.3639, 0.4572],
        1000: [7.5e-10, 0.034, 0.142, 0.2615, 0.3959, 0.4461, 0.4863],
    }
    error = bayes_error(np.array([*table])[:, None], noise)
    np.testing.assert_allclose(error, [*table.values()], rtol=0.035)  # two digits given
    np.testing.assert_allclose(error[:, -1], [row[-1] for row in table.values()], atol=6e-5)


@pytest.mark.parametrize("noise", [0.1, 0.2, 0.5, 2.0])
@pytest.mark.parametrize("n_patches", [2, 10, 300])
def test_bayes_error_oracle_simulation(n_patches, noise):
    # The relative standard error was seen at or below 0.7 % for these entries.
    simulated = bayes_error(n_patches, noise, method="simulation")
    np.testing.assert_allclose(simulated, bayes_error(n_patches, noise), rtol=0.03)


@pytest.mark.parametrize(("n_patches", "noise"), [(10, 0.3), (20, 0.5), (100, 0.5)])
def test_bayes_error_oracle_posterior(n_patches, noise):
    # The mean probability of the wrong label, from the scores themselves.
    rng = np.random.default_rng(0)
    scores = noise * rng.standard_normal((20_000, n_patches))
    scores[:, 0] += 1
    wrong = expit(-np.abs(log_odds(scores, noise)))
    margin = 4 * wrong.std() / len(wrong) ** 0.5
    assert abs(wrong.mean() - bayes_error(n_patches, noise)) < margin


def test_bayes_error_limit_small_noise():
    assert bayes_error(10, 0.0) == bayes_error(10, 0.0, method="simulation") == 0
    n_patches = np.array([3, 100, 10_000])
    first_order = (n_patches - 1) * norm.sf(1 / 0.056 / 2**0.5)  # just above the switch
    np.testing.assert_allclose(bayes_error(n_patches, 0.056), first_order, rtol=5e-9)


@pytest.mark.parametrize("p", [1e-9, 0.9e-4, 1.1e-4, 0.3, 0.7, 1.0])
def test_lost_to_repetition_oracle_fractions(p):
    exact = Fraction(p) - (1 - (1 - Fraction(p)) ** 10) / 10
    found = dynamic_signal._lost_to_repetition(np.array([p]), 10)[0]
    assert found == pytest.approx(float(exact), rel=1e-10)


def test_bayes_error_limit_many_patches():
    # 1/2 - exp(-a^2/2) sqrt((exp(2 a^2) - 1) / (pi k)) / 2, as the sum of sinh becomes normal.
    k = 1_000_000
    expected = np.sqrt(np.expm1(2) / (np.pi * k)) * np.exp(-0.5) / 2
    np.testing.assert_allclose(0.5 - bayes_error(k, 1.0), expected, rtol=1e-4)


def test_bayes_error_limit_large_noise():
    # The signal decides little: the advantage over chance falls like that of one score, a / sqrt k.
    advantage = 0.5 - bayes_error([1, 4, 100], 1e4)
    np.testing.assert_allclose(advantage, norm.pdf(0) / 1e4 / np.sqrt([1, 4, 100]), rtol=1e-6)


def test_bayes_error_invariance_monotone():
    error = bayes_error([[1], [2], [5], [10], [100]], np.linspace(0.06, 1.2, 30))
    assert (np.diff(error, axis=0) > 0).all()
    assert (np.diff(error, axis=1) > 0).all()


def test_bayes_error_contract_broadcasting():
    n_patches, noise = np.array([[1], [7]]), np.array([0.2, 0.4, 0.8])
    for method in ("quadrature", "simulation"):
        error = bayes_error(n_patches, noise, method=method, n_draws=100)
        assert error.shape == (2, 3)
        single = bayes_error(7, 0.4, method=method, n_draws=100)
        assert np.ndim(single) == 0
        assert single == error[1, 1]


def test_bayes_error_contract_random_state():
    def simulate(seed):
        return bayes_error(10, 0.3, method="simulation", n_draws=50, random_state=seed)

    assert simulate(0) == simulate(0) != simulate(1)
    assert simulate(np.random.default_rng(0)) == simulate(0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_patches": 0, "noise": 0.1}, "n_patches must be an integer of at least 1, got 0"),
        ({"n_patches": 2.5, "noise": 0.1}, r"n_patches .* got 2\.5"),
        ({"n_patches": 2, "noise": -0.1}, r"noise must be finite and at least 0, got -0\.1"),
        ({"n_patches": 2, "noise": np.nan}, "noise must be finite and at least 0, got nan"),
        ({"n_patches": 2, "noise": 0.1, "method": "guess"}, "'quadrature' or 'simulation'"),
        ({"n_patches": 2, "noise": 0.1, "n_draws": 0}, "n_draws must be at least 1, got 0"),
    ],
)
def test_bayes_error_contract_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        bayes_error(**arguments)


# --- Bayes squared risk --------------------------------------------------------------------------


def test_bayes_squared_risk_oracle_table():
    noise = [0.1, 0.2, 0.25, 0.3, 0.4, 0.5, 1.0]
    expected = [0, 0.0087, 0.0712, 0.203, 0.501, 0.701, 0.947]
    np.testing.assert_allclose(bayes_squared_risk(20, noise), expected, rtol=4e-3, atol=1e-9)


@pytest.mark.parametrize(("n_patches", "noise"), [(3, 0.6), (10, 0.3), (20, 0.5), (100, 2.0)])
def test_bayes_squared_risk_oracle_posterior(n_patches, noise):
    # The mean squared error of the posterior mean, from the scores themselves and the label 1.
    rng = np.random.default_rng(0)
    scores = noise * rng.standard_normal((100_000, n_patches))
    scores[:, 0] += 1
    squared = (1 - np.tanh(log_odds(scores, noise) / 2)) ** 2
    margin = 4 * squared.std() / len(squared) ** 0.5
    assert margin < 0.03
    assert abs(squared.mean() - bayes_squared_risk(n_patches, noise)) < margin


@pytest.mark.parametrize("noise", [0.03, 0.1, 0.3, 1.0, 10.0])
def test_bayes_squared_risk_oracle_one_integral(noise):
    # One patch: L = 2 s / noise^2 with s ~ N(1, noise^2). The risk is E sech^2 of half of that,
    # taken about where rare errors happen, at s = 0 and in units of noise^2.
    def density(s):
        return np.exp(-((s - 1) ** 2 - 1) / 2 / noise**2) / np.cosh(s / noise**2) ** 2

    width = 20 * noise**2 if noise < 0.25 else 1 + 10 * noise
    risk, _ = quad(density, -width, width, points=[0], limit=200, epsabs=0, epsrel=1e-11)
    risk *= np.exp(-1 / 2 / noise**2) / noise / (2 * np.pi) ** 0.5
    np.testing.assert_allclose(bayes_squared_risk(1, noise), risk, rtol=1e-8)
    # Two patches: L / 2 is normal, as for one patch with more noise.
    np.testing.assert_allclose(bayes_squared_risk(2, noise / 2**0.5), risk, rtol=1e-8)


def test_bayes_squared_risk_limit_small_noise():
    assert bayes_squared_risk(10, 0.0) == 0
    # On either side of the switch to the first order.
    above, below = bayes_squared_risk(10, [1 / 17.999, 1 / 18.001])
    first_order = 9 * bayes_squared_risk(2, [1 / 17.999, 1 / 18.001])
    np.testing.assert_allclose([above, below], first_order, rtol=1e-10)


def test_bayes_squared_risk_limit_large_noise():
    # The posterior mean turns linear, and the signal explains 1 / (n_patches noise^2) of the label.
    gain = 1 - bayes_squared_risk([1, 4, 100], 100.0)
    np.testing.assert_allclose(gain, 1 / np.array([1, 4, 100]) / 1e4, rtol=3e-4)


def test_bayes_squared_risk_invariance_order():
    # For the posterior mean m, 2 error = E (1 - |m|) and risk = E (1 - |m|) (1 + |m|).
    n_patches, noise = np.array([[1], [2], [5], [10], [100]]), np.linspace(0.05, 1.2, 30)
    risk, error = bayes_squared_risk(n_patches, noise), bayes_error(n_patches, noise)
    assert (np.diff(risk, axis=0) > 0).all()
    assert (np.diff(risk, axis=1) > 0).all()
    assert (risk > 2 * error).all()
    assert (risk < 4 * error).all()
    assert (risk < linear_squared_risk(n_patches, noise)).all()


def test_bayes_squared_risk_contract():
    risk = bayes_squared_risk(np.array([[1], [7]]), [0.2, 0.4, 0.8])
    assert risk.shape == (2, 3)
    assert risk[1, 1] == bayes_squared_risk(7, 0.4)
    with pytest.raises(ValueError, match="n_patches must be"):
        bayes_squared_risk(0, 0.1)


# --- log-odds ------------------------------------------------------------------------------------


def test_log_odds_oracle_densities():
    rng = np.random.default_rng(0)
    scores, noise = rng.normal(scale=0.8, size=(50, 6)), 0.7
    centers = np.eye(6)  # one row per place
    densities = [
        norm.pdf(scores[:, None], sign * centers, noise).prod(axis=-1).mean(axis=-1)
        for sign in (1, -1)
    ]
    np.testing.assert_allclose(log_odds(scores, noise), np.log(densities[0] / densities[1]))


def test_log_odds_closed_form_known_place():
    scores = np.array([[0.3], [-2.0]])
    np.testing.assert_allclose(log_odds(scores, 0.5), 2 * scores[:, 0] / 0.5**2)


def test_log_odds_invariance_odd():
    scores = np.random.default_rng(0).normal(size=(5, 4, 3))
    odds = log_odds(scores, 0.3)
    assert odds.shape == (5, 4)
    np.testing.assert_allclose(log_odds(-scores, 0.3), -odds)
    np.testing.assert_array_equal(np.sign(odds), np.sign(np.sinh(scores / 0.3**2).sum(axis=-1)))


def test_log_odds_limit_small_noise():
    scores = np.array([[0.9, -0.4], [0.2, -0.5], [0.5, -0.5]])
    np.testing.assert_array_equal(log_odds(scores, 0), [np.inf, -np.inf, 0])
    np.testing.assert_allclose(1e-6 * log_odds(scores, 1e-3), [0.5, -0.3, 0])  # largest + smallest
