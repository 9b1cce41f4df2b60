"""A gate board on a serial port: the port and its thread around `BoardSession`."""

from __future__ import annotations

import contextlib
import math
import os
import secrets
import select
import threading
from collections import deque
from collections.abc import Sequence

import msgspec
import serial

from grader.clock import Clock
from grader.domain.decisions import BoardStatus, GateCommand, GateOutcome, PlantOutputs, Rephased
from grader.domain.frames import Trigger
from grader.domain.installation import Gates, Line
from grader.errors import BoardLost
from grader.units import HostNs, Pulse
from hardware import protocol as wire
from hardware.board_session import STATUS_MS, BoardSession, Counters, Stage
from hardware.chain_phase import ChainPhase

READ_S = 0.01
"""How long one read waits: at most so late is a heartbeat or a repetition."""

WRITE_S = 0.15
"""A port that does not take a packet for so long is lost: the line waits meanwhile, and its pictures pile up."""

READY_S = 4.5
"""Longer than the session's own tries: whoever connects hears the session's reason."""

CLOSE_S = 0.5
"""How long closing waits for the board to confirm that all gates are closed."""


MOST_SPEED = 2.0
"""Of the rated one: no belt is faster, and an encoder that says so is wrong."""

REPHASINGS_KEPT = 1024


class GateBoardSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the board is plugged in, and how long after our last heartbeat it closes its gates by itself."""

    port: str
    baud: int = 921_600
    host_silence_ms: int = 200


def board_configuration(
    line: Line,
    gates: Gates,
    *,
    pulses_per_frame: int,
    host_silence_ms: int = GateBoardSettings(port="").host_silence_ms,
) -> wire.Configure:
    """What the board has to know of this line."""
    return wire.Configure(
        lanes=line.lanes,
        outlets=gates.outlets,
        pulses_per_cup=line.pulses_per_cup,
        lead_pulses=gates.lead_pulses,
        trigger_pulses=pulses_per_frame,
        heartbeat_ms=STATUS_MS,
        host_silence_ms=host_silence_ms,
        most_pulses_per_s=math.ceil(MOST_SPEED * line.pulses_per_s),
        opening=round(gates.opening_ms / wire.MS_PER_TRAVEL),
        closing=round(gates.closing_ms / wire.MS_PER_TRAVEL),
    )


def write_all(port: int, data: bytes) -> None:
    """To a file descriptor that does not block. Raises OSError when the port takes nothing for WRITE_S.

    pyserial's own time-out is one of the clock: a station that was held up between a write and the look at the clock
    takes its port for stuck though it took every byte. Here the port is asked once more before it is given up.
    """
    left = memoryview(data)
    while left:
        if not (select.select([], [port], [], WRITE_S)[1] or select.select([], [port], [], 0)[1]):
            raise TimeoutError(f"it took nothing for {WRITE_S:g} s")
        with contextlib.suppress(BlockingIOError):
            left = left[os.write(port, left) :]


class SerialGateBoard:
    """GateBoard and Encoder on a serial port, plus the camera triggers that the board reports.

    One thread reads, repeats what was not answered and sends the heartbeat; commands are written by whoever
    submits them. After BoardLost everything pending has come back as VOID, and `connect` starts afresh.
    All pulses are the house's: `phase` turns the board's count into them and back.
    """

    def __init__(
        self, settings: GateBoardSettings, config: wire.Configure, clock: Clock, phase: ChainPhase | None = None
    ) -> None:
        """Opens the port, resets and configures the board. phase: None for a chain without an index mark whose pulses
        begin wherever the board's count does. Raises BoardLost."""
        self._settings, self._clock = settings, clock
        self._session = BoardSession(config)
        self._phase = phase or ChainPhase(None, pulses_per_cup=config.pulses_per_cup)
        self._counts = 0  # that the phase knows of
        self._rephasings: deque[Rephased] = deque(maxlen=REPHASINGS_KEPT)
        self._changed = threading.Condition()  # guards the session, the phase and the port
        self._port: serial.Serial | None = None
        self._reader: threading.Thread | None = None
        self.connect()

    def connect(self) -> None:
        """Open the port afresh, reset the board, configure it and check its CRC. Raises BoardLost."""
        self._hang_up()
        try:
            # One station at a time: two that talk to one board would reset each other for ever.
            port = serial.Serial(self._settings.port, self._settings.baud, timeout=READ_S, exclusive=True)
        except (serial.SerialException, OSError, ValueError) as problem:
            raise BoardLost(f"gate board: cannot open {self._settings.port}: {problem}") from problem
        with self._changed:
            self._port = port
            self._write(self._session.begin(secrets.randbits(31) + 1, self._clock.now()))
        self._reader = threading.Thread(target=self._read, args=(port,), name="gate board", daemon=True)
        self._reader.start()
        with self._changed:
            self._changed.wait_for(lambda: self._session.stage in (Stage.READY, Stage.LOST), READY_S)
            try:
                self._session.status()
                return
            except BoardLost as problem:
                why = problem
        self._hang_up()
        raise why

    def submit(self, commands: Sequence[GateCommand]) -> None:
        """Written before it returns; the answer comes back as an outcome. Raises BoardLost."""
        with self._changed:
            self._write(self._session.submit(commands, self._clock.now(), self._phase.offset))
            if self._session.stage is Stage.LOST:
                self._session.status()  # raises with the reason

    def outcomes(self) -> list[GateOutcome]:
        with self._changed:
            return self._session.take_outcomes()

    def triggers(self) -> list[Trigger]:
        """Exposures that the board fired since the last call. Never blocks."""
        with self._changed:
            return [
                Trigger(trigger.number, self._phase.pulse_of(trigger.pulse))
                for trigger in self._session.take_triggers()
            ]

    def status(self) -> BoardStatus:
        with self._changed:
            status = self._session.status()
            pulse = self._phase.pulse_of(status.pulse)
            return msgspec.structs.replace(
                status, pulse=pulse, phase_known=self._phase.known and not status.encoder_fault
            )

    def pulse(self) -> Pulse:
        with self._changed:
            return self._phase.advance(self._session.pulse(self._clock.now()))

    def pulse_of(self, count: int) -> Pulse:
        """The pulse of a count that was latched for a sensor: whole, or its low 32 bits."""
        with self._changed:
            return self._phase.pulse_of(self._session.widened(count))

    def rephasings(self) -> list[Rephased]:
        with self._changed:
            taken = list(self._rephasings)
            self._rephasings.clear()
            return taken

    def show(self, outputs: PlantOutputs) -> None:
        with self._changed:
            self._session.show(outputs)

    @property
    def counters(self) -> Counters:
        """What the link had to repair so far."""
        return self._session.counters

    @property
    def packets_damaged(self) -> int:
        return self._session.counters.crc_errors

    def round_trips_ns(self) -> list[int]:
        """From submit to the board's answer, for each command answered since the last call (the latest 4096)."""
        with self._changed:
            taken = list(self._session.round_trips_ns)
            self._session.round_trips_ns.clear()
            return taken

    def wait(self, timeout_s: float) -> None:
        """Until the board has said something, or the time is up."""
        with self._changed:
            self._changed.wait(timeout_s)

    def close_all(self) -> None:
        with self._changed:
            self._write(self._session.close_all(self._clock.now()))

    def close(self) -> None:
        with self._changed:
            self._write(self._session.close_all(self._clock.now()))
            self._changed.wait_for(lambda: not self._session.closing, CLOSE_S)
            self._write(self._session.lose("closed"))
        self._hang_up()

    def _write(self, data: bytes) -> None:
        """With the lock held. A port that fails loses the session; it does not raise."""
        if not data or self._port is None:
            return
        try:
            write_all(self._port.fileno(), data)
        except (serial.SerialException, OSError, ValueError) as problem:
            self._session.lose(f"{self._settings.port} cannot be written: {problem}")
            self._changed.notify_all()

    def _read(self, port: serial.Serial) -> None:
        while True:
            try:
                data = port.read(1)
                # All of it: a station that was held up must not take for silent a board whose words wait to be read.
                while waiting := port.in_waiting:
                    data += port.read(waiting)
                problem = ""
            except (serial.SerialException, OSError, TypeError, ValueError) as error:
                # pyserial's read meets a port that another thread closed with a TypeError or ValueError.
                data, problem = b"", str(error)
            with self._changed:
                if self._port is not port:
                    return
                if problem:
                    self._session.lose(f"{self._settings.port} is gone: {problem}")
                    self._changed.notify_all()
                    return
                now = self._clock.now()
                if data:
                    self._write(self._session.receive(data, now))
                    self._follow(now)
                self._write(self._session.due(now))
                self._changed.notify_all()

    def _follow(self, now: HostNs) -> None:
        """With the lock held: keep the phase in step with what the board has said."""
        if self._session.stage is not Stage.READY:
            return
        count = self._session.pulse(now)
        if self._session.counts != self._counts:
            self._counts = self._session.counts
            self._moved_on(self._phase.begin(count, self._session.latest_mark), now)
        for mark in self._session.take_marks():
            self._moved_on(self._phase.mark(mark, count), now)
        self._phase.advance(count)

    def _moved_on(self, rephased: Rephased | None, now: HostNs) -> None:
        """What was sent before is for cups that are elsewhere."""
        if rephased is not None:
            self._rephasings.append(rephased)
            self._write(self._session.close_all(now))

    def _hang_up(self) -> None:
        with self._changed:
            port, self._port = self._port, None
            if port is not None and self._session.stage is not Stage.LOST:
                self._session.lose("its port was closed")
        if self._reader is not None:
            self._reader.join(timeout=1.0)
            self._reader = None
        if port is not None:
            with contextlib.suppress(serial.SerialException, OSError):
                port.close()
