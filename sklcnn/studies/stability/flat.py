"""A CNN that learns noise by heart below the edge of stability, and one written down."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from sklcnn.datasets import PatchwiseSphereTeacher
from sklcnn.nn import PatchNetwork
from sklcnn.nn.curvature import Hessian
from sklcnn.nn.eigenvalues import lanczos
from sklcnn.nn.losses import MeanLoss
from sklcnn.patches import disjoint_blocks
from sklcnn.studies.stability.runs import AbstractPart, Run, Samples
from sklcnn.studies.tables import InvalidInputError
from sklcnn.studies.trials import make_seeds
from sklcnn.theory import flat_interpolator, stability_threshold
from sklcnn.training import outputs

__all__ = ["FlatRun"]

# Relative error of the sharpness of a certificate: far below its distance from the bound.
TOL = 1e-8


@dataclass(frozen=True)
class FlatRun(AbstractPart):
    """Does a flat network generalize where every patch is extreme?

    A wide CNN learns the noisy target of a teacher on the patch-wise sphere, where theory gives no
    rate: a filter can be active on a single patch of a single sample. Beside the network that
    gradient descent finds, theory's own example is evaluated, see
    :func:`sklcnn.theory.flat_interpolator`.

    Parameters
    ----------
    n_patches : int
        Patches of an input.
    patch_size : int
        Features of a patch.
    n_filters : int
        Filters of the network.
    teacher_filters : int
        Filters of the teacher.
    noise : float
        Standard deviation of the noise of the target.
    n_samples : int
        Training samples.
    n_test : int
        Test samples of each repeat.
    learning_rate : float
        Constant rate of gradient descent on the mean squared error, without one half.
    clip_norm : float or None
        Largest norm of the gradient.
    n_steps : int
        Steps of gradient descent.
    per_decade : int
        Milestones in each factor of ten of the steps.
    repeats : int
        Teachers, each with samples and initial weights of its own.
    random_state : int
        Seed of everything.
    device : str
        Where networks are trained.

    Examples
    --------
    >>> from sklcnn.studies import FlatRun
    >>> found = FlatRun(n_samples=16, n_test=100, repeats=1).certificates()
    >>> bool(found.sharpness[0] <= found.sharpness_bound[0] < found.threshold[0])
    True
    """

    name = "flat"

    n_patches: int = 8
    patch_size: int = 10
    n_filters: int = 1024
    teacher_filters: int = 50
    noise: float = 1.0
    n_samples: int = 512
    n_test: int = 10_000
    learning_rate: float = 0.2
    clip_norm: float | None = 100.0
    n_steps: int = 50_000
    per_decade: int = 4
    repeats: int = 3
    random_state: int = 0
    device: str = "auto"

    @classmethod
    def quick(cls, **changes: Any) -> "FlatRun":
        """Return the part in small: to see that it runs, not to measure.

        Parameters
        ----------
        **changes
            Fields to change.

        Returns
        -------
        part : FlatRun
            Takes a few seconds.
        """
        small: dict[str, Any] = {
            "n_filters": 128,
            "n_samples": 64,
            "n_test": 2000,
            "n_steps": 2000,
            "repeats": 2,
        }
        return cls(**(small | changes))

    def check(self) -> None:
        """Raise ValueError for settings that cannot be used, naming one and what would do."""
        self._check_numbers(("n_patches", "patch_size", "n_samples", "n_test"))
        if self.patch_size == 1:
            raise InvalidInputError(
                "patch_size",
                "1 must be at least 2: on a line all patches of norm 1 are -1 or 1, and no filter "
                "tells two samples apart.",
            )

    def groups(self) -> Iterator[list[Run]]:
        """Yield every repeat alone: side by side wide networks are no faster.

        Yields
        ------
        group : list of Run
            To be trained in one fleet.
        """
        seeds = make_seeds(self.random_state, self.repeats)
        for repeat, (*of_samples, seed) in enumerate(seeds):
            geometry = {"patch_size": self.patch_size, "stride": self.patch_size}
            network = self._make_network("CNN", seed, **geometry)
            labels = self._labels("CNN", self.n_filters, repeat)
            yield [Run(labels, network, self._draw(*of_samples), self.n_patches)]

    def certificates(self) -> pd.DataFrame:
        """Evaluate an explicit flat network that interpolates the samples of each repeat.

        Returns
        -------
        certificates : DataFrame
            One row a repeat: labels; ``loss``, the training loss; ``sharpness``, its largest
            Hessian eigenvalue with ``residual``, its error; ``sharpness_bound`` of theory and the
            ``threshold`` of the learning rate; ``largest_stable_rate``, below which gradient
            descent would stay at the network; ``clean_train_error``, ``excess``,
            ``target_variance`` and ``relative_excess``, their ratio. In float64.
        """
        seeds = make_seeds(self.random_state, self.repeats)
        return pd.DataFrame(
            [self._certify(repeat, self._draw(*one)) for repeat, (*one, _) in enumerate(seeds)]
        )

    def _certify(self, repeat, samples):
        patches = samples.X.reshape(-1, self.n_patches, self.patch_size)
        mean = samples.y.mean()  # the output bias; filters fit the rest: flatter than without
        found = flat_interpolator(patches, samples.y - mean)
        network = self._build(found, mean)
        hessian = Hessian(network, MeanLoss("squared_error"), samples.X, samples.y[:, None])
        pairs = lanczos(hessian, hessian.size, tol=TOL)
        sharpness = float(pairs.eigenvalues[0])
        on_train, on_test = (outputs(network, X)[:, 0] for X in (samples.X, samples.X_test))
        excess = float(np.mean((on_test - samples.clean_test) ** 2))
        return self._labels("flat interpolator", self.n_samples, repeat) | {
            "loss": float(np.mean((on_train - samples.y) ** 2)),
            "sharpness": sharpness,
            "residual": float(pairs.residuals[0]),
            "sharpness_bound": found.sharpness_bound,
            "threshold": float(stability_threshold(self.learning_rate)),
            "largest_stable_rate": 2 / sharpness,
            "clean_train_error": float(np.mean((on_train - samples.clean) ** 2)),
            "excess": excess,
            "target_variance": samples.target_variance,
            "relative_excess": excess / samples.target_variance,
        }

    def _build(self, interpolator, output_bias):
        """Return the network of the arrays."""
        arrays = {
            "weight": interpolator.inner_weights[None],  # (1, n_filters, patch_size)
            "bias": interpolator.biases[None],  # (1, n_filters)
            "readout_weight": interpolator.outer_weights[None],  # (1, n_filters)
            "readout_bias": np.array([output_bias]),
        }
        network = PatchNetwork(
            disjoint_blocks(self.n_patches * self.patch_size, self.patch_size),
            np.zeros(self.n_patches, dtype=int),
            len(interpolator.outer_weights),
            1,
            pooling="mean",
        ).double()
        return network.with_parameters(
            {name: value.new_tensor(arrays[name]) for name, value in network.named_parameters()}
        )

    def _draw(self, law_seed, sample_seed, test_seed):
        law = PatchwiseSphereTeacher(
            self.n_patches,
            self.patch_size,
            self.teacher_filters,
            self.noise,
            random_state=law_seed,
        )
        training = law.sample(self.n_samples, random_state=sample_seed, return_clean=True)
        X_test, _, clean_test = law.sample(self.n_test, random_state=test_seed, return_clean=True)
        return Samples(*training, X_test, clean_test, self.noise, law.target_variance())

    def _labels(self, network, n_filters, repeat):
        n_features = self.n_patches * self.patch_size
        return self._label(network, n_features, self.patch_size, n_filters, self.n_samples, repeat)
