"""Telling fruit from belt by the belt's own colour, as every frame shows it between the lanes.

Rollers and chain are lit and worn unevenly, but of one hue: their pixels lie on a line through black.
What lies off that line is not belt, however dark it is; what is far brighter than any roller is not either.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.uint8]


class BeltSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """margin_counts: how far over the belt's brightest a grey pixel must be to be something else."""

    strip_px: int = 4
    margin_counts: float = 12.0
    least_blue_counts: float = 8.0


class BeltColour(NamedTuple):
    """The belt in one frame: red and green counts per blue count, and the brightest that its green gets (counts)."""

    red_per_blue: float
    green_per_blue: float
    brightest: float


def belt_colour(strips: NDArray[np.uint8], settings: BeltSettings) -> BeltColour:
    """The belt's line of colour from pixels between the lanes, where no fruit reaches.

    strips: (n, 3) uint8 BGR. Medians, so that dirt, drops, leaves and labels lying there do not count
    as long as they cover less than half of it.
    """
    brightest = _quantile(strips[:, 1], 0.95)
    lit = strips[strips[:, 0] >= settings.least_blue_counts].astype(np.float32)
    if not len(lit):  # a belt as black as this has no hue of its own
        return BeltColour(1.0, 1.0, brightest)
    return BeltColour(_quantile(lit[:, 2] / lit[:, 0], 0.5), _quantile(lit[:, 1] / lit[:, 0], 0.5), brightest)


def _quantile(values: NDArray[np.generic], share: float) -> float:
    """The value that a share of all does not exceed; ten times as fast as numpy's, which sorts out NaN and ties."""
    place = int(share * (len(values) - 1))
    return float(np.partition(values, place)[place])


_STRIPE_PX = 128 * 1024
"""Pixels worked on at a time, so that a stripe's planes are still in the cache when they are read again."""


def _unlike_planes(n_px: int) -> list[Plane]:
    """(n_px,) for blue, green and red, no two of which begin alike within a cache line.

    Where they do, `cv2.split` writes around the cache, and all that comes after it waits for memory: three times as
    long for the split alone, twice for the whole distance. Left to the allocator, it happens in every other process.
    """
    line, apart = 64, 16
    stride = -(-n_px // line) * line + apart
    block = np.empty(3 * stride + line, np.uint8)
    first = -block.ctypes.data % line
    return [block[at : at + n_px] for at in range(first, first + 3 * stride, stride)]


class BeltDistance:
    """How far every pixel is from the belt's line of colour, in counts; buffers are made once."""

    def __init__(self, shape: tuple[int, int], settings: BeltSettings) -> None:
        self._settings = settings
        self._rows = max(_STRIPE_PX // shape[1], 1)
        n_px = self._rows * shape[1]
        self._planes = [*_unlike_planes(n_px), np.empty(n_px, np.uint8), np.empty(n_px, np.uint8)]
        self.counts = np.empty(shape, np.uint8)
        """(h, w) uint8: distance from the belt, 0 on it; linear in the share of a pixel that fruit covers."""

    def measure(self, picture: NDArray[np.uint8], belt: BeltColour) -> Plane:
        """Fill and return `counts` for a (h, w, 3) uint8 BGR picture."""
        for top in range(0, len(picture), self._rows):  # a loop over stripes: a sixth faster than all at once
            rows = slice(top, top + self._rows)
            self._measure_stripe(picture[rows], belt, out=self.counts[rows])
        return self.counts

    def _measure_stripe(self, picture: NDArray[np.uint8], belt: BeltColour, out: Plane) -> None:
        blue, green, red, of, over = (plane[: out.size].reshape(out.shape) for plane in self._planes)
        cv2.split(picture, [blue, green, red])
        as_bright = min(int(belt.brightest + self._settings.margin_counts), 255)
        cv2.subtract(green, np.array([as_bright, 0.0, 0.0, 0.0]), dst=over)  # stops at 0
        cv2.convertScaleAbs(blue, dst=of, alpha=belt.red_per_blue)
        cv2.absdiff(red, of, dst=red)
        cv2.convertScaleAbs(blue, dst=of, alpha=belt.green_per_blue)
        cv2.absdiff(green, of, dst=green)
        cv2.add(red, green, dst=red)
        cv2.max(red, over, dst=out)
