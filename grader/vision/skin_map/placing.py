"""Where in its portraits the cells of a fruit's skin are."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from grader.vision.rays import N_RAYS, RAYS
from grader.vision.skin_map.grid import COSINE, LONGITUDE_STEP_RAD, N_LONGITUDES, SINE, Floats, Spheroid, Values

WINDOW = 34
"""Columns around its own middle that a view is asked for: 51 degrees either way. Beyond, other views see better."""
_BESIDE = np.arange(WINDOW) - WINDOW // 2
BESIDE = np.sin(_BESIDE * LONGITUDE_STEP_RAD).astype(np.float32)
"""(WINDOW,) sine of the longitude from the view's middle."""


class Placed(NamedTuple):
    """Cells of each of v views: those of every row within half a WINDOW of the view's middle.

    x_px, y_px: (v, rows, WINDOW) float32 in the view's portrait. facing: the same shape, cosine between the skin and
    the line of sight, below 0 where it is turned away. first: (v,) the map's column in which each window begins; it
    goes on around the map.
    """

    x_px: Floats
    y_px: Floats
    facing: Floats
    first: NDArray[np.int64]

    def summed(self, values: Floats) -> Floats:
        """Onto the map: (k, v, rows, WINDOW) -> (k, rows, N_LONGITUDES), what falls on one cell added up."""
        kinds, views, rows, window = values.shape
        onto = np.zeros((kinds, rows, N_LONGITUDES + window), np.float32)
        for view in range(views):  # a loop over views: 5 times as fast as sums by cell
            first = self.first[view]
            onto[:, :, first : first + window] += values[:, view]
        onto[:, :, :window] += onto[:, :, N_LONGITUDES:]
        return onto[:, :, :N_LONGITUDES]

    def cut(self, layers: Floats) -> Floats:
        """From the map: (k, rows, N_LONGITUDES) -> (k, v, rows, WINDOW), what each view sees of it."""
        columns = (self.first[:, None] + np.arange(WINDOW)) % N_LONGITUDES
        return np.asarray(layers.take(columns, axis=2).transpose(0, 2, 1, 3))


def sights(along_mm: Values, aside_mm: Values, lens_above_mm: float | None) -> Values:
    """(v, 3, 3): in the world, what is rightwards and downwards in a view, and towards the lens.

    along_mm, aside_mm: (v,) where the fruit is, as in `ViewFeatures`.
    """
    up = np.full_like(along_mm, 1.0 if lens_above_mm is None else lens_above_mm)
    level = 0.0 if lens_above_mm is None else 1.0
    towards = np.stack([-level * along_mm, -level * aside_mm, up], axis=-1)
    towards /= np.linalg.norm(towards, axis=-1, keepdims=True)
    right = np.stack([towards[:, 2], np.zeros_like(up), -towards[:, 0]], axis=-1)
    right /= np.linalg.norm(right, axis=-1, keepdims=True)
    return np.stack([right, np.cross(towards, right), towards], axis=1)


def turns(turned_rad: Values) -> Values:
    """(v, 3, 3): from the frame that turns with a fruit to the world."""
    c, s, zero = np.cos(turned_rad), np.sin(turned_rad), np.zeros_like(turned_rad)
    return np.stack([c, zero, s, zero, zero + 1.0, zero, -s, zero, c], axis=-1).reshape(-1, 3, 3)


def placed(
    body: Spheroid,
    turned_rad: Values,
    sight: Values,
    centre_px: Floats,
    radius_px: Floats,
    *,
    nearness: float = 0.0,
    every: int = 1,
) -> Placed:
    """The cells of every `every`-th row in v views of one fruit.

    turned_rad: (v,) how far it has turned in each. sight: as `sights` gives it. centre_px (v, 2) and radius_px
    (v, N_RAYS): its outlines. Each outline says how large the body looks there and where its middle is. nearness: the
    body's radius over its distance from the lens; 0 for a telecentric one. What is nearer to the lens looks larger, and
    the outline is no longer that of the body's widest part but of what lies behind no other part.
    """
    seen = sight @ turns(turned_rad)
    flat: Values = (seen @ body.stretch())[:, :2]
    scale, off = _fitted(flat, radius_px)
    scale *= np.sqrt(1.0 - nearness * nearness)
    onto = (flat * scale[:, None, None]).astype(np.float32)
    facing = (seen[:, 2] @ body.normals()).astype(np.float32)
    middle = centre_px + off.astype(np.float32)

    ahead = np.arctan2(seen[:, 2, 0], seen[:, 2, 2])  # longitude of what faces the lens
    column = np.rint(ahead / LONGITUDE_STEP_RAD - 0.5).astype(np.int64)[:, None] + _BESIDE
    longitude = ((column + 0.5) * LONGITUDE_STEP_RAD).astype(np.float32)
    around = np.stack([np.sin(longitude), np.cos(longitude)])
    sine, cosine = SINE[::every, None], COSINE[::every, None]

    def on_cells(parts: Floats) -> Floats:
        ring = parts[:, 0, None] * around[0] + parts[:, 2, None] * around[1]
        return np.asarray(ring[:, None, :] * cosine + (parts[:, 1, None] * sine.T)[:, :, None])

    x, y, normal = on_cells(onto[:, 0]), on_cells(onto[:, 1]), on_cells(facing)
    axis = body.axis.astype(np.float32)
    along = on_cells(np.broadcast_to(axis, facing.shape))
    normal /= np.sqrt(1.0 + np.float32(1.0 / body.ratio**2 - 1.0) * along * along)
    if nearness > 0.0:  # a body that is nearly round lies as far before its middle as it faces the lens
        larger = 1 / (1 - np.float32(nearness) * normal)
        x *= larger
        y *= larger
        normal -= np.float32(nearness)
        normal *= larger
    x += middle[:, 0, None, None]
    y += middle[:, 1, None, None]
    return Placed(x, y, normal, column[:, 0] % N_LONGITUDES)


def _fitted(flat: Values, radius_px: Floats) -> tuple[Values, Values]:
    """How much larger than the body of radius 1 each outline is, (v,), and where that one's middle lies from the
    outline's centre, (v, 2).

    flat: (v, 2, 3), from the sphere to the picture: a sphere's picture is an ellipse, whose matrix is flat flat^T.
    """
    inverse = np.linalg.inv(flat @ flat.transpose(0, 2, 1))
    radius = 1.0 / np.sqrt(np.einsum("ir,vij,jr->vr", RAYS, inverse, RAYS))
    scale = np.einsum("vr,vr->v", radius_px, radius) / np.einsum("vr,vr->v", radius, radius)
    off = (radius_px - scale[:, None] * radius) @ RAYS.T * (2.0 / N_RAYS)
    return scale, off
