"""Three kinds of time and the lengths between them. Only this file converts one into another.

A pulse is the encoder's count and says where the belt is; a host nanosecond is the station's
monotonic clock; a board tick is the gate board's own clock. They are different types, so that a
type checker finds the line that mixes them.
"""

from __future__ import annotations

from typing import NewType

Pulse = NewType("Pulse", int)
"""Encoder count since the belt's zero, 64 bit, never runs back on a healthy line."""

HostNs = NewType("HostNs", int)
"""Nanoseconds of the host's monotonic clock, from an arbitrary start."""

BoardTick = NewType("BoardTick", int)
"""Microseconds of the gate board's own clock since its boot, 32 bit on the wire, widened at the edge."""

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000


def pulses_from_mm(length_mm: float, mm_per_pulse: float) -> int:
    """The whole number of pulses nearest to a length along the belt."""
    return round(length_mm / mm_per_pulse)


def pulse_at(now: HostNs, seen_pulse: Pulse, seen_at: HostNs, pulses_per_s: float) -> Pulse:
    """Where the belt is now, if it kept its speed since it was last seen."""
    return Pulse(seen_pulse + int((now - seen_at) * pulses_per_s / NS_PER_S))


def ns_from_pulses(pulses: int, pulses_per_s: float) -> int:
    """Nanoseconds that a number of pulses takes at a belt speed."""
    return round(pulses * NS_PER_S / pulses_per_s)


def widened(counter: int, previous: int, bits: int) -> int:
    """A wrapping counter of `bits` bits as the unbounded count nearest to `previous`.

    Right as long as the true count moved by less than half the counter's range since `previous`.
    """
    half = 1 << (bits - 1)
    return previous + ((counter - previous + half) % (1 << bits)) - half
