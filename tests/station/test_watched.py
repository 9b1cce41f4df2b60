"""Devices that fall silent are opened again: at once, then less and less often, then not until a person says so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.domain.frames import Frame, Readings, Weighing
from grader.errors import CameraLost, DeviceError
from grader.station.budget import BudgetSettings, RestartBudget
from grader.station.watched import SILENT_FRAMES, WatchedCamera, WatchedSensors
from grader.units import NS_PER_S, HostNs, Pulse

PICTURE = np.zeros((2, 2, 3), np.uint8)


def at_once(open_device: Callable[[], Any]) -> Future[Any]:
    opened: Future[Any] = Future()
    try:
        opened.set_result(open_device())
    except DeviceError as problem:
        opened.set_exception(problem)
    return opened


class ToldTime:
    def __init__(self) -> None:
        self.s = 100.0

    def now(self) -> HostNs:
        return HostNs(int(self.s * NS_PER_S))

    def wall_s(self) -> float:
        return 0.0


class OneCamera:
    """Gives these frames, then none; "gone" is a cable that was pulled."""

    dropped = 3

    def __init__(self, *frames: str) -> None:
        self._frames: Iterator[str] = iter(frames)
        self.closed = False

    def next_frame(self, timeout_s: float) -> Frame | None:
        said = next(self._frames, None)
        if said == "gone":
            raise CameraLost("camera top is gone")
        pixels = PICTURE if said == "" else None
        return None if said is None else Frame("top", 0, Pulse(0), HostNs(0), pixels, said)

    def release(self, frame: Frame) -> None:
        pass

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def clock() -> ToldTime:
    return ToldTime()


def watched(clock: ToldTime, *cameras: OneCamera | None) -> tuple[WatchedCamera, list[float]]:
    """A camera that is each of these in turn, None being one that cannot be opened; and when each was opened."""
    left, opened = iter(cameras), []

    def open_camera() -> OneCamera:
        opened.append(clock.s)
        camera = next(left, None)
        if camera is None:
            raise DeviceError("no camera")
        return camera

    return WatchedCamera(open_camera, clock, begin=at_once), opened


def test_a_camera_that_is_gone_is_opened_again_at_once_and_nothing_is_raised(clock):
    first, second = OneCamera("", "gone"), OneCamera("")
    camera, opened = watched(clock, first, second)
    assert camera.next_frame(0).pixels is PICTURE
    assert camera.next_frame(0) is None
    assert "gone" in camera.trouble and first.closed
    assert camera.next_frame(0).pixels is PICTURE
    assert (camera.trouble, camera.reopened, len(opened)) == ("", 1, 2)
    assert camera.dropped == 6


def test_a_camera_that_is_triggered_and_gives_no_pictures_is_silent(clock):
    camera, opened = watched(clock, OneCamera("", *["lost"] * SILENT_FRAMES), OneCamera(""))
    frames = [camera.next_frame(0) for _ in range(1 + SILENT_FRAMES)]
    assert None not in frames  # each exposure is told all the same
    assert "gives no pictures" in camera.trouble
    assert camera.next_frame(0).pixels is PICTURE
    assert len(opened) == 2


def test_pictures_that_are_lost_now_and_then_are_no_silence(clock):
    camera, opened = watched(clock, OneCamera(*(["lost"] * (SILENT_FRAMES - 1) + [""]) * 3))
    while camera.next_frame(0) is not None:
        pass
    assert (camera.trouble, len(opened)) == ("", 1)


def test_it_is_tried_five_times_a_minute_with_doubling_delays_then_given_up_until_it_is_renewed(clock):
    camera, opened = watched(clock, OneCamera("gone"), *[None] * 5, OneCamera(""))
    began = clock.s
    while clock.s < began + 100:
        camera.next_frame(0.0)
        clock.s += 0.05
    gaps = np.diff(opened[1:])
    assert len(opened) == 1 + 5
    assert gaps == pytest.approx([0.5, 1.0, 2.0, 4.0], abs=0.06)
    assert camera.is_given_up
    camera.renew()
    assert not camera.is_given_up
    assert camera.next_frame(0).pixels is PICTURE
    camera.close()


def test_a_camera_that_takes_long_to_open_holds_nobody_up_and_is_closed_if_nobody_wants_it_any_more(clock):
    first, second, opening = OneCamera("gone"), OneCamera(""), Future()
    cameras = iter([first])
    camera = WatchedCamera(lambda: next(cameras), clock, begin=lambda open_camera: opening)
    for _ in range(4):
        assert camera.next_frame(0) is None
    camera.close()
    opening.set_result(second)
    assert second.closed


def test_sensors_whose_connection_ends_are_opened_again_and_what_they_had_said_counts(clock):
    class OneBox:
        def __init__(self, *, closed: bool) -> None:
            self.closed = closed

        def readings(self) -> Readings:
            return Readings((Weighing(0, Pulse(1), HostNs(1), 180.0),))

        def close(self) -> None:
            pass

    boxes = iter([OneBox(closed=True), OneBox(closed=False)])
    sensors = WatchedSensors(lambda: next(boxes), clock, begin=at_once)
    assert len(sensors.readings().weighings) == 1
    assert "connection has ended" in sensors.trouble
    assert len(sensors.readings().weighings) == 1
    assert (sensors.trouble, sensors.reopened) == ("", 1)


@settings(max_examples=60, derandomize=True, deadline=None)
@given(st.lists(st.tuples(st.floats(0.01, 20.0), st.sampled_from(["fails", "works"])), max_size=60))
def test_within_any_minute_there_are_at_most_five_tries(steps):
    limits = BudgetSettings()
    budget, now_s, tried = RestartBudget(limits), 0.0, []
    for after_s, outcome in steps:
        now_s += after_s
        now = HostNs(int(now_s * NS_PER_S))
        if budget.may_try(now):
            budget.tried(now)
            tried.append(now_s)
            if outcome == "works":
                budget.worked()
    for first in tried:
        assert sum(first <= at < first + limits.within_s for at in tried) <= limits.most
