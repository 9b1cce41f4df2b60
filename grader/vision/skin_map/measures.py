"""What a skin map says of its fruit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from grader.domain.colour import ColourCalibration
from grader.domain.skin import SkinMeasures
from grader.vision.hues import skin_colours, tones_of
from grader.vision.skin_map.grid import DIRECTIONS, N_LATITUDES, Floats, cell_areas
from grader.vision.skin_map.mapper import MapSettings, SkinMap
from grader.vision.skin_map.sound import soundness
from grader.vision.skin_map.spots import Spots, spots_of
from grader.vision.skin_map.stripes import stripe_contrast

_LEAST_SEEN = 0.6
"""A row of which less was seen says nothing about itself: it is taken to be like the nearest one that does."""
_LEAST_WEIGHT = 0.02
"""A cell that was seen less has no colour."""


def measured(
    skin_map: SkinMap, colours: ColourCalibration, settings: MapSettings, pulses_per_frame: int
) -> SkinMeasures:
    """All that is told of a fruit's skin."""
    skin = skin_map.skin
    area = cell_areas_mm2(skin_map) * _is_skin(skin_map, settings.hollow_deg)
    whole = float(area.sum())
    lab, hue_deg = colours_on(skin_map, colours, settings)
    spots = spots_on(skin_map, settings)
    dark_mm2 = float(spots.area_mm2.sum())
    return SkinMeasures(
        height_mm=skin_map.height_mm,
        skin_seen=float((area * skin.seen).sum() / whole),
        turn_deg=float(np.degrees(abs(skin_map.turn.rad_per_pulse)) * pulses_per_frame),
        defect_area_mm2=dark_mm2,
        defect_count=float(len(spots.area_mm2)),
        largest_defect_mm2=float(spots.area_mm2.max(initial=0.0)),
        defect_fraction=dark_mm2 / whole,
        stripe_contrast=stripe_contrast(skin, skin_map.body.axis),
        tones=tones_of(lab, hue_deg, _spoken_for(area, np.isfinite(hue_deg))),
    )


def colours_on(skin_map: SkinMap, colours: ColourCalibration, settings: MapSettings) -> tuple[Floats, Floats]:
    """CIELAB and hue angle of every cell, as of `skin_colours`; no hue outside of skin, or where none was seen."""
    lab, hue_deg = skin_colours(skin_map.skin.light, colours)
    counts = (skin_map.skin.weight > _LEAST_WEIGHT) & _is_skin(skin_map, settings.hollow_deg)
    return lab, np.where(counts, hue_deg, np.float32(np.nan))


def _is_skin(skin_map: SkinMap, hollow_deg: float) -> NDArray[np.bool_]:
    """Cells outside stem cavity and calyx basin, seen or not. Where the axis is not sure, hollows are not cut out of
    the skin at a wrong place: they are taken to be like what is around."""
    along = np.abs(DIRECTIONS @ skin_map.body.axis.astype(np.float32))
    return np.asarray(along < np.cos(np.radians(hollow_deg * skin_map.axis_sure)))


def cell_areas_mm2(skin_map: SkinMap) -> Floats:
    """Of every cell, hollows filled."""
    return cell_areas(skin_map.body) * np.float32(skin_map.radius_mm**2 * skin_map.fullness)


def spots_on(skin_map: SkinMap, settings: MapSettings) -> Spots:
    """The spots of a fruit."""
    points_mm = DIRECTIONS @ (skin_map.radius_mm * skin_map.body.stretch()).astype(np.float32)
    sound = soundness(skin_map.skin, skin_map.body.axis, settings.hollow_deg)
    return spots_of(sound, skin_map.skin.seen, cell_areas_mm2(skin_map), points_mm, settings.spots)


def _spoken_for(area: Floats, known: NDArray[np.bool_]) -> Floats:
    """The area that each known cell speaks for: rows of which little is known are taken to be like the nearest one."""
    whole, of_known = area.sum(axis=1), (area * known).sum(axis=1)
    told = np.flatnonzero(of_known > _LEAST_SEEN * np.maximum(whole, 1e-9))
    if not len(told):
        return np.zeros_like(area)
    nearest = told[np.abs(np.arange(N_LATITUDES)[:, None] - told).argmin(axis=1)]
    share = np.bincount(nearest, whole, N_LATITUDES) / np.maximum(of_known, 1e-9)
    return np.asarray(area * known * share[:, None])
