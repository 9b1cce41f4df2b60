"""Where the belt is, by the word of a board that may be wrong: counts widened, carried on between reports, and doubted.

Everything that a board says of its count is held against everything that it said before. What cannot be true ends the
talk: gates that open at the pulses of a board that is wrong are worse than gates that stay shut.
"""

from __future__ import annotations

from grader.units import NS_PER_MS, NS_PER_S, HostNs, Pulse, pulse_at, widened
from hardware import protocol as wire

SPEED_MS = 100
"""The belt's speed is measured over at least so long: a pulse more or less is then 1 % at full speed."""

_US_PER_S = 1_000_000
_US_PER_MS = 1000


class Impossible(Exception):
    """The board said what cannot be. The text says what that was."""


class BeltAsTold:
    """The belt by one board's count. Pulses are raw counts here, widened from 32 bits.

    silence_ms: no report is older than that, or the board is lost: the belt is carried on no further.
    """

    def __init__(self, config: wire.Configure, silence_ms: int) -> None:
        self._every, self._most_pulses_per_s = config.trigger_pulses, config.most_pulses_per_s
        self._settling = config.settling_pulses
        self._silence_ms = silence_ms
        self._reach = config.most_pulses_per_s * silence_ms // 1000 + self._settling
        self._count_id: int | None = None
        self.counts = 0  # that have begun; a count that goes on over a reset has not
        self._start_count()
        self._start_talk()

    def _start_count(self) -> None:
        self._furthest: Pulse | None = None  # outlives a talk: what 32 bits are widened to
        self._seen_pulse, self._seen_at = Pulse(0), HostNs(0)
        self._told = Pulse(0)
        self.index: Pulse | None = None

    def _start_talk(self) -> None:
        self._status: tuple[Pulse, int] | None = None  # pulse and tick, both widened
        self._exposure: wire.Triggered | None = None  # the first one heard of; the others follow from it
        self._last_exposure: Pulse | None = None
        self._speed_from: tuple[Pulse, int] | None = None
        self._pulses_per_s = 0.0

    def begin(self, count_id: int) -> None:
        """A talk begins. The count of another id has nothing to do with the one before."""
        self._start_talk()
        if count_id != self._count_id:
            self._count_id = count_id
            self._begin_count()

    def _begin_count(self) -> None:
        self.counts += 1
        self._start_count()

    def widened(self, pulse: int) -> Pulse:
        """The count of which a report has the low 32 bits."""
        return Pulse(pulse if self._furthest is None else widened(pulse, self._furthest, 32))

    def pulse(self, now: HostNs) -> Pulse:
        """Where the belt is, from the latest report and the speed; never runs back."""
        now = HostNs(min(now, self._seen_at + self._silence_ms * NS_PER_MS))
        self._told = max(self._told, pulse_at(now, self._seen_pulse, self._seen_at, self._pulses_per_s))
        return self._told

    def hear_status(self, status: wire.Status, now: HostNs, *, all_reports: bool) -> bool:
        """Take in a heartbeat. all_reports: none that was said before it is missing. False: it is no news, the line
        said it twice. Raises Impossible."""
        last = self._status
        tick = status.tick if last is None else widened(status.tick, last[1], 32)
        if last is not None and tick <= last[1]:
            return False
        if last is None and not self._may_go_on(self.widened(status.pulse), now):
            self._begin_count()
        pulse = self.widened(status.pulse)
        if not status.signals & wire.Status.ENCODER_FAULT:
            self._doubt(pulse, tick, all_reports)
        self._status = (pulse, tick)
        self._measure_speed(pulse, tick)
        if status.signals & wire.Status.INDEX_KNOWN:
            self.hear_index(status.index_pulse)
        self._see(pulse, now)
        return True

    def hear_trigger(self, trigger: wire.Triggered, now: HostNs) -> Pulse:
        """Where an exposure was fired. Raises Impossible."""
        pulse = self.widened(trigger.pulse)
        first = self._exposure
        if first is None:
            self._exposure = trigger
        elif (pulse - first.pulse - (trigger.number - first.number) * self._every) & 0xFFFF_FFFF:
            raise Impossible(
                f"exposure {trigger.number} at count {pulse}, exposure {first.number} at {first.pulse}, "
                f"and one every {self._every} pulses"
            )
        self._must_be_in_reach(pulse, f"exposure {trigger.number}")
        self._last_exposure = max(pulse, pulse if self._last_exposure is None else self._last_exposure)
        self._see(pulse, now)
        return pulse

    def hear_index(self, pulse: int) -> Pulse | None:
        """The count at an index mark; None when a later one is known already. Raises Impossible."""
        wide = self.widened(pulse)
        if self.index is not None and wide <= self.index:
            return None
        self._must_be_in_reach(wide, "the index mark")
        self.index = wide
        return wide

    def _may_go_on(self, pulse: Pulse, now: HostNs) -> bool:
        """Whether a talk's first count can be that of the talk before, with the time that has passed."""
        if self._furthest is None:
            return True
        most = self._most_pulses_per_s * (now - self._seen_at) / NS_PER_S + self._reach
        return -self._settling <= pulse - self._furthest <= most

    def _doubt(self, pulse: Pulse, tick: int, all_reports: bool) -> None:
        if self._furthest is not None and pulse < self._furthest - self._settling:
            raise Impossible(f"its count ran back from {self._furthest} to {pulse}")
        for before, since in filter(None, (self._status, self._speed_from)):  # a jump; a speed
            pulses, ticks = pulse - before, tick - since
            if pulses > self._most_pulses_per_s * ticks / _US_PER_S + self._settling:
                raise Impossible(
                    f"its count went {pulses} pulses on in {ticks / _US_PER_MS:.0f} ms, "
                    f"and the belt makes {self._most_pulses_per_s} in a second at most"
                )
        exposed = self._last_exposure
        if all_reports and exposed is not None and pulse >= exposed + self._every + self._settling:
            raise Impossible(
                f"its count stands at {pulse}, and the last exposure, one every {self._every}, at {exposed}"
            )

    def _must_be_in_reach(self, pulse: Pulse, what: str) -> None:
        if self._status is not None and pulse > self._status[0] + self._reach:
            raise Impossible(f"{what} at count {pulse}, and the belt was at {self._status[0]} just now")

    def _measure_speed(self, pulse: Pulse, tick: int) -> None:
        if self._speed_from is None:
            self._speed_from = (pulse, tick)
            return
        before, since = self._speed_from
        if tick - since >= SPEED_MS * _US_PER_MS:
            self._pulses_per_s = max(0.0, (pulse - before) * _US_PER_S / (tick - since))
            self._speed_from = (pulse, tick)

    def _see(self, pulse: Pulse, now: HostNs) -> None:
        if self._furthest is None or pulse >= self._furthest:  # a report said again is no news of the belt
            self._furthest = self._seen_pulse = pulse
            self._seen_at = now
