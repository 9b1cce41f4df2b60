"""A station as a process, started as a person starts it, and watched from outside."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from grader.app.books import JOURNAL

ENVIRONMENT = {**os.environ, "LC_ALL": "C.UTF-8"}


class RunningStation:
    """`grader run --headless` in a folder. What it says is kept in run.log there."""

    def __init__(self, folder: Path, *words: object) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        command = [sys.executable, "-m", "grader", "run", "--headless", "--out", str(folder), *map(str, words)]
        with (folder / "run.log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=ENVIRONMENT)

    @property
    def pid(self) -> int:
        return self.process.pid

    def require_alive(self) -> None:
        """Raises RuntimeError, with the last that it said, when the station has ended."""
        if self.process.poll() is not None:
            said = (self.folder / "run.log").read_text(errors="replace")[-2000:]
            raise RuntimeError(f"the station ended with status {self.process.returncode}:\n{said}")

    def fruit_kept(self) -> int:
        """Fruit in the journal."""
        try:
            uri = f"{(self.folder / JOURNAL).absolute().as_uri()}?mode=ro"
            with closing(sqlite3.connect(uri, uri=True, timeout=0.2)) as journal:
                return int(journal.execute("SELECT COUNT(*) FROM fruit").fetchone()[0])
        except sqlite3.Error:  # it is not there yet
            return 0

    def kill(self) -> None:
        """As a power cut does."""
        self.process.kill()
        self.process.wait()

    def stop(self, timeout_s: float = 60.0) -> int:
        """As Ctrl-C does; its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout_s)

    def resident_mb(self) -> float:
        """Memory, by the system's own count; 0 when it has ended."""
        for line in self._said_of("status").splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) / 1024
        return 0.0

    def open_files(self) -> int:
        """Open files, sockets and pipes."""
        try:
            return len(os.listdir(f"/proc/{self.pid}/fd"))  # noqa: PTH208  a count is all that is wanted
        except OSError:
            return 0

    def verdict(self) -> dict[str, Any]:
        """What the referee says, after it has ended."""
        found: dict[str, Any] = json.loads((self.folder / "referee.json").read_text())
        return found

    def summary(self) -> dict[str, Any]:
        """What it came to, after it has ended."""
        found: dict[str, Any] = json.loads((self.folder / "summary.json").read_text())
        return found

    def _said_of(self, what: str) -> str:
        try:
            return Path(f"/proc/{self.pid}/{what}").read_text()
        except OSError:
            return ""
