"""FCN, LCN and CNN on the sphere, over dimension, patch size and number of samples."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sklcnn.datasets import SphereTeacher
from sklcnn.estimators import match_parameters
from sklcnn.studies.stability.runs import AbstractPart, Run, Samples
from sklcnn.studies.tables import InvalidInputError
from sklcnn.studies.trials import make_seeds

__all__ = ["SphereSweep"]

MATCHED = "CNN, matched"
NETWORKS = ("FCN", "LCN", "CNN", MATCHED)


@dataclass(frozen=True)
class SphereSweep(AbstractPart):
    """Does the gap fall with the samples, and does it grow with the dimension?

    Networks of one hidden layer learn the noisy target of a teacher, on inputs that are uniform on
    the sphere. LCN and CNN see disjoint patches and take the mean over them, as the teacher does,
    the CNN with filters that all patches share. All are trained by full-batch gradient descent with
    one learning rate and for the same number of steps.

    Parameters
    ----------
    networks : tuple of {"FCN", "LCN", "CNN", "CNN, matched"}
        The matched CNN has as many filters as give it about the parameters of the LCN. It is
        trained at ``compared_dimension`` only.
    dimensions : tuple of int
        Numbers of features.
    sizes : tuple of int
        Numbers of training samples. Within a repeat smaller training sets are the first rows of
        larger ones.
    patch_size : int
        Features of a patch, of teacher and networks.
    patch_sizes : tuple of int
        Features of a patch of more CNNs, which learn the same samples. May be empty.
    compared_dimension : int or None
        Where these and the matched CNN are trained: one of the dimensions, None for the middle one.
    n_filters : int
        Filters of each network, for the LCN at each patch.
    teacher_filters : int
        Filters of the teacher.
    noise : float
        Standard deviation of the noise of the target.
    n_test : int
        Test samples, for each repeat and dimension.
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
    >>> from sklcnn.studies import SphereSweep
    >>> part = SphereSweep.quick(dimensions=(20, 40), sizes=(32, 64))
    >>> groups = list(part.groups())
    >>> len(groups), [run.labels["repeat"] for run in groups[0]]
    (16, [0, 1])
    """

    name = "sphere"

    networks: tuple[str, ...] = NETWORKS
    dimensions: tuple[int, ...] = (20, 50, 100)
    sizes: tuple[int, ...] = (64, 128, 256, 512, 1024)
    patch_size: int = 10
    patch_sizes: tuple[int, ...] = (5, 25)
    compared_dimension: int | None = None
    n_filters: int = 64
    teacher_filters: int = 20
    noise: float = 1.0
    n_test: int = 10_000
    learning_rate: float = 0.2
    clip_norm: float | None = 100.0
    n_steps: int = 10_000
    per_decade: int = 2
    repeats: int = 5
    random_state: int = 0
    device: str = "auto"

    @classmethod
    def quick(cls, **changes: Any) -> "SphereSweep":
        """Return the part in small: to see that it runs, not to measure.

        Parameters
        ----------
        **changes
            Fields to change.

        Returns
        -------
        part : SphereSweep
            Takes about ten seconds.
        """
        small: dict[str, Any] = {
            "dimensions": (20, 40),
            "sizes": (32, 64, 128),
            "patch_sizes": (5,),
            "n_filters": 32,
            "n_test": 2000,
            "n_steps": 500,
            "repeats": 2,
        }
        return cls(**(small | changes))

    def check(self) -> None:
        """Raise ValueError for settings that cannot be used, naming one and what would do."""
        self._check_numbers(("dimensions", "sizes", "patch_size", "patch_sizes", "n_test"))
        for name in ("networks", "dimensions", "sizes"):
            values = getattr(self, name)
            if not values or len(set(values)) < len(values):
                raise InvalidInputError(name, f"{values!r} must hold some values, each once.")
        if unknown := [one for one in self.networks if one not in NETWORKS]:
            known = ", ".join(NETWORKS)
            raise InvalidInputError("networks", f"holds {unknown[0]!r}; it may hold {known}.")
        self._check_patches()

    def _check_patches(self):
        """Refuse patches that do not fill the inputs."""
        for d in self.dimensions:
            _check_divides("patch_size", self.patch_size, d)
        if not self._compares:
            return
        if self._middle not in self.dimensions:
            raise InvalidInputError(
                "compared_dimension",
                f"{self.compared_dimension!r} must be one of dimensions={self.dimensions}.",
            )
        for m in self._other_sizes:
            _check_divides("patch_sizes", m, self._middle)

    @property
    def _middle(self):
        """The dimension at which more networks are compared."""
        if self.compared_dimension is not None:
            return self.compared_dimension
        return sorted(self.dimensions)[len(self.dimensions) // 2]

    @property
    def _compares(self):
        """Whether anything is trained at one dimension only."""
        return bool(self._other_sizes) or MATCHED in self.networks

    @property
    def _other_sizes(self):
        """Patch sizes of further CNNs."""
        if "CNN" not in self.networks:
            return []
        return [m for m in dict.fromkeys(self.patch_sizes) if m != self.patch_size]

    def groups(self) -> Iterator[list[Run]]:
        """Yield the repeats of each network at each dimension and number of samples.

        Yields
        ------
        group : list of Run
            To be trained in one fleet.
        """
        seeds = make_seeds(self.random_state, self.repeats)
        for d in self.dimensions:
            drawn = [self._draw(d, *of_samples) for *of_samples, _ in seeds]
            for network, m in self._networks_at(d):
                for n in self.sizes:
                    yield [
                        self._run(network, m, repeat, samples.first(n), seed)
                        for repeat, (samples, (*_, seed)) in enumerate(
                            zip(drawn, seeds, strict=True)
                        )
                    ]

    def _networks_at(self, d):
        """Return name and patch size of the networks at a dimension."""
        names = [name for name in self.networks if name != MATCHED or d == self._middle]
        found = [(name, d if name == "FCN" else self.patch_size) for name in names]
        return found + [("CNN", m) for m in self._other_sizes if d == self._middle]

    def _draw(self, d, law_seed, sample_seed, test_seed):
        """Return the samples of a repeat, as many as the largest network learns."""
        law = SphereTeacher(
            d, self.patch_size, self.teacher_filters, self.noise, random_state=law_seed
        )
        training = law.sample(max(self.sizes), random_state=sample_seed, return_clean=True)
        X_test, _, clean_test = law.sample(self.n_test, random_state=test_seed, return_clean=True)
        return Samples(*training, X_test, clean_test, self.noise, law.target_variance())

    def _run(self, network, m, repeat, samples, seed):
        n, d = samples.X.shape
        geometry = {} if network == "FCN" else {"patch_size": m, "stride": m}
        estimator = self._make_network(network.partition(",")[0], seed, **geometry)
        if network == MATCHED:
            of_lcn = self.n_filters * (d // m * (m + 1) + 1) + 1
            estimator = match_parameters(estimator, of_lcn, d)
        labels = self._label(network, d, m, estimator.n_filters, n, repeat)
        return Run(labels, estimator, samples, d // m)


def _check_divides(name, patch_size, n_features):
    """Refuse patches that leave features unseen, and a patch of all of them."""
    if n_features % patch_size or n_features == patch_size:
        raise InvalidInputError(
            name,
            f"{patch_size} must divide the dimension {n_features}, with two patches at least; "
            f"{_divisor_near(n_features, patch_size)} would do.",
        )


def _divisor_near(n_features, patch_size):
    """Return the proper divisor that is next to a patch size."""
    divisors = [m for m in range(1, n_features) if n_features % m == 0]
    return min(divisors, key=lambda m: abs(m - patch_size)) if divisors else "another dimension"
