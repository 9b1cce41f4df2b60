"""The board's end of a serial line that is not there: a pseudo-terminal with a UART's manners."""

from __future__ import annotations

import contextlib
import os
import tty

MOST_WAITING = 65_536
"""Bytes a UART may owe before it overruns: what comes then is lost, and counted."""

_CHUNK = 4096


class PtyPort:
    """Whoever opens `path` is at the other end. Never blocks."""

    def __init__(self) -> None:
        # The far end is kept open here too: without it a read fails for as long as no station has it open.
        self._near, self._far = os.openpty()
        tty.setraw(self._far)
        os.set_blocking(self._near, False)
        self.path = os.ttyname(self._far)
        self.overruns = 0
        self._waiting = bytearray()
        self._is_open = True

    def fileno(self) -> int:
        """For select."""
        return self._near

    def read(self) -> bytes:
        """What has come; empty when nothing has."""
        try:
            return os.read(self._near, _CHUNK)
        except (BlockingIOError, OSError):
            return b""

    def write(self, data: bytes) -> None:
        """Send now, or as soon as `flush` finds room."""
        if len(self._waiting) + len(data) > MOST_WAITING:
            self.overruns += len(data)
        else:
            self._waiting += data
        self.flush()

    def flush(self) -> bool:
        """Send what waits; True when nothing does."""
        while self._waiting:
            try:
                sent = os.write(self._near, self._waiting)
            except BlockingIOError:
                return False
            del self._waiting[:sent]
        return True

    def close(self) -> None:
        """Idempotent."""
        if self._is_open:
            self._is_open = False
            for end in (self._near, self._far):
                with contextlib.suppress(OSError):
                    os.close(end)
