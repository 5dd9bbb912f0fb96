"""Networks of matched numbers of parameters: closed counts, and a search by brute force."""

import numpy as np
import pytest

from sklcnn import (
    CNNClassifier,
    CNNRegressor,
    FCNClassifier,
    FCNRegressor,
    LCNClassifier,
    LCNRegressor,
)
from sklcnn.estimators import match_parameters

BLOCKS = {"patch_size": 10, "stride": 10, "pooling": "mean"}
IMAGES = {"patch_size": 3, "input_shape": (3, 32, 32), "pooling": "mean"}


@pytest.mark.parametrize(
    ("network", "n_features", "n_filters", "count"),
    [
        (FCNRegressor(), 3072, 1024, 3_147_777),  # K (d + 2) + 1
        (CNNRegressor(**IMAGES), 3072, 1024, 29_697),  # K (m + 2) + 1
        (CNNRegressor(**BLOCKS), 80, 1024, 12_289),
        (LCNRegressor(**BLOCKS), 100, 64, 7_105),  # J K (m + 1) + K + 1
        (FCNClassifier((5,)), 100, 7, 7 * 102 + 1),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, int) else str(value),
)
@pytest.mark.parametrize("offset", [-0.4, 0.0, 0.4])
def test_filters_closed_form_counts(network, n_features, n_filters, count, offset):
    filter_size = (count - 1) // n_filters
    target = count + int(offset * filter_size)
    assert match_parameters(network, target, n_features).n_filters == n_filters


@pytest.mark.parametrize(
    "network",
    [
        FCNClassifier(),
        LCNClassifier(patch_size=4, stride=2),
        LCNClassifier(patch_size=4, stride=2, filter_groups=2, activation="soft_threshold"),
        CNNClassifier(patch_size=3, padding="same"),
        CNNClassifier(patch_size=2, pooling="max", pool_size=2),
    ],
    ids=repr,
)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_count_oracle_brute_force_over_fitted_networks(network, n_classes):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(12, 8)), np.arange(12) % n_classes
    network.set_params(max_iter=1, tol=None)
    counts = [network.set_params(n_filters=n).fit(X, y).n_parameters_ for n in range(1, 13)]
    for target in rng.integers(counts[0] * 2 // 3 + 1, counts[-2], size=8):
        n_outputs = 1 if n_classes == 2 else n_classes
        matched = match_parameters(network, target, 8, n_outputs=n_outputs)
        assert matched.n_filters == 1 + np.argmin(np.abs(np.array(counts) - target))


def test_estimator_contract_is_left_alone_and_all_else_is_kept():
    network = CNNRegressor(5, **BLOCKS, learning_rate_init=0.3)
    matched = match_parameters(network, 500, 80)
    assert network.n_filters == 5
    assert not hasattr(network, "n_features_in_")
    assert matched.get_params() == network.get_params() | {"n_filters": 42}  # 12 each, and one


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((FCNRegressor((4, 4)), 100, 10), r"n_filters=\(4, 4\) names 2 hidden layers"),
        ((FCNRegressor(), 8, 100), "n_parameters=8 cannot be matched: .* has 103 parameters"),
        ((FCNRegressor(), 0, 100), "n_parameters=0"),
        ((FCNRegressor(), 10.5, 100), "n_parameters=10.5"),
        ((FCNRegressor(), 10, -1), "n_features=-1"),
        (("network", 10, 10), "estimator='network'"),
        ((CNNRegressor(patch_size=4, stride=3), 50, 9), "stride"),
        ((FCNRegressor(activation="step"), 50, 9), "activation"),
    ],
)
def test_arguments_contract_bad_ones_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        match_parameters(*arguments)


@pytest.mark.parametrize("kind", [np.int64, np.uint16, int])
def test_contract_number_of_filters_is_a_plain_int(kind):
    for n_parameters in (70, 300):
        matched = match_parameters(FCNRegressor(), kind(n_parameters), kind(20), n_outputs=kind(1))
        assert type(matched.n_filters) is int
        assert matched.n_filters == round((n_parameters - 1) / 22)  # 22 each, and one


def test_limit_one_filter_may_be_half_too_large():
    assert match_parameters(FCNRegressor(), 69, 100).n_filters == 1  # 103 parameters
    with pytest.raises(ValueError, match="cannot be matched"):
        match_parameters(FCNRegressor(), 68, 100)
