"""The simulated line as a process of its own: belt, camera, sensors, gate board, gates and referee.

    folder/line.sock      control, camera, sensors and mischief: a connection each (`hardware.sim.line_talk`)
    folder/board.port     the board's serial port, a pseudo-terminal
    folder/referee.jsonl  where every fruit really went
    folder/line.log       what broke the line, if something did

The belt runs by the monotonic clock, whether a station is there or not: a station that was killed finds the line
running, as it would on the floor. Without a station it ends by itself after a while. It sleeps until the next exposure,
a byte on the port or a message.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import select
import socket
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec

from grader.clock import Clock, SystemClock
from grader.domain.installation import Installation
from grader.errors import DeviceError
from grader.processes import leave_resource_tracker
from grader.units import NS_PER_S, BoardTick, HostNs, Pulse
from hardware.local_socket import forget, listen
from hardware.message_link import NO_MESSAGE, MessageLink
from hardware.shared_frames import FrameSender
from hardware.sim import line_talk as talk
from hardware.sim.board import SimulatedBoard
from hardware.sim.drive import Drive
from hardware.sim.faults import Scenario
from hardware.sim.feed import Feed
from hardware.sim.loop_camera import LoopCamera, PreparedLine
from hardware.sim.mischief import Mischief, Parts
from hardware.sim.pty_port import PtyPort
from hardware.sim.referee import Referee
from hardware.sim.referee_log import Began, Landed, Opening, RefereeLog
from hardware.sim.sensor_box import SensorBox

LONGEST_SLEEP_S = 0.005
"""So late at most do sensors, heartbeat and referee notice that the belt moved."""

ALONE_S = 60.0
"""A line whose station is gone and does not come back ends after so long."""

LOG = "line.log"
"""In the line's folder: what broke it, if something did."""

COMING_S = 10.0
"""Whoever starts a line connects to it within this."""

_Order = TypeVar("_Order")

Prepare = Callable[[Any, Callable[[float], None]], PreparedLine]
"""Settings and a callback for the share done to a line that is ready to run. A function of a module: it is spawned."""


class PlantSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What a line needs beside what is on it. asked: what it was started with, told to every station.

    slots: pictures that may wait for the station. alone_s: see `ALONE_S`.
    """

    installation: Installation
    cups_per_second: float
    asked: dict[str, str | int | float | None] = {}
    scenario: Scenario = Scenario()
    slots: int = 12
    alone_s: float = ALONE_S


class _Doors:
    """The line's socket, and the connections that have not said yet which device they want."""

    def __init__(self, path: Path) -> None:
        self._path, self._socket = path, listen(path)
        self._socket.setblocking(False)
        self._waiting: list[MessageLink] = []

    def filenos(self) -> list[int]:
        return [self._socket.fileno(), *(link.fileno() for link in self._waiting)]

    def opened(self) -> list[tuple[talk.Device, MessageLink, list[bytes]]]:
        """Devices that were asked for since the last call, each with its connection and what was said after that."""
        with contextlib.suppress(BlockingIOError):
            while True:
                self._waiting.append(MessageLink(self._socket.accept()[0]))
        found = []
        for link in list(self._waiting):
            said = link.receive()
            if said:
                self._waiting.remove(link)
                try:
                    found.append((msgspec.msgpack.decode(said[0], type=talk.Open).device, link, said[1:]))
                except NO_MESSAGE:
                    link.close()
            elif link.closed:
                link.close()
                self._waiting.remove(link)
        return found

    def close(self) -> None:
        for link in self._waiting:
            link.close()
        self._socket.close()
        forget(self._path)


class _Orders(Generic[_Order]):
    """From whoever gives them at present: over the control a station, over the mischief whoever lets things go wrong;
    or nobody."""

    def __init__(self, clock: Clock, kinds: Any) -> None:
        """kinds: what an order is."""
        self._clock, self._kinds = clock, kinds
        self._link: MessageLink | None = None
        self._orders: list[bytes] = []
        self.alone_since = clock.now()

    def filenos(self) -> list[int]:
        return [] if self._link is None else [self._link.fileno()]

    def serve(self, link: MessageLink, said: list[bytes]) -> None:
        self.hang_up()
        self._link, self._orders = link, list(said)

    def hang_up(self) -> None:
        if self._link is not None:
            self._link.close()
            self._link = None
            self.alone_since = self._clock.now()

    def take(self) -> list[_Order]:
        """Since the last call. One that is none ends the talk: it is nobody of ours."""
        if self._link is None:
            return []
        said = self._orders + self._link.receive()
        self._orders = []
        if self._link.closed:
            self.hang_up()
        try:
            return [msgspec.msgpack.decode(data, type=self._kinds) for data in said]
        except NO_MESSAGE:
            self.hang_up()
            return []

    def tell(self, news: talk.News | talk.Broken) -> bool:
        return self._link is not None and self._link.send(msgspec.msgpack.encode(news))

    def alone_s(self) -> float:
        """How long there has been nobody."""
        return 0.0 if self._link is not None else (self._clock.now() - self.alone_since) / NS_PER_S


class Plant:
    """One turn of the loop: whatever fell due on the belt since the last one."""

    def __init__(
        self,
        line: PreparedLine,
        settings: PlantSettings,
        folder: Path,
        doors: _Doors,
        control: _Orders[talk.Order],
        clock: Clock,
    ) -> None:
        self._source, self._settings, self._clock = line.source, settings, clock
        self._doors, self._control = doors, control
        self._wrongs: _Orders[talk.Wrong] = _Orders(clock, talk.Wrong)
        installation = settings.installation
        self._line, self._place = installation.line, next(iter(installation.cameras.values()))
        self._drive = Drive(settings.cups_per_second * self._line.pulses_per_cup)
        self._board = SimulatedBoard(boot_id=secrets.randbits(30) + 1)  # no other line's board is taken for it
        self._feed = Feed(self._line.first_cup)
        self._camera = LoopCamera(line, self._line, self._place, self._feed, clock.now)
        self._sensors = SensorBox(line.source, installation, self._feed)
        self._port = PtyPort(folder / talk.PORT, seed=settings.scenario.seed)
        self._parts = Parts(
            drive=self._drive,
            camera=self._camera,
            sensors=self._sensors,
            board=self._board,
            port=self._port,
            feed=self._feed,
            next_cup=self._next_cup,
            lanes=self._line.lanes,
            blocked=set(),
        )
        self._mischief = Mischief(self._parts, settings.scenario, installation.gates.outlets)
        self._referee = Referee(self._line, installation.gates, self._is_fruit, self._board.movements)
        self._board.index_passed(Pulse(0))  # that is where it was left standing
        self._log = RefereeLog(folder)
        self._log.add([Began(wall_s=clock.wall_s())])
        self._started = clock.now()
        self._belt = Pulse(0)  # up to here everything has been done
        self._by_outlet: Counter[int] = Counter()
        self._struck = 0
        self._is_over = self._reported = False

    def run(self) -> None:
        """Until it is told to stop, or nobody has been there for too long."""
        self._control.tell(self._ready())
        try:
            while self._obey() and self._control.alone_s() < self._settings.alone_s:
                self._admit()
                self._turn()
                self._sleep()
        finally:
            self._camera.hang_up()
            self._sensors.hang_up()
            self._port.close()
            self._log.close()
            self._wrongs.hang_up()

    def _ready(self) -> talk.Ready:
        return talk.Ready(self._settings.installation, self._settings.asked, self._drive.started is not None)

    def _admit(self) -> None:
        for device, link, said in self._doors.opened():
            if device in self._parts.blocked:
                link.close()
            elif device == "control":
                self._control.serve(link, said)
                self._control.tell(self._ready())
                self._reported = False
            elif device == "mischief":
                self._wrongs.serve(link, said)
            elif device == "sensors":
                self._sensors.serve(link, self._clock.now())
            else:
                self._show_pictures(link.handed_on())

    def _show_pictures(self, connection: socket.socket) -> None:
        self._camera.hang_up()
        shape = (self._place.height_px, self._place.width_px, len(self._place.bands))
        with contextlib.suppress(DeviceError):  # whoever asked is gone again
            self._camera.sender = FrameSender(connection, shape, self._settings.slots)
            self._camera.silent = False

    def _obey(self) -> bool:
        now = self._clock.now()
        for wrong in self._wrongs.take():
            match wrong:
                case talk.Break(fault):
                    self._mischief.add(fault, now)
                case talk.Mend():
                    self._mischief.mend(now)
        for order in self._control.take():
            match order:
                case talk.StartBelt() if self._drive.started is None and not self._is_over:
                    self._drive.run(now)
                case talk.StopFeeding() if not self._feed.is_over:
                    self._feed.end(self._next_cup(now))
                case talk.Stop():
                    return False
        return True

    def _next_cup(self, now: HostNs) -> int:
        """The first that nobody has seen anything of."""
        if self._drive.started is None:
            return self._line.first_cup
        # The cup that comes next may be half in the picture already.
        return self._drive.pulse(now) // self._line.pulses_per_cup + 2

    def _turn(self) -> None:
        now = self._clock.now()
        for fault, is_over in self._mischief.turn(now):
            self._wrongs.tell(talk.Broken(fault, is_over, self._drive.pulse(now)))
        first, self._belt = self._belt, self._drive.pulse(now)
        tick = BoardTick((now - self._started) // 1000)
        self._board.belt_running = self._drive.running
        self._pass_index_marks(first)
        if self._parts.encoder_silent:
            self._board.miscount(first - self._belt)
        said = self._board.advance(self._belt, tick)
        heard = self._port.read()
        if heard:
            self._board.receive(heard)
            said += self._board.advance(self._belt, tick)
        self._port.write(said)
        for trigger in self._board.fired_triggers():
            self._camera.expose(trigger.number, trigger.pulse)
        if self._belt > first:
            self._sensors.read(first, self._belt, self._board, now)
            self._judge()
        end_cup = self._feed.end_cup
        if self._feed.is_over and end_cup is not None and self._referee.settled_cup >= end_cup:
            self._end(now, end_cup - 1)

    def _pass_index_marks(self, first: Pulse) -> None:
        if self._line.cups_per_chain is None:
            return
        per_chain = self._line.cups_per_chain * self._line.pulses_per_cup
        for mark in range((first // per_chain + 1) * per_chain, self._belt + 1, per_chain):
            self._board.index_passed(Pulse(mark))

    def _judge(self) -> None:
        landings = self._referee.judge(self._belt)
        self._by_outlet.update(landing.outlet for landing in landings)
        self._struck += sum(landing.struck for landing in landings)
        wall_s = self._clock.wall_s()
        self._log.add(Landed(landing=landing, pulse=self._belt, wall_s=wall_s) for landing in landings)
        self._log.add(
            Opening(lane=gone.lane, outlet=gone.outlet, opening=gone.opening, closing=gone.closing)
            for gone in self._board.forget_movements(self._belt - self._referee.reach_back)
            if gone.closing is not None
        )

    def _end(self, now: HostNs, last_cup: int) -> None:
        if not self._is_over:
            self._is_over = True
            self._drive.stop(now)
        if not self._reported:
            self._reported = self._control.tell(self._report(last_cup))

    def _report(self, last_cup: int) -> talk.Report:
        return talk.Report(
            last_cup=last_cup,
            entered=self._referee.entered,
            landed=self._referee.landed,
            struck=self._struck,
            by_outlet=dict(sorted(self._by_outlet.items())),
            frames=self._camera.frames,
            frames_dropped=self._camera.dropped,
            readings_dropped=self._sensors.dropped,
            serial_overruns=self._port.overruns,
        )

    def _sleep(self) -> None:
        now = self._clock.now()
        per_frame = self._place.pulses_per_frame
        next_exposure = (self._belt // per_frame + 1) * per_frame
        sleep_s = min(LONGEST_SLEEP_S, self._drive.seconds_to(next_exposure, now))
        port = [self._port.fileno()] if self._port.plugged_in else []
        waits = [] if self._port.flush() else port
        said = [*self._doors.filenos(), *self._control.filenos(), *self._wrongs.filenos()]
        select.select([*port, *said], waits, [], sleep_s)

    def _is_fruit(self, lane: int, cup: int) -> bool:
        return self._feed.holds(cup) and bool(self._source.occupied(lane, cup))


def _go_alone(folder: Path) -> None:
    """What ends a terminal's processes does not end the line, and nobody waits for it to close what they share: it is a
    machine on the floor. What it has to say beside its socket is in a file."""
    os.setsid()
    log = os.open(folder / LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor, onto in ((nothing, 0), (nothing, 1), (log, 2)):
        os.dup2(descriptor, onto)
    os.close(log)
    os.close(nothing)
    leave_resource_tracker()


def run_plant(settings: Any, prepare: Prepare, plant: PlantSettings, folder: Path) -> None:
    """The process: prepare the pictures, then run the line until a station says stop."""
    _go_alone(folder)
    clock = SystemClock()
    doors, control = _Doors(folder / talk.SOCKET), _Orders[talk.Order](clock, talk.Order)

    def progress(done: float) -> None:
        for device, link, said in doors.opened():
            if device == "control":
                control.serve(link, said)
            else:
                link.close()
        control.tell(talk.Progress(min(1.0, done)))
        # Before it is ready there is no order but Stop, and nobody to prepare for when whoever asked is gone.
        if control.take() or control.alone_s() > min(plant.alone_s, COMING_S):
            raise SystemExit

    try:
        while not control.filenos():  # whoever started the line is to hear what becomes of it
            select.select(doors.filenos(), [], [], COMING_S)
            progress(0.0)
        line = prepare(settings, progress)
        progress(1.0)
        Plant(line, plant, folder, doors, control, clock).run()
    except Exception as problem:
        control.tell(talk.Failed(f"{type(problem).__name__}: {problem}"))
        raise
    finally:
        control.hang_up()
        doors.close()
