"""Locally connected layers against torch's convolutions, plain loops and each other."""

import copy
import io
import itertools

import numpy as np
import pytest
import torch
from torch import nn

import sklcnn.nn.locally_connected as lc
from sklcnn.nn.locally_connected import arithmetic, product

LAYERS = {1: lc.LocallyConnected1d, 2: lc.LocallyConnected2d, 3: lc.LocallyConnected3d}
LAZY = {1: lc.LazyLocallyConnected1d, 2: lc.LazyLocallyConnected2d, 3: lc.LazyLocallyConnected3d}
CONVOLUTIONS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
SIZE = (7, 6, 5)
IN_CHANNELS, OUT_CHANNELS = 4, 6

OPTIONS = {
    "plain": {"kernel_size": 3},
    "stride": {"kernel_size": 3, "stride": 2},
    "tiles": {"kernel_size": 2, "stride": 2},
    "padded tiles": {"kernel_size": 2, "stride": 2, "padding": 1},
    "gaps": {"kernel_size": 2, "stride": 3},
    "one entry": {"kernel_size": 1},
    "padding": {"kernel_size": 3, "padding": 2, "stride": 2},
    "valid": {"kernel_size": 2, "padding": "valid"},
    "same": {"kernel_size": 3, "padding": "same"},
    "same, even": {"kernel_size": 2, "padding": "same", "dilation": 3},
    "dilation": {"kernel_size": 2, "dilation": 3, "padding": 1, "stride": 2},
    "groups": {"kernel_size": 2, "groups": 2, "padding": 1},
    "grouped tiles": {"kernel_size": 2, "stride": 2, "groups": 2},
    "no bias": {"kernel_size": 3, "bias": False},
    "reflect": {"kernel_size": 3, "padding": 2, "padding_mode": "reflect"},
    "replicate": {"kernel_size": 2, "padding": "same", "padding_mode": "replicate"},
    "circular": {"kernel_size": 3, "padding": 1, "padding_mode": "circular", "stride": 2},
}
all_options = pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
all_axes = pytest.mark.parametrize("n_axes", [1, 2, 3])


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.fixture(params=["default", "blocks"])
def route(request, monkeypatch):
    """As it comes, one block or tiles, and in many blocks of a row of positions or two."""
    if request.param == "blocks":
        monkeypatch.setattr(product, "TILED", -1)
        monkeypatch.setattr(arithmetic, "CPU_BLOCK", 1500)


def make_layer(n_axes, **options):
    return LAYERS[n_axes](IN_CHANNELS, OUT_CHANNELS, SIZE[:n_axes], **options).double()


def draw(n_axes, *leading):
    return torch.randn(*leading, IN_CHANNELS, *SIZE[:n_axes], dtype=torch.float64)


def assert_near(found, expected, atol=1e-12):
    torch.testing.assert_close(found, expected, rtol=0, atol=atol)


# what it computes


@pytest.mark.filterwarnings("ignore:Using padding='same'")
@all_options
@all_axes
def test_tied_filters_oracle_convolution(route, n_axes, options):
    conv = CONVOLUTIONS[n_axes](IN_CHANNELS, OUT_CHANNELS, **options).double()
    layer = LAYERS[n_axes].from_conv(conv, SIZE[:n_axes])
    x = draw(n_axes, 3)
    out = layer(x)
    assert out.is_contiguous()
    assert out.shape[2:] == layer.output_size
    assert_near(out, conv(x))
    assert_near(layer(x[0]), conv(x[0]))  # without a batch


def dense_matrix(layer, size):
    """Weights of the layer as a matrix of all outputs by all inputs, entry by entry."""
    weight, n_axes = layer.weight.detach().numpy(), len(size)
    matrix = np.zeros((layer.out_channels, *layer.output_size, layer.in_channels, *size))
    per_group = layer.in_channels // layer.groups
    for place in np.ndindex(*layer.output_size):
        for out, tap in itertools.product(
            range(layer.out_channels), np.ndindex(*layer.kernel_size)
        ):
            entry = tuple(
                place[i] * layer.stride[i] + tap[i] * layer.dilation[i] - layer.padding[i]
                for i in range(n_axes)
            )
            if any(not 0 <= entry[i] < size[i] for i in range(n_axes)):
                continue
            group = out // (layer.out_channels // layer.groups)
            for channel in range(per_group):
                value = weight[(*place, out, channel, *tap)]
                matrix[(out, *place, group * per_group + channel, *entry)] = value
    n_inputs = layer.in_channels * int(np.prod(size))
    return torch.from_numpy(matrix.reshape(-1, n_inputs))


@pytest.mark.parametrize("name", ["plain", "tiles", "gaps", "padding", "dilation", "groups"])
@all_axes
def test_free_filters_oracle_masked_linear_layer(route, n_axes, name):
    layer, x = make_layer(n_axes, **OPTIONS[name]), draw(n_axes, 3)
    linear = x.flatten(1) @ dense_matrix(layer, SIZE[:n_axes]).T + layer.bias.flatten()
    assert_near(layer(x).flatten(1), linear)


@pytest.mark.parametrize("bias", [True, "channel", False])
def test_bias_closed_form_is_what_zeros_give(route, bias):
    layer = make_layer(2, kernel_size=3, bias=bias)
    out = layer(torch.zeros_like(draw(2, 1)))[0]
    if bias is False:
        assert layer.bias is None
        assert not out.any()
    elif bias == "channel":
        assert layer.bias.shape == (OUT_CHANNELS,)
        assert_near(out, layer.bias[:, None, None].expand_as(out))
    else:
        assert layer.bias.shape == out.shape
        assert_near(out, layer.bias.detach().clone())


def test_one_position_limit_linear_layer(route):
    layer = LAYERS[2](2, 3, (4, 5), (4, 5)).double()
    x = torch.randn(6, 2, 4, 5, dtype=torch.float64)
    linear = nn.functional.linear(x.flatten(1), layer.weight.view(3, -1), layer.bias.flatten())
    assert_near(layer(x).flatten(1), linear)


@all_options
def test_function_oracle_layer(options):
    layer, x = make_layer(2, **options), draw(2, 2)
    if layer.padding_mode != "zeros":
        pytest.skip("the function pads with zeros, as torch's")
    places = (layer.stride, layer.padding, layer.dilation, layer.groups)
    assert_near(lc.connect_locally(x, layer.weight, layer.bias, *places), layer(x))


def test_strided_input_and_slope_invariance(route):
    layer, x = make_layer(2, kernel_size=3, stride=2), draw(2, 3)
    last = x.permute(2, 3, 0, 1).contiguous().permute(2, 3, 0, 1)
    assert not last.is_contiguous()
    assert_near(layer(last), layer(x))
    ones = torch.ones_like(layer(x))
    whole = torch.autograd.grad(layer(x), layer.weight, ones)[0]
    assert_near(torch.autograd.grad(layer(x).sum(), layer.weight)[0], whole)  # an expanded slope


@pytest.mark.parametrize("name", ["plain", "tiles", "groups"])
def test_empty_batch_contract(route, name):
    layer, x = make_layer(2, **OPTIONS[name]), draw(2, 0)
    out = layer(x.requires_grad_())
    assert out.shape == (0, OUT_CHANNELS, *layer.output_size)
    out.sum().backward()
    assert not layer.weight.grad.any()
    assert x.grad.shape == x.shape


# derivatives


@pytest.mark.parametrize(
    "name", ["stride", "padded tiles", "gaps", "same, even", "dilation", "groups", "reflect"]
)
@all_axes
def test_gradients_oracle_finite_differences(route, n_axes, name):
    size = (5, 4, 3)[:n_axes]
    layer = LAYERS[n_axes](2, 2, size, **OPTIONS[name], dtype=torch.float64)
    x = torch.randn(2, 2, *size, dtype=torch.float64, requires_grad=True)

    def respond(x, weight, bias):
        state = {"weight": weight, "bias": bias}
        return torch.func.functional_call(layer, state, (x,))

    inputs = (x, layer.weight, layer.bias)
    assert torch.autograd.gradcheck(respond, inputs, fast_mode=True)
    assert torch.autograd.gradgradcheck(respond, inputs, fast_mode=True)


@pytest.mark.parametrize("kind", ["x", "weight"])
def test_one_gradient_invariance_to_the_other(route, kind):
    layer, x = make_layer(2, kernel_size=3), draw(2, 3).requires_grad_()
    both = torch.autograd.grad(layer(x).square().sum(), (x, layer.weight))
    if kind == "x":
        layer.weight.requires_grad_(False)
        assert_near(torch.autograd.grad(layer(x).square().sum(), x)[0], both[0])
    else:
        assert_near(torch.autograd.grad(layer(x.detach()).square().sum(), layer.weight)[0], both[1])


def test_third_derivative_closed_form(route):
    layer, x = make_layer(1, kernel_size=3), draw(1, 2).requires_grad_()
    slope = x
    value = layer(x).pow(3).sum() - layer(torch.zeros_like(x)).sum()
    for _ in range(3):  # of a cube of a linear map, along a fixed direction
        grad = torch.autograd.grad(value, x, create_graph=True)[0]
        value = (grad * slope.detach()).sum()
    straight = layer(x) - layer(torch.zeros_like(x))
    assert_near(value, 6 * straight.pow(3).sum(), atol=1e-9)


# transforms


@all_axes
def test_vmap_over_inputs_oracle_loop(route, n_axes):
    layer, x = make_layer(n_axes, kernel_size=2, padding=1, groups=2), draw(n_axes, 3, 2)
    assert_near(torch.func.vmap(layer)(x), torch.stack([layer(batch) for batch in x]))


@pytest.mark.parametrize("name", ["plain", "tiles", "groups"])
@pytest.mark.parametrize("shared", [True, False])
def test_vmap_over_stacked_parameters_oracle_loop(route, name, shared):
    layers = [make_layer(2, **OPTIONS[name]) for _ in range(3)]
    state, _ = torch.func.stack_module_state(layers)
    x = draw(2, 2) if shared else draw(2, 3, 2)

    def loss(state, x):
        return torch.func.functional_call(layers[0], state, (x,)).square().sum()

    in_dims = (0, None if shared else 0)
    found = torch.func.vmap(torch.func.grad(loss, (0, 1)), in_dims=in_dims)(state, x)
    for i, layer in enumerate(layers):
        batch = (x if shared else x[i]).clone().requires_grad_()
        named = dict(layer.named_parameters())
        *slopes, of_x = torch.autograd.grad(layer(batch).square().sum(), [*named.values(), batch])
        for key, slope in zip(named, slopes, strict=True):
            assert_near(found[0][key][i], slope)
        assert_near(found[1][i], of_x)


def test_vmap_over_samples_oracle_single_gradients(route):
    layer, x = make_layer(1, kernel_size=3, bias="channel"), draw(1, 4)

    def loss(state, sample):
        return torch.func.functional_call(layer, state, (sample,)).square().sum()

    state = {name: value.detach() for name, value in layer.named_parameters()}
    found = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0))(state, x)
    for i, sample in enumerate(x):
        alone = torch.autograd.grad(layer(sample).square().sum(), layer.weight)[0]
        assert_near(found["weight"][i], alone)


def test_hessian_oracle_closed_form(route):
    """The loss is half a square: the Hessian to the input is that of a Gauss-Newton matrix."""
    layer = make_layer(1, kernel_size=3)
    matrix = dense_matrix(layer, SIZE[:1])
    hessian = torch.func.jacrev(torch.func.jacrev(lambda x: layer(x).square().sum() / 2))
    found = hessian(draw(1)).reshape(matrix.shape[1], -1)
    assert_near(found, matrix.T @ matrix)


@pytest.mark.filterwarnings("ignore")  # torch's own, while it compiles
@pytest.mark.parametrize("name", ["plain", "tiles", "reflect"])
def test_compile_oracle_eager(route, name):
    torch.compiler.reset()
    layer, x = make_layer(2, **OPTIONS[name]), draw(2, 3).requires_grad_()
    compiled = torch.compile(layer, backend="aot_eager", fullgraph=True)
    inputs = (x, layer.weight, layer.bias)
    expected = layer(x)
    assert_near(compiled(x), expected)
    slopes = torch.autograd.grad(compiled(x).square().sum(), inputs)
    for found, slope in zip(
        slopes, torch.autograd.grad(expected.square().sum(), inputs), strict=True
    ):
        assert_near(found, slope)


def test_autocast_oracle_casting_by_hand(route):
    layer, x = make_layer(2, kernel_size=3).float(), draw(2, 3).float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = layer(x)
    assert out.dtype == torch.bfloat16
    by_hand = copy.deepcopy(layer).bfloat16()(x.bfloat16())
    assert_near(out, by_hand, atol=0)
    out.float().sum().backward()
    assert layer.weight.grad.dtype == torch.float32
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert layer.double()(x.double()).dtype == torch.float64  # as torch's convolutions


# start


@all_axes
def test_reset_oracle_every_position_is_drawn_as_a_convolution(n_axes):
    size, kernel, channels = (4, 4, 3)[:n_axes], 2, 8
    layer = LAYERS[n_axes](channels, 500, size, kernel, groups=2)
    conv = CONVOLUTIONS[n_axes](channels, 500, kernel, groups=2)
    bound = conv.weight.abs().max().item()
    for name, reference in (("weight", conv.weight), ("bias", conv.bias)):
        values = getattr(layer, name)
        values = values if name == "weight" else values.movedim(0, -1)
        values = values.flatten(0, n_axes - 1).flatten(1)  # (positions, draws)
        # The variance of a uniform law of n draws has a relative standard error of sqrt(0.8 / n).
        variances = values.var(dim=1) / (bound**2 / 3)
        error = (0.8 / values.shape[1]) ** 0.5
        assert (variances - 1).abs().max() < 5 * error
        assert values.abs().max() <= bound * 1.01
        assert abs(reference.var() / (bound**2 / 3) - 1) < 5 * error  # and so is the convolution
        assert values.abs().amax(dim=1).min() > 0.97 * bound  # in 500 draws, but for one in 10^6


# embedding and averaging


@all_options
@all_axes
def test_round_trip_contract_of_a_convolution(n_axes, options):
    conv = CONVOLUTIONS[n_axes](IN_CHANNELS, OUT_CHANNELS, **options).double().eval()
    layer = LAYERS[n_axes].from_conv(conv, SIZE[:n_axes])
    assert layer.weight_sharing_gap() < 1e-14
    back = layer.to_conv()
    assert repr(back) == repr(conv)
    assert not back.training
    for name, value in conv.state_dict().items():
        assert_near(back.state_dict()[name], value, atol=1e-14)
    back.weight.data.zero_()
    assert layer.weight.any()  # nothing is shared


def test_embedding_contract(monkeypatch):
    conv = nn.Conv2d(2, 3, 3, dtype=torch.bfloat16)
    state = torch.random.get_rng_state()
    layer = lc.LazyLocallyConnected2d.from_conv(conv, 8, bias="channel")
    assert torch.equal(torch.random.get_rng_state(), state)
    assert type(layer) is lc.LocallyConnected2d
    assert layer.bias.shape == (3,)
    assert layer.weight.dtype == torch.bfloat16
    with pytest.raises(ValueError, match=r"must be a torch.nn.Conv1d"):
        lc.LocallyConnected1d.from_conv(conv, 8)


def test_gap_closed_form():
    layer = LAYERS[1](1, 1, 2, 1, bias=False)
    for values, gap in (((3, 3), 0.0), ((1, -1), 1.0), ((1, 3), 0.2**0.5), ((0, 0), 0.0)):
        layer.weight.data = torch.tensor(values, dtype=torch.float32).view(2, 1, 1, 1)
        assert layer.weight_sharing_gap() == pytest.approx(gap, abs=1e-12)


def test_gap_limit_of_independent_filters():
    layer = LAYERS[2](3, 50, 9, 3)  # 49 positions, 27 * 50 weights each
    assert layer.weight_sharing_gap() == pytest.approx((1 - 1 / 49) ** 0.5, abs=1e-3)


def test_average_oracle_least_squares():
    layer = make_layer(1, kernel_size=3)
    conv = layer.to_conv()
    distance = (layer.weight - conv.weight).square().sum()
    slope = torch.autograd.grad(distance, conv.weight)[0]
    assert_near(slope, torch.zeros_like(slope))
    assert_near(conv.bias.detach(), layer.bias.detach().mean(dim=1))


# states


@all_axes
def test_state_contract(n_axes):
    layer, other = make_layer(n_axes, kernel_size=2), make_layer(n_axes, kernel_size=2)
    x = draw(n_axes, 2)
    buffer = io.BytesIO()
    torch.save(layer.state_dict(), buffer)
    buffer.seek(0)
    other.load_state_dict(torch.load(buffer))
    assert_near(other(x), layer(x), atol=0)
    assert_near(copy.deepcopy(layer)(x), layer(x), atol=0)


@pytest.mark.parametrize("bias", [True, "channel", False])
@all_axes
def test_lazy_contract_learns_the_input(n_axes, bias):
    options = {"stride": 2, "padding": 1, "groups": 2, "bias": bias}
    lazy = LAZY[n_axes](OUT_CHANNELS, 2, **options, dtype=torch.float64)
    x = draw(n_axes, 2)
    assert lazy.has_uninitialized_params()
    out = lazy(x)
    assert type(lazy) is LAYERS[n_axes]
    full = make_layer(n_axes, kernel_size=2, **options)
    assert repr(lazy) == repr(full)
    full.load_state_dict(lazy.state_dict())
    assert_near(full(x), out, atol=0)
    bound = 1 / (IN_CHANNELS // 2 * 2**n_axes) ** 0.5
    assert 0.9 * bound < lazy.weight.abs().max() <= bound
    with pytest.raises(ValueError, match="the input has shape"):
        lazy(x[..., 1:])


def test_lazy_contract_state_round_trip():
    full, x = make_layer(2, kernel_size=3), draw(2, 2)
    lazy = lc.LazyLocallyConnected2d(OUT_CHANNELS, 3, dtype=torch.float64)
    again = lc.LazyLocallyConnected2d(OUT_CHANNELS, 3, dtype=torch.float64)
    again.load_state_dict(lazy.state_dict())  # nothing is known yet
    assert again.has_uninitialized_params()
    lazy.load_state_dict(full.state_dict())
    assert_near(lazy(x[0]), full(x[0]), atol=0)
    again.load_state_dict(full.state_dict())
    with pytest.raises(ValueError, match="the state that was loaded has"):
        again(x[..., 1:])
    assert_near(again(x), full(x), atol=0)


def test_repr_contract():
    layer = LAYERS[2](4, 6, (7, 6), 3, padding="same", groups=2, bias="channel")
    assert repr(layer) == (
        "LocallyConnected2d(4, 6, input_size=(7, 6), kernel_size=(3, 3), stride=(1, 1),"
        " padding=same, groups=2, bias=channel)"
    )
    lazy = repr(lc.LazyLocallyConnected1d(6, 3, bias=False))
    assert lazy == (
        "LazyLocallyConnected1d(None, 6, input_size=None, kernel_size=(3,), stride=(1,),"
        " bias=False)"
    )


# mistakes

MISTAKES = [
    ({"kernel_size": 9}, "spans (9, 9), more than the input of size (7, 6), (7, 6) with its"),
    ({"kernel_size": 4, "dilation": 3}, "spans (10, 10)"),
    ({"kernel_size": 0}, "kernel_size=0"),
    ({"kernel_size": -3}, "kernel_size=-3"),
    ({"kernel_size": 2.5}, "kernel_size=2.5"),
    ({"kernel_size": "3"}, "kernel_size='3'"),
    ({"kernel_size": (3, 3, 3)}, "has 3 entries, not 2"),
    ({"kernel_size": ()}, "has 0 entries, not 2"),
    ({"stride": 0}, "stride=0"),
    ({"stride": (1,)}, "stride=(1,) has 1 entries, not 2"),
    ({"dilation": -1}, "dilation=-1"),
    ({"padding": -1}, "padding=-1"),
    ({"padding": "full"}, "padding='full' must be"),
    ({"padding": "same", "stride": 2}, "needs a stride of 1, not stride=(2, 2)"),
    ({"padding_mode": "mirror"}, "padding_mode='mirror' must be one of"),
    ({"padding_mode": "reflect", "padding": 6}, "too wide for padding_mode='reflect'"),
    ({"padding_mode": "circular", "padding": 7}, "too wide for padding_mode='circular'"),
    ({"groups": 3}, "groups=3 must divide in_channels=4"),
    ({"groups": 4}, "groups=4 must divide out_channels=6"),
    ({"groups": 0}, "groups=0"),
    ({"bias": "position"}, "bias='position' must be True, False or 'channel'"),
    ({"in_channels": 0}, "in_channels=0"),
    ({"out_channels": -2}, "out_channels=-2"),
    ({"input_size": (7, 6, 5)}, "input_size=(7, 6, 5) has 3 entries, not 2"),
    ({"input_size": 0}, "input_size=0"),
]


@pytest.mark.parametrize(("wrong", "message"), MISTAKES, ids=str)
def test_mistake_contract_is_named(wrong, message):
    right = {"in_channels": 4, "out_channels": 6, "input_size": (7, 6), "kernel_size": 3}
    with pytest.raises(ValueError, match=r"^LocallyConnected2d: ") as found:
        lc.LocallyConnected2d(**(right | wrong))
    assert message in str(found.value)


@pytest.mark.parametrize("shape", [(3, 4, 7, 5), (3, 5, 7, 6), (7, 6), (1, 3, 4, 7, 6)])
def test_input_contract_of_another_size_is_named(shape):
    layer = make_layer(2, kernel_size=3).float()
    with pytest.raises(ValueError, match=r"LocallyConnected2d: the input has shape") as found:
        layer(torch.zeros(shape))
    assert str(shape) in str(found.value)
    assert "(4, 7, 6)" in str(found.value)


def test_lazy_mistake_contract_is_named():
    for wrong, message in (({"groups": 4}, "groups=4"), ({"stride": -1}, "stride=-1")):
        with pytest.raises(ValueError, match="LazyLocallyConnected2d: ") as found:
            lc.LazyLocallyConnected2d(**({"out_channels": 6, "kernel_size": 3} | wrong))
        assert message in str(found.value)
    with pytest.raises(ValueError, match="LazyLocallyConnected2d: the input has shape"):
        lc.LazyLocallyConnected2d(6, 3)(torch.zeros(4, 4))
    with pytest.raises(ValueError, match="groups=2 must divide in_channels=3"):
        lc.LazyLocallyConnected2d(6, 3, groups=2)(torch.zeros(3, 8, 8))
    with pytest.raises(ValueError, match="more than the input of size"):
        lc.LazyLocallyConnected2d(6, 3)(torch.zeros(3, 2, 8))


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (((2, 3, 8), (5, 4, 3, 3), None), "must begin with the positions (6,)"),
        (((2, 2, 8), (6, 4, 3, 3), None), "does not fit the 2 channels"),
        (((2, 3, 8), (6, 4, 3, 3), (6, 4)), "bias of shape (6, 4) must be (4,) or (4, 6)"),
        (((2, 3, 8), (6, 4, 3), None), "weight has 3 axes, not 4, 6 or 8"),
        (((2, 2, 3, 8), (6, 4, 3, 3), None), "does not fit a weight of 1 axes"),
    ],
)
def test_function_mistake_contract_is_named(shapes, message):
    tensors = [None if shape is None else torch.zeros(shape) for shape in shapes]
    with pytest.raises(ValueError, match=r"^connect_locally: ") as found:
        lc.connect_locally(*tensors)
    assert message in str(found.value)


def test_type_contract_is_named():
    layer = make_layer(1, kernel_size=3)
    with pytest.raises(ValueError, match="float32"):
        layer(draw(1, 2).float())
    with pytest.raises(ValueError, match="complex"):
        lc.connect_locally(draw(1, 2) + 0j, layer.weight + 0j)
