"""A live station put together: the simulated line in its own process, the real serial port, the journal, the shell."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import cv2
import msgspec

from grader.app.books import JOURNAL
from grader.app.setting_up import Decider, decider
from grader.clock import SystemClock
from grader.config.station import StationSettings, load_station, reference_station
from grader.domain.installation import Installation, LotMark
from grader.domain.snapshot import Snapshot, State
from grader.errors import BadFile, BadSettings, DeviceError
from grader.station.shell import Station, belt_pulses
from grader.storage.journal import SqliteJournal, open_journal
from grader.storage.provenance import RunInfo, software_versions
from hardware.gate_board import GateBoardSettings, SerialGateBoard, board_configuration
from hardware.sim.levels import LEVELS
from hardware.sim.line import LineSettings as SimulatedLineSettings
from hardware.sim.line import SimulatedLine
from hardware.sim.live import LiveLine, start_live_line
from hardware.sim.referee import Landing
from hardware.sim.simulate import prepare_simulated_line
from hardware.sim.varieties import VARIETIES
from hardware.triggered_camera import TriggeredCamera

LOOP_CUPS = 24
"""Cups per lane after which the simulated line shows the same fruit again."""
READY_S = 300.0
PICTURE_WAIT_MS = 200.0
"""A picture that comes no later than this after its trigger still shows its cups 80 ms before their decision."""


@dataclass
class SimulatedRun:
    """What `grader run` was asked for, on the simulated line. None: as the station file says, or the reference line."""

    out: Path
    station: Path | None = None
    lanes: int | None = None
    cups_per_second: float | None = None
    level: str = "changing"
    variety: str = "Fuji"
    seed: int = 1
    sheet: str | None = None
    lot: str = "lot-1"
    grower: str = ""
    landings: list[Landing] = field(default_factory=list)


def default_out() -> Path:
    """A folder of its own for every run."""
    return Path("runs") / datetime.now().strftime("%Y-%m-%dT%H-%M-%S")


class LiveRun:
    """A running station with its simulated line. Made by `started`, which also takes it apart."""

    def __init__(self, asked: SimulatedRun, chosen: Decider, line: LiveLine, station: Station) -> None:
        self._asked, self._settings, self._line, self.station = asked, chosen.settings, line, station
        self.warnings = chosen.warnings

    def tick(self) -> Snapshot:
        """Look after the line, and say how things stand. Call it a few times a second."""
        self._asked.landings += self._line.landings()
        if not self._line.is_alive() and not self._faulted():
            self.station.fault("simulated line: its process has ended; start the station again")
        return self.station.snapshot()

    def drain(self, reason: str, show: Callable[[Snapshot], None]) -> None:
        """Feed no more fruit, and let what is on the belt come to its outlet. Bounded by the belt's own length."""
        self.station.drain(reason)
        if self._faulted():
            return
        most_s = 3 * belt_pulses(self._settings) / self._settings.installation.line.pulses_per_s + 5.0
        deadline = time.monotonic() + most_s
        try:
            self._line.stop_feeding()
            while time.monotonic() < deadline and not self._faulted():
                show(self.tick())
                if self._line.wait_report(0.25) is not None:
                    break
        except DeviceError as problem:  # the line died under us: what is decided is still kept
            self.station.fault(str(problem))

    def _faulted(self) -> bool:
        return self.station.state is State.FAULTED


@contextmanager
def started(asked: SimulatedRun, progress: Callable[[float], None] = lambda share: None) -> Iterator[LiveRun]:
    """Start line and station; stop both on leaving: gates first, then inputs, then storage.

    progress: share of the simulated line's pictures that are prepared. Raises BadSettings, BadArtefact, DeviceError.
    """
    cv2.setNumThreads(1)
    station_settings = _station_settings(asked)
    line_asked = station_settings.installation.line
    simulated = SimulatedLineSettings(
        level=LEVELS[asked.level],
        seed=asked.seed,
        variety=VARIETIES[asked.variety],
        lanes=line_asked.lanes,
        cups_per_second=line_asked.cups_per_second,
        loop_cups=LOOP_CUPS,
    )
    installation = _with_lot(
        _imitated(station_settings.installation, SimulatedLine(simulated).installation, asked), asked
    )
    chosen = decider(installation, sheet=asked.sheet or station_settings.sheet, variety=asked.variety)
    chosen = chosen._replace(warnings=(*station_settings.warnings, *chosen.warnings))
    run = RunInfo(
        started_wall_s=time.time(), versions=software_versions(), hashes=chosen.hashes, installation=installation
    )
    clock = SystemClock()
    if (asked.out / JOURNAL).exists():
        raise BadFile(asked.out, "holds the journal of another run", remedy="name a new folder")
    asked.out.mkdir(parents=True, exist_ok=True)
    with ExitStack() as closing:
        journal: SqliteJournal = open_journal(asked.out / JOURNAL, run)
        closing.callback(journal.close)
        line = closing.enter_context(
            start_live_line(simulated, prepare=prepare_simulated_line, installation=installation)
        )
        line.wait_ready(READY_S, progress)
        camera_place = installation.cameras[chosen.settings.camera]
        board = SerialGateBoard(
            GateBoardSettings(port=line.port),
            board_configuration(installation.line, installation.gates, pulses_per_frame=camera_place.pulses_per_frame),
            clock,
        )
        closing.callback(board.close)
        camera = TriggeredCamera(
            chosen.settings.camera,
            line.ring,
            board.triggers,
            line.is_alive,
            clock,
            pulses_per_frame=camera_place.pulses_per_frame,
            wait_ms=PICTURE_WAIT_MS,
        )
        closing.callback(camera.close)
        station = Station(
            chosen.settings,
            camera=camera,
            sensors=line.sensors,
            board=board,
            encoder=board,
            journal=journal,
            clock=clock,
        )
        closing.callback(station.stop)
        station.start()
        line.start_belt()
        yield LiveRun(asked, chosen, line, station)


def _station_settings(asked: SimulatedRun) -> StationSettings:
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


def _with_lot(installation: Installation, asked: SimulatedRun) -> Installation:
    lot = LotMark(name=asked.lot, grower=asked.grower, variety=asked.variety, first_cup=(0,) * installation.line.lanes)
    return msgspec.structs.replace(installation, lots=(lot,), variety=asked.variety)
