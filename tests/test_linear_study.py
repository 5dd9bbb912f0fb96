"""The study of linear networks: samples, references, tables, sentences, the command."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from scipy.optimize import linprog, minimize

from sklcnn.cli import main
from sklcnn.plotting import LinearDisplay
from sklcnn.studies.linear import linear_study, report
from sklcnn.studies.linear.measures import direction_error
from sklcnn.studies.linear.plan import Network, make_linear_plan, norm_of
from sklcnn.studies.tables import InvalidInputError

SMALL = {"n_features": 8, "n_samples": 3, "n_seeds": 2, "max_iter": 400, "scale_margin": 10.0}
SMALL |= {"scales": (0.1, 3.0), "kernel_sizes": (1, 3, 8)}


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


def test_contract_dual_gaps_are_as_large_as_stated_and_draws_before_are_not(plan):
    gaps = {n.name: s.delta for n, s in plan.references.items() if n.name.endswith("l1")}
    assert len(gaps) == 2
    assert min(gaps.values()) >= 0.3
    assert plan.settings["draw"] > 0
    earlier = make_linear_plan(**SMALL, min_delta=0.0)
    assert earlier.settings["draw"] < plan.settings["draw"]


def test_contract_same_seed_same_samples_and_others_for_another(plan):
    np.testing.assert_array_equal(make_linear_plan(**SMALL).X, plan.X)
    assert make_linear_plan(**SMALL).seeds == plan.seeds
    assert np.abs(make_linear_plan(**SMALL, random_state=1).X - plan.X).max() > 0.1


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
        assert norm_of(Network(architecture, depth, None, 0.1, 0)).label == label
    assert norm_of(Network("convolutional", 2, 3, 0.1, 0)).label == "kernel_width"


def test_contract_one_row_for_every_network(found):
    keys = found.runs[["architecture", "depth", "seed"]]
    assert len(keys) == len(keys.drop_duplicates()) == 3 * 3 * 2
    assert len(found.spectra) == len(found.runs) * 8
    assert len(found.scales) == 3 * 2 * 2
    assert len(found.kernel_widths) == 3 * 2
    last = found.curves.groupby(["architecture", "depth", "seed"], sort=False).tail(1)
    np.testing.assert_array_equal(last["error"], found.runs["error"])
    np.testing.assert_array_equal(last["margin"], found.runs["margin"])


def test_limit_networks_of_depth_one_go_to_the_support_vector_machine(found):
    rows = found.runs[found.runs["depth"] == 1]
    # Seen at margins of some hundreds: 0.005 at most.
    assert rows["error"].max() < 0.02
    assert found.runs["margin"].min() > 10


def test_oracle_polishing_is_exact(found):
    convex = found.runs[~found.runs["norm"].str.contains("bridge")]
    assert convex["polished_error"].max() < 1e-8
    assert convex["polished_duality_gap"].max() < 1e-8
    deep = found.runs.drop(convex.index)
    assert len(deep) == 4
    assert deep["polished_residual"].max() < 1e-6
    assert (deep["norm_value"] >= deep["best_norm"]).all()


def test_contract_errors_and_margins_are_those_of_the_directions(found):
    plan = make_linear_plan(**SMALL, depths=(1, 2, 3))
    groups = found.spectra.groupby(["architecture", "depth", "seed"], sort=False)
    directions = {key: rows["coef"].to_numpy() for key, rows in groups}
    rows = found.runs.set_index(["architecture", "depth", "seed"])
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
            own = [d for key, d in directions.items() if key[:2] == (row.architecture, row.depth)]
            margins = [(plan.X @ d * plan.y).min() / sizes[row.norm](d) for d in own]
            assert row.margin == pytest.approx(np.median(margins), rel=1e-9)


def test_contract_winners_are_the_largest_of_their_columns(found):
    for _, column in found.margins.groupby("norm"):
        rivals = column[~column["own"]]["margin"].max()
        winners = column[column["own"] & (column["margin"] > rivals)]
        assert column.index[column["wins"]].tolist() == winners.index.tolist()


def test_limit_kernels_between_width_one_and_that_of_the_input(found):
    """Width one has the norm l2 times the root of the features, full width that of the spectrum."""
    ends = found.kernel_widths.groupby("kernel_size")["norm_value"].first()
    plan = make_linear_plan(**SMALL)
    norms = {norm.name: s.norm_value for norm, s in plan.references.items()}
    assert ends[1] == pytest.approx(np.sqrt(8) * norms["l2"], rel=1e-7)
    assert ends[8] == pytest.approx(norms["fourier_l1"], rel=1e-7)
    assert ends[8] < ends[3] < ends[1]
    shares = found.kernel_widths.filter(like="share")
    assert (shares > 0).all(axis=None)
    assert (shares < 1 + 1e-6).all(axis=None)


def test_contract_scales_stand_at_their_margin(found):
    assert (found.scales["margin"].dropna() >= 10).all()
    middle = found.scales.groupby(["architecture", "init_scale"])["error"].median()
    # Seen: three times as far and more.
    assert middle["full", 3.0] > 1.5 * middle["full", 0.1]


def test_contract_sentences_say_what_held_and_what_not(found):
    said = report.statements(found)
    full = next(text for text in said if text.startswith("full, depth 1"))
    assert "below 0.01 in 2 of 2; after polishing below 1e-08 in 2 of 2." in full
    worse = replace(found, runs=found.runs.assign(error=0.5, polished_error=0.5))
    text = next(text for text in report.statements(worse) if text.startswith("diagonal, depth 2"))
    assert "below 0.01 in 0 of 2" in text
    assert "below 1e-08 in 0 of 2" in text
    assert "What has to vanish is slow" in text
    lost = replace(found, margins=found.margins.assign(wins=False))
    assert any("diagonal depth 2 in l1" in text for text in report.statements(lost))
    won = replace(found, margins=found.margins.assign(wins=True))
    assert any(text.startswith("Every network") for text in report.statements(won))


@pytest.mark.filterwarnings("ignore:The smallest margin:sklearn.exceptions.ConvergenceWarning")
def test_limit_networks_that_hardly_moved_are_no_error():
    found = linear_study(**SMALL | {"max_iter": 1, "n_seeds": 1}, depths=(1, 3))
    lost = found.runs["margin"] <= 0
    assert lost.any()
    assert found.runs.loc[lost, "polished_error"].isna().all()
    said = " ".join(report.statements(found))
    assert "no network reached margin 10" in said
    assert "in 0 of 1" in said
    assert len(report.text_tables(found)) == 3


def test_contract_tables_mark_own_norms_and_winners(found):
    margins, *_ = report.text_tables(found)
    assert margins.header[:4] == ("network", "l2", "l1", "fourier_l1")
    diagonal = next(row for row in margins.rows if row[0] == "diagonal 2")
    assert diagonal[2].startswith("(")
    assert not diagonal[1].startswith("(")
    assert all(len(row) == len(t.header) for t in report.text_tables(found) for row in t.rows)


def test_contract_panels(found):
    """One panel of spectra has half of the frequencies: the others are their mirror images."""
    display = found.plot()
    assert list(display.axes_) == display.panels_
    assert len(display.panels_) == 8
    assert len(display.axes_["diagonal, error"].get_lines()) == 3 * 2
    assert len(display.axes_["diagonal, predictor"].get_lines()) == 3
    line = display.axes_["convolutional, predictor"].get_lines()[0]
    np.testing.assert_array_equal(line.get_xdata(), np.arange(5))
    plt.close(display.figure_)
    _, axes = plt.subplots(2, 4)
    assert found.plot(axes.ravel()).axes_["scales"] is axes.ravel()[6]
    plt.close("all")
    with pytest.raises(ValueError, match="curves has the architecture 'round'"):
        LinearDisplay(found.curves.assign(architecture="round"), *[found.spectra] * 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"depths": (0,)}, "depths: 0 is not a whole number of at least 1"),
        ({"depths": ()}, "depths: at least one is needed"),
        ({"n_samples": 1}, "n_samples: 1 is not a whole number of at least 2"),
        ({"n_features": 1}, "n_features: 1 is not"),
        ({"kernel_sizes": (9,)}, "kernel_sizes: 9 is not a whole number from 1 to 8"),
        ({"scales": (0.0,)}, "scales: 0.0 is not a positive number"),
        ({"min_delta": 1.0}, "min_delta: 1.0 is not from 0 to below 1"),
    ],
)
def test_contract_mistakes_are_named(options, message):
    with pytest.raises(InvalidInputError, match=message):
        make_linear_plan(**SMALL | options)


def test_contract_command_writes_what_it_says(tmp_path, capsys):
    out = tmp_path / "out"
    typed = ["study", "linear", "--quick", "--features", "6", "--samples", "2", "--depths", "1"]
    assert main([*typed, "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "full, depth 1: the direction is" in " ".join(said.split())
    names = {"runs", "margins", "curves", "spectra", "scales", "kernel_widths"}
    files = {f"{name}.csv" for name in names} | {"linear.png", "report.html"}
    assert {file.name for file in out.iterdir()} == files
    assert len(pd.read_csv(out / "runs.csv")) == 3
    assert main([*typed, "--out", str(out)]) != 0  # it exists
    assert main([*typed[:-1], "0", "--out", str(tmp_path / "other")]) != 0
    assert "--depths: 0 is not a whole number" in capsys.readouterr().err
