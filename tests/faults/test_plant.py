"""What the plant does: it stops the belt, jogs it, presses the emergency stop, fills an outlet."""

from __future__ import annotations

from collections.abc import Callable

from rig import LANES, PULSES_PER_CUP, PULSES_PER_S, Floor, StationProcess, flagged, until

from grader.domain.decisions import Result
from grader.domain.events import EventKind
from grader.domain.flags import Flag
from grader.domain.orders import Done, OpenLot, Refused
from grader.domain.snapshot import FindingKind, State
from hardware.sim.faults import FaultKind
from hardware.sim.referee_log import Opening

GAP_CUPS = 20
"""So many empty cups in a row are a gap."""
AT_ONCE_S = 0.02
"""The line looks at what happened every 5 ms, and on a busy machine a little later."""


def test_nothing_is_late_that_did_not_move_and_gates_close_when_the_belt_stops(
    station: StationProcess, floor: Floor
) -> None:
    late, known = station.shown().late, len(floor.outcomes())
    with floor.broken(FaultKind.BELT_STOPS):
        station.until_found(FindingKind.BELT_STOPPED)
        until(lambda: station.shown().board.gates_open == 0, "gates are closed")
        assert station.shown().state is State.RUNNING
    station.until_not_found(FindingKind.BELT_STOPPED)
    station.until_sorting()
    assert station.shown().late == late
    told = [each.event.text for each in floor.events(EventKind.PLANT)]
    assert told[-2:] == ["the belt stopped", "the belt runs"]
    assert {each.result for each in floor.outcomes(known)} <= {Result.FIRED, Result.VOID}


def test_fruit_of_a_jogged_belt_go_to_the_default_outlet_past_closed_gates(
    station: StationProcess, floor: Floor
) -> None:
    cup = floor.next_cup()
    with floor.broken(FaultKind.BELT_JOGS) as jogged:
        station.until_found(FindingKind.BELT_JOGGED)
        until(lambda: flagged(floor.fruit(cup), Flag.GATES_SHUT), "fruit that were decided meanwhile", 30)
        jogged_to = floor.happens(FaultKind.FRAMES_LOST, frames=0).pulse  # nothing happens: where the belt is
    assert {record.outlet for record in flagged(floor.fruit(cup), Flag.GATES_SHUT)} == {0}
    station.until_not_found(FindingKind.BELT_JOGGED)
    station.until_sorting()
    assert floor.openings_between(jogged.pulse + AT_ONCE_S * PULSES_PER_S, jogged_to) == []


def test_an_emergency_stop_closes_the_gates_that_are_open_and_has_to_be_released_and_reset(
    station: StationProcess, floor: Floor
) -> None:
    known, open_then = len(floor.outcomes()), list[Opening]()
    while not open_then:  # pressed blindly, it meets an open gate four times in five
        with floor.broken(FaultKind.EMERGENCY_STOP) as pressed:
            assert "emergency stop" in station.until_faulted()
            until(lambda: station.shown().board.gates_open == 0, "gates are closed")
            refused = station.reset()
            assert isinstance(refused, Refused)
            assert "release it" in refused.why
            assert station.shown().state is State.FAULTED
        assert station.shown().state is State.FAULTED
        assert station.reset() == Done()
        station.until_sorting()
        before = floor.openings_between(pressed.pulse - PULSES_PER_S, pressed.pulse)
        open_then = [each for each in before if each.closing >= pressed.pulse]
    assert max(each.closing for each in open_then) <= pressed.pulse + AT_ONCE_S * PULSES_PER_S
    assert Result.LATE not in {each.result for each in floor.outcomes(known)}
    assert "the emergency stop is pressed" in [each.event.text for each in floor.events(EventKind.PLANT)]


def test_what_a_full_outlet_cannot_take_goes_to_the_other_outlet_of_its_product_then_to_the_default(
    station: StationProcess, floor: Floor
) -> None:
    known = len(floor.outcomes())
    with floor.broken(FaultKind.OUTLET_FULL, outlet=1) as full:
        until(lambda: station.found(FindingKind.OUTLET_FULL) == [1], "an operator sees it")
        cup = floor.next_cup() + 1
        until(lambda: len(floor.fruit(cup)) > 16, "fruit that were decided meanwhile")
        assert {record.outlet for record in floor.fruit(cup) if record.grade == "Sweet"} == {2}
        floor.happens(FaultKind.OUTLET_FULL, outlet=2, for_s=3600)
        until(lambda: sorted(station.found(FindingKind.OUTLET_FULL)) == [1, 2], "an operator sees it")
        cup = floor.next_cup() + 1
        until(lambda: len(floor.fruit(cup)) > 16, "fruit that were decided meanwhile")
        assert {record.outlet for record in floor.fruit(cup) if record.grade == "Sweet"} == {0}
    floor.news()  # of the other
    until(lambda: not station.found(FindingKind.OUTLET_FULL), "there is room again")
    station.until_sorting()
    void = [each for each in floor.outcomes(known) if each.outlet == 1 and each.result is Result.VOID]
    assert {each.reason.split(" at ")[0] for each in void} == {"outlet full"}
    assert floor.openings_between(full.pulse, full.pulse + 2 * PULSES_PER_S, outlet=1) == []


def test_a_lot_that_waits_begins_behind_the_gap_in_every_lane_and_both_growers_fruit_are_on_the_belt(
    own_floor: Floor, station_on: Callable[..., StationProcess]
) -> None:
    station = station_on(own_floor, "--lot", "17", "--grower", "Li")
    station.until_sorting()
    assert station.give(OpenLot(name="18", grower="Wang")) == Done()
    station.until_found(FindingKind.LOT_WAITS)
    gap = own_floor.happens(FaultKind.FEED_STOPS, for_s=3.0)
    until(lambda: {lot.name for lot in station.shown().lots} == {"17", "18"}, "both are on the belt")
    until(lambda: {record.lane for record in own_floor.fruit() if record.lot == "18"} == set(range(LANES)), "the next")
    station.until_not_found(FindingKind.LOT_WAITS)
    until(lambda: {lot.name for lot in station.shown().lots} == {"18"}, "the first has left the belt")
    for lane in range(LANES):
        lots = {lot: [r.cup for r in own_floor.fruit() if (r.lane, r.lot) == (lane, lot)] for lot in ("17", "18")}
        assert min(lots["18"]) - max(lots["17"]) > GAP_CUPS
        assert max(lots["17"]) <= gap.pulse // PULSES_PER_CUP + 2
    verdict = own_floor.verdict()
    assert (verdict.landed, verdict.misses, verdict.unasked) == (verdict.as_decided, [], 0)
    assert {record.lot for record in own_floor.fruit()} == {"17", "18"}
