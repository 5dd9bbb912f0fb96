"""A skorch callback that records the sharpness while a network trains."""

import numpy as np
import torch
from skorch.callbacks import Callback

from sklcnn.nn.curvature import Hessian
from sklcnn.nn.eigenvalues import lanczos

__all__ = ["SharpnessRecorder"]


class SharpnessRecorder(Callback):
    """Record the largest eigenvalue of the Hessian of the training loss during training.

    The loss is the mean over the training samples that training minimizes, without the penalty of
    ``alpha``: for ``loss="squared_error"`` the plain mean squared error, without one half. Hand
    the recorder over in ``callbacks`` of an estimator, and read its attributes afterwards.

    Parameters
    ----------
    every : int or None, default=None
        Epochs between records; None spaces them evenly in the logarithm of the epoch.
    per_decade : int, default=10
        Records in each factor of ten of the epochs, if ``every`` is None.
    tol : float, default=1e-3
        Relative error at which the search for the eigenvalue ends.
    max_products : int, default=100
        Products with the Hessian that a record costs at most, each of a few full-batch steps. One
        that does not reach ``tol`` is kept; its residual tells.
    dtype : {"float64", "float32"}, default="float64"
        Precision of the computation.

    Attributes
    ----------
    epochs_ : ndarray of shape (n_records,), dtype int
        Epochs after which the sharpness was recorded, beginning with 0, the initial network.
    sharpness_ : ndarray of shape (n_records,)
        Largest eigenvalues, with their sign; NaN where a parameter was not finite.
    residuals_ : ndarray of shape (n_records,)
        Errors of the eigenvalues, at most.
    n_products_ : ndarray of shape (n_records,), dtype int
        Products with the Hessian that each record took.

    Notes
    -----
    The search starts from the eigenvector of the record before and some noise, which shortens it
    where large eigenvalues are crowded; it takes eight products at least, lest it stay where it is.
    A network that is watched trains alone, not in a stack. With ``augment_shift`` it is the loss
    on the samples as they are.

    References
    ----------
    .. [1] Cohen, Kaur, Li, Kolter, Talwalkar, "Gradient Descent on Neural Networks Typically Occurs
       at the Edge of Stability", ICLR 2021, arXiv:2103.00065.

    Examples
    --------
    >>> import sklcnn
    >>> from sklcnn.datasets import make_sphere
    >>> from sklcnn.training import SharpnessRecorder
    >>> X, y = make_sphere(n_samples=50, n_features=10, random_state=0)
    >>> recorder = SharpnessRecorder(every=20)
    >>> network = sklcnn.FCNRegressor(
    ...     8, solver="gd", max_iter=60, tol=None, callbacks=[recorder], random_state=0
    ... )
    >>> _ = network.fit(X, y)
    >>> recorder.epochs_
    array([ 0, 20, 40, 60])
    """

    def __init__(
        self,
        every=None,
        *,
        per_decade=10,
        tol=1e-3,
        max_products=100,
        dtype="float64",
    ):
        self.every = every
        self.per_decade = per_decade
        self.tol = tol
        self.max_products = max_products
        self.dtype = dtype

    def on_train_begin(self, net, X=None, **kwargs):
        """Forget earlier records; record the initial sharpness."""
        # skorch takes every attribute without an underscore at its end for a parameter.
        self._check()
        self.epochs_ = self.n_products_ = np.empty(0, dtype=int)
        self.sharpness_ = self.residuals_ = np.empty(0)
        self.vectors_, self.next_ = None, 0
        self._record(net, net.get_dataset(X), 0)

    def on_epoch_end(self, net, dataset_train=None, **kwargs):
        """Record the sharpness if it is time."""
        epoch = len(net.history)
        if epoch >= self.next_:
            self._record(net, dataset_train, epoch)

    def on_train_end(self, net, **kwargs):
        """Let go of the eigenvector."""
        self.vectors_ = None

    def _check(self):
        for name in ("every", "per_decade", "max_products"):
            value = getattr(self, name)
            if value is None and name == "every":
                continue
            if not isinstance(value, (int, np.integer)) or value < 1:
                raise ValueError(f"{name}={value!r} must be an integer of at least 1.")
        if not 0 < self.tol < 1:
            raise ValueError(f"tol={self.tol!r} must be a number between 0 and 1, such as 1e-3.")
        if self.dtype not in ("float32", "float64"):
            raise ValueError(f"dtype={self.dtype!r} must be 'float32' or 'float64'.")

    def _record(self, net, samples, epoch):
        """Append one record, and set the epoch of the next."""
        value, residual, n_products = self._measure(net, samples)
        self.epochs_ = np.append(self.epochs_, epoch)
        self.sharpness_ = np.append(self.sharpness_, value)
        self.residuals_ = np.append(self.residuals_, residual)
        self.n_products_ = np.append(self.n_products_, n_products)
        if self.every is not None:
            self.next_ = epoch + self.every
        else:
            self.next_ = max(epoch + 1, round(epoch * 10 ** (1 / self.per_decade)))

    def _measure(self, net, samples):
        """Return eigenvalue, residual and number of products."""
        if not all(torch.isfinite(value).all() for value in net.module_.parameters()):
            return np.nan, np.nan, 0
        hessian = Hessian(
            net.module_,
            net.criterion_,
            samples.X,
            samples.target,
            samples.weight,
            dtype=getattr(torch, self.dtype),
        )
        pairs = lanczos(
            hessian,
            hessian.size,
            tol=self.tol,
            max_products=self.max_products,
            start=self.vectors_,
            dtype=hessian.dtype,
            device=hessian.device,
        )
        self.vectors_ = pairs.vectors
        return pairs.eigenvalues[0], pairs.residuals[0], pairs.n_products
