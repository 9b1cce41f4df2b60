"""A thin copy of a picture, to tell whether the next one shows something else.

Noise makes every picture its own. One that is the same to the last count was not taken anew: the camera, or what stands
between it and the station, gives an old picture out again. It makes the bands of a pixel differ as well: a picture in
which they never do was taken without light, or has lost its colours on the way.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_EVERY_ROWS = 16
"""Three rows at least go through a fruit of 40 mm at 0.8 mm a pixel; all of them take 0.03 ms to copy."""
_MOVED_COUNTS = 24
"""Beyond any noise: six times the standard deviation of the difference of two counts at a noise of 3."""
_MOVED_SHARE = 0.002
"""A single fruit of 60 mm that moved by half a cup changes 1 % of a picture of 1280 x 610."""

_DARK_COUNTS, _SHOWN_COUNTS = 8, 40
"""What a picture without light stays below, and the difference between a belt and anything that lies on it."""


def sight_of(pixels: NDArray[np.uint8]) -> bytes:
    """Some rows of a picture, (height, width, n_bands) uint8."""
    first = min(_EVERY_ROWS, len(pixels)) // 2
    return pixels[first::_EVERY_ROWS].tobytes()


def has_moved(before: bytes, now: bytes) -> bool:
    """Whether two sights of one camera show things in different places, however bright the light was for each."""
    one, other = (np.frombuffer(sight, np.uint8).astype(np.float32) for sight in (before, now))
    one *= (other.mean() + 1.0) / (one.mean() + 1.0)
    return bool(np.mean(np.abs(one - other) > _MOVED_COUNTS) > _MOVED_SHARE)


def is_colourless(sight: bytes, n_bands: int) -> bool:
    """Whether all bands of a sight are the same everywhere, though it shows something or is dark all over.

    A bare belt drawn in one grey, as no camera shows one, is neither.
    """
    pixels = np.frombuffer(sight, np.uint8).reshape(-1, n_bands)
    if n_bands == 1 or not all(bool((some[:, 1:] == some[:, :1]).all()) for some in (pixels[::64], pixels)):
        return False
    brightest = int(pixels.max())
    return brightest < _DARK_COUNTS or brightest - int(pixels.min()) > _SHOWN_COUNTS
