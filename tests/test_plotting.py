"""Displays draw what they are handed, say what it is, and refuse what contradicts itself."""

import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib import rcParams
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from sklcnn.plotting import (
    ESTIMATOR_STYLES,
    FAMILY_STYLES,
    FilterDisplay,
    PhaseDisplay,
    SampleComplexityDisplay,
)
from sklcnn.plotting.styles import styles_of

SIZES = np.array([5, 10, 20, 40])
NEEDED = {
    "FCN": np.array([400.0, 1600.0, 6400.0, 8000.0]),
    "LCN": np.array([60.0, 180.0, 550.0, 1700.0]),
    "CNN": np.array([9.0, 15.0, 31.0, 60.0]),
}
CENSORED = {"FCN": SIZES > 30}
NOISES = np.array([0.1, 0.2, 0.4])
COUNTS = np.array([100, 1000])
ERRORS = {
    "LCN": np.array([[0.05, 0.2, 0.45], [0.0, 0.1, 0.4]]),
    "CNN": np.array([[0.02, 0.1, 0.4], [0.0, 0.05, np.nan]]),
}


@pytest.fixture(autouse=True)
def _no_display():
    """Draw into memory, and check that no figure is left open and no setting changed."""
    plt.switch_backend("agg")
    before = dict(rcParams)
    yield
    plt.close("all")
    assert dict(rcParams) == before


@pytest.fixture
def ax():
    return Figure(layout="constrained").subplots()


@pytest.fixture
def axes():
    return Figure(figsize=(8, 4), layout="constrained").subplots(1, 2)


def words(legend):
    return [text.get_text() for text in legend.get_texts()]


def render(display):
    """Draw everything; warnings are errors in this suite."""
    display.figure_.canvas.draw()
    return display


# --- the table -----------------------------------------------------------------------------------


def test_contract_every_estimator_has_its_own_color_and_marker():
    for look in ("color", "marker"):
        assert len({getattr(style, look) for style in ESTIMATOR_STYLES.values()}) == 7
    assert ESTIMATOR_STYLES.items() >= FAMILY_STYLES.items()


def test_contract_estimators_that_are_no_family_are_neutral():
    for name in ESTIMATOR_STYLES.keys() - FAMILY_STYLES.keys():
        red, green, blue, _ = to_rgba(ESTIMATOR_STYLES[name].color)
        assert red == green == blue
    assert {"linear", "MLP", "maximum likelihood"} <= ESTIMATOR_STYLES.keys()


def test_contract_unknown_names_are_told_apart_by_marker():
    styles = styles_of(["forest", "CNN", "kernel", "boosting"])
    assert styles["CNN"] == FAMILY_STYLES["CNN"]
    assert len({style.marker for style in styles.values()}) == 4
    assert not {styles["forest"].marker, styles["kernel"].marker} & {
        style.marker for style in ESTIMATOR_STYLES.values()
    }


# --- samples needed ------------------------------------------------------------------------------


def test_contract_curves_hold_what_was_handed(ax):
    display = SampleComplexityDisplay(SIZES, NEEDED).plot(ax)
    assert list(display.lines_) == list(NEEDED)
    for name, line in display.lines_.items():
        np.testing.assert_array_equal(line.get_xdata(), SIZES)
        np.testing.assert_array_equal(line.get_ydata(), NEEDED[name])
        assert line.get_color() == FAMILY_STYLES[name].color
        assert line.get_marker() == FAMILY_STYLES[name].marker
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert display.ax_ is ax
    assert display.figure_ is ax.figure


def test_contract_lower_bounds_are_open_markers_with_arrows_off_the_curve(ax):
    display = SampleComplexityDisplay(SIZES, NEEDED, censored=CENSORED).plot(ax)
    assert list(display.bounds_) == ["FCN"]
    bounds = display.bounds_["FCN"]
    np.testing.assert_array_equal(bounds.get_xydata(), [[40, 8000]])
    assert to_rgba(bounds.get_markerfacecolor()) == (1, 1, 1, 1)
    curve = display.lines_["FCN"].get_ydata()
    np.testing.assert_array_equal(np.isnan(curve), CENSORED["FCN"])
    (arrow,) = ax.texts
    assert arrow.xy == (40, 8000)
    render(display)
    tail, head = arrow.arrow_patch.get_path().vertices[[0, -1]]
    assert abs(head[1] - tail[1]) > 0
    tip = ax.transData.inverted().transform(arrow.get_window_extent().corners().max(axis=0))
    assert tip[1] > 8000  # upward
    assert "lower bound: target not reached" in words(ax.get_legend())


def test_contract_intervals_reach_from_low_to_high(ax):
    low = {"CNN": [7, 12, 25, 50]}
    high = {"CNN": [12, 20, 40, np.inf]}
    display = SampleComplexityDisplay(SIZES, NEEDED, low=low, high=high, interval="95 % interval")
    display.plot(ax)
    (bars,) = ax.collections
    ends = np.array([segment[:, 1] for segment in bars.get_segments()])
    np.testing.assert_allclose(ends, [[7, 12], [12, 20], [25, 40], [50, 60]])
    (arrow,) = ax.texts  # the open end
    assert arrow.xy == (40, 60)
    assert "95 % interval" in words(ax.get_legend())
    assert not display.bounds_


def test_contract_legend_pairs_curves_with_theory(ax):
    slopes = {"FCN": 2, "LCN": None, "CNN": 1.5}
    fitted = {"LCN": (1.4, 1.25, 1.62)}
    SampleComplexityDisplay(SIZES, NEEDED, slopes=slopes, fitted=fitted).plot(ax)
    assert words(ax.get_legend()) == [
        *("FCN", "theory: slope 2", "LCN: exponent 1.40 [1.25, 1.62]", "CNN", "theory: slope 1.5")
    ]


def test_closed_form_theory_lies_on_a_power_law(ax):
    law = {"CNN": 3.0 * SIZES**1.5}
    display = SampleComplexityDisplay(SIZES, law, slopes={"CNN": 1.5}).plot(ax)
    np.testing.assert_allclose(display.theory_["CNN"].get_ydata(), law["CNN"])
    assert display.theory_["CNN"].is_dashed()


def test_oracle_theory_has_its_slope_and_the_geometric_mean_of_what_was_measured(ax):
    needed = {"FCN": [400, np.nan, 5000, 8000]}
    display = SampleComplexityDisplay(SIZES, needed, slopes={"FCN": 2}, censored=CENSORED).plot(ax)
    x, y = display.theory_["FCN"].get_data()
    np.testing.assert_allclose(np.diff(np.log(y)) / np.diff(np.log(x)), 2)
    # On a line of slope two, the value at the geometric mean of the sizes is that of the values.
    at_center = y[0] * (np.sqrt(5 * 20) / 5) ** 2
    assert at_center == pytest.approx(np.sqrt(400 * 5000))


def test_limit_nothing_measured_leaves_only_bounds(ax):
    display = SampleComplexityDisplay(
        SIZES, {"FCN": [100] * 4}, slopes={"FCN": 2}, censored={"FCN": [True] * 4}
    ).plot(ax)
    assert not display.theory_
    assert len(display.bounds_["FCN"].get_xdata()) == len(ax.texts) == 4
    render(display)


def test_contract_sizes_and_samples_are_written_as_plain_numbers():
    noises = [0.05, 0.1, 0.2]
    display = SampleComplexityDisplay(
        noises, {"LCN": [90, 800, 20_000]}, xlabel="noise (standard deviation)", title="DSD"
    )
    ax = render(display.plot()).ax_
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["0.05", "0.1", "0.2"]
    assert "10,000" in [tick.get_text() for tick in ax.get_yticklabels()]
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_title()) == (
        *("noise (standard deviation)", "training samples needed", "DSD"),
    )


def test_limit_many_sizes_and_a_single_one(ax):
    many = np.arange(10, 60)
    render(SampleComplexityDisplay(many, {"CNN": 3.0 * many}).plot(ax))
    one = SampleComplexityDisplay([20], {"CNN": [30]}, slopes={"CNN": 1}).plot()
    np.testing.assert_allclose(render(one).theory_["CNN"].get_ydata(), [30])


BAD_SAMPLES = [
    ({"sizes": [5, 5, 20, 40]}, "sizes is .* in increasing order"),
    ({"sizes": [0, 10, 20, 40]}, "sizes is .* positive numbers"),
    ({"needed": {}}, r"needed is \{\}: it must hold at least one curve"),
    ({"needed": {"CNN": [9, 15]}}, r"needed\['CNN'\] has shape \(2,\): .* \(4,\), one number for"),
    ({"needed": {"CNN": [9, 15, 0, 60]}}, r"needed\['CNN'\] is .* must be positive"),
    ({"needed": {"CNN": [9, 15, 31, np.inf]}}, "mark it as censored"),
    ({"censored": {"CNN": [True]}}, r"censored\['CNN'\] has shape \(1,\)"),
    ({"censored": {"MLP": [True] * 4}}, "censored names 'MLP', which is not there: .* FCN, LCN"),
    ({"slopes": {"cnn": 1}}, "slopes names 'cnn'"),
    ({"fitted": {"CNN": (1, 2)}}, r"fitted\['CNN'\] is \(1, 2\): it must be the exponent and"),
    ({"low": {"CNN": [1, 2, 3, 4]}}, "'CNN' has only one of low and high"),
    ({"low": {"CNN": [0, 2, 3, 4]}, "high": {"CNN": [99] * 4}}, r"low\['CNN'\] is .* positive"),
    ({"low": {"CNN": [10, 2, 3, 4]}, "high": {"CNN": [99] * 4}}, "leaves its interval"),
    ({"low": {"CNN": [1, 2, 3, 4]}, "high": {"CNN": [99, 99, 30, 99]}}, "leaves its interval"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD_SAMPLES)
def test_bad_samples_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        SampleComplexityDisplay(**{"sizes": SIZES, "needed": NEEDED} | arguments)


# --- filters -------------------------------------------------------------------------------------

SIGNAL = np.array([3.0, 0.0, 4.0])


def test_contract_filters_are_drawn_at_norm_one(ax):
    filters = np.array([[0.0, 0.0, 2.0], [3.0, 0.0, 4.0], [-6.0, 0.0, -8.0]])
    display = FilterDisplay(SIGNAL, {"LCN": filters[:, np.newaxis]}).plot(ax)
    np.testing.assert_allclose(display.cosines_["LCN"], [0.8, 1, -1])
    drawn = {line.get_label(): line.get_ydata() for line in ax.lines}
    np.testing.assert_allclose(drawn["signal"], [0.6, 0, 0.8])
    own = [line for line in ax.lines if line.get_color() == FAMILY_STYLES["LCN"].color]
    np.testing.assert_allclose(
        [line.get_ydata() for line in own], [[0, 0, 1], [0.6, 0, 0.8], [-0.6, 0, -0.8]]
    )
    assert words(ax.get_legend()) == ["signal", "filter"]
    assert ax.get_title() == "LCN, 3 filters\ncosine best 1.00, median 0.80"
    assert (ax.get_xlabel(), ax.get_ylabel()) == (
        "feature of the patch",
        "weight (norm of filter 1)",
    )


def test_invariance_of_cosines_to_the_scale_of_filters_and_signal():
    filters = np.random.default_rng(0).normal(size=(5, 12))
    one, other = (
        FilterDisplay(scale * SIGNAL, {"FCN": filters / scale}).cosines_["FCN"] for scale in (1, 7)
    )
    np.testing.assert_allclose(one, other)


def test_closed_form_unit_that_spreads_evenly_reaches_one_over_root_patches(ax):
    spread, found = np.tile(SIGNAL, 16), np.zeros(48)
    found[30:33] = SIGNAL
    display = FilterDisplay(SIGNAL, {"FCN": [spread, found]}).plot(ax)
    np.testing.assert_allclose(display.cosines_["FCN"], [1 / 4, 1])
    np.testing.assert_allclose(display.matched_["FCN"], [[0.15, 0, 0.2], [0.6, 0, 0.8]])
    assert words(ax.get_legend()) == [
        *("signal", "best patch of a unit", "signal / √16: even spread")
    ]


def test_oracle_best_patch_is_that_of_the_signal_put_into_each_patch():
    rng = np.random.default_rng(1)
    filters, n_patches = rng.normal(size=(6, 15)), 5
    placed = np.kron(np.eye(n_patches), SIGNAL / 5)  # the signal in each patch, (n_patches, 15)
    units = filters / np.linalg.norm(filters, axis=1, keepdims=True)
    display = FilterDisplay(SIGNAL, {"FCN": filters})
    np.testing.assert_allclose(display.cosines_["FCN"], (units @ placed.T).max(axis=1))
    unsigned = FilterDisplay(SIGNAL, {"FCN": filters}, signed=False)
    np.testing.assert_allclose(unsigned.cosines_["FCN"], np.abs(units @ placed.T).max(axis=1))


def test_closed_form_best_patch_flatters_noise_little():
    rng = np.random.default_rng(5)
    signal, filters = rng.normal(size=20), rng.normal(size=(4000, 10 * 20))
    cosines = FilterDisplay(signal, {"FCN": filters}).cosines_["FCN"]
    # The largest of ten standard normals is 1.5388 on average, with standard deviation 0.59.
    expected, error = 1.5388 / np.sqrt(200), 0.59 / np.sqrt(200 * 4000)
    assert cosines.mean() == pytest.approx(expected, abs=5 * error)


def test_invariance_to_signs_where_they_mean_nothing():
    filters = np.random.default_rng(2).normal(size=(7, 9))
    signs = np.array([1, -1, -1, 1, 1, -1, 1])[:, np.newaxis]
    one, other = (
        FilterDisplay(SIGNAL, {"FCN": values}, signed=False)
        for values in (filters, signs * filters)
    )
    np.testing.assert_allclose(one.matched_["FCN"], other.matched_["FCN"])
    assert (one.cosines_["FCN"] >= 0).all()


def test_oracle_many_filters_are_a_mean_and_a_band(ax):
    filters = np.random.default_rng(3).normal(size=(40, 3))
    FilterDisplay(SIGNAL, {"CNN": filters}).plot(ax)
    units = filters / np.linalg.norm(filters, axis=1, keepdims=True)
    drawn = {line.get_label(): line.get_ydata() for line in ax.lines}
    np.testing.assert_allclose(drawn["mean filter"], units.mean(axis=0))
    (band,) = ax.collections
    corners = band.get_paths()[0].vertices
    for feature in range(3):
        here = corners[corners[:, 0] == feature, 1]
        expected = np.quantile(units[:, feature], [0.1, 0.9])
        np.testing.assert_allclose([here.min(), here.max()], expected)
    assert words(ax.get_legend()) == ["signal", "10 to 90 % quantiles", "mean filter"]


def test_limit_filter_of_zeros_has_found_nothing(ax):
    display = render(FilterDisplay(SIGNAL, {"CNN": np.zeros(3)}).plot(ax))
    assert display.cosines_["CNN"] == 0
    assert ax.get_title() == "CNN, 1 filter\ncosine 0.00"


def test_contract_images_are_signal_and_filters_from_best_to_worst():
    signal = np.arange(6.0).reshape(2, 3)
    filters = np.random.default_rng(4).normal(size=(20, 6))
    families = {"LCN": filters, "CNN": filters[:3]}
    display = FilterDisplay(signal, families, shape=(2, 3), title="6 pixels").plot()
    assert [len(ax.images) for ax in display.axes_] == [1 + 8, 1 + 3]
    first, *rest = display.axes_[1].images
    np.testing.assert_allclose(first.get_array(), signal / np.linalg.norm(signal))
    cosines = display.cosines_["CNN"]
    order = np.argsort(-cosines)
    for image, which in zip(rest, order, strict=True):
        np.testing.assert_allclose(image.get_array().ravel(), display.matched_["CNN"][which])
    ticks = [tick.get_text() for tick in display.axes_[1].get_xticklabels()]
    assert ticks == ["signal", *(f"{cosine:.2f}" for cosine in cosines[order])]
    ticks = [tick.get_text() for tick in display.axes_[0].get_xticklabels()]
    ends = display.cosines_["LCN"].max(), display.cosines_["LCN"].min()
    assert (ticks[1], ticks[-1]) == tuple(f"{cosine:.2f}" for cosine in ends)
    assert display.axes_[0].get_title("left").startswith("LCN, 8 of 20 filters: cosine best")
    assert display.axes_[1].get_xlabel() == "cosine with the signal"
    assert len({image.get_clim() for ax in display.axes_ for image in ax.images}) == 1
    low, high = first.get_clim()
    assert low == -high
    assert display.figure_.axes[-1].get_ylabel() == "weight (norm of filter 1)"
    render(display)


BAD_FILTERS = [
    ({"signal": [0, 0, 0]}, r"signal has shape \(3,\): .* not zero"),
    ({"signal": [[1, 2, 3]]}, r"signal has shape \(1, 3\): .* For an image give its shape"),
    ({"filters": {}}, "at least one family"),
    (
        {"filters": {"CNN": [1, 2]}},
        r"filters\['CNN'\] has shape \(2,\): .* 3 entries or a multiple",
    ),
    ({"filters": {"CNN": np.empty((0, 3))}}, r"has shape \(0, 3\): .* at least one filter"),
    ({"filters": {"CNN": [1, 2, np.nan]}}, r"filters\['CNN'\] holds NaN"),
    ({"shape": (2, 2)}, r"shape is \(2, 2\), but signal has 3 entries"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD_FILTERS)
def test_bad_filters_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        FilterDisplay(**{"signal": SIGNAL, "filters": {"CNN": SIGNAL}} | arguments)


# --- phases --------------------------------------------------------------------------------------


def test_contract_heat_maps_hold_what_was_handed(axes):
    display = render(PhaseDisplay(NOISES, COUNTS, ERRORS).plot(axes))
    assert list(display.meshes_) == list(ERRORS)
    for name, mesh in display.meshes_.items():
        drawn = np.ma.filled(mesh.get_array().reshape(2, 3), np.nan)
        np.testing.assert_array_equal(drawn, ERRORS[name])
        assert mesh.get_clim() == (0, 0.5)
    assert [ax.get_title() for ax in axes] == ["LCN", "CNN"]
    assert {ax.get_xlabel() for ax in axes} == {"noise (standard deviation)"}
    assert axes[0].get_ylabel() == "training samples"
    assert display.colorbar_.ax.get_ylabel() == "test error"
    assert display.colorbar_.extend == "neither"
    assert axes[-1].get_legend() is None


def test_closed_form_cells_meet_halfway_on_each_scale(axes):
    mesh = PhaseDisplay(NOISES, COUNTS, ERRORS).plot(axes).meshes_["LCN"]
    corners = mesh.get_coordinates()
    np.testing.assert_allclose(corners[0, :, 0], [0.05, 0.15, 0.3, 0.5])
    np.testing.assert_allclose(corners[:, 0, 1], np.sqrt([1e3, 1e5, 1e7]))
    np.testing.assert_allclose(axes[0].get_xlim(), [0.05, 0.5])
    np.testing.assert_allclose(axes[0].get_ylim(), np.sqrt([1e3, 1e7]))


def test_oracle_repeats_are_averaged_and_doubtful_cells_marked(ax):
    spread = np.zeros((2, 3, 1))
    spread[1, 2] = 0.05
    spread[0, 0] = 0.01
    repeats = ERRORS["LCN"][..., np.newaxis] + spread * np.array([-1, 1, -1, 1])
    display = PhaseDisplay(NOISES, COUNTS, {"LCN": repeats}).plot(ax)
    np.testing.assert_allclose(display.meshes_["LCN"].get_array().reshape(2, 3), ERRORS["LCN"])
    # Standard errors: 0.05 / sqrt(3) = 0.029 above the limit, 0.01 / sqrt(3) = 0.006 below it.
    (dots,) = ax.lines
    np.testing.assert_array_equal(dots.get_xydata(), [[0.4, 1000]])
    assert words(ax.get_legend()) == ["standard error above 0.02"]
    assert not PhaseDisplay(NOISES, COUNTS, {"LCN": repeats[..., :1]}).plot().axes_[0].lines


def test_contract_curves_over_the_map_are_those_handed():
    needed = {"CNN": [150, 400, np.nan]}
    low, high = {"CNN": [120, 300, np.nan]}, {"CNN": [200, 500, np.nan]}
    critical = {"Bayes: 1/√(2 ln k)": 0.3, "far away": 2.0}
    display = PhaseDisplay(
        NOISES, COUNTS, ERRORS, needed=needed, low=low, high=high, critical_noise=critical
    ).plot()
    lcn, cnn = render(display).axes_
    (line,) = lcn.lines
    np.testing.assert_array_equal(line.get_xdata(), [0.3, 0.3])
    _, curve, _ = cnn.lines
    np.testing.assert_array_equal(curve.get_ydata(), needed["CNN"])
    assert curve.get_markerfacecolor() == FAMILY_STYLES["CNN"].color
    bars = cnn.collections[-1].get_segments()
    np.testing.assert_array_equal([bar[:, 1] for bar in bars[:2]], [[120, 200], [300, 500]])
    (legend,) = display.figure_.legends
    assert words(legend) == ["Bayes: 1/√(2 ln k)", "samples needed, interval"]


def test_contract_contours_are_drawn_where_a_family_crosses_them(ax):
    display = PhaseDisplay(NOISES, COUNTS, {"LCN": ERRORS["LCN"]}, levels=[0.48, 0.15])
    render(display.plot(ax))
    contours = [found for found in ax.collections if hasattr(found, "levels")]
    assert [list(found.levels) for found in contours] == [[0.15]]
    ((start, end),) = (found.get_paths()[0].vertices[[0, -1]] for found in contours)
    # The error crosses 0.15 at noise 0.1 + 0.1 * (0.10 / 0.15) and at 0.2 + 0.2 * (0.05 / 0.3).
    np.testing.assert_allclose(sorted([start[0], end[0]]), [1 / 6, 0.2 + 1 / 30])
    assert [text.get_text() for text in ax.texts] == ["0.15"]
    assert ax.texts[0].get_rotation() == 0


def test_contract_errors_above_chance_show_in_the_color_bar(ax):
    display = PhaseDisplay([0.1], [50], {"linear": [[0.6]]}).plot(ax)
    assert display.colorbar_.extend == "max"
    render(display)


def test_limit_family_without_any_number_is_all_grey():
    errors = {"FCN": np.full((2, 3), np.nan), "CNN": ERRORS["CNN"]}
    display = PhaseDisplay(NOISES, COUNTS, errors, levels=[0.1]).plot()
    assert render(display).meshes_["FCN"].get_array().mask.all()


BAD_PHASES = [
    ({"noises": [0.2, 0.1, 0.4]}, "noises is .* nonnegative numbers in increasing order"),
    ({"sizes": [0, 100]}, "sizes is .* positive numbers"),
    ({"errors": {}}, "at least one family"),
    ({"errors": {"CNN": ERRORS["CNN"].T}}, r"errors\['CNN'\] has shape \(3, 2\): .* \(2, 3\)"),
    ({"errors": {"CNN": [0.1, 0.2]}}, r"errors\['CNN'\] has shape \(2,\)"),
    ({"needed": {"CNN": [100]}}, r"needed\['CNN'\] has shape \(1,\): .* each of noises"),
    ({"needed": {"MLP": [100] * 3}}, "needed names 'MLP'"),
    ({"needed": {"CNN": [100, -1, 9]}}, r"needed\['CNN'\] is .* positive"),
    ({"low": {"CNN": [1] * 3}}, "low names 'CNN', which is not there"),
    ({"needed": {"CNN": [9] * 3}, "low": {"CNN": [1] * 3}}, "only one of low and high"),
    ({"noises": [0.1], "errors": {"CNN": [[0], [0]]}, "levels": [0.1]}, "at least two noises"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD_PHASES)
def test_bad_phases_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        PhaseDisplay(**{"noises": NOISES, "sizes": COUNTS, "errors": ERRORS} | arguments)


# --- figures -------------------------------------------------------------------------------------


def every_display():
    images = {"LCN": np.eye(4), "CNN": np.ones(4)}
    return [
        (SampleComplexityDisplay(SIZES, NEEDED, title="DSD"), 1),
        (FilterDisplay(SIGNAL, {"FCN": np.ones((2, 6)), "CNN": SIGNAL}, title="DSD"), 2),
        (FilterDisplay(np.arange(4.0), images, shape=(2, 2), title="DSD"), 2),
        (PhaseDisplay(NOISES, COUNTS, ERRORS, levels=[0.1], title="DSD"), 2),
    ]


@pytest.mark.parametrize(("display", "n_axes"), every_display())
def test_contract_axes_that_are_given_need_no_pyplot(display, n_axes):
    figure = Figure(figsize=(8, 4), layout="constrained")
    given = figure.subplots(1, n_axes)
    assert display.plot(given) is display
    assert display.figure_ is figure
    assert plt.get_fignums() == []
    render(display)


@pytest.mark.parametrize(("display", "n_axes"), every_display())
def test_contract_without_axes_one_figure_is_made_each_time(display, n_axes):
    first, second = display.plot().figure_, display.plot().figure_
    assert [plt.figure(number) for number in plt.get_fignums()] == [first, second]
    titles = [second.get_suptitle(), second.axes[0].get_title()]
    assert "DSD" in titles
    render(display)


@pytest.mark.parametrize(("display", "n_axes"), every_display())
def test_wrong_number_of_axes_is_refused(display, n_axes):
    with pytest.raises(ValueError, match=f"axes holds 3 axes, but {n_axes} "):
        display.plot(Figure().subplots(1, 3))
