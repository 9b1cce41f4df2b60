"""What a replay says of frames and readings that did not come as they should have, in sentences for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

from grader.domain.decisions import FruitRecord
from grader.domain.flags import Flag
from grader.domain.health import HealthLimits
from grader.station.line import FrameFaults, LineState
from grader.storage.recordings import Recording


def frame_notes(
    path: Path, pictures: Counter[str], faults: FrameFaults, records: Sequence[FruitRecord]
) -> Iterator[str]:
    """A sentence for each kind of fault; none for a sound recording.

    pictures: how many there were, by what was wrong with them, "" where nothing was.
    """
    unusable = pictures.total() - pictures[""]
    if unusable:
        what = ", ".join(f"{number} {damage}" for damage, number in pictures.most_common() if damage)
        yield f"{path}: {unusable} of {pictures.total()} pictures could not be used ({what})"
    if faults.missing:
        yield f"{path}: {faults.missing} frames are missing between others"
    if faults.passed_over:
        yield f"{path}: what crossed during {faults.passed_over} of them has no rows: they are too many to go through"
    if faults.colourless:
        yield f"{path}: {faults.colourless} pictures have no colour or no light: all their bands are the same"
    if faults.filled_up:
        yield f"{path}: {faults.filled_up} pictures did not come whole: lines of them are of one colour"
    if unusable or faults.missing or faults.colourless or faults.filled_up:
        yield f"{path}: cups that crossed then are flagged; {_unseen(records)} that no picture showed have a row"
    if faults.alike:
        yield f"{path}: {faults.alike} pictures are one of those before them once more: the camera stood still"
    if faults.uncounted:
        yield (
            f"{path}: in {faults.uncounted} pictures the belt has moved and the encoder has not counted: "
            "fruit that crossed then have no row of their own"
        )
    cups = {(record.lane, record.cup) for record in records}
    at_start, at_end = len(cups & faults.cut_at_start), len(cups & faults.cut_at_end)
    if at_start or at_end:
        yield (
            f"{path}: {at_start} fruit were in view before the first picture was taken, {at_end} after the last one: "
            "these were seen in part, and are flagged frame_lost"
        )
    jumped = sum(bool(record.flags & Flag.PULSE_JUMP) for record in records)
    if jumped:
        yield f"{path}: the encoder jumped while {jumped} fruit crossed; fruit may have been missed among them"
    beside = sum(bool(record.flags & Flag.OUT_OF_PLACE) for record in records)
    if beside:
        yield (
            f"{path}: {beside} of {len(records)} fruit were not where their cups should be: the encoder slipped, or "
            "recording.toml does not say where the camera stood"
        )
    if faults.strays:
        yield (
            f"{path}: things of the size of a fruit lay beside the lanes, {faults.strays} times: fruit of other lanes "
            "are not graded; check lanes, lane_pitch_px and cup_zero_px"
        )
    pale = sum(bool(record.flags & Flag.NO_COLOUR) for record in records)
    if 2 * pale > len(records):
        yield f"{path}: {pale} of {len(records)} fruit have no colour that fruit have: are red and blue exchanged?"
    if unusable or faults.missing or faults.alike or faults.colourless or faults.filled_up or faults.uncounted:
        yield f"{path}: `grader check {path}` names each row"


def _unseen(records: Sequence[FruitRecord]) -> int:
    lost = Flag.FRAME_LOST | Flag.FRAME_DAMAGED | Flag.FRAME_REPEATED
    return sum(bool(record.flags & Flag.NOT_SEEN and record.flags & lost) for record in records)


_FEWEST = 10
"""Readings or fruit of which something can be said together."""
_BESIDE_CUPS = 0.25
_DENSITY_SPREAD = 0.06
"""Fruit of one lot have densities within 2 %; where masses are their neighbours', it is 10 % and more."""


def reading_notes(recording: Recording, state: LineState, records: Sequence[FruitRecord]) -> Iterator[str]:
    """Sentences about sensors that are not where they are said to be."""
    path, place, course = recording.path, recording.installation, state.track.course
    if state.track.ignored_readings:
        yield f"{path}: {state.track.ignored_readings} weighings and scans belong to no cup that can have been there"
    weighed = [weighing.pulse - course.scale for weighing in recording.weighings if course.scale is not None]
    yield from _beside(path, "scale", weighed, course.pulses_per_cup)
    for name in place.spectrometers:
        scans = [scan for scan in recording.scans if scan.spectrometer == name and scan.kind == "sample"]
        after = [scan.pulse - course.spectrometers[name] for scan in scans]
        yield from _beside(path, f"spectrometers.{name}", after, course.pulses_per_cup)
    densities = [value for record in records if (value := record.values["density_g_per_ml"]) is not None]
    if len(densities) >= _FEWEST:
        usual = median(densities)
        spread = 1.4826 * median(abs(density / usual - 1) for density in densities)
        if spread > _DENSITY_SPREAD:
            yield f"{path}: masses do not go with sizes (densities differ by {spread:.0%}): are they of other cups?"


def _beside(path: Path, sensor: str, pulses: Sequence[int], pulses_per_cup: int) -> Iterator[str]:
    """pulses: of its readings, after where it is said to stand."""
    half = pulses_per_cup // 2
    off = [(pulse + half) % pulses_per_cup - half for pulse in pulses]
    if len(off) >= _FEWEST and median(map(abs, off)) > _BESIDE_CUPS * pulses_per_cup:
        yield f"{path}: {sensor} reads half way between cups, {median(off):+g} pulses off: check its position_mm"


def seat_notes(path: Path, moved_mm: float | None) -> Iterator[str]:
    """Whether fruit lie elsewhere in their cups than at first, all of them."""
    if moved_mm is not None and moved_mm > HealthLimits().most_moved_mm:
        yield f"{path}: in the end all fruit lie {moved_mm:.1f} mm from where they lay at first; was the camera bumped?"
