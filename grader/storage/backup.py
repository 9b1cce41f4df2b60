"""A copy of a journal that may be written at the same time: whole, checked, and there all at once or not at all."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from grader.errors import JournalError
from grader.storage.journal_file import in_words, reading

_PAGES_AT_ONCE = 256
"""1 MB goes to the disk at a time: a station's commits on the same disk wait for no more than that."""


def back_up(path: Path, to: Path, progress: Callable[[float], None] = lambda share: None) -> int:
    """Copy the journal as it is at this moment; returns how many fruit the copy has.

    The station goes on meanwhile; its log grows until the copy is made. What an earlier backup had there stays until
    the new one is whole. The copy is one file, without a log beside it. progress: share that is copied, 0 to 1.
    Raises JournalError when there is no journal, when something else stands in the copy's place, and when the copy
    cannot be written or is not sound.
    """
    part = to.with_name(f"{to.name}.part")
    with reading(path) as source:
        _require_place(path, to)
        try:
            with in_words(to, "written"):
                fruit = _copy(source, part, progress)
                _make_durable(part)
                part.replace(to)
                _make_durable(to.parent)
        finally:
            part.unlink(missing_ok=True)
    return fruit


def _copy(source: sqlite3.Connection, part: Path, progress: Callable[[float], None]) -> int:
    part.unlink(missing_ok=True)  # of a backup that was killed
    with closing(sqlite3.connect(part, isolation_level=None)) as copy:
        copy.execute("PRAGMA synchronous = OFF")  # made durable piece by piece, below

        copy.execute("PRAGMA cache_size = 16")  # what is copied is written at once

        def told(status: int, left: int, pages: int) -> None:
            _make_durable(part)
            progress(1.0 - left / max(pages, 1))

        # The source is within a transaction: what is written meanwhile does not make the copy begin again.
        source.backup(copy, pages=_PAGES_AT_ONCE, progress=told)
        copy.execute("PRAGMA journal_mode = DELETE")
        wrong = [text for (text,) in copy.execute("PRAGMA integrity_check") if text != "ok"]
        if wrong:
            raise JournalError(f"{part}: the copy is not sound: {wrong[0]}; check the journal and the disk")
        return int(copy.execute("SELECT COUNT(*) FROM fruit").fetchone()[0])


def _require_place(path: Path, to: Path) -> None:
    if not to.exists():
        return
    if to.samefile(path):
        raise JournalError(f"{to}: is the journal itself; name another file")
    if to.with_name(f"{to.name}-wal").exists():
        raise JournalError(f"{to}: is a journal that is in use; name another file")
    with reading(to):  # whatever is no journal is not replaced
        pass


def _make_durable(path: Path) -> None:
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
