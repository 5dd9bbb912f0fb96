"""Fully connected, locally connected and convolutional networks as scikit-learn estimators."""

from sklcnn.estimators.classifiers import CNNClassifier, FCNClassifier, LCNClassifier
from sklcnn.estimators.regressors import CNNRegressor, FCNRegressor, LCNRegressor

__all__ = [
    "CNNClassifier",
    "CNNRegressor",
    "FCNClassifier",
    "FCNRegressor",
    "LCNClassifier",
    "LCNRegressor",
]
