"""What is known of a fruit: one record of arrays, a row per fruit, and the registry of its quantities."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from grader.domain.colour import N_HUES

Values = NDArray[np.float64]


class Quantity(NamedTuple):
    """One measured quantity: how a sheet, a table and a page name it. decimals are those of fruit.csv."""

    unit: str
    decimals: int
    english: str
    chinese: str


QUANTITIES: dict[str, Quantity] = {
    "diameter_mm": Quantity("mm", 2, "diameter", "果径"),
    "height_mm": Quantity("mm", 2, "height", "果高"),
    "volume_ml": Quantity("mL", 1, "volume", "体积"),
    "mass_g": Quantity("g", 2, "mass", "单果重"),
    "blush_fraction": Quantity("1", 4, "blush share of the skin", "着色面积比"),
    "ground_hue_deg": Quantity("deg", 1, "ground colour hue", "底色色相"),
    "ground_lightness": Quantity("CIELAB", 1, "ground colour L*", "底色 L*"),
    "ground_a": Quantity("CIELAB", 1, "ground colour a*", "底色 a*"),
    "ground_b": Quantity("CIELAB", 1, "ground colour b*", "底色 b*"),
    "hue_spread_deg": Quantity("deg", 1, "spread of the skin's hue", "果面色相离散度"),
    "stripe_contrast": Quantity("1", 3, "contrast of stripes", "条纹反差"),
    "defect_area_mm2": Quantity("mm2", 1, "defect area", "缺陷面积"),
    "defect_count": Quantity("1", 0, "number of defects", "缺陷数"),
    "largest_defect_mm2": Quantity("mm2", 1, "largest defect", "最大缺陷面积"),
    "defect_fraction": Quantity("1", 4, "defect share of the skin", "缺陷面积比"),
    "shape_index": Quantity("1", 3, "height over diameter", "果形指数"),
    "roundness": Quantity("1", 3, "least over largest equatorial width", "圆度"),
    "skin_seen": Quantity("1", 3, "share of the skin seen", "可见果面比"),
    "turn_deg": Quantity("deg", 2, "turn from frame to frame", "每帧转角"),
    "ssc_brix": Quantity("Brix", 2, "soluble solids", "糖度"),
    "ssc_brix_sd": Quantity("Brix", 2, "standard error of soluble solids", "糖度标准误"),
    "density_g_per_ml": Quantity("g/mL", 3, "density", "密度"),
}


@dataclass(frozen=True, slots=True)
class FruitMeasurements:
    """One row per fruit. NaN: not measured (flags say why); never 0 in place of a missing value.

    lane (n,) int16; cup (n,) int64 cup serial; flags (n,) uint32 bits of `Flag`; all others (n,) float64 in the unit
    of their name, meanings as in `QUANTITIES` and docs of the recording format, but tones (n, 4, N_HUES) float32: the
    share of the skin in each degree of hue from HUES_FROM_DEG on, together 1, and its mean L*, a* and b* times that.
    """

    lane: NDArray[np.int16]
    cup: NDArray[np.int64]
    flags: NDArray[np.uint32]
    tones: NDArray[np.float32]
    diameter_mm: Values
    height_mm: Values
    volume_ml: Values
    mass_g: Values
    blush_fraction: Values
    ground_hue_deg: Values
    ground_lightness: Values
    ground_a: Values
    ground_b: Values
    hue_spread_deg: Values
    stripe_contrast: Values
    defect_area_mm2: Values
    defect_count: Values
    largest_defect_mm2: Values
    defect_fraction: Values
    shape_index: Values
    roundness: Values
    skin_seen: Values
    turn_deg: Values
    ssc_brix: Values
    ssc_brix_sd: Values
    density_g_per_ml: Values

    def __post_init__(self) -> None:
        for field in fields(self):
            shape = (len(self.lane), 4, N_HUES) if field.name == "tones" else (len(self.lane),)
            if getattr(self, field.name).shape != shape:
                raise ValueError(f"{field.name} has shape {getattr(self, field.name).shape}, lane {self.lane.shape}")

    def __len__(self) -> int:
        return len(self.lane)

    @classmethod
    def unmeasured(cls, lane: Any, cup: Any, flags: Any = 0, **known: Any) -> Self:
        """Rows with everything NaN except what is given by name; scalars are spread over all rows."""
        lane = np.atleast_1d(np.asarray(lane, np.int16))
        unknown = set(known) - set(QUANTITIES)
        if unknown:
            raise ValueError(f"not a measured quantity: {', '.join(sorted(unknown))}")
        values = {
            name: np.array(np.broadcast_to(np.asarray(known.get(name, np.nan), np.float64), lane.shape))
            for name in QUANTITIES
        }
        return cls(
            lane=lane,
            cup=np.array(np.broadcast_to(np.asarray(cup, np.int64), lane.shape)),
            flags=np.array(np.broadcast_to(np.asarray(flags, np.uint32), lane.shape)),
            tones=np.broadcast_to(np.float32(np.nan), (len(lane), 4, N_HUES)),
            **values,
        )

    def rows(self, pick: Any) -> Self:
        """The same record with the picked rows only: a mask, indices or a slice."""
        return type(self)(**{field.name: getattr(self, field.name)[pick] for field in fields(self)})

    def quantities(self) -> Iterator[tuple[str, Values]]:
        """Every quantity by name, in the registry's order."""
        for name in QUANTITIES:
            yield name, getattr(self, name)
