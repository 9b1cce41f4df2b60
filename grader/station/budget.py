"""How often a device may be opened again: soon at first, then less and less, then not until a person says so."""

from __future__ import annotations

from collections import deque

import msgspec

from grader.units import NS_PER_S, HostNs


class BudgetSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """most: tries within within_s; after that it is given up. None: it is tried for as long as it takes. first_delay_s:
    before the second try, doubled for each one more up to most_delay_s. The first try is made at once."""

    most: int | None = 5
    within_s: float = 60.0
    first_delay_s: float = 0.5
    most_delay_s: float = 10.0


FOR_EVER = BudgetSettings(most=None)
"""For what a station can do without: nobody has to come and reset it."""


class RestartBudget:
    """Tries of one device."""

    def __init__(self, settings: BudgetSettings = BudgetSettings()) -> None:
        self._settings = settings
        self._tried: deque[HostNs] = deque()
        self._in_a_row = 0
        self._is_spent = False

    @property
    def is_spent(self) -> bool:
        """Whether one more was wanted than may be made: no more are, however long nobody comes."""
        return self._is_spent

    def may_try(self, now: HostNs) -> bool:
        """Whether the next try is due. One too many of late: then none is, ever, before `renew`."""
        while self._tried and now - self._tried[0] >= self._settings.within_s * NS_PER_S:
            self._tried.popleft()
        most = self._settings.most
        self._is_spent = self._is_spent or (most is not None and len(self._tried) >= most)
        if self._is_spent:
            return False
        if not self._tried or not self._in_a_row:
            return True
        delay_s = self._settings.first_delay_s * 2 ** min(self._in_a_row - 1, 20)
        return bool(now - self._tried[-1] >= min(delay_s, self._settings.most_delay_s) * NS_PER_S)

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
        self._in_a_row, self._is_spent = 0, False
