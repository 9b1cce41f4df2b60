"""Painted frames with known contents: discs on a belt, at sub-pixel places, without any of the simulator's code."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from grader.domain.installation import CameraPlace, Line

BELT = (31.5, 30.0, 28.0)
RED = (40.0, 45.0, 190.0)
YELLOW = (70.0, 190.0, 205.0)
DARK_RED = (8.0, 6.0, 34.0)
SUPERSAMPLE = 8
SHIFT = 6  # fixed-point bits that cv2 takes for sub-pixel drawing


class Disc(NamedTuple):
    """A disc in pixels of the frame; x and y are of its middle, pixel centres at whole numbers."""

    x: float
    y: float
    diameter_px: float
    colour: tuple[float, float, float] = RED


def line(lanes: int = 2, **changes: float) -> Line:
    return Line(**{"lanes": lanes, "pulses_per_cup": 96, "mm_per_pulse": 1.0, "cups_per_second": 12.0, **changes})


def camera(lanes: int = 2, width: int = 640, **changes: object) -> CameraPlace:
    known = {
        "width_px": width,
        "height_px": lanes * 150 + 10,
        "bands": ("blue", "green", "red"),
        "mm_per_px": 0.8,
        "cup_zero_px": (0.0, 80.0),
        "lane_pitch_px": 150.0,
        "pulses_per_frame": 48,
    }
    return CameraPlace(**{**known, **changes})


def frame(place: CameraPlace, discs: Iterable[Disc], noise: float = 0.0, seed: int = 0) -> NDArray[np.uint8]:
    """The belt with discs on it: each pixel mixes disc and belt by the share of it that the disc covers."""
    rng = np.random.default_rng(seed)
    height, width = place.height_px, place.width_px
    light = 1 + 0.35 * np.cos(np.arange(width) / 120 * 2 * np.pi)
    picture = np.broadcast_to(light[None, :, None] * np.array(BELT), (height, width, 3)).astype(np.float32).copy()
    for disc in discs:
        cover = _cover(disc, height, width)[:, :, None]
        picture = picture * (1 - cover) + cover * np.array(disc.colour, np.float32)
    picture += rng.normal(0, noise, picture.shape) if noise else 0
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def _cover(disc: Disc, height: int, width: int) -> NDArray[np.float32]:
    fine = np.zeros((height * SUPERSAMPLE, width * SUPERSAMPLE), np.uint8)
    scale = SUPERSAMPLE * 2**SHIFT
    centre = (round((disc.x + 0.5) * scale - 2**SHIFT / 2), round((disc.y + 0.5) * scale - 2**SHIFT / 2))
    cv2.circle(fine, centre, round(disc.diameter_px / 2 * scale), 255, -1, cv2.LINE_8, SHIFT)
    return cv2.resize(fine, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
