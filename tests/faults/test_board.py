"""A gate board that refuses, is silent, starts anew, lies, or cannot be reached: what was pending is void, gates close.

What truly happened is the line's own record of its gates.
"""

from __future__ import annotations

import pytest
from rig import PULSES_PER_S, Floor, StationProcess, until

from grader.domain.decisions import Result
from grader.domain.orders import Done, Refused
from grader.domain.snapshot import FindingKind, State
from hardware.sim.faults import FaultKind

CLOSED_S, CLOSING_S = 0.3, 0.03
"""Gates are closed 250 ms after the board has heard its station last: 200 ms of silence, and what it takes to close.
The line looks at its clock every 5 ms, and on a busy machine up to 50 ms later."""


def pending_are_void(floor: Floor, known: int, reason: str) -> None:
    """Of the outcomes after those known: some are void for this reason. And each command has one ending."""
    void = until(
        lambda: [each for each in floor.outcomes(known) if each.result is Result.VOID], "what was pending is void"
    )
    assert [each for each in void if reason in each.reason], {each.reason for each in void}
    outcomes = floor.outcomes()
    assert len({(each.lane, each.cup) for each in outcomes}) == len(outcomes)


@pytest.mark.parametrize("kind", [FaultKind.BOARD_SILENT, FaultKind.PORT_PULLED])
def test_a_board_that_is_not_heard_closes_its_gates_by_itself_and_fires_nothing_that_was_sent_before(
    station: StationProcess, floor: Floor, kind: FaultKind
) -> None:
    station.until_sorting()
    known = len(floor.outcomes())
    cut = floor.happens(kind, for_s=3600).pulse
    reason = station.until_faulted()
    assert "no heartbeat" in reason or "board.port" in reason
    refused = station.reset()
    assert isinstance(refused, Refused)
    assert "still not well" in refused.why
    mended = floor.mend().pulse
    assert station.shown().state is State.FAULTED  # what comes back is no permission
    assert station.reset() == Done()
    station.until_sorting()
    pending_are_void(floor, known, reason.removeprefix("gate board: "))
    closings = [each.closing for each in floor.openings_between(cut - PULSES_PER_S, mended) if each.closing > cut]
    assert closings, "no gate was open"
    assert max(closings) - cut + CLOSING_S * PULSES_PER_S < CLOSED_S * PULSES_PER_S


def test_a_board_that_starts_anew_by_itself_has_forgotten_its_commands_and_is_used_after_a_reset_only(
    station: StationProcess, floor: Floor
) -> None:
    known = len(floor.outcomes())
    floor.happens(FaultKind.BOARD_RESTARTS)
    assert "the board restarted" in station.until_faulted()
    pending_are_void(floor, known, "restarted")
    assert station.reset() == Done()
    station.until_not_found(FindingKind.NOT_PHASED)
    station.until_sorting()


def test_a_board_that_says_what_cannot_be_is_not_believed(station: StationProcess, floor: Floor) -> None:
    known = len(floor.outcomes())
    with floor.broken(FaultKind.BOARD_LIES, pulses=400):
        assert "cannot be" in station.until_faulted()
    pending_are_void(floor, known, "cannot be")
    assert station.reset() == Done()
    station.until_not_found(FindingKind.NOT_PHASED)
    station.until_sorting()


def test_a_board_that_refuses_is_written_down_fruit_by_fruit_and_shown(station: StationProcess, floor: Floor) -> None:
    before, known = station.shown().refused, len(floor.outcomes())
    with floor.broken(FaultKind.BOARD_REFUSES):
        until(lambda: station.shown().refused > before + 20, "refused commands are counted")
        station.until_found(FindingKind.REFUSED)
    refused = [each for each in floor.outcomes(known) if each.result is Result.REFUSED]
    assert {each.reason for each in refused} == {"queue full"}
    station.until_sorting()


def test_a_cable_that_damages_one_byte_in_a_hundred_costs_no_fruit_its_outlet_and_is_told(
    station: StationProcess, floor: Floor
) -> None:
    known = len(floor.outcomes())
    with floor.broken(FaultKind.SERIAL_NOISE, share=0.01):
        station.until_found(FindingKind.BOARD_LINK)
        until(lambda: len(floor.outcomes(known)) > 40, "gates that fired by that cable")
        assert station.shown().state is State.RUNNING
    station.until_sorting()
    fired = [each for each in floor.outcomes(known) if each.result is Result.FIRED]
    assert len(fired) > 0.97 * len(floor.outcomes(known))
