"""Pictures of fruit, for people to look at: of every so many, and of more of those that have a flag.

    frame, half way through the view  ->  ring of cuts  ->  decided, and wanted  ->  queue  ->  thread that writes
    all its views  ->  map of the skin, drawn by whoever makes it  ->  queue  ->  thread that writes

A picture is worth less than a decision: while the journal is behind, the disk is nearly full, or pictures come faster
than the disk takes them, they are dropped and counted, and nothing waits for them.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from grader.clock import Clock
from grader.domain.decisions import FruitRecord
from grader.domain.frames import Frame
from grader.domain.installation import CameraPlace, Installation
from grader.domain.skin import MappedSkin
from grader.domain.snapshot import PicturesHealth
from grader.ports import PictureKeeper
from grader.units import NS_PER_S, HostNs
from grader.vision.geometry import cup_pitch_px, cups_in_view

FLAGGED_TIMES = 5
"""A scanner that is out all day flags every fruit: that is no reason to keep the pictures of all."""
MOST_WAITING = 64
MARGIN = 1.2
"""A cut shows a cup and a little of its neighbours: a fruit does not sit in the middle of its cup."""
SPARE_CUPS = 8
"""Room in the ring for fruit that are decided late."""
CLOSE_S = 1.0
WELL_AFTER_S = 5.0
"""A disk is well again that takes a picture so long after the last one that it did not: that shall not come and go."""


class PictureSettings(msgspec.Struct, frozen=True, kw_only=True):
    """every: of so many cups of a lane one is kept, and flagged fruit as long as they are no more than
    `FLAGGED_TIMES` as many; 0: none at all. most_bytes: of all pictures, the oldest go; some 300,000. least_free_bytes:
    of the disk, which pictures leave to the journal."""

    every: int = 50
    most_bytes: int = 2_000_000_000
    least_free_bytes: int = 1_000_000_000


class _Wanted(NamedTuple):
    """A picture to be encoded, or a skin that is."""

    lane: int
    cup: int
    pixels: NDArray[np.uint8] | None
    skin: bytes = b""


class PictureBook:
    """Fed by the line thread with `see`, `decided`, `mapped`, which never wait; asked by any thread with `health`."""

    def __init__(
        self,
        installation: Installation,
        camera: CameraPlace,
        keeper: PictureKeeper,
        settings: PictureSettings,
        clock: Clock,
    ) -> None:
        line, gates = installation.line, installation.gates
        self._line, self._camera, self._keeper, self._every = line, camera, keeper, settings.every
        self._clock = clock
        self._step_px = camera.pulses_per_frame * line.mm_per_pulse / camera.mm_per_px
        self._width = min(round(MARGIN * cup_pitch_px(camera, line)), camera.width_px)
        self._height = min(round(camera.lane_pitch_px), camera.height_px)
        on_the_way_mm = gates.decision_mm - (camera.width_px / 2 - camera.cup_zero_px[0]) * camera.mm_per_px
        self._ring = max(1, int(on_the_way_mm // (line.pulses_per_cup * line.mm_per_pulse))) + SPARE_CUPS
        self._cuts = np.zeros((line.lanes, self._ring, self._height, self._width, len(camera.bands)), np.uint8)
        self._cup = np.full((line.lanes, self._ring), -1, np.int64)
        self._off_px = np.zeros((line.lanes, self._ring))
        self._flagged_cup = np.full(line.lanes, -settings.every, np.int64)  # the latest of each lane that was kept
        self._waiting: queue.Queue[_Wanted | None] = queue.Queue(MOST_WAITING)
        self._kept = self._dropped = self._refused = 0
        self._trouble, self._trouble_at, self._kept_at = "", HostNs(0), HostNs(0)
        self._thread = threading.Thread(target=self._run, name="pictures", daemon=True)
        self._thread.start()

    def see(self, frame: Frame) -> None:
        """Cut out the cups that are half way through the view. A frame before or after is as good where one is lost.

        frame: one that was looked at: of the camera's own shape, and of the belt as it is now.
        """
        camera = self._camera
        if not self._every or frame.pixels is None:
            return
        cups = cups_in_view(camera, self._line, frame.pulse)
        off_px = np.abs(cups.x_px - camera.width_px / 2)
        # A loop over the one or two cups of each lane that are there: each is copied at once.
        for row in np.flatnonzero(off_px <= self._step_px).tolist():
            lane, cup = int(cups.lane[row]), int(cups.cup[row])
            place = lane, cup % self._ring
            if self._cup[place] != cup or off_px[row] < self._off_px[place]:
                left = _within(float(cups.x_px[row]), self._width, camera.width_px)
                top = _within(float(cups.y_px[row]), self._height, camera.height_px)
                self._cuts[place] = frame.pixels[top : top + self._height, left : left + self._width]
                self._cup[place], self._off_px[place] = cup, off_px[row]

    def decided(self, records: Sequence[FruitRecord], *, journal_behind: bool) -> None:
        """Have the pictures kept of those that are wanted."""
        if not self._every:
            return
        for record in records:
            place = record.lane, record.cup % self._ring
            is_sampled = self.samples(record.lane, record.cup)
            if self._cup[place] != record.cup or not (is_sampled or self._is_a_rare_flag(record)):
                continue
            if journal_behind:
                self._dropped += 1
            elif self._put(_Wanted(record.lane, record.cup, self._cuts[place].copy())) and not is_sampled:
                self._flagged_cup[record.lane] = record.cup

    def samples(self, lane: int, cup: int) -> bool:
        """Whether a cup is one of so many, whose fruit are kept whatever they are."""
        return bool(self._every) and cup % self._every == lane % self._every

    def mapped(self, maps: Sequence[MappedSkin], *, journal_behind: bool) -> None:
        """Have the maps kept that were drawn."""
        for each in maps:
            if each.drawn and journal_behind:
                self._dropped += 1
            elif each.drawn:
                self._put(_Wanted(each.lane, each.cup, None, each.drawn))

    def _put(self, wanted: _Wanted) -> bool:
        try:
            self._waiting.put_nowait(wanted)
        except queue.Full:
            self._dropped += 1
            self._is_in_trouble("they come faster than the disk takes them")
            return False
        return True

    def _is_a_rare_flag(self, record: FruitRecord) -> bool:
        since = record.cup - self._flagged_cup[record.lane]
        return bool(record.flags) and FLAGGED_TIMES * since >= self._every

    def _is_in_trouble(self, why: str) -> None:
        self._trouble, self._trouble_at = f"pictures are not kept: {why}", self._clock.now()

    def health(self) -> PicturesHealth:
        """How it keeps up."""
        is_well = self._kept_at - self._trouble_at > WELL_AFTER_S * NS_PER_S
        trouble = "" if is_well else self._trouble
        return PicturesHealth(kept=self._kept, dropped=self._dropped + self._refused, trouble=trouble)

    def close(self) -> None:
        """Write what waits, as far as that goes within a second. Idempotent."""
        if self._thread.is_alive():
            with contextlib.suppress(queue.Full):
                self._waiting.put(None, timeout=CLOSE_S)
            self._thread.join(CLOSE_S)

    def _run(self) -> None:
        while (wanted := self._waiting.get()) is not None:
            try:
                if wanted.pixels is None:
                    self._keeper.keep_skin(wanted.lane, wanted.cup, wanted.skin)
                else:
                    self._keeper.keep(wanted.lane, wanted.cup, wanted.pixels)
            except OSError as problem:
                self._refused += 1
                self._is_in_trouble(problem.strerror or str(problem))
            except Exception as problem:  # a thread of the station may not end unseen
                self._refused += 1
                self._is_in_trouble(f"{type(problem).__name__}: {problem}")
            else:
                self._kept += 1
                self._kept_at = self._clock.now()


def _within(centre: float, size: int, whole: int) -> int:
    """Where a stretch begins that is centred there, as far as the whole allows."""
    return min(max(round(centre - size / 2), 0), whole - size)
