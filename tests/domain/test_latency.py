"""A latency is never shown smaller than it was."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.domain.latency import EDGES_MS, Latency, LatencyHistogram


@settings(derandomize=True, deadline=None, max_examples=100)
@given(st.lists(st.floats(0.01, 90_000.0), min_size=1, max_size=300))
def test_percentiles_agree_with_sorting_and_never_understate(durations_ms: list[float]) -> None:
    histogram = LatencyHistogram()
    for ms in durations_ms:
        histogram.add(ms)
    for share in (0.5, 0.99, 0.999):
        true = sorted(durations_ms)[math.ceil(round(share * len(durations_ms), 6)) - 1]
        found = histogram.percentile(share)
        assert found is not None
        assert true * (1 - 1e-9) <= found <= true * 1.0182
    assert histogram.latency().worst_ms == max(durations_ms)
    assert histogram.latency().n == len(durations_ms)


def test_one_slow_frame_in_a_thousand_shows_in_the_worst_only() -> None:
    histogram = LatencyHistogram()
    histogram.add(np.full(999, 5.0))
    histogram.add(400.0)
    found = histogram.latency()
    assert found.worst_ms == 400.0
    assert found.p999_ms == pytest.approx(5.0, rel=0.02)


def test_times_beyond_the_bins_are_counted_and_the_worst_is_exact() -> None:
    histogram = LatencyHistogram()
    histogram.add([0.0, 1e-6, 3e5])
    counts = (2, *[0] * (len(EDGES_MS) - 1), 1)
    assert histogram.latency() == Latency(
        n=3,
        p50_ms=0.01 * 10 ** (1 / 128),
        p99_ms=3e5,
        p999_ms=3e5,
        worst_ms=3e5,
        counts=counts,
        sum_ms=300_000.000001,
    )


@settings(derandomize=True, deadline=None, max_examples=100)
@given(st.lists(st.floats(0.01, 90_000.0), max_size=300))
def test_every_duration_is_in_one_count_and_none_is_called_shorter_than_it_was(durations_ms: list[float]) -> None:
    histogram = LatencyHistogram()
    histogram.add(durations_ms)
    found = histogram.latency()
    assert sum(found.counts) == found.n == len(durations_ms)
    assert found.sum_ms == pytest.approx(sum(durations_ms))
    within = np.cumsum(found.counts)[:-1]
    for edge_ms, said in zip(EDGES_MS, within, strict=True):
        assert sum(ms <= edge_ms / 1.0182 for ms in durations_ms) <= said
        assert said <= sum(ms <= edge_ms * (1 + 1e-9) for ms in durations_ms)


def test_what_took_exactly_as_long_as_a_round_edge_that_bins_have_too_is_within_it() -> None:
    for edge_ms in (0.1, 1.0, 10.0, 100.0, 1000.0):
        histogram = LatencyHistogram()
        histogram.add(edge_ms * 0.999_999)
        assert histogram.latency().counts[EDGES_MS.index(edge_ms)] == 1


def test_without_a_measurement_there_is_no_number() -> None:
    histogram = LatencyHistogram()
    histogram.add([])
    nothing = Latency(n=0, p50_ms=None, p99_ms=None, p999_ms=None, worst_ms=None, counts=(0,) * (len(EDGES_MS) + 1))
    assert histogram.latency() == nothing


@pytest.mark.parametrize("wrong", [-0.1, math.nan, [1.0, math.nan]])
def test_an_impossible_duration_is_refused(wrong: float) -> None:
    histogram = LatencyHistogram()
    with pytest.raises(ValueError):
        histogram.add(wrong)
    assert histogram.latency().n == 0
