"""Linear networks: their map, their losses, their steps, and where training takes them."""

import copy
import re
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.optimize import nnls
from scipy.special import logsumexp
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from sklcnn import FCNClassifier, fit_many
from sklcnn.estimators import LinearNetworkClassifier
from sklcnn.estimators.linear import STEPS
from sklcnn.nn import (
    ConvolutionalLinearNetwork,
    DiagonalLinearNetwork,
    FullLinearNetwork,
)
from sklcnn.nn.gradients import loss_and_gradients
from sklcnn.nn.losses import FAR, MeanLoss
from sklcnn.theory import end_to_end_coef
from sklcnn.training import train
from sklcnn.training.stacks import group_jobs

# Many fits here are a few steps long.
pytestmark = pytest.mark.filterwarnings(
    "ignore:The smallest margin:sklearn.exceptions.ConvergenceWarning"
)

ARCHITECTURES = ["full", "diagonal", "convolutional"]
KERNELS = [  # input_shape, kernel_size, n_channels
    ((7,), (7,), 1),
    ((8,), (8,), 1),
    ((8,), (3,), 2),
    ((3, 4), (3, 4), 1),
    ((4, 5), (2, 3), 2),
]
NETWORKS = {
    "full": lambda depth, **options: FullLinearNetwork((6,), depth, **options),
    "diagonal": lambda depth, **options: DiagonalLinearNetwork((6,), depth, **options),
    "odd": lambda depth, **options: ConvolutionalLinearNetwork((7,), depth, **options),
    "even": lambda depth, **options: ConvolutionalLinearNetwork((6,), depth, **options),
    "narrow": lambda depth, **options: ConvolutionalLinearNetwork((7,), depth, (3,), **options),
    "channels": lambda depth, **options: ConvolutionalLinearNetwork(
        (6,), depth, None, 3, **options
    ),
    "image": lambda depth, **options: ConvolutionalLinearNetwork(
        (3, 4), depth, (2, 3), 2, **options
    ),
}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def make(name, depth, seed=0):
    return NETWORKS[name](depth, generator=seeded(seed))


def make_data(n_samples=4, n_features=24, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n_samples, n_features)), np.resize([-1, 1], n_samples)


def fitted(architecture="full", depth=2, data=None, **options):
    X, y = make_data() if data is None else data
    options = {"random_state": 0, "device": "cpu", **options}
    return LinearNetworkClassifier(architecture, depth, **options).fit(X, y)


def svm(signed):
    """Hard-margin solution by the least-distance programming of Lawson and Hanson."""
    n_samples, n_features = signed.shape
    rows = np.vstack([signed.T, np.ones(n_samples)])
    weights, _ = nnls(rows, np.r_[np.zeros(n_features), 1.0])
    residual = rows @ weights - np.r_[np.zeros(n_features), 1.0]
    return -residual[:-1] / residual[-1]


def unit(vector):
    return vector / np.linalg.norm(vector)


# --- the map from layers to the predictor --------------------------------------------------------


def convolve(kernels, maps):
    """A layer by its definition: sums over channels, positions and taps."""
    shape = maps.shape[1:]
    found = np.zeros((len(kernels), *shape))
    for place in product(*map(range, shape)):
        for tap in product(*map(range, kernels.shape[2:])):
            seen = maps[(slice(None), *np.add(place, tap) % shape)]  # (channels below,)
            found[(slice(None), *place)] += kernels[(..., *tap)] @ seen
    return found / np.sqrt(np.prod(shape))


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
@pytest.mark.parametrize(("shape", "kernel_size", "n_channels"), KERNELS)
def test_convolution_oracle_sums(shape, kernel_size, n_channels, depth):
    network = ConvolutionalLinearNetwork(
        shape, depth, kernel_size, n_channels, generator=seeded(depth)
    )
    X = torch.randn(3, int(np.prod(shape)), generator=seeded(9), dtype=torch.float64)
    *kernels, output = [layer.detach().numpy() for layer in network.layers]
    for x, found in zip(X.numpy(), network(X).detach().numpy(), strict=True):
        maps = x.reshape(1, *shape)
        for kernel in kernels:
            maps = convolve(kernel, maps)
        np.testing.assert_allclose(found, [(maps * output).sum()], rtol=0, atol=1e-13)


@pytest.mark.parametrize("kernel_size", [1, 3, 8])
def test_convolution_oracle_conv1d(kernel_size):
    network = ConvolutionalLinearNetwork((8,), 3, (kernel_size,), 2, generator=seeded())
    X = torch.randn(5, 8, generator=seeded(1), dtype=torch.float64)
    maps, (*kernels, output) = X[:, None], network.layers
    for kernel in kernels:
        padded = F.pad(maps, (0, kernel_size - 1), mode="circular")
        maps = F.conv1d(padded, kernel) / np.sqrt(8)
    expected = (maps * output).sum(dim=(1, 2))
    torch.testing.assert_close(network(X)[:, 0], expected, rtol=0, atol=1e-13)


def test_full_and_diagonal_layers_oracle_products():
    full, diagonal = make("full", 4), make("diagonal", 4)
    matrices = [layer.detach().numpy() for layer in full.layers]
    expected = np.linalg.multi_dot(matrices)
    np.testing.assert_allclose(full.coef().detach().numpy(), expected, rtol=0, atol=1e-13)
    vectors = [layer.detach().numpy() for layer in diagonal.layers]
    expected = np.prod(vectors, axis=0)
    np.testing.assert_allclose(diagonal.coef().detach().numpy(), expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("name", NETWORKS)
def test_members_on_a_leading_axis_invariance(name):
    networks = [make(name, 3, seed) for seed in range(4)]
    named = [dict(network.named_parameters()) for network in networks]
    stack = networks[0].with_parameters({k: torch.stack([n[k] for n in named]) for k in named[0]})
    for member, network in enumerate(networks):
        torch.testing.assert_close(stack.coef()[member], network.coef(), rtol=0, atol=1e-14)
        for many, one in zip(stack.conserved(), network.conserved(), strict=True):
            torch.testing.assert_close(many[member], one, rtol=0, atol=1e-13)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("depth", [1, 3])
def test_initial_predictor_closed_form_variance(name, depth):
    networks = [NETWORKS[name](depth, generator=seeded(s), init_scale=0.5) for s in range(400)]
    squares = torch.stack([network.coef().square().mean() for network in networks])
    # Tails are heavy at depth 3: four standard errors of the mean, as measured on the draws.
    error = 4 * squares.std() / 20
    assert abs(squares.mean() - 0.5 ** (2 * depth)) < error < 0.6 * 0.5 ** (2 * depth)


# --- gradients and what a flow conserves ---------------------------------------------------------


def gradients_of(network, loss="exponential", logarithm=True):
    n_features = network.footprint[0]
    X = torch.randn(4, n_features, generator=seeded(5), dtype=torch.float64)
    target = torch.tensor([[1.0], [-1.0], [1.0], [1.0]], dtype=torch.float64)
    weight = torch.tensor([1.0, 2.0, 0.5, 0.0], dtype=torch.float64)
    mean_loss = MeanLoss(loss, logarithm)
    evaluate = lambda: mean_loss(network(X), target, weight).item()  # noqa: E731
    return evaluate, loss_and_gradients(network, mean_loss, X, target, weight)[2]


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("loss", ["exponential", "log_loss"])
def test_gradient_oracle_finite_differences(name, loss):
    network = make(name, 3)
    evaluate, gradients = gradients_of(network, loss)
    for layer, gradient in zip(network.layers, gradients, strict=True):
        flat = layer.data.view(-1)
        for place in range(0, len(flat), 5):
            values, start = [], flat[place].item()
            for shift in (1e-5, -1e-5):
                flat[place] = start + shift
                values.append(evaluate())
            flat[place] = start
            # Central differences of 1e-5 err by about 1e-10 of the third derivative.
            assert (values[0] - values[1]) / 2e-5 == pytest.approx(
                gradient.view(-1)[place].item(), abs=1e-7
            )


@pytest.mark.parametrize("depth", [2, 3, 4])
@pytest.mark.parametrize("name", NETWORKS)
def test_conserved_closed_form_along_the_gradient(name, depth):
    # A quadratic form that a flow conserves is the same half a step ahead and half a step back.
    network = make(name, depth)
    _, gradients = gradients_of(network)
    names = [name for name, _ in network.named_parameters()]

    def change(directions):
        sides = []
        for sign in (1, -1):
            moved = zip(names, network.layers, directions, strict=True)
            moved = {name: layer + sign * step for name, layer, step in moved}
            sides.append(network.with_parameters(moved).conserved())
        return max((ahead - back).abs().max().item() for ahead, back in zip(*sides, strict=True))

    assert len(network.conserved()) == depth - 1
    assert change(gradients) < 1e-12 * max(1, max(g.abs().max().item() for g in gradients)) ** 2
    assert change([torch.ones_like(gradient) for gradient in gradients]) > 0.1


# --- the logarithm of the mean loss --------------------------------------------------------------

MARGINS = np.array([-1e4, -700.0, -3.0, 0.0, 2.0, 29.999, 30.001, 36.0, 700.0, 1e4])


def log_softplus(short):
    """Logarithm of the logistic loss, in extended precision up to where it is its exponential."""
    short = np.asarray(short, dtype=np.longdouble)
    return np.where(short < -50, short, np.log(np.logaddexp(np.longdouble(0), short))).astype(float)


@pytest.mark.parametrize(("loss", "reference"), [("exponential", None), ("log_loss", log_softplus)])
@pytest.mark.parametrize("weighted", [False, True])
def test_log_mean_loss_oracle_scipy(loss, reference, weighted):
    weight = np.linspace(0.0, 3.0, 10) if weighted else np.ones(10)  # the first weighs nothing
    for sign in (1, -1):
        margins = sign * MARGINS
        logarithms = -margins if reference is None else reference(-margins)
        expected = logsumexp(logarithms, b=weight / weight.sum())
        outputs = torch.from_numpy(margins)[:, None].requires_grad_()
        given = torch.from_numpy(weight) if weighted else None
        value = MeanLoss(loss, logarithm=True)(outputs, torch.ones(10, 1), given)
        assert value.item() == pytest.approx(expected, rel=1e-14)
        (slope,) = torch.autograd.grad(value, outputs)
        assert torch.isfinite(slope).all()
        if loss == "exponential":
            with np.errstate(divide="ignore"):
                logarithms += np.log(weight)
            shares = np.exp(logarithms - logsumexp(logarithms))
            np.testing.assert_allclose(slope[:, 0], -shares, rtol=0, atol=1e-12)


@pytest.mark.parametrize("margin", MARGINS)
def test_log_of_the_log_loss_closed_form_slope(margin):
    outputs = torch.tensor([[margin]], dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(MeanLoss("log_loss", True)(outputs, torch.ones(1, 1)), outputs)
    # sigmoid(-m) / softplus(-m), which tends to one
    expected = 1 / (1 + np.exp(min(margin, 700))) / np.logaddexp(0, -min(margin, 700))
    assert slope.item() == pytest.approx(-expected, rel=1e-12)


def test_log_of_the_log_loss_limit_is_continuous_where_it_changes_formula():
    edges = torch.tensor([[-FAR - 1e-9], [-FAR + 1e-9]], dtype=torch.float64)
    mean_loss = MeanLoss("log_loss", logarithm=True)
    near, far = (mean_loss(edge[None], torch.ones(1, 1)).item() for edge in edges)
    assert near - far == pytest.approx(2e-9, abs=2e-14)


@pytest.mark.parametrize("loss", ["exponential", "log_loss"])
def test_log_mean_loss_limit_is_the_logarithm_of_the_mean(loss):
    outputs = torch.randn(6, 1, generator=seeded(), dtype=torch.float64)
    target, weight = torch.ones(6, 1), torch.arange(6.0, dtype=torch.float64)
    plain, logarithm = (MeanLoss(loss, log)(outputs, target, weight) for log in (False, True))
    torch.testing.assert_close(plain.log(), logarithm, rtol=0, atol=1e-14)


# --- steps ---------------------------------------------------------------------------------------


def log_loss_of(network, X, y):
    return logsumexp(-y * (X @ network.coef_[0])) - np.log(len(y))


def test_backtracking_closed_form_one_sample():
    # The logarithm of the loss of one sample is minus its margin: every step does what it says.
    # Both samples are the same one, so that there are two classes.
    X, y = np.array([[3.0, 4.0], [-3.0, -4.0]]), [1, 0]
    network = fitted(depth=1, data=(X, y), max_iter=20)
    falls = 0.1 * 1.1 ** np.arange(19)
    expected = network.margin_[0] + np.r_[0, np.cumsum(falls)]
    np.testing.assert_allclose(-np.array(network.loss_curve_), expected, rtol=0, atol=1e-12)
    assert network.margin_[-1] == pytest.approx(expected[-1], abs=1e-12)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_losses_never_rise_and_steps_are_evaluated_invariance(architecture):
    X, y = make_data()
    for max_iter in (1, 2, 3, 7, 40):
        network = fitted(architecture, 3, max_iter=max_iter, learning_rate_init=100.0)
        assert (np.diff(network.loss_curve_) <= 0).all()
        assert log_loss_of(network, X, y) == pytest.approx(network.loss_curve_[-1], abs=1e-12)
    assert network.loss_curve_[0] == network.loss_curve_[4] > network.loss_curve_[-1]


def test_a_step_beyond_all_numbers_is_taken_back_limit():
    network = fitted(depth=3, learning_rate_init=1e300, max_iter=1100)
    assert network.loss_curve_[0] > network.loss_curve_[-1]
    assert np.isfinite(network.loss_curve_).all()


def test_constant_and_normalized_steps_oracle_by_hand():
    X, y = make_data()
    signed = y[:, None] * X
    start = fitted(depth=1, step="constant", max_iter=1).direction_[0]
    for step in ("constant", "normalized"):
        one = fitted(depth=1, step=step, max_iter=1, learning_rate_init=0.02)
        two = fitted(depth=1, step=step, max_iter=2, learning_rate_init=0.02)
        np.testing.assert_allclose(one.direction_[0], start, rtol=0, atol=1e-14)
        shares = np.exp(-signed @ one.coef_[0])
        slope = -shares @ signed / len(y)
        if step == "normalized":
            slope /= np.linalg.norm(slope)
        moved = two.coef_[0] - one.coef_[0]
        np.testing.assert_allclose(moved, -0.02 * slope, rtol=0, atol=1e-14)
        assert one.loss_curve_[0] == pytest.approx(two.loss_curve_[0], abs=1e-14)
        assert two.loss_curve_[1] == pytest.approx(log_loss_of(one, X, y), abs=1e-12)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("loss", ["exponential", "log_loss"])
def test_target_margin_contract(step, loss):
    X, y = make_data()
    options = {"step": step, "loss": loss, "max_iter": 5000, "target_margin": 4.0}
    weight = [1.0, 0.5, 2.0, 3.0]
    network = LinearNetworkClassifier(random_state=0, device="cpu", **options)
    network.fit(X, y, sample_weight=weight)
    assert (y * network.decision_function(X)).min() == network.margin_[-1] >= 4.0
    assert network.n_iter_ < 5000
    before = LinearNetworkClassifier(random_state=0, device="cpu", step=step, loss=loss)
    before.set_params(max_iter=network.n_iter_ - 1).fit(X, y, sample_weight=weight)
    losses = np.logaddexp(0, -4.0) if loss == "log_loss" else np.exp(-4.0)
    proof = np.log(losses * 0.5 / 6.5)
    assert network.loss_curve_[-1] <= proof < before.loss_curve_[-1]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("loss", ["exponential", "log_loss"])
def test_margins_of_thousands_are_finite_limit(architecture, loss):
    X, _ = make_data(1)
    network = fitted(architecture, 2, ([*X, *-X], [0, 1]), loss=loss, target_margin=1e4)
    assert 1e4 <= network.margin_[-1] < 1.2e4
    assert network.loss_curve_[-1] == pytest.approx(-network.margin_[-1], rel=1e-12)
    assert np.isfinite(network.alignment_).all()


def test_a_balance_drifts_with_the_step_limit():
    # Gradient descent leaves the flow by its rate, at equal times.
    drifts = [
        fitted(depth=3, step="constant", learning_rate_init=0.02 / n, max_iter=200 * n).balance_[-1]
        for n in (1, 2)
    ]
    assert drifts[0] / drifts[1] == pytest.approx(2.0, rel=0.1)
    assert drifts[0] < 0.01


# --- where training goes -------------------------------------------------------------------------


def test_depth_one_oracle_support_vector_machine():
    X, y = make_data()
    reference = unit(svm(y[:, None] * X))
    options = {"max_iter": 2000, "init_scale": 0.0}
    networks = [fitted(depth=1, target_margin=target, **options) for target in (500.0, 1000.0)]
    errors = [np.linalg.norm(network.direction_[-1] - reference) for network in networks]
    assert errors[1] < 1e-3
    assert errors[1] / errors[0] == pytest.approx(0.5, abs=0.05)  # one over the margin
    assert networks[1].alignment_[-1] < 1e-5
    options |= {"step": "normalized", "learning_rate_init": 0.3}
    normalized = fitted(depth=1, target_margin=250.0, **options)
    assert np.linalg.norm(normalized.direction_[-1] - reference) < 4e-3


@pytest.mark.parametrize("depth", [2, 3])
def test_full_layers_oracle_support_vector_machine(depth):
    X, y = make_data()
    network = fitted(depth=depth, target_margin=1000.0, max_iter=2000)
    reference = unit(svm(y[:, None] * X))
    assert np.linalg.norm(network.direction_[-1] - reference) < (0.005 if depth == 2 else 0.02)
    assert (network.singular_ratio_ < 0.05).all()
    assert (network.layer_alignment_ > 0.999).all()
    assert network.alignment_[-1] < 0.01 < network.alignment_[0]
    assert network.balance_[-1] < 0.001
    early = fitted(depth=depth, max_iter=1)
    assert (early.singular_ratio_ > 0.5).all()
    assert (early.layer_alignment_ < 0.9).all()


def spectrum_of(amplitudes, phases, n_features=8):
    """A real signal of given amplitudes and phases at its frequencies."""
    return np.fft.irfft(
        np.multiply(amplitudes, np.exp(1j * np.array(phases))), n_features, norm="ortho"
    )


def train_from(architecture, depth, x, sizes):
    """Train on one sample, seen from both sides, from layers of given sizes aligned with it."""
    X, y = np.array([x, -x]), [1, -1]
    network = LinearNetworkClassifier(architecture, depth, max_iter=200, device="cpu")
    samples = network._check_samples(X, y, None, reset=True)
    job = network._prepare(samples, None, "fresh", max_iter=200)
    if architecture == "diagonal":
        layers = [np.abs(sizes)] * (depth - 1) + [np.sign(x) * sizes]
    else:
        phases = np.angle(np.fft.rfft(x))
        zero = spectrum_of(sizes, np.zeros(len(phases)))
        layers = [zero[None, None]] * (depth - 1) + [spectrum_of(sizes, phases)[None]]
    for parameter, layer in zip(job.module.layers, layers, strict=True):
        parameter.data = torch.tensor(layer, dtype=torch.float64)
    coef = train([job])[0].module.coef().detach().numpy()
    spectrum = np.abs(coef if architecture == "diagonal" else np.fft.rfft(coef, norm="ortho"))
    return spectrum / spectrum.max(), (x * coef).sum()


AMPLITUDES = np.array([0.3, 1.0, 0.7, 0.2, 0.1])
PHASES = [0.0, 1.0, 2.0, -1.0, 0.0]


@pytest.mark.parametrize("architecture", ["diagonal", "convolutional"])
@pytest.mark.parametrize("first", [1.0, 0.5])
@pytest.mark.parametrize("depth", [2, 3])
def test_one_sample_closed_form_winner(architecture, depth, first, request):
    # argmax |x| m^(L - 2) wins: the start m does not matter for two layers, and does for three.
    signs = [1, -1, 1, -1, 1]
    x = AMPLITUDES * signs if architecture == "diagonal" else spectrum_of(AMPLITUDES, PHASES)
    sizes = np.array([0.5, first, 1.0, 0.5, 0.5]) / 2
    spectrum, margin = train_from(architecture, depth, x, sizes)
    winner = np.argmax(AMPLITUDES * sizes ** (depth - 2))
    assert winner == (2 if depth == 3 and first == 0.5 else 1)
    assert spectrum.argmax() == winner
    assert margin > 1e4
    losers = np.delete(spectrum, winner)
    assert losers.max() < 0.1


def test_two_layers_closed_form_decay_of_what_loses():
    # Off the winner a coefficient falls like q^-(1 - |x_d| / |x_*|) while the margin q grows.
    x = spectrum_of(AMPLITUDES, PHASES)
    spectrum, margin = train_from("convolutional", 2, x, np.full(5, 0.5))
    # On the flow |beta_d| = m_d^2 exp(2 |x_d| tau): logarithms are to each other as amplitudes.
    growths = np.log(spectrum) + np.log(margin / (2 * AMPLITUDES[1])) - np.log(0.25)
    np.testing.assert_allclose(growths / growths[1], AMPLITUDES, rtol=0, atol=0.02)


@pytest.mark.parametrize("architecture", ["diagonal", "convolutional"])
def test_samples_on_disjoint_supports_closed_form(architecture):
    # Each sample is alone on its support, and puts all weight where it is largest.
    amplitudes = np.zeros((2, 9))
    amplitudes[0, [2, 5]], amplitudes[1, [3, 6]] = (1.0, 0.15), (1.5, 0.2)
    multiplicity = 2.0  # of frequencies that come in pairs
    if architecture == "diagonal":
        X, winners, multiplicity = amplitudes, np.eye(9)[[2, 3]], 1.0
    else:
        X = np.array([spectrum_of(row, np.arange(9.0), 16) for row in amplitudes])
        winners = [spectrum_of(np.eye(9)[d], np.arange(9.0), 16) for d in (2, 3)]
    reference = (winners[0] / 1.0 - winners[1] / 1.5) / multiplicity
    network = fitted(architecture, 2, (X, [1, -1]), target_margin=2000.0, max_iter=2000)
    np.testing.assert_allclose(X @ reference, [1, -1], rtol=0, atol=1e-12)
    assert np.linalg.norm(network.direction_[-1] - unit(reference)) < 0.01


def test_an_image_of_one_row_invariance():
    signal = fitted("convolutional", 3, kernel_size=5, max_iter=60)
    image = fitted("convolutional", 3, kernel_size=(1, 5), input_shape=(1, 24), max_iter=60)
    np.testing.assert_allclose(image.coef_, signal.coef_, rtol=1e-6)
    np.testing.assert_allclose(image.fourier_coef_, signal.fourier_coef_, rtol=1e-6)


def test_rotated_signals_invariance():
    # A convolutional network that starts from a rotated output layer finds the rotated predictor.
    X, y = make_data()
    spectra = []
    for shift in (0, 5):
        network = LinearNetworkClassifier("convolutional", 2, max_iter=25, device="cpu")
        network.set_params(random_state=0)
        samples = network._check_samples(np.roll(X, shift, axis=1), y, None, reset=True)
        job = network._prepare(samples, None, "fresh", max_iter=25)
        output = job.module.layers[-1]
        output.data = output.data.roll(shift, dims=-1)
        spectra.append(train([job])[0].module.coef().detach().numpy())
    np.testing.assert_allclose(np.roll(spectra[0], 5), spectra[1], rtol=0, atol=1e-6)


# --- fleets --------------------------------------------------------------------------------------


def fleet_members(architecture, step):
    X, y = make_data(8)
    members = []
    for seed in range(5):
        network = LinearNetworkClassifier(architecture, random_state=seed, device="cpu", step=step)
        network.set_params(learning_rate_init=0.01 * (seed + 1), max_iter=30)
        members.append((network, X[: 8 - seed // 2], y[: 8 - seed // 2]))
    members[1][0].set_params(target_margin=0.1 if step == "loss_scaled" else 0.003)
    members[2][0].set_params(target_margin=1.0)
    members[3][0].set_params(max_iter=12)
    return members


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_fleet_oracle_loop(architecture, step):
    members = fleet_members(architecture, step)
    jobs = []
    for network, X, y in members:
        samples = network._check_samples(X, y, None, reset=True)
        jobs.append(network._prepare(samples, None, "fresh", max_iter=network.max_iter))
    # With a target and without; prox-linear steps always have one.
    assert len(group_jobs(jobs)) == (1 if step == "prox_linear" else 2)
    alone = [copy.deepcopy(network).fit(X, y) for network, X, y in members]
    together = fit_many(*zip(*members, strict=True))
    assert {network.n_iter_ for network in together} >= {12, 30}
    for one, many in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one.record_iters_, many.record_iters_)
        for name in ("coef_", "loss_curve_", "margin_", "direction_", "balance_"):
            expected = getattr(one, name)
            np.testing.assert_allclose(getattr(many, name), expected, rtol=0, atol=1e-9)


def test_long_trainings_in_a_fleet_limit():
    # Rounding decides which steps are taken back: paths part, but not where they lead.
    X, y = make_data(6)
    networks = [
        LinearNetworkClassifier(random_state=seed, device="cpu", target_margin=200.0)
        for seed in range(4)
    ]
    alone = [copy.deepcopy(network).fit(X, y) for network in networks]
    together = fit_many(networks, [X] * 4, [y] * 4)
    for one, many in zip(alone, together, strict=True):
        assert np.linalg.norm(one.direction_[-1] - many.direction_[-1]) < 2e-3
        assert one.n_iter_ == pytest.approx(many.n_iter_, rel=0.1)


# --- records -------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", STEPS)
def test_records_oracle_shorter_trainings(step):
    X, y = make_data()
    network = fitted("convolutional", 3, step=step, max_iter=60)
    np.testing.assert_array_equal(network.record_iters_[[0, 1, 2, -2, -1]], [0, 1, 2, 50, 60])
    for place, n_iter in enumerate(network.record_iters_[1:], start=1):
        shorter = fitted("convolutional", 3, step=step, max_iter=int(n_iter))
        np.testing.assert_allclose(network.direction_[place], unit(shorter.coef_[0]), atol=1e-12)
        margin = (y * (X @ shorter.coef_[0])).min()
        assert network.margin_[place] == pytest.approx(margin, abs=1e-10)
    assert network.balance_[0] == 0


def test_snapshots_of_other_networks_oracle_shorter_trainings():
    X, y = make_data()
    network = FCNClassifier(3, solver="gd", tol=None, max_iter=6, random_state=0, device="cpu")
    samples = network._check_samples(X, y, None, reset=True)
    prepared = [
        network._prepare(samples, None, "fresh", max_iter=epoch, tol=None) for epoch in (6, 4)
    ]
    job = replace(prepared[0], snapshots=(0, 4, 9))
    start = {name: value.clone() for name, value in job.module.named_parameters()}
    trained, shorter = train([job])[0], train([prepared[1]])[0]
    assert list(trained.snapshots) == [0, 4]
    for name, value in shorter.module.named_parameters():
        torch.testing.assert_close(trained.snapshots[4][name], value.detach())
        torch.testing.assert_close(trained.snapshots[0][name], start[name])


@pytest.mark.parametrize(
    ("architecture", "options"),
    [
        ("full", {}),
        ("diagonal", {}),
        ("convolutional", {}),
        ("convolutional", {"kernel_size": 3, "n_channels": 2}),
        ("convolutional", {"input_shape": (4, 6), "kernel_size": (3, 2)}),
        ("convolutional", {"input_shape": (4, 6), "kernel_size": 2, "n_channels": 3}),
    ],
)
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_layers_oracle_end_to_end_coef(architecture, options, depth):
    network = fitted(architecture, depth, max_iter=5, **options)
    shape = {"input_shape": options.get("input_shape")} if architecture == "convolutional" else {}
    coef = end_to_end_coef(network.layers_, architecture, **shape)
    np.testing.assert_allclose(network.coef_, coef[None], rtol=0, atol=1e-13)
    X, _ = make_data()
    np.testing.assert_allclose(network.decision_function(X), X @ coef, rtol=0, atol=1e-13)
    spectrum = np.fft.fftn(coef.reshape(options.get("input_shape", (24,))), norm="ortho").ravel()
    np.testing.assert_allclose(network.fourier_coef_, spectrum, rtol=0, atol=1e-13)


def test_weights_invariance_repeated_samples():
    X, y = make_data()
    weighted = LinearNetworkClassifier(max_iter=25, random_state=0, device="cpu")
    weighted.fit(X, y, sample_weight=[1, 2, 3, 0])
    rows = [0, 1, 1, 2, 2, 2]
    repeated = fitted(data=(X[rows], y[rows]), max_iter=25)
    np.testing.assert_allclose(weighted.coef_, repeated.coef_, rtol=0, atol=1e-8)


# --- what it refuses and what it warns of --------------------------------------------------------

CROSSED = np.array([[1.0, 2.0], [2.0, 4.0], [1.0, -1.0]]), [0, 1, 1]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_inseparable_samples_contract(architecture):
    with pytest.raises(ValueError, match=r"separable.*0\.5 of sample [01], 0\.5 of sample [01]"):
        fitted(architecture, data=CROSSED, target_margin=1.0)
    with pytest.warns(ConvergenceWarning, match=r"cannot separate.*0\.5 of sample [01]"):
        network = fitted(architecture, data=CROSSED, max_iter=50)
    assert network.loss_curve_[-1] < network.loss_curve_[0]


def test_inseparable_samples_oracle_logistic_regression():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 3))
    y = (X[:, 0] + rng.standard_normal(60) > 0).astype(int)
    with pytest.warns(ConvergenceWarning, match="cannot separate"):
        network = fitted("diagonal", 2, data=(X, y), loss="log_loss", max_iter=1500)
    reference = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-10).fit(X, y)
    np.testing.assert_allclose(network.coef_, reference.coef_, rtol=0, atol=1e-5)


def test_a_training_that_is_too_short_contract():
    with pytest.warns(ConvergenceWarning, match=r"falls short of 100; raise max_iter"):
        fitted(max_iter=20, target_margin=100.0)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"depth": 0}, "'depth' parameter"),
        ({"init_scale": 0.0}, "never moves; use a positive init_scale"),
        ({"architecture": "dense"}, "'architecture' parameter"),
        ({"architecture": "convolutional", "kernel_size": 25}, "kernel_size must be.*24.*got 25"),
        (
            {"architecture": "convolutional", "input_shape": (4, 6), "kernel_size": 5},
            r"kernel_size must be.*\(4, 6\)",
        ),
        ({"kernel_size": 3}, "kernel_size=3 and n_channels=1 are for architecture='convolutional'"),
        ({"architecture": "diagonal", "n_channels": 2}, "n_channels=2 are for"),
        ({"input_shape": (5, 5)}, r"input_shape must be.*24 features.*\(5, 5\)"),
        ({"target_margin": 0.0}, "'target_margin' parameter"),
        ({"step": "adaptive"}, "'step' parameter"),
        ({"loss": "hinge"}, "'loss' parameter"),
    ],
)
def test_parameters_out_of_range_contract(options, words):
    with pytest.raises(ValueError, match=words):
        fitted(**options)


def test_data_out_of_range_contract():
    X, y = make_data()
    with pytest.raises(ValueError, match=r"Only binary.*3 classes\. Wrap.*OneVsRest"):
        fitted(data=(X, [0, 1, 2, 0]))
    with pytest.raises(ValueError, match="one class only"):
        fitted(data=(X, [1, 1, 1, 1]))
    with pytest.raises(ValueError, match=re.escape("0 feature(s)")):
        fitted(data=(X[:, :0], y))
    with pytest.raises(AttributeError, match="has no attribute 'partial_fit'"):
        LinearNetworkClassifier().partial_fit(X, y)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_column_of_zeros_limit(architecture):
    X, y = make_data()
    X[:, 3] = 0
    network = fitted(architecture, data=(X, y), target_margin=1000.0, max_iter=2000)
    start, end = network.direction_[[0, -1], 3]
    if architecture == "convolutional":
        assert np.isfinite(end)  # a spectrum that is sparse fills the column
    else:
        assert abs(end) < 0.02 * abs(start)
