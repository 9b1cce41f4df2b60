"""What the station believes of cups and readings."""

from __future__ import annotations

import msgspec


class ScaleSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the scale learns from empty cups, and when it alarms.

    most_zero_cups: the zero is the median of so many of the lane's latest empty cups: litter in a few of them does not
    move it. Until least_zero_cups have come, the zero that it started with counts for the rest: a scale is zeroed
    before a run. noise_g, tare_sd_g: standard deviations of a weighing and of the tares of a chain, roughly.
    least_tare_weighings: with fewer a cup has no tare, as a leaf may have lain in one of them; most_tare_weighings:
    the latest that count. zero_step_g, tare_step_g: by so much one has to move to be written down again.
    stuck_g: an empty cup that is so far from the zero is not empty; stuck_times: so often in a row, by about the same,
    and it holds what does not fall out. frozen_fruit: so many fruit do not weigh exactly the same. astray_cups: so many
    empty cups in a row that all weigh a fruit, and the same, have another zero than the scale.
    creep_g, creep_cups: the zero of a good scale moves less, in so many cups. drift_g: so far from where it was at
    first it may come.
    """

    least_zero_cups: int = 31
    most_zero_cups: int = 101
    noise_g: float = 1.0
    tare_sd_g: float = 0.7
    least_tare_weighings: int = 3
    most_tare_weighings: int = 24
    zero_step_g: float = 0.2
    tare_step_g: float = 0.5
    stuck_g: float = 5.0
    stuck_times: int = 3
    frozen_fruit: int = 5
    astray_cups: int = 8
    creep_g: float = 2.0
    creep_cups: int = 10_000
    drift_g: float = 10.0


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
    blurred_share: a view whose edges have less than this share of the sharpness that half of the fruit's views have is
    blurred, and does not count.
    scale: what is learnt from empty cups, and what a scale is not believed for.
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
    blurred_share: float = 0.6
    scale: ScaleSettings = ScaleSettings()
    density_g_per_ml: tuple[float, float] = (0.6, 1.25)
