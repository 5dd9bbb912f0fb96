"""scikit-learn's own check suite over all networks."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklcnn import (
    CNNClassifier,
    CNNRegressor,
    FCNClassifier,
    FCNRegressor,
    LCNClassifier,
    LCNRegressor,
)
from sklcnn.estimators import LinearNetworkClassifier
from sklcnn.training import GradientDescent

CLASSIFIERS = [FCNClassifier, LCNClassifier, CNNClassifier]
REGRESSORS = [FCNRegressor, LCNRegressor, CNNRegressor]
ROUNDING = {
    "check_sample_weight_equivalence_on_dense_data": "holds to rounding, but in float32 a sum in "
    "another order differs by more than the 1e-7 asked for; in float64 the check passes"
}
# Some of the suite's regression data are neither centered nor scaled: plain descent needs clipping.
CLIPPED = GradientDescent(clip_norm=10.0)

pytestmark = pytest.mark.filterwarnings(
    # Data and budgets are the suite's own; it fits networks for very few epochs.
    "ignore::sklearn.exceptions.ConvergenceWarning",
    "ignore::sklearn.exceptions.DataConversionWarning",
)


@parametrize_with_checks(
    [network() for network in CLASSIFIERS + REGRESSORS],
    expected_failed_checks=lambda network: ROUNDING,
    xfail_strict=False,  # one of the six meets 1e-7 by luck
)
def test_defaults_contract(estimator, check):
    check(estimator)


@parametrize_with_checks(
    [network(dtype="float64") for network in CLASSIFIERS + REGRESSORS], xfail_strict=True
)
def test_adam_in_double_precision_contract(estimator, check):
    check(estimator)


@parametrize_with_checks(
    [network(solver="gd", learning_rate_init=0.1, dtype="float64") for network in CLASSIFIERS]
    + [
        network(solver=CLIPPED, learning_rate_init=0.01, max_iter=500, dtype="float64")
        for network in REGRESSORS
    ],
    xfail_strict=True,
)
def test_gradient_descent_contract(estimator, check):
    check(estimator)


@parametrize_with_checks(
    [
        network((8, 8), max_iter=100, dtype="float64", **options)
        for network, options in [
            (FCNClassifier, {}),
            (LCNRegressor, {"padding": "same"}),
            (CNNClassifier, {"padding": "same"}),
        ]
    ],
    xfail_strict=True,
)
def test_two_hidden_layers_contract(estimator, check):
    check(estimator)


@parametrize_with_checks(
    [
        LinearNetworkClassifier(architecture, depth, max_iter=50, **options)
        for architecture, depth, options in [
            ("full", 2, {}),
            ("diagonal", 3, {"step": "normalized", "loss": "log_loss"}),
            ("convolutional", 1, {"step": "constant", "loss": "log_loss"}),
            ("convolutional", 3, {"n_channels": 2, "kernel_size": 1}),
        ]
    ],
    xfail_strict=True,
)
def test_linear_networks_contract(estimator, check):
    check(estimator)
