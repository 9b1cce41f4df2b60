"""Views are kept by cup, within bounds, until the cup is decided about."""

from __future__ import annotations

import numpy as np
import pytest

from grader.domain.flags import Flag
from grader.domain.installation import CameraPlace, Installation, Line
from grader.domain.views import VIEW_COLUMNS, Occupancy, ViewFeatures
from grader.tracking.belt import advance
from grader.tracking.settings import TrackSettings
from grader.tracking.state import MOST_VIEWS, NO_CUP, TrackState, new_track, where_to_run
from grader.tracking.track import Look, close_seen, decide, flag_all, flag_cut_off, observe, touch
from grader.units import Pulse
from grader.vision.combine import CombineSettings

CAMERA = CameraPlace(
    width_px=1280,
    height_px=310,
    bands=("blue", "green", "red"),
    mm_per_px=0.8,
    cup_zero_px=(0.0, 80.0),
    lane_pitch_px=150.0,
    pulses_per_frame=48,
    turn_deg_per_pulse=0.47,
)
LINE = Installation(
    fruit="apple",
    line=Line(lanes=2, pulses_per_cup=96, mm_per_pulse=1.0, cups_per_second=12.0),
    cameras={"top": CAMERA},
)
SETTINGS = TrackSettings()


def track(at: int = 0) -> TrackState:
    state = new_track(LINE, CAMERA, SETTINGS)
    advance(state.belt, Pulse(at), state.course.reach)
    return state


def views(cups: list[tuple[int, int]], code: Occupancy = Occupancy.ONE) -> ViewFeatures:
    lane, cup = np.array(cups, np.int64).reshape(-1, 2).T
    seen = ViewFeatures.of_empty_cups(lane.astype(np.int16), cup)
    seen.occupancy[:] = code
    for name in VIEW_COLUMNS:
        getattr(seen, name)[:] = 80.0 if name.endswith("_mm") else 0.5
    return seen


def known(state: TrackState) -> set[tuple[int, int]]:
    lane, slot = np.nonzero(state.cup != NO_CUP)
    return set(zip(lane.tolist(), state.cup[lane, slot].tolist(), strict=True))


def decided(state: TrackState, **everything: bool) -> list[tuple[int, int]]:
    close_seen(state, CAMERA, SETTINGS, CombineSettings(), **everything)
    fruit = decide(state, LINE, sugar=None, settings=SETTINGS, **everything)
    return list(zip(fruit.lane.tolist(), fruit.cup.tolist(), strict=True))


def test_a_cup_that_would_take_the_slot_of_another_is_left_and_counted() -> None:
    state = track()
    slots = state.course.slots
    observe(state, views([(0, 3), (1, 3)]), Pulse(300), Flag.NONE)
    observe(state, views([(0, 3 + slots), (0, 10**15), (0, -4), (1, 4)]), Pulse(348), Flag.NONE)
    assert known(state) == {(0, 3), (1, 3), (1, 4)}
    assert state.ignored_views == 3
    touch(state, np.array([0], np.int16), np.array([3 + slots]), Flag.FRAME_LOST)
    assert known(state) == {(0, 3), (1, 3), (1, 4)} and not state.flags.any()


def test_more_views_than_there_is_room_for_replace_the_last() -> None:
    state = track()
    for number in range(MOST_VIEWS + 30):
        observe(state, views([(0, 0)]), Pulse(number), Flag.NONE)
    assert state.n_views[0, 0] == MOST_VIEWS
    assert state.view_pulse[0, 0].tolist() == [*range(MOST_VIEWS - 1), MOST_VIEWS + 29]


def test_closing_follows_seeing_and_deciding_and_forgets_everything() -> None:
    state = track()
    for number in range(10):
        observe(state, views([(0, 0), (1, 1)]), Pulse(48 * number), Flag.NONE)
    assert decided(state) == [] and not state.seen.any()
    advance(state.belt, Pulse(1030), state.course.reach)
    assert decided(state) == []
    assert state.look[0, 0] == Look.FRUIT and state.seen[0, 0] and not state.seen[1, 1]
    observe(state, views([(0, 0)], Occupancy.TOUCHING), Pulse(1032), Flag.NONE)  # measured already
    assert where_to_run(state) == 96 + 1500
    for pulse, fruit in [(1499, []), (1500, [(0, 0)]), (1600, [(1, 1)]), (1700, [])]:
        advance(state.belt, Pulse(pulse), state.course.reach)
        assert decided(state) == fruit
    empty = new_track(LINE, CAMERA, SETTINGS)
    for name in ("cup", "n_views", "n_missed", "views", "view_pulse", "flags", "seen", "look", "measured"):
        assert np.array_equal(getattr(state, name), getattr(empty, name), equal_nan=name in ("views", "measured"))
    assert where_to_run(state) is None


def test_what_the_belt_will_not_bring_can_be_closed_at_once_lane_by_lane() -> None:
    state = track(at=500)
    for number in range(3):
        observe(state, views([(1, 2), (0, 5), (1, 1), (0, 4)]), Pulse(500 + number), Flag.NONE)
    flag_all(state, Flag.PULSE_JUMP)
    assert decided(state, all_cups=True) == [(0, 4), (0, 5), (1, 1), (1, 2)]
    assert known(state) == set()


@pytest.mark.parametrize(("pulse", "cups"), [(1200, {3, 4}), (100, {0}), (4000, set())])
def test_cups_that_are_whole_in_the_picture_at_a_pulse_are_flagged_and_told(pulse: int, cups: set[int]) -> None:
    state = track()
    observe(state, views([(0, cup) for cup in range(5)]), Pulse(400), Flag.NONE)
    assert flag_cut_off(state, Pulse(pulse)) == {(0, cup) for cup in cups}
    assert {int(cup) for cup in state.cup[state.flags == Flag.FRAME_LOST]} == cups


@pytest.mark.parametrize(("frames", "rows"), [(SETTINGS.enough_views - 1, []), (SETTINGS.enough_views, [(1, 2)])])
def test_a_cup_that_picture_after_picture_failed_to_show_is_not_forgotten(
    frames: int, rows: list[tuple[int, int]]
) -> None:
    state = track(at=500)
    for _ in range(frames):
        touch(state, np.array([1], np.int16), np.array([2]), Flag.FRAME_DAMAGED)
    assert decided(state, all_cups=True) == rows


def is_out_of_place(off_mm: list[float], aside_mm: float = 0.0) -> bool:
    """Whether a fruit is flagged that was seen off the middle of its cup by so much, frame after frame."""
    state = track()
    for number, off in enumerate(off_mm):
        seen = views([(0, 0)])
        seen.along_mm[:] = 48 * (number + 4) - state.course.below_lens_mm + off
        seen.aside_mm[:] = state.course.lane_aside_mm[0] + aside_mm
        observe(state, seen, Pulse(48 * (number + 4)), Flag.NONE)
    close_seen(state, CAMERA, SETTINGS, CombineSettings(), all_cups=True)
    return bool(state.flags[0, 0] & Flag.OUT_OF_PLACE)


@pytest.mark.parametrize(
    "off_mm",
    [[40.0] * 12, [-30.0] * 12, [0.0] * 10 + [60.0] * 2, [4.8 * n - 24 for n in range(12)], [0.0, 48.0] * 6],
)
def test_a_fruit_that_is_not_where_the_encoder_says_is_flagged(off_mm: list[float]) -> None:
    assert is_out_of_place(off_mm)


@pytest.mark.parametrize("off_mm", [[0.0] * 12, [15.0] * 12, [10.0, -10.0] * 6, [0.0] * 11 + [60.0], [*range(12)]])
def test_fruit_that_ride_a_little_off_the_middle_or_were_once_seen_wrongly_are_not(off_mm: list[float]) -> None:
    assert not is_out_of_place(off_mm)


@pytest.mark.parametrize(("aside_mm", "flagged"), [(20.0, False), (-20.0, False), (36.0, True), (-36.0, True)])
def test_a_fruit_that_is_not_in_its_lane_is_flagged(aside_mm: float, flagged: bool) -> None:
    assert is_out_of_place([0.0] * 12, aside_mm) == flagged


def test_a_view_that_shows_something_in_another_place_is_no_view_of_the_fruit() -> None:
    def measured(off_mm: list[float]) -> np.ndarray:
        state = track()
        for number, off in enumerate(off_mm):
            seen = views([(0, 0)])
            seen.along_mm[:] = 48 * (number + 4) - state.course.below_lens_mm + off
            seen.aside_mm[:] = state.course.lane_aside_mm[0]
            if off:
                for name in ("widest_mm", "callipers_mm"):
                    getattr(seen, name)[:] = 50.0
            observe(state, seen, Pulse(48 * (number + 4)), Flag.NONE)
        close_seen(state, CAMERA, SETTINGS, CombineSettings(), all_cups=True)
        return np.asarray(state.measured[0, 0])

    assert np.array_equal(measured([0.0] * 11 + [48.0]), measured([0.0] * 11), equal_nan=True)
