"""The neighbors' separation tasks: their moments, their best rules, and their rotations."""

import copy
import itertools
import pickle

import numpy as np
import pandas as pd
import pytest
from scipy.linalg import block_diag
from scipy.signal import correlate
from scipy.stats import chisquare, kstest, norm, uniform
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.model_selection import cross_val_score
from sklearn.utils.validation import check_is_fitted

from sklcnn.datasets import DynamicSignal
from sklcnn.datasets.detection import PatternDetection, ReplacedPatch
from sklcnn.datasets.patterns import KPattern, SignedOneHot, Textures
from sklcnn.datasets.rotations import RotatedLaw, draw_rotations
from sklcnn.datasets.sphere import SphereTeacher
from sklcnn.datasets.symmetry import ChannelNorm, LinearConvolution, LocalPairs, QuadraticHalves

SIGN_LAWS = [
    QuadraticHalves(12),
    ChannelNorm((3, 2, 4)),
    SignedOneHot(9),
    Textures(7),
    Textures(4),
    KPattern(12, 3, random_state=0),
    KPattern(12, 3, scattered=True, random_state=0),
    PatternDetection(5, 6, random_state=0),
    PatternDetection(1, 5, n_spurious=2, random_state=0),
    ReplacedPatch(30, 4),
    ReplacedPatch(4, 3, noise=2.0),
]
REGRESSIONS = [
    LocalPairs(6, 0.3),
    LocalPairs(6, 0.3, signs="random", random_state=0),
    LinearConvolution(12, 4, 2, 0.3, random_state=0),
    LinearConvolution(12, 4, 1, 0.3, readout="weighted", random_state=0),
]
ROTATED = [
    RotatedLaw(DynamicSignal(4, 3, 0.3, random_state=0), random_state=0),
    RotatedLaw(DynamicSignal(4, 3, 0.3, random_state=0), "block", random_state=0),
    RotatedLaw(KPattern(12, 3, random_state=0), "block", patch_size=4, random_state=0),
    RotatedLaw(PatternDetection(5, 6, random_state=0), "shared", random_state=0),
    RotatedLaw(SphereTeacher(12, 4, 3, 0.01, random_state=0), "shared", random_state=0),
    RotatedLaw(LinearConvolution(12, 4, 2, 0.3, random_state=0), random_state=0),
]
LAWS = SIGN_LAWS + REGRESSIONS + ROTATED
each_law = pytest.mark.parametrize("law", LAWS, ids=repr)
each_sign_law = pytest.mark.parametrize("law", SIGN_LAWS, ids=repr)
each_regression = pytest.mark.parametrize("law", REGRESSIONS, ids=repr)
each_rotation = pytest.mark.parametrize("law", ROTATED, ids=repr)


# --- all laws of two labels ----------------------------------------------------------------------


@each_sign_law
def test_predict_closed_form_no_error(law):
    X, y = clone(law).sample(5000, random_state=1)
    assert set(y) == {-1, 1}
    assert y.dtype.kind == "i"
    np.testing.assert_array_equal(law.predict(X), y)
    assert law.bayes_error() == 1 - law.score(X, y) == 0
    np.testing.assert_array_equal(law.predict_proba(X), np.column_stack([y < 0, y > 0]))
    np.testing.assert_array_equal(np.sign(law.decision_function(X)), y)


@each_sign_law
def test_sample_closed_form_labels_are_balanced(law):
    _, y = law.sample(20_000, random_state=2)
    assert abs(y.mean()) < 4 / 20_000**0.5


# The rules once more, written for one sample at a time.


def longer_half(x):
    half = len(x) // 2
    return 1 if sum(v * v for v in x[:half]) > sum(v * v for v in x[half:]) else -1


def longer_channel(x):
    return 1 if np.linalg.norm(x[:8]) > np.linalg.norm(x[8:16]) else -1


def the_one_entry(x):
    (place,) = np.flatnonzero(x)
    return x[place]


def distance_on_the_circle(x):
    first, second = np.flatnonzero(x)
    gap = second - first
    return {1: -1, 2: 1}[min(gap, len(x) - gap)]


def parity(law):
    return lambda x: 1 if sum(x[i] < 0 for i in law.true_indices) % 2 == 0 else -1


def pattern_found(law):
    negative, positive, *_ = law.true_patterns

    def rule(x):
        patches = x.reshape(-1, len(positive))
        found = [any(np.array_equal(z, p) for z in patches) for p in (negative, positive)]
        return {(True, False): -1, (False, True): 1}[tuple(found)]

    return rule


def signal_found(law):
    w = law.true_signal

    def rule(x):
        patches = x.reshape(-1, len(w))
        found = [any(np.array_equal(z, s * w) for z in patches) for s in (-1, 1)]
        return {(True, False): -1, (False, True): 1}[tuple(found)]

    return rule


RULES = {
    QuadraticHalves: lambda law: longer_half,
    ChannelNorm: lambda law: longer_channel,
    SignedOneHot: lambda law: the_one_entry,
    Textures: lambda law: distance_on_the_circle,
    KPattern: parity,
    PatternDetection: pattern_found,
    ReplacedPatch: signal_found,
}


@each_sign_law
def test_sample_oracle_definition_of_the_label(law):
    X, y = law.sample(300, random_state=3)
    rule = RULES[type(law)](law)
    np.testing.assert_array_equal(y, [rule(x) for x in X])


# --- each law of two labels ----------------------------------------------------------------------


def test_quadratic_halves_closed_form_moments():
    n = 40_000
    X, y = QuadraticHalves(2).sample(n, random_state=0)
    # With an angle t, E[y x_1^2] = E[r^2] E[cos^2 t sign(cos 2t)] = E|cos 2t| = 2 / pi.
    shares = (y[:, None] * X**2).mean(axis=0)
    np.testing.assert_allclose(shares, [2 / np.pi, -2 / np.pi], atol=4 * (3 / n) ** 0.5)
    X, y = QuadraticHalves(4).sample(n, random_state=1)
    # The difference of two chi-squares of two degrees is Laplace of scale 2: E|.| = 2, E.^2 = 8.
    gap = (X[:, :2] ** 2).sum(axis=1) - (X[:, 2:] ** 2).sum(axis=1)
    assert (y * gap).mean() == pytest.approx(2, abs=4 * ((8 - 4) / n) ** 0.5)
    assert (np.abs((y[:, None] * X).mean(axis=0)) < 4 / n**0.5).all()  # no linear cue


def test_channel_norm_closed_form_third_channel_is_noise():
    n = 20_000
    X, y = ChannelNorm((3, 2, 2)).sample(n, random_state=0)
    powers = (X.reshape(n, 3, 4) ** 2).sum(axis=2)  # chi-square: variance 8
    shares = (y[:, None] * powers).mean(axis=0)
    assert shares[0] > 0.5 > -0.5 > shares[1]
    assert abs(shares[2]) < 4 * ((8 + 16) / n) ** 0.5


def test_channel_norm_limit_two_channels_are_halves():
    channels, halves = ChannelNorm((2, 5)), QuadraticHalves(10)
    X, y = channels.sample(200, random_state=0)
    np.testing.assert_array_equal(halves.predict(X), y)


def test_signed_one_hot_closed_form_uniform():
    X, y = SignedOneHot(10).sample(20_000, random_state=0)
    np.testing.assert_array_equal((X != 0).sum(axis=1), 1)
    np.testing.assert_array_equal(X.sum(axis=1), y)
    counts = [(X[:, i] == s).sum() for i in range(10) for s in (-1, 1)]
    assert chisquare(counts).pvalue > 1e-3  # all 2 D inputs alike: place independent of label


def test_textures_closed_form_uniform_without_a_single_cue():
    X, y = Textures(8).sample(20_000, random_state=0)
    np.testing.assert_array_equal(X.sum(axis=1), 2)
    _, counts = np.unique(X, axis=0, return_counts=True)
    assert len(counts) == 16
    assert chisquare(counts).pvalue > 1e-3
    # A feature is 1 in a quarter of the samples, whatever the label.
    assert (np.abs((y[:, None] * X).mean(axis=0)) < 4.5 * (0.25 / 20_000) ** 0.5).all()


@pytest.mark.parametrize("scattered", [False, True])
def test_k_pattern_closed_form_only_all_bits_together_tell(scattered):
    n = 20_000
    law = KPattern(10, 4, scattered=scattered, random_state=3)
    X, y = law.sample(n, random_state=0)
    assert set(X.ravel()) == {-1, 1}
    assert (np.abs(X.mean(axis=0)) < 4.5 / n**0.5).all()
    subsets = [s for k in (1, 2, 3, 4) for s in itertools.combinations(range(10), k)]
    correlation = {s: (y * X[:, s].prod(axis=1)).mean() for s in subsets}
    assert correlation.pop(tuple(law.true_indices)) == 1
    assert max(map(abs, correlation.values())) < 5 / n**0.5  # 384 subsets


def test_k_pattern_closed_form_position_is_uniform():
    drawn = [tuple(KPattern(6, 2, random_state=s).true_indices) for s in range(1000)]
    places, counts = np.unique(drawn, axis=0, return_counts=True)
    np.testing.assert_array_equal(places, [(i, i + 1) for i in range(5)])
    assert chisquare(counts).pvalue > 1e-3


def test_k_pattern_closed_form_scattered_sets_are_uniform():
    laws = [KPattern(6, 2, scattered=True, random_state=s) for s in range(1000)]
    sets, counts = np.unique([law.true_indices for law in laws], axis=0, return_counts=True)
    apart = [s for s in itertools.combinations(range(6), 2) if s[1] - s[0] > 1]
    np.testing.assert_array_equal(sets, apart)
    assert chisquare(counts).pvalue > 1e-3


def test_k_pattern_limit_of_all_bits():
    assert KPattern(4, 4).true_indices.tolist() == [0, 1, 2, 3]
    assert KPattern(5, 3, scattered=True).true_indices.tolist() == [0, 2, 4]


def test_pattern_detection_closed_form_patches_are_patterns():
    n, law = 10_000, PatternDetection(4, 7, n_spurious=3, random_state=0)
    patterns = law.true_patterns
    np.testing.assert_allclose(patterns @ patterns.T, np.eye(5), atol=1e-12)
    X, y = law.sample(n, random_state=0)
    shown = np.rint(X.reshape(n, 4, 7) @ patterns.T).astype(int)  # (n_samples, n_patches, 5)
    np.testing.assert_allclose(shown @ patterns, X.reshape(n, 4, 7), atol=1e-12)
    np.testing.assert_array_equal(shown.sum(axis=2), 1)
    np.testing.assert_array_equal(shown.sum(axis=1)[:, :2], np.column_stack([y < 0, y > 0]))
    where = shown[:, :, :2].sum(axis=2).argmax(axis=1)
    assert chisquare(np.bincount(where, minlength=4)).pvalue > 1e-3
    for label in (-1, 1):  # the spurious ones tell nothing
        assert chisquare(shown[y == label].sum(axis=(0, 1))[2:]).pvalue > 1e-3


def test_replaced_patch_closed_form_moments():
    n, law = 20_000, ReplacedPatch(5, 4, noise=0.5)
    X, y = law.sample(n, random_state=0)
    patches, w = X.reshape(n, 5, 4), law.true_signal
    np.testing.assert_allclose(w, 0.5)
    is_signal = (patches == y[:, None, None] * w).all(axis=2)
    np.testing.assert_array_equal(is_signal.sum(axis=1), 1)
    for label in (-1, 1):
        assert chisquare(is_signal[y == label].sum(axis=0)).pvalue > 1e-3
    noise = patches[~is_signal]
    assert noise.mean() == pytest.approx(0, abs=4 * 0.5 / noise.size**0.5)
    assert noise.var() == pytest.approx(0.25, rel=4 * (2 / noise.size) ** 0.5)


def test_replaced_patch_closed_form_noise_of_the_study_defeats_linear_rules():
    law = ReplacedPatch(100, 10)
    assert law.true_noise == pytest.approx(np.log(100) / 10)
    n = 4000
    X, y = law.sample(n, random_state=0)
    scores = (X.reshape(n, 100, 10) @ law.true_signal).sum(axis=1)  # y and the noise of 99 patches
    expected = norm.sf(1 / (law.true_noise * 99**0.5))
    assert 0.4 < expected < 0.5
    error = np.mean(np.sign(scores) != y)
    assert error == pytest.approx(expected, abs=4 * (expected * (1 - expected) / n) ** 0.5)


def test_replaced_patch_limit_without_noise():
    X, y = ReplacedPatch(3, 2, noise=0).sample(20, random_state=0)
    np.testing.assert_allclose(
        np.sort(y[:, None] * X, axis=1), [[0, 0, 0, 0, 0.5**0.5, 0.5**0.5]] * 20
    )


# --- the regressions -----------------------------------------------------------------------------


@each_regression
def test_sample_closed_form_noise(law):
    n = 20_000
    X, y = law.sample(n, random_state=0)
    clean = law.predict(X)
    noise = y - clean
    assert abs(noise.mean()) < 4 * 0.3 / n**0.5
    assert noise.var() == pytest.approx(law.bayes_error(), rel=4 * (2 / n) ** 0.5)
    assert law.bayes_error() == pytest.approx(0.09)
    draws = np.column_stack([noise, X])
    correlations = np.corrcoef(draws.T)[np.triu_indices(13, k=1)]
    assert (np.abs(correlations) < 4.5 / n**0.5).all()
    assert X.var() == pytest.approx(1, rel=4 * (2 / X.size) ** 0.5)


@pytest.mark.parametrize("signs", ["equal", "random"])
def test_local_pairs_closed_form_moments(signs):
    n, law = 40_000, LocalPairs(8, signs=signs, random_state=1)
    X, y = law.sample(n, random_state=0)
    tau = law.true_signs
    assert set(tau) == ({1} if signs == "equal" else {-1, 1})
    # A form q = x^2 - x'^2 has E q^2 = 4 and E q^4 = 2 (105 - 4 15) + 6 9 = 144, so E[y^4] = 60 for
    # the mean of eight: 3 16 + (144 - 3 16) / 8.
    assert y.mean() == pytest.approx(0, abs=4 * 2 / n**0.5)
    assert y.var() == pytest.approx(4, abs=4 * ((60 - 16) / n) ** 0.5)
    forms = X[:, ::2] ** 2 - X[:, 1::2] ** 2
    shares = (y[:, None] * forms).mean(axis=0)  # Var[y q] = 144/8 + 4 28/8 - 2 = 30
    np.testing.assert_allclose(shares, 4 * tau / 8**0.5, atol=4.5 * (30 / n) ** 0.5)


def test_local_pairs_oracle_sum_over_pairs():
    law = LocalPairs(3, signs="random", random_state=2)
    x = np.arange(1.0, 7.0)
    a, b, c = law.true_signs
    expected = (a * (1 - 4) + b * (9 - 16) + c * (25 - 36)) / 3**0.5
    assert law.predict([x])[0] == pytest.approx(expected)


def test_local_pairs_invariance_swap_flips_the_sign():
    X, y = LocalPairs(5).sample(50, random_state=0)
    swapped = X.reshape(50, 5, 2)[:, :, ::-1].reshape(50, 10)
    np.testing.assert_allclose(LocalPairs(5).predict(swapped), -y)


@pytest.mark.parametrize("readout", ["sum", "weighted"])
@pytest.mark.parametrize("stride", [1, 2, 4])
def test_linear_convolution_oracle_correlation(readout, stride):
    law = LinearConvolution(16, 4, stride, 0, readout=readout, random_state=0)
    w, a = law.true_filter, law.true_readout
    X, y = law.sample(20, random_state=1)
    windows = np.array([correlate(x, w, mode="valid")[::stride] for x in X])
    np.testing.assert_allclose(y, windows @ a)
    upsampled = np.zeros(13)
    upsampled[::stride] = a
    np.testing.assert_allclose(law.coef, np.convolve(upsampled, w))
    np.testing.assert_allclose(law.predict(X), X @ law.coef)


def test_linear_convolution_closed_form_constants():
    law = LinearConvolution(12, 4, readout="weighted", random_state=0)
    assert np.linalg.norm(law.true_filter) == pytest.approx(1)
    assert np.linalg.norm(law.true_readout) == pytest.approx(1)
    assert law.true_readout.shape == (9,)
    np.testing.assert_array_equal(clone(law).set_params(readout="sum").true_readout, 1)
    filters = np.array(
        [LinearConvolution(3, 3, random_state=s).true_filter for s in range(500)]
    )  # on the sphere in three dimensions each entry is uniform
    for entry in filters.T:
        assert kstest(entry, uniform(-1, 2).cdf).pvalue > 1e-3


# --- rotations -----------------------------------------------------------------------------------


def test_draw_rotations_closed_form_haar():
    n = 4000
    rotations = draw_rotations(np.random.default_rng(0), n, 3)
    identity = np.broadcast_to(np.eye(3), (n, 3, 3))
    np.testing.assert_allclose(rotations @ rotations.transpose(0, 2, 1), identity, atol=1e-12)
    assert abs(np.linalg.det(rotations).mean()) < 4 / n**0.5  # reflections are half of them
    for i, j in np.ndindex(3, 3):  # a point of the sphere has uniform entries
        assert kstest(rotations[:, i, j], uniform(-1, 2).cdf).pvalue > 1e-3
    traces = np.trace(rotations, axis1=1, axis2=2)
    assert traces.mean() == pytest.approx(0, abs=4 / n**0.5)  # E tr = 0, E tr^2 = 1
    assert traces.var() == pytest.approx(1, abs=0.1)


@each_rotation
def test_rotation_closed_form_orthogonal(law):
    U = law.matrix
    np.testing.assert_allclose(U @ U.T, np.eye(len(U)), atol=1e-12)
    X, _ = law.sample(50, random_state=1)
    plain, _ = law.law.sample(50, random_state=1)
    np.testing.assert_allclose(np.linalg.norm(X, axis=1), np.linalg.norm(plain, axis=1))


@each_rotation
def test_rotation_invariance_law_of_rotated_samples(law):
    plain, labels = law.law.sample(200, random_state=1)
    X, y = law.sample(200, random_state=1)
    np.testing.assert_array_equal(y, labels)
    np.testing.assert_allclose(X, plain @ law.matrix.T, atol=1e-12)
    np.testing.assert_allclose(law.predict(X), law.law.predict(plain), atol=1e-12)
    assert law.score(X, y) == pytest.approx(law.law.score(plain, labels))
    assert law.bayes_error() == law.law.bayes_error()
    if is_classifier(law):
        scores = law.law.decision_function(plain)
        np.testing.assert_allclose(law.decision_function(X), scores, atol=1e-10)
        np.testing.assert_allclose(law.predict_proba(X), law.law.predict_proba(plain), atol=1e-10)


@pytest.mark.parametrize("kind", ["global", "block", "shared"])
def test_rotation_closed_form_no_error_on_any_sign_law(kind):
    for law in SIGN_LAWS:
        size = law.sample(1)[0].shape[1]
        patch_size = size // 2 if size % 2 == 0 else size
        rotated = RotatedLaw(law, kind, patch_size=patch_size, random_state=5)
        X, y = rotated.sample(200, random_state=0)
        assert rotated.score(X, y) == 1
        assert rotated.bayes_error() == 0


def test_rotation_closed_form_shared_blocks_are_equal():
    law = RotatedLaw(DynamicSignal(4, 3), "shared", random_state=0)
    block = law.matrix[:3, :3]
    np.testing.assert_array_equal(law.matrix, block_diag(block, block, block, block))


def test_rotation_closed_form_block_rotates_and_permutes_patches():
    matrices = [RotatedLaw(DynamicSignal(3, 2), "block", random_state=s).matrix for s in range(300)]
    norms = np.linalg.norm(np.reshape(matrices, (300, 3, 2, 3, 2)), axis=(2, 4))
    moves = np.rint(norms / 2**0.5).astype(int)  # (300, 3, 3): permutation matrices
    np.testing.assert_allclose(norms / 2**0.5, moves, atol=1e-12)
    np.testing.assert_array_equal(moves.sum(axis=1), 1)
    np.testing.assert_array_equal(moves.sum(axis=2), 1)
    _, counts = np.unique(moves, axis=0, return_counts=True)
    assert len(counts) == 6
    assert chisquare(counts).pvalue > 1e-3
    first, second, third = (matrices[0][:, 2 * j : 2 * j + 2] for j in range(3))
    blocks = [part[np.abs(part).sum(axis=1) > 0] for part in (first, second, third)]
    for one, other in itertools.combinations(blocks, 2):
        assert np.abs(one - other).max() > 1e-3


def test_rotation_closed_form_any_order_of_patches_is_undone():
    law = KPattern(12, 3, random_state=0)  # depends on the order
    for seed in range(10):
        rotated = RotatedLaw(law, "block", patch_size=2, random_state=seed)
        X, y = rotated.sample(20, random_state=1)
        assert rotated.score(X, y) == 1


def test_rotation_oracle_shared_turns_the_signal():
    law = DynamicSignal(5, 3, 0.4, random_state=0)
    rotated = RotatedLaw(law, "shared", random_state=1)
    turned = DynamicSignal(5, 3, 0.4, signal=rotated.matrix[:3, :3] @ law.true_signal)
    X, _ = rotated.sample(100, random_state=2)
    np.testing.assert_allclose(rotated.decision_function(X), turned.decision_function(X))


def test_rotation_oracle_linear_convolution_is_linear():
    law = LinearConvolution(8, 2, 2, random_state=0)
    rotated = RotatedLaw(law, random_state=0)
    X, _ = rotated.sample(30, random_state=0)
    np.testing.assert_allclose(rotated.predict(X), X @ (rotated.matrix @ law.coef))


def test_rotation_invariance_symmetric_law_stays_the_same():
    # The halves of the features are rotated by themselves, and keep their lengths.
    law = QuadraticHalves(8)
    rotated = RotatedLaw(law, "shared", patch_size=4, random_state=0)
    X, y = rotated.sample(100, random_state=0)
    np.testing.assert_array_equal(law.predict(X), y)
    globally = RotatedLaw(law, random_state=0)
    X, y = globally.sample(2000, random_state=0)
    assert abs(law.score(X, y) - 0.5) < 0.25  # but a global rotation mixes them


def test_rotation_oracle_fit_rotates_back():
    law = DynamicSignal(4, 3, 0.3, random_state=0)
    rotated = RotatedLaw(law, random_state=1)
    X, y = rotated.sample(100, random_state=2)
    best = rotated.predict_proba(X)
    rotated.fit(X, y)
    expected = clone(law).fit(*law.sample(100, random_state=2))
    np.testing.assert_allclose(rotated.law_.signal_, expected.signal_)
    assert (rotated.predict_proba(X) != best).all()
    assert not hasattr(law, "signal_")
    np.testing.assert_array_equal(rotated.classes_, [-1, 1])


def test_rotation_contract_best_rule_of_a_fitted_law():
    law = DynamicSignal(4, 3, 0.3, random_state=0)
    X, y = RotatedLaw(law, random_state=1).sample(50, random_state=2)
    best = RotatedLaw(law, random_state=1).predict_proba(X)
    fitted = clone(law).fit(X, y)
    np.testing.assert_array_equal(RotatedLaw(fitted, random_state=1).predict_proba(X), best)


def test_rotation_contract_kind_of_law():
    classifier, regressor = RotatedLaw(KPattern()), RotatedLaw(LocalPairs())
    assert is_classifier(classifier)
    assert not is_regressor(classifier)
    assert is_regressor(regressor)
    assert hasattr(classifier, "predict_proba")
    for absent in ("predict_proba", "decision_function", "classes_"):
        assert not hasattr(regressor, absent)


def test_rotation_contract_nested_parameters():
    law = RotatedLaw(KPattern(12, 3), "block", patch_size=4)
    law.set_params(law__n_features=8)
    assert law.matrix.shape == (8, 8)


# --- randomness ----------------------------------------------------------------------------------


@each_law
def test_sample_invariance_smaller_sample_is_a_prefix(law):
    few, many = law.sample(13, random_state=5), law.sample(60, random_state=5)
    # The numbers drawn are the same; a matrix product rounds as its size has it.
    np.testing.assert_allclose(few[0], many[0][:13], atol=1e-12 if law in ROTATED else 0, rtol=0)
    np.testing.assert_allclose(few[1], many[1][:13], atol=1e-12 if is_regressor(law) else 0, rtol=0)


@each_law
def test_random_state_contract_same_seed_same_data(law):
    X, y = law.sample(40, random_state=4)
    again = clone(law).sample(40, random_state=4)
    np.testing.assert_array_equal(again[0], X)
    np.testing.assert_array_equal(again[1], y)
    assert (law.sample(40, random_state=6)[0] != X).any()
    assert (law.sample(40)[0] != law.sample(40)[0]).any()
    state = np.random.RandomState(0)
    assert (law.sample(40, random_state=state)[0] != law.sample(40, random_state=state)[0]).any()


CONSTANTS = [
    (LocalPairs(30, signs="random"), "true_signs"),
    (LinearConvolution(), "true_filter"),
    (LinearConvolution(readout="weighted"), "true_readout"),
    (KPattern(500, 4), "true_indices"),
    (KPattern(500, 4, scattered=True), "true_indices"),
    (PatternDetection(), "true_patterns"),
    (RotatedLaw(QuadraticHalves()), "matrix"),
    (RotatedLaw(PatternDetection(), "block"), "matrix"),
]


@pytest.mark.parametrize(("law", "constant"), CONSTANTS)
@pytest.mark.parametrize("make_state", [lambda: None, lambda: np.random.RandomState(0)])
def test_random_state_contract_law_agrees_with_itself(law, constant, make_state):
    law = clone(law).set_params(random_state=make_state())
    value = getattr(law, constant)
    X, y = law.sample(50, random_state=law.random_state)  # a shared RandomState advances here
    for twin in (law, clone(law), copy.deepcopy(law), pickle.loads(pickle.dumps(law))):
        np.testing.assert_array_equal(getattr(twin, constant), value)
    seeded = [clone(law).set_params(random_state=seed) for seed in (3, 3, 4)]
    same, again, other = (getattr(twin, constant) for twin in seeded)
    np.testing.assert_array_equal(same, again)
    assert (same != other).any()
    if is_classifier(law):
        assert clone(law).score(X, y) == 1


def test_random_state_contract_streams_are_independent():
    # With one seed for all, constants and samples must not repeat each other's numbers.
    n, law = 800, LinearConvolution(1599, 800, readout="weighted", random_state=0)
    X, y = law.sample(n, random_state=0)
    rotation = RotatedLaw(LocalPairs(n // 2), random_state=0).matrix
    draws = [X[0, :n], X[:, 0], y - law.predict(X), law.true_filter, law.true_readout]
    draws += [rotation[0], rotation[:, 0]]
    correlations = np.corrcoef(draws)[np.triu_indices(7, k=1)]
    assert (np.abs(correlations) < 4 / n**0.5).all()


def test_random_state_contract_global_state_untouched():
    before = np.random.get_state()
    for law in LAWS:
        law = clone(law)
        law.predict(law.sample(5)[0])
    after = np.random.get_state()
    assert before[2:] == after[2:]
    np.testing.assert_array_equal(before[1], after[1])


def test_random_state_contract_matrix_is_a_copy():
    law = RotatedLaw(QuadraticHalves(4), random_state=0)
    before = law.matrix
    law.matrix[:] = 0
    np.testing.assert_array_equal(law.matrix, before)


# --- scikit-learn --------------------------------------------------------------------------------


@each_law
def test_sklearn_contract_parameters(law):
    parameters = law.get_params(deep=False)
    assert vars(type(law)(**parameters)) == parameters
    assert repr(clone(law)) == repr(law)
    assert type(law).__name__ in repr(law)
    assert is_classifier(law) != is_regressor(law)
    check_is_fitted(law)  # needs no fit


@pytest.mark.parametrize("law", SIGN_LAWS + REGRESSIONS, ids=repr)
def test_fit_contract_learns_nothing(law):
    law = clone(law)
    X, y = law.sample(60, random_state=1)
    before = law.predict(X)
    assert law.fit(X, y) is law
    np.testing.assert_array_equal(law.predict(X), before)
    assert law.n_features_in_ == X.shape[1]
    np.testing.assert_array_equal(law.sample(60, random_state=1)[0], X)


@each_law
def test_sklearn_contract_model_selection(law):
    X, y = law.sample(90, random_state=1)
    scores = cross_val_score(law, X, y, cv=3)
    assert scores.mean() > (0.9 if not isinstance(law, RotatedLaw) else 0.7)
    if is_classifier(law):
        assert cross_val_score(law, X, y, cv=3, scoring="roc_auc").mean() > 0.7


def test_sklearn_contract_feature_names():
    law = QuadraticHalves(4)
    X, y = law.sample(20, random_state=0)
    frame = pd.DataFrame(X, columns=[*"abcd"])
    assert law.fit(frame, y).score(frame, y) == 1
    with pytest.raises(ValueError, match="feature names should match"):
        law.predict(frame[[*"dcba"]])


# --- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("law", "message"),
    [
        (QuadraticHalves(7), "n_features=7 is odd .* 6 or 8 features"),
        (QuadraticHalves(0), r"'n_features' parameter of QuadraticHalves .* Got 0"),
        (ChannelNorm((1, 4, 4)), r"input_shape=\(1, 4, 4\) must be .* at least 2 channels"),
        (ChannelNorm((3, 0)), r"input_shape=\(3, 0\) must be .* positive whole numbers"),
        (ChannelNorm((3, 2.5)), r"input_shape=\(3, 2\.5\) must be"),
        (ChannelNorm((3,)), r"input_shape=\(3,\) must be"),
        (ChannelNorm(12), "'input_shape' parameter of ChannelNorm must be an instance of 'tuple'"),
        (LocalPairs(0), "'n_pairs' .* Got 0"),
        (LocalPairs(noise=-1.0), r"'noise' .* Got -1\.0"),
        (LocalPairs(signs="same"), "'signs' .*'equal'.* Got 'same'"),
        (LinearConvolution(4, 8), "patch_size=8 is larger than n_features=4"),
        (LinearConvolution(10, 4, 4), "patch_size=4 with stride=4 leaves features .* unseen"),
        (LinearConvolution(readout="mean"), "'readout' .* Got 'mean'"),
        (LinearConvolution(random_state="seed"), "'random_state' .* Got 'seed'"),
        (SignedOneHot(0), "'n_features' .* Got 0"),
        (Textures(3), r"'n_features' .* \[4, inf\). Got 3"),
        (KPattern(4, 5), "pattern_size=5 with scattered=False needs n_features of 5 or more, got"),
        (KPattern(4, 3, scattered=True), "scattered=True needs n_features of 5 or more, got .*=4"),
        (KPattern(scattered="yes"), "'scattered' .* Got 'yes'"),
        (PatternDetection(3, 6, n_spurious=5), "n_spurious=5 .* patch_size=6 .* at most 4"),
        (PatternDetection(3, 2), r"'patch_size' .* \[3, inf\). Got 2"),
        (ReplacedPatch(noise=-1), "'noise' .* Got -1"),
        (ReplacedPatch(2.5), r"'n_patches' .* Got 2\.5"),
        (RotatedLaw(QuadraticHalves(), "local"), "'rotation' .* Got 'local'"),
        (RotatedLaw(QuadraticHalves(), "block"), "patch_size=None, but QuadraticHalves has none"),
        (
            RotatedLaw(QuadraticHalves(), "shared", patch_size=3),
            "patch_size=3 does not divide the 20 features of QuadraticHalves",
        ),
        (RotatedLaw(QuadraticHalves(7)), "n_features=7 is odd"),
    ],
)
def test_bad_input_contract_parameters(law, message):
    X, y = np.ones((4, 20)), np.array([-1, 1, -1, 1])
    for use in (
        lambda: law.sample(3),
        lambda: law.predict(X),
        lambda: law.fit(X, y),
        lambda: law.bayes_error(),
    ):
        with pytest.raises(ValueError, match=message):
            use()


@pytest.mark.parametrize(
    ("law", "message"),
    [
        (np.eye(3), "'law' parameter of RotatedLaw must be an object implementing"),
        (None, "'law' parameter of RotatedLaw .* Got None"),
        (QuadraticHalves, r"law=QuadraticHalves is a class, not a law: QuadraticHalves\(\)"),
    ],
)
def test_bad_input_contract_no_law(law, message):
    rotated = RotatedLaw(law)
    X, y = np.ones((4, 3)), np.array([-1, 1, -1, 1])
    for use in (
        lambda: rotated.sample(3),
        lambda: rotated.predict(X),
        lambda: rotated.fit(X, y),
        lambda: rotated.matrix,
    ):
        with pytest.raises(ValueError, match=message):
            use()


@each_law
def test_bad_input_contract_data(law):
    law = clone(law)
    X, y = law.sample(20, random_state=0)
    name = type(getattr(law, "law", law)).__name__
    message = rf"X has {X.shape[1] + 1} features, but samples of {name}.* have {X.shape[1]}"
    wide = np.column_stack([X, X[:, 0]])
    with pytest.raises(ValueError, match=message):
        law.predict(wide)
    with pytest.raises(ValueError, match=message):
        law.fit(wide, y)
    with pytest.raises(ValueError, match="contains NaN"):
        law.predict(np.full_like(X, np.nan))
    with pytest.raises(ValueError, match=r"'n_samples' parameter of \w+\.sample .* Got 0"):
        law.sample(0)
    with pytest.raises(ValueError, match=r"'random_state' .* Got 'seed'"):
        law.sample(3, random_state="seed")
    assert law.score(X, y) > 0.7  # a failed fit leaves the law usable


def test_bad_input_contract_labels():
    law = QuadraticHalves(4)
    X, _ = law.sample(3, random_state=0)
    with pytest.raises(ValueError, match=r"y has the labels \[0, 1\], but .* are -1 and \+1"):
        law.fit(X, [0, 1, 1])
    with pytest.raises(ValueError, match=r"y has the labels \['no', 'yes'\]"):
        law.fit(X, ["no", "yes", "no"])
    law.fit(X, [1, 1, 1])  # a small part of a sample may hold one label only
