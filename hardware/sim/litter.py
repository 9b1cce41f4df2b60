"""Things in the picture that are no skin: stickers, drops and dust on fruit. Truth does not see them."""

from __future__ import annotations

import numpy as np

from hardware.sim.lesions import Outline, depth_inside
from hardware.sim.skin import Grid, Skin
from hardware.sim.varieties import Reflectance, linear

STICKER_SHARE, DROPS_SHARE, DUST_SHARE = 0.1, 0.12, 0.3

STICKERS: tuple[tuple[Reflectance, Reflectance], ...] = (
    ((0.75, 0.78, 0.8, 0.85), (0.1, 0.1, 0.6, 0.7)),
    ((0.55, 0.3, 0.08, 0.8), (0.8, 0.8, 0.8, 0.85)),
    ((0.1, 0.4, 0.12, 0.75), (0.1, 0.75, 0.85, 0.85)),
)
"""Paper and print of a sticker."""


def dirty(skin: Skin, rng: np.random.Generator) -> Grid:
    """The look of a skin with what lies on it; the skin itself is not changed."""
    look = skin.reflectance.copy()
    if rng.random() < STICKER_SHARE:
        paper, print_ = STICKERS[int(rng.integers(len(STICKERS)))]
        at = _spot(rng, radius_mm=float(rng.uniform(7.0, 10.0)), longer=float(rng.uniform(1.0, 1.35)))
        _lay(look, skin, at, paper, 1.0)
        _lay(
            look,
            skin,
            Outline(at.centre, 0.6 * at.radius_mm, at.longer, at.lean, at.ragged, at.ragged_phase),
            print_,
            1.0,
        )
    if rng.random() < DROPS_SHARE:
        for _ in range(int(rng.integers(3, 12))):  # a few drops, each its own place and size
            drop = _spot(rng, radius_mm=float(rng.uniform(0.7, 2.2)), longer=1.2)
            inside_mm, where = depth_inside(skin, drop, 0.5)
            # A drop is a lens: dark where light enters, bright at its rim.
            ring = np.clip(inside_mm / drop.radius_mm, 0.0, 1.0)[:, None]
            flat = look.reshape(-1, look.shape[-1])
            flat[where] *= np.where(inside_mm > 0.0, 1.0, 0.0)[:, None] * (0.35 - 0.5 * ring) + 1.0
    if rng.random() < DUST_SHARE:
        dust = linear((0.25, 0.3, 0.34, 0.5))
        for _ in range(int(rng.integers(1, 4))):  # a smear each
            smear = _spot(rng, radius_mm=float(rng.uniform(4.0, 12.0)), longer=float(rng.uniform(1.0, 4.0)))
            inside_mm, where = depth_inside(skin, smear, 3.0)
            thin = (float(rng.uniform(0.03, 0.12)) * np.clip(0.5 + inside_mm / 6.0, 0.0, 1.0))[:, None]
            flat = look.reshape(-1, look.shape[-1])
            flat[where] += thin * (dust - flat[where])
    return look


def _spot(rng: np.random.Generator, *, radius_mm: float, longer: float) -> Outline:
    z, phi = rng.uniform(-0.75, 0.75), rng.uniform(0.0, 2.0 * np.pi)
    ring = np.sqrt(1.0 - z * z)
    none = np.zeros(1, np.float32)
    centre = np.array([ring * np.cos(phi), ring * np.sin(phi), z], np.float32)
    return Outline(centre, radius_mm, longer, float(rng.uniform(0.0, np.pi)), none, none)


def _lay(look: Grid, skin: Skin, outline: Outline, colour: Reflectance, cover: float) -> None:
    inside_mm, where = depth_inside(skin, outline, 0.5)
    share = cover * np.clip(0.5 + inside_mm / 0.6, 0.0, 1.0)[:, None]
    flat = look.reshape(-1, look.shape[-1])
    flat[where] += share * (linear(colour) - flat[where])
