"""What is left of a run: fruit.csv, summary.json and, of the simulated line, the referee's verdict."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from grader.domain.decisions import FruitRecord
from grader.domain.snapshot import Snapshot
from grader.storage.fruit_table import write_fruit_csv
from grader.storage.journal import read_fruit, read_runs
from grader.storage.summary import Summary, summary_of, write_summary
from hardware.sim.referee import Landing

JOURNAL = "journal.sqlite"


class Miss(msgspec.Struct, frozen=True, kw_only=True):
    """A fruit that did not land where its decision said. decided: -1 where no decision was journalled."""

    lane: int
    cup: int
    decided: int
    landed: int
    gate_outcome: str
    struck: bool


class Refereed(msgspec.Struct, frozen=True, kw_only=True):
    """The simulated line's verdict: fruit that landed, those that landed as decided, and every miss by name.

    never_landed: fruit of the journal that the referee saw leave nowhere: no fruit at all, or still on the belt.
    """

    landed: int
    as_decided: int
    share: float
    never_landed: int
    misses: list[Miss]


def closed_books(out: Path, last: Snapshot, landings: Sequence[Landing], seed: int | None) -> tuple[Summary, Refereed]:
    """Write the files of a run that has ended, from the journal in its folder. Raises JournalError, OSError."""
    records = read_fruit(out / JOURNAL)
    run = list(read_runs(out / JOURNAL).values())[-1]
    summary = summary_of(
        records,
        duration_s=last.elapsed_s,
        frames_dropped=last.frames_dropped,
        latency=last.latency,
        versions=run.versions,
        hashes=run.hashes,
        seed=seed,
    )
    write_fruit_csv(out / "fruit.csv", records)
    write_summary(out / "summary.json", summary)
    verdict = refereed(records, landings)
    (out / "referee.json").write_bytes(msgspec.json.format(msgspec.json.encode(verdict), indent=1))
    return summary, verdict


def refereed(records: Sequence[FruitRecord], landings: Sequence[Landing]) -> Refereed:
    """Where fruit landed against where it was sent. A fruit that nobody decided about is a miss."""
    decided = {(record.lane, record.cup): record for record in records}
    misses = []
    for landing in landings:
        record = decided.get((landing.lane, landing.cup))
        if record is None or record.outlet != landing.outlet:
            misses.append(
                Miss(
                    lane=landing.lane,
                    cup=landing.cup,
                    decided=-1 if record is None else record.outlet,
                    landed=landing.outlet,
                    gate_outcome="" if record is None else record.gate_outcome,
                    struck=landing.struck,
                )
            )
    never_landed = len(decided.keys() - {(landing.lane, landing.cup) for landing in landings})
    landed = len(landings)
    as_decided = landed - len(misses)
    return Refereed(
        landed=landed,
        as_decided=as_decided,
        share=as_decided / landed if landed else float("nan"),
        never_landed=never_landed,
        misses=misses,
    )
