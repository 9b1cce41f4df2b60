"""The board's gates, as physical things: when they move, and how they do not flap."""

from __future__ import annotations

import msgspec
import pytest

from grader.domain.decisions import SILENT, PlantOutputs, Result
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


def told_open(talk) -> set[tuple[int, int]]:
    return {gate for gate, one in talk.board.gates.items() if one.told_open}


def ends(talk) -> dict[int, tuple[Result, str]]:
    """Per cup what became of its command, the pulse of a cut left out."""
    return {o.cup: (o.result, o.reason.split(" at pulse")[0]) for o in talk.outcomes}


def test_a_belt_stop_closes_what_is_open_and_what_has_not_opened_fires_when_the_belt_goes_on(talk, command):
    talk.connect()
    talk.submit(command(0, 1), command(1, 1), command(3, 1))
    talk.run_to(1960)
    talk.board.belt_running = False
    talk.run_ms(3000)
    assert told_open(talk) == set()
    assert talk.session.status().belt_running is False
    assert not talk.session.status().encoder_fault
    talk.board.belt_running = True
    talk.run_to(2500)
    assert ends(talk) == {0: (Result.VOID, "belt stopped"), 1: (Result.FIRED, ""), 3: (Result.FIRED, "")}
    assert [round(m.opening) for m in talk.board.movements(0, 1)[1:]] == pytest.approx([2048, 2223], abs=19)


def test_a_window_that_a_stopping_belt_coasts_past_is_void_and_never_opens_late(talk, command):
    talk.connect()
    talk.submit(command(0, 1), command(2, 1))
    talk.run_to(1800)
    talk.board.belt_running = False
    for _ in range(200):
        talk.pulse += 1.0
        talk.run_ms(1)
    assert talk.board.movements(0, 1) == []
    talk.board.belt_running = True
    talk.run_to(2400)
    assert ends(talk) == {0: (Result.VOID, "belt stopped"), 2: (Result.FIRED, "")}


def test_gates_stay_closed_while_the_belt_is_jogged_and_what_lies_ahead_stays_pending(talk, command):
    talk.connect()
    talk.submit(*(command(cup, 1) for cup in (0, 2, 6)))
    talk.run_to(1960)
    talk.board.jogging = True
    talk.pulses_per_s = 100
    talk.run_to(2250)
    assert talk.session.status().jogging
    assert len(talk.board.movements(0, 1)) == 1 and told_open(talk) == set()
    talk.board.jogging, talk.pulses_per_s = False, 1152
    talk.run_to(2800)
    assert ends(talk) == {0: (Result.VOID, "jogged"), 2: (Result.VOID, "jogged"), 6: (Result.FIRED, "")}


def test_an_outlet_that_is_full_opens_nothing_and_its_open_gate_closes(talk, command):
    talk.connect()
    talk.submit(*(command(cup, 1, lane) for cup in (0, 1, 3) for lane in (0, 1)), command(5, 2))
    talk.run_to(1960)
    talk.board.outlets_full = {1}
    talk.run_ms(30)
    assert told_open(talk) == set()
    assert talk.session.status().outlets_full == frozenset({1})
    talk.run_to(2150)
    talk.board.outlets_full = set()
    talk.run_to(5 * 96 + 2700)
    full, fired = (Result.VOID, "outlet full"), (Result.FIRED, "")
    assert ends(talk) == {0: full, 1: full, 3: fired, 5: fired}
    assert len(talk.outcomes) == 7


def test_emergency_stop_voids_everything_and_refuses_commands_while_it_is_pressed(talk, command):
    talk.connect()
    talk.submit(command(0, 1), command(0, 2))
    talk.run_to(1960)
    talk.board.emergency_stop = True
    talk.run_ms(20)
    assert told_open(talk) == set()
    assert [o.reason.split(" at")[0] for o in talk.outcomes] == ["emergency stop"] * 2
    talk.submit(command(5, 1))
    talk.run_ms(20)
    talk.board.emergency_stop = False
    talk.submit(command(6, 1))
    talk.run_to(6 * 96 + 2200)
    assert ends(talk)[5] == (Result.REFUSED, "not running")
    assert ends(talk)[6] == (Result.FIRED, "")


@pytest.mark.parametrize("pulses", [60, -60, 5000])
def test_an_encoder_that_jumps_or_runs_back_shuts_the_gates_until_a_reset(talk, command, pulses):
    talk.connect()
    talk.board.index_passed(Pulse(int(talk.pulse)))
    talk.submit(command(0, 1), command(2, 1))
    talk.run_to(1960)
    talk.board.miscount(pulses)
    talk.run_ms(20)
    assert told_open(talk) == set()
    assert [o.reason.split(" at")[0] for o in talk.outcomes] == ["encoder", "encoder"]
    assert talk.session.status().encoder_fault
    exposures = len(talk.triggers)
    talk.submit(command(9, 1))
    talk.run_ms(200)
    assert ends(talk)[9] == (Result.REFUSED, "encoder fault")
    assert len(talk.triggers) == exposures
    before = talk.session.counts
    talk.connect(nonce=8)
    assert not talk.session.status().encoder_fault
    assert talk.session.counts == before + 1 and talk.session.latest_mark is None
    mark = Pulse(int(talk.pulse))
    talk.board.index_passed(mark)
    talk.submit(command(20, 1))
    talk.run_to(20 * 96 + 2200)
    assert talk.session.latest_mark == mark + pulses
    assert ends(talk)[20] == (Result.FIRED, "")


def test_an_encoder_that_counts_every_pulse_three_times_is_no_belt(talk):
    talk.connect()
    talk.pulses_per_s *= 3
    talk.run_ms(80)
    assert talk.session.status().encoder_fault


def test_a_belt_that_runs_without_a_pulse_has_lost_its_encoder_and_one_that_stands_has_not(talk):
    talk.connect()
    talk.board.belt_running = False
    talk.run_ms(3000)
    talk.board.belt_running, talk.pulses_per_s = True, 0
    talk.run_ms(900)
    assert not talk.session.status().encoder_fault
    talk.run_ms(200)
    assert talk.session.status().encoder_fault


@pytest.mark.parametrize("pulses_per_s", [400, 1152, 1440])
def test_a_gate_that_is_open_when_the_encoder_falls_silent_closes_before_the_next_cup_comes(
    talk, command, pulses_per_s
):
    talk.pulses_per_s = pulses_per_s
    talk.connect()
    talk.submit(command(8, 1))
    talk.run_to(8 * 96 + 2000)  # the cup is at the gate
    silent_from = talk.pulse
    belt_goes_on = pulses_per_s / 1000
    talk.pulses_per_s = 0
    while talk.board.movements(0, 1)[0].closing is None:
        talk.run_ms(1)
        silent_from += belt_goes_on
    assert silent_from < 9 * 96 + 2000 - 20  # the lever of the next
    assert talk.outcomes[-1].reason.startswith("encoder")


def test_a_belt_that_settles_back_a_little_is_sound_and_fires_no_exposure_twice(talk, command):
    talk.connect()
    talk.submit(command(0, 2))
    talk.run_to(1969)
    talk.board.belt_running = False
    talk.pulse -= 9
    talk.run_ms(50)
    talk.board.belt_running = True
    talk.run_to(2700)
    assert not talk.session.status().encoder_fault
    assert [t.number for t in talk.triggers] == list(range(len(talk.triggers)))
    assert ends(talk) == {0: (Result.FIRED, "")}


def test_the_plant_is_shown_what_the_station_says_and_a_fault_when_it_is_silent(talk):
    assert talk.board.outputs == SILENT
    talk.connect()
    shown = PlantOutputs(ready=True, lamps=0b100101)
    talk.session.show(shown)
    talk.run_ms(20)
    assert talk.board.outputs == shown
    talk.to_board = lambda data: b""
    talk.run_ms(195)
    assert talk.board.outputs == shown
    talk.run_ms(25)
    assert talk.board.outputs == SILENT
    talk.to_board = bytes
    talk.run_ms(20)
    assert talk.board.outputs == shown
    talk.board.restart()
    assert talk.board.outputs == SILENT


def test_gates_are_all_the_way_closed_a_quarter_of_a_second_after_the_station_fell_silent(talk, command):
    talk.connect()
    talk.submit(msgspec.structs.replace(command(0, 1), close_pulse=Pulse(9000)))
    talk.run_to(1990)
    silent_from = talk.ms
    talk.to_board = lambda data: b""
    while talk.board.gates[0, 1].told_open or talk.board.movements(0, 1)[0].closed is None:
        talk.run_ms(1)
    assert 200 < talk.ms - silent_from < 250


def test_gates_of_their_own_travel_times_are_half_way_at_the_edge_too(config):
    slow = type(config)(**{**{f: getattr(config, f) for f in config.__struct_fields__}, "unlike": ((1, 3, 600, 100),)})
    assert (slow.travel(1, 3), slow.travel(1, 2)) == ((600, 100), (300, 300))
    board = SimulatedBoard()
    board.receive(wire.Packer(1).pack(slow))
    assert (board.gates[1, 3].opening_ticks, board.gates[1, 3].closing_ticks) == (60_000, 10_000)
