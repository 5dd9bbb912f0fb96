"""Solvers against torch's own optimizers; the trainer against a loop by hand."""

import re

import numpy as np
import pytest
import skorch.callbacks
import torch
import torch.nn.functional as F
from sklearn.base import BaseEstimator

from sklcnn import CNNClassifier, CNNRegressor, FCNClassifier, FCNRegressor, sharpness
from sklcnn.datasets import make_dsd
from sklcnn.training import SGD, Adam, GradientDescent, make_solver, resolve_device
from sklcnn.training.stepper import Stepper


class Quadratic(torch.nn.Module):
    """Two filters and a bias with a quadratic loss."""

    def __init__(self):
        super().__init__()
        start = torch.tensor([[3.0, -4.0], [0.3, 0.4]], dtype=torch.float64)
        self.weight = torch.nn.Parameter(start)
        self.bias = torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float64))

    def loss(self):
        return (self.weight - 1).pow(4).sum() + (self.bias + 2).square().sum()


def descend(module, optimizer, n_steps=7):
    for _ in range(n_steps):
        optimizer.zero_grad()
        module.loss().backward()
        optimizer.step()
    return [parameter.detach().clone() for parameter in module.parameters()]


@pytest.mark.parametrize(
    ("solver", "oracle"),
    [
        (GradientDescent(), lambda p: torch.optim.SGD(p, lr=0.01)),
        (GradientDescent(momentum=0.8), lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.8)),
        (SGD(nesterov=False), lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9)),
        (SGD(), lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9, nesterov=True)),
        (Adam(), lambda p: torch.optim.Adam(p, lr=0.01)),
        (Adam(0.7, 0.9, epsilon=1e-3), lambda p: torch.optim.Adam(p, 0.01, (0.7, 0.9), 1e-3)),
    ],
    ids=lambda one: repr(one) if isinstance(one, BaseEstimator) else "torch",
)
def test_solvers_oracle_torch_optim(solver, oracle):
    ours, theirs = Quadratic(), Quadratic()
    steps = descend(ours, Stepper(ours, [solver], 0.01))
    expected = descend(theirs, oracle(list(theirs.parameters())))
    torch.testing.assert_close(steps, expected, rtol=0, atol=1e-13)


def test_penalty_oracle_torch_weight_decay_on_weights_only():
    ours, theirs = Quadratic(), Quadratic()
    stepper = Stepper(ours, [GradientDescent()], 0.01, decay=6.0)
    stepper.batch_weight = 3.0
    groups = [{"params": [theirs.weight], "weight_decay": 2.0}, {"params": [theirs.bias]}]
    expected = descend(theirs, torch.optim.SGD(groups, lr=0.01))
    torch.testing.assert_close(descend(ours, stepper), expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize(
    ("projection", "norms"), [("unit_ball", [1.0, 0.5]), ("unit_sphere", [1.0, 1.0])]
)
def test_projection_closed_form_each_filter_alone(projection, norms):
    module = Quadratic()
    stepper = Stepper(module, [GradientDescent(projection=projection)], learning_rate=0.0)
    weight, bias = descend(module, stepper, n_steps=1)
    torch.testing.assert_close(weight.norm(dim=1), torch.tensor(norms, dtype=torch.float64))
    torch.testing.assert_close(weight[0] / weight[0].norm(), torch.tensor([0.6, -0.8]).double())
    assert bias.item() == 1.0


def test_clipping_closed_form_norm_of_the_step():
    module = Quadratic()
    before = [parameter.detach().clone() for parameter in module.parameters()]
    after = descend(module, Stepper(module, [GradientDescent(clip_norm=0.5)], 1.0), n_steps=1)
    step = torch.cat([(a - b).flatten() for a, b in zip(after, before, strict=True)])
    # torch divides by the norm + 1e-6, of a gradient of norm 500 here.
    assert step.norm().item() == pytest.approx(0.5, rel=1e-8)


@pytest.mark.parametrize(
    ("solver", "message"),
    [
        (GradientDescent(momentum=1.0), "momentum=1.0"),
        (Adam(beta_2=-0.1), "beta_2=-0.1"),
        (SGD(projection="cube"), "projection='cube'"),
        (SGD(clip_norm=0), "clip_norm=0"),
        ("newton", "solver='newton'"),
    ],
)
def test_solver_contract_bad_parameters_are_named(solver, message):
    with pytest.raises(ValueError, match=message):
        make_solver(solver)


def test_device_contract_unknown_name_is_an_error():
    with pytest.raises(ValueError, match="device='abacus'"):
        resolve_device("abacus")


@pytest.fixture(scope="module")
def dsd():
    return make_dsd(n_samples=60, n_patches=4, patch_size=5, noise=0.2, random_state=0)


def test_full_batch_descent_oracle_loop_by_hand(dsd):
    X, y = dsd
    options = {"solver": "gd", "learning_rate_init": 0.3, "alpha": 0.0, "tol": None}
    options |= {"dtype": "float64", "random_state": 0, "device": "cpu"}
    network = CNNClassifier(3, 5, 5, max_iter=20, **options).fit(X, y)

    start = CNNClassifier(3, 5, 5, max_iter=1, **options | {"learning_rate_init": 1e-300})
    start = start.fit(X, y).module_
    weight, bias = start.weight[0].detach(), start.bias[0].detach()
    readout, offset = start.readout_weight[0].detach(), start.readout_bias.detach()
    leaves = [leaf.requires_grad_() for leaf in (weight, bias, readout, offset)]
    target = torch.from_numpy(y).double()
    losses = []
    for _ in range(20):
        hidden = F.conv1d(torch.from_numpy(X)[:, None], weight[:, None], bias, stride=5).relu()
        outputs = hidden.flatten(1) @ readout + offset
        loss = F.softplus(-target * outputs).mean()
        losses.append(loss.item())
        for leaf, gradient in zip(leaves, torch.autograd.grad(loss, leaves), strict=True):
            leaf.data.sub_(0.3 * gradient)
    np.testing.assert_allclose(network.loss_curve_, losses, rtol=1e-12)
    np.testing.assert_allclose(network.filters_, weight.detach(), rtol=1e-10)


@pytest.mark.parametrize("solver", ["gd", SGD(momentum=0.0), Adam()])
def test_sample_weights_invariance_zeros_and_copies(dsd, solver):
    X, y = dsd
    weight = np.random.default_rng(0).integers(0, 3, size=len(y))
    options = {"solver": solver, "dtype": "float64", "random_state": 0, "max_iter": 30}
    network = FCNClassifier(4, tol=None, **options)
    weighted = network.fit(X, y, sample_weight=weight).decision_function(X)
    copied = network.fit(np.repeat(X, weight, axis=0), np.repeat(y, weight)).decision_function(X)
    # Sums run in another order: rounding only.
    np.testing.assert_allclose(weighted, copied, rtol=1e-9, atol=1e-11)


def test_mini_batches_contract_every_sample_once_an_epoch(dsd):
    X, y = dsd
    seen = []

    class Watch(skorch.callbacks.Callback):
        def on_batch_end(self, net, batch, training, **kwargs):
            seen.append(batch[0][0, 1])  # behind the row of ones

    network = FCNClassifier(
        2, batch_size=7, max_iter=2, tol=None, dtype="float64", callbacks=[Watch()]
    )
    network.fit(X, y)
    firsts = [torch.cat(seen[:9]).numpy(), torch.cat(seen[9:]).numpy()]
    assert len(seen) == 18
    for first in firsts:
        np.testing.assert_array_equal(np.sort(first), np.sort(X[:, 0]))
    assert not np.array_equal(*firsts)  # a new order every epoch


def test_stopping_contract_tol_none_runs_to_the_end(dsd):
    X, y = dsd
    stopped = FCNClassifier(2, tol=10.0, n_iter_no_change=4, random_state=0).fit(X, y)
    assert stopped.n_iter_ == 6  # the first epoch improves on infinity, then five do not
    assert FCNClassifier(2, tol=None, max_iter=37, random_state=0).fit(X, y).n_iter_ == 37


def test_early_stopping_contract_keeps_the_best_epoch(dsd):
    X, y = dsd
    rng = np.random.default_rng(0)
    X_val, y_val = rng.normal(size=(50, 20)), rng.choice([-1, 1], 50)  # nothing to learn here
    network = FCNClassifier(
        8,
        learning_rate_init=0.05,
        n_iter_no_change=10,
        early_stopping=True,
        dtype="float64",
        random_state=0,
    ).fit(X, y, X_val=X_val, y_val=y_val)
    curve = network.validation_loss_curve_
    assert network.n_train_ == 60
    assert len(curve) == network.n_iter_ == np.argmin(curve) + 12
    losses = np.log1p(np.exp(-y_val * network.decision_function(X_val)))
    assert losses.mean() == pytest.approx(min(curve), rel=1e-10)


def test_early_stopping_contract_holds_out_the_fraction_and_nothing_else_does(dsd):
    X, y = dsd
    network = FCNClassifier(2, max_iter=3, tol=None, random_state=0)
    assert network.fit(X, y).n_train_ == 60
    assert network.validation_loss_curve_ == []
    network.set_params(early_stopping=True, validation_fraction=0.25).fit(X, y)
    assert network.n_train_ == 45
    assert len(network.validation_loss_curve_) == 3


def test_divergence_contract_names_the_learning_rate():
    X = np.random.default_rng(0).normal(size=(20, 3)) * 100
    with pytest.raises(ValueError, match="learning_rate_init than 10"):
        FCNRegressor(4, solver="gd", learning_rate_init=10.0, tol=None).fit(X, X[:, 0])


def message_of(network, X, y, weight=None):
    with pytest.raises(ValueError, match="training diverged") as caught:
        network.fit(X, y, sample_weight=weight)
    return str(caught.value)


def numbers_of(message):
    """The sharpness and the learning rate that a message names."""
    found = re.search(r"was ([^,]+), so that .* rates below ([^ ]+) \(", message)
    return float(found[1]), float(found[2])


def linear(rate, **options):
    """A linear regression: its loss is a quadratic."""
    options = {"solver": "gd", "alpha": 0.0, "max_iter": 40_000} | options
    options |= {"dtype": "float64", "tol": None, "device": "cpu", "random_state": 0}
    return FCNRegressor(1, activation="identity", readout="sum", learning_rate_init=rate, **options)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("alpha", [0.0, 100.0])
@pytest.mark.parametrize("momentum", [0.0, 0.6])
def test_divergence_closed_form_sharpness_of_a_quadratic(momentum, alpha, weighted):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 5)) + 0.5, rng.normal(size=40)
    weight = rng.integers(1, 4, size=40).astype(float) if weighted else None
    shares = np.ones(40) if weight is None else weight
    ones = np.hstack([X, np.ones((40, 1))])
    hessian = 2 * (ones.T * shares) @ ones / shares.sum()
    hessian += alpha / shares.sum() * np.diag([1, 1, 1, 1, 1, 0])
    sharpness = np.linalg.eigvalsh(hessian)[-1]
    threshold = 2 * (1 + momentum) / sharpness
    options = {"solver": GradientDescent(momentum), "alpha": alpha}
    message = message_of(linear(1.15 * threshold, **options), X, y, weight)
    assert ("with the penalty" in message) == (alpha > 0)
    measured, rate = numbers_of(message)
    assert measured == pytest.approx(sharpness, rel=0.01)
    assert rate == pytest.approx(threshold, rel=0.05)  # two digits
    stable = linear(0.95 * threshold, **options | {"max_iter": 500}).fit(X, y, weight)
    assert np.isfinite(stable.loss_curve_[-1])


@pytest.mark.parametrize("loss", ["log_loss", "squared_error", "exponential"])
def test_divergence_oracle_sharpness_of_the_initial_network(loss, dsd):
    X, y = dsd
    options = {"solver": "gd", "alpha": 0.0, "tol": None, "random_state": 0, "loss": loss}
    network = CNNClassifier(4, 5, 5, max_iter=100, activation="tanh", **options)
    X = 30 * X
    message = message_of(network.set_params(learning_rate_init=1e38), X, y)
    start = network.set_params(learning_rate_init=1e-30, max_iter=1).fit(X, y)
    expected = sharpness(start, X, y)
    assert numbers_of(message)[0] == pytest.approx(expected, rel=0.02)


def test_divergence_contract_a_warm_start_is_measured_where_it_starts():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(30, 4)), rng.normal(size=30)
    network = FCNRegressor(8, solver="gd", learning_rate_init=0.05, max_iter=300, warm_start=True)
    network.set_params(tol=None, random_state=0, alpha=0.0).fit(X, y)
    expected = sharpness(network, X, y)
    message = message_of(network.set_params(learning_rate_init=100.0), X, y)
    assert numbers_of(message)[0] == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize(
    "options",
    [
        {"solver": SGD()},
        {"solver": GradientDescent(bias_learning_rate=1e3)},
        {"solver": GradientDescent(projection="unit_ball"), "activation": "relu"},
        {"augment_shift": 1},
    ],
    ids=repr,
)
def test_divergence_contract_no_threshold_is_named_where_none_is_known(options):
    rng = np.random.default_rng(0)
    X, y = 100 * rng.normal(size=(20, 3)), rng.normal(size=20)
    options = {"solver": "gd"} | options
    network = FCNRegressor(2, learning_rate_init=1e3, tol=None, random_state=0, **options)
    message = message_of(network, X, y)
    assert "sharpness" not in message
    assert "learning_rate_init than 1000.0, or clip_norm" in message


def test_divergence_limit_a_sharpness_that_is_not_finite_is_not_named():
    X = 1e160 * np.random.default_rng(0).normal(size=(20, 3))
    assert "sharpness" not in message_of(linear(1.0), X, X[:, 0] / 1e160)


def test_clipping_contract_keeps_a_large_rate_from_diverging():
    X = np.random.default_rng(0).normal(size=(20, 3)) * 100
    solver = GradientDescent(clip_norm=0.1)
    network = CNNRegressor(4, solver=solver, learning_rate_init=0.1, tol=None, max_iter=50)
    assert np.isfinite(network.fit(X, X[:, 0]).predict(X)).all()


def test_skorch_callbacks_contract_take_part_and_may_stop(dsd):
    X, y = dsd
    rates = []

    class Rates(skorch.callbacks.Callback):
        def on_epoch_begin(self, net, **kwargs):
            rates.append(net.optimizer_.param_groups[0]["lr"])

    halve = skorch.callbacks.LRScheduler(torch.optim.lr_scheduler.StepLR, step_size=1, gamma=0.5)
    network = FCNClassifier(
        2, learning_rate_init=1.0, solver="gd", max_iter=4, tol=None, callbacks=[halve, Rates()]
    ).fit(X, y)
    np.testing.assert_allclose(rates, [1.0, 0.5, 0.25, 0.125])
    stop = skorch.callbacks.EarlyStopping(monitor="train_loss", patience=3, threshold=10.0)
    network = FCNClassifier(2, tol=None, max_iter=50, callbacks=[stop]).fit(X, y)
    assert network.n_iter_ < 10


def test_interrupt_contract_ctrl_c_is_not_swallowed(dsd, monkeypatch):
    def interrupt(self):
        raise KeyboardInterrupt

    monkeypatch.setattr("sklcnn.nn.networks.PatchNetwork.filters", interrupt)
    with pytest.raises(KeyboardInterrupt):
        FCNClassifier(2).fit(*dsd)


def test_net_contract_is_a_working_skorch_net(dsd):
    X, y = dsd
    network = FCNClassifier(3, max_iter=5, tol=None, random_state=0).fit(X, y)
    net = network.net_
    assert isinstance(net, skorch.NeuralNet)
    np.testing.assert_allclose(
        net.predict(X.astype(np.float32))[:, 0], network.decision_function(X), atol=1e-5
    )
    assert net.history[:, "train_loss"] == network.loss_curve_
    net.partial_fit(X, y[:, None].astype(np.float32))
    assert len(net.history) == 5 + net.max_epochs


@pytest.mark.parametrize(("n_samples", "epochs"), [(40, 50), (1000, 10), (3000, 10), (400, 25)])
def test_patience_closed_form_fifty_steps_or_ten_epochs(n_samples, epochs):
    X, y = make_dsd(n_samples=n_samples, n_patches=2, patch_size=3, random_state=0)
    # No loss falls by as much: the first epoch counts as an improvement, more than the rest do not.
    network = FCNClassifier(2, tol=1e6, random_state=0).fit(X, y)
    assert network.n_iter_ == 1 + epochs + 1
