"""Training samples shifted anew in every epoch, against explicit rolls and loops."""

import copy
import itertools

import numpy as np
import pytest
import torch
from sklearn.base import clone
from test_fleet import assert_fleet_equals_loop, on_two_folds, prepare

from sklcnn import (
    CNNClassifier,
    CNNRegressor,
    FCNClassifier,
    FCNRegressor,
    LCNClassifier,
    LCNRegressor,
)
from sklcnn.training import GradientDescent, Samples, Translation, train
from sklcnn.training.batches import Batches
from sklcnn.training.stacks import group_jobs, make_stack

DOUBLE = {"dtype": "float64", "device": "cpu"}
SHIFTED = {"augment_shift": 2, "input_shape": (5, 6), "tol": None, "max_iter": 5, **DOUBLE}
FAMILIES = {
    "FCN": lambda **options: FCNClassifier(3, **SHIFTED | options),
    "LCN": lambda **options: LCNClassifier(3, **SHIFTED | options),
    "CNN": lambda **options: CNNClassifier(3, pooling="mean", **SHIFTED | options),
    "deep FCN": lambda **options: FCNClassifier((3, 2), **SHIFTED | options),
    "deep LCN": lambda **options: LCNClassifier((3, 2), padding="same", **SHIFTED | options),
    "deep CNN": lambda **options: CNNClassifier(
        (3, 2), padding="same", pooling="max", pool_size=2, **SHIFTED | options
    ),
}


def roll(image, down, right):
    """Shift an image (channels, height, width) by np.roll and clear what came round the ends."""
    moved = np.roll(image, (down, right), axis=(1, 2))
    rows = slice(0, down) if down >= 0 else slice(image.shape[1] + down, None)
    columns = slice(0, right) if right >= 0 else slice(image.shape[2] + right, None)
    moved[:, rows] = 0
    moved[:, :, columns] = 0
    return moved


def roll_all(X, shape, shifts):
    """Shift raveled samples one by one."""
    images = X.reshape(-1, *shape)
    moved = [roll(image, *map(int, shift)) for image, shift in zip(images, shifts, strict=True)]
    return np.stack(moved).reshape(X.shape)


@pytest.fixture(scope="module")
def data():
    random = np.random.default_rng(0)
    X = random.normal(size=(90, 30))
    return X, (X[:, :15].sum(axis=1) > 0).astype(int)


# The shifts


@pytest.mark.parametrize("shape", [(1, 1, 9), (3, 1, 7), (1, 5, 7), (2, 6, 4), (1, 5, 1)])
@pytest.mark.parametrize("max_shift", [1, 3])
def test_apply_oracle_roll_and_cleared_ends(shape, max_shift):
    margins = [range(-max_shift, max_shift + 1) if side > 1 else [0] for side in shape[1:]]
    shifts = np.array(list(itertools.product(*margins)))  # every shift that there is
    X = np.random.default_rng(0).normal(size=(len(shifts), int(np.prod(shape))))
    given = torch.from_numpy(X.copy())
    moved = Translation(shape, max_shift).apply(given, torch.from_numpy(shifts))
    np.testing.assert_array_equal(moved, roll_all(X, shape, shifts))
    np.testing.assert_array_equal(given, X)


@pytest.mark.parametrize("shape", [(1, 1, 9), (2, 5, 7)])
def test_apply_invariance_stacks_of_samples(shape):
    translation, n_features = Translation(shape, 2), int(np.prod(shape))
    X = torch.from_numpy(np.random.default_rng(0).normal(size=(3, 8, n_features)))
    generator = torch.Generator().manual_seed(0)
    shifts = torch.stack([translation.draw(8, generator) for _ in range(3)])
    alone = [translation.apply(x, own) for x, own in zip(X, shifts, strict=True)]
    assert torch.equal(translation.apply(X, shifts), torch.stack(alone))


def test_draw_closed_form_uniform_and_independent():
    # 20,000 draws over 49 pairs: the statistic is chi-squared with 48 degrees of freedom, of mean
    # 48 and standard deviation 9.8; the margin is five of them, on both sides.
    shifts = Translation((1, 9, 8), 3).draw(20_000, torch.Generator().manual_seed(0)).numpy()
    assert shifts.shape == (20_000, 2)
    pairs, counts = np.unique(shifts, axis=0, return_counts=True)
    np.testing.assert_array_equal(pairs, list(itertools.product(range(-3, 4), repeat=2)))
    statistic = ((counts - 20_000 / 49) ** 2).sum() / (20_000 / 49)
    assert 5 < statistic < 48 + 5 * 9.8


@pytest.mark.parametrize(("shape", "still"), [((3, 1, 9), 0), ((1, 9, 1), 1)])
def test_draw_contract_an_axis_of_length_one_stays(shape, still):
    shifts = Translation(shape, 2).draw(200, torch.Generator().manual_seed(0))
    assert (shifts[:, still] == 0).all()
    assert set(shifts[:, 1 - still].tolist()) == {-2, -1, 0, 1, 2}


def test_draw_contract_the_generator_alone_decides():
    translation, before = Translation((1, 9, 8), 3), torch.random.get_rng_state()
    draws = [translation.draw(50, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    assert torch.equal(torch.random.get_rng_state(), before)


class Bare:
    """A module that cuts nothing."""

    def extend(self, X):
        return X

    def cut(self, X):
        return X


@pytest.mark.parametrize("batch_size", [3, 4, 10])
@pytest.mark.parametrize("members", [(), (2,)], ids=["one", "stack"])
def test_batches_oracle_loop_every_sample_keeps_its_target_and_its_shift(batch_size, members):
    shape, translation = (1, 4, 5), Translation((1, 4, 5), 2)
    random = np.random.default_rng(0)
    X = random.normal(size=(*members, 10, 20))
    target, weight = random.normal(size=(*members, 10, 1)), random.uniform(size=(*members, 10))
    order = torch.from_numpy(np.stack([random.permutation(10) for _ in range(2)]))
    shifts = torch.from_numpy(random.integers(-2, 3, size=(2, 10, 2)))
    if not members:
        order, shifts = order[0], shifts[0]
    samples = Samples(*map(torch.from_numpy, (X, target, weight)))
    batches = Batches(Bare(), samples, batch_size, lambda n: (order, shifts), translation)
    found = list(batches)
    assert {inputs.shape[-2] for inputs, _ in found[:-1]} <= {batch_size}
    joined = [
        torch.cat([part(batch) for batch in found], dim=len(members)).numpy()
        for part in (lambda b: b[0], lambda b: b[1][0], lambda b: b[1][1])
    ]
    for member in np.ndindex(members):
        rows = order[member].numpy()
        moved = roll_all(X[member][rows], shape, shifts[member])
        np.testing.assert_array_equal(joined[0][member], moved)
        np.testing.assert_array_equal(joined[1][member], target[member][rows])
        np.testing.assert_array_equal(joined[2][member], weight[member][rows])


# Training


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("batch_size", [60, 16])
def test_epoch_oracle_plain_epoch_on_shifted_samples(family, batch_size, data):
    X, y = (array[:60] for array in data)
    network = FAMILIES[family](batch_size=batch_size, max_iter=1, random_state=0)
    job = prepare(clone(network), X, y)
    generator = torch.Generator()
    generator.set_state(job.shuffle_state)
    order = torch.randperm(60, generator=generator).numpy()
    shifts = job.translation.draw(60, generator).numpy()
    moved = X.copy()
    moved[order] = roll_all(X[order], (1, 5, 6), shifts)
    assert (moved != X).any(axis=1).mean() > 0.8  # 1 in 25 has drawn no shift
    shifted = network.fit(X, y)
    # The same draws in the same order: without shifts none follow the order of the samples.
    plain = clone(network).set_params(augment_shift=0).fit(moved, y)
    for ours, theirs in zip(shifted.module_.parameters(), plain.module_.parameters(), strict=True):
        np.testing.assert_allclose(
            ours.detach().numpy(), theirs.detach().numpy(), rtol=0, atol=1e-12
        )
    np.testing.assert_allclose(shifted.loss_curve_, plain.loss_curve_, rtol=0, atol=1e-12)


@pytest.mark.parametrize("family", FAMILIES)
def test_shifts_contract_new_in_every_epoch_and_only_while_training(family, data):
    X, y = data
    still = {"learning_rate_init": 1e-13, "alpha": 0.0, "max_iter": 6, "solver": "gd"}
    network = FAMILIES[family](random_state=0, early_stopping=True, **still)
    network.fit(X[:40], y[:40], X_val=X[40:], y_val=y[40:])
    losses = np.array(network.loss_curve_)
    assert len(set(losses.round(6))) == 6  # the weights stand still, the samples do not
    np.testing.assert_allclose(np.diff(network.validation_loss_curve_), 0, atol=1e-9)
    margins = np.where(y[40:] > 0, 1, -1) * network.decision_function(X[40:])
    expected = np.logaddexp(0, -margins).mean()
    assert network.validation_loss_curve_[-1] == pytest.approx(expected, abs=1e-9)
    outputs = network.module_(torch.from_numpy(X)).detach().numpy()[:, 0]
    np.testing.assert_allclose(network.decision_function(X), outputs, rtol=0, atol=1e-12)
    np.testing.assert_allclose(network.net_.predict(X)[:, 0], outputs, rtol=0, atol=1e-12)


def global_states():
    numpy_state = np.random.get_state(legacy=False)["state"]
    return numpy_state, torch.random.get_rng_state().numpy()


@pytest.mark.parametrize("network", [FCNRegressor, LCNRegressor, CNNRegressor])
@pytest.mark.parametrize("batch_size", ["auto", 16])
def test_seed_contract_bit_for_bit_and_global_generators_untouched(network, batch_size, data):
    X, y = data
    states = global_states()
    options = {**SHIFTED, "batch_size": batch_size}
    fits = [network((3, 2), random_state=seed, **options).fit(X, y) for seed in (0, 0, 1)]
    assert fits[0].loss_curve_ == fits[1].loss_curve_
    assert fits[0].loss_curve_ != fits[2].loss_curve_
    network((3, 2), random_state=None, **options).fit(X, y)
    np.testing.assert_equal(global_states(), states)
    unshifted = network((3, 2), random_state=0, **options | {"augment_shift": 0}).fit(X, y)
    assert unshifted.loss_curve_ != fits[0].loss_curve_


@pytest.mark.parametrize(("family", "batch_size"), [("FCN", "auto"), ("deep CNN", 16)])
def test_partial_fit_oracle_epochs_one_by_one_equal_one_fit(family, batch_size, data):
    whole = FAMILIES[family](batch_size=batch_size, random_state=0).fit(*data)
    stepwise = FAMILIES[family](batch_size=batch_size, random_state=0)
    for _ in range(5):
        stepwise.partial_fit(*data, classes=[0, 1])
    assert stepwise.loss_curve_ == whole.loss_curve_


def test_weight_zero_invariance_equals_removal(data):
    X, y = data
    weight = np.r_[np.ones(40), np.zeros(50)]
    weighted = FAMILIES["deep CNN"](random_state=0).fit(X, y, weight)
    removed = FAMILIES["deep CNN"](random_state=0).fit(X[:40], y[:40])
    np.testing.assert_allclose(weighted.loss_curve_, removed.loss_curve_, rtol=0, atol=1e-14)


@pytest.mark.parametrize("network", [FCNClassifier(64), FCNClassifier((32, 16))], ids=repr)
def test_translations_limit_a_dense_network_learns_what_it_was_not_shown(network):
    # Two pulses of opposite sign at one place; they are looked for up to three features away. By
    # chance 0.5 of 200 are right, with a standard error of 0.035.
    random = np.random.default_rng(0)
    y = random.integers(2, size=200)
    X = np.zeros((200, 20))
    X[:, 8:11] = np.where(y, 1, -1)[:, None] * [1.0, -2.0, 1.0]
    X += random.normal(scale=0.1, size=X.shape)
    moved = roll_all(X, (1, 1, 20), [(0, shift) for shift in random.choice([-3, 3], size=200)])
    network = clone(network).set_params(random_state=0, tol=None, max_iter=60)
    told = clone(network).set_params(augment_shift=3).fit(X, y).score(moved, y)
    assert told > 0.95
    assert network.fit(X, y).score(moved, y) < 0.9


# Fleets


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("solver", "batch_size"), [("gd", "auto"), ("adam", 16)])
def test_fleet_oracle_loop(family, solver, batch_size, data):
    X, y = data
    jobs = [
        prepare(
            FAMILIES[family](random_state=seed, solver=solver, batch_size=batch_size),
            X[seed : 40 + seed],
            y[seed : 40 + seed],
        )
        for seed in range(4)
    ]
    assert_fleet_equals_loop(jobs)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("batch_size", "weighted"), [("auto", True), (20, False)])
def test_own_numbers_of_samples_oracle_loop(family, batch_size, weighted, data):
    X, y = data
    weights = np.random.default_rng(0).uniform(size=60)
    jobs = [
        prepare(
            FAMILIES[family](random_state=n, batch_size=batch_size),
            X[:n],
            y[:n],
            weights[:n] if weighted else None,
        )
        for n in (60, 52, 57)
    ]
    assert_fleet_equals_loop(jobs)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("batch_size", ["auto", 16])
def test_siblings_oracle_loop(family, batch_size, data):
    network = FAMILIES[family](random_state=0, batch_size=batch_size)
    changes = [{"learning_rate_init": rate} for rate in (0.01, 0.02, 0.03)] + [{"alpha": 1.0}]
    jobs = on_two_folds(network, *data, changes)
    stack = make_stack(jobs[::2] + jobs[1::2])
    assert stack.n_siblings == (1 if "deep" in family else 4)
    assert_fleet_equals_loop(jobs)


@pytest.mark.parametrize("family", FAMILIES)
def test_siblings_invariance_seeds_that_shift_otherwise_are_no_siblings(family, data):
    # Full batches: without shifts the order of the samples would not matter.
    changes = [{"random_state": seed} for seed in (0, 1, 0, 1)]
    jobs = on_two_folds(FAMILIES[family](solver="gd"), *data, changes)
    groups = group_jobs(jobs)
    assert len(groups) == 1
    siblings = make_stack([jobs[position] for position in groups[0]]).n_siblings
    assert siblings == (1 if "deep" in family else 2)
    assert_fleet_equals_loop(jobs)
    outcomes = train([copy.deepcopy(job) for job in jobs])
    assert outcomes[0].train_loss != outcomes[2].train_loss


@pytest.mark.parametrize("family", ["FCN", "deep FCN", "deep LCN", "deep CNN"])
def test_ends_oracle_loop_members_leave_one_by_one(family, data):
    X, y = data
    own = [(3, 0.01), (15, 0.01), (5, 0.1), (8, 0.03), (11, 0.01)]
    jobs = [
        prepare(
            FAMILIES[family](random_state=n, max_iter=n, learning_rate_init=rate, batch_size=16),
            X[:n_samples],
            y[:n_samples],
        )
        for (n, rate), n_samples in zip(own, (64, 50, 64, 52, 59), strict=True)
    ]
    assert_fleet_equals_loop(jobs)


@pytest.mark.parametrize("family", ["LCN", "deep LCN", "deep CNN"])
def test_ends_oracle_loop_siblings_leave_one_by_one(family, data):
    network = FAMILIES[family](random_state=0, solver=GradientDescent(0.5))
    changes = [
        {"max_iter": n, "learning_rate_init": rate}
        for n, rate in ((4, 0.1), (7, 0.2), (15, 0.1), (9, 1e300), (12, 0.2))
    ]
    assert_fleet_equals_loop(on_two_folds(network, *data, changes)[:-1], n_stacks=None)


def test_groups_contract_what_shifts_otherwise_does_not_share_a_stack(data):
    options = {"random_state": 0, "max_iter": 3}
    jobs = [
        prepare(CNNClassifier(3, **SHIFTED | options | own), *data)
        for own in (
            {},
            {"augment_shift": 0},
            {"augment_shift": 1},
            {"learning_rate_init": 0.5},
        )
    ]
    assert sorted(map(sorted, group_jobs(jobs))) == [[0, 3], [1], [2]]
    dense = [
        prepare(FCNClassifier(3, **SHIFTED | options | {"input_shape": shape}), *data)
        for shape in ((5, 6), (6, 5), (30,), None)
    ]
    assert sorted(map(sorted, group_jobs(dense))) == [[0], [1], [2, 3]]
    assert_fleet_equals_loop(dense, n_stacks=3)


# Errors


@pytest.mark.parametrize(
    ("shape", "shift", "sizes"),
    [
        ((5, 6), 6, "height 5 and width 6"),
        ((30,), 30, "height 1 and width 30"),
        (None, 31, "height 1 and width 30"),
        ((2, 15), 2, "height 2 and width 15"),  # all of the height
        ((5, 1, 6), 6, "height 1 and width 6"),
    ],
)
@pytest.mark.parametrize("network", [FCNClassifier, CNNClassifier])
def test_too_large_a_shift_contract_names_the_sides(network, shape, shift, sizes, data):
    options = {"input_shape": shape, "augment_shift": shift}
    if network is CNNClassifier:
        options["patch_size"] = 1
    with pytest.raises(ValueError, match=f"augment_shift={shift} .*{sizes}"):
        network((3, 2), **options).fit(*data)


@pytest.mark.parametrize("shift", [-1, 1.0, "2"])
def test_shift_contract_names_the_parameter(shift, data):
    with pytest.raises(ValueError, match="augment_shift"):
        CNNClassifier(augment_shift=shift).fit(*data)


def test_dense_network_contract_input_shape_must_hold_the_features(data):
    X, y = data
    with pytest.raises(ValueError, match=r"input_shape=\(5, 7\) holds 35 features, but X has 30"):
        FCNClassifier(3, input_shape=(5, 7)).fit(X, y)
    network = FAMILIES["deep FCN"](random_state=0).fit(X.reshape(-1, 5, 6), y)
    images = X.reshape(-1, 5, 6)
    np.testing.assert_array_equal(network.predict(images), network.predict(X))
