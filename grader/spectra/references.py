"""White and dark of each lane: its own if it said them, else those of the calibration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from grader.domain.artefacts import SugarModel
from grader.domain.frames import Scan
from grader.spectra.absorbance import Values
from grader.spectra.checks import scan_matrix


class References(NamedTuple):
    """white, dark: (lanes, channels) float64 raw counts; `white[lane]` gives the rows for fruit of those lanes."""

    white: Values
    dark: Values


def lane_references(model: SugarModel, scans: Sequence[Scan], lanes: int) -> References:
    """What the scans of kind "white" and "dark" say, lane by lane; samples among them are passed over.

    The mean of a lane's whole scans of a kind. A lane without any scan of a kind has the model's own, taken at
    calibration. A lane whose scans of a kind are all damaged has NaN, so that its fruit are flagged: a tile was
    measured and cannot be believed, and an older one in its place would hide it.
    """
    return References(
        _per_lane(model, scans, lanes, "white", model.white_counts),
        _per_lane(model, scans, lanes, "dark", model.dark_counts),
    )


def _per_lane(model: SugarModel, scans: Sequence[Scan], lanes: int, kind: str, at_calibration: Values) -> Values:
    table = np.tile(at_calibration, (lanes, 1))
    for lane in range(lanes):  # a handful of lanes, once per reference, not per fruit
        said = scan_matrix([scan for scan in scans if scan.kind == kind and scan.lane == lane], model)
        whole = said[np.isfinite(said).all(axis=1)].astype(np.float64)
        if len(said):
            table[lane] = whole.mean(axis=0) if len(whole) else np.nan
    return table
