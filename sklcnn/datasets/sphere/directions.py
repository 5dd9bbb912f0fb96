"""Uniform directions and radii: what spheres and balls are made of."""

import numpy as np

from sklcnn.datasets.base import stream

__all__ = ["draw_ball", "draw_directions"]


def draw_directions(rng, *shape):
    """Draw points of the unit sphere, uniformly; the last axis holds a point."""
    points = rng.standard_normal(shape)
    return points / np.linalg.norm(points, axis=-1, keepdims=True)


def draw_ball(n_samples, dimension, entropy):
    """Draw points of the unit ball, uniformly, of shape (n_samples, dimension)."""
    directions = draw_directions(stream(entropy, "input"), n_samples, dimension)
    radii = stream(entropy, "radius").random(n_samples) ** (1 / dimension)
    return directions * radii[:, np.newaxis]
