"""What fitted networks found: cosines with the signal, and risks on the law."""

import numpy as np
import pytest
import torch
from scipy.stats import norm
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

import sklcnn
from sklcnn import CNNClassifier, CNNRegressor, FCNClassifier, FCNRegressor, LCNClassifier
from sklcnn.datasets import DynamicSignal, SphereTeacher
from sklcnn.inspection import PopulationRisk, population_risk
from sklcnn.inspection.risks import empirical_risk
from sklcnn.training import GradientDescent, TwoStep

FAMILIES = ("fcn", "lcn", "cnn")
N_PATCHES, PATCH_SIZE = 5, 6
SIZES = {"n_patches": N_PATCHES, "patch_size": PATCH_SIZE}
LAW = DynamicSignal(**SIZES, noise=0.3, random_state=0)
SIGNAL = LAW.true_signal
X, Y = LAW.sample(80, random_state=1)
DOUBLE = {"dtype": "float64", "device": "cpu"}
BRIEF = {"max_iter": 2, "tol": None, "random_state": 0, **DOUBLE}
LOCAL = {"patch_size": PATCH_SIZE, "stride": PATCH_SIZE}
SUM = {"activation": "soft_threshold", "readout": "sum"}


def with_filters(network, filters, threshold=None):
    """A fitted network with filters of our own, (n_groups, n_filters, filter_size)."""
    network.set_params(**BRIEF).fit(X, Y)
    assert network.module_.weight.shape == filters.shape
    network.module_.weight.data = torch.tensor(filters)
    network.filters_ = network._present_filters(np.array(filters))
    if threshold is not None:
        network.module_.threshold.data = torch.tensor(threshold).double()
    return network


# --- alignment ------------------------------------------------------------------------------------


def rotate_away(angle):
    """A direction at an angle to the signal."""
    other = np.random.default_rng(0).normal(size=PATCH_SIZE)
    other -= (other @ SIGNAL) * SIGNAL
    return np.cos(angle) * SIGNAL + np.sin(angle) * other / np.linalg.norm(other)


ANGLES = np.array([0.0, 0.3, 1.0, np.pi / 2, np.pi])


def test_alignment_closed_form_shared_filters():
    filters = np.stack([rotate_away(angle) for angle in ANGLES])
    network = with_filters(CNNClassifier(5, **LOCAL), filters[None])
    cosines = sklcnn.alignment(network, LAW)
    np.testing.assert_allclose(cosines, np.cos(ANGLES), rtol=0, atol=1e-12)


def test_alignment_closed_form_filters_of_each_patch():
    angles = np.stack([ANGLES, ANGLES / 2], axis=1)  # (n_patches, n_filters)
    filters = np.stack([[rotate_away(angle) for angle in row] for row in angles])
    cosines = sklcnn.alignment(with_filters(LCNClassifier(2, **LOCAL), filters), LAW)
    np.testing.assert_allclose(cosines, np.cos(angles), rtol=0, atol=1e-12)


def units():
    """Units with the signal in one patch each, in all patches, and in none."""
    return np.stack([*np.kron(np.eye(N_PATCHES), SIGNAL), np.tile(SIGNAL, N_PATCHES), 0 * X[0]])


def test_alignment_closed_form_units_in_each_of_the_patches():
    network = with_filters(FCNClassifier(7), units()[None])
    expected = np.vstack([np.eye(5), np.full(5, 5**-0.5), np.zeros(5)])  # (n_filters, n_patches)
    np.testing.assert_allclose(sklcnn.alignment(network, LAW), expected, rtol=0, atol=1e-12)


def test_alignment_limit_one_patch_of_all_features_is_fully_connected():
    order = np.random.default_rng(0).permutation(30)
    expected = sklcnn.alignment(with_filters(FCNClassifier(7), units()[None]), LAW)
    for network in (CNNClassifier(7, 30), LCNClassifier(7, 30)):
        cosines = sklcnn.alignment(with_filters(network, units()[None]), LAW)
        np.testing.assert_allclose(cosines, expected, rtol=0, atol=1e-12)
    scrambled = with_filters(LCNClassifier(7, patch_indices=[order]), units()[None][..., order])
    np.testing.assert_allclose(sklcnn.alignment(scrambled, LAW), expected, rtol=0, atol=1e-12)


def test_alignment_limit_law_of_one_patch():
    law = DynamicSignal(1, 30, random_state=0)
    by_family = [FCNClassifier(7), LCNClassifier(7, 30), CNNClassifier(7, 30)]
    fitted = [network.set_params(**BRIEF).fit(X, Y) for network in by_family]
    shapes = [sklcnn.alignment(network, law).shape for network in fitted]
    assert shapes == [(7, 1), (1, 7), (7,)]


@pytest.mark.parametrize("family", FAMILIES)
def test_alignment_invariance_lengths_of_filters_and_signal(family):
    network = sklcnn.dsd_network(family, **SIZES, **BRIEF).fit(X, Y)
    plain = sklcnn.alignment(network, LAW)
    assert 0.3 < np.abs(plain).max() <= 1
    network.filters_ = 7.0 * network.filters_
    longer = DynamicSignal(**SIZES, signal=3.0 * SIGNAL)
    np.testing.assert_allclose(sklcnn.alignment(network, longer), plain, rtol=1e-12)
    network.filters_ = 0.0 * network.filters_
    np.testing.assert_array_equal(sklcnn.alignment(network, LAW), np.zeros(plain.shape))


def test_alignment_contract_laws_with_one_signal_will_do():
    network = sklcnn.dsd_network("lcn", **SIZES, **BRIEF).fit(X, Y)
    expected = sklcnn.alignment(network, LAW)
    for change in (
        {"task": "xor"},
        {"static": True},
        {"patch_size": (6,) * 5},
        {"noise": [0.1] * 5},
    ):
        law = DynamicSignal(**SIZES | {"signal": SIGNAL} | change)
        np.testing.assert_array_equal(sklcnn.alignment(network, law), expected)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"patch_size": 3, "n_patches": 10}, "filters of 6 .* patch_size=3 and n_patches=10"),
        ({"patch_size": (6, 6, 6, 6, 3)}, "one signal of the size of all patches"),
        ({"task": "type"}, "one signal of the size of all patches"),
    ],
)
def test_alignment_contract_laws_that_do_not_fit_are_errors(changes, message):
    network = sklcnn.dsd_network("cnn", **SIZES, **BRIEF).fit(X, Y)
    with pytest.raises(ValueError, match=message):
        sklcnn.alignment(network, DynamicSignal(**SIZES | changes))


def test_alignment_contract_other_things_are_errors():
    network = sklcnn.dsd_network("fcn", **SIZES, **BRIEF)
    with pytest.raises(NotFittedError):
        sklcnn.alignment(network, LAW)
    with pytest.raises(ValueError, match=r"LogisticRegression\(\) has no filters"):
        sklcnn.alignment(LogisticRegression().fit(X, Y), LAW)
    network.fit(X, Y)
    with pytest.raises(
        ValueError, match=r"filters of 30 features, .* patch_size=6 and n_patches=4"
    ):
        sklcnn.alignment(network, DynamicSignal(4, 6))
    with pytest.raises(ValueError, match=r"law=SphereTeacher\(.*one signal"):
        sklcnn.alignment(network, SphereTeacher())


# --- population risks: the closed form against samples --------------------------------------------


N_OWN = 20_000  # samples of our own


def sampled(network, law, metric, n_samples=N_OWN):
    """Risk on samples of our own and its standard error; an output of 0 is half an error."""
    X_test, y_test = law.sample(n_samples, random_state=123)
    predict = getattr(network, "decision_function", network.predict)
    outputs = predict(X_test)
    values = (y_test - outputs) ** 2
    if metric == "error":
        values = (1 - np.sign(y_test * outputs)) / 2
    return values.mean(), values.std() / n_samples**0.5


def assert_agrees(network, law, metric, n_test=None):
    """Within four standard errors of our samples, and of those of the risk if it has any."""
    expected, error = sampled(network, law, metric)
    assert error > 0
    margin = 4 * error * (1 if n_test is None else (1 + N_OWN / n_test) ** 0.5)
    options = {} if n_test is None else {"n_test": n_test}
    assert population_risk(network, law, metric, **options) == pytest.approx(expected, abs=margin)
    return expected


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("metric", ["error", "squared_risk"])
@pytest.mark.parametrize("threshold", [None, -0.2, 0.0, 0.25])
def test_closed_form_oracle_samples(family, metric, threshold, monkeypatch):
    network = sklcnn.dsd_network(family, **SIZES, random_state=0, max_iter=100, **DOUBLE).fit(X, Y)
    if threshold is not None:
        network.module_.threshold.data = torch.tensor(threshold).double()
    expected = assert_agrees(network, LAW, metric, n_test=100_000 if family == "fcn" else None)
    assert expected > 0.02
    monkeypatch.setattr(DynamicSignal, "sample", None)  # it is not needed
    population_risk(network, LAW, metric)


@pytest.mark.parametrize("noise", [0.1, 0.3])
def test_closed_form_oracle_samples_of_a_trained_threshold(noise):
    law = DynamicSignal(**SIZES, noise=noise, random_state=0)
    solver = TwoStep(first_threshold=0.3, second_threshold=0.2)
    network = sklcnn.dsd_network("lcn", **SIZES, solver=solver, random_state=0, **DOUBLE)
    network.fit(*law.sample(300, random_state=1))
    assert_agrees(network, law, "squared_risk")


@pytest.mark.parametrize(
    ("network", "changes", "closed"),
    [
        (CNNRegressor(1, **LOCAL, pooling="sum", **SUM), {}, True),
        (FCNRegressor(3, **SUM), {}, True),
        (CNNClassifier(1, **LOCAL, pooling=None, loss="squared_error", **SUM), {}, True),
        (CNNClassifier(3, 30, loss="squared_error", **SUM), {}, True),  # one patch
        (LCNClassifier(1, **LOCAL, filter_groups=2, loss="squared_error", **SUM), {}, True),
        (
            LCNClassifier(1, **LOCAL, filter_groups=[2, 0, 1, 2, 0], loss="squared_error", **SUM),
            {},
            True,
        ),
        # The networks have no closed form:
        (CNNRegressor(2, **LOCAL, pooling="sum", **SUM), {}, False),
        (CNNRegressor(1, **LOCAL, pooling="mean", **SUM), {}, False),
        (CNNRegressor(1, **LOCAL, pooling="max", **SUM), {}, False),
        (CNNRegressor(1, PATCH_SIZE, 1, **SUM), {}, False),
        (CNNRegressor(1, 3, 3, **SUM), {}, False),
        (CNNRegressor(1, **LOCAL, activation="relu", readout="sum"), {}, False),
        (CNNRegressor(1, **LOCAL, activation="soft_threshold"), {}, False),
        (CNNRegressor(1, patch_indices=np.arange(30).reshape(6, 5).T, **SUM), {}, False),
        (CNNRegressor(3, patch_indices=[np.arange(30)[::-1]], **SUM), {}, False),
        # The laws have none:
        (LCNClassifier(1, **LOCAL, loss="squared_error", **SUM), {"static": True}, False),
        (LCNClassifier(1, **LOCAL, loss="squared_error", **SUM), {"location": 2}, False),
        (LCNClassifier(1, **LOCAL, loss="squared_error", **SUM), {"label_noise": 0.1}, False),
        (FCNRegressor(3, **SUM), {"label_noise": 0.1}, False),
        (CNNRegressor(1, **LOCAL, **SUM), {"correlation": 0.7}, False),
        (CNNRegressor(1, **LOCAL, **SUM), {"n_signals": 2}, False),
        (CNNRegressor(1, **LOCAL, **SUM), {"noise_law": "laplace"}, False),
        (CNNRegressor(1, **LOCAL, **SUM), {"noise": [0.1, 0.1, 0.1, 0.1, 0.9]}, False),
        (CNNRegressor(1, **LOCAL, **SUM), {"location_prior": [0.6, 0.1, 0.1, 0.1, 0.1]}, False),
        (CNNRegressor(1, **LOCAL, **SUM), {"task": "detection"}, False),
        (CNNRegressor(1, **LOCAL, **SUM), {"placement": "pixel"}, False),
    ],
    ids=repr,
)
@pytest.mark.parametrize("metric", ["error", "squared_risk"])
def test_path_oracle_samples_and_closed_form_only_where_it_is_true(
    network, changes, closed, metric, monkeypatch
):
    law = DynamicSignal(**SIZES | {"noise": 0.3, "signal": SIGNAL} | changes)
    solver = GradientDescent(projection="unit_ball")
    network.set_params(solver=solver, learning_rate_init=0.2, **BRIEF | {"max_iter": 30})
    network.fit(*law.sample(200, random_state=1))
    if network.activation == "soft_threshold":
        network.module_.threshold.data = torch.tensor(0.15).double()
    calls = []
    draw = DynamicSignal.sample
    monkeypatch.setattr(DynamicSignal, "sample", lambda *a, **k: calls.append(k) or draw(*a, **k))
    population_risk(network, law, metric, n_test=10)
    assert (calls == []) == closed
    connected = len(network.patch_indices_) == 1
    assert_agrees(network, law, metric, n_test=None if closed and not connected else N_OWN)


def test_label_noise_closed_form_of_the_error():
    network = sklcnn.dsd_network("cnn", **SIZES, random_state=0).fit(X, Y)
    clean = population_risk(network, LAW)
    flipped = DynamicSignal(**SIZES, noise=0.3, signal=SIGNAL, label_noise=0.2)
    expected = clean + 0.2 * (1 - 2 * clean)
    assert population_risk(network, flipped) == pytest.approx(expected, abs=4 * 0.5 / 20_000**0.5)


def test_loss_contract_squared_risk_is_of_probabilities_unless_the_loss_is_squared():
    X_test, y_test = LAW.sample(50_000, random_state=123)
    network = sklcnn.dsd_network("cnn", **SIZES, loss="log_loss", random_state=0).fit(X, Y)
    values = (y_test - 2 * network.predict_proba(X_test)[:, 1] + 1) ** 2
    risk = population_risk(network, LAW, "squared_risk")
    margin = 4 * values.std() * (1 / 50_000 + 1 / 20_000) ** 0.5
    assert risk == pytest.approx(values.mean(), abs=margin)
    squared = network.set_params(loss="squared_error").fit(X, Y)
    by_output, _ = sampled(squared, LAW, "squared_risk", n_samples=50_000)
    assert population_risk(squared, LAW, "squared_risk") == pytest.approx(by_output, rel=0.05)
    # The error looks at the sign of the output, whatever the loss.
    assert_agrees(network.set_params(loss="exponential").fit(X, Y), LAW, "error")


# --- other estimators -----------------------------------------------------------------------------


def places(weights):
    """Inner products of the weights with the signal in each place, (n_patches,)."""
    return weights.reshape(N_PATCHES, PATCH_SIZE) @ SIGNAL


def test_logistic_regression_closed_form_error():
    model = LogisticRegression().fit(X, Y)
    weights, offset = model.coef_[0], model.intercept_[0]
    means = np.concatenate([places(weights) + offset, places(weights) - offset])
    expected = norm.sf(means / (LAW.noise * np.linalg.norm(weights))).mean()
    margin = 4 * (expected * (1 - expected) / 20_000) ** 0.5
    assert population_risk(model, LAW) == pytest.approx(expected, abs=margin)


def test_linear_regression_closed_form_both_metrics():
    model = LinearRegression().fit(X, Y)
    weights, offset = model.coef_, model.intercept_
    noise = LAW.noise * np.linalg.norm(weights)
    expected = ((1 - places(weights)) ** 2).mean() + offset**2 + noise**2
    assert population_risk(model, LAW, "squared_risk") == pytest.approx(expected, rel=0.05)
    means = np.concatenate([places(weights) + offset, places(weights) - offset])
    expected = norm.sf(means / noise).mean()
    margin = 4 * (expected * (1 - expected) / 20_000) ** 0.5
    assert population_risk(model, LAW) == pytest.approx(expected, abs=margin)


def test_mlp_and_pipelines_oracle_own_samples():
    X_test, y_test = LAW.sample(50_000, random_state=123)
    # At worst, an error of 1/2, the difference has a standard error of 0.0042.
    network = MLPClassifier(8, solver="lbfgs", random_state=0)
    for model in (network, make_pipeline(StandardScaler(), network)):
        model.fit(X, Y)
        error = np.mean(model.predict(X_test) != y_test)
        squared = np.mean((y_test - 2 * model.predict_proba(X_test)[:, 1] + 1) ** 2)
        assert 0.05 < error < 0.45
        assert population_risk(model, LAW) == pytest.approx(error, abs=0.017)
        assert population_risk(model, LAW, "squared_risk") == pytest.approx(squared, abs=0.06)


def test_law_as_an_estimator_oracle_bayes_error():
    law = DynamicSignal(**SIZES, noise=0.5, random_state=0)
    expected = law.bayes_error()
    margin = 4 * (expected * (1 - expected) / 20_000) ** 0.5
    assert population_risk(law, law) == pytest.approx(expected, abs=margin)


def test_several_labels_contract_have_an_error():
    law = DynamicSignal(**SIZES, noise=0.5, task="type", n_types=3, random_state=0)
    model = LogisticRegression().fit(*law.sample(500, random_state=1))
    X_test, y_test = law.sample(50_000, random_state=123)
    expected = np.mean(model.predict(X_test) != y_test)
    assert population_risk(model, law) == pytest.approx(expected, abs=0.017)  # four errors
    with pytest.raises(ValueError, match="'squared_risk' of LogisticRegression needs labels -1"):
        population_risk(model, law, "squared_risk")


def test_real_targets_contract_have_a_squared_risk():
    law = SphereTeacher(random_state=0)
    X_sphere, y_sphere = law.sample(200, random_state=1)
    model = LinearRegression().fit(X_sphere, y_sphere)
    X_test, y_test = law.sample(20_000, random_state=123)
    values = (model.predict(X_test) - y_test) ** 2
    margin = 4 * values.std() * (2 / 20_000) ** 0.5
    risk = population_risk(model, law, "squared_risk")
    assert risk == pytest.approx(values.mean(), abs=margin)
    with pytest.raises(ValueError, match="'error' of LinearRegression needs labels -1"):
        population_risk(model, law, "error")


def test_zero_closed_form_is_half_an_error_of_a_regressor():
    network = with_filters(CNNRegressor(1, **LOCAL, **SUM), np.zeros((1, 1, 6)), threshold=0.1)
    assert population_risk(network, LAW) == 0.5
    assert population_risk(network, LAW, "squared_risk") == 1.0
    assert empirical_risk(network, X, Y, "error") == 0.5
    assert empirical_risk(network, X, Y, "squared_risk") == 1.0


def test_seed_contract_test_samples_are_not_the_training_samples():
    # A nearest neighbor knows its own samples by heart.
    model = KNeighborsClassifier(1).fit(*LAW.sample(500, random_state=0))
    assert population_risk(model, LAW, n_test=500, random_state=0) > 0.05
    risks = [population_risk(model, LAW, n_test=500, random_state=seed) for seed in (0, 0, 1, 2)]
    assert risks[0] == risks[1]
    assert len(set(risks)) > 1


def test_many_contract_share_their_samples(monkeypatch):
    calls = []
    draw = DynamicSignal.sample
    monkeypatch.setattr(DynamicSignal, "sample", lambda *a, **k: calls.append(k) or draw(*a, **k))
    models = [LogisticRegression(C=C).fit(X, Y) for C in (1e-3, 1.0)]
    risk = PopulationRisk(LAW, "error", n_test=1000)
    risks = risk(models)
    assert risks.shape == (2,)
    assert risks[0] != risks[1]
    np.testing.assert_array_equal(risk(models[::-1]), risks[::-1])
    assert len(calls) == 1
    assert risks[0] == population_risk(models[0], LAW, n_test=1000)


def test_risk_contract_bad_arguments_are_named():
    network = sklcnn.dsd_network("cnn", **SIZES, **BRIEF)
    with pytest.raises(NotFittedError):
        population_risk(network, LAW)
    network.fit(X, Y)
    with pytest.raises(ValueError, match="metric='accuracy' must be one of"):
        population_risk(network, LAW, "accuracy")
    for n_test in (0, 2.5):
        with pytest.raises(ValueError, match=f"n_test={n_test} must be an integer"):
            population_risk(network, LAW, n_test=n_test)
    with pytest.raises(ValueError, match=r"fitted to 30 features, .*n_patches=4.* have 24"):
        population_risk(network, DynamicSignal(4, 6))
    with pytest.raises(ValueError, match=r"fitted to 30 features, .* have 22"):
        population_risk(network, DynamicSignal(4, (6, 6, 6, 4)))
    with pytest.raises(ValueError, match="needs predict_proba, which LinearSVC does not"):
        population_risk(LinearSVC().fit(X, Y), LAW, "squared_risk")
    hinge = CNNClassifier(loss="hinge", **BRIEF).fit(X, Y)
    with pytest.raises(ValueError, match="needs predict_proba, which CNNClassifier does not"):
        population_risk(hinge, LAW, "squared_risk")


@pytest.mark.parametrize("labels", [["ham", "spam"], ["-1", "1"], [0, 1], [False, True]])
@pytest.mark.parametrize("closed", [False, True])
def test_risk_contract_other_labels_are_errors(labels, closed):
    model = sklcnn.dsd_network("cnn", **SIZES, **BRIEF) if closed else LogisticRegression()
    model.fit(X, np.array(labels)[(Y > 0).astype(int)])
    with pytest.raises(ValueError, match=r"fitted to the labels .*law draws -1 and"):
        population_risk(model, LAW)


def test_empirical_risk_contract_few_samples_of_several_classes_may_all_be_one():
    X = np.eye(4)
    network = LogisticRegression().fit(X, np.arange(4))
    assert empirical_risk(network, X[1:2], np.array([1]), "error") == 0


def test_deep_network_is_compared_by_its_first_layer():
    deep = BRIEF | {"n_filters": (3, 2)}
    local = {"patch_size": (PATCH_SIZE, 2), "stride": (PATCH_SIZE, 1)}
    network = CNNClassifier(**deep, **local).fit(X, Y)
    filters = network.filters_[0]
    cosines = filters @ SIGNAL / np.linalg.norm(filters, axis=1)
    np.testing.assert_allclose(sklcnn.alignment(network, LAW), cosines, rtol=0, atol=1e-12)
    assert sklcnn.alignment(FCNClassifier(**deep).fit(X, Y), LAW).shape == (3, N_PATCHES)


def test_risk_of_deep_network_oracle_other_samples():
    sums = BRIEF | {"n_filters": (3, 2), "activation": "soft_threshold", "readout": "sum"}
    network = FCNClassifier(**sums).fit(X, Y)
    fresh, truth = LAW.sample(10_000, random_state=2)
    found = population_risk(network, LAW, "error", n_test=10_000, random_state=3)
    # Five standard errors of the difference of two frequencies.
    assert found == pytest.approx(1 - network.score(fresh, truth), abs=5 * (0.5 / 10_000) ** 0.5)


def test_two_step_refuses_deep_networks():
    with pytest.raises(ValueError, match="made for one hidden layer"):
        FCNClassifier((4, 4), solver="two_step").fit(X, Y)
