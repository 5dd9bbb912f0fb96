"""Relaxation: the next larger family starts at the same function, and is then free to leave it."""

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from sklcnn import (
    CNNClassifier,
    CNNRegressor,
    FCNClassifier,
    FCNRegressor,
    LCNClassifier,
    LCNRegressor,
)

SHAPE = (2, 5, 6)
QUICK = {"max_iter": 3, "tol": None, "random_state": 0, "input_shape": SHAPE}
NETWORKS = {
    "one layer": {"n_filters": 4, "stride": 1},
    "one layer, pooled": {"n_filters": 4, "pooling": "mean"},
    "summed": {"n_filters": 3, "pooling": "sum", "readout": "sum"},
    "averaged and summed": {"n_filters": 3, "pooling": "mean", "readout": "sum"},
    "soft threshold": {"n_filters": 3, "activation": "soft_threshold"},
    "zero padding": {"n_filters": 4, "padding": "same"},
    "wrapped": {"n_filters": (3, 4), "padding": "circular"},
    "two layers": {"n_filters": (3, 4), "padding": ("same"), "activation": "tanh"},
    "local means": {"n_filters": (3, 4), "padding": 1, "pooling": "mean", "pool_size": 2},
    "local sums": {"n_filters": (3, 4), "padding": "same", "pooling": "sum", "pool_size": (4, 2)},
    "mean at the end": {"n_filters": (3, 4), "pooling": "mean", "activation": "soft_threshold"},
}


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 60))
    return X, np.arange(40) % 2, rng.standard_normal((40, 2))


@pytest.mark.parametrize("options", NETWORKS.values(), ids=NETWORKS.keys())
def test_same_function_oracle_before_relaxation(options, data):
    X, y, _ = data
    shared = CNNClassifier(**(QUICK | options)).fit(X, y)
    free = shared.relax()
    dense = free.relax()
    assert [type(network) for network in (free, dense)] == [LCNClassifier, FCNClassifier]
    assert shared.n_parameters_ < free.n_parameters_ < dense.n_parameters_
    for larger in (free, dense):
        np.testing.assert_allclose(
            larger.decision_function(X), shared.decision_function(X), rtol=0, atol=1e-6
        )


def test_regressors_and_doubles_oracle_before_relaxation(data):
    X, _, y = data
    shared = CNNRegressor(n_filters=(3, 4), padding="same", dtype="float64", **QUICK).fit(X, y)
    free = shared.relax()
    dense = free.relax()
    assert [type(network) for network in (free, dense)] == [LCNRegressor, FCNRegressor]
    for larger in (free, dense):
        np.testing.assert_allclose(larger.predict(X), shared.predict(X), rtol=0, atol=1e-12)


@pytest.mark.parametrize("groups", [3, np.arange(12) % 5, [0, 1] * 6], ids=["int", "odd", "two"])
def test_groups_are_freed_before_locality(groups, data):
    X, y, _ = data
    tied = LCNClassifier(4, filter_groups=groups, **QUICK).fit(X, y)
    free = tied.relax()
    assert isinstance(free, LCNClassifier)
    assert free.filter_groups is None
    assert free.filters_.shape == (12, 4, 18)
    dense = free.relax()
    assert isinstance(dense, FCNClassifier)
    for larger in (free, dense):
        np.testing.assert_allclose(
            larger.decision_function(X), tied.decision_function(X), rtol=0, atol=1e-6
        )


def test_given_patches_may_repeat_and_mask_features(data):
    X, y, _ = data
    rng = np.random.default_rng(1)
    patches = np.ma.array(rng.integers(60, size=(9, 5)), mask=rng.random((9, 5)) < 0.2)
    options = {"max_iter": 3, "tol": None, "random_state": 0, "patch_indices": patches}
    local = LCNClassifier(4, **options).fit(X, y)
    np.testing.assert_allclose(
        local.relax().decision_function(X), local.decision_function(X), rtol=0, atol=1e-6
    )


def test_training_goes_on_from_the_same_function(data):
    X, y, _ = data
    shared = CNNClassifier(n_filters=(3, 4), padding="same", **(QUICK | {"max_iter": 30})).fit(X, y)
    before = shared.decision_function(X)
    free = shared.relax()
    copies = [filters.copy() for filters in free.filters_]
    free.fit(X, y)
    # The first loss is that of the shared network, give or take the steps of one epoch.
    assert free.loss_curve_[30] < 1.1 * shared.loss_curve_[-1]
    assert free.loss_curve_[-1] < shared.loss_curve_[-1]
    assert free.n_iter_ == 60
    for filters, copied in zip(free.filters_, copies, strict=True):
        assert np.ptp(copied, axis=0).max() == 0  # tied,
        assert np.ptp(filters, axis=0).max() > 1e-3  # then free
    np.testing.assert_array_equal(shared.decision_function(X), before)  # left as it was


def test_relaxed_network_takes_epochs_one_by_one(data):
    X, y, _ = data
    free = CNNClassifier(3, **QUICK).fit(X, y).relax()
    assert free.partial_fit(X, y).n_iter_ == 4


def test_maxima_cannot_become_dense(data):
    X, y, _ = data
    network = LCNClassifier(3, pooling="max", **QUICK).fit(X, y)
    with pytest.raises(ValueError, match=r"pooling='max' takes maxima.*'mean' or 'sum'"):
        network.relax()


def test_unfitted_network_cannot_relax():
    for network in (CNNClassifier(), LCNRegressor()):
        with pytest.raises(NotFittedError):
            network.relax()
