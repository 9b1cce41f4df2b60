"""The belt's motor: where the belt truly is, by the clock."""

from __future__ import annotations

from grader.units import HostNs, Pulse, pulse_at

JOG_SHARE = 0.1
"""Of the rated speed, while a person jogs the belt."""


class Drive:
    """Where the belt truly is, by the clock."""

    def __init__(self, pulses_per_s: float) -> None:
        self.rated_pulses_per_s = pulses_per_s
        self.started: HostNs | None = None  # when it ran first
        self._pulses_per_s = 0.0
        self._since, self._pulse = HostNs(0), Pulse(0)

    @property
    def running(self) -> bool:
        return self._pulses_per_s > 0

    def pulse(self, now: HostNs) -> Pulse:
        """The belt's true position in pulses, which only grows."""
        return pulse_at(now, self._pulse, self._since, self._pulses_per_s)

    def run(self, now: HostNs, share: float = 1.0) -> None:
        """At a share of the rated speed from now on; 0 stops it."""
        self._pulse, self._since = self.pulse(now), now
        self._pulses_per_s = share * self.rated_pulses_per_s
        if self.started is None and self.running:
            self.started = now

    def stop(self, now: HostNs) -> None:
        self.run(now, 0.0)

    def seconds_to(self, pulse: int, now: HostNs) -> float:
        """Until a pulse comes; for ever when the belt stands."""
        return max(0.0, (pulse - self.pulse(now)) / self._pulses_per_s) if self.running else float("inf")
