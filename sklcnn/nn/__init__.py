"""Torch modules and losses, written for trailing axes: one net and many are the same code."""

from sklcnn.nn.activations import ACTIVATIONS, soft_threshold
from sklcnn.nn.deep import DeepNetwork
from sklcnn.nn.linear import (
    ConvolutionalLinearNetwork,
    DiagonalLinearNetwork,
    FullLinearNetwork,
)
from sklcnn.nn.locally_connected import (
    LazyLocallyConnected1d,
    LazyLocallyConnected2d,
    LazyLocallyConnected3d,
    LocallyConnected1d,
    LocallyConnected2d,
    LocallyConnected3d,
    connect_locally,
)
from sklcnn.nn.losses import LOSSES
from sklcnn.nn.networks import PatchNetwork

__all__ = [
    "ACTIVATIONS",
    "ConvolutionalLinearNetwork",
    "DeepNetwork",
    "DiagonalLinearNetwork",
    "FullLinearNetwork",
    "LOSSES",
    "LazyLocallyConnected1d",
    "LazyLocallyConnected2d",
    "LazyLocallyConnected3d",
    "LocallyConnected1d",
    "LocallyConnected2d",
    "LocallyConnected3d",
    "PatchNetwork",
    "connect_locally",
    "soft_threshold",
]
