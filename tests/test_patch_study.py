"""The study of patch schemes: numbers, noise, checkpoints, the picture, the command."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from joblib import parallel_config
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from scipy import stats

from sklcnn.cli import main
from sklcnn.datasets import load_digit_images
from sklcnn.inspection import patch_geometry
from sklcnn.patches import PATCH_SCHEMES, image_patches, patch_coverage
from sklcnn.plotting.schemes import PatchSchemesDisplay, schemes_png
from sklcnn.studies.patch_geometry import patch_study, study
from sklcnn.studies.patch_geometry import report as patches_report
from sklcnn.studies.patch_geometry.comparisons import summarize
from sklcnn.studies.patch_geometry.images import read_images
from sklcnn.studies.patch_geometry.plan import FULL_IMAGE, make_patch_plan
from sklcnn.studies.tables import InvalidInputError

DIGITS = load_digit_images(dtype="uint8").data[:150]
SAMPLING = {"n_directions": 16, "n_reference": 400, "n_queries": 100}
SMALL = {"input_shape": (8, 8), "n_seeds": 3, **SAMPLING}
FEW = SMALL | {"schemes": ["conv", "global_shuffle", "hex", FULL_IMAGE]}


@pytest.fixture(scope="module")
def found():
    return patch_study(DIGITS, **SMALL, name="digits")


def without_seconds(results):
    return results.drop(columns="seconds")


# --- the numbers ---------------------------------------------------------------------------------


def test_oracle_rows_are_those_of_the_patches_of_standardized_images():
    rng = np.random.default_rng(0)
    X = rng.gamma(2, size=(30, 2, 6, 6)) * [[[3.0]], [[50.0]]] + [[[0.0]], [[7.0]]]
    schemes = ["conv", "random_local", FULL_IMAGE]
    found = patch_study(X, patch_side=2, schemes=schemes, n_seeds=2, **SAMPLING)
    scaled = (X - X.mean(axis=(0, 2, 3), keepdims=True)) / X.std(axis=(0, 2, 3), keepdims=True)
    for row in found.results.itertuples():
        patches = None
        if row.scheme != FULL_IMAGE:
            patches = image_patches(row.scheme, (2, 6, 6), patch_side=2, random_state=row.seed)
            assert row.coverage == patch_coverage(patches, 72)
        geometry = patch_geometry(scaled, patches, random_state=row.seed, **SAMPLING)
        for name, value in geometry.summary().items():
            assert getattr(row, name) == pytest.approx(value, rel=1e-9)
        steps = found.convergence[
            (found.convergence.scheme == row.scheme) & (found.convergence.seed == row.seed)
        ]
        np.testing.assert_array_equal(steps.n_directions, [1, 2, 4, 8, 16])
        np.testing.assert_allclose(steps.mean_depth, geometry.depth.mean_depths, rtol=1e-9)


def test_invariance_to_brightness_and_contrast_of_channels():
    X = np.random.default_rng(1).normal(size=(40, 3, 4, 4)).cumsum(axis=-1)
    options = {"patch_side": 2, "schemes": ["conv", "cross"], "n_seeds": 2, **SAMPLING}
    one = patch_study(X, **options).results
    other = patch_study(X * [[[2.0]], [[0.1]], [[30.0]]] + 5, **options).results
    pd.testing.assert_frame_equal(without_seconds(one), without_seconds(other), rtol=1e-9)


def test_contract_blank_channel_stays_blank():
    X = np.random.default_rng(2).normal(size=(20, 2, 4, 4))
    X[:, 1] = 3
    found = patch_study(X, patch_side=2, schemes=["conv"], n_seeds=1, **SAMPLING)
    assert found.table.trace[0] == pytest.approx(4, rel=0.1)  # four pixels of one channel
    assert "a single seed" not in " ".join(patches_report.statements(found))


def test_contract_every_scheme_and_the_full_image_have_a_row(found):
    assert found.table.scheme.tolist() == [*PATCH_SCHEMES, FULL_IMAGE]
    assert len(found.results) == 13 * 3
    assert not found.left_out
    assert found.table.patch_size.tolist() == [4] * 12 + [64]
    images = found.table.set_index("scheme").loc[FULL_IMAGE]
    assert images.depth_verdict == images.elbow_verdict == "another dimension"
    assert images.n_patches == 150


def test_contract_only_random_schemes_have_spectra_that_differ_between_seeds(found):
    spread = found.results.groupby("scheme").trace.agg(np.ptp)
    drawn = ["global_shuffle", "random_placement", "jittered_grid", "random_local", "voronoi"]
    assert set(spread.index[spread > 1e-9]) == set(drawn)


def test_limit_scheme_that_draws_the_same_patches_is_within_noise():
    options = {"patch_side": 4, "schemes": ["conv", "multi_scale"], "n_seeds": 3, **SAMPLING}
    table = patch_study(DIGITS.reshape(-1, 8, 8)[:, 1:7, 1:7], **options).table
    row = table.set_index("scheme").loc["multi_scale"]  # wider spacings have no room
    assert row.depth_ratio == row.ratio_low == row.ratio_high == 1
    assert (row.depth_verdict, row.elbow_verdict) == ("within noise", "same")


# --- noise ---------------------------------------------------------------------------------------


def frames(depths, before=None, elbows=None, sizes=None):
    """Tables of made-up depths of each scheme, one for each seed, and of those before."""
    rows, steps = [], []
    for scheme, values in depths.items():
        for seed, depth in enumerate(values):
            elbow = (elbows or {}).get(scheme, [4] * len(values))[seed]
            size = (sizes or {}).get(scheme, 48)
            row = {"scheme": scheme, "seed": seed, "elbow": elbow, "patch_size": size}
            numbers = ("coverage", "trace", "top_share", "participation_ratio", "effective_rank")
            rows.append(row | dict.fromkeys(numbers, 1.0) | {"n_patches": 9})
            earlier = 2 * depth if before is None else before[scheme][seed]
            for count, mean in ((64, earlier), (128, depth)):
                steps.append({"scheme": scheme, "seed": seed, "n_directions": count})
                steps[-1]["mean_depth"] = mean
    return pd.DataFrame(rows), pd.DataFrame(steps)


DEPTHS = {
    "conv": [0.030, 0.034, 0.032, 0.033],
    "hex": [0.0331, 0.0375, 0.0351, 0.0364],  # 1.1 times, seed by seed
    "cross": [0.033, 0.031, 0.034, 0.030],
    "global_shuffle": [0.010, 0.0112, 0.0109, 0.0111],
}


def test_oracle_ratios_have_the_interval_of_a_paired_t_test():
    table = summarize(*frames(DEPTHS), "conv").set_index("scheme")
    for scheme in ("hex", "cross", "global_shuffle"):
        test = stats.ttest_rel(np.log(DEPTHS[scheme]), np.log(DEPTHS["conv"]))
        interval = test.confidence_interval(1 - 0.05 / 3)  # three comparisons
        row = table.loc[scheme]
        assert row.ratio_low == pytest.approx(np.exp(interval.low))
        assert row.ratio_high == pytest.approx(np.exp(interval.high))
        assert row.depth_ratio == pytest.approx(
            stats.gmean(DEPTHS[scheme]) / stats.gmean(DEPTHS["conv"])
        )
    assert table.depth_verdict.tolist() == ["reference", "deeper", "within noise", "shallower"]
    interval = stats.ttest_1samp(DEPTHS["hex"], 0).confidence_interval(0.95)
    assert tuple(table.loc["hex", ["depth_low", "depth_high"]]) == pytest.approx(interval)


def test_closed_form_convergence_is_the_drop_of_a_doubling():
    before = {scheme: np.multiply(values, 1.25) for scheme, values in DEPTHS.items()}
    before["cross"] = np.multiply(DEPTHS["cross"], 1.005)
    table = summarize(*frames(DEPTHS, before), "conv").set_index("scheme")
    assert table.last_drop["conv"] == pytest.approx(0.2)
    assert table.last_drop["cross"] == pytest.approx(1 - 1 / 1.005)
    assert table.converged.tolist() == [False, False, True, False]
    ratio = table.loc["cross"]
    assert ratio.half_ratio == pytest.approx(ratio.depth_ratio * 1.005 / 1.25)
    results, steps = frames(DEPTHS, before)
    steps["n_directions"] = steps.n_directions.replace(
        {64: 50, 128: 50 * 2**0.5}
    )  # half a doubling
    assert summarize(results, steps, "conv").last_drop[0] == pytest.approx(1 - 0.8**2)


def test_contract_elbows_differ_where_their_ranges_do_not_meet():
    elbows = {"hex": [4, 5, 6, 4], "cross": [5, 5, 6, 5], "global_shuffle": [2, 3, 3, 3]}
    table = summarize(*frames(DEPTHS, elbows=elbows), "conv")
    assert table.elbow_verdict.tolist() == ["reference", "same", "higher", "lower"]
    assert table.elbow.tolist() == [4, 4.5, 5, 3]


def test_contract_one_seed_or_a_depth_of_zero_allow_no_verdict():
    single = {scheme: values[:1] for scheme, values in DEPTHS.items()}
    table = summarize(*frames(single), "conv")
    assert table.depth_verdict.tolist() == ["reference", *["unknown"] * 3]
    zero = DEPTHS | {"hex": [0.0, 0.03, 0.03, 0.03]}
    assert summarize(*frames(zero), "conv").depth_verdict[1] == "unknown"


def test_limit_false_alarms_are_as_rare_as_promised():
    rng = np.random.default_rng(3)
    alarms, n_studies = 0, 60
    for _ in range(n_studies):
        shared = rng.normal(size=4) / 10  # what all schemes of a seed have in common
        depths = {
            scheme: np.exp(shared + rng.normal(size=4) / 10) for scheme in ("conv", *"abcdefgh")
        }
        verdicts = summarize(*frames(depths), "conv").depth_verdict[1:]
        alarms += (verdicts != "within noise").any()
    # Without the correction for eight comparisons it would be about a quarter.
    assert alarms / n_studies <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / n_studies)


def test_limit_depths_of_zero_have_no_drop():
    zero = {scheme: [0.0] * 4 for scheme in DEPTHS}
    some = frames(zero | {"conv": [0.3] * 4}, zero | {"conv": [0.5] * 4})
    settings = {"reference": "conv", "n_seeds": 4, "n_directions": 128, "patch_text": "2 x 2"}
    for made_up, moving in ((frames(zero, zero), "all mean depths have converged"), (some, "conv")):
        table = summarize(*made_up, "conv")
        assert table.converged.tolist() == [scheme != moving for scheme in table.scheme]
        found = study.PatchStudy("cats", table, *made_up, {}, settings)
        _, depths = patches_report.text_tables(found)
        drops = {row[0]: row[2] for row in depths.rows}
        assert drops == {scheme: "-40 %" if scheme == moving else "" for scheme in DEPTHS}
        said = " ".join(patches_report.statements(found))
        assert "nan" not in said + str(depths.rows)
        assert moving in said


def test_contract_statements_say_what_the_table_says():
    before = {scheme: np.multiply(values, 1.25) for scheme, values in DEPTHS.items()}
    depths = DEPTHS | {FULL_IMAGE: [0.008] * 4}
    before |= {FULL_IMAGE: [0.01] * 4, "cross": np.multiply(DEPTHS["cross"], 1.005)}
    made_up = frames(depths, before, {"global_shuffle": [40, 41, 41, 41]}, {FULL_IMAGE: 3072})
    settings = {"reference": "conv", "n_seeds": 4, "n_directions": 128}
    left_out = {"voronoi": "it does not fit"}
    found = study.PatchStudy("cats", summarize(*made_up, "conv"), *made_up, left_out, settings)
    elbows, deeper, shallower, noise, moving, halves, images, missing = patches_report.statements(
        found
    )
    assert elbows == (
        "cats: the elbow of conv is 4; same with hex (4), cross (4); higher with global_shuffle "
        "(40 to 41)."
    )
    ratio = {scheme: stats.gmean(DEPTHS[scheme]) / stats.gmean(DEPTHS["conv"]) for scheme in DEPTHS}
    begin = "cats: patches are deeper than those of conv in hex"
    assert deeper.startswith(f"{begin} ({ratio['hex']:.3f} [")
    assert f"global_shuffle ({ratio['global_shuffle']:.3f} [" in shallower
    assert "no difference in depth beyond noise: cross (" in noise
    assert "not converged for conv, hex, global_shuffle: " in moving
    assert "by 20 %" in moving
    assert "that of cross would be" in halves
    assert "full_image has 3,072 features, elbow 4 and mean depth 0.008" in images
    assert missing == "cats: voronoi is left out: it does not fit."


# --- which patches -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "side", "left_out"),
    [
        ((3, 32, 32), 4, set()),
        ((8, 8), 2, set()),
        ((1, 28, 28), 4, set()),
        ((5, 5), 2, {"non_overlap", "voronoi"}),  # 25 pixels have no shares of four
        ((3, 64, 64), 8, {FULL_IMAGE}),
    ],
)
def test_contract_side_of_a_patch_fits_the_image(shape, side, left_out):
    X = np.random.default_rng(0).normal(size=(4, *shape))
    plan = make_patch_plan(X)
    assert plan.patch_side == side
    assert plan.left_out.keys() == left_out
    assert set(plan.schemes) == {*PATCH_SCHEMES, FULL_IMAGE} - left_out
    for scheme in left_out - {FULL_IMAGE}:
        assert any(word in plan.left_out[scheme] for word in ("unseen", "equal shares"))


def test_contract_samples_are_drawn_once_and_seeds_extend_each_other():
    plan = make_patch_plan(DIGITS, input_shape=(8, 8), n_samples=40)
    rows = {tuple(image) for image in DIGITS}
    assert len(plan.X) == 40
    assert {tuple(image) for image in plan.X} <= rows
    more = make_patch_plan(DIGITS, input_shape=(8, 8), n_samples=40, n_seeds=7)
    np.testing.assert_array_equal(plan.X, more.X)
    assert more.seeds[:5] == plan.seeds
    assert len(set(more.seeds)) == 7
    other = make_patch_plan(DIGITS, input_shape=(8, 8), n_samples=40, random_state=1)
    assert not set(other.seeds) & set(plan.seeds)
    assert (other.X != plan.X).any()


BAD = [
    ({"X": np.zeros(9)}, "X: shape"),
    ({"X": DIGITS[:1]}, "X: shape .* two or more images of 8 x 8"),
    ({"X": DIGITS[:, :63]}, r"X: shape \(150, 63\)"),
    ({"X": np.full((5, 64), "a")}, "X: entries are not real numbers"),
    ({"X": np.full((5, 64), np.nan)}, "X: holds NaN"),
    ({"X": np.ones((5, 64))}, "X: all pixels of a channel are equal"),
    ({"input_shape": None}, "input_shape: is needed"),
    ({"input_shape": (64,)}, "input_shape: 64 must be HEIGHT WIDTH"),
    ({"schemes": ["conv", "waves"]}, "schemes: 'waves' is none of conv, global_shuffle"),
    ({"schemes": [FULL_IMAGE]}, "schemes: at least one scheme of patches"),
    ({"patch_side": 3, "schemes": ["conv", "voronoi"]}, "patch_side: .* sides that fit: 1, 2, 4"),
    ({"patch_side": 9}, "patch_side: 9 does not fit .* under conv; sides that fit: 1, 2, 3, 4, 8"),
    ({"patch_side": 0}, "patch_side: 0 does not fit images of 8 x 8 under conv"),
    ({"n_samples": 151}, "n_samples: 151 is more than the 150 images"),
    ({"n_samples": 1}, "n_samples: 1 is not a whole number of at least 2"),
    ({"n_seeds": 0}, "n_seeds: 0 is not"),
    ({"n_directions": 1}, "n_directions: 1 is not a whole number of at least 2"),
    ({"n_queries": 0.5}, r"n_queries: 0\.5 is not"),
    ({"n_reference": True}, "n_reference: True is not"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD)
def test_bad_input_is_named(arguments, message):
    with pytest.raises(InvalidInputError, match=message):
        patch_study(**{"X": DIGITS, "input_shape": (8, 8)} | arguments)


def test_contract_schemes_that_do_not_fit_are_left_out_with_a_reason():
    found = patch_study(DIGITS, **SMALL | {"patch_side": 3, "n_seeds": 1})
    assert found.left_out.keys() == {"non_overlap", "voronoi"}
    said = " ".join(patches_report.statements(found))
    assert "voronoi is left out: patch_side=3 gives patches of 9 pixels" in said
    assert "a single seed knows no noise" in said


# --- checkpoints ---------------------------------------------------------------------------------


@pytest.fixture
def measured(monkeypatch):
    """Pairs of scheme and seed that were really measured."""
    pairs, measure = [], study._measure

    def watching(plan, name, scheme, seed):
        pairs.append((scheme, seed))
        return measure(plan, name, scheme, seed)

    monkeypatch.setattr(study, "_measure", watching)
    return pairs


def assert_same_study(one, other):
    pd.testing.assert_frame_equal(one.table, other.table)
    pd.testing.assert_frame_equal(one.convergence, other.convergence)
    pd.testing.assert_frame_equal(without_seconds(one.results), without_seconds(other.results))


def test_invariance_an_interrupted_study_goes_on(measured, monkeypatch, tmp_path):
    path, measure = tmp_path / "checkpoint.jsonl", study._measure
    whole = patch_study(DIGITS, **FEW)
    assert len(measured) == 12

    def interrupted(*arguments):
        if len(measured) == 12 + 5:
            raise KeyboardInterrupt
        return measure(*arguments)

    monkeypatch.setattr(study, "_measure", interrupted)
    with pytest.raises(KeyboardInterrupt):
        patch_study(DIGITS, **FEW, checkpoint=path)
    monkeypatch.setattr(study, "_measure", measure)
    lines = path.read_text().splitlines(keepends=True)
    assert len(lines) == 5
    path.write_text("".join(lines[:4]) + lines[4][:30])  # cut off while it was written
    del measured[:]
    assert_same_study(patch_study(DIGITS, **FEW, checkpoint=path), whole)
    assert len(measured) == len(set(measured)) == 12 - 4
    more = FEW | {"n_seeds": 4, "schemes": [*FEW["schemes"], "cross"]}
    patch_study(DIGITS, **more, checkpoint=path)
    assert len(measured) == 8 + (4 * 5 - 12)


@pytest.mark.parametrize(
    "change", [{"X": DIGITS + np.eye(64)[0]}, {"n_directions": 17}, {"random_state": 1}]
)
def test_contract_records_of_another_study_are_not_taken(measured, tmp_path, change):
    path, tiny = tmp_path / "checkpoint.jsonl", SMALL | {"schemes": ["conv"], "n_seeds": 1}
    patch_study(DIGITS, **tiny, checkpoint=path)
    patch_study(**{"X": DIGITS} | tiny | change, checkpoint=path)
    assert len(measured) == 2


def test_invariance_to_the_number_of_jobs(found):
    with parallel_config(backend="threading"):
        side_by_side = patch_study(DIGITS, **SMALL, n_jobs=2, name="digits")
    assert_same_study(side_by_side, found)


# --- the picture ---------------------------------------------------------------------------------

PICTURE = {
    "names": ["conv", "global_shuffle", "full_image"],
    "elbows": [[4, 40, 89], [4, 41, 89], [4, 42, 89]],
    "dimensions": [1.8, 12, 9],
    "n_directions": [64, 128],
    "mean_depths": [[0.06, 0.05], [0.04, 0.02], [np.nan, np.nan]],
}
MORE = {
    "intervals": [[0.04, -0.01, np.nan], [0.06, 0.05, np.nan]],
    "verdicts": ["reference", "shallower", "another dimension"],
    "reference": "conv",
}


def test_contract_picture_has_a_row_for_each_scheme():
    display = PatchSchemesDisplay(**PICTURE, **MORE)
    elbow, dimension, depth = display.plot(Figure(layout="constrained").subplots(1, 3)).axes_
    labels = [text.get_text() for text in elbow.get_yticklabels()]
    assert labels == ["conv", "global shuffle", "full image"]
    np.testing.assert_array_equal(elbow.lines[0].get_xydata(), [[4, 0], [41, 1], [89, 2]])
    np.testing.assert_array_equal(dimension.lines[0].get_xdata(), PICTURE["dimensions"])
    tips = {line.get_ydata()[0]: line for line in depth.lines if len(line.get_ydata()) == 1}
    assert {row: line.get_xdata()[0] for row, line in tips.items()} == {0: 0.05, 1: 0.02}
    assert (tips[0].get_marker(), tips[1].get_marker()) == ("o", "<")
    assert [text.get_text() for text in depth.texts] == ["another dimension"]
    words = [text.get_text() for text in depth.get_legend().get_texts()]
    assert words == ["shallower than conv", "conv", "95 % interval", "after 64 directions"]
    display.figure_.canvas.draw()


def test_contract_study_is_drawn(found):
    plt.switch_backend("agg")
    display = found.plot()
    assert len(display.axes_[0].get_yticklabels()) == 13
    assert display.figure_.get_suptitle() == "digits: patches of 2 x 2"
    plt.close("all")
    assert schemes_png(found.display(), dpi=40).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"elbows": [[4, 5, 6]]}, r"elbows has shape \(1, 3\)"),
        ({"dimensions": [1]}, "dimensions has shape"),
        ({"n_directions": [128, 64]}, "n_directions is .* increasing"),
        ({"mean_depths": [[1, 2]]}, "mean_depths has shape"),
        ({"intervals": [[1, 2]]}, "intervals has shape"),
        ({"verdicts": ["deeper"]}, "verdicts has 1 words for 3 names"),
        ({"reference": "hex"}, "reference='hex' must be one of conv"),
    ],
)
def test_bad_pictures_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        PatchSchemesDisplay(**PICTURE | MORE | arguments)


# --- files and the command -----------------------------------------------------------------------


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A file ``images.npz`` in the working directory."""
    monkeypatch.chdir(tmp_path)
    np.savez("images.npz", X=DIGITS.reshape(-1, 8, 8))
    return tmp_path


def test_contract_images_are_read_from_any_layout(here):
    images = np.random.default_rng(0).integers(256, size=(10, 3, 8, 6), dtype=np.uint8)
    np.savez("first.npz", images=images)
    np.savez("last.npz", X=np.moveaxis(images, 1, 3))
    np.savez("train.npz", X_test=images[:2], X_train=images, y_train=np.zeros(10))
    np.savez("flat.npz", data=images.reshape(10, -1))
    shapes = {"flat.npz": (3, 8, 6)}
    for name in ("first.npz", "last.npz", "train.npz", "flat.npz"):
        plan = make_patch_plan(**read_images(name, shapes.get(name)))
        np.testing.assert_array_equal(plan.X, images.reshape(10, -1))
        assert plan.input_shape == (3, 8, 6)


def test_invariance_channels_last():
    images = np.random.default_rng(0).integers(256, size=(10, 3, 8, 8), dtype=np.uint8)
    last = np.moveaxis(images, 1, 3)
    for shape in (None, (3, 8, 8)):
        plan = make_patch_plan(last, input_shape=shape)
        np.testing.assert_array_equal(plan.X, images.reshape(10, -1))
        assert plan.input_shape == (3, 8, 8)
    few = {"schemes": ["conv", "cross"], "n_seeds": 2, **SAMPLING}
    assert_same_study(patch_study(last, **few), patch_study(images, **few))
    # What cannot be channels last is not: two channels of 4 x 4 pixels.
    assert make_patch_plan(np.random.default_rng(0).random((9, 2, 4, 4))).input_shape == (2, 4, 4)
    # What is said counts: eight channels of 8 x 3 pixels.
    assert make_patch_plan(last, input_shape=(8, 8, 3)).input_shape == (8, 8, 3)


TINY = ["--schemes", "conv", "cross", "--seeds", "2", "--directions", "8", "--quick"]


def test_command_prints_the_answer_writes_files_and_resumes(here, measured, capsys):
    command = ["study", "patches", "--data", "images.npz", *TINY]
    assert main(command) == 0
    out, err = capsys.readouterr()
    words = ("patches of 2 x 2: principal components", "half-space depth, 8 directions, 2 seeds")
    for word in (*words, "the elbow of conv is", "not converged for any scheme", "Written to"):
        assert word in " ".join(out.split())
    assert "images: geometry of patches" in err
    files = Path("sklcnn-study-patches")
    tables = {"results.csv", "summary.csv", "convergence.csv"}
    names = tables | {"checkpoint.jsonl", "schemes.png", "report.html"}
    assert {file.name for file in files.iterdir()} == names
    assert len(pd.read_csv(files / "results.csv")) == len(measured) == 4
    table = pd.read_csv(files / "summary.csv")
    assert "the elbow of conv is" in (files / "report.html").read_text("utf-8")
    assert main([*command, "--resume"]) == 0
    assert len(measured) == 4
    pd.testing.assert_frame_equal(pd.read_csv(files / "summary.csv"), table)
    assert main([*command, "--overwrite"]) == 0
    assert len(measured) == 8


def test_command_takes_the_digits_without_data(here, measured):
    options = ["--schemes", "conv", "--seeds", "1", "--samples", "50", "--patch-size", "4"]
    assert main(["study", "patches", "--quick", *options]) == 0
    row = pd.read_csv("sklcnn-study-patches/results.csv").iloc[0]
    assert (row.data, row.patch_size, row.n_patches) == ("digits", 16, 50 * 9)


def test_interrupt_says_how_to_go_on(here, monkeypatch, capsys):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(study, "_measure", interrupt)
    assert main(["study", "patches", *TINY]) == 130
    said = capsys.readouterr().err
    assert "--resume goes on with the schemes in sklcnn-study-patches/checkpoint.jsonl" in said


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--data nowhere.npz", "nowhere.npz: no such file"),
        ("--data .", ".: is a directory, not a file"),
        ("--data notes.txt", "notes.txt: is not an NPZ file"),
        ("--data labels.npz", "labels.npz: holds no images as X_train, X or images; it holds y"),
        ("--data objects.npz", "objects.npz: the array 'X' cannot be read"),
        ("--data flat.npz", "--input-shape: is needed for flat images"),
        ("--data flat.npz --input-shape 8 9", "flat.npz: shape (150, 64); needed are two or more"),
        ("--input-shape 8 8", "--input-shape: needs --data"),
        ("--schemes waves", "--schemes: 'waves' is none of conv"),
        ("--patch-size 9", "--patch-size: 9 does not fit images of 8 x 8 under conv; sides that"),
        ("--patch-size 5", "--patch-size: 5 does not fit images of 8 x 8 under conv; sides that"),
        ("--samples 2000", "--samples: 2000 is more than the 1797 images"),
        ("--directions 1", "--directions: 1 is not"),
        ("--seeds 0", "--seeds: 0 is not"),
        ("--seed -1", "--seed: -1 is negative"),
        ("--jobs 0", "--jobs: 0 is not a positive"),
    ],
)
def test_bad_option_is_named_in_one_line(here, capsys, options, words):
    Path("notes.txt").write_text("cats")
    np.savez("labels.npz", y=[1, 2])
    np.savez("objects.npz", X=np.array([{}, {}], dtype=object))
    np.savez("flat.npz", X=DIGITS)
    assert main(["study", "patches", *options.split()]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert f"sklcnn: {words}" in err
    assert "patch_side" not in err
    assert not Path("sklcnn-study-patches").exists()
