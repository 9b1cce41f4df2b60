"""The station file: what stands on the floor, which sheet, where the journal is, which ports the devices have.

Everything defaults to the reference line: a station file says only what is different.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from grader.config.service import ServiceSettings, service_faults
from grader.config.sheets import check_sheet, is_file, sheet_path
from grader.config.tomlfile import Problem, TomlFile, first_error, in_order, problem_of, read_toml
from grader.domain.faults import Fault, dotted
from grader.domain.faults import Path as Keys
from grader.domain.installation import CameraPlace, Gates, Installation, Line, Scale, Spectrometer
from grader.domain.plausible import MOST_LANES, document_faults, installation_faults
from grader.domain.shape import read_as
from grader.errors import BadSettings
from grader.station.pictures import PictureSettings

LANE_PX = 150
"""Rows of the picture for one lane, at 0.8 mm a pixel."""

DEFAULT_SHEET = "house_default"


class Devices(msgspec.Struct, frozen=True, kw_only=True):
    """Addresses. board_port: the gate board's serial port; empty: the simulated line with its board."""

    board_port: str = ""
    board_baud: int = 921_600


class StationSettings(msgspec.Struct, frozen=True, kw_only=True):
    """All that a station needs to start. sheet: a file, beside the station file unless absolute, or a preset's name.
    warnings: what a run does not use of the file."""

    installation: Installation
    sheet: str = DEFAULT_SHEET
    journal: Path = Path("journal.sqlite")
    devices: Devices = Devices()
    service: ServiceSettings = ServiceSettings()
    pictures: PictureSettings = PictureSettings()
    warnings: tuple[str, ...] = ()


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
    service: ServiceSettings = ServiceSettings()
    pictures: PictureSettings = PictureSettings()


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
    found = document_faults(document, _StationFile)
    if found:
        return None, in_order(file.problems(fault.named for fault in found))
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
        service=written.service,
        pictures=written.pictures,
    )
    problems = file.problems(fault.named for fault in installation_faults(settings.installation))
    problems += file.problems(service_faults(written.service, written.pictures))
    problems += file.problems(_run_faults(file.document, written))
    warnings = tuple(str(problem) for problem in problems if problem.warning)
    settings = msgspec.structs.replace(settings, warnings=warnings)
    sheet_problems = check_sheet(settings.sheet, outlets=written.gates.outlets)
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


# -- what a run makes of the file --------------------------------------------------------------------------------------

_USED = (
    *("note", "sheet", "gates", "service", "pictures"),
    *("line.lanes", "line.cups_per_second", "line.pulses_per_cup", "line.mm_per_pulse"),
)
"""Tables and keys that a run takes from the file, as long as it is always the simulated line that runs."""


def _run_faults(document: Mapping[str, Any], written: _StationFile) -> Iterator[Fault]:
    """What a run would refuse, and, as warnings, what it would not use. Silence would be taken for consent."""
    if written.devices.board_port:
        text = f"there is no driver of a real camera yet: a run refuses the gate board at {written.devices.board_port}"
        yield Fault(("devices", "board_port"), text, "leave it out to run the simulated line", warning=True)
        return
    reference = read_as(_filled_up({"line": {"lanes": written.line.lanes}}, (0.0,)), _StationFile)
    yield from _other_cups(written.line, reference.line)
    simulated = msgspec.to_builtins(reference)
    unused: dict[Keys, list[str]] = {}
    for path, value in _entries(document):
        if dotted(path) not in _USED and path[0] not in _USED and value != _at(simulated, path):
            unused.setdefault(path[:-1], []).append(str(path[-1]))
    for table, keys in unused.items():
        names = ", ".join(dotted((*table, key)) for key in keys)
        text = f"a run is always the simulated line at present, which does not use {names}"
        yield Fault((*table, keys[0]), text, "leave it out: it changes nothing", warning=True)


def _other_cups(line: Line, simulated: Line) -> Iterator[Fault]:
    for key in ("pulses_per_cup", "mm_per_pulse"):
        value, only = getattr(line, key), getattr(simulated, key)
        if value != only:
            text = f"line.{key}: {value:g}, and a run is always the simulated line at present"
            yield Fault(("line", key), text, f"it has {only:g}: leave the key out")


def _entries(table: Mapping[str, Any], above: Keys = ()) -> Iterator[tuple[Keys, Any]]:
    """Every key of a document that is no table, with its path."""
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _entries(value, (*above, key))
        else:
            yield (*above, key), value


def _at(document: Any, path: Keys) -> Any:
    """What stands there, a list of it as TOML gives it; None where nothing does."""
    for key in path:
        document = document.get(key) if isinstance(document, dict) else None
    return list(document) if isinstance(document, tuple) else document
