"""Pictures and trigger reports joined: in order, each once, and each loss a frame that says so."""

from __future__ import annotations

from collections import deque

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.domain.frames import Trigger
from grader.errors import CameraLost
from grader.units import NS_PER_MS, HostNs, Pulse
from hardware.shared_frames import SlotFrame
from hardware.triggered_camera import TriggeredCamera

PICTURE = np.zeros((2, 2, 3), np.uint8)
WAIT_MS = 100


class ToldTime:
    """A clock, and a camera and a board whose news come when the script says. Waiting moves the clock."""

    def __init__(self, pictures: dict[int, int], triggers: dict[int, int]) -> None:
        """Number → the ms at which it comes."""
        self.ms, self.dropped, self.closed, self.out = -1.0, 0, False, set()  # it is opened before anything comes
        self._pictures = deque(sorted((at, number) for number, at in pictures.items()))
        self._triggers = deque(sorted((at, number) for number, at in triggers.items()))

    def now(self) -> HostNs:
        return HostNs(int(self.ms * NS_PER_MS))

    def wall_s(self) -> float:
        return 0.0

    def triggers(self) -> list[Trigger]:
        told = []
        while self._triggers and self._triggers[0][0] <= self.ms:
            number = self._triggers.popleft()[1]
            told.append(Trigger(number, Pulse(1000 + 48 * number)))
        return told

    def take(self, timeout_s: float) -> SlotFrame | None:
        if self._pictures and self._pictures[0][0] <= self.ms + timeout_s * 1000:
            at, number = self._pictures.popleft()
            self.ms = max(self.ms, at)
            self.out.add(number)
            return SlotFrame(number % 4, number, self.now(), PICTURE)
        self.ms += max(timeout_s * 1000, 0.01)
        return None

    def release(self, frame: SlotFrame) -> None:
        self.out.remove(frame.frame_id)

    def close(self) -> None:
        pass

    def camera(self) -> TriggeredCamera:
        return TriggeredCamera("top", self, self.triggers, self, pulses_per_frame=48, wait_ms=WAIT_MS)


def frames_of(pictures: dict[int, int], triggers: dict[int, int]) -> list[tuple[int, int, str]]:
    told = ToldTime(pictures, triggers)
    camera = told.camera()
    seen = []
    while (frame := camera.next_frame(1.0)) is not None:
        assert (frame.pixels is None) == bool(frame.damage)
        seen.append((frame.sequence, frame.pulse, frame.damage))
        camera.release(frame)
        camera.release(frame)
    camera.close()
    assert told.out == set()
    return seen


def each(*numbers: int, late_ms: int = 0) -> dict[int, int]:
    return {number: 33 * number + late_ms for number in numbers}


def test_each_picture_gets_the_pulse_of_its_trigger():
    assert frames_of(each(0, 1, 2), each(0, 1, 2)) == [(0, 1000, ""), (1, 1048, ""), (2, 1096, "")]


def test_a_report_that_comes_after_its_picture_is_waited_for():
    assert frames_of(each(0, 1, 2), each(0, 1, 2, late_ms=60)) == [(0, 1000, ""), (1, 1048, ""), (2, 1096, "")]


def test_a_lost_picture_is_handed_on_without_pixels_at_its_pulse():
    assert frames_of(each(0, 2), each(0, 1, 2)) == [(0, 1000, ""), (1, 1048, "lost"), (2, 1096, "")]


def test_the_last_picture_lost_is_told_after_the_stated_wait():
    assert frames_of(each(0), each(0, 1)) == [(0, 1000, ""), (1, 1048, "lost")]


def test_a_picture_without_report_is_handed_on_as_damaged_never_with_a_guessed_place():
    assert frames_of(each(0, 1, 2), each(0, 2)) == [(0, 1000, ""), (1, 1048, "no trigger report"), (2, 1096, "")]


def test_an_exposure_of_which_neither_came_is_lost_too():
    assert frames_of(each(0, 2), each(0, 2)) == [(0, 1000, ""), (1, 1048, "lost"), (2, 1096, "")]
    assert frames_of(each(1, 3), each(1, 3)) == [(1, 1048, ""), (2, 1096, "lost"), (3, 1144, "")]


def test_a_camera_that_is_opened_on_a_running_line_begins_with_the_next_exposure():
    told = ToldTime({n: 33 * (n - 500) for n in range(500, 503)}, {n: 33 * (n - 500) for n in range(501, 503)})
    camera = told.camera()
    seen = [camera.next_frame(1.0) for _ in range(2)]
    assert [(frame.sequence, frame.damage) for frame in seen] == [(501, ""), (502, "")]
    for frame in seen:
        camera.release(frame)
    assert told.out == set()


def test_a_picture_that_comes_after_it_was_given_up_is_counted_and_released():
    told = ToldTime({0: 0, 1: 300}, {0: 0, 1: 33})
    camera = told.camera()
    first, second = camera.next_frame(1.0), camera.next_frame(1.0)
    assert (first.damage, second.damage) == ("", "lost")
    assert told.ms <= 33 + WAIT_MS + 60
    assert camera.next_frame(1.0) is None
    assert camera.unmatched == 1
    camera.release(first)
    assert told.out == set()


def test_a_camera_that_is_gone_is_lost_and_a_quiet_one_is_not():
    told = ToldTime({0: 0}, {0: 0})
    camera = told.camera()
    told.closed = True
    assert camera.next_frame(0.1).sequence == 0  # what came before counts
    with pytest.raises(CameraLost, match="top"):
        camera.next_frame(0.1)
    told.closed = False
    assert camera.next_frame(0.1) is None


@settings(max_examples=40, derandomize=True, deadline=None)
@given(
    st.sets(st.integers(0, 15)), st.sets(st.integers(0, 15)), st.integers(0, WAIT_MS - 10), st.integers(0, WAIT_MS - 10)
)
def test_whatever_is_lost_every_exposure_up_to_the_last_is_handed_on_once_in_order(pictures, triggers, late_p, late_t):
    seen = frames_of(each(*pictures, late_ms=late_p), each(*triggers, late_ms=late_t))
    if triggers:
        known = [sequence for sequence, _, _ in seen]
        assert known == list(range(known[0], max(pictures | triggers) + 1))
        assert all(pulse == 1000 + 48 * sequence for sequence, pulse, _ in seen)
        assert all(damage or sequence in pictures & triggers for sequence, _, damage in seen)
    else:
        assert seen == []
