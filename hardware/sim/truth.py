"""What was really on the belt: rows of truth.csv. A station never sees them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class TruthRow:
    """One occupied cup. Meanings as in the recording format.

    body: which fruit, the same on every pass. defects: `bruise:1+scab:2`. turn_deg: mean turn from frame to frame.
    kind: empty, or `oversize`, or `double`: then sizes, blush and defects are those of the front fruit of the two, and
    mass_g is that of both.
    """

    lane: int
    cup: int
    body: int
    diameter_mm: float
    height_mm: float
    volume_ml: float
    mass_g: float
    blush_fraction: float
    defect_area_mm2: float
    defects: str
    ssc_brix: float
    start_deg: float
    turn_deg: float
    kind: str = ""
