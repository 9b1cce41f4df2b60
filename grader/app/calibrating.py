"""Calibrations that need a recording: it is replayed, and what was seen of its fruit goes to the procedure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.blush import LEAST_MARKED, BlushFit, fit_blush
from grader.app.replay import replay
from grader.app.setting_up import maps_by
from grader.domain.decisions import FruitRecord
from grader.domain.skin import Sighting
from grader.errors import BadFile
from grader.station.line import LineSettings
from grader.storage.fruit_table import read_fruit_csv
from grader.vision.skin_by_views import SkinByViews
from grader.vision.skin_map.mapper import MapSettings, SkinMapper
from grader.vision.skin_map.measures import colours_on
from grader.vision.skin_map.picture import blush_picture

_MOST_DRAWN = 12
At = tuple[int, int]
"""Lane and cup."""


class BlushFound(NamedTuple):
    """marked: what people said, by lane and cup, in the order of `fit.measured`. variety: empty where nobody said."""

    fit: BlushFit
    marked: dict[At, float]
    sightings: dict[At, Sighting]
    settings: LineSettings
    variety: str
    warnings: tuple[str, ...]


def find_blush(
    recording: Path,
    marked_csv: Path,
    *,
    sheet: Path | str | None = None,
    variety: str = "",
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> BlushFound:
    """Fit where blush ends to fruit of a recording that people marked.

    marked_csv: a table of lane, cup and blush_fraction, with what other columns of fruit.csv there are; rows without a
    share are not marked. sheet, variety: as for `replay`. Raises BadFile for what is wrong with the table, GraderError
    as `fit_blush`, else as `replay`.
    """
    marked = read_marked(marked_csv)
    sightings: dict[At, Sighting] = {}

    def see(left: Sequence[Sighting]) -> None:
        sightings.update({(each.lane, each.cup): each for each in left if (each.lane, each.cup) in marked})

    replayed = replay(recording, sheet=sheet, variety=variety, progress=progress, see=see)
    records = {(record.lane, record.cup): record for record in replayed.records}
    for lane, cup in marked:
        if (lane, cup) not in sightings or (lane, cup) not in records:
            text = f"lane {lane} cup {cup} is marked, and no fruit was seen there in {recording}"
            raise BadFile(marked_csv, text, remedy="`grader replay` writes a fruit.csv with all lanes and cups")
        if (share := marked[lane, cup]) == records[lane, cup].values["blush_fraction"] and round(share, 2) != share:
            text = f"lane {lane} cup {cup}: {share:g} is what the station measures, and nobody's word"
            raise BadFile(marked_csv, text, remedy="leave blush_fraction empty where nobody looked")
    tones = _tones(replayed.settings, [sightings[at] for at in marked], [records[at] for at in marked])
    told = np.isfinite(tones[:, 0, 0])
    if not told.all():
        lane, cup = list(marked)[int(np.argmin(told))]
        raise BadFile(marked_csv, f"lane {lane} cup {cup} shows no colour", remedy="leave it out")
    fit = fit_blush(tones, np.array(list(marked.values())))
    settings = replayed.settings
    named = variety or settings.installation.variety
    return BlushFound(fit, marked, sightings, settings, named.strip(), replayed.warnings)


def read_marked(path: Path) -> dict[At, float]:
    """Shares that people said, by lane and cup. Raises BadFile."""
    table = read_fruit_csv(path)
    if "blush_fraction" not in table.columns:
        raise BadFile(path, "has no column blush_fraction", row=1, remedy="name what was marked so: shares from 0 to 1")
    marked: dict[At, float] = {}
    for record in table:
        share, at = record.values["blush_fraction"], (record.lane, record.cup)
        if share is None:
            continue
        if not 0.0 <= share <= 1.0:
            text = f"lane {at[0]} cup {at[1]}: blush_fraction is {share:g}"
            raise BadFile(path, text, remedy="give shares from 0 to 1: 60 % is 0.6")
        if at in marked:
            raise BadFile(path, f"lane {at[0]} cup {at[1]} is marked twice", remedy="leave one of the two")
        marked[at] = share
    if len(marked) < LEAST_MARKED:
        raise BadFile(path, f"{len(marked)} fruit are marked", remedy=f"mark {LEAST_MARKED} or more")
    return marked


def _tones(
    settings: LineSettings, sightings: Sequence[Sighting], records: Sequence[FruitRecord]
) -> NDArray[np.float32]:
    """(n, 4, N_HUES) as the line would measure them: by a map, or where there is none by the views."""
    by_views = SkinByViews(settings.camera_place, settings.installation.line, settings.colours, settings.by_views)
    found = []
    for sighting, record, made in zip(sightings, records, maps_by(settings).of(sightings), strict=True):
        body = (record.values[name] for name in ("diameter_mm", "height_mm", "turn_deg"))
        known = (float("nan") if value is None else value for value in body)
        found.append((made.measures or by_views.of(sighting, *known)).tones)
    return np.stack(found)


def require_picture(path: Path) -> None:
    """Raises BadFile for a name that no picture can be written under."""
    if path.is_dir() or not cv2.haveImageWriter(str(path)):
        raise BadFile(path, "cannot be written as a picture", remedy="name one that ends in .png")


def write_blush_picture(found: BlushFound, path: Path) -> int:
    """Maps of the marked fruit with their blush outlined, those that are farthest off first; how many there are: none
    where no marked fruit has a map. Raises BadFile where it cannot be written."""
    settings, off = found.settings, np.abs(found.fit.measured - list(found.marked.values()))
    mapping = settings.mapping or MapSettings()
    mapper = SkinMapper(settings.camera_place, mapping)
    strips: list[NDArray[np.uint8]] = []
    places = list(found.marked.items())
    for index in np.argsort(-off, kind="stable").tolist():
        at, marked = places[index]
        if len(strips) == _MOST_DRAWN:
            break
        (skin_map,) = mapper.map([found.sightings[at]])
        if skin_map is not None:
            caption = f"{at[0]} / {at[1]}    {100 * marked:.0f} % | {100 * found.fit.measured[index]:.0f} %"
            blush = colours_on(skin_map, settings.colours, mapping)[1] <= found.fit.to_deg
            strips.append(blush_picture(skin_map, blush, caption))
    if strips and not cv2.imwrite(str(path), np.concatenate(strips)):
        raise BadFile(path, "cannot be written")
    return len(strips)
