"""Training ends at a loss or at a gradient: which epoch, which weights, and at what cost."""

import copy
import warnings

import numpy as np
import pytest
import skorch.callbacks
import torch
from skorch.history import History

from sklcnn import CNNRegressor, FCNClassifier, FCNRegressor, LCNRegressor, sharpness
from sklcnn.training import GradientDescent, SharpnessRecorder, make_solver, make_stack
from sklcnn.training.history import EpochHistory, LossCurves
from sklcnn.training.stepper import Stepper
from sklcnn.training.trainer import make_net

DOUBLE = {"dtype": "float64", "device": "cpu", "tol": None, "random_state": 0}
RATES = {"learning_rate_init": 0.05, "alpha": 0.0}


@pytest.fixture(scope="module")
def samples():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, 12)) / 12**0.5
    return X, np.abs(X[:, :4]).sum(axis=1) + rng.normal(size=30) / 2


def make_network(family="FCN", **options):
    options = {"max_iter": 400, **RATES, **DOUBLE} | options
    if family == "FCN":
        return FCNRegressor(6, **options)
    local = {"patch_size": 4, "stride": 4, "pooling": "mean"}
    return {"CNN": CNNRegressor, "LCN": LCNRegressor}[family](6, **local, **options)


def weights_of(network):
    return [value.detach().numpy() for value in network.module_.parameters()]


def after(n_steps, X, y, **options):
    """Weights after a stated number of steps; none before the first one."""
    if n_steps == 0:
        options |= {"learning_rate_init": 1e-300}
    return weights_of(make_network(max_iter=max(1, n_steps), **options).fit(X, y))


def gradient_norm(network, X, y):
    """Norm of the gradient of loss and penalty, by autograd through ``forward``."""
    module, n = network.module_, len(X)
    loss = (module(torch.from_numpy(X))[:, 0] - torch.from_numpy(y)).square().mean()
    named = dict(module.named_parameters())
    weights = [value for name, value in named.items() if "weight" in name]
    loss = loss + network.alpha / (2 * n) * sum(weight.square().sum() for weight in weights)
    gradients = torch.autograd.grad(loss, list(named.values()))
    return torch.cat([gradient.flatten() for gradient in gradients]).norm().item()


@pytest.mark.parametrize("family", ["FCN", "LCN", "CNN"])
@pytest.mark.parametrize("momentum", [0.0, 0.8])
def test_loss_oracle_first_epoch_of_a_whole_curve(family, momentum, samples):
    whole = make_network(family, solver=GradientDescent(momentum)).fit(*samples)
    curve = np.array(whole.loss_curve_)
    tol = curve[0] / 3
    solver = GradientDescent(momentum, loss_tol=tol)
    network = make_network(family, solver=solver).fit(*samples)
    first = int(np.argmax(curve <= tol))
    assert 2 < first < 399
    assert network.loss_curve_ == whole.loss_curve_[: first + 1]
    # As many steps have been taken as there are epochs before that one.
    expected = after(first, *samples, family=family, solver=GradientDescent(momentum))
    for found, weights in zip(weights_of(network), expected, strict=True):
        np.testing.assert_array_equal(found, weights)


@pytest.mark.parametrize("clip_norm", [None, 0.3])
@pytest.mark.parametrize("alpha", [0.0, 3.0])
def test_gradient_oracle_autograd_with_penalty_and_before_clipping(alpha, clip_norm, samples):
    X, y = samples
    options = {"alpha": alpha, "solver": GradientDescent(clip_norm=clip_norm)}
    first = gradient_norm(make_network(**options | {"learning_rate_init": 1e-300}).fit(X, y), X, y)
    tol = first / 5
    solver = GradientDescent(clip_norm=clip_norm, gradient_tol=tol)
    stopped = make_network(alpha=alpha, solver=solver).fit(X, y)
    n_steps = stopped.n_iter_ - 1
    assert 5 < n_steps < 399
    assert gradient_norm(stopped, X, y) <= tol
    for fewer in (1, n_steps // 2, n_steps - 1):
        network = make_network(max_iter=fewer, **options).fit(X, y)
        assert gradient_norm(network, X, y) > tol


def test_either_contract_the_first_tolerance_ends(samples):
    tols = [{"loss_tol": 0.2}, {"gradient_tol": 0.2}, {"loss_tol": 0.2, "gradient_tol": 0.2}]
    lengths = [make_network(solver=GradientDescent(**tol)).fit(*samples).n_iter_ for tol in tols]
    assert lengths[0] != lengths[1]
    assert lengths[2] == min(lengths[:2])


def test_fitted_network_contract_has_the_last_loss(samples):
    X, y = samples
    network = make_network(solver=GradientDescent(loss_tol=0.2)).fit(X, y)
    error = np.mean((network.predict(X) - y) ** 2)
    assert error == pytest.approx(network.loss_curve_[-1], rel=1e-12)
    assert error <= 0.2 < network.loss_curve_[-2]


@pytest.mark.parametrize("tol", [{"loss_tol": 1e3}, {"gradient_tol": 1e3}], ids=str)
def test_start_limit_a_network_that_is_there_stays(tol, samples):
    solver = GradientDescent(0.9, projection="unit_sphere", **tol)
    network = make_network(solver=solver).fit(*samples)
    assert network.n_iter_ == 1
    for found, weights in zip(weights_of(network), after(0, *samples, solver="gd"), strict=True):
        np.testing.assert_allclose(found, weights, rtol=0, atol=1e-290)


def test_partial_fit_contract_stays_where_it_is(samples):
    network = make_network(solver=GradientDescent(0.5, loss_tol=0.3))
    for _ in range(100):
        network.partial_fit(*samples)
    whole = make_network(solver=GradientDescent(0.5, loss_tol=0.3)).fit(*samples)
    assert network.loss_curve_[: whole.n_iter_] == whole.loss_curve_
    assert set(network.loss_curve_[whole.n_iter_ :]) == {whole.loss_curve_[-1]}
    np.testing.assert_array_equal(network.filters_, whole.filters_)


def test_stopped_contract_no_warning_and_patience_may_come_first(samples):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        solver = GradientDescent(loss_tol=0.2)
        fitted = make_network(solver=solver, tol=1e-8, n_iter_no_change=50).fit(*samples)
    assert fitted.n_iter_ < 400
    patient = make_network(solver=solver, tol=1e6, n_iter_no_change=3).fit(*samples)
    assert patient.n_iter_ == 5


def test_unreached_limit_is_training_without_a_tolerance(samples):
    solver = GradientDescent(loss_tol=0.0, gradient_tol=0.0)
    asked = make_network(solver=solver, max_iter=60).fit(*samples)
    plain = make_network(solver="gd", max_iter=60).fit(*samples)
    assert asked.loss_curve_ == plain.loss_curve_
    np.testing.assert_array_equal(asked.filters_, plain.filters_)


def test_validation_contract_has_a_loss_for_the_last_epoch(samples):
    X, y = samples
    network = make_network(solver=GradientDescent(loss_tol=0.2))
    network.fit(X[:20], y[:20], X_val=X[20:], y_val=y[20:])
    assert len(network.validation_loss_curve_) == network.n_iter_ < 400
    error = np.mean((network.predict(X[20:]) - y[20:]) ** 2)
    assert error == pytest.approx(network.validation_loss_curve_[-1], rel=1e-12)


def test_early_stopping_contract_keeps_the_best_weights_all_the_same(samples):
    X, y = samples
    network = make_network(solver=GradientDescent(loss_tol=0.02), learning_rate_init=0.1)
    network.set_params(early_stopping=True, max_iter=2000)
    network.fit(X[:15], y[:15], X_val=X[15:], y_val=y[15:])
    best = min(network.validation_loss_curve_)
    assert network.loss_curve_[-1] <= 0.02
    assert best < network.validation_loss_curve_[-1]
    assert np.mean((network.predict(X[15:]) - y[15:]) ** 2) == pytest.approx(best, rel=1e-12)


def test_callbacks_contract_see_the_last_epoch(samples):
    recorder = SharpnessRecorder(every=1, tol=1e-8)
    network = make_network(solver=GradientDescent(loss_tol=0.3), callbacks=[recorder])
    network.fit(*samples)
    assert recorder.epochs_[-1] == network.n_iter_
    # No step follows the last record but one, and none the last.
    expected = sharpness(network, *samples, tol=1e-8)
    np.testing.assert_allclose(recorder.sharpness_[-2:], expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("solver", "n_norms"),
    [
        (GradientDescent(), 0),
        (GradientDescent(loss_tol=0.0), 0),
        (GradientDescent(clip_norm=1.0), 1),
        (GradientDescent(gradient_tol=0.0), 1),
        (GradientDescent(gradient_tol=0.0, clip_norm=1.0), 1),
    ],
    ids=repr,
)
def test_cost_contract_norms_an_epoch(solver, n_norms, samples, monkeypatch):
    calls = []
    whole = Stepper._norms
    monkeypatch.setattr(Stepper, "_norms", lambda *args: calls.append(1) or whole(*args))
    make_network(solver=solver, max_iter=10).fit(*samples)
    assert len(calls) == 10 * n_norms


@pytest.mark.parametrize(
    ("solver", "message"),
    [
        (GradientDescent(loss_tol=-1e-3), "loss_tol=-0.001"),
        (GradientDescent(gradient_tol=float("nan")), "gradient_tol=nan"),
    ],
)
def test_solver_contract_bad_tolerances_are_named(solver, message):
    with pytest.raises(ValueError, match=message):
        make_solver(solver)


# --- what a long training records -----------------------------------------------------------------


INDICES = [
    0,
    -1,
    slice(1, 3),
    (-1, "loss"),
    (1, ("loss", "epoch")),
    (slice(None), "loss"),
    (slice(-2, None), ["loss", "epoch"]),
    (0, "batches"),
]


@pytest.mark.parametrize("index", INDICES, ids=str)
def test_history_oracle_skorch(index):
    ours, theirs = EpochHistory(), History()
    for history in (ours, theirs):
        for epoch in range(4):
            history.new_epoch()
            history.record("epoch", epoch)
            history.record("loss", 1 / (1 + epoch))
    plain = copy.deepcopy(theirs)
    for row in plain:
        row["batches"] = ()
    assert ours[index] == plain[index]


def test_history_oracle_skorch_missing_keys():
    history = EpochHistory()
    history.new_epoch()
    with pytest.raises(KeyError, match="score"):
        history[-1, "score"]
    with pytest.raises(IndexError):
        history[1]


def test_loss_curves_oracle_lists():
    rng = np.random.default_rng(0)
    curves, expected = LossCurves(3), [[], [], []]
    for epoch in range(70):
        members = np.arange(3) if epoch < 40 else np.array([0, 2])
        losses = rng.uniform(size=len(members))
        curves.append(members, losses)
        for member, loss in zip(members, losses, strict=True):
            expected[member].append(loss)
    assert curves.of(0) == expected[0]
    assert curves.of(2) == expected[2]
    assert curves.of(1)[:40] == expected[1]
    assert np.isnan(curves.of(1)[40:]).all()
    assert len(curves) == 70


def test_epochs_contract_nobody_copies_the_history(samples, monkeypatch):
    def refuse(self):
        raise AssertionError("the whole history was copied")

    monkeypatch.setattr(EpochHistory, "to_list", refuse)
    stop = skorch.callbacks.EarlyStopping(monitor="train_loss", patience=5)
    watch = [stop, SharpnessRecorder(every=5)]
    assert make_network(solver="gd", max_iter=20, callbacks=watch).fit(*samples).n_iter_ == 20
    assert make_network(solver="gd", tol=1e6, n_iter_no_change=9).fit(*samples).n_iter_ == 11


@pytest.mark.parametrize(("callbacks", "n_rows"), [([], 0), ([SharpnessRecorder()], 20)])
def test_epochs_contract_rows_are_kept_if_somebody_looks(callbacks, n_rows, samples):
    network = FCNClassifier(3, max_iter=20, callbacks=callbacks, **DOUBLE)
    X, y = samples
    coded = network._check_samples(X, y > 1, None, reset=True)
    stack = make_stack([network._prepare(coded, None, "fresh", max_iter=20, tol=None)])
    net = make_net(stack).initialize()
    (trained,) = net.run(stack.samples)
    assert len(net.history) == n_rows
    assert len(trained.train_loss) == 20
