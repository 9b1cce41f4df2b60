"""What a keeper's thread holds in its hands, to test with: a clock that is set, a belt that is moved, a board that
keeps what it was told. Run as a program it keeps a journal, as a station would, and says what becomes of it."""

from __future__ import annotations

import sqlite3
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from grader.clock import SystemClock
from grader.domain.decisions import BoardStatus, FruitRecord, GateCommand, GateOutcome, Result
from grader.domain.installation import Gates, Installation, Line
from grader.errors import JournalError
from grader.station import backlog
from grader.station.backlog import Decided
from grader.station.dispatch import Dispatcher
from grader.station.ledger import Ledger
from grader.station.line import gate_window
from grader.storage.journal import open_journal
from grader.storage.provenance import RunInfo
from grader.units import NS_PER_S, HostNs, Pulse

PITCH, LEAD, LANES = 96, 60, 2
INSTALLATION = Installation(
    fruit="apple",
    line=Line(lanes=LANES, pulses_per_cup=PITCH, mm_per_pulse=1.0, cups_per_second=12.0),
    cameras={},
    gates=Gates(),
)
RUN = RunInfo(started_wall_s=1_795_000_000.0, versions={}, hashes={}, installation=INSTALLATION)


class HandClock:
    """Stands still until it is told to go on."""

    def __init__(self) -> None:
        self.ns = 0

    def now(self) -> HostNs:
        return HostNs(self.ns)

    def wall_s(self) -> float:
        return 1_795_000_000.0 + self.ns / NS_PER_S

    def go_on(self, seconds: float) -> None:
        self.ns += int(seconds * NS_PER_S)


class KeepingBoard:
    """A board and its encoder. It keeps what was submitted, and whether another connection could read the decision at
    that moment; it fires when it is told to."""

    def __init__(self, journal: Path) -> None:
        self.at = Pulse(0)
        self.submitted: list[GateCommand] = []
        self.unwritten: list[GateCommand] = []
        self.fired: list[GateOutcome] = []
        self._reader = sqlite3.connect(f"{journal.absolute().as_uri()}?mode=ro", uri=True, check_same_thread=False)

    def submit(self, commands: Sequence[GateCommand]) -> None:
        self.submitted += commands
        written = "SELECT 1 FROM fruit WHERE lane = ? AND cup = ? AND outlet = ?"
        self.unwritten += [
            command
            for command in commands
            if self._reader.execute(written, (command.lane, command.cup, command.outlet)).fetchone() is None
        ]

    def fire(self, command: GateCommand) -> None:
        self.fired.append(
            GateOutcome(
                lane=command.lane,
                cup=command.cup,
                outlet=command.outlet,
                open_pulse=command.open_pulse,
                close_pulse=command.close_pulse,
                fired_pulse=command.open_pulse,
                result=Result.FIRED,
            )
        )

    def outcomes(self) -> list[GateOutcome]:
        taken, self.fired = self.fired, []
        return taken

    def pulse(self) -> Pulse:
        return self.at

    def status(self) -> BoardStatus:
        return BoardStatus(boot_id=1, config_crc=0, pulse=self.at, pending=0, gates_open=0)

    def close_all(self) -> None:
        pass

    def close(self) -> None:
        self._reader.close()


class MovingBoard(KeepingBoard):
    """Its belt moves by the machine's clock; the first cup comes to its decision as it starts."""

    def __init__(self, journal: Path, pulses_per_s: float) -> None:
        super().__init__(journal)
        self._pulses_per_s, self._began = pulses_per_s, time.monotonic()

    def pulse(self) -> Pulse:
        return Pulse(decided_at(0) + int((time.monotonic() - self._began) * self._pulses_per_s))


def a_step(cup: int, frame_at: int = 0, outlet: int = 1) -> Decided:
    """A row of fruit, one in every lane, each for the gate of the same outlet."""
    records, commands = [], []
    for lane in range(LANES):
        records.append(
            FruitRecord(
                lane=lane, cup=cup, lot="lot-1", values={}, grade="I", size="", outlet=outlet, reasons=(), flags=0
            )
        )
        opens, closes = gate_window(INSTALLATION, cup, outlet)
        commands.append(GateCommand(lane=lane, cup=cup, outlet=outlet, open_pulse=opens, close_pulse=closes))
    return Decided(records, commands, HostNs(frame_at), decided_at=HostNs(frame_at))


def decided_at(cup: int) -> Pulse:
    """Where the belt is when the cup comes to its decision pulse."""
    return Pulse(cup * PITCH + int(INSTALLATION.gates.decision_mm))


def keep(path: Path, rows_per_s: float) -> None:
    """Decide about a row of fruit so many times a second, fire every gate that was commanded, until standard input
    ends. A line for every change of health, and one at the end."""
    backlog.WELL_AFTER_S = 0.3  # a test has no five seconds
    asked_to_stop = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), asked_to_stop.set()), daemon=True).start()
    clock = SystemClock()
    journal = open_journal(path, RUN)
    board = MovingBoard(path, pulses_per_s=rows_per_s * PITCH)
    dispatcher = Dispatcher(journal, board, board, Ledger(LANES), clock, LEAD, most_waiting=5000)
    cup, said, fired = 0, None, 0
    try:
        while not asked_to_stop.is_set():
            passed = (board.pulse() - decided_at(0)) // PITCH
            due = [a_step(number, clock.now()) for number in range(cup, passed)]
            cup += len(due)
            dispatcher.settle(due)
            for command in board.submitted[fired:]:
                board.fire(command)
            fired = len(board.submitted)
            trouble = dispatcher.health().trouble
            if trouble != said:
                said = trouble
                print("trouble" if trouble else "well", cup, trouble, flush=True)
            time.sleep(0.005)
        dispatcher.finish(time.sleep)
        print("ended", cup, len(board.submitted), len(board.unwritten), flush=True)
    except JournalError as problem:
        print("faulted", cup, problem, flush=True)
    finally:
        board.close()
        journal.close()


if __name__ == "__main__":
    keep(Path(sys.argv[1]), float(sys.argv[2]))
