"""The driver on a real pseudo-terminal, with a simulated board behind it."""

from __future__ import annotations

import itertools
import random
import threading
import time

import pytest

from grader.clock import SystemClock
from grader.domain.decisions import GateCommand, Result
from grader.errors import BoardLost
from grader.units import Pulse
from hardware.gate_board import GateBoardSettings, SerialGateBoard


@pytest.fixture
def connected(config):
    boards = []

    def connect(path: str) -> SerialGateBoard:
        boards.append(SerialGateBoard(GateBoardSettings(port=path), config, SystemClock()))
        return boards[-1]

    yield connect
    for board in boards:
        board.close()


def collected(board: SerialGateBoard, count: int, timeout_s: float = 5.0) -> list:
    """Outcomes until there are so many; fails when they do not come."""
    outcomes, deadline = [], time.monotonic() + timeout_s
    while len(outcomes) < count:
        assert time.monotonic() < deadline, f"{len(outcomes)} of {count} outcomes"
        board.wait(0.1)
        outcomes += board.outcomes()
    return outcomes


def ahead(board: SerialGateBoard, pulses: int, *, cup: int = 0, lane: int = 0) -> GateCommand:
    """A command whose window opens so many pulses from now."""
    start = board.pulse() + pulses
    return GateCommand(lane=lane, cup=cup, outlet=1, open_pulse=Pulse(start), close_pulse=Pulse(start + 96))


def test_commands_fire_on_the_boards_own_counter(board_on_pty, connected):
    far = board_on_pty()
    board = connected(far.path)
    commands = [ahead(board, 400 + 40 * lane, cup=lane, lane=lane) for lane in range(4)]
    board.submit(commands)
    outcomes = collected(board, 4)
    assert {o.result for o in outcomes} == {Result.FIRED}
    for outcome, one in zip(outcomes, commands, strict=True):
        assert (outcome.lane, outcome.cup) == (one.lane, one.cup)
        assert one.open_pulse - 20 <= outcome.fired_pulse <= one.open_pulse - 15
    assert len(board.round_trips_ns()) == 4
    assert abs(board.pulse() - far.pulse()) < 200


def test_triggers_come_complete_and_in_order(board_on_pty, connected):
    board = connected(board_on_pty().path)
    triggers, deadline = [], time.monotonic() + 5
    while len(triggers) < 8 and time.monotonic() < deadline:
        board.wait(0.1)
        triggers += board.triggers()
    assert [t.number for t in triggers] == list(range(len(triggers)))
    assert {later.pulse - earlier.pulse for earlier, later in itertools.pairwise(triggers)} == {48}


def test_a_cable_that_garbles_loses_nothing(board_on_pty, connected):
    rng = random.Random(11)
    lock = threading.Lock()

    def garble(data: bytes, to_board: bool) -> bytes:
        with lock:
            out = bytearray()
            for byte in data:
                roll = rng.random()
                if roll < 0.001:
                    continue
                out.append(byte ^ 0x10 if roll < 0.002 else byte)
                if roll > 0.999:
                    out.append(byte)
            return bytes(out)

    board = connected(board_on_pty(garble).path)
    sent = []
    for cup in range(60):
        sent.append(ahead(board, 500, cup=cup, lane=cup % 4))
        board.submit(sent[-1:])
        board.wait(0.01)
    outcomes = collected(board, 60, timeout_s=10)
    assert sorted(o.cup for o in outcomes) == list(range(60))
    assert {o.result for o in outcomes} == {Result.FIRED}
    assert board.counters.crc_errors + board.counters.retries > 0


def test_a_board_that_restarts_is_lost_until_it_is_connected_again(board_on_pty, connected):
    far = board_on_pty()
    board = connected(far.path)
    first_boot = board.status().boot_id
    board.submit([ahead(board, 5000)])
    with far.lock:
        far.board.restart()
    (outcome,) = collected(board, 1)
    assert (outcome.result, outcome.reason) == (Result.VOID, "the board restarted")
    with pytest.raises(BoardLost, match="restarted"):
        board.submit([ahead(board, 500)])
    with pytest.raises(BoardLost):
        board.status()
    board.connect()
    assert board.status().boot_id > first_boot + 1
    board.submit([ahead(board, 400)])
    assert collected(board, 1)[0].result is Result.FIRED


def test_a_cable_that_comes_off_loses_the_board_and_voids_what_is_pending(board_on_pty, connected):
    far = board_on_pty()
    board = connected(far.path)
    board.submit([ahead(board, 50_000)])
    far.pull_the_plug()
    (outcome,) = collected(board, 1)
    assert outcome.result is Result.VOID
    with pytest.raises(BoardLost):
        board.status()
    board.close_all()  # safe at any time
    with pytest.raises(BoardLost, match="cannot open"):
        board.connect()


def test_closing_the_driver_closes_the_gates(board_on_pty, connected):
    far = board_on_pty()
    board = connected(far.path)
    board.submit([ahead(board, 300, lane=2)])
    deadline = time.monotonic() + 5
    while not far.board.gates[2, 1].told_open and time.monotonic() < deadline:
        board.wait(0.05)
    board.close()
    assert not far.board.gates[2, 1].told_open
    with pytest.raises(BoardLost, match="closed"):
        board.status()
    board.close()


def test_a_port_that_is_none_is_named(config):
    with pytest.raises(BoardLost, match="/dev/no-such-port"):
        SerialGateBoard(GateBoardSettings(port="/dev/no-such-port"), config, SystemClock())
