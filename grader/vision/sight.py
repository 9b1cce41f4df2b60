"""A thin copy of a picture, to tell whether the next one shows something else.

Noise makes every picture its own. One that is the same to the last count was not taken anew: the camera, or what stands
between it and the station, gives an old picture out again. It makes the bands of a pixel differ as well: a picture in
which they never do was taken without light, or has lost its colours on the way. And it lets no two pixels be the same
for long: where a whole line of them is, the picture did not come whole, and something filled it up.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from grader.domain.installation import CameraPlace

KNOWN_AGAIN = 24
"""Pictures back that one is known again: as many as show one cup."""
_EVERY_ROWS = 16
"""Three rows at least go through a fruit of 40 mm at 0.8 mm a pixel; all of them take 0.03 ms to copy."""
_MOVED_COUNTS = 24
"""Beyond any noise: six times the standard deviation of the difference of two counts at a noise of 3."""
_MOVED_SHARE = 0.002
"""A single fruit of 60 mm that moved by half a cup changes 1 % of a picture of 1280 x 610."""

_FILLED_COUNTS, _STRANGE_SHARE = 12, 0.02
"""By so much what fills a picture up differs from nearly all that the camera saw."""
_LIGHT_PICTURES = 40
"""Pictures that the belt's light is averaged over: a few seconds."""
_LEAST_LIGHT = 0.25
"""With less of it than this, colours are those of the noise."""
_SHOWN_COUNTS = 40
"""Between a belt and anything that lies on it, at least."""


class Trouble(Enum):
    """Why a picture does not show the belt as it is now, in words for those who check it."""

    COLOURLESS = "has no colour or no light"
    FILLED_UP = "did not come whole"
    ALIKE = "is one of those before it once more"


def trouble(sight: bytes, before: Sequence[bytes], camera: CameraPlace, lanes: int) -> Trouble | None:
    """What is wrong with a sight. before: those of the camera's last pictures, `KNOWN_AGAIN` at most."""
    n_bands = len(camera.bands)
    if is_colourless(sight, n_bands):
        return Trouble.COLOURLESS
    if is_filled_up(sight, camera, lanes) or (before and is_blank_unlike(sight, before[-1], n_bands)):
        return Trouble.FILLED_UP
    return Trouble.ALIKE if sight in before else None


def sight_of(pixels: NDArray[np.uint8]) -> bytes:
    """Some rows of a picture, (height, width, n_bands) uint8."""
    return pixels[_first_row(len(pixels)) :: _EVERY_ROWS].tobytes()


def _first_row(height_px: int) -> int:
    return min(_EVERY_ROWS, height_px) // 2


def has_moved(before: bytes, now: bytes) -> bool:
    """Whether two sights of one camera show things in different places, however bright the light was for each."""
    one, other = (np.frombuffer(sight, np.uint8).astype(np.float32) for sight in (before, now))
    one *= (other.mean() + 1.0) / (one.mean() + 1.0)
    return bool(np.mean(np.abs(one - other) > _MOVED_COUNTS) > _MOVED_SHARE)


class Light:
    """How bright the belt is, by the darker pixels of sights, as a share of the brightest that it was.

    share: of late; None before enough pictures were seen. is_too_dark: the latest picture is, to tell a colour by.
    """

    def __init__(self) -> None:
        self.share: float | None = None
        self.is_too_dark = False
        self._seen, self._now, self._best = 0, 0.0, 0.0

    def see(self, sight: bytes) -> None:
        """One more picture. Every 61st value is enough to know its lower quartile to a count."""
        dark = float(np.partition(values := np.frombuffer(sight, np.uint8)[::61], len(values) // 4)[len(values) // 4])
        self._seen += 1
        self._now += (dark - self._now) / min(self._seen, _LIGHT_PICTURES)
        if self._seen >= _LIGHT_PICTURES:
            self._best = max(self._best, self._now)
            self.share = self._now / self._best if self._best > 0 else None
            self.is_too_dark = dark < _LEAST_LIGHT * self._best


def is_colourless(sight: bytes, n_bands: int) -> bool:
    """Whether all bands of a sight are the same everywhere, though it shows something or is black all over.

    A bare belt drawn in one grey, as no camera shows one, is neither.
    """
    pixels = np.frombuffer(sight, np.uint8).reshape(-1, n_bands)
    if n_bands == 1 or not all(bool((some[:, 1:] == some[:, :1]).all()) for some in (pixels[::64], pixels)):
        return False
    brightest = int(pixels.max())
    return brightest == 0 or brightest - int(pixels.min()) > _SHOWN_COUNTS


def is_filled_up(sight: bytes, camera: CameraPlace, lanes: int) -> bool:
    """Whether whole lines of a picture are of one colour, rows or columns, and of another than the belt.

    Only where fruit pass: in the middle of the lanes and of the picture. Beside them it may be dark to the last count.
    """
    rows = np.frombuffer(sight, np.uint8).reshape(-1, camera.width_px, len(camera.bands))
    y_px = _first_row(camera.height_px) + _EVERY_ROWS * np.arange(len(rows))
    lane_px = camera.cup_zero_px[1] + camera.lane_pitch_px * np.arange(lanes)
    in_lane = (np.abs(y_px[:, None] - lane_px) < camera.lane_pitch_px / 4).any(axis=1)
    part = rows[in_lane, camera.width_px // 4 : camera.width_px * 3 // 4]
    return _has_strange_lines(part) or _has_strange_lines(part[:, ::8].swapaxes(0, 1))


def is_blank_unlike(now: bytes, before: bytes, n_bands: int) -> bool:
    """Whether a sight is of one colour all over, and of one that the sight before it hardly had anywhere."""
    pixels, earlier = (np.frombuffer(sight, np.uint8).reshape(-1, n_bands) for sight in (now, before))
    is_blank = bool((pixels[::64] == pixels[:1]).all() and (pixels == pixels[:1]).all())
    return is_blank and _is_strange(pixels[0], earlier)


def _is_strange(colour: NDArray[np.uint8], pixels: NDArray[np.uint8]) -> bool:
    """Whether hardly any of the pixels (..., n_bands) is of about this colour."""
    return bool((np.abs(pixels.astype(np.int16) - colour) <= _FILLED_COUNTS).all(axis=-1).mean() < _STRANGE_SHARE)


def _has_strange_lines(lines: NDArray[np.uint8]) -> bool:
    """Whether some of the lines (n, pixels, n_bands) are of one colour that the others hardly have anywhere."""
    flat = _flat(lines)
    if not flat.any() or flat.all():
        return False
    return any(_is_strange(colour, lines[~flat]) for colour in np.unique(lines[flat, 0], axis=0))  # one or two


def _flat(lines: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Marks lines (n, pixels, n_bands) that have one colour from end to end."""
    flat = (lines[:, ::32] == lines[:, :1]).all(axis=(1, 2))
    flat[flat] = (lines[flat] == lines[flat, :1]).all(axis=(1, 2))  # as good as never any
    return np.asarray(flat)
