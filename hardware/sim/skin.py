"""The skin of one fruit: what it reflects at each spot, in linear light, and what of it is blush.

A skin is a grid over the body, N_LAT x N_LON cells of equal steps in theta and phi (0.6 mm at the equator of 80 mm),
with the true area of each cell. Reflectance is 0..1 in blue, green, red (linear sRGB primaries) and near infrared.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from hardware.sim.bodies import PHI_STEPS, THETA_STEPS, Array, Body, directions

N_LAT, N_LON = 200, 400
BANDS = ("blue", "green", "red", "nir")

BLUSH_LOW_DEG, BLUSH_HIGH_DEG = -30.0, 45.0
"""Hue angles of blush: the project's definition, see the words of truth in the recording format."""

Grid = NDArray[np.float32]
Mask = NDArray[np.bool_]


class Cells(NamedTuple):
    """The grid that every skin shares: theta (N_LAT,), phi (N_LON,) of the centres, unit vectors (N_LAT, N_LON, 3)."""

    theta: Array
    phi: Array
    way: Grid


@cache
def cells() -> Cells:
    """Centres of the cells of a skin."""
    theta = (np.arange(N_LAT) + 0.5) * np.pi / N_LAT
    phi = (np.arange(N_LON) + 0.5) * 2.0 * np.pi / N_LON
    return Cells(theta, phi, directions(theta, phi).astype(np.float32))


@dataclass
class Skin:
    """A skin being painted. Lesions and painters change reflectance in place.

    reflectance: (N_LAT, N_LON, 4) float32. area_mm2: (N_LAT, N_LON) float32, true area of each cell on the body.
    skin: cells outside stem cavity and calyx basin. radius_mm: (N_LAT, N_LON) float32, of the body at the cell.
    """

    reflectance: Grid
    area_mm2: Grid
    skin: Mask
    radius_mm: Grid

    @classmethod
    def bare(cls, body: Body) -> Skin:
        """A white skin over a body."""
        theta, phi, _ = cells()
        radius = body.radius_at(theta, phi).astype(np.float32)
        stretch = _at_cells(np.linalg.norm(body.normals, axis=-1).astype(np.float32))
        solid_angle = (np.sin(theta)[:, None] * (np.pi / N_LAT) * (2.0 * np.pi / N_LON)).astype(np.float32)
        turns = np.linspace(0.0, 2.0 * np.pi, PHI_STEPS + 1)
        stem, calyx = (np.interp(phi, turns, rim) for rim in body.hollows)
        return cls(
            reflectance=np.ones((N_LAT, N_LON, len(BANDS)), np.float32),
            area_mm2=radius**2 * stretch * solid_angle,
            skin=(theta[:, None] > stem) & (theta[:, None] < calyx),
            radius_mm=radius,
        )

    @property
    def skin_mm2(self) -> float:
        """True area of the skin."""
        return float(self.area_mm2[self.skin].sum(dtype=np.float64))

    def blush_fraction(self) -> float:
        """Blush area over skin area. Lesions count by their own hue, as the definition says."""
        hue = hue_deg(self.reflectance)
        blush = self.skin & (hue >= BLUSH_LOW_DEG) & (hue <= BLUSH_HIGH_DEG)
        return float(self.area_mm2[blush].sum(dtype=np.float64)) / self.skin_mm2


def hue_deg(reflectance: Grid) -> Grid:
    """CIELAB hue angle (D65) of linear reflectance (n, m, >= 3) blue, green, red: (n, m) degrees, -180..180."""
    lab = cv2.cvtColor(np.ascontiguousarray(reflectance[..., :3]), cv2.COLOR_LBGR2Lab)
    return np.degrees(np.arctan2(lab[..., 2], lab[..., 1]))


def waves(rng: np.random.Generator, along_axis: int, around: int) -> Grid:
    """Smooth noise over the skin, closed around the axis: SD about 1, so many waves from stem to calyx and around."""
    coarse = rng.standard_normal((along_axis + 3, around)).astype(np.float32)
    fine = _spread(N_LAT, along_axis, closed=False) @ coarse @ _spread(N_LON, around, closed=True).T
    return np.asarray(fine / max(float(fine[::3, ::3].std()), 1e-6), np.float32)


@cache
def _spread(cells: int, waves: int, *, closed: bool) -> Grid:
    """Cubic convolution (Keys, a = -1/2) from `waves` nodes to cells, (cells, nodes); open: 3 nodes
    more, beyond the ends."""
    place = (np.arange(cells) + 0.5) * waves / cells + (0.0 if closed else 1.0)
    nodes = np.arange(waves if closed else waves + 3)
    away = place[:, None] - nodes
    if closed:
        away = (away + waves / 2.0) % waves - waves / 2.0
    x = np.abs(away)
    near = 1.5 * x**3 - 2.5 * x**2 + 1.0
    far = -0.5 * x**3 + 2.5 * x**2 - 4.0 * x + 2.0
    return np.where(x < 1.0, near, np.where(x < 2.0, far, 0.0)).astype(np.float32)


def smooth_step(values: Grid, low: float, high: float) -> Grid:
    """0 below low, 1 above high, an S between."""
    share = np.clip((values - low) / (high - low), 0.0, 1.0)
    return np.asarray(share * share * (3.0 - 2.0 * share), np.float32)


def _at_cells(nodes: Grid) -> Grid:
    """A table over a body's nodes, read at the centres of the skin's cells."""
    x = ((np.arange(N_LON, dtype=np.float32) + 0.5) * (PHI_STEPS / N_LON))[None].repeat(N_LAT, 0)
    y = ((np.arange(N_LAT, dtype=np.float32) + 0.5) * (THETA_STEPS / N_LAT))[:, None].repeat(N_LON, 1)
    return np.asarray(cv2.remap(nodes, x, y, cv2.INTER_LINEAR))
