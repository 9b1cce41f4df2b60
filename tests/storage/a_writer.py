"""A station's journal as its own process writes it, for tests that kill it or copy from under it.

For every line on standard input it starts a child that opens the journal and commits batch after batch: five fruit with
five outcomes and an event. The child says the number of each batch when its commit has returned; when it is gone, the
parent says `dead`. A child is born in no time, because what it needs is imported already.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from test_journal import RUN, a_fruit, an_outcome

from grader.domain.events import Event, EventKind
from grader.storage import checkpoints
from grader.storage.journal import SqliteJournal, open_journal

FRUIT = 5


def batch_of(number: int) -> range:
    """Cups of a batch, all in lane 0."""
    return range(number * FRUIT, number * FRUIT + FRUIT)


def commit_batch(journal: SqliteJournal, number: int) -> None:
    """All of a batch at once."""
    cups = batch_of(number)
    journal.commit(
        [a_fruit(0, cup) for cup in cups],
        [an_outcome(0, cup) for cup in cups],
        [Event(kind=EventKind.ORDER, text="go on", values={"batch": number})],
    )


def write(path: Path, pause_s: float) -> None:
    """Go on after the last batch, for ever."""
    journal = open_journal(path, RUN)
    number = (journal.last_serials().get(0, -1) + 1) // FRUIT
    print("opened", number, flush=True)
    while True:
        commit_batch(journal, number)
        print(number, flush=True)
        number += 1
        time.sleep(pause_s)


if __name__ == "__main__":
    checkpoints.EVERY_S = float(sys.argv[3])
    for _ in sys.stdin:
        child = os.fork()
        if child == 0:
            print("child", os.getpid(), flush=True)
            write(Path(sys.argv[1]), float(sys.argv[2]))
        os.waitpid(child, 0)
        print("dead", flush=True)
