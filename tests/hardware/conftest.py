"""What the tests of the devices share: a session and a board that talk without a port, in told time."""

from __future__ import annotations

import itertools
import os
import select
import threading
from collections.abc import Callable, Iterator

import pytest

from grader.clock import SystemClock
from grader.domain.decisions import GateCommand, GateOutcome
from grader.domain.frames import Trigger
from grader.domain.installation import Gates, Line
from grader.units import NS_PER_MS, BoardTick, HostNs, Pulse
from hardware.board_session import BoardSession, Stage
from hardware.gate_board import board_configuration
from hardware.protocol import Configure
from hardware.sim.board import SimulatedBoard
from hardware.sim.pty_port import PtyPort

LINE = Line(lanes=4, pulses_per_cup=96, mm_per_pulse=1.0, cups_per_second=12.0)
GATES = Gates()
PULSES_PER_S = 1152


@pytest.fixture
def config() -> Configure:
    """The reference line's."""
    return board_configuration(LINE, GATES, pulses_per_frame=48)


def window(cup: int, outlet: int, lane: int = 0) -> GateCommand:
    """The command for one cup, as the station makes it: half a cup either way of the gate."""
    centre = round(cup * 96 + GATES.position_mm(outlet))
    return GateCommand(lane=lane, cup=cup, outlet=outlet, open_pulse=Pulse(centre - 48), close_pulse=Pulse(centre + 48))


class Talk:
    """Session and board joined by two functions that may do to the bytes what a bad cable does."""

    def __init__(self, config: Configure) -> None:
        self.session, self.board = BoardSession(config), SimulatedBoard()
        self.ms = 0.0
        self.pulse = 0.0
        self.pulses_per_s = PULSES_PER_S
        self.to_board: Callable[[bytes], bytes] = bytes
        self.to_station: Callable[[bytes], bytes] = bytes
        self.outcomes: list[GateOutcome] = []
        self.triggers: list[Trigger] = []

    @property
    def now(self) -> HostNs:
        return HostNs(int(self.ms * NS_PER_MS))

    def connect(self, nonce: int = 7) -> None:
        self.say(self.session.begin(nonce, self.now))
        self.run_ms(300)
        assert self.session.stage is Stage.READY

    def say(self, data: bytes) -> None:
        self.board.receive(self.to_board(data))

    def submit(self, *commands: GateCommand) -> None:
        """In pulses of the belt, whatever the board counts."""
        self.say(self.session.submit(commands, self.now, -self.board.count_at(Pulse(0))))

    def run_ms(self, duration_ms: float, step_ms: float = 1.0) -> None:
        end = self.ms + duration_ms
        while self.ms < end - 1e-9:
            self.ms += step_ms
            self.pulse += self.pulses_per_s * step_ms / 1000 * (self.board.belt_running)
            said = self.to_station(self.board.advance(Pulse(int(self.pulse)), BoardTick(int(self.ms * 1000))))
            self.say(self.session.receive(said, self.now) + self.session.due(self.now))
            self.outcomes += self.session.take_outcomes()
            self.triggers += self.session.take_triggers()

    def run_to(self, pulse: float) -> None:
        while self.pulse < pulse:
            self.run_ms(1)


@pytest.fixture
def talk(config: Configure) -> Talk:
    return Talk(config)


@pytest.fixture
def command() -> Callable[..., GateCommand]:
    return window


_boots = itertools.count(1, 1000)  # no two boards are alike


class BoardOnPty:
    """A simulated board behind a real pseudo-terminal, its belt driven by the clock, in a thread of the test.

    garble: what happens to the bytes on their way, (data, towards the board) → data. The chain's index mark passes at
    every multiple of mark_every; 0: never.
    """

    mark_every = 0

    def __init__(self, garble: Callable[[bytes, bool], bytes] = lambda data, to_board: data) -> None:
        self.board, self._port, self._garble = SimulatedBoard(boot_id=next(_boots)), PtyPort(), garble
        self.path = self._port.path
        self.lock = threading.Lock()
        self._clock, self._began = SystemClock(), SystemClock().now()
        self._came_to = Pulse(0)
        self._wake, self._waker = os.pipe()
        self._thread = threading.Thread(target=self._serve, name="board on pty")
        self._thread.start()

    def pulse(self) -> int:
        return self._pulse_at(self._clock.now())

    def _pulse_at(self, now: HostNs) -> int:
        return (now - self._began) * PULSES_PER_S // 1_000_000_000

    def _serve(self) -> None:
        while True:
            readable, _, _ = select.select([self._port.fileno(), self._wake], [], [], 0.002)
            if self._wake in readable:
                return
            with self.lock:
                now = self._clock.now()
                tick, pulse = BoardTick((now - self._began) // 1000), Pulse(self._pulse_at(now))
                if self.mark_every and pulse // self.mark_every > self._came_to // self.mark_every:
                    self.board.index_passed(Pulse(pulse // self.mark_every * self.mark_every))
                self._came_to = pulse
                said = self.board.advance(pulse, tick)
                self.board.receive(self._garble(self._port.read(), True))
                said += self.board.advance(pulse, tick)
                self._port.write(self._garble(said, False))

    def pull_the_plug(self) -> None:
        """The cable comes off: idempotent."""
        if self._thread.is_alive():
            os.write(self._waker, b"x")
            self._thread.join(5)
            self._port.close()
            os.close(self._wake)
            os.close(self._waker)


@pytest.fixture
def board_on_pty() -> Iterator[Callable[..., BoardOnPty]]:
    made: list[BoardOnPty] = []

    def make(*args: Callable[[bytes, bool], bytes]) -> BoardOnPty:
        made.append(BoardOnPty(*args))
        return made[-1]

    yield make
    for board in made:
        board.pull_the_plug()
