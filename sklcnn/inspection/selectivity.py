"""How well single filters tell clusters of patches apart."""

from numbers import Integral

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.mixture import GaussianMixture
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data

from sklcnn.estimators.base import AbstractNetwork
from sklcnn.estimators.families import LocallyConnected
from sklcnn.inspection.networks import check_network, cut_patches
from sklcnn.nn.activations import ACTIVATIONS, soft_threshold
from sklcnn.patches import check_patch_indices
from sklcnn.patches.views import random_stream

__all__ = ["fisher_selectivity", "patch_clusters"]

_BLOCK = 2**22  # responses that are looked at together
_FLOOR = 1e-10  # of the variance within clusters, as in the study


def fisher_selectivity(
    estimator: AbstractNetwork,
    X: ArrayLike,
    clusters: ArrayLike | None = None,
    *,
    random_state: int | np.random.RandomState | None = 0,
) -> NDArray[np.float64]:
    r"""Return how much more each filter varies between clusters of patches than within them.

    With :math:`a_{ik}` the response of filter *k* to patch *i*, after the activation, it is

    .. math:: \frac{\frac1N \sum_c n_c (\mu_{ck} - \mu_k)^2}
              {\frac1N \sum_c \sum_{i \in c} (a_{ik} - \mu_{ck})^2 + 10^{-10}},

    where cluster *c* has :math:`n_c` of the *N* patches, and :math:`\mu_{ck}` is their mean
    response.

    Parameters
    ----------
    estimator : fitted network
        One of one hidden layer. The patches of a fully connected one are whole samples.
    X : array-like of shape (n_samples, n_features)
        Inputs whose patches are looked at.
    clusters : array-like of shape (n_samples, n_patches), default=None
        Label of the cluster of each patch, of any type, in the order of ``patch_indices_``. None
        takes those of `patch_clusters`.
    random_state : int, RandomState instance or None, default=0
        Seed of `patch_clusters`, if it is needed.

    Returns
    -------
    selectivity : ndarray of shape (n_filters,) or (n_groups, n_filters)
        At least 0, and exactly 0 for a filter that is active on no patch. For a locally connected
        network there are filters of several groups, each of which sees the patches of its group.

    Raises
    ------
    NotFittedError
        If the network is not fitted.
    ValueError
        If the estimator is no network or has several hidden layers, or if X or clusters have
        another shape.

    See Also
    --------
    patch_clusters : The clusters, to use them for several networks.
    sklcnn.alignment : How well filters found a known signal.

    Notes
    -----
    Compare filters by it only on the same clusters. It is large for one that responds to few of
    the clusters, and alike to all of their patches.

    References
    ----------
    .. [1] Liang, Singh, Parhi, Cloninger, Wang, "The Inductive Bias of Convolutional Neural
       Networks: Locality and Weight Sharing Reshape Implicit Regularization", 2026,
       arXiv:2603.04807.

    Examples
    --------
    >>> import sklcnn
    >>> from sklcnn.datasets import ConeClusters
    >>> from sklcnn.inspection import fisher_selectivity
    >>> law = ConeClusters(n_patches=8, patch_size=5, n_classes=3, random_state=0)
    >>> X, y, cones = law.sample(100, random_state=1, return_cones=True)
    >>> network = sklcnn.CNNClassifier(16, 5, 5, pooling="mean", max_iter=5, tol=None)
    >>> network = network.set_params(random_state=0).fit(X, y)
    >>> fisher_selectivity(network, X, cones).shape
    (16,)
    """
    network = _shallow_network(estimator)
    X = validate_data(estimator, estimator._ravel(X), reset=False, dtype=np.float64)
    patches = cut_patches(X, estimator.patch_indices_)  # (n_samples, n_patches, patch_size)
    if clusters is None:
        clusters = patch_clusters(X, estimator.patch_indices_, random_state=random_state)
    labels = _check_clusters(clusters, patches.shape[:2])
    selectivity = np.stack(
        [
            _selectivity_of_group(network, group, patches[:, members], labels[:, members].ravel())
            for group, members in _groups(estimator.filter_groups_)
        ]
    )  # (n_groups, n_filters)
    return selectivity if isinstance(estimator, LocallyConnected) else selectivity[0]


def patch_clusters(
    X: ArrayLike,
    patch_indices: ArrayLike,
    n_clusters: int = 6,
    *,
    n_init: int = 6,
    max_iter: int = 600,
    random_state: int | np.random.RandomState | None = 0,
) -> NDArray[np.int64]:
    """Cluster all patches of all samples by a mixture of Gaussians with full covariances.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        The samples, usually those of training.
    patch_indices : array-like of shape (n_patches, patch_size)
        The features that each patch sees, such as ``patch_indices_`` of a network. Masked ones are
        seen as zeros.
    n_clusters : int, default=6
        Gaussians in the mixture.
    n_init : int, default=6
        Starts, of which the one of highest likelihood is kept.
    max_iter : int, default=600
        Steps of expectation maximization after which a start ends in any case.
    random_state : int, RandomState instance or None, default=0
        Source of the starts. None draws other ones on every call.

    Returns
    -------
    clusters : ndarray of shape (n_samples, n_patches)
        The most probable Gaussian of each patch, from 0 to ``n_clusters - 1``.

    Raises
    ------
    ValueError
        If X is no matrix, an index is none of a feature, or there are fewer patches than clusters.

    Warns
    -----
    ConvergenceWarning
        If the best start reached ``max_iter``.

    See Also
    --------
    fisher_selectivity : What the clusters are for.

    Notes
    -----
    The likelihood need not be largest where the clusters are those in question. Of the patches of
    a default `sklcnn.datasets.ConeClusters` 98 in 100 are background, on a curved surface that
    several Gaussians fit better than one does: the mixture splits the background, and does not find
    the other cones.

    References
    ----------
    .. [1] Liang, Singh, Parhi, Cloninger, Wang, "The Inductive Bias of Convolutional Neural
       Networks: Locality and Weight Sharing Reshape Implicit Regularization", 2026,
       arXiv:2603.04807.

    Examples
    --------
    >>> import numpy as np
    >>> from sklcnn.datasets import ConeClusters
    >>> from sklcnn.inspection import patch_clusters
    >>> X, _ = ConeClusters(3, 5, n_classes=3, random_state=0).sample(300, random_state=1)
    >>> clusters = patch_clusters(X, np.arange(15).reshape(3, 5), n_clusters=4)
    >>> np.bincount(clusters.ravel())  # 600 patches are background
    array([599, 102,  93, 106])
    """
    samples = check_array(X, dtype=np.float64)
    patches = cut_patches(samples, check_patch_indices(patch_indices, samples.shape[1]))
    cloud = patches.reshape(-1, patches.shape[2])  # (n_samples * n_patches, patch_size)
    _check_n_clusters(n_clusters, len(cloud))
    mixture = GaussianMixture(
        n_clusters, n_init=n_init, max_iter=max_iter, random_state=random_stream(random_state)
    )
    return mixture.fit_predict(cloud).reshape(patches.shape[:2])


def _check_n_clusters(n_clusters, n_patches):
    if not isinstance(n_clusters, Integral) or not 1 <= n_clusters <= n_patches:
        raise ValueError(
            f"n_clusters={n_clusters!r} must be an integer from 1 to {n_patches}, the number of "
            "patches of all samples."
        )


def _shallow_network(estimator):
    """Return the module, or say why its filters cannot be judged on patches of the input."""
    check_network(estimator)
    n_layers = len(estimator.module_.hidden_layers)
    if n_layers > 1:
        raise ValueError(
            f"estimator has {n_layers} hidden layers, n_filters={estimator.n_filters!r}: "
            "selectivity is defined for one, whose filters see patches of the input."
        )
    return estimator.module_


def _check_clusters(clusters, shape):
    """Return the clusters as numbers from 0 on."""
    clusters = np.asarray(clusters)
    if clusters.shape != shape:
        raise ValueError(
            f"clusters has shape {clusters.shape}, but X has {shape[0]} samples of {shape[1]} "
            f"patches: it must have shape {shape}."
        )
    return np.unique(clusters, return_inverse=True)[1].reshape(shape)


def _groups(filter_groups):
    """Yield each group and its patches."""
    for group in range(np.max(filter_groups) + 1):
        yield group, np.flatnonzero(np.equal(filter_groups, group))


def _selectivity_of_group(network, group, patches, labels):
    """Selectivity of the filters of a group, (n_filters,), in pieces of bounded memory."""
    cloud = torch.from_numpy(patches.reshape(len(labels), -1))  # (n, patch_size)
    n_filters = network.weight.shape[1]
    step = max(1, _BLOCK // len(labels))
    pieces = [
        _ratio_of_variances(_responses(network, group, slice(start, start + step), cloud), labels)
        for start in range(0, n_filters, step)
    ]
    return np.concatenate(pieces)


@torch.no_grad()
def _responses(network, group, filters, cloud):
    """Responses of some filters to patches, after the activation, (n, n_filters)."""
    products = cloud @ network.weight[group, filters].double().cpu().T
    if network.activation == "soft_threshold":
        return soft_threshold(products, network.threshold.double().cpu()).numpy()
    bias = network.bias[group, filters].double().cpu()
    return ACTIVATIONS[network.activation](products + bias).numpy()


def _ratio_of_variances(responses, labels):
    """Variance between over that within clusters, (n_filters,)."""
    center, between, within = responses.mean(axis=0), 0.0, 0.0
    for label in np.unique(labels):
        members = responses[labels == label]
        mean = members.mean(axis=0)
        between += len(members) * (mean - center) ** 2
        within += np.sum((members - mean) ** 2, axis=0)
    return between / len(labels) / (within / len(labels) + _FLOOR)
