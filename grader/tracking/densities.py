"""Whether weights and sizes still belong together: how heavy fruit are for their size, lane by lane.

One camera sees all lanes and each lane has its own scale. Fruit of one orchard are equally dense in all of them; a lane
in which they are not has a scale whose span is off, or lies where the camera no longer sees what it is said to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

LATELY = 200
"""Fruit of a lane that say how dense they are. The density of one is seen to 2 %: their mean is right to 0.2 %."""
_FITS = 0.06
"""A fruit that is off by less weighs what it should for its size."""


@dataclass(slots=True)
class Densities:
    """fruit: (lanes,) seen. log_density: (lanes,) mean of the logarithm, of some LATELY ones."""

    fruit: NDArray[np.int64]
    log_density: Values

    @classmethod
    def of(cls, lanes: int) -> Self:
        """Of a line that has seen none."""
        return cls(np.zeros(lanes, np.int64), np.zeros(lanes))

    def see(self, lane: NDArray[np.integer], density_g_per_ml: Values) -> None:
        """Some more fruit, (n,) each; NaN is left."""
        for at, density in zip(lane.tolist(), density_g_per_ml.tolist(), strict=True):  # fruit of a row of cups
            if density > 0.0:
                self.fruit[at] += 1
                self.log_density[at] += (np.log(density) - self.log_density[at]) / min(self.fruit[at], LATELY)

    def fits(self, lane: int, mass_g: float, volume_ml: float) -> bool:
        """Whether a fruit weighs what those of its lane use to; not before there were enough, nor without a size."""
        if self.fruit[lane] < LATELY or not (mass_g > 0.0 and volume_ml > 0.0):
            return False
        return bool(abs(np.log(mass_g / volume_ml) - self.log_density[lane]) < _FITS)

    @property
    def misfits(self) -> tuple[float | None, ...]:
        """Of each lane, how much heavier its fruit are for their size than half of all lanes', as a share; None before
        there were enough, and of a lone lane."""
        enough = self.fruit >= LATELY
        if np.count_nonzero(enough) < 2:
            return (None,) * len(self.fruit)
        usual = np.median(self.log_density[enough])
        return tuple(
            float(np.expm1(value - usual)) if known else None
            for value, known in zip(self.log_density, enough, strict=True)
        )
