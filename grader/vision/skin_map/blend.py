"""All views of a fruit on one map: each spot of skin once, at its best."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from grader.domain.skin import Portraits
from grader.vision.face import SEEN_DEG
from grader.vision.portrait import sampled
from grader.vision.skin_map.grid import Floats
from grader.vision.skin_map.light import DARK, log_light
from grader.vision.skin_map.placing import Placed

_LEAST_FACING = 0.31
"""Cosine of 72 degrees: beyond, a portrait has hardly a pixel for a cell."""
_SEEN_FACING = float(np.cos(np.radians(SEEN_DEG)))
_GLOSS = 0.6
"""A view whose blue is so far above that of all views, in log light, counts half: a mirrored lamp is white, and skin
reflects least in the blue."""


class Blend(NamedTuple):
    """A value per cell, (N_LATITUDES, N_LONGITUDES).

    light: (..., 3) float32 linear blue, green, red, 0 where nothing was seen; shading is in it. weight: how much was
    seen of the cell, 1 for one view of it straight on. seen: bool, shown in a view at SEEN_DEG or less.
    """

    light: Floats
    weight: Floats
    seen: NDArray[np.bool_]


def blended(portraits: Portraits, at: Placed) -> Blend:
    """Geometric mean of the views of each cell, those that look at it straight count most.

    Light that passes through pigment is weakened by factors, so the mean of its logarithm is that of pigment.
    """
    facing = at.facing
    logs = log_light(sampled(portraits, at.x_px, at.y_px)).reshape(*facing.shape, 3)
    blue = logs[..., 0]
    layers = np.empty((4, *facing.shape), np.float32)
    weight, of_blue, shown = layers[:3]
    np.multiply(facing, facing > _LEAST_FACING, out=weight)
    np.multiply(weight, weight, out=weight)
    np.multiply(weight, blue, out=of_blue)
    np.greater_equal(facing, _SEEN_FACING, out=shown, casting="unsafe")
    total, of_blue, seen = at.summed(layers[:3])
    above = blue - at.cut((of_blue / np.maximum(total, 1e-6))[None])[0]
    np.maximum(above, 0, out=above)
    above *= np.float32(1.0 / _GLOSS)
    matt = np.divide(weight, 1 + above * above, out=layers[3])
    for band in range(3):
        np.multiply(logs[..., band], matt, out=layers[band])
    *bands, counted = at.summed(layers)
    light = np.exp(np.stack(bands, axis=-1) / np.maximum(counted, 1e-6)[..., None]) - DARK
    light[total <= 0] = 0
    return Blend(light, total, seen > 0)
