"""The networks of the literature as presets of the ordinary estimators."""

from numbers import Integral
from typing import Any

from sklcnn.estimators.base import AbstractNetwork
from sklcnn.estimators.classifiers import CNNClassifier, FCNClassifier, LCNClassifier
from sklcnn.training import GradientDescent

__all__ = ["dsd_network"]

FAMILIES = {"fcn": FCNClassifier, "lcn": LCNClassifier, "cnn": CNNClassifier}
# Rates of the filters, for a number of patches, and of the threshold.
RATES = {
    "fcn": (lambda n_patches: 0.5 / n_patches, 0.001),
    "lcn": (lambda n_patches: 0.05 * n_patches, 0.01),
    "cnn": (lambda n_patches: 0.1, 0.01),
}


def dsd_network(
    family: str, n_patches: int = 10, patch_size: int = 20, **parameters: Any
) -> AbstractNetwork:
    r"""Return a network of the Dynamic Signal Distribution paper, not fitted.

    .. math:: f(x) = \sum_i \phi_b(\langle w_i, x^{(i)} \rangle), \qquad \|w_i\| \le 1,

    one hidden layer of soft thresholds :math:`\phi_b` with one learned threshold *b*, added up with
    unit weights. The LCN has one filter a patch, the CNN one for all patches, the FCN as many
    units as there are patches, which see all of them. Filters start at standard deviation
    ``1 / (10 n_features)`` and are projected to the unit ball after each of 600 steps of full-batch
    gradient descent on the squared loss; the threshold starts at zero, has a rate of its own and is
    held from below at zero, where the activation is linear.

    Parameters
    ----------
    family : {"fcn", "lcn", "cnn"}
        Fully connected, locally connected or convolutional.
    n_patches : int, default=10
        Patches of a sample (*k* in the paper).
    patch_size : int, default=20
        Features of a patch (*d*).
    **parameters
        Of the estimator, in the place of what the preset says, such as ``random_state``,
        ``loss="log_loss"``, or another ``solver``: ``learning_rate_init`` suits gradient descent.

    Returns
    -------
    network : FCNClassifier, LCNClassifier or CNNClassifier
        An ordinary estimator. The local ones fit samples of ``n_patches * patch_size`` features
        only and raise a ValueError for others; the FCN takes what it gets.

    Raises
    ------
    ValueError
        If the family is unknown or a size is not a positive integer.

    See Also
    --------
    sklcnn.alignment : Cosines of the learned filters with the signal.
    sklcnn.inspection.population_risk : Exact risks of the fitted network.
    sklcnn.training.TwoStep : The algorithm of the upper bounds, a solver for the same networks.
    sklcnn.datasets.DynamicSignal : The law.

    Notes
    -----
    The gradient of one LCN filter is smaller than that of the CNN by the number of patches, so its
    rate is larger by as much: 0.1 for the CNN, ``0.05 n_patches`` for the LCN. All units of the FCN
    move alike, so that it wants a small one: ``0.5 / n_patches``.

    References
    ----------
    .. [1] Lahoti, Karp, Winston, Singh, Li, "Role of Locality and Weight Sharing in Image-Based
       Tasks", ICLR 2024, arXiv:2403.15707: the architectures. Rates, number of steps and the start
       are ours, where the paper is silent.

    Examples
    --------
    >>> import sklcnn
    >>> from sklcnn.datasets import make_dsd
    >>> X, y = make_dsd(n_samples=100, n_patches=10, patch_size=20, random_state=0)
    >>> network = sklcnn.dsd_network("cnn", 10, 20, random_state=0).fit(X, y)
    >>> network.n_parameters_
    21
    """
    if family not in FAMILIES:
        raise ValueError(f"family={family!r} must be one of {sorted(FAMILIES)}.")
    sizes: dict[str, Any] = {"n_patches": n_patches, "patch_size": patch_size}
    for name, size in sizes.items():
        if not isinstance(size, Integral) or size < 1:
            raise ValueError(f"{name}={size!r} must be an integer of at least 1.")
    n_features = n_patches * patch_size
    rate, threshold_rate = RATES[family]
    fan_in = n_features if family == "fcn" else patch_size
    preset = {
        "n_filters": n_patches if family == "fcn" else 1,
        "activation": "soft_threshold",
        "readout": "sum",
        "init_scale": fan_in**0.5 / (10 * n_features),
        "loss": "squared_error",
        "solver": GradientDescent(
            projection="unit_ball", bias_learning_rate=threshold_rate, min_threshold=0.0
        ),
        "learning_rate_init": rate(n_patches),
        "max_iter": 600,
        "alpha": 0.0,
        "tol": None,
    }
    if family != "fcn":
        window = {"patch_size": patch_size, "stride": patch_size, "input_shape": (n_features,)}
        preset |= {**window, "pooling": "sum"}
    return FAMILIES[family](**(preset | parameters))
