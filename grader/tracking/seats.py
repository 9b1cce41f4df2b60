"""Where fruit lie in their cups, on average: a camera that was bumped shows all of them beside their places."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

SETTLING, LATELY = 400, 200
"""Fruit that say where fruit lie on this line, and those that say where they lie now. One lies within 2.5 mm of its
place, usually: the means are right to 0.2 mm."""


@dataclass(slots=True)
class Seats:
    """seen: (2,) fruit that count along the belt and across it. first_mm, lately_mm: (2,) means along and across, of
    the first SETTLING and of some LATELY ones."""

    seen: NDArray[np.int64] = field(default_factory=lambda: np.zeros(2, np.int64))
    first_mm: Values = field(default_factory=lambda: np.zeros(2))
    lately_mm: Values = field(default_factory=lambda: np.zeros(2))

    def see(self, off_mm: Values) -> None:
        """Some more: (n, 2) how far each lies from its place, along the belt and across it."""
        for off in off_mm:  # a loop over the fruit of a row of cups
            self.seen += 1
            self.first_mm += np.where(self.seen <= SETTLING, (off - self.first_mm) / self.seen, 0.0)
            self.lately_mm += (off - self.lately_mm) / np.minimum(self.seen, LATELY)

    def begin_anew_along(self) -> None:
        """The encoder slipped: where fruit lie along the belt is counted otherwise from now on, by a pulse or two."""
        for values in (self.seen, self.first_mm, self.lately_mm):
            values[0] = 0

    @property
    def moved_mm(self) -> float | None:
        """How far fruit lie now from where they lay at first; None before there were enough."""
        enough = self.seen >= SETTLING + LATELY
        return float(np.hypot(*np.where(enough, self.lately_mm - self.first_mm, 0.0))) if enough.any() else None
