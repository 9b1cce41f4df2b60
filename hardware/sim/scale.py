"""The weighing bridges: what they show for a fruit in its cup, with noise, tare and a zero that wanders."""

from __future__ import annotations

import math

import numpy as np

from hardware.sim.draws import keyed
from hardware.sim.levels import Level

_WAVES = 3  # a lane's zero is a sum of this many slow waves
_SHORTEST_H, _LONGEST_H = 1.5, 8.0  # their periods


class SimulatedScale:
    """One bridge per lane. Every reading is a function of (level, seed, lane, cup, mass, hours) alone."""

    def __init__(self, level: Level, seed: int, cups_per_chain: int, lanes: int) -> None:
        self._seed, self._sd_g, self._cups_per_chain = seed, level.scale_sd_g, cups_per_chain
        self._tare_g = level.tare_sd_g * keyed(seed, "tare").standard_normal((lanes, cups_per_chain))
        waves = keyed(seed, "scale zero")
        self._per_hour = 2.0 * math.pi / waves.uniform(_SHORTEST_H, _LONGEST_H, (lanes, _WAVES))
        self._phase = waves.uniform(0.0, 2.0 * math.pi, (lanes, _WAVES))
        # Each wave gets its share of the drift's speed: the root mean square of the slope is the level's drift.
        self._height_g = level.scale_drift_g_per_hour * math.sqrt(2.0 / _WAVES) / self._per_hour

    def tare_g(self, *, lane: int, cup: int) -> float:
        """What the empty cup weighs beyond the bridge's zero; the same each time the chain comes round."""
        return float(self._tare_g[lane, cup % self._cups_per_chain])

    def zero_g(self, *, lane: int, hours: float) -> float:
        """How far the lane's zero has wandered since the start of the day."""
        angle = self._per_hour[lane] * hours + self._phase[lane]
        return float((self._height_g[lane] * (np.sin(angle) - np.sin(self._phase[lane]))).sum())

    def weigh(self, *, lane: int, cup: int, mass_g: float, hours: float) -> float:
        """What the bridge shows, in g. An empty cup (mass_g 0) reads its tare and the zero, and may read below 0."""
        noise_g = self._sd_g * float(keyed(self._seed, "weighing", lane, cup).standard_normal())
        return mass_g + self.tare_g(lane=lane, cup=cup) + self.zero_g(lane=lane, hours=hours) + noise_g
