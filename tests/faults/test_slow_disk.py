"""A journal that cannot be written: no gate opens for what is not in it, and everything comes into it in the end."""

from __future__ import annotations

import resource
import sqlite3
import time

from rig import Floor, StationProcess, until

from grader.domain.decisions import Result
from grader.domain.events import EventKind
from grader.domain.snapshot import FindingKind, State

HELD_S = 2.0


def test_gates_wait_for_a_journal_that_another_program_holds_and_no_fruit_is_lost(
    station: StationProcess, floor: Floor
) -> None:
    told, cup, known = len(floor.events(EventKind.JOURNAL)), floor.next_cup(), len(floor.outcomes())
    other = sqlite3.connect(floor.journal, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    time.sleep(HELD_S)  # this is the fault
    assert station.shown().journal.fruit_waiting > 10
    assert station.found(FindingKind.JOURNAL)
    other.execute("ROLLBACK")
    other.close()
    until(lambda: station.shown().journal.fruit_waiting == 0, "all is written")
    station.until_sorting()
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
