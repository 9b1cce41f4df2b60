"""Pictures that do not come, or not as they should; a camera that falls silent or is gone."""

from __future__ import annotations

import pytest
from rig import Floor, StationProcess, flagged, until

from grader.domain.events import EventKind
from grader.domain.flags import Flag
from grader.domain.orders import Done, Refused
from grader.domain.snapshot import FindingKind, State
from hardware.sim.faults import FaultKind

NOT_ALL_SEEN = Flag.FRAME_LOST | Flag.FRAME_REPEATED | Flag.FRAME_DAMAGED | Flag.FRAME_OUT_OF_ORDER


def cup_after_clean_ones(floor: Floor) -> int:
    """The next, once nothing is in the picture any more that an earlier test has done something to."""
    until(lambda: not flagged(floor.fruit(floor.next_cup() - 12), NOT_ALL_SEEN), "fruit that were seen as they should")
    return floor.next_cup()


@pytest.mark.parametrize(
    ("kind", "flag"),
    [
        (FaultKind.FRAMES_LOST, Flag.FRAME_LOST),
        (FaultKind.FRAMES_SWAPPED, Flag.FRAME_LOST | Flag.FRAME_OUT_OF_ORDER),
        (FaultKind.FRAMES_CUT, Flag.FRAME_DAMAGED),
    ],
)
def test_fruit_whose_pictures_went_wrong_say_so_and_are_graded_by_the_others(
    station: StationProcess, floor: Floor, kind: FaultKind, flag: Flag
) -> None:
    cup = cup_after_clean_ones(floor)
    floor.happens(kind, frames=3)
    until(lambda: len(flagged(floor.fruit(cup), flag)) > 10, "fruit with the flag")
    station.until_sorting()
    said = flagged(floor.fruit(cup), flag)
    assert len([record for record in said if record.outlet]) > 0.8 * len(said)


def test_a_picture_that_comes_twice_is_taken_once(station: StationProcess, floor: Floor) -> None:
    cup = cup_after_clean_ones(floor)
    floor.happens(FaultKind.FRAMES_REPEATED, frames=3)
    until(lambda: len(floor.fruit(cup)) > 40, "all that were in the picture then are decided")
    assert flagged(floor.fruit(cup), NOT_ALL_SEEN) == []
    assert [record for record in floor.fruit(cup) if not record.outlet] == []


def test_a_silent_camera_is_opened_again_and_fruit_that_it_missed_go_to_the_default_outlet(
    station: StationProcess, floor: Floor
) -> None:
    cup = floor.next_cup()
    with floor.broken(FaultKind.CAMERA_SILENT):
        station.until_found(FindingKind.CAMERA)
        detail = next(each.detail for each in station.shown().findings if each.kind is FindingKind.CAMERA)
        assert "top" in detail
        until(lambda: flagged(floor.fruit(cup), Flag.NOT_SEEN), "fruit that nobody saw")
    station.until_not_found(FindingKind.CAMERA)
    station.until_sorting()
    unseen = flagged(floor.fruit(cup), Flag.NOT_SEEN)
    assert unseen
    assert {record.outlet for record in unseen} == {0}
    told = [each.event.text for each in floor.events(EventKind.DEGRADED, EventKind.RECOVERED)]
    assert next(text for text in told if text.startswith("camera")).startswith("camera: camera top gives no pictures")


def test_a_camera_that_stays_away_is_given_up_by_name_and_opened_after_a_reset(
    station: StationProcess, floor: Floor
) -> None:
    with floor.broken(FaultKind.CAMERA_GONE):
        assert "camera" in station.until_faulted()
        until(lambda: station.shown().board.gates_open == 0, "gates are closed")
        refused = station.reset()
        assert isinstance(refused, Refused)
        assert "camera" in refused.why
        assert station.shown().state is State.FAULTED
    assert station.shown().state is State.FAULTED  # what comes back is no permission
    assert station.reset() == Done()
    station.until_not_found(FindingKind.CAMERA)
    station.until_sorting()


def test_a_light_that_fails_is_told_and_nobody_guesses_the_colour_of_a_fruit_in_the_dark(
    station: StationProcess, floor: Floor
) -> None:
    cup = floor.next_cup()
    with floor.broken(FaultKind.LIGHT_FAILS, share=0.15):
        station.until_found(FindingKind.LIGHT)
        until(lambda: len(flagged(floor.fruit(cup), Flag.NOT_SEEN)) > 10, "fruit that were in the dark throughout")
    dark = flagged(floor.fruit(cup), Flag.TOO_DARK)
    unseen = flagged(dark, Flag.NOT_SEEN)
    assert {(record.outlet, record.values["blush_fraction"]) for record in unseen} == {(0, None)}
    station.until_not_found(FindingKind.LIGHT)
    station.until_sorting()
