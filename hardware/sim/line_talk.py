"""What a station and the simulated line say to each other, beside what goes over the board's port.

Each device is a connection of its own to the line's socket, opened with `Open`: the control, the camera, the sensors.
A fourth, the mischief, is no device of a station: whoever lets things go wrong is heard there, whatever that does.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from grader.domain.installation import Installation
from hardware.sim.faults import Fault

SOCKET = "line.sock"
"""In the line's folder."""

PORT = "board.port"
"""In the line's folder too: a link to the pseudo-terminal that the board's port has at present."""

Device = Literal["control", "camera", "sensors", "mischief"]


class Open(msgspec.Struct, frozen=True, tag=True):
    """The first message of a connection: which device it is to. Another station's is closed, if it has it still."""

    device: Device


# Orders, over the control


class StartBelt(msgspec.Struct, frozen=True, tag=True):
    """The station is ready."""


class StopFeeding(msgspec.Struct, frozen=True, tag=True):
    """No more fruit on the belt; it runs on until all has landed."""


class Stop(msgspec.Struct, frozen=True, tag=True):
    """End the process now."""


Order = StartBelt | StopFeeding | Stop

# Orders, over the mischief


class Break(msgspec.Struct, frozen=True, tag=True):
    """Let this go wrong; its `at_s` counts from now."""

    fault: Fault


class Mend(msgspec.Struct, frozen=True, tag=True):
    """Whatever goes wrong at present is over now."""


Wrong = Break | Mend

# News, over the control


class Progress(msgspec.Struct, frozen=True, tag=True):
    """Share of the pictures that are prepared, 0..1."""

    done: float


class Ready(msgspec.Struct, frozen=True, tag=True):
    """The devices can be opened. asked: what the line was started with, in the words of the command line."""

    installation: Installation
    asked: dict[str, str | int | float | None]
    running: bool


class Report(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """After the last fruit has landed. by_outlet: fruit per outlet. entered = landed, or fruit was lost.

    frames_dropped: found no free slot; readings_dropped: the station did not take them; serial_overruns: bytes that
    the board could not send.
    """

    last_cup: int
    entered: int
    landed: int
    struck: int
    by_outlet: dict[int, int]
    frames: int
    frames_dropped: int
    readings_dropped: int
    serial_overruns: int


class Failed(msgspec.Struct, frozen=True, tag=True):
    """The simulator itself broke."""

    why: str


News = Progress | Ready | Report | Failed

# News, over the mischief


class Broken(msgspec.Struct, frozen=True, tag=True):
    """A fault has begun, or is over. pulse: where the belt truly was."""

    fault: Fault
    is_over: bool
    pulse: int
