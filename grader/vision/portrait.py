"""A fruit's picture cut out of a frame, with its outline: what is kept of a view until the fruit's skin is mapped."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from grader.domain.skin import PORTRAIT_PX, Portraits
from grader.vision.outline import Outlines


def portraits_of(picture: NDArray[np.uint8], outlines: Outlines) -> Portraits:
    """One of every outline, in their order. picture: (h, w, 3), where they were found; no smaller than a portrait."""
    height, width = picture.shape[:2]
    corner = np.rint(outlines.centre).astype(np.int64) - PORTRAIT_PX // 2
    x, y = np.clip(corner[0], 0, width - PORTRAIT_PX), np.clip(corner[1], 0, height - PORTRAIT_PX)
    windows = np.lib.stride_tricks.as_strided(
        picture,
        (height - PORTRAIT_PX + 1, width - PORTRAIT_PX + 1, PORTRAIT_PX, PORTRAIT_PX * 3),
        (picture.strides[0], picture.strides[1], picture.strides[0], 1),
        writeable=False,
    )
    pixels = windows[y, x].reshape(-1, PORTRAIT_PX, PORTRAIT_PX, 3)
    return Portraits(pixels, (outlines.centre - (x, y)).T.astype(np.float32), outlines.radius)


def on_one_strip(portraits: Portraits) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """All below each other in one picture, (v * PORTRAIT_PX, PORTRAIT_PX, 3), and the centres there, (2, v)."""
    below = np.arange(len(portraits.pixels), dtype=np.float32) * PORTRAIT_PX
    centre = np.stack([portraits.centre_px[:, 0], portraits.centre_px[:, 1] + below])
    return portraits.pixels.reshape(-1, PORTRAIT_PX, 3), centre


def sampled(portraits: Portraits, x_px: NDArray[np.float32], y_px: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Colours at places (v, ...) of each portrait, between its pixels: (v, n, 3), n places each."""
    strip, _ = on_one_strip(portraits)
    views = len(portraits.pixels)
    below = np.arange(views, dtype=np.float32)[:, None] * PORTRAIT_PX
    y = np.clip(y_px.reshape(views, -1), 0, PORTRAIT_PX - 1) + below
    colours = cv2.remap(strip, x_px.reshape(views, -1), y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(colours, np.uint8)
