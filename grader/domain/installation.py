"""What the devices are and where they stand: the line, its cameras, sensors and gates.

The same records describe a recording (`recording.toml`) and a live station (`station.toml`).
Positions along the belt count from cup zero: the centre of cup 0 at pulse 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

COLOURS = ("blue", "green", "red")
"""The bands of an ordinary picture; a camera may have further ones."""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """Cups on a chain. Identity of a fruit is (lane, cup serial), from the encoder."""

    lanes: int
    pulses_per_cup: int
    mm_per_pulse: float
    cups_per_second: float
    cups_per_chain: int | None = None
    first_cup: int = 0

    @property
    def pulses_per_s(self) -> float:
        """Encoder pulses per second at the rated speed."""
        return self.cups_per_second * self.pulses_per_cup


class CameraPlace(msgspec.Struct, frozen=True, kw_only=True):
    """One camera: its picture, its scale and where it looks.

    mm_per_px holds at the height of the widest section of a fruit of 80 mm; cup_zero_px is the
    picture's (x, y) of the centre of cup 0 of lane 0 at pulse 0. Cups move towards larger x.
    """

    width_px: int
    height_px: int
    bands: tuple[str, ...]
    mm_per_px: float
    cup_zero_px: tuple[float, float]
    lane_pitch_px: float
    pulses_per_frame: int
    lens_above_mm: float | None = None
    optical_centre_px: tuple[float, float] | None = None
    seat: Literal["rollers"] | None = None
    turn_deg_per_pulse: float | None = None
    transfer: Literal["srgb", "linear"] = "srgb"


class Spectrometer(msgspec.Struct, frozen=True, kw_only=True):
    """One spectrometer and the lanes it looks into; wavelengths_nm, one per channel, rising."""

    lanes: tuple[int, ...]
    position_mm: float
    wavelengths_nm: tuple[float, ...]


class Scale(msgspec.Struct, frozen=True, kw_only=True):
    """The weighing bridge of every lane; counts become grams by zero and slope, per lane."""

    position_mm: float
    zero_counts: tuple[float, ...] | None = None
    g_per_count: tuple[float, ...] | None = None


class Gates(msgspec.Struct, frozen=True, kw_only=True):
    """Outlets of every lane. Outlet 0 is the default outlet, off the end of the belt, no gate;
    outlets 1..outlets have a gate each, outlet n at first_mm + (n - 1) * pitch_mm."""

    outlets: int = 8
    first_mm: float = 2000.0
    pitch_mm: float = 600.0
    decision_mm: float = 1500.0
    lead_pulses: int = 60
    opening_ms: float = 30.0
    closing_ms: float = 30.0

    def position_mm(self, outlet: int) -> float:
        """Centre of the gate of outlet 1..outlets, mm after cup zero."""
        return self.first_mm + (outlet - 1) * self.pitch_mm


class LotMark(msgspec.Struct, frozen=True, kw_only=True):
    """Where a lot begins: first_cup, one cup serial per lane."""

    name: str
    first_cup: tuple[int, ...]
    grower: str = ""
    variety: str = ""


class ArtefactMark(msgspec.Struct, frozen=True, kw_only=True):
    """A calibration, sheet or model in force when the recording was made."""

    name: str
    sha256: str


class Installation(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that stands on the floor of the packing house, as the station needs to know it."""

    fruit: str
    line: Line
    cameras: dict[str, CameraPlace]
    variety: str = ""
    note: str = ""
    spectrometers: dict[str, Spectrometer] = {}
    scale: Scale | None = None
    gates: Gates = Gates()
    lots: tuple[LotMark, ...] = ()
    artefacts: tuple[ArtefactMark, ...] = ()


def usual_camera(names: Sequence[str]) -> str:
    """The camera that fruit are graded by: the one above the belt, "top", else the first that is described."""
    return "top" if "top" in names else names[0]
