"""One reader fed with spoilt inputs: what breaks it, how long the slowest took, how far memory went.

Guided by the lines reached: every so often an input is run under a trace, and one that reaches a new line of ours is
spoilt further from then on.
"""

from __future__ import annotations

import resource
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple, TypeVar

import msgspec

from bench.fuzz.mutation import Draws, Mutator
from grader.errors import GraderError

MOST_S = 1.0
MOST_GROWTH_MB = 200.0
"""What one input may take, and all of them together above what the sound ones took."""

_TRIES = 3
"""An input that seems the slowest so far is run again: the machine may have been slow. The fastest run counts."""

_TRACED_EVERY = 32
_MOST_KEPT, _MOST_GROWN = 2000, 4
"""Inputs that are spoilt further, and how many times as long as a sound one they may be: short ones run fast."""

_OURS = str(Path(__file__).parents[2])
_LARGEST_MB = 1024
"""Beyond this much more the system gives a worker no memory: a MemoryError names the input."""

Read = Callable[[bytes], object]
Result = TypeVar("Result")


class Trial(NamedTuple):
    """A reader at work. seeds: sound inputs, at least one. read: raises GraderError or nothing."""

    seeds: Sequence[bytes]
    read: Read


class Target(NamedTuple):
    """A reader in the table. begin: makes its trial, with a folder to write to. may_raise: for bytes that are none."""

    name: str
    begin: Callable[[Path], Trial]
    mutate: Mutator
    may_raise: type[GraderError] = GraderError


class Failure(msgspec.Struct):
    """One way to break. what: where and how, the same for all inputs that break so; data: the first of them."""

    what: str
    data: bytes
    times: int = 1


class Findings(msgspec.Struct):
    """What one target made of its inputs. growth_mb: of the peak of memory, above that of the sound inputs."""

    target: str
    inputs: int = 0
    seconds: float = 0.0
    slowest_ms: float = 0.0
    growth_mb: float = 0.0
    kept: int = 0
    lines: int = 0
    failures: dict[str, Failure] = {}

    def fail(self, what: str, data: bytes) -> None:
        """Note a failure; of many alike the shortest input is kept."""
        known = self.failures.setdefault(what, Failure(what, data, times=0))
        known.times += 1
        known.data = min(known.data, data, key=len)

    def add(self, other: Findings) -> None:
        """Another worker's, of the same target."""
        self.inputs += other.inputs
        self.seconds += other.seconds
        self.slowest_ms = max(self.slowest_ms, other.slowest_ms)
        self.growth_mb = max(self.growth_mb, other.growth_mb)
        self.kept = max(self.kept, other.kept)
        self.lines = max(self.lines, other.lines)
        for failure in other.failures.values():
            self.fail(failure.what, failure.data)
            self.failures[failure.what].times += failure.times - 1


def hunt(target: Target, folder: Path, *, seed: int, seconds: float, begins: Read = lambda data: None) -> Findings:
    """Feed a target for so long. begins: told each input before it is run. The same seed makes the same inputs.

    Whatever a sound input raises is raised: then there is nothing to hunt.
    """
    hunter = _Hunter(target, target.begin(folder), seed)
    for data in list(hunter.corpus):
        begins(data)
        hunter.learn(data)
    hunter.before_mb = _peak_mb(afresh=True)
    began_s = time.monotonic()
    while time.monotonic() - began_s < seconds:
        data = hunter.next_input()
        begins(data)
        hunter.feed(data)
    hunter.found.seconds = time.monotonic() - began_s
    hunter.found.kept, hunter.found.lines = len(hunter.corpus), len(hunter.reached.lines)
    return hunter.found


class _Hunter:
    """One target under way. corpus: the inputs that are spoilt. before_mb: memory after the sound ones."""

    def __init__(self, target: Target, trial: Trial, seed: int) -> None:
        self.corpus = list(trial.seeds)
        self.found, self.reached = Findings(target.name), Reached()
        self.before_mb = 0.0
        self._target, self._read = target, trial.read
        self._draws = Draws(f"{target.name} {seed}", self.corpus)
        self._longest = _MOST_GROWN * max(map(len, self.corpus))

    def learn(self, data: bytes) -> None:
        """The lines that a sound input reaches."""
        self.reached.traced(lambda: self._read(data))

    def next_input(self) -> bytes:
        return self._target.mutate(self._draws.one_of(self.corpus), self._draws)

    def feed(self, data: bytes) -> None:
        """Run an input, and note what it does."""
        began_s = time.monotonic()
        what = self._guiding(data) if self.found.inputs % _TRACED_EVERY == 0 else self._broken(data)
        what = what or self._too_slow(data, time.monotonic() - began_s) or self._too_hungry()
        self.found.inputs += 1
        if what:
            self.found.fail(what, data)

    def _broken(self, data: bytes) -> str:
        return broken(self._target, self._read, data)

    def _guiding(self, data: bytes) -> str:
        known = len(self.reached.lines)
        what = self.reached.traced(lambda: self._broken(data))
        if len(self.reached.lines) > known and len(self.corpus) < _MOST_KEPT and len(data) <= self._longest:
            self.corpus.append(data)
        return what

    def _too_slow(self, data: bytes, took_s: float) -> str:
        if took_s * 1e3 <= self.found.slowest_ms:
            return ""
        took_s = min(self._again_s(data) for _ in range(_TRIES))
        self.found.slowest_ms = max(self.found.slowest_ms, took_s * 1e3)
        return f"an input takes over {MOST_S:g} s" if took_s > MOST_S else ""

    def _again_s(self, data: bytes) -> float:
        began_s = time.monotonic()
        self._broken(data)
        return time.monotonic() - began_s

    def _too_hungry(self) -> str:
        growth_mb, before = _peak_mb() - self.before_mb, self.found.growth_mb
        self.found.growth_mb = max(before, growth_mb)
        return f"memory grew by over {MOST_GROWTH_MB:g} MB" if growth_mb > MOST_GROWTH_MB >= before else ""


def broken(target: Target, read: Read, data: bytes) -> str:
    """How an input breaks a target; empty when it does not."""
    try:
        read(data)
    except target.may_raise:
        return ""
    except Exception as error:
        places = [place for place in traceback.extract_tb(error.__traceback__) if place.filename.startswith(_OURS)]
        where = f"{Path(places[-1].filename).relative_to(_OURS)}:{places[-1].lineno}"
        return f"{type(error).__name__} at {where}"
    return ""


def limit_memory() -> None:
    """Of this process, once and for all."""
    status = Path("/proc/self/status").read_text()
    data_kb = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmData"))
    most = (data_kb << 10) + (_LARGEST_MB << 20)
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))


class Reached:
    """Lines of ours that inputs have reached, in any thread."""

    def __init__(self) -> None:
        self.lines: set[tuple[int, int]] = set()

    def traced(self, run: Callable[[], Result]) -> Result:
        """What `run` gives; the lines that it reaches are noted."""
        sys.settrace(self._entered)
        threading.settrace(self._entered)
        try:
            return run()
        finally:
            sys.settrace(None)
            threading.settrace(None)

    def _entered(self, frame: FrameType, event: str, argument: Any) -> Any:
        return self._passed if frame.f_code.co_filename.startswith(_OURS) else None

    def _passed(self, frame: FrameType, event: str, argument: Any) -> Any:
        self.lines.add((id(frame.f_code), frame.f_lineno))
        return self._passed


def _peak_mb(*, afresh: bool = False) -> float:
    """The most memory that this process has held; afresh: from now on."""
    if afresh:
        Path("/proc/self/clear_refs").write_text("5")
    # Not by getrusage: a process begins with the peak of the one that started it.
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024
