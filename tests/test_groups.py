"""Degrees of weight sharing against explicit loops over the windows."""

import numpy as np
import pytest

from sklcnn import LCNClassifier
from sklcnn.patches import (
    random_groups,
    region_groups,
    sharing_groups,
    sliding_windows,
    stripe_groups,
    tiled_groups,
    window_grid,
)

GRIDS = [(1, 10), (6, 6), (5, 7), (3, 4)]


def feasible(grid):
    """Numbers of rectangles into which a grid can be cut."""
    rows, columns = grid
    return sorted({r * c for r in range(1, rows + 1) for c in range(1, columns + 1)})


def members(groups):
    """Sets of windows that share their filters."""
    return {frozenset(np.flatnonzero(groups == group)) for group in np.unique(groups)}


# --- what all schemes promise --------------------------------------------------------------------


def every_grouping():
    for grid in GRIDS:
        n_patches = grid[0] * grid[1]
        for n in feasible(grid):
            yield f"regions {grid} {n}", region_groups(grid, n), n_patches, n
            yield f"tiled {grid} {n}", tiled_groups(grid, n), n_patches, n
            yield f"random {grid} {n}", random_groups(n_patches, n, 0), n_patches, n
        for n in range(1, grid[0] + 1):
            yield f"rows {grid} {n}", stripe_groups(grid, n), n_patches, n
        for n in range(1, grid[1] + 1):
            yield f"columns {grid} {n}", stripe_groups(grid, n, axis="columns"), n_patches, n


@pytest.mark.parametrize(
    ("groups", "n_patches", "n_groups"),
    [pytest.param(*case, id=name) for name, *case in every_grouping()],
)
def test_contract_every_patch_has_a_group_and_no_group_is_empty(groups, n_patches, n_groups):
    assert groups.shape == (n_patches,)
    assert np.issubdtype(groups.dtype, np.integer)
    np.testing.assert_array_equal(np.unique(groups), np.arange(n_groups))
    np.testing.assert_array_equal(sharing_groups(n_patches, groups), groups)  # a network takes it


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("make", [region_groups, tiled_groups])
def test_limit_one_group_is_full_sharing_and_as_many_as_windows_is_none(make, grid):
    n_patches = grid[0] * grid[1]
    assert not make(grid, 1).any()
    np.testing.assert_array_equal(make(grid, n_patches), np.arange(n_patches))


# --- regions -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("grid", "tile", "n_groups"),
    [((6, 6), (3, 3), 4), ((6, 6), (2, 2), 9), ((4, 8), (2, 2), 8), ((1, 10), (1, 2), 5)],
)
def test_regions_oracle_explicit_loops(grid, tile, n_groups):
    shared = {}
    for row in range(grid[0]):
        for column in range(grid[1]):
            region = row // tile[0], column // tile[1]
            shared.setdefault(region, set()).add(row * grid[1] + column)
    assert members(region_groups(grid, n_groups)) == {frozenset(s) for s in shared.values()}


@pytest.mark.parametrize("grid", GRIDS)
def test_regions_contract_rectangles_of_nearly_equal_sides(grid):
    for n_groups in feasible(grid):
        groups = region_groups(grid, n_groups).reshape(grid)
        heights, widths = set(), set()
        for group in range(n_groups):
            rows, columns = np.nonzero(groups == group)
            height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
            assert height * width == len(rows)  # a full rectangle: nobody else lies in it
            heights.add(height)
            widths.add(width)
        assert max(heights) - min(heights) <= 1
        assert max(widths) - min(widths) <= 1


def test_regions_oracle_closest_to_squares_of_all_cuts():
    groups = region_groups((4, 12), 12).reshape(4, 12)  # 2 x 6 cuts give squares of side two
    np.testing.assert_array_equal(groups[:2, :2], 0)
    assert np.count_nonzero(groups == 0) == 4


# --- tiled ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("grid", "tile"), [((6, 6), (2, 2)), ((5, 7), (2, 3)), ((1, 10), (1, 3))])
def test_tiled_oracle_windows_share_if_whole_tiles_lie_between_them(grid, tile):
    groups = tiled_groups(grid, tile[0] * tile[1]).reshape(grid)
    places = list(np.ndindex(grid))
    for row, column in places:
        for other_row, other_column in places:
            apart = (row - other_row) % tile[0] == 0 and (column - other_column) % tile[1] == 0
            assert (groups[row, column] == groups[other_row, other_column]) == apart


# --- stripes and random groups -------------------------------------------------------------------


def test_stripes_oracle_explicit_loops():
    rows, columns = stripe_groups((4, 6), 2), stripe_groups((4, 6), 3, axis="columns")
    for patch in range(24):
        assert rows[patch] == (patch // 6) // 2
        assert columns[patch] == (patch % 6) // 2


@pytest.mark.parametrize(("n_patches", "n_groups"), [(12, 4), (12, 12), (12, 1), (13, 4), (7, 5)])
def test_random_groups_contract_sizes_are_equal_up_to_one(n_patches, n_groups):
    sizes = np.bincount(random_groups(n_patches, n_groups, random_state=3))
    assert len(sizes) == n_groups
    assert np.ptp(sizes) == (n_patches % n_groups > 0)


def test_random_groups_invariance_seed():
    first, again, other = (random_groups(40, 4, random_state=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert np.any(first != other)
    assert np.any(first != sharing_groups(40, 4))


def test_random_groups_contract_a_generator_goes_on_and_the_global_one_is_left_alone():
    before = np.random.get_state()[1].copy()
    rng = np.random.RandomState(0)
    first, second = random_groups(40, 4, rng), random_groups(40, 4, rng)
    random_groups(40, 4)
    assert np.any(first != second)
    np.testing.assert_array_equal(np.random.get_state()[1], before)


def test_random_groups_oracle_every_pair_shares_equally_often():
    draws = np.array([random_groups(6, 3, random_state=seed) for seed in range(3000)])
    together = (draws[:, :, None] == draws[:, None, :]).mean(axis=0)[np.triu_indices(6, 1)]
    # One of the five others shares: 1/5, with a standard error of sqrt(0.2 * 0.8 / 3000) = 0.007.
    np.testing.assert_allclose(together, 0.2, atol=0.03)


# --- the grid of windows -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "patch_size", "stride", "padding"),
    [
        ((10,), 4, 3, "valid"),
        ((10,), 4, 3, "circular"),
        ((8, 8), 3, 1, "valid"),
        ((5, 7), 3, 2, "valid"),
        ((5, 7), 3, 2, "circular"),
        ((3, 8, 6), 2, 2, "valid"),
        ((2, 1, 9), 3, 3, "valid"),
        ((4, 6), 5, 1, "valid"),  # higher than the input
        ((4, 4), 9, 1, "valid"),
    ],
)
def test_window_grid_oracle_places_of_the_first_features(shape, patch_size, stride, padding):
    windows = sliding_windows(shape, patch_size, stride, padding=padding)
    width = shape[-1]
    corners = windows[:, 0]  # of the first channel, where the window begins
    rows, columns = np.unique(corners // width), np.unique(corners % width)
    grid = window_grid(shape, patch_size, stride, padding=padding)
    assert grid == (len(rows), len(columns))
    np.testing.assert_array_equal(corners.reshape(grid) // width, rows[:, None] + 0 * columns)


@pytest.mark.parametrize("padding", ["same", 1])
@pytest.mark.parametrize("stride", [1, 2])
def test_window_grid_oracle_number_of_padded_windows(padding, stride):
    n_rows, n_columns = window_grid((7, 9), 3, stride, padding=padding)
    assert (n_rows, n_columns) == (len(range(0, 7, stride)), len(range(0, 9, stride)))
    assert n_rows * n_columns == len(sliding_windows((7, 9), 3, stride, padding=padding))


def test_window_grid_contract_refuses_what_sliding_windows_refuses():
    with pytest.raises(ValueError, match="patch_size=3 with stride=2 leaves features"):
        window_grid((8, 8), 3, 2)


# --- networks and errors -------------------------------------------------------------------------


def test_oracle_a_network_learns_as_many_sets_of_filters_as_there_are_groups():
    X = np.random.default_rng(0).normal(size=(20, 64))
    y = np.arange(20) % 2
    grid = window_grid((8, 8), 3)
    network = LCNClassifier(
        2, 3, input_shape=(8, 8), filter_groups=region_groups(grid, 4), max_iter=1, tol=None
    )
    assert network.fit(X, y).filters_.shape == (4, 2, 9)
    # Each region has its own two filters of nine weights and a bias, and all 36 places are read.
    assert network.n_parameters_ == 4 * 2 * (9 + 1) + 36 * 2 + 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: region_groups((5, 7), 11),
            "n_groups=11 is no product .* 5 x 7 .*; 10 or 12",
        ),
        (lambda: tiled_groups((6, 6), 7), "n_groups=7 is no product .*; 6 or 8 would do"),
        (lambda: region_groups((2, 2), 5), "n_groups=5 must lie between 1 and 4, for a grid"),
        (lambda: region_groups((2, 2), 0), "n_groups=0 must lie between 1 and 4"),
        (lambda: region_groups((2, 2), 2.0), "n_groups=2.0 must lie"),
        (lambda: region_groups((2,), 1), r"grid_shape=\(2,\) must be \(n_rows, n_columns\)"),
        (lambda: tiled_groups((0, 2), 1), r"grid_shape=\(0, 2\) must be"),
        (lambda: stripe_groups((2, 3), 3), "n_groups=3 must lie between 1 and 2, for the rows"),
        (lambda: stripe_groups((2, 3), 4, axis="columns"), "between 1 and 3, for the columns"),
        (lambda: stripe_groups((2, 3), 1, axis="diagonal"), "axis='diagonal' must be 'rows' or"),
        (lambda: random_groups(3, 4), "n_groups=4 must lie between 1 and 3, for n_patches=3"),
    ],
)
def test_bad_groups_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
