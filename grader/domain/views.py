"""What one frame shows of the cups in it: a record of arrays, one row per cup in view."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import IntEnum
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float32]


class Occupancy(IntEnum):
    """What a cup holds in one view."""

    EMPTY = 0
    ONE = 1
    TOUCHING = 2
    OVERSIZE = 3
    CUT = 4  # something is there, the picture's edge cuts it


@dataclass(frozen=True, slots=True)
class ViewFeatures:
    """One row per cup whose centre lies in the picture. NaN: not measurable in this view.

    lane (n,) int16, cup (n,) int64 cup serial, occupancy (n,) uint8 codes of `Occupancy`.
    along_mm: where the fruit's centre is along the belt from below the lens, positive downstream.
    widest_mm: calliper along the outline's longer principal axis. narrowest_mm: its least calliper. Both are corrected
    for perspective.
    across_mm: calliper across the belt, along the turning axis. area_mm2: area inside the outline.
    skin_weight: how much skin the view shows to the colour measures, 1 for a whole clean face.
    blush_weight, ground_weight: its parts that are blush and ground colour.
    ground_hue_sum_deg: CIELAB hue of the ground colour times its weight.
    dark_weight: part of the skin that is much darker than the fruit's own skin in the red band.
    dark_spots: separate dark spots whose centre crosses the middle of the face in this view.
    largest_dark_mm2: area of the largest dark spot on the face, foreshortening taken out.
    """

    lane: NDArray[np.int16]
    cup: NDArray[np.int64]
    occupancy: NDArray[np.uint8]
    along_mm: Values
    widest_mm: Values
    narrowest_mm: Values
    across_mm: Values
    area_mm2: Values
    skin_weight: Values
    blush_weight: Values
    ground_weight: Values
    ground_hue_sum_deg: Values
    dark_weight: Values
    dark_spots: Values
    largest_dark_mm2: Values

    def __post_init__(self) -> None:
        for field in fields(self):
            if getattr(self, field.name).shape != self.lane.shape or self.lane.ndim != 1:
                raise ValueError(f"{field.name} has shape {getattr(self, field.name).shape}, lane {self.lane.shape}")

    def __len__(self) -> int:
        return len(self.lane)

    def rows(self, pick: Any) -> Self:
        """The same record with the picked rows only."""
        return type(self)(**{field.name: getattr(self, field.name)[pick] for field in fields(self)})


VIEW_VALUES: tuple[str, ...] = tuple(
    field.name for field in fields(ViewFeatures) if field.name not in ("lane", "cup", "occupancy")
)
"""Names of the measured columns, in order: what tracking keeps of every view."""
