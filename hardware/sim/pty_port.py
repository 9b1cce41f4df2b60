"""The board's end of a serial line that is not there: a pseudo-terminal with a UART's manners."""

from __future__ import annotations

import contextlib
import os
import tty
from pathlib import Path

import numpy as np

MOST_WAITING = 65_536
"""Bytes a UART may owe before it overruns: what comes then is lost, and counted."""

_CHUNK = 4096


class PtyPort:
    """Whoever opens `path` is at the other end. Never blocks.

    link: a name that always leads to `path`, which is another one after each `plug_in`. noise: share of bytes that are
    damaged, both ways. cut: the cable is cut, though both ends hold theirs.
    """

    def __init__(self, link: Path | None = None, seed: int = 1) -> None:
        self._link, self._rng = link, np.random.default_rng(seed)
        self.path = ""
        self.overruns = 0
        self.noise, self.cut = 0.0, False
        self._near = self._far = -1
        self._waiting = bytearray()
        self.plug_in()

    @property
    def plugged_in(self) -> bool:
        return self._near >= 0

    def plug_in(self) -> None:
        """Idempotent."""
        if self.plugged_in:
            return
        # The far end is kept open here too: without it a read fails for as long as no station has it open.
        self._near, self._far = os.openpty()
        tty.setraw(self._far)
        os.set_blocking(self._near, False)
        self.path = os.ttyname(self._far)
        if self._link is not None:
            self._link.unlink(missing_ok=True)
            self._link.symlink_to(self.path)

    def pull(self) -> None:
        """The cable comes off: both ends are closed. Idempotent."""
        for end in (self._near, self._far):
            with contextlib.suppress(OSError):
                os.close(end)
        self._near = self._far = -1
        self._waiting.clear()
        if self._link is not None:
            self._link.unlink(missing_ok=True)

    def fileno(self) -> int:
        """For select; -1 while it is unplugged."""
        return self._near

    def read(self) -> bytes:
        """What has come; empty when nothing has."""
        try:
            data = os.read(self._near, _CHUNK) if self.plugged_in else b""
        except (BlockingIOError, OSError):
            return b""
        return b"" if self.cut else self._damaged(data)

    def write(self, data: bytes) -> None:
        """Send now, or as soon as `flush` finds room."""
        if self.cut or not self.plugged_in:
            return
        if len(self._waiting) + len(data) > MOST_WAITING:
            self.overruns += len(data)
        else:
            self._waiting += self._damaged(data)
        self.flush()

    def flush(self) -> bool:
        """Send what waits; True when nothing does."""
        while self._waiting and self.plugged_in:
            try:
                sent = os.write(self._near, self._waiting)
            except BlockingIOError:
                return False
            del self._waiting[:sent]
        return True

    def close(self) -> None:
        """Idempotent."""
        self.pull()

    def _damaged(self, data: bytes) -> bytes:
        if not self.noise or not data:
            return data
        values = np.frombuffer(data, np.uint8)
        flips = self._rng.integers(1, 256, len(values), dtype=np.uint8)
        return np.where(self._rng.random(len(values)) < self.noise, values ^ flips, values).tobytes()
