"""A journal that cannot be written: no gate opens for what is not in it, and everything comes into it in the end."""

from __future__ import annotations

import resource
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from rig import Floor, StationProcess, until

from grader.domain.decisions import Result
from grader.domain.events import EventKind
from grader.domain.snapshot import FindingKind, State
from grader.storage.retention import PICTURES

HELD_S = 2.0


def test_gates_wait_for_a_journal_that_another_program_holds_and_no_fruit_is_lost(
    station: StationProcess, floor: Floor
) -> None:
    until(lambda: station.shown().pictures.kept, "pictures are kept")
    before = station.shown().pictures
    told, cup, known = len(floor.events(EventKind.JOURNAL)), floor.next_cup(), len(floor.outcomes())
    other = sqlite3.connect(floor.journal, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    time.sleep(HELD_S)  # this is the fault
    held = station.shown()
    assert held.journal.fruit_waiting > 10
    assert station.found(FindingKind.JOURNAL)
    other.execute("ROLLBACK")
    other.close()
    assert held.pictures.dropped > before.dropped + 5, "pictures are what is dropped first"
    until(lambda: station.shown().journal.fruit_waiting == 0, "all is written")
    station.until_sorting()
    until(lambda: station.shown().pictures.kept > held.pictures.kept, "pictures are kept again")
    assert station.shown().state is State.RUNNING
    late = [each for each in floor.outcomes(known) if each.result is Result.LATE]
    assert {each.reason for each in late} == {"less than the lead was left: the journal was behind"}
    assert floor.without_a_row(range(cup, floor.next_cup() - 1)) == []
    assert floor.events(EventKind.JOURNAL)[told].event.values["state"] == "stalled"


def test_a_full_disk_stops_gates_and_not_the_station_and_all_is_written_when_there_is_room(
    station: StationProcess, floor: Floor
) -> None:
    cup = floor.next_cup()
    pid, (soft, hard) = station.process.pid, resource.prlimit(station.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, hard))
    try:
        until(lambda: station.shown().journal.fruit_waiting > 20, "fruit that cannot be written")
        station.until_found(FindingKind.JOURNAL)
        assert station.shown().state is State.RUNNING
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))
    until(lambda: station.shown().journal.fruit_waiting == 0, "all is written")
    station.until_sorting()
    assert floor.without_a_row(range(cup, floor.next_cup() - 1)) == []


def test_a_disk_that_is_nearly_full_takes_no_pictures_and_every_fruit(
    tmp_path: Path, pictures: Path, station_on: Callable[..., StationProcess]
) -> None:
    floor = Floor(tmp_path / "floor", pictures, least_free_bytes=10**15)
    try:
        station = station_on(floor)
        station.until_found(FindingKind.PICTURES)
        station.until_sorting()
        assert station.shown().pictures.kept == 0 < station.shown().pictures.dropped
        assert not (floor.folder / PICTURES).exists()
        assert "MB are left to the journal" in station.said()
    finally:
        floor.close()
