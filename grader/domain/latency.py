"""How long things took: a histogram of fixed size, for a line that runs for weeks."""

from __future__ import annotations

import math

import msgspec
import numpy as np
from numpy.typing import ArrayLike

LEAST_MS = 0.01
MOST_MS = 100_000.0
BINS_PER_DECADE = 128
"""A bin is 1.8 % wide: a percentile is overstated by no more than that, and never understated."""

_BINS = round(math.log10(MOST_MS / LEAST_MS) * BINS_PER_DECADE)
_EDGES_MS = LEAST_MS * 10.0 ** (np.arange(1, _BINS + 1) / BINS_PER_DECADE)
"""Upper edge of each bin; shorter times fall into the first, longer ones into one bin beyond the last."""


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """Percentiles of one stage in milliseconds; None where nothing was timed yet. n: how many were timed."""

    n: int
    p50_ms: float | None
    p99_ms: float | None
    p999_ms: float | None
    worst_ms: float | None


class LatencyHistogram:
    """Counts durations in log-spaced bins: constant memory, constant work, nothing forgotten."""

    def __init__(self) -> None:
        self._counts = np.zeros(_BINS + 1, np.int64)
        self._worst_ms = 0.0

    def add(self, ms: ArrayLike) -> None:
        """Count one duration or an array of them, in milliseconds. Raises ValueError for NaN or a negative one."""
        durations = np.atleast_1d(np.asarray(ms, np.float64))
        if not (durations >= 0.0).all():
            raise ValueError("a duration is negative or not a number")
        if not len(durations):
            return
        np.add.at(self._counts, np.searchsorted(_EDGES_MS, durations), 1)
        self._worst_ms = max(self._worst_ms, float(durations.max()))

    def percentile(self, share: float) -> float | None:
        """The least duration (upper edge of its bin, ms) that `share` (0..1) of all stay within; None without any."""
        cumulative = np.cumsum(self._counts)
        if not cumulative[-1]:
            return None
        # Nearest rank: the same definition as numpy's "inverted_cdf". The product is rounded first, so that
        # 0.999 * 1000 = 999.0000000001 does not ask for one rank more.
        rank = max(1, math.ceil(round(share * float(cumulative[-1]), 6)))
        found = int(np.searchsorted(cumulative, rank))
        edge_ms = float(_EDGES_MS[found]) if found < _BINS else self._worst_ms
        return min(edge_ms, self._worst_ms)

    def latency(self) -> Latency:
        """The percentiles that are shown and kept."""
        n = int(self._counts.sum())
        return Latency(
            n=n,
            p50_ms=self.percentile(0.5),
            p99_ms=self.percentile(0.99),
            p999_ms=self.percentile(0.999),
            worst_ms=self._worst_ms if n else None,
        )
