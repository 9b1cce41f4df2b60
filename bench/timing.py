"""Times as ratios inside one run: whatever slows the machine slows both sides."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray


def interleaved(
    calls: Mapping[str, Callable[[], object]], seconds: float, least_rounds: int = 20
) -> dict[str, NDArray[np.float64]]:
    """Milliseconds of every call, by name, (rounds,) each: all are called in turn, round after round."""
    for call in calls.values():  # the first call of anything pays for its buffers
        call()
    times: dict[str, list[float]] = {name: [] for name in calls}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(next(iter(times.values()))) < least_rounds:
        for name, call in calls.items():
            before = time.perf_counter()
            call()
            times[name].append((time.perf_counter() - before) * 1e3)
    return {name: np.array(values) for name, values in times.items()}
