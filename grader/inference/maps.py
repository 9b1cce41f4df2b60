"""Whoever maps skins: at once, or in processes of their own on other cores."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import threading
import time
from collections import deque
from collections.abc import Sequence
from multiprocessing.connection import Connection

import cv2

from grader.domain.colour import ColourCalibration
from grader.domain.installation import CameraPlace
from grader.domain.skin import MappedSkin, Sighting, SkinMeasures
from grader.errors import DeviceError
from grader.processes import born_deaf_to_ctrl_c, keep_memory
from grader.vision.skin_map.landmarks import landmarks
from grader.vision.skin_map.mapper import MapSettings, SkinMap, SkinMapper
from grader.vision.skin_map.measures import measured, spots_on
from grader.vision.skin_map.picture import picture_of

MOST_WAITING = 96
"""Fruit that wait to be mapped, most of a second of the fastest line: the map of an older one comes too late."""
TOGETHER = 8
"""Fruit that are mapped together: a row of cups of the widest line."""
_END_S = 2.0
_JPEG = (cv2.IMWRITE_JPEG_QUALITY, 85)


class MapSkins:
    """Maps at once, for a replay: the line waits."""

    def __init__(self, camera: CameraPlace, colours: ColourCalibration, settings: MapSettings) -> None:
        self._camera, self._colours, self._settings = camera, colours, settings
        self._mapper = SkinMapper(camera, settings)

    def of(self, sightings: Sequence[Sighting]) -> list[MappedSkin]:
        """One of each, in their order."""
        began = time.perf_counter()
        maps = self._mapper.map(sightings)
        made = [self._measures(skin_map) for skin_map in maps]
        took_ms = (time.perf_counter() - began) * 1e3 / max(len(sightings), 1)
        return [
            MappedSkin(sighting.lane, sighting.cup, measures, took_ms, self._drawn(sighting, skin_map))
            for sighting, skin_map, measures in zip(sightings, maps, made, strict=True)
        ]

    def _drawn(self, sighting: Sighting, skin_map: SkinMap | None) -> bytes:
        if not sighting.to_draw:
            return b""
        spots = ends = None
        if skin_map is not None:
            spots = spots_on(skin_map, self._settings)
            ends = landmarks(sighting, skin_map, self._camera, self._settings)
        _, encoded = cv2.imencode(".jpg", picture_of(sighting.portraits, skin_map, spots, ends), _JPEG)
        return encoded.tobytes()

    def _measures(self, skin_map: SkinMap | None) -> SkinMeasures | None:
        if skin_map is None:
            return None
        return measured(skin_map, self._colours, self._settings, self._camera.pulses_per_frame)


class MapProcess:
    """A process that maps, for a line that waits for nobody. One thread hands fruit over and takes the maps."""

    def __init__(self, camera: CameraPlace, colours: ColourCalibration, settings: MapSettings) -> None:
        """Raises DeviceError when no process can be started."""
        context = multiprocessing.get_context("spawn")
        fruit, self._fruit = context.Pipe(duplex=False)
        self._maps, maps = context.Pipe(duplex=False)
        self._process = context.Process(
            target=_work, args=(fruit, maps, camera, colours, settings), daemon=True, name="maps"
        )
        try:
            with born_deaf_to_ctrl_c():
                self._process.start()
            with contextlib.suppress(OSError, AttributeError):  # not everybody may, not every system can
                # From its birth on: what it reads in before it works takes a core for a second.
                os.sched_setscheduler(self.pid, os.SCHED_IDLE, os.sched_param(0))  # a core is the line's, at once
        except OSError as problem:
            raise DeviceError(f"no process for maps of skin can be started: {problem}") from problem
        finally:
            fruit.close()  # only the process's own ends stay open, so that its end is seen here
            maps.close()
        self._waiting: deque[Sighting] = deque(maxlen=MOST_WAITING)
        self._asked, self._closing = threading.Condition(), False
        self._sender = threading.Thread(target=self._send, name="maps", daemon=True)
        self._sender.start()

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid or 0

    def ask(self, sightings: Sequence[Sighting]) -> None:
        """Have fruit mapped. Never waits: where there are too many, those that have waited longest are not mapped.
        Raises DeviceError when the process is gone."""
        if not self._process.is_alive():
            raise DeviceError("the process that maps skins has ended")
        with self._asked:
            self._waiting.extend(sightings)
            self._asked.notify()

    def made(self) -> list[MappedSkin]:
        """Maps since the last call. Never waits. Raises DeviceError when the process is gone."""
        made: list[MappedSkin] = []
        try:
            while self._maps.poll():
                made += self._maps.recv()
        except (EOFError, OSError):
            raise DeviceError("the process that maps skins has ended") from None
        return made

    def kill(self) -> None:
        """Have it end, without waiting for that."""
        self._process.kill()

    def close(self) -> None:
        """End it. Idempotent."""
        self.kill()
        self._process.join(_END_S)
        with self._asked:
            self._closing = True
            self._asked.notify()
        self._sender.join(_END_S)
        self._fruit.close()
        self._maps.close()

    def _send(self) -> None:
        """A pipe takes a fruit of 300 kB only as fast as it is read: the line does not wait for that. The latest come
        first: where there are too many, their maps are in time, and those of the others never would be."""
        with contextlib.suppress(OSError):
            while batch := self._latest():
                self._fruit.send(batch)

    def _latest(self) -> list[Sighting]:
        """Some that wait, in the order in which they came; none when all is over."""
        with self._asked:
            self._asked.wait_for(lambda: self._waiting or self._closing)
            return (
                [] if self._closing else [self._waiting.pop() for _ in range(min(len(self._waiting), TOGETHER))][::-1]
            )


class MapProcesses:
    """Several of them, each for lanes of its own: one that is hardly ever idle would keep fruit waiting for others."""

    def __init__(self, count: int, camera: CameraPlace, colours: ColourCalibration, settings: MapSettings) -> None:
        """Raises DeviceError when not all can be started."""
        with contextlib.ExitStack() as undo:
            self._processes: list[MapProcess] = []
            for _ in range(count):
                self._processes.append(MapProcess(camera, colours, settings))
                undo.callback(self._processes[-1].close)
            undo.pop_all()

    @property
    def pids(self) -> list[int]:
        """Of the processes."""
        return [process.pid for process in self._processes]

    def ask(self, sightings: Sequence[Sighting]) -> None:
        """As `MapProcess.ask`; raises DeviceError when any of them is gone."""
        for index, process in enumerate(self._processes):
            process.ask([each for each in sightings if each.lane % len(self._processes) == index])

    def made(self) -> list[MappedSkin]:
        """As `MapProcess.made`, likewise."""
        return [made for process in self._processes for made in process.made()]

    def close(self) -> None:
        """End all. Idempotent."""
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.close()


def _work(
    fruit: Connection, made: Connection, camera: CameraPlace, colours: ColourCalibration, settings: MapSettings
) -> None:
    keep_memory()
    cv2.setNumThreads(1)
    maps = MapSkins(camera, colours, settings)
    with contextlib.suppress(EOFError, OSError):  # whoever asked is gone
        while True:
            made.send(maps.of(fruit.recv()))
