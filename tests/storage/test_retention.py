"""Old journals and pictures go whole, the oldest first; what is still needed stays and says why."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from a_writer import commit_batch
from test_journal import RUN, start_writer

from grader.domain.events import Event, EventKind
from grader.errors import BadFile
from grader.storage.journal import open_journal, read_fruit
from grader.storage.retention import DAY_S, Found, Keep, remove, to_remove

NOW = 1_800_000_000.0
ALL = Keep()


def lot(kind: EventKind) -> Event:
    return Event(kind=kind, text="", values={"name": "A"})


def a_run(folder: Path, days_ago: float, *events: Event) -> Path:
    """A run's folder as a station leaves it."""
    path = folder / f"run-{days_ago}" / "journal.sqlite"
    path.parent.mkdir()
    journal = open_journal(path, RUN)
    commit_batch(journal, 0)
    journal.commit([], [], events)
    journal.close()
    (path.parent / "summary.json").write_text("{}")
    return aged(path, days_ago)


def aged(path: Path, days_ago: float) -> Path:
    os.utime(path, (NOW - days_ago * DAY_S,) * 2)
    return path


def looked(folder: Path, journals: Keep = ALL, pictures: Keep = ALL) -> Found:
    return to_remove(folder, journals=journals, pictures=pictures, now_s=NOW)


def removable(folder: Path, journals: Keep = ALL, pictures: Keep = ALL) -> list[Path]:
    return [stored.path for stored in looked(folder, journals, pictures).removable]


def test_what_was_last_written_too_long_ago_goes_the_oldest_first(tmp_path: Path) -> None:
    older, old, _, _ = (a_run(tmp_path, days) for days in (90, 31, 29, 0))
    assert removable(tmp_path, Keep(days=30)) == [older, old]
    assert removable(tmp_path) == []


def test_as_many_of_the_oldest_go_as_are_too_much(tmp_path: Path) -> None:
    first, second, third = (a_run(tmp_path, days) for days in (3, 2, 1))
    each = first.stat().st_size
    assert removable(tmp_path, Keep(size=3 * each)) == []
    assert removable(tmp_path, Keep(size=3 * each - 1)) == [first]
    assert removable(tmp_path, Keep(size=each)) == [first, second]
    assert removable(tmp_path, Keep(size=0)) == [first, second], f"{third} is the newest"


def test_a_journal_with_a_lot_that_is_open_stays_however_old(tmp_path: Path) -> None:
    still_open = a_run(tmp_path, 400, lot(EventKind.LOT_OPENED))
    closed = a_run(tmp_path, 300, lot(EventKind.LOT_OPENED), lot(EventKind.LOT_CLOSED))
    newest = a_run(tmp_path, 200)
    found = looked(tmp_path, Keep(days=1))
    assert [stored.path for stored in found.removable] == [closed]
    assert [(stored.path, why) for stored, why in found.staying] == [(still_open, "open_lot"), (newest, "newest")]


def test_a_journal_that_a_station_writes_stays_even_when_it_is_opened_at_the_last_moment(tmp_path: Path) -> None:
    path = a_run(tmp_path, 400)
    a_run(tmp_path, 0)
    (stored,) = looked(tmp_path, Keep(days=1)).removable
    with start_writer(path, batches=1_000_000) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        aged(path, 400)
        assert not remove(stored)
        assert [why for _, why in looked(tmp_path, Keep(size=0)).staying] == ["in_use", "newest"]
        writer.kill()
    assert len(read_fruit(path)) > 0


def test_a_journal_that_cannot_be_read_stays(tmp_path: Path) -> None:
    path = a_run(tmp_path, 400)
    with path.open("r+b") as file:
        file.seek(100)
        file.write(b"\xff" * 2000)
    aged(path, 400)
    a_run(tmp_path, 0)
    assert [why for _, why in looked(tmp_path, Keep(days=1)).staying] == ["unreadable"]


def test_a_journal_goes_with_its_log_and_what_lies_beside_it_stays(tmp_path: Path) -> None:
    path = a_run(tmp_path, 400)
    a_run(tmp_path, 0)
    for end in ("-wal", "-shm"):
        path.with_name(path.name + end).touch()
    for stored in looked(tmp_path, Keep(days=1)).removable:
        assert remove(stored)
    assert [file.name for file in path.parent.iterdir()] == ["summary.json"]


def test_reading_a_journal_makes_it_no_younger(tmp_path: Path) -> None:
    path = a_run(tmp_path, 400)
    a_run(tmp_path, 0)
    read_fruit(path)
    assert removable(tmp_path, Keep(days=399)) == [path]


def test_pictures_have_limits_of_their_own_and_go_one_by_one(tmp_path: Path) -> None:
    journal = a_run(tmp_path, 400)
    a_run(tmp_path, 0)
    shots = []
    for days in (9, 8, 7):
        shot = journal.parent / "pictures" / "lot-1" / f"{days}.jpg"
        shot.parent.mkdir(parents=True, exist_ok=True)
        shot.write_bytes(b"1234")
        shots.append(aged(shot, days))
    assert removable(tmp_path, pictures=Keep(days=7.5)) == shots[:2]
    assert removable(tmp_path, pictures=Keep(size=4)) == shots[:2]
    assert removable(tmp_path, journals=Keep(days=30)) == [journal]
    assert [remove(stored) for stored in looked(tmp_path, pictures=Keep(size=0)).removable] == [True] * 3
    assert journal.exists()
    assert not any(shot.exists() for shot in shots)


def test_nothing_but_journals_and_pictures_is_ever_named(tmp_path: Path) -> None:
    a_run(tmp_path, 400)
    a_run(tmp_path, 0)
    (tmp_path / "someone_else.sqlite").write_bytes(b"SQLite format 3\0" + b"\0" * 200)
    (tmp_path / "empty.sqlite").touch()
    (tmp_path / "link.sqlite").symlink_to(tmp_path / "run-400" / "journal.sqlite")
    (tmp_path / "fruit.csv").write_text("lane,cup\n")
    assert removable(tmp_path, Keep(size=0), Keep(size=0)) == [tmp_path / "run-400" / "journal.sqlite"]


def test_a_folder_that_is_none_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="is no folder"):
        looked(tmp_path / "missing")
