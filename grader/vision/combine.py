"""Many views of a fruit into one measurement of it, weighted by the skin that each view shows."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from grader.domain.installation import CameraPlace
from grader.domain.views import VIEW_VALUES
from grader.vision.face import SEEN_DEG
from grader.vision.geometry import REFERENCE_DIAMETER_MM, nearer_by

Values = NDArray[np.float64]


class CombineSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How views are weighed against each other.

    widest_quantile: of the widest callipers of all views; the largest diameter across the stem-calyx axis shows in
    nearly every view of a turning fruit, the quantile keeps a single bad outline from deciding.
    narrowest_quantile: of the least callipers; they come down to the height in the views that show the axis in full.
    size_offset_mm: added to both, from calibration against bodies of known size.
    least_skin: of a whole face; a view that shows less says nothing about colour.
    """

    widest_quantile: float = 0.80
    narrowest_quantile: float = 0.10
    size_offset_mm: float = 0.0
    least_skin: float = 0.2


class Combined(NamedTuple):
    """A row per fruit, (n,) float64; NaN where no view served. Names and units as in `FruitMeasurements`."""

    diameter_mm: Values
    height_mm: Values
    volume_ml: Values
    blush_fraction: Values
    ground_hue_deg: Values
    defect_area_mm2: Values
    defect_count: Values
    largest_defect_mm2: Values
    defect_fraction: Values
    roundness: Values
    skin_seen: Values


_COLUMN = {name: number for number, name in enumerate(VIEW_VALUES)}


def combined(
    views: NDArray[np.float32],
    pulses: NDArray[np.int64],
    whole: NDArray[np.bool_],
    camera: CameraPlace,
    settings: CombineSettings,
) -> Combined:
    """Measurements of n fruit from up to v views each.

    views: (n, v, len(VIEW_VALUES)) float32; pulses: (n, v) int64; whole: (n, v) bool, views that count.
    """
    value = {name: np.where(whole, views[:, :, column], np.nan).astype(np.float64) for name, column in _COLUMN.items()}
    widest = _quantile(value["widest_mm"], settings.widest_quantile)
    narrowest = _quantile(value["narrowest_mm"], settings.narrowest_quantile)
    nearer = nearer_by(camera, widest)
    diameter = widest * nearer + settings.size_offset_mm
    height = np.minimum(narrowest * nearer + settings.size_offset_mm, diameter)

    weight = np.where(
        whole & (value["skin_weight"] >= settings.least_skin), _turn_weights(pulses, whole, diameter, camera), 0.0
    )
    skin = _sum(weight, value["skin_weight"])
    faces = weight.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        blush = np.where(skin > 0, _sum(weight, value["blush_weight"]) / skin, np.nan)
        ground = _sum(weight, value["ground_weight"])
        hue = np.where(ground > 0.02 * faces, _sum(weight, value["ground_hue_sum_deg"]) / ground, np.nan)
        dark = np.where(faces > 0, _sum(weight, value["dark_weight"]) / faces, np.nan)
        spots = np.where(faces > 0, np.rint(_sum(weight, value["dark_spots"]) / faces), np.nan)
        across = _quantile(value["across_mm"], 0.5)
    largest = _quantile(value["largest_dark_mm2"], 0.9)
    area = dark * spheroid_area_mm2(diameter, height)
    return Combined(
        diameter_mm=diameter,
        height_mm=height,
        volume_ml=np.pi / 6 * diameter**2 * height / 1000.0,
        blush_fraction=blush,
        ground_hue_deg=hue,
        defect_area_mm2=area,
        defect_count=np.where((area > 0) & (spots == 0), 1.0, spots),
        largest_defect_mm2=np.where(np.isnan(area), np.nan, np.minimum(largest, area)),
        defect_fraction=dark,
        roundness=across / widest,
        skin_seen=_skin_seen(pulses, whole, diameter, camera),
    )


def spheroid_area_mm2(diameter_mm: Values, height_mm: Values) -> Values:
    """Surface of a spheroid with an equator of diameter_mm and an axis of height_mm, not longer than it.

    2 pi a^2 (1 + (1 - e^2) / e * artanh e), e^2 = 1 - c^2 / a^2 (oblate spheroid, any handbook).
    """
    a, c = diameter_mm / 2, np.minimum(height_mm, diameter_mm) / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        e = np.sqrt(np.maximum(1 - (c / a) ** 2, 1e-12))
        return np.asarray(2 * np.pi * a**2 * (1 + (1 - e**2) / e * np.arctanh(e)))


def _turn_rad(pulses: NDArray[np.int64], diameter_mm: Values, camera: CameraPlace) -> Values | None:
    """How far each fruit has turned at each view, from its first row, if the camera says how fast they turn."""
    if camera.turn_deg_per_pulse is None:
        return None
    per_pulse = np.radians(camera.turn_deg_per_pulse) * REFERENCE_DIAMETER_MM / diameter_mm
    return np.asarray((pulses - pulses[:, :1]) * per_pulse[:, None])


def _turn_weights(
    pulses: NDArray[np.int64], whole: NDArray[np.bool_], diameter_mm: Values, camera: CameraPlace
) -> Values:
    """One over how often each view's face came by: skin that a second turn shows again counts once."""
    turn = _turn_rad(pulses, diameter_mm, camera)
    if turn is None:
        return whole.astype(np.float64)
    turn = np.where(whole, turn, np.nan)
    with np.errstate(invalid="ignore"):
        first, last = _least(turn, np.inf), -_least(-turn, np.inf)
        step = (last - first) / np.maximum(whole.sum(axis=1) - 1, 1)
        again = np.floor((last[:, None] + step[:, None] / 2 - turn) / (2 * np.pi))
        before = np.floor((turn - first[:, None] + step[:, None] / 2) / (2 * np.pi))
    return np.where(whole & np.isfinite(turn), 1.0 / (1.0 + np.maximum(again, 0) + np.maximum(before, 0)), 0.0)


def _skin_seen(pulses: NDArray[np.int64], whole: NDArray[np.bool_], diameter_mm: Values, camera: CameraPlace) -> Values:
    """Share of a ball's skin shown at SEEN_DEG or less, from the nominal turn; NaN where the turn is not stated."""
    turn = _turn_rad(pulses, diameter_mm, camera)
    if turn is None:
        return np.full(len(whole), np.nan)
    turn = np.where(whole, turn, np.nan)
    with np.errstate(invalid="ignore"):
        angle = -_least(-turn, np.inf) - _least(turn, np.inf) + 2 * np.radians(SEEN_DEG)
    seen = np.minimum(angle / (2 * np.pi), 1.0) * np.sin(np.radians(SEEN_DEG))
    return np.where(whole.any(axis=1), seen, 0.0)


def _least(values: Values, empty: float) -> Values:
    return np.asarray(np.min(np.where(np.isnan(values), empty, values), axis=1))


def _sum(weight: Values, values: Values) -> Values:
    return np.asarray(np.einsum("nv,nv->n", weight, np.where(np.isnan(values), 0.0, values)))


def _quantile(values: Values, share: float) -> Values:
    """Quantile along the views, between neighbours by a straight line, NaN left out; NaN where all are."""
    ordered = np.sort(values, axis=1)  # NaN last
    known = np.isfinite(ordered).sum(axis=1)
    place = share * np.maximum(known - 1, 0)
    low = np.floor(place).astype(np.int64)
    high = np.minimum(low + 1, np.maximum(known - 1, 0))
    row = np.arange(len(values))
    below, above = ordered[row, low], ordered[row, high]
    return np.asarray(below + (above - below) * (place - low))
