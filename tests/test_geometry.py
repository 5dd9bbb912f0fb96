"""Patches as a cloud of points: spectra and depths against closed forms, brute force and limits."""

import tracemalloc

import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from scipy.stats import norm

from sklcnn.datasets.base import stream
from sklcnn.inspection import (
    exact_halfspace_depth,
    halfspace_depth,
    patch_geometry,
    patch_spectrum,
    pca_elbow,
)
from sklcnn.inspection.geometry.cloud import PatchCloud
from sklcnn.inspection.geometry.depth import _draw_directions
from sklcnn.inspection.geometry.overview import _draw_places
from sklcnn.patches import sliding_windows
from sklcnn.plotting import FAMILY_STYLES, PatchGeometryDisplay
from sklcnn.plotting.geometry import _COLORS, geometry_png

WINDOWS = sliding_windows((3, 8, 8), 4, 2)  # (9, 48)


@pytest.fixture(scope="module")
def images():
    """Bytes that vary smoothly, (60, 192)."""
    rng = np.random.default_rng(0)
    waves = np.cumsum(rng.normal(size=(60, 3, 8, 8)), axis=-1) + rng.normal(size=(60, 1, 1, 1)) * 5
    return np.clip(128 + 12 * waves, 0, 255).astype(np.uint8).reshape(60, -1)


def polygon(n_points):
    angles = 2 * np.pi * np.arange(n_points) / n_points
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def brute_depth(query, cloud):
    """Depth in the plane by counting both sides of all lines through the query that differ.

    Counts change only where a line passes a point, so one line between two neighboring changes
    stands for all between them; lines through points hold no fewer on either side.
    """
    seen = cloud - query
    rays = seen[seen.any(axis=1)]
    changes = np.sort((np.arctan2(rays[:, 1], rays[:, 0]) + np.pi / 2) % np.pi)
    turned = np.append(changes, changes[0] + np.pi) if len(changes) else np.array([0, np.pi])
    halves = (turned[1:] + turned[:-1])[np.diff(turned) > 1e-9] / 2
    directions = np.stack([np.cos(halves), np.sin(halves)])
    heights = seen @ directions  # (n_points, n_directions)
    return min((heights >= 0).mean(axis=0).min(), (heights <= 0).mean(axis=0).min(), 0.5)


# --- the spectrum --------------------------------------------------------------------------------


def test_oracle_spectrum_is_that_of_numpy(images):
    offset, scale = np.linspace(100, 140, 192), np.linspace(40, 60, 192)
    spectrum = patch_spectrum(images, WINDOWS, offset=offset, scale=scale)
    patches = ((images - offset) / scale)[:, WINDOWS].reshape(-1, 48)
    singular = np.linalg.svd(patches - patches.mean(axis=0), compute_uv=False)
    expected = singular**2 / (len(patches) - 1)
    assert spectrum.n_patches == 540
    np.testing.assert_allclose(spectrum.mean, patches.mean(axis=0), atol=1e-13)
    np.testing.assert_allclose(spectrum.eigenvalues, expected, rtol=1e-9, atol=1e-13)
    assert spectrum.trace == pytest.approx(patches.var(axis=0, ddof=1).sum())
    assert spectrum.top_share == pytest.approx(expected[0] / expected.sum())


def test_invariance_of_the_spectrum_to_pieces(images):
    whole = patch_spectrum(images, WINDOWS)
    pieces = patch_spectrum(images, WINDOWS, working_memory=1e-9)  # sample by sample
    assert len(list(PatchCloud(images, WINDOWS).pieces(1))) == 60
    np.testing.assert_allclose(pieces.eigenvalues, whole.eigenvalues, rtol=1e-10, atol=1e-9)
    np.testing.assert_allclose(pieces.mean, whole.mean, rtol=1e-12)


def test_invariance_of_the_spectrum_to_a_large_mean():
    points = np.random.default_rng(1).normal(size=(4000, 5))
    near = patch_spectrum(points)
    far = patch_spectrum(points + 1e8, working_memory=0.01)
    # A number near 1e8 is rounded by 1e-8, which no algorithm can undo; sums of squares less the
    # square of the mean would lose everything, as 1e16 has a rounding of 1.
    np.testing.assert_allclose(far.eigenvalues, near.eigenvalues, rtol=1e-7)


def test_closed_form_effective_dimensions():
    even = patch_spectrum(np.concatenate([np.eye(10), -np.eye(10)]))
    assert even.trace == pytest.approx(20 / 19)
    for number in (even.participation_ratio, even.effective_rank):
        assert number == pytest.approx(10)
    assert even.elbow() == 9
    line = patch_spectrum(np.outer([1.0, 2.0, 4.0], [3.0, 4.0]))
    np.testing.assert_allclose(line.eigenvalues, [25 * 7 / 3, 0], atol=1e-12)
    assert line.participation_ratio == line.effective_rank == pytest.approx(1)


def test_closed_form_elbow():
    assert [pca_elbow([1, 6, 3], share) for share in (0.5, 0.6, 0.61, 0.9, 0.91, 1)] == [
        *(1, 1, 2, 2, 3, 3)
    ]
    assert pca_elbow([2, 0, 0], 1) == 1
    for n_components in range(1, 30):  # sums of equal parts are exact, whatever rounding says
        for count in range(1, n_components + 1):
            assert pca_elbow([0.1] * n_components, count / n_components) == count


# --- depth in the plane --------------------------------------------------------------------------


@pytest.mark.parametrize("n_points", [3, 4, 5, 6, 8, 17, 100])
def test_closed_form_depth_in_a_regular_polygon(n_points):
    cloud = polygon(n_points)
    np.testing.assert_allclose(exact_halfspace_depth(cloud, cloud), 1 / n_points)
    # Half of an even polygon lies on each side of its center, all but half a vertex of an odd one.
    assert exact_halfspace_depth([[0, 0]], cloud) == pytest.approx(n_points // 2 / n_points)
    assert exact_halfspace_depth([[1.01, 0.02]], cloud) == 0


def test_closed_form_depth_of_ties():
    atoms = np.array([[0, 0]] * 3 + [[1, 0]] * 2 + [[-1, 0]] * 5)
    depths = exact_halfspace_depth([[0, 0], [1, 0], [-1, 0], [0.5, 0], [0, 1e-3]], atoms)
    np.testing.assert_allclose(depths, [0.5, 0.2, 0.5, 0.2, 0])
    assert exact_halfspace_depth([[2, 2]], [[2, 2]]) == 0.5


def test_oracle_exact_depth_is_that_of_brute_force():
    rng = np.random.default_rng(2)
    cloud = rng.normal(size=(41, 2))
    queries = np.concatenate([cloud, rng.normal(size=(20, 2)) / 2])
    expected = [brute_depth(query, cloud) for query in queries]
    np.testing.assert_allclose(exact_halfspace_depth(queries, cloud), expected)


def test_oracle_exact_depth_on_a_grid_is_that_of_brute_force():
    rng = np.random.default_rng(3)
    cloud = rng.integers(-3, 4, size=(60, 2))  # many points on a line, and some on others
    queries = np.stack(np.meshgrid(np.arange(-4, 5), np.arange(-4, 5)), axis=-1).reshape(-1, 2)
    expected = [brute_depth(query, cloud) for query in queries]
    np.testing.assert_allclose(exact_halfspace_depth(queries, cloud), expected)


def test_invariance_of_exact_depth_to_affine_maps():
    rng = np.random.default_rng(4)
    cloud, queries = rng.normal(size=(200, 2)), rng.normal(size=(30, 2))
    shear = np.array([[3.0, 1.0], [0.5, -2.0]])
    moved = exact_halfspace_depth(queries @ shear + 7, cloud @ shear + 7)
    np.testing.assert_allclose(moved, exact_halfspace_depth(queries, cloud))


def test_limit_depth_in_a_gaussian_cloud_is_the_tail_beyond_the_radius():
    cloud = np.random.default_rng(5).normal(size=(40_000, 2))
    radii = np.array([0, 0.5, 1, 2])
    depths = exact_halfspace_depth(np.outer(radii, [0.6, 0.8]), cloud)
    # The least of many shares lies below each, by about 2 / sqrt(n) = 0.01 where they are 1/2.
    np.testing.assert_allclose(depths, norm.cdf(-radii), atol=0.01)
    assert (depths <= norm.cdf(-radii) + 0.0075).all()  # three standard errors of one share


# --- depth by directions -------------------------------------------------------------------------


def test_closed_form_one_direction_is_exact_on_a_line():
    cloud = np.array([[1.0], [2.0], [2.0], [5.0], [9.0]])
    depth = halfspace_depth([[0], [1], [2], [3], [5], [9], [10]], cloud, n_directions=1)
    np.testing.assert_allclose(depth.depths, [0, 0.2, 0.5, 0.4, 0.4, 0.2, 0])
    assert np.isnan(depth.last_drop)


def test_oracle_directions_bound_the_exact_depth_from_above():
    rng = np.random.default_rng(6)
    cloud, queries = rng.normal(size=(500, 2)), rng.normal(size=(60, 2))
    exact = exact_halfspace_depth(queries, cloud)
    few, many = (
        halfspace_depth(queries, cloud, n_directions=n, random_state=0).depths for n in (3, 4096)
    )
    assert (few >= exact).all()
    assert (few > exact).any()
    assert (many >= exact).all()
    # With 4096 directions almost every gap between points as seen from a query is hit.
    np.testing.assert_allclose(many, exact, atol=1.01 / 500)
    assert (many == exact).mean() > 0.9


def test_closed_form_query_ties_with_its_copy_in_many_dimensions():
    corners = np.random.default_rng(7).normal(size=(300, 48))
    corners /= np.linalg.norm(corners, axis=1, keepdims=True)
    cloud = np.repeat(1000 + corners, 5, axis=0)  # far away, where rounding is coarse
    depth = halfspace_depth(cloud[::5], cloud, n_directions=200, random_state=0)
    counts = depth.depths * 1500
    assert counts.min() >= 5  # no query loses sight of its copies
    np.testing.assert_allclose(counts, np.round(counts), atol=1e-9)
    assert set(np.round(counts).astype(int) % 5) == {0}


def test_oracle_sides_are_counted_as_defined():
    rng = np.random.default_rng(8)
    cloud, queries = rng.integers(-2, 3, size=(80, 3)), rng.integers(-2, 3, size=(40, 3))
    depth = halfspace_depth(queries, cloud, n_directions=7, random_state=3)
    directions = _draw_directions(stream(3, "directions"), 7, 3)
    heights = (cloud[:, np.newaxis] - queries) @ directions.T  # (80, 40, 7), copies exactly at 0
    expected = np.minimum((heights >= 0).mean(axis=0), (heights <= 0).mean(axis=0)).min(axis=1)
    np.testing.assert_allclose(depth.depths, np.minimum(expected, 0.5))
    assert (heights == 0).any()


def test_limit_bound_in_a_gaussian_cloud_is_the_tail_beyond_the_radius():
    cloud = np.random.default_rng(13).normal(size=(40_000, 3))
    radii = np.array([0, 0.5, 1, 2])
    queries = np.outer(radii, [2, 1, -2]) / 3
    depth = halfspace_depth(queries, cloud, n_directions=2000, random_state=0)
    # As in the plane; the nearest of 2,000 directions is some 2 degrees off.
    np.testing.assert_allclose(depth.depths, norm.cdf(-radii), atol=0.015)


def test_invariance_of_depth_to_pieces_of_directions():
    rng = np.random.default_rng(9)
    cloud, queries = rng.normal(size=(400, 6)), rng.normal(size=(50, 6))
    whole = halfspace_depth(queries, cloud, n_directions=100, random_state=0)
    pieces = halfspace_depth(queries, cloud, n_directions=100, working_memory=0.05, random_state=0)
    np.testing.assert_array_equal(pieces.depths, whole.depths)
    np.testing.assert_array_equal(pieces.mean_depths, whole.mean_depths)


def test_invariance_few_directions_are_the_first_of_many():
    rng = np.random.default_rng(10)
    cloud, queries = rng.normal(size=(400, 6)), rng.normal(size=(50, 6))
    found = {
        n: halfspace_depth(queries, cloud, n_directions=n, random_state=0) for n in (1, 2, 8, 20)
    }
    np.testing.assert_array_equal(found[20].n_directions, [1, 2, 4, 8, 16, 20])
    means = dict(zip(found[20].n_directions, found[20].mean_depths, strict=True))
    for n in (1, 2, 8):
        assert means[n] == found[n].mean
        assert (found[20].depths <= found[n].depths).all()
    assert (np.diff(found[20].mean_depths) <= 0).all()
    assert found[20].mean_depths[-1] < found[20].mean_depths[0]


def test_limit_one_direction_gives_a_quarter():
    # A query of the cloud's own law has a uniform rank on any line: the mean of min(U, 1 - U).
    rng = np.random.default_rng(11)
    cloud, queries = rng.normal(size=(5000, 30)), rng.normal(size=(4000, 30))
    mean = halfspace_depth(queries, cloud, n_directions=1, random_state=0).mean
    assert mean == pytest.approx(0.25, abs=5 * 0.25 / np.sqrt(3 * 4000))  # five standard errors


def test_closed_form_area_is_the_mean():
    rng = np.random.default_rng(12)
    cloud, queries = rng.normal(size=(300, 4)), rng.normal(size=(70, 4))
    depth = halfspace_depth(queries, cloud, n_directions=64, random_state=0)
    edges = np.arange(151) / 300  # depths are multiples of 1/300, so the curve steps there only
    middles = (edges[1:] + edges[:-1]) / 2
    assert depth.curve(middles).mean() / 2 == pytest.approx(depth.mean, abs=1e-12)
    assert depth.curve([0]) == 1
    assert depth.depths.max() <= 0.5
    binned = np.trapezoid(depth.curve(np.linspace(0, 0.5, 11)), dx=0.05)
    assert binned > depth.mean + 1e-3  # what the grid would add


# --- both, of images -----------------------------------------------------------------------------


def test_oracle_geometry_is_spectrum_and_depth_of_its_patches(images):
    options = {"n_queries": 50, "n_reference": 300, "n_directions": 32, "random_state": 0}
    scaling = {"offset": np.linspace(100, 140, 192), "scale": np.linspace(40, 60, 192)}
    geometry = patch_geometry(images, WINDOWS, **scaling, **options)
    queries, reference = _draw_places(540, 50, 300, 0)
    scaled = (images - scaling["offset"]) / scaling["scale"]
    patches = scaled[:, WINDOWS].reshape(-1, 48)
    expected = halfspace_depth(
        patches[queries], patches[reference], n_directions=32, random_state=0
    )
    np.testing.assert_array_equal(geometry.depth.depths, expected.depths)
    np.testing.assert_array_equal(geometry.depth.mean_depths, expected.mean_depths)
    spectrum = patch_spectrum(images, WINDOWS, **scaling)
    np.testing.assert_array_equal(geometry.spectrum.eigenvalues, spectrum.eigenvalues)
    summary = geometry.summary()
    assert (summary["n_patches"], summary["patch_size"]) == (540, 48)
    assert summary["mean_depth"] == expected.mean
    assert summary["elbow"] == spectrum.elbow()


def test_invariance_of_geometry_to_memory_dtype_and_axes(images):
    options = {"n_queries": 50, "n_directions": 16, "random_state": 0}
    one = patch_geometry(images, WINDOWS, **options)
    others = [
        patch_geometry(images, WINDOWS, working_memory=0.05, **options),
        patch_geometry(images.astype(np.float32), WINDOWS, **options),
        patch_geometry(images.reshape(60, 3, 8, 8), WINDOWS, **options),
    ]
    for other in others:
        np.testing.assert_array_equal(other.depth.depths, one.depth.depths)
        np.testing.assert_allclose(other.spectrum.eigenvalues, one.spectrum.eigenvalues, atol=1e-9)


def test_contract_shuffled_pixels_are_less_flat_and_shallower(images):
    shuffled = np.random.default_rng(1).permutation(192)[WINDOWS]
    local, global_ = (
        patch_geometry(images, patches, random_state=0) for patches in (WINDOWS, shuffled)
    )
    assert local.spectrum.elbow() < global_.spectrum.elbow()
    assert local.depth.mean > global_.depth.mean


@pytest.mark.parametrize(("n_patches", "asked"), [(10, (3, 4)), (7, (9, 9)), (100_000, (30, 500))])
def test_contract_queries_and_reference_are_different_patches(n_patches, asked):
    queries, reference = _draw_places(n_patches, *asked, 0)
    assert len(queries) == min(asked[0], n_patches // 2)
    assert len(reference) == min(asked[1], n_patches - len(queries))
    places = np.concatenate([queries, reference])
    assert len(np.unique(places)) == len(places)
    assert places.min() >= 0
    assert places.max() < n_patches


def test_limit_every_patch_is_drawn_equally_often():
    counts = np.zeros((2, 12))
    for seed in range(1500):
        for row, places in enumerate(_draw_places(12, 2, 3, seed)):
            counts[row, places] += 1
    for row, size in zip(counts, (2, 3), strict=True):
        share = size / 12
        np.testing.assert_allclose(row, 1500 * share, atol=4.5 * np.sqrt(1500 * share))


def test_contract_memory_does_not_grow_with_the_cloud():
    X = np.random.default_rng(0).integers(256, size=(4000, 192), dtype=np.uint8)
    whole = 4000 * WINDOWS.size * 8  # 14 MB as floats
    tracemalloc.start()
    patch_geometry(
        *(X, WINDOWS), n_reference=20_000, n_queries=500, n_directions=8, working_memory=2
    )
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # 2 MiB for pieces; besides, the places drawn, 8 bytes each, and queries of 0.2 MB.
    assert peak < 3e6 < whole / 4


def test_contract_seeds_decide_and_global_generators_rest(images):
    before = np.random.get_state()[1].copy()
    options = {"n_queries": 50, "n_directions": 8}
    one, same, other = (
        patch_geometry(images, WINDOWS, random_state=seed, **options).depth.depths
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()
    patch_geometry(images, WINDOWS, random_state=np.random.RandomState(0), **options)
    patch_geometry(images, WINDOWS, **options)
    np.testing.assert_array_equal(np.random.get_state()[1], before)


MASKED = np.ma.MaskedArray([[0, 1], [2, 3]], mask=[[0, 0], [0, 1]])
BAD_GEOMETRY = [
    ({"X": np.arange(4)}, r"X has shape \(4,\)"),
    ({"X": np.array([["a", "b"]])}, "X has shape .* real numbers"),
    ({"X": np.full((9, 4), np.nan)}, "X holds NaN"),
    ({"X": np.ones((9, 4)) / 3}, "X has patches that are all equal"),
    ({"X": np.ones((1, 4)), "patch_indices": None}, "give one patch"),
    ({"patch_indices": MASKED}, "patch_indices has masked entries in 1 of 2 patches"),
    ({"patch_indices": [[0, 4]]}, "patch_indices names features 0 to 4"),
    ({"offset": [1, 2]}, r"offset has shape \(2,\): .* each of the 4 features"),
    ({"scale": 0}, "scale holds a zero"),
    ({"n_queries": 0}, "n_queries=0 must be an integer of at least 1"),
    ({"n_reference": 2.5}, "n_reference=2.5"),
    ({"n_directions": 0}, "n_directions=0"),
    ({"working_memory": 0}, "working_memory=0 must be a positive number"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD_GEOMETRY)
def test_bad_geometry_is_refused(arguments, message):
    good = {"X": np.arange(36.0).reshape(9, 4) ** 2, "patch_indices": [[0, 1], [2, 3]]}
    with pytest.raises(ValueError, match=message):
        patch_geometry(**good | arguments)


BAD_POINTS = [
    ([[0, 0]], [[1, 2, 3]], "queries has 2 features and reference 3"),
    ([0, 0], [[1, 2]], r"queries has shape \(2,\)"),
    ([[0, 0]], np.empty((0, 2)), r"reference has shape \(0, 2\)"),
    ([[0, np.inf]], [[1, 2]], "queries .* be finite"),
]


@pytest.mark.parametrize("depth", [halfspace_depth, exact_halfspace_depth])
@pytest.mark.parametrize(("queries", "reference", "message"), BAD_POINTS)
def test_bad_points_are_refused(depth, queries, reference, message):
    with pytest.raises(ValueError, match=message):
        depth(queries, reference)


def test_other_bad_input_is_refused():
    with pytest.raises(ValueError, match="queries has 3 features: the exact depth is for points"):
        exact_halfspace_depth([[1, 2, 3]], [[1, 2, 3]])
    for values in ([1, -1], [0, 0], [[1]], [np.nan]):
        with pytest.raises(ValueError, match=r"eigenvalues=.* nonnegative"):
            pca_elbow(values)
    with pytest.raises(ValueError, match=r"share=1\.5"):
        pca_elbow([1], 1.5)


# --- the picture ---------------------------------------------------------------------------------

SHARES = {"windows": [0.7, 0.92, 1.0], "shuffled": [0.4, 0.7, 0.8, 1.0]}
DEPTHS = {"windows": [0.1, 0.3, 0.1], "shuffled": [0.0, 0.02]}
STEPS = {name: [1, 2, 4] for name in SHARES}
MEANS = {"windows": [0.3, 0.2, 0.17], "shuffled": [0.25, 0.1, 0.01]}


@pytest.fixture
def _memory():
    plt.switch_backend("agg")
    yield
    plt.close("all")


def test_contract_curves_hold_what_was_handed():
    axes = Figure(figsize=(12, 5), layout="constrained").subplots(1, 3)
    display = PatchGeometryDisplay(SHARES, DEPTHS, n_directions=STEPS, mean_depths=MEANS)
    assert display.plot(axes) is display
    assert display.elbows_ == {"windows": 2, "shuffled": 4}
    for number, name in enumerate(SHARES):
        curve, dot = axes[0].lines[2 * number : 2 * number + 2]
        np.testing.assert_array_equal(curve.get_ydata(), SHARES[name])
        elbow = display.elbows_[name]
        np.testing.assert_array_equal(dot.get_xydata(), [[elbow, SHARES[name][elbow - 1]]])
        np.testing.assert_array_equal(
            axes[2].lines[number].get_xydata(), np.transpose([STEPS[name], MEANS[name]])
        )
    words = [text.get_text() for text in axes[0].get_legend().get_texts()]
    assert words == ["windows: elbow 2, mean depth 0.17", "shuffled: elbow 4, mean depth 0.01"]
    display.figure_.canvas.draw()


def test_closed_form_area_under_the_drawn_profile_is_the_mean_depth():
    axes = Figure(layout="constrained").subplots(1, 2)
    PatchGeometryDisplay(SHARES, DEPTHS).plot(axes)
    for line, depths in zip(axes[1].lines, DEPTHS.values(), strict=True):
        assert line.get_drawstyle() == "steps-post"
        levels, shares = line.get_data()
        assert (np.diff(levels) * shares[:-1]).sum() == pytest.approx(np.mean(depths))


def test_contract_twelve_schemes_look_different():
    assert not {style.color for style in FAMILY_STYLES.values()} & set(_COLORS)
    names = [f"scheme {number}" for number in range(12)]
    display = PatchGeometryDisplay(
        {name: [0.5, 1.0] for name in names}, {name: [0.1, 0.2] for name in names}
    )
    axes = display.plot(Figure(layout="constrained").subplots(1, 2)).axes_
    looks = {(to_rgba(line.get_color()), line.get_linestyle()) for line in axes[1].lines}
    assert len(looks) == 12


@pytest.mark.usefixtures("_memory")
@pytest.mark.parametrize(("convergence", "n_panels"), [(True, 3), (False, 2)])
def test_contract_geometries_are_drawn(images, convergence, n_panels):
    geometry = patch_geometry(images, WINDOWS, n_queries=50, n_directions=8, random_state=0)
    display = PatchGeometryDisplay.from_geometries(
        {"windows": geometry}, convergence=convergence, title="images"
    )
    figure = display.plot().figure_
    assert len(display.axes_) == n_panels
    assert figure.get_suptitle() == "images"
    assert display.elbows_["windows"] == geometry.spectrum.elbow()
    figure.canvas.draw()
    assert geometry_png(display, dpi=40).startswith(b"\x89PNG")


BAD_PICTURES = [
    ({"cumulative_shares": {}}, "at least one"),
    ({"depths": {"windows": [0.1]}}, "both must name the same schemes"),
    ({"depths": DEPTHS | {"windows": [0.6]}}, r"depths\['windows'\] .* between 0 and 1/2"),
    (
        {"cumulative_shares": SHARES | {"windows": [0.5, 0.4, 1]}},
        r"cumulative_shares\['windows'\] .* rise",
    ),
    ({"share": 0}, "share=0"),
    ({"n_directions": STEPS}, "only one of n_directions and mean_depths"),
    ({"n_directions": {"disc": [1]}, "mean_depths": {"disc": [0.1]}}, "names 'disc'"),
    ({"n_directions": STEPS, "mean_depths": MEANS | {"windows": [1]}}, r"has shape \(1,\)"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD_PICTURES)
def test_bad_pictures_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        PatchGeometryDisplay(**{"cumulative_shares": SHARES, "depths": DEPTHS} | arguments)
