"""What one frame shows of the cups in it: a record of arrays, one row per cup in view."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import IntEnum
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float32]

N_CALLIPERS = 12
"""Directions that an outline is measured in, evenly over half a turn from along the belt on; half of them is across."""


MOST_VIEWS = 48
"""Of a cup that are kept. More come only where the belt stands nearly still: the last one gives way to the next."""


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
    along_mm, aside_mm: where the fruit's centre is from below the lens: along the belt, positive downstream, and across
    it, positive down the picture.
    widest_mm: calliper along the outline's longer principal axis. callipers_mm: (n, N_CALLIPERS) callipers in all
    directions. area_mm2: area inside the outline. All as at the reference height, corrected for perspective.
    hollow: share of the outline's convex hull that it does not fill; a fruit fills all but a hundredth.
    sharpness: share of the step from fruit to belt that lies within one working pixel, mean around the outline.
    strays: things of the size of a fruit that lie beside all lanes, no array.
    """

    lane: NDArray[np.int16]
    cup: NDArray[np.int64]
    occupancy: NDArray[np.uint8]
    along_mm: Values
    aside_mm: Values
    widest_mm: Values
    callipers_mm: Values
    area_mm2: Values
    hollow: Values
    sharpness: Values
    strays: int = 0

    def __post_init__(self) -> None:
        n = len(self.lane)
        for name in _FIELDS:
            shape = getattr(self, name).shape
            if shape != ((n, N_CALLIPERS) if name == "callipers_mm" else (n,)):
                raise ValueError(f"{name} has shape {shape}, lane {self.lane.shape}")

    def __len__(self) -> int:
        return len(self.lane)

    @classmethod
    def of_empty_cups(cls, lane: NDArray[np.int16], cup: NDArray[np.int64], strays: int = 0) -> Self:
        """Cups in which nothing is seen; everything measured is NaN."""
        n = len(lane)
        table = np.full((VIEW_WIDTH, n), np.nan, np.float32)  # one piece of memory for all columns
        measured = {
            name: table[at].T if name == "callipers_mm" else table[at.start] for name, at in VIEW_COLUMNS.items()
        }
        occupancy = np.full(n, Occupancy.EMPTY, np.uint8)
        return cls(lane=lane, cup=cup, occupancy=occupancy, strays=strays, **measured)

    def rows(self, pick: Any) -> Self:
        """The same record with the picked rows only."""
        return type(self)(**{name: getattr(self, name)[pick] for name in _FIELDS})

    def table(self) -> Values:
        """All that was measured, (n, VIEW_WIDTH), laid out as `VIEW_COLUMNS` says: what tracking keeps of a view."""
        return np.column_stack([getattr(self, name) for name in VIEW_COLUMNS])


_FIELDS = tuple(field.name for field in fields(ViewFeatures) if field.name != "strays")


def _columns() -> dict[str, slice]:
    names = [name for name in _FIELDS if name not in ("lane", "cup", "occupancy")]
    widths = [N_CALLIPERS if name == "callipers_mm" else 1 for name in names]
    ends = np.cumsum(widths).tolist()
    return {name: slice(end - width, end) for name, width, end in zip(names, widths, ends, strict=True)}


VIEW_COLUMNS: dict[str, slice] = _columns()
"""Where each measured value lies in a row of `ViewFeatures.table`."""
VIEW_WIDTH = sum(at.stop - at.start for at in VIEW_COLUMNS.values())
