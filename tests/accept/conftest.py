"""The long figures: `make accept`. A plain `pytest` leaves them out; so short a run as one likes is for trying them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("accept", "the long figures")
    group.addoption("--run-accept", action="store_true", help="run them")
    group.addoption("--accept-minutes", type=float, default=10.0, help="of the live run")
    group.addoption("--accept-fruit", type=int, default=2000, help="of the simulated recording")
    group.addoption("--accept-day-fruit", type=int, default=1_000_000, help="of the day of belt")
    group.addoption("--accept-seconds", type=float, default=20.0, help="of each benchmark")
    group.addoption("--accept-kills", type=int, default=100, help="of the station, with each kind of disk")
    group.addoption("--accept-fault-minutes", type=float, default=60.0, help="of one fault after the other")
    group.addoption("--accept-rate-minutes", type=float, default=30.0, help="at the full rate")
    group.addoption("--accept-fuzz-minutes", type=float, default=60.0, help="of fuzzing, on two cores")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--run-accept", default=False):
        return
    left_out = [item for item in items if HERE in item.path.parents]
    items[:] = [item for item in items if HERE not in item.path.parents]
    config.hook.pytest_deselected(items=left_out)


@pytest.fixture
def grader() -> Callable[..., str]:
    """Run a command to its end; what it printed. A command that fails fails the test with its words."""

    def typed(*words: object) -> str:
        command = [sys.executable, "-m", "grader", *map(str, words)]
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C.UTF-8"})
        assert done.returncode == 0, (
            f"{' '.join(map(str, words))}: status {done.returncode}\n{done.stdout}{done.stderr}"
        )
        return done.stdout

    return typed


@pytest.fixture
def figure() -> Iterator[Callable[..., None]]:
    """Print a figure with its spread and what was asked of it. One that misses fails the test when all are shown."""
    missed = []

    def stated(
        name: str, value: float, unit: str = "", *, most: float | None = None, least: float | None = None, of: str = ""
    ) -> None:
        is_kept = (most is None or value <= most) and (least is None or value >= least)  # NaN keeps no limit
        asked = "" if most is None else f"   asked: at most {most:g}"
        asked += "" if least is None else f"   asked: at least {least:g}"
        said = f"{name:<42} {value:12.6g} {unit:<8} {of}{asked}"
        print(f"{' ' if is_kept else '✗'} {said}")
        if not is_kept:
            missed.append(said)

    yield stated
    assert not missed, "\n".join(missed)


@pytest.fixture(autouse=True)
def _title(request: pytest.FixtureRequest) -> None:
    print(f"\n{request.node.name.removeprefix('test_').replace('_', ' ')}")
