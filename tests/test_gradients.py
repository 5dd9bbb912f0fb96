"""The gradient written by hand equals that of autograd."""

import pytest
import torch

from sklcnn.nn import LOSSES, PatchNetwork
from sklcnn.nn import gradients as gradients_file
from sklcnn.nn.gradients import loss_and_gradients, takes_siblings
from sklcnn.nn.losses import MeanLoss
from sklcnn.patches import all_features, sharing_groups, sliding_windows

WINDOWS = sliding_windows((24,), patch_size=6, stride=3)  # 7 patches that overlap
LAYOUTS = {
    "FCN": (all_features(24), [0]),
    "LCN": (WINDOWS, sharing_groups(7)),
    "CNN": (WINDOWS, sharing_groups(7, 1)),
    "equal groups": (WINDOWS[:6], sharing_groups(6, 2)),
    "unequal groups": (WINDOWS, [0, 0, 0, 1, 1, 2, 2]),
}


def draw(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def make_network(layout, members, n_outputs=1, n_filters=3, **options):
    network = PatchNetwork(*LAYOUTS[layout], n_filters, n_outputs, dtype=torch.float64, **options)
    for seed, parameter in enumerate(network.parameters()):
        parameter.data = draw(*members, *parameter.shape, seed=seed) / 2
    return network


def assert_equals_autograd(network, members, loss="log_loss", weight=None, siblings=1):
    n_outputs = getattr(network, "readout_weight", torch.empty(1, 1)).shape[-2]
    inputs = [number // siblings for number in members]
    X, target = draw(*inputs, 9, 24, seed=10), draw(*members, 9, n_outputs, seed=11).sign()
    patches, mean_loss = network.cut(network.extend(X)), MeanLoss(loss)
    X = X.repeat_interleave(siblings, dim=0) if siblings > 1 else X
    value, outputs, gradients = loss_and_gradients(network, mean_loss, patches, target, weight)
    expected = mean_loss(network(X), target, weight)
    torch.testing.assert_close(outputs, network(X).detach(), rtol=0, atol=1e-13)
    torch.testing.assert_close(value, expected.detach(), rtol=0, atol=1e-13)
    truths = torch.autograd.grad(expected.sum(), list(network.parameters()))
    for gradient, truth in zip(gradients, truths, strict=True):
        torch.testing.assert_close(gradient, truth, rtol=0, atol=1e-13)


@pytest.mark.parametrize("members", [(), (4,)], ids=["one", "stack"])
@pytest.mark.parametrize("pooling", [None, "mean", "sum", "max"])
@pytest.mark.parametrize("activation", ["relu", "tanh", "identity", "soft_threshold", "gelu"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_gradient_oracle_autograd(layout, activation, pooling, members):
    for readout, n_outputs in (("linear", 1), ("linear", 3), ("sum", 1)):
        options = {"activation": activation, "pooling": pooling, "readout": readout}
        assert_equals_autograd(make_network(layout, members, n_outputs, **options), members)


@pytest.mark.parametrize("pooling", [None, "mean", "sum"])
@pytest.mark.parametrize("activation", ["relu", "tanh", "identity", "soft_threshold"])
@pytest.mark.parametrize("layout", ["FCN", "LCN", "CNN", "equal groups"])
def test_siblings_oracle_autograd(layout, activation, pooling):
    for readout, n_outputs in (("linear", 1), ("linear", 3), ("sum", 1)):
        options = {"activation": activation, "pooling": pooling, "readout": readout}
        network = make_network(layout, (6,), n_outputs, **options)
        assert takes_siblings(network)
        assert_equals_autograd(network, (6,), siblings=3)


@pytest.mark.parametrize("threshold", [[0.3, -0.3, 0.0], [-1.0, -0.2, -5.0]])
def test_gradient_oracle_autograd_below_a_negative_threshold(threshold):
    network = make_network("CNN", (3,), activation="soft_threshold", pooling="sum")
    network.threshold.data = torch.tensor(threshold, dtype=torch.float64)
    assert_equals_autograd(network, (3,))


@pytest.mark.parametrize("members", [(), (4,)], ids=["one", "stack"])
@pytest.mark.parametrize("n_outputs", [1, 3])
@pytest.mark.parametrize("loss", LOSSES)
def test_losses_oracle_autograd(loss, n_outputs, members):
    network = make_network("LCN", members, n_outputs)
    assert_equals_autograd(network, members, loss)
    assert_equals_autograd(network, members, loss, weight=draw(*members, 9, seed=12).exp())


@pytest.mark.parametrize("n_filters", [1, 16, 32])
def test_order_of_factors_invariance(n_filters):
    # Sixteen filters and multiples of them take the product from the other side.
    assert_equals_autograd(make_network("CNN", (4,), n_filters=n_filters), (4,))


@pytest.mark.parametrize(
    ("layout", "options", "by_hand"),
    [
        ("LCN", {}, True),
        ("CNN", {"activation": "soft_threshold", "pooling": "sum", "readout": "sum"}, True),
        ("CNN", {"activation": "gelu"}, False),
        ("CNN", {"pooling": "max"}, False),
        ("unequal groups", {}, False),
    ],
)
def test_path_contract_autograd_takes_what_is_not_written(monkeypatch, layout, options, by_hand):
    calls = []
    written = gradients_file._by_hand
    monkeypatch.setattr(
        gradients_file, "_by_hand", lambda *args: calls.append(args) or written(*args)
    )
    assert_equals_autograd(make_network(layout, (), **options), ())
    assert bool(calls) == by_hand


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("members", [(), (4,)], ids=["one", "stack"])
@pytest.mark.parametrize("layout", ["FCN", "LCN", "CNN", "equal groups"])
def test_parts_oracle_autograd(layout, members, weighted, monkeypatch):
    calls = []
    whole = gradients_file._by_hand
    monkeypatch.setattr(gradients_file, "REGISTER", 2)
    monkeypatch.setitem(gradients_file.PART_ENTRIES, "cpu", 1)
    monkeypatch.setattr(gradients_file, "_by_hand", lambda *a: calls.append(a) or whole(*a))
    weight = draw(*members, 9, seed=3).abs() if weighted else None
    if weighted:
        weight.view(-1, 9)[0, 4:] = 0  # as where a stack pads: some parts weigh nothing
    network = make_network(layout, members, 2, pooling="mean")
    assert_equals_autograd(network, members, weight=weight)
    assert len(calls) == 5  # of two samples, the last one of one
