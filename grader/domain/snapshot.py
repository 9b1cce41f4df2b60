"""What the running station tells whoever watches it, about twice a second. It never waits for a reader."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

import msgspec

from grader.domain.decisions import BoardStatus
from grader.domain.latency import Latency
from grader.units import HostNs, Pulse

STAGES = ("frame_to_step", "step", "map", "wait", "commit", "frame_to_command", "answer")
"""The stages that are timed, in the order in which a fruit meets them: a picture until the line takes it; the line's
step; the map of a fruit's skin, on another core; what was decided until it is written; the writing; picture to command,
all in all; the gate board's answer."""


class State(StrEnum):
    """Where the station is in its life."""

    STARTING = "starting"
    RUNNING = "running"
    DRAINING = "draining"  # no new fruit is accepted, what is on the belt still reaches its outlet
    STOPPED = "stopped"
    FAULTED = "faulted"  # latched, gates closed, until a person resets it


class LaneSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """One lane. fruit: decided since the start. fruit_per_s: over the last seconds.
    occupancy: share of its cups that held fruit, 0..1, over the same time. flags: fruit by flag, since the start."""

    lane: int
    fruit: int
    fruit_per_s: float
    occupancy: float
    flags: dict[str, int] = {}


class ScaleAlarm(StrEnum):
    """What is wrong with the bridge of a lane, or, the last, with cups of the chain."""

    FROZEN = "frozen"  # it says the same number again and again
    ASTRAY = "astray"  # empty cups weigh a fruit
    CREEP = "creep"  # its zero moves fast
    DRIFT = "drift"  # its zero has come far
    STUCK = "stuck"  # a cup that looks empty weighs something round after round


class ScaleHealth(msgspec.Struct, frozen=True, kw_only=True):
    """How far the bridge of a lane can be believed. alarms: that are on. stuck_cups: by their number in the chain."""

    alarms: tuple[ScaleAlarm, ...] = ()
    stuck_cups: tuple[int, ...] = ()


class JournalHealth(msgspec.Struct, frozen=True, kw_only=True):
    """How the journal keeps up. fruit_waiting: decided and not written yet; none of their gates opens before they are.
    since_commit_s: since something was last written, or since the start. trouble: what is wrong, a sentence in English;
    empty when it is well."""

    fruit_waiting: int = 0
    since_commit_s: float = 0.0
    trouble: str = ""


class PicturesHealth(msgspec.Struct, frozen=True, kw_only=True):
    """Pictures of fruit: kept, and wanted but dropped. trouble: what is wrong, a sentence in English; empty when it is
    well."""

    kept: int = 0
    dropped: int = 0
    trouble: str = ""


class FaultKind(StrEnum):
    """Why the station is faulted: what a person has to look after."""

    EMERGENCY_STOP = "emergency_stop"  # it is pressed
    BOARD = "board"  # silent or gone
    ENCODER = "encoder"  # its count jumped, ran back or fell silent
    CAMERA = "camera"  # opened again and again, in vain
    JOURNAL = "journal"  # cannot be written, and waiting does not help
    LINE = "line"  # the simulated line has ended
    OTHER = "other"  # nothing that was foreseen


class Latched(NamedTuple):
    """A fault that nobody has reset."""

    reason: str
    kind: FaultKind = FaultKind.OTHER


class FindingKind(StrEnum):
    """What is wrong, the most serious first."""

    JOURNAL = "journal"  # slow or full
    CAMERA = "camera"  # silent or gone; it is opened again
    SENSORS = "sensors"  # the connection to scales and spectrometers is gone
    NOT_PHASED = "not_phased"  # the index mark has not come yet
    BELT_JOGGED = "belt_jogged"
    BELT_STOPPED = "belt_stopped"
    LATE = "late"  # gate commands that came too late
    REFUSED = "refused"  # gate commands that the board did not take
    BOARD_LINK = "board_link"  # bytes are damaged on the way
    OUTLET_FULL = "outlet_full"  # outlet
    NOT_SEEN = "not_seen"  # lane
    FRAMES_LOST = "frames_lost"
    LIGHT = "light"  # pictures are much darker than they were
    FRUIT_BESIDE = "fruit_beside"  # all fruit lie beside where they lay at first
    SCALE_FROZEN = "scale_frozen"  # lane; weighings do not count
    SCALE_ASTRAY = "scale_astray"  # lane; weighings do not count
    NO_WEIGHT = "no_weight"  # lane
    NO_SUGAR = "no_sugar"  # lane
    MAPS = "maps"  # nobody maps skins; it is begun again
    NO_MAP = "no_map"  # lane; maps come too late
    TURN_UNSURE = "turn_unsure"  # lane; fruit that slide instead of turning, or a lens that is dirty
    BLURRED = "blurred"  # lane
    UNLIKELY_SIZE = "unlikely_size"  # lane; camera and scale do not agree
    MISFIT = "misfit"  # lane; its fruit are heavier or lighter for their size than those of the others
    SCALE_CREEP = "scale_creep"  # lane
    SCALE_DRIFT = "scale_drift"  # lane
    CUP_STUCK = "cup_stuck"  # lane; its weighings do not count
    PICTURES = "pictures"  # are not kept: the disk is nearly full, or slow
    LOT_WAITS = "lot_waits"  # for a gap


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One of them. lane, outlet: where. share: of the fruit, frames or commands of the last while that it befell.

    detail: what a device said of itself, a sentence in English; damaged messages a second; a lot that waits and in how
    many lanes; cups of a lane, as lane/cup of the chain.
    """

    kind: FindingKind
    lane: int | None = None
    outlet: int | None = None
    share: float | None = None
    detail: str = ""

    @property
    def place(self) -> tuple[FindingKind, int | None, int | None]:
        """What it is about: the same finding a moment later has the same place."""
        return self.kind, self.lane, self.outlet


class LotOnBelt(msgspec.Struct, frozen=True, kw_only=True):
    """A lot of which there may be fruit on the belt, or that waits to begin. lanes: in how many its cups come under the
    camera now; none: its last fruit are on their way. lanes_waiting: in how many it waits for a gap."""

    name: str
    grower: str = ""
    lanes: int = 0
    lanes_waiting: int = 0


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The station at one moment. Counts are since the station was started.

    t_ns: when it was taken. elapsed_s: since the start. reason: why it is draining, stopped or
    faulted, else empty. pulse: where the belt is. cups_per_s: per lane, the speed that it is set to.
    grades: fruit by grade; outlets: by outlet, 0 is the default outlet; flags: by name in lower case,
    as in `flag_names`. fired, late, refused, void: gate commands by their `Result`. frames_dropped: frames
    lost for want of a free slot. board: its latest heartbeat; None when it is lost or there is none.
    latency: by stage of `STAGES`. journal_rows: fruit that are durable. lot, sheet: their names.

    fault, faulted_s: of what kind, None while it is not faulted, and for how long; `reason` is then its sentence, in
    English. can_reset: a person's reset may end it; else the station has to be started again. frames, frames_lost: the
    exposures that the line was told of, and those without a picture. packets_damaged: on the way to or from the board.
    light: of the belt in the latest pictures, as a share of the brightest that it was; seats_moved_mm: how far fruit
    lie from where they lay at first, on average; None before there were enough.
    misfits: of every lane, how much heavier its fruit are for their size than those of the others, as a share; None
    before there were enough. scale: of every lane.
    camera_trouble, sensor_trouble, map_trouble: what is wrong with them, empty while they are well.
    lots_waiting: lots that wait for a gap, and in how many lanes. lots: on the belt, the oldest first. findings: what
    is not as it should be (`grader.domain.health`).
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
    fired: int = 0
    late: int = 0
    refused: int = 0
    void: int = 0
    frames_dropped: int = 0
    board: BoardStatus | None
    latency: dict[str, Latency]
    journal_rows: int
    lot: str
    sheet: str
    journal: JournalHealth = JournalHealth()
    pictures: PicturesHealth = PicturesHealth()
    fault: FaultKind | None = None
    faulted_s: float = 0.0
    can_reset: bool = True
    frames: int = 0
    frames_lost: int = 0
    packets_damaged: int = 0
    light: float | None = None
    seats_moved_mm: float | None = None
    misfits: tuple[float | None, ...] = ()
    scale: tuple[ScaleHealth, ...] = ()
    camera_trouble: str = ""
    sensor_trouble: str = ""
    map_trouble: str = ""
    lots_waiting: dict[str, int] = {}
    lots: tuple[LotOnBelt, ...] = ()
    findings: tuple[Finding, ...] = ()
