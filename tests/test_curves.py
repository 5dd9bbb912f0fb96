"""Learning-curve machinery: nested stratified samples and the sample-efficiency factor."""

import numpy as np
import pytest

from sklcnn.studies.curves import log_sizes, nested_order, sample_efficiency
from sklcnn.studies.verdicts import control_sentence, verdict_sentence

SIZES = np.array([50, 100, 200, 400, 800, 1600])


def power_law(sizes=SIZES, gain=1.0, exponent=0.5, n_repeats=5):
    """Accuracies of a network that needs 1 / gain times the samples, the same in every repeat."""
    curve = 1 - 0.9 * (gain * np.asarray(sizes) / 10.0) ** -exponent
    return np.repeat(curve[:, None], n_repeats, axis=1)


# --- nested stratified samples -------------------------------------------------------------------


@pytest.mark.parametrize("shares", [[0.5, 0.5], [0.7, 0.2, 0.1], [0.1] * 10, [0.9, 0.06, 0.04]])
def test_oracle_prefixes_are_stratified(shares):
    y = np.random.default_rng(0).choice(len(shares), size=500, p=shares)
    order = nested_order(y, random_state=0)
    counts = np.cumsum(np.eye(len(shares))[y[order]], axis=0)  # (n, class): in the first n + 1
    quota = np.arange(1, 501)[:, None] * np.mean(np.eye(len(shares))[y], axis=0)
    first_seats = np.flatnonzero(np.all(quota >= 1, axis=1))[0]
    assert np.abs(counts - quota)[first_seats:].max() <= 1.5
    assert np.all(counts[len(shares) - 1] == 1)  # every class, before any class twice
    assert sorted(order) == list(range(500))


def test_limit_balanced_classes_are_dealt_in_turns():
    y = np.tile([0, 1, 2], 20)
    rounds = y[nested_order(y, random_state=3)].reshape(20, 3)
    assert np.all(np.sort(rounds, axis=1) == [0, 1, 2])


def test_invariance_of_order_to_labels_and_dependence_on_seed():
    y = np.random.default_rng(1).integers(3, size=90)
    names = np.array(["ant", "bee", "cat"])[y]
    np.testing.assert_array_equal(nested_order(y, 0), nested_order(names, 0))
    assert np.any(nested_order(y, 0) != nested_order(y, 1))


def test_log_sizes_are_evenly_spaced_and_distinct():
    sizes = log_sizes(20, 20_000, 7)
    assert (sizes[0], sizes[-1], len(sizes)) == (20, 20_000, 7)
    np.testing.assert_allclose(np.diff(np.log(sizes)), np.log(1000) / 6, rtol=0.03)  # two digits
    assert log_sizes(2, 4, 7) == (2, 3, 4)
    assert log_sizes(5, 5) == (5,)


# --- the factor ----------------------------------------------------------------------------------


@pytest.mark.parametrize("gain", [2, 4])
def test_closed_form_shifted_power_law_gives_the_shift(gain):
    # The sizes double, so a shift by 2 or 4 hits them and interpolation is exact.
    factors = sample_efficiency(SIZES, power_law(gain=gain), power_law(), tolerance=1e-12)
    reached = [f for f in factors if f.n * gain <= SIZES[-1]]
    beyond = [f for f in factors if f.n * gain > SIZES[-1]]
    assert [f.factor for f in reached] == pytest.approx([gain] * len(reached))
    assert {f.effect for f in factors} == {"helps"}
    assert [f.censored for f in beyond] == ["more"] * len(beyond)
    assert [f.factor for f in beyond] == pytest.approx([SIZES[-1] / f.n for f in beyond])
    assert all(np.isposinf(f.high) for f in beyond)


@pytest.mark.parametrize("gain", [1.5, 3])
def test_closed_form_between_the_sizes(gain):
    factors = sample_efficiency(SIZES, power_law(gain=gain), power_law(), tolerance=1e-12)
    reached = [f.factor for f in factors if f.n * gain <= SIZES[-1]]
    # A chord of 1 - c n^-1/2 over a doubling of n lies below it: n' is too large by at most 5 %.
    assert reached == pytest.approx([gain] * len(reached), rel=0.05)


def test_closed_form_an_ingredient_that_hurts():
    factors = sample_efficiency(SIZES, power_law(), power_law(gain=4), tolerance=1e-12)
    assert [f.factor for f in factors] == pytest.approx([1, 0.5, 0.25, 0.25, 0.25, 0.25])
    assert [f.censored for f in factors] == ["less", "less", "", "", "", ""]
    assert {f.effect for f in factors} == {"hurts"}
    assert [f.low for f in factors[:2]] == [0, 0]


def test_limit_equal_networks_have_factor_one():
    factors = sample_efficiency(SIZES, power_law(), power_law())
    assert [f.factor for f in factors] == pytest.approx([1.0] * len(SIZES))
    assert {f.effect for f in factors} == {"unclear"}
    assert {f.censored for f in factors} == {""}


@pytest.mark.parametrize("level", [1.0, 0.9985])
def test_limit_saturated_networks_have_factor_one_and_open_intervals(level):
    with_, without = np.full((6, 5), 1.0), np.full((6, 5), level)  # equal to the tolerance
    for factor in sample_efficiency(SIZES, with_, without):
        assert (factor.factor, factor.low, factor.high) == (1.0, 0.0, np.inf)
        assert (factor.censored, factor.effect) == ("", "unclear")


def test_limit_saturation_is_compared_where_it_begins():
    late, early = np.ones((6, 3)), np.ones((6, 3))
    early[:1], late[:3] = 0.5, 0.5  # saturated from 100 on, and from 400 on
    factors = sample_efficiency(SIZES, early, late)
    assert [f.effect for f in factors] == ["unclear", "helps", "helps"] + ["unclear"] * 3
    assert factors[1].factor == pytest.approx(4)


def test_neither_learns_below_the_floor():
    lucky = power_law() * 0 + 0.51
    lucky[-1] = 0.8
    factors = sample_efficiency(SIZES, lucky, power_law() * 0 + 0.5, floor=0.55)
    assert [f.effect for f in factors] == ["neither learns"] * 5 + ["helps"]
    assert np.isnan(factors[0].factor)


def test_oracle_isotonic_dips_are_pooled():
    dipped = power_law()
    dipped[[2, 3]] = dipped[[3, 2]]
    pooled = power_law()
    pooled[[2, 3]] = pooled[[2, 3]].mean(axis=0)
    found, expected = (sample_efficiency(SIZES, s, power_law()) for s in (dipped, pooled))
    assert [f.factor for f in found] == pytest.approx([f.factor for f in expected])
    assert found[3].factor < 1 < found[2].factor


def test_one_repeat_gives_no_interval():
    factors = sample_efficiency(SIZES, power_law(gain=4)[:, :1], power_law()[:, :1])
    assert {(f.low, f.high, f.effect) for f in factors} == {(0.0, np.inf, "unclear")}
    assert factors[0].factor == pytest.approx(4, rel=0.05)


def test_bootstrap_is_paired():
    luck = np.random.default_rng(0).normal(scale=0.02, size=(1, 5))  # of a repeat, for all networks
    with_, without = power_law(gain=2) + luck, power_law() + luck
    paired = sample_efficiency(SIZES, with_, without)[2]
    unpaired = sample_efficiency(SIZES, with_[:, ::-1], without)[2]
    assert paired.effect == "helps"
    assert (unpaired.high - unpaired.low) > 2 * (paired.high - paired.low)


def test_bootstrap_interval_covers_the_truth():
    rng = np.random.default_rng(0)
    covered = []
    for _ in range(60):
        noise = rng.normal(scale=0.01, size=(2, len(SIZES), 5))
        factor = sample_efficiency(SIZES, power_law(gain=2) + noise[0], power_law() + noise[1])[2]
        covered.append(factor.low <= 2 <= factor.high)
    # 95 % nominal; 60 draws at 95 % stay above 0.87 with probability 0.99.
    assert np.mean(covered) > 0.87


def test_same_seed_same_interval():
    rng = np.random.default_rng(0)
    with_, without = (power_law() + rng.normal(scale=0.02, size=(6, 5)) for _ in range(2))
    first, again = (sample_efficiency(SIZES, with_, without, random_state=3) for _ in range(2))
    assert first == again


# --- the sentences -------------------------------------------------------------------------------


def sentence(with_, without, permuted=None, **options):
    """Verdict on scores; by default permuting the features leaves no effect."""
    factors = sample_efficiency(SIZES, with_, without, **options)
    permuted = without if permuted is None else permuted
    return verdict_sentence("locality", factors, sample_efficiency(SIZES, permuted, without))


def test_verdict_helps_everywhere():
    said = sentence(power_law(gain=4), power_law())
    assert said.startswith("Locality helps at every size (without it 4.0 times the samples are")
    assert said.endswith("permuting the features takes the gain away.")


def test_verdict_hurts_here_and_helps_there():
    said = sentence(3 * power_law(exponent=0.9) - 2, power_law())
    assert said.startswith("Locality hurts at n = 50 to 100 (without it 0.72 times the samples are")
    assert " and helps at n = 200 to 1,600 (without it 1.3 to 2.1 times" in said


def test_verdict_is_unclear_for_equal_networks():
    assert sentence(power_law(), power_law()) == "Locality makes no clear difference at any size."


def test_verdict_tells_little_from_much():
    assert "helps a little at every size" in sentence(
        power_law(gain=1.15), power_law(), tolerance=1e-6
    )


def test_verdict_where_neither_learns():
    said = sentence(power_law(), power_law(), floor=2.0)
    assert said == (
        "Locality cannot be judged at any size, since neither network beats the majority class."
    )


def test_verdict_on_a_gain_that_outlives_the_permutation():
    said = sentence(power_law(gain=4), power_law(), permuted=power_law(gain=4))
    assert said.endswith("so it is not owed to the features' arrangement.")


def test_control_sentence_tells_noise_from_change():
    assert "which is noise" in control_sentence(0.002, -0.01, 0.014, 0.02)
    assert "which is noise" in control_sentence(0.002, 0.001, 0.003, 0.004)  # tiny, if certain
    assert "more than noise" in control_sentence(-0.05, -0.07, -0.03, 0.09)
