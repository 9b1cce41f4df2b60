"""What truly happened at the gates, kept beside the journal by the line itself: it outlives every station.

One JSON object a line: a line that began, a fruit that left the belt, a gate that opened and closed. Positions are of
the belt.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import IO

import msgspec

from grader.errors import BadFile
from hardware.message_link import NO_MESSAGE
from hardware.sim.referee import Landing

REFEREE_LOG = "referee.jsonl"


class Opening(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A gate that opened: the belt's pulses from when it began to move until it began to close."""

    lane: int
    outlet: int
    opening: float
    closing: float


class Landed(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A fruit that left the belt, where the belt then was, and when, in seconds since 1970."""

    landing: Landing
    pulse: int
    wall_s: float


class Began(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A line that was started: its cups count from zero. What was before is of another line."""

    wall_s: float


_Entry = Opening | Landed | Began


class RefereeLog:
    """Written by the line."""

    def __init__(self, folder: Path) -> None:
        self._file = (folder / REFEREE_LOG).open("ab", buffering=0)
        self._encode = msgspec.json.Encoder().encode
        self._waiting = b"\n\n"  # the line before an empty one may be torn, by what ended the line before this

    def add(self, entries: Iterable[_Entry]) -> None:
        """Handed to the system at once: it is there when the line is killed. What a full disk does not take waits."""
        self._waiting += b"".join(self._encode(entry) + b"\n" for entry in entries)
        with contextlib.suppress(OSError):
            while self._waiting:
                self._waiting = self._waiting[self._file.write(self._waiting) :]

    def close(self) -> None:
        """Idempotent."""
        self._file.close()


class RefereeReader:
    """Read by whoever wants to know: each entry once, as far as it has been written."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / REFEREE_LOG
        self._file: IO[bytes] | None = None
        self._rest = b""
        self._decode = msgspec.json.Decoder(_Entry).decode

    def news(self) -> list[_Entry]:
        """Since the last call. Raises BadFile."""
        if self._file is None:
            if not self._path.exists():
                return []
            self._file = self._path.open("rb")
        *lines, self._rest = (self._rest + self._file.read()).split(b"\n")
        entries: list[_Entry] = []
        for line, next_line in pairwise([*lines, self._rest]):
            try:
                entries += [self._decode(line)] if line else []
            except NO_MESSAGE as problem:
                if next_line:
                    error = f"is not a referee's log: {problem}"
                    raise BadFile(self._path, error, remedy="name another folder") from problem
        return entries

    def close(self) -> None:
        """Idempotent."""
        if self._file is not None:
            self._file.close()
            self._file = None
