"""The suite gathers real benchmarks into one flat object, and a benchmark refuses a wrong result."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from bench import packed, regrade, replay, suite
from grader.app.replay import replay as replayed
from grader.app.simulating import write_simulated


def quick(seconds: float) -> dict[str, float]:
    """A benchmark of about a second."""
    return regrade.measure()


def test_the_suite_has_every_number_in_one_flat_object(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suite, "BENCHMARKS", {"packed": packed.measure, "regrading": quick})
    shares: list[float] = []
    numbers = suite.measured(0.05, shares.append)
    assert {"packed_encode_ms", "packed_decode_ms", "regrade_million_s", "seed_hot_path", "cores"} <= numbers.keys()
    assert all(isinstance(value, float) and math.isfinite(value) for value in numbers.values())
    assert shares == [0.5, 1.0]


def test_two_benchmarks_may_not_give_one_name_two_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suite, "BENCHMARKS", {"once": quick, "twice": quick})
    with pytest.raises(ValueError, match="regrade_million_s"):
        suite.measured(0.05)


def test_a_number_whose_library_is_missing_is_named() -> None:
    assert suite.left_out({"skimage_x_hot_path": 200.0}) == []
    assert "scikit-image" in suite.left_out({"hot_path_ms": 4.0})[0]


def test_the_replay_benchmark_refuses_a_replay_that_lost_a_fruit(tmp_path: Path) -> None:
    settings = {"level": "ideal", "lanes": 1, "variety": "Fuji", "passes": 1, "cups_per_second": 12.0, "nir": False}
    write_simulated(tmp_path / "line", fruit=2, seed=1, progress=lambda share: None, **settings)
    right = replayed(tmp_path / "line")
    truth = {(record.lane, record.cup) for record in right.records}
    replay._check(right, truth)
    for wrong in (right.records[1:], [*right.records, right.records[0]]):
        with pytest.raises(ValueError, match="fruit"):
            replay._check(right._replace(records=wrong), truth)
