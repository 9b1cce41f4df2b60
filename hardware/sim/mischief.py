"""Faults done to the parts of the live line, and undone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import msgspec

from grader.units import NS_PER_S, HostNs
from hardware.sim.board import SimulatedBoard
from hardware.sim.drive import BRAKE_S, JOG_SHARE, Drive
from hardware.sim.faults import Fault, FaultKind, Scenario, random_faults
from hardware.sim.feed import Feed
from hardware.sim.loop_camera import LoopCamera
from hardware.sim.pty_port import PtyPort
from hardware.sim.sensor_box import SensorBox


@dataclass
class Parts:
    """What can break. next_cup: the first that nobody has seen anything of. blocked: devices that nobody can open at
    present. encoder_silent: the belt is not counted."""

    drive: Drive
    camera: LoopCamera
    sensors: SensorBox
    board: SimulatedBoard
    port: PtyPort
    feed: Feed
    next_cup: Callable[[HostNs], int]
    lanes: int
    blocked: set[str]
    encoder_silent: bool = False


class Mischief:
    """Begins and ends the faults of a scenario by the clock, from when the belt first ran. It ends what it began."""

    def __init__(self, parts: Parts, scenario: Scenario, outlets: int) -> None:
        self._parts = parts
        self._listed = sorted(scenario.fault, key=lambda fault: fault.at_s)
        self._random: Iterator[Fault] = (
            random_faults(scenario.every_s, scenario.seed, lanes=parts.lanes, outlets=outlets)
            if scenario.every_s
            else iter(())
        )
        self._next_random = next(self._random, None)
        self._going_on: list[tuple[HostNs, Fault]] = []  # when each is over

    def add(self, fault: Fault, now: HostNs) -> None:
        """One more, at_s seconds from now."""
        began = self._parts.drive.started
        so_far_s = 0.0 if began is None else (now - began) / NS_PER_S
        self._listed.append(msgspec.structs.replace(fault, at_s=so_far_s + fault.at_s))
        self._listed.sort(key=lambda each: each.at_s)

    def mend(self, now: HostNs) -> None:
        """Whatever goes on is over by the next turn."""
        self._going_on = [(now, fault) for _, fault in self._going_on]

    def turn(self, now: HostNs) -> list[tuple[Fault, bool]]:
        """What has begun since the last call (False), and what is over (True)."""
        news: list[tuple[Fault, bool]] = []
        for over, fault in [each for each in self._going_on if each[0] <= now]:
            self._going_on.remove((over, fault))
            self._undo(fault, now)
            news.append((fault, True))
        began = self._parts.drive.started
        if began is None:
            return news
        so_far_s = (now - began) / NS_PER_S
        for fault in self._due(so_far_s):
            self._do(fault, now)
            news.append((fault, False))
            if fault.for_s > 0:
                self._going_on.append((HostNs(now + int(fault.for_s * NS_PER_S)), fault))
        return news

    def _due(self, so_far_s: float) -> Iterator[Fault]:
        while self._listed and self._listed[0].at_s <= so_far_s:
            yield self._listed.pop(0)
        while self._next_random is not None and self._next_random.at_s <= so_far_s:
            yield self._next_random
            self._next_random = next(self._random, None)

    def _do(self, fault: Fault, now: HostNs) -> None:
        self._work(fault, now)[0]()

    def _undo(self, fault: Fault, now: HostNs) -> None:
        self._work(fault, now)[1]()

    def _work(self, fault: Fault, now: HostNs) -> tuple[Callable[[], object], Callable[[], object]]:
        """How a fault begins and how it ends."""
        parts = self._parts
        lanes = range(parts.lanes) if fault.lane is None else (fault.lane,)
        match fault.kind:
            case FaultKind.BELT_STOPS:
                return lambda: parts.drive.stop(now), lambda: self._run(now)
            case FaultKind.BELT_JOGS:
                return lambda: self._jog(True, now), lambda: self._jog(False, now)
            case FaultKind.EMERGENCY_STOP:
                return lambda: self._emergency(True, now), lambda: self._emergency(False, now)
            case FaultKind.OUTLET_FULL:
                return lambda: self._full(fault.outlet, True), lambda: self._full(fault.outlet, False)
            case FaultKind.FEED_STOPS:
                return lambda: parts.feed.stop(parts.next_cup(now)), lambda: parts.feed.go_on(parts.next_cup(now))
            case FaultKind.ENCODER_SILENT:
                return (
                    lambda: setattr(parts, "encoder_silent", True),
                    lambda: setattr(parts, "encoder_silent", False),
                )
            case FaultKind.ENCODER_JUMPS:
                return lambda: parts.board.miscount(fault.pulses), _nothing
            case FaultKind.CAMERA_SILENT:
                return lambda: self._camera(silent=True), lambda: parts.blocked.discard("camera")
            case FaultKind.CAMERA_GONE:
                return lambda: self._camera(silent=False), lambda: parts.blocked.discard("camera")
            case FaultKind.FRAMES_LOST:
                return lambda: setattr(parts.camera, "lost", fault.frames), _nothing
            case FaultKind.FRAMES_REPEATED:
                return lambda: setattr(parts.camera, "repeated", fault.frames), _nothing
            case FaultKind.FRAMES_SWAPPED:
                return lambda: setattr(parts.camera, "swapped", fault.frames), _nothing
            case FaultKind.FRAMES_CUT:
                return lambda: setattr(parts.camera, "cut", fault.frames), _nothing
            case FaultKind.LIGHT_FAILS:
                return lambda: setattr(parts.camera, "light", fault.share), lambda: setattr(parts.camera, "light", 1.0)
            case FaultKind.SCALE_SILENT:
                silent = parts.sensors.silent_lanes
                return lambda: silent.update(lanes), lambda: silent.difference_update(lanes)
            case FaultKind.SCALE_STUCK:
                stuck = parts.sensors.stuck_lanes
                return lambda: stuck.update(dict.fromkeys(lanes)), lambda: [stuck.pop(lane, None) for lane in lanes]
            case FaultKind.SPECTROMETER_SILENT | FaultKind.SPECTRUM_DARK | FaultKind.SPECTRUM_SATURATED:
                how = fault.kind.removeprefix("spectrometer_").removeprefix("spectrum_")
                return lambda: setattr(parts.sensors, "spectrum", how), lambda: setattr(
                    parts.sensors, "spectrum", "good"
                )
            case FaultKind.SENSORS_GONE:
                return lambda: self._sensors_gone(), lambda: parts.blocked.discard("sensors")
            case FaultKind.BOARD_SILENT:
                return lambda: setattr(parts.port, "cut", True), lambda: setattr(parts.port, "cut", False)
            case FaultKind.BOARD_RESTARTS:
                return parts.board.restart, _nothing
            case FaultKind.BOARD_REFUSES:
                return lambda: setattr(parts.board, "refuses", True), lambda: setattr(parts.board, "refuses", False)
            case FaultKind.BOARD_LIES:
                return lambda: setattr(parts.board, "lies_by", fault.pulses), lambda: setattr(parts.board, "lies_by", 0)
            case FaultKind.SERIAL_NOISE:
                return lambda: setattr(parts.port, "noise", fault.share), lambda: setattr(parts.port, "noise", 0.0)
            case FaultKind.PORT_PULLED:
                return parts.port.pull, parts.port.plug_in

    def _run(self, now: HostNs) -> None:
        """Start the belt again, unless something else holds it."""
        if not self._parts.board.emergency_stop:
            self._parts.drive.run(now)

    def _jog(self, on: bool, now: HostNs) -> None:
        self._parts.board.jogging = on
        if on and not self._parts.board.emergency_stop:
            self._parts.drive.run(now, JOG_SHARE)
        elif not on:
            self._run(now)

    def _emergency(self, pressed: bool, now: HostNs) -> None:
        self._parts.board.emergency_stop = pressed
        if pressed:
            self._parts.drive.stop(now, ramp_s=BRAKE_S)
        else:
            self._run(now)

    def _full(self, outlet: int, is_full: bool) -> None:
        full = set(self._parts.board.outlets_full)
        (full.add if is_full else full.discard)(outlet)
        self._parts.board.outlets_full = frozenset(full)

    def _camera(self, *, silent: bool) -> None:
        self._parts.blocked.add("camera")
        if silent:
            self._parts.camera.silent = True
        else:
            self._parts.camera.hang_up()

    def _sensors_gone(self) -> None:
        self._parts.blocked.add("sensors")
        self._parts.sensors.hang_up()


def _nothing() -> None:
    """Some things happen once and need no end."""
