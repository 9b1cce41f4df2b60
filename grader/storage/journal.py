"""The journal: every fruit, what was measured, what was decided and why, and what its gate did.

One SQLite file that any SQLite tool opens. Rows are added, never changed: triggers refuse it. It is
written by one station and may be read by anyone at the same time (write-ahead log); what `commit`
returned for survives a killed process and a power cut (synchronous = FULL). It needs a local disk.

    run      one row per start: when, versions, hashes of what was in force, the installation
    fruit    one row per fruit, a REAL column per quantity, NULL where not measured; (lane, cup) never repeats
    outcome  what gates did, oldest first, joined to its fruit by (lane, cup)
    event    what happened that is no fruit: lots, faults, zeros of the scale; when, at what pulse, in which lane
    memory   what a station goes on with after a restart; the one table that is written over
"""

from __future__ import annotations

import math
import os
import sqlite3
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec

from grader.domain.decisions import FruitRecord, GateOutcome
from grader.domain.events import Event, EventKind
from grader.domain.fruit import QUANTITIES
from grader.errors import JournalError
from grader.storage.checkpoints import MOST_LOG_PAGES, Checkpoints
from grader.storage.journal_file import (
    OPENING_S,
    bring_up_to_date,
    fruit_columns,
    in_words,
    reading,
    transaction,
    version_of,
)
from grader.storage.one_writer import OneWriter
from grader.storage.provenance import RunInfo

COMMIT_S = 0.1
"""How long a commit waits for someone who opened the journal for writing by hand, before it says that it is stalled."""

_DECISION_COLUMNS = ("lane", "cup", "lot", "grade", "size", "outlet", "reasons", "flags", "gate_outcome")
_OUTCOME_COLUMNS = ("lane", "cup", "outlet", "open_pulse", "close_pulse", "fired_pulse", "result", "reason")
_EVENT_COLUMNS = ("kind", "text", "pulse", "lane", "cup", "figures")


class SqliteJournal:
    """A `grader.ports.Journal` in one SQLite file. Opened by `open_journal`, then used from one thread."""

    def __init__(
        self, path: Path, db: sqlite3.Connection, run_id: int, lock: OneWriter, wall_s: Callable[[], float]
    ) -> None:
        self.path, self.run_id, self._db, self._lock, self._wall_s = path, run_id, db, lock, wall_s
        self._file = path.stat()
        self._checkpoints = Checkpoints(path)

    def commit(
        self, records: Sequence[FruitRecord], outcomes: Sequence[GateOutcome], events: Sequence[Event] = ()
    ) -> None:
        """Write all of it and return when it is durable.

        Raises JournalError; then nothing was written. JournalStalled is the kind of it that another try may put right.
        """
        if not records and not outcomes and not events:
            return
        self._require_file()
        wall_s = self._wall_s()
        with transaction(self._db, self.path):
            self._db.executemany(_INSERT_FRUIT, (_fruit_row(self.run_id, wall_s, record) for record in records))
            self._db.executemany(_INSERT_OUTCOME, (_row_of(outcome, _OUTCOME_COLUMNS) for outcome in outcomes))
            self._db.executemany(_INSERT_EVENT, (_event_row(self.run_id, wall_s, event) for event in events))

    def remember(self, name: str, value: object) -> None:
        """Keep a small thing to go on with after a restart, in place of what had this name. value: anything that JSON
        can hold. Raises JournalError; then the old value stands."""
        with transaction(self._db, self.path):
            self._db.execute(
                "INSERT OR REPLACE INTO memory (name, wall_s, value) VALUES (?, ?, ?)",
                (name, self._wall_s(), _json(value)),
            )

    def last_serials(self) -> dict[int, int]:
        """The highest cup serial of each lane that has fruit: a restart goes on after it. Raises JournalError."""
        return last_serials(self._db, self.path)

    def close(self) -> None:
        """Idempotent. Folds the write-ahead log into the file, unless someone still reads it."""
        self._checkpoints.stop()
        self._db.close()
        self._lock.release()

    def _require_file(self) -> None:
        """SQLite goes on writing a file that was taken away, where nobody would ever find it."""
        try:
            there = os.path.samestat(self._file, self.path.stat())
        except OSError:
            there = False
        if not there:
            raise JournalError(
                f"{self.path}: the journal was moved or removed while the station writes it; start again"
            )


def open_journal(path: Path, run: RunInfo, *, wall_s: Callable[[], float] = time.time) -> SqliteJournal:
    """Open or create the journal, bring an older one up to date, and begin a run in it.

    wall_s: the wall clock, seconds since 1970. Raises JournalError when it cannot be opened, is not a journal, is of an
    unknown version, or is being written by another station; a file that is not a journal is left as it was.
    """
    with ExitStack() as undo:
        with in_words(path, "opened"):
            lock = OneWriter(path)
            undo.callback(lock.release)
            # The app opens the journal, a writer thread of its own uses it.
            db = sqlite3.connect(path, timeout=OPENING_S, isolation_level=None, check_same_thread=False)
            undo.callback(db.close)
        with transaction(db, path):
            bring_up_to_date(db, path)
        with in_words(path, "opened"):
            (mode,) = db.execute("PRAGMA journal_mode = WAL").fetchone()
            db.execute("PRAGMA synchronous = FULL")
            db.execute(f"PRAGMA wal_autocheckpoint = {MOST_LOG_PAGES}")
        if mode != "wal":
            raise JournalError(f"{path}: this disk cannot hold a journal (no write-ahead log); put it on a local disk")
        with transaction(db, path):
            run_id = db.execute(
                "INSERT INTO run (started_wall_s, versions, hashes, installation) VALUES (?, ?, ?, ?)",
                (run.started_wall_s, _json(run.versions), _json(run.hashes), _json(run.installation)),
            ).lastrowid
        assert run_id is not None  # an INSERT always has one
        db.execute(f"PRAGMA busy_timeout = {COMMIT_S * 1e3:.0f}")
        journal = SqliteJournal(path, db, run_id, lock, wall_s)
        undo.pop_all()
        return journal


def last_serials(db: sqlite3.Connection, path: Path) -> dict[int, int]:
    """The highest cup serial of each lane that has fruit, from the index alone. Raises JournalError."""
    with in_words(path, "read"):
        found = db.execute(
            """WITH RECURSIVE known (lane) AS (
                SELECT MIN(lane) FROM fruit
                UNION ALL
                SELECT (SELECT MIN(lane) FROM fruit WHERE lane > known.lane) FROM known WHERE lane IS NOT NULL
            )
            SELECT lane, (SELECT MAX(cup) FROM fruit WHERE fruit.lane = known.lane)
            FROM known WHERE lane IS NOT NULL"""
        )
        return msgspec.convert(dict(found), dict[int, int])


def read_fruit(path: Path, lot: str | None = None, *, run: int | None = None) -> list[FruitRecord]:
    """`each_fruit` at once."""
    return list(each_fruit(path, lot, run=run))


def each_fruit(path: Path, lot: str | None = None, *, run: int | None = None) -> Iterator[FruitRecord]:
    """Every fruit, by lane and cup, with the latest outcome of its gate; of one lot or run when named. One by one: a
    season of them needs no memory.

    May be called while a station writes: it sees the commits that are whole when it begins. Raises JournalError.
    """
    with reading(path) as db:
        known = fruit_columns(db)
        quantities = ", ".join(f"fruit.{name}" if name in known else "NULL" for name in QUANTITIES)
        # Both orders are those of an index: SQLite hands out the first fruit without having looked at the others.
        latest = """(SELECT result FROM outcome WHERE outcome.lane = fruit.lane AND outcome.cup = fruit.cup
            ORDER BY id DESC LIMIT 1)"""
        found = db.execute(
            f"""SELECT {", ".join(f"fruit.{name}" for name in _DECISION_COLUMNS)}, {latest}, {quantities} FROM fruit
            WHERE (:lot IS NULL OR fruit.lot = :lot) AND (:run IS NULL OR fruit.run = :run)
            ORDER BY fruit.lane, fruit.cup""",
            {"lot": lot, "run": run},
        )
        yield from map(_record, found)


def count_fruit(path: Path) -> int:
    """How many there are. Raises JournalError."""
    with reading(path) as db:
        return int(db.execute("SELECT COUNT(*) FROM fruit").fetchone()[0])


def read_outcomes(path: Path) -> list[GateOutcome]:
    """Everything that gates did, oldest first. Raises JournalError."""
    with reading(path) as db:
        found = db.execute(f"SELECT {', '.join(_OUTCOME_COLUMNS)} FROM outcome ORDER BY id")
        return [msgspec.convert(dict(zip(_OUTCOME_COLUMNS, row, strict=True)), GateOutcome) for row in found]


class WrittenEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event as the journal has it. run: the number of the start that it belongs to. wall_s: seconds since 1970, when
    it was written down."""

    run: int
    wall_s: float
    event: Event


def read_events(path: Path, kinds: Collection[EventKind] | None = None) -> list[WrittenEvent]:
    """What happened, oldest first; of these kinds, if any are named. A figure that was not known is NaN.

    Raises JournalError.
    """
    with reading(path) as db:
        return events_in(db, path, kinds)


def events_in(db: sqlite3.Connection, path: Path, kinds: Collection[EventKind] | None = None) -> list[WrittenEvent]:
    """`read_events` within a reading that is open already."""
    if version_of(db, path) < 2:
        return []
    wanted = None if kinds is None else _json([kind.value for kind in kinds])
    found = db.execute(
        f"""SELECT run, wall_s, {", ".join(_EVENT_COLUMNS)} FROM event
        WHERE :wanted IS NULL OR kind IN (SELECT value FROM json_each(:wanted)) ORDER BY id""",
        {"wanted": wanted},
    )
    return [_written_event(row) for row in found]


def read_memory(path: Path, name: str) -> Any:
    """What was last remembered under this name; None for nothing. Raises JournalError."""
    with reading(path) as db:
        if version_of(db, path) < 2:
            return None
        found = db.execute("SELECT value FROM memory WHERE name = ?", (name,)).fetchone()
        return None if found is None else msgspec.json.decode(found[0])


def read_runs(path: Path) -> dict[int, RunInfo]:
    """Every start of the station by its number, oldest first. Raises JournalError."""
    with reading(path) as db:
        found = db.execute("SELECT id, started_wall_s, versions, hashes, installation FROM run ORDER BY id")
        return {
            run_id: msgspec.convert(
                {
                    "started_wall_s": started_wall_s,
                    "versions": msgspec.json.decode(versions),
                    "hashes": msgspec.json.decode(hashes),
                    "installation": msgspec.json.decode(installation),
                },
                RunInfo,
            )
            for run_id, started_wall_s, versions, hashes, installation in found
        }


def _insert(table: str, columns: Sequence[str]) -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"


_INSERT_FRUIT = _insert("fruit", ("run", "wall_s", *_DECISION_COLUMNS, *QUANTITIES))
_INSERT_OUTCOME = _insert("outcome", _OUTCOME_COLUMNS)
_INSERT_EVENT = _insert("event", ("run", "wall_s", *_EVENT_COLUMNS))


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _row_of(record: FruitRecord | GateOutcome, columns: Sequence[str]) -> list[Any]:
    return [getattr(record, name) for name in columns]


def _fruit_row(run_id: int, wall_s: float, record: FruitRecord) -> list[Any]:
    unknown = record.values.keys() - QUANTITIES.keys()
    if unknown:
        raise JournalError(f"lane {record.lane} cup {record.cup}: no such quantity: {', '.join(sorted(unknown))}")
    row = [run_id, wall_s, *_row_of(record, _DECISION_COLUMNS), *(record.values.get(name) for name in QUANTITIES)]
    row[2 + _DECISION_COLUMNS.index("reasons")] = _json(record.reasons)
    return row


def _event_row(run_id: int, wall_s: float, event: Event) -> list[Any]:
    return [run_id, wall_s, event.kind, event.text, event.pulse, event.lane, event.cup, _json(event.values)]


def _written_event(row: Sequence[Any]) -> WrittenEvent:
    run, wall_s, *columns = row
    told = dict(zip(_EVENT_COLUMNS, columns, strict=True))
    figures = msgspec.json.decode(told.pop("figures"), type=dict[str, float | int | str | None])
    values = {name: math.nan if value is None else value for name, value in figures.items()}
    return msgspec.convert({"run": run, "wall_s": wall_s, "event": {**told, "values": values}}, WrittenEvent)


def _record(row: Sequence[Any]) -> FruitRecord:
    decision = dict(zip(_DECISION_COLUMNS, row, strict=False))
    latest, *values = row[len(_DECISION_COLUMNS) :]
    decision["values"] = dict(zip(QUANTITIES, values, strict=True))
    decision["reasons"] = msgspec.json.decode(decision["reasons"])
    decision["gate_outcome"] = latest or decision["gate_outcome"]
    return msgspec.convert(decision, FruitRecord)
