"""The geometry of patches under all schemes: how flat, how deep, and what of it is noise?"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from os import PathLike

import numpy as np
import pandas as pd
from joblib import delayed
from numpy.random import RandomState
from numpy.typing import ArrayLike
from threadpoolctl import threadpool_limits

from sklcnn.inspection import patch_geometry
from sklcnn.patches import patch_coverage
from sklcnn.plotting.schemes import PatchSchemesDisplay
from sklcnn.studies.patch_geometry.comparisons import OTHER_DIMENSION, summarize
from sklcnn.studies.patch_geometry.plan import make_patch_plan
from sklcnn.studies.records import stream_records
from sklcnn.studies.streams import side_by_side, stream
from sklcnn.training.progress import FitProgress

__all__ = ["PatchStudy", "carry_out", "patch_study"]


@dataclass(frozen=True, eq=False)
class PatchStudy:
    """Spectrum and depth of the patches of some images, scheme by scheme.

    :func:`sklcnn.studies.patch_study` makes it.

    Parameters
    ----------
    name : str
        Of the images.
    table : pandas.DataFrame
        One row per scheme: ``patch_size`` (features of a patch), ``n_patches`` of all images, and
        means over the seeds of ``coverage`` of the features, ``trace``, ``top_share``,
        ``participation_ratio`` and ``effective_rank``; the median ``elbow`` at 90 % of the
        variance, the least and the greatest; ``mean_depth`` with 95 % interval; ``last_drop``, by
        how much the last doubling of the directions lowered it, and whether it has ``converged``;
        and beside the reference ``elbow_verdict``, ``depth_ratio`` with its interval, the same
        ratio with half of the directions (``half_ratio``), and ``depth_verdict``.
    results : pandas.DataFrame
        One row per scheme and seed.
    convergence : pandas.DataFrame
        The mean depth of each after 1, 2, 4, ... directions.
    left_out : dict of str to str
        Schemes that do not fit the images, and why.
    settings : dict
        How it was found.

    Examples
    --------
    >>> from sklcnn.datasets import load_digit_images
    >>> from sklcnn.studies.patch_geometry import patch_study
    >>> X = load_digit_images().data
    >>> sampling = {"n_directions": 16, "n_queries": 200, "n_reference": 1000}
    >>> found = patch_study(X, input_shape=(8, 8), schemes=["conv", "hex"], n_seeds=2, **sampling)
    >>> found.table[["scheme", "patch_size", "elbow"]].values.tolist()
    [['conv', 4, 3.0], ['hex', 4, 3.0]]
    """

    name: str
    table: pd.DataFrame
    results: pd.DataFrame = field(repr=False)
    convergence: pd.DataFrame = field(repr=False)
    left_out: dict = field(repr=False)
    settings: dict = field(repr=False)

    def plot(self, axes: Sequence | None = None) -> PatchSchemesDisplay:
        """Draw elbow, effective dimension and depth, a row for each scheme.

        Parameters
        ----------
        axes : sequence of matplotlib.axes.Axes or None, default=None
            Where to draw, three of them; None makes a figure.

        Returns
        -------
        display : sklcnn.plotting.PatchSchemesDisplay
            The picture.
        """
        return self.display().plot(axes)

    def display(self) -> PatchSchemesDisplay:
        """Return what ``plot`` draws, not drawn yet.

        Returns
        -------
        display : sklcnn.plotting.PatchSchemesDisplay
            Holds the arrays.
        """
        table = self.table
        means = self.convergence.groupby(["scheme", "n_directions"]).mean_depth.mean().unstack()
        means = means.loc[table.scheme]
        means[(table.depth_verdict == OTHER_DIMENSION).to_numpy()] = np.nan  # no fair comparison
        return PatchSchemesDisplay(
            table.scheme,
            table[["elbow_low", "elbow", "elbow_high"]].to_numpy().T,
            table.participation_ratio,
            means.columns,
            means,
            intervals=table[["depth_low", "depth_high"]].to_numpy().T,
            verdicts=table.depth_verdict,
            reference=self.settings["reference"],
            title=f"{self.name}: patches of {self.settings['patch_text']}",
        )


def patch_study(
    X: ArrayLike,
    *,
    input_shape: tuple[int, ...] | None = None,
    schemes: Sequence[str] | None = None,
    patch_side: int | None = None,
    n_samples: int | None = None,
    n_seeds: int = 5,
    n_directions: int = 512,
    n_reference: int = 50_000,
    n_queries: int = 10_000,
    random_state: int | RandomState | None = 0,
    n_jobs: int | None = None,
    checkpoint: str | PathLike[str] | None = None,
    name: str = "images",
    verbose: bool = False,
) -> PatchStudy:
    """Measure how flat and how deep the patches of images are, under twelve schemes.

    The patches of all images are one cloud of points. A cloud that few principal components hold
    and whose points lie deep is what keeps large learning rates from fitting single patches [1]_.
    The study repeats `sklcnn.inspection.patch_geometry` over schemes and seeds, and says which
    differences between a scheme and windows of neighboring pixels (``"conv"``) are more than the
    seeds' noise.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features) or (n_samples, *input_shape)
        Images, of any real dtype. Those of shape (n_samples, height, width, channels) are taken as
        such if they have 1, 3 or 4 channels and more pixels a side, unless ``input_shape`` says
        something else. Each channel is centered and scaled by its own mean and standard deviation.
    input_shape : tuple of int or None, default=None
        ``(height, width)`` or ``(channels, height, width)`` of one image; None is the shape of X
        without its first axis.
    schemes : sequence of str or None, default=None
        Of `sklcnn.patches.PATCH_SCHEMES`, and ``"full_image"``, one patch of everything. None is
        all that fit the images.
    patch_side : int or None, default=None
        A patch has ``patch_side ** 2`` pixels. None is the side nearest to an eighth of the shorter
        side of the image, at least 2 and at most a quarter, that all schemes fit, or most: 4 on
        CIFAR-10, 2 on digits of 8 x 8 pixels.
    n_samples : int or None, default=None
        Images to use, drawn at random; None uses all.
    n_seeds : int, default=5
        Draws of directions, of queries and reference, and of the patches of random schemes.
    n_directions : int, default=512
        Random directions for the depth, at least 2.
    n_reference, n_queries : int, default=50_000 and 10_000
        Patches drawn for the depth: the cloud, and the points in question.
    random_state : int, RandomState instance or None, default=0
        Same value, same results, whatever ``n_jobs``.
    n_jobs : int or None, default=None
        Schemes that are measured side by side, each on one thread, in joblib's sense.
    checkpoint : str, path-like or None, default=None
        A file in which each scheme and seed is kept as soon as it is measured. A study that finds
        it there goes on with it, also with more seeds or schemes than before.
    name : str, default="images"
        Name of the images, for titles.
    verbose : bool, default=False
        Whether to show a progress bar on standard error.

    Returns
    -------
    found : PatchStudy
        With ``table`` and ``plot()``.

    Raises
    ------
    InvalidInputError
        A ValueError that names the parameter.

    See Also
    --------
    sklcnn.inspection.patch_geometry : One connectivity, one seed.
    sklcnn.patches.image_patches : The schemes.

    Notes
    -----
    *Noise.* Within a seed all schemes see the same directions, so depths are compared seed by seed:
    the ratio of mean depths to those of ``"conv"`` has a t interval of its logarithm over the
    seeds, and all intervals together hold with 95 % (Bonferroni). Elbows are the same if their
    ranges over the seeds meet. Seeds do not draw images: other images would differ by more.

    *Convergence.* Depths are upper bounds that fall with the number of directions. They count as
    converged if the last doubling lowers the mean by at most 1 %; until then ratios are those of
    bounds, not of depths. The full image has another dimension, where the bound is looser, so its
    depth is not compared.

    References
    ----------
    .. [1] Liang, Singh, Parhi, Cloninger, Wang, "The inductive bias of convolutional neural
       networks: locality and weight sharing reshape implicit regularization", arXiv 2603.04807.

    Examples
    --------
    >>> from sklcnn.datasets import load_digit_images
    >>> from sklcnn.studies.patch_geometry import patch_study
    >>> X = load_digit_images().data
    >>> sampling = {"n_directions": 64, "n_queries": 500, "n_reference": 5000}
    >>> found = patch_study(
    ...     X, input_shape=(8, 8), schemes=["conv", "global_shuffle"], n_seeds=3, **sampling
    ... )
    >>> found.table.depth_verdict.tolist()
    ['reference', 'shallower']
    """
    plan = make_patch_plan(
        X,
        input_shape=input_shape,
        schemes=schemes,
        patch_side=patch_side,
        n_samples=n_samples,
        n_seeds=n_seeds,
        n_directions=n_directions,
        n_reference=n_reference,
        n_queries=n_queries,
        random_state=random_state,
        name=name,
    )
    return carry_out(plan, n_jobs, checkpoint, verbose)


def carry_out(plan, n_jobs=None, checkpoint=None, verbose=False):
    """Do what a plan says.

    Parameters
    ----------
    plan : PatchPlan
        What to do.
    n_jobs : int or None, default=None
        Schemes that are measured side by side.
    checkpoint : str, path-like or None, default=None
        File of finished measurements.
    verbose : bool, default=False
        Whether to show a progress bar.

    Returns
    -------
    found : PatchStudy
        What was found.
    """
    tasks = plan.tasks()
    records = {}
    with FitProgress(len(tasks), enabled=verbose, counted=False) as progress:
        progress.stage(f"{plan.name}: geometry of patches")
        measure = partial(_measure_all, plan, n_jobs=n_jobs)
        for name, record in stream_records(tasks, measure, checkpoint):
            records[name] = record
            progress.advance()
    return _collect(plan, [records[name] for name in tasks])


def _measure_all(plan, tasks, n_jobs):
    """Yield name and record of every task, in any order."""
    calls = (delayed(_measure)(plan, name, *pair) for name, pair in tasks.items())
    yield from stream(calls, side_by_side(n_jobs), n_jobs, max_nbytes="100K")


def _measure(plan, name, scheme, seed):
    """Measure one scheme with one seed, on one thread."""
    with threadpool_limits(1):
        begin = time.perf_counter()
        patches = plan.patches(scheme, seed)
        scaling = {"offset": plan.offset, "scale": plan.scale}
        found = patch_geometry(plan.X, patches, **scaling, **plan.sampling, random_state=seed)
        row = {"scheme": scheme, "seed": seed, "patches_per_image": len(patches)}
        row["coverage"] = patch_coverage(patches, plan.X.shape[1])
        row |= found.summary() | {"seconds": time.perf_counter() - begin}
    steps = {
        "n_directions": found.depth.n_directions.tolist(),
        "mean_depths": found.depth.mean_depths.tolist(),
    }
    return name, {"row": row, "steps": steps}


def _collect(plan, records):
    """Turn records into tables."""
    results = pd.DataFrame([record["row"] for record in records])
    results.insert(0, "data", plan.name)
    convergence = pd.concat([_steps(**record) for record in records], ignore_index=True)
    table = summarize(results, convergence, plan.reference)
    settings = plan.sampling | {
        "patch_side": plan.patch_side,
        "patch_text": _patch_text(plan),
        "input_shape": plan.input_shape,
        "n_samples": len(plan.X),
        "n_seeds": len(plan.seeds),
        "reference": plan.reference,
    }
    return PatchStudy(plan.name, table, results, convergence, plan.left_out, settings)


def _steps(row, steps):
    """Mean depths of one scheme and seed, a row for each number of directions."""
    of = {"scheme": row["scheme"], "seed": row["seed"]}
    counts, means = steps["n_directions"], steps["mean_depths"]
    return pd.DataFrame({**of, "n_directions": counts, "mean_depth": means})


def _patch_text(plan):
    """Write 4 x 4 x 3, or 2 x 2 for gray images."""
    channels = plan.input_shape[:-2]
    return " x ".join(map(str, (plan.patch_side, plan.patch_side, *channels)))
