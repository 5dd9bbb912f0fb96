"""The laws with a teacher: where their inputs lie, what their targets are, how much these vary."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
from scipy.stats import beta, chisquare, kstest, uniform
from sklearn.base import clone, is_regressor
from sklearn.model_selection import cross_val_score
from sklearn.utils.estimator_checks import check_estimator
from sklearn.utils.validation import check_is_fitted

from sklcnn import CNNRegressor
from sklcnn.datasets import (
    BallMixtureTeacher,
    BallTeacher,
    BetaTeacher,
    IdenticalPatchesTeacher,
    LocalTeacher,
    PatchwiseSphereTeacher,
    RotatedLaw,
    SphereTeacher,
    make_sphere,
)
from sklcnn.patches import check_patch_indices

SIZES = {"n_features": 12, "patch_size": 4, "n_filters": 5, "noise": 0.2, "random_state": 0}
LINES = {"n_balls": 3, "ball_dimension": 2}
WITH_FILTERS = [
    SphereTeacher(**SIZES),
    BallTeacher(**SIZES),
    BetaTeacher(alpha=0.5, **SIZES),
    BallMixtureTeacher(**LINES, **SIZES),
    BallMixtureTeacher(**LINES, offset=2.0, **SIZES),
    PatchwiseSphereTeacher(3, 4, 5, 0.2, random_state=0),
    IdenticalPatchesTeacher(3, 4, 6, 5, 0.2, random_state=0),
    IdenticalPatchesTeacher(3, 4, 0, 5, 0.2, random_state=0),
]
LINEAR = [
    clone(law).set_params(target="linear", patch_size=5)  # idle: 5 does not divide 12
    for law in WITH_FILTERS
    if "target" in law.get_params()
]
LAWS = WITH_FILTERS + LINEAR
each_law = pytest.mark.parametrize("law", LAWS, ids=repr)
each_law_with_filters = pytest.mark.parametrize("law", WITH_FILTERS, ids=repr)
each_linear_law = pytest.mark.parametrize("law", LINEAR, ids=repr)


def lengths(X):
    return np.linalg.norm(X, axis=-1)


# --- inputs: isotropic ---------------------------------------------------------------------------


@pytest.mark.parametrize("alpha", [0.1, 0.5, 1.0, 5.0])
def test_beta_closed_form_mass_near_the_sphere(alpha):
    X, _ = BetaTeacher(20, alpha).sample(4000, random_state=0)
    gaps = 1 - lengths(X)
    assert kstest(gaps, beta(alpha, 1).cdf).pvalue > 1e-3
    for gap in (0.05, 0.3, 0.8):  # P(||x|| >= 1 - s) = s^alpha
        share = gap**alpha
        assert np.mean(gaps <= gap) == pytest.approx(share, abs=4 * (share / 4000) ** 0.5)


@pytest.mark.parametrize("n_features", [1, 2, 30])
def test_ball_closed_form_uniform(n_features):
    X, _ = BallTeacher(n_features, patch_size=1).sample(4000, random_state=0)
    radii = lengths(X)
    assert kstest(radii**n_features, uniform.cdf).pvalue > 1e-3
    mean = n_features / (n_features + 2)  # of the squared length
    assert np.mean(radii**2) == pytest.approx(mean, abs=4 * (radii**2).std() / 4000**0.5)
    # A feature of a uniform point of the ball: its square is Beta(1/2, (d + 1) / 2).
    assert kstest(X[:, 0] ** 2, beta(0.5, (n_features + 1) / 2).cdf).pvalue > 1e-3


@pytest.mark.parametrize("law", [BallTeacher(20), BetaTeacher(20, 0.5), BetaTeacher(20, 4.0)])
def test_isotropic_closed_form_directions_uniform_and_apart_from_radii(law):
    X, _ = law.sample(4000, random_state=0)
    radii = lengths(X)
    directions = X / radii[:, None]
    for direction in directions.T[:5]:
        assert kstest(direction**2, beta(0.5, 19 / 2).cdf).pvalue > 1e-3
        assert abs(np.mean(direction > 0) - 0.5) < 4 * 0.5 / 4000**0.5
        assert abs(np.corrcoef(direction**2, radii)[0, 1]) < 4 / 4000**0.5
    second = directions.T @ directions / 4000
    assert np.abs(second - np.eye(20) / 20).max() < 5 * (2 / 20**2 / 4000) ** 0.5


def test_beta_limit_sphere_and_center():
    X, _ = SphereTeacher(20).sample(50, random_state=3)
    near, _ = BetaTeacher(20, 1e-4).sample(50, random_state=3)
    np.testing.assert_allclose(near, X, atol=1e-12)
    far, _ = BetaTeacher(20, 1e8).sample(50, random_state=3)
    assert lengths(far).min() > 0  # 1 - u^(1 / alpha) without loss of digits
    assert lengths(far).max() < 1e-6


def test_beta_limit_is_the_ball_in_one_dimension():
    segment, _ = BetaTeacher(1, 1.0, patch_size=1).sample(50, random_state=3)
    np.testing.assert_allclose(segment, BallTeacher(1, 1).sample(50, random_state=3)[0])


# --- inputs: mixture of balls --------------------------------------------------------------------


@pytest.mark.parametrize("offset", [0.0, 2.0])
def test_mixture_closed_form_uniform_on_its_balls(offset):
    law = BallMixtureTeacher(30, 4, 3, offset=offset, random_state=0)
    X, _ = law.sample(4000, random_state=2)
    subspaces = law.subspaces
    products = subspaces.bases @ subspaces.bases.transpose(0, 2, 1)
    np.testing.assert_allclose(products, np.broadcast_to(np.eye(3), (4, 3, 3)), atol=1e-12)
    np.testing.assert_allclose(lengths(subspaces.centers), offset)
    np.testing.assert_allclose(
        (subspaces.bases @ subspaces.centers[:, :, None])[:, :, 0], 0, atol=1e-12
    )
    # Each input lies in the subspace of one ball, in the unit ball around its center.
    relative = X[:, None] - subspaces.centers  # (n_samples, n_balls, n_features)
    inside = np.einsum("nbd,bkd->nbk", relative, subspaces.bases)
    outside = lengths(relative - np.einsum("nbk,bkd->nbd", inside, subspaces.bases))
    assert (np.sort(outside, axis=1)[:, 0] < 1e-12).all()
    assert (np.sort(outside, axis=1)[:, 1] > 1e-6).all()
    ball = outside.argmin(axis=1)
    assert chisquare(np.bincount(ball)).pvalue > 1e-3
    points = inside[np.arange(4000), ball]
    for index in range(4):
        assert kstest(lengths(points[ball == index]) ** 3, uniform.cdf).pvalue > 1e-3
    assert kstest(points[:, 0] ** 2, beta(0.5, 2).cdf).pvalue > 1e-3
    assert lengths(X).max() <= (1 + offset**2) ** 0.5


@pytest.mark.parametrize(("offset", "rank"), [(0.0, 8), (0.5, 12)])
def test_mixture_closed_form_rank(offset, rank):
    law = BallMixtureTeacher(40, 4, 2, offset=offset, random_state=0)
    X, _ = law.sample(300, random_state=1)
    assert np.linalg.matrix_rank(X) == rank  # 4 planes, and 4 centers if they are off the origin


def test_mixture_closed_form_directions_are_uniform():
    # In three dimensions each entry of a uniform direction is uniform; a basis has no sign.
    law = BallMixtureTeacher(3, 3000, 1, patch_size=1, offset=1.5, random_state=0)
    subspaces = law.subspaces
    for entry in subspaces.bases[:, 0].T:
        assert kstest(np.abs(entry), uniform.cdf).pvalue > 1e-3
    for entry in subspaces.centers.T / 1.5:
        assert kstest(entry, uniform(-1, 2).cdf).pvalue > 1e-3


def test_mixture_limit_one_ball_of_all_dimensions():
    X, _ = BallMixtureTeacher(20, 1, 20, random_state=0).sample(50, random_state=3)
    ball, _ = BallTeacher(20).sample(50, random_state=3)
    np.testing.assert_allclose(X @ X.T, ball @ ball.T, atol=1e-12)  # equal up to a rotation


# --- inputs: patches on spheres ------------------------------------------------------------------


def test_patchwise_closed_form_uniform_and_independent():
    X, _ = PatchwiseSphereTeacher(4, 5).sample(4000, random_state=0)
    np.testing.assert_allclose(lengths(X.reshape(-1, 4, 5)), 1)
    second = X.T @ X / 4000
    assert np.abs(second - np.eye(20) / 5).max() < 5 * (2 / 5**2 / 4000) ** 0.5
    for feature in X.T[::5]:
        assert kstest(feature**2, beta(0.5, 2).cdf).pvalue > 1e-3


def test_patchwise_limit_one_patch_is_the_sphere():
    patchwise = PatchwiseSphereTeacher(1, 10, 20, random_state=3).sample(50, random_state=4)
    sphere = make_sphere(n_samples=50, n_features=10, random_state=3)
    np.testing.assert_allclose(patchwise[0], SphereTeacher(10).sample(50, random_state=4)[0])
    assert (patchwise[0] != sphere[0]).all()  # another seed
    same = SphereTeacher(10, random_state=3).sample(50, random_state=4)
    np.testing.assert_allclose(patchwise[1], same[1])


def test_identical_patches_closed_form_one_vector():
    law = IdenticalPatchesTeacher(4, 5, 3, random_state=0)
    X, _ = law.sample(4000, random_state=1)
    patches = X.reshape(-1, 4, 5)
    np.testing.assert_array_equal(patches, patches[:, :1].repeat(4, axis=1))
    np.testing.assert_allclose(lengths(patches), 1)
    assert kstest(X[:, 0] ** 2, beta(0.5, 2).cdf).pvalue > 1e-3
    assert law.n_features == 20


def test_identical_patches_invariance_number_of_patches():
    # Without random views every patch says the same.
    many = IdenticalPatchesTeacher(6, 5, 0, random_state=0)
    X, _, clean = many.sample(30, random_state=1, return_clean=True)
    one = PatchwiseSphereTeacher(1, 5, random_state=0)
    np.testing.assert_allclose(one.predict(X[:, :5]), clean)


# --- patches of the teacher ----------------------------------------------------------------------


def test_patch_indices_closed_form_blocks():
    blocks = np.arange(12).reshape(3, 4)
    for law in WITH_FILTERS:
        np.testing.assert_array_equal(law.patch_indices[:3], blocks)
        check_patch_indices(law.patch_indices, 12)
    assert [len(law.patch_indices) for law in WITH_FILTERS] == [3] * 6 + [9, 3]
    for law in LINEAR:
        np.testing.assert_array_equal(law.patch_indices, [range(12)])


def test_patch_indices_invariance_random_views():
    law = IdenticalPatchesTeacher(3, 4, 6, random_state=0)
    views = law.patch_indices[3:]
    assert all(len(set(view)) == 4 for view in views)
    np.testing.assert_array_equal(law.patch_indices[3:], views)  # teacher and student agree
    more = clone(law).set_params(n_random_views=200).patch_indices[3:]
    np.testing.assert_array_equal(more[:6], views)
    assert chisquare(np.bincount(more.ravel())).pvalue > 1e-3
    assert (clone(law).set_params(random_state=1).patch_indices[3:] != views).any()


def test_patch_indices_contract_a_network_takes_them():
    law = IdenticalPatchesTeacher(3, 4, 6, 5, 0.0, random_state=0)
    X, y = law.sample(60, random_state=1)
    options = {"pooling": "mean", "dtype": "float64", "max_iter": 500, "learning_rate_init": 0.01}
    network = CNNRegressor(64, patch_indices=law.patch_indices, **options, random_state=0)
    assert network.fit(X, y).score(X, y) > 0.9  # the teacher is one of its functions


# --- the regression function ---------------------------------------------------------------------


@each_law_with_filters
def test_predict_oracle_explicit_sum(law):
    X, _, clean = law.sample(6, random_state=1, return_clean=True)
    teacher = law.teacher
    for x, value in zip(X, clean, strict=True):
        total = teacher.intercept
        for w, b, v in zip(teacher.filters, teacher.thresholds, teacher.readout, strict=True):
            total += v * np.mean([max(w @ x[view] - b, 0) for view in law.patch_indices])
        assert value == pytest.approx(total)
    np.testing.assert_allclose(law.predict(X), clean)


@each_linear_law
def test_predict_closed_form_linear(law):
    X, _, clean = law.sample(20, random_state=1, return_clean=True)
    direction = law.teacher.readout
    assert np.linalg.norm(direction) == pytest.approx(1)
    np.testing.assert_allclose(clean, X @ direction)
    np.testing.assert_allclose(law.predict(X), clean)


def test_linear_closed_form_uniform_direction():
    laws = [BallTeacher(3, target="linear", random_state=seed) for seed in range(500)]
    for entry in np.array([law.teacher.readout for law in laws]).T:
        assert kstest(entry, uniform(-1, 2).cdf).pvalue > 1e-3


def test_teacher_invariance_law_of_the_inputs():
    # Laws of one size and seed share their teacher, so that they differ in their inputs alone.
    for laws in (WITH_FILTERS, LINEAR):
        for law in laws:
            np.testing.assert_array_equal(law.teacher.readout, laws[0].teacher.readout)


@each_law
def test_sample_closed_form_clean_and_noise(law):
    X, y, clean = law.sample(5000, random_state=1, return_clean=True)
    noise = (y - clean) / 0.2
    assert abs(noise.mean()) < 4 / 5000**0.5
    assert noise.var() == pytest.approx(1, rel=4 * (2 / 5000) ** 0.5)
    assert abs(np.corrcoef(noise, clean)[0, 1]) < 4 / 5000**0.5
    assert law.bayes_error() == pytest.approx(0.04)
    assert law.bayes_error(method="simulation") == pytest.approx(0.04, rel=0.04)
    without = law.sample(5000, random_state=1)
    np.testing.assert_array_equal(without[0], X)
    np.testing.assert_array_equal(without[1], y)


def test_make_sphere_contract_is_the_law():
    made = make_sphere(
        n_samples=9, n_features=6, target="linear", return_clean=True, random_state=2
    )
    law = SphereTeacher(6, target="linear", random_state=2)
    drawn = law.sample(9, random_state=2, return_clean=True)
    for one, other in zip(made, drawn, strict=True):
        np.testing.assert_array_equal(one, other)


# --- variance of the target ----------------------------------------------------------------------


def variance_and_error(values):
    """The variance of a sample, and its standard error."""
    squares = (values - values.mean()) ** 2
    return squares.mean(), squares.std() / len(values) ** 0.5


@each_linear_law
def test_target_variance_oracle_simulation(law):
    _, _, clean = law.sample(40_000, random_state=1, return_clean=True)
    variance, error = variance_and_error(clean)
    assert law.target_variance() == pytest.approx(variance, abs=4 * error)


def test_target_variance_closed_form_linear():
    options = {"target": "linear", "random_state": 0}
    assert SphereTeacher(50, **options).target_variance() == pytest.approx(1 / 50)
    assert BallTeacher(50, **options).target_variance() == pytest.approx(1 / 52)
    assert BetaTeacher(50, 1.0, **options).target_variance() == pytest.approx(1 / 150)
    assert BetaTeacher(50, 1e-9, **options).target_variance() == pytest.approx(1 / 50)
    whole = BallMixtureTeacher(50, 7, 50, **options)  # balls of all dimensions
    assert whole.target_variance() == pytest.approx(1 / 52)


@each_law_with_filters
def test_target_variance_oracle_another_simulation(law):
    _, _, clean = law.sample(40_000, random_state=1, return_clean=True)
    variance, error = variance_and_error(clean)
    margin = 4 * error * (1 + 40 / 100) ** 0.5  # both are simulations
    assert law.target_variance() == pytest.approx(variance, abs=margin)


def test_target_variance_contract_random_state():
    law = SphereTeacher(**SIZES)
    assert law.target_variance() == law.target_variance(random_state=0)
    assert law.target_variance(random_state=1) != law.target_variance()


def difference(law):
    """g(1) - g(-1) of a teacher with patches of a single feature."""
    teacher = law.teacher
    up, down = (
        np.maximum(sign * teacher.filters[:, 0] - teacher.thresholds, 0) for sign in (1, -1)
    )
    return (up - down) @ teacher.readout


def test_target_variance_closed_form_patches_of_one_feature():
    # Such a patch is a fair sign z, and g(z) has variance ((g(1) - g(-1)) / 2)^2.
    patchwise = PatchwiseSphereTeacher(6, 1, 5, random_state=0)
    expected = (difference(patchwise) / 2) ** 2
    assert expected > 0.01
    assert patchwise.target_variance() == pytest.approx(expected / 6, rel=0.02)
    identical = IdenticalPatchesTeacher(6, 1, 3, 5, random_state=0)
    assert identical.target_variance() == pytest.approx(expected, rel=0.02)


def test_target_variance_closed_form_standard_error():
    # The mean of two fair signs has kurtosis 2.
    law = PatchwiseSphereTeacher(2, 1, 5, random_state=0)
    values = [law.target_variance(random_state=seed) for seed in range(30)]
    assert np.std(values) / np.mean(values) == pytest.approx(1e-5**0.5, rel=0.5)


@pytest.mark.parametrize("law", [BallTeacher(1, 1), BetaTeacher(1, 3.0, 1)])
def test_target_variance_oracle_integral(law):
    law = clone(law).set_params(random_state=0)
    alpha = getattr(law, "alpha", 1.0)

    x = (np.arange(200_000) + 0.5) / 100_000 - 1  # midpoints of [-1, 1]
    weights = alpha * (1 - np.abs(x)) ** (alpha - 1) / 200_000
    assert weights.sum() == pytest.approx(1)
    values = law.predict(x[:, None])
    variance = weights @ values**2 - (weights @ values) ** 2
    assert law.target_variance() == pytest.approx(variance, rel=0.02)


# --- fit -----------------------------------------------------------------------------------------


@each_law
def test_fit_limit_without_noise(law):
    law = clone(law).set_params(noise=0)
    X, y = law.sample(100, random_state=1)
    X_test, y_test = law.sample(50, random_state=2)
    assert law.fit(X, y) is law
    np.testing.assert_allclose(law.predict(X_test), y_test, atol=1e-8)
    assert law.noise_ < 1e-8


@each_linear_law
def test_fit_oracle_least_squares(law):
    X, y = law.sample(60, random_state=1)
    law = clone(law).fit(X, y)
    design = np.column_stack([X, np.ones(60)])
    solution, _, rank, _ = np.linalg.lstsq(design, y)
    np.testing.assert_allclose(law.predict(X), design @ solution)
    residual = y - design @ solution
    assert law.noise_ == pytest.approx((residual @ residual / (60 - rank)) ** 0.5)


@each_law
def test_fit_contract_only_predictions_change(law):
    law = clone(law)
    X, y = law.sample(100, random_state=1)
    before = law.predict(X)
    law.fit(X, y)
    assert (law.predict(X) != before).all()
    np.testing.assert_array_equal(law.sample(100, random_state=1)[1], y)
    assert law.n_features_in_ == 12


# --- randomness ----------------------------------------------------------------------------------


@each_law
def test_sample_invariance_smaller_sample_is_a_prefix(law):
    many = law.sample(1024, random_state=5, return_clean=True)
    for n_samples in (1, 2, 13, 37, 50, 512):
        few = law.sample(n_samples, random_state=5, return_clean=True)
        for one, other in zip(few, many, strict=True):
            np.testing.assert_array_equal(one, other[:n_samples])


@pytest.mark.parametrize("n_features", [30, 100])
@pytest.mark.parametrize("target", ["filters", "linear"])
def test_sample_invariance_smaller_sample_is_a_prefix_in_many_dimensions(n_features, target):
    sizes = {"patch_size": 10, "target": target, "random_state": 0}
    for law in (SphereTeacher(n_features, **sizes), BallMixtureTeacher(n_features, **sizes)):
        many = law.sample(1024, random_state=5)
        for n_samples in (1, 2, 37, 50, 512):
            few = law.sample(n_samples, random_state=5)
            for one, other in zip(few, many, strict=True):
                np.testing.assert_array_equal(one, other[:n_samples])


@each_law
def test_random_state_contract_same_seed_same_data(law):
    X, y = law.sample(40, random_state=4)
    again = clone(law).sample(40, random_state=4)
    np.testing.assert_array_equal(again[0], X)
    np.testing.assert_array_equal(again[1], y)
    assert (law.sample(40, random_state=6)[0] != X).any()
    assert (law.sample(40)[0] != law.sample(40)[0]).any()


@each_law
@pytest.mark.parametrize("make_state", [lambda: None, lambda: np.random.RandomState(0)])
def test_random_state_contract_law_agrees_with_itself(law, make_state):
    law = clone(law).set_params(noise=0, random_state=make_state())
    X, y = law.sample(20, random_state=law.random_state)
    for twin in (law, clone(law), copy.deepcopy(law), pickle.loads(pickle.dumps(law))):
        np.testing.assert_allclose(twin.predict(X), y)
        np.testing.assert_array_equal(twin.patch_indices, law.patch_indices)


def test_random_state_contract_streams_are_independent():
    # With one seed for all, constants and samples must not repeat each other's numbers.
    n = 1000
    law = BallMixtureTeacher(n, 2, 1, 10, 100, offset=1.0, random_state=0)
    ball = BallTeacher(n, 10, 100, random_state=0)
    X, y, clean = ball.sample(n, random_state=0, return_clean=True)
    linear = BallTeacher(n, target="linear", random_state=0)
    views = IdenticalPatchesTeacher(1, n, 1, random_state=0).patch_indices
    draws = [X[0], lengths(X), y - clean, law.teacher.filters.ravel()]
    draws += [law.subspaces.bases[0, 0], law.subspaces.centers[0], np.sort(views[0])]
    correlations = np.corrcoef(draws)[np.triu_indices(len(draws), k=1)]
    assert (np.abs(correlations) < 4.5 / n**0.5).all()
    assert abs(np.corrcoef(X[0], linear.teacher.readout)[0, 1]) < 4 / n**0.5


def test_random_state_contract_global_state_untouched():
    before = np.random.get_state()
    for law in LAWS:
        law = clone(law).set_params(random_state=None)
        law.fit(*law.sample(30))
    clone(WITH_FILTERS[0]).target_variance(random_state=None)
    after = np.random.get_state()
    assert before[2:] == after[2:]
    np.testing.assert_array_equal(before[1], after[1])


# --- scikit-learn --------------------------------------------------------------------------------


@each_law
def test_sklearn_contract_parameters(law):
    parameters = law.get_params(deep=False)
    assert vars(type(law)(**parameters)) == parameters
    assert repr(clone(law)) == repr(law)
    assert is_regressor(law)
    check_is_fitted(law)  # needs no fit


@each_law
def test_sklearn_contract_model_selection(law):
    law = clone(law).set_params(noise=0.01)
    X, y = law.sample(150, random_state=1)
    assert cross_val_score(law, X, y, cv=3).mean() > 0.9
    rotated = RotatedLaw(law, random_state=0)
    assert rotated.score(*rotated.sample(100, random_state=1)) > 0.9


def test_sklearn_contract_feature_names():
    law = BallTeacher(4, 2, random_state=0)
    X, y = law.sample(20, random_state=0)
    frame = pd.DataFrame(X, columns=[*"abcd"])
    np.testing.assert_array_equal(law.fit(frame, y).predict(frame), clone(law).fit(X, y).predict(X))
    with pytest.raises(ValueError, match="feature names should match"):
        law.predict(frame[[*"dcba"]])


WIDTHS = (2, 3, 4, 5, 10)  # of the data in scikit-learn's checks


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.DataConversionWarning")
@pytest.mark.parametrize(
    "make",
    [
        lambda width: SphereTeacher(width, 1),
        lambda width: SphereTeacher(width, target="linear"),
        lambda width: BallTeacher(width, 1),
        lambda width: BetaTeacher(width, 0.5, 1),
        lambda width: BallMixtureTeacher(width, 3, 1, 1),
        lambda width: PatchwiseSphereTeacher(width, 1),
        lambda width: IdenticalPatchesTeacher(width, 1, 3),
        lambda width: LocalTeacher((width,), 1),
    ],
)
def test_sklearn_contract_check_suite(make):
    # A law has one width, the data of the suite have several: each check has to pass at one.
    passed, failed = set(), {}
    for width in WIDTHS:
        for result in check_estimator(make(width), on_fail=None, on_skip=None):
            done = result["status"] in ("passed", "skipped")
            passed |= {result["check_name"]} if done else set()
            failed.setdefault(result["check_name"], result["exception"])
    assert len(passed) > 40
    assert not {name: failed[name] for name in failed.keys() - passed}


# --- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("law", "message"),
    [
        (BallTeacher(10, 4), "n_features=10 is no multiple of patch_size=4: .* 8 or 12 features"),
        (BetaTeacher(10, 1.0, 4), "n_features=10 is no multiple of patch_size=4"),
        (BallMixtureTeacher(10, patch_size=4), "n_features=10 is no multiple of patch_size=4"),
        (SphereTeacher(target="cubic"), "'target' parameter of SphereTeacher .* Got 'cubic'"),
        (BetaTeacher(alpha=0), r"'alpha' .* in the range \(0\.0, inf\). Got 0"),
        (BetaTeacher(alpha=np.inf), "'alpha' .* Got inf"),
        (BallMixtureTeacher(n_balls=0), "'n_balls' .* Got 0"),
        (BallMixtureTeacher(offset=-1), "'offset' .* Got -1"),
        (
            BallMixtureTeacher(10, ball_dimension=11),
            "ball_dimension=11 is too large for n_features=10 and offset=0.0: .* at most 10",
        ),
        (
            BallMixtureTeacher(10, ball_dimension=10, offset=0.5),
            "ball_dimension=10 is too large for n_features=10 and offset=0.5: .* at most 9",
        ),
        (PatchwiseSphereTeacher(0), "'n_patches' parameter of PatchwiseSphereTeacher .* Got 0"),
        (PatchwiseSphereTeacher(noise=-1), "'noise' .* Got -1"),
        (IdenticalPatchesTeacher(n_random_views=-1), "'n_random_views' .* Got -1"),
    ],
)
def test_bad_input_contract_parameters(law, message):
    X, y = np.ones((4, 100)), np.arange(4.0)
    for use in (
        lambda: law.sample(3),
        lambda: law.predict(X),
        lambda: law.fit(X, y),
        lambda: law.bayes_error(),
        lambda: law.target_variance(),
        lambda: law.teacher,
        lambda: law.patch_indices,
    ):
        with pytest.raises(ValueError, match=message):
            use()


@each_law
def test_bad_input_contract_data(law):
    law = clone(law)
    X, y = law.sample(20, random_state=0)
    wide = np.column_stack([X, X[:, 0]])
    message = "X has 13 features, but the law has n_features=12"
    with pytest.raises(ValueError, match=message):
        law.predict(wide)
    with pytest.raises(ValueError, match=message):
        law.fit(wide, y)
    with pytest.raises(ValueError, match="contains NaN"):
        law.predict(np.full_like(X, np.nan))
    with pytest.raises(ValueError, match=r"X has shape \(4, 5, 2\), .* \(n_samples, 12\)"):
        law.predict(np.zeros((4, 5, 2)))
    name = type(law).__name__
    with pytest.raises(ValueError, match=rf"'n_samples' parameter of {name}\.sample .* Got 0"):
        law.sample(0)
    with pytest.raises(ValueError, match=r"'return_clean' .* Got 'maybe'"):
        law.sample(3, return_clean="maybe")
