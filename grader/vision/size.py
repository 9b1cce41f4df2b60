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
    next_x, next_y = np.roll(px, -1, axis=0), np.roll(py, -1, axis=0)
    area = (px * next_y - py * next_x).sum(axis=0) / 2
    centre_x = camera.optical_centre_px[0] if camera.optical_centre_px else camera.width_px / 2
    return Sizes(
        along_mm=((x_px - np.float32(centre_x)) * np.float32(camera.mm_per_px)).astype(np.float32),
        widest_mm=callipers.max(axis=0),
        narrowest_mm=callipers.min(axis=0),
        across_mm=callipers[_ACROSS],
        area_mm2=area,
    )
