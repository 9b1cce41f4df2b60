"""The journal's file: its tables, their versions, and how it is opened, read and written whole or not at all."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec

from grader.domain.fruit import QUANTITIES
from grader.errors import JournalError, JournalStalled

SCHEMA_VERSION = 2
"""Kept in the file's user_version. A new quantity needs no new version: its column is added on opening."""

OLDEST_READ = 1
"""Journals from this version on are read; they are brought up to date when a station opens them."""

APPLICATION_ID = 0x46525554
"""ASCII "FRUT": tells a journal from other SQLite files."""

OPENING_S = 5.0
"""How long opening and reading wait for someone who holds the journal."""

_RUN = """CREATE TABLE run (
    id INTEGER PRIMARY KEY,
    started_wall_s REAL NOT NULL,
    versions TEXT NOT NULL,
    hashes TEXT NOT NULL,
    installation TEXT NOT NULL
) STRICT"""

_FRUIT = f"""CREATE TABLE fruit (
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
    wall_s REAL,
    {", ".join(f"{name} REAL" for name in QUANTITIES)},
    UNIQUE (lane, cup)
) STRICT"""

# No foreign key to fruit: an outcome that the board reports for an unknown cup is kept and can be
# found, instead of failing the commit of the decisions beside it.
_OUTCOME = """CREATE TABLE outcome (
    id INTEGER PRIMARY KEY,
    lane INTEGER NOT NULL,
    cup INTEGER NOT NULL,
    outlet INTEGER NOT NULL,
    open_pulse INTEGER NOT NULL,
    close_pulse INTEGER NOT NULL,
    fired_pulse INTEGER,
    result TEXT NOT NULL,
    reason TEXT NOT NULL
) STRICT"""

_EVENT = """CREATE TABLE event (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL REFERENCES run (id),
    wall_s REAL NOT NULL,
    pulse INTEGER,
    kind TEXT NOT NULL,
    lane INTEGER,
    cup INTEGER,
    text TEXT NOT NULL,
    figures TEXT NOT NULL
) STRICT"""

# What a station needs to go on with and nobody is paid by: the one table that is written over.
_MEMORY = """CREATE TABLE memory (
    name TEXT PRIMARY KEY,
    wall_s REAL NOT NULL,
    value TEXT NOT NULL
) STRICT"""


def _only_added_to(table: str) -> tuple[str, str]:
    return (
        f"""CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table}
        BEGIN SELECT RAISE(ABORT, 'the journal is only added to'); END""",
        f"""CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table}
        BEGIN SELECT RAISE(ABORT, 'the journal is only added to'); END""",
    )


_SINCE_2 = (
    _EVENT,
    "CREATE INDEX event_by_kind ON event (kind)",
    _MEMORY,
    *_only_added_to("event"),
)

_SCHEMA = (
    _RUN,
    _FRUIT,
    _OUTCOME,
    "CREATE INDEX outcome_of_fruit ON outcome (lane, cup)",
    *(trigger for table in ("run", "fruit", "outcome") for trigger in _only_added_to(table)),
    *_SINCE_2,
)

_STALLED = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_NOMEM,
    }
)
"""What a disk or another program can cause and take away again; the file is as the last commit left it."""


def bring_up_to_date(db: sqlite3.Connection, path: Path) -> None:
    """Make the tables in an empty file, add what later versions have to an older one. Within a transaction.

    Raises JournalError for a file that is no journal, or is of a version that is not known.
    """
    if _is_new(db):
        for statement in _SCHEMA:
            db.execute(statement)
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        return
    if version_of(db, path) < 2:
        db.execute("ALTER TABLE fruit ADD COLUMN wall_s REAL")
        for statement in _SINCE_2:
            db.execute(statement)
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    for name in QUANTITIES.keys() - fruit_columns(db):
        db.execute(f"ALTER TABLE fruit ADD COLUMN {name} REAL")


def fruit_columns(db: sqlite3.Connection) -> set[str]:
    """Columns of the fruit table: an older journal has fewer quantities."""
    return {row[1] for row in db.execute("PRAGMA table_info(fruit)")}


def version_of(db: sqlite3.Connection, path: Path) -> int:
    """The schema version of a journal. Raises JournalError where it is none, or none that this program knows."""
    if db.execute("PRAGMA application_id").fetchone() != (APPLICATION_ID,):
        raise JournalError(f"{path}: this is not a journal of a grading station; name another file")
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    if not OLDEST_READ <= version <= SCHEMA_VERSION:
        raise JournalError(
            f"{path}: the journal has schema version {version}, this program knows {OLDEST_READ} to {SCHEMA_VERSION};"
            " open it with the version of the program that wrote it"
        )
    return version


def _is_new(db: sqlite3.Connection) -> bool:
    return bool(db.execute("SELECT COUNT(*) = 0 FROM sqlite_master").fetchone()[0])


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that cannot write, and one moment of the journal for all that is read through it."""
    if not path.exists():
        raise JournalError(f"{path}: there is no journal")
    with in_words(path, "read"):
        uri = f"{path.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=OPENING_S, isolation_level=None)) as db:
            db.execute("BEGIN")
            version_of(db, path)
            yield db


@contextmanager
def transaction(db: sqlite3.Connection, path: Path) -> Iterator[None]:
    """All or nothing; whatever interrupts it, a Ctrl-C included, leaves no transaction open."""
    with in_words(path, "written"):
        try:
            db.execute("BEGIN IMMEDIATE")
            yield
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:  # else SQLite has rolled back by itself: a full disk, a connection that is closed
                db.execute("ROLLBACK")
            raise


@contextmanager
def in_words(path: Path, what: str) -> Iterator[None]:
    """SQLite's errors, and values that do not fit a column or that no column held, as the house's own."""
    try:
        yield
    except (sqlite3.Error, OSError, OverflowError, UnicodeEncodeError) as error:
        code = getattr(error, "sqlite_errorcode", None)  # extended: the lowest byte is the kind
        kind = JournalStalled if code is not None and code & 0xFF in _STALLED else JournalError
        raise kind(f"{path}: the journal cannot be {what}: {error}; check the disk and the file") from error
    except (msgspec.MsgspecError, ValueError, TypeError, RecursionError) as error:
        raise JournalError(f"{path}: the journal holds something impossible: {error}") from error
