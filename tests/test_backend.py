"""scikit-learn's own functions inside a fleet: same results, faults stay where they arise."""

import dataclasses
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pytest
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.ensemble import BaggingClassifier, StackingClassifier
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    cross_val_score,
    learning_curve,
    validation_curve,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sklcnn
from sklcnn import CNNClassifier, FCNClassifier, LCNClassifier
from sklcnn.datasets import make_dsd
from sklcnn.training import GradientDescent, running
from sklcnn.training.progress import FitProgress
from sklcnn.training.stacks import spread

pytestmark = pytest.mark.timeout(120)  # a fleet that waits for ever is the fault to fear

NETWORK = FCNClassifier(3, max_iter=5, tol=None, random_state=0, dtype="float64", device="cpu")


@pytest.fixture(scope="module")
def dsd():
    return make_dsd(n_samples=90, n_patches=4, patch_size=5, noise=0.3, random_state=0)


@pytest.fixture
def stacks(monkeypatch):
    """Sizes of the stacks that are trained."""
    sizes, train = [], running._train

    def count(jobs, cancelled):
        sizes.append(len(jobs))
        return train(jobs, cancelled)

    monkeypatch.setattr(running, "_train", count)
    return sizes


def both(function):
    """What a function returns by itself and inside a fleet."""
    alone = function()
    with sklcnn.fleet():
        return alone, function()


def test_learning_curve_oracle_loop(dsd, stacks):
    network = LCNClassifier(3, 5, 5, max_iter=5, tol=None, random_state=0)
    alone, together = both(lambda: learning_curve(network, *dsd, cv=4, train_sizes=[20, 40, 67]))
    for one, many in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, many)
    assert stacks[12:] == [12]  # the shorter ones are padded


def test_grid_search_of_a_pipeline_oracle_loop(dsd, stacks):
    pipeline = make_pipeline(StandardScaler(), NETWORK)
    grid = {"fcnclassifier__learning_rate_init": [0.1, 0.01], "fcnclassifier__alpha": [0.0, 1.0]}
    alone, together = both(lambda: GridSearchCV(pipeline, grid, cv=5).fit(*dsd))
    np.testing.assert_array_equal(
        alone.cv_results_["mean_test_score"], together.cv_results_["mean_test_score"]
    )
    assert alone.best_params_ == together.best_params_
    np.testing.assert_array_equal(alone.predict(dsd[0]), together.predict(dsd[0]))
    assert stacks[21:] == [20, 1]  # the search, then the refit


def test_parallel_config_contract_the_name_is_enough(dsd, stacks):
    with joblib.parallel_config("fleet"):
        cross_val_score(NETWORK, *dsd, cv=5)
    assert stacks == [5]


def test_validation_curve_oracle_loop(dsd):
    rates = [0.001, 0.01, 0.1]
    options = {"param_name": "learning_rate_init", "param_range": rates, "cv": 3}
    alone, together = both(lambda: validation_curve(NETWORK, *dsd, **options))
    np.testing.assert_array_equal(alone[1], together[1])


@pytest.mark.parametrize(
    "nested",
    [
        GridSearchCV(NETWORK, {"alpha": [0.0, 1.0]}, cv=3),
        OneVsRestClassifier(NETWORK),
        BaggingClassifier(NETWORK, n_estimators=4, random_state=0),
        StackingClassifier([("network", NETWORK), ("line", LogisticRegression())], cv=2),
    ],
    ids=lambda nested: type(nested).__name__,
)
def test_nested_calls_oracle_loop(nested, dsd):
    X, y = dsd
    three = np.where(X[:, 0] > 0.2, 2, y)
    alone, together = both(lambda: cross_val_score(nested, X, three, cv=3))
    np.testing.assert_array_equal(alone, together)


def test_nested_calls_contract_fits_of_all_calls_meet(dsd, stacks):
    search = GridSearchCV(NETWORK, {"alpha": [0.0, 1.0]}, cv=3)
    with sklcnn.fleet():
        cross_val_score(search, *dsd, cv=3)
    assert len(stacks) < 3 * 6  # 18 fits of the searches and 3 refits, in few stacks
    assert sum(stacks) == 3 * 6 + 3


def test_two_fleets_in_two_threads_oracle_loop(dsd):
    expected = cross_val_score(NETWORK, *dsd, cv=4)
    found = {}

    def run(name):
        with sklcnn.fleet():
            found[name] = cross_val_score(NETWORK, *dsd, cv=4)

    threads = [threading.Thread(target=run, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_array_equal(found["a"], expected)
    np.testing.assert_array_equal(found["b"], expected)


def _score_in_a_fleet(X, y):
    with sklcnn.fleet():
        return cross_val_score(NETWORK, X, y, cv=4)


def test_fleet_inside_a_loky_worker_oracle_loop(dsd):
    expected = cross_val_score(NETWORK, *dsd, cv=4)
    scores = joblib.Parallel(n_jobs=2)(joblib.delayed(_score_in_a_fleet)(*dsd) for _ in range(2))
    np.testing.assert_allclose(scores, [expected, expected])


def test_other_estimators_contract_run_in_their_threads(dsd):
    alone, together = both(lambda: cross_val_score(LogisticRegression(), *dsd, cv=3))
    np.testing.assert_array_equal(alone, together)


def test_watched_fits_contract_train_alone(dsd, stacks):
    with sklcnn.fleet():
        cross_val_score(sklcnn.FCNClassifier(2, max_iter=2, tol=None, callbacks=[]), *dsd, cv=3)
    assert stacks == [3]
    stacks.clear()
    from skorch.callbacks import Callback

    network = FCNClassifier(2, max_iter=2, tol=None, callbacks=[Callback()])
    with sklcnn.fleet():
        cross_val_score(network, *dsd, cv=3)
    assert stacks == [1, 1, 1]


def test_memory_contract_full_waiting_room_is_trained_before_more_tasks_start(dsd, stacks):
    n_bytes = 2 * 82 * (20 + 1) * 8  # of a waiting job: inputs and targets in float64, twice
    expected = cross_val_score(NETWORK, *dsd, cv=12)
    stacks.clear()
    with sklcnn.fleet(memory=3 * n_bytes):
        scores = cross_val_score(NETWORK, *dsd, cv=12)
    np.testing.assert_array_equal(scores, expected)
    assert sum(stacks) == 12
    assert max(stacks) <= 3 + joblib.cpu_count()
    assert len(stacks) > 12 / (3 + joblib.cpu_count())


@pytest.mark.parametrize("memory", ["1KB", 1, "2 GB", 1e9])
def test_memory_oracle_loop(memory, dsd):
    search = GridSearchCV(NETWORK, {"alpha": [0.0, 1.0]}, cv=3)
    expected = cross_val_score(search, *dsd, cv=3)
    with sklcnn.fleet(memory=memory):
        np.testing.assert_array_equal(cross_val_score(search, *dsd, cv=3), expected)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"memory": "lots"}, "memory='lots'"),
        ({"memory": 0}, "memory=0 must be a positive"),
        ({"memory": [1]}, "memory="),
        ({"memory": float("inf")}, "memory=inf"),
        ({"n_jobs": 0}, "n_jobs=0"),
        ({"n_jobs": 1.5}, "n_jobs=1.5"),
        ({"backend": "fleet"}, "backend='fleet'"),
    ],
)
def test_options_contract_errors_name_them(options, message):
    with pytest.raises(ValueError, match=re.escape(message)), sklcnn.fleet(**options):
        pass


def test_options_contract_a_fleet_without_any_joins_the_one_around_it(dsd, capsys):
    with sklcnn.fleet(progress=True):
        sklcnn.fit_many([clone(NETWORK)], *[[part] for part in dsd])
    assert "training" in capsys.readouterr().err
    with sklcnn.fleet(progress=True), sklcnn.fleet(memory="1GB"):
        sklcnn.fit_many([clone(NETWORK)], *[[part] for part in dsd])
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_workers_oracle_loop_stacks_train_in_another_backend(backend, dsd):
    networks = [NETWORK, clone(NETWORK).set_params(activation="tanh"), LCNClassifier(3, 5, 5)]
    expected = [cross_val_score(network, *dsd, cv=4) for network in networks[:2]]
    search = GridSearchCV(NETWORK, {"activation": ["relu", "tanh"]}, cv=4)
    with sklcnn.fleet(n_jobs=2, backend=backend):
        search.fit(*dsd)
    found = [search.cv_results_[f"split{number}_test_score"] for number in range(4)]
    np.testing.assert_array_equal(np.transpose(found), expected)


def test_workers_contract_a_failure_stays_where_it_arises(dsd):
    network = CNNClassifier(3, 5, 5, loss="squared_error", solver="gd", max_iter=60, tol=None)
    search = GridSearchCV(network, {"learning_rate_init": [0.01, 1e4]}, cv=3)
    with sklcnn.fleet(n_jobs=2), pytest.warns(Warning, match=r"learning_rate_init than 10000|non-"):
        search.fit(*dsd)
    assert np.isnan(search.cv_results_["mean_test_score"]).tolist() == [False, True]


def test_gpus_contract_stacks_take_turns_unless_one_is_named(monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    jobs = [SimpleJob(torch.device(name)) for name in ("cuda", "cuda", "cuda:1", "cpu", "cuda")]
    placed = [stack[0].device for stack in spread([[job] for job in jobs])]
    assert [str(device) for device in placed] == ["cuda:0", "cuda:1", "cuda:1", "cpu", "cuda:0"]


@dataclasses.dataclass(frozen=True)
class SimpleJob:
    device: torch.device


def test_progress_contract_counts_the_fits_on_standard_error(dsd, capsys, monkeypatch):
    counted = []
    monkeypatch.setattr(
        FitProgress, "advance", lambda self, n_fits=1: counted.append((self._n_fits, n_fits))
    )
    with sklcnn.fleet(progress=True):
        cross_val_score(NETWORK, *dsd, cv=5)
    assert counted == [(5, 5)]
    assert "training" in capsys.readouterr().err
    with sklcnn.fleet():
        cross_val_score(NETWORK, *dsd, cv=5)
    assert capsys.readouterr().err == ""


def test_threads_contract_those_of_torch_are_left_as_they_were(dsd):
    def in_a_new_thread():
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(torch.get_num_threads).result()

    before = torch.get_num_threads(), in_a_new_thread()
    with sklcnn.fleet():
        cross_val_score(NETWORK, *dsd, cv=3)
    with sklcnn.fleet(), pytest.raises(ValueError, match="All the 3 fits failed"):
        cross_val_score(clone(NETWORK).set_params(max_iter=-1), *dsd, cv=3)
    assert (torch.get_num_threads(), in_a_new_thread()) == before


class Faulty(ClassifierMixin, BaseEstimator):
    """A network one of whose fits raises before it comes to training."""

    def __init__(self, fault=None):
        self.fault = fault

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        network = FCNClassifier(2, max_iter=3, tol=None, random_state=0)
        if self.fault is not None and len(X) == 59:  # one fold is smaller than the others
            raise self.fault
        self.network_ = network.fit(X, y)
        return self

    def predict(self, X):
        return self.network_.predict(X)


SPLITS = [(np.arange(60), np.arange(60, 90)), (np.arange(59), np.arange(60, 90))]


@pytest.mark.parametrize("fault", [ValueError("broken"), MemoryError("full")], ids=repr)
def test_faults_contract_one_fit_fails_alone(fault, dsd):
    with sklcnn.fleet(), pytest.warns(FitFailedWarning):
        scores = cross_val_score(Faulty(fault), *dsd, cv=SPLITS)
    expected = cross_val_score(Faulty(), *dsd, cv=SPLITS)
    assert np.isnan(scores[1])
    assert scores[0] == expected[0]


class Secretive(GradientDescent):
    """A solver that breaks where it is compared with others."""

    @property
    def kind(self):
        raise ValueError("not to be compared")


def test_faults_contract_a_job_that_cannot_be_compared_fails_alone(dsd):
    search = GridSearchCV(NETWORK, {"solver": [GradientDescent(), Secretive()]}, cv=3)
    with sklcnn.fleet(), pytest.warns(Warning, match=r"not to be compared|non-finite"):
        search.fit(*dsd)
    assert np.isnan(search.cv_results_["mean_test_score"]).tolist() == [False, True]


@pytest.mark.parametrize("fault", [KeyboardInterrupt(), SystemExit(3)], ids=repr)
def test_faults_contract_what_ends_a_loop_ends_a_fleet(fault, dsd):
    with sklcnn.fleet(), pytest.raises(type(fault)):
        cross_val_score(Faulty(fault), *dsd, cv=SPLITS)


def test_nan_in_one_fold_contract_that_fold_fails(dsd):
    X, y = dsd
    X = X.copy()
    X[59] = np.nan  # in the first training set only
    splits = [(np.arange(60), np.arange(60, 90)), (np.arange(58), np.arange(60, 90))]
    with sklcnn.fleet(), pytest.warns(FitFailedWarning, match="NaN"):
        scores = cross_val_score(NETWORK, X, y, cv=splits)
    assert np.isnan(scores).tolist() == [True, False]


def test_divergence_contract_one_candidate_fails(dsd):
    network = CNNClassifier(3, 5, 5, loss="squared_error", solver="gd", max_iter=60, tol=None)
    search = GridSearchCV(network, {"learning_rate_init": [0.01, 1e4]}, cv=3)
    with sklcnn.fleet(), pytest.warns(Warning, match=r"learning_rate_init than 10000|non-finite"):
        search.fit(*dsd)
    assert np.isnan(search.cv_results_["mean_test_score"]).tolist() == [False, True]


@pytest.mark.parametrize("fault", [RuntimeError("stack"), MemoryError("stack")], ids=repr)
def test_fault_inside_the_rendezvous_contract_all_hear_of_it(fault, dsd, monkeypatch):
    def refuse(*arguments):
        raise fault

    monkeypatch.setattr("sklcnn.training.rendezvous.train_stacks", refuse)
    with sklcnn.fleet(), pytest.raises(ValueError, match="All the 3 fits failed"):
        cross_val_score(NETWORK, *dsd, cv=3)


def test_interrupt_inside_the_rendezvous_contract_ends_the_call(dsd, monkeypatch):
    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("sklcnn.training.rendezvous.train_stacks", interrupt)
    with sklcnn.fleet(), pytest.raises(KeyboardInterrupt):
        cross_val_score(NETWORK, *dsd, cv=3)


@pytest.mark.parametrize("n_jobs", [None, 2], ids=["here", "workers"])
def test_ctrl_c_contract_ends_a_long_training(n_jobs, dsd):
    import _thread

    with sklcnn.fleet(n_jobs=n_jobs):  # workers start before the interrupt
        cross_val_score(NETWORK, *dsd, cv=3)
    network = FCNClassifier(3, max_iter=10**7, tol=None)
    timer = threading.Timer(1.0, _thread.interrupt_main)
    timer.start()
    begin = time.monotonic()
    with sklcnn.fleet(n_jobs=n_jobs), pytest.raises(KeyboardInterrupt):
        cross_val_score(network, *dsd, cv=3)
    while any(thread.name.startswith("fleet") for thread in threading.enumerate()):
        time.sleep(0.1)
        assert time.monotonic() - begin < 20


def test_fit_many_oracle_loop(dsd, stacks):
    X, y = dsd
    sizes = [90, 80, 30]
    weights = [None, np.linspace(0, 1, 80), None]
    data = [X[:n] for n in sizes], [y[:n] for n in sizes], weights
    together = sklcnn.fit_many([clone(NETWORK) for _ in sizes], *data)
    assert stacks == [3]
    for network, X_own, y_own, weight in zip(together, *data, strict=True):
        alone = clone(NETWORK).fit(X_own, y_own, sample_weight=weight)
        np.testing.assert_allclose(network.filters_, alone.filters_, rtol=0, atol=1e-12)


def test_fit_many_contract_one_failure_leaves_the_others_fitted(dsd):
    X, y = dsd
    networks = [clone(NETWORK), clone(NETWORK).set_params(alpha=-1), clone(NETWORK)]
    with pytest.raises(ValueError, match="'alpha' parameter"):
        sklcnn.fit_many(networks, [X] * 3, [y] * 3)
    assert [hasattr(network, "module_") for network in networks] == [True, False, True]
    with pytest.raises(ValueError, match="lengths 3, 2, 3, 3"):
        sklcnn.fit_many(networks, [X] * 2, [y] * 3)


@pytest.fixture(autouse=True)
def _no_threads_are_left():
    yield
    deadline = time.monotonic() + 5
    while any(t.name.startswith("fleet") for t in threading.enumerate()):
        assert time.monotonic() < deadline, "threads of the fleet are left"
        time.sleep(0.02)
