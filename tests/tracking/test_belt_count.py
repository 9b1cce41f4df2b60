"""Which frames are believed to be where they say: the table at the head of `grader.tracking.belt`, row by row."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.domain.flags import Flag
from grader.domain.frames import Frame
from grader.tracking.belt import FARTHEST_PULSE, Belt, Place, advance, follow
from grader.units import HostNs, Pulse

REACH = 20 * 96


def told(belt: Belt, sequence: int, pulse: int, damage: str = "") -> Place:
    frame = Frame("top", sequence, Pulse(pulse), HostNs(0), None, damage)
    return follow(belt, frame, pulses_per_frame=48, reach=REACH)


def belt_at(sequence: int = 10, pulse: int = 480) -> Belt:
    belt = Belt()
    told(belt, sequence, pulse)
    return belt


def test_frames_in_step_with_the_encoder_are_sound() -> None:
    belt = Belt()
    places = [told(belt, n, 1_000_000 + 48 * n + wander) for n, wander in enumerate([0, 3, -3, 5, 0])]
    assert places == [Place(Flag.NONE)] * 5
    assert belt.pulse == 1_000_000 + 48 * 4


@pytest.mark.parametrize(
    ("sequence", "pulse", "damage", "place", "belt_after"),
    [
        (11, 528, "", Place(Flag.NONE), 528),
        (11, 528, "out of order", Place(Flag.FRAME_OUT_OF_ORDER), 528),
        (11, 528, "repeated", Place(Flag.FRAME_REPEATED), 528),
        (11, 528, "lost", Place(Flag.FRAME_LOST), 528),
        (11, 528, "cut short", Place(Flag.FRAME_DAMAGED), 528),
        (14, 672, "", Place(Flag.NONE, unseen=range(528, 672, 48), missing=3), 672),
        (
            1010,
            48480,
            "",
            Place(Flag.NONE, unseen=range(528, 48480, 48), missing=999),
            48480,
        ),  # lost, and the two counts agree
        (10, 480, "", Place(Flag.FRAME_REPEATED), 480),
        (11, 480, "", Place(Flag.FRAME_REPEATED), 480),
        (60, 480, "", Place(Flag.PULSE_JUMP, believed=False, slipped=True), 480),
        (5, 480, "", Place(Flag.PULSE_JUMP, believed=False, slipped=True), 480),
        (8, 384, "", Place(Flag.FRAME_OUT_OF_ORDER), 480),
        (0, 528, "", Place(Flag.FRAME_OUT_OF_ORDER), 528),
        (0, 960, "", Place(Flag.FRAME_OUT_OF_ORDER, unseen=range(528, 960, 48), missing=9), 960),
        (10**9, 528, "", Place(Flag.FRAME_OUT_OF_ORDER), 528),
        (11, 600, "", Place(Flag.PULSE_JUMP, slipped=True, unseen=range(528, 529)), 600),
        (11, 672, "", Place(Flag.PULSE_JUMP, slipped=True, unseen=range(528, 672, 48)), 672),
        (13, 528, "", Place(Flag.PULSE_JUMP, slipped=True, missing=2), 528),
        (11, 432, "", Place(Flag.PULSE_JUMP, believed=False, slipped=True), 480),
        (11, 10**12, "", Place(Flag.PULSE_JUMP, believed=False, slipped=True), 480),
        (11, -(10**12), "", Place(Flag.PULSE_JUMP, believed=False, slipped=True), 480),
        (11, 10**30, "", Place(Flag.PULSE_JUMP, believed=False, slipped=True), 480),
    ],
)
def test_each_way_of_being_out_of_step_has_its_flags(
    sequence: int, pulse: int, damage: str, place: Place, belt_after: int
) -> None:
    belt = belt_at()
    assert told(belt, sequence, pulse, damage) == place
    assert belt.pulse == belt_after


@pytest.mark.parametrize("jump", [10**12, -(10**12), -480, 10 * REACH])
def test_a_jump_is_believed_when_a_second_frame_follows_on_the_first(jump: int) -> None:
    belt = belt_at()
    assert not told(belt, 11, 528 + jump).believed
    assert told(belt, 12, 576 + jump) == Place(Flag.PULSE_JUMP, slipped=True, jumped=True)
    assert told(belt, 13, 624 + jump) == Place(Flag.NONE)
    assert belt.pulse == 624 + jump


def test_an_encoder_that_slips_back_a_little_is_told_by_the_frames_that_come_after() -> None:
    belt = belt_at()
    places = [told(belt, 11 + n, 528 - 96 + 48 * n) for n in range(4)]
    assert [place.slipped for place in places] == [True, True, False, False]
    assert places[3] == Place(Flag.NONE)
    assert belt.pulse == 528 - 96 + 48 * 3


def test_a_belt_that_stands_shows_one_picture_for_as_long_as_it_stands() -> None:
    belt = belt_at()
    assert {told(belt, 11 + n, 480) for n in range(50)} == {Place(Flag.FRAME_REPEATED)}
    assert told(belt, 61, 528) == Place(Flag.NONE)


def test_two_wild_frames_that_do_not_agree_are_not_believed_and_good_ones_after_them_are() -> None:
    belt = belt_at()
    assert not told(belt, 11, 10**12).believed
    assert not told(belt, 12, 3 * 10**12).believed
    assert not told(belt, 12, 3 * 10**12).believed
    assert told(belt, 13, 624) == Place(Flag.NONE, unseen=range(528, 624, 48), missing=2)
    assert not told(belt, 14, 3 * 10**12 + 48).believed  # doubt is forgotten once a frame was good


def test_a_pulse_without_a_frame_moves_the_belt_forward_only_and_says_when_it_is_too_far() -> None:
    belt = Belt()
    assert not advance(belt, Pulse(10**9), REACH)
    assert belt.pulse == 10**9
    assert not advance(belt, Pulse(0), REACH)
    assert belt.pulse == 10**9
    assert not advance(belt, Pulse(10**9 + REACH), REACH)
    assert advance(belt, Pulse(10**12), REACH)
    assert belt.pulse == 10**12
    assert advance(belt, Pulse(FARTHEST_PULSE + 1), REACH)
    assert belt.pulse == 10**12


def test_a_frame_takes_the_belt_back_only_from_where_it_cannot_be() -> None:
    belt = belt_at()
    advance(belt, Pulse(600), REACH)  # the encoder is ahead of the last picture, as it should be
    told(belt, 11, 528)
    assert belt.pulse == 600
    advance(belt, Pulse(10**12), REACH)
    told(belt, 12, 576)
    assert belt.pulse == 576


ANY = st.integers(-(2**70), 2**70) | st.integers(-300, 3000)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(frames=st.lists(st.tuples(ANY, ANY), max_size=12))
def test_whatever_is_told_the_belt_stays_where_a_belt_can_be(frames: list[tuple[int, int]]) -> None:
    belt = Belt()
    for sequence, pulse in frames:
        place = told(belt, sequence, pulse)
        assert place.believed or Flag.PULSE_JUMP in place.flags
        assert belt.pulse is None or abs(belt.pulse) <= FARTHEST_PULSE
        if place.believed and belt.frame is not None:
            assert abs(pulse) <= FARTHEST_PULSE
