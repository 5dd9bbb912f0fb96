"""Windows beyond the ends, and masked connectivity, against padded inputs and explicit loops."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from test_gradients import assert_equals_autograd, draw

from sklcnn import CNNRegressor, LCNRegressor
from sklcnn.nn import PatchNetwork
from sklcnn.nn.gradients import takes_siblings
from sklcnn.patches import (
    check_patch_indices,
    sharing_groups,
    sliding_windows,
    window_grid,
)
from sklcnn.patches.windows import window_axes

ACTIVATIONS = {"relu": torch.relu, "identity": lambda z: z, "tanh": torch.tanh, "gelu": F.gelu}
# Masked entries are anywhere in a patch, and one of them hides a feature that no patch sees else.
HOLES = np.ma.masked_equal([[-1, 3, 7], [2, -1, -1], [5, 0, 1], [6, 4, -1]], -1)
LAYOUTS = {
    "LCN": None,
    "CNN": 1,
    "equal groups": [0, 1, 1, 0],
    "unequal groups": [1, 0, 1, 1],
}


def see(images, patches):
    """Patches cut by explicit loops: zeros where an entry is masked, (n, n_patches, patch_size)."""
    mask, features = np.ma.getmaskarray(patches), np.ma.getdata(patches)
    seen = np.zeros((len(images), *patches.shape))
    for patch, entry in np.ndindex(patches.shape):
        if not mask[patch, entry]:
            seen[:, patch, entry] = images[:, features[patch, entry]]
    return seen


def unfold(images, patch_size, stride, pads, mode="constant"):
    """torch's own windows of padded images, (n, n_patches, channels * window entries)."""
    padded = F.pad(torch.from_numpy(images), pads, mode=mode)
    sides = [min(patch_size, side) for side in padded.shape[2:]]
    return F.unfold(padded, sides, stride=stride).mT.numpy()


@pytest.mark.parametrize("shape", [(1, 1, 9), (1, 6, 8), (3, 5, 7), (2, 1, 8)])
@pytest.mark.parametrize("patch_size", [1, 2, 3, 4, 5])
def test_same_oracle_unfold_of_a_padded_image(shape, patch_size):
    images = np.random.default_rng(0).normal(size=(2, *shape))
    patches = sliding_windows(shape, patch_size, padding="same")
    assert len(patches) == shape[1] * shape[2]  # a window for every feature of a channel
    before, after = (patch_size - 1) // 2, patch_size // 2  # as torch pads for padding="same"
    rows = (before, after) if shape[1] > 1 else (0, 0)
    expected = unfold(images, patch_size, 1, (before, after, *rows))
    np.testing.assert_array_equal(see(images.reshape(2, -1), patches), expected)


@pytest.mark.parametrize("patch_size", [3, 4, 5])
@pytest.mark.parametrize("stride", [2, 3])
def test_same_with_strides_oracle_every_stride_th_window(patch_size, stride):
    if stride > patch_size // 2 + 1:
        pytest.skip("windows this far apart do not meet")
    image = np.random.default_rng(0).normal(size=(1, 2 * 7 * 8))
    dense = see(image, sliding_windows((2, 7, 8), patch_size, padding="same"))
    dense = dense.reshape(1, 7, 8, -1)[:, ::stride, ::stride]
    strided = see(image, sliding_windows((2, 7, 8), patch_size, stride, padding="same"))
    np.testing.assert_array_equal(strided, dense.reshape(1, -1, dense.shape[-1]))


@pytest.mark.parametrize("shape", [(1, 1, 9), (3, 5, 7)])
@pytest.mark.parametrize("padding", [0, 1, 2, np.int64(2)])
@pytest.mark.parametrize(("patch_size", "stride"), [(3, 1), (3, 2), (4, 3), (20, 1)])
def test_number_of_zeros_oracle_unfold_of_a_padded_image(shape, padding, patch_size, stride):
    pads = [int(padding)] * 2 + ([int(padding)] * 2 if shape[1] > 1 else [0, 0])
    places = np.arange(1.0, 1 + np.prod(shape)).reshape(1, *shape)
    if set(places.ravel()) - set(unfold(places, patch_size, stride, pads).ravel()):
        with pytest.raises(ValueError, match=f"stride={stride} leaves features .* unseen"):
            sliding_windows(shape, patch_size, stride, padding=padding)
        return
    patches = sliding_windows(shape, patch_size, stride, padding=padding)
    images = np.random.default_rng(0).normal(size=(2, *shape))
    expected = unfold(images, patch_size, stride, pads)
    np.testing.assert_array_equal(see(images.reshape(2, -1), patches), expected)


@pytest.mark.parametrize("shape", [(1, 1, 9), (3, 5, 7)])
@pytest.mark.parametrize(("patch_size", "stride"), [(3, 1), (3, 2), (4, 3)])
def test_circular_oracle_unfold_of_a_wrapped_image(shape, patch_size, stride):
    images = np.random.default_rng(0).normal(size=(2, *shape))
    patches = sliding_windows(shape, patch_size, stride, padding="circular")
    assert not np.ma.is_masked(patches)
    rows = patch_size - 1 if shape[1] > 1 else 0
    expected = unfold(images, patch_size, stride, (0, patch_size - 1, 0, rows), mode="circular")
    np.testing.assert_array_equal(see(images.reshape(2, -1), patches), expected)


@pytest.mark.parametrize("padding", ["valid", "same", "circular", 0, 1, 2])
@pytest.mark.parametrize("side", range(1, 17))
def test_windows_contract_cover_everything_or_name_what_would(padding, side):
    least = padding + 1 if isinstance(padding, int) else 1
    for patch_size in range(least, 7):
        for stride in range(1, 7):
            try:
                patches = sliding_windows((side,), patch_size, stride, padding=padding)
            except ValueError as error:
                _assert_advice_holds(str(error), side, patch_size, padding)
                continue
            seen = np.ma.compressed(np.ma.asarray(patches))
            np.testing.assert_array_equal(np.unique(seen), np.arange(side))
            axis = window_axes((1, 1, side), patch_size, stride, padding)[1]
            assert len(patches) == axis.n_windows


def _assert_advice_holds(message, side, patch_size, padding):
    """Every stride that the error names covers the input, and so does every padding."""
    stride = int(message.partition("with stride=")[2].split()[0])
    advised = message.partition("unseen; stride=")[2].partition(" covers")[0].split(" or ")
    for step in map(int, advised):
        sliding_windows((side,), patch_size, step, padding=padding)
    for other in ("same", "circular"):
        if f"padding='{other}'" in message:
            sliding_windows((side,), patch_size, stride, padding=other)


@pytest.mark.parametrize("padding", ["full", -1, 1.0, None])
def test_padding_contract_names_what_there_is(padding):
    with pytest.raises(ValueError, match=f"padding={padding!r}.*'same'.*int of at least 0"):
        sliding_windows((9,), 3, padding=padding)


@pytest.mark.parametrize("padding", [3, 7])
def test_padding_contract_no_window_sees_zeros_only(padding):
    with pytest.raises(ValueError, match=f"padding={padding}.*patch_size=3"):
        sliding_windows((9,), 3, padding=padding)


# Networks of one hidden layer


def make_network(patches, groups, n_outputs=2, members=(), **options):
    groups = sharing_groups(len(patches), groups)
    network = PatchNetwork(patches, groups, 3, n_outputs, dtype=torch.float64, **options)
    for seed, parameter in enumerate(network.parameters()):
        parameter.data = draw(*members, *parameter.shape, seed=seed) / 2
    return network


@pytest.mark.parametrize("shape", [(1, 1, 9), (2, 5, 6)])
@pytest.mark.parametrize("patch_size", [2, 3, 4])
@pytest.mark.parametrize("padding", ["same", 1])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_convolutional_oracle_conv2d_with_padding(shape, patch_size, padding, activation):
    patches = sliding_windows(shape, patch_size, padding=padding)
    network = make_network(patches, 1, activation=activation)
    X = draw(4, np.prod(shape), seed=9)
    before, after = ((patch_size - 1) // 2, patch_size // 2) if padding == "same" else (1, 1)
    # The window and the zeros of a signal lie along its length only.
    kernel, rows = (patch_size,) * 2, (before, after)
    if shape[1] == 1:
        kernel, rows = (1, patch_size), (0, 0)
    padded = F.pad(X.reshape(4, *shape), (before, after, *rows))
    weight = network.weight[0].reshape(3, shape[0], *kernel)
    hidden = F.conv2d(padded, weight, network.bias[0])
    hidden = ACTIVATIONS[activation](hidden).flatten(1)  # filters first, then positions
    expected = F.linear(hidden, network.readout_weight, network.readout_bias)
    torch.testing.assert_close(network(X), expected, rtol=0, atol=1e-13)


def respond(network, X, patches, groups, pooling):
    """Outputs by a loop over patches and their entries that are not masked."""
    hidden = []
    for patch, group in zip(patches, groups, strict=True):
        z = torch.zeros(len(X), 3, dtype=torch.float64)
        for entry in range(patches.shape[1]):
            if patch[entry] is not np.ma.masked:
                z = z + X[:, patch[entry], None] * network.weight[group, :, entry]
        hidden.append((z + network.bias[group]).relu())
    hidden = torch.stack(hidden, dim=-1)  # (n_samples, n_filters, n_patches)
    pooled = {"mean": hidden.mean(-1), "sum": hidden.sum(-1), "max": hidden.amax(-1)}[pooling]
    return F.linear(pooled, network.readout_weight, network.readout_bias)


@pytest.mark.parametrize("pooling", ["mean", "sum", "max"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_masked_patches_oracle_explicit_loop(layout, pooling):
    network = make_network(HOLES, LAYOUTS[layout], pooling=pooling)
    X = draw(5, 8, seed=9)
    expected = respond(network, X, HOLES, sharing_groups(4, LAYOUTS[layout]), pooling)
    torch.testing.assert_close(network(X), expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("activation", ["relu", "soft_threshold"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_masked_patches_invariance_a_feature_of_zeros_in_their_place(layout, activation):
    masked = make_network(HOLES, LAYOUTS[layout], activation=activation)
    zeros = make_network(HOLES.filled(8), LAYOUTS[layout], activation=activation)
    X = draw(5, 8, seed=9)
    expected = zeros(F.pad(X, (0, 1)))
    torch.testing.assert_close(masked(X), expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("members", [(), (4,)], ids=["one", "stack"])
@pytest.mark.parametrize("pooling", [None, "mean", "sum", "max"])
@pytest.mark.parametrize("activation", ["relu", "tanh", "identity", "soft_threshold", "gelu"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_masked_gradient_oracle_autograd(layout, activation, pooling, members):
    patches = sliding_windows((24,), patch_size=10, stride=6, padding="same")  # 4 patches
    assert np.ma.is_masked(patches)
    for readout, n_outputs in (("linear", 1), ("linear", 3), ("sum", 1)):
        options = {"activation": activation, "pooling": pooling, "readout": readout}
        network = make_network(patches, LAYOUTS[layout], n_outputs, members, **options)
        assert_equals_autograd(network, members)


@pytest.mark.parametrize("activation", ["relu", "soft_threshold"])
@pytest.mark.parametrize("layout", ["LCN", "CNN", "equal groups"])
def test_masked_siblings_oracle_autograd(layout, activation):
    patches = sliding_windows((24,), patch_size=10, stride=6, padding="same")
    network = make_network(patches, LAYOUTS[layout], 2, (6,), activation=activation)
    assert takes_siblings(network)
    assert_equals_autograd(network, (6,), siblings=3)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_masked_entries_limit_their_weights_get_no_gradient(layout):
    network = make_network(HOLES, LAYOUTS[layout])
    network(draw(5, 8, seed=9)).square().sum().backward()
    groups = sharing_groups(4, LAYOUTS[layout])
    for group in range(groups.max() + 1):
        unseen = np.ma.getmaskarray(HOLES)[groups == group].all(axis=0)
        assert (network.weight.grad[group][:, unseen] == 0).all()
        assert (network.weight.grad[group][:, ~unseen] != 0).any(dim=0).all()


# Estimators


@pytest.mark.parametrize("network", [CNNRegressor, LCNRegressor])
@pytest.mark.parametrize("padding", ["same", 1])
def test_given_patches_invariance_same_network_as_the_padding_that_makes_them(network, padding):
    X = np.random.default_rng(0).normal(size=(30, 20))
    options = {"max_iter": 4, "tol": None, "random_state": 0}
    padded = network(3, input_shape=(4, 5), padding=padding, **options).fit(X, X[:, 0])
    given = network(3, patch_indices=padded.patch_indices_, **options).fit(X, X[:, 0])
    np.testing.assert_array_equal(given.predict(X), padded.predict(X))
    assert np.ma.is_masked(given.patch_indices_)
    np.testing.assert_array_equal(given.patch_indices_.mask, padded.patch_indices_.mask)


def test_fitted_patches_contract_do_not_share_memory_with_the_next_fit():
    X = np.random.default_rng(0).normal(size=(30, 20))
    network = CNNRegressor(3, padding="same", max_iter=2, tol=None, random_state=0)
    first = network.fit(X, X[:, 0]).patch_indices_
    first[:] = 0
    first.mask[:] = True
    assert network.fit(X, X[:, 0]).patch_indices_.mask.sum() == 2
    given = HOLES.copy()
    fitted = LCNRegressor(3, patch_indices=given, max_iter=2, tol=None).fit(X, X[:, 0])
    fitted.patch_indices_.mask[:] = True
    np.testing.assert_array_equal(given.mask, HOLES.mask)


@pytest.mark.parametrize(
    ("patches", "reason"),
    [
        (np.ma.masked_equal([[0, 1], [-1, -1]], -1), "all masked"),
        (np.ma.masked_equal([[0, 8], [1, -1]], -1), "0 to 8"),
        (np.ma.masked_equal([[0, -2], [1, -1]], -1), "-2 to 1"),
        (np.ma.masked_equal([[0.0, 1.0], [1.0, -1.0]], -1), "float64"),
    ],
)
def test_masked_patches_contract_names_what_is_wrong(patches, reason):
    with pytest.raises(ValueError, match=f"patch_indices.*{reason}"):
        check_patch_indices(patches, n_features=8)


def test_masked_patches_limit_a_mask_of_nothing_is_no_mask():
    patches = check_patch_indices(np.ma.masked_array([[0, 1], [2, 3]], mask=False), 4)
    assert not isinstance(patches, np.ma.MaskedArray)


@pytest.mark.parametrize("shape", [(10,), (6, 8), (3, 8, 10), (2, 1, 8)])
@pytest.mark.parametrize("padding", ["valid", "same", "circular", 1, 2])
@pytest.mark.parametrize(("patch_size", "stride"), [(3, 1), (4, 2), (20, 1)])
def test_window_grid_oracle_number_of_windows(shape, padding, patch_size, stride):
    n_rows, n_columns = window_grid(shape, patch_size, stride, padding=padding)
    patches = sliding_windows(shape, patch_size, stride, padding=padding)
    assert n_rows * n_columns == len(patches)
    if padding == "same":
        height, width = (1, *shape)[-2:]
        assert (n_rows, n_columns) == (-(-height // stride), -(-width // stride))
