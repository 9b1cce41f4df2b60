"""Cameras, sensors and helpers that are opened again when they fall silent: as often as their budget allows.

well ── silent or gone ── closed ── opened again when it is due ── well
                             └── the budget is spent: given up, until a person resets the station

A station without a camera can do nothing. Without scales, spectrometers or maps it goes on, and they are tried for
ever.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, Generic, Protocol, TypeVar

from grader.clock import Clock
from grader.domain.frames import NO_READINGS, Frame, Readings
from grader.domain.skin import MappedSkin, Sighting
from grader.errors import DeviceError
from grader.ports import Camera, Sensors, SkinMaps
from grader.station.budget import FOR_EVER, BudgetSettings, RestartBudget

SILENT_FRAMES = 12
"""So many exposures in a row without a picture, half a second at full speed: the camera is silent."""

_NAP_S = 0.02
"""Where there is no device to wait for."""


class _Closable(Protocol):
    def close(self) -> None: ...


_Device = TypeVar("_Device", bound=_Closable)
_Begin = Callable[[Callable[[], Any]], "Future[Any]"]


def in_a_thread(open_device: Callable[[], _Device]) -> Future[_Device]:
    """Opening may take seconds, and the line does not wait for it."""
    opened: Future[_Device] = Future()

    def run() -> None:
        try:
            opened.set_result(open_device())
        except Exception as problem:
            opened.set_exception(problem)

    threading.Thread(target=run, name="opening", daemon=True).start()
    return opened


class _Reopening(Generic[_Device]):
    """One device and how to open it. trouble: what is wrong with it, empty while it is well."""

    def __init__(
        self, open_device: Callable[[], _Device], clock: Clock, settings: BudgetSettings, begin: _Begin
    ) -> None:
        self._open, self._begin, self._clock = open_device, begin, clock
        self._budget = RestartBudget(settings)
        self._device: _Device | None = open_device()  # at the start it must be there
        self._opening: Future[_Device] | None = None
        self.trouble = self._first = ""
        self.reopened = 0

    @property
    def is_given_up(self) -> bool:
        """Whether it is not tried any more."""
        return self._device is None and self._opening is None and self._budget.is_spent

    def device(self) -> _Device | None:
        """It, as soon as it was opened again; that is begun here when it is due. None while it is not there."""
        now = self._clock.now()
        if self._device is None and self._opening is None and self._budget.may_try(now):
            self._budget.tried(now)
            self._opening = self._begin(self._open)
        if self._opening is not None and self._opening.done():
            opened, self._opening = self._opening, None
            self._take(opened.result)
        return self._device

    def _take(self, opened: Callable[[], _Device]) -> None:
        try:
            self._device = opened()
            self.reopened += 1
        except DeviceError as problem:
            self.trouble = f"{self._first}; opened again: {problem}"

    def is_well(self) -> None:
        """It has done what it should."""
        if self.trouble:
            self.trouble = ""
            self._budget.worked()

    def is_lost(self, why: str) -> None:
        """It has not. The first reason stands until it is well."""
        self._first = self._first if self.trouble else why
        self.trouble = self._first
        self.close()

    def renew(self) -> bool:
        """Open it afresh and wait for it, whatever was tried before. False: it could not be, and is tried as ever."""
        self.close()
        self._budget.renew()
        self._budget.tried(self._clock.now())
        self._take(self._open)
        return self._device is not None

    def close(self) -> None:
        """Idempotent. What is being opened is closed when it comes."""
        if self._opening is not None:
            self._opening.add_done_callback(_close_at_once)
            self._opening = None
        if self._device is not None:
            self._device.close()
            self._device = None


def _close_at_once(opened: Future[_Device]) -> None:
    if opened.exception() is None:
        opened.result().close()


class WatchedCamera:
    """A `Camera` that looks after another one: it never raises, and says in `trouble` what is wrong."""

    def __init__(
        self,
        open_camera: Callable[[], Camera],
        clock: Clock,
        settings: BudgetSettings = BudgetSettings(),
        begin: _Begin = in_a_thread,
    ) -> None:
        """Opens the camera; later, as `begin` does it. Raises DeviceError when it is not there at the start."""
        self._watched = _Reopening(open_camera, clock, settings, begin)
        self._without_picture = 0
        self._dropped_before = 0
        self._lent_by: Camera | None = None

    @property
    def trouble(self) -> str:
        """What is wrong with it; empty while it is well."""
        return self._watched.trouble

    @property
    def is_given_up(self) -> bool:
        """Whether it is not tried any more: a person has to look after it, then reset the station."""
        return self._watched.is_given_up

    @property
    def reopened(self) -> int:
        """How often it was opened again."""
        return self._watched.reopened

    @property
    def dropped(self) -> int:
        return self._dropped_before + (self._lent_by.dropped if self._lent_by is not None else 0)

    def next_frame(self, timeout_s: float) -> Frame | None:
        camera = self._watched.device()
        if camera is None:
            time.sleep(min(timeout_s, _NAP_S))
            return None
        if camera is not self._lent_by:
            self._dropped_before = self.dropped
            self._lent_by = camera
        try:
            frame = camera.next_frame(timeout_s)
        except DeviceError as problem:
            self._lose(str(problem))
            return None
        if frame is not None:
            self._look_at(frame)
        return frame

    def release(self, frame: Frame) -> None:
        if self._lent_by is not None:
            self._lent_by.release(frame)

    def renew(self) -> bool:
        """Open it afresh, for its count and the board's begin anew together. False: it cannot be opened at present."""
        self._without_picture = 0
        return self._watched.renew()

    def close(self) -> None:
        self._watched.close()

    def _look_at(self, frame: Frame) -> None:
        if frame.pixels is not None:
            self._without_picture = 0
            self._watched.is_well()
        elif frame.damage == "lost":
            self._without_picture += 1
            if self._without_picture >= SILENT_FRAMES:
                self._lose(f"camera {frame.camera} gives no pictures though it is triggered")

    def _lose(self, why: str) -> None:
        self._without_picture = 0
        self._watched.is_lost(why)


class WatchedSensors:
    """`Sensors` that are opened again when their connection ends: it never raises."""

    def __init__(
        self,
        open_sensors: Callable[[], Sensors],
        clock: Clock,
        settings: BudgetSettings = FOR_EVER,
        begin: _Begin = in_a_thread,
    ) -> None:
        """Opens the sensors; later, as `begin` does it. Raises DeviceError when they are not there at the start."""
        self._watched = _Reopening(open_sensors, clock, settings, begin)

    @property
    def trouble(self) -> str:
        """What is wrong with them; empty while they are well."""
        return self._watched.trouble

    @property
    def reopened(self) -> int:
        """How often they were opened again."""
        return self._watched.reopened

    def readings(self) -> Readings:
        sensors = self._watched.device()
        if sensors is None:
            return NO_READINGS
        readings = sensors.readings()
        if sensors.closed:
            self._watched.is_lost("scales and spectrometers: their connection has ended")
        elif readings.weighings or any(scan.kind == "sample" for scan in readings.scans):  # references come at once
            self._watched.is_well()
        return readings

    def renew(self) -> None:
        """Open them afresh."""
        self._watched.renew()

    def close(self) -> None:
        self._watched.close()


class WatchedMaps:
    """`SkinMaps` that are begun again when they end: they never raise."""

    def __init__(
        self,
        open_maps: Callable[[], SkinMaps],
        clock: Clock,
        settings: BudgetSettings = FOR_EVER,
        begin: _Begin = in_a_thread,
    ) -> None:
        """Begins them; later, as `begin` does it. Raises DeviceError when they cannot be begun at the start."""
        self._watched = _Reopening(open_maps, clock, settings, begin)

    @property
    def trouble(self) -> str:
        """What is wrong with them; empty while they are well."""
        return self._watched.trouble

    def ask(self, sightings: Sequence[Sighting]) -> None:
        maps = self._watched.device()
        if maps is None or not sightings:
            return
        try:
            maps.ask(sightings)
        except DeviceError as problem:
            self._watched.is_lost(str(problem))

    def made(self) -> list[MappedSkin]:
        maps = self._watched.device()
        if maps is None:
            return []
        try:
            made = maps.made()
        except DeviceError as problem:
            self._watched.is_lost(str(problem))
            return []
        if made:
            self._watched.is_well()
        return made

    def close(self) -> None:
        self._watched.close()
