"""All benchmarks into one flat object, name to number, units in the names: what `grader bench` prints and keeps.

Every benchmark checks the results that it timed and raises when one is wrong. README.md beside this file says what
each number means.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import cv2

from bench import dispatch, frames, hot_path, journal, packed, regrade, replay, step, sugar

BENCHMARKS: dict[str, Callable[[float], dict[str, float]]] = {
    "hot path": hot_path.measure,
    "step": step.measure,
    "journal": journal.measure,
    "dispatch": dispatch.measure,
    "replay": replay.measure,
    "packed recording": packed.measure,
    "regrading": lambda seconds: regrade.measure(),  # of a fixed size: a million fruit
    "sugar": lambda seconds: sugar.measure(),  # of a fixed size: 4,000 fruit
}

_NEEDS_SCIKIT_IMAGE = "skimage_x_hot_path"


def measured(seconds: float, progress: Callable[[float], None] = lambda share: None) -> dict[str, float]:
    """Run every benchmark for about `seconds`; progress: told the share of them that is done.

    A number whose library is not installed is left out: `left_out` says which and why.
    """
    cv2.setNumThreads(1)
    numbers: dict[str, float] = {
        "cores": float(len(os.sched_getaffinity(0))),
        "seconds_each": seconds,
        "seed_hot_path": float(frames.SEED),
        "seed_step": float(step.SEED),
        "seed_replay": float(replay.SEED),
        "seed_sugar": float(sugar.SEED),
    }
    for done, benchmark in enumerate(BENCHMARKS.values()):
        found = benchmark(seconds)
        twice = numbers.keys() & found.keys()
        if twice:
            raise ValueError(f"two benchmarks measure {', '.join(sorted(twice))}")
        numbers |= found
        progress((done + 1) / len(BENCHMARKS))
    return numbers


def left_out(numbers: dict[str, float]) -> list[str]:
    """What could not be measured here, in words."""
    if _NEEDS_SCIKIT_IMAGE in numbers:
        return []
    return [f"{_NEEDS_SCIKIT_IMAGE} is left out: scikit-image is not installed (make setup installs it)"]
