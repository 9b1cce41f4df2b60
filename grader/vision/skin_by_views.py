"""The skin of a fruit of which there is no map: by its views, each weighed by the skin that it shows."""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from grader.domain.colour import ColourCalibration
from grader.domain.installation import CameraPlace, Line
from grader.domain.skin import Sighting, SkinMeasures
from grader.domain.views import MOST_VIEWS, VIEW_COLUMNS
from grader.vision.face import CELL_SHARE, SEEN_DEG, FaceSampler, skin_weights
from grader.vision.geometry import nominal_turn, sight_deg
from grader.vision.hues import skin_colours, tones_of
from grader.vision.light import light_of
from grader.vision.portrait import on_one_strip
from grader.vision.spots import SpotFinder, SpotSettings

Values = NDArray[np.float64]

_LARGEST = 0.9
"""Quantile of the largest spots of the views that stands for the largest of the fruit."""


class ByViewsSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """spots: which dark cells of a face are one. least_skin: of a whole face; a view that shows less says nothing."""

    spots: SpotSettings = SpotSettings()
    least_skin: float = 0.2


class SkinByViews:
    """Measures what one camera saw. A map tells four times as much; this is for fruit whose map is not there."""

    def __init__(
        self, camera: CameraPlace, line: Line, colours: ColourCalibration, settings: ByViewsSettings = ByViewsSettings()
    ) -> None:
        self._camera, self._colours, self._settings = camera, colours, settings
        self._faces = FaceSampler(MOST_VIEWS)
        self._spots = SpotFinder(MOST_VIEWS, settings.spots)
        self._skin_weights = np.stack([skin_weights(deg) for deg in sight_deg(camera, line)])

    def of(self, sighting: Sighting, diameter_mm: float, height_mm: float, turn_deg: float) -> SkinMeasures:
        """Of a fruit with one view or more. turn_deg: from frame to frame, NaN where outlines did not tell. Every value
        is NaN that nothing shows."""
        portraits, pulses = sighting.portraits, sighting.pulses
        faces = self._faces.sample(*on_one_strip(portraits), portraits.radius_px)
        turned = np.asarray((pulses - pulses[:1]) * self._rad_per_pulse(diameter_mm, turn_deg), np.float64)
        lab, hue_deg = skin_colours(light_of(faces), self._colours)
        cells = self._skin_weights[sighting.lane] * np.isfinite(hue_deg)
        weight = np.where(cells.sum(axis=1) >= self._settings.least_skin, turn_weights(turned), 0.0)
        spots = self._spots.find(faces)
        whole = float(weight.sum())
        dark, passing = (float(weight @ each) / whole if whole else np.nan for each in (spots.share, spots.passing))
        cell_mm2 = CELL_SHARE * np.pi * sighting.views[:, VIEW_COLUMNS["widest_mm"].start] ** 2
        area_mm2 = dark * spheroid_area_mm2(diameter_mm, height_mm)
        largest_mm2 = np.quantile(spots.largest_cells * cell_mm2, _LARGEST)
        return SkinMeasures(
            height_mm=height_mm,
            skin_seen=_skin_seen(turned),
            turn_deg=turn_deg,
            defect_area_mm2=area_mm2,
            defect_count=float(np.rint(passing)),
            largest_defect_mm2=float(np.minimum(largest_mm2, area_mm2)),
            defect_fraction=dark,
            stripe_contrast=np.nan,
            tones=tones_of(lab, hue_deg, weight[:, None] * cells),
        )

    def _rad_per_pulse(self, diameter_mm: float, turn_deg: float) -> float:
        if np.isfinite(turn_deg):
            return float(np.radians(turn_deg)) / self._camera.pulses_per_frame
        if self._camera.turn_deg_per_pulse is None:
            return float("nan")
        return float(nominal_turn(self._camera.turn_deg_per_pulse, diameter_mm))


def spheroid_area_mm2(diameter_mm: float, height_mm: float) -> float:
    """Surface of a spheroid with an equator of diameter_mm and an axis of height_mm, not longer than it.

    2 pi a^2 (1 + (1 - e^2) / e * artanh e), e^2 = 1 - c^2 / a^2 (oblate spheroid, any handbook).
    """
    a, c = diameter_mm / 2, min(height_mm, diameter_mm) / 2
    e = np.sqrt(max(1 - (c / a) ** 2, 1e-12))
    return float(2 * np.pi * a**2 * (1 + (1 - e**2) / e * np.arctanh(e)))


def turn_weights(turned_rad: Values) -> Values:
    """(v,) how much of a fruit's girth each view speaks for, in rad: half of the way to the views before and after it,
    at either end half of what no view looks straight at, and never farther than a view sees. Divided by how often its
    face came by: skin that a second turn shows again counts once.

    turned_rad: (v,) from the first view; where it is not known, all views count the same.
    """
    if not np.isfinite(turned_rad).all():
        return np.ones(len(turned_rad))
    first, last = turned_rad.min(), turned_rad.max()
    step = (last - first) / max(len(turned_rad) - 1, 1)
    again = np.floor((last + step / 2 - turned_rad) / (2 * np.pi))
    before = np.floor((turned_rad - first + step / 2) / (2 * np.pi))
    at_the_ends = max(2 * np.pi - (last - first), step) / 2
    order = np.argsort(turned_rad, kind="stable")
    between = np.diff(turned_rad[order]) / 2
    reach = np.minimum(np.concatenate([[at_the_ends], between, [at_the_ends]]), np.radians(SEEN_DEG))
    weight = np.empty(len(turned_rad))
    weight[order] = reach[:-1] + reach[1:]
    return np.asarray(weight / (1.0 + np.maximum(again, 0) + np.maximum(before, 0)))


def _skin_seen(turned_rad: Values) -> float:
    """Share of a ball's skin shown at SEEN_DEG or less; NaN where the turn is not known."""
    angle = np.ptp(turned_rad) + 2 * np.radians(SEEN_DEG)
    return float(min(angle / (2 * np.pi), 1.0) * np.sin(np.radians(SEEN_DEG)))
