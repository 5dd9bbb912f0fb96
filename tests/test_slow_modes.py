"""Powers of convergence against those of training, of the gradient flow, and in closed form."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.linalg import dft, eigh

from sklcnn import LinearNetworkClassifier
from sklcnn.theory import convergence_power, max_margin

NORMS = {"full": "l2", "diagonal": "l1", "convolutional": "fourier_l1"}


def draw(seed, shape, n_samples=4):
    X = np.random.default_rng(seed).standard_normal((n_samples, np.prod(shape)))
    return X, np.where(np.arange(n_samples) % 2, -1, 1)


def error(directions, coef):
    return np.linalg.norm(directions - coef / np.linalg.norm(coef), axis=-1)


def slope(margins, errors):
    return -np.polyfit(np.log(margins), np.log(errors), 1)[0]


def transform(shape):
    """The unitary Fourier transform of raveled signals as a matrix, without fast transforms."""
    matrix = np.ones((1, 1))
    for length in shape:
        matrix = np.kron(matrix, dft(length, scale="sqrtn"))
    return matrix


# --- training itself ------------------------------------------------------------------------------


def train(X, y, architecture, depth, shape):
    """Margins and directions of a network that is trained to a margin of 1e9."""
    options = {"step": "prox_linear", "init_scale": 0.5, "max_iter": 600, "random_state": 0}
    network = LinearNetworkClassifier(architecture, depth, input_shape=shape, **options).fit(X, y)
    assert network.margin_[-1] >= 1e9
    return network.margin_, network.direction_


# Draws, found by trying twenty of each kind, that are at their end by a margin of 1e9: the error is
# small and falls with the same power over two stretches of margins. With others a frequency wakes
# up later, or the slowest part is not yet the largest one, and the power is still another.
AT_THEIR_END = [
    ("vanishing", 22, (12,), 4),
    ("vanishing", 23, (12,), 4),
    ("vanishing", 2, (11,), 6),
    ("vanishing", 18, (3, 4), 4),
    ("sharing", 14, (12,), 4),
    ("sharing", 6, (12,), 4),
    ("sharing", 13, (11,), 6),
]


@pytest.mark.parametrize(("ruler", "seed", "shape", "n_samples"), AT_THEIR_END)
def test_oracle_the_power_is_that_of_training(ruler, seed, shape, n_samples):
    X, y = draw(seed, shape, n_samples)
    best = max_margin(X, y, "fourier_l1", input_shape=shape)
    powers = convergence_power(X, y, "fourier_l1", input_shape=shape, solution=best)
    margins, directions = train(X, y, "convolutional", 2, shape)
    errors, late = error(directions, best.coef), margins > 1e6
    middle, measured = (margins > 1e4) & (margins < 1e7), slope(margins[late], errors[late])
    assert errors[-1] < 0.03
    assert abs(measured - slope(margins[middle], errors[middle])) < 0.05
    assert powers.power == getattr(powers, ruler)
    assert max(powers[1:]) > powers.power + 0.05  # which of the two it is can be told
    assert abs(measured - powers.power) < 0.025


@pytest.mark.parametrize(("seed", "shape", "n_samples"), [(27, (12,), 4), (12, (3, 4), 4)])
def test_oracle_the_last_frequency_to_vanish_has_its_power_where_it_does_not_rule(
    seed, shape, n_samples
):
    X, y = draw(seed, shape, n_samples)
    best = max_margin(X, y, "fourier_l1", input_shape=shape)
    powers = convergence_power(X, y, "fourier_l1", input_shape=shape, solution=best)
    margins, directions = train(X, y, "convolutional", 2, shape)
    late = margins > 1e6
    amplitudes = np.abs(directions[late] @ transform(shape).T)[:, ~best.support]
    slowest = min(slope(margins[late], amplitude) for amplitude in amplitudes.T)
    assert abs(slowest - powers.vanishing) < 0.02
    # It started so small that at a margin of 1e9 the error is still made of others.
    assert slope(margins[late], error(directions[late], best.coef)) > powers.vanishing + 0.1


@pytest.mark.parametrize("seed", [3, 9])
def test_oracle_the_power_of_diagonal_networks_is_that_of_training(seed):
    X, y = draw(seed, (12,))
    best = max_margin(X, y, "l1")
    margins, directions = train(X, y, "diagonal", 2, (12,))
    powers, late = convergence_power(X, y, "l1"), margins > 1e6
    errors = error(directions, best.coef)
    assert powers == (best.delta, best.delta, np.inf)
    assert abs(slope(margins[late], errors[late]) - powers.power) < 0.025


@pytest.mark.parametrize(("depth", "n_features"), [(1, 6), (2, 6), (3, 6), (2, 2), (3, 2)])
def test_oracle_the_power_of_full_networks_is_that_of_training(depth, n_features):
    X, y = draw(0, (n_features,), n_samples=6 if n_features == 6 else 2)
    powers = convergence_power(X, y, depth=depth)
    margins, directions = train(X, y, "full", depth, (n_features,))
    errors = error(directions, max_margin(X, y).coef)
    late = (margins > 1e4) & (errors > 1e-12)
    spans = n_features == 2
    assert powers == (1.0 if spans else 1 / depth, np.inf if spans else 1 / depth, np.inf)
    assert abs(slope(margins[late], errors[late]) - powers.power) < 0.01


def test_oracle_samples_on_the_margin_without_multiplier_do_not_count():
    X, y = draw(6, (12,))
    best = max_margin(X, y, "fourier_l1")
    powers = convergence_power(X, y, "fourier_l1", solution=best)
    x = np.random.default_rng(1006).standard_normal(12)
    x += (1 - x @ best.coef) * best.coef / (best.coef @ best.coef)  # on the margin
    X, y = np.vstack([X, x]), np.append(y, 1)
    more = max_margin(X, y, "fourier_l1")
    assert (X @ more.coef * y)[-1] < 1 + 1e-9
    assert_allclose(convergence_power(X, y, "fourier_l1", solution=more), powers, atol=1e-6)
    counted = more._replace(dual_coef=np.maximum(more.dual_coef, 1e-3))
    assert convergence_power(X, y, "fourier_l1", solution=counted).sharing > powers.sharing + 0.1
    margins, directions = train(X, y, "convolutional", 2, (12,))
    errors, late = error(directions, best.coef), margins > 1e6
    assert abs(slope(margins[late], errors[late]) - powers.power) < 0.025


# --- the flow at its end, in the weights ----------------------------------------------------------

SHAPES = [(6,), (7,), (12,), (3, 4), (4, 4)]


def predictor(weights, shape):
    """Of two convolutional layers, by matrices."""
    matrix = transform(shape)
    kernel, output = weights.reshape(2, -1) @ matrix.T
    return (matrix.conj().T @ (kernel * output)).real


def derivatives(function, point, length):
    """Columns are the derivatives by the entries of a point."""
    moves = length * np.eye(len(point))
    pairs = [(function(point + move), function(point - move)) for move in moves]
    return np.stack([(after - before) / (2 * length) for after, before in pairs], axis=-1)


def rates(change, projection):
    """Powers with which changes in the range of a projection fall, sorted."""
    left, values, _ = np.linalg.svd(projection)
    basis = left[:, values > 0.5]
    return np.sort(-np.linalg.eigvals(basis.T @ change @ basis).real)


def relaxation_rates(X, y, best, shape):
    """Powers with which small changes of the weights fall at needed frequencies, and elsewhere.

    Weights follow the gradients of the margins of the support vectors, mixed such that all margins
    grow by themselves in unit time, which is the logarithm of the margin. Nothing is known here of
    amplitudes, phases or norms.
    """
    matrix, signed = transform(shape), (X * y[:, None])[best.dual_coef > 1e-9]
    spectrum = np.where(best.support, matrix @ best.coef, 0)
    sizes = np.sqrt(np.abs(spectrum))
    output = np.divide(spectrum, sizes, out=np.zeros_like(spectrum), where=sizes > 0)
    weights = np.ravel([(matrix.conj().T @ layer).real for layer in (sizes, output)])

    def margins(weights):
        return signed @ predictor(weights, shape)

    def velocity(weights):
        rows = derivatives(margins, weights, 1e-5)
        return rows.T @ np.linalg.lstsq(rows @ rows.T, margins(weights))[0]

    rows, identity = derivatives(margins, weights, 1e-5), np.eye(len(weights))
    change = derivatives(velocity, weights, 1e-4) - identity / 2  # relative to growing weights
    inside = np.kron(np.eye(2), (matrix.conj().T * best.support @ matrix).real)
    unseen = inside @ (identity - np.linalg.pinv(rows) @ rows)
    return rates(change, unseen), rates(change, identity - inside)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("shape", SHAPES)
def test_oracle_powers_are_eigenvalues_of_the_flow_of_the_weights(shape, seed):
    X, y = draw(seed, shape)
    best = max_margin(X, y, "fourier_l1", input_shape=shape)
    powers = convergence_power(X, y, "fourier_l1", input_shape=shape, solution=best)
    inside, outside = relaxation_rates(X, y, best, shape)
    is_paired = np.abs(transform(shape).imag).max(axis=1) > 1e-9
    n_pairs = np.sum(best.support & is_paired) // 2
    # One layer turned ahead and the other back, at any pair, is the same predictor.
    assert_allclose(inside[:n_pairs], 0, atol=1e-6)
    assert_allclose(inside[n_pairs], min(1.0, powers.sharing), atol=1e-5)
    # The predictor is the square of what is small in both layers.
    if outside.size:
        assert_allclose(2 * outside[0], powers.vanishing, atol=1e-5)
    else:
        assert powers.vanishing == np.inf


# --- formulas -------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
def test_closed_form_sharing_weighs_multipliers_that_turn_against_those_that_grow(shape):
    X, y = draw(1, shape)
    best = max_margin(X, y, "fourier_l1", input_shape=shape)
    held, matrix = best.dual_coef > 1e-9, transform(shape)
    spectra = (X * y[:, None])[held] @ matrix.T
    turned = (spectra.conj() * (best.dual_coef[held] @ spectra))[:, best.support]
    sizes = np.abs(matrix @ best.coef)[best.support]
    growing, bending = ((part * sizes) @ part.T for part in (turned.real, turned.imag))
    shares = eigh(growing, growing + bending, eigvals_only=True)
    sharing = convergence_power(X, y, "fourier_l1", input_shape=shape).sharing
    assert_allclose(min(1.0, sharing), shares[shares > 1e-9].min(), rtol=1e-7)


@pytest.mark.parametrize("turn", [0.2, 0.5, 0.7])
def test_closed_form_two_samples_and_two_frequencies(turn):
    # Two samples that a swap of frequencies 1 and 2 makes conjugates, with one dual vector.
    first, second = 2 * np.exp(1j * turn), 3 * np.exp(1j * np.arcsin(2 * np.sin(turn) / 3))
    spectra = np.zeros((2, 5), complex)  # half of nine frequencies
    spectra[0, 1:3], spectra[1, 1:3] = [first, second], [second.conj(), first.conj()]
    X = np.fft.irfft(spectra, n=9, norm="ortho")
    growing, bending = (first.real - second.real) ** 2, 4 * first.imag**2
    powers = convergence_power(X, [1, 1], "fourier_l1")
    sharing = growing / (growing + bending)
    assert_allclose(powers, [sharing, 1.0, sharing], rtol=1e-6)


def test_closed_form_one_sample_has_nothing_to_share():
    waves = np.cos(2 * np.pi * np.outer([1, 2], np.arange(8)) / 8)
    powers = convergence_power([4 * waves[0] + waves[1]], [1], "fourier_l1")
    assert_allclose(powers, [0.75, 0.75, 1.0], atol=1e-9)
    assert_allclose(convergence_power([[4.0, 1.0]], [-1], "l1"), [0.75, 0.75, np.inf])
    assert_allclose(convergence_power(np.ones((1, 8)), [1], "fourier_l1"), [1.0, 1.0, np.inf])
    assert convergence_power([[2.0]], [1], "l1") == (1.0, np.inf, np.inf)


@pytest.mark.parametrize("norm", ["l1", "fourier_l1"])
def test_limit_no_power_where_the_solution_is_not_unique(norm):
    X = [[1.0, 1.0, 0.0]] if norm == "l1" else [[1.0, 0.0, 0.0]]  # two, or all, are as good
    assert convergence_power(X, [1], norm).power < 1e-9


@pytest.mark.parametrize("norm", ["l2", "l1", "fourier_l1"])
def test_invariance_scale_and_order_of_samples(norm):
    X, y = draw(4, (3, 4))
    options = {"norm": norm, "input_shape": (3, 4)}
    powers = convergence_power(X, y, **options)
    for other in (7 * X, X[::-1] * y[::-1, None] * y[:, None]):
        assert_allclose(convergence_power(other, y, **options), powers, rtol=1e-6)


def test_invariance_shifted_and_transposed_images():
    X, y = draw(4, (3, 4))
    images = X.reshape(-1, 3, 4)
    powers = convergence_power(X, y, "fourier_l1", input_shape=(3, 4))
    shifted = np.roll(images, (1, 2), axis=(1, 2)).reshape(X.shape)
    turned = images.swapaxes(1, 2).reshape(X.shape)
    for other, shape in ((shifted, (3, 4)), (turned, (4, 3))):
        found = convergence_power(other, y, "fourier_l1", input_shape=shape)
        assert_allclose(found, powers, rtol=1e-6)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"norm": "bridge"}, "norm must be 'l2' or 'l1' or 'fourier_l1', got 'bridge'"),
        ({"norm": "l1", "depth": 3}, "depth must be 2 for norm='l1', got 3"),
        ({"norm": "fourier_l1", "input_shape": (5,)}, "input_shape must be"),
        ({"y": [1, 2, 1, 1]}, "y must hold the labels -1 and 1"),
        ({"norm": "l1", "solution": max_margin(*draw(0, (12,)), "l2")}, "solution must be what"),
        ({"solution": max_margin(*draw(1, (12,)))}, "solution must be what"),
        ({"solution": max_margin(*draw(0, (6,)))}, "solution must be what"),
    ],
)
def test_contract_bad_arguments_are_named(changes, message):
    X, y = draw(0, (12,))
    with pytest.raises(ValueError, match=message):
        convergence_power(**{"X": X, "y": y} | changes)
