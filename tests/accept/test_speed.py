"""The hot path as a ratio to one colour conversion of the same frame, in the same interleaved run."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bench import frames, hot_path, packed

RUNS = 3


def test_the_hot_path_keeps_its_budget(request: pytest.FixtureRequest, figure: Callable[..., None]) -> None:
    runs = [hot_path.measure(request.config.getoption("--accept-seconds")) for _ in range(RUNS)]

    def spread(name: str) -> str:
        values = sorted(run[name] for run in runs)
        return f"{RUNS} runs, {values[0]:.3g} to {values[-1]:.3g}"

    middle = {name: sorted(run[name] for run in runs)[RUNS // 2] for name in runs[0]}
    figure("fruit in view", middle["hot_path_fruit_in_view"], of=f"seed {frames.SEED}")
    figure("hot path", middle["hot_path_ms"], "ms", of=spread("hot_path_ms"))
    figure("hot path", middle["hot_path_x_hsv"], "x HSV", most=1.8, of=spread("hot_path_x_hsv"))
    figure("hot path, p99", middle["hot_path_x_hsv_p99"], "x HSV", of=spread("hot_path_x_hsv_p99"))
    faster = middle["skimage_x_hot_path"]
    figure("faster than scikit-image", faster, "times", least=100, of=spread("skimage_x_hot_path"))


def test_a_packed_frame_is_written_and_read_in_time(
    request: pytest.FixtureRequest, figure: Callable[..., None]
) -> None:
    numbers = packed.measure(request.config.getoption("--accept-seconds"))
    figure("packed frame, written", numbers["packed_encode_ms"], "ms", most=packed.BUDGET_MS)
    figure("packed frame, read", numbers["packed_decode_ms"], "ms", most=packed.BUDGET_MS)
