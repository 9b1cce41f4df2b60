"""Which journals and pictures are kept: files by kind, the oldest go first, always whole ones.

A journal is never made shorter: it stays or it goes. One stays, whatever was asked for, while a station writes it,
while a lot is open in it, when it cannot be read, and when it is the newest. Pictures lie in folders named `pictures`
and have limits of their own. Nothing else in the folder is touched.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Literal, NamedTuple

from grader.errors import BadFile, JournalError
from grader.storage.journal_file import APPLICATION_ID
from grader.storage.one_writer import OneWriter
from grader.storage.resume import where_to_go_on

PICTURES = "pictures"
DAY_S = 86_400.0

Why = Literal["in_use", "open_lot", "newest", "unreadable"]


class Keep(NamedTuple):
    """How much of a kind is kept; None: no limit. days: since it was last written."""

    days: float | None = None
    size: int | None = None


class Stored(NamedTuple):
    """A journal with its log, or a picture. size: bytes. written_wall_s: when last, seconds since 1970."""

    kind: Literal["journal", "picture"]
    path: Path
    size: int
    written_wall_s: float


class Found(NamedTuple):
    """What the limits say. removable: the oldest first. staying: what they would take, and why it is not taken."""

    removable: list[Stored]
    staying: list[tuple[Stored, Why]]


def to_remove(folder: Path, *, journals: Keep, pictures: Keep, now_s: float | None = None) -> Found:
    """Look through the folder and all in it. now_s: the wall clock, if it is not now. Raises BadFile, OSError."""
    if not folder.is_dir():
        raise BadFile(folder, "is no folder", remedy="name the folder that the runs are in")
    now_s = time.time() if now_s is None else now_s
    books = sorted(_journals(folder), key=_age)
    removable, staying = [], []
    for stored in _beyond(books, journals, now_s):
        why = _why_it_stays(stored, newest=books[-1])
        if why is None:
            removable.append(stored)
        else:
            staying.append((stored, why))
    shots = sorted(_pictures(folder), key=_age)
    return Found([*removable, *_beyond(shots, pictures, now_s)], staying)


def remove(stored: Stored) -> bool:
    """Take it away for good; False for a journal that a station has opened since. Raises OSError."""
    if stored.kind == "picture":
        stored.path.unlink(missing_ok=True)
        with suppress(OSError):  # the last one takes its folder along
            stored.path.parent.rmdir()
        return True
    try:
        lock = OneWriter(stored.path)
    except JournalError:
        return False
    try:
        # The log goes last: alone it is nothing, while a journal without its log would be a shorter one.
        for file in (stored.path, *_beside(stored.path)):
            file.unlink(missing_ok=True)
    finally:
        lock.release()
    return True


def _age(stored: Stored) -> float:
    return stored.written_wall_s


def _beyond(oldest_first: list[Stored], keep: Keep, now_s: float) -> Iterator[Stored]:
    """Those that are too old, and as many of the oldest as are too much."""
    left = sum(stored.size for stored in oldest_first)
    for stored in oldest_first:
        too_old = keep.days is not None and now_s - stored.written_wall_s > keep.days * DAY_S
        if too_old or (keep.size is not None and left > keep.size):
            left -= stored.size
            yield stored


def _why_it_stays(stored: Stored, newest: Stored) -> Why | None:
    try:
        OneWriter(stored.path).release()
    except JournalError:
        return "in_use"
    if stored is newest:
        return "newest"
    try:
        resume = where_to_go_on(stored.path)
    except JournalError:
        return "unreadable"
    return "open_lot" if resume is not None and resume.open_lot is not None else None


def _journals(folder: Path) -> Iterator[Stored]:
    for path in folder.rglob("*.sqlite"):
        if path.is_file() and not path.is_symlink() and _is_journal(path):
            log, _ = _beside(path)
            # A reader leaves an empty log: that makes no journal younger.
            states = [file.stat() for file in (path, log) if file == path or (log.exists() and log.stat().st_size)]
            yield Stored(
                "journal", path, sum(state.st_size for state in states), max(state.st_mtime for state in states)
            )


def _pictures(folder: Path) -> Iterator[Stored]:
    for pictures in folder.rglob(PICTURES):
        for path in pictures.rglob("*"):
            if path.is_file() and not path.is_symlink() and ".sqlite" not in path.name:
                with suppress(FileNotFoundError):  # a draft that has become a picture meanwhile
                    state = path.stat()
                    yield Stored("picture", path, state.st_size, state.st_mtime)


def _is_journal(path: Path) -> bool:
    """By the number that SQLite keeps at byte 68 of the file."""
    with path.open("rb") as file:
        return file.read(72)[68:] == APPLICATION_ID.to_bytes(4, "big")


def _beside(path: Path) -> tuple[Path, Path]:
    """Its log, and the log's index."""
    return path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")
