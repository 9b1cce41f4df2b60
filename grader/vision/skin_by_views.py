"""The skin of a fruit of which there is no map: by its views, each weighed by the skin that it shows."""

from __future__ import annotations

import numpy as np

from grader.domain.colour import ColourCalibration
from grader.domain.installation import CameraPlace, Line
from grader.domain.skin import Sighting, SkinMeasures
from grader.domain.views import MOST_VIEWS, VIEW_COLUMNS
from grader.vision.combine import CombineSettings, skin_of, spheroid_area_mm2
from grader.vision.complexion import Complexion
from grader.vision.face import FaceSampler
from grader.vision.geometry import nominal_turn
from grader.vision.portrait import on_one_strip
from grader.vision.spots import SpotSettings


class SkinByViews:
    """Measures what one camera saw. A map tells four times as much; this is for fruit whose map is not there."""

    def __init__(
        self, camera: CameraPlace, line: Line, colours: ColourCalibration, spots: SpotSettings, combine: CombineSettings
    ) -> None:
        self._camera, self._combine = camera, combine
        self._faces = FaceSampler(MOST_VIEWS)
        self._complexion = Complexion(MOST_VIEWS, camera, line, colours, spots)

    def of(self, sighting: Sighting, diameter_mm: float, height_mm: float, turn_deg: float) -> SkinMeasures:
        """turn_deg: from frame to frame, NaN where outlines did not tell. Every value is NaN that nothing shows."""
        portraits, n = sighting.portraits, len(sighting.pulses)
        faces = self._faces.sample(*on_one_strip(portraits), portraits.radius_px)
        widest_mm = sighting.views[:, VIEW_COLUMNS["widest_mm"].start]
        seen = self._complexion.of(faces, np.full(n, sighting.lane), widest_mm)
        told = skin_of(
            {name: values[None].astype(np.float64) for name, values in seen.items()},
            np.multiply((sighting.pulses - sighting.pulses[:1])[None], self._rad_per_pulse(diameter_mm, turn_deg)),
            np.ones((1, n), bool),
            spheroid_area_mm2(np.array([diameter_mm]), np.array([height_mm])),
            self._combine,
        )
        skin = {name: float(values[0]) for name, values in told._asdict().items()}
        return SkinMeasures(**skin, height_mm=height_mm, turn_deg=turn_deg)

    def _rad_per_pulse(self, diameter_mm: float, turn_deg: float) -> float:
        if np.isfinite(turn_deg):
            return float(np.radians(turn_deg)) / self._camera.pulses_per_frame
        if self._camera.turn_deg_per_pulse is None:
            return float("nan")
        return float(nominal_turn(self._camera.turn_deg_per_pulse, diameter_mm))
