"""What the devices say: frames, weighings, scans."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grader.units import HostNs, Pulse


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture of the belt.

    pixels: (height, width, n_bands) uint8, the order of bands as `CameraPlace.bands`. A view into a
        preallocated slot: valid until the frame is released to its camera. None: the picture was
        announced and lost or damaged (`damage` says how).
    pulse: the encoder's count at mid-exposure. sequence: the camera's own count, gaps are lost frames.
    t_ns: host time of arrival (live) or the recording's own.
    """

    camera: str
    sequence: int
    pulse: Pulse
    t_ns: HostNs
    pixels: NDArray[np.uint8] | None
    damage: str = ""


@dataclass(frozen=True, slots=True)
class Weighing:
    """One fruit over the bridge. mass_g as read, tare of the cup not taken off; NaN: not a number."""

    lane: int
    pulse: Pulse
    t_ns: HostNs
    mass_g: float


@dataclass(frozen=True, slots=True)
class Scan:
    """One spectrum. counts: (n_channels,) float32 raw counts, NaN where a value was no number.

    kind: "sample" (a fruit), "dark" (shutter closed) or "white" (reference tile).
    Temperatures are NaN when the device has no such sensor.
    """

    lane: int
    pulse: Pulse
    t_ns: HostNs
    counts: NDArray[np.float32]
    kind: str = "sample"
    integration_us: float = float("nan")
    fruit_temp_c: float = float("nan")
    instrument_temp_c: float = float("nan")
    spectrometer: str = "main"


@dataclass(frozen=True, slots=True)
class Readings:
    """What the scale and the spectrometers said since the last frame, oldest first."""

    weighings: tuple[Weighing, ...] = ()
    scans: tuple[Scan, ...] = ()


NO_READINGS = Readings()


@dataclass(frozen=True, slots=True)
class Trigger:
    """The board's report: it fired exposure number `number` at `pulse`."""

    number: int
    pulse: Pulse
