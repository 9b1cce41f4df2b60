"""A journal has one station that writes it. The lock goes with the process, however that ends."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from grader.errors import JournalError


class OneWriter:
    """Held while the journal is open for writing. It tells processes apart, not two journals of one process.

    A lock on the journal itself would be lost whenever anything in the process closes that file, as readers do; so
    there is a file beside it, which is there as long as the lock is held.
    """

    def __init__(self, journal: Path) -> None:
        """Raises JournalError when another process holds it, OSError when there can be no file there."""
        self._path = journal.with_name(f".{journal.name}.lock")
        while True:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
            try:
                fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if self._is_there():
                    return
            except BlockingIOError:
                os.close(self._file)
                raise JournalError(
                    f"{journal}: another station writes this journal; stop it first, or name another folder"
                ) from None
            except BaseException:
                os.close(self._file)
                raise
            os.close(self._file)  # whoever held it before took the file away in between

    def _is_there(self) -> bool:
        try:
            return os.path.samestat(os.fstat(self._file), self._path.stat())
        except FileNotFoundError:
            return False

    def release(self) -> None:
        """Idempotent."""
        if self._file >= 0:
            self._path.unlink(missing_ok=True)  # while it is held: nobody else can hold this file
            os.close(self._file)
            self._file = -1
