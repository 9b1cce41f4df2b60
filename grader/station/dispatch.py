"""Decisions become durable, then commands. No gate fires for a decision that is not committed; late is never sent."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from grader.clock import Clock
from grader.domain.decisions import GateCommand, GateOutcome, Result
from grader.domain.snapshot import JournalHealth
from grader.errors import JournalError
from grader.ports import Encoder, GateBoard, Journal
from grader.station.backlog import FIRST_DELAY_S, MOST_WAITING, Backlog, Decided
from grader.station.ledger import Ledger
from grader.units import NS_PER_MS, NS_PER_S, HostNs, Pulse

LATE = "less than the lead was left"
LATE_BY_JOURNAL = "less than the lead was left: the journal was behind"
BEFORE_RESET = "it was decided before the reset"
LAST_TRIES_S = 3.0


class Dispatcher:
    """Writes decisions down, then tells the board. Called from one thread, the keeper's; `shut`, `health` from any."""

    def __init__(
        self,
        journal: Journal,
        board: GateBoard,
        encoder: Encoder,
        ledger: Ledger,
        clock: Clock,
        lead_pulses: int,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        self._board, self._encoder = board, encoder
        self._ledger, self._clock, self._lead_pulses = ledger, clock, lead_pulses
        self._backlog = Backlog(journal, ledger, clock, most_waiting)
        self._shut, self._changed = "", HostNs(0)

    def health(self) -> JournalHealth:
        """How the journal keeps up."""
        return self._backlog.health()

    def shut(self, why: str) -> None:
        """From now on nothing is sent: commands become VOID for this reason. An empty one: what is decided from now on
        is sent again. What was decided before is not: the belt was not looked after meanwhile."""
        self._shut, self._changed = why, self._clock.now()

    def settle(self, decided: Sequence[Decided]) -> None:
        """Commit these decisions with every outcome known by now, then send the commands that are in time.

        A journal that stalls is no error: what it does not take waits, unsent, for the next call. Raises JournalError
        when waiting does not help or too much waits: nothing of that was sent. Raises BoardLost: then the decisions
        are kept, and the outcomes of their commands come with the next call.
        """
        self._backlog.add(decided, self._board.outcomes())
        while written := self._backlog.write():
            stale = [command for step in written if step.decided_at < self._changed for command in step.commands]
            self._backlog.add([], [_unsent(command, Result.VOID, self._shut or BEFORE_RESET) for command in stale])
            commands = [command for step in written if step.decided_at >= self._changed for command in step.commands]
            if not commands:
                continue
            self._send(commands)
            sent_at = self._clock.now()
            for step in written:
                if step.commands:
                    self._ledger.timed("frame_to_command", (sent_at - step.frame_at) / NS_PER_MS)

    def finish(self, wait: Callable[[float], object]) -> None:
        """At the end: write what is left and send nothing more.

        wait: lets that many seconds go by. Raises JournalError when the journal stalls for longer than `LAST_TRIES_S`.
        """
        self.shut(self._shut or "the station was stopped")
        deadline = self._clock.now() + int(LAST_TRIES_S * NS_PER_S)
        self.settle([])
        while not self._backlog.empty:
            left = self.health()
            if self._clock.now() >= deadline:
                raise JournalError(
                    f"{left.fruit_waiting} fruit could not be written before the end, no gate opened for them"
                    f" ({left.trouble})"
                )
            wait(FIRST_DELAY_S)
            self.settle([])

    def _send(self, commands: list[GateCommand]) -> None:
        if self._shut:
            self._backlog.add([], [_unsent(command, Result.VOID, self._shut) for command in commands])
            return
        first_in_time = Pulse(self._encoder.pulse() + self._lead_pulses)
        why = LATE_BY_JOURNAL if self._backlog.in_trouble else LATE
        late = [_unsent(command, Result.LATE, why) for command in commands if command.open_pulse < first_in_time]
        in_time = [command for command in commands if command.open_pulse >= first_in_time]
        self._backlog.add([], late)
        if in_time:
            self._board.submit(in_time)
            if self._shut:  # meanwhile: the gates were closed before these commands came
                self._board.close_all()


def _unsent(command: GateCommand, result: Result, reason: str) -> GateOutcome:
    return GateOutcome(
        lane=command.lane,
        cup=command.cup,
        outlet=command.outlet,
        open_pulse=command.open_pulse,
        close_pulse=command.close_pulse,
        fired_pulse=None,
        result=result,
        reason=reason,
    )
