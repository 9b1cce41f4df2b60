"""A recording through the station's own step: the same recording and files give the same decisions, to the byte."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2

from grader.app.replay_notes import frame_notes, reading_notes, seat_notes
from grader.app.setting_up import decider, maps_by
from grader.domain.decisions import FruitRecord
from grader.domain.frames import Frame
from grader.domain.latency import LatencyHistogram
from grader.domain.skin import MappedSkin, Sighting
from grader.processes import keep_memory
from grader.station.line import LineSettings, new_line, run_out, step
from grader.station.readings_queue import ReadingsByPulse
from grader.storage.fruit_table import (
    FRUIT_COLUMNS,
    FruitTable,
    columns_not_compared,
    compare,
    format_differences,
    write_fruit_csv,
)
from grader.storage.provenance import software_versions
from grader.storage.recordings import Recording, open_gradable, recording_sha256
from grader.storage.summary import Summary, summary_of, tally_of, write_summary


class Replayed(NamedTuple):
    """fruit.csv's rows in order of lane and cup; the summary; what the recording's reader had to say; and with what all
    was decided."""

    records: list[FruitRecord]
    summary: Summary
    warnings: tuple[str, ...]
    settings: LineSettings


def replay(
    path: Path,
    *,
    sheet: Path | str | None = None,
    variety: str = "",
    progress: Callable[[int, int], None] = lambda done, total: None,
    see: Callable[[Sequence[Sighting]], None] = lambda sightings: None,
    disturb: Callable[[Iterator[Frame]], Iterator[Frame]] = lambda frames: frames,
) -> Replayed:
    """Run a recording through the station. progress: told (frames done, frames in all). see: shown every fruit that has
    left the picture. disturb: what happens to frames on their way, to know what it would do.

    Raises BadRecording, BadSettings, BadArtefact.
    """
    cv2.setNumThreads(1)  # the frames are read ahead by threads of their own
    started_s = time.monotonic()
    recording = open_gradable(path)
    keep_memory()
    chosen = decider(recording.installation, sheet=sheet, variety=variety, camera=recording.graded_by)
    state, maps = new_line(chosen.settings), maps_by(chosen.settings)
    readings = ReadingsByPulse(recording.weighings, recording.scans)
    step_ms, map_ms = LatencyHistogram(), LatencyHistogram()
    records: list[FruitRecord] = []

    def map_all(sightings: Sequence[Sighting]) -> list[MappedSkin]:
        see(sightings)
        made = maps.of(sightings)
        map_ms.add([each.took_ms for each in made])
        return made

    mapped: list[MappedSkin] = []
    pictures: Counter[str] = Counter()
    for done, frame in enumerate(disturb(_frames(recording, chosen.settings.camera))):
        before = time.perf_counter()
        result = step(chosen.settings, state, frame, readings.up_to(frame.pulse), maps=mapped)
        step_ms.add((time.perf_counter() - before) * 1e3)
        mapped = map_all(result.sightings)
        records += result.records
        pictures["" if frame.pixels is not None else frame.damage] += 1
        progress(done + 1, recording.n_frames)
    # After the last frame the belt is taken to run on until every fruit has passed the last gate.
    records += run_out(chosen.settings, state, readings.rest(), map_all).records
    duration_s = time.monotonic() - started_s
    summary = summary_of(
        tally_of(records),
        duration_s=duration_s,
        frames_dropped=state.faults.missing + pictures.total() - pictures[""],
        latency={"step": step_ms.latency(), "map": map_ms.latency()},
        versions=software_versions(),
        hashes={"recording": recording_sha256(path), **chosen.hashes},
        growers={lot.name: lot.grower for lot in recording.installation.lots},
    )
    return Replayed(
        sorted(records, key=lambda record: (record.lane, record.cup)),
        summary,
        (
            *chosen.warnings,
            *recording.warnings,
            *_others_left(recording),
            *frame_notes(path, pictures, state.faults, records),
            *reading_notes(recording, state, records),
            *seat_notes(path, state.track.seats.moved_mm),
        ),
        chosen.settings,
    )


def _others_left(recording: Recording) -> Iterator[str]:
    if len(recording.cameras) > 1:
        names, one = ", ".join(recording.cameras), recording.graded_by
        yield f"{recording.path}: of its cameras {names}, fruit are graded by what {one} shows alone"


def write_out(replayed: Replayed, out: Path) -> Path:
    """fruit.csv and summary.json into a folder, made if need be. Returns the path of fruit.csv."""
    out.mkdir(parents=True, exist_ok=True)
    write_fruit_csv(out / "fruit.csv", replayed.records)
    write_summary(out / "summary.json", replayed.summary)
    return out / "fruit.csv"


def _frames(recording: Recording, camera: str) -> Iterator[Frame]:
    return (frame for frame in recording.frames() if frame.camera == camera)


def differences(replayed: Replayed, expected: FruitTable) -> tuple[int, str]:
    """How many values differ beyond the stated tolerances, and what to tell people."""
    found = compare(FruitTable(FRUIT_COLUMNS, tuple(replayed.records)), expected)
    return len(found), format_differences(found, not_compared=columns_not_compared(expected))
