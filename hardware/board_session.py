"""The station's side of the talk with a gate board: bytes in, bytes out, told the time. No port, no thread.

    begin ─ Reset → Boot ─ Configure → Configured, Status ─ ready ─ silence, restart, untruth, closed port → lost
      └───────────────────────────── begin again, by whoever owns the session ──────────────────────────────┘

Whatever is lost on the wire is noticed and repaired: a command is said again until it is answered or its lead has
run out; reports are numbered, a gap is asked for again. A session that is lost stays lost until `begin`. Pulses of the
board are raw counts here; only commands know what the house's pulses are ahead of them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import TypeVar

from grader.domain.decisions import BoardStatus, GateCommand, GateOutcome, PlantOutputs, Result
from grader.domain.frames import Trigger
from grader.errors import BoardLost
from grader.units import NS_PER_MS, HostNs, Pulse, widened
from hardware import protocol as wire
from hardware.belt_as_told import BeltAsTold, Impossible

ANSWER_MS = 20
"""A command or a request that is not answered by then is said again."""

HANDSHAKE_MS, HANDSHAKE_TRIES = 100, 20

HEARTBEAT_MS = 15
"""Twelve of them in the 200 ms after which a board closes its gates, when the loop around this is 10 ms late. A cable
that damages 1 % of its bytes loses one of 15 bytes with p = 0.14, and twelve in a row with 6e-11: once in years."""

STATUS_MS = 20
SILENCE_MS = 400
"""A board that has not been heard for so long is lost. Nineteen heartbeats: with 47 bytes and 1 % of them damaged
p = 0.38 for one and 9e-9 for all, once in weeks. The gates do not wait for it, the board closes them by itself."""

OVERDUE_CUPS = 10
"""So many cups after its window a command without a report is given up as void."""

MOST_UNTAKEN = 65_536
"""Outcomes and triggers that are kept for whoever takes them; the oldest go first, and are counted."""

PAST_TALKS_KEPT = 16
"""Talks whose packets are known to be stale; one of a talk never heard of means that the board restarted."""

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
    stale_packets: int = 0  # of an earlier talk
    repeated_reports: int = 0
    lost_reports: int = 0  # that the board no longer had
    untaken: int = 0  # outcomes and triggers that nobody took in time
    restarts: int = 0  # of the board, by itself


@dataclass(slots=True)
class _Pending:
    command: GateCommand
    offset: int  # what the house's pulse was ahead of the board's count when it was sent
    first_sent: HostNs
    last_sent: HostNs
    answered: bool = False


class _Reports:
    """Which of the board's numbered reports have come, which are missing, which are gone."""

    def __init__(self) -> None:
        self.newest = self.repeated = self.gone = 0
        self._missing: set[int] = set()
        self._asked = HostNs(0)

    def expect(self, newest: int, oldest: int) -> None:
        """The board has sent reports up to `newest` and still has those from `oldest` on."""
        # Whatever a board says, no more than it keeps is asked for.
        oldest = min(max(oldest, newest - wire.REPORTS_KEPT + 1), newest + 1)
        self._missing.update(range(max(self.newest + 1, oldest), newest + 1))
        if newest > self.newest:
            self.gone += max(0, oldest - self.newest - 1)
            self.newest = newest
        gone = {number for number in self._missing if number < oldest}
        self._missing -= gone
        self.gone += len(gone)

    def is_new(self, report: int) -> bool:
        """Take note of one that came; False when it has come before."""
        if report > self.newest:
            self.expect(report, 0)
        if report not in self._missing:
            self.repeated += 1
            return False
        self._missing.remove(report)
        return True

    @property
    def complete(self) -> bool:
        """Whether all that the board has said so far has come."""
        return not self._missing

    def to_ask_for(self, now: HostNs) -> wire.Resend | None:
        """The request for the oldest that are missing; one at a time, or the answers would fill the line."""
        if not self._missing or now - self._asked < ANSWER_MS * NS_PER_MS:
            return None
        self._asked, first = now, min(self._missing)
        others = (number - first - 1 for number in self._missing if 0 < number - first < wire.REPORTS_PER_RESEND)
        return wire.Resend(first, sum(1 << bit for bit in others))


class BoardSession:
    """One board, one talk. Not thread-safe: its owner holds a lock around every call."""

    def __init__(self, config: wire.Configure) -> None:
        self.config = config
        self.stage = Stage.IDLE
        self.counters = Counters()
        self.round_trips_ns: deque[int] = deque(maxlen=4096)  # command sent to answer read, for the bench and the page
        self._why_lost = "not connected"
        self._packer, self._decoder = wire.Packer(), wire.Decoder()
        self._nonce = self._talk = 0
        self._past_talks: deque[int] = deque(maxlen=PAST_TALKS_KEPT)
        self._outputs = 0
        self._belt = BeltAsTold(config, SILENCE_MS)
        self._outcomes: deque[GateOutcome] = deque()
        self._triggers: deque[Trigger] = deque()
        self._marks: deque[Pulse] = deque()
        self._clear()

    def _clear(self) -> None:
        self._talk = 0  # the board's boot id; 0: not known yet
        self._configured = False
        self._status: BoardStatus | None = None
        self._pending: dict[int, _Pending] = {}
        self._closing_number = 0
        self._reports = _Reports()
        self._command_number = 0
        self._tries = 0
        self._asked = self._heard = self._heartbeat_due = HostNs(0)

    # What the owner asks

    def begin(self, nonce: int, now: HostNs) -> bytes:
        """Start afresh: what was pending is void. nonce: not zero, not that of the reset before."""
        self._void_all("the board was reset")
        if self._talk:
            self._past_talks.append(self._talk)
        self._clear()
        self._nonce = self._packer.talk = nonce
        self.stage = Stage.RESETTING
        return self._ask(now)

    def submit(self, commands: Sequence[GateCommand], now: HostNs, offset: int = 0) -> bytes:
        """The packets that carry these commands. offset: what their pulses are ahead of the board's count; outcomes
        come back in the commands' own pulses. Raises BoardLost; then they have come back as VOID."""
        if self.stage is not Stage.READY:
            for command in commands:
                self._finish(command, Result.VOID, None, self._why_not_ready())
        self._must_be_ready()
        packets = []
        for command in commands:
            cannot_say = self._cannot_say(command)
            if cannot_say is not None:
                self._finish(command, Result.REFUSED, None, _words(wire.Answer, cannot_say))
                continue
            self._command_number += 1
            self._pending[self._command_number] = pending = _Pending(command, offset, now, now)
            packets.append(self._command_packet(self._command_number, pending))
        return b"".join(packets)

    def show(self, outputs: PlantOutputs) -> None:
        """What the plant is shown from the next heartbeat on; outlives a reset."""
        contacts = wire.HostHeartbeat.READY * outputs.ready | wire.HostHeartbeat.FAULT * outputs.fault
        self._outputs = (contacts | wire.HostHeartbeat.LAMPS * outputs.lamps) & 0xFF

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
        """Where the belt is by the board's count, from the latest report and the speed; never runs back in a talk."""
        return self._belt.pulse(now)

    def widened(self, pulse: int) -> Pulse:
        """The whole count of one of which a device told the low 32 bits."""
        return self._belt.widened(wire.wire32(pulse))

    @property
    def counts(self) -> int:
        """How many counts have begun that have nothing to do with the one before: the first, and each after one that
        was lost."""
        return self._belt.counts

    @property
    def latest_mark(self) -> Pulse | None:
        """The count at the index mark; None while the board does not know it."""
        return self._belt.index

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

    def take_marks(self) -> list[Pulse]:
        """Counts at the index mark since the last call, oldest first."""
        taken = list(self._marks)
        self._marks.clear()
        return taken

    def lose(self, why: str) -> bytes:
        """Latch: everything pending is void. Returns a last order to close the gates; without a heartbeat the board
        closes them by itself."""
        self._void_all(why)
        if self.stage is not Stage.LOST:
            self.stage, self._why_lost = Stage.LOST, why
        return self._packer.pack(wire.CloseAll(self._command_number + 1)) if self._talk else b""

    # What the wire brings, and what is due by the clock

    def receive(self, data: bytes, now: HostNs) -> bytes:
        """Take in what the board said; returns what has to be said at once."""
        out = b"".join([self._hear(said.talk, said.message, now) for said in self._decoder.feed(data)])
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
            return self.lose(f"no heartbeat for {SILENCE_MS} ms")
        return self._heartbeat(now) + self._commands_again(now) + self._reports_again(now)

    def _hear(self, talk: int, message: wire.Message, now: HostNs) -> bytes:
        if isinstance(message, wire.Boot) and self.stage is Stage.RESETTING and message.nonce == self._nonce:
            return self._booted(talk, message, now)
        if talk != self._talk:
            return self._hear_another(talk)
        try:
            match message:
                case wire.Configured() if self.stage is Stage.CONFIGURING:
                    return self._hear_configured(message)
                case wire.Status() if self._configured and self.stage in (Stage.CONFIGURING, Stage.READY):
                    self._hear_status(message, now)
                case _ if self.stage is not Stage.READY:
                    pass
                case wire.Answered():
                    self._answered(message, now)
                case wire.Report() if self._reports.is_new(message.report):
                    self._reported(message, now)
        except Impossible as untruth:
            return self.lose(f"what the board says cannot be: {untruth}")
        return b""

    def _hear_another(self, talk: int) -> bytes:
        """A packet of another talk: of an earlier one, or of a board that has restarted meanwhile."""
        if not self._talk and talk not in self._past_talks:  # whatever the board was before it answered our reset
            self._past_talks.append(talk)
        if not self._talk or talk in self._past_talks or self.stage is Stage.LOST:
            self.counters.stale_packets += 1
            return b""
        self.counters.restarts += 1
        return self.lose("the board restarted")

    def _booted(self, talk: int, boot: wire.Boot, now: HostNs) -> bytes:
        if boot.version != wire.VERSION:
            return self.lose(
                f"the board speaks protocol {boot.version}, this station {wire.VERSION}: update its firmware"
            )
        self._talk = self._packer.talk = talk
        self._belt.begin(boot.count_id)
        self.stage, self._tries = Stage.CONFIGURING, 0
        return self._ask(now)

    def _hear_configured(self, configured: wire.Configured) -> bytes:
        if configured.config_crc != self.config.crc:
            return self.lose("the board has another configuration in force")
        self._configured = True
        return b""

    def _hear_status(self, status: wire.Status, now: HostNs) -> None:
        """Raises Impossible."""
        self._reports.expect(status.newest_report, status.oldest_report)
        known = self.latest_mark
        if not self._belt.hear_status(status, now, all_reports=self._reports.complete):
            return
        if self.latest_mark is not None and self.latest_mark != known:
            self._keep(self._marks, self.latest_mark)
        self.stage, self._heard = Stage.READY, now
        signals = status.signals
        full = frozenset(n for n in range(1, wire.MAX_OUTLETS + 1) if status.outlets_full >> (n - 1) & 1)
        self._status = BoardStatus(
            boot_id=self._talk,
            config_crc=self.config.crc,
            pulse=self._belt.widened(status.pulse),
            pending=status.pending,
            gates_open=status.gates.bit_count(),
            belt_running=bool(signals & wire.Status.BELT_RUNNING),
            emergency_stop=bool(signals & wire.Status.EMERGENCY_STOP),
            jogging=bool(signals & wire.Status.JOGGING),
            outlets_full=full,
            encoder_fault=bool(signals & wire.Status.ENCODER_FAULT),
        )

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
                self._keep(self._triggers, Trigger(report.number, self._belt.hear_trigger(report, now)))
            case wire.Indexed():
                mark = self._belt.hear_index(report.pulse)
                if mark is not None:
                    self._keep(self._marks, mark)
            case wire.Outcome() if report.command in self._pending:
                self._ended(self._pending.pop(report.command), report)

    def _ended(self, pending: _Pending, outcome: wire.Outcome) -> None:
        command, offset = pending.command, pending.offset
        fired = Pulse(widened(outcome.fired_pulse, command.open_pulse - offset, 32) + offset)
        match outcome.ending:
            case wire.Ending.FIRED:
                self._finish(command, Result.FIRED, fired)
            case wire.Ending.CUT_SHORT:
                closed = widened(outcome.closed_pulse, command.close_pulse - offset, 32) + offset
                self._finish(command, Result.VOID, fired, f"{_words(wire.Cause, outcome.cause)} at pulse {closed}")
            case _:
                self._finish(command, Result.VOID, None, _words(wire.Cause, outcome.cause))

    # What is said

    def _ask(self, now: HostNs) -> bytes:
        self._asked = now
        self._tries += 1
        return self._packer.pack(wire.Reset() if self.stage is Stage.RESETTING else self.config)

    def _ask_again(self, now: HostNs) -> bytes:
        if now - self._asked < HANDSHAKE_MS * NS_PER_MS:
            return b""
        if self._tries >= HANDSHAKE_TRIES:
            return self.lose(f"no answer while {self.stage.value}: is it powered, and is this its port?")
        return self._ask(now)

    def _heartbeat(self, now: HostNs) -> bytes:
        if now < self._heartbeat_due:
            return b""
        # Counted from when it was due, not from now: a loop that comes late must not make them fewer.
        self._heartbeat_due = HostNs(max(self._heartbeat_due + HEARTBEAT_MS * NS_PER_MS, now))
        return self._packer.pack(wire.HostHeartbeat(self._outputs))

    def _commands_again(self, now: HostNs) -> bytes:
        packets = []
        pulse = self.pulse(now)
        overdue = OVERDUE_CUPS * self.config.pulses_per_cup
        for number, pending in list(
            self._pending.items()
        ):  # at most MAX_PENDING, a few hundred a second on a full line
            command, ahead = pending.command, pending.offset
            if pulse > command.close_pulse - ahead + overdue:
                del self._pending[number]
                why = "the board's report was lost" if pending.answered else "the board did not answer in time"
                self._finish(command, Result.VOID, None, why)
            elif (
                not pending.answered
                and now - pending.last_sent >= ANSWER_MS * NS_PER_MS
                and pulse <= command.open_pulse - ahead - self.config.lead_pulses
            ):
                pending.last_sent = now
                self.counters.retries += 1
                packets.append(self._command_packet(number, pending))
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

    def _command_packet(self, number: int, pending: _Pending) -> bytes:
        command = pending.command
        return self._packer.pack(
            wire.Command(
                command=number,
                lane=command.lane,
                outlet=command.outlet,
                open_pulse=wire.wire32(command.open_pulse - pending.offset),
                close_pulse=wire.wire32(command.close_pulse - pending.offset),
                cup=wire.wire32(command.cup),
            )
        )

    # What became of it

    def _must_be_ready(self) -> None:
        if self.stage is not Stage.READY:
            raise BoardLost(f"gate board: {self._why_not_ready()}")

    def _why_not_ready(self) -> str:
        return self._why_lost if self.stage is Stage.LOST else self.stage.value

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
