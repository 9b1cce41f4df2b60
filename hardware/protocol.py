"""What station and gate board say to each other, byte by byte. No port, no clock, no thread: see `protocol.md`.

A packet is a zero, then COBS of (type, number, payload, CRC-32), then a zero. Zeros occur nowhere else, so
whatever the line garbles, the next zero is a fresh start.

Pulses and ticks are 32 bits on the wire and in these records; who receives them widens them once
(`grader.units.widened`).
"""

from __future__ import annotations

import struct
import zlib
from enum import IntEnum
from typing import ClassVar

import msgspec

VERSION = 1
"""Of this protocol. Boards of another version are not talked to."""

MAX_LANES, MAX_OUTLETS = 12, 16
MAX_PENDING = 512
"""Commands that a board must be able to hold."""

REPORTS_KEPT = 1024
"""Outcomes and triggers that a board must keep to repeat them: more than can end at one stroke."""

REPORTS_PER_RESEND = 64
"""A board answers one request with at most so many reports, the oldest first: the line must not drown."""

MAX_PACKET = 1024
"""Bytes between two zeros; whatever is longer is noise."""

MS_PER_TRAVEL = 0.1
"""Opening and closing times count in tenths of a millisecond on the wire."""

_HEAD, _CRC, _TRAVEL = struct.Struct("<BH"), struct.Struct("<I"), struct.Struct("<HH")


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
    OTHER_CONFIG = 7
    NOT_RUNNING = 8


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
    """Close everything, forget everything but the encoder's count. The same nonce twice is one reset."""

    TYPE, LAYOUT = 0x01, struct.Struct("<I")
    nonce: int


class Configure(Message, frozen=True):
    """The line's shape. travel: (opening, closing) of each gate in 0.1 ms, lane by lane, outlet 1 first."""

    TYPE, LAYOUT = 0x02, struct.Struct("<BBHHHHH")
    lanes: int
    outlets: int
    pulses_per_cup: int
    lead_pulses: int
    trigger_pulses: int
    heartbeat_ms: int
    host_silence_ms: int
    travel: tuple[tuple[int, int], ...]

    def __post_init__(self) -> None:
        if not (1 <= self.lanes <= MAX_LANES and 1 <= self.outlets <= MAX_OUTLETS):
            raise ValueError(f"a board drives 1..{MAX_LANES} lanes of 1..{MAX_OUTLETS} gates")
        if len(self.travel) != self.lanes * self.outlets:
            raise ValueError(f"{len(self.travel)} travel times for {self.lanes * self.outlets} gates")
        if not (self.pulses_per_cup and self.trigger_pulses and self.heartbeat_ms and self.host_silence_ms):
            raise ValueError("pulses per cup and per trigger, heartbeat and silence are at least 1")

    def payload(self) -> bytes:
        head = self.LAYOUT.pack(*msgspec.structs.astuple(self)[:-1])
        return head + b"".join(_TRAVEL.pack(*times) for times in self.travel)

    @classmethod
    def from_payload(cls, payload: bytes) -> Configure:
        head = cls.LAYOUT.unpack(payload[: cls.LAYOUT.size])
        return cls(*(*head, tuple(_TRAVEL.iter_unpack(payload[cls.LAYOUT.size :]))))

    @property
    def crc(self) -> int:
        """CRC-32 of the payload: what the board must report before it is trusted."""
        return zlib.crc32(self.payload())


class Command(Message, frozen=True):
    """Hold one gate open from open_pulse to close_pulse. config_tag: low 16 bits of the configuration's CRC."""

    TYPE, LAYOUT = 0x03, struct.Struct("<IHBBIII")
    command: int
    config_tag: int
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
    """The station lives."""

    TYPE, LAYOUT = 0x05, struct.Struct("<")


class Resend(Message, frozen=True):
    """Say the reports numbered first to last again."""

    TYPE, LAYOUT = 0x06, struct.Struct("<II")
    first: int
    last: int


# Board to station


class Boot(Message, frozen=True):
    """The board starts afresh. nonce: of the reset that asked for it; 0: nobody asked."""

    TYPE, LAYOUT = 0x81, struct.Struct("<IBI")
    boot_id: int
    version: int
    nonce: int


class Status(Message, frozen=True):
    """The board's heartbeat. gates: bit lane * outlets + outlet - 1 is set while that gate is told to be open."""

    TYPE, LAYOUT = 0x82, struct.Struct("<IIIIHBII")
    boot_id: int
    config_crc: int
    pulse: int
    tick: int
    pending: int
    signals: int
    newest_report: int
    oldest_report: int
    gates: int

    BELT_RUNNING: ClassVar[int] = 1
    EMERGENCY_STOP: ClassVar[int] = 2

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


_KINDS: dict[int, type[Message]] = {
    kind.TYPE: kind
    for kind in (
        *(Reset, Configure, Command, CloseAll, HostHeartbeat, Resend),
        *(Boot, Status, Answered, Outcome, Triggered),
    )
}


class Packer:
    """Messages into packets, numbered from 0 and round again at 65,536."""

    def __init__(self) -> None:
        self._number = 0

    def pack(self, message: Message) -> bytes:
        """One packet, with the zeros before and after it."""
        body = _HEAD.pack(message.TYPE, self._number) + message.payload()
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

    def feed(self, data: bytes) -> list[Message]:
        """The messages that these bytes complete, oldest first."""
        *packets, rest = (self._rest + data).split(b"\0")
        if len(rest) > MAX_PACKET:  # its tail, once the zero has come, fails the CRC
            self.garbage_bytes += len(rest)
            rest = b""
        self._rest = rest
        messages = (self._opened(packet) for packet in packets if packet)
        return [message for message in messages if message is not None]

    def _opened(self, packet: bytes) -> Message | None:
        body = unstuffed(packet) if len(packet) <= MAX_PACKET else None
        if body is not None and len(body) >= _HEAD.size + _CRC.size:
            content, crc = body[: -_CRC.size], _CRC.unpack(body[-_CRC.size :])[0]
            if zlib.crc32(content) == crc:
                kind, number = _HEAD.unpack_from(content)
                try:
                    message = _KINDS[kind].from_payload(content[_HEAD.size :])
                except (KeyError, ValueError, struct.error):
                    pass  # whole, but not of this version: counted below
                else:
                    self._count(message, number)
                    return message
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
