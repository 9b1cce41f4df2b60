"""A fruit whose skin has no map is measured from its portraits as it would have been from the frames."""

from __future__ import annotations

import numpy as np
import pytest
from scenes import DARK_RED, RED, YELLOW, Disc, camera, frame, line

from grader.domain.colour import ColourCalibration
from grader.domain.skin import Portraits, Sighting
from grader.domain.views import VIEW_COLUMNS, Occupancy
from grader.units import Pulse
from grader.vision.combine import CombineSettings, combined
from grader.vision.eye import Eye
from grader.vision.skin_by_views import SkinByViews
from grader.vision.spots import SpotSettings

PLACE, LINE = camera(2, 1280, turn_deg_per_pulse=0.47), line(2)
PULSES = range(144, 960, 48)
SKIN = ("skin_weight", "blush_weight", "ground_weight", "ground_hue_sum_deg", "dark_weight", "dark_spots")


def pictures(lane: int, spot_px: float) -> dict[int, np.ndarray]:
    """Frames that a fruit of cup 0 crosses: yellow, its left half red; a dark spot wanders over it."""
    shown = {}
    for pulse in PULSES:
        x, y = pulse / 0.8 + 3.0, 80.0 + 150.0 * lane - 2.0
        plain, red = (frame(PLACE, [Disc(x, y, 95, colour)], 1.5, pulse) for colour in (YELLOW, RED))
        both = np.where((np.arange(1280) < x)[None, :, None], red, plain)
        along = 24.0 - (pulse - PULSES[0]) / 17
        dark = frame(PLACE, [Disc(x + along, y + 4, spot_px, DARK_RED)])
        covers = np.hypot(np.arange(1280)[None] - x - along, np.arange(both.shape[0])[:, None] - y - 4) < spot_px / 2
        shown[pulse] = np.where(covers[..., None], dark, both)
    return shown


@pytest.mark.parametrize(("lane", "spot_px"), [(0, 14.0), (1, 22.0)])
def test_portraits_say_of_colour_and_spots_what_the_frames_said(lane: int, spot_px: float) -> None:
    seen, kept, portraits = [], [], []
    eye = Eye(PLACE, LINE)
    for pulse, picture in pictures(lane, spot_px).items():
        looked = eye.look(picture, Pulse(pulse))
        at = np.flatnonzero(looked.occupancy == Occupancy.ONE)
        seen.append(looked.table()[at[0]])
        views, shown = eye.look_and_keep(picture, Pulse(pulse))
        assert shown.row.tolist() == at.tolist()
        kept.append(views.table()[at[0]])
        portraits.append(shown.cuts.portraits())
    for name, columns in VIEW_COLUMNS.items():
        values = np.array(kept)[:, columns]
        assert (
            np.isnan(values).all()
            if name in (*SKIN, "largest_dark_mm2")
            else (values == np.array(seen)[:, columns]).all()
        )
    pulses, settings = np.array(PULSES), CombineSettings()
    sighting = Sighting(
        lane, 0, pulses, np.array(kept), Portraits(*(np.concatenate(each) for each in zip(*portraits, strict=True)))
    )
    whole = np.ones((1, len(pulses)), bool)
    by_frames = combined(np.array(seen)[None], pulses[None], whole, PLACE, settings)._asdict()
    by_views = SkinByViews(PLACE, LINE, ColourCalibration(), SpotSettings(), settings)
    found = by_views.of(sighting, *(float(by_frames[name][0]) for name in ("diameter_mm", "height_mm", "turn_deg")))
    assert found.blush_fraction == pytest.approx(0.5, abs=0.1)
    for name in ("blush_fraction", "ground_hue_deg", "skin_seen", "turn_deg"):
        assert getattr(found, name) == pytest.approx(float(by_frames[name][0]), rel=1e-4, nan_ok=True), name
    # Shade is told from all faces that are looked at together: here the fruit's own, there those of the frame.
    assert found.defect_area_mm2 > 100.0 and by_frames["defect_area_mm2"][0] > 100.0
