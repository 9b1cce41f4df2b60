"""How long a commit takes: what is decided and what gates did in 20 ms at 120 fruit/s, made durable on this disk.

    python -m bench.journal [SECONDS] [FOLDER]

The log is folded into the file every few seconds meanwhile, as on a running line. The folder is the system's own for
temporary files: where that is in memory, name one on a disk.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.frames import full_frame
from grader.domain.decisions import FruitRecord, GateOutcome, Result
from grader.domain.fruit import QUANTITIES
from grader.storage.journal import SqliteJournal, open_journal, read_fruit, read_outcomes
from grader.storage.provenance import RunInfo
from grader.units import NS_PER_MS, Pulse

LANES, FRUIT_PER_S, BATCH_S = 8, 120, 0.020


def measure(seconds: float = 10.0, folder: Path | None = None) -> dict[str, float]:
    """commit_ms_p50, _p99, _p99_9, _worst and the number of commits. Raises when what they wrote is not there."""
    run = RunInfo(started_wall_s=0.0, versions={}, hashes={}, installation=full_frame().installation)
    with tempfile.TemporaryDirectory(dir=folder) as made:
        path = Path(made) / "journal.sqlite"
        journal = open_journal(path, run)
        try:
            took_ms, fruit = _commit_at_pace(journal, seconds)
        finally:
            journal.close()
        written = [(record.lane, record.cup) for record in read_fruit(path)]
        if written != sorted((number % LANES, number // LANES) for number in range(fruit)):
            raise RuntimeError(
                f"{len(written)} of {fruit} fruit are in the journal: the figures would be of something else"
            )
        if len(read_outcomes(path)) != fruit:
            raise RuntimeError("outcomes are missing: the figures would be of something else")
    return {
        "commit_ms_p50": float(np.percentile(took_ms, 50)),
        "commit_ms_p99": float(np.percentile(took_ms, 99)),
        "commit_ms_p99_9": float(np.percentile(took_ms, 99.9)),
        "commit_ms_worst": float(took_ms.max()),
        "commits": float(len(took_ms)),
    }


def _commit_at_pace(journal: SqliteJournal, seconds: float) -> tuple[NDArray[np.float64], int]:
    """Milliseconds of every commit, and how many fruit they held."""
    took_ns, fruit, began = [], 0, time.monotonic()
    while (elapsed_s := time.monotonic() - began) < seconds:
        due = int((elapsed_s + BATCH_S) * FRUIT_PER_S)
        records = [_fruit(number) for number in range(fruit, due)]
        outcomes = [_outcome(record) for record in records]
        before = time.perf_counter_ns()
        journal.commit(records, outcomes)
        took_ns.append(time.perf_counter_ns() - before)
        fruit = due
        time.sleep(max(0.0, BATCH_S - (time.monotonic() - began - elapsed_s)))
    return np.array(took_ns) / NS_PER_MS, fruit


def _fruit(number: int) -> FruitRecord:
    return FruitRecord(
        lane=number % LANES,
        cup=number // LANES,
        lot="lot-1",
        values=dict.fromkeys(QUANTITIES, 0.37 * number),
        grade="Class I",
        size="70-75",
        outlet=1 + number % 8,
        reasons=("Extra: blush_fraction 0.3100 < 0.5000",),
        flags=0,
    )


def _outcome(record: FruitRecord) -> GateOutcome:
    opened = Pulse(record.cup * 96 + 2000)
    return GateOutcome(
        lane=record.lane,
        cup=record.cup,
        outlet=record.outlet,
        open_pulse=opened,
        close_pulse=Pulse(opened + 96),
        fired_pulse=opened,
        result=Result.FIRED,
    )


if __name__ == "__main__":
    asked = sys.argv[1:]
    found = measure(float(asked[0]) if asked else 10.0, Path(asked[1]) if len(asked) > 1 else None)
    for name, value in found.items():
        print(f"{name:24} {value:10.3f}")
