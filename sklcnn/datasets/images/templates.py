"""Signals of one axis that hold a template of their class somewhere."""

from numbers import Integral, Real

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_array
from sklearn.utils._param_validation import Interval, validate_params

from sklcnn.datasets.base import draw_entropy, stream

__all__ = ["make_translated_templates"]

_POSITIONS = ("anywhere", "first_half", "second_half")


@validate_params(
    {
        "n_samples": [Interval(Integral, 1, None, closed="left")],
        "n_features": [Interval(Integral, 1, None, closed="left")],
        "template_size": [Interval(Integral, 1, None, closed="left")],
        "n_classes": [Interval(Integral, 2, None, closed="left")],
        "noise": [Interval(Real, 0, None, closed="left")],
        "return_positions": ["boolean"],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_translated_templates(
    *,
    n_samples: int = 100,
    n_features: int = 100,
    template_size: int = 10,
    n_classes: int = 2,
    noise: float = 0.1,
    templates: ArrayLike | None = None,
    positions: str | ArrayLike = "anywhere",
    return_positions: bool = False,
    random_state: int | np.random.RandomState | None = None,
):
    r"""Generate noisy signals with the template of their class at a random position.

    .. math:: x = \mathrm{shift}_t(w_y) + \sigma z, \qquad
              y \sim \mathrm{Unif}\{0, \dots, n_{\mathrm{classes}} - 1\}, \quad
              t \sim \mathrm{Unif}(\mathtt{positions}), \quad z \sim N(0, I).

    The whole template is inside the signal. With positions for training and others for testing it
    asks whether a network recognizes a template where it has never seen it: one with shared filters
    and pooling does, one with a weight for every feature cannot.

    Parameters
    ----------
    n_samples : int, default=100
        Number of samples.
    n_features : int, default=100
        Length of the signals.
    template_size : int, default=10
        Length of the templates.
    n_classes : int, default=2
        Number of classes, with one template each.
    noise : float, default=0.1
        Standard deviation of the noise per feature; a template drawn here has unit length.
    templates : array-like of shape (n_classes, template_size), default=None
        The templates. None draws them uniformly from the unit sphere.
    positions : {"anywhere", "first_half", "second_half"} or array-like of int, default="anywhere"
        Where a template may begin: so that it ends inside the signal, or inside that half of it; or
        a list of the features where it may begin.
    return_positions : bool, default=False
        Whether to return the positions too.
    random_state : int, RandomState instance or None, default=None
        Source of the templates and, from streams independent of it, of labels, positions and noise.
        Calls with other positions and the same int have the same templates, but also the same
        labels and noise: give them ``templates`` and different ints.

    Returns
    -------
    X : ndarray of shape (n_samples, n_features)
        The signals.
    y : ndarray of shape (n_samples,)
        The classes, from 0.
    positions : ndarray of shape (n_samples,)
        Where the template of each sample begins. Only if ``return_positions=True``.

    See Also
    --------
    DynamicSignal : With ``task="type"`` and ``placement="pixel"`` a law of templates that wrap
        around, with its Bayes rule.

    Examples
    --------
    >>> from sklcnn.datasets.images import make_translated_templates
    >>> templates = [[1, 1, 0], [1, 0, 1]]
    >>> X, y = make_translated_templates(
    ...     n_samples=3,
    ...     n_features=8,
    ...     template_size=3,
    ...     templates=templates,
    ...     positions="first_half",
    ...     noise=0,
    ...     random_state=0,
    ... )
    >>> X.astype(int)
    array([[0, 1, 0, 1, 0, 0, 0, 0],
           [1, 1, 0, 0, 0, 0, 0, 0],
           [1, 0, 1, 0, 0, 0, 0, 0]])
    >>> y
    array([1, 0, 1])
    """
    entropy = draw_entropy(random_state)
    starts = _check_positions(positions, n_features, template_size)
    shapes = _check_templates(templates, n_classes, template_size, entropy)
    y = stream(entropy, "labels").integers(n_classes, size=n_samples)
    places = stream(entropy, "positions").choice(starts, size=n_samples)
    X = noise * stream(entropy, "noise").standard_normal((n_samples, n_features))
    columns = places[:, None] + np.arange(template_size)  # (n_samples, template_size)
    X[np.arange(n_samples)[:, None], columns] += shapes[y]
    return (X, y, places) if return_positions else (X, y)


def _check_templates(templates, n_classes, template_size, entropy):
    """Templates of shape (n_classes, template_size), drawn if there are none."""
    shape = (n_classes, template_size)
    if templates is None:
        drawn = stream(entropy, "templates").standard_normal(shape)
        return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    templates = check_array(templates, dtype=np.float64, input_name="templates")
    if templates.shape != shape:
        raise ValueError(
            f"templates has shape {templates.shape}, but n_classes={n_classes} and "
            f"template_size={template_size}: it must have shape {shape}."
        )
    return templates


def _check_positions(positions, n_features, template_size):
    """Features where a template may begin."""
    middle = n_features // 2
    ranges = {
        "anywhere": (0, n_features),
        "first_half": (0, middle),
        "second_half": (middle, n_features),
    }
    if not isinstance(positions, str):
        return _check_starts(positions, n_features - template_size)
    if positions not in ranges:
        known = ", ".join(map(repr, _POSITIONS))
        raise ValueError(f"positions={positions!r} must be one of {known}, or a list of integers.")
    first, end = ranges[positions]
    if end - first < template_size:
        raise ValueError(
            f"template_size={template_size} does not fit into the {end - first} features of "
            f"positions={positions!r}: make it at most {end - first}, or n_features larger."
        )
    return np.arange(first, end - template_size + 1)


def _check_starts(positions, last):
    starts = np.asarray(positions)
    is_list = starts.ndim == 1 and starts.size and starts.dtype.kind in "iu"
    if not is_list or starts.min() < 0 or starts.max() > last:
        raise ValueError(
            f"positions={positions!r} must be a list of integers from 0 to n_features - "
            f"template_size = {last}."
        )
    return starts
