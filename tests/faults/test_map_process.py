"""Skins are mapped by a process of their own: without it the line goes on, and says so."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

from rig import Floor, StationProcess, flagged, until

from grader.domain.flags import Flag
from grader.domain.snapshot import FindingKind, State


def map_process_of(station: StationProcess) -> int:
    """The only child that a station starts."""
    station_pid = station.process.pid
    tasks = Path(f"/proc/{station_pid}/task").glob("*/children")
    children = [int(child) for task in tasks for child in task.read_text().split()]
    workers = [child for child in children if "spawn_main" in Path(f"/proc/{child}/cmdline").read_text()]
    assert len(workers) == 1, workers
    return workers[0]


def is_mapped(floor: Floor, since: int = 0) -> bool:
    """The latest fruit is, of those in cups from this serial on."""
    fruit = floor.fruit(since)
    return bool(fruit) and not fruit[-1].flags & Flag.NO_MAP


def test_a_map_process_that_was_killed_is_begun_again_and_fruit_without_a_map_are_graded_by_their_views(
    station: StationProcess, floor: Floor
) -> None:
    until(lambda: is_mapped(floor), "maps are made")
    cup, worker = floor.next_cup(), map_process_of(station)
    os.kill(worker, signal.SIGKILL)
    without = until(lambda: flagged(floor.fruit(cup), Flag.NO_MAP), "fruit that could not be mapped")
    assert all(record.values["blush_fraction"] is not None for record in without if not record.flags & Flag.NOT_SEEN)
    until(lambda: is_mapped(floor, cup), "fruit are mapped again")
    assert map_process_of(station) != worker
    station.until_not_found(FindingKind.MAPS)


def test_a_map_process_that_hangs_holds_no_fruit_up_and_each_lane_says_that_its_maps_are_late(
    station: StationProcess, floor: Floor
) -> None:
    cup, worker = floor.next_cup(), map_process_of(station)
    os.kill(worker, signal.SIGSTOP)
    resume = threading.Timer(60.0, os.kill, (worker, signal.SIGCONT))  # should the test fail
    resume.start()
    try:
        station.until_found(FindingKind.NO_MAP)
        assert station.shown().state is State.RUNNING
    finally:
        resume.cancel()
        resume.join()
        os.kill(worker, signal.SIGCONT)
    until(lambda: is_mapped(floor, cup), "fruit are mapped again")
    station.until_not_found(FindingKind.NO_MAP)
