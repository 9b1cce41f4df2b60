"""Spots of a fruit's skin: dark where sound skin is not, connected, each counted once, with the area that it has."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from grader.vision.skin_map.grid import DIRECTIONS, Floats
from grader.vision.skin_map.regions import Labels, Mask, around, connected, grown
from grader.vision.skin_map.sound import Soundness

Values = NDArray[np.float64]

_CONNECTED = 0.7
"""Cells that lack so much of what makes a spot connect its parts."""
_REACH = 2
"""Cells around a spot in which its edge fades."""
_TOP_SHARE = 1 / 6
"""Of a spot's cells, the darkest: they tell how dark it is in its middle."""
_EDGE = (0.35, 0.65)
"""From so much of its middle's darkness on a cell is part of a spot, and from so much on all of it: the edge of damage
is where it is half faded."""
_BLUR_MM = 0.15
"""What portraits and views laid over each other add to a spot's radius."""
_VEIL = 1.0
"""Of log blue that is too much: what lies thinly over skin (dust, bloom, a haze of gloss) adds white light, most to
blue and next to green, where skin has least of its own. It looks as if pigment were gone and red had been lost."""
_MOST_AT_RIM = 0.4
"""Share of a spot's cells that touch a hollow: the shade of its rim runs along it, damage runs away from it."""
_SMOOTH = np.array([0.25, 0.5, 0.25], np.float32)


class SkinSpotSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is a spot. darker_by: share of light that its darkest cell and the neighbours of that one lack.
    least_missing_mm2: area of a spot times the share of light that its middle lacks; less is noise, dust and lenticels.
    """

    darker_by: float = 0.11
    least_missing_mm2: float = 4.0


class Spots(NamedTuple):
    """n spots of one fruit, the largest first.

    area_mm2, length_mm: (n,). missing: (n,) share of light that its middle lacks. place: (n, 3) unit vectors in the
    frame of the map. labels: (N_LATITUDES, N_LONGITUDES) int32, number of the spot from 1 on, 0 outside of all.
    """

    area_mm2: Values
    length_mm: Values
    missing: Values
    place: Values
    labels: Labels


def spots_of(sound: Soundness, seen: Mask, cell_mm2: Floats, points_mm: Floats, settings: SkinSpotSettings) -> Spots:
    """seen: cells shown well. cell_mm2: areas. points_mm: (N_LATITUDES, N_LONGITUDES, 3) where cells lie."""
    judged = around(np.where(sound.judged, sound.missing, np.float32(0)), 1)
    smooth = cv2.sepFilter2D(judged, -1, _SMOOTH, _SMOOTH, borderType=cv2.BORDER_REPLICATE)[:, 1:-1]
    labels, n = connected((smooth > _CONNECTED * settings.darker_by) & sound.judged & seen)
    darkest = np.zeros(n, np.float32)
    np.maximum.at(darkest, labels.ravel(), smooth.ravel())
    labels = np.where((darkest > settings.darker_by)[labels], labels, 0)
    middle = _middles(labels, sound.missing, n)
    reach = np.where(sound.hollow, 0, _grown(labels))
    at = np.flatnonzero(reach)
    label = reach.ravel()[at]
    low, high = _EDGE
    depth = sound.missing.ravel()[at] / np.maximum(middle[label], 1e-6)
    part = np.clip((depth - low) / (high - low), 0.0, 1.0) * cell_mm2.ravel()[at]
    area = _sums(label, part, n)
    radius = np.maximum(np.sqrt(area / np.pi) - _BLUR_MM, 0.0)
    area = np.pi * radius * radius
    veil = _sums(label, part * sound.veil.ravel()[at], n) / np.maximum(_sums(label, part, n), 1e-9)
    is_spot = area * (middle - _VEIL * np.maximum(veil, 0.0)) >= settings.least_missing_mm2
    is_spot &= _share(labels, grown(sound.hollow), n) < _MOST_AT_RIM
    is_spot[0] = False
    order = np.flatnonzero(is_spot)[np.argsort(-area[is_spot], kind="stable")]
    number = np.zeros(n, np.int32)
    number[order] = np.arange(1, len(order) + 1)
    place, length = _places(label, part, DIRECTIONS.reshape(-1, 3)[at], points_mm.reshape(-1, 3)[at], n)
    return Spots(area[order], length[order], middle[order], place[order], number[labels])


def _share(labels: Labels, mask: Mask, n: int) -> Values:
    """(n,) share of each spot's cells that are in the mask."""
    return np.bincount(labels[mask], minlength=n) / np.maximum(np.bincount(labels.ravel(), minlength=n), 1)


def _middles(labels: Labels, missing: Floats, n: int) -> Values:
    """(n,) how much of the light the darkest cells of each spot lack; 0 for no spot."""
    at = np.flatnonzero(labels)
    label, depth = labels.ravel()[at], missing.ravel()[at]
    order = np.lexsort((-depth, label))
    label, depth = label[order], depth[order]
    cells = np.bincount(label, minlength=n)
    rank = np.arange(len(label)) - (np.cumsum(cells) - cells)[label]
    top = rank < np.maximum(np.ceil(cells * _TOP_SHARE), 1)[label]
    return _sums(label[top], depth[top], n) / np.maximum(np.bincount(label[top], minlength=n), 1)


def _grown(labels: Labels) -> Labels:
    """Every spot and the cells within its reach; cells of a spot stay its own."""
    side = 2 * _REACH + 1
    wide = around(labels.astype(np.float32), _REACH)
    nearest = cv2.dilate(wide, np.ones((side, side), np.uint8))[:, _REACH:-_REACH]
    return np.where(labels > 0, labels, nearest.astype(np.int32))


def _places(label: Labels, part: Values, towards: Floats, points_mm: Floats, n: int) -> tuple[Values, Values]:
    """Of n spots: unit vectors to their middles (n, 3), and their lengths in mm: an even ellipse is four standard
    deviations long."""
    whole = np.maximum(_sums(label, part, n), 1e-9)
    place = np.stack([_sums(label, part * towards[:, i], n) for i in range(3)], axis=1)
    place /= np.maximum(np.linalg.norm(place, axis=1, keepdims=True), 1e-9)
    mean = np.stack([_sums(label, part * points_mm[:, i], n) for i in range(3)], axis=1) / whole[:, None]
    off = points_mm - mean[label]
    spread = np.empty((n, 3, 3))
    for i in range(3):
        for j in range(i + 1):
            spread[:, i, j] = spread[:, j, i] = _sums(label, part * off[:, i] * off[:, j], n) / whole
    return place, 4.0 * np.sqrt(np.linalg.eigvalsh(spread)[:, -1])


def _sums(label: Labels, values: Values, n: int) -> Values:
    """(n,) of the values (m,) of each label; numpy makes those of nothing whole numbers."""
    return np.bincount(label, values, n).astype(np.float64, copy=False)
