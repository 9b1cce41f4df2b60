"""One fruit of a recording: what was seen of it, what was measured, and why it went where it went."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2

from grader.app.replay import replay
from grader.domain.decisions import FruitRecord
from grader.domain.skin import Sighting
from grader.errors import BadFile, GraderError
from grader.vision.skin_map.landmarks import Landmarks, landmarks
from grader.vision.skin_map.mapper import MapSettings, SkinMap, SkinMapper
from grader.vision.skin_map.measures import spots_on
from grader.vision.skin_map.picture import picture_of
from grader.vision.skin_map.spots import Spots


class Explained(NamedTuple):
    """record: as in fruit.csv. sighting: None where no camera saw it; skin_map, spots: None where it cannot be told how
    it turned, either. ends: None of fruit that have no stem and calyx, too."""

    record: FruitRecord
    sighting: Sighting | None
    skin_map: SkinMap | None = None
    spots: Spots | None = None
    ends: Landmarks | None = None


def explain(
    recording: Path,
    lane: int,
    cup: int,
    *,
    sheet: Path | str | None = None,
    variety: str = "",
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Explained:
    """Replay the recording and look at one fruit. Raises GraderError where the cup held none, else as `replay`."""
    found: list[Sighting] = []

    def see(sightings: Sequence[Sighting]) -> None:
        found.extend(each for each in sightings if (each.lane, each.cup) == (lane, cup))

    replayed = replay(recording, sheet=sheet, variety=variety, progress=progress, see=see)
    records = [record for record in replayed.records if (record.lane, record.cup) == (lane, cup)]
    if not records:
        raise GraderError(f"{recording}: no fruit was in lane {lane} cup {cup}: see the rows of its fruit.csv")
    sighting = found[-1] if found else None
    if sighting is None:
        return Explained(records[-1], None)
    mapping, camera = replayed.settings.mapping or MapSettings(), replayed.settings.camera_place
    (skin_map,) = SkinMapper(camera, mapping).map([sighting])
    if skin_map is None:
        return Explained(records[-1], sighting)
    ends = landmarks(sighting, skin_map, camera, mapping)
    return Explained(records[-1], sighting, skin_map, spots_on(skin_map, mapping), ends)


def write_picture(explained: Explained, path: Path) -> None:
    """Raises BadFile where it cannot be written; ValueError without a sighting."""
    if explained.sighting is None:
        raise ValueError("nothing was seen of it")
    picture = picture_of(explained.sighting.portraits, explained.skin_map, explained.spots, explained.ends)
    try:
        written = cv2.imwrite(str(path), picture)
    except cv2.error:
        written = False
    if not written:
        raise BadFile(path, "cannot be written as a picture", remedy="name one that ends in .png")
