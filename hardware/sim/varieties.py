"""Varieties: what sizes, forms and skins a kind of fruit has. Data and how a fruit's numbers are drawn from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hardware.sim.bodies import Shape

Spread = tuple[float, float]
"""Mean and standard deviation."""

Reflectance = tuple[float, float, float, float]
"""Blue, green, red, near infrared; linear, 0..1."""


def linear(colour: tuple[float, ...]) -> NDArray[np.float32]:
    """A colour as (n,) float32, for arithmetic with pictures."""
    return np.array(colour, np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Variety:
    """One variety. Lengths in mm, shares 0..1, reflectance linear.

    Form: see `Shape` for the words; each is (mean, SD). stem_mm: length and thickness of the stalk, 0 for none.
    Skin: unripe and ripe are the ground colours that chlorophyll mixes. blush_share: the two numbers of a beta
    distribution. pigment: least and most density of the red pigment where the skin is blushed; pigment_absorbs: how
    much one unit of it absorbs in each band. edge: softness of the blush's rim; sun, patch, fine, stripe: how much the
    sunny side, large patches, small patches and stripes from stem to calyx decide where it reddens.
    lenticels_per_cm2; lenticel_tint: what a lenticel multiplies the skin by. grain: SD of fine mottling.
    sepals: share of the calyx basin that the dried sepals cover.
    """

    name: str
    fruit: str
    diameter_mm: Spread
    least_mm: float
    most_mm: float
    slenderness: Spread
    squareness: Spread
    taper: Spread
    stem_depth: Spread
    stem_width_deg: Spread
    calyx_depth: Spread
    calyx_width_deg: Spread
    oval_sd: float
    lopsided_sd: float
    ribs: Spread
    ripple_sd: float
    stem_mm: tuple[float, float]
    density_g_per_ml: Spread
    ssc_brix: Spread
    ssc_with_blush: float
    ripe: Reflectance
    unripe: Reflectance
    chlorophyll: Spread
    blush_share: tuple[float, float] | None
    pigment: tuple[float, float] = (2.0, 3.0)
    pigment_absorbs: Reflectance = (0.75, 1.1, 0.16, 0.01)
    edge: float = 0.25
    sun: float = 1.0
    patch: float = 0.6
    fine: float = 0.2
    stripe: float = 0.5
    lenticels_per_cm2: float = 3.0
    lenticel_tint: Reflectance = (1.35, 1.35, 1.2, 1.0)
    grain: float = 0.02
    hollow: Reflectance = (0.09, 0.24, 0.3, 0.6)
    sepals: float = 0.5


def shape_of(variety: Variety, diameter_mm: float, rng: np.random.Generator) -> Shape:
    """The form of one fruit of a variety."""

    def around(spread: Spread, least: float = 0.0) -> float:
        return max(float(rng.normal(*spread)), least)

    def turn() -> float:
        return float(rng.uniform(0.0, 2.0 * np.pi))

    return Shape(
        diameter_mm=diameter_mm,
        slenderness=around(variety.slenderness, 0.5),
        squareness=around(variety.squareness, 1.9),
        taper=float(rng.normal(*variety.taper)),
        stem_depth=min(around(variety.stem_depth), 0.55),
        stem_width_deg=around(variety.stem_width_deg, 8.0),
        calyx_depth=min(around(variety.calyx_depth), 0.45),
        calyx_width_deg=around(variety.calyx_width_deg, 8.0),
        oval=abs(float(rng.normal(0.0, variety.oval_sd))),
        oval_phase=turn(),
        lopsided=abs(float(rng.normal(0.0, variety.lopsided_sd))),
        lopsided_phase=turn(),
        ribs=around(variety.ribs),
        rib_phase=turn(),
        ripple=abs(float(rng.normal(0.0, variety.ripple_sd))),
        ripple_phase=turn(),
    )


FUJI = Variety(
    name="Fuji",
    fruit="apple",
    diameter_mm=(77.0, 6.0),
    least_mm=52.0,
    most_mm=91.5,
    slenderness=(0.95, 0.03),
    squareness=(2.25, 0.08),
    taper=(0.035, 0.02),
    stem_depth=(0.42, 0.04),
    stem_width_deg=(20.0, 1.5),
    calyx_depth=(0.26, 0.03),
    calyx_width_deg=(18.0, 1.5),
    oval_sd=0.015,
    lopsided_sd=0.025,
    ribs=(0.006, 0.004),
    ripple_sd=0.004,
    stem_mm=(24.0, 2.0),
    density_g_per_ml=(0.862, 0.010),
    ssc_brix=(14.0, 1.2),
    ssc_with_blush=0.3,
    ripe=(0.17, 0.53, 0.68, 0.78),
    unripe=(0.13, 0.42, 0.40, 0.76),
    chlorophyll=(0.35, 0.2),
    blush_share=(2.6, 1.4),
    pigment=(2.1, 3.2),
    edge=0.28,
    sun=0.9,
    patch=0.7,
    fine=0.25,
    stripe=0.6,
)

GALA = Variety(
    name="Gala",
    fruit="apple",
    diameter_mm=(71.0, 5.0),
    least_mm=52.0,
    most_mm=88.0,
    slenderness=(1.0, 0.03),
    squareness=(2.15, 0.08),
    taper=(0.06, 0.02),
    stem_depth=(0.40, 0.04),
    stem_width_deg=(18.0, 1.5),
    calyx_depth=(0.24, 0.03),
    calyx_width_deg=(17.0, 1.5),
    oval_sd=0.012,
    lopsided_sd=0.018,
    ribs=(0.012, 0.005),
    ripple_sd=0.004,
    stem_mm=(26.0, 1.8),
    density_g_per_ml=(0.85, 0.010),
    ssc_brix=(13.0, 1.0),
    ssc_with_blush=0.3,
    ripe=(0.15, 0.55, 0.74, 0.78),
    unripe=(0.16, 0.48, 0.52, 0.76),
    chlorophyll=(0.25, 0.15),
    blush_share=(3.0, 1.6),
    pigment=(2.2, 3.2),
    pigment_absorbs=(0.72, 1.05, 0.15, 0.01),
    edge=0.3,
    sun=0.7,
    patch=0.4,
    fine=0.2,
    stripe=0.9,
)

GOLDEN = Variety(
    name="Golden",
    fruit="apple",
    diameter_mm=(75.0, 6.0),
    least_mm=52.0,
    most_mm=91.5,
    slenderness=(1.02, 0.03),
    squareness=(2.2, 0.08),
    taper=(0.07, 0.02),
    stem_depth=(0.42, 0.04),
    stem_width_deg=(19.0, 1.5),
    calyx_depth=(0.26, 0.03),
    calyx_width_deg=(17.0, 1.5),
    oval_sd=0.013,
    lopsided_sd=0.018,
    ribs=(0.012, 0.005),
    ripple_sd=0.004,
    stem_mm=(28.0, 1.8),
    density_g_per_ml=(0.83, 0.012),
    ssc_brix=(13.5, 1.1),
    ssc_with_blush=0.1,
    ripe=(0.2, 0.66, 0.74, 0.8),
    unripe=(0.15, 0.52, 0.44, 0.78),
    chlorophyll=(0.4, 0.25),
    blush_share=(0.7, 14.0),
    pigment=(0.9, 1.6),
    edge=0.5,
    lenticels_per_cm2=4.0,
    lenticel_tint=(0.75, 0.72, 0.78, 0.97),
)

RED_DELICIOUS = Variety(
    name="Red Delicious",
    fruit="apple",
    diameter_mm=(75.0, 5.5),
    least_mm=52.0,
    most_mm=91.5,
    slenderness=(1.1, 0.04),
    squareness=(2.3, 0.08),
    taper=(0.13, 0.025),
    stem_depth=(0.44, 0.04),
    stem_width_deg=(19.0, 1.5),
    calyx_depth=(0.26, 0.03),
    calyx_width_deg=(15.0, 1.5),
    oval_sd=0.015,
    lopsided_sd=0.02,
    ribs=(0.035, 0.01),
    ripple_sd=0.005,
    stem_mm=(22.0, 2.0),
    density_g_per_ml=(0.84, 0.012),
    ssc_brix=(12.5, 1.1),
    ssc_with_blush=0.15,
    ripe=(0.15, 0.5, 0.6, 0.76),
    unripe=(0.12, 0.42, 0.36, 0.75),
    chlorophyll=(0.4, 0.2),
    blush_share=(14.0, 1.0),
    pigment=(2.8, 4.2),
    pigment_absorbs=(0.62, 1.0, 0.3, 0.015),
    edge=0.3,
    stripe=0.3,
    lenticels_per_cm2=4.0,
)

HAYWARD = Variety(
    name="Hayward",
    fruit="kiwifruit",
    diameter_mm=(54.0, 2.5),
    least_mm=46.0,
    most_mm=62.0,
    slenderness=(1.22, 0.05),
    squareness=(2.1, 0.06),
    taper=(0.0, 0.02),
    stem_depth=(0.02, 0.01),
    stem_width_deg=(12.0, 1.0),
    calyx_depth=(0.02, 0.01),
    calyx_width_deg=(12.0, 1.0),
    oval_sd=0.05,
    lopsided_sd=0.01,
    ribs=(0.0, 0.0),
    ripple_sd=0.005,
    stem_mm=(0.0, 0.0),
    density_g_per_ml=(1.03, 0.01),
    ssc_brix=(13.0, 1.2),
    ssc_with_blush=0.0,
    ripe=(0.055, 0.12, 0.2, 0.55),
    unripe=(0.06, 0.13, 0.18, 0.55),
    chlorophyll=(0.5, 0.2),
    blush_share=None,
    lenticels_per_cm2=10.0,
    lenticel_tint=(0.7, 0.75, 0.8, 0.95),
    grain=0.12,
    hollow=(0.03, 0.06, 0.1, 0.45),
    sepals=0.8,
)

NAVEL = Variety(
    name="Navel",
    fruit="citrus",
    diameter_mm=(77.0, 5.0),
    least_mm=60.0,
    most_mm=91.5,
    slenderness=(0.99, 0.03),
    squareness=(2.02, 0.04),
    taper=(-0.01, 0.02),
    stem_depth=(0.02, 0.01),
    stem_width_deg=(12.0, 1.0),
    calyx_depth=(0.03, 0.02),
    calyx_width_deg=(10.0, 1.0),
    oval_sd=0.015,
    lopsided_sd=0.01,
    ribs=(0.0, 0.0),
    ripple_sd=0.004,
    stem_mm=(0.0, 0.0),
    density_g_per_ml=(0.92, 0.015),
    ssc_brix=(11.5, 1.0),
    ssc_with_blush=0.0,
    ripe=(0.02, 0.27, 0.8, 0.82),
    unripe=(0.04, 0.36, 0.66, 0.8),
    chlorophyll=(0.2, 0.15),
    blush_share=None,
    lenticels_per_cm2=14.0,
    lenticel_tint=(0.8, 0.85, 0.92, 0.98),
    grain=0.03,
    hollow=(0.03, 0.2, 0.35, 0.65),
    sepals=0.3,
)

VARIETIES: dict[str, Variety] = {
    variety.name: variety for variety in (FUJI, GALA, GOLDEN, RED_DELICIOUS, HAYWARD, NAVEL)
}
"""By the name that `--variety` takes."""
