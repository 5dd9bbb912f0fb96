"""The study below the edge of stability: its parts, trajectories, slopes and certificates."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from sklearn.dummy import DummyRegressor
from sklearn.metrics import mean_squared_error

from sklcnn.datasets import LocalTeacher, PatchwiseSphereTeacher, SphereTeacher
from sklcnn.datasets.sphere.law import AbstractTeacherLaw
from sklcnn.studies.stability import (
    FlatRun,
    ImageRegression,
    SphereSweep,
    runs,
    stability_study,
    study,
)
from sklcnn.studies.stability.floor import constant_gaps, floor_shares
from sklcnn.studies.stability.runs import LABELS, MEASURES, follow
from sklcnn.studies.stability.slopes import fit_slopes
from sklcnn.studies.trials import make_seeds
from sklcnn.theory import gap_exponent

SPHERE = SphereSweep.quick(
    networks=("FCN", "CNN"), dimensions=(20,), sizes=(10, 20), patch_sizes=(), n_test=50, n_steps=9
)
FLAT = FlatRun.quick(n_filters=16, n_samples=12, n_test=50, n_steps=9)
IMAGES = ImageRegression.quick(n_filters=8, n_samples=20, n_steps=9)


@pytest.fixture(scope="module", autouse=True)
def simulated_once():
    """Let each law simulate the variance of its target once: it takes half a second."""
    simulate, known = AbstractTeacherLaw.target_variance, {}

    def target_variance(law):
        name = repr((type(law), law.get_params()))
        if name not in known:
            known[name] = simulate(law)
        return known[name]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(AbstractTeacherLaw, "target_variance", target_variance)
        yield


# --- slopes --------------------------------------------------------------------------------------


def power_law(rng, n_repeats=5, scatter=0.1):
    """Gaps 3 n^(-0.4) times normal factors, one row a run."""
    sizes = np.array([16, 32, 64, 256])
    rows = [
        {"repeat": repeat, "network": "CNN", "n": n, "gap": 3 * n**-0.4 * np.exp(scatter * draw)}
        for repeat in range(n_repeats)
        for n, draw in zip(sizes, rng.standard_normal(len(sizes)), strict=True)
    ]
    return pd.DataFrame(rows)


def test_oracle_slopes_are_those_of_scipy_over_all_sizes():
    table = power_law(np.random.default_rng(0))
    found = fit_slopes(table, ["gap"], "n", ["network"]).iloc[0]
    lines = [
        stats.linregress(np.log(rows.n), np.log(rows.gap)).slope
        for _, rows in table.groupby("repeat")
    ]
    interval = stats.ttest_1samp(lines, 0).confidence_interval(0.95)
    assert_allclose([found.slope, found.low, found.high], [np.mean(lines), *interval])
    assert (found.repeats, found.n_min, found.n_max) == (5, 16, 256)


def test_closed_form_intervals_cover_the_exponent_as_often_as_they_say():
    rng = np.random.default_rng(1)
    found = [fit_slopes(power_law(rng), ["gap"], "n", ["network"]).iloc[0] for _ in range(100)]
    covered = sum(one.low <= -0.4 <= one.high for one in found)
    assert stats.binomtest(covered, 100, 0.95).pvalue > 0.01


def test_limit_repeats_that_miss_a_size_have_no_line():
    table = power_law(np.random.default_rng(0), scatter=0)
    table.loc[(table.repeat == 0) & (table.n == 16), "gap"] = np.nan
    table.loc[(table.repeat == 1) & (table.n == 64), "gap"] = 0
    table.loc[(table.repeat == 2) & (table.n == 64), "gap"] = np.inf
    found = fit_slopes(table, ["gap"], "n", ["network"]).iloc[0]
    assert found.repeats == 2
    assert_allclose([found.slope, found.low, found.high], -0.4)
    alone = fit_slopes(table[table.repeat == 4], ["gap"], "n", ["network"]).iloc[0]
    assert_allclose([alone.slope, alone.low, alone.high], [-0.4, np.nan, np.nan])
    assert fit_slopes(table[table.n == 16], ["gap"], "n", ["network"]).empty


# --- the tables of the study ---------------------------------------------------------------------


@pytest.fixture
def by_formula(monkeypatch):
    """Put gaps n^-0.5 d^0.25 m^0.75 in the place of training, n^0.1 more at the milestone before.

    The variance of the target is 1 / d.
    """

    def follow(group, *, n_steps, per_decade, checkpoint):
        rows = []
        for run in group:
            n, d, m = (run.labels[name] for name in ("n_samples", "n_features", "patch_size"))
            gap = n**-0.5 * d**0.25 * (m**0.75 if run.labels["network"] != "FCN" else 1)
            for step, factor in ((0, 5.0), (n_steps - 1, n**0.1), (n_steps, 1.0)):
                row = {"step": step, "loss": 1.0, "gap": factor * gap, "excess": 2 * factor * gap}
                rows.append(dict(run.labels) | row | {"target_variance": 1 / d})
        return pd.DataFrame(rows)

    monkeypatch.setattr(study, "follow", follow)
    monkeypatch.setattr(SphereTeacher, "target_variance", lambda law: np.nan)  # is not looked at


def test_closed_form_tables_have_the_exponents_of_gaps_that_are_powers(by_formula):
    part = SphereSweep(dimensions=(20, 40, 100), sizes=(8, 32), patch_sizes=(5, 20), n_test=10)
    found = stability_study([part])
    slopes, networks = found.slopes, part.networks
    assert_allclose(slopes[["slope", "low", "high"]], -0.5)
    assert list(dict.fromkeys(slopes.network)) == list(networks)
    assert_allclose(slopes[slopes.quantity == "gap"].slope_before, -0.4)
    assert slopes[slopes.quantity == "excess"].slope_before.isna().all()
    at_40 = slopes[(slopes.n_features == 40) & (slopes.network == "CNN")]
    assert sorted(set(at_40.patch_size)) == [5, 10, 20]
    of_dimension = found.dimension_slopes.set_index(["network", "quantity"])
    assert_allclose(of_dimension.loc["FCN"].loc["gap"].slope, 0.25)
    assert_allclose(of_dimension.loc["CNN"].loc["excess"].slope, 0.25)
    assert_allclose(of_dimension.loc["LCN"].loc["relative_excess"].slope, 1.25)
    assert set(found.dimension_slopes.network) == {"FCN", "LCN", "CNN"}  # at all dimensions
    assert set(found.dimension_slopes.d_max) == {100}
    assert_allclose(found.patch_slopes.slope, 0.75)
    assert set(found.patch_slopes.n_samples) == {8, 32}
    assert_allclose(found.results.gap_change, 1 - found.results.n_samples**0.1)
    assert_allclose(found.results.relative_excess, found.results.excess * found.results.n_features)
    assert slopes[slopes.quantity == "excess"].floor_share.isna().all()
    for row in slopes[slopes.quantity == "gap"].itertuples():
        names = ["network", "n_features", "patch_size"]
        own = found.results[
            (found.results[names] == [getattr(row, one) for one in names]).all(axis=1)
        ]
        assert row.floor_share == np.mean(own.gap.to_numpy() <= own.constant_gap.to_numpy())
    assert 0 < slopes.floor_share.mean() < 1


def test_oracle_slopes_stand_beside_the_exponents_of_theory(by_formula):
    found = stability_study([SphereSweep.quick(n_test=10)]).slopes
    gaps = found[found.quantity == "gap"]
    assert found[found.quantity == "excess"].theory.isna().all()
    assert gaps[gaps.network == "LCN"].theory.isna().all()
    assert (gaps[gaps.network == "FCN"].theory == 0).all()
    for row in gaps[gaps.network.str.startswith("CNN")].itertuples():
        exponent = gap_exponent("cnn", "sphere", row.n_features, patch_size=row.patch_size)
        assert row.theory == -exponent < 0


# --- the floor of the gap ------------------------------------------------------------------------


def test_contract_constant_gap_is_that_of_a_network_that_predicts_the_mean(found):
    of_runs = [run for part in (SPHERE, FLAT, IMAGES) for run in all_runs(part)]
    assert len(of_runs) == len(found.results)
    for run, (_, row) in zip(of_runs, found.results.iterrows(), strict=True):
        assert dict(run.labels) == {name: row[name] for name in LABELS}
        samples, y = run.samples, run.samples.y
        dummy = DummyRegressor().fit(samples.X, y)
        loss = mean_squared_error(y, dummy.predict(samples.X))
        excess = mean_squared_error(samples.clean_test, dummy.predict(samples.X_test))
        assert_allclose(row.constant_gap, abs(excess + samples.noise**2 - loss), rtol=1e-5)


@pytest.mark.parametrize("signal", [0.0, 2.0])
def test_limit_constant_gap_is_the_chance_of_a_variance(signal):
    # For large n and normal targets, sigma^2 + v + mean^2 - var(y) is normal with the deviation
    # (sigma^2 + v) sqrt(2 / n), and its absolute value has the mean sqrt(2 / pi) times that.
    rng, noise, n = np.random.default_rng(0), 3.0, 400
    zeros, clean_test = np.zeros(n), signal * np.resize([-1.0, 1.0], n)  # of variance v
    targets = np.hypot(noise, signal) * rng.standard_normal((1000, n))
    drawn = [
        runs.Run({"repeat": one}, None, runs.Samples(zeros, y, y, zeros, clean_test, noise, 0.0))
        for one, y in enumerate(targets)
    ]
    gaps = constant_gaps(drawn).constant_gap
    expected = (noise**2 + signal**2) * np.sqrt(2 / n) * np.sqrt(2 / np.pi)
    error = gaps.std(ddof=1) / np.sqrt(len(gaps))
    assert abs(gaps.mean() - expected) < 4 * error + expected / n
    assert error < 0.03 * expected


def test_closed_form_floor_share_counts_repeats_with_a_line():
    table = pd.DataFrame(
        {
            "network": "CNN",
            "repeat": [0, 0, 1, 1, 2, 2, 3],
            "n": [10, 100, 10, 100, 10, 100, 10],
            "gap": [1.0, 0.5, 1.0, 0.4, np.nan, 0.1, 0.1],
            "constant_gap": 0.5,
        }
    )
    assert floor_shares(table, "n", ["network"]).floor_share.tolist() == [0.5]
    lost = floor_shares(table.assign(gap=np.nan), "n", ["network"])
    assert lost.floor_share.isna().all()


# --- what is measured ----------------------------------------------------------------------------


def test_contract_rows_agree_with_the_trained_networks():
    group = next(SPHERE.groups())
    table = follow(group, n_steps=9)
    assert list(table.columns) == [*LABELS, "step", "loss", *MEASURES]
    for run, (_, rows) in zip(group, table.groupby("repeat"), strict=True):
        assert rows.step.tolist() == [0, 1, 3, 9]
        last, samples = rows.iloc[-1], run.samples
        errors = (run.estimator.predict(samples.X) - samples.y) ** 2
        assert_allclose(last.loss, errors.mean())
        on_test = run.estimator.predict(samples.X_test) - samples.clean_test
        assert_allclose(last.excess, np.mean(on_test**2))
        assert_allclose(rows.gap, np.abs(rows.excess + samples.noise**2 - rows.loss))
        assert (rows.threshold == 10).all()
        assert (rows.bound_holds == 1).all()


def test_closed_form_the_constant_predictor_has_the_variance_as_excess():
    run = next(SphereSweep.quick(dimensions=(20,), sizes=(10,), patch_sizes=()).groups())[0]
    network, samples = run.estimator.set_params(max_iter=1), run.samples
    network.fit(samples.X, samples.y)
    with torch.no_grad():  # dead units, off their kink, and the best constant
        for name, value in network.module_.named_parameters():
            value.fill_(-1 if name == "bias" else 0)
        network.module_.readout_bias.fill_(float(samples.clean_test.mean()))
    measured = runs._measure(network, samples, 1e-6)
    assert_allclose(measured["excess"], samples.clean_test.var(), rtol=1e-5)  # float32 constant
    # Standard error of a variance from 2000 draws: 3 %, or twice that with heavy tails.
    assert_allclose(measured["excess"] / measured["target_variance"], 1, atol=0.2)
    assert_allclose(measured["sharpness"], 2)  # of the output bias alone
    assert (measured["dead_share"], measured["mean_activation_rate"]) == (1, 0)


def test_contract_networks_that_share_nothing_have_no_bound_and_no_warning(recwarn):
    part = SphereSweep.quick(networks=("LCN",), dimensions=(20,), sizes=(10,), n_test=10, n_steps=2)
    table = stability_study([part]).trajectories
    assert table.bound_holds.isna().all()
    assert table.path_norm.notna().all()
    assert not [one for one in recwarn if "not shared" in str(one.message)]


def test_limit_divergence_is_a_row_and_not_the_end_of_the_study():
    part = SphereSweep.quick(
        networks=("FCN",),
        dimensions=(20,),
        sizes=(10, 20),
        patch_sizes=(),
        learning_rate=1e4,
        clip_norm=None,
        n_test=10,
        n_steps=100,
    )
    found = stability_study([part])
    assert np.isinf(found.results.loss).all()
    assert found.slopes.slope.isna().all()
    assert (found.slopes.repeats == 0).all()


# --- the parts -----------------------------------------------------------------------------------


def all_runs(part):
    return [run for group in part.groups() for run in group]


def test_oracle_sphere_has_one_teacher_and_nested_training_sets():
    part = SphereSweep.quick(dimensions=(20,), sizes=(10, 30), patch_sizes=(5,), n_test=40)
    for repeat, (law_seed, sample_seed, test_seed, network_seed) in enumerate(make_seeds(0, 2)):
        law = SphereTeacher(20, 10, 20, random_state=law_seed)
        X, y, clean = law.sample(30, random_state=sample_seed, return_clean=True)
        for run in all_runs(part):
            if run.labels["repeat"] != repeat:
                continue
            n, samples = run.labels["n_samples"], run.samples
            for found, expected in ((samples.X, X), (samples.y, y), (samples.clean, clean)):
                assert_array_equal(found, expected[:n])
            assert_array_equal(samples.X_test, law.sample(40, random_state=test_seed)[0])
            assert_allclose(samples.clean_test, law.predict(samples.X_test))
            assert samples.target_variance == law.target_variance()
            assert run.estimator.random_state == network_seed


def test_contract_sphere_groups_are_the_repeats_of_one_network():
    groups = list(SphereSweep.quick(n_test=10).groups())
    assert all([run.labels["repeat"] for run in group] == [0, 1] for group in groups)
    found = [tuple(group[0].labels[name] for name in LABELS[1:4]) for group in groups]
    at_20 = [("FCN", 20, 20), ("LCN", 20, 10), ("CNN", 20, 10)]
    at_40 = [("FCN", 40, 40), ("LCN", 40, 10), ("CNN", 40, 10), ("CNN, matched", 40, 10)]
    assert list(dict.fromkeys(found)) == [*at_20, *at_40, ("CNN", 40, 5)]
    for run in [run for group in groups for run in group]:
        assert run.estimator.alpha == 0
        assert run.estimator.solver.clip_norm == 100
        assert run.n_patches * run.labels["patch_size"] == run.labels["n_features"]


def test_closed_form_parameters_of_all_networks():
    part = SphereSweep.quick(dimensions=(20,), sizes=(10,), patch_sizes=(), n_test=10, n_steps=1)
    counts = stability_study([part]).results.groupby("network").n_parameters.first()
    assert counts["FCN"] == 32 * 22 + 1
    assert counts["LCN"] == 32 * (2 * 11 + 1) + 1
    assert counts["CNN"] == 32 * 12 + 1
    assert abs(counts["CNN, matched"] - counts["LCN"]) <= 6  # half a filter of 12


def test_oracle_flat_samples_are_those_of_the_patch_wise_sphere():
    law_seed, sample_seed, test_seed, _ = make_seeds(0, 2)[1]
    law = PatchwiseSphereTeacher(random_state=law_seed)
    X, y, clean = law.sample(12, random_state=sample_seed, return_clean=True)
    samples = all_runs(FLAT)[1].samples
    for found, expected in ((samples.X, X), (samples.y, y), (samples.clean, clean)):
        assert_array_equal(found, expected)
    assert_array_equal(samples.X_test, law.sample(50, random_state=test_seed)[0])
    assert_allclose(samples.clean_test, law.predict(samples.X_test))


def test_closed_form_images_are_scaled_by_channel_and_labeled_by_one_teacher():
    rng = np.random.default_rng(0)
    X = rng.integers(0, 256, (40, 2, 5, 6), dtype=np.uint8)
    X_test = rng.integers(0, 256, (9, 2, 5, 6), dtype=np.uint8)
    part = ImageRegression.quick(X=X, X_test=X_test, n_samples=30, random_state=3)
    part.check()
    mean, size = X.mean(axis=(0, 2, 3)), X.std(axis=(0, 2, 3))
    scaled, scaled_test = (
        (images - mean[:, None, None]) / size[:, None, None] for images in (X, X_test)
    )
    teacher = LocalTeacher((2, 5, 6), random_state=3)
    drawn = all_runs(part)
    rows = {tuple(image) for image in scaled.reshape(40, -1).round(4)}
    for run in drawn:
        samples = run.samples
        assert_allclose(samples.X_test, scaled_test.reshape(9, -1), atol=1e-5)  # single precision
        assert len({tuple(image) for image in samples.X.round(4).tolist()}) == 30
        assert_allclose(samples.clean, teacher.predict(samples.X), rtol=1e-5)
        assert samples.target_variance == samples.clean_test.var()
        assert run.labels["n_features"] == 60
        assert run.labels["patch_size"] == (60 if run.labels["network"] == "FCN" else 18)
    shape = np.array(sorted(rows)).shape
    assert shape == (40, 60)
    assert_array_equal(drawn[0].samples.X, drawn[2].samples.X)  # both networks see the same
    assert (drawn[0].samples.X != drawn[1].samples.X).any()
    residuals = np.concatenate([run.samples.y - run.samples.clean for run in drawn[:2]])
    assert len(np.unique(residuals)) == 60  # the noise of each repeat is its own


def test_contract_three_axes_that_are_said_to_be_channels_first_are_taken_so():
    X = np.random.default_rng(0).random((60, 8, 8, 3))
    said = ImageRegression.quick(X=X, input_shape=(8, 8, 3), n_samples=20)
    said.check()
    front = ImageRegression.quick(X=np.moveaxis(X, 3, 1), n_samples=20)
    front.check()
    gray = ImageRegression.quick(X=X[:, None, :, :, 0], input_shape=(8, 8), n_samples=20)
    gray.check()
    assert next(front.groups())[0].labels["n_features"] == 192


def test_contract_digits_are_cut_into_training_and_test():
    first, second = all_runs(ImageRegression.quick(networks=("CNN",), n_samples=1000))
    assert len(first.samples.X_test) == 539  # 30 % of 1797
    assert_array_equal(first.samples.X_test, second.samples.X_test)
    seen = {image.tobytes() for image in first.samples.X}
    assert len(seen) == 1000
    assert not seen & {image.tobytes() for image in first.samples.X_test}


@pytest.mark.parametrize(
    ("part", "changes", "message"),
    [
        (SphereSweep, {"sizes": ()}, r"sizes: \(\) must hold some values"),
        (SphereSweep, {"sizes": (8, 8)}, r"sizes: \(8, 8\) must hold .* each once"),
        (SphereSweep, {"dimensions": (20, 0.5)}, "dimensions: holds 0.5, but each must be a whole"),
        (SphereSweep, {"dimensions": (20, 35)}, "patch_size: 10 must divide the dimension 35.* 7 "),
        (SphereSweep, {"dimensions": (10,)}, "patch_size: 10 must divide .* two patches"),
        (SphereSweep, {"patch_sizes": (15,)}, "patch_sizes: 15 must divide .* 40.* 10 "),
        (SphereSweep, {"compared_dimension": 30}, "compared_dimension: 30 must be one of"),
        (SphereSweep, {"networks": ("RNN",)}, "networks: holds 'RNN'.*may hold FCN"),
        (SphereSweep, {"repeats": 0}, "repeats: 0 must be a whole number of at least 1"),
        (SphereSweep, {"n_filters": (4, 8)}, r"n_filters: \(4, 8\) must be a whole number"),
        (SphereSweep, {"patch_size": (5, 10)}, r"patch_size: \(5, 10\) must be a whole number"),
        (SphereSweep, {"sizes": 8}, r"sizes: 8 must be a tuple; \(8,\) would do"),
        (FlatRun, {"n_steps": [3, 4]}, r"n_steps: \[3, 4\] must be a whole number"),
        (FlatRun, {"noise": (1.0,)}, r"noise: \(1.0,\) must be a number of at least 0"),
        (SphereSweep, {"random_state": -1}, "random_state=-1"),
        (SphereSweep, {"noise": -1.0}, "noise: -1.0 must be a number of at least 0"),
        (FlatRun, {"learning_rate": 0.0}, "learning_rate: 0.0 must be a number above 0"),
        (FlatRun, {"clip_norm": np.inf}, "clip_norm: inf must be a number above 0, or None"),
        (FlatRun, {"patch_size": 1}, "patch_size: 1 must be at least 2"),
        (ImageRegression, {"n_samples": 5000}, "n_samples.*more than the 1258.*at most 1258"),
        (ImageRegression, {"networks": ("RNN",)}, "networks: .* must hold some of FCN, LCN, CNN"),
        (ImageRegression, {"X": np.zeros((9, 4))}, "input_shape.*say .height, width."),
        (
            ImageRegression,
            {"X": np.zeros((60, 8, 8, 3))},
            r"input_shape: .*\(8, 8, 3\) seem .*channels last.*\(3, 8, 8\)",
        ),
        (
            ImageRegression,
            {"X": np.zeros((60, 8, 8, 3)), "input_shape": (3, 8, 8)},
            r"X: has shape \(60, 8, 8, 3\).*\(n_images, \*\(3, 8, 8\)\)",
        ),
        (ImageRegression, {"X": np.full((9, 4, 4), np.nan)}, "X.*not finite"),
        (
            ImageRegression,
            {"X": np.zeros((200, 4, 4)), "X_test": np.zeros((9, 5, 4))},
            r"X_test.*shape \(9, 5, 4\).*\(n_images, 16\)",
        ),
    ],
)
def test_contract_bad_settings_are_named_before_anything_is_trained(part, changes, message):
    with pytest.raises(ValueError, match=message):
        stability_study([part.quick(**changes)])


def test_contract_a_study_has_each_part_once_and_one_at_least():
    for parts in ([], [FLAT, FLAT]):
        with pytest.raises(ValueError, match="parts has the parts"):
            stability_study(parts)


# --- certificates --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificates():
    return FlatRun(n_samples=100, n_test=1000, repeats=2).certificates()


def test_contract_certificates_interpolate_within_the_bound_of_theory(certificates):
    assert (certificates.loss < 1e-20).all()  # residuals below 1e-10
    assert (certificates.residual < 1e-6).all()
    assert (certificates.sharpness <= certificates.sharpness_bound + certificates.residual).all()
    assert (certificates.sharpness_bound < certificates.threshold).all()
    assert_allclose(certificates.largest_stable_rate, 2 / certificates.sharpness)


def test_closed_form_sharpness_of_the_certificates(certificates):
    # No two samples share an active filter: the Hessian has the eigenvalues of this matrix.
    for row, (law_seed, sample_seed, *_) in zip(
        certificates.itertuples(), make_seeds(0, 2), strict=True
    ):
        _, y = PatchwiseSphereTeacher(random_state=law_seed).sample(100, random_state=sample_seed)
        own = (y - y.mean()) ** 2 + 2 / 8**2
        gram = 2 / 100 * (1 + np.diag(own))
        assert_allclose(row.sharpness, np.linalg.eigvalsh(gram)[-1], rtol=1e-7)


def test_limit_certificates_learn_nothing(certificates):
    # On new inputs hardly a filter is active: what is left is the mean of the training targets,
    # whose own error is about (1 + 1 / variance) / n.
    assert_allclose(certificates.relative_excess, 1, atol=0.15)


# --- the study -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def found():
    return stability_study([SPHERE, FLAT, IMAGES])


def test_contract_all_parts_run_end_to_end(found):
    assert list(dict.fromkeys(found.results.part)) == ["sphere", "flat", "images"]
    assert (found.results.step == 9).all()
    # Two networks at two sizes, one network, and two; two repeats of each.
    assert found.results.part.value_counts().to_dict() == {"sphere": 8, "flat": 2, "images": 4}
    assert found.trajectories.drop_duplicates([*LABELS, "step"]).shape == found.trajectories.shape
    assert found.trajectories.drop(columns=["bound_holds"]).notna().all(axis=None)
    assert len(found.certificates) == 2
    assert found.settings["flat"]["n_filters"] == 16
    assert "X" not in found.settings["sphere"]
    assert found.display().averages.part.nunique() == 3


def test_contract_same_seed_same_results(found):
    again = stability_study([SPHERE]).trajectories
    first = found.trajectories[found.trajectories.part == "sphere"].reset_index(drop=True)
    pd.testing.assert_frame_equal(first, again, rtol=1e-6)  # sums of a float32 network
    other = SphereSweep(**SPHERE.settings() | {"random_state": 1})
    assert (stability_study([other]).trajectories.loss != again.loss).all()


def test_contract_a_finished_study_does_not_train_again(tmp_path, monkeypatch):
    before = stability_study([SPHERE, FLAT], checkpoint=tmp_path)

    def fail(*args, **kwargs):
        raise AssertionError("trains")

    monkeypatch.setattr(runs, "follow_training", fail)
    after = stability_study([SPHERE, FLAT], checkpoint=tmp_path)
    pd.testing.assert_frame_equal(before.trajectories, after.trajectories, check_exact=True)
    pd.testing.assert_frame_equal(before.slopes, after.slopes, check_exact=True)
    fewer = SphereSweep(**SPHERE.settings() | {"sizes": (20,)})
    assert len(stability_study([fewer], checkpoint=tmp_path).results) == 4
    for change in ({"n_steps": 8}, {"random_state": 1}, {"sizes": (10, 30)}, {"noise": 0.5}):
        with pytest.raises(AssertionError, match="trains"):
            stability_study([SphereSweep(**SPHERE.settings() | change)], checkpoint=tmp_path)


def test_contract_an_interrupted_study_keeps_what_is_finished(tmp_path, monkeypatch):
    train, calls = runs.follow_training, []

    def interrupted(*args, **kwargs):
        calls.append(args)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return train(*args, **kwargs)

    monkeypatch.setattr(runs, "follow_training", interrupted)
    with pytest.raises(KeyboardInterrupt):
        stability_study([SPHERE], checkpoint=tmp_path)
    assert len(list(tmp_path.glob("*.csv"))) == 2
    assert not list(tmp_path.glob("*.part"))


def test_contract_groups_are_the_same_in_another_process(tmp_path):
    group = next(SPHERE.groups())
    call = study._Call(SPHERE, group)
    number, here = pickle.loads(pickle.dumps(call))(7, tmp_path)
    assert number == 7
    (name,) = [path.name for path in tmp_path.iterdir()]
    _, there = call(7, tmp_path)  # is recognized
    assert [path.name for path in tmp_path.iterdir()] == [name]
    pd.testing.assert_frame_equal(here, there, check_exact=True)
