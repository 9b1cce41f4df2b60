"""The live line's scales and spectrometers: what they say of the cups that passed, and what can go wrong with them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from grader.domain.frames import Scan, Weighing
from grader.domain.installation import Installation
from grader.units import HostNs, Pulse
from hardware.message_link import MessageLink
from hardware.sensor_link import SensorSender
from hardware.sim.board import SimulatedBoard
from hardware.sim.feed import Feed
from hardware.sim.loop_camera import LineSource

SATURATED_COUNTS = 65535.0


class SensorBox:
    """Tells the station of every cup that was fed.

    silent_lanes: whose scale says nothing. stuck_lanes: lane to what its scale says of every cup, None until it has
    said it once. spectrum: "good", "dark", "saturated" or "silent".
    """

    def __init__(self, source: LineSource, installation: Installation, feed: Feed) -> None:
        self._source, self._installation, self._feed = source, installation, feed
        self._link: MessageLink | None = None
        self._sender: SensorSender | None = None
        self.dropped = 0
        self.silent_lanes: set[int] = set()
        self.stuck_lanes: dict[int, float | None] = {}
        self.spectrum = "good"

    def serve(self, link: MessageLink, now: HostNs) -> None:
        """A station has connected. What it hears first are dark and white, which a spectrometer keeps."""
        self.hang_up()
        self._link, self._sender = link, SensorSender(link)
        for scan in self._source.reference_scans():
            self._send(scan, now)

    def hang_up(self) -> None:
        """Close the station's connection. Idempotent."""
        if self._link is not None:
            self._link.close()
            self._link = self._sender = None

    def read(self, first: Pulse, last: Pulse, board: SimulatedBoard, now: HostNs) -> None:
        """Everything that passed a sensor while the belt went from first to last. Sensors latch the board's count."""
        readings: list[Weighing | Scan] = [
            *self._source.weighings_between(first, last),
            *self._source.scans_between(first, last),
        ]
        for reading in readings:
            said = self._said(reading)
            if said is not None and self._is_fed(reading):
                self._send(replace(said, pulse=Pulse(board.count_at(reading.pulse))), now)
        if self._sender is not None:
            self._sender.flush()

    def _said(self, reading: Weighing | Scan) -> Weighing | Scan | None:
        if isinstance(reading, Weighing):
            if reading.lane in self.silent_lanes:
                return None
            if reading.lane in self.stuck_lanes:
                stuck = self.stuck_lanes[reading.lane]
                self.stuck_lanes[reading.lane] = stuck = reading.mass_g if stuck is None else stuck
                return replace(reading, mass_g=stuck)
            return reading
        match self.spectrum:
            case "silent":
                return None
            case "dark":
                return replace(reading, counts=np.zeros_like(reading.counts))
            case "saturated":
                return replace(reading, counts=np.full_like(reading.counts, SATURATED_COUNTS))
        return reading

    def _send(self, reading: Weighing | Scan, now: HostNs) -> None:
        if self._sender is not None and not self._sender.send(replace(reading, t_ns=now)):
            self.dropped += 1

    def _is_fed(self, reading: Weighing | Scan) -> bool:
        installation = self._installation
        if isinstance(reading, Weighing):
            position_mm = installation.scale.position_mm if installation.scale else 0.0
        else:
            position_mm = installation.spectrometers[reading.spectrometer].position_mm
        line = installation.line
        return self._feed.holds((reading.pulse - position_mm / line.mm_per_pulse) / line.pulses_per_cup)
