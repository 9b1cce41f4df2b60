"""What happened on the line that is no fruit: lots, faults and resets, zeros of the scale, orders of people.

They are written into the journal beside the fruit, and are never changed there: a grower who is paid by the scale can
see every zero that it had.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from grader.units import Pulse


class EventKind(StrEnum):
    """What happened."""

    RUN_STARTED = "run_started"
    RUN_ENDED = "run_ended"
    LOT_OPENED = "lot_opened"  # values: name, grower, variety, sheet, sheet_sha256
    LOT_BEGAN = "lot_began"  # lane, cup: its first cup in this lane; values: name, stretch
    LOT_CLOSED = "lot_closed"  # values: name; withdrawn, if no cup had come to it
    STATE_CHANGED = "state_changed"  # values: from, to
    FAULT = "fault"
    RESET = "reset"
    DEGRADED = "degraded"  # lane: what it has to do without
    RECOVERED = "recovered"
    ORDER = "order"  # what a person asked for
    PLANT = "plant"  # belt stop, jog, emergency stop, outlet full: come and gone
    REPHASED = "rephased"  # the index mark said where the chain is
    SCALE_ZERO = "scale_zero"  # lane; values: from_g, to_g
    SCALE_SPAN = "scale_span"  # lane; values: from, to
    CUP_TARE = "cup_tare"  # lane, cup: of the chain; values: from_g, to_g
    SCALE_ALARM = "scale_alarm"  # lane, cup: of the chain
    JOURNAL = "journal"  # slow, full, well again


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One of them. pulse: where the belt was. lane, cup: where it is about one. text: a sentence for a person, in
    English; values: the figures in it, by name, for a program."""

    kind: EventKind
    text: str
    pulse: Pulse | None = None
    lane: int | None = None
    cup: int | None = None
    values: dict[str, float | int | str] = {}
