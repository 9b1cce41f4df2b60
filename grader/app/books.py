"""What is left of a run: fruit.csv, summary.json and, of the simulated line, the referee's verdict."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec

from grader.app.lot_books import growers_of
from grader.app.refereed import Refereed, Sent, refereed
from grader.domain.decisions import FruitRecord
from grader.domain.events import EventKind
from grader.domain.snapshot import Snapshot
from grader.errors import BadFile
from grader.storage.fruit_table import write_fruit_csv
from grader.storage.journal import count_fruit, each_fruit, read_events, read_runs
from grader.storage.summary import Summary, Tally, kind_of, summary_of, write_summary
from hardware.sim.live import Seen, read_referee

JOURNAL = "journal.sqlite"
_TOLD_EVERY = 1000


def closed_books(
    out: Path, last: Snapshot, seed: int | None, progress: Callable[[float], None] = lambda share: None
) -> tuple[Summary, Refereed]:
    """Write the files of a run that has ended, from the journal in its folder: a million fruit in half a minute.

    progress: told the share that is done. Raises JournalError, OSError; BadFile for a referee's log that is none, when
    all else is written.
    """
    path = out / JOURNAL
    runs = read_runs(path)
    run = list(runs.values())[-1]
    seen, no_referee = _seen(out)
    phases = read_events(path, (EventKind.RUN_STARTED, EventKind.REPHASED))
    phases = [phase for phase in phases if phase.wall_s >= seen.since_wall_s]
    tally: Tally = Counter()
    sent = Sent(phases, seen.landed, run.installation)
    fruit = count_fruit(path)

    def noted(records: Iterable[FruitRecord]) -> Iterator[FruitRecord]:
        for done, record in enumerate(records):
            if done % _TOLD_EVERY == 0:
                progress(done / fruit)
            tally[kind_of(record)] += 1
            sent.add(record)
            yield record

    # Fruit go through one by one: the journal of a season is not read into memory, but for where the line's own went.
    write_fruit_csv(out / "fruit.csv", noted(each_fruit(path)))
    summary = summary_of(
        tally,
        duration_s=last.elapsed_s if len(runs) == 1 else time.time() - next(iter(runs.values())).started_wall_s,
        frames_dropped=last.frames_dropped,
        latency=last.latency,
        versions=run.versions,
        hashes=run.hashes,
        growers=growers_of(path),
        seed=seed,
    )
    write_summary(out / "summary.json", summary)
    if no_referee is not None:
        raise no_referee
    verdict = refereed(sent, seen)
    (out / "referee.json").write_bytes(msgspec.json.format(msgspec.json.encode(verdict), indent=1))
    return summary, verdict


def _seen(out: Path) -> tuple[Seen, BadFile | None]:
    """What the referee saw; nothing, and what is wrong with its log: growers are paid by tables that do not need it."""
    try:
        return read_referee(out), None
    except BadFile as problem:
        return Seen(0.0, [], []), problem
