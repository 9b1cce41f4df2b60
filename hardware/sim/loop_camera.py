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
from hardware.sim.feed import Feed

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

    def __init__(
        self, line: PreparedLine, belt: Line, place: CameraPlace, feed: Feed, now: Callable[[], HostNs]
    ) -> None:
        self._line, self._belt, self._place, self._feed, self._now = line, belt, place, feed, now
        self.sender: FrameSender | None = None
        self.frames = self._dropped_before = 0
        self.silent = False
        self.lost = self.repeated = self.swapped = self.cut = 0
        self.light = 1.0
        self._held: tuple[int, Pulse] | None = None  # the first of two that are swapped

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

    def expose(self, number: int, belt: Pulse) -> None:
        """Exposure `number` of the board's count, the belt being truly there."""
        self.frames += 1
        if self.lost:
            self.lost -= 1
            return
        if self.swapped and self._held is None:
            self.swapped -= 1
            self._held = (number, belt)
            return
        self._deliver(number, belt)
        if self._held is not None:
            held, self._held = self._held, None
            self._deliver(*held)
        if self.repeated:
            self.repeated -= 1
            self._deliver(number, belt)

    def _deliver(self, number: int, belt: Pulse) -> None:
        if self.sender is None or self.silent:
            return

        def fill(picture: NDArray[np.uint8]) -> None:
            self._draw(picture, belt)
            if self.light < 1.0:
                cv2.convertScaleAbs(picture, picture, alpha=self.light)
            if self.cut:
                picture[int(CUT_AT * len(picture)) :] = 128

        self.sender.offer(number, fill, self._now)
        self.cut = max(0, self.cut - 1)

    def _draw(self, picture: NDArray[np.uint8], belt: Pulse) -> None:
        exposure = round(belt / self._place.pulses_per_frame)
        at = Pulse(exposure * self._place.pulses_per_frame)
        # An encoder that has slipped fires between the places that pictures are prepared for.
        aside_px = round((belt - at) * self._belt.mm_per_pulse / self._place.mm_per_px)
        if not aside_px:
            self._draw_at(picture, exposure, at)
            return
        prepared = np.empty_like(picture)
        self._draw_at(prepared, exposure, at)
        columns = np.arange(picture.shape[1]) - aside_px
        prepared.take(columns, axis=1, out=picture, mode="clip")

    def _draw_at(self, picture: NDArray[np.uint8], exposure: int, at: Pulse) -> None:
        full = self._line.loop[exposure % len(self._line.loop)]
        empty = self._line.empty[exposure % len(self._line.empty)]
        done = picture.shape[1]
        # Cups move to larger x: what was fed first is furthest right.
        for begin, end in self._feed.stretches(*self._cups_near(at)):
            left, right = self._edge_px(end, at), self._edge_px(begin, at)
            picture[:, right:done] = empty[:, right:done]
            picture[:, left:right] = full[:, left:right]
            done = left
        picture[:, :done] = empty[:, :done]

    def _cups_near(self, pulse: Pulse) -> tuple[int, int]:
        """The first cup that may be in the picture, and the first that is not yet."""
        belt, place = self._belt, self._place
        across = (place.width_px - place.cup_zero_px[0]) * place.mm_per_px / belt.mm_per_pulse
        return int((pulse - across) // belt.pulses_per_cup), int(pulse // belt.pulses_per_cup) + 2

    def _edge_px(self, cup: int, pulse: Pulse) -> int:
        """The column midway between a cup and the one fed before it."""
        pulses = pulse - (cup - 0.5) * self._belt.pulses_per_cup
        column = self._place.cup_zero_px[0] + pulses * self._belt.mm_per_pulse / self._place.mm_per_px
        return int(np.clip(column, 0, self._place.width_px))
