"""The corridor where vision, tracking, grading and gates meet: one plain function of its arguments.

    frame, readings, pulse  ->  step  ->  decided fruit, gate commands, the state after

Threads, processes, ports and clocks are a shell around it (`grader.station.shell`); a replay calls the same
function on a recording. What the shell finds late or the board refuses comes back as outcomes, past this file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from grader.domain.artefacts import SugarModel
from grader.domain.colour import ColourCalibration
from grader.domain.decisions import DEFAULT_OUTLET, FruitRecord, GateCommand
from grader.domain.frames import NO_READINGS, Frame, Readings
from grader.domain.fruit import FruitMeasurements
from grader.domain.installation import Installation, LotMark
from grader.domain.records import records_from, rounded
from grader.grading.allocate import Allocation, allocate
from grader.grading.compiled import CompiledSheet
from grader.grading.judge import grade, reasons
from grader.tracking.track import TrackSettings, TrackState, decide, frame_flags, join, new_track, observe, touch
from grader.units import Pulse, pulses_from_mm
from grader.vision.combine import CombineSettings
from grader.vision.eye import Eye, EyeSettings
from grader.vision.geometry import cups_in_view

UNNAMED_LOT = "lot-1"


@dataclass(frozen=True, slots=True)
class LineSettings:
    """Everything that decides about fruit. The same settings and the same recording give the same decisions."""

    installation: Installation
    sheet: CompiledSheet
    sugar: SugarModel | None = None
    colours: ColourCalibration = ColourCalibration()
    eye: EyeSettings = EyeSettings()
    track: TrackSettings = TrackSettings()
    combine: CombineSettings = CombineSettings()
    camera: str = "top"


@dataclass(slots=True)
class LineState:
    """What the line remembers: the eye's buffers, the cups on their way, what the outlets have had."""

    eye: Eye
    track: TrackState
    allocation: Allocation


class Step(NamedTuple):
    """state: after the step (the same objects, changed in place). commands and records: of the fruit decided in it,
    in the same order, a command only for fruit that a gate takes."""

    state: LineState
    commands: list[GateCommand]
    records: list[FruitRecord]


def new_line(settings: LineSettings) -> LineState:
    """An empty belt. Raises ValueError for an installation that the line cannot work with."""
    installation = settings.installation
    return LineState(
        eye=Eye(installation.cameras[settings.camera], installation.line, settings.colours, settings.eye),
        track=new_track(installation),
        allocation=Allocation.fresh(settings.sheet.outlets, installation.line.lanes),
    )


def step(
    settings: LineSettings,
    state: LineState,
    frame: Frame | None,
    readings: Readings = NO_READINGS,
    pulse: Pulse | None = None,
) -> Step:
    """Move the line on to a frame, or without one to a pulse, and decide every fruit that is due there.

    frame: the next picture, or one that was announced and lost (`pixels` None). readings: what the sensors said
    since the last step, up to about this pulse. pulse: where the belt is; the frame's own if not given.
    """
    if pulse is None:
        if frame is None:
            raise ValueError("a step needs a frame or a pulse")
        pulse = frame.pulse
    join(state.track, readings, settings.installation)
    fruit = decide(
        state.track,
        pulse,
        settings.installation,
        camera=settings.camera,
        sugar=settings.sugar,
        settings=settings.track,
        combine=settings.combine,
    )
    if frame is not None:
        _see(settings, state, frame)
    return _judged(settings, state, fruit)


def last_pulse(settings: LineSettings, state: LineState) -> Pulse:
    """Where the belt has to run for everything that is on its way to be decided."""
    line, gates = settings.installation.line, settings.installation.gates
    farthest = int(state.track.cup.max(initial=0))
    return Pulse(farthest * line.pulses_per_cup + pulses_from_mm(gates.decision_mm, line.mm_per_pulse))


def gate_window(installation: Installation, cup: int, outlet: int) -> tuple[Pulse, Pulse]:
    """Pulses from which and to which the gate of an outlet (1, 2, ...) belongs to a cup: half a cup either way."""
    line = installation.line
    middle = cup * line.pulses_per_cup + pulses_from_mm(installation.gates.position_mm(outlet), line.mm_per_pulse)
    half = line.pulses_per_cup // 2
    return Pulse(middle - half), Pulse(middle + half)


def lot_of(lots: tuple[LotMark, ...], lane: int, cup: int) -> str:
    """The lot a cup belongs to: the last one that began at or before it in its lane."""
    begun = [lot for lot in lots if lot.first_cup[lane] <= cup]
    return max(begun, key=lambda lot: lot.first_cup[lane]).name if begun else UNNAMED_LOT


def _see(settings: LineSettings, state: LineState, frame: Frame) -> None:
    camera = settings.installation.cameras[settings.camera]
    flags = frame_flags(state.track, frame, camera.pulses_per_frame)
    if frame.pixels is None:
        cups = cups_in_view(camera, settings.installation.line, frame.pulse)
        touch(state.track, cups.lane, cups.cup, flags)
    else:
        observe(state.track, state.eye.look(frame.pixels, frame.pulse), frame.pulse, flags)


def _judged(settings: LineSettings, state: LineState, fruit: FruitMeasurements) -> Step:
    if not len(fruit):
        return Step(state, [], [])
    sheet, installation = settings.sheet, settings.installation
    fruit = rounded(fruit)
    grades = grade(sheet, fruit)
    outlets, state.allocation = allocate(sheet.outlets, fruit.lane, grades.product, state.allocation)
    records = records_from(
        fruit,
        lots=[lot_of(installation.lots, lane, cup) for lane, cup in _keys(fruit)],
        grades=[sheet.class_name(index) for index in grades.grade.tolist()],
        sizes=[sheet.size_name(index) for index in grades.size.tolist()],
        outlets=outlets.tolist(),
        reasons=[reasons(sheet, grades, fruit, row) for row in range(len(fruit))],
    )
    commands = [
        _command(installation, lane, cup, outlet)
        for (lane, cup), outlet in zip(_keys(fruit), outlets.tolist(), strict=True)
        if outlet != DEFAULT_OUTLET
    ]
    return Step(state, commands, records)


def _keys(fruit: FruitMeasurements) -> list[tuple[int, int]]:
    return list(zip(fruit.lane.tolist(), fruit.cup.tolist(), strict=True))


def _command(installation: Installation, lane: int, cup: int, outlet: int) -> GateCommand:
    opens, closes = gate_window(installation, cup, outlet)
    return GateCommand(lane=lane, cup=cup, outlet=outlet, open_pulse=opens, close_pulse=closes)
