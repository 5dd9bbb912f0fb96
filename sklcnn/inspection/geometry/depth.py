"""How deep points lie in a cloud: half-space depth, exact in the plane and bounded elsewhere."""

from dataclasses import dataclass
from numbers import Integral

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sklcnn.datasets.base import draw_entropy, stream
from sklcnn.inspection.geometry.cloud import check_working_memory

__all__ = [
    "HalfspaceDepth",
    "check_directions",
    "depth_by_directions",
    "exact_halfspace_depth",
    "halfspace_depth",
]

_DEEPEST = 0.5
_ANGLE = 1e-12  # radians: points so close to a line through the query lie on it


@dataclass(frozen=True)
class HalfspaceDepth:
    """Bounds of half-space depth by random directions, as `halfspace_depth` returns them.

    Attributes
    ----------
    depths : ndarray of shape (n_queries,)
        Least share of the reference in a half-space that holds the query, over all directions: an
        upper bound of the depth. At most 1/2.
    n_directions : ndarray of shape (n_steps,)
        1, 2, 4, ... directions, and at last all of them.
    mean_depths : ndarray of shape (n_steps,)
        Mean bound over the queries after so many directions; it never rises.
    n_reference : int
        Points of the cloud in which the depths are: they are multiples of one over it.

    Examples
    --------
    >>> import numpy as np
    >>> from sklcnn.inspection import HalfspaceDepth
    >>> depths = np.array([0.0, 0.1, 0.5])
    >>> found = HalfspaceDepth(depths, np.array([1, 2]), np.array([0.25, 0.2]), n_reference=10)
    >>> round(found.mean, 3), round(found.last_drop, 3)
    (0.2, 0.2)
    >>> found.curve([0, 0.1, 0.2]).round(3)
    array([1.   , 0.667, 0.333])
    """

    depths: NDArray[np.float64]
    n_directions: NDArray[np.int64]
    mean_depths: NDArray[np.float64]
    n_reference: int

    @property
    def mean(self) -> float:
        """Mean depth, which is the area under `curve` exactly: no grid, no bias."""
        return float(self.depths.mean())

    @property
    def last_drop(self) -> float:
        """By how much the last doubling of the directions (or less) lowered the mean, relative.

        NaN after a single direction, or where the mean was zero before.
        """
        if len(self.mean_depths) < 2 or self.mean_depths[-2] == 0:
            return float("nan")
        return float(1 - self.mean_depths[-1] / self.mean_depths[-2])

    def curve(self, levels: ArrayLike) -> NDArray[np.float64]:
        """Return the share of queries at least so deep, the depth profile.

        Parameters
        ----------
        levels : array-like of shape (n_levels,)
            Depths.

        Returns
        -------
        shares : ndarray of shape (n_levels,)
            1 at level 0 and 0 above the deepest query.
        """
        places = np.searchsorted(np.sort(self.depths), np.asarray(levels), side="left")
        return 1 - places / len(self.depths)


def halfspace_depth(
    queries: ArrayLike,
    reference: ArrayLike,
    *,
    n_directions: int = 512,
    working_memory: float = 128,
    random_state: int | np.random.RandomState | None = None,
) -> HalfspaceDepth:
    """Return upper bounds of the half-space depth of points in a cloud, by random directions.

    The half-space depth (Tukey depth) of a point is the least share of the cloud in a closed
    half-space that holds the point. Here the least is taken over the two half-spaces on either side
    of the point for each of some directions, uniform on the sphere, so it can only be too large: in
    one dimension a single direction makes it exact, in the plane some hundreds nearly so, and in
    many dimensions it stays loose. See how the mean still falls with the number of directions.

    Parameters
    ----------
    queries : array-like of shape (n_queries, n_features)
        The points in question.
    reference : array-like of shape (n_reference, n_features)
        The cloud. Queries may be among its points and then count themselves.
    n_directions : int, default=512
        The first ones of many are the same as those of few, with the same seed.
    working_memory : float, default=128
        Memory for projections in MiB; those on one direction always have to fit.
    random_state : int, RandomState instance or None, default=None
        Seed of the directions.

    Returns
    -------
    depth : HalfspaceDepth
        The bounds, their mean, and how it fell with the number of directions.

    Raises
    ------
    ValueError
        If queries and reference are not finite arrays of points of one dimension, or another
        argument is none.

    See Also
    --------
    exact_halfspace_depth : The depth itself, in the plane.

    Notes
    -----
    Distribution functions are exact: projections are sorted, and both sides count what lies on the
    boundary. Projections that differ by less than rounding can explain are on it, so that a query
    ties with its copies in the cloud. Only a query on whose place half of the cloud lies could be
    deeper than 1/2, and is set to that. Hence the area under the share of queries with depth of at
    least *t*, over *t* from 0 to 1/2, is the mean depth, without the bias of a curve on a grid.

    References
    ----------
    .. [1] Tukey, "Mathematics and the picturing of data", Proceedings of the International Congress
       of Mathematicians, 1975.
    .. [2] Dyckerhoff, "Data depths satisfying the projection property", Allgemeines Statistisches
       Archiv 88, 2004.

    Examples
    --------
    >>> import numpy as np
    >>> from sklcnn.inspection import halfspace_depth
    >>> cloud = np.random.default_rng(0).normal(size=(5000, 3))
    >>> depth = halfspace_depth([[0, 0, 0], [2, 0, 0], [9, 9, 9]], cloud, random_state=0)
    >>> depth.depths.round(2)
    array([0.48, 0.02, 0.  ])
    """
    points, cloud = _check_points(queries, reference)
    check_directions(n_directions)
    n_bytes = check_working_memory(working_memory)

    def project(directions):
        return directions @ cloud.T

    return depth_by_directions(
        points, project, len(cloud), n_directions, n_bytes, draw_entropy(random_state)
    )


def exact_halfspace_depth(queries: ArrayLike, reference: ArrayLike) -> NDArray[np.float64]:
    """Return the half-space depth of points in a cloud in the plane, without approximation.

    Seen from the query, the points of the cloud have angles. The complement of the best closed
    half-plane is the open one with most points, and it may be turned until it starts at one of
    them: so sorting the angles gives the depth in O(n log n) for each query [1]_.

    Parameters
    ----------
    queries : array-like of shape (n_queries, 2)
        The points in question.
    reference : array-like of shape (n_reference, 2)
        The cloud. Queries may be among its points and then count themselves.

    Returns
    -------
    depths : ndarray of shape (n_queries,)
        Least share of the cloud in a closed half-plane that holds the query; 1/2 where most of the
        cloud lies on the query itself.

    Raises
    ------
    ValueError
        If queries and reference are not finite arrays of points in the plane.

    See Also
    --------
    halfspace_depth : A bound, in any dimension.

    References
    ----------
    .. [1] Rousseeuw, Ruts, "Algorithm AS 307: Bivariate location depth", Applied Statistics 45(4),
       1996.

    Examples
    --------
    >>> from sklcnn.inspection import exact_halfspace_depth
    >>> square = [[1, 1], [-1, 1], [-1, -1], [1, -1]]
    >>> exact_halfspace_depth([[0, 0], [1, 1], [2, 0]], square)
    array([0.5 , 0.25, 0.  ])
    """
    points, cloud = _check_points(queries, reference)
    if points.shape[1] != 2:
        raise ValueError(
            f"queries has {points.shape[1]} features: the exact depth is for points in the plane. "
            "In one dimension halfspace_depth is exact, in more it gives a bound."
        )
    return np.array([_planar_depth(cloud - point) for point in points])


def depth_by_directions(queries, project, n_reference, n_directions, n_bytes, entropy):
    """Return the depth of queries in a cloud that is only known by its projections.

    ``project`` turns directions (n, n_features) into an array (n, n_reference) of its own.
    """
    # Of float64, and the old projections live until the new ones are there.
    at_once = max(1, int(n_bytes / (2 * 8 * (n_reference + len(queries)))))
    steps = [2**power for power in range((n_directions - 1).bit_length())] + [n_directions]
    random = stream(entropy, "directions")
    # Two sums of products of the same numbers differ by no more, whatever their order.
    rounding = queries.shape[1] * np.finfo(float).eps * np.linalg.norm(queries, axis=1)
    least = np.full(len(queries), n_reference)
    means = []
    for start in range(0, n_directions, at_once):
        n_now = min(at_once, n_directions - start)
        directions = _draw_directions(random, n_now, queries.shape[1])
        pairs = zip(project(directions), directions @ queries.T, strict=True)
        for number, (cloud, points) in enumerate(pairs, start + 1):
            np.minimum(least, _least_side(cloud, points, rounding), out=least)
            if number in steps:
                means.append(_as_depths(least, n_reference).mean())
    depths = _as_depths(least, n_reference)
    return HalfspaceDepth(depths, np.array(steps), np.array(means), n_reference)


def check_directions(n_directions):
    """Refuse what is no number of directions."""
    if not isinstance(n_directions, Integral) or n_directions < 1:
        raise ValueError(f"n_directions={n_directions!r} must be an integer of at least 1.")


def _check_points(queries, reference):
    """Both as floats of shapes (n_queries, n_features) and (n_reference, n_features)."""
    arrays = {}
    for name, points in (("queries", queries), ("reference", reference)):
        arrays[name] = np.asarray(points, dtype=float)
        if arrays[name].ndim != 2 or not arrays[name].size or not np.isfinite(arrays[name]).all():
            raise ValueError(
                f"{name} has shape {arrays[name].shape}: it must have shape (n_{name}, n_features) "
                "and be finite."
            )
    queries, reference = arrays.values()
    if queries.shape[1] != reference.shape[1]:
        raise ValueError(
            f"queries has {queries.shape[1]} features and reference {reference.shape[1]}: points "
            "and cloud must be of one dimension."
        )
    return queries, reference


def _draw_directions(random, n_directions, n_features):
    """Uniform on the unit sphere, (n_directions, n_features)."""
    normals = random.normal(size=(n_directions, n_features))
    return normals / np.linalg.norm(normals, axis=1, keepdims=True)


def _least_side(cloud, points, rounding):
    """Points of the cloud on the emptier side of each query, its boundary included, on a line."""
    cloud.sort()  # in place: the projections are ours
    below = np.searchsorted(cloud, points + rounding, side="right")
    above = len(cloud) - np.searchsorted(cloud, points - rounding, side="left")
    return np.minimum(below, above)


def _as_depths(counts, n_reference):
    return np.minimum(counts / n_reference, _DEEPEST)


def _planar_depth(points):
    """Depth of the origin in points of shape (n_points, 2)."""
    seen = points[points.any(axis=1)]  # the others are in every half-plane
    angles = np.sort(np.arctan2(seen[:, 1], seen[:, 0]))
    twice_around = np.concatenate([angles, angles + 2 * np.pi])
    # Angles in [start, start + pi), as the open half-plane may start just before a point.
    ends = np.searchsorted(twice_around, angles + np.pi - _ANGLE)
    most = (ends - np.arange(len(angles))).max(initial=0)
    return _as_depths(len(points) - most, len(points))
