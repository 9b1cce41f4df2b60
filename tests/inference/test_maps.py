"""Whoever maps skins: the same maps at once and beside the line, and a line that waits for neither."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import cv2
import numpy as np
import painted_bodies as painted
import pytest

from grader.domain.colour import ColourCalibration
from grader.domain.skin import MappedSkin, Sighting
from grader.errors import DeviceError
from grader.inference.maps import MOST_WAITING, TOGETHER, MapProcess, MapProcesses, MapSkins
from grader.vision.skin_map.mapper import MapSettings

PATIENCE_S = 30.0
CAMERA = painted.camera()
MAPPED_BY = (CAMERA, ColourCalibration(), MapSettings())


def sighting(cup: int, paint: painted.Paint) -> Sighting:
    return painted.filmed(paint, 22.0, noise=2.0, seed=cup).sighting._replace(lane=cup % 3, cup=cup)


@pytest.fixture(scope="module")
def fruit() -> list[Sighting]:
    """The last one is of one colour."""
    return [*(sighting(cup, painted.blotches(cup)) for cup in range(4)), sighting(4, painted.one_colour)]


@pytest.fixture
def process() -> Iterator[MapProcess]:
    opened = MapProcess(*MAPPED_BY)
    yield opened
    opened.close()


def until_made(process: MapProcess | MapProcesses, count: int) -> list[MappedSkin]:
    made: list[MappedSkin] = []
    deadline = time.monotonic() + PATIENCE_S
    while len(made) < count:
        assert time.monotonic() < deadline, f"{len(made)} of {count} maps came"
        made += process.made()
        time.sleep(0.01)
    return made


def plain(made: MappedSkin) -> tuple[object, ...]:
    """All but how long it took."""
    measures = made.measures
    return (made.lane, made.cup, made.drawn, None if measures is None else (*measures[:-1], measures.tones.tolist()))


def test_a_process_makes_the_maps_that_are_made_at_once(process: MapProcess, fruit: list[Sighting]) -> None:
    at_once = MapSkins(*MAPPED_BY).of(fruit)
    process.ask(fruit)
    beside = until_made(process, len(fruit))
    assert [plain(made) for made in beside] == [plain(made) for made in at_once]
    assert [made.cup for made in beside] == [0, 1, 2, 3, 4]
    assert [made.measures is None for made in beside] == [False, False, False, False, True]


def test_a_map_is_drawn_where_people_will_look_at_it_and_nowhere_else(
    process: MapProcess, fruit: list[Sighting]
) -> None:
    process.ask([fruit[0]._replace(to_draw=True), fruit[1], fruit[4]._replace(to_draw=True)])
    mapped, plain, of_one_colour = until_made(process, 3)
    assert plain.drawn == b""
    for made, least_rows in ((mapped, 500), (of_one_colour, 200)):
        picture = cv2.imdecode(np.frombuffer(made.drawn, np.uint8), cv2.IMREAD_COLOR)
        assert picture is not None and picture.shape[0] > least_rows and picture.shape[1] > 1000


def test_nobody_waits_for_a_process_that_hangs_and_the_latest_fruit_are_mapped_when_it_goes_on(
    process: MapProcess, fruit: list[Sighting]
) -> None:
    process.ask(fruit[:1])
    until_made(process, 1)
    worker = process.pid
    os.kill(worker, signal.SIGSTOP)
    longest = 0.0
    for cup in range(3 * MOST_WAITING):
        before = time.perf_counter()
        process.ask([fruit[0]._replace(cup=cup)])
        assert process.made() == []
        longest = max(longest, time.perf_counter() - before)
    assert longest < 1.0  # a pipe holds less than one fruit: one that waited would wait for ever
    os.kill(worker, signal.SIGCONT)
    made = until_made(process, MOST_WAITING)
    assert len(made) <= MOST_WAITING + 2 * TOGETHER
    assert {each.cup for each in made} >= set(range(2 * MOST_WAITING + TOGETHER, 3 * MOST_WAITING))


def test_a_process_that_was_killed_is_said_to_be_gone_and_closing_it_twice_is_safe(fruit: list[Sighting]) -> None:
    process = MapProcess(*MAPPED_BY)
    process.ask(fruit)
    os.kill(process.pid, signal.SIGKILL)
    deadline = time.monotonic() + PATIENCE_S
    with pytest.raises(DeviceError, match="has ended"):
        while time.monotonic() < deadline:
            process.made()
    with pytest.raises(DeviceError, match="has ended"):
        while time.monotonic() < deadline:
            process.ask(fruit)
    process.close()
    process.close()


def test_several_processes_share_the_lanes_and_one_that_ends_is_missed(fruit: list[Sighting]) -> None:
    both = MapProcesses(2, *MAPPED_BY)
    try:
        assert len(set(both.pids)) == 2
        assert [os.sched_getscheduler(pid) for pid in both.pids] == [os.SCHED_IDLE] * 2  # what the line wants is its
        asked = {(lane, cup) for lane in range(4) for cup in range(3)}
        both.ask([fruit[cup]._replace(lane=lane, cup=cup) for lane, cup in asked])
        made = {(each.lane, each.cup): plain(each) for each in until_made(both, len(asked))}
        assert made.keys() == asked
        assert made[2, 1] == plain(MapSkins(*MAPPED_BY).of([fruit[1]._replace(lane=2)])[0])
        os.kill(both.pids[1], signal.SIGKILL)
        deadline = time.monotonic() + PATIENCE_S
        with pytest.raises(DeviceError, match="has ended"):
            while time.monotonic() < deadline:
                both.ask([fruit[0]._replace(lane=0)])
    finally:
        both.close()


def test_a_fruit_with_too_few_views_has_no_map() -> None:
    few = painted.filmed(painted.blotches(1), 22.0, views=4).sighting
    (made,) = MapSkins(*MAPPED_BY).of([few])
    assert made.measures is None


def test_a_picture_of_noise_has_no_map(fruit: list[Sighting]) -> None:
    rng = np.random.default_rng(5)
    noise = fruit[0].portraits._replace(pixels=rng.integers(0, 256, fruit[0].portraits.pixels.shape, np.uint8))
    (made,) = MapSkins(*MAPPED_BY).of([fruit[0]._replace(portraits=noise)])
    assert made.measures is None
