"""The simulated line, live: a process of its own with belt, camera, sensors, gate board and referee.

    parent                                    the simulator's process
    SerialGateBoard ── pseudo-terminal ────── PtyPort ─ SimulatedBoard ─ gates ─ Referee
    TriggeredCamera ── FrameRing ──────────── prepared pictures, copied when the board fires
    SensorLink ─────── socket ─────────────── SensorSender
    LiveLine ───────── control link ───────── orders in; progress, landings, report out

The belt runs by the monotonic clock. The process sleeps until the next exposure, a byte on the port or an order. When
the parent is gone the control link ends, and so does the process.
"""

from __future__ import annotations

import atexit
import multiprocessing
import select
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from grader.clock import Clock, SystemClock
from grader.domain.frames import Scan, Trigger, Weighing
from grader.domain.installation import CameraPlace, Installation
from grader.errors import DeviceError
from grader.units import BoardTick, HostNs, Pulse, pulse_at
from hardware.message_link import MessageLink
from hardware.sensor_link import SensorLink, SensorSender
from hardware.shared_frames import FrameRing
from hardware.sim.board import SimulatedBoard
from hardware.sim.deafness import born_deaf_to_ctrl_c
from hardware.sim.pty_port import PtyPort
from hardware.sim.referee import Landing, Referee

LONGEST_SLEEP_S = 0.005
"""So late at most do sensors, heartbeat and referee notice that the belt moved."""

LANDINGS_PER_MESSAGE = 500

# What the two processes say to each other


class StartBelt(msgspec.Struct, frozen=True, tag=True):
    """The station is ready."""


class StopFeeding(msgspec.Struct, frozen=True, tag=True):
    """No more fruit on the belt; it runs on until all has landed."""


class Stop(msgspec.Struct, frozen=True, tag=True):
    """End the process now."""


class Progress(msgspec.Struct, frozen=True, tag=True):
    """Share of the pictures that are prepared, 0..1."""

    done: float


class Ready(msgspec.Struct, frozen=True, tag=True):
    """The board can be spoken to."""

    port: str


class Landings(msgspec.Struct, frozen=True, tag=True):
    """Fruit that left the belt."""

    landings: tuple[Landing, ...]


class Report(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """After the last fruit has landed. by_outlet: fruit per outlet. entered = landed, or fruit was lost.

    frames_dropped: found no free slot; readings_dropped: the station did not take them; serial_overruns: bytes that
    the board could not send.
    """

    last_cup: int
    entered: int
    landed: int
    struck: int
    by_outlet: dict[int, int]
    frames: int
    frames_dropped: int
    readings_dropped: int
    serial_overruns: int


class Failed(msgspec.Struct, frozen=True, tag=True):
    """The simulator itself broke."""

    why: str


_Order = StartBelt | StopFeeding | Stop
_News = Progress | Ready | Landings | Report | Failed

# What the line shows


class LineSource(Protocol):
    """What is in the cups and what the sensors say of it. Serials and pulses go on for ever."""

    def occupied(self, lane: int, cup: int) -> object:
        """What is known of the fruit in a cup; None or False when there is none."""
        ...

    def reference_scans(self) -> Iterable[Scan]:
        """Dark and white, taken before the belt starts."""
        ...

    def weighings_between(self, first: Pulse, last: Pulse) -> Iterable[Weighing]:
        """For first <= pulse < last."""
        ...

    def scans_between(self, first: Pulse, last: Pulse) -> Iterable[Scan]:
        """For first <= pulse < last."""
        ...


@dataclass(frozen=True, slots=True)
class PreparedLine:
    """loop: (n_frames, height, width, bands) uint8, what the camera sees at exposure 0, 1, ... and round again.

    empty: the same shape but for fewer frames: the belt without fruit, at exposure 0, 1, ... and round again.
    """

    source: LineSource
    loop: NDArray[np.uint8]
    empty: NDArray[np.uint8]


Prepare = Callable[[Any, Callable[[float], None]], PreparedLine]
"""Settings and a callback for the share done to a line that is ready to run. A function of a module: it is spawned."""


# The simulator's process


class _Belt:
    """Where the belt is by the clock."""

    def __init__(self, pulses_per_s: float) -> None:
        self._pulses_per_s = pulses_per_s
        self._since: HostNs | None = None
        self._pulse = Pulse(0)

    @property
    def running(self) -> bool:
        return self._since is not None

    def pulse(self, now: HostNs) -> Pulse:
        return self._pulse if self._since is None else pulse_at(now, self._pulse, self._since, self._pulses_per_s)

    def start(self, now: HostNs) -> None:
        self._since = self._since or now

    def stop(self, now: HostNs) -> None:
        self._pulse, self._since = self.pulse(now), None

    def seconds_to(self, pulse: int, now: HostNs) -> float:
        """Until a pulse comes; for ever when the belt stands."""
        return max(0.0, (pulse - self.pulse(now)) / self._pulses_per_s) if self.running else float("inf")


class _Camera:
    """Shows the loop from the first cup that was fed to the last, the empty belt before and after."""

    def __init__(self, line: PreparedLine, installation: Installation, place: CameraPlace, ring: FrameRing) -> None:
        self._line, self._place, self._belt, self._ring = line, place, installation.line, ring
        self.frames = 0

    def expose(self, trigger: Trigger, last_cup: int | None, now: Callable[[], HostNs]) -> None:
        exposure = trigger.pulse // self._place.pulses_per_frame
        full = self._line.loop[exposure % len(self._line.loop)]
        empty = self._line.empty[exposure % len(self._line.empty)]
        # Cups move to larger x: what was fed last is furthest left.
        begins = 0 if last_cup is None else self._edge_px(last_cup + 1, trigger.pulse)
        ends = self._edge_px(self._belt.first_cup, trigger.pulse)

        def fill(picture: NDArray[np.uint8]) -> None:
            picture[:, :begins] = empty[:, :begins]
            picture[:, begins:ends] = full[:, begins:ends]
            picture[:, ends:] = empty[:, ends:]

        self.frames += 1
        self._ring.offer(trigger.number, fill, now)

    def _edge_px(self, cup: int, pulse: Pulse) -> int:
        """The column midway between a cup and the one fed before it."""
        pulses = pulse - (cup - 0.5) * self._belt.pulses_per_cup
        column = self._place.cup_zero_px[0] + pulses * self._belt.mm_per_pulse / self._place.mm_per_px
        return int(np.clip(column, 0, self._place.width_px))


class _Simulator:
    """One turn of the loop: whatever fell due on the belt since the last one."""

    def __init__(
        self,
        line: PreparedLine,
        installation: Installation,
        cups_per_second: float,
        ring: FrameRing,
        sensors: SensorSender,
        control: MessageLink,
        clock: Clock,
    ) -> None:
        self._source, self._installation, self._clock = line.source, installation, clock
        self._sensors, self._control, self._ring = sensors, control, ring
        place = next(iter(installation.cameras.values()))
        self._pulses_per_frame = place.pulses_per_frame
        self._camera = _Camera(line, installation, place, ring)
        self._belt = _Belt(cups_per_second * installation.line.pulses_per_cup)
        self._board, self._port = SimulatedBoard(), PtyPort()
        self._referee = Referee(installation.line, installation.gates, self._is_fruit, self._board.movements)
        self._started = clock.now()
        self._pulse = Pulse(0)  # up to here everything has been done
        self._last_cup: int | None = None
        self._landings: list[Landing] = []  # not told yet; the parent reads slower than fruit lands only for a while
        self._by_outlet: Counter[int] = Counter()
        self._struck = self._readings_dropped = 0
        self._reported = False

    def run(self) -> None:
        """Until it is told to stop, or the parent is gone."""
        _tell(self._control, Ready(self._port.path))
        try:
            while not self._control.closed and self._obey():
                self._turn()
                self._sleep()
        finally:
            self._port.close()

    def _obey(self) -> bool:
        now = self._clock.now()
        for data in self._control.receive():
            match msgspec.msgpack.decode(data, type=_Order):
                case StartBelt() if not self._belt.running and not self._reported:
                    for scan in self._source.reference_scans():
                        self._send(scan, now)
                    self._belt.start(now)
                case StopFeeding() if self._last_cup is None:
                    self._last_cup = self._last_fed(now)
                case Stop():
                    return False
        return True

    def _last_fed(self, now: HostNs) -> int:
        line = self._installation.line
        if not self._belt.running:
            return line.first_cup - 1  # it never ran: nothing was fed
        # The cup that comes next may be half in the picture already.
        return self._belt.pulse(now) // line.pulses_per_cup + 1

    def _turn(self) -> None:
        now = self._clock.now()
        first, self._pulse = self._pulse, self._belt.pulse(now)
        tick = BoardTick((now - self._started) // 1000)
        self._board.belt_running = self._belt.running
        said = self._board.advance(self._pulse, tick)
        heard = self._port.read()
        if heard:
            self._board.receive(heard)
            said += self._board.advance(self._pulse, tick)
        self._port.write(said)
        for trigger in self._board.fired_triggers():
            self._camera.expose(trigger, self._last_cup, self._clock.now)
        if self._pulse > first:
            self._read_sensors(first, now)
            self._judge()
        self._tell_landings()

    def _read_sensors(self, first: Pulse, now: HostNs) -> None:
        readings: list[Weighing | Scan] = [
            *self._source.weighings_between(first, self._pulse),
            *self._source.scans_between(first, self._pulse),
        ]
        for reading in readings:
            if self._is_fed(reading):
                self._send(reading, now)
        self._sensors.flush()

    def _send(self, reading: Weighing | Scan, now: HostNs) -> None:
        if not self._sensors.send(replace(reading, t_ns=now)):
            self._readings_dropped += 1

    def _is_fed(self, reading: Weighing | Scan) -> bool:
        """Whether a reading is of a cup between the first and the last that were fed."""
        installation = self._installation
        if isinstance(reading, Weighing):
            position_mm = installation.scale.position_mm if installation.scale else 0.0
        else:
            position_mm = installation.spectrometers[reading.spectrometer].position_mm
        line = installation.line
        cup = (reading.pulse - position_mm / line.mm_per_pulse) / line.pulses_per_cup
        return line.first_cup - 0.5 <= cup and (self._last_cup is None or cup < self._last_cup + 0.5)

    def _judge(self) -> None:
        landings = self._referee.judge(self._pulse)
        self._by_outlet.update(landing.outlet for landing in landings)
        self._struck += sum(landing.struck for landing in landings)
        self._landings += landings
        self._board.forget_movements(self._pulse - self._referee.reach_back)

    def _tell_landings(self) -> None:
        while self._landings:
            some = tuple(self._landings[:LANDINGS_PER_MESSAGE])
            if not _tell(self._control, Landings(some)):
                return
            del self._landings[: len(some)]
        self._control.flush()
        if self._last_cup is None or self._reported or self._referee.settled_cup <= self._last_cup:
            return
        self._belt.stop(self._clock.now())
        self._reported = _tell(self._control, self._report(self._last_cup))

    def _report(self, last_cup: int) -> Report:
        return Report(
            last_cup=last_cup,
            entered=self._referee.entered,
            landed=self._referee.landed,
            struck=self._struck,
            by_outlet=dict(sorted(self._by_outlet.items())),
            frames=self._camera.frames,
            frames_dropped=self._ring.dropped,
            readings_dropped=self._readings_dropped,
            serial_overruns=self._port.overruns,
        )

    def _sleep(self) -> None:
        next_exposure = (self._pulse // self._pulses_per_frame + 1) * self._pulses_per_frame
        sleep_s = min(LONGEST_SLEEP_S, self._belt.seconds_to(next_exposure, self._clock.now()))
        port = self._port.fileno()
        select.select([port, self._control.fileno()], [] if self._port.flush() else [port], [], sleep_s)

    def _is_fruit(self, lane: int, cup: int) -> bool:
        return (self._last_cup is None or cup <= self._last_cup) and bool(self._source.occupied(lane, cup))


def _tell(control: MessageLink, news: _News) -> bool:
    return control.send(msgspec.msgpack.encode(news))


def _run(
    settings: Any,
    prepare: Prepare,
    installation: Installation,
    cups_per_second: float,
    ring: FrameRing,
    sensor_end: MessageLink,
    control: MessageLink,
) -> None:
    """The process: prepare the pictures, then run the line until the station says stop, which is after the drain."""

    def progress(done: float) -> None:
        _tell(control, Progress(min(1.0, done)))
        if control.receive() or control.closed:  # before Ready there is no order but Stop
            raise SystemExit

    try:
        line = prepare(settings, progress)
        progress(1.0)
        _Simulator(line, installation, cups_per_second, ring, SensorSender(sensor_end), control, SystemClock()).run()
    except Exception as problem:
        _tell(control, Failed(f"{type(problem).__name__}: {problem}"))
        raise
    finally:
        sensor_end.close()
        ring.close()
        control.close()


# The parent's handle


class LiveLine:
    """The parent's hold on a running simulator. Every call is bounded in time; orders may be given twice.

    ring: where its camera's pictures come; sensors: where its readings do; port: the board's serial port, once it is
    ready.
    """

    def __init__(
        self,
        process: multiprocessing.process.BaseProcess,
        ring: FrameRing,
        sensors: SensorLink,
        control: MessageLink,
    ) -> None:
        self.ring, self.sensors = ring, sensors
        self.prepared = 0.0  # share of the pictures, 0..1
        self.port = ""
        self.report: Report | None = None
        self._process, self._control = process, control
        self._landings: list[Landing] = []
        self._failed = ""
        self._stopped = False
        # It is no daemon, for daemons may not have the helpers that prepare the pictures; but it goes with its parent.
        atexit.register(self.stop)

    def wait_ready(self, timeout_s: float, progress: Callable[[float], None] = lambda done: None) -> None:
        """Until the board can be spoken to; progress is told the share of the preparation that is done.

        Raises DeviceError when the simulator fails or is not ready in time.
        """

        def is_ready() -> bool:
            progress(self.prepared)
            return bool(self.port)

        if not self._wait(is_ready, timeout_s):
            raise DeviceError(f"simulated line: not ready after {timeout_s:.0f} s")

    def start_belt(self) -> None:
        """The station is ready: let fruit come."""
        self._order(StartBelt())

    def stop_feeding(self) -> None:
        """No more fruit; what is on the belt runs to its outlet, then the belt stops and `report` is there."""
        self._order(StopFeeding())

    def wait_report(self, timeout_s: float) -> Report | None:
        """The final report, after `stop_feeding`; None when fruit is still on the belt."""
        self._wait(lambda: self.report is not None, timeout_s)
        return self.report

    def landings(self) -> list[Landing]:
        """Fruit that left the belt since the last call. Never blocks."""
        self._read_news()
        landings, self._landings = self._landings, []
        return landings

    def is_alive(self) -> bool:
        """Whether the simulator's process runs."""
        return not self._stopped and self._process.is_alive()

    def stop(self, timeout_s: float = 2.0) -> None:
        """End the process, however it stands, and free everything. Idempotent."""
        if self._stopped:
            return
        self._read_news()
        self._order(Stop())
        self._process.join(timeout_s)
        for end in (self._process.terminate, self._process.kill):
            if self._process.is_alive():
                end()
                self._process.join(timeout_s)
        self._read_news()
        self._stopped = True
        atexit.unregister(self.stop)
        self._control.close()
        self.sensors.close()
        self.ring.close()
        if not self._process.is_alive():
            self._process.close()

    def __enter__(self) -> LiveLine:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def _order(self, order: _Order) -> None:
        if not self.port and not isinstance(order, Stop):
            raise DeviceError("simulated line: not ready yet: wait_ready comes first")
        if not self._stopped:
            self._control.send(msgspec.msgpack.encode(order))

    def _wait(self, is_done: Callable[[], bool], timeout_s: float) -> bool:
        deadline = time.monotonic() + timeout_s
        while not is_done():
            left_s = deadline - time.monotonic()
            if self._failed:
                raise DeviceError(f"simulated line: {self._failed}")
            if self._stopped or self._control.closed:
                raise DeviceError("simulated line: its process has ended")
            if left_s <= 0:
                return False
            select.select([self._control.fileno()], [], [], min(left_s, 0.1))
            self._read_news()
        return True

    def _read_news(self) -> None:
        for data in self._control.receive():
            match msgspec.msgpack.decode(data, type=_News):
                case Progress(done):
                    self.prepared = done
                case Ready(port):
                    self.port = port
                case Landings(landings):
                    self._landings += landings
                case Report() as report:
                    self.report = report
                case Failed(why):
                    self._failed = why


def start_live_line(
    settings: Any,
    *,
    prepare: Prepare,
    installation: Installation,
    cups_per_second: float | None = None,
    slots: int = 12,
) -> LiveLine:
    """Start the simulator's process. It prepares its pictures, then says that it is ready (`LiveLine.wait_ready`).

    settings: whatever `prepare` takes, handed to the process. cups_per_second: per lane; None: the line's rated
    speed. slots: pictures that may wait for the station.
    """
    context = multiprocessing.get_context("spawn")
    place = next(iter(installation.cameras.values()))
    ring = FrameRing(context, (place.height_px, place.width_px, len(place.bands)), slots)
    sensor_end, station_end = MessageLink.pair()
    control_end, control = MessageLink.pair()
    rate = installation.line.cups_per_second if cups_per_second is None else cups_per_second
    process = context.Process(
        target=_run,
        args=(settings, prepare, installation, rate, ring, sensor_end, control_end),
        name="simulated line",
    )
    with born_deaf_to_ctrl_c():
        process.start()
    # Only the child's copies may stay open: each side learns from the end of a link that the other is gone.
    sensor_end.close()
    control_end.close()
    return LiveLine(process, ring, SensorLink(station_end), control)
