"""The least line that can run live: pictures of a few pixels, a fruit in every n-th cup. For tests and the bench,
where the devices are what matters and not the fruit."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec
import numpy as np

from grader.domain.frames import Scan, Weighing
from grader.domain.installation import CameraPlace, Gates, Installation, Line, Scale, Spectrometer
from grader.units import HostNs, Pulse
from hardware.sim.loop_camera import PreparedLine

CHANNELS = 8


class BareLine(msgspec.Struct, frozen=True, kw_only=True):
    """A fruit in every cup whose serial is a multiple of fruit_every, in all lanes."""

    lanes: int = 2
    cups_per_second: float = 12.0
    fruit_every: int = 1
    outlets: int = 4

    @property
    def installation(self) -> Installation:
        """The reference line but for a camera of a tenth of its pixels."""
        lanes = tuple(range(self.lanes))
        camera = CameraPlace(
            width_px=128,
            height_px=15 * self.lanes,
            bands=("blue", "green", "red"),
            mm_per_px=8.0,
            cup_zero_px=(0.0, 7.0),
            lane_pitch_px=15.0,
            pulses_per_frame=48,
        )
        return Installation(
            fruit="apple",
            line=Line(lanes=self.lanes, pulses_per_cup=96, mm_per_pulse=1.0, cups_per_second=self.cups_per_second),
            cameras={"top": camera},
            spectrometers={"main": Spectrometer(lanes=lanes, position_mm=1400.0, wavelengths_nm=(600.0,) * CHANNELS)},
            scale=Scale(position_mm=1200.0),
            gates=Gates(outlets=self.outlets),
        )


class BareSource:
    """What the sensors say: a mass that tells the cup, a spectrum that tells the lane."""

    def __init__(self, settings: BareLine) -> None:
        self._settings, self._installation = settings, settings.installation

    def occupied(self, lane: int, cup: int) -> bool:
        return cup % self._settings.fruit_every == 0

    def reference_scans(self) -> list[Scan]:
        """One dark scan a lane."""
        counts = np.zeros(CHANNELS, np.float32)
        return [Scan(lane, Pulse(0), HostNs(0), counts, "dark") for lane in range(self._settings.lanes)]

    def weighings_between(self, first: Pulse, last: Pulse) -> Iterator[Weighing]:
        """mass_g: 100 + cup serial modulo 100."""
        for lane, cup, pulse in self._fruit_at(1200, first, last):
            yield Weighing(lane, pulse, HostNs(0), 100.0 + cup % 100)

    def scans_between(self, first: Pulse, last: Pulse) -> Iterator[Scan]:
        """Every channel counts the lane."""
        for lane, _, pulse in self._fruit_at(1400, first, last):
            yield Scan(lane, pulse, HostNs(0), np.full(CHANNELS, lane, np.float32))

    def _fruit_at(self, position: int, first: Pulse, last: Pulse) -> Iterator[tuple[int, int, Pulse]]:
        """Fruit whose centre passes a position from the first pulse to the one before the last."""
        for cup in range(max(0, -((position - first) // 96)), -((position - last) // 96)):
            for lane in range(self._settings.lanes):
                if self.occupied(lane, cup):
                    yield lane, cup, Pulse(cup * 96 + position)


def prepare_bare_line(settings: BareLine, progress: Callable[[float], None]) -> PreparedLine:
    """Pictures whose pixels are their own number (1 and up); the empty belt is 0."""
    place = settings.installation.cameras["top"]
    loop = np.empty((20, place.height_px, place.width_px, len(place.bands)), np.uint8)
    loop[:] = np.arange(1, 21, dtype=np.uint8)[:, None, None, None]
    progress(0.5)
    return PreparedLine(BareSource(settings), loop, np.zeros_like(loop[:2]))
