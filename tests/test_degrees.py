"""The plane between FCN, LCN and CNN: cells, intervals, checkpoints, the picture, the command."""

from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from scipy import stats
from sklearn.datasets import load_digits

from sklcnn import CNNClassifier, FCNClassifier, LCNClassifier
from sklcnn.cli import main
from sklcnn.datasets import make_dsd
from sklcnn.patches import region_groups, tiled_groups
from sklcnn.plotting import FAMILY_STYLES, DegreesDisplay, degrees_png
from sklcnn.studies import degrees, degrees_of_sharing, degrees_report
from sklcnn.studies.checkpoints import stream_remembered
from sklcnn.studies.degrees_plan import make_degrees_plan
from sklcnn.studies.fits import Outcome
from sklcnn.studies.tables import InvalidInputError

X, Y = load_digits(n_class=3, return_X_y=True)
SMALL = {
    "input_shape": (8, 8),
    "patch_sizes": [2, 4],
    "stride": 4,
    "group_counts": [4],
    "n_hidden": 32,
    "learning_rates": (0.002, 0.02),
    "n_steps": 20,
    "sizes": [30, 90],
    "repeats": 3,
}
CELLS = [(2, 1), (2, 4), (2, 16), (4, 1), (4, 4), (8, 1)]


@pytest.fixture(scope="module")
def plan():
    return make_degrees_plan(X, Y, **SMALL)


@pytest.fixture(scope="module")
def found():
    return degrees_of_sharing(X, Y, **SMALL)


# --- the cells -----------------------------------------------------------------------------------


def test_contract_cells_reach_from_full_sharing_to_none_and_end_in_the_fcn(plan):
    assert [cell.key for cell in plan.cells] == CELLS
    assert [cell.n_patches for cell in plan.cells] == [16, 16, 16, 4, 4, 1]
    for cell in plan.cells:
        assert cell.network.n_filters * cell.n_patches == 32
        groups = cell.network.filter_groups
        assert (len(groups), len(set(groups))) == (cell.n_patches, cell.n_groups)


def test_oracle_groups_are_those_of_the_scheme():
    def groups(scheme):
        cells = make_degrees_plan(X, Y, **SMALL | {"grouping": scheme}).cells
        return next(cell.network.filter_groups for cell in cells if cell.key == (2, 4))

    np.testing.assert_array_equal(groups("regions"), region_groups((4, 4), 4))
    np.testing.assert_array_equal(groups("tiled"), tiled_groups((4, 4), 4))
    np.testing.assert_array_equal(groups("rows"), np.repeat(np.arange(4), 4))
    np.testing.assert_array_equal(groups("columns"), np.tile(np.arange(4), 4))
    np.testing.assert_array_equal(np.bincount(groups("random")), [4, 4, 4, 4])
    assert np.any(groups("random") != groups("regions"))


def test_limit_corner_cells_are_the_three_families(plan, found):
    networks = {
        (4, 1): CNNClassifier(8, 4, 4, input_shape=(8, 8)),
        (4, 4): LCNClassifier(8, 4, 4, input_shape=(8, 8)),
        (8, 1): FCNClassifier(32),
    }
    samples, scores = (
        plan.samples,
        found.results.set_index([*("patch_size", "n_groups"), "n", "repeat"]),
    )
    repeat, n, train = next(iter(samples.training_sets()))
    center, scale = X[train].mean(), X[train].std()
    for cell, network in networks.items():
        row = scores.loc[(*cell, n, repeat)]
        # 90 samples are two batches, so that ten epochs make twenty steps.
        network.set_params(
            batch_size=64, tol=None, max_iter=10, learning_rate_init=row.learning_rate
        )
        network.set_params(random_state=int(row.seed)).fit((X[train] - center) / scale, Y[train])
        score = network.score((X[samples.test] - center) / scale, Y[samples.test])
        # Sums are rounded in another order; one sample of 162 may fall on the other side.
        assert score == pytest.approx(row.score, abs=1.5 / len(samples.test))
        assert network.n_parameters_ == row.n_parameters


def test_contract_samples_of_test_and_validation_are_never_trained_on(plan):
    samples = plan.samples
    for task in plan.search_tasks():
        assert not set(task.train) & (set(samples.test) | set(samples.validation))
        np.testing.assert_array_equal(task.test, samples.validation)
    for task in plan.score_tasks(dict.fromkeys(CELLS, 0.01)):
        assert not set(task.train) & set(samples.test)
        np.testing.assert_array_equal(task.test, samples.test)


def test_contract_all_cells_of_a_repeat_see_the_same_samples_and_seed(plan):
    seen = {}
    for task in plan.score_tasks(dict.fromkeys(CELLS, 0.01)):
        _, n, repeat = task.key
        what = (*task.train, task.estimator.random_state)
        assert seen.setdefault((n, repeat), what) == what
    assert len(set(seen.values())) == len(seen) == 6


def test_contract_a_given_test_set_is_the_one_that_is_scored_on():
    plan = make_degrees_plan(X[:300], Y[:300], X_test=X[300:], y_test=Y[300:], **SMALL)
    np.testing.assert_array_equal(plan.samples.test, np.arange(300, len(X)))
    np.testing.assert_array_equal(plan.samples.pool, np.arange(300))
    assert set(plan.samples.validation) < set(range(300))
    np.testing.assert_allclose(plan.samples.views["original"], X)
    everything = SMALL | {"sizes": [300]}
    plan = make_degrees_plan(X[:300], Y[:300], X_test=X[300:], y_test=Y[300:], **everything)
    assert plan.samples.sizes == (300,)


def test_contract_number_of_fits_is_the_announced_one(plan):
    n_fits = len(plan.search_tasks()) + len(plan.score_tasks(dict.fromkeys(CELLS, 0.01)))
    assert plan.n_fits == n_fits == 6 * (2 * 2 * 2 + 2 * 3)


# --- tables --------------------------------------------------------------------------------------


def test_oracle_means_and_intervals_of_the_table(found):
    assert [
        *found.table[found.table.n == 30][["patch_size", "n_groups"]].itertuples(index=False)
    ] == CELLS
    for row in found.table.itertuples():
        chosen = found.results[
            (found.results.patch_size == row.patch_size)
            & (found.results.n_groups == row.n_groups)
            & (found.results.n == row.n)
        ]
        interval = stats.ttest_1samp(chosen.score, 0).confidence_interval(0.95)
        expected = [chosen.score.mean(), *interval]
        np.testing.assert_allclose([row.mean, row.low, row.high], expected)
        assert (row.repeats, row.n_hidden) == (3, 32)


@pytest.mark.parametrize(
    ("effect", "with_", "without"),
    [
        ("sharing", (2, 1), (2, 16)),
        ("locality, nothing shared", (4, 4), (8, 1)),
        ("locality, all shared", (2, 1), (8, 1)),
    ],
)
def test_oracle_effects_are_paired_differences(found, effect, with_, without):
    scores = found.results.set_index(["patch_size", "n_groups", "n", "repeat"]).score
    row = found.effects.set_index(["effect", "patch_size", "n"]).loc[(effect, with_[0], 90)]
    pair = [scores.loc[(*cell, 90)].sort_index().to_numpy() for cell in (with_, without)]
    interval = stats.ttest_rel(*pair).confidence_interval(0.95)
    expected = [np.mean(pair[0] - pair[1]), *interval]
    np.testing.assert_allclose([row.difference, row.low, row.high], expected)


def test_contract_every_effect_at_every_patch_size_and_n(found):
    assert len(found.effects) == 3 * 2 * 2
    assert found.effects.factor.notna().all()
    assert set(found.effects.verdict) <= {"helps", "hurts", "unclear"}


def test_limit_one_repeat_has_no_interval():
    one = degrees_of_sharing(X, Y, **SMALL | {"repeats": 1, "sizes": [30]})
    assert one.table.low.isna().all()
    assert one.effects.low.isna().all()
    assert "±" not in " ".join(map(str, degrees_report.text_tables([one])))


def test_invariance_same_seed_same_study(found):
    again = degrees_of_sharing(X, Y, **SMALL, n_jobs=1)
    other = degrees_of_sharing(X, Y, **SMALL | {"sizes": [30], "repeats": 1}, random_state=1)
    pd.testing.assert_frame_equal(again.table, found.table)
    pd.testing.assert_frame_equal(again.effects, found.effects)
    assert not set(other.results.seed) & set(found.results.seed)


def test_contract_rate_with_the_best_held_out_accuracy_is_chosen():
    scores = {0.1: {(30, 0): 0.9, (90, 0): 0.5}, 0.01: {(30, 0): 0.7, (90, 0): 0.8}}
    assert degrees._choose(scores) == (0.01, pytest.approx(0.75))
    assert degrees._choose({0.1: {(30, 0): 0.5}, 0.01: {(30, 0): 0.5}})[0] == 0.01


def test_limit_shared_filters_find_a_signal_that_may_be_anywhere():
    # A signal in one of 8 patches: rates of LCN and CNN differ by a factor of up to 8.
    signals, signs = make_dsd(n_samples=2500, n_patches=8, patch_size=8, noise=0.25, random_state=0)
    options = {"patch_sizes": [8], "stride": 8, "n_hidden": 64, "n_steps": 200, "sizes": [600]}
    options |= {"group_counts": [2], "learning_rates": [0.02], "repeats": 4}
    effects = degrees_of_sharing(signals, signs, **options).effects.set_index("effect")
    # Measured: 0.052 [0.022, 0.082] and 0.051 [0.030, 0.072].
    assert effects.low["sharing"] > 0
    assert effects.low["locality, all shared"] > 0


# --- checkpoints ---------------------------------------------------------------------------------


@pytest.fixture
def count(monkeypatch):
    """Numbers of tasks that were really fitted, one for each stream."""
    counts, stream = [], degrees.stream_fits

    def counting(tasks, **options):
        counts.append(len(tasks))
        return stream(tasks, **options)

    monkeypatch.setattr(degrees, "stream_fits", counting)
    return counts


def test_invariance_a_study_goes_on_where_it_was_interrupted(found, count, tmp_path):
    path = tmp_path / "fits.csv"
    degrees_of_sharing(X, Y, **SMALL | {"repeats": 2}, checkpoint=path)
    assert count == [48, 24]
    lines = path.read_text().splitlines(keepends=True)
    assert len(lines) == 72
    path.write_text("".join(lines[:60]) + lines[60][:20])  # cut off while it was written
    resumed = degrees_of_sharing(X, Y, **SMALL, checkpoint=path)
    assert count[2:] == [0, 24]  # 12 that were lost, 12 of the third repeat
    columns = found.table.columns.drop(["repeats"])
    pd.testing.assert_frame_equal(resumed.table[columns], found.table[columns])
    degrees_of_sharing(X, Y, **SMALL, checkpoint=path)
    assert count[4:] == [0, 0]


@pytest.mark.parametrize("change", [{"X": X + np.eye(64)[0]}, {"n_steps": 21}, {"random_state": 1}])
def test_contract_fits_of_another_study_are_not_taken(count, tmp_path, change):
    path, tiny = tmp_path / "fits.csv", SMALL | {"repeats": 1, "sizes": [30]}
    degrees_of_sharing(X, Y, **tiny, checkpoint=path)
    degrees_of_sharing(**{"X": X, "y": Y} | tiny | change, checkpoint=path)
    assert count == [24, 6, 24, 6]


def test_contract_equal_fits_are_done_once_and_told_of_twice(plan, tmp_path):
    path, first = tmp_path / "fits.csv", plan.search_tasks()[0]
    tasks, fitted = [first, replace(first, key="again"), replace(first, key="o", y=1 - first.y)], []

    def fit(tasks):
        fitted.extend(task.key for task in tasks)
        yield from (Outcome(task.key, 0.1 + len(fitted), 1 / 3, 7) for task in tasks)

    found = list(stream_remembered(tasks, fit, path))
    assert fitted == [first.key, "o"]
    assert found == [Outcome(task.key, 2.1, 1 / 3, 7) for task in tasks]
    scores = [line.split(",")[1:] for line in path.read_text().splitlines()]
    assert scores == [["2.1", "0.3333333333333333", "7"]] * 2
    again = list(stream_remembered(tasks, fit, path))
    assert sorted(again, key=str) == sorted(found, key=str)
    assert len(fitted) == 2


# --- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"patch_sizes": [9]}, "patch_sizes: 9 is larger than the input, 8"),
        ({"patch_sizes": [0]}, "patch_sizes: 0 is not a positive whole number"),
        ({"patch_sizes": [8]}, "patch_sizes: needs one that is smaller"),
        ({"patch_sizes": [3], "stride": 2}, "stride: patch_size=3 with stride=2 leaves"),
        ({"stride": 0}, "stride: 0 is not a positive"),
        ({"group_counts": [2.5]}, "group_counts: 2.5 is not a positive"),
        ({"group_counts": [7]}, "group_counts: no patch size .* into 7 regions"),
        ({"grouping": "stripes"}, "grouping: 'stripes' is none of regions, tiled, rows"),
        ({"n_hidden": 15}, "n_hidden: 15 is fewer than one for each of 16 windows of 2"),
        ({"learning_rates": []}, r"learning_rates: \[\] are not positive numbers"),
        ({"learning_rates": [0.1, -1]}, "learning_rates: .* are not positive"),
        ({"input_shape": (8, 9)}, "input_shape: 8 x 9 makes 72 features"),
        ({"X_test": X}, "X_test: needs y_test"),
        ({"X_test": X[:, :5], "y_test": Y}, r"X_test: samples of shape \(5,\)"),
        ({"X_test": X, "y_test": Y, "sizes": [len(X) + 1]}, "sizes: .* must lie between .* 3, and"),
        ({"sizes": [10_000]}, "sizes: 10000 training samples are more"),
        ({"repeats": 0}, "repeats: 0 is not a positive"),
    ],
)
def test_bad_studies_are_refused(arguments, message):
    with pytest.raises(InvalidInputError, match=message):
        make_degrees_plan(**{"X": X, "y": Y} | SMALL | arguments)


# --- the picture ---------------------------------------------------------------------------------

NAN = np.nan
MAPS = {
    400: [[0.70, 0.80, 0.75], [0.71, NAN, 0.72], [NAN, NAN, 0.60]],
    50: [[0.50, 0.55, 0.52], [0.51, NAN, 0.53], [NAN, NAN, 0.40]],
}
HALVES = {n: np.full((3, 3), 0.01) for n in MAPS}
PICTURE = {"patch_sizes": [3, 5, 8], "group_counts": [1, 4], "accuracies": MAPS}


@pytest.fixture
def display():
    axes = Figure(layout="constrained").subplots(1, 3)
    shown = DegreesDisplay(**PICTURE, n_patches=[36, 16, 1], half_widths=HALVES).plot(axes)
    shown.figure_.canvas.draw()
    return shown


def test_contract_maps_hold_what_was_handed_and_one_cell_for_the_fcn(display):
    assert [ax.get_title() for ax in display.axes_[:2]] == ["n = 50", "n = 400"]
    for n, mesh in display.meshes_.items():
        drawn = np.ma.filled(mesh.get_array().reshape(3, 3), NAN)
        expected = np.array(MAPS[n])
        np.testing.assert_array_equal(drawn[:2], expected[:2])
        np.testing.assert_array_equal(drawn[2], np.full(3, expected[2, 2]))
        assert mesh.get_clim() == (0.40, 0.80)  # one scale for all
    texts = [text.get_text() for text in display.axes_[1].texts]
    assert texts == [
        *("0.700\n± 0.010", "0.800\n± 0.010", "0.750\n± 0.010"),
        *("0.710\n± 0.010", "0.720\n± 0.010", "0.600\n± 0.010"),
    ]
    rows = [tick.get_text() for tick in display.axes_[0].get_yticklabels()]
    assert rows == ["3 (36)", "5 (16)", "FCN: 8 (1)"]
    columns = [tick.get_text() for tick in display.axes_[1].get_xticklabels()]
    assert columns == ["1\nCNN", "4", "no sharing\nLCN"]


def test_contract_curves_are_the_columns_of_the_largest_n_and_end_in_the_fcn(display):
    cnn, between, lcn = display.lines_
    np.testing.assert_array_equal(cnn.get_ydata(), [0.70, 0.71, 0.60])
    np.testing.assert_array_equal(between.get_ydata(), [0.80, 0.60])
    np.testing.assert_array_equal(lcn.get_ydata(), [0.75, 0.72, 0.60])
    assert (cnn.get_color(), lcn.get_color()) == (
        *(FAMILY_STYLES["CNN"].color, FAMILY_STYLES["LCN"].color),
    )
    bars = display.axes_[2].collections[0].get_segments()
    np.testing.assert_allclose([bar[:, 1] for bar in bars], [[0.69, 0.71], [0.70, 0.72]])


def test_limit_without_intervals_and_without_numbers_of_patches():
    plt.switch_backend("agg")
    display = DegreesDisplay([3, 8], [1], {10: [[0.5, 0.7], [NAN, 0.6]]}, title="data").plot()
    display.figure_.canvas.draw()
    assert [text.get_text() for text in display.axes_[0].texts] == ["0.500", "0.700", "0.600"]
    assert display.axes_[0].get_ylabel() == "patch size"
    assert display.figure_.get_suptitle() == "data"
    plt.close("all")


def test_contract_study_draws_its_table(found):
    display = found.display()
    cells = found.table[found.table.n == 90].set_index(["patch_size", "n_groups"])["mean"]
    expected = [
        [cells[2, 1], cells[2, 4], cells[2, 16]],
        [cells[4, 1], NAN, cells[4, 4]],  # four groups of four patches are no sharing
        [NAN, NAN, cells[8, 1]],
    ]
    np.testing.assert_array_equal(display.accuracies[90], expected)
    np.testing.assert_array_equal(display.n_patches, [16, 4, 1])
    assert degrees_png([display, display]).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"accuracies": {}}, "at least one map"),
        ({"accuracies": {5: [[0.5] * 3] * 2}}, r"accuracies\[5\] has shape \(2, 3\): .* \(3, 3\)"),
        ({"accuracies": {5: np.full((3, 3), NAN)}}, "no number to be shown"),
        ({"patch_sizes": [3, 3, 8]}, "patch_sizes is .* increasing"),
        ({"group_counts": []}, "group_counts is"),
        ({"half_widths": {7: np.zeros((3, 3))}}, "half_widths has n = 7, of which there is no"),
        ({"n_patches": [1, 2]}, r"n_patches has shape \(2,\)"),
    ],
)
def test_bad_pictures_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        DegreesDisplay(**PICTURE | arguments).plot(Figure().subplots(1, 3))


# --- what is said --------------------------------------------------------------------------------


def test_contract_sentences_name_the_patch_sizes_that_held_out_samples_choose(found):
    sentences = degrees_report.statements([found])
    local = found.table[found.table.n_patches > 1].groupby(["patch_size", "n_groups"]).validation
    best = {
        family: max(cells, key=lambda cell: (local.first()[cell], -cell[0]))[0]
        for family, cells in {"LCN": [(2, 16), (4, 4)], "CNN": [(2, 1), (4, 1)]}.items()
    }
    assert sentences[0].startswith(f"data, n = 30: without sharing, patches of {best['LCN']} ")
    assert f"all patches share, patches of {best['CNN']} change" in sentences[1]
    effects = found.effects.set_index(["effect", "patch_size", "n"])
    row = effects.loc[("locality, nothing shared", best["LCN"], 30)]
    assert f"{100 * row.difference:+.1f} points [{100 * row.low:+.1f}, " in sentences[0]
    assert "of 6 networks" in sentences[-1]
    tables = degrees_report.text_tables([found])
    assert [len(table.rows) for table in tables] == [3, 3, 6, 12]


def test_contract_embedded_data_make_plans():
    plans = [make_degrees_plan(**data) for data in degrees_report.embedded_data()]
    assert [plan.samples.name for plan in plans] == ["digits", "DSD"]
    for plan in plans:
        units = [cell.network.n_filters * cell.n_patches for cell in plan.cells]
        assert max(units) - min(units) <= 13  # 588 of 576 and 575 units on digits


# --- the command ---------------------------------------------------------------------------------

OPTIONS = ["--patch-sizes", "4", "--stride", "4", "--group-counts", "2", "--hidden", "16"]
OPTIONS += ["--sizes", "30", "60", "--steps", "5"]


@pytest.fixture
def split(tmp_path, monkeypatch):
    """A file with a test set of its own in the working directory."""
    monkeypatch.chdir(tmp_path)
    images = X.reshape(-1, 8, 8)
    parts = {"X_train": images[:400], "y_train": Y[:400], "X_test": images[400:], "y_test": Y[400:]}
    np.savez("images.npz", **parts)
    return parts


def test_command_prints_the_answer_writes_files_and_resumes(split, count, capsys):
    command = ["study", "degrees", "--data", "images.npz", *OPTIONS, "--jobs", "1", "--quick"]
    assert main(command) == 0
    out, _ = capsys.readouterr()
    words = ("images, n = 30: test accuracy", "FCN", "sharing adds", "learning rate", "Written to")
    assert all(word in out for word in words)
    files = Path("sklcnn-study-degrees")
    names = {"accuracy.csv", "checkpoint.csv", "degrees.png", "effects.csv", "results.csv"}
    assert {file.name for file in files.iterdir()} == names | {"report.html"}
    table = pd.read_csv(files / "accuracy.csv")
    assert list(table.n_patches.unique()) == [4, 1]
    assert "images, n = 60" in (files / "report.html").read_text("utf-8")
    n_fits = sum(count)
    assert main([*command, "--resume"]) == 0
    assert sum(count) == n_fits
    pd.testing.assert_frame_equal(pd.read_csv(files / "accuracy.csv"), table)
    assert main([*command, "--overwrite"]) == 0
    assert sum(count) == 2 * n_fits


def test_interrupt_says_how_to_go_on(split, monkeypatch, capsys):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(degrees, "carry_out", interrupt)
    assert main(["study", "degrees", "--data", "images.npz", *OPTIONS, "--jobs", "1"]) == 130
    assert "--resume goes on with the fits in sklcnn-study-degrees" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--data", "nowhere.npz"], "nowhere.npz: no such file"),
        (["--data", "half.npz"], "half.npz: lacks the array 'y_test'"),
        (["--data", "images.npz", "--patch-sizes", "9"], "--patch-sizes: 9 is larger"),
        (["--data", "images.npz", "--hidden", "3"], "--hidden: 3 is fewer"),
        (["--data", "images.npz", "--grouping", "stripes"], "--grouping: 'stripes' is none of"),
        (["--data", "images.npz", "--sizes", "401"], "--sizes: (401,) must lie between"),
        (["--data", "labels.npz"], "labels.npz: 'y': 3 labels for"),
        (["--seed", "-1"], "--seed: -1 is negative"),
        (["--steps", "0"], "--steps: 0 is not a positive"),
        (["--out", "images.npz"], "--out: images.npz: exists and is not a directory"),
    ],
)
def test_bad_option_is_named_in_one_line(split, capsys, options, words):
    np.savez("half.npz", X_train=X, y_train=Y, X_test=X)
    np.savez("labels.npz", X=X, y=Y[:3])
    assert main(["study", "degrees", *options]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert words.replace("'y': ", "") in err
    assert not Path("sklcnn-study-degrees").exists()
