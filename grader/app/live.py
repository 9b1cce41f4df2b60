"""A live station put together: the simulated line in its own process, the real serial port, the journal, the shell.

A folder is a station's whole memory: `grader run --out DIR` goes on where the journal in it stopped, with the line that
may still be running there.
"""

from __future__ import annotations

import gc
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import cv2
import msgspec

from grader.app.books import JOURNAL
from grader.app.lot_books import lot_order, lots_on, start_of
from grader.app.metrics import MetricsPort, metrics_page
from grader.app.orders import OrderDesk
from grader.app.setting_up import Decider, decider, map_processes_by
from grader.app.simulated_line import (
    READY_S,
    SimulatedRun,
    as_before,
    line_of,
    require_same_belt,
    station_settings_of,
)
from grader.app.systemd import ALIVE, READY, STOPPING, ServiceManager
from grader.clock import SystemClock
from grader.config.sheets import load_sheet
from grader.domain.installation import Installation
from grader.domain.orders import Answer, CloseLot, Done, OpenLot, Order, Refused, Reset, Show, Shown, Stop
from grader.domain.snapshot import FaultKind, Snapshot, State
from grader.errors import BadSettings, DeviceError
from grader.processes import keep_memory
from grader.station.line import LineSettings
from grader.station.lots import LotOrder
from grader.station.pictures import PictureBook, PictureSettings
from grader.station.shell import SCALE, Station, belt_pulses
from grader.station.unreported import not_known
from grader.station.watched import WatchedCamera, WatchedMaps, WatchedSensors
from grader.storage.journal import SqliteJournal, open_journal, read_memory, read_runs
from grader.storage.pictures import PictureFolder
from grader.storage.provenance import RunInfo, software_versions
from grader.storage.resume import Resume, where_to_go_on
from grader.storage.station_log import LOG, StationLog
from grader.tracking.scale import ScaleMemory
from grader.units import Pulse, pulses_from_mm
from hardware.chain_phase import ChainPhase
from hardware.gate_board import GateBoardSettings, SerialGateBoard, board_configuration
from hardware.sim.live import LiveLine, is_running
from hardware.triggered_camera import TriggeredCamera

PICTURE_WAIT_MS = 200.0
"""A picture that comes no later than this after its trigger still shows its cups 80 ms before their decision."""
FIRST_LOT = "lot-1"
LINE_HANGS_S, KEEPER_HANGS_S = 5.0, 120.0
"""A station whose line, or whose keeper, has not come round for so long is not called alive any more. A reset may take
longer, within what a service manager waits for; a keeper may wait for a disk, as long as what is decided has room."""
COLLECT_S = 10.0
"""So often the collector looks for rings of garbage, when it is told to: else it would choose the moment itself."""


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
    keep_memory()
    clock = SystemClock()
    asked.out.mkdir(parents=True, exist_ok=True)
    path = asked.out / JOURNAL
    with ExitStack() as closing:
        desk = OrderDesk(asked.out)  # from here on the folder is this station's
        closing.callback(desk.close)
        resume = where_to_go_on(path)
        before = list(read_runs(path).values())[-1].installation if resume is not None else None
        asked = as_before(asked, before)
        station_settings = station_settings_of(asked)
        service = station_settings.service
        log = StationLog(asked.out / LOG, most_bytes=service.log_bytes, most_files=service.log_files)
        closing.enter_context(log)
        # What can be known to be wrong is said before the line's pictures are prepared, which takes a while.
        _require_cores(service.cores, asked.station)
        load_sheet(asked.sheet or station_settings.sheet)
        if not is_running(asked.out):
            require_same_belt(path, before, station_settings.installation)
        line = closing.enter_context(line_of(asked, station_settings))
        _use_cores(service.cores)  # the line's process is there, and keeps all
        installation = line.wait_ready(READY_S, progress).installation
        require_same_belt(path, before, installation)
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
        maps = WatchedMaps(lambda: map_processes_by(settings), clock)
        closing.callback(maps.close)
        if resume is not None:
            journal.commit([], not_known(before or installation, resume.unreported))
        live = LiveRun(
            settings,
            asked.sheet or station_settings.sheet,
            (*station_settings.warnings, *chosen.warnings),
            line,
            run,
        )
        pictures = _pictures(asked.out, settings, station_settings.pictures, clock)
        closing.callback(pictures.close)
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
            pictures=pictures,
            maps=maps,
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


def _require_cores(cores: tuple[int, ...], station_file: Path | None) -> None:
    """Raises BadSettings for one that is not there, or not this program's."""
    there = os.sched_getaffinity(0)
    if missing := sorted(set(cores) - there):
        known = ", ".join(map(str, sorted(there)))
        raise BadSettings(
            station_file or "", f"service.cores: there is no core {missing[0]} here", remedy=f"there are {known}"
        )


def _use_cores(cores: tuple[int, ...]) -> None:
    """Every thread that there is; those to come take after the one that starts them."""
    for thread in Path("/proc/self/task").iterdir() if cores else ():
        os.sched_setaffinity(int(thread.name), cores)


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


def _pictures(out: Path, settings: LineSettings, wanted: PictureSettings, clock: SystemClock) -> PictureBook:
    camera = settings.camera_place
    keeper = PictureFolder(out, camera.bands, most_bytes=wanted.most_bytes, least_free_bytes=wanted.least_free_bytes)
    return PictureBook(settings.installation, camera, keeper, wanted, clock)


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
