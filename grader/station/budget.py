"""How often a device may be opened again: soon at first, then less and less, then not until a person says so."""

from __future__ import annotations

from collections import deque

import msgspec

from grader.units import NS_PER_S, HostNs


class BudgetSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """most: tries within within_s; after that it is given up. first_delay_s: before the second try, doubled for each
    one more. The first try is made at once."""

    most: int = 5
    within_s: float = 60.0
    first_delay_s: float = 0.5


class RestartBudget:
    """Tries of one device."""

    def __init__(self, settings: BudgetSettings = BudgetSettings()) -> None:
        self._settings = settings
        self._tried: deque[HostNs] = deque()
        self._in_a_row = 0

    def is_spent(self, now: HostNs) -> bool:
        """Whether there were so many tries of late that no more are made."""
        self._forget(now)
        return len(self._tried) >= self._settings.most

    def may_try(self, now: HostNs) -> bool:
        """Whether the next try is due."""
        if self.is_spent(now):
            return False
        if not self._tried or not self._in_a_row:
            return True
        delay_s = self._settings.first_delay_s * 2 ** (self._in_a_row - 1)
        return bool(now - self._tried[-1] >= delay_s * NS_PER_S)

    def tried(self, now: HostNs) -> None:
        """A try is made now."""
        self._tried.append(now)
        self._in_a_row += 1

    def worked(self) -> None:
        """The device does what it should: the next trouble is met at once again. What was spent stays spent."""
        self._in_a_row = 0

    def renew(self) -> None:
        """A person has looked after it."""
        self._tried.clear()
        self._in_a_row = 0

    def _forget(self, now: HostNs) -> None:
        while self._tried and now - self._tried[0] >= self._settings.within_s * NS_PER_S:
            self._tried.popleft()
