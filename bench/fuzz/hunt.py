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
    """Feed a target for so long. begins: told each input before it is run. The same seed makes the same inputs."""
    trial = target.begin(folder)
    corpus = list(trial.seeds)
    draws, longest = Draws(f"{target.name} {seed}", corpus), _MOST_GROWN * max(map(len, corpus))
    found, reached = Findings(target.name), Reached()
    for data in trial.seeds:
        begins(data)
        reached.traced(lambda data=data: trial.read(data))  # a sound input raises nothing: what it does raise ends all
    before_mb = _peak_mb(afresh=True)
    began = now = time.monotonic()
    while now - began < seconds:
        data = target.mutate(draws.one_of(corpus), draws)
        begins(data)
        traced = found.inputs % _TRACED_EVERY == 0
        start = time.monotonic()
        if traced:
            known = len(reached.lines)
            what = reached.traced(lambda data=data: broken(target, trial.read, data))
            if len(reached.lines) > known and len(corpus) < _MOST_KEPT and len(data) <= longest:
                corpus.append(data)
        else:
            what = broken(target, trial.read, data)
        now = time.monotonic()
        took_s = now - start
        if took_s * 1e3 > found.slowest_ms:
            took_s = _fastest_s(target, trial.read, data)
            what = what or (f"an input takes over {MOST_S:g} s" if took_s > MOST_S else "")
            found.slowest_ms = max(found.slowest_ms, took_s * 1e3)
            now = time.monotonic()
        growth_mb = _peak_mb() - before_mb
        if growth_mb > MOST_GROWTH_MB >= found.growth_mb:
            what = what or f"memory grew by over {MOST_GROWTH_MB:g} MB"
        found.growth_mb = max(found.growth_mb, growth_mb)
        found.inputs += 1
        if what:
            found.fail(what, data)
    found.seconds, found.kept, found.lines = now - began, len(corpus), len(reached.lines)
    return found


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
            threading.settrace(None)  # type: ignore[arg-type]

    def _entered(self, frame: FrameType, event: str, argument: Any) -> Any:
        return self._passed if frame.f_code.co_filename.startswith(_OURS) else None

    def _passed(self, frame: FrameType, event: str, argument: Any) -> Any:
        self.lines.add((id(frame.f_code), frame.f_lineno))
        return self._passed


def _fastest_s(target: Target, read: Read, data: bytes) -> float:
    def once() -> float:
        start = time.monotonic()
        broken(target, read, data)
        return time.monotonic() - start

    return min(once() for _ in range(_TRIES))


def _peak_mb(*, afresh: bool = False) -> float:
    """The most memory that this process has held; afresh: from now on."""
    if afresh:
        Path("/proc/self/clear_refs").write_text("5")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
