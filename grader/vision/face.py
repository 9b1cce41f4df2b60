"""The face that a fruit shows to the camera, sampled on a grid over its skin.

Rows are circles of latitude about the turning axis, spread so that each stands for the same area of a
sphere; columns are longitudes. While a fruit turns, every longitude passes the middle; so the mean over
views of each row's share is the share of the whole belt of skin; `skin_weights` adds what no row shows.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from grader.vision.geometry import Floats
from grader.vision.rays import N_RAYS

N_ROWS = 24
N_COLUMNS = 24
SEEN_DEG = 65.0
"""Skin counts as seen at this angle from its normal, or less (recording format, words of measurement)."""

_SINE = np.sin(np.radians(SEEN_DEG))
_ROW_SINE = ((np.arange(N_ROWS) + 0.5) / N_ROWS * 2 - 1) * _SINE  # sine of latitude: equal steps, equal areas
_LATITUDE = np.arcsin(_ROW_SINE)
_LONGITUDE = np.radians(((np.arange(N_COLUMNS) + 0.5) / N_COLUMNS * 2 - 1) * SEEN_DEG)
_X = np.cos(_LATITUDE)[:, None] * np.sin(_LONGITUDE)
_Y = np.broadcast_to(_ROW_SINE[:, None], _X.shape)
FACING = (np.cos(_LATITUDE)[:, None] * np.cos(_LONGITUDE)).astype(np.float32)
"""(N_ROWS, N_COLUMNS) float32: cosine between skin and line of sight."""
SEEN = FACING >= np.cos(np.radians(SEEN_DEG))
"""(N_ROWS, N_COLUMNS) bool: grid points seen well enough to count."""
LONGITUDE_DEG = np.degrees(_LONGITUDE).astype(np.float32)
CELL_SHARE = float((2 * SEEN_DEG / 360.0) * _SINE / (N_ROWS * N_COLUMNS))
"""Area of one grid cell as a share of the whole sphere."""

_UNIT_X = _X.astype(np.float32).reshape(-1)
_UNIT_Y = _Y.astype(np.float32).reshape(-1)
_RAY = np.rint(np.arctan2(_UNIT_Y, _UNIT_X) * (N_RAYS / (2 * np.pi))).astype(np.int64) % N_RAYS


_BANDS = 20
_LEAST_CELLS = 2.0
"""Bands of latitude that the sphere is divided into, each of the same area, and cells in which one is seen."""


def skin_weights(sight_deg: float) -> NDArray[np.float32]:
    """How much of a turning fruit's skin each cell speaks for, (N_ROWS * N_COLUMNS,), together 1.

    sight_deg: latitude about the turning axis (y, down the picture) of the point that faces the lens: 0 below the lens.
    While a fruit turns, every cell sweeps a circle of latitude. The cells of a band of circles share the band's area,
    those that face the lens more squarely have more of it; a band that is not seen is taken to be like the nearest one.
    """
    sight = np.radians(sight_deg)
    latitude_sine = _Y * np.cos(sight) + FACING * np.sin(sight)
    band = np.clip(((latitude_sine + 1) / 2 * _BANDS).astype(np.int64), 0, _BANDS - 1).ravel()
    square = (np.cos(_LONGITUDE) * SEEN).ravel()
    of_band = np.bincount(band, square, _BANDS)
    seen = np.flatnonzero(of_band >= _LEAST_CELLS)
    nearest = seen[np.abs(np.arange(_BANDS)[:, None] - seen).argmin(axis=1)]
    area = np.bincount(nearest, minlength=_BANDS) / _BANDS
    return np.asarray(square * (area / np.maximum(of_band, _LEAST_CELLS))[band], np.float32)


class FaceSampler:
    """Takes colours on the grid of every outlined fruit. Buffers are made once.

    nearness: radius of a usual fruit over its distance from the lens; 0 for a telecentric one. The middle of a face is
    nearer to the lens than its outline and looks larger.
    """

    def __init__(self, most_cups: int, nearness: float = 0.0) -> None:
        larger = np.sqrt(1.0 - nearness**2) / (1.0 - nearness * FACING.reshape(-1))
        self._unit_x, self._unit_y = ((unit * larger).astype(np.float32) for unit in (_UNIT_X, _UNIT_Y))
        shape = (most_cups, N_ROWS * N_COLUMNS)
        self._x = np.empty(shape, np.float32)
        self._y = np.empty(shape, np.float32)
        self._radius = np.empty(shape, np.float32)
        self._colours = np.empty((*shape, 3), np.uint8)

    def sample(self, picture: NDArray[np.uint8], centre: Floats, radius_px: Floats) -> NDArray[np.uint8]:
        """(m, N_ROWS * N_COLUMNS, 3) uint8, a row per fruit; a view valid until the next call.

        centre: (2, m), radius_px: (m, N_RAYS), as of `Outlines`. The grid is laid into the outline along its rays:
        where a body is no sphere, its grid bulges with it.
        """
        m = len(radius_px)
        x, y, radius, colours = self._x[:m], self._y[:m], self._radius[:m], self._colours[:m]
        np.take(radius_px, _RAY, axis=1, out=radius, mode="clip")
        np.multiply(radius, self._unit_x, out=x)
        np.multiply(radius, self._unit_y, out=y)
        x += centre[0][:, None]
        y += centre[1][:, None]
        cv2.remap(picture, x, y, cv2.INTER_NEAREST, dst=colours, borderMode=cv2.BORDER_REPLICATE)
        return colours
