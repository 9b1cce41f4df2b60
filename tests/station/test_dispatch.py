"""Nothing fires that is not written, nothing is written twice, and a journal that stalls is waited for."""

from __future__ import annotations

import random
import resource
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from a_keeper import INSTALLATION, LANES, LEAD, PITCH, RUN, HandClock, KeepingBoard, a_step, decided_at

from grader.domain.decisions import Result
from grader.domain.events import Event, EventKind
from grader.errors import JournalError
from grader.station.backlog import MOST_DELAY_S, WELL_AFTER_S, Decided
from grader.station.dispatch import LATE, LATE_BY_JOURNAL, Dispatcher
from grader.station.ledger import Ledger
from grader.station.unreported import not_known
from grader.storage.journal import SqliteJournal, open_journal, read_events, read_fruit, read_outcomes
from grader.units import HostNs, Pulse

KEEPER = Path(__file__).with_name("a_keeper.py")


class Keeper:
    """A dispatcher with its journal, board and clock, and the belt's way from one row of cups to the next."""

    def __init__(self, path: Path, most_waiting: int = 20_000) -> None:
        self.path, self.clock = path, HandClock()
        self.journal: SqliteJournal = open_journal(path, RUN, wall_s=self.clock.wall_s)
        self.board, self.ledger, self.cup = KeepingBoard(path), Ledger(LANES), 0
        self.dispatcher = Dispatcher(
            self.journal, self.board, self.board, self.ledger, self.clock, LEAD, most_waiting=most_waiting
        )

    def pass_row(self) -> None:
        """The next row of cups comes to its decision pulse, a twelfth of a second after the one before it."""
        self.board.at = decided_at(self.cup)
        step = a_step(self.cup, self.clock.ns)
        self.cup += 1
        self.clock.go_on(1 / 12)
        self.dispatcher.settle([step])

    def let_pass(self, seconds: float) -> None:
        """Nothing comes, and the keeper goes on turning."""
        for _ in range(int(seconds / 0.05)):
            self.clock.go_on(0.05)
            self.dispatcher.settle([])

    @property
    def rows(self) -> list[tuple[int, int]]:
        """Lane and cup of everything that was written, in the order of writing."""
        db = sqlite3.connect(self.path)
        found = db.execute("SELECT lane, cup FROM fruit ORDER BY rowid").fetchall()
        db.close()
        return found

    def in_order(self, cups: int) -> list[tuple[int, int]]:
        return [(lane, cup) for cup in range(cups) for lane in range(LANES)]

    def said(self) -> list[Event]:
        return [written.event for written in read_events(self.path, {EventKind.JOURNAL})]


@pytest.fixture
def keeper(tmp_path: Path) -> Iterator[Keeper]:
    made = Keeper(tmp_path / "journal.sqlite")
    yield made
    made.board.close()
    made.journal.close()


@pytest.fixture
def holder(keeper: Keeper) -> Iterator[sqlite3.Connection]:
    """Somebody who opens the journal by hand, to write."""
    db = sqlite3.connect(keeper.path, isolation_level=None)
    yield db
    db.close()


def test_no_command_is_sent_before_another_connection_can_read_its_decision(keeper: Keeper) -> None:
    for _ in range(50):
        keeper.pass_row()
    assert len(keeper.board.submitted) == 50 * LANES
    assert keeper.board.unwritten == []
    assert keeper.rows == keeper.in_order(50)


def test_a_late_command_is_never_sent_and_is_written_as_late(keeper: Keeper) -> None:
    opens = a_step(0).commands[0].open_pulse
    keeper.board.at = Pulse(opens - LEAD + 1)
    keeper.dispatcher.settle([a_step(0), a_step(1)])
    assert {command.cup for command in keeper.board.submitted} == {1}
    assert [(found.cup, found.result, found.reason) for found in read_outcomes(keeper.path)] == [
        (0, Result.LATE, LATE)
    ] * LANES
    assert keeper.ledger.results[Result.LATE] == LANES


def test_events_are_written_with_the_step_that_they_happened_in(keeper: Keeper) -> None:
    began = Event(kind=EventKind.LOT_BEGAN, text="lot A began", pulse=Pulse(7), lane=1, cup=3, values={"name": "A"})
    keeper.dispatcher.settle([Decided([], [], HostNs(0), [began])])
    assert [written.event for written in read_events(keeper.path)] == [began]


def test_while_somebody_holds_the_journal_nothing_is_sent_and_afterwards_nothing_is_missing(
    keeper: Keeper, holder: sqlite3.Connection
) -> None:
    keeper.pass_row()
    sent_before = list(keeper.board.submitted)
    holder.execute("BEGIN IMMEDIATE")
    for command in sent_before:
        keeper.board.fire(command)
    for _ in range(24):  # two seconds of belt
        keeper.pass_row()
    assert keeper.board.fired == [], "the board's outcomes are taken all the same"
    assert keeper.board.submitted == sent_before
    assert keeper.dispatcher.health().fruit_waiting == 24 * LANES
    assert "locked" in keeper.dispatcher.health().trouble
    assert keeper.dispatcher.health().since_commit_s == pytest.approx(2.0, abs=0.1)

    holder.execute("ROLLBACK")
    keeper.let_pass(MOST_DELAY_S)
    keeper.pass_row()
    assert keeper.rows == keeper.in_order(26)
    assert keeper.board.unwritten == []
    outcomes = {(found.lane, found.cup): found for found in read_outcomes(keeper.path)}
    sent = {(command.lane, command.cup) for command in keeper.board.submitted}
    late = {key for key, found in outcomes.items() if found.result is Result.LATE}
    assert late | sent == set(keeper.rows)
    assert not late & sent
    assert {outcomes[key].reason for key in late} == {LATE_BY_JOURNAL}
    assert all(outcomes[command.lane, command.cup].result is Result.FIRED for command in sent_before)
    assert (0, 25) in sent, "what is decided after it is well is in time"

    assert [event.values["state"] for event in keeper.said()] == ["stalled"]
    keeper.let_pass(WELL_AFTER_S + 0.1)
    assert keeper.dispatcher.health().trouble == ""
    assert [event.values["state"] for event in keeper.said()] == ["stalled", "well"]
    assert keeper.said()[-1].values["fruit"] == 24 * LANES


def test_a_full_disk_is_waited_for(keeper: Keeper) -> None:
    keeper.pass_row()
    (pages,) = keeper.journal._db.execute("PRAGMA page_count").fetchone()
    keeper.journal._db.execute(f"PRAGMA max_page_count = {pages}")
    while not keeper.dispatcher.health().trouble:  # until what is free in the pages is used up
        keeper.pass_row()
    full_at = keeper.cup
    for _ in range(100):
        keeper.pass_row()
    assert "full" in keeper.dispatcher.health().trouble
    assert {command.cup for command in keeper.board.submitted} < set(range(full_at)), "nothing unwritten is sent"
    keeper.journal._db.execute("PRAGMA max_page_count = 1000000")
    keeper.let_pass(MOST_DELAY_S)
    assert keeper.rows == keeper.in_order(keeper.cup)
    assert keeper.board.unwritten == []


def test_a_disk_that_became_read_only_is_waited_for(keeper: Keeper) -> None:
    keeper.pass_row()
    keeper.journal._db.execute("PRAGMA query_only = ON")
    keeper.pass_row()
    assert "readonly" in keeper.dispatcher.health().trouble
    keeper.journal._db.execute("PRAGMA query_only = OFF")
    keeper.let_pass(MOST_DELAY_S)
    assert keeper.rows == keeper.in_order(2)


def test_tries_become_rarer_while_a_journal_stalls(keeper: Keeper) -> None:
    keeper.journal._db.execute("PRAGMA query_only = ON")  # fails at once, where a lock is waited for
    tries: list[int] = []
    keeper.journal._db.set_trace_callback(lambda sql: tries.append(keeper.clock.ns) if "BEGIN" in sql else None)
    keeper.dispatcher.settle([a_step(0)])
    for _ in range(1000):
        keeper.clock.go_on(0.01)
        keeper.dispatcher.settle([])
    gaps = [round((later - sooner) / 1e9, 2) for sooner, later in pairwise(tries)]
    assert gaps[:5] == [0.02, 0.04, 0.08, 0.16, 0.32]
    assert set(gaps[5:]) == {0.5}


def test_when_more_waits_than_may_wait_it_is_an_error_and_nothing_is_lost(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path / "journal.sqlite", most_waiting=40)
    keeper.journal._db.execute("PRAGMA query_only = ON")
    with pytest.raises(JournalError, match=r"4[0-9] fruit wait to be written.*gates stay closed"):
        for _ in range(40):
            keeper.pass_row()
    assert keeper.board.submitted == []
    keeper.journal._db.execute("PRAGMA query_only = OFF")
    keeper.let_pass(MOST_DELAY_S)
    assert keeper.rows == keeper.in_order(keeper.cup)
    keeper.board.close()
    keeper.journal.close()


def test_a_journal_that_is_taken_away_or_is_none_any_more_is_an_error_at_once(keeper: Keeper, tmp_path: Path) -> None:
    keeper.pass_row()
    keeper.path.rename(tmp_path / "elsewhere.sqlite")
    with pytest.raises(JournalError, match="moved or removed"):
        keeper.pass_row()
    assert len(keeper.board.submitted) == LANES
    (tmp_path / "elsewhere.sqlite").rename(keeper.path)


def test_a_fruit_that_is_in_the_journal_already_is_an_error_at_once(keeper: Keeper) -> None:
    keeper.pass_row()
    keeper.cup = 0
    with pytest.raises(JournalError, match="UNIQUE"):
        keeper.pass_row()
    assert len(keeper.board.submitted) == LANES


def test_at_the_end_all_is_written_and_nothing_more_is_sent(keeper: Keeper) -> None:
    keeper.journal._db.execute("PRAGMA query_only = ON")
    keeper.pass_row()
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        keeper.clock.go_on(seconds)
        if len(waits) == 10:
            keeper.journal._db.execute("PRAGMA query_only = OFF")

    keeper.dispatcher.finish(wait)
    assert keeper.rows == keeper.in_order(1)
    assert keeper.board.submitted == []
    assert [(found.result, found.reason) for found in read_outcomes(keeper.path)] == [
        (Result.VOID, "the station was stopped")
    ] * LANES


def test_the_end_does_not_wait_for_a_dead_disk_for_ever(keeper: Keeper) -> None:
    keeper.journal._db.execute("PRAGMA query_only = ON")
    keeper.pass_row()
    began = keeper.clock.ns
    with pytest.raises(JournalError, match="2 fruit could not be written"):
        keeper.dispatcher.finish(keeper.clock.go_on)
    assert 3e9 <= keeper.clock.ns - began < 4e9


def test_while_the_gates_are_shut_decisions_are_written_and_their_commands_void(keeper: Keeper) -> None:
    keeper.dispatcher.shut("the station is faulted")
    keeper.pass_row()
    keeper.dispatcher.shut("")
    keeper.pass_row()
    assert {command.cup for command in keeper.board.submitted} == {1}
    assert {(found.cup, found.result, found.reason) for found in read_outcomes(keeper.path)} == {
        (0, Result.VOID, "the station is faulted")
    }


def test_what_was_decided_before_a_reset_is_not_sent_after_it_though_the_belt_stood_meanwhile(keeper: Keeper) -> None:
    keeper.journal._db.execute("PRAGMA query_only = ON")  # the disk takes nothing
    keeper.pass_row()
    keeper.dispatcher.shut("the emergency stop is pressed")
    keeper.clock.go_on(30.0)
    keeper.dispatcher.shut("")
    keeper.journal._db.execute("PRAGMA query_only = OFF")
    keeper.dispatcher.settle([])
    keeper.pass_row()
    keeper.dispatcher.settle([])
    assert {command.cup for command in keeper.board.submitted} == {1}
    assert {(found.cup, found.result, found.reason) for found in read_outcomes(keeper.path)} == {
        (0, Result.VOID, "it was decided before the reset")
    }


@pytest.mark.parametrize("seed", range(3))
def test_whatever_stalls_when_every_fruit_is_written_once_and_sent_or_late(tmp_path: Path, seed: int) -> None:
    keeper, rng = Keeper(tmp_path / "journal.sqlite"), random.Random(seed)
    for _ in range(150):
        if rng.random() < 0.1:
            keeper.journal._db.execute(f"PRAGMA query_only = {rng.choice(['ON', 'OFF', 'OFF'])}")
        if rng.random() < 0.1:
            keeper.let_pass(rng.random())
        for command in keeper.board.submitted[-LANES:]:
            if rng.random() < 0.1:
                keeper.board.fire(command)
        keeper.pass_row()
    keeper.journal._db.execute("PRAGMA query_only = OFF")
    keeper.let_pass(MOST_DELAY_S)
    assert keeper.rows == keeper.in_order(150)
    assert keeper.board.unwritten == []
    sent = Counter((command.lane, command.cup) for command in keeper.board.submitted)
    late = Counter((found.lane, found.cup) for found in read_outcomes(keeper.path) if found.result is Result.LATE)
    assert sent + late == Counter(keeper.rows), "each is sent or late, once"
    assert 20 < sum(late.values()) < 280
    keeper.board.close()
    keeper.journal.close()


def test_a_gate_of_which_nothing_was_heard_is_said_to_be_not_known() -> None:
    (outcome,) = not_known(INSTALLATION, [(1, 5, 2)])
    assert (outcome.result, outcome.fired_pulse) == (Result.UNKNOWN, None)
    # Cup 5 is at 5 x 96; the second gate stands 2,600 mm after cup zero; the window is half a cup either way.
    assert (outcome.open_pulse, outcome.close_pulse) == (5 * PITCH + 2600 - 48, 5 * PITCH + 2600 + 48)


# A keeper in a process of its own, on a disk that really fails


def start_keeper(path: Path, rows_per_s: float = 15, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(KEEPER), str(path), str(rows_per_s)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(KEEPER.parents[2]), **environment},
    )


def next_word(keeper: subprocess.Popen[str]) -> tuple[str, int, str]:
    assert keeper.stdout is not None
    word, cup, *rest = keeper.stdout.readline().split(maxsplit=2)
    return word, int(cup), rest[0].strip() if rest else ""


def trouble_of(keeper: subprocess.Popen[str], kind: str) -> None:
    """Wait until it tells of such trouble; a busy machine may have had another before."""
    word, _, trouble = next_word(keeper)
    while not (word == "trouble" and kind in trouble):
        assert word in ("well", "trouble"), trouble
        word, _, trouble = next_word(keeper)


def ended(keeper: subprocess.Popen[str], path: Path) -> None:
    """Stop it: every row is there once, every command has its outcome, and none was sent unwritten."""
    assert keeper.stdin is not None
    keeper.stdin.close()
    word, cups, counts = next_word(keeper)
    while word != "ended":
        assert word in ("well", "trouble"), counts
        word, cups, counts = next_word(keeper)
    assert keeper.wait(20) == 0
    sent, unwritten = map(int, counts.split())
    assert unwritten == 0
    written = [(record.lane, record.cup) for record in read_fruit(path)]
    assert written == [(lane, cup) for lane in range(LANES) for cup in range(cups)]
    results = Counter(found.result for found in read_outcomes(path))
    assert results.total() == len(written)
    assert results[Result.FIRED] == sent


def test_a_disk_that_is_full_for_a_while_holds_nothing_up_but_the_gates(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    with start_keeper(path) as keeper:
        assert next_word(keeper)[0] == "well"
        log = path.with_name(path.name + "-wal")
        _, hard = resource.prlimit(keeper.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(keeper.pid, resource.RLIMIT_FSIZE, (log.stat().st_size, hard))
        trouble_of(keeper, "cannot be written")
        resource.prlimit(keeper.pid, resource.RLIMIT_FSIZE, (hard, hard))
        assert next_word(keeper)[0] == "well"
        ended(keeper, path)
    states = [written.event.values["state"] for written in read_events(path, {EventKind.JOURNAL})]
    assert states[-2:] == ["stalled", "well"]


SLOW_DISK = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>
static void wait_while_slow(void) { if (access(getenv("SLOW_WHILE"), F_OK) == 0) usleep(400000); }
int fsync(int fd) { wait_while_slow(); return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(fd); }
int fdatasync(int fd) { wait_while_slow(); return ((int (*)(int))dlsym(RTLD_NEXT, "fdatasync"))(fd); }
"""


def test_a_disk_that_is_slow_for_a_while_makes_fruit_late_and_loses_none(tmp_path: Path) -> None:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("a slow disk is made with a C compiler: install one")
    (tmp_path / "slow.c").write_text(SLOW_DISK)
    shim, slow, path = tmp_path / "slow.so", tmp_path / "slow", tmp_path / "journal.sqlite"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", shim, tmp_path / "slow.c", "-ldl"], check=True)
    with start_keeper(path, LD_PRELOAD=str(shim), SLOW_WHILE=str(slow)) as keeper:
        assert next_word(keeper)[0] == "well"
        slow.touch()
        trouble_of(keeper, "a commit took")
        slow.unlink()
        assert next_word(keeper)[0] == "well"
        ended(keeper, path)
    assert LATE_BY_JOURNAL in {found.reason for found in read_outcomes(path) if found.result is Result.LATE}
