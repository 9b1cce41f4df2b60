"""Session and board joined by the worst of lines, while the plant does what it likes: what holds all the same.

Every submitted command ends in exactly one outcome. A gate is told open only inside the window of a command that the
board accepted in this very talk. Nothing is open while the emergency stop is pressed, the belt stands or is jogged, or
the encoder is doubted. When the noise ends, all is well again after one reset.
"""

from __future__ import annotations

import random
from collections import Counter

import pytest

from grader.domain.decisions import GateCommand, Result
from grader.units import Pulse
from hardware import protocol as wire
from hardware.board_session import Stage

STEP_MS = 2
HALF_TRAVEL_PULSES = 0.015 * 2304
"""At the most that a belt can make."""


class WorstLine:
    """Damages bytes, swallows, doubles and delays what is said, and says again what was said long ago."""

    def __init__(self, rng: random.Random, hears: list[wire.Said]) -> None:
        self.noisy = True
        self._rng, self._hears, self._decoder = rng, hears, wire.Decoder()
        self._waiting: list[bytes] = []
        self._past: list[bytes] = []

    def __call__(self, data: bytes) -> bytes:
        self._hears += self._decoder.feed(data)  # what was truly said
        rng = self._rng
        if not self.noisy:
            data, self._waiting = b"".join([*self._waiting, data]), []
            return data
        if data:
            self._past.append(data)
            self._waiting += [data] * rng.choices([0, 1, 2], [1, 97, 2])[0]
        if rng.random() < 0.003 and self._past:
            self._waiting.append(rng.choice(self._past))
        if rng.random() < 0.02:  # held back until the next turn, or the one after
            return b""
        data, self._waiting = b"".join(self._waiting), []
        return bytes(byte ^ rng.randrange(1, 256) if rng.random() < 0.004 else byte for byte in data)


class Trial:
    """One talk after another for some seconds, with everything happening at once."""

    def __init__(self, talk, seed: int) -> None:
        self.talk, self.rng = talk, random.Random(seed)
        self.by_station: list[wire.Said] = []
        self.by_board: list[wire.Said] = []
        self.to_board, self.to_station = WorstLine(self.rng, self.by_station), WorstLine(self.rng, self.by_board)
        talk.to_board, talk.to_station = self.to_board, self.to_station
        self.submitted: list[int] = []
        self._nonce = 1
        self._accepted: dict[tuple[int, int], list[wire.Command]] = {}  # of the board's present boot, per gate
        self._sent: dict[tuple[int, int], wire.Command] = {}
        self.fired: set[int] = set()  # cups of which the board said so

    def begin(self) -> None:
        self._nonce += 1
        self.talk.say(self.talk.session.begin(self._nonce, self.talk.now))

    def step(self) -> None:
        boot = self.talk.board.boot_id
        self.talk.run_ms(STEP_MS, STEP_MS)
        if self.talk.board.boot_id != boot:
            self._accepted.clear()
        self._listen()
        self._look_at_the_gates()

    def _listen(self) -> None:
        for talk, message in self.by_station:
            if isinstance(message, wire.Command):
                self._sent[talk, message.command] = message
        for talk, message in self.by_board:
            match message:
                case wire.Answered(answer=wire.Answer.ACCEPTED) if (talk, message.command) in self._sent:
                    command = self._sent[talk, message.command]
                    if talk == self.talk.board.boot_id:
                        self._accepted.setdefault((command.lane, command.outlet), []).append(command)
                case wire.Outcome(ending=wire.Ending.FIRED):
                    self.fired.add(self._sent[talk, message.command].cup)
        self.by_station.clear()
        self.by_board.clear()

    def _look_at_the_gates(self) -> None:
        board = self.talk.board
        told_open = [gate for gate, one in board.gates.items() if one.told_open]
        if board.emergency_stop or board.jogging or not board.belt_running:
            assert told_open == []
        count = board.count_at(Pulse(int(self.talk.pulse)))
        for gate in told_open:
            assert gate[1] not in board.outlets_full
            windows = [(one.open_pulse, one.close_pulse) for one in self._accepted.get(gate, [])]
            assert any(opens - HALF_TRAVEL_PULSES - 1 <= count <= closes + 1 for opens, closes in windows), (
                f"{gate} open at {count}, accepted: {windows}"
            )

    def happen(self) -> None:
        """Whatever may happen in a turn."""
        rng, talk, board = self.rng, self.talk, self.talk.board
        if rng.random() < 0.04 and talk.session.stage is Stage.READY:
            self.submit(rng.randrange(70, 500))
        if talk.session.stage in (Stage.LOST, Stage.IDLE) and rng.random() < 0.05:
            self.begin()
        match rng.choices(["", "stop", "plant", "power", "reset", "slip", "close"], [985, 4, 6, 0.5, 0.5, 0.7, 1])[0]:
            case "stop":
                board.belt_running = not board.belt_running
            case "plant":
                board.emergency_stop, board.jogging = rng.random() < 0.2, rng.random() < 0.2
                board.outlets_full = {outlet for outlet in range(1, 9) if rng.random() < 0.15}
            case "power":
                board.restart()
            case "reset":
                self.begin()
            case "slip":
                board.miscount(rng.choice([-300, -5, 5, 300]))
            case "close":
                talk.say(talk.session.close_all(talk.now))

    def submit(self, ahead: int) -> None:
        cup, talk = len(self.submitted), self.talk
        opens = Pulse(talk.session.pulse(talk.now) + ahead)
        command = GateCommand(
            lane=cup % 2, cup=cup, outlet=1 + cup // 2 % 4, open_pulse=opens, close_pulse=Pulse(opens + 96)
        )
        talk.say(talk.session.submit([command], talk.now))
        self.submitted.append(cup)


@pytest.mark.parametrize("seed", range(8))
def test_under_the_worst_of_lines_gates_open_for_what_this_talk_accepted_and_every_command_ends_once(talk, seed):
    trial = Trial(talk, seed)
    trial.begin()
    while talk.ms < 6000:
        trial.happen()
        trial.step()
    trial.to_board.noisy = trial.to_station.noisy = False
    board = talk.board
    board.emergency_stop, board.jogging, board.outlets_full, board.belt_running = False, False, (), True
    while talk.ms < 6500:
        trial.step()
    trial.begin()
    while talk.ms < 7000:
        trial.step()
    assert talk.session.stage is Stage.READY
    talk.triggers.clear()
    last = len(trial.submitted)
    trial.submit(200)
    while talk.ms < 9000:
        trial.step()
    ended = Counter(outcome.cup for outcome in talk.outcomes)
    assert ended == Counter(range(last + 1))
    said_fired = {outcome.cup for outcome in talk.outcomes if outcome.result is Result.FIRED}
    assert said_fired <= trial.fired
    assert last in said_fired
    assert last > 20
    status = talk.session.status()
    assert (status.pending, status.gates_open, status.encoder_fault) == (0, 0, False)
    numbers = [trigger.number for trigger in talk.triggers]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
