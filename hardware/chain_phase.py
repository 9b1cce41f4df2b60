"""The board's raw count and the house's pulse: the one place where one becomes the other.

A board counts from wherever it was switched on. The house wants pulses that go on from run to run, and in which the
cup under the chain's index mark always has a serial that is a multiple of the chain's cups. The two differ by an
offset; the index mark says which, and shows when pulses were counted too many or too few. No clock, no port.
"""

from __future__ import annotations

from grader.domain.decisions import Rephased
from grader.units import Pulse

JITTER_PULSES = 2
"""A mark is not seen more exactly than this."""

DRIFT_CUPS = 0.1
"""Up to here a slip is corrected without a word: every view still shows its own cup."""

OFFSETS_KEPT = 8
"""Late reports are of counts a second ago; offsets change once in a chain's round at most."""


class ChainPhase:
    """The offset between count and pulse, and how it changes. It begins with offset 0, out of step until `begin`."""

    def __init__(
        self, pulses_per_chain: int | None, not_before: Pulse = Pulse(0), *, pulses_per_cup: int, gap_pulses: int = 0
    ) -> None:
        """pulses_per_chain: from mark to mark; None: the chain has no mark. not_before: the first pulse that may be
        given, after all of the journal's serials. gap_pulses: left free beyond the last pulse given whenever serials
        begin anew; with the belt's length no cup that is still on it shares its new serial with an earlier one."""
        self._chain, self._cup, self._gap = pulses_per_chain, pulses_per_cup, gap_pulses
        self._not_before = not_before
        self._furthest: Pulse | None = None  # given to the house
        self._offsets: list[tuple[int, int]] = [(0, 0)]  # from which count on, which offset
        self.known = False

    @property
    def offset(self) -> int:
        """What the pulse is ahead of the count from now on."""
        return self._offsets[-1][1]

    def pulse_of(self, count: int) -> Pulse:
        """The pulse of a count, past or to come."""
        for since, offset in reversed(self._offsets):
            if count >= since:
                return Pulse(count + offset)
        return Pulse(count + self._offsets[0][1])

    def advance(self, count: int) -> Pulse:
        """The belt has come to `count`: the pulse, which never runs back, and counts as given from now on."""
        self._furthest = max(self.pulse_of(count), self._furthest or self._not_before)
        return self._furthest

    def begin(self, count: int, index: int | None) -> Rephased | None:
        """A count that has nothing to do with the one before stands at `count`; it was `index` at the last mark.

        None as index: not seen yet. Returns None the first time: no serial was given, none is void.
        """
        before, given = self.offset, self._furthest
        self.known = self._chain is None or index is not None
        first = self._first_free()
        if self._chain is None:
            offset = max(first - count, 0)
        else:
            offset = first - count if index is None else self._in_step(index, first - count)
        self._offsets = [(count, offset)]
        at = self.advance(count)
        return None if given is None else Rephased(at=at, by_pulses=offset - before)

    def mark(self, index: int, count: int) -> Rephased | None:
        """The index mark was seen at `index`; the belt has come to `count` since. What that makes void, if anything."""
        if self._chain is None:
            return None
        slip: int | None = None
        if self.known:
            slip = (index + self.offset + self._chain // 2) % self._chain - self._chain // 2
            if abs(slip) <= JITTER_PULSES:
                return None
            if abs(slip) <= DRIFT_CUPS * self._cup:
                self._move(count, self.offset - slip)
                return None
        before, self.known = self.offset, True
        self._move(count, self._in_step(index, self._first_free() - count))
        return Rephased(at=self.advance(count), by_pulses=self.offset - before, slip_pulses=slip)

    def _first_free(self) -> int:
        """The first pulse of a cup whose serial, and every one after it, was never given."""
        if self._furthest is None:
            return self._not_before
        return (self._furthest // self._cup + 1) * self._cup + self._gap

    def _in_step(self, index: int, least: int) -> int:
        """The smallest offset, `least` or more, that puts the mark onto a multiple of the chain."""
        assert self._chain is not None
        return least + -(index + least) % self._chain

    def _move(self, count: int, offset: int) -> None:
        # What was counted before keeps its pulse: it was given already, or is void with what was.
        self._offsets = [*self._offsets[1 - OFFSETS_KEPT :], (count, offset)]
