"""Looks at snapshot after snapshot: what is found wrong is put into them, and what comes and goes is written down."""

from __future__ import annotations

from collections import deque

import msgspec

from grader.domain.events import Event, EventKind
from grader.domain.health import HealthLimits, findings
from grader.domain.snapshot import Finding, FindingKind, Snapshot, State
from grader.units import NS_PER_S

_EVERY_S = 1.0
_TOLD_ELSEWHERE = {
    *(FindingKind.BELT_STOPPED, FindingKind.BELT_JOGGED, FindingKind.OUTLET_FULL, FindingKind.LOT_WAITS),
    *(FindingKind.SCALE_FROZEN, FindingKind.SCALE_ASTRAY, FindingKind.SCALE_CREEP, FindingKind.SCALE_DRIFT),
    FindingKind.CUP_STUCK,
}
"""Told by events of their own."""


class Watch:
    """Remembers as much of the past as the limits ask for."""

    def __init__(self, limits: HealthLimits) -> None:
        self._limits = limits
        self._past: deque[Snapshot] = deque()
        self._found: tuple[Finding, ...] = ()

    def look(self, now: Snapshot) -> tuple[Snapshot, list[Event]]:
        """The snapshot with what is found wrong in it, and events for what has come and gone since the last one."""
        before = {finding.place: finding for finding in self._found}
        known = msgspec.structs.replace(now, findings=self._found)
        found = findings(self._past[0] if self._past else now, known, self._limits)
        after = {finding.place: finding for finding in found}
        self._found = found
        self._remember(now)
        if now.state is State.STOPPED:
            return msgspec.structs.replace(now, findings=found), []
        come = [_event(EventKind.DEGRADED, after[place], now) for place in after.keys() - before.keys()]
        gone = [_event(EventKind.RECOVERED, before[place], now) for place in before.keys() - after.keys()]
        return msgspec.structs.replace(now, findings=found), [
            event for event in (*come, *gone) if event.values["finding"] not in _TOLD_ELSEWHERE
        ]

    def _remember(self, now: Snapshot) -> None:
        if not self._past or now.t_ns - self._past[-1].t_ns >= _EVERY_S * NS_PER_S:
            self._past.append(now)
        while len(self._past) > 2 and now.t_ns - self._past[1].t_ns >= self._limits.window_s * NS_PER_S:
            self._past.popleft()


def _event(kind: EventKind, finding: Finding, now: Snapshot) -> Event:
    share = f" ({finding.share:.0%})" if finding.share is not None else ""
    detail = f": {finding.detail}" if finding.detail else ""
    where = "" if finding.lane is None else f"lane {finding.lane}: "
    said = "" if kind is EventKind.DEGRADED else " is over"
    text = f"{where}{finding.kind.replace('_', ' ')}{share}{detail}{said}"
    return Event(kind=kind, text=text, pulse=now.pulse, lane=finding.lane, values={"finding": finding.kind.value})
