"""What the running station tells whoever watches it, about twice a second. It never waits for a reader."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from grader.domain.decisions import BoardStatus
from grader.domain.latency import Latency
from grader.units import HostNs, Pulse

STAGES = ("frame_to_step", "step", "commit", "frame_to_command")
"""The stages that are timed, in the order in which a fruit meets them."""


class State(StrEnum):
    """Where the station is in its life."""

    STARTING = "starting"
    RUNNING = "running"
    DRAINING = "draining"  # no new fruit is accepted, what is on the belt still reaches its outlet
    STOPPED = "stopped"
    FAULTED = "faulted"  # latched, gates closed, until a person resets it


class LaneSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """One lane. fruit: decided since the start. fruit_per_s: over the last seconds.
    occupancy: share of its cups that held fruit, 0..1, over the same time."""

    lane: int
    fruit: int
    fruit_per_s: float
    occupancy: float


class JournalHealth(msgspec.Struct, frozen=True, kw_only=True):
    """How the journal keeps up. fruit_waiting: decided and not written yet; none of their gates opens before they are.
    since_commit_s: since something was last written, or since the start. trouble: what is wrong, a sentence in English;
    empty when it is well."""

    fruit_waiting: int = 0
    since_commit_s: float = 0.0
    trouble: str = ""


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The station at one moment. Counts are since the start of the lot that `lot` names.

    t_ns: when it was taken. elapsed_s: since the lot began. reason: why it is draining, stopped or
    faulted, else empty. pulse: the belt's encoder count. cups_per_s: per lane, by the encoder.
    grades: fruit by grade; outlets: by outlet, 0 is the default outlet; flags: by name in lower case,
    as in `flag_names`. late, refused, void: gate commands by their `Result`. frames_dropped: frames
    lost for want of a free slot. board: its latest heartbeat; None when it is lost or there is none.
    latency: by stage of `STAGES`. journal_rows: fruit that are durable. lot, sheet: their names.
    """

    t_ns: HostNs
    elapsed_s: float
    state: State
    reason: str = ""
    pulse: Pulse
    cups_per_s: float
    lanes: tuple[LaneSnapshot, ...]
    grades: dict[str, int]
    outlets: dict[int, int]
    flags: dict[str, int]
    late: int = 0
    refused: int = 0
    void: int = 0
    frames_dropped: int = 0
    board: BoardStatus | None
    latency: dict[str, Latency]
    journal_rows: int
    lot: str
    sheet: str
