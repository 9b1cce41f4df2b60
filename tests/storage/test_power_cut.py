"""What was confirmed is there after a kill, after a power cut, and in files copied while they were written."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from a_writer import FRUIT, commit_batch
from test_journal import RUN

from grader.storage.journal import open_journal
from grader.storage.resume import where_to_go_on


def log_of(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def batches_in(path: Path) -> int:
    """How many batches the journal holds: all whole, from the first on, none twice, and the file is sound."""
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA synchronous = OFF")  # what the closing folds in is for this test alone
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        cups = [cup for (cup,) in db.execute("SELECT cup FROM fruit ORDER BY rowid")]
        outcomes = [cup for (cup,) in db.execute("SELECT cup FROM outcome ORDER BY id")]
        (events,) = db.execute("SELECT COUNT(*) FROM event").fetchone()
    assert cups == outcomes == list(range(len(cups)))
    assert len(cups) % FRUIT == 0
    assert events * FRUIT == len(cups)
    return len(cups) // FRUIT


def go_on_with(path: Path, batch: int) -> None:
    """It can be written on, after its last fruit."""
    journal = open_journal(path, RUN)
    commit_batch(journal, batch)
    journal.close()


def test_a_log_that_is_torn_anywhere_holds_every_commit_before_the_tear(tmp_path: Path) -> None:
    """The disk kept the log up to a place only, or has rubbish in a sector: the journal itself says nothing of it."""
    path, rng = tmp_path / "journal.sqlite", random.Random(1)
    journal = open_journal(path, RUN)
    ends = []
    for number in range(60):
        commit_batch(journal, number)
        ends.append(log_of(path).stat().st_size)
    whole, log = path.read_bytes(), log_of(path).read_bytes()
    journal.close()
    assert ends == sorted(set(ends)), "nothing was folded in meanwhile"

    copy = tmp_path / "copy.sqlite"
    for turn in range(200):
        torn_at = rng.randrange(len(log))
        if turn % 2:
            torn_at -= torn_at % 512
            torn = log[:torn_at] + rng.randbytes(512) + log[torn_at + 512 :]
        else:
            torn = log[:torn_at]
        copy.write_bytes(whole)
        log_of(copy).write_bytes(torn)
        kept = sum(end <= torn_at for end in ends)
        assert batches_in(copy) == kept, (turn, torn_at)
        if turn % 10 == 0:
            go_on_with(copy, kept)
            assert batches_in(copy) == kept + 1


class Writer:
    """The process of `a_writer.py`, and the last batch that it said was written."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process, self.acknowledged, self.child = process, -1, 0
        self._unread = b""

    def start_child(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")
        self._process.stdin.flush()

    def words(self, until: str) -> None:
        """Take in what it says, until it says a word that begins like this."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if self._take(line.decode().split()) == until:
                return
        raise AssertionError("the writer ended by itself")

    def _take(self, words: list[str]) -> str:
        if words[0] == "child":
            self.child = int(words[1])
        elif words[0] == "opened":  # what it found is confirmed by that
            self.acknowledged = int(words[1]) - 1
        elif words[0].isdigit():
            self.acknowledged = int(words[0])
            return "batch"
        return words[0]


@contextmanager
def a_writer(path: Path, pause_s: float, checkpoint_s: float) -> Iterator[Writer]:
    program = [sys.executable, str(Path(__file__).with_name("a_writer.py")), str(path), str(pause_s), str(checkpoint_s)]
    places = {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), str(Path(__file__).parent)])}
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, env=places) as process:
        writer = Writer(process)
        try:
            yield writer
        finally:
            process.kill()


def test_a_station_that_is_killed_again_and_again_loses_nothing_that_was_confirmed(tmp_path: Path) -> None:
    path, rng = tmp_path / "journal.sqlite", random.Random(2)
    with a_writer(path, pause_s=0.0, checkpoint_s=0.003) as writer:
        kept = 0
        for _ in range(60):
            writer.start_child()
            writer.words(until="opened")
            assert writer.acknowledged == kept - 1
            for _ in range(rng.randrange(8)):
                writer.words(until="batch")
            killed_at = time.perf_counter() + rng.random() * 0.004
            while time.perf_counter() < killed_at:
                pass
            os.kill(writer.child, signal.SIGKILL)
            writer.words(until="dead")
            resume = where_to_go_on(path)  # from the files as they lie
            # The batch that the kill interrupted is there whole, unconfirmed, or not at all.
            kept = batches_in(path)
            assert kept in (writer.acknowledged + 1, writer.acknowledged + 2)
            assert resume is not None
            assert (resume.unreported, resume.ended) == ((), False)
            assert resume.last_serials == ({0: kept * FRUIT - 1} if kept else {})


def test_files_copied_while_they_are_written_hold_all_that_was_confirmed_before(tmp_path: Path) -> None:
    """As after a power cut, or from a copy that knows nothing of databases: first the file, then its log.

    A log that was begun anew in between does not belong to the file that was copied before it: no disk would hold
    the two together, and the pair is copied again.
    """
    path, copy, rng = tmp_path / "journal.sqlite", tmp_path / "copy.sqlite", random.Random(3)
    copied = 0
    with a_writer(path, pause_s=0.001, checkpoint_s=0.1) as writer:
        writer.start_child()
        writer.words(until="opened")
        while copied < 100:
            for _ in range(rng.randrange(1, 4)):
                writer.words(until="batch")
            confirmed = writer.acknowledged
            began = log_of(path).read_bytes()[:32]
            shutil.copyfile(path, copy)
            log = log_of(path).read_bytes()
            if log[:32] != began:
                continue
            log_of(copy).write_bytes(log)
            shm = copy.with_name(copy.name + "-shm")
            if rng.random() < 0.5:
                shutil.copyfile(path.with_name(path.name + "-shm"), shm)
            else:
                shm.unlink(missing_ok=True)
            kept = batches_in(copy)
            assert kept > confirmed
            if copied % 20 == 0:
                go_on_with(copy, kept)
                assert batches_in(copy) == kept + 1
            copied += 1
        os.kill(writer.child, signal.SIGKILL)
