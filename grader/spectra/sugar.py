"""Soluble solids of fruit from their spectra, with a standard error, or nothing and the reason."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from grader.domain.artefacts import SugarModel
from grader.domain.flags import Flag
from grader.spectra.absorbance import Values, absorbance, standard_normal_variate
from grader.spectra.checks import same_channels, scan_flags

_BEYOND_RANGE = 2.0
"""Standard errors that a value may lie outside the calibrated range before it is an extrapolation."""


class SolubleSolids(NamedTuple):
    """A row per fruit. ssc_brix, ssc_brix_sd: (n,) float64, NaN together. flags: (n,) uint32, says why."""

    ssc_brix: Values
    ssc_brix_sd: Values
    flags: NDArray[np.uint32]


def soluble_solids(
    model: SugarModel,
    counts: NDArray[Any],
    white: NDArray[Any] | None = None,
    dark: NDArray[Any] | None = None,
    *,
    wavelengths_nm: Sequence[float] | None = None,
) -> SolubleSolids:
    """Soluble solids content of n fruit; see `SugarModel` for the formula.

    counts: (n, channels) raw counts. white, dark: (channels,) or (n, channels), the lane's own references; None: those
    taken at calibration, which are right as long as lamp and detector are what they were. wavelengths_nm: the
    spectrometer's channels; None: known to be the model's. A scan with another number of channels, or other channels,
    is SPECTRUM_DAMAGED; one outside Hotelling's T2 or the Q limit of the calibration set, or with a value beyond the
    calibrated range, SPECTRUM_UNLIKE; the other flags are those of `scan_flags`. Any of them makes both values NaN.

    ssc_brix_sd = standard_error_brix * sqrt(1 + leverage): Faber, Kowalski: J. Chemometrics 11 (1997) 181, with the
    errors of the reference values and of the spectra both within the standard error; so too ASTM E1655.
    """
    n = len(counts)
    if counts.shape != (n, len(model.wavelengths_nm)) or not (
        wavelengths_nm is None or same_channels(model, wavelengths_nm)
    ):
        nothing = np.full(n, np.nan)
        return SolubleSolids(nothing, nothing.copy(), np.full(n, Flag.SPECTRUM_DAMAGED, np.uint32))
    white = np.broadcast_to(model.white_counts if white is None else white, counts.shape)
    dark = np.broadcast_to(model.dark_counts if dark is None else dark, counts.shape)
    flags = scan_flags(model, counts, white, dark)

    good = np.flatnonzero(flags == 0)
    used = slice(model.first_channel, model.stop_channel)
    spectra = standard_normal_variate(absorbance(counts[good, used], white[good, used], dark[good, used]))
    value = model.intercept_brix + spectra @ model.coefficients
    from_centre = spectra - model.centre
    leverage = 1.0 / model.n_fruit + ((from_centre @ model.score_weights) ** 2).sum(axis=1)

    t2, q = distances(from_centre, model.loadings, model.score_variance, model.residual_sd)
    lowest, highest = model.ssc_range_brix
    margin = _BEYOND_RANGE * model.standard_error_brix
    # Written so that a NaN is unlike: a comparison with it is False.
    like = (t2 <= model.t2_limit) & (q <= model.q_limit) & (value >= lowest - margin) & (value <= highest + margin)
    flags[good[~like]] |= np.uint32(Flag.SPECTRUM_UNLIKE)

    ssc_brix, ssc_brix_sd = np.full(n, np.nan), np.full(n, np.nan)
    ssc_brix[good[like]] = value[like]
    ssc_brix_sd[good[like]] = model.standard_error_brix * np.sqrt(1.0 + leverage[like])
    return SolubleSolids(ssc_brix, ssc_brix_sd, flags)


def distances(
    from_centre: Values, loadings: Values, score_variance: Values, residual_sd: Values
) -> tuple[Values, Values]:
    """Hotelling's T2 within the plane of the calibration spectra, and the squared distance Q from it; (n,) each.

    from_centre: (n, m) spectra after the standard normal variate, less the centre; the others as in `SugarModel`.
    Q counts each channel in units of what the plane leaves of it, so that one stuck channel shows among many, and
    noisy ones do not drown the rest.
    Jackson, Mudholkar: Technometrics 21 (1979) 341.
    """
    scores = from_centre @ loadings
    t2 = (scores**2 / score_variance).sum(axis=1)
    q = (((from_centre - scores @ loadings.T) / residual_sd) ** 2).sum(axis=1)
    return t2, q
