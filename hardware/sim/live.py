"""A station's hold on the simulated line: it starts one, or finds one that runs, and opens its devices.

station                            the simulated line (`hardware.sim.plant`), a process of its own
SerialGateBoard ── board.port ──── pseudo-terminal ─ SimulatedBoard ─ gates ─ Referee ─ referee.jsonl
TriggeredCamera ── line.sock ───── prepared pictures, in shared memory
SensorLink ─────── line.sock ───── scales and spectrometers
LiveLine ───────── line.sock ───── orders in; progress, report out
Saboteur ───────── line.sock ───── faults in; when they began and ended out
"""

from __future__ import annotations

import atexit
import multiprocessing
import select
import shutil
import socket
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import msgspec

from grader.domain.installation import Installation
from grader.errors import DeviceError
from grader.processes import born_deaf_to_ctrl_c
from hardware.local_socket import connect, is_alive
from hardware.message_link import MessageLink
from hardware.sensor_link import SensorLink
from hardware.shared_frames import FrameReceiver
from hardware.sim import line_talk as talk
from hardware.sim.faults import Fault, Scenario
from hardware.sim.plant import ALONE_S, LOG, PlantSettings, Prepare, run_plant
from hardware.sim.referee import Landing
from hardware.sim.referee_log import Began, Landed, Opening, RefereeReader

HEARD_S = 30.0
"""A line that was started is heard within this."""


class LiveLine:
    """The station's hold on a running line. Every call is bounded in time; orders may be given twice.

    port: the board's serial port. ready: what the line is, once it is ready. report: what became of its fruit, after
    `stop_feeding`.
    """

    def __init__(self, folder: Path, process: multiprocessing.process.BaseProcess | None = None) -> None:
        """process: the line's, if this is who started it. Raises DeviceError when no line is there."""
        self.folder, self.port = folder, str(folder / talk.PORT)
        self.prepared = 0.0  # share of the pictures, 0..1
        self.ready: talk.Ready | None = None
        self.report: talk.Report | None = None
        self._process = process
        self._failed = ""
        self._stopped = False
        self._referee = RefereeReader(folder)
        self._control = MessageLink(_opened(folder, "control"))
        self._owns_folder = False
        atexit.register(self.stop)

    def open_camera(self) -> FrameReceiver:
        """Its pictures, from now on. Raises DeviceError."""
        return FrameReceiver(_opened(self.folder, "camera"))

    def open_sensors(self, pulse_of: Callable[[int], int] = int) -> SensorLink:
        """What its sensors say, from now on. Raises DeviceError."""
        return SensorLink(MessageLink(_opened(self.folder, "sensors")), pulse_of)

    def wait_ready(self, timeout_s: float, progress: Callable[[float], None] = lambda done: None) -> talk.Ready:
        """Until the devices can be opened; progress is told the share of the preparation that is done.

        Raises DeviceError when the simulator fails or is not ready in time.
        """

        def is_ready() -> bool:
            progress(self.prepared)
            return self.ready is not None

        self._wait(is_ready, timeout_s)
        if self.ready is None:
            raise DeviceError(f"simulated line: not ready after {timeout_s:.0f} s")
        return self.ready

    def start_belt(self) -> None:
        """The station is ready: let fruit come."""
        self._order(talk.StartBelt())

    def stop_feeding(self) -> None:
        """No more fruit; what is on the belt runs to its outlet, then the belt stops and `report` is there."""
        self._order(talk.StopFeeding())

    def wait_report(self, timeout_s: float) -> talk.Report | None:
        """The final report, after `stop_feeding`; None when fruit is still on the belt."""
        self._wait(lambda: self.report is not None, timeout_s)
        return self.report

    def landings(self) -> list[Landing]:
        """Fruit that left the belt since the last call. Never blocks."""
        self._read_news()
        return [entry.landing for entry in self._referee.news() if isinstance(entry, Landed)]

    def is_alive(self) -> bool:
        """Whether the line runs."""
        self._read_news()
        return not self._stopped and not self._control.closed

    def leave(self) -> None:
        """Let go of the line, which runs on. Idempotent."""
        atexit.unregister(self.stop)
        self._stopped = True
        self._control.close()
        self._referee.close()

    def stop(self, timeout_s: float = 2.0) -> None:
        """End the line, however it stands, and free everything. Idempotent."""
        if self._stopped:
            return
        self._read_news()
        if not self._control.closed:
            self._control.send(msgspec.msgpack.encode(talk.Stop()))
        self._wait_for_end(timeout_s)
        self.leave()
        if self._owns_folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> LiveLine:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if error is not None and self._process is None:
            self.leave()  # whoever started it may want it back
        else:
            self.stop()

    def _wait_for_end(self, timeout_s: float) -> None:
        process = self._process
        if process is None:
            deadline = time.monotonic() + timeout_s
            while not self._control.closed and time.monotonic() < deadline:
                select.select([self._control.fileno()], [], [], 0.1)
                self._read_news()
            return
        process.join(timeout_s)
        for end in (process.terminate, process.kill):
            if process.is_alive():
                end()
                process.join(timeout_s)
        self._read_news()
        if not process.is_alive():
            process.close()

    def _order(self, order: talk.Order) -> None:
        if self.ready is None:
            raise DeviceError("simulated line: not ready yet: wait_ready comes first")
        if not self._stopped:
            self._control.send(msgspec.msgpack.encode(order))

    def _wait(self, is_done: Callable[[], bool], timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while not is_done():
            left_s = deadline - time.monotonic()
            if self._failed:
                raise DeviceError(f"simulated line: {self._failed}")
            if self._stopped or self._control.closed:
                raise DeviceError("simulated line: its process has ended")
            if left_s <= 0:
                return
            select.select([self._control.fileno()], [], [], min(left_s, 0.1))
            self._read_news()

    def _read_news(self) -> None:
        for data in self._control.receive():
            match msgspec.msgpack.decode(data, type=talk.News):
                case talk.Progress(done):
                    self.prepared = done
                case talk.Ready() as ready:
                    self.ready = ready
                case talk.Report() as report:
                    self.report = report
                case talk.Failed(why):
                    self._failed = why


class Saboteur:
    """Lets things go wrong on a running line, whoever runs it."""

    def __init__(self, folder: Path) -> None:
        """Raises DeviceError when no line is there."""
        self._link = MessageLink(_opened(folder, "mischief"))
        self._news: list[talk.Broken] = []

    def let_fail(self, fault: Fault) -> None:
        """`at_s` from now."""
        self._link.send(msgspec.msgpack.encode(talk.Break(fault)))

    def mend(self) -> None:
        """Whatever goes wrong at present is over now."""
        self._link.send(msgspec.msgpack.encode(talk.Mend()))

    def wait(self, timeout_s: float) -> talk.Broken | None:
        """The next fault that has begun, or is over; None when none does in time, or the line has ended."""
        deadline = time.monotonic() + timeout_s
        while not self._news and not self._link.closed and (left_s := deadline - time.monotonic()) > 0:
            select.select([self._link.fileno()], [], [], left_s)
            self._news += [msgspec.msgpack.decode(data, type=talk.Broken) for data in self._link.receive()]
        return self._news.pop(0) if self._news else None

    def close(self) -> None:
        """Idempotent. What goes wrong goes on doing so."""
        self._link.close()


def _opened(folder: Path, device: talk.Device) -> socket.socket:
    """A connection to one of the line's devices. Raises DeviceError."""
    link = MessageLink(connect(folder / talk.SOCKET))
    link.send(msgspec.msgpack.encode(talk.Open(device)))
    end = link.handed_on()
    end.settimeout(2.0)
    return end


def is_running(folder: Path) -> bool:
    """Whether a line runs there."""
    return is_alive(folder / talk.SOCKET)


class Seen(NamedTuple):
    """What the referee of a line saw. since_wall_s: when the line began, in seconds since 1970."""

    since_wall_s: float
    landed: list[Landed]
    openings: list[Opening]


def read_referee(folder: Path) -> Seen:
    """What truly became of the fruit of the latest line there, and what its gates did. Raises BadFile."""
    reader = RefereeReader(folder)
    try:
        entries = reader.news()
    finally:
        reader.close()
    begins = [place for place, entry in enumerate(entries) if isinstance(entry, Began)]
    entries = entries[begins[-1] :] if begins else entries
    since_wall_s = next((entry.wall_s for entry in entries if isinstance(entry, Began)), 0.0)
    landed = [entry for entry in entries if isinstance(entry, Landed)]
    return Seen(since_wall_s, landed, [entry for entry in entries if isinstance(entry, Opening)])


def start_live_line(
    settings: Any,
    *,
    prepare: Prepare,
    installation: Installation,
    folder: Path | None = None,
    cups_per_second: float | None = None,
    asked: dict[str, str | int | float | None] | None = None,
    scenario: Scenario | None = None,
    slots: int = 12,
    alone_s: float = ALONE_S,
) -> LiveLine:
    """Start the simulator's process. It prepares its pictures, then says that it is ready (`LiveLine.wait_ready`).

    settings: whatever `prepare` takes, handed to the process. folder: where its socket, port and referee's log are;
    None: a passing one. cups_per_second: per lane; None: the line's rated speed. The rest as in `PlantSettings`.
    Raises DeviceError.
    """
    passing = folder is None
    folder = Path(tempfile.mkdtemp(prefix="line-")) if folder is None else folder
    plant = PlantSettings(
        installation=installation,
        cups_per_second=installation.line.cups_per_second if cups_per_second is None else cups_per_second,
        asked=asked or {},
        scenario=scenario or Scenario(),
        slots=slots,
        alone_s=alone_s,
    )
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=run_plant, args=(settings, prepare, plant, folder), name="simulated line")
    with born_deaf_to_ctrl_c():
        process.start()
    line = LiveLine(folder, _heard(process, folder))
    line._owns_folder = passing
    return line


def _heard(process: multiprocessing.process.BaseProcess, folder: Path) -> multiprocessing.process.BaseProcess:
    """The process, once it listens."""
    deadline = time.monotonic() + HEARD_S
    while not is_running(folder):
        if not process.is_alive() or time.monotonic() > deadline:
            process.kill()
            process.join()
            raise DeviceError(f"simulated line: its process did not start; see {folder / LOG}")
        process.join(0.01)
    return process
