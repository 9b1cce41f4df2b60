"""How striped a skin is: what runs from stem to calyx and varies around the fruit.

Red pigment takes green light, so stripes are steps in its logarithm. Along a circle of latitude about the stem-calyx
axis they stand beside skin that mottling, pores and noise make uneven as well; but only stripes are the same on
circles far apart. So circles are multiplied with each other: what they have in common is left, the rest averages out.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from grader.vision.light import DARK
from grader.vision.skin_map.blend import Blend
from grader.vision.skin_map.grid import N_LATITUDES, N_LONGITUDES, Floats, Values

_CIRCLES, _AROUND = 14, 120
_TO_DEG = 50.0
"""Latitudes about the axis: beyond are the shoulders, and the rims of hollows."""
_APART = 5
"""Circles of which one is so far from the other, 38 degrees and more, have no mottle in common."""
_STEP_WIDE = 13
"""Places around, 39 degrees: what changes more slowly is a cheek and no stripe."""
_LEAST_WEIGHT, _WHOLLY, _LEAST_PAIRS = 0.3, 0.99, 10
_NORMAL = 1.4826
"""Standard deviation over median of the absolute value, of a normal distribution. Medians leave out the two edges of a
cheek, which run from stem to calyx, too."""


def stripe_contrast(skin: Blend, axis: Values) -> float:
    """Standard deviation of log green light around the fruit, of what is common to all latitudes; NaN where too little
    was seen. axis: (3,) in the frame of the map, either end."""
    cells = np.empty((*skin.weight.shape, 2), np.float32)
    np.greater(skin.weight, _LEAST_WEIGHT, out=cells[..., 0], casting="unsafe")
    np.log(skin.light[..., 1] + DARK, out=cells[..., 1])
    known, green = np.moveaxis(_about(axis, cells), -1, 0)
    known = (known > _WHOLLY).astype(np.float32)
    green = green * known
    uneven = (green - _slow(green) / np.maximum(_slow(known), 1e-6)) * known
    pairs, common = (np.einsum("ca,ca->a", each, _FAR @ each) for each in (known, uneven))
    told = pairs >= _LEAST_PAIRS
    if np.count_nonzero(told) < _AROUND // 2:
        return float("nan")
    return float(_NORMAL * np.sqrt(max(float(np.median(common[told] / pairs[told])), 0.0)))


def _far() -> Floats:
    """(_CIRCLES, _CIRCLES) 1 for pairs of circles that are far enough apart."""
    circle = np.arange(_CIRCLES)
    return np.asarray(np.abs(circle[:, None] - circle) >= _APART, np.float32)


_FAR = _far()


def _circles() -> Floats:
    """(_CIRCLES * _AROUND, 3) unit vectors, about z."""
    latitude = np.radians(np.linspace(-_TO_DEG, _TO_DEG, _CIRCLES))[:, None]
    longitude = np.arange(_AROUND) * (2.0 * np.pi / _AROUND)
    up = np.broadcast_to(np.sin(latitude), (_CIRCLES, _AROUND))
    around = [np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude), up]
    return np.stack(around, axis=-1).reshape(-1, 3).astype(np.float32)


_CIRCLE = _circles()


def _about(axis: Values, cells: Floats) -> Floats:
    """(_CIRCLES, _AROUND, n): values (N_LATITUDES, N_LONGITUDES, n) of a map, along circles about another axis."""
    one = np.cross(axis, np.eye(3)[np.argmin(np.abs(axis))])
    one /= np.linalg.norm(one)
    x, y, z = (_CIRCLE @ np.stack([one, np.cross(axis, one), axis]).astype(np.float32)).T
    column = np.arctan2(x, z) * np.float32(N_LONGITUDES / (2.0 * np.pi)) % np.float32(N_LONGITUDES) + np.float32(0.5)
    row = (y + 1) * np.float32(N_LATITUDES / 2) - np.float32(0.5)
    wide = np.concatenate([cells[:, -1:], cells, cells[:, :1]], axis=1)
    found = cv2.remap(wide, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(found, np.float32).reshape(_CIRCLES, _AROUND, -1)


def _slow(values: NDArray[np.float32]) -> Floats:
    """Mean of so many neighbours around."""
    half = _STEP_WIDE // 2
    wide = np.concatenate([values[:, -half:], values, values[:, :half]], axis=1)
    return np.asarray(cv2.blur(wide, (_STEP_WIDE, 1))[:, half:-half], np.float32)
