"""The reference line: where its devices stand. The defaults of a station, in one place."""

from __future__ import annotations

from grader.domain.installation import CameraPlace, Gates, Installation, Line, Scale, Spectrometer

PULSES_PER_CUP, PULSES_PER_FRAME, MM_PER_PULSE = 96, 48, 1.0
WIDTH_PX, PX_PER_LANE, MARGIN_PX, MM_PER_PX = 1280, 150, 10, 0.8
LENS_ABOVE_MM, TURN_DEG_PER_PULSE, NOMINAL_MM = 1500.0, 0.47, 80.0
SCALE_MM, SPECTROMETER_MM = 1200.0, 1400.0

CAMERA = "top"

CROSSING_FRAMES = int(WIDTH_PX * MM_PER_PX / MM_PER_PULSE / PULSES_PER_FRAME) + 1
"""Frames while a cup's centre is in the picture."""


def reference_installation(
    *,
    fruit: str,
    variety: str,
    note: str,
    lanes: int,
    cups_per_second: float,
    cups_per_chain: int,
    bands: tuple[str, ...],
    wavelengths_nm: tuple[float, ...],
) -> Installation:
    """One camera over all lanes, a scale and a spectrometer in each, eight outlets."""
    height_px = lanes * PX_PER_LANE + MARGIN_PX
    return Installation(
        fruit=fruit,
        variety=variety,
        note=note,
        line=Line(
            lanes=lanes,
            pulses_per_cup=PULSES_PER_CUP,
            mm_per_pulse=MM_PER_PULSE,
            cups_per_second=cups_per_second,
            cups_per_chain=cups_per_chain,
        ),
        cameras={
            CAMERA: CameraPlace(
                width_px=WIDTH_PX,
                height_px=height_px,
                bands=bands,
                mm_per_px=MM_PER_PX,
                cup_zero_px=(0.0, (MARGIN_PX + PX_PER_LANE) / 2.0),
                lane_pitch_px=float(PX_PER_LANE),
                pulses_per_frame=PULSES_PER_FRAME,
                lens_above_mm=LENS_ABOVE_MM,
                optical_centre_px=(WIDTH_PX / 2.0, height_px / 2.0),
                seat="rollers",
                turn_deg_per_pulse=TURN_DEG_PER_PULSE,
            )
        },
        spectrometers={
            "main": Spectrometer(lanes=tuple(range(lanes)), position_mm=SPECTROMETER_MM, wavelengths_nm=wavelengths_nm)
        },
        scale=Scale(position_mm=SCALE_MM),
        gates=Gates(),
    )
