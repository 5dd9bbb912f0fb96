"""What the stability study says, shows and writes follows from its numbers."""

import dataclasses
import itertools

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from scipy import stats

from sklcnn.cli import main
from sklcnn.plotting import FAMILY_STYLES, StabilityDisplay
from sklcnn.plotting.stability import stability_png
from sklcnn.studies.intervals import t_interval
from sklcnn.studies.stability import StabilityStudy
from sklcnn.studies.stability import runs as study_runs
from sklcnn.studies.stability.image_files import read_image_file
from sklcnn.studies.stability.means import at_end, means
from sklcnn.studies.stability.report import statements, text_tables
from sklcnn.studies.stability.wording import compared, interval_text, number_text
from sklcnn.studies.tables import InvalidInputError

SIZES = (10, 40, 160)
DIMENSIONS = (20, 40)
LABELS = ["part", "network", "n_features", "patch_size", "n_filters", "n_samples", "repeat"]
MEASURES = {
    "loss": 0.1,
    "clean_train_error": 1.0,
    "excess": 0.5,
    "gap": 1.0,
    "target_variance": 0.25,
    "sharpness": 10.0,
    "threshold": 10.0,
    "path_norm": 30.0,
    "weighted_path_norm": 1.0,
    "path_norm_bound": 2.0,
    "bound_holds": 1.0,
    "mean_activation_rate": 0.25,
    "dead_share": 0.1,
    "n_parameters": 100,
}


@pytest.fixture(autouse=True)
def _no_display():
    """Draw into memory, and leave no figure open."""
    plt.switch_backend("agg")
    yield
    plt.close("all")


def rows_of(*labels, **measures):
    """Rows of one run after no step, 10 and 100."""
    named = dict(zip(LABELS, labels, strict=True))
    return [named | {"step": step} | MEASURES | measures for step in (0, 10, 100)]


def sphere_rows(repeats=3):
    """FCN, LCN and CNN in two dimensions, and a CNN with other patches in one."""
    rows = []
    networks = [("FCN", d, d) for d in DIMENSIONS]
    networks += [(name, d, 10) for name in ("LCN", "CNN") for d in DIMENSIONS] + [("CNN", 40, 5)]
    for (network, d, m), n, repeat in itertools.product(networks, SIZES, range(repeats)):
        gap = (1 + 0.1 * repeat) * m * n**-0.5
        known = {} if network != "LCN" else {"bound_holds": np.nan}
        rows += rows_of("sphere", network, d, m, 8, n, repeat, gap=gap, **known)
    return rows


def flat_rows(repeats=3, **measures):
    return [
        row
        for repeat in range(repeats)
        for row in rows_of("flat", "CNN", 80, 10, 64, 32, repeat, **measures)
    ]


def image_rows(fcn=(0.5, 0.6, 0.7), cnn=(0.1, 0.12, 0.14)):
    rows = []
    for repeat, (one, other) in enumerate(zip(fcn, cnn, strict=True)):
        rows += rows_of("images", "FCN", 64, 64, 8, 32, repeat, excess=one, n_parameters=500)
        rows += rows_of("images", "CNN", 64, 9, 8, 32, repeat, excess=other)
    return rows


ALL = sphere_rows() + flat_rows() + image_rows()
CERTIFICATES = pd.DataFrame(
    {
        "repeat": [0, 1],
        "n_samples": 32,
        "loss": [1e-30, 2e-30],
        "sharpness": [2.1, 2.2],
        "residual": 1e-8,
        "sharpness_bound": [2.3, 2.4],
        "threshold": 10.0,
        "largest_stable_rate": [0.95, 0.91],
        "excess": [0.3, 0.4],
        "relative_excess": [1.2, 1.6],
    }
)
SLOPE = {"slope": -0.5, "low": -0.6, "high": -0.4, "repeats": 3}
SLOPES = pd.DataFrame(
    [
        {"network": "FCN", "quantity": "gap", "n_features": 20, "patch_size": 20, "theory": 0.0},
        {"network": "LCN", "quantity": "gap", "n_features": 20, "patch_size": 10},
        {"network": "CNN", "quantity": "gap", "n_features": 20, "patch_size": 10, "theory": -0.1},
        {"network": "CNN", "quantity": "excess", "n_features": 20, "patch_size": 10},
    ]
).assign(**SLOPE, n_min=10, n_max=160, floor_share=0.2)
DIMENSION_SLOPES = pd.DataFrame(
    [{"network": "FCN", "quantity": "gap", "n_samples": n} for n in SIZES]
).assign(**SLOPE, d_min=20, d_max=40)
PATCH_SLOPES = pd.DataFrame(
    [{"network": "CNN", "quantity": "gap", "n_features": 40, "n_samples": n} for n in SIZES]
).assign(**SLOPE, m_min=5, m_max=10)


def make_study(rows=ALL, **tables):
    """A study of these rows, with all other tables as they are."""
    trajectories = pd.DataFrame(rows)
    results = (
        trajectories.groupby(LABELS, sort=False).tail(1).assign(gap_change=0.02, constant_gap=0.3)
    )
    known = {
        "slopes": SLOPES,
        "dimension_slopes": DIMENSION_SLOPES,
        "patch_slopes": PATCH_SLOPES,
        "certificates": CERTIFICATES,
        "settings": {"flat": {"noise": 1.0}},
    }
    return StabilityStudy(trajectories=trajectories, results=results, **(known | tables))


def said(study, *words):
    """The only sentence with all these words."""
    (sentence,) = (one for one in statements(study) if all(word in one for word in words))
    return sentence


# --- means ---------------------------------------------------------------------------------------


def test_oracle_intervals_are_those_of_a_t_test():
    values = np.random.default_rng(0).lognormal(size=7)
    expected = stats.ttest_1samp(values, 0).confidence_interval()
    np.testing.assert_allclose(t_interval(values), [values.mean(), *expected])
    expected = stats.ttest_1samp(np.log(values), 0).confidence_interval()
    np.testing.assert_allclose(
        t_interval(values, logarithmic=True), [stats.gmean(values), *np.exp(expected)]
    )


def test_limit_one_value_or_a_zero_has_no_interval():
    np.testing.assert_array_equal(t_interval(np.array([2.0, np.nan])), [2, np.nan, np.nan])
    np.testing.assert_array_equal(t_interval(np.array([])), [np.nan] * 3)
    mean, *ends = t_interval(np.array([0.0, 4.0]), logarithmic=True)
    assert (mean, np.isnan(ends).all()) == (stats.gmean([0.0, 4.0]), True) == (0, True)
    negative = t_interval(np.array([-1.0, 4.0, 0.0]), logarithmic=True)
    np.testing.assert_array_equal(negative, [np.nan] * 3)


def test_closed_form_averages_of_one_configuration():
    rows = [
        row
        for repeat, gap in enumerate((1.0, 4.0))
        for row in rows_of("flat", "CNN", 80, 10, 64, 32, repeat, gap=gap)
    ]
    averages = means(pd.DataFrame(rows))
    assert averages["step"].tolist() == [0, 10, 100]
    last = averages.iloc[-1]
    assert last["gap"] == pytest.approx(2)
    assert (last["relative_excess"], last["relative_sharpness"]) == (2, 1)
    half = stats.t.ppf(0.975, 1) * np.std(np.log([1, 4]), ddof=1) / np.sqrt(2)
    assert np.log(last["gap_high"] / last["gap_low"]) == pytest.approx(2 * half)


def test_contract_runs_that_diverge_are_left_out_and_counted():
    rows = flat_rows()
    rows[-1] |= dict.fromkeys(MEASURES, np.nan) | {"loss": np.inf}
    averages = means(pd.DataFrame(rows))
    assert averages["repeats"].tolist() == [3, 3, 2]
    assert "1 of 3 diverged" in said(make_study(rows), "Patch-wise sphere", "edge", "runs")
    only = flat_rows(repeats=1, loss=np.inf)
    assert len(means(pd.DataFrame(only))) == 0


def test_contract_ends_are_those_of_each_part():
    rows = flat_rows(repeats=1) + [row for row in image_rows() if row["step"] < 100]
    ends = at_end(pd.DataFrame(rows))
    assert list(zip(ends["part"], ends["step"], strict=True)) == [
        ("flat", 100),
        ("images", 10),
        ("images", 10),
    ]


def test_contract_nothing_is_reported_of_networks_that_all_diverged():
    rows = image_rows()
    lost = dict.fromkeys(MEASURES, np.nan) | {"loss": np.inf}
    rows = [row | (lost if row["step"] == 100 else {}) for row in rows if row["network"] == "FCN"]
    study = make_study(rows, certificates=pd.DataFrame())
    assert len(at_end(study.trajectories)) == 0
    (edge, bound) = statements(study)
    assert edge == "Images: all 3 runs diverged."
    assert "6 of 6" in bound
    assert [len(table.rows) for table in text_tables(study)] == [0, 0, 2]


# --- words ---------------------------------------------------------------------------------------


def test_contract_words_follow_intervals():
    words = 1.0, "below", "above"
    assert compared(0.1, 0.9, *words) == "below"
    assert compared(1.1, 1.9, *words) == "above"
    assert compared(0.9, 1.1, *words) == "undecided"
    assert compared(np.nan, np.nan, *words) == "undecided"


def test_contract_numbers_as_text():
    assert number_text(1234567) == "1,230,000"
    assert number_text(-0.00123456) == "−0.00123"
    assert number_text(2e-17) == "2e-17"
    assert number_text(0) == "0"
    assert interval_text(-1.0, -2.0, np.inf) == "−1 [−2, inf]"


# --- sentences -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (-0.6, -0.2, ["falls like", "; steeper than the bound"]),
        (-0.09, -0.01, ["falls like", "; less steep than the bound"]),
        (-0.2, -0.01, ["falls like", "undecided whether steeper"]),
        (-0.2, 0.2, ["undecided whether it falls", "undecided whether steeper"]),
        (0.1, 0.2, ["grows like", "; less steep than the bound"]),
        (np.nan, np.nan, ["undecided whether it falls", "undecided whether steeper"]),
    ],
)
def test_contract_slope_of_the_cnn_beside_theory(low, high, words):
    study = make_study(slopes=SLOPES.assign(low=low, high=high))
    sentence = said(study, "Sphere, CNN", "bound of theory", "n = 10 to 160")
    for word in [*words, "20 features, patches of 10", "n^−0.1."]:
        assert word in sentence


@pytest.mark.parametrize(
    ("low", "share", "verdict"), [(-0.6, 0.25, True), (-0.6, 0.26, False), (-0.2, 0.9, True)]
)
def test_contract_slopes_of_mere_noise_are_not_called_steeper(low, share, verdict):
    study = make_study(slopes=SLOPES.assign(low=low, high=low + 0.19, floor_share=share))
    sentence = said(study, "Sphere, CNN", "bound of theory", "n = 10 to 160")
    assert ("steeper than" in sentence) == verdict
    if not verdict:
        assert "no verdict" in sentence
        assert "26 % of these gaps are not above that of a constant" in sentence


def test_closed_form_gaps_at_the_floor_are_counted():
    results = pd.DataFrame(sphere_rows()).query("step == 100")
    low = int((results["gap"] <= 1.0).sum())
    study = make_study()
    study = dataclasses.replace(study, results=study.results.assign(constant_gap=1.0))
    assert 0 < low < len(results) == 63
    assert f"{low} of 63 gaps are not above" in said(study, "gaps", "constant predictor, the mean")


def test_limit_slopes_without_a_line_are_not_spoken_of():
    nan = {"slope": np.nan, "low": np.nan, "high": np.nan}
    study = make_study(slopes=SLOPES.assign(**nan), patch_slopes=PATCH_SLOPES.assign(**nan))
    assert not any("n^" in one or "m^" in one for one in statements(study))


def test_contract_networks_without_a_bound_say_so():
    study = make_study()
    assert said(study, "Sphere, FCN:").endswith("theory has no guarantee that it falls.")
    assert said(study, "Sphere, LCN:").endswith("theory has no bound.")


@pytest.mark.parametrize(
    ("low", "high", "word"), [(0.1, 0.3, "grows"), (-0.3, -0.1, "falls"), (-1, 1, "undecided")]
)
def test_contract_gap_over_dimension_and_patch_size(low, high, word):
    interval = {"low": low, "high": high}
    study = make_study(
        dimension_slopes=DIMENSION_SLOPES.assign(**interval),
        patch_slopes=PATCH_SLOPES.assign(**interval),
    )
    for n in (10, 160):
        assert word in said(study, f"FCN, n = {n}, number of features d = 20 to 40")
        assert word in said(study, f"CNN, n = {n}, 40 features, patch size m = 5 to 10")
    assert not any("n = 40, " in one and "d = " in one for one in statements(study))


def test_closed_form_excess_beside_the_constant_predictor():
    excess = {"FCN": (0.5, 0.51, 0.52), "LCN": (0.1, 0.11, 0.12), "CNN": (0.1, 0.25, 0.625)}
    rows = [
        row
        for network, values in excess.items()
        for repeat, value in enumerate(values)
        for row in rows_of("sphere", network, 20, 10, 8, 10, repeat, excess=value)
    ]
    study = make_study(rows)
    sentence = said(study, "Sphere", "1 of 3 networks and sizes are better")
    assert "1 worse and 1 undecided" in sentence
    assert "2.04 [" in said(study, "Sphere, FCN, n = 10", "variance of the target")


@pytest.mark.parametrize(
    ("sharpness", "words"), [(10.19, "3 of 3 runs end at or below"), (10.21, "0 of 3 runs end")]
)
def test_contract_edge_has_two_percent(sharpness, words):
    assert words in said(make_study(flat_rows(sharpness=sharpness)), "Patch-wise", "runs end")


@pytest.mark.parametrize(
    ("loss", "word"), [(0.009, "it is learned by heart"), (0.011, "it is not all learned")]
)
def test_contract_noise_is_learned_where_the_loss_vanishes_beside_it(loss, word):
    assert word in said(make_study(flat_rows(loss=loss)), "training loss is")


def test_limit_without_noise_nothing_is_said_of_it():
    study = make_study(flat_rows(), settings={"flat": {"noise": 0.0}})
    sentence = said(study, "training loss is")
    assert "noise" not in sentence


def test_contract_flat_run_from_start_to_end():
    rows = flat_rows()
    for row in rows:
        row["mean_activation_rate"] = {0: 0.5, 10: 0.02, 100: 0.05}[row["step"]]
        row["loss"] = {0: 2.0, 10: 1.5, 100: 0.1}[row["step"]]
    study = make_study(rows)
    sentence = said(study, "a filter is active")
    assert "50 % of the patches at step 0, on 2 % at the least, after step 10" in sentence
    assert "5 % at the end, after step 100; 10 %" in sentence
    fall = "Half of the fall was over after step 10 of 100, at a training loss of 1.5"
    assert f"{fall}, and it rose after its least." in sentence
    assert "1 [1, 1] of the edge" in said(study, "the sharpness ends at 10")


@pytest.mark.parametrize(
    ("rates", "words"),
    [
        ((0.5, 0.4, 0.1), "Half of the fall was over after step 100 of 100, at a training loss"),
        ((0.5, 0.6, 0.7), "The rate was never below its start."),
    ],
)
def test_contract_the_fall_of_the_activation_rate_is_dated(rates, words):
    rows = flat_rows()
    for row in rows:
        row["mean_activation_rate"] = dict(zip((0, 10, 100), rates, strict=True))[row["step"]]
    sentence = said(make_study(rows), "a filter is active")
    assert words in sentence
    assert "rose" not in sentence


@pytest.mark.parametrize(
    ("excess", "word"),
    [
        ((0.2, 0.21, 0.22), "better than"),
        ((0.4, 0.41, 0.42), "worse than"),
        ((0.1, 0.25, 0.6), "undecided whether better or worse than"),
    ],
)
def test_contract_flat_excess_beside_the_constant_predictor(excess, word):
    rows = flat_rows()
    for row in rows:
        row["excess"] = excess[row["repeat"]]
    assert f": {word} the constant predictor" in said(make_study(rows), "the excess risk", "Patch")


def test_contract_certificates_are_counted():
    study = make_study()
    assert "in 2 of 2 repeats, within the bound of theory in 2" in said(study, "flat interp", "los")
    worse = CERTIFICATES.assign(sharpness=[2.5, 11.0])
    sentence = said(make_study(certificates=worse), "flat interpolator", "loss")
    assert "in 1 of 2 repeats, within the bound of theory in 0" in sentence
    assert "undecided" in said(study, "flat interpolator", "excess")


def test_invariance_of_the_ratio_on_images_to_what_repeats_have_in_common():
    cnn = np.array([0.1, 1.0, 10.0])
    study = make_study(image_rows(fcn=4 * cnn, cnn=cnn))
    sentence = said(study, "Images", "times that of the CNN")
    assert "4 [4, 4] times that of the CNN: the CNN is better" in sentence
    assert "5 times the parameters" in sentence
    assert "the same in all repeats" in said(study, "Images", "training images, noise")
    assert "undecided" in said(study, "Images, CNN")


def test_contract_ratio_on_images_switches():
    turned = make_study(image_rows(fcn=(0.1, 0.11, 0.12), cnn=(0.5, 0.6, 0.7)))
    assert "the FCN is better" in said(turned, "times that of the CNN")
    unclear = make_study(image_rows(fcn=(0.1, 0.5, 0.9), cnn=(0.5, 0.4, 0.3)))
    assert "undecided" in said(unclear, "times that of the CNN")
    alone = make_study([row for row in image_rows() if row["network"] == "CNN"])
    assert not any("times that of the CNN" in one for one in statements(alone))


def test_contract_every_violation_of_the_bound_is_counted():
    rows = flat_rows() + image_rows()
    assert "27 of 27 measurements" in said(make_study(rows), "weighted path norm")
    rows[4] = rows[4] | {"bound_holds": 0.0}
    assert "26 of 27 measurements" in said(make_study(rows), "weighted path norm")
    nowhere = make_study(flat_rows(bound_holds=np.nan))
    assert not any("weighted path norm" in one for one in statements(nowhere))


# --- tables --------------------------------------------------------------------------------------


def test_contract_tables_hold_every_row():
    study = make_study()
    tables = {table.title: table for table in text_tables(study)}
    assert all(len(row) == len(table.header) for table in tables.values() for row in table.rows)
    n_rows = {title: len(table.rows) for title, table in tables.items()}
    assert n_rows == {
        "sphere: gap and excess after the last step": 7 * 3,
        "sphere: training after the last step": 7 * 3,
        "sphere: slopes of logarithms over the logarithm of n": 4,
        "sphere: slopes of logarithms over the logarithm of the number of features d": 3,
        "sphere: slopes of logarithms over the logarithm of the patch size m": 3,
        "patch-wise sphere: gap and excess after the last step": 1,
        "patch-wise sphere: training after the last step": 1,
        "patch-wise sphere: the way of the CNN": 3,
        "images: gap and excess after the last step": 2,
        "images: training after the last step": 2,
        "images: the way of the FCN": 3,
        "images: the way of the CNN": 3,
        "patch-wise sphere: explicit flat interpolators": 2,
    }
    images = tables["images: gap and excess after the last step"].rows
    assert images[0][:4] == ("FCN", "64", "64", "32")
    assert images[0][-1].startswith("2.4 [")
    slopes = tables["sphere: slopes of logarithms over the logarithm of n"]
    assert slopes.rows[2] == ("CNN", "gap", "20", "10", "10", "160", "−0.5 [−0.6, −0.4]", "−0.1")


def test_limit_parts_that_were_not_run_have_no_tables():
    study = make_study(flat_rows(), certificates=pd.DataFrame())
    assert {table.title.partition(":")[0] for table in text_tables(study)} == {"patch-wise sphere"}
    assert all("Patch-wise" in one or "All parts" in one for one in statements(study))


# --- the picture ---------------------------------------------------------------------------------

ROWS = {"sphere": sphere_rows(), "flat": flat_rows(), "images": image_rows()}
SUBSETS = [names for k in (1, 2, 3) for names in itertools.combinations(ROWS, k)]


@pytest.mark.parametrize("names", SUBSETS, ids="-".join)
def test_contract_every_subset_of_parts_is_drawn(names):
    study = make_study([row for name in names for row in ROWS[name]])
    display = study.plot()
    assert {part for part, _ in display.axes_} == set(names)
    assert len(display.figure_.axes) == len(display.panels_)
    if len(names) != 2:  # drawing is slow, and a row knows nothing of the others
        assert stability_png(study.display(), dpi=20).startswith(b"\x89PNG")


def line_of(ax, label):
    return next(line for line in ax.get_lines() if line.get_label() == label)


def test_contract_curves_hold_the_averages():
    study = make_study()
    averages = at_end(study.trajectories).query("part == 'sphere'")
    ax = study.plot().axes_["sphere", "gap"]
    drawn = [tuple(line.get_ydata()) for line in ax.get_lines() if line.get_ls() == "-"]
    main_patch = averages[averages["patch_size"] != 5]
    curves = [tuple(own["gap"]) for _, own in main_patch.groupby(["network", "n_features"])]
    assert sorted(drawn) == sorted(curves)
    assert len(drawn) == 6
    np.testing.assert_array_equal(ax.get_lines()[0].get_xdata(), SIZES)


def test_closed_form_guide_has_the_slope_of_theory():
    (guide,) = make_study().plot().theory_
    x, y = np.log(guide.get_xdata()), np.log(guide.get_ydata())
    np.testing.assert_allclose(np.polyfit(x, y, 1)[0], -0.1)
    gaps = [(1 + 0.1 * repeat) * 10 * n**-0.5 for repeat in range(3) for n in SIZES]
    assert y.mean() == pytest.approx(np.log(gaps).mean())


def test_contract_families_have_their_colors_darker_in_higher_dimension():
    ax = make_study().plot().axes_["sphere", "gap"]
    for family, style in FAMILY_STYLES.items():
        lines = [line for line in ax.get_lines() if line.get_marker() == style.marker]
        shades = [sum(to_rgb(line.get_color())) for line in lines]
        if family != "pooled CNN":
            assert shades[0] > sum(to_rgb(style.color)) > shades[1]


def test_contract_levels_are_where_they_belong():
    axes = make_study().plot().axes_

    def levels(*panel):
        return {
            text.get_text(): line.get_ydata()[0]
            for line, text in zip(
                [line for line in axes[panel].get_lines() if line.get_gid() == "level"],
                axes[panel].texts,
                strict=True,
            )
        }

    assert levels("sphere", "relative_excess") == {"constant predictor": 1}
    assert levels("flat", "excess") == {"variance of the target": 0.25, "variance of the noise": 1}
    assert levels("images", "excess") == {"variance of the target": 0.25}
    for part in ROWS:
        assert levels(part, "relative_sharpness") == {"edge of stability": 1}
    for ax in axes.values():  # each level is in the picture
        low, high = ax.get_ylim()
        assert all(low < line.get_ydata()[0] < high for line in ax.get_lines() if line.get_gid())
    marks = line_of(axes["flat", "relative_sharpness"], "explicit flat interpolator")
    np.testing.assert_allclose(marks.get_xydata(), [[100, 0.21], [100, 0.22]])


@pytest.mark.parametrize(("repeats", "n_bands"), [(2, 0), (3, 6)])
def test_contract_bands_need_three_repeats(repeats, n_bands):
    axes = make_study(sphere_rows(repeats)).plot().axes_
    assert len(axes["sphere", "gap"].collections) == n_bands


def test_limit_wide_bands_leave_the_picture():
    rows = flat_rows()
    for row in rows:
        row["excess"] = 100.0 ** row["repeat"]
    ax = make_study(rows).plot().axes_["flat", "excess"]
    low, high = ax.get_ylim()
    assert low >= 0.25 / 3.01
    assert high <= 100 * 3.01


def test_contract_axes_that_are_given_need_no_pyplot():
    study = make_study()
    figure = Figure(figsize=(20, 20))
    display = study.plot(figure.subplots(3, 4).ravel()[:11])
    figure.canvas.draw()
    assert display.figure_ is figure
    assert plt.get_fignums() == []
    with pytest.raises(ValueError, match="axes holds 1 axes, but 11 are needed"):
        study.plot(Figure().subplots())


def test_contract_comma_in_a_name_gives_dashes():
    rows = image_rows()
    for row in rows:
        row["network"] = {"FCN": "CNN, matched", "CNN": "CNN"}[row["network"]]
    first, second, *_ = make_study(rows).plot().axes_["images", "loss"].get_lines()
    assert first.get_color() == second.get_color()
    assert (first.get_ls(), second.get_ls()) == ("--", "-")


def test_limit_columns_that_are_missing_have_no_panel():
    averages = means(pd.DataFrame(flat_rows())).drop(columns=["gap", "mean_activation_rate"])
    display = StabilityDisplay(averages[averages.columns.drop("loss")]).plot()
    assert [name for _, name in display.panels_] == ["excess", "relative_sharpness"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"part": "ball"}, "has the part 'ball': parts must be among sphere, flat, images"),
        ({"step": None}, "lacks 'step'"),
        (dict.fromkeys(("loss", "excess", "relative_sharpness", "mean_activation_rate")), "no num"),
    ],
)
def test_bad_averages_are_refused(change, message):
    averages = means(pd.DataFrame(flat_rows()))
    for column, value in change.items():
        averages = averages.drop(columns=column)
        if value is not None:
            averages[column] = value
    with pytest.raises(ValueError, match=message):
        StabilityDisplay(averages)


# --- images from a file --------------------------------------------------------------------------


def test_contract_channels_go_first_in_all_images(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (7, 5, 6, 3))
    np.savez(tmp_path / "pictures.npz", X_train=images[:5], x_test=images[5:])
    found = read_image_file(tmp_path / "pictures.npz")
    assert (found["data"], found["input_shape"]) == ("pictures", (3, 5, 6))
    np.testing.assert_array_equal(found["X"], images[:5].transpose(0, 3, 1, 2))
    np.testing.assert_array_equal(found["X_test"], images[5:].transpose(0, 3, 1, 2))


def test_contract_test_images_may_be_missing(tmp_path):
    np.savez(tmp_path / "flat.npz", X=np.zeros((5, 24)))
    found = read_image_file(tmp_path / "flat.npz", (4, 6))
    assert (found["X_test"], found["input_shape"]) == (None, (4, 6))
    np.savez(tmp_path / "odd.npz", X=np.zeros((5, 4, 6)), X_test=np.array([None, "x"]))
    with pytest.raises(InvalidInputError, match="'X_test' cannot be read"):
        read_image_file(tmp_path / "odd.npz")


# --- the command ---------------------------------------------------------------------------------

SMALL = [
    *("study", "stability", "--quick", "--jobs", "1", "--repeats", "1", "--steps", "3"),
    *("--filters", "4", "--image-samples", "20"),
]
TINY = [*SMALL, "--dimensions", "10", "20", "--patch-sizes", "5", "2", "--sizes", "8", "16"]
OF_IMAGES = [*SMALL, "--parts", "images"]
FILES = ["results", "trajectories", "slopes", "dimension_slopes", "patch_slopes", "certificates"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path / "found"


def test_command_writes_everything_and_resumes(folder, capsys, monkeypatch):
    assert main([*TINY, "--out", "found"]) == 0
    out = capsys.readouterr().out
    expected = {*(f"{name}.csv" for name in FILES), "stability.png", "report.html"}
    assert {file.name for file in folder.iterdir()} == expected | {"finished-trainings"}
    assert (folder / "stability.png").read_bytes().startswith(b"\x89PNG")
    page = (folder / "report.html").read_text()
    for words in ("Sphere, CNN", "Patch-wise sphere", "Images, FCN", "data:image/png"):
        assert words in page
    assert "- Images, CNN" in out
    results = pd.read_csv(folder / "results.csv")
    assert set(results["part"]) == {"sphere", "flat", "images"}
    assert (results["step"] == 3).all()
    before = (folder / "results.csv").read_bytes()

    def train(*arguments, **options):
        raise AssertionError("trained again")

    monkeypatch.setattr(study_runs, "follow_training", train)
    assert main([*TINY, "--out", "found", "--resume"]) == 0
    assert (folder / "results.csv").read_bytes() == before


def test_command_goes_on_after_an_interrupt(folder, capsys, monkeypatch):
    command = [*OF_IMAGES, "--out", "found"]
    follow, calls = study_runs.follow_training, []

    def interrupted(*arguments, **options):
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return follow(*arguments, **options)

    monkeypatch.setattr(study_runs, "follow_training", interrupted)
    assert main(command) == 130
    assert capsys.readouterr().err.splitlines()[-1] == (
        "sklcnn: interrupted; --resume goes on with the trainings in found/finished-trainings"
    )
    assert main([*command, "--resume"]) == 0
    assert len(calls) == 3  # one before the interrupt, one after it
    whole = pd.read_csv(folder / "results.csv")
    assert main([*command[:-1], "other"]) == 0
    pd.testing.assert_frame_equal(whole, pd.read_csv(folder.parent / "other" / "results.csv"))


def test_command_reads_images(folder):
    images = np.random.default_rng(0).random((60, 5, 5))
    np.savez("pictures.npz", X_train=images[:40], X_test=images[40:])
    assert main([*OF_IMAGES, "--images", "pictures.npz", "--out", "found"]) == 0
    results = pd.read_csv(folder / "results.csv")
    assert set(results["n_features"]) == {25}
    assert sorted(file.name for file in folder.glob("*.csv")) == ["results.csv", "trajectories.csv"]


BAD = [
    ("--parts ball", "argument --parts: invalid choice: 'ball'"),
    ("--dimensions 15 20 --patch-sizes 10", "--patch-sizes: 10 must divide the dimension 15"),
    ("--images nowhere.npz", "nowhere.npz: no such file"),
    ("--images text.npz", "text.npz: is not an NPZ file"),
    ("--images labels.npz", "labels.npz: holds no images"),
    ("--image-samples 2000", "--image-samples: 2000 training images are more than"),
    ("--sizes 0", "--sizes: holds 0, but each must"),
    ("--sizes 8 8", "--sizes: (8, 8) must hold some values, each once"),
    ("--patch-sizes 7", "--patch-sizes: 7 must divide the dimension 20"),
    ("--patch-sizes 5 7", "--patch-sizes: 7 must divide the dimension 40"),
    ("--dimensions 0", "--dimensions: holds 0, but"),
    ("--filters 0", "--filters: 0 must"),
    ("--repeats 0", "--repeats: 0 must"),
    ("--steps 0", "--steps: 0 must"),
    ("--seed -1", "--seed: -1 is negative"),
    ("--parts flat --image-samples 9", "--image-samples: belongs to the part images, which"),
    ("--parts images --sizes 9", "--sizes: belongs to the part sphere, which --parts leaves out"),
    ("--input-shape 8 8", "--input-shape: needs --images"),
    ("--sizes many", "'many' is not a whole number"),
]


@pytest.mark.parametrize(("options", "words"), BAD, ids=[options for options, _ in BAD])
def test_bad_options_are_named_in_one_line(folder, capsys, options, words):
    (folder.parent / "text.npz").write_text("no archive")
    np.savez("labels.npz", y=[1, 2])
    assert main(["study", "stability", "--quick", *options.split()]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert words in line
    assert not (folder.parent / "sklcnn-study-stability").exists()


def test_contract_study_is_what_the_library_makes():
    names = {field.name for field in dataclasses.fields(StabilityStudy)}
    assert set(FILES) | {"settings"} == names
