"""The corridor where vision, tracking, grading and gates meet: one plain function of its arguments.

    frame, readings, pulse, conditions  ->  step  ->  decided fruit, gate commands, the state after

Threads, processes, ports and clocks are a shell around it (`grader.station.shell`); a replay calls the same
function on a recording. What the shell finds late or the board refuses comes back as outcomes, past this file.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from grader.domain.artefacts import SugarModel
from grader.domain.colour import USUAL_BLUSH_TO_DEG, ColourCalibration
from grader.domain.conditions import ALL_WELL, Conditions
from grader.domain.decisions import DEFAULT_OUTLET, FruitRecord, GateCommand
from grader.domain.events import Event
from grader.domain.flags import Flag
from grader.domain.frames import NO_READINGS, Frame, Readings, Scan, Weighing
from grader.domain.fruit import FruitMeasurements
from grader.domain.installation import CameraPlace, Installation
from grader.domain.records import records_from, rounded
from grader.domain.skin import MappedSkin, Sighting
from grader.domain.views import Occupancy
from grader.grading.compiled import CompiledSheet
from grader.grading.judge import flag_reasons, grade, reasons
from grader.grading.send import send
from grader.station.lots import Lot, Lots, deal, lots_of_marks, unwatched
from grader.station.readings_queue import ReadingsByPulse
from grader.tracking.belt import Place, advance, follow
from grader.tracking.readings import join
from grader.tracking.scale import ScaleMemory
from grader.tracking.settings import TrackSettings
from grader.tracking.state import TrackState, new_track, where_to_run
from grader.tracking.track import close_seen, decide, flag_all, flag_cut_off, join_maps, observe, touch
from grader.units import Pulse, pulses_from_mm
from grader.vision.combine import CombineSettings
from grader.vision.eye import Eye, EyeSettings
from grader.vision.geometry import cups_in_view
from grader.vision.hues import with_blush
from grader.vision.sight import KNOWN_AGAIN, Light, Trouble, has_moved, sight_of, trouble
from grader.vision.skin_by_views import ByViewsSettings, SkinByViews
from grader.vision.skin_map.mapper import MapSettings

MOST_UNSEEN = 5000
"""Places without a picture in a row, some minutes, that are gone over; what passed in a longer gap is not known."""


@dataclass(frozen=True, slots=True)
class LineSettings:
    """Everything that decides about fruit. The same settings and the same recording give the same decisions.

    sheet: of the lots in `installation`, and of what comes before them. mapping: how skins are mapped; None: they are
    not, and by_views, how they are measured without, has to do. gap_cups: so many empty cups in a row let a lot
    begin that waits for a gap.
    """

    installation: Installation
    sheet: CompiledSheet
    sugar: SugarModel | None = None
    colours: ColourCalibration = ColourCalibration()
    eye: EyeSettings = EyeSettings()
    track: TrackSettings = TrackSettings()  # noqa: RUF009  frozen, as the others are
    combine: CombineSettings = CombineSettings()
    by_views: ByViewsSettings = ByViewsSettings()  # noqa: RUF009  and so is this
    mapping: MapSettings | None = None
    camera: str = "top"
    gap_cups: int = 20

    @property
    def camera_place(self) -> CameraPlace:
        """The camera that this line looks through."""
        return self.installation.cameras[self.camera]


@dataclass(slots=True)
class FrameFaults:
    """What was wrong with the frames so far, for what no flag on a fruit can say.

    missing: frames that the camera took and that never came, by its count. passed_over: places without a picture that
    were too many to be gone over. alike: pictures that were one before them once more, to the last count.
    colourless: pictures whose bands are all the same. filled_up: those that did not come whole. uncounted: those in
    which the belt had moved and the encoder had not counted. strays: times that something of the size of a fruit lay
    beside all lanes. cut_at_start, cut_at_end: lane and serial of cups in view before the first picture was taken,
    and after the last one.
    """

    missing: int = 0
    passed_over: int = 0
    alike: int = 0
    colourless: int = 0
    filled_up: int = 0
    uncounted: int = 0
    strays: int = 0
    cut_at_start: set[tuple[int, int]] = field(default_factory=set)
    cut_at_end: set[tuple[int, int]] = field(default_factory=set)


class Sight(NamedTuple):
    """Some of a picture (`sight_of`), and where it was taken."""

    pulse: Pulse
    rows: bytes


@dataclass(slots=True)
class LineState:
    """What the line remembers: the eye's buffers, and those of what measures skin without a map; the cups on their way;
    the lots with what their outlets have had; the last pictures' sights, to know them again; what was wrong with the
    frames; how bright the belt is."""

    eye: Eye
    by_views: SkinByViews
    track: TrackState
    lots: Lots
    sights: deque[Sight] = field(default_factory=lambda: deque(maxlen=KNOWN_AGAIN))
    faults: FrameFaults = field(default_factory=FrameFaults)
    light: Light = field(default_factory=Light)


class Step(NamedTuple):
    """state: after the step (the same objects, changed in place). commands and records: of the fruit decided in it,
    in the same order, a command only for fruit that a gate takes. events: what else is to be written down. sightings:
    fruit that have left the picture: what their maps say is an argument of a later step. looked: the frame's picture
    was looked at; else there is none, or none of the belt as it is now."""

    state: LineState
    commands: list[GateCommand]
    records: list[FruitRecord]
    events: list[Event]
    sightings: Sequence[Sighting] = ()
    looked: bool = False

    def extend(self, later: Step) -> None:
        """Add what a later step decided."""
        self.commands.extend(later.commands)
        self.records.extend(later.records)
        self.events.extend(later.events)


def new_line(settings: LineSettings, lots: Lots | None = None, scale_memory: ScaleMemory | None = None) -> LineState:
    """An empty belt. lots: that were there before (`lots_from`), else those of the installation. scale_memory: the
    scale as an earlier run left it (`memory_of`), else it is new.

    Raises BadSettings for an installation that the line cannot work with.
    """
    installation = settings.installation
    return LineState(
        track=new_track(
            installation, settings.camera_place, settings.track, scale_memory, maps=settings.mapping is not None
        ),
        eye=Eye(settings.camera_place, installation.line, settings.eye),
        by_views=SkinByViews(settings.camera_place, installation.line, settings.colours, settings.by_views),
        lots=lots or lots_of_marks(installation.lots, installation.line.lanes, settings.sheet),
    )


def step(
    settings: LineSettings,
    state: LineState,
    frame: Frame | None,
    readings: Readings = NO_READINGS,
    pulse: Pulse | None = None,
    conditions: Conditions = ALL_WELL,
    maps: Sequence[MappedSkin] = (),
) -> Step:
    """Move the line on to a frame, or without one to a pulse, and decide every fruit that is due there.

    frame: the next picture, or one that was announced and lost (`pixels` None); of another camera than the line's own
    only its pulse counts. readings: what the sensors said since the last step, up to about this pulse. pulse: where the
    belt is; the frame's own if not given. conditions: under which all that is due here is decided. maps: that were made
    since the last step. Raises ValueError without a frame and a pulse.

    Nothing that a device says raises: it becomes a flag. When the encoder jumps, everything on the belt is decided with
    the flag PULSE_JUMP; fruit in view at that moment come again under the new count, flagged too: a fruit twice is
    better than a fruit lost.
    """
    if frame is not None and frame.camera != settings.camera:
        pulse = frame.pulse if pulse is None else pulse
        frame = None
    if frame is None and pulse is None:
        raise ValueError("a step needs a frame or a pulse")
    track, result = state.track, Step(state, [], [], [])
    join_maps(track, maps)
    first, came_from = track.belt.frame is None, track.belt.pulse
    place = None if frame is None else _follow(settings, state, frame)
    if place is not None and place.unseen and came_from is not None:
        state.faults.missing += place.missing
        crossed, readings = _past_unseen(settings, state, place, came_from, readings, conditions)
        result.extend(crossed)
    if place is not None and place.jumped:
        result.extend(_judged(settings, state, _closed(settings, state, all_cups=True), conditions))
    too_far = pulse is not None and advance(track.belt, pulse, track.course.reach)
    if too_far:
        flag_all(track, Flag.PULSE_JUMP)
    if too_far or first:
        unwatched(state.lots, track)
    join(track, readings)
    result.extend(_judged(settings, state, _closed(settings, state), conditions))
    looked = False
    if frame is not None and place is not None and place.believed:
        looked = _see(settings, state, frame, place, first=first)
    result.events.extend(track.events)
    track.events.clear()
    return result._replace(looked=looked, sightings=_sightings(track))


def _sightings(track: TrackState) -> list[Sighting]:
    """Those since they were last taken."""
    taken, track.skins.sightings = track.skins.sightings, []
    return taken


def run_out(
    settings: LineSettings,
    state: LineState,
    readings: Readings = NO_READINGS,
    mapped: Callable[[Sequence[Sighting]], Sequence[MappedSkin]] = lambda sightings: (),
) -> Step:
    """After the last frame the belt runs on until every fruit has been decided about.

    readings: all that the sensors said after the last step. They move the belt as they come: they may speak of cups
    that no frame showed. Those too far from all others to be true are left. mapped: maps the skins of fruit, at once.
    """
    maps: Sequence[MappedSkin] = ()

    def on(pulse: Pulse, said: Readings = NO_READINGS) -> None:
        nonlocal maps
        moved = step(settings, state, None, said, pulse, maps=maps)
        result.extend(moved)
        maps = mapped(moved.sightings)

    track = state.track
    result = Step(state, [], [], [])
    last = track.belt.frame
    if last is not None:  # what the next frame would have shown was seen in part only
        after_it = Pulse(last.pulse + settings.camera_place.pulses_per_frame)
        state.faults.cut_at_end = flag_cut_off(track, after_it)
    left: list[Weighing | Scan] = sorted([*readings.weighings, *readings.scans], key=lambda said: said.pulse)
    for said in left:  # a step per reading: after the last frame they are a few dozen
        belt = track.belt.pulse
        if belt is None or said.pulse - belt <= track.course.reach:
            only = Readings(weighings=(said,)) if isinstance(said, Weighing) else Readings(scans=(said,))
            on(said.pulse, only)
        else:
            track.ignored_readings += 1
    end = last_pulse(settings, state)
    between = track.course.decision - track.course.leaves  # no step takes a fruit from picture to decision unmapped
    for pulse in range((track.belt.pulse or end) + between, end, between) if between > 0 else ():
        on(Pulse(pulse))
    on(end)
    return result


def last_pulse(settings: LineSettings, state: LineState) -> Pulse:
    """Where the belt has to run for everything that is on its way to be decided."""
    end = where_to_run(state.track)
    return end if end is not None else state.track.belt.pulse or Pulse(0)


def gate_window(installation: Installation, cup: int, outlet: int) -> tuple[Pulse, Pulse]:
    """Pulses from which and to which the gate of an outlet (1, 2, ...) belongs to a cup: half a cup either way."""
    line = installation.line
    middle = cup * line.pulses_per_cup + pulses_from_mm(installation.gates.position_mm(outlet), line.mm_per_pulse)
    opens = middle - line.pulses_per_cup // 2
    return Pulse(opens), Pulse(opens + line.pulses_per_cup)


def _follow(settings: LineSettings, state: LineState, frame: Frame) -> Place:
    """Move the belt on to the frame, and flag what is on its way where its counts are in doubt."""
    track, per_frame = state.track, settings.camera_place.pulses_per_frame
    place = follow(track.belt, frame, pulses_per_frame=per_frame, reach=track.course.reach)
    if place.slipped:
        flag_all(track, Flag.PULSE_JUMP)
        unwatched(state.lots, track)
    return place


def _past_unseen(
    settings: LineSettings,
    state: LineState,
    place: Place,
    came_from: Pulse,
    readings: Readings,
    conditions: Conditions,
) -> tuple[Step, Readings]:
    """Go over the places where pictures should have been taken before this one, cup by cup, so that what crossed there
    is not forgotten. Returns what was decided on the way, and the readings that are left."""
    track, result = state.track, Step(state, [], [], [])
    course, arrived_at = track.course, track.belt.pulse
    undecided = bisect_left(place.unseen, (track.passed + 1) * course.pulses_per_cup + course.enters)
    unseen = place.unseen[undecided:]
    if len(unseen) > MOST_UNSEEN:
        state.faults.passed_over += len(unseen) - MOST_UNSEEN
    if undecided or len(unseen) > MOST_UNSEEN:
        unwatched(state.lots, track)
    queue = ReadingsByPulse(readings.weighings, readings.scans)
    half = MOST_UNSEEN // 2  # of a gap that is too long: what it began with, and what is still in view at its end
    for pulse in map(Pulse, chain(unseen[:half], unseen[max(half, len(unseen) - half) :])):
        track.belt.pulse = max(came_from, pulse)
        join(track, queue.up_to(pulse))
        result.extend(_judged(settings, state, _closed(settings, state), conditions))
        _miss(settings, track, pulse, Flag.FRAME_LOST | place.flags & Flag.PULSE_JUMP)
    track.belt.pulse = arrived_at
    return result, queue.rest()


def _closed(settings: LineSettings, state: LineState, *, all_cups: bool = False) -> FruitMeasurements:
    """Both closings: what has left the picture is measured, what is due, or all of it, is decided."""
    track = state.track
    close_seen(track, settings.camera_place, settings.track, settings.combine, all_cups=all_cups)
    return decide(
        track,
        settings.installation,
        sugar=settings.sugar,
        settings=settings.track,
        all_cups=all_cups,
        by_views=state.by_views.of,
    )


def _see(settings: LineSettings, state: LineState, frame: Frame, place: Place, *, first: bool) -> bool:
    """Give the cups in view what the frame shows of them, or the flag that it shows nothing; whether it shows them."""
    track = state.track
    pixels, flags = _picture(settings, state, frame, place.flags)
    views, shown = (None, None) if pixels is None else state.eye.look(pixels, frame.pulse)
    # A picture that came before may show a bare belt, but nothing on it: that would have moved on.
    if views is None or (flags & Flag.FRAME_REPEATED and (views.occupancy != Occupancy.EMPTY).any()):
        _miss(settings, track, frame.pulse, flags)
        return False
    state.faults.strays += views.strays
    observe(track, views, frame.pulse, flags, shown)
    if first:  # what was in the picture before it was seen in part only
        before_it = Pulse(frame.pulse - settings.camera_place.pulses_per_frame)
        state.faults.cut_at_start = flag_cut_off(track, before_it)
    return not flags & Flag.FRAME_REPEATED


def _picture(
    settings: LineSettings, state: LineState, frame: Frame, flags: Flag
) -> tuple[NDArray[np.uint8] | None, Flag]:
    """The frame's picture, None where it says nothing of the belt as it is now, and the flags that it deserves."""
    camera, pixels, faults = settings.camera_place, frame.pixels, state.faults
    if pixels is None:
        return None, flags
    if pixels.shape != (camera.height_px, camera.width_px, len(camera.bands)):
        return None, flags | Flag.FRAME_DAMAGED
    before, now = list(state.sights), Sight(frame.pulse, sight_of(pixels))
    state.light.see(now.rows)
    state.sights.append(now)
    wrong = trouble(now.rows, [sight.rows for sight in before], camera, settings.installation.line.lanes)
    if wrong in (Trouble.COLOURLESS, Trouble.FILLED_UP):
        faults.colourless += wrong is Trouble.COLOURLESS
        faults.filled_up += wrong is Trouble.FILLED_UP
        return None, flags | Flag.FRAME_DAMAGED
    if state.light.is_too_dark:
        return None, flags | Flag.TOO_DARK
    if flags & Flag.FRAME_REPEATED:
        if before and before[-1].pulse == now.pulse and has_moved(before[-1].rows, now.rows):
            faults.uncounted += 1  # the belt moves, and the encoder does not count
            flag_all(state.track, Flag.PULSE_JUMP)
            flags |= Flag.PULSE_JUMP
        return None, flags
    if wrong is Trouble.ALIKE:
        faults.alike += 1
        flags |= Flag.FRAME_REPEATED
    return pixels, flags


def _miss(settings: LineSettings, track: TrackState, pulse: Pulse, flags: Flag) -> None:
    """Flag the cups that a frame would have shown."""
    cups = cups_in_view(settings.camera_place, settings.installation.line, pulse)
    touch(track, cups.lane, cups.cup, flags)


def _judged(settings: LineSettings, state: LineState, fruit: FruitMeasurements, conditions: Conditions) -> Step:
    """Grade decided fruit, each by the sheet of its lot, and send them to outlets."""
    if not len(fruit):
        return Step(state, [], [], [])
    installation = settings.installation
    if conditions.gates_shut:
        fruit = replace(fruit, flags=fruit.flags | np.uint32(Flag.GATES_SHUT))
    by_lot, events = deal(state.lots, state.track, fruit.lane, fruit.cup, settings.gap_cups)
    records: list[FruitRecord] = []
    for lot, rows in by_lot:
        of_lot = fruit if len(by_lot) == 1 else fruit.rows(rows)
        records += _graded(lot, of_lot, conditions.outlets_full)
    records.sort(key=lambda record: (record.lane, record.cup))
    commands = [
        _command(installation, record.lane, record.cup, record.outlet)
        for record in records
        if record.outlet != DEFAULT_OUTLET
    ]
    return Step(state, commands, records, events)


def _graded(lot: Lot, fruit: FruitMeasurements, outlets_full: frozenset[int]) -> list[FruitRecord]:
    """Fruit of one lot. Those of no lot are graded by no sheet."""
    n, sheet = len(fruit), lot.sheet
    fruit = rounded(with_blush(fruit, USUAL_BLUSH_TO_DEG if sheet is None else sheet.blush_to_deg))
    if sheet is None or lot.turns is None:
        return records_from(
            fruit,
            lots=[lot.name] * n,
            grades=[""] * n,
            sizes=[""] * n,
            outlets=[DEFAULT_OUTLET] * n,
            reasons=[(*flag_reasons(flags), "lot: none is open") for flags in fruit.flags.tolist()],
        )
    grades = grade(sheet, fruit)
    outlets, why, lot.turns = send(sheet, fruit.lane, fruit.cup, grades, lot.turns, outlets_full)
    return records_from(
        fruit,
        lots=[lot.name] * n,
        grades=[sheet.class_name(index) for index in grades.grade.tolist()],
        sizes=[sheet.size_name(index) for index in grades.size.tolist()],
        outlets=outlets.tolist(),
        reasons=[(*reasons(sheet, grades, fruit, row), *why[row]) for row in range(n)],
    )


def _command(installation: Installation, lane: int, cup: int, outlet: int) -> GateCommand:
    opens, closes = gate_window(installation, cup, outlet)
    return GateCommand(lane=lane, cup=cup, outlet=outlet, open_pulse=opens, close_pulse=closes)
