"""Fully connected, locally connected and convolutional networks as scikit-learn estimators."""

from sklcnn.estimators.classifiers import CNNClassifier, FCNClassifier, LCNClassifier
from sklcnn.estimators.linear import LinearNetworkClassifier
from sklcnn.estimators.matching import match_parameters
from sklcnn.estimators.presets import dsd_network
from sklcnn.estimators.regressors import CNNRegressor, FCNRegressor, LCNRegressor

__all__ = [
    "CNNClassifier",
    "CNNRegressor",
    "FCNClassifier",
    "FCNRegressor",
    "LCNClassifier",
    "LCNRegressor",
    "LinearNetworkClassifier",
    "dsd_network",
    "match_parameters",
]
