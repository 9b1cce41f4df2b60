"""A whole run of the simulated line: as a recording with its truth, or as a loop of pictures for a live line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from grader.domain.frames import Frame, Scan, Weighing
from grader.units import HostNs, Pulse
from hardware.sim.crew import pictures
from hardware.sim.line import LineSettings, SimulatedLine
from hardware.sim.loop_camera import PreparedLine
from hardware.sim.motion import EARLY_FRAMES
from hardware.sim.reference import CAMERA, CROSSING_FRAMES, PULSES_PER_CUP, PULSES_PER_FRAME, SPECTROMETER_MM

EMPTY_FRAMES = 8

Progress = Callable[[float], None]
"""Told the share done, 0..1."""


class RecordingWriter(Protocol):
    """Whoever keeps a recording: it is handed in, the line knows no files."""

    def write_frame(self, frame: Frame) -> None: ...

    def write_weighing(self, weighing: Weighing) -> None: ...

    def write_scan(self, scan: Scan) -> None: ...

    def write_index_mark(self, t_ns: HostNs, pulse: Pulse) -> None: ...

    def write_truth(self, truth: Iterable[Mapping[str, Any]]) -> None: ...


def simulate(
    settings: LineSettings,
    writer: RecordingWriter,
    progress: Progress = lambda share: None,
    *,
    workers: int | None = None,
) -> None:
    """Runs all fruit over the line and writes what its devices say, in the order of the belt, then the truth.

    Readings go on after the last picture until the last cup has passed the spectrometer. workers: see `pictures`.
    """
    line = SimulatedLine(settings)
    for scan in line.reference_scans():
        writer.write_scan(scan)
    count = line.n_frames()
    told = Pulse(0)
    for sequence, pixels in enumerate(pictures(line, range(count), workers)):
        pulse = line.pulse_of_frame(sequence)
        _tell(line, writer, told, pulse)
        told = pulse
        writer.write_frame(Frame(CAMERA, sequence, pulse, line.t_ns_at(pulse), pixels))
        progress((sequence + 1) / count)
    end = int(line.n_cups * PULSES_PER_CUP + SPECTROMETER_MM / line.installation.line.mm_per_pulse)
    _tell(line, writer, told, Pulse(max(end, told)))
    writer.write_truth(asdict(row) for row in line.truth())


def _tell(line: SimulatedLine, writer: RecordingWriter, first: Pulse, last: Pulse) -> None:
    """Writes index marks, weighings and scans of first <= pulse < last."""
    per_chain = line.settings.cups_per_chain * PULSES_PER_CUP
    for mark in range(-(-first // per_chain) * per_chain, last, per_chain):
        writer.write_index_mark(line.t_ns_at(mark), Pulse(mark))
    for weighing in line.weighings_between(first, last):
        writer.write_weighing(weighing)
    for scan in line.scans_between(first, last):
        writer.write_scan(scan)


def prepared_loop(
    settings: LineSettings, progress: Progress = lambda share: None, *, workers: int | None = None
) -> NDArray[np.uint8]:
    """The pictures of a looping line, (2 * loop_cups, height, width, bands) uint8: picture n is what the camera sees at
    frame n, n + 2 * loop_cups and so on, once the picture is full. Only noise would differ from round to round."""
    return _loop(SimulatedLine(settings), progress, workers)


def _loop(line: SimulatedLine, progress: Progress, workers: int | None) -> NDArray[np.uint8]:
    cups = line.settings.loop_cups
    if cups is None:
        raise ValueError("a line without loop_cups has no loop; say after how many cups its fruit come again")
    place = line.installation.cameras[CAMERA]
    count = cups * PULSES_PER_CUP // PULSES_PER_FRAME
    start = -(-(CROSSING_FRAMES + EARLY_FRAMES) // count) * count  # whole rounds, until cup 0 has left the picture
    loop = np.empty((count, place.height_px, place.width_px, len(place.bands)), np.uint8)
    for index, pixels in enumerate(pictures(line, range(start, start + count), workers)):
        loop[index] = pixels
        progress((index + 1) / count)
    return loop


def prepare_simulated_line(settings: LineSettings, progress: Progress) -> PreparedLine:
    """What a live run needs: the loop, the belt without fruit, and the line that answers for scale and spectrometer."""
    line = SimulatedLine(settings)
    loop = _loop(line, progress, None)
    bare = np.empty((EMPTY_FRAMES, *loop.shape[1:]), np.uint8)
    for sequence in range(EMPTY_FRAMES):
        line.render_belt_into(sequence, bare[sequence])
    return PreparedLine(line, loop, bare)
