"""The simulated line: its settings, what lies in each cup, what its camera, scale and spectrometer show, and the truth.

Every picture, reading and truth is a function of the settings and of (lane, cup, frame) alone: it does not matter in
which order, by how many processes or how often they are asked for.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from functools import cache, cached_property
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from grader.domain.frames import Scan, Weighing
from grader.units import HostNs, Pulse, ns_from_pulses
from hardware.sim.belt import Belt
from hardware.sim.draws import keyed
from hardware.sim.fruit import Fruit, SkinTruth
from hardware.sim.lesions import LesionRecipe
from hardware.sim.levels import CHANGING, Level
from hardware.sim.light import TUNNEL, Lighting, drift, light_field, srgb_counts
from hardware.sim.motion import EARLY_FRAMES, Ride
from hardware.sim.occupancy import EMPTY, filled_cups
from hardware.sim.recipes import LESIONS
from hardware.sim.reference import (
    CAMERA,
    CROSSING_FRAMES,
    LENS_ABOVE_MM,
    MM_PER_PULSE,
    MM_PER_PX,
    NOMINAL_MM,
    PULSES_PER_CUP,
    PULSES_PER_FRAME,
    PX_PER_LANE,
    SCALE_MM,
    SPECTROMETER_MM,
    TURN_DEG_PER_PULSE,
    WIDTH_PX,
    reference_installation,
)
from hardware.sim.render import Lens, Model, draw_fruit
from hardware.sim.scale import SimulatedScale
from hardware.sim.skin import BANDS
from hardware.sim.spectrometer import SimulatedSpectrometer
from hardware.sim.truth import TruthRow
from hardware.sim.varieties import FUJI, Variety

CUPS_READY = 20  # painted fruit that are kept per lane: those in the picture and some more
BELT_CUPS = 16  # after so many cups the belt's pattern repeats; with a loop, after the loop
DOUBLE_MM = (48.0, 56.0)
NOISE_BANK = 1 << 22
_TWIN = 1 << 30  # added to a fruit's number: the second one of a double


@dataclass(frozen=True, slots=True, kw_only=True)
class LineSettings:
    """What the simulated line is and what runs over it.

    fruit: how many different fruit; passes: how often all of them run. loop_cups: after so many cups the same fruit
    come again for ever, as a live run shows them; `fruit` then says only how long a recording would be.
    empty_share: cups without fruit. sound_share: fruit without lesions. lesion_recipes: what the others suffer from.
    oversize_share, double_share: fruit larger than a cup can carry, two fruit in one cup.
    turn_way: which way fruit turn, +1 or -1. nir: a fourth band.
    """

    level: Level = CHANGING
    seed: int = 1
    variety: Variety = FUJI
    fruit: int = 100
    passes: int = 1
    loop_cups: int | None = None
    lanes: int = 4
    cups_per_second: float = 12.0
    cups_per_chain: int = 480
    empty_share: float = 0.08
    sound_share: float = 0.6
    lesion_recipes: tuple[LesionRecipe, ...] = LESIONS
    lighting: Lighting = TUNNEL
    oversize_share: float = 0.0
    double_share: float = 0.0
    turn_way: int = 1
    nir: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.lanes <= 12:
            raise ValueError(f"lanes is {self.lanes}; a line has 1 to 12")
        if self.fruit < 0 or self.passes < 1:
            raise ValueError(f"fruit is {self.fruit} and passes {self.passes}; they must be at least 0 and 1")
        if self.loop_cups is not None and (self.loop_cups < 1 or self.passes > 1):
            raise ValueError("loop_cups must be at least 1, and a loop has one pass")
        if not 0.0 <= self.empty_share < 1.0:
            raise ValueError(f"empty_share is {self.empty_share}; it must be from 0 to below 1")


FruitKey = tuple[int, float | None]  # number, and the size of a double's half


class _Rider(NamedTuple):
    """A fruit in a cup: which, how it rides, and where beside the cup's centre it lies (doubles), mm along the belt."""

    number: int
    diameter_mm: float | None
    ride: Ride
    aside_mm: float


class SimulatedLine:
    """The reference line with fruit on it."""

    def __init__(self, settings: LineSettings) -> None:
        self.settings = settings
        self._cups = filled_cups(
            settings.seed,
            fruit=settings.fruit,
            passes=settings.passes,
            lanes=settings.lanes,
            empty_share=settings.empty_share,
            loop_cups=settings.loop_cups,
        )
        self._scale = SimulatedScale(settings.level, settings.seed, settings.cups_per_chain, settings.lanes)
        self._spectrometer = SimulatedSpectrometer(settings.level, settings.seed)
        self.installation = reference_installation(
            fruit=settings.variety.fruit,
            variety=settings.variety.name,
            note=f"simulated line, level {settings.level.name}, seed {settings.seed}",
            lanes=settings.lanes,
            cups_per_second=settings.cups_per_second,
            cups_per_chain=settings.cups_per_chain,
            bands=BANDS[: 4 if settings.nir else 3],
            wavelengths_nm=self._spectrometer.wavelengths_nm,
        )
        place = self.installation.cameras[CAMERA]
        self._lens = Lens(
            mm_per_px=place.mm_per_px, above_mm=LENS_ABOVE_MM, foot_px=(place.width_px / 2.0, place.height_px / 2.0)
        )
        self._models: OrderedDict[FruitKey, Model] = OrderedDict()
        self._fruits: dict[FruitKey, Fruit] = {}
        self._rides: dict[tuple[int, int], tuple[_Rider, ...]] = {}
        self.skin_truths: dict[FruitKey, SkinTruth] = {}  # of every fruit painted so far, here or by a helper

    @property
    def n_cups(self) -> int:
        """Cups per lane that the settings' fruit need."""
        if self.settings.loop_cups is None:
            return len(self._cups)
        per_loop = int((self._cups != EMPTY).sum())
        return -(-self.settings.fruit * len(self._cups) // max(per_loop, 1))

    def n_frames(self) -> int:
        """Frames until the last cup has left the picture."""
        if self.n_cups == 0:
            return 0
        travel_mm = WIDTH_PX * MM_PER_PX + PULSES_PER_CUP * MM_PER_PULSE
        return int(((self.n_cups - 1) * PULSES_PER_CUP + travel_mm / MM_PER_PULSE) // PULSES_PER_FRAME) + 1

    def pulse_of_frame(self, sequence: int) -> Pulse:
        """The encoder's count at mid-exposure of a frame."""
        return Pulse(sequence * PULSES_PER_FRAME)

    def t_ns_at(self, pulse: int) -> HostNs:
        """Time at the rated speed, from 0 at pulse 0."""
        return HostNs(ns_from_pulses(pulse, self.installation.line.pulses_per_s))

    # -- pictures ------------------------------------------------------------------------------------------------

    def render_into(self, sequence: int, out: NDArray[np.uint8]) -> None:
        """Draws frame `sequence` into out, (height, width, bands) uint8."""
        lens = self._lens
        pulse_mm = self.pulse_of_frame(sequence) * MM_PER_PULSE
        self._belt.draw_into(self._canvas, lens, pulse_mm, self._cup_zero_mm)
        riders = [
            (rider, frame, self._centre_mm(rider, lane, cup, frame, pulse_mm))
            for lane, cup, frame in self._cups_in_view(sequence)
            for rider in self._riders(lane, cup)
        ]
        # The picture of a fruit nearer to the lens covers that of its neighbour: farthest first.
        top = np.array([0.0, 0.0, lens.above_mm])
        riders.sort(key=lambda ridden: -float(np.linalg.norm(ridden[2] - top)))
        for rider, frame, centre_mm in riders:  # some tens of fruit; each is one vectorised view
            model = self._model(rider.number, rider.diameter_mm)
            draw_fruit(self._canvas, model, rider.ride.turn(frame), centre_mm, lens, self.settings.lighting)
        self._expose(sequence, out)

    def render_belt_into(self, sequence: int, out: NDArray[np.uint8]) -> None:
        """The same frame without fruit."""
        pulse_mm = self.pulse_of_frame(sequence) * MM_PER_PULSE
        self._belt.draw_into(self._canvas, self._lens, pulse_mm, self._cup_zero_mm)
        self._expose(sequence, out)

    def _expose(self, sequence: int, out: NDArray[np.uint8]) -> None:
        """What the camera makes of the canvas: light of the field, motion, transfer to counts, noise."""
        settings, canvas = self.settings, self._canvas
        hours = self._hours(self.pulse_of_frame(sequence))
        canvas *= self._field * drift(settings.level, settings.seed, hours, canvas.shape[2])
        self._blur(canvas)
        np.multiply(np.clip(canvas, 0.0, 1.0, out=canvas), 65535.0, out=canvas)
        counts = srgb_counts().take(canvas.astype(np.uint16))
        if settings.level.noise_sd_counts > 0.0:
            start = int(keyed(settings.seed, "noise", sequence).integers(NOISE_BANK))
            noise = _noise_bank(settings.seed, settings.level.noise_sd_counts)
            noise = noise.take(np.arange(start, start + counts.size), mode="wrap").reshape(counts.shape)
            np.clip(counts.astype(np.int16) + noise, 0, 255, out=out, casting="unsafe")
        else:
            out[...] = counts

    @cached_property
    def _canvas(self) -> NDArray[np.float32]:
        place = self.installation.cameras[CAMERA]
        return np.empty((place.height_px, place.width_px, len(place.bands)), np.float32)

    @cached_property
    def _field(self) -> NDArray[np.float32]:
        return light_field(self.settings.level, self.settings.seed, *self._canvas.shape)

    @cached_property
    def _belt(self) -> Belt:
        return Belt(
            self.settings.level,
            self.settings.seed,
            lanes=self.settings.lanes,
            lane_pitch_mm=PX_PER_LANE * MM_PER_PX,
            pitch_mm=PULSES_PER_CUP * MM_PER_PULSE,
            cups=self.settings.loop_cups or BELT_CUPS,
            bands=self._canvas.shape[2],
        )

    @cached_property
    def _cup_zero_mm(self) -> tuple[float, float]:
        return self._lens.world_mm(*self.installation.cameras[CAMERA].cup_zero_px)

    def _blur(self, canvas: NDArray[np.float32]) -> None:
        """Motion during the exposure: a box of well under a pixel along the belt, as its three-point equal."""
        speed_mm_per_s = self.installation.line.pulses_per_s * MM_PER_PULSE
        box_px = speed_mm_per_s * self.settings.level.exposure_us * 1e-6 / MM_PER_PX
        if box_px > 0.0:
            side = box_px**2 / 24.0  # the box's variance is box^2 / 12, the three points' is 2 * side
            kernel = np.array([side, 1.0 - 2.0 * side, side], np.float32)
            cv2.sepFilter2D(canvas, -1, kernel, np.ones(1, np.float32), dst=canvas, borderType=cv2.BORDER_REPLICATE)

    def _cups_in_view(self, sequence: int) -> list[tuple[int, int, int]]:
        """(lane, cup, frame of the ride) of occupied cups that may show in a frame."""
        per_cup = PULSES_PER_CUP // PULSES_PER_FRAME
        newest = (sequence + EARLY_FRAMES) // per_cup
        oldest = -(-(sequence - CROSSING_FRAMES - EARLY_FRAMES + 1) // per_cup)
        return [
            (lane, cup, sequence - per_cup * cup)
            for cup in range(max(oldest, 0), newest + 1)
            for lane in range(self.settings.lanes)
            if self.occupied(lane, cup)
        ]

    def _centre_mm(self, rider: _Rider, lane: int, cup: int, frame: int, pulse_mm: float) -> NDArray[np.float64]:
        fruit = self._fruit(rider.number, rider.diameter_mm)
        x, y = self._cup_zero_mm
        along, across = rider.ride.offset(frame)
        return np.array(
            [
                x + pulse_mm - cup * PULSES_PER_CUP * MM_PER_PULSE + along + rider.aside_mm,
                y + lane * PX_PER_LANE * MM_PER_PX + across,
                (fruit.diameter_mm - NOMINAL_MM) / 2.0,
            ]
        )

    # -- what lies where -----------------------------------------------------------------------------------------

    def _number(self, lane: int, cup: int) -> int:
        """Number of the fruit in a cup, or EMPTY."""
        if self.settings.loop_cups is not None:
            cup %= self.settings.loop_cups
        return int(self._cups[cup, lane]) if 0 <= cup < len(self._cups) else EMPTY

    def _riders(self, lane: int, cup: int) -> tuple[_Rider, ...]:
        """The fruit in a cup: one, or the two of a double, front one first."""
        number = self._number(lane, cup)
        if number == EMPTY:
            return ()
        cup = cup % self.settings.loop_cups if self.settings.loop_cups is not None else cup
        if (lane, cup) not in self._rides:
            self._rides[lane, cup] = self._drawn_riders(lane, cup, number)
        return self._rides[lane, cup]

    def _drawn_riders(self, lane: int, cup: int, number: int) -> tuple[_Rider, ...]:
        settings = self.settings

        def ride(diameter_mm: float, cup_key: int) -> Ride:
            return Ride.of(
                settings.level,
                settings.seed,
                lane,
                cup_key,
                diameter_mm=diameter_mm,
                turn_deg=TURN_DEG_PER_PULSE * PULSES_PER_FRAME,
                way=settings.turn_way,
                frames=CROSSING_FRAMES,
            )

        if keyed(settings.seed, "double", number).random() >= settings.double_share:
            return (_Rider(number, None, ride(self._fruit(number, None).diameter_mm, cup), 0.0),)
        front, back = keyed(settings.seed, "double size", number).uniform(*DOUBLE_MM, 2)
        twin = number + _TWIN
        # One ride for both: they touch and roll together.
        shared = ride((front + back) / 2.0, cup)
        return (_Rider(number, front, shared, back / 2.0), _Rider(twin, back, shared, -front / 2.0))

    def _fruit(self, number: int, diameter_mm: float | None) -> Fruit:
        key = (number, diameter_mm)
        if key not in self._fruits:
            settings = self.settings
            self._fruits[key] = Fruit.of(
                settings.seed,
                number,
                settings.variety,
                settings.level,
                sound_share=settings.sound_share,
                lesion_recipes=settings.lesion_recipes,
                oversize_share=settings.oversize_share,
                diameter_mm=diameter_mm,
            )
        return self._fruits[key]

    def _model(self, number: int, diameter_mm: float | None) -> Model:
        """The painted fruit; the oldest are forgotten, for one takes a megabyte or more and 30 ms to paint."""
        key = (number, diameter_mm)
        if key not in self._models:
            self._models[key], self.skin_truths[key] = self._fruit(number, diameter_mm).prepared(self._canvas.shape[2])
            if len(self._models) > self.settings.lanes * CUPS_READY:
                self._models.popitem(last=False)
        return self._models[key]

    # -- readings ------------------------------------------------------------------------------------------------

    def weighings_between(self, first: Pulse, last: Pulse) -> list[Weighing]:
        """What the scale says for first <= pulse < last: one weighing per lane and cup, empty ones too."""
        return [
            Weighing(
                lane=lane,
                pulse=pulse,
                t_ns=self.t_ns_at(pulse),
                mass_g=self._scale.weigh(lane=lane, cup=cup, mass_g=self._mass_g(lane, cup), hours=self._hours(pulse)),
            )
            for cup, pulse in self._passing(SCALE_MM, first, last)
            for lane in range(self.settings.lanes)
        ]

    def scans_between(self, first: Pulse, last: Pulse) -> list[Scan]:
        """What the spectrometers say for first <= pulse < last: one scan per occupied cup."""
        scans = []
        for cup, pulse in self._passing(SPECTROMETER_MM, first, last):
            for lane in range(self.settings.lanes):  # a scan is an event of its own
                riders = self._riders(lane, cup)
                if riders:
                    fruit = self._fruit(riders[0].number, riders[0].diameter_mm)
                    counts = self._spectrometer.scan(
                        key=(lane, cup),
                        ssc_brix=fruit.ssc_brix,
                        diameter_mm=fruit.diameter_mm,
                        chlorophyll=fruit.ripeness.chlorophyll,
                        anthocyanin=fruit.ripeness.anthocyanin,
                        fruit_temp_c=fruit.temperature_c,
                        hours=self._hours(pulse),
                    )
                    scans.append(
                        Scan(
                            lane=lane,
                            pulse=pulse,
                            t_ns=self.t_ns_at(pulse),
                            counts=counts,
                            fruit_temp_c=round(fruit.temperature_c, 1),
                        )
                    )
        return scans

    def reference_scans(self) -> list[Scan]:
        """Dark and white reference of every lane, taken before the belt starts (pulse 0)."""
        return [
            Scan(lane=lane, pulse=Pulse(0), t_ns=HostNs(0), counts=counts, kind=kind)
            for kind, counts in (("dark", self._spectrometer.dark()), ("white", self._spectrometer.white()))
            for lane in range(self.settings.lanes)
        ]

    def _mass_g(self, lane: int, cup: int) -> float:
        return sum(self._fruit(rider.number, rider.diameter_mm).mass_g for rider in self._riders(lane, cup))

    def _passing(self, position_mm: float, first: int, last: int) -> list[tuple[int, Pulse]]:
        """Cups from 0 whose centre passes a place in [first, last), with the pulse."""
        at = round(position_mm / MM_PER_PULSE)
        low = max(-(-(first - at) // PULSES_PER_CUP), 0)
        high = -(-(last - at) // PULSES_PER_CUP)
        if self.settings.loop_cups is None:
            high = min(high, self.n_cups)
        return [(cup, Pulse(cup * PULSES_PER_CUP + at)) for cup in range(low, high)]

    def _hours(self, pulse: int) -> float:
        """Hours since pulse 0 at the rated speed; a loop does not age, or its frames would differ from the first."""
        if self.settings.loop_cups is not None:
            pulse %= self.settings.loop_cups * PULSES_PER_CUP
        return pulse / self.installation.line.pulses_per_s / 3600.0

    # -- truth ---------------------------------------------------------------------------------------------------

    def occupied(self, lane: int, cup: int) -> bool:
        """Whether a cup holds fruit."""
        return self._number(lane, cup) != EMPTY

    def passage_of(self, lane: int, cup: int) -> tuple[Fruit, Ride] | None:
        """The fruit in a cup, the front one of a double, and how it rides; None where there is none."""
        riders = self._riders(lane, cup)
        if not riders:
            return None
        return self._fruit(riders[0].number, riders[0].diameter_mm), riders[0].ride

    def truth_of(self, lane: int, cup: int) -> TruthRow | None:
        """The truth of one cup; None when it is empty. Paints the fruit unless it was painted before."""
        riders = self._riders(lane, cup)
        if not riders:
            return None
        rider = riders[0]
        fruit = self._fruit(rider.number, rider.diameter_mm)
        key = (rider.number, rider.diameter_mm)
        if key not in self.skin_truths:
            self._model(*key)
        skin = self.skin_truths[key]
        return TruthRow(
            lane=lane,
            cup=cup,
            body=rider.number,
            diameter_mm=fruit.diameter_mm,
            height_mm=fruit.height_mm,
            volume_ml=fruit.volume_ml,
            mass_g=self._mass_g(lane, cup),
            blush_fraction=skin.blush_fraction,
            defect_area_mm2=skin.defect_area_mm2,
            defects=skin.defects,
            ssc_brix=fruit.ssc_brix,
            start_deg=rider.ride.start_deg,
            turn_deg=rider.ride.turn_deg,
            kind="double" if len(riders) > 1 else "oversize" if fruit.oversize else "",
        )

    def truth(self) -> list[TruthRow]:
        """All occupied cups of `n_cups`, by cup, then lane."""
        rows = (self.truth_of(lane, cup) for cup in range(self.n_cups) for lane in range(self.settings.lanes))
        return [row for row in rows if row is not None]


@cache
def _noise_bank(seed: int, sd_counts: float) -> NDArray[np.int8]:
    """Camera noise in whole counts. Each frame reads it from a place of its own: fresh draws take ten times as long."""
    rng = keyed(seed, "noise bank")
    return np.round(sd_counts * rng.standard_normal(NOISE_BANK, dtype=np.float32)).astype(np.int8)
