"""Several hidden layers against torch's own modules, explicit loops, and the families."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from sklcnn.nn import DeepNetwork
from sklcnn.nn.gradients import loss_and_gradients, takes_siblings
from sklcnn.nn.layers import ConvolutionLayer, PatchLayer
from sklcnn.nn.losses import MeanLoss
from sklcnn.patches import all_features, sharing_groups, sliding_windows
from sklcnn.patches.layers import LayerPlan
from sklcnn.patches.windows import window_axes

ACTIVATIONS = ["relu", "soft_threshold", "identity", "tanh", "gelu"]
POOLS = [(None, None), ("max", 2), ("mean", 3), ("sum", 2), ("max", 4), ("mean", 6)]
GLOBAL = [("max", None), ("mean", None), ("sum", None)]
SIGNAL, IMAGE = (2, 1, 17), (2, 9, 7)  # no side is divided by a pool size, no two are equal


def make_plans(shape, *layers):
    """Plans of layers given as (n_filters, patch_size, stride, padding, pool, groups)."""
    plans = []
    for n_filters, patch_size, stride, padding, pool, groups in layers:
        patches = sliding_windows(shape, patch_size, stride, padding=padding)
        axes = window_axes(shape, patch_size, stride, padding)
        sharing = sharing_groups(len(patches), groups)
        plans.append(LayerPlan(n_filters, patches, sharing, axes, *pool))
        shape = plans[-1].output_shape
    return plans


def make_network(plans, shape, n_outputs=3, *, seed=0, **options):
    generator = torch.Generator().manual_seed(seed)
    network = DeepNetwork(
        plans, n_outputs, shape, generator=generator, dtype=torch.float64, **options
    )
    with torch.no_grad():  # what starts at zero must count; thresholds differ and are positive
        for name, parameter in network.named_parameters():
            if "threshold" in name:
                parameter.copy_(torch.rand((), generator=generator) / 2 + 0.05)
            elif "weight" not in name:
                parameter.copy_(torch.randn(parameter.shape, generator=generator) / 4)
    return network


def draw(*shape, seed=9):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def assert_close(actual, expected, atol=1e-12):
    torch.testing.assert_close(actual, expected, rtol=0, atol=atol)


# torch's own modules


class Shrink(nn.Module):
    """Soft threshold by its definition."""

    def __init__(self, threshold):
        super().__init__()
        self.threshold = nn.Parameter(threshold.detach().clone())

    def forward(self, z):
        return z.sign() * (z.abs() - self.threshold).clamp_min(0)


class LoopPool(nn.Module):
    """Pool window after window; the last ones are what is left."""

    def __init__(self, pooling, size):
        super().__init__()
        self.pooling, self.size = pooling, size

    def forward(self, maps):
        reduce = {"max": torch.amax, "mean": torch.mean, "sum": torch.sum}[self.pooling]
        height, width = maps.shape[-2:]
        size = self.size or max(height, width)
        rows = [
            [
                reduce(maps[..., top : top + size, left : left + size], dim=(-2, -1))
                for left in range(0, width, size)
            ]
            for top in range(0, height, size)
        ]
        return torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)


def activation_module(layer):
    simple = {"relu": nn.ReLU, "identity": nn.Identity, "tanh": nn.Tanh, "gelu": nn.GELU}
    if layer.activation == "soft_threshold":
        return Shrink(layer.threshold)
    return simple[layer.activation]()


def padding_module(side, patch_size, stride, padding):
    """Zeros, or the other ends, put around a map of (height, width) before a convolution."""

    def ends(length):
        if length == 1 or padding == "valid":
            return 0, 0
        if padding == "circular":
            return 0, patch_size - 1
        if padding == "same":
            return (patch_size - 1) // 2, patch_size // 2
        return padding, padding

    height, width = side
    widths = (*ends(width), *ends(height))
    return nn.CircularPad2d(widths) if padding == "circular" else nn.ZeroPad2d(widths)


def sequential(network, shape, *layers):
    """The same network of torch's own modules, with copied parameters."""
    modules, sides = [nn.Unflatten(1, shape)], shape
    for own, (n_filters, patch_size, stride, padding, pool, _) in zip(
        network.layers, layers, strict=True
    ):
        kernel = [min(patch_size, side) if side == 1 else patch_size for side in sides[1:]]
        convolution = nn.Conv2d(sides[0], n_filters, kernel, stride, dtype=torch.float64)
        convolution.weight.data = own.weight[0].detach().reshape(convolution.weight.shape).clone()
        bias = own.bias[0] if hasattr(own, "bias") else torch.zeros(n_filters, dtype=torch.float64)
        convolution.bias.data = bias.detach().clone()
        modules += [
            padding_module(sides[1:], patch_size, stride, padding),
            convolution,
            activation_module(own),
        ]
        if pool[0] is not None:
            modules.append(LoopPool(*pool))
        sides = nn.Sequential(*modules)(torch.zeros(1, int(np.prod(shape))).double()).shape[1:]
    return nn.Sequential(*modules, nn.Flatten(), *readout_modules(network))


def readout_modules(network):
    if network.readout == "sum":
        return [SumReadout()]
    linear = nn.Linear(network.readout_weight.shape[1], len(network.readout_weight))
    linear.weight.data = network.readout_weight.detach().clone()
    linear.bias.data = network.readout_bias.detach().clone()
    return [linear.double()]


class SumReadout(nn.Module):
    """Sum of all responses."""

    def forward(self, responses):
        return responses.sum(dim=1, keepdim=True)


def assert_equals_torch(shape, *layers, **options):
    """Outputs and gradients, those that training computes, are torch's."""
    n_outputs = 1 if options.get("readout") == "sum" else 3
    network = make_network(make_plans(shape, *layers), shape, n_outputs, **options)
    assert network.convolutional
    truth = sequential(network, shape, *layers)
    X, target = draw(6, int(np.prod(shape))), draw(6, n_outputs, seed=10)
    assert_close(network(X), truth(X))
    _, _, gradients = loss_and_gradients(
        network, MeanLoss("squared_error"), network.cut(network.extend(X)), target
    )
    F.mse_loss(truth(X), target).backward()
    named = dict(zip(dict(network.named_parameters()), gradients, strict=True))
    expected = expected_gradients(truth, network)
    assert set(named) == set(expected)
    for name, gradient in named.items():
        assert_close(gradient.flatten(), expected[name].flatten())


def expected_gradients(truth, network):
    """Gradients of torch's modules by the names that ours have."""
    found = {}
    convolutions = [module for module in truth if isinstance(module, nn.Conv2d)]
    thresholds = [module for module in truth if isinstance(module, Shrink)]
    for number, convolution in enumerate(convolutions):
        found[f"layers.{number}.weight"] = convolution.weight.grad
        if network.activation == "soft_threshold":
            found[f"layers.{number}.threshold"] = thresholds[number].threshold.grad
        else:
            found[f"layers.{number}.bias"] = convolution.bias.grad
    if network.readout == "linear":
        found |= {"readout_weight": truth[-1].weight.grad, "readout_bias": truth[-1].bias.grad}
    return found


@pytest.mark.parametrize("shape", [SIGNAL, IMAGE], ids=["signal", "image"])
@pytest.mark.parametrize("pool", POOLS, ids=str)
@pytest.mark.parametrize("padding", ["valid", "same", "circular", 1])
def test_paddings_and_poolings_oracle_torch_modules(shape, pool, padding):
    first, second = (4, 3, 1, padding, pool, 1), (5, 2, 1, "same", POOLS[2], 1)
    assert_equals_torch(shape, first, second)
    assert_equals_torch(shape, second, first)


@pytest.mark.parametrize("shape", [SIGNAL, IMAGE], ids=["signal", "image"])
@pytest.mark.parametrize("stride", [2, 3])
@pytest.mark.parametrize("padding", ["valid", "same", "circular", 1])
def test_strides_oracle_torch_modules(shape, stride, padding):
    # Windows just large enough that sides of 17, or of 9 and 7, are seen as a whole.
    patch_size = 3
    if stride == 3 and padding != "circular":
        patch_size = 4 if (shape, padding) == (SIGNAL, 1) else 5
    if (padding, stride, shape) == ("valid", 3, IMAGE):
        shape = (2, 8, 11)
    first = (4, patch_size, stride, padding, (None, None), 1)
    assert_equals_torch(shape, first, (5, 2, 1, "same", ("max", 2), 1))


@pytest.mark.parametrize("shape", [SIGNAL, IMAGE], ids=["signal", "image"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("readout", ["linear", "sum"])
@pytest.mark.parametrize("pool", [(None, None), *GLOBAL], ids=str)
def test_activations_readouts_and_global_pooling_oracle_torch_modules(
    shape, activation, readout, pool
):
    first, second = (4, 3, 1, "same", ("max", 2), 1), (3, 3, 1, "valid", pool, 1)
    assert_equals_torch(shape, first, second, activation=activation, readout=readout)


def test_three_layers_and_a_single_one_oracle_torch_modules():
    pools = [("max", 2), ("mean", 2), ("sum", None)]
    assert_equals_torch((2, 13, 11), *((4 + n, 3, 1, "same", pools[n], 1) for n in range(3)))
    assert_equals_torch(IMAGE, (4, 3, 1, "valid", ("max", 3), 1))


@pytest.mark.parametrize("kind", ["max", "mean"])
def test_a_sequential_as_one_would_write_it_oracle_torch_pooling(kind):
    network = make_network(
        make_plans(IMAGE, (4, 3, 1, "same", (kind, 2), 1), (5, 3, 1, "same", (kind, 3), 1)), IMAGE
    )
    pool = {
        "max": lambda size: nn.MaxPool2d(size, ceil_mode=True),
        "mean": lambda size: nn.AvgPool2d(size, ceil_mode=True),
    }[kind]
    first, second = nn.Conv2d(2, 4, 3, padding="same"), nn.Conv2d(4, 5, 3, padding="same")
    head = nn.Linear(5 * 2 * 2, 3)
    layers = [first, nn.ReLU(), pool(2), second, nn.ReLU(), pool(3), nn.Flatten(), head]
    truth = nn.Sequential(nn.Unflatten(1, IMAGE), *layers).double()
    # Ours are those of the network itself, the readout, before those of its layers.
    theirs_in_order = [p for module in (head, first, second) for p in module.parameters()]
    with torch.no_grad():
        for ours, theirs in zip(network.parameters(), theirs_in_order, strict=True):
            theirs.copy_(ours.reshape(theirs.shape))
    X = draw(6, 126)
    assert_close(network(X), truth(X))


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("widths", [(4, 7), (6, 3, 5)])
def test_fully_connected_oracle_linear_layers(activation, widths):
    sides = [11, *widths]
    plans = [
        LayerPlan(width, all_features(side), np.zeros(1, dtype=int))
        for width, side in zip(widths, sides, strict=False)
    ]
    network = make_network(plans, (1, 1, 11), activation=activation)
    modules = []
    for layer in network.layers:
        linear = nn.Linear(layer.weight.shape[-1], layer.weight.shape[-2], dtype=torch.float64)
        linear.weight.data = layer.weight[0].detach().clone()
        linear.bias.data.zero_()
        if activation != "soft_threshold":
            linear.bias.data = layer.bias[0].detach().clone()
        modules += [linear, activation_module(layer)]
    truth = nn.Sequential(*modules, *readout_modules(network))
    X, target = draw(6, 11), draw(6, 3, seed=10)
    assert_close(network(X), truth(X))
    _, _, gradients = loss_and_gradients(
        network, MeanLoss("squared_error"), network.cut(network.extend(X)), target
    )
    F.mse_loss(truth(X), target).backward()
    named = dict(zip(dict(network.named_parameters()), gradients, strict=True))
    assert_close(named["readout_weight"], truth[-1].weight.grad)
    for number in range(len(widths)):
        assert_close(named[f"layers.{number}.weight"][0], truth[2 * number].weight.grad)


# The families against each other


def tie(shared, free):
    """Give every patch of one network the filters that all patches of the other share."""
    with torch.no_grad():
        for name, parameter in free.named_parameters():
            parameter.copy_(dict(shared.named_parameters())[name].expand_as(parameter))


@pytest.mark.parametrize("shape", [SIGNAL, IMAGE], ids=["signal", "image"])
@pytest.mark.parametrize("pool", [*POOLS, *GLOBAL], ids=str)
@pytest.mark.parametrize("padding", ["valid", "same", "circular", 1])
def test_tied_filters_limit_locally_connected_is_convolutional(shape, pool, padding):
    for activation, groups in (("relu", None), ("soft_threshold", None), ("tanh", 3)):
        shared, free = (
            make_network(
                make_plans(
                    shape,
                    (4, 3, 1, padding, ("max", 2), sharing),
                    (5, 2, 1, "same", pool, sharing),
                ),
                shape,
                activation=activation,
            )
            for sharing in (1, groups)
        )
        tie(shared, free)
        assert (shared.convolutional, free.convolutional) == (True, False)
        X = draw(6, int(np.prod(shape)))
        assert_close(free(X), shared(X))


@pytest.mark.parametrize("shape", [SIGNAL, IMAGE], ids=["signal", "image"])
@pytest.mark.parametrize("pool", [*POOLS, *GLOBAL], ids=str)
@pytest.mark.parametrize(
    ("padding", "patch_size", "stride"),
    [("valid", 3, 2), ("same", 3, 2), ("circular", 4, 3), (2, 3, 1)],
)
@pytest.mark.parametrize("activation", ["relu", "soft_threshold"])
def test_one_group_limit_patches_are_a_convolution(
    shape, pool, padding, patch_size, stride, activation
):
    (plan,) = make_plans(shape, (4, patch_size, stride, padding, pool, 1))
    layers = [kind(plan, activation, torch.float64) for kind in (PatchLayer, ConvolutionLayer)]
    for seed, parameters in enumerate(zip(*(layer.parameters() for layer in layers), strict=True)):
        for parameter in parameters:
            parameter.data = draw(*parameter.shape, seed=seed).abs() - 0.2 * parameter.dim()
    X = draw(6, int(np.prod(shape)))
    images = X.unflatten(-1, shape).permute(0, 2, 3, 1)
    by_convolution = layers[1](images).permute(0, 3, 1, 2)
    assert by_convolution.shape[1:] == plan.output_shape
    for by_patches in (
        layers[0](X.mT).mT,
        layers[0].respond(layers[0].cut(layers[0].extend(X))).mT,
    ):
        assert_close(by_patches, by_convolution.flatten(1))


def loop_layer(maps, plan, layer):
    """A hidden layer by loops over positions and windows; maps (n_samples, n_features)."""
    patches, groups = plan.patch_indices, plan.filter_groups
    mask, features = np.ma.getmaskarray(patches), np.ma.getdata(patches)
    responses = []
    for seen, indices, group in zip(~mask, features, groups, strict=True):
        weight = layer.weight[group][:, torch.from_numpy(seen)]
        z = maps[:, indices[seen]] @ weight.T
        z = z + layer.bias[group] if hasattr(layer, "bias") else z
        responses.append(z)
    maps = torch.stack(responses, dim=-1).unflatten(-1, plan.grid)  # (n, n_filters, rows, columns)
    maps = activation_module(layer)(maps)
    if plan.pooling is not None:
        maps = LoopPool(plan.pooling, plan.pool_size)(maps)
    assert maps.shape[1:] == plan.output_shape
    return maps.flatten(1)


def explicit(network, plans, X):
    for plan, layer in zip(plans, network.layers, strict=True):
        X = loop_layer(X, plan, layer)
    return F.linear(X, network.readout_weight, network.readout_bias)


@pytest.mark.parametrize("shape", [SIGNAL, IMAGE], ids=["signal", "image"])
@pytest.mark.parametrize("padding", ["valid", "same", "circular", 1])
@pytest.mark.parametrize("activation", ["relu", "soft_threshold"])
@pytest.mark.parametrize("sharing", ["none", "equal", "unequal"])
def test_groups_oracle_explicit_loop(shape, padding, activation, sharing):
    random = np.random.default_rng(3)

    def groups(n_patches):
        if sharing == "none":
            return random.permutation(n_patches)
        labels = np.arange(n_patches) % 3
        if sharing == "equal":  # of a number of patches that three divides; else nearly
            return random.permutation(labels)
        return random.permutation(np.where(np.arange(n_patches) < n_patches // 2, 0, labels))

    for pool in [(None, None), ("max", 2), ("mean", 4), ("sum", None)]:
        (first,) = make_plans(shape, (3, 3, 1, padding, ("mean", 2), 1))
        middle = first.output_shape
        (second,) = make_plans(middle, (4, 2, 1, "same", pool, 1))
        plans = [
            LayerPlan(
                plan.n_filters,
                plan.patch_indices,
                sharing_groups(len(plan.patch_indices), groups(len(plan.patch_indices))),
                plan.windows,
                plan.pooling,
                plan.pool_size,
            )
            for plan in (first, second)
        ]
        network = make_network(plans, shape, activation=activation)
        X = draw(6, int(np.prod(shape)))
        assert_close(network(X), explicit(network, plans, X))


@pytest.mark.parametrize("sharing", [(1, 1), (1, None), (None, 1), (None, None)], ids=str)
def test_mixed_sharing_oracle_explicit_loop(sharing):
    first, second = (4, 3, 1, "same", ("max", 2), sharing[0]), (5, 3, 1, 1, ("mean", 3), sharing[1])
    plans = make_plans(IMAGE, first, second)
    network = make_network(plans, IMAGE)
    assert network.convolutional == (sharing == (1, 1))
    X = draw(6, 126)
    assert_close(network(X), explicit(network, plans, X))


@pytest.mark.parametrize("groups", [None, 2], ids=["LCN", "groups"])
@pytest.mark.parametrize("activation", ["relu", "soft_threshold", "tanh"])
@pytest.mark.parametrize("pooling", ["max", "mean", "sum"])
def test_gradient_oracle_finite_differences(groups, activation, pooling):
    shape = (1, 3, 4)
    plans = make_plans(
        shape, (2, 2, 1, "same", (pooling, 2), groups), (2, 2, 1, "same", (pooling, 2), groups)
    )
    network = make_network(plans, shape, 2, activation=activation)
    parameters = dict(network.named_parameters())

    def respond(*values):
        named = dict(zip(parameters, values, strict=True))
        return torch.func.functional_call(network, named, (draw(3, 12),))

    assert torch.autograd.gradcheck(respond, tuple(parameters.values()))


# Many networks as one


@pytest.mark.parametrize("shape", [SIGNAL, IMAGE], ids=["signal", "image"])
@pytest.mark.parametrize("groups", [1, None, 2, "unequal"])
@pytest.mark.parametrize("activation", ["relu", "soft_threshold"])
@pytest.mark.parametrize("readout", ["linear", "sum"])
def test_leading_axis_invariance_many_networks_are_one_code(shape, groups, activation, readout):
    n_positions = len(sliding_windows(shape, 3, padding="same"))
    own = np.arange(n_positions) % 5 // 2 if groups == "unequal" else groups
    layers = [(4, 3, 1, "same", ("mean", 2), own), (3, 2, 1, "same", ("max", None), groups)]
    if groups == "unequal":
        layers[1] = (*layers[1][:-1], 1)
    plans, n_outputs = make_plans(shape, *layers), 1 if readout == "sum" else 2
    options = {"activation": activation, "readout": readout}
    members = [make_network(plans, shape, n_outputs, seed=seed, **options) for seed in range(3)]
    named = [dict(member.named_parameters()) for member in members]
    stacked = {name: torch.stack([own[name] for own in named]) for name in named[0]}
    stack = members[0].with_parameters(stacked)
    X = draw(3, 6, int(np.prod(shape)))
    alone = torch.stack([member(x) for member, x in zip(members, X, strict=True)])
    assert_close(stack(X), alone)
    assert stack.footprint == members[0].footprint
    assert stack.layout == members[0].layout
    assert not takes_siblings(stack)


def test_with_parameters_contract_the_other_network_is_left_as_it_was():
    for groups in (1, None):
        plans = make_plans(IMAGE, *[(3, 3, 1, "same", ("max", 2), groups)] * 2)
        network = make_network(plans, IMAGE)
        X, before = draw(6, 126), {n: p.clone() for n, p in network.named_parameters()}
        outputs = network(X)
        zeros = {name: torch.zeros_like(value) for name, value in before.items()}
        other = network.with_parameters(zeros)
        assert (other(X) == 0).all()
        other.layers[0].weight.data += 1.0
        assert torch.equal(network(X), outputs)
        assert (zeros["layers.0.weight"] == 1.0).all()  # they are the tensors, not copies of them
        for name, parameter in network.named_parameters():
            assert torch.equal(parameter, before[name])


@pytest.mark.parametrize(
    "change",
    [
        {"pool": ("mean", 2)},
        {"pool": ("max", 3)},
        {"padding": "circular"},
        {"stride": 2},
        {"patch_size": 2},
        {"groups": [0, 1] * 31 + [0]},
        {"groups": [1, 0] * 31 + [1]},
        {"shape": (2, 7, 9)},
    ],
    ids=str,
)
@pytest.mark.parametrize("groups", [1, None])
def test_layout_contract_differs_where_networks_compute_something_else(groups, change):
    plain = {"shape": IMAGE, "patch_size": 3, "stride": 1, "padding": "same"}
    plain |= {"pool": ("max", 2), "groups": groups}

    def layout(shape, patch_size, stride, padding, pool, groups):
        first = (3, patch_size, stride, padding, pool, groups)
        second = (3, 2, 1, "same", (None, None), groups if groups == 1 else None)
        return make_network(make_plans(shape, first, second), shape).layout

    assert layout(**plain) == layout(**plain)
    assert layout(**plain) != layout(**plain | change)
    hash(layout(**plain))


# Start and size


@pytest.mark.parametrize(
    ("groups", "n_filters_each"), [(1, (1, 1)), (None, (63, 20)), (3, (3, 3))], ids=str
)
@pytest.mark.parametrize("activation", ["relu", "soft_threshold"])
def test_parameter_count_closed_form(groups, n_filters_each, activation):
    plans = make_plans(
        IMAGE, (4, 3, 1, "same", ("max", 2), groups), (5, 2, 1, "same", ("mean", 3), groups)
    )
    network = make_network(plans, IMAGE, activation=activation)
    weights = n_filters_each[0] * 4 * (2 * 9) + n_filters_each[1] * 5 * (4 * 4)
    biases = n_filters_each[0] * 4 + n_filters_each[1] * 5 if activation == "relu" else 2
    readout = 3 * (5 * 2 * 2 + 1)  # 5 x 4 positions are left after the first layer, 2 x 2 at last
    expected = weights + biases + readout
    assert sum(parameter.numel() for parameter in network.parameters()) == expected


@pytest.mark.parametrize(("activation", "gain"), [("relu", 2.0), ("tanh", 1.0), ("gelu", 2.0)])
def test_start_closed_form_variance_of_every_layer(activation, gain):
    # 27,000 to 432,000 draws a layer: the largest standard error of a variance is 0.9 %; the
    # margin is five of them.
    plans = make_plans(IMAGE, *[(24, 3, 1, "same", (None, None), None)] * 2)
    generator = torch.Generator().manual_seed(0)
    network = DeepNetwork(
        plans, 10, IMAGE, activation=activation, generator=generator, init_scale=0.5
    )
    for layer, fan_in in zip(network.layers, (2 * 9, 24 * 9), strict=True):
        assert layer.weight.var().item() == pytest.approx(0.25 * gain / fan_in, rel=0.045)
        assert (layer.bias == 0).all()
    assert network.readout_weight.var().item() == pytest.approx(1 / (24 * 63), rel=0.06)
    assert (network.readout_bias == 0).all()


@pytest.mark.parametrize("groups", [1, None])
def test_footprint_closed_form_entries_of_a_sample(groups):
    plans = make_plans(
        IMAGE, (4, 3, 1, "same", ("max", 2), groups), (5, 2, 1, "valid", (None, None), groups)
    )
    network = make_network(plans, IMAGE)
    responses = 4 * 63 + 5 * 4 * 3  # before pooling; 5 x 4 positions reach the second layer
    cut = 126 if groups == 1 else 63 * (2 * 9 + 1) + 4 * 3 * (4 * 4 + 1)
    assert network.footprint == (cut, responses)
