"""Decisions become durable, then commands. No gate fires for a decision that is not committed; late is never sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from grader.clock import Clock
from grader.domain.decisions import FruitRecord, GateCommand, GateOutcome, Result
from grader.ports import Encoder, GateBoard, Journal
from grader.station.ledger import Ledger
from grader.units import NS_PER_MS, HostNs, Pulse


class Decided(NamedTuple):
    """What one step of the line decided, and when the frame that it was decided with had come."""

    records: list[FruitRecord]
    commands: list[GateCommand]
    frame_at: HostNs


class Dispatcher:
    """Writes decisions down, then tells the board. Called from one thread, the keeper's."""

    def __init__(
        self, journal: Journal, board: GateBoard, encoder: Encoder, ledger: Ledger, clock: Clock, lead_pulses: int
    ) -> None:
        self._journal, self._board, self._encoder = journal, board, encoder
        self._ledger, self._clock, self._lead_pulses = ledger, clock, lead_pulses
        self._late: list[GateOutcome] = []

    def settle(self, decided: Sequence[Decided]) -> None:
        """Commit these decisions with every outcome known by now, then send the commands that are in time.

        Raises JournalError: then nothing was sent. Raises BoardLost: then the decisions are kept, and the outcomes of
        their commands come with the next call.
        """
        records = [record for step in decided for record in step.records]
        outcomes = self._late + self._board.outcomes()
        if records or outcomes:
            before = self._clock.now()
            self._journal.commit(records, outcomes)
            self._ledger.timed("commit", (self._clock.now() - before) / NS_PER_MS)
            self._ledger.settled(len(records), outcomes)
        self._late = []
        commands = [command for step in decided for command in step.commands]
        if commands:
            self._send(commands)
            sent_at = self._clock.now()
            for step in decided:
                if step.commands:
                    self._ledger.timed("frame_to_command", (sent_at - step.frame_at) / NS_PER_MS)

    def _send(self, commands: list[GateCommand]) -> None:
        first_in_time = Pulse(self._encoder.pulse() + self._lead_pulses)
        self._late = [_late(command) for command in commands if command.open_pulse < first_in_time]
        in_time = [command for command in commands if command.open_pulse >= first_in_time]
        if in_time:
            self._board.submit(in_time)


def _late(command: GateCommand) -> GateOutcome:
    return GateOutcome(
        lane=command.lane,
        cup=command.cup,
        outlet=command.outlet,
        open_pulse=command.open_pulse,
        close_pulse=command.close_pulse,
        fired_pulse=None,
        result=Result.LATE,
        reason="less than the lead was left",
    )
