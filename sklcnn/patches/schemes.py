"""Connectivity of an image: twelve ways to choose its patches.

Each scheme gives patches of ``patch_side ** 2`` pixels, seen in all channels, so that networks on
them differ in nothing but geometry.
"""

from dataclasses import dataclass
from numbers import Integral

import numpy as np
from numpy.typing import NDArray

from .views import random_stream
from .windows import channels_first, sliding_windows

__all__ = ["PATCH_SCHEMES", "image_patches"]

SPACINGS = (1, 2, 4)  # of the pixels of a multi-scale patch


def image_patches(
    scheme: str,
    input_shape: tuple[int, ...] = (3, 32, 32),
    *,
    patch_side: int = 4,
    stride: int | None = None,
    random_state: int | np.random.RandomState | None = None,
) -> NDArray[np.int64]:
    """Return the patches of an image by one of the schemes of the patch-geometry study.

    Most schemes place patches at *sites*: the windows of side ``patch_side`` that ``stride`` puts
    on the image. On CIFAR-10 all patches have 48 entries, 16 pixels in 3 channels [1]_:

    ==========================  =========  =========================================================
    ``scheme``                  n_patches  pixels of a patch
    ==========================  =========  =========================================================
    ``"conv"``                  225        the window of a site
    ``"global_shuffle"``        225        those of ``"conv"``, after one random permutation of all
                                           entries of the image, pixels and channels alike
    ``"random_placement"``      225        a window placed at random, as many as there are sites
    ``"non_overlap"``           64         windows side by side
    ``"jittered_grid"``         225        the window of a site, moved at random, kept in the image
    ``"random_local"``          225        random pixels of a region around the site
    ``"hex"``                   75         windows whose places form a hexagonal grid
    ``"voronoi"``               64         pixels given to one of randomly placed points
    ``"radial"``                225        those nearest to the middle pixel of a site: a disc
    ``"large_kernel_sparse"``   49         every other pixel, along rows and columns, of a window of
                                           side ``2 * patch_side``, which moves by ``patch_side``
    ``"multi_scale"``           225        a window of a site with pixels 1, 2 or 4 apart
    ``"cross"``                 225        those nearest to the middle pixel of a site on its row
                                           and its column: a plus
    ==========================  =========  =========================================================

    Parameters
    ----------
    scheme : str
        A name of the table; ``sklcnn.patches.PATCH_SCHEMES`` has them in its order.
    input_shape : tuple of int, default=(3, 32, 32)
        ``(height, width)`` or ``(channels, height, width)``.
    patch_side : int, default=4
        A patch has ``patch_side ** 2`` pixels.
    stride : int or None, default=None
        Step between neighboring sites, at most ``patch_side``. None is half a side. Only for
        schemes that have sites: not for ``"non_overlap"``, ``"hex"``, ``"voronoi"`` and
        ``"large_kernel_sparse"``, whose pitch follows from ``patch_side``.
    random_state : int, RandomState instance or None, default=None
        Same value, same patches. Only ``"global_shuffle"``, ``"random_placement"``,
        ``"jittered_grid"``, ``"random_local"`` and ``"voronoi"`` draw.

    Returns
    -------
    patch_indices : ndarray of shape (n_patches, channels * patch_side ** 2)
        Features of the raveled image (C order). Entries are ordered channel first, and pixels row
        by row, as in `sliding_windows`, but where ``"global_shuffle"`` has permuted them.

    Raises
    ------
    ValueError
        If the scheme is unknown, if the image is too small for it, if sites leave the last rows or
        columns unseen, or if a stride is given that the scheme has no use for.

    Notes
    -----
    The first three schemes, and ``"non_overlap"``, are those of the source, but for the random
    numbers. We know the others by name and by their numbers of patches and pixels; these
    definitions are ours:

    - ``"jittered_grid"``: offsets along rows and columns are independent and uniform on
      ``-jitter .. jitter``, with ``jitter = max(1, stride // 2)``, then clipped to the image.
    - ``"random_local"``: each patch draws its own pixels from a square of side
      ``2 * patch_side``, centered on the site and moved inwards at the border.
    - ``"hex"``: rows have pitch ``round(patch_side * sqrt(3) / 2)``, columns ``patch_side``, and
      every other row starts ``patch_side // 2`` to the right.
    - ``"voronoi"``: as many points as patches are drawn among the pixels; pixels are given out by
      distance, the closest pair of pixel and point first, until each point has its
      ``patch_side ** 2``: the stable allocation [2]_. Every pixel belongs to one patch.
    - ``"radial"``, ``"cross"``: the middle pixel is ``patch_side // 2`` below and right of the
      window's first. (Around the point amid a window of side 4, the 16 nearest pixels would be the
      window itself, as around the middle of those of side 3 or 5.) Of pixels equally far those
      that come first row by row are taken; at the border only pixels of the image.
    - ``"large_kernel_sparse"``: with an even ``patch_side`` only even rows and columns are seen.
    - ``"multi_scale"``: spacings take turns along rows and columns of the grid of sites, site
      ``(i, j)`` has number ``(i + j) % 3``; spacings too wide for the image are left out (if 2 is,
      ``"conv"`` remains). Windows are centered on the site and moved inwards at the border. All
      patches have as many pixels, so that nothing is masked.

    Schemes other than ``"conv"``, ``"global_shuffle"``, ``"non_overlap"`` and ``"voronoi"`` may
    leave features unseen; `patch_coverage` measures it.

    References
    ----------
    .. [1] Liang, Singh, Parhi, Cloninger, Wang, "The inductive bias of convolutional neural
       networks: locality and weight sharing reshape implicit regularization", arXiv 2603.04807.
    .. [2] Hoffman, Holroyd, Peres, "A stable marriage of Poisson and Lebesgue", Annals of
       Probability 34, 2006, arXiv math/0505668.

    Examples
    --------
    >>> from sklcnn.patches import image_patches
    >>> image_patches("hex").shape
    (75, 48)
    >>> image_patches("non_overlap", (4, 4), patch_side=2)
    array([[ 0,  1,  4,  5],
           [ 2,  3,  6,  7],
           [ 8,  9, 12, 13],
           [10, 11, 14, 15]])
    """
    if scheme not in _SCHEMES:
        raise ValueError(f"scheme={scheme!r} must be one of {', '.join(PATCH_SCHEMES)}.")
    image = _read_image(scheme, input_shape, patch_side, stride)
    return _SCHEMES[scheme](image, random_stream(random_state))


@dataclass(frozen=True)
class _Image:
    """Sides of an image and of its patches, and the step between sites."""

    channels: int
    height: int
    width: int
    side: int
    stride: int

    @property
    def n_pixels(self):
        """Pixels of the image, numbered row by row."""
        return self.height * self.width

    @property
    def windows(self):
        """Pixels of the window of each site, (n_sites, side ** 2)."""
        return sliding_windows((self.height, self.width), self.side, self.stride)

    @property
    def corners(self):
        """Row and column of the first pixel of each site, (n_sites, 2)."""
        return np.column_stack(np.divmod(self.windows[:, 0], self.width))

    def pixels(self, corners, spacing=1):
        """Return the pixels of windows from ``corners`` on, (n_windows, side ** 2)."""
        steps = spacing * np.arange(self.side)
        rows = corners[:, :1, None] + steps[:, None]  # (n_windows, side, 1)
        columns = corners[:, 1:, None] + steps  # (n_windows, 1, side)
        return (rows * self.width + columns).reshape(len(corners), -1)

    def inwards(self, corners, length):
        """Move windows of side ``length`` into the image, (n_windows, 2)."""
        return np.clip(corners, 0, [self.height - length, self.width - length])

    def features(self, pixels):
        """Return pixels in all channels, channel first, (n_patches, channels * side ** 2)."""
        planes = np.arange(self.channels)[:, None] * self.n_pixels
        return (planes + pixels[:, None]).reshape(len(pixels), -1)


def _conv(image, random):
    return image.features(image.windows)


def _global_shuffle(image, random):
    return random.permutation(image.channels * image.n_pixels)[_conv(image, random)]


def _random_placement(image, random):
    ends = [image.height - image.side + 1, image.width - image.side + 1]
    return image.features(image.pixels(random.randint(ends, size=(len(image.windows), 2))))


def _jittered_grid(image, random):
    jitter = max(1, image.stride // 2)
    corners = image.corners
    corners = corners + random.randint(-jitter, jitter + 1, size=corners.shape)
    return image.features(image.pixels(image.inwards(corners, image.side)))


def _random_local(image, random):
    sides = np.minimum(2 * image.side, [image.height, image.width])
    corners = image.corners - (sides - image.side) // 2
    corners = np.clip(corners, 0, [image.height, image.width] - sides)
    drawn = [random.permutation(sides.prod())[: image.side**2] for _ in corners]
    rows, columns = np.divmod(np.sort(drawn, axis=1), sides[1])  # (n_sites, side ** 2) each
    return image.features((corners[:, :1] + rows) * image.width + corners[:, 1:] + columns)


def _hex(image, random):
    pitch = round(image.side * np.sqrt(3) / 2)  # height of an equilateral triangle
    corners = [
        (row, column)
        for number, row in enumerate(range(0, image.height - image.side + 1, pitch))
        for column in range(
            number % 2 * (image.side // 2), image.width - image.side + 1, image.side
        )
    ]
    return image.features(image.pixels(np.array(corners)))


def _voronoi(image, random):
    n_points = image.n_pixels // image.side**2
    points = random.permutation(image.n_pixels)[:n_points]
    places = np.column_stack(np.divmod(np.arange(image.n_pixels), image.width))
    distances = ((places[:, None] - places[points]) ** 2).sum(axis=-1)  # (n_pixels, n_points)
    owners = _allocate(distances, room=image.side**2)
    return image.features(np.argsort(owners, kind="stable").reshape(n_points, -1))


def _allocate(distances, room):
    """Give each pixel to a point, closest pairs first, ``room`` pixels to each, (n_pixels,)."""
    n_pixels, n_points = distances.shape
    owners, left, rest = [-1] * n_pixels, [room] * n_points, n_pixels
    for pair in np.argsort(distances, axis=None, kind="stable").tolist():
        pixel, point = divmod(pair, n_points)
        if owners[pixel] < 0 and left[point]:
            owners[pixel] = point
            left[point] -= 1
            rest -= 1
            if not rest:
                break
    return np.array(owners)


def _radial(image, random):
    return image.features(_nearest_pixels(image, lambda below, beside: below**2 + beside**2))


def _cross(image, random):
    far = image.height + image.width  # farther than any pixel on the row or the column

    def distance(below, beside):
        return np.where(below * beside == 0, abs(below + beside), far)

    return image.features(_nearest_pixels(image, distance))


def _nearest_pixels(image, distance):
    """Return the pixels nearest to the middle of each site, (n_sites, side ** 2)."""
    rows, columns = np.divmod(np.arange(image.n_pixels), image.width)
    nearest = [
        np.argsort(distance(rows - row, columns - column), kind="stable")[: image.side**2]
        for row, column in image.corners + image.side // 2
    ]
    return np.sort(nearest, axis=1)


def _large_kernel_sparse(image, random):
    window = 2 * image.side
    rows, columns = (
        np.arange(0, length - window + 1, image.side) for length in (image.height, image.width)
    )
    corners = np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1).reshape(-1, 2)
    return image.features(image.pixels(corners, spacing=2))


def _multi_scale(image, random):
    spans = {spacing: spacing * (image.side - 1) + 1 for spacing in SPACINGS}
    fitting = [spacing for spacing in SPACINGS if spans[spacing] <= min(image.height, image.width)]
    turns = (image.corners // image.stride).sum(axis=1) % len(fitting)
    pixels = np.empty((len(turns), image.side**2), dtype=np.int64)
    for turn, spacing in enumerate(fitting):
        corners = image.corners[turns == turn] - (spans[spacing] - image.side) // 2
        corners = image.inwards(corners, spans[spacing])
        pixels[turns == turn] = image.pixels(corners, spacing)
    return image.features(pixels)


_SCHEMES = {
    "conv": _conv,
    "global_shuffle": _global_shuffle,
    "random_placement": _random_placement,
    "non_overlap": _conv,  # with windows side by side
    "jittered_grid": _jittered_grid,
    "random_local": _random_local,
    "hex": _hex,
    "voronoi": _voronoi,
    "radial": _radial,
    "large_kernel_sparse": _large_kernel_sparse,
    "multi_scale": _multi_scale,
    "cross": _cross,
}
PATCH_SCHEMES = tuple(_SCHEMES)
_WITHOUT_SITES = ("non_overlap", "hex", "voronoi", "large_kernel_sparse")


def _read_image(scheme, input_shape, patch_side, stride):
    """Return the image, or say why the scheme does not fit it."""
    channels, height, width = channels_first(input_shape)
    size = f"an image of {height} x {width} pixels"
    if np.size(input_shape) < 2:
        raise ValueError(
            f"input_shape={input_shape} must be (height, width) or (channels, height, width), as "
            "patch schemes are for images."
        )
    _check_count("patch_side", patch_side, _largest_side(scheme, height, width), size, scheme)
    if scheme in _WITHOUT_SITES:
        if stride is not None:
            raise ValueError(f"stride={stride} must be None: scheme={scheme!r} has its own pitch.")
        stride = patch_side
    elif stride is None:
        stride = max(1, patch_side // 2)
    _check_count("stride", stride, patch_side, f"patch_side={patch_side}", scheme)
    if scheme == "voronoi":
        _check_shares(height * width, patch_side, size)
    elif scheme not in ("hex", "large_kernel_sparse"):
        _check_grid((height, width), patch_side, stride, scheme, size)
    return _Image(channels, height, width, patch_side, stride)


def _largest_side(scheme, height, width):
    """Return the largest side of a patch for which the image has room."""
    if scheme == "large_kernel_sparse":
        return min(height, width) // 2
    if scheme == "cross":  # a row and a column share one pixel
        return min(height, width, int(np.sqrt(height + width - 1)))
    return min(height, width)


def _check_shares(n_pixels, side, size):
    if n_pixels % side**2:
        fitting = [share for share in range(1, side) if n_pixels % share**2 == 0]
        raise ValueError(
            f"patch_side={side} gives patches of {side**2} pixels, which do not divide {size} into "
            f"equal shares, as scheme='voronoi' needs; patch_side={fitting[-1]} does."
        )


def _check_grid(sides, side, stride, scheme, size):
    """Refuse sites that leave the last rows or columns unseen."""
    if not any((length - side) % stride for length in sides):
        return
    if scheme == "non_overlap":
        fitting = [s for s in range(1, side) if not any(length % s for length in sides)]
        advice = f"patch_side={fitting[-1]} covers all of it"
    else:
        fitting = [
            s for s in range(1, side + 1) if not any((length - side) % s for length in sides)
        ]
        advice = f"stride={' or '.join(map(str, fitting[-3:]))} covers all of it"
    raise ValueError(
        f"patch_side={side} with stride={stride} leaves pixels of {size} unseen by the windows of "
        f"scheme={scheme!r}; {advice}."
    )


def _check_count(parameter, value, most, what, scheme):
    if isinstance(value, bool) or not isinstance(value, Integral) or not 1 <= value <= most:
        raise ValueError(
            f"{parameter}={value!r} must be an int from 1 to {most}, for {what} and "
            f"scheme={scheme!r}."
        )
