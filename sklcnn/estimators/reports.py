"""Tell scikit-learn's own callbacks (1.9 and later) how a fit goes on."""

try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:  # scikit-learn before 1.9 has no callbacks

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Stands in where the installed scikit-learn has no callbacks."""


__all__ = ["CallbackSupportMixin", "FitReport"]


class FitReport:
    """Reports a fit and its epochs to the callbacks set on an estimator.

    Parameters
    ----------
    estimator : estimator
        Has the callbacks, or has none: then nothing is reported and ``epoch_hook`` is None.
    X, y : arrays
        The training data as given to ``fit``.
    max_iter : int
        Largest number of epochs.
    """

    def __init__(self, estimator, X, y, max_iter):
        self._told = {"estimator": estimator, "X": X, "y": y}
        self._epochs_left = max_iter
        self.epoch_hook = None
        if getattr(estimator, "_skl_callbacks", None):
            self.epoch_hook = self._end_epoch
            self._fit = estimator._init_callback_context(max_subtasks=max_iter)
            self._fit.call_on_fit_task_begin(**self._told)
            self._begin_epoch()

    def _begin_epoch(self):
        self._epochs_left -= 1
        self._epoch = self._fit.subcontext("epoch")
        self._epoch.call_on_fit_task_begin(**self._told)

    def _end_epoch(self, module):
        """End an epoch, begin the next; return whether a callback asks for the end of training."""
        stop = self._epoch.call_on_fit_task_end(
            **self._told, reconstruction_attributes=lambda: {"module_": module}
        )
        if not stop and self._epochs_left:
            self._begin_epoch()
        return stop

    def end(self, module):
        """Report the end of the fit."""
        if self.epoch_hook is not None:
            self._fit.call_on_fit_task_end(
                **self._told, reconstruction_attributes=lambda: {"module_": module}
            )
