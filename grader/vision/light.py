"""Counts of a picture as light. Logarithms of it make a share of light a step, wherever it starts from."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

DARK = np.float32(0.004)
"""Light added before logarithms: noise in the dark stays small."""


def linear_light(counts: NDArray[np.floating]) -> NDArray[np.floating]:
    """Light (0..1) of sRGB counts (0..255), by the curve of IEC 61966-2-1."""
    share = counts / 255.0
    return np.asarray(np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4))


def srgb_counts() -> NDArray[np.uint8]:
    """(256,) uint8: sRGB counts of the counts of a camera that follows light, the inverse of `linear_light`."""
    share = np.arange(256) / 255.0
    curved = np.where(share <= 0.0031308, share * 12.92, 1.055 * share ** (1 / 2.4) - 0.055)
    return np.asarray(np.rint(curved * 255.0), np.uint8)


_LIGHT = linear_light(np.arange(256.0)).astype(np.float32)
_LOG_LIGHT = np.log(_LIGHT + DARK)


def light_of(counts: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Light (0..1) of sRGB counts, in the same shape."""
    return np.asarray(cv2.LUT(counts, _LIGHT))


def log_light(counts: NDArray[np.uint8], out: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
    """Its natural logarithm, DARK added."""
    return np.asarray(cv2.LUT(counts, _LOG_LIGHT, dst=out))
