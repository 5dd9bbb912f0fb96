"""What the bias of linear networks is worth to a user: samples saved, and perturbations stood.

On the law of `sklcnn.datasets.SparseSpectrum` the error of a linear predictor is a formula, under
attack as well: nothing is estimated but the means over draws.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import ndtr

from sklcnn.datasets import SparseSpectrum
from sklcnn.estimators import LinearNetworkClassifier
from sklcnn.studies.curves import sample_efficiency
from sklcnn.studies.linear.plan import check_counts
from sklcnn.studies.tables import InvalidInputError
from sklcnn.theory import coef_norm, max_margin, robust_radius
from sklcnn.training import fit_many

__all__ = [
    "NETWORKS",
    "NORMS",
    "Draw",
    "Predictor",
    "attacked_error",
    "learning_rows",
    "median_radius",
    "robustness_rows",
    "samples_saved",
    "train_predictors",
]

NETWORKS = (("convolutional", 1), ("convolutional", 2), ("convolutional", 3), ("diagonal", 2))
NORMS = ("l2", "l1", "fourier_l1")
_SHARES = np.linspace(0, 1, 11)  # of the radius that the Bayes rule stands in the median


class Draw(NamedTuple):
    """Training samples, and the law that they are from."""

    seed: int
    law: SparseSpectrum
    X: np.ndarray  # (n_samples, n_features)
    y: np.ndarray  # (n_samples,), -1 and 1


class Predictor(NamedTuple):
    """A linear predictor, and what it was trained on."""

    network: str  # architecture and depth, or the name of a rule
    architecture: str
    depth: float  # NaN for a rule
    draw: Draw
    coef: np.ndarray  # (n_features,)


def train_predictors(
    *,
    input_shape: tuple[int, ...] = (128,),
    n_frequencies: int = 2,
    signal_norm: float = 2.5,
    noise: float = 1.0,
    sizes: Sequence[int] = (4, 8, 16, 32, 64, 128),
    seeds: Sequence[int] = tuple(range(8)),
    networks: Sequence[tuple[str, int]] = NETWORKS,
    max_iter: int = 500,
) -> list[Predictor]:
    """Train linear networks on signals of sparse spectrum in noise, all in one fleet.

    Three rules stand beside them: the support vector machine; the mean of samples times labels,
    which estimates the best rule by a learner to whom all signals are the same; and that rule.

    Parameters
    ----------
    input_shape, n_frequencies, signal_norm, noise
        Of the law, `sklcnn.datasets.SparseSpectrum`.
    sizes : sequence of int, default=(4, 8, 16, 32, 64, 128)
        Numbers of training samples, from 2 to that of the features: so few are always separable.
    seeds : sequence of int, default=(0, ..., 7)
        One for each draw of signal, samples and initial weights. Few samples are the first ones of
        many.
    networks : sequence of (str, int), default=NETWORKS
        Architectures and depths.
    max_iter : int, default=500
        Evaluations of the gradient in each training. Networks of three layers come less far with
        the same number.

    Returns
    -------
    predictors : list of Predictor
        Networks by seed and number of samples, then the rules.

    Raises
    ------
    InvalidInputError
        If a size is out of range.
    """
    check_counts("sizes", sizes, least=2, most=int(np.prod(input_shape)))
    laws = [SparseSpectrum(input_shape, n_frequencies, signal_norm, noise, seed) for seed in seeds]
    draws = [_draw(law, size) for law in laws for size in sorted(set(sizes))]
    fits = [(network, draw) for draw in draws for network in networks]
    estimators = [
        LinearNetworkClassifier(
            *network,
            input_shape=input_shape,
            step="loss_scaled",  # cheap for many samples; margins of hundreds do
            max_iter=max_iter,
            device="cpu",
            random_state=draw.seed,
        )
        for network, draw in fits
    ]
    fitted = fit_many(estimators, [draw.X for _, draw in fits], [draw.y for _, draw in fits])
    trained = [
        Predictor(f"{name} {depth}", name, depth, draw, network.coef_[0])
        for ((name, depth), draw), network in zip(fits, fitted, strict=True)
    ]
    return trained + [rule for draw in draws for rule in _rules(draw)]


def _draw(law, size):
    """Samples whose labels alternate, so that few have both.

    To a predictor without intercept a sample is the same as its negative with the other label, and
    the law has both alike.
    """
    X, y = law.sample(size, random_state=law.random_state)
    labels = np.where(np.arange(size) % 2, -1, 1)
    return Draw(law.random_state, law, X * (y * labels)[:, None], labels)


def _rules(draw):
    """Predictors that are no networks."""
    coefs = {
        "support vector machine": max_margin(draw.X, draw.y).coef,
        "mean": draw.y @ draw.X / len(draw.X),
        "Bayes rule": draw.law.signal,
    }
    return [Predictor(name, name, np.nan, draw, coef) for name, coef in coefs.items()]


def learning_rows(predictors: Sequence[Predictor]) -> pd.DataFrame:
    """Return the test error of each predictor over the number of its training samples.

    Parameters
    ----------
    predictors : sequence of Predictor
        Those of `train_predictors`.

    Returns
    -------
    learning : DataFrame
        Columns ``network``, ``architecture``, ``depth``, ``n_samples``, ``seed``; the smallest
        ``margin`` of a training sample, which says how far training has come; the exact
        ``test_error``, and the ``bayes_error``, which none is below.
    """
    return pd.DataFrame(
        {
            "network": found.network,
            "architecture": found.architecture,
            "depth": found.depth,
            "n_samples": len(found.draw.X),
            "seed": found.draw.seed,
            "margin": (found.draw.X @ found.coef * found.draw.y).min(),
            "test_error": found.draw.law.test_error(found.coef),
            "bayes_error": found.draw.law.bayes_error(),
        }
        for found in predictors
    )


def samples_saved(
    learning: pd.DataFrame,
    network: str = "convolutional 2",
    other: str = "convolutional 1",
    *,
    random_state: int = 0,
) -> pd.DataFrame:
    """Return how many times fewer samples a network needs than another for the same test error.

    Parameters
    ----------
    learning : DataFrame
        That of `learning_rows`.
    network, other : str, default="convolutional 2" and "convolutional 1"
        Their names in the column ``network``.
    random_state : int, default=0
        Of the bootstrap over the seeds.

    Returns
    -------
    saved : DataFrame
        One row for each size: ``n_samples``, the mean ``test_error`` of the other network there,
        the ``factor`` by which the network reaches it with fewer samples, below 1 if it takes more,
        and the ends ``low`` and ``high`` of the interval of coverage 0.95, infinite where the sizes
        leave it open; ``bound`` is "at least" where the network has a smaller error at the smallest
        size already, "at most" where it does not reach the error at the largest, else "".

    Raises
    ------
    InvalidInputError
        If the table does not have a network.

    See Also
    --------
    sklcnn.studies.sample_efficiency : The method.
    """
    slow, quick = _errors_of(learning, other), _errors_of(learning, network)
    factors = sample_efficiency(
        slow.index, 1 - slow, 1 - quick, floor=0.5, tolerance=0.0, random_state=random_state
    )
    bounds = {"less": "at least", "more": "at most", "": ""}
    return pd.DataFrame(
        {
            "n_samples": found.n,
            "test_error": error,
            "factor": 1 / found.factor,
            "low": 1 / found.high,
            "high": 1 / found.low if found.low else np.inf,
            "bound": bounds.get(found.censored, found.censored),
        }
        for found, error in zip(factors, slow.mean(axis=1), strict=True)
    )


def _errors_of(learning, network):
    """Test errors of one network, (n_sizes, n_seeds)."""
    rows = learning[learning["network"] == network]
    if rows.empty:
        known = ", ".join(dict.fromkeys(learning["network"]))
        raise InvalidInputError("learning", f"it has no network {network!r}, but {known}")
    return rows.pivot(index="n_samples", columns="seed", values="test_error")


def robustness_rows(predictors: Sequence[Predictor], n_samples: int = 32) -> pd.DataFrame:
    """Return the error of each predictor on samples that are perturbed as badly as can be.

    Perturbations are measured in the norms dual to "l2", "l1" and "fourier_l1"; see
    `sklcnn.theory.robust_radius`. Their sizes are shares, from 0 to 1, of the one that makes the
    best rule err on half of all samples, averaged over the seeds.

    Parameters
    ----------
    predictors : sequence of Predictor
        Those of `train_predictors`.
    n_samples : int, default=32
        Which of them: those that were trained on so many samples.

    Returns
    -------
    robustness : DataFrame
        Columns ``network``, ``norm``, ``seed``, ``radius`` and the exact ``error`` there; the same
        at every radius are ``median_radius``, the size that makes the predictor err on half of all
        samples, and ``train_radius``, the least that makes it err on one of its training samples.

    Raises
    ------
    InvalidInputError
        If none was trained on so many samples.
    """
    chosen = [found for found in predictors if len(found.draw.X) == n_samples]
    if not chosen:
        raise InvalidInputError("n_samples", f"no network was trained on {n_samples} samples")
    signals = {found.draw.seed: found.draw.law for found in chosen}.values()
    tables = []
    for norm in NORMS:
        stood = [median_radius(law, law.signal, norm) for law in signals]
        tables += [_robustness_of(found, norm, np.mean(stood) * _SHARES) for found in chosen]
    return pd.concat(tables, ignore_index=True)


def _robustness_of(found, norm, radii):
    """Rows of one predictor in one norm."""
    _, law, X, y = found.draw
    shape = law.input_shape
    return pd.DataFrame(
        {
            "network": found.network,
            "norm": norm,
            "seed": found.draw.seed,
            "radius": radii,
            "error": attacked_error(law, found.coef, radii, norm),
            "median_radius": median_radius(law, found.coef, norm),
            "train_radius": robust_radius(found.coef, X, y, norm, input_shape=shape).min(),
        }
    )


def attacked_error(law, coef, radii, norm):
    r"""Return the exact error of a linear predictor on the worst perturbations of given sizes.

    The margin of a sample is normal with mean :math:`\langle s, \beta \rangle` and standard
    deviation :math:`\sigma \|\beta\|_2`; a perturbation of dual norm *r* lowers it by
    :math:`r \|\beta\|`.

    Parameters
    ----------
    law : SparseSpectrum
        Of the samples, with noise.
    coef : ndarray of shape (n_features,)
        Coefficients of the predictor.
    radii : float or ndarray
        Sizes of the perturbations.
    norm : str
        Norm of the coefficients in whose dual they are measured.

    Returns
    -------
    error : float or ndarray
        Probability of a wrong label, in the shape of `radii`.
    """
    lost = radii * coef_norm(coef, norm, input_shape=law.input_shape)
    return ndtr((lost - coef @ law.signal) / (law.noise * np.linalg.norm(coef)))


def median_radius(law, coef, norm):
    """Return the size of perturbation that makes a linear predictor err on half of all samples."""
    return coef @ law.signal / coef_norm(coef, norm, input_shape=law.input_shape)
