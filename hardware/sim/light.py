"""The light over the belt: lamps, how a surface shades, the unevenness of the field, and what a camera makes of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from hardware.sim.draws import keyed
from hardware.sim.levels import Level
from hardware.sim.skin import Grid


@dataclass(frozen=True, slots=True, kw_only=True)
class Lighting:
    """Lamps over the line. Directions are unit vectors in the picture: x along the belt, y across, z to the lens.

    dome: share of the light that comes from all sides; the rest comes from `towards`. limb: exponent of how the
    dome's light falls off to the outline, 0 none. lamps: directions whose mirror image a glossy skin shows.
    """

    name: str = "tunnel"
    dome: float = 0.72
    towards: tuple[float, float, float] = (0.0, 0.0, 1.0)
    limb: float = 0.55
    lamps: tuple[tuple[float, float, float], ...] = ((0.0, -0.36, 0.93), (0.0, 0.36, 0.93))
    exposure: float = 0.92


TUNNEL = Lighting()
"""Diffuse tunnel with two lamp rows along the belt: the line's own light."""


def light_field(level: Level, seed: int, height_px: int, width_px: int, bands: int) -> Grid:
    """Light over the field of view at the start, (height, width, bands), within 1 +- light_uneven; mean about 1.

    Three colour bands share the lamps and so the pattern; near infrared has its own.
    """
    field = np.ones((height_px, width_px, bands), np.float32)
    if level.light_uneven == 0.0:
        return field
    y = np.linspace(-1.0, 1.0, height_px, dtype=np.float32)[:, None]
    x = np.linspace(-1.0, 1.0, width_px, dtype=np.float32)[None]
    for first, last, purpose in ((0, 3, "field"), (3, 4, "nir field")):
        rng = keyed(seed, purpose)
        # Lamps stand in the middle; each row of them is a little off and its tubes are not equal.
        pattern = -(x**2) * rng.uniform(0.5, 1.0) - y**2 * rng.uniform(0.2, 0.6) + x * rng.normal(0.0, 0.25)
        pattern = pattern + y * rng.normal(0.0, 0.25) + 0.12 * np.cos(x * rng.uniform(5.0, 9.0) + rng.uniform(0.0, 6.0))
        pattern = (pattern - pattern.min()) / (pattern.max() - pattern.min())
        field[..., first:last] = (1.0 + level.light_uneven * (2.0 * pattern - 1.0))[..., None]
    return field


def drift(level: Level, seed: int, hours: float, bands: int) -> Grid:
    """What lamps' ageing multiplies the light by, (bands,), hours after the start."""
    rng = keyed(seed, "drift")
    colour, nir = np.sign(rng.standard_normal(2))
    change = [colour * level.light_drift_per_hour] * 3 + [nir * level.nir_drift_per_hour]
    return (1.0 + hours * np.array(change[:bands])).astype(np.float32)


@cache
def srgb_counts() -> NDArray[np.uint8]:
    """Table from linear light in 65,536 steps of 0..1 to the camera's counts."""
    light = np.arange(65536) / 65535.0
    curve = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1.0 / 2.4) - 0.055)
    return np.round(curve * 255.0).astype(np.uint8)
