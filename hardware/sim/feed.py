"""Into which cups fruit are put: all of them, but for times when nobody feeds the belt."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator


class Feed:
    """Told, when feeding stops or goes on, which cup that is: one that no camera has seen yet."""

    def __init__(self, first_cup: int) -> None:
        self._edges = [first_cup]  # from which cup on there are fruit, from which on there are none, and so on
        self.is_over = False

    @property
    def end_cup(self) -> int | None:
        """The first cup after the last one that was fed; None while there is none."""
        return None if len(self._edges) % 2 else self._edges[-1]

    def stop(self, cup: int) -> None:
        """From this cup on there are no fruit."""
        if self.end_cup is None:
            self._edges.append(max(cup, self._edges[-1]))

    def go_on(self, cup: int) -> None:
        """From this cup on there are fruit again, unless feeding is over."""
        if self.end_cup is not None and not self.is_over:
            self._edges.append(max(cup, self._edges[-1]))

    def end(self, cup: int) -> None:
        """As `stop`, and for good."""
        self.stop(cup)
        self.is_over = True

    def holds(self, cup: float) -> bool:
        """Whether fruit are put into this cup. Between two cups: into the nearer one."""
        return bool(bisect_right(self._edges, round(cup)) % 2)

    def stretches(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """Cups within [first, last) that are fed: begin and end of each stretch."""
        for place in range(0, len(self._edges), 2):
            begin, end = max(first, self._edges[place]), last
            if place + 1 < len(self._edges):
                end = min(last, self._edges[place + 1])
            if begin < end:
                yield begin, end
