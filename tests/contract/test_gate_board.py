"""What every gate board promises (`grader.ports.GateBoard`, `Encoder`), asked of each that the project has."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from grader.clock import SystemClock
from grader.domain.decisions import SILENT, GateCommand, GateOutcome, PlantOutputs, Result
from grader.errors import BoardLost
from grader.ports import Encoder, GateBoard
from grader.units import Pulse
from hardware.gate_board import GateBoardSettings, SerialGateBoard, board_configuration
from hardware.sim.bare_line import BareLine, prepare_bare_line
from hardware.sim.live import LiveLine, start_live_line


@pytest.fixture(scope="module")
def live() -> Iterator[LiveLine]:
    settings = BareLine(lanes=2, cups_per_second=15.0)
    with start_live_line(settings, prepare=prepare_bare_line, installation=settings.installation) as live:
        live.wait_ready(30)
        live.start_belt()
        yield live


def serial_board_of_the_live_line(live: LiveLine) -> SerialGateBoard:
    installation = BareLine().installation
    config = board_configuration(installation.line, installation.gates, pulses_per_frame=48)
    return SerialGateBoard(GateBoardSettings(port=live.port), config, SystemClock())


@pytest.fixture(params=[serial_board_of_the_live_line])
def board(request: pytest.FixtureRequest, live: LiveLine) -> Iterator[SerialGateBoard]:
    board = request.param(live)
    yield board
    board.close()


def window(board: Encoder, ahead: int, *, cup: int = 0, lane: int = 0, outlet: int = 1) -> GateCommand:
    opening = board.pulse() + ahead
    return GateCommand(lane=lane, cup=cup, outlet=outlet, open_pulse=Pulse(opening), close_pulse=Pulse(opening + 96))


def outcomes_of(board: GateBoard, count: int) -> list[GateOutcome]:
    came: list[GateOutcome] = []
    deadline = time.monotonic() + 10
    while len(came) < count:
        assert time.monotonic() < deadline, f"{len(came)} of {count} outcomes"
        time.sleep(0.005)
        came += board.outcomes()
    return came


def test_every_command_has_exactly_one_outcome_with_its_own_cup(board):
    commands = [window(board, 400 + 96 * n, cup=n, lane=n % 2, outlet=1 + n % 4) for n in range(12)]
    board.submit(commands)
    came = outcomes_of(board, 12)
    assert sorted((o.lane, o.cup, o.outlet, o.open_pulse) for o in came) == sorted(
        (c.lane, c.cup, c.outlet, c.open_pulse) for c in commands
    )
    assert {o.result for o in came} == {Result.FIRED}
    assert all(abs(o.fired_pulse - o.open_pulse) <= 48 for o in came)
    assert board.outcomes() == []


def test_a_command_without_its_lead_is_refused_with_a_reason_and_opens_nothing(board):
    board.submit([window(board, 10)])
    (outcome,) = outcomes_of(board, 1)
    assert (outcome.result, outcome.fired_pulse) == (Result.REFUSED, None)
    assert outcome.reason


def test_a_gate_that_is_not_there_is_refused(board):
    board.submit([window(board, 500, lane=77), window(board, 500, outlet=99), window(board, 500, outlet=0)])
    assert {o.result for o in outcomes_of(board, 3)} == {Result.REFUSED}


def test_close_all_voids_what_is_pending_and_may_come_at_any_time(board):
    board.close_all()
    board.submit([window(board, 20_000, cup=n) for n in range(5)])
    board.close_all()
    board.close_all()
    assert [o.result for o in outcomes_of(board, 5)] == [Result.VOID] * 5
    board.submit([window(board, 400)])
    assert outcomes_of(board, 1)[0].result is Result.FIRED


def test_the_status_is_of_a_live_board_and_the_belt_moves_on(board):
    status, pulse = board.status(), board.pulse()
    assert status.boot_id > 0
    deadline = time.monotonic() + 5
    while board.pulse() < pulse + 200 or board.status().pulse == status.pulse:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert board.status().boot_id == status.boot_id
    assert board.status().belt_running
    assert board.status().phase_known  # a chain without a mark
    assert not (board.status().emergency_stop or board.status().jogging or board.status().encoder_fault)
    assert board.status().outlets_full == frozenset()
    assert board.rephasings() == []


def test_the_plant_may_be_shown_anything_at_any_time(board):
    for outputs in (PlantOutputs(ready=True, lamps=63), SILENT):
        board.show(outputs)
    board.close()
    board.show(SILENT)


def test_a_closed_board_is_lost_and_closing_again_does_nothing(board):
    board.submit([window(board, 20_000)])
    board.close()
    board.close()
    board.close_all()
    assert [o.result for o in board.outcomes()] == [Result.VOID]
    for ask in (board.status, lambda: board.submit([window(board, 500)])):
        with pytest.raises(BoardLost):
            ask()


def test_nothing_to_submit_is_nothing_sent(board):
    board.submit([])
    assert board.outcomes() == []
