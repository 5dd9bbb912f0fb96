"""Quantities of the stability theory against loops, finite differences and simulation."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import linprog

from sklcnn.theory import (
    activation_rates,
    flat_interpolator,
    gap_exponent,
    gauss_newton_bound,
    generalization_gap,
    path_norm,
    path_norm_bound,
    stability_threshold,
    weight_function,
    weighted_path_norm,
)
from sklcnn.theory.half_spaces import half_space_means

# --- thresholds ----------------------------------------------------------------------------------


def run_descent(curvature, learning_rate, momentum, nesterov, n_steps=4000):
    """Distance from the minimum of a quadratic after many steps, from a distance of 1."""
    x, velocity = 1.0, 0.0
    for _ in range(n_steps):
        point = x + momentum * velocity if nesterov else x
        velocity = momentum * velocity - learning_rate * curvature * point
        x += velocity
        if abs(x) > 1e6:
            break
    return abs(x)


@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("momentum", [0.0, 0.3, 0.9])
@pytest.mark.parametrize("learning_rate", [0.02, 0.7])
def test_threshold_oracle_descent_on_a_quadratic(learning_rate, momentum, nesterov):
    threshold = stability_threshold(learning_rate, momentum, nesterov=nesterov)
    assert run_descent(0.98 * threshold, learning_rate, momentum, nesterov) < 1e-3
    assert run_descent(1.02 * threshold, learning_rate, momentum, nesterov) > 1e3


def test_threshold_closed_form_and_contract():
    np.testing.assert_allclose(
        stability_threshold([[0.2], [0.4]], [0.0, 0.5]), [[10, 15], [5, 7.5]]
    )
    assert np.ndim(stability_threshold(0.1)) == 0
    for rate in (0.0, -1.0):
        with pytest.raises(ValueError, match=f"learning_rate must be above 0, got {rate}"):
            stability_threshold(rate)
    with pytest.raises(ValueError, match="learning_rate must be finite, got nan"):
        stability_threshold(np.nan)
    with pytest.raises(ValueError, match=r"momentum must be below 1, got 1\.0"):
        stability_threshold(0.1, 1.0)
    with pytest.raises(ValueError, match=r"momentum must be finite and at least 0, got -0\.1"):
        stability_threshold(0.1, -0.1)


# --- the weight function -------------------------------------------------------------------------


def one_sided_weight(inputs, direction, threshold):
    """The definition, an input at a time."""
    inside = [x for x in inputs if direction @ x > threshold]
    if not inside:
        return 0.0
    center = np.mean(inside, axis=0)
    excess = np.mean([direction @ x - threshold for x in inside])
    return (len(inside) / len(inputs)) ** 2 * excess * np.sqrt(1 + center @ center)


def weight(inputs, direction, threshold):
    return min(
        one_sided_weight(inputs, direction, threshold),
        one_sided_weight(inputs, -direction, -threshold),
    )


def draw_directions(rng, n_units, n_features):
    directions = rng.standard_normal((n_units, n_features))
    return directions / np.linalg.norm(directions, axis=1, keepdims=True)


def test_weight_function_oracle_loop():
    rng = np.random.default_rng(0)
    inputs, directions = rng.standard_normal((50, 3)) + 0.5, draw_directions(rng, 40, 3)
    thresholds = rng.uniform(-4, 4, 40)
    expected = [weight(inputs, u, t) for u, t in zip(directions, thresholds, strict=True)]
    np.testing.assert_allclose(weight_function(inputs, directions, thresholds), expected)
    assert 5 < np.count_nonzero(expected) < 40  # some thresholds lie outside the inputs
    at_one = weight_function(inputs, directions, 0.3)
    np.testing.assert_allclose(at_one, weight_function(inputs, directions, np.full(40, 0.3)))


def test_weight_function_oracle_ties():
    # An input on the boundary is on neither side.
    inputs, directions = np.array([[0.0], [1.0], [1.0], [3.0]]), np.array([[1.0], [-1.0]])
    expected = [weight(inputs, u, t) for u, t in zip(directions, [1.0, -1.0], strict=True)]
    np.testing.assert_allclose(weight_function(inputs, directions, [1.0, -1.0]), expected)
    np.testing.assert_array_equal(weight_function(inputs, directions, [3.0, 0.0]), 0)


def test_weight_function_invariance():
    rng = np.random.default_rng(1)
    patches, directions = rng.standard_normal((60, 5, 4)), draw_directions(rng, 30, 4)
    thresholds = rng.uniform(-1, 1, 30)
    weights = weight_function(patches, directions, thresholds)
    np.testing.assert_allclose(weights, weight_function(patches, -directions, -thresholds))
    pooled = patches.reshape(-1, 4)
    np.testing.assert_allclose(weights, weight_function(pooled, directions, thresholds))
    twice = np.concatenate([pooled, pooled[::-1]])
    np.testing.assert_allclose(weights, weight_function(twice, directions, thresholds))
    rotation, _ = np.linalg.qr(rng.standard_normal((4, 4)))
    turned = weight_function(pooled @ rotation, directions @ rotation, thresholds)
    np.testing.assert_allclose(weights, turned)


def test_half_space_means_invariance_of_blocks(monkeypatch):
    rng = np.random.default_rng(2)
    arrays = rng.standard_normal((1000, 3)), rng.standard_normal((70, 3)), rng.standard_normal(70)
    whole = half_space_means(*arrays)
    monkeypatch.setattr("sklcnn.theory.half_spaces._N_ROWS", 64)
    monkeypatch.setattr("sklcnn.theory.half_spaces._N_UNITS", 9)
    for one, other in zip(whole, half_space_means(*arrays), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-15)


def population_weight(power, threshold):
    """Weight of an isotropic law whose coordinates have a density of (1 - s^2)^power."""

    def integral(moment):
        return quad(lambda s: s**moment * (1 - s**2) ** power, threshold, 1)[0]

    share = integral(0) / quad(lambda s: (1 - s**2) ** power, -1, 1)[0]
    center = integral(1) / integral(0)
    return share**2 * (center - threshold) * np.sqrt(1 + center**2)


def draw_ball(rng, n_samples, n_features):
    inputs = draw_directions(rng, n_samples, n_features)
    return inputs * rng.random((n_samples, 1)) ** (1 / n_features)


def draw_sphere_patches(rng, n_samples, n_features, patch_size):
    return draw_directions(rng, n_samples, n_features)[:, :patch_size]


@pytest.mark.parametrize(
    ("draw", "n_features", "density_power", "power"),
    [
        (lambda rng: draw_ball(rng, 400_000, 2), 2, 0.5, 4),  # d + 2 for the ball in d dimensions
        (lambda rng: draw_ball(rng, 400_000, 3), 3, 1.0, 5),
        (lambda rng: draw_sphere_patches(rng, 400_000, 5, 2), 2, 1.0, 5),  # d for a sphere
    ],
)
def test_weight_function_oracle_simulation(draw, n_features, density_power, power):
    inputs, direction = draw(np.random.default_rng(3)), np.eye(n_features)[:1]
    thresholds = np.array([-0.6, 0.0, 0.3, 0.6, 0.8])
    simulated = weight_function(inputs, direction.repeat(5, axis=0), thresholds)
    exact = [population_weight(density_power, abs(t)) for t in thresholds]
    # At 0.8, where 3 to 5 % are inside, standard errors are 1.5 to 2 %; elsewhere far smaller.
    np.testing.assert_allclose(simulated, exact, rtol=0.06)
    # The power of 1 - |t| close to the boundary, exactly and roughly in the simulation.
    near, nearer = (
        population_weight(density_power, 1 - 1e-3),
        population_weight(density_power, 1 - 1e-4),
    )
    assert np.log10(near / nearer) == pytest.approx(power, abs=0.02)
    slope = np.log(simulated[3] / simulated[4]) / np.log(2)
    assert slope == pytest.approx(power, abs=0.5)


def test_weight_function_contract():
    inputs, directions = np.zeros((5, 2)), np.eye(2)
    with pytest.raises(ValueError, match=r"directions must have norm 1, got one of norm 2"):
        weight_function(inputs, [[2.0, 0.0]], 0.0)
    with pytest.raises(
        ValueError, match=r"directions must have shape \(n_units, 2\), got \(3, 3\)"
    ):
        weight_function(inputs, np.eye(3), 0.0)
    with pytest.raises(ValueError, match=r"thresholds must be a number or have shape \(2,\)"):
        weight_function(inputs, directions, [0.0, 1.0, 2.0])
    with pytest.raises(ValueError, match=r"inputs must have shape .*, got shape \(0, 2\)"):
        weight_function(np.zeros((0, 2)), directions, 0.0)
    with pytest.raises(ValueError, match="inputs must be finite"):
        weight_function([[np.nan, 0.0]], directions, 0.0)


# --- path norms ----------------------------------------------------------------------------------


def draw_network(rng, patch_size, n_filters, n_patches=None):
    """Weights, biases and outer weights of scales that differ from draw to draw."""
    shape = (n_filters,) if n_patches is None else (n_patches, n_filters)
    scales = np.exp(rng.standard_normal(3))
    return (
        scales[0] * rng.standard_normal((*shape, patch_size)),
        scales[1] * rng.standard_normal(shape),
        scales[2] * rng.standard_normal(n_filters),
    )


def test_path_norms_oracle_loop():
    rng = np.random.default_rng(4)
    inputs = rng.standard_normal((40, 3))
    w, b, v = draw_network(rng, 3, 12)
    norms = [np.linalg.norm(row) for row in w]
    weights = [weight(inputs, w[k] / norms[k], -b[k] / norms[k]) for k in range(12)]
    expected = sum(abs(v[k]) * norms[k] * weights[k] for k in range(12))
    assert weighted_path_norm(w, b, v, inputs) == pytest.approx(expected)
    assert path_norm(w, v) == pytest.approx(sum(abs(v[k]) * norms[k] for k in range(12)))
    assert path_norm([w, 3 * w], v) == pytest.approx(2 * path_norm(w, v))


def test_path_norms_invariance_of_scale():
    rng = np.random.default_rng(5)
    patches, (w, b, v) = rng.standard_normal((20, 4, 3)), draw_network(rng, 3, 9)
    c = np.exp(rng.standard_normal(9))
    norm = weighted_path_norm(w, b, v, patches)
    assert norm > 0
    assert weighted_path_norm(c[:, None] * w, c * b, v / c, patches) == pytest.approx(norm)
    assert weighted_path_norm(w, b, v, patches.reshape(-1, 3)) == pytest.approx(norm)
    assert path_norm(c[:, None] * w, v / c) == pytest.approx(path_norm(w, v))


def test_weighted_path_norm_limit_of_units_that_cost_nothing():
    # Without weights, never active, always active: constant or affine on the inputs.
    rng = np.random.default_rng(6)
    inputs = rng.standard_normal((30, 2))
    radius = np.linalg.norm(inputs, axis=1).max()
    w, b = np.array([[0.0, 0.0], [3.0, 4.0], [3.0, 4.0]]), 5 * radius * np.array([1, -1.01, 1.01])
    assert weighted_path_norm(w, b, [7.0, 7.0, 7.0], inputs) == 0
    np.testing.assert_array_equal(activation_rates(w, b, inputs), [1, 0, 1])


def test_activation_rates_oracle_loop():
    rng = np.random.default_rng(7)
    patches = rng.standard_normal((25, 4, 3))
    w, b, _ = draw_network(rng, 3, 6, n_patches=4)
    own = [
        [np.mean([w[j, k] @ x[j] + b[j, k] > 0 for x in patches]) for k in range(6)]
        for j in range(4)
    ]
    np.testing.assert_allclose(activation_rates(w, b, patches), own)
    shared = [np.mean([w[0, k] @ z + b[0, k] > 0 for x in patches for z in x]) for k in range(6)]
    np.testing.assert_allclose(activation_rates(w[0], b[0], patches), shared)


def test_path_norms_contract():
    w, b, v, inputs = np.ones((4, 3)), np.ones(4), np.ones(4), np.ones((5, 3))
    with pytest.raises(
        ValueError, match=r"inner_weights must have shape \(n_filters, patch_size\)"
    ):
        weighted_path_norm(np.ones((2, 4, 3)), np.ones((2, 4)), v, np.ones((5, 2, 3)))
    with pytest.raises(ValueError, match=r"biases must have shape \(4,\), .*, got \(3,\)"):
        weighted_path_norm(w, np.ones(3), v, inputs)
    with pytest.raises(ValueError, match=r"outer_weights must have shape \(4,\), .*, got \(1, 4\)"):
        weighted_path_norm(w, b, v[None], inputs)
    with pytest.raises(
        ValueError, match=r"inputs must have 3 features .*, got 7; hand over patches"
    ):
        weighted_path_norm(w, b, v, np.ones((5, 7)))
    with pytest.raises(
        ValueError, match=r"inputs must have shape \(n_samples, 2, 3\) for unshared"
    ):
        activation_rates(np.ones((2, 4, 3)), np.ones((2, 4)), inputs)
    with pytest.raises(ValueError, match="biases must be finite"):
        activation_rates(w, np.full(4, np.inf), inputs)


# --- curvature -----------------------------------------------------------------------------------


class Network:
    """A network as a function of one vector of parameters, differentiated by differences."""

    def __init__(self, patches, n_filters, unshared):
        self.patches = patches  # (n_samples, n_patches, patch_size)
        _, n_patches, patch_size = patches.shape
        self.outer = (n_patches if unshared else 1, n_filters)
        self.shapes = [(*self.outer, patch_size), self.outer, (n_filters,), ()]
        self.splits = np.cumsum([int(np.prod(shape)) for shape in self.shapes])

    def pack(self, w, b, v, c=0.0):
        return np.concatenate([np.ravel(part) for part in (w, b, v, c)])

    def __call__(self, parameters):
        parts = np.split(parameters, self.splits[:-1])
        w, b, v, c = (p.reshape(shape) for p, shape in zip(parts, self.shapes, strict=True))
        hidden = np.maximum(np.sum(self.patches[:, :, None] * w, axis=-1) + b, 0)
        return hidden.mean(axis=1) @ v + c  # (n_samples,)

    def jacobian(self, parameters, step=1e-6):
        steps = step * np.eye(len(parameters))
        return np.stack(
            [(self(parameters + e) - self(parameters - e)) / (2 * step) for e in steps], axis=1
        )  # (n_samples, n_parameters)

    def gauss_newton(self, parameters):
        jacobian = self.jacobian(parameters)
        return np.linalg.eigvalsh(jacobian @ jacobian.T)[-1] / len(jacobian)

    def half_loss_hessian(self, parameters, targets, step=1e-4):
        """Differences of the gradient of half the mean squared error."""

        def gradient(at):
            return (self(at) - targets) @ self.jacobian(at) / len(targets)

        steps = step * np.eye(len(parameters))
        rows = [(gradient(parameters + e) - gradient(parameters - e)) / (2 * step) for e in steps]
        return np.array(rows)


@pytest.mark.parametrize("family", ["fcn", "shared", "unshared"])
def test_gauss_newton_bound_oracle_differences(family):
    rng = np.random.default_rng(8)
    ratios = []
    for _ in range(200):
        n_patches = 1 if family == "fcn" else rng.integers(2, 5)
        patches = rng.standard_normal((8, n_patches, 3)) + rng.standard_normal(3)
        w, b, v = draw_network(rng, 3, 4, n_patches if family == "unshared" else None)
        network = Network(patches, 4, family == "unshared")
        exact = network.gauss_newton(network.pack(w, b, v))
        bound = gauss_newton_bound(w, b, v, patches, convention="half")
        assert gauss_newton_bound(w, b, v, patches) == pytest.approx(2 * bound)
        ratios.append(bound / exact)
    assert max(ratios) < 1 + 1e-4  # differences across a kink are off by as much
    assert np.median(ratios) > 0.3  # and it says something
    assert max(ratios) > 0.8


def test_gauss_newton_bound_closed_form():
    # One sample: the Gauss-Newton matrix has rank one, and the squared gradient is its eigenvalue.
    rng = np.random.default_rng(9)
    patches = rng.standard_normal((1, 3, 2))
    w, b, v = draw_network(rng, 2, 5, n_patches=3)
    network = Network(patches, 5, unshared=True)
    exact = network.gauss_newton(network.pack(w, b, v))
    assert gauss_newton_bound(w, b, v, patches, convention="half") == pytest.approx(exact, rel=1e-6)
    # With outer weights that balance the two parts of the gradient the shared bound is exact, too.
    w, b, _ = draw_network(rng, 2, 5)
    means = half_space_means(patches[0], w, b)
    v = means.activation / np.where(means.slope > 0, means.slope, 1)
    network = Network(patches, 5, unshared=False)
    exact = network.gauss_newton(network.pack(w, b, v))
    assert exact > 1.1
    assert gauss_newton_bound(w, b, v, patches, convention="half") == pytest.approx(exact, rel=1e-6)


def test_gauss_newton_bound_limit_dead_network():
    w, b, v, inputs = np.ones((4, 3)), np.full(4, -9.0), np.ones(4), np.ones((5, 3))
    assert gauss_newton_bound(w, b, v, inputs, convention="half") == 1
    assert gauss_newton_bound(w, b, v, inputs) == 2
    with pytest.raises(ValueError, match="convention must be 'mse' or 'half', got 'log_loss'"):
        gauss_newton_bound(w, b, v, inputs, convention="log_loss")


@pytest.mark.parametrize("n_patches", [1, 3])
def test_path_norm_bound_oracle_full_hessian(n_patches):
    rng = np.random.default_rng(10)
    slacks = []
    for _ in range(40):
        patches = rng.standard_normal((10, n_patches, 2))
        targets = 0.3 * rng.standard_normal(10)
        w, b, v = draw_network(rng, 2, 3)
        network = Network(patches, 3, unshared=False)
        parameters = network.pack(w, b, v)
        hessian = network.half_loss_hessian(parameters, targets)
        sharpness = np.linalg.eigvalsh((hessian + hessian.T) / 2)[-1]
        loss = np.mean((network(parameters) - targets) ** 2) / 2
        radius = np.linalg.norm(patches, axis=-1).max()
        bound = path_norm_bound(sharpness, loss, radius, convention="half")
        assert path_norm_bound(2 * sharpness, 2 * loss, radius) == pytest.approx(bound)
        slacks.append(bound - weighted_path_norm(w, b, v, patches))
    assert min(slacks) > 0


def test_path_norm_bound_closed_form_and_contract():
    # The published flat run: learning rate 0.2 for the mean squared error, patches of norm 1.
    edge = stability_threshold(0.2)
    assert path_norm_bound(edge, 0, 1) == pytest.approx(2)
    assert path_norm_bound(edge / 2, 0, 1, convention="half") == pytest.approx(2)
    assert path_norm_bound(10, 0.25, 2) == pytest.approx(2 + 3 * 0.5)
    assert path_norm_bound(10, 0.25, 2, convention="half") == pytest.approx(4.5 + 3 * 0.5**0.5)
    with pytest.warns(RuntimeWarning, match="not finite: the loss has no Hessian there"):
        bounds = path_norm_bound([np.nan, 10, 10], [0, np.inf, 0], 1)
    np.testing.assert_array_equal(bounds, [np.nan, np.nan, 2])
    with pytest.raises(ValueError, match=r"mean_loss must be at least 0, got -1\.0"):
        path_norm_bound(10, -1, 1)
    with pytest.raises(ValueError, match="radius must be finite and at least 0, got nan"):
        path_norm_bound(10, 1, np.nan)
    with pytest.raises(ValueError, match="convention must be 'mse' or 'half', got 'log_loss'"):
        path_norm_bound(10, 1, 1, convention="log_loss")


def test_generalization_gap_closed_form_published_tables():
    # Train error, excess and gap of published runs with noise 1, to four digits.
    train = [0.2442, 0.5160, 0.7908, 0.9043, 0.9713, 1.0044]
    excess = [0.8028, 0.4446, 0.2626, 0.0966, 0.0336, 0.0180]
    gaps = [1.5586, 0.9286, 0.4718, 0.1923, 0.0624, 0.0136]
    np.testing.assert_allclose(generalization_gap(excess, 1.0, train), gaps, atol=1.01e-4)
    assert generalization_gap(0.0, 0.5, 1.0) == pytest.approx(0.75)
    with pytest.raises(ValueError, match=r"train_error must be finite and at least 0, got -1\.0"):
        generalization_gap(0.1, 1.0, -1.0)


# --- the flat interpolator -----------------------------------------------------------------------


def flat_run(n_samples, n_patches, patch_size, seed):
    rng = np.random.default_rng(seed)
    patches = draw_directions(rng, n_samples * n_patches, patch_size)
    targets = rng.standard_normal(n_samples)
    return patches.reshape(n_samples, n_patches, patch_size), targets


def closed_jacobian(patches, w, b, v):
    """Derivatives by hand, by weights, biases, outer weights and output bias."""
    n_samples, n_patches, _ = patches.shape
    responses = patches @ w.T + b  # (n_samples, n_patches, n_filters)
    slopes = (responses > 0) * v / n_patches
    by_w = np.einsum("ijk,ijm->ikm", slopes, patches).reshape(n_samples, -1)
    outer = np.maximum(responses, 0).mean(axis=1)
    return np.hstack([by_w, slopes.sum(axis=1), outer, np.ones((n_samples, 1))])


@pytest.mark.parametrize("n_patches", [1, 8])
def test_flat_interpolator_oracle_certificate(n_patches):
    patches, targets = flat_run(64, n_patches, 10, seed=11)
    w, b, v, bound = flat_interpolator(patches, targets, convention="half")
    responses = patches @ w.T + b
    np.testing.assert_allclose(
        np.maximum(responses, 0).mean(axis=1) @ v, targets, rtol=0, atol=1e-13
    )
    assert np.count_nonzero(responses > 0) == 64  # each filter sees one patch
    jacobian = closed_jacobian(patches, w, b, v)
    sharpness = np.linalg.eigvalsh(jacobian @ jacobian.T / 64)[-1]
    assert 1 < sharpness < bound
    limit = 1 + (np.max(targets**2) + 2 / n_patches**2) / 64
    assert bound == pytest.approx(limit)
    assert flat_interpolator(patches, targets).sharpness_bound == pytest.approx(2 * limit)
    # Below the edge of every stable learning rate up to nearly 2, with targets that are noise.
    assert bound < stability_threshold(1.6)


def test_flat_interpolator_oracle_full_hessian():
    # Second differences of the whole loss: the residual part is really gone.
    patches, targets = flat_run(6, 3, 4, seed=12)
    w, b, v, bound = flat_interpolator(patches, targets, convention="half")
    network = Network(patches, 6, unshared=False)
    parameters = network.pack(w, b, v)
    hessian = network.half_loss_hessian(parameters, targets)
    jacobian = closed_jacobian(patches, w, b, v)
    np.testing.assert_allclose(hessian, jacobian.T @ jacobian / 6, atol=1e-5)
    assert np.linalg.eigvalsh((hessian + hessian.T) / 2)[-1] < bound


def test_flat_interpolator_limit_costs_nothing_in_weighted_path_norm():
    # A large plain path norm, and a weighted one that is tiny.
    patches, targets = flat_run(64, 8, 10, seed=13)
    w, b, v, _ = flat_interpolator(patches, targets)
    assert path_norm(w, v) > 64 * np.abs(targets).mean() * 8
    assert weighted_path_norm(w, b, v, patches) < 0.05 * np.abs(targets).mean()
    np.testing.assert_allclose(activation_rates(w, b, patches), 1 / (64 * 8))


def test_flat_interpolator_contract():
    patches, targets = flat_run(5, 3, 4, seed=14)
    network = flat_interpolator(patches, np.zeros(5))
    assert not network.inner_weights.any()
    assert (network.biases < 0).all()
    with pytest.raises(ValueError, match=r"patches must have norm 1, .* got norms from 2 to 2"):
        flat_interpolator(2 * patches, targets)
    with pytest.raises(ValueError, match=r"patches must have shape .*, got shape \(5, 12\)"):
        flat_interpolator(patches.reshape(5, 12), targets)
    with pytest.raises(ValueError, match=r"targets must have shape \(5,\), got \(4,\)"):
        flat_interpolator(patches, targets[:4])
    patches[3, 1] = patches[0, 0]
    with pytest.raises(ValueError, match="that of sample 0 occurs again"):
        flat_interpolator(patches, targets)


# --- exponents -----------------------------------------------------------------------------------


def balance(mass_power, complexity_power, deviation):
    """Best exponent of max(e^mass_power, e^-complexity_power n^-deviation), by linear programming.

    With e = n^-s and the rate n^-r it is the largest r at most mass_power s and at most
    deviation - complexity_power s.
    """
    result = linprog([-1, 0], A_ub=[[1, -mass_power], [1, complexity_power]], b_ub=[0, deviation])
    return -result.fun


def test_exponents_closed_form():
    shared = gap_exponent("cnn", "sphere", [50, 100, 200, 400], patch_size=10)
    np.testing.assert_allclose(shared, [0.143, 0.155, 0.161, 0.164], atol=5e-4)
    d = np.arange(1, 9)
    np.testing.assert_allclose(gap_exponent("fcn", "beta", d, alpha=1), 1 / (2 * d + 2))
    np.testing.assert_allclose(
        gap_exponent("fcn", "beta", d, "lower", alpha=1), gap_exponent("fcn", "ball", d, "lower")
    )
    assert gap_exponent("fcn", "ball", 1) == pytest.approx(1 / 6)
    assert gap_exponent("fcn", "ball_mixture", 1) == pytest.approx(1 / 6)
    np.testing.assert_allclose(
        gap_exponent("fcn", "ball", [1, 2, 3], "minimax"), [1 / 2, 2 / 3, 1 / 2]
    )
    np.testing.assert_array_equal(gap_exponent("fcn", "ball", [1, 7], "low_norm"), 0.25)


def test_exponents_oracle_balance():
    for d, m in [(20, 3), (50, 10), (400, 10)]:
        # Mass of a shell of patches e^((d - m)/2), weight e^d, complexity n^-1/2 over the weight.
        expected = balance((d - m) / 2, d, 0.5)
        assert gap_exponent("cnn", "sphere", d, patch_size=m) == pytest.approx(expected)
    for d, alpha in [(1, 0.3), (3, 0.3), (5, 1.0), (8, 5.0)]:
        # Depth form: weight e^(d + 2 alpha) to the power -d/(2d + 3), times n^-(d + 3)/(4d + 6).
        expected = balance(alpha, (d + 2 * alpha) * d / (2 * d + 3), (d + 3) / (4 * d + 6))
        assert gap_exponent("fcn", "beta", d, alpha=alpha) == pytest.approx(expected)


def test_exponents_limits():
    # Small patches: 1/6. Beta towards the sphere: no rate. Upper bounds never beat lower ones.
    assert gap_exponent("cnn", "sphere", 10**6, patch_size=10) == pytest.approx(1 / 6, abs=1e-5)
    assert gap_exponent("fcn", "beta", 5, alpha=1e-6) < 1e-6
    assert gap_exponent("fcn", "sphere", 5) == 0
    assert gap_exponent("cnn", "patch_wise_sphere", 5) == 0
    d, alpha = np.meshgrid(np.arange(1, 30), [0.1, 1, 10])
    upper, lower = (gap_exponent("fcn", "beta", d, b, alpha=alpha) for b in ("upper", "lower"))
    assert (upper < lower).all()
    assert (gap_exponent("fcn", "ball", d) < gap_exponent("fcn", "ball", d, "lower")).all()


def test_exponents_contract():
    exponents = gap_exponent("cnn", "sphere", [[50], [100]], patch_size=[1, 2, 3])
    assert exponents.shape == (2, 3)
    assert np.ndim(gap_exponent("fcn", "ball", 3)) == 0
    with pytest.raises(ValueError, match="no lower bound for family='cnn' and law='sphere'"):
        gap_exponent("cnn", "sphere", 50, "lower", patch_size=10)
    with pytest.raises(ValueError, match="cnn sphere upper needs patch_size, got patch_size=None"):
        gap_exponent("cnn", "sphere", 50)
    with pytest.raises(ValueError, match="fcn ball upper does not have alpha, got alpha=2"):
        gap_exponent("fcn", "ball", 5, alpha=2)
    with pytest.raises(ValueError, match=r"patch_size must be below n_features=10\.0, got 10\.0"):
        gap_exponent("cnn", "sphere", 10, patch_size=10)
    with pytest.raises(ValueError, match=r"alpha must be above 0, got 0\.0"):
        gap_exponent("fcn", "beta", 5, alpha=0)
    with pytest.raises(ValueError, match="n_features must be an integer of at least 1, got 0"):
        gap_exponent("fcn", "ball", 0)
