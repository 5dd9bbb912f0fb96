"""Norms of linear networks, the weights they cost and the map from layers to the predictor."""

from itertools import pairwise, product

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from sklcnn.theory import (
    balanced_layers,
    coef_norm,
    end_to_end_coef,
    fourier_coef,
    weight_penalty,
)
from sklcnn.theory.linear_networks.spectra import fourier_coordinates

SHAPES = [(7,), (8,), (1,), (3, 4), (4, 4), (5, 1)]
ARCHITECTURES = ["full", "diagonal", "convolutional"]


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def positions(shape):
    """All index tuples of an array, in raveled order, (n_features, n_axes)."""
    return np.array(list(product(*map(range, shape))))


def transform_matrix(shape):
    """Unitary transform written out, one row for each frequency."""
    places = positions(shape)
    cycles = (places / shape) @ places.T
    return np.exp(-2j * np.pi * cycles) / np.sqrt(len(places))


def one_layer(kernel, signal, shape):
    """A convolution in the paper's convention, by loops over positions and taps."""
    grid, response = signal.reshape(shape), np.zeros(shape)
    for place, tap in product(positions(shape), positions(kernel.shape)):
        response[tuple(place)] += kernel[tuple(tap)] * grid[tuple((place + tap) % shape)]
    return response.ravel() / np.sqrt(signal.size)


def layer_matrix(kernel, n_features):
    """Matrix of a convolution of one axis, from shifts of the identity."""
    shifts = [np.roll(np.eye(n_features), tap, axis=1) for tap in range(len(kernel))]
    return np.tensordot(kernel, shifts, axes=1) / np.sqrt(n_features)


# --- spectra -------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
def test_spectrum_oracle_transform_matrix(shape, rng):
    coef = rng.standard_normal((3, np.prod(shape)))
    np.testing.assert_allclose(
        fourier_coef(coef, shape), coef @ transform_matrix(shape).T, atol=1e-14
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_coordinates_invariance_lengths_and_round_trip(shape, rng):
    signals = rng.standard_normal((4, np.prod(shape)))
    frame = fourier_coordinates(shape)
    coordinates = frame.forward(signals)
    np.testing.assert_allclose(frame.backward(coordinates), signals, atol=1e-14)
    np.testing.assert_allclose(coordinates @ coordinates.T, signals @ signals.T, atol=1e-13)
    amplitudes = frame.amplitudes(coordinates[0])
    np.testing.assert_allclose(
        amplitudes[frame.group], np.abs(fourier_coef(signals[0], shape)), atol=1e-14
    )
    assert frame.multiplicity.sum() == signals.shape[1]


# --- norms ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
def test_norms_closed_form(shape, rng):
    coef = rng.standard_normal(np.prod(shape))
    spectrum = np.abs(transform_matrix(shape) @ coef)
    np.testing.assert_allclose(coef_norm(coef), np.sqrt((coef**2).sum()))
    np.testing.assert_allclose(coef_norm(coef, "l1"), np.abs(coef).sum())
    np.testing.assert_allclose(coef_norm(coef, "fourier_l1", input_shape=shape), spectrum.sum())
    for depth in (1, 2, 3, 4):
        for norm, sizes in (("bridge", np.abs(coef)), ("fourier_bridge", spectrum)):
            power = 2 / depth
            np.testing.assert_allclose(
                coef_norm(coef, norm, depth=depth, input_shape=shape),
                (sizes**power).sum() ** (1 / power),
                rtol=1e-12,
            )


@pytest.mark.parametrize("n_features", [7, 8])
@pytest.mark.parametrize("depth", [2, 3, 4])
def test_fourier_bridge_oracle_cosines_and_sines(n_features, depth, rng):
    """The real form: a pair counts by its length, with a weight of 2^(1 - p / 2)."""
    coef, places = rng.standard_normal(n_features), np.arange(n_features)
    power, total = 2 / depth, 0.0
    for frequency in range(n_features // 2 + 1):
        angles = 2 * np.pi * frequency * places / n_features
        alone = 2 * frequency % n_features == 0
        scale = np.sqrt((1 if alone else 2) / n_features)
        size = scale * np.hypot(np.cos(angles) @ coef, np.sin(angles) @ coef)
        total += (1 if alone else 2 ** (1 - power / 2)) * size**power
    np.testing.assert_allclose(
        coef_norm(coef, "fourier_bridge", depth=depth), total ** (1 / power), rtol=1e-13
    )


def test_norms_invariance_shift_scale_and_zero(rng):
    coef = rng.standard_normal((3, 4))
    shifted = np.roll(coef, (1, 2), axis=(0, 1))
    cases = [("fourier_l1", {}), ("fourier_bridge", {"depth": 3})]
    cases += [("kernel_width", {"kernel_size": (2, 3)})]
    for norm, options in cases:
        options = {"input_shape": (3, 4), **options}
        value = coef_norm(coef.ravel(), norm, **options)
        np.testing.assert_allclose(coef_norm(shifted.ravel(), norm, **options), value, rtol=1e-7)
        np.testing.assert_allclose(coef_norm(-3e4 * coef.ravel(), norm, **options), 3e4 * value)
        assert coef_norm(np.zeros(12), norm, **options) == 0


# --- the width of kernels ------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(6,), (7,), (3, 4)])
def test_kernel_width_limit_one_tap_and_all(shape, rng):
    coef = rng.standard_normal(np.prod(shape))
    narrow = coef_norm(coef, "kernel_width", input_shape=shape, kernel_size=1)
    np.testing.assert_allclose(narrow, np.sqrt(coef.size) * np.linalg.norm(coef), rtol=1e-12)
    wide = coef_norm(coef, "kernel_width", input_shape=shape, kernel_size=shape)
    np.testing.assert_allclose(wide, coef_norm(coef, "fourier_l1", input_shape=shape), rtol=1e-8)


def test_kernel_width_invariance_wider_is_smaller(rng):
    coef = rng.standard_normal(12)
    values = [coef_norm(coef, "kernel_width", kernel_size=size) for size in range(1, 13)]
    assert np.all(np.diff(values) < 1e-8)
    assert values[0] > 1.2 * values[-1]


@pytest.mark.parametrize("kernel_size", [2, 3, 4, 5])
def test_kernel_width_oracle_minimum_over_the_weights(kernel_size, rng):
    """One channel, positions instead of frequencies: the output layer solves a linear system."""
    n_features = 6
    coef = rng.standard_normal(n_features)

    def weights(kernel):
        output = np.linalg.solve(layer_matrix(kernel, n_features).T, coef)
        return kernel @ kernel + output @ output

    runs = [
        minimize(weights, rng.standard_normal(kernel_size), options={"gtol": 1e-9}).fun
        for _ in range(8)
    ]
    penalty = weight_penalty(coef, "convolutional", kernel_size=kernel_size)
    np.testing.assert_allclose(penalty, min(runs), rtol=1e-8)


@pytest.mark.parametrize(("shape", "width"), [((9,), (4,)), ((4, 3), (2, 2))])
def test_kernel_width_oracle_semidefinite_program(shape, width, rng):
    cvxpy = pytest.importorskip("cvxpy")
    coef, places = rng.standard_normal(np.prod(shape)), positions(shape)
    taps = positions(width)
    gram = cvxpy.Variable((len(taps), len(taps)), PSD=True)
    cost = cvxpy.trace(gram)
    for frequency, size in zip(places, np.abs(fourier_coef(coef, shape)), strict=True):
        wave = np.exp(2j * np.pi * (taps / shape) @ frequency)
        energy = cvxpy.sum(cvxpy.multiply(np.outer(wave, wave.conj()).real, gram))
        cost += coef.size * size**2 * cvxpy.inv_pos(energy)
    value = cvxpy.Problem(cvxpy.Minimize(cost)).solve(solver="CLARABEL")
    found = coef_norm(coef, "kernel_width", input_shape=shape, kernel_size=width)
    np.testing.assert_allclose(2 * found, value, rtol=1e-6)  # what the program is solved to


# --- from layers to the predictor ----------------------------------------------------------------


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
@pytest.mark.parametrize("shape", [(7,), (8,), (3, 4)])
def test_predictor_oracle_loops_over_positions(shape, depth, rng):
    layers = [rng.standard_normal(shape) for _ in range(depth)]
    signal = rng.standard_normal(shape)
    hidden = signal.ravel()
    for kernel in layers[:-1]:
        hidden = one_layer(kernel, hidden, shape)
    coef = end_to_end_coef(layers, "convolutional", input_shape=shape)
    np.testing.assert_allclose(coef @ signal.ravel(), hidden @ layers[-1].ravel(), atol=1e-13)
    backwards = end_to_end_coef(layers[::-1], "convolutional", input_shape=shape)
    np.testing.assert_allclose(backwards, coef, atol=1e-13)


def test_predictor_oracle_torch_channels_and_narrow_kernels(rng):
    length, channels = 9, (1, 3, 2)
    kernels = [rng.standard_normal((o, i, 4)) for i, o in pairwise(channels)]
    output, signal = rng.standard_normal((2, length)), rng.standard_normal(length)
    hidden = torch.as_tensor(signal)[None, None]
    for kernel in kernels:
        padded = torch.nn.functional.pad(hidden, (0, 3), mode="circular")
        hidden = torch.nn.functional.conv1d(padded, torch.as_tensor(kernel)) / length**0.5
    coef = end_to_end_coef([*kernels, output], "convolutional", input_shape=(length,))
    np.testing.assert_allclose(coef @ signal, (hidden[0].numpy() * output).sum(), atol=1e-13)


def test_predictor_oracle_torch_images(rng):
    shape = (4, 5)
    kernels = [rng.standard_normal((2, 1, 2, 3)), rng.standard_normal((1, 2, 3, 3))]
    output, signal = rng.standard_normal(shape), rng.standard_normal(shape)
    hidden = torch.as_tensor(signal)[None, None]
    for kernel in kernels:
        height, width = kernel.shape[2:]
        padded = torch.nn.functional.pad(hidden, (0, width - 1, 0, height - 1), mode="circular")
        hidden = torch.nn.functional.conv2d(padded, torch.as_tensor(kernel)) / 20**0.5
    coef = end_to_end_coef([*kernels, output], "convolutional", input_shape=shape)
    np.testing.assert_allclose(coef @ signal.ravel(), (hidden.numpy() * output).sum(), atol=1e-13)


def test_predictor_closed_form_products(rng):
    first, second, last = rng.standard_normal((3, 4)), rng.standard_normal((4, 2)), np.ones(2)
    for output in (last, last[:, None]):
        coef = end_to_end_coef([first, second, output])
        np.testing.assert_allclose(coef, first @ second @ last)
    np.testing.assert_array_equal(end_to_end_coef([[1.0, 2.0], [3.0, 4.0]], "diagonal"), [3, 8])


# --- the least weights ---------------------------------------------------------------------------


def squares(layers):
    return sum((layer**2).sum() for layer in layers)


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("shape", [(7,), (8,), (3, 4)])
def test_balanced_layers_closed_form(shape, architecture, depth, rng):
    coef = rng.standard_normal(np.prod(shape))
    options = {"input_shape": shape, "depth": depth}
    layers = balanced_layers(coef, architecture, **options)
    assert len(layers) == depth
    found = end_to_end_coef(layers, architecture, input_shape=shape)
    np.testing.assert_allclose(found, coef, atol=1e-13)
    penalty = weight_penalty(coef, architecture, **options)
    np.testing.assert_allclose(squares(layers), penalty, rtol=1e-13)
    np.testing.assert_allclose([squares([layer]) for layer in layers], penalty / depth)


@pytest.mark.parametrize(("shape", "width"), [((9,), 4), ((4, 5), (2, 3)), ((4, 5), 1)])
def test_balanced_narrow_kernels_closed_form(shape, width, rng):
    coef = rng.standard_normal(np.prod(shape))
    options = {"input_shape": shape, "kernel_size": width}
    layers = balanced_layers(coef, "convolutional", **options)
    found = end_to_end_coef(layers, "convolutional", input_shape=shape)
    np.testing.assert_allclose(found, coef, atol=1e-12)
    penalty = weight_penalty(coef, "convolutional", **options)
    np.testing.assert_allclose(squares(layers), penalty, rtol=1e-8)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_balanced_layers_limit_zero(architecture):
    for depth in (1, 2, 3):
        layers = balanced_layers(np.zeros(4), architecture, depth=depth)
        assert squares(layers) == weight_penalty(np.zeros(4), architecture, depth=depth) == 0
        np.testing.assert_array_equal(end_to_end_coef(layers, architecture), np.zeros(4))
    assert squares(balanced_layers(np.zeros(4), "convolutional", kernel_size=2)) == 0


@pytest.mark.parametrize("depth", [2, 3, 4])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_penalty_oracle_no_layers_cost_less(architecture, depth, rng):
    for _ in range(200):
        sizes = np.exp(rng.standard_normal(depth))
        layers = [size * rng.standard_normal(5) for size in sizes]
        if architecture == "full":
            layers = [rng.standard_normal((5, 5)) for _ in range(depth - 1)] + layers[:1]
        coef = end_to_end_coef(layers, architecture)
        assert squares(layers) >= weight_penalty(coef, architecture, depth=depth) * (1 - 1e-12)


@pytest.mark.parametrize("depth", [2, 3])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_penalty_oracle_minimum_over_the_weights(architecture, depth, rng):
    """Sequential quadratic programs over all weights, with the predictor as the constraint."""
    n_features = 4
    coef = rng.standard_normal(n_features)
    shapes = [(n_features,)] * depth
    if architecture == "full":
        shapes = [(n_features, 2), *[(2, 2)] * (depth - 2), (2,)]
    cuts = np.cumsum([np.prod(shape) for shape in shapes])

    def miss(flat):
        pieces = np.split(flat, cuts[:-1])
        layers = [piece.reshape(shape) for piece, shape in zip(pieces, shapes, strict=True)]
        if architecture == "full":
            return np.linalg.multi_dot(layers) - coef
        if architecture == "diagonal":
            return np.prod(layers, axis=0) - coef
        predictor = layers[-1]
        for kernel in layers[:-1]:
            predictor = layer_matrix(kernel, n_features).T @ predictor
        return predictor - coef

    runs = [
        minimize(
            lambda flat: (flat @ flat, 2 * flat),
            rng.standard_normal(cuts[-1]),
            jac=True,
            constraints={"type": "eq", "fun": miss},
            options={"ftol": 1e-13, "maxiter": 500},
        )
        for _ in range(8)
    ]
    best = min(run.fun for run in runs if run.success and np.abs(miss(run.x)).max() < 1e-9)
    penalty = weight_penalty(coef, architecture, depth=depth)
    np.testing.assert_allclose(best, penalty, rtol=1e-7)


# --- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ([[1, 2], "l3"], {}, "norm must be 'l2' or .*'kernel_width', got 'l3'"),
        ([[[1, 2]]], {}, r"coef must have shape \(n_features,\), got \(1, 2\)"),
        ([[]], {}, r"coef must have shape \(n_features,\), got \(0,\)"),
        ([[1, np.nan]], {}, "coef must be finite"),
        ([[1, 2], "bridge"], {"depth": 0}, "depth must be an integer of at least 1, got 0"),
        ([[1, 2], "bridge"], {"depth": 1.5}, r"depth must be an integer of at least 1, got 1\.5"),
        ([[1, 2], "l1"], {"depth": 3}, "depth must be 2 for norm='l1', got 3; norm='bridge'"),
        ([[1, 2], "kernel_width"], {"depth": 3}, "depth must be 2 for norm='kernel_width', got 3"),
        ([[1, 2], "kernel_width"], {"kernel_size": 3}, r"of at most \(2,\), got 3"),
        ([[1, 2], "kernel_width"], {"kernel_size": (1, 1)}, r"of at most \(2,\), got \(1, 1\)"),
        ([[1, 2], "kernel_width"], {"kernel_size": 0}, "kernel_size must be an integer of at le"),
        ([[1, 2], "fourier_l1"], {"input_shape": (3,)}, r"with 2 features in all, got \(3,\)"),
        ([[1, 2], "fourier_l1"], {"input_shape": (1, 1, 2)}, r"\(length,\) or \(height, width\)"),
    ],
)
def test_norm_contract_bad_input(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        coef_norm(*arguments, **options)


@pytest.mark.parametrize("function", [weight_penalty, balanced_layers])
def test_penalty_contract_bad_input(function):
    with pytest.raises(ValueError, match="architecture must be 'full' or 'diagonal' or 'conv"):
        function([1, 2], "dense")
    with pytest.raises(ValueError, match=r"depth must be 2 for .*, got 3"):
        function([1, 2, 3], "convolutional", depth=3, kernel_size=2)
    with pytest.raises(ValueError, match="depth must be an integer of at least 1"):
        function([1, 2, 3], depth=0)
    with pytest.raises(ValueError, match="kernel_size must be one width"):
        function([1, 2, 3], "convolutional", kernel_size=4)


@pytest.mark.parametrize(
    ("layers", "architecture", "message"),
    [
        ([], "full", "layers must hold at least one layer"),
        ([[1, np.inf]], "full", r"layers\[0\] must be finite"),
        (
            [np.ones((3, 2)), np.ones(3)],
            "full",
            r"fit .* got shapes \[\(3, 2\), \(3,\)\]",
        ),
        ([np.ones((3, 2))], "full", "have one output"),
        ([np.ones(3), np.ones(1)], "diagonal", "fit each other"),
        ([np.ones(4), np.ones(3)], "convolutional", r"kernel no wider than \(3,\)"),
        ([np.ones((2, 1, 2)), np.ones((3, 5))], "convolutional", "before one with 3 channels"),
        ([np.ones((2, 3, 2)), np.ones((2, 5))], "convolutional", "one input channel, got 3"),
        ([np.ones((2, 2, 5))], "convolutional", r"output layer must have the input_shape \(5,\)"),
    ],
)
def test_predictor_contract_bad_input(layers, architecture, message):
    with pytest.raises(ValueError, match=message):
        end_to_end_coef(layers, architecture)


def test_spectrum_contract_bad_input():
    with pytest.raises(ValueError, match=r"coef must have shape \(\.\.\., n_features\), got \(\)"):
        fourier_coef(1.0)
    with pytest.raises(ValueError, match="input_shape must be"):
        fourier_coef(np.ones(6), (2, 2))
