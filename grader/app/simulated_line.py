"""The simulated line that a run was asked for: started, or found where it still runs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from grader.config.scenario import load_scenario
from grader.config.station import StationSettings, load_station, reference_station
from grader.domain.installation import Installation
from grader.errors import BadFile, BadSettings, DeviceError, GraderError
from hardware.sim.faults import Scenario
from hardware.sim.levels import FAULTS, LEVELS
from hardware.sim.line import LineSettings as SimulatedLineSettings
from hardware.sim.line import SimulatedLine
from hardware.sim.live import LiveLine, is_running, start_live_line
from hardware.sim.simulate import prepare_simulated_line
from hardware.sim.varieties import VARIETIES

LOOP_CUPS = 24
"""Cups per lane after which the simulated line shows the same fruit again."""
READY_S = 300.0
FAULT_EVERY_S = 20.0
"""At the level `faults`."""
LEVEL, VARIETY, SEED = "changing", "Fuji", 1
"""Of a line of which nothing else was said."""


@dataclass(frozen=True)
class SimulatedRun:
    """What `grader run` was asked for, on the simulated line. None: as the folder's journal or the station file says,
    or the reference line."""

    out: Path
    station: Path | None = None
    lanes: int | None = None
    cups_per_second: float | None = None
    level: str | None = None
    variety: str | None = None
    seed: int | None = None
    sheet: str | None = None
    lot: str | None = None
    grower: str = ""
    scenario: Path | None = None
    metrics_port: int | None = None
    alone_s: float = 60.0


def station_settings_of(asked: SimulatedRun) -> StationSettings:
    """The station file's settings, or the reference line's; lanes and speed as asked for."""
    settings = load_station(asked.station) if asked.station is not None else reference_station()
    if asked.station is not None and settings.devices.board_port:
        raise BadSettings(
            asked.station,
            f"names a gate board at {settings.devices.board_port}, but there is no driver of a real camera yet",
            remedy="leave [devices] out to run the simulated line",
        )
    line = settings.installation.line
    line = msgspec.structs.replace(
        line, lanes=asked.lanes or line.lanes, cups_per_second=asked.cups_per_second or line.cups_per_second
    )
    return msgspec.structs.replace(settings, installation=msgspec.structs.replace(settings.installation, line=line))


def as_before(asked: SimulatedRun, before: Installation | None) -> SimulatedRun:
    """What was asked for, and for the rest what the folder's journal had. before: its installation, if it has one."""
    if before is None or asked.station is not None:
        return asked
    return replace(
        asked,
        lanes=asked.lanes or before.line.lanes,
        cups_per_second=asked.cups_per_second or before.line.cups_per_second,
        variety=asked.variety or before.variety,
    )


def require_same_belt(journal: Path, before: Installation | None, installation: Installation) -> None:
    """Serials, lots and tares of a journal are of its own belt. Raises BadFile for another one."""
    if before is None:
        return
    for what in ("lanes", "pulses_per_cup", "cups_per_chain"):
        was, is_ = getattr(before.line, what), getattr(installation.line, what)
        if was != is_:
            named = what.replace("_", " ")
            raise BadFile(journal, f"is of a line with {was} {named}, this one has {is_}", remedy="name a new folder")


def line_of(asked: SimulatedRun, station_settings: StationSettings) -> LiveLine:
    """The line that runs in the folder, or a new one. Raises DeviceError for one that is not as asked for."""
    wanted: dict[str, str | int | float | None] = {
        "station": str(asked.station) if asked.station is not None else None,
        "lanes": asked.lanes,
        "cups_per_second": asked.cups_per_second,
        "level": asked.level,
        "variety": asked.variety,
        "seed": asked.seed,
        "scenario": str(asked.scenario) if asked.scenario is not None else None,
    }
    if is_running(asked.out):
        line = LiveLine(asked.out)
        try:
            ready = line.wait_ready(READY_S)
            belt = ready.installation.line
            found = ready.asked | {
                "lanes": belt.lanes,
                "cups_per_second": belt.cups_per_second,
                "variety": ready.installation.variety,
            }
            unlike = [name for name, value in wanted.items() if value is not None and value != found.get(name)]
            if unlike:
                option, has = f"--{unlike[0].replace('_', '-')}", found.get(unlike[0])
                raise DeviceError(
                    f"{asked.out}: the line that runs here has {option} {has}: leave it out, or name another folder"
                )
        except GraderError:
            line.leave()
            raise
        return line
    known = station_settings.installation.line
    wanted |= {"level": asked.level or LEVEL, "variety": asked.variety or VARIETY, "seed": _seed(asked)}
    simulated = SimulatedLineSettings(
        level=LEVELS[asked.level or LEVEL],
        seed=_seed(asked),
        variety=VARIETIES[asked.variety or VARIETY],
        lanes=known.lanes,
        cups_per_second=known.cups_per_second,
        loop_cups=LOOP_CUPS,
    )
    installation = _imitated(station_settings.installation, SimulatedLine(simulated).installation, asked)
    return start_live_line(
        simulated,
        prepare=prepare_simulated_line,
        installation=installation,
        folder=asked.out,
        asked=wanted,
        scenario=_scenario(asked),
        alone_s=asked.alone_s,
    )


def _scenario(asked: SimulatedRun) -> Scenario:
    if asked.scenario is not None:
        return load_scenario(asked.scenario, Scenario)
    return Scenario(every_s=FAULT_EVERY_S if asked.level == FAULTS.name else None, seed=_seed(asked))


def _seed(asked: SimulatedRun) -> int:
    return SEED if asked.seed is None else asked.seed


def _imitated(wanted: Installation, simulated: Installation, asked: SimulatedRun) -> Installation:
    """The simulated line with the gates of a station file. Raises BadSettings where the file asks for another line."""
    if asked.station is None:
        return simulated
    first, second = wanted.line, simulated.line
    if (first.pulses_per_cup, first.mm_per_pulse) != (second.pulses_per_cup, second.mm_per_pulse):
        raise BadSettings(
            asked.station,
            f"cups of {first.pulses_per_cup} pulses of {first.mm_per_pulse} mm: the simulated line has others",
            remedy=f"it has {second.pulses_per_cup} pulses of {second.mm_per_pulse} mm to a cup",
        )
    return msgspec.structs.replace(simulated, gates=wanted.gates, note=wanted.note)
