"""Lengths of an outline in millimetres, and where in space each of them was measured."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from grader.domain.installation import CameraPlace
from grader.domain.views import N_CALLIPERS
from grader.vision.geometry import obliquity, optical_centre_px
from grader.vision.outline import Outlines
from grader.vision.rays import N_RAYS, RAYS

_HALF_TURN = np.arange(N_CALLIPERS) * (np.pi / N_CALLIPERS)
_DIRECTIONS = np.stack([np.cos(_HALF_TURN), np.sin(_HALF_TURN)]).astype(np.float32)  # (2, N_CALLIPERS)

_STEP, _RAY = np.pi / N_CALLIPERS, 2 * np.pi / N_RAYS
_SPAN, _COSINE = np.float32(1 / np.sin(_STEP)), np.float32(np.cos(_STEP))
_TRIANGLE = np.float32(np.sin(_RAY) / 2)
_EACH_RAY = np.full(N_RAYS, 1 / N_RAYS, np.float32)
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
    x_px, y_px = (outlines.centre + np.float32(0.5)) * np.float32(scale) - np.float32(0.5)
    away_x, away_y, cosine = obliquity(camera, x_px, y_px)
    mm = np.float32(camera.mm_per_px * scale)
    radius = outlines.radius * mm
    corners = np.empty((2, N_RAYS, len(radius)), np.float32)  # rays first, so that numpy reduces over long stretches
    px, py = np.multiply(radius.T, RAYS[:, :, None], out=corners)
    squeeze = (px * away_x + py * away_y) * (cosine - 1)
    px += squeeze * away_x
    py += squeeze * away_y
    reach = (_DIRECTIONS.T @ corners.reshape(2, -1)).reshape(N_CALLIPERS, N_RAYS, -1)
    farthest, nearest = reach.max(axis=1), reach.min(axis=1)
    wide_x, wide_y = _long_direction(corners)
    along_wide = px * wide_x + py * wide_y
    area = _around(radius.T) * (_TRIANGLE * cosine)
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


def _around(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Sum of the products of neighbours around a closed line: (k, m) to (m,)."""
    return np.asarray(np.einsum("km,km->m", values[1:], values[:-1]) + values[0] * values[-1])


def _hull_area(support: NDArray[np.float32]) -> NDArray[np.float32]:
    """Area of the polygon of tangents with these distances from the origin, (2 N_CALLIPERS, m): half the sum of each
    distance times its tangent's length between its neighbours, (before + after - 2 cos(step) its own) / sin(step)."""
    own = np.einsum("km,km->m", support, support)
    return np.asarray((_around(support) - _COSINE * own) * _SPAN)


def _long_direction(corners: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Unit vector along the longer principal axis of each outline, (m,) each. corners: (2, N_RAYS, m) x and y.

    A fruit is flatter along its stem-calyx axis, so the longer axis lies about across that. The largest calliper of all
    would be the diagonal of an angular fruit.
    """
    x, y = corners
    mean_x, mean_y = _EACH_RAY @ corners
    square_x, square_y = _EACH_RAY @ (corners * corners)
    product = _EACH_RAY @ (x * y)
    angle = np.arctan2(2 * (product - mean_x * mean_y), square_x - mean_x**2 - square_y + mean_y**2) / 2
    return np.cos(angle), np.sin(angle)
