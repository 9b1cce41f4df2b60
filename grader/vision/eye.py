"""All cups of a frame in one pass: belt, outlines, sizes, and where the portraits of fruit lie.

Everything works on the picture at half its width and height, made by averaging 2 x 2 pixels: noise is halved,
work is quartered, and edges keep their place to a fraction of a pixel because they are found between pixels.
Planes and grids of frame size are made once, by the constructor.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from grader.domain.installation import CameraPlace, Line
from grader.domain.views import Occupancy, ViewFeatures
from grader.errors import BadSettings
from grader.units import Pulse
from grader.vision.belt import BeltDistance, BeltSettings, belt_colour
from grader.vision.geometry import CupsInView, cup_pitch_px, cups_in_view
from grader.vision.light import srgb_counts
from grader.vision.outline import OutlineFinder, Outlines, OutlineSettings
from grader.vision.portrait import Cuts, cuts_of, shrink_for
from grader.vision.size import sizes

SHRINK = 2
"""Pixels of the picture per pixel of the working plane, along and across."""


class EyeSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How frames are looked at."""

    belt: BeltSettings = BeltSettings()
    outline: OutlineSettings = OutlineSettings()


class Shown(NamedTuple):
    """Portraits of the fruit in a frame, valid until the next. row: (m,) int64, rising: of which rows of its views."""

    row: NDArray[np.int64]
    cuts: Cuts


_STRIP_STEP = 32
"""Every so many pixels along a strip are looked at: neighbours say the same, and some 700 make a median."""


class Eye:
    """Looks at the frames of one camera."""

    def __init__(self, camera: CameraPlace, line: Line, settings: EyeSettings = EyeSettings()) -> None:
        """Raises BadSettings for a camera without blue, green and red bands."""
        self.camera, self.line, self.settings = camera, line, settings
        self._bands = _colour_bands(camera)
        self._as_srgb = None if camera.transfer == "srgb" else srgb_counts()
        shape = (camera.height_px // SHRINK, camera.width_px // SHRINK)
        pitch = (cup_pitch_px(camera, line) / SHRINK, camera.lane_pitch_px / SHRINK)
        self._small = np.empty((*shape, 3), np.uint8)
        self._belt = BeltDistance(shape, settings.belt)
        most_cups = line.lanes * (int(camera.width_px / cup_pitch_px(camera, line)) + 2)
        self._outlines = OutlineFinder(shape, camera.mm_per_px * SHRINK, pitch, most_cups, settings.outline)
        self._portrait_shrink = shrink_for(camera.mm_per_px * SHRINK)
        self._strip_rows = self._rows_between_lanes()

    def _rows_between_lanes(self) -> NDArray[np.int64]:
        camera, half = self.camera, self.settings.belt.strip_px // 2
        borders_px = camera.cup_zero_px[1] + (np.arange(self.line.lanes + 1) - 0.5) * camera.lane_pitch_px
        rows = np.rint(borders_px / SHRINK).astype(np.int64)[:, None] + np.arange(-half, half)
        return np.unique(np.clip(rows, 0, camera.height_px // SHRINK - 1))

    def look(self, pixels: NDArray[np.uint8], pulse: Pulse) -> tuple[ViewFeatures, Shown]:
        """What the cups in view hold, and where the portraits lie of all that an outline was found of.

        pixels: (height, width, n_bands) uint8, bands as the camera has them. The stages below, one after the other;
        each leaves its plane in place for the next.
        """
        cups = cups_in_view(self.camera, self.line, pulse)
        self.shrink(pixels)
        outlines = self.outline(self.distance_from_belt(), cups)
        views = self.laid_into_cups(cups, outlines)
        return views, Shown(outlines.row, self.portraits(outlines))

    def shrink(self, pixels: NDArray[np.uint8]) -> None:
        """Half the width and height, by means of 2 x 2 pixels: blue, green, red, in sRGB counts."""
        height, width = self._small.shape[:2]
        picture = pixels if self._bands == [0, 1, 2] and pixels.shape[2] == 3 else pixels[:, :, self._bands]
        even = picture[: height * SHRINK, : width * SHRINK]
        cv2.resize(even, (width, height), dst=self._small, interpolation=cv2.INTER_AREA)
        if self._as_srgb is not None:
            cv2.LUT(self._small, self._as_srgb, dst=self._small)

    def distance_from_belt(self) -> NDArray[np.uint8]:
        """How far every pixel is from the belt's colour in this frame, counts."""
        strips = self._small[self._strip_rows, ::_STRIP_STEP].reshape(-1, 3)
        return self._belt.measure(self._small, belt_colour(strips, self.settings.belt))

    def outline(self, distance: NDArray[np.uint8], cups: CupsInView) -> Outlines:
        """What lies in the cups, cut out between pixels."""
        x_px, y_px = (cups.x_px + 0.5) / SHRINK - 0.5, (cups.y_px + 0.5) / SHRINK - 0.5
        return self._outlines.find(distance, CupsInView(cups.lane, cups.cup, x_px, y_px))

    def laid_into_cups(self, cups: CupsInView, outlines: Outlines) -> ViewFeatures:
        """Sizes of what was outlined, in the rows of the cups that hold it; all others are empty or cut."""
        views = ViewFeatures.of_empty_cups(cups.lane, cups.cup, strays=outlines.strays)
        if len(outlines.row):
            found = sizes(outlines, self.camera, SHRINK)
            for name, values in found._asdict().items():  # columns, not fruit
                getattr(views, name)[outlines.row] = values
            views.sharpness[outlines.row] = outlines.sharpness
            too_wide = found.widest_mm > self.settings.outline.oversize_mm
            single = np.where(too_wide, Occupancy.OVERSIZE, Occupancy.ONE)
            views.occupancy[outlines.row] = np.where(outlines.touching, Occupancy.TOUCHING, single)
        views.occupancy[outlines.cut_row] = Occupancy.CUT
        return views

    def portraits(self, outlines: Outlines) -> Cuts:
        """Where they lie in the working plane, valid until the next frame."""
        return cuts_of(self._small, outlines, self._portrait_shrink)


def _colour_bands(camera: CameraPlace) -> list[int]:
    """Where blue, green and red lie among the camera's bands."""
    try:
        return [camera.bands.index(colour) for colour in ("blue", "green", "red")]
    except ValueError:
        raise BadSettings(
            "camera",
            f"has the bands {', '.join(camera.bands)}; fruit cannot be graded without blue, green and red",
            remedy="name another camera, or the bands that it has",
        ) from None
