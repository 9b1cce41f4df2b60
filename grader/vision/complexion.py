"""What the faces of fruit look like: colours and dark spots, as the columns of `ViewFeatures` that they fill."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from grader.domain.colour import ColourCalibration
from grader.domain.installation import CameraPlace, Line
from grader.vision.colour import colour_table, look_up
from grader.vision.face import CELL_SHARE, skin_weights
from grader.vision.geometry import sight_deg
from grader.vision.spots import SpotFinder, SpotSettings

Column = NDArray[np.float32]


class Complexion:
    """Measures faces, `most` at a time. Buffers are made once."""

    def __init__(
        self, most: int, camera: CameraPlace, line: Line, colours: ColourCalibration, spots: SpotSettings
    ) -> None:
        self._table = colour_table(colours)
        self._spots = SpotFinder(most, self._table.log_light, spots)
        self._skin_weights = np.stack([skin_weights(deg) for deg in sight_deg(camera, line)])
        shape = (most, self._skin_weights.shape[1])
        self._codes = np.empty((*shape, 2), np.uint8)
        self._looked_up = np.empty(shape, np.float32)

    def of(self, faces: NDArray[np.uint8], lane: NDArray[np.integer], widest_mm: Column) -> dict[str, Column]:
        """faces: (m, N_ROWS * N_COLUMNS, 3) as of `FaceSampler.sample`; lane, widest_mm: (m,) of each."""
        return {**self.skin(faces, lane), **self.spots(faces, widest_mm)}

    def skin(self, faces: NDArray[np.uint8], lane: NDArray[np.integer]) -> dict[str, Column]:
        """The columns about colour."""
        cv2.cvtColor(faces, cv2.COLOR_BGR2BGR555, dst=self._codes[: len(faces)])
        codes = self._codes[: len(faces)].view(np.uint16)[:, :, 0]
        weights = self._skin_weights.take(lane, axis=0)
        blush, ground, ground_hue = (
            np.einsum("fc,fc->f", look_up(codes, table, self._looked_up[: len(codes)]), weights)
            for table in (self._table.blush, self._table.ground, self._table.ground_hue_deg)
        )
        return {
            "skin_weight": blush + ground,
            "blush_weight": blush,
            "ground_weight": ground,
            "ground_hue_sum_deg": ground_hue,
        }

    def spots(self, faces: NDArray[np.uint8], widest_mm: Column) -> dict[str, Column]:
        """The columns about dark spots."""
        spots = self._spots.find(faces)
        cell_mm2 = np.float32(CELL_SHARE * np.pi) * widest_mm**2
        return {
            "dark_weight": spots.share,
            "dark_spots": spots.passing,
            "largest_dark_mm2": spots.largest_cells * cell_mm2,
        }
