"""The harness finds what was planted: crashes, endless loops, dead processes, memory. Lines reached lead it there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bench.fuzz import hunt as hunting
from bench.fuzz.__main__ import told
from bench.fuzz.hunt import Failure, Findings, Target, Trial, hunt
from bench.fuzz.mutation import MOST_BYTES, Draws, Parts, spoilt_bytes
from bench.fuzz.targets import TARGETS
from bench.fuzz.workers import hunted
from grader.errors import BadFile, GraderError, JournalError

SEEDS = [b"DQR"]  # each letter one bit from those of FUZ


def behind_three_doors(folder: Path) -> Trial:
    def read(data: bytes) -> None:
        if len(data) != 3 or data[:1] != b"F":
            return
        if data[1:2] != b"U":
            return
        if data[2:3] == b"Z":
            raise KeyError(data)

    return Trial(SEEDS, read)


def refuses_everything(folder: Path) -> Trial:
    def read(data: bytes) -> None:
        if data not in SEEDS:
            raise BadFile("x", "is none")

    return Trial(SEEDS, read)


def loops(folder: Path) -> Trial:
    def read(data: bytes) -> None:
        while data not in SEEDS:
            pass

    return Trial(SEEDS, read)


def kills_its_process(folder: Path) -> Trial:
    def read(data: bytes) -> None:
        if data not in SEEDS:
            os._exit(3)

    return Trial(SEEDS, read)


def takes_memory(folder: Path) -> Trial:
    def read(data: bytes) -> None:
        if data not in SEEDS:
            b"x" * (250 << 20)

    return Trial(SEEDS, read)


def takes_more_memory_than_there_is(folder: Path) -> Trial:
    def read(data: bytes) -> None:
        if data not in SEEDS:
            b"x" * (5000 << 20)

    return Trial(SEEDS, read)


def test_lines_reached_lead_to_what_chance_alone_does_not_find(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = Target("doors", behind_three_doors, spoilt_bytes)
    (failure,) = hunt(target, tmp_path, seed=1, seconds=1.5).failures.values()
    assert failure.what.startswith("KeyError at tests/fuzz/test_harness.py:")
    assert failure.data == b"FUZ"
    monkeypatch.setattr(hunting, "_MOST_KEPT", 0)
    assert hunt(target, tmp_path, seed=1, seconds=0.5).failures == {}


def test_the_same_seed_makes_the_same_inputs(tmp_path: Path) -> None:
    def inputs(seed: int) -> list[bytes]:
        seen: list[bytes] = []
        hunt(Target("doors", behind_three_doors, spoilt_bytes), tmp_path, seed=seed, seconds=0.05, begins=seen.append)
        return seen[:200]

    assert inputs(1) == inputs(1) != inputs(2)


def test_only_the_promised_error_may_be_raised(tmp_path: Path) -> None:
    def failures(may_raise: type[GraderError]) -> dict[str, Failure]:
        return hunt(
            Target("refuses", refuses_everything, spoilt_bytes, may_raise), tmp_path, seed=1, seconds=0.05
        ).failures

    assert failures(BadFile) == {}
    assert len(failures(JournalError)) == 1


def test_a_slow_input_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hunting, "MOST_S", 1e-9)
    found = hunt(Target("doors", refuses_everything, spoilt_bytes), tmp_path, seed=1, seconds=0.01)
    assert "an input takes over 1e-09 s" in found.failures


def test_loops_deaths_and_memory_are_seen_from_outside_and_the_next_target_runs_all_the_same() -> None:
    begins = (loops, kills_its_process, takes_memory, takes_more_memory_than_there_is, behind_three_doors)
    targets = [Target(begin.__name__, begin, spoilt_bytes) for begin in begins]
    found = {one.target: list(one.failures) for one in hunted(targets, seed=1, seconds=2.0, hangs_s=3.0)}
    assert found["loops"] == ["an input hangs for over 3 s"]
    assert found["kills_its_process"] == ["the process died, exit code 3"]
    assert found["takes_memory"] == ["memory grew by over 200 MB"]
    assert found["takes_more_memory_than_there_is"][0].startswith("MemoryError at tests/fuzz/test_harness.py:")
    assert "behind_three_doors" in found


def test_what_broke_is_kept_and_how_to_run_it_again_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = Findings("artefact", inputs=7, seconds=1.0)
    for data in (b"long", b"sho", b"longer"):
        found.fail("KeyError at x.py:1", data)
    assert not told([found], seed=9, out=tmp_path / "kept")
    said = capsys.readouterr().out
    assert "artefact, seed 9, 3 times: KeyError at x.py:1" in said
    assert f'--target "artefact" --replay {tmp_path / "kept" / "artefact-1"}' in said
    assert (tmp_path / "kept" / "artefact-1").read_bytes() == b"sho"
    assert told([Findings("artefact", inputs=7)], seed=9, out=tmp_path)


@pytest.mark.parametrize("name", TARGETS)
def test_spoilt_inputs_differ_from_the_sound_ones_and_stay_short(name: str, tmp_path: Path) -> None:
    seeds = TARGETS[name].begin(tmp_path).seeds
    draws = Draws(name, seeds)
    spoilt = [TARGETS[name].mutate(draws.other(), draws) for _ in range(100)]
    assert len(set(spoilt) - set(seeds)) > 50
    assert max(map(len, spoilt)) <= MOST_BYTES


@pytest.mark.parametrize("name", [name for name, target in TARGETS.items() if isinstance(target.mutate, Parts)])
def test_the_parts_of_a_sound_input_make_a_sound_input_again(name: str, tmp_path: Path) -> None:
    mutate, trial = TARGETS[name].mutate, TARGETS[name].begin(tmp_path)
    assert isinstance(mutate, Parts)
    for data in trial.seeds:
        assert mutate.split(data)
        trial.read(mutate.join(mutate.split(data)))
