"""What goes to whoever maps the skin of fruit, and what comes back."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

PORTRAIT_PX = 64
"""Side of a portrait; on the reference line its pixels are those of the eye's working plane, of 1.6 mm: 102 mm."""


class Portraits(NamedTuple):
    """v pictures of single fruit, cut out of frames.

    pixels: (v, PORTRAIT_PX, PORTRAIT_PX, 3) uint8 blue, green, red. centre_px: (v, 2) float32, x and y of the outline's
    centre in the portrait. radius_px: (v, N_RAYS) float32, its radii, as in `Outlines`.
    """

    pixels: NDArray[np.uint8]
    centre_px: NDArray[np.float32]
    radius_px: NDArray[np.float32]


class Sighting(NamedTuple):
    """All views of one fruit that has left the picture. pulses: (v,) int64, rising. views: (v, VIEW_WIDTH) float32,
    laid out as `VIEW_COLUMNS` says. portraits: v of them. to_draw: people will want to look at its map."""

    lane: int
    cup: int
    pulses: NDArray[np.int64]
    views: NDArray[np.float32]
    portraits: Portraits
    to_draw: bool = False


class SkinMeasures(NamedTuple):
    """What a map of the whole skin says of a fruit, or without one its views.

    height_mm: along the stem-calyx axis, which is better known once it is seen how the fruit turned. skin_seen: share
    of the true skin area shown at 65 degrees or less. turn_deg: mean turn from frame to frame, without its sense.
    defect_area_mm2, defect_count, largest_defect_mm2: of spots on seen skin, each counted once; defect_fraction: their
    share of the whole skin. stripe_contrast: standard deviation of log green light around the fruit, as far as it is
    the same from stem to calyx; NaN where too little was seen. tones: (4, N_HUES) float32 as in `FruitMeasurements`,
    NaN where nothing has a hue.
    """

    height_mm: float
    skin_seen: float
    turn_deg: float
    defect_area_mm2: float
    defect_count: float
    largest_defect_mm2: float
    defect_fraction: float
    stripe_contrast: float
    tones: NDArray[np.float32]


class MappedSkin(NamedTuple):
    """The map of one fruit was made. measures: None where it cannot be told how the fruit turned. took_ms: how long it
    took, its share of those that were made together. drawn: a JPEG of it, where one was asked for."""

    lane: int
    cup: int
    measures: SkinMeasures | None
    took_ms: float = 0.0
    drawn: bytes = b""
