"""All views of a fruit on one map: each spot of skin once, at its best, as if the light fell on it straight."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from grader.domain.skin import Portraits
from grader.vision.face import SEEN_DEG
from grader.vision.light import DARK, log_light
from grader.vision.portrait import sampled
from grader.vision.skin_map.grid import Floats
from grader.vision.skin_map.placing import BESIDE, Placed

_LEAST_FACING = 0.31
"""Cosine of 72 degrees: beyond, a portrait has hardly a pixel for a cell."""
_SEEN_FACING = float(np.cos(np.radians(SEEN_DEG)))
_STRANGE = 0.3
"""A view whose blue and red together are so far from those of all views, in log light, counts half: a mirrored lamp is
white, and skin reflects least in the blue; a stalk that hides skin is dark."""
_USUAL_SHADE, _SHADE_DOUBT = 0.7, 5.0
"""Of log light that skin lacks edge on, of what lies straight before the lens, on usual lines; and how much of the
fruit's own showing that is worth."""


class Blend(NamedTuple):
    """A value per cell, (N_LATITUDES, N_LONGITUDES).

    light: (..., 3) float32 linear blue, green, red, as of skin that faces the lens; 0 where nothing was seen. weight:
    how much was seen of the cell, 1 for one view of it straight on. aslant: mean of 1 less the cosine at which it was
    seen. seen: bool, shown in a view at SEEN_DEG or less.
    """

    light: Floats
    weight: Floats
    aslant: Floats
    seen: NDArray[np.bool_]


def blended(portraits: Portraits, at: Placed) -> Blend:
    """Geometric mean of the views of each cell, those that look at it straight count most.

    Light that passes through pigment is weakened by factors, so the mean of its logarithm is that of pigment. What the
    body's shape takes from the light is taken out: the same cell is seen straight on and aslant, and so the fruit
    itself shows how its light falls off towards the limb. Its logarithm does so in a straight line with the cosine.
    """
    facing = at.facing
    logs = log_light(sampled(portraits, at.x_px, at.y_px)).reshape(*facing.shape, 3)
    light = logs[..., 0] + logs[..., 2]
    layers = np.empty((6, *facing.shape), np.float32)
    weight, of_light, shown = layers[:3]
    np.multiply(facing, facing > _LEAST_FACING, out=weight)
    np.multiply(weight, weight, out=weight)
    np.multiply(weight, light, out=of_light)
    np.greater_equal(facing, _SEEN_FACING, out=shown, casting="unsafe")
    total, of_light, seen = at.summed(layers[:3])
    light -= at.cut((of_light / np.maximum(total, 1e-6))[None])[0]
    light *= np.float32(1.0 / _STRANGE)
    matt = np.divide(weight, 1 + light * light, out=layers[3])
    aslant, beside = 1 - facing, np.broadcast_to(BESIDE, facing.shape)
    np.multiply(matt, aslant, out=layers[4])
    np.multiply(matt, beside, out=layers[5])
    for band in range(3):
        np.multiply(logs[..., band], matt, out=layers[band])
    *bands, counted, of_aslant, of_beside = at.summed(layers)
    np.maximum(counted, 1e-6, out=counted)
    of_aslant /= counted
    of_beside /= counted
    # By least squares within cells: what is common to all views of a cell says nothing of the light.
    pull = [
        np.vdot(layers[2], term) - np.vdot(bands[2], of_term)
        for term, of_term in ((aslant, of_aslant), (beside, of_beside))
    ]
    across = np.vdot(layers[4], beside) - np.vdot(counted * of_aslant, of_beside)
    hold = [
        np.vdot(layers[4], aslant) - np.vdot(counted * of_aslant, of_aslant) + _SHADE_DOUBT,
        np.vdot(layers[5], beside) - np.vdot(counted * of_beside, of_beside) + _SHADE_DOUBT,
    ]
    usual = np.array([pull[0] - _USUAL_SHADE * _SHADE_DOUBT, pull[1]])
    shade, slope = np.linalg.solve([[hold[0], across], [across, hold[1]]], usual).astype(np.float32)
    of_cell = np.stack(bands, axis=-1)
    of_cell /= counted[..., None]
    of_cell -= (shade * of_aslant + slope * of_beside)[..., None]
    np.exp(of_cell, out=of_cell)
    of_cell -= DARK
    of_cell[total <= 0] = 0
    return Blend(of_cell, total, of_aslant, seen > 0)
