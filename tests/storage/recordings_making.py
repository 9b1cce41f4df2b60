"""Small recordings to test with: two lanes, two cameras (one with nir), a scale, a spectrometer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grader.domain.decisions import GateOutcome, Result
from grader.domain.frames import Frame, Scan, Weighing
from grader.domain.installation import ArtefactMark, CameraPlace, Installation, Line, LotMark, Scale, Spectrometer
from grader.storage.recordings import PackedWriter, RecordingWriter, Writer
from grader.units import HostNs, Pulse

TOP, SIDE = "top", "side"


def installation() -> Installation:
    """Pictures of 40 x 33 px: odd on purpose, and not a whole number of the codec's 32 rows. Coarse, so that
    a lane and a cup have the room that fruit need."""
    top = CameraPlace(
        width_px=40,
        height_px=33,
        bands=("blue", "green", "red"),
        mm_per_px=3.0,
        cup_zero_px=(0.0, 8.0),
        lane_pitch_px=15.0,
        pulses_per_frame=48,
    )
    side = CameraPlace(
        width_px=24,
        height_px=70,
        bands=("red", "nir", "green", "blue"),
        mm_per_px=3.0,
        cup_zero_px=(0.5, 8.25),
        lane_pitch_px=15.5,
        pulses_per_frame=48,
        lens_above_mm=1500.0,
        optical_centre_px=(12.0, 35.0),
        seat="rollers",
        turn_deg_per_pulse=0.47,
        transfer="linear",
    )
    return Installation(
        fruit="apple",
        variety='Fuji "red" \\ 富士',
        note="two\nlines",
        line=Line(lanes=2, pulses_per_cup=96, mm_per_pulse=1.0, cups_per_second=12.0, cups_per_chain=480, first_cup=3),
        cameras={TOP: top, SIDE: side},
        spectrometers={"main": Spectrometer(lanes=(0, 1), position_mm=1400.0, wavelengths_nm=(600.0, 601.2, 602.25))},
        scale=Scale(position_mm=1200.0),
        lots=(LotMark(name="2026-11-22/1", first_cup=(0, 4), grower="Zhang"),),
        artefacts=(ArtefactMark(name="colour", sha256="ab" * 32),),
    )


def pixels(camera: str, seed: int) -> NDArray[np.uint8]:
    """Noise of the camera's shape: nothing survives by being smooth."""
    place = installation().cameras[camera]
    shape = (place.height_px, place.width_px, len(place.bands))
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def frame(camera: str, sequence: int, *, lost: bool = False, pulse: int | None = None) -> Frame:
    """Frame number `sequence`, its noise seeded by its number."""
    picture = None if lost else pixels(camera, sequence)
    at = Pulse(48 * sequence if pulse is None else pulse)
    return Frame(camera, sequence, at, HostNs(1_000 * sequence), picture)


def fill(writer: Writer, n_frames: int = 4) -> None:
    """Frames of both cameras (one lost), a reading of each kind with each frame, one dark picture, truth."""
    writer.write_frame(frame(TOP, 900), kind="dark", exposure_us=300.0)
    for number in range(n_frames):
        writer.write_frame(frame(TOP, number, lost=number == 2))
        writer.write_frame(frame(SIDE, number))
        pulse, t_ns, lane = Pulse(48 * number), HostNs(1_000 * number), number % 2
        writer.write_weighing(Weighing(lane, pulse, t_ns, 150.1 + number if number != 1 else float("nan")))
        counts = np.array([100.5, 3e7, number], np.float32)
        writer.write_scan(Scan(lane, pulse, t_ns, counts[: 2 if number == 1 else 3], integration_us=2500.0))
        writer.write_index_mark(t_ns, pulse)
        writer.write_outcome(
            GateOutcome(
                lane=lane,
                cup=number,
                outlet=3,
                open_pulse=pulse,
                close_pulse=Pulse(pulse + 96),
                fired_pulse=None if number == 1 else pulse,
                result=Result.REFUSED if number == 1 else Result.FIRED,
                reason="7, full" if number == 1 else "",
            )
        )
    writer.write_truth([{"lane": 0, "cup": 0, "diameter_mm": 78.125}, {"lane": 1, "cup": 1, "condition": "minor, a"}])


def folder(path: Path, **options: Any) -> Path:
    """A sound recording in the open form."""
    with RecordingWriter(path, installation()) as writer:
        fill(writer, **options)
    return path


def packed(path: Path, **options: Any) -> Path:
    """The same, packed."""
    with PackedWriter(path, installation()) as writer:
        fill(writer, **options)
    return path
