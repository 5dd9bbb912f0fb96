"""Torch modules and losses, written for trailing axes: one net and many are the same code."""

from sklcnn.nn.activations import ACTIVATIONS, soft_threshold
from sklcnn.nn.deep import DeepNetwork
from sklcnn.nn.losses import LOSSES
from sklcnn.nn.networks import PatchNetwork

__all__ = ["ACTIVATIONS", "DeepNetwork", "LOSSES", "PatchNetwork", "soft_threshold"]
