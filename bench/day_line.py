"""What the devices of the simulated line say through a day of belt, faults included.

Pictures are of a few cups that come round for ever. Readings tell each cup from those that look like it: the mass of
its fruit is a little more or less from round to round. The belt's true place and the encoder's count are two things
here: a fault of the encoder takes them apart.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from grader.domain.frames import NO_READINGS, Frame, Readings, Scan, Weighing
from grader.units import Pulse
from hardware.sim.line import LineSettings, SimulatedLine
from hardware.sim.reference import CAMERA, PULSES_PER_CUP, PULSES_PER_FRAME, SCALE_MM
from hardware.sim.scale import SimulatedScale

LOOP_CUPS, EMPTY_SHARE = 17, 0.12
"""17 has no divisor in common with a chain of 480 cups: where a lane has an empty cup in the loop, each of the chain's
is empty now and then."""
TAGS, TAG_G = 3, 14.0
"""Cups that show the same fruit differ in mass, in turn, by far more than the scale errs."""
CALM_FRAMES = (60, 160)
"""From one fault to the next: in the longer half of them, the belt brings everything to its decision meanwhile."""

FAULTS = {
    "frame lost": (1, 6),
    "frames missing": (1, 6),
    "picture again": (1, 2),
    "frame twice": (1, 3),
    "out of order": (1, 1),
    "readings lost": (2, 20),
    "camera silent": (10, 80),
    "belt stops": (1, 1),
    "encoder slips": (20, 60),
    "encoder set back": (1, 1),
    "encoder jumps ahead": (1, 1),
}
"""What can go wrong, and for how many frames."""


class Told(NamedTuple):
    """One call of `step`. pulse: None with a frame."""

    frame: Frame | None
    readings: Readings
    pulse: Pulse | None = None


class DayLine:
    """The line through the day.

    loop: its pictures, of which a column is written. chance: of the faults; None: there are none. truth: by (lane, cup
    of the loop). frames: that the belt has truly moved; offset: pulses that the encoder has counted more than that.
    faults: how often there was which, by name.
    """

    def __init__(self, settings: LineSettings, loop: NDArray[np.uint8], chance: random.Random | None) -> None:
        self._settings, self._loop, self._chance = settings, loop, chance
        self.sim = SimulatedLine(settings)
        rows = [self.sim.truth_of(lane, cup) for lane in range(settings.lanes) for cup in range(LOOP_CUPS)]
        self.truth = {(row.lane, row.cup): row for row in rows if row is not None}
        self._scale = SimulatedScale(settings.level, settings.seed, settings.cups_per_chain, settings.lanes)
        self.frames = self._sequence = 2 * len(loop)
        self.offset = 0
        self.faults: Counter[str] = Counter()
        self._told = self.pulse
        self._first_column, self._shown = loop[:, :, 0].copy(), self.frames
        self._fault, self._left, self._calm = "", 0, CALM_FRAMES[1]
        self._late: Frame | None = None

    @property
    def pulse(self) -> Pulse:
        """How far the belt has truly moved."""
        return Pulse(self.frames * PULSES_PER_FRAME)

    @property
    def cups_per_chain(self) -> int:
        return self._settings.cups_per_chain

    @property
    def displaced(self) -> bool:
        """Whether by the encoder fruit ride between two cups."""
        return self.offset % PULSES_PER_CUP != 0

    def mass_g(self, lane: int, cup: int) -> float:
        """Of the fruit in a cup; 0 for an empty one."""
        row = self.truth.get((lane, cup % LOOP_CUPS))
        return 0.0 if row is None else row.mass_g + TAG_G * (cup // LOOP_CUPS % TAGS - (TAGS - 1) / 2)

    def references(self) -> Told:
        """What the spectrometer says before the belt starts."""
        return Told(None, Readings(scans=tuple(self.sim.reference_scans())), self.pulse)

    def move(self, encoder_fails: Callable[[], None]) -> Iterator[Told]:
        """The belt moves on by a frame: what is said of it, in order. encoder_fails: called when it has."""
        self.frames += 1
        if self._chance is not None:
            self._go_wrong(self._chance, encoder_fails)
        yield from self._said(self._fault if self._left else "")
        self._left = max(0, self._left - 1)

    # -- faults --------------------------------------------------------------------------------------------------

    def _go_wrong(self, chance: random.Random, encoder_fails: Callable[[], None]) -> None:
        if self._left:
            return
        if self.displaced:  # the index mark has shown where the chain is
            self.offset += PULSES_PER_FRAME
            encoder_fails()
        self._calm -= 1
        if self._calm:
            return
        self._calm, self._fault = chance.randint(*CALM_FRAMES), chance.choice([*FAULTS])
        self._left = chance.randint(*FAULTS[self._fault])
        self.faults[self._fault] += 1
        if self._fault == "encoder slips":
            self.frames += 1  # the belt moved, and nobody counted
            self.offset -= PULSES_PER_FRAME
        elif self._fault == "encoder set back":
            self.offset -= PULSES_PER_CUP * chance.randint(2, 8)
        elif self._fault == "encoder jumps ahead":
            self.offset += PULSES_PER_CUP * chance.randint(100, 1000)
        else:
            return
        encoder_fails()

    def _said(self, fault: str) -> Iterator[Told]:
        frame = self._frame(fault)
        if fault == "frames missing":
            return
        if fault == "out of order":
            self._late = frame
            return
        readings = self._readings()
        if fault == "readings lost":
            readings = NO_READINGS
        if fault == "camera silent":
            yield Told(None, readings, frame.pulse)
            return
        yield Told(frame, readings)
        if self._late is not None:
            yield Told(self._late, NO_READINGS)
            self._late = None
        if fault == "frame twice":
            yield Told(frame, NO_READINGS)
        if fault == "belt stops":
            yield from [Told(None, NO_READINGS, frame.pulse)] * 5

    def _frame(self, fault: str) -> Frame:
        self._sequence += 1
        pulse = Pulse(self.pulse + self.offset)
        shown = self._picture(self._shown if fault == "picture again" else self.frames)
        is_lost = fault == "frame lost"
        return Frame(
            CAMERA,
            self._sequence,
            pulse,
            self.sim.t_ns_at(self.pulse),
            None if is_lost else shown,
            "lost" if is_lost else "",
        )

    def _picture(self, frame: int) -> NDArray[np.uint8]:
        """Of the loop, but not to the last count what it was a round ago: then the camera would seem to repeat itself.

        Its first column moves across the belt from round to round, in place of the noise.
        """
        self._shown = frame
        turn, number = divmod(frame, len(self._loop))
        self._loop[number, :, 0] = np.roll(self._first_column[number], turn, axis=0)
        return np.asarray(self._loop[number])

    # -- readings ------------------------------------------------------------------------------------------------

    def _readings(self) -> Readings:
        """Since they were last asked for."""
        first, last = self._told, self.pulse
        self._told = last
        at = round(SCALE_MM)
        cups = range(-(-(first - at) // PULSES_PER_CUP), -(-(last - at) // PULSES_PER_CUP))
        weighings = tuple(self._weighing(lane, cup, at) for cup in cups for lane in range(self._settings.lanes))
        scans = self.sim.scans_between(first, last)
        if self.offset:
            scans = [_moved(scan, self.offset) for scan in scans]
        return Readings(weighings, tuple(scans))

    def _weighing(self, lane: int, cup: int, at: int) -> Weighing:
        pulse = cup * PULSES_PER_CUP + at
        t_ns = self.sim.t_ns_at(pulse)
        said_g = self._scale.weigh(lane=lane, cup=cup, mass_g=self.mass_g(lane, cup), hours=t_ns / 3.6e12)
        return Weighing(lane, Pulse(pulse + self.offset), t_ns, said_g)


def _moved(scan: Scan, offset: int) -> Scan:
    return replace(scan, pulse=Pulse(scan.pulse + offset))
