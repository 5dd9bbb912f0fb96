"""Radii and worst perturbations of linear predictors against programs, attacks and chance."""

import numpy as np
import pytest
from scipy.linalg import circulant, dft
from scipy.optimize import linprog, minimize

from sklcnn import LinearNetworkClassifier
from sklcnn.theory import (
    adversarial_perturbation,
    coef_norm,
    max_margin,
    robust_error,
    robust_radius,
)

SHAPES = [(7,), (8,), (3, 4), (4, 4)]
NORMS = ["l2", "l1", "fourier_l1"]


def transform(shape):
    """The unitary Fourier transform of raveled signals as a matrix, without fast transforms."""
    matrix = np.ones((1, 1))
    for length in shape:
        matrix = np.kron(matrix, dft(length, scale="sqrtn"))
    return matrix


def size(perturbation, norm, shape):
    """Dual norm of a perturbation by its definition, (...)."""
    if norm == "l2":
        return np.sqrt((perturbation**2).sum(axis=-1))
    if norm == "fourier_l1":
        perturbation = perturbation @ transform(shape).T
    return np.abs(perturbation).max(axis=-1)


def draw(shape, n_samples=5, seed=0):
    """A predictor, an intercept and samples on both of its sides."""
    rng = np.random.default_rng([seed, *shape])
    X = rng.standard_normal((n_samples, np.prod(shape)))
    return rng.standard_normal(np.prod(shape)), 0.3, X, np.where(rng.random(n_samples) < 0.5, -1, 1)


def draw_perturbations(shape, norm, n_draws, rng):
    """Random perturbations of size 1, half of them extreme: large wherever they may be."""
    drawn = rng.standard_normal((n_draws, np.prod(shape)))
    spread = drawn[: n_draws // 2]
    if norm == "l1":
        spread = np.sign(spread)
    if norm == "fourier_l1":
        spectra = spread @ transform(shape).T
        spread = (spectra / np.abs(spectra) @ transform(shape).conj()).real
    drawn = np.vstack([spread, drawn[n_draws // 2 :]])
    return drawn / size(drawn, norm, shape)[:, None]


# --- programs that know nothing of duality --------------------------------------------------------


def test_oracle_l1_radius_by_linear_programming():
    coef, intercept, X, y = draw((8,))
    radii = robust_radius(coef, X, y, "l1", intercept=intercept)
    for x, label, radius in zip(X, y, radii, strict=True):
        margin = label * (x @ coef + intercept)
        program = linprog(
            np.r_[np.zeros(8), 1.0],  # the bound of the absolute values
            A_ub=np.block([[np.eye(8), -np.ones((8, 1))], [-np.eye(8), -np.ones((8, 1))]]),
            b_ub=np.zeros(16),
            A_eq=[np.r_[label * coef, 0.0]],
            b_eq=[-margin],
            bounds=[(None, None)] * 9,
        )
        assert radius == pytest.approx(np.sign(margin) * program.fun, rel=1e-10)


def test_oracle_l2_radius_by_a_general_solver():
    coef, intercept, X, y = draw((8,))
    radii = robust_radius(coef, X, y, intercept=intercept)
    for x, label, radius in zip(X, y, radii, strict=True):
        margin = label * (x @ coef + intercept)
        on_boundary = {"type": "eq", "fun": lambda d, x=x: (x + d) @ coef + intercept}
        program = minimize(lambda d: d @ d, np.ones(8), constraints=on_boundary, tol=1e-14)
        assert radius == pytest.approx(np.sign(margin) * np.sqrt(program.fun), rel=1e-6)


@pytest.mark.parametrize("shape", SHAPES)
def test_oracle_fourier_radius_by_a_cone_program(shape):
    cvxpy = pytest.importorskip("cvxpy")
    coef, intercept, X, y = draw(shape)
    radii = robust_radius(coef, X, y, "fourier_l1", input_shape=shape, intercept=intercept)
    for x, radius in zip(X[:2], y[:2] * radii[:2], strict=True):
        perturbation = cvxpy.Variable(len(coef))
        on_boundary = [(x + perturbation) @ coef + intercept == 0]
        amplitudes = cvxpy.abs(transform(shape) @ perturbation)
        program = cvxpy.Problem(cvxpy.Minimize(cvxpy.max(amplitudes)), on_boundary)
        assert program.solve(solver="CLARABEL") == pytest.approx(abs(radius), rel=1e-6)
        assert np.sign(x @ coef + intercept) == np.sign(radius)


@pytest.mark.parametrize("kernel_size", [1, 3, 7])
def test_oracle_kernel_width_measures_what_unit_layers_make_of_a_perturbation(kernel_size):
    """The dual norm is the largest output of a network whose two layers have norm 1."""
    coef, _, X, y = draw((7,))
    options = {"norm": "kernel_width", "kernel_size": kernel_size}
    worst = adversarial_perturbation(coef, 2.0, **options)
    windows = circulant(worst).T[:, :kernel_size] / np.sqrt(7)
    assert np.linalg.norm(windows, 2) == pytest.approx(2.0, rel=1e-6)
    lost = y * (X @ coef - (X + y[:, None] * worst) @ coef)
    radii = robust_radius(coef, X, y, **options)
    np.testing.assert_allclose(lost, 2.0 * y * (X @ coef) / radii, rtol=1e-6)


# --- the perturbation -----------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("norm", NORMS)
def test_closed_form_perturbation_has_its_size_and_reaches_the_boundary(norm, shape):
    coef, _, X, y = draw(shape)
    radii = robust_radius(coef, X, y, norm, input_shape=shape)
    worst = adversarial_perturbation(coef, radii, norm, input_shape=shape)
    assert worst.dtype == float
    np.testing.assert_allclose(size(worst, norm, shape), np.abs(radii), rtol=1e-13)
    np.testing.assert_allclose((X + y[:, None] * worst) @ coef, 0, atol=1e-13)
    for share, sign in ((0.999, 1), (1.001, -1)):
        margins = y * ((X + share * y[:, None] * worst) @ coef)
        np.testing.assert_array_equal(np.sign(margins), sign * np.sign(radii))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("norm", NORMS)
def test_oracle_no_random_perturbation_is_worse(norm, shape):
    coef, *_ = draw(shape)
    drawn = draw_perturbations(shape, norm, 20_000, np.random.default_rng(1))
    lost = -adversarial_perturbation(coef, norm=norm, input_shape=shape) @ coef
    assert (drawn @ coef).max() <= lost * (1 + 1e-13)
    assert (drawn @ coef).max() > 0.6 * lost  # chance comes near: the bound is no idle one


def test_closed_form_waves_that_are_their_own_conjugates():
    """The constant and the fastest wave have one phase, others two; what is zero stays zero."""
    constant, fastest = np.ones(6), np.array([1.0, -1.0] * 3)
    wave = np.cos(2 * np.pi * np.arange(6) / 6 + 0.4)
    for coef, expected in (
        (5 * constant, -constant / np.sqrt(6)),
        (-5 * fastest, fastest / np.sqrt(6)),
        (constant - fastest, (fastest - constant) / np.sqrt(6)),
        (5 * wave, -2 * wave / np.sqrt(6)),  # two amplitudes of 1
    ):
        worst = adversarial_perturbation(coef, norm="fourier_l1")
        np.testing.assert_allclose(worst, expected, atol=1e-14)
        assert size(worst, "fourier_l1", (6,)) == pytest.approx(1, rel=1e-14)


def test_closed_form_zero_coefficients_are_left_alone():
    worst = adversarial_perturbation([0.0, -2.0, 1e-3], 0.5, "l1")
    np.testing.assert_array_equal(worst, [0.0, 0.5, -0.5])


@pytest.mark.parametrize("norm", NORMS)
def test_closed_form_radius_is_the_margin_over_the_norm(norm):
    coef, intercept, X, y = draw((3, 4))
    options = {"norm": norm, "input_shape": (3, 4)}
    radii = robust_radius(coef, X, y, **options, intercept=intercept)
    margins = [label * (x @ coef + intercept) for x, label in zip(X, y, strict=True)]
    np.testing.assert_allclose(radii * coef_norm(coef, **options), margins, rtol=1e-12)


def test_invariance_scale_of_the_predictor_and_shifts_of_the_input():
    coef, intercept, X, y = draw((4, 4))
    for norm in NORMS:
        options = {"norm": norm, "input_shape": (4, 4)}
        radii = robust_radius(coef, X, y, **options, intercept=intercept)
        scaled = robust_radius(7 * coef, X, y, **options, intercept=7 * intercept)
        np.testing.assert_allclose(scaled, radii, rtol=1e-13)
        shifted = np.roll(np.vstack([coef, X]).reshape(-1, 4, 4), (1, 2), (1, 2)).reshape(-1, 16)
        moved = robust_radius(shifted[0], shifted[1:], y, **options, intercept=intercept)
        np.testing.assert_allclose(moved, radii, rtol=1e-13)


# --- the largest margin is the most robust predictor ----------------------------------------------


@pytest.mark.parametrize("shape", [(7,), (3, 4)])
@pytest.mark.parametrize("norm", NORMS)
def test_oracle_no_predictor_stands_more_than_that_of_largest_margin(norm, shape):
    _, _, X, y = draw(shape)
    solution = max_margin(X, y, norm, input_shape=shape)
    options = {"norm": norm, "input_shape": shape}
    stood = robust_radius(solution.coef, X, y, **options)
    assert stood.min() == pytest.approx(solution.margin, rel=1e-9)
    rng, best = np.random.default_rng(2), -np.inf
    for scale in np.repeat([1e-3, 1e-2, 1e-1, 1.0], 250):  # near to it, and anywhere
        other = solution.coef + scale * np.abs(solution.coef).max() * rng.standard_normal(
            X.shape[1]
        )
        best = max(best, robust_radius(other, X, y, **options).min())
    assert stood.min() * 0.9 < best < stood.min() * (1 + 1e-9)


def test_limit_two_layer_networks_are_each_the_most_robust_in_their_own_norm():
    rng = np.random.default_rng(3)
    X, y = rng.standard_normal((3, 8)), np.array([1, -1, 1])
    norms = {"full": "l2", "diagonal": "l1", "convolutional": "fourier_l1"}
    networks = {
        name: LinearNetworkClassifier(name, max_iter=400, random_state=0).fit(X, y)
        for name in norms
    }
    for name, norm in norms.items():
        stood = {
            other: robust_radius(networks[other].coef_[0], X, y, norm).min() for other in norms
        }
        assert max(stood, key=stood.get) == name


# --- the error under attack -----------------------------------------------------------------------


@pytest.mark.parametrize("norm", NORMS)
def test_oracle_robust_error_counts_attacked_samples(norm):
    coef, intercept, X, y = draw((3, 4), n_samples=400)
    radii = np.array([0.0, 0.1, 0.3, 1.0])
    options = {"norm": norm, "input_shape": (3, 4)}
    errors = robust_error(coef, X, y, radii, **options, intercept=intercept)
    for radius, error in zip(radii, errors, strict=True):
        attacked = X + y[:, None] * adversarial_perturbation(coef, radius, **options)
        assert error == (np.sign(attacked @ coef + intercept) != y).mean()
    assert (np.diff(errors) > 0).all()
    assert robust_error(coef, X, y, 0.3, **options, intercept=intercept) == errors[2]


def test_contract_the_boundary_counts_as_an_error():
    assert robust_error([1.0, 0.0], [[2.0, 5.0]], [1], [1.999, 2.0]).tolist() == [0.0, 1.0]


# --- bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"coef": [0.0, 0.0]}, "coef must not be zero"),
        ({"coef": [1.0, 2.0, 3.0]}, r"coef must have shape \(2,\)"),
        ({"coef": [np.nan, 2.0]}, "coef must be finite"),
        ({"y": [0]}, "y must hold the labels -1 and 1"),
        ({"intercept": [1.0, 2.0]}, "intercept must be one number"),
        ({"norm": "l3"}, "norm must be 'l2'"),
        ({"norm": "bridge", "depth": 3}, "norm must be convex .* use norm='l1'"),
        ({"norm": "fourier_bridge", "depth": 4}, "norm must be convex .* depth=4"),
        ({"norm": "fourier_l1", "input_shape": (3,)}, "input_shape must be"),
    ],
)
def test_contract_bad_input_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        robust_radius(**({"coef": [1.0, 2.0], "X": [[1.0, 0.0]], "y": [1]} | arguments))


def test_contract_radii_are_numbers():
    with pytest.raises(ValueError, match="radii must be finite and at least 0"):
        robust_error([1.0], [[1.0]], [1], [0.1, -0.1])
    with pytest.raises(ValueError, match="radius must be finite"):
        adversarial_perturbation([1.0], np.inf)


def test_contract_bridges_of_two_layers_are_norms():
    coef, _, X, y = draw((8,))
    for bridge, norm in (("bridge", "l1"), ("fourier_bridge", "fourier_l1")):
        assert (robust_radius(coef, X, y, bridge) == robust_radius(coef, X, y, norm)).all()


@pytest.mark.parametrize("scale", [1e-170, 1e160])
@pytest.mark.parametrize("norm", ["l2", "l1", "fourier_l1"])
def test_invariance_radii_and_perturbations_do_not_depend_on_the_scale_of_the_coef(norm, scale):
    rng = np.random.default_rng(0)
    X, coef = rng.standard_normal((3, 6)), rng.standard_normal(6)
    radii = robust_radius(coef, X, [1, -1, 1], norm, intercept=0.5)
    scaled = robust_radius(coef * scale, X, [1, -1, 1], norm, intercept=0.5 * scale)
    np.testing.assert_allclose(scaled, radii, rtol=1e-9)
    worst = adversarial_perturbation(coef * scale, 1.0, norm)
    np.testing.assert_allclose(worst, adversarial_perturbation(coef, 1.0, norm), rtol=1e-9)
