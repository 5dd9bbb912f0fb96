"""Connectivity and sharing against explicit slicing."""

import numpy as np
import pytest

from sklcnn.patches import all_features, check_patch_indices, sharing_groups, sliding_windows


def test_windows_of_a_signal_oracle_explicit_slicing():
    signal = np.arange(100, 110)
    windows = signal[sliding_windows((10,), patch_size=4, stride=3)]
    np.testing.assert_array_equal(windows, [signal[start : start + 4] for start in (0, 3, 6)])


@pytest.mark.parametrize("channels", [1, 3])
def test_windows_of_an_image_oracle_explicit_slicing(channels):
    image = np.random.default_rng(0).normal(size=(channels, 5, 7))
    shape = image.shape if channels > 1 else image.shape[1:]
    patches = image.ravel()[sliding_windows(shape, patch_size=3, stride=2)]
    slices = [
        image[:, row : row + 3, column : column + 3].ravel()
        for row in (0, 2)
        for column in (0, 2, 4)
    ]
    np.testing.assert_array_equal(patches, slices)


def test_circular_windows_oracle_roll():
    signal = np.arange(6)
    patches = sliding_windows((6,), patch_size=3, stride=1, padding="circular")
    np.testing.assert_array_equal(patches, [np.roll(signal, -start)[:3] for start in range(6)])


def test_patch_of_the_whole_input_limit_all_features():
    np.testing.assert_array_equal(sliding_windows((4, 4), patch_size=9), all_features(16))


def test_a_signal_of_several_channels_is_an_image_of_height_one():
    patches = sliding_windows((2, 1, 4), patch_size=2)
    np.testing.assert_array_equal(patches, [[0, 1, 4, 5], [1, 2, 5, 6], [2, 3, 6, 7]])


@pytest.mark.parametrize(
    ("shape", "patch_size", "stride", "advice"),
    [
        ((8,), 3, 2, "stride=1 covers"),
        ((8, 8), 3, 2, "padding='circular'"),
        ((9,), 2, 3, "stride=1 covers"),
    ],
)
def test_unseen_features_contract_error_says_what_would_cover_them(
    shape, patch_size, stride, advice
):
    with pytest.raises(ValueError, match=f"patch_size={patch_size} with stride={stride}") as error:
        sliding_windows(shape, patch_size, stride)
    assert advice in str(error.value)


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_advice_contract_the_suggested_padding_covers_all_features(stride):
    patches = sliding_windows((8, 7), patch_size=3, stride=stride, padding="circular")
    np.testing.assert_array_equal(np.unique(patches), np.arange(56))


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        (None, [0, 1, 2, 3, 4]),
        (1, [0, 0, 0, 0, 0]),
        (2, [0, 0, 0, 1, 1]),
        (5, [0, 1, 2, 3, 4]),
        (["b", "a", "b", "a", "a"], [1, 0, 1, 0, 0]),
    ],
)
def test_sharing_groups_closed_form(groups, expected):
    np.testing.assert_array_equal(sharing_groups(5, groups), expected)


@pytest.mark.parametrize("groups", [0, 6, [0, 1]])
def test_sharing_groups_contract_names_the_parameter(groups):
    with pytest.raises(ValueError, match="filter_groups"):
        sharing_groups(5, groups)


@pytest.mark.parametrize("patches", [[[0, 4]], [[-1, 0]], [[0.0, 1.0]], [0, 1], np.empty((0, 2))])
def test_patch_indices_contract_names_the_parameter(patches):
    with pytest.raises(ValueError, match="patch_indices"):
        check_patch_indices(patches, n_features=4)


@pytest.mark.parametrize("shape", [(0, 3), (1, 2, 3, 4), ()])
def test_input_shape_contract_names_the_parameter(shape):
    with pytest.raises(ValueError, match="input_shape"):
        sliding_windows(shape, 2)
