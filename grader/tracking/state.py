"""What is remembered of the cups on their way, and where along the belt things happen to them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from grader.domain.colour import N_HUES
from grader.domain.events import Event
from grader.domain.frames import Scan
from grader.domain.installation import CameraPlace, Installation
from grader.domain.plausible import MOST_CUPS_FOLLOWED
from grader.domain.skin import SkinMeasures
from grader.domain.views import MOST_VIEWS, VIEW_WIDTH
from grader.errors import BadSettings
from grader.spectra.references import References
from grader.tracking.belt import Belt
from grader.tracking.densities import Densities
from grader.tracking.scale import ScaleMemory, ScaleState, new_scale
from grader.tracking.seats import Seats
from grader.tracking.settings import TrackSettings
from grader.tracking.skin import Skins
from grader.units import Pulse, pulses_from_mm
from grader.vision.combine import Combined
from grader.vision.geometry import optical_centre_px

NO_CUP = NEVER = -(1 << 62)
"""A cup serial and a pulse that no belt comes to; differences from them still fit into 64 bits."""


@dataclass(frozen=True, slots=True)
class Course:
    """Where along the belt a cup is seen, weighed, scanned and decided about; in pulses after cup zero, unless the
    name has another unit.

    enters, leaves: its centre comes into the picture, and has left it. views: pictures that show the whole cup.
    below_lens_mm: where it is below the optical centre. lane_aside_mm (lanes,), lane_pitch_mm: where the lanes are,
    across the belt from below the optical centre, and how far apart. slots: cups per lane that can be on their way at
    once, from the first view to the decision.
    """

    pulses_per_cup: int
    mm_per_pulse: float
    first_cup: int
    enters: int
    leaves: int
    views: int
    below_lens_mm: float
    lane_aside_mm: NDArray[np.float64]
    lane_pitch_mm: float
    scale: int | None
    spectrometers: dict[str, int]
    decision: int
    slots: int

    @classmethod
    def of(cls, installation: Installation, camera: CameraPlace) -> Course:
        """Raises BadSettings when more than `MOST_CUPS_FOLLOWED` cups lie between the picture and the decision."""
        line = installation.line

        def pulses(position_mm: float) -> int:
            return pulses_from_mm(position_mm, line.mm_per_pulse)

        enters = pulses(-camera.cup_zero_px[0] * camera.mm_per_px)
        leaves = pulses((camera.width_px - camera.cup_zero_px[0]) * camera.mm_per_px) + 1  # rounded up: all have left
        decision = pulses(installation.gates.decision_mm)
        slots = math.ceil((max(decision, leaves) - min(enters, 0)) / line.pulses_per_cup) + 2
        if slots > MOST_CUPS_FOLLOWED:
            raise BadSettings(
                "gates.decision_mm",
                f"{slots} cups lie between the picture and the decision; {MOST_CUPS_FOLLOWED} can be followed",
                remedy="check mm_per_pulse, pulses_per_cup and cup_zero_px, or bring the decision nearer to the camera",
            )
        foot_x_px, foot_y_px = optical_centre_px(camera)
        lane_y_px = camera.cup_zero_px[1] + np.arange(line.lanes, dtype=np.float64) * camera.lane_pitch_px
        return cls(
            pulses_per_cup=line.pulses_per_cup,
            mm_per_pulse=line.mm_per_pulse,
            first_cup=line.first_cup,
            enters=enters,
            leaves=leaves,
            views=(leaves - enters - line.pulses_per_cup) // camera.pulses_per_frame,
            below_lens_mm=(foot_x_px - camera.cup_zero_px[0]) * camera.mm_per_px,
            lane_aside_mm=np.asarray((lane_y_px - foot_y_px) * camera.mm_per_px, np.float64),
            lane_pitch_mm=camera.lane_pitch_px * camera.mm_per_px,
            scale=pulses(installation.scale.position_mm) if installation.scale is not None else None,
            spectrometers={name: pulses(each.position_mm) for name, each in installation.spectrometers.items()},
            decision=decision,
            slots=slots,
        )

    @property
    def reach(self) -> int:
        """Pulses after which everything that was on its way has come to its decision."""
        return self.slots * self.pulses_per_cup

    def cup_over(self, position: int, pulse: int) -> int:
        """The cup over a sensor: -half <= pulse - (cup * pulses_per_cup + position) < half (recording format)."""
        return (pulse - position + self.pulses_per_cup // 2) // self.pulses_per_cup

    def last_past(self, position: int, pulse: int) -> int:
        """The last cup whose centre has come to a position."""
        return (pulse - position) // self.pulses_per_cup

    def next_to_enter(self, pulse: int) -> int:
        """The first cup of which no part has come into the picture."""
        return self.last_past(self.enters - self.pulses_per_cup // 2, pulse) + 1


MEASURED = (*Combined._fields, *(name for name in SkinMeasures._fields if name not in ("tones", *Combined._fields)))
"""What is measured of a cup's fruit, as columns: names as in `FruitMeasurements`."""


@dataclass(slots=True)
class Said:
    """What the sensors said of one cup. reading_g: NaN until a number came. flags: bits of `Flag`."""

    reading_g: float = math.nan
    scan: Scan | None = None
    flags: int = 0


@dataclass(slots=True)
class TrackState:
    """Changed in place by the functions of this package.

    What was seen, (lanes, slots, ...): a cup has the slot of its serial modulo slots, from its first view until it is
    decided about. cup: its serial, or NO_CUP. n_views, views, view_pulse, occupancy: its views. n_missed: frames that
    should have shown it and did not. flags: bits of `Flag`. seen: it has left the picture, and these are made of its
    views: look, codes of `track.Look`; measured, columns as in MEASURED; tones, as in `SkinMeasures`.

    What was said: said, by (lane, cup serial). references, by (lane, kind), those of the latest time; lane_references,
    made of them, None when they have to be made anew.

    passed: the last cup whose decision pulse had come when `decide` last looked. decided (lanes,): the highest cup that
    got a record. scale: what its zeros and tares are. events: what happened to it since they were last taken.

    skins: portraits of all of them. maps_due: maps of their skin are to be there when they are decided about. seats:
    where fruit lie in their cups. densities: how heavy they are for their size.

    ignored_views, ignored_readings: of cups that were decided about, or that cannot be here yet.
    """

    course: Course
    belt: Belt
    cup: NDArray[np.int64]
    n_views: NDArray[np.int64]
    n_missed: NDArray[np.int64]
    views: NDArray[np.float32]
    view_pulse: NDArray[np.int64]
    occupancy: NDArray[np.uint8]
    flags: NDArray[np.uint32]
    seen: NDArray[np.bool_]
    look: NDArray[np.uint8]
    measured: NDArray[np.float64]
    tones: NDArray[np.float32]
    decided: NDArray[np.int64]
    scale: ScaleState
    passed: int
    densities: Densities
    skins: Skins
    maps_due: bool
    said: dict[tuple[int, int], Said] = field(default_factory=dict)
    references: dict[tuple[int, str], list[Scan]] = field(default_factory=dict)
    lane_references: References | None = None
    events: list[Event] = field(default_factory=list)
    seats: Seats = field(default_factory=Seats)
    ignored_views: int = 0
    ignored_readings: int = 0

    @property
    def lanes(self) -> int:
        return len(self.decided)

    def on_the_way(self) -> int | None:
        """The highest cup serial that something is known of and that is not decided; None when there is none."""
        known = [cup for _, cup in self.said]
        if (highest := int(self.cup.max())) != NO_CUP:
            known.append(highest)
        return max(known, default=None)


def new_track(
    installation: Installation,
    camera: CameraPlace,
    settings: TrackSettings,
    scale_memory: ScaleMemory | None = None,
    *,
    maps: bool = False,
) -> TrackState:
    """Nothing on the belt; the scale as it was left, or new. maps: skins are mapped, where there is a way between
    picture and decision in which that can be done. Raises BadSettings as `Course.of`."""
    scale, spans = new_scale(installation, settings.scale, scale_memory)
    course = Course.of(installation, camera)
    lanes = installation.line.lanes
    shape = (lanes, course.slots)
    return TrackState(
        course=course,
        belt=Belt(),
        cup=np.full(shape, NO_CUP, np.int64),
        n_views=np.zeros(shape, np.int64),
        n_missed=np.zeros(shape, np.int64),
        views=np.full((*shape, MOST_VIEWS, VIEW_WIDTH), np.nan, np.float32),
        view_pulse=np.full((*shape, MOST_VIEWS), NEVER, np.int64),
        occupancy=np.zeros((*shape, MOST_VIEWS), np.uint8),
        flags=np.zeros(shape, np.uint32),
        seen=np.zeros(shape, bool),
        densities=Densities.of(lanes),
        look=np.zeros(shape, np.uint8),
        measured=np.full((*shape, len(MEASURED)), np.nan),
        tones=np.full((*shape, 4, N_HUES), np.nan, np.float32),
        decided=np.full(lanes, course.first_cup - 1, np.int64),
        scale=scale,
        passed=course.first_cup - 1,
        events=spans,
        skins=Skins.of(lanes, course.slots, MOST_VIEWS),
        maps_due=maps and course.leaves < course.decision,
    )


def where_to_run(state: TrackState) -> Pulse | None:
    """The pulse at which everything that is on its way is decided; None when nothing is."""
    farthest = state.on_the_way()
    return None if farthest is None else Pulse(farthest * state.course.pulses_per_cup + state.course.decision)
