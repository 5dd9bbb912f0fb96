"""FCN and CNN on images whose target is that of a local teacher."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklcnn.datasets import LocalTeacher, load_digit_images
from sklcnn.datasets.base import stream
from sklcnn.datasets.images.arrays import check_input_shape
from sklcnn.patches import sliding_windows
from sklcnn.studies.stability.runs import AbstractPart, Run, Samples
from sklcnn.studies.tables import InvalidInputError
from sklcnn.studies.trials import make_seeds

__all__ = ["ImageRegression"]

TEST_SHARE, MAX_TEST = 0.3, 10_000
CHANNELS = 1, 3, 4  # gray, color, color and opacity: what a last axis of three or four would be


@dataclass(frozen=True, eq=False)
class ImageRegression(AbstractPart):
    """Does sharing local filters help on images, with a target that is made for it?

    The target is a teacher of shared local filters, plus noise; the images are real. Each channel
    is centered and scaled by the mean and the standard deviation of its pixels outside the test
    set. Variance of the target and excess risk are those on the test images.

    Parameters
    ----------
    X : ndarray of shape (n_images, n_features) or (n_images, *input_shape), or None
        Images; None is the 1797 digits of scikit-learn, 8 by 8, so that it runs anywhere.
    X_test : ndarray of the same shape as X, or None
        Test images; None cuts 30 % off X, 10,000 at most.
    input_shape : tuple of int or None
        ``(channels, height, width)`` or ``(height, width)``; None is the shape of X without its
        first axis, unless that looks like channels last, which is refused.
    data : str
        Name of the images, for reports.
    networks : tuple of {"FCN", "LCN", "CNN"}
        LCN and CNN take the mean over their patches.
    n_samples : int
        Training images: those of a repeat are drawn from X anew, without replacement.
    patch_size : int
        Side of the window of teacher and networks, over all channels.
    n_filters : int
        Filters of each network.
    teacher_filters : int
        Filters of the teacher.
    noise : float
        Standard deviation of the noise of the target.
    learning_rate : float
        Constant rate of gradient descent on the mean squared error, without one half.
    clip_norm : float or None
        Largest norm of the gradient.
    n_steps : int
        Steps of gradient descent.
    per_decade : int
        Milestones in each factor of ten of the steps.
    repeats : int
        Draws of the training images, of the noise and of the initial weights. The teacher and the
        test images are the same in all.
    random_state : int
        Seed of everything.
    device : str
        Where networks are trained.

    Examples
    --------
    >>> from sklcnn.studies import ImageRegression
    >>> runs = next(ImageRegression(n_samples=100, repeats=2).groups())
    >>> runs[0].labels["n_features"], runs[0].samples.X.shape
    (64, (100, 64))
    """

    name = "images"

    X: NDArray | None = None
    X_test: NDArray | None = None
    input_shape: tuple[int, ...] | None = None
    data: str = "digits"
    networks: tuple[str, ...] = ("FCN", "CNN")
    n_samples: int = 1024
    patch_size: int = 3
    n_filters: int = 1024
    teacher_filters: int = 20
    noise: float = 1.0
    learning_rate: float = 0.2
    clip_norm: float | None = 2.0
    n_steps: int = 5000
    per_decade: int = 4
    repeats: int = 3
    random_state: int = 0
    device: str = "auto"

    @classmethod
    def quick(cls, **changes: Any) -> "ImageRegression":
        """Return the part in small: to see that it runs, not to measure.

        Parameters
        ----------
        **changes
            Fields to change.

        Returns
        -------
        part : ImageRegression
            Takes a few seconds on the digits.
        """
        small: dict[str, Any] = {
            "n_samples": 128,
            "n_filters": 64,
            "n_steps": 300,
            "per_decade": 2,
            "repeats": 2,
        }
        return cls(**(small | changes))

    def check(self) -> None:
        """Raise ValueError for settings that cannot be used, naming one and what would do."""
        self._check_numbers(("n_samples", "patch_size"))
        known = ("FCN", "LCN", "CNN")
        if not self.networks or not set(self.networks) <= set(known):
            raise InvalidInputError(
                "networks", f"{self.networks!r} must hold some of {', '.join(known)}."
            )
        pool, _, _ = self._split()
        if self.n_samples > len(pool):
            raise InvalidInputError(
                "n_samples",
                f"{self.n_samples} training images are more than the {len(pool)} that are not test "
                f"images; at most {len(pool)} would do.",
            )

    def groups(self) -> Iterator[list[Run]]:
        """Yield every run alone: side by side wide networks are no faster.

        Yields
        ------
        group : list of Run
            To be trained in one fleet.
        """
        pool, test, input_shape = self._split()
        seeds = make_seeds(self.random_state, self.repeats)
        teacher = self._teacher(input_shape)
        clean_test = teacher.predict(test)
        variance = float(clean_test.var())
        drawn = []
        for _, sample_seed, noise_seed, _ in seeds:
            order = stream(sample_seed, "rows").permutation(len(pool))
            X = pool[order[: self.n_samples]]
            y, clean = teacher.label(X, random_state=noise_seed, return_clean=True)
            drawn.append(Samples(X, y, clean, test, clean_test, self.noise, variance))
        windows = sliding_windows(input_shape, self.patch_size).shape
        for network in self.networks:
            for repeat, (samples, (*_, seed)) in enumerate(zip(drawn, seeds, strict=True)):
                yield [self._run(network, repeat, samples, windows, input_shape, seed)]

    def _teacher(self, input_shape):
        return LocalTeacher(
            input_shape,
            self.patch_size,
            n_filters=self.teacher_filters,
            noise=self.noise,
            random_state=self.random_state,
        )

    def _run(self, network, repeat, samples, windows, input_shape, seed):
        n_patches, patch_size = windows
        local = {"patch_size": self.patch_size, "input_shape": input_shape}
        if network == "FCN":
            n_patches, patch_size, local = 1, samples.X.shape[1], {}
        estimator = self._make_network(network, seed, **local)
        n_features = samples.X.shape[1]
        labels = self._label(
            network, n_features, patch_size, self.n_filters, self.n_samples, repeat
        )
        return Run(labels, estimator, samples, n_patches)

    def _split(self):
        """Return training and test images, scaled, (n_images, n_features), and their shape."""
        images, input_shape = self._read()
        if self.X_test is None:
            n_test = min(MAX_TEST, int(TEST_SHARE * len(images)))
            order = stream(self.random_state, "test").permutation(len(images))
            pool, test = images[order[n_test:]], images[order[:n_test]]
        else:
            pool, test = images, _flatten("X_test", self.X_test, input_shape)
        for name, part in (("X", pool), ("X_test", test)):
            if not len(part):
                raise InvalidInputError(name, "holds too few images: one at least is needed.")
        return *_scale(pool, test, check_input_shape(input_shape)[0]), input_shape

    def _read(self):
        """Return all images but those of ``X_test``, flat, and the shape of one."""
        if self.X is None:
            return load_digit_images(return_X_y=True)[0], (8, 8)
        shape = self.input_shape or np.shape(self.X)[1:]
        if len(shape) not in (2, 3):
            raise InvalidInputError(
                "input_shape",
                f"{shape} is no shape of an image: say (height, width) or (channels, height, "
                "width).",
            )
        if self.input_shape is None:
            _check_channels(shape)
        return _flatten("X", self.X, shape), tuple(int(side) for side in shape)


def _check_channels(shape):
    """Refuse what looks like (height, width, channels), unless it is said to be something else."""
    if len(shape) == 3 and shape[0] not in CHANNELS and shape[2] in CHANNELS:
        height, width, channels = shape
        raise InvalidInputError(
            "input_shape",
            f"images of shape {shape} seem to have their channels last: move them to the front, "
            f"np.moveaxis(X, 3, 1), for images of shape {(channels, height, width)}. If they do "
            f"have {height} channels, say input_shape={shape}.",
        )


def _flatten(name, images, input_shape):
    """Return images as (n_images, n_features), in single precision, or say what is wrong."""
    images = np.asarray(images)
    width = int(np.prod(input_shape))
    # One channel need not have an axis; images that are flat already have one axis besides.
    sides = [[side for side in one if side != 1] for one in (images.shape[1:], input_shape)]
    fits = sides[0] == sides[1] or images.shape[1:] == (width,)
    if images.dtype.kind not in "uif" or images.ndim < 2 or not fits:
        raise InvalidInputError(
            name,
            f"has shape {images.shape} and dtype {images.dtype}: numbers of shape (n_images, "
            f"{width}) or (n_images, *{tuple(input_shape)}) would do.",
        )
    images = images.reshape(len(images), -1).astype(np.float32)
    if not np.isfinite(images).all():
        raise InvalidInputError(name, "has pixels that are not finite; leave their images out.")
    return images


def _scale(pool, test, n_channels):
    """Center and scale each channel by the pixels of the pool."""
    shaped = pool.reshape(len(pool), n_channels, -1)
    mean = shaped.mean(axis=(0, 2), dtype=np.float64)[:, None]  # (n_channels, 1)
    size = shaped.std(axis=(0, 2), dtype=np.float64)[:, None]
    size[size == 0] = 1  # a channel of one color
    scaled = []
    for part in (pool, test):
        centered = part.reshape(len(part), n_channels, -1) - mean.astype(np.float32)
        centered /= size.astype(np.float32)
        scaled.append(centered.reshape(len(part), -1))
    return scaled
