"""What comes over wires: bytes between station and gate board, either way, and messages between processes."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np

from bench.fuzz.hunt import Trial
from grader.domain.decisions import GateCommand, GateOutcome
from grader.domain.frames import Scan, Weighing
from grader.domain.installation import Gates, Line
from grader.errors import BoardLost
from grader.units import NS_PER_MS, BoardTick, HostNs, Pulse
from hardware import protocol as wire
from hardware.board_session import BoardSession, Stage
from hardware.gate_board import board_configuration
from hardware.message_link import MOST_MESSAGE, MessageLink
from hardware.sensor_link import SensorLink, SensorSender
from hardware.sim.board import SimulatedBoard

_CONFIG = board_configuration(
    Line(lanes=2, pulses_per_cup=96, mm_per_pulse=1.0, cups_per_second=12.0),
    Gates(outlets=2, first_mm=300.0, pitch_mm=200.0),
    pulses_per_frame=48,
)
_NONCE, _BOOT_ID = 7, 2
_COMMANDS = tuple(
    GateCommand(lane=lane, cup=cup, outlet=outlet, open_pulse=Pulse(opens), close_pulse=Pulse(opens + 96))
    for lane, cup, outlet, opens in ((0, 1, 1, 300), (0, 2, 1, 396), (1, 2, 2, 400), (0, 4, 2, 700))
)
_PIECES = 4
_STEP_MS, _STEP_PULSES = 40, 46
_STEPS = 24


# Packets alone


def packets(folder: Path) -> Trial:
    """Cut into pieces anyhow, the same bytes are the same messages."""
    return Trial([piece for said in _talk() for piece in _some_packets(said)], _read_packets)


def _read_packets(data: bytes) -> None:
    whole, decoder = wire.Decoder().feed(data), wire.Decoder()
    assert whole == [said for piece in _pieces(data) for said in decoder.feed(piece)]
    for said in whole:
        assert wire.Decoder().feed(wire.Packer(said.talk).pack(said.message)) == [said]


# What a board says to a station


def board_to_station(folder: Path) -> Trial:
    """A session in each of its stages hears it."""
    return Trial(_some_packets(_talk()[1]), _heard_by_sessions)


def _heard_by_sessions(data: bytes) -> None:
    for stage in (Stage.IDLE, Stage.RESETTING, Stage.CONFIGURING, Stage.READY):
        _heard_in(stage, data)


def _heard_in(stage: Stage, data: bytes) -> None:
    session, now, said = _session_in(stage), HostNs(NS_PER_MS), b""
    sent: list[GateCommand] = []
    for piece in _pieces(data):
        if session.stage is Stage.READY and not sent:
            said += session.submit(_COMMANDS, now)
            sent += _COMMANDS
        said += session.receive(piece, now)
        now = HostNs(now + 30 * NS_PER_MS)
        said += session.due(now) + b"" * session.pulse(now)
        try:
            session.status()
        except BoardLost:
            assert session.stage is not Stage.READY
    session.lose("the end")
    session.take_triggers()
    # Whatever the board says, each command that was sent has one outcome, and nothing else has.
    assert Counter(map(_named, session.take_outcomes())) == Counter(map(_named, sent))
    for _, message in wire.Decoder().feed(said):
        assert not isinstance(message, wire.Command) or (message.lane, message.cup) in {(c.lane, c.cup) for c in sent}


def _session_in(stage: Stage) -> BoardSession:
    session, now, packer = BoardSession(_CONFIG), HostNs(0), wire.Packer(_BOOT_ID)
    if stage is not Stage.IDLE:
        session.begin(_NONCE, now)
    if stage in (Stage.CONFIGURING, Stage.READY):
        session.receive(packer.pack(wire.Boot(wire.VERSION, _NONCE, 1)), now)
    if stage is Stage.READY:
        session.receive(packer.pack(wire.Configured(_CONFIG.crc)), now)
        session.receive(packer.pack(wire.Status(100, 1000, 1, 0, 0, 0, 1, 0, 0)), now)
    assert session.stage is stage
    return session


def _named(of: GateCommand | GateOutcome) -> tuple[int, int, int, Pulse, Pulse]:
    return of.lane, of.cup, of.outlet, of.open_pulse, of.close_pulse


# What a station says to a board


def station_to_board(folder: Path) -> Trial:
    """A board hears it, fresh or configured, while its belt runs."""
    return Trial([_talk()[0], *_some_packets(_talk()[0])], _heard_by_boards)


def _heard_by_boards(data: bytes) -> None:
    _heard_by(SimulatedBoard(), [], data)
    before = [wire.Packer(_NONCE).pack(wire.Reset()), wire.Packer(_BOOT_ID).pack(_CONFIG)]
    _heard_by(SimulatedBoard(_BOOT_ID - 1), before, data)


def _heard_by(board: SimulatedBoard, before: list[bytes], data: bytes) -> None:
    said, answers = _run(board, [*before, *_pieces(data)])
    commands = [message for message in said if isinstance(message, wire.Command)]
    accepted = {each.command for each in answers if isinstance(each, wire.Answered) and each.answer == 0}
    # A gate is told to open by a command that was heard whole and accepted, and by nothing else.
    may_open = Counter((command.lane, command.outlet) for command in commands if command.command in accepted)
    for gate, physical in board.gates.items():
        assert len(physical.movements) <= may_open[gate]
    for outcome in answers:
        assert not isinstance(outcome, wire.Outcome) or outcome.command in accepted


def _run(board: SimulatedBoard, pieces: list[bytes]) -> tuple[list[wire.Message], list[wire.Message]]:
    """What the board heard, and what it said."""
    told, answered = wire.Decoder(), wire.Decoder()
    heard: list[wire.Message] = []
    said: list[wire.Message] = []
    for step in range(_STEPS):
        if step < len(pieces):
            board.receive(pieces[step])
            heard += [message for _, message in told.feed(pieces[step])]
        now = Pulse(step * _STEP_PULSES), BoardTick(step * _STEP_MS * 1000)
        said += [message for _, message in answered.feed(board.advance(*now))]
    return heard, said


def _talk() -> tuple[bytes, bytes]:
    """What station and board say in a talk in which all goes well: to the board, to the station."""
    session, board, to_board, to_station = BoardSession(_CONFIG), SimulatedBoard(_BOOT_ID - 1), b"", b""
    said = session.begin(_NONCE, HostNs(0))
    for step in range(_STEPS):
        now = HostNs(step * _STEP_MS * NS_PER_MS)
        if step == 3:
            said += session.submit(_COMMANDS, now)
        if step == _STEPS - 1:
            said += session.close_all(now) + wire.Packer(_BOOT_ID).pack(wire.Resend(1, 0b1011))
        board.receive(said)
        heard = board.advance(Pulse(step * _STEP_PULSES), BoardTick(step * _STEP_MS * 1000))
        to_board, to_station = to_board + said, to_station + heard
        said = session.receive(heard, now) + session.due(now)
    return to_board, to_station


def _some_packets(data: bytes) -> list[bytes]:
    """The packets of a talk, few at a time."""
    packets = [b"\0" + packet + b"\0" for packet in data.split(b"\0") if packet]
    return [b"".join(packets[begin : begin + 8]) for begin in range(0, len(packets), 8)]


def _pieces(data: bytes) -> Iterator[bytes]:
    ends = [len(data) * part // _PIECES for part in range(_PIECES + 1)]
    return (data[begin:end] for begin, end in pairwise(ends))


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
