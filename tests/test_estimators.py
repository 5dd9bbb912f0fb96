"""The estimators as users meet them: labels, shapes, seeds, pickles, errors."""

import copy
import io
import pickle
import subprocess
import sys
import textwrap

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from sklearn.datasets import load_digits, make_blobs, make_classification
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklcnn import (
    CNNClassifier,
    CNNRegressor,
    FCNClassifier,
    FCNRegressor,
    LCNClassifier,
    LCNRegressor,
)
from sklcnn.datasets import make_dsd
from sklcnn.training import GradientDescent

CLASSIFIERS = [FCNClassifier, LCNClassifier, CNNClassifier]
REGRESSORS = [FCNRegressor, LCNRegressor, CNNRegressor]
QUICK = {"max_iter": 15, "tol": None, "random_state": 0}


@pytest.fixture(scope="module")
def dsd():
    return make_dsd(n_samples=80, n_patches=4, patch_size=5, noise=0.2, random_state=0)


@pytest.fixture(scope="module")
def blobs():
    return make_blobs(n_samples=90, centers=3, n_features=6, random_state=0)


@pytest.mark.parametrize("network", CLASSIFIERS)
@pytest.mark.parametrize("labels", [[-1, 1], [False, True], ["ham", "spam"], [3, 8]])
def test_labels_contract_come_back_as_they_were(network, labels, dsd):
    X, y = dsd
    named = np.array(labels)[(y > 0).astype(int)]
    fitted = network(**QUICK).fit(X, named)
    assert set(fitted.predict(X)) <= set(labels)
    assert fitted.classes_.tolist() == labels
    # What the labels are called changes nothing.
    np.testing.assert_array_equal(
        fitted.decision_function(X), network(**QUICK).fit(X, y).decision_function(X)
    )


@pytest.mark.parametrize("network", CLASSIFIERS)
@pytest.mark.parametrize("loss", ["log_loss", "squared_error", "exponential"])
@pytest.mark.parametrize("data", ["dsd", "blobs"])
def test_probabilities_contract_agree_with_predictions(network, loss, data, request):
    X, y = request.getfixturevalue(data)
    fitted = network(loss=loss, **QUICK).fit(X, y)
    probabilities = fitted.predict_proba(X)
    assert probabilities.shape == (len(X), len(np.unique(y)))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-12)
    np.testing.assert_allclose(
        np.exp(fitted.predict_log_proba(X)), probabilities, rtol=1e-10, atol=1e-300
    )
    np.testing.assert_array_equal(fitted.classes_[probabilities.argmax(axis=1)], fitted.predict(X))


def test_probabilities_limit_log_proba_keeps_its_digits_far_out(dsd):
    X, y = dsd
    log_proba = FCNClassifier(**QUICK).fit(X, y).predict_log_proba(1e6 * X)
    assert np.isfinite(log_proba).all()
    assert log_proba.min() < -1000


def test_hinge_contract_has_no_probabilities(dsd):
    fitted = CNNClassifier(loss="hinge", **QUICK).fit(*dsd)
    assert fitted.decision_function(dsd[0]).shape == (80,)
    assert not hasattr(fitted, "predict_proba")


@pytest.mark.parametrize("loss", ["log_loss", "squared_error", "hinge", "exponential"])
def test_losses_limit_separable_blobs_are_learned(loss, blobs):
    X, y = blobs
    fitted = FCNClassifier(loss=loss, learning_rate_init=0.01, tol=None, random_state=0).fit(X, y)
    assert fitted.score(X, y) == 1.0


@pytest.mark.parametrize("network", REGRESSORS)
def test_regression_limit_several_outputs_of_a_linear_map(network):
    X = np.random.default_rng(0).normal(size=(300, 6))
    Y = X @ np.random.default_rng(1).normal(size=(6, 2))
    fitted = network(32, learning_rate_init=0.01, tol=None, random_state=0).fit(X, Y)
    assert fitted.predict(X).shape == (300, 2)
    assert fitted.score(X, Y) > 0.99
    assert fitted.set_params(max_iter=2).fit(X, Y[:, 0]).predict(X).shape == (300,)


@pytest.mark.parametrize(
    ("network", "filters", "groups"),
    [
        (FCNClassifier(5), (1, 5, 20), [0]),
        (LCNClassifier(5, 5, 5), (4, 5, 5), [0, 1, 2, 3]),
        (LCNClassifier(5, 5, 5, filter_groups=2), (2, 5, 5), [0, 0, 1, 1]),
        (CNNClassifier(5, 5, 5), (5, 5), [0, 0, 0, 0]),
        (CNNClassifier(5, 5, 5, pooling="max"), (5, 5), [0, 0, 0, 0]),
        (LCNClassifier(5, patch_indices=[[0, 3], [7, 19]]), (2, 5, 2), [0, 1]),
    ],
    ids=repr,
)
def test_fitted_arrays_closed_form_shapes(network, filters, groups, dsd):
    fitted = network.set_params(**QUICK).fit(*dsd)
    assert fitted.filters_.shape == filters
    assert fitted.filter_groups_.tolist() == groups
    assert fitted.patch_indices_.shape == (len(groups), filters[-1])
    hidden = int(np.prod(filters[:-1])) * (filters[-1] + 1)
    positions = 1 if network.get_params().get("pooling") else len(groups)
    assert fitted.n_parameters_ == hidden + 5 * positions + 1


def test_patch_indices_invariance_scrambled_features_with_the_scramble_told(dsd):
    X, y = dsd
    order = np.random.default_rng(0).permutation(20)
    patches = np.argsort(order).reshape(4, 5)  # where the features of each patch have gone
    plain = CNNClassifier(3, 5, 5, **QUICK).fit(X, y)
    told = CNNClassifier(3, patch_indices=patches, **QUICK).fit(X[:, order], y)
    np.testing.assert_array_equal(told.decision_function(X[:, order]), plain.decision_function(X))


@pytest.mark.parametrize("network", CLASSIFIERS[1:] + REGRESSORS[1:])
def test_images_contract_more_axes_are_raveled(network):
    X, y = load_digits(return_X_y=True)
    X, y = X[:100] / 16, y[:100]
    images = X.reshape(-1, 8, 8)
    fitted = network(2, input_shape=(8, 8), **QUICK).fit(images, y)
    np.testing.assert_array_equal(fitted.predict(images), fitted.predict(X))
    with pytest.raises(ValueError, match=r"\(100, 4, 16\).*input_shape=\(8, 8\)"):
        fitted.predict(X.reshape(-1, 4, 16))


def global_states():
    numpy_state = np.random.get_state(legacy=False)["state"]
    return numpy_state, torch.random.get_rng_state().numpy()


@pytest.mark.parametrize("network", CLASSIFIERS + REGRESSORS)
@pytest.mark.parametrize("batch_size", ["auto", 16])
def test_seed_contract_bit_for_bit_and_global_generators_untouched(network, batch_size, dsd):
    X, y = dsd
    states = global_states()
    networks = [network(batch_size=batch_size, **QUICK).fit(X, y) for _ in range(2)]
    np.testing.assert_array_equal(networks[0].filters_, networks[1].filters_)
    assert networks[0].loss_curve_ == networks[1].loss_curve_
    other = network(batch_size=batch_size, **QUICK | {"random_state": 1}).fit(X, y)
    assert not np.array_equal(other.filters_, networks[0].filters_)
    network(batch_size=batch_size, **QUICK | {"random_state": None}).fit(X, y)
    np.testing.assert_equal(global_states(), states)


@pytest.mark.parametrize("network", [CNNClassifier, FCNRegressor])
@pytest.mark.parametrize("carry", ["pickle", "joblib", "copy"])
def test_persistence_contract_same_predictions_and_training_goes_on(network, carry, dsd):
    X, y = dsd
    fitted = network(**QUICK).fit(X, y)
    if carry == "pickle":
        again = pickle.loads(pickle.dumps(fitted))
    elif carry == "joblib":
        file = io.BytesIO()
        joblib.dump(fitted, file)
        again = joblib.load(file)
    else:
        again = copy.deepcopy(fitted)
    np.testing.assert_array_equal(again.predict(X), fitted.predict(X))
    fitted.partial_fit(X, y)
    np.testing.assert_array_equal(again.partial_fit(X, y).filters_, fitted.filters_)


@pytest.mark.parametrize("network", [LCNClassifier, LCNRegressor])
@pytest.mark.parametrize("batch_size", ["auto", 16])
def test_partial_fit_oracle_epochs_one_by_one_equal_one_fit(network, batch_size, dsd):
    X, y = dsd
    options = {"batch_size": batch_size, "tol": None, "random_state": 0}
    whole = network(max_iter=6, **options).fit(X, y)
    stepwise = network(max_iter=99, **options)
    first = {"classes": [-1, 1]} if network is LCNClassifier else {}
    for _ in range(6):
        stepwise.partial_fit(X, y, **first)
    np.testing.assert_array_equal(stepwise.filters_, whole.filters_)
    assert stepwise.loss_curve_ == whole.loss_curve_


def test_partial_fit_contract_classes_are_needed_first_and_stay(dsd):
    X, y = dsd
    with pytest.raises(ValueError, match="classes"):
        FCNClassifier().partial_fit(X, y)
    network = FCNClassifier().partial_fit(X[:5], np.ones(5), classes=[-1, 1, 2])
    assert network.predict_proba(X).shape == (80, 3)
    with pytest.raises(ValueError, match="differ from those of the first call"):
        network.partial_fit(X, y, classes=[-1, 1])
    with pytest.raises(ValueError, match=r"labels \[5"):
        network.partial_fit(X, np.where(y > 0, 5, 1))


def test_warm_start_contract_goes_on_from_the_weights(dsd):
    X, y = dsd
    options = {"solver": "gd", "learning_rate_init": 0.1, "tol": None, "random_state": 0}
    network = FCNClassifier(max_iter=5, warm_start=True, **options).fit(X, y).fit(X, y)
    whole = FCNClassifier(max_iter=10, **options).fit(X, y)
    np.testing.assert_array_equal(network.filters_, whole.filters_)
    assert network.n_iter_ == 10


def test_class_weight_oracle_sample_weight(dsd):
    X, y = dsd
    weighted = FCNClassifier(class_weight={-1: 3.0, 1: 0.5}, **QUICK).fit(X, y)
    by_sample = FCNClassifier(**QUICK).fit(X, y, sample_weight=np.where(y > 0, 0.5, 3.0))
    np.testing.assert_array_equal(weighted.filters_, by_sample.filters_)


def test_class_weight_limit_balanced_recalls_the_rare_class():
    X, y = make_classification(600, 8, weights=[0.95], flip_y=0.0, class_sep=0.5, random_state=0)
    recalls = [
        FCNClassifier(4, class_weight=weight, random_state=0, tol=None, max_iter=50)
        .fit(X, y)
        .score(X[y == 1], y[y == 1])
        for weight in (None, "balanced")
    ]
    assert recalls[1] > recalls[0] + 0.2


def test_convergence_contract_warns_only_if_stopping_was_asked_for(dsd):
    with pytest.warns(ConvergenceWarning, match="max_iter=2"):
        FCNClassifier(max_iter=2).fit(*dsd)
    FCNClassifier(max_iter=2, tol=None).fit(*dsd)  # warnings are errors here


def test_model_selection_contract_pipeline_grid_and_nested_solver(dsd):
    X, y = dsd
    pipeline = make_pipeline(StandardScaler(), CNNClassifier(4, 5, 5, **QUICK))
    assert cross_val_score(pipeline, X, y, cv=3).shape == (3,)
    pipeline.set_params(cnnclassifier__solver=GradientDescent())
    grid = {
        "cnnclassifier__learning_rate_init": [0.01, 0.1],
        "cnnclassifier__solver__momentum": [0.0, 0.9],
    }
    search = GridSearchCV(pipeline, grid, cv=3).fit(X, y)
    assert len(np.unique(search.cv_results_["mean_test_score"])) > 1


def test_feature_names_contract(dsd):
    X = pd.DataFrame(dsd[0], columns=[f"pixel {i}" for i in range(20)])
    fitted = FCNClassifier(**QUICK).fit(X, dsd[1])
    assert fitted.feature_names_in_[3] == "pixel 3"
    with pytest.raises(ValueError, match="feature names"):
        fitted.predict(X[X.columns[::-1]])


def test_metadata_routing_contract(dsd):
    X, y = dsd
    weight = np.where(y > 0, 5.0, 0.5)
    network = FCNClassifier(**QUICK)
    with sklearn.config_context(enable_metadata_routing=True):
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        pipeline = make_pipeline(scaler, network.set_fit_request(sample_weight=True))
        pipeline.fit(X, y, sample_weight=weight)
    scaled = StandardScaler().fit_transform(X)
    expected = FCNClassifier(**QUICK).fit(scaled, y, sample_weight=weight)
    np.testing.assert_array_equal(pipeline[-1].filters_, expected.filters_)


def test_scikit_learn_callbacks_contract_one_task_an_epoch(dsd):
    callback = pytest.importorskip("sklearn.callback", reason="scikit-learn before 1.9")
    monitor = callback.ScoringMonitor(scoring="accuracy")
    network = FCNClassifier(**QUICK).set_callbacks(monitor)
    network.fit(*dsd)
    rows = monitor.get_logs(select="most_recent").data
    scores = [row["accuracy"] for row in rows if row["task_name"] == "epoch"]
    assert len(scores) == network.n_iter_ == QUICK["max_iter"]
    assert scores[-1] == network.score(*dsd)
    assert scores[0] < scores[-1]  # each epoch is scored with the weights of that epoch
    unwatched = FCNClassifier(**QUICK).fit(*dsd)
    np.testing.assert_array_equal(network.filters_, unwatched.filters_)


def test_html_repr_contract_links_to_the_documentation():
    html = CNNClassifier()._repr_html_()
    assert "generated/sklcnn.CNNClassifier.html" in html


def test_not_fitted_contract():
    with pytest.raises(NotFittedError):
        CNNClassifier().predict(np.zeros((2, 4)))
    with pytest.raises(NotFittedError):
        CNNRegressor().net_  # noqa: B018


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (FCNClassifier(()), "n_filters=.* no hidden layer"),
        (FCNClassifier((8, 0)), r"n_filters=\(8, 0\) holds 0"),
        (CNNClassifier(4, (3, 3)), "patch_size=.*one hidden layer"),
        (CNNClassifier(4, 5, 2), "stride=2 leaves features"),
        (CNNClassifier(input_shape=(4, 6)), "holds 24 features, but X has 20"),
        (LCNClassifier(filter_groups=30), "filter_groups=30"),
        (LCNClassifier(patch_indices=[[0, 20]]), "patch_indices names features"),
        (FCNClassifier(activation="sine"), "'activation' parameter"),
        (FCNClassifier(alpha=-1), "'alpha' parameter"),
        (FCNClassifier(solver=StandardScaler()), "solver"),
        (FCNClassifier(device="abacus"), "device='abacus'"),
    ],
    ids=repr,
)
def test_bad_parameters_contract_are_named(network, message, dsd):
    with pytest.raises(ValueError, match=message):
        network.fit(*dsd)


def test_bad_data_contract_are_named(dsd, blobs):
    X, y = dsd
    with pytest.raises(ValueError, match="one class only"):
        FCNClassifier().fit(X, np.ones(len(X)))
    with pytest.raises(ValueError, match="readout='linear'"):
        FCNClassifier(readout="sum").fit(*blobs)
    with pytest.raises(ValueError, match=r"labels \[3\]"):
        FCNClassifier().fit(X, y, X_val=X[:1], y_val=[3])
    with pytest.raises(ValueError, match="NaN"):
        FCNClassifier().fit(np.where(X > 1, np.nan, X), y)


def test_processes_oracle_loop_in_a_loky_worker(dsd):
    X, y = dsd
    scores = cross_val_score(CNNClassifier(3, 5, 5, **QUICK), X, y, cv=2)
    with joblib.parallel_config("loky", n_jobs=2, inner_max_num_threads=1):
        parallel = cross_val_score(CNNClassifier(3, 5, 5, **QUICK), X, y, cv=2)
    np.testing.assert_allclose(parallel, scores)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize("network", CLASSIFIERS + REGRESSORS)
def test_cuda_oracle_cpu_and_pickle_loads_without_it(network, dsd, tmp_path):
    X, y = dsd
    options = QUICK | {"dtype": "float64", "batch_size": 16}
    on_gpu = network(device="cuda", **options).fit(X, y)
    on_cpu = network(device="cpu", **options).fit(X, y)
    np.testing.assert_allclose(on_gpu.filters_, on_cpu.filters_, rtol=0, atol=1e-10)
    joblib.dump((on_gpu, X), tmp_path / "fitted.joblib")
    script = f"""
        import joblib
        fitted, X = joblib.load({str(tmp_path / "fitted.joblib")!r})
        joblib.dump(fitted.predict(X), {str(tmp_path / "predicted.joblib")!r})
    """
    environment = {"CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": ":".join(sys.path)}
    subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=True, env=environment)
    np.testing.assert_array_equal(joblib.load(tmp_path / "predicted.joblib"), on_gpu.predict(X))
