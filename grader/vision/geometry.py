"""Where cups are in a picture, and what perspective does to a fruit's outline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from grader.domain.installation import CameraPlace, Line
from grader.units import Pulse

Floats = NDArray[np.floating]
"""Real numbers, float32 wherever there is one per ray or cell."""

REFERENCE_DIAMETER_MM = 80.0
"""The recording format states scale and cup positions for a fruit of this diameter."""


@dataclass(frozen=True, slots=True)
class CupsInView:
    """Cups whose nominal centre lies in the picture: lane (n,) int16, cup (n,) int64, centres (n,) float32 px."""

    lane: NDArray[np.int16]
    cup: NDArray[np.int64]
    x_px: Floats
    y_px: Floats


def cup_pitch_px(camera: CameraPlace, line: Line) -> float:
    """Pixels from one cup to the next along the belt."""
    return line.pulses_per_cup * line.mm_per_pulse / camera.mm_per_px


def optical_centre_px(camera: CameraPlace) -> tuple[float, float]:
    """The point of the picture below the lens."""
    if camera.optical_centre_px is not None:
        return camera.optical_centre_px
    return camera.width_px / 2, camera.height_px / 2


def cups_in_view(camera: CameraPlace, line: Line, pulse: Pulse) -> CupsInView:
    """Every cup whose centre for a fruit of 80 mm is inside the picture at this pulse, lane by lane."""
    pitch_px = cup_pitch_px(camera, line)
    cup_zero_x = camera.cup_zero_px[0] + pulse * line.mm_per_pulse / camera.mm_per_px
    first = max(int(np.ceil((cup_zero_x - camera.width_px) / pitch_px + 1e-9)), line.first_cup)
    last = int(np.floor(cup_zero_x / pitch_px))
    cup = np.arange(first, last + 1, dtype=np.int64)
    lane = np.arange(line.lanes, dtype=np.int16)[:, None]
    grid = (len(lane), len(cup))
    return CupsInView(
        lane=_spread(lane, grid),
        cup=_spread(cup, grid),
        x_px=_spread((cup_zero_x - cup * pitch_px).astype(np.float32), grid),
        y_px=_spread((camera.cup_zero_px[1] + lane * camera.lane_pitch_px).astype(np.float32), grid),
    )


def _spread(values: NDArray[Any], grid: tuple[int, int]) -> NDArray[Any]:
    """Values of each lane (lanes, 1) or of each cup (cups,) for every cup of every lane, lane by lane."""
    spread = np.empty(grid, values.dtype)
    spread[...] = values
    return spread.reshape(-1)


def sight_deg(camera: CameraPlace, line: Line) -> NDArray[np.float64]:
    """(lanes,) by how much the lens looks at the fruit of a lane from one end: the latitude, about the axis across the
    belt that fruit turn about (y), of the point that faces the lens. 0 below it and for a telecentric camera.

    Taken half way between the middle of the picture and its end, where it is 2 % more and 3 % less.
    """
    if camera.lens_above_mm is None:
        return np.zeros(line.lanes)
    y_px = camera.cup_zero_px[1] + np.arange(line.lanes) * camera.lane_pitch_px
    aside_mm = (y_px - optical_centre_px(camera)[1]) * camera.mm_per_px
    along_mm = camera.width_px * camera.mm_per_px / 4
    return np.asarray(np.degrees(np.arctan2(-aside_mm, np.hypot(camera.lens_above_mm, along_mm))))


def obliquity(camera: CameraPlace, x_px: Floats, y_px: Floats) -> tuple[Floats, Floats, Floats]:
    """How aslant the lens sees a place: unit vector away from the optical centre, and cosine of the angle.

    A body small against its distance is seen as from straight above its line of sight, and its outline
    is then drawn out by 1 / cosine away from the optical centre. All (n,) float32; cosine 1 if telecentric.
    """
    centre = optical_centre_px(camera)
    dx, dy = (x_px - np.float32(centre[0])), (y_px - np.float32(centre[1]))
    away_px = np.hypot(dx, dy)
    safe = np.maximum(away_px, np.float32(1e-6))
    if camera.lens_above_mm is None:
        return dx / safe, dy / safe, np.ones_like(away_px)
    cosine = camera.lens_above_mm / np.hypot(camera.lens_above_mm, away_px * camera.mm_per_px)
    return dx / safe, dy / safe, cosine.astype(np.float32)


def nearer_by(camera: CameraPlace, diameter_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Factor from a length at the reference height to its true length at the fruit's own height.

    On rollers the centre of a fruit of diameter d rides (d - 80) / 2 mm above that of 80 mm, so it is
    nearer to the lens and looks larger. `diameter_mm` is the length as measured at the reference height;
    with L the lens's height, d = m (L - (d - 80) / 2) / L is solved for d / m.
    """
    if camera.lens_above_mm is None or camera.seat is None:
        return np.ones_like(diameter_mm)
    lens = camera.lens_above_mm
    true_mm = diameter_mm * (lens + REFERENCE_DIAMETER_MM / 2) / (lens + diameter_mm / 2)
    return np.asarray(true_mm / diameter_mm)


def nominal_turn(turn_deg_per_pulse: float, diameter_mm: ArrayLike) -> NDArray[np.float64]:
    """Turn per pulse, rad, of fruit of such diameters: that of the reference diameter is given, and rollers turn a
    smaller fruit further. NaN is taken for the reference diameter."""
    rolled_mm = np.where(np.isnan(diameter_mm), REFERENCE_DIAMETER_MM, diameter_mm)
    return np.asarray(np.radians(turn_deg_per_pulse) * REFERENCE_DIAMETER_MM / rolled_mm, np.float64)
