"""The gate board's firmware, simulated: bytes in, bytes out, told where the belt is and what its own clock says.

It has no clock and no port. What `hardware/protocol.md` asks of a firmware is here, one method per promise; its
gates are physical things that take their time (`hardware.sim.gates`).
"""

from __future__ import annotations

import bisect
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from grader.domain.decisions import SILENT, PlantOutputs
from grader.domain.frames import Trigger
from grader.units import BoardTick, Pulse, widened
from hardware import protocol as wire
from hardware.sim.encoder import Encoder
from hardware.sim.gates import GateMovement, PhysicalGate, Step

_TICKS_PER_MS = 1000
_LOOK_TICKS = 50 * _TICKS_PER_MS
"""A simulation that was held up has not listened meanwhile: a longer time between two looks is no silence."""

_ANSWERS_KEPT = 2 * wire.MAX_PENDING

Gate = tuple[int, int]  # lane, outlet


@dataclass(slots=True)
class _Window:
    """A command taken: counts unbounded. fired: the count at which its gate was told to open, or was held open."""

    command: int
    open_pulse: int
    close_pulse: int
    fired: float | None = None


class SimulatedBoard:
    """One board and its gates. Deterministic: the same calls give the same bytes and the same movements.

    Its surroundings set belt_running, emergency_stop, jogging and outlets_full (outlets, from 1), and read `outputs`.
    They speak of pulses of the belt as it truly is; what the board counts may differ (`miscount`, `restart`), and so
    may what it says (`lies_by`).
    """

    def __init__(self, boot_id: int = 1) -> None:
        self.boot_id = boot_id
        self.belt_running = True
        self.emergency_stop = self.jogging = False
        self.outlets_full: Iterable[int] = ()
        self.refuses = False  # every command, as if its queue were full
        self.lies_by = 0  # pulses that STATUS is off
        self.gates: dict[Gate, PhysicalGate] = {}
        self._pulse, self._tick = 0, 0
        self._power_up()

    def _power_up(self) -> None:
        """Nothing is remembered, and the count begins at 0 wherever the belt stands."""
        self._encoder = Encoder(-self._pulse, self._tick)
        self._count_id = self.boot_id
        self._out: list[bytes] = []
        self._decoder = wire.Decoder()
        self._switch_on(nonce=0)

    def _switch_on(self, nonce: int) -> None:
        """The state after a boot: nothing configured, nothing pending. The encoder's count goes on."""
        self._config: wire.Configure | None = None
        self._packer = wire.Packer(self.boot_id)
        self._nonce = nonce
        self._said_outputs = 0
        self._windows: dict[Gate, list[_Window]] = {}
        self._answers: dict[int, int] = {}  # what was answered to which command: said again, done once
        self._closed_below = 0  # commands before the last CLOSE_ALL
        self._reports: deque[wire.Report] = deque(maxlen=wire.REPORTS_KEPT)
        self._report_number = self._trigger_number = 0
        self._fired: list[Trigger] = []
        self._silent_ticks = 0
        self._worked = self._encoder.furthest  # up to here camera and gates have done what was due
        self._beat_due = self._tick
        self._say(wire.Boot(wire.VERSION, nonce, self._count_id))

    # What its surroundings do to it

    def receive(self, data: bytes) -> None:
        """Bytes from the station. What there is to say goes out with the next `advance`."""
        for said in self._decoder.feed(data):
            if isinstance(said.message, wire.Reset):
                self._reset(said.talk)
            elif said.talk == self.boot_id:  # whatever else was said to an earlier boot
                self._silent_ticks = 0
                self._take(said.message)

    def advance(self, pulse: Pulse, tick: BoardTick) -> bytes:
        """The belt stands at `pulse`, the board's clock at `tick`, both at one moment; what the board says since the
        last call."""
        step = Step(self._pulse, pulse, self._tick, tick)
        self._silent_ticks += min(tick - self._tick, _LOOK_TICKS)
        must_move = self.belt_running and not (self.jogging or self.emergency_stop or self._config is None)
        self._encoder.step(pulse, tick - self._tick, tick, must_move=must_move)
        self._pulse, self._tick = pulse, tick
        if self._config is not None:
            if self._is_silent:
                self._end_all(wire.Cause.HOST_SILENT, step)
            if self._encoder.fault:
                self._end_all(wire.Cause.ENCODER, step)
            else:
                self._fire_camera(step)
            if self.emergency_stop:
                self._end_all(wire.Cause.EMERGENCY_STOP, step)
            self._work_gates(step)
            self._beat()
        self._worked = self._encoder.furthest
        for gate in self.gates.values():
            gate.settle(step)
        out, self._out = b"".join(self._out), []
        return out

    def index_passed(self, pulse: Pulse) -> None:
        """The chain's index mark passed when the belt was at `pulse`, since the last call of `advance` or just now."""
        count = self._encoder.mark(pulse)
        if self._config is not None:
            self._report(wire.Indexed(self._next_report(), wire.wire32(count)))

    def miscount(self, pulses: int) -> None:
        """From now on the encoder's count is so many pulses further than the belt: some were counted twice, or, less
        than 0, were lost."""
        self._encoder.ahead += pulses

    def restart(self) -> None:
        """Power fails and comes back: springs close the gates, everything is forgotten, the count too."""
        self._close_gates()
        self.boot_id += 1
        self._power_up()

    # What can be seen of it from outside

    @property
    def outputs(self) -> PlantOutputs:
        """What the plant is shown."""
        if self._config is None or self._is_silent:
            return SILENT
        said = self._said_outputs
        return PlantOutputs(
            ready=bool(said & wire.HostHeartbeat.READY),
            fault=bool(said & wire.HostHeartbeat.FAULT),
            lamps=said // wire.HostHeartbeat.LAMPS,
        )

    def count_at(self, pulse: Pulse) -> int:
        """The encoder's count when the belt is at a pulse, as it counts now: what is latched for a sensor."""
        return pulse + self._encoder.ahead

    def fired_triggers(self) -> list[Trigger]:
        """Exposures fired since the last call, at pulses of the belt: the wire to the camera."""
        fired, self._fired = self._fired, []
        return fired

    def movements(self, lane: int, outlet: int) -> list[GateMovement]:
        """What a gate did, oldest first."""
        gate = self.gates.get((lane, outlet))
        return gate.movements if gate else []

    def forget_movements(self, before: float) -> list[GateMovement]:
        """Drop movements that ended before a pulse, and say what they were: a line that runs for days must not remember
        them all."""
        return [movement for gate in self.gates.values() for movement in gate.forget_before(before)]

    # Messages

    def _take(self, message: wire.Message) -> None:
        match message:
            case wire.Configure():
                self._configure(message)
            case wire.Command():
                self._answer(message.command, self._judged(message))
            case wire.CloseAll():
                if message.command not in self._answers:
                    self._end_all(wire.Cause.CLOSED_BY_HOST, self._now())
                    self._closed_below = max(self._closed_below, message.command)
                self._answer(message.command, wire.Answer.ACCEPTED)
            case wire.HostHeartbeat():
                self._said_outputs = message.outputs
            case wire.Resend():
                self._resend(message)

    def _reset(self, nonce: int) -> None:
        if nonce == self._nonce:
            self._say(wire.Boot(wire.VERSION, nonce, self._count_id))
            return
        self._close_gates()
        self.boot_id += 1
        if self._encoder.fault:
            self._count_id = self.boot_id
        self._encoder.reset(self._tick)
        self._switch_on(nonce)

    def _configure(self, config: wire.Configure) -> None:
        if self._config is None:
            self._config = config
            self._encoder.believe(config, self._tick)
            for gate in ((lane, outlet) for lane in range(config.lanes) for outlet in range(1, config.outlets + 1)):
                travel = (tenths * wire.MS_PER_TRAVEL * _TICKS_PER_MS for tenths in config.travel(*gate))
                self.gates.setdefault(gate, PhysicalGate(*gate, 0, 0)).takes(*travel)
        self._say(wire.Configured(self._config.crc))
        self._say_status()

    def _judged(self, command: wire.Command) -> int:
        """Take a command in, or say why not. One that was answered before gets the same answer."""
        if command.command in self._answers:
            return self._answers[command.command]
        config = self._config
        if config is None:
            return wire.Answer.NOT_CONFIGURED
        open_pulse = widened(command.open_pulse, self._encoder.count, 32)
        close_pulse = widened(command.close_pulse, open_pulse, 32)
        if command.command < self._closed_below:
            return wire.Answer.CLOSED
        if command.lane >= config.lanes:
            return wire.Answer.UNKNOWN_LANE
        if not 1 <= command.outlet <= config.outlets:
            return wire.Answer.UNKNOWN_OUTLET
        if close_pulse <= open_pulse:
            return wire.Answer.CLOSE_BEFORE_OPEN
        if self._encoder.fault:
            return wire.Answer.ENCODER_FAULT
        if self.emergency_stop:
            return wire.Answer.NOT_RUNNING
        if open_pulse - self._encoder.furthest < config.lead_pulses:
            return wire.Answer.TOO_LATE
        if self.refuses or self._pending() >= wire.MAX_PENDING:
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
        wanted = set(request.wanted())
        for report in self._reports:
            if report.report in wanted:
                self._say(report)

    # Gates

    def _work_gates(self, step: Step) -> None:
        # A loop over gates with work to do, as a firmware has it: a few dozen, each in a microsecond or two.
        for key in [key for key, windows in self._windows.items() if windows]:
            cause = self._why_closed(key[1])
            if cause is None:
                self._work_gate(self.gates[key], self._windows[key], step)
            else:
                # What has not opened when the belt stops may open yet; a full outlet is asked when a gate is to open.
                ahead = self._half_travel(self.gates[key])[0] if cause is wire.Cause.OUTLET_FULL else 0.0
                self._end(key, cause, step, self._encoder.furthest + ahead)

    def _why_closed(self, outlet: int) -> wire.Cause | None:
        if self.jogging:
            return wire.Cause.JOGGED
        if not self.belt_running:
            return wire.Cause.BELT_STOPPED
        return wire.Cause.OUTLET_FULL if outlet in self.outlets_full else None

    def _work_gate(self, gate: PhysicalGate, windows: list[_Window], step: Step) -> None:
        """Everything that falls due at one gate in this step, in the order of its pulses.

        The gate is half way when the belt passes the edge of a window, which lies midway between two cups: at the
        measured speed it is told half its travel time earlier. Windows that meet, overlap, or lie so close that
        it would be told to open before it was told to close, are one opening.
        """
        before_open, before_close = self._half_travel(gate)
        now: float = self._worked
        furthest = self._encoder.furthest
        while windows:
            window = windows[0]
            if window.fired is None:
                start = max(window.open_pulse - before_open, now)
                if start > furthest:
                    return
                gate.open_at(self._on_belt(start, step), step)
                window.fired = now = start
            following = windows[1] if len(windows) > 1 else None
            if following and following.open_pulse - before_open <= window.close_pulse - before_close:
                end = max(float(window.close_pulse), now)
                if end > furthest:
                    return
                following.fired = float(following.open_pulse)
            else:
                end = max(window.close_pulse - before_close, now)
                if end > furthest:
                    return
                gate.close_at(self._on_belt(end, step), step)
            now = end
            windows.pop(0)
            self._report_outcome(window, wire.Ending.FIRED, wire.Cause.NONE, end)

    def _on_belt(self, count: float, step: Step) -> float:
        """Where the belt truly was in this step when the encoder stood at a count."""
        return min(max(count - self._encoder.ahead, step.from_pulse), step.to_pulse)

    def _half_travel(self, gate: PhysicalGate) -> tuple[float, float]:
        return gate.opening_ticks / 2 * self._encoder.speed, gate.closing_ticks / 2 * self._encoder.speed

    def _end_all(self, cause: wire.Cause, step: Step) -> None:
        for key in self._windows:
            self._end(key, cause, step, float("inf"))

    def _end(self, gate: Gate, cause: wire.Cause, step: Step, up_to: float) -> None:
        """Close a gate; what it was open for is cut short, what was to open up to a count is void."""
        windows = self._windows[gate]
        self.gates[gate].close_at(step.to_pulse, step)
        if windows and windows[0].fired is not None:
            self._report_outcome(windows.pop(0), wire.Ending.CUT_SHORT, cause, self._encoder.count)
        while windows and windows[0].open_pulse <= up_to:
            self._report_outcome(windows.pop(0), wire.Ending.VOID, cause, self._encoder.count)

    def _close_gates(self) -> None:
        for gate in self.gates.values():
            gate.close_at(self._pulse, self._now())

    def _pending(self) -> int:
        return sum(map(len, self._windows.values()))

    # Camera, clock, voice

    def _fire_camera(self, step: Step) -> None:
        assert self._config is not None
        every = self._config.trigger_pulses
        for multiple in range(self._worked // every + 1, self._encoder.furthest // every + 1):
            number, count = self._trigger_number, multiple * every
            self._trigger_number += 1
            self._fired.append(Trigger(number, Pulse(round(self._on_belt(count, step)))))
            self._report(wire.Triggered(self._next_report(), number, wire.wire32(count)))

    @property
    def _is_silent(self) -> bool:
        return self._config is not None and self._silent_ticks > self._config.host_silence_ms * _TICKS_PER_MS

    def _beat(self) -> None:
        assert self._config is not None
        if self._tick >= self._beat_due:
            self._say_status()

    def _say_status(self) -> None:
        assert self._config is not None
        # Counted from when it was due: a loop that comes late must not make them fewer.
        self._beat_due = max(self._beat_due + self._config.heartbeat_ms * _TICKS_PER_MS, self._tick)
        outlets = self._config.outlets
        open_gates = (lane * outlets + outlet - 1 for (lane, outlet), gate in self.gates.items() if gate.told_open)
        self._say(
            wire.Status(
                pulse=wire.wire32(self._encoder.count + self.lies_by),
                tick=wire.wire32(self._tick),
                signals=self._signals(),
                outlets_full=sum(1 << outlet - 1 for outlet in set(self.outlets_full)),
                index_pulse=wire.wire32(self._encoder.index or 0),
                newest_report=self._report_number,
                oldest_report=self._reports[0].report if self._reports else self._report_number + 1,
                pending=self._pending(),
                gates=sum(1 << bit for bit in open_gates),
            )
        )

    def _signals(self) -> int:
        return (
            wire.Status.BELT_RUNNING * self.belt_running
            | wire.Status.EMERGENCY_STOP * self.emergency_stop
            | wire.Status.JOGGING * self.jogging
            | wire.Status.ENCODER_FAULT * self._encoder.fault
            | wire.Status.INDEX_KNOWN * (self._encoder.index is not None)
        )

    def _report_outcome(self, window: _Window, ending: wire.Ending, cause: wire.Cause, closed: float) -> None:
        fired, closed_pulse = wire.wire32(int(window.fired or 0)), wire.wire32(int(closed))
        self._report(wire.Outcome(self._next_report(), window.command, ending, cause, fired, closed_pulse))

    def _next_report(self) -> int:
        self._report_number += 1
        return self._report_number

    def _report(self, report: wire.Report) -> None:
        self._reports.append(report)
        self._say(report)

    def _say(self, message: wire.Message) -> None:
        self._out.append(self._packer.pack(message))

    def _now(self) -> Step:
        return Step(self._pulse, self._pulse, self._tick, self._tick)
