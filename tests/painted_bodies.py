"""Painted spheroids that turn under a lens, drawn by ray casting in closed form. None of the simulator's code.

World and turning frame as in `grader.vision.axis`: x along the belt, y across it, z up to the lens; at turn 0 the frame
that turns with the fruit is the world's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from grader.domain.installation import CameraPlace
from grader.domain.skin import PORTRAIT_PX, Portraits, Sighting
from grader.domain.views import N_CALLIPERS, VIEW_COLUMNS, VIEW_WIDTH
from grader.vision.light import srgb_counts
from grader.vision.rays import RAY_ANGLES

Values = NDArray[np.float64]
Paint = Callable[[Values], Values]
"""Light (..., 3), blue, green and red, 0..1, of the skin in directions (..., 3) of the turning frame."""

LENS_MM, MM_PER_PX, PULSES_PER_FRAME = 1500.0, 1.6, 48
USUAL_LENS_RADII = 10.0
"""A lens of which nobody says where it is has so many radii of the fruit to its middle."""
RED, YELLOW = np.array([0.03, 0.05, 0.35]), np.array([0.08, 0.45, 0.55])


NOMINAL_DEG = 22.56


def camera(lens_mm: float | None = LENS_MM) -> CameraPlace:
    """Under which the bodies below are filmed."""
    return CameraPlace(
        width_px=1280,
        height_px=610,
        bands=("blue", "green", "red"),
        mm_per_px=MM_PER_PX / 2,
        cup_zero_px=(0.0, 80.0),
        lane_pitch_px=150.0,
        pulses_per_frame=PULSES_PER_FRAME,
        lens_above_mm=lens_mm,
        seat="rollers",
        turn_deg_per_pulse=NOMINAL_DEG / PULSES_PER_FRAME,
    )


class Cap(NamedTuple):
    """A round patch of skin: about a direction (3,), over an area of a ball of diameter_mm; in it the light is that of
    the skin times `dims`, or `colour`."""

    about: tuple[float, float, float]
    area_mm2: float
    dims: float = 0.4
    colour: tuple[float, float, float] | None = None


class Filmed(NamedTuple):
    """One fruit as the eye would have it, and how far it had turned in each view."""

    portraits: Portraits
    views: NDArray[np.float32]
    pulses: NDArray[np.int64]
    turned_rad: Values

    @property
    def sighting(self) -> Sighting:
        return Sighting(0, 0, self.pulses, self.views, self.portraits)


def blotches(seed: int, share: float = 0.5) -> Paint:
    """Red patches on yellow skin, over about that share of the sphere."""
    rng = np.random.default_rng(seed)
    ways = rng.standard_normal((14, 3))
    waves, phases = (
        ways / np.linalg.norm(ways, axis=1, keepdims=True) * rng.uniform(3, 9, (14, 1)),
        rng.uniform(0, 7, 14),
    )

    def height(towards: Values) -> Values:
        return np.asarray(np.sin(towards @ waves.T + phases).sum(axis=-1))

    sphere = rng.standard_normal((20000, 3))
    edge = np.quantile(height(sphere / np.linalg.norm(sphere, axis=1, keepdims=True)), 1.0 - share)
    return lambda towards: np.where((height(towards) > edge)[..., None], RED, YELLOW)


def with_caps(paint: Paint, *caps: Cap, diameter_mm: float = 76.0) -> Paint:
    """The same skin with patches on it. A cap of height h of a ball of radius r has the area 2 pi r h."""

    def painted(towards: Values) -> Values:
        unit = towards / np.linalg.norm(towards, axis=-1, keepdims=True)
        light = paint(towards)
        for cap in caps:
            about = np.array(cap.about) / np.linalg.norm(cap.about)
            inside = unit @ about > 1.0 - cap.area_mm2 / (np.pi * diameter_mm * diameter_mm / 2.0)
            light = np.where(inside[..., None], cap.dims * light if cap.colour is None else cap.colour, light)
        return light

    return painted


def one_colour(towards: Values) -> Values:
    return np.broadcast_to(YELLOW, (*towards.shape[:-1], 3))


def filmed(
    paint: Paint,
    turn_deg: float,
    *,
    axis: Values = np.array([0.0, 1.0, 0.0]),
    ratio: float = 1.0,
    diameter_mm: float = 76.0,
    views: int = 21,
    aside_mm: float = 0.0,
    slip_deg: Values | float = 0.0,
    lens_mm: float | None = LENS_MM,
    noise: float = 0.0,
    seed: int = 0,
) -> Filmed:
    """A spheroid with its axis (3,) at turn 0, `ratio` times as high as wide, that turns so far from frame to frame."""
    rng = np.random.default_rng(seed)
    frame = np.arange(views) - (views - 1) // 2
    along_mm = frame * PULSES_PER_FRAME * 1.0
    turned = np.radians(frame * turn_deg + np.broadcast_to(slip_deg, views))
    stretch = np.eye(3) + (ratio - 1.0) * np.outer(axis, axis)
    table, centre = np.full((views, VIEW_WIDTH), np.nan, np.float32), rng.uniform(31.0, 33.0, (views, 2))
    pixels, radius = np.empty((views, PORTRAIT_PX, PORTRAIT_PX, 3), np.uint8), np.empty((views, len(RAY_ANGLES)))
    for view in range(views):
        c, s = np.cos(turned[view]), np.sin(turned[view])
        turn = np.array([[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]])
        towards = np.array([-along_mm[view], -aside_mm, lens_mm]) if lens_mm is not None else np.array([0.0, 0.0, 1.0])
        towards = towards / np.linalg.norm(towards)
        right = np.array([towards[2], 0.0, -towards[0]]) / np.hypot(towards[0], towards[2])
        sight = np.stack([right, np.cross(towards, right), towards])
        body = sight @ turn @ stretch * (diameter_mm / 2 / MM_PER_PX)  # from the unit sphere to the picture
        away_mm = USUAL_LENS_RADII * diameter_mm / 2
        if lens_mm is not None:
            away_mm = float(np.linalg.norm([along_mm[view], aside_mm, lens_mm]))
        pixels[view] = _drawn(paint, body, away_mm / MM_PER_PX, centre[view], noise, rng)
        radius[view] = _outline(body, away_mm / MM_PER_PX)
        _measure(table[view], body, along_mm[view], aside_mm)
    kept = Portraits(pixels, centre.astype(np.float32), radius.astype(np.float32))
    return Filmed(kept, table, (frame - frame[0]) * PULSES_PER_FRAME, turned)


def _drawn(
    paint: Paint, body: Values, away: float, centre: Values, noise: float, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Rays from the lens, `away` pixels over the middle, on the ellipsoid {body u : |u| = 1}, two by two to a pixel:
    the first root of |inverse (lens + t ray)| = 1. Its brightness falls off with the slope."""
    inverse = np.linalg.inv(body)
    places = (np.arange(2 * PORTRAIT_PX) + 0.5) / 2 - 0.5
    x, y = np.meshgrid(places - centre[0], places - centre[1])
    ray = np.stack([x, y, np.full_like(x, -away)], axis=-1)
    start, step = inverse[:, 2] * away, ray @ inverse.T
    a, b, c = (step**2).sum(axis=-1), step @ start, start @ start - 1.0
    inside = b**2 - a * c
    hit = inside > 0
    u = start - ((b + np.sqrt(np.maximum(inside, 0))) / a)[..., None] * step
    normal = u @ inverse
    facing = -(normal * ray).sum(axis=-1) / np.linalg.norm(normal, axis=-1) / np.linalg.norm(ray, axis=-1)
    light = np.where(hit[..., None], paint(u) * (0.6 + 0.4 * np.clip(facing, 0, 1))[..., None], 0.01)
    light = light.reshape(PORTRAIT_PX, 2, PORTRAIT_PX, 2, 3).mean(axis=(1, 3))
    counts = srgb_counts()[np.clip(np.rint(light * 255), 0, 255).astype(int)].astype(float)
    return np.clip(np.rint(counts + noise * rng.standard_normal(counts.shape)), 0, 255).astype(np.uint8)


def _outline(body: Values, away: float) -> Values:
    """(rays,) pixels from the middle to where the lens sees the ellipsoid's edge: there, of the quadratic equation in
    `_drawn`, b^2 - a c is 0."""
    inverse = np.linalg.inv(body)
    start = inverse[:, 2] * away
    seen = inverse.T @ (np.outer(start, start) - (start @ start - 1.0) * np.eye(3)) @ inverse
    ways = np.stack([np.cos(RAY_ANGLES), np.sin(RAY_ANGLES), np.zeros_like(RAY_ANGLES)])
    a, b, c = np.einsum("ir,ij,jr->r", ways, seen, ways), -away * (seen[2] @ ways), away * away * seen[2, 2]
    return np.asarray((-b - np.sqrt(b * b - a * c)) / a)


def _measure(row: NDArray[np.float32], body: Values, along_mm: float, aside_mm: float) -> None:
    angles = np.arange(N_CALLIPERS) * np.pi / N_CALLIPERS
    ways = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    widths = 2 * np.linalg.norm(ways @ body[:2], axis=1) * MM_PER_PX  # support of an ellipsoid
    row[VIEW_COLUMNS["callipers_mm"]] = widths
    for name, value in (("along_mm", along_mm), ("aside_mm", aside_mm), ("widest_mm", widths.max()), ("hollow", 0.003)):
        row[VIEW_COLUMNS[name].start] = value
