"""The network module against torch's own layers, and the families against each other."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from sklcnn.nn import LOSSES, PatchNetwork, soft_threshold
from sklcnn.patches import all_features, sharing_groups, sliding_windows

ACTIVATIONS = ["relu", "soft_threshold", "identity", "tanh", "gelu"]
POOLINGS = [None, "mean", "sum", "max"]


def make_network(patches, groups, *, seed=0, n_filters=3, n_outputs=2, **options):
    generator = torch.Generator().manual_seed(seed)
    network = PatchNetwork(
        patches, groups, n_filters, n_outputs, generator=generator, dtype=torch.float64, **options
    )
    with torch.no_grad():  # biases start at zero; give them values, so that they count
        for name, parameter in network.named_parameters():
            if "weight" not in name:
                parameter.copy_(torch.randn(parameter.shape, generator=generator) / 4)
    return network


@pytest.fixture
def X():
    return torch.randn(5, 24, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def copy_parameters(source, target):
    """Load the parameters of one network into another; a shared filter is copied to each patch."""
    with torch.no_grad():
        for name, parameter in target.named_parameters():
            parameter.copy_(dict(source.named_parameters())[name].expand_as(parameter))


@pytest.mark.parametrize("stride", [1, 2, 4])
def test_convolutional_oracle_conv1d(X, stride):
    patches = sliding_windows((24,), patch_size=4, stride=stride)
    network = make_network(patches, sharing_groups(len(patches), 1))
    hidden = F.conv1d(X[:, None], network.weight[0][:, None], network.bias[0], stride=stride)
    readout = F.linear(hidden.relu().flatten(1), network.readout_weight, network.readout_bias)
    torch.testing.assert_close(network(X), readout, rtol=0, atol=1e-13)


def test_convolutional_oracle_conv2d_of_several_channels(X):
    patches = sliding_windows((2, 3, 4), patch_size=2)
    network = make_network(patches, sharing_groups(len(patches), 1), pooling="mean")
    weight = network.weight[0].reshape(3, 2, 2, 2)
    hidden = F.conv2d(X.reshape(-1, 2, 3, 4), weight, network.bias[0]).relu().mean(dim=(2, 3))
    readout = F.linear(hidden, network.readout_weight, network.readout_bias)
    torch.testing.assert_close(network(X), readout, rtol=0, atol=1e-13)


def test_fully_connected_oracle_linear_layers(X):
    network = make_network(all_features(24), [0])
    hidden = F.linear(X, network.weight[0], network.bias[0]).relu()
    readout = F.linear(hidden, network.readout_weight, network.readout_bias)
    torch.testing.assert_close(network(X), readout, rtol=0, atol=1e-13)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("pooling", POOLINGS)
def test_tied_filters_limit_locally_connected_is_convolutional(X, activation, pooling):
    # Stride below the patch size, so that patches overlap; the readout orders positions by filter
    # for the convolutional and by position for the locally connected network.
    patches = sliding_windows((24,), patch_size=6, stride=3)
    options = {"activation": activation, "pooling": pooling}
    shared = make_network(patches, sharing_groups(len(patches), 1), **options)
    free = make_network(patches, sharing_groups(len(patches)), **options)
    if pooling is None:
        by_position = shared.readout_weight.reshape(2, 3, len(patches)).transpose(1, 2)
        tied = by_position.reshape(2, -1)
        with torch.no_grad():
            copy_parameters(shared, free)
            free.readout_weight.copy_(tied)
    else:
        copy_parameters(shared, free)
    torch.testing.assert_close(free(X), shared(X), rtol=0, atol=1e-13)


def test_one_patch_limit_locally_connected_is_fully_connected(X):
    whole = make_network(sliding_windows((24,), patch_size=24), sharing_groups(1))
    full = make_network(all_features(24), np.zeros(1, dtype=int))
    torch.testing.assert_close(whole(X), full(X), rtol=0, atol=0)


@pytest.mark.parametrize("groups", [2, 3, [0, 1, 0, 1, 0, 1], [0, 0, 0, 1, 1, 2]])
@pytest.mark.parametrize("pooling", ["mean", "sum", "max"])
def test_groups_oracle_explicit_loop(X, groups, pooling):
    patches = sliding_windows((24,), patch_size=4, stride=4)
    groups = sharing_groups(len(patches), groups)
    network = make_network(patches, groups, pooling=pooling)
    hidden = torch.stack(
        [
            F.linear(X[:, patch], network.weight[group], network.bias[group]).relu()
            for patch, group in zip(patches, groups, strict=True)
        ]
    )
    pooled = {"mean": hidden.mean(0), "sum": hidden.sum(0), "max": hidden.amax(0)}[pooling]
    readout = F.linear(pooled, network.readout_weight, network.readout_bias)
    torch.testing.assert_close(network(X), readout, rtol=0, atol=1e-13)


@pytest.mark.parametrize("groups", [None, 1, 3, [0, 0, 0, 1, 1, 2]])
@pytest.mark.parametrize("activation", ["relu", "soft_threshold"])
@pytest.mark.parametrize("pooling", [None, "sum"])
def test_leading_axes_invariance_many_networks_are_one_code(X, groups, activation, pooling):
    patches = sliding_windows((24,), patch_size=4, stride=4)
    groups = sharing_groups(len(patches), groups)
    options = {"activation": activation, "pooling": pooling}
    members = [make_network(patches, groups, seed=seed, **options) for seed in range(3)]
    stack = make_network(patches, groups, **options)
    for name in dict(stack.named_parameters()):
        stacked = torch.stack([getattr(member, name).data for member in members])
        setattr(stack, name, torch.nn.Parameter(stacked))
    inputs = torch.stack([X, X + 1, 2 * X])
    alone = torch.stack([member(x) for member, x in zip(members, inputs, strict=True)])
    torch.testing.assert_close(stack(inputs), alone, rtol=0, atol=1e-13)


def test_sum_readout_closed_form(X):
    patches = sliding_windows((24,), patch_size=4, stride=4)
    options = {"activation": "soft_threshold", "pooling": "sum", "readout": "sum"}
    network = make_network(patches, sharing_groups(6, 1), n_filters=1, n_outputs=1, **options)
    scores = X[:, patches] @ network.weight[0, 0]  # (n_samples, n_patches)
    shrunk = scores.sign() * (scores.abs() - network.threshold.abs()).clamp_min(0)
    network.threshold.data.abs_()
    torch.testing.assert_close(network(X)[:, 0], shrunk.sum(1), rtol=0, atol=1e-13)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_gradient_oracle_finite_differences(X, activation):
    patches = sliding_windows((24,), patch_size=4, stride=4)
    network = make_network(patches, sharing_groups(6, 2), activation=activation)
    parameters = dict(network.named_parameters())

    def respond(*values):
        named = dict(zip(parameters, values, strict=True))
        return torch.func.functional_call(network, named, (X,))

    assert torch.autograd.gradcheck(respond, tuple(parameters.values()))


@pytest.mark.parametrize(
    ("groups", "n_parameters"),
    [(1, 3 * 4 + 3), (None, 6 * (3 * 4 + 3)), (2, 2 * (3 * 4 + 3))],
)
def test_parameter_count_closed_form(groups, n_parameters):
    network = make_network(sliding_windows((24,), 4, 4), sharing_groups(6, groups))
    readout = 2 * (3 * 6 + 1)
    assert sum(parameter.numel() for parameter in network.parameters()) == n_parameters + readout


def test_initial_weights_invariance_dtype_does_not_change_the_start():
    patches = sliding_windows((24,), 4, 4)
    draws = [
        PatchNetwork(patches, [0] * 6, 3, 2, generator=torch.Generator().manual_seed(3), dtype=t)
        for t in (torch.float32, torch.float64)
    ]
    assert torch.equal(draws[0].weight, draws[1].weight.float())


def test_initial_weights_closed_form_variance_two_over_the_fan_in_of_a_patch():
    # 100,000 draws: the standard error of their variance is 0.45 %; the margin is five of them.
    network = PatchNetwork(
        sliding_windows((1000,), 10, 10),
        sharing_groups(100),
        100,
        1,
        generator=torch.Generator().manual_seed(0),
    )
    assert network.weight.var().item() == pytest.approx(2 / 10, rel=0.023)


@pytest.mark.parametrize("threshold", [0.0, 0.7])
def test_soft_threshold_closed_form(threshold):
    z = torch.linspace(-3, 3, 13, dtype=torch.float64)
    expected = z.sign() * (z.abs() - threshold).clamp_min(0)
    torch.testing.assert_close(soft_threshold(z, threshold), expected)


def test_log_loss_oracle_cross_entropy():
    outputs = torch.randn(6, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    labels = torch.tensor([0, 1, 2, 2, 1, 0])
    target = 2.0 * F.one_hot(labels, 3) - 1
    expected = F.cross_entropy(outputs, labels, reduction="none")
    torch.testing.assert_close(LOSSES["log_loss"](outputs, target), expected)
    # One output f is a softmax over (0, f).
    two = torch.stack([torch.zeros(6, dtype=torch.float64), outputs[:, 0]], dim=1)
    expected = F.cross_entropy(two, (target[:, 0] > 0).long(), reduction="none")
    one = LOSSES["log_loss"](outputs[:, :1], target[:, :1])
    torch.testing.assert_close(one, expected)


@pytest.mark.parametrize(
    ("loss", "expected"),
    [("squared_error", 2.25), ("hinge", 1.5), ("exponential", np.exp(0.5))],
)
def test_margin_losses_closed_form(loss, expected):
    outputs, target = torch.tensor([[-0.5]]), torch.tensor([[1.0]])
    assert LOSSES[loss](outputs, target).item() == pytest.approx(expected)


def test_log_loss_limit_neither_overflows_nor_loses_digits():
    outputs = torch.tensor([[1000.0], [-1000.0], [30.0]], dtype=torch.float64)
    losses = LOSSES["log_loss"](outputs, torch.ones_like(outputs))
    expected = torch.tensor([0.0, 1000.0, np.exp(-30)], dtype=torch.float64)
    torch.testing.assert_close(losses, expected, rtol=1e-10, atol=0)
