"""The words that the docstrings of the six networks have in common, each written once."""

__all__ = ["document"]

START = """
n_filters : int or tuple of int, default={n_filters}
    Filters over each patch: hidden units of the fully connected network, channels of the others. A
    tuple has one entry for each hidden layer, from the input upwards.
"""

SHAPE = """
input_shape : tuple of int, default=None
    Shape of one sample: ``(length,)``, ``(height, width)`` or ``(channels, height, width)``; a
    signal of several channels is ``(channels, 1, length)``. None is a signal of one channel. X has
    one row a sample, raveled in C order, or these trailing axes.
"""

LOCAL = """
patch_size : int or tuple of int, default=3
    Side of the window along each axis of the input; clipped to the input. A tuple has one entry for
    each hidden layer, as for ``stride``. Above the first layer and with ``padding="valid"``, a
    window larger than the map is an error.
stride : int or tuple of int, default=1
    Step between neighboring windows. Windows that leave features unseen are an error.
"""

POOLING = """
pooling : {"mean", "sum", "max"}, None, or tuple of these, default=None
    How responses are pooled. Over all patches after the last hidden layer, which makes the network
    invariant to where a pattern lies; with ``pool_size`` over small windows. None keeps every
    position. A tuple has one entry for each hidden layer.
pool_size : int, None, or tuple of these, default=None
    Side of the windows to pool, next to each other, after every hidden layer that ``pooling``
    names; the last ones are smaller if the side does not divide the map. None pools over all
    positions, which only the last layer can. ``n_filters=(16, 32), pooling="max", pool_size=2``
    halves the map after both layers, ``pool_size=(2, None)`` pools over all positions at the end.
"""

PADDING = """
padding : {"valid", "same", "circular"} or int, default="valid"
    Whether windows stay inside the input, are centered at every ``stride``-th feature and see zeros
    outside, or wrap around its ends; an int is a number of zeros beyond each end.
patch_indices : array-like of shape (n_patches, patch_size), default=None
    Connectivity given outright: the features that each patch sees, in the place of
    ``patch_size``, ``stride`` and ``padding``. Masked entries of a
    :class:`numpy.ma.MaskedArray` see nothing. For one hidden layer.
"""

GROUPS = """
filter_groups : int, array-like of shape (n_patches,), or tuple of these, default=None
    Degree of weight sharing. None: none. An int: that many contiguous groups of patches, each with
    filters of its own. An array: any grouping (see :mod:`sklcnn.patches`). With several hidden
    layers a tuple has one of these for each.
"""

NETWORK = """
activation : {"relu", "soft_threshold", "identity", "tanh", "gelu"}, default="relu"
    Of the hidden layers. ``"soft_threshold"`` is ``sign(z) max(|z| - b, 0)`` with one learned
    threshold b for a whole layer, in the place of biases.
readout : {"linear", "sum"}, default="linear"
    Learned weights and bias, or the plain sum of all responses (one output only).
init_scale : float, default=1.0
    Factor on the initial filters, whose entries are Gaussian of variance 1 / fan-in (2 / fan-in
    before a ReLU).
"""

CLASSIFIER_LOSS = """
loss : {"log_loss", "squared_error", "hinge", "exponential"}, default="log_loss"
    Loss on labels coded as -1 and +1. The log-loss of several classes is the cross-entropy of
    their softmax; the others set one class against the rest and average over classes.
"""

REGRESSOR_LOSS = """
loss : {"squared_error"}, default="squared_error"
    Mean squared error, averaged over outputs, without a factor of one half.
"""

TRAINING = """
solver : {"gd", "sgd", "adam", "two_step"} or solver object, default="adam"
    Full-batch gradient descent, mini-batch SGD with Nesterov momentum, Adam, or the two large steps
    of the theory (which set ``learning_rate_init``, ``max_iter`` and ``tol`` themselves). Objects
    of :mod:`sklcnn.training` set momentum, projection of the filters and gradient clipping; those
    of gradient descent also end training at a loss or at a gradient.
learning_rate_init : float, default={learning_rate_init}
    Size of the steps.
max_iter : int, default=200
    Largest number of epochs.
batch_size : int, default="auto"
    Samples in a mini-batch; "auto" is ``min(200, n_samples)``. Solver "gd" uses all.
augment_shift : int, default=0
    Training samples are shifted by up to so many features along height and width, in either
    direction, anew in every epoch; zeros come in from outside.
alpha : float, default=0.0001
    Strength of the L2 penalty on all weights; divided by the size of the batch as in
    :class:`~sklearn.neural_network.MLPClassifier`.
tol : float, default=1e-4
    Training ends when the loss has not fallen by ``tol`` for more than ``n_iter_no_change`` epochs
    in a row; None trains for exactly ``max_iter`` epochs.
n_iter_no_change : int, default="auto"
    Epochs without improvement that are waited for; "auto" is 10, and more where these would be
    fewer than 50 steps.
early_stopping : bool, default=False
    Whether to watch the loss on validation samples in the place of the training loss, and to keep
    the weights of its best epoch. Unless it is on, every sample trains.
validation_fraction : float, default=0.1
    Part of the samples set aside for early stopping, if ``fit`` is not given ``X_val``.
"""

CLASS_WEIGHT = """
class_weight : dict or "balanced", default=None
    Weights of the classes, multiplied with the weights of the samples; "balanced" is inversely
    proportional to their frequencies.
"""

REST = """
warm_start : bool, default=False
    Whether ``fit`` goes on from the weights of the last call.
callbacks : list of skorch callbacks, default=None
    Take part in training as in any skorch net.
device : str, default="auto"
    "auto" (CUDA if there is one), "cpu", "cuda", "cuda:1", "mps". A network fitted on a GPU can be
    pickled and predicts where there is none.
dtype : {"float32", "float64"}, default="float32"
    Precision of training. Predictions are computed in float64.
random_state : int, RandomState instance or None, default=None
    Seeds the initial weights, the order of mini-batches, the shifts of samples and the validation
    split. Same value, same result; the global generators of numpy and torch are not touched.
verbose : int, default=0
    Whether to print a line an epoch.
"""

CLASSES = """
classes_ : ndarray of shape (n_classes,)
    Labels, sorted.
"""

ATTRIBUTES = """
n_features_in_ : int
    Number of features.
feature_names_in_ : ndarray of shape (n_features_in_,)
    Names of the features, if X has string column names.
patch_indices_ : ndarray of shape (n_patches, patch_size)
    Connectivity: the features that each patch sees.
filter_groups_ : ndarray of shape (n_patches,)
    Sharing: patches of one group use the same filters.
filters_ : ndarray of shape {filters}
    Weights of the hidden layer. With several hidden layers this, ``patch_indices_`` and
    ``filter_groups_`` are lists of arrays, one for each layer; features of the map below are
    raveled as (channels, height, width).
module_ : torch.nn.Module
    The trained network.
net_ : skorch.NeuralNet
    A working skorch net around ``module_``.
loss_curve_ : list of float
    Mean training loss of every epoch, without the penalty.
validation_loss_curve_ : list of float
    Mean validation loss of every epoch; empty without validation samples.
n_iter_ : int
    Epochs trained.
n_train_ : int
    Samples trained on.
n_parameters_ : int
    Trained parameters.
fit_seconds_ : float
    Seconds of training; in a fleet, its share of those of the stack.
"""

BLOCKS = {
    "start": START,
    "shape": SHAPE,
    "local": LOCAL,
    "pooling": POOLING,
    "padding": PADDING,
    "groups": GROUPS,
    "network": NETWORK,
    "classifier_loss": CLASSIFIER_LOSS,
    "regressor_loss": REGRESSOR_LOSS,
    "training": TRAINING,
    "class_weight": CLASS_WEIGHT,
    "rest": REST,
    "classes": CLASSES,
    "attributes": ATTRIBUTES,
}


def document(**values):
    """Return a decorator that fills the blocks named ``<block>`` into a class's docstring.

    ``values`` are the few words in which the families differ, such as the shape of ``filters_``.
    """

    def fill(cls):
        for name, block in BLOCKS.items():
            for key, value in values.items():
                block = block.replace(f"{{{key}}}", str(value))
            indented = "\n    ".join(block.strip().splitlines())
            cls.__doc__ = cls.__doc__.replace(f"<{name}>", indented)
        return cls

    return fill
