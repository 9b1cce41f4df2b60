"""What is left of a fruit's turn when its mean is taken off: it slips on its rollers.

All views are laid onto one map as if the fruit had turned evenly; a view that had turned further shows the map's marks
moved along the girth. How far is read off where the map is steep, by least squares, without the view's own share of the
map (the method of B. D. Lucas and T. Kanade, 1981, in one dimension).
"""

from __future__ import annotations

import numpy as np

from grader.domain.skin import Portraits
from grader.vision.light import log_light
from grader.vision.portrait import sampled
from grader.vision.skin_map.grid import LONGITUDE_STEP_RAD, Floats, Spheroid, Values
from grader.vision.skin_map.placing import placed

_ROUNDS = 1
_EVERY = 4
"""Every so manieth row is enough."""
_LEAST_FACING = np.float32(0.42)
"""Cosine of 65 degrees: skin that is seen more aslant does not count."""
_LEAST_OVERLAP, _LEAST_OTHERS = 0.25, np.float32(0.3)
"""A cell's weight from which the slope beside it is believed; share of a cell that other views have to have shown."""
_FAR_OFF, _STEEP_PER_RAD = np.float32(0.3), np.float32(3.0)
"""Marks that are so far off the map, or where it is so steep, count half: stalks and gloss move otherwise than skin,
and an edge that is narrower than a cell says less than it seems to."""
_CALM = 0.5
"""Marks, in steepness squared, that a view must have before its slip is believed by half."""


def slips(portraits: Portraits, body: Spheroid, turned_rad: Values, sight: Values, nearness: float = 0.0) -> Values:
    """(v,) rad to be added to turned_rad; their mean is 0. sight, nearness: see `placing.placed`."""
    slip = np.zeros(len(turned_rad))
    for _ in range(_ROUNDS):
        slip += _further(portraits, body, turned_rad + slip, sight, nearness)
        slip -= slip.mean()
    return slip


def _further(portraits: Portraits, body: Spheroid, turned_rad: Values, sight: Values, nearness: float) -> Values:
    at = placed(body, turned_rad, sight, portraits.centre_px, portraits.radius_px, nearness=nearness, every=_EVERY)
    logs = log_light(sampled(portraits, at.x_px, at.y_px)).reshape(*at.facing.shape, 3)
    layers = np.empty((5, *at.facing.shape), np.float32)
    weight, marks = layers[0], layers[3:]
    np.maximum(at.facing - _LEAST_FACING, 0, out=weight)
    weight *= 1 + weight
    np.subtract(logs[..., 2], logs[..., 1], out=marks[0])  # colour
    np.add(logs[..., 2], logs[..., 1], out=marks[1])  # brightness
    marks[1] *= 0.5
    np.multiply(weight, marks, out=layers[1:3])
    total, *summed = at.summed(layers[:3])
    means = np.stack(summed) / np.maximum(total, 1e-6)
    of_cell, *of_means, steep_colour, steep_light = at.cut(np.stack([total, *means, *_steepness(means, total)]))
    others = 1 - weight / np.maximum(of_cell, 1e-6)  # share of a cell that other views have shown
    judged = weight * (others > _LEAST_OTHERS)
    np.maximum(others, _LEAST_OTHERS, out=others)
    per_view = np.maximum(weight.sum(axis=(1, 2)), 1e-6)
    pull, hold = np.zeros(len(weight)), np.full(len(weight), _CALM)
    for mark, mean, steep in zip(marks, of_means, (steep_colour, steep_light), strict=True):  # two
        off = (mark - mean) / others
        off -= (np.einsum("vrc,vrc->v", weight, off) / per_view)[:, None, None]  # exposure of the whole view
        push = judged * steep / (1 + np.square(off * (1 / _FAR_OFF)) + np.square(steep * (1 / _STEEP_PER_RAD)))
        pull += np.einsum("vrc,vrc->v", push, off)
        hold += np.einsum("vrc,vrc->v", push, steep)
    return np.asarray(-pull / hold)


def _steepness(means: Floats, total: Floats) -> Floats:
    """Of maps (k, rows, N_LONGITUDES) along longitude, per rad; 0 where a neighbour is not known."""
    known = total > _LEAST_OVERLAP
    known = known & np.roll(known, 1, axis=1) & np.roll(known, -1, axis=1)
    steep = np.roll(means, -1, axis=2) - np.roll(means, 1, axis=2)
    return np.asarray(steep * (known * np.float32(0.5 / LONGITUDE_STEP_RAD)))
