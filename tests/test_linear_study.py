"""The study of linear networks: samples, references, tables, sentences, the command."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from scipy.integrate import solve_ivp
from scipy.optimize import linprog, minimize
from scipy.special import softmax

from sklcnn.cli import main
from sklcnn.plotting import LinearDisplay
from sklcnn.studies.linear import linear_study, report, samples, study
from sklcnn.studies.linear.consequences import samples_saved
from sklcnn.studies.linear.measures import direction_error, margin_table, path_distance
from sklcnn.studies.linear.plan import STEPS, Network, make_linear_plan, norm_of
from sklcnn.studies.linear.polishing import diagnose, polish
from sklcnn.studies.linear.samples import Norm, waking_gap
from sklcnn.studies.linear.training import train_networks
from sklcnn.studies.tables import InvalidInputError
from sklcnn.theory import max_margin, stationarity

SMALL = {"input_shape": 8, "n_samples": 3, "n_seeds": 2, "max_iter": 200, "scale_margin": 10.0}
SMALL |= {"scales": (0.1, 3.0), "kernel_sizes": (1, 3, 8), "target_margin": 1e6}
SMALL |= {"signal_shape": 16, "sizes": (4, 8), "n_draws": 2, "min_power": 0.4}


@pytest.fixture(scope="module", autouse=True)
def _quick_consequences():
    """Train less on signals of sparse spectrum, whose errors have tests of their own."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(study, "_CONSEQUENCES_ITER", 150)
        yield


@pytest.fixture(scope="module")
def plan():
    return make_linear_plan(**SMALL)


@pytest.fixture(scope="module")
def found():
    return linear_study(**SMALL, depths=(3, 1, 2))


def test_oracle_references_are_those_of_scipy(plan):
    signed = plan.X * plan.y[:, None]
    solutions = {norm.name: solution for norm, solution in plan.references.items()}
    above = {"type": "ineq", "fun": lambda coef: signed @ coef - 1}
    options = {"ftol": 1e-14, "maxiter": 500}
    squares = minimize(lambda c: c @ c, np.ones(8), constraints=above, options=options)
    assert solutions["l2"].norm_value == pytest.approx(np.sqrt(squares.fun), rel=1e-6)
    program = linprog(np.ones(16), A_ub=-np.hstack([signed, -signed]), b_ub=-np.ones(3))
    assert solutions["l1"].norm_value == pytest.approx(program.fun, rel=1e-9)


def test_contract_gaps_are_as_large_as_stated_and_draws_before_are_not(plan):
    powers = plan.settings["powers"]
    gaps = {n.name: s.delta for n, s in plan.references.items() if n.name.endswith("l1")}
    assert {name: power.vanishing for name, power in powers.items()} == gaps
    assert len(powers) == 2
    assert min(min(power.vanishing, power.sharing) for power in powers.values()) >= 0.4
    assert min(plan.settings["wakings"].values()) >= 0.5
    slower = make_linear_plan(**SMALL, min_waking=0.0)
    assert min(slower.settings["wakings"].values()) < 0.5
    earliest = make_linear_plan(**SMALL | {"min_waking": 0.0, "min_power": 0.0})
    draws = [other.settings["draw"] for other in (earliest, slower, plan)]
    assert draws == sorted(set(draws))


def test_closed_form_waking_gap_of_samples_without_common_features():
    """The next best feature of a sample, or frequency, takes the place of the best one."""
    X, y = np.array([[3.0, 2.0, 0, 0], [0, 0, 4.0, 5.0]]), np.array([1, -1])
    norm = Norm("l1", (4,))
    solution = max_margin(X, y, "l1")
    assert waking_gap(X, y, norm, solution) == pytest.approx(5 / 4 - 1)
    lonely = np.array([[3.0, 0, 0, 0], [0, 0, 4.0, 5.0]])
    assert waking_gap(lonely[:1], y[:1], norm, max_margin(lonely[:1], y[:1], "l1")) == np.inf
    times = 2 * np.pi * np.arange(8) / 8
    waves = np.array([3 * np.cos(times) + 2 * np.sin(2 * times), 0 * times])
    waves[1] = 4 * np.cos(3 * times + 1) + 1  # mean 1: amplitude root of 8, of the wave twice that
    norm = Norm("fourier_l1", (8,))
    gap = waking_gap(waves[:1], y[:1], norm, max_margin(waves[:1], y[:1], "fourier_l1"))
    assert gap == pytest.approx(3 / 2 - 1, rel=1e-6)
    gap = waking_gap(waves[1:], y[:1], norm, max_margin(waves[1:], y[:1], "fourier_l1"))
    assert gap == pytest.approx(2 - 1, rel=1e-6)


def test_oracle_dual_vector_where_a_feature_is_left_out(plan):
    """The linear program of scipy without one column has multipliers of its own."""
    signed = plan.X * plan.y[:, None]
    solution = plan.references[Norm("l1", (8,))]
    excesses = []
    for feature in np.flatnonzero(solution.support):
        rest = np.delete(signed, feature, axis=1)
        found = linprog(np.ones(14), A_ub=-np.hstack([rest, -rest]), b_ub=-np.ones(3))
        excesses.append(abs(found.ineqlin.marginals @ signed[:, feature]) - 1)
    assert plan.settings["wakings"]["l1"] == pytest.approx(min(excesses), rel=1e-6)


def _flow(third, first_guess, margin):
    """Direction of a diagonal network of two balanced layers, by its own differential equation."""
    signed = np.array([[1.0, 0.0, third], [0.0, 1.0, third]])

    def speed(_, logs):
        return 2 * softmax(-signed @ np.exp(logs)) @ signed

    def reached(_, logs):
        return (signed @ np.exp(logs)).min() - margin

    reached.terminal = True
    options = {"method": "LSODA", "rtol": 1e-10, "atol": 1e-10, "events": reached}
    end = solve_ivp(speed, (0, 1e9), np.log([0.1, 0.1, first_guess]), **options)
    return signed, np.exp(end.y[:, -1])


@pytest.mark.parametrize(
    ("third", "first_guess", "asleep", "exponent"),
    [(0.55, 1e-6, 1, 0.1), (0.4, 0.1, 0, -0.2)],
)
def test_oracle_exponents_are_those_of_the_flow(third, first_guess, asleep, exponent):
    """The third feature has the dual vector 2 * third where the first two share the samples."""
    ends = [_flow(third, first_guess, margin) for margin in (1e2, 1e4)]
    shares = [coef[2] / coef[0] for _, coef in ends]
    assert np.log(shares[1] / shares[0]) / np.log(100) == pytest.approx(exponent, abs=0.03)
    signed, coef = ends[-1]
    norm, y = Norm("l1", (3,)), np.ones(2)
    plan = SimpleNamespace(X=signed, y=y, references={norm: max_margin(signed, y, "l1")})
    row = diagnose(plan, norm, coef, stationarity(coef, signed, y, "l1"))
    assert (row["n_asleep"], row["n_lingering"]) == (asleep, 1 + asleep)  # the first two, or it
    key, sign = ("waking_exponent", 1) if asleep else ("lingering_gap", -1)
    assert sign * row[key] == pytest.approx(exponent, abs=0.03)


@pytest.mark.parametrize("name", ["l2", "l1", "fourier_l1"])
def test_oracle_polishing_cannot_miss(plan, name):
    """Whatever samples training puts on the margin, the solution is that of all samples."""
    norm = Norm(name, (8,))
    whole, direction = plan.references[norm], np.ones(8)
    trained = stationarity(whole.coef, plan.X, plan.y, name)
    right = polish(plan, norm, direction, trained)
    assert right.rounds == 1
    rounds = set()
    for code in range(1, 8):
        held = np.array([code >> place & 1 for place in range(3)], dtype=float)
        polished = polish(plan, norm, direction, trained._replace(dual_coef=held))
        np.testing.assert_allclose(polished.solution.coef, whole.coef, atol=1e-9)
        needs = max_margin(plan.X[held > 0], plan.y[held > 0], name).coef
        assert (polished.rounds == 1) == ((plan.X @ needs * plan.y).min() > 1 - 1e-9)
        rounds.add(polished.rounds)
    assert max(rounds) > 1
    assert polish(plan, norm, direction, trained._replace(margin=-1.0)) is None


def test_closed_form_distance_of_paths():
    """One turns by half a radian a decade, the other is late by a factor of ten."""

    def path(margins, late):
        angles = np.log10(np.maximum(margins, 1e-3) / late) / 2
        return SimpleNamespace(
            margin_=margins, direction_=np.column_stack([np.cos(angles), np.sin(angles)])
        )

    descent = path(np.r_[-1.0, 0.5, 0.4, np.logspace(0, 3, 301)], 1.0)
    flow = np.logspace(-2, 8, 11)
    assert path_distance(descent, path(flow, 1.0)) == pytest.approx(0, abs=1e-4)
    assert path_distance(descent, path(flow, 10.0)) == pytest.approx(2 * np.sin(0.25), abs=1e-4)
    assert np.isnan(path_distance(path(np.array([-1.0, 0.1]), 1.0), path(flow, 1.0)))


def test_contract_progress_counts_every_network(plan):
    counts = []
    networks = [n._replace(max_iter=5) for n in plan.networks() if n.depth == 1]
    trained = train_networks(plan, networks, SimpleNamespace(advance=counts.append))
    assert list(trained) == networks
    assert sum(counts) == len(networks)
    assert len(counts) == 3 * len(STEPS)


def test_contract_same_seed_same_samples_and_others_for_another(plan):
    again = make_linear_plan(**SMALL)
    np.testing.assert_array_equal(again.X, plan.X)
    assert again.seeds == plan.seeds
    other = make_linear_plan(**SMALL | {"min_power": 0.0, "min_waking": 0.0}, random_state=1)
    first = make_linear_plan(**SMALL | {"min_power": 0.0, "min_waking": 0.0})
    assert np.abs(other.X - first.X).max() > 0.1


def test_closed_form_norms_of_theory():
    labels = {
        ("full", 1): "l2",
        ("full", 4): "l2",
        ("convolutional", 1): "l2",
        ("convolutional", 2): "fourier_l1",
        ("convolutional", 3): "fourier_bridge 3",
        ("diagonal", 2): "l1",
        ("diagonal", 4): "bridge 4",
    }
    for (architecture, depth), label in labels.items():
        assert norm_of(_network(architecture, depth, None)).label == label
    assert norm_of(_network("convolutional", 2, 3)).label == "kernel_width"


def _network(architecture, depth, kernel_size):
    return Network(architecture, depth, (8,), kernel_size, 0.1, 0, "prox_linear", 10, None)


def test_contract_one_row_for_every_network(found):
    keys = found.runs[["architecture", "depth", "step", "seed"]]
    assert len(keys) == len(keys.drop_duplicates()) == 3 * 3 * 2 * 2
    assert len(found.spectra) == len(found.runs) * 8
    assert len(found.scales) == 3 * 2 * 2
    assert len(found.kernel_widths) == 3 * 2
    assert len(found.learning) == 2 * 2 * 7  # sizes, draws, four networks and three rules
    assert set(found.robustness["norm"]) == {"l2", "l1", "fourier_l1"}
    last = found.curves.groupby(["architecture", "depth", "step", "seed"], sort=False).tail(1)
    np.testing.assert_array_equal(last["error"], found.runs["error"])
    np.testing.assert_array_equal(last["margin"], found.runs["margin"])


def test_limit_networks_of_depth_one_go_to_the_support_vector_machine(found):
    rows = found.runs[found.runs["depth"] == 1]
    # Seen by gradient descent at margins of a hundred and more: 0.011 at most.
    assert rows["error"].max() < 0.02
    assert found.runs["margin"].min() > 10


def test_limit_flow_comes_to_the_solutions_of_theory(found):
    flows = found.runs[found.runs["step"] == "prox_linear"]
    assert flows["margin"].min() >= 1e6
    convex = flows[~flows["norm"].str.contains("bridge")]
    # Seen at margins of a million: 0.0057 at most, full networks of three layers.
    assert convex["error"].max() < 0.01
    assert (convex[convex["norm"].str.endswith("l1")]["n_asleep"] == 0).all()
    # Seen: at most 0.001 off, but for two layers 0.01 (convolutional) and 0.11 (diagonal).
    assert (convex["power"] - convex["limit_power"]).abs().max() < 0.2
    assert (convex["power"] - convex["limit_power"])[convex["norm"] == "l2"].abs().max() < 0.005
    # A step is a tenth of the weights, which may turn by as much. Seen: 0.022.
    shallow = flows[flows["depth"] <= 2]
    assert (shallow["apart"] < 0.1).all()
    assert found.runs[found.runs["step"] == "loss_scaled"]["apart"].isna().all()


def test_oracle_polishing_is_exact(found):
    convex = found.runs[~found.runs["norm"].str.contains("bridge")]
    assert convex["polished_error"].max() < 1e-8
    assert convex["polished_duality_gap"].max() < 1e-8
    assert (convex["polish_rounds"] >= 1).all()
    deep = found.runs.drop(convex.index)
    assert len(deep) == 8
    assert deep["polished_residual"].max() < 1e-6
    assert (deep["norm_value"] >= deep["best_norm"]).all()


def test_contract_errors_and_margins_are_those_of_the_directions(found, plan):
    keys = ["architecture", "depth", "step", "seed"]
    groups = found.spectra.groupby(keys, sort=False)
    directions = {key: rows["coef"].to_numpy() for key, rows in groups}
    rows = found.runs.set_index(keys)
    for key, rows_of in groups:
        error = direction_error(directions[key], rows_of["reference_coef"].to_numpy())
        assert error == pytest.approx(rows.loc[key, "error"], abs=1e-12)
    sizes = {
        "l2": lambda b: np.sqrt((b**2).sum()),
        "l1": lambda b: np.abs(b).sum(),
        "fourier_l1": lambda b: np.abs(np.fft.fft(b, norm="ortho")).sum(),
        "bridge 3": lambda b: (np.abs(b) ** (2 / 3)).sum() ** 1.5,
    }
    for row in found.margins.itertuples():
        if row.norm in sizes:
            name = (row.architecture, row.depth, "prox_linear")
            own = [d for key, d in directions.items() if key[:3] == name]
            margins = [(plan.X @ d * plan.y).min() / sizes[row.norm](d) for d in own]
            assert row.margin == pytest.approx(np.median(margins), rel=1e-9)


def test_contract_winners_are_the_largest_of_their_columns(found):
    for _, column in found.margins.groupby("norm"):
        rivals = column[~column["own"]]["margin"].max()
        winners = column[column["own"] & (column["margin"] > rivals)]
        assert column.index[column["wins"]].tolist() == winners.index.tolist()
        assert not column["ties"].any()


@pytest.mark.parametrize(
    ("ahead", "outcome"), [(1e-5, "wins"), (5e-7, "ties"), (-5e-7, "ties"), (-1e-5, "")]
)
def test_closed_form_margins_that_agree_to_a_millionth_are_ties(ahead, outcome):
    """One sample along an axis: predictors (1, v) have margins 1 / (1 + v) in the norm l1."""
    plan = SimpleNamespace(X=np.eye(2)[:1], y=np.ones(1), input_shape=(2,))
    coefs = {"full": [1.0, 0.75], "diagonal": [1.0, 1.75 / (1 + ahead) - 1]}
    trained = {}
    for architecture, coef in coefs.items():
        network = Network(architecture, 2, (2,), None, 0.1, 0, "prox_linear", 10, None)
        trained[network] = SimpleNamespace(direction_=np.array([coef]))
    margins = margin_table(plan, trained).set_index(["architecture", "norm"])
    for name in ("wins", "ties"):
        assert margins.loc[("diagonal", "l1"), name] == (name == outcome)
    assert not margins.loc[[("full", "l1"), ("diagonal", "l2")], ["wins", "ties"]].any(axis=None)


def test_limit_kernels_between_width_one_and_that_of_the_input(found, plan):
    """Width one has the norm l2 times the root of the features, full width that of the spectrum."""
    ends = found.kernel_widths.groupby("kernel_size")["norm_value"].first()
    norms = {norm.name: s.norm_value for norm, s in plan.references.items()}
    assert ends[1] == pytest.approx(np.sqrt(8) * norms["l2"], rel=1e-7)
    assert ends[8] == pytest.approx(norms["fourier_l1"], rel=1e-7)
    assert ends[8] < ends[3] < ends[1]
    shares = found.kernel_widths.filter(like="share")
    assert (shares > 0).all(axis=None)
    assert (shares < 1 + 1e-6).all(axis=None)


def test_limit_images_have_square_kernels_and_frequencies_of_two_axes():
    sizes = {"n_samples": 2, "depths": (2,), "kernel_sizes": (1, 3), "min_waking": 0.0}
    sizes |= {"input_shape": (3, 3), "n_seeds": 1, "max_iter": 50, "scales": (0.1,)}
    found = linear_study(**SMALL | sizes | {"sizes": (4,), "n_draws": 1})
    plan = make_linear_plan(**SMALL | sizes)
    norms = {(n.name, n.kernel_size): s for n, s in plan.references.items()}
    spectrum = np.abs(np.fft.fft2(norms["fourier_l1", None].coef.reshape(3, 3), norm="ortho"))
    assert spectrum.sum() == pytest.approx(norms["fourier_l1", None].norm_value)
    wide, narrow = norms["kernel_width", 3].norm_value, norms["kernel_width", 1].norm_value
    assert wide == pytest.approx(spectrum.sum(), rel=1e-7)
    assert narrow == pytest.approx(3 * norms["l2", None].norm_value, rel=1e-7)
    rows = found.spectra[found.spectra["architecture"] == "convolutional"].iloc[:9]
    own = np.abs(np.fft.fft2(rows["coef"].to_numpy().reshape(3, 3), norm="ortho"))
    np.testing.assert_allclose(rows["amplitude"], own.ravel(), atol=1e-12)
    assert rows["index"].tolist()[:4] == ["0,0", "0,1", "0,2", "1,0"]
    assert (~rows["mirrored"]).sum() == 5
    kept = set(np.round(rows.loc[~rows["mirrored"], "amplitude"], 9))
    assert set(np.round(rows["amplitude"], 9)) == kept
    display = found.plot()
    labels = display.axes_["convolutional, predictor"].get_xticklabels()
    assert [label.get_text() for label in labels] == ["0,0", "0,1", "1,0", "1,1", "1,2"]
    plt.close(display.figure_)


def test_contract_scales_stand_at_their_margin(found):
    assert (found.scales["margin"].dropna() >= 10).all()
    # A step is a tenth of the weights, so that margins grow by a fifth; large ones start above.
    assert (found.scales.loc[found.scales["init_scale"] < 1, "margin"].dropna() < 20).all()
    middle = found.scales.groupby(["architecture", "init_scale"])["error"].median()
    # Seen: three times as far and more.
    assert middle["full", 3.0] > 1.5 * middle["full", 0.1]


def _said(found, words, **tables):
    """The one sentence with these words, of a study some of whose tables are others."""
    [sentence] = [text for text in report.statements(replace(found, **tables)) if words in text]
    return sentence


def _convex(found):
    return found.runs.index[~found.runs["norm"].str.contains("bridge")]


def test_contract_sentences_are_few_and_short(found):
    said = report.statements(found)
    assert len(said) <= 13
    assert max(len(text.split()) for text in said) <= 50
    assert said[-1].startswith("The samples, 3 with 8 features, are draw 207 of the seed")


def test_contract_sentences_say_who_wins(found):
    margins = found.margins
    # Full networks of three depths, convolutional and diagonal ones of two.
    text = _said(found, "whose theory has one solution have")
    assert text.startswith("7 of 7 networks")
    column = margins[margins["norm"] == "l1"]
    own, others = (column[column["own"] == own]["margin"] for own in (True, False))
    assert f"{own.item():.3g} in l1 ({others.max():.3g})" in text
    deep = margins["own"] & margins["norm"].str.contains("bridge")
    assert f"; {margins[deep]['wins'].sum()} of 2 deeper ones" in text
    assert "beaten" not in text
    lost = margins["wins"] & (margins["norm"] != "l1")
    text = _said(found, "whose theory", margins=margins.assign(wins=lost))
    assert text.startswith("6 of 7 networks")
    assert "beaten: diagonal 2 in l1;" in text
    assert "tied" not in text
    tied = margins["own"] & (margins["norm"] == "l1")
    text = _said(found, "whose theory", margins=margins.assign(wins=lost, ties=tied))
    assert text.startswith("6 of 7 networks")
    assert "; tied: diagonal 2 in l1;" in text
    assert "beaten" not in text
    text = _said(found, "whose theory", margins=margins.assign(wins=margins["own"]))
    assert "2 of 2 deeper ones" in text


def test_contract_sentences_count_networks_that_are_near(found):
    convex, flows = _convex(found), found.runs["step"] == "prox_linear"
    runs = found.runs.assign(error=0.001, margin=1e6)
    runs.loc[~flows, "error"] = 0.3
    runs.loc[convex[-1], ["error", "margin"]] = 0.02, 2e5
    runs.loc[convex[0], "error"] = np.nan
    text = _said(found, "Training alone", runs=runs)
    assert "below 0.01 in 13 of 14 by flow (worst: 0.02, diagonal 2 at margin 2e+05)" in text
    assert "0 of 14 by descent (worst: 0.3, full" in text
    assert text.endswith("1 do not separate).")
    # As they are: counted once more, by hand.
    for step, word in (("prox_linear", "flow"), ("loss_scaled", "descent")):
        own = found.runs.loc[convex][found.runs.loc[convex, "step"] == step]
        near = sum(error < 0.01 for error in own["error"])
        assert f"{near} of {len(own)} by {word} " in _said(found, "Training alone")


def test_contract_sentences_count_polished_networks(found):
    assert _said(found, "After polishing").endswith("28 of 28, in 28 after one round.")
    runs, convex = found.runs.copy(), _convex(found)
    runs.loc[convex[:2], "polished_error"] = 1e-7, np.nan
    runs.loc[convex[2:5], "polish_rounds"] = 2, 3, 2
    text = _said(found, "After polishing", runs=runs)
    assert "below 1e-08 in 26 of 28, in 25 after one round, at most 3." in text


def test_contract_sentences_say_what_sleeps(found):
    slow = found.runs.assign(error=0.001, n_asleep=0, n_lingering=0)
    assert not any("short of" in text for text in report.statements(replace(found, runs=slow)))
    flows, of_norm = slow["step"] == "prox_linear", slow["norm"].isin(["l1", "fourier_l1"])
    slow.loc[of_norm, "error"] = 0.5
    chosen = (slow["norm"] == "l1") & flows
    first = slow.index[chosen][0]
    slow.loc[first, ["n_asleep", "waking_exponent"]] = 1, 0.04
    slow.loc[chosen, ["n_lingering", "lingering_gap"]] = 1, 0.25
    slow.loc[slow.index[(slow["norm"] == "fourier_l1") & flows], "error"] = 0.005, 0.5
    slow.loc[slow.index[(slow["norm"] == "l1") & ~flows], "error"] = np.nan, 0.5
    text = _said(found, "short of 0.01 by flow", runs=slow)
    asleep = "what is needed sleeps in 1, power 0.04; what must vanish lingers in 2, power -0.25"
    assert f"2 of 2 diagonal ({asleep})" in text
    assert "1 of 2 convolutional (shares still change in 1)" in text
    text = _said(found, "short of 0.01 by descent", runs=slow)
    assert "2 of 2 diagonal (1 do not separate; shares still change in 1)" in text
    assert "2 of 2 convolutional (shares still change in 2)" in text


def test_contract_sentences_name_the_power_that_is_farthest_off(found):
    runs = found.runs.assign(power=found.runs["limit_power"] + 0.01)
    runs.loc[runs["step"] == "loss_scaled", "power"] += 1  # not at the end of a flow
    flows = runs.loc[_convex(found)].query("step == 'prox_linear'")
    full = flows.query("architecture == 'full' and depth == 2").index[0]
    runs.loc[full, "power"] = 0.3
    runs.loc[flows.index[-1], "power"] = np.nan
    text = _said(found, "the power of the margin with which", runs=runs)
    assert "is within 0.05 of theory in 12 of 13 (1 not measured) " in text
    assert "(largest difference: 0.2 in l2, 0.01 in fourier_l1, 0.01 in l1; full 2 has" in text
    assert text.endswith("has 0.3 instead of 0.5).")
    # As they are: counted once more, by hand.
    flows = found.runs.loc[_convex(found)].query("step == 'prox_linear'")
    near = sum(abs(row.power - row.limit_power) <= 0.05 for row in flows.itertuples())
    assert f"of theory in {near} of 14 (largest" in _said(found, "the power of the margin with")
    runs["power"] = np.nan
    assert _said(found, "No power of convergence", runs=runs)


def test_contract_sentences_say_where_deep_networks_come_to(found):
    text = _said(found, "diagonal, depth 3")
    assert "4 of 4 are below 1e-06" in text
    runs = found.runs.copy()
    rows = runs.index[(runs["architecture"] == "diagonal") & (runs["depth"] == 3)]
    assert list(runs.loc[rows, "seed"]) == 2 * list(runs.loc[rows[:2], "seed"])  # descent, flow
    runs.loc[rows, "trained_residual"] = 0.1, 0.2, 1e-7, 1e-5
    runs.loc[rows, "polished_residual"] = 1e-3, 1e-9, 1e-9, 1e-9
    runs.loc[rows, "polished_second_order"] = ["saddle", "minimum", "minimum", "undecided"]
    runs.loc[rows, "best_norm"] = 2.0
    runs.loc[rows, "norm_value"] = 3.0, 2.0, 3.0 + 1e-9, 2.1
    text = _said(found, "diagonal, depth 3", runs=runs)
    assert "residuals 0.1 to 0.2 by descent, 1e-07 to 1e-05 by flow" in text
    assert "3 of 4 are below 1e-06 (2 minimum, 1 saddle, 1 undecided), 1 are the best point" in text
    assert "descent and flow come to the same one in 1 of 2 pairs" in text
    runs.loc[rows, "norm_value"] = 3.0, 2.0, np.nan, 2.0
    assert "the same one in 1 of 2 pairs" in _said(found, "diagonal, depth 3", runs=runs)
    tables = {table.title: table for table in report.text_tables(replace(found, runs=runs))}
    polished = next(table for title, table in tables.items() if title.startswith("after polishing"))
    assert [row[-1] for row in polished.rows if row[0] == "diagonal 3"] == ["1 of 2", "1 of 2"]
    # Their reference is what polishing finds: no distance from it says anything.
    assert {row[3] == "-" for row in polished.rows if "bridge" in row[1]} == {True}
    assert {row[3] == "-" for row in polished.rows if "bridge" not in row[1]} == {False}


def test_contract_sentences_say_which_scales_are_near(found):
    scales = found.scales.assign(error=0.5)
    scales.loc[scales["architecture"] == "full", "error"] = 0.1, 0.2, 0.6, 0.8
    scales.loc[scales["architecture"] == "diagonal", "error"] = np.nan
    text = _said(found, "Two layers at margin 10", scales=scales)
    assert "full 0.15 (scale 0.1) to 0.7 (3), convolutional 0.5" in text
    assert text.endswith("diagonal not there.")


def test_contract_sentences_say_which_shares_kernels_have(found):
    medians = found.kernel_widths.groupby("kernel_size").median()
    text = _said(found, "From kernels of width 1 to 8")
    for norm in ("l2", "fourier_l1"):
        first, last = medians[f"{norm}_share"][[1, 8]]
        assert f"from {first:.3f} to {last:.3f} in {norm}" in text
    assert f"they are {medians['own_share'].min():.4f} at least" in text


def test_contract_sentences_say_what_it_is_good_for(found):
    text = _said(found, "Signals of sparse spectrum, 8 samples")
    means = found.learning[found.learning["n_samples"] == 8].groupby("network")["test_error"].mean()
    words = {"mean": "the mean of samples", "convolutional 2": "convolutional 2 errs"}
    for name in means.index.drop("support vector machine"):
        assert f"{words.get(name, name)} in {means[name]:.4f}" in text
    saved = samples_saved(found.learning).iloc[-1]
    assert f"{saved.factor:.2g} times fewer ({saved.low:.2g} to {saved.high:.2g})" in text
    worse = found.learning.copy()
    worse.loc[worse["network"] == "convolutional 2", "test_error"] = 0.4
    assert "which the former does not reach;" in _said(found, "Signals of", learning=worse)
    text = _said(found, "Largest perturbations after 8 samples")
    radii = found.robustness.groupby(["norm", "network"])["median_radius"].mean()
    for norm, sizes in radii.groupby("norm"):
        sizes = sizes[norm]
        rule, svm = sizes.pop("Bayes rule"), sizes["support vector machine"]
        name = sizes.sort_values().index[-1]
        expected = f"dual of {norm}, {sizes[name]:.3g} by {name} ({svm:.3g}, {rule:.3g})"
        assert expected in text


def test_limit_networks_that_hardly_moved_are_no_error():
    easy = {"min_power": 0.0, "min_waking": 0.0, "sizes": (4,), "n_draws": 1}
    found = linear_study(**SMALL | easy | {"max_iter": 1, "n_seeds": 1}, depths=(1, 2, 3))
    lost = found.runs["margin"] <= 0
    assert lost.any()
    assert found.runs.loc[lost, "polished_error"].isna().all()
    said = " ".join(report.statements(found))
    assert "not there" in said
    unseparated = found.runs.loc[_convex(found)].query("step == 'prox_linear'")["error"].isna()
    assert f"{unseparated.sum()} do not separate), " in said
    assert len(report.text_tables(found)) == 8


def test_contract_tables_have_counts_powers_and_distances(found):
    """Those of one network, and dashes where nothing is measured."""
    _, trained, *_ = report.text_tables(found)
    keys = ["architecture", "depth", "step"]
    own = found.runs.set_index(keys).loc[("diagonal", 2, "prox_linear")]
    cells = {row[:2]: dict(zip(trained.header, row, strict=True)) for row in trained.rows}
    flow = cells["diagonal 2", "flow"]
    assert flow["near"] == f"{(own['error'] < 0.01).sum()} of 2"
    assert flow["error"] == f"{own['error'].max():.1e}"
    assert flow["apart"] == f"{own['apart'].max():.1e}"
    assert flow["theory"] == f"{own['limit_power'].iloc[0]:.2f}"
    assert set(flow["power"].split("-")) == {f"{power:.2f}" for power in own["power"]}
    assert cells["diagonal 2", "descent"]["apart"] == "-"
    far = replace(found, runs=found.runs.assign(error=0.5))
    assert {row[3] for row in report.text_tables(far)[1].rows} == {"0 of 2"}


def test_contract_tables_mark_own_norms_and_winners(found):
    margins, *_ = report.text_tables(found)
    assert margins.header[:4] == ("network", "l2", "l1", "fourier_l1")
    diagonal = next(row for row in margins.rows if row[0] == "diagonal 2")
    assert diagonal[2].startswith("(")
    assert not diagonal[1].startswith("(")
    tied = replace(found, margins=found.margins.assign(wins=False, ties=found.margins["own"]))
    diagonal = next(row for row in report.text_tables(tied)[0].rows if row[0] == "diagonal 2")
    assert diagonal[2].endswith(") =")
    assert all(len(row) == len(t.header) for t in report.text_tables(found) for row in t.rows)


def test_contract_panels(found):
    """One panel of spectra has half of the frequencies: the others are their mirror images."""
    display = found.plot()
    assert list(display.axes_) == display.panels_
    assert len(display.panels_) == 12
    assert len(display.axes_["diagonal, error"].get_lines()) == 3 * 2 * 2
    assert len(display.axes_["diagonal, predictor"].get_lines()) == 3
    line = display.axes_["convolutional, predictor"].get_lines()[0]
    np.testing.assert_array_equal(line.get_xdata(), np.arange(5))
    means = found.learning.groupby(["network", "n_samples"])["test_error"].mean()
    shown = {line.get_label(): line.get_ydata() for line in display.axes_["learning"].get_lines()}
    np.testing.assert_array_equal(shown["diagonal 2"], means["diagonal 2"])
    assert len(display.axes_["attack l1"].get_lines()) == 7
    # A depth has the same shade wherever it is drawn.
    shades = [
        {line.get_label(): line.get_color() for line in display.axes_[panel].get_lines()}[label]
        for panel, label in [
            ("diagonal, error", "depth 2"),
            ("diagonal, predictor", "depth 2"),
            ("scales", "diagonal"),
            ("learning", "diagonal 2"),
            ("attack l2", "diagonal 2"),
        ]
    ]
    assert len(set(shades)) == 1
    legend = [text.get_text() for text in display.axes_["attack l2"].get_legend().get_texts()]
    assert {"convolutional 3", "diagonal 2", "Bayes rule"} < set(legend)
    plt.close(display.figure_)
    _, axes = plt.subplots(3, 4)
    assert found.plot(axes.ravel()).axes_["scales"] is axes.ravel()[6]
    plt.close("all")
    with pytest.raises(ValueError, match="curves has the architecture 'round'"):
        LinearDisplay(
            found.curves.assign(architecture="round"), *[found.spectra] * 3, *[found.robustness] * 2
        )


@pytest.mark.parametrize(
    ("changes", "parameter", "counts"),
    [
        (
            {"n_samples": 10, "input_shape": 6, "min_power": 0.8},
            "min_waking",
            "separable, [0-9]+ of them have powers of at least 0.8, none of those has waking gaps "
            "of at least 100;",
        ),
        ({"min_power": 0.99}, "min_power", "separable, none has powers of at least 0.99;"),
    ],
)
def test_contract_condition_that_no_draw_meets_is_named(changes, parameter, counts, monkeypatch):
    monkeypatch.setattr(samples, "_MOST_DRAWS", 40)
    asked = {"min_waking": 100.0, "kernel_sizes": (1,)} | changes
    with pytest.raises(InvalidInputError, match=counts) as caught:
        make_linear_plan(**SMALL | asked)
    assert caught.value.parameter == parameter
    size = (SMALL | asked)["n_samples"], (SMALL | asked)["input_shape"]
    y, separable = np.where(np.arange(size[0]) % 2, -1, 1), 0
    for draw in range(40):
        X = np.random.default_rng([0, draw]).standard_normal(size)
        free = {"A_ub": -y[:, None] * X, "b_ub": -np.ones(size[0]), "bounds": (None, None)}
        separable += linprog(np.zeros(size[1]), **free).success
    said = "all are" if separable == 40 else f"{separable} are"
    assert f"of 40 draws of {size[0]} samples with {size[1]} features {said} separable" in str(
        caught.value
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"depths": (0,)}, "depths: 0 is not a whole number of at least 1"),
        ({"depths": ()}, "depths: at least one is needed"),
        ({"n_samples": 1}, "n_samples: 1 is not a whole number of at least 2"),
        ({"input_shape": 1}, "input_shape: 1 is not a whole number of at least 2"),
        ({"input_shape": (2, 2, 2)}, r"input_shape: \(2, 2, 2\) is not the length of a signal"),
        ({"input_shape": 0}, "input_shape: 0 is not a whole number of at least 2"),
        ({"input_shape": (1, 1)}, r"input_shape: \(1, 1\) is not the length of a signal"),
        ({"input_shape": (4, 0)}, "input_shape: 0 is not a whole number"),
        ({"signal_shape": 2.0}, "signal_shape: 2.0 is not a whole number"),
        ({"sizes": (1,)}, "sizes: 1 is not a whole number from 2 to 16"),
        ({"n_draws": 0}, "n_draws: 0 is not"),
        ({"target_margin": 0}, "target_margin: 0 is not a positive number"),
        ({"min_waking": -1}, "min_waking: -1 is not a number of at least 0"),
        (
            {"n_samples": 40, "input_shape": 2, "kernel_sizes": (1,)},
            "n_samples: of 6,000 draws of 40 samples with 2 features none is separable",
        ),
        ({"input_shape": (2, 8)}, "kernel_sizes: 3 is not a whole number from 1 to 2"),
        ({"kernel_sizes": (9,)}, "kernel_sizes: 9 is not a whole number from 1 to 8"),
        ({"scales": (0.0,)}, "scales: 0.0 is not a positive number"),
        ({"min_power": 1.0}, "min_power: 1.0 is not from 0 to below 1"),
    ],
)
def test_contract_mistakes_are_named(options, message):
    with pytest.raises(InvalidInputError, match=message):
        make_linear_plan(**SMALL | options)


def test_contract_stages_are_shown(capsys):
    """The search for samples is one, and mistakes are named from there too."""
    with pytest.raises(InvalidInputError, match="depths: 0 is not"):
        study.prepare(True, **SMALL | {"depths": (0,)})
    assert "looking for samples" in capsys.readouterr().err
    assert study.prepare(**SMALL | {"min_power": 0.0, "min_waking": 0.0}).settings["draw"] == 0
    assert capsys.readouterr().err == ""


def test_contract_command_writes_what_it_says(tmp_path, capsys, monkeypatch):
    quicker = {"max_iter": 60, "scales": (0.1,), "sizes": (4,), "n_draws": 1}
    monkeypatch.setattr(report, "QUICK", report.QUICK | quicker)
    out = tmp_path / "out"
    typed = ["study", "linear", "--quick", "--input-shape", "6", "--samples", "2"]
    typed += ["--waking-gap", "0.1", "--depths", "1"]
    assert main([*typed, "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "in 6 of 6, in 6 after one round" in " ".join(said.split())
    names = {"runs", "margins", "curves", "spectra", "scales", "kernel_widths"}
    names |= {"learning", "robustness"}
    files = {f"{name}.csv" for name in names} | {"linear.png", "report.html"}
    assert {file.name for file in out.iterdir()} == files
    assert len(pd.read_csv(out / "runs.csv")) == 6
    assert main([*typed, "--out", str(out)]) != 0  # it exists
    assert main([*typed[:-1], "0", "--out", str(tmp_path / "other")]) != 0
    assert "--depths: 0 is not a whole number" in capsys.readouterr().err
