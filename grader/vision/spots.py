"""Dark spots on the face of a fruit: the first measure of defects, blind to their names.

The red band is looked at: blush leaves it nearly alone, while bruises, scars, scab and rot darken it.
A spot is skin much darker than a smooth surface laid over its surroundings.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from grader.vision.face import FACING, LONGITUDE_DEG, N_COLUMNS, N_ROWS, SEEN

_KNOTS = 5


class SpotSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """darker_than: share of the surroundings' red light below which skin is a dark spot.
    least_share: how far below the bowl of light on the whole face a place's surroundings may lie.
    least_light: in deeper shadow (of full scale) nothing is said about the skin.
    least_cells: a smaller spot is a lenticel or noise (a cell is about 2.5 mm wide on a fruit of 80 mm)."""

    darker_than: float = 0.70
    least_share: float = 0.8
    least_light: float = 0.02
    least_cells: int = 3


class Spots(NamedTuple):
    """dark: (m, N_ROWS, N_COLUMNS) bool, without what is too small. passing: (m,) float32, the spots' share of a
    pass through the middle of the face. largest_cells: (m,) float32, cells of the largest spot."""

    dark: NDArray[np.bool_]
    passing: NDArray[np.float32]
    largest_cells: NDArray[np.float32]


def _passing_weight() -> NDArray[np.float32]:
    """(N_COLUMNS,) float32: a smooth window over the middle of the face whose mean over a whole turn is 1.

    A spot adds the window's height at its own longitude; over a whole turn it adds up to one spot, however many
    views show it.
    """
    window = np.maximum(np.cos(np.radians(LONGITUDE_DEG * 2)), 0)
    step_deg = LONGITUDE_DEG[1] - LONGITUDE_DEG[0]
    return np.asarray(window * 360.0 / (window.sum() * step_deg), np.float32)


_PASSING = _passing_weight()


def _hat_functions(n: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Means over `_KNOTS` overlapping stretches of n cells, and straight lines between them: (k, n) and (n, k)."""
    knots = (np.arange(_KNOTS) + 0.5) * n / _KNOTS - 0.5
    cells = np.arange(n)
    hat = np.maximum(1 - np.abs(cells[None, :] - knots[:, None]) * _KNOTS / n, 0)
    outer = np.where((cells < knots[0]) | (cells > knots[-1]))[0]
    lay = hat.copy()
    lay[0, outer[outer < knots[0]]] = 1.0
    lay[-1, outer[outer > knots[-1]]] = 1.0
    return (hat / hat.sum(axis=1, keepdims=True)).astype(np.float32), lay.T.astype(np.float32)


_GATHER, _LAY = _hat_functions(N_ROWS)
_MEANS = np.kron(_GATHER, _GATHER).T.copy()  # (cells, knots): local means of a face
_SURFACE = np.kron(_LAY, _LAY).T.copy()  # (knots, cells): straight lines between them


def _bowls() -> NDArray[np.float32]:
    """(knots, knots): projects local means onto the nearest surface of second degree: how light shades a ball."""
    y, x = (axis.ravel() for axis in np.mgrid[-1 : 1 : _KNOTS * 1j, -1 : 1 : _KNOTS * 1j])
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=1)
    return np.asarray(terms @ np.linalg.pinv(terms), np.float32).T.copy()


_BOWL = _bowls()


def _surroundings(red: NDArray[np.float32], least_share: float) -> NDArray[np.float32]:
    """A smooth surface through each face, (m, cells), from (m, cells) float32 light.

    No local mean may fall below a share of the bowl that shading makes of the whole face: a large spot does not take
    its own surroundings down with it. The bowl is laid twice, so that the spot does not take it down either.
    """
    means = red @ _MEANS
    for _ in range(2):
        means = np.maximum(means, (means @ _BOWL) * np.float32(least_share))
    return np.asarray(means @ _SURFACE)


_BALL = (FACING / FACING.mean()).reshape(-1)
_BALL_COUNTS = 4
"""Faces that the shading of a matt ball is worth: with few fruit in the frame it is the better guess."""


def _evened(red: NDArray[np.float32]) -> NDArray[np.float32]:
    """Faces (m, cells) with the light's own pattern taken out: what all fruit of the frame have in common.

    Light and camera stand still and fruit turn beneath them, so the mean of many faces shows the light and no spot.
    """
    level = red.mean(axis=1, keepdims=True)
    pattern = (red / np.maximum(level, np.float32(1e-6))).sum(axis=0) + _BALL_COUNTS * _BALL
    return np.asarray(red * ((len(red) + _BALL_COUNTS) / pattern))


def dark_spots(red: NDArray[np.float32], settings: SpotSettings) -> Spots:
    """Dark spots of faces. red: (m, N_ROWS, N_COLUMNS) float32 linear light."""
    m = len(red)
    largest, passing = np.zeros(m, np.float32), np.zeros(m, np.float32)
    even = _evened(red.reshape(m, -1))
    surroundings = _surroundings(even, settings.least_share)
    lit = surroundings >= settings.least_light
    surroundings *= np.float32(settings.darker_than)
    dark = ((even < surroundings) & lit).reshape(red.shape)
    dark &= SEEN
    dark[:, -1] = False  # keeps fruit apart in the mosaic below
    n_dark = np.count_nonzero(dark.reshape(m, -1), axis=1)
    some = np.flatnonzero(n_dark >= settings.least_cells)
    spotted = dark[some]
    if len(some):
        mosaic = spotted.reshape(-1, N_COLUMNS).view(np.uint8)
        _, labels, stats, middles = cv2.connectedComponentsWithStats(mosaic, connectivity=8, ltype=cv2.CV_16U)
        cells = stats[:, cv2.CC_STAT_AREA]
        big = cells >= settings.least_cells
        big[0] = False
        spotted &= big[labels].reshape(spotted.shape)
        owner = some[stats[big, cv2.CC_STAT_TOP] // N_ROWS]
        np.maximum.at(largest, owner, cells[big].astype(np.float32))
        np.add.at(passing, owner, _PASSING[np.rint(middles[big, 0]).astype(np.int64)])
    dark[:] = False
    dark[some] = spotted
    return Spots(dark, passing, largest)
