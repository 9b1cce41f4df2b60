"""The simulated line that a run was asked for: started, or found where it still runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from grader.config.scenario import load_scenario
from grader.config.station import StationSettings, load_station, reference_station
from grader.domain.installation import Installation
from grader.errors import BadSettings, DeviceError, GraderError
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
            found = line.wait_ready(READY_S).asked
            unlike = [name for name, value in wanted.items() if value is not None and value != found.get(name)]
            if unlike:
                raise DeviceError(
                    f"{asked.out}: a line runs here with {unlike[0]} {found.get(unlike[0])}: leave --{unlike[0]} out, "
                    "or name another folder"
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
