"""What waits to be written. A journal that stalls is waited for, and tried again after doubling delays.

    decisions, outcomes, events -> add ... write -> steps that are durable, in the order in which they came

Nothing is written twice and nothing is forgotten: what a commit did not take stays, in its order. Only when more waits
than may wait, or when the journal says that no other try will help, does it raise.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from grader.clock import Clock
from grader.domain.decisions import FruitRecord, GateCommand, GateOutcome
from grader.domain.events import Event, EventKind
from grader.domain.snapshot import JournalHealth
from grader.errors import JournalError, JournalStalled
from grader.ports import Journal
from grader.station.ledger import Ledger
from grader.units import NS_PER_MS, NS_PER_S, HostNs

MOST_WAITING = 20_000
"""Fruit, outcomes and events together: almost three minutes at 120 fruit/s, some 20 MB."""
MOST_AT_ONCE = 500
"""Fruit in one commit: what a long stall left is written in pieces, so that no single commit takes long."""
FIRST_DELAY_S = 0.02
MOST_DELAY_S = 0.5
"""A try costs some 10 ms; what is decided in the last delay before the disk is well again may be late."""
SLOW_S = 0.2
"""A commit that takes longer leaves most of its fruit's gates no lead: it is told."""
WELL_AFTER_S = 5.0
"""The journal is said to be well again after so long without trouble, lest it be said with every other commit."""


class Decided(NamedTuple):
    """What one step of the line decided, when the frame that it was decided with had come, and when it was decided.
    events: what else happened in it; a step may be of events alone."""

    records: Sequence[FruitRecord]
    commands: Sequence[GateCommand]
    frame_at: HostNs
    events: Sequence[Event] = ()
    decided_at: HostNs = HostNs(0)


class Backlog:
    """Between the line and its journal. Used from one thread, the keeper's; `health` may be asked from any."""

    def __init__(self, journal: Journal, ledger: Ledger, clock: Clock, most_waiting: int = MOST_WAITING) -> None:
        self._journal, self._ledger, self._clock, self._most_waiting = journal, ledger, clock, most_waiting
        self._steps: deque[Decided] = deque()
        self._outcomes: list[GateOutcome] = []
        self._events: list[Event] = []
        self._fruit = 0
        self._delay_s, self._try_at = 0.0, HostNs(0)
        self._written_at = clock.now()
        self._trouble, self._trouble_from, self._trouble_at = "", HostNs(0), HostNs(0)
        self._most_fruit = 0

    @property
    def empty(self) -> bool:
        """Everything that came is written."""
        return not (self._steps or self._outcomes or self._events)

    @property
    def in_trouble(self) -> bool:
        """The journal stalls or is slow, or was within the last seconds."""
        return bool(self._trouble)

    def health(self) -> JournalHealth:
        """At this moment."""
        since_s = (self._clock.now() - self._written_at) / NS_PER_S
        return JournalHealth(fruit_waiting=self._fruit, since_commit_s=since_s, trouble=self._trouble)

    def add(self, steps: Sequence[Decided], outcomes: Sequence[GateOutcome] = ()) -> None:
        """Behind what waits already."""
        self._steps.extend(steps)
        self._outcomes.extend(outcomes)
        self._fruit += sum(len(step.records) for step in steps)

    def write(self) -> list[Decided]:
        """Commit the oldest steps that wait, with all outcomes; returns the steps that are durable by that.

        None when nothing waits, when the journal stalls, or when it is too early for another try. Raises JournalError
        when waiting will not help, or too much waits; then everything still waits.
        """
        self._say_when_well()
        if self.empty or self._clock.now() < self._try_at:
            return []
        steps = self._oldest()
        records = [record for step in steps for record in step.records]
        events = [*self._events, *(event for step in steps for event in step.events)]
        before = self._clock.now()
        try:
            self._journal.commit(records, self._outcomes, events)
        except JournalStalled as problem:
            self._put_off(str(problem))
            return []
        self._written(steps, records, (self._clock.now() - before) / NS_PER_S)
        return steps

    def _oldest(self) -> list[Decided]:
        steps: list[Decided] = []
        rows = 0
        for step in self._steps:
            rows += len(step.records) + len(step.events)
            if steps and rows > MOST_AT_ONCE:
                break
            steps.append(step)
        return steps

    def _written(self, steps: list[Decided], records: list[FruitRecord], took_s: float) -> None:
        self._ledger.timed("commit", took_s * NS_PER_S / NS_PER_MS)
        self._ledger.settled(len(records), self._outcomes)
        for _ in steps:
            self._steps.popleft()
        self._fruit -= len(records)
        self._outcomes, self._events = [], []
        self._delay_s, self._try_at, self._written_at = 0.0, HostNs(0), self._clock.now()
        if took_s > SLOW_S:
            self._tell("slow", f"the journal is slow: a commit took {took_s:.1f} s; check the disk", self._written_at)

    def _put_off(self, problem: str) -> None:
        now = self._clock.now()
        self._tell("stalled", problem, now)
        self._delay_s = min(max(2 * self._delay_s, FIRST_DELAY_S), MOST_DELAY_S)
        self._try_at = HostNs(now + int(self._delay_s * NS_PER_S))
        waiting = self._fruit + len(self._outcomes) + len(self._events) + sum(len(step.events) for step in self._steps)
        if waiting > self._most_waiting:
            raise JournalError(
                f"{self._fruit} fruit wait to be written, more cannot ({problem}); their gates stay closed"
            )

    def _tell(self, state: str, text: str, now: HostNs) -> None:
        """Once for every trouble, and again when it becomes another."""
        if not self._trouble:
            self._trouble_from, self._most_fruit = now, 0
        if text != self._trouble and (state == "stalled" or not self._trouble):
            self._events.append(Event(kind=EventKind.JOURNAL, text=text, values={"state": state}))
            self._trouble = text
        self._trouble_at = now
        self._most_fruit = max(self._most_fruit, self._fruit)

    def _say_when_well(self) -> None:
        quiet_s = (self._clock.now() - self._trouble_at) / NS_PER_S
        if not self._trouble or self._steps or self._written_at < self._trouble_at or quiet_s < WELL_AFTER_S:
            return
        lasted_s = (self._trouble_at - self._trouble_from) / NS_PER_S
        text = f"the journal is well again after {lasted_s:.1f} s; {self._most_fruit} fruit had waited, all are written"
        values: dict[str, float | int | str] = {"state": "well", "lasted_s": lasted_s, "fruit": self._most_fruit}
        self._events.append(Event(kind=EventKind.JOURNAL, text=text, values=values))
        self._trouble = ""
