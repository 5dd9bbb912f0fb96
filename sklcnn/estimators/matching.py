"""Networks of as many parameters as another one, to compare families at equal size."""

from numbers import Integral
from typing import Any, TypeVar

from sklearn.base import clone

from sklcnn.estimators.base import AbstractNetwork

__all__ = ["match_parameters"]

# A network of one filter may exceed what is asked for by so much.
MOST = 1.5

Network = TypeVar("Network", bound=AbstractNetwork)


def match_parameters(
    estimator: Network, n_parameters: int, n_features: int, *, n_outputs: int = 1
) -> Network:
    """Return a network with the number of filters that makes it as large as asked for.

    Families differ in their parameters a filter by orders of magnitude, so that a comparison of
    them is one of sizes as well, unless they are matched. All else stays as it is.

    Parameters
    ----------
    estimator : estimator
        A network of one hidden layer, fitted or not; it is left as it is, and its ``n_filters``
        does not matter.
    n_parameters : int
        Of the network that is wanted, such as ``n_parameters_`` of a fitted one.
    n_features : int
        Of the inputs.
    n_outputs : int, default=1
        Columns of the target; of a classifier the number of classes, 1 for two of them.

    Returns
    -------
    matched : estimator
        Not fitted. No other number of filters comes closer; of two that are equally close it has
        the smaller one.

    Raises
    ------
    ValueError
        If the estimator is no network of one hidden layer, a number is not a positive integer, or a
        single filter makes a network of more than 1.5 times the parameters.

    Examples
    --------
    >>> import sklcnn
    >>> from sklcnn.datasets import make_sphere
    >>> from sklcnn.estimators import match_parameters
    >>> X, y = make_sphere(n_samples=50, n_features=100, random_state=0)
    >>> local = sklcnn.CNNRegressor(128, patch_size=10, stride=10, pooling="mean", max_iter=5)
    >>> dense = sklcnn.FCNRegressor(max_iter=5, tol=None)
    >>> size = local.set_params(tol=None).fit(X, y).n_parameters_
    >>> size, match_parameters(dense, size, n_features=100).fit(X, y).n_parameters_
    (1537, 1531)
    """
    counts: list[Any] = [n_parameters, n_features, n_outputs]
    for name, count in zip(("n_parameters", "n_features", "n_outputs"), counts, strict=True):
        if isinstance(count, bool) or not isinstance(count, Integral) or count < 1:
            raise ValueError(f"{name}={count!r} must be an integer of at least 1.")
    _check_depth(estimator)
    one, two = (_count(estimator, width, n_features, n_outputs) for width in (1, 2))
    if one > MOST * n_parameters:
        raise ValueError(
            f"n_parameters={n_parameters} cannot be matched: {estimator!r} has {one} parameters "
            "with a single filter. Ask for more of them, or for smaller patches, more sharing or "
            "pooling."
        )
    n_parameters = int(n_parameters)  # what is found shall be an int, too
    below = max(1, 1 + (n_parameters - one) // (two - one))  # parameters are affine in filters
    n_filters = min(
        (below, below + 1), key=lambda n: abs(one + (n - 1) * (two - one) - n_parameters)
    )
    return clone(estimator).set_params(n_filters=n_filters)


def _check_depth(estimator):
    if not isinstance(estimator, AbstractNetwork):
        raise ValueError(f"estimator={estimator!r} must be a network, such as FCNRegressor().")
    n_filters = estimator.n_filters
    if isinstance(n_filters, tuple) and len(n_filters) != 1:
        raise ValueError(
            f"n_filters={n_filters} names {len(n_filters)} hidden layers, which can be matched in "
            "many ways; match_parameters is for one hidden layer."
        )


def _count(estimator, n_filters, n_features, n_outputs):
    """Return the parameters of a network that is built and not drawn."""
    network = clone(estimator).set_params(n_filters=n_filters)
    network._validate_params()
    network.n_features_in_ = n_features
    module = network._build(n_outputs, generator=None)
    return sum(parameter.numel() for parameter in module.parameters())
