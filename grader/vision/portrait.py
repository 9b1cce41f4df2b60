"""A fruit's picture cut out of a frame, with its outline: what is kept of a view until the fruit's skin is mapped."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from grader.vision.outline import Outlines

PORTRAIT_PX = 64
"""Side of a portrait in the pixels of the eye's working plane, of 1.6 mm on the reference line: 102 mm."""


class Portraits(NamedTuple):
    """v portraits. pixels: (v, PORTRAIT_PX, PORTRAIT_PX, 3) uint8 blue, green, red. centre_px: (v, 2) float32, x and y
    of the outline's centre in the portrait. radius_px: (v, N_RAYS) float32, as in `Outlines`."""

    pixels: NDArray[np.uint8]
    centre_px: NDArray[np.float32]
    radius_px: NDArray[np.float32]

    def on_one_strip(self) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """All below each other in one picture, (v * PORTRAIT_PX, PORTRAIT_PX, 3), and the centres there, (2, v)."""
        below = np.arange(len(self.pixels), dtype=np.float32) * PORTRAIT_PX
        return self.pixels.reshape(-1, PORTRAIT_PX, 3), np.stack([self.centre_px[:, 0], self.centre_px[:, 1] + below])

    def sample(self, x_px: NDArray[np.float32], y_px: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Colours at places (v, ...) of each portrait, between its pixels: (v, n, 3), n places each."""
        stacked, _ = self.on_one_strip()
        views = len(self.pixels)
        below = np.arange(views, dtype=np.float32)[:, None] * PORTRAIT_PX
        y = np.clip(y_px.reshape(views, -1), 0, PORTRAIT_PX - 1) + below
        colours = cv2.remap(stacked, x_px.reshape(views, -1), y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(colours, np.uint8)


def portraits(picture: NDArray[np.uint8], outlines: Outlines) -> Portraits:
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
