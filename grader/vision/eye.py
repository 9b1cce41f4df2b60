"""All cups of a frame in one pass: belt, outlines, sizes, colours, spots.

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

from grader.domain.colour import ColourCalibration
from grader.domain.installation import CameraPlace, Line
from grader.domain.views import Occupancy, ViewFeatures
from grader.errors import BadSettings
from grader.units import Pulse
from grader.vision.belt import BeltDistance, BeltSettings, belt_colour
from grader.vision.colour import srgb_counts
from grader.vision.complexion import Complexion
from grader.vision.face import FaceSampler
from grader.vision.geometry import CupsInView, cup_pitch_px, cups_in_view
from grader.vision.outline import OutlineFinder, Outlines, OutlineSettings
from grader.vision.portrait import Cuts, cuts_of, shrink_for
from grader.vision.size import sizes
from grader.vision.spots import SpotSettings

SHRINK = 2
"""Pixels of the picture per pixel of the working plane, along and across."""


class EyeSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How frames are looked at."""

    belt: BeltSettings = BeltSettings()
    outline: OutlineSettings = OutlineSettings()
    spots: SpotSettings = SpotSettings()


class Shown(NamedTuple):
    """Portraits of the fruit in a frame, valid until the next. row: (m,) int64, rising: of which rows of its views."""

    row: NDArray[np.int64]
    cuts: Cuts


_STRIP_STEP = 32
"""Every so many pixels along a strip are looked at: neighbours say the same, and some 700 make a median."""


class Eye:
    """Looks at the frames of one camera."""

    def __init__(
        self,
        camera: CameraPlace,
        line: Line,
        colours: ColourCalibration = ColourCalibration(),
        settings: EyeSettings = EyeSettings(),
    ) -> None:
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
        self._faces = FaceSampler(most_cups)
        self._portrait_shrink = shrink_for(camera.mm_per_px * SHRINK)
        self.complexion = Complexion(most_cups, camera, line, colours, settings.spots)
        self._strip_rows = self._rows_between_lanes()

    def _rows_between_lanes(self) -> NDArray[np.int64]:
        camera, half = self.camera, self.settings.belt.strip_px // 2
        borders_px = camera.cup_zero_px[1] + (np.arange(self.line.lanes + 1) - 0.5) * camera.lane_pitch_px
        rows = np.rint(borders_px / SHRINK).astype(np.int64)[:, None] + np.arange(-half, half)
        return np.unique(np.clip(rows, 0, camera.height_px // SHRINK - 1))

    def look(self, pixels: NDArray[np.uint8], pulse: Pulse) -> ViewFeatures:
        """What the cups in view hold. pixels: (height, width, n_bands) uint8, bands as the camera has them.

        The stages below, one after the other; each leaves its plane in place for the next.
        """
        cups, outlines, found = self._bodies(pixels, pulse)
        if len(outlines.row):
            found |= self.complexion.of(self.faces(outlines), cups.lane[outlines.row], found["widest_mm"])
        return laid_into_cups(cups, outlines, found, self.settings.outline.oversize_mm)

    def look_and_keep(self, pixels: NDArray[np.uint8], pulse: Pulse) -> tuple[ViewFeatures, Shown]:
        """The same without colours and spots, which are NaN, and where the portraits lie of all that an outline was
        found of: for whoever measures their skin elsewhere."""
        cups, outlines, found = self._bodies(pixels, pulse)
        views = laid_into_cups(cups, outlines, found, self.settings.outline.oversize_mm)
        return views, Shown(outlines.row, cuts_of(self._small, outlines, self._portrait_shrink))

    def _bodies(
        self, pixels: NDArray[np.uint8], pulse: Pulse
    ) -> tuple[CupsInView, Outlines, dict[str, NDArray[np.float32]]]:
        """Cups in view, the outlines in them, and the columns of `ViewFeatures` that those fill."""
        cups = cups_in_view(self.camera, self.line, pulse)
        self.shrink(pixels)
        outlines = self.outline(self.distance_from_belt(), cups)
        if not len(outlines.row):
            return cups, outlines, {"widest_mm": np.empty(0, np.float32)}
        found = sizes(outlines, self.camera, SHRINK)._asdict()
        return cups, outlines, {**found, "sharpness": outlines.sharpness}

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

    def faces(self, outlines: Outlines) -> NDArray[np.uint8]:
        """Blue, green, red on the grid of every fruit's face, a row per fruit."""
        return self._faces.sample(self._small, outlines.centre, outlines.radius)


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


def laid_into_cups(
    cups: CupsInView, outlines: Outlines, found: dict[str, NDArray[np.float32]], oversize_mm: float = np.inf
) -> ViewFeatures:
    """What was found, laid into the rows of the cups that hold it; all others are empty or cut."""
    views = ViewFeatures.of_empty_cups(cups.lane, cups.cup, strays=outlines.strays)
    for name, values in found.items():  # columns, not fruit
        getattr(views, name)[outlines.row] = values
    single = np.where(found["widest_mm"] > oversize_mm, Occupancy.OVERSIZE, Occupancy.ONE)
    views.occupancy[outlines.row] = np.where(outlines.touching, Occupancy.TOUCHING, single)
    views.occupancy[outlines.cut_row] = Occupancy.CUT
    return views
