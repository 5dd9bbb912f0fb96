"""Samples needed: the curve of success and its crossing, the search, and what it refuses."""

import numpy as np
import pandas as pd
import pytest
import sklearn.isotonic
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

import sklcnn
from sklcnn.datasets import DynamicSignal, SphereTeacher
from sklcnn.inspection import population_risk
from sklcnn.studies.searches import Search, run_searches, search_row
from sklcnn.studies.success import find_crossing, resample_crossings, success_curve
from sklcnn.training.progress import FitProgress

SIZES = np.array([10, 20, 40, 80])


def trials(*shares, n_repeats=10):
    """Trials (n_repeats, n_sizes) with given shares of successes."""
    order = np.arange(n_repeats)[:, None]
    return order < np.rint(np.array(shares) * n_repeats)


# --- the curve of success ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shares", "crossing"),
    [
        ((0, 0, 1, 1), np.sqrt(20 * 40)),  # a step: half way on the log axis
        ((0, 0.4, 0.6, 1), np.sqrt(20 * 40)),
        ((0, 0.25, 0.75, 1), np.sqrt(20 * 40)),
        ((0, 0, 0.8, 1), 20 * 2 ** (0.5 / 0.8)),
        ((0, 0.5, 1, 1), 20),
        ((0.2, 0.4, 0.4, 0.9), 40 * 2 ** (0.1 / 0.5)),
        ((0, 0.6, 0.2, 1), 40 * 2 ** (0.1 / 0.6)),  # not monotone: the middle two pool to 0.4
        ((0, 0, 1, 0.4), 20 * 2 ** (0.5 / 0.7)),  # the last two pool to 0.7
    ],
)
def test_crossing_closed_form(shares, crossing):
    found = find_crossing(SIZES, trials(*shares, n_repeats=20))
    assert found.n_samples == pytest.approx(crossing, rel=1e-12)  # rounding
    assert found.censored == ""
    assert found.low <= found.n_samples <= found.high


def test_curve_oracle_scikit_learn():
    rng = np.random.default_rng(0)
    for n_repeats, n_sizes in rng.integers(1, 12, size=(20, 2)):
        successes = rng.random((n_repeats, n_sizes)) < rng.random(n_sizes)
        curve = success_curve(successes)
        model = sklearn.isotonic.IsotonicRegression()
        expected = model.fit_transform(np.arange(n_sizes), successes.mean(axis=0))
        np.testing.assert_allclose(curve, expected, atol=1e-12)
        assert np.all(np.diff(curve) >= 0)


def test_curve_oracle_least_squares():
    """No increasing curve on a fine lattice is closer to the shares."""
    successes = trials(0.2, 0.8, 0.4)
    shares, curve = successes.mean(axis=0), success_curve(successes)
    lattice = np.stack(np.meshgrid(*[np.linspace(0, 1, 41)] * 3), axis=-1).reshape(-1, 3)
    lattice = lattice[np.all(np.diff(lattice) >= 0, axis=1)]
    assert np.sum((curve - shares) ** 2) <= np.min(np.sum((lattice - shares) ** 2, axis=1)) + 1e-12


def test_censored_closed_form():
    above = find_crossing(SIZES, trials(0, 0, 0.1, 0.4))
    assert (above.n_samples, above.high, above.censored) == (np.inf, np.inf, "above")
    below = find_crossing(SIZES, trials(0.5, 1, 1, 1))
    assert (below.n_samples, below.low, below.censored) == (10, 10, "below")
    never, always = find_crossing(SIZES, trials(0, 0, 0, 0)), find_crossing(SIZES, trials(*[1] * 4))
    assert (never.low, never.high, never.censored) == (np.inf, np.inf, "above")
    assert (always.low, always.high, always.censored) == (10, 10, "below")


def test_interval_may_be_open_where_the_number_is_known():
    found = find_crossing(SIZES, trials(0, 0, 0, 0.6))
    assert found.censored == ""
    assert found.n_samples == pytest.approx(40 * 2 ** (0.5 / 0.6))
    assert np.isfinite(found.low)
    assert found.high == np.inf


def test_resamples_oracle_brute_force():
    """Every draw is a crossing of some choice of repeats, in its probability."""
    successes = np.array([[0, 0, 1, 1], [0, 1, 1, 1]], dtype=bool)
    draws = resample_crossings(SIZES, successes, n_resamples=4000, random_state=0)
    both = (
        np.sqrt(10 * 20),
        20.0,
        np.sqrt(20 * 40),
    )  # twice the second, one of each, twice the first
    shares = [np.mean(np.isclose(draws, value)) for value in both]
    np.testing.assert_allclose(shares, [0.25, 0.5, 0.25], atol=0.03)  # four standard errors
    assert sum(shares) == 1


def test_interval_is_reproducible_and_widens_with_confidence():
    rng = np.random.default_rng(0)
    successes = rng.random((8, 4)) < [0.2, 0.4, 0.6, 0.9]
    first, again, other = (resample_crossings(SIZES, successes, 200, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert np.any(first != other)
    narrow, wide = (find_crossing(SIZES, successes, confidence=c) for c in (0.5, 0.95))
    assert wide.low <= narrow.low <= narrow.high <= wide.high
    assert wide.high / wide.low > narrow.high / narrow.low
    assert narrow == find_crossing(SIZES, successes, confidence=0.5)


@pytest.mark.parametrize("nested", [False, True], ids=["independent", "nested"])
def test_interval_covers_the_truth(nested):
    """Trials of a logistic curve in log n through one half at n = 100, in 200 studies of 20."""
    rng = np.random.default_rng(0)
    sizes = np.unique(np.rint(25 * 2 ** (np.arange(17) / 4))).astype(int)
    score = np.log(sizes / 100) / 0.3
    covered = []
    for study in range(200):
        # Nested: a repeat that succeeds at n succeeds at all larger ones.
        levels = rng.logistic(size=(20, 1 if nested else len(sizes)))
        found = find_crossing(sizes, score >= levels, n_resamples=80, random_state=study)
        covered.append(found.low <= 100 <= found.high)
    # Percentile intervals of 20 repeats cover a little less than they say; standard error 0.02.
    # Intervals half as wide cover 0.71 and 0.63.
    assert 0.87 <= np.mean(covered) <= 0.995


# --- a law and learners whose answer is known ----------------------------------------------------


class Plain(BaseEstimator):
    """y is the first feature; the second is uniform, and different in every sample."""

    def __init__(self, random_state=None):
        self.random_state = random_state

    def sample(self, n_samples, random_state):
        rng = np.random.default_rng(random_state)
        y = np.where(rng.random(n_samples) < 0.5, -1, 1)
        return np.column_stack([y, rng.random(n_samples)]), y

    def bayes_error(self):
        return 0.0


class Forgetful(ClassifierMixin, BaseEstimator):
    """Knows the law, but is wrong with probability ``constant / n_samples``, times its luck."""

    calls = None  # a list notes what the estimator sees

    def __init__(self, constant=10.0, luck=0.0, random_state=None):
        self.constant = constant
        self.luck = luck
        self.random_state = random_state

    def fit(self, X, y):
        fate = np.random.default_rng(self.random_state).normal()
        self.rate_ = self.constant * np.exp(self.luck * fate) / len(X)
        self.n_features_in_ = X.shape[1]
        self.classes_ = np.array([-1, 1])
        self._note("fit", X)
        return self

    def predict(self, X):
        self._note("predict", X)
        return np.where(X[:, 1] < self.rate_, -X[:, 0], X[:, 0]).astype(int)

    def _note(self, what, X):
        if Forgetful.calls is not None:
            Forgetful.calls.append((what, X.copy()))


@pytest.fixture
def calls(monkeypatch):
    """What estimators see: ("fit" or "predict", X)."""
    seen = []
    monkeypatch.setattr(Forgetful, "calls", seen)
    return seen


def search(estimator=None, law=None, **options):
    """A small search without stacks."""
    law = law or Plain()
    return sklcnn.sample_complexity(
        estimator or Forgetful(), law, **({"repeats": 3, "fleet": False} | options)
    )


def test_known_error_law_oracle():
    """Wrong with probability 10 / n: an error of 0.1 takes 100, between 91 and 108 on the grid."""
    found = search(target=0.1, n_test=200_000)
    assert found.n_samples == pytest.approx(np.sqrt(91 * 108), rel=1e-12)
    assert (found.low, found.high) == (91, 108)  # no narrower than the grid
    assert found.censored == ""
    results = found.results
    # Risks are averages over 200,000 samples.
    np.testing.assert_allclose(results.risk, np.minimum(1, 10 / results.n), atol=0.005)
    np.testing.assert_array_equal(results.success, results.risk <= 0.1)


def test_error_law_with_luck_oracle():
    """Half of all repeats reach 0.1 at n = 100 where the constant is log-normal around 10."""
    found = search(
        Forgetful(luck=0.5), target=0.1, repeats=40, n_per_octave=2, n_test=2000, random_state=1
    )
    assert found.n_samples == pytest.approx(100, rel=0.25)  # two standard errors of a median
    assert found.low < 100 < found.high
    probability = found.curve.probability
    assert probability.iloc[0] < 0.05
    assert probability.iloc[-1] > 0.9
    assert probability.is_monotonic_increasing


def test_constant_shows_in_the_number():
    """Twice the constant, twice the samples: the grid repeats every octave."""
    few, many = (search(Forgetful(constant), target=0.1, n_min=10) for constant in (8, 16))
    assert many.n_samples / few.n_samples == pytest.approx(2, rel=0.02)  # sizes are rounded


def test_bounds_of_the_search():
    above = search(target=0.1, n_max=40)
    assert (above.n_samples, above.high, above.censored) == (np.inf, np.inf, "above")
    assert str(above).startswith("more than 40 samples")
    below = search(target=0.1, n_min=200)
    assert (below.n_samples, below.censored) == (200, "below")
    assert str(below).startswith("at most 200 samples [200, 200] for error <= 0.1 (best 0)")
    assert "[861, 1,328] for error" in str(search(target=0.01, n_max=2000))  # not 1.33e+03


def test_sizes_are_tried_upwards_and_filled_where_it_matters():
    found = search(target=0.1, n_min=8, n_max=5000)
    sizes = set(found.curve.n)
    assert {8, 16, 32, 64, 128, 152} <= sizes  # until an octave and the next size succeed
    assert max(sizes) == 152
    assert {76, 91, 108} <= sizes
    assert not {10, 11, 181, 256} & sizes  # far from the step


def test_tables_agree():
    found = search(Forgetful(luck=0.5), target=0.1, repeats=6, param_grid={"constant": [10, 20]})
    by_size = found.results.groupby("n").success.mean()
    np.testing.assert_allclose(found.curve.set_index("n").share, by_size)
    sizes, successes = found.trials
    assert successes.shape == (6, len(sizes))
    np.testing.assert_array_equal(success_curve(successes), found.curve.probability)
    assert found.n_samples == find_crossing(sizes, successes).n_samples
    assert set(found.results.columns) == {"n", "repeat", "risk", "success", "seconds", "constant"}
    assert found.settings["n_candidates"] == 2
    n_rows = len(found.results)  # the chosen one, and one or two candidates
    assert 2 * n_rows <= found.settings["n_fits"] <= 3 * n_rows


def test_between_octaves_only_chosen_candidates_are_tried():
    grid = {"constant": [10, 10_000]}
    found = search(target=0.1, n_min=8, param_grid=grid, selection="test")
    others = set(found.curve.n) - {8, 16, 32, 64, 128}
    assert others == {76, 91, 108, 152}
    assert found.settings["n_fits"] == 3 * (2 * 5 + len(others))  # repeats, candidates


# --- samples -------------------------------------------------------------------------------------


def test_training_sets_are_prefixes_and_other_samples_test(calls):
    search(target=0.1, n_max=64, repeats=2)
    fits = [X for what, X in calls if what == "fit"]
    longest = {X[0, 1]: X for X in sorted(fits, key=len)}  # by the first sample, one a repeat
    assert len(longest) == 2
    for X in fits:
        np.testing.assert_array_equal(X, longest[X[0, 1]][: len(X)])
    trained = np.concatenate([X[:, 1] for X in longest.values()])
    tested = np.concatenate([X[:, 1] for what, X in calls if what == "predict"])
    assert len(set(trained)) == 2 * 64
    assert not set(trained) & set(tested)


def test_candidates_are_chosen_on_the_last_samples_then_trained_on_all(calls):
    search(target=0.1, n_min=40, n_max=40, repeats=1, param_grid={"constant": [1, 2]}, n_test=500)
    (_, first), (_, second), (_, held), (_, _), (_, whole), (_, test) = calls
    assert [what for what, _ in calls] == ["fit", "fit", "predict", "predict", "fit", "predict"]
    assert len(whole) == 40
    np.testing.assert_array_equal(first, whole[:32])  # a fifth is held out
    np.testing.assert_array_equal(second, whole[:32])
    np.testing.assert_array_equal(held, whole[32:])
    assert len(test) == 500


def test_chosen_candidate_has_all_samples():
    """The rate is that of all n: a held-out share costs nothing but the choice."""
    found = search(target=0.1, param_grid={"constant": [10, 500]})
    assert found.n_samples == pytest.approx(np.sqrt(91 * 108))
    assert set(found.results.query("n > 91").constant) == {10}


def test_selection_on_the_test_metric_is_optimistic():
    law = DynamicSignal(n_patches=4, patch_size=5, noise=0.3)
    options = {"param_grid": {"C": [1e-3, 0.1, 10]}, "tolerance": 0.02, "n_max": 128}
    validation, test = (
        search(LogisticRegression(), law, selection=name, **options)
        for name in ("validation", "test")
    )
    both = pd.merge(validation.results, test.results, on=["n", "repeat"])
    assert np.all(both.risk_y <= both.risk_x)
    assert np.any(both.risk_y < both.risk_x)
    assert str(test).endswith("chosen on the test metric")
    assert test.n_samples <= validation.n_samples


def test_repeats_differ_and_the_seed_decides():
    options = {"estimator": Forgetful(luck=0.5), "target": 0.1, "n_max": 32}
    first, again, other = (search(random_state=seed, **options) for seed in (0, 0, 1))
    pd.testing.assert_frame_equal(first.results, again.results)
    assert np.any(first.results.risk != other.results.risk)
    assert first.results.query("n == 32").risk.nunique() == 3


def test_signal_is_fresh_in_every_repeat_unless_the_law_was_given_one():
    class Remember(LogisticRegression):
        laws = []

        def fit(self, X, y):
            Remember.laws.append((X * y[:, None]).mean(axis=0))
            return super().fit(X, y)

    def directions(**constants):
        Remember.laws.clear()
        law = DynamicSignal(n_patches=1, patch_size=6, noise=0.05, **constants)
        search(Remember(), law, n_min=64, n_max=64)
        means = np.array(Remember.laws)
        return (means @ means.T)[~np.eye(3, dtype=bool)]

    assert np.all(directions(random_state=3) > 0.98)  # means of 64: cosines of one signal
    assert np.all(np.abs(directions()) < 0.95)


# --- estimators and metrics ----------------------------------------------------------------------

LAW = DynamicSignal(n_patches=5, patch_size=4, noise=0.15)


@pytest.mark.parametrize(
    ("estimator", "grid", "metric"),
    [
        (LAW, None, "error"),
        (LAW, None, "squared_risk"),
        (LogisticRegression(), {"C": [0.1, 1.0]}, "error"),
        (LogisticRegression(), [{"C": [0.1]}, {"C": [1.0], "fit_intercept": [False]}], "error"),
        (make_pipeline(StandardScaler(), LogisticRegression()), None, "excess_error"),
        (
            make_pipeline(StandardScaler(), LogisticRegression()),
            {"logisticregression__C": [0.1, 1.0]},
            "squared_risk",
        ),
        (LinearSVC(), None, "error"),
        (Ridge(), {"alpha": [0.1, 1.0]}, "squared_risk"),
    ],
)
def test_any_estimator_will_do(estimator, grid, metric):
    found = sklcnn.sample_complexity(
        estimator, LAW, metric=metric, param_grid=grid, tolerance=0.2, n_max=128, repeats=3
    )
    assert np.isfinite(found.n_samples)
    assert found.results.query("n == n.max()").success.all()
    assert found.target == pytest.approx(found.optimum + 0.2)


def test_maximum_likelihood_needs_fewer_samples_than_a_linear_rule():
    law = DynamicSignal(n_patches=10, patch_size=10, noise=0.2)
    best, linear = (
        search(estimator, law, tolerance=0.08, n_max=512)
        for estimator in (law, LogisticRegression(fit_intercept=False))
    )
    assert best.high < linear.low


def test_optimum_of_each_metric_closed_form():
    law = DynamicSignal(n_patches=20, patch_size=2, noise=0.2)
    network = sklcnn.dsd_network("cnn", 20, 2, max_iter=1)

    def optimum(estimator, metric):
        options = {"n_min": 8, "n_max": 8, "repeats": 1}
        return sklcnn.sample_complexity(estimator, law, metric=metric, **options).optimum

    # Values of importance sampling and quadrature, to the digits that they have.
    assert optimum(network, "error") == pytest.approx(0.00285, rel=0.02)
    assert optimum(network, "squared_risk") == pytest.approx(0.1631, abs=1e-4)
    assert optimum(LogisticRegression(), "squared_risk") == pytest.approx(0.0087, abs=1e-4)
    assert optimum(network, "excess_error") == 0


def test_risk_of_a_network_is_that_of_the_population():
    law = DynamicSignal(n_patches=5, patch_size=4, noise=0.1, random_state=5)
    network = sklcnn.dsd_network("cnn", 5, 4, random_state=5)
    options = {"metric": "squared_risk", "n_min": 20, "n_max": 20, "repeats": 1}
    (risk,) = search(network, law, **options).results.risk
    seeds = np.random.SeedSequence(0).spawn(1)[0].generate_state(4) >> 1
    X, y = law.sample(20, random_state=int(seeds[1]))
    assert risk == pytest.approx(population_risk(network.fit(X, y), law, "squared_risk"), rel=1e-6)


def test_regression_law_with_a_target():
    law = SphereTeacher(n_features=12, patch_size=4, n_filters=2, noise=0.1)
    options = {"metric": "squared_risk", "target": 0.5, "n_max": 64}
    found = search(Ridge(alpha=1e-3), law, **options)
    assert np.isnan(found.optimum)
    assert np.isfinite(found.results.risk).all()


@pytest.mark.parametrize("family", ["cnn", "lcn"])
def test_fleet_equals_loop(family):
    network = sklcnn.dsd_network(family, 5, 4, dtype="float64", max_iter=100)
    options = {
        "metric": "squared_risk",
        "param_grid": {"learning_rate_init": [0.1, 0.5]},
        "n_max": 32,
        "repeats": 2,
    }
    law = DynamicSignal(n_patches=5, patch_size=4, noise=0.1)
    stacked, single = (
        sklcnn.sample_complexity(network, law, fleet=fleet, **options) for fleet in (True, False)
    )
    assert stacked.n_samples == single.n_samples
    columns = ["n", "repeat", "risk", "success", "learning_rate_init"]
    # float64 sums in another order
    pd.testing.assert_frame_equal(stacked.results[columns], single.results[columns], rtol=1e-9)
    assert (stacked.results.seconds > 0).all()


def test_processes_change_nothing():
    law = DynamicSignal(n_patches=4, patch_size=5, noise=0.2)
    options = {"param_grid": {"C": [0.1, 1.0]}, "n_max": 32}
    one, two = (search(LogisticRegression(), law, n_jobs=n, **options) for n in (None, 2))
    pd.testing.assert_frame_equal(one.results, two.results)


def test_law_and_estimator_are_left_as_they_were():
    law, estimator = DynamicSignal(n_patches=2, patch_size=3, noise=0.1), LogisticRegression()
    search(estimator, law, n_max=16, param_grid={"C": [7.0]})
    assert law.random_state is None
    assert (estimator.C, hasattr(estimator, "coef_")) == (1.0, False)


# --- failing fits --------------------------------------------------------------------------------


class Fragile(Forgetful):
    """Fails on some numbers of samples."""

    def __init__(self, constant=10.0, luck=0.0, random_state=None, fails=(), reason="too few"):
        super().__init__(constant, luck, random_state)
        self.fails = fails
        self.reason = reason

    def fit(self, X, y):
        if len(X) in self.fails:
            raise ValueError(f"{self.reason}: {len(X)} samples")
        return super().fit(X, y)


def test_failing_fits_are_failures():
    found = search(Fragile(fails=(108, 128)), target=0.1)
    assert found.results.query("n in (108, 128)").risk.eq(np.inf).all()
    assert not found.results.query("n in (108, 128)").success.any()
    assert found.n_samples > 128
    # Of one repeat, a size that fails alone is no error either.
    assert search(Fragile(fails=(256,)), target=0.01, n_max=300, repeats=1).censored == "above"


def test_failing_candidates_lose():
    grid = {"fails": [(), tuple(range(3000))]}
    for selection in ("validation", "test"):
        found = search(Fragile(), target=0.1, param_grid=grid, selection=selection)
        assert found.n_samples == pytest.approx(np.sqrt(91 * 108))
        assert set(found.results.fails) == {()}


def test_diverged_candidates_lose():
    law = DynamicSignal(n_patches=5, patch_size=4, noise=0.1)
    network = sklcnn.dsd_network("cnn", 5, 4, max_iter=50, solver="gd", learning_rate_init=0.02)
    options = {"metric": "squared_risk", "target": 0.9, "n_max": 32, "selection": "test"}
    alone = search(network, law, **options)
    beside = search(network, law, param_grid={"learning_rate_init": [1e30, 0.02]}, **options)
    np.testing.assert_allclose(beside.results.risk, alone.results.risk, rtol=1e-6)
    assert set(beside.results.learning_rate_init) == {0.02}


def test_failing_predictions_are_failures():
    """Neighbors are counted when they are asked for."""
    law = DynamicSignal(n_patches=2, patch_size=2, noise=0.05)
    found = search(KNeighborsClassifier(20), law, n_min=8, n_max=256, n_per_octave=1)
    few = found.results.query("n < 20")
    assert len(few)
    assert few.risk.eq(np.inf).all()
    assert found.results.query("n > 20").risk.lt(np.inf).all()
    with pytest.raises(ValueError, match="n_neighbors <= n_samples_fit"):
        search(KNeighborsClassifier(999), law, n_max=128)


def test_all_fits_failing_raises_the_first_error():
    with pytest.raises(ValueError, match="too few: 8 samples"):
        search(Fragile(fails=tuple(range(2000))), target=0.1)


def test_errors_that_are_not_of_values_pass():
    class Broken(Forgetful):
        def fit(self, X, y):
            raise RuntimeError("out of order")

    with pytest.raises(RuntimeError, match="out of order"):
        search(Broken(), target=0.1)


# --- bad input -----------------------------------------------------------------------------------


class Blind(Plain):
    """A law that does not know its optimum."""

    bayes_error = property()


SMALL = DynamicSignal(n_patches=5, patch_size=4, noise=0.3)

BAD = [
    ({"target": -0.1}, r"target=-0.1 is out of reach: the optimum is 0; it must be larger"),
    ({"law": SMALL, "target": 0.01}, r"target=0.01 is out of reach: the optimum is 0\.0"),
    ({"target": 0.0, "metric": "excess_error"}, r"target=0.0 .* the optimum is 0"),
    ({"tolerance": 0.0}, r"tolerance=0.0 must be positive"),
    ({"tolerance": np.nan}, r"tolerance=nan must be positive"),
    ({"n_min": 9, "n_max": 8}, r"n_min=9 must be at least 2 and at most n_max=8"),
    ({"n_min": 1}, r"n_min=1 must be at least 2"),
    ({"n_max": 99.5}, r"n_max=99.5 must be a whole number"),
    ({"n_per_octave": 0}, r"n_per_octave=0 must be at least 1"),
    ({"n_per_octave": 1.5}, r"n_per_octave=1.5 must be a whole number"),
    ({"metric": "loss"}, r"metric='loss' must be one of .*'squared_risk', 'error', 'excess_error'"),
    ({"selection": "luck"}, r"selection='luck' must be one of .*'validation', 'test'"),
    ({"validation_fraction": 0.0}, r"validation_fraction=0.0 must lie between 0 and 1"),
    ({"validation_fraction": 1.0}, r"validation_fraction=1.0 must lie between 0 and 1"),
    ({"repeats": 0}, r"repeats=0 must be at least 1"),
    ({"repeats": 2.5}, r"repeats=2.5 must be a whole number"),
    ({"confidence": 95}, r"confidence=95 must lie between 0 and 1"),
    ({"random_state": -1}, r"random_state=-1 must not be negative"),
    ({"n_test": 0}, r"n_test=0 must be an integer of at least 1"),
    ({"law": Blind()}, r"target=None needs the best error of the law.*Blind.*give a number"),
    ({"law": Blind(), "metric": "excess_error"}, r"'excess_error' needs a law with bayes_error"),
    ({"metric": "squared_risk"}, r"target=None needs the best squared_risk of the law"),
    ({"law": 3}, r"law=3 must draw samples"),
    ({"param_grid": {"nothing": [1]}}, r"Invalid parameter 'nothing' for estimator Forgetful"),
    (
        {"estimator": LinearSVC(), "law": SMALL, "metric": "squared_risk"},
        r"metric='squared_risk' needs predict_proba, which LinearSVC does not",
    ),
    (
        {"estimator": sklcnn.dsd_network("cnn", 5, 5), "law": SMALL},
        r"25.* features, but X has 20",
    ),
    (
        {"estimator": sklcnn.dsd_network("lcn", 4, 4), "law": SMALL},
        r"16.* features, but X has 20",
    ),
]


@pytest.mark.parametrize(
    ("options", "words"), BAD, ids=[f"{row[1][:24]}-{i}" for i, row in enumerate(BAD)]
)
def test_bad_input_is_named(options, words):
    with pytest.raises(ValueError, match=words):
        search(**options)


# --- many searches -------------------------------------------------------------------------------


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_searches_side_by_side_equal_single_ones(n_jobs):
    law = DynamicSignal(n_patches=2, patch_size=3, noise=0.2)
    options = {"repeats": 2, "n_max": 64, "tolerance": 0.05}
    regularized = [LogisticRegression(C=C) for C in (0.1, 1.0, 10.0)]
    searches = [
        Search({"C": estimator.C}, estimator, law, options, cost=estimator.C)
        for estimator in regularized
    ]
    with FitProgress(11.1, enabled=False) as progress:
        found = {s.labels["C"]: (s, one) for s, one in run_searches(searches, progress, n_jobs)}
    assert set(found) == {0.1, 1.0, 10.0}
    for estimator in regularized:
        one, row = found[estimator.C][1], search_row({"C": estimator.C}, found[estimator.C][1])
        single = sklcnn.sample_complexity(estimator, law, **options)
        pd.testing.assert_frame_equal(
            one.results.drop(columns="seconds"), single.results.drop(columns="seconds")
        )
        assert (row["C"], row["n_samples"], row["repeats"]) == (estimator.C, single.n_samples, 2)
        assert row["n_max"] == single.results.n.max()
