"""One line and one station for all tests that leave them as they found them; floors of their own for the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rig import Floor, StationProcess

from grader.domain.snapshot import State


@pytest.fixture(scope="package")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the line's pictures are kept: drawing them takes longer than most tests."""
    return tmp_path_factory.mktemp("pictures") / "loop.npz"


@pytest.fixture(scope="package")
def shared_floor(tmp_path_factory: pytest.TempPathFactory, pictures: Path) -> Iterator[Floor]:
    floor = Floor(tmp_path_factory.mktemp("floor"), pictures)
    yield floor
    floor.close()


@pytest.fixture(scope="package")
def shared_station(shared_floor: Floor) -> Iterator[StationProcess]:
    station = StationProcess(shared_floor)
    yield station
    station.kill()


@pytest.fixture
def station(shared_station: StationProcess) -> Iterator[StationProcess]:
    """A station that sorts; it does so again by the end of the test, and no fruit is in an outlet that it was not
    sent to."""
    if shared_station.shown().state is not State.RUNNING or not shared_station.floor.fruit():
        shared_station.reset()  # should the test before have failed
        shared_station.until_sorting()
    yield shared_station
    assert shared_station.shown().state is State.RUNNING
    assert [miss for miss in shared_station.floor.verdict().misses if miss.landed] == []


@pytest.fixture
def floor(station: StationProcess) -> Floor:
    """The floor of `station`."""
    return station.floor


@pytest.fixture
def own_floor(tmp_path: Path, pictures: Path) -> Iterator[Floor]:
    """A floor that a test may leave in any state."""
    floor = Floor(tmp_path / "floor", pictures)
    yield floor
    floor.close()


@pytest.fixture
def station_on() -> Iterator[Callable[..., StationProcess]]:
    """Starts stations, which end with the test."""
    started: list[StationProcess] = []

    def start(floor: Floor, *words: str) -> StationProcess:
        started.append(StationProcess(floor, *words))
        return started[-1]

    yield start
    for station in started:
        station.kill()
