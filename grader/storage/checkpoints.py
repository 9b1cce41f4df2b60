"""The write-ahead log is folded into the journal's file beside the commits, so that no commit waits for it."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

EVERY_S = 4.0
"""So often the log is folded in: at 120 fruit/s it is then some 5 MB long."""

MOST_LOG_PAGES = 16_384
"""64 MB. A log that a reader or a slow disk kept from being folded in till then is folded in by a commit after all."""

_MOST_ROUNDS = 8


class Checkpoints:
    """A thread with a connection of its own. SQLite's own way is a checkpoint within every thousandth page's commit."""

    def __init__(self, path: Path) -> None:
        self._path, self._stop = path, threading.Event()
        self._thread = threading.Thread(target=self._run, name="checkpoints", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Idempotent; waits for a checkpoint that is under way."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(EVERY_S):
            # A disk in trouble is told by the commits, which meet it too; here the next round is another try.
            with contextlib.suppress(sqlite3.Error):
                self._fold_in()

    def _fold_in(self) -> None:
        """The log can begin anew only when all of it is folded in; what was committed meanwhile takes another round."""
        with closing(sqlite3.connect(self._path, isolation_level=None)) as db:
            db.execute("PRAGMA synchronous = FULL")
            before = -1
            for _ in range(_MOST_ROUNDS):
                _, log, _ = db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
                if log == before or self._stop.is_set():
                    return
                before = log
