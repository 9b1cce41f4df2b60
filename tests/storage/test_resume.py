"""A station that was stopped in any way finds in its journal where it goes on."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest
from test_journal import RUN, a_fruit, an_outcome

from grader.domain.decisions import Result
from grader.domain.events import Event, EventKind
from grader.domain.snapshot import FaultKind, Latched
from grader.station.unreported import not_known
from grader.storage.journal import open_journal, read_fruit, read_outcomes
from grader.storage.journal_file import APPLICATION_ID
from grader.storage.resume import where_to_go_on

A, B = (Event(kind=EventKind.LOT_OPENED, text="", values={"name": name}) for name in "AB")


def test_where_there_is_no_journal_there_is_nothing_to_go_on_with(tmp_path: Path) -> None:
    assert where_to_go_on(tmp_path / "journal.sqlite") is None


def test_a_journal_that_was_cut_off_while_it_was_made_is_none_yet(tmp_path: Path) -> None:
    making, cut_off = tmp_path / "making.sqlite", tmp_path / "journal.sqlite"
    cut_off.touch()
    assert where_to_go_on(cut_off) is None
    db = sqlite3.connect(making, isolation_level=None)
    db.execute("PRAGMA cache_size = 1")  # the half that is done goes to the disk
    db.execute("BEGIN")
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    for number in range(20):
        db.execute(f"CREATE TABLE part_{number} (x)")
    for end in ("", "-journal"):
        shutil.copyfile(f"{making}{end}", f"{cut_off}{end}")
    db.close()
    assert cut_off.stat().st_size > 0
    assert where_to_go_on(cut_off) is None
    journal = open_journal(cut_off, RUN)
    journal.commit([a_fruit(0, 1)], [])
    journal.close()
    resume = where_to_go_on(cut_off)
    assert resume is not None
    assert resume.last_serials == {0: 1}


def test_the_lot_that_was_last_opened_and_not_closed_is_open(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    journal = open_journal(path, RUN)

    def open_after(*events: Event) -> str | None:
        journal.commit([], [], events)
        resume = where_to_go_on(path)
        assert resume is not None
        return None if resume.open_lot is None else resume.open_lot.name

    def closed(name: str, **values: int) -> Event:
        return Event(kind=EventKind.LOT_CLOSED, text="", values={"name": name, **values})

    assert open_after() is None
    assert open_after(A) == "A"
    assert open_after(closed("A")) is None
    assert open_after(B) == "B"
    assert open_after(closed("A")) == "B", "it was followed by another"
    assert open_after(A, closed("A", withdrawn=1)) == "B"
    journal.close()


@pytest.mark.parametrize("ends", [[], [EventKind.RUN_ENDED], [EventKind.RUN_ENDED, EventKind.RUN_STARTED]])
def test_a_run_that_ended_by_order_is_told_from_one_that_was_cut_off(tmp_path: Path, ends: list[EventKind]) -> None:
    path = tmp_path / "journal.sqlite"
    journal = open_journal(path, RUN)
    journal.commit([], [], [Event(kind=kind, text="") for kind in (EventKind.RUN_STARTED, *ends)])
    journal.close()
    resume = where_to_go_on(path)
    assert resume is not None
    assert resume.ended == (ends == [EventKind.RUN_ENDED])


def test_every_fruit_that_had_a_gate_has_one_outcome_after_the_station_went_on(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    journal = open_journal(path, RUN)
    journal.commit([a_fruit(0, cup) for cup in range(4)], [an_outcome(0, 0), an_outcome(0, 1, Result.LATE)])
    journal.commit([a_fruit(1, 7, outlet=0), a_fruit(1, 8, gate_outcome="late")], [])
    journal.close()  # as it lies after a kill: two fruit with gates of which nothing is known

    resume = where_to_go_on(path)
    assert resume is not None
    assert resume.unreported == ((0, 2, 3), (0, 3, 3))
    assert resume.last_serials == {0: 3, 1: 8}

    again = open_journal(path, RUN)
    again.commit([], not_known(RUN.installation, resume.unreported))
    again.close()
    assert [record.gate_outcome for record in read_fruit(path)] == ["fired", "late", "unknown", "unknown", "", "late"]
    outcomes = [(found.lane, found.cup) for found in read_outcomes(path)]
    assert sorted(outcomes) == [(0, 0), (0, 1), (0, 2), (0, 3)]
    after = where_to_go_on(path)
    assert after is not None
    assert after.unreported == ()


def test_when_it_was_last_alive_is_when_anything_was_last_written(tmp_path: Path) -> None:
    path, now = tmp_path / "journal.sqlite", RUN.started_wall_s

    def alive() -> float:
        resume = where_to_go_on(path)
        assert resume is not None
        return resume.last_alive_wall_s

    journal = open_journal(path, RUN, wall_s=lambda: now)
    assert alive() == RUN.started_wall_s
    for use in (
        lambda: journal.commit([a_fruit(0, 1)], []),
        lambda: journal.commit([], [], [A]),
        lambda: journal.remember("scale", 1),
    ):
        now += 10
        use()
        assert alive() == now
    journal.close()


def test_a_journal_of_the_first_version_can_be_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    db = sqlite3.connect(path)
    db.executescript((Path(__file__).parent / "journal_v1.sql").read_text())
    db.close()
    resume = where_to_go_on(path)
    assert resume is not None
    assert (resume.last_serials, resume.lots, resume.ended) == ({0: 2, 1: 7}, (), False)
    assert resume.unreported == ((0, 2, 3),)
    assert resume.last_alive_wall_s == RUN.started_wall_s


@pytest.mark.parametrize(
    ("happened", "latched"),
    [
        ([], None),
        (["fault"], "fault 0"),
        (["fault", "reset"], None),
        (["fault", "reset", "fault"], "fault 2"),
        (["fault", "run_ended", "run_started"], "fault 0"),
        (["run_started", "state_changed"], None),
    ],
)
def test_a_fault_stays_until_a_person_resets_it_however_often_the_station_is_started(
    tmp_path: Path, happened: list[str], latched: str | None
) -> None:
    journal = open_journal(tmp_path / "journal.sqlite", RUN)
    for number, kind in enumerate(happened):
        event = Event(kind=EventKind(kind), text=f"{kind} {number}", values={"kind": FaultKind.CAMERA.value})
        journal.commit([], [], [event])
    journal.close()
    resume = where_to_go_on(tmp_path / "journal.sqlite")
    assert resume is not None
    assert resume.latched == (None if latched is None else Latched(latched, FaultKind.CAMERA))


@pytest.mark.parametrize("values", [{}, {"kind": "of a later program"}, {"kind": 7}])
def test_a_fault_of_a_kind_that_is_not_known_stays_too(tmp_path: Path, values: dict[str, float | int | str]) -> None:
    journal = open_journal(tmp_path / "journal.sqlite", RUN)
    journal.commit([], [], [Event(kind=EventKind.FAULT, text="odd", values=values)])
    journal.close()
    resume = where_to_go_on(tmp_path / "journal.sqlite")
    assert resume is not None
    assert resume.latched == Latched("odd", FaultKind.OTHER)
