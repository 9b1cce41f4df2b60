"""station.log: what happens to a station, a JSON object a line, for people and for programs that collect logs.

    {"time":"2026-11-26T09:30:01.250Z","level":"error","event":"fault","text":"...","pulse":123456}

What happens is told to it by the threads of the line and must not hold them up: `tell` puts a line into a queue that
has an end, and a thread of its own writes. What no room is left for, or what the disk does not take, is lost and
counted, and the count is written when there is room again: the journal has it all. Zeros and tares of the scale are
left to the journal.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import msgspec

from grader.domain.events import Event, EventKind

LOG = "station.log"
MOST_BYTES = 5_000_000
MOST_FILES = 5
MOST_WAITING = 1000
CLOSE_S = 2.0
"""At the end a disk that hangs is waited for no longer."""

Level = Literal["info", "warning", "error"]
_LEVELS: Mapping[EventKind, Level] = {
    EventKind.FAULT: "error",
    EventKind.DEGRADED: "warning",
    EventKind.SCALE_ALARM: "warning",
    EventKind.REPHASED: "warning",
}
_LEFT_OUT = frozenset({EventKind.SCALE_ZERO, EventKind.SCALE_SPAN, EventKind.CUP_TARE})


class LogLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line. time: UTC. event: an `EventKind`, or "started", "ended" and "lines_lost" of the log itself.

    pulse, lane, cup: where it is about them. figures: by name; null: not a number.
    """

    time: str
    level: Level
    event: str
    text: str
    pulse: int | None = None
    lane: int | None = None
    cup: int | None = None
    figures: Mapping[str, float | int | str] = {}


class StationLog:
    """Writes while it is entered. most_bytes: of a file; then it becomes station.log.1 and so on, most_files in all."""

    def __init__(
        self,
        path: Path,
        *,
        most_bytes: int = MOST_BYTES,
        most_files: int = MOST_FILES,
        wall_s: Callable[[], float] = time.time,
    ) -> None:
        self._wall_s = wall_s
        self._lost = 0
        self._lines: queue.Queue[LogLine | None] = queue.Queue(MOST_WAITING)
        self._file = _Rotating(path, most_bytes, most_files)
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)

    def tell(self, event: Event) -> None:
        """Called from any thread; never waits and never raises."""
        if event.kind not in _LEFT_OUT:
            self._put(
                _LEVELS.get(event.kind, "info"),
                event.kind,
                event.text,
                pulse=event.pulse,
                lane=event.lane,
                cup=event.cup,
                figures=event.values,
            )

    def started(self, versions: Mapping[str, str], hashes: Mapping[str, str]) -> None:
        """With what the station was started, as in `RunInfo`."""
        figures = {**versions, **{f"sha256_{name}": digest for name, digest in hashes.items()}}
        self._put("info", "started", f"grader {versions.get('grader', '')}", figures=figures)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._put("info", "ended", "the program has ended")
        else:
            self._put("error", "ended", str(error) or type(error).__name__)
        while not self._has_room_for(None):
            with contextlib.suppress(queue.Empty):
                self._lines.get_nowait()
                self._lost += 1
        self._thread.join(CLOSE_S)

    def _put(self, level: Level, event: str, text: str, **about: Any) -> None:
        wall = datetime.fromtimestamp(self._wall_s(), UTC).isoformat(timespec="milliseconds")
        line = LogLine(time=wall.replace("+00:00", "Z"), level=level, event=str(event), text=text, **about)
        self._lost += not self._has_room_for(line)

    def _has_room_for(self, line: LogLine | None) -> bool:
        try:
            self._lines.put_nowait(line)
        except queue.Full:
            return False
        return True

    def _run(self) -> None:
        while (line := self._lines.get()) is not None:
            if self._lost:
                told = f"{self._lost} lines before this one are lost; the journal has them"
                lost = LogLine(time=line.time, level="warning", event="lines_lost", text=told)
                self._lost = 0 if self._file.write(lost) else self._lost
            self._lost += not self._file.write(line)
        self._file.close()


class _Rotating(RotatingFileHandler):
    """Goes on in a new file when somebody has removed or moved the old one, and when the disk has room again."""

    def __init__(self, path: Path, most_bytes: int, most_files: int) -> None:
        super().__init__(path, maxBytes=most_bytes, backupCount=most_files - 1, encoding="utf-8", delay=True)
        self._written = True

    def write(self, line: LogLine) -> bool:
        """Whether the disk took it."""
        try:
            text = msgspec.json.encode(line).decode()
        except (TypeError, ValueError):  # bytes of a file's name that are no text: the journal says so
            return False
        self._written = True
        if not self._is_there():
            self._let_go()
        self.emit(logging.makeLogRecord({"msg": text}))
        return self._written

    def handleError(self, record: logging.LogRecord) -> None:
        self._written = False
        self._let_go()

    def _open(self) -> TextIOWrapper:
        """After a line that was cut off a new one begins."""
        path = Path(self.baseFilename)
        is_torn = path.exists() and path.stat().st_size > 0 and _last_byte(path) != b"\n"
        stream = super()._open()
        if is_torn:
            stream.write("\n")
        return stream

    def _is_there(self) -> bool:
        try:
            return self.stream is not None and os.path.samestat(
                os.fstat(self.stream.fileno()), Path(self.baseFilename).stat()
            )
        except OSError:
            return False

    def _let_go(self) -> None:
        stream, self.stream = self.stream, None
        if stream is not None:
            with contextlib.suppress(OSError):  # what the disk did not take is still in its buffer
                stream.close()


def _last_byte(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read()
