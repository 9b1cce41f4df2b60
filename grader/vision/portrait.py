"""A fruit's picture cut out of a frame, with its outline: what is kept of a view until the fruit's skin is mapped."""

from __future__ import annotations

import math
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from grader.domain.skin import PORTRAIT_PX, Portraits
from grader.vision.outline import Outlines

_WIDEST_MM = 100.0
"""A cup carries less."""


class Cuts(NamedTuple):
    """Where the portraits of m fruit lie in a picture, before anybody has copied them.

    picture: (h, w, 3) uint8, which the next frame will overwrite. corner: (2, m) int64, x and y of each portrait's left
    upper pixel. centre_px, radius_px: as in `Portraits`.
    """

    picture: NDArray[np.uint8]
    corner: NDArray[np.int64]
    centre_px: NDArray[np.float32]
    radius_px: NDArray[np.float32]

    def portraits(self, which: NDArray[np.int64] | slice = slice(None)) -> Portraits:
        """Copies of some of them, in that order."""
        x, y = self.corner[:, which]
        height, width = self.picture.shape[:2]
        windows = np.lib.stride_tricks.as_strided(
            self.picture,
            (height - PORTRAIT_PX + 1, width - PORTRAIT_PX + 1, PORTRAIT_PX, PORTRAIT_PX * 3),
            (self.picture.strides[0], self.picture.strides[1], self.picture.strides[0], 1),
            writeable=False,
        )
        pixels = windows[y, x].reshape(-1, PORTRAIT_PX, PORTRAIT_PX, 3)
        return Portraits(pixels, self.centre_px[which], self.radius_px[which])


def cuts_of(picture: NDArray[np.uint8], outlines: Outlines, shrink: int = 1) -> Cuts:
    """One of every outline, in their order. picture: (h, w, 3), where they were found. shrink: pixels of it to one of a
    portrait."""
    centre, radius = outlines.centre, outlines.radius
    if shrink > 1:
        size = (picture.shape[1] // shrink, picture.shape[0] // shrink)
        picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
        centre, radius = (centre + np.float32(0.5)) / shrink - np.float32(0.5), radius / shrink
    missing = [max(PORTRAIT_PX - side, 0) for side in picture.shape[:2]]
    if any(missing):  # a picture of a single small lane
        wider = cv2.copyMakeBorder(picture, 0, missing[0], 0, missing[1], cv2.BORDER_REPLICATE)
        picture = np.asarray(wider, np.uint8)
    height, width = picture.shape[:2]
    corner = np.rint(centre).astype(np.int64) - PORTRAIT_PX // 2
    np.clip(corner, 0, ((width - PORTRAIT_PX,), (height - PORTRAIT_PX,)), out=corner)
    return Cuts(picture, corner, (centre - corner).T.astype(np.float32), radius.astype(np.float32))


def shrink_for(mm_per_px: float) -> int:
    """Of a picture at this scale, so that a fruit fits into its portrait."""
    return math.ceil(_WIDEST_MM / (PORTRAIT_PX * mm_per_px))


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
