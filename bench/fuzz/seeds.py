"""Sound inputs: a small recording with fruit in it, a journal, a sugar model, a table of fruit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from grader.domain.artefacts import SugarModel
from grader.domain.decisions import FruitRecord, GateOutcome, Result
from grader.domain.events import Event, EventKind
from grader.domain.frames import Frame, Scan, Weighing
from grader.domain.fruit import QUANTITIES
from grader.domain.installation import CameraPlace, Gates, Installation, Line, LotMark, Scale, Spectrometer
from grader.storage.provenance import RunInfo, software_versions
from grader.storage.recordings import Writer
from grader.units import HostNs, Pulse

CAMERA = "top"
PLACE = CameraPlace(
    width_px=110,
    height_px=40,
    bands=("blue", "green", "red", "nir"),
    mm_per_px=3.0,
    cup_zero_px=(0.0, 20.0),
    lane_pitch_px=40.0,
    pulses_per_frame=48,
    lens_above_mm=1500.0,
    seat="rollers",
    turn_deg_per_pulse=0.47,
)
INSTALLATION = Installation(
    fruit="apple",
    variety="Fuji",
    line=Line(lanes=1, pulses_per_cup=96, mm_per_pulse=1.0, cups_per_second=12.0, cups_per_chain=480),
    cameras={CAMERA: PLACE},
    spectrometers={"main": Spectrometer(lanes=(0,), position_mm=500.0, wavelengths_nm=(600.0, 601.2, 602.25))},
    scale=Scale(position_mm=450.0),
    gates=Gates(outlets=8, first_mm=800.0, pitch_mm=200.0, decision_mm=600.0),
    lots=(LotMark(name="2026-11-22/1", first_cup=(0,), grower="Zhang"),),
)
RUN = RunInfo(
    started_wall_s=1_795_000_000.25,
    versions=software_versions(),
    hashes={"sheet": "ab" * 32},
    installation=INSTALLATION,
)

EVENTS = (
    Event(kind=EventKind.LOT_OPENED, text="lot 17", values={"name": "17", "grower": "Li", "sheet": "eu_apples"}),
    Event(kind=EventKind.LOT_BEGAN, text="lot 17 began", lane=0, cup=3, pulse=Pulse(288), values={"name": "17"}),
    Event(kind=EventKind.LOT_CLOSED, text="lot 17 ended", values={"name": "17"}),
)

_BELT, _SKIN = (60, 50, 45, 30), (40, 60, 190, 200)
_FRUIT_RADIUS_PX = 12.5


def record(writer: Writer, *, frames: int) -> None:
    """Fruit in every other cup while the belt passes so many frames; a lost picture, readings of each kind."""
    for number in range(frames):
        pulse, t_ns = Pulse(48 * number), HostNs(40_000_000 * number)
        writer.write_frame(Frame(CAMERA, number, pulse, t_ns, None if number == 2 else picture(pulse)))
        writer.write_index_mark(t_ns, pulse)
        writer.write_weighing(Weighing(0, Pulse(pulse + 450), t_ns, 180.5))
        writer.write_scan(Scan(0, Pulse(pulse + 500), t_ns, np.array([100.5, 3e4, number], np.float32)))
        writer.write_outcome(outcome(number))
    writer.write_truth([{"lane": 0, "cup": 0, "diameter_mm": 75.0}])


def picture(pulse: Pulse) -> NDArray[np.uint8]:
    """(40, 110, 4) uint8: red discs on a dark belt, with a little noise."""
    y, x = np.mgrid[: PLACE.height_px, : PLACE.width_px]
    pixels = np.empty((*x.shape, len(PLACE.bands)), np.uint8)
    pixels[:] = _BELT
    for cup in range(-6, 7, 2):
        centre_px = (pulse + cup * 96) / PLACE.mm_per_px
        pixels[np.hypot(x - centre_px, y - PLACE.cup_zero_px[1]) < _FRUIT_RADIUS_PX] = _SKIN
    pixels[::2, ::3] += np.random.default_rng(pulse).integers(0, 8, pixels[::2, ::3].shape, np.uint8)
    return pixels


def fruit(cup: int) -> FruitRecord:
    """One of a table or journal."""
    return FruitRecord(
        lane=0,
        cup=cup,
        lot="2026-11-22/1",
        values={name: round(0.37 * cup + 1, quantity.decimals) for name, quantity in QUANTITIES.items()},
        grade="Extra",
        size="70-75",
        outlet=1,
        reasons=("Extra: blush_fraction 0.3100 < 0.5000", "Class I; 底色: 102.0 > 100"),
        flags=0,
    )


def outcome(cup: int) -> GateOutcome:
    """What a gate did for that fruit."""
    opens = Pulse(96 * cup + 752)
    return GateOutcome(
        lane=0,
        cup=cup,
        outlet=1,
        open_pulse=opens,
        close_pulse=Pulse(opens + 96),
        fired_pulse=opens if cup % 2 else None,
        result=Result.FIRED if cup % 2 else Result.REFUSED,
        reason="" if cup % 2 else "7, full",
    )


def sugar_model() -> SugarModel:
    """Whole, of few channels."""
    n, m = 12, 8
    draw = np.random.default_rng(0)
    return SugarModel(
        name="made up",
        version="1",
        fruit="apple",
        training_sha256="0" * 64,
        n_fruit=50,
        n_groups=5,
        ssc_range_brix=(9.0, 17.0),
        temperature_range_c=(0.0, 30.0),
        preprocessing=("absorbance",),
        components=2,
        wavelengths_nm=np.linspace(700.0, 800.0, n),
        first_channel=2,
        stop_channel=10,
        white_counts=np.full(n, 50000.0),
        dark_counts=np.full(n, 900.0),
        saturation_counts=65535.0,
        least_signal_counts=1000.0,
        intercept_brix=12.0,
        coefficients=draw.standard_normal(m),
        standard_error_brix=0.4,
        centre=draw.standard_normal(m),
        score_weights=draw.standard_normal((m, 2)),
        loadings=np.linalg.qr(draw.standard_normal((m, 3)))[0],
        score_variance=np.ones(3),
        residual_sd=np.ones(m),
        t2_limit=20.0,
        q_limit=15.0,
    )
