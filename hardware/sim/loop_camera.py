"""The live line's camera: prepared pictures, copied when the board fires, with what can go wrong with them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from grader.domain.frames import Scan, Weighing
from grader.domain.installation import CameraPlace, Line
from grader.units import HostNs, Pulse
from hardware.shared_frames import FrameSender

CUT_AT = 0.4
"""Share of a picture that is whole when it is cut short."""


class LineSource(Protocol):
    """What is in the cups and what the sensors say of it. Serials and pulses go on for ever."""

    def occupied(self, lane: int, cup: int) -> object:
        """What is known of the fruit in a cup; None or False when there is none."""
        ...

    def reference_scans(self) -> Iterable[Scan]:
        """Dark and white, taken before the belt starts."""
        ...

    def weighings_between(self, first: Pulse, last: Pulse) -> Iterable[Weighing]:
        """For first <= pulse < last."""
        ...

    def scans_between(self, first: Pulse, last: Pulse) -> Iterable[Scan]:
        """For first <= pulse < last."""
        ...


@dataclass(frozen=True, slots=True)
class PreparedLine:
    """loop: (n_frames, height, width, bands) uint8, what the camera sees at exposure 0, 1, ... and round again.

    empty: the same shape but for fewer frames: the belt without fruit, at exposure 0, 1, ... and round again.
    """

    source: LineSource
    loop: NDArray[np.uint8]
    empty: NDArray[np.uint8]


class LoopCamera:
    """Shows the loop from the first cup that was fed to the last, the empty belt before and after.

    sender: the station's connection; None while there is none. silent: it takes pictures and delivers none. lost,
    repeated, swapped, cut: how many of the next pictures that befalls. light: share of it that is there.
    """

    def __init__(self, line: PreparedLine, belt: Line, place: CameraPlace, now: Callable[[], HostNs]) -> None:
        self._line, self._belt, self._place, self._now = line, belt, place, now
        self.sender: FrameSender | None = None
        self.frames = self._dropped_before = 0
        self.silent = False
        self.lost = self.repeated = self.swapped = self.cut = 0
        self.light = 1.0
        self._held: tuple[int, Pulse, int | None] | None = None  # the first of two that are swapped

    @property
    def dropped(self) -> int:
        """Pictures that found no free slot, of all connections."""
        return self._dropped_before + (self.sender.dropped if self.sender is not None else 0)

    def hang_up(self) -> None:
        """Close the station's connection."""
        if self.sender is not None:
            self._dropped_before += self.sender.dropped
            self.sender.close()
            self.sender = None

    def expose(self, number: int, belt: Pulse, last_cup: int | None) -> None:
        """Exposure `number` of the board's count, the belt being truly there."""
        self.frames += 1
        if self.lost:
            self.lost -= 1
            return
        if self.swapped and self._held is None:
            self.swapped -= 1
            self._held = (number, belt, last_cup)
            return
        self._deliver(number, belt, last_cup)
        if self._held is not None:
            held, self._held = self._held, None
            self._deliver(*held)
        if self.repeated:
            self.repeated -= 1
            self._deliver(number, belt, last_cup)

    def _deliver(self, number: int, belt: Pulse, last_cup: int | None) -> None:
        if self.sender is None or self.silent:
            return

        def fill(picture: NDArray[np.uint8]) -> None:
            self._draw(picture, belt, last_cup)
            if self.light < 1.0:
                cv2.convertScaleAbs(picture, picture, alpha=self.light)
            if self.cut:
                picture[int(CUT_AT * len(picture)) :] = 128

        self.sender.offer(number, fill, self._now)
        self.cut = max(0, self.cut - 1)

    def _draw(self, picture: NDArray[np.uint8], belt: Pulse, last_cup: int | None) -> None:
        exposure = round(belt / self._place.pulses_per_frame)
        at = Pulse(exposure * self._place.pulses_per_frame)
        # An encoder that has slipped fires between the places that pictures are prepared for.
        aside_px = round((belt - at) * self._belt.mm_per_pulse / self._place.mm_per_px)
        if not aside_px:
            self._draw_at(picture, exposure, at, last_cup)
            return
        prepared = np.empty_like(picture)
        self._draw_at(prepared, exposure, at, last_cup)
        columns = np.arange(picture.shape[1]) - aside_px
        prepared.take(columns, axis=1, out=picture, mode="clip")

    def _draw_at(self, picture: NDArray[np.uint8], exposure: int, at: Pulse, last_cup: int | None) -> None:
        full = self._line.loop[exposure % len(self._line.loop)]
        empty = self._line.empty[exposure % len(self._line.empty)]
        # Cups move to larger x: what was fed last is furthest left.
        begins = 0 if last_cup is None else self._edge_px(last_cup + 1, at)
        ends = self._edge_px(self._belt.first_cup, at)
        picture[:, :begins] = empty[:, :begins]
        picture[:, begins:ends] = full[:, begins:ends]
        picture[:, ends:] = empty[:, ends:]

    def _edge_px(self, cup: int, pulse: Pulse) -> int:
        """The column midway between a cup and the one fed before it."""
        pulses = pulse - (cup - 0.5) * self._belt.pulses_per_cup
        column = self._place.cup_zero_px[0] + pulses * self._belt.mm_per_pulse / self._place.mm_per_px
        return int(np.clip(column, 0, self._place.width_px))
