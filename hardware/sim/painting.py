"""Paints the sound skin of a variety: ground colour, blush, hollows, lenticels.

Blush is a red pigment over the ground colour, as in the fruit: its density varies smoothly over the skin and light
passes it by Beer-Lambert. So colours between ground and blush are those of thin pigment, not of a blend.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from hardware.sim.bodies import Body
from hardware.sim.skin import N_LAT, N_LON, Grid, Skin, cells, smooth_step, waves
from hardware.sim.varieties import Variety, linear


@dataclass(frozen=True, slots=True, kw_only=True)
class Ripeness:
    """What the pigments of one fruit are. chlorophyll 0..1; blush_share: wanted share of the skin; pigment density."""

    chlorophyll: float
    blush_share: float
    pigment: float

    @property
    def anthocyanin(self) -> float:
        """Mean red pigment over the fruit, what a spectrometer sees of it; 0..1 or a little more."""
        return self.blush_share * self.pigment / 3.0


def ripeness_of(variety: Variety, rng: np.random.Generator) -> Ripeness:
    """Draws the pigments of one fruit."""
    share = float(rng.beta(*variety.blush_share)) if variety.blush_share else 0.0
    return Ripeness(
        chlorophyll=float(np.clip(rng.normal(*variety.chlorophyll), 0.0, 1.0)),
        blush_share=share,
        pigment=float(rng.uniform(*variety.pigment)) if variety.blush_share else 0.0,
    )


def paint(variety: Variety, ripeness: Ripeness, body: Body, rng: np.random.Generator) -> Skin:
    """The sound skin of one fruit."""
    skin = Skin.bare(body)
    skin.reflectance *= _ground(variety, ripeness, rng)
    if ripeness.blush_share > 0.0:
        density = _pigment(variety, ripeness, skin, rng)
        skin.reflectance *= np.exp(-density[..., None] * linear(variety.pigment_absorbs))
    _lenticels(variety, skin, rng)
    _hollows(variety, body, skin, rng)
    return skin


def in_hollow(body: Body) -> tuple[Grid, Grid]:
    """How far each cell lies inside stem cavity and calyx basin: 0 at the rim, 1 at the axis, below 0 outside."""
    theta, phi, _ = cells()
    turns = np.linspace(0.0, 2.0 * np.pi, len(body.hollows[0]))
    stem, calyx = (np.interp(phi, turns, rim) for rim in body.hollows)
    inside_stem = 1.0 - theta[:, None] / np.maximum(stem, 1e-3)
    inside_calyx = 1.0 - (np.pi - theta[:, None]) / np.maximum(np.pi - calyx, 1e-3)
    return inside_stem.astype(np.float32), inside_calyx.astype(np.float32)


def _ground(variety: Variety, ripeness: Ripeness, rng: np.random.Generator) -> Grid:
    """Ground colour (N_LAT, N_LON, 4): yellow where ripe, green where not, with mottling."""
    green = np.clip(ripeness.chlorophyll + 0.12 * waves(rng, 3, 4), 0.0, 1.0)[..., None]
    ripe, unripe = linear(variety.ripe), linear(variety.unripe)
    bright = 1.0 + 0.03 * waves(rng, 6, 12) + variety.grain * waves(rng, 70, 140)
    return np.asarray((ripe * (1.0 - green) + unripe * green) * bright[..., None], np.float32)


def _pigment(variety: Variety, ripeness: Ripeness, skin: Skin, rng: np.random.Generator) -> Grid:
    """Density of the red pigment (N_LAT, N_LON): full on the wanted share of the skin, none or a trace elsewhere."""
    sunny = rng.standard_normal(3)
    sunny[2] = 0.4 * abs(sunny[2])  # the sun comes from the side and, on the tree, from the stem's end
    sun = cells().way @ (sunny / np.linalg.norm(sunny)).astype(np.float32)
    stripes = waves(rng, 2, 34) + 0.6 * waves(rng, 3, 70)
    field = (
        variety.sun * 1.7 * sun
        + variety.patch * waves(rng, 4, 7)
        + variety.fine * waves(rng, 14, 26)
        + variety.stripe * 0.5 * stripes
    )
    ordered = np.sort(field[skin.skin][::7])
    edge = ordered[min(int((1.0 - ripeness.blush_share) * len(ordered)), len(ordered) - 1)]
    # Colour turns red at about a third of full density, so the S begins a little outside the wanted edge.
    flushed = 1.0 / (1.0 + np.exp(-(field - edge) / np.float32(variety.edge) - 0.2))
    depth = 1.0 + 0.12 * waves(rng, 5, 9) + 0.18 * variety.stripe * stripes
    return np.asarray(ripeness.pigment * flushed * np.clip(depth, 0.3, 1.8), np.float32)


def _lenticels(variety: Variety, skin: Skin, rng: np.random.Generator) -> None:
    """Small round pores, 0.5 to 1.1 mm, spread evenly over the true area."""
    count = int(variety.lenticels_per_cm2 * float(skin.area_mm2.sum()) / 100.0)
    heights = 1.0 - 2.0 * (np.arange(count) + rng.random(count)) / count
    theta, phi = np.arccos(heights), rng.random(count) * 2.0 * np.pi
    radius_mm = 0.5 * rng.uniform(0.5, 1.1, count)
    # Each pore is 25 points spread over its disc and dropped into the cells they fall in: round at any latitude.
    spots = np.linspace(-0.8, 0.8, 5)
    dx, dy = (offset.ravel() for offset in np.meshgrid(spots, spots))
    row = (theta * N_LAT / np.pi).astype(int)
    here_mm = skin.radius_mm[np.clip(row, 0, N_LAT - 1), (phi * N_LON / (2.0 * np.pi)).astype(int) % N_LON]
    spread = (radius_mm / here_mm)[:, None]
    t = theta[:, None] + spread * dy
    p = phi[:, None] + spread * dx / np.maximum(np.sin(theta), 0.05)[:, None]
    i = np.clip((t * N_LAT / np.pi).astype(int), 0, N_LAT - 1)
    j = (p * N_LON / (2.0 * np.pi)).astype(int) % N_LON
    share = (np.pi * radius_mm**2 / dx.size)[:, None] / skin.area_mm2[i, j]
    cover = np.bincount((i * N_LON + j).ravel(), share.ravel(), N_LAT * N_LON).reshape(N_LAT, N_LON, 1)
    skin.reflectance *= 1.0 + np.minimum(cover, 1.0).astype(np.float32) * (linear(variety.lenticel_tint) - 1.0)
    np.clip(skin.reflectance, 0.0, 0.95, out=skin.reflectance)


def _hollows(variety: Variety, body: Body, skin: Skin, rng: np.random.Generator) -> None:
    """The stem cavity's russet, the dried sepals in the basin: natural, no defect, outside the skin."""
    theta, phi, _ = cells()
    stem, calyx = in_hollow(body)
    russet = smooth_step(stem + 0.12 * waves(rng, 20, 24), 0.25, 0.75) * 0.7
    star = 0.65 + 0.35 * np.cos(5.0 * phi + rng.uniform(0.0, 2.0 * np.pi))[None]
    if body.hollows[1].max() > np.pi - 0.12:  # no basin: the end of a kiwifruit or an orange is a small button
        calyx = (1.0 - (np.pi - theta[:, None]) / 0.14).astype(np.float32) + np.zeros_like(stem)
    if body.hollows[0].min() < 0.12:
        russet = smooth_step((1.0 - theta[:, None] / 0.1).astype(np.float32) + np.zeros_like(stem), 0.0, 0.3)
    sepals = smooth_step(calyx - (1.0 - variety.sepals * star).astype(np.float32), 0.0, 0.1) * 0.9
    sepal = linear((0.035, 0.06, 0.075, 0.4))
    for cover, colour in ((russet, linear(variety.hollow)), (sepals, sepal)):
        skin.reflectance += cover[..., None] * (colour - skin.reflectance)


def hollow_shade(body: Body) -> Grid:
    """Share of the light of the dome that reaches each cell, (N_LAT, N_LON): hollows see less of the sky."""
    stem, calyx = in_hollow(body)
    depth = np.maximum(smooth_step(stem, 0.0, 1.1), smooth_step(calyx, 0.0, 1.1))
    strength = 1.0 - np.exp(-6.0 * max(body.shape.stem_depth, body.shape.calyx_depth))
    return np.asarray(cv2.GaussianBlur((1.0 - 0.7 * strength * depth).astype(np.float32), (0, 0), 1.5), np.float32)
