"""What comes over wires: bytes between station and gate board, either way, and messages between processes."""

from __future__ import annotations

import select
import socket
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Self

import msgspec
import numpy as np

from bench.fuzz.hunt import Trial
from grader.app.orders import SOCKET, OrderDesk
from grader.domain.decisions import GateCommand, GateOutcome
from grader.domain.frames import Scan, Weighing
from grader.domain.installation import Gates, Line
from grader.domain.orders import CloseLot, Done, OpenLot, Reset, Show, Stop
from grader.errors import BoardLost
from grader.units import NS_PER_MS, BoardTick, HostNs, Pulse
from hardware import protocol as wire
from hardware.board_session import BoardSession, Stage
from hardware.gate_board import board_configuration
from hardware.local_socket import connect
from hardware.message_link import MOST_MESSAGE, MessageLink
from hardware.sensor_link import SensorLink, SensorSender
from hardware.sim.board import SimulatedBoard

_CONFIG = board_configuration(
    Line(lanes=2, pulses_per_cup=96, mm_per_pulse=1.0, cups_per_second=12.0),
    Gates(outlets=2, first_mm=300.0, pitch_mm=200.0),
    pulses_per_frame=48,
)
_COMMANDS = tuple(
    GateCommand(lane=lane, cup=cup, outlet=outlet, open_pulse=Pulse(opens), close_pulse=Pulse(opens + 96))
    for lane, cup, outlet, opens in ((0, 1, 1, 400), (0, 2, 1, 496), (1, 2, 2, 500), (0, 4, 2, 700))
)
_NONCE = 7
_ANSWERED_S = 5.0
_STEPS, _STEP_MS, _STEP_PULSES = 24, 40, 46
_PACKETS = 8
"""Of a talk in one sound input: short ones run fast."""


class _Talk:
    """Station and board on a sound cable. to_board, to_station: what was said so far."""

    def __init__(self) -> None:
        self.session, self.board = BoardSession(_CONFIG), SimulatedBoard()
        self.to_board = self.to_station = b""
        self.steps = 0
        self._say(self.session.begin(_NONCE, self.now))

    @property
    def now(self) -> HostNs:
        return HostNs(self.steps * _STEP_MS * NS_PER_MS)

    def _say(self, said: bytes) -> None:
        self.to_board += said
        self.board.receive(said)

    def go_on(self) -> None:
        """The belt makes one step, and both say what they have to."""
        self.steps += 1
        heard = _advanced(self.board, self.steps)
        self.to_station += heard
        self._say(self.session.receive(heard, self.now) + self.session.due(self.now))

    def until(self, stage: Stage) -> Self:
        """Go on until the session is so far."""
        while self.session.stage is not stage:
            self.go_on()
        return self

    def to_its_end(self) -> Self:
        """All commands, all gates, the order to close."""
        self.until(Stage.READY)
        self._say(self.session.submit(_COMMANDS, self.now))
        for _ in range(_STEPS):
            self.go_on()
        self._say(self.session.close_all(self.now))
        self.go_on()
        return self


def _advanced(board: SimulatedBoard, step: int) -> bytes:
    return board.advance(Pulse(step * _STEP_PULSES), BoardTick(step * _STEP_MS * 1000))


_HEARD_UNTIL = {stage: _Talk().until(stage).to_station for stage in (Stage.RESETTING, Stage.CONFIGURING, Stage.READY)}
_SAID_UNTIL_READY = _Talk().until(Stage.READY).to_board


def _some_packets(data: bytes) -> list[bytes]:
    """The packets of a talk, few at a time."""
    packets = [b"\0" + packet + b"\0" for packet in data.split(b"\0") if packet]
    return [b"".join(packets[begin : begin + _PACKETS]) for begin in range(0, len(packets), _PACKETS)]


def _pieces(data: bytes, count: int = 4) -> Iterator[bytes]:
    ends = [len(data) * part // count for part in range(count + 1)]
    return (data[begin:end] for begin, end in pairwise(ends))


# Packets alone


def packets(folder: Path) -> Trial:
    """Cut into pieces anyhow, the same bytes are the same messages; a message packed again is the same."""
    talk = _Talk().to_its_end()
    return Trial(_some_packets(talk.to_board) + _some_packets(talk.to_station), _read_packets)


def _read_packets(data: bytes) -> None:
    whole, decoder = wire.Decoder().feed(data), wire.Decoder()
    assert whole == [said for piece in _pieces(data) for said in decoder.feed(piece)]
    for said in whole:
        assert wire.Decoder().feed(wire.Packer(said.talk).pack(said.message)) == [said]


# What a board says to a station


def board_to_station(folder: Path) -> Trial:
    """A session in each of its stages hears it."""
    return Trial(_some_packets(_Talk().to_its_end().to_station), _heard_by_sessions)


def _heard_by_sessions(data: bytes) -> None:
    _heard_by_session(BoardSession(_CONFIG), data)
    for stage, before in _HEARD_UNTIL.items():
        session = BoardSession(_CONFIG)
        session.begin(_NONCE, HostNs(0))
        session.receive(before, HostNs(0))
        assert session.stage is stage
        _heard_by_session(session, data)


def _heard_by_session(session: BoardSession, data: bytes) -> None:
    now, said = HostNs(NS_PER_MS), b""
    sent: list[GateCommand] = []
    for piece in _pieces(data):
        if session.stage is Stage.READY and not sent:
            said += session.submit(_COMMANDS, now)
            sent += _COMMANDS
        said += session.receive(piece, now)
        now = HostNs(now + _STEP_MS * NS_PER_MS)
        said += session.due(now)
        session.pulse(now)
        assert (session.stage is Stage.READY) == _has_status(session)
    session.lose("the end")
    session.take_triggers()
    # Whatever the board says, each command that was sent has one outcome, and nothing else has.
    assert Counter(map(_named, session.take_outcomes())) == Counter(map(_named, sent))
    commands = [each.message for each in wire.Decoder().feed(said) if isinstance(each.message, wire.Command)]
    assert {(each.lane, each.cup) for each in commands} <= {(each.lane, each.cup) for each in sent}


def _has_status(session: BoardSession) -> bool:
    try:
        session.status()
    except BoardLost:
        return False
    return True


def _named(of: GateCommand | GateOutcome) -> tuple[int, int, int, Pulse, Pulse]:
    return of.lane, of.cup, of.outlet, of.open_pulse, of.close_pulse


# What a station says to a board


def station_to_board(folder: Path) -> Trial:
    """A board hears it, fresh or configured, while its belt runs."""
    said = _Talk().to_its_end().to_board
    return Trial([said, *_some_packets(said)], _heard_by_boards)


def _heard_by_boards(data: bytes) -> None:
    _heard_by_board(data)
    _heard_by_board(_SAID_UNTIL_READY + data)


def _heard_by_board(data: bytes) -> None:
    board, heard_by_it, said_by_it = SimulatedBoard(), wire.Decoder(), wire.Decoder()
    heard: list[wire.Said] = []
    said: list[wire.Said] = []
    for step, piece in enumerate(_pieces(data, _STEPS), start=1):
        board.receive(piece)
        heard += heard_by_it.feed(piece)
        said += said_by_it.feed(_advanced(board, step))
    commands = [each.message for each in heard if isinstance(each.message, wire.Command)]
    answers = [each.message for each in said if isinstance(each.message, wire.Answered)]
    accepted = {each.command for each in answers if each.answer == wire.Answer.ACCEPTED}
    # A gate is told to open by a command that was heard whole and accepted, and by nothing else.
    may_open = Counter((each.lane, each.outlet) for each in commands if each.command in accepted)
    for (lane, outlet), opened in Counter(gate for gate in board.gates for _ in board.movements(*gate)).items():
        assert opened <= may_open[lane, outlet]
    assert {each.message.command for each in said if isinstance(each.message, wire.Outcome)} <= accepted


# Between processes


def message_link(folder: Path) -> Trial:
    """Framing: whole messages come out as they went in, a length that no message has closes the link."""
    one, other = socket.socketpair()
    link = MessageLink(one)
    for message in (b"", b"a", b"bc" * 300):
        link.send(message)
    framed = other.recv(1 << 16)
    link.close()
    other.close()
    return Trial([framed], _read_frames)


def _read_frames(data: bytes) -> None:
    one, other = socket.socketpair()
    link = MessageLink(one)
    try:
        messages: list[bytes] = []
        for piece in _pieces(data):
            other.sendall(piece)
            messages += link.receive()
        framed = b"".join(len(message).to_bytes(4, "little") + message for message in messages)
        assert data.startswith(framed)
        rest = data[len(framed) :]
        is_foreign = len(rest) >= 4 and int.from_bytes(rest[:4], "little") > MOST_MESSAGE
        assert link.closed == is_foreign
    finally:
        link.close()
        other.close()


def sensor_messages(folder: Path) -> Trial:
    """Each a reading, or counted as malformed."""
    one, other = MessageLink.pair()
    sender = SensorSender(one)
    sender.send(Weighing(1, Pulse(96), HostNs(5), 150.25))
    sender.send(Scan(0, Pulse(96), HostNs(5), np.array([1.0, 2.0], np.float32), "sample", 2500.0, 20.5, 21.0, "main"))
    sent = other.receive()
    one.close()
    other.close()
    of_a_later_version = [bytes((message[0] + 1,)) + message[1:] + b"\xc0" for message in sent]  # one field more
    return Trial([*sent, *of_a_later_version], _read_message)


def _read_message(data: bytes) -> None:
    one, other = MessageLink.pair()
    sensors = SensorLink(other)
    try:
        one.send(data)
        readings = sensors.readings()
        assert len(readings.weighings) + len(readings.scans) + sensors.malformed == 1
    finally:
        one.close()
        sensors.close()


def orders(folder: Path) -> Trial:
    """What is said to a station's order desk is carried out, or refused in words; the desk goes on."""
    said = [
        OpenLot(name="17", grower="Li", sheet="eu_apples", start=(4, 5)),
        CloseLot(name="17"),
        Reset(),
        Stop(),
        Show(),
    ]

    def read(data: bytes) -> None:
        desk = OrderDesk(folder, lambda order: Done())
        talk = MessageLink(connect(folder / SOCKET))
        try:
            talk.send(data)
            select.select([talk], [], [], _ANSWERED_S)
            assert len(talk.receive()) == 1
        finally:
            talk.close()
            desk.close()

    return Trial([msgspec.json.encode(order) for order in said], read)
