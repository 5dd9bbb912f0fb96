"""Prox-linear steps: the program of a step, the path that they keep to, where they end."""

import pickle
import warnings
from itertools import pairwise

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy.integrate import solve_ivp
from scipy.optimize import minimize
from scipy.special import logsumexp, softmax
from sklearn.linear_model import LogisticRegression
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklcnn import FCNClassifier, LinearNetworkClassifier
from sklcnn.nn.jacobians import log_losses_and_jacobians
from sklcnn.nn.linear import ConvolutionalLinearNetwork
from sklcnn.nn.losses import MeanLoss
from sklcnn.theory import max_margin
from sklcnn.training.prox_linear import ProxLinearDescent, weights_after_step

CELLS = [("full", 1), ("full", 2), ("full", 3), ("convolutional", 2), ("convolutional", 3)]
CELLS += [("diagonal", 2), ("diagonal", 4)]


def network(architecture="full", depth=2, **parameters):
    parameters = {"step": "prox_linear", "random_state": 0} | parameters
    return LinearNetworkClassifier(architecture, depth, **parameters)


@pytest.fixture(scope="module")
def samples():
    rng = np.random.default_rng([0, 5])
    return rng.standard_normal((5, 16)), np.array([1, -1, 1, -1, 1])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks([network(max_iter=50)])
def test_contract_scikit_learn(estimator, check):
    check(estimator)


def problem(n_samples, n_directions, spread, n_members=3, seed=0):
    rng = np.random.default_rng([seed, n_samples, n_directions])
    jacobian = rng.standard_normal((n_members, n_samples, n_directions))
    logarithms = -spread * rng.random((n_members, n_samples))
    return torch.from_numpy(logarithms), torch.from_numpy(jacobian @ jacobian.swapaxes(1, 2))


@pytest.mark.parametrize("rate", [1e-3, 1.0, 1e3, 1e6])
@pytest.mark.parametrize("spread", [0.1, 10.0, 1e4])
@pytest.mark.parametrize("n_directions", [3, 20])
def test_closed_form_weights_are_those_of_the_loss_after_their_step(n_directions, spread, rate):
    logarithms, gram = problem(6, n_directions, spread)
    weights = weights_after_step(logarithms, gram, torch.full((3,), rate, dtype=torch.float64))
    after = logarithms - rate * (gram @ weights[..., None]).squeeze(-1)
    # Logarithms of up to 1e8 are known to 1e-8.
    assert_allclose(weights, after.softmax(dim=-1), atol=1e-7)
    assert_allclose(weights.sum(dim=-1), 1.0, atol=1e-12)


@pytest.mark.parametrize("n_samples", [6, 24, 48])
def test_closed_form_weights_of_samples_of_many_sizes(n_samples):
    rng = np.random.default_rng(n_samples)
    for _ in range(60):
        sizes = 10 ** rng.uniform(-1, 1, (n_samples, 1))
        jacobian = torch.from_numpy(rng.standard_normal((n_samples, rng.integers(1, 20))) * sizes)
        gram = jacobian @ jacobian.mT
        logarithms = torch.from_numpy(-(10 ** rng.uniform(0, 3)) * rng.random(n_samples))
        rate = torch.tensor(10 ** rng.uniform(-2, 4), dtype=torch.float64)
        weights = weights_after_step(logarithms, gram, rate)
        assert_allclose(weights, (logarithms - rate * gram @ weights).softmax(dim=-1), atol=1e-6)


def test_limit_a_sample_that_was_all_but_forgotten_comes_back():
    jacobian = [[-16.3, 5.9, 9.8], [-0.1, 0, 0.1], [2.6, 5.7, -5.3]]
    jacobian = torch.tensor([*jacobian, [-2.7, -0.3, 0], [-0.7, 0, 0.8], [1.4, -0.4, 1.1]]).double()
    logarithms = torch.tensor([-92.0, -82, -95, -203, -239, -247], dtype=torch.float64)
    gram, rate = jacobian @ jacobian.mT, torch.tensor(1000.0, dtype=torch.float64)
    weights = weights_after_step(logarithms, gram, rate)
    assert weights[2] > 0.01
    assert_allclose(weights, (logarithms - rate * gram @ weights).softmax(dim=-1), atol=1e-7)


@pytest.mark.parametrize("lost", [np.nan, np.inf])
def test_contract_what_is_no_number_ends_and_leaves_others_alone(lost):
    logarithms, gram = problem(4, 3, 1.0)
    rate = torch.tensor([1.0, lost, 1.0], dtype=torch.float64)
    weights = weights_after_step(logarithms, gram, rate)
    whole = weights_after_step(logarithms[[0, 2]], gram[[0, 2]], rate[[0, 2]])
    assert_allclose(weights[[0, 2]], whole, atol=1e-9)


def test_oracle_a_step_minimizes_the_model_of_the_loss():
    rng = np.random.default_rng(1)
    jacobian, logarithms, rate = rng.standard_normal((4, 6)), rng.standard_normal(4), 0.7

    def model(step):
        return logsumexp(logarithms + jacobian @ step) + step @ step / (2 * rate)

    best = minimize(model, np.zeros(6), options={"gtol": 1e-10}).x
    gram = torch.from_numpy(jacobian @ jacobian.T)
    weights = weights_after_step(torch.from_numpy(logarithms), gram, torch.tensor(rate).double())
    assert_allclose(-rate * weights.numpy() @ jacobian, best, atol=1e-7)


def test_invariance_samples_that_do_not_count_change_no_weight():
    logarithms, gram = problem(5, 4, 3.0)
    rate = torch.ones(3, dtype=torch.float64)
    alone = weights_after_step(logarithms[:, :3], gram[:, :3, :3], rate)
    logarithms[:, 3:] = -torch.inf
    assert_allclose(weights_after_step(logarithms, gram, rate)[:, :3], alone, atol=1e-9)
    assert not weights_after_step(logarithms, gram, rate)[:, 3:].any()


@pytest.mark.parametrize("loss", ["exponential", "log_loss"])
def test_oracle_jacobians_are_differences(samples, loss):
    generator = torch.Generator().manual_seed(0)
    net = ConvolutionalLinearNetwork((16,), 3, (4,), 2, generator=generator)
    X, y = map(torch.as_tensor, samples)
    weight = torch.arange(1.0, 6.0, dtype=torch.float64)
    parts = MeanLoss(loss, logarithm=True), X, y.double()[:, None], weight
    logarithms, _, jacobians = log_losses_and_jacobians(net, *parts)
    with torch.no_grad():
        assert_allclose(logarithms.logsumexp(-1), parts[0](net(X), *parts[2:]), rtol=1e-12)
        for parameter, jacobian in zip(net.parameters(), jacobians, strict=True):
            parameter.view(-1)[3] += 1e-6
            moved = log_losses_and_jacobians_without_grad(net, *parts)
            parameter.view(-1)[3] -= 1e-6
            slope = (moved - logarithms) / 1e-6
            assert_allclose(jacobian.flatten(1)[:, 3], slope, atol=1e-4)


def log_losses_and_jacobians_without_grad(*parts):
    with torch.enable_grad():
        return log_losses_and_jacobians(*parts)[0]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_closed_form_one_layer_goes_along_one_sample_by_a_share_of_its_length():
    x = np.array([[3.0, 4.0]])
    fits = [
        network("full", 1, max_iter=n, learning_rate_init=0.1).fit([*x, -x[0]], [1, -1])
        for n in (1, 2, 3)
    ]
    coefs = [fit.coef_[0] for fit in fits]
    for before, after in pairwise(coefs):
        length = 0.1 * max(np.linalg.norm(before), 1 / 5)
        assert_allclose(after - before, length * x[0] / 5, rtol=1e-9)


def flow(X, y, layers, product, gradients, target):
    """Integrate the gradient flow of the logarithm of the loss, in time that is its fall."""
    signed, shape = X * y[:, None], np.shape(layers)

    def velocity(_, state):
        now = state.reshape(shape)
        pull = signed.T @ softmax(-signed @ product(now))
        slope = gradients(now, pull)
        return (slope / np.square(slope).sum()).ravel()

    def reached(_, state):
        return (signed @ product(state.reshape(shape))).min() - target

    reached.terminal = True
    options = {"method": "LSODA", "rtol": 1e-9, "atol": 1e-12, "events": reached}
    last = solve_ivp(velocity, (0, 10 * target), np.ravel(layers), **options).y[:, -1]
    return product(last.reshape(shape))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_limit_short_steps_follow_the_gradient_flow(samples):
    def product(layers):
        return layers.prod(axis=0)

    def gradients(layers, pull):
        return np.stack([pull * layers[1] * layers[2], pull * layers[0] * layers[2],
                         pull * layers[0] * layers[1]])  # fmt: skip

    start = network("diagonal", 3, init_scale=0.5, max_iter=1).fit(*samples)
    coef = flow(*samples, np.stack(start.layers_), product, gradients, target=100.0)
    distances = []
    for rate in (0.03, 0.003):
        options = {"init_scale": 0.5, "learning_rate_init": rate, "max_iter": 5000}
        fitted = network("diagonal", 3, target_margin=100.0, **options).fit(*samples)
        direction = fitted.direction_[-1]
        distances.append(np.linalg.norm(direction - coef / np.linalg.norm(coef)))
    assert distances[0] < 0.1
    assert distances[1] < 0.2 * distances[0]  # first order in the rate


@pytest.mark.parametrize("cell", CELLS)
def test_limit_same_direction_as_gradient_descent_at_the_same_margin(samples, cell):
    common = {"init_scale": 0.5, "target_margin": 200.0}
    slow = network(*cell, step="loss_scaled", max_iter=5000, **common).fit(*samples)
    fast = network(*cell, learning_rate_init=0.02, **common).fit(*samples)
    assert fast.n_iter_ < 600
    # Gradient descent, too, leaves the flow by up to a tenth in every step.
    assert np.linalg.norm(slow.direction_[-1] - fast.direction_[-1]) < 0.05


def test_limit_the_direction_of_one_layer_is_off_by_one_over_the_margin(samples):
    best = max_margin(*samples).coef
    for target in (1e4, 1e6, 1e8):
        fitted = network("full", 1, target_margin=target).fit(*samples)
        error = np.linalg.norm(fitted.direction_[-1] - best / np.linalg.norm(best))
        assert 0.1 / target < error < 10 / target


def test_contract_margins_grow_exponentially_and_end_where_rounding_begins(samples):
    fitted = network("convolutional", 2).fit(*samples)
    assert fitted.n_iter_ < 200
    assert 1e9 <= fitted.margin_[-1] < 2e9
    assert np.all(np.diff(fitted.loss_curve_) <= 0)


def test_contract_steps_that_are_too_long_are_taken_back(samples):
    fitted = network("convolutional", 3, learning_rate_init=50.0).fit(*samples)
    assert np.all(np.diff(fitted.loss_curve_) <= 0)
    assert np.count_nonzero(np.diff(fitted.loss_curve_) == 0) >= 5
    assert fitted.margin_[-1] >= 1e9


@pytest.mark.parametrize(("architecture", "depth"), [("full", 1), ("full", 3), ("diagonal", 2)])
def test_oracle_samples_that_are_not_separable_end_at_the_minimum(architecture, depth):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 4))
    y = np.where(X[:, 0] + rng.standard_normal(60) > 0, 1, -1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says that they are not
        fitted = network(architecture, depth, loss="log_loss", max_iter=200).fit(X, y)
    regression = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-12, max_iter=1000)
    assert_allclose(fitted.coef_, regression.fit(X, y).coef_, atol=1e-5)


def test_invariance_weights_are_repetitions(samples):
    X, y = samples
    weight = np.array([1, 2, 3, 1, 2])
    common = {"max_iter": 60}
    weighted = network(**common).fit(X, y, sample_weight=weight)
    repeated = network(**common).fit(np.repeat(X, weight, axis=0), np.repeat(y, weight))
    assert_allclose(weighted.coef_, repeated.coef_, rtol=1e-6)


@pytest.mark.parametrize(
    ("fall", "kept"), [(0.85, False), (0.95, True), (1.05, True), (1.15, False)]
)
def test_contract_steps_are_kept_if_the_loss_falls_as_in_the_model(fall, kept):
    one = torch.ones(1, dtype=torch.float64)
    state = {"loss": one[0], "fall": one[0], "length": 0.1 * one[0], "weights": one.clone()}
    state |= {"logarithms": one, "jacobian": torch.ones(1, 1, dtype=torch.float64)}
    state |= {"trial_logarithms": one - fall, "trial_jacobian": state["jacobian"]}
    parameter = one + 0.5
    left = ProxLinearDescent().judge([parameter], None, [state], 0.1, one[0] - fall)
    assert left == (1 - fall if kept else 1)
    assert parameter == (1.5 if kept else 1)
    assert state["length"] == (0.1 if kept else 0.05)


@pytest.mark.parametrize("seed", range(4))
def test_limit_one_layer_passes_zero(seed):
    fitted = network("full", 1, random_state=seed).fit([[1.0], [-2.0]], [1, -1])
    assert fitted.margin_[-1] >= 1e9


@pytest.mark.parametrize(
    ("architecture", "depth", "scale"),
    [("convolutional", 3, 1e-15), ("full", 3, 1e-12), ("full", 1, 1e-14), ("diagonal", 2, 1e8)],
)
def test_limit_data_of_any_scale_are_separated(samples, architecture, depth, scale):
    X, y = samples
    fitted = network(architecture, depth).fit(X * scale, y)
    assert fitted.n_iter_ < 400
    assert fitted.margin_[-1] >= 1e9


@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid")
def test_contract_weights_that_overflow_fail_by_name(samples):
    with pytest.raises(ValueError, match="The training loss became nan"):
        network("diagonal", 4, init_scale=1e80).fit(*samples)


def test_contract_other_networks_are_refused(samples):
    with pytest.raises(ValueError, match="is for linear networks"):
        FCNClassifier(4, solver=ProxLinearDescent(), loss="exponential").fit(*samples)


def test_contract_a_fitted_network_carries_no_gradients(samples):
    assert len(pickle.dumps(network("full", 3, max_iter=100).fit(*samples))) < 1e5


def test_contract_a_network_of_zeros_with_one_layer_moves(samples):
    fitted = network("full", 1, init_scale=0.0, target_margin=1e3).fit(*samples)
    assert fitted.margin_[-1] >= 1e3
