"""Estimators of several hidden layers: training, fleets, fitted attributes, errors."""

import copy
import pickle

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, learning_curve
from skorch.callbacks import Callback
from test_fleet import assert_fleet_equals_loop, on_two_folds, prepare

import sklcnn
from sklcnn import (
    CNNClassifier,
    CNNRegressor,
    FCNClassifier,
    FCNRegressor,
    LCNClassifier,
    LCNRegressor,
)
from sklcnn.training import SGD, Adam, GradientDescent, TwoStep, batches, stacks, train
from sklcnn.training.stacks import group_jobs

DOUBLE = {"dtype": "float64", "device": "cpu"}
QUICK = {"max_iter": 6, "tol": None, "random_state": 0, "device": "cpu"}
IMAGE = {"input_shape": (2, 5, 4), "padding": "same"}
POOLED = {"pooling": ("max", "mean"), "pool_size": (2, None)}
FAMILIES = {
    "FCN": lambda **options: FCNClassifier((4, 3), **options),
    "LCN": lambda **options: LCNClassifier((3, 2), **IMAGE | POOLED | options),
    "groups": lambda **options: LCNClassifier(
        (3, 2), (3, 2), filter_groups=(3, None), **IMAGE | options
    ),
    "CNN": lambda **options: CNNClassifier((3, 4), **IMAGE | POOLED | options),
}
CLASSIFIERS = [FCNClassifier, LCNClassifier, CNNClassifier]
REGRESSORS = [FCNRegressor, LCNRegressor, CNNRegressor]


@pytest.fixture(scope="module")
def data():
    random = np.random.default_rng(0)
    X = random.normal(size=(90, 40))
    return X, (X[:, :10].sum(axis=1) * X[:, 20] > 0).astype(int)


# Training against torch.optim


def torch_network(fitted):
    """A function of torch's own that computes a deep CNN from parameters by name."""

    def respond(X, p):
        maps = X.reshape(-1, 2, 5, 4)
        first = F.conv2d(
            maps, p["layers.0.weight"].reshape(3, 2, 3, 3), p["layers.0.bias"][0], 1, 1
        )
        pooled = F.max_pool2d(first.relu(), 2, ceil_mode=True)
        kernel = p["layers.1.weight"].reshape(4, 3, 3, 2)  # the map of width two clips the window
        second = F.conv2d(F.pad(pooled, (0, 1, 1, 1)), kernel, p["layers.1.bias"][0])
        return F.linear(second.relu().mean(dim=(2, 3)), p["readout_weight"], p["readout_bias"])

    return respond


@pytest.mark.parametrize(
    ("solver", "make"),
    [
        (GradientDescent(0.5), lambda groups: torch.optim.SGD(groups, lr=0.05, momentum=0.5)),
        (
            SGD(0.9),
            lambda groups: torch.optim.SGD(groups, lr=0.05, momentum=0.9, nesterov=True),
        ),
        (Adam(), lambda groups: torch.optim.Adam(groups, lr=0.05)),
    ],
    ids=["gd", "sgd", "adam"],
)
def test_training_oracle_torch_optim(solver, make, data):
    X, y = data
    options = {"learning_rate_init": 0.05, "alpha": 2.0, **QUICK, **DOUBLE}
    network = FAMILIES["CNN"](solver=solver, **options)
    start = prepare(clone(network), X, y).module
    parameters = {n: p.detach().clone().requires_grad_() for n, p in start.named_parameters()}
    optimizer = make(
        [
            {"params": [p for n, p in parameters.items() if "weight" in n], "weight_decay": 2 / 90},
            {"params": [p for n, p in parameters.items() if "bias" in n]},
        ]
    )
    inputs, target = torch.from_numpy(X), torch.from_numpy(y).double()
    losses = []
    for _ in range(6):
        outputs = torch_network(network)(inputs, parameters)[:, 0]
        loss = F.binary_cross_entropy_with_logits(outputs, target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    network.fit(X, y)
    np.testing.assert_allclose(network.loss_curve_, losses, rtol=0, atol=1e-11)
    for name, parameter in network.module_.named_parameters():
        torch.testing.assert_close(parameter, parameters[name], rtol=0, atol=1e-10)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("projection", ["unit_ball", "unit_sphere"])
def test_projection_contract_filters_of_all_layers(family, projection, data):
    solver = GradientDescent(projection=projection)
    options = {"solver": solver, "init_scale": 3.0, "learning_rate_init": 0.1, **QUICK}
    fitted = FAMILIES[family](**options).fit(*data)
    for filters in fitted.filters_:
        norms = np.linalg.norm(filters, axis=-1)
        assert (norms < 1 + 1e-6).all()
        assert norms.max() > 0.9  # they start at three times their usual length
        assert projection == "unit_ball" or norms.min() > 1 - 1e-6
    assert np.linalg.norm(fitted.module_.readout_weight.detach()) != pytest.approx(1)


@pytest.mark.parametrize("family", FAMILIES)
def test_solver_options_contract_thresholds_and_biases_of_all_layers(family, data):
    held = GradientDescent(min_threshold=0.1)
    options = {"activation": "soft_threshold", "learning_rate_init": 0.01, **QUICK}
    fitted = FAMILIES[family](solver=held, **options).fit(*data)
    assert min(layer.threshold.item() for layer in fitted.module_.layers) > 0.1 - 1e-7
    fitted = FAMILIES[family](solver=GradientDescent(bias_learning_rate=0.0), **QUICK).fit(*data)
    assert all((layer.bias == 0).all() for layer in fitted.module_.layers)
    assert (fitted.module_.readout_bias == 0).all()


@pytest.mark.parametrize("thresholds", [None, 0.2])
@pytest.mark.parametrize(
    "network",
    [
        CNNClassifier((3, 4), **IMAGE),
        FCNClassifier((3, 4)),
        CNNClassifier(3, pooling="sum", pool_size=2, **IMAGE),
    ],
    ids=["CNN", "FCN", "pooled"],
)
def test_two_step_contract_is_for_one_hidden_layer(network, thresholds, data):
    solver = TwoStep(0.1, 0.1, first_threshold=thresholds, second_threshold=thresholds)
    network = clone(network).set_params(solver=solver, readout="sum")
    with pytest.raises(ValueError, match=r"TwoStep\((.|\n)*one hidden layer"):
        network.set_params(activation="soft_threshold").fit(*data)


# Fleets


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("solver", "batch_size"), [("gd", "auto"), ("sgd", 16), ("adam", "auto"), ("adam", 16)]
)
def test_fleet_oracle_loop(family, solver, batch_size, data):
    X, y = data
    options = QUICK | {"solver": solver, "batch_size": batch_size} | DOUBLE
    jobs = [
        prepare(FAMILIES[family](**options | {"random_state": n}), X[n : 50 + n], y[n : 50 + n])
        for n in range(4)
    ]
    assert_fleet_equals_loop(jobs)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("activation", ["soft_threshold", "gelu"])
def test_activations_and_three_classes_oracle_loop(family, activation, data):
    X, _ = data
    options = QUICK | {"activation": activation} | DOUBLE
    jobs = [
        prepare(FAMILIES[family](**options | {"random_state": seed}), X, np.arange(90) % 3)
        for seed in range(3)
    ]
    assert_fleet_equals_loop(jobs)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("batch_size", "weighted"), [("auto", True), (32, False)])
def test_own_numbers_of_samples_oracle_loop(family, batch_size, weighted, data):
    X, y = data
    weights = np.random.default_rng(0).uniform(size=90)
    options = QUICK | {"batch_size": batch_size} | DOUBLE
    jobs = [
        prepare(
            FAMILIES[family](**options | {"random_state": n}),
            X[:n],
            y[:n],
            weights[:n] if weighted else None,
        )
        for n in (80, 72, 75)
    ]
    assert_fleet_equals_loop(jobs)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("batch_size", ["auto", 16])
def test_own_ends_oracle_loop_early_stopping(family, batch_size, data):
    X, y = data
    options = {"early_stopping": True, "max_iter": 12, "batch_size": batch_size, **DOUBLE}
    own = [(0.3, 1), (0.1, 3), (0.03, 6), (0.05, 2), (1e-9, 4)]
    jobs = [
        prepare(
            FAMILIES[family](
                random_state=patience,
                learning_rate_init=rate,
                n_iter_no_change=patience,
                **options,
            ),
            X[:60],
            y[:60],
            X_val=X[60:],
            y_val=y[60:],
        )
        for rate, patience in own
    ]
    lengths = {len(outcome.train_loss) for outcome in train(copy.deepcopy(jobs))}
    assert len(lengths) > 2  # members leave one after the other, and the stack is compacted
    assert_fleet_equals_loop(jobs)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("solver", [SGD(clip_norm=0.05), Adam(projection="unit_ball")], ids=repr)
def test_members_that_end_or_diverge_oracle_loop(family, solver, data):
    network = FAMILIES[family](**QUICK | {"solver": solver} | DOUBLE)
    changes = [
        {"max_iter": n, "learning_rate_init": rate}
        for n, rate in ((2, 0.1), (4, 0.2), (9, 0.1), (9, 1e300), (7, 0.2))
    ]
    jobs = on_two_folds(network, *data, changes)
    outcomes = train(copy.deepcopy(jobs))
    if solver.projection is None:
        assert any(isinstance(outcome, ValueError) for outcome in outcomes)
    assert_fleet_equals_loop(jobs, n_stacks=None)


def test_groups_contract_what_cannot_share_a_stack_does_not(data):
    plain = {"n_filters": (3, 2), "filter_groups": (3, 1), **IMAGE, **POOLED, **QUICK}
    others = [
        {"n_filters": (2, 3)},
        {"n_filters": (3, 2, 2), "filter_groups": 1, "pooling": None, "pool_size": None},
        {"filter_groups": (None, 1)},
        {"filter_groups": (np.arange(20) % 3, 1)},
        {"filter_groups": (np.roll(np.arange(20) % 3, 1), 1)},
        {"pooling": ("mean", "mean")},
        {"pool_size": (3, None)},
        {"padding": 1},
        {"padding": "circular"},
        {"input_shape": (2, 4, 5)},
        {"activation": "tanh"},
        {"patch_size": (2, 3)},
    ]
    networks = [LCNClassifier(**plain | other) for other in [{"alpha": 1.0}, {}, *others]]
    jobs = [prepare(network, *data) for network in networks]
    alone = [[number] for number in range(2, len(jobs))]
    assert sorted(map(sorted, group_jobs(jobs))) == [[0, 1], *alone]
    assert_fleet_equals_loop(jobs, n_stacks=len(jobs) - 1, atol=1e-5)


def test_one_group_contract_shares_a_stack_with_the_convolution(data):
    networks = [
        CNNClassifier((3, 4), **IMAGE | POOLED | QUICK | DOUBLE),
        LCNClassifier((3, 4), filter_groups=1, **IMAGE | POOLED | QUICK | DOUBLE),
    ]
    assert_fleet_equals_loop([prepare(network, *data) for network in networks])
    both = [network.fit(*data) for network in networks]
    np.testing.assert_array_equal(both[0].predict_proba(data[0]), both[1].predict_proba(data[0]))


@pytest.mark.parametrize("family", FAMILIES)
def test_memory_contract_chunks_hold_no_more_than_fits(family, data, monkeypatch):
    jobs = [
        prepare(FAMILIES[family](**QUICK | {"random_state": n} | DOUBLE), *data) for n in range(5)
    ]
    room = 2 * stacks._step_bytes(jobs[0])
    monkeypatch.setattr(stacks, "_room", lambda job, memory: room)
    assert_fleet_equals_loop(jobs, n_stacks=3)
    assert max(map(len, group_jobs(jobs))) == 2


@pytest.mark.parametrize("family", FAMILIES)
def test_chunks_invariance_predictions_and_validation(family, data, monkeypatch):
    X, y = data
    network = FAMILIES[family](early_stopping=True, **QUICK | DOUBLE)
    whole = clone(network).fit(X[:60], y[:60], X_val=X[60:], y_val=y[60:])
    predicted = whole.decision_function(X)
    monkeypatch.setattr(batches, "CHUNK_ENTRIES", 7 * sum(whole.module_.footprint))
    np.testing.assert_allclose(whole.decision_function(X), predicted, rtol=0, atol=1e-12)
    jobs = [prepare(network, X[n : n + 50], y[n : n + 50], None, X[60:], y[60:]) for n in range(3)]
    assert_fleet_equals_loop(jobs)
    chunked = network.fit(X[:60], y[:60], X_val=X[60:], y_val=y[60:])
    np.testing.assert_allclose(
        chunked.validation_loss_curve_, whole.validation_loss_curve_, rtol=0, atol=1e-12
    )


def test_grid_search_over_layers_oracle_loop(data):
    network = CNNClassifier(augment_shift=1, **IMAGE | QUICK | DOUBLE)
    grid = {"n_filters": [(3, 4), (3, 4, 2), 5], "learning_rate_init": [0.01, 0.1]}
    search = GridSearchCV(network, grid, cv=3)
    alone = clone(search).fit(*data)
    with sklcnn.fleet():
        together = clone(search).fit(*data)
    np.testing.assert_array_equal(
        alone.cv_results_["mean_test_score"], together.cv_results_["mean_test_score"]
    )
    assert len(np.unique(alone.cv_results_["mean_test_score"])) > 3
    assert alone.best_params_ == together.best_params_
    np.testing.assert_allclose(
        alone.decision_function(data[0]), together.decision_function(data[0]), rtol=0, atol=1e-10
    )


@pytest.mark.parametrize("family", ["FCN", "groups", "CNN"])
def test_learning_curve_oracle_loop(family, data):
    network = FAMILIES[family](augment_shift=1, **QUICK | DOUBLE)
    if family == "FCN":
        network.set_params(input_shape=(2, 5, 4))
    options = {"cv": 3, "train_sizes": [20, 45, 60]}
    alone = learning_curve(network, *data, **options)
    with sklcnn.fleet():
        together = learning_curve(network, *data, **options)
    for one, many in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, many)


# What is fitted

SHAPES = [
    (FCNClassifier((5, 3)), [(1, 5, 40), (1, 3, 5)], [1, 1], 3),
    (FCNClassifier((5, 3, 2)), [(1, 5, 40), (1, 3, 5), (1, 2, 3)], [1, 1, 1], 2),
    (CNNClassifier((5, 3)), [(5, 3), (3, 15)], [38, 36], 3 * 36),
    (CNNClassifier((5, 3), (4, 2), (2, 1)), [(5, 4), (3, 10)], [19, 18], 3 * 18),
    (CNNClassifier((5, 3), pooling="max"), [(5, 3), (3, 15)], [38, 36], 3),
    (CNNClassifier((5, 3), **IMAGE), [(5, 18), (3, 45)], [20, 20], 3 * 20),
    (CNNClassifier((5, 3), **IMAGE | POOLED), [(5, 18), (3, 5 * 6)], [20, 6], 3),
    (
        CNNClassifier((5, 3), pooling="mean", pool_size=3, **IMAGE),
        [(5, 18), (3, 5 * 4)],
        [20, 4],
        3,
    ),
    (
        CNNClassifier((5, 3), pooling=(None, "sum"), pool_size=2, **IMAGE),
        [(5, 18), (3, 45)],
        [20, 20],
        3 * 6,
    ),
    (
        LCNClassifier((5, 3), (3, 2), input_shape=(2, 5, 4)),
        [(6, 5, 18), (2, 3, 20)],
        [6, 2],
        3 * 2,
    ),
    (LCNClassifier((5, 3), **IMAGE | POOLED), [(20, 5, 18), (6, 3, 30)], [20, 6], 3),
    (
        LCNClassifier((5, 3), filter_groups=(4, 1), **IMAGE | POOLED),
        [(4, 5, 18), (1, 3, 30)],
        [20, 6],
        3,
    ),
    (
        LCNClassifier((5, 3), filter_groups=(list("ab") * 10, None), **IMAGE | POOLED),
        [(2, 5, 18), (6, 3, 30)],
        [20, 6],
        3,
    ),
    (LCNClassifier((5, 3), filter_groups=2, **IMAGE), [(2, 5, 18), (2, 3, 45)], [20, 20], 3 * 20),
]


@pytest.mark.parametrize(("network", "filters", "n_patches", "n_responses"), SHAPES)
@pytest.mark.parametrize("activation", ["relu", "soft_threshold"])
def test_fitted_arrays_closed_form_shapes(
    network, filters, n_patches, n_responses, activation, data
):
    fitted = clone(network).set_params(activation=activation, **QUICK).fit(*data)
    layers = fitted.filters_, fitted.patch_indices_, fitted.filter_groups_
    assert [type(layer) for layer in layers] == [list] * 3
    assert [layer.shape for layer in fitted.filters_] == filters
    assert [layer.shape for layer in fitted.patch_indices_] == [
        (n, shape[-1]) for n, shape in zip(n_patches, filters, strict=True)
    ]
    assert [layer.shape for layer in fitted.filter_groups_] == [(n,) for n in n_patches]
    weights = sum(int(np.prod(shape)) for shape in filters)
    biases = sum(int(np.prod(shape[:-1])) for shape in filters)
    hidden = weights + (biases if activation == "relu" else len(filters))
    assert fitted.n_parameters_ == hidden + n_responses + 1


def by_hand(fitted, X):
    """The decision function from the fitted arrays alone, patch by patch."""
    pools = fitted._plans  # only for the grids of positions
    layers = zip(
        fitted.filters_, fitted.patch_indices_, fitted.filter_groups_, fitted.module_.layers, pools,
        strict=True,
    )  # fmt: skip
    for filters, patches, groups, module, plan in layers:
        filters = filters[None] if filters.ndim == 2 else filters
        X = np.hstack([X, np.zeros((len(X), 1))])  # a feature for what lies outside
        seen = X[:, np.ma.filled(patches, -1)]  # (n_samples, n_patches, patch_size)
        z = np.einsum("npf,pkf->nkp", seen, filters[groups])
        z = np.maximum(z + module.bias.detach().numpy()[groups].T, 0)
        z = z.reshape(*z.shape[:2], *plan.grid)
        if plan.pooling is not None:
            reduce = {"max": np.max, "mean": np.mean, "sum": np.sum}[plan.pooling]
            rows, columns = (range(0, side, plan.pool_size or side) for side in plan.grid)
            size = plan.pool_size or max(plan.grid)
            z = np.array(
                [
                    [reduce(z[:, :, a : a + size, b : b + size], axis=(2, 3)) for b in columns]
                    for a in rows
                ]
            ).transpose(2, 3, 0, 1)
        X = z.reshape(len(X), -1)
    weight, bias = (p.detach().numpy() for p in fitted.module_.parameters(recurse=False))
    return (X @ weight.T + bias)[:, 0]


@pytest.mark.parametrize("network", [row[0] for row in SHAPES], ids=repr)
def test_fitted_arrays_oracle_the_network_by_hand(network, data):
    fitted = clone(network).set_params(**QUICK | DOUBLE).fit(*data)
    np.testing.assert_allclose(
        by_hand(fitted, data[0]), fitted.decision_function(data[0]), rtol=0, atol=1e-12
    )


@pytest.mark.parametrize("network", CLASSIFIERS + REGRESSORS)
def test_tuple_of_one_limit_the_network_of_one_hidden_layer(network, data):
    X, y = data
    one, alike = (network(n_filters, **QUICK).fit(X, y) for n_filters in (5, (5,)))
    np.testing.assert_array_equal(one.filters_, alike.filters_)
    np.testing.assert_array_equal(one.predict(X), alike.predict(X))
    if network is LCNClassifier:
        grouped = network((5,), (3,), (1,), filter_groups=(2,), **QUICK).fit(X, y)
        assert grouped.filters_.shape == (2, 5, 3)


@pytest.mark.parametrize("pooling", ["max", "mean", "sum"])
@pytest.mark.parametrize("network", [CNNRegressor, LCNRegressor])
def test_pooling_of_one_layer_limit_windows_as_large_as_the_map(network, pooling, data):
    X, y = data
    options = {**IMAGE, **QUICK, **DOUBLE, "pooling": pooling}
    local = network(3, pool_size=5, **options).fit(X, y)
    globally = network(3, **options).fit(X, y)
    assert local.filters_.shape == globally.filters_.shape
    assert local.n_parameters_ == globally.n_parameters_
    named = dict(local.module_.layers[0].named_parameters())
    named |= dict(local.module_.named_parameters(recurse=False))
    globally.module_ = globally.module_.with_parameters(named)
    np.testing.assert_allclose(globally.predict(X), local.predict(X), rtol=0, atol=1e-12)


# The contract of an estimator


@pytest.mark.parametrize("family", FAMILIES)
def test_persistence_contract_same_predictions_and_training_goes_on(family, data):
    fitted = FAMILIES[family](batch_size=16, **QUICK).fit(*data)
    predicted = fitted.predict_proba(data[0])
    copies = [pickle.loads(pickle.dumps(fitted)), copy.deepcopy(fitted)]
    fitted.partial_fit(*data)
    for other in copies:
        np.testing.assert_array_equal(other.predict_proba(data[0]), predicted)
        for mine, theirs in zip(fitted.patch_indices_, other.patch_indices_, strict=True):
            np.testing.assert_array_equal(np.ma.getmaskarray(mine), np.ma.getmaskarray(theirs))
            np.testing.assert_array_equal(mine, theirs)
        other.partial_fit(*data)
        np.testing.assert_array_equal(other.predict_proba(data[0]), fitted.predict_proba(data[0]))
    assert (fitted.predict_proba(data[0]) != predicted).any()


@pytest.mark.parametrize("family", FAMILIES)
def test_clone_and_set_params_contract(family, data):
    network = FAMILIES[family](**QUICK)
    fitted = clone(network).fit(*data)
    assert clone(fitted).get_params() == network.get_params()
    plain = {"patch_size": 3, "pooling": None, "pool_size": None, "filter_groups": None}
    plain = {name: value for name, value in plain.items() if name in fitted.get_params()}
    again = fitted.set_params(n_filters=(2, 2, 2), **plain)
    again.fit(*data)
    assert len(again.filters_) == len(again.module_.layers) == 3
    again.set_params(n_filters=2).fit(*data)
    assert isinstance(again.filters_, np.ndarray)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("batch_size", ["auto", 16])
def test_partial_fit_oracle_epochs_one_by_one_equal_one_fit(family, batch_size, data):
    whole = FAMILIES[family](batch_size=batch_size, **QUICK).fit(*data)
    stepwise = FAMILIES[family](batch_size=batch_size, **QUICK)
    for _ in range(6):
        stepwise.partial_fit(*data, classes=[0, 1])
    assert stepwise.loss_curve_ == whole.loss_curve_
    for one, other in zip(stepwise.filters_, whole.filters_, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("family", FAMILIES)
def test_warm_start_contract_goes_on_from_the_weights(family, data):
    options = QUICK | {"solver": "gd", "learning_rate_init": 0.1}
    warm = FAMILIES[family](warm_start=True, **options).fit(*data).fit(*data)
    whole = FAMILIES[family](**options | {"max_iter": 12}).fit(*data)
    assert warm.loss_curve_ == whole.loss_curve_
    assert warm.n_iter_ == 12


@pytest.mark.parametrize("family", FAMILIES)
def test_net_contract_a_working_skorch_net(family, data):
    X, y = data
    fitted = FAMILIES[family](**QUICK | DOUBLE).fit(X, y)
    net = fitted.net_
    np.testing.assert_allclose(net.predict(X)[:, 0], fitted.decision_function(X), atol=1e-12)
    assert net.history[:, "train_loss"] == fitted.loss_curve_


class Watch(Callback):
    """Counts epochs and remembers whose gradients it has seen."""

    def __init__(self):
        self.n_epochs, self.names = 0, set()

    def on_epoch_end(self, net, **kwargs):
        self.n_epochs += 1

    def on_grad_computed(self, net, named_parameters, **kwargs):
        self.names |= {name for name, parameter in named_parameters if parameter.grad is not None}


@pytest.mark.parametrize("family", FAMILIES)
def test_callbacks_contract_see_every_epoch_and_every_layer(family, data):
    watch = Watch()
    fitted = FAMILIES[family](callbacks=[watch], **QUICK).fit(*data)
    assert watch.n_epochs == fitted.n_iter_ == 6
    assert {"layers.0.weight", "layers.1.bias", "readout_weight"} <= watch.names
    unwatched = FAMILIES[family](**QUICK).fit(*data)
    assert unwatched.loss_curve_ == fitted.loss_curve_


@pytest.mark.parametrize("family", FAMILIES)
def test_sample_weights_invariance_zero_is_removal_and_two_is_twice(family, data):
    X, y = data
    options = QUICK | {"solver": "gd", "alpha": 0.0, "learning_rate_init": 0.1} | DOUBLE
    weight = np.r_[np.zeros(20), np.ones(40), 2 * np.ones(30)]
    weighted = FAMILIES[family](**options).fit(X, y, weight)
    rows = np.repeat(np.arange(90), weight.astype(int))
    repeated = FAMILIES[family](**options).fit(X[rows], y[rows])
    np.testing.assert_allclose(weighted.loss_curve_, repeated.loss_curve_, rtol=0, atol=1e-12)
    removed = FAMILIES[family](**options).fit(X, y, (weight > 0).astype(float))
    alone = FAMILIES[family](**options).fit(X[20:], y[20:])
    np.testing.assert_allclose(
        removed.decision_function(X), alone.decision_function(X), rtol=0, atol=1e-12
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_predictions_invariance_order_and_company_of_samples(family, data):
    X, _ = data
    fitted = FAMILIES[family](**QUICK).fit(*data)
    order = np.random.default_rng(0).permutation(90)
    decision = fitted.decision_function(X)
    np.testing.assert_allclose(fitted.decision_function(X[order]), decision[order], atol=1e-12)
    single = np.concatenate([fitted.decision_function(x[None]) for x in X[:5]])
    np.testing.assert_allclose(single, decision[:5], rtol=0, atol=1e-12)


@pytest.mark.parametrize("loss", ["log_loss", "exponential"])
def test_probabilities_limit_of_both_classes_keep_their_digits_far_out(loss, data):
    # Outputs of deep networks soon pass 37, beyond which one minus the probability of a class is
    # zero in double precision; the probability itself is not before 700.
    X, y = data
    fitted = FAMILIES["FCN"](loss=loss, **QUICK).fit(X, y)
    decision = fitted.decision_function(X)
    scale = 150 / min(decision.max(), -decision.min())
    probabilities = fitted.predict_proba(scale * X)
    log_odds = fitted.decision_function(scale * X) * (2 if loss == "exponential" else 1)
    fits = np.abs(log_odds) < 700
    assert log_odds[fits].max() > 60
    assert log_odds[fits].min() < -60
    with np.errstate(divide="ignore"):
        found = np.log(probabilities[fits, 1]) - np.log(probabilities[fits, 0])
    np.testing.assert_allclose(found, log_odds[fits], rtol=1e-10)


@pytest.mark.parametrize("network", REGRESSORS)
def test_several_outputs_limit_a_deep_network_learns_a_linear_map(network):
    X = np.random.default_rng(0).normal(size=(300, 6))
    Y = X @ np.random.default_rng(1).normal(size=(6, 2))
    fitted = network((32, 16), tol=None, max_iter=100, random_state=0)
    if network is not FCNRegressor:
        fitted.set_params(padding="same")
    assert fitted.fit(X, Y).score(X, Y) > 0.98


def test_convergence_contract_warns(data):
    with pytest.warns(ConvergenceWarning, match="max_iter=2"):
        FAMILIES["CNN"](max_iter=2, random_state=0).fit(*data)


def test_images_contract_more_axes_are_raveled(data):
    X, y = data
    for family in ("CNN", "LCN"):
        fitted = FAMILIES[family](**QUICK).fit(X.reshape(-1, 2, 5, 4), y)
        np.testing.assert_array_equal(fitted.predict(X.reshape(-1, 2, 5, 4)), fitted.predict(X))
        with pytest.raises(ValueError, match=r"\(90, 5, 4, 2\).*input_shape=\(2, 5, 4\)"):
            fitted.predict(X.reshape(-1, 5, 4, 2))


# Errors

HIDDEN = {"n_filters": (3, 4), "input_shape": (2, 5, 4)}
BAD = [
    ({"n_filters": ()}, r"n_filters=\(\)"),
    ({"n_filters": (3, 0)}, r"n_filters=\(3, 0\) holds 0.* >= 1"),
    ({"n_filters": (3, 2.5)}, r"n_filters=\(3, 2.5\) holds 2.5.*ints"),
    ({"n_filters": [3, 4]}, "'n_filters' parameter.*tuple"),
    ({"patch_size": (3, 3, 3)}, r"patch_size=\(3, 3, 3\) has 3 entries.*\(3, 4\).*2 hidden layers"),
    ({"patch_size": (3, 0)}, r"patch_size=\(3, 0\) holds 0"),
    ({"patch_size": (3, "2")}, r"patch_size=\(3, '2'\) holds '2'"),
    ({"stride": (1,)}, r"stride=\(1,\) has 1 entries.*2 hidden layers"),
    ({"stride": (1, 0)}, r"stride=\(1, 0\) holds 0"),
    ({"stride": (2, 1), "patch_size": 2}, "Hidden layer 1 of 2.*2 x 5 x 4.*stride=2"),
    ({"patch_size": (2, 4)}, "Hidden layer 2 of 2: patch_size=4 is larger.*3 x 4 x 3.*'same'"),
    ({"n_filters": (3, 4, 5)}, "Hidden layer 2 of 3: patch_size=3 is larger.*3 x 3 x 2"),
    (
        {"patch_size": 2, "pooling": "max", "pool_size": 4},
        "Hidden layer 2 of 2: patch_size=2 is larger.*3 x 1 x 1",
    ),
    ({"stride": (1, 5), "patch_size": 2}, "Hidden layer 2 of 2.*3 x 4 x 3.*stride=5"),
    ({"pooling": ("max", "max")}, "hidden layer 1 of 2 over all positions.*pool_size"),
    ({"pooling": ("max", None), "pool_size": (None, 2)}, "hidden layer 1 of 2 over all positions"),
    ({"pooling": ("max",), "pool_size": 2}, r"pooling=\('max',\) has 1 entries"),
    ({"pooling": ("max", "median"), "pool_size": 2}, r"pooling=\('max', 'median'\) must hold"),
    ({"pooling": "median"}, "'pooling' parameter"),
    ({"pool_size": 2}, "pool_size=2 needs pooling="),
    ({"pool_size": (2, None)}, r"pool_size=\(2, None\) needs pooling="),
    ({"pooling": "max", "pool_size": (2, 2, 2)}, r"pool_size=\(2, 2, 2\) has 3 entries"),
    ({"pooling": "max", "pool_size": (2, 1)}, r"pool_size=\(2, 1\) holds 1.* >= 2"),
    ({"pooling": "max", "pool_size": 1}, "'pool_size' parameter.*2, inf"),
    ({"patch_indices": [[0, 1], [2, 3]]}, r"patch_indices.*one hidden layer.*n_filters=\(3, 4\)"),
    (
        {"n_filters": 3, "patch_indices": [[0, 1]], "pooling": "max", "pool_size": 2},
        "patch_indices.*pool_size=2",
    ),
    ({"padding": "full"}, "'padding' parameter.*'same'"),
    ({"padding": -1}, "'padding' parameter"),
    ({"padding": (1, 1)}, "'padding' parameter"),
    ({"padding": 3}, "Hidden layer 1 of 2.*padding=3.*patch_size=3"),
    ({"input_shape": (2, 5, 5)}, r"input_shape=\(2, 5, 5\) holds 50 features, but X has 40"),
    ({"input_shape": (1, 2, 5, 4)}, r"input_shape=\(1, 2, 5, 4\) must be \(length,\)"),
]
BAD_GROUPS = [
    ([0] * 6, r"filter_groups is one array.*n_filters=\(3, 4\).*2 hidden layers.*tuple"),
    ((2,), r"filter_groups=\(2,\) has 1 entries.*2 hidden layers"),
    ((2, [0, 1]), r"Hidden layer 2 of 2, on a map of 3 x 4 x 3.*shape \(2,\).*6 patches"),
    ((13, 1), "Hidden layer 1 of 2, on a map of 2 x 5 x 4.*filter_groups=13.*n_patches=12"),
    ((1, 0), "Hidden layer 2 of 2.*filter_groups=0"),
    (13, "Hidden layer 1 of 2.*filter_groups=13"),
]


@pytest.mark.parametrize(("parameters", "message"), BAD, ids=lambda value: str(value)[:60])
@pytest.mark.parametrize("network", [CNNClassifier, LCNClassifier])
def test_bad_parameters_contract_name_parameter_layer_and_sizes(network, parameters, message, data):
    with pytest.raises(ValueError, match=message):
        network(**HIDDEN | parameters).fit(*data)


@pytest.mark.parametrize(("groups", "message"), BAD_GROUPS, ids=lambda value: str(value)[:60])
def test_bad_groups_contract_name_layer_and_sizes(groups, message, data):
    with pytest.raises(ValueError, match=message):
        LCNClassifier(patch_size=2, filter_groups=groups, **HIDDEN).fit(*data)


@pytest.mark.parametrize("network", [FCNClassifier, FCNRegressor])
def test_bad_layers_of_a_dense_network_contract(network, data):
    for n_filters, message in (((), "no hidden layer"), ((3, -1), "holds -1"), ((3, None), "None")):
        with pytest.raises(ValueError, match=f"n_filters=.*{message}"):
            network(n_filters).fit(*data)
