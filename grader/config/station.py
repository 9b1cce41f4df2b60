"""The station file: what stands on the floor, which sheet, where the journal is, which ports the devices have.

Everything defaults to the reference line: a station file says only what is different.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec

from grader.config.sheets import check_sheet, is_file, sheet_path
from grader.config.tomlfile import Problem, TomlFile, first_error, in_order, problem_of, read_toml
from grader.domain.faults import Fault
from grader.domain.installation import CameraPlace, Gates, Installation, Line, Scale, Spectrometer
from grader.domain.shape import read_as, shape_faults
from grader.errors import BadSettings

MOST_LANES = 12
_SLOWEST, _FASTEST, _LONGEST_MM = 0.1, 100.0, 100_000.0
"""What a line can be, in cups per second and in length: with a misprint beyond it, a run would drain for ever."""
LANE_PX = 150
"""Rows of the picture for one lane, at 0.8 mm a pixel."""

DEFAULT_SHEET = "house_default"


class Devices(msgspec.Struct, frozen=True, kw_only=True):
    """Addresses. board_port: the gate board's serial port; empty: the simulated line with its board."""

    board_port: str = ""
    board_baud: int = 921_600


class StationSettings(msgspec.Struct, frozen=True, kw_only=True):
    """All that a station needs to start. sheet: a file, beside the station file unless absolute, or a preset's name."""

    installation: Installation
    sheet: str = DEFAULT_SHEET
    journal: Path = Path("journal.sqlite")
    devices: Devices = Devices()


class _StationFile(msgspec.Struct, frozen=True, kw_only=True):
    """The keys of station.toml, in the words of recording.toml."""

    fruit: str
    line: Line
    cameras: dict[str, CameraPlace]
    variety: str = ""
    note: str = ""
    spectrometers: dict[str, Spectrometer] = {}
    scale: Scale | None = None
    gates: Gates = Gates()
    sheet: str = DEFAULT_SHEET
    journal: str = "journal.sqlite"
    devices: Devices = Devices()


def reference_installation(
    lanes: int = 4,
    cups_per_second: float = 12.0,
    *,
    wavelengths_nm: Sequence[float] = (),
    fruit: str = "apple",
    variety: str = "Fuji",
) -> Installation:
    """The reference line. wavelengths_nm: of its spectrometer, one per channel; without any there is none."""
    return Installation(
        fruit=fruit,
        variety=variety,
        line=Line(
            lanes=lanes, pulses_per_cup=96, mm_per_pulse=1.0, cups_per_second=cups_per_second, cups_per_chain=480
        ),
        cameras={
            "top": CameraPlace(
                width_px=1280,
                height_px=lanes * LANE_PX + 10,
                bands=("blue", "green", "red"),
                mm_per_px=0.8,
                cup_zero_px=(0.0, 80.0),
                lane_pitch_px=float(LANE_PX),
                pulses_per_frame=48,
                lens_above_mm=1500.0,
                seat="rollers",
                turn_deg_per_pulse=0.47,
                transfer="srgb",
            )
        },
        scale=Scale(position_mm=1200.0),
        spectrometers={
            "main": Spectrometer(
                lanes=tuple(range(lanes)), position_mm=1400.0, wavelengths_nm=tuple(map(float, wavelengths_nm))
            )
        }
        if len(wavelengths_nm)
        else {},
    )


def reference_station(
    lanes: int = 4, cups_per_second: float = 12.0, *, wavelengths_nm: Sequence[float] = ()
) -> StationSettings:
    """The settings of a station without a file."""
    return StationSettings(installation=reference_installation(lanes, cups_per_second, wavelengths_nm=wavelengths_nm))


def load_station(path: Path, *, wavelengths_nm: Sequence[float] = ()) -> StationSettings:
    """The settings of a station file. wavelengths_nm: of the reference line's spectrometer, for a file that has none.

    Raises BadSettings, with line and remedy, for the first problem that is no warning.
    """
    settings, problems = read_station(read_toml(path), wavelengths_nm=wavelengths_nm)
    error = first_error(problems)
    if error or settings is None:
        raise error or BadSettings(path, "is not a station file")
    return settings


def check_station(path: Path) -> list[Problem]:
    """Every problem of a station file and of the sheet that it names."""
    try:
        return read_station(read_toml(path))[1]
    except BadSettings as error:
        return [problem_of(error)]


def read_station(
    file: TomlFile, *, wavelengths_nm: Sequence[float] = ()
) -> tuple[StationSettings | None, list[Problem]]:
    """The settings, None where their shape is wrong, and every problem of them."""
    document = _filled_up(file.document, wavelengths_nm)
    found = shape_faults(document, _StationFile)
    if found:
        return None, in_order(file.problems(found))
    try:
        written = read_as(document, _StationFile)
    except msgspec.ValidationError as error:
        return None, file.problems([Fault((), str(error), "correct the entry")])
    settings = StationSettings(
        installation=Installation(
            fruit=written.fruit,
            variety=written.variety,
            note=written.note,
            line=written.line,
            cameras=written.cameras,
            spectrometers=written.spectrometers,
            scale=written.scale,
            gates=written.gates,
        ),
        sheet=_beside(file.path, written.sheet),
        journal=file.path.parent / written.journal,
        devices=written.devices,
    )
    problems = file.problems(_installation_faults(settings.installation))
    sheet_problems = check_sheet(settings.sheet, outlets=max(1, written.gates.outlets))
    if any(not problem.warning for problem in sheet_problems):
        problems += file.problems([Fault(("sheet",), f'sheet "{written.sheet}" cannot be used', "see its problems")])
    return settings, [*in_order(problems), *sheet_problems]


def _beside(station: Path, sheet: str) -> str:
    """A sheet's file is sought beside the station file; a preset's name stays a name."""
    beside = station.parent / sheet
    if is_file(beside):
        return str(beside)
    try:
        sheet_path(sheet)
    except BadSettings:
        return sheet
    return str(beside) if sheet.endswith(".toml") else sheet


def _filled_up(document: dict[str, Any], wavelengths_nm: Sequence[float]) -> dict[str, Any]:
    """The file's entries over those of the reference line with as many lanes."""
    line = document.get("line")
    lanes = line.get("lanes") if isinstance(line, dict) else None
    known = isinstance(lanes, int) and not isinstance(lanes, bool) and 1 <= lanes <= MOST_LANES
    reference = reference_installation(lanes if known and lanes else 4, wavelengths_nm=wavelengths_nm or (0.0,))
    plain = msgspec.to_builtins(reference)
    if not wavelengths_nm:  # a file may place the spectrometer, but then it must say what it measures
        del plain["spectrometers"]["main"]["wavelengths_nm"]
        document = {"spectrometers": {}, **document}
    for key in ("lots", "artefacts"):
        del plain[key]
    for key in ("cameras", "spectrometers"):
        # The names in the file are all there are; one that the reference line has too is filled up from it.
        if isinstance(document.get(key), dict):
            plain[key] = {name: entry for name, entry in plain[key].items() if name in document[key]}
    merged: dict[str, Any] = _over(plain, document)
    return merged


def _over(under: Any, above: Any) -> Any:
    """Tables are merged, anything else is replaced."""
    if not (isinstance(under, dict) and isinstance(above, dict)):
        return above
    return {**under, **{key: _over(under.get(key), value) for key, value in above.items()}}


def _installation_faults(station: Installation) -> Iterator[Fault]:
    line = station.line
    if not 1 <= line.lanes <= MOST_LANES:
        yield Fault(("line", "lanes"), f"{line.lanes} lanes", f"give 1 to {MOST_LANES}")
        return  # everything below counts in lanes
    for key in ("pulses_per_cup", "mm_per_pulse", "cups_per_second"):
        if getattr(line, key) <= 0:
            yield Fault(("line", key), f"{key} is {getattr(line, key)}", "give a number above 0")
    if 0 < line.cups_per_second < _SLOWEST or line.cups_per_second > _FASTEST:
        text = f"{line.cups_per_second:g} cups per second"
        yield Fault(("line", "cups_per_second"), text, f"give the rated speed, {_SLOWEST:g} to {_FASTEST:g}")
    if line.cups_per_chain is not None and line.cups_per_chain <= 0:
        yield Fault(("line", "cups_per_chain"), "a chain without cups", "give the cups between two index marks")
    if not station.cameras:
        yield Fault(("cameras",), "there is no camera", "describe at least one, [cameras.top]")
    for name, camera in station.cameras.items():
        yield from _camera_faults(("cameras", name), camera, line)
    for name, spectrometer in station.spectrometers.items():
        yield from _spectrometer_faults(("spectrometers", name), spectrometer, station)
    if station.scale:
        yield from _scale_faults(station.scale, station)
    yield from _gate_faults(station.gates, line)


def _camera_faults(path: tuple[str, ...], camera: CameraPlace, line: Line) -> Iterator[Fault]:
    for key in ("width_px", "height_px", "mm_per_px", "lane_pitch_px", "pulses_per_frame"):
        if getattr(camera, key) <= 0:
            yield Fault((*path, key), f"{key} is {getattr(camera, key)}", "give a number above 0")
            return
    if camera.lens_above_mm is not None and camera.lens_above_mm <= 0:
        yield Fault((*path, "lens_above_mm"), "the lens is not above the belt", "give its height in mm")
    if len(set(camera.bands)) < len(camera.bands) or not {"blue", "green", "red"} <= set(camera.bands):
        yield Fault(
            (*path, "bands"), "the bands lack a colour or repeat one", 'give "blue", "green", "red", others after'
        )
    centres_px = [camera.cup_zero_px[1] + lane * camera.lane_pitch_px for lane in (0, line.lanes - 1)]
    if not all(0.0 <= centre < camera.height_px for centre in centres_px):
        text = f"the cups of {line.lanes} lanes lie at {centres_px[0]:g} to {centres_px[1]:g} px, outside the picture"
        yield Fault((*path, "height_px"), text, "correct height_px, cup_zero_px or lane_pitch_px")
    if camera.pulses_per_frame * line.mm_per_pulse / camera.mm_per_px >= camera.width_px:
        yield Fault((*path, "pulses_per_frame"), "a cup can pass between two frames", "trigger more often")


def _spectrometer_faults(path: tuple[str, ...], spectrometer: Spectrometer, station: Installation) -> Iterator[Fault]:
    for index, lane in enumerate(spectrometer.lanes):
        if not 0 <= lane < station.line.lanes:
            yield Fault(
                (*path, "lanes", index), f"there is no lane {lane}", f"lanes run from 0 to {station.line.lanes - 1}"
            )
    wavelengths = spectrometer.wavelengths_nm
    if not wavelengths or any(b <= a for a, b in pairwise(wavelengths)):
        yield Fault((*path, "wavelengths_nm"), "wavelengths do not rise", "give one per channel, rising")
    yield from _before_decision(path, "spectrometer", spectrometer.position_mm, station.gates)


def _scale_faults(scale: Scale, station: Installation) -> Iterator[Fault]:
    for key in ("zero_counts", "g_per_count"):
        values = getattr(scale, key)
        if values is not None and len(values) != station.line.lanes:
            yield Fault(("scale", key), f"{len(values)} values for {station.line.lanes} lanes", "give one per lane")
    yield from _before_decision(("scale",), "scale", scale.position_mm, station.gates)


def _before_decision(path: tuple[str, ...], what: str, position_mm: float, gates: Gates) -> Iterator[Fault]:
    if position_mm >= gates.decision_mm:
        text = f"the {what} at {position_mm:g} mm lies behind the decision at {gates.decision_mm:g} mm"
        yield Fault((*path, "position_mm"), text, "decide later, or its readings never count")


def _gate_faults(gates: Gates, line: Line) -> Iterator[Fault]:
    if not 1 <= gates.outlets <= 100:
        yield Fault(("gates", "outlets"), f"{gates.outlets} outlets", "give 1 or more")
    for key in ("lead_pulses", "opening_ms", "closing_ms"):
        if getattr(gates, key) < 0:
            yield Fault(("gates", key), f"{key} is {getattr(gates, key)}", "give 0 or more")
    if gates.pitch_mm <= 0:
        yield Fault(("gates", "pitch_mm"), "gates stand in one place", "give the distance between two gates")
    if (last_mm := gates.position_mm(max(gates.outlets, 1))) > _LONGEST_MM:
        text = f"the last gate stands at {last_mm:g} mm"
        yield Fault(("gates", "first_mm"), text, f"a line is {_LONGEST_MM / 1000:g} m long at most: first_mm, pitch_mm")
    if line.mm_per_pulse > 0:
        left_pulses = (gates.first_mm - gates.decision_mm) / line.mm_per_pulse
        if left_pulses <= gates.lead_pulses:
            text = f"from decision to first gate are {left_pulses:g} pulses, the lead is {gates.lead_pulses}"
            yield Fault(("gates", "first_mm"), text, "decide earlier, or move the gate")
