"""Lengths of an outline in millimetres."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from grader.domain.installation import CameraPlace
from grader.vision.geometry import obliquity
from grader.vision.outline import RAYS, Outlines

N_CALLIPERS = 16
_HALF_TURN = np.arange(N_CALLIPERS) * (np.pi / N_CALLIPERS)
_DIRECTIONS = np.stack([np.cos(_HALF_TURN), np.sin(_HALF_TURN)]).astype(np.float32)  # (2, N_CALLIPERS)
_ACROSS = N_CALLIPERS // 2  # the calliper along y, the turning axis


class Sizes(NamedTuple):
    """All (m,) float32, at the reference height. along_mm: centre along the belt from below the lens."""

    along_mm: NDArray[np.float32]
    widest_mm: NDArray[np.float32]
    narrowest_mm: NDArray[np.float32]
    across_mm: NDArray[np.float32]
    area_mm2: NDArray[np.float32]


def sizes(outlines: Outlines, camera: CameraPlace, scale: int) -> Sizes:
    """Callipers of outlines found in a picture that was shrunk `scale` times.

    The outline is first squeezed back along the line from the optical centre, by the cosine of the angle
    at which the lens sees it (`geometry.obliquity`).
    """
    x_px = (outlines.centre[0] + 0.5) * scale - 0.5
    y_px = (outlines.centre[1] + 0.5) * scale - 0.5
    away_x, away_y, cosine = obliquity(camera, x_px, y_px)
    radius = outlines.radius.T  # rays first, so that numpy reduces over long stretches
    px, py = radius * RAYS[0][:, None], radius * RAYS[1][:, None]  # (N_RAYS, m)
    squeeze = (px * away_x + py * away_y) * (cosine - 1)
    mm = np.float32(camera.mm_per_px * scale)
    px = (px + squeeze * away_x) * mm
    py = (py + squeeze * away_y) * mm
    reach = _DIRECTIONS[0][:, None] * px[:, None] + _DIRECTIONS[1][:, None] * py[:, None]  # (N_RAYS, N_CALLIPERS, m)
    callipers = reach.max(axis=0) - reach.min(axis=0)
    wide = _long_direction(px, py)
    along_wide, across_wide = px * wide[0] + py * wide[1], px * wide[1] - py * wide[0]
    widest = along_wide.max(axis=0) - along_wide.min(axis=0)
    narrowest = np.minimum(callipers.min(axis=0), across_wide.max(axis=0) - across_wide.min(axis=0))
    next_x, next_y = np.roll(px, -1, axis=0), np.roll(py, -1, axis=0)
    area = (px * next_y - py * next_x).sum(axis=0) / 2
    centre_x = camera.optical_centre_px[0] if camera.optical_centre_px else camera.width_px / 2
    return Sizes(
        along_mm=((x_px - np.float32(centre_x)) * np.float32(camera.mm_per_px)).astype(np.float32),
        widest_mm=widest,
        narrowest_mm=narrowest,
        across_mm=callipers[_ACROSS],
        area_mm2=area,
    )


def _long_direction(
    px: NDArray[np.float32], py: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Unit vector along the longer principal axis of each outline, (m,) each.

    A fruit is flatter along its stem-calyx axis, so the longer axis lies across that, where its diameter is defined.
    The largest calliper of all would be the diagonal of an angular fruit, and the least changes faster with direction
    than a fan of fixed callipers can follow.
    """
    dx, dy = px - px.mean(axis=0), py - py.mean(axis=0)
    angle = np.arctan2(2 * (dx * dy).sum(axis=0), (dx * dx - dy * dy).sum(axis=0)) / 2
    return np.cos(angle), np.sin(angle)
