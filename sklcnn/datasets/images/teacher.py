"""A teacher of shared local filters that gives images their targets."""

from numbers import Integral, Real

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils._param_validation import Interval, validate_parameter_constraints

from sklcnn.datasets.base import draw_entropy
from sklcnn.datasets.images.arrays import check_input_shape
from sklcnn.datasets.sphere.law import AbstractTeacher
from sklcnn.datasets.sphere.teachers import Teacher
from sklcnn.patches import sliding_windows

__all__ = ["LocalTeacher"]


class LocalTeacher(AbstractTeacher):
    r"""Law of a target given an image: a network of shared local filters, plus noise.

    For any images, the target is

    .. math:: y = f^*(x) + \sigma z, \qquad f^*(x) = \sum_k a_k \frac{1}{J} \sum_{l=1}^{J}
              \max\bigl(\langle w_k, x^{(l)} \rangle, 0\bigr), \qquad z \sim N(0, 1),

    where :math:`x^{(1)}, \dots, x^{(J)}` are the windows of the image, over all its channels. Of
    *K* filters of *m* entries, :math:`w_k \sim N(0, I / m)` and :math:`a \sim N(0, I / K)` are
    drawn once, for all images. At the default sizes it is the CIFAR-10 regression of [1]_; there,
    the pixels of each channel have mean 0 and variance 1.

    The law is a regressor as well. Before `fit` it predicts the regression function :math:`f^*`,
    the best prediction in squared error. `fit` keeps the filters, and learns readout, intercept and
    noise by least squares: the limit of what a learner who knew the filters could do. Only the
    predictions change.

    Parameters
    ----------
    input_shape : tuple of int, default=(3, 32, 32)
        ``(channels, height, width)``, ``(height, width)`` or ``(length,)``.
    patch_size : int, default=3
        Side of the window.
    stride : int, default=1
        Step between neighboring windows, which must cover all pixels.
    n_filters : int, default=20
        Filters of the teacher (*K*).
    noise : float, default=1.0
        Standard deviation of the noise on the target (*sigma*).
    random_state : int, RandomState instance or None, default=None
        Source of the teacher. An int gives the same teacher always; otherwise it is drawn on first
        use and then kept by this law, its copies and its clones.

    Attributes
    ----------
    coef_ : ndarray of shape (n_filters,)
        Estimated readout.
    intercept_ : float
        Estimated intercept.
    noise_ : float
        Estimated noise; NaN if no residual is left to estimate it from.
    n_features_in_ : int
        Number of features seen by `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features seen by `fit`, if they all are strings.

    See Also
    --------
    SphereTeacher : A law of inputs and targets, with a similar teacher.
    fetch_cifar10 : Images for it.

    Notes
    -----
    Images have shape (n_samples, n_features) or (n_samples, \*input_shape). Neither the images nor
    their windows are copied as a whole: beyond them, a call takes a few megabytes. Integers of at
    most 16 bits and floats of at most 32 are computed with in single precision, with a relative
    error of about 1e-6; all others in double precision.

    The variance of the target without noise is small against that of the noise: on CIFAR-10, 0.12
    for the teacher of [1]_, and between 0.03 and 0.12 for the middle half of 60 teachers drawn
    here. `target_variance` tells it for given images. Compare an
    excess risk with it before speaking of learning.

    References
    ----------
    .. [1] Liang, Singh, Parhi, Cloninger, Wang, "The Inductive Bias of Convolutional Neural
       Networks: Locality and Weight Sharing Reshape Implicit Regularization", 2026,
       arXiv:2603.04807, version 2.

    Examples
    --------
    >>> from sklcnn.datasets import LocalTeacher, load_digit_images
    >>> X, _ = load_digit_images(return_X_y=True)
    >>> teacher = LocalTeacher(input_shape=(8, 8), random_state=0)
    >>> y, clean = teacher.label(X, random_state=1, return_clean=True)
    >>> y.shape, teacher.bayes_error()
    ((1797,), 1.0)
    >>> bool((clean == teacher.predict(X)).all())
    True
    """

    _parameter_constraints = {
        "input_shape": [tuple],
        "patch_size": [Interval(Integral, 1, None, closed="left")],
        "stride": [Interval(Integral, 1, None, closed="left")],
        "n_filters": [Interval(Integral, 1, None, closed="left")],
        "noise": [Interval(Real, 0, None, closed="left")],
        "random_state": ["random_state"],
    }
    _label_constraints = {"random_state": ["random_state"], "return_clean": ["boolean"]}

    def __init__(
        self,
        input_shape: tuple[int, ...] = (3, 32, 32),
        patch_size: int = 3,
        stride: int = 1,
        n_filters: int = 20,
        noise: float = 1.0,
        *,
        random_state: int | np.random.RandomState | None = None,
    ):
        self.input_shape = input_shape
        self.patch_size = patch_size
        self.stride = stride
        self.n_filters = n_filters
        self.noise = noise
        self.random_state = random_state

    def label(
        self,
        X: ArrayLike,
        *,
        random_state: int | np.random.RandomState | None = None,
        return_clean: bool = False,
    ):
        """Draw the targets of images.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The images.
        random_state : int, RandomState instance or None, default=None
            Source of the noise, apart from that of the teacher. None draws other noise on every
            call; the same int draws the same noise.
        return_clean : bool, default=False
            Whether to return the targets without noise too.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            The targets.
        clean : ndarray of shape (n_samples,)
            The targets without noise. Only if ``return_clean=True``.
        """
        validate_parameter_constraints(
            self._label_constraints,
            {"random_state": random_state, "return_clean": return_clean},
            caller_name="LocalTeacher.label",
        )
        clean = self._regression_function(self._check_inputs(X))
        y = self._add_noise(clean, draw_entropy(random_state))
        return (y, clean) if return_clean else y

    def bayes_error(self) -> float:
        """Return the expected squared error of the best prediction: the variance of the noise.

        Returns
        -------
        error : float
            Mean squared error.
        """
        self._check_parameters()
        return float(self.noise**2)

    def target_variance(self, X: ArrayLike) -> float:
        r"""Return the variance of the target without noise over images.

        It is the excess risk of the best constant prediction on these images: an excess risk below
        it is learning, one above it is worse than to predict the mean.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The images, two or more.

        Returns
        -------
        variance : float
            Mean squared distance of :math:`f^*` from its mean over the images, whether the law is
            fitted or not. No simulation: for images that are a sample of others, the relative
            standard error is :math:`\sqrt{(\kappa - 1) / n}`, where :math:`\kappa` is the
            kurtosis of :math:`f^*(x)`.
        """
        clean = self._regression_function(self._check_inputs(X))
        if len(clean) < 2:
            raise ValueError("X has 1 image, over which nothing varies; hand over two or more.")
        return float(np.var(clean))

    def _input_shape(self):
        return self.input_shape

    def _views(self):
        return sliding_windows(self.input_shape, self.patch_size, self.stride)

    def _draw_teacher(self, rng):
        size = self._views().shape[1]
        return Teacher(
            filters=rng.standard_normal((self.n_filters, size)) / np.sqrt(size),
            thresholds=np.zeros(self.n_filters),
            readout=rng.standard_normal(self.n_filters) / np.sqrt(self.n_filters),
            intercept=0.0,
        )

    def _check_parameters(self):
        super()._check_parameters()
        check_input_shape(self.input_shape)
        self._views()  # refuses windows that leave pixels unseen
