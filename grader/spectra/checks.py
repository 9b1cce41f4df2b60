"""Can this scan be believed? Flags that are raised before any number is computed from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grader.domain.artefacts import SugarModel
from grader.domain.flags import Flag
from grader.domain.frames import Scan

SAME_CHANNEL_NM = 0.05
"""A channel whose stated wavelength is further off is another channel: half of it is a degree Brix on a steep slope."""


def scan_matrix(scans: Sequence[Scan], model: SugarModel) -> NDArray[np.float32]:
    """(n, channels) float32 raw counts, a row per scan; all NaN where the scan has another number of channels."""
    channels = len(model.wavelengths_nm)
    counts = np.full((len(scans), channels), np.nan, np.float32)
    for row, scan in zip(counts, scans, strict=True):  # scans are separate arrays: this loop only copies them
        if scan.counts.shape == (channels,):
            row[:] = scan.counts
    return counts


def same_channels(model: SugarModel, wavelengths_nm: Sequence[float]) -> bool:
    """Whether a spectrometer's channels are those that the model was fitted on. Ask once per recording or start."""
    nm = np.asarray(wavelengths_nm, np.float64)
    return nm.shape == model.wavelengths_nm.shape and bool(np.all(np.abs(nm - model.wavelengths_nm) <= SAME_CHANNEL_NM))


def scan_flags(model: SugarModel, counts: NDArray[Any], white: NDArray[Any], dark: NDArray[Any]) -> NDArray[np.uint32]:
    """(n,) uint32 bits: what is wrong with each scan, or with the references it is held against.

    counts: (n, channels) raw counts; white, dark: (channels,) or (n, channels) of the same unit.
    SPECTRUM_DAMAGED: a value that is no number or below 0, in any channel; a white not above dark in a used one.
    SPECTRUM_SATURATED: a used channel of scan or white at saturation. SPECTRUM_DARK: a used channel not above dark, or
    too little light in the middle of them. A scan may have several.
    """
    used = slice(model.first_channel, model.stop_channel)
    tables = [np.broadcast_to(table, counts.shape) for table in (counts, white, dark)]
    impossible = ~np.all([(np.isfinite(table) & (table >= 0)).all(axis=1) for table in tables], axis=0)
    counts, white, dark = (np.where(impossible[:, None], 0.0, table)[:, used] for table in tables)
    light = counts - dark
    saturated = np.maximum(counts, white).max(axis=1) >= model.saturation_counts
    too_dark = (light.min(axis=1) <= 0) | (np.median(light, axis=1) < model.least_signal_counts)
    flags = np.zeros(len(counts), np.uint32)
    flags[impossible | ~(white > dark).all(axis=1)] |= np.uint32(Flag.SPECTRUM_DAMAGED)
    flags[~impossible & saturated] |= np.uint32(Flag.SPECTRUM_SATURATED)
    flags[~impossible & too_dark] |= np.uint32(Flag.SPECTRUM_DARK)
    return flags
