"""Colour by one look-up: every colour of 15 bits is classified once, when the calibration is loaded.

OpenCV packs a BGR pixel into 5 + 5 + 5 bits in a tenth of the time of an HSV conversion; radiometry, the
colour matrix and CIELAB are folded into tables over these 32,768 codes, at the middle of each bin. What compares
shades instead of naming colours looks single bands up, at their full 8 bits.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from grader.domain.colour import ColourCalibration

N_CODES = 1 << 15
Table = NDArray[np.float32]

_NOISE_COUNTS = 2.0

D65_WHITE = np.array([0.95047, 1.0, 1.08883])
SRGB_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
"""IEC 61966-2-1, linear sRGB (red, green, blue) to CIE XYZ, D65."""


@dataclass(frozen=True, slots=True)
class ColourTable:
    """What a 15-bit code means; these tables are (65536,) float32, as OpenCV's 16-bit look-up wants it.

    blush, ground: 1 where the colour is that of blush or of ground, 0 elsewhere (gloss, labels, grime are neither).
    ground_hue_deg: CIELAB hue angle under D65 where the colour is ground, 0 elsewhere.
    log_light: (256,) float32, natural logarithm of the light (1: full scale) of a band's count.
    """

    blush: Table
    ground: Table
    ground_hue_deg: Table
    log_light: Table


def linear_light(counts: NDArray[np.floating]) -> NDArray[np.floating]:
    """Light (0..1) of sRGB counts (0..255), by the curve of IEC 61966-2-1."""
    share = counts / 255.0
    return np.asarray(np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4))


def srgb_counts() -> NDArray[np.uint8]:
    """(256,) uint8: sRGB counts of the counts of a camera that follows light, the inverse of `linear_light`."""
    share = np.arange(256) / 255.0
    curved = np.where(share <= 0.0031308, share * 12.92, 1.055 * share ** (1 / 2.4) - 0.055)
    return np.asarray(np.rint(curved * 255.0), np.uint8)


def cielab(linear_srgb: NDArray[np.floating]) -> NDArray[np.floating]:
    """(..., 3) L*, a*, b* (CIE 15, D65, 2 degrees) of linear sRGB light, red first."""
    share = linear_srgb @ SRGB_TO_XYZ.T / D65_WHITE
    share = np.maximum(share, 0.0)
    root = np.where(share > (6 / 29) ** 3, np.cbrt(share), share * (29 / 6) ** 2 / 3 + 4 / 29)
    x, y, z = root[..., 0], root[..., 1], root[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def hue_deg(a: NDArray[np.floating], b: NDArray[np.floating]) -> NDArray[np.floating]:
    """CIELAB hue angle in degrees, -180..180."""
    return np.asarray(np.degrees(np.arctan2(b, a)))


def colour_table(calibration: ColourCalibration) -> ColourTable:
    """Fold a calibration into tables over the codes that `cv2.COLOR_BGR2BGR555` gives."""
    code = np.arange(N_CODES)
    counts = np.stack([(code >> 10) & 31, (code >> 5) & 31, code & 31], axis=-1) * 8.0 + 3.5  # red, green, blue
    light = linear_light(counts)
    lab = cielab(light @ np.array(calibration.to_srgb).T)
    hue = hue_deg(lab[:, 1], lab[:, 2])
    has_hue = np.hypot(lab[:, 1], lab[:, 2]) >= calibration.least_chroma
    blush = has_hue & (hue >= calibration.blush_from_deg) & (hue <= calibration.blush_to_deg)
    ground = has_hue & (hue > calibration.blush_to_deg) & (hue <= calibration.ground_to_deg)
    return ColourTable(
        blush=_table(blush),
        ground=_table(ground),
        ground_hue_deg=_table(hue * ground),
        log_light=log_light(),
    )


def log_light() -> Table:
    """(256,) float32: natural logarithm of the light of each count; what is darker than noise counts as noise."""
    light = linear_light(np.maximum(np.arange(256), _NOISE_COUNTS))
    return np.asarray(np.log(light), np.float32)


def _table(values: NDArray[np.generic]) -> Table:
    return np.resize(values.astype(np.float32), 2 * N_CODES)


def _has_wide_look_up() -> bool:
    """OpenCV learned to look 16-bit indices up in version 5."""
    try:
        cv2.LUT(np.zeros((1, 1), np.uint16), np.zeros(2 * N_CODES, np.float32))
    except cv2.error:
        return False
    return True


_WIDE_LOOK_UP = _has_wide_look_up()


def look_up(codes: NDArray[np.uint16], table: Table, out: NDArray[np.float32]) -> NDArray[np.float32]:
    """out = table[codes], all (rows, columns), by whichever is fastest here. table: (65536,) float32."""
    if _WIDE_LOOK_UP:
        cv2.LUT(codes, table, dst=out)
    else:
        np.take(table, codes, out=out, mode="clip")  # the mode in which numpy needs no buffer; no code is out of range
    return out
