"""Curvature: eigenvalues of bare functions, Hessians in closed form, and the faces on top."""

import math
import pickle

import numpy as np
import pytest
import torch
from scipy.sparse.linalg import LinearOperator, eigsh
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import Ridge

from sklcnn import (
    CNNClassifier,
    CNNRegressor,
    FCNClassifier,
    FCNRegressor,
    LCNClassifier,
    LCNRegressor,
)
from sklcnn.inspection import hessian_spectrum, hessian_trace, sharpness
from sklcnn.nn import PatchNetwork
from sklcnn.nn.curvature import GaussNewton, Hessian
from sklcnn.nn.eigenvalues import estimate_trace, lanczos
from sklcnn.nn.losses import LOSSES, MeanLoss
from sklcnn.patches import sharing_groups, sliding_windows
from sklcnn.training.curvature import SharpnessRecorder

MATRICES = (Hessian, GaussNewton)
SQUARED = MeanLoss("squared_error")


def draw(*shape, seed=0):
    """Normal numbers."""
    return np.random.default_rng(seed).normal(size=shape)


def write_out(matrix):
    """All entries of a matrix that only multiplies, (size, size)."""
    identity = torch.eye(matrix.size, dtype=matrix.dtype)
    return torch.stack([matrix(row) for row in identity]).numpy()


# --- Lanczos and the trace, on bare functions ----------------------------------------------------


def rotated(eigenvalues, seed=0):
    """A symmetric matrix with these eigenvalues."""
    turn, _ = np.linalg.qr(draw(len(eigenvalues), len(eigenvalues), seed=seed))
    return torch.from_numpy(turn @ np.diag(eigenvalues) @ turn.T)


SPECTRA = {
    "both signs": np.linspace(-30, 20, 200),
    "negative": np.linspace(-5, -1, 150),
    "few large": np.concatenate([np.zeros(300), [1, 2, 5, 40, 41]]),
    "many equal": np.concatenate([np.zeros(90), np.full(10, 3.0)]),
    "zero": np.zeros(60),
    "one": np.array([-2.0]),
    "small": np.array([-9.0, 1, 2, 3, 4]),
    "just above the small": np.linspace(-1, 1, 33),
}


@pytest.mark.parametrize("k", [1, 3, 8])
@pytest.mark.parametrize("name", SPECTRA)
def test_lanczos_closed_form_spectrum(name, k):
    expected = np.sort(SPECTRA[name])[::-1][:k]
    size, matrix = len(SPECTRA[name]), rotated(SPECTRA[name])
    k = min(k, size)
    pairs = lanczos(matrix.mv, size, k=k, tol=1e-9, max_products=5000)
    assert pairs.converged
    # A residual bounds the error of its eigenvalue; 1e-12 is rounding.
    np.testing.assert_allclose(pairs.eigenvalues, expected, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(pairs.vectors @ pairs.vectors.T, np.eye(k), atol=1e-12)


@pytest.mark.parametrize("k", [1, 4])
def test_lanczos_oracle_residuals_are_those_of_the_vectors(k):
    matrix = rotated(np.linspace(-30, 20, 400))
    pairs = lanczos(matrix.mv, 400, k=k, tol=1e-2, max_products=2000)
    rest = matrix @ pairs.vectors.T - pairs.vectors.T * torch.from_numpy(pairs.eigenvalues)
    np.testing.assert_allclose(np.linalg.norm(rest, axis=0), pairs.residuals, rtol=1e-6)
    assert 0 < pairs.residuals.max() <= 1e-2 * pairs.eigenvalues[0]


def test_lanczos_oracle_restarts_find_what_eigsh_finds():
    matrix = draw(500, 500)
    matrix = matrix + matrix.T
    pairs = lanczos(torch.from_numpy(matrix).mv, 500, k=2, tol=1e-10, max_products=5000)
    assert pairs.n_products > 64  # else nothing has been restarted
    expected = eigsh(matrix, k=2, which="LA", return_eigenvectors=False)
    np.testing.assert_allclose(np.sort(pairs.eigenvalues), expected, rtol=1e-9)


def test_lanczos_contract_says_that_it_has_not_converged():
    matrix = rotated(np.linspace(-30, 20, 200))
    pairs = lanczos(matrix.mv, 200, tol=1e-9, max_products=10)
    assert not pairs.converged
    assert pairs.n_products == 10
    assert pairs.residuals[0] > 1e-9 * 20


def test_lanczos_contract_warm_start_is_shorter():
    matrix, change = rotated(np.linspace(0, 1, 300) ** 2), rotated(np.linspace(-1, 1, 300), seed=1)
    first = lanczos(matrix.mv, 300)
    nearby = matrix + 1e-3 * change
    cold = lanczos(nearby.mv, 300)
    warm = lanczos(nearby.mv, 300, start=first.vectors)
    assert warm.n_products < 0.8 * cold.n_products
    assert warm.eigenvalues[0] == pytest.approx(cold.eigenvalues[0], rel=1e-3)


@pytest.mark.parametrize("inner", [0.5, 0.95, 0.99])
def test_lanczos_limit_warm_start_does_not_stay_at_an_inner_eigenvector(inner):
    tail = 0.05 * np.exp(-np.linspace(0, 8, 3000))
    diagonal = torch.from_numpy(np.concatenate([[1, inner], tail]))
    start = torch.zeros(1, 3002, dtype=torch.float64)
    start[0, 1] = 1
    for seed in range(5):
        generator = torch.Generator().manual_seed(seed)
        pairs = lanczos(diagonal.mul, 3002, start=start, generator=generator)
        assert pairs.eigenvalues[0] == pytest.approx(1, rel=1e-3)


def test_lanczos_contract_infinite_products_are_an_error():
    with pytest.raises(ValueError, match="not finite"):
        lanczos(lambda vector: vector * math.inf, 100)


def test_trace_closed_form_within_its_standard_error():
    matrix = rotated(np.linspace(-1, 2, 80))
    trace = estimate_trace(matrix.mv, 80, n_draws=400)
    assert abs(trace.value - 40) < 4 * trace.standard_error
    # The variance of a draw is twice the sum of the squares off the diagonal; 400 draws give the
    # standard error within 3.5 %, four times that is the margin.
    off = matrix - torch.diag(torch.diag(matrix))
    assert trace.standard_error == pytest.approx(math.sqrt(2 * off.square().sum() / 400), rel=0.14)


# --- the operators, in closed form and against the full Hessian of autograd ----------------------


def network_of(activation="relu", pooling=None, readout="linear", n_outputs=1, n_groups=1):
    patches = sliding_windows((8,), patch_size=3)
    network = PatchNetwork(
        patches,
        sharing_groups(len(patches), n_groups),
        4,
        n_outputs,
        activation=activation,
        pooling=pooling,
        readout=readout,
        generator=torch.Generator().manual_seed(3),
        dtype=torch.float64,
    )
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if "weight" not in name:
                generator = torch.Generator().manual_seed(len(name))
                parameter += 0.3 * torch.rand(
                    parameter.shape, generator=generator, dtype=torch.float64
                )
    return network


def linear_network(n_features):
    """The function <w, x> + b."""
    return PatchNetwork(
        np.arange(n_features)[None],
        [0],
        1,
        1,
        activation="identity",
        readout="sum",
        generator=torch.Generator(),
        dtype=torch.float64,
    )


WEIGHTS = [None, np.linspace(0.5, 2, 20)]


@pytest.mark.parametrize("weight", WEIGHTS, ids=["alike", "weighted"])
@pytest.mark.parametrize("kind", MATRICES)
def test_linear_regression_closed_form(kind, weight):
    X = draw(20, 5)
    design = np.hstack([X, np.ones((20, 1))])  # weight, then bias
    shares = np.full(20, 1 / 20) if weight is None else weight / weight.sum()
    matrix = kind(linear_network(5), SQUARED, X, draw(20, 1, seed=1), weight)
    expected = 2 * (design * shares[:, None]).T @ design
    np.testing.assert_allclose(write_out(matrix), expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("kind", MATRICES)
def test_logistic_regression_closed_form(kind):
    X, network = draw(20, 5), linear_network(5)
    design = np.hstack([X, np.ones((20, 1))])
    parameters = torch.cat([value.detach().flatten() for value in network.parameters()])
    p = 1 / (1 + np.exp(-design @ parameters.numpy()))
    matrix = kind(network, MeanLoss("log_loss"), X, np.sign(draw(20, 1, seed=1)))
    expected = (design * (p * (1 - p))[:, None]).T @ design / 20
    np.testing.assert_allclose(write_out(matrix), expected, rtol=1e-10, atol=1e-13)


ARCHITECTURES = [
    {"activation": activation, "pooling": pooling}
    for activation in ("relu", "soft_threshold", "identity", "tanh", "gelu")
    for pooling in (None, "mean", "sum", "max")
]
ARCHITECTURES += [
    {"readout": "sum", "pooling": "mean"},
    {"readout": "sum", "activation": "soft_threshold", "n_groups": 6},
    {"n_groups": 6, "n_outputs": 3},
    {"n_groups": 4, "activation": "tanh"},  # groups of unequal size
]


def full_hessian(network, loss, X, target):
    """By torch, of the loss as a function of one flat vector."""
    names = [name for name, _ in network.named_parameters()]
    values = [value.detach() for value in network.parameters()]

    def value_at(vector):
        parts = vector.split([value.numel() for value in values])
        named = {
            name: part.reshape(value.shape)
            for name, part, value in zip(names, parts, values, strict=True)
        }
        return loss(torch.func.functional_call(network, named, (X,)), target)

    vector = torch.cat([value.flatten() for value in values])
    return torch.autograd.functional.hessian(value_at, vector, vectorize=True).numpy()


@pytest.mark.parametrize("options", ARCHITECTURES, ids=str)
def test_hessian_oracle_full_hessian(options):
    network = network_of(**options)
    X = torch.from_numpy(draw(9, 8))
    target = torch.from_numpy(draw(9, options.get("n_outputs", 1), seed=1))
    expected = full_hessian(network, SQUARED, X, target)
    found = write_out(Hessian(network, SQUARED, X, target, chunk_size=4))
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("pooling", [None, "mean"])
def test_hessian_oracle_full_hessian_of_masked_patches(pooling):
    mask = [[0, 0, 0], [0, 0, 1], [1, 0, 0]]
    patches = np.ma.array([[0, 1, 2], [3, 4, 0], [0, 6, 7]], mask=mask)
    generator, options = torch.Generator().manual_seed(0), {"dtype": torch.float64}
    network = PatchNetwork(
        patches, [0, 0, 0], 4, 1, pooling=pooling, generator=generator, **options
    )
    with torch.no_grad():
        network.bias += 0.1
    X, target = torch.from_numpy(draw(9, 8)), torch.from_numpy(draw(9, 1, seed=1))
    found = write_out(Hessian(network, SQUARED, X, target))
    expected = full_hessian(network, SQUARED, X, target)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("loss", LOSSES)
def test_hessian_oracle_full_hessian_of_every_loss(loss):
    network, loss = network_of(n_outputs=3), MeanLoss(loss)
    X = torch.from_numpy(draw(9, 8))
    target = torch.where(torch.arange(3) == torch.arange(9)[:, None] % 3, 1.0, -1.0).double()
    found = write_out(Hessian(network, loss, X, target))
    np.testing.assert_allclose(found, full_hessian(network, loss, X, target), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kind", MATRICES)
@pytest.mark.parametrize("weight", WEIGHTS, ids=["alike", "weighted"])
def test_chunks_invariance(kind, weight):
    parts = network_of("tanh"), SQUARED, draw(20, 8), draw(20, 1, seed=1), weight
    whole, chunks = kind(*parts), kind(*parts, chunk_size=7)
    for seed in range(2):  # the second product uses what the first one kept
        vector = torch.from_numpy(draw(whole.size, seed=seed))
        torch.testing.assert_close(chunks(vector), whole(vector), rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
def test_gauss_newton_oracle_jacobian(loss):
    network, loss = network_of(n_outputs=3), MeanLoss(loss)
    X, target = torch.from_numpy(draw(9, 8)), torch.eye(3).double().repeat(3, 1) * 2 - 1
    outputs = network(X)
    rows = [
        torch.cat(
            [g.flatten() for g in torch.autograd.grad(o, network.parameters(), retain_graph=True)]
        )
        for o in outputs.flatten()
    ]
    jacobian = torch.stack(rows)  # (n_samples * n_outputs, size)
    inner = torch.autograd.functional.hessian(
        lambda o: loss(o.reshape(9, 3), target), outputs.detach().flatten()
    )
    expected = (jacobian.T @ inner @ jacobian).numpy()
    found = write_out(GaussNewton(network, loss, X, target))
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-13)


def test_hessian_closed_form_is_gauss_newton_at_an_interpolant():
    network, X = network_of(), draw(9, 8)
    target = network(torch.from_numpy(X)).detach()
    hessian, gauss_newton = (write_out(kind(network, SQUARED, X, target)) for kind in MATRICES)
    np.testing.assert_allclose(hessian, gauss_newton, rtol=1e-10, atol=1e-13)


def test_hessian_oracle_eigsh():
    X, target = draw(30, 8), draw(30, 1, seed=1)
    hessian = Hessian(network_of(), SQUARED, X, target)
    shape = (hessian.size, hessian.size)
    outer = LinearOperator(
        shape, lambda vector: hessian(torch.from_numpy(vector.ravel())).numpy(), dtype=float
    )
    expected = eigsh(outer, k=3, which="LA", return_eigenvectors=False)
    pairs = lanczos(hessian, hessian.size, k=3, tol=1e-9)
    np.testing.assert_allclose(pairs.eigenvalues[::-1], expected, rtol=1e-8)


@pytest.mark.filterwarnings("ignore")  # those of its import
@pytest.mark.parametrize("options", [{}, {"activation": "tanh", "pooling": "mean"}], ids=str)
def test_products_oracle_curvlinops(options):
    elder = pytest.importorskip("curvlinops")
    network = network_of(**options)
    X, target = torch.from_numpy(draw(20, 8)), torch.from_numpy(draw(20, 1, seed=1))
    parts = torch.nn.MSELoss(), list(network.parameters()), [(X, target)]
    for kind, other in zip(MATRICES, ("Hessian", "GGN"), strict=True):
        matrix = kind(network, SQUARED, X, target)
        vector = torch.from_numpy(draw(matrix.size))
        expected = getattr(elder, f"{other}LinearOperator")(network, *parts) @ vector
        torch.testing.assert_close(matrix(vector), expected, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("kind", MATRICES)
def test_chunks_contract_memory_is_bounded(kind, monkeypatch):
    network, seen = network_of(), []
    monkeypatch.setattr("sklcnn.nn.curvature.CHUNK_ENTRIES", 10 * sum(network.footprint) + 1)
    matrix = kind(network, SQUARED, draw(64, 8), draw(64, 1))
    cut = PatchNetwork.cut

    def watched_cut(self, X):
        seen.append(len(X))
        return cut(self, X)

    monkeypatch.setattr(PatchNetwork, "cut", watched_cut)
    matrix(torch.ones(matrix.size))
    matrix.count_kinks()
    assert seen == 2 * [10, 10, 10, 10, 10, 10, 4]


def test_hessian_contract_is_not_moved_by_later_training():
    network, X = network_of(), draw(9, 8)
    hessian = Hessian(network, SQUARED, X, draw(9, 1))
    vector = torch.from_numpy(draw(hessian.size))
    before = hessian(vector)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(3)
    torch.testing.assert_close(hessian(vector), before, rtol=0, atol=0)


def test_kinks_closed_form():
    network = network_of()  # 6 patches, 4 filters
    X = np.concatenate([draw(3, 8), np.zeros((2, 8))])
    assert Hessian(network, SQUARED, X, np.zeros((5, 1))).count_kinks() == 0
    with torch.no_grad():
        network.bias[0, :3] = 0
    assert Hessian(network, SQUARED, X, np.zeros((5, 1)), chunk_size=2).count_kinks() == 2 * 6 * 3


# --- bounds of the theory -------------------------------------------------------------------------


def curvature_bound(network, X):
    """1 + 2 sum_k |v_k| |w_k| g(w_k, b_k) over the pooled patches: a bound for half the squares.

    Proposition E.4 and its pooled version: for shared filters under average pooling.
    """
    patches = X[:, sliding_windows((8,), patch_size=3)].reshape(-1, 3)
    weight, bias = (p.detach().numpy()[0] for p in (network.weight, network.bias))
    total = 1.0
    for w, b, v in zip(weight, bias, network.readout_weight.detach().numpy()[0], strict=True):
        norm = np.linalg.norm(w)
        height = patches @ (w / norm) + b / norm
        active = height > 0
        if active.any():
            middle = np.linalg.norm(patches[active].mean(axis=0))
            share = active.mean() ** 2 * height[active].mean() * np.sqrt(1 + middle**2)
            total += 2 * abs(v) * norm * share
    return total


@pytest.mark.parametrize("seed", range(15))
def test_gauss_newton_limit_bound_by_the_weight_function(seed):
    network, X = network_of(pooling="mean"), draw(30, 8, seed=seed)
    with torch.no_grad():
        for number, parameter in enumerate(network.parameters()):
            parameter.copy_(torch.from_numpy(draw(*parameter.shape, seed=100 * seed + number)))
    matrix = GaussNewton(network, SQUARED, X, np.zeros((30, 1)))
    top = lanczos(matrix, matrix.size, tol=1e-8).eigenvalues[0]
    assert top >= 2 * curvature_bound(network, X) * (1 - 1e-7)  # twice: of the whole squares


def unshared_bound(network, X):
    """1 + sum_k [(mean_l a)^2 + (v_k / J)^2 sum_l p^2 (1 + |E[z | active]|^2)], of half squares.

    For filters of each patch and one readout weight for all patches of a filter: a is the mean
    activation, p the active share of filter k on patch l.
    """
    weight, bias = (p.detach().numpy() for p in (network.weight, network.bias))
    total = 1.0
    for k, v in enumerate(network.readout_weight.detach().numpy()[0]):
        means, curved = [], 0.0
        for patch, w, b in zip(sliding_windows((8,), patch_size=3), weight, bias, strict=True):
            height = X[:, patch] @ w[k] + b[k]
            active = height > 0
            means.append(np.maximum(height, 0).mean())
            if active.any():
                middle = X[active][:, patch].mean(axis=0)
                curved += active.mean() ** 2 * (1 + middle @ middle)
        total += np.mean(means) ** 2 + (v / len(means)) ** 2 * curved
    return total


@pytest.mark.parametrize("seed", range(10))
def test_gauss_newton_limit_bound_for_unshared_filters(seed):
    network, X = network_of(pooling="mean", n_groups=6), draw(30, 8, seed=seed)
    with torch.no_grad():
        for number, parameter in enumerate(network.parameters()):
            parameter.copy_(torch.from_numpy(draw(*parameter.shape, seed=100 * seed + number)))
    matrix = GaussNewton(network, SQUARED, X, np.zeros((30, 1)))
    top = lanczos(matrix, matrix.size, tol=1e-8).eigenvalues[0]
    assert top >= 2 * unshared_bound(network, X) * (1 - 1e-7)


# --- the faces ------------------------------------------------------------------------------------

X, Y = draw(40, 8), draw(40, seed=1)
LABELS = np.where(Y > 0, "up", "down")
BRIEF = {"max_iter": 3, "tol": None, "random_state": 0, "device": "cpu"}
LOCAL = {"patch_size": 3}
NETWORKS = [
    FCNRegressor(5, **BRIEF),
    LCNRegressor(4, **LOCAL, **BRIEF),
    CNNRegressor(4, pooling="mean", **LOCAL, **BRIEF),
    CNNRegressor((4, 5), patch_size=(3, 2), activation="tanh", **BRIEF),
    FCNClassifier((5, 4), **BRIEF),
    LCNClassifier((4, 3), patch_size=(3, 2), **BRIEF),
    CNNClassifier(4, class_weight="balanced", **LOCAL, **BRIEF),
]


def target_of(network):
    return LABELS if hasattr(network, "predict_proba") else Y


def loss_at(network, named, weight):
    """The mean loss of a fitted network as a function of its parameters, by ``forward``."""
    target = Y if target_of(network) is Y else np.where(LABELS == "up", 1.0, -1.0)
    outputs = torch.func.functional_call(network.module_.double(), named, (torch.from_numpy(X),))
    return MeanLoss(network.loss)(outputs, torch.from_numpy(target)[:, None], weight)


@pytest.mark.parametrize("network", NETWORKS, ids=str)
def test_sharpness_oracle_full_hessian(network):
    y = target_of(network)
    weight = None
    if getattr(network, "class_weight", None):
        weight = torch.from_numpy(20 / np.where(y == "up", sum(y == "up"), sum(y == "down")))
    network = clone(network).set_params(dtype="float64").fit(X, y)
    names, values = zip(*network.module_.named_parameters(), strict=True)

    def value_at(*parameters):
        return loss_at(network, dict(zip(names, parameters, strict=True)), weight)

    values = tuple(value.detach() for value in values)
    blocks = torch.autograd.functional.hessian(value_at, values)
    rows = [
        torch.cat([b.reshape(v.numel(), -1) for b in row], 1)
        for v, row in zip(values, blocks, strict=True)
    ]
    expected = np.linalg.eigvalsh(torch.cat(rows).numpy())
    found = sharpness(network, X, y, tol=1e-8)
    np.testing.assert_allclose(found, expected[-1], rtol=1e-7)
    spectrum = hessian_spectrum(network, X, y, k=3, tol=1e-8)
    np.testing.assert_allclose(spectrum.eigenvalues, expected[::-1][:3], rtol=1e-6)
    trace = hessian_trace(network, X, y, n_draws=300)
    assert abs(trace.value - expected.sum()) < 4 * trace.standard_error


def test_sharpness_closed_form_network_without_active_units():
    network = FCNRegressor(5, **BRIEF).fit(X, Y)
    with torch.no_grad():
        network.module_.bias.fill_(-1e4)
    # The loss sees the bias of the readout only: (b - y)^2 has second derivative 2.
    assert sharpness(network, X, Y) == pytest.approx(2, rel=1e-12)
    assert sharpness(network, X, Y, convention="half") == pytest.approx(1, rel=1e-12)


def test_sharpness_closed_form_of_two_outputs():
    network = FCNRegressor(5, **BRIEF).fit(X, draw(40, 2))
    with torch.no_grad():
        network.module_.bias.fill_(-1e4)
    spectrum = hessian_spectrum(network, X, draw(40, 2), k=3)
    np.testing.assert_allclose(spectrum.eigenvalues, [1, 1, 0], atol=1e-12)  # a mean over outputs


def test_spectrum_closed_form_split():
    network = CNNRegressor(6, activation="tanh", **LOCAL, **BRIEF).fit(X, Y)
    spectrum = hessian_spectrum(network, X, Y, k=2, tol=1e-9)
    assert (spectrum.gauss_newton >= 0).all()
    assert (np.abs(spectrum.eigenvalues - spectrum.gauss_newton) > 1e-3).all()
    fitted = network.predict(X)  # targets without residuals
    spectrum = hessian_spectrum(network, X, fitted, k=2, tol=1e-9)
    # Targets are rounded to float32, which leaves residuals of 1e-7.
    np.testing.assert_allclose(spectrum.eigenvalues, spectrum.gauss_newton, rtol=1e-5)
    part = sharpness(network, X, Y, matrix="gauss_newton", tol=1e-9)
    assert part == pytest.approx(spectrum.eigenvalues[0], rel=1e-5)


def test_sharpness_invariance_weights_are_repetitions():
    network = FCNRegressor(5, **BRIEF).fit(X, Y)
    counts = np.arange(40) % 3
    repeated = sharpness(network, X.repeat(counts, axis=0), Y.repeat(counts), tol=1e-8)
    assert sharpness(network, X, Y, sample_weight=counts, tol=1e-8) == pytest.approx(
        repeated, rel=1e-7
    )


def test_sharpness_invariance_single_precision():
    network = CNNRegressor(6, **LOCAL, **BRIEF).fit(X, Y)
    single = sharpness(network, X, Y, dtype="float32")
    assert single == pytest.approx(sharpness(network, X, Y), rel=1e-3)


def test_sharpness_contract_leaves_everything_as_it_is():
    network = CNNRegressor(6, **LOCAL, **BRIEF).fit(X, Y)
    before, state, seed = (
        pickle.dumps(network.module_),
        torch.get_rng_state(),
        np.random.get_state(),
    )
    assert sharpness(network, X, Y) == sharpness(network, X, Y)
    assert pickle.dumps(network.module_) == before
    assert torch.equal(torch.get_rng_state(), state)
    assert np.array_equal(np.random.get_state()[1], seed[1])


def test_sharpness_contract_unfitted():
    with pytest.raises(NotFittedError):
        sharpness(FCNRegressor(), X, Y)


def test_sharpness_contract_no_network():
    with pytest.raises(ValueError, match="no training loss"):
        sharpness(Ridge().fit(X, Y), X, Y)


BAD = [
    ({"convention": "double"}, "convention='double' must be one of"),
    ({"matrix": "fisher"}, "matrix='fisher' must be one of"),
    ({"dtype": "float16"}, "dtype='float16' must be one of"),
    ({"tol": 0}, "tol=0 must be"),
    ({"max_products": 0}, "max_products=0 must be"),
    ({"random_state": -1}, "random_state=-1 must be"),
    ({"sample_weight": np.zeros(40)}, "(?i)sample.weight"),
]


@pytest.mark.parametrize(("options", "message"), BAD, ids=lambda value: str(value)[:30])
def test_sharpness_contract_bad_arguments(options, message):
    network = FCNRegressor(5, **BRIEF).fit(X, Y)
    with pytest.raises(ValueError, match=message):
        sharpness(network, X, Y, **options)


def test_spectrum_contract_bad_sizes():
    network = FCNRegressor(5, **BRIEF).fit(X, Y)
    with pytest.raises(ValueError, match="k=52 must be an integer from 1 to 51"):
        hessian_spectrum(network, X, Y, k=52)
    with pytest.raises(ValueError, match="n_draws=0 must be"):
        hessian_trace(network, X, Y, n_draws=0)
    with pytest.raises(ValueError, match="7 features"):
        sharpness(network, X[:, :7], Y)
    with pytest.raises(ValueError, match="half"):
        sharpness(FCNClassifier(5, **BRIEF).fit(X, LABELS), X, LABELS, convention="half")


def test_sharpness_contract_parameters_that_are_not_finite():
    network = FCNRegressor(5, **BRIEF).fit(X, Y)
    with torch.no_grad():
        network.module_.bias[0, 0] = math.nan
    with pytest.raises(ValueError, match="not finite"):
        sharpness(network, X, Y)


def test_sharpness_contract_warns_when_not_converged():
    network = CNNRegressor(20, **LOCAL, **BRIEF).fit(X, Y)
    with pytest.warns(ConvergenceWarning, match="after 2 products at a residual of"):
        sharpness(network, X, Y, tol=1e-6, max_products=2)


def test_sharpness_contract_warns_of_kinks():
    network = FCNRegressor(5, **BRIEF).fit(X, Y)
    with torch.no_grad():
        network.module_.weight[0, 0] = 0
        network.module_.bias[0, 0] = 0
    with pytest.warns(UserWarning, match="40 arguments of a ReLU"):
        sharpness(network, X, Y)


# --- while training -------------------------------------------------------------------------------


def recorded(**options):
    recorder = SharpnessRecorder(**options)
    network = FCNRegressor(
        12, solver="gd", learning_rate_init=0.05, callbacks=[recorder], **(BRIEF | {"max_iter": 40})
    )
    return recorder, network.fit(X, Y)


def test_recorder_oracle_sharpness_after_training():
    recorder, network = recorded(every=10)
    assert recorder.epochs_.tolist() == [0, 10, 20, 30, 40]
    assert recorder.sharpness_[-1] == pytest.approx(sharpness(network, X, Y), rel=2e-3)
    shorter = clone(network).set_params(max_iter=20).fit(X, Y)
    assert recorder.sharpness_[2] == pytest.approx(sharpness(shorter, X, Y), rel=2e-3)
    assert (recorder.residuals_ <= 1e-3 * recorder.sharpness_).all()


def test_recorder_oracle_weighted_classes_in_batches():
    recorder = SharpnessRecorder(every=2)
    network = CNNClassifier(4, class_weight="balanced", callbacks=[recorder], **LOCAL, **BRIEF)
    network.set_params(batch_size=7, max_iter=4).fit(X, LABELS)
    expected = sharpness(network, X, LABELS)
    assert recorder.sharpness_[-1] == pytest.approx(expected, rel=2e-3)
    assert abs(expected / sharpness(network.set_params(class_weight=None), X, LABELS) - 1) > 1e-2


def test_recorder_contract_watching_changes_nothing():
    _, network = recorded()
    alone = clone(network).set_params(callbacks=None).fit(X, Y)
    assert alone.loss_curve_ == network.loss_curve_


def test_recorder_contract_epochs_are_spaced_by_their_logarithm():
    recorder, _ = recorded(per_decade=4)
    assert recorder.epochs_.tolist() == [0, 1, 2, 4, 7, 12, 21, 37]


def test_recorder_contract_bounded_cost():
    recorder, _ = recorded(every=10, max_products=9, tol=1e-12)
    assert (recorder.n_products_ == 9).all()
    assert (recorder.residuals_ > 0).all()


def test_recorder_contract_is_an_estimator():
    recorder, network = recorded(every=3, tol=1e-2)
    assert pickle.loads(pickle.dumps(network)).callbacks[0].epochs_[1] == 3
    recorder.set_params(tol=1e-1)
    recorder = clone(recorder)
    assert not hasattr(recorder, "epochs_")
    assert recorder.get_params()["every"] == 3
    assert recorder.tol == 1e-1


@pytest.mark.parametrize(
    "options",
    [{"every": 0}, {"per_decade": 0}, {"max_products": 0}, {"tol": 2}, {"dtype": "float16"}],
)
def test_recorder_contract_bad_arguments(options):
    (name,) = options
    with pytest.raises(ValueError, match=f"{name}="):
        recorded(**options)
