"""What an installation can be: the limits of every number, and what must agree between them.

A station file and a recording.toml describe the same devices, so both are held against this one. Limits are far from
what lines have, and near enough to catch a misprint: a number in the wrong unit, a digit too many.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any, NamedTuple

import msgspec

from grader.domain.faults import Fault, Path
from grader.domain.installation import (
    COLOURS,
    CameraPlace,
    Gates,
    Installation,
    Line,
    LotMark,
    Scale,
    Spectrometer,
    usual_camera,
)
from grader.domain.shape import is_number, shape_faults
from grader.units import pulses_from_mm

MOST_LANES = 12
MOST_GATES = 16
"""Outlets with a gate in one lane. Like the lanes, as many as the gate board's protocol knows."""
MOST_CUPS_FOLLOWED = 512
"""Of one lane, from the picture to the decision."""
MOST_PIXELS = 50_000_000
MOST_BANDS = 8

_ABOVE_ZERO = 1e-6
_FAR_MM = 100_000.0  # no line is longer: with a misprint beyond it a run would drain for ever
_LONGEST = f"a line is {_FAR_MM / 1000:g} m long at most"
_FAR_PX = 1e6
_SERIALS = 2.0**53
_WORD = 2**16 - 1  # pulses of a cup, a frame and a lead are 16 bits on their way to the gate board
_SLOWEST_GATE_MS = 1000.0
"""What takes longer is no gate, 15 cups pass meanwhile. The board could count to 6553.5 ms."""

_CUP_MM = (40.0, 500.0)
_LANE_MM = (40.0, 1000.0)
_FRUIT_MM, _LEAST_FRUIT_PX = 80.0, 24.0
"""A fruit drawn with fewer pixels is taken for dirt, and lost without a word."""
_TURN_DEG = (0.01, 5.0)
"""Per pulse, either sense. The reference line's fruit turn by 0.47 in a pulse of 1 mm: room for pulses of 0.1 to 5 mm.
A turn of 0 would have every view from the same side, and sizes made of that."""


class _Range(NamedTuple):
    least: float
    most: float
    remedy: str


_LIMITS: dict[type[msgspec.Struct], dict[str, _Range]] = {
    Line: {
        "lanes": _Range(1, MOST_LANES, f"a station has 1 to {MOST_LANES} lanes"),
        "pulses_per_cup": _Range(2, _WORD, f"give the encoder pulses from one cup to the next, 2 to {_WORD}"),
        "mm_per_pulse": _Range(_ABOVE_ZERO, 1000, "give the belt's travel per pulse in mm, above 0"),
        "cups_per_second": _Range(0.1, 100, "give the rated speed, 0.1 to 100"),
        "cups_per_chain": _Range(1, _SERIALS, "give the cups between two index marks, at least 1"),
        "first_cup": _Range(-_SERIALS, _SERIALS, "give a cup serial"),
    },
    CameraPlace: {
        "width_px": _Range(8, 16384, "give the picture's width, 8 to 16384"),
        "height_px": _Range(8, 16384, "give the picture's height, 8 to 16384"),
        "mm_per_px": _Range(0.01, 100, "give the scale of the picture, 0.01 to 100"),
        "cup_zero_px": _Range(-_FAR_PX, _FAR_PX, "give x and y in px"),
        "lane_pitch_px": _Range(_ABOVE_ZERO, _FAR_PX, "give the distance between two lanes in px, above 0"),
        "pulses_per_frame": _Range(1, _WORD, f"give the pulses between two pictures, 1 to {_WORD}"),
        "lens_above_mm": _Range(200, _FAR_MM, "give the height of the lens in mm, 200 or more, or leave it out"),
        "optical_centre_px": _Range(-_FAR_PX, _FAR_PX, "give x and y in px, or leave it out"),
    },
    Spectrometer: {
        "lanes": _Range(0, MOST_LANES - 1, "give lanes of this line"),
        "position_mm": _Range(-_FAR_MM, _FAR_MM, "give the distance after cup zero in mm"),
        "wavelengths_nm": _Range(1, 100_000, "give wavelengths in nm"),
    },
    Scale: {
        "position_mm": _Range(-_FAR_MM, _FAR_MM, "give the distance after cup zero in mm"),
        "zero_counts": _Range(-1e15, 1e15, "give the counts of the empty scale"),
        "g_per_count": _Range(-1e6, 1e6, "give grams per count"),
    },
    Gates: {
        "outlets": _Range(1, MOST_GATES, f"a lane has 1 to {MOST_GATES} outlets with a gate"),
        "first_mm": _Range(_ABOVE_ZERO, _FAR_MM, f"give mm after cup zero; {_LONGEST}"),
        "pitch_mm": _Range(_ABOVE_ZERO, _FAR_MM, "give the distance between two gates in mm, above 0"),
        "decision_mm": _Range(_ABOVE_ZERO, _FAR_MM, f"give mm after cup zero; {_LONGEST}"),
        "lead_pulses": _Range(0, _WORD, f"give the least pulses between sending and opening, 0 to {_WORD}"),
        "opening_ms": _Range(0, _SLOWEST_GATE_MS, f"give the gate's opening time, 0 to {_SLOWEST_GATE_MS:g} ms"),
        "closing_ms": _Range(0, _SLOWEST_GATE_MS, f"give the gate's closing time, 0 to {_SLOWEST_GATE_MS:g} ms"),
    },
    LotMark: {"first_cup": _Range(-_SERIALS, _SERIALS, "give a cup serial per lane")},
}


def document_faults(document: Mapping[str, Any], record: type[msgspec.Struct]) -> list[Fault]:
    """Wrong keys and types of a document that describes devices, and every number beyond its limits.

    Without any the document can be read as the record, and `installation_faults` says what does not agree in it.
    """
    misshapen = shape_faults(document, record)
    said = {fault.path for fault in misshapen}
    return [*misshapen, *(fault for fault in _limit_faults(document) if fault.path not in said)]


def installation_faults(installation: Installation, *, has_gates: bool = True) -> Iterator[Fault]:
    """What no single number shows, of an installation whose numbers are within their limits.

    has_gates: False for a recording without [gates], whose gates are those of the reference line; then a sensor behind
    the decision is a warning, and where its gates stand is no fault of the recording.
    """
    yield from _cup_faults(installation.line)
    for name, camera in installation.cameras.items():
        yield from _camera_faults(("cameras", name), camera)
    if not installation.cameras:
        yield Fault(("cameras",), "there is no camera", "describe the camera in [cameras.NAME]")
    else:
        yield from graded_camera_faults(installation, usual_camera(list(installation.cameras)))
    for name, spectrometer in installation.spectrometers.items():
        yield from _spectrometer_faults(("spectrometers", name), spectrometer, installation.line)
        yield from _late_reading(("spectrometers", name), spectrometer, installation.gates, has_gates)
    if installation.scale is not None:
        yield from _scale_faults(installation.scale, installation.line)
        yield from _late_reading(("scale",), installation.scale, installation.gates, has_gates)
    if has_gates:
        yield from _gate_faults(installation.gates, installation.line)
    for index, lot in enumerate(installation.lots):
        yield from _per_lane(("lots", index, "first_cup"), lot.first_cup, installation.line)


def graded_camera_faults(installation: Installation, camera: str) -> Iterator[Fault]:
    """What keeps fruit from being graded by the pictures of this camera."""
    path, place = ("cameras", camera), installation.cameras[camera]
    yield from _view_faults(path, place, installation.line)
    if not any(_cup_faults(installation.line)):  # cups counted in such a length would only say it again
        yield from _way_faults(path, place, installation)


# -- one number --------------------------------------------------------------------------------------------------------


def _limit_faults(document: Mapping[str, Any]) -> Iterator[Fault]:
    for path, table, record in _tables(document):
        for key, limits in _LIMITS[record].items():
            value = table.get(key)
            for index, number in enumerate(value) if isinstance(value, list | tuple) else [(None, value)]:
                if is_number(number) and not limits.least <= number <= limits.most:
                    place = (*path, key) if index is None else (*path, key, index)
                    yield Fault(place, f"{number!r} is not possible", limits.remedy)
                    break  # a list of a thousand wavelengths in the wrong unit is one mistake
        if record is CameraPlace:
            yield from _turn_faults(path, table.get("turn_deg_per_pulse"))


def _turn_faults(path: Path, turn: Any) -> Iterator[Fault]:
    least, most = _TURN_DEG
    if is_number(turn) and not least <= abs(turn) <= most:
        remedy = f"give the nominal turn of a fruit of 80 mm, {least:g} to {most:g} degrees either way, or leave it out"
        yield Fault((*path, "turn_deg_per_pulse"), f"{turn!r} is not possible", remedy)


def _tables(document: Mapping[str, Any]) -> Iterator[tuple[Path, Mapping[str, Any], type[msgspec.Struct]]]:
    """Every table of a document that has limits, whatever else is wrong in the document."""
    alone: dict[str, type[msgspec.Struct]] = {"line": Line, "scale": Scale, "gates": Gates}
    by_name: dict[str, type[msgspec.Struct]] = {"cameras": CameraPlace, "spectrometers": Spectrometer}
    lots = document.get("lots")
    found: list[tuple[Path, Any, type[msgspec.Struct]]] = [
        *(((key,), document.get(key), record) for key, record in alone.items()),
        *(
            ((key, name), table, record)
            for key, record in by_name.items()
            if isinstance(named := document.get(key), dict)
            for name, table in named.items()
        ),
        *((("lots", index), lot, LotMark) for index, lot in enumerate(lots if isinstance(lots, list) else [])),
    ]
    return ((path, table, record) for path, table, record in found if isinstance(table, dict))


# -- numbers together --------------------------------------------------------------------------------------------------


def _cup_faults(line: Line) -> Iterator[Fault]:
    cup_mm = line.pulses_per_cup * line.mm_per_pulse
    if not _within(cup_mm, _CUP_MM):
        text = f"{line.pulses_per_cup} pulses of {line.mm_per_pulse:g} mm are {cup_mm:g} mm from cup to cup"
        remedy = f"correct pulses_per_cup or mm_per_pulse: {_CUP_MM[0]:g} to {_CUP_MM[1]:g} mm"
        yield Fault(("line", "pulses_per_cup"), text, remedy)


def _camera_faults(path: Path, camera: CameraPlace) -> Iterator[Fault]:
    """Of any camera, also of one whose pictures nobody is graded by."""
    if camera.width_px * camera.height_px > MOST_PIXELS:
        text = f"a picture of {camera.width_px} x {camera.height_px} px is too large"
        yield Fault((*path, "height_px"), text, f"at most {MOST_PIXELS} px")
    bands, place = camera.bands, (*path, "bands")
    if not 1 <= len(bands) <= MOST_BANDS or len(set(bands)) < len(bands):
        yield Fault(place, "the bands are none, too many, or one of them twice", f"name 1 to {MOST_BANDS} bands")
    elif not all(re.fullmatch(r"[a-z][a-z0-9_]{0,30}", band) for band in bands):
        yield Fault(place, "a band has a name that cannot be part of a file's", 'use names such as "nir"')
    elif len(bands) > 1 and not has_colours(camera):
        yield Fault(place, "the bands lack a colour", 'name "blue", "green", "red" and others after, or one band only')


def has_colours(camera: CameraPlace) -> bool:
    """Whether fruit can be graded by its pictures."""
    return set(COLOURS) <= set(camera.bands)


def _view_faults(path: Path, camera: CameraPlace, line: Line) -> Iterator[Fault]:
    """Of the camera that fruit are graded by: it must show every cup of every lane, and large enough."""
    if len(camera.bands) == 1:
        text = f"fruit are graded by this camera, and it has the band {camera.bands[0]!r} alone"
        yield Fault((*path, "bands"), text, 'give it colours, or call the camera to grade by "top"')
    fruit_px = _FRUIT_MM / camera.mm_per_px
    if fruit_px < _LEAST_FRUIT_PX:
        text = f"a fruit of {_FRUIT_MM:g} mm is {fruit_px:.3g} px wide, too small to be judged"
        yield Fault((*path, "mm_per_px"), text, f"correct mm_per_px: {_FRUIT_MM / _LEAST_FRUIT_PX:.2g} or less")
    lane_mm = camera.lane_pitch_px * camera.mm_per_px
    if not _within(lane_mm, _LANE_MM):
        text = f"{camera.lane_pitch_px:g} px of {camera.mm_per_px:g} mm are {lane_mm:g} mm from lane to lane"
        remedy = f"correct lane_pitch_px or mm_per_px: {_LANE_MM[0]:g} to {_LANE_MM[1]:g} mm"
        yield Fault((*path, "lane_pitch_px"), text, remedy)
    first_px = camera.cup_zero_px[1]
    last_px = first_px + (line.lanes - 1) * camera.lane_pitch_px
    if not (0.0 <= first_px and last_px < camera.height_px):
        text = f"the cups of {line.lanes} lanes lie at {first_px:g} to {last_px:g} px, outside the picture"
        yield Fault((*path, "height_px"), text, "correct height_px, cup_zero_px or lane_pitch_px")
    if camera.pulses_per_frame * line.mm_per_pulse / camera.mm_per_px >= camera.width_px:
        yield Fault((*path, "pulses_per_frame"), "a cup can pass between two frames", "trigger more often")


def _way_faults(path: Path, camera: CameraPlace, installation: Installation) -> Iterator[Fault]:
    line, gates = installation.line, installation.gates
    enters_mm = -camera.cup_zero_px[0] * camera.mm_per_px
    leaves_mm = (camera.width_px - camera.cup_zero_px[0]) * camera.mm_per_px
    on_the_way_mm = max(gates.decision_mm, leaves_mm) - min(enters_mm, 0.0)
    # A cup each for the one that comes and the one that goes, and a pulse for each end that is rounded.
    cups = math.ceil((pulses_from_mm(on_the_way_mm, line.mm_per_pulse) + 2) / line.pulses_per_cup) + 2
    if cups > MOST_CUPS_FOLLOWED:
        text = f"{cups} cups of a lane lie between the start of the picture and the decision"
        place = ("gates", "decision_mm") if gates.decision_mm > max(leaves_mm, -enters_mm) else (*path, "cup_zero_px")
        remedy = f"{MOST_CUPS_FOLLOWED} can be followed: correct decision_mm, cup_zero_px or pulses_per_cup"
        yield Fault(place, text, remedy)


def _spectrometer_faults(path: Path, spectrometer: Spectrometer, line: Line) -> Iterator[Fault]:
    lanes, wavelengths = spectrometer.lanes, spectrometer.wavelengths_nm
    if not lanes or len(set(lanes)) < len(lanes):
        yield Fault((*path, "lanes"), "the lanes are none, or one of them twice", "name each lane once")
    for index, lane in enumerate(lanes):
        if lane >= line.lanes:
            yield Fault((*path, "lanes", index), f"there is no lane {lane}", f"lanes run from 0 to {line.lanes - 1}")
    if not wavelengths or any(b <= a for a, b in pairwise(wavelengths)):
        yield Fault((*path, "wavelengths_nm"), "wavelengths do not rise", "give one per channel, each above the last")


def _scale_faults(scale: Scale, line: Line) -> Iterator[Fault]:
    for key, values in (("zero_counts", scale.zero_counts), ("g_per_count", scale.g_per_count)):
        if values is not None:
            yield from _per_lane(("scale", key), values, line)
    if (scale.zero_counts is None) != (scale.g_per_count is None):
        yield Fault(("scale",), "there is only one of zero_counts and g_per_count", "give both or neither")
    if scale.g_per_count is not None and 0 in scale.g_per_count:
        yield Fault(("scale", "g_per_count"), "a count of a lane weighs nothing", "give grams per count")


def _per_lane(path: Path, values: tuple[float, ...], line: Line) -> Iterator[Fault]:
    if len(values) != line.lanes:
        yield Fault(path, f"{len(values)} values for {line.lanes} lanes", "give one per lane")


def _late_reading(path: Path, sensor: Spectrometer | Scale, gates: Gates, has_gates: bool) -> Iterator[Fault]:
    if sensor.position_mm >= gates.decision_mm:
        text = f"{sensor.position_mm:g} mm lie behind the decision at {gates.decision_mm:g} mm: no reading counts"
        remedy = "decide later: [gates] decision_mm"
        yield Fault((*path, "position_mm"), text, remedy, warning=not has_gates)


def _gate_faults(gates: Gates, line: Line) -> Iterator[Fault]:
    if (last_mm := gates.position_mm(gates.outlets)) > _FAR_MM:
        text = f"the last gate stands at {last_mm:g} mm"
        yield Fault(("gates", "pitch_mm"), text, f"{_LONGEST}: first_mm, pitch_mm")
    left_pulses = (gates.first_mm - gates.decision_mm) / line.mm_per_pulse
    if left_pulses <= gates.lead_pulses:
        text = f"from decision to first gate are {left_pulses:g} pulses, the lead is {gates.lead_pulses}"
        yield Fault(("gates", "first_mm"), text, "decide earlier, or move the gate")
    cup_ms, cup_mm = 1000 / line.cups_per_second, line.pulses_per_cup * line.mm_per_pulse
    for key, travel_ms in (("opening_ms", gates.opening_ms), ("closing_ms", gates.closing_ms)):
        if travel_ms > cup_ms:
            text = f"{travel_ms:g} ms, and a cup passes in {cup_ms:.3g} ms: its neighbour would fall too"
            yield Fault(("gates", key), text, "give the gate's travel, or the speed that it can serve")
    if gates.outlets > 1 and gates.pitch_mm < cup_mm:
        text = f"gates {gates.pitch_mm:g} mm apart, and cups {cup_mm:g} mm: one fruit would pass two of them"
        yield Fault(("gates", "pitch_mm"), text, "give the distance between two gates in mm")


def _within(value: float, limits: tuple[float, float]) -> bool:
    return limits[0] <= value <= limits[1]
