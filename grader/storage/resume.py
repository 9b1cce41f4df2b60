"""Where a station goes on that was stopped, killed or left without power: all from its journal."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import NamedTuple

import msgspec

from grader.domain.events import Event, EventKind
from grader.storage.journal import events_in, last_serials
from grader.storage.journal_file import in_words, reading, version_of

_OF_LOTS = (EventKind.LOT_OPENED, EventKind.LOT_BEGAN, EventKind.LOT_CLOSED)


class WrittenLot(msgspec.Struct, frozen=True, kw_only=True):
    """A lot as its events tell it. opened_wall_s: seconds since 1970. first_cup: by lane, where it has begun."""

    name: str
    grower: str = ""
    variety: str = ""
    sheet: str = ""
    sheet_sha256: str = ""
    opened_wall_s: float = 0.0
    first_cup: dict[int, int] = {}
    closed: bool = False


class Unreported(NamedTuple):
    """A fruit whose gate was, or was to be, commanded, and of whose gate nothing was written."""

    lane: int
    cup: int
    outlet: int


class Resume(msgspec.Struct, frozen=True, kw_only=True):
    """Where a journal stopped.

    last_serials: the highest cup of each lane that has fruit; serials go on after it. lots: oldest first. unreported:
    by lane and cup. last_alive_wall_s: seconds since 1970, the last that was written. ended: by order, so that nothing
    is left to be found out.
    """

    last_serials: dict[int, int]
    lots: tuple[WrittenLot, ...]
    unreported: tuple[Unreported, ...]
    last_alive_wall_s: float
    ended: bool

    @property
    def open_lot(self) -> WrittenLot | None:
        """The lot that fruit belong to when the station goes on."""
        return next((lot for lot in reversed(self.lots) if not lot.closed), None)


def where_to_go_on(path: Path) -> Resume | None:
    """Read it before the journal is opened for writing; None where there is no journal yet. Raises JournalError."""
    if not path.exists():
        return None
    with reading(path) as db:
        kinds = (*_OF_LOTS, EventKind.RUN_STARTED, EventKind.RUN_ENDED)
        events = events_in(db, path, kinds)
        of_the_run = [written.event.kind for written in events if written.event.kind not in _OF_LOTS]
        return Resume(
            last_serials=last_serials(db, path),
            lots=_lots(db, path),
            unreported=_unreported(db),
            last_alive_wall_s=_last_alive(db, path),
            ended=of_the_run[-1:] == [EventKind.RUN_ENDED],
        )


def read_lots(path: Path) -> tuple[WrittenLot, ...]:
    """Every lot that was opened, oldest first. Raises JournalError."""
    with reading(path) as db:
        return _lots(db, path)


def _lots(db: sqlite3.Connection, path: Path) -> tuple[WrittenLot, ...]:
    lots: list[WrittenLot] = []
    for written in events_in(db, path, _OF_LOTS):
        event = written.event
        name = str(event.values.get("name", ""))
        if event.kind is EventKind.LOT_OPENED:
            lots.append(_opened(event, name, written.wall_s))
            continue
        place = next((n for n in reversed(range(len(lots))) if lots[n].name == name), None)
        if place is not None:
            lots[place] = _with(lots[place], event)
    return tuple(lots)


def _opened(event: Event, name: str, wall_s: float) -> WrittenLot:
    def said(key: str) -> str:
        return str(event.values.get(key, ""))

    return WrittenLot(
        name=name,
        grower=said("grower"),
        variety=said("variety"),
        sheet=said("sheet"),
        sheet_sha256=said("sheet_sha256"),
        opened_wall_s=wall_s,
    )


def _with(lot: WrittenLot, event: Event) -> WrittenLot:
    """The lot after it began in a lane, or was closed."""
    if event.kind is EventKind.LOT_CLOSED:
        return msgspec.structs.replace(lot, closed=True)
    if event.lane is None or event.cup is None:
        return lot
    return msgspec.structs.replace(lot, first_cup={**lot.first_cup, event.lane: event.cup})


def _unreported(db: sqlite3.Connection) -> tuple[Unreported, ...]:
    found = db.execute(
        """SELECT lane, cup, outlet FROM fruit
        WHERE outlet != 0 AND gate_outcome = '' AND NOT EXISTS (
            SELECT 1 FROM outcome WHERE outcome.lane = fruit.lane AND outcome.cup = fruit.cup
        ) ORDER BY lane, cup"""
    )
    return tuple(Unreported(*row) for row in found)


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
    return max((wall_s for wall_s in found if wall_s is not None), default=0.0)
