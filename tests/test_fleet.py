"""A fleet equals the loop: many nets in one stack end as they would have ended alone."""

import copy
import re

import numpy as np
import pytest
from sklearn.base import clone

from sklcnn import CNNClassifier, CNNRegressor, FCNClassifier, LCNClassifier
from sklcnn.datasets import make_dsd
from sklcnn.training import SGD, Adam, GradientDescent, stacks, train
from sklcnn.training.stacks import group_jobs, make_stack

DOUBLE = {"dtype": "float64", "device": "cpu"}
LOCAL = {"patch_size": 5, "stride": 5}
FAMILIES = {
    "FCN": lambda **options: FCNClassifier(3, **options),
    "LCN": lambda **options: LCNClassifier(3, **LOCAL, **options),
    "CNN": lambda **options: CNNClassifier(3, **LOCAL, pooling="mean", **options),
}


def prepare(network, X, y, sample_weight=None, X_val=None, y_val=None):
    """The job that ``fit`` would train, caught before training."""
    samples = network._check_samples(X, y, sample_weight, reset=True)
    validation = None
    if X_val is not None:
        validation = network._check_samples(X_val, y_val, None, reset=False)
    limits = {"max_iter": network.max_iter, "tol": network.tol}
    return network._prepare(samples, validation, "fresh", **limits)


def assert_fleet_equals_loop(jobs, n_stacks=1, atol=1e-10):
    assert n_stacks is None or len(group_jobs(jobs)) == n_stacks
    alone = [train([copy.deepcopy(job)])[0] for job in jobs]
    for one, many in zip(alone, train(jobs), strict=True):
        if isinstance(one, Exception):
            assert str(many) == str(one)
            continue
        for name, parameter in one.module.named_parameters():
            together = many.module.get_parameter(name).detach().numpy()
            np.testing.assert_allclose(together, parameter.detach().numpy(), rtol=0, atol=atol)
        np.testing.assert_allclose(many.train_loss, one.train_loss, rtol=0, atol=atol)
        np.testing.assert_allclose(many.validation_loss, one.validation_loss, rtol=0, atol=atol)
        assert many.stopped == one.stopped
        assert (many.shuffle_state == one.shuffle_state).all()
        for together, own in zip(many.solver_state, one.solver_state, strict=True):
            for name, value in own.items():  # without momentum there is no velocity alone
                np.testing.assert_allclose(together[name], value, rtol=0, atol=atol)


@pytest.fixture(scope="module")
def dsd():
    return make_dsd(n_samples=90, n_patches=4, patch_size=5, noise=0.3, random_state=0)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("solver", ["gd", "sgd", "adam"])
@pytest.mark.parametrize("batch_size", ["auto", 16])
def test_families_and_solvers_oracle_loop(family, solver, batch_size, dsd):
    X, y = dsd
    options = {"solver": solver, "batch_size": batch_size, "max_iter": 12, "tol": None, **DOUBLE}
    jobs = [
        prepare(
            FAMILIES[family](random_state=seed, **options), X[seed : 50 + seed], y[seed : 50 + seed]
        )
        for seed in range(4)
    ]
    assert_fleet_equals_loop(jobs)


@pytest.mark.parametrize("loss", ["log_loss", "squared_error", "hinge", "exponential"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_losses_oracle_loop(loss, n_classes, dsd):
    X, _ = dsd
    y = np.arange(len(X)) % n_classes
    options = {"loss": loss, "max_iter": 8, "tol": None, **DOUBLE}
    jobs = [prepare(FAMILIES["LCN"](random_state=seed, **options), X, y) for seed in range(3)]
    assert_fleet_equals_loop(jobs)


@pytest.mark.parametrize("solver", [GradientDescent(0.9), SGD(), Adam()], ids=repr)
@pytest.mark.parametrize("batch_size", ["auto", 16])
def test_own_learning_rates_and_penalties_oracle_loop(solver, batch_size, dsd):
    options = {"solver": solver, "batch_size": batch_size, "max_iter": 10, "tol": None, **DOUBLE}
    jobs = [
        prepare(FAMILIES["CNN"](learning_rate_init=rate, alpha=alpha, **options), *dsd)
        for rate, alpha in [(0.01, 0.0), (0.03, 1.0), (0.002, 5.0)]
    ]
    assert_fleet_equals_loop(jobs)


@pytest.mark.parametrize(
    "solvers",
    [
        [GradientDescent(0.9), GradientDescent(0.0), GradientDescent(0.5)],
        [SGD(0.9), SGD(0.0), SGD(0.5)],
        [SGD(0.9, nesterov=False), SGD(0.2, nesterov=False)],
        [Adam(0.9, 0.999), Adam(0.5, 0.9), Adam(0.9, 0.99, epsilon=1e-3)],
        [GradientDescent(clip_norm=0.05), GradientDescent(0.9, clip_norm=0.01)],
    ],
    ids=lambda solvers: type(solvers[0]).__name__,
)
def test_own_momenta_oracle_loop_also_after_a_member_has_left(solvers, dsd):
    options = {"tol": None, "learning_rate_init": 0.1, **DOUBLE}
    jobs = [
        prepare(FAMILIES["CNN"](solver=solver, max_iter=6 + 5 * number, **options), *dsd)
        for number, solver in enumerate([*solvers, solvers[0]])
    ]
    assert_fleet_equals_loop(jobs)


def test_own_ends_oracle_loop_max_iter(dsd):
    jobs = [
        prepare(FAMILIES["LCN"](max_iter=max_iter, tol=tol, random_state=0, **DOUBLE), *dsd)
        for max_iter, tol in [(9, None), (3, 1e-9), (9, 1e-9), (1, None), (20, 1e-9)]
    ]
    assert [len(outcome.train_loss) for outcome in train(copy.deepcopy(jobs))] == [9, 3, 9, 1, 20]
    assert_fleet_equals_loop(jobs)


@pytest.mark.parametrize("batch_size", ["auto", 32])
@pytest.mark.parametrize("weighted", [False, True])
def test_own_numbers_of_samples_oracle_loop(batch_size, weighted, dsd):
    X, y = dsd
    options = {"batch_size": batch_size, "max_iter": 10, "tol": None, **DOUBLE}
    weights = np.random.default_rng(0).uniform(size=90)
    jobs = [
        prepare(
            FAMILIES["LCN"](random_state=n, **options),
            X[:n],
            y[:n],
            weights[:n] if weighted else None,
        )
        for n in (80, 72, 75)
    ]
    assert_fleet_equals_loop(jobs)


def test_own_ends_oracle_loop_tolerance(dsd):
    options = {"solver": "gd", "max_iter": 60, **DOUBLE}
    own = [(0.3, 1e-2, 3), (0.03, 1e-3, 5), (0.5, 0.1, 1), (1e-6, 1e-4, 7), (1.0, 0.03, 2)]
    jobs = [
        prepare(
            FAMILIES["FCN"](learning_rate_init=rate, tol=tol, n_iter_no_change=patience, **options),
            *dsd,
        )
        for rate, tol, patience in own
    ]
    lengths = {len(outcome.train_loss) for outcome in train(copy.deepcopy(jobs))}
    assert len(lengths) > 3  # members leave one after the other, and the stack is compacted
    assert_fleet_equals_loop(jobs)


def tolerant(family, dsd, solvers, **options):
    """Jobs that end at a loss or at a gradient of their own."""
    options = {"max_iter": 100, "tol": None, **DOUBLE} | options
    rates = [0.6, 1.0, 0.4, 0.8, 0.6, 0.2, 0.5]
    return [
        prepare(
            FAMILIES[family](solver=solver, learning_rate_init=rate, random_state=seed, **options),
            *dsd,
        )
        for seed, (solver, rate) in enumerate(zip(solvers, rates, strict=True))
    ]


LOSSES = (0.5, 0.01, 10.0, 0.3, 0.45, 0.0, 0.6)
NORMS = (0.15, 0.08, 0.1, 1e-9, 0.2, 10.0, 0.12)


@pytest.mark.parametrize("momenta", [(0.0,) * 7, (0.9, 0.5, 0.0, 0.8, 0.3, 0.9, 0.5)])
@pytest.mark.parametrize("clip_norm", [None, 0.1])
@pytest.mark.parametrize(
    ("asked", "family"), [("loss", "FCN"), ("gradient", "LCN"), ("both", "CNN")]
)
def test_own_ends_oracle_loop_losses_and_gradients(asked, family, clip_norm, momenta, dsd):
    solvers = [GradientDescent(momentum, clip_norm=clip_norm) for momentum in momenta]
    for solver, loss_tol, gradient_tol in zip(solvers, LOSSES, NORMS, strict=True):
        if asked != "gradient":
            solver.set_params(loss_tol=loss_tol)
        if asked != "loss":
            solver.set_params(gradient_tol=gradient_tol)
    jobs = tolerant(family, dsd, solvers, alpha=0.5)
    outcomes = train(copy.deepcopy(jobs))
    assert len({len(outcome.train_loss) for outcome in outcomes}) > 2
    for outcome, loss_tol in zip(outcomes, LOSSES, strict=True):
        if asked == "loss":
            assert outcome.stopped == (outcome.train_loss[-1] <= loss_tol)
    assert_fleet_equals_loop(jobs)


def test_own_ends_oracle_loop_tolerances_of_siblings_and_patience(dsd):
    network = FAMILIES["LCN"](solver=GradientDescent(loss_tol=0.0), max_iter=80, random_state=0)
    network.set_params(learning_rate_init=0.3, tol=None, **DOUBLE)
    changes = [{"solver__loss_tol": tol} for tol in (0.6, 0.4, 0.0, 0.3)]
    changes += [{"tol": 5e-3, "n_iter_no_change": 2}, {"max_iter": 7}]
    jobs = on_two_folds(network, *dsd, changes)
    assert len({len(outcome.train_loss) for outcome in train(copy.deepcopy(jobs))}) > 6
    assert_fleet_equals_loop(jobs)


def test_tolerances_contract_none_is_another_kind(dsd):
    solvers = [
        GradientDescent(),
        GradientDescent(loss_tol=0.4),
        GradientDescent(gradient_tol=0.1),
        GradientDescent(loss_tol=0.3),
        GradientDescent(gradient_tol=0.1, loss_tol=0.1),
        GradientDescent(0.5),
        GradientDescent(gradient_tol=0.2),
    ]
    jobs = tolerant("FCN", dsd, solvers, max_iter=30)
    assert sorted(map(sorted, group_jobs(jobs))) == [[0, 5], [1, 3], [2, 6], [4]]
    assert_fleet_equals_loop(jobs, n_stacks=4)


@pytest.mark.parametrize("batch_size", ["auto", 16])
@pytest.mark.parametrize("tol", [None, 1e-4])
def test_own_ends_oracle_loop_early_stopping(batch_size, tol, dsd):
    X, y = dsd
    options = {"early_stopping": True, "tol": tol, "max_iter": 40, "batch_size": batch_size}
    own = [(0.3, 2), (0.1, 4), (0.03, 6), (0.01, 1), (0.05, 3)]
    jobs = [
        prepare(
            FAMILIES["LCN"](
                random_state=patience,
                learning_rate_init=rate,
                n_iter_no_change=patience,
                **options,
                **DOUBLE,
            ),
            X[:60],
            y[:60],
            X_val=X[60:],
            y_val=y[60:],
        )
        for rate, patience in own
    ]
    lengths = {len(outcome.train_loss) for outcome in train(copy.deepcopy(jobs))}
    assert (len(lengths) > 2) == (tol is not None)
    assert_fleet_equals_loop(jobs)


@pytest.mark.parametrize("projection", [None, "unit_ball", "unit_sphere"])
def test_clipping_and_projection_oracle_loop_member_by_member(projection, dsd):
    X, y = dsd
    solver = GradientDescent(clip_norm=0.05, projection=projection)
    options = {"solver": solver, "max_iter": 15, "tol": None, **DOUBLE}
    jobs = [
        prepare(FAMILIES["CNN"](random_state=seed, learning_rate_init=0.5, **options), scale * X, y)
        for seed, scale in enumerate([0.1, 1.0, 10.0])
    ]
    assert_fleet_equals_loop(jobs)


def test_soft_threshold_and_sum_readout_oracle_loop(dsd):
    options = {"activation": "soft_threshold", "readout": "sum", "solver": "gd", "max_iter": 20}
    options |= {"learning_rate_init": 0.02, "tol": None, **DOUBLE}
    jobs = [
        prepare(LCNClassifier(1, **LOCAL, pooling="sum", random_state=seed, **options), *dsd)
        for seed in range(3)
    ]
    assert_fleet_equals_loop(jobs)


def test_single_precision_oracle_loop_to_rounding(dsd):
    options = {"max_iter": 30, "tol": None, "device": "cpu"}
    jobs = [prepare(FAMILIES["CNN"](random_state=seed, **options), *dsd) for seed in range(4)]
    # Adam divides by the root of tiny second moments, which amplifies the rounding of sums.
    assert_fleet_equals_loop(jobs, atol=2e-5)


def test_groups_contract_what_cannot_share_a_stack_does_not(dsd, monkeypatch):
    monkeypatch.setattr("sklcnn.training.stacks.MIN_PADDING_BYTES", 0)
    X, y = dsd
    options = {"max_iter": 3, "tol": None, **DOUBLE}
    jobs = [
        prepare(network, X[:n], y[:n])
        for network, n in [
            (FAMILIES["FCN"](**options), 90),
            (FAMILIES["FCN"](**options | {"max_iter": 4}), 80),  # padded
            (FAMILIES["FCN"](**options), 40),  # too short to pad
            (FAMILIES["FCN"](**options | {"loss": "hinge"}), 90),
            (FAMILIES["FCN"](**options | {"solver": "sgd"}), 90),
            (FAMILIES["FCN"](**options | {"solver": GradientDescent()}), 90),
            (FAMILIES["FCN"](**options | {"solver": GradientDescent(clip_norm=1.0)}), 90),
            (FAMILIES["LCN"](**options), 90),
            (FAMILIES["FCN"](**options, verbose=1), 90),  # is watched
        ]
    ]
    alone = [[number] for number in range(2, len(jobs))]
    assert sorted(map(sorted, group_jobs(jobs))) == [[0, 1], *alone]


def test_small_padding_oracle_loop_short_members_join_if_it_costs_little(dsd):
    X, y = dsd
    options = {"solver": "gd", "max_iter": 10, "tol": None, **DOUBLE}
    jobs = [prepare(FAMILIES["CNN"](**options), X[:n], y[:n]) for n in (90, 10, 31)]
    assert_fleet_equals_loop(jobs)


@pytest.mark.parametrize("shared", [True, False], ids=["siblings", "strangers"])
@pytest.mark.parametrize("max_members", [1, 2, 3])
def test_memory_contract_chunks_hold_no_more_than_fits(max_members, shared, dsd, monkeypatch):
    X, y = dsd
    jobs = [
        prepare(
            FAMILIES["FCN"](random_state=seed, max_iter=3, tol=None, **DOUBLE),
            X + (0 if shared else seed),
            y,
        )
        for seed in range(7)
    ]
    one, several = stacks._step_bytes(jobs[0]), stacks._step_bytes(jobs[0], max_members)
    room = several if shared else max_members * one
    monkeypatch.setattr(stacks, "_room", lambda job, memory: room)
    assert max(map(len, group_jobs(jobs))) == max_members
    assert_fleet_equals_loop(jobs, n_stacks=-(-7 // max_members))


def on_two_folds(network, X, y, changes):
    """Jobs of some candidates on two folds, as a grid search makes them, fold by fold."""
    return [
        prepare(clone(network).set_params(**change), X[rows], y[rows])
        for change in changes
        for rows in (slice(0, 60), slice(30, 90))
    ]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("solver", ["gd", "sgd", "adam"])
@pytest.mark.parametrize("batch_size", ["auto", 16])
def test_siblings_oracle_loop(family, solver, batch_size, dsd):
    network = FAMILIES[family](solver=solver, batch_size=batch_size, max_iter=12, tol=None)
    network.set_params(random_state=0, **DOUBLE)
    changes = [{"learning_rate_init": rate} for rate in (0.01, 0.02, 0.03)] + [{"alpha": 1.0}]
    jobs = on_two_folds(network, *dsd, changes)
    assert group_jobs(jobs) == [[0, 2, 4, 6, 1, 3, 5, 7]]
    stack = make_stack(jobs[::2] + jobs[1::2])
    assert (stack.n_siblings, len(stack.samples.X), len(stack.samples.target)) == (4, 2, 8)
    assert_fleet_equals_loop(jobs)


@pytest.mark.parametrize("pooling", [None, "mean", "sum"])
@pytest.mark.parametrize("activation", ["relu", "soft_threshold"])
def test_siblings_oracle_loop_over_ends(activation, pooling, dsd):
    # Families lose different members at different epochs, and both of them some.
    network = FAMILIES["LCN"](activation=activation, pooling=pooling, solver="gd", tol=None)
    network.set_params(random_state=0, **DOUBLE)
    changes = [
        {"max_iter": n, "learning_rate_init": rate}
        for n, rate in ((5, 0.1), (9, 0.1), (30, 0.1), (12, 1e300), (21, 0.2))
    ]
    jobs = on_two_folds(network, *dsd, changes)[:-1]
    early = {"tol": 1e-2, "n_iter_no_change": 2, "max_iter": 40}
    jobs += on_two_folds(network, *dsd, [{**early, "learning_rate_init": rate} for rate in (1, 2)])
    assert_fleet_equals_loop(jobs, n_stacks=None)


def test_siblings_invariance_mini_batches_of_another_order_are_no_siblings(dsd):
    network = FAMILIES["FCN"](batch_size=16, max_iter=3, tol=None, **DOUBLE)
    changes = [{"random_state": seed} for seed in range(4)]
    jobs = on_two_folds(network, *dsd, changes)
    assert make_stack(jobs).n_siblings == 1
    assert_fleet_equals_loop(jobs)


def test_divergence_contract_one_member_fails_alone():
    X = np.random.default_rng(0).normal(size=(30, 20))
    options = {"solver": "gd", "max_iter": 40, "tol": None, **DOUBLE}
    jobs = [
        prepare(
            CNNRegressor(3, **LOCAL, learning_rate_init=rate, random_state=0, **options), X, X[:, 0]
        )
        for rate in (0.01, 100.0, 0.02)
    ]
    outcomes = train(copy.deepcopy(jobs))
    assert isinstance(outcomes[1], ValueError)
    assert "learning_rate_init than 100" in str(outcomes[1])
    assert "sharpness at the start" in str(outcomes[1])
    assert str(train([copy.deepcopy(jobs[1])])[0]) == str(outcomes[1])
    assert_fleet_equals_loop([jobs[0], jobs[2]])
    np.testing.assert_allclose(
        outcomes[2].train_loss, train([jobs[2]])[0].train_loss, rtol=0, atol=1e-10
    )


def test_divergence_oracle_loop_every_member_has_its_own_threshold():
    X = np.random.default_rng(0).normal(size=(30, 20))
    options = {"solver": "gd", "learning_rate_init": 50.0, "max_iter": 40, "tol": None, **DOUBLE}
    weight = np.random.default_rng(1).integers(0, 3, size=30)
    network = CNNRegressor(3, **LOCAL, random_state=0, **options)
    jobs = [prepare(network, X * scale, X[:, 0], own) for scale in (1, 3) for own in (None, weight)]
    together = [str(outcome) for outcome in train(copy.deepcopy(jobs))]
    assert together == [str(train([copy.deepcopy(job)])[0]) for job in jobs]
    thresholds = [re.search("rates below ([^ ]+) ", message)[1] for message in together]
    assert len(set(thresholds)) == 4


def test_failure_of_a_stack_contract_members_are_trained_alone(dsd, monkeypatch):
    def refuse(modules):
        raise MemoryError("too large")

    monkeypatch.setattr("sklcnn.training.stacks._stack_modules", refuse)
    jobs = [prepare(FAMILIES["FCN"](max_iter=3, tol=None), *dsd) for _ in range(3)]
    assert [len(outcome.train_loss) for outcome in train(jobs)] == [3, 3, 3]


def test_validation_in_chunks_oracle_loop(dsd, monkeypatch):
    monkeypatch.setattr("sklcnn.training.batches.CHUNK_ENTRIES", 20 * 7)  # seven samples
    X, y = dsd
    network = FAMILIES["CNN"](solver="gd", max_iter=6, tol=None, early_stopping=True, **DOUBLE)
    jobs = [prepare(network, X[n : n + 40], y[n : n + 40], None, X[60:], y[60:]) for n in range(3)]
    assert_fleet_equals_loop(jobs)
    assert len(train([jobs[0]])[0].validation_loss) == 6
