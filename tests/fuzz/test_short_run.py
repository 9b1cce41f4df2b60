"""Every reader of the table, a moment each: the long run is in tests/accept."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.fuzz.__main__ import replayed
from bench.fuzz.targets import TARGETS
from bench.fuzz.workers import hunted
from grader.errors import BadArtefact

SEED, SECONDS = 1, 8.0


def test_no_reader_breaks_on_spoilt_inputs() -> None:
    found = hunted(list(TARGETS.values()), seed=SEED, seconds=SECONDS)
    assert [(one.target, failure.what, failure.data[:200]) for one in found for failure in one.failures.values()] == []
    assert [one.target for one in found if one.inputs == 0] == []


def test_an_input_that_was_kept_can_be_run_again(tmp_path: Path) -> None:
    kept = tmp_path / "artefact-1"
    kept.write_bytes(b"no archive")
    with pytest.raises(BadArtefact):
        replayed("artefact", kept)
