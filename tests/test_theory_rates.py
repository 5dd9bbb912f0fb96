"""Rates and cosines of the theorems against slopes and simulated gradient steps."""

import numpy as np
import pytest

from sklcnn.theory import predicted_cosine, sample_complexity_rate, two_step_constants

# --- rates ---------------------------------------------------------------------------------------

THEOREMS = [("fcn", "lower"), ("lcn", "lower"), ("lcn", "upper"), ("cnn", "upper")]


def test_rates_closed_form():
    # k = 10, d = 20, noise 0.1; ln 200 = 5.2983.
    expected = [20, 2, 15.895, 1.5895]
    rates = [sample_complexity_rate(family, 10, 20, 0.1, bound) for family, bound in THEOREMS]
    np.testing.assert_allclose(rates, expected, rtol=1e-4)


def test_rates_limit_exponents():
    # Slopes in the number of patches at huge sizes: 2 and 1 without logarithms, and with them.
    def slope(family, bound):
        few, many = sample_complexity_rate(family, [10**9, 10**10], 20, 0.1, bound)
        return np.log10(many / few)

    slopes = [slope(*theorem) for theorem in THEOREMS]
    np.testing.assert_allclose(slopes, [2, 1, 2, 1], atol=0.05)


def test_rates_invariance_order_of_families():
    k, d = np.meshgrid([30, 100, 1000], [30, 100, 1000])
    fcn, _, lcn, cnn = (
        sample_complexity_rate(*theorem[:1], k, d, 0.01, theorem[1]) for theorem in THEOREMS
    )
    np.testing.assert_allclose(lcn / cnn, k)
    assert (fcn[k >= 100] > lcn[k >= 100]).all()


def test_rates_contract():
    rate = sample_complexity_rate("lcn", np.array([[1], [2]]), [3, 4, 5], 0.1, "lower")
    assert rate.shape == (2, 3)
    assert np.ndim(sample_complexity_rate("lcn", 1, 2, 0.1, "lower")) == 0
    known = "there are: fcn lower, lcn lower, lcn upper, cnn upper"
    for family, bound in [("fcn", "upper"), ("cnn", "lower")]:
        with pytest.raises(ValueError, match=f"no {bound} bound for family='{family}'; {known}"):
            sample_complexity_rate(family, 10, 20, 0.1, bound)
    with pytest.raises(ValueError, match="family must be 'fcn' or 'lcn' or 'cnn', got 'mlp'"):
        sample_complexity_rate("mlp", 10, 20, 0.1, "lower")
    with pytest.raises(ValueError, match="bound must be 'lower' or 'upper', got 'both'"):
        sample_complexity_rate("lcn", 10, 20, 0.1, "both")
    with pytest.raises(ValueError, match="patch_size must be an integer of at least 1, got 0"):
        sample_complexity_rate("lcn", 10, 0, 0.1, "lower")


# --- cosines -------------------------------------------------------------------------------------

K, D = 20, 20


def draw_samples(rng, n_samples, noise):
    """Samples times their labels, whose signal is the first feature of a random patch."""
    patches = noise * rng.standard_normal((n_samples, K, D))
    patches[np.arange(n_samples), rng.integers(K, size=n_samples), 0] += 1
    return patches  # (n_samples, K, D)


def cosine(filters):
    return filters[..., 0] / np.linalg.norm(filters, axis=-1)


def gradient(family, patches, filters=None, threshold=0.0):
    """Minus the gradient of the correlation loss - y f(x), up to a factor."""
    if filters is None:
        answering = np.ones(patches.shape[:2])
    else:
        answering = np.abs((patches * filters).sum(axis=-1)) > threshold
    filters = np.einsum("nt,ntd->td", answering, patches) / len(patches)
    return filters if family == "lcn" else filters.sum(axis=0, keepdims=True)


@pytest.mark.parametrize(
    ("family", "n_samples", "formula", "simulated"),
    [
        ("lcn", 400, 0.745, 0.739),
        ("lcn", 1600, 0.913, 0.914),
        ("cnn", 25, 0.781, 0.783),
        ("cnn", 50, 0.870, 0.870),
        ("cnn", 200, 0.962, 0.963),
    ],
)
def test_first_step_oracle_simulation_and_table(family, n_samples, formula, simulated):
    rng = np.random.default_rng(0)
    n_repeats = 40 if family == "lcn" else 300
    cosines = [
        cosine(gradient(family, draw_samples(rng, n_samples, 0.2))) for _ in range(n_repeats)
    ]
    predicted = predicted_cosine(family, K, D, 0.2, n_samples)
    assert predicted == pytest.approx(formula, abs=5e-4)
    assert np.mean(cosines) == pytest.approx(simulated, abs=0.006)
    assert np.mean(cosines) == pytest.approx(predicted, abs=0.012)


@pytest.mark.parametrize(("family", "n_samples"), [("lcn", 400), ("cnn", 25)])
def test_second_step_oracle_simulation(family, n_samples):
    # The first filters have cosines near 0.8, noise patches answer with 0.16: a threshold between
    # them lets 1 in 100 noise patches in, and keeps few of those with a signal out.
    rng = np.random.default_rng(0)
    cosines = []
    for _ in range(40 if family == "lcn" else 400):
        filters = gradient(family, draw_samples(rng, n_samples, 0.16))
        filters /= np.linalg.norm(filters, axis=-1, keepdims=True)
        patches = draw_samples(rng, n_samples, 0.16)
        cosines.append(cosine(gradient(family, patches, filters, threshold=0.42)))
    predicted = predicted_cosine(family, K, D, 0.16, n_samples, step=2)
    assert predicted > 0.98 > predicted_cosine(family, K, D, 0.16, n_samples) + 0.1
    assert np.mean(cosines) == pytest.approx(predicted, abs=0.01)


def test_first_step_oracle_simulation_fully_connected():
    # The common filter against the signal in all places at once.
    rng = np.random.default_rng(0)
    means = [draw_samples(rng, 800, 0.2).mean(axis=0) for _ in range(60)]
    cosines = [mean[:, 0].sum() / K**0.5 / np.linalg.norm(mean) for mean in means]
    assert np.mean(cosines) == pytest.approx(predicted_cosine("fcn", K, D, 0.2, 800), abs=0.02)


@pytest.mark.parametrize("family", ["lcn", "cnn"])
def test_cosine_limits(family):
    assert predicted_cosine(family, 10, 20, 0.0, 5) == 1
    assert predicted_cosine(family, 10, 20, 1.0, 10**12, step=2) == pytest.approx(1)
    # The second step multiplies the samples by the number of patches.
    first, second = (predicted_cosine(family, 10, 20, 0.3, [700, 70], step=s) for s in (1, 2))
    assert first[0] == second[1]


def test_cosine_contract():
    cosines = predicted_cosine("lcn", np.array([[10], [20]]), 20, 0.1, [10, 100, 1000])
    assert cosines.shape == (2, 3)
    known = "there are: fcn 1, lcn 1, lcn 2, cnn 1, cnn 2"
    with pytest.raises(ValueError, match=f"no prediction for family='fcn' and step=2; {known}"):
        predicted_cosine("fcn", 10, 20, 0.1, 100, step=2)
    with pytest.raises(ValueError, match="n_samples must be an integer of at least 1, got 0"):
        predicted_cosine("lcn", 10, 20, 0.1, 0)


# --- constants -----------------------------------------------------------------------------------


def test_constants_closed_form():
    lcn, cnn = (two_step_constants(family, 20, 20) for family in ("lcn", "cnn"))
    assert lcn.learning_rates == (1, 20_000)
    assert cnn.learning_rates == (1, 1000)
    assert lcn.thresholds == cnn.thresholds
    assert lcn.thresholds == pytest.approx((0.0242, 1e-4), abs=5e-5)
    assert lcn.initial_std == cnn.initial_std == 1 / 4000


@pytest.mark.parametrize("family", ["lcn", "cnn"])
def test_constants_invariance_share_of_the_first_cosine(family):
    # At the number of samples of the upper bound, the threshold is a fixed share of the cosine.
    sizes, noise = [(100, 100), (1000, 500), (300, 3000)], 1e-2
    shares = []
    for k, d in sizes:
        n_samples = np.ceil(0.01 * sample_complexity_rate(family, k, d, noise, "upper") / noise**2)
        weak = predicted_cosine(family, k, d, 1.0, n_samples)
        shares.append(two_step_constants(family, k, d).thresholds[0] / weak)
    np.testing.assert_allclose(shares, shares[0], rtol=0.05)


def test_constants_contract_bad_arguments():
    with pytest.raises(ValueError, match="family must be 'lcn' or 'cnn', got 'fcn'"):
        two_step_constants("fcn", 20, 20)
    with pytest.raises(ValueError, match=r"n_patches must be an integer of at least 1, got 2\.5"):
        two_step_constants("lcn", 2.5, 20)
