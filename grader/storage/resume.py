"""Where a station goes on that was stopped, killed or left without power: all from its journal."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import msgspec

from grader.domain.events import Event, EventKind
from grader.domain.installation import Installation
from grader.domain.lots import NO_LOT, LotRecord
from grader.storage.journal import events_in, last_serials
from grader.storage.journal_file import in_words, reading, version_of

_OF_LOTS = (EventKind.LOT_OPENED, EventKind.LOT_BEGAN, EventKind.LOT_CLOSED)


class Unreported(NamedTuple):
    """A fruit whose gate was, or was to be, commanded, and of whose gate nothing was written."""

    lane: int
    cup: int
    outlet: int


class Resume(msgspec.Struct, frozen=True, kw_only=True):
    """Where a journal stopped.

    last_serials: the highest cup of each lane that has fruit; serials go on after it. lots: every stretch of the belt,
    oldest first. unreported: by lane and cup. last_alive_wall_s: when anything was last written, seconds since 1970.
    ended: by order, and not by a kill or a power cut.
    """

    last_serials: dict[int, int]
    lots: tuple[LotRecord, ...]
    unreported: tuple[Unreported, ...]
    last_alive_wall_s: float
    ended: bool

    @property
    def open_lot(self) -> LotRecord | None:
        """The lot that fruit belong to when the station goes on; None where none was opened, or the last is closed."""
        return self.lots[-1] if self.lots and self.lots[-1].name != NO_LOT else None


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


def read_lots(path: Path) -> tuple[LotRecord, ...]:
    """Every stretch of the belt that was opened, or that came after a lot was closed, oldest first.

    It says what `grader.station.lots.lot_records` said when the last event was written. Raises JournalError.
    """
    with reading(path) as db:
        return _lots(db, path)


def _lots(db: sqlite3.Connection, path: Path) -> tuple[LotRecord, ...]:
    stretches: list[_Stretch] = []
    for written in events_in(db, path, _OF_LOTS):
        _go_on(stretches, written.event)
    installations = db.execute("SELECT installation FROM run").fetchall()
    lanes = max((msgspec.json.decode(told, type=Installation).line.lanes for (told,) in installations), default=0)
    return tuple(_record(stretch, stretches[after:], lanes) for after, stretch in enumerate(stretches, start=1))


@dataclass
class _Stretch:
    """name, grower, variety, sheet, sheet_sha256 as they were ordered; first_cup by lane."""

    said: dict[str, str]
    first_cup: dict[int, int] = field(default_factory=dict)


def _go_on(stretches: list[_Stretch], event: Event) -> None:
    """What an event makes of the stretches. An event that fits none of them changes nothing."""
    said = {key: str(event.values.get(key, "")) for key in ("name", "grower", "variety", "sheet", "sheet_sha256")}
    if event.kind is EventKind.LOT_OPENED:
        stretches.append(_Stretch(said))
    elif event.kind is EventKind.LOT_BEGAN:
        _begin(stretches, event)
    elif stretches and stretches[-1].said["name"] == said["name"]:
        if "withdrawn" in event.values:
            stretches.pop()
        else:
            stretches.append(_Stretch({**dict.fromkeys(said, ""), "name": NO_LOT}))


def _begin(stretches: list[_Stretch], event: Event) -> None:
    number, lane, cup = event.values.get("stretch"), event.lane, event.cup
    if not isinstance(number, int) or not 0 < number <= len(stretches) or lane is None or cup is None:
        return
    stretch = stretches[number - 1]
    stretch.first_cup[lane] = cup
    if stretch.said["name"] == NO_LOT:  # closed at once: what was to begin later does not begin there any more
        for before in stretches[: number - 1]:
            if before.first_cup.get(lane, cup - 1) >= cup:
                del before.first_cup[lane]


def _record(stretch: _Stretch, later: list[_Stretch], lanes: int) -> LotRecord:
    def closed_cup(lane: int) -> int | None:
        return min((other.first_cup[lane] for other in later if lane in other.first_cup), default=None)

    said = stretch.said
    return LotRecord(
        name=said["name"],
        grower=said["grower"],
        variety=said["variety"],
        sheet=said["sheet"],
        sheet_sha256=said["sheet_sha256"],
        first_cup=tuple(stretch.first_cup.get(lane) for lane in range(lanes)),
        closed_cup=tuple(closed_cup(lane) for lane in range(lanes)),
    )


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
