"""Predictors of largest margin against closed forms, brute force and general solvers."""

import re
import sys
from itertools import chain, combinations, product

import numpy as np
import pytest
from scipy.linalg import eigh, null_space
from scipy.optimize import minimize

from sklcnn.theory import (
    balanced_layers,
    check_separable,
    coef_norm,
    end_to_end_coef,
    fourier_coef,
    max_margin,
    stationarity,
    stationary_points,
)
from sklcnn.theory.linear_networks.bridge import reweight
from sklcnn.theory.linear_networks.spectra import fourier_coordinates

CONVEX = [
    ("l2", {}),
    ("l1", {}),
    ("fourier_l1", {}),
    ("kernel_width", {"kernel_size": 3}),
]
DEEP = [(norm, {"depth": depth}) for norm in ("bridge", "fourier_bridge") for depth in (3, 4)]


def draw(n_samples, n_features, seed=0):
    """Gaussian samples with random labels: separable while there are no more than features."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n_samples, n_features)), rng.choice([-1, 1], n_samples)


# --- general solvers and brute force -------------------------------------------------------------


@pytest.mark.parametrize(("n_samples", "n_features"), [(3, 8), (6, 6), (12, 30)])
def test_l2_oracle_quadratic_program(n_samples, n_features):
    X, y = draw(n_samples, n_features)
    signed = X * y[:, None]
    program = minimize(
        lambda coef: (coef @ coef / 2, coef),
        np.linalg.pinv(signed) @ np.ones(n_samples),
        jac=True,
        constraints={"type": "ineq", "fun": lambda c: signed @ c - 1, "jac": lambda c: signed},
        options={"ftol": 1e-15},
    )
    found = max_margin(X, y)
    np.testing.assert_allclose(found.coef, program.x, atol=1e-6)  # what the program is solved to
    np.testing.assert_allclose((signed @ found.coef).min(), 1, rtol=1e-14)
    cone = signed.T @ found.dual_coef  # has norm 1: the multipliers are those of the norm
    np.testing.assert_allclose(cone, found.coef * found.margin, atol=1e-13)


def test_l2_oracle_cvxpy():
    cvxpy = pytest.importorskip("cvxpy")
    X, y = draw(30, 20)
    y = np.sign(X @ np.ones(20))
    coef = cvxpy.Variable(20)
    margins = cvxpy.multiply(y, X @ coef) >= 1
    cvxpy.Problem(cvxpy.Minimize(cvxpy.sum_squares(coef)), [margins]).solve(solver="CLARABEL")
    np.testing.assert_allclose(max_margin(X, y).coef, coef.value, rtol=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_l1_oracle_all_vertices(seed):
    """The optimum is at a vertex: few coefficients, as many margins of 1."""
    X, y = draw(3, 5, seed)
    assert max_margin(X, y, "l1").norm_value == pytest.approx(best_vertex(X, y, power=1), rel=1e-12)


def best_vertex(X, y, power):
    """Least sum of powers over all vertices of the feasible set of small data, by brute force."""
    signed, best = X * y[:, None], np.inf
    for size in range(1, len(X) + 1):
        for support in combinations(range(X.shape[1]), size):
            for rows in combinations(range(len(X)), size):
                coef = np.zeros(X.shape[1])
                coef[list(support)] = np.linalg.solve(signed[np.ix_(rows, support)], np.ones(size))
                if (signed @ coef).min() > 1 - 1e-9:
                    best = min(best, (np.abs(coef) ** power).sum() ** (1 / power))
    return best


@pytest.mark.parametrize("depth", [3, 4])
@pytest.mark.parametrize("seed", range(3))
def test_bridge_oracle_all_vertices(seed, depth):
    """A concave sum has its minimum at a vertex as well; random starts find it."""
    X, y = draw(3, 6, seed)
    found = max_margin(X, y, "bridge", depth=depth, n_starts=30, random_state=0)
    assert found.norm_value == pytest.approx(best_vertex(X, y, 2 / depth), rel=1e-12)


@pytest.mark.parametrize("shape", [(16,), (17,), (4, 5)])
@pytest.mark.parametrize("seed", range(2))
def test_fourier_l1_oracle_cone_program(shape, seed):
    cvxpy = pytest.importorskip("cvxpy")
    X, y = draw(5, np.prod(shape), seed)
    eye = np.eye(X.shape[1])
    transform = fourier_coef(eye, shape).T
    coef = cvxpy.Variable(X.shape[1])
    margins = cvxpy.multiply(y, X @ coef) >= 1
    norm = cvxpy.norm1(transform @ coef)
    program = cvxpy.Problem(cvxpy.Minimize(norm), [margins])
    precise = {"tol_gap_abs": 1e-11, "tol_gap_rel": 1e-11, "tol_feas": 1e-11}
    value = program.solve(solver="CLARABEL", **precise)
    found = max_margin(X, y, "fourier_l1", input_shape=shape)
    np.testing.assert_allclose(found.norm_value, value, rtol=1e-8)
    np.testing.assert_allclose(found.coef, coef.value, atol=1e-6)
    np.testing.assert_allclose(found.dual_coef, margins.dual_value, atol=1e-6)


def test_fourier_l1_oracle_more_samples_than_features():
    """The duality gap proves it: samples that the first ones forget must join them."""
    X, _ = draw(60, 24, seed=14)
    y = np.sign(X @ np.arange(-9, 15))
    found = max_margin(X, y, "fourier_l1")
    assert (y * (X @ found.coef)).min() == pytest.approx(1, abs=1e-12)
    assert found.duality_gap < 1e-11
    first = max_margin(X, y).dual_coef > 0
    assert ((found.dual_coef > 0) & ~first).any()  # the case is one of those


def test_fourier_l1_oracle_reweighting():
    X, y = draw(4, 9)
    frame = fourier_coordinates((9,))
    samples = frame.forward(X * y[:, None])
    slow = reweight(samples, frame, 1.0, np.ones(len(frame.multiplicity)))
    found = max_margin(X, y, "fourier_l1")
    np.testing.assert_allclose(frame.backward(slow.coef), found.coef, atol=1e-7)


@pytest.mark.parametrize(("shape", "kernel_size"), [((10,), 1), ((10,), 4), ((3, 4), (2, 2))])
def test_kernel_width_oracle_semidefinite_program(shape, kernel_size):
    pytest.importorskip("cvxpy")
    X, y = draw(4, np.prod(shape))
    options = {"norm": "kernel_width", "input_shape": shape, "kernel_size": kernel_size}
    found = max_margin(X, y, **options)
    general = max_margin(X, y, solver="clarabel", **options)
    np.testing.assert_allclose(found.norm_value, general.norm_value, rtol=1e-8)
    np.testing.assert_allclose(found.coef, general.coef, atol=1e-4)  # flat around the optimum
    assert general.duality_gap < 1e-6


def test_fourier_l1_oracle_solvers_agree():
    pytest.importorskip("cvxpy")
    X, y = draw(5, 16)
    found = max_margin(X, y, "fourier_l1")
    general = max_margin(X, y, "fourier_l1", solver="clarabel")
    np.testing.assert_allclose(found.coef, general.coef, atol=1e-10)


# --- closed forms --------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(7,), (8,), (3, 4)])
def test_one_sample_closed_form(shape):
    x = np.random.default_rng(1).standard_normal(np.prod(shape))
    X, y = -x[None], [-1]
    np.testing.assert_allclose(max_margin(X, y).coef, x / (x @ x), atol=1e-14)
    largest = np.abs(x).argmax()
    expected = np.where(np.arange(x.size) == largest, 1 / x[largest], 0)
    np.testing.assert_allclose(max_margin(X, y, "l1").coef, expected, atol=1e-14)
    spectrum = fourier_coef(x, shape)
    found = max_margin(X, y, "fourier_l1", input_shape=shape)
    winners = np.isclose(np.abs(spectrum), np.abs(spectrum).max())
    np.testing.assert_array_equal(found.support, winners)
    np.testing.assert_allclose(found.norm_value, 1 / np.abs(spectrum).max(), rtol=1e-12)
    phases = np.where(winners, spectrum / np.abs(spectrum), 0)
    expected = phases / (winners.sum() * np.abs(spectrum).max())
    np.testing.assert_allclose(fourier_coef(found.coef, shape), expected, atol=1e-12)
    runner_up = np.abs(spectrum)[~winners].max() / np.abs(spectrum).max()
    np.testing.assert_allclose(found.delta, 1 - runner_up, rtol=1e-9)


def all_supports(n_groups):
    sizes = range(1, n_groups + 1)
    return chain.from_iterable(combinations(range(n_groups), size) for size in sizes)


@pytest.mark.parametrize("depth", [3, 4])
@pytest.mark.parametrize("norm", ["bridge", "fourier_bridge"])
def test_one_sample_closed_form_every_support_is_stationary(norm, depth):
    """With more than one group they are saddles: only single ones are minima."""
    x = np.random.default_rng(2).standard_normal(6)
    frame = fourier_coordinates((6,))
    spectrum = fourier_coef(x) if norm == "fourier_bridge" else x
    group = frame.group if norm == "fourier_bridge" else np.arange(6)
    n_points = 0
    for support in all_supports(group.max() + 1):
        size = np.where(np.isin(group, support), np.abs(spectrum) ** (-depth / (depth - 2)), 0)
        point = size * spectrum / np.abs(spectrum)
        coef = np.fft.ifft(point, norm="ortho").real if norm == "fourier_bridge" else point
        found = stationarity(coef, x[None], [1], norm, depth=depth)
        assert found.residual < 1e-10
        assert found.second_order == ("minimum" if len(support) == 1 else "saddle")
        n_points += 1
    assert n_points == 2 ** (group.max() + 1) - 1


@pytest.mark.parametrize("depth", [3, 4, 6])
def test_one_sample_closed_form_lone_frequencies_beat_pairs(depth):
    frame = fourier_coordinates((8,))
    for seed in range(3):
        x = np.random.default_rng(seed).standard_normal(8)
        scores = np.abs(fourier_coef(x)) * frame.multiplicity[frame.group] ** (1 - depth / 2)
        points = stationary_points(x[None], [1], depth=depth, n_starts=30, random_state=seed)
        np.testing.assert_array_equal(points[0].support, np.isclose(scores, scores.max()))
        for point in points:  # no saddle
            assert len(np.unique(frame.group[point.support])) == 1


@pytest.mark.parametrize(("norm", "options"), [*CONVEX[1:3], DEEP[0], *DEEP[2:]])
def test_disjoint_supports_closed_form_decouple(norm, options):
    """Each sample then has its own part of the coefficients, or of the spectrum."""
    rng = np.random.default_rng(3)
    fourier = norm.startswith("fourier")
    owner = rng.permutation([0, 0, 1, 1, 2, 2, 2])  # of frequencies 0 to 6, or coefficients
    X = []
    for number in range(3):
        part = np.where(owner == number, rng.standard_normal(7), 0)
        X.append(np.fft.irfft(part * np.exp(1j * np.arange(7)), n=13) if fourier else part)
    y = np.array([1, -1, 1])
    settings = {"n_starts": 40, "random_state": 0} if "bridge" in norm else {}
    together = max_margin(X, y, norm, **options, **settings)
    singles = [
        max_margin([x], [label], norm, **options, **settings) for x, label in zip(X, y, strict=True)
    ]
    np.testing.assert_allclose(together.coef, sum(one.coef for one in singles), atol=1e-10)
    power = 2 / options.get("depth", 2)
    total = sum(one.norm_value**power for one in singles)
    np.testing.assert_allclose(together.norm_value**power, total, rtol=1e-10)


@pytest.mark.parametrize("shape", [(9,), (3, 4)])
def test_kernel_width_limit_one_tap_and_all(shape):
    X, y = draw(3, np.prod(shape))
    options = {"norm": "kernel_width", "input_shape": shape}
    narrow, l2 = max_margin(X, y, kernel_size=1, **options), max_margin(X, y)
    np.testing.assert_allclose(narrow.norm_value, X.shape[1] ** 0.5 * l2.norm_value, rtol=1e-12)
    np.testing.assert_allclose(narrow.coef, l2.coef, atol=1e-10)
    wide = max_margin(X, y, kernel_size=None, **options)
    fourier = max_margin(X, y, "fourier_l1", input_shape=shape)
    np.testing.assert_allclose(wide.norm_value, fourier.norm_value, rtol=1e-8)


def test_kernel_width_invariance_wider_has_larger_margin():
    X, y = draw(4, 10)
    margins = [max_margin(X, y, "kernel_width", kernel_size=k).margin for k in range(1, 11)]
    assert np.all(np.diff(margins) > -1e-8)
    assert margins[-1] > 1.05 * margins[0]


def test_bridge_limit_depths_one_and_two():
    X, y = draw(4, 9)
    for bridge, convex in (("bridge", "l1"), ("fourier_bridge", "fourier_l1")):
        np.testing.assert_allclose(
            max_margin(X, y, bridge, depth=1).coef, max_margin(X, y).coef, atol=1e-13
        )
        np.testing.assert_array_equal(max_margin(X, y, bridge).coef, max_margin(X, y, convex).coef)


def test_bridge_limit_at_least_the_convex_norm():
    X, y = draw(5, 12)
    for bridge, convex in (("bridge", "l1"), ("fourier_bridge", "fourier_l1")):
        values = [max_margin(X, y, convex).norm_value]
        for depth in (3, 4, 5):
            found = max_margin(X, y, bridge, depth=depth, n_starts=8, random_state=0)
            values.append(found.norm_value)
        assert np.all(np.diff(values) > 0)


# --- certificates --------------------------------------------------------------------------------


@pytest.mark.parametrize(("norm", "options"), CONVEX + DEEP)
@pytest.mark.parametrize("shape", [(11,), (4, 3)])
def test_certificates_oracle_vanish_at_references(norm, options, shape):
    X, y = draw(4, np.prod(shape), seed=4)
    options = {"input_shape": shape, **options}
    found = max_margin(X, y, norm, **options)
    exact = norm != "kernel_width"
    assert (y * (X @ found.coef)).min() == pytest.approx(1, abs=1e-12)
    assert found.dual_coef.min() >= 0
    slack = y * (X @ found.coef) - 1
    assert found.dual_coef @ slack < 1e-11 * found.norm_value
    assert found.norm_value == pytest.approx(coef_norm(found.coef, norm, **options), rel=1e-8)
    assert found.margin * found.norm_value == pytest.approx(1)
    assert found.dual_coef.sum() == pytest.approx(found.norm_value, rel=1e-10 if exact else 1e-7)
    assert found.residual < (1e-12 if exact else 1e-7)
    certificate = stationarity(found.coef, X, y, norm, **options)
    assert certificate.margin == pytest.approx(found.margin, rel=1e-8)
    assert certificate.residual < (1e-12 if exact else 1e-7)
    assert abs(certificate.slackness) < 1e-8
    assert certificate.second_order == "minimum"
    if norm in dict(CONVEX):
        assert 0 <= found.duality_gap < (1e-12 if exact else 1e-7)
        assert certificate.duality_gap < (1e-12 if exact else 1e-7)
    else:
        assert np.isnan(found.duality_gap)
        assert np.isnan(certificate.duality_gap)


@pytest.mark.parametrize(("norm", "options"), CONVEX)
def test_duality_gap_oracle_bounds_the_true_shortfall(norm, options):
    """From below by the solution, which no direction beats; and it is no trivial bound."""
    X, y = draw(4, 12, seed=5)
    rng, best = np.random.default_rng(0), max_margin(X, y, norm, **options)
    gaps, shortfalls = [], []
    for distance in np.geomspace(1e-4, 0.3, 25):
        step = rng.standard_normal(12) * np.linalg.norm(best.coef) / 12**0.5
        direction = best.coef + distance * step
        certificate = stationarity(direction, X, y, norm, **options)
        gaps.append(certificate.duality_gap)
        margin = (y * (X @ direction)).min() / coef_norm(direction, norm, **options)
        assert certificate.margin == pytest.approx(margin, rel=1e-7)
        shortfalls.append(1 - margin * best.norm_value)
    assert np.all(np.array(gaps) >= np.array(shortfalls) - 1e-8)
    assert np.all(np.array(shortfalls) > 0)
    assert gaps[0] < 1e-2
    assert gaps[0] < 0.1 * gaps[-1]


@pytest.mark.parametrize(("norm", "options"), CONVEX + DEEP)
def test_certificates_oracle_positive_elsewhere(norm, options):
    X, y = draw(4, 12, seed=5)
    others = [name for name in ("l2", "l1", "fourier_l1") if name != norm]
    for other in others:  # the solutions of other norms
        certificate = stationarity(max_margin(X, y, other).coef, X, y, norm, **options)
        if norm in dict(CONVEX):
            assert certificate.duality_gap > 1e-3
            assert certificate.second_order == "undecided"
        if norm not in ("l1", "bridge") or other != "l1":
            assert max(certificate.residual, certificate.slackness) > 1e-2


ARCHITECTURES = {"l2": "full", "bridge": "diagonal", "fourier_bridge": "convolutional"}


@pytest.mark.parametrize(
    ("norm", "depth"), [("l2", 1), *product(["bridge", "fourier_bridge"], [2, 3, 4])]
)
def test_residual_oracle_gradients_of_the_weights(norm, depth):
    """The predictor is linear in each layer, so that unit vectors give its gradients."""
    X, y = draw(3, 6, seed=6)
    direction = max_margin(X, y).coef + 0.02 * np.random.default_rng(0).standard_normal(6)
    found = stationarity(direction, X, y, norm, depth=depth)
    coef = direction / (y * (X @ direction)).min()
    layers = balanced_layers(coef, ARCHITECTURES[norm], depth=depth)

    def gradients(target):
        for number, layer in enumerate(layers):
            for place in np.ndindex(layer.shape):
                unit = np.zeros(layer.shape)
                unit[place] = 1
                probe = [*layers[:number], unit, *layers[number + 1 :]]
                yield target @ end_to_end_coef(probe, ARCHITECTURES[norm])

    weights = np.concatenate([layer.ravel() for layer in layers])
    pulled = np.array([*gradients((found.dual_coef * y) @ X)])
    scale = coef_norm(coef, norm, depth=depth) ** (1 - 2 / depth)  # that of the powers to the norm
    residual = np.linalg.norm(weights - pulled / scale) / np.linalg.norm(weights)
    assert found.residual == pytest.approx(residual, rel=1e-9)
    assert residual > 1e-3
    longer = 20 * direction  # alignment depends on the length: softmax weights
    margins = y * (X @ longer)
    pulled = np.array([*gradients((np.exp(-margins) * y) @ X)])
    cosine = weights @ pulled / np.linalg.norm(weights) / np.linalg.norm(pulled)
    alignment = stationarity(longer, X, y, norm, depth=depth).alignment
    assert alignment == pytest.approx(1 - cosine, rel=1e-9)


def find_curvature(coef, X, norm, depth):
    """Least second difference of the penalty along directions that keep zeros and margins."""
    power, n_features = 2 / depth, len(coef)
    fourier = norm == "fourier_bridge"
    basis = fourier_coordinates((n_features,)).backward(np.eye(n_features)) if fourier else None
    basis = np.eye(n_features) if basis is None else basis  # (n_features, n_features)

    def sizes(signal):
        return np.abs(fourier_coef(signal)) if fourier else np.abs(signal)

    inside = sizes(coef) > 1e-9
    free = null_space(X @ basis[inside].T)  # (n_inside, n_free)
    if not free.shape[1]:
        return np.inf
    directions = (basis[inside].T @ free).T
    step = 1e-3 * sizes(coef)[inside].min()

    def penalty(*shifts):
        return (sizes(coef + step * sum(shifts))[inside] ** power).sum()

    hessian = np.array(
        [
            [penalty(a, b) - penalty(a, -b) - penalty(b, -a) + penalty(-a, -b) for a in directions]
            for b in directions
        ]
    ) / (4 * step**2)
    metric = power * sizes(coef)[inside] ** (power - 2)
    return eigh(hessian, free.T @ (metric[:, None] * free), eigvals_only=True)[0]


@pytest.mark.parametrize("norm", ["bridge", "fourier_bridge"])
@pytest.mark.parametrize("depth", [3, 4])
def test_curvature_oracle_finite_differences(norm, depth):
    X, y = draw(4, 9, seed=7)
    cases = [
        (point.coef, X, y)
        for point in stationary_points(X, y, norm, depth=depth, n_starts=4, random_state=0)
    ]
    x = np.random.default_rng(0).uniform(0.7, 1.4, 9)  # one sample: saddles in closed form
    x = fourier_coordinates((9,)).backward(x) if norm == "fourier_bridge" else x
    spectrum = fourier_coef(x) if norm == "fourier_bridge" else x
    for groups in ([0], [1], [0, 1], [1, 2, 3]):
        support = np.isin(np.minimum(np.arange(9), -np.arange(9) % 9), groups)
        support = support if norm == "fourier_bridge" else np.isin(np.arange(9), groups)
        sizes = np.where(support, np.abs(spectrum) ** (-depth / (depth - 2)), 0)
        point = sizes * spectrum / np.abs(spectrum)
        coef = np.fft.ifft(point, norm="ortho").real if norm == "fourier_bridge" else point
        cases.append((coef / (x @ coef), x[None], [1]))
    kinds = set()
    for coef, samples, labels in cases:
        found = stationarity(coef, samples, labels, norm, depth=depth, tol=1e-9)
        curvature = find_curvature(coef, samples[found.dual_coef > 1e-9], norm, depth)
        assert found.min_curvature == pytest.approx(curvature, abs=1e-3)
        assert found.second_order == ("minimum" if curvature > 0 else "saddle")
        kinds.add((found.second_order, bool(np.isfinite(curvature))))
    assert ("saddle", True) in kinds
    assert ("minimum", norm == "fourier_bridge") in kinds  # only phases can bend upwards


def test_second_order_closed_form_sample_on_the_margin_without_weight():
    """It blocks the way down from a saddle, but only to one side: nothing is decided."""
    saddle = np.array([0.25, 1.0])  # inverse squares of the sample
    X = np.array([[2.0, 1.0], [-2.0, 2.0]])
    alone = stationarity(saddle, X[:1], [1], "bridge", depth=4)
    assert alone.second_order == "saddle"
    both = stationarity(saddle, X, [1, 1], "bridge", depth=4)
    assert both.residual < 1e-12
    assert both.dual_coef[1] == pytest.approx(0, abs=1e-12)
    assert both.min_curvature == pytest.approx(alone.min_curvature)
    assert both.second_order == "undecided"


def test_stationarity_contract_direction_that_does_not_separate():
    X, y = draw(4, 9)
    found = stationarity(-max_margin(X, y).coef, X, y)
    assert found.margin < 0
    assert (found.duality_gap, found.residual, found.second_order) == (1, 1, "undecided")
    assert np.isnan(found.slackness)
    deep = stationarity(-max_margin(X, y).coef, X, y, "bridge", depth=3)
    assert np.isnan(deep.duality_gap)


def test_stationarity_invariance_length_and_small_coefficients():
    X, y = draw(4, 9)
    for norm in ("fourier_l1", "fourier_bridge"):
        options = {"depth": 3} if norm == "fourier_bridge" else {}
        coef = max_margin(X, y, norm, **options).coef
        noisy = 1e3 * (coef + 1e-9 * np.random.default_rng(0).standard_normal(9))
        found = stationarity(noisy, X, y, norm, **options)
        assert found.residual < 1e-7
        assert found.second_order == "minimum"
        untouched = stationarity(noisy, X, y, norm, tol=0, **options)
        assert untouched.residual > 10 * found.residual


# --- uniqueness ----------------------------------------------------------------------------------


def test_uniqueness_closed_form_ties():
    impulse = [[1.0, 0.0, 0.0, 0.0]]  # all frequencies are equally strong
    assert max_margin(impulse, [1], "l1").unique is True
    tied = max_margin(impulse, [1], "fourier_l1")
    assert tied.unique is False
    assert tied.delta == pytest.approx(0, abs=1e-12)
    constant = np.ones((1, 4))
    assert max_margin(constant, [1], "l1").unique is False
    assert max_margin(constant, [1], "fourier_l1").unique is True
    assert max_margin(constant, [1]).unique is True
    assert max_margin(constant, [1], "bridge", depth=3).unique is None


@pytest.mark.parametrize("norm", ["l1", "fourier_l1"])
def test_uniqueness_oracle_repeated_samples_change_nothing(norm):
    X, y = draw(4, 11, seed=8)
    once, thrice = max_margin(X, y, norm), max_margin(np.tile(X, (3, 1)), np.tile(y, 3), norm)
    assert once.unique is True
    assert thrice.unique is True
    np.testing.assert_allclose(thrice.coef, once.coef, atol=1e-12)
    np.testing.assert_allclose(thrice.dual_coef.reshape(3, 4).sum(axis=0), once.dual_coef)


def test_uniqueness_oracle_equal_columns_share():
    """Two equal columns can share a coefficient in any way, if it is not zero."""
    X, y = draw(4, 11, seed=8)
    found = max_margin(X, y, "l1")
    used, unused = np.flatnonzero(found.support)[0], np.flatnonzero(~found.support)[0]
    assert max_margin(np.column_stack([X, X[:, used]]), y, "l1").unique is False
    assert max_margin(np.column_stack([X, X[:, unused]]), y, "l1").unique is True


def test_delta_oracle_spectrum_of_the_dual():
    X, y = draw(4, 11, seed=9)
    for norm, transform in (("l1", np.array), ("fourier_l1", fourier_coef)):
        found = max_margin(X, y, norm)
        dual = np.abs(transform((found.dual_coef * y) @ X))
        np.testing.assert_allclose(dual[found.support], 1, rtol=1e-12)
        np.testing.assert_allclose(found.delta, 1 - dual[~found.support].max(), rtol=1e-9)
        assert found.delta > 0
        zero = np.abs(transform(found.coef)) < 1e-10
        np.testing.assert_array_equal(found.support, ~zero)


# --- invariances ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("norm", "options"), CONVEX + DEEP)
def test_solution_invariance_scale_order_and_columns_of_zeros(norm, options):
    X, y = draw(4, 9, seed=10)
    tolerance = 1e-6 if norm == "kernel_width" else 1e-9
    base = max_margin(X, y, norm, **options).coef
    for factor in (1e-6, 1e6):
        scaled = max_margin(factor * X, y, norm, **options)
        np.testing.assert_allclose(factor * scaled.coef, base, atol=tolerance)
    np.testing.assert_allclose(
        max_margin(X[::-1], y[::-1], norm, **options).coef, base, atol=tolerance
    )
    np.testing.assert_allclose(max_margin(-X, -y, norm, **options).coef, base, atol=tolerance)
    if "fourier" not in norm and norm != "kernel_width":
        padded = max_margin(np.column_stack([X, np.zeros(4)]), y, norm, **options)
        np.testing.assert_allclose(padded.coef, [*base, 0], atol=tolerance)


@pytest.mark.parametrize(("norm", "options"), [*CONVEX[2:], ("fourier_bridge", {"depth": 3})])
def test_solution_invariance_shifted_samples(norm, options):
    X, y = draw(4, 9, seed=11)
    base = max_margin(X, y, norm, **options).coef
    shifted = max_margin(np.roll(X, 2, axis=1), y, norm, **options).coef
    tolerance = 1e-6 if norm == "kernel_width" else 1e-9
    np.testing.assert_allclose(shifted, np.roll(base, 2), atol=tolerance)


def test_solution_invariance_samples_beyond_the_margin():
    """Many samples, of which few matter: adding more that do not changes nothing."""
    X, y = draw(6, 16, seed=12)
    for norm, options in (*CONVEX, ("fourier_bridge", {"depth": 3})):
        base = max_margin(X, y, norm, **options)
        more = np.random.default_rng(0).standard_normal((300, 16))
        margins = more @ base.coef
        more, margins = more[np.abs(margins) > 1.1], margins[np.abs(margins) > 1.1]
        found = max_margin(np.vstack([X, more]), np.r_[y, np.sign(margins)], norm, **options)
        assert len(more) > 20
        assert found.norm_value == pytest.approx(base.norm_value, rel=1e-7)
        np.testing.assert_allclose(found.coef, base.coef, atol=1e-5)
        assert not found.dual_coef[6:].any()


# --- stationary points ---------------------------------------------------------------------------


def test_stationary_points_contract_order_start_and_seed():
    X, y = draw(5, 16, seed=13)
    points = stationary_points(X, y, depth=3, n_starts=12, random_state=0)
    norms = [point.norm_value for point in points]
    assert len(points) > 3
    assert norms == sorted(norms)
    again = stationary_points(X, y, depth=3, n_starts=12, random_state=0)
    np.testing.assert_array_equal([p.coef for p in again], [p.coef for p in points])
    best = max_margin(X, y, "fourier_bridge", depth=3, n_starts=12, random_state=0)
    np.testing.assert_array_equal(best.coef, points[0].coef)
    rng = np.random.default_rng(0)
    for point in points:  # a trained predictor leads to the point next to it
        assert point.residual < 1e-10
        trained = 7 * (point.coef + 1e-3 * np.linalg.norm(point.coef) * rng.standard_normal(16) / 4)
        polished = max_margin(X, y, "fourier_bridge", depth=3, start=trained)
        np.testing.assert_allclose(polished.coef, point.coef, atol=1e-9)
        assert stationarity(point.coef, X, y, "fourier_bridge", depth=3).second_order == "minimum"


def test_solution_contract_global_generator_is_untouched():
    X, y = draw(4, 9)
    before = np.random.get_state()[1].copy()
    for norm, options in CONVEX + DEEP:
        max_margin(X, y, norm, n_starts=2, **options)
    np.testing.assert_array_equal(np.random.get_state()[1], before)


# --- bad input -----------------------------------------------------------------------------------


def test_separability_closed_form_certificate():
    """The weights in the message make the signed samples, scaled to norm 1, vanish."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((40, 4)), rng.choice([-1, 1], 40)
    with pytest.raises(ValueError, match="separable by a hyperplane through the origin") as error:
        check_separable(X, y)
    found = re.findall(r"([\d.e-]+) of sample (\d+)", str(error.value))
    weights, rows = np.array([(float(w), int(i)) for w, i in found]).T
    signed = (y / np.linalg.norm(X, axis=1))[:, None] * X
    assert 2 <= len(weights) <= 5
    assert weights.sum() == pytest.approx(1, abs=1e-3)  # four digits are printed
    np.testing.assert_allclose(weights @ signed[rows.astype(int)], 0, atol=1e-3)


@pytest.mark.parametrize("exponent", [0, 3, 6, 9])
def test_separability_limit_thin_wedges(exponent):
    """Opposite samples, turned towards each other by an angle down to 1e-9, are separable."""
    angle = 10.0**-exponent
    X = [[np.cos(angle), np.sin(angle)], [-np.cos(angle), np.sin(angle)]]
    check_separable(X, [1, 1])
    coef = max_margin(X, [1, 1]).coef * np.sin(angle)
    np.testing.assert_allclose(coef, [0, 1], atol=1e-6)


@pytest.mark.parametrize("function", [check_separable, max_margin])
@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        ([[1.0, 0.0], [2.0, 0.0]], [1, -1], r"0\.5 of sample 0, 0\.5 of sample 1"),
        ([[1.0, 0.0], [0.0, 0.0]], [1, 1], "1 of sample 1"),
        ([[1.0, 0.0]], [0], r"y must hold the labels -1 and 1, got \[0\.\]"),
        ([[1.0, 0.0]] * 3, [1, -1, 2], "y must hold the labels -1 and 1"),
        ([[1.0, 0.0]], [1, 1], r"y must have shape \(1,\), one label for each sample, got \(2,\)"),
        ([[np.nan, 0.0]], [1], "X must be finite"),
        ([[1.0, 0.0]], [np.inf], "y must be finite"),
        ([1.0, 0.0], [1, 1], r"at least one of each, got \(2,\)"),
        (np.ones((2, 0)), [1, 1], r"at least one of each, got \(2, 0\)"),
        (np.ones((0, 2)), [], r"at least one of each, got \(0, 2\)"),
    ],
)
def test_samples_contract_bad_input(function, X, y, message):
    with pytest.raises(ValueError, match=message):
        function(X, y)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"norm": "linf"}, "norm must be 'l2' or .*, got 'linf'"),
        ({"norm": "bridge", "depth": 0}, "depth must be an integer of at least 1, got 0"),
        ({"norm": "fourier_l1", "depth": 3}, "norm='fourier_bridge' has any depth"),
        ({"norm": "kernel_width", "kernel_size": 10}, r"of at most \(9,\), got 10"),
        ({"norm": "fourier_l1", "input_shape": (2, 4)}, "with 9 features in all"),
        ({"norm": "bridge", "depth": 3, "start": np.zeros(9)}, "not be zero"),
        ({"norm": "bridge", "depth": 3, "start": np.ones(8)}, r"start must have shape \(9,\)"),
        ({"norm": "bridge", "depth": 3, "n_starts": 0}, "n_starts must be an integer of at least"),
        ({"solver": "ecos"}, "solver must be 'scipy' or 'clarabel', got 'ecos'"),
    ],
)
def test_solution_contract_bad_input(options, message):
    X, y = draw(4, 9)
    with pytest.raises(ValueError, match=message):
        max_margin(X, y, **options)


def test_certificates_contract_bad_input():
    X, y = draw(4, 9)
    with pytest.raises(ValueError, match=r"direction must have shape \(9,\) and not be zero, got"):
        stationarity(np.ones(8), X, y)
    with pytest.raises(ValueError, match="of zeros"):
        stationarity(np.zeros(9), X, y)
    with pytest.raises(ValueError, match="tol must be finite and at least 0"):
        stationarity(np.ones(9), X, y, tol=-1)
    with pytest.raises(ValueError, match="got 'fourier_bridge' and 2: the norm is convex"):
        stationary_points(X, y, depth=2)


@pytest.mark.parametrize("norm", ["fourier_l1", "kernel_width"])
def test_solver_contract_missing_extra(norm, monkeypatch):
    monkeypatch.setitem(sys.modules, "cvxpy", None)
    X, y = draw(4, 9)
    with pytest.raises(ImportError, match=r'pip install "sklcnn\[linear\]"'):
        max_margin(X, y, norm, solver="clarabel")
    assert max_margin(X, y, norm).duality_gap < 1e-7
