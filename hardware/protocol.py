"""What station and gate board say to each other, byte by byte. No port, no clock, no thread: see `protocol.md`.

A packet is a zero, then COBS of (type, number, talk, payload, CRC-32), then a zero. Zeros occur nowhere else, so
whatever the line garbles, the next zero is a fresh start. The talk says which reset a packet belongs to: what lay in a
buffer since the talk before is known by it, and is not obeyed.

Pulses and ticks are 32 bits on the wire and in these records; who receives them widens them once
(`grader.units.widened`).
"""

from __future__ import annotations

import struct
import zlib
from enum import IntEnum
from typing import ClassVar, NamedTuple

import msgspec

VERSION = 2
"""Of this protocol. Boards of another version are not talked to."""

MAX_LANES, MAX_OUTLETS = 12, 16
MAX_PENDING = 512
"""Commands that a board must be able to hold."""

REPORTS_KEPT = 1024
"""Reports that a board must keep to repeat them: more than can end at one stroke."""

REPORTS_PER_RESEND = 33
"""So many reports can one request name: the first by its number, 32 more by a bit each."""

MAX_PACKET = 2048
"""Bytes between two zeros; whatever is longer is noise."""

MS_PER_TRAVEL = 0.1
"""Opening and closing times count in tenths of a millisecond on the wire."""

_HEAD, _CRC, _GATE = struct.Struct("<BHI"), struct.Struct("<I"), struct.Struct("<BBHH")


def wire32(count: int) -> int:
    """The low 32 bits of an unbounded count."""
    return count & 0xFFFF_FFFF


class Answer(IntEnum):
    """What a board says to a command."""

    ACCEPTED = 0
    TOO_LATE = 1
    UNKNOWN_LANE = 2
    UNKNOWN_OUTLET = 3
    CLOSE_BEFORE_OPEN = 4
    NOT_CONFIGURED = 5
    QUEUE_FULL = 6
    CLOSED = 7  # said before a CLOSE_ALL that is done already
    NOT_RUNNING = 8  # the emergency stop is pressed
    ENCODER_FAULT = 9


class Ending(IntEnum):
    """How a command that was accepted ended."""

    FIRED = 0
    CUT_SHORT = 1  # opened, and closed before its time
    VOID = 2  # never opened


class Cause(IntEnum):
    """Why a command was cut short or void."""

    NONE = 0
    CLOSED_BY_HOST = 1
    HOST_SILENT = 2
    BELT_STOPPED = 3
    EMERGENCY_STOP = 4
    JOGGED = 5
    OUTLET_FULL = 6
    ENCODER = 7


class Message(msgspec.Struct, frozen=True):
    """One thing said. Subclasses have integer fields in wire order, or pack themselves."""

    TYPE: ClassVar[int]
    LAYOUT: ClassVar[struct.Struct]

    def payload(self) -> bytes:
        """The bytes after the head. Raises struct.error when a field does not fit: a mistake of the caller."""
        return self.LAYOUT.pack(*msgspec.structs.astuple(self))

    @classmethod
    def from_payload(cls, payload: bytes) -> Message:
        """The message again. Raises ValueError or struct.error when the payload is none."""
        return cls(*cls.LAYOUT.unpack(payload))


# Station to board


class Reset(Message, frozen=True):
    """Close everything, forget everything but the encoder's count. The packet's talk is a nonce: the same twice is one
    reset."""

    TYPE, LAYOUT = 0x01, struct.Struct("<")


class Configure(Message, frozen=True):
    """The line's shape, once in a talk. opening, closing: travel times of the gates in 0.1 ms; unlike: (lane, outlet,
    opening, closing) of each gate that has others. most_pulses_per_s: what counts faster is no belt."""

    TYPE, LAYOUT = 0x02, struct.Struct("<BBHHHHHIHH")
    lanes: int
    outlets: int
    pulses_per_cup: int
    lead_pulses: int
    trigger_pulses: int
    heartbeat_ms: int
    host_silence_ms: int
    most_pulses_per_s: int
    opening: int
    closing: int
    unlike: tuple[tuple[int, int, int, int], ...] = ()

    def __post_init__(self) -> None:
        if not (1 <= self.lanes <= MAX_LANES and 1 <= self.outlets <= MAX_OUTLETS):
            raise ValueError(f"a board drives 1..{MAX_LANES} lanes of 1..{MAX_OUTLETS} gates")
        if not all(lane < self.lanes and 1 <= outlet <= self.outlets for lane, outlet, *_ in self.unlike):
            raise ValueError("travel times of a gate that is not there")
        if len(self.unlike) > self.lanes * self.outlets:
            raise ValueError(f"{len(self.unlike)} travel times for {self.lanes * self.outlets} gates")
        if not (self.pulses_per_cup and self.trigger_pulses and self.heartbeat_ms and self.host_silence_ms):
            raise ValueError("pulses per cup and per trigger, heartbeat and silence are at least 1")
        if not self.most_pulses_per_s:
            raise ValueError("a belt makes at least 1 pulse a second at most")

    def payload(self) -> bytes:
        head = self.LAYOUT.pack(*msgspec.structs.astuple(self)[:-1])
        return head + b"".join(_GATE.pack(*gate) for gate in self.unlike)

    @classmethod
    def from_payload(cls, payload: bytes) -> Configure:
        head = cls.LAYOUT.unpack(payload[: cls.LAYOUT.size])
        return cls(*(*head, tuple(_GATE.iter_unpack(payload[cls.LAYOUT.size :]))))

    @property
    def crc(self) -> int:
        """CRC-32 of the payload: what the board must confirm before it is trusted."""
        return zlib.crc32(self.payload())

    @property
    def settling_pulses(self) -> int:
        """A belt that stops may settle back so far, and no count is truer than this: a tenth of a cup."""
        return max(1, self.pulses_per_cup // 10)

    def travel(self, lane: int, outlet: int) -> tuple[int, int]:
        """(opening, closing) of one gate, in 0.1 ms."""
        others = {(lane, outlet): (opening, closing) for lane, outlet, opening, closing in self.unlike}
        return others.get((lane, outlet), (self.opening, self.closing))


class Command(Message, frozen=True):
    """Hold one gate open from open_pulse to close_pulse, by the board's count."""

    TYPE, LAYOUT = 0x03, struct.Struct("<IBBIII")
    command: int
    lane: int
    outlet: int
    open_pulse: int
    close_pulse: int
    cup: int


class CloseAll(Message, frozen=True):
    """Close every gate and void what is pending. Answered like a command, repeated until it is."""

    TYPE, LAYOUT = 0x04, struct.Struct("<I")
    command: int


class HostHeartbeat(Message, frozen=True):
    """The station lives, and this is what the plant is to be shown: ready, fault, and six lamps from LAMPS on."""

    TYPE, LAYOUT = 0x05, struct.Struct("<B")
    outputs: int = 0

    READY: ClassVar[int] = 1
    FAULT: ClassVar[int] = 2
    LAMPS: ClassVar[int] = 4


class Resend(Message, frozen=True):
    """Say these reports again: first, and first + 1 + n for each bit n that is set in others."""

    TYPE, LAYOUT = 0x06, struct.Struct("<II")
    first: int
    others: int

    def wanted(self) -> list[int]:
        """The numbers of the reports, the oldest first."""
        bits = range(REPORTS_PER_RESEND - 1)
        return [self.first, *(self.first + 1 + bit for bit in bits if self.others >> bit & 1)]


# Board to station


class Boot(Message, frozen=True):
    """The board starts afresh; the packet's talk is its new boot id. nonce: of the reset that asked for it; 0: nobody
    asked. count_id: another one whenever the encoder's count was lost or went wrong."""

    TYPE, LAYOUT = 0x81, struct.Struct("<BII")
    version: int
    nonce: int
    count_id: int

    @classmethod
    def from_payload(cls, payload: bytes) -> Boot:
        # In every version a BOOT begins like this one, so that a board of another can be told by its name.
        version, nonce = struct.unpack_from("<BI", payload)
        return cls(version, nonce, 0) if version != VERSION else cls(*cls.LAYOUT.unpack(payload))


class Status(Message, frozen=True):
    """The board's heartbeat. outlets_full: bit outlet - 1. index_pulse: the count at the latest index mark, when
    INDEX_KNOWN. gates: bit lane * outlets + outlet - 1 is set while that gate is told to be open."""

    TYPE, LAYOUT = 0x82, struct.Struct("<IIBHIIIH")
    pulse: int
    tick: int
    signals: int
    outlets_full: int
    index_pulse: int
    newest_report: int
    oldest_report: int
    pending: int
    gates: int

    BELT_RUNNING: ClassVar[int] = 1
    EMERGENCY_STOP: ClassVar[int] = 2
    JOGGING: ClassVar[int] = 4
    ENCODER_FAULT: ClassVar[int] = 8
    INDEX_KNOWN: ClassVar[int] = 16

    def payload(self) -> bytes:
        head = self.LAYOUT.pack(*msgspec.structs.astuple(self)[:-1])
        return head + self.gates.to_bytes((self.gates.bit_length() + 7) // 8, "little")

    @classmethod
    def from_payload(cls, payload: bytes) -> Status:
        head = cls.LAYOUT.unpack(payload[: cls.LAYOUT.size])
        return cls(*(*head, int.from_bytes(payload[cls.LAYOUT.size :], "little")))


class Answered(Message, frozen=True):
    """What the board makes of a command; answer: a code of `Answer`."""

    TYPE, LAYOUT = 0x83, struct.Struct("<IB")
    command: int
    answer: int


class Report(Message, frozen=True):
    """What must not get lost: numbered from 1 at every reset, kept by the board, said again on request."""

    report: int


class Outcome(Report, frozen=True):
    """How an accepted command ended. fired_pulse and closed_pulse mean nothing when it was void."""

    TYPE, LAYOUT = 0x84, struct.Struct("<IIBBII")
    command: int
    ending: int
    cause: int
    fired_pulse: int
    closed_pulse: int


class Triggered(Report, frozen=True):
    """Exposure number `number`, counted from 0 at every reset, was fired at `pulse`."""

    TYPE, LAYOUT = 0x85, struct.Struct("<III")
    number: int
    pulse: int


class Indexed(Report, frozen=True):
    """The chain's index mark passed at `pulse`."""

    TYPE, LAYOUT = 0x86, struct.Struct("<II")
    pulse: int


class Configured(Message, frozen=True):
    """The answer to CONFIG: the CRC-32 of the configuration in force."""

    TYPE, LAYOUT = 0x87, struct.Struct("<I")
    config_crc: int


_KINDS: dict[int, type[Message]] = {
    kind.TYPE: kind
    for kind in (
        *(Reset, Configure, Command, CloseAll, HostHeartbeat, Resend),
        *(Boot, Status, Answered, Outcome, Triggered, Indexed, Configured),
    )
}


class Said(NamedTuple):
    """A message and the talk that it belongs to: the board's boot id, in a RESET its nonce."""

    talk: int
    message: Message


class Packer:
    """Messages into packets, numbered from 0 and round again at 65,536."""

    def __init__(self, talk: int = 0) -> None:
        self.talk = talk
        self._number = 0

    def pack(self, message: Message) -> bytes:
        """One packet, with the zeros before and after it."""
        body = _HEAD.pack(message.TYPE, self._number, self.talk) + message.payload()
        self._number = (self._number + 1) & 0xFFFF
        return b"\0" + stuffed(body + _CRC.pack(zlib.crc32(body))) + b"\0"


class Decoder:
    """Bytes as they come into messages. Never raises; counts what it could not use.

    bad_packets: packets whose stuffing, CRC, type or payload is wrong. garbage_bytes: the bytes of those.
    lost_packets: by the gaps in the sender's numbers; a Reset or Boot begins a new count.
    """

    def __init__(self) -> None:
        self.bad_packets = self.garbage_bytes = self.lost_packets = 0
        self._rest = b""
        self._next_number: int | None = None

    def feed(self, data: bytes) -> list[Said]:
        """The messages that these bytes complete, oldest first."""
        *packets, rest = (self._rest + data).split(b"\0")
        if len(rest) > MAX_PACKET:  # its tail, once the zero has come, fails the CRC
            self.garbage_bytes += len(rest)
            rest = b""
        self._rest = rest
        opened = (self._opened(packet) for packet in packets if packet)
        return [said for said in opened if said is not None]

    def _opened(self, packet: bytes) -> Said | None:
        body = unstuffed(packet) if len(packet) <= MAX_PACKET else None
        if body is not None and len(body) >= _HEAD.size + _CRC.size:
            content, crc = body[: -_CRC.size], _CRC.unpack(body[-_CRC.size :])[0]
            if zlib.crc32(content) == crc:
                kind, number, talk = _HEAD.unpack_from(content)
                try:
                    message = _KINDS[kind].from_payload(content[_HEAD.size :])
                except (KeyError, ValueError, struct.error):
                    pass  # whole, but not of this version: counted below
                else:
                    self._count(message, number)
                    return Said(talk, message)
        self.bad_packets += 1
        self.garbage_bytes += len(packet)
        return None

    def _count(self, message: Message, number: int) -> None:
        if self._next_number is not None and not isinstance(message, Reset | Boot):
            gap = (number - self._next_number) & 0xFFFF
            if gap >= 0x8000:  # an earlier number: the line said something twice
                return
            self.lost_packets += gap
        self._next_number = (number + 1) & 0xFFFF


def stuffed(body: bytes) -> bytes:
    """Consistent overhead byte stuffing (Cheshire and Baker 1999): the same bytes without a zero among them."""
    out = bytearray()
    for run in body.split(b"\0"):
        for start in range(0, len(run) - 253, 254):  # full blocks of 254 stand for themselves, without a zero
            out += b"\xff" + run[start : start + 254]
        tail = run[len(run) // 254 * 254 :]
        out.append(len(tail) + 1)
        out += tail
    return bytes(out)


def unstuffed(packet: bytes) -> bytes | None:
    """The body again; None when the packet is not what `stuffed` makes."""
    out, at = bytearray(), 0
    while at < len(packet):
        code = packet[at]
        block = packet[at + 1 : at + code]
        if code == 0 or len(block) != code - 1:
            return None
        out += block
        at += code
        if code < 255 and at < len(packet):
            out.append(0)
    return bytes(out)
