"""The belt's motor: where the belt truly is, by the clock. It takes its time to come to a speed, as a motor does."""

from __future__ import annotations

from grader.units import NS_PER_S, HostNs, Pulse

JOG_SHARE = 0.1
"""Of the rated speed, while a person jogs the belt."""
RAMP_S, BRAKE_S = 0.8, 0.3
"""From standing to the rated speed and back; with the brake, as an emergency stop has it."""


class Drive:
    """Where the belt truly is. It only runs forward."""

    def __init__(self, pulses_per_s: float) -> None:
        self.rated_pulses_per_s = pulses_per_s
        self.started: HostNs | None = None  # when it ran first
        self._since, self._from_pulse = HostNs(0), 0.0
        self._from_speed = self._to_speed = self._ramp_s = 0.0

    @property
    def running(self) -> bool:
        """Whether it is told to run; told to stand, it coasts for a moment."""
        return self._to_speed > 0

    def pulse(self, now: HostNs) -> Pulse:
        """The belt's true position in pulses, which only grows."""
        return Pulse(int(self._at(now)))

    def run(self, now: HostNs, share: float = 1.0, *, ramp_s: float = RAMP_S) -> None:
        """To a share of the rated speed from now on; ramp_s: what all of it takes."""
        self._from_pulse, self._from_speed, self._since = self._at(now), self._speed(now), now
        self._to_speed = share * self.rated_pulses_per_s
        self._ramp_s = ramp_s * abs(self._to_speed - self._from_speed) / self.rated_pulses_per_s
        if self.started is None and self.running:
            self.started = now

    def stop(self, now: HostNs, *, ramp_s: float = RAMP_S) -> None:
        self.run(now, 0.0, ramp_s=ramp_s)

    def seconds_to(self, pulse: int, now: HostNs) -> float:
        """Until a pulse comes, at the speed that it has now; for ever when the belt stands."""
        speed = self._speed(now)
        return max(0.0, (pulse - self._at(now)) / speed) if speed > 0 else float("inf")

    def _speed(self, now: HostNs) -> float:
        """Pulses a second."""
        share = min(1.0, (now - self._since) / NS_PER_S / self._ramp_s) if self._ramp_s else 1.0
        return self._from_speed + share * (self._to_speed - self._from_speed)

    def _at(self, now: HostNs) -> float:
        seconds = (now - self._since) / NS_PER_S
        in_ramp_s = min(seconds, self._ramp_s)
        mean = (self._from_speed + self._speed(now)) / 2
        return self._from_pulse + mean * in_ramp_s + self._to_speed * (seconds - in_ramp_s)
