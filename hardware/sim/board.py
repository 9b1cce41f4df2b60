"""The gate board's firmware, simulated: bytes in, bytes out, told where the belt is and what its own clock says.

It has no clock and no port. What `hardware/protocol.md` asks of a firmware is here, one method per promise; its
gates are physical things that take their time (`hardware.sim.gates`).
"""

from __future__ import annotations

import bisect
from collections import deque
from dataclasses import dataclass
from itertools import islice

from grader.domain.frames import Trigger
from grader.units import BoardTick, Pulse, widened
from hardware import protocol as wire
from hardware.sim.gates import GateMovement, PhysicalGate, Step

_TICKS_PER_MS = 1000
_SPEED_TICKS = 50 * _TICKS_PER_MS
"""The board measures the belt's speed over at least so long: a pulse more or less is then 1.5 % at full speed."""

_ANSWERS_KEPT = 2 * wire.MAX_PENDING

Gate = tuple[int, int]  # lane, outlet


@dataclass(slots=True)
class _Window:
    """A command taken: pulses unbounded. fired: the pulse at which its gate was told to open, or was held open."""

    command: int
    open_pulse: int
    close_pulse: int
    fired: float | None = None


class SimulatedBoard:
    """One board and its gates. Deterministic: the same calls give the same bytes and the same movements."""

    def __init__(self, boot_id: int = 1) -> None:
        self.boot_id = boot_id
        self.belt_running = True
        self.emergency_stop = False
        self.jogging = False
        self.outlets_full: frozenset[int] = frozenset()
        self.gates: dict[Gate, PhysicalGate] = {}
        self._pulse = self._tick = self._belt = 0
        self._speed = 0.0  # pulses per tick
        self._speed_from = (0, 0)
        self._out: list[bytes] = []
        self._switch_on(nonce=0)

    def _switch_on(self, nonce: int) -> None:
        """The state after a boot: nothing configured, nothing pending. The encoder's count goes on."""
        self._config: wire.Configure | None = None
        self._config_crc = 0
        self._packer, self._decoder = wire.Packer(), wire.Decoder()
        self._nonce = nonce
        self._windows: dict[Gate, list[_Window]] = {}
        self._answers: dict[int, int] = {}  # what was answered to which command: said again, done once
        self._reports: deque[wire.Outcome | wire.Triggered] = deque(maxlen=wire.REPORTS_KEPT)
        self._report_number = self._trigger_number = 0
        self._fired: list[Trigger] = []
        self._heard = self._heartbeat = self._tick
        self._say(wire.Boot(self.boot_id, wire.VERSION, nonce))

    # What its surroundings do to it

    def receive(self, data: bytes) -> None:
        """Bytes from the station. What there is to say goes out with the next `advance`."""
        for message in self._decoder.feed(data):
            self._heard = self._tick
            self._take(message)

    def advance(self, pulse: Pulse, tick: BoardTick, belt: Pulse | None = None) -> bytes:
        """The encoder stands at `pulse`, the board's clock at `tick`; what the board says since the last call.

        belt: where the belt truly is, if that is not where the encoder says: its gates meet what is there.
        """
        belt = pulse if belt is None else belt
        step = Step(self._pulse, pulse, self._tick, tick, self._belt, belt)
        self._pulse, self._tick, self._belt = pulse, tick, belt
        self._measure_speed()
        if self._config is not None:
            if tick - self._heard > self._config.host_silence_ms * _TICKS_PER_MS:
                self._end_all(wire.Cause.HOST_SILENT, step)
            if self.emergency_stop:
                self._end_all(wire.Cause.EMERGENCY_STOP, step)
            elif not self.belt_running:
                self._end_open(wire.Cause.BELT_STOPPED, step)
            else:
                self._fire_camera(step)
                self._work_gates(step)
            self._beat()
        for gate in self.gates.values():
            gate.settle(step)
        out, self._out = b"".join(self._out), []
        return out

    def index_passed(self, pulse: Pulse) -> None:
        """TEMPORARY"""

    def restart(self) -> None:
        """Power fails and comes back: springs close the gates, everything but the encoder's count is forgotten."""
        for gate in self.gates.values():
            gate.close_at(self._pulse, self._now())
        self.boot_id += 1
        self._out = []
        self._switch_on(nonce=0)

    # What can be seen of it from outside

    def fired_triggers(self) -> list[Trigger]:
        """Exposures fired since the last call: the wire to the camera."""
        fired, self._fired = self._fired, []
        return fired

    def movements(self, lane: int, outlet: int) -> list[GateMovement]:
        """What a gate did, oldest first."""
        gate = self.gates.get((lane, outlet))
        return gate.movements if gate else []

    def forget_movements(self, before: float) -> list[GateMovement]:
        """Drop movements that ended before the belt was there, and say what they were: a line that runs for days must
        not remember them all."""
        return [movement for gate in self.gates.values() for movement in gate.forget_before(before)]

    # Messages

    def _take(self, message: wire.Message) -> None:
        match message:
            case wire.Reset():
                self._reset(message.nonce)
            case wire.Configure():
                self._configure(message)
            case wire.Command():
                self._answer(message.command, self._judged(message))
            case wire.CloseAll():
                if message.command not in self._answers:
                    self._end_all(wire.Cause.CLOSED_BY_HOST, self._now())
                self._answer(message.command, wire.Answer.ACCEPTED)
            case wire.Resend():
                self._resend(message)

    def _reset(self, nonce: int) -> None:
        if nonce == self._nonce:
            self._say(wire.Boot(self.boot_id, wire.VERSION, nonce))
            return
        for gate in self.gates.values():
            gate.close_at(self._pulse, self._now())
        self.boot_id += 1
        self._switch_on(nonce)

    def _configure(self, config: wire.Configure) -> None:
        if config.crc != self._config_crc:
            self._end_all(wire.Cause.CLOSED_BY_HOST, self._now())
            self._config, self._config_crc = config, config.crc
            numbered = zip(config.travel, range(len(config.travel)), strict=True)
            for (opening, closing), number in numbered:
                gate = (number // config.outlets, number % config.outlets + 1)
                ticks = wire.MS_PER_TRAVEL * _TICKS_PER_MS
                self.gates.setdefault(gate, PhysicalGate(*gate, opening * ticks, closing * ticks))
        self._say_status()

    def _judged(self, command: wire.Command) -> int:
        """Take a command in, or say why not. One that was answered before gets the same answer."""
        if command.command in self._answers:
            return self._answers[command.command]
        config = self._config
        if config is None:
            return wire.Answer.NOT_CONFIGURED
        open_pulse = widened(command.open_pulse, self._pulse, 32)
        close_pulse = widened(command.close_pulse, open_pulse, 32)
        if command.config_tag != self._config_crc & 0xFFFF:
            return wire.Answer.OTHER_CONFIG
        if command.lane >= config.lanes:
            return wire.Answer.UNKNOWN_LANE
        if not 1 <= command.outlet <= config.outlets:
            return wire.Answer.UNKNOWN_OUTLET
        if close_pulse <= open_pulse:
            return wire.Answer.CLOSE_BEFORE_OPEN
        if self.emergency_stop:
            return wire.Answer.NOT_RUNNING
        if open_pulse - self._pulse < config.lead_pulses:
            return wire.Answer.TOO_LATE
        if self._pending() >= wire.MAX_PENDING:
            return wire.Answer.QUEUE_FULL
        windows = self._windows.setdefault((command.lane, command.outlet), [])
        bisect.insort(windows, _Window(command.command, open_pulse, close_pulse), key=lambda w: w.open_pulse)
        return wire.Answer.ACCEPTED

    def _answer(self, command: int, answer: int) -> None:
        self._answers[command] = answer
        if len(self._answers) > _ANSWERS_KEPT:
            del self._answers[next(iter(self._answers))]
        self._say(wire.Answered(command, answer))

    def _resend(self, request: wire.Resend) -> None:
        wanted = (report for report in self._reports if request.first <= report.report <= request.last)
        for report in islice(wanted, wire.REPORTS_PER_RESEND):
            self._say(report)

    # Gates

    def _work_gates(self, step: Step) -> None:
        # A loop over gates with work to do, as a firmware has it: a few dozen, each in a microsecond or two.
        for key in [key for key, windows in self._windows.items() if windows]:
            self._work_gate(self.gates[key], self._windows[key], step)

    def _work_gate(self, gate: PhysicalGate, windows: list[_Window], step: Step) -> None:
        """Everything that falls due at one gate in this step, in the order of its pulses.

        The gate is half way when the belt passes the edge of a window, which lies midway between two cups: at the
        measured speed it is told half its travel time earlier. Windows that meet, overlap, or lie so close that
        it would be told to open before it was told to close, are one opening.
        """
        before_open, before_close = self._half_travel(gate)
        now = step.from_pulse
        while windows:
            window = windows[0]
            if window.fired is None:
                start = max(window.open_pulse - before_open, now)
                if start > step.to_pulse:
                    return
                gate.open_at(start, step)
                window.fired = now = start
            following = windows[1] if len(windows) > 1 else None
            if following and following.open_pulse - before_open <= window.close_pulse - before_close:
                end = max(float(window.close_pulse), now)
                if end > step.to_pulse:
                    return
                following.fired = float(following.open_pulse)
            else:
                end = max(window.close_pulse - before_close, now)
                if end > step.to_pulse:
                    return
                gate.close_at(end, step)
            now = end
            windows.pop(0)
            self._report_outcome(window, wire.Ending.FIRED, wire.Cause.NONE, end)

    def _half_travel(self, gate: PhysicalGate) -> tuple[float, float]:
        return gate.opening_ticks / 2 * self._speed, gate.closing_ticks / 2 * self._speed

    def _end_all(self, cause: wire.Cause, step: Step) -> None:
        self._end_open(cause, step)
        for windows in self._windows.values():
            for window in windows:
                self._report_outcome(window, wire.Ending.VOID, cause, self._pulse)
            windows.clear()

    def _end_open(self, cause: wire.Cause, step: Step) -> None:
        for key, windows in self._windows.items():
            self.gates[key].close_at(step.to_pulse, step)
            if windows and windows[0].fired is not None:
                self._report_outcome(windows.pop(0), wire.Ending.CUT_SHORT, cause, self._pulse)

    def _pending(self) -> int:
        return sum(map(len, self._windows.values()))

    # Camera, clock, voice

    def _fire_camera(self, step: Step) -> None:
        assert self._config is not None
        every = self._config.trigger_pulses
        for number in range(int(step.from_pulse) // every + 1, int(step.to_pulse) // every + 1):
            trigger = Trigger(self._trigger_number, Pulse(number * every))
            self._trigger_number += 1
            self._fired.append(trigger)
            self._report(wire.Triggered(self._next_report(), trigger.number, wire.wire32(trigger.pulse)))

    def _measure_speed(self) -> None:
        pulse, tick = self._speed_from
        if self._tick - tick >= _SPEED_TICKS:
            self._speed = max(0.0, (self._pulse - pulse) / (self._tick - tick))
            self._speed_from = self._pulse, self._tick

    def _beat(self) -> None:
        assert self._config is not None
        if self._tick - self._heartbeat >= self._config.heartbeat_ms * _TICKS_PER_MS:
            self._say_status()

    def _say_status(self) -> None:
        self._heartbeat = self._tick
        outlets = self._config.outlets if self._config else 0
        open_gates = (lane * outlets + outlet - 1 for (lane, outlet), gate in self.gates.items() if gate.told_open)
        signals = wire.Status.BELT_RUNNING * self.belt_running | wire.Status.EMERGENCY_STOP * self.emergency_stop
        self._say(
            wire.Status(
                boot_id=self.boot_id,
                config_crc=self._config_crc,
                pulse=wire.wire32(self._pulse),
                tick=wire.wire32(self._tick),
                pending=self._pending(),
                signals=signals,
                newest_report=self._report_number,
                oldest_report=self._reports[0].report if self._reports else self._report_number + 1,
                gates=sum(1 << bit for bit in open_gates),
            )
        )

    def _report_outcome(self, window: _Window, ending: wire.Ending, cause: wire.Cause, closed: float) -> None:
        fired = wire.wire32(int(window.fired or 0))
        closed_pulse = wire.wire32(int(closed))
        self._report(wire.Outcome(self._next_report(), window.command, ending, cause, fired, closed_pulse))

    def _next_report(self) -> int:
        self._report_number += 1
        return self._report_number

    def _report(self, report: wire.Outcome | wire.Triggered) -> None:
        self._reports.append(report)
        self._say(report)

    def _say(self, message: wire.Message) -> None:
        self._out.append(self._packer.pack(message))

    def _now(self) -> Step:
        return Step(self._pulse, self._pulse, self._tick, self._tick, self._belt, self._belt)
