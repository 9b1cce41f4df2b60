"""What is left of a run: tables that do not need the referee."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from grader.app.books import JOURNAL, closed_books
from grader.config.station import reference_installation
from grader.domain.decisions import FruitRecord
from grader.domain.snapshot import Snapshot, State
from grader.errors import BadFile
from grader.storage.journal import open_journal
from grader.storage.provenance import RunInfo
from grader.units import HostNs, Pulse
from hardware.sim.referee_log import REFEREE_LOG

LAST = Snapshot(
    t_ns=HostNs(0),
    elapsed_s=10.0,
    state=State.STOPPED,
    pulse=Pulse(0),
    cups_per_s=12.0,
    lanes=(),
    grades={},
    outlets={},
    flags={},
    board=None,
    latency={},
    journal_rows=0,
    lot="a",
    sheet="b",
)
FRUIT = 2500


@pytest.fixture
def out(tmp_path: Path) -> Path:
    run = RunInfo(started_wall_s=0.0, versions={}, hashes={}, installation=reference_installation())
    journal = open_journal(tmp_path / JOURNAL, run)
    known = {"lot": "a", "values": {}, "grade": "", "size": "", "reasons": (), "flags": 0}
    journal.commit([FruitRecord(lane=0, cup=cup, outlet=cup % 3, **known) for cup in range(FRUIT)], [])
    journal.close()
    return tmp_path


def test_every_fruit_is_in_the_table_and_counted_and_one_is_told_how_far_it_is(out: Path) -> None:
    told: list[float] = []
    summary, verdict = closed_books(out, LAST, seed=None, progress=told.append)
    with (out / "fruit.csv").open() as table:
        assert [int(row["cup"]) for row in csv.DictReader(table)] == list(range(FRUIT))
    assert summary.fruit == FRUIT == sum(summary.outlets.values())
    assert verdict.landed == 0
    assert told == [0.0, 0.4, 0.8]


def test_a_referees_log_that_is_none_costs_nobody_the_tables(out: Path) -> None:
    (out / REFEREE_LOG).write_text("not a log\nat all\n")
    with pytest.raises(BadFile, match="is not a referee's log"):
        closed_books(out, LAST, seed=None)
    assert (out / "fruit.csv").read_text().count("\n") == FRUIT + 1
    assert json.loads((out / "summary.json").read_text())["fruit"] == FRUIT
