"""Training in legs is training without a halt, and what is measured belongs to its step."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

import sklcnn
from sklcnn import CNNClassifier, CNNRegressor, FCNRegressor, LCNRegressor
from sklcnn.inspection.stability import stability_report
from sklcnn.studies import trajectories
from sklcnn.studies.trajectories import follow_training
from sklcnn.training import Adam, GradientDescent, SharpnessRecorder, train_one

RNG = np.random.default_rng(0)
X = RNG.normal(size=(24, 12))
Y = RNG.normal(size=24)
PLAIN = {"tol": None, "device": "cpu", "random_state": 0, "learning_rate_init": 0.05}
PLAIN |= {"solver": "gd", "dtype": "float64"}
LOCAL = {"patch_size": 4, "stride": 4, "pooling": "mean"}
NETWORKS = {
    "fcn": lambda **changes: FCNRegressor(5, **PLAIN | changes),
    "cnn": lambda **changes: CNNRegressor(5, **LOCAL | PLAIN | changes),
    "lcn": lambda **changes: LCNRegressor(5, **LOCAL | PLAIN | changes),
}


def nothing(network, run, step):
    """Measure nothing."""
    return {}


def follow(networks, measure=nothing, Xs=None, ys=None, **options):
    """Follow networks on X and y, or on data of their own."""
    Xs, ys = Xs or [X] * len(networks), ys or [Y] * len(networks)
    return follow_training(networks, Xs, ys, measure, **{"n_steps": 60, **options})


def parameters_of(network):
    """All parameters in one row."""
    return np.concatenate([p.detach().numpy().ravel() for p in network.module_.parameters()])


def steps_of(table, run=0):
    return table.loc[table["run"] == run, "step"].tolist()


# --- legs are one training ------------------------------------------------------------------------


def differing_networks(dtype):
    """Networks that differ in family, rate, seed, solver; those of a family share a stack."""
    clipped = GradientDescent(clip_norm=0.5, projection="unit_ball")
    kind = {"dtype": dtype}
    return [
        NETWORKS["fcn"](**kind),
        NETWORKS["fcn"](learning_rate_init=0.15, random_state=1, **kind),
        NETWORKS["fcn"](alpha=3.0, **kind),
        NETWORKS["cnn"](**kind),
        NETWORKS["cnn"](solver=clipped, learning_rate_init=0.2, **kind),
        NETWORKS["lcn"](random_state=np.random.RandomState(5), **kind),
        NETWORKS["cnn"](augment_shift=1, **kind),
    ]


@pytest.mark.parametrize("together", [True, False], ids=["fleet", "alone"])
@pytest.mark.parametrize(("dtype", "rtol"), [("float64", 1e-12), ("float32", 1e-6)])
def test_follow_oracle_one_fit_without_a_halt(dtype, rtol, together, monkeypatch):
    monkeypatch.setattr(trajectories, "MOST_STEPS", 25)  # legs are cut, too
    n_steps = 60 if dtype == "float64" else 30  # rounding errors grow from step to step
    networks, sizes = differing_networks(dtype), [24, 20, 24, 24, 17, 24, 24]
    data = [(X[:size], Y[:size]) for size in sizes]
    groups = [range(7)] if together else [[1], [4]]
    for group in groups:
        Xs, ys = zip(*(data[number] for number in group), strict=True)
        follow([networks[number] for number in group], Xs=Xs, ys=ys, n_steps=n_steps, per_decade=3)
    expected = differing_networks(dtype)
    for number in (number for group in groups for number in group):
        whole, halted = expected[number].set_params(max_iter=n_steps), networks[number]
        whole.fit(*data[number])
        np.testing.assert_allclose(halted.loss_curve_, whole.loss_curve_, rtol=rtol)
        scale = np.abs(parameters_of(whole)).max()
        np.testing.assert_allclose(
            parameters_of(halted), parameters_of(whole), rtol=0, atol=rtol * scale
        )
        assert halted.n_iter_ == len(halted.loss_curve_) == n_steps


def test_follow_oracle_loss_is_the_next_entry_of_the_curve():
    networks = [NETWORKS[family]() for family in NETWORKS]
    table = follow(networks, n_steps=50)
    for run, family in enumerate(NETWORKS):
        longer = NETWORKS[family](max_iter=51).fit(X, Y)
        rows = table[table["run"] == run]
        expected = np.array(longer.loss_curve_)[rows["step"]]  # that of step 0 among them
        np.testing.assert_allclose(rows["loss"], expected, rtol=1e-12)


def test_follow_oracle_classifier():
    labels = np.where(Y > 0, "warm", "cold")
    options = LOCAL | PLAIN | {"learning_rate_init": 0.5}
    networks = [CNNClassifier(5, **options), CNNClassifier(5, **options | {"random_state": 1})]
    table = follow(networks, ys=[labels, labels], n_steps=30, every=10)
    for run in (0, 1):
        longer = CNNClassifier(5, **options | {"random_state": run, "max_iter": 31})
        expected = np.array(longer.fit(X, labels).loss_curve_)[[0, 10, 20, 30]]
        np.testing.assert_allclose(table.loc[table["run"] == run, "loss"], expected, rtol=1e-12)


def test_follow_closed_form_output_bias_alone():
    # On inputs of zero only the output bias b learns: b - mean(y) shrinks by 1 - 2 rate a step.
    rates, zeros = [0.1, 0.3, 0.7], np.zeros((24, 12))
    networks = [NETWORKS["cnn"](learning_rate_init=rate) for rate in rates]
    table = follow(
        networks,
        lambda network, run, step: {"bias": network.module_.readout_bias.item()},
        Xs=[zeros] * 3,
        n_steps=40,
    )
    shrunk = (1 - 2 * np.array(rates)[table["run"]]) ** table["step"]
    np.testing.assert_allclose(table["bias"], Y.mean() * (1 - shrunk), rtol=1e-12)
    np.testing.assert_allclose(table["loss"], Y.var() + (Y.mean() * shrunk) ** 2, rtol=1e-12)


def test_follow_invariance_milestones_do_not_change_the_end():
    ends = []
    for options in ({"every": 7}, {"per_decade": 1}, {"per_decade": 20}, {"every": 1000}):
        network = NETWORKS["cnn"]()
        follow([network], n_steps=60, **options)
        ends.append(parameters_of(network))
    for end in ends[1:]:
        np.testing.assert_allclose(end, ends[0], rtol=1e-12)


# --- what is measured, and when -------------------------------------------------------------------


def test_follow_closed_form_milestones():
    def milestones(**options):
        return steps_of(follow([NETWORKS["fcn"]()], **options))

    assert milestones(n_steps=30, every=12) == [0, 12, 24, 30]
    assert milestones(n_steps=24, every=12) == [0, 12, 24]
    assert milestones(n_steps=5, every=100) == [0, 5]
    assert milestones(n_steps=1) == [0, 1]
    assert milestones(n_steps=120, per_decade=1) == [0, 1, 10, 100, 120]
    zero, *steps, last = milestones(n_steps=120, per_decade=5)
    assert (zero, steps[0], last) == (0, 1, 120)
    following = np.array(steps[:-1]) * 10**0.2  # to the next integer, but one step at least
    assert (np.abs(np.maximum(following, np.array(steps[:-1]) + 1) - steps[1:]) <= 0.5).all()


def test_follow_oracle_milestones_are_those_of_the_recorder():
    recorder = SharpnessRecorder(per_decade=4)
    NETWORKS["fcn"](max_iter=60, callbacks=[recorder]).fit(X, Y)
    network = NETWORKS["fcn"]()
    table = follow(
        [network],
        lambda network, run, step: {"sharpness": sklcnn.sharpness(network, X, Y)},
        per_decade=4,
    )
    assert steps_of(table) == [*recorder.epochs_, 60]  # the recorder knows no last step
    np.testing.assert_allclose(table["sharpness"][:-1], recorder.sharpness_, rtol=1e-3)


def test_follow_contract_measure_sees_each_network_at_its_step():
    networks, calls = [NETWORKS["fcn"](), NETWORKS["cnn"]()], []

    def measure(network, run, step):
        calls.append((run, step))
        assert network is networks[run]
        assert network.n_iter_ == len(network.loss_curve_) == step
        return {"prediction": network.predict(X[:1])[0], "name": f"{run} at {step}"}

    table = follow(networks, measure, n_steps=20, every=10)
    assert table.columns.tolist() == ["run", "step", "loss", "prediction", "name"]
    assert sorted(calls) == [(run, step) for run in (0, 1) for step in (0, 10, 20)]
    assert table[["run", "step"]].to_numpy().tolist() == [list(call) for call in sorted(calls)]
    assert table["name"].tolist() == [f"{run} at {step}" for run, step in sorted(calls)]
    for run, network in enumerate(networks):
        last = table[table["run"] == run]["prediction"].iloc[-1]
        assert last == network.predict(X[:1])[0]


def test_follow_contract_bound_by_stability_holds_at_all_times():
    networks = [NETWORKS["fcn"](), NETWORKS["cnn"](learning_rate_init=0.15)]

    def measure(network, run, step):
        report = stability_report(network, X, Y)
        return {"norm": report.weighted_path_norm, "bound": report.path_norm_bound}

    table = follow(networks, measure, n_steps=150, per_decade=2)
    assert (table["norm"] <= table["bound"]).all()
    assert (table.groupby("run")["loss"].last() < table.groupby("run")["loss"].first()).all()


# --- estimators afterwards ------------------------------------------------------------------------


def test_follow_contract_parameters_are_left_alone():
    network = NETWORKS["cnn"](max_iter=7, callbacks=())
    before = network.get_params()
    follow([network], n_steps=12)
    assert network.get_params() == before
    assert network.n_iter_ == 12
    network.fit(X, Y)  # not a warm start
    assert network.n_iter_ == 7


def test_follow_contract_begins_anew_unless_warm():
    cold, warm = NETWORKS["cnn"](max_iter=40), NETWORKS["cnn"](max_iter=40, warm_start=True)
    for network in (cold, warm):
        network.fit(X, Y)
    table = follow([cold, warm], n_steps=20, every=20)
    assert table["step"].tolist() == [0, 20, 0, 20]
    assert (cold.n_iter_, warm.n_iter_) == (20, 60)
    whole = NETWORKS["cnn"](max_iter=61).fit(X, Y).loss_curve_
    expected = [whole[step] for step in (0, 20, 40, 60)]
    np.testing.assert_allclose(table["loss"], expected, rtol=1e-12)
    np.testing.assert_allclose(warm.loss_curve_, whole[:60], rtol=1e-12)


def test_follow_contract_loss_curves_may_be_let_go():
    whole, short = NETWORKS["cnn"](), NETWORKS["cnn"]()
    expected = follow([whole], n_steps=50, every=20)
    table = follow([short], n_steps=50, every=20, keep_loss_curves=False)
    np.testing.assert_array_equal(table, expected)
    np.testing.assert_array_equal(parameters_of(short), parameters_of(whole))
    assert short.loss_curve_ == whole.loss_curve_[40:]
    assert short.n_iter_ == whole.n_iter_ == 50


# --- trainings that end early ---------------------------------------------------------------------


def test_follow_oracle_tolerances_end_a_training_where_they_end_a_fit():
    whole = NETWORKS["fcn"](max_iter=300).fit(X, Y)
    for epoch in (1, 19, 20, 21):  # a leg ends at 20
        tol = (whole.loss_curve_[epoch - 1] + whole.loss_curve_[epoch]) / 2
        solver = GradientDescent(loss_tol=tol)
        fit = NETWORKS["fcn"](solver=solver, max_iter=300).fit(X, Y)
        network, other = NETWORKS["fcn"](solver=solver), NETWORKS["fcn"]()
        table = follow([network, other], n_steps=40, every=20)
        assert fit.n_iter_ == network.n_iter_ == epoch + 1  # the last one without its step
        np.testing.assert_allclose(network.loss_curve_, fit.loss_curve_, rtol=1e-12)
        np.testing.assert_allclose(parameters_of(network), parameters_of(fit), rtol=1e-12)
        assert steps_of(table) == [0, *([20] if epoch > 20 else []), epoch]
        assert table["loss"][len(steps_of(table)) - 1] <= tol
        assert steps_of(table, 1) == [0, 20, 40]


def test_follow_limit_tolerance_met_at_the_start():
    network = NETWORKS["fcn"](solver=GradientDescent(gradient_tol=1e9))
    assert steps_of(follow([network], n_steps=80)) == [0]
    assert network.n_iter_ == 1


def diverging():
    """Three networks of one stack, the second of which diverges."""
    rates = (0.05, 50.0, 0.1)
    return [NETWORKS["cnn"](learning_rate_init=rate, dtype="float32") for rate in rates]


def measure_norm(network, run, step):
    norm = np.linalg.norm(parameters_of(network))
    assert np.isfinite(norm)
    return {"norm": norm}


def test_follow_contract_divergence_of_one_leaves_the_others_alone():
    table = follow(diverging(), measure_norm, n_steps=80, every=20)
    lost = table[table["run"] == 1]
    assert lost["step"].tolist() == [0, 20]
    assert np.isfinite(lost.iloc[0]).all()
    assert lost.iloc[1]["loss"] == np.inf
    assert np.isnan(lost.iloc[1]["norm"])
    first, _, third = diverging()
    expected = follow([first, third], measure_norm, n_steps=80, every=20)
    for run, other in ((0, 0), (2, 1)):
        rows = [
            rows[rows["run"] == r].drop(columns="run")
            for rows, r in ((table, run), (expected, other))
        ]
        np.testing.assert_allclose(*rows, rtol=1e-6)


def test_follow_contract_all_networks_diverge():
    networks = diverging()[1:2]
    table = follow(networks, measure_norm, n_steps=10_000, per_decade=1)
    assert steps_of(table) == [0, 1, 10, 100][: len(table)]
    assert table["loss"].iloc[-1] == np.inf
    assert networks[0].n_iter_ == len(networks[0].loss_curve_) < 100
    assert np.isfinite(networks[0].loss_curve_).all()


def test_follow_contract_divergence_may_be_raised():
    networks = diverging()
    with pytest.raises(ValueError, match=r"estimators\[1\], between steps 0 and 20: .*diverged"):
        follow(networks, n_steps=80, every=20, on_error="raise")
    assert [network.n_iter_ for network in networks] == [20, 0, 20]
    assert not any(network.warm_start for network in networks)


def test_follow_contract_loss_that_is_no_number_after_the_last_step():
    # The loss before the only step is a number, that after it is none.
    network = NETWORKS["fcn"](learning_rate_init=1e300)
    table = follow([network], measure_norm, n_steps=1)
    assert table["loss"].tolist()[1] == np.inf
    assert np.isnan(table["norm"][1])
    with pytest.raises(ValueError, match="diverged"):
        follow([network], n_steps=1, on_error="raise")


def test_follow_contract_failures_of_other_kinds_are_raised_and_leave_whole_records(monkeypatch):
    networks, calls = [NETWORKS["fcn"](), NETWORKS["cnn"]()], []

    def train_or_fail(job):
        calls.append(job)
        if len(calls) > 2:  # in the second leg
            raise MemoryError("too much")
        return train_one(job)

    monkeypatch.setattr(trajectories, "train_one", train_or_fail)
    with pytest.raises(MemoryError, match="too much"):
        follow(networks, n_steps=40, every=20)
    for network in networks:
        assert network.n_iter_ == len(network.loss_curve_) == 20


# --- bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"solver": "adam"}, r"estimators\[1\] has solver='adam', whose memory"),
        ({"solver": Adam()}, "GradientDescent"),
        ({"solver": "sgd"}, "momentum=0.0"),
        ({"solver": GradientDescent(0.9)}, "momentum=0.9"),
        ({"tol": 1e-4}, r"tol=0.0001, .* use tol=None"),
        ({"early_stopping": True}, "early_stopping=True"),
        ({"callbacks": [SharpnessRecorder()]}, "callbacks="),
        ({"solver": "descent"}, "solver='descent' must be one of"),
    ],
)
def test_follow_contract_refuses_what_legs_would_change(changes, reason):
    with pytest.raises(ValueError, match=reason):
        follow([NETWORKS["fcn"](), NETWORKS["fcn"](**changes)])


def test_follow_contract_bad_arguments():
    network = NETWORKS["fcn"]()
    for options, reason in [
        ({"n_steps": 0}, "n_steps=0"),
        ({"n_steps": 2.5}, "n_steps=2.5"),
        ({"every": 0}, "every=0"),
        ({"per_decade": True}, "per_decade=True"),
        ({"on_error": "ignore"}, "on_error='ignore'"),
        ({"Xs": [X, X]}, "equally long and not empty, got lengths 1, 2, 1"),
    ]:
        with pytest.raises(ValueError, match=reason):
            follow([network], **options)
    with pytest.raises(ValueError, match="lengths 0, 0, 0"):
        follow_training([], [], [], nothing, n_steps=1)
    with pytest.raises(ValueError, match=r"estimators\[1\] occurs twice"):
        follow([network, network])
    with pytest.raises(ValueError, match="no network of sklcnn"):
        follow([Ridge()])
    with pytest.raises(ValueError, match="NaN"):
        follow([network], Xs=[np.full_like(X, np.nan)])
    with pytest.raises(ValueError, match="n_filters"):
        follow([FCNRegressor(-1, **PLAIN)])
    assert not hasattr(network, "module_")


@pytest.mark.parametrize("measured", [None, 3.0, {"loss": 1.0}, {"step": 1}])
def test_follow_contract_measure_must_return_columns_of_its_own(measured):
    with pytest.raises(ValueError, match="mapping from names of columns"):
        follow([NETWORKS["fcn"]()], lambda network, run, step: measured)
