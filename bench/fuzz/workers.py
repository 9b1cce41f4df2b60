"""Workers: processes that hunt, watched from outside for what no process can say of itself: that it hangs, or died."""

from __future__ import annotations

import faulthandler
import mmap
import multiprocessing
import os
import struct
import tempfile
import time
import warnings
from collections.abc import Sequence
from multiprocessing.connection import Connection, wait
from pathlib import Path

from bench.fuzz.hunt import Findings, Target, hunt, limit_memory
from bench.fuzz.mutation import MOST_BYTES

HANGS_S = 60.0
"""An input that is under way for so long will not end: a slow one is told by its worker after one second."""

_HEAD = struct.Struct("<dQI")  # when the input under way began, how many there were before it, its length
_POLL_S = 0.5


def hunted(
    targets: Sequence[Target], *, seed: int, seconds: float, workers: int = 1, hangs_s: float = HANGS_S
) -> list[Findings]:
    """Every target fed for an equal share of the seconds, by each of the workers with a seed of its own."""
    found = {target.name: Findings(target.name) for target in targets}
    with tempfile.TemporaryDirectory(prefix="fuzz-", dir=_memory_disk()) as folder:
        crew = [
            _Worker(targets, seed * workers + number, seconds / len(targets), Path(folder, str(number)), hangs_s)
            for number in range(workers)
        ]
        try:
            while busy := [worker for worker in crew if worker.left]:
                wait([worker.news for worker in busy], _POLL_S)
                for worker in busy:
                    for findings in worker.look():
                        found[findings.target].add(findings)
        finally:
            for worker in crew:
                worker.stop()
    return list(found.values())


class _Worker:
    """One process, begun again behind an input that it did not survive. left: targets that are not done."""

    def __init__(self, targets: Sequence[Target], seed: int, seconds: float, folder: Path, hangs_s: float) -> None:
        self.left = list(targets)
        self._seed, self._seconds, self._folder, self._hangs_s = seed, seconds, folder, hangs_s
        folder.mkdir()
        self._log = Logbook(folder / "under-way")
        self._start()

    def _start(self) -> None:
        self._log.clear()
        self.news, theirs = multiprocessing.Pipe(duplex=False)
        job = (self.left, self._seed, self._seconds, self._folder, theirs)
        self._process = multiprocessing.get_context("spawn").Process(target=_work, args=job, daemon=True)
        self._process.start()
        theirs.close()

    def look(self) -> list[Findings]:
        """What is new."""
        try:
            if self.news.poll():
                findings: Findings = self.news.recv()
                del self.left[0]
                return [findings]
        except EOFError:
            self._process.join()
            return [self._lost(f"the process died, exit code {self._process.exitcode}")]
        began_s = self._log.under_way()[0]
        if began_s and time.monotonic() - began_s > self._hangs_s:
            self._process.kill()
            self._process.join()
            return [self._lost(f"an input hangs for over {self._hangs_s:g} s")]
        return []

    def _lost(self, why: str) -> Findings:
        """What is left of a target whose worker is gone; the next target has a new one."""
        _, inputs, data = self._log.under_way()
        findings = Findings(self.left.pop(0).name, inputs=inputs, seconds=self._seconds)
        findings.fail(why, data)
        self.news.close()
        if self.left:
            self._start()
        return findings

    def stop(self) -> None:
        """Idempotent."""
        self._process.kill()
        self._process.join()
        self.news.close()


class Logbook:
    """The input under way, in a file that outlives who runs it."""

    def __init__(self, path: Path) -> None:
        with path.open("a+b") as file:
            file.truncate(_HEAD.size + MOST_BYTES)
            self._page = mmap.mmap(file.fileno(), 0)
        self._inputs = 0

    def begins(self, data: bytes) -> None:
        """Note an input before it is run."""
        self._page[_HEAD.size : _HEAD.size + len(data)] = data
        _HEAD.pack_into(self._page, 0, time.monotonic(), self._inputs, len(data))
        self._inputs += 1

    def under_way(self) -> tuple[float, int, bytes]:
        """When the latest input began, 0.0: none did; how many there were before; the input."""
        began_s, inputs, length = _HEAD.unpack_from(self._page)
        return began_s, inputs, self._page[_HEAD.size : _HEAD.size + length]

    def clear(self) -> None:
        """No input is under way."""
        self._inputs = 0
        _HEAD.pack_into(self._page, 0, 0.0, 0, 0)


def _work(targets: Sequence[Target], seed: int, seconds: float, folder: Path, news: Connection) -> None:
    # Image libraries print what they dislike; where a process dies is worth a line.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    faulthandler.enable(open(os.dup(2), "w"))  # noqa: SIM115, PTH123
    os.dup2(1, 2)
    warnings.simplefilter("error")  # a warning is a line on somebody's terminal
    limit_memory()
    log = Logbook(folder / "under-way")
    for target in targets:
        log.clear()
        place = folder / target.name.replace(" ", "-")
        place.mkdir(exist_ok=True)
        findings = hunt(target, place, seed=seed, seconds=seconds, begins=log.begins)
        log.clear()
        news.send(findings)
    news.close()


def _memory_disk() -> str | None:
    """A disk in memory: files are most of what is fuzzed."""
    disk = "/dev/shm"
    return disk if os.access(disk, os.W_OK) else None
