"""An encoder that is not to be believed: what it said of the belt is void, and serials never come twice."""

from __future__ import annotations

from collections import Counter

import pytest
from rig import PULSES_PER_CUP, Floor, StationProcess, flagged, until

from grader.domain.decisions import Result
from grader.domain.events import EventKind
from grader.domain.flags import Flag
from grader.domain.orders import Done
from grader.domain.snapshot import FindingKind, State
from hardware.sim.faults import FaultKind


@pytest.mark.parametrize(
    ("kind", "pulses"),
    [(FaultKind.ENCODER_JUMPS, 5000), (FaultKind.ENCODER_JUMPS, -400), (FaultKind.ENCODER_SILENT, 0)],
    ids=["jumps", "runs back", "is silent"],
)
def test_an_encoder_that_lies_faults_the_station_until_a_reset_and_serials_go_on_in_step_with_the_chain(
    station: StationProcess, floor: Floor, kind: FaultKind, pulses: int
) -> None:
    rephased = len(floor.events(EventKind.REPHASED))
    if kind is FaultKind.ENCODER_SILENT:
        with floor.broken(kind):
            reason = station.until_faulted()
    else:
        floor.happens(kind, pulses=pulses)
        reason = station.until_faulted()
    assert "encoder" in reason
    until(lambda: station.shown().board is not None and station.shown().board.gates_open == 0, "gates are closed")
    before = floor.next_cup()
    assert station.reset() == Done()
    station.until_found(FindingKind.NOT_PHASED)
    station.until_not_found(FindingKind.NOT_PHASED)
    station.until_sorting()
    events = floor.events(EventKind.REPHASED, after=rephased)
    assert events
    assert min(record.cup for record in floor.fruit() if record.cup >= before) >= before
    twice = [place for place, count in Counter((each.lane, each.cup) for each in floor.fruit()).items() if count > 1]
    assert twice == []


def test_pulses_that_were_lost_few_by_few_are_found_at_the_index_mark_and_what_was_on_the_belt_is_void(
    station: StationProcess, floor: Floor
) -> None:
    rephased, cup, known = len(floor.events(EventKind.REPHASED)), floor.next_cup(), len(floor.outcomes())
    for _ in range(3):  # each no more than a belt may settle back: the board believes it
        floor.happens(FaultKind.ENCODER_JUMPS, pulses=-9, at_s=0.1)
    (told,) = until(lambda: floor.events(EventKind.REPHASED, after=rephased), "the mark was not where it should be")
    assert "(-27 pulses off)" in told.event.text
    assert station.shown().state is State.RUNNING
    station.until_sorting()
    assert {each.result for each in floor.outcomes(known)} <= {Result.FIRED, Result.VOID}
    new = told.event.values["at_pulse"] // PULSES_PER_CUP
    seen_before = flagged([record for record in floor.fruit(cup) if record.cup < new], Flag.PULSE_JUMP)
    assert seen_before
    assert {record.outlet for record in seen_before} == {0}
