"""Recipes of lesions, as they look on apples: areas, outlines and colours of the kinds that graders name."""

from __future__ import annotations

from hardware.sim.lesions import LesionRecipe

BRUISE = LesionRecipe(
    name="bruise", area_mm2=(30.0, 300.0), ragged=0.07, edge_mm=2.5, tint=(0.55, 0.5, 0.62, 0.6),
    colour=(0.06, 0.15, 0.25, 0.45), cover=(0.25, 0.55), mottle=0.04, share=1.3,
)  # fmt: skip
RUSSET = LesionRecipe(
    name="russet", area_mm2=(20.0, 300.0), place="stem", longer=(1.2, 2.5), ragged=0.35, edge_mm=2.0,
    colour=(0.1, 0.22, 0.35, 0.66), cover=(0.55, 0.85), mottle=0.22,
)  # fmt: skip
SCAB = LesionRecipe(
    name="scab", area_mm2=(4.0, 60.0), ragged=0.22, edge_mm=0.7, colour=(0.03, 0.05, 0.06, 0.35), cover=(0.8, 0.95),
    rim_mm=0.8, rim=(0.08, 0.14, 0.18, 0.5), mottle=0.25, cluster_deg=25.0,
)  # fmt: skip
BITTER_PIT = LesionRecipe(
    name="bitter_pit", area_mm2=(3.0, 18.0), place="calyx", ragged=0.1, edge_mm=0.9, tint=(0.5, 0.45, 0.5, 0.6),
    colour=(0.035, 0.07, 0.1, 0.32), cover=(0.6, 0.9), mottle=0.1, cluster_deg=22.0,
)  # fmt: skip
SUNBURN = LesionRecipe(
    name="sunburn", area_mm2=(120.0, 300.0), place="side", longer=(1.0, 1.6), ragged=0.1, edge_mm=5.0,
    tint=(0.75, 0.85, 0.95, 0.95), colour=(0.09, 0.27, 0.4, 0.66), cover=(0.5, 0.75), mottle=0.05, share=0.7,
)  # fmt: skip
PUNCTURE = LesionRecipe(
    name="puncture", area_mm2=(3.0, 30.0), longer=(1.0, 2.2), ragged=0.12, edge_mm=0.6,
    colour=(0.015, 0.025, 0.035, 0.15), cover=(0.85, 0.97), rim_mm=0.9, rim=(0.07, 0.16, 0.25, 0.45), mottle=0.15,
)  # fmt: skip
ROT = LesionRecipe(
    name="rot", area_mm2=(60.0, 300.0), ragged=0.08, edge_mm=1.2, colour=(0.035, 0.1, 0.19, 0.3), cover=(0.8, 0.95),
    rim_mm=1.5, rim=(0.05, 0.13, 0.26, 0.38), mottle=0.1, share=0.6,
)  # fmt: skip
LIMB_RUB = LesionRecipe(
    name="limb_rub", area_mm2=(20.0, 200.0), place="side", longer=(3.0, 7.0), ragged=0.18, edge_mm=1.2,
    colour=(0.075, 0.15, 0.23, 0.55), cover=(0.6, 0.9), mottle=0.2,
)  # fmt: skip
HAIL = LesionRecipe(
    name="hail", area_mm2=(8.0, 70.0), place="side", ragged=0.16, edge_mm=0.9, colour=(0.13, 0.24, 0.33, 0.6),
    cover=(0.6, 0.85), rim_mm=0.8, rim=(0.035, 0.06, 0.085, 0.35), mottle=0.15, cluster_deg=40.0,
)  # fmt: skip

LESIONS: tuple[LesionRecipe, ...] = (
    BRUISE, RUSSET, SCAB, BITTER_PIT, SUNBURN, PUNCTURE, ROT, LIMB_RUB, HAIL,
)  # fmt: skip
"""What the line's fruit suffer from unless a scenario says otherwise."""
