"""Bodies whose widths are known in closed form, and what a camera would measure of them. None of the simulator's code.

Turning frame, world and lens as in `grader.vision.axis`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from grader.domain.installation import CameraPlace
from grader.domain.views import N_CALLIPERS, VIEW_COLUMNS, VIEW_WIDTH

Values = NDArray[np.float64]
Width = Callable[[Values], Values]
"""Widths of a body, mm, in directions (..., 3) of its own frame, whose z is the stem-calyx axis."""

LENS_MM, PULSES_PER_FRAME = 1500.0, 48
ANGLES = np.arange(N_CALLIPERS) * np.pi / N_CALLIPERS


def ellipsoid(a_mm: float, b_mm: float, c_mm: float) -> Width:
    """With these three diameters: the width in direction n is the root of the sum of (n_i diameter_i)^2."""
    diameters = np.array([a_mm, b_mm, c_mm])
    return lambda towards: np.asarray(np.sqrt(((towards * diameters) ** 2).sum(axis=-1)))


def ringed(diameter_mm: float, height_mm: float) -> Width:
    """A disc with a half round rim, flat at both ends as an apple on its shoulders: a flat disc and a ball, summed."""

    def width(towards: Values) -> Values:
        across = np.sqrt(np.maximum(1.0 - towards[..., 2] ** 2, 0.0))
        return np.asarray((diameter_mm - height_mm) * across + height_mm)

    return width


def ringed_volume_ml(diameter_mm: float, height_mm: float) -> float:
    """Steiner's formula for a convex body and a ball, V + S r + M r^2 + 4/3 pi r^3, with V, S and M of a flat disc."""
    r = height_mm / 2
    disc = diameter_mm / 2 - r
    return float(2 * np.pi * disc**2 * r + np.pi**2 * disc * r**2 + 4 / 3 * np.pi * r**3) / 1000.0


class Passage(NamedTuple):
    """What the camera measured of one fruit: views (1, v, VIEW_WIDTH), pulses and whole (1, v), as `combined` takes."""

    views: NDArray[np.float32]
    pulses: NDArray[np.int64]
    whole: NDArray[np.bool_]


def axis(tilt_deg: float, towards_deg: float) -> Values:
    """(3,) so far from y, the turning axis, leaning towards that longitude about y (0: up to the lens)."""
    tilt, towards = np.radians(tilt_deg), np.radians(towards_deg)
    return np.array([np.sin(tilt) * np.sin(towards), np.cos(tilt), np.sin(tilt) * np.cos(towards)])


def passage(
    width: Width,
    axis: Values,
    turn_deg: float,
    *,
    diameter_mm: float = 80.0,
    views: int = 21,
    aside_mm: float = 120.0,
    lens_mm: float | None = LENS_MM,
    roll_deg: float = 0.0,
    noise_mm: float = 0.0,
    seed: int = 0,
) -> Passage:
    """Views of a body that turns by turn_deg from frame to frame, its axis (3,) given at the middle of them.

    diameter_mm only says how high it rides. roll_deg: about its own axis.
    """
    rng = np.random.default_rng(seed)
    frame = np.arange(views) - (views - 1) / 2
    along_mm = frame * PULSES_PER_FRAME
    own = _own_frame(axis, np.radians(roll_deg))
    table = np.zeros((1, views, VIEW_WIDTH), np.float32)
    nearer = 1.0 if lens_mm is None else lens_mm / (lens_mm - (diameter_mm - 80.0) / 2)
    for view in range(views):  # a test may be slow and plain
        turned = _about_y(np.radians(turn_deg) * frame[view])
        towards = _calliper_directions(along_mm[view], aside_mm, lens_mm)
        widths = width(towards @ turned @ own) * nearer
        row = table[0, view]
        row[VIEW_COLUMNS["callipers_mm"]] = widths + rng.normal(0, noise_mm, N_CALLIPERS)
        for name, value in {
            "along_mm": along_mm[view],
            "aside_mm": aside_mm,
            "widest_mm": widths.max(),
            "area_mm2": np.pi / 4 * widths.max() * widths.min(),
            "hollow": 0.002,
        }.items():
            row[VIEW_COLUMNS[name]] = value
    pulses = (np.arange(views) * PULSES_PER_FRAME + 960)[None]
    return Passage(table, pulses.astype(np.int64), np.ones((1, views), bool))


def camera(turn_deg_per_pulse: float | None = 0.47, lens_mm: float | None = LENS_MM) -> CameraPlace:
    return CameraPlace(
        width_px=1280,
        height_px=610,
        bands=("blue", "green", "red"),
        mm_per_px=0.8,
        cup_zero_px=(0.0, 80.0),
        lane_pitch_px=150.0,
        pulses_per_frame=PULSES_PER_FRAME,
        lens_above_mm=lens_mm,
        seat="rollers",
        turn_deg_per_pulse=turn_deg_per_pulse,
    )


def _about_y(angle: float) -> Values:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]])


def _own_frame(axis: Values, roll: float) -> Values:
    """Columns: the body's x, y and z in the frame that turns with it."""
    one = np.cross(axis, [0.3, 0.2, 0.9])
    one /= np.linalg.norm(one)
    other = np.cross(axis, one)
    return np.stack(
        [np.cos(roll) * one + np.sin(roll) * other, -np.sin(roll) * one + np.cos(roll) * other, axis], axis=1
    )


def _calliper_directions(along_mm: float, aside_mm: float, lens_mm: float | None) -> Values:
    """(N_CALLIPERS, 3): the direction of the picture, laid into the plane across the line of sight.

    A vector of that plane is drawn in the picture as what is left of it without the part towards the lens, but for a
    factor along the way to the optical centre; squeezing the outline takes the factor out.
    """
    flat = np.stack([np.cos(ANGLES), np.sin(ANGLES), np.zeros(N_CALLIPERS)], axis=1)
    foot = np.array([along_mm, aside_mm, 0.0])
    if lens_mm is None or not foot.any():
        return flat
    away = foot / np.linalg.norm(foot)
    sight = np.array([-along_mm, -aside_mm, lens_mm])
    sight /= np.linalg.norm(sight)
    tipped = away - (away @ sight) * sight
    tipped /= np.linalg.norm(tipped)
    return np.asarray(flat + (flat @ away)[:, None] * (tipped - away))
