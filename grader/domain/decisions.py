"""What was decided for a fruit, what the gate was told, and what it did."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from grader.units import Pulse

DEFAULT_OUTLET = 0
"""Where fruit goes when no gate opens: off the end of the belt."""


class GateCommand(msgspec.Struct, frozen=True, kw_only=True):
    """Open the gate of (lane, outlet) while the belt goes from open_pulse to close_pulse, for one cup.

    The window's edges lie midway between two cups. The board makes up for the gate's opening and
    closing times at its own speed: the gate is half way when an edge passes. Windows of one gate
    that meet or overlap are one opening: the board holds the gate open between adjacent cups.
    """

    lane: int
    cup: int
    outlet: int
    open_pulse: Pulse
    close_pulse: Pulse


class Result(StrEnum):
    """What became of a gate command."""

    FIRED = "fired"
    LATE = "late"  # the station did not send it: less than the lead was left
    REFUSED = "refused"  # the board said no; `reason` has its code
    VOID = "void"  # the board restarted, closed all gates or was lost before it fired
    UNKNOWN = "unknown"  # the station was stopped before it heard from the board: the gate may have opened or not


class GateOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What the gate did. fired_pulse: the board's own count when the gate was told to open; None: it never was,
    or nobody knows."""

    lane: int
    cup: int
    outlet: int
    open_pulse: Pulse
    close_pulse: Pulse
    fired_pulse: Pulse | None
    result: Result
    reason: str = ""


class BoardStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The board's heartbeat. `pulse` was where the belt stood when it spoke; boot_id changes when it restarts.

    pending: commands that have not opened yet. gates_open: how many gates are open or moving. outlets_full: outlets,
    from 1, that can take no more fruit. encoder_fault: the count jumped, ran back or fell silent; latched until the
    board is connected to again. phase_known: the pulses are in step with the chain's index mark, or the line has none.
    """

    boot_id: int
    config_crc: int
    pulse: Pulse
    pending: int
    gates_open: int
    belt_running: bool = True
    emergency_stop: bool = False
    jogging: bool = False
    outlets_full: frozenset[int] = frozenset()
    encoder_fault: bool = False
    phase_known: bool = True


class PlantOutputs(msgspec.Struct, frozen=True, kw_only=True):
    """What the plant is shown: two contacts, and six lamps, bit n for lamp n. A board that does not hear its station
    shows SILENT by itself."""

    ready: bool = False
    fault: bool = False
    lamps: int = 0


SILENT = PlantOutputs(fault=True)


class Rephased(msgspec.Struct, frozen=True, kw_only=True):
    """The belt was not where it was thought to be: every serial before the one at pulse `at` is void.

    at: the first pulse that is in step with the chain again; its serial was never given before. by_pulses: how far the
    count of pulses was moved on. slip_pulses: so many had been counted too many, less than 0 too few, by the index
    mark; None: nobody knows, as the mark had not been seen before, or the encoder's count was lost.
    """

    at: Pulse
    by_pulses: int
    slip_pulses: int | None = None


class FruitRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One row of fruit.csv and of the journal: a fruit, what was measured, what was decided and why.

    Measured values are None where not measured; otherwise rounded to the decimals of fruit.csv, so
    that the journal, the table and a replay hold the same number. reasons: one text per rule missed,
    `class: quantity value > limit`. flags: as `flag_names`. gate_outcome: empty until known.
    """

    lane: int
    cup: int
    lot: str
    values: dict[str, float | None]
    grade: str
    size: str
    outlet: int
    reasons: tuple[str, ...]
    flags: int
    gate_outcome: str = ""
