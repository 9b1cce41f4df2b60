"""A live station put together: the simulated line in its own process, the real serial port, the journal, the shell.

A folder is a station's whole memory: `grader run --out DIR` goes on where the journal in it stopped, with the line that
may still be running there.
"""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import cv2
import msgspec

from grader.app.books import JOURNAL
from grader.app.lot_books import lot_order, lots_on, start_of
from grader.app.metrics import MetricsPort, metrics_page
from grader.app.orders import OrderDesk
from grader.app.setting_up import Decider, decider
from grader.app.systemd import ALIVE, READY, STOPPING, ServiceManager
from grader.clock import SystemClock
from grader.config.scenario import load_scenario
from grader.config.station import StationSettings, load_station, reference_station
from grader.domain.installation import Installation
from grader.domain.orders import Answer, CloseLot, Done, OpenLot, Order, Refused, Reset, Show, Shown, Stop
from grader.domain.snapshot import FaultKind, Snapshot, State
from grader.errors import BadSettings, DeviceError, GraderError
from grader.station.line import LineSettings
from grader.station.lots import LotOrder
from grader.station.shell import SCALE, Station, belt_pulses
from grader.station.unreported import not_known
from grader.station.watched import WatchedCamera, WatchedSensors
from grader.storage.journal import SqliteJournal, open_journal, read_memory, read_runs
from grader.storage.provenance import RunInfo, software_versions
from grader.storage.resume import Resume, where_to_go_on
from grader.storage.station_log import LOG, StationLog
from grader.tracking.scale import ScaleMemory
from grader.units import Pulse, pulses_from_mm
from hardware.chain_phase import ChainPhase
from hardware.gate_board import GateBoardSettings, SerialGateBoard, board_configuration
from hardware.sim.faults import Scenario
from hardware.sim.levels import FAULTS, LEVELS
from hardware.sim.line import LineSettings as SimulatedLineSettings
from hardware.sim.line import SimulatedLine
from hardware.sim.live import LiveLine, is_running, start_live_line
from hardware.sim.simulate import prepare_simulated_line
from hardware.sim.varieties import VARIETIES
from hardware.triggered_camera import TriggeredCamera

LOOP_CUPS = 24
"""Cups per lane after which the simulated line shows the same fruit again."""
READY_S = 300.0
PICTURE_WAIT_MS = 200.0
"""A picture that comes no later than this after its trigger still shows its cups 80 ms before their decision."""
FAULT_EVERY_S = 20.0
"""At the level `faults`."""
LEVEL, VARIETY, SEED = "changing", "Fuji", 1
"""Of a line of which nothing else was said."""
FIRST_LOT = "lot-1"
LINE_HANGS_S, KEEPER_HANGS_S = 5.0, 120.0
"""A station whose line, or whose keeper, has not come round for so long is not called alive any more. A reset may take
longer, within what a service manager waits for; a keeper may wait for a disk, as long as what is decided has room."""
COLLECT_S = 10.0
"""So often the collector looks for rings of garbage, when it is told to: else it would choose the moment itself."""


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


def default_out() -> Path:
    """A folder of its own for every run."""
    return Path("runs") / datetime.now().strftime("%Y-%m-%dT%H-%M-%S")


class LiveRun:
    """A running station with its simulated line. Made by `started`, which also takes it apart."""

    def __init__(
        self, settings: LineSettings, sheet: str, warnings: tuple[str, ...], line: LiveLine, run: RunInfo
    ) -> None:
        self._settings, self._sheet, self._line, self._run = settings, sheet, line, run
        self.warnings = warnings
        self.station: Station
        self.manager = ServiceManager()
        self.is_asked_to_stop = threading.Event()
        self._shown: Snapshot | None = None
        self._figures: tuple[Snapshot, str] | None = None
        self._collected_at = time.monotonic()

    @property
    def seed(self) -> int | None:
        """Of the simulated line."""
        said = None if self._line.ready is None else self._line.ready.asked.get("seed")
        return said if isinstance(said, int) else None

    def tick(self) -> Snapshot:
        """Look after the line, and say how things stand. Call it a few times a second."""
        if not self._line.is_alive():
            ended = "simulated line: its process has ended; start the station again"
            self.station.fault(ended, FaultKind.LINE, can_reset=False)
        if time.monotonic() - self._collected_at > COLLECT_S:
            gc.collect()
            self._collected_at = time.monotonic()
        self._shown = self.station.snapshot()
        self.manager.show(_status(self._shown))
        if self.station.line_silent_s < LINE_HANGS_S and self.station.keeper_silent_s < KEEPER_HANGS_S:
            self.manager.tell(ALIVE)
        return self._shown

    def metrics(self) -> str | None:
        """The latest snapshot as figures for Prometheus; None before the first one. Called by the port's thread, which
        writes them once for every snapshot, however often it is asked."""
        shown = self._shown
        if shown is None:
            return None
        if self._figures is None or self._figures[0] is not shown:
            self._figures = shown, metrics_page(shown, self._run.versions, self._run.hashes)
        return self._figures[1]

    def carry_out(self, order: Order) -> Answer:
        """What somebody orders while the station runs. Raises GraderError where it cannot be done."""
        if not isinstance(order, Show):
            self.station.note_order(_in_words(order))
        match order:
            case Show():
                return Shown(self._shown) if self._shown is not None else Refused("the station is not ready yet")
            case Reset():
                self.station.reset()
            case Stop():
                self.is_asked_to_stop.set()
            case OpenLot():
                self.station.open_lot(lot_order(order, self._settings.installation, self._sheet, self.station.remember))
            case CloseLot():
                self.station.close_lot(order.name, start_of(order.start))
        return Done()

    def drain(self, reason: str, show: Callable[[Snapshot], None]) -> None:
        """Feed no more fruit, and let what is on the belt come to its outlet. Bounded by the belt's own length."""
        self.manager.tell(STOPPING)
        self.station.drain(reason)
        if self._is_faulted():
            return
        most_s = 3 * belt_pulses(self._settings) / self._settings.installation.line.pulses_per_s + 5.0
        deadline = time.monotonic() + most_s
        try:
            self._line.stop_feeding()
            while time.monotonic() < deadline and not self._is_faulted():
                show(self.tick())
                if self._line.wait_report(0.25) is not None:
                    break
        except DeviceError as problem:  # the line died under us: what is decided is still kept
            self.station.fault(str(problem), FaultKind.LINE, can_reset=False)

    def _is_faulted(self) -> bool:
        return self.station.state is State.FAULTED


@contextmanager
def started(asked: SimulatedRun, progress: Callable[[float], None] = lambda share: None) -> Iterator[LiveRun]:
    """Start line and station, or find the line that runs in the folder; stop both on leaving: gates first, then inputs,
    then storage.

    progress: share of the simulated line's pictures that are prepared. Raises BadSettings, BadArtefact, DeviceError,
    JournalError.
    """
    cv2.setNumThreads(1)
    clock = SystemClock()
    asked.out.mkdir(parents=True, exist_ok=True)
    path = asked.out / JOURNAL
    station_settings = _station_settings(asked)
    with ExitStack() as closing:
        desk = OrderDesk(asked.out)  # from here on the folder is this station's
        closing.callback(desk.close)
        resume = where_to_go_on(path)
        before = list(read_runs(path).values())[-1].installation if resume is not None else None
        service = station_settings.service
        log = StationLog(asked.out / LOG, most_bytes=service.log_bytes, most_files=service.log_files)
        closing.enter_context(log)
        line = closing.enter_context(_line(asked, station_settings))
        installation = line.wait_ready(READY_S, progress).installation
        chosen = decider(installation, sheet=asked.sheet or station_settings.sheet, variety=installation.variety)
        settings = chosen.settings
        run = _run_info(chosen, installation)
        log.started(run.versions, run.hashes)
        journal = open_journal(path, run)
        closing.callback(journal.close)
        lots = lots_on(path, installation.line.lanes, settings.sheet)
        phase = _phase(settings, resume)
        board = _board(line, settings, clock, phase)
        closing.callback(board.close)
        camera = WatchedCamera(lambda: _camera(line, settings, board, clock), clock)
        closing.callback(camera.close)
        sensors = WatchedSensors(lambda: line.open_sensors(board.pulse_of), clock)
        closing.callback(sensors.close)
        if resume is not None:
            journal.commit([], not_known(before or installation, resume.unreported))
        live = LiveRun(
            settings,
            asked.sheet or station_settings.sheet,
            (*station_settings.warnings, *chosen.warnings),
            line,
            run,
        )
        live.station = Station(
            settings,
            camera=camera,
            sensors=sensors,
            board=board,
            encoder=board,
            journal=journal,
            clock=clock,
            lots=lots,
            scale_memory=_scale_memory(path),
            heard=log.tell,
        )
        closing.callback(live.station.stop)
        first_lot = _first_lot(asked, resume, settings, station_settings.sheet, journal)
        closing.enter_context(_no_collector())
        live.station.start(first_lot, latched=resume.latched if resume is not None else None)
        closing.enter_context(desk.serving(live.carry_out))
        metrics_port = asked.metrics_port if asked.metrics_port is not None else service.metrics_port
        if metrics_port:
            closing.callback(MetricsPort(metrics_port, live.metrics).close)
        line.start_belt()
        live.manager.tell(READY)
        yield live


def _status(shown: Snapshot) -> str:
    """One line of state for whoever asks the service manager."""
    findings = ", ".join(sorted({finding.kind for finding in shown.findings}))
    state = f"{shown.state}: {shown.reason}" if shown.reason else f"{shown.state}"
    return f"{state}; lot {shown.lot}; sheet {shown.sheet}" + (f"; watch {findings}" if findings else "")


def _in_words(order: Order) -> str:
    match order:
        case OpenLot():
            return f"ordered: open lot {order.name} of {order.grower or 'nobody named'}, start {order.start}"
        case CloseLot():
            return f"ordered: close lot {order.name}, start {order.start}"
        case _:
            return f"ordered: {type(order).__name__.lower()}"


def _line(asked: SimulatedRun, station_settings: StationSettings) -> LiveLine:
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


def _run_info(chosen: Decider, installation: Installation) -> RunInfo:
    return RunInfo(
        started_wall_s=time.time(), versions=software_versions(), hashes=chosen.hashes, installation=installation
    )


def _phase(settings: LineSettings, resume: Resume | None) -> ChainPhase:
    """Pulses go on after the last serial of the journal, and after where its lots began and ended."""
    line, gates = settings.installation.line, settings.installation.gates
    last = max(resume.last_serials.values(), default=line.first_cup - 1) if resume is not None else line.first_cup - 1
    decided = (last + 1) * line.pulses_per_cup + pulses_from_mm(gates.decision_mm, line.mm_per_pulse)
    not_before = 0 if resume is None else max(decided if resume.last_serials else 0, resume.furthest_pulse)
    return ChainPhase(
        None if line.cups_per_chain is None else line.cups_per_chain * line.pulses_per_cup,
        Pulse(not_before),
        pulses_per_cup=line.pulses_per_cup,
        gap_pulses=belt_pulses(settings),
    )


def _board(line: LiveLine, settings: LineSettings, clock: SystemClock, phase: ChainPhase) -> SerialGateBoard:
    installation = settings.installation
    config = board_configuration(
        installation.line, installation.gates, pulses_per_frame=settings.camera_place.pulses_per_frame
    )
    return SerialGateBoard(GateBoardSettings(port=line.port), config, clock, phase)


def _camera(line: LiveLine, settings: LineSettings, board: SerialGateBoard, clock: SystemClock) -> TriggeredCamera:
    return TriggeredCamera(
        settings.camera,
        line.open_camera(),
        board.triggers,
        clock,
        pulses_per_frame=settings.camera_place.pulses_per_frame,
        wait_ms=PICTURE_WAIT_MS,
    )


def _scale_memory(journal: Path) -> ScaleMemory | None:
    kept: Any = read_memory(journal, SCALE)
    try:
        return None if kept is None else msgspec.convert(kept, ScaleMemory)
    except msgspec.ValidationError:  # of another version of the program: the scale learns anew
        return None


def _first_lot(
    asked: SimulatedRun, resume: Resume | None, settings: LineSettings, sheet: str, journal: SqliteJournal
) -> LotOrder | None:
    """The lot to begin with; None where what was goes on: a lot that is open, or none where the last was closed.

    sheet: the station's. Raises BadSettings, JournalError.
    """
    if resume is not None and resume.lots:
        goes_on = resume.open_lot
        if asked.lot is None or (
            goes_on is not None and asked.lot == goes_on.name and asked.grower in ("", goes_on.grower)
        ):
            return None
    order = OpenLot(
        name=asked.lot or FIRST_LOT,
        grower=asked.grower,
        variety=asked.variety or settings.installation.variety,
        sheet=asked.sheet or "",
        start="now",
    )
    return lot_order(order, settings.installation, sheet, journal.remember)


@contextmanager
def _no_collector() -> Iterator[None]:
    """While fruit are decided Python's collector of garbage looks at nothing by itself: it would hold every thread up
    for as long as it takes to look at all that was loaded. `LiveRun.tick` lets it look at what is new."""
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()


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
