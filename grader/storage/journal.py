"""The journal: every fruit, what was measured, what was decided and why, and what its gate did.

One SQLite file that any SQLite tool opens. Rows are added, never changed: triggers refuse it. It is
written by one station and may be read by anyone at the same time (write-ahead log); what `commit`
returned for survives a killed process and a power cut (synchronous = FULL). It needs a local disk.

    run      one row per start: when, versions, hashes of what was in force, the installation
    fruit    one row per fruit, a REAL column per quantity, NULL where not measured; (lane, cup) never repeats
    outcome  what gates did, oldest first, joined to its fruit by (lane, cup)
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import msgspec

from grader.domain.decisions import FruitRecord, GateOutcome
from grader.domain.fruit import QUANTITIES
from grader.errors import JournalError
from grader.storage.provenance import RunInfo

SCHEMA_VERSION = 1
"""Kept in the file's user_version. A new quantity needs no new version: its column is added on opening."""

APPLICATION_ID = 0x46525554
"""ASCII "FRUT": tells a journal from other SQLite files."""

BUSY_TIMEOUT_S = 5.0
"""How long a commit waits for someone who opened the journal for writing by hand."""

_DECISION_COLUMNS = ("lane", "cup", "lot", "grade", "size", "outlet", "reasons", "flags", "gate_outcome")
_OUTCOME_COLUMNS = ("lane", "cup", "outlet", "open_pulse", "close_pulse", "fired_pulse", "result", "reason")

_SCHEMA = (
    """CREATE TABLE run (
        id INTEGER PRIMARY KEY,
        started_wall_s REAL NOT NULL,
        versions TEXT NOT NULL,
        hashes TEXT NOT NULL,
        installation TEXT NOT NULL
    ) STRICT""",
    f"""CREATE TABLE fruit (
        run INTEGER NOT NULL REFERENCES run (id),
        lane INTEGER NOT NULL,
        cup INTEGER NOT NULL,
        lot TEXT NOT NULL,
        grade TEXT NOT NULL,
        size TEXT NOT NULL,
        outlet INTEGER NOT NULL,
        reasons TEXT NOT NULL,
        flags INTEGER NOT NULL,
        gate_outcome TEXT NOT NULL,
        {", ".join(f"{name} REAL" for name in QUANTITIES)},
        UNIQUE (lane, cup)
    ) STRICT""",
    # No foreign key to fruit: an outcome that the board reports for an unknown cup is kept and can be
    # found, instead of failing the commit of the decisions beside it.
    """CREATE TABLE outcome (
        id INTEGER PRIMARY KEY,
        lane INTEGER NOT NULL,
        cup INTEGER NOT NULL,
        outlet INTEGER NOT NULL,
        open_pulse INTEGER NOT NULL,
        close_pulse INTEGER NOT NULL,
        fired_pulse INTEGER,
        result TEXT NOT NULL,
        reason TEXT NOT NULL
    ) STRICT""",
    "CREATE INDEX outcome_of_fruit ON outcome (lane, cup)",
    *(
        f"""CREATE TRIGGER {table}_no_{action.lower()} BEFORE {action} ON {table}
        BEGIN SELECT RAISE(ABORT, 'the journal is only added to'); END"""
        for table in ("run", "fruit", "outcome")
        for action in ("UPDATE", "DELETE")
    ),
)


class SqliteJournal:
    """A `grader.ports.Journal` in one SQLite file. Opened by `open_journal`, then used from one thread."""

    def __init__(self, path: Path, db: sqlite3.Connection, run_id: int) -> None:
        self.path, self.run_id, self._db = path, run_id, db

    def commit(self, records: Sequence[FruitRecord], outcomes: Sequence[GateOutcome]) -> None:
        """Write all of it and return when it is durable. Raises JournalError; then nothing was written."""
        if not records and not outcomes:
            return
        with _transaction(self._db, self.path):
            self._db.executemany(_INSERT_FRUIT, (_fruit_row(self.run_id, record) for record in records))
            self._db.executemany(_INSERT_OUTCOME, (_row_of(outcome, _OUTCOME_COLUMNS) for outcome in outcomes))

    def last_serials(self) -> dict[int, int]:
        """The highest cup serial of each lane that has fruit: a restart goes on after it. Raises JournalError."""
        with _trouble(self.path, "read"):
            found = self._db.execute("SELECT lane, MAX(cup) FROM fruit GROUP BY lane ORDER BY lane")
            return msgspec.convert(dict(found), dict[int, int])

    def close(self) -> None:
        """Idempotent. Folds the write-ahead log into the file, unless someone still reads it."""
        self._db.close()


def open_journal(path: Path, run: RunInfo) -> SqliteJournal:
    """Open or create the journal and begin a run in it.

    Raises JournalError when it cannot be opened, is not a journal, or is of an unknown version; a
    file that is not a journal is left as it was.
    """
    with _trouble(path, "opened"):
        # The app opens the journal, a writer thread of its own uses it.
        db = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    try:
        with _transaction(db, path):
            if _is_new(db):
                for statement in _SCHEMA:
                    db.execute(statement)
                db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            _check_schema(db, path)
            for name in QUANTITIES.keys() - _columns(db):
                db.execute(f"ALTER TABLE fruit ADD COLUMN {name} REAL")
        with _trouble(path, "opened"):
            (mode,) = db.execute("PRAGMA journal_mode = WAL").fetchone()
            db.execute("PRAGMA synchronous = FULL")
        if mode != "wal":
            raise JournalError(f"{path}: this disk cannot hold a journal (no write-ahead log); put it on a local disk")
        with _transaction(db, path):
            run_id = db.execute(
                "INSERT INTO run (started_wall_s, versions, hashes, installation) VALUES (?, ?, ?, ?)",
                (run.started_wall_s, _json(run.versions), _json(run.hashes), _json(run.installation)),
            ).lastrowid
        assert run_id is not None  # an INSERT always has one
        return SqliteJournal(path, db, run_id)
    except BaseException:
        db.close()
        raise


def read_fruit(path: Path, lot: str | None = None, *, run: int | None = None) -> list[FruitRecord]:
    """Every fruit, by lane and cup, with the latest outcome of its gate; of one lot or run when named.

    May be called while a station writes: it sees whole commits. Raises JournalError.
    """
    with _reading(path) as db:
        known = _columns(db)
        quantities = ", ".join(f"fruit.{name}" if name in known else "NULL" for name in QUANTITIES)
        # With a single MAX, SQLite takes the other columns from the row that has it.
        found = db.execute(
            f"""SELECT {", ".join(f"fruit.{name}" for name in _DECISION_COLUMNS)}, latest.result, {quantities}
            FROM fruit LEFT JOIN (SELECT lane, cup, result, MAX(id) FROM outcome GROUP BY lane, cup) AS latest
            ON latest.lane = fruit.lane AND latest.cup = fruit.cup
            WHERE (:lot IS NULL OR fruit.lot = :lot) AND (:run IS NULL OR fruit.run = :run)
            ORDER BY fruit.lane, fruit.cup""",
            {"lot": lot, "run": run},
        )
        return [_record(row) for row in found]


def read_outcomes(path: Path) -> list[GateOutcome]:
    """Everything that gates did, oldest first. Raises JournalError."""
    with _reading(path) as db:
        found = db.execute(f"SELECT {', '.join(_OUTCOME_COLUMNS)} FROM outcome ORDER BY id")
        return [msgspec.convert(dict(zip(_OUTCOME_COLUMNS, row, strict=True)), GateOutcome) for row in found]


def read_runs(path: Path) -> dict[int, RunInfo]:
    """Every start of the station by its number, oldest first. Raises JournalError."""
    with _reading(path) as db:
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


_INSERT_FRUIT = _insert("fruit", ("run", *_DECISION_COLUMNS, *QUANTITIES))
_INSERT_OUTCOME = _insert("outcome", _OUTCOME_COLUMNS)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _row_of(record: FruitRecord | GateOutcome, columns: Sequence[str]) -> list[Any]:
    return [getattr(record, name) for name in columns]


def _fruit_row(run_id: int, record: FruitRecord) -> list[Any]:
    unknown = record.values.keys() - QUANTITIES.keys()
    if unknown:
        raise JournalError(f"lane {record.lane} cup {record.cup}: no such quantity: {', '.join(sorted(unknown))}")
    row = [run_id, *_row_of(record, _DECISION_COLUMNS), *(record.values.get(name) for name in QUANTITIES)]
    row[1 + _DECISION_COLUMNS.index("reasons")] = _json(record.reasons)
    return row


def _record(row: Sequence[Any]) -> FruitRecord:
    decision = dict(zip(_DECISION_COLUMNS, row, strict=False))
    latest, *values = row[len(_DECISION_COLUMNS) :]
    decision["values"] = dict(zip(QUANTITIES, values, strict=True))
    decision["reasons"] = msgspec.json.decode(decision["reasons"])
    decision["gate_outcome"] = latest or decision["gate_outcome"]
    return msgspec.convert(decision, FruitRecord)


def _is_new(db: sqlite3.Connection) -> bool:
    return bool(db.execute("SELECT COUNT(*) = 0 FROM sqlite_master").fetchone()[0])


def _columns(db: sqlite3.Connection) -> set[str]:
    return {row[1] for row in db.execute("PRAGMA table_info(fruit)")}


def _check_schema(db: sqlite3.Connection, path: Path) -> None:
    if db.execute("PRAGMA application_id").fetchone() != (APPLICATION_ID,):
        raise JournalError(f"{path}: this is not a journal of a grading station; name another file")
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version != SCHEMA_VERSION:
        raise JournalError(
            f"{path}: the journal has schema version {version}, this program knows {SCHEMA_VERSION};"
            " open it with the version of the program that wrote it"
        )


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that cannot write, and one moment of the journal for all that is read through it."""
    if not path.exists():
        raise JournalError(f"{path}: there is no journal")
    with _trouble(path, "read"):
        uri = f"{path.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None)) as db:
            db.execute("BEGIN")
            _check_schema(db, path)
            yield db


@contextmanager
def _transaction(db: sqlite3.Connection, path: Path) -> Iterator[None]:
    """All or nothing; whatever interrupts it, a Ctrl-C included, leaves no transaction open."""
    with _trouble(path, "written"):
        try:
            db.execute("BEGIN IMMEDIATE")
            yield
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:  # else SQLite has rolled back by itself: a full disk, a connection that is closed
                db.execute("ROLLBACK")
            raise


@contextmanager
def _trouble(path: Path, what: str) -> Iterator[None]:
    """SQLite's errors, and values that do not fit a column or that no column held, as the house's own."""
    try:
        yield
    except (sqlite3.Error, OverflowError, UnicodeEncodeError) as error:
        raise JournalError(f"{path}: the journal cannot be {what}: {error}; check the disk and the file") from error
    except (msgspec.MsgspecError, ValueError, TypeError, RecursionError) as error:
        raise JournalError(f"{path}: the journal holds something impossible: {error}") from error
