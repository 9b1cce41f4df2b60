"""A line to test with: its settings, an eye that knows what lies in the cups, and a run that keeps what came out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from grader.config.sheets import load_sheet
from grader.domain.colour import N_HUES
from grader.domain.decisions import FruitRecord, GateCommand
from grader.domain.events import Event
from grader.domain.flags import Flag
from grader.domain.frames import NO_READINGS, Frame, Readings, Scan, Weighing
from grader.domain.installation import CameraPlace, Installation, Line, LotMark, Scale, Spectrometer
from grader.domain.skin import Sighting, SkinMeasures
from grader.domain.views import VIEW_COLUMNS, Occupancy, ViewFeatures
from grader.grading.compiled import CompiledSheet, compiled
from grader.station.line import LineSettings, new_line, run_out, step
from grader.units import HostNs, Pulse
from grader.vision.geometry import cups_in_view

PITCH, PER_FRAME = 96, 48
SCALE_MM, SCAN_MM, DECISION_MM = 1200, 1400, 1500
WIDTH_PX, MM_PER_PX = 1280, 0.8
CROSSING = 1024  # pulses that a cup's centre is in the picture
CHANNELS = 8

Cup = tuple[int, int]


def camera(lanes: int, **changes: Any) -> CameraPlace:
    known: dict[str, Any] = {
        "width_px": WIDTH_PX,
        "height_px": 150 * lanes + 10,
        "bands": ("blue", "green", "red"),
        "mm_per_px": MM_PER_PX,
        "cup_zero_px": (0.0, 80.0),
        "lane_pitch_px": 150.0,
        "pulses_per_frame": PER_FRAME,
        "turn_deg_per_pulse": 0.47,
    }
    return CameraPlace(**{**known, **changes})


def installation(lanes: int = 2, first_cup: int = 0, lots: tuple[LotMark, ...] = (), **changes: Any) -> Installation:
    known: dict[str, Any] = {
        "fruit": "apple",
        "line": Line(lanes=lanes, pulses_per_cup=PITCH, mm_per_pulse=1.0, cups_per_second=12.0, first_cup=first_cup),
        "cameras": {"top": camera(lanes), "side": camera(lanes, width_px=800)},
        "scale": Scale(position_mm=float(SCALE_MM)),
        "lots": lots,
    }
    return Installation(**{**known, **changes})


def spectrometer(lanes: int = 2) -> dict[str, Spectrometer]:
    nm = tuple(700.0 + 10 * k for k in range(CHANNELS))
    return {"main": Spectrometer(lanes=tuple(range(lanes)), position_mm=float(SCAN_MM), wavelengths_nm=nm)}


@cache
def sheet() -> CompiledSheet:
    """The preset of the house: most fruit of the knowing eye get an outlet."""
    return compiled(load_sheet("house_default"), "Fuji")


def weighing(lane: int, cup: int, mass_g: float, off: int = 0) -> Weighing:
    """What the scale says when the cup is over it, or `off` pulses later."""
    return Weighing(lane, Pulse(cup * PITCH + SCALE_MM + off), HostNs(0), mass_g)


def scan(lane: int, cup: int, off: int = 0, counts: float = 1000.0, **changes: Any) -> Scan:
    values = np.full(CHANNELS, counts, np.float32)
    return Scan(lane, Pulse(cup * PITCH + SCAN_MM + off), HostNs(0), **{"counts": values, **changes})


@dataclass(slots=True)
class KnowingEye:
    """Sees what is in the cups as a good camera would; pictures say nothing to it. fruit: what is in which cup."""

    installation: Installation
    fruit: Mapping[Cup, Occupancy]
    camera: str = "top"
    blind: set[Cup] = field(default_factory=set)  # cups in which it sees nothing
    slim: set[Cup] = field(default_factory=set)  # cups in which it sees something long and narrow
    looked: list[int] = field(default_factory=list)  # pulses

    def look(self, pixels: NDArray[np.uint8], pulse: Pulse) -> tuple[ViewFeatures, None]:
        self.looked.append(pulse)
        place = self.installation.cameras[self.camera]
        cups = cups_in_view(place, self.installation.line, pulse)
        keys = list(zip(cups.lane.tolist(), cups.cup.tolist(), strict=True))
        code = np.array(
            [Occupancy.EMPTY if key in self.blind else self.fruit.get(key, Occupancy.EMPTY) for key in keys], np.uint8
        )
        edge_px = 40 / place.mm_per_px
        cut = (cups.x_px < edge_px) | (cups.x_px > place.width_px - edge_px)
        code[(code != Occupancy.EMPTY) & cut] = Occupancy.CUT
        views = ViewFeatures.of_empty_cups(cups.lane, cups.cup)
        views.occupancy[:] = code
        for name in VIEW_COLUMNS:
            getattr(views, name)[code != Occupancy.EMPTY] = SHOWN.get(name, 0.0)
        for name in ("widest_mm", "callipers_mm"):
            getattr(views, name)[code == Occupancy.OVERSIZE] = OVERSIZE_MM
        there = code != Occupancy.EMPTY
        views.along_mm[there] = (cups.x_px[there] - place.width_px / 2) * place.mm_per_px
        views.aside_mm[there] = (cups.y_px[there] - place.height_px / 2) * place.mm_per_px
        is_slim = np.array([key in self.slim for key in keys], bool) & (code != Occupancy.EMPTY)
        views.callipers_mm[is_slim, 3] = LEAF_MM
        return views, None


class KnowingSkin:
    """What `SkinByViews` would measure of the fruit that the knowing eye shows."""

    def of(self, sighting: Sighting, diameter_mm: float, height_mm: float, turn_deg: float) -> SkinMeasures:
        return SkinMeasures(
            height_mm=height_mm,
            skin_seen=0.9,
            turn_deg=turn_deg,
            defect_area_mm2=0.0,
            defect_count=0.0,
            largest_defect_mm2=0.0,
            defect_fraction=0.0,
            stripe_contrast=0.1,
            tones=MOSTLY_RED,
        )


MOSTLY_RED = np.zeros((4, N_HUES), np.float32)
MOSTLY_RED[0, [40, 120]] = 0.8, 0.2
"""Hues of 10 and of 90 degrees."""


SHOWN = {
    "widest_mm": 80.0,
    "callipers_mm": 78.0,
    "area_mm2": 4800.0,
    "hollow": 0.005,
}
"""What the knowing eye sees of every fruit."""
OVERSIZE_MM = 97.0
LEAF_MM = 27.0
MASS_G = 215.0  # fits the knowing eye's fruit


class Run:
    """A line under test. Every record and command that comes out of it is kept and checked for being the only one."""

    def __init__(
        self,
        fruit: Mapping[Cup, Occupancy] | Iterable[Cup] = (),
        *,
        lanes: int = 2,
        blind: set[Cup] | None = None,
        knowing: bool = True,
        **changes: Any,
    ) -> None:
        given = changes.pop("installation", None)
        self.settings = LineSettings(
            **{"installation": given or installation(lanes), "sheet": sheet(), **changes}  # type: ignore[arg-type]
        )
        self.state = new_line(self.settings)
        contents = fruit if isinstance(fruit, Mapping) else dict.fromkeys(fruit, Occupancy.ONE)
        self.eye = KnowingEye(self.settings.installation, contents, self.settings.camera, blind or set())
        if knowing:
            self.state.eye = self.eye  # type: ignore[assignment]
            self.state.by_views = KnowingSkin()  # type: ignore[assignment]
        place = self.settings.camera_place
        self.blank = np.zeros((place.height_px, place.width_px, len(place.bands)), np.uint8)
        self.records: dict[Cup, FruitRecord] = {}
        self.commands: dict[Cup, GateCommand] = {}
        self.order: list[Cup] = []
        self.events: list[Event] = []
        self.looked = False

    def take(self, result: Any) -> list[Cup]:
        """Keep what a step gave; the cups that it decided."""
        outlets = self.settings.installation.gates.outlets
        self.events += result.events
        self.looked = result.looked
        for record in result.records:
            key = (record.lane, record.cup)
            assert key not in self.records, f"{key} came out twice"
            assert 0 <= record.outlet <= outlets
            self.records[key] = record
            self.order.append(key)
        for command in result.commands:
            key = (command.lane, command.cup)
            assert key not in self.commands
            assert command.outlet == self.records[key].outlet > 0
            self.commands[key] = command
        assert {key for key, record in self.records.items() if record.outlet > 0} == set(self.commands)
        return [(record.lane, record.cup) for record in result.records]

    def frame(
        self,
        sequence: int,
        readings: Readings = NO_READINGS,
        *,
        pulse: int | None = None,
        damage: str = "",
        pixels: Any = "blank",
        camera: str | None = None,
    ) -> list[Cup]:
        """Step to frame `sequence`, which stands at its own pulse unless told otherwise."""
        self.blank[:, ::2] = sequence % 251, 30, 40  # no two pictures are the same
        self.blank[:, 1::2] = 50, 60, 70
        picture = self.blank if isinstance(pixels, str) else pixels
        at = Pulse(sequence * PER_FRAME if pulse is None else pulse)
        name = self.settings.camera if camera is None else camera
        return self.take(
            step(self.settings, self.state, Frame(name, sequence, at, HostNs(0), picture, damage), readings)
        )

    def frames(self, sequences: Iterable[int], masses: Mapping[Cup, float] | None = None) -> None:
        """Frames in the order given, each with the weighings of its own stretch of the belt."""
        for sequence in sequences:
            self.frame(sequence, weighed_at(sequence, masses or {}))

    def out(self, readings: Readings = NO_READINGS) -> dict[Cup, FruitRecord]:
        """Run the belt out; every record there was."""
        self.take(run_out(self.settings, self.state, readings))
        return self.records

    def flags(self, lane: int, cup: int) -> Flag:
        return Flag(self.records[lane, cup].flags)


def weighed_at(sequence: int, masses: Mapping[Cup, float]) -> Readings:
    """Weighings since the frame before."""
    now = sequence * PER_FRAME
    said = [weighing(lane, cup, mass_g) for (lane, cup), mass_g in masses.items()]
    return Readings(weighings=tuple(each for each in said if now - PER_FRAME < each.pulse <= now))


def frames_for(last_cup: int) -> range:
    """Frames until the last cup has left the picture."""
    return range((last_cup * PITCH + CROSSING) // PER_FRAME + 2)


def painted(place: CameraPlace, fruit: Iterable[Cup], pulse: int) -> NDArray[np.uint8]:
    """A frame with a red disc of 76 mm in every occupied cup, on a dark belt."""
    rng = np.random.default_rng(pulse % 1000)
    picture = np.full((place.height_px, place.width_px, 3), (31, 30, 28), np.uint8)
    for lane, cup in fruit:
        x = place.cup_zero_px[0] + (pulse - cup * PITCH) / place.mm_per_px
        y = place.cup_zero_px[1] + lane * place.lane_pitch_px
        if -100 < x < place.width_px + 100:
            centre, radius = (round(x * 16), round(y * 16)), round(38 / place.mm_per_px * 16)
            cv2.circle(picture, centre, radius, (40, 45, 190), cv2.FILLED, cv2.LINE_AA, shift=4)
    noise = rng.integers(-2, 3, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def with_gates(place: Installation, **changes: Any) -> Installation:
    return msgspec.structs.replace(place, gates=msgspec.structs.replace(place.gates, **changes))
