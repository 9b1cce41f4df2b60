"""A backup is one whole moment of the journal, checked, and there all at once or not at all."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from a_writer import FRUIT, commit_batch
from test_journal import RUN, a_fruit, a_journal_of_version_1, start_writer
from test_power_cut import batches_in, go_on_with, log_of

from grader.errors import JournalError
from grader.storage.backup import back_up
from grader.storage.journal import SqliteJournal, open_journal, read_fruit
from grader.storage.journal_file import bring_up_to_date


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


@pytest.fixture
def journal(path: Path) -> Iterator[SqliteJournal]:
    opened = open_journal(path, RUN)
    for number in range(40):
        commit_batch(opened, number)
    yield opened
    opened.close()


def test_a_journal_that_is_open_is_copied_with_what_is_in_its_log(
    journal: SqliteJournal, path: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "elsewhere.sqlite"
    shares: list[float] = []
    assert back_up(path, copy, shares.append) == 40 * FRUIT
    assert read_fruit(copy) == read_fruit(path)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert sorted(file.name for file in tmp_path.iterdir() if file.name.startswith("elsewhere")) == [copy.name]


def test_a_copy_can_be_read_where_nothing_can_be_written_and_gone_on_with(
    journal: SqliteJournal, path: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "elsewhere.sqlite"
    back_up(path, copy)
    with closing(sqlite3.connect(f"{copy.as_uri()}?immutable=1", uri=True)) as db:
        assert db.execute("SELECT COUNT(*) FROM fruit").fetchone() == (40 * FRUIT,)
        assert db.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    go_on_with(copy, 40)
    assert batches_in(copy) == 41


def test_a_copy_made_while_a_station_writes_is_one_moment(path: Path) -> None:
    copy = path.with_name("copy.sqlite")
    with start_writer(path, batches=1_000_000) as writer:
        assert writer.stdout is not None
        for number in range(5):
            confirmed = int(writer.stdout.readline())
            fruit = back_up(path, copy)
            assert fruit >= FRUIT * (confirmed + 1)
            kept = [record.cup for record in read_fruit(copy)]
            assert kept == list(range(fruit)), number
            assert fruit % FRUIT == 0
        writer.kill()
    assert len(read_fruit(path)) > fruit


def test_a_copy_ends_although_something_is_written_between_all_of_its_pieces(
    journal: SqliteJournal, path: Path, tmp_path: Path
) -> None:
    journal.commit([a_fruit(1, cup) for cup in range(15_000)], [])
    shares: list[float] = []

    def meanwhile(share: float) -> None:
        shares.append(share)
        assert len(shares) < 100, "it begins again and again"
        commit_batch(journal, 39 + len(shares))

    assert back_up(path, tmp_path / "copy.sqlite", meanwhile) == 15_000 + 40 * FRUIT
    assert len(shares) > 3
    assert shares == sorted(shares)
    assert len(read_fruit(path)) == 15_000 + FRUIT * (40 + len(shares))


def test_an_earlier_backup_is_replaced_and_nothing_else_is(journal: SqliteJournal, path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.sqlite"
    back_up(path, copy)
    commit_batch(journal, 40)
    assert back_up(path, copy) == 41 * FRUIT

    letter = tmp_path / "letter.txt"
    letter.write_text("dear grower")
    for place, problem in ((letter, "journal"), (path, "the journal itself")):
        with pytest.raises(JournalError, match=problem):
            back_up(path, place)
    assert letter.read_text() == "dear grower"
    other = open_journal(tmp_path / "other.sqlite", RUN)
    commit_batch(other, 0)
    with pytest.raises(JournalError, match="in use"):
        back_up(path, other.path)
    other.close()


def test_a_backup_that_fails_leaves_the_earlier_one_and_no_part(
    journal: SqliteJournal, path: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.sqlite"
    back_up(path, copy)
    before = copy.read_bytes()
    for number in range(40, 80):
        commit_batch(journal, number)
    program = f"""
import resource, sys
from pathlib import Path
from grader.errors import JournalError
from grader.storage.backup import back_up
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    back_up(Path({str(path)!r}), Path({str(copy)!r}))
except JournalError as problem:
    print(problem)
"""
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert "cannot be" in said
    assert str(copy) in said
    assert copy.read_bytes() == before
    assert not copy.with_name("copy.sqlite.part").exists()


def test_a_journal_whose_pages_are_damaged_gives_no_backup(journal: SqliteJournal, path: Path, tmp_path: Path) -> None:
    journal.close()
    with closing(sqlite3.connect(path)) as db:
        (page,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'outcome'").fetchone()
        (size,) = db.execute("PRAGMA page_size").fetchone()
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\x0d" + b"\xff" * 200)
    with pytest.raises(JournalError, match=r"not sound|malformed"):
        back_up(path, tmp_path / "copy.sqlite")
    assert not (tmp_path / "copy.sqlite").exists()
    assert not log_of(path).exists() or log_of(path).stat().st_size == 0


def test_what_is_no_journal_is_not_backed_up(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="there is no journal"):
        back_up(tmp_path / "journal.sqlite", tmp_path / "copy.sqlite")
    with pytest.raises(JournalError):
        back_up(tmp_path, tmp_path / "copy.sqlite")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_said(journal: SqliteJournal, path: Path, tmp_path: Path) -> None:
    with pytest.raises(JournalError, match=r"missing/copy\.sqlite"):
        back_up(path, tmp_path / "missing" / "copy.sqlite")


def test_the_backup_before_an_upgrade_is_the_way_back(path: Path, tmp_path: Path) -> None:
    """As docs/service.md has it typed: back up, let the newer program have the journal, put the backup in its place."""
    before, line_after = tmp_path / "before.sqlite", tmp_path / "after.sqlite"
    a_journal_of_version_1(path)
    fruit = read_fruit(path)
    assert back_up(path, before) == len(fruit)
    newer = open_journal(path, RUN)
    newer.commit([a_fruit(0, 3)], [])
    newer.close()
    path.rename(line_after)
    shutil.copyfile(before, path)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (1,), "the older program opens it"
        assert db.execute("SELECT name FROM sqlite_master WHERE name = 'event'").fetchone() is None
    assert read_fruit(path) == fruit
    assert len(read_fruit(line_after)) == len(fruit) + 1, "what was sorted since is kept"


def test_an_upgrade_that_is_cut_off_leaves_the_older_journal(path: Path) -> None:
    a_journal_of_version_1(path)
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("BEGIN IMMEDIATE")
    bring_up_to_date(db, path)
    db.close()  # before it is committed, as by a kill
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (1,)
    open_journal(path, RUN).close()
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (2,)
