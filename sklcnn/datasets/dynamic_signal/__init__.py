"""The Dynamic Signal Distribution, its extensions, and their Bayes rules."""

from sklcnn.datasets.dynamic_signal.generators import make_dsd, make_ssd
from sklcnn.datasets.dynamic_signal.law import DynamicSignal

__all__ = ["DynamicSignal", "make_dsd", "make_ssd"]
