"""How a fruit lies in its cup and turns while it crosses the picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hardware.sim.bodies import Array
from hardware.sim.draws import keyed
from hardware.sim.levels import Level

NOMINAL_MM = 80.0
EARLY_FRAMES = 2  # a fruit may show so many frames before its cup's centre enters the picture, and after it left


@dataclass(frozen=True)
class Ride:
    """One passage of one fruit. Frames count from the one with its cup's centre at cup zero; -EARLY_FRAMES is first.

    lie: (3, 3) body to world at frame 0. angle_deg: (n,) turn about the y axis of the picture since then.
    offset_mm: (n, 2) of the seat along and across the belt. start_deg, turn_deg: as in truth.csv.
    """

    lie: Array
    angle_deg: Array
    offset_mm: Array
    start_deg: float
    turn_deg: float

    @classmethod
    def of(
        cls, level: Level, seed: int, lane: int, cup: int, *, diameter_mm: float, turn_deg: float, way: int, frames: int
    ) -> Ride:
        """turn_deg: nominal turn per frame of a fruit of 80 mm. way: +1 or -1. frames: with the cup in the picture."""
        rng = keyed(seed, "ride", lane, cup)
        start_deg = float(rng.uniform(0.0, 360.0))
        upside, any_way, tilt, tilt_way, spread = rng.random(), rng.random(), rng.normal(), rng.uniform(), rng.normal()
        lost = rng.standard_normal(3)
        shift_mm, wobble_mm = rng.standard_normal(2), rng.standard_normal((frames + 2 * EARLY_FRAMES, 2))
        slip = rng.standard_normal(frames + 2 * EARLY_FRAMES)

        axis = np.array([0.0, -1.0 if upside < 0.5 else 1.0, 0.0])
        lean, towards = np.radians(level.axis_sd_deg) * tilt, 2.0 * np.pi * tilt_way
        axis = np.cos(lean) * axis + np.sin(lean) * np.array([np.cos(towards), 0.0, np.sin(towards)])
        if any_way < level.any_axis_share:
            axis = lost / np.linalg.norm(lost)
        # The turn of one fruit never comes near standing still, however the draw falls.
        step = turn_deg * NOMINAL_MM / diameter_mm * max(1.0 + level.turn_spread * spread, 0.3)
        steps = way * step * (1.0 + level.slip_share * slip)
        angle = np.cumsum(steps)
        angle -= angle[EARLY_FRAMES]
        return cls(
            lie=_standing(axis) @ _about_z(np.radians(start_deg)),
            angle_deg=angle,
            offset_mm=level.seat_sd_mm * shift_mm + level.wobble_sd_mm * wobble_mm,
            start_deg=start_deg,
            turn_deg=float(np.abs(steps[EARLY_FRAMES + 1 : EARLY_FRAMES + frames]).mean()),
        )

    def turn(self, frame: int) -> Array:
        """(3, 3) body to world in a frame."""
        return _about_y(np.radians(self.angle_deg[frame + EARLY_FRAMES])) @ self.lie

    def offset(self, frame: int) -> Array:
        """(2,) mm along and across the belt in a frame."""
        return np.asarray(self.offset_mm[frame + EARLY_FRAMES])


def _about_y(angle: float) -> Array:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]])


def _about_z(angle: float) -> Array:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def _standing(axis: Array) -> Array:
    """A rotation that takes the body's z axis to `axis`."""
    helper = np.array([1.0, 0.0, 0.0]) if abs(axis[0]) < 0.8 else np.array([0.0, 0.0, 1.0])
    one = np.cross(helper, axis)
    one /= np.linalg.norm(one)
    return np.stack([one, np.cross(axis, one), axis], axis=1)
