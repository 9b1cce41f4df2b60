"""summary.json: counts add up, and the same summary gives the same bytes."""

from __future__ import annotations

import json
from pathlib import Path

from grader.domain.decisions import FruitRecord
from grader.domain.flags import Flag
from grader.domain.latency import LatencyHistogram
from grader.storage.summary import Summary, summary_of, tally_of, write_summary


def a_fruit(cup: int, grade: str, size: str, outlet: int, flags: int = 0, outcome: str = "fired") -> FruitRecord:
    return FruitRecord(
        lane=0,
        cup=cup,
        lot="2026-11-22/1",
        values={},
        grade=grade,
        size=size,
        outlet=outlet,
        reasons=(),
        flags=flags,
        gate_outcome=outcome,
    )


RECORDS = [
    a_fruit(1, "Extra", "70-75", 1),
    a_fruit(2, "Extra", "75-80", 2),
    a_fruit(3, "Extra", "70-75", 1, int(Flag.NO_WEIGHT | Flag.FRAME_LOST)),
    a_fruit(4, "一级", "70-75", 10, outcome="late"),
    a_fruit(5, "", "", 0, int(Flag.TOUCHING | Flag.NO_WEIGHT), outcome=""),
    a_fruit(6, "一级", "70-75", 10, outcome="void"),
]


def a_summary(seed: int | None = None) -> Summary:
    timed = LatencyHistogram()
    timed.add([4.0, 6.0, 40.0])
    never = LatencyHistogram()
    return summary_of(
        tally_of(RECORDS),
        duration_s=4.0,
        frames_dropped=3,
        latency={"step": timed.latency(), "commit": never.latency()},
        versions={"numpy": "2", "grader": "0.1.0"},
        hashes={"sheet": "ab" * 32, "calibration": "cd" * 32},
        seed=seed,
    )


def test_every_fruit_is_in_one_grade_one_size_and_one_outlet() -> None:
    found = a_summary()
    assert found.fruit == 6 == sum(found.grades.values()) == sum(found.outlets.values())
    assert found.grades == {"Extra": 3, "一级": 2, "": 1}
    assert found.packout == {"Extra": {"70-75": 2, "75-80": 1}, "一级": {"70-75": 2}, "": {"": 1}}
    assert found.outlets == {"1": 2, "2": 1, "10": 2, "0": 1}
    assert found.flags == {"no_weight": 2, "frame_lost": 1, "touching": 1}
    assert (found.late, found.refused, found.void, found.frames_dropped) == (1, 0, 1, 3)
    assert found.fruit_per_s == 1.5 and found.lots == ("2026-11-22/1",)


def test_the_file_is_plain_json_and_its_bytes_do_not_depend_on_the_order_of_counting(tmp_path: Path) -> None:
    write_summary(tmp_path / "a.json", a_summary(seed=7))
    write_summary(
        tmp_path / "b.json",
        summary_of(
            tally_of(RECORDS[::-1]),
            duration_s=4.0,
            frames_dropped=3,
            latency=dict(reversed(a_summary().latency.items())),
            versions={"grader": "0.1.0", "numpy": "2"},
            hashes={"calibration": "cd" * 32, "sheet": "ab" * 32},
            seed=7,
        ),
    )
    content = (tmp_path / "a.json").read_bytes()
    assert content == (tmp_path / "b.json").read_bytes()
    found = json.loads(content)
    assert found["seed"] == 7 and found["packout"]["一级"] == {"70-75": 2}
    assert found["latency"]["step"]["worst_ms"] == 40.0 and found["latency"]["step"]["n"] == 3
    commit, step = found["latency"]["commit"], found["latency"]["step"]
    assert (commit["n"], commit["p50_ms"], commit["worst_ms"]) == (0, None, None)
    assert set(commit["counts"]) == {0} and step["sum_ms"] == 50.0
    edges_ms = found["histogram_edges_ms"]
    assert dict(zip([*edges_ms, "beyond"], step["counts"], strict=True)) == {
        **dict.fromkeys([*edges_ms, "beyond"], 0),
        5.0: 1,
        10.0: 1,
        50.0: 1,
    }
    assert found["hashes"]["sheet"] == "ab" * 32


def test_a_run_without_fruit_has_a_summary() -> None:
    nothing = summary_of(tally_of([]), duration_s=0.0, frames_dropped=0, latency={}, versions={}, hashes={})
    assert (nothing.fruit, nothing.fruit_per_s, nothing.lots, nothing.grades) == (0, 0.0, (), {})


def test_latency_is_kept_by_stage() -> None:
    assert a_summary().latency["commit"] == LatencyHistogram().latency()
