"""Scales and spectrometers that say nothing, or nothing that can be: no value, never one that looks fine."""

from __future__ import annotations

import pytest
from rig import Floor, StationProcess, flagged, until

from grader.domain.events import EventKind
from grader.domain.flags import Flag
from grader.domain.snapshot import FindingKind, State
from hardware.sim.faults import FaultKind


@pytest.mark.parametrize(
    ("kind", "flag"),
    [
        (FaultKind.SPECTRUM_DARK, Flag.SPECTRUM_DARK),
        (FaultKind.SPECTRUM_SATURATED, Flag.SPECTRUM_SATURATED),
        (FaultKind.SPECTROMETER_SILENT, Flag.NO_SPECTRUM),
    ],
)
def test_fruit_without_a_good_spectrum_have_no_sugar_value_and_go_where_the_sheet_sends_those(
    station: StationProcess, floor: Floor, kind: FaultKind, flag: Flag
) -> None:
    cup = floor.next_cup()
    with floor.broken(kind):
        until(lambda: len(flagged(floor.fruit(cup), flag)) >= 10, "fruit with the flag")
    said = flagged(floor.fruit(cup), flag)
    assert {record.values["ssc_brix"] for record in said} == {None}
    assert {record.outlet for record in said if not record.flags & Flag.FEW_VIEWS} == {3}
    until(lambda: not floor.fruit(cup)[-1].flags & flag, "fruit without the flag")


def test_a_silent_scale_degrades_its_own_lane_which_says_so_and_weighs_again_by_itself(
    station: StationProcess, floor: Floor
) -> None:
    station.until_not_found(FindingKind.NO_WEIGHT)  # of an earlier test
    cup, told = floor.next_cup(), len(floor.events(EventKind.DEGRADED))
    with floor.broken(FaultKind.SCALE_SILENT, lane=0):
        station.until_found(FindingKind.NO_WEIGHT)
        assert station.found(FindingKind.NO_WEIGHT) == [0]
    said = flagged(floor.fruit(cup), Flag.NO_WEIGHT)
    assert {record.lane for record in said} == {0}
    assert {record.values["mass_g"] for record in said} == {None}
    assert any(record.outlet for record in said)  # this sheet does not ask for a weight
    until(lambda: [each for each in floor.fruit(cup) if each.lane == 0][-1].values["mass_g"], "a weight again")
    (event,) = [each.event for each in floor.events(EventKind.DEGRADED, after=told) if "no weight" in each.event.text]
    assert event.lane == 0


def test_a_scale_that_says_the_same_of_every_cup_weighs_nothing_and_is_told(
    station: StationProcess, floor: Floor
) -> None:
    cup = floor.next_cup()
    with floor.broken(FaultKind.SCALE_STUCK, lane=1):
        station.until_found(FindingKind.SCALE_FROZEN)
        assert station.found(FindingKind.SCALE_FROZEN) == [1]
        until(lambda: len(flagged(floor.fruit(cup), Flag.BAD_WEIGHT)) >= 12, "fruit with the flag")
    said = flagged(floor.fruit(cup), Flag.BAD_WEIGHT)
    assert {record.lane for record in said} == {1}
    assert {record.values["mass_g"] for record in said} == {None}
    until(lambda: [each for each in floor.fruit(cup) if each.lane == 1][-1].values["mass_g"], "a weight again")
    station.until_not_found(FindingKind.SCALE_FROZEN)


def test_sensors_whose_connection_is_gone_are_heard_again_when_it_is_back(
    station: StationProcess, floor: Floor
) -> None:
    cup = floor.next_cup()
    neither = Flag.NO_WEIGHT | Flag.NO_SPECTRUM
    with floor.broken(FaultKind.SENSORS_GONE):
        station.until_found(FindingKind.SENSORS)
        until(lambda: [each for each in floor.fruit(cup) if each.flags & neither == neither], "fruit without both")
        assert station.shown().state is State.RUNNING
    station.until_not_found(FindingKind.SENSORS)
    until(lambda: not floor.fruit(cup)[-1].flags & neither, "fruit that are weighed and looked into")
