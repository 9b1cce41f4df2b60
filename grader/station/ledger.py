"""What the station has done so far, counted as it goes: the source of every snapshot. It does not grow with fruit."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence

from grader.domain.decisions import FruitRecord, GateOutcome, Result
from grader.domain.flags import flag_names
from grader.domain.latency import Latency, LatencyHistogram
from grader.domain.snapshot import STAGES, LaneSnapshot
from grader.units import NS_PER_MS, NS_PER_S, HostNs

WINDOW_S = 5.0
"""Rates are over so long."""


class Ledger:
    """Counts since the start. Each method is called by one thread only; reading beside it may be a fruit behind."""

    def __init__(self, lanes: int) -> None:
        self.grades: Counter[str] = Counter()
        self.outlets: Counter[int] = Counter()
        self.flags: Counter[str] = Counter()
        self.results: Counter[Result] = Counter()
        self.kept = self.frames = self.frames_lost = 0
        self._fruit = [0] * lanes
        self._lane_flags: list[Counter[str]] = [Counter() for _ in range(lanes)]
        self._recent: deque[tuple[HostNs, tuple[int, ...]]] = deque()
        self._latency = {stage: LatencyHistogram() for stage in STAGES}

    def decided(self, records: Sequence[FruitRecord]) -> None:
        """Called by the line."""
        for record in records:
            self._fruit[record.lane] += 1
            self.grades[record.grade] += 1
            self.outlets[record.outlet] += 1
            if record.flags:
                names = flag_names(record.flags).split("+")
                self.flags.update(names)
                self._lane_flags[record.lane].update(names)

    def framed(self, *, lost: bool) -> None:
        """The line was told of an exposure; lost: without its picture. Called by the line."""
        self.frames += 1
        self.frames_lost += lost

    def answered(self, round_trips_ns: Sequence[int]) -> None:
        """The board answered commands after so long. Called by the keeper."""
        if round_trips_ns:
            self._latency["answer"].add([took / NS_PER_MS for took in round_trips_ns])

    def mapped(self, took_ms: Sequence[float]) -> None:
        """So many skins were mapped, and took so long. Called by the line."""
        self._latency["map"].add(took_ms)

    def settled(self, records: int, outcomes: Sequence[GateOutcome]) -> None:
        """Called by the keeper: so many fruit and these outcomes are durable."""
        self.kept += records
        self.results.update(outcome.result for outcome in outcomes)

    def timed(self, stage: str, ms: float) -> None:
        """One duration of a stage; each stage has one thread."""
        self._latency[stage].add(max(ms, 0.0))

    @property
    def latency(self) -> dict[str, Latency]:
        """Percentiles by stage."""
        return {stage: histogram.latency() for stage, histogram in self._latency.items()}

    def lanes(self, now: HostNs, cups_per_s: float) -> tuple[LaneSnapshot, ...]:
        """Fruit and rates of every lane. Called by whoever takes the snapshots."""
        counts = tuple(self._fruit)
        self._recent.append((now, counts))
        while len(self._recent) > 2 and now - self._recent[1][0] >= WINDOW_S * NS_PER_S:
            self._recent.popleft()
        then, before = self._recent[0]
        seconds = max((now - then) / NS_PER_S, 1e-9)
        rates = [(fruit - first) / seconds for fruit, first in zip(counts, before, strict=True)]
        return tuple(
            LaneSnapshot(
                lane=lane,
                fruit=fruit,
                fruit_per_s=rate,
                occupancy=min(rate / cups_per_s, 1.0) if cups_per_s > 0 else 0.0,
                flags=dict(self._lane_flags[lane]),
            )
            for lane, (fruit, rate) in enumerate(zip(counts, rates, strict=True))
        )
