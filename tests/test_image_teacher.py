"""The teacher of images: its sum over windows, its noise, and its memory."""

import copy
import pickle
import tracemalloc

import numpy as np
import pytest
from scipy.signal import correlate
from sklearn.base import clone, is_regressor
from sklearn.model_selection import cross_val_score
from sklearn.utils.validation import check_is_fitted

from sklcnn.datasets import LocalTeacher, load_digit_images
from sklcnn.datasets.sphere import teachers
from sklcnn.patches import sliding_windows

SMALL = LocalTeacher((2, 6, 7), 3, 1, 4, 0.3, random_state=0)
TEACHERS = [
    SMALL,
    LocalTeacher((2, 7, 7), 3, 2, 4, 0.3, random_state=0),
    LocalTeacher((6, 7), 3, 1, 4, 0.3, random_state=0),
    LocalTeacher((20,), 5, 3, 4, 0.3, random_state=0),
]
each_teacher = pytest.mark.parametrize("law", TEACHERS, ids=repr)


def draw_images(law, n_samples=30, seed=0):
    return np.random.default_rng(seed).standard_normal((n_samples, np.prod(law.input_shape)))


# --- the regression function ---------------------------------------------------------------------


@each_teacher
def test_predict_oracle_correlation(law):
    channels = 2 if len(law.input_shape) == 3 else 1
    sides = law.input_shape[-2:]
    X = draw_images(law)
    for x, value in zip(X, law.predict(X), strict=True):
        total = 0.0
        for w, a in zip(law.teacher.filters, law.teacher.readout, strict=True):
            window = w.reshape(channels, *(law.patch_size,) * len(sides))
            planes = zip(x.reshape(channels, *sides), window, strict=True)
            maps = sum(correlate(plane, filter_, mode="valid") for plane, filter_ in planes)
            maps = maps[(slice(None, None, law.stride),) * len(sides)]
            total += a * np.maximum(maps, 0).mean()
        assert value == pytest.approx(total)


def test_predict_oracle_explicit_loop():
    X = draw_images(SMALL, 3)
    teacher = SMALL.teacher
    for image, value in zip(X.reshape(3, 2, 6, 7), SMALL.predict(X), strict=True):
        total = 0.0
        for row in range(4):
            for column in range(5):
                window = image[:, row : row + 3, column : column + 3].ravel()
                for w, a in zip(teacher.filters, teacher.readout, strict=True):
                    total += a * max(w @ window, 0.0) / 20
        assert value == pytest.approx(total)


def test_predict_closed_form_mean_on_gaussian_pixels():
    # E max(<w, x>, 0) = ||w|| / sqrt(2 pi) for x ~ N(0, I), in every window.
    law = LocalTeacher((3, 16, 16), random_state=0)
    values = law.predict(draw_images(law, 2000))
    expected = (
        law.teacher.readout @ np.linalg.norm(law.teacher.filters, axis=1) / (2 * np.pi) ** 0.5
    )
    assert values.mean() == pytest.approx(expected, abs=4 * values.std() / 2000**0.5)
    assert abs(expected) > 20 * values.std() / 2000**0.5


def test_predict_closed_form_constant_image():
    filters, readout = SMALL.teacher.filters, SMALL.teacher.readout
    expected = readout @ np.maximum(-2 * filters.sum(axis=1), 0)
    np.testing.assert_allclose(SMALL.predict(np.full((1, 84), -2.0)), [expected])


@each_teacher
def test_predict_invariance_scale(law):
    X = draw_images(law)
    np.testing.assert_allclose(law.predict(7 * X), 7 * law.predict(X))  # no biases
    np.testing.assert_array_equal(law.predict(0 * X), 0)


def test_teacher_closed_form_moments():
    law = LocalTeacher((3, 8, 8), 5, n_filters=2000, random_state=0)
    teacher = law.teacher
    assert teacher.filters.shape == (2000, 75)
    assert teacher.filters.var() == pytest.approx(1 / 75, rel=4 * (2 / 150_000) ** 0.5)
    assert teacher.filters.mean() == pytest.approx(0, abs=4 / (75 * 150_000) ** 0.5)
    assert teacher.readout.var() == pytest.approx(1 / 2000, rel=4 * (2 / 2000) ** 0.5)
    assert teacher.intercept == 0
    np.testing.assert_array_equal(teacher.thresholds, 0)
    np.testing.assert_array_equal(law.patch_indices, sliding_windows((3, 8, 8), 5))


def test_defaults_closed_form_sizes():
    law = LocalTeacher(random_state=0)
    assert law.patch_indices.shape == (900, 27)
    assert law.teacher.filters.shape == (20, 27)
    assert law.bayes_error() == 1


# --- many images ---------------------------------------------------------------------------------


@pytest.mark.parametrize("entries", [1, 1000, 10**7])
def test_predict_invariance_chunks(entries, monkeypatch):
    X = draw_images(SMALL, 50)
    before = SMALL.predict(X)
    monkeypatch.setattr(teachers, "_CHUNK_ENTRIES", entries)
    np.testing.assert_allclose(SMALL.predict(X), before, rtol=1e-12)
    np.testing.assert_allclose([SMALL.predict(x[None])[0] for x in X], before, rtol=1e-12)


def peak_memory(law, X):
    tracemalloc.start()
    law.predict(X)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_predict_limit_memory(dtype):
    law = LocalTeacher(random_state=0)
    X = np.random.default_rng(0).integers(256, size=(400, 3072)).astype(dtype)
    few, many = peak_memory(law, X[:50]), peak_memory(law, X)
    # All windows would take 39 MB. What grows is the means, 20 numbers of 8 bytes for each image,
    # and scikit-learn's test for infinite entries, of one byte or less for each pixel.
    assert many - few < 350 * (20 * 8 + 3072)
    assert many < 15e6


# --- kinds of images -----------------------------------------------------------------------------


@each_teacher
def test_predict_invariance_shape(law):
    X = draw_images(law)
    images = X.reshape(30, *law.input_shape)
    np.testing.assert_array_equal(law.predict(images), law.predict(X))
    np.testing.assert_array_equal(law.predict(X.tolist()), law.predict(X))
    np.testing.assert_array_equal(law.predict(images.tolist()), law.predict(X))
    np.testing.assert_array_equal(law.label(images, random_state=0), law.label(X, random_state=0))
    fitted = clone(law).fit(images, X[:, 0])
    np.testing.assert_array_equal(fitted.predict(images), clone(law).fit(X, X[:, 0]).predict(X))


@pytest.mark.parametrize("dtype", ["float32", "uint8", "int8", "uint16"])
def test_predict_limit_single_precision(dtype):
    rng = np.random.default_rng(0)
    X = rng.integers(100, size=(30, 84)).astype(dtype)
    expected = SMALL.predict(X.astype(float))
    found = SMALL.predict(X)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max(), rtol=0)


def test_predict_limit_double_precision_of_wide_integers():
    X = 10**9 + np.random.default_rng(0).integers(9, size=(5, 84))
    np.testing.assert_array_equal(SMALL.predict(X), SMALL.predict(X.astype(float)))


# --- noise ---------------------------------------------------------------------------------------


def test_label_closed_form_clean_and_noise():
    X = draw_images(SMALL, 5000)
    y, clean = SMALL.label(X, random_state=1, return_clean=True)
    np.testing.assert_array_equal(clean, SMALL.predict(X))
    noise = (y - clean) / 0.3
    assert abs(noise.mean()) < 4 / 5000**0.5
    assert noise.var() == pytest.approx(1, rel=4 * (2 / 5000) ** 0.5)
    assert abs(np.corrcoef(noise, clean)[0, 1]) < 4 / 5000**0.5
    assert SMALL.bayes_error() == pytest.approx(0.09)
    np.testing.assert_array_equal(SMALL.label(X, random_state=1), y)
    for n_samples in (1, 13, 50, 1024):
        few = SMALL.label(X[:n_samples], random_state=1)
        np.testing.assert_array_equal(few, y[:n_samples])


def test_label_contract_random_state():
    X = draw_images(SMALL, 1000)
    y, clean = SMALL.label(X, random_state=0, return_clean=True)
    assert (SMALL.label(X, random_state=1) != y).all()
    assert (SMALL.label(X) != SMALL.label(X)).all()
    # With one seed for both, noise and teacher must not repeat each other's numbers.
    filters = LocalTeacher((2, 6, 7), n_filters=100, random_state=0).teacher.filters.ravel()
    assert abs(np.corrcoef(y - clean, filters[:1000])[0, 1]) < 4 / 1000**0.5


@pytest.mark.parametrize("make_state", [lambda: None, lambda: np.random.RandomState(0)])
def test_random_state_contract_law_agrees_with_itself(make_state):
    law = clone(SMALL).set_params(random_state=make_state())
    X = draw_images(law)
    for twin in (law, clone(law), copy.deepcopy(law), pickle.loads(pickle.dumps(law))):
        np.testing.assert_array_equal(twin.predict(X), law.predict(X))
    assert (clone(law).set_params(random_state=7).predict(X) != law.predict(X)).all()


def test_random_state_contract_global_state_untouched():
    before = np.random.get_state()
    law = LocalTeacher((8, 8))
    X, _ = load_digit_images(return_X_y=True)
    law.fit(X, law.label(X))
    after = np.random.get_state()
    assert before[2:] == after[2:]
    np.testing.assert_array_equal(before[1], after[1])


def test_target_variance_oracle_mean_over_pairs():
    X = draw_images(SMALL, 40)
    clean = SMALL.predict(X)
    pairs = np.mean((clean[:, np.newaxis] - clean) ** 2) / 2
    assert SMALL.target_variance(X) == pytest.approx(pairs)
    assert SMALL.target_variance(X.reshape(40, 2, 6, 7)) == SMALL.target_variance(X)
    assert clone(SMALL).set_params(noise=9).target_variance(X) == SMALL.target_variance(X)
    # That of the law, not of its estimate.
    fitted = clone(SMALL).fit(X, np.zeros(40))
    assert fitted.target_variance(X) == SMALL.target_variance(X)
    with pytest.raises(ValueError, match="X has 1 image"):
        SMALL.target_variance(X[:1])
    with pytest.raises(ValueError, match="X has 85 features"):
        SMALL.target_variance(np.ones((4, 85)))


# --- fit -----------------------------------------------------------------------------------------


@each_teacher
def test_fit_limit_without_noise(law):
    X, X_test = draw_images(law, 60), draw_images(law, 20, seed=1)
    fitted = clone(law).fit(X, law.predict(X))
    np.testing.assert_allclose(fitted.coef_, law.teacher.readout, atol=1e-9)
    np.testing.assert_allclose(fitted.predict(X_test), law.predict(X_test), atol=1e-9)
    assert fitted.intercept_ == pytest.approx(0, abs=1e-9)
    assert fitted.noise_ < 1e-9


def test_fit_contract_only_predictions_change():
    X = draw_images(SMALL)
    y, clean = SMALL.label(X, random_state=1, return_clean=True)
    law = clone(SMALL).fit(X, y)
    assert (law.predict(X) != clean).all()
    np.testing.assert_array_equal(law.label(X, random_state=1), y)
    assert law.n_features_in_ == 84


# --- scikit-learn --------------------------------------------------------------------------------


@each_teacher
def test_sklearn_contract_parameters(law):
    parameters = law.get_params(deep=False)
    assert vars(type(law)(**parameters)) == parameters
    assert repr(clone(law)) == repr(law)
    assert is_regressor(law)
    check_is_fitted(law)  # needs no fit


def test_sklearn_contract_model_selection():
    X, _ = load_digit_images(return_X_y=True)
    law = LocalTeacher((8, 8), noise=0.01, random_state=0)
    assert cross_val_score(law, X, law.label(X, random_state=1), cv=3).mean() > 0.9


# --- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("law", "message"),
    [
        (LocalTeacher([3, 32, 32]), "'input_shape' parameter of LocalTeacher must be an instance"),
        (LocalTeacher((3, 0, 4)), r"input_shape=\(3, 0, 4\) must be"),
        (LocalTeacher((3, 2.5)), r"input_shape=\(3, 2\.5\) must be"),
        (LocalTeacher((1, 3, 4, 4)), r"input_shape=\(1, 3, 4, 4\) must be"),
        (LocalTeacher(stride=2), "patch_size=3 with stride=2 leaves features .* unseen; stride=1"),
        (LocalTeacher(patch_size=0), "'patch_size' .* Got 0"),
        (LocalTeacher(n_filters=0), "'n_filters' .* Got 0"),
        (LocalTeacher(noise=-1), "'noise' .* Got -1"),
        (LocalTeacher(random_state="seed"), "'random_state' .* Got 'seed'"),
    ],
)
def test_bad_input_contract_parameters(law, message):
    X = np.ones((4, 3072))
    for use in (
        lambda: law.predict(X),
        lambda: law.label(X),
        lambda: law.fit(X, np.arange(4.0)),
        lambda: law.bayes_error(),
        lambda: law.teacher,
        lambda: law.patch_indices,
    ):
        with pytest.raises(ValueError, match=message):
            use()


def test_bad_input_contract_data():
    for use in (SMALL.predict, SMALL.label, lambda X: clone(SMALL).fit(X, np.arange(len(X)))):
        with pytest.raises(ValueError, match="X has 85 features, but the law has n_features=84"):
            use(np.ones((4, 85)))
        with pytest.raises(
            ValueError,
            match=r"X has shape \(4, 6, 7, 2\), but one input has shape \(2, 6, 7\): X must have "
            r"shape \(n_samples, 84\) or \(n_samples, 2, 6, 7\)",
        ):
            use(np.ones((4, 6, 7, 2)))
        with pytest.raises(ValueError, match="contains NaN"):
            use(np.full((4, 84), np.nan))
    with pytest.raises(ValueError, match=r"'return_clean' .* Got 'maybe'"):
        SMALL.label(np.ones((4, 84)), return_clean="maybe")
