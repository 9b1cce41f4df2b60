"""Fruit, damage and light that no training may import: what a trained part has truly never seen."""

from __future__ import annotations

from dataclasses import replace

from hardware.sim.lesions import LesionRecipe
from hardware.sim.light import Lighting
from hardware.sim.varieties import FUJI, GALA, Variety

PINK_LADY = replace(
    GALA,
    name="Pink Lady",
    diameter_mm=(72.0, 5.0),
    slenderness=(1.06, 0.03),
    taper=(0.03, 0.02),
    lopsided_sd=0.03,
    density_g_per_ml=(0.87, 0.01),
    ssc_brix=(14.5, 1.1),
    ripe=(0.2, 0.58, 0.66, 0.78),
    unripe=(0.16, 0.5, 0.46, 0.76),
    blush_share=(3.0, 2.6),
    pigment=(1.7, 2.8),
    pigment_absorbs=(0.52, 1.0, 0.12, 0.01),
    edge=0.45,
    sun=1.2,
    patch=0.4,
    stripe=0.25,
    lenticels_per_cm2=5.0,
)
"""A pinker pigment with a soft edge, a longer and more lopsided fruit."""

BRAEBURN = replace(
    FUJI,
    name="Braeburn",
    diameter_mm=(74.0, 5.5),
    slenderness=(1.0, 0.03),
    taper=(0.08, 0.02),
    ribs=(0.015, 0.006),
    ripe=(0.12, 0.46, 0.56, 0.76),
    unripe=(0.1, 0.4, 0.34, 0.74),
    pigment=(2.2, 3.6),
    pigment_absorbs=(0.7, 1.0, 0.24, 0.012),
    stripe=1.1,
    fine=0.45,
)
"""Darker red, streaky, over a green ground."""

VARIETIES: dict[str, Variety] = {variety.name: variety for variety in (PINK_LADY, BRAEBURN)}

SCALD = LesionRecipe(
    name="scald", area_mm2=(80.0, 300.0), ragged=0.3, longer=(1.0, 2.2), edge_mm=4.0, tint=(0.6, 0.65, 0.75, 0.95),
    colour=(0.08, 0.17, 0.26, 0.6), cover=(0.35, 0.65), mottle=0.08,
)  # fmt: skip
INSECT_STING = LesionRecipe(
    name="insect_sting", area_mm2=(3.0, 15.0), ragged=0.08, edge_mm=0.6, colour=(0.05, 0.09, 0.11, 0.35),
    cover=(0.7, 0.95), rim_mm=0.8, rim=(0.1, 0.3, 0.22, 0.6), mottle=0.1, cluster_deg=35.0,
)  # fmt: skip
SOOTY_BLOTCH = LesionRecipe(
    name="sooty_blotch", area_mm2=(40.0, 300.0), place="stem", ragged=0.4, longer=(1.0, 2.5), edge_mm=3.0,
    colour=(0.05, 0.07, 0.075, 0.5), cover=(0.3, 0.6), mottle=0.3,
)  # fmt: skip

LESIONS: tuple[LesionRecipe, ...] = (SCALD, INSECT_STING, SOOTY_BLOTCH)

ONE_SIDED = Lighting(
    name="one sided", dome=0.55, towards=(0.45, 0.3, 0.84), limb=0.65,
    lamps=((0.5, 0.2, 0.84), (0.2, -0.5, 0.84), (-0.3, 0.3, 0.9)), exposure=0.95,
)  # fmt: skip
"""Lamps of an older tunnel: more of the light from one side, three mirror images."""

LIGHTS: dict[str, Lighting] = {lighting.name: lighting for lighting in (ONE_SIDED,)}
