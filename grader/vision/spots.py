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
    least_share: how far below the fruit's usual light its surroundings may be taken to lie.
    least_cells: a smaller spot is a lenticel or noise (a cell is about 2.5 mm wide on a fruit of 80 mm)."""

    darker_than: float = 0.70
    least_share: float = 0.75
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
    return (window * 360.0 / (window.sum() * (LONGITUDE_DEG[1] - LONGITUDE_DEG[0]))).astype(np.float32)


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
_SHADING = (FACING.reshape(-1) @ _MEANS).astype(np.float32)  # (knots,): how a matt ball darkens to its limb


def _surroundings(red: NDArray[np.float32], least_share: float) -> NDArray[np.float32]:
    """A smooth surface through each face, (m, cells), from (m, cells) float32 light.

    No local mean may fall below a share of what the fruit's own median and the shading of a ball lead to
    expect there: a large spot does not take its own surroundings down with it.
    """
    means = red @ _MEANS
    expected = np.median(means / _SHADING, axis=1, keepdims=True) * _SHADING
    return np.asarray(np.maximum(means, expected * np.float32(least_share)) @ _SURFACE)


def dark_spots(red: NDArray[np.float32], settings: SpotSettings) -> Spots:
    """Dark spots of faces. red: (m, N_ROWS, N_COLUMNS) float32 linear light."""
    m = len(red)
    largest, passing = np.zeros(m, np.float32), np.zeros(m, np.float32)
    surroundings = _surroundings(red.reshape(m, -1), settings.least_share)
    surroundings *= np.float32(settings.darker_than)
    dark = red < surroundings.reshape(red.shape)
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
