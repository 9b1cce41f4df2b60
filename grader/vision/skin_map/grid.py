"""The cells of a skin map, and the body that they lie on.

Rows are circles of latitude about the turning axis (y), columns longitudes from z on towards x. All cells take the same
area of a sphere; on a body each has its own. The frame is that of the world at the middle of the fruit's views and
turns with the fruit.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Values = NDArray[np.float64]

N_LATITUDES, N_LONGITUDES = 44, 120
N_CELLS = N_LATITUDES * N_LONGITUDES
LONGITUDE_STEP_RAD = 2.0 * np.pi / N_LONGITUDES

SINE = (((np.arange(N_LATITUDES) + 0.5) / N_LATITUDES) * 2.0 - 1.0).astype(np.float32)
"""(N_LATITUDES,) of the latitude of every row: equal steps, equal areas."""
COSINE = np.sqrt(1.0 - SINE**2)
LONGITUDE_RAD = ((np.arange(N_LONGITUDES) + 0.5) * LONGITUDE_STEP_RAD).astype(np.float32)


def _directions() -> Floats:
    around = np.broadcast_to(LONGITUDE_RAD, (N_LATITUDES, N_LONGITUDES))
    along_y = np.broadcast_to(SINE[:, None], around.shape)
    out = COSINE[:, None]
    return np.stack([out * np.sin(around), along_y, out * np.cos(around)], axis=-1)


DIRECTIONS = _directions()
"""(N_LATITUDES, N_LONGITUDES, 3) unit vectors."""


class Spheroid(NamedTuple):
    """A fruit's body, but for its size: a sphere, stretched `ratio` times along its stem-calyx axis, (3,) unit vector.

    A cell is where the sphere's point of the same direction went.
    """

    axis: Values
    ratio: float

    def stretch(self) -> Values:
        """(3, 3) from the sphere to the body."""
        return np.asarray(np.eye(3) + (self.ratio - 1.0) * np.outer(self.axis, self.axis))

    def normals(self) -> Values:
        """(3, 3): takes a direction to the normal of its cell, whose length goes with the cell's area."""
        return np.asarray(np.eye(3) + (1.0 / self.ratio - 1.0) * np.outer(self.axis, self.axis))


def cell_areas(body: Spheroid) -> Floats:
    """(N_LATITUDES, N_LONGITUDES): area of every cell of a body whose equator has the radius 1."""
    along = DIRECTIONS @ body.axis.astype(np.float32)
    grown = np.sqrt(1 + np.float32(1.0 / body.ratio**2 - 1.0) * along * along)
    return np.asarray(grown * np.float32(body.ratio * 4.0 * np.pi / N_CELLS), np.float32)
