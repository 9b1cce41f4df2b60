"""The driver on a real pseudo-terminal, with a simulated board behind it."""

from __future__ import annotations

import itertools
import os
import random
import select
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from grader.clock import SystemClock
from grader.domain.decisions import GateCommand, PlantOutputs, Result
from grader.errors import BoardLost
from grader.units import Pulse
from hardware import gate_board
from hardware import protocol as wire
from hardware.chain_phase import ChainPhase
from hardware.gate_board import GateBoardSettings, SerialGateBoard, write_all


@pytest.fixture
def connected(config):
    boards = []

    def connect(path: str, phase: ChainPhase | None = None) -> SerialGateBoard:
        boards.append(SerialGateBoard(GateBoardSettings(port=path), config, SystemClock(), phase))
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


def until(board: SerialGateBoard, come: Callable[[], object], timeout_s: float = 5.0) -> None:
    """Wait for something that the board brings about; fails when it does not come."""
    deadline = time.monotonic() + timeout_s
    while not come():
        assert time.monotonic() < deadline
        board.wait(0.05)


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
    assert [(o.result, o.reason) for o in board.outcomes()] == [(Result.VOID, "the board restarted")]
    with pytest.raises(BoardLost):
        board.status()
    board.connect()
    assert board.status().boot_id > first_boot + 1
    (rephased,) = board.rephasings()  # its count was lost with its power
    assert rephased.at // 96 > outcome.open_pulse // 96 - 53 and board.pulse() >= rephased.at
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
    until(board, lambda: far.board.gates[2, 1].told_open)
    board.close()
    assert not far.board.gates[2, 1].told_open
    with pytest.raises(BoardLost, match="closed"):
        board.status()
    board.close()


def test_a_port_that_is_none_is_named(config):
    with pytest.raises(BoardLost, match="/dev/no-such-port"):
        SerialGateBoard(GateBoardSettings(port="/dev/no-such-port"), config, SystemClock())


def test_bytes_of_an_earlier_talk_that_come_late_open_no_gate(board_on_pty, connected):
    earlier = bytearray()
    far = board_on_pty(lambda data, to_board: earlier.extend(data if to_board else b"") or data)
    board = connected(far.path)
    board.submit([ahead(board, 900 + 96 * n, cup=n, lane=n % 4) for n in range(12)])
    board.wait(0.05)
    board.connect()
    late = wire.Decoder().feed(bytes(earlier))
    packers: dict[int, wire.Packer] = {}
    stale = [packers.setdefault(talk, wire.Packer(talk)).pack(one) for talk, one in late if one != wire.Reset()]
    assert sum(isinstance(one, wire.Command) for _, one in late) == 12
    port = os.open(far.path, os.O_WRONLY | os.O_NOCTTY)
    try:
        os.write(port, b"".join(stale))
    finally:
        os.close(port)
    board.submit([ahead(board, 2200, cup=99)])
    outcomes = collected(board, 13)
    assert [o.cup for o in outcomes if o.result is Result.FIRED] == [99]
    with far.lock:
        assert sum(len(far.board.movements(*gate)) for gate in far.board.gates) == 1


def test_it_connects_again_two_hundred_times_and_leaves_no_thread_and_no_file(board_on_pty, connected):
    board = connected(board_on_pty().path)
    board.connect()
    files = Path("/proc/self/fd")
    before = threading.active_count(), len(list(files.iterdir()))
    began = time.monotonic()
    boots = set()
    for _ in range(200):
        board.connect()
        boots.add(board.status().boot_id)
    assert (threading.active_count(), len(list(files.iterdir()))) == before
    assert len(boots) == 200
    assert time.monotonic() - began < 60
    board.submit([ahead(board, 400)])
    assert collected(board, 1)[0].result is Result.FIRED


def test_a_port_that_comes_back_under_another_name_is_found_by_its_link(board_on_pty, connected, tmp_path):
    far, link = board_on_pty(), Path(tmp_path, "gate-board")
    link.symlink_to(far.path)
    board = connected(str(link))
    last = board.pulse()
    far.pull_the_plug()
    with pytest.raises(BoardLost, match="cannot open"):
        board.connect()
    other = board_on_pty()
    link.unlink()
    link.symlink_to(other.path)
    board.connect()
    assert board.pulse() // 96 > last // 96  # the other board's count began at 0, the house's pulse did not
    board.submit([ahead(board, 400)])
    assert collected(board, 1)[0].result is Result.FIRED
    assert len(other.board.movements(0, 1)) == 1


def test_two_stations_do_not_talk_to_one_board(board_on_pty, connected):
    far = board_on_pty()
    board = connected(far.path)
    with pytest.raises(BoardLost, match="cannot open"):
        connected(far.path)
    assert board.status().boot_id


def test_the_index_mark_puts_the_house_into_step_and_a_slip_makes_void_what_was_sent(board_on_pty, connected):
    far, chain = board_on_pty(), 6 * 96
    far.mark_every = chain
    board = connected(far.path, ChainPhase(chain, Pulse(100_000), pulses_per_cup=96))
    if not board.status().phase_known:
        until(board, lambda: board.status().phase_known)
    board.rephasings()
    assert board.pulse() >= 100_000
    assert board.pulse_of(10_000 * chain) % chain == 0
    board.submit([ahead(board, 300)])
    assert collected(board, 1)[0].result is Result.FIRED
    triggers = board.triggers()
    assert {trigger.pulse % 48 for trigger in triggers[-4:]} == {0}

    board.submit([ahead(board, 5000)])
    last = board.pulse()
    far.mark_every = 0  # one mark shall tell of all of them, however long they take
    for _ in range(4):  # 20 pulses too many, too slowly for the board to doubt its encoder
        with far.lock:
            far.board.miscount(5)
        board.wait(0.02)
    far.mark_every = chain
    (void,) = collected(board, 1)
    assert void.result is Result.VOID
    (rephased,) = board.rephasings()
    assert rephased.slip_pulses == 20
    assert rephased.at // 96 > last // 96
    assert board.pulse() >= rephased.at
    with far.lock:
        count = far.board.count_at(Pulse(10_000 * chain))
    assert board.pulse_of(count) % chain == 0
    assert board.status().phase_known


def test_an_encoder_fault_puts_the_house_out_of_step_until_the_mark_comes_after_a_new_connection(
    board_on_pty, connected
):
    far, chain = board_on_pty(), 6 * 96
    far.mark_every = chain
    board = connected(far.path, ChainPhase(chain, pulses_per_cup=96))
    until(board, lambda: board.status().phase_known)
    with far.lock:
        far.board.miscount(-300)
        far.mark_every = 0
    until(board, lambda: board.status().encoder_fault)
    assert not board.status().phase_known
    last = board.pulse()
    board.connect()
    assert not board.status().phase_known and not board.status().encoder_fault
    far.mark_every = chain
    until(board, lambda: board.status().phase_known)
    assert board.rephasings()[-1].at // 96 > last // 96
    assert board.pulse_of(10_000 * chain - 300) % chain == 0


def test_the_plant_is_shown_what_the_station_says(board_on_pty, connected):
    far = board_on_pty()
    board = connected(far.path)
    shown = PlantOutputs(ready=True, lamps=5)
    board.show(shown)
    until(board, lambda: far.board.outputs == shown)
    with far.lock:
        far.board.outlets_full, far.board.jogging = {2, 16}, True
    until(board, lambda: board.status().jogging)
    assert board.status().outlets_full == frozenset({2, 16})
    board.close()
    time_up = time.monotonic() + 5
    while not far.board.outputs.fault:
        assert time.monotonic() < time_up
        time.sleep(0.01)


def test_a_port_that_takes_nothing_is_given_up_and_one_that_took_all_is_not(monkeypatch):
    reader, writer = os.openpty()
    os.set_blocking(writer, False)
    try:
        write_all(writer, b"all of it")
        assert os.read(reader, 100) == b"all of it"
        # A station that was stopped within its wait: the time is over, and the port has long been ready again.
        asked = iter([([], [], [])])
        plain = select.select
        monkeypatch.setattr(gate_board.select, "select", lambda *of: next(asked, None) or plain(*of))
        write_all(writer, b"and this")
        assert os.read(reader, 100) == b"and this"
        with pytest.raises(TimeoutError, match="took nothing"):
            write_all(writer, bytes(1 << 20))  # nobody reads
    finally:
        os.close(reader)
        os.close(writer)
