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
    """seen: fruit. first_mm, lately_mm: (2,) mean along and across, of the first SETTLING and of some LATELY ones."""

    seen: int = 0
    first_mm: Values = field(default_factory=lambda: np.zeros(2))
    lately_mm: Values = field(default_factory=lambda: np.zeros(2))

    def see(self, off_mm: Values) -> None:
        """Some more: (n, 2) how far each lies from its place, along the belt and across it."""
        for off in off_mm:  # a loop over the fruit of a row of cups
            self.seen += 1
            if self.seen <= SETTLING:
                self.first_mm += (off - self.first_mm) / self.seen
            self.lately_mm += (off - self.lately_mm) / min(self.seen, LATELY)

    @property
    def moved_mm(self) -> float | None:
        """How far fruit lie now from where they lay at first; None before there were enough."""
        if self.seen < SETTLING + LATELY:
            return None
        return float(np.hypot(*(self.lately_mm - self.first_mm)))
