"""The Dynamic Signal Distribution study: its plan, its tables, what it says and leaves behind."""

import importlib
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from sklcnn import __version__
from sklcnn.cli import main
from sklcnn.studies import DsdPlan, DsdStudy, dsd_study
from sklcnn.studies import dsd as dsd_module
from sklcnn.studies.dsd_report import displays, make_report, statements, text_tables
from sklcnn.studies.output import ResultDirectory
from sklcnn.studies.pages import StudyReport, TextTable, study_html, table_html
from sklcnn.theory import sample_complexity_rate

TINY = DsdPlan.quick(
    experiments=("first", "patches"),
    n_first=60,
    sweep_patches=(4, 8),
    patch_size=5,
    n_max=64,
    metrics=("squared_risk",),
    others=("linear",),
)


@pytest.fixture(scope="module")
def study():
    """A study of seconds: CNN and LCN on 4 and 8 patches of 5."""
    return dsd_study(TINY)


# --- the plan ------------------------------------------------------------------------------------


def test_defaults_are_the_published_protocol():
    plan = DsdPlan()
    assert plan.sweep_patches == plan.sweep_sizes == (10, 15, 20, 25, 30)
    assert (plan.patch_size, plan.fixed_patches) == (20, 20)
    assert (plan.tolerance, plan.n_max, plan.repeats, plan.selection) == (0.03, 1000, 5, "test")


def test_quick_is_small_and_may_be_changed():
    quick = DsdPlan.quick(repeats=7, sweep_sizes=(3,))
    assert (quick.repeats, quick.sweep_sizes) == (7, (3,))
    assert len(quick.sweep_patches) < len(DsdPlan().sweep_patches)
    assert quick.noise == DsdPlan().noise


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"experiments": ("third",)}, r"experiments holds \['third'\]: .*first, patches, size"),
        ({"others": ("forest",)}, r"others holds \['forest'\]: .*linear, MLP, maximum likelihood"),
        ({"metrics": ("loss",)}, r"metrics holds \['loss'\]: .*squared_risk, error"),
        ({"sweep_patches": ()}, r"sweep_patches=\(\) must hold"),
        ({"sweep_patches": (8, 8)}, r"sweep_patches=\(8, 8\) must hold .* each once"),
        ({"noise": -1.0}, r"noise"),
        ({"repeats": 0}, r"repeats=0"),
        ({"n_max": 1}, r"n_max=1"),
        ({"selection": "luck"}, r"selection='luck'"),
        ({"sweep_sizes": ()}, r"sweep_sizes=\(\) must hold"),
        ({"repeats": 0}, r"repeats=0 must be at least 1"),
        ({"n_max": 3, "experiments": ("patches",)}, r"n_min=4 .* n_max=3"),
        ({"noise": -0.1}, r"noise.*-0\.1"),
        ({"selection": "luck"}, r"selection='luck' must be one of"),
    ],
)
def test_bad_plan_is_named(changes, words):
    with pytest.raises(ValueError, match=words):
        dsd_study(replace(DsdPlan.quick(n_first=20, repeats=1, others=()), **changes))


def test_rates_of_the_grid_follow_the_size_of_the_gradient():
    """The LCN's gradient is smaller by the number of patches."""
    cnn, lcn = (dsd_module._grid(name, 20) for name in ("CNN", "LCN"))
    assert cnn["learning_rate_init"] == [0.1, 0.01, 0.001]
    np.testing.assert_allclose(lcn["learning_rate_init"], [2, 0.2, 0.02])
    assert cnn["solver__bias_learning_rate"] == lcn["solver__bias_learning_rate"]


# --- a run ---------------------------------------------------------------------------------------


def test_tables_have_their_columns(study):
    assert list(study.table.columns) == [
        *("experiment", "estimator", "n_patches", "patch_size", "metric"),
        *("n_samples", "low", "high", "censored", "target", "optimum", "selection"),
        *("n_max", "repeats", "n_fits"),
    ]
    wanted = {"estimator", "repeat", "n", "squared_risk", "error", "alignment", "threshold"}
    assert wanted <= set(study.first.columns)
    wanted = {"experiment", "estimator", "metric", "exponent", "low", "high"}
    assert wanted <= set(study.exponents.columns)
    wanted = {"experiment", "n_patches", "patch_size", "metric", "ratio", "low", "high"}
    assert set(study.ratios.columns) == wanted
    wanted = {"n", "repeat", "risk", "success", "experiment", "estimator", "n_patches"}
    assert wanted <= set(study.trials.columns)


def test_every_estimator_has_a_row_for_every_repeat(study):
    counts = study.first.groupby("estimator").size()
    assert dict(counts) == {"CNN": 3, "LCN": 3, "FCN": 3, "linear": 3}
    assert set(study.first.n) == {60}
    networks = study.first.query("estimator != 'linear'")
    assert networks.alignment.between(0, 1 + 1e-6).all()  # cosines in float32
    assert study.first.query("estimator == 'linear'").alignment.isna().all()


def test_table_oracle_of_its_trials(study):
    """Rows that are not censored lie between sizes of little and of much success."""
    for row in study.table.itertuples():
        labels = ["experiment", "estimator", "n_patches", "patch_size", "metric"]
        own = study.trials[(study.trials[labels] == [getattr(row, x) for x in labels]).all(axis=1)]
        share = own.groupby("n").success.mean()
        assert row.n_max == own.n.max()
        assert row.target == pytest.approx(row.optimum + 0.03)
        np.testing.assert_array_equal(own.success, own.risk <= row.target)
        if row.censored == "below":
            assert row.n_samples == share.index[0]
        else:
            assert share[share.index < row.n_samples].min() < 0.5
            assert share[share.index >= row.n_samples].max() >= 0.5


def test_lcn_needs_more_samples_than_cnn(study):
    """On 8 patches: by a factor of six, and by two at least between the ends of the intervals."""
    needed = study.table.query("n_patches == 8").set_index("estimator")
    assert needed.low["LCN"] > 2 * needed.high["CNN"]
    (ratio,) = study.ratios.query("n_patches == 8").itertuples()
    assert ratio.ratio == pytest.approx(needed.n_samples["LCN"] / needed.n_samples["CNN"])
    assert 2 < ratio.low <= ratio.ratio <= ratio.high


def test_lcn_needs_more_samples_on_more_patches(study):
    needed = study.table.query("estimator == 'LCN'").set_index("n_patches")
    assert needed.low[8] > needed.high[4]
    (row,) = study.exponents.query("estimator == 'LCN'").itertuples()
    by_hand = np.log(needed.n_samples[8] / needed.n_samples[4]) / np.log(2)
    assert row.exponent == pytest.approx(by_hand)
    assert 1 < row.low <= row.exponent <= row.high


def test_same_seed_same_study():
    plan = replace(TINY, experiments=("patches",), sweep_patches=(2,), n_max=4, repeats=2)
    first, again, other = (dsd_study(replace(plan, random_state=seed)) for seed in (0, 0, 1))
    pd.testing.assert_frame_equal(first.table, again.table)
    pd.testing.assert_frame_equal(
        first.trials.drop(columns="seconds"), again.trials.drop(columns="seconds")
    )
    assert not np.array_equal(first.trials.risk, other.trials.risk)


# --- exponents and ratios ------------------------------------------------------------------------


def draws_of(*numbers):
    return np.array(numbers, dtype=float)


def test_exponents_closed_form():
    """Numbers of a power law have its exponent, and so have their draws."""
    sizes = (5, 10, 20)
    plan = DsdPlan(experiments=("patches",), sweep_patches=sizes, patch_size=4)
    draws = {
        ("patches", "LCN", k, 4, "error"): draws_of(3 * k**2, *[3 * k**1.5] * 50, *[k**2.5] * 50)
        for k in sizes
    }
    (row,) = pd.DataFrame(
        dsd_module._exponents(draws, plan), columns=dsd_module.EXPONENT_COLUMNS
    ).itertuples()
    np.testing.assert_allclose([row.exponent, row.low, row.high], [2, 1.5, 2.5])
    upper = [sample_complexity_rate("lcn", k, 4, plan.noise, "upper") for k in sizes]
    assert row.upper_bound == pytest.approx(np.polyfit(np.log(sizes), np.log(upper), 1)[0])


def test_curve_with_a_point_that_was_not_found_has_no_exponent():
    plan = DsdPlan(experiments=("patches",), sweep_patches=(5, 10, 20), patch_size=4)
    draws = {("patches", "LCN", k, 4, "error"): draws_of(k, k, k) for k in (5, 10)}
    assert dsd_module._exponents(draws, plan) == []


def test_ratio_is_not_paired_draw_by_draw():
    """Resamples of independent studies: the interval is that of all pairs."""
    rng = np.random.default_rng(0)
    lcn, cnn = np.exp(rng.normal(4, 0.3, 2001)), np.exp(rng.normal(2, 0.4, 2001))
    point = (10, 20, "error")
    draws = {("patches", "LCN", *point): lcn, ("patches", "CNN", *point): cnn}
    ((*labels, ratio, low, high),) = dsd_module._ratios(draws)
    assert labels == ["patches", *point]
    assert ratio == lcn[0] / cnn[0]
    ends = np.exp(2 + np.array([-1, 1]) * norm.ppf(0.975) * 0.5)  # 0.5**2 = 0.3**2 + 0.4**2
    np.testing.assert_allclose([low, high], ends, rtol=0.1)  # four standard errors of a quantile
    assert dsd_module._ratios({("patches", "LCN", *point): lcn}) == []


# --- what it says --------------------------------------------------------------------------------


def made_up(**tables):
    """A study with numbers of our choice."""
    empty = {
        "first": pd.DataFrame(columns=dsd_module.FIRST_COLUMNS),
        "table": pd.DataFrame(columns=dsd_module.TABLE_COLUMNS),
        "exponents": pd.DataFrame(columns=dsd_module.EXPONENT_COLUMNS),
        "ratios": pd.DataFrame(columns=dsd_module.RATIO_COLUMNS),
        "trials": pd.DataFrame(),
    }
    plan = tables.pop("plan", DsdPlan(n_patches=20, n_first=300))
    return DsdStudy(plan=plan, **(empty | tables))


def first_table(risk, error, cosines):
    """The first experiment, with the best cosines of the three families in two repeats."""
    rows = [
        {"estimator": name, "repeat": r, "n": 300, "squared_risk": risk, "error": error}
        | {"alignment": cosine, "median_alignment": cosine / 2, "threshold": 0.1}
        for name, both in cosines.items()
        for r, cosine in enumerate(both)
    ]
    return pd.DataFrame(rows, columns=dsd_module.FIRST_COLUMNS)


def ratio_table(*rows):
    return pd.DataFrame(rows, columns=dsd_module.RATIO_COLUMNS)


def exponent_table(exponent, low, high, **bounds):
    row = {"experiment": "patches", "estimator": "LCN", "metric": "squared_risk"}
    row |= {"exponent": exponent, "low": low, "high": high} | bounds
    return pd.DataFrame([row], columns=dsd_module.EXPONENT_COLUMNS)


def needed_table(*rows):
    """Rows of (estimator, n_patches, n_samples, low, high, censored)."""
    common = {"experiment": "patches", "patch_size": 20, "metric": "squared_risk"}
    common |= {"target": 0.1, "optimum": 0.07, "selection": "test", "repeats": 5, "n_fits": 90}
    names = ("estimator", "n_patches", "n_samples", "low", "high", "censored")
    frames = [dict(zip(names, row, strict=True)) | common | {"n_max": 1000} for row in rows]
    return pd.DataFrame(frames, columns=dsd_module.TABLE_COLUMNS)


NEEDED = needed_table(
    ("CNN", 10, 12.4, 8.0, 15.1, ""),
    ("CNN", 20, 4.0, 4.0, 4.0, "below"),
    ("LCN", 10, 150.0, 120.0, np.inf, ""),
    ("LCN", 20, np.inf, 800.0, np.inf, "above"),
)


def test_nothing_was_found_nothing_is_said():
    assert statements(made_up()) == []
    assert text_tables(made_up()) == []
    assert displays(made_up()) == []


def test_ratios_are_counted_once_for_each_setting():
    rows = ratio_table(
        ("patches", 10, 20, "squared_risk", 9.94, 7.0, 12.0),
        ("patches", 20, 20, "squared_risk", 15.0, 11.0, 17.0),
        ("patches", 30, 20, "squared_risk", 21.26, 18.0, 27.0),
        ("size", 20, 20, "squared_risk", 15.0, 11.0, 17.0),  # the same setting again
    )
    (sentence,) = statements(made_up(ratios=rows))
    assert "population squared risk: 9.9 to 21.3 times" in sentence
    assert "1 of 3 settings" in sentence
    (table,) = text_tables(made_up(ratios=rows))
    assert [row[0] for row in table.rows] == ["10 x 20", "20 x 20", "30 x 20"]
    assert table.rows[0][2] == "9.9 [7.0, 12.0]"


def test_ratios_of_two_metrics_are_two_sentences():
    rows = ratio_table(
        ("patches", 10, 20, "squared_risk", 12.0, 10.0, 14.0),
        ("patches", 10, 20, "error", 3.0, 2.0, 4.0),
    )
    risk, error = statements(made_up(ratios=rows))
    assert "12.0 to 12.0" in risk
    assert "1 of 1 settings" in risk
    assert "zero-one error: 3.0 to 3.0" in error
    assert "settings" not in error  # the paper has no number for it


@pytest.mark.parametrize(("bound", "held"), [(1.5, True), (1.2, True), (1.19, False), (2, False)])
def test_exponent_lies_in_its_interval_or_not(bound, held):
    exponents = exponent_table(1.4, 1.2, 1.61, lower_bound=1.0, upper_bound=bound)
    (sentence,) = statements(made_up(exponents=exponents))
    assert "LCN over the number of patches" in sentence
    assert "exponent 1.40 [1.20, 1.61]" in sentence
    said = re.search(rf"{bound:.2f} \(upper; (in|not in) the interval\)", sentence)
    assert (said[1] == "in") == held
    assert "1.00 (lower; not in the interval)" in sentence


def test_exponent_without_a_theorem_is_in_the_table_only():
    study = made_up(exponents=exponent_table(1.4, 1.2, 1.61))
    assert statements(study) == []
    (table,) = text_tables(study)
    assert table.rows[0][3] == "1.40 [1.20, 1.61]"
    assert set(table.rows[0][4:]) == {""}


COSINES = {"CNN": (0.96, 0.98), "LCN": (0.9, 0.8), "FCN": (0.2, 0.3)}


@pytest.mark.parametrize(("risk", "stalls"), [(0.17, True), (0.05, False), (0.9, False)])
def test_fcn_stalls_at_the_linear_risk_or_not(risk, stalls):
    """The best linear risk is k s^2 / (1 + k s^2) = 1/6 at 20 patches and noise 0.1."""
    sentences = statements(made_up(first=first_table(risk, 0.012, COSINES)))
    assert f"squared risk, {risk:.3f}," in sentences[0]
    assert f"linear rule, {1 / 6:.3f} (best network: 0.041)" in sentences[0]
    assert ("stalls near" in sentences[0]) == stalls
    assert ("learn the same sum" in sentences[0]) == stalls  # no explanation of what is not seen
    wrong = norm.sf(1 / (0.1 * np.sqrt(20)))
    assert f"errs in {wrong:.2g} of all cases, which is enough" in sentences[0]
    assert "the FCN errs in 0.012." in sentences[0]


def test_linear_rule_may_not_be_enough():
    noisy = DsdPlan(n_patches=20, noise=0.2)
    study = made_up(plan=noisy, first=first_table(0.5, 0.13, COSINES))
    assert "errs in 0.13 of all cases, which is not enough" in statements(study)[0]


def test_filters_that_miss_the_signal_are_counted():
    _, cnn, lcn, fcn = statements(made_up(first=first_table(0.17, 0.01, COSINES)))
    assert "CNN with the signal: 0.97 in 2 repeats." in cnn
    assert "LCN with the signal: 0.85 in 2 repeats." in lcn
    assert "FCN with the signal: 0.25 in 2 repeats; below 0.25" in fcn
    assert fcn.endswith("in 1.")


def test_first_table_holds_means_and_the_best_rules():
    (table,) = text_tables(made_up(first=first_table(0.17, 0.01, COSINES)))
    rows = {row[0]: row[1:] for row in table.rows}
    assert rows["CNN"][0] == "0.1700 ± 0.0000"
    assert rows["CNN"][2] == f"0.9700 ± {np.std([0.96, 0.98], ddof=1):.4f}"
    assert rows["best linear rule"][0] == f"{1 / 6:.4f}"
    assert rows["best"][0] == "0.0408"
    assert "20 patches of 20, noise 0.1, 300 samples" in table.title
    assert all(len(row) == len(table.header) for row in table.rows)


def test_one_repeat_has_no_spread():
    one = {name: both[:1] for name, both in COSINES.items()}
    (table,) = text_tables(made_up(first=first_table(0.17, 0.01, one)))
    assert table.rows[0][1] == "0.1700"


def test_needed_table_says_what_is_censored():
    (table,) = text_tables(made_up(table=NEEDED))
    assert table.header == ("patches x size", "CNN", "LCN")
    assert table.rows == [
        ("10 x 20", "12 [8, 15]", "150 [120, ∞]"),
        ("20 x 20", "<= 4", "> 1,000"),
    ]
    assert "chosen on the test metric" in table.title
    held_out = made_up(table=NEEDED, plan=DsdPlan(selection="validation"))
    assert "chosen on the validation samples" in text_tables(held_out)[0].title


def test_plot_draws_every_display_where_it_is_told():
    from matplotlib.figure import Figure

    ax = Figure().subplots()
    (display,) = made_up(table=NEEDED).plot([ax])
    assert display.ax_ is ax
    assert made_up().plot([]) == []
    with pytest.raises(ValueError, match="argument 2 is longer"):
        made_up().plot([ax])


def test_display_holds_the_numbers_of_the_table():
    (display,) = displays(made_up(table=NEEDED))
    np.testing.assert_array_equal(display.sizes, [10, 20])
    np.testing.assert_array_equal(display.needed["CNN"], [12.4, 4])
    np.testing.assert_array_equal(display.needed["LCN"], [150, 1000])
    np.testing.assert_array_equal(display.censored["LCN"], [False, True])
    np.testing.assert_array_equal(display.censored["CNN"], [False, False])
    np.testing.assert_array_equal(display.low["LCN"], [120, 800])
    np.testing.assert_array_equal(display.high["LCN"], [np.inf, np.inf])
    assert display.fitted == {}


def test_display_of_a_run(study):
    for display in displays(study):
        for name, needed in display.needed.items():
            rows = study.table[study.table.estimator == name].set_index("n_patches")
            expected = rows.n_samples.where(rows.censored != "above", rows.n_max)
            np.testing.assert_array_equal(needed, expected.reindex(display.sizes))
    fitted = displays(study)[0].fitted["LCN"]
    (row,) = study.exponents.query("estimator == 'LCN'").itertuples()
    assert fitted == (row.exponent, row.low, row.high)


# --- what it leaves behind -----------------------------------------------------------------------


class References(HTMLParser):
    """What a page asks its reader to load."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        self.found += [value for name, value in attrs if name in ("src", "href")]
        assert tag not in ("script", "link", "iframe")


def test_files_of_a_study(study, tmp_path):
    ResultDirectory(tmp_path).save(make_report(study).files())
    names = sorted(file.name for file in tmp_path.iterdir())
    assert names == [
        *("first.csv", "report.html", "results.csv", "samples_needed.png", "trials.csv")
    ]
    results = pd.read_csv(tmp_path / "results.csv", keep_default_na=False)
    np.testing.assert_allclose(results.n_samples, study.table.n_samples)
    assert list(results.censored) == list(study.table.censored)
    assert len(pd.read_csv(tmp_path / "first.csv")) == len(study.first)
    assert len(pd.read_csv(tmp_path / "trials.csv")) == len(study.trials)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    references = References()
    references.feed(page)
    assert len(references.found) == 1
    assert references.found[0].startswith("data:image/png;base64,")
    assert "@import" not in page
    assert "url(" not in page


def test_study_without_searches_has_no_picture(study, tmp_path):
    directory = ResultDirectory(tmp_path)
    directory.save(make_report(made_up(first=study.first)).files())
    assert not (tmp_path / "samples_needed.png").exists()
    assert "<img" not in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_contract_files_of_a_report():
    table = pd.DataFrame({"n": [1], "score": [0.5]})
    report = StudyReport("T", "L", {"a": table, "b": None}, "p", None, ["S"], [])
    files = report.files()
    assert list(files) == ["a.csv", "b.csv", "p.png", "report.html"]
    assert (files["a.csv"], files["b.csv"], files["p.png"]) == (b"n,score\n1,0.5\n", None, None)
    assert files["report.html"].decode() == study_html("T", "L", ["S"], b"", [], __version__)


def test_page_escapes_what_it_is_given():
    odd = "a < b & 'c' > $d"
    page = study_html(odd, odd, [odd], b"", [TextTable(odd, (odd,), [(odd,)])], "1 < 2")
    assert page.count("a &lt; b &amp; &#x27;c&#x27; &gt; $d") == 7
    assert "a < b" not in page
    assert "1 &lt; 2" in page


def test_table_html_oracle_xml():
    table = ElementTree.fromstring(
        table_html(TextTable("a < b", ("x", "y"), [("1", "&"), ("3", "")]))
    )
    assert table.find(".//caption").text == "a < b"
    assert [cell.text for cell in table.iter("th")] == ["x", "y"]
    rows = [[cell.text or "" for cell in row.iter("td")] for row in table.iter("tr")]
    assert rows == [[], ["1", "&"], ["3", ""]]


# --- the command ---------------------------------------------------------------------------------


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_command_prints_the_tables_and_writes_files(here, capsys):
    arguments = "study dsd --quick --experiments first --repeats 2 --noise 0.15 --jobs 1 --seed 3"
    assert main(arguments.split()) == 0
    out, _ = capsys.readouterr()
    for word in ("5 patches of 10, noise 0.15, 200 samples", "CNN", "LCN", "FCN", "linear", "- "):
        assert word in out
    files = here / "sklcnn-study-dsd"
    assert {f.name for f in files.iterdir()} == {
        *("first.csv", "report.html", "results.csv", "trials.csv")
    }
    first = pd.read_csv(files / "first.csv")
    assert dict(first.groupby("estimator").size())["CNN"] == 2
    plan = DsdPlan.quick(experiments=("first",), repeats=2, noise=0.15, random_state=3)
    again = dsd_study(replace(plan, others=())).first.query("estimator == 'CNN'")
    np.testing.assert_allclose(
        first.query("estimator == 'CNN'").squared_risk, again.squared_risk, rtol=1e-5
    )


def test_quick_study_separates_the_families(here, capsys):
    assert main(["study", "dsd", "--quick"]) == 0
    out, _ = capsys.readouterr()
    assert "LCN / CNN on the population squared risk" in out
    files = here / "sklcnn-study-dsd"
    assert {f.name for f in files.iterdir()} == {
        *("first.csv", "report.html", "results.csv", "samples_needed.png", "trials.csv")
    }
    needed = pd.read_csv(files / "results.csv").query("metric == 'squared_risk'")
    needed = needed.pivot(
        index=["experiment", "n_patches", "patch_size"], columns="estimator", values="n_samples"
    )
    assert (needed["LCN"] > 2 * needed["CNN"]).all()  # seed 0: 3 to 12 times


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("dsd --noise -1", "noise"),
        ("dsd --noise loud", "--noise: invalid float value: 'loud'"),
        ("dsd --experiments patches --n-max 1", "n_max=1"),
        ("dsd --repeats 0", "repeats"),
        ("dsd --repeats 1.5", "--repeats: '1.5' is not a whole number"),
        ("dsd --jobs 0", "--jobs: 0 is not a positive whole number"),
        ("dsd --seed -1", "--seed: -1 is negative"),
        ("dsd --experiments third", "--experiments: invalid choice: 'third'"),
        ("dsd --experiments", "--experiments: expected at least one argument"),
        ("dsd --selection luck", "--selection: invalid choice: 'luck'"),
        ("dsd --out .", "--out: .: exists already; --overwrite"),
        ("dsd --out file", "--out: file: exists and is not a directory"),
        ("mnist", "invalid choice: 'mnist'"),
        ("", "required: STUDY"),
    ],
)
def test_bad_option_is_named_in_one_line(here, capsys, options, words):
    (here / "file").touch()
    small = "study dsd --quick --jobs 1" if options.startswith("dsd") else "study"
    assert main([*small.split(), *options.removeprefix("dsd").split()]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    lines = [line for line in err.splitlines() if not line.endswith(" ...")]  # less the progress
    assert len(lines) == 1
    assert lines[0].startswith("sklcnn: ")
    assert words in lines[0]
    assert os.listdir() == ["file"]


def test_interrupt_is_one_line_and_leaves_no_directory(here, capsys, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(importlib.import_module("sklcnn.studies.dsd"), "dsd_study", interrupted)
    assert main(["study", "dsd", "--quick"]) == 130
    assert capsys.readouterr().err == "sklcnn: interrupted\n"
    assert os.listdir() == []


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="needs process groups")
def test_interrupt_of_all_processes_in_the_foreground(here):
    code = "import sys; from sklcnn.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", code, "study", "dsd", "--experiments", "size", "--jobs", "2"]
    pipe = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, start_new_session=True, **pipe) as process:
        said = ""
        while "samples needed" not in said:
            said = process.stderr.readline()
            assert said, "ended before it could be interrupted"
        time.sleep(0.5)
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert (out, err) == ("", "sklcnn: interrupted\n")
    assert list(Path().iterdir()) == []
