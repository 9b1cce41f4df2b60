"""Where a station goes on that was stopped, killed or left without power: all from its journal."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import msgspec

from grader.domain.events import Event, EventKind
from grader.domain.installation import Installation
from grader.domain.lots import NO_LOT, LotRecord
from grader.domain.snapshot import FaultKind, Latched
from grader.storage.journal import events_in, last_serials
from grader.storage.journal_file import OPENING_S, in_words, reading, version_of
from grader.storage.lots import OF_LOTS, lots_written

_OF_RUNS = (EventKind.RUN_STARTED, EventKind.RUN_ENDED)
_OF_FAULTS = (EventKind.FAULT, EventKind.RESET)


class Unreported(NamedTuple):
    """A fruit whose gate was, or was to be, commanded, and of whose gate nothing was written."""

    lane: int
    cup: int
    outlet: int


class Resume(msgspec.Struct, frozen=True, kw_only=True):
    """Where a journal stopped.

    last_serials: the highest cup of each lane that has fruit; serials go on after it. lots: every stretch of the belt,
    oldest first. furthest_pulse: that anything was written of beside fruit: a lot may begin, or end, far behind the
    last of them. unreported: by lane and cup. last_alive_wall_s: when anything was last written, seconds since 1970.
    ended: by order, and not by a kill or a power cut. latched: the fault that nobody has reset.
    """

    last_serials: dict[int, int]
    lots: tuple[LotRecord, ...]
    furthest_pulse: int
    unreported: tuple[Unreported, ...]
    last_alive_wall_s: float
    ended: bool
    latched: Latched | None = None

    @property
    def open_lot(self) -> LotRecord | None:
        """The lot that fruit belong to when the station goes on; None where none was opened, or the last is closed."""
        return self.lots[-1] if self.lots and self.lots[-1].name != NO_LOT else None


def where_to_go_on(path: Path) -> Resume | None:
    """Read it before the journal is opened for writing; None where there is no journal yet. Raises JournalError."""
    _take_back_what_was_cut_off(path)
    if not path.exists() or not path.stat().st_size:  # stopped before it was made
        return None
    with reading(path) as db:
        installations = db.execute("SELECT installation FROM run").fetchall()
        lanes = max((msgspec.json.decode(told, type=Installation).line.lanes for (told,) in installations), default=0)
        events = [written.event for written in events_in(db, path, (*OF_LOTS, *_OF_RUNS, *_OF_FAULTS))]
        of_the_run = [event.kind for event in events if event.kind in _OF_RUNS]
        of_faults = [event for event in events if event.kind in _OF_FAULTS]
        return Resume(
            last_serials=last_serials(db, path),
            lots=tuple(lots_written((event for event in events if event.kind in OF_LOTS), lanes)),
            furthest_pulse=max((event.pulse or 0 for event in events), default=0),
            unreported=_unreported(db),
            last_alive_wall_s=_last_alive(db, path),
            ended=of_the_run[-1:] == [EventKind.RUN_ENDED],
            latched=_latched(of_faults[-1]) if of_faults else None,
        )


def _latched(last: Event) -> Latched | None:
    if last.kind is not EventKind.FAULT:
        return None
    kind = last.values.get("kind")
    return Latched(last.text, FaultKind(kind) if kind in set(FaultKind) else FaultKind.OTHER)


def _take_back_what_was_cut_off(path: Path) -> None:
    """A journal that was just being made, or a copy that was just being taken over, has no log yet but a record of how
    it was before. A reader may not use that."""
    if path.exists() and path.with_name(f"{path.name}-journal").exists():
        with in_words(path, "read"), closing(sqlite3.connect(path, timeout=OPENING_S)) as db:
            db.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()


def _unreported(db: sqlite3.Connection) -> tuple[Unreported, ...]:
    found = db.execute(
        """SELECT lane, cup, outlet FROM fruit
        WHERE outlet != 0 AND gate_outcome = '' AND NOT EXISTS (
            SELECT 1 FROM outcome WHERE outcome.lane = fruit.lane AND outcome.cup = fruit.cup
        ) ORDER BY lane, cup"""
    )
    return msgspec.convert(tuple(found), tuple[Unreported, ...])


def _last_alive(db: sqlite3.Connection, path: Path) -> float:
    told = ["SELECT started_wall_s FROM run ORDER BY id DESC LIMIT 1"]
    if version_of(db, path) >= 2:
        told += [
            "SELECT wall_s FROM fruit ORDER BY rowid DESC LIMIT 1",
            "SELECT wall_s FROM event ORDER BY id DESC LIMIT 1",
            "SELECT MAX(wall_s) FROM memory",
        ]
    with in_words(path, "read"):
        found = [row[0] for query in told for row in db.execute(query)]
    return max(msgspec.convert([wall_s for wall_s in found if wall_s is not None], list[float]), default=0.0)
