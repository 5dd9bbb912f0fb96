"""Linear rules and the rule of the largest score against simulation, integrals and tables."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from sklcnn.theory import (
    bayes_error,
    critical_noise,
    linear_error,
    linear_squared_risk,
    max_rule_error,
)

NOISES = [0.02, 0.05, 0.1, 0.2, 0.35, 0.6, 1.0, 3.0, 100.0]


def draw_scores(n_patches, noise, n_draws=100_000):
    """Scores given the label 1 and the first place."""
    scores = noise * np.random.default_rng(0).standard_normal((n_draws, n_patches))
    scores[:, 0] += 1
    return scores


# --- linear rules --------------------------------------------------------------------------------


def test_linear_error_oracle_table():
    noise = [0.1, 0.2, 0.25, 0.3, 0.4, 0.5, 1.0]
    expected = [0.0127, 0.132, 0.186, 0.228, 0.288, 0.327, 0.412]
    np.testing.assert_allclose(linear_error(20, noise), expected, atol=6e-4)


def test_linear_error_limits():
    np.testing.assert_allclose(linear_error(1, NOISES), bayes_error(1, NOISES))
    assert linear_error(10, 0.0) == 0
    assert (linear_error(10, NOISES) >= bayes_error(10, NOISES)).all()


def test_linear_error_contract_bad_arguments():
    with pytest.raises(ValueError, match="noise must be"):
        linear_error(3, -1)


@pytest.mark.parametrize(("n_patches", "noise"), [(1, 0.5), (10, 0.3), (40, 0.2)])
def test_linear_squared_risk_oracle_least_squares(n_patches, noise):
    sums = draw_scores(n_patches, noise).sum(axis=1)
    _, residual, *_ = np.linalg.lstsq(sums[:, None], np.ones(len(sums)), rcond=None)
    expected = residual[0] / len(sums)
    assert linear_squared_risk(n_patches, noise) == pytest.approx(expected, rel=0.02)


def test_linear_squared_risk_limits():
    assert linear_squared_risk(5, 0.0) == 0
    np.testing.assert_allclose(linear_squared_risk([3, 300], 1e6), 1)
    assert linear_squared_risk(20, 0.1) == pytest.approx(0.1667, abs=5e-5)  # the published setting


# --- largest score -------------------------------------------------------------------------------


@pytest.mark.parametrize("noise", [0.1, 0.25, 0.5, 1.0])
@pytest.mark.parametrize("n_patches", [2, 10, 300])
def test_max_rule_error_oracle_adaptive_integral(n_patches, noise):
    # (1 - P+ + P-) / 2, with the place of the signal the largest and the sign right or wrong.
    def wins(s, sign):
        others_below = (2 * norm.cdf(s / noise) - 1) ** (n_patches - 1)
        return norm.pdf(s, sign, noise) * others_below

    right, wrong = (
        quad(wins, 0, 1 + 10 * noise, args=(sign,), points=[1], limit=200, epsabs=1e-12)[0]
        for sign in (1, -1)
    )
    expected = (1 - right + wrong) / 2
    assert max_rule_error(n_patches, noise) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("n_patches", "noise"), [(5, 0.6), (20, 0.4), (100, 1.0)])
def test_max_rule_error_oracle_simulation(n_patches, noise):
    scores = draw_scores(n_patches, noise)
    largest = np.take_along_axis(scores, np.abs(scores).argmax(axis=1)[:, None], axis=1)
    assert abs((largest < 0).mean() - max_rule_error(n_patches, noise)) < 4 * 0.5 / 1e5**0.5


@pytest.mark.parametrize("noise", NOISES)
def test_max_rule_error_closed_form_one_and_two_patches(noise):
    # Of two scores the largest has the sign of the sum: a linear rule, and the best one.
    np.testing.assert_allclose(max_rule_error(1, noise), norm.sf(1 / noise), rtol=1e-12)
    np.testing.assert_allclose(max_rule_error(2, noise), linear_error(2, noise), rtol=1e-9)


def test_max_rule_error_limits():
    assert max_rule_error(10, 0.0) == max_rule_error(10, 1e-9) == 0
    assert max_rule_error(10, 1e6) == pytest.approx(0.5, abs=1e-5)
    n_patches, noise = np.array([[3], [10], [20], [100]]), np.linspace(0.06, 0.3, 10)
    ratio = max_rule_error(n_patches, noise) / bayes_error(n_patches, noise)
    assert (ratio > 1).all()
    assert (ratio < 1.05).all()


# --- critical noise ------------------------------------------------------------------------------


def test_critical_noise_oracle_table():
    np.testing.assert_allclose(critical_noise([20, 30, 1000]), [0.409, 0.383, 0.269], atol=5e-4)
    assert critical_noise(1) == np.inf


def test_critical_noise_limit_many_patches():
    # On either side of the transition the best error moves away from it as patches are added.
    n_patches = np.array([10**2, 10**4, 10**6])
    below, above = (
        bayes_error(n_patches, share * critical_noise(n_patches)) for share in (0.7, 1.3)
    )
    assert (np.diff(below) < 0).all()
    assert (np.diff(above) > 0).all()


@pytest.mark.parametrize("function", [linear_error, linear_squared_risk, max_rule_error])
def test_contract_simple_rules(function):
    error = function(np.array([[1], [7]]), [0.2, 0.4, 0.8])
    assert error.shape == (2, 3)
    assert error[1, 1] == function(7, 0.4)
    with pytest.raises(ValueError, match="noise must be finite and at least 0, got nan"):
        function(3, np.nan)
    with pytest.raises(ValueError, match=r"n_patches must be an integer of at least 1, got 1\.5"):
        function(1.5, 0.1)


def test_critical_noise_contract_bad_arguments():
    with pytest.raises(ValueError, match="n_patches must be an integer of at least 1, got 0"):
        critical_noise(0)
