"""A signed signal of few frequencies in noise: a task for which convolution has the right bias."""

from numbers import Integral, Real

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, ndtr
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_array

from sklcnn.datasets.base import stream
from sklcnn.datasets.known_rule import AbstractSignRule
from sklcnn.theory import log_odds

__all__ = ["SparseSpectrum"]


class SparseSpectrum(AbstractSignRule):
    r"""Law of a signed signal with a sparse spectrum in Gaussian noise.

    .. math:: x = y\, s + \sigma z, \qquad y \sim \mathrm{Unif}\{-1, +1\}, \quad z \sim N(0, I_D),

    where the signal *s* is a sum of a few waves of equal amplitude and random phases,

    .. math:: s_j = \|s\| \sqrt{\frac{2}{m D}} \sum_{i=1}^{m}
              \cos\bigl(2 \pi \langle d_i, j / \ell \rangle + \varphi_i\bigr),

    with *m* distinct frequencies :math:`d_i` and positions *j* in an input of shape :math:`\ell`.
    The same signal is in all samples: it is drawn once.

    Parameters
    ----------
    input_shape : tuple of int, default=(64,)
        ``(length,)`` or ``(height, width)``. A sample is raveled, row after row.
    n_frequencies : int, default=2
        Number of waves (*m*). Each has two entries in the spectrum, at a frequency and its
        negative; those that are their own negatives, such as the constant, are left out.
    signal_norm : float, default=2.5
        Euclidean norm of the signal.
    noise : float, default=1.0
        Standard deviation of the noise per feature (*sigma*).
    random_state : int, RandomState instance or None, default=None
        Source of frequencies and phases. An int gives the same ones always; otherwise they are
        drawn on first use and then kept by this law, its copies and its clones.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
        The labels, -1 and +1.
    n_features_in_ : int
        Number of features seen by `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features seen by `fit`, if they all are strings.

    See Also
    --------
    sklcnn.LinearNetworkClassifier : Linear networks, of which two convolutional layers look for a
        predictor with few frequencies.
    sklcnn.datasets.DynamicSignal : A signal that is somewhere, for networks with activations.

    Notes
    -----
    *The Bayes rule* is linear, and its coefficients are the signal. The two labels have normal
    densities with the same covariance :math:`\sigma^2 I` and opposite means, so that the squares
    of *x* cancel in the log-odds:

    .. math:: \frac{\|x + s\|^2 - \|x - s\|^2}{2 \sigma^2}
              = \frac{2 \langle x, s \rangle}{\sigma^2} .

    Its error is :math:`\Phi(-\|s\| / \sigma)`, whatever the frequencies. A learner that is
    equivariant under rotations of the features, such as a support vector machine, learns all
    signals of the same norm equally well: only one that knows Fourier's basis can profit from a
    sparse spectrum.

    Examples
    --------
    >>> import numpy as np
    >>> from sklcnn.datasets import SparseSpectrum
    >>> law = SparseSpectrum(input_shape=(16,), random_state=0)
    >>> law.frequencies
    array([6, 7])
    >>> np.abs(np.fft.rfft(law.signal, norm="ortho")).round(2)
    array([0.  , 0.  , 0.  , 0.  , 0.  , 0.  , 1.25, 1.25, 0.  ])
    >>> X, y = law.sample(10_000, random_state=1)
    >>> round(law.score(X, y), 3), round(1 - law.bayes_error(), 3)
    (0.994, 0.994)
    """

    _parameter_constraints = {
        "input_shape": [tuple, list],
        "n_frequencies": [Interval(Integral, 1, None, closed="left")],
        "signal_norm": [Interval(Real, 0, None, closed="neither")],
        "noise": [Interval(Real, 0, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        input_shape: tuple[int, ...] = (64,),
        n_frequencies: int = 2,
        signal_norm: float = 2.5,
        noise: float = 1.0,
        random_state: int | np.random.RandomState | None = None,
    ):
        self.input_shape = input_shape
        self.n_frequencies = n_frequencies
        self.signal_norm = signal_norm
        self.noise = noise
        self.random_state = random_state

    @property
    def frequencies(self) -> NDArray[np.int64]:
        """The frequencies in cycles per input, sorted: the same on every access.

        Of shape (n_frequencies,) for signals, (n_frequencies, 2) for images. They are indices into
        :func:`numpy.fft.fftn`; of a frequency and its negative, the one that comes first.
        """
        self._check_parameters()
        pairs = _find_pairs(self.input_shape)
        rng = self._law_stream("frequencies")
        chosen = np.sort(rng.choice(len(pairs), self.n_frequencies, replace=False))
        return pairs[chosen, 0] if len(self.input_shape) == 1 else pairs[chosen]

    @property
    def signal(self) -> NDArray[np.float64]:
        """The signal, of shape (n_features,) and norm ``signal_norm``: the same on every access."""
        frequencies = self.frequencies.reshape(self.n_frequencies, -1)  # (n_frequencies, n_axes)
        phases = self._law_stream("phases").uniform(0, 2 * np.pi, self.n_frequencies)
        cycles = np.tensordot(frequencies / self.input_shape, np.indices(self.input_shape), axes=1)
        angles = 2 * np.pi * cycles.reshape(self.n_frequencies, -1) + phases[:, None]
        size = self.signal_norm * np.sqrt(2 / angles.size)
        return size * np.cos(angles).sum(axis=0)  # (n_features,)

    def decision_function(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the log-odds of the label +1.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The samples.

        Returns
        -------
        log_odds : ndarray of shape (n_samples,)
            Positive where +1 is the more probable label; infinite without noise.
        """
        score = super().decision_function(X)
        return log_odds(score[:, None], self.noise)

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the posterior probabilities of the two labels.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The samples.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, 2)
            Of -1 and +1.
        """
        decision = self.decision_function(X)
        return expit(np.column_stack([-decision, decision]))

    def bayes_error(self) -> float:
        """Return the error of the Bayes rule: no classifier has a smaller one.

        Returns
        -------
        error : float
            Probability of a wrong label.
        """
        return float(self.test_error(self.signal))

    def test_error(self, coef: ArrayLike) -> float | NDArray[np.float64]:
        r"""Return the exact error of linear predictors without intercept, on all samples there are.

        The score :math:`\langle x, \beta \rangle` is normal, so that the error is
        :math:`\Phi(-\langle s, \beta \rangle / (\sigma \|\beta\|))`.

        Parameters
        ----------
        coef : array-like of shape (n_features,) or (n_predictors, n_features)
            Coefficients. Their scale does not matter.

        Returns
        -------
        error : float or ndarray of shape (n_predictors,)
            Probability of a wrong label; 1/2 for coefficients that are all zero.

        Raises
        ------
        ValueError
            If there are not as many coefficients as features, or they are not finite.

        Examples
        --------
        >>> from sklcnn.datasets import SparseSpectrum
        >>> law = SparseSpectrum(random_state=0)
        >>> round(law.test_error(law.signal), 4)
        0.0062
        >>> law.test_error([law.signal, -law.signal]).round(4)
        array([0.0062, 0.9938])
        """
        self._check_parameters()
        rows = self._check_coef(coef)
        largest = np.abs(rows).max(axis=1, keepdims=True)
        rows = rows / np.where(largest > 0, largest, 1)  # no square overflows, none vanishes
        alignment = rows @ self.signal / np.maximum(np.linalg.norm(rows, axis=1), 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            error = np.where(alignment == 0, 0.5, ndtr(-alignment / self.noise))
        return float(error[0]) if np.ndim(coef) == 1 else error

    def _draw(self, n_samples, entropy):
        y = 2 * stream(entropy, "label").integers(2, size=n_samples) - 1
        noise = stream(entropy, "noise").standard_normal((n_samples, self._width()))
        return np.outer(y, self.signal) + self.noise * noise, y

    def _score(self, X):
        return X @ self.signal

    def _width(self):
        return int(np.prod(self.input_shape))

    def _check_coef(self, coef):
        """Return coefficients as rows."""
        rows = check_array(np.atleast_2d(coef), dtype=np.float64, input_name="coef")
        if rows.shape[1] != self._width():
            raise ValueError(
                f"coef must have shape ({self._width()},) or (n_predictors, {self._width()}), got "
                f"{np.shape(coef)}."
            )
        return rows

    def _check_parameters(self):
        super()._check_parameters()
        shape = self.input_shape
        if len(shape) not in (1, 2) or not all(isinstance(n, Integral) and n > 0 for n in shape):
            raise ValueError(
                f"input_shape={shape} must be (length,) or (height, width), of positive whole "
                "numbers."
            )
        n_pairs = len(_find_pairs(shape))
        if self.n_frequencies > n_pairs:
            raise ValueError(
                f"n_frequencies={self.n_frequencies} waves with frequencies that differ from their "
                f"negatives do not fit into input_shape={shape}, which has {n_pairs} of them: take "
                "fewer waves or a larger input."
            )


def _find_pairs(shape):
    """Return the first of every two frequencies that are each other's negatives, (n_pairs, n_axes).

    In the order of the discrete Fourier transform.
    """
    frequencies = np.indices(shape).reshape(len(shape), -1)  # (n_axes, n_features)
    negatives = np.ravel_multi_index(-frequencies % np.reshape(shape, (-1, 1)), shape)
    return frequencies.T[np.arange(len(negatives)) < negatives]
