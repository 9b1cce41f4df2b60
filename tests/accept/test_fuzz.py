"""What two cores do in an hour: spoilt inputs to every reader, and none of them breaks one."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bench.fuzz.__main__ import told
from bench.fuzz.hunt import MOST_GROWTH_MB, MOST_S
from bench.fuzz.targets import TARGETS
from bench.fuzz.workers import hunted

SEED, CORES = 1, 2
INPUTS_PER_MINUTE = 10e6 / 60


def test_millions_of_spoilt_inputs_break_no_reader(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest, figure: Callable[..., None]
) -> None:
    minutes = request.config.getoption("--accept-fuzz-minutes")
    found = hunted(list(TARGETS.values()), seed=SEED, seconds=60 * minutes, workers=CORES)
    told(found, SEED, tmp_path_factory.mktemp("fuzz"))
    run = f"{len(found)} readers, {minutes:g} minutes, {CORES} cores, seed {SEED}"
    figure("inputs", sum(one.inputs for one in found), least=minutes * INPUTS_PER_MINUTE, of=run)
    figure("ways to break a reader", sum(len(one.failures) for one in found), most=0)
    slowest, hungriest = max(found, key=lambda one: one.slowest_ms), max(found, key=lambda one: one.growth_mb)
    figure("slowest input", slowest.slowest_ms, "ms", most=1000 * MOST_S, of=slowest.target)
    figure("memory growth", hungriest.growth_mb, "MB", most=MOST_GROWTH_MB, of=hungriest.target)
