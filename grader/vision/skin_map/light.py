"""Counts of a portrait as light."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from grader.vision.colour import linear_light

DARK = np.float32(0.004)
"""Light added before logarithms: noise in the dark stays small."""
LIGHT = linear_light(np.arange(256.0)).astype(np.float32)
"""(256,) light of sRGB counts, 0..1."""
LOG_LIGHT = np.log(LIGHT + DARK)
"""(256,) its natural logarithm, DARK added."""


def log_light(counts: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Of every count, in the same shape."""
    return np.asarray(cv2.LUT(counts, LOG_LIGHT))
