"""Locally connected layers: convolutions whose positions have filters of their own."""

from sklcnn.nn.locally_connected.functional import connect_locally
from sklcnn.nn.locally_connected.layers import (
    LocallyConnected1d,
    LocallyConnected2d,
    LocallyConnected3d,
)
from sklcnn.nn.locally_connected.lazy import (
    LazyLocallyConnected1d,
    LazyLocallyConnected2d,
    LazyLocallyConnected3d,
)

__all__ = [
    "LocallyConnected1d",
    "LocallyConnected2d",
    "LocallyConnected3d",
    "LazyLocallyConnected1d",
    "LazyLocallyConnected2d",
    "LazyLocallyConnected3d",
    "connect_locally",
]
