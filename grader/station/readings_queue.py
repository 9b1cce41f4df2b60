"""Weighings and scans dealt out in the order of their pulses."""

from __future__ import annotations

from collections.abc import Sequence

from grader.domain.frames import Readings, Scan, Weighing
from grader.units import Pulse


class ReadingsByPulse:
    """Deals each of them once."""

    def __init__(self, weighings: Sequence[Weighing], scans: Sequence[Scan]) -> None:
        self._weighings = sorted(weighings, key=lambda weighing: weighing.pulse)
        self._scans = sorted(scans, key=lambda scan: scan.pulse)
        self._weighed = self._scanned = 0

    def up_to(self, pulse: Pulse) -> Readings:
        """Those not dealt yet whose pulse has come."""
        weighed, scanned = self._weighed, self._scanned
        while self._weighed < len(self._weighings) and self._weighings[self._weighed].pulse <= pulse:
            self._weighed += 1
        while self._scanned < len(self._scans) and self._scans[self._scanned].pulse <= pulse:
            self._scanned += 1
        return Readings(tuple(self._weighings[weighed : self._weighed]), tuple(self._scans[scanned : self._scanned]))

    def rest(self) -> Readings:
        """Those that are left."""
        weighed, scanned = self._weighed, self._scanned
        self._weighed, self._scanned = len(self._weighings), len(self._scans)
        return Readings(tuple(self._weighings[weighed:]), tuple(self._scans[scanned:]))
