"""What a skin map says of its fruit."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from grader.domain.colour import ColourCalibration
from grader.domain.skin import SkinMeasures
from grader.vision.skin_map.grid import DIRECTIONS, N_LATITUDES, Floats, cell_areas
from grader.vision.skin_map.mapper import MapSettings, SkinMap
from grader.vision.skin_map.sound import soundness
from grader.vision.skin_map.spots import Spots, spots_of

_LEAST_SEEN = 0.6
"""A row of which less was seen says nothing about itself: it is taken to be like the nearest one that does."""
_LEAST_WEIGHT = 0.02
"""A cell that was seen less has no colour."""
_LEAST_GROUND = 0.02
"""Of the skin: less ground colour has no mean worth the name."""


def measured(
    skin_map: SkinMap, colours: ColourCalibration, settings: MapSettings, pulses_per_frame: int
) -> SkinMeasures:
    """All that is told of a fruit's skin."""
    skin = skin_map.skin
    area = cell_areas_mm2(skin_map) * _is_skin(skin_map, settings.hollow_deg)
    whole = float(area.sum())
    to_srgb = np.array(colours.to_srgb, np.float32)[::-1, ::-1]  # blue first
    lab = cv2.cvtColor(cv2.transform(skin.light, to_srgb), cv2.COLOR_LBGR2Lab)
    a, b = lab[..., 1], lab[..., 2]
    chroma, hue = cv2.cartToPolar(a, b, angleInDegrees=True)
    hue = np.where(hue > 180.0, hue - 360.0, hue)
    has_hue = chroma >= colours.least_chroma
    blush = has_hue & (hue >= colours.blush_from_deg) & (hue <= colours.blush_to_deg)
    ground = has_hue & (hue > colours.blush_to_deg) & (hue <= colours.ground_to_deg)
    of_ground = area * (skin.seen & ground)
    towards = of_ground / np.maximum(chroma, 1e-6)
    spots = spots_on(skin_map, settings)
    dark_mm2 = float(spots.area_mm2.sum())
    ground_hue_deg = np.degrees(np.arctan2((towards * b).sum(), (towards * a).sum()))
    return SkinMeasures(
        height_mm=skin_map.height_mm,
        blush_fraction=_share(area, blush, (skin.weight > _LEAST_WEIGHT) & (blush | ground)),
        ground_hue_deg=float(ground_hue_deg) if of_ground.sum() > _LEAST_GROUND * whole else np.nan,
        skin_seen=float((area * skin.seen).sum() / whole),
        turn_deg=float(np.degrees(abs(skin_map.turn.rad_per_pulse)) * pulses_per_frame),
        defect_area_mm2=dark_mm2,
        defect_count=float(len(spots.area_mm2)),
        largest_defect_mm2=float(spots.area_mm2.max(initial=0.0)),
        defect_fraction=dark_mm2 / whole,
    )


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


def _share(area: Floats, what: NDArray[np.bool_], known: NDArray[np.bool_]) -> float:
    """Share of the area that is `what`; rows of which little is known are taken to be like the nearest one."""
    whole, of_known = area.sum(axis=1), (area * known).sum(axis=1)
    told = np.flatnonzero(of_known > _LEAST_SEEN * np.maximum(whole, 1e-9))
    if not len(told):
        return float("nan")
    share = (area * (what & known)).sum(axis=1)[told] / of_known[told]
    nearest = np.abs(np.arange(N_LATITUDES)[:, None] - told).argmin(axis=1)
    return float((share[nearest] * whole).sum() / whole.sum())
