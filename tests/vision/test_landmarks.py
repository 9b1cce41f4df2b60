"""Which end is the stem's: told by the shoulders, more surely by a stalk."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.skins_on_maps import body_under
from grader.app.replay import replay
from grader.domain.skin import Sighting
from grader.storage.recordings import new_recording
from grader.vision.skin_map.landmarks import Landmarks, landmarks
from grader.vision.skin_map.mapper import SkinMapper, map_settings_for
from hardware.sim.levels import CHANGING
from hardware.sim.line import LineSettings, SimulatedLine
from hardware.sim.reference import CAMERA
from hardware.sim.simulate import simulate
from hardware.sim.varieties import VARIETIES

STALKLESS = (0.0, 0.0)


def found_on(folder: Path, variety: str, stem_mm: tuple[float, float] | None = None) -> list[tuple[Landmarks, bool]]:
    """Of every fruit of a short recording: its landmarks, and whether its stem is where they say."""
    kind = VARIETIES[variety]
    kind = kind if stem_mm is None else replace(kind, stem_mm=stem_mm)
    settings = LineSettings(level=CHANGING, seed=4, fruit=24, lanes=2, variety=kind)
    line = SimulatedLine(settings)
    with new_recording(folder / "line", line.installation) as recording:
        simulate(settings, recording, workers=1)
    camera, sightings = line.installation.cameras[CAMERA], list[Sighting]()
    replay(folder / "line", see=sightings.extend)
    found = []
    mapping = map_settings_for("apple")
    for sighting, skin_map in zip(sightings, SkinMapper(camera, mapping).map(sightings), strict=True):
        passage = line.passage_of(sighting.lane, sighting.cup)
        if skin_map is None or passage is None:
            continue
        ends = landmarks(sighting, skin_map, camera, mapping)
        assert ends is not None
        assert landmarks(sighting, skin_map, camera, map_settings_for("citrus")) is None
        stem = body_under(passage[1], sighting, skin_map) @ (0.0, 0.0, 1.0)
        found.append((ends, bool(ends.stem @ stem > np.cos(np.radians(10)))))
    return found


@pytest.mark.parametrize("variety", ["Fuji", "Golden"])
def test_the_stem_is_told_from_the_calyx_and_a_guess_is_called_one(tmp_path: Path, variety: str) -> None:
    found = found_on(tmp_path, variety)
    assert len(found) >= 20
    assert np.mean([right for _, right in found]) > 0.9
    known = [right for ends, right in found if ends.known]
    assert len(known) > 0.7 * len(found)
    assert all(known)
    assert np.mean([ends.stalk_mm > 0 for ends, _ in found]) > 0.5  # the others are shorter than their cavity is deep


def test_where_no_stalk_is_none_is_seen_and_the_shoulders_tell_the_stem(tmp_path: Path) -> None:
    found = found_on(tmp_path, "Golden", STALKLESS)
    assert {ends.stalk_mm for ends, _ in found} == {0.0}
    assert np.mean([right for _, right in found]) > 0.9
