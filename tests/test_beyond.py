"""Beyond the paper: variants that can be learned, ratios with honest intervals, stated verdicts."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from scipy.stats import norm
from sklearn.base import clone
from sklearn.model_selection import ParameterGrid
from sklearn.pipeline import Pipeline

from sklcnn.cli import main
from sklcnn.plotting import FAMILY_STYLES, RatioDisplay
from sklcnn.studies.beyond import RATIOS, Beyond, beyond, find_ratio, find_verdict
from sklcnn.studies.beyond_report import statements
from sklcnn.studies.variants import FAMILIES, SampleProjection, make_variants

VARIANTS = make_variants(n_patches=4, patch_size=6, noise=0.2)
QUICK = {"n_patches": 8, "patch_size": 8, "repeats": 3, "n_max": 256, "n_per_octave": 2}


@pytest.fixture(scope="module")
def found():
    return beyond(["fixed place", "principal components"], **QUICK)


# --- the table of variants -----------------------------------------------------------------------


@pytest.mark.parametrize("name", VARIANTS)
def test_contract_every_variant_samples_and_is_learned_from(name):
    variant = VARIANTS[name]
    assert variant.name == name
    assert VARIANTS[variant.reference].reference == "paper"
    assert set(VARIANTS[variant.reference].networks) == set(FAMILIES)
    assert set(variant.grids) <= set(variant.networks) <= set(FAMILIES)
    X, y = variant.law.sample(30, random_state=0)
    for family, network in variant.networks.items():
        for candidate in ParameterGrid(variant.grids.get(family, {})):
            fitted = hurry(clone(network).set_params(**candidate)).fit(X, y)
            assert set(fitted.predict(X)) <= set(y)


def hurry(estimator):
    network = estimator[-1] if isinstance(estimator, Pipeline) else estimator
    if "activation" in network.get_params():
        network.set_params(max_iter=2)
    return estimator


def test_contract_questions_differ_and_laws_have_one_size():
    assert len({variant.question for variant in VARIANTS.values()}) == len(VARIANTS)
    assert {variant.law.sample(1)[0].shape for variant in VARIANTS.values()} == {(1, 24)}


def test_oracle_windows_of_unequal_patches_begin_where_patches_do():
    variant = VARIANTS["unequal patches"]
    sizes = variant.law.patch_size
    assert len(set(sizes)) == 2
    features = np.split(np.arange(sizes.sum()), np.cumsum(sizes)[:-1])
    for family in ("LCN", "CNN"):
        windows = variant.networks[family].patch_indices
        for window, own in zip(windows, features, strict=True):
            np.testing.assert_array_equal(window[: len(own)], own)
            assert len(set(window)) == sizes.max()


def test_contract_pooled_fcn_has_as_many_units_as_the_lcn():
    networks = VARIANTS["max pooling"].networks
    assert networks["FCN"].n_filters == 4 * networks["LCN"].n_filters
    assert networks["CNN"].n_filters == networks["LCN"].n_filters


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_patches": 1}, "n_patches=1 must be an integer of at least 2"),
        ({"patch_size": 3}, "patch_size=3 must be an integer of at least 4"),
        ({"noise": 0.0}, r"noise=0.0 must be positive"),
    ],
)
def test_bad_sizes_of_variants_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        make_variants(**arguments)


def test_invariance_mixtures_of_rotated_samples_give_the_same_features():
    rng = np.random.default_rng(0)
    X, new = rng.standard_normal((2, 20, 12))
    rotation = np.linalg.qr(rng.standard_normal((12, 12)))[0]
    straight = SampleProjection(5).fit(X).transform(new)
    rotated = SampleProjection(5).fit(X @ rotation).transform(new @ rotation)
    np.testing.assert_allclose(rotated, straight, atol=1e-12)


def test_oracle_mixtures_keep_norms_of_white_samples_on_average():
    X = np.random.default_rng(1).standard_normal((4000, 30))
    Z = SampleProjection(600).fit_transform(X)
    # 600 components: the mean square is off by about sqrt(2 / (600 * 30)) = 0.01.
    assert np.sum(Z**2) / np.sum(X**2) == pytest.approx(1, abs=0.05)


# --- ratios and verdicts -------------------------------------------------------------------------


def number(n, low=None, high=None, censored="", n_max=1000):
    low, high = n if low is None else low, n if high is None else high
    return {"n_samples": n, "low": low, "high": high, "censored": censored, "n_max": n_max}


def test_closed_form_interval_of_a_ratio_of_log_normal_estimates():
    spread_more, spread_fewer, z = 0.3, 0.4, norm.ppf(0.975)
    more = number(200, 200 * np.exp(-z * spread_more), 200 * np.exp(z * spread_more))
    fewer = number(20, 20 * np.exp(-z * spread_fewer), 20 * np.exp(z * spread_fewer))
    ratio = find_ratio(more, fewer, n_min=4)
    # The logarithm of the ratio is normal with standard deviation sqrt(0.3^2 + 0.4^2) = 0.5.
    low, high = np.exp(norm(np.log(10), 0.5).ppf([0.025, 0.975]))
    expected = {"ratio": 10, "low": low, "high": high, "censored": ""}
    assert ratio == {k: pytest.approx(v) if k != "censored" else v for k, v in expected.items()}


def test_limit_sure_numbers_give_a_sure_ratio():
    ratio = find_ratio(number(90), number(30), n_min=4)
    assert ratio == {"ratio": 3, "low": 3, "high": 3, "censored": ""}


ABOVE = number(np.inf, np.inf, np.inf, "above")
BELOW = number(4, 4, 4, "below")


@pytest.mark.parametrize(
    ("more", "fewer", "expected"),
    [
        (ABOVE, number(20), (50, 50, np.inf, "more")),
        (number(np.inf, 500, np.inf, "above"), number(20), (50, 25, np.inf, "more")),
        (number(200), BELOW, (50, 50, np.inf, "more")),
        (ABOVE, BELOW, (250, 250, np.inf, "more")),
        (number(20), ABOVE, (0.02, 0, 0.02, "less")),
        (BELOW, number(20), (0.2, 0, 0.2, "less")),
        (number(20, 4, 20), number(20), (1, 0, 1, "")),  # an end at the smallest n is open
        (number(20), number(20, 4, 20), (1, 1, np.inf, "")),
    ],
)
def test_limit_numbers_out_of_range_bound_the_ratio(more, fewer, expected):
    ratio = find_ratio(more, fewer, n_min=4)
    np.testing.assert_allclose([ratio["ratio"], ratio["low"], ratio["high"]], expected[:3])
    assert ratio["censored"] == expected[3]


@pytest.mark.parametrize("censored", [ABOVE, BELOW])
def test_limit_two_numbers_out_of_range_say_nothing(censored):
    ratio = find_ratio(censored, censored, n_min=4)
    assert np.isnan(ratio["ratio"])
    assert (ratio["low"], ratio["high"], ratio["censored"]) == (0, np.inf, "unknown")


@pytest.mark.parametrize(
    ("ends", "verdict"),
    [
        ((8, 12), "persists"),
        ((5, 8), "persists"),  # overlaps with the reference
        ((20, 40), "persists"),
        ((10, np.inf), "persists"),  # a bound that is high enough
        ((3, np.inf), "undecided"),  # a bound that is not
        ((2, 5), "shrinks"),
        ((1.0, 5), "vanishes"),
        ((0.5, 2), "vanishes"),
        ((0, 2), "vanishes"),
        ((0.2, 0.9), "reverses"),
        ((0, 0.9), "reverses"),
        ((0.5, 9), "undecided"),  # 1 and the reference are both possible
        ((0, np.inf), "undecided"),
    ],
)
def test_contract_verdicts(ends, verdict):
    assert find_verdict(*ends, 7, 15) == verdict


def test_limit_reference_without_separation_decides_nothing():
    assert find_verdict(2, 3, 0.9, 1.5) == "undecided"


# --- the study -----------------------------------------------------------------------------------


def test_contract_rows_of_the_study(found):
    assert list(found.results.variant.unique()) == ["paper", "fixed place", "principal components"]
    assert list(found.results.estimator) == [*FAMILIES, *FAMILIES, "FCN"]
    table = found.table.set_index(["variant", "name"])
    assert ("principal components", "LCN/CNN") not in table.index  # both are those of the paper
    assert list(table.loc["paper"].verdict) == ["", ""]
    assert set(table.reference) == {"paper"}
    for (variant, name), row in table.iterrows():
        assert row.reference_ratio == table.loc[("paper", name)].ratio
        if variant != "paper":
            ends = row[["low", "high", "reference_low", "reference_high"]]
            assert row.verdict == find_verdict(*ends)


def test_oracle_family_that_is_missing_is_that_of_the_reference(found):
    needed = found.results.set_index(["variant", "estimator"]).n_samples
    row = found.table.set_index(["variant", "name"]).loc[("principal components", "FCN/LCN")]
    assert row.censored == ""
    expected = needed["principal components", "FCN"] / needed["paper", "LCN"]
    assert row.ratio == pytest.approx(expected)


def test_limit_known_place_leaves_nothing_to_share(found):
    # With 8 places the rates of the theorems differ by a factor of 8; with one, the LCN too has
    # one filter to learn.
    ratio = found.table.set_index(["variant", "name"]).ratio
    assert ratio["paper", "LCN/CNN"] > 2
    assert ratio["fixed place", "LCN/CNN"] < ratio["paper", "LCN/CNN"] / 2


def test_contract_target_of_wrong_labels_means_the_same_error_before_they_were_flipped():
    names = ["label noise", "four types"]
    small = {"n_patches": 4, "patch_size": 4, "repeats": 1, "n_min": 16, "n_max": 16}
    target = beyond(names, tolerance=0.5, **small).results.groupby("variant").target.first()
    # An error e becomes 0.1 + (1 - 2 * 0.1) e; chance is 3/4 for four types.
    assert target["label noise"] == pytest.approx(0.1 + 0.8 * target["paper"], abs=1e-6)
    assert 0.75 / 2 < target["four types"] < 0.75


def test_invariance_same_seed_same_study():
    small = {"n_patches": 4, "patch_size": 4, "repeats": 2, "n_max": 32, "n_per_octave": 1}
    first, again, other = (
        beyond(["principal components"], **small, random_state=seed) for seed in (0, 0, 1)
    )
    pd.testing.assert_frame_equal(first.results, again.results)
    pd.testing.assert_frame_equal(first.table, again.table)
    assert not first.results.n_samples.equals(other.results.n_samples)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"variants": ["nonsense"]}, "variants holds 'nonsense', .* it may hold paper; "),
        ({"variants": []}, r"variants=\[\] is empty"),
        ({"variants": ["xor"], "tolerance": 1.0}, r"tolerance=1.0 must lie between 0 and 1"),
        ({"variants": ["xor"], "n_patches": 0}, "'n_patches' .* Got 0"),
        ({"variants": ["xor"], "repeats": 0}, "repeats=0 must be at least 1"),
    ],
)
def test_bad_studies_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        beyond(**arguments)


# --- the picture ---------------------------------------------------------------------------------

NAMES = ["paper", "xor", "any pixel"]
RATIO = {"LCN/CNN": [10.0, 50.0, np.nan], "FCN/LCN": [3.0, 0.5, 2.0]}
LOW = {"LCN/CNN": [8.0, 30.0, 0.0], "FCN/LCN": [2.0, 0.0, 1.0]}
HIGH = {"LCN/CNN": [12.0, np.inf, np.inf], "FCN/LCN": [4.0, 0.8, 3.0]}
CENSORED = {"LCN/CNN": ["", "more", "unknown"], "FCN/LCN": ["", "less", ""]}
REFERENCE = {"LCN/CNN": [10.0, 10.0, 10.0]}


@pytest.fixture
def display():
    plt.switch_backend("agg")
    axes = Figure(layout="constrained").subplots(1, 2)
    ends = {"low": LOW, "high": HIGH, "censored": CENSORED, "reference": REFERENCE}
    shown = RatioDisplay(NAMES, RATIO, **ends).plot(axes)
    shown.figure_.canvas.draw()
    return shown


def test_contract_dots_are_the_ratios_and_bounds_are_hollow(display):
    known, bounds = display.dots_["LCN/CNN"]
    np.testing.assert_array_equal(known.get_xydata(), [[10, 0], [np.nan, 2]])
    np.testing.assert_array_equal(bounds.get_xydata(), [[50, 1]])
    assert bounds.get_markerfacecolor() == "white"
    assert known.get_color() == FAMILY_STYLES["CNN"].color
    assert display.dots_["FCN/LCN"][0].get_color() == FAMILY_STYLES["LCN"].color
    assert [text.get_text() for text in display.axes_[0].texts] == [" unknown"]
    assert [tick.get_text() for tick in display.axes_[0].get_yticklabels()] == NAMES


def test_contract_intervals_end_where_they_should(display):
    steps, lines = display.axes_[0].collections
    np.testing.assert_allclose([s[:, 0] for s in lines.get_segments()], [[8, 12], [30, 67.5]])
    np.testing.assert_allclose([s[:, 0] for s in steps.get_segments()], [[10, 10]] * 3)
    (lines,) = display.axes_[1].collections  # without a reference
    ends = [s[:, 0] for s in lines.get_segments()]
    np.testing.assert_allclose(ends, [[2, 4], [0.5 / 1.35, 0.8], [1, 3]])


def test_contract_study_draws_its_table(found):
    plt.switch_backend("agg")
    display = found.plot()
    display.figure_.canvas.draw()
    assert display.names == ["paper", "fixed place", "principal components"]
    rows = found.table.set_index(["name", "variant"])
    for name in RATIOS:
        for row, variant in enumerate(display.names):
            expected = rows.ratio.get((name, variant), np.nan)
            np.testing.assert_equal(display.ratios[name][row], expected)
    (legend,) = display.figure_.legends
    assert legend.get_texts()[1].get_text() == "ratio of the reference"
    plt.close("all")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"names": []}, "must hold at least one each"),
        ({"ratios": {"a/b": [1, 2]}}, r"ratios\['a/b'\] has shape \(2,\): .* each of names"),
        ({"ratios": {"a/b": [1, 0, 2]}}, "must be positive"),
        ({"low": {"LCN/CNN": [1, 1, 1]}}, "only one of low and high"),
        ({"low": {"x": [1, 1, 1]}}, "low names 'x', which is not there"),
        ({"low": {"FCN/LCN": [9, 0, 0]}, "high": {"FCN/LCN": [9, 9, 9]}}, "leaves its interval"),
        ({"censored": {"FCN/LCN": ["", "lots", ""]}}, r"censored\['FCN/LCN'\] is .* one of"),
        ({"censored": {"FCN/LCN": [""]}}, r"censored\['FCN/LCN'\] is"),
    ],
)
def test_bad_pictures_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        RatioDisplay(**{"names": NAMES, "ratios": RATIO} | arguments)


# --- the command ---------------------------------------------------------------------------------


def test_command_prints_ratios_and_writes_files(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    arguments = ["study", "beyond", "--quick", "--variants", "fixed place", "--n-max", "64"]
    assert main([*arguments, "--jobs", "1"]) == 0
    out, _ = capsys.readouterr()
    for word in ("samples needed", "fixed place", "LCN/CNN", "FCN/LCN", "Written to"):
        assert word in out
    files = tmp_path / "sklcnn-study-beyond"
    assert {f.name for f in files.iterdir()} == {
        *("ratios.csv", "ratios.png", "report.html", "results.csv")
    }
    assert set(pd.read_csv(files / "results.csv").variant) == {"paper", "fixed place"}
    assert "fixed place" in (files / "report.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--variants", "nothing"], "variants holds 'nothing'"),
        (["--noise", "-1"], "'noise'"),
        (["--repeats", "0"], "repeats=0"),
        (["--n-max", "1"], "n_max=1"),
    ],
)
def test_command_names_what_is_wrong(options, words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["study", "beyond", *options]) == 2
    assert words in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_statements_list_the_variants_of_each_verdict():
    table = pd.DataFrame(
        {
            "variant": ["paper", "a", "b, c", "d"],
            "name": "LCN/CNN",
            "verdict": ["", "persists", "persists", "reverses"],
        }
    )
    found = Beyond(table, pd.DataFrame(), {})
    assert statements(found) == [
        "LCN/CNN persists in 2: a; b, c.",
        "LCN/CNN reverses in 1: d.",
    ]
