"""Selectivity of filters: against the F statistic, and where the clusters are known."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.feature_selection import f_classif
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import adjusted_rand_score

import sklcnn
from sklcnn.datasets import ConeClusters
from sklcnn.inspection import fisher_selectivity, patch_clusters

LAW = ConeClusters(4, 5, 3, 0.3, random_state=0)
TRAINING = {"max_iter": 3, "tol": None, "random_state": 0}


def sample(n_samples=60):
    return LAW.sample(n_samples, random_state=1, return_cones=True)


def fit(network, X, y, **parameters):
    return clone(network).set_params(**TRAINING, **parameters).fit(X, y)


def responses(network, X, patch):
    """Responses of all filters that see a patch, one sample at a time."""
    activations = {"relu": lambda z: np.maximum(z, 0), "tanh": np.tanh, "identity": lambda z: z}
    group = network.filter_groups_[patch]
    weight = network.module_.weight.detach().double().numpy()[group]
    features = network.patch_indices_[patch]
    rows = []
    for x in X:
        seen = np.ma.masked_array(x[np.ma.getdata(features)], np.ma.getmaskarray(features))
        z = weight @ seen.filled(0)
        if network.activation == "soft_threshold":
            threshold = network.module_.threshold.item()
            rows.append(np.sign(z) * np.maximum(np.abs(z) - threshold, 0))
        else:
            bias = network.module_.bias.detach().double().numpy()[group]
            rows.append(activations[network.activation](z + bias))
    return np.array(rows)


def selectivity_by_f(network, X, clusters):
    """The F statistic is the ratio of the two variances, each over its degrees of freedom."""
    groups = np.asarray(network.filter_groups_)
    result = []
    for group in range(groups.max() + 1):
        members = np.flatnonzero(groups == group)
        a = np.concatenate([responses(network, X, patch) for patch in members])
        c = np.concatenate([clusters[:, patch] for patch in members])
        n_clusters = len(np.unique(c))
        result.append(f_classif(a, c)[0] * (n_clusters - 1) / (len(c) - n_clusters))
    return np.array(result)


NETWORKS = [
    sklcnn.CNNClassifier(6, 5, 5, pooling="mean"),
    sklcnn.CNNClassifier(6, 5, 5, activation="tanh"),
    sklcnn.CNNClassifier(6, 5, 5, activation="soft_threshold"),
    sklcnn.CNNClassifier(6, 4, 2, pooling="max", dtype="float64"),
    sklcnn.LCNClassifier(6, 5, 5),
    sklcnn.LCNClassifier(6, 5, 5, filter_groups=[0, 1, 1, 0]),
    sklcnn.LCNClassifier(6, 5, 5, filter_groups=[1, 0, 1, 1]),
    sklcnn.CNNClassifier(6, 3, padding="same"),
]


@pytest.mark.parametrize("network", NETWORKS, ids=lambda n: " ".join(repr(n).split()))
def test_selectivity_oracle_f_statistic(network):
    X, y, _ = sample()
    network = fit(network, X, y)
    shape = len(X), len(network.patch_indices_)
    clusters = np.random.default_rng(0).integers(3, size=shape)
    found = fisher_selectivity(network, X, clusters)
    expected = selectivity_by_f(network, X, clusters)
    np.testing.assert_allclose(found.reshape(expected.shape), expected, rtol=1e-5)
    assert found.shape == network.filters_.shape[:-1]


def test_selectivity_oracle_f_statistic_of_whole_samples():
    X, y, _ = sample()
    network = fit(sklcnn.FCNClassifier(6), X, y)
    found = fisher_selectivity(network, X, y[:, np.newaxis])
    assert found.shape == (6,)
    np.testing.assert_allclose(found, selectivity_by_f(network, X, y[:, None])[0], rtol=1e-5)


@torch.no_grad()
def test_selectivity_closed_form_filters_set_by_hand():
    # Patches 1 and 3 with equal frequency, filters x and relu(2 - x): responses 1, 3 and 1, 0, and
    # the clusters know them. A third filter responds to nothing, a fourth alike to all.
    X = np.tile([[1.0, 3.0], [3.0, 1.0]], (10, 1))
    network = fit(sklcnn.CNNRegressor(4, 1, 1), X, X[:, 0])
    network.module_.weight.copy_(torch.tensor([1.0, -1, 1, 0])[None, :, None])
    network.module_.bias.copy_(torch.tensor([[0.0, 2, -9, 1]]))
    found = fisher_selectivity(network, X, X == 3)
    np.testing.assert_allclose(found, [1 / 1e-10, 0.25 / 1e-10, 0, 0])
    # Clusters that know nothing of it: no variance between them.
    np.testing.assert_array_equal(fisher_selectivity(network, X, np.indices((20, 2))[1]), 0)


def test_selectivity_oracle_matched_filters_know_their_cones():
    # Filters that are the centers: each is as selective as a difference of cones can be.
    X, y, cones = sample(200)
    network = fit(sklcnn.CNNClassifier(4, 5, 5), X, y)
    with torch.no_grad():
        network.module_.weight.copy_(torch.from_numpy(LAW.true_centers)[None])
    matched = fisher_selectivity(network, X, cones)
    shuffled = np.random.default_rng(0).permuted(cones, axis=1)
    assert (matched > 3 * fisher_selectivity(network, X, shuffled)).all()


def test_selectivity_invariance_names_of_clusters_and_scale_of_filters():
    X, y, cones = sample()
    network = fit(NETWORKS[0], X, y)
    found = fisher_selectivity(network, X, cones)
    names = np.array(["a", "d", "b", "c"])[cones]
    np.testing.assert_allclose(fisher_selectivity(network, X, names.tolist()), found)
    with torch.no_grad():
        network.module_.weight.mul_(4)
        network.module_.bias.mul_(4)
    np.testing.assert_allclose(fisher_selectivity(network, X, cones), found, rtol=1e-5)


def test_selectivity_invariance_computation_in_pieces(monkeypatch):
    X, y, cones = sample()
    network = fit(NETWORKS[0], X, y)
    found = fisher_selectivity(network, X, cones)
    monkeypatch.setattr("sklcnn.inspection.selectivity._BLOCK", 4 * len(X) * 4)
    np.testing.assert_allclose(fisher_selectivity(network, X, cones), found)


def test_selectivity_contract_default_clusters():
    X, y, _ = sample()
    network = fit(NETWORKS[0], X, y)
    clusters = patch_clusters(X, network.patch_indices_, random_state=4)
    expected = fisher_selectivity(network, X, clusters)
    np.testing.assert_array_equal(fisher_selectivity(network, X, random_state=4), expected)


# --- the clusters --------------------------------------------------------------------------------


def test_patch_clusters_oracle_cones():
    law = ConeClusters(3, 5, 3, random_state=0)
    X, _, cones = law.sample(300, random_state=1, return_cones=True)
    clusters = patch_clusters(X, np.arange(15).reshape(3, 5), 4)
    assert clusters.shape == (300, 3)
    assert adjusted_rand_score(cones.ravel(), clusters.ravel()) > 0.98


def test_patch_clusters_closed_form_two_normals():
    # Two Gaussians in the ratio 1 to 3: the best rule is that of the log-odds.
    rng = np.random.default_rng(0)
    truth = rng.integers(4, size=(1000, 2)) == 0
    values = np.where(truth, 5.0, 0) + rng.standard_normal((1000, 2))
    clusters = patch_clusters(values, [[0], [1]], 2)
    clusters = clusters == clusters[np.unravel_index(values.argmax(), values.shape)]
    best = 5 * values - 12.5 > np.log(3)
    assert np.mean(clusters == best) > 0.99


def test_patch_clusters_contract_random_state():
    X, _, _ = sample()
    patches = np.arange(20).reshape(4, 5)
    before = np.random.get_state()[1].copy()
    once, again = (patch_clusters(X, patches, 3, random_state=2) for _ in range(2))
    np.testing.assert_array_equal(once, again)
    patch_clusters(X, patches, 3, n_init=1, random_state=None)
    np.testing.assert_array_equal(np.random.get_state()[1], before)
    assert set(once.ravel()) == {0, 1, 2}


def test_patch_clusters_contract_options_reach_the_mixture():
    X, _, _ = sample()
    with pytest.warns(ConvergenceWarning):
        patch_clusters(X, np.arange(20).reshape(4, 5), 4, n_init=1, max_iter=1)


# --- bad input -----------------------------------------------------------------------------------


def test_bad_input_contract_estimators():
    X, y, cones = sample()
    with pytest.raises(NotFittedError):
        fisher_selectivity(sklcnn.CNNClassifier(), X, cones)
    with pytest.raises(ValueError, match="class LogisticRegression, which is no network"):
        fisher_selectivity(LogisticRegression().fit(X, y), X, cones)
    deep = fit(sklcnn.FCNClassifier((4, 3)), X, y)
    with pytest.raises(ValueError, match=r"2 hidden layers, n_filters=\(4, 3\)"):
        fisher_selectivity(deep, X, y[:, np.newaxis])


def test_bad_input_contract_data():
    X, y, cones = sample()
    network = fit(NETWORKS[0], X, y)
    with pytest.raises(ValueError, match=r"shape \(60, 3\).* 60 samples of 4 patches.* \(60, 4\)"):
        fisher_selectivity(network, X, cones[:, :3])
    with pytest.raises(ValueError, match="X has 15 features, but CNNClassifier is expecting 20"):
        fisher_selectivity(network, X[:, :15], cones)
    with pytest.raises(ValueError, match="n_clusters=9 must be an integer from 1 to 8"):
        patch_clusters(X[:2], np.arange(20).reshape(4, 5), 9)
    with pytest.raises(ValueError, match="n_clusters=0 must be an integer from 1"):
        patch_clusters(X, np.arange(20).reshape(4, 5), 0)
    with pytest.raises(ValueError, match="patch_indices names features 0 to 20"):
        patch_clusters(X, [[0, 20]])
