"""View strategies of signals and patch schemes of images against explicit loops and formulas."""

import itertools

import numpy as np
import pytest

from sklcnn import CNNRegressor, LCNRegressor
from sklcnn.patches import (
    PATCH_SCHEMES,
    check_patch_indices,
    disjoint_blocks,
    fixed_patches,
    hierarchical_windows,
    image_patches,
    overlapping_windows,
    patch_coverage,
    patch_overlap,
    random_partition,
    random_subsets,
    random_windows,
    sliding_windows,
)

SIZES = [(8, 4), (7, 4), (23, 5), (100, 10), (10, 10), (9, 1)]  # (n_features, patch_size)
RANDOM_VIEWS = {
    "subsets": lambda seed: random_subsets(60, 7, random_state=seed),
    "windows": lambda seed: random_windows(60, 7, random_state=seed),
    "fixed": lambda seed: fixed_patches(60, 7, 5, random_state=seed),
    "partition": lambda seed: random_partition(60, 6, random_state=seed),
}
# Number of patches on CIFAR-10, of the literature's table.
N_PATCHES = {
    "conv": 225,
    "global_shuffle": 225,
    "random_placement": 225,
    "non_overlap": 64,
    "jittered_grid": 225,
    "random_local": 225,
    "hex": 75,
    "voronoi": 64,
    "radial": 225,
    "large_kernel_sparse": 49,
    "multi_scale": 225,
    "cross": 225,
}
DRAWN = {"global_shuffle", "random_placement", "jittered_grid", "random_local", "voronoi"}
# (input_shape, patch_side, stride) on which every scheme has room.
IMAGES = [((3, 32, 32), 4, None), ((3, 8, 8), 2, None), ((9, 15), 3, 2), ((2, 16, 24), 4, 1)]


def places(patches, input_shape):
    """Rows and columns of the pixels of each patch, (n_patches, n_pixels, 2), channels checked."""
    channels, height, width = (1, *input_shape)[-3:]
    planes, pixels = np.divmod(patches.reshape(len(patches), channels, -1), height * width)
    assert (planes == np.arange(channels)[:, None]).all()  # channel first
    assert (pixels == pixels[:, :1]).all()  # the same pixels in all channels
    return np.stack(np.divmod(pixels[:, 0], width), axis=-1)


def make(scheme, input_shape, side, stride, random_state=0):
    """Patches, with a stride only for schemes that take one."""
    sites = scheme not in ("non_overlap", "hex", "voronoi", "large_kernel_sparse")
    stride = stride if sites else None
    return image_patches(
        scheme, input_shape, patch_side=side, stride=stride, random_state=random_state
    )


def corners(input_shape, side, stride):
    """First pixels of the windows, row by row."""
    height, width = input_shape[-2:]
    stride = stride or side // 2
    rows, columns = range(0, height - side + 1, stride), range(0, width - side + 1, stride)
    return np.array([(row, column) for row in rows for column in columns])


# --- views of a signal: windows and blocks --------------------------------------------------------


@pytest.mark.parametrize(("n_features", "patch_size"), SIZES)
@pytest.mark.parametrize("stride", [None, 1])
def test_overlapping_windows_oracle_explicit_loop(n_features, patch_size, stride):
    step = stride or max(1, patch_size // 2)
    windows, start = [], 0
    while start + patch_size <= n_features:
        windows.append(list(range(start, start + patch_size)))
        start += step
    found = overlapping_windows(n_features, patch_size, stride, rest="drop")
    np.testing.assert_array_equal(found, windows)
    assert len(found) == (n_features - patch_size) // step + 1
    if stride == 1:
        np.testing.assert_array_equal(found, sliding_windows((n_features,), patch_size))


@pytest.mark.parametrize(("n_features", "patch_size"), SIZES)
def test_blocks_oracle_explicit_loop(n_features, patch_size):
    blocks = disjoint_blocks(n_features, patch_size, rest="drop")
    expected = [range(k * patch_size, (k + 1) * patch_size) for k in range(len(blocks))]
    np.testing.assert_array_equal(blocks, [list(block) for block in expected])
    assert len(blocks) == n_features // patch_size
    assert patch_coverage(blocks, n_features) == len(blocks) * patch_size / n_features


@pytest.mark.parametrize(("n_features", "patch_size"), SIZES)
@pytest.mark.parametrize("views", [overlapping_windows, disjoint_blocks])
def test_rest_contract_masks_what_is_dropped_or_refuses(views, n_features, patch_size):
    dropped = views(n_features, patch_size, rest="drop")
    masked = views(n_features, patch_size, rest="mask")
    assert patch_coverage(masked, n_features) == 1
    np.testing.assert_array_equal(masked[: len(dropped)], dropped)
    if patch_coverage(dropped, n_features) == 1:
        assert not np.ma.isMaskedArray(masked)
        np.testing.assert_array_equal(views(n_features, patch_size), dropped)
    else:
        assert len(masked) == len(dropped) + 1
        assert masked[-1].compressed().tolist()[-1] == n_features - 1
        with pytest.raises(ValueError, match=f"patch_size={patch_size}.*unseen.*rest='mask'"):
            views(n_features, patch_size)


def test_overlapping_windows_contract_advice_covers_all():
    with pytest.raises(ValueError, match="stride=1 or 3 covers"):
        overlapping_windows(7, 4)
    assert patch_coverage(overlapping_windows(7, 4, 3), 7) == 1


@pytest.mark.parametrize(
    ("n_features", "patch_size", "n_scales", "rest"),
    [(16, 2, 3, "error"), (100, 10, 3, "error"), (23, 3, 3, "drop"), (23, 3, 3, "mask")],
)
def test_hierarchy_oracle_explicit_loop(n_features, patch_size, n_scales, rest):
    expected = []
    for scale in range(n_scales):
        size = patch_size * 2**scale
        for start in range(0, n_features, size):
            block = list(range(start, min(start + size, n_features)))
            if len(block) == size or rest == "mask":
                expected.append(block)
    patches = hierarchical_windows(n_features, patch_size, n_scales, rest=rest)
    assert [row.compressed().tolist() for row in patches] == expected
    assert patches.shape[1] == patch_size * 2 ** (n_scales - 1)
    assert patches.data.min() == 0  # no -1 hides behind the mask
    assert patches.data.max() < n_features


def test_hierarchy_limit_of_one_scale_is_disjoint_blocks():
    patches = hierarchical_windows(12, 3, n_scales=1)
    assert not np.ma.isMaskedArray(patches)
    np.testing.assert_array_equal(patches, disjoint_blocks(12, 3))


def test_hierarchy_contract_networks_ignore_masked_features():
    # A linear network without readout weights: its answer moves with the last feature by the
    # weights that see it, not by those of masked entries (which -1 would send there).
    X = np.random.default_rng(0).normal(size=(4, 8))
    patches = hierarchical_windows(8, 2, n_scales=3)
    network = CNNRegressor(1, patch_indices=patches, activation="identity", readout="sum")
    network.set_params(dtype="float64", max_iter=1, tol=None, random_state=0).fit(X, X[:, 0])
    weights = network.filters_.ravel()
    assert patches.mask.sum() == 4 * 6 + 2 * 4
    moved = X + (np.arange(8) == 7)
    # The last feature is the second of its block of 2, fourth of 4, and eighth of 8.
    np.testing.assert_allclose(
        network.predict(moved) - network.predict(X), weights[[1, 3, 7]].sum(), atol=1e-12
    )


# --- views of a signal: random ones ---------------------------------------------------------------


def test_random_subsets_contract_sorted_distinct_and_as_many_as_windows():
    patches = random_subsets(100, 10, random_state=0)
    assert patches.shape == (19, 10) == overlapping_windows(100, 10).shape
    assert (np.diff(patches, axis=1) > 0).all()
    assert patches.min() >= 0
    assert patches.max() < 100


def test_random_subsets_closed_form_every_feature_is_as_likely():
    n_patches = 20000
    counts = np.bincount(random_subsets(12, 3, n_patches, random_state=0).ravel(), minlength=12)
    error = np.sqrt(0.25 * 0.75 / n_patches)
    assert np.abs(counts / n_patches - 0.25).max() < 4.5 * error  # twelve counts, fixed seed


def test_random_subsets_closed_form_of_unseen_features():
    # Mean over many seeds of the coverage, against 1 - (1 - m / d) ** J.
    coverages = [patch_coverage(random_subsets(50, 5, 8, seed), 50) for seed in range(400)]
    expected = 1 - (1 - 5 / 50) ** 8
    error = np.std(coverages) / np.sqrt(len(coverages))
    assert abs(np.mean(coverages) - expected) < 4 * error


def test_random_windows_closed_form_starts_are_uniform():
    patches = random_windows(12, 3, 20000, random_state=0)
    np.testing.assert_array_equal(patches, patches[:, :1] + np.arange(3))
    shares = np.bincount(patches[:, 0]) / len(patches)
    assert len(shares) == 10  # starts 0 .. n_features - patch_size
    assert np.abs(shares - 0.1).max() < 4.5 * np.sqrt(0.1 * 0.9 / len(patches))


def test_fixed_patches_contract_distinct_and_ascending():
    patches = fixed_patches(200, 10, 10, random_state=0)
    assert patches.shape == (10, 10)
    assert (np.diff(patches.ravel()) > 0).all()
    assert 0 <= patches.min() < patches.max() < 200
    np.testing.assert_array_equal(fixed_patches(100, 10, 10), disjoint_blocks(100, 10))


def test_random_partition_contract_is_a_permutation():
    patches = random_partition(60, 6, random_state=0)
    np.testing.assert_array_equal(np.sort(patches, axis=None), np.arange(60))
    assert (patches.ravel() != np.arange(60)).any()
    assert patch_overlap(patches) == 0


@pytest.mark.parametrize("draw", RANDOM_VIEWS.values(), ids=RANDOM_VIEWS)
def test_random_views_contract_random_state(draw):
    before = np.random.get_state()[1].copy()
    np.testing.assert_array_equal(draw(3), draw(3))
    assert not np.array_equal(draw(3), draw(4))
    np.testing.assert_array_equal(draw(3), draw(np.random.RandomState(3)))
    draw(None)
    np.testing.assert_array_equal(np.random.get_state()[1], before)


# --- measures -------------------------------------------------------------------------------------


def loop_overlap(patches):
    """Mean Jaccard index over pairs of Python sets."""
    rows = [set(np.ma.array(row).compressed().tolist()) for row in patches]
    pairs = itertools.combinations(rows, 2)
    return np.mean([len(one & other) / len(one | other) for one, other in pairs])


@pytest.mark.parametrize(
    "patches",
    [
        overlapping_windows(40, 6, rest="mask"),
        hierarchical_windows(16, 2),
        random_subsets(30, 8, random_state=0),
        np.array([[0, 0, 1], [1, 2, 2], [5, 6, 7]]),  # a feature named twice counts once
    ],
)
def test_measures_oracle_python_sets(patches):
    assert patch_overlap(patches) == pytest.approx(loop_overlap(patches), rel=1e-12)
    union = set(np.ma.array(patches).compressed().tolist())
    assert patch_coverage(patches, 50) == len(union) / 50


def test_overlap_invariance_in_pieces(monkeypatch):
    patches = random_subsets(30, 8, random_state=0)
    whole = patch_overlap(patches)
    monkeypatch.setattr("sklcnn.patches.measures.PAIRS_AT_ONCE", 20)
    assert patch_overlap(patches) == pytest.approx(whole, rel=1e-12)


def test_overlap_closed_form():
    assert patch_overlap([[0, 1], [1, 0]]) == 1
    assert patch_overlap(disjoint_blocks(20, 4)) == 0
    # Neighbors share half: 1 / 3 for each of the J - 1 neighboring pairs of J (J - 1) / 2.
    windows = overlapping_windows(40, 4)
    assert patch_overlap(windows) == pytest.approx(2 / (3 * len(windows)), rel=1e-12)


def test_measures_contract_masked_entries_see_nothing():
    patches = np.ma.array([[0, 1, 99], [2, 3, -1]], mask=[[0, 0, 1], [0, 0, 1]])
    assert patch_overlap(patches) == 0
    assert patch_coverage(patches, 8) == 0.5


# --- schemes of an image: what all promise --------------------------------------------------------


def test_schemes_contract_sizes_of_the_literature():
    assert set(PATCH_SCHEMES) == set(N_PATCHES)
    shapes = {scheme: image_patches(scheme, random_state=0).shape for scheme in PATCH_SCHEMES}
    assert shapes == {scheme: (n_patches, 48) for scheme, n_patches in N_PATCHES.items()}


@pytest.mark.parametrize(("input_shape", "side", "stride"), IMAGES)
@pytest.mark.parametrize("scheme", PATCH_SCHEMES)
def test_schemes_contract_distinct_pixels_of_the_image(scheme, input_shape, side, stride):
    n_features = np.prod(input_shape)
    channels = input_shape[0] if len(input_shape) == 3 else 1
    patches = make(scheme, input_shape, side, stride)
    assert patches.shape[1] == channels * side**2
    assert patches.dtype == np.int64
    assert not np.ma.isMaskedArray(check_patch_indices(patches, n_features))
    assert all(len(set(patch)) == len(patch) for patch in patches.tolist())
    if scheme != "global_shuffle":
        rows, columns = np.moveaxis(places(patches, input_shape), -1, 0)
        numbers = rows * input_shape[-1] + columns
        assert (np.diff(numbers, axis=1) > 0).all()  # row by row


@pytest.mark.parametrize("scheme", ["conv", "global_shuffle", "non_overlap", "voronoi"])
@pytest.mark.parametrize(("input_shape", "side"), [((3, 32, 32), 4), ((3, 8, 8), 2)])
def test_schemes_contract_these_see_everything(scheme, input_shape, side):
    patches = image_patches(scheme, input_shape, patch_side=side, random_state=1)
    assert patch_coverage(patches, np.prod(input_shape)) == 1


@pytest.mark.parametrize("scheme", PATCH_SCHEMES)
def test_schemes_contract_random_state(scheme):
    def draw(seed):
        return image_patches(scheme, (3, 16, 16), random_state=seed)

    before = np.random.get_state()[1].copy()
    np.testing.assert_array_equal(draw(0), draw(0))
    assert np.array_equal(draw(0), draw(1)) == (scheme not in DRAWN)
    np.testing.assert_array_equal(draw(0), draw(np.random.RandomState(0)))
    draw(None)
    np.testing.assert_array_equal(np.random.get_state()[1], before)


@pytest.mark.parametrize("Network", [LCNRegressor, CNNRegressor])
@pytest.mark.parametrize("scheme", PATCH_SCHEMES)
def test_schemes_contract_networks_take_them(scheme, Network):
    X = np.random.default_rng(0).normal(size=(6, 192)).astype(np.float32)
    patches = image_patches(scheme, (3, 8, 8), patch_side=2, random_state=0)
    network = Network(2, patch_indices=patches, max_iter=1, tol=None, random_state=0)
    network.fit(X, X[:, 0])
    np.testing.assert_array_equal(network.patch_indices_, patches)
    assert np.isfinite(network.predict(X)).all()


# --- schemes of an image: each by its definition --------------------------------------------------


@pytest.mark.parametrize(("input_shape", "side", "stride"), IMAGES)
def test_conv_oracle_sliding_windows_and_loops(input_shape, side, stride):
    patches = make("conv", input_shape, side, stride)
    step = stride or side // 2
    np.testing.assert_array_equal(patches, sliding_windows(input_shape, side, step))
    image = np.arange(np.prod(input_shape)).reshape(input_shape)
    windows = [
        image[..., row : row + side, column : column + side].ravel()
        for row, column in corners(input_shape, side, stride)
    ]
    np.testing.assert_array_equal(patches, windows)


def test_non_overlap_oracle_sliding_windows():
    expected = sliding_windows((3, 32, 32), 4, 4)
    np.testing.assert_array_equal(image_patches("non_overlap"), expected)
    assert patch_overlap(expected) == 0


def test_global_shuffle_contract_one_permutation_of_all_entries():
    conv = image_patches("conv")
    patches = image_patches("global_shuffle", random_state=0)
    permutation = np.full(3072, -1)
    permutation[conv.ravel()] = patches.ravel()
    np.testing.assert_array_equal(permutation[conv], patches)  # an entry goes to one place only
    np.testing.assert_array_equal(np.sort(permutation), np.arange(3072))
    stays = permutation // 1024 == np.arange(3072) // 1024
    assert abs(stays.mean() - 1 / 3) < 0.05  # channels are mixed; standard error 0.0085


def test_random_placement_contract_windows_anywhere():
    found = places(image_patches("random_placement", random_state=0), (3, 32, 32))
    window = np.array([(row, column) for row in range(4) for column in range(4)])
    np.testing.assert_array_equal(found - found[:, :1], np.broadcast_to(window, found.shape))
    starts = np.concatenate(
        [
            places(image_patches("random_placement", random_state=seed), (3, 32, 32))[:, 0]
            for seed in range(20)
        ]
    )
    assert starts.min() == 0
    assert starts.max() == 28
    # Uniform on 0 .. 28: mean 14, standard deviation sqrt((29**2 - 1) / 12).
    error = np.sqrt(840 / 12 / len(starts))
    assert np.abs(starts.mean(axis=0) - 14).max() < 4 * error


@pytest.mark.parametrize(("input_shape", "side", "stride"), IMAGES)
def test_jittered_grid_contract_offsets_are_bounded(input_shape, side, stride):
    found = places(make("jittered_grid", input_shape, side, stride), input_shape)
    window = np.array([(row, column) for row in range(side) for column in range(side)])
    np.testing.assert_array_equal(found - found[:, :1], np.broadcast_to(window, found.shape))
    jitter = max(1, (stride or side // 2) // 2)
    moves = found[:, 0] - corners(input_shape, side, stride)
    assert set(np.unique(moves)) == set(range(-jitter, jitter + 1))


@pytest.mark.parametrize(("input_shape", "side", "stride"), IMAGES)
def test_random_local_contract_pixels_lie_in_the_region(input_shape, side, stride):
    found = places(make("random_local", input_shape, side, stride), input_shape)
    for pixels, corner in zip(found, corners(input_shape, side, stride), strict=True):
        for axis, length in enumerate(input_shape[-2:]):
            region = min(2 * side, length)
            start = min(max(corner[axis] - (region - side) // 2, 0), length - region)
            assert start <= pixels[:, axis].min()
            assert pixels[:, axis].max() < start + region


def test_random_local_closed_form_pixels_are_uniform_in_the_region():
    seeds = range(60)
    inner = np.zeros((8, 8))
    for seed in seeds:
        patches = image_patches("random_local", (32, 32), random_state=seed)
        pixels = places(patches, (32, 32))[112]  # the site in the middle: corner 14, region 12
        inner[tuple((pixels - 12).T)] += 1
    error = np.sqrt(0.25 * 0.75 / len(seeds))
    assert np.abs(inner / len(seeds) - 0.25).max() < 4.5 * error  # 16 of 64 pixels


def test_hex_closed_form_positions():
    expected = [
        (3 * number, 4 * place + 2 * (number % 2))
        for number in range(10)
        for place in range(8 - number % 2)
    ]
    found = places(image_patches("hex"), (3, 32, 32))
    np.testing.assert_array_equal(found[:, 0], expected)
    window = np.array([(row, column) for row in range(4) for column in range(4)])
    np.testing.assert_array_equal(found - found[:, :1], np.broadcast_to(window, found.shape))


@pytest.mark.parametrize(("side", "pitch"), [(1, 1), (2, 2), (3, 3), (4, 3), (6, 5), (8, 7)])
def test_hex_closed_form_pitch_of_equilateral_triangles(side, pitch):
    rows = np.unique(places(image_patches("hex", (40, 40), patch_side=side), (40, 40))[:, 0, 0])
    assert set(np.diff(rows)) == {pitch}


@pytest.mark.parametrize(("input_shape", "side"), [((3, 32, 32), 4), ((3, 8, 8), 2), ((6, 9), 3)])
def test_voronoi_oracle_stable_allocation(input_shape, side):
    # No pixel and point would both rather have each other: the points are found again as those
    # that the seed draws, and stability is checked for every pair.
    height, width = input_shape[-2:]
    patches = image_patches("voronoi", input_shape, patch_side=side, random_state=5)
    cells = places(patches, input_shape)
    assert len({tuple(place) for place in cells.reshape(-1, 2)}) == height * width
    drawn = np.random.RandomState(5).permutation(height * width)[: len(cells)]
    points = np.column_stack(np.divmod(drawn, width))
    own = ((cells - points[:, None]) ** 2).sum(axis=-1)  # (n_points, side ** 2)
    other = ((cells[:, :, None] - points) ** 2).sum(axis=-1)  # (n_points, side ** 2, n_points)
    better_for_pixel = other < own[..., None]
    better_for_point = other < own.max(axis=1)
    assert better_for_pixel.any()  # or the check would be empty
    assert not (better_for_pixel & better_for_point).any()


@pytest.mark.parametrize(("input_shape", "side", "stride"), IMAGES)
def test_radial_closed_form_no_pixel_left_out_is_closer(input_shape, side, stride):
    found = places(make("radial", input_shape, side, stride), input_shape)
    pixels = np.indices(input_shape[-2:]).reshape(2, -1).T
    middles = corners(input_shape, side, stride) + side // 2
    for patch, middle in zip(found, middles, strict=True):
        taken = np.hypot(*(patch - middle).T)
        everywhere = np.sort(np.hypot(*(pixels - middle).T))
        np.testing.assert_allclose(np.sort(taken), everywhere[: side**2])


def test_radial_closed_form_around_the_point_amid_a_window_would_be_conv():
    pixels = np.indices((32, 32)).reshape(2, -1).T
    distances = np.hypot(*(pixels - (15.5, 15.5)).T)
    nearest = pixels[np.argsort(distances, kind="stable")[:16]]
    assert {*map(tuple, nearest.tolist())} == set(itertools.product(range(14, 18), repeat=2))
    assert np.sort(distances)[15] < np.sort(distances)[16]
    disc = places(image_patches("radial"), (3, 32, 32))[112]  # corner 14, middle pixel 16
    assert {*map(tuple, disc.tolist())} != set(itertools.product(range(14, 18), repeat=2))


@pytest.mark.parametrize(("input_shape", "side"), [((3, 32, 32), 4), ((3, 8, 8), 2), ((9, 15), 3)])
def test_large_kernel_sparse_oracle_explicit_loop(input_shape, side):
    height, width = input_shape[-2:]
    expected = [
        [(row + 2 * i, column + 2 * j) for i in range(side) for j in range(side)]
        for row in range(0, height - 2 * side + 1, side)
        for column in range(0, width - 2 * side + 1, side)
    ]
    patches = image_patches("large_kernel_sparse", input_shape, patch_side=side)
    np.testing.assert_array_equal(places(patches, input_shape), expected)


@pytest.mark.parametrize(("input_shape", "side", "stride"), IMAGES)
def test_multi_scale_oracle_explicit_loop(input_shape, side, stride):
    sides, step = input_shape[-2:], stride or side // 2
    fitting = [spacing for spacing in (1, 2, 4) if spacing * (side - 1) < min(sides)]
    expected = []
    for corner in corners(input_shape, side, stride):
        spacing = fitting[(corner[0] // step + corner[1] // step) % len(fitting)]
        span = spacing * (side - 1) + 1
        axes = []
        for start, length in zip(corner, sides, strict=True):
            start = min(max(start - (span - side) // 2, 0), length - span)
            axes.append(range(start, start + span, spacing))
        expected.append(list(itertools.product(*axes)))
    found = places(make("multi_scale", input_shape, side, stride), input_shape)
    np.testing.assert_array_equal(found, expected)
    assert {patch[1, 1] - patch[0, 1] for patch in found} == set(fitting)


@pytest.mark.parametrize(("input_shape", "side", "stride"), IMAGES)
def test_cross_closed_form_nearest_pixels_of_a_row_and_a_column(input_shape, side, stride):
    found = places(make("cross", input_shape, side, stride), input_shape)
    height, width = input_shape[-2:]
    for patch, (row, column) in zip(
        found, corners(input_shape, side, stride) + side // 2, strict=True
    ):
        assert ((patch[:, 0] == row) | (patch[:, 1] == column)).all()
        arms = [abs(i - row) for i in range(height)] + [abs(j - column) for j in range(width)]
        arms.remove(0)  # the middle is on both
        taken = np.abs(patch - (row, column)).sum(axis=1)
        np.testing.assert_array_equal(np.sort(taken), sorted(arms)[: side**2])


# --- bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("views", "message"),
    [
        (lambda: overlapping_windows(5, 6), "patch_size=6 must be an int from 1 to 5"),
        (lambda: overlapping_windows(9, 4, 5), "stride=5 must be .* 1 to 4, for patch_size=4"),
        (lambda: overlapping_windows(8, 4, rest="keep"), "rest='keep' must be 'error'"),
        (lambda: disjoint_blocks(7, 3), "patch_size=3 leaves the last 1 of n_features=7"),
        (lambda: disjoint_blocks(6, 2.0), "patch_size=2.0"),
        (lambda: disjoint_blocks(0, 1), "n_features=0"),
        (lambda: hierarchical_windows(15, 4, 3, rest="drop"), "n_scales=3 must be .* 1 to 2"),
        (lambda: random_subsets(5, 3, 0), "n_patches=0"),
        (lambda: random_subsets(5, 6), "patch_size=6"),
        (lambda: random_windows(5, 3, random_state="seed"), "random_state='seed'"),
        (lambda: random_windows(5, 3, random_state=-1), "random_state=-1"),
        (lambda: fixed_patches(20, 5, 5), "n_patches=5 must be .* 1 to 4"),
        (lambda: random_partition(20, 6), "patch_size=6 must divide n_features=20"),
        (lambda: patch_overlap([[0, 1]]), "patch_indices has one patch"),
        (lambda: patch_overlap([[0, -1], [1, 2]]), "patch_indices names features -1 to 2"),
        (lambda: patch_coverage([[0, 5]], 4), "patch_indices names features 0 to 5"),
    ],
)
def test_views_contract_bad_input_names_the_parameter(views, message):
    with pytest.raises(ValueError, match=message):
        views()


@pytest.mark.parametrize(
    ("scheme", "options", "message"),
    [
        ("convolution", {}, "scheme='convolution' must be one of conv, global_shuffle"),
        ("conv", {"input_shape": (64,)}, r"input_shape=\(64,\) must be \(height, width\)"),
        ("conv", {"patch_side": 33}, "patch_side=33 .* 1 to 32, for an image of 32 x 32 pixels"),
        ("conv", {"patch_side": 4.0}, "patch_side=4.0"),
        ("conv", {"stride": 5}, "stride=5 must be an int from 1 to 4, for patch_side=4"),
        ("radial", {"stride": 3}, "patch_side=4 with stride=3 leaves .* stride=1 or 2 or 4"),
        ("non_overlap", {"patch_side": 5}, "patch_side=5 .* patch_side=4 covers"),
        ("hex", {"stride": 2}, "stride=2 must be None: scheme='hex'"),
        ("voronoi", {"patch_side": 5}, "patch_side=5 .* 32 x 32 .* patch_side=4 does"),
        ("large_kernel_sparse", {"patch_side": 17}, "patch_side=17 must be an int from 1 to 16"),
        ("cross", {"input_shape": (3, 8, 8)}, "patch_side=4 must be an int from 1 to 3"),
    ],
)
def test_schemes_contract_bad_input_names_the_parameter(scheme, options, message):
    with pytest.raises(ValueError, match=message):
        image_patches(scheme, **options)
