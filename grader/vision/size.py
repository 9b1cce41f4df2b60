"""Lengths of an outline in millimetres, and where in space each of them was measured."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from grader.domain.installation import CameraPlace
from grader.domain.views import N_CALLIPERS
from grader.vision.geometry import obliquity, optical_centre_px
from grader.vision.outline import N_RAYS, RAYS, Outlines

_HALF_TURN = np.arange(N_CALLIPERS) * (np.pi / N_CALLIPERS)
_DIRECTIONS = np.stack([np.cos(_HALF_TURN), np.sin(_HALF_TURN)]).astype(np.float32)  # (2, N_CALLIPERS)

_STEP, _RAY = np.pi / N_CALLIPERS, 2 * np.pi / N_RAYS
_SPAN, _TWICE_COSINE = np.float32(0.5 / np.sin(_STEP)), np.float32(2 * np.cos(_STEP))
_ROUND = np.float32(np.tan(_STEP / 2) / (_STEP / 2) * _RAY / np.sin(_RAY))
"""Area of the polygon around a circle over that of the one in it: both stand for a curved outline."""


class Sizes(NamedTuple):
    """All (m,) float32 but callipers_mm (m, N_CALLIPERS); meanings as in `ViewFeatures`."""

    along_mm: NDArray[np.float32]
    aside_mm: NDArray[np.float32]
    widest_mm: NDArray[np.float32]
    callipers_mm: NDArray[np.float32]
    area_mm2: NDArray[np.float32]
    hollow: NDArray[np.float32]


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
    reach = (_DIRECTIONS.T @ np.stack([px.reshape(-1), py.reshape(-1)])).reshape(N_CALLIPERS, *px.shape)
    farthest, nearest = reach.max(axis=1), reach.min(axis=1)
    wide_x, wide_y = _long_direction(px, py)
    along_wide = px * wide_x + py * wide_y
    next_x, next_y = np.roll(px, -1, axis=0), np.roll(py, -1, axis=0)
    area = (px * next_y - py * next_x).sum(axis=0) / 2
    foot_x, foot_y = optical_centre_px(camera)
    return Sizes(
        along_mm=((x_px - np.float32(foot_x)) * np.float32(camera.mm_per_px)).astype(np.float32),
        aside_mm=((y_px - np.float32(foot_y)) * np.float32(camera.mm_per_px)).astype(np.float32),
        widest_mm=along_wide.max(axis=0) - along_wide.min(axis=0),
        callipers_mm=np.ascontiguousarray((farthest - nearest).T),
        area_mm2=area,
        hollow=1 - area * _ROUND / _hull_area(np.concatenate([farthest, -nearest])),
    )


def calliper_directions(
    along_mm: NDArray[np.float64], aside_mm: NDArray[np.float64], lens_above_mm: float | None
) -> NDArray[np.float64]:
    """Directions in space (..., N_CALLIPERS, 3) of the callipers of fruit at (...,) from below the lens.

    x along the belt, y across it, z up to the lens.
    A squeezed outline lies in the plane across its line of sight: away from below the lens, that plane tips upwards.
    """
    away_mm = np.hypot(along_mm, aside_mm)
    below = away_mm < 1e-6  # there is no way away from the place below the lens: any one will do
    safe_mm = np.where(below, 1.0, away_mm)
    away_x, away_y = np.where(below, 1.0, along_mm / safe_mm), np.where(below, 0.0, aside_mm / safe_mm)
    slope = np.zeros_like(away_mm) if lens_above_mm is None else away_mm / lens_above_mm
    cosine = 1.0 / np.sqrt(1.0 + np.square(slope))
    away = np.stack([away_x * cosine, away_y * cosine, slope * cosine], axis=-1)
    beside = np.stack([-away_y, away_x, np.zeros_like(away_x)], axis=-1)
    u, v = _DIRECTIONS.astype(np.float64)
    along_away = u * away_x[..., None] + v * away_y[..., None]
    along_beside = v * away_x[..., None] - u * away_y[..., None]
    return np.asarray(along_away[..., None] * away[..., None, :] + along_beside[..., None] * beside[..., None, :])


def _hull_area(support: NDArray[np.float32]) -> NDArray[np.float32]:
    """Area of the polygon of tangents with these distances from the origin, (2 N_CALLIPERS, m): half the sum of each
    distance times its tangent's length between its neighbours."""
    length = np.roll(support, 1, axis=0) + np.roll(support, -1, axis=0) - _TWICE_COSINE * support
    return np.asarray((support * length).sum(axis=0) * _SPAN)


def _long_direction(
    px: NDArray[np.float32], py: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Unit vector along the longer principal axis of each outline, (m,) each.

    A fruit is flatter along its stem-calyx axis, so the longer axis lies about across that. The largest calliper of all
    would be the diagonal of an angular fruit.
    """
    dx, dy = px - px.mean(axis=0), py - py.mean(axis=0)
    angle = np.arctan2(2 * (dx * dy).sum(axis=0), (dx * dx - dy * dy).sum(axis=0)) / 2
    return np.cos(angle), np.sin(angle)
