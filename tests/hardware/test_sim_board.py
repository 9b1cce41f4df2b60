"""The board's gates, as physical things: when they move, and how they do not flap."""

from __future__ import annotations

import pytest

from grader.units import BoardTick, Pulse
from hardware import protocol as wire
from hardware.sim.board import SimulatedBoard
from hardware.sim.gates import PhysicalGate, Step


def test_windows_of_adjacent_cups_are_one_opening(talk, command):
    talk.connect()
    talk.submit(*(command(cup, 1) for cup in (3, 1, 2)))
    talk.submit(command(5, 1))
    talk.run_to(5 * 96 + 2200)
    first, second = talk.board.movements(0, 1)
    assert first.opening == pytest.approx(1 * 96 + 1952 - 17.28, abs=1.5)
    assert first.closing == pytest.approx(3 * 96 + 2048 - 17.28, abs=1.5)
    assert second.opening == pytest.approx(5 * 96 + 1952 - 17.28, abs=1.5)
    assert [o.cup for o in talk.outcomes] == [1, 2, 3, 5]
    assert talk.outcomes[1].fired_pulse == 2 * 96 + 1952  # the gate was open already


def test_neighbours_on_other_gates_and_lanes_do_not_merge(talk, command):
    talk.connect()
    talk.submit(command(1, 1), command(2, 2), command(2, 1, lane=1))
    talk.run_to(2 * 96 + 2800)
    assert [len(talk.board.movements(lane, outlet)) for lane, outlet in ((0, 1), (0, 2), (1, 1))] == [1, 1, 1]


@pytest.mark.parametrize("pulses_per_s", [200, 1152, 1440])
def test_a_gate_is_half_way_at_the_edges_of_its_window_at_any_speed(talk, command, pulses_per_s):
    talk.pulses_per_s = pulses_per_s
    talk.connect()
    talk.submit(command(8, 1))
    talk.run_to(8 * 96 + 2200)
    (movement,) = talk.board.movements(0, 1)
    travel = 0.030 * pulses_per_s
    assert movement.opened - movement.opening == pytest.approx(travel, abs=1)
    assert (movement.opening + movement.opened) / 2 == pytest.approx(8 * 96 + 1952, abs=2)
    assert (movement.closing + movement.closed) / 2 == pytest.approx(8 * 96 + 2048, abs=2)


def test_the_movements_do_not_depend_on_how_often_the_board_is_looked_at(talk, command, config):
    seen = []
    for step_ms in (1.0, 7.0):
        one = type(talk)(config)
        one.connect()
        one.submit(*(command(cup, 1 + cup % 3) for cup in range(6)))
        while one.pulse < 6 * 96 + 3600:
            one.run_ms(step_ms, step_ms)
        seen.append([(m.opening, m.closing) for outlet in (1, 2, 3) for m in one.board.movements(0, outlet)])
    for fine, coarse in zip(*seen, strict=True):
        assert fine == pytest.approx(coarse, abs=1.5)


def test_a_command_that_comes_after_a_closed_gate_opens_it_again(talk, command):
    talk.connect()
    talk.submit(command(0, 1))
    talk.run_to(2100)
    talk.submit(command(3, 1))
    talk.run_to(2500)
    assert len(talk.board.movements(0, 1)) == 2
    assert not talk.board.gates[0, 1].told_open


def test_movements_that_are_over_can_be_forgotten(talk, command):
    talk.connect()
    talk.submit(command(0, 1), command(4, 1))
    talk.run_to(2600)
    talk.board.forget_movements(2300)
    assert [m.opening > 2300 for m in talk.board.movements(0, 1)] == [True]


def test_a_gate_closed_before_it_was_open_was_never_open():
    gate = PhysicalGate(0, 1, opening_ticks=30_000, closing_ticks=30_000)
    step = Step(0, 100, 0, 100_000)
    gate.open_at(10, step)
    gate.close_at(30, step)
    gate.settle(step)
    (movement,) = gate.movements
    assert (movement.opened, movement.closing, movement.closed) == (None, 30, 60)


def test_the_camera_is_fired_at_every_multiple_once_configured_whether_the_belt_is_said_to_run_or_coasts(config):
    board, packer = SimulatedBoard(), wire.Packer(1)
    board.advance(Pulse(500), BoardTick(1000))
    assert board.fired_triggers() == []
    board.receive(packer.pack(config))
    board.advance(Pulse(500), BoardTick(2000))
    board.advance(Pulse(600), BoardTick(80_000))
    assert [(t.number, t.pulse) for t in board.fired_triggers()] == [(0, 528), (1, 576)]
    board.belt_running = False
    board.advance(Pulse(630), BoardTick(120_000))
    board.advance(Pulse(622), BoardTick(130_000))  # it settles back
    board.belt_running = True
    board.advance(Pulse(700), BoardTick(200_000))
    assert [(t.number, t.pulse) for t in board.fired_triggers()] == [(2, 624), (3, 672)]


def test_the_same_reset_twice_is_one_and_a_new_one_is_a_new_boot(config):
    board, decoder = SimulatedBoard(boot_id=5), wire.Decoder()

    def said_after(talk: int, message: wire.Message) -> list[wire.Said]:
        board.receive(wire.Packer(talk).pack(message))
        return decoder.feed(board.advance(Pulse(0), BoardTick(0)))

    said_after(1, wire.Reset())
    assert said_after(1, wire.Reset()) == [(6, wire.Boot(wire.VERSION, 1, 5))]
    assert said_after(6, config)[0] == (6, wire.Configured(config.crc))
    assert said_after(2, wire.Reset()) == [(7, wire.Boot(wire.VERSION, 2, 5))]


def test_no_command_is_taken_before_the_configuration_nor_of_another_talk(config):
    board, decoder = SimulatedBoard(boot_id=3), wire.Decoder()

    def answers(talk: int, number: int) -> list[int]:
        board.receive(wire.Packer(talk).pack(wire.Command(number, 0, 1, 1000, 1096, 0)))
        said = decoder.feed(board.advance(Pulse(0), BoardTick(0)))
        return [one.message.answer for one in said if isinstance(one.message, wire.Answered)]

    assert answers(3, 1) == [wire.Answer.NOT_CONFIGURED]
    board.receive(wire.Packer(2).pack(config))
    assert answers(3, 2) == [wire.Answer.NOT_CONFIGURED]
    board.receive(wire.Packer(3).pack(config))
    assert answers(2, 3) == []
    assert answers(3, 3) == [wire.Answer.ACCEPTED]
