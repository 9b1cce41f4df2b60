"""The referee goes by what gates did: each fruit lands exactly once, where an open gate took it."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from grader.domain.installation import Gates, Line
from grader.errors import BadFile
from hardware.sim.gates import GateMovement
from hardware.sim.referee import Landing, Referee
from hardware.sim.referee_log import REFEREE_LOG, Began, Opening, RefereeLog, RefereeReader

LINE = Line(lanes=2, pulses_per_cup=96, mm_per_pulse=1.0, cups_per_second=12.0)
GATES = Gates(outlets=3)
END = 2000 + 3 * 600


def open_for(cup: int, outlet: int, lane: int = 0, *, before: float = 20, after: float = 20) -> GateMovement:
    """A gate all the way open from so many pulses before a cup's centre to so many after."""
    centre = cup * 96 + GATES.position_mm(outlet)
    opened, closing = centre - before, centre + after
    return GateMovement(lane, outlet, opened - 10, opened, closing, closing + 10)


def judged(*movements: GateMovement, cups: int = 6, fruit=lambda lane, cup: lane == 0) -> dict[int, Landing]:
    def of_gate(lane: int, outlet: int) -> list[GateMovement]:
        return [m for m in movements if (m.lane, m.outlet) == (lane, outlet)]

    referee = Referee(LINE, GATES, lambda lane, cup: cup < cups and fruit(lane, cup), of_gate)
    landings = [landing for pulse in range(0, cups * 96 + END, 37) for landing in referee.judge(pulse)]
    assert referee.entered == referee.landed == len(landings)
    assert referee.riding == 0
    return {landing.cup: landing for landing in landings}


def test_without_gates_everything_runs_off_the_end():
    assert {landing.outlet for landing in judged().values()} == {0}


def test_a_gate_open_for_the_whole_lever_takes_its_fruit_and_no_other():
    landings = judged(open_for(2, 3))
    assert {cup: landing.outlet for cup, landing in landings.items()} == {0: 0, 1: 0, 2: 3, 3: 0, 4: 0, 5: 0}
    assert not any(landing.struck for landing in landings.values())


@pytest.mark.parametrize("edge", [{"before": 19}, {"after": 19}])
def test_a_gate_open_for_a_part_only_strikes_and_the_fruit_rides_on(edge):
    landing = judged(open_for(2, 1, **edge))[2]
    assert (landing.outlet, landing.struck) == (0, True)


def test_a_fruit_that_one_gate_struck_can_leave_by_the_next():
    landing = judged(open_for(2, 1, before=5), open_for(2, 2))[2]
    assert (landing.outlet, landing.struck) == (2, True)


def test_a_gate_of_another_lane_takes_nothing():
    assert judged(open_for(2, 1, lane=1))[2].outlet == 0


def test_a_gate_that_stays_open_takes_all_that_come():
    movement = open_for(1, 2)
    movement.closing = movement.closed = None
    assert [landing.outlet for landing in judged(movement).values()].count(2) == 5


def test_every_fruit_lands_exactly_once_whatever_the_gates_do():
    rng = random.Random(4)
    movements = []
    for lane in range(2):
        for outlet in range(1, 4):
            at = 1500.0
            while at < 90 * 96 + END:
                opening = at + rng.expovariate(1 / 150)
                opened, closing = opening + 35, opening + 35 + rng.expovariate(1 / 80)
                at = closing + 35
                movements.append(GateMovement(lane, outlet, opening, opened, closing, at))

    def of_gate(lane: int, outlet: int) -> list[GateMovement]:
        return [m for m in movements if (m.lane, m.outlet) == (lane, outlet)]

    fruit = {(lane, cup) for lane in range(2) for cup in range(90) if rng.random() < 0.8}
    referee = Referee(LINE, GATES, lambda lane, cup: (lane, cup) in fruit, of_gate)
    landings, pulse = [], 0.0
    while referee.settled_cup < 90:
        pulse += rng.uniform(0, 300)
        landings += referee.judge(pulse)
        assert referee.entered == referee.landed + referee.riding
    assert sorted((landing.lane, landing.cup) for landing in landings) == sorted(fruit)
    assert {landing.outlet for landing in landings} == {0, 1, 2, 3}


def test_no_fruit_is_struck_at_full_speed_by_the_reference_gates(talk, command):
    """15 cups/s, 30 ms of travel, every second cup out: the gates stay clear of all neighbours."""
    talk.pulses_per_s = 1440
    talk.connect()
    referee = Referee(LINE, Gates(), lambda lane, cup: lane == 0 and cup < 30, talk.board.movements)
    landings = []
    for cup in range(0, 30, 2):
        talk.run_to(cup * 96 + 1500)
        talk.submit(command(cup, 1 + cup % 8))
        landings += referee.judge(talk.pulse)
    while referee.settled_cup < 30:
        talk.run_ms(5)
        landings += referee.judge(talk.pulse)
    assert {landing.cup: landing.outlet for landing in landings} == {
        cup: 0 if cup % 2 else 1 + cup % 8 for cup in range(30)
    }
    assert not any(landing.struck for landing in landings)


def test_a_line_of_the_log_that_a_power_cut_has_torn_is_left_out_and_nothing_else_is_forgiven(tmp_path: Path) -> None:
    first = RefereeLog(tmp_path)
    first.add([Began(wall_s=1.0), Opening(lane=0, outlet=1, opening=1.0, closing=2.0)])
    first.close()
    with (tmp_path / REFEREE_LOG).open("ab") as log:
        log.write(b'{"type":"Opening","lane":0,"out')
    second = RefereeLog(tmp_path)
    reader = RefereeReader(tmp_path)
    before = reader.news()
    second.add([Began(wall_s=3.0)])
    second.close()
    assert [type(entry).__name__ for entry in (*before, *reader.news())] == ["Began", "Opening", "Began"]
    assert reader.news() == []
    reader.close()
    (tmp_path / REFEREE_LOG).write_bytes(b"{}\n{}\n" + (tmp_path / REFEREE_LOG).read_bytes())
    reader = RefereeReader(tmp_path)
    with pytest.raises(BadFile, match="is not a referee's log"):
        reader.news()
    reader.close()
