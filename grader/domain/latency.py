"""How long things took: a histogram of fixed size, for a line that runs for weeks."""

from __future__ import annotations

import math
from itertools import pairwise

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

EDGES_MS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0)
"""Round upper edges of the histogram that is shown and kept, coarser than the bins that percentiles are read from."""

_BINS_WITHIN = np.searchsorted(_EDGES_MS, np.array(EDGES_MS) * (1.0 + 1e-9), side="right")
"""How many bins lie wholly within each round edge: who is in the bin that the edge cuts is counted as beyond it."""


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """Percentiles of one stage in milliseconds; None where nothing was timed yet. n: how many were timed.

    counts: how many of them took up to each of `EDGES_MS` and longer than the edge before it, and last those beyond the
    last edge; n in all. sum_ms: all of them together.
    """

    n: int
    p50_ms: float | None
    p99_ms: float | None
    p999_ms: float | None
    worst_ms: float | None
    counts: tuple[int, ...] = ()
    sum_ms: float = 0.0


class LatencyHistogram:
    """Counts durations in log-spaced bins: constant memory, constant work, nothing forgotten."""

    def __init__(self) -> None:
        self._counts = np.zeros(_BINS + 1, np.int64)
        self._worst_ms = self._sum_ms = 0.0

    def add(self, ms: ArrayLike) -> None:
        """Count one duration or an array of them, in milliseconds. Raises ValueError for NaN or a negative one."""
        durations = np.atleast_1d(np.asarray(ms, np.float64))
        if not (durations >= 0.0).all():
            raise ValueError("a duration is negative or not a number")
        if not len(durations):
            return
        np.add.at(self._counts, np.searchsorted(_EDGES_MS, durations), 1)
        self._worst_ms = max(self._worst_ms, float(durations.max()))
        self._sum_ms += float(durations.sum())

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
        """The percentiles and the histogram that are shown and kept."""
        cumulative = np.cumsum(self._counts)
        n = int(cumulative[-1])
        within = [int(cumulative[bins - 1]) for bins in _BINS_WITHIN]
        return Latency(
            n=n,
            p50_ms=self.percentile(0.5),
            p99_ms=self.percentile(0.99),
            p999_ms=self.percentile(0.999),
            worst_ms=self._worst_ms if n else None,
            counts=tuple(up_to - before for before, up_to in pairwise((0, *within, n))),
            sum_ms=self._sum_ms,
        )
