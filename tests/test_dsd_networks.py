"""Networks of the Dynamic Signal Distribution: presets, two-step method, rates, equivariance."""

import copy

import numpy as np
import pytest
import torch
from scipy.special import expit
from scipy.stats import ortho_group
from sklearn.model_selection import GridSearchCV

import sklcnn
from sklcnn import (
    CNNClassifier,
    CNNRegressor,
    FCNClassifier,
    FCNRegressor,
    LCNClassifier,
    LCNRegressor,
)
from sklcnn.datasets import DynamicSignal, make_dsd
from sklcnn.inspection import population_risk
from sklcnn.theory import linear_error, linear_squared_risk, two_step_constants
from sklcnn.training import Adam, GradientDescent, TwoStep, train
from sklcnn.training.stacks import group_jobs
from sklcnn.training.stepper import Stepper

FAMILIES = ("fcn", "lcn", "cnn")
N_PATCHES, PATCH_SIZE = 5, 6
DOUBLE = {"dtype": "float64", "device": "cpu"}
NUMBERS = TwoStep(1.0, 100.0, first_threshold=0.3, second_threshold=0.15)


def make_network(family, **parameters):
    parameters = {"random_state": 0, **DOUBLE} | parameters
    return sklcnn.dsd_network(family, N_PATCHES, PATCH_SIZE, **parameters)


@pytest.fixture(scope="module")
def dsd():
    sizes = {"n_patches": N_PATCHES, "patch_size": PATCH_SIZE}
    return make_dsd(n_samples=60, noise=0.2, random_state=0, **sizes)


def prepare(network, X, y):
    """The job that ``fit`` would train, caught before training."""
    samples = network._check_samples(X, y, None, reset=True)
    return network._prepare(samples, None, "fresh", max_iter=network.max_iter, tol=network.tol)


def start_of(network, X, y):
    """Initial filters, (n_groups, n_filters, filter_size)."""
    return prepare(network, X, y).module.weight.detach().numpy().copy()


# --- the formula, by hand -------------------------------------------------------------------------


def soft_threshold(z, threshold):
    return np.sign(z) * np.maximum(np.abs(z) - threshold, 0)


def cut(family, X, n_patches=N_PATCHES):
    """What each unit sees, (n_samples, n_units, filter_size)."""
    if family == "fcn":
        return np.repeat(X[:, None], n_patches, axis=1)
    return X.reshape(len(X), n_patches, -1)


def rows_of(filters, n_patches=N_PATCHES):
    """One filter a unit, (n_units, filter_size)."""
    rows = filters.reshape(-1, filters.shape[-1])
    return np.broadcast_to(rows, (n_patches, rows.shape[1]))


def output_of(family, filters, threshold, X):
    z = np.einsum("nud,ud->nu", cut(family, X), rows_of(filters))
    return soft_threshold(z, threshold).sum(axis=1)


def gradients_of(family, filters, threshold, X, y, loss):
    """Gradients of the mean loss to the filters, in their shape, and to the threshold."""
    seen = cut(family, X)
    z = np.einsum("nud,ud->nu", seen, rows_of(filters))
    output = soft_threshold(z, threshold).sum(axis=1)
    slope = {"squared_error": 2 * (output - y), "log_loss": -y * expit(-y * output)}[loss]
    slope = slope[:, None] * (np.abs(z) > threshold) / len(y)  # (n_samples, n_units)
    to_rows = np.einsum("nu,nud->ud", slope, seen)
    to_filters = to_rows.sum(axis=0) if family == "cnn" else to_rows
    return to_filters.reshape(filters.shape), -(slope * np.sign(z)).sum()


@pytest.mark.parametrize("family", FAMILIES)
def test_output_oracle_formula_by_hand(family, dsd):
    X, y = dsd
    network = make_network(family, solver=NUMBERS).fit(X, y)
    threshold = network.module_.threshold.item()
    assert threshold == 0.15
    expected = output_of(family, network.filters_, threshold, X)
    np.testing.assert_allclose(network.decision_function(X), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("family", "n_parameters"), [("fcn", 5**2 * 6 + 1), ("lcn", 5 * 6 + 1), ("cnn", 6 + 1)]
)
def test_size_closed_form_number_of_parameters(family, n_parameters, dsd):
    assert make_network(family, max_iter=1).fit(*dsd).n_parameters_ == n_parameters


@pytest.mark.parametrize("family", ["lcn", "fcn"])
def test_inclusion_invariance_a_convolutional_network_copied_into_larger_ones(family, dsd):
    X, y = dsd
    small = make_network("cnn", max_iter=50).fit(X, y)
    large = make_network(family, max_iter=1).fit(X, y)
    filters = np.tile(small.filters_, (N_PATCHES, 1))[:, None]  # (n_patches, 1, patch_size)
    if family == "fcn":
        filters = np.kron(np.eye(N_PATCHES), small.filters_)[None]  # (1, n_patches, n_features)
    large.module_.weight.data = torch.from_numpy(filters)
    large.module_.threshold.data = small.module_.threshold.data
    outputs = large.decision_function(X)
    np.testing.assert_allclose(outputs, small.decision_function(X), rtol=0, atol=1e-12)


@pytest.mark.parametrize("family", FAMILIES)
def test_start_closed_form_standard_deviation(family):
    n_patches, patch_size = 3, 2000
    X, y = make_dsd(n_samples=4, n_patches=n_patches, patch_size=patch_size, random_state=0)
    network = sklcnn.dsd_network(family, n_patches, patch_size, random_state=0)
    filters = start_of(network, X, y) * 10 * n_patches * patch_size
    margin = 4 / (2 * filters.size) ** 0.5  # four standard errors of a standard deviation
    assert filters.std() == pytest.approx(1, abs=margin)
    assert abs(filters.mean()) < 4 / filters.size**0.5
    assert two_step_constants("lcn", n_patches, patch_size).initial_std == 1 / 60_000


@pytest.mark.parametrize(
    "network",
    [FCNClassifier, LCNClassifier, CNNClassifier, FCNRegressor, LCNRegressor, CNNRegressor],
)
@pytest.mark.parametrize("readout", ["linear", "sum"])
def test_initial_scale_closed_form_is_a_factor_of_the_filters_alone(network, readout, dsd):
    options = {"readout": readout, "random_state": 0, **DOUBLE}
    plain, small = (
        dict(prepare(network(3, init_scale=scale, **options), *dsd).module.named_parameters())
        for scale in (1.0, 0.01)
    )
    assert plain["weight"].std() > 0
    torch.testing.assert_close(small["weight"], 0.01 * plain["weight"], rtol=1e-12, atol=0)
    for name in plain.keys() - {"weight"}:
        torch.testing.assert_close(small[name], plain[name], rtol=0, atol=0)


def test_initial_scale_contract_negative_is_an_error(dsd):
    with pytest.raises(ValueError, match="'init_scale'"):
        CNNClassifier(init_scale=-1.0).fit(*dsd)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("mlp", 5, 6), r"family='mlp' must be one of \['cnn', 'fcn', 'lcn'\]"),
        (("cnn", 0, 6), "n_patches=0 must be an integer of at least 1"),
        (("cnn", 5, 2.5), "patch_size=2.5 must be an integer"),
        (("lcn", 5, "6"), "patch_size='6' must be an integer"),
    ],
)
def test_preset_contract_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        sklcnn.dsd_network(*arguments)


@pytest.mark.parametrize("family", ["lcn", "cnn"])
def test_preset_contract_samples_of_another_width_are_an_error(family, dsd):
    X, y = dsd
    with pytest.raises(ValueError, match=r"input_shape=\(30,\) holds 30 features, but X has 24"):
        make_network(family).fit(X[:, :24], y)


def test_preset_contract_parameters_replace_those_of_the_preset():
    network = sklcnn.dsd_network("lcn", 5, 6, loss="log_loss", solver="two_step", max_iter=7)
    assert isinstance(network, LCNClassifier)
    assert (network.loss, network.solver, network.max_iter) == ("log_loss", "two_step", 7)


# --- gradient descent with a rate and a floor for the threshold -----------------------------------


@pytest.mark.parametrize("family", FAMILIES)
def test_projected_descent_oracle_numpy(family, dsd):
    X, y = dsd
    network = make_network(family, max_iter=80)
    filters, threshold = start_of(network, X, y), 0.0
    rate, threshold_rate = network.learning_rate_init, network.solver.bias_learning_rate
    for _ in range(80):
        to_filters, to_threshold = gradients_of(family, filters, threshold, X, y, "squared_error")
        filters = filters - rate * to_filters
        filters /= np.maximum(np.linalg.norm(filters, axis=-1, keepdims=True), 1)
        threshold = max(threshold - threshold_rate * to_threshold, 0.0)
    network.fit(X, y)
    assert np.linalg.norm(filters, axis=-1).max() > 0.3  # far from the start
    np.testing.assert_allclose(network.filters_.ravel(), filters.ravel(), rtol=0, atol=1e-10)
    assert network.module_.threshold.item() == pytest.approx(threshold, abs=1e-10)


class Quadratic(torch.nn.Module):
    """Two filters and a bias with a quadratic loss."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor([[3.0, -4.0], [0.3, 0.4]]).double())
        self.bias = torch.nn.Parameter(torch.tensor([1.0]).double())

    def loss(self):
        return (self.weight - 1).pow(4).sum() + (self.bias + 2).square().sum()


@pytest.mark.parametrize("momentum", [0.0, 0.8])
def test_rate_of_biases_oracle_torch_parameter_groups_also_on_a_schedule(momentum):
    ours, theirs = Quadratic(), Quadratic()
    solver = GradientDescent(momentum, bias_learning_rate=0.03)
    groups = [{"params": [theirs.weight], "lr": 0.002}, {"params": [theirs.bias], "lr": 0.03}]
    optimizers = Stepper(ours, [solver], 0.002), torch.optim.SGD(groups, momentum=momentum)
    for module, optimizer in zip((ours, theirs), optimizers, strict=True):
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / 5)
        for _ in range(6):  # the last rate is zero
            optimizer.zero_grad()
            module.loss().backward()
            optimizer.step()
            schedule.step()
    found, expected = ([*module.parameters()] for module in (ours, theirs))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("family", FAMILIES)
def test_unit_ball_contract_holds_filters_that_would_leave_it(family, dsd):
    X, y = dsd
    norms = []
    for projection in (None, "unit_ball"):
        solver = GradientDescent(projection=projection, bias_learning_rate=0.001)
        network = make_network(family, solver=solver, learning_rate_init=0.3, max_iter=300)
        norms.append(np.linalg.norm(network.fit(0.1 * X, y).filters_, axis=-1).max())
    assert norms[0] > 2
    assert norms[1] == pytest.approx(1.0, abs=1e-12)


def test_floor_contract_holds_a_threshold_that_would_fall_below():
    # The signal is so small that filters of unit length answer with less than the labels.
    X, y = make_dsd(n_samples=40, n_patches=1, patch_size=6, noise=0.1, random_state=0)
    thresholds = []
    for floor in (None, -0.01, 0.0, 0.02):
        options = {"bias_learning_rate": 0.05, "min_threshold": floor}
        solver = GradientDescent(projection="unit_ball", **options)
        options = {"learning_rate_init": 1.0, "max_iter": 300, "random_state": 0, **DOUBLE}
        network = sklcnn.dsd_network("lcn", 1, 6, solver=solver, **options)
        thresholds.append(network.fit(0.2 * X, y).module_.threshold.item())
    assert thresholds[0] < -0.2
    assert thresholds[1:] == [-0.01, 0.0, 0.02]


def assert_fleet_equals_loop(jobs, n_stacks):
    assert len(group_jobs(jobs)) == n_stacks
    alone = [train([copy.deepcopy(job)])[0].module for job in jobs]
    for one, many in zip(alone, train(jobs), strict=True):
        for found, expected in zip(many.module.parameters(), one.parameters(), strict=True):
            torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)
    return alone


@pytest.mark.parametrize("family", FAMILIES)
def test_rates_and_floors_oracle_loop(family, dsd):
    # The rates of the threshold share a stack, also when members have left it; floors do not.
    jobs = [
        prepare(
            make_network(
                family,
                solver=GradientDescent(
                    projection="unit_ball", bias_learning_rate=rate, min_threshold=floor
                ),
                max_iter=max_iter,
                learning_rate_init=step,
            ),
            *dsd,
        )
        for rate, floor, max_iter, step in [
            (0.1, -1.0, 30, 0.1),
            (0.01, -1.0, 10, 0.05),
            (0.001, -1.0, 40, 0.2),
            (0.01, -1.0, 40, 0.1),
            (0.01, 0.05, 40, 0.1),
        ]
    ]
    alone = assert_fleet_equals_loop(jobs, n_stacks=2)
    assert len({network.threshold.item() for network in alone}) == 5
    assert alone[4].threshold.item() >= 0.05


# --- the two-step method --------------------------------------------------------------------------


def two_steps(family, filters, numbers, X, y, loss):
    """Filters and threshold after the method, written out."""
    threshold = 0.0
    steps = [
        (numbers.first_rate, numbers.first_threshold),
        (numbers.second_rate, numbers.second_threshold),
    ]
    for rate, next_threshold in steps:
        filters = filters - rate * gradients_of(family, filters, threshold, X, y, loss)[0]
        filters = filters / np.linalg.norm(filters, axis=-1, keepdims=True)
        threshold = next_threshold
    return filters, threshold


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
def test_two_step_oracle_numpy(family, loss, dsd):
    network = make_network(family, solver=NUMBERS, loss=loss)
    expected, threshold = two_steps(family, start_of(network, *dsd), NUMBERS, *dsd, loss)
    network.fit(*dsd)
    np.testing.assert_allclose(network.filters_.ravel(), expected.ravel(), rtol=0, atol=1e-10)
    assert network.module_.threshold.item() == threshold
    assert network.n_iter_ == 2


@pytest.mark.parametrize("family", ["lcn", "cnn"])
def test_two_step_oracle_literal_constants(family, dsd):
    literal = two_step_constants(family, N_PATCHES, PATCH_SIZE)
    solver = prepare(make_network(family, solver="two_step"), *dsd).solver
    assert (solver.first_rate, solver.second_rate) == literal.learning_rates
    assert (solver.first_threshold, solver.second_threshold) == literal.thresholds
    # What is given stays; the object that was handed over does too.
    own = TwoStep(second_rate=7.0)
    solver = prepare(make_network(family, solver=own), *dsd).solver
    assert (solver.first_rate, solver.second_rate) == (literal.learning_rates[0], 7.0)
    assert own.first_rate is None


def test_two_step_oracle_loop_over_its_numbers(dsd):
    jobs = [
        prepare(make_network("lcn", solver=TwoStep(**numbers)), *dsd)
        for numbers in [
            {},
            {"first_threshold": 0.3},
            {"first_threshold": 0.1, "second_threshold": 0.2},
            {"first_rate": 2.0, "second_rate": 10.0, "first_threshold": 0.2},
        ]
    ]
    alone = assert_fleet_equals_loop(jobs, n_stacks=1)
    assert [network.threshold.item() for network in alone] == [1e-4, 1e-4, 0.2, 1e-4]


def test_two_step_oracle_grid_search_in_a_fleet():
    X, y = make_dsd(n_samples=200, n_patches=10, patch_size=10, noise=0.15, random_state=0)
    network = sklcnn.dsd_network("lcn", 10, 10, solver=TwoStep(), random_state=0, **DOUBLE)
    grid = {"solver__first_threshold": [0.0, 0.15, 0.3], "solver__second_threshold": [0.0, 0.25]}
    search = GridSearchCV(network, grid, cv=3)
    alone = search.fit(X, y).cv_results_["mean_test_score"]
    with sklcnn.fleet():
        together = search.fit(X, y).cv_results_["mean_test_score"]
    np.testing.assert_array_equal(together, alone)
    assert search.best_params_["solver__first_threshold"] > 0
    assert search.best_score_ > alone[0] + 0.3


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (
            CNNClassifier(readout="sum", solver="two_step"),
            "activation='soft_threshold', but .*relu",
        ),
        (CNNClassifier(activation="soft_threshold", solver="two_step"), "needs readout='sum'"),
        (make_network("fcn", solver="two_step"), "numbers for first_rate, second_rate"),
        (make_network("fcn", solver=TwoStep(1.0, 9.0)), "numbers for first_threshold, second"),
        (make_network("lcn", solver=TwoStep(-1.0)), "first_rate=-1.0"),
        (make_network("lcn", solver=TwoStep(second_rate=0.0)), "second_rate=0.0"),
        (make_network("lcn", solver=TwoStep(first_threshold=-0.1)), "first_threshold=-0.1"),
        (
            make_network("lcn", solver=GradientDescent(bias_learning_rate=-1)),
            "bias_learning_rate=-1",
        ),
    ],
)
def test_solver_contract_bad_parameters_are_named(network, message, dsd):
    with pytest.raises(ValueError, match=message):
        network.fit(*dsd)


@pytest.fixture(scope="module")
def large():
    """The law of the published experiments in the middle of their range, and a sample."""
    law = DynamicSignal(n_patches=20, patch_size=20, noise=0.1, random_state=0)
    return law, *law.sample(300, random_state=1)


def test_practical_two_step_limit_learns_to_threshold(large):
    law, X, y = large
    solver = TwoStep(first_threshold=3 * law.noise, second_threshold=1.5 * law.noise)
    network = sklcnn.dsd_network("lcn", 20, 20, solver=solver, random_state=0).fit(X, y)
    assert population_risk(network, law, "squared_risk") < 0.06  # the best is 0.041
    assert sklcnn.alignment(network, law).min() > 0.97


@pytest.mark.parametrize("family", ["lcn", "cnn"])
def test_literal_two_step_limit_is_linear_and_turned_round_by_the_squared_loss(family, large):
    law, X, y = large
    squared, logistic = (
        sklcnn.dsd_network(family, 20, 20, solver="two_step", loss=loss, random_state=0).fit(X, y)
        for loss in ("squared_error", "log_loss")
    )
    # Four fifths of the noise pass the threshold of the second step.
    assert np.mean(np.abs(0.1 * np.random.default_rng(0).normal(size=10_000)) > 0.0242) > 0.8
    # A good linear classifier, but no better than the best one.
    assert linear_error(20, 0.1) < population_risk(logistic, law) < 2.5 * linear_error(20, 0.1)
    # At filters of unit length the linear network overshoots: the second gradient points back.
    assert sklcnn.alignment(squared, law).mean() < -0.5
    assert population_risk(squared, law) > 0.8
    assert population_risk(squared, law, "squared_risk") > 2 > linear_squared_risk(20, 0.1)


# --- equivariance ---------------------------------------------------------------------------------


def draw_element(family, rng):
    """An element of the group of a family: functions of inputs and of filters.

    All rotations for the FCN; one rotation for each patch of the LCN, one for all of the CNN, and
    then a permutation of the patches.
    """
    if family == "fcn":
        rotation = ortho_group.rvs(N_PATCHES * PATCH_SIZE, random_state=rng)
        return (lambda X: X @ rotation.T), (lambda filters: filters @ rotation.T)
    n_rotations = N_PATCHES if family == "lcn" else 1
    rotations = np.stack(
        [ortho_group.rvs(PATCH_SIZE, random_state=rng) for _ in range(n_rotations)]
    )
    order = rng.permutation(N_PATCHES)

    def move(X):
        patches = X.reshape(len(X), N_PATCHES, PATCH_SIZE)
        turned = np.einsum("tij,ntj->nti", np.broadcast_to(rotations, (N_PATCHES, 6, 6)), patches)
        return turned[:, order].reshape(X.shape)

    def move_filters(filters):  # (n_groups, 1, patch_size)
        turned = np.einsum("tij,tfj->tfi", rotations, filters)
        return turned[order] if family == "lcn" else turned

    return move, move_filters


def outputs_after_training(network, filters, X, y, X_test):
    job = prepare(network, X, y)
    job.module.weight.data = torch.tensor(filters)
    with torch.no_grad():
        return train([job])[0].module(torch.from_numpy(X_test))[:, 0].numpy()


def difference_after_moving(family, element, solver, dsd):
    """Largest change of the outputs if the inputs and the initial filters are moved."""
    X, y = dsd
    X_test = np.random.default_rng(1).normal(size=(20, X.shape[1]))
    network = make_network(family, solver=solver, max_iter=100, learning_rate_init=0.05)
    move, move_filters = element
    filters = start_of(network, X, y)
    plain = outputs_after_training(network, filters, X, y, X_test)
    assert np.abs(plain).max() > 0.5
    moved = outputs_after_training(network, move_filters(filters), move(X), y, move(X_test))
    return np.abs(moved - plain).max()


DESCENT = GradientDescent(0.5, projection="unit_ball", bias_learning_rate=0.01, min_threshold=0.0)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("solver", [NUMBERS, DESCENT], ids=["two_step", "gd"])
@pytest.mark.parametrize("seed", range(3))
def test_descent_invariance_under_the_group_of_the_family(family, solver, seed, dsd):
    element = draw_element(family, np.random.default_rng(seed))
    assert difference_after_moving(family, element, solver, dsd) < 1e-8


@pytest.mark.parametrize("family", FAMILIES)
def test_adam_limit_is_not_equivariant(family, dsd):
    element = draw_element(family, np.random.default_rng(0))
    assert difference_after_moving(family, element, Adam(), dsd) > 1e-3


def test_groups_limit_a_convolutional_network_feels_rotations_of_single_patches(dsd):
    move, _ = draw_element("lcn", np.random.default_rng(0))
    element = move, lambda filters: filters
    assert difference_after_moving("cnn", element, NUMBERS, dsd) > 1e-3
