"""The board's encoder: what it counts of the belt, and when the firmware no longer believes it."""

from __future__ import annotations

from hardware import protocol as wire

_TICKS_PER_S = 1_000_000
_SPEED_TICKS = 50_000
"""The board measures the belt's speed over at least so long: a pulse more or less is then 1.5 % at full speed."""

_STILL_TICKS = 1_000_000
"""A belt that is said to run and makes no pulse for so long has lost its encoder."""

_GAP_PULSES, _GAP_TICKS, _SLOW_SHARE = 16, 25_000, 0.1
"""So has one that ran, faster than this share of the most, and makes none while it would have made so many, and for at
least so long: a belt does not stop as short as that, and a gate that stays open takes its fruit's neighbours."""


class Encoder:
    """One count, from power-up to power-up. ahead: what it is ahead of the belt's true pulse."""

    def __init__(self, ahead: int, tick: int) -> None:
        self.ahead = ahead
        self.count = self.furthest = 0
        self.index: int | None = None  # the count at the latest index mark
        self.fault = False  # latched until a reset
        self.speed = 0.0  # pulses per tick
        self._speed_from = (0, tick)
        self._moved, self._pace = tick, 0.0  # when it last made a pulse, and its speed then
        self._most_per_tick = float("inf")  # not known before the first configuration; outlives resets
        self._settling = 0

    def believe(self, config: wire.Configure, tick: int) -> None:
        """What a belt can do, from now on."""
        self._speed_from = (self.count, tick)
        self._most_per_tick = config.most_pulses_per_s / _TICKS_PER_S
        self._settling = config.settling_pulses

    def reset(self, tick: int) -> None:
        """A fault is taken note of; the count goes on."""
        self.fault, self._moved = False, tick

    def step(self, pulse: int, ticks: int, tick: int, *, must_move: bool) -> None:
        """The belt is at `pulse`, `ticks` after the last call. must_move: it is said to run."""
        count = pulse + self.ahead
        if count != self.count or not must_move:
            self._moved, self._pace = tick, self.speed
        jumped = self._is_too_fast(count - self.count, ticks)
        races = self._is_too_fast(count - self._speed_from[0], tick - self._speed_from[1])
        ran_back = count < self.furthest - self._settling and self._most_per_tick != float("inf")
        self.count = count
        if jumped or races or ran_back or tick - self._moved > self._longest_gap():
            self.fault, self.index = True, None
            self.furthest, self._moved, self._speed_from = count, tick, (count, tick)
        self.furthest = max(self.furthest, count)
        self._measure_speed(tick)

    def mark(self, pulse: int) -> int:
        """The index mark passed when the belt was at `pulse`: the count there."""
        self.index = pulse + self.ahead
        return self.index

    def _longest_gap(self) -> float:
        """Ticks without a pulse that the speed of just now allows."""
        if self._pace < _SLOW_SHARE * self._most_per_tick:
            return _STILL_TICKS
        return max(_GAP_TICKS, _GAP_PULSES / self._pace)

    def _is_too_fast(self, pulses: int, ticks: int) -> bool:
        return pulses > self._most_per_tick * ticks + self._settling

    def _measure_speed(self, tick: int) -> None:
        count, since = self._speed_from
        if tick - since >= _SPEED_TICKS:
            self.speed = max(0.0, (self.count - count) / (tick - since))
            self._speed_from = self.count, tick
