"""The bound by stability on fitted networks: recomputed by loops, and held in training."""

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklcnn import CNNRegressor, FCNClassifier, FCNRegressor, LCNRegressor
from sklcnn.inspection import sharpness
from sklcnn.inspection.stability import StabilityReport, stability_report, training_loss

RNG = np.random.default_rng(0)
X = RNG.normal(size=(30, 12))
Y = RNG.normal(size=30)
BLOCKS = np.arange(12).reshape(3, 4)
PLAIN = {"solver": "gd", "tol": None, "dtype": "float64", "device": "cpu", "random_state": 0}
PLAIN |= {"learning_rate_init": 0.02, "max_iter": 3}
MEAN = {"pooling": "mean", "patch_indices": BLOCKS}
FAMILIES = {
    "fcn": FCNRegressor(7, **PLAIN),
    "cnn": CNNRegressor(7, **MEAN, **PLAIN),
    "lcn": LCNRegressor(7, **MEAN, **PLAIN),
}
UNSHARED = "filters that all patches share"


def fit(family, **changes):
    """A network of a family, a few steps away from its start."""
    network = type(FAMILIES[family])(**(FAMILIES[family].get_params() | changes))
    return network.fit(X, Y)


def report_of(network, inputs=X, targets=Y, **options):
    """The report, whether or not the filters are shared."""
    if len(network.module_.weight) == 1:
        return stability_report(network, inputs, targets, **options)
    with pytest.warns(UserWarning, match=UNSHARED):
        return stability_report(network, inputs, targets, **options)


def seen(network, sample, position):
    """What a filter sees of a sample at a position, entry by entry."""
    indices, mask = network.patch_indices_, np.ma.getmaskarray(network.patch_indices_)
    entries = zip(np.ma.getdata(indices)[position], mask[position], strict=True)
    return np.array([0.0 if masked else sample[feature] for feature, masked in entries])


def one_sided(w, b, cloud):
    """P(A)^2 E[response | A] sqrt(1 + |E[x | A]|^2) for one unit, A being where it is active."""
    active = [x for x in cloud if w @ x + b > 0]
    if not active:
        return 0.0
    share, response = len(active) / len(cloud), np.mean([w @ x + b for x in active])
    return share**2 * response * np.sqrt(1 + np.linalg.norm(np.mean(active, axis=0)) ** 2)


def recompute(network):
    """Fields of the report of a network whose filters are shared, by loops over its units."""
    module = network.module_
    filters, biases = module.weight[0].detach().numpy(), module.bias[0].detach().numpy()
    outer, shift = module.readout_weight[0].detach().numpy(), module.readout_bias.item()
    n_patches = len(network.patch_indices_)
    cloud = [seen(network, x, place) for x in X for place in range(n_patches)]
    outputs = [
        shift
        + sum(
            v * np.mean([max(w @ seen(network, x, place) + b, 0) for place in range(n_patches)])
            for w, b, v in zip(filters, biases, outer, strict=True)
        )
        for x in X
    ]
    units = list(zip(filters, biases, outer, strict=True))
    one_side = [one_sided(w, b, cloud) for w, b, _ in units]
    other_side = [one_sided(-w, -b, cloud) for w, b, _ in units]
    return {
        "train_loss": np.mean((Y - outputs) ** 2),
        "path_norm": sum(abs(v) * np.linalg.norm(w) for w, _, v in units),
        "weighted_path_norm": np.abs(outer) @ np.minimum(one_side, other_side),
        "gauss_newton_bound": 2 * (1 + 2 * np.abs(outer) @ one_side),
        "radius": max(np.linalg.norm(x) for x in cloud),
        "activation_rates": [np.mean([w @ x + b > 0 for x in cloud]) for w, b, _ in units],
    }


# --- the numbers ----------------------------------------------------------------------------------


@pytest.mark.parametrize("family", ["fcn", "cnn"])
def test_report_oracle_loops_over_units_and_patches(family):
    network = fit(family)
    report = stability_report(network, X, Y)
    for name, expected in recompute(network).items():
        np.testing.assert_allclose(getattr(report, name), expected, rtol=1e-10, err_msg=name)
    # The bound in the units of half the squared error, as it was published.
    halves = report.sharpness / 2, report.train_loss / 2
    bound = halves[0] / 2 - 0.5 + (report.radius + 1) * np.sqrt(2 * halves[1])
    np.testing.assert_allclose(report.path_norm_bound, bound, rtol=1e-12)
    assert report.holds is (report.weighted_path_norm <= report.path_norm_bound)


def test_report_oracle_masked_entries_see_zeros():
    scales = np.ma.MaskedArray(
        [[0, 1, 2, 3], [4, 5, 0, 0], [6, 7, 0, 0], [8, 9, 10, 11]],
        mask=[[0, 0, 0, 0], [0, 0, 1, 1], [0, 0, 1, 1], [0, 0, 0, 0]],
    )
    network = fit("cnn", patch_indices=scales)
    report = stability_report(network, X, Y)
    for name, expected in recompute(network).items():
        np.testing.assert_allclose(getattr(report, name), expected, rtol=1e-10, err_msg=name)


def test_report_invariance_weights_of_masked_entries_do_not_count():
    masked = np.ma.MaskedArray(BLOCKS, mask=np.arange(4) == [[3]] * 3)
    for family in ("cnn", "lcn"):
        with_mask = fit(family, patch_indices=masked)
        without = fit(family, patch_indices=BLOCKS[:, :3])
        without.module_ = without.module_.with_parameters(
            {
                name: value[..., :3] if name == "weight" else value
                for name, value in with_mask.module_.named_parameters()
            }
        )
        found, expected = report_of(with_mask), report_of(without)
        # The Hessian has rows of zeros more, and the search another start.
        np.testing.assert_allclose(found.sharpness, expected.sharpness, rtol=1e-3)
        for name in ("path_norm", "weighted_path_norm", "gauss_newton_bound", "activation_rates"):
            pair = getattr(found, name), getattr(expected, name)
            np.testing.assert_allclose(*pair, rtol=1e-12, err_msg=name)


def test_report_oracle_unshared_gauss_newton_bound_is_the_squared_mean_slope():
    network = fit("lcn")
    report = report_of(network)
    slopes = np.zeros(network.n_parameters_)
    for x in X:
        network.module_.zero_grad()
        network.module_(network.module_.weight.new_tensor(x[None])).sum().backward()
        parameters = network.module_.parameters()
        slopes += np.concatenate([p.grad.numpy().ravel() for p in parameters]) / len(X)
    np.testing.assert_allclose(report.gauss_newton_bound, 2 * slopes @ slopes, rtol=1e-10)
    filters = np.linalg.norm(network.filters_, axis=-1).mean(axis=0)
    outer = np.abs(network.module_.readout_weight.detach().numpy()[0])
    np.testing.assert_allclose(report.path_norm, outer @ filters, rtol=1e-12)


def test_report_oracle_sharpness_is_that_of_the_same_search():
    network = fit("cnn")
    report = stability_report(network, X, Y, tol=1e-9)
    assert report.sharpness == sharpness(network, X, Y, tol=1e-9)
    assert 0 <= report.residual <= 1e-9 * report.sharpness
    rough = stability_report(network, X, Y, tol=0.3, random_state=1)
    assert 1e-9 * report.sharpness < rough.residual <= 0.3 * rough.sharpness
    assert rough.sharpness <= report.sharpness * (1 + 1e-9)


def test_report_limit_one_patch_of_all_features_is_fully_connected():
    one_patch = {"patch_indices": np.arange(12)[None]}
    expected = stability_report(fit("fcn"), X, Y)
    for family, pooling in (("cnn", "mean"), ("cnn", None), ("lcn", "sum"), ("cnn", "max")):
        network = fit(family, pooling=pooling, **one_patch)
        report = stability_report(network, X, Y)
        for field, found, wanted in zip(report._fields, report, expected, strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-6, err_msg=field)


def test_report_limit_dead_units_meet_the_bound_with_equality():
    # Only the output bias acts: the sharpness is 2, and where it fits the loss is zero.
    for targets in (np.full(30, 0.7), np.zeros(30)):
        network = fit("fcn", learning_rate_init=1e-9)
        network.module_.bias.data.fill_(-100.0)
        network.module_.readout_bias.data.fill_(targets[0])
        report = stability_report(network, X, targets)
        np.testing.assert_allclose(report.sharpness, 2, rtol=1e-12)
        assert (report.weighted_path_norm, report.train_loss, report.holds) == (0, 0, True)
        np.testing.assert_allclose(report.path_norm_bound, 0, atol=1e-12)
        assert not report.activation_rates.any()


# --- whether it holds -----------------------------------------------------------------------------


@pytest.mark.parametrize("family", ["fcn", "cnn"])
def test_report_closed_form_bound_holds_for_random_networks(family):
    network = fit(family)
    nearest = np.inf
    for seed in range(40):
        rng = np.random.default_rng(seed)
        for parameter in network.module_.parameters():
            scale = 10 ** rng.uniform(-2, 0.5)
            values = scale * rng.normal(size=tuple(parameter.shape))
            parameter.data = parameter.new_tensor(values)
        # Targets that the network nearly fits leave the bound little slack.
        targets = network.predict(X) + 10 ** rng.uniform(-4, 1) * rng.normal(size=30)
        report = stability_report(network, X, targets, tol=1e-6)
        assert report.holds
        assert report.weighted_path_norm <= report.path_norm_bound
        nearest = min(nearest, report.path_norm_bound / max(report.weighted_path_norm, 1e-3))
    assert nearest < 10  # the bound is put to the test


@pytest.mark.parametrize("family", ["fcn", "cnn"])
def test_report_closed_form_bound_holds_along_a_training(family):
    network = fit(family, max_iter=1, warm_start=True, learning_rate_init=0.1)
    losses = []
    for max_iter in (2, 20, 200, 600, 1):
        report = stability_report(network, X, Y)
        assert report.holds
        # The rest of the Hessian is at most the residuals times the curvature of the outputs.
        rest = 2 * np.sqrt(report.train_loss) * np.sqrt(1 + report.radius**2)
        assert report.gauss_newton_bound <= report.sharpness + report.residual + rest
        losses.append(report.train_loss)
        network.set_params(max_iter=max_iter).fit(X, Y)
    assert losses[-1] < losses[0] / 2


def test_report_contract_bound_that_is_broken_is_reported(monkeypatch):
    network = fit("fcn")
    monkeypatch.setattr("sklcnn.inspection.stability.weighted_path_norm", lambda *units: 1e3)
    report = stability_report(network, X, Y)
    assert report.weighted_path_norm > report.path_norm_bound
    assert report.holds is False


# --- what has no statement ------------------------------------------------------------------------


def test_report_contract_unshared_filters_have_no_bound_of_the_path_norm():
    with pytest.warns(UserWarning, match="not shared: weighted_path_norm, path_norm_bound are NaN"):
        report = stability_report(fit("lcn"), X, Y)
    assert np.isnan([report.weighted_path_norm, report.path_norm_bound]).all()
    assert report.holds is None
    assert report.gauss_newton_bound >= 2
    assert report.activation_rates.shape == (3, 7)


def test_report_contract_filters_of_groups_have_no_bound_at_all():
    network = fit("lcn", filter_groups=[0, 1, 0])
    with pytest.warns(UserWarning, match=r"within 2 groups .* gauss_newton_bound are NaN"):
        report = stability_report(network, X, Y)
    assert np.isnan(report.gauss_newton_bound)
    assert report.activation_rates.shape == (3, 7)
    filters, biases = network.filters_[0], network.module_.bias[0].detach().numpy()
    rates = np.mean(X[:, BLOCKS[2]] @ filters.T + biases > 0, axis=0)
    np.testing.assert_allclose(report.activation_rates[2], rates, rtol=1e-12)


def test_report_limit_one_group_is_full_sharing():
    together = stability_report(fit("lcn", filter_groups=1), X, Y)
    expected = stability_report(fit("cnn"), X, Y)
    for field, found, wanted in zip(together._fields, together, expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-9, err_msg=field)


def test_report_contract_kinks_and_a_search_cut_short_are_told():
    network = fit("fcn")
    at_a_kink = np.vstack([X, np.zeros(12)])
    network.module_.bias.data.zero_()
    with pytest.warns(UserWarning, match="no Hessian here: 7 arguments"):
        stability_report(network, at_a_kink, np.append(Y, 0.0))
    with pytest.warns(ConvergenceWarning, match="residual"):
        stability_report(fit("fcn"), X, Y, tol=1e-12, max_products=3)


@pytest.mark.parametrize("family", ["fcn", "cnn"])
def test_report_contract_no_verdict_of_a_search_that_has_not_converged(family):
    network = fit(family)
    with pytest.warns(ConvergenceWarning):
        report = stability_report(network, X, Y, max_products=2)
    assert report.residual > 1e-3 * abs(report.sharpness)
    # What was found is within its residual of the bound, so that a verdict would seem possible.
    assert report.weighted_path_norm <= report.path_norm_bound + report.residual / 4
    assert report.holds is None
    assert stability_report(network, X, Y).holds is True


LABELS = np.where(Y > 0, 1, -1)
REFUSED = {
    "is a classifier": lambda: FCNClassifier(7, **PLAIN).fit(X, LABELS),
    "squared error only": lambda: FCNClassifier(7, loss="hinge", **PLAIN).fit(X, LABELS),
    "activation='tanh'": lambda: fit("cnn", activation="tanh"),
    "activation='soft_threshold'": lambda: fit("fcn", activation="soft_threshold"),
    "pooling=None": lambda: fit("cnn", pooling=None),
    "pooling='sum'": lambda: fit("cnn", pooling="sum"),
    "pooling='max'": lambda: fit("lcn", pooling="max"),
    "output bias of readout='linear'": lambda: fit("fcn", readout="sum"),
    r"several layers or a pool_size \(n_filters=\(4, 4\)\)": lambda: fit("fcn", n_filters=(4, 4)),
    r"n_filters=7, pool_size=2": lambda: fit("cnn", patch_indices=None, patch_size=3, pool_size=2),
    "2 outputs": lambda: FCNRegressor(7, **PLAIN).fit(X, np.stack([Y, Y], axis=1)),
    "no network of sklcnn": lambda: Ridge().fit(X, Y),
    "of a pipeline its last step": lambda: make_pipeline(StandardScaler(), Ridge()).fit(X, Y),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_report_contract_refuses_what_theory_does_not_cover(reason):
    network = REFUSED[reason]()
    with pytest.raises(ValueError, match=reason) as refusal:
        stability_report(network, X, Y)
    assert type(network).__name__ in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert "random_state" not in str(refusal.value)  # not all parameters, but the one in question


def test_report_contract_refuses_another_loss():
    network = fit("fcn")
    network.loss = "hinge"
    with pytest.raises(ValueError, match="loss='hinge'; the bound is stated for the squared error"):
        stability_report(network, X, Y)


def test_report_contract_bad_data_and_networks():
    with pytest.raises(NotFittedError):
        stability_report(FAMILIES["cnn"], X, Y)
    with pytest.raises(NotFittedError):
        training_loss(FAMILIES["cnn"], X, Y)
    network = fit("cnn")
    with pytest.raises(ValueError, match="12 features"):
        stability_report(network, X[:, :5], Y)
    with pytest.raises(ValueError, match="tol=0"):
        stability_report(network, X, Y, tol=0)
    network.module_.bias.data.fill_(np.nan)
    with pytest.raises(ValueError, match="not finite"):
        stability_report(network, X, Y)


def test_report_contract_single_precision_counts_what_training_sees():
    inputs = 1 + 1e-9 * RNG.normal(size=(20, 12))  # all alike in float32
    network = FCNRegressor(7, **PLAIN | {"dtype": "float32"}).fit(inputs, Y[:20])
    report = stability_report(network, inputs, Y[:20])
    assert set(report.activation_rates) <= {0.0, 1.0}
    assert isinstance(report, StabilityReport)


# --- the training loss ----------------------------------------------------------------------------


def test_training_loss_oracle_entry_of_the_curve_that_comes_next():
    for family in FAMILIES:
        longer = fit(family, max_iter=4)
        np.testing.assert_allclose(
            training_loss(fit(family), X, Y), longer.loss_curve_[3], rtol=1e-12
        )


def test_training_loss_oracle_classifier_with_class_weights():
    options = PLAIN | {"class_weight": {-1: 3.0, 1: 1.0}}
    for loss in ("log_loss", "hinge", "squared_error"):
        network = FCNClassifier(7, loss=loss, **options).fit(X, LABELS)
        longer = FCNClassifier(7, loss=loss, **options | {"max_iter": 4}).fit(X, LABELS)
        np.testing.assert_allclose(
            training_loss(network, X, LABELS), longer.loss_curve_[3], rtol=1e-12
        )
