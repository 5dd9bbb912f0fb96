"""The comparison: its plan, its fits, its findings, and what it leaves behind."""

import base64
import dataclasses
import importlib
import re
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_digits

import sklcnn
from sklcnn.plotting import FAMILY_STYLES, stack_png
from sklcnn.studies import plan as planning
from sklcnn.studies.compare import InterruptedStudyError, carry_out
from sklcnn.studies.output import ResultDirectory
from sklcnn.studies.plan import make_plan
from sklcnn.studies.report import report_html, save, save_unfinished, text_tables
from sklcnn.studies.tables import InvalidInputError
from sklcnn.training.progress import FitProgress

FAMILIES = ["FCN", "LCN", "CNN", "pooled CNN"]
SIZES = (50, 100, 200, 400, 800)


@pytest.fixture
def few_steps(monkeypatch):
    """Train hardly at all: enough for what does not depend on how well networks learn."""
    monkeypatch.setattr(planning, "N_STEPS", 8)
    monkeypatch.setattr(planning, "MIN_EPOCHS", 1)


@pytest.fixture(scope="module")
def digits():
    return load_digits(return_X_y=True)


@pytest.fixture(scope="module")
def digits_plan(digits):
    return make_plan(*digits, input_shape=(8, 8), sizes=SIZES, repeats=3)


class FakeNetwork(ClassifierMixin, BaseEstimator):
    """Learns nothing; its accuracy is a law of the number of samples."""

    def __init__(self, gain, n_filters=1, learning_rate_init=0.004, max_iter=1, random_state=0):
        self.gain = gain
        self.n_filters = n_filters
        self.learning_rate_init = learning_rate_init
        self.max_iter = max_iter
        self.random_state = random_state

    def fit(self, X, y):
        self.n_ = len(X)
        self.n_parameters_ = 7
        return self

    def score(self, X, y):
        penalty = 0.05 * (self.learning_rate_init != 0.02)
        return 1 - 2 * (self.gain * self.n_) ** -0.5 - penalty


@pytest.fixture(scope="module")
def fake_found(digits_plan):
    """What is found where LCN and CNN are worth four times the samples, pooling a quarter."""
    gains = dict(zip(FAMILIES, (1, 4, 16, 4), strict=True))
    networks = {family: FakeNetwork(gain) for family, gain in gains.items()}
    plan = dataclasses.replace(digits_plan, networks=networks)
    with FitProgress(plan.n_fits, enabled=False) as progress:
        return carry_out(plan, progress)


# --- the plan ------------------------------------------------------------------------------------


def test_samples_are_apart(digits_plan):
    plan = digits_plan
    assert not set(plan.test) & set(plan.pool)
    assert set(plan.test) | set(plan.pool) == set(range(1797))
    assert set(plan.validation) < set(plan.pool)
    for task in plan.search_tasks():
        assert not set(task.train) & set(plan.test)
        assert not set(task.train) & set(task.test)
        assert set(task.test) == set(plan.validation)


def test_training_sets_are_nested_within_a_repeat_and_differ_between(digits_plan):
    sets = {(repeat, n): set(rows) for repeat, n, rows in digits_plan.training_sets()}
    assert {key: len(rows) for key, rows in sets.items()} == {
        (repeat, n): n for repeat in range(3) for n in SIZES
    }
    for repeat in range(3):
        for small, large in pairwise(SIZES):
            assert sets[repeat, small] < sets[repeat, large]
    assert sets[0, 50] != sets[1, 50]
    assert all(rows <= set(digits_plan.pool) for rows in sets.values())


def test_samples_are_stratified(digits_plan):
    shares = np.bincount(digits_plan.y) / 1797
    for rows in (digits_plan.test, digits_plan.validation, digits_plan.pool):
        np.testing.assert_allclose(
            np.bincount(digits_plan.y[rows]), len(rows) * shares, atol=1.5
        )  # rounding twice


def test_all_networks_see_the_same(digits_plan):
    rates = {(c, f): 0.02 for c in ("original", "permuted") for f in FAMILIES}
    tasks = digits_plan.curve_tasks(rates)
    assert len(tasks) == 2 * 4 * len(SIZES) * 3
    by_sample = {}
    for task in tasks:
        control, _, n, repeat = task.key
        assert task.X is digits_plan.views[control]
        assert task.test is digits_plan.test
        parameters = task.estimator.get_params()
        rule = (tuple(task.train), parameters["random_state"], parameters["max_iter"])
        by_sample.setdefault((n, repeat), set()).add(rule)
    assert all(len(rules) == 1 for rules in by_sample.values())


def test_permutation_is_one_of_features(digits, digits_plan):
    original, permuted = digits_plan.views["original"], digits_plan.views["permuted"]
    np.testing.assert_array_equal(original, digits[0].astype(np.float32))
    order = [np.flatnonzero(np.all(original == column[:, None], axis=0)) for column in permuted.T]
    assert np.any(permuted != original)
    np.testing.assert_array_equal(np.sort(original, axis=1), np.sort(permuted, axis=1))
    assert all(len(places) for places in order)


@pytest.mark.parametrize("n", [10, 64, 65, 400, 3200])
def test_number_of_gradient_steps_is_the_same_at_all_sizes(n):
    steps = planning.n_epochs(n) * int(np.ceil(n / planning.BATCH_SIZE))
    assert steps == pytest.approx(planning.N_STEPS, rel=0.1)


def test_no_sample_is_seen_less_than_five_times():
    assert planning.n_epochs(10**6) == 5
    assert planning.n_epochs(64, n_steps=40) == 40


def test_networks_differ_by_one_ingredient_at_a_time(digits_plan):
    networks = {name: net.get_params() for name, net in digits_plan.networks.items()}
    lcn, cnn, pooled = (networks[name] for name in FAMILIES[1:])
    assert lcn.pop("filter_groups") is None
    assert lcn == cnn
    assert pooled == cnn | {"pooling": "mean"}
    assert networks["FCN"]["n_filters"] == 256  # 16 filters on 36 patches, capped
    common = networks["FCN"].keys() & lcn.keys() - {"n_filters"}
    assert {key: networks["FCN"][key] for key in common} == {key: lcn[key] for key in common}


def test_fully_connected_network_has_the_units_of_the_locally_connected(digits):
    X, y = digits
    plan = make_plan(X, y, patch_size=8, stride=8, n_filters=5)
    assert plan.networks["FCN"].n_filters == 5 * 8


@pytest.mark.parametrize(
    ("X_shape", "input_shape", "n_patches"),
    [
        ((60, 12), None, 10),
        ((60, 12), (12,), 10),
        ((60, 12), (3, 4), 2),
        ((60, 24), (2, 3, 4), 2),
        ((60, 3, 4), None, 2),
        ((60, 2, 3, 4), None, 2),
        ((60, 2, 1, 5), None, 3),
    ],
)
def test_input_shapes(X_shape, input_shape, n_patches):
    X = np.random.default_rng(0).normal(size=X_shape)
    plan = make_plan(X, np.arange(60) % 2, input_shape=input_shape)
    assert plan.geometry["n_patches"] == n_patches
    assert plan.views["original"].shape == (60, np.prod(X_shape[1:]))


def test_default_sizes_leave_room_for_different_repeats(digits):
    plan = make_plan(*digits, input_shape=(8, 8))
    assert plan.sizes[0] == 20
    assert plan.sizes[-1] <= 0.8 * len(plan.pool) + 1
    assert 5 <= len(plan.sizes) <= 7


BAD = [
    ("patch_size", {"patch_size": 0}, "0 is not a positive whole number"),
    ("patch_size", {"patch_size": 9, "input_shape": (8, 8)}, "larger than the input, 8 x 8"),
    ("stride", {"patch_size": 3, "stride": 3, "input_shape": (8, 8)}, "unseen by windows of 3; 1"),
    ("input_shape", {"input_shape": (8, 9)}, "8 x 9 makes 72 features, but the data have 64"),
    ("input_shape", {"input_shape": (1, 1, 8, 8)}, "more than three sides"),
    ("sizes", {"sizes": [20, 5000]}, "besides the test set at most 1258 are left"),
    ("sizes", {"sizes": [5]}, "a training set of 5 cannot hold all 10 classes"),
    ("sizes", {"sizes": [0]}, "not a positive whole number"),
    ("sizes", {"sizes": [20.5]}, "not a positive whole number"),
    ("sizes", {"sizes": []}, "no size is given"),
    ("repeats", {"repeats": 0}, "not a positive whole number"),
    ("n_filters", {"n_filters": -1}, "not a positive whole number"),
    ("n_steps", {"n_steps": 0}, "not a positive whole number"),
    ("device", {"device": "abacus"}, "'abacus' is not available here"),
]


@pytest.mark.parametrize(("parameter", "arguments", "message"), BAD)
def test_bad_arguments_are_named(digits, parameter, arguments, message):
    with pytest.raises(InvalidInputError, match=message) as caught:
        sklcnn.compare(*digits, **arguments)
    assert caught.value.parameter == parameter
    assert isinstance(caught.value, ValueError)


# --- the findings --------------------------------------------------------------------------------


def test_closed_form_factors_of_networks_with_a_known_law(fake_found):
    factors = fake_found.factors.query("control == 'original'").set_index(["ingredient", "n"])
    assert factors.loc[("locality", 100), "factor"] == pytest.approx(4, rel=0.01)
    assert factors.loc[("sharing", 200), "factor"] == pytest.approx(4, rel=0.01)
    assert factors.loc[("translation invariance", 400), "factor"] == pytest.approx(0.25, rel=0.01)
    assert factors.loc[("locality", 800), "censored"] == "more"
    assert factors.loc[("translation invariance", 50), "censored"] == "less"


def test_verdicts_follow_the_factors(fake_found):
    assert list(fake_found.verdicts) == ["locality", "sharing", "translation invariance"]
    assert "Locality helps at every size (without it 4.0 times" in fake_found.verdicts["locality"]
    assert "not owed to the features' arrangement" in fake_found.verdicts["sharing"]
    assert "invariance hurts at every size" in fake_found.verdicts["translation invariance"]
    assert "which is noise" in fake_found.control


def test_search_finds_the_learning_rate(fake_found):
    assert set(fake_found.networks.learning_rate) == {0.02}
    assert set(fake_found.networks.learning_rate_permuted) == {0.02}
    assert fake_found.settings["n_search_fits"] == 2 * 4 * 3 * 3  # controls, families, rates, sizes


def test_search_prefers_low_rates_where_it_makes_no_difference():
    choose = importlib.import_module("sklcnn.studies.compare")._choose
    assert choose({0.1: {50: 0.900}, 0.02: {50: 0.897}, 0.004: {50: 0.89}}) == 0.02
    assert choose({0.1: {50: 0.7, 800: 0.99}, 0.02: {50: 0.8, 800: 0.8}}) == 0.1


def test_oracle_table_is_the_mean_over_the_fits(fake_found):
    results, table = fake_found.results, fake_found.table
    row = table[(table.family == "CNN") & (table.control == "permuted") & (table.n == 200)].iloc[0]
    fits = results[(results.family == "CNN") & (results.control == "permuted") & (results.n == 200)]
    assert (row["mean"], row["std"]) == (fits.score.mean(), fits.score.std(ddof=1))
    assert row.repeats == len(fits) == 3


def test_every_fit_is_a_row(fake_found, digits_plan):
    results = fake_found.results
    assert list(results.columns) == [
        *("data", "family", "control", "n", "repeat", "seed", "score", "seconds")
    ]
    assert len(results) == (2 * 4 + 1) * len(SIZES) * 3
    assert not results.duplicated(["family", "control", "n", "repeat"]).any()
    baseline = results[results.family == "majority class"]
    most = np.bincount(digits_plan.y[digits_plan.test]).max() / len(digits_plan.test)
    assert baseline.score.max() <= most
    assert baseline.score.min() > 0.09


def test_settings_tell_the_numbers(fake_found, digits_plan):
    settings = fake_found.settings
    assert settings["n_test"] == 539
    assert settings["n_test"] + settings["n_pool"] == 1797
    assert settings["n_fits"] + settings["n_search_fits"] == digits_plan.n_fits
    assert settings["n_patches"] == 36


def test_nothing_to_learn_is_said(few_steps):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(300, 9)), rng.integers(2, size=300)
    found = sklcnn.compare(X, y, sizes=[50, 200], repeats=2)
    assert "neither learns" in set(found.factors.effect)
    assert "cannot be judged" in found.verdicts["locality"]


def test_locality_and_sharing_are_found_on_signals_at_random_places():
    # Many patches and few samples: the FCN cannot do it, the pooled CNN can.
    X, y = sklcnn.datasets.make_dsd(
        n_samples=1200, n_patches=16, patch_size=4, noise=0.2, random_state=0
    )
    found = sklcnn.compare(X, y, patch_size=4, stride=4, sizes=[200], repeats=2)
    means = found.table.set_index(["control", "family"])["mean"]
    assert means["original", "pooled CNN"] > means["original", "FCN"] + 0.05
    assert means["permuted", "pooled CNN"] < means["original", "pooled CNN"] - 0.04
    assert abs(means["permuted", "FCN"] - means["original", "FCN"]) < 0.03
    assert found.networks.parameters.tolist() == [
        *(256 * 65 + 257, 16 * (16 * 5 + 16) + 1, 16 * (5 + 16) + 1, 16 * 6 + 1)
    ]


# --- seeds ---------------------------------------------------------------------------------------


@pytest.fixture
def small(few_steps, digits):
    X, y = digits
    return {"X": X[:300], "y": y[:300], "input_shape": (8, 8), "sizes": [20, 60], "repeats": 2}


def test_same_seed_same_results_whatever_the_number_of_jobs(small):
    first, again = (
        sklcnn.compare(**small, random_state=3, n_jobs=n_jobs).results for n_jobs in (None, 2)
    )
    same = first.columns.drop("seconds")
    pd.testing.assert_frame_equal(first[same], again[same], check_exact=True)
    other = sklcnn.compare(**small, random_state=4).results
    assert np.any(other.score != first.score)


def test_global_generators_are_untouched(small):
    before = np.random.get_state()[1].copy(), torch.get_rng_state()
    sklcnn.compare(**small)
    np.testing.assert_array_equal(before[0], np.random.get_state()[1])
    assert torch.equal(before[1], torch.get_rng_state())


def test_data_frames_name_their_columns(digits):
    frame = pd.DataFrame(digits[0]).rename(columns=lambda i: f"pixel {i}")
    frame.iloc[4, 9] = np.nan
    with pytest.raises(InvalidInputError, match="NaN at row 5, column 'pixel 9'"):
        sklcnn.compare(frame, digits[1])


# --- pictures and files --------------------------------------------------------------------------


def test_plot_has_a_curve_per_family_in_its_color(fake_found):
    from matplotlib.figure import Figure

    display = fake_found.plot(Figure(figsize=(12, 4)).subplots(1, 3))
    assert list(display.lines_) == FAMILIES
    for family, lines in display.lines_.items():
        assert [line.get_color() for line in lines] == [FAMILY_STYLES[family].color] * 2
        assert [len(line.get_xdata()) for line in lines] == [len(SIZES)] * 2
    means = fake_found.table.query("control == 'permuted' and family == 'LCN'")["mean"]
    np.testing.assert_allclose(display.lines_["LCN"][1].get_ydata(), means)
    words = [text.get_text() for ax in display.axes_[::2] for text in ax.get_legend().get_texts()]
    assert words == [*FAMILIES, "majority class, 0.10 (below)", *fake_found.verdicts]
    assert display.axes_[0].get_ylim()[0] > 0.3
    assert [ax.get_ylabel() for ax in display.axes_[:2]] == ["test accuracy"] * 2


def test_styles_are_told_apart_by_color_and_by_marker():
    assert list(FAMILY_STYLES) == FAMILIES
    for look in ("color", "marker"):
        assert len({getattr(style, look) for style in FAMILY_STYLES.values()}) == 4


def test_report_is_self_contained_and_escaped(fake_found):
    found = dataclasses.replace(fake_found, name="<b>digits</b>")
    png = stack_png([found.display()])
    html = report_html([found], png, "1.2.3")
    assert "<b>digits</b>" not in html
    assert "&lt;b&gt;digits&lt;/b&gt;" in html
    assert not re.search(r"(src|href)=\"(?!data:)|url\(|@import", html)
    (embedded,) = re.findall(r"data:image/png;base64,([^\"]+)", html)
    assert base64.b64decode(embedded) == png
    assert png.startswith(b"\x89PNG")
    assert all(sentence.replace("'", "&#x27;") in html for sentence in found.verdicts.values())
    assert "$" not in html


def test_tables_in_text_have_all_sizes(fake_found):
    tables = text_tables(fake_found)
    assert [len(table.rows) for table in tables] == [4, 5, 5, 5, 5]
    assert tables[1].header == ("n", *FAMILIES, "majority class")
    assert all(len(row) == len(table.header) for table in tables for row in table.rows)
    assert tables[2].rows[-1][1].startswith("> 1.0 (")


def test_files_are_replaced_whole_or_not_at_all(tmp_path, monkeypatch):
    directory = ResultDirectory(tmp_path / "deep" / "results")
    directory.claim()
    directory.write("results.csv", b"old")

    def fail(*_):
        raise OSError("disk on fire")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="disk on fire"):
        directory.write("results.csv", b"new")
    assert [file.name for file in directory.path.iterdir()] == ["results.csv"]
    assert (directory.path / "results.csv").read_bytes() == b"old"


def test_directory_is_claimed_only_if_it_is_new_or_may_be_overwritten(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="--overwrite"):
        ResultDirectory(tmp_path).claim()
    directory = ResultDirectory(tmp_path)
    directory.claim(overwrite=True)
    directory.release()
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_claimed_directory_goes_away_if_nothing_was_written(tmp_path):
    directory = ResultDirectory(tmp_path / "results")
    directory.claim()
    directory.release()
    assert not directory.path.exists()


def test_contract_files_that_only_an_earlier_study_had_are_removed(tmp_path):
    directory = ResultDirectory(tmp_path)
    assert directory.save({"a.csv": b"1", "a.png": b"2", "b.csv": b""}) == [
        "a.csv",
        "a.png",
        "b.csv",
    ]
    (tmp_path / "notes.txt").write_text("mine")
    assert directory.save({"a.csv": b"3", "a.png": None, "c.csv": None}) == ["a.csv"]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.csv", "b.csv", "notes.txt"]
    assert (tmp_path / "a.csv").read_bytes() == b"3"


def test_finished_study_is_saved(fake_found, tmp_path):
    directory = ResultDirectory(tmp_path / "results")
    directory.claim()
    save(directory, [fake_found])
    names = sorted(file.name for file in directory.path.iterdir())
    assert names == ["curves.png", "report.html", "results.csv"]
    read = pd.read_csv(directory.path / "results.csv")
    pd.testing.assert_frame_equal(read, fake_found.results)


def test_interrupted_study_keeps_its_fits_and_no_older_picture(fake_found, tmp_path):
    directory = ResultDirectory(tmp_path)
    (tmp_path / "curves.png").write_bytes(b"older")
    (tmp_path / "notes.txt").write_text("mine")
    assert save_unfinished(directory, [fake_found], fake_found.results[:3]) == 135 + 3
    assert len(pd.read_csv(tmp_path / "results.csv")) == 135 + 3
    assert sorted(file.name for file in tmp_path.iterdir()) == ["notes.txt", "results.csv"]
    save_unfinished(directory, [], fake_found.results[:0])
    assert list(pd.read_csv(tmp_path / "results.csv")) == list(fake_found.results)


def test_interrupt_carries_the_finished_fits(digits_plan):
    networks = {family: FakeNetwork(1) for family in FAMILIES}
    plan = dataclasses.replace(digits_plan, networks=networks)

    class Impatient:
        n_fits = 0

        def stage(self, _):
            pass

        def advance(self):
            self.n_fits += 1
            if self.n_fits == 72 + 10:  # the search, and ten fits of the curves
                raise KeyboardInterrupt

    with pytest.raises(InterruptedStudyError) as caught:
        carry_out(plan, Impatient())
    results = caught.value.results
    assert (results.family != "majority class").sum() == 9
    assert (results.family == "majority class").sum() == len(SIZES) * 3
