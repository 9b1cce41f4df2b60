"""All cups of a frame in one pass: belt, outlines, sizes, colours, spots.

Everything works on the picture at half its width and height, made by averaging 2 x 2 pixels: noise is halved,
work is quartered, and edges keep their place to a fraction of a pixel because they are found between pixels.
Planes and grids of frame size are made once, by the constructor.
"""

from __future__ import annotations

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from grader.domain.colour import ColourCalibration
from grader.domain.installation import CameraPlace, Line
from grader.domain.views import VIEW_VALUES, Occupancy, ViewFeatures
from grader.units import Pulse
from grader.vision.belt import BeltDistance, BeltSettings, belt_colour
from grader.vision.colour import Table, colour_table, look_up
from grader.vision.face import CELL_SHARE, LONGITUDE_DEG, N_COLUMNS, N_ROWS, SEEN, FaceSampler
from grader.vision.geometry import CupsInView, cup_pitch_px, cups_in_view
from grader.vision.outline import OutlineFinder, Outlines, OutlineSettings
from grader.vision.size import Sizes, sizes
from grader.vision.spots import SpotSettings, dark_spots

SHRINK = 2
"""Pixels of the picture per pixel of the working plane, along and across."""


class EyeSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How frames are looked at."""

    belt: BeltSettings = BeltSettings()
    outline: OutlineSettings = OutlineSettings()
    spots: SpotSettings = SpotSettings()


_STRIP_STEP = 16
"""Every so many pixels along a strip are looked at: neighbours say the same, and some 1,500 make a median."""

# A longitude counts by how squarely it faces the camera, so that each view speaks of what it shows best. The
# weights of a whole face sum to 1 over its seen points.
_WEIGHT = (np.cos(np.radians(LONGITUDE_DEG)) * SEEN).astype(np.float32)
_WEIGHT /= _WEIGHT.sum()


class Eye:
    """Looks at the frames of one camera."""

    def __init__(
        self,
        camera: CameraPlace,
        line: Line,
        colours: ColourCalibration = ColourCalibration(),
        settings: EyeSettings = EyeSettings(),
    ) -> None:
        self.camera, self.line, self.settings = camera, line, settings
        shape = (camera.height_px // SHRINK, camera.width_px // SHRINK)
        pitch = (cup_pitch_px(camera, line) / SHRINK, camera.lane_pitch_px / SHRINK)
        self._table = colour_table(colours)
        self._small = np.empty((*shape, 3), np.uint8)
        self._packed = np.empty((*shape, 2), np.uint8)
        self._belt = BeltDistance(shape, settings.belt)
        self._outlines = OutlineFinder(shape, camera.mm_per_px * SHRINK, pitch, settings.outline)
        most_cups = line.lanes * (int(camera.width_px / cup_pitch_px(camera, line)) + 2)
        self._faces = FaceSampler(most_cups)
        self._strip_rows = self._rows_between_lanes()

    def _rows_between_lanes(self) -> NDArray[np.int64]:
        camera, half = self.camera, self.settings.belt.strip_px // 2
        borders_px = camera.cup_zero_px[1] + (np.arange(self.line.lanes + 1) - 0.5) * camera.lane_pitch_px
        rows = np.rint(borders_px / SHRINK).astype(np.int64)[:, None] + np.arange(-half, half)
        return np.unique(np.clip(rows, 0, camera.height_px // SHRINK - 1))

    def look(self, pixels: NDArray[np.uint8], pulse: Pulse) -> ViewFeatures:
        """What the cups in view hold. pixels: (height, width, >= 3) uint8, blue, green, red first."""
        cups = cups_in_view(self.camera, self.line, pulse)
        picture = pixels if pixels.shape[2] == 3 else np.ascontiguousarray(pixels[:, :, :3])
        even = picture[: self._small.shape[0] * SHRINK, : self._small.shape[1] * SHRINK]
        cv2.resize(even, self._small.shape[1::-1], dst=self._small, interpolation=cv2.INTER_AREA)
        strips = self._small[self._strip_rows, ::_STRIP_STEP].reshape(-1, 3)
        distance = self._belt.measure(self._small, belt_colour(strips, self.settings.belt))
        on_plane = CupsInView(cups.lane, cups.cup, (cups.x_px + 0.5) / SHRINK - 0.5, (cups.y_px + 0.5) / SHRINK - 0.5)
        outlines = self._outlines.find(distance, on_plane)
        if not len(outlines.row):
            return _views(cups, outlines, {name: np.empty(0, np.float32) for name in VIEW_VALUES})
        size = sizes(outlines, self.camera, SHRINK)
        cv2.cvtColor(self._small, cv2.COLOR_BGR2BGR555, dst=self._packed)
        codes = self._faces.sample(self._packed.view(np.uint16)[:, :, 0], outlines)
        return _views(cups, outlines, self._found(size, codes), self.settings.outline.oversize_mm)

    def _found(self, size: Sizes, codes: NDArray[np.uint16]) -> dict[str, NDArray[np.float32]]:
        """The measured columns of `ViewFeatures` for the fruit that were outlined."""
        table, weight = self._table, _WEIGHT.reshape(-1)

        def face_sum(column: Table) -> NDArray[np.float32]:
            return look_up(codes, column).reshape(-1, weight.size) @ weight

        red = look_up(codes, table.red).reshape(-1, N_ROWS, N_COLUMNS)
        spots = dark_spots(red, self.settings.spots)
        blush, ground = face_sum(table.blush), face_sum(table.ground)
        surface_mm2 = np.pi * size.widest_mm**2
        return {
            **size._asdict(),
            "skin_weight": blush + ground,
            "blush_weight": blush,
            "ground_weight": ground,
            "ground_hue_sum_deg": face_sum(table.ground_hue_deg),
            "dark_weight": spots.dark.reshape(-1, weight.size) @ weight,
            "dark_spots": spots.passing,
            "largest_dark_mm2": spots.largest_cells * np.float32(CELL_SHARE) * surface_mm2,
        }


def _views(
    cups: CupsInView, outlines: Outlines, found: dict[str, NDArray[np.float32]], oversize_mm: float = np.inf
) -> ViewFeatures:
    """What was found, laid into the rows of the cups that hold it; all other cups are empty."""
    n = len(cups.cup)
    columns = {name: np.full(n, np.nan, np.float32) for name in found}
    for name, values in found.items():  # 12 columns, not fruit
        columns[name][outlines.row] = values
    too_large = (outlines.occupancy == Occupancy.ONE) & (found["widest_mm"] > oversize_mm)
    occupancy = np.full(n, Occupancy.EMPTY, np.uint8)
    occupancy[outlines.row] = np.where(too_large, Occupancy.OVERSIZE, outlines.occupancy)
    return ViewFeatures(lane=cups.lane, cup=cups.cup, occupancy=occupancy, **columns)
