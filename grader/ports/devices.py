"""Cameras, sensors, the gate board. Drivers make devices look alike and decide nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from grader.domain.decisions import BoardStatus, GateCommand, GateOutcome, PlantOutputs, Rephased
from grader.domain.frames import Frame, Readings
from grader.units import Pulse


class Camera(Protocol):
    """Frames in preallocated slots, oldest first. A frame is the caller's until it is released."""

    @property
    def dropped(self) -> int:
        """Frames lost so far because no slot was free."""
        ...

    def next_frame(self, timeout_s: float) -> Frame | None:
        """The oldest frame not yet taken; None when none came in time. Raises CameraLost when it is gone."""
        ...

    def release(self, frame: Frame) -> None:
        """Give the slot back. The frame's pixels may change from now on."""
        ...

    def close(self) -> None:
        """Stop and free everything. Idempotent."""
        ...


class Sensors(Protocol):
    """Scales and spectrometers of all lanes."""

    @property
    def closed(self) -> bool:
        """Whether their connection has ended: nothing more will come."""
        ...

    def readings(self) -> Readings:
        """Everything since the last call, oldest first. Never blocks."""
        ...

    def close(self) -> None:
        """Idempotent."""
        ...


class Encoder(Protocol):
    """Where the belt is. Its pulses never run back, and no cup's serial comes twice."""

    def pulse(self) -> Pulse:
        """Where the belt is now, by the latest report and its speed."""
        ...

    def rephasings(self) -> list[Rephased]:
        """Since the last call, oldest first: where the belt turned out to be elsewhere. Never blocks."""
        ...


class GateBoard(Protocol):
    """Opens gates at encoder pulses, on its own counter. Closed is the safe state."""

    @property
    def packets_damaged(self) -> int:
        """Messages of the board that did not come whole, so far."""
        ...

    def connect(self) -> None:
        """Begin afresh, with everything of before void: after it was lost, or after a fault. Raises BoardLost."""
        ...

    def round_trips_ns(self) -> list[int]:
        """From a command to the board's answer, of each answered since the last call. Never blocks."""
        ...

    def submit(self, commands: Sequence[GateCommand]) -> None:
        """Hand commands over. What becomes of each comes back in `outcomes`. Raises BoardLost."""
        ...

    def outcomes(self) -> list[GateOutcome]:
        """Since the last call, oldest first. Never blocks."""
        ...

    def status(self) -> BoardStatus:
        """The latest heartbeat. Raises BoardLost when it is overdue."""
        ...

    def show(self, outputs: PlantOutputs) -> None:
        """What the plant is to be shown from now on, until the station is silent. Safe at any time."""
        ...

    def close_all(self) -> None:
        """Close every gate and void what is pending. Idempotent, safe at any time."""
        ...

    def close(self) -> None:
        """Close all gates, then the port. Idempotent."""
        ...
