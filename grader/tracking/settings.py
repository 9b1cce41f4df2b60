"""What the station believes of cups and readings."""

from __future__ import annotations

import msgspec


class TrackSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When a cup holds a fruit, and which readings are believed.

    least_views: whole views that must show something. occupied_share: of all whole views of the cup.
    enough_views: with fewer, too little skin was seen to judge. least_mass_g: what weighs more is a fruit even if no
    camera saw it, and what weighs less is none unless it was plainly seen. most_mass_g: the scale's own limit.
    least_width_mm: what most views show narrower than that in some direction is a leaf, unless it weighs something, or
    no scale says: the smallest fruit of the line have 50 mm, the flattest of them three quarters of that.
    least_diameter_mm: what is smaller, weighs nothing and lies anywhere in its cup is litter.
    oversize_mm: a fruit of a larger diameter is more than a cup can carry.
    most_off_cups, off_share: fruit lie within a fifth of a cup, or of a lane, of its middle; where more than this share
    of the views, and more than one, shows one farther off, it is not certain whose cup it is. most_wander_cups: by so
    much a fruit may wander from the first half of its views to the second: a tenth is usual, as perspective is taken
    out of places for a ball of 80 mm only.
    zero_cups: the scale's zero is the median of so many empty cups: litter in a few of them does not move it. Until so
    many have come, the zero that it started with counts for the rest: a scale is zeroed before a run.
    """

    least_views: int = 2
    occupied_share: float = 0.3
    enough_views: int = 8
    least_mass_g: float = 30.0
    most_mass_g: float = 1500.0
    least_width_mm: float = 35.0
    least_diameter_mm: float = 45.0
    oversize_mm: float = 92.0
    most_off_cups: float = 0.25
    off_share: float = 0.1
    most_wander_cups: float = 0.2
    zero_cups: int = 31
    density_g_per_ml: tuple[float, float] = (0.6, 1.25)
