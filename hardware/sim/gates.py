"""Gates as physical things: told to open or close, each takes its time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Step(NamedTuple):
    """The belt went from one (pulse, tick) to another at an even speed. Ticks are microseconds."""

    from_pulse: float
    to_pulse: float
    from_tick: float
    to_tick: float

    def tick_at(self, pulse: float) -> float:
        """When the belt was at a pulse of this step."""
        pulses = self.to_pulse - self.from_pulse
        return self.to_tick if pulses <= 0 else self.from_tick + (pulse - self.from_pulse) * self._ticks / pulses

    def pulse_at(self, tick: float) -> float:
        """Where the belt was at a tick of this step."""
        share = (tick - self.from_tick) / self._ticks if self._ticks > 0 else 1.0
        return self.from_pulse + share * (self.to_pulse - self.from_pulse)

    @property
    def _ticks(self) -> float:
        return self.to_tick - self.from_tick


@dataclass(slots=True)
class GateMovement:
    """One opening of a gate, in pulses of the belt. None: has not come to pass (yet).

    opening: it began to move; opened: it is all the way open (None for good when it was closed before that);
    closing: it began to move back; closed: it is all the way closed.
    """

    lane: int
    outlet: int
    opening: float
    opened: float | None = None
    closing: float | None = None
    closed: float | None = None


class PhysicalGate:
    """One gate. Closed is its rest: without power a spring closes it."""

    def __init__(self, lane: int, outlet: int, opening_ticks: float, closing_ticks: float) -> None:
        self._lane, self._outlet = lane, outlet
        self.opening_ticks, self.closing_ticks = opening_ticks, closing_ticks
        self._arrives: float | None = None  # the tick at which the movement under way ends
        self.movements: list[GateMovement] = []

    def takes(self, opening_ticks: float, closing_ticks: float) -> None:
        """From its next movement on."""
        self.opening_ticks, self.closing_ticks = opening_ticks, closing_ticks

    @property
    def told_open(self) -> bool:
        """Whether the last thing it was told is to open."""
        return bool(self.movements) and self.movements[-1].closing is None

    def open_at(self, pulse: float, step: Step) -> None:
        """Tell it to open at a pulse of this step."""
        tick = step.tick_at(pulse)
        self._settle(tick, step)
        self.movements.append(GateMovement(self._lane, self._outlet, pulse))
        self._arrives = tick + self.opening_ticks

    def close_at(self, pulse: float, step: Step) -> None:
        """Tell it to close at a pulse of this step."""
        if not self.told_open:
            return
        tick = step.tick_at(pulse)
        self._settle(tick, step)
        self.movements[-1].closing = pulse
        self._arrives = tick + self.closing_ticks

    def settle(self, step: Step) -> None:
        """Let it arrive where it was told to go, if that comes to pass in this step."""
        self._settle(step.to_tick, step)

    def forget_before(self, pulse: float) -> list[GateMovement]:
        """Drop what was over and done with before a pulse, and say what it was."""
        over = [m for m in self.movements if m.closed is not None and m.closed < pulse]
        self.movements = [m for m in self.movements if m.closed is None or m.closed >= pulse]
        return over

    def _settle(self, tick: float, step: Step) -> None:
        if self._arrives is None or self._arrives > tick:
            return
        movement, pulse = self.movements[-1], step.pulse_at(self._arrives)
        if movement.closing is None:
            movement.opened = pulse
        else:
            movement.closed = pulse
        self._arrives = None
