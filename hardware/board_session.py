"""The station's side of the talk with a gate board: bytes in, bytes out, told the time. No port, no thread.

    begin ─ Reset → Boot ─ Configure → Status with our CRC ─ ready ─ silence, restart, closed port → lost
      └────────────────────────── begin again, by whoever owns the session ──────────────────────────┘

Whatever is lost on the wire is noticed and repaired: a command is said again until it is answered or its lead has
run out; reports are numbered, a gap is asked for again. A session that is lost stays lost until `begin`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import TypeVar

from grader.domain.decisions import BoardStatus, GateCommand, GateOutcome, Result
from grader.domain.frames import Trigger
from grader.errors import BoardLost
from grader.units import NS_PER_MS, HostNs, Pulse, pulse_at, widened
from hardware import protocol as wire

ANSWER_MS = 20
"""A command or a request that is not answered by then is said again."""

HANDSHAKE_MS, HANDSHAKE_TRIES = 100, 20
HEARTBEAT_MS = 100
SILENCE_MS = 500
"""A board that has not been heard for so long is lost."""

OVERDUE_CUPS = 10
"""So many cups after its window a command without a report is given up as void."""

MOST_UNTAKEN = 65_536
"""Outcomes and triggers that are kept for whoever takes them; the oldest go first, and are counted."""

_US_PER_S = 1_000_000

_Kept = TypeVar("_Kept")


class Stage(Enum):
    """How far the talk has come."""

    IDLE = "idle"
    RESETTING = "resetting"
    CONFIGURING = "configuring"
    READY = "ready"
    LOST = "lost"


@dataclass(slots=True)
class Counters:
    """What the link had to repair, for the operator's page."""

    retries: int = 0  # commands and requests said again
    crc_errors: int = 0  # packets from the board that were not whole
    garbage_bytes: int = 0
    lost_packets: int = 0
    repeated_reports: int = 0
    lost_reports: int = 0  # that the board no longer had
    untaken: int = 0  # outcomes and triggers that nobody took in time
    restarts: int = 0  # of the board, by itself


@dataclass(slots=True)
class _Pending:
    command: GateCommand
    first_sent: HostNs
    last_sent: HostNs
    answered: bool = False


class _Reports:
    """Which of the board's numbered reports have come, which are missing, which are gone."""

    def __init__(self) -> None:
        self.newest = self.repeated = self.gone = 0
        self._missing: dict[int, HostNs] = {}  # number → when it was last asked for

    def expect(self, newest: int, oldest: int) -> None:
        """The board has sent reports up to `newest` and has those from `oldest` on: no more than it keeps."""
        oldest = min(max(oldest, newest - wire.REPORTS_KEPT + 1), newest + 1)
        for number in range(max(self.newest + 1, oldest), newest + 1):
            self._missing[number] = HostNs(0)
        if newest > self.newest:
            self.gone += max(0, oldest - self.newest - 1)
            self.newest = newest
        for number in [number for number in self._missing if number < oldest]:
            del self._missing[number]
            self.gone += 1

    def is_new(self, report: int) -> bool:
        """Take note of one that came; False when it has come before."""
        if report > self.newest:
            self.expect(report, 0)
        if self._missing.pop(report, None) is None:
            self.repeated += 1
            return False
        return True

    def to_ask_for(self, now: HostNs) -> wire.Resend | None:
        """The request for what is missing and was not asked for just now."""
        wanted = [number for number, asked in self._missing.items() if now - asked >= ANSWER_MS * NS_PER_MS]
        if not wanted:
            return None
        self._missing.update(dict.fromkeys(wanted, now))
        return wire.Resend(min(wanted), max(wanted))


class BoardSession:
    """One board, one talk. Not thread-safe: its owner holds a lock around every call."""

    def __init__(self, config: wire.Configure) -> None:
        self.config = config
        self.stage = Stage.IDLE
        self.counters = Counters()
        self.round_trips_ns: deque[int] = deque(maxlen=4096)  # command sent to answer read, for the bench and the page
        self._why_lost = "not connected"
        self._packer, self._decoder = wire.Packer(), wire.Decoder()
        self._nonce = 0
        self._seen_pulse: Pulse | None = None  # outlives a reset: the count that 32 bits are widened to
        self._outcomes: deque[GateOutcome] = deque()
        self._triggers: deque[Trigger] = deque()
        self._clear()

    def _clear(self) -> None:
        self._boot_id: int | None = None
        self._status: BoardStatus | None = None
        self._pending: dict[int, _Pending] = {}
        self._closing_number = 0
        self._reports = _Reports()
        self._command_number = 0
        self._tries = 0
        self._asked = self._heard = self._heartbeat_sent = HostNs(0)
        self._seen_at = HostNs(0)
        self._status_pulse = self._status_tick = 0
        self._pulses_per_s = 0.0
        self._told_pulse = Pulse(0)

    # What the owner asks

    def begin(self, nonce: int, now: HostNs) -> bytes:
        """Start afresh: what was pending is void. nonce: not zero, not that of the reset before."""
        self._void_all("the board was reset")
        self._clear()
        self._nonce = nonce
        self.stage = Stage.RESETTING
        return self._ask(now)

    def submit(self, commands: Sequence[GateCommand], now: HostNs) -> bytes:
        """The packets that carry these commands. Raises BoardLost."""
        self._must_be_ready()
        packets = []
        for command in commands:
            cannot_say = self._cannot_say(command)
            if cannot_say is not None:
                self._finish(command, Result.REFUSED, None, _words(wire.Answer, cannot_say))
                continue
            self._command_number += 1
            self._pending[self._command_number] = _Pending(command, now, now)
            packets.append(self._command_packet(self._command_number, command))
        return b"".join(packets)

    def _cannot_say(self, command: GateCommand) -> wire.Answer | None:
        if len(self._pending) >= wire.MAX_PENDING:
            return wire.Answer.QUEUE_FULL
        if not 0 <= command.lane < wire.MAX_LANES:
            return wire.Answer.UNKNOWN_LANE
        if not 0 <= command.outlet <= wire.MAX_OUTLETS:
            return wire.Answer.UNKNOWN_OUTLET
        return None

    def close_all(self, now: HostNs) -> bytes:
        """Close every gate. Commands that the board has not answered are void now and are not said again."""
        if self.stage is not Stage.READY:
            return b""
        for number in [number for number, pending in self._pending.items() if not pending.answered]:
            self._finish(self._pending.pop(number).command, Result.VOID, None, "closed by the station")
        self._command_number += 1
        self._closing_number = self._command_number
        return self._packer.pack(wire.CloseAll(self._closing_number))

    @property
    def closing(self) -> bool:
        """Whether an order to close has not been answered yet."""
        return self._closing_number != 0

    def status(self) -> BoardStatus:
        """The latest heartbeat. Raises BoardLost."""
        self._must_be_ready()
        assert self._status is not None  # a ready session has heard one
        return self._status

    def pulse(self, now: HostNs) -> Pulse:
        """Where the belt is, from the latest report and the speed between heartbeats; never runs back."""
        # A board that fell silent says nothing about the belt: no further than the silence that is allowed.
        now = HostNs(min(now, self._seen_at + SILENCE_MS * NS_PER_MS))
        pulse = pulse_at(now, self._seen_pulse or Pulse(0), self._seen_at, self._pulses_per_s)
        self._told_pulse = max(self._told_pulse, pulse)
        return self._told_pulse

    def take_outcomes(self) -> list[GateOutcome]:
        """Since the last call, oldest first."""
        taken = list(self._outcomes)
        self._outcomes.clear()
        return taken

    def take_triggers(self) -> list[Trigger]:
        """Since the last call, in the order of their numbers unless one was lost on the way."""
        taken = list(self._triggers)
        self._triggers.clear()
        return taken

    def lose(self, why: str) -> None:
        """Latch: everything pending is void. The board closes its gates by itself when it hears no heartbeat."""
        self._void_all(why)
        self.stage, self._why_lost = Stage.LOST, why

    # What the wire brings, and what is due by the clock

    def receive(self, data: bytes, now: HostNs) -> bytes:
        """Take in what the board said; returns what has to be said at once."""
        out = b"".join([self._heard_message(message, now) for message in self._decoder.feed(data)])
        self.counters.crc_errors = self._decoder.bad_packets
        self.counters.garbage_bytes = self._decoder.garbage_bytes
        self.counters.lost_packets = self._decoder.lost_packets
        self.counters.repeated_reports = self._reports.repeated
        self.counters.lost_reports = self._reports.gone
        return out

    def due(self, now: HostNs) -> bytes:
        """Heartbeat and whatever must be said again. Call it often, and only after all that came was received:
        a station that was itself held up must not take the board for silent."""
        if self.stage in (Stage.IDLE, Stage.LOST):
            return b""
        if self.stage is not Stage.READY:
            return self._ask_again(now)
        if now - self._heard > SILENCE_MS * NS_PER_MS:
            self.lose(f"no heartbeat for {SILENCE_MS} ms")
            return b""
        return self._heartbeat(now) + self._commands_again(now) + self._reports_again(now)

    def _heard_message(self, message: wire.Message, now: HostNs) -> bytes:
        match message:
            case wire.Boot():
                return self._booted(message, now)
            case wire.Status():
                return self._heard_status(message, now)
            case _ if self.stage is not Stage.READY:
                return b""  # of an earlier talk
            case wire.Answered():
                self._answered(message, now)
            case wire.Report() if self._reports.is_new(message.report):
                self._reported(message, now)
        return b""

    def _booted(self, boot: wire.Boot, now: HostNs) -> bytes:
        if self.stage is Stage.RESETTING and boot.nonce == self._nonce:
            if boot.version != wire.VERSION:
                self.lose(f"the board speaks protocol {boot.version}, this station {wire.VERSION}: update its firmware")
                return b""
            self._boot_id, self.stage, self._tries = boot.boot_id, Stage.CONFIGURING, 0
            return self._ask(now)
        self._must_be_boot(boot.boot_id)
        return b""

    def _must_be_boot(self, boot_id: int) -> bool:
        if self._boot_id is None or boot_id == self._boot_id or self.stage is Stage.LOST:
            return self._boot_id == boot_id
        self.counters.restarts += 1
        self.lose("the board restarted")
        return False

    def _heard_status(self, status: wire.Status, now: HostNs) -> bytes:
        if not self._must_be_boot(status.boot_id) or self.stage not in (Stage.CONFIGURING, Stage.READY):
            return b""
        if status.config_crc != self.config.crc:
            if self.stage is Stage.READY:
                self.lose("the board lost its configuration")
            return b""
        self.stage = Stage.READY
        self._heard = now
        self._see_speed(status)
        self._see_pulse(status.pulse, now)
        self._status = BoardStatus(
            boot_id=status.boot_id,
            config_crc=status.config_crc,
            pulse=self._widened(status.pulse),
            pending=status.pending,
            gates_open=status.gates.bit_count(),
            belt_running=bool(status.signals & wire.Status.BELT_RUNNING),
            emergency_stop=bool(status.signals & wire.Status.EMERGENCY_STOP),
        )
        self._reports.expect(status.newest_report, status.oldest_report)
        return b""

    def _see_speed(self, status: wire.Status) -> None:
        pulse = widened(status.pulse, self._status_pulse, 32)
        tick = widened(status.tick, self._status_tick, 32)
        if self._status is not None and tick > self._status_tick:
            self._pulses_per_s = max(0.0, (pulse - self._status_pulse) * _US_PER_S / (tick - self._status_tick))
        self._status_pulse, self._status_tick = pulse, tick

    def _see_pulse(self, pulse: int, now: HostNs) -> None:
        wide = self._widened(pulse)
        if self._seen_at == 0 or wide >= (self._seen_pulse or 0):  # a report said again is no news of the belt
            self._seen_pulse, self._seen_at = wide, now

    def _widened(self, pulse: int) -> Pulse:
        return Pulse(pulse if self._seen_pulse is None else widened(pulse, self._seen_pulse, 32))

    def _answered(self, answer: wire.Answered, now: HostNs) -> None:
        if answer.command == self._closing_number:
            self._closing_number = 0
            return
        pending = self._pending.get(answer.command)
        if pending is None or pending.answered:
            return
        pending.answered = True
        self.round_trips_ns.append(now - pending.first_sent)
        if answer.answer != wire.Answer.ACCEPTED:
            del self._pending[answer.command]
            self._finish(pending.command, Result.REFUSED, None, _words(wire.Answer, answer.answer))

    def _reported(self, report: wire.Message, now: HostNs) -> None:
        match report:
            case wire.Triggered():
                self._see_pulse(report.pulse, now)
                self._keep(self._triggers, Trigger(report.number, self._widened(report.pulse)))
            case wire.Outcome() if report.command in self._pending:
                command = self._pending.pop(report.command).command
                fired = Pulse(widened(report.fired_pulse, command.open_pulse, 32))
                match report.ending:
                    case wire.Ending.FIRED:
                        self._finish(command, Result.FIRED, fired)
                    case wire.Ending.CUT_SHORT:
                        closed = widened(report.closed_pulse, command.close_pulse, 32)
                        self._finish(
                            command, Result.VOID, fired, f"{_words(wire.Cause, report.cause)} at pulse {closed}"
                        )
                    case _:
                        self._finish(command, Result.VOID, None, _words(wire.Cause, report.cause))

    # What is said

    def _ask(self, now: HostNs) -> bytes:
        self._asked = now
        self._tries += 1
        return self._packer.pack(wire.Reset(self._nonce) if self.stage is Stage.RESETTING else self.config)

    def _ask_again(self, now: HostNs) -> bytes:
        if now - self._asked < HANDSHAKE_MS * NS_PER_MS:
            return b""
        if self._tries >= HANDSHAKE_TRIES:
            self.lose(f"no answer while {self.stage.value}: is it powered, and is this its port?")
            return b""
        return self._ask(now)

    def _heartbeat(self, now: HostNs) -> bytes:
        if now - self._heartbeat_sent < HEARTBEAT_MS * NS_PER_MS:
            return b""
        self._heartbeat_sent = now
        return self._packer.pack(wire.HostHeartbeat())

    def _commands_again(self, now: HostNs) -> bytes:
        packets = []
        pulse = self.pulse(now)
        overdue = OVERDUE_CUPS * self.config.pulses_per_cup
        for number, pending in list(
            self._pending.items()
        ):  # at most MAX_PENDING, a few hundred a second on a full line
            command = pending.command
            if pulse > command.close_pulse + overdue:
                del self._pending[number]
                why = "the board's report was lost" if pending.answered else "the board did not answer in time"
                self._finish(command, Result.VOID, None, why)
            elif (
                not pending.answered
                and now - pending.last_sent >= ANSWER_MS * NS_PER_MS
                and pulse <= command.open_pulse - self.config.lead_pulses
            ):
                pending.last_sent = now
                self.counters.retries += 1
                packets.append(self._command_packet(number, command))
        if self._closing_number and now - self._asked >= ANSWER_MS * NS_PER_MS:
            self._asked = now
            self.counters.retries += 1
            packets.append(self._packer.pack(wire.CloseAll(self._closing_number)))
        return b"".join(packets)

    def _reports_again(self, now: HostNs) -> bytes:
        request = self._reports.to_ask_for(now)
        if request is None:
            return b""
        self.counters.retries += 1
        return self._packer.pack(request)

    def _command_packet(self, number: int, command: GateCommand) -> bytes:
        return self._packer.pack(
            wire.Command(
                command=number,
                config_tag=self.config.crc & 0xFFFF,
                lane=command.lane,
                outlet=command.outlet,
                open_pulse=wire.wire32(command.open_pulse),
                close_pulse=wire.wire32(command.close_pulse),
                cup=wire.wire32(command.cup),
            )
        )

    # What became of it

    def _must_be_ready(self) -> None:
        if self.stage is not Stage.READY:
            raise BoardLost(f"gate board: {self._why_lost if self.stage is Stage.LOST else self.stage.value}")

    def _void_all(self, why: str) -> None:
        for pending in self._pending.values():
            self._finish(pending.command, Result.VOID, None, why)
        self._pending.clear()
        self._closing_number = 0

    def _finish(self, command: GateCommand, result: Result, fired: Pulse | None, reason: str = "") -> None:
        outcome = GateOutcome(
            lane=command.lane,
            cup=command.cup,
            outlet=command.outlet,
            open_pulse=command.open_pulse,
            close_pulse=command.close_pulse,
            fired_pulse=fired,
            result=result,
            reason=reason,
        )
        self._keep(self._outcomes, outcome)

    def _keep(self, kept: deque[_Kept], item: _Kept) -> None:
        if len(kept) >= MOST_UNTAKEN:
            kept.popleft()
            self.counters.untaken += 1
        kept.append(item)


def _words(codes: type[IntEnum], code: int) -> str:
    """`too late` for TOO_LATE; the number itself for a code that this version does not know."""
    return codes(code).name.lower().replace("_", " ") if code in list(codes) else f"code {code}"
