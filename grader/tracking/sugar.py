"""From the scans of decided fruit to their soluble solids, by the model and the references of their lanes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from grader.domain.artefacts import SugarModel
from grader.domain.flags import Flag
from grader.domain.frames import Scan
from grader.domain.installation import Installation
from grader.spectra.checks import scan_matrix
from grader.spectra.references import References, lane_references
from grader.spectra.sugar import soluble_solids
from grader.tracking.state import TrackState

Values = NDArray[np.float64]


def sugars(
    state: TrackState,
    lane: NDArray[np.int64],
    scans: list[Scan | None],
    flags: NDArray[np.uint32],
    installation: Installation,
    sugar: SugarModel | None,
) -> tuple[Values, Values]:
    """Soluble solids and their standard error, (n,) Brix each; flags are set in place.

    NaN without a scan, without a model, or without trust in either. A model of another fruit than the one on the belt
    gives no value and SPECTRUM_UNLIKE: the line goes on and grades by everything else, and the table says why.
    """
    brix, brix_sd = np.full(len(scans), np.nan), np.full(len(scans), np.nan)
    if not installation.spectrometers:
        return brix, brix_sd
    scanned = {lane for each in installation.spectrometers.values() for lane in each.lanes}
    for row, (n, scan) in enumerate(zip(lane.tolist(), scans, strict=True)):
        if scan is None and n in scanned:
            flags[row] |= np.uint32(Flag.NO_SPECTRUM)
    if sugar is None:
        return brix, brix_sd
    by_spectrometer: dict[str, list[int]] = {}
    for row, scan in enumerate(scans):
        if scan is not None:
            by_spectrometer.setdefault(scan.spectrometer, []).append(row)
    for name, rows in by_spectrometer.items():  # one or two spectrometers, each with its own channels
        if sugar.fruit != installation.fruit:
            flags[rows] |= np.uint32(Flag.SPECTRUM_UNLIKE)
            continue
        references = _references(state, sugar)
        solids = soluble_solids(
            sugar,
            scan_matrix([scan for row in rows if (scan := scans[row]) is not None], sugar),
            references.white[lane[rows]],
            references.dark[lane[rows]],
            wavelengths_nm=installation.spectrometers[name].wavelengths_nm,
        )
        brix[rows], brix_sd[rows] = solids.ssc_brix, solids.ssc_brix_sd
        flags[rows] |= solids.flags
    return brix, brix_sd


def _references(state: TrackState, sugar: SugarModel) -> References:
    """White and dark of every lane, made anew after a lane said new ones."""
    if state.lane_references is None:
        said = [scan for scans in state.references.values() for scan in scans]
        state.lane_references = lane_references(sugar, said, state.lanes)
    return state.lane_references
