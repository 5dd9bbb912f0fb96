"""Where the three families differ: which features a patch sees, which patches share filters."""

from numbers import Integral

from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from sklcnn.estimators.layers import check_input_shape, plan_dense_layers, plan_local_layers
from sklcnn.estimators.relaxation import free_locality, free_sharing

__all__ = ["Convolutional", "FullyConnected", "LocallyConnected"]


class FullyConnected:
    """One patch of all features."""

    _dense_constraints = {"input_shape": [tuple, list, None]}

    def _plan(self, n_features):
        """Return the plans of the hidden layers."""
        check_input_shape(self.input_shape, n_features)
        return plan_dense_layers(self.n_filters, n_features)

    def _present_filters(self, weight):
        return weight  # (1, n_filters, n_features)


class AbstractLocal:
    """Patches of a signal or an image; a family supplies ``_groups``."""

    _local_constraints = {
        "patch_size": [Interval(Integral, 1, None, closed="left"), tuple],
        "stride": [Interval(Integral, 1, None, closed="left"), tuple],
        "pooling": [StrOptions({"mean", "sum", "max"}), tuple, None],
        "pool_size": [Interval(Integral, 2, None, closed="left"), tuple, None],
        "input_shape": [tuple, list, None],
        "padding": [
            StrOptions({"valid", "same", "circular"}),
            Interval(Integral, 0, None, closed="left"),
        ],
        "patch_indices": ["array-like", None],
    }

    def _plan(self, n_features):
        """Return the plans of the hidden layers."""
        return plan_local_layers(self, n_features, self._groups)


class LocallyConnected(AbstractLocal):
    """Patches with filters of their own, or shared within groups.

    ``_looser`` is the fully connected family of the same task.
    """

    def relax(self):
        """Return the next larger family at the same function: first sharing is given up.

        A network whose filters are shared within groups becomes one without sharing; one without
        sharing becomes fully connected, with zeros for what its patches do not see. Both predict
        what this one predicts and go on from there: ``network.relax().fit(X, y)``.

        Returns
        -------
        larger : LCNClassifier, LCNRegressor, FCNClassifier or FCNRegressor
            Fitted, with ``warm_start=True``.

        Raises
        ------
        NotFittedError
            If this network is not fitted.
        ValueError
            If it must become fully connected but pools by maxima.

        References
        ----------
        .. [1] d'Ascoli, Sagun, Biroli, Bruna, "Finding the Needle in the Haystack with
           Convolutions: on the benefits of architectural bias", NeurIPS 2019, arXiv:1906.06766.
        """
        check_is_fitted(self)
        if any(plan.n_groups < len(plan.filter_groups) for plan in self._plans):
            return free_sharing(self, type(self))
        return free_locality(self, self._looser)

    @property
    def _groups(self):
        return self.filter_groups

    def _present_filters(self, weight):
        return weight  # (n_groups, n_filters, patch_size)


class Convolutional(AbstractLocal):
    """Patches that all share their filters.

    ``_looser`` is the locally connected family of the same task.
    """

    _groups = 1

    def relax(self):
        """Return the locally connected network at the same function: sharing is given up.

        Every patch gets a copy of the filters. The network predicts what this one predicts and goes
        on from there: ``network.relax().fit(X, y)`` trains shared, then frees the weights.

        Returns
        -------
        larger : LCNClassifier or LCNRegressor
            Fitted, with ``warm_start=True``.

        Raises
        ------
        NotFittedError
            If this network is not fitted.

        References
        ----------
        .. [1] d'Ascoli, Sagun, Biroli, Bruna, "Finding the Needle in the Haystack with
           Convolutions: on the benefits of architectural bias", NeurIPS 2019, arXiv:1906.06766.
        """
        check_is_fitted(self)
        return free_sharing(self, self._looser)

    def _present_filters(self, weight):
        return weight[0]  # (n_filters, patch_size)
