"""Training of all networks of a study: kind after kind, so that progress can be seen."""

import warnings

from sklearn.exceptions import ConvergenceWarning

from sklcnn.training import fit_many

__all__ = ["train_networks"]


def train_networks(plan, networks, progress):
    """Train networks on the samples of a plan, those of one kind together.

    Parameters
    ----------
    plan : LinearPlan
        With the samples.
    networks : list of Network
        What to train.
    progress : FitProgress
        Counts them.

    Returns
    -------
    trained : dict of Network to LinearNetworkClassifier
        The results, whatever margins they have.
    """
    trained = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # tables have the margins
        for group in _kinds(networks):
            n_fits = len(group)
            estimators = [network.estimator() for network in group]
            fitted = fit_many(estimators, [plan.X] * n_fits, [plan.y] * n_fits)
            trained |= dict(zip(group, fitted, strict=True))
            progress.advance(n_fits)
    return trained


def _kinds(networks):
    """Networks that can share a stack, (n_kinds,) lists."""
    kinds = {}
    for network in networks:
        kind = network._replace(init_scale=None, seed=None, target_margin=None)
        kinds.setdefault(kind, []).append(network)
    return list(kinds.values())
