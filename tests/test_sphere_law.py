"""The sphere with a teacher: its geometry, its regression function, and its least squares fit."""

import copy
import pickle

import numpy as np
import pytest
from scipy.stats import beta, kstest
from sklearn.base import clone, is_regressor
from sklearn.model_selection import learning_curve
from sklearn.utils.validation import check_is_fitted

from sklcnn.datasets import SphereTeacher, make_sphere

# --- samples -------------------------------------------------------------------------------------


def test_sample_closed_form_uniform_on_the_sphere():
    X, _ = make_sphere(n_samples=5000, n_features=40, patch_size=10, random_state=0)
    np.testing.assert_allclose(np.linalg.norm(X, axis=1), 1)
    assert (np.abs(X.mean(axis=0)) < 4.5 / (5000 * 40) ** 0.5).all()
    second = X.T @ X / 5000
    assert np.abs(second - np.eye(40) / 40).max() < 5 * (2 / 40**2 / 5000) ** 0.5


def test_sample_closed_form_patch_norms_are_beta():
    # ||z||^2 ~ Beta(m/2, (d - m)/2) for a patch z of m of the d features; mean m/d.
    X, _ = make_sphere(n_samples=5000, n_features=40, patch_size=10, random_state=0)
    norms = (X.reshape(-1, 4, 10) ** 2).sum(axis=2)
    assert (np.abs(norms.mean(axis=0) - 10 / 40) < 4 * beta.std(5, 15) / 5000**0.5).all()
    for patch in range(4):
        assert kstest(norms[:, patch], beta(5, 15).cdf).pvalue > 1e-3


def test_sample_closed_form_noise():
    law = SphereTeacher(noise=0.7, random_state=0)
    _, y, clean = law.sample(20_000, random_state=1, return_clean=True)
    noise = y - clean
    assert abs(noise.mean()) < 4 * 0.7 / 20_000**0.5
    assert noise.var() == pytest.approx(0.49, rel=4 * (2 / 20_000) ** 0.5)
    assert abs(np.corrcoef(noise, clean)[0, 1]) < 4 / 20_000**0.5


def test_teacher_closed_form_moments():
    teacher = SphereTeacher(n_filters=2000, random_state=0).teacher
    assert teacher.filters.shape == (2000, 10)
    assert teacher.filters.mean() == pytest.approx(0, abs=4 / 20_000**0.5)
    assert teacher.filters.var() == pytest.approx(1, rel=4 * (2 / 20_000) ** 0.5)
    assert teacher.readout.var() == pytest.approx(1, rel=4 * (2 / 2000) ** 0.5)
    assert np.abs(teacher.thresholds).max() <= 0.5
    assert teacher.thresholds.var() == pytest.approx(1 / 12, rel=0.1)
    intercepts = [SphereTeacher(random_state=seed).teacher.intercept for seed in range(200)]
    assert np.abs(intercepts).max() <= 1
    assert np.var(intercepts) == pytest.approx(1 / 3, rel=0.3)


def test_sample_invariance_smaller_sample_is_a_prefix():
    law = SphereTeacher(random_state=0)
    for few, many in zip(
        law.sample(13, random_state=5, return_clean=True),
        law.sample(100, random_state=5, return_clean=True),
        strict=True,
    ):
        np.testing.assert_allclose(few, many[:13], rtol=1e-12)  # sums may differ in order


# --- the regression function ---------------------------------------------------------------------


def test_predict_oracle_explicit_sum():
    law = SphereTeacher(n_features=12, patch_size=4, n_filters=5, random_state=0)
    X, _, clean = law.sample(6, random_state=1, return_clean=True)
    teacher = law.teacher
    for x, target in zip(X, clean, strict=True):
        total = teacher.intercept
        for w, b, v in zip(teacher.filters, teacher.thresholds, teacher.readout, strict=True):
            total += v * np.mean([max(w @ x[i : i + 4] - b, 0) for i in (0, 4, 8)])
        assert target == pytest.approx(total)
    np.testing.assert_allclose(law.predict(X), clean)


def test_predict_invariance_order_of_patches():
    law = SphereTeacher(n_features=30, patch_size=10, random_state=0)
    X, _ = law.sample(20, random_state=1)
    shuffled = X.reshape(20, 3, 10)[:, [2, 0, 1]].reshape(20, 30)
    np.testing.assert_allclose(law.predict(shuffled), law.predict(X))


def test_bayes_error_closed_form_is_that_of_predict():
    law = SphereTeacher(noise=0.5, random_state=0)
    X, y = law.sample(20_000, random_state=1)
    risk = np.mean((law.predict(X) - y) ** 2)
    margin = 4 * (2 / 20_000) ** 0.5  # relative
    assert law.bayes_error() == 0.25
    assert risk == pytest.approx(0.25, rel=margin)
    assert law.bayes_error(method="simulation") == pytest.approx(0.25, rel=margin)


# --- fit -----------------------------------------------------------------------------------------


def test_fit_limit_without_noise():
    law = SphereTeacher(n_features=20, patch_size=5, n_filters=6, noise=0, random_state=0)
    X, y = law.sample(100, random_state=1)
    law.fit(X, y)
    np.testing.assert_allclose(law.coef_, law.teacher.readout, atol=1e-9)
    assert law.intercept_ == pytest.approx(law.teacher.intercept)
    assert law.noise_ < 1e-12


def test_fit_oracle_normal_equations():
    law = SphereTeacher(n_features=20, patch_size=5, n_filters=6, noise=0.3, random_state=0)
    X, y = law.sample(40, random_state=1)
    law.fit(X, y)
    teacher = law.teacher
    hidden = np.einsum("njm,km->njk", X.reshape(40, 4, 5), teacher.filters) - teacher.thresholds
    design = np.column_stack([np.maximum(hidden, 0).mean(axis=1), np.ones(40)])
    solution = np.linalg.solve(design.T @ design, design.T @ y)
    np.testing.assert_allclose([*law.coef_, law.intercept_], solution, rtol=1e-6)
    np.testing.assert_allclose(law.predict(X), design @ solution)
    residual = y - design @ solution
    assert law.noise_ == pytest.approx((residual @ residual / (40 - 7)) ** 0.5)


def test_fit_closed_form_unbiased_noise_and_excess():
    # Least squares in p dimensions: E[noise_^2] = noise^2; in-sample excess noise^2 p / n.
    law = SphereTeacher(n_features=20, patch_size=5, n_filters=6, noise=1, random_state=0)
    variances, excesses = [], []
    for seed in range(400):
        X, y, clean = law.sample(30, random_state=seed, return_clean=True)
        twin = clone(law).fit(X, y)
        variances.append(twin.noise_**2)
        excesses.append(np.mean((twin.predict(X) - clean) ** 2))
    assert np.mean(variances) == pytest.approx(1, abs=4 * (2 / 23 / 400) ** 0.5)
    assert np.mean(excesses) == pytest.approx(7 / 30, abs=4 * (2 * 7 / 400) ** 0.5 / 30)


@pytest.mark.parametrize("n_samples", [1, 2, 10, 21])
def test_fit_limit_fewer_samples_than_numbers(n_samples):
    law = SphereTeacher(random_state=0)  # 21 numbers to estimate
    X, y = law.sample(n_samples, random_state=1)
    law.fit(X, y)
    np.testing.assert_allclose(law.predict(X), y)  # interpolates
    assert np.isnan(law.noise_)
    if n_samples == 1:
        np.testing.assert_array_equal(law.coef_, 0)  # the least norm


def test_fit_contract_only_predictions_change():
    law = SphereTeacher(random_state=0)
    X, y = law.sample(200, random_state=1)
    readout, before = law.teacher.readout, law.predict(X)
    law.fit(X, y)
    assert (law.predict(X) != before).all()
    np.testing.assert_array_equal(law.teacher.readout, readout)
    np.testing.assert_array_equal(law.sample(200, random_state=1)[1], y)
    assert law.bayes_error() == 1


# --- randomness ----------------------------------------------------------------------------------


def test_random_state_contract_one_teacher_for_train_and_test():
    law = SphereTeacher(noise=0, random_state=0)
    X, y = law.sample(50, random_state=1)
    X_test, y_test = law.sample(50, random_state=2)
    assert (X_test != X).all()
    np.testing.assert_allclose(law.predict(X), y)
    np.testing.assert_allclose(law.predict(X_test), y_test)


def test_random_state_contract_same_seed_same_data():
    X, y = make_sphere(n_samples=20, random_state=7)
    law = SphereTeacher(random_state=7)
    again = law.sample(20, random_state=7)
    np.testing.assert_array_equal(again[0], X)
    np.testing.assert_array_equal(again[1], y)
    assert (law.sample(20, random_state=8)[0] != X).all()
    assert (law.sample(20)[0] != law.sample(20)[0]).all()
    assert (SphereTeacher(random_state=8).teacher.filters != law.teacher.filters).all()


def test_random_state_contract_streams_are_independent():
    # With one seed for all, teacher, inputs and noise must not repeat each other's numbers.
    law = SphereTeacher(n_features=1000, n_filters=100, random_state=0)
    X, y, clean = law.sample(1000, random_state=0, return_clean=True)
    draws = [X[0], law.teacher.filters.ravel(), y - clean]
    correlations = np.corrcoef(draws)[np.triu_indices(3, k=1)]
    assert (np.abs(correlations) < 4 / 1000**0.5).all()


@pytest.mark.parametrize("make_state", [lambda: None, lambda: np.random.RandomState(0)])
def test_random_state_contract_law_agrees_with_itself(make_state):
    law = SphereTeacher(noise=0, random_state=make_state())
    X, y = law.sample(20, random_state=law.random_state)
    for twin in (law, clone(law), copy.deepcopy(law), pickle.loads(pickle.dumps(law))):
        np.testing.assert_allclose(twin.predict(X), y)


def test_random_state_contract_global_state_untouched():
    before = np.random.get_state()
    law = SphereTeacher()
    law.fit(*law.sample(30))
    law.bayes_error(method="simulation")
    make_sphere()
    after = np.random.get_state()
    assert before[2:] == after[2:]
    np.testing.assert_array_equal(before[1], after[1])


# --- scikit-learn --------------------------------------------------------------------------------


def test_sklearn_contract_parameters():
    law = SphereTeacher(n_features=30, random_state=5)
    assert clone(law).get_params() == law.get_params() == vars(law)
    assert is_regressor(law)
    check_is_fitted(law)  # needs no fit


def test_sklearn_contract_learning_curve():
    law = SphereTeacher(n_features=20, patch_size=5, n_filters=4, noise=0.05)
    X, y = law.sample(300)
    _, _, scores = learning_curve(law, X, y, train_sizes=[10, 200], cv=3)
    assert scores.shape == (2, 3)
    assert scores[1].mean() > scores[0].mean()


# --- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"patch_size": 7}, "n_features=100 is no multiple of patch_size=7: .* 98 or 105 features"),
        ({"patch_size": 200}, r"n_features=100 is no multiple of patch_size=200.* 200 features"),
        ({"n_filters": 0}, r"'n_filters' .* in the range \[1, inf\). Got 0"),
        ({"noise": -1}, r"'noise' .* in the range \[0\.0, inf\). Got -1"),
        ({"random_state": "seed"}, "'random_state' .* Got 'seed'"),
    ],
)
def test_bad_input_contract_parameters(parameters, message):
    law = SphereTeacher(**parameters)
    X, y = np.ones((4, 100)), np.arange(4.0)
    for use in (
        lambda: law.sample(3),
        lambda: law.predict(X),
        lambda: law.fit(X, y),
        lambda: law.bayes_error(),
    ):
        with pytest.raises(ValueError, match=message):
            use()


def test_bad_input_contract_data():
    law = SphereTeacher(n_features=20)
    message = "X has 7 features, but the law has n_features=20"
    with pytest.raises(ValueError, match=message):
        law.predict(np.ones((4, 7)))
    with pytest.raises(ValueError, match=message):
        law.fit(np.ones((4, 7)), np.arange(4.0))
    with pytest.raises(ValueError, match="contains NaN"):
        law.predict(np.full((4, 20), np.nan))
    with pytest.raises(ValueError, match=r"'n_samples' parameter of SphereTeacher\.sample"):
        law.sample(0)
    with pytest.raises(ValueError, match="'closed_form' or 'simulation', got 'guess'"):
        law.bayes_error(method="guess")
