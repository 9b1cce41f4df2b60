"""The host's clocks, handed to whoever needs one, so that a test can stop them."""

from __future__ import annotations

import time
from typing import Protocol

from grader.units import HostNs


class Clock(Protocol):
    """What the shell of the station knows of time. Calculations know none."""

    def now(self) -> HostNs:
        """Monotonic nanoseconds: intervals, latencies, deadlines."""
        ...

    def wall_s(self) -> float:
        """Seconds since 1970: for reports and file names, never for intervals."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def now(self) -> HostNs:
        return HostNs(time.monotonic_ns())

    def wall_s(self) -> float:
        return time.time()
